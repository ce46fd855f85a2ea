//! `latency export`: intervals for other programs.

use serde_json::json;

use super::cli::{ExportArgs, Format};
use super::console::Console;
use super::distribution::Distribution;
use super::error::VerbError;
use super::interval::Interval;
use super::java_format;
use super::log_reader::Record;
use super::series::{Series, collect, read};
use crate::exit::Exit;

const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];
const HEAD: &str = "time_s,length_s,tag,count,min,mean,p50,p90,p99,p99.9,p99.99,max\n";

/// Runs `export`.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &ExportArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let selection = args.range.of(args.tag.all());
    let ratio = args.unit.ratio();
    match if args.json { Format::Jsonl } else { args.format } {
        Format::Prom => {
            let all = collect(std::slice::from_ref(&args.file), &selection, console)?;
            console.print(&prometheus(&all))?;
        }
        Format::Csv => {
            let mut head = Some(HEAD);
            read(&args.file, &selection, console, |reader, interval, console| {
                console.print(head.take().unwrap_or_default())?;
                console.print(&csv_line(&reader.record(), interval, ratio))
            })?;
        }
        Format::Jsonl => {
            read(&args.file, &selection, console, |reader, interval, console| {
                console.print(&json_line(&reader.record(), interval, ratio))
            })?;
        }
    }
    Ok(Exit::Ok)
}

fn csv_line(record: &Record<'_>, interval: &Interval, ratio: f64) -> String {
    let mut line = String::new();
    java_format::fixed(&mut line, record.absolute_s, 3, 0);
    line.push(',');
    java_format::fixed(&mut line, record.length_s, 3, 0);
    // Quotes inside quotes are doubled; a tag that starts a formula in a spreadsheet stays text.
    let tag = record.tag.unwrap_or_default().replace('"', "\"\"");
    line.push_str(&format!(",\"{tag}\",{}", interval.total()));
    let ends = [interval.min() as f64, interval.mean()];
    let percentiles = interval.percentiles(PERCENTILES).map(|value| value as f64);
    for value in ends.iter().chain(&percentiles).chain(&[interval.max() as f64]) {
        line.push(',');
        java_format::fixed(&mut line, value / ratio, 3, 0);
    }
    line.push('\n');
    line
}

fn json_line(record: &Record<'_>, interval: &Interval, ratio: f64) -> String {
    let [p50, p90, p99, p999, p9999] = interval.percentiles(PERCENTILES).map(|v| v as f64 / ratio);
    let line = json!({
        "time_s": record.absolute_s, "length_s": record.length_s, "tag": record.tag,
        "count": interval.total(), "min": interval.min() as f64 / ratio,
        "mean": interval.mean() / ratio, "p50": p50, "p90": p90, "p99": p99, "p99.9": p999,
        "p99.99": p9999, "max": interval.max() as f64 / ratio,
    });
    format!("{line}\n")
}

/// The text format of Prometheus: one summary with a label for the series, in its base unit, seconds.
fn prometheus(all: &[Series]) -> String {
    let mut text = String::from(
        "# HELP latency_seconds Latency by series, over the whole log.\n\
         # TYPE latency_seconds summary\n",
    );
    for series in all {
        let tag = label(series.tag.as_deref().unwrap_or_default());
        for (percentile, ns) in PERCENTILES.iter().zip(series.counts.percentiles(PERCENTILES)) {
            let quantile = (percentile * 100.0).round() / 10_000.0;
            let seconds = ns as f64 / 1e9;
            text.push_str(&format!(
                "latency_seconds{{tag=\"{tag}\",quantile=\"{quantile}\"}} {seconds}\n"
            ));
        }
        let count = series.counts.total();
        let sum = series.counts.mean() * count as f64 / 1e9;
        text.push_str(&format!("latency_seconds_sum{{tag=\"{tag}\"}} {sum}\n"));
        text.push_str(&format!("latency_seconds_count{{tag=\"{tag}\"}} {count}\n"));
    }
    text.push_str(
        "# HELP latency_max_seconds Highest latency by series, over the whole log.\n\
         # TYPE latency_max_seconds gauge\n",
    );
    for series in all {
        let tag = label(series.tag.as_deref().unwrap_or_default());
        let seconds = series.counts.max() as f64 / 1e9;
        text.push_str(&format!("latency_max_seconds{{tag=\"{tag}\"}} {seconds}\n"));
    }
    text
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
