//! `latency rates`: the latency table by offered rate, one line a run, as exchange-core publishes
//! it.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::cli::RatesArgs;
use super::console::Console;
use super::distribution::Distribution;
use super::error::{LogError, VerbError};
use super::line::printable;
use super::rate_text::rate_text;
use super::series::{Series, add_to, read};
use super::summary::wide_table;
use crate::exit::Exit;
use crate::table;

const PERCENTILES: [f64; 6] = [50.0, 90.0, 95.0, 99.0, 99.9, 99.99];

/// A run of the table.
struct Run {
    file: String,
    /// Events a second that were offered, where the run header tells.
    offered_per_s: Option<f64>,
    failed: bool,
    series: Series,
}

impl Run {
    fn rate_per_s(&self) -> f64 {
        self.offered_per_s.unwrap_or_else(|| self.series.rate_per_s())
    }
}

/// Runs `rates`.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &RatesArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let unit = args.show.unit;
    let mut runs = Vec::new();
    for file in logs_in(&args.dir)? {
        let mut series = Vec::new();
        let selection = args.range.of(args.tag.one());
        let log = read(&file, &selection, console, |reader, interval, _| {
            add_to(&mut series, reader, interval)
        })?;
        let offered_per_s = log.header().iter().find_map(|line| offered(line));
        let failed = file.ends_with(".FAIL.hlog");
        let series = series.into_iter().next();
        runs.extend(series.map(|series| Run { file, offered_per_s, failed, series }));
    }
    runs.sort_by(|a, b| a.rate_per_s().total_cmp(&b.rate_per_s()));
    if args.show.json {
        let rows: Vec<_> = runs
            .iter()
            .map(|run| {
                let counts = &run.series.counts;
                json!({
                    "file": run.file, "offered_per_s": run.offered_per_s, "failed": run.failed,
                    "recorded_per_s": run.series.rate_per_s(), "count": counts.total(),
                    "values": counts.percentiles(PERCENTILES).map(|value| unit.of(value)),
                    "worst": unit.of(counts.max()),
                })
            })
            .collect();
        let table = json!({ "unit": unit.name(), "percentiles": PERCENTILES, "runs": rows });
        console.print_json(&table)?;
        return Ok(Exit::Ok);
    }
    let heads = [">Rate/s", ">50%", ">90%", ">95%", ">99%", ">99.9%", ">99.99%", ">Worst", "Run"];
    let mut table = wide_table(&heads);
    for run in &runs {
        let counts = &run.series.counts;
        let mut row = vec![rate_text(run.rate_per_s())];
        row.extend(counts.percentiles(PERCENTILES).map(|value| unit.text(value as f64)));
        row.push(unit.text(counts.max() as f64));
        let name = Path::new(&run.file).file_name().and_then(|name| name.to_str());
        row.push(printable(name.unwrap_or(&run.file)));
        table.add_row(row);
    }
    console.print(&format!("{}\nvalues in {}", table::render(&table), unit.name()))?;
    console.print("; a .FAIL run did not reach the rate it was offered\n")?;
    Ok(Exit::Ok)
}

/// The logs of a folder, by name.
fn logs_in(dir: &Path) -> Result<Vec<String>, VerbError> {
    let fail = |source| LogError::Io { file: dir.display().to_string(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|extension| extension == "hlog") {
            files.push(path.display().to_string());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(VerbError::Usage(format!("{}: no .hlog in it", dir.display())));
    }
    Ok(files)
}

/// The rate of a header line such as `Load: 5000 events/s offered`, or `Rate: 5000/s offered`.
fn offered(line: &str) -> Option<f64> {
    let before = &line[..line.find("/s offered")?];
    let before = before.trim_end_matches("events").trim_end();
    let number = before.rsplit(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offered_rate_is_found_in_the_run_header() {
        assert_eq!(offered("Load: 2000 events/s offered, seed 7").map(|r| r as u64), Some(2_000));
        assert_eq!(offered("Rate: 5000/s offered, 4998/s achieved").map(|r| r as u64), Some(5_000));
        assert_eq!(offered("Rate: 5000/s achieved").map(|r| r as u64), None);
        assert_eq!(offered("/s offered").map(|r| r as u64), None);
    }
}
