//! Binance spot: how it words its market data, its orders and its answers; and what futures word
//! in the same way.

mod credentials;
mod depth_scan;
mod inspection;
mod instruments;
mod limits;
mod market;
mod market_decoder;
mod orders;
mod reports;
mod request;
mod snapshot;
mod ticker_scan;
mod user_decode;

pub use credentials::Credentials;
pub(in crate::venue) use instruments::read_instruments;
pub(in crate::venue) use limits::{read_header, read_info, read_refusal};
pub use market::SpotMarket;
pub(in crate::venue) use market::{request_of_streams, stream_of};
pub use market_decoder::MarketDecoder;
pub use orders::BinanceOrders;
pub use reports::BinanceReports;
pub(in crate::venue) use request::{RequestText, outcome, write_logon, write_signed};
pub(in crate::venue) use snapshot::{read_snapshot, read_time};
pub use user_decode::{Execution, OrderResult, Reply, ReplyError, UserDecoder, UserMessage};
