//! `latency summary` and `latency tags`: what a log holds, one line a series.

use comfy_table::{ContentArrangement, Table};
use pitlane_engine::telemetry::GAUGE_PREFIX;
use serde_json::{Value, json};

use super::cli::{By, SummaryArgs, TagsArgs};
use super::console::Console;
use super::distribution::Distribution;
use super::error::VerbError;
use super::java_format;
use super::log_reader::{Selection, Tags};
use super::rate_text::rate_text;
use super::series::{Series, add_to, collect, read, shown};
use super::unit::Unit;
use crate::exit::Exit;
use crate::table;

const PERCENTILES: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
const NAMES: [&str; 6] = ["50%", "90%", "99%", "99.9%", "99.99%", "99.999%"];

/// A table that is as wide as its numbers need: a person may scroll, a number must not wrap.
pub fn wide_table(heads: &[&str]) -> Table {
    let mut table = table::table(heads);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Runs `summary`.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &SummaryArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let unit = args.show.unit;
    let (head, rows) = match args.by {
        By::Tag => {
            let tags = args.tag.clone().map_or(Tags::All, Tags::Only);
            let series = collect(&args.files, &args.range.of(tags), console)?;
            ("Tag", series.into_iter().map(|one| (shown(one.tag.as_deref()), one)).collect())
        }
        By::File => ("File", by_file(args, console)?),
    };
    if args.show.json {
        let rows: Vec<_> = rows.iter().map(|(name, one)| row_json(head, name, one, unit)).collect();
        console.print_json(&json!({ "unit": unit.name(), "series": rows }))?;
        return Ok(Exit::Ok);
    }
    let mut heads = vec![head, ">Count", ">Rate/s", ">Min", ">Mean"];
    let names = NAMES.map(|name| format!(">{name}"));
    heads.extend(names.iter().map(String::as_str));
    heads.push(">Max");
    let mut table = wide_table(&heads);
    for (name, one) in &rows {
        table.add_row(row_text(name, one, unit));
    }
    let note = units_note(unit, rows.iter().any(|(_, one)| one.is_gauge));
    console.print(&format!("{}\n{note}\n", table::render(&table)))?;
    Ok(Exit::Ok)
}

/// In what values are shown, where a table may hold gauges beside times.
#[must_use]
pub fn units_note(unit: Unit, has_gauges: bool) -> String {
    let unit = unit.name();
    if has_gauges {
        return format!("values in {unit}; {GAUGE_PREFIX}NAME in events");
    }
    format!("values in {unit}")
}

fn by_file(
    args: &SummaryArgs,
    console: &mut Console<'_>,
) -> Result<Vec<(String, Series)>, VerbError> {
    let tags = args.tag.clone().map_or(Tags::Untagged, Tags::Only);
    let selection = args.range.of(tags);
    let mut rows = Vec::new();
    for file in &args.files {
        let series = collect(std::slice::from_ref(file), &selection, console)?;
        rows.extend(series.into_iter().map(|one| (super::line::printable(file), one)));
    }
    Ok(rows)
}

fn row_text(name: &str, series: &Series, unit: Unit) -> Vec<String> {
    let (counts, unit) = (&series.counts, series.unit(unit));
    let mut row = vec![
        name.to_owned(),
        counts.total().to_string(),
        rate_text(series.rate_per_s()),
        unit.text(counts.min() as f64),
        unit.text(counts.mean()),
    ];
    row.extend(counts.percentiles(PERCENTILES).map(|value| unit.text(value as f64)));
    row.push(unit.text(counts.max() as f64));
    row
}

fn row_json(head: &str, name: &str, series: &Series, unit: Unit) -> Value {
    let (counts, unit) = (&series.counts, series.unit(unit));
    let percentiles: serde_json::Map<_, _> = NAMES
        .iter()
        .zip(counts.percentiles(PERCENTILES))
        .map(|(name, value)| (name.trim_end_matches('%').to_owned(), json!(unit.of(value))))
        .collect();
    let mut row = json!({
        "count": counts.total(),
        "rate_per_s": series.rate_per_s(),
        "min": unit.of(counts.min()),
        "mean": counts.mean() / unit.ratio(),
        "max": unit.of(counts.max()),
        "percentiles": percentiles,
        "tag": series.tag,
        "unit": unit.name(),
    });
    if head == "File" {
        row["file"] = json!(name);
    }
    row
}

/// Runs `tags`.
///
/// # Errors
/// [`VerbError`].
pub fn tags(args: &TagsArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let mut all: Vec<Series> = Vec::new();
    let log = read(&args.file, &Selection::of(Tags::All), console, |reader, interval, _| {
        add_to(&mut all, reader, interval)
    })?;
    all.sort_by(|a, b| a.tag.cmp(&b.tag));
    if args.json {
        let tags: Vec<_> = all.iter().map(|one| tag_json(one, log.start_s())).collect();
        console.print_json(&json!({
            "start_s": log.start_s(), "header": log.header(), "tags": tags
        }))?;
        return Ok(Exit::Ok);
    }
    let mut table = wide_table(&["Tag", ">Intervals", ">Count", ">From s", ">To s"]);
    for one in &all {
        table.add_row([
            shown(one.tag.as_deref()),
            one.intervals.to_string(),
            one.counts.total().to_string(),
            seconds_text(one.first_s - log.start_s()),
            seconds_text(one.last_s - log.start_s()),
        ]);
    }
    console.print(&table::render(&table))?;
    Ok(Exit::Ok)
}

fn seconds_text(seconds: f64) -> String {
    let mut text = String::new();
    java_format::fixed(&mut text, seconds, 3, 0);
    text
}

fn tag_json(series: &Series, start_s: f64) -> Value {
    json!({
        "tag": series.tag,
        "intervals": series.intervals,
        "count": series.counts.total(),
        "from_s": series.first_s - start_s,
        "to_s": series.last_s - start_s,
    })
}
