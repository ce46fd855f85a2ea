//! OKX v5: how it words its market data, and orders for spot.

mod checksum;
mod inspection;
mod market;
mod market_decoder;
mod order_decoder;
mod orders;

pub use market::OkxMarket;
pub use order_decoder::OkxReports;
pub use orders::OkxOrders;
