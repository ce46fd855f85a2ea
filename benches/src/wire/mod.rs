//! The pipeline race: a `bookTicker` frame's bytes to a strategy's callback, and on to an order's
//! bytes.
//!
//! Both sides get the same frames at the same pace on the same two cores: venue and fan-out on the
//! first, ten strategies on the second, one of which answers each quote with an order. Clocks start
//! when the frame's bytes are there and stop in the last callback, and when the order's bytes are
//! ready.
//!
//! In each round the limit runs as well: the adapter and one lane a strategy, with nothing between.
//!
//! A package outside this workspace can bring the other side: [`race_against`] runs it in the same
//! race, and `benches/peer` does so with a published crate.

mod afternoon;
mod bare;
mod frames;
mod order_text;
mod ours;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use pitlane_engine::runtime::Clock;

use crate::crossing::{Crossing, State};
use crate::paced::quantile_ns;
use crate::pairing::{Sample, median, ratio};

pub use self::frames::symbols;
pub use crate::partner::{Partner, Pending};

/// Strategies, all on the second core.
pub const CONSUMERS: usize = 10;

/// Races wire to callback and tick to order against another pipeline.
#[derive(Debug, Parser)]
#[command(version)]
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
pub struct Run<'r> {
    /// The second core.
    pub partner: &'r Partner,
    /// The clock of both.
    pub clock: &'r Clock,
    /// `bookTicker` frames of a combined stream, sent one after the other and from the start again.
    pub frames: &'r [Vec<u8>],
    /// How many are sent.
    pub count: usize,
    /// Frames a second.
    pub rate_per_s: u64,
}

/// What one run gave, ns, ascending.
pub struct Latencies {
    first_ns: Vec<u64>,
    last_ns: Vec<u64>,
    order_ns: Vec<u64>,
}

impl Latencies {
    /// Takes the latencies of a run in any order, ns: from the moment at which a frame's bytes are
    /// there to the first strategy's callback, to the last one's, and until the order's bytes are
    /// ready. `order_ns` is empty for a side that sends no orders; then the race has no such
    /// figure.
    #[must_use]
    pub fn new(mut first_ns: Vec<u64>, mut last_ns: Vec<u64>, mut order_ns: Vec<u64>) -> Latencies {
        for latencies_ns in [&mut first_ns, &mut last_ns, &mut order_ns] {
            latencies_ns.sort_unstable();
        }
        Latencies { first_ns, last_ns, order_ns }
    }
}

impl Run<'_> {
    /// When frame number `index` is due, ns, if the first is due at `start_ns`.
    #[must_use]
    pub fn due_ns(&self, start_ns: u64, index: usize) -> u64 {
        start_ns + index as u64 * 1_000_000_000 / self.rate_per_s
    }
}

/// The time once everything read so far is there, ns: to be called by a strategy that has looked at
/// its event. The counter alone may be read while the event's lines are still on their way, which
/// flatters whoever looks at least.
#[must_use]
#[inline]
pub fn arrived_ns(clock: &Clock) -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction is part of SSE2, which every x86-64 has. There is no safe way to wait
    // for loads (measured: without it, the limit's first callback seemed 100 ns sooner).
    unsafe {
        std::arch::x86_64::_mm_lfence();
    }
    clock.now_ns()
}

/// The command line of the binary `pipeline`.
#[must_use]
pub fn main() -> ExitCode {
    race_against("pipeline", "serde_json + crossbeam + Arc", afternoon::run)
}

/// Parses the command line of the binary `program` and races our side against `side`, which the
/// output calls `name`.
///
/// `side` runs the frames of one run from start to end. It is called on the first core and runs its
/// strategies on the second ([`Run::partner`]). It has to panic when a strategy has missed a frame:
/// loss is no way to be fast.
#[must_use]
pub fn race_against(
    program: &'static str,
    name: &'static str,
    side: fn(&Run<'_>) -> Latencies,
) -> ExitCode {
    let matches = Options::command().name(program).get_matches();
    let options = Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match race(&options, (name, side)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{program}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn race(options: &Options, other: Side) -> Result<(), String> {
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
    let sides: [Side; 3] = [("pitlane", ours::run), ("adapter + bare lanes", bare::run), other];
    let mut samples = vec![vec![Vec::new(); sides.len()]; METRICS.len()];
    for round in 0..options.rounds {
        let mut before = Crossing::measure(&partner).state();
        for place in 0..sides.len() {
            let side = (place + round) % sides.len();
            let latencies = (sides[side].1)(&run);
            let after = Crossing::measure(&partner).state();
            let state = (before == after).then_some(before);
            for (metric, (_, of, quantile)) in METRICS.iter().enumerate() {
                if of(&latencies).is_empty() {
                    continue;
                }
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

fn print(sides: &[&str; 3], samples: &[Vec<Vec<Sample>>]) {
    for state in [State::Near, State::Far] {
        for ((metric, ..), by_side) in METRICS.iter().zip(samples) {
            let Some(ours) = median(&by_side[0], state) else { continue };
            println!("cores {:4} {metric:38} {} {ours:8.0}", state.name(), sides[0]);
            for (name, theirs) in sides.iter().zip(by_side).skip(1) {
                let Some(value) = median(theirs, state) else { continue };
                print!("           {name:>44} {value:8.0}   ");
                match ratio(theirs, &by_side[0], state) {
                    Some(ratio) => println!(
                        "takes {:.2} times as long ({:.2}-{:.2}, {} pairs)",
                        ratio.median, ratio.low, ratio.high, ratio.pairs
                    ),
                    None => println!("too few pairs"),
                }
            }
        }
    }
}
