//! The dispatcher's end of one consumer's pair of lanes, with its side of the account.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::{CellId, CriticalPublisher, Displaced, MarketPublisher};

use super::agent::LinkParts;
use crate::event::{Event, EventKind, KindCounts};
use crate::telemetry::{Term, Terms};

/// Publishes into one consumer's lanes. It tries, and never waits (FR-003).
pub(super) struct ConsumerLink {
    market: MarketPublisher<Event>,
    critical: CriticalPublisher<Event>,
    terms: Arc<CachePadded<Terms>>,
    critical_sequence: u32,
    /// Staged events that go to this consumer: their places and cells. Its memory is taken once.
    noted: Vec<(u16, CellId)>,
}

/// What is left of a link when its consumer's lanes are closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkRemains {
    /// Events in cells and spill, walked and counted.
    pub in_flight: KindCounts,
    /// Number of the last critical event that was taken by the link.
    pub critical_issued: u32,
}

impl ConsumerLink {
    /// A link that takes at most `run` events between two publications.
    pub(super) fn new(parts: LinkParts, run: usize) -> ConsumerLink {
        let LinkParts { market, critical, terms } = parts;
        ConsumerLink {
            market,
            critical,
            terms,
            critical_sequence: 0,
            noted: Vec::with_capacity(run),
        }
    }

    /// Notes a staged event for this consumer.
    #[inline]
    pub(super) fn note(&mut self, staged: usize, cell: CellId) {
        self.noted.push((staged as u16, cell));
    }

    /// Publishes the noted events out of `staged`, in order; what finds no room waits in its cell.
    #[inline]
    pub(super) fn offer_noted(&mut self, staged: &[Event]) {
        let Self { market, terms, noted, .. } = self;
        if noted.is_empty() {
            return;
        }
        let records = || noted.iter().map(|(place, cell)| (&staged[usize::from(*place)], *cell));
        count_published(terms, records().filter_map(|(event, _)| event.kind()));
        market.offer_run(records(), &mut |event, how| count_displaced(terms, event, how));
        noted.clear();
    }

    /// Offers one market or reference event; under load it waits in `cell`.
    #[inline]
    pub(super) fn offer_market(&mut self, event: &Event, kind: EventKind, cell: CellId) {
        let Self { market, terms, .. } = self;
        terms.add(Term::Published, kind, 1);
        market.offer(event, cell, &mut |event, how| count_displaced(terms, event, how));
    }

    /// Offers a critical event; under load it spills, in order. False when even the spill is full:
    /// the event is the caller's to keep.
    #[inline]
    pub(super) fn offer_critical(&mut self, event: &mut Event, kind: EventKind) -> bool {
        event.critical_sequence = self.critical_sequence.wrapping_add(1);
        self.terms.add(Term::Published, kind, 1);
        if self.critical.offer(event).is_ok() {
            self.critical_sequence = event.critical_sequence;
            return true;
        }
        self.terms.add(Term::DeadLettered, kind, 1);
        false
    }

    /// Publishes what is held back as far as there is room; returns how much.
    #[inline]
    pub(super) fn flush(&mut self) -> usize {
        if self.pending() == 0 { 0 } else { self.critical.flush() + self.market.flush() }
    }

    /// Events held back.
    #[inline]
    pub(super) fn pending(&self) -> usize {
        self.critical.pending() + self.market.pending()
    }

    /// Counts what is held back and closes the lanes.
    pub(super) fn close(self) -> LinkRemains {
        let mut in_flight = KindCounts::default();
        let mut count = |event: &Event| {
            if let Some(kind) = event.kind() {
                in_flight.add(kind, 1);
            }
        };
        self.critical.for_each_pending(&mut count);
        self.market.for_each_pending(&mut count);
        LinkRemains { in_flight, critical_issued: self.critical_sequence }
    }
}

/// Counts a run, with one addition for each row of events of the same kind.
#[inline]
fn count_published(terms: &Terms, mut kinds: impl Iterator<Item = EventKind>) {
    let Some(mut current) = kinds.next() else { return };
    let mut count = 1;
    for kind in kinds {
        if kind == current {
            count += 1;
            continue;
        }
        terms.add(Term::Published, current, count);
        (current, count) = (kind, 1);
    }
    terms.add(Term::Published, current, count);
}

#[inline]
fn count_displaced(terms: &Terms, event: &Event, how: Displaced) {
    let term = match how {
        Displaced::Conflated => Term::Conflated,
        Displaced::Aggregated => Term::Aggregated,
        Displaced::Evicted => Term::DeadLettered,
    };
    if let Some(kind) = event.kind() {
        terms.add(term, kind, 1);
    }
}
