//! Fees as quantities, and sums that stay at their limit.

use crate::event::{AssetAmount, asset_code};
use crate::instrument::InstrumentSpec;

/// What the fees of an instrument are taken in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Money {
    /// The base asset as [`asset_code`] has it.
    pub(super) base: u128,
    pub(super) quote: u128,
    qty_scale: u8,
}

impl Money {
    pub(super) fn of(spec: &InstrumentSpec) -> Money {
        let mut assets = spec.symbol.split('-').map(asset_code);
        // A fee in no asset is 0: no asset is none of these.
        let mut next = || assets.next().flatten().unwrap_or(u128::MAX);
        Money { base: next(), quote: next(), qty_scale: spec.qty_scale }
    }

    /// A fee in the base asset as a quantity, rounded up: a position is never thought larger than
    /// it is.
    pub(super) fn base_fee_in_qty(&self, fee: i64) -> i128 {
        let unit = 10_i64.pow(u32::from(AssetAmount::SCALE.abs_diff(self.qty_scale)));
        if self.qty_scale > AssetAmount::SCALE {
            return i128::from(fee) * i128::from(unit);
        }
        // As -((-fee).div_euclid(unit)), without a sum that may not fit.
        i128::from(fee.div_euclid(unit)) + i128::from(fee.rem_euclid(unit) != 0)
    }
}

/// Sums that stay at their limit, and note it.
pub(super) struct Saturating {
    pub(super) is_lost: bool,
}

impl Saturating {
    pub(super) fn add(&mut self, a: i64, b: i64) -> i64 {
        self.is_lost |= a.checked_add(b).is_none();
        a.saturating_add(b)
    }

    pub(super) fn add_wide(&mut self, a: i128, b: i128) -> i128 {
        self.is_lost |= a.checked_add(b).is_none();
        a.saturating_add(b)
    }

    pub(super) fn narrow(&mut self, sum: i128) -> i64 {
        let fits = i64::try_from(sum);
        self.is_lost |= fits.is_err();
        fits.unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
    }
}
