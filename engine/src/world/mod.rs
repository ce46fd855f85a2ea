//! The world outside the engine: time, chance and the network, real or simulated.
//!
//! Whatever reaches outside goes through here, so that a whole engine can run on one thread in virtual time
//! and, for one seed, do the same twice. Nothing here knows a venue, an event or a stage.

mod clock;
mod entropy;
mod net;
mod split_mix;

pub use clock::{Clock, ManualTime};
pub use entropy::Entropy;
pub use net::{Listener, Lookup, Net, NetConditions, NetTotals, Stream, VirtualNet};
pub use split_mix::SplitMix64;
