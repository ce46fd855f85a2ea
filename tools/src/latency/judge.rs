//! `latency sla` and `latency diff`: verdicts, with an exit code.

use std::fs;

use serde_json::json;

use super::cli::{DiffArgs, SlaArgs};
use super::console::{Colour, Console};
use super::distribution::Distribution;
use super::error::{LogError, VerbError};
use super::java_format;
use super::line::printable;
use super::log_reader::{LogReader, Selection, Tags};
use super::rule::{Metric, Rule, parse_rules};
use super::series::{Series, add_to, read, shown};
use super::summary::wide_table;
use crate::exit::Exit;
use crate::table;

const PERCENTILES: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];

/// The rules of a file.
///
/// # Errors
/// [`VerbError`] when it can't be read, or is wrong.
pub fn rules_of(file: &str) -> Result<Vec<Rule>, VerbError> {
    let fail = |source| LogError::Io { file: printable(file), source };
    let text = fs::read_to_string(file).map_err(fail)?;
    parse_rules(&text).map_err(|what| VerbError::Usage(format!("{}: {what}", printable(file))))
}

/// All series of some logs, and the last of the logs for its header.
fn everything(
    file: &str,
    selection: &Selection,
    console: &mut Console<'_>,
) -> Result<(Vec<Series>, LogReader), VerbError> {
    let mut all = Vec::new();
    let log =
        read(file, selection, console, |reader, interval, _| add_to(&mut all, reader, interval))?;
    Ok((all, log))
}

/// The series with this tag.
fn find<'a>(all: &'a [Series], tag: Option<&str>, file: &str) -> Result<&'a Series, VerbError> {
    all.iter().find(|series| series.tag.as_deref() == tag).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|series| shown(series.tag.as_deref())).collect();
        let file = printable(file);
        VerbError::Usage(format!("{file}: no series {}; it has: {}", shown(tag), names.join(", ")))
    })
}

