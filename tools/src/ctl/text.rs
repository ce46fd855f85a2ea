//! What a person sees of the engine's answers.

use std::fmt::Write as _;

use pitlane_engine::control::protocol::{FlipReport, Reply, ReplyLine, RouteRow};
use pitlane_engine::control::{ConsumerStatus, MergeStatus, RefusalText, RunRecordStatus, Status};

use pitlane_engine::dispatcher::sequencing::StreamCounts;
use pitlane_engine::order::order_log::OpenOrderRow;
use pitlane_engine::order::trading::rounded;
use pitlane_engine::text::escaped;

use super::audit_text::audit;
use super::health::{books, sessions};
use super::risk_text;
use crate::contention_text::contention;
use crate::limits_text::limits;
use crate::recovery_text;
use crate::table::{count, micros, render, table};
use crate::trading_text;

/// Lanes that were never used by so much of their slots, in percent, are left out of a reading.
const LANE_SHOWN_PERCENT: u64 = 1;

/// An answer.
pub(crate) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Status(status) => self::status(status),
        Reply::Audit { holds, consumers } => audit(*holds, consumers),
        Reply::Orders { orders, missed } => self::orders(orders, *missed),
        Reply::Routes { version, routes } => self::routes(*version, routes),
        Reply::Flip(report) => flip(report),
        Reply::Merge { rule, flip: report } if report.added.is_empty() => {
            format!("merge rule {rule} was in force already\n")
        }
        Reply::Merge { rule, flip: report } => {
            format!("merge rule {rule} is in force\n{}", flip(report))
        }
        Reply::Mode { trading, was_trading } if trading == was_trading => {
            format!("trading was {} already\n", on_off(*trading))
        }
        Reply::Mode { trading, .. } => format!("trading is {} now\n", on_off(*trading)),
        Reply::Risk(state) => risk_text::state(state),
        Reply::Limits { changed } => changed.join("\n") + "\n",
        Reply::Stopping {} => "the engine is stopping: no new orders, open ones cancelled\n".into(),
        Reply::Done { message, state } => format!("{message}; it is {state} now\n"),
    }
}

/// A refusal, with what may have been meant.
pub(super) fn refusal(refusal: Option<&RefusalText>) -> String {
    let Some(refusal) = refusal else { return "refused, without a reason".to_owned() };
    match &refusal.suggestion {
        Some(suggestion) => format!("{}; did you mean {suggestion:?}?", refusal.message),
        None => refusal.message.clone(),
    }
}

/// Whether the engine has said that it stops.
pub(crate) fn is_farewell(answer: &ReplyLine) -> bool {
    answer.refusal.as_ref().is_some_and(|refusal| refusal.code == "stopping")
}

fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn flip(report: &FlipReport) -> String {
    let mut text = String::new();
    let mut table = table(&["", "consumer", "instrument", "source", "kind"]);
    for (sign, routes) in [("+", &report.added), ("-", &report.removed)] {
        for row in routes {
            table.add_row([sign, &row.consumer, &row.instrument, &row.source, &row.event]);
        }
    }
    if report.added.len() + report.removed.len() > 0 {
        text.push_str(&render(&table));
    }
    if text.is_empty() {
        return format!("nothing to change; routing version {}\n", report.version);
    }
    let changes = format!("{} routes come, {} go", report.added.len(), report.removed.len());
    let _infallible = match report.is_dry_run {
        true => writeln!(text, "dry run, nothing was changed: {changes}"),
        false => writeln!(
            text,
            "{changes}; routing version {}, the step took {} us with {} market events queued",
            report.version,
            micros(report.step_ns),
            count(report.stale_queued)
        ),
    };
    text
}

