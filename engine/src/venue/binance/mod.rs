//! Binance spot: how it words its market data, its orders and its answers.

mod credentials;
mod market;
mod market_decoder;
mod order_agent;
mod order_desk;
mod order_request;
mod requests_in_flight;
mod snapshot;
mod ticker_scan;
mod user_decode;

pub use credentials::{Credentials, CredentialsError};
pub use market::SpotMarket;
pub(in crate::venue) use market::{request_to_subscribe, stream_of};
pub use market_decoder::MarketDecoder;
pub use order_agent::{OrderAgent, OrderOptions, OrderWiring};
pub(in crate::venue) use snapshot::read_snapshot;
pub use user_decode::{
    BalanceEntry, Execution, OrderResult, Reply, ReplyError, UserDecoder, UserMessage,
};
