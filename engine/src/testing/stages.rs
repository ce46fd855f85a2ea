//! The stages between a venue's link and the callbacks, put together without threads or files.
//!
//! For benches and tests that drive every duty cycle themselves: the same agents, lanes and tables
//! that [`crate::launch()`] puts on cores. One venue, any number of instruments, all consumers
//! subscribed to all of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crossbeam_utils::CachePadded;
use pitlane_ring::{
    Consumer, CriticalPublisher, Exchange, LaneOptions, LookAhead, MarketPublisher, Publisher,
    SharedCursors, lane, lane_beside,
};

use crate::consumer::{
    CONSUMER_LETTER_SLOTS, ConsumerAgent, ConsumerFaults, ConsumerOptions, ConsumerWiring,
    ContextParts, ControlCommand, RiskLimits, Strategy, contain,
};
use crate::dispatcher::order::{Sequencer, SequencerOptions};
use crate::dispatcher::{
    AcceptFrom, DispatcherAgent, DispatcherParts, LinkParts, RouteBook, RoutingTable, Subscription,
    routes_of,
};
use crate::event::{ConsumerId, Event, InstrumentId};
use crate::instrument::Instruments;
use crate::orchestrator::merge::MergePort;
use crate::orchestrator::{OrchestratorAgent, OrchestratorParts, Outputs};
use crate::order::OrderCommand;
use crate::order::trading::{Ledger, TradingBoard};
use crate::runtime::{Agent, Clock, Closing, StopSignal};
use crate::safety::{Quarantine, TradingSwitch};
use crate::telemetry::{Asks, ConsumerProbe, LetterSource, Probe, Terms, letter_lane};

/// What the stages are made with.
pub struct StagesOptions {
    /// One consumer each.
    pub strategies: Vec<Box<dyn Strategy>>,
    /// What is traded.
    pub instruments: Arc<Instruments>,
    /// The clock of every stage.
    pub clock: Clock,
    /// Slots of the venue's link and of the dispatcher's own lanes.
    pub dispatch_slots: usize,
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
    /// Stamps and passes on.
    pub orchestrator: OrchestratorAgent,
    /// Fans out.
    pub dispatcher: DispatcherAgent,
    /// Handle.
    pub consumers: Vec<ConsumerAgent>,
    /// By consumer, the ends of their order lanes.
    pub orders: Vec<Consumer<OrderCommand>>,
    /// By consumer, the ends of their control lanes.
    pub control: Vec<Consumer<ControlCommand>>,
    /// By consumer, the dispatcher's and the consumer's own side of the account.
    pub terms: Vec<[Arc<CachePadded<Terms>>; 2]>,
    /// Raises the phase of all of them.
    pub stop: StopSignal,
    /// The dispatcher's dead letters.
    pub letters: LetterSource,
    /// Where merge rules are staged.
    pub merge: Arc<MergePort>,
}

/// The dispatcher alone: its market lane's publisher, and each consumer's market lane to read raw.
pub struct BareDispatcher {
    /// Where the orchestrator would publish.
    pub input: Publisher<Event>,
    /// Fans out.
    pub dispatcher: DispatcherAgent,
    /// By consumer.
    pub market: Vec<Consumer<Event>>,
    /// By consumer, the dispatcher's side of the account.
    pub terms: Vec<Arc<CachePadded<Terms>>>,
    /// Ends that must live as long.
    pub rest: BareEnds,
}

/// Lane ends nothing is sent through, which would be closed if they were dropped.
pub struct BareEnds {
    _critical_in: Publisher<Event>,
    _critical: Vec<Consumer<Event>>,
    _letters: LetterSource,
}

/// Critical events and orders are few in a bench: slots of each of those lanes.
const SMALL: usize = 256;

/// What the stages are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// To be measured or tested.
    Full,
    /// To be run for their code alone: a few slots a lane, and histograms that nobody reads.
    Rehearsal,
}

impl Size {
    /// Slots of lanes that see little.
    fn small(self) -> usize {
        match self {
            Size::Full => SMALL,
            Size::Rehearsal => 4,
        }
    }

    fn letters(self) -> usize {
        CONSUMER_LETTER_SLOTS.min(self.small())
    }

    fn probe(self, names: Vec<String>) -> Probe {
        match self {
            Size::Full => Probe::new(names),
            Size::Rehearsal => Probe::new(names).coarse(),
        }
    }

    fn consumer_probe(self, name: &str, fanout_every: u64, asks: &Asks) -> ConsumerProbe {
        let probe = ConsumerProbe::new(name, fanout_every, asks);
        match self {
            Size::Full => probe,
            Size::Rehearsal => probe.coarse(),
        }
    }
}

