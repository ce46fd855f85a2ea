//! The one place where lanes, cells and agents are made and tied together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize};

use pitlane_ring::{
    Consumer, CriticalPublisher, Exchange, LaneOptions, MarketPublisher, Publisher, Record,
    SharedCursors, lane, lane_beside, lane_staged_beside,
};

use super::plan::{ConsumerPlan, PipelinePlan, Size};
use super::states::States;
use super::{Closings, ConsumerCounters, Readings};
use crate::consumer::{
    CONSUMER_LETTER_SLOTS, ConsumerAgent, ConsumerWiring, ContextParts, ControlCommand,
    FailureRecord,
};
use crate::dispatcher::sequencing::Sequencer;
use crate::dispatcher::{
    AcceptFrom, ConsumerLink, DispatcherAgent, DispatcherInputs, Fanout, FanoutParts, FlipPort,
    RouteBook, RouteKey, RoutingTable, Subscription, routes_of,
};
use crate::event::{ConsumerId, Event, Interest};
use crate::journal::{ControlRecord, JournalTap, JournalWriter, SavedState, StatePort};
use crate::orchestrator::Orchestrator;
use crate::orchestrator::merge::MergePort;
use crate::order::order_log::{ORDER_LOG_SLOTS, OrderLogSender, OrderLogSource, order_log_lane};
use crate::order::recovery::StrategyBooks;
use crate::order::trading::{Marks, TradingReader};
use crate::order::{
    GatewayAgent, GatewayEnds, GatewayJournal, OrderCommand, OrderLane, first_order_id,
};
use crate::risk::RiskBook;
use crate::runtime::{Clock, GuardedConsumer, StallBook, StopSignal};
use crate::safety::{Quarantine, TradingSwitch};
use crate::telemetry::{
    Asks, ConsumerProbe, DISPATCHER, HistogramSet, LetterSender, LetterSource, Probe, ProbeLink,
    Terms, letter_lane,
};

/// Control commands of one strategy that may wait for the controller's next look.
const CONTROL_SLOTS: usize = 64;
/// Words on orders on their way to the journal: ten times what one look of the dispatcher finds.
pub(crate) const WORD_SLOTS: usize = 512;
/// Answers on their way to strategies: as many as there can be commands in a few lanes.
const ANSWER_SLOTS: usize = 256;

/// Market events given up by full queues that wait for the way to the dead letters.
const LETTERS_WAITING: usize = 256;

/// Operators' commands on their way to the journal: a client may send a hundred a second.
const COMMAND_SLOTS: usize = 256;

/// Ends of the ways of words and of commands to the journal.
type JournalWays = (Consumer<Event>, Consumer<crate::journal::ControlCommand>);

/// A link and the spare set of a probe.
type ProbeEnd = (Arc<ProbeLink>, Box<HistogramSet>);

/// Makes the parts of an engine, and keeps the other end of each for who reads or stops it.
pub(crate) struct Builder {
    pub(crate) clock: Clock,
    pub(crate) stop: StopSignal,
    pub(crate) switch: TradingSwitch,
    pub(crate) quarantine: Quarantine,
    pub(crate) risk: Arc<RiskBook>,
    pub(crate) readings: Readings,
    pub(crate) closings: Closings,
    pub(crate) probes: Vec<ProbeEnd>,
    pub(crate) letters: Vec<LetterSource>,
    /// By consumer, where the first failure of a site is left for the log.
    pub(crate) failures: Vec<Arc<Exchange<FailureRecord>>>,
    /// By consumer, the ends of their lanes of notes on orders.
    pub(crate) order_logs: Vec<OrderLogSource>,
    has_order_log: bool,
    /// What is recorded, and the ways of words and commands there; taken by the gateway.
    journal: Option<(JournalWriter, JournalWays)>,
    /// Number of this start in its journal.
    epoch: u64,
    /// By consumer, what earlier starts have left it, until it is made.
    books: Vec<Option<StrategyBooks>>,
    /// The dispatcher's end of the words' way.
    tap: Option<JournalTap>,
    states: Option<States>,
    /// The desk's end of the commands' way.
    pub(crate) control_record: Option<ControlRecord>,
    /// Of all consumers' probes.
    asks: Asks,
    size: Size,
}

