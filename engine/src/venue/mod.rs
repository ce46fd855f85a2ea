//! Venues: one session a connection, from the socket's bytes to canonical events.

mod lane_outlet;
mod outlet;
pub mod simulated;
mod stats;
mod synthetic;

pub use lane_outlet::LaneOutlet;
pub use outlet::{EventOutlet, LetterReason};
pub use stats::{IntakeStats, VenueCounters};
pub use synthetic::{SyntheticOptions, SyntheticVenue, SyntheticWiring};