fn make<E: pitlane_ring::Record>(name: &str, capacity: usize) -> (Publisher<E>, Consumer<E>) {
    lane(LaneOptions { name: name.to_owned(), capacity })
}

/// One consumer's four lane ends.
struct Pair {
    link: LinkParts,
    market: Consumer<Event>,
    critical: Consumer<Event>,
}

fn fan_out(
    interests: impl Iterator<Item = crate::event::Interest>,
    instruments: &Arc<Instruments>,
    market_slots: usize,
    small: usize,
) -> (Vec<Pair>, RoutingTable) {
    let all: Vec<InstrumentId> = instruments.iter().map(|(id, _)| id).collect();
    let subscribe = |(index, interest)| Subscription {
        consumer: ConsumerId(index as u16),
        interest,
        instruments: all.clone(),
    };
    let subscriptions: Vec<Subscription> = interests.enumerate().map(subscribe).collect();
    let mut book = RouteBook::new(subscriptions.len(), 1, Arc::clone(instruments));
    let routes: BTreeSet<_> = routes_of(&subscriptions, 1).collect();
    routes.iter().for_each(|route| {
        book.add(*route);
    });
    let (mut market_cursors, mut critical_cursors) = <(SharedCursors, SharedCursors)>::default();
    let mut pair = |(subscription, accept_from): (&Subscription, AcceptFrom)| {
        let options = |name: &str, capacity| LaneOptions { name: name.to_owned(), capacity };
        let (market, market_end) =
            lane_beside(options("market", market_slots), &mut market_cursors);
        let (critical, critical_end) =
            lane_beside(options("critical", small), &mut critical_cursors);
        let link = LinkParts {
            market: MarketPublisher::new(market, book.cells(subscription.consumer)),
            critical: CriticalPublisher::new(critical, small),
            terms: Terms::new(),
            accept_from,
            skips: false,
            consumer: subscription.consumer,
        };
        Pair { link, market: market_end, critical: critical_end }
    };
    let accept_from = AcceptFrom::of_each(subscriptions.len());
    let pairs = subscriptions.iter().zip(accept_from).map(&mut pair).collect();
    (pairs, book.table(&routes))
}

/// Puts the stages together.
#[must_use]
pub fn stages(options: StagesOptions) -> Stages {
    let StagesOptions {
        strategies,
        instruments,
        clock,
        dispatch_slots,
        market_slots,
        batch,
        open_orders_max,
        fanout_every,
        size,
    } = options;
    let small = size.small();
    let stop = StopSignal::default();
    let interests = strategies.iter().map(|strategy| strategy.interest());
    let (pairs, table) = fan_out(interests, &instruments, market_slots, small);
    let (link, link_end) = make("link", dispatch_slots);
    let (critical, critical_end) = make("dispatch:critical", small);
    let (market, market_end) = make("dispatch:market", dispatch_slots);
    let (letters, letters_end) = letter_lane("dispatcher", small);
    let version = Arc::new(AtomicU32::new(1));
    let merge = Arc::<MergePort>::default();
    let orchestrator = OrchestratorAgent::new(OrchestratorParts {
        inputs: vec![link_end],
        outputs: Outputs { critical, market },
        version: Arc::clone(&version),
        merge: Arc::clone(&merge),
        merge_places: SMALL,
        clock: clock.clone(),
        stop: stop.clone(),
        closing: Closing::default(),
    });
    let (mut links, mut consumers, mut orders, mut terms) = (vec![], vec![], vec![], vec![]);
    let mut control = vec![];
    let asks = Asks::default();
    for (index, (pair, strategy)) in pairs.into_iter().zip(strategies).enumerate() {
        let (order, order_end) = make("orders", small);
        let (command, command_end) = make("control", small);
        let handled = Terms::new();
        terms.push([Arc::clone(&pair.link.terms), Arc::clone(&handled)]);
        orders.push(order_end);
        control.push(command_end);
        let accept_from = pair.link.accept_from.clone();
        links.push(pair.link);
        let context = ContextParts {
            consumer: ConsumerId(index as u16),
            clock: clock.clone(),
            ledger: ledger(&instruments),
            instruments: Arc::clone(&instruments),
            orders: order,
            control: command,
            switch: TradingSwitch::new(true),
            limits: RiskLimits {
                max_orders_per_s: u32::MAX,
                max_open_orders: open_orders_max,
                ..RiskLimits::default()
            },
        };
        let name = format!("consumer {index}");
        let wiring = ConsumerWiring {
            critical: pair.critical,
            market: pair.market,
            context,
            terms: handled,
            probe: size.consumer_probe(&name, fanout_every, &asks),
            to_log: Arc::new(Exchange::new()),
            accept_from,
            quarantine: Quarantine::default(),
            letters: letter_lane("consumer", size.letters()).0,
            stop: stop.clone(),
            closing: Closing::default(),
        };
        let options = ConsumerOptions {
            name,
            strategy,
            batch,
            batch_ns: u64::MAX,
            failures_max: u64::MAX,
            failures_kept: 16,
            skips: false,
            faults: ConsumerFaults::default(),
        };
        consumers.push(ConsumerAgent::new(options, wiring));
    }
    let dispatcher = DispatcherAgent::new(DispatcherParts {
        critical: critical_end,
        market: market_end,
        sequencer: Sequencer::new(&SequencerOptions::default()),
        links,
        table,
        version,
        quarantine: Quarantine::default(),
        flips: Arc::default(),
        notices: None,
        clock,
        probe: size.probe(DispatcherAgent::probe_names()),
        letters,
        stop: stop.clone(),
        closing: Closing::default(),
    });
    Stages {
        link,
        orchestrator,
        dispatcher,
        consumers,
        orders,
        control,
        terms,
        stop,
        letters: letters_end,
        merge,
    }
}