/// The stages between the venues' links and the callbacks.
pub(crate) struct Pipeline {
    /// With the orchestrator, which it drives.
    pub(crate) dispatcher: DispatcherAgent,
    pub(crate) consumers: Vec<ConsumerAgent>,
    /// By consumer, what the watchdog has to know.
    pub(crate) guarded: Vec<GuardedConsumer>,
    /// By consumer, the ends of their order lanes.
    pub(crate) orders: Vec<OrderLane>,
    /// By consumer, the ends of their control lanes.
    pub(crate) control: Vec<Consumer<ControlCommand>>,
    pub(crate) routing: RoutingEnds,
}

/// What the owner of the routes works on.
pub(crate) struct RoutingEnds {
    pub(crate) routes: BTreeSet<RouteKey>,
    pub(crate) book: RouteBook,
    /// By consumer, what its strategy can take.
    pub(crate) interests: Vec<Interest>,
    /// Stamped by the orchestrator; the dispatcher owns it.
    pub(crate) version: Arc<AtomicU32>,
    /// Where merge rules are staged.
    pub(crate) merge: Arc<MergePort>,
    /// Where tables are staged.
    pub(crate) flips: Arc<FlipPort>,
    /// Answers to control commands, on their way to strategies.
    pub(crate) notices: Publisher<Event>,
}

/// The engine's ends of one consumer's lanes.
pub(crate) struct EngineEnds {
    pub(crate) market: Publisher<Event>,
    pub(crate) critical: Publisher<Event>,
    pub(crate) orders: OrderLane,
    pub(crate) control: Consumer<ControlCommand>,
}

/// Its own ends.
pub(crate) struct ConsumerEnds {
    pub(crate) market: Consumer<Event>,
    pub(crate) critical: Consumer<Event>,
    orders: Publisher<OrderCommand>,
    control: Publisher<ControlCommand>,
}

/// Where the lanes of the consumers of one thread have their cursors: each lane of one kind runs
/// between this thread and the same other one.
#[derive(Default)]
pub(crate) struct ThreadCursors {
    market: SharedCursors,
    critical: SharedCursors,
    orders: SharedCursors,
}

/// What lies between the dispatcher and the consumers.
pub(crate) struct FanOut {
    routes: BTreeSet<RouteKey>,
    book: RouteBook,
    table: RoutingTable,
    links: Vec<ConsumerLink>,
    accept_from: Vec<AcceptFrom>,
    pub(crate) consumers: Vec<ConsumerEnds>,
    orders: Vec<OrderLane>,
    control: Vec<Consumer<ControlCommand>>,
}

impl Builder {
    pub(crate) fn new(
        clock: Clock,
        plan: &PipelinePlan,
        switch: TradingSwitch,
        quarantine: Quarantine,
    ) -> Builder {
        let instruments = Arc::clone(&plan.instruments);
        let trading = TradingReader {
            strategies: Vec::new(),
            marks: Marks::new(instruments.len(), plan.venues.len()),
            venues: plan.venues.clone(),
            instruments: Arc::clone(&instruments),
        };
        let strategies: Vec<_> = (plan.consumers.iter())
            .map(|consumer| (consumer.options.name.as_str(), &consumer.limits))
            .collect();
        let (shared, marks) = (&plan.risk, &trading.marks);
        let risk = RiskBook::new(&strategies, shared, &plan.venues, &instruments, marks);
        Builder {
            clock,
            stop: StopSignal::default(),
            switch,
            quarantine,
            risk: Arc::new(risk),
            readings: Readings { instruments, trading, ..Readings::default() },
            closings: Closings::default(),
            probes: Vec::new(),
            letters: Vec::new(),
            failures: Vec::new(),
            order_logs: Vec::new(),
            has_order_log: plan.has_order_log,
            journal: None,
            epoch: 1,
            books: Vec::new(),
            tap: None,
            states: None,
            control_record: None,
            asks: Asks::default(),
            size: Size::Full,
        }
    }

    /// One that makes small parts for this purpose.
    pub(crate) fn sized(mut self, size: Size) -> Builder {
        self.size = size;
        self
    }

    /// Has orders and the words on them recorded. To be called before the stages are built.
    pub(crate) fn record_in(&mut self, writer: JournalWriter) {
        let (words, words_end) = self.lane("journal:words", WORD_SLOTS);
        let (commands, commands_end) = self.lane("journal:commands", COMMAND_SLOTS);
        self.tap = Some(JournalTap::new(words, writer.health().clone()));
        self.control_record = Some(ControlRecord::new(commands, writer.health().clone()));
        self.epoch = writer.epoch();
        self.journal = Some((writer, (words_end, commands_end)));
    }