/// Runs `sla`.
///
/// # Errors
/// [`VerbError`].
pub fn sla(args: &SlaArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let mut rules = args.rule.clone();
    for file in &args.rules {
        rules.extend(rules_of(file)?);
    }
    if rules.is_empty() {
        return Err(VerbError::Usage("no rule: give --rule 'p99.99<50us', or --rules FILE".into()));
    }
    let (all, _) = everything(&args.file, &args.range.of(Tags::All), console)?;
    let unit = args.show.unit;
    let mut table = wide_table(&["Rule", ">Limit", ">Actual", "Verdict"]);
    let (mut failed, mut verdicts) = (false, Vec::new());
    for rule in &rules {
        let series = find(&all, rule.tag.as_deref().or(args.tag.tag.as_deref()), &args.file)?;
        let actual = rule.metric.of(series);
        let is_known = rule.metric.is_known(series);
        let holds = is_known && rule.comparison.holds(actual, rule.limit);
        failed |= !holds;
        table.add_row([
            rule.text.clone(),
            rule.metric.text(rule.limit, unit),
            if is_known { rule.metric.text(actual, unit) } else { "no values".to_owned() },
            verdict(holds, console),
        ]);
        let ratio = if rule.metric.is_time() { unit.ratio() } else { 1.0 };
        verdicts.push(json!({
            "rule": rule.text, "limit": rule.limit / ratio,
            "actual": is_known.then_some(actual / ratio), "holds": holds
        }));
    }
    if args.show.json {
        console.print_json(&json!({ "unit": unit.name(), "holds": !failed, "rules": verdicts }))?;
    } else {
        console.print(&table::render(&table))?;
    }
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

fn verdict(holds: bool, console: &Console<'_>) -> String {
    match holds {
        true => console.coloured("pass", Colour::Green),
        false => console.coloured("FAIL", Colour::Red),
    }
}

/// Runs `diff`.
///
/// # Errors
/// [`VerbError`].
pub fn diff(args: &DiffArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let selection = args.range.of(Tags::All);
    let (base_all, base_log) = everything(&args.base, &selection, console)?;
    let (new_all, new_log) = everything(&args.new, &selection, console)?;
    let (base_header, new_header) = (conditions(&base_log), conditions(&new_log));
    warn_of_headers(&base_header, &new_header, console);
    let tag = args.tag.tag.as_deref();
    let base = find(&base_all, tag, &args.base)?;
    let new = find(&new_all, tag, &args.new)?;
    let unit = args.show.unit;
    let mut metrics = vec![("Mean".to_owned(), Metric::Mean)];
    metrics.extend(PERCENTILES.map(|p| (format!("{p}%"), Metric::Percentile(p))));
    metrics.push(("Max".to_owned(), Metric::Max));
    let mut table = wide_table(&["Percentile", ">Base", ">New", ">Delta", ">Delta%"]);
    let mut rows = Vec::new();
    for (name, metric) in metrics {
        let (was, is) = (metric.of(base), metric.of(new));
        let percent = percent(was, is);
        table.add_row([
            name.clone(),
            unit.text(was),
            unit.text(is),
            signed(&unit.text((is - was).abs()), is - was),
            percent.map_or("-".to_owned(), |percent| signed(&one_decimal(percent.abs()), percent)),
        ]);
        rows.push(json!({
            "percentile": name, "base": was / unit.ratio(), "new": is / unit.ratio(),
            "delta": (is - was) / unit.ratio(), "delta_percent": percent,
        }));
    }
    let (mut broken, verdicts, rules) = allowances(args, &base_all, &new_all, console)?;
    for (series, file) in [(base, &args.base), (new, &args.new)] {
        if series.counts.total() == 0 {
            let (file, tag) = (printable(file), shown(tag));
            console.warn(&format!("{file}: series {tag} has no values: nothing can be compared"));
            broken = true;
        }
    }
    if args.show.json {
        console.print_json(&json!({
            "unit": unit.name(), "rows": rows, "rules": verdicts, "holds": !broken,
            "base_count": base.counts.total(), "new_count": new.counts.total(),
            "headers_differ": base_header != new_header,
        }))?;
    } else {
        console.print(&table::render(&table))?;
        let counts = (base.counts.total(), new.counts.total());
        console.print(&format!("\n{} and {} values, in {}\n", counts.0, counts.1, unit.name()))?;
        console.print(&rules)?;
    }
    Ok(if broken { Exit::Failed } else { Exit::Ok })
}

/// Judges `--fail-if`: whether one is broken, as JSON, and as text.
fn allowances(
    args: &DiffArgs,
    base_all: &[Series],
    new_all: &[Series],
    console: &Console<'_>,
) -> Result<(bool, Vec<serde_json::Value>, String), VerbError> {
    let unit = args.show.unit;
    let (mut any, mut verdicts) = (false, Vec::new());
    let mut table = wide_table(&["Fail if", ">Base", ">New", "Verdict"]);
    for rule in &args.fail_if {
        let tag = rule.tag.as_deref().or(args.tag.tag.as_deref());
        let base = find(base_all, tag, &args.base)?;
        let new = find(new_all, tag, &args.new)?;
        let (was, is) = (rule.metric.of(base), rule.metric.of(new));
        let is_known = rule.metric.is_known(base) && rule.metric.is_known(new);
        let broken = !is_known || rule.broken(was, is);
        any |= broken;
        let text = |value| rule.metric.text(value, unit);
        table.add_row([rule.text.clone(), text(was), text(is), verdict(!broken, console)]);
        let ratio = if rule.metric.is_time() { unit.ratio() } else { 1.0 };
        verdicts.push(json!({
            "rule": rule.text, "base": was / ratio, "new": is / ratio, "holds": !broken
        }));
    }
    let text = match args.fail_if.is_empty() {
        true => String::new(),
        false => format!("\n{}", table::render(&table)),
    };
    Ok((any, verdicts, text))
}

fn percent(was: f64, is: f64) -> Option<f64> {
    (was > 0.0).then(|| (is - was) * 100.0 / was)
}

fn one_decimal(value: f64) -> String {
    let mut text = String::new();
    java_format::fixed(&mut text, value, 1, 0);
    text
}

fn signed(text: &str, value: f64) -> String {
    let sign = match value {
        value if value > 0.0 => "+",
        value if value < 0.0 => "-",
        _ => "",
    };
    format!("{sign}{text}")
}

/// What the run header says of how the run came about; the rate that came of it is a result.
fn conditions(log: &LogReader) -> Vec<String> {
    let is_condition = |line: &&String| !line.starts_with("Achieved:");
    log.header().iter().filter(is_condition).cloned().collect()
}

/// Runs under different conditions can be compared, but the reader should know.
fn warn_of_headers(base: &[String], new: &[String], console: &mut Console<'_>) {
    const SHOWN: usize = 10;
    let only = |these: &[String], those: &[String], sign: char| {
        let only: Vec<_> = these.iter().filter(|line| !those.contains(line)).collect();
        let shown =
            only.iter().take(SHOWN).map(|line| format!("  {sign} {line}")).collect::<Vec<_>>();
        (only.len(), shown)
    };
    let (base_only, base_lines) = only(base, new, '-');
    let (new_only, new_lines) = only(new, base, '+');
    if base_only + new_only > 0 {
        let lines = [base_lines, new_lines].concat().join("\n");
        console.warn(&format!("the run headers differ:\n{lines}"));
    }
}
