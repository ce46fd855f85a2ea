//! The terms of the accounting identity, counted where they happen and readable by anyone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use pitlane_ring::{Exchange, prefetch_line};

use crate::event::{EventKind, KIND_SLOTS, KindCounts};

/// A term of the identity of REQUIREMENTS. Each side of a consumer's lanes counts its own: the
/// first four are the dispatcher's, the others the consumer's, and what both can do is counted by
/// each for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Term {
    /// Offered to the consumer's link.
    Published,
    /// Replaced by a later event of the same key.
    Conflated,
    /// Absorbed into a pending event of the same key.
    Aggregated,
    /// Kept in the dead-letter file instead of being delivered.
    DeadLettered,
    /// Handed to the strategy, whether its callback succeeded or not.
    Handled,
    /// Stale by its routing version, and the consumer opted to skip. Counted on both sides: by the
    /// dispatcher what it did not publish, by the consumer what lay in its lane already.
    Skipped,
    /// Left behind by a consumer that receives nothing more.
    Discarded,
    /// Handled, and the callback failed. Not a term of its own: it is part of `Handled`.
    Failed,
    /// Handled although stale by its routing version, by a consumer that takes everything. Not a
    /// term of its own: it is part of `Handled`.
    Stale,
    /// Missing before a critical event, by its number; counted under that event's kind. Not a term
    /// of its own either.
    Lost,
}

const TERMS: usize = 10;

/// One side's terms of one consumer, by kind. Written by one thread.
#[derive(Debug, Default)]
pub struct Terms {
    counts: [[AtomicU64; KIND_SLOTS]; TERMS],
    orders_open: AtomicU64,
    cut: CutPort,
}

/// A copy of one side's terms at one point of its lanes.
#[derive(Clone, Copy, Debug, Default)]
pub struct TermsCut {
    /// Of which audit: marks of one that was given up are still on their way.
    pub audit: u64,
    terms: [KindCounts; TERMS],
    /// Events that the consumer has taken out of its market lane so far.
    pub market_taken: u64,
}

impl TermsCut {
    /// Nothing yet, for this audit.
    #[must_use]
    pub fn of_audit(audit: u64) -> TermsCut {
        TermsCut { audit, ..TermsCut::default() }
    }

    /// A term, by kind.
    #[must_use]
    pub fn of(&self, term: Term) -> &KindCounts {
        &self.terms[term as usize]
    }
}

/// Where whoever audits leaves an empty copy for the consumer, and finds it filled in.
#[derive(Debug, Default)]
pub struct CutPort {
    /// On its way there.
    pub wanted: Exchange<TermsCut>,
    /// On its way back.
    pub done: Exchange<TermsCut>,
}

impl Terms {
    /// Terms that are all 0.
    #[must_use]
    pub fn new() -> Arc<CachePadded<Terms>> {
        Arc::default()
    }

    /// Adds to a term. One writer: a load and a store, no locked instruction.
    #[inline]
    pub fn add(&self, term: Term, kind: EventKind, count: u64) {
        let cell = &self.counts[term as usize][kind.code() as usize];
        cell.store(cell.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    /// Starts to fetch the counts of the kinds that come most often.
    #[inline]
    pub(crate) fn prefetch(&self, term: Term) {
        prefetch_line(&raw const self.counts[term as usize]);
    }

    /// The term now, by kind.
    #[must_use]
    pub fn read(&self, term: Term) -> KindCounts {
        let mut counts = KindCounts::default();
        for kind in EventKind::ALL {
            let cell = &self.counts[term as usize][kind.code() as usize];
            counts.add(kind, cell.load(Ordering::Relaxed));
        }
        counts
    }

    /// Copies all terms as they are now: exact for the thread that writes them.
    pub fn copy_to(&self, cut: &mut TermsCut) {
        for (counts, row) in cut.terms.iter_mut().zip(&self.counts) {
            *counts = KindCounts::default();
            for kind in EventKind::ALL {
                counts.add(kind, row[kind.code() as usize].load(Ordering::Relaxed));
            }
        }
    }

    /// Where copies are exchanged.
    #[must_use]
    pub fn cut_port(&self) -> &CutPort {
        &self.cut
    }

    /// Leaves how many orders the consumer has open, for whoever looks.
    #[inline]
    pub fn set_orders_open(&self, count: u64) {
        self.orders_open.store(count, Ordering::Relaxed);
    }

    /// Orders open in the consumer's own view, when its last batch ended.
    #[must_use]
    pub fn orders_open(&self) -> u64 {
        self.orders_open.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_apart_by_kind() {
        let terms = Terms::new();
        terms.add(Term::Published, EventKind::Quote, 2);
        terms.add(Term::Handled, EventKind::Quote, 1);
        terms.add(Term::Published, EventKind::Risk, 1);
        assert_eq!(terms.read(Term::Published).get(EventKind::Quote), 2);
        assert_eq!(terms.read(Term::Published).total(), 3);
        assert_eq!(terms.read(Term::Handled).total(), 1);
        assert_eq!(terms.read(Term::Failed).total(), 0);
    }
}
