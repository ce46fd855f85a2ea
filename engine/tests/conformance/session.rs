//! One session by itself: every end of a connection has its typed reason, by our own clock.

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pitlane_engine::runtime::Clock;
use pitlane_engine::venue::governor::Governor;
use pitlane_engine::venue::protocol::KeepAlive;
use pitlane_engine::venue::transport::{
    BackoffOptions, CloseReason, Endpoint, Progress, Scheme, Session, SessionLimits,
    SessionOptions, WireError,
};

use pitlane_engine::world::Net;

use crate::harness::{MS, Patience, limits};
use crate::raw::{Peer, RawServer, frame, text};

fn session(address: std::net::SocketAddr, limits: SessionLimits, clock: Clock) -> Session {
    let endpoint =
        Endpoint::parse(&format!("ws://{address}/ws"), Scheme::Ws, &Net::real(), None).unwrap();
    let (headers, net) = (String::new(), Net::real());
    Session::new(
        SessionOptions {
            endpoint,
            headers,
            limits,
            governor: Governor::default(),
            net,
            token: 0,
            seed: 3,
        },
        KeepAlive::WsPing,
        clock,
    )
}

/// Runs until the connection ends; the messages it gave, and why it ended.
fn run(session: &mut Session, clock: &Clock) -> (Vec<Vec<u8>>, CloseReason) {
    let patience = Patience::new();
    let mut messages = Vec::new();
    loop {
        if let Progress::Closed(reason) = session.step(clock.now_ns()) {
            return (messages, reason);
        }
        while let Some(frame) = session.next_frame() {
            messages.push(frame.bytes.to_vec());
        }
        assert!(!patience.is_over(), "the connection did not end; {} messages", messages.len());
        std::thread::yield_now();
    }
}

/// What becomes of a session whose server says `bytes` after the handshake and then waits.
fn outcome(limits: SessionLimits, bytes: Vec<u8>) -> (Vec<Vec<u8>>, CloseReason) {
    let server = RawServer::start(move |_, peer| {
        peer.shake_hands()?;
        peer.send(&bytes)?;
        peer.wait_for_end()
    });
    let clock = Clock::start();
    let mut session = session(server.address, limits, clock.clone());
    let outcome = run(&mut session, &clock);
    session.end_for_good();
    outcome
}

#[test]
fn protocol_abuse_is_a_typed_end_after_the_messages_before_it() {
    // F15
    let limits = SessionLimits { frame_bytes_max: 1_000, ..limits() };
    let fragments = [frame(0x01, &[b'a'; 600]), frame(0x80, &[b'a'; 600])].concat();
    let oversize = |size| WireError::Oversize { size, limit: 1_000 };
    let cases: [(Vec<u8>, WireError); 10] = [
        (frame(0x81, &[b'a'; 1_001]), oversize(1_001)),
        (fragments, oversize(1_200)),
        (b"\x81\x81\x00\x00\x00\x00a".to_vec(), WireError::Masked),
        (frame(0xC1, b"a"), WireError::ReservedBits),
        (frame(0x83, b"a"), WireError::Opcode(3)),
        (frame(0x81, b"\xff"), WireError::Utf8),
        (frame(0x80, b"a"), WireError::UnexpectedContinuation),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), WireError::UnfinishedMessage),
        (frame(0x09, b"a"), WireError::FragmentedControl),
        (frame(0x88, b"a"), WireError::CloseFrame),
    ];
    for (bytes, expected) in cases {
        let (messages, reason) = outcome(limits, [text("before"), bytes].concat());
        assert_eq!(messages, [b"before".to_vec()], "{expected}");
        assert!(matches!(reason, CloseReason::Protocol(error) if error == expected), "{reason}");
    }
}

#[test]
fn a_close_of_the_venue_and_the_end_of_its_bytes_are_told_apart() {
    // F12
    let (_, closed) = outcome(limits(), frame(0x88, &1_001_u16.to_be_bytes()));
    assert!(matches!(closed, CloseReason::PeerClosed(1_001)), "{closed}");
    for (sent, is_cut) in [(text("whole"), false), (text("whole")[..4].to_vec(), true)] {
        let server = RawServer::start(move |_, peer| {
            peer.shake_hands()?;
            peer.send(&sent)
        });
        let clock = Clock::start();
        let (messages, reason) = run(&mut session(server.address, limits(), clock.clone()), &clock);
        assert_eq!(messages.len(), usize::from(!is_cut));
        let is_right = match reason {
            CloseReason::CutInFrame => is_cut,
            CloseReason::Ended => !is_cut,
            _ => false,
        };
        assert!(is_right, "{reason}");
    }
}

#[test]
fn a_venue_that_says_nothing_more_is_given_up() {
    // F13: the socket stays open, no pong comes.
    let limits = SessionLimits { idle_ns: 300 * MS, ping_interval_ns: 50 * MS, ..limits() };
    let (messages, reason) = outcome(limits, text("once"));
    assert_eq!(messages.len(), 1);
    assert!(matches!(reason, CloseReason::Idle), "{reason}");
}

#[test]
fn a_frame_that_trickles_has_a_deadline_although_bytes_come() {
    // F14: what the socket's own timeouts would never end.
    let server = RawServer::start(|_, peer| {
        peer.shake_hands()?;
        for byte in text(&"x".repeat(120)) {
            peer.send(&[byte])?;
            std::thread::sleep(Duration::from_millis(20)); // the pace of the attack itself
        }
        peer.wait_for_end()
    });
    let clock = Clock::start();
    let limits = SessionLimits { frame_ns: 200 * MS, ..limits() };
    let (messages, reason) = run(&mut session(server.address, limits, clock.clone()), &clock);
    assert!(messages.is_empty() && matches!(reason, CloseReason::FrameDeadline), "{reason}");
}

