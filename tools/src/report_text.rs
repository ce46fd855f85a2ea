//! The final report as calm tables: verdict, accounts, latency, orders, venues, failures, files.

mod failures;

use std::fmt::Write;

use pitlane_engine::dispatcher::order::StreamCounts;
use pitlane_engine::orchestrator::merge::MergeCounts;
use pitlane_engine::report::{ConsumerReport, RecordingReport, Report, TermCounts, VenueReport};
use pitlane_engine::runtime::Pinned;
use pitlane_engine::telemetry::LatencyFigures;
use pitlane_engine::text::escaped;

use crate::table::{count, micros, render, table};
use failures::failures;

/// The report for people, at most 100 columns wide.
#[must_use]
pub fn report_text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let _infallible = writeln!(text, "NOT WELL: {}", escaped(&finding.text));
    }
    text.push_str(&verdict(report));
    if let Some(recording) = &report.recording {
        let RecordingReport { frames, played, left_out, .. } = recording;
        let _infallible = writeln!(
            text,
            "Recording: {} of {} frames played, {} lines left out",
            count(*played),
            count(*frames),
            count(*left_out)
        );
    }
    section(&mut text, "Accounts, in events", &accounts(&report.consumers));
    section(&mut text, "Latency, in us", &latency(report));
    section(&mut text, "Orders", &orders(report));
    section(&mut text, "Venues, in frames", &venues(report));
    if report.merge.counts.opened > 0 {
        section(&mut text, "Merge windows", &merges(&report.merge.counts));
    }
    if !report.books.is_empty() {
        section(&mut text, "Books at the end, in levels", &books(report));
    }
    section(&mut text, "Threads", &threads(report));
    if report.consumers.iter().any(|consumer| consumer.failure_log.total > 0) {
        section(&mut text, "Failures of callbacks", &failures(&report.consumers));
    }
    if report.consumers.iter().any(|consumer| consumer.stalls.count > 0) {
        section(&mut text, "Stalls, in ms", &stalls(report));
    }
    for note in &report.notes {
        let _infallible = writeln!(text, "\nNote: {note}");
    }
    section(&mut text, "Files", &files(report));
    text
}

fn section(text: &mut String, title: &str, body: &str) {
    let _infallible = write!(text, "\n{title}\n\n{body}");
}

fn verdict(report: &Report) -> String {
    let holds = if report.identity_holds {
        "every account holds"
    } else {
        "AN ACCOUNT DOES NOT HOLD: see the rows marked NO"
    };
    let mut text = format!(
        "{holds}; {} events in {}.{:01} s; critical lost: {}\n",
        count(report.events_published),
        report.duration_ns / 1_000_000_000,
        report.duration_ns % 1_000_000_000 / 100_000_000,
        count(report.critical_lost),
    );
    let allocations = match report.allocations_steady_state {
        Some(allocations) => format!("{} in steady state", count(allocations)),
        None => "not counted".to_owned(),
    };
    let intake = &report.intake;
    let _infallible = writeln!(text, "Heap allocations of the pinned threads: {allocations}");
    let _infallible = writeln!(
        text,
        "Intake: {} in + {} merged = {} routed + {} unrouted + {} duplicate + {} late + {} flooded \
         + {} in flight",
        count(intake.events_in),
        count(intake.merged),
        count(intake.routed),
        count(intake.unrouted),
        count(intake.duplicate),
        count(intake.late),
        count(intake.flooded),
        count(intake.in_flight),
    );
    let (streams, routing) = (&report.streams, &report.routing);
    if *streams != StreamCounts::default() {
        let _infallible = writeln!(
            text,
            "Streams: {} held for an earlier one, {} reordered, {} gaps given up",
            count(streams.held),
            count(streams.reordered),
            count(streams.gap_given_up),
        );
    }
    if routing.flips + routing.flips_abandoned > 0 {
        let _infallible = writeln!(
            text,
            "Routes: {} flips, {} abandoned; at the end version {}, {} routes, {} merge rules",
            count(routing.flips),
            count(routing.flips_abandoned),
            routing.version,
            count(routing.routes),
            count(routing.merge_rules),
        );
    }
    if let Some(reason) = report.halted {
        let reason = reason.words();
        let _infallible = writeln!(text, "TRADING HALTED, critical events in danger: {reason}");
        for consumer in report.consumers.iter().filter(|consumer| consumer.critical_lost > 0) {
            let lost = count(consumer.critical_lost);
            let _infallible = writeln!(text, "CRITICAL LOST: {lost} of {}", consumer.name);
        }
    }
    for thread in &report.threads_left_behind {
        let _infallible = writeln!(text, "LEFT BEHIND, did not stop in time: thread {thread}");
    }
    text
}

