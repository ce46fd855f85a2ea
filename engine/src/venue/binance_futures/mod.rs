//! Binance USD-M futures: how it words its market data. Takes no orders yet.

mod market;

pub use market::FuturesMarket;
