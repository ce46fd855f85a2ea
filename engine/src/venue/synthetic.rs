//! The synthetic venue: an agent that writes decoded events straight into its link, without a
//! socket.
//!
//! It is the load of checks and benches: a seeded random walk of quotes
//! and trades at a steady rate, and an order desk that acknowledges what it is sent and fills what
//! the walk crosses. For a seed, the sequence of events is always the same.

mod load;
mod orders;

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::Consumer;
use zerocopy::FromZeros;

use self::load::LoadPlan;
pub use self::load::SyntheticLoad;
use self::orders::{RESTING_MAX, Resting};
use super::{EventOutlet, IntakeStats, StreamOrder, StreamOrders};
use crate::event::{
    Bar, Event, EventKind, EventPayload, ExecReport, InstrumentId, Price, Qty, Quote, Side, Trade,
    VenueId, VenueRef,
};
use crate::instrument::InstrumentSpec;
use crate::order::OrderCommand;
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::safety::Quarantine;
use crate::telemetry::Probe;
use crate::venue::orders::OrderSessionTotals;
use crate::world::SplitMix64;

/// Events written in one duty cycle when the schedule is behind.
const BATCH: u64 = 16;

/// One quote in this many is followed by a trade.
const TRADE_EVERY: u64 = 4;

/// What a [`SyntheticVenue`] is made of.
pub struct SyntheticOptions {
    /// The agent's name.
    pub name: String,
    /// Its venue number.
    pub venue: VenueId,
    /// What it trades, each with the price at which its walk starts.
    pub instruments: Vec<(InstrumentId, InstrumentSpec, Price)>,
    /// Seed of the walk.
    pub seed: u64,
    /// Events per second over all instruments, at least 1.
    pub events_per_s: u32,
    /// Names of the consumers, by their numbers: tick-to-trade is told apart by them.
    pub consumers: Vec<String>,
    /// How much of it, and how much of that is critical.
    pub load: SyntheticLoad,
}

/// The ends that tie the venue to the engine.
pub struct SyntheticWiring {
    /// The orders it receives.
    pub commands: Consumer<OrderCommand>,
    /// Its counters.
    pub stats: Arc<CachePadded<IntakeStats>>,
    /// Its probe, with one histogram a consumer.
    pub probe: Probe,
    /// The clock.
    pub clock: Clock,
    /// The stop signal.
    pub stop: StopSignal,
    /// Whose open orders are to be cancelled.
    pub quarantine: Quarantine,
    /// Where it leaves its totals.
    pub closing: Closing<OrderSessionTotals>,
}

struct Market {
    id: InstrumentId,
    mid: i64,
    start: i64,
    tick: i64,
    step: i64,
    sequence: u64,
    /// Of the last bar whose pair is whole.
    bar_sequence: u64,
}

/// The agent.
pub struct SyntheticVenue<O: EventOutlet> {
    name: String,
    venue: VenueId,
    wiring: SyntheticWiring,
    /// `None` once the venue is closed.
    outlet: Option<O>,
    markets: Vec<Market>,
    resting: Vec<Resting>,
    load: LoadPlan,
    random: SplitMix64,
    interval_ns: u64,
    started_ns: Option<u64>,
    written: u64,
    trace_id: u64,
    next_order_id: u64,
    next_execution_id: u64,
}

impl<O: EventOutlet> SyntheticVenue<O> {
    /// What its sequences promise (LM-03): quotes and trades of an instrument share one, bars have
    /// one of their own without holes.
    pub const STREAM_ORDERS: StreamOrders = StreamOrders {
        quote: StreamOrder::Monotonic,
        trade: StreamOrder::Monotonic,
        book: StreamOrder::Unsequenced,
        bar: StreamOrder::Contiguous,
    };

    /// The tags of the probe that [`SyntheticWiring`] takes.
    #[must_use]
    pub fn probe_names(consumers: &[String]) -> Vec<String> {
        consumers.iter().map(|name| format!("tick_to_trade:{name}")).collect()
    }