    /// Has strategies save their states, and restore these, by their numbers. To be called before
    /// the stages are built.
    pub(crate) fn save_states(&mut self, restores: Vec<Option<SavedState>>, interval_ns: u64) {
        self.states = Some(States { restores, interval_ns, ports: Vec::new() });
    }

    /// Where strategies leave their states, by their names. To be called when the stages are built.
    pub(crate) fn state_ports(&mut self) -> Vec<(String, Arc<StatePort>)> {
        self.states.as_mut().map(|of| std::mem::take(&mut of.ports)).unwrap_or_default()
    }

    /// Has the strategies begin with these books, by their numbers. To be called before the stages
    /// are built.
    pub(crate) fn begin_with(&mut self, books: Vec<StrategyBooks>) {
        self.books = books.into_iter().map(Some).collect();
    }

    /// A lane, whose fill is read from now on.
    pub(crate) fn lane<E: Record>(
        &mut self,
        name: impl Into<String>,
        capacity: usize,
    ) -> (Publisher<E>, Consumer<E>) {
        let ends = lane(LaneOptions { name: name.into(), capacity });
        self.readings.lanes.push(ends.0.gauge());
        ends
    }

    fn lane_beside<E: Record>(
        &mut self,
        name: String,
        capacity: usize,
        cursors: &mut SharedCursors,
    ) -> (Publisher<E>, Consumer<E>) {
        let ends = lane_beside(LaneOptions { name, capacity }, cursors);
        self.readings.lanes.push(ends.0.gauge());
        ends
    }

    /// A lane for dead letters.
    pub(crate) fn letters(&mut self, session: &str, slots: usize) -> LetterSender {
        let (letters, letters_end) = letter_lane(session, self.size.at_most(slots));
        self.readings.letters.push(letters.counts());
        self.letters.push(letters_end);
        letters
    }

    /// A probe, whose histograms are collected from now on.
    pub(crate) fn probe(&mut self, names: Vec<String>) -> Probe {
        let probe = match self.size {
            Size::Full => Probe::new(names),
            Size::Rehearsal => Probe::new(names).coarse(),
        };
        self.probes.push(probe.link());
        probe
    }

    fn consumer_probe(&mut self, name: &str, fanout_every: u64) -> ConsumerProbe {
        let probe = ConsumerProbe::new(name, fanout_every, &self.asks);
        let probe = match self.size {
            Size::Full => probe,
            Size::Rehearsal => probe.coarse(),
        };
        self.probes.push(probe.link());
        probe
    }

    /// Makes the stages behind the venues' links, those first that go first.
    pub(crate) fn build(&mut self, plan: PipelinePlan, links: Vec<Consumer<Event>>) -> Pipeline {
        let (notices, notices_end) = self.lane("control:answers", self.size.at_most(ANSWER_SLOTS));
        let merge = Arc::<MergePort>::default();
        let (version, flips) = (Arc::new(AtomicU32::new(1)), Arc::<FlipPort>::default());
        let orchestrator = Orchestrator::new(links, Arc::clone(&merge), plan.merge_places);
        self.readings.pools.push(orchestrator.pool_gauge());
        let inputs = DispatcherInputs { orchestrator, notices: notices_end };
        let mut fan_out = self.fan_out(&plan);
        let dispatcher = self.dispatcher(&plan, inputs, (&version, &flips), &mut fan_out);
        let FanOut { routes, book, accept_from, consumers: ends, orders, control, .. } = fan_out;
        let (mut consumers, mut guarded, mut interests) = (Vec::new(), Vec::new(), Vec::new());
        for ((consumer, ends), accept_from) in plan.consumers.into_iter().zip(ends).zip(accept_from)
        {
            interests.push(consumer.options.strategy.interest());
            guarded.push(self.guarded(&consumer));
            consumers.push(self.consumer(consumer, plan.fanout_every, ends, accept_from));
        }
        let routing = RoutingEnds { routes, book, interests, version, merge, flips, notices };
        Pipeline { dispatcher, consumers, guarded, orders, control, routing }
    }

