//! Binance USD-M futures: how it words its market data and its orders.

mod inspection;
mod market;
mod orders;
mod reports;

pub use market::FuturesMarket;
pub use orders::FuturesOrders;
pub use reports::FuturesReports;
