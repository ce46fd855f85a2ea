//! The account of one consumer: what became of every event that was meant for it.

use serde::Serialize;

use crate::event::{EventKind, KindCounts};
use crate::telemetry::{Term, Terms};

/// The terms of the accounting identity of REQUIREMENTS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct TermCounts {
    pub published: u64,
    pub handled: u64,
    pub skipped: u64,
    pub conflated: u64,
    pub aggregated: u64,
    pub dead_lettered: u64,
    pub discarded: u64,
    pub in_flight: u64,
}

impl TermCounts {
    /// published = handled + skipped + conflated + aggregated + dead_lettered + discarded +
    /// in_flight.
    #[must_use]
    pub fn identity_holds(&self) -> bool {
        self.published == self.accounted()
    }

    fn accounted(&self) -> u64 {
        self.handled
            + self.skipped
            + self.conflated
            + self.aggregated
            + self.dead_lettered
            + self.discarded
            + self.in_flight
    }

    /// Published and not accounted for yet: in lanes, cells and spill.
    pub(crate) fn missing(&self) -> u64 {
        self.published.saturating_sub(self.accounted())
    }

    /// Adds every term of `other`.
    pub(crate) fn add(&mut self, other: &TermCounts) {
        self.published += other.published;
        self.handled += other.handled;
        self.skipped += other.skipped;
        self.conflated += other.conflated;
        self.aggregated += other.aggregated;
        self.dead_lettered += other.dead_lettered;
        self.discarded += other.discarded;
        self.in_flight += other.in_flight;
    }
}

/// The terms of one consumer by kind, of both sides of its lanes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConsumerTerms {
    published: KindCounts,
    handled: KindCounts,
    skipped: KindCounts,
    conflated: KindCounts,
    aggregated: KindCounts,
    dead_lettered: KindCounts,
    discarded: KindCounts,
    /// Counted by who took the lanes apart; nothing while they run.
    pub(crate) in_flight: KindCounts,
    /// Part of what was handled: its callback failed.
    pub(crate) failed: KindCounts,
    /// Part of what was handled: stale by its routing version.
    pub(crate) stale: KindCounts,
    /// Critical events that never came.
    pub(crate) lost: KindCounts,
}

impl ConsumerTerms {
    /// A reading of both sides. What is accounted for is read first and what was published last, so
    /// that nothing is ever accounted for before it was published.
    pub(crate) fn read(dispatcher: &Terms, consumer: &Terms) -> ConsumerTerms {
        let both = |term: Term| {
            let mut counts = consumer.read(term);
            counts.merge(&dispatcher.read(term));
            counts
        };
        ConsumerTerms {
            handled: consumer.read(Term::Handled),
            skipped: both(Term::Skipped),
            conflated: dispatcher.read(Term::Conflated),
            aggregated: dispatcher.read(Term::Aggregated),
            dead_lettered: both(Term::DeadLettered),
            discarded: both(Term::Discarded),
            in_flight: KindCounts::default(),
            failed: consumer.read(Term::Failed),
            stale: consumer.read(Term::Stale),
            lost: consumer.read(Term::Lost),
            published: dispatcher.read(Term::Published),
        }
    }

    /// The terms of one kind.
    pub(crate) fn of(&self, kind: EventKind) -> TermCounts {
        TermCounts {
            published: self.published.get(kind),
            handled: self.handled.get(kind),
            skipped: self.skipped.get(kind),
            conflated: self.conflated.get(kind),
            aggregated: self.aggregated.get(kind),
            dead_lettered: self.dead_lettered.get(kind),
            discarded: self.discarded.get(kind),
            in_flight: self.in_flight.get(kind),
        }
    }

    /// The terms over all kinds.
    pub(crate) fn totals(&self) -> TermCounts {
        let mut totals = TermCounts::default();
        EventKind::ALL.into_iter().for_each(|kind| totals.add(&self.of(kind)));
        totals
    }

    /// Counts what is missing as in flight, when the consumer's lanes hold at least so many slots:
    /// its thread was left behind in a callback, and what it has not handled can't be walked. (They
    /// may hold more: the slots of a batch return together.)
    pub(crate) fn leave_behind(&mut self, held: u64) {
        let mut missing = KindCounts::default();
        for kind in EventKind::ALL {
            missing.add(kind, self.of(kind).missing());
        }
        if missing.total() <= held {
            self.in_flight.merge(&missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_that_is_missing_breaks_the_identity() {
        let mut counts =
            TermCounts { published: 10, handled: 7, conflated: 2, ..Default::default() };
        assert!(!counts.identity_holds());
        assert_eq!(counts.missing(), 1);
        counts.in_flight = 1;
        assert!(counts.identity_holds());
    }

    #[test]
    fn what_either_side_turns_away_is_in_the_same_account() {
        let (dispatcher, consumer) = (Terms::new(), Terms::new());
        dispatcher.add(Term::Published, EventKind::Quote, 6);
        dispatcher.add(Term::Discarded, EventKind::Quote, 1);
        dispatcher.add(Term::Conflated, EventKind::Quote, 1);
        consumer.add(Term::Handled, EventKind::Quote, 2);
        consumer.add(Term::Discarded, EventKind::Quote, 1);
        let mut terms = ConsumerTerms::read(&dispatcher, &consumer);
        assert_eq!((terms.totals().discarded, terms.totals().missing()), (2, 1));
        terms.leave_behind(0);
        assert!(!terms.totals().identity_holds(), "its lanes hold nothing: one is lost");
        terms.leave_behind(1);
        assert!(terms.of(EventKind::Quote).identity_holds());
    }
}
