//! A reading of a running engine: all that an operator needs.

use serde::{Deserialize, Serialize};

use crate::dispatcher::sequencing::StreamCounts;
use crate::journal::CheckpointFigures;
use crate::orchestrator::merge::MergeCounts;
use crate::order::recovery::VenueRecoveryFigures;
use crate::order::trading::StrategyFigures;
use crate::risk::RiskState;
use crate::runtime::ContentionFigures;
use crate::telemetry::LatencyFigures;
use crate::venue::governor::Allowance;
use crate::venue::{PositionDifference, VenueClockReading};

/// What is kept of a run for a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecordStatus {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Why it has ended before the run; `None` as long as it goes on.
    pub ended_early: Option<String>,
}

/// A reading of a running engine. Counts are since the start unless they say otherwise; readings of
/// different counters are a moment apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Time since the start, ns.
    pub uptime_ns: u64,
    /// The run's name: that of its folder.
    pub run: String,
    /// The run's folder.
    pub run_dir: String,
    /// The process.
    pub pid: u32,
    /// The configuration's file, by its whole path; `(defaults)` without one.
    pub config: String,
    /// How idle threads idle: `latency`, `balanced` or `quiet`.
    pub profile: String,
    /// Turns of the thread that hands orders to their sessions: while they grow, it lives. `None`
    /// where it sleeps when there is nothing to do.
    pub beat: Option<u64>,
    /// Whether new orders may leave.
    pub trading: bool,
    /// Venues in paper mode: their orders are matched in this process, none is sent.
    pub paper: Vec<String>,
    /// What is kept of the run for a replay; `None` where nothing is.
    pub record: Option<RunRecordStatus>,
    /// Why trading was halted for good; `None` as long as all is well.
    pub halted: Option<String>,
    /// The routing version in force; 1 at the start.
    pub routing_version: u32,
    /// Flips carried out.
    pub flips: u64,
    /// Flips given up at their deadline.
    pub flips_abandoned: u64,
    /// Merge rules in force.
    pub merge_rules: u64,
    /// Events published into the pipeline by all venues.
    pub events: u64,
    /// Critical events lost by all consumers; anything but 0 is an alarm.
    pub critical_lost: u64,
    /// What is known of the venues' clocks.
    pub clocks: Vec<ClockStatus>,
    /// Sessions of the venues.
    pub sessions: Vec<SessionStatus>,
    /// What the venues allow, how much of it is used, what is held back, and until when they are
    /// paused or we are banned.
    pub limits: Vec<Allowance>,
    /// Books whose state was told, by venue and instrument.
    pub books: Vec<BookStateStatus>,
    /// What was found at the venues of orders of earlier starts.
    pub recovery: Vec<VenueRecoveryFigures>,
    /// Checkpoints of the journal.
    pub checkpoints: CheckpointFigures,
    /// What each strategy has earned, its orders and refusals.
    pub strategies: Vec<StrategyFigures>,
    /// Limits with what is used of them, and what holds orders back.
    pub risk: RiskState,
    /// Consumers, in the order of the configuration.
    pub consumers: Vec<ConsumerStatus>,
    /// Merge rules in force.
    pub merges: Vec<MergeStatus>,
    /// What became of events that were out of order in their streams, twice there, or too many.
    pub streams: StreamCounts,
    /// Lanes, in the order of an event's way.
    pub lanes: Vec<LaneStatus>,
    /// Threads of the process.
    pub threads: Vec<ThreadStatus>,
    /// What others took of the threads' cores since the start; threads of which nothing was taken
    /// are left out.
    pub contention: Vec<ContentionFigures>,
    /// Stages in the last interval, by their tags in the interval log; `end_to_end` is the untagged
    /// one.
    pub stages: Vec<StageStatus>,
    /// Length of the last interval, ns; 0 before the first has ended.
    pub interval_ns: u64,
    /// Dead letters.
    pub dead_letters: DeadLetterStatus,
    /// Log lines that found no room.
    pub log_lines_dropped: u64,
    /// Heap allocations of the pinned threads since the warm-up, but those of TLS; `None` before
    /// its end, or uncounted.
    pub allocations: Option<u64>,
    /// The same of the library for TLS alone, which keeps each record in a vector.
    pub allocations_of_tls: Option<u64>,
    /// Requests that the control socket has taken.
    pub requests: u64,
    /// Requests and clients that the control socket has refused.
    pub refusals: u64,
}

/// The clock of one venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockStatus {
    /// The venue.
    pub venue: String,
    /// What is known of it.
    #[serde(flatten)]
    pub reading: VenueClockReading,
}

