//! Threads, cores and time: agents run duty cycles on pinned cores, and read time through one seam.

mod agent;
mod clock;

pub use agent::{Agent, Phase, StopSignal};
pub use clock::{Clock, ManualTime};
