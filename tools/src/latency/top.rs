//! `latency top`: the last minute of a log that is being written.

use std::io::IsTerminal;
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout as Split};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Row, Table};
use ratatui::{DefaultTerminal, Frame};
use serde_json::{Value, json};

use super::cli::TopArgs;
use super::console::Console;
use super::distribution::Distribution;
use super::error::{LogError, VerbError};
use super::interval::Interval;
use super::interval_text::Window;
use super::log_reader::{LogReader, Selection, Tags};
use super::series::shown;
use super::summary::{rate_text, wide_table};
use super::unit::Unit;
use crate::exit::Exit;
use crate::table;

/// Percentiles are those of this long.
const WINDOW_MS: i64 = 60_000;

/// Time between two looks at the log.
const LOOK: Duration = Duration::from_millis(250);

/// Time between two tables without a terminal.
const PRINT: Duration = Duration::from_secs(1);

const HEADS: [&str; 7] = ["Tag", "Rate/s", "50%", "99%", "99.9%", "Max 1m", "Max"];

/// A series as it is now.
struct Watched {
    tag: Option<String>,
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

    fn row(&self, unit: Unit) -> [String; 7] {
        let sum = self.window.sum();
        let [p50, p99, p999] = sum.percentiles([50.0, 99.0, 99.9]);
        let text = |ns: u64| unit.text(ns as f64);
        let name = shown(self.tag.as_deref());
        let rate = rate_text(self.rate_per_s);
        [name, rate, text(p50), text(p99), text(p999), text(sum.max()), text(self.max)]
    }

    fn json(&self, unit: Unit) -> Value {
        let sum = self.window.sum();
        let [p50, p99, p999] = sum.percentiles([50.0, 99.0, 99.9]).map(|ns| unit.of(ns));
        json!({
            "tag": self.tag, "rate_per_s": self.rate_per_s, "p50": p50, "p99": p99, "p99.9": p999,
            "window_max": unit.of(sum.max()), "max": unit.of(self.max), "end_s": self.end_s,
        })
    }
}

/// The log and what is known of it.
struct Watch {
    reader: LogReader,
    interval: Interval,
    series: Vec<Watched>,
    unit: Unit,
}

impl Watch {
    /// Reads what has been added; tells whether anything has.
    fn look(&mut self) -> Result<bool, LogError> {
        let mut more = false;
        while self.reader.next(&Selection::of(Tags::All), &mut self.interval)? {
            more = true;
            let tag = self.reader.record().tag;
            let known = self.series.iter().position(|series| series.tag.as_deref() == tag);
            let index = known.unwrap_or_else(|| {
                let window = Window::new(WINDOW_MS, 99.0);
                let tag = tag.map(str::to_owned);
                self.series.push(Watched { tag, window, rate_per_s: 0.0, max: 0, end_s: 0.0 });
                self.series.len() - 1
            });
            self.series[index].add(&self.reader, &self.interval);
        }
        Ok(more)
    }

    fn status(&self) -> String {
        let end_s = self.series.iter().map(|series| series.end_s).fold(0.0, f64::max);
        format!("{}  at {end_s:.0} s  values in {}", self.reader.name(), self.unit.name())
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
        format!("{}\n{}\n", self.status(), table::render(&table))
    }
}

/// Runs `top`.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &TopArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    if args.file == "-" {
        return Err(VerbError::Usage("top follows a file; standard input can't grow again".into()));
    }
    let reader = LogReader::open(&args.file, false)?.following();
    let (interval, series) = (Interval::default(), Vec::new());
    let mut watch = Watch { reader, interval, series, unit: args.show.unit };
    watch.look()?;
    let json = args.show.json;
    if args.once {
        watch.reader.finish()?.iter().for_each(|warning| console.warn(warning));
        console.print(&watch.text(json))?;
    } else if console.out_is_terminal && std::io::stdin().is_terminal() && !json {
        let mut terminal = ratatui::init();
        let ended = screen(&mut terminal, &mut watch);
        ratatui::restore();
        ended?;
    } else {
        print_on(&mut watch, json, console)?;
    }
    Ok(Exit::Ok)
}

/// A table each time, until nobody reads on.
fn print_on(watch: &mut Watch, json: bool, console: &mut Console<'_>) -> Result<(), VerbError> {
    loop {
        console.print(&watch.text(json))?;
        console.flush()?;
        thread::sleep(PRINT);
        watch.look()?;
    }
}

fn screen(terminal: &mut DefaultTerminal, watch: &mut Watch) -> Result<(), VerbError> {
    let fail = |source| VerbError::output("terminal", source);
    loop {
        terminal.draw(|frame| draw(frame, watch)).map_err(fail)?;
        let until = Instant::now() + LOOK;
        while event::poll(until.saturating_duration_since(Instant::now())).map_err(fail)? {
            if let Event::Key(key) = event::read().map_err(fail)?
                && key.kind == KeyEventKind::Press
            {
                let interrupt = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                    KeyCode::Char('c') if interrupt => return Ok(()),
                    _ => {}
                }
            }
        }
        watch.look()?;
    }
}

fn draw(frame: &mut Frame<'_>, watch: &Watch) {
    let areas = Split::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ]);
    let [status, _, body, help] = areas.areas(frame.area());
    frame.render_widget(Line::from(watch.status()), status);
    let right = |texts: [String; 7]| {
        let cells = texts.into_iter().enumerate().map(|(index, text)| {
            if index == 0 { Line::from(text) } else { Line::from(text).right_aligned() }
        });
        Row::new(cells.collect::<Vec<_>>())
    };
    let rows = watch.series.iter().map(|series| right(series.row(watch.unit)));
    let widths = [
        Constraint::Min(16),
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(9),
    ];
    let head = right(HEADS.map(str::to_owned)).style(Style::new().bold());
    frame.render_widget(Table::new(rows, widths).header(head).column_spacing(2), body);
    frame.render_widget(Line::from("percentiles of the last minute   q quits").dim(), help);
}
