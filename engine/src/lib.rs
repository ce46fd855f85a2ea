//! The Pitlane trading engine as a library, without a command line.
//!
//! Who writes a strategy needs [`consumer::Strategy`], [`consumer::Context`], the payloads of
//! [`event`] and [`testing::Harness`]; `strategies/README.md` is the guide. Who changes the engine
//! starts with `engine/README.md`: the drawing of the pipeline, three trips through it, and its
//! layers.
//!
//! | Module | Holds |
//! |---|---|
//! | [`event`], [`instrument`] | the schema, and what is traded |
//! | [`venue`] | sessions, protocols, books; the simulated venue |
//! | [`orchestrator`], [`dispatcher`] | stamp and merge; order of streams, routes, fan-out |
//! | [`consumer`], [`order`] | the wrapper around a strategy; its orders' way to the venue |
//! | [`risk`] | what is asked before every order |
//! | [`journal`] | what must survive the process, on record before it acts |
//! | `pipeline` | makes all of it, and what can be read of it |
//! | [`control`] | changes of a running engine |
//! | [`launch`](launch()) | puts the parts on cores, and gives the [`Engine`] |
//! | [`report`] | what remains of a run |
//! | [`simulation`] | bad days by seed, and who judges them |
//! | [`safety`], [`world`], [`telemetry`], [`config`], [`runtime`] | what all of them stand on |

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod config;
pub mod consumer;
pub mod control;
pub mod dispatcher;
pub mod event;
pub mod instrument;
pub mod journal;
mod launch;
pub mod orchestrator;
pub mod order;
mod pipeline;
mod rate;
pub mod report;
pub mod risk;
pub mod runtime;
pub mod safety;
pub mod simulation;
pub mod telemetry;
pub mod testing;
pub mod text;
pub mod venue;
pub mod world;

pub use consumer::{Params, StrategyRegistry};
pub use control::{FlipError, RouteChange};
pub use launch::{
    Engine, LaneFootprint, LaunchError, LaunchFaults, LaunchOptions, OneThreadEngine,
    OneThreadOptions, OwnVenue, Played, RecordRun, RecordedEngine, RecordedSession,
    RecordingProgress, Replay, ReplayEnd, SimulatedWorld, check, guard_sessions, lane_footprints,
    launch, launch_one_thread, launch_recorded, launch_with,
};
pub use pipeline::LiveStatus;

/// Unit tests count what a thread allocates that must not.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

/// Allocations of this thread while `work` runs.
#[cfg(test)]
fn allocations_of(work: impl FnOnce()) -> u64 {
    use pitlane_ring::alloc::{count_this_thread, counted_allocations, is_installed};
    /// The count is the process's: one at a time.
    static COUNTING: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    let _guard = COUNTING.lock();
    let before = counted_allocations();
    let was_counted = count_this_thread(true);
    drop(std::hint::black_box(Box::new(0_u8)));
    work();
    count_this_thread(was_counted);
    assert!(is_installed());
    // The box shows that the count works.
    (counted_allocations() - before).checked_sub(1).expect("nothing is counted")
}
