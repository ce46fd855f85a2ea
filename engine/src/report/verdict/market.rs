//! Market data that was not what it should have been.

use super::FindingKind;
use crate::report::{RecordingReport, Report, SilentStream};
use crate::venue::{BookSummary, PositionDifference, VenueCounters};

/// A run that is over sooner may not have heard anything yet.
const HEARD_WITHIN_NS: u64 = 3_000_000_000;

/// Streams of single kinds may be silent for longer: a quiet market has no trades for a while.
const KINDS_HEARD_WITHIN_NS: u64 = 60_000_000_000;

/// A venue's clock that differs by more is told: venues refuse orders from a second on.
const CLOCK_OFF_NS: u64 = 500_000_000;

/// Snapshots are paced: with many instruments, not every book can be live at once.
const BOOKS_LIVE_WITHIN_NS: u64 = 10_000_000_000;

/// Instruments named in one line.
const NAMED_MAX: usize = 5;

pub(super) fn find(report: &Report, add: &mut impl FnMut(FindingKind, String)) {
    books(report, add);
    silent_venues(report, add);
    silent_streams(report, add);
    match &report.recording {
        Some(recording) => of_recording(report, recording, add),
        None => of_live_venues(report, add),
    }
}

fn books(report: &Report, add: &mut impl FnMut(FindingKind, String)) {
    let kind = FindingKind::MarketDataIncomplete;
    let is_recording = report.recording.is_some();
    // A recording has its snapshots.
    let is_distrusted = |status| status == "stale" || (status != "live" && is_recording);
    for (name, book) in report.books.iter().filter(|(_, book)| is_distrusted(book.status)) {
        let status = book.status;
        add(kind, format!("the book of {name} is {status} at the end: not to be trusted"));
    }
    if !is_recording && report.duration_ns >= HEARD_WITHIN_NS {
        never_live(report, add);
    }
    for (name, book) in &report.books {
        if book.levels_dropped > 0 {
            let kind = if is_recording { kind } else { FindingKind::Notice };
            let dropped = book.levels_dropped;
            let hint = "raise book_levels_max";
            add(
                kind,
                format!("the book of {name} lacks {dropped} levels, dropped for room: {hint}"),
            );
        }
    }
}

/// Live books that still wait for a snapshot.
fn never_live(report: &Report, add: &mut impl FnMut(FindingKind, String)) {
    let is_off = |name: &str| {
        let mut venues = report.venues.iter().filter(|venue| venue.is_off);
        // The name of a book tells its venue where there are several.
        venues.any(|venue| match name.rsplit_once('@') {
            Some((_, at)) => at == venue.name,
            None => report.venues.len() == 1,
        })
    };
    let waits = |(name, book): &(&String, &BookSummary)| {
        !matches!(book.status, "live" | "stale") && !is_off(name)
    };
    let waiting: Vec<&str> =
        report.books.iter().filter(waits).map(|(name, _)| name.as_str()).collect();
    if waiting.is_empty() {
        return;
    }
    let kind = match report.duration_ns < BOOKS_LIVE_WITHIN_NS {
        true => FindingKind::Notice,
        false => FindingKind::MarketDataIncomplete,
    };
    let named = named(&waiting);
    add(kind, format!("books not live at the end, no snapshot fitted: {named}"));
}

/// The first few of many names.
fn named(names: &[&str]) -> String {
    let more = match names.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names[..names.len().min(NAMED_MAX)].join(", ") + &more
}

/// Venues that were switched on and sent no market data.
fn silent_venues(report: &Report, add: &mut impl FnMut(FindingKind, String)) {
    if report.duration_ns < HEARD_WITHIN_NS && report.recording.is_none() {
        return;
    }
    for venue in report.venues.iter().filter(|venue| !venue.is_off && venue.market_frames == 0) {
        let counters = &venue.counters;
        if counters.events > 0 && counters.frames == 0 {
            // It has no sockets.
            continue;
        }
        let how = match counters.reconnects {
            0 => "it sent no market data".to_owned(),
            lost => format!("it sent no market data; {lost} connections failed or were lost"),
        };
        add(FindingKind::MarketDataIncomplete, format!("[{}] {how}", venue.name));
    }
}

