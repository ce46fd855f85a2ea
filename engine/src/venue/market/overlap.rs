//! Two connections that tell the same for a while, one about to end and one that takes over: what
//! of each counts, so that nothing is lost and nothing told twice.
//!
//! The old one goes on as if it were alone. Of the new one that counts which follows what was
//! taken; where it is ahead, the old one brings what lies between. Where streams tell books whole,
//! the new one waits until it takes over, and nothing of the old one comes behind that.

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
    /// The one that has taken over all at once: what the other had told is left out.
    Behind,
}

/// What of a stream the connection had told that is no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Its last number; 0 where it has none.
    number: u64,
    /// The venue's time of what was told last, where it has no number, ns.
    time_ns: i64,
}

impl Mark {
    pub(super) fn of(numbers: &Numbers) -> Mark {
        Mark { number: numbers.last().unwrap_or(0), time_ns: numbers.venue_time_ns() }
    }

    /// Whether it was told. What has neither a number nor a time is told again: it is a state.
    fn covers(self, number: u64, time_ns: i64) -> bool {
        match number {
            0 => time_ns != 0 && time_ns <= self.time_ns,
            _ => number <= self.number,
        }
    }
}

impl Overlap {
    /// Whether the other connection brings what is missing.
    #[inline]
    pub(super) fn waits(self) -> bool {
        matches!(self, Overlap::New(_))
    }

    /// Whether books are told by both connections.
    #[inline]
    pub(super) fn is_shared(self) -> bool {
        matches!(self, Overlap::Old | Overlap::New(_))
    }

    /// Whether what has this number, or this time, is to be left out. `mark`: of the connection
    /// that is no more.
    #[cold]
    pub(super) fn leaves_out(
        self,
        kind: EventKind,
        (numbers, mark): (&Numbers, Mark),
        (number, time_ns): (u64, i64),
    ) -> bool {
        if self == Overlap::Behind {
            return mark.covers(number, time_ns);
        }
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
        let none = Mark::default();
        let is_out = new.leaves_out(EventKind::Trade, (&numbers, none), (7, 0));
        assert!(!is_out, "the first of all");
        numbers.take(10, 0);
        let of = |overlap: Overlap, kind| {
            [9, 10, 11, 12].map(|at| overlap.leaves_out(kind, (&numbers, none), (at, 0)))
        };
        assert_eq!(of(Overlap::None, EventKind::Trade), [false; 4]);
        assert_eq!(of(Overlap::Old, EventKind::Trade), [true, true, false, false]);
        assert_eq!(of(new, EventKind::Trade), [true, true, false, true]);
        assert_eq!(of(new, EventKind::Quote), [true, true, false, false]);
        let any = Overlap::New(StreamOrder::Monotonic);
        assert_eq!(of(any, EventKind::Trade), [true, true, false, false]);
    }

    #[test]
    fn behind_a_take_over_what_the_other_had_told_is_left_out_by_number_or_else_by_time() {
        let mut numbers = Numbers::default();
        numbers.take(10, 0);
        numbers.note_time(500);
        let mark = Mark::of(&numbers);
        // What has come since is not the other's: several trades may have one number.
        numbers.take(12, 0);
        let is_out = |number, time_ns| {
            let known = (&numbers, mark);
            Overlap::Behind.leaves_out(EventKind::Trade, known, (number, time_ns))
        };
        assert_eq!([9, 10, 11, 12].map(|number| is_out(number, 0)), [true, true, false, false]);
        assert_eq!([0, 499, 500, 501].map(|at| is_out(0, at)), [false, true, true, false]);
    }
}
