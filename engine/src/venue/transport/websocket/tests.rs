//! A session over the virtual network, to the nanosecond.

use crate::venue::governor::Governor;
use std::io::{Read, Write};
use std::net::SocketAddr;

use tungstenite::handshake::derive_accept_key;

use super::{Progress, Session, SessionLimits, SessionOptions};
use crate::venue::protocol::KeepAlive;
use crate::venue::transport::{BackoffOptions, Endpoint, Scheme};
use crate::world::{Clock, Listener, ManualTime, Net, NetConditions, Stream, VirtualNet};

const MS: u64 = 1_000_000;
const HOST: &str = "venue.example:80";

/// A venue that agrees, sends `frames` texts at intervals of `frame_ns`, and hangs up.
struct Venue {
    listener: Listener,
    frames: u64,
    frame_ns: u64,
    open: Option<(Stream, u64, u64)>,
}

impl Venue {
    fn at(net: &Net, address: &str, frames: u64, frame_ns: u64) -> Venue {
        let listener = net.listen(address.parse::<SocketAddr>().unwrap()).unwrap();
        Venue { listener, frames, frame_ns, open: None }
    }

    fn step(&mut self, now_ns: u64) {
        if let Ok((stream, _)) = self.listener.accept() {
            self.open = Some((stream, u64::MAX, 0));
        }
        let Some((stream, due_ns, sent)) = &mut self.open else { return };
        let mut bytes = [0; 1_024];
        if *due_ns == u64::MAX {
            let Ok(count) = stream.read(&mut bytes) else { return };
            let text = std::str::from_utf8(&bytes[..count]).unwrap();
            let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let accept = derive_accept_key(key.unwrap().as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).unwrap();
            *due_ns = now_ns + self.frame_ns;
        } else if now_ns >= *due_ns {
            if *sent == self.frames {
                self.open = None;
                return;
            }
            stream.write_all(b"\x81\x02{}").unwrap();
            *due_ns += self.frame_ns;
            *sent += 1;
        }
    }

    fn next_ns(&self) -> u64 {
        self.open.as_ref().map_or(u64::MAX, |(_, due_ns, _)| *due_ns)
    }
}

struct Bench {
    net: VirtualNet,
    clock: Clock,
    time: ManualTime,
    session: Session,
}

impl Bench {
    fn new(address: &str) -> Bench {
        let (clock, time) = Clock::manual(0);
        let net = VirtualNet::new(clock.clone(), 1, NetConditions::default());
        net.set_name(HOST, vec![address.parse().unwrap()]);
        let world = Net::Virtual(net.clone());
        let url = format!("ws://{HOST}/ws");
        let options = SessionOptions {
            endpoint: Endpoint::parse(&url, Scheme::Ws, &world, None).unwrap(),
            headers: String::new(),
            limits: SessionLimits {
                backoff: BackoffOptions { min_ns: 100 * MS, max_ns: 30_000 * MS },
                ..SessionLimits::default()
            },
            governor: Governor::default(),
            net: world,
            token: 0,
            seed: 4,
        };
        let session = Session::new(options, KeepAlive::WsPing, clock.clone());
        Bench { net, clock, time, session }
    }

    /// The times at which a connection was opened, and the waits behind each end, until `end_ns`.
    fn run(&mut self, venues: &mut [Venue], end_ns: u64) -> (Vec<u64>, Vec<u64>) {
        let (mut opened, mut waits) = (Vec::new(), Vec::new());
        loop {
            let now_ns = self.clock.now_ns();
            match self.session.step(now_ns) {
                Progress::Opened => opened.push(now_ns),
                Progress::Closed(_) => waits.push(self.session.next_timer_ns() - now_ns),
                Progress::Moved => continue,
                Progress::Idle => {}
            }
            while self.session.next_frame().is_some() {}
            self.session.flush();
            venues.iter_mut().for_each(|venue| venue.step(now_ns));
            let timers = venues.iter().map(Venue::next_ns);
            let next_ns = timers.chain([self.session.next_timer_ns(), self.net.next_due_ns()]);
            let next_ns = next_ns.min().unwrap_or(u64::MAX).max(now_ns + 1);
            if next_ns > end_ns {
                return (opened, waits);
            }
            self.time.advance_to_ns(next_ns);
        }
    }
}

#[test]
fn a_venue_that_answers_and_hangs_up_is_not_stormed() {
    let mut bench = Bench::new("10.0.0.1:80");
    let mut venue = [Venue::at(&Net::Virtual(bench.net.clone()), "10.0.0.1:80", 3, MS)];
    let (opened, waits) = bench.run(&mut venue, 300_000 * MS);
    // 100 ms doubled to 30 s: a handful at first, then at most one in 15 s.
    assert!((15..=30).contains(&opened.len()), "{opened:?} {waits:?}");
    assert!(waits[8..].iter().all(|wait_ns| *wait_ns >= 12_800 * MS), "{waits:?}");
}

#[test]
fn a_connection_that_lasted_starts_the_waits_anew() {
    let mut bench = Bench::new("10.0.0.1:80");
    let mut venue = [Venue::at(&Net::Virtual(bench.net.clone()), "10.0.0.1:80", 20, 1_000 * MS)];
    let (opened, waits) = bench.run(&mut venue, 300_000 * MS);
    assert!(opened.len() > 10 && waits.len() > 10, "{opened:?} {waits:?}");
    assert!(waits.iter().all(|wait_ns| (100 * MS..=200 * MS).contains(wait_ns)), "{waits:?}");
}

#[test]
fn a_connection_that_is_silent_for_long_proves_nothing() {
    let mut bench = Bench::new("10.0.0.1:80");
    let mut venue = [Venue::at(&Net::Virtual(bench.net.clone()), "10.0.0.1:80", 1, 15_000 * MS)];
    let (_, waits) = bench.run(&mut venue, 300_000 * MS);
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
}

#[test]
fn a_venue_that_moves_is_found_at_its_new_address() {
    let mut bench = Bench::new("10.0.0.1:80");
    let world = Net::Virtual(bench.net.clone());
    let mut venues = [
        Venue::at(&world, "10.0.0.1:80", 3, MS),
        Venue::at(&world, "10.0.0.2:80", u64::MAX, 1_000 * MS),
    ];
    bench.net.set_name(HOST, vec!["10.0.0.2:80".parse().unwrap()]);
    let (opened, _) = bench.run(&mut venues, 60_000 * MS);
    assert_eq!(opened.len(), 2, "first where it was, then where it is: {opened:?}");
}
