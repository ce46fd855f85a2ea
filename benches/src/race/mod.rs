//! The race of fan-outs: the same records, the same two cores, everything interleaved in one
//! process.

mod cell;
mod entrant;
mod plan;
mod plot;
mod report;
mod runner;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use cell::RaceCell;
use report::Report;
use runner::Runner;

/// Races Pitlane's lanes against other crates on two cores of this machine.
#[derive(Debug, Parser)]
#[command(name = "race", version)]
struct Options {
    /// Every combination of consumers, bytes and rates, instead of a representative set.
    #[arg(long)]
    full: bool,
    /// Only cells whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Lists the cells and ends.
    #[arg(long)]
    list: bool,
    /// Rounds of each cell; a ratio needs five pairs of runs in one state of the machine.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Directory for `race.csv` and `race.svg`.
    #[arg(long, value_name = "DIR", default_value = "target/race")]
    out: PathBuf,
}

/// The command line of the binary `race`.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let only = options.only.as_deref().unwrap_or_default();
    let mut cells = if options.full { plan::full() } else { plan::representative() };
    cells.retain(|cell| cell.name().contains(only));
    if options.list {
        cells.iter().for_each(|cell| println!("{}", cell.name()));
        return ExitCode::SUCCESS;
    }
    match race(&cells, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("race: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn race(cells: &[RaceCell], options: &Options) -> Result<(), String> {
    if cells.is_empty() {
        return Err("no cell has that name; --list shows them".to_owned());
    }
    let runner = Runner::start(options.rounds)?;
    let mut report = Report::default();
    crate::machine::header().iter().for_each(|line| println!("{line}"));
    for cell in cells {
        let results = runner.run(cell);
        results.print();
        report.add(results);
    }
    std::fs::create_dir_all(&options.out).map_err(|error| error.to_string())?;
    let (csv, svg) = (options.out.join("race.csv"), options.out.join("race.svg"));
    std::fs::write(&csv, report.csv()).map_err(|error| error.to_string())?;
    plot::write(&report, &svg)?;
    println!("\n{}\n{}", csv.display(), svg.display());
    Ok(())
}