fn routes(version: u32, routes: &[RouteRow]) -> String {
    let mut table = table(&["consumer", "instrument", "source", "kinds"]);
    let mut left = routes;
    while let Some(first) = left.first() {
        let is_same = |row: &&RouteRow| {
            (&row.consumer, &row.instrument, &row.source)
                == (&first.consumer, &first.instrument, &first.source)
        };
        let same = left.iter().take_while(is_same).count();
        let kinds: Vec<_> = left[..same].iter().map(|row| row.event.as_str()).collect();
        table.add_row([&first.consumer, &first.instrument, &first.source, &kinds.join(" ")]);
        left = &left[same..];
    }
    format!("{}{} routes, routing version {version}\n", render(&table), count(routes.len() as u64))
}

fn orders(orders: &[OpenOrderRow], missed: u64) -> String {
    let heads = [
        "strategy",
        "venue",
        "instrument",
        ">order",
        ">venue's",
        "side",
        ">price",
        ">quantity",
        ">filled",
        "status",
    ];
    let mut table = table(&heads);
    for row in orders {
        let is_known = row.certainty == "known" || row.venue_order_id.is_none();
        // With blanks it wraps between words.
        let status = row.status.replace('_', " ");
        let status = if is_known { status } else { format!("{status} ({})", row.certainty) };
        table.add_row([
            row.strategy.clone(),
            row.venue.clone(),
            row.instrument.clone(),
            row.order.to_string(),
            row.venue_order_id.clone().unwrap_or_else(|| "-".to_owned()),
            row.side.clone(),
            row.price.clone(),
            row.qty.clone(),
            row.filled.clone(),
            status,
        ]);
    }
    let open = match orders.len() {
        1 => "1 order is open".to_owned(),
        many => format!("{} orders are open", count(many as u64)),
    };
    let doubt = match missed {
        0 => String::new(),
        missed => format!("; NOT EXACT: {} notes of orders found no room", count(missed)),
    };
    format!("{}{open}{doubt}\n", if orders.is_empty() { String::new() } else { render(&table) })
}

/// What is kept of the run, where anything is.
fn record_line(record: Option<&RunRecordStatus>) -> String {
    let Some(RunRecordStatus { bytes, ended_early }) = record else { return String::new() };
    let kib = count(bytes >> 10);
    match ended_early {
        None => format!("Recorded for a replay: {kib} KiB\n"),
        Some(why) => format!("THE RECORD OF THIS RUN HAS ENDED at {kib} KiB: {}\n", escaped(why)),
    }
}

/// What TLS has allocated, behind what everybody else has.
fn more_of_tls(status: &Status) -> String {
    let of_tls = status.allocations_of_tls.filter(|of_tls| *of_tls > 0);
    of_tls.map_or_else(String::new, |of_tls| format!(" ({} more of TLS)", count(of_tls)))
}

fn status(status: &Status) -> String {
    let mut text = trading_text::paper(&status.paper);
    text.push_str(&record_line(status.record.as_ref()));
    let _infallible = writeln!(
        text,
        "{}, process {}, up {} s, profile {}, trading {}, routing version {} ({} flips)",
        status.run,
        status.pid,
        count(status.uptime_ns / 1_000_000_000),
        status.profile,
        on_off(status.trading),
        status.routing_version,
        count(status.flips)
    );
    if let Some(reason) = &status.halted {
        let _infallible = writeln!(text, "TRADING HALTED for good: {reason}");
    }
    let letters = status.dead_letters;
    let _infallible = writeln!(
        text,
        "{} events, critical lost {}, allocations {}{}\n\
         dead letters {} ({} found no room), log lines dropped {}, control requests {} ({} refused)",
        count(status.events),
        count(status.critical_lost),
        status.allocations.map_or_else(|| "not counted yet".to_owned(), count),
        more_of_tls(status),
        count(letters.sent),
        count(letters.dropped),
        count(status.log_lines_dropped),
        count(status.requests),
        count(status.refusals)
    );
    let streams = &status.streams;
    let is_in_order = *streams == StreamCounts::default();
    if !is_in_order {
        let _infallible = writeln!(
            text,
            "streams: duplicate {}, late {}, flooded {}; {} held, {} reordered, {} gaps given up",
            count(streams.duplicate),
            count(streams.late),
            count(streams.flooded),
            count(streams.held),
            count(streams.reordered),
            count(streams.gap_given_up)
        );
    }
    for clock in status.clocks.iter().filter(|clock| clock.reading.is_measured) {
        let _infallible = writeln!(text, "{}: {}", clock.venue, clock.reading);
    }
    text.push_str(&recovery_text::checkpoints(&status.checkpoints));
    let parts = [
        sessions(&status.sessions),
        books(&status.books),
        recovery_text::recovery(&status.recovery),
        trading_text::trading(&status.strategies),
        risk_text::held_back(&status.risk),
        limits(&status.limits),
        consumers(&status.consumers),
        merges(&status.merges),
        latencies(status),
        lanes(status),
        threads(status),
        contention(&status.contention),
    ];
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        text.push('\n');
        text.push_str(&part);
    }
    text
}

