//! Venues: one session a connection, from the socket's bytes to canonical events.

pub mod binance;
pub mod book;
mod outlet;
mod stats;
mod symbols;

pub use outlet::{EventOutlet, LetterReason};
pub use stats::{IntakeStats, VenueCounters};
pub use symbols::{Scales, Symbol, SymbolError, SymbolMap};