type TermOf = fn(&TermCounts) -> u64;

/// The terms in the order of the identity; the second half is left out where it is 0 throughout.
const TERMS: [(&str, TermOf); 8] = [
    (">published", |terms| terms.published),
    (">handled", |terms| terms.handled),
    (">conflated", |terms| terms.conflated),
    (">aggregated", |terms| terms.aggregated),
    (">in flight", |terms| terms.in_flight),
    (">skipped", |terms| terms.skipped),
    (">dead lett.", |terms| terms.dead_lettered),
    (">discarded", |terms| terms.discarded),
];

/// Terms that are always shown.
const ALWAYS: usize = 5;

fn accounts(consumers: &[ConsumerReport]) -> String {
    let is_used = |term: TermOf| consumers.iter().any(|consumer| term(&consumer.terms) > 0);
    let shown: Vec<(&str, TermOf)> = TERMS
        .iter()
        .enumerate()
        .filter(|(index, (_, term))| *index < ALWAYS || is_used(*term))
        .map(|(_, term)| *term)
        .collect();
    let mut heads = vec!["consumer, kind"];
    heads.extend(shown.iter().map(|(head, _)| *head));
    heads.push("holds");
    let mut table = table(&heads);
    let row = |name: String, terms: &TermCounts, holds: bool| {
        let mut cells = vec![name];
        cells.extend(shown.iter().map(|(_, term)| count(term(terms))));
        cells.push(if holds { "yes" } else { "NO" }.to_owned());
        cells
    };
    for consumer in consumers {
        let holds = consumer.identity_holds();
        table.add_row(row(consumer.name.clone(), &consumer.terms, holds));
        for (kind, terms) in &consumer.kinds {
            table.add_row(row(format!("- {kind}"), terms, terms.identity_holds()));
        }
    }
    let mut text = render(&table);
    if shown.len() < TERMS.len() {
        let hidden = TERMS[ALWAYS..].iter().filter(|(_, term)| !is_used(*term));
        let hidden: Vec<&str> = hidden.map(|(head, _)| head.trim_start_matches('>')).collect();
        let _infallible = writeln!(text, "0 throughout: {}", hidden.join(", "));
    }
    text
}

fn latency(report: &Report) -> String {
    let mut table = table(&["stage", ">count", ">p50", ">p90", ">p99", ">p99.9", ">max"]);
    let mut add = |name: &str, figures: &LatencyFigures| {
        let values =
            [figures.p50_ns, figures.p90_ns, figures.p99_ns, figures.p999_ns, figures.max_ns];
        let mut cells = vec![name.to_owned(), count(figures.count)];
        cells.extend(values.map(|ns| if figures.count == 0 { "-".into() } else { micros(ns) }));
        table.add_row(cells);
    };
    for (name, figures) in &report.stages {
        add(name, figures);
    }
    add("tick to trade", &report.tick_to_trade);
    add("hiccups, all", &report.hiccups);
    let mut text = render(&table);
    if report.fanout_incomplete > 0 {
        let incomplete = count(report.fanout_incomplete);
        let _infallible =
            writeln!(text, "{incomplete} fan-outs not timed: a copy was conflated on the way");
    }
    text
}