/// The rules, and under each its venues.
fn merges(merges: &[MergeStatus]) -> String {
    if merges.is_empty() {
        return String::new();
    }
    let heads = [
        "merge rule",
        ">window ms",
        ">events",
        ">opened",
        ">complete",
        ">by time",
        ">by count",
        ">missing",
        ">skew us",
        ">max us",
    ];
    let mut table = table(&heads);
    for one in merges {
        let mut row = vec![
            format!("{} {} {}", one.rule, one.instrument, one.event),
            count(one.window_ns / 1_000_000),
        ];
        let counts = &one.counts;
        row.extend(
            [
                u64::from(one.max_events),
                counts.opened,
                counts.complete,
                counts.suppressed_timeout,
                counts.suppressed_count,
            ]
            .map(count),
        );
        table.add_row(row);
        for venue in &one.venues {
            let mut row = vec![format!("- {}", venue.venue)];
            row.resize(7, String::new());
            row.push(count(venue.missing));
            row.extend([venue.skew_mean_ns, venue.skew_max_ns].map(micros));
            table.add_row(row);
        }
    }
    let note =
        "by time, by count: windows suppressed with a venue missing; skew: behind the newest\n";
    format!("{}{note}", render(&table))
}

fn consumers(consumers: &[ConsumerStatus]) -> String {
    if consumers.is_empty() {
        return String::new();
    }
    let heads = [
        "consumer", "state", ">core", ">handled", ">skipped", ">merged", ">lost", ">failed",
        ">orders", ">pending",
    ];
    let mut table = table(&heads);
    for one in consumers {
        let state = match one.stalled_ns {
            0 => one.state.clone(),
            ns => format!("{} {} ms", one.state, count(ns / 1_000_000)),
        };
        table.add_row([
            one.name.clone(),
            state,
            one.core.map_or_else(|| "-".to_owned(), |core| core.to_string()),
            count(one.handled),
            count(one.skipped),
            count(one.conflated + one.aggregated),
            count(one.dead_lettered + one.discarded),
            count(one.failures),
            count(one.orders_open),
            count(one.pending),
        ]);
    }
    let note = "merged: conflated or aggregated; lost: dead letters and discarded\n";
    format!("{}{note}", render(&table))
}

