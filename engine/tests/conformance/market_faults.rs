//! Market data against faults on the wire: the fault happens, what is wrong is kept, and the feed
//! heals.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pitlane_engine::event::{EventKind, Quote};
use pitlane_engine::runtime::{Agent, Phase};
use pitlane_engine::venue::LetterReason;
use pitlane_engine::venue::market::SilenceLimits;
use pitlane_engine::venue::simulated::{
    Fault, FaultName, FaultPlan, FaultRule, FrameKind, Trigger,
};

use crate::feed::{Feed, FeedOptions, Live};
use crate::harness::{MS, keep_log, limits, logged};
use crate::raw::{Peer, RawServer};
use crate::subject::Market;

/// Frames a second: enough for a depth diff in each 100 ms, little for the machine.
const RATE: u32 = 200;

fn no_books() -> FeedOptions {
    FeedOptions { has_books: false, ..FeedOptions::default() }
}

pub fn a_cut_at_every_byte_of_a_frame_never_gives_a_partial_one<V: Market>() {
    // F12, EDGE-23: FIN and RST.
    let frame = V::sent(&V::quote(1));
    for resets in [false, true] {
        let whole = frame.clone();
        let server = RawServer::start(move |number, peer| {
            peer.subscribe(&V::confirmation())?;
            peer.send(&V::sent(&V::quote(1_000 + number as u64)))?;
            if resets {
                peer.reset();
            }
            let cut = number.min(whole.len());
            peer.send(&whole[..cut])
        });
        let mut options = no_books();
        options.limits.backoff.min_ns = MS;
        options.limits.backoff.max_ns = 2 * MS;
        let mut feed = Feed::<V::Protocol>::new(server.address, server.address, &options);
        // A reset may take with it what was not yet read: a whole frame is not owed, a partial
        // forbidden.
        let connections = frame.len() + 5;
        feed.drive("the whole frame", |seen, counters| {
            counters.reconnects >= connections as u64
                && (resets || seen.all::<Quote>().len() > connections)
        });
        feed.assert_sound();
        let counters = feed.counters();
        assert_eq!((counters.refused, feed.seen().letters.len()), (0, 0), "resets: {resets}");
        let whole_ones = feed.seen().events.iter().filter(|event| event.sequence == 1).count();
        let beyond = server.accepted() - frame.len();
        assert!(whole_ones <= beyond, "{whole_ones} of {beyond} whole frames, resets: {resets}");
        if !resets {
            assert!(whole_ones >= 4, "{whole_ones}");
        }
    }
}

/// What a fault must end in: a new connection with a live book, and so many dead letters.
fn heals_by_a_new_connection<V: Market>(
    fault: Fault,
    options: &FeedOptions,
    letter: Option<LetterReason>,
) {
    // The 30th frame: the book is on its way or live.
    let mut live = Live::<V>::start(FaultPlan::one(fault, Trigger::At(30)), RATE, options);
    live.drive_to_fault(fault.name(), 1);
    live.feed.drive("the reconnect", |_, counters| counters.reconnects >= 1);
    assert_eq!(live.feed.counters().reconnects, 1, "{fault:?}");
    live.feed.drive_to_live_book(50);
    live.feed.assert_sound();
    let report = live.report();
    assert_eq!((report.faults(fault.name()), report.handshakes), (1, 2), "{fault:?}");
    let seen = live.feed.seen();
    match letter {
        None => assert!(seen.letters.is_empty(), "{fault:?}: {:?}", seen.letters),
        Some(reason) => {
            assert_eq!(seen.letters.len(), 1, "{fault:?}: {:?}", seen.letters);
            assert_eq!(seen.letters[0].reason, reason, "{fault:?}");
            assert!(!seen.letters[0].raw.is_empty(), "the bytes are kept");
        }
    }
}

pub fn a_cut_inside_a_frame_is_followed_by_a_new_snapshot<V: Market>() {
    // F12
    for reset in [false, true] {
        let cut = Fault::Disconnect { after_bytes: 20, reset };
        heals_by_a_new_connection::<V>(cut, &FeedOptions::default(), None);
    }
}

pub fn a_venue_that_falls_silent_is_left_within_the_idle_limit<V: Market>() {
    // F13: not even a pong.
    let mut options = FeedOptions::default();
    options.limits.idle_ns = 800 * MS;
    heals_by_a_new_connection::<V>(
        Fault::Stall { duration: Duration::from_secs(60) },
        &options,
        None,
    );
}

