//! Kraken spot, WebSocket v2: how it words its market data. Takes no orders yet.

mod checksum;
mod market;
mod market_decoder;

pub use market::KrakenMarket;
