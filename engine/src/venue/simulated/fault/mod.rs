//! What goes wrong on purpose: the plan, and the plan at work.

mod injector;
mod plan;

pub use injector::{Faults, Occasion};
pub use plan::{Fault, FaultName, FaultPlan, FaultRule, Trigger};
