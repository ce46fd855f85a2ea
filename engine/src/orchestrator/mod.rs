//! The orchestrator: gathers every venue's events, stamps them with the routing version (FR-014),
//! and merges what the venues say of one instrument into windows (LM-05).

pub mod merge;
mod stage;

pub use stage::OrchestratorTotals;
pub(crate) use stage::{Onward, Orchestrator, Stamped};
