//! Reads a running engine for the control socket, and carries out what changes nothing.
//!
//! Every figure is a counter that its owner publishes anyway: reading costs the pinned threads nothing.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::LaneGauge;

use super::Desk;
use super::protocol::{Reply, Request, RouteFilter, RouteRow};
use super::refusal::Refusal;
use super::routes::{Routes, RoutesView};
use super::status::{
    ConsumerStatus, DeadLetterStatus, LaneStatus, Percentiles, SessionStatus, StageStatus, Status,
};
use super::threads::{PlannedThread, Threads};
use crate::consumer::Quarantine;
use crate::dispatcher::RouteKey;
use crate::event::{ConsumerId, EventKind, VenueId};
use crate::instrument::Instruments;
use crate::order::TradingSwitch;
use crate::report::LatencyFigures;
use crate::runtime::{Clock, StallBook};
use crate::telemetry::{DeadLetterCounts, IntervalFigures, LastInterval, LogDrain, Term, Terms};
use crate::venue::IntakeStats;

/// A venue, the role of one of its sessions, and that session's counters.
pub(crate) type SessionAccount = (String, &'static str, Arc<CachePadded<IntakeStats>>);

/// A consumer's name, the dispatcher's terms of it, and its own.
pub(crate) type ConsumerAccount = (String, Arc<CachePadded<Terms>>, Arc<CachePadded<Terms>>);

/// What a [`Reader`] reads.
pub(crate) struct ReaderParts {
    pub(crate) run_dir: PathBuf,
    pub(crate) profile: String,
    pub(crate) clock: Clock,
    pub(crate) instruments: Arc<Instruments>,
    /// By venue number.
    pub(crate) venues: Vec<String>,
    pub(crate) sessions: Vec<SessionAccount>,
    pub(crate) consumers: Vec<ConsumerAccount>,
    /// By consumer.
    pub(crate) stalls: Vec<Arc<StallBook>>,
    pub(crate) lanes: Vec<LaneGauge>,
    pub(crate) letters: Vec<Arc<DeadLetterCounts>>,
    pub(crate) threads: Vec<PlannedThread>,
    pub(crate) quarantine: Quarantine,
    pub(crate) switch: TradingSwitch,
    pub(crate) routes: Arc<Routes>,
    pub(crate) last: LastInterval,
    /// Allocations of the pinned threads since the warm-up.
    pub(crate) allocations: Box<dyn Fn() -> Option<u64> + Send>,
}

/// Reads the engine.
pub(crate) struct Reader {
    parts: ReaderParts,
    threads: Threads,
}

impl Reader {
    /// A reader of these parts.
    pub(crate) fn new(parts: ReaderParts) -> Reader {
        Reader { parts, threads: Threads::default() }
    }

    /// A reading of everything.
    pub(crate) fn status(&mut self) -> Status {
        let threads = self.threads.read(&self.parts.threads);
        let parts = &self.parts;
        let view = parts.routes.view();
        let interval = parts.last.read();
        let consumers = self.consumers(&view, &interval);
        let name = parts.run_dir.file_name().map(|name| name.to_string_lossy().into_owned());
        Status {
            uptime_ns: parts.clock.now_ns(),
            run: name.unwrap_or_default(),
            run_dir: parts.run_dir.display().to_string(),
            pid: std::process::id(),
            profile: parts.profile.clone(),
            trading: parts.switch.is_on(),
            routing_version: view.version,
            flips: view.flips,
            flips_abandoned: view.flips_abandoned,
            merge_rules: view.rules.len() as u64,
            events: parts.sessions.iter().map(|(_, _, stats)| stats.read().events).sum(),
            critical_lost: consumers.iter().map(|consumer| consumer.critical_lost).sum(),
            sessions: self.sessions(&view),
            consumers,
            lanes: parts.lanes.iter().map(lane).collect(),
            threads,
            stages: interval.stages.iter().map(stage).collect(),
            interval_ns: interval.length_ns,
            dead_letters: DeadLetterStatus {
                sent: parts.letters.iter().map(|counts| counts.sent()).sum(),
                dropped: parts.letters.iter().map(|counts| counts.dropped()).sum(),
            },
            log_lines_dropped: LogDrain::dropped(),
            allocations: (parts.allocations)(),
            requests: 0,
            refusals: 0,
        }
    }

    fn sessions(&self, view: &RoutesView) -> Vec<SessionStatus> {
        let paused = |venue: &str| {
            let named = |id: &VenueId| self.parts.venues.get(id.index()).map(String::as_str);
            view.paused_venues.iter().any(|id| named(id) == Some(venue))
        };
        let session = |(venue, role, stats): &SessionAccount| {
            let counters = stats.read();
            let has_socket = *role != "synthetic";
            SessionStatus {
                venue: venue.clone(),
                role: (*role).to_owned(),
                state: if has_socket { stats.state().name() } else { "none" }.to_owned(),
                is_paused: paused(venue),
                frames: counters.frames,
                decoded: counters.decoded,
                control: counters.control,
                refused: counters.refused,
                events: counters.events,
                reconnects: counters.reconnects,
                gaps: counters.gaps,
                backpressure: counters.backpressure,
            }
        };
        self.parts.sessions.iter().map(session).collect()
    }

    fn consumers(&self, view: &RoutesView, interval: &IntervalFigures) -> Vec<ConsumerStatus> {
        let consumers = self.parts.consumers.iter().enumerate();
        consumers.map(|(index, account)| self.consumer(index, account, view, interval)).collect()
    }

    fn consumer(
        &self,
        index: usize,
        (name, published, handled): &ConsumerAccount,
        view: &RoutesView,
        interval: &IntervalFigures,
    ) -> ConsumerStatus {
        let id = ConsumerId(index as u16);
        let stalls = self.parts.stalls.get(index);
        let stalls = stalls.map(|book| book.read(self.parts.clock.now_ns())).unwrap_or_default();
        let state = if self.parts.quarantine.has(id) {
            "quarantined"
        } else if stalls.present_ns > 0 {
            "stalled"
        } else if view.paused_consumers.contains(&id) {
            "paused"
        } else {
            "running"
        };
        // What has been accounted for is read first, what was published last: pending is never negative.
        let theirs = |term| handled.read(term).total();
        let ours = |term| published.read(term).total();
        let both = |term| theirs(term) + ours(term);
        let (taken, skipped) = (theirs(Term::Handled), both(Term::Skipped));
        let (dead_lettered, discarded) = (both(Term::DeadLettered), theirs(Term::Discarded));
        let (conflated, aggregated) = (ours(Term::Conflated), ours(Term::Aggregated));
        let accounted = taken + skipped + dead_lettered + discarded + conflated + aggregated;
        let offered = ours(Term::Published);
        let figures = |stage: &str| {
            let tag = format!("{stage}:{name}");
            let found = interval.stages.iter().find(|(of, _)| *of == tag);
            found.map(|(_, figures)| percentiles(figures)).unwrap_or_default()
        };
        let thread = self.parts.threads.iter().find(|thread| thread.runs(name));
        ConsumerStatus {
            name: name.clone(),
            state: state.to_owned(),
            core: thread.and_then(PlannedThread::core),
            published: offered,
            handled: taken,
            skipped,
            stale: theirs(Term::Stale),
            conflated,
            aggregated,
            dead_lettered,
            discarded,
            failures: theirs(Term::Failed),
            critical_lost: theirs(Term::Lost),
            stalls: stalls.count,
            stalled_ns: stalls.present_ns,
            orders_open: handled.orders_open(),
            pending: offered.saturating_sub(accounted),
            queue: figures("queue"),
            handle: figures("handle"),
        }
    }

    /// The routes in force that the filter leaves, by name.
    pub(crate) fn routes(&self, filter: &RouteFilter) -> Result<Reply, Refusal> {
        self.check(filter)?;
        let view = self.parts.routes.view();
        let mut routes: Vec<RouteRow> = view.routes.iter().map(|key| self.row(*key)).collect();
        let keeps =
            |wanted: &Option<String>, name: &String| wanted.as_ref().is_none_or(|w| w == name);
        routes.retain(|row| {
            keeps(&filter.consumer, &row.consumer)
                && keeps(&filter.instrument, &row.instrument)
                && keeps(&filter.venue, &row.source)
        });
        routes.sort();
        Ok(Reply::Routes { version: view.version, routes })
    }

    /// A route by its names.
    pub(crate) fn row(&self, key: RouteKey) -> RouteRow {
        let parts = &self.parts;
        let consumer = parts.consumers.get(key.consumer.index()).map(|(name, _, _)| name.clone());
        let instrument = parts.instruments.get(key.instrument).map(|spec| spec.symbol.clone());
        let source = match key.kind {
            // The venue of a merged event is the number of its rule.
            EventKind::Merged => Some(format!("merge:{}", key.venue)),
            _ => parts.venues.get(key.venue.index()).cloned(),
        };
        RouteRow {
            consumer: consumer.unwrap_or_else(|| key.consumer.to_string()),
            instrument: instrument.unwrap_or_else(|| key.instrument.to_string()),
            source: source.unwrap_or_else(|| key.venue.to_string()),
            event: key.kind.name().to_owned(),
        }
    }

    fn check(&self, filter: &RouteFilter) -> Result<(), Refusal> {
        let parts = &self.parts;
        let consumers = || parts.consumers.iter().map(|(name, _, _)| name.as_str());
        let instruments = || parts.instruments.iter().map(|(_, spec)| spec.symbol.as_str());
        let venues = || parts.venues.iter().map(String::as_str);
        known("consumer", filter.consumer.as_deref(), consumers)?;
        known("instrument", filter.instrument.as_deref(), instruments)?;
        match filter.venue.as_deref() {
            Some(source) if source.starts_with("merge:") => Ok(()),
            venue => known("venue", venue, venues),
        }
    }
}

/// Refuses a name that is not among those known.
fn known<'a, I: Iterator<Item = &'a str>>(
    what: &'static str,
    name: Option<&str>,
    known: impl Fn() -> I,
) -> Result<(), Refusal> {
    match name {
        Some(name) if !known().any(|one| one == name) => {
            Err(Refusal::unknown_name(what, name, known()))
        }
        _ => Ok(()),
    }
}

fn lane(gauge: &LaneGauge) -> LaneStatus {
    LaneStatus {
        name: gauge.name().to_owned(),
        in_flight: gauge.in_flight(),
        slots: gauge.capacity() as u64,
        high_water: gauge.high_water(),
        full: gauge.full_count(),
    }
}

fn stage((tag, figures): &(String, LatencyFigures)) -> StageStatus {
    let name = if tag.is_empty() { "end_to_end" } else { tag };
    StageStatus { name: name.to_owned(), latency: percentiles(figures) }
}

fn percentiles(figures: &LatencyFigures) -> Percentiles {
    Percentiles {
        count: figures.count,
        p50_ns: figures.p50_ns,
        p90_ns: figures.p90_ns,
        p99_ns: figures.p99_ns,
        p999_ns: figures.p999_ns,
        max_ns: figures.max_ns,
    }
}

/// The desk of an engine that can be read and not changed.
pub(crate) struct ReadingDesk(pub(crate) Reader);

impl Desk for ReadingDesk {
    fn carry_out(&mut self, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::Routes(filter) => self.0.routes(&filter),
            other => Err(Refusal::NotSupported { verb: other.verb().to_owned() }),
        }
    }

    fn status(&mut self) -> Status {
        self.0.status()
    }
}
