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
use super::unit::Unit;
use crate::exit::Exit;

const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];
const HEAD: &str = "time_s,length_s,tag,count,min,mean,p50,p90,p99,p99.9,p99.99,max\n";

/// Runs `export`.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &ExportArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let selection = args.range.of(args.tag.all());
    let unit = args.unit;
    match if args.json { Format::Jsonl } else { args.format } {
        Format::Prom => {
            let all = collect(std::slice::from_ref(&args.file), &selection, console)?;
            let (lanes, times): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.is_gauge);
            let seconds = ("latency", "_seconds", "Latency by series", 1e9);
            console.print(&prometheus(&times, seconds))?;
            if !lanes.is_empty() {
                let events = ("lane", "_events", "Events that wait in a lane", 1.0);
                console.print(&prometheus(&lanes, events))?;
            }
        }
        Format::Csv => {
            let mut head = Some(HEAD);
            read(&args.file, &selection, console, |reader, interval, console| {
                console.print(head.take().unwrap_or_default())?;
                console.print(&csv_line(&reader.record(), interval, unit))
            })?;
        }
        Format::Jsonl => {
            read(&args.file, &selection, console, |reader, interval, console| {
                console.print(&json_line(&reader.record(), interval, unit))
            })?;
        }
    }
    Ok(Exit::Ok)
}

/// Nanoseconds in a shown value; 1 for what counts events.
fn ratio(record: &Record<'_>, unit: Unit) -> f64 {
    if record.is_gauge { 1.0 } else { unit.ratio() }
}

fn csv_line(record: &Record<'_>, interval: &Interval, unit: Unit) -> String {
    let ratio = ratio(record, unit);
    let mut line = String::new();
    java_format::fixed(&mut line, record.absolute_s, 3, 0);
    line.push(',');
    java_format::fixed(&mut line, record.length_s, 3, 0);
    // Quotes inside quotes are doubled.
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

fn json_line(record: &Record<'_>, interval: &Interval, unit: Unit) -> String {
    let ratio = ratio(record, unit);
    let [p50, p90, p99, p999, p9999] = interval.percentiles(PERCENTILES).map(|v| v as f64 / ratio);
    let line = json!({
        "time_s": record.absolute_s, "length_s": record.length_s, "tag": record.tag,
        "count": interval.total(), "min": interval.min() as f64 / ratio,
        "mean": interval.mean() / ratio, "p50": p50, "p90": p90, "p99": p99, "p99.9": p999,
        "p99.99": p9999, "max": interval.max() as f64 / ratio,
    });
    format!("{line}\n")
}

/// The text format of Prometheus: one summary with a label for the series, and its highest value.
/// `form` is the name's first part and its unit, what it is, and what one of its unit is in the
/// log's values.
fn prometheus(all: &[Series], form: (&str, &str, &str, f64)) -> String {
    let (noun, unit, what, ratio) = form;
    let name = format!("{noun}{unit}");
    let mut text = format!(
        "# HELP {name} {what}, over the whole log.\n\
         # TYPE {name} summary\n",
    );
    for series in all {
        let tag = label(series.tag.as_deref().unwrap_or_default());
        for (percentile, value) in PERCENTILES.iter().zip(series.counts.percentiles(PERCENTILES)) {
            let quantile = (percentile * 100.0).round() / 10_000.0;
            let value = value as f64 / ratio;
            text.push_str(&format!("{name}{{tag=\"{tag}\",quantile=\"{quantile}\"}} {value}\n"));
        }
        let count = series.counts.total();
        let sum = series.counts.mean() * count as f64 / ratio;
        text.push_str(&format!("{name}_sum{{tag=\"{tag}\"}} {sum}\n"));
        text.push_str(&format!("{name}_count{{tag=\"{tag}\"}} {count}\n"));
    }
    let name = format!("{noun}_max{unit}");
    text.push_str(&format!(
        "# HELP {name} {what}, the highest over the whole log.\n\
         # TYPE {name} gauge\n",
    ));
    for series in all {
        let tag = label(series.tag.as_deref().unwrap_or_default());
        let value = series.counts.max() as f64 / ratio;
        text.push_str(&format!("{name}{{tag=\"{tag}\"}} {value}\n"));
    }
    text
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
