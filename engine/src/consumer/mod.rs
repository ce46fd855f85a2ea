//! Consumers: strategies behind a wrapper that contains their failures and counts every event.

mod agent;
mod containment;
mod context;
mod control_command;
mod failure;
mod faults;
mod faulty;
mod registry;
mod state_saver;
mod strategy;
mod strategy_error;
mod strategy_host;
mod taped;
mod timers;
mod view;

pub(crate) use agent::{CONSUMER_LETTER_SLOTS, ConsumerWiring};
pub use agent::{ConsumerAgent, ConsumerOptions, ConsumerTotals};
pub(crate) use containment::contain;
pub use containment::install_panic_hook;
pub(crate) use context::ContextParts;
pub use context::{Context, NewOrder, Once, Replacement, SubmitError};
pub use control_command::{
    CommandId, ControlAction, ControlCommand, ControlError, MergeRequest, VenueSet,
};
pub use failure::{FailureKind, FailureLog, FailureRecord, SiteCount};
pub use faults::ConsumerFaults;
pub use faulty::{FaultCounts, FaultPlan, Faulty};
pub use registry::{Params, StrategyRegistry};
pub(crate) use state_saver::StateSaver;
pub use strategy::{Closure, Strategy};
pub use strategy_error::{StrategyError, StrategyResult};
pub use strategy_host::ConsumerState;
pub(crate) use taped::TapedStrategy;
pub use view::View;