    /// A venue that starts with the first duty cycle; its events go to `outlet`.
    #[must_use]
    pub fn new(options: SyntheticOptions, outlet: O, wiring: SyntheticWiring) -> SyntheticVenue<O> {
        let markets = options
            .instruments
            .into_iter()
            .map(|(id, spec, start)| Market {
                id,
                mid: start.0,
                start: start.0,
                tick: spec.tick,
                step: spec.step,
                sequence: 0,
                bar_sequence: 0,
            })
            .collect();
        SyntheticVenue {
            name: options.name,
            venue: options.venue,
            wiring,
            outlet: Some(outlet),
            markets,
            resting: Vec::with_capacity(RESTING_MAX),
            load: LoadPlan::new(options.load, options.consumers.len()),
            random: SplitMix64::new(options.seed),
            interval_ns: 1_000_000_000 / u64::from(options.events_per_s.max(1)),
            started_ns: None,
            written: 0,
            trace_id: 0,
            next_order_id: 1,
            next_execution_id: 1,
        }
    }

    fn finish(mut self) -> OrderSessionTotals {
        let mut untaken = 0;
        self.wiring.commands.poll(usize::MAX, |_command| untaken += 1);
        OrderSessionTotals { histograms: self.wiring.probe.into_set(), untaken, left: Vec::new() }
    }

    fn room(&mut self) -> usize {
        self.outlet.as_mut().map_or(0, EventOutlet::room)
    }

    fn publish(&mut self, event: &Event) {
        // As a session that is not read any more: its reports stay at the venue (FR-016).
        if self.wiring.quarantine.last_resort().is_halted()
            && event.kind().is_some_and(EventKind::is_critical)
        {
            return;
        }
        if let Some(outlet) = &mut self.outlet {
            outlet.publish(event);
            self.wiring.stats.events();
        }
    }

    /// Writes the events that are due, each stamped with the time at which it was due.
    fn write_due(&mut self) -> usize {
        let now_ns = self.wiring.clock.now_ns();
        let started_ns = *self.started_ns.get_or_insert(now_ns);
        let due = (now_ns - started_ns) / self.interval_ns;
        let mut work = 0;
        while self.written < due && work < BATCH as usize && self.load.has_more(self.written) {
            // A quote may fill every resting order it crosses: leave room for the quote and one
            // fill, and take the rest of the fills in later cycles.
            if self.room() < 4 {
                self.wiring.stats.backpressure();
                break;
            }
            let due_ns = started_ns + (self.written + 1) * self.interval_ns;
            match self.load.next_report() {
                Some(report) => self.write_report(due_ns, report),
                None => match self.load.next_of_pair() {
                    Some(is_later) => self.write_bar(due_ns, is_later),
                    None => self.write_one(due_ns),
                },
            }
            self.written += 1;
            work += 1;
        }
        work + self.fill_one()
    }

    fn write_one(&mut self, due_ns: u64) {
        let random = self.random.next_u64();
        let index = (self.written % self.markets.len().max(1) as u64) as usize;
        let Some(market) = self.markets.get_mut(index) else { return };
        market.sequence += 1;
        let (id, sequence, tick, step) = (market.id, market.sequence, market.tick, market.step);
        self.trace_id += 1;
        if sequence.is_multiple_of(TRADE_EVERY) {
            let side = if random & 1 == 0 { Side::Buy } else { Side::Sell };
            let price = if side == Side::Buy { market.mid + tick } else { market.mid - tick };
            let qty = step * (1 + (random >> 8) as i64 % 1_000);
            self.emit(id, sequence, due_ns, &Trade::single(Price(price), Qty(qty), side));
            return;
        }
        let drift = (random % 5) as i64 - 2;
        // The walk is pulled back to its start, so that it stays positive over any number of
        // events.
        let pull = (market.start - market.mid).signum() * i64::from(random.is_multiple_of(16));
        market.mid = (market.mid + (drift + pull) * tick).max(2 * tick);
        let mid = market.mid;
        let qty = |shift: u32| step * (1 + (random >> shift) as i64 % 10_000);
        let quote = Quote {
            bid_price: mid - tick,
            bid_qty: qty(16),
            ask_price: mid + tick,
            ask_qty: qty(32),
        };
        self.emit(id, sequence, due_ns, &quote);
    }

