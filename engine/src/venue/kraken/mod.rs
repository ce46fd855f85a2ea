//! Kraken spot, WebSocket v2: how it words its market data, and orders.

mod checksum;
mod inspection;
mod instruments;
mod known_orders;
mod market;
mod market_decoder;
mod order_decoder;
mod orders;
pub(in crate::venue) mod refusals;
mod secret;

pub use market::KrakenMarket;
pub use order_decoder::KrakenReports;
pub use orders::KrakenOrders;
pub use secret::KrakenSecret;
pub(in crate::venue) use secret::signed_text;
