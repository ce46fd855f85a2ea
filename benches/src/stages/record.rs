//! What recording a latency costs the thread that records: at most 10 ns a sample.

use std::hint::black_box;
use std::time::Instant;

use pitlane_engine::event::Event;
use pitlane_engine::telemetry::{Asks, ConsumerProbe, Probe};

use super::quotes::quote;
use super::{Bench, Job, print};

/// Samples of a round.
const SAMPLES: usize = 1_000_000;

/// Different latencies: more than the counts that stay in the first-level cache.
const VALUES: usize = 4_096;

/// Fan-out samples that find room between two swaps.
const KEPT: usize = 16_384;

/// Prints nanoseconds for each sample, without the loop around it.
pub(crate) fn section(bench: &Bench) {
    let mut jobs: Vec<Job> = vec![
        ("Probe::record".to_owned(), Box::new(|_| per_sample(record()))),
        ("Probe::record, one value".to_owned(), Box::new(|_| per_sample(record_one()))),
        ("ConsumerProbe::handled, a third of it".to_owned(), Box::new(|_| handled() / 3.0)),
        ("ConsumerProbe::handled, whole".to_owned(), Box::new(|_| handled())),
        ("the same with a fan-out sample, new memory".to_owned(), Box::new(|_| sampled())),
    ];
    let rows = bench.interleave(&mut jobs);
    print("recording a latency", "ns a sample", &rows);
}

/// Latencies of 200 ns to 3 ms, most of them short, from a seed.
fn values() -> Vec<u64> {
    let mut state = 7_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..VALUES).map(|_| (200 + next() % 800) << (next() % 64).min(next() % 13)).collect()
}

/// Runs `job` for each sample, in ns in all; and the loop without it.
fn timed(values: &[u64], count: usize, mut job: impl FnMut(u64)) -> f64 {
    let started = Instant::now();
    for index in 0..count {
        job(black_box(values[index % VALUES]));
    }
    started.elapsed().as_nanos() as f64
}

/// Nanoseconds of a sample of a job that took `ns`, without the loop.
fn per_sample(ns: f64) -> f64 {
    let values = values();
    let mut sum = 0_u64;
    let bare_ns = timed(&values, SAMPLES, |value| sum = sum.wrapping_add(value));
    black_box(sum);
    (ns - bare_ns) / SAMPLES as f64
}

fn record() -> f64 {
    let (mut probe, values) = (Probe::new(vec!["dispatch".into()]), values());
    let ns = timed(&values, SAMPLES, |value| probe.record(0, value));
    assert_eq!(probe.into_set().histograms[0].len(), SAMPLES as u64);
    ns
}

fn record_one() -> f64 {
    let (mut probe, values) = (Probe::new(vec!["dispatch".into()]), vec![1_000; VALUES]);
    let ns = timed(&values, SAMPLES, |value| probe.record(0, value));
    assert_eq!(probe.into_set().histograms[0].len(), SAMPLES as u64);
    ns
}

/// An event that was read at 0 and dispatched at 100 ns.
fn event() -> Event {
    let mut event = quote(1, 1);
    event.receive_ns = 0;
    event
}

fn handled() -> f64 {
    let (mut probe, values, event) =
        (ConsumerProbe::new("bench", 0, &Asks::default()), values(), event());
    per_sample(timed(&values, SAMPLES, |value| probe.handled(&event, value, value + 300)))
}

fn sampled() -> f64 {
    let (mut probe, values, event) =
        (ConsumerProbe::new("bench", 1, &Asks::default()), values(), event());
    let ns = timed(&values, KEPT, |value| probe.handled(&event, value, value + 300));
    assert_eq!(probe.into_set().samples_dropped, 0, "a sample found no room");
    ns / KEPT as f64
}
