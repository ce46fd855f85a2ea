//! The world outside the engine: time, chance and the network, real or simulated.
//!
//! Whatever reaches outside goes through here, so that a whole engine can run on one thread in
//! virtual time and, for one seed, do the same twice. Nothing here knows a venue, an event or a
//! stage.

mod clock;
mod entropy;
mod net;
mod split_mix;

pub use clock::{Clock, ManualTime};
pub use entropy::Entropy;
pub use net::{Listener, Lookup, Net, NetConditions, NetTotals, Stream, VirtualNet};
pub use split_mix::SplitMix64;

/// What an engine is given of the world outside. Cheap to clone.
#[derive(Clone, Debug)]
pub struct World {
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
    /// The network.
    pub net: Net,
    /// Where agents run.
    pub spawn: Spawn,
}

/// Where an engine's agents run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spawn {
    /// On pinned cores, and on threads beside them.
    Threads,
    /// All on one thread, which draws the next by its seed.
    OneThread,
}

impl World {
    /// The system's: a clock that starts now, a new root of chance, the system's network.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn real() -> std::io::Result<World> {
        Ok(World {
            clock: Clock::start(),
            entropy: Entropy::from_os()?,
            net: Net::real(),
            spawn: Spawn::Threads,
        })
    }
}
