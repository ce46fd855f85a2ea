//! The embedded venue: a real server on loopback that speaks the Binance spot protocol.
//!
//! The venue's adapter talks to it exactly as to the real one: WebSocket streams, REST, and the
//! WebSocket API for orders, on one port. Inside are a matching engine and a seeded crowd; a fault
//! plan makes the wire go wrong on purpose and counts that it did.
//!
//! Promises
//! - One thread, which blocks while nothing is due. It may allocate: it is not the hot path.
//! - One seed, one sequence of the crowd's actions; when they happen is the clock's affair.
//! - Update ids, trade ids and execution ids are contiguous; snapshot and diffs agree.
//! - Bounded: connections, bytes waiting for a client, orders, levels, remembered closed orders.
//!
//! Not promised: fees, self-trade prevention, order lists, and the rates of the real venue.

mod account;
mod api;
mod book;
mod client;
mod clients;
mod clock;
mod counters;
mod crowd;
mod decimal;
mod desk;
mod fault;
mod frames;
mod http;
mod kline;
mod market;
mod options;
mod order;
mod order_request;
mod pace;
mod random;
mod recording;
mod refusal;
mod replay;
mod rest;
mod server;
mod session;
mod signature;
mod simulation;
mod spoil;
mod stream;
mod venue;
mod wire;

pub use counters::{FrameKind, SimulatedVenueReport, VenueCounters};
pub use fault::{Fault, FaultName, FaultPlan, FaultRule, Trigger};
pub use options::{SimulatedSymbol, SimulatedVenueError, SimulatedVenueOptions};
pub use recording::{Recording, RecordingError};
pub use replay::{RecordedSession, ReplayPace};
pub use venue::SimulatedVenue;