fn merges(counts: &MergeCounts) -> String {
    let heads = [
        ">opened",
        ">complete",
        ">by time",
        ">by count",
        ">no place",
        ">rule went",
        ">at the stop",
        ">no room",
    ];
    let mut table = table(&heads);
    table.add_row(
        [
            counts.opened,
            counts.complete,
            counts.suppressed_timeout,
            counts.suppressed_count,
            counts.suppressed_evicted,
            counts.suppressed_rule_changed,
            counts.suppressed_stopped,
            counts.no_room,
        ]
        .map(count),
    );
    let events = format!(
        "{} events = {} merged + {} replaced + {} aggregated + {} withdrawn + {} late + {} suppressed\n",
        count(counts.offered),
        count(counts.merged),
        count(counts.replaced),
        count(counts.aggregated),
        count(counts.withdrawn),
        count(counts.late),
        count(counts.suppressed_events),
    );
    format!("{}{events}", render(&table))
}

fn orders(report: &Report) -> String {
    let heads = [
        "consumer",
        ">submitted",
        ">acknowledged",
        ">fills",
        ">filled",
        ">canceled",
        ">rejected",
        ">refused",
        ">open",
    ];
    let mut table = table(&heads);
    let mut open = 0;
    let rows = report.consumers.iter().map(|c| (c.name.as_str(), &c.orders, c.orders_open));
    open += report.consumers.iter().map(|consumer| consumer.orders_open).sum::<usize>();
    for (name, counts, open) in rows.chain([("all", &report.orders.counts, open)]) {
        let values = [
            counts.submitted,
            counts.acknowledged,
            counts.fills,
            counts.filled,
            counts.canceled,
            counts.rejected,
            counts.refused,
            open as u64,
        ];
        let mut cells = vec![name.to_owned()];
        cells.extend(values.map(count));
        table.add_row(cells);
    }
    let gateway = &report.orders.gateway;
    format!(
        "{}gateway: {} forwarded, {} rejected, {} unsent; {} never taken by a session\n",
        render(&table),
        count(gateway.forwarded),
        count(gateway.rejected),
        count(gateway.unsent),
        count(report.orders.untaken),
    )
}

fn venues(report: &Report) -> String {
    let heads = [
        "venue",
        ">frames",
        ">decoded",
        ">control",
        ">refused",
        ">events",
        ">reconnects",
        ">gaps",
        ">snapshots",
    ];
    let mut table = table(&heads);
    for VenueReport { name, counters } in &report.venues {
        let values = [
            counters.frames,
            counters.decoded,
            counters.control,
            counters.refused,
            counters.events,
            counters.reconnects,
            counters.gaps,
            counters.snapshots,
        ];
        let mut cells = vec![name.clone()];
        cells.extend(values.map(count));
        table.add_row(cells);
    }
    let mut text = render(&table);
    for VenueReport { name, counters } in &report.venues {
        if counters.unknown > 0 {
            let unknown = count(counters.unknown);
            let _infallible =
                writeln!(text, "{name}: {unknown} of the refused were of unknown kind");
        }
    }
    text
}

fn books(report: &Report) -> String {
    let mut table = table(&["symbol", "status", ">bids", ">asks", "sha256"]);
    for (symbol, book) in &report.books {
        table.add_row(vec![
            symbol.clone(),
            book.status.to_owned(),
            count(book.bid_levels as u64),
            count(book.ask_levels as u64),
            book.sha256.clone(),
        ]);
    }
    render(&table)
}

fn threads(report: &Report) -> String {
    let mut table = table(&["thread", ">core", "pinned", "idle", "agents"]);
    for thread in &report.threads {
        let pinned = match thread.pinned {
            Pinned::Yes => "yes",
            Pinned::NotAsked => "not asked",
            Pinned::Refused => "REFUSED",
            Pinned::Left => "left it",
            Pinned::Unknown => "unknown",
        };
        let core = thread.core.map_or("any".to_owned(), |core| core.to_string());
        let agents = thread.agents.join(", ");
        table.add_row([&thread.name, &core, pinned, &thread.idle, &agents]);
    }
    render(&table)
}

