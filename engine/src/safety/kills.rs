//! The kill switch of single strategies and venues; that of the engine is the trading switch.
//!
//! What is killed sends nothing more that adds risk, and what it has open is cancelled. It can be
//! taken back: then new orders leave again, and what was cancelled stays so.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::event::{ConsumerId, VenueId};

/// Venues that there may be: those of a configuration and the simulated ones.
const VENUE_WORDS: usize = 2;

/// Who is killed.
#[derive(Debug, Default)]
pub struct Kills {
    strategies: Box<[AtomicBool]>,
    venues: [AtomicU64; VENUE_WORDS],
    /// How many are, of both.
    count: AtomicU32,
    changes: AtomicU32,
}

impl Kills {
    pub(super) fn new(consumers: usize) -> Kills {
        Kills {
            strategies: (0..consumers).map(|_| AtomicBool::new(false)).collect(),
            ..Kills::default()
        }
    }

    /// Kills a strategy's orders, or takes that back; whether that was a change.
    pub fn set_strategy(&self, strategy: ConsumerId, is_killed: bool) -> bool {
        let Some(state) = self.strategies.get(strategy.index()) else { return false };
        self.note(state.swap(is_killed, Ordering::AcqRel) != is_killed, is_killed)
    }

    /// Kills orders to a venue, or takes that back; whether that was a change.
    pub fn set_venue(&self, venue: VenueId, is_killed: bool) -> bool {
        let Some(word) = self.venues.get(venue.index() / 64) else { return false };
        let bit = 1 << (venue.index() % 64);
        let before = match is_killed {
            true => word.fetch_or(bit, Ordering::AcqRel),
            false => word.fetch_and(!bit, Ordering::AcqRel),
        };
        self.note((before & bit != 0) != is_killed, is_killed)
    }

    fn note(&self, is_change: bool, is_killed: bool) -> bool {
        if is_change {
            match is_killed {
                true => self.count.fetch_add(1, Ordering::AcqRel),
                false => self.count.fetch_sub(1, Ordering::AcqRel),
            };
            self.changes.fetch_add(1, Ordering::Release);
        }
        is_change
    }

    /// Whether anybody is: a load for whoever asks often.
    #[inline]
    #[must_use]
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// How often that changed.
    #[inline]
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether a strategy's orders are.
    #[inline]
    #[must_use]
    pub fn has_strategy(&self, strategy: ConsumerId) -> bool {
        self.strategies.get(strategy.index()).is_some_and(|state| state.load(Ordering::Acquire))
    }

    /// Whether orders to a venue are.
    #[inline]
    #[must_use]
    pub fn has_venue(&self, venue: VenueId) -> bool {
        let word = self.venues.get(venue.index() / 64);
        word.is_some_and(|word| word.load(Ordering::Acquire) & 1 << (venue.index() % 64) != 0)
    }

    /// Whether an order of a strategy to a venue is.
    #[inline]
    #[must_use]
    pub fn has(&self, strategy: ConsumerId, venue: VenueId) -> bool {
        self.any() && (self.has_strategy(strategy) || self.has_venue(venue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_and_venues_are_killed_alone_and_taken_back() {
        let kills = Kills::new(2);
        let (one, two) = (ConsumerId(0), ConsumerId(1));
        let (near, far) = (VenueId(1), VenueId(65));
        assert!(!kills.any() && kills.set_strategy(two, true) && !kills.set_strategy(two, true));
        assert!(kills.has(two, near) && !kills.has(one, near));
        assert!(kills.set_venue(far, true) && !kills.set_venue(far, true));
        assert!(kills.has(one, far) && !kills.has(one, near) && !kills.has_venue(near));
        assert!(kills.set_strategy(two, false) && kills.any());
        assert!(kills.set_venue(far, false) && !kills.any());
        assert_eq!(kills.changes(), 4);
        assert!(!kills.set_strategy(ConsumerId(9), true) && !kills.set_venue(VenueId(200), true));
    }
}
