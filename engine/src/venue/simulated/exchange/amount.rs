//! Amounts of an asset, exact to the last digit of any price times quantity.

use super::instrument::SimulatedSymbol;

/// Digits after the point of an `Amount`: those of a price (8) and of a quantity (8) together, so
/// that no product is rounded.
pub const AMOUNT_SCALE: u32 = 16;

/// An amount of an asset in units of 10^-16.
pub type Amount = u128;

/// A quantity of the base asset.
pub fn base_amount(symbol: &SimulatedSymbol, qty: u64) -> Amount {
    Amount::from(qty) * 10_u128.pow(AMOUNT_SCALE - symbol.qty_scale)
}

/// What a product of price and quantity is in the quote asset.
pub fn quote_amount(symbol: &SimulatedSymbol, notional: u128) -> Amount {
    notional * 10_u128.pow(AMOUNT_SCALE - symbol.price_scale - symbol.qty_scale)
}
