//! What is known of a consumer's stalls: callbacks that kept their thread for longer than the
//! budget.
//!
//! One thread writes, the watchdog; anyone may read while it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;

use crate::event::EventKind;
use crate::telemetry::{Term, Terms};

/// The stalls of one consumer, as they go on.
#[derive(Debug, Default)]
pub struct StallBook {
    count: AtomicU64,
    total_ns: AtomicU64,
    longest_ns: AtomicU64,
    /// When the present one began, ns since the engine's start and never 0; 0 when there is none.
    since_ns: AtomicU64,
    conflated: AtomicU64,
    critical_waited: AtomicU64,
    is_alone: AtomicBool,
    is_quarantined: AtomicBool,
}

/// A reading of a [`StallBook`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StallFigures {
    /// Stalls, with the present one.
    pub count: u64,
    /// Time in stalls that are over, ns; at the end of a run, in all.
    pub total_ns: u64,
    /// The longest of them, ns.
    pub longest_ns: u64,
    /// How long the present one lasts, ns; 0 when there is none.
    pub present_ns: u64,
    /// Market events that were replaced or absorbed by later ones meanwhile.
    pub conflated: u64,
    /// Critical events that came in meanwhile, and waited.
    pub critical_waited: u64,
    /// The consumer lost its core for a thread of its own.
    pub is_alone: bool,
    /// One callback lasted so long that the consumer gets nothing more.
    pub is_quarantined: bool,
}

/// What the dispatcher has counted for a consumer, at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offered {
    conflated: u64,
    critical: u64,
}

impl Offered {
    pub(super) fn read(published: &Terms) -> Offered {
        let critical = published.read(Term::Published);
        Offered {
            conflated: published.read(Term::Conflated).total()
                + published.read(Term::Aggregated).total(),
            critical: EventKind::ALL
                .into_iter()
                .filter(|kind| kind.is_critical())
                .map(|kind| critical.get(kind))
                .sum(),
        }
    }
}

impl StallBook {
    /// A book without an entry.
    #[must_use]
    pub fn new() -> Arc<StallBook> {
        Arc::default()
    }

    /// A reading at `now_ns`.
    #[must_use]
    pub fn read(&self, now_ns: u64) -> StallFigures {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let present_ns = match self.since_ns.load(Ordering::Acquire) {
            0 => 0,
            since_ns => now_ns.saturating_sub(since_ns).max(1),
        };
        StallFigures {
            count: get(&self.count),
            total_ns: get(&self.total_ns),
            longest_ns: get(&self.longest_ns),
            present_ns,
            conflated: get(&self.conflated),
            critical_waited: get(&self.critical_waited),
            is_alone: self.is_alone.load(Ordering::Acquire),
            is_quarantined: self.is_quarantined.load(Ordering::Acquire),
        }
    }

    pub(super) fn begin(&self, since_ns: u64) {
        add(&self.count, 1);
        self.since_ns.store(since_ns.max(1), Ordering::Release);
    }

    /// Closes the present stall; `is_over` is false at the end of a run that it outlasts.
    pub(super) fn end(&self, now_ns: u64, before: Offered, after: Offered, is_over: bool) {
        let lasted_ns = now_ns.saturating_sub(self.since_ns.load(Ordering::Relaxed));
        add(&self.total_ns, lasted_ns);
        self.longest_ns.fetch_max(lasted_ns, Ordering::Relaxed);
        add(&self.conflated, after.conflated.saturating_sub(before.conflated));
        add(&self.critical_waited, after.critical.saturating_sub(before.critical));
        if is_over {
            self.since_ns.store(0, Ordering::Release);
        }
    }

    pub(super) fn left_alone(&self) {
        self.is_alone.store(true, Ordering::Release);
    }

    pub(super) fn quarantined(&self) {
        self.is_quarantined.store(true, Ordering::Release);
    }
}

/// One writer: a load and a store.
fn add(figure: &AtomicU64, more: u64) {
    figure.store(figure.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_add_up_and_the_present_one_shows() {
        let book = StallBook::default();
        assert_eq!(book.read(5), StallFigures::default());
        book.begin(10);
        assert_eq!((book.read(40).count, book.read(40).present_ns), (1, 30));
        let offered = |conflated, critical| Offered { conflated, critical };
        book.end(50, offered(1, 2), offered(5, 9), true);
        book.begin(100);
        book.end(110, offered(5, 9), offered(6, 9), true);
        let expected = StallFigures {
            count: 2,
            total_ns: 50,
            longest_ns: 40,
            conflated: 5,
            critical_waited: 7,
            ..StallFigures::default()
        };
        assert_eq!(book.read(500), expected);
    }
}
