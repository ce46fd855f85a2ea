//! SC-009: ten consumers whose callbacks burn 10 us of CPU each, over both cores; how much of two
//! whole cores goes into callbacks.
//!
//! The burn is calibrated on one core at its best moment. What both cores can do at once, right
//! now, is a contender of its own: the same burns in a bare loop on each.

use std::fs;
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pitlane_engine::consumer::ConsumerAgent;
use pitlane_engine::runtime::{Agent, Phase};
use pitlane_engine::testing::sweep;

use super::quotes::{assemble, consumer, quote};
use super::{Bench, Job, print};

const CONSUMERS: usize = 10;
const EVENTS: u64 = 1_000;
const BURN_NS: f64 = 10_000.0;

/// Prints the share.
pub(crate) fn section(bench: &Bench) {
    let turns = calibrate();
    let mut jobs: Vec<Job> = vec![
        (
            "in callbacks of 10 us".to_owned(),
            Box::new(move |bench| 100.0 * efficiency(bench, turns)),
        ),
        ("in a bare loop".to_owned(), Box::new(move |bench| 100.0 * ceiling(bench, turns))),
    ];
    let rows = bench.interleave(&mut jobs);
    print("parallel efficiency, 10 consumers on both cores", "% of two cores", &rows);
}

fn burn(turns: u64) {
    let mut value = 1_u64;
    for turn in 0..turns {
        value = black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(turn));
    }
}

/// CPU time of this thread, ns.
fn thread_cpu_ns() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// Turns of the loop that take 10 us of this thread's CPU time.
fn calibrate() -> u64 {
    const TURNS: u64 = 20_000_000;
    let per_turn = |_| {
        let before_ns = thread_cpu_ns();
        burn(TURNS);
        (thread_cpu_ns() - before_ns) as f64 / TURNS as f64
    };
    let fastest = (0..5).map(per_turn).fold(f64::INFINITY, f64::min);
    (BURN_NS / fastest) as u64
}

/// Both cores burn half of what the consumers burn, and do nothing else.
fn ceiling(bench: &Bench, turns: u64) -> f64 {
    let half = move || (0..EVENTS * CONSUMERS as u64 / 2).for_each(|_| burn(turns));
    let started = Instant::now();
    let done = bench.partner.run(half);
    half();
    done.wait();
    share(started)
}

/// Of two cores since `started`, what all the burns together take at their calibrated length.
fn share(started: Instant) -> f64 {
    EVENTS as f64 * CONSUMERS as f64 * BURN_NS / (2.0 * started.elapsed().as_nanos() as f64)
}

fn efficiency(bench: &Bench, turns: u64) -> f64 {
    let handled = Arc::new(AtomicU64::new(0));
    let strategy = |_| {
        let handled = Arc::clone(&handled);
        consumer(move |_| {
            burn(turns);
            handled.fetch_add(1, Ordering::Relaxed);
        })
    };
    let mut stages = assemble((0..CONSUMERS).map(strategy).collect(), &bench.clock);
    let mut theirs: Vec<ConsumerAgent> = stages.consumers.split_off(CONSUMERS / 2);
    let started = Instant::now();
    let done = bench.partner.run(move || {
        while !theirs.iter().all(|consumer| consumer.is_done()) {
            if sweep(&mut theirs) == 0 {
                spin_loop();
            }
        }
    });
    let mut next = 0;
    while handled.load(Ordering::Relaxed) < EVENTS * CONSUMERS as u64 {
        while next < EVENTS && stages.link.try_publish(&quote(next, 1)).is_ok() {
            next += 1;
        }
        stages.dispatcher.duty_cycle();
        sweep(&mut stages.consumers);
    }
    let share = share(started);
    stages.stop.raise(Phase::Halted);
    done.wait();
    share
}
