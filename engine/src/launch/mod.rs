//! Putting the engine together: lanes, agents and cores from a configuration, and taking it apart
//! again.
//!
//! One owner, [`Engine`], starts every thread, keeps its handle and joins it (FR-017). Everything
//! that can fail (configuration, strategies, directories, cores) fails before the first pinned
//! thread starts.

mod account;
mod assemble;
mod check;
mod compaction;
mod conclusion;
mod control;
mod engine;
mod footprint;
mod guard;
mod housekeeping;
mod journal;
mod journal_thread;
mod kinds;
mod memory;
mod one_thread;
mod options;
mod paper;
mod pause_book;
mod pipeline_plan;
mod recorded_desk;
mod recorded_run;
mod rehearsal;
mod replay;
mod run_folder;
mod run_header;
mod scheduled;
mod shutdown;
mod simulated_venue;
mod snapshot_threads;
mod start;
mod synthetic_venue;
mod venue_setup;
mod venue_threads;
mod venues;

#[doc(hidden)]
pub use crate::consumer::ConsumerFaults as LaunchFaults;
pub use crate::venue::simulated::RecordedSession;
pub use check::check;
pub use engine::{Engine, RecordingProgress};
pub use footprint::{LaneFootprint, lane_footprints};
pub use guard::guard_sessions;
pub(crate) use one_thread::SIMULATED_WALL_START_NS;
pub use one_thread::{OneThreadEngine, OneThreadOptions, SimulatedWorld, launch_one_thread};
pub use options::{LaunchError, LaunchOptions, OwnVenue};
pub use recorded_run::{RecordRun, RecordedEngine, launch_recorded};
pub use replay::{Played, Replay, ReplayEnd};
pub use start::{launch, launch_with};
