//! Market data, against the venue's own books and times.

use std::collections::{BTreeMap, VecDeque};

use super::evidence::Evidence;
use crate::event::{Event, EventKind, Payload};
use crate::simulation::told::ConsumerNotes;
use crate::venue::simulated::{FaultName, Ledger, LedgerTop, TOPS_MAX};

/// The age of the newest book that a strategy may have, ms.
const BOOK_AGE_MS: i64 = 10_000;

/// 8: a book comes only while it is said to be live, and is never crossed.
pub(super) fn book_is_live(notes: &ConsumerNotes, event: &Event, _now_ns: u64) -> Option<String> {
    let Some(Payload::Book(book)) = event.payload() else { return None };
    if notes.stream(event, EventKind::Book).is_stale {
        return Some(format!("book {} while it is not live", event.sequence));
    }
    let has_both = event.bid_levels > 0 && event.ask_levels > 0;
    let (bid, ask) = (book.bids[0].price, book.asks[0].price);
    (has_both && bid >= ask).then(|| format!("book {} is crossed: {bid} {ask}", event.sequence))
}

/// 8: all that at rest shows of it.
pub(super) fn truth(of: &Evidence<'_>) -> Vec<String> {
    [book_truth(of), prints(of), books_follow(of)].concat()
}

/// Number and record of the venues whose numbers are the exchange's own: those of other kinds have
/// numbers of their dialect.
fn usual<'a>(of: &Evidence<'a>) -> impl Iterator<Item = (usize, &'a Ledger)> {
    let (plan, ledgers) = (of.plan, of.ledgers.iter().enumerate());
    ledgers.filter(|(venue, _)| plan.is_usual(*venue))
}

/// What the venue had, by market and number, as hashes: after a restart of its ids one number is
/// that of several. Nothing where some of them are forgotten, since then nobody knows all.
fn by_number(
    of: &Evidence<'_>,
    venue: usize,
    told: &VecDeque<LedgerTop>,
) -> BTreeMap<(u32, u64), Vec<u64>> {
    let mut truth: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    let is_renumbered = of.simulated[venue].faults(FaultName::IdRestart) > 0;
    if told.len() == TOPS_MAX && is_renumbered {
        return truth;
    }
    for top in told {
        truth.entry((top.market as u32, top.update_id)).or_default().push(top.hash);
    }
    truth
}

/// 8: its best levels are those that the venue had at the same update id.
fn book_truth(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (venue, ledger) in usual(of) {
        let truth = by_number(of, venue, &ledger.tops);
        for notes in of.consumers.values() {
            let books = notes.books.iter().filter(|book| usize::from(book.venue) == venue);
            for book in books {
                let key = (book.instrument, book.update_id);
                let Some(hashes) = truth.get(&key) else { continue };
                if !hashes.contains(&book.hash) {
                    found.push(format!(
                        "{}: book {} at {} ns is not the venue's",
                        notes.name, book.update_id, book.at_ns
                    ));
                }
            }
        }
    }
    found
}

/// 8: quotes and trades are those of the venue.
fn prints(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (venue, ledger) in usual(of) {
        for (kind, told) in [(EventKind::Quote, &ledger.quotes), (EventKind::Trade, &ledger.prints)]
        {
            let truth = by_number(of, venue, told);
            let prints = of
                .prints
                .iter()
                .filter(|print| (usize::from(print.0), print.2) == (venue, kind.code()));
            for (_, instrument, _, number, hash) in prints {
                let known = truth.get(&(*instrument, *number));
                if known.is_some_and(|hashes| !hashes.contains(hash)) {
                    let kind = kind.name();
                    found.push(format!(
                        "{kind} {number} of instrument {instrument} is not the venue's"
                    ));
                }
            }
        }
    }
    found
}

/// 8: at the end of the calm the books of strategies are those of some seconds ago at most.
fn books_follow(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if !of.is_quiet() {
        return found;
    }
    let end_ms = of.wall_start_ns / 1_000_000 + (of.stopped_ns / 1_000_000).cast_signed();
    for (venue, ledger) in usual(of) {
        for (number, notes) in
            of.consumers.iter().filter(|(number, _)| !of.is_quarantined(**number))
        {
            let Some(last) = notes.books.iter().rfind(|book| usize::from(book.venue) == venue)
            else {
                continue;
            };
            let is_due = |top: &&LedgerTop| {
                top.market == last.instrument as usize && top.at_ms < end_ms - BOOK_AGE_MS
            };
            let due = ledger.tops.iter().rfind(is_due).map_or(0, |top| top.update_id);
            if last.update_id < due {
                let name = &notes.name;
                let (has, at_ms) = (last.update_id, last.at_ns / 1_000_000);
                found.push(format!(
                    "{name} ({number}): the last book, {has}, came at {at_ms} ms, the venue's is {due}"
                ));
            }
        }
    }
    found
}

/// 9: what is said to be live is no older than the bound.
pub(super) fn freshness(notes: &ConsumerNotes, event: &Event, now_ns: u64) -> Option<String> {
    let kind = event.kind().filter(|kind| *kind == EventKind::Trade)?;
    if notes.age_ns_max == 0 || event.venue_time_ns == 0 || notes.stream(event, kind).is_stale {
        return None;
    }
    let sent_ns = event.venue_time_ns - notes.wall_start_ns;
    let age_ns = now_ns.cast_signed() - sent_ns;
    let is_old = age_ns > notes.age_ns_max.cast_signed();
    is_old.then(|| format!("{} {} is {} ms old", kind.name(), event.sequence, age_ns / 1_000_000))
}