/// One connection to a venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionStatus {
    /// The venue.
    pub venue: String,
    /// `market` or `orders`.
    pub role: String,
    /// Where the connection is: `waiting`, `connecting`, `handshake`, `open` or `ended`; `none` for
    /// a venue without a socket.
    pub state: String,
    /// Whether its venue is paused.
    pub is_paused: bool,
    /// WebSocket data frames read.
    pub frames: u64,
    /// Frames decoded.
    pub decoded: u64,
    /// Frames of the protocol.
    pub control: u64,
    /// Frames refused.
    pub refused: u64,
    /// Events published.
    pub events: u64,
    /// Reconnects.
    pub reconnects: u64,
    /// Gaps found in the venue's sequence.
    pub gaps: u64,
    /// Cycles in which the socket was not read since the link ahead was full.
    pub backpressure: u64,
    /// Why there is no connection; `None` where there is one, or none was tried.
    pub last_error: Option<String>,
    /// For how long there is none, ns; 0 where there is one.
    pub down_ns: u64,
    /// Until the next attempt, ns.
    pub next_try_ns: u64,
    /// Until the venue's own timer cancels all, as far as is known, ns: 0 when it has run out;
    /// `None` where none runs.
    #[serde(default)]
    pub dead_man_left_ns: Option<u64>,
    /// Positions of which the venue says otherwise than what is counted here: new orders in these
    /// instruments are refused, but for those that only reduce.
    #[serde(default)]
    pub positions_differ: Vec<PositionDifference>,
}

/// A book at a venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BookStateStatus {
    /// The venue.
    pub venue: String,
    /// The instrument.
    pub instrument: String,
    /// `syncing`, `live` or `stale`.
    pub status: String,
    /// Why that changed last.
    pub reason: String,
    /// For how long it is so, ns.
    pub for_ns: u64,
}

/// One merge rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MergeStatus {
    /// Its number, for `unmerge`.
    pub rule: u16,
    /// The instrument, `BASE-QUOTE`.
    pub instrument: String,
    /// The kind that is merged.
    pub event: String,
    /// The venues that are merged.
    pub venues: Vec<MergeVenueStatus>,
    /// Longest time from a window's first event to its end, ns.
    pub window_ns: u64,
    /// Events after which a window ends.
    pub max_events: u32,
    /// Who gets what comes of it.
    pub consumers: Vec<String>,
    /// Events and windows by what became of them, since the start of the engine.
    #[serde(flatten)]
    pub counts: MergeCounts,
}

/// One venue in a merge rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MergeVenueStatus {
    /// The venue.
    pub venue: String,
    /// Windows that were suppressed without it.
    pub missing: u64,
    /// How much older its contribution to the last merged event was than the newest one, ns.
    pub skew_last_ns: u64,
    /// The most it ever was, ns.
    pub skew_max_ns: u64,
    /// The mean over all merged events, ns.
    pub skew_mean_ns: u64,
}

/// One consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// `running`, `stalled`, `paused` or `quarantined`.
    pub state: String,
    /// The core of its thread; `None` when it is not pinned.
    pub core: Option<usize>,
    /// Events offered to its link.
    pub published: u64,
    /// Events handed to its strategy.
    pub handled: u64,
    /// Events passed over as stale.
    pub skipped: u64,
    /// Events handled although stale.
    pub stale: u64,
    /// Events replaced by later ones.
    pub conflated: u64,
    /// Events absorbed into later ones.
    pub aggregated: u64,
    /// Events in the dead-letter file.
    pub dead_lettered: u64,
    /// Events left behind.
    pub discarded: u64,
    /// Callbacks that failed.
    pub failures: u64,
    /// Critical events missing from its sequence.
    pub critical_lost: u64,
    /// Stalls so far, with the present one.
    pub stalls: u64,
    /// How long the present stall lasts, ns; 0 when there is none.
    pub stalled_ns: u64,
    /// Orders open in its own view, when its last batch ended.
    pub orders_open: u64,
    /// Events in its lanes, cells and spill, from the terms: published and not accounted for yet.
    pub pending: u64,
    /// Publish to callback entered, in the last interval.
    pub queue: LatencyFigures,
    /// The callback, in the last interval.
    pub handle: LatencyFigures,
}

/// One stage in the last interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageStatus {
    /// Its tag.
    pub name: String,
    /// Its latencies.
    #[serde(flatten)]
    pub latency: LatencyFigures,
}

/// One lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LaneStatus {
    /// Its name.
    pub name: String,
    /// Events in it.
    pub in_flight: u64,
    /// Its slots.
    pub slots: u64,
    /// The most that its reader has found in it.
    pub high_water: u64,
    /// How often it had no room.
    pub full: u64,
}

/// One thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThreadStatus {
    /// Its name.
    pub name: String,
    /// The core it is planned for; `None` when it belongs to none.
    pub core: Option<usize>,
    /// Whether it is pinned: `yes`, `refused`, `not_asked` or `unknown`.
    pub pinned: String,
    /// Its agents; empty for a thread that is no core of the plan.
    pub agents: Vec<String>,
    /// CPU time since the reading before, in thousandths of a core; `None` in the first reading.
    pub cpu_permille: Option<u64>,
}

/// Dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeadLetterStatus {
    /// Handed to the file's writer.
    pub sent: u64,
    /// Found no room.
    pub dropped: u64,
}
