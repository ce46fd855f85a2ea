//! The stages between a venue's link and the callbacks, to be stepped by hand: what
//! [`crate::launch()`] puts on cores, made by the same builder.
//!
//! For benches and tests that drive every duty cycle themselves. One venue, any number of
//! instruments, all consumers subscribed to all of them, all on one thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize};

use crossbeam_utils::CachePadded;
use pitlane_ring::{Consumer, LookAhead, Publisher};

use crate::config::LanesConfig;
use crate::consumer::{
    Closure, ConsumerAgent, ConsumerFaults, ConsumerOptions, ControlCommand, Strategy, contain,
};
use crate::dispatcher::sequencing::SequencerOptions;
use crate::dispatcher::{AcceptFrom, DispatcherAgent, DispatcherInputs, Subscription};
use crate::event::{ConsumerId, Event, InstrumentId, Interest};
use crate::instrument::Instruments;
use crate::journal::SavedState;
use crate::orchestrator::Orchestrator;
use crate::order::trading::Marks;
use crate::order::{GatewayAgent, OrderCommand, OrderLane};
use crate::pipeline::{
    Builder, ConsumerEnds, ConsumerPlan, EngineEnds, Pipeline, PipelinePlan, RoutingEnds, Size,
};
use crate::risk::{RiskLimits, SharedLimits};
use crate::runtime::{Agent, Clock, StopSignal};
use crate::safety::{Quarantine, TradingSwitch};
use crate::telemetry::Terms;

/// What the stages are made with.
pub struct StagesOptions {
    /// One consumer each.
    pub strategies: Vec<Box<dyn Strategy>>,
    /// What is traded.
    pub instruments: Arc<Instruments>,
    /// The clock of every stage.
    pub clock: Clock,
    /// Slots of the venue's link.
    pub link_slots: usize,
    /// Slots of each consumer's market lane.
    pub market_slots: usize,
    /// Market callbacks in a row.
    pub batch: usize,
    /// Orders each consumer may have open.
    pub open_orders_max: usize,
    /// The fan-out of every so many-th event is sampled; 0 = none.
    pub fanout_every: u64,
    /// What they are for.
    pub size: Size,
}

/// The stages, in the order of an event's way.
pub struct Stages {
    /// Where a venue publishes.
    pub link: Publisher<Event>,
    /// Stamps, and fans out.
    pub dispatcher: DispatcherAgent,
    /// Handle.
    pub consumers: Vec<ConsumerAgent>,
    /// By consumer, the ends of their order lanes.
    pub orders: Vec<Consumer<OrderCommand>>,
    /// Raises the phase of all of them.
    pub stop: StopSignal,
    /// Ends nothing is sent through, which would be closed if they were dropped.
    _rest: (Builder, RoutingEnds, Vec<Consumer<ControlCommand>>),
}

/// The dispatcher alone: a link's publisher, and each consumer's market lane to read raw.
pub struct BareDispatcher {
    /// Where a venue would publish.
    pub link: Publisher<Event>,
    /// Fans out.
    pub dispatcher: DispatcherAgent,
    /// By consumer.
    pub market: Vec<Consumer<Event>>,
    /// By consumer, the dispatcher's side of the account.
    pub terms: Vec<Arc<CachePadded<Terms>>>,
    /// Ends that must live as long.
    _rest: (Builder, Publisher<Event>, Vec<Consumer<Event>>),
}

/// A consumer alone, with the other ends of its lanes.
pub struct BareConsumer {
    /// Where the dispatcher would publish market and reference data.
    pub market: Publisher<Event>,
    /// Where it would publish critical events, numbered from 1.
    pub critical: Publisher<Event>,
    /// What the gateway would take.
    pub orders: Consumer<OrderCommand>,
    /// What the controller would take.
    pub control: Consumer<ControlCommand>,
    /// Handles.
    pub agent: ConsumerAgent,
    /// Where a venue's sessions would leave its last prices.
    pub marks: Arc<Marks>,
}

