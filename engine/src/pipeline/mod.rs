//! The pipeline: from the links of the venues to the callbacks, and the orders' way back.
//!
//! Whatever runs, counts and is read is made here, once, from a [`PipelinePlan`]:
//! [`crate::launch()`] puts it on cores, a simulated world schedules it on one thread, tests and
//! benches step it by hand.

mod builder;
mod closings;
mod plan;
mod readings;
mod states;
mod terms;

pub(crate) use builder::{Builder, ConsumerEnds, EngineEnds, Pipeline, RoutingEnds, WORD_SLOTS};
pub(crate) use closings::Closings;
pub use plan::Size;
pub(crate) use plan::{ConsumerPlan, PipelinePlan};
pub use readings::LiveStatus;
pub(crate) use readings::{ConsumerCounters, Readings, SessionCounters};
pub(crate) use terms::ConsumerTerms;
pub use terms::TermCounts;
