//! Coinbase Advanced: its market data, and the keys of its accounts.

mod key;
mod long_snapshot;
mod market;
mod market_decoder;
mod token;

pub use market::CoinbaseMarket;
pub use token::CoinbaseKey;
