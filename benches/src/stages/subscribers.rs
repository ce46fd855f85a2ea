//! Where the time goes when one event goes to many consumers that share a core: the dispatcher's
//! share, the first callback, the others, and a pass over all consumers that finds nothing.
//!
//! The fan-out of every event is sampled, as in the default configuration.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_engine::runtime::{Agent, Phase};
use pitlane_engine::testing::sweep;

use super::quotes::{assemble_sampled, consumer, quote};
use super::{Bench, Row, print};
use crate::crossing::Crossing;
use crate::pairing::Sample;

const SUBSCRIBERS: [usize; 3] = [10, 20, 50];
const EVENTS: usize = 1_000;
const RATE_PER_S: u64 = 2_000;

/// What is read off one event, ns.
const PARTS: [&str; 4] = [
    "stamp to last lane published",
    "stamp to first callback entered",
    "first to last callback entered",
    "a pass that finds nothing",
];

/// Prints medians by number of subscribers.
pub(crate) fn section(bench: &Bench) {
    for subscribers in SUBSCRIBERS {
        let mut rows = PARTS.map(|name| Row { name: name.to_owned(), samples: Vec::new() });
        for round in 0..bench.rounds {
            let before = Crossing::measure(&bench.partner).state();
            let values = medians(bench, subscribers);
            let after = Crossing::measure(&bench.partner).state();
            let state = (before == after).then_some(before);
            for (row, value) in rows.iter_mut().zip(values) {
                row.samples.push(Sample { round, state, value });
            }
        }
        print(&format!("lone event to {subscribers} subscribers on one core"), "ns", &rows);
    }
}

/// When each event was entered first and last, and left last.
#[derive(Default)]
struct Seen {
    entered: Vec<[AtomicU64; 2]>,
}

fn medians(bench: &Bench, subscribers: usize) -> [f64; 4] {
    let seen = Arc::new(Seen { entered: (0..EVENTS).map(|_| Default::default()).collect() });
    let strategy = |place| {
        let (seen, clock) = (Arc::clone(&seen), bench.clock.clone());
        consumer(move |event| {
            let entered = &seen.entered[event.sequence as usize];
            // Consumers are polled in their order, so the first and the last are known.
            if place == 0 {
                entered[0].store(clock.now_ns(), Ordering::Relaxed);
            } else if place == subscribers - 1 {
                entered[1].store(clock.now_ns(), Ordering::Release);
            }
        })
    };
    let mut stages = assemble_sampled((0..subscribers).map(strategy).collect(), &bench.clock, 1);
    let mut consumers = std::mem::take(&mut stages.consumers);
    sweep(&mut consumers); // starts them
    let clock = bench.clock.clone();
    let done = bench.partner.run(move || {
        let mut passes_ns = Vec::with_capacity(1 << 20);
        let (mut last_ns, mut had_work) = (clock.now_ns(), true);
        while !consumers.iter().all(|consumer| consumer.is_done()) {
            let work = sweep(&mut consumers);
            let now_ns = clock.now_ns();
            if work == 0 && !had_work && passes_ns.len() < passes_ns.capacity() {
                passes_ns.push(now_ns - last_ns);
            }
            had_work = work > 0;
            last_ns = now_ns;
            spin_loop();
        }
        median(passes_ns)
    });
    let start_ns = bench.clock.now_ns() + 1_000_000;
    let mut parts: [Vec<u64>; 3] = Default::default();
    let mut stamps = Vec::new();
    for number in 0..EVENTS as u64 {
        let due_ns = start_ns + number * 1_000_000_000 / RATE_PER_S;
        while bench.clock.now_ns() < due_ns {
            stages.dispatcher.duty_cycle();
        }
        assert!(stages.link.try_publish(&quote(number, due_ns)).is_ok(), "one at a time");
        let from_ns = bench.clock.now_ns();
        stages.dispatcher.duty_cycle();
        stamps.push(from_ns);
        parts[0].push(bench.clock.now_ns() - from_ns);
    }
    while seen.entered[EVENTS - 1][1].load(Ordering::Acquire) == 0 {}
    stages.stop.raise(Phase::Halted);
    let pass_ns = done.wait();
    for (number, from_ns) in stamps.into_iter().enumerate() {
        let [first_ns, last_ns] = [0, 1].map(|at| seen.entered[number][at].load(Ordering::Acquire));
        parts[1].push(first_ns.saturating_sub(from_ns));
        parts[2].push(last_ns.saturating_sub(first_ns));
    }
    let [published, first, between] = parts.map(median);
    [published, first, between, pass_ns]
}

fn median(mut values: Vec<u64>) -> f64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0) as f64
}
