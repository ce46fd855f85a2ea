//! Venues: their intake, the books as they stood, merge windows.

use std::fmt::Write;

use pitlane_engine::orchestrator::merge::MergeCounts;
use pitlane_engine::report::{Report, VenueReport};

use crate::table::{count, render, table};

pub(super) fn venues(report: &Report) -> String {
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
    for VenueReport { name, counters, .. } in &report.venues {
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
    for VenueReport { name, counters, .. } in &report.venues {
        if counters.unknown > 0 {
            let unknown = count(counters.unknown);
            let _infallible =
                writeln!(text, "{name}: {unknown} of the refused were of unknown kind");
        }
    }
    for VenueReport { name, clock, .. } in report.venues.iter().filter(|v| v.clock.is_measured) {
        let _infallible = writeln!(text, "{name}: {clock}");
    }
    text
}

pub(super) fn books(report: &Report) -> String {
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

pub(super) fn merges(counts: &MergeCounts) -> String {
    let heads = [
        ">opened",
        ">complete",
        ">by time",
        ">by count",
        ">no place",
        ">rule went",
        ">at the stop",
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
