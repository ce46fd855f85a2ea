//! The simulated venue: an exchange of our own behind a real server on loopback.
//!
//! `exchange/` has books, a seeded crowd, one account, fees and a ledger, and knows no text;
//! `dialect/` speaks of it as one venue does; `server/` owns the sockets. The venue's adapter talks
//! to it exactly as to the real one: WebSocket streams, REST, and the WebSocket API for orders, on
//! one port. A fault plan makes things go wrong on purpose and counts that they did.
//!
//! Promises
//! - One thread, which blocks while nothing is due. It may allocate: it is not the hot path.
//! - One seed, one sequence of the crowd's actions; when they happen is the clock's affair.
//! - Update ids, trade ids and execution ids are contiguous; snapshot and diffs agree.
//! - Bounded: connections, bytes waiting for a client, orders, levels, remembered closed orders.
//! - The real venue's limits are enforced ([`LimitRules`]), and each breach is counted
//!   ([`SimulatedVenue::penalties`]).
//! - What is true of orders, trades and balances can be read ([`SimulatedVenue::ledger`]).
//!
//! Not promised: stop orders, order lists, and the rates of the real venue.

mod counters;
pub(in crate::venue) mod dialect;
mod exchange;
mod fault;
mod frame_kind;
mod limits;
mod live_feed;
mod moment;
mod options;
mod penalties;
mod recording;
mod replay;
mod server;
mod simulation;
mod venue;

pub use counters::{SimulatedVenueCounters, SimulatedVenueReport};
pub use dialect::{DialectKind, OrderFormat, Refused, Saying, Talk, Wish, orders_alone};
pub use exchange::{
    AMOUNT_SCALE, Commission, CommissionAsset, Exchange, ExecKind, ExpiryReason as LedgerExpiry,
    Fee, Filter, Ledger, LedgerBalance, LedgerTop, LedgerTrade, NewOrder, Order as LedgerOrder,
    OrderName, OrderReport, OrderType as LedgerOrderType, Refusal, SelfTrade, Side as LedgerSide,
    SimulatedSymbol, Status as LedgerStatus, TOPS_MAX, TimeInForce as LedgerTimeInForce, top_hash,
};
pub use fault::{Fault, FaultName, FaultPlan, FaultRule, Trigger};
pub use frame_kind::FrameKind;
pub use limits::{Enforcement, LimitRules};
pub use live_feed::LiveFeeds;
pub use moment::Moment;
pub use options::{SimulatedVenueError, SimulatedVenueOptions};
pub use penalties::{Penalties, Penalty};
pub use recording::{Recording, RecordingError};
pub use replay::{RecordedSession, ReplayPace};
pub use venue::SimulatedVenue;
