//! The stages race: the real orchestrator, dispatcher and consumer wrappers, driven duty cycle by
//! duty cycle on two pinned cores.

mod added;
mod burn;
mod decode;
mod fan_out;
mod flips;
mod ordering;
mod orders;
mod paced_stages;
mod quotes;
mod record;
mod recorded;
mod recovery;
mod subscribers;
mod tls;

use std::process::ExitCode;

use clap::Parser;
use pitlane_engine::runtime::Clock;

pub(crate) use quotes::{assemble, consumer, instruments, quote};

use crate::crossing::{Crossing, State};
use crate::pairing::{Sample, median, ratio};
use crate::partner::Partner;

/// Measures the dispatcher and the whole way from link to callback.
#[derive(Debug, Parser)]
#[command(name = "stages", version)]
struct Options {
    /// Only sections whose name contains this: dispatcher, added, paced, subscribers, burn,
    /// record, orders, decode, tls, recovery, merging,
    /// flips.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Rounds of each section.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// What every section needs.
pub(crate) struct Bench {
    /// The second core.
    pub(crate) partner: Partner,
    /// The clock of both.
    pub(crate) clock: Clock,
    /// Rounds of a section.
    pub(crate) rounds: usize,
}

/// What runs once a round, by name.
pub(crate) type Job = (String, Box<dyn FnMut(&Bench) -> f64>);

type Section = (&'static str, fn(&Bench));

/// A row of figures under one name.
pub(crate) struct Row {
    /// What it is.
    pub(crate) name: String,
    /// One sample a round.
    pub(crate) samples: Vec<Sample>,
}

impl Bench {
    /// Runs every job once a round, in changing order, each between two looks at the machine.
    pub(crate) fn interleave(&self, jobs: &mut [Job]) -> Vec<Row> {
        let mut rows: Vec<Row> =
            jobs.iter().map(|(name, _)| Row { name: name.clone(), samples: Vec::new() }).collect();
        for round in 0..self.rounds {
            let mut before = Crossing::measure(&self.partner).state();
            for place in 0..jobs.len() {
                let index = (place + round) % jobs.len();
                let value = jobs[index].1(self);
                let after = Crossing::measure(&self.partner).state();
                let state = (before == after).then_some(before);
                rows[index].samples.push(Sample { round, state, value });
                before = after;
            }
        }
        rows
    }
}

/// Prints the medians, and the ratios of the first row to each.
pub(crate) fn print(title: &str, unit: &str, rows: &[Row]) {
    for state in [State::Near, State::Far] {
        if rows.iter().all(|row| median(&row.samples, state).is_none()) {
            continue;
        }
        println!("\n{title}, cores {} [{unit}]", state.name());
        for row in rows {
            let Some(value) = median(&row.samples, state) else { continue };
            print!("  {:44} {value:12.2}", row.name);
            match ratio(&rows[0].samples, &row.samples, state) {
                Some(ratio) => println!(
                    "   first/it {:.2} ({:.2}-{:.2}, {} pairs)",
                    ratio.median, ratio.low, ratio.high, ratio.pairs
                ),
                None => println!("   too few pairs"),
            }
        }
    }
}

/// The command line of the binary `stages`.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let partner = match Partner::start() {
        Ok(partner) => partner,
        Err(problem) => {
            eprintln!("stages: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let bench = Bench { partner, clock: Clock::start(), rounds: options.rounds };
    crate::machine::header().iter().for_each(|line| println!("{line}"));
    let sections: [Section; 12] = [
        ("dispatcher", fan_out::section),
        ("added", added::section),
        ("paced", paced_stages::section),
        ("subscribers", subscribers::section),
        ("burn", burn::section),
        ("record", record::section),
        ("orders", orders::section),
        ("decode", decode::section),
        ("tls", tls::section),
        ("recovery", recovery::section),
        ("merging", ordering::section),
        ("flips", flips::section),
    ];
    for (_, run) in sections.iter().filter(|(name, _)| name.contains(&options.only)) {
        run(&bench);
    }
    ExitCode::SUCCESS
}
