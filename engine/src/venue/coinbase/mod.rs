//! Coinbase Advanced: its market data and its orders.

mod inspection;
mod key;
mod long_snapshot;
mod market;
mod market_decoder;
mod order_decoder;
mod orders;
mod refusals;
mod token;

pub use market::CoinbaseMarket;
pub use orders::CoinbaseOrders;
pub use token::CoinbaseKey;