/// A gateway alone, between one strategy and one venue.
pub struct BareGateway {
    /// Where the strategy publishes.
    pub orders: Publisher<OrderCommand>,
    /// What the venue's session would take.
    pub sent: Consumer<OrderCommand>,
    /// Takes them there.
    pub agent: GatewayAgent,
    /// Ends that must live as long.
    _rest: (Builder, Consumer<Event>),
}

/// Critical events and orders are few in a bench: slots of each of those lanes.
const SMALL: usize = 256;

fn builder(plan: &PipelinePlan, clock: Clock, size: Size) -> Builder {
    let (switch, quarantine) = (TradingSwitch::new(true), Quarantine::default());
    Builder::new(clock, plan, switch, quarantine).sized(size)
}

/// A plan for these strategies on one thread; lanes that see little are small.
fn plan(
    strategies: Vec<Box<dyn Strategy>>,
    instruments: &Arc<Instruments>,
    limits: &RiskLimits,
    batch: usize,
    size: Size,
) -> PipelinePlan {
    let small = size.at_most(SMALL);
    let all: Vec<InstrumentId> = instruments.iter().map(|(id, _)| id).collect();
    let consumer = |(index, strategy): (usize, Box<dyn Strategy>)| ConsumerPlan {
        subscription: Subscription {
            consumer: ConsumerId(index as u16),
            interest: strategy.interest(),
            instruments: all.clone(),
        },
        options: ConsumerOptions {
            name: format!("consumer {index}"),
            strategy,
            batch,
            batch_ns: u64::MAX,
            failures_max: u64::MAX,
            failures_kept: 16,
            skips: false,
            faults: ConsumerFaults::default(),
        },
        limits: limits.clone(),
        budget_ns: u64::MAX,
        thread: 0,
    };
    PipelinePlan {
        instruments: Arc::clone(instruments),
        venues: vec!["venue".to_owned()],
        threads: 1,
        lanes: LanesConfig {
            venue: small,
            dispatch: small,
            market: small,
            critical: small,
            spill: small,
            order: small,
            dead_letter: small,
            log: small,
        },
        streams: SequencerOptions::default(),
        merge_places: SMALL,
        has_order_log: false,
        fanout_every: 0,
        risk: SharedLimits::default(),
        consumers: strategies.into_iter().enumerate().map(consumer).collect(),
    }
}

/// Puts the stages together.
#[must_use]
pub fn stages(options: StagesOptions) -> Stages {
    let StagesOptions { instruments, clock, link_slots, size, .. } = options;
    let limits = RiskLimits {
        max_orders_per_s: u32::MAX,
        max_open_orders: options.open_orders_max,
        ..RiskLimits::default()
    };
    let mut plan = plan(options.strategies, &instruments, &limits, options.batch, size);
    plan.lanes.market = options.market_slots;
    plan.fanout_every = options.fanout_every;
    let mut builder = builder(&plan, clock, size);
    let (link, link_end) = builder.lane("link", link_slots);
    let pipeline = builder.build(plan, vec![link_end]);
    let Pipeline { dispatcher, consumers, orders, control, routing, .. } = pipeline;
    let stop = builder.stop.clone();
    let orders = orders.into_iter().map(|lane| lane.commands).collect();
    let _rest = (builder, routing, control);
    Stages { link, dispatcher, consumers, orders, stop, _rest }
}

