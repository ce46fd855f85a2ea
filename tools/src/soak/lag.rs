//! A consumer that records how late each event reached it, readable while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::event::Event;

use crate::verify::{Testimony, Witness};

/// Bits of a value that are told apart below its highest: 16 steps an octave, 6 % wide at most.
const STEP_BITS: u32 = 4;
const BUCKETS: usize = 64 << STEP_BITS;

/// Counts of delays by size. One writer, any number of readers.
pub(super) struct Lags(Box<[AtomicU64]>);

impl Default for Lags {
    fn default() -> Lags {
        Lags((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Lags {
    fn record(&self, ns: u64) {
        let bucket = &self.0[bucket_of(ns)];
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Adds the counts to `sums`, which has a place for each bucket.
    pub(super) fn add_to(&self, sums: &mut [u64]) {
        for (sum, count) in sums.iter_mut().zip(&self.0) {
            *sum += count.load(Ordering::Relaxed);
        }
    }
}

/// Sums of no bucket yet.
pub(super) fn no_sums() -> Vec<u64> {
    vec![0; BUCKETS]
}

/// The delay, ns, that `per_mille` of what came between two sums did not exceed, to 6 %; 0 for
/// nothing.
pub(super) fn quantile_ns(before: &[u64], after: &[u64], per_mille: u64) -> u64 {
    let counts = || after.iter().zip(before).map(|(after, before)| after - before);
    let total: u64 = counts().sum();
    let wanted = (total * per_mille).div_ceil(1_000);
    let mut seen = 0;
    for (bucket, count) in counts().enumerate() {
        seen += count;
        if count > 0 && seen >= wanted {
            return highest_of(bucket);
        }
    }
    0
}

fn bucket_of(ns: u64) -> usize {
    let octave = (ns | 1).ilog2();
    if octave < STEP_BITS {
        return ns as usize;
    }
    let step = (ns >> (octave - STEP_BITS)) as usize & ((1 << STEP_BITS) - 1);
    (((octave - STEP_BITS + 1) as usize) << STEP_BITS) + step
}

/// The highest value that falls into a bucket.
fn highest_of(bucket: usize) -> u64 {
    let (octave, step) = (bucket >> STEP_BITS, (bucket & ((1 << STEP_BITS) - 1)) as u64);
    if octave == 0 {
        return step;
    }
    let shift = octave as u32 - 1;
    ((1 << STEP_BITS) + step) << shift | ((1 << shift) - 1)
}

/// A [`Witness`] that also records delays: from when an event was due to its callback.
pub(super) struct LagWitness {
    witness: Witness,
    lags: Arc<Lags>,
}

impl LagWitness {
    pub(super) fn new(testimony: Arc<Testimony>, lags: Arc<Lags>) -> LagWitness {
        LagWitness { witness: Witness::new(testimony), lags }
    }
}

impl Strategy for LagWitness {
    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        self.lags.record(ctx.now_ns().saturating_sub(event.receive_ns));
        self.witness.on_event(event, ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bucket_whose_bounds_hold_it() {
        let mut last = 0;
        for shift in 0..64 {
            for value in [1_u64 << shift, (1 << shift) + (1 << shift) / 3, (1 << shift) - 1] {
                let bucket = bucket_of(value);
                assert!(bucket < BUCKETS && highest_of(bucket) >= value, "{value}");
                assert!(highest_of(bucket) - value <= value / 16, "{value}");
            }
            assert!(bucket_of(1 << shift) >= last);
            last = bucket_of(1 << shift);
        }
    }

    #[test]
    fn quantiles_are_of_what_came_between_two_readings() {
        let lags = Lags::default();
        (0..100).for_each(|_| lags.record(1_000_000));
        let mut before = no_sums();
        lags.add_to(&mut before);
        (1..=100).for_each(|value| lags.record(value * 1_000));
        let mut after = no_sums();
        lags.add_to(&mut after);
        let p99 = quantile_ns(&before, &after, 990);
        assert!((99_000..=106_000).contains(&p99), "{p99}");
        assert_eq!(quantile_ns(&after, &after, 990), 0);
    }
}
