//! What of an order is filled, and for how much.
//!
//! Money is kept by intervals of the filled quantity: a fill covers `(z - l, z]` of it. What a
//! later message reveals was missed before is told as one inferred fill at the venue's own sum, and
//! stays a *hole*; a true fill that comes after all falls into the hole, and is told as a
//! correction. What is neither new nor in a hole is a repeat. So fills may come in any order, and
//! any of them twice.

use arrayvec::ArrayVec;

use crate::event::{Liquidity, VenueRef};

/// Inferred intervals that are remembered; with more the oldest is final.
const HOLES_MAX: usize = 12;
/// Fills of one order that are remembered by name.
const TRADES_KEPT: usize = 8;

/// An interval that was told as an inferred fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) quote: i128,
}

/// A fill as the venue told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) trade: VenueRef,
    /// It covers the filled quantity above this, up to `to`.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) price: i64,
    pub(super) has_fee: bool,
    /// Whether it made or took liquidity, where the venue says.
    pub(super) liquidity: Option<Liquidity>,
}

impl Fill {
    pub(super) fn qty(&self) -> i64 {
        self.to - self.from
    }

    pub(super) fn quote(&self) -> i128 {
        i128::from(self.price) * i128::from(self.qty())
    }
}

/// What a fill is to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind all that is filled, or further on.
    New,
    /// The truth about a part of an inferred one.
    InHole(Hole),
    /// Known, but for the fee that it now has.
    NewFee,
    Repeat,
    Contradiction(&'static str),
}

/// The fills of one order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fills {
    filled_qty: i64,
    quote: i128,
    holes: ArrayVec<Hole, HOLES_MAX>,
    trades: ArrayVec<Fill, TRADES_KEPT>,
}

impl Fills {
    /// Filled so far.
    #[inline]
    pub(super) fn qty(&self) -> i64 {
        self.filled_qty
    }

    /// Takes up what was filled of an order that was forgotten but for that.
    pub(super) fn recall(&mut self, filled_qty: i64, quote: i128) {
        (self.filled_qty, self.quote) = (filled_qty, quote);
    }

    /// Takes up what was filled of an order of an earlier start, with what the venue has more to
    /// tell of.
    pub(super) fn take_up(
        &mut self,
        inferred: impl Iterator<Item = Hole>,
        without_fee: impl Iterator<Item = Fill>,
    ) {
        inferred.for_each(|hole| self.remember_hole(hole));
        without_fee.for_each(|fill| self.remember(fill));
    }

    /// What it cost, in units of 10^-(price scale + quantity scale).
    #[inline]
    pub(super) fn quote(&self) -> i128 {
        self.quote
    }

