//! What tests and benches drive by hand: one strategy, or the stages, without threads or files.

mod bare_recovery;
mod harness;
mod ledger_check;
mod ordering;
mod risk;
mod skipped;
mod stages;

#[doc(hidden)]
pub use crate::pipeline::Size;
pub use bare_recovery::BareRecovery;
pub use harness::Harness;
pub use ledger_check::{ToldOrders, disagreements};
#[doc(hidden)]
pub use ordering::{BareMerger, BareSequencer};
#[doc(hidden)]
pub use risk::RiskCheck;
pub use skipped::skipped;
#[doc(hidden)]
pub use stages::{
    BareConsumer, BareDispatcher, BareGateway, Stages, StagesOptions, bare_consumer,
    bare_dispatcher, bare_gateway, is_contained, restored_consumer, stages, sweep,
};
