//! Venues: one session a connection, from the socket's bytes to canonical events.

pub mod binance;
pub mod binance_futures;
pub mod book;
mod book_summary;
mod clock;
pub mod codec;
pub mod governor;
mod lane_outlet;
mod letter_reader;
pub mod market;
pub mod orders;
mod outlet;
pub mod protocol;
pub mod registry;
pub mod simulated;
mod stats;
mod stream_order;
mod switch;
mod symbols;
mod synthetic;
mod synthetic_load;
pub mod transport;
mod utc;

pub use crate::event::TraceIds;
pub use book_summary::BookSummary;
pub use clock::{Measured, VenueClock, VenueClockReading};
pub use lane_outlet::LaneOutlet;
pub use letter_reader::LetterReader;
pub use outlet::{EventOutlet, LetterReason};
pub use stats::{IntakeStats, SessionState, SessionTrouble, VenueCounters};
pub use stream_order::{StreamOrder, StreamOrders};
pub use switch::VenueSwitch;
pub use symbols::{Scales, Symbol, SymbolError, SymbolMap};
pub use synthetic::{SyntheticOptions, SyntheticVenue, SyntheticWiring};
pub use synthetic_load::SyntheticLoad;
