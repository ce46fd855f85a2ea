//! Reads a running engine for the control socket, and knows its names.
//!
//! Every figure is a counter that its owner publishes anyway: reading costs the pinned threads
//! nothing.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::LaneGauge;

use super::RuleView;
use super::protocol::{Reply, RouteFilter, RouteRow};
use super::refusal::Refusal;
use super::routes::{Routes, RoutesView};
use super::status::{
    BookStateStatus, ClockStatus, ConsumerStatus, DeadLetterStatus, LaneStatus, MergeStatus,
    MergeVenueStatus, RunRecordStatus, SessionStatus, StageStatus, Status,
};
use super::threads::{PlannedThread, Threads};
use crate::dispatcher::RouteKey;
use crate::event::{ConsumerId, EventKind, InstrumentId, VenueId};
use crate::orchestrator::merge::MergeVenueCounts;
use crate::pipeline::{ConsumerCounters, Readings, SessionCounters};
use crate::risk::{RiskBook, RiskState};
use crate::runtime::Clock;
use crate::safety::{Quarantine, TradingSwitch};
use crate::telemetry::{Allocations, IntervalFigures, LastInterval, LatencyFigures, LogDrain};
use crate::venue::IntakeStats;

/// What a [`Reader`] reads.
pub(crate) struct ReaderParts {
    pub(crate) run_dir: PathBuf,
    /// The configuration's file.
    pub(crate) config: String,
    pub(crate) profile: String,
    pub(crate) clock: Clock,
    pub(crate) readings: Arc<Readings>,
    /// By venue number.
    pub(crate) venues: Vec<String>,
    pub(crate) threads: Vec<PlannedThread>,
    pub(crate) quarantine: Quarantine,
    pub(crate) switch: TradingSwitch,
    pub(crate) risk: Arc<RiskBook>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) last: LastInterval,
    /// Allocations of the pinned threads since the warm-up.
    pub(crate) allocations: Box<dyn Fn() -> Option<Allocations> + Send>,
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

    /// The engine's time, ns.
    pub(crate) fn now_ns(&self) -> u64 {
        self.parts.clock.now_ns()
    }

    /// A reading of everything.
    pub(crate) fn status(&mut self) -> Status {
        let threads = self.threads.read(&self.parts.threads, self.parts.clock.now_ns());
        let parts = &self.parts;
        let view = parts.routes.view();
        let interval = parts.last.read();
        let allocations = (parts.allocations)();
        let consumers = self.consumers(&view, &interval);
        let name = parts.run_dir.file_name().map(|name| name.to_string_lossy().into_owned());
        Status {
            uptime_ns: parts.clock.now_ns(),
            run: name.unwrap_or_default(),
            run_dir: parts.run_dir.display().to_string(),
            pid: std::process::id(),
            config: parts.config.clone(),
            profile: parts.profile.clone(),
            beat: (parts.profile != "quiet").then(|| parts.readings.heartbeat.count()),
            trading: parts.switch.is_on(),
            paper: parts.readings.paper.clone(),
            record: parts.readings.record.as_ref().map(|state| RunRecordStatus {
                bytes: state.bytes(),
                ended_early: state.ended_early().map(str::to_owned),
            }),
            halted: parts.quarantine.last_resort().reason().map(|why| why.words().to_owned()),
            routing_version: view.version,
            flips: view.flips,
            flips_abandoned: view.flips_abandoned,
            merge_rules: view.rules.len() as u64,
            events: parts.readings.intake().events,
            critical_lost: consumers.iter().map(|consumer| consumer.critical_lost).sum(),
            clocks: (parts.readings.clocks(parts.clock.now_ns()).into_iter())
                .map(|(venue, reading)| ClockStatus { venue, reading })
                .collect(),
            sessions: self.sessions(&view),
            limits: parts.readings.allowances(&parts.clock),
            books: self.books(),
            recovery: parts.readings.recovery.read(),
            checkpoints: parts.readings.checkpoints.read(),
            strategies: parts.readings.trading(parts.clock.now_ns()),
            risk: self.risk(),
            consumers,
            merges: view.rules.iter().map(|rule| self.merge(rule)).collect(),
            streams: parts.readings.streams.read(),
            lanes: parts.readings.lanes.iter().map(lane).collect(),
            threads,
            contention: parts.readings.contention(),
            stages: interval.stages.iter().map(stage).collect(),
            interval_ns: interval.length_ns,
            dead_letters: DeadLetterStatus {
                sent: parts.readings.letters_sent(),
                dropped: parts.readings.letters_dropped(),
            },
            log_lines_dropped: LogDrain::dropped(),
            allocations: allocations.map(|of| of.ours),
            allocations_of_tls: allocations.map(|of| of.of_tls),
            requests: 0,
            refusals: 0,
        }
    }

    /// What holds orders back, or may.
    pub(crate) fn risk(&self) -> RiskState {
        let ReaderParts { risk, quarantine, switch, clock, .. } = &self.parts;
        risk.state(quarantine.kills(), switch, clock.now_ns())
    }

    /// The limits, to be changed.
    pub(crate) fn risk_book(&self) -> &RiskBook {
        &self.parts.risk
    }

    /// The orders that are open.
    pub(crate) fn orders(&self) -> Result<Reply, Refusal> {
        let Some((orders, missed)) = self.parts.readings.open_orders.read() else {
            return Err(Refusal::Failed {
                operation: "orders".to_owned(),
                reason: "telemetry.order_log is off, so that nobody keeps them".to_owned(),
            });
        };
        Ok(Reply::Orders { orders, missed })
    }

    fn merge(&self, rule: &RuleView) -> MergeStatus {
        let stats = &self.parts.routes.merge_port().stats;
        let request = &rule.request;
        let counts = stats.read(rule.number).unwrap_or_default();
        let venue = |of: MergeVenueCounts| MergeVenueStatus {
            venue: self.venue_name(VenueId(of.venue)),
            missing: of.missing,
            skew_last_ns: of.skew_last_ns,
            skew_max_ns: of.skew_max_ns,
            skew_mean_ns: of.skew_sum_ns.checked_div(counts.complete).unwrap_or(0),
        };
        MergeStatus {
            rule: rule.number,
            instrument: self.instrument_name(request.instrument),
            event: request.kind.name().to_owned(),
            venues: stats.venues(rule.number, request.venues.0).map(venue).collect(),
            window_ns: request.window_ns,
            max_events: request.events_max,
            consumers: rule.consumers.iter().map(|id| self.consumer_name(*id)).collect(),
            counts,
        }
    }

    fn sessions(&self, view: &RoutesView) -> Vec<SessionStatus> {
        let paused = |venue: &str| {
            let named = |id: &VenueId| self.parts.venues.get(id.index()).map(String::as_str);
            view.paused_venues.iter().any(|id| named(id) == Some(venue))
        };
        let now_ns = self.parts.clock.now_ns();
        let session = |SessionCounters { venue, role, stats }: &SessionCounters| {
            let counters = stats.read();
            let trouble = stats.trouble();
            let times = trouble.as_ref().map(|one| (one.since_ns, one.next_try_ns));
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
                last_error: trouble.map(|one| one.reason),
                down_ns: times.map_or(0, |(since_ns, _)| now_ns.saturating_sub(since_ns)),
                next_try_ns: times.map_or(0, |(_, next_ns)| next_ns.saturating_sub(now_ns)),
                dead_man_left_ns: stats.dead_man_until_ns().map(|ns| ns.saturating_sub(now_ns)),
                positions_differ: stats.positions(),
            }
        };
        self.parts.readings.sessions.iter().map(session).collect()
    }

    fn books(&self) -> Vec<BookStateStatus> {
        let (readings, now_ns) = (&self.parts.readings, self.parts.clock.now_ns());
        let venues = (0..self.parts.venues.len() as u16).map(VenueId);
        let places = venues.flat_map(|venue| {
            readings.instruments.iter().map(move |(instrument, _)| (venue, instrument))
        });
        let book = |(venue, instrument)| {
            let (status, reason, since_ns) = readings.trading.marks.book(venue, instrument)?;
            Some(BookStateStatus {
                venue: self.venue_name(venue),
                instrument: self.instrument_name(instrument),
                status: status.name().to_owned(),
                reason: reason.name().to_owned(),
                for_ns: now_ns.saturating_sub(since_ns),
            })
        };
        places.filter_map(book).collect()
    }

    fn consumers(&self, view: &RoutesView, interval: &IntervalFigures) -> Vec<ConsumerStatus> {
        let consumers = self.parts.readings.consumers.iter().enumerate();
        consumers.map(|(index, counters)| self.consumer(index, counters, view, interval)).collect()
    }

    fn consumer(
        &self,
        index: usize,
        counters: &ConsumerCounters,
        view: &RoutesView,
        interval: &IntervalFigures,
    ) -> ConsumerStatus {
        let (id, name) = (ConsumerId(index as u16), &counters.name);
        let stalls = counters.stalls(self.parts.clock.now_ns());
        let state = if self.parts.quarantine.has(id) {
            "quarantined"
        } else if stalls.present_ns > 0 {
            "stalled"
        } else if view.paused_consumers.contains(&id) {
            "paused"
        } else {
            "running"
        };
        let terms = counters.terms();
        let totals = terms.totals();
        let figures = |stage: &str| {
            let tag = format!("{stage}:{name}");
            let found = interval.stages.iter().find(|(of, _)| *of == tag);
            found.map(|(_, figures)| *figures).unwrap_or_default()
        };
        let thread = self.parts.threads.iter().find(|thread| thread.runs(name));
        ConsumerStatus {
            name: name.clone(),
            state: state.to_owned(),
            core: thread.and_then(PlannedThread::core),
            published: totals.published,
            handled: totals.handled,
            skipped: totals.skipped,
            stale: terms.stale.total(),
            conflated: totals.conflated,
            aggregated: totals.aggregated,
            dead_lettered: totals.dead_lettered,
            discarded: totals.discarded,
            failures: terms.failed.total(),
            critical_lost: terms.lost.total(),
            stalls: stalls.count,
            stalled_ns: stalls.present_ns,
            orders_open: counters.handled.orders_open(),
            pending: totals.missing(),
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
        RouteRow {
            consumer: self.consumer_name(key.consumer),
            instrument: self.instrument_name(key.instrument),
            source: match key.kind {
                // The venue of a merged event is the number of its rule.
                EventKind::Merged => format!("merge:{}", key.venue),
                _ => self.venue_name(key.venue),
            },
            event: key.kind.name().to_owned(),
        }
    }

    fn check(&self, filter: &RouteFilter) -> Result<(), Refusal> {
        filter.consumer.as_deref().map(|name| self.consumer_id(name)).transpose()?;
        filter.instrument.as_deref().map(|name| self.instrument_id(name)).transpose()?;
        let is_venue = |source: &&str| !source.starts_with("merge:");
        let venue = filter.venue.as_deref().filter(is_venue);
        venue.map(|name| self.venue_id(name)).transpose()?;
        Ok(())
    }

    /// The consumer of this name.
    pub(crate) fn consumer_id(&self, name: &str) -> Result<ConsumerId, Refusal> {
        let names = || self.parts.readings.consumers.iter().map(|one| one.name.as_str());
        place("consumer", name, names).map(|place| ConsumerId(place as u16))
    }

    /// The instrument of this name.
    pub(crate) fn instrument_id(&self, name: &str) -> Result<InstrumentId, Refusal> {
        let names = || self.parts.readings.instruments.iter().map(|(_, spec)| spec.symbol.as_str());
        place("instrument", name, names).map(|place| InstrumentId(place as u32))
    }

    /// The venue of this name.
    pub(crate) fn venue_id(&self, name: &str) -> Result<VenueId, Refusal> {
        let names = || self.parts.venues.iter().map(String::as_str);
        place("venue", name, names).map(|place| VenueId(place as u16))
    }

    /// Every venue.
    pub(crate) fn venue_ids(&self) -> impl Iterator<Item = VenueId> + use<> {
        (0..self.parts.venues.len() as u16).map(VenueId)
    }

    /// A consumer's name.
    pub(crate) fn consumer_name(&self, consumer: ConsumerId) -> String {
        let name = self.parts.readings.consumers.get(consumer.index()).map(|one| one.name.clone());
        name.unwrap_or_else(|| consumer.to_string())
    }

    fn venue_name(&self, venue: VenueId) -> String {
        self.parts.venues.get(venue.index()).cloned().unwrap_or_else(|| venue.to_string())
    }

    fn instrument_name(&self, instrument: InstrumentId) -> String {
        let symbol =
            self.parts.readings.instruments.get(instrument).map(|spec| spec.symbol.clone());
        symbol.unwrap_or_else(|| instrument.to_string())
    }

    /// The counters of a venue's sessions.
    pub(crate) fn sessions_of(&self, venue: &str) -> Vec<Arc<CachePadded<IntakeStats>>> {
        let of_venue = self.parts.readings.sessions.iter().filter(|one| one.venue == venue);
        of_venue.map(|session| Arc::clone(&session.stats)).collect()
    }
}

/// The place of `name` among `names`.
fn place<'a, I: Iterator<Item = &'a str>>(
    what: &'static str,
    name: &str,
    names: impl Fn() -> I,
) -> Result<usize, Refusal> {
    let found = names().position(|one| one == name);
    found.ok_or_else(|| Refusal::unknown_name(what, name, names()))
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
    StageStatus { name: name.to_owned(), latency: *figures }
}
