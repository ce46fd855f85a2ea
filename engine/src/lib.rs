//! The Pitlane trading engine as a library, without a command line.
//!
//! The folders follow an event's way: [`venue`] gives decoded events, [`orchestrator`] gathers and stamps
//! them, [`dispatcher`] fans them out, [`consumer`] runs the strategies, [`order`] carries their orders
//! back. [`launch`] puts the parts on cores, [`report`] is what remains of a run.

pub mod config;
pub mod consumer;
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

pub use launch::{
    EmbeddedVenue, Engine, FlipError, LaunchError, LaunchFaults, LaunchOptions, LiveStatus,
    MergeChangeError, RecordedSession, RecordingProgress, RouteChange, launch, launch_with,
};
pub use registry::{Params, StrategyRegistry};