    /// Writes one bar of a pair, the later of both first.
    fn write_bar(&mut self, due_ns: u64, is_later: bool) {
        let Some(market) = self.markets.first_mut() else { return };
        let (id, mid) = (market.id, market.mid);
        let sequence = market.bar_sequence + if is_later { 2 } else { 1 };
        if !is_later {
            market.bar_sequence += 2;
        }
        self.trace_id += 1;
        let mut bar = Bar::new_zeroed();
        (bar.open, bar.high, bar.low, bar.close) = (mid, mid, mid, mid);
        (bar.interval_s, bar.open_time_ns) = (60, sequence as i64);
        self.emit(id, sequence, due_ns, &bar);
    }

    /// Writes a report that no order asked for.
    fn write_report(&mut self, due_ns: u64, mut report: ExecReport) {
        let Some(id) = self.markets.first().map(|market| market.id) else { return };
        report.execution_id = VenueRef::number(self.next_execution_id);
        self.next_execution_id += 1;
        self.trace_id += 1;
        self.emit(id, 0, due_ns, &report);
    }

    fn emit<P: EventPayload>(&mut self, id: InstrumentId, sequence: u64, due_ns: u64, payload: &P) {
        let mut event = Event::new(payload);
        event.venue = self.venue.0;
        event.instrument = id.0;
        event.sequence = sequence;
        event.trace_id = self.trace_id;
        event.receive_ns = due_ns;
        event.stamp_decoded(self.wiring.clock.now_ns());
        self.wiring.stats.frames();
        self.wiring.stats.decoded();
        self.publish(&event);
    }
}

