//! The market sessions of any venue: sockets, subscriptions, books and snapshots, around its
//! protocol.

mod agent;
mod bars;
mod book_checks;
mod books;
mod conformance;
mod connections;
mod doubt;
mod exchange;
mod feed;
mod fit;
mod handed_books;
mod instrument_watch;
mod intake;
mod next_connection;
mod next_feed;
mod overlap;
mod pacing;
mod plausible;
mod refresh;
mod resubscribe;
mod resync;
mod rollover;
mod silence;
mod snapshot_client;
mod snapshots;
mod stamper;
mod stream_port;
mod streams;
mod subscriptions;
mod take_over;
mod topics;
mod upkeep;

pub use agent::{BookSummaries, MarketAgent, MarketOptions, MarketWiring};
pub use conformance::{BookConformance, Conformance, Recorded};
pub use connections::{Connection, routed_url};
pub use feed::{MarketFeed, MarketFeedOptions};
pub use fit::Fit;
pub use intake::FrameOutcome;
pub use pacing::SnapshotPace;
pub use refresh::RefreshPace;
pub use silence::SilenceLimits;
pub use snapshot_client::SnapshotClient;
pub use snapshots::{SnapshotAgent, SnapshotOptions};
pub(crate) use stream_port::{StreamError, StreamPort};
pub(crate) use topics::Stream;
