//! What can be read of an engine at any time, without cost for it. The report, the control socket
//! and the status line all read it here.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::{LaneGauge, PoolGauge};

use super::terms::ConsumerTerms;
use crate::dispatcher::sequencing::StreamStats;
use crate::event::EventKind;
use crate::instrument::Instruments;
use crate::journal::CheckpointBoard;
use crate::order::order_log::OpenOrders;
use crate::order::recovery::RecoveryBoard;
use crate::order::trading::{StrategyFigures, TradingReader};
use crate::runtime::{ContentionBook, ContentionFigures, StallBook, StallFigures};
use crate::safety::Heartbeat;
use crate::telemetry::{DeadLetterCounts, Term, Terms};
use crate::venue::governor::{Allowance, Governor, GovernorReading};
use crate::venue::orders::AccountBoard;
use crate::venue::{InstrumentBoard, IntakeStats, VenueClock, VenueClockReading};
use crate::venue::{VenueCounters, VenueSwitch};
use crate::world::Clock;
use crate::world::tape::TapeState;

/// The counters of a running engine. Each is written by its owner, whoever reads.
#[derive(Default)]
pub(crate) struct Readings {
    pub(crate) instruments: Arc<Instruments>,
    /// In the order in which they were made: that of an event's way.
    pub(crate) lanes: Vec<LaneGauge>,
    pub(crate) pools: Vec<PoolGauge>,
    /// Events that were out of order in their streams.
    pub(crate) streams: Arc<CachePadded<StreamStats>>,
    /// By number.
    pub(crate) consumers: Vec<ConsumerCounters>,
    pub(crate) sessions: Vec<SessionCounters>,
    pub(crate) letters: Vec<Arc<DeadLetterCounts>>,
    /// Of each venue that is reached over a network.
    pub(crate) governors: Vec<(String, Governor)>,
    /// The orders that are open.
    pub(crate) open_orders: Arc<OpenOrders>,
    /// What was found at the venues of the orders of earlier starts.
    pub(crate) recovery: Arc<RecoveryBoard>,
    /// How checkpoints of the journal get on.
    pub(crate) checkpoints: CheckpointBoard,
    /// What every strategy has earned.
    pub(crate) trading: TradingReader,
    /// The time of each of these venues.
    pub(crate) clocks: Vec<(String, VenueClock)>,
    /// What was found of the account at each of these venues.
    pub(crate) account_boards: Vec<(String, AccountBoard)>,
    /// What each of these venues says of its instruments.
    pub(crate) instrument_boards: Vec<(String, InstrumentBoard)>,
    /// Of each pinned thread, what others took of its core.
    pub(crate) contention: Vec<Arc<ContentionBook>>,
    /// Venues whose orders are matched in this process.
    pub(crate) paper: Vec<String>,
    /// What is kept of the run; `None` where nothing is.
    pub(crate) record: Option<TapeState>,
    /// The gateway's turns.
    pub(crate) heartbeat: Heartbeat,
    /// By venue; `None` for one without sessions.
    pub(crate) switches: Vec<Option<VenueSwitch>>,
}

/// The counters of one session.
pub(crate) struct SessionCounters {
    pub(crate) venue: String,
    /// `market`, `orders` or `synthetic`; with a number where a venue has several.
    pub(crate) role: String,
    pub(crate) stats: Arc<CachePadded<IntakeStats>>,
}

/// The counters of one consumer.
pub(crate) struct ConsumerCounters {
    pub(crate) name: String,
    /// The dispatcher's side.
    pub(crate) published: Arc<CachePadded<Terms>>,
    /// Its own.
    pub(crate) handled: Arc<CachePadded<Terms>>,
    pub(crate) stalls: Arc<StallBook>,
}

impl ConsumerCounters {
    pub(crate) fn terms(&self) -> ConsumerTerms {
        ConsumerTerms::read(&self.published, &self.handled)
    }

    pub(crate) fn stalls(&self, now_ns: u64) -> StallFigures {
        self.stalls.read(now_ns)
    }

    /// Slots that its two lanes hold.
    pub(crate) fn lanes_in_flight(&self, lanes: &[LaneGauge]) -> u64 {
        let is_its_own = |gauge: &&LaneGauge| {
            let lane = gauge.name().strip_prefix(self.name.as_str());
            matches!(lane, Some(":market" | ":critical"))
        };
        lanes.iter().filter(is_its_own).map(LaneGauge::in_flight).sum()
    }
}

impl Readings {
    /// What the sessions of each venue have counted, in the order of the venues.
    pub(crate) fn venues(&self) -> Vec<(String, VenueCounters)> {
        let mut venues: Vec<(String, VenueCounters)> = Vec::new();
        for session in &self.sessions {
            let counters = session.stats.read();
            match venues.iter_mut().find(|(name, _)| *name == session.venue) {
                Some((_, sum)) => sum.merge(&counters),
                None => venues.push((session.venue.clone(), counters)),
            }
        }
        venues
    }