    /// Makes the gateway from the order lanes to the sessions: by venue, `None` for one without. A
    /// command that it refuses is answered through `answers`.
    pub(crate) fn gateway(
        &mut self,
        orders: Vec<OrderLane>,
        sessions: Vec<Option<Publisher<OrderCommand>>>,
        answers: Publisher<Event>,
        sessions_open: Arc<AtomicUsize>,
    ) -> GatewayAgent {
        let lanes = orders.len();
        let journal = self
            .journal
            .take()
            .map(|(writer, ways)| GatewayJournal::new(writer, ways, lanes, self.clock.clone()));
        GatewayAgent::new(GatewayEnds {
            inputs: orders,
            journal,
            journal_closing: self.closings.journal.clone(),
            outputs: sessions,
            answers: Some(answers),
            switch: self.switch.clone(),
            quarantine: self.quarantine.clone(),
            sessions_open,
            stop: self.stop.clone(),
            clock: self.clock.clone(),
            heartbeat: self.readings.heartbeat.clone(),
            closing: self.closings.gateway.clone(),
        })
    }

    /// Makes routes, cells and lanes of all consumers.
    pub(crate) fn fan_out(&mut self, plan: &PipelinePlan) -> FanOut {
        let subscriptions: Vec<Subscription> =
            plan.consumers.iter().map(|consumer| consumer.subscription.clone()).collect();
        let mut book =
            RouteBook::new(subscriptions.len(), plan.venues.len(), Arc::clone(&plan.instruments));
        let routes: BTreeSet<_> = routes_of(&subscriptions, plan.venues.len()).collect();
        routes.iter().for_each(|route| {
            book.add(*route);
        });
        let table = book.table(&routes);
        let mut fan_out = FanOut {
            routes,
            book,
            table,
            links: Vec::new(),
            accept_from: AcceptFrom::of_each(plan.consumers.len()).collect(),
            consumers: Vec::new(),
            orders: Vec::new(),
            control: Vec::new(),
        };
        let mut cursors: Vec<_> = (0..plan.threads).map(|_| ThreadCursors::default()).collect();
        for (index, consumer) in plan.consumers.iter().enumerate() {
            let (engine, own) = self.consumer_lanes(plan, consumer, &mut cursors[consumer.thread]);
            let id = ConsumerId(index as u16);
            fan_out.links.push(ConsumerLink::new(
                id,
                MarketPublisher::new(engine.market, fan_out.book.cells(id)),
                CriticalPublisher::new(engine.critical, plan.lanes.spill),
                Arc::clone(&self.readings.consumers[index].published),
                fan_out.accept_from[index].clone(),
                consumer.options.skips,
            ));
            fan_out.consumers.push(own);
            fan_out.orders.push(engine.orders);
            fan_out.control.push(engine.control);
        }
        fan_out
    }

    /// Makes the four lanes of the next consumer, and its counters.
    pub(crate) fn consumer_lanes(
        &mut self,
        plan: &PipelinePlan,
        consumer: &ConsumerPlan,
        cursors: &mut ThreadCursors,
    ) -> (EngineEnds, ConsumerEnds) {
        let (lanes, name) = (&plan.lanes, &consumer.options.name);
        let of = |kind: &str| format!("{name}:{kind}");
        let (market, market_end) =
            self.lane_beside(of("market"), lanes.market, &mut cursors.market);
        let (critical, critical_end) =
            self.lane_beside(of("critical"), lanes.critical, &mut cursors.critical);
        let (order, orders) = self.order_lane(of("orders"), lanes.order, &mut cursors.orders);
        let (command, control) = self.lane(of("control"), self.size.at_most(CONTROL_SLOTS));
        self.readings.consumers.push(ConsumerCounters {
            name: name.clone(),
            published: Terms::new(),
            handled: Terms::new(),
            stalls: StallBook::new(),
        });
        (
            EngineEnds { market, critical, orders, control },
            ConsumerEnds {
                market: market_end,
                critical: critical_end,
                orders: order,
                control: command,
            },
        )
    }

    /// An order lane, with a stage for the journal where there is one.
    fn order_lane(
        &mut self,
        name: String,
        capacity: usize,
        cursors: &mut SharedCursors,
    ) -> (Publisher<OrderCommand>, OrderLane) {
        if self.journal.is_none() {
            let (orders, commands) = self.lane_beside(name, capacity, cursors);
            return (orders, OrderLane { stage: None, commands });
        }
        let options = LaneOptions { name, capacity };
        let (orders, stage, commands) = lane_staged_beside(options, cursors);
        self.readings.lanes.push(orders.gauge());
        (orders, OrderLane { stage: Some(stage), commands })
    }

