//! `latency percentiles` and `latency intervals`: the outputs of the Java processor, as verbs.

use serde_json::json;

use super::cli::{IntervalsArgs, PercentilesArgs};
use super::console::Console;
use super::counts::Counts;
use super::distribution::Distribution;
use super::error::VerbError;
use super::hgrm::{HgrmForm, hgrm};
use super::interval::Interval;
use super::interval_text::{LineForm, Window, check_windows, interval_legend, interval_line};
use super::log_reader::LogReader;
use super::series::{collect, read};
use crate::exit::Exit;

/// Runs `percentiles`.
///
/// # Errors
/// [`VerbError`].
pub fn percentiles(args: &PercentilesArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let series = collect(&args.files, &args.range.of(args.tag.one()), console)?;
    let Some(series) = series.first() else { return Ok(Exit::Ok) };
    let (counts, unit) = (&series.counts, series.unit(args.show.unit));
    if args.show.json {
        let curve = counts.curve(args.ticks);
        let rows = curve.iter().map(|row| {
            json!({
                "value": unit.of(row.value), "percentile": row.percentile, "count": row.count_to
            })
        });
        console.print_json(&json!({
            "tag": series.tag,
            "unit": unit.name(),
            "count": counts.total(),
            "mean": counts.mean() / unit.ratio(),
            "deviation": counts.deviation() / unit.ratio(),
            "max": unit.of(counts.max()),
            "rows": rows.collect::<Vec<_>>(),
        }))?;
    } else {
        let form = HgrmForm { ticks: args.ticks, ratio: unit.ratio(), csv: args.csv };
        console.print(&hgrm(counts, form))?;
    }
    Ok(Exit::Ok)
}

/// Runs `intervals`.
///
/// # Errors
/// [`VerbError`].
pub fn intervals(args: &IntervalsArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let mut lines = Lines {
        form: LineForm { ratio: args.show.unit.ratio(), csv: args.csv },
        json: args.show.json,
        total: None,
        window: args.window.map(|s| Window::new((s * 1e3) as i64, args.window_percentile)),
        text: String::new(),
    };
    let selection = args.range.of(args.tag.one());
    read(&args.file, &selection, console, |reader, interval, console| {
        let line = lines.next(reader, interval)?;
        console.print(line)
    })?;
    if lines.json {
        console.print("\n]\n")?;
    }
    Ok(Exit::Ok)
}

/// Makes the line of one interval after another.
struct Lines {
    form: LineForm,
    json: bool,
    total: Option<Counts>,
    window: Option<Window>,
    text: String,
}

impl Lines {
    fn next(&mut self, reader: &LogReader, interval: &Interval) -> Result<&str, VerbError> {
        self.text.clear();
        let first = self.total.is_none();
        let total = self.total.get_or_insert_with(|| Counts::shaped(interval.layout()));
        total.add(interval);
        let record = reader.record();
        if record.is_gauge {
            self.form.ratio = 1.0;
        }
        let end_ms = record.end_ms();
        let end_s = end_ms as f64 / 1_000.0 - reader.start_s();
        if let Some(window) = &mut self.window {
            window.add(end_ms, interval);
            let held = check_windows(std::iter::once(&*window));
            held.map_err(|problem| reader.refuse(problem))?;
        }
        if self.json {
            self.text.push_str(if first { "[\n" } else { ",\n" });
            self.json_line(end_s, interval);
        } else if let Some(window) = &self.window {
            if first {
                self.text.push_str(&window.legend(self.form.csv));
            }
            window.line(&mut self.text, end_s, self.form);
        } else {
            if first {
                self.text.push_str(interval_legend(self.form.csv));
            }
            interval_line(&mut self.text, end_s, interval, total, self.form);
        }
        Ok(&self.text)
    }

    fn json_line(&mut self, end_s: f64, interval: &Interval) {
        let of = |value: u64| value as f64 / self.form.ratio;
        let value = if let Some(window) = &self.window {
            let (count, at_percentile, max) = window.figures();
            json!({ "end_s": end_s, "count": count, "value": of(at_percentile), "max": of(max) })
        } else {
            let [p50, p90, p99] = interval.percentiles([50.0, 90.0, 99.0]);
            json!({
                "end_s": end_s, "count": interval.total(),
                "p50": of(p50), "p90": of(p90), "p99": of(p99), "max": of(interval.max()),
            })
        };
        self.text.push_str(&value.to_string());
    }
}
