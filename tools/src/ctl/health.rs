//! Sessions and books of a running engine: what is up, and why something is not.

use std::fmt::Write as _;

use pitlane_engine::control::{BookStateStatus, SessionStatus};
use pitlane_engine::text::escaped;
use pitlane_engine::venue::PositionDifference;

use crate::table::{count, render, table};

/// Books that are not live and are named; of the others it is said how many there are.
const BOOKS_NAMED_MAX: usize = 10;

/// The sessions, and below them why one has no connection.
pub(super) fn sessions(sessions: &[SessionStatus]) -> String {
    let heads =
        ["session", "state", ">frames", ">decoded", ">refused", ">events", ">gaps", ">reconnects"];
    let mut table = table(&heads);
    for one in sessions {
        let paused = if one.is_paused { ", paused" } else { "" };
        table.add_row([
            format!("{}:{}", one.venue, one.role),
            format!("{}{paused}", one.state),
            count(one.frames),
            count(one.decoded),
            count(one.refused),
            count(one.events),
            count(one.gaps),
            count(one.reconnects),
        ]);
    }
    let mut text = render(&table);
    for one in sessions {
        let Some(left_ns) = one.dead_man_left_ns else { continue };
        let (venue, role) = (&one.venue, &one.role);
        let _infallible = match left_ns {
            0 => writeln!(text, "{venue}:{role} dead man: the venue's timer does not run"),
            ns => writeln!(
                text,
                "{venue}:{role} dead man: the venue cancels all in {} s",
                seconds(ns)
            ),
        };
    }
    for one in sessions {
        for PositionDifference { symbol, ours, venues } in &one.positions_differ {
            let (venue, role) = (&one.venue, &one.role);
            let _infallible = writeln!(
                text,
                "{venue}:{role} position: the account holds {venues} of {symbol}, and {ours} is \
                 counted here; new orders in it are refused, unless they only reduce"
            );
        }
    }
    for one in sessions {
        let Some(error) = &one.last_error else { continue };
        let _infallible = writeln!(
            text,
            "{}:{} down for {} s, next try in {} s: {}",
            one.venue,
            one.role,
            seconds(one.down_ns),
            seconds(one.next_try_ns),
            escaped(error)
        );
    }
    text
}

/// How many books are live, and each that is not.
pub(super) fn books(books: &[BookStateStatus]) -> String {
    if books.is_empty() {
        return String::new();
    }
    let (live, others): (Vec<_>, Vec<_>) = books.iter().partition(|book| book.status == "live");
    let mut text = format!("books: {} live, {} not\n", live.len(), others.len());
    for book in others.iter().take(BOOKS_NAMED_MAX) {
        let BookStateStatus { venue, instrument, status, reason, for_ns } = book;
        let seconds = seconds(*for_ns);
        let _infallible =
            writeln!(text, "- {instrument} {venue}: {status} ({reason}) for {seconds} s");
    }
    if others.len() > BOOKS_NAMED_MAX {
        let _infallible = writeln!(text, "- and {} more", others.len() - BOOKS_NAMED_MAX);
    }
    text
}

fn seconds(ns: u64) -> String {
    format!("{}.{}", count(ns / 1_000_000_000), ns % 1_000_000_000 / 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_down_says_why_since_when_and_until_when() {
        let session = SessionStatus {
            venue: "x".into(),
            role: "orders".into(),
            state: "waiting".into(),
            last_error: Some("bad\u{1b}[2J key".into()),
            down_ns: 12_300_000_000,
            next_try_ns: 1_000_000_000,
            ..SessionStatus::default()
        };
        let text = sessions(&[session]);
        assert!(text.contains("x:orders down for 12.3 s, next try in 1.0 s: bad"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn books_that_are_not_live_are_named() {
        let book = |status: &str| BookStateStatus {
            venue: "x".into(),
            instrument: "BTC-USDT".into(),
            status: status.into(),
            reason: "gap".into(),
            for_ns: 3_000_000_000,
        };
        let text = books(&[book("live"), book("stale")]);
        assert_eq!(text, "books: 1 live, 1 not\n- BTC-USDT x: stale (gap) for 3.0 s\n");
        assert_eq!(books(&[]), "");
    }
}