    /// What every strategy has earned, and how many reports of it went to the dead letters instead
    /// of to the strategy.
    pub(crate) fn trading(&self, now_ns: u64) -> Vec<StrategyFigures> {
        let mut figures = self.trading.read(now_ns);
        for (figures, consumer) in figures.iter_mut().zip(&self.consumers) {
            let undelivered = consumer.published.read(Term::DeadLettered);
            figures.reports_undelivered = undelivered.get(EventKind::ExecReport);
        }
        figures
    }

    /// What is known of each venue's time, by venue.
    pub(crate) fn clocks(&self, now_ns: u64) -> Vec<(String, VenueClockReading)> {
        let clocks = self.clocks.iter();
        clocks.map(|(venue, clock)| (venue.clone(), clock.reading(now_ns))).collect()
    }

    /// What others took of cores, of each where that was anything.
    pub(crate) fn contention(&self) -> Vec<ContentionFigures> {
        let figures = self.contention.iter().map(|book| book.read());
        figures.filter(|figures| figures.taken_ns > 0).collect()
    }

    /// The venues that are switched off.
    pub(crate) fn venues_off(&self) -> Vec<String> {
        let switches = self.trading.venues.iter().zip(&self.switches);
        let off = switches.filter(|(_, switch)| switch.as_ref().is_some_and(|one| !one.is_on()));
        off.map(|(name, _)| name.clone()).collect()
    }

    /// What all sessions have counted.
    pub(crate) fn intake(&self) -> VenueCounters {
        let mut sum = VenueCounters::default();
        self.sessions.iter().for_each(|session| sum.merge(&session.stats.read()));
        sum
    }

    /// What every venue allows, how much of it is used, and what was held back.
    pub(crate) fn allowances(&self, clock: &Clock) -> Vec<Allowance> {
        let governors = self.governors.iter();
        governors.map(|(venue, governor)| governor.allowance(venue, clock)).collect()
    }

    /// Letters that found no room on their way to the file.
    pub(crate) fn letters_dropped(&self) -> u64 {
        self.letters.iter().map(|counts| counts.dropped()).sum()
    }

    /// Letters on their way to the file, and those that have got there.
    pub(crate) fn letters_sent(&self) -> u64 {
        self.letters.iter().map(|counts| counts.sent()).sum()
    }

    /// Lanes with what is in them and their slots.
    pub(crate) fn lane_fill(&self) -> impl Iterator<Item = (&str, u64, usize)> {
        self.lanes.iter().map(|lane| (lane.name(), lane.in_flight(), lane.capacity()))
    }

    /// The figures of the status line. Whether trading was halted is not known here.
    pub(crate) fn live(&self, now_ns: u64) -> LiveStatus {
        let mut status = LiveStatus {
            uptime_ns: now_ns,
            events_in: self.intake().events,
            limits: (self.governors.iter())
                .map(|(venue, governor)| (venue.clone(), governor.reading(now_ns)))
                .collect(),
            fullest_lane: self
                .lane_fill()
                .filter(|(_, in_flight, _)| *in_flight > 0)
                .max_by_key(|(_, in_flight, slots)| in_flight * 1_000 / *slots as u64)
                .map(|(name, used, slots)| (name.to_owned(), used, slots)),
            ..LiveStatus::default()
        };
        for consumer in &self.consumers {
            let terms = consumer.terms();
            let totals = terms.totals();
            status.published += totals.published;
            status.handled += totals.handled;
            status.conflated += totals.conflated + totals.aggregated;
            status.failures += terms.failed.total();
            let present_ns = consumer.stalls(now_ns).present_ns;
            if present_ns > 0 {
                status.stalled.push((consumer.name.clone(), present_ns));
            }
        }
        status
    }
}

/// A reading of a running engine, for the status line.
#[derive(Clone, Debug, Default, serde::Serialize)]
#[allow(missing_docs)]
pub struct LiveStatus {
    pub uptime_ns: u64,
    pub events_in: u64,
    pub published: u64,
    pub handled: u64,
    pub conflated: u64,
    pub failures: u64,
    /// A critical event could not be stored anywhere; no further orders are sent.
    pub is_halted: bool,
    /// Consumers that are in a callback beyond their stall budget now: name, ns so far.
    pub stalled: Vec<(String, u64)>,
    /// The fullest lane: name, events in it, slots.
    pub fullest_lane: Option<(String, u64, usize)>,
    /// By venue, how much of what it allows is used, and what was held back for that.
    pub limits: Vec<(String, GovernorReading)>,
}
