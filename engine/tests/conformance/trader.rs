//! An order agent under test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::CachePadded;
use pitlane_engine::event::{
    ExecReport, ExecType, InstrumentId, OrderStatus, Price, Side, VenueId,
};
use pitlane_engine::order::recovery::VenueRecovery;
use pitlane_engine::order::{OrderAction, OrderCommand, OrderType, TimeInForce};
use pitlane_engine::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use pitlane_engine::safety::Quarantine;
use pitlane_engine::telemetry::Probe;
use pitlane_engine::venue::governor::Governor;
use pitlane_engine::venue::orders::{AccountBoard, OrderAgent, OrderOptions, OrderWiring};
use pitlane_engine::venue::protocol::{OrderDecoder, OrderProtocol, Signer};
use pitlane_engine::venue::simulated::{SimulatedVenue, SimulatedVenueOptions};
use pitlane_engine::venue::transport::{
    Endpoint, RestOptions, Scheme, SessionLimits, SessionOptions,
};
use pitlane_engine::venue::{IntakeStats, SessionState, VenueClock, VenueCounters, VenueSwitch};
use pitlane_engine::world::Net;
use pitlane_ring::{LaneOptions, Publisher, lane};
use zerocopy::FromZeros;

use crate::harness::{
    BTC, Core, Outlet, PACE, Patience, Seen, fast_clock, instruments, limits, symbols, unhurried,
};
use crate::subject::Orders;

/// The largest quantity that the tests order: 0.01000.
pub const QTY: i64 = 1_000;

/// Starts a venue that knows the account's key; the market moves little.
pub fn venue<V: Orders>(change: impl FnOnce(&mut SimulatedVenueOptions)) -> SimulatedVenue {
    let mut options = SimulatedVenueOptions {
        events_per_s: 20,
        api_key: V::API_KEY.into(),
        verifying_key: V::key().verifying_key(),
        ..SimulatedVenueOptions::default()
    };
    change(&mut options);
    SimulatedVenue::start_at(V::dialect(), options, fast_clock()).expect("the venue starts")
}

fn endpoint(url: &str, scheme: Scheme) -> Endpoint {
    Endpoint::parse(url, scheme, &Net::real(), None).expect("a good URL")
}

/// What a [`Trader`] is made with.
pub struct TraderOptions {
    pub name: &'static str,
    pub run: u32,
    pub cancel_on_stop: bool,
    pub dead_man_ms: Option<u32>,
    pub answer_ms: u64,
    pub frame_bytes_max: usize,
    pub recovery: VenueRecovery,
    /// Where it is asked over REST; `None`: where everything else is.
    pub rest: Option<SocketAddr>,
    /// Where it leaves what the account may do, where that is to be asked.
    pub inspection: Option<AccountBoard>,
    /// What the venue allows.
    pub governor: Governor,
}

impl Default for TraderOptions {
    fn default() -> TraderOptions {
        TraderOptions {
            name: "test",
            run: 1,
            cancel_on_stop: true,
            dead_man_ms: None,
            answer_ms: 3_000 * u64::from(PACE),
            frame_bytes_max: limits().frame_bytes_max,
            recovery: VenueRecovery::default(),
            rest: None,
            inspection: None,
            governor: Governor::default(),
        }
    }
}

/// An order agent and everything around it.
pub struct Trader<V: Orders> {
    pub agent: OrderAgent<Outlet, V::Entry>,
    pub outlet: Outlet,
    pub clock: Clock,
    pub stop: StopSignal,
    /// Of two consumers, whose orders are cancelled.
    pub quarantine: Quarantine,
    pub switch: VenueSwitch,
    ready: Arc<AtomicBool>,
    commands: Publisher<OrderCommand>,
    stats: Arc<CachePadded<IntakeStats>>,
    core: Core,
}

impl<V: Orders> Trader<V> {
    pub fn new(address: SocketAddr, options: &TraderOptions) -> Trader<V> {
        Trader::with_key(address, V::key(), options)
    }

