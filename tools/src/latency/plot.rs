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
use super::plot_page::page;
use super::plot_svg::{Picture, draw};
use super::rule::Rule;
use super::series::{Series, add_to, read};
use super::unit::Unit;
use crate::exit::Exit;

/// Most runs in one picture: more colours nobody tells apart.
const RUNS_MAX: usize = 8;

/// Most points of a timeline; beyond it neighbours are joined, the higher value stays.
const POINTS_MAX: usize = 2_000;

/// A curve.
pub struct Run {
    /// Its name in the legend.
    pub label: String,
    /// Its values.
    pub series: Series,
    /// Its run header.
    pub header: Vec<String>,
    /// Highest value by time: seconds from the log's start, nanoseconds.
    pub maxima: Vec<(f64, u64)>,
}

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
    let rules = args.sla.as_deref().map_or(Ok(Vec::new()), rules_of)?;
    let runs = runs(args, console)?;
    let picture = Picture {
        title: &args.title,
        runs: &runs,
        rules: &rules,
        unit: args.show.unit,
        timeline: args.timeline,
        header: !html,
    };
    let svg = draw(&picture).map_err(|source| VerbError::output(&args.output, source))?;
    let text = if html { page(&picture, &svg) } else { svg };
    fs::write(&args.output, &text).map_err(|source| VerbError::output(&args.output, source))?;
    report(args, &runs, &rules, args.show.unit, console)?;
    Ok(Exit::Ok)
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
            let same = runs.iter().filter(|other| other.label.starts_with(&run.label)).count();
            if same > 0 {
                run.label = format!("{} ({})", run.label, same + 1);
            }
            runs.push(run);
        }
    }
    Ok(runs)
}

fn one_run(
    args: &PlotArgs,
    file: &str,
    tags: &Tags,
    console: &mut Console<'_>,
) -> Result<Run, VerbError> {
    let (mut series, mut maxima) = (Vec::new(), Vec::new());
    let log = read(file, &args.range.of(tags.clone()), console, |reader, interval, _| {
        let record = reader.record();
        add_to(&mut series, &record, interval);
        maxima.push((record.absolute_s - reader.start_s(), interval.max()));
        if maxima.len() > 2 * POINTS_MAX {
            thin(&mut maxima);
        }
        Ok(())
    })?;
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or(file);
    let label = match tags {
        Tags::Only(tag) => format!("{stem} {tag}"),
        _ => stem.to_owned(),
    };
    let Some(series) = series.into_iter().next() else {
        return Err(VerbError::Usage(format!("{file}: no values")));
    };
    Ok(Run { label: printable(&label), series, header: log.header().to_vec(), maxima })
}

/// Joins each two neighbours.
fn thin(maxima: &mut Vec<(f64, u64)>) {
    let joined =
        maxima.chunks(2).map(|pair| (pair[0].0, pair.iter().map(|p| p.1).max().unwrap_or(0)));
    *maxima = joined.collect();
}
