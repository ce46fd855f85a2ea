//! Bybit v5: how it words its market data, and orders for spot.

mod code;
mod disconnect;
mod inspection;
mod market;
mod market_decoder;
mod order_decoder;
mod orders;
mod ticker;

pub use market::BybitMarket;
pub use order_decoder::BybitReports;
pub use orders::BybitOrders;
