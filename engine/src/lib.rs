//! The Pitlane trading engine as a library, without a command line.
//!
//! The folders follow an event's way: [`venue`] gives decoded events, [`orchestrator`] gathers and stamps
//! them, [`dispatcher`] fans them out, [`consumer`] runs the strategies, [`order`] carries their orders
//! back. [`control`] changes who gets what meanwhile. [`launch`] puts the parts on cores, [`report`] is what remains of a run.

pub mod config;
pub mod consumer;
pub mod control;
pub mod dispatcher;
pub mod event;
pub mod instrument;
mod launch;
pub mod orchestrator;
pub mod order;
pub mod registry;
pub mod report;
pub mod runtime;
#[doc(hidden)]
pub mod stages;
pub mod telemetry;
pub mod venue;

pub use control::{FlipError, RouteChange};
pub use launch::{
    EmbeddedVenue, Engine, LaunchError, LaunchFaults, LaunchOptions, LiveStatus, RecordedSession,
    RecordingProgress, launch, launch_with,
};
pub use registry::{Params, StrategyRegistry};
