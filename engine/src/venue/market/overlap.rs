//! Two connections that tell the same for a while, one about to end and one that takes over: what
//! of each counts, so that nothing is lost and nothing told twice.
//!
//! The old one goes on as if it were alone. Of the new one that counts which follows what was
//! taken; where it is ahead, the old one brings what lies between.

use super::plausible::Numbers;
use crate::event::EventKind;
use crate::venue::StreamOrder;

/// Which of two connections a frame came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overlap {
    /// There is one.
    #[default]
    None,
    /// The one that ends, or the one left soon after: what was told already is left out.
    Old,
    /// The one that takes over; with the order of its trades.
    New(StreamOrder),
}

impl Overlap {
    /// Whether the other connection brings what is missing.
    #[inline]
    pub(super) fn waits(self) -> bool {
        matches!(self, Overlap::New(_))
    }

    /// Whether what has this number is to be left out.
    #[cold]
    pub(super) fn leaves_out(self, kind: EventKind, numbers: &Numbers, number: u64) -> bool {
        let Some(last) = numbers.last() else { return false };
        if self == Overlap::None || number == 0 {
            return false;
        }
        let has_hole = self == Overlap::New(StreamOrder::Contiguous)
            && kind == EventKind::Trade
            && number > last.saturating_add(1);
        number <= last || has_hole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_left_out_and_a_trade_that_is_ahead_waits_for_those_between() {
        let mut numbers = Numbers::default();
        let new = Overlap::New(StreamOrder::Contiguous);
        assert!(!new.leaves_out(EventKind::Trade, &numbers, 7), "the first of all");
        numbers.take(10, 0);
        let of = |overlap: Overlap, kind| {
            [9, 10, 11, 12].map(|number| overlap.leaves_out(kind, &numbers, number))
        };
        assert_eq!(of(Overlap::None, EventKind::Trade), [false; 4]);
        assert_eq!(of(Overlap::Old, EventKind::Trade), [true, true, false, false]);
        assert_eq!(of(new, EventKind::Trade), [true, true, false, true]);
        assert_eq!(of(new, EventKind::Quote), [true, true, false, false]);
        let any = Overlap::New(StreamOrder::Monotonic);
        assert_eq!(of(any, EventKind::Trade), [true, true, false, false]);
    }
}
