//! Who is quarantined: one board that every stage sees, written without the consumer's own thread.
//!
//! The dispatcher publishes nothing more to a consumer that is stuck, the gateway refuses its
//! orders, the venues cancel what it has open if the configuration says so. Quarantine is for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use super::{Kills, LastResort};
use crate::event::{ConsumerId, VenueId};

const FREE: u8 = 0;

/// Why a consumer is quarantined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum QuarantineReason {
    /// Too many of its callbacks failed. Its thread goes on taking events, and turns them away.
    Failed = 1,
    /// An operator said so. Its thread goes on taking events, and turns them away.
    Operator = 2,
    /// It is so far behind that its critical lane and its spill were full: what it missed since is
    /// in the dead-letter file, and events behind that must not be taken for the next ones.
    Overrun = 3,
    /// One of its callbacks does not return: its thread may never take anything again.
    Stuck = 4,
}

/// The board. Cheap to clone; the default one is of no consumer.
#[derive(Clone, Debug, Default)]
pub struct Quarantine(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    states: Box<[AtomicU8]>,
    cancels_orders: bool,
    changes: AtomicU32,
    last_resort: LastResort,
    kills: Kills,
}

impl QuarantineReason {
    /// What happened, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            QuarantineReason::Failed => "too many of its callbacks failed",
            QuarantineReason::Operator => "an operator said so",
            QuarantineReason::Overrun => "it was too far behind",
            QuarantineReason::Stuck => "a callback did not return",
        }
    }
}

impl Quarantine {
    /// A board of `consumers`, none of them quarantined. `cancels_orders` says whether their open
    /// orders are to be cancelled then.
    #[must_use]
    pub fn new(consumers: usize, cancels_orders: bool) -> Quarantine {
        let states = (0..consumers).map(|_| AtomicU8::new(FREE)).collect();
        let last_resort = LastResort::new(consumers);
        let changes = AtomicU32::new(0);
        let kills = Kills::new(consumers);
        Quarantine(Arc::new(Board { states, cancels_orders, changes, last_resort, kills }))
    }

    /// The strategies and venues whose orders are killed.
    #[inline]
    #[must_use]
    pub fn kills(&self) -> &Kills {
        &self.0.kills
    }

    /// Whether anything of a consumer that adds risk may go to a venue.
    #[inline]
    #[must_use]
    pub fn may_trade(&self, consumer: ConsumerId, venue: VenueId) -> bool {
        !self.has(consumer) && !self.0.kills.has(consumer, venue)
    }

    /// What is left when not even quarantine keeps a critical event.
    #[inline]
    #[must_use]
    pub fn last_resort(&self) -> &LastResort {
        &self.0.last_resort
    }

    /// Quarantines a consumer; says whether it was not yet. A graver reason than the one before
    /// takes its place.
    pub fn raise(&self, consumer: ConsumerId, reason: QuarantineReason) -> bool {
        let Some(state) = self.0.states.get(consumer.index()) else { return false };
        let before = state.fetch_max(reason as u8, Ordering::AcqRel);
        self.0.changes.fetch_add(1, Ordering::Release);
        before == FREE
    }

    /// Whether a consumer is quarantined, for whatever reason.
    #[inline]
    #[must_use]
    pub fn has(&self, consumer: ConsumerId) -> bool {
        self.state(consumer) != FREE
    }

    /// Why a consumer is quarantined; `None` when it is not.
    #[must_use]
    pub fn reason(&self, consumer: ConsumerId) -> Option<QuarantineReason> {
        Some(match self.state(consumer) {
            1 => QuarantineReason::Failed,
            2 => QuarantineReason::Operator,
            3 => QuarantineReason::Overrun,
            4 => QuarantineReason::Stuck,
            _ => return None,
        })
    }

    /// Whether nothing is to be published to a consumer any more: a callback does not return, or it
    /// was overrun.
    #[inline]
    #[must_use]
    pub fn is_cut_off(&self, consumer: ConsumerId) -> bool {
        self.state(consumer) >= QuarantineReason::Overrun as u8
    }

    /// Whether the open orders of a consumer at a venue are to be cancelled.
    #[inline]
    #[must_use]
    pub fn cancels_orders_of(&self, consumer: ConsumerId, venue: VenueId) -> bool {
        self.0.cancels_orders && self.has(consumer) || self.0.kills.has(consumer, venue)
    }

    /// Whether there are orders to be cancelled at all: two loads for whoever asks in each duty
    /// cycle.
    #[inline]
    #[must_use]
    pub fn cancels_any(&self) -> bool {
        self.0.cancels_orders && self.changes() > 0 || self.0.kills.any()
    }

    /// How often anything was raised. Who finds it unchanged need not look at the consumers.
    #[inline]
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.0.changes.load(Ordering::Acquire)
    }

    #[inline]
    fn state(&self, consumer: ConsumerId) -> u8 {
        self.0.states.get(consumer.index()).map_or(FREE, |state| state.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_quarantined_for_good_and_alone() {
        let board = Quarantine::new(2, true);
        let [one, two] = [ConsumerId(0), ConsumerId(1)];
        assert!(!board.has(one) && !board.cancels_any());
        assert!(board.raise(two, QuarantineReason::Failed));
        assert!(!board.raise(two, QuarantineReason::Operator));
        assert!(
            board.has(two) && !board.is_cut_off(two) && board.cancels_orders_of(two, VenueId(0))
        );
        board.raise(two, QuarantineReason::Stuck);
        board.raise(two, QuarantineReason::Failed);
        assert!(board.is_cut_off(two) && board.cancels_any());
        assert_eq!((board.reason(one), board.reason(two)), (None, Some(QuarantineReason::Stuck)));
        assert!(!board.has(one) && !board.cancels_orders_of(one, VenueId(0)));
        let keeps = Quarantine::new(1, false);
        keeps.raise(one, QuarantineReason::Stuck);
        assert!(
            keeps.is_cut_off(one)
                && !keeps.cancels_orders_of(one, VenueId(0))
                && !keeps.cancels_any()
        );
    }

    #[test]
    fn whoever_is_too_far_behind_is_cut_off() {
        let (board, one) = (Quarantine::new(1, false), ConsumerId(0));
        board.raise(one, QuarantineReason::Operator);
        assert!(!board.is_cut_off(one), "it takes its events and turns them away itself");
        board.raise(one, QuarantineReason::Overrun);
        assert!(board.is_cut_off(one));
    }
}
