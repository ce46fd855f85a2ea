//! Binance spot in binary: its market data in SBE frames. Orders, snapshots and answers are those
//! of Binance spot, in JSON.

mod decoder;
mod market;
mod rescale;
mod told;
mod wire;
mod writer;

pub use decoder::SbeDecoder;
pub use market::SbeMarket;
pub(in crate::venue) use told::told;
pub use writer::{SbeSymbol, SbeTrade, SbeWriter};
