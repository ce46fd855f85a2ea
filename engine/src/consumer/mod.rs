//! Consumers: strategies behind a wrapper that contains their failures and counts every event.

mod agent;
mod cell;
mod context;
mod failure;
mod faults;
mod faulty;
mod harness;
mod last_resort;
mod quarantine;
mod strategy;
mod strategy_error;
mod timers;
mod view;

pub(crate) use agent::{CONSUMER_LETTER_SLOTS, ConsumerWiring};
pub use agent::{ConsumerAgent, ConsumerOptions, ConsumerRemains};
pub use cell::ConsumerState;
pub(crate) use context::ContextParts;
pub use context::{Context, NewOrder, RiskLimits, SubmitError};
pub(crate) use failure::contain;
pub use failure::{FailureKind, FailureLog, FailureRecord, SiteCount, install_panic_hook};
pub use faults::ConsumerFaults;
pub use faulty::{FaultCounts, FaultPlan, Faulty};
pub use harness::Harness;
pub use last_resort::{HaltReason, LastResort};
pub use quarantine::{Quarantine, QuarantineReason};
pub use strategy::{Closure, Interest, Strategy, StrategyResult};
pub use strategy_error::StrategyError;
pub use view::View;
