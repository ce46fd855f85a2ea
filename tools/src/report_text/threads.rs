//! Threads as they ran, and what held them up.

use std::fmt::Write;

use pitlane_engine::report::Report;
use pitlane_engine::runtime::Pinned;

use crate::table::{count, render, table};

pub(super) fn threads(report: &Report) -> String {
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
pub(super) fn stalls(report: &Report) -> String {
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