/// Callbacks beyond their budget, and where they left their consumers.
fn stalls(report: &Report) -> String {
    let heads =
        ["consumer", ">stalls", ">longest", ">total", ">conflated", ">critical waited", "now"];
    let mut table = table(&heads);
    for consumer in report.consumers.iter().filter(|consumer| consumer.stalls.count > 0) {
        let stalls = &consumer.stalls;
        let now = match (consumer.left_behind, stalls.is_quarantined, stalls.is_alone) {
            (true, _, _) => "NEVER RETURNED",
            (false, true, _) => "quarantined",
            (false, false, true) => "alone",
            (false, false, false) => "in its place",
        };
        table.add_row([
            consumer.name.clone(),
            count(stalls.count),
            millis(stalls.longest_ns),
            millis(stalls.total_ns),
            count(stalls.conflated),
            count(stalls.critical_waited),
            now.to_owned(),
        ]);
    }
    let mut text = render(&table);
    for demotion in &report.demotions {
        let _infallible = writeln!(
            text,
            "{} lost core {} after {} ms in a callback, at {}.{:01} s; {} has the rest",
            demotion.consumer,
            demotion.core.map_or("(not pinned)".to_owned(), |core| core.to_string()),
            millis(demotion.callback_ns),
            demotion.at_ns / 1_000_000_000,
            demotion.at_ns % 1_000_000_000 / 100_000_000,
            demotion.taken_by,
        );
    }
    text
}

/// Milliseconds with one decimal.
fn millis(ns: u64) -> String {
    format!("{}.{:01}", count(ns / 1_000_000), ns % 1_000_000 / 100_000)
}

