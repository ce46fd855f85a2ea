//! Venues: one session a connection, from the socket's bytes to canonical events.

mod outlet;
mod stats;

pub use outlet::{EventOutlet, LetterReason};
pub use stats::{IntakeStats, VenueCounters};
