//! The final account: what the agents leave when their threads have ended, as one report.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;
use hdrhistogram::iterators::IterationValue;
use pitlane_ring::LaneGauge;

use crate::consumer::{ConsumerState, ConsumerTotals};
use crate::dispatcher::sequencing::StreamCounts;
use crate::dispatcher::{DispatcherTotals, LinkTotals};
use crate::instrument::Instruments;
use crate::orchestrator::OrchestratorTotals;
use crate::order::OrderCounts;
use crate::pipeline::{Closings, ConsumerCounters, Readings};
use crate::report::{
    ConsumerReport, IntakeReport, LaneReport, MergeReport, OrdersReport, ParallelismReport,
    PoolReport, Report, TermCounts, VenueReport,
};
use crate::runtime::{Closing, StallFigures};
use crate::telemetry::{
    Collector, HistogramSet, LatencyFigures, LogDrain, ProbeLink, new_histogram,
};
use crate::venue::market::BookSummaries;
use crate::venue::{BookSummary, VenueCounters};

/// What the agents have left.
pub(super) struct Account {
    /// By consumer; `None` for one whose thread was left behind.
    consumers: Vec<Option<ConsumerTotals>>,
    dispatcher: Option<DispatcherTotals>,
    pub(super) orders: OrdersReport,
    /// Histograms that were not collected yet, of others than those above.
    pub(super) sets: Vec<HistogramSet>,
    /// By market session, with its venue.
    books: Vec<(String, BookSummaries)>,
    pub(super) notes: Vec<String>,
}

impl Account {
    /// To be called when all agents are closed.
    pub(super) fn take(closings: &Closings) -> Account {
        let of_market = |(venue, closing): &(String, Closing<BookSummaries>)| {
            closing.take().map(|books| (venue.clone(), books))
        };
        let mut account = Account {
            consumers: closings.consumers.iter().map(Closing::take).collect(),
            dispatcher: closings.dispatcher.take(),
            orders: OrdersReport::default(),
            sets: Vec::new(),
            books: closings.markets.iter().filter_map(of_market).collect(),
            notes: Vec::new(),
        };
        account.orders.gateway = closings.gateway.take().unwrap_or_default();
        for totals in closings.orders.iter().filter_map(Closing::take) {
            account.orders.left_at_venues.extend(totals.left);
            account.orders.untaken += totals.untaken;
            account.sets.push(*totals.histograms);
        }
        account
    }

    /// The books by symbol; with the venue's name behind it where several sessions have books.
    fn books(&mut self, instruments: &Instruments) -> BTreeMap<String, BookSummary> {
        let several = self.books.len() > 1;
        let mut by_symbol = BTreeMap::new();
        for (venue, books) in self.books.drain(..) {
            for (id, summary) in books {
                let Some(spec) = instruments.get(id) else { continue };
                let key = match several {
                    true => format!("{}@{venue}", spec.symbol),
                    false => spec.symbol.clone(),
                };
                by_symbol.insert(key, summary);
            }
        }
        by_symbol
    }

    /// Merges the sets that agents gave up at their end, and closes the last interval.
    pub(super) fn collect(
        &mut self,
        collector: &mut Collector,
        links: &[Arc<ProbeLink>],
        now_ns: u64,
    ) {
        collector.take_answers();
        let dispatcher = self.dispatcher.as_mut().map(|totals| &mut *totals.histograms);
        let consumers = self.consumers.iter_mut().flatten().map(|totals| &mut *totals.histograms);
        for set in self.sets.iter_mut().chain(dispatcher).chain(consumers) {
            if let Some(link) = links.iter().find(|link| set.belongs_to(link)) {
                collector.merge_last(link, set);
            }
        }
        collector.end_interval(now_ns);
    }