    /// Whether some of it was inferred, and may be corrected.
    #[inline]
    pub(super) fn is_inferred(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Whether the venue's list of fills would tell more: a price, or a fee.
    pub(super) fn is_unsettled(&self) -> bool {
        self.is_inferred() || self.trades.iter().any(|fill| !fill.has_fee)
    }

    /// What a fill is to those that are known.
    pub(super) fn place(&self, fill: &Fill) -> Place {
        if let Some(known) = self.trades.iter().find(|known| known.trade == fill.trade) {
            let is_same = (known.from, known.to, known.price) == (fill.from, fill.to, fill.price);
            return match (is_same, known.has_fee, fill.has_fee) {
                (false, ..) => Place::Contradiction("one trade told with two sums"),
                (true, false, true) => Place::NewFee,
                _ => Place::Repeat,
            };
        }
        if fill.to > self.filled_qty {
            return match fill.from >= self.filled_qty {
                true => Place::New,
                false => Place::Contradiction("fill is more than what was filled since"),
            };
        }
        let overlaps = |from: i64, to: i64| from < fill.to && fill.from < to;
        if self.trades.iter().any(|known| overlaps(known.from, known.to)) {
            return Place::Contradiction("fill overlaps one that was told");
        }
        match self.holes.iter().find(|hole| overlaps(hole.from, hole.to)) {
            // Too long ago to be known by name.
            None => Place::Repeat,
            Some(hole) if fill.from < hole.from || fill.to > hole.to => {
                Place::Contradiction("fill overlaps one that was told")
            }
            Some(hole) => Place::InHole(*hole),
        }
    }

    /// Takes a fill that is [`Place::New`] and begins where the others end.
    pub(super) fn add(&mut self, fill: Fill) {
        debug_assert_eq!(fill.from, self.filled_qty);
        self.filled_qty = fill.to;
        self.quote += fill.quote();
        self.remember(fill);
    }

    /// Takes `(filled, to]` as filled for `quote`, by inference.
    pub(super) fn infer(&mut self, to: i64, quote: i128) {
        self.remember_hole(Hole { from: self.filled_qty, to, quote });
        self.filled_qty = to;
        self.quote += quote;
    }

    /// Puts a fill into its hole; the quote amount that was told for it before.
    pub(super) fn correct(&mut self, hole: Hole, fill: Fill) -> i128 {
        self.holes.retain(|other| other.from != hole.from);
        let share = |qty: i64, of: i64, quote: i128| match of {
            0 => 0,
            of => quote.saturating_mul(i128::from(qty)) / i128::from(of),
        };
        let replaced = share(fill.qty(), hole.to - hole.from, hole.quote);
        let rest = hole.quote - replaced;
        let (below, above) = (fill.from - hole.from, hole.to - fill.to);
        let low = share(below, below + above, rest);
        for (from, to, quote) in [(hole.from, fill.from, low), (fill.to, hole.to, rest - low)] {
            if to > from {
                self.remember_hole(Hole { from, to, quote });
            }
        }
        self.quote += fill.quote() - replaced;
        self.remember(fill);
        replaced
    }

    /// Notes that a known fill has its fee.
    pub(super) fn settle_fee(&mut self, trade: VenueRef) {
        if let Some(fill) = self.trades.iter_mut().find(|fill| fill.trade == trade) {
            fill.has_fee = true;
        }
    }

    fn remember(&mut self, fill: Fill) {
        if self.trades.is_full() {
            self.trades.remove(0);
        }
        self.trades.push(fill);
    }

    fn remember_hole(&mut self, hole: Hole) {
        if self.holes.is_full() {
            self.holes.remove(0);
        }
        self.holes.push(hole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(trade: u64, from: i64, to: i64, price: i64) -> Fill {
        Fill { trade: VenueRef::number(trade), from, to, price, has_fee: true, liquidity: None }
    }

    #[test]
    fn a_fill_is_new_or_known_or_fits_a_hole_and_nothing_else() {
        let mut fills = Fills::default();
        fills.add(fill(1, 0, 4, 100));
        fills.infer(8, 380);
        fills.add(fill(3, 8, 10, 90));
        assert_eq!((fills.qty(), fills.quote()), (10, 400 + 380 + 180));
        for (place, is_it) in [
            (fill(4, 10, 12, 90), Place::New),
            (fill(4, 12, 14, 90), Place::New),
            (fill(1, 0, 4, 100), Place::Repeat),
            (fill(1, 0, 4, 101), Place::Contradiction("one trade told with two sums")),
            (fill(1, 4, 8, 100), Place::Contradiction("one trade told with two sums")),
            (fill(4, 9, 12, 90), Place::Contradiction("fill is more than what was filled since")),
            (fill(4, 0, 4, 100), Place::Contradiction("fill overlaps one that was told")),
            (fill(4, 2, 6, 100), Place::Contradiction("fill overlaps one that was told")),
        ] {
            assert_eq!(fills.place(&place), is_it, "{place:?}");
        }
        let late = fill(2, 5, 7, 96);
        let Place::InHole(hole) = fills.place(&late) else { panic!("it falls into the hole") };
        assert_eq!(fills.correct(hole, late), 190, "its share of what was told");
        assert_eq!(fills.quote(), 400 + 380 + 180 + 2);
        assert_eq!(fills.place(&late), Place::Repeat);
        for rest in [fill(5, 4, 5, 95), fill(6, 7, 8, 95)] {
            let Place::InHole(hole) = fills.place(&rest) else { panic!("{rest:?}") };
            fills.correct(hole, rest);
        }
        assert!(!fills.is_inferred());
        assert_eq!(fills.quote(), 400 + 2 * 95 + 2 * 96 + 180);
    }

    #[test]
    fn a_fee_that_comes_later_settles_its_fill_once() {
        let mut fills = Fills::default();
        fills.add(Fill { has_fee: false, ..fill(1, 0, 4, 100) });
        assert!(fills.is_unsettled() && !fills.is_inferred());
        assert_eq!(fills.place(&fill(1, 0, 4, 100)), Place::NewFee);
        fills.settle_fee(VenueRef::number(1));
        assert_eq!(fills.place(&fill(1, 0, 4, 100)), Place::Repeat);
        assert!(!fills.is_unsettled());
    }
}
