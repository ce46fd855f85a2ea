//! What `latency top` shows of a running engine, through its control socket.

use std::path::Path;
use std::time::Duration;

use pitlane_engine::control::protocol::{ControlRequest, Reply, RequestLine};
use pitlane_engine::control::{
    ConsumerStatus, LaneStatus, SessionStatus, StageStatus, Status, ThreadStatus,
};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout as Split, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::Row;

use super::error::VerbError;
use super::top_rows::{aligned, draw_help, draw_if_narrow, draw_rows};
use super::top_source::{Reading, TopSource};
use super::unit::Unit;
use crate::ctl::{Connection, ConnectionError, Wanted, is_farewell, reply_text, socket};
use crate::table::count;

/// Time between two readings.
const INTERVAL_MS: u64 = 1_000;

/// Time that one look waits for a reading.
const WAIT: Duration = Duration::from_millis(10);

/// Rows of lanes and threads that are shown when there is little room.
const LANES_MIN: usize = 4;

/// Most rows of consumers.
const CONSUMERS_MAX: usize = 10;

/// A running engine and its last two readings.
pub(super) struct EngineSource {
    connection: Connection,
    now: Status,
    before: Status,
    unit: Unit,
}

impl EngineSource {
    /// Connects to the engine at `path`, or to the one that runs here, and reads it once.
    pub(super) fn open(path: Option<&Path>, unit: Unit) -> Result<EngineSource, VerbError> {
        let path = socket(Wanted { socket: path, pid: None }).map_err(VerbError::Engine)?;
        let mut connection = Connection::open(&path).map_err(failed)?;
        let request = ControlRequest::Watch { interval_ms: INTERVAL_MS };
        connection.send(&RequestLine { id: None, request }).map_err(failed)?;
        let answer = connection.answer().map_err(failed)?;
        let Some(Reply::Status(status)) = answer.reply else {
            let refusal = answer.refusal.map(|refusal| refusal.message);
            return Err(VerbError::Engine(refusal.unwrap_or_default()));
        };
        connection.wait_at_most(WAIT).map_err(failed)?;
        Ok(EngineSource { connection, now: *status, before: Status::default(), unit })
    }

    /// How many of something came in a second, of two counts.
    fn rate(&self, now: u64, before: u64) -> u64 {
        let ns = self.now.uptime_ns.saturating_sub(self.before.uptime_ns).max(1);
        let rate = u128::from(now.saturating_sub(before)) * 1_000_000_000 / u128::from(ns);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    fn head(&self) -> [Line<'static>; 2] {
        let now = &self.now;
        let events = self.rate(now.events, self.before.events);
        let trading = if now.trading { "on" } else { "off" };
        let first = format!(
            "{}  up {} s  {} events/s  trading {trading}  routes v{}",
            now.run,
            count(now.uptime_ns / 1_000_000_000),
            count(events),
            now.routing_version
        );
        let letters = now.dead_letters;
        let second = format!(
            "critical lost {}  dead letters {}  dropped {} letters, {} log lines",
            count(now.critical_lost),
            count(letters.sent),
            count(letters.dropped),
            count(now.log_lines_dropped)
        );
        let second = Line::from(second);
        [Line::from(first), if now.critical_lost > 0 { second.red().bold() } else { second }]
    }

    fn consumer(&self, index: usize, one: &ConsumerStatus) -> Row<'static> {
        let before = self.before.consumers.get(index).cloned().unwrap_or_default();
        let row = aligned([
            one.name.clone(),
            one.state.clone(),
            count(self.rate(one.handled, before.handled)),
            count(one.conflated + one.aggregated),
            count(one.skipped),
            count(one.dead_lettered + one.discarded),
            count(one.failures),
            count(one.pending),
        ]);
        if one.state == "running" { row } else { row.style(Style::new().bold()) }
    }