/// Puts a dispatcher between its input lane and `consumers` raw lanes.
#[must_use]
pub fn bare_dispatcher(
    consumers: usize,
    instruments: &Instruments,
    clock: Clock,
    dispatch_slots: usize,
    market_slots: usize,
) -> BareDispatcher {
    let interests = (0..consumers).map(|_| crate::event::Interest::ALL);
    let instruments = Arc::new(instruments.clone());
    let (pairs, table) = fan_out(interests, &instruments, market_slots, SMALL);
    let (critical_in, critical_end) = make("dispatch:critical", SMALL);
    let (input, market_end) = make("dispatch:market", dispatch_slots);
    let (letters, letters_end) = letter_lane("dispatcher", SMALL);
    let (mut links, mut market, mut critical, mut terms) = (vec![], vec![], vec![], vec![]);
    for pair in pairs {
        terms.push(Arc::clone(&pair.link.terms));
        links.push(pair.link);
        market.push(pair.market);
        critical.push(pair.critical);
    }
    let dispatcher = DispatcherAgent::new(DispatcherParts {
        critical: critical_end,
        market: market_end,
        sequencer: Sequencer::new(&SequencerOptions::default()),
        links,
        table,
        version: Arc::new(AtomicU32::new(1)),
        quarantine: Quarantine::default(),
        flips: Arc::default(),
        notices: None,
        clock,
        probe: Probe::new(DispatcherAgent::probe_names()),
        letters,
        stop: StopSignal::default(),
        closing: Closing::default(),
    });
    let rest = BareEnds { _critical_in: critical_in, _critical: critical, _letters: letters_end };
    BareDispatcher { input, dispatcher, market, terms, rest }
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
}

/// The books of a strategy at one venue.
fn ledger(instruments: &Instruments) -> Ledger {
    Ledger::new(TradingBoard::new(instruments.len(), 1), instruments, 1)
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
    let slots = size.small();
    let (market, market_end) = make("market", slots);
    let (critical, critical_end) = make("critical", slots);
    let (orders, orders_end) = make("orders", slots);
    let (control, control_end) = make("control", slots);
    let context = ContextParts {
        consumer: ConsumerId(0),
        clock,
        ledger: ledger(&instruments),
        instruments,
        orders,
        control,
        switch: TradingSwitch::new(true),
        limits,
    };
    let wiring = ConsumerWiring {
        critical: critical_end,
        market: market_end,
        context,
        terms: Terms::new(),
        probe: size.consumer_probe("consumer", 0, &Asks::default()),
        to_log: Arc::new(Exchange::new()),
        accept_from: AcceptFrom::default(),
        quarantine: Quarantine::default(),
        letters: letter_lane("consumer", size.letters()).0,
        stop: StopSignal::default(),
        closing: Closing::default(),
    };
    let options = ConsumerOptions {
        name: "consumer".to_owned(),
        strategy,
        batch: 16,
        batch_ns: u64::MAX,
        failures_max: u64::MAX,
        failures_kept: 16,
        skips: false,
        faults: ConsumerFaults::default(),
    };
    let mut agent = ConsumerAgent::new(options, wiring);
    agent.duty_cycle();
    BareConsumer { market, critical, orders: orders_end, control: control_end, agent }
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