    /// What is known of the run beside its threads and files.
    pub(super) fn report(
        mut self,
        readings: &Readings,
        collector: Option<&Collector>,
        now_ns: u64,
    ) -> Report {
        let consumers = self.consumers(readings, now_ns);
        for consumer in &consumers {
            self.orders.counts.merge(&consumer.orders);
        }
        let clocks = readings.clocks(now_ns);
        let clock_of = |name: &str| {
            let clock = clocks.iter().find(|(venue, _)| venue == name);
            clock.map(|(_, reading)| *reading).unwrap_or_default()
        };
        let venues = readings.venues().into_iter();
        let venues: Vec<VenueReport> = venues
            .map(|(name, counters)| VenueReport {
                clock: clock_of(&name),
                ..venue_report(readings, name, counters)
            })
            .collect();
        let intake = self.intake(&venues);
        let windows = self.orchestrator().merge;
        let merge = MergeReport { counts: windows.counts, in_flight: windows.owned };
        let identity_holds = consumers.iter().all(ConsumerReport::identity_holds)
            && venues.iter().all(|venue| venue.counters.identity_holds())
            && intake.identity_holds()
            && merge.identity_holds();
        let lanes: Vec<_> = readings.lanes.iter().map(LaneReport::of).collect();
        let pools: Vec<_> = readings.pools.iter().map(PoolReport::of).collect();
        Report {
            identity_holds,
            critical_lost: consumers.iter().map(|consumer| consumer.critical_lost).sum(),
            events_published: intake.events_in,
            stages: collector.map(stages).unwrap_or_default(),
            tick_to_trade: collector.map(tick_to_trade).unwrap_or_default(),
            hiccups: collector.map(hiccups).unwrap_or_default(),
            trading: readings.trading(now_ns),
            parallelism: collector.map(parallelism).unwrap_or_default(),
            consumers,
            orders: std::mem::take(&mut self.orders),
            venues,
            books: self.books(&readings.instruments),
            slots_owned: lanes.iter().map(|lane| lane.in_flight).sum::<u64>()
                + pools.iter().map(|pool| pool.in_use).sum::<u64>(),
            lanes,
            pools,
            intake,
            merge,
            streams: self.streams(),
            notes: self.notes,
            log_lines_dropped: LogDrain::dropped(),
            fanout_incomplete: collector.map_or(0, Collector::fanout_incomplete),
            hlog: collector.and_then(Collector::hlog).map(|hlog| hlog.path().display().to_string()),
            ..Report::default()
        }
    }

    fn consumers(&mut self, readings: &Readings, now_ns: u64) -> Vec<ConsumerReport> {
        let links = self.dispatcher.as_ref().map(|totals| totals.links.clone());
        let links = links.unwrap_or_default();
        let consumer = |(index, counters): (usize, &ConsumerCounters)| {
            let totals = self.consumers.get_mut(index).and_then(Option::take);
            let link = links.get(index).copied().unwrap_or_default();
            let mut report = consumer_report(counters, totals, link, &readings.lanes);
            report.stalls = counters.stalls(now_ns);
            if report.left_behind && report.stalls.is_quarantined {
                report.state = ConsumerState::Quarantined;
            }
            report
        };
        readings.consumers.iter().enumerate().map(consumer).collect()
    }

    fn orchestrator(&self) -> OrchestratorTotals {
        self.dispatcher.as_ref().map(|totals| totals.orchestrator).unwrap_or_default()
    }

    fn streams(&self) -> StreamCounts {
        self.dispatcher.as_ref().map(|totals| totals.order).unwrap_or_default()
    }

    fn intake(&self, venues: &[VenueReport]) -> IntakeReport {
        let from_venues: u64 = venues.iter().map(|venue| venue.counters.events).sum();
        let (dispatcher, orchestrator) = (self.dispatcher.as_ref(), self.orchestrator());
        let streams = self.streams();
        IntakeReport {
            events_in: from_venues + self.orders.gateway.rejected,
            merged: orchestrator.merge.counts.complete,
            routed: dispatcher.map_or(0, |totals| totals.routed),
            unrouted: dispatcher.map_or(0, |totals| totals.unrouted),
            duplicate: streams.duplicate,
            late: streams.late,
            flooded: streams.flooded,
            in_flight: orchestrator.left + dispatcher.map_or(0, |totals| totals.held),
        }
    }
}

fn venue_report(readings: &Readings, name: String, counters: VenueCounters) -> VenueReport {
    let sessions = readings.sessions.iter().filter(|session| session.venue == name);
    let is_market = |role: &str| role.starts_with("market");
    VenueReport {
        takes_orders: sessions.clone().any(|session| !is_market(&session.role)),
        positions_differ: sessions
            .clone()
            .filter(|session| !is_market(&session.role))
            .flat_map(|session| session.stats.positions())
            .collect(),
        market_frames: sessions
            .filter(|session| is_market(&session.role))
            .map(|session| session.stats.read().decoded)
            .sum(),
        name,
        counters,
        ..VenueReport::default()
    }
}

/// Joins both sides' terms of one consumer. What a thread that was left behind still holds can't be
/// walked: it is what is missing, by kind, as long as its lanes' own gauges say that so much can be
/// in them.
fn consumer_report(
    counters: &ConsumerCounters,
    totals: Option<ConsumerTotals>,
    link: LinkTotals,
    lanes: &[LaneGauge],
) -> ConsumerReport {
    let mut terms = counters.terms();
    terms.in_flight = link.in_flight;
    let mut report = ConsumerReport {
        name: counters.name.clone(),
        core: None,
        state: ConsumerState::Running,
        quarantine: None,
        terms: TermCounts::default(),
        failures: terms.failed.total(),
        stale_handled: terms.stale.total(),
        critical_lost: 0,
        kinds: BTreeMap::new(),
        orders: OrderCounts::default(),
        orders_open: 0,
        failure_log: crate::consumer::FailureLog::default(),
        stalls: StallFigures::default(),
        left_behind: totals.is_none(),
    };
    if let Some(totals) = totals {
        terms.in_flight.merge(&totals.in_flight);
        let critical_left: u64 = crate::event::EventKind::ALL
            .into_iter()
            .filter(|kind| kind.is_critical())
            .map(|kind| terms.in_flight.get(kind))
            .sum();
        // What the link numbered must have arrived or still lie in its lane or spill; holes in the
        // middle were counted by the consumer.
        let taken = u64::from(totals.critical_taken);
        let missing_tail = u64::from(link.critical_issued).saturating_sub(taken + critical_left);
        report.critical_lost = totals.critical_lost + missing_tail;
        report.state = totals.state;
        report.failures = totals.failures.total;
        report.orders = totals.orders;
        report.orders_open = totals.orders_open;
        report.failure_log = totals.failures;
    } else {
        terms.leave_behind(counters.lanes_in_flight(lanes));
    }
    report.account(&terms);
    report
}

