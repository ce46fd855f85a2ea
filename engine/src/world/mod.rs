//! The world outside the engine: time, chance, the network and files, real or simulated.
//!
//! Whatever reaches outside goes through here, so that a whole engine can run on one thread in
//! virtual time and, for one seed, do the same twice. Nothing here knows a venue, an event or a
//! stage.

mod clock;
mod entropy;
mod files;
mod fnv;
mod kernel;
mod net;
mod split_mix;
pub mod tape;
mod thread;
mod wall;

pub use clock::{Clock, ManualTime, wall_now_ns};
pub use entropy::Entropy;
pub(crate) use entropy::signing_random;
pub use files::{
    File, FileConditions, FileTotals, Files, FolderLock, PlainFile, Segment, SegmentFile,
    VirtualFiles,
};
pub(crate) use fnv::fnv_of;
pub use kernel::{kernel_names, kernel_text, kernel_text_into, kernel_text_lossy};
pub use net::{
    Listener, Lookup, Net, NetConditions, NetTotals, Reader, Stream, TlsError, TlsPeer, TlsTrust,
    VirtualNet,
};
pub use split_mix::SplitMix64;
pub use thread::{start_thread, wait_until};

/// What an engine is given of the world outside. Cheap to clone.
#[derive(Clone, Debug)]
pub struct World {
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
    /// The network.
    pub net: Net,
    /// What is read and written.
    pub files: Files,
    /// Where agents run.
    pub spawn: Spawn,
}

/// Where an engine's agents run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spawn {
    /// On pinned cores, and on threads beside them.
    Threads,
    /// All on one thread, which draws the next by its seed; venues too.
    OneThread,
    /// All on one thread in real time; simulated venues have their own.
    LiveThread,
    /// All on one thread, as it was recorded; venues are where their bytes come from.
    Replay,
}

impl World {
    /// The system's: a clock that starts now, a new root of chance, the system's network and files.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn real() -> std::io::Result<World> {
        Ok(World {
            clock: Clock::start(),
            entropy: Entropy::from_os()?,
            net: Net::real(),
            files: Files::Real,
            spawn: Spawn::Threads,
        })
    }
}
