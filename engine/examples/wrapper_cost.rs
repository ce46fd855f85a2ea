//! What stands between a lane and a callback, in ns an event and consumer.
//!
//! `cargo run --release -p pitlane-engine --example wrapper_cost`
//!
//! One thread publishes and takes, so nothing crosses between cores. The bare lane is read in place
//! by a closure. On top come the lease (one batch each poll), the containment of each callback and
//! the checks between callbacks; then everything the real consumer does, with its accounts, its
//! three histograms and two readings of the clock.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use pitlane_engine::consumer::{Closure, Context, Strategy};
use pitlane_engine::event::{Event, EventKind, Interest, Quote};
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::risk::RiskLimits;
use pitlane_engine::runtime::{Agent, Clock};
use pitlane_engine::testing::{BareConsumer, Size, bare_consumer, is_contained};
use pitlane_ring::{Consumer, LaneOptions, Publisher, lane, lease};

const EVENTS: usize = 2_000_000;
const ROUNDS: usize = 7;
/// At most, for lease, containment and checks together.
const BOUND_NS: f64 = 15.0;

fn quote() -> Event {
    Event::new(&Quote { bid_price: 6_000_000, bid_qty: 7, ask_price: 6_000_001, ask_qty: 9 })
}

/// ns an event, the best of the rounds: the others were disturbed.
fn best(batch: usize, mut publish_and_take: impl FnMut(usize)) -> f64 {
    let round = |_| {
        let started = Instant::now();
        (0..EVENTS / batch).for_each(|_| publish_and_take(batch));
        started.elapsed().as_secs_f64() * 1e9 / (EVENTS / batch * batch) as f64
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn new_lane() -> (Publisher<Event>, Consumer<Event>) {
    lane(LaneOptions { name: "market".to_owned(), capacity: 64 })
}

fn publish(publisher: &mut Publisher<Event>, event: &Event, batch: usize) {
    for _ in 0..batch {
        assert!(publisher.try_publish(black_box(event)).is_ok(), "the lane has room");
    }
}

/// The callback of all parts: behind a pointer that nobody sees through, so it may do anything, and
/// panic.
fn callback() -> Box<dyn FnMut(&Event) + Send> {
    black_box(Box::new(|event: &Event| {
        black_box(event.receive_ns);
    }))
}

fn bare(batch: usize) -> f64 {
    let (mut publisher, mut consumer) = new_lane();
    let (event, mut handle) = (quote(), callback());
    best(batch, |batch| {
        publish(&mut publisher, &event, batch);
        consumer.poll(16, |event| handle(event));
    })
}

fn leased(batch: usize) -> f64 {
    let (mut publisher, consumer) = new_lane();
    let (mut home, _watch) = lease(vec![consumer]);
    let (event, mut handle) = (quote(), callback());
    best(batch, |batch| {
        publish(&mut publisher, &event, batch);
        let polled = home.run(0, |consumer| consumer.poll(16, |event| handle(event)));
        assert!(polled.is_ok(), "nobody takes anything");
    })
}

/// With the lease, what the wrapper does around a callback, but for accounts and telemetry.
fn contained(batch: usize) -> f64 {
    let (mut publisher, consumer) = new_lane();
    let (mut home, _watch) = lease(vec![consumer]);
    let (event, mut handle) = (quote(), callback());
    let (accept_from, batch_ns, is_running) = (black_box(0), black_box(u64::MAX), black_box(true));
    best(batch, |batch| {
        publish(&mut publisher, &event, batch);
        let polled = home.run(0, |consumer| {
            consumer.poll_while(16, |event| {
                if event.routing_version < accept_from || event.kind().is_none() || !is_running {
                    return true;
                }
                let is_ok = is_contained(|| handle(event));
                is_ok && event.receive_ns <= batch_ns
            })
        });
        assert!(polled.is_ok(), "nobody takes anything");
    })
}

fn whole(batch: usize) -> f64 {
    let spec = InstrumentSpec::btc_usdt();
    let instruments = Arc::new(Instruments::new(vec![spec]).expect("a constant instrument"));
    let strategy: Box<dyn Strategy> = Box::new(Closure::new(
        Interest::NONE.and(EventKind::Quote),
        |event: &Event, _ctx: &mut Context| {
            black_box(event.receive_ns);
            Ok(())
        },
    ));
    let BareConsumer { mut market, agent, .. } =
        bare_consumer(strategy, instruments, RiskLimits::default(), Clock::start(), Size::Full);
    let (mut home, _watch) = lease(vec![agent]);
    let event = quote();
    best(batch, |batch| {
        publish(&mut market, &event, batch);
        assert!(home.run(0, |agent| agent.duty_cycle()).is_ok(), "nobody takes anything");
    })
}

fn main() {
    println!("publish and take, ns an event; best of {ROUNDS} rounds of {EVENTS} events");
    println!("{:<46}{:>10}{:>10}", "events in a batch", 1, 16);
    type Measure = fn(usize) -> f64;
    let parts: [(&str, Measure); 4] = [
        ("bare lane", bare),
        ("with the lease", leased),
        ("with lease, containment and checks", contained),
        ("the whole consumer, accounts and telemetry too", whole),
    ];
    let rows = parts.map(|(name, measure)| (name, [measure(1), measure(16)]));
    for (name, [lone, full]) in &rows {
        println!("{name:<46}{lone:>10.1}{full:>10.1}");
    }
    let added = [0, 1].map(|at| rows[2].1[at] - rows[0].1[at]);
    let [lone, full] = added;
    println!("{:<46}{lone:>10.1}{full:>10.1}", "lease, containment and checks add");
    let holds = added.iter().all(|added| *added <= BOUND_NS);
    println!("bound: at most {BOUND_NS} ns; {}", if holds { "holds" } else { "DOES NOT HOLD" });
}
