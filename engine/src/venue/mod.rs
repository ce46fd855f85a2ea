//! Venues: one session a connection, from the socket's bytes to canonical events.

pub mod binance;
pub mod book;
mod lane_outlet;
mod outlet;
pub mod session;
pub mod simulated;
mod stats;
mod symbols;
mod synthetic;

pub use lane_outlet::LaneOutlet;
pub use outlet::{EventOutlet, LetterReason};
pub use stats::{IntakeStats, VenueCounters};
pub use symbols::{Scales, Symbol, SymbolError, SymbolMap};
pub use synthetic::{SyntheticOptions, SyntheticVenue, SyntheticWiring};