fn files(report: &Report) -> String {
    let letters = &report.dead_letters;
    let mut text = String::new();
    let hlog = report.hlog.as_deref().unwrap_or("not written");
    let _infallible = writeln!(text, "latency log   {hlog}");
    let path = letters.path.as_deref().unwrap_or("none");
    let _infallible = writeln!(text, "dead letters  {path}, {} written", count(letters.written));
    if letters.dropped + letters.failed > 0 {
        let (dropped, failed) = (count(letters.dropped), count(letters.failed));
        let _infallible =
            writeln!(text, "              {dropped} without room, {failed} not written");
    }
    if report.log_lines_dropped > 0 {
        let dropped = count(report.log_lines_dropped);
        let _infallible = writeln!(text, "log lines     {dropped} without room");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pitlane_engine::consumer::{ConsumerState, FailureLog};
    use pitlane_engine::order::OrderCounts;
    use pitlane_engine::runtime::{Demotion, StallFigures};
    use pitlane_engine::venue::{BookSummary, VenueCounters};

    use super::*;

    /// A day's worth of events in every term.
    const MANY: u64 = 172_800_000;

    fn consumer(terms: TermCounts) -> ConsumerReport {
        ConsumerReport {
            name: "market_maker".into(),
            core: Some(1),
            state: ConsumerState::Stopped,
            terms,
            stale_handled: 0,
            failures: 0,
            critical_lost: 0,
            kinds: BTreeMap::from([("exec_report", terms)]),
            orders: OrderCounts { submitted: MANY, ..OrderCounts::default() },
            orders_open: 0,
            failure_log: FailureLog::default(),
            stalls: StallFigures::default(),
            left_behind: false,
        }
    }

    fn report(terms: TermCounts) -> Report {
        let counters =
            VenueCounters { frames: MANY, decoded: MANY, events: MANY, ..Default::default() };
        Report {
            identity_holds: terms.identity_holds(),
            critical_lost: 0,
            halted: None,
            events_published: MANY,
            allocations_steady_state: Some(0),
            duration_ns: 86_400_500_000_000,
            stages: BTreeMap::from([(
                "queue:market_maker".into(),
                LatencyFigures {
                    count: MANY,
                    p50_ns: 1_234,
                    max_ns: 10_000_000_000,
                    ..Default::default()
                },
            )]),
            consumers: vec![consumer(terms)],
            venues: vec![VenueReport { name: "simulated".into(), counters }],
            books: BTreeMap::from([("BTC-USDT".into(), book())]),
            notes: vec!["a note".into()],
            ..Report::default()
        }
    }

    fn book() -> BookSummary {
        let sha256 = "0123456789abcdef".repeat(4);
        BookSummary { sha256, status: "live", bid_levels: 1_209, ask_levels: 2_196 }
    }

    fn row<'a>(text: &'a str, start: &str) -> &'a str {
        let found = text.lines().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("no row {start:?} in:\n{text}"))
    }

    #[test]
    fn a_day_of_events_fits_a_hundred_columns_with_whole_numbers() {
        let terms = TermCounts { published: MANY, handled: MANY, ..TermCounts::default() };
        let text = report_text(&report(terms));
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        assert!(row(&text, "every account holds; ").contains("172,800,000 events in 86400.5 s"));
        assert!(row(&text, "queue:market_maker").contains("1.234"));
        assert!(row(&text, "queue:market_maker").ends_with("10,000,000.000"));
        assert!(row(&text, "simulated").starts_with("simulated  172,800,000  172,800,000 "));
        assert!(text.contains("0 throughout: skipped, dead lett., discarded"));
    }

    #[test]
    fn a_term_that_is_not_zero_is_shown_and_a_broken_account_stands_out() {
        let terms = TermCounts { published: 9, handled: 6, discarded: 2, ..TermCounts::default() };
        let text = report_text(&report(terms));
        assert!(row(&text, "AN ACCOUNT DOES NOT HOLD").contains("critical lost: 0"));
        assert!(row(&text, "consumer, kind").contains("discarded"));
        assert!(row(&text, "market_maker ").ends_with("NO"));
        assert!(row(&text, "- exec_report ").ends_with("NO"));
    }

    #[test]
    fn stalls_name_the_consumer_its_times_and_what_became_of_it() {
        let mut report = report(TermCounts::default());
        assert!(!report_text(&report).contains("Stalls"), "nothing is said where there are none");
        report.consumers[0].stalls = StallFigures {
            count: 1,
            total_ns: 86_400_000_000_000,
            longest_ns: 86_400_000_000_000,
            conflated: MANY,
            critical_waited: MANY,
            is_alone: true,
            ..StallFigures::default()
        };
        report.demotions = vec![Demotion {
            consumer: "market_maker".into(),
            thread: "consumers".into(),
            core: Some(1),
            at_ns: 86_400_000_000_000,
            callback_ns: 6_650_000,
            taken_by: "consumers+1".into(),
        }];
        let text = report_text(&report);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        assert!(text.contains("86,400,000.0") && text.contains("  alone"), "{text}");
        let line = row(&text, "market_maker lost core 1 after 6.6 ms in a callback");
        assert!(line.ends_with(", at 86400.0 s; consumers+1 has the rest"), "{line}");
        report.consumers[0].left_behind = true;
        assert!(report_text(&report).contains("NEVER RETURNED"));
    }

    #[test]
    fn a_thread_left_behind_and_lost_letters_are_named() {
        let mut report = report(TermCounts::default());
        report.threads_left_behind = vec!["consumers".into()];
        report.dead_letters.dropped = 3;
        report.allocations_steady_state = None;
        let text = report_text(&report);
        assert!(text.contains("LEFT BEHIND, did not stop in time: thread consumers"));
        assert!(text.contains("3 without room"));
        assert!(text.contains("pinned threads: not counted"));
    }
}