fn latencies(status: &Status) -> String {
    if status.stages.is_empty() {
        return String::new();
    }
    let heads = [">stage", ">count", ">p50 us", ">p90 us", ">p99 us", ">p99.9 us", ">max us"];
    let mut table = table(&heads);
    if let Some(column) = table.column_mut(0) {
        column.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    for stage in &status.stages {
        let of = &stage.latency;
        let mut row = vec![stage.name.clone(), count(of.count)];
        row.extend([of.p50_ns, of.p90_ns, of.p99_ns, of.p999_ns, of.max_ns].map(micros));
        table.add_row(row);
    }
    format!("{}the last {} ms\n", render(&table), count(status.interval_ns / 1_000_000))
}

fn lanes(status: &Status) -> String {
    let is_used = |high_water: u64, slots: u64| high_water * 100 >= slots * LANE_SHOWN_PERCENT;
    let mut table = table(&["lane", ">in it", ">slots", ">most", ">full"]);
    let mut hidden = 0;
    for lane in &status.lanes {
        if lane.in_flight == 0 && lane.full == 0 && !is_used(lane.high_water, lane.slots) {
            hidden += 1;
            continue;
        }
        let numbers = [lane.in_flight, lane.slots, lane.high_water, lane.full].map(count);
        let mut row = vec![lane.name.clone()];
        row.extend(numbers);
        table.add_row(row);
    }
    format!("{}{hidden} lanes have never held {LANE_SHOWN_PERCENT} %\n", render(&table))
}

fn threads(status: &Status) -> String {
    let mut table = table(&["thread", ">core", "pinned", ">CPU %", "agents"]);
    for thread in &status.threads {
        let cpu = thread.cpu_permille;
        table.add_row([
            thread.name.clone(),
            thread.core.map_or_else(|| "-".to_owned(), |core| core.to_string()),
            thread.pinned.clone(),
            cpu.map_or_else(|| "-".to_owned(), |used| format!("{}.{}", used / 10, used % 10)),
            thread.agents.join(" "),
        ]);
    }
    render(&table)
}

/// Nanoseconds as microseconds, with as many places as a line has room for.
fn short_micros(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{}.{}", ns / 1_000, ns % 1_000 / 100),
        _ => count((ns + 500) / 1_000),
    }
}

/// Columns of a line of `watch`: those of a plain terminal.
const WATCH_WIDTH: usize = 80;

/// What all strategies have earned, by quote asset, and their open orders.
fn net(status: &Status) -> String {
    let mut text = String::new();
    let rows = status.strategies.iter().flat_map(|one| &one.positions);
    let open: u64 = rows.map(|row| row.orders_open).sum();
    if open > 0 {
        let _infallible = write!(text, "{} open | ", count(open));
    }
    for total in status.strategies.iter().flat_map(|one| &one.totals).take(2) {
        let net = total.net.as_deref().map_or_else(|| "?".to_owned(), |net| rounded(net, 2));
        let _infallible = write!(text, "net {net} {} | ", escaped(&total.asset));
    }
    text
}

/// One line of `watch`, with rates since the reading before.
#[derive(Debug, Default)]
pub(super) struct WatchLine {
    last: Option<(u64, u64)>,
}