    /// One that signs with another key than the account's.
    pub fn with_key(
        address: SocketAddr,
        key: <V::Entry as OrderProtocol>::Signer,
        options: &TraderOptions,
    ) -> Trader<V> {
        let (clock, stop) = (fast_clock(), StopSignal::default());
        let (stats, outlet) = (IntakeStats::new(), Outlet::default());
        let path = V::dialect().api_path.expect("it takes orders");
        let url = format!("ws://{address}{path}");
        let (commands, taken) = lane(LaneOptions { name: "orders".into(), capacity: 64 });
        let ready = Arc::new(AtomicBool::new(false));
        let decoder = <V::Entry as OrderProtocol>::Decoder::new(symbols(), options.frame_bytes_max);
        let protocol = V::Entry::new(key, decoder);
        let rest = format!("http://{}", options.rest.unwrap_or(address));
        let order = OrderOptions {
            market: Some(endpoint(&format!("ws://{address}"), Scheme::Ws)),
            rest: Some(RestOptions {
                endpoint: endpoint(&rest, Scheme::Http),
                net: Net::real(),
                token: 1,
                timeout_ns: options.answer_ms * 1_000_000,
                body_bytes_max: 1 << 20,
            }),
            venue: options.name.into(),
            venue_id: VenueId(0),
            session: SessionOptions {
                endpoint: endpoint(&url, Scheme::Ws),
                headers: String::new(),
                limits: SessionLimits {
                    frame_bytes_max: options.frame_bytes_max,
                    ..unhurried(limits())
                },
                governor: options.governor.clone(),
                net: Net::real(),
                token: 0,
                seed: 9,
            },
            symbols: symbols(),
            instruments: instruments(),
            answer_ns: options.answer_ms * 1_000_000,
            open_max: 16,
            cancel_on_stop: options.cancel_on_stop,
            dead_man_ms: options.dead_man_ms,
            session_number: 1,
            venue_clock: VenueClock::new(options.name, clock.clone()),
            run: options.run,
            inspection: options.inspection.clone(),
            recovery: options.recovery.clone(),
        };
        let quarantine = Quarantine::new(2, true);
        let switch = VenueSwitch::default();
        let wiring = OrderWiring {
            outlet: outlet.clone(),
            commands: taken,
            ready: Arc::clone(&ready),
            stats: Arc::clone(&stats),
            probe: Probe::new(OrderWiring::<Outlet>::probe_names(&["one".into(), "two".into()])),
            clock: clock.clone(),
            stop: stop.clone(),
            quarantine: quarantine.clone(),
            switch: switch.clone(),
            closing: Closing::default(),
        };
        let mut agent = OrderAgent::new(protocol, order, wiring);
        let core = Core::new(&mut agent);
        Trader { agent, outlet, clock, stop, quarantine, switch, ready, commands, stats, core }
    }

    /// One duty cycle.
    pub fn turn(&mut self) {
        self.core.turn(&mut self.agent, &self.clock);
    }

