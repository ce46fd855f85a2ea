//! What merging and stream order cost an event, one core.

use pitlane_engine::testing::{BareMerger, BareSequencer};

use super::{Bench, Job, print};

/// Events of one sample.
const EVENTS: u64 = 2_000_000;

/// Prints the time of one event.
pub(crate) fn section(bench: &Bench) {
    let mut jobs: Vec<Job> = Vec::new();
    for (name, has_rule) in
        [("quote past the merger", false), ("quote of three venues merged", true)]
    {
        let mut merger = BareMerger::new(has_rule);
        jobs.push(job(name, move |number| merger.offer(number)));
    }
    for (name, is_ordered) in [("trade of no order", false), ("trade that comes in order", true)] {
        let mut sequencer = BareSequencer::new(is_ordered);
        jobs.push(job(name, move |number| sequencer.admit(number)));
    }
    print("merging and stream order", "ns each", &bench.interleave(&mut jobs));
}

/// A job that goes on with the numbers where its last sample ended.
fn job(name: &str, mut step: impl FnMut(u64) -> u64 + 'static) -> Job {
    let mut first = 0;
    let run = move |bench: &Bench| {
        let from_ns = bench.clock.now_ns();
        let mut came = 0;
        for number in first..first + EVENTS {
            came += step(std::hint::black_box(number));
        }
        std::hint::black_box(came);
        first += EVENTS;
        (bench.clock.now_ns() - from_ns) as f64 / EVENTS as f64
    };
    (name.to_owned(), Box::new(run))
}