fn stages(collector: &Collector) -> BTreeMap<String, LatencyFigures> {
    collector
        .totals()
        .filter(|stage| !stage.histogram.is_empty())
        .map(|stage| {
            let name = if stage.name.is_empty() { "end_to_end" } else { &stage.name };
            (name.to_owned(), LatencyFigures::of(&stage.histogram))
        })
        .collect()
}

/// Time within callbacks over the time that there was. How many threads ran them is told later.
fn parallelism(collector: &Collector) -> ParallelismReport {
    let callbacks = collector.totals().filter(|stage| stage.name.starts_with("handle:"));
    let recorded = callbacks.flat_map(|stage| stage.histogram.iter_recorded());
    let sum = |value: IterationValue<u64>| {
        u128::from(value.value_iterated_to()) * u128::from(value.count_at_value())
    };
    let callback_ns: u128 = recorded.map(sum).sum();
    let elapsed_ns = collector.covered_ns();
    let at_once = callback_ns * 1_000 / u128::from(elapsed_ns.max(1));
    ParallelismReport {
        callback_ns: u64::try_from(callback_ns).unwrap_or(u64::MAX),
        elapsed_ns,
        threads: 0,
        at_once_permille: u64::try_from(at_once).unwrap_or(u64::MAX),
    }
}

/// What an event that has to pass every pinned loop would have met: it is late when any of them is,
/// so the tails add up. In the histogram of all loops together, each with the same number of
/// samples a second, that sum is a tail smaller by their number.
fn hiccups(collector: &Collector) -> LatencyFigures {
    let mut merged: Histogram<u64> = new_histogram();
    let mut loops = 0;
    for stage in collector.totals().filter(|stage| stage.name.starts_with("hiccup:")) {
        loops += u32::from(!stage.histogram.is_empty());
        let added = merged.add(&stage.histogram);
        debug_assert!(added.is_ok());
    }
    let tail = |tail: f64| merged.value_at_quantile(1.0 - tail / f64::from(loops.max(1)));
    LatencyFigures {
        count: merged.len(),
        min_ns: merged.min(),
        p50_ns: tail(0.5),
        p90_ns: tail(0.1),
        p95_ns: tail(0.05),
        p99_ns: tail(0.01),
        p999_ns: tail(0.001),
        p9999_ns: tail(0.0001),
        max_ns: merged.max(),
    }
}

/// Percentiles are never averaged: the consumers' histograms are merged.
fn tick_to_trade(collector: &Collector) -> LatencyFigures {
    let mut merged: Histogram<u64> = new_histogram();
    for stage in collector.totals() {
        if stage.name.starts_with("tick_to_trade:") {
            let added = merged.add(&stage.histogram);
            debug_assert!(added.is_ok());
        }
    }
    LatencyFigures::of(&merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::Closure;
    use crate::event::Interest;
    use crate::pipeline::Size;
    use crate::risk::RiskLimits;
    use crate::runtime::{Clock, StallBook};
    use crate::telemetry::Terms;
    use crate::testing::{BareConsumer, bare_consumer};

    #[test]
    fn the_missing_tail_of_a_critical_stream_is_lost_like_a_hole_in_it() {
        let lost = |issued: u32, taken: u32, holes: u64| {
            let strategy = Box::new(Closure::new(Interest::ALL, |_, _| Ok(())));
            let (clock, _time) = Clock::manual(0);
            let (instruments, limits) = (Arc::default(), RiskLimits::default());
            let BareConsumer { agent, market: _m, critical: _c, orders: _o, control: _n, .. } =
                bare_consumer(strategy, instruments, limits, clock, Size::Full);
            let mut totals = agent.finish();
            (totals.critical_taken, totals.critical_lost) = (taken, holes);
            let counters = ConsumerCounters {
                name: "one".to_owned(),
                published: Terms::new(),
                handled: Terms::new(),
                stalls: StallBook::new(),
            };
            let link = LinkTotals { critical_issued: issued, ..LinkTotals::default() };
            consumer_report(&counters, Some(totals), link, &[]).critical_lost
        };
        assert_eq!(lost(10, 10, 0), 0);
        assert_eq!(lost(10, 7, 0), 3, "what was issued last never arrived");
        assert_eq!(lost(10, 7, 2), 5);
    }
}
