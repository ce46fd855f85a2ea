//! The whole engine on one thread, in virtual time: one seed is one run, to the byte.

mod account_stream;
mod bad_days;
mod clock_steps;
mod faults;
mod heard;
mod hostile_starts;
mod instruments;
mod limits;
mod on_record;
mod once;
mod orders;
mod replayed;
mod restarts;
mod rollover;
mod shared_address;
mod slow_streams;

use std::time::Instant;

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::world::{NetConditions, NetTotals};
use pitlane_engine::{LaunchOptions, OneThreadEngine, OneThreadOptions, launch_one_thread};

use heard::{Heard, registry};

const SECOND_NS: u64 = 1_000_000_000;

fn config() -> Config {
    let mut config = Config::default_run();
    config.simulated.events_per_s = 2_000;
    config.consumers = ["noop", "momentum", "market_maker"].map(ConsumerConfig::of_strategy).into();
    config
}

/// What is compared of two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outcome {
    heard: u64,
    calls: u64,
    net: NetTotals,
    cycles: u64,
}

fn engine(heard: &Heard, seed: u64, reads_real_time: bool) -> OneThreadEngine {
    let conditions = NetConditions { split_ppm: 20_000, ..NetConditions::default() };
    let options = OneThreadOptions { seed, conditions, ..OneThreadOptions::default() };
    let registry = registry(heard, reads_real_time);
    launch_one_thread(&config(), &registry, &LaunchOptions::default(), options).unwrap()
}

/// Ten seconds of trading and an orderly stop.
fn run(seed: u64, reads_real_time: bool) -> Outcome {
    let heard = Heard::default();
    let mut engine = engine(&heard, seed, reads_real_time);
    let started = Instant::now();
    engine.run_ns(10 * SECOND_NS);
    let took = started.elapsed();
    let (net, cycles) = (engine.net_totals(), engine.cycles());
    let behind = engine.stop(10 * SECOND_NS);
    assert!(behind.is_empty(), "seed {seed}: {behind:?} did not end");
    let report = engine.finish();
    assert!(report.identity_holds, "seed {seed}: {report:?}");
    let notes = heard.notes();
    let outcome = Outcome { heard: notes.hash, calls: notes.calls, net, cycles };
    println!("seed {seed}: 10 s in {took:?}: {outcome:?}");
    outcome
}

#[test]
fn a_seed_is_a_run_to_the_byte() {
    let first = run(1, false);
    assert!(first.calls > 20_000 && first.net.bytes > 1_000_000 && first.net.splits > 10);
    assert_eq!(first, run(1, false));
    let other = run(2, false);
    assert_ne!((first.heard, first.net.hash), (other.heard, other.net.hash));
}

#[test]
fn a_planted_look_at_real_time_is_noticed() {
    assert_ne!(run(3, true).heard, run(3, true).heard);
}

#[test]
fn two_engines_of_one_process_are_what_each_is_alone() {
    let (heard, other_heard) = (Heard::default(), Heard::default());
    let (mut one, mut other) = (engine(&heard, 4, false), engine(&other_heard, 5, false));
    for _ in 0..100 {
        one.run_ns(SECOND_NS / 100);
        other.run_ns(SECOND_NS / 100);
    }
    let of = |heard: &Heard, engine: OneThreadEngine| {
        (heard.notes().hash, engine.net_totals(), engine.finish().events_published)
    };
    let (one, other) = (of(&heard, one), of(&other_heard, other));
    assert_ne!(one, other);
    let alone = |seed| {
        let heard = Heard::default();
        let mut engine = engine(&heard, seed, false);
        (0..100).for_each(|_| engine.run_ns(SECOND_NS / 100));
        of(&heard, engine)
    };
    assert!(one.2 > 1_000);
    assert_eq!((one, other), (alone(4), alone(5)));
}
