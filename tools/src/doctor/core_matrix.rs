//! How long one cache line takes from core to core: two pinned threads throw it back and forth.
//!
//! The loop waits with the processor's pause instruction, as the engine's spinning threads do, so
//! its length (10 to 50 ns on some) is in the figure.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use serde::Serialize;

use super::pinned::on_each;
use super::topology::{Distance, Topology};

/// Throws of one batch: short enough to end before a busy machine takes a core away.
const ROUNDS: u32 = 200;
/// Batches of a pair; the fastest counts, since all that disturbs only adds.
const BATCHES: u32 = 100;

/// The time between two cores.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pair {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) distance: Distance,
    /// One way, fastest batch.
    pub(crate) best_ns: u64,
    /// One way, middle batch.
    pub(crate) median_ns: u64,
}

/// All pairs of some cores.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CoreMatrix {
    pub(crate) cores: Vec<usize>,
    pub(crate) pairs: Vec<Pair>,
}

/// One counter on lines of its own: the neighbour line is fetched along on many processors.
#[repr(align(128))]
struct Ball(AtomicU32);

impl CoreMatrix {
    /// Measures every pair, one after the other: about 10 ms for a far pair.
    ///
    /// # Errors
    /// The system's error when it refuses a core.
    pub(crate) fn measure(cores: &[usize], topology: &Topology) -> io::Result<CoreMatrix> {
        let mut pairs = Vec::new();
        for (index, a) in cores.iter().enumerate() {
            for b in &cores[index + 1..] {
                let mut batches = ping_pong(*a, *b)?;
                batches.sort_unstable();
                pairs.push(Pair {
                    a: *a,
                    b: *b,
                    distance: topology.distance(*a, *b),
                    best_ns: batches[0],
                    median_ns: batches[batches.len() / 2],
                });
            }
        }
        Ok(CoreMatrix { cores: cores.to_vec(), pairs })
    }

    /// The pair of two cores, in either order.
    pub(crate) fn pair(&self, a: usize, b: usize) -> Option<&Pair> {
        self.pairs.iter().find(|pair| (pair.a, pair.b) == (a.min(b), a.max(b)))
    }

    /// Fastest, middle and slowest pair of each distance that occurs, near first, with their count.
    pub(crate) fn by_distance(&self) -> Vec<(Distance, usize, [u64; 3])> {
        let mut distances: Vec<Distance> = self.pairs.iter().map(|pair| pair.distance).collect();
        distances.sort_unstable();
        distances.dedup();
        let of = |distance: Distance| {
            let pairs = self.pairs.iter().filter(|pair| pair.distance == distance);
            let mut ns: Vec<u64> = pairs.map(|pair| pair.best_ns).collect();
            ns.sort_unstable();
            (distance, ns.len(), [ns[0], ns[ns.len() / 2], ns[ns.len() - 1]])
        };
        distances.into_iter().map(of).collect()
    }
}

/// One way in nanoseconds, for each batch.
fn ping_pong(a: usize, b: usize) -> io::Result<Vec<u64>> {
    let ball = Ball(AtomicU32::new(0));
    // Even values are the first thread's to answer, odd ones the second's.
    let throw = |mine: u32| {
        while ball.0.load(Ordering::Acquire) != mine {
            std::hint::spin_loop();
        }
        ball.0.store(mine + 1, Ordering::Release);
    };
    let batches = on_each(&[a, b], |side| {
        let side = u32::from(side == 1);
        (0..BATCHES)
            .map(|batch| {
                let start = Instant::now();
                (0..ROUNDS).for_each(|round| throw(2 * (batch * ROUNDS + round) + side));
                let ns = start.elapsed().as_nanos() / u128::from(2 * ROUNDS);
                u64::try_from(ns).unwrap_or(u64::MAX)
            })
            .collect::<Vec<u64>>()
    })?;
    Ok(batches.into_iter().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(a: usize, b: usize, distance: Distance, best_ns: u64) -> Pair {
        Pair { a, b, distance, best_ns, median_ns: best_ns }
    }

    #[test]
    fn pairs_are_found_in_either_order_and_summed_up_by_distance() {
        let pairs = vec![
            pair(0, 1, Distance::SameL3, 40),
            pair(0, 2, Distance::OtherNode, 200),
            pair(1, 2, Distance::SameL3, 60),
        ];
        let matrix = CoreMatrix { cores: vec![0, 1, 2], pairs };
        assert_eq!(matrix.pair(2, 0).unwrap().best_ns, 200);
        assert!(matrix.pair(1, 1).is_none());
        let expected =
            [(Distance::SameL3, 2, [40, 60, 60]), (Distance::OtherNode, 1, [200, 200, 200])];
        assert_eq!(matrix.by_distance(), expected);
    }
}