pub fn data_that_is_dead_while_heartbeats_live_ends_the_connection<V: Market>() {
    // F13: the idle limit is far away, pongs come.
    let mut options =
        FeedOptions { name: format!("dead-data-{}", V::KIND), ..FeedOptions::default() };
    options.silence = SilenceLimits { depth_ns: Some(1_000 * MS), ..SilenceLimits::default() };
    options.limits.idle_ns = 60_000 * MS;
    keep_log();
    let stall = Fault::DataStall { duration: Duration::from_secs(60) };
    heals_by_a_new_connection::<V>(stall, &options, None);
    assert!(logged(&[&format!("[dead-data-{}]", V::KIND), "alive, but no data (code: data-idle)"]));
}

pub fn a_slow_loris_meets_the_frame_deadline<V: Market>() {
    // F14
    let mut options = FeedOptions::default();
    options.limits.frame_ns = 500 * MS;
    let loris = Fault::SlowLoris { byte_pause: Duration::from_millis(100) };
    heals_by_a_new_connection::<V>(loris, &options, None);
}

pub fn abuse_of_the_protocol_ends_the_connection_and_is_kept<V: Market>() {
    // F15
    let malformed = Some(LetterReason::Malformed);
    let oversize = Fault::OversizeFrame { bytes: limits().frame_bytes_max + 1 };
    heals_by_a_new_connection::<V>(oversize, &FeedOptions::default(), Some(LetterReason::Oversize));
    for fault in [Fault::MaskedFrame, Fault::ReservedBit, Fault::BadOpcode, Fault::BadUtf8] {
        if V::IS_BINARY && fault == Fault::BadUtf8 {
            // It is the protocol's abuse in a text alone.
            continue;
        }
        heals_by_a_new_connection::<V>(fault, &FeedOptions::default(), malformed);
    }
}

pub fn refused_and_unanswered_attempts_are_tried_again<V: Market>() {
    // F12, F14: handshake refused, handshake never answered, subscription refused.
    keep_log();
    let mut options =
        FeedOptions { name: format!("attempts-{}", V::KIND), ..FeedOptions::default() };
    options.limits.handshake_ns = 700 * MS;
    let at_first = |fault| FaultRule { fault, trigger: Trigger::At(1), only: None };
    let faults = [Fault::RefuseHandshake, Fault::NeverAnswerHandshake, Fault::RefuseSubscribe];
    let plan = FaultPlan { rules: faults.map(at_first).to_vec() };
    let mut live = Live::<V>::start(plan, RATE, &options);
    live.feed.drive_to_live_book(50);
    live.feed.assert_sound();
    let report = live.report();
    for fault in faults {
        assert_eq!(report.faults(fault.name()), 1, "{fault:?}");
    }
    assert_eq!(live.feed.counters().reconnects, 3);
    for part in
        ["(code: http 503)", "no answer in time (code: deadline)", "refused by the venue (code: 2)"]
    {
        assert!(logged(&[&format!("[attempts-{}]", V::KIND), part]), "{part}");
    }
}

pub fn corrupt_and_unknown_frames_cost_neither_the_connection_nor_the_next_frame<V: Market>() {
    // F16
    let every = |fault, every| FaultRule { fault, trigger: Trigger::Every(every), only: None };
    let plan = FaultPlan { rules: vec![every(Fault::BadJson, 37), every(Fault::UnknownEvent, 41)] };
    let mut live = Live::<V>::start(plan, RATE, &FeedOptions::default());
    live.drive_to_fault(FaultName::BadJson, 8);
    live.drive_to_fault(FaultName::UnknownEvent, 8);
    let refused = live.feed.counters().refused;
    live.feed.drive("more frames", |_, counters| counters.refused >= refused + 2);
    live.feed.drive_to_live_book(10);
    live.feed.assert_sound();
    let counters = live.feed.counters();
    let (seen, report) = (live.feed.seen(), live.report());
    let malformed = seen.letters_of(LetterReason::Malformed);
    let unknown = seen.letters_of(LetterReason::Unknown);
    assert_eq!(counters.refused, (malformed.len() + unknown.len()) as u64);
    assert!(malformed.iter().all(|letter| letter.raw.starts_with(V::FRAME_START)));
    let is_told =
        |raw: &[u8]| raw.windows(V::UNKNOWN_EVENT.len()).any(|window| window == V::UNKNOWN_EVENT);
    assert!(unknown.len() >= 8 && unknown.iter().all(|letter| is_told(&letter.raw)));
    assert!(malformed.len() as u64 <= report.faults(FaultName::BadJson));
    assert_eq!((counters.reconnects, report.handshakes), (0, 1), "the connection is kept");
}

pub fn frames_in_pieces_are_whole_frames<V: Market>() {
    // EDGE-23
    let rule = |fault, every| FaultRule { fault, trigger: Trigger::Every(every), only: None };
    let plan =
        FaultPlan { rules: vec![rule(Fault::SplitSegments, 5), rule(Fault::SplitFragments, 3)] };
    let mut live = Live::<V>::start(plan, 60, &FeedOptions::default());
    live.drive_to_fault(FaultName::SplitSegments, 10);
    live.drive_to_fault(FaultName::SplitFragments, 10);
    live.feed.drive_to_live_book(10);
    live.feed.assert_sound();
    let counters = live.feed.counters();
    assert_eq!((counters.refused, counters.reconnects, counters.gaps), (0, 0, 0), "{counters:?}");
}