    fn stage(&self, one: &StageStatus) -> Row<'static> {
        let latency = one.latency;
        let text = |ns: u64| self.unit.text(ns as f64);
        let ns = self.now.interval_ns.max(1);
        let rate = u128::from(latency.count) * 1_000_000_000 / u128::from(ns);
        aligned([
            one.name.clone(),
            count(u64::try_from(rate).unwrap_or(u64::MAX)),
            text(latency.p50_ns),
            text(latency.p99_ns),
            text(latency.p999_ns),
            text(latency.max_ns),
        ])
    }

    fn draw_consumers(&self, frame: &mut Frame<'_>, area: Rect, from: usize) -> usize {
        let rows = self.now.consumers.iter().enumerate();
        let rows = rows.map(|(index, one)| self.consumer(index, one)).collect();
        let heads =
            ["Consumer", "State", "Rate/s", "Conflated", "Stale", "Lost", "Failed", "Pending"];
        let widths = [
            Constraint::Min(13),
            Constraint::Length(11),
            Constraint::Length(8),
            Constraint::Length(10),
            Constraint::Length(7),
            Constraint::Length(6),
            Constraint::Length(7),
            Constraint::Length(8),
        ];
        draw_rows(frame, area, heads, rows, &widths, from)
    }

    fn draw_stages(&self, frame: &mut Frame<'_>, area: Rect, from: usize) -> usize {
        // What an event meets comes first: on a short screen the rest has to be scrolled to.
        let is_aside = |one: &&StageStatus| {
            ["hiccup:", "fanout:", "wire", "flip"].iter().any(|name| one.name.starts_with(name))
        };
        let stages = &self.now.stages;
        let first = stages.iter().filter(|one| !is_aside(one));
        let rows = first.chain(stages.iter().filter(is_aside)).map(|one| self.stage(one)).collect();
        let heads = ["Stage", "Rate/s", "50%", "99%", "99.9%", "Max"];
        let widths = [
            Constraint::Min(24),
            Constraint::Length(9),
            Constraint::Length(9),
            Constraint::Length(9),
            Constraint::Length(9),
            Constraint::Length(10),
        ];
        draw_rows(frame, area, heads, rows, &widths, from)
    }

    fn draw_lanes(&self, frame: &mut Frame<'_>, area: Rect, from: usize) -> usize {
        let mut lanes: Vec<&LaneStatus> = self.now.lanes.iter().collect();
        lanes.retain(|lane| !lane.name.starts_with("log:"));
        let fill = |number: u64, lane: &LaneStatus| number * 1_000 / lane.slots.max(1);
        // By the most they have held, which changes seldom: rows that swap places can't be read.
        lanes.sort_by_key(|lane| std::cmp::Reverse((lane.full, fill(lane.high_water, lane))));
        let permille = |permille: u64| format!("{}.{}", permille / 10, permille % 10);
        let row = |lane: &&LaneStatus| {
            aligned([
                lane.name.clone(),
                permille(fill(lane.in_flight, lane)),
                permille(fill(lane.high_water, lane)),
                count(lane.full),
            ])
        };
        let rows = lanes.iter().map(row).collect();
        let heads = ["Lane", "Fill%", "Most%", "Full"];
        let widths = [
            Constraint::Min(22),
            Constraint::Length(6),
            Constraint::Length(6),
            Constraint::Length(6),
        ];
        draw_rows(frame, area, heads, rows, &widths, from)
    }

    fn draw_threads(&self, frame: &mut Frame<'_>, area: Rect, from: usize) -> usize {
        let cpu = |thread: &ThreadStatus| match thread.cpu_permille {
            Some(used) => format!("{}.{}", used / 10, used % 10),
            None => "-".to_owned(),
        };
        let row = |thread: &ThreadStatus| {
            let core = thread.core.map_or_else(|| "-".to_owned(), |core| core.to_string());
            let row = aligned([thread.name.clone(), core, cpu(thread)]);
            if thread.pinned == "refused" { row.style(Style::new().bold()) } else { row }
        };
        let rows = self.now.threads.iter().map(row).collect();
        let widths = [Constraint::Min(16), Constraint::Length(4), Constraint::Length(6)];
        draw_rows(frame, area, ["Thread", "Core", "CPU%"], rows, &widths, from)
    }

    /// What is wrong with the venues; nothing when nothing is.
    fn sessions(&self) -> String {
        let is_bad =
            |one: &&SessionStatus| one.is_paused || !matches!(one.state.as_str(), "open" | "none");
        let text = |one: &SessionStatus| {
            let state = if one.is_paused { "paused" } else { &one.state };
            format!("{}:{} {state}  ", one.venue, one.role)
        };
        self.now.sessions.iter().filter(is_bad).map(text).collect()
    }
}

impl TopSource for EngineSource {
    fn read(&mut self) -> Result<Reading, VerbError> {
        loop {
            let answer = match self.connection.answer() {
                Ok(answer) => answer,
                Err(ConnectionError::NotYet) => return Ok(Reading::GoesOn),
                Err(error) => return Err(failed(error)),
            };
            if is_farewell(&answer) {
                return Ok(Reading::Ended("the engine has stopped"));
            }
            if let Some(Reply::Status(status)) = answer.reply {
                self.before = std::mem::replace(&mut self.now, *status);
            }
        }
    }

    fn text(&self, json: bool) -> String {
        if json {
            return format!("{}\n", serde_json::to_string(&self.now).unwrap_or_default());
        }
        format!("{}\n", reply_text(&Reply::Status(Box::new(self.now.clone()))))
    }

    fn draw(&self, frame: &mut Frame<'_>, from: &mut usize) {
        if draw_if_narrow(frame) {
            return;
        }
        let consumers = self.now.consumers.len().min(CONSUMERS_MAX);
        let below = self.now.threads.len().max(LANES_MIN) + 1;
        let height = usize::from(frame.area().height);
        // Stages get what consumers leave; lanes and threads at least their few rows.
        let stages = self.now.stages.len() + 1;
        let below = below.min(height.saturating_sub(7 + consumers + stages).max(LANES_MIN + 1));
        let [head, alarm, top, _, middle, _, bottom, help] = Split::vertical([
            Constraint::Length(2),
            Constraint::Length(1),
            Constraint::Length(consumers as u16 + 1),
            Constraint::Length(1),
            Constraint::Min(3),
            Constraint::Length(1),
            Constraint::Length(below as u16),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let [first, second] = Split::vertical([Constraint::Length(1); 2]).areas(head);
        let lines = self.head();
        for (line, area) in lines.into_iter().zip([first, second]) {
            frame.render_widget(line, area);
        }
        frame.render_widget(Line::from(self.sessions()).bold(), alarm);
        // All tables scroll together, each as far as it has more.
        let mut hidden = self.draw_consumers(frame, top, *from);
        hidden = hidden.max(self.draw_stages(frame, middle, *from));
        let [left, _, right] =
            Split::horizontal([Constraint::Min(46), Constraint::Length(3), Constraint::Length(30)])
                .areas(bottom);
        hidden = hidden.max(self.draw_lanes(frame, left, *from));
        hidden = hidden.max(self.draw_threads(frame, right, *from));
        *from = hidden.min(*from);
        let (ms, unit) = (count(self.now.interval_ns / 1_000_000), self.unit.name());
        let what = format!("latencies of the last {ms} ms in {unit}");
        draw_help(frame, help, &what, hidden > 0);
    }
}

fn failed(error: ConnectionError) -> VerbError {
    VerbError::Engine(error.to_string())
}
