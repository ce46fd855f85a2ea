//! Lines of orders against a venue that reads and does not answer, in virtual time.

use std::io::Read;

use super::*;
use crate::venue::governor::{PauseCause, PauseScope};
use crate::venue::transport::{Endpoint, Scheme};
use crate::world::{Clock, Listener, ManualTime, Net, NetConditions, Stream, VirtualNet};

struct Bench {
    net: VirtualNet,
    clock: Clock,
    time: ManualTime,
    listener: Listener,
    served: Vec<Stream>,
    /// All that came, over all connections.
    heard: String,
    lines: RestLine,
    governor: Governor,
}

impl Bench {
    fn new() -> Bench {
        let (clock, time) = Clock::manual(0);
        let net = VirtualNet::new(clock.clone(), 9, NetConditions::default());
        let world = Net::Virtual(net.clone());
        let listener = world.listen("10.0.0.1:80".parse().unwrap()).unwrap();
        let options = RestOptions {
            endpoint: Endpoint::parse("http://10.0.0.1:80", Scheme::Http, &world, None).unwrap(),
            net: world,
            token: 0,
            timeout_ns: 30_000_000_000,
            body_bytes_max: 1_000,
        };
        let governor = Governor::default();
        let lines = RestLine::for_orders(&options, &governor);
        let (served, heard) = (Vec::new(), String::new());
        Bench { net, clock, time, listener, served, heard, lines, governor }
    }

    fn send(&mut self, (id, adds_risk): (u64, bool)) -> bool {
        let request = format!("POST /{id}/\nContent-Length: 2\n\n{{}}");
        self.lines.send((id, adds_risk), request.as_bytes(), self.clock.now_ns())
    }

    /// Lets so much time pass; the ids that were given back, of which nothing left.
    fn pass(&mut self, ns: u64) -> Vec<u64> {
        let until_ns = self.clock.now_ns() + ns;
        let mut given_back = Vec::new();
        while self.clock.now_ns() < until_ns {
            while let Some(answer) = self.lines.step(self.clock.now_ns()) {
                assert!(answer.outcome.is_err() && !answer.was_sent);
                given_back.push(answer.id);
            }
            if let Ok((stream, _)) = self.listener.accept() {
                self.served.push(stream);
            }
            let mut bytes = [0; 4_096];
            for stream in &mut self.served {
                if let Ok(count) = stream.read(&mut bytes) {
                    self.heard.push_str(str::from_utf8(&bytes[..count]).unwrap());
                }
            }
            let next_ns = self.net.next_due_ns().min(self.lines.deadline_ns()).min(until_ns);
            self.time.advance_to_ns(next_ns.max(self.clock.now_ns() + 1));
        }
        given_back
    }

    fn has_heard(&self, id: u64) -> bool {
        self.heard.contains(&format!("POST /{id}/ "))
    }
}

const ORDER: bool = true;
const CANCEL: bool = false;

#[test]
fn a_cancel_leaves_while_every_order_waits_for_its_answer() {
    let mut bench = Bench::new();
    for id in 1..=20 {
        assert!(bench.send((id, ORDER)));
    }
    assert!(bench.pass(500_000_000).is_empty());
    let left = (1..=20).filter(|id| bench.has_heard(*id)).count();
    assert_eq!(left, ORDER_LINES - 1, "no answer comes: the others wait");
    assert!(bench.send((50, CANCEL)));
    assert!(bench.pass(100_000_000).is_empty());
    assert!(bench.has_heard(50), "{}", bench.heard);
}

#[test]
fn orders_without_a_line_fill_no_place_of_a_cancel_and_go_behind_it() {
    let mut bench = Bench::new();
    let taken = (1..=100).filter(|id| bench.send((*id, ORDER))).count();
    assert_eq!(taken, ORDER_LINES - 1 + ORDERS_WAITING_MAX);
    assert!((101..=103).all(|id| bench.send((id, CANCEL))));
    let waiting: Vec<u64> = bench.lines.waiting.iter().take(3).map(|of| of.id).collect();
    assert_eq!(waiting, [102, 103, ORDER_LINES as u64], "the first one has its line");
}

#[test]
fn what_finds_no_line_in_time_is_given_back_and_never_leaves() {
    let mut bench = Bench::new();
    for id in 1..=6 {
        assert!(bench.send((id, ORDER)));
    }
    assert!(bench.send((7, CANCEL)) && bench.send((8, CANCEL)));
    assert!(bench.pass(WAIT_NS - 1_000).is_empty());
    assert_eq!(bench.pass(2_000), [8, 5, 6]);
    assert!(bench.pass(5_000_000_000).is_empty());
    assert!([5, 6, 8].iter().all(|id| !bench.has_heard(*id)));
    assert!([1, 2, 3, 4, 7].iter().all(|id| bench.has_heard(*id)));
}

#[test]
fn orders_that_have_not_left_are_taken_back_and_cancels_are_not() {
    let mut bench = Bench::new();
    for id in 1..=6 {
        assert!(bench.send((id, ORDER)));
    }
    assert!(bench.send((7, CANCEL)) && bench.lines.holds_risk());
    // Its connection does not stand yet: not even the first of them has left.
    bench.lines.take_back(|id| id != 2);
    let mut given_back = bench.pass(100_000_000);
    given_back.sort_unstable();
    assert_eq!(given_back, [1, 3, 4, 5, 6]);
    assert!(bench.has_heard(2) && bench.has_heard(7));
    assert!(bench.pass(5_000_000_000).is_empty());
    assert!(given_back.iter().all(|id| !bench.has_heard(*id)));
    assert!(!bench.lines.holds_risk(), "what has left is not taken back");
    bench.lines.take_back(|_| true);
    assert!(bench.pass(1_000_000).is_empty());
}

#[test]
fn a_cancel_opens_a_line_during_a_pause_that_lets_cancels_go() {
    let mut bench = Bench::new();
    let pause = |bench: &Bench, scope| {
        let until_ns = bench.clock.now_ns() + 20_000_000_000;
        bench.governor.pause(scope, until_ns, PauseCause::default(), &bench.clock);
    };
    pause(&bench, PauseScope::AllButCancels);
    assert!(bench.send((1, ORDER)) && bench.send((2, CANCEL)));
    assert_eq!(bench.pass(2_000_000_000), [1]);
    assert!(bench.has_heard(2) && !bench.has_heard(1));
    pause(&bench, PauseScope::Address);
    assert!(bench.send((3, CANCEL)));
    assert_eq!(bench.pass(2_000_000_000), [3], "a ban holds cancels, too");
}
