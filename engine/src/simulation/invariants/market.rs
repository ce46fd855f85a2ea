//! Market data, against the venue's own books and times.

use std::collections::BTreeMap;

use super::evidence::Evidence;
use crate::event::{Event, EventKind, Payload};
use crate::launch::SIMULATED_WALL_START_NS;
use crate::simulation::told::ConsumerNotes;

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

/// 8: its best levels are those that the venue had at the same update id.
pub(super) fn book_truth(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (venue, ledger) in of.ledgers.iter().enumerate() {
        // After a restart of the venue's ids one id stands for several books.
        let mut truth: BTreeMap<(u32, u64), Vec<u64>> = BTreeMap::new();
        for top in &ledger.tops {
            truth.entry((top.market as u32, top.update_id)).or_default().push(top.hash);
        }
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

/// 9: what is said to be live is no older than the bound.
pub(super) fn freshness(notes: &ConsumerNotes, event: &Event, now_ns: u64) -> Option<String> {
    let kind = event.kind().filter(|kind| *kind == EventKind::Trade)?;
    if notes.age_ns_max == 0 || event.venue_time_ns == 0 || notes.stream(event, kind).is_stale {
        return None;
    }
    let sent_ns = event.venue_time_ns - SIMULATED_WALL_START_NS;
    let age_ns = now_ns.cast_signed() - sent_ns;
    let is_old = age_ns > notes.age_ns_max.cast_signed();
    is_old.then(|| format!("{} {} is {} ms old", kind.name(), event.sequence, age_ns / 1_000_000))
}
