//! The final report as calm tables: the verdict, what was earned, accounts, venues, latency,
//! threads, failures, files.

mod accounts;
mod failures;
mod latency;
mod threads;
mod venues;

use std::fmt::Write;

use pitlane_engine::dispatcher::sequencing::StreamCounts;
use pitlane_engine::report::{
    ConsumerReport, FindingKind, RecordingReport, Report, RunRecordReport,
};
use pitlane_engine::text::escaped;

use crate::contention_text::contention;
use crate::limits_text::limits;
use crate::recovery_text;
use crate::replay::sums_text;
use crate::table::count;
use crate::trading_text;
use accounts::accounts;
use failures::failures;
use latency::latency;
use threads::{stalls, threads};
use venues::{books, merges, venues};

/// The report for people, at most 100 columns wide.
#[must_use]
pub fn report_text(report: &Report) -> String {
    let mut text = trading_text::paper(&report.paper);
    for finding in &report.findings {
        let how = match finding.kind {
            FindingKind::Notice => "Worth a look",
            _ => "NOT WELL",
        };
        let _infallible = writeln!(text, "{how}: {}", escaped(&finding.text));
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
    section(&mut text, "Trading", &trading(report));
    let accounts = format!("{}{}", accounts(&report.consumers), intake(report));
    section(&mut text, "Accounts, in events", &accounts);
    section(&mut text, "Venues, in frames", &venues(report));
    if !report.limits.is_empty() {
        let mut text_of_limits = limits(&report.limits);
        for (limit, times) in &report.penalties_by_limit {
            let _infallible =
                writeln!(text_of_limits, "PENALTIES of the simulated venue: {limit} {times}");
        }
        section(&mut text, "What venues allow", &text_of_limits);
    }
    if report.merge.counts.opened > 0 {
        section(&mut text, "Merge windows", &merges(&report.merge.counts));
    }
    if !report.books.is_empty() {
        section(&mut text, "Books at the end, in levels", &books(report));
    }
    section(&mut text, "Latency, in us", &latency(report));
    section(&mut text, "Threads", &threads(report));
    text.push_str(&contention(&report.contention));
    if report.consumers.iter().any(|consumer| consumer.failure_log.total > 0) {
        section(&mut text, "Failures of callbacks", &failures(&report.consumers));
    }
    if report.consumers.iter().any(|consumer| consumer.stalls.count > 0) {
        section(&mut text, "Stalls, in ms", &stalls(report));
    }
    for note in &report.notes {
        let _infallible = writeln!(text, "\nNote: {note}");
    }
    if let Some(record) = &report.record {
        section(&mut text, "Record of this run", &record_text(record, &report.consumers));
    }
    section(&mut text, "Files", &files(report));
    text
}

/// What is kept of the run, and the hashes that a replay comes to.
fn record_text(record: &RunRecordReport, consumers: &[ConsumerReport]) -> String {
    let names: Vec<_> = consumers.iter().map(|consumer| consumer.name.clone()).collect();
    let mut text = sums_text(&record.sums, &names);
    let (path, kib) = (escaped(&record.path), count(record.bytes >> 10));
    let _infallible = match &record.ended_early {
        None => writeln!(text, "\nHash {:016x}; {kib} KiB in {path}", record.hash),
        Some(why) => writeln!(
            text,
            "\nTHE RECORD ENDS BEFORE THE RUN: {}; {kib} KiB in {path}",
            escaped(why)
        ),
    };
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

/// Events before they reach a consumer, and what the pinned threads allocated.
fn intake(report: &Report) -> String {
    let mut text = String::new();
    let allocations = match report.allocations_steady_state {
        Some(allocations) => {
            let of_tls = report.allocations_of_tls.filter(|of_tls| *of_tls > 0);
            let of_tls = of_tls.map(|of_tls| format!("; {} more of TLS", count(of_tls)));
            format!("{} in steady state{}", count(allocations), of_tls.unwrap_or_default())
        }
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
    text
}

/// Positions, profit, orders and refusals, and what the gateway did.
fn trading(report: &Report) -> String {
    let gateway = &report.orders.gateway;
    let mut text = recovery_text::recovery(&report.recovery);
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&trading_text::trading(&report.trading));
    let _infallible = writeln!(
        text,
        "Gateway: {} commands forwarded, {} rejected, {} unsent; {} never taken by a session",
        count(gateway.forwarded),
        count(gateway.rejected),
        count(gateway.unsent),
        count(report.orders.untaken),
    );
    for order in &report.orders.left_at_venues {
        let _infallible = writeln!(text, "LEFT OPEN: {}", escaped(&order.to_string()));
    }
    text
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
    let log = &report.order_log;
    for (name, file) in [("orders", &log.orders), ("fills", &log.fills)] {
        let path = file.path.as_deref().unwrap_or("none");
        let _infallible = writeln!(text, "{name:12}  {path}, {} lines", count(file.written));
        if file.failed > 0 {
            let _infallible = writeln!(text, "              {} NOT WRITTEN", count(file.failed));
        }
    }
    if log.dropped > 0 {
        let dropped = count(log.dropped);
        let _infallible = writeln!(text, "              {dropped} WITHOUT ROOM on their way");
    }
    if log.thinned > 0 {
        let thinned = count(log.thinned);
        let _infallible =
            writeln!(text, "              {thinned} refusals by own checks counted only");
    }
    let journal = &report.journal;
    let path = journal.path.as_deref().unwrap_or("none");
    let _infallible = writeln!(text, "journal       {path}, {} records", count(journal.records));
    text.push_str(&recovery_text::checkpoints(&journal.checkpoints));
    if report.log_lines_dropped > 0 {
        let dropped = count(report.log_lines_dropped);
        let _infallible = writeln!(text, "log lines     {dropped} without room");
    }
    text
}

#[cfg(test)]
mod tests;