    /// Makes the dispatcher; the links are taken out of the fan-out.
    pub(crate) fn dispatcher(
        &mut self,
        plan: &PipelinePlan,
        inputs: DispatcherInputs,
        (version, flips): (&Arc<AtomicU32>, &Arc<FlipPort>),
        fan_out: &mut FanOut,
    ) -> DispatcherAgent {
        let sequencer = Sequencer::new(&plan.streams);
        self.readings.pools.push(sequencer.gauge());
        self.readings.streams = sequencer.stats();
        let parts = FanoutParts {
            links: std::mem::take(&mut fan_out.links),
            table: std::mem::take(&mut fan_out.table),
            version: Arc::clone(version),
            quarantine: self.quarantine.clone(),
            clock: self.clock.clone(),
            probe: self.probe(DispatcherAgent::probe_names()),
            letters: self.letters(DISPATCHER, plan.lanes.dead_letter).with_waiting(LETTERS_WAITING),
            tap: self.tap.take(),
        };
        let fanout = Fanout::new(parts, sequencer.dimensions());
        let (stop, closing) = (self.stop.clone(), self.closings.dispatcher.clone());
        DispatcherAgent::new(inputs, sequencer, fanout, Arc::clone(flips), stop, closing)
    }

    fn guarded(&self, consumer: &ConsumerPlan) -> GuardedConsumer {
        let id = consumer.subscription.consumer;
        let counters = &self.readings.consumers[id.index()];
        GuardedConsumer {
            id,
            name: counters.name.clone(),
            budget_ns: consumer.budget_ns,
            stalls: Arc::clone(&counters.stalls),
            published: Arc::clone(&counters.published),
        }
    }

    /// Where a strategy leaves notes for the files of orders and fills.
    fn order_log(&mut self, name: &str) -> OrderLogSender {
        if !self.has_order_log {
            return OrderLogSender::none();
        }
        let (sender, source) =
            order_log_lane(self.lane(format!("log:orders:{name}"), ORDER_LOG_SLOTS));
        self.order_logs.push(source);
        sender
    }

    /// Makes a consumer whose lanes were made before.
    pub(crate) fn consumer(
        &mut self,
        plan: ConsumerPlan,
        fanout_every: u64,
        ends: ConsumerEnds,
        accept_from: AcceptFrom,
    ) -> ConsumerAgent {
        let (consumer, name) = (plan.subscription.consumer, &plan.options.name);
        let to_log = Arc::new(Exchange::new());
        self.failures.push(Arc::clone(&to_log));
        let (instruments, venues) =
            (&self.readings.instruments, self.readings.trading.venues.len());
        let books = match self.books.get_mut(consumer.index()).and_then(Option::take) {
            Some(books) => books,
            None => {
                let ids_max = plan.options.strategy.remembers_ids();
                StrategyBooks::new(plan.limits.max_open_orders, ids_max, instruments, venues)
            }
        };
        self.readings.trading.strategies.push((name.clone(), books.board));
        let (saver, restores) = match &mut self.states {
            Some(states) => states.of(consumer, &plan.options),
            None => (None, None),
        };
        let context = ContextParts {
            consumer,
            clock: self.clock.clone(),
            instruments: Arc::clone(&self.readings.instruments),
            orders: ends.orders,
            control: ends.control,
            switch: self.switch.clone(),
            limits: plan.limits,
            tracker: books.tracker,
            ledger: books.ledger,
            own_ids: books.own_ids,
            risk: Arc::clone(&self.risk),
            quarantine: self.quarantine.clone(),
            order_log: self.order_log(name),
            first_order_id: first_order_id(self.epoch),
        };
        let wiring = ConsumerWiring {
            critical: ends.critical,
            market: ends.market,
            context,
            saver,
            restores,
            terms: Arc::clone(&self.readings.consumers[consumer.index()].handled),
            probe: self.consumer_probe(name, fanout_every),
            to_log,
            accept_from,
            quarantine: self.quarantine.clone(),
            letters: self.letters(&format!("consumer:{name}"), CONSUMER_LETTER_SLOTS),
            stop: self.stop.clone(),
            closing: self.closings.consumer(),
        };
        ConsumerAgent::new(plan.options, wiring)
    }
}
