//! The report of a run: every term counted where it happened, none derived.

mod silent;
mod verdict;

use std::collections::BTreeMap;

use pitlane_ring::{LaneGauge, PoolGauge};
use serde::Serialize;

use crate::consumer::{ConsumerState, FailureLog};
use crate::control::RoutesView;
use crate::dispatcher::sequencing::StreamCounts;
use crate::event::{ConsumerId, EventKind};
use crate::journal::{CheckpointFigures, JournalFailure};
use crate::orchestrator::merge::MergeCounts;
use crate::order::order_log::OrderLogReport;
use crate::order::recovery::VenueRecoveryFigures;
use crate::order::trading::StrategyFigures;
use crate::order::{GatewayCounts, OrderCounts};
use crate::pipeline::ConsumerTerms;
pub use crate::pipeline::TermCounts;
use crate::runtime::{ContentionFigures, Demotion, Pinned, StallFigures};
use crate::safety::{HaltReason, LastResort, QuarantineReason};
use crate::telemetry::LatencyFigures;
use crate::venue::governor::Allowance;
use crate::venue::orders::LeftOrder;
use crate::venue::{BookSummary, PositionDifference, VenueClockReading, VenueCounters};
use crate::world::tape::Sums;
pub use silent::SilentStream;
pub(crate) use silent::silent_streams;
pub use verdict::{Finding, FindingKind, RecordingReport};

/// One consumer's account.
#[derive(Clone, Debug, Serialize)]
pub struct ConsumerReport {
    /// Its name.
    pub name: String,
    /// The core it ran on; `null` when it was not pinned.
    pub core: Option<usize>,
    /// Its last state.
    pub state: ConsumerState,
    /// Why it was quarantined; `null` when it was not.
    pub quarantine: Option<QuarantineReason>,
    /// Sums over all kinds.
    #[serde(flatten)]
    pub terms: TermCounts,
    /// Contained errors and panics.
    pub failures: u64,
    /// Market events handled although a flip had made them stale: of a consumer that takes
    /// everything.
    pub stale_handled: u64,
    /// Critical events that never arrived.
    pub critical_lost: u64,
    /// By kind; kinds that never occurred are left out.
    pub kinds: BTreeMap<&'static str, TermCounts>,
    /// Its orders.
    pub orders: OrderCounts,
    /// Orders still open when it stopped.
    pub orders_open: usize,
    /// The failures by site, and the last ones whole.
    pub failure_log: FailureLog,
    /// Callbacks that took longer than its stall budget.
    pub stalls: StallFigures,
    /// Its thread did not come back from a callback: `in_flight` is then what is missing, which its
    /// lanes' gauges bear out, and its own last words (state, orders, failures) are unknown.
    pub left_behind: bool,
}

impl ConsumerReport {
    /// Fills `terms` and `kinds`.
    pub(crate) fn account(&mut self, terms: &ConsumerTerms) {
        self.terms = terms.totals();
        for kind in EventKind::ALL {
            let counts = terms.of(kind);
            if counts != TermCounts::default() {
                self.kinds.insert(kind.name(), counts);
            }
        }
    }

    /// Whether the identity holds for every kind.
    #[must_use]
    pub fn identity_holds(&self) -> bool {
        self.kinds.values().all(TermCounts::identity_holds)
    }
}

/// One venue's intake.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VenueReport {
    /// Its name.
    pub name: String,
    /// Whether it was switched off when the run was stopped.
    pub is_off: bool,
    /// Whether it has a session for orders.
    pub takes_orders: bool,
    /// Market data frames that were decoded.
    pub market_frames: u64,
    /// Its counters.
    #[serde(flatten)]
    pub counters: VenueCounters,
    /// What is known of its clock.
    pub clock: VenueClockReading,
    /// Positions of which it says otherwise than what was counted here, at the end.
    pub positions_differ: Vec<PositionDifference>,
}

/// What a run has on record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JournalReport {
    /// Its folder; `null` without a journal.
    pub path: Option<String>,
    /// Records of this run.
    pub records: u64,
    /// Words on orders that are not on record.
    pub missed: u64,
    /// Why it took nothing more; `null` when it was well to the end.
    pub failure: Option<JournalFailure>,
    /// Its checkpoints.
    pub checkpoints: CheckpointFigures,
}

/// Orders over all consumers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OrdersReport {
    /// Sums of the consumers' own counts.
    #[serde(flatten)]
    pub counts: OrderCounts,
    /// What the gateway did with them.
    pub gateway: GatewayCounts,
    /// Commands that a venue's session never took.
    pub untaken: u64,
    /// Orders that may still rest at their venues.
    pub left_at_venues: Vec<LeftOrder>,
}

/// How many callbacks ran at once, since the warm-up (FR-026).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ParallelismReport {
    /// Time within callbacks, of all consumers together, ns.
    pub callback_ns: u64,
    /// The time in which it was spent, ns.
    pub elapsed_ns: u64,
    /// Threads that run consumers.
    pub threads: usize,
    /// Callbacks that ran at once, on average over the whole time, in thousandths.
    pub at_once_permille: u64,
}

