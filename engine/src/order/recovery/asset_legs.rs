//! The assets that a trade in an instrument moves.

use crate::event::{AssetAmount, Side, asset_code};
use crate::instrument::InstrumentSpec;

/// Base and quote asset of an instrument, and the scales of what is traded of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AssetLegs([(Option<u128>, u8); 2]);

impl AssetLegs {
    /// Those of an instrument, by its symbol.
    pub(crate) fn of(spec: &InstrumentSpec) -> AssetLegs {
        let mut assets = spec.symbol.split('-').map(asset_code);
        let mut next = || assets.next().flatten();
        AssetLegs([(next(), spec.qty_scale), (next(), spec.price_scale + spec.qty_scale)])
    }

    /// What a trade moves, in units of 10^-8 and before fees: base for `qty`, quote for `quote`,
    /// both in the instrument's units.
    pub(crate) fn moved(
        &self,
        side: Side,
        qty: i128,
        quote: i128,
    ) -> impl Iterator<Item = (u128, i128)> {
        let sign = if side == Side::Buy { 1 } else { -1 };
        let amounts = [sign * qty, -sign * quote];
        let legs = self.0.into_iter().zip(amounts);
        legs.filter_map(|((asset, scale), amount)| Some((asset?, in_amounts(amount, scale))))
    }
}

/// Units of 10^-`scale` as units of 10^-8.
fn in_amounts(units: i128, scale: u8) -> i128 {
    let by = 10_i128.pow(u32::from(scale.abs_diff(AssetAmount::SCALE)));
    if scale <= AssetAmount::SCALE { units.saturating_mul(by) } else { units / by }
}
