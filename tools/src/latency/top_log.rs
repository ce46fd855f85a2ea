//! What `latency top` shows of a log that is being written: its last minute.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout as Split};
use ratatui::text::Line;
use serde_json::{Value, json};

use super::counts::check_memory;
use super::distribution::Distribution;
use super::error::VerbError;
use super::interval::Interval;
use super::interval_text::{Window, check_windows};
use super::log_reader::{LogReader, Selection, Tags};
use super::rate_text::rate_text;
use super::series::shown;
use super::summary::{units_note, wide_table};
use super::top_rows::{aligned, draw_help, draw_if_narrow, draw_rows};
use super::top_source::{Reading, TopSource};
use super::unit::Unit;
use crate::table;

/// Percentiles are those of this long.
const WINDOW_MS: i64 = 60_000;

const HEADS: [&str; 7] = ["Tag", "Rate/s", "50%", "99%", "99.9%", "Max 1m", "Max"];

/// A series as it is now.
struct Watched {
    tag: Option<String>,
    is_gauge: bool,
    window: Window,
    rate_per_s: f64,
    max: u64,
    end_s: f64,
}

impl Watched {
    fn add(&mut self, reader: &LogReader, interval: &Interval) {
        let record = reader.record();
        self.window.add(record.end_ms(), interval);
        let length_s = record.length_s.max(1e-3);
        self.rate_per_s = interval.total() as f64 / length_s;
        self.max = self.max.max(interval.max());
        self.end_s = record.absolute_s + record.length_s - reader.start_s();
    }

    /// The unit of its values where times are shown in `unit`.
    fn unit(&self, unit: Unit) -> Unit {
        if self.is_gauge { Unit::Events } else { unit }
    }

    fn row(&self, unit: Unit) -> [String; 7] {
        let unit = self.unit(unit);
        let sum = self.window.sum();
        let [p50, p99, p999] = sum.percentiles([50.0, 99.0, 99.9]);
        let text = |ns: u64| unit.text(ns as f64);
        let name = shown(self.tag.as_deref());
        let rate = rate_text(self.rate_per_s);
        [name, rate, text(p50), text(p99), text(p999), text(sum.max()), text(self.max)]
    }

    fn json(&self, unit: Unit) -> Value {
        let unit = self.unit(unit);
        let sum = self.window.sum();
        let [p50, p99, p999] = sum.percentiles([50.0, 99.0, 99.9]).map(|ns| unit.of(ns));
        json!({
            "tag": self.tag, "unit": unit.name(), "rate_per_s": self.rate_per_s,
            "p50": p50, "p99": p99, "p99.9": p999,
            "window_max": unit.of(sum.max()), "max": unit.of(self.max), "end_s": self.end_s,
        })
    }
}

/// The log and what is known of it.
pub(super) struct LogSource {
    reader: LogReader,
    interval: Interval,
    series: Vec<Watched>,
    unit: Unit,
}

impl LogSource {
    /// Opens the log and reads what is there.
    pub(super) fn open(file: &str, unit: Unit) -> Result<LogSource, VerbError> {
        let reader = LogReader::open(file, false)?.following();
        let (interval, series) = (Interval::default(), Vec::new());
        let mut source = LogSource { reader, interval, series, unit };
        source.read()?;
        Ok(source)
    }

    /// What is wrong with what was read.
    ///
    /// # Errors
    /// The log holds no interval.
    pub(super) fn finish(&mut self) -> Result<Vec<String>, VerbError> {
        Ok(self.reader.finish()?.iter().map(ToString::to_string).collect())
    }

    fn read(&mut self) -> Result<(), VerbError> {
        while self.reader.next(&Selection::of(Tags::All), &mut self.interval)? {
            let tag = self.reader.record().tag;
            let known = self.series.iter().position(|series| series.tag.as_deref() == tag);
            let index = known.unwrap_or_else(|| {
                let window = Window::new(WINDOW_MS, 99.0);
                let (tag, is_gauge) = (tag.map(str::to_owned), self.reader.record().is_gauge);
                let (rate_per_s, max, end_s) = (0.0, 0, 0.0);
                self.series.push(Watched { tag, is_gauge, window, rate_per_s, max, end_s });
                self.series.len() - 1
            });
            self.series[index].add(&self.reader, &self.interval);
            let windows = || self.series.iter().map(|series| &series.window);
            let sums = check_memory(windows().map(Window::sum));
            let held = sums.and_then(|()| check_windows(windows()));
            held.map_err(|problem| self.reader.refuse(problem))?;
        }
        Ok(())
    }

    fn status(&self) -> String {
        let end_s = self.series.iter().map(|series| series.end_s).fold(0.0, f64::max);
        format!("{}  at {end_s:.0} s", self.reader.name())
    }

    fn units(&self) -> String {
        units_note(self.unit, self.series.iter().any(|series| series.is_gauge))
    }
}

impl TopSource for LogSource {
    fn read(&mut self) -> Result<Reading, VerbError> {
        self.read()?;
        Ok(Reading::GoesOn)
    }

    fn text(&self, json: bool) -> String {
        if json {
            let series: Vec<_> = self.series.iter().map(|series| series.json(self.unit)).collect();
            return format!("{}\n", json!({ "unit": self.unit.name(), "series": series }));
        }
        let heads =
            HEADS.map(|head| if head == "Tag" { head.to_owned() } else { format!(">{head}") });
        let mut table = wide_table(&heads.each_ref().map(String::as_str));
        for series in &self.series {
            table.add_row(series.row(self.unit));
        }
        format!("{}  {}\n{}\n", self.status(), self.units(), table::render(&table))
    }

    fn draw(&self, frame: &mut Frame<'_>, from: &mut usize) {
        if draw_if_narrow(frame) {
            return;
        }
        let areas = Split::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(1),
        ]);
        let [status, _, body, help] = areas.areas(frame.area());
        frame.render_widget(Line::from(self.status()), status);
        let rows = self.series.iter().map(|series| aligned(series.row(self.unit))).collect();
        let widths = [
            Constraint::Min(26),
            Constraint::Length(8),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Length(9),
            Constraint::Length(9),
        ];
        let hidden = draw_rows(frame, body, HEADS, rows, &widths, *from);
        *from = hidden.min(*from);
        let what = format!("the last minute, {}", self.units());
        draw_help(frame, help, &what, hidden > 0);
    }
}
