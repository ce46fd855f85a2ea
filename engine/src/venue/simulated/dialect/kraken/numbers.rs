//! Its numbers: with all decimals of the instrument.

use crate::event::format_scaled;
use crate::venue::simulated::exchange::SimulatedSymbol;

pub(super) fn price(symbol: &SimulatedSymbol, value: u64) -> String {
    format_scaled(value.cast_signed(), symbol.price_scale as u8).to_string()
}

pub(super) fn qty(symbol: &SimulatedSymbol, value: u64) -> String {
    format_scaled(value.cast_signed(), symbol.qty_scale as u8).to_string()
}
