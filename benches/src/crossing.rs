//! What it costs to move a cache line from one core to the other, right now.
//!
//! On a virtual host the two cores may be neighbours in one second and on different dies in the
//! next, and every figure of a race moves with it. So each run is put between two of these
//! measurements, and only runs of one state are compared.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::partner::Partner;

/// Round trips of one measurement.
const ROUNDS: u64 = 2_000;
/// Measurements of which the median counts.
const REPEATS: usize = 5;
/// Crossings faster than this are those of neighbours.
const NEAR_BELOW_NS: f64 = 130.0;

/// Where the two cores are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// A line crosses in some ten nanoseconds.
    Near,
    /// A line crosses in some hundred nanoseconds.
    Far,
}

impl State {
    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Near => "near",
            State::Far => "far",
        }
    }
}

/// One crossing of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crossing {
    /// One way, ns.
    pub(crate) ns: f64,
}

impl Crossing {
    /// Bounces a line between the two cores.
    pub(crate) fn measure(partner: &Partner) -> Crossing {
        let ball = Arc::new(CachePadded::new(AtomicU64::new(0)));
        let theirs = Arc::clone(&ball);
        let last = ROUNDS * REPEATS as u64;
        let echo = partner.run(move || {
            for round in 0..last {
                while theirs.load(Ordering::Acquire) != 2 * round + 1 {
                    spin_loop();
                }
                theirs.store(2 * round + 2, Ordering::Release);
            }
        });
        let mut samples = Vec::with_capacity(REPEATS);
        for repeat in 0..REPEATS as u64 {
            let started = Instant::now();
            for round in repeat * ROUNDS..(repeat + 1) * ROUNDS {
                ball.store(2 * round + 1, Ordering::Release);
                while ball.load(Ordering::Acquire) != 2 * round + 2 {
                    spin_loop();
                }
            }
            samples.push(started.elapsed().as_nanos() as f64 / (2 * ROUNDS) as f64);
        }
        echo.wait();
        samples.sort_by(f64::total_cmp);
        Crossing { ns: samples[REPEATS / 2] }
    }

    /// The state of the machine.
    pub(crate) fn state(self) -> State {
        if self.ns < NEAR_BELOW_NS { State::Near } else { State::Far }
    }
}
