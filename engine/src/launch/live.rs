//! What can be read of an engine while it runs.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::{LaneGauge, PoolGauge};

use crate::control::{ConsumerAccount, SessionAccount};
use crate::dispatcher::order::StreamStats;
use crate::instrument::Instruments;
use crate::runtime::StallBook;
use crate::telemetry::DeadLetterCounts;
use crate::venue::VenueSwitch;
use crate::venue::governor::{Governor, GovernorReading};

/// What can be read while the engine runs, without cost for it.
#[derive(Default)]
pub(super) struct Live {
    pub(super) instruments: Arc<Instruments>,
    pub(super) lanes: Vec<LaneGauge>,
    pub(super) pools: Vec<PoolGauge>,
    pub(super) order: Arc<CachePadded<StreamStats>>,
    /// Name, the dispatcher's terms, the consumer's terms.
    pub(super) consumers: Vec<ConsumerAccount>,
    /// By consumer.
    pub(super) stalls: Vec<Arc<StallBook>>,
    /// One for each session.
    pub(super) venues: Vec<SessionAccount>,
    pub(super) letters: Vec<Arc<DeadLetterCounts>>,
    /// Of each venue that is reached over a network.
    pub(super) governors: Vec<(String, Governor)>,
    /// By venue; `None` for one without sessions.
    pub(super) switches: Vec<Option<VenueSwitch>>,
}

/// A reading of a running engine.
#[derive(Clone, Debug, Default, serde::Serialize)]
#[allow(missing_docs)]
pub struct LiveStatus {
    pub uptime_ns: u64,
    pub events_in: u64,
    pub published: u64,
    pub handled: u64,
    pub conflated: u64,
    pub failures: u64,
    /// A critical event can be stored nowhere: no order leaves any more.
    pub is_halted: bool,
    /// Consumers that are in a callback beyond their stall budget now: name, ns so far.
    pub stalled: Vec<(String, u64)>,
    /// The fullest lane: name, events in it, slots.
    pub fullest_lane: Option<(String, u64, usize)>,
    /// By venue, how much of what it allows is used, and what was held back for that.
    pub limits: Vec<(String, GovernorReading)>,
}

/// Readable by anyone while the engine runs.
pub(super) fn lane_fill(lanes: &[LaneGauge]) -> impl Iterator<Item = (&str, u64, usize)> {
    lanes.iter().map(|lane| (lane.name(), lane.in_flight(), lane.capacity()))
}