impl<O: EventOutlet + Send + 'static> Agent for SyntheticVenue<O> {
    fn name(&self) -> &str {
        &self.name
    }

    fn duty_cycle(&mut self) -> usize {
        self.wiring.probe.swap_if_asked();
        if self.outlet.is_none() {
            return 0;
        }
        if self.wiring.quarantine.cancels_any() {
            self.cancel_quarantined();
        }
        match self.wiring.stop.phase() {
            Phase::Running => self.take_commands() + self.write_due(),
            Phase::Draining => self.take_commands() + self.wind_down(),
            Phase::Halted => {
                self.outlet = None;
                0
            }
        }
    }

    fn next_timer_ns(&self) -> u64 {
        match self.started_ns {
            None => 0,
            Some(_) if !self.load.has_more(self.written) => u64::MAX,
            Some(started_ns) => started_ns + (self.written + 1) * self.interval_ns,
        }
    }

    fn is_done(&self) -> bool {
        self.outlet.is_none()
    }

    fn on_close(self: Box<Self>) {
        let closing = self.wiring.closing.clone();
        closing.put(self.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ExecType, RejectReason};
    use crate::order::{OrderAction, OrderType};
    use crate::venue::LetterReason;
    use pitlane_ring::{LaneOptions, Publisher, lane};

    #[derive(Default)]
    struct Collected(Arc<parking_lot::Mutex<Vec<Event>>>);

    impl EventOutlet for Collected {
        fn room(&mut self) -> usize {
            64
        }

        fn publish(&mut self, event: &Event) {
            self.0.lock().push(*event);
        }

        fn dead_letter(&mut self, _: LetterReason, _: &'static str, _: &[u8]) {}
    }

    struct Rig {
        venue: SyntheticVenue<Collected>,
        events: Arc<parking_lot::Mutex<Vec<Event>>>,
        orders: Publisher<OrderCommand>,
        time: crate::runtime::ManualTime,
    }

    fn rig(seed: u64) -> Rig {
        rig_of(seed, SyntheticLoad::default())
    }

    fn rig_of(seed: u64, load: SyntheticLoad) -> Rig {
        let (orders, commands) = lane(LaneOptions { name: "orders".into(), capacity: 16 });
        let (clock, time) = Clock::manual(0);
        let outlet = Collected::default();
        let events = Arc::clone(&outlet.0);
        let spec =
            InstrumentSpec { symbol: "A-B".into(), price_scale: 2, qty_scale: 2, tick: 1, step: 1 };
        let consumers = vec!["c".to_owned()];
        let probe = Probe::new(SyntheticVenue::<Collected>::probe_names(&consumers));
        let options = SyntheticOptions {
            name: "synthetic".into(),
            venue: VenueId(0),
            instruments: vec![(InstrumentId(0), spec, Price(10_000))],
            seed,
            events_per_s: 1_000,
            consumers,
            load,
        };
        let stats = IntakeStats::new();
        let stop = StopSignal::default();
        let quarantine = Quarantine::default();
        let wiring = SyntheticWiring {
            commands,
            stats,
            probe,
            clock,
            stop,
            quarantine,
            closing: Closing::default(),
        };
        Rig { venue: SyntheticVenue::new(options, outlet, wiring), events, orders, time }
    }

    fn run_ms(rig: &mut Rig, ms: u64) {
        for _ in 0..=ms {
            rig.venue.duty_cycle();
            rig.time.advance_ns(1_000_000);
        }
    }

    #[test]
    fn a_seed_gives_the_same_events_at_the_stated_rate() {
        let [mut one, mut two] = [rig(7), rig(7)];
        run_ms(&mut one, 1_000);
        run_ms(&mut two, 1_000);
        let (one, two) = (one.events.lock(), two.events.lock());
        assert_eq!(one.len(), 1_000);
        assert!(one.iter().zip(two.iter()).all(|(a, b)| a.payload == b.payload));
        assert!(one.iter().filter_map(|event| event.get::<Quote>()).all(|q| q.bid_price > 0));
    }

    #[test]
    fn an_order_is_acknowledged_filled_when_crossed_and_never_twice() {
        let mut rig = rig(3);
        let mut command = OrderCommand::new_zeroed();
        command.action_code = OrderAction::Submit as u8;
        command.order_type_code = OrderType::Limit as u8;
        command.client_order_id = 1;
        command.side_code = Side::Buy.code();
        command.price = 9_990;
        command.qty = 5;
        rig.orders.try_publish(&command).unwrap();
        rig.orders.try_publish(&command).unwrap();
        run_ms(&mut rig, 20_000);
        let events = rig.events.lock();
        let reports: Vec<_> = events.iter().filter_map(|e| e.get::<ExecReport>()).collect();
        let types: Vec<_> = reports.iter().filter_map(|report| report.exec_type()).collect();
        assert_eq!(types, [ExecType::New, ExecType::Rejected, ExecType::Trade]);
        assert_eq!(reports[1].reason(), Some(RejectReason::DuplicateId));
        assert_eq!((reports[2].last_qty, reports[2].remaining_qty()), (5, 0));
    }

    #[test]
    fn a_bounded_load_writes_its_share_of_reports_and_falls_silent() {
        let mut rig = rig_of(
            5,
            SyntheticLoad { events_max: 500, critical_per_mille: 100, ..SyntheticLoad::default() },
        );
        run_ms(&mut rig, 2_000);
        let events = rig.events.lock();
        let numbers: Vec<u64> = events
            .iter()
            .filter_map(|e| e.get::<ExecReport>())
            .map(ExecReport::venue_order_number)
            .collect();
        assert_eq!((events.len(), numbers), (500, (1..=50).collect()));
        assert_eq!(rig.venue.next_timer_ns(), u64::MAX);
    }
}
