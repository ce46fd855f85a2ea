//! Position, cost and realised profit by the method of average cost.
//!
//! A fill that adds to a position adds its value to the cost. One that reduces it takes the same
//! part of the cost as of the quantity, and the difference between its value and that part is
//! realised. One that turns the position through 0 is both: it closes all of it, and opens the
//! other side at its own price.

use super::wide::share;

/// A position with what it cost. Quantities and values in any fixed units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AverageCost {
    /// Above 0 when long, below when short.
    pub(super) position: i128,
    /// Paid for a long position; below 0: received for a short one.
    pub(super) cost: i128,
    /// Earned by what was closed.
    pub(super) realised: i128,
    /// A sum that did not fit stayed at its limit: nothing here can be trusted.
    pub(super) is_lost: bool,
}

impl AverageCost {
    /// Books a trade of `qty` (above 0: bought) for `value`, at least 0.
    pub(super) fn trade(&mut self, qty: i128, value: i128) {
        let is_adding = self.position == 0 || (self.position > 0) == (qty > 0);
        if qty == 0 || is_adding {
            return self.open(qty, value);
        }
        let (held, traded) = (self.position.unsigned_abs(), qty.unsigned_abs());
        let closed = held.min(traded);
        let (proceeds, cost) = (share(value, closed, traded), share(self.cost, closed, held));
        // Sold for more than it cost, or bought back for less than was received.
        let signed_proceeds = if qty > 0 { -proceeds } else { proceeds };
        self.realised = self.sum(self.realised, signed_proceeds);
        self.realised = self.sum(self.realised, -cost);
        self.cost = self.sum(self.cost, -cost);
        let closed = if qty > 0 { closed as i128 } else { -(closed as i128) };
        self.position = self.sum(self.position, closed);
        self.open(qty - closed, value - proceeds);
    }

    fn open(&mut self, qty: i128, value: i128) {
        self.position = self.sum(self.position, qty);
        self.cost = self.sum(self.cost, if qty < 0 { -value } else { value });
    }

    /// The value of what was traded before was larger than booked by `by`: `is_buy` says on which
    /// side. What of it is still held can't be told apart: it changes the cost of a position on its
    /// side, and what was realised otherwise.
    pub(super) fn correct(&mut self, is_buy: bool, by: i128) {
        let signed = if is_buy { by } else { by.saturating_neg() };
        let is_held = self.position != 0 && (self.position > 0) == is_buy;
        if is_held {
            self.cost = self.sum(self.cost, signed);
        } else {
            self.realised = self.sum(self.realised, signed.saturating_neg());
        }
    }

    /// What the position would earn were it closed for `value`, at least 0.
    pub(super) fn unrealised(&self, value: i128) -> Option<i128> {
        let value = if self.position < 0 { -value } else { value };
        value.checked_sub(self.cost)
    }

    fn sum(&mut self, a: i128, b: i128) -> i128 {
        self.is_lost |= a.checked_add(b).is_none();
        a.saturating_add(b)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(trades: &[(i128, i128)]) -> AverageCost {
        let mut book = AverageCost::default();
        trades.iter().for_each(|(qty, price)| book.trade(*qty, qty.abs() * price));
        book
    }

    #[test]
    fn what_adds_raises_the_cost_and_what_reduces_realises() {
        let book = after(&[(10, 100), (10, 110), (-5, 120)]);
        assert_eq!((book.position, book.cost, book.realised), (15, 15 * 105, 5 * (120 - 105)));
        let short = after(&[(-10, 100), (4, 90)]);
        assert_eq!((short.position, short.cost, short.realised), (-6, -600, 40));
        assert_eq!((book.unrealised(15 * 100), short.unrealised(6 * 95)), (Some(-75), Some(30)));
    }

    #[test]
    fn a_flip_through_zero_opens_at_its_own_price() {
        let book = after(&[(10, 100), (-15, 120)]);
        assert_eq!((book.position, book.cost, book.realised), (-5, -600, 200));
        let back = after(&[(10, 100), (-15, 120), (8, 110)]);
        assert_eq!((back.position, back.cost, back.realised), (3, 330, 200 + 50));
        let flat = after(&[(10, 100), (-10, 90)]);
        assert_eq!((flat.position, flat.cost, flat.realised), (0, 0, -100));
    }

    #[test]
    fn a_correction_is_in_the_cost_as_long_as_its_side_is_held() {
        let mut book = after(&[(10, 100)]);
        book.correct(true, 7);
        assert_eq!((book.cost, book.realised), (1_007, 0));
        book.trade(-10, 1_000);
        book.correct(true, 3);
        assert_eq!((book.cost, book.realised), (0, -10));
        book.correct(false, 4);
        assert_eq!(book.realised, -6);
    }

    #[test]
    fn a_sum_that_does_not_fit_is_told() {
        let mut book = AverageCost::default();
        book.trade(i128::MAX, i128::MAX);
        assert!(!book.is_lost);
        book.trade(1, 1);
        assert!(book.is_lost && book.position == i128::MAX);
    }

    /// One unit at a time, each with its price: slow, and plainly right.
    #[derive(Default)]
    struct Naive {
        position: i128,
        /// Cost as numerator and denominator, so that nothing is rounded.
        cost: (i128, i128),
        realised: f64,
        cash: i128,
    }

    impl Naive {
        fn trade(&mut self, qty: i128, price: i128) {
            self.cash -= qty * price;
            let unit = qty.signum();
            for _ in 0..qty.abs() {
                let average = self.cost.0 as f64 / self.cost.1.max(1) as f64;
                if self.position == 0 || self.position.signum() == unit {
                    let units = self.position.abs();
                    let (sum, by) = self.cost;
                    // The mean of `units` old ones and a new one.
                    self.cost = match units {
                        0 => (price, 1),
                        units => ((sum * units + price * by), by * (units + 1)),
                    };
                    let shared = gcd(self.cost.0, self.cost.1);
                    self.cost = (self.cost.0 / shared, self.cost.1 / shared);
                } else {
                    self.realised += (price as f64 - average) * -(unit as f64);
                }
                self.position += unit;
            }
        }
    }

    fn gcd(a: i128, b: i128) -> i128 {
        if b == 0 { a.abs().max(1) } else { gcd(b, a % b) }
    }

    proptest! {
        /// Against a model that trades unit by unit and keeps its average as a fraction.
        #[test]
        fn it_is_what_trading_unit_by_unit_gives(
            trades in prop::collection::vec((-9_i128..9, 1_i128..1_000), 0..20)
        ) {
            let (mut book, mut naive) = (AverageCost::default(), Naive::default());
            for (qty, price) in &trades {
                // In thousandths, so that what is rounded is small.
                book.trade(*qty, qty.abs() * price * 1_000);
                if *qty != 0 {
                    naive.trade(*qty, *price);
                }
                prop_assert_eq!(book.position, naive.position);
                prop_assert_eq!(book.realised, naive.cash * 1_000 + book.cost);
                prop_assert!((book.realised as f64 / 1_000.0 - naive.realised).abs() < 0.1);
                if book.position == 0 {
                    prop_assert_eq!(book.cost, 0);
                }
                prop_assert!(!book.is_lost);
            }
        }
    }
}
