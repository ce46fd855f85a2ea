//! The pipeline: from the links of the venues to the callbacks, and the orders' way back.
//!
//! Whatever runs, counts and is read is made here, once: [`crate::launch()`] puts it on cores, a
//! simulated world schedules it on one thread, tests and benches step it by hand.

mod closings;
mod readings;
mod terms;

pub(crate) use closings::Closings;
pub use readings::LiveStatus;
pub(crate) use readings::{ConsumerCounters, Readings, SessionCounters};
pub(crate) use terms::ConsumerTerms;
pub use terms::TermCounts;
