//! Positions in contracts: what an account holds where its cash is margin.

use super::book::Side;

/// The position of one market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// In units of 10^-`qty_scale`; below 0 when short.
    pub qty: i128,
    /// What it cost, in units of 10^-(`price_scale` + `qty_scale`); below 0 when short.
    pub cost: i128,
}

impl Position {
    /// Takes a fill. Gives the profit of what it closes, in the units of the cost.
    pub(super) fn take(&mut self, side: Side, (price, qty): (u64, u64)) -> i128 {
        let (price, qty) = (i128::from(price), i128::from(qty));
        let sign = if side == Side::Buy { 1 } else { -1 };
        if self.qty * sign >= 0 {
            self.qty += sign * qty;
            self.cost += sign * qty * price;
            return 0;
        }
        let closed = qty.min(self.qty.abs());
        let cost = self.cost * closed / self.qty.abs();
        // What is closed has the other sign.
        let profit = -sign * closed * price - cost;
        self.cost -= cost;
        self.qty += sign * closed;
        let opened = qty - closed;
        if opened > 0 {
            *self = Position { qty: sign * opened, cost: sign * opened * price };
        }
        profit
    }

    /// Whether an order of so much would only reduce it.
    pub(super) fn is_reduced_by(&self, side: Side, qty: u64) -> bool {
        let sign = if side == Side::Buy { 1 } else { -1 };
        self.qty * sign < 0 && i128::from(qty) <= self.qty.abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fill_opens_reduces_closes_or_turns_a_position_and_what_is_closed_is_earned() {
        let mut position = Position::default();
        let mut take = |side, price, qty| {
            let profit = position.take(side, (price, qty));
            (position.qty, position.cost, profit)
        };
        assert_eq!(take(Side::Buy, 100, 2), (2, 200, 0));
        assert_eq!(take(Side::Buy, 110, 2), (4, 420, 0));
        assert_eq!(take(Side::Sell, 120, 1), (3, 315, 15), "a quarter of the cost");
        assert_eq!(take(Side::Sell, 100, 5), (-2, -200, -15), "closed at a loss, and short");
        assert_eq!(take(Side::Sell, 90, 1), (-3, -290, 0));
        assert_eq!(take(Side::Buy, 80, 3), (0, 0, 50));
    }

    #[test]
    fn only_the_other_side_reduces_and_no_more_than_there_is() {
        let short = Position { qty: -3, cost: -300 };
        let reduces = |side, qty| short.is_reduced_by(side, qty);
        assert!(reduces(Side::Buy, 3) && !reduces(Side::Buy, 4) && !reduces(Side::Sell, 1));
        assert!(!Position::default().is_reduced_by(Side::Buy, 1));
    }
}