/// Puts a dispatcher between a link and `consumers` raw lanes.
#[must_use]
pub fn bare_dispatcher(
    consumers: usize,
    instruments: &Instruments,
    clock: Clock,
    link_slots: usize,
    market_slots: usize,
) -> BareDispatcher {
    let instruments = Arc::new(instruments.clone());
    let strategy = |_| Box::new(Closure::new(Interest::ALL, |_, _| Ok(()))) as Box<dyn Strategy>;
    let strategies = (0..consumers).map(strategy).collect();
    let mut plan = plan(strategies, &instruments, &RiskLimits::default(), 1, Size::Full);
    plan.lanes.market = market_slots;
    let mut builder = builder(&plan, clock, Size::Full);
    let (link, link_end) = builder.lane("link", link_slots);
    let (notices, notices_end) = builder.lane("control:answers", SMALL);
    let orchestrator = Orchestrator::new(vec![link_end], Arc::default(), plan.merge_places);
    let inputs = DispatcherInputs { orchestrator, notices: notices_end };
    let shared = (&Arc::new(AtomicU32::new(1)), &Arc::default());
    let mut fan_out = builder.fan_out(&plan);
    let dispatcher = builder.dispatcher(&plan, inputs, shared, &mut fan_out);
    let ends = fan_out.consumers.into_iter();
    let (market, critical_ends) =
        ends.map(|ConsumerEnds { market, critical, .. }| (market, critical)).unzip();
    let counters = builder.readings.consumers.iter();
    let terms = counters.map(|counters| Arc::clone(&counters.published)).collect();
    let _rest = (builder, notices, critical_ends);
    BareDispatcher { link, dispatcher, market, terms, _rest }
}

/// Puts a consumer behind its lanes, already started.
#[must_use]
pub fn bare_consumer(
    strategy: Box<dyn Strategy>,
    instruments: Arc<Instruments>,
    limits: RiskLimits,
    clock: Clock,
    size: Size,
) -> BareConsumer {
    restored_consumer(strategy, None, (instruments, limits), clock, size)
}

/// The same of a strategy that an earlier start has saved.
#[must_use]
pub fn restored_consumer(
    strategy: Box<dyn Strategy>,
    saved: Option<SavedState>,
    (instruments, limits): (Arc<Instruments>, RiskLimits),
    clock: Clock,
    size: Size,
) -> BareConsumer {
    let mut plan = plan(vec![strategy], &instruments, &limits, 16, size);
    let mut builder = builder(&plan, clock, size);
    if saved.is_some() {
        builder.save_states(vec![saved], 1_000_000_000);
    }
    let consumer = plan.consumers.remove(0);
    let (engine, own) = builder.consumer_lanes(&plan, &consumer, &mut Default::default());
    let mut agent = builder.consumer(consumer, 0, own, AcceptFrom::default());
    agent.duty_cycle();
    let EngineEnds { market, critical, orders, control } = engine;
    let marks = Arc::clone(&builder.readings.trading.marks);
    BareConsumer { market, critical, orders: orders.commands, control, agent, marks }
}

/// Puts a gateway between one order lane and one venue's.
#[must_use]
pub fn bare_gateway(instruments: &Arc<Instruments>, clock: Clock) -> BareGateway {
    let plan = plan(Vec::new(), instruments, &RiskLimits::default(), 1, Size::Full);
    let mut builder = builder(&plan, clock, Size::Full);
    let (orders, orders_end) = builder.lane("orders", SMALL);
    let (session, sent) = builder.lane("session", SMALL);
    let (answers, answers_end) = builder.lane("answers", SMALL);
    let sessions_open = Arc::new(AtomicUsize::new(1));
    let lanes = vec![OrderLane { stage: None, commands: orders_end }];
    let agent = builder.gateway(lanes, vec![Some(session)], answers, sessions_open);
    BareGateway { orders, sent, agent, _rest: (builder, answers_end) }
}

/// One duty cycle of each consumer, with the look ahead that a core has, but without its lease.
/// Returns the work done.
#[inline]
pub fn sweep(consumers: &mut [ConsumerAgent]) -> usize {
    let (mut work, mut look_ahead) = (0, LookAhead::default());
    for place in 0..consumers.len() {
        let done = consumers[place].duty_cycle();
        let behind = consumers.iter().skip(place + 1);
        look_ahead.after(done, behind).for_each(|consumer| consumer.prefetch());
        work += done;
    }
    work
}

/// Runs `callback` as the wrapper does; false when it panicked.
#[inline]
pub fn is_contained(callback: impl FnOnce()) -> bool {
    contain(ConsumerId(0), callback).is_ok()
}
