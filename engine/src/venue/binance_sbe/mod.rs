//! Binance spot in binary: its market data in SBE frames. Orders, snapshots and answers are those
//! of Binance spot, in JSON.

mod decoder;
mod market;
mod rescale;
mod wire;
mod writer;

pub use decoder::SbeDecoder;
pub use market::SbeMarket;
pub use writer::{SbeSymbol, SbeTrade, SbeWriter};
