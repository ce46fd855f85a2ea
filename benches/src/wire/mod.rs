//! The pipeline race: a `bookTicker` frame's bytes to a strategy's callback, and on to an order's
//! bytes.
//!
//! Both sides get the same frames at the same pace on the same two cores: venue and fan-out on the
//! first, ten strategies on the second, one of which answers each quote with an order. Clocks start
//! when the frame's bytes are there and stop in the last callback, and when the order's bytes are
//! ready.

mod afternoon;
mod frames;
mod order_text;
mod ours;

use std::process::ExitCode;

use clap::Parser;
use pitlane_engine::runtime::Clock;

use crate::crossing::{Crossing, State};
use crate::paced::quantile_ns;
use crate::pairing::{Sample, median, ratio};
use crate::partner::Partner;

/// Strategies, all on the second core.
pub(crate) const CONSUMERS: usize = 10;

/// Races wire to callback and tick to order against an ordinary pipeline.
#[derive(Debug, Parser)]
#[command(name = "pipeline", version)]
struct Options {
    /// Rounds.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Frames a second.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Frames of a run.
    #[arg(long, default_value_t = 2_000)]
    frames: usize,
}

/// The load of one run.
pub(crate) struct Run<'r> {
    /// The second core.
    pub(crate) partner: &'r Partner,
    /// The clock of both.
    pub(crate) clock: &'r Clock,
    /// Frames, sent one after the other and from the start again.
    pub(crate) frames: &'r [Vec<u8>],
    /// How many are sent.
    pub(crate) count: usize,
    /// Frames a second.
    pub(crate) rate_per_s: u64,
}

/// What one run gave, ns, ascending.
pub(crate) struct Latencies {
    /// Bytes there to the first strategy's callback.
    pub(crate) first_ns: Vec<u64>,
    /// Bytes there to the last strategy's callback.
    pub(crate) last_ns: Vec<u64>,
    /// Bytes there to the order's bytes ready.
    pub(crate) order_ns: Vec<u64>,
}

impl Run<'_> {
    /// When a frame is due.
    pub(crate) fn due_ns(&self, start_ns: u64, index: usize) -> u64 {
        start_ns + index as u64 * 1_000_000_000 / self.rate_per_s
    }
}

/// The command line of the binary `pipeline`.
#[must_use]
pub fn main() -> ExitCode {
    match race(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("pipeline: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn race(options: &Options) -> Result<(), String> {
    let partner = Partner::start()?;
    let clock = Clock::start();
    let (frames, source) = frames::load()?;
    crate::machine::header().iter().for_each(|line| println!("{line}"));
    println!("frames: {} of {source}", frames.len());
    let run = Run {
        partner: &partner,
        clock: &clock,
        frames: &frames,
        count: options.frames,
        rate_per_s: options.rate,
    };
    let sides: [Side; 2] =
        [("pitlane", ours::run), ("serde_json + crossbeam + Arc", afternoon::run)];
    let mut samples = vec![vec![Vec::new(); sides.len()]; METRICS.len()];
    for round in 0..options.rounds {
        let mut before = Crossing::measure(&partner).state();
        for place in 0..sides.len() {
            let side = (place + round) % sides.len();
            let latencies = (sides[side].1)(&run);
            let after = Crossing::measure(&partner).state();
            let state = (before == after).then_some(before);
            for (metric, (_, of, quantile)) in METRICS.iter().enumerate() {
                let value = quantile_ns(of(&latencies), *quantile) as f64;
                samples[metric][side].push(Sample { round, state, value });
            }
            before = after;
        }
    }
    print(&sides.map(|(name, _)| name), &samples);
    Ok(())
}

type Side = (&'static str, fn(&Run<'_>) -> Latencies);

type Metric = (&'static str, fn(&Latencies) -> &Vec<u64>, f64);

const METRICS: [Metric; 6] = [
    ("wire to first callback, p50 ns", |l| &l.first_ns, 0.5),
    ("wire to first callback, p90 ns", |l| &l.first_ns, 0.9),
    ("wire to last of 10 callbacks, p50 ns", |l| &l.last_ns, 0.5),
    ("wire to last of 10 callbacks, p90 ns", |l| &l.last_ns, 0.9),
    ("wire to order bytes, p50 ns", |l| &l.order_ns, 0.5),
    ("wire to order bytes, p90 ns", |l| &l.order_ns, 0.9),
];

fn print(sides: &[&str; 2], samples: &[Vec<Vec<Sample>>]) {
    for state in [State::Near, State::Far] {
        for ((name, ..), by_side) in METRICS.iter().zip(samples) {
            let values: Vec<Option<f64>> =
                by_side.iter().map(|samples| median(samples, state)).collect();
            let [Some(ours), Some(theirs)] = values[..] else { continue };
            print!("cores {:4} {name:38} ", state.name());
            print!("{} {ours:8.0}   {} {theirs:8.0}   ", sides[0], sides[1]);
            match ratio(&by_side[1], &by_side[0], state) {
                Some(ratio) => println!(
                    "{:.2} times faster ({:.2}-{:.2}, {} pairs)",
                    ratio.median, ratio.low, ratio.high, ratio.pairs
                ),
                None => println!("too few pairs"),
            }
        }
    }
}