/// Events between intake and fan-out.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct IntakeReport {
    /// Events that sessions and the gateway published.
    pub events_in: u64,
    /// Merged events that the orchestrator made of them.
    pub merged: u64,
    pub routed: u64,
    pub unrouted: u64,
    /// Told before (LM-03).
    pub duplicate: u64,
    /// Too late for their place in their stream.
    pub late: u64,
    /// Above the rate that a stream may have.
    pub flooded: u64,
    /// Counted in the links and lanes before the dispatcher, and among those that wait for an
    /// earlier one.
    pub in_flight: u64,
}

impl IntakeReport {
    /// events_in + merged = routed + unrouted + duplicate + late + flooded + in_flight.
    /// Contributions to merge windows are copies, with an account of their own: [`MergeReport`].
    #[must_use]
    pub fn identity_holds(&self) -> bool {
        let accounted = self.routed
            + self.unrouted
            + self.duplicate
            + self.late
            + self.flooded
            + self.in_flight;
        self.events_in + self.merged == accounted
    }
}

/// The merge windows of a run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct MergeReport {
    /// Sums over all rules.
    #[serde(flatten)]
    pub counts: MergeCounts,
    /// Contributions that still lie in a window; 0 once the engine has stopped.
    pub in_flight: u64,
}

impl MergeReport {
    /// offered = late + replaced + aggregated + withdrawn + merged + suppressed_events + in_flight.
    #[must_use]
    pub fn identity_holds(&self) -> bool {
        self.counts.in_windows() == self.in_flight && self.counts.gone() <= self.counts.offered
    }
}

/// What is kept of a run so that it can be replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunRecordReport {
    /// Its folder.
    pub path: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Why it ends before the run; `null` where it is whole.
    pub ended_early: Option<String>,
    /// Whether it ended for a full ring or its disk, and not for its bound.
    pub has_failed: bool,
    /// Hash of all callbacks and of all bytes written.
    pub hash: u64,
    /// The parts of that: by consumer, and by session.
    #[serde(flatten)]
    pub sums: Sums,
}

/// One thread as it ran.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ThreadReport {
    pub name: String,
    pub core: Option<usize>,
    pub pinned: Pinned,
    pub idle: String,
    pub agents: Vec<String>,
}

/// One lane as it was at the end, read from its own gauge after the threads were joined.
#[derive(Clone, Debug, Serialize)]
pub struct LaneReport {
    /// Its name.
    pub name: String,
    /// Its slots.
    pub slots: usize,
    /// The most slots that were seen in use at once.
    pub high_water: u64,
    /// Publications that found it full.
    pub full: u64,
    /// Records published into it.
    pub published: u64,
    /// Slots that were never returned.
    pub in_flight: u64,
    /// Second returns of a slot, all refused.
    pub double_returns: u64,
}

impl LaneReport {
    pub(crate) fn of(gauge: &LaneGauge) -> LaneReport {
        LaneReport {
            name: gauge.name().to_owned(),
            slots: gauge.capacity(),
            high_water: gauge.high_water(),
            full: gauge.full_count(),
            published: gauge.published(),
            in_flight: gauge.in_flight(),
            double_returns: gauge.double_returns(),
        }
    }
}

/// One pool as it was at the end.
#[derive(Clone, Debug, Serialize)]
pub struct PoolReport {
    /// Its name.
    pub name: String,
    /// Its slots.
    pub slots: usize,
    /// The most slots that were in use at once.
    pub high_water: u64,
    /// Claims that found none free.
    pub exhausted: u64,
    /// Slots that were never returned.
    pub in_use: u64,
    /// Second returns of a slot, all refused.
    pub double_returns: u64,
}

impl PoolReport {
    pub(crate) fn of(gauge: &PoolGauge) -> PoolReport {
        PoolReport {
            name: gauge.name().to_owned(),
            slots: gauge.capacity(),
            high_water: gauge.high_water(),
            exhausted: gauge.exhausted(),
            in_use: gauge.owned(),
            double_returns: gauge.double_returns(),
        }
    }
}

/// Dead letters of the run.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct DeadLetterReport {
    pub written: u64,
    /// Letters that found no room on their way.
    pub dropped: u64,
    /// Letters that the file could not take.
    pub failed: u64,
    /// Letters of raw input that were counted only, since too many like them came in one second.
    pub suppressed: u64,
    /// Where they lie; `null` when there are none.
    pub path: Option<String>,
}

/// Changes of the routes over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoutingReport {
    /// The routing version at the end; 1 at the start.
    pub version: u32,
    /// Flips carried out.
    pub flips: u64,
    /// Flips given up at their deadline; the routes before stayed in force.
    pub flips_abandoned: u64,
    /// Routes in force at the end.
    pub routes: u64,
    /// Merge rules in force at the end.
    pub merge_rules: u64,
}

impl RoutingReport {
    /// Of a reading of the routes.
    #[must_use]
    pub fn of(view: &RoutesView) -> RoutingReport {
        RoutingReport {
            version: view.version,
            flips: view.flips,
            flips_abandoned: view.flips_abandoned,
            routes: view.routes.len() as u64,
            merge_rules: view.rules.len() as u64,
        }
    }
}