fn silent_streams(report: &Report, add: &mut impl FnMut(FindingKind, String)) {
    let is_recording = report.recording.is_some();
    let is_late = |stream: &&SilentStream| {
        let within_ns = match stream.is_silent {
            true => HEARD_WITHIN_NS,
            false => KINDS_HEARD_WITHIN_NS,
        };
        is_recording || report.duration_ns >= within_ns
    };
    let silent: Vec<&SilentStream> = report.silent_streams.iter().filter(is_late).collect();
    let mut left = silent.as_slice();
    while let Some(first) = left.first() {
        let key = |stream: &SilentStream| {
            (stream.consumer.clone(), stream.venue.clone(), stream.events.clone())
        };
        let same = left.iter().take_while(|stream| key(stream) == key(first)).count();
        let names: Vec<&str> =
            left[..same].iter().map(|stream| stream.instrument.as_str()).collect();
        let SilentStream { consumer, venue, events, .. } = first;
        let (events, named) = (events.join(", "), named(&names));
        let text = format!("{consumer} subscribes to {events} of {named}: {venue} never sent any");
        add(FindingKind::Notice, text);
        left = &left[same..];
    }
}

fn of_recording(
    report: &Report,
    recording: &RecordingReport,
    add: &mut impl FnMut(FindingKind, String),
) {
    let kind = FindingKind::MarketDataIncomplete;
    if recording.played < recording.frames {
        let RecordingReport { frames, played, .. } = recording;
        add(kind, format!("only {played} of the recording's {frames} frames were played"));
    }
    let of_venues = |count: fn(&VenueCounters) -> u64| -> u64 {
        report.venues.iter().map(|venue| count(&venue.counters)).sum()
    };
    let (refused, gaps) = (of_venues(|counts| counts.refused), of_venues(|counts| counts.gaps));
    if refused > 0 {
        let where_ = "see the dead letters";
        add(kind, format!("{refused} frames of the recording were refused, {where_}"));
    }
    if gaps > 0 {
        add(kind, format!("{gaps} gaps in the recording's sequences"));
    }
}

/// What a live venue got wrong and the engine mended, or counted.
fn of_live_venues(report: &Report, add: &mut impl FnMut(FindingKind, String)) {
    for venue in &report.venues {
        let counts = &venue.counters;
        let told = [
            (counts.refused, "frames were refused, see the dead letters"),
            (counts.gaps, "gaps in its sequences: the books were synchronised anew"),
            (counts.reconnects, "connections were lost, or could not be made"),
            (counts.contradictions, "words of the venue contradict what is known of an order"),
            (counts.revived, "orders live, or have filled, whose end had been told"),
        ];
        for (count, words) in told.into_iter().filter(|(count, _)| *count > 0) {
            add(FindingKind::Notice, format!("[{}] {count} {words}", venue.name));
        }
    }
    for venue in &report.venues {
        for PositionDifference { symbol, ours, venues } in &venue.positions_differ {
            let text = format!(
                "[{}] the account holds {venues} of {symbol}, and {ours} was counted here",
                venue.name
            );
            add(FindingKind::Notice, text);
        }
        let (ahead_ns, unsure_ns) = (venue.clock.ahead_ns, venue.clock.uncertainty_ns);
        if venue.clock.is_measured && ahead_ns.unsigned_abs() > CLOCK_OFF_NS + unsure_ns {
            add(FindingKind::Notice, format!("[{}] {}", venue.name, venue.clock));
        }
    }
    for limits in report.limits.iter().filter(|limits| limits.pauses_imposed > 0) {
        let (venue, pauses) = (&limits.venue, limits.pauses_imposed);
        add(FindingKind::Notice, format!("[{venue}] it imposed {pauses} pauses or bans"));
    }
}
