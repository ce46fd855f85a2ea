//! `latency plot`: reads the runs, and has them drawn.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::cli::PlotArgs;
use super::console::Console;
use super::distribution::Distribution;
use super::error::VerbError;
use super::judge::rules_of;
use super::line::printable;
use super::log_reader::Tags;
use super::log_writer::refuse_input;
use super::plot_page::page;
use super::plot_run::Run;
use super::plot_svg::{Picture, draw};
use super::rule::Rule;
use super::series::{add_to, read, shown};
use super::unit::Unit;
use crate::exit::Exit;

/// Most runs in one picture: more colours nobody tells apart.
const RUNS_MAX: usize = 8;

/// Most points of a timeline; beyond it neighbours are joined, the higher value stays.
const POINTS_MAX: usize = 2_000;

/// Runs `plot`.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &PlotArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let html = match Path::new(&args.output).extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => true,
        Some("svg") => false,
        _ => {
            let what = format!("{}: a name that ends in .svg or .html is needed", args.output);
            return Err(VerbError::Usage(what));
        }
    };
    let mut rules = args.sla.as_deref().map_or(Ok(Vec::new()), rules_of)?;
    let runs = runs(args, console)?;
    let unit = unit(&runs, args.show.unit)?;
    keep_drawable(&mut rules, &runs, console);
    let inputs: Vec<String> = args.files.iter().chain(&args.sla).cloned().collect();
    refuse_input(&args.output, &inputs)?;
    let picture = Picture {
        title: &args.title,
        runs: &runs,
        rules: &rules,
        unit,
        timeline: args.timeline,
        header: !html,
    };
    let svg = draw(&picture).map_err(|source| VerbError::output(&args.output, source))?;
    let text = if html { page(&picture, &svg) } else { svg };
    fs::write(&args.output, &text).map_err(|source| VerbError::output(&args.output, source))?;
    report(args, &runs, &rules, unit, console)?;
    Ok(Exit::Ok)
}

/// The unit of the axes: one picture holds times, or events that wait in lanes.
fn unit(runs: &[Run], unit: Unit) -> Result<Unit, VerbError> {
    let gauges = runs.iter().filter(|run| run.series.is_gauge).count();
    if gauges > 0 && gauges < runs.len() {
        let what = "lanes hold events and not times: they need a picture of their own";
        return Err(VerbError::Usage(what.into()));
    }
    Ok(runs.first().map_or(unit, |run| run.series.unit(unit)))
}

/// Leaves out rules for series that are not in the picture, and says so.
fn keep_drawable(rules: &mut Vec<Rule>, runs: &[Run], console: &mut Console<'_>) {
    rules.retain(|rule| {
        let is_drawn = rule.tag.is_none() || runs.iter().any(|run| run.series.tag == rule.tag);
        if !is_drawn {
            let text = printable(&rule.text);
            console.warn(&format!("rule {text}: its series is not in the picture"));
        }
        is_drawn
    });
}

fn report(
    args: &PlotArgs,
    runs: &[Run],
    rules: &[Rule],
    unit: Unit,
    console: &mut Console<'_>,
) -> Result<(), VerbError> {
    if !args.show.json {
        return Ok(());
    }
    let curves: Vec<_> = runs
        .iter()
        .map(|run| {
            let counts = &run.series.counts;
            json!({ "label": run.label, "count": counts.total(), "max": unit.of(counts.max()) })
        })
        .collect();
    let rules: Vec<_> = rules.iter().map(|rule| &rule.text).collect();
    console.print_json(&json!({ "written": args.output, "curves": curves, "sla": rules }))
}

fn runs(args: &PlotArgs, console: &mut Console<'_>) -> Result<Vec<Run>, VerbError> {
    let mut tags: Vec<_> = args.tag.iter().cloned().map(Tags::Only).collect();
    if tags.is_empty() {
        tags.push(Tags::Untagged);
    }
    if args.files.len() * tags.len() > RUNS_MAX {
        return Err(VerbError::Usage(format!("more than {RUNS_MAX} curves in one picture")));
    }
    if tags.len() > 1 && args.files.iter().any(|file| file == "-") {
        return Err(VerbError::Usage("standard input can be read for one --tag only".into()));
    }
    let mut runs: Vec<Run> = Vec::new();
    for file in &args.files {
        for tags in &tags {
            let mut run = one_run(args, file, tags, console)?;
            run.label = free_label(&runs, run.label);
            runs.push(run);
        }
    }
    Ok(runs)
}

/// The label, with a number where another run has it, as when a file is named twice.
fn free_label(runs: &[Run], label: String) -> String {
    let is_taken = |label: &str| runs.iter().any(|other| other.label == label);
    let numbered = (2..).map(|number| format!("{label} ({number})"));
    std::iter::once(label.clone()).chain(numbered).find(|label| !is_taken(label)).unwrap_or(label)
}

fn one_run(
    args: &PlotArgs,
    file: &str,
    tags: &Tags,
    console: &mut Console<'_>,
) -> Result<Run, VerbError> {
    let (mut series, mut maxima) = (Vec::new(), Vec::new());
    let log = read(file, &args.range.of(tags.clone()), console, |reader, interval, _| {
        add_to(&mut series, reader, interval)?;
        let record = reader.record();
        maxima.push((record.absolute_s - reader.start_s(), interval.max()));
        if maxima.len() > 2 * POINTS_MAX {
            thin(&mut maxima);
        }
        Ok(())
    })?;
    let Some(series) = series.into_iter().next() else {
        return Err(VerbError::Usage(format!("{file}: no values")));
    };
    let label = format!("{} {}", short_name(file, &args.files), shown(series.tag.as_deref()));
    Ok(Run { label: printable(&label), series, header: log.header().to_vec(), maxima })
}

/// As much of the end of a path as tells it from all others.
fn short_name(file: &str, all: &[String]) -> String {
    let parts = |file: &str| -> Vec<String> {
        let path = Path::new(file).with_extension("");
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let tail = |parts: &[String], len: usize| parts[parts.len().saturating_sub(len)..].join("/");
    let mine = parts(file);
    let others: Vec<_> =
        all.iter().filter(|other| *other != file).map(|file| parts(file)).collect();
    let is_alone = |len: &usize| others.iter().all(|other| tail(other, *len) != tail(&mine, *len));
    let len = (1..mine.len()).find(is_alone).unwrap_or(mine.len());
    tail(&mine, len)
}

/// Joins each two neighbours.
fn thin(maxima: &mut Vec<(f64, u64)>) {
    let joined =
        maxima.chunks(2).map(|pair| (pair[0].0, pair.iter().map(|p| p.1).max().unwrap_or(0)));
    *maxima = joined.collect();
}