/// Everything about one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Delivery and intake identities hold, for every consumer, kind and venue.
    pub identity_holds: bool,
    /// Critical events that never reached their consumer, over all consumers.
    pub critical_lost: u64,
    /// Why trading was halted: a critical event could not be stored anywhere (FR-016); `null`
    /// when it was not.
    pub halted: Option<HaltReason>,
    /// Venues in paper mode: their orders were matched in this process, none was sent.
    pub paper: Vec<String>,
    /// Events that entered the pipeline.
    pub events_published: u64,
    /// Heap allocations of all agent threads after warm-up but those of TLS; `null` when they were
    /// not counted.
    pub allocations_steady_state: Option<u64>,
    /// The same of the library for TLS alone, which keeps each record in a vector.
    pub allocations_of_tls: Option<u64>,
    /// Length of the run, ns.
    pub duration_ns: u64,
    /// Latency by stage.
    pub stages: BTreeMap<String, LatencyFigures>,
    /// Bytes read to order taken by the venue, over all consumers.
    pub tick_to_trade: LatencyFigures,
    /// How late the pinned loops were when nothing kept them busy: what an event that has to pass
    /// all of them would have met, whatever the engine did. By thread under `hiccup:NAME` in the
    /// stages.
    pub hiccups: LatencyFigures,
    /// What each strategy has earned: positions, profit, fees, fills, orders, refusals.
    pub trading: Vec<StrategyFigures>,
    /// How many callbacks ran at once.
    pub parallelism: ParallelismReport,
    /// By consumer.
    pub consumers: Vec<ConsumerReport>,
    /// Orders and fills.
    pub orders: OrdersReport,
    /// What was found at the venues of orders of earlier starts; venues without any are left out.
    pub recovery: Vec<VenueRecoveryFigures>,
    /// By venue.
    pub venues: Vec<VenueReport>,
    /// Every book as it stood at the end, by symbol; `SYMBOL@VENUE` where several venues have it.
    pub books: BTreeMap<String, BookSummary>,
    /// Streams that a consumer is subscribed to and that nothing was ever heard of.
    pub silent_streams: Vec<SilentStream>,
    /// Every lane, in the order in which they were made.
    pub lanes: Vec<LaneReport>,
    /// Pools of what is held across events.
    pub pools: Vec<PoolReport>,
    /// Slots of all lanes and pools that were never returned.
    pub slots_owned: u64,
    /// Intake of events.
    pub intake: IntakeReport,
    /// What became of events that were out of order in their streams.
    pub streams: StreamCounts,
    /// Merge windows.
    pub merge: MergeReport,
    /// Changes of the routes.
    pub routing: RoutingReport,
    /// Threads as they ran.
    pub threads: Vec<ThreadReport>,
    /// What others took of the threads' cores; threads of which nothing was taken are left out.
    pub contention: Vec<ContentionFigures>,
    /// Consumers that lost their place on a shared core to a stall.
    pub demotions: Vec<Demotion>,
    /// Degradations of the plan, and failures of the engine's own threads.
    pub notes: Vec<String>,
    /// Threads that did not stop before the deadline.
    pub threads_left_behind: Vec<String>,
    /// Log lines that found no room.
    pub log_lines_dropped: u64,
    /// Fan-out samples whose group never became whole: a member was conflated.
    pub fanout_incomplete: u64,
    /// Dead letters.
    pub dead_letters: DeadLetterReport,
    /// The files of orders and fills.
    pub order_log: OrderLogReport,
    /// The journal.
    pub journal: JournalReport,
    /// What is kept of the run so that it can be replayed; `null` where nothing is.
    pub record: Option<RunRecordReport>,
    /// Where the interval log lies; `null` when none was written.
    pub hlog: Option<String>,
    /// Lines of it that could not be written.
    pub hlog_failed: u64,
    /// What the venues allow, how much of it was used at the end, and what was held back.
    pub limits: Vec<Allowance>,
    /// How often this engine broke a limit of a simulated venue; the real venue punishes each.
    pub penalties: u64,
    /// The same, by limit; those that were kept are left out.
    pub penalties_by_limit: BTreeMap<&'static str, u64>,
    /// How the recording was played; `null` when none was.
    pub recording: Option<RecordingReport>,
    /// What did not go as promised, the gravest first; see [`Report::findings`].
    pub findings: Vec<Finding>,
}

impl Report {
    /// Threads that ran at least one consumer.
    pub(crate) fn consumer_threads(&self) -> usize {
        let runs = |agent: &String| self.consumers.iter().any(|consumer| consumer.name == *agent);
        self.threads.iter().filter(|thread| thread.agents.iter().any(runs)).count()
    }

    /// Adds what could not be stored anywhere to what was lost.
    pub(crate) fn lose(&mut self, last_resort: &LastResort) {
        for (index, consumer) in self.consumers.iter_mut().enumerate() {
            let lost = last_resort.lost(ConsumerId(index as u16));
            consumer.critical_lost += lost;
            self.critical_lost += lost;
        }
        self.critical_lost += last_resort.lost_of_nobody();
        self.halted = last_resort.reason();
    }
}