    /// Runs duty cycles until `until` holds.
    pub fn drive(&mut self, what: &str, until: impl Fn(&Seen, &VenueCounters) -> bool) {
        let patience = Patience::new();
        loop {
            self.turn();
            let counters = self.counters();
            let seen = self.outlet.seen();
            if until(&seen, &counters) {
                return;
            }
            assert!(
                !patience.is_over(),
                "{what} did not come: {counters:?}, reports {:?}, letters {:?}",
                seen.all::<ExecReport>(),
                seen.letters
            );
        }
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub fn drive_to_ready(&mut self) {
        let ready = Arc::clone(&self.ready);
        self.drive("the logon", |_, _| ready.load(Ordering::Acquire));
    }

    pub fn drive_to_done(&mut self) {
        let patience = Patience::new();
        while !self.agent.is_done() {
            assert!(!patience.is_over(), "the agent did not finish");
            self.turn();
        }
    }

    pub fn counters(&self) -> VenueCounters {
        self.stats.read()
    }

    /// Its counters, to be read while it is driven.
    pub fn stats(&self) -> Arc<CachePadded<IntakeStats>> {
        Arc::clone(&self.stats)
    }

    /// When the venue's timer that cancels all runs out, as far as is known.
    pub fn dead_man_until_ns(&self) -> Option<u64> {
        self.stats.dead_man_until_ns()
    }

    /// Runs until the venue has taken that timer.
    pub fn drive_to_dead_man(&mut self) {
        let stats = Arc::clone(&self.stats);
        self.drive("the venue's timer", |_, _| stats.dead_man_until_ns().is_some());
    }

    pub fn state(&self) -> SessionState {
        self.stats.state()
    }

    /// Runs until the session is in this state.
    pub fn drive_to_state(&mut self, state: SessionState) {
        let stats = Arc::clone(&self.stats);
        self.drive(&format!("the state {}", state.name()), |_, _| stats.state() == state);
    }

    /// Hands a command over, as the gateway does.
    pub fn command(
        &mut self,
        action: OrderAction,
        id: u64,
        change: impl FnOnce(&mut OrderCommand),
    ) {
        let mut command = OrderCommand::new_zeroed();
        command.client_order_id = id;
        command.instrument = BTC.0;
        command.action_code = action as u8;
        (command.decision_id, command.tick_receive_ns) = (1_000 + id, self.clock.now_ns());
        change(&mut command);
        assert!(self.commands.try_publish(&command).is_ok(), "the lane has room");
    }

    /// A limit order of [`QTY`].
    pub fn submit(&mut self, id: u64, side: Side, price: Price, order_type: OrderType) {
        self.command(OrderAction::Submit, id, |command| {
            (command.side_code, command.price, command.qty) = (side.code(), price.0, QTY);
            command.order_type_code = order_type as u8;
            command.time_in_force_code = TimeInForce::Gtc as u8;
        });
    }

    /// A buy far below the market, which rests.
    pub fn submit_resting(&mut self, id: u64) {
        self.submit(id, Side::Buy, Price(3_000_000), OrderType::Limit);
    }

    /// A buy far above the market, which fills at once.
    pub fn submit_marketable(&mut self, id: u64) {
        self.submit(id, Side::Buy, Price(9_000_000), OrderType::Limit);
    }

    /// The reports on an order so far.
    pub fn reports(&self, id: u64) -> Vec<ExecReport> {
        reports(&self.outlet.seen(), id)
    }

    /// Runs until an order is in this state.
    pub fn drive_to(&mut self, id: u64, status: OrderStatus) -> ExecReport {
        self.drive(&format!("order {id} in state {}", status.name()), |seen, _| {
            reports(seen, id).last().and_then(ExecReport::status) == Some(status)
        });
        *self.reports(id).last().expect("just seen")
    }

    /// Runs until an order that may only rest, and would take, is over; what the venue made of it.
    pub fn drive_to_no_maker(&mut self, id: u64) -> ExecReport {
        self.drive_to(
            id,
            match V::CODES.would_take {
                Some(_) => OrderStatus::Rejected,
                None => OrderStatus::Expired,
            },
        )
    }

    /// What holds of every run, whatever went wrong in it: frames are accounted for; per order
    /// filled quantities only rise, by what each fill tells, and nothing follows the end.
    pub fn assert_sound(&self) {
        let counters = self.counters();
        assert!(counters.identity_holds(), "{counters:?}");
        let seen = self.outlet.seen();
        let mut ids: Vec<u64> =
            seen.all::<ExecReport>().iter().map(|report| report.client_order_id).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let (mut filled, mut is_over) = (0, false);
            for report in reports(&seen, id) {
                let is_refusal = report.exec_type() == Some(ExecType::CancelRejected)
                    || report.reason() == Some(pitlane_engine::event::RejectReason::DuplicateId);
                is_over &= report.exec_type() != Some(ExecType::Revived);
                let is_after = is_refusal || report.exec_type() == Some(ExecType::Corrected);
                assert!(!is_over || is_after, "order {id} goes on after its end: {report:?}");
                if report.exec_type() == Some(ExecType::Trade) {
                    filled += report.last_qty;
                    assert!(report.last_qty > 0 && report.last_price > 0, "{report:?}");
                }
                if !is_refusal {
                    assert_eq!(report.filled_qty, filled, "order {id}: {report:?}");
                    // An order that is over has nothing left, whatever ended it.
                    let is_open = !report.status().is_some_and(OrderStatus::is_terminal);
                    let left = if is_open { report.qty - filled } else { 0 };
                    assert_eq!(report.remaining_qty(), left, "order {id}: {report:?}");
                }
                is_over |= report.status().is_some_and(OrderStatus::is_terminal);
            }
        }
    }
}

impl<V: Orders> Drop for Trader<V> {
    fn drop(&mut self) {
        self.stop.raise(Phase::Halted);
    }
}

/// The reports on an order.
pub fn reports(seen: &Seen, id: u64) -> Vec<ExecReport> {
    let of_btc = seen.events.iter().filter(|event| event.instrument == InstrumentId(0).0);
    let all = of_btc.filter_map(|event| event.get::<ExecReport>().copied());
    all.filter(|report| report.client_order_id == id).collect()
}

/// The fills among them.
pub fn fills(reports: &[ExecReport]) -> Vec<ExecReport> {
    let is_fill = |report: &&ExecReport| report.exec_type() == Some(ExecType::Trade);
    reports.iter().filter(is_fill).copied().collect()
}