impl WatchLine {
    pub(super) fn update(&mut self, status: &Status) -> String {
        let (now_ns, events) = (status.uptime_ns, status.events);
        let (then_ns, before) = self.last.unwrap_or((0, 0));
        let elapsed_ns = u128::from(now_ns.saturating_sub(then_ns).max(1));
        let rate = u128::from(events.saturating_sub(before)) * 1_000_000_000 / elapsed_ns;
        self.last = Some((now_ns, events));
        let end_to_end = status.stages.iter().find(|stage| stage.name == "end_to_end");
        let latency = end_to_end.map(|stage| stage.latency).unwrap_or_default();
        let fullest = status.lanes.iter().filter(|lane| lane.in_flight > 0);
        let fullest = fullest.max_by_key(|lane| lane.in_flight * 1_000 / lane.slots.max(1));
        let sum = |of: fn(&ConsumerStatus) -> u64| status.consumers.iter().map(of).sum::<u64>();
        let mut line = String::new();
        let _infallible = write!(line, "{:>5} s | ", now_ns / 1_000_000_000);
        // What is wrong comes first: the line is cut at its end.
        if status.critical_lost > 0 {
            let _infallible = write!(line, "CRITICAL LOST {} | ", count(status.critical_lost));
        }
        for one in status.consumers.iter().filter(|one| one.state != "running") {
            let _infallible = write!(line, "{} {} | ", one.name, one.state.to_uppercase());
        }
        for one in &status.sessions {
            if one.is_paused || !matches!(one.state.as_str(), "open" | "none") {
                let state = if one.is_paused { "paused" } else { &one.state };
                let _infallible = write!(line, "{} {} | ", one.venue, state.to_uppercase());
            }
        }
        if !status.trading {
            line.push_str("trading off | ");
        }
        let _infallible = write!(
            line,
            "{}{}/s | p50 {} p99 {} max {} us | {} merged | {} failed | {}",
            net(status),
            count(u64::try_from(rate).unwrap_or(u64::MAX)),
            short_micros(latency.p50_ns),
            short_micros(latency.p99_ns),
            short_micros(latency.max_ns),
            count(sum(|one| one.conflated + one.aggregated)),
            count(sum(|one| one.failures)),
            fullest.map_or_else(
                || "lanes empty".to_owned(),
                |lane| format!("{} {}/{}", lane.name, lane.in_flight, lane.slots)
            ),
        );
        line.chars().take(WATCH_WIDTH - 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use pitlane_engine::control::{LaneStatus, StageStatus};
    use pitlane_engine::telemetry::LatencyFigures;

    use super::*;
    use crate::table::WIDTH;

    fn consumer(name: &str, state: &str) -> ConsumerStatus {
        ConsumerStatus {
            name: name.into(),
            state: state.into(),
            handled: 12_345_678_901,
            conflated: 1_234_567,
            pending: 1_024,
            ..ConsumerStatus::default()
        }
    }

    fn sample() -> Status {
        let latency =
            LatencyFigures { count: 5, p50_ns: 1_234, max_ns: 7_654_321, ..Default::default() };
        Status {
            run: "run-1".into(),
            uptime_ns: 2_000_000_000,
            events: 4_000,
            trading: true,
            consumers: vec![consumer("market_maker", "running"), consumer("b", "quarantined")],
            stages: vec![StageStatus { name: "end_to_end".into(), latency }],
            lanes: vec![
                LaneStatus { name: "a".into(), in_flight: 5, slots: 64, ..Default::default() },
                LaneStatus { name: "never used".into(), slots: 64, ..Default::default() },
            ],
            ..Status::default()
        }
    }

    #[test]
    fn a_reading_fits_the_width_with_large_numbers_and_keeps_words_whole() {
        let text = reply(&Reply::Status(Box::new(sample())));
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        for part in ["market_maker", "quarantined", "12,345,678,901", "7,654.321", "1 lanes"] {
            assert!(text.contains(part), "{part} is missing from:\n{text}");
        }
        assert!(!text.contains("never used"), "{text}");
    }

    #[test]
    fn a_watched_line_has_rates_and_what_is_wrong_first() {
        let mut line = WatchLine::default();
        assert!(line.update(&sample()).contains("2,000/s | p50 1.2 p99 0.0 max 7,654 us"));
        let mut status = sample();
        status.uptime_ns += 1_000_000_000;
        status.events += 500;
        (status.trading, status.critical_lost) = (false, 3);
        let text = line.update(&status);
        assert!(
            text.starts_with("    3 s | CRITICAL LOST 3 | b QUARANTINED | trading off | 500/s"),
            "{text}"
        );
        assert!(text.chars().count() < WATCH_WIDTH);
    }

    #[test]
    fn routes_of_one_stream_share_a_line_and_a_flip_shows_both_sides() {
        let row = |event: &str| RouteRow {
            consumer: "noop".into(),
            instrument: "BTC-USDT".into(),
            source: "simulated".into(),
            event: event.into(),
        };
        let text = routes(3, &[row("quote"), row("trade")]);
        assert!(text.contains("quote trade") && text.contains("2 routes, routing version 3"));
        let report = FlipReport {
            is_dry_run: true,
            added: vec![row("book")],
            removed: vec![row("bar")],
            ..FlipReport::default()
        };
        let text = flip(&report);
        assert!(text.contains("+  noop") && text.contains("-  noop"), "{text}");
        assert!(text.contains("dry run, nothing was changed: 1 routes come, 1 go"), "{text}");
    }
}
