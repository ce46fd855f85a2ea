//! Coinbase Advanced: its market data.

mod long_snapshot;
mod market;
mod market_decoder;

pub use market::CoinbaseMarket;
