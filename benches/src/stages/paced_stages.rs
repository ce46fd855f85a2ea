//! Link to callback on a schedule, ten consumers on one core, beside bare rings in the same rounds.
//!
//! The stages stamp, route, count, contain and time every callback; the bare rings hand over a
//! record.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use pitlane_engine::event::Event;
use pitlane_engine::runtime::{Agent, Clock, Phase};
use pitlane_engine::testing::sweep;

use super::quotes::{assemble, consumer, quote};
use super::{Bench, Job, print};
use crate::contender::{Contender, Form};
use crate::lanes::Lanes;
use crate::load::Load128;
use crate::paced::{PacedOptions, quantile_ns, run};
use crate::rivals::{Crossbeam, DisruptorRings};

const CONSUMERS: usize = 10;
const EVENTS: u64 = 2_000;

/// What the consumers of one run note.
struct Noted {
    missing: Vec<AtomicU32>,
    last_ns: Vec<AtomicU64>,
    complete: AtomicU64,
}

/// Prints p50 by rate.
pub(crate) fn section(bench: &Bench) {
    for rate_per_s in [10_000, 100_000] {
        let mut jobs: Vec<Job> = vec![
            ("pitlane stages, link to callback".to_owned(), Box::new(move |b| p50(b, rate_per_s))),
            ("pitlane lanes".to_owned(), Box::new(move |b| bare::<Lanes>(b, rate_per_s))),
            (
                "disruptor, ring each".to_owned(),
                Box::new(move |b| bare::<DisruptorRings>(b, rate_per_s)),
            ),
            ("crossbeam-channel".to_owned(), Box::new(move |b| bare::<Crossbeam>(b, rate_per_s))),
        ];
        let rows = bench.interleave(&mut jobs);
        print(&format!("last of 10 handled, {rate_per_s}/s"), "p50 ns", &rows);
    }
}

fn duration(rate_per_s: u64) -> Duration {
    Duration::from_secs_f64(EVENTS as f64 / rate_per_s as f64)
}

fn bare<C: Contender<Load128>>(bench: &Bench, rate_per_s: u64) -> f64
where
    C::Receiver: 'static,
{
    let options = PacedOptions {
        consumers: CONSUMERS,
        capacity: 2_048,
        form: Form::OneByOne,
        rate_per_s,
        duration: duration(rate_per_s),
    };
    quantile_ns(&run::<Load128, C>(&bench.partner, &bench.clock, options).last_ns, 0.5) as f64
}

fn note(noted: &Noted, clock: &Clock, event: &Event) {
    let number = event.sequence as usize;
    let missing = noted.missing[number].load(Ordering::Relaxed) - 1;
    noted.missing[number].store(missing, Ordering::Relaxed);
    if missing == 0 {
        let ns = clock.now_ns().saturating_sub(event.receive_ns);
        noted.last_ns[number].store(ns, Ordering::Relaxed);
        let complete = noted.complete.load(Ordering::Relaxed) + 1;
        noted.complete.store(complete, Ordering::Release);
    }
}

fn p50(bench: &Bench, rate_per_s: u64) -> f64 {
    let noted = Arc::new(Noted {
        missing: (0..EVENTS).map(|_| AtomicU32::new(CONSUMERS as u32)).collect(),
        last_ns: (0..EVENTS).map(|_| AtomicU64::new(0)).collect(),
        complete: AtomicU64::new(0),
    });
    let strategy = |_| {
        let (noted, clock) = (Arc::clone(&noted), bench.clock.clone());
        consumer(move |event| note(&noted, &clock, event))
    };
    let mut stages = assemble((0..CONSUMERS).map(strategy).collect(), &bench.clock);
    let mut consumers = std::mem::take(&mut stages.consumers);
    let done = bench.partner.run(move || {
        while !consumers.iter().all(|consumer| consumer.is_done()) {
            if sweep(&mut consumers) == 0 {
                spin_loop();
            }
        }
    });
    let start_ns = bench.clock.now_ns() + 100_000;
    let due_at = |number: u64| start_ns + number * 1_000_000_000 / rate_per_s;
    let mut next = 0;
    while noted.complete.load(Ordering::Acquire) < EVENTS {
        while next < EVENTS && due_at(next) <= bench.clock.now_ns() {
            if stages.link.try_publish(&quote(next, due_at(next))).is_err() {
                break;
            }
            next += 1;
        }
        stages.dispatcher.duty_cycle();
    }
    stages.stop.raise(Phase::Halted);
    done.wait();
    let read = |ns: &AtomicU64| ns.load(Ordering::Relaxed);
    let mut last_ns: Vec<u64> = noted.last_ns.iter().map(read).collect();
    last_ns.sort_unstable();
    quantile_ns(&last_ns, 0.5) as f64
}
