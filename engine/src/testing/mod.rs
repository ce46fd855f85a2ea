//! What tests and benches drive by hand: one strategy, or the stages, without threads or files.

mod harness;
mod stages;

pub use harness::Harness;
#[doc(hidden)]
pub use stages::{
    BareConsumer, BareDispatcher, Size, Stages, StagesOptions, bare_consumer, bare_dispatcher,
    is_contained, stages, sweep,
};
