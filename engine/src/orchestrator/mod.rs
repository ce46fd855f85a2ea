//! The orchestrator: gathers every venue's events, stamps them with the routing version (FR-014),
//! and merges what the venues say of one instrument into windows (LM-05).

mod agent;
pub mod merge;

pub use agent::{OrchestratorAgent, OrchestratorTotals};
pub(crate) use agent::{OrchestratorEnds, Outputs};