pub fn a_shutdown_notice_is_followed_by_a_new_connection_at_once<V: Market>() {
    let server = RawServer::start(|number, peer| {
        peer.subscribe(&V::confirmation())?;
        if number > 0 {
            peer.send(&V::sent(&V::quote(5)))?;
            return peer.wait_for_end();
        }
        peer.send(&V::sent(&V::shutdown()))?;
        // It stays beside the next one.
        let stream = peer.stream.try_clone()?;
        std::thread::spawn(move || Peer::new(stream).wait_for_end());
        Ok(())
    });
    let mut feed = Feed::<V::Protocol>::new(server.address, server.address, &no_books());
    feed.drive("the quote", |seen, _| seen.count(EventKind::Quote) == 1);
    feed.assert_sound();
    let counters = feed.counters();
    // The next connection is there before this one ends: none was lost.
    assert_eq!((counters.control, counters.decoded, counters.reconnects), (3, 1, 0));
}

pub fn a_subscription_that_is_never_answered_ends_the_connection<V: Market>() {
    let server = RawServer::start(|_, peer| {
        peer.shake_hands()?;
        peer.wait_for_end()
    });
    let options =
        FeedOptions { subscribe_ms: 200, name: format!("mute-{}", V::KIND), ..no_books() };
    keep_log();
    let mut feed = Feed::<V::Protocol>::new(server.address, server.address, &options);
    feed.drive("two attempts", |_, counters| counters.reconnects >= 2);
    assert!(logged(&[&format!("[mute-{}]", V::KIND), "subscribe failed: no answer in time"]));
    feed.assert_sound();
}

pub fn attempts_thin_out_while_the_venue_only_accepts<V: Market>() {
    // F12: a handshake alone is no sign of health.
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&accepted);
    let server = RawServer::start(move |_, peer| {
        times.lock().unwrap().push(Instant::now());
        peer.shake_hands()
    });
    let mut options = no_books();
    options.limits.backoff.min_ns = 10 * MS;
    options.limits.backoff.max_ns = 160 * MS;
    let mut feed = Feed::<V::Protocol>::new(server.address, server.address, &options);
    feed.drive("six attempts", |_, counters| counters.reconnects >= 6);
    let times = accepted.lock().unwrap();
    for (attempt, pair) in times.windows(2).enumerate().take(5) {
        let least = Duration::from_millis((10 << attempt).min(80));
        let waited = pair[1] - pair[0];
        assert!(waited >= least, "attempt {attempt} came after {waited:?}");
    }
}

pub fn a_full_link_stops_the_reading_and_loses_nothing<V: Market>() {
    let server = RawServer::start(|_, peer| {
        peer.subscribe(&V::confirmation())?;
        for update in 1..=500 {
            peer.send(&V::sent(&V::quote(update)))?;
        }
        peer.wait_for_end()
    });
    let mut options = no_books();
    options.limits.idle_ns = 150 * MS;
    options.limits.ping_interval_ns = 60_000 * MS;
    options.limits.frame_ns = 150 * MS;
    let mut feed = Feed::<V::Protocol>::new(server.address, server.address, &options);
    feed.outlet.seen().room = Some(100);
    let start_ns = feed.clock.now_ns();
    feed.drive("the full link", |_, counters| counters.backpressure >= 1);
    // Far beyond the deadlines: what is not read can't be late.
    while feed.clock.now_ns() - start_ns < 500 * MS {
        feed.turn();
    }
    assert_eq!(feed.counters().reconnects, 0);
    feed.outlet.seen().room = None;
    feed.drive("the rest", |seen, _| seen.events.len() == 500);
    let sequences: Vec<u64> = feed.seen().events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=500).collect::<Vec<u64>>());
    assert!(feed.counters().identity_holds());
}

pub fn draining_ends_the_session_and_connects_no_more<V: Market>() {
    let mut live = Live::<V>::start(FaultPlan::default(), RATE, &FeedOptions::default());
    live.feed.drive_to_live_book(20);
    live.feed.stop.raise(Phase::Draining);
    while !live.feed.agent.is_done() {
        live.feed.turn();
    }
    let events = live.feed.seen().events.len();
    (0..50).for_each(|_| live.feed.turn());
    assert_eq!(live.feed.seen().events.len(), events);
    assert_eq!(live.report().handshakes, 1);
    live.feed.assert_sound();
    assert!(live.report().frames(FrameKind::Depth) > 0);
}
