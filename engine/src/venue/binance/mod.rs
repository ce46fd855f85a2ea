//! Binance spot: decoding of market and user frames, books, and the snapshots they start from.
//!
//! Decoding and books are pure: no socket, no thread, no time but what is passed in. The two agents and
//! the snapshot thread join them to sockets.

mod credentials;
mod feed_books;
mod market_agent;
mod market_decode;
mod market_feed;
mod order_agent;
mod order_desk;
mod order_request;
mod publisher;
mod requests_in_flight;
mod silence;
mod snapshot;
mod snapshot_client;
mod snapshot_pacer;
mod stream_port;
mod subscriptions;
mod ticker_scan;
mod user_decode;

pub use credentials::{Credentials, CredentialsError};
pub use market_agent::{MarketAgent, MarketOptions, MarketWiring};
pub use market_decode::{MarketDecoder, MarketMessage};
pub use market_feed::{
    EVENTS_PER_FRAME_MAX, FrameOutcome, MarketFeed, MarketFeedOptions, STREAM_ORDERS,
};
pub use order_agent::{OrderAgent, OrderOptions, OrderWiring};
pub use silence::SilenceLimits;
pub use snapshot::Snapshot;
pub use snapshot_client::{SnapshotClient, SnapshotThread, SnapshotThreadOptions};
pub use snapshot_pacer::SnapshotPace;
pub(crate) use stream_port::{Stream, StreamError, StreamPort};
pub use user_decode::{
    BalanceEntry, Execution, OrderResult, Reply, ReplyError, UserDecoder, UserMessage,
};
