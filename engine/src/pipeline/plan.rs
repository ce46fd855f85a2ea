//! What a pipeline is made from.

use std::sync::Arc;

use crate::config::LanesConfig;
use crate::consumer::{ConsumerOptions, TapedStrategy};
use crate::dispatcher::Subscription;
use crate::dispatcher::sequencing::SequencerOptions;
use crate::instrument::Instruments;
use crate::risk::{RiskLimits, SharedLimits};

/// What a pipeline is made from: decided before anything is made.
pub(crate) struct PipelinePlan {
    pub(crate) instruments: Arc<Instruments>,
    /// By number, their names.
    pub(crate) venues: Vec<String>,
    /// How many threads its consumers are on.
    pub(crate) threads: usize,
    /// Slots of each kind of lane.
    pub(crate) lanes: LanesConfig,
    /// What puts the streams of the market lane in order.
    pub(crate) streams: SequencerOptions,
    /// Places for contributions to merge windows.
    pub(crate) merge_places: usize,
    /// The fan-out of every so many-th event is sampled; 0 = none.
    pub(crate) fanout_every: u64,
    /// Whether orders and fills are written down.
    pub(crate) has_order_log: bool,
    /// What strategies share of what may leave.
    pub(crate) risk: SharedLimits,
    /// By number.
    pub(crate) consumers: Vec<ConsumerPlan>,
}

impl PipelinePlan {
    /// Has every callback kept by its hash on the tape of the thread that makes it.
    pub(crate) fn tape_strategies(&mut self) {
        let consumers = std::mem::take(&mut self.consumers).into_iter();
        self.consumers = consumers.map(ConsumerPlan::taped).collect();
    }
}

/// One consumer of a plan.
pub(crate) struct ConsumerPlan {
    pub(crate) options: ConsumerOptions,
    pub(crate) subscription: Subscription,
    pub(crate) limits: RiskLimits,
    /// Time that a callback may take, ns.
    pub(crate) budget_ns: u64,
    /// Which of the plan's threads it is on: lanes between the same two threads have their cursors
    /// together.
    pub(crate) thread: usize,
}

impl ConsumerPlan {
    fn taped(mut self) -> ConsumerPlan {
        self.options.strategy = Box::new(TapedStrategy::new(self.options.strategy));
        self
    }
}

/// What a pipeline is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// To be run, measured or tested.
    #[default]
    Full,
    /// To be run for its code alone: a few slots a lane, and histograms that nobody reads.
    Rehearsal,
}

impl Size {
    /// Slots of a lane whose size is not configured.
    pub(crate) fn at_most(self, slots: usize) -> usize {
        match self {
            Size::Full => slots,
            Size::Rehearsal => slots.min(4),
        }
    }
}