#[test]
fn a_handshake_has_a_deadline_whether_it_is_silent_or_trickles() {
    // F14, EDGE-23
    for trickles in [false, true] {
        let server = RawServer::start(move |_, peer| {
            let head = peer.read_head()?;
            if trickles {
                for byte in Peer::agreement(&head).bytes() {
                    peer.send(&[byte])?;
                    std::thread::sleep(Duration::from_millis(20)); // the pace of the attack itself
                }
            }
            peer.wait_for_end()
        });
        let clock = Clock::start();
        let limits = SessionLimits { handshake_ns: 200 * MS, ..limits() };
        let mut session = session(server.address, limits, clock.clone());
        let (_, reason) = run(&mut session, &clock);
        assert!(matches!(reason, CloseReason::HandshakeDeadline), "{trickles} {reason}");
        assert!(clock.now_ns() >= 200 * MS);
    }
}

#[test]
fn a_frame_that_came_while_nobody_looked_is_no_fault_of_the_venue() {
    // A core that was held up, or a link that was full, longer than every deadline.
    let is_sent = Arc::new(AtomicBool::new(false));
    let sent = Arc::clone(&is_sent);
    let server = RawServer::start(move |_, peer| {
        let whole = text("split in two");
        peer.shake_hands()?;
        peer.send(&whole[..5])?;
        peer.read_text()?;
        peer.send(&whole[5..])?;
        sent.store(true, Ordering::Release);
        peer.wait_for_end()
    });
    let limits = SessionLimits { ping_interval_ns: 60_000 * MS, ..limits() };
    let (clock, time) = Clock::manual(0);
    let mut session = session(server.address, limits, clock.clone());
    let patience = Patience::new();
    // Until the first half is read: then the frame's deadline is the next one.
    while !session.is_open() || session.next_timer_ns() != limits.frame_ns {
        let progress = session.step(clock.now_ns());
        assert!(!matches!(progress, Progress::Closed(_)) && !patience.is_over(), "{progress:?}");
        assert!(session.next_frame().is_none());
    }
    session.send(b"go on").unwrap();
    assert!(session.flush());
    while !is_sent.load(Ordering::Acquire) {
        assert!(!patience.is_over());
        std::thread::yield_now();
    }
    time.advance_ns(2 * limits.idle_ns);
    let progress = session.step(clock.now_ns());
    assert!(matches!(progress, Progress::Idle), "{progress:?}");
    assert_eq!(session.next_frame().unwrap().bytes, b"split in two");
}

#[test]
fn with_nobody_listening_the_waits_grow_between_their_bounds() {
    // F12: exact, since time is moved by hand.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let backoff = BackoffOptions { min_ns: 100 * MS, max_ns: 3_000 * MS };
    let (clock, time) = Clock::manual(0);
    let mut session = session(address, SessionLimits { backoff, ..limits() }, clock.clone());
    let mut waits = Vec::new();
    let patience = Patience::new();
    while waits.len() < 8 {
        assert!(!patience.is_over());
        match session.step(clock.now_ns()) {
            Progress::Closed(CloseReason::Connect(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                let wait_ns = session.next_timer_ns() - clock.now_ns();
                waits.push(wait_ns);
                time.advance_ns(wait_ns - 1);
                let early = session.step(clock.now_ns());
                assert!(matches!(early, Progress::Idle), "not a nanosecond early: {early:?}");
                time.advance_ns(1);
            }
            Progress::Idle | Progress::Moved => {}
            other => panic!("{other:?}"),
        }
    }
    for (attempt, wait_ns) in (1_u32..).zip(&waits) {
        let high_ns = (100 * MS * 2_u64.pow(attempt)).min(3_000 * MS);
        assert!((high_ns / 2..=high_ns).contains(wait_ns), "attempt {attempt}: {waits:?}");
    }
    let is_round = |wait_ns: &u64| wait_ns.is_multiple_of(100 * MS);
    assert!(!waits.iter().all(is_round), "no jitter: {waits:?}");
}

#[test]
fn a_refused_handshake_gives_its_status_and_a_ping_gets_its_pong() {
    let server = RawServer::start(|number, peer| {
        let head = peer.read_head()?;
        if number == 0 {
            return peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        }
        peer.send(Peer::agreement(&head).as_bytes())?;
        peer.send(&frame(0x89, b"are you there"))?;
        peer.stream.flush()?;
        let mut pong = [0; 2 + 4 + 13];
        io::Read::read_exact(&mut peer.stream, &mut pong)?;
        let (mask, payload) = pong[2..].split_at_mut(4);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        assert_eq!((pong[0], &pong[6..]), (0x8A, &b"are you there"[..]));
        Ok(())
    });
    let clock = Clock::start();
    let mut session = session(
        server.address,
        SessionLimits { ping_interval_ns: 9_000 * MS, ..limits() },
        clock.clone(),
    );
    let (_, refused) = run(&mut session, &clock);
    assert!(matches!(refused, CloseReason::HandshakeStatus(503, None)), "{refused}");
    let (_, ended) = run(&mut session, &clock);
    assert!(matches!(ended, CloseReason::Ended), "the pong was right: {ended}");
}
