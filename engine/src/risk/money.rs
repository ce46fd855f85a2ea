//! What an order trades for, in one unit over all instruments: 10^-8 of the quote asset.

use crate::event::{AssetAmount, InstrumentId};
use crate::instrument::Instruments;

/// How amounts of one instrument become money.
#[derive(Clone, Copy, Debug)]
pub(super) struct Money {
    /// Number of the quote asset.
    pub(super) asset: usize,
    /// Price times quantity is divided by this, or multiplied where it is below 0; never 0.
    step: i64,
}

impl Money {
    pub(super) fn of(instruments: &Instruments, id: InstrumentId) -> Money {
        let asset = instruments.legs(id).map_or(0, |[_, quote]| quote.index());
        let places = instruments.get(id).map_or(8, |spec| spec.price_scale + spec.qty_scale);
        let unit = |places: u8| 10_i64.pow(u32::from(places));
        let step = match places.checked_sub(AssetAmount::SCALE) {
            // 12 + 12 places at most.
            Some(more) => unit(more),
            None => -unit(AssetAmount::SCALE - places),
        };
        Money { asset, step }
    }

    /// Price times quantity, rounded up; what does not fit is the most there is.
    #[inline]
    pub(super) fn notional(self, price: i64, qty: i64) -> i64 {
        let product = i128::from(price) * i128::from(qty);
        let money = match (u64::try_from(product), u64::try_from(self.step)) {
            // What nearly all orders are: a division of 64 bits.
            (Ok(product), Ok(step)) => i128::from(product.div_ceil(step)),
            (_, Ok(step)) => {
                let step = i128::from(step);
                product / step + i128::from(product % step > 0)
            }
            (_, Err(_)) => product.saturating_mul(i128::from(self.step.unsigned_abs())),
        };
        // One less than what stands for no limit.
        i64::try_from(money).unwrap_or(i64::MAX).min(i64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::InstrumentSpec;

    fn money(price_scale: u8, qty_scale: u8) -> Money {
        let symbol = "A-B".to_owned();
        let spec = InstrumentSpec { symbol, price_scale, qty_scale, tick: 1, step: 1 };
        Money::of(&Instruments::new(vec![spec]).unwrap(), InstrumentId(0))
    }

    #[test]
    fn what_an_order_trades_for_is_rounded_up_and_never_wraps() {
        // 60,000.00 x 0.00002 = 1.2
        assert_eq!(money(2, 5).notional(6_000_000, 2), 120_000_000);
        assert_eq!(money(0, 0).notional(3, 7), 2_100_000_000);
        assert_eq!(money(12, 12).notional(1, 1), 1, "less than a unit is a unit");
        assert_eq!(money(4, 4).notional(3, 7), 21);
        assert_eq!(money(8, 8).notional(i64::MAX, i64::MAX), i64::MAX - 1);
        assert_eq!(money(0, 0).notional(i64::MAX, i64::MAX), i64::MAX - 1);
    }
}
