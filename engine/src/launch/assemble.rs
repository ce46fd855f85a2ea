//! From a configuration to running cores.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use pitlane_ring::{
    Consumer, CriticalPublisher, Exchange, LaneOptions, MarketPublisher, Publisher, Record,
    SharedCursors, lane, lane_beside,
};

use super::engine::Engine;
use super::options::{EmbeddedVenue, LaunchError, LaunchOptions};
use super::venue_threads::VenueThreads;
use crate::config::{Config, OnFlip};
use crate::consumer::{
    CONSUMER_LETTER_SLOTS, ConsumerAgent, ConsumerFaults, ConsumerOptions, ConsumerWiring,
    ContextParts, ControlCommand, FailureRecord, RiskLimits, Strategy, StrategyRegistry,
    install_panic_hook,
};
use crate::control::{Catalogue, Flips, FlipsParts, Routes, RoutesParts};
use crate::dispatcher::order::{Sequencer, SequencerOptions};
use crate::dispatcher::{
    AcceptFrom, DispatcherAgent, DispatcherParts, FlipPort, LinkParts, RouteBook, Subscription,
    routes_of,
};
use crate::event::{ConsumerId, Event, EventKind, InstrumentId, Interest};
use crate::instrument::Instruments;
use crate::orchestrator::merge::MergePort;
use crate::orchestrator::{OrchestratorAgent, OrchestratorParts, Outputs};
use crate::order::trading::{Ledger, Marks, TradingBoard, TradingReader};
use crate::order::{GatewayAgent, GatewayParts, OrderCommand};
use crate::pipeline::{Closings, ConsumerCounters, Readings};
use crate::runtime::{
    Agent, AgentRole, AlonePlaces, Clock, CoreParking, CorePlan, CoreWakers, GuardedConsumer,
    HostCores, StallBook, StopSignal, YieldBan,
};
use crate::safety::{Quarantine, TradingSwitch};
use crate::telemetry::{
    Asks, ConsumerProbe, HistogramSet, LetterSender, LetterSource, Probe, ProbeLink, Terms,
    install_logger, letter_lane,
};
use crate::venue::market::StreamPort;
use crate::venue::registry::VenueKind;
use crate::venue::{LaneOutlet, SyntheticVenue};
use crate::world::World;

/// A batch of callbacks ends when this part of the stall budget is over.
const BATCHES_IN_BUDGET: u64 = 4;

/// Starts the engine.
///
/// # Errors
/// [`LaunchError`] says what was wrong; nothing is left running.
pub fn launch(config: Config, registry: &StrategyRegistry) -> Result<Engine, LaunchError> {
    launch_with(config, registry, LaunchOptions::default())
}

/// [`launch`] with options.
///
/// # Errors
/// As [`launch`].
pub fn launch_with(
    config: Config,
    registry: &StrategyRegistry,
    mut options: LaunchOptions,
) -> Result<Engine, LaunchError> {
    install_logger();
    install_panic_hook();
    // Listed before anything is pinned: afterwards a thread sees its own core only.
    let plan = CorePlan::make(&config, &HostCores::read())?;
    let strategies = strategies(&config, registry)?;
    let world = World::real().map_err(LaunchError::World)?;
    let mut assembly = Assembly::new(&config, world, strategies, &plan)?;
    if let Some(recorded) = options.recorded.take() {
        assembly.threads.play(recorded);
    }
    match assembly.build(&options) {
        Ok(flips) => assembly.start(plan, flips, &options),
        Err(error) => {
            let _failures_of_the_failed_start =
                assembly.threads.stop(Duration::from_millis(config.session.rest_ms));
            Err(error)
        }
    }
}

/// Constructs every consumer's strategy; the first that can't be is an error at its key.
pub(super) fn strategies(
    config: &Config,
    registry: &StrategyRegistry,
) -> Result<Vec<Box<dyn Strategy>>, LaunchError> {
    let construct = |(index, consumer): (usize, &crate::config::ConsumerConfig)| {
        let names = registry.names().collect::<Vec<_>>().join(", ");
        match registry.construct(&consumer.strategy, &consumer.params) {
            Some(Ok(strategy)) => Ok(strategy),
            Some(Err(problem)) => {
                let key = format!("consumer[{index}].params");
                Err(config.error_at(&key, &problem, "what the strategy documents").into())
            }
            None => {
                let key = format!("consumer[{index}].strategy");
                let problem = format!("no strategy {:?} is compiled in", consumer.strategy);
                Err(config.error_at(&key, &problem, &names).into())
            }
        }
    };
    config.consumers.iter().enumerate().map(construct).collect()
}

/// Control commands of one strategy that may wait for the controller's next look.
const CONTROL_SLOTS: usize = 64;

/// Answers on their way to strategies: as many as there can be commands in a few lanes.
const ANSWER_SLOTS: usize = 256;

/// A link and the spare set of a probe.
type ProbeEnd = (Arc<ProbeLink>, Box<HistogramSet>);

/// What comes to the dispatcher.
struct Inputs {
    critical: Consumer<Event>,
    market: Consumer<Event>,
    version: Arc<AtomicU32>,
    flips: Arc<FlipPort>,
}

/// One consumer's ends of its lanes.
struct ConsumerEnds {
    critical: Consumer<Event>,
    market: Consumer<Event>,
    order: Publisher<OrderCommand>,
    control: Publisher<ControlCommand>,
}

/// Where the lanes of the consumers of one planned thread have their cursors: each lane of one kind
/// runs between this thread and the same other one.
#[derive(Default)]
struct ThreadCursors {
    market: SharedCursors,
    critical: SharedCursors,
    orders: SharedCursors,
}

/// Everything on its way to becoming an engine.
pub(super) struct Assembly<'c> {
    pub(super) config: &'c Config,
    pub(super) world: World,
    pub(super) clock: Clock,
    pub(super) stop: StopSignal,
    pub(super) switch: TradingSwitch,
    pub(super) instruments: Arc<Instruments>,
    pub(super) strategies: Vec<Box<dyn Strategy>>,
    pub(super) agents: Vec<(AgentRole, Box<dyn Agent>)>,
    /// Those that belong on no core, in a world where they have no thread of their own.
    pub(super) beside: Vec<Box<dyn Agent>>,
    /// Venues, in such a world.
    pub(super) peers: Vec<Box<dyn Agent>>,
    pub(super) probes: Vec<ProbeEnd>,
    /// Of all consumers' probes.
    asks: Asks,
    pub(super) letters: Vec<LetterSource>,
    pub(super) failures: Vec<Arc<Exchange<FailureRecord>>>,
    pub(super) readings: Readings,
    pub(super) closings: Closings,
    pub(super) threads: VenueThreads,
    /// In the order of the plan's cores.
    pub(super) parking: Vec<CoreParking>,
    pub(super) alone: AlonePlaces,
    pub(super) yield_ban: YieldBan,
    pub(super) wakers: CoreWakers,
    pub(super) quarantine: Quarantine,
    /// By consumer, with its role's place in the plan.
    pub(super) guarded: Vec<GuardedConsumer>,
    /// By consumer, the ends of their control lanes.
    pub(super) control: Vec<Consumer<ControlCommand>>,
    /// By venue, where its market session is asked for more streams.
    pub(super) stream_ports: Vec<Vec<Arc<StreamPort>>>,
    /// Sessions beyond the two that every venue has.
    pub(super) extra_sessions: usize,
    /// Where the orchestrator's merge rules come from.
    pub(super) merge: Arc<MergePort>,
    /// By consumer, the place of its thread in the plan.
    threads_of_consumers: Vec<usize>,
    /// In the order of the plan's cores.
    cursors: Vec<ThreadCursors>,
}

impl<'c> Assembly<'c> {
    pub(super) fn new(
        config: &'c Config,
        world: World,
        strategies: Vec<Box<dyn Strategy>>,
        plan: &CorePlan,
    ) -> Result<Assembly<'c>, LaunchError> {
        let idles = plan.cores.iter().map(|core| core.idle);
        let consumers = config.consumers.len();
        let (parking, alone, wakers) = CoreParking::of_cores(idles, consumers)
            .map_err(|source| LaunchError::Thread { name: "(pollers)".to_owned(), source })?;
        let specs = config.instruments.iter().filter_map(|entry| entry.spec()).collect();
        let instruments = Arc::new(Instruments::new(specs)?);
        Ok(Assembly {
            config,
            clock: world.clock.clone(),
            world,
            stop: StopSignal::default(),
            switch: TradingSwitch::new(config.risk.trading),
            readings: Readings {
                instruments: Arc::clone(&instruments),
                trading: TradingReader {
                    strategies: Vec::new(),
                    marks: Marks::new(instruments.len(), config.venue_names().len()),
                    venues: config.venue_names(),
                    instruments: Arc::clone(&instruments),
                },
                ..Readings::default()
            },
            closings: Closings::default(),
            instruments,
            strategies,
            agents: Vec::new(),
            beside: Vec::new(),
            peers: Vec::new(),
            probes: Vec::new(),
            asks: Asks::default(),
            letters: Vec::new(),
            failures: Vec::new(),
            threads: VenueThreads::default(),
            parking,
            alone,
            yield_ban: YieldBan::default(),
            wakers,
            quarantine: Quarantine::new(consumers, config.risk.cancel_on_quarantine),
            guarded: Vec::new(),
            control: Vec::new(),
            stream_ports: Vec::new(),
            extra_sessions: 0,
            merge: Arc::default(),
            threads_of_consumers: (0..consumers).map(|index| plan.thread_of(index)).collect(),
            cursors: plan.cores.iter().map(|_| ThreadCursors::default()).collect(),
        })
    }

    pub(super) fn lane<E: Record>(
        &mut self,
        name: String,
        capacity: usize,
    ) -> (Publisher<E>, Consumer<E>) {
        self.shown(lane(LaneOptions { name, capacity }))
    }

    /// A lane of a consumer, beside those of the others on its thread.
    fn lane_of<E: Record>(
        &mut self,
        consumer: usize,
        cursors: impl FnOnce(&mut ThreadCursors) -> &mut SharedCursors,
        kind: &str,
        capacity: usize,
    ) -> (Publisher<E>, Consumer<E>) {
        let name = format!("{}:{kind}", self.config.consumers[consumer].name);
        let shared = cursors(&mut self.cursors[self.threads_of_consumers[consumer]]);
        let ends = lane_beside(LaneOptions { name, capacity }, shared);
        self.shown(ends)
    }

    fn shown<E: Record>(
        &mut self,
        ends: (Publisher<E>, Consumer<E>),
    ) -> (Publisher<E>, Consumer<E>) {
        self.readings.lanes.push(ends.0.gauge());
        ends
    }

    pub(super) fn consumer_names(&self) -> Vec<String> {
        self.config.consumers.iter().map(|consumer| consumer.name.clone()).collect()
    }

    /// Makes every lane and agent, from the sockets on.
    pub(super) fn build(&mut self, options: &LaunchOptions) -> Result<Flips, LaunchError> {
        let lanes = &self.config.lanes;
        let sessions_open = Arc::new(AtomicUsize::new(0));
        let (answers, answers_end) = self.lane("gateway>orchestrator".to_owned(), lanes.order);
        let mut inputs = vec![answers_end];
        let mut outputs = Vec::new();
        for ends in self.venues(options, &sessions_open)? {
            inputs.extend(ends.links);
            outputs.push(ends.commands);
        }
        let version = Arc::new(AtomicU32::new(1));
        let flips = Arc::<FlipPort>::default();
        let (critical, critical_end) = self.lane("dispatch:critical".to_owned(), lanes.dispatch);
        let (market, market_end) = self.lane("dispatch:market".to_owned(), lanes.dispatch);
        let orchestrator = OrchestratorAgent::new(OrchestratorParts {
            inputs,
            outputs: Outputs { critical, market },
            version: Arc::clone(&version),
            merge: Arc::clone(&self.merge),
            merge_places: self.config.streams.merge_places,
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            closing: self.closings.orchestrator.clone(),
        });
        self.readings.pools.push(orchestrator.pool_gauge());
        self.agents.push((AgentRole::Orchestrator, Box::new(orchestrator)));
        let (orders, routes) = self.consumers_and_dispatcher(
            Inputs { critical: critical_end, market: market_end, version, flips },
            options,
        )?;
        let gateway = GatewayAgent::new(GatewayParts {
            inputs: orders,
            outputs,
            answers,
            switch: self.switch.clone(),
            quarantine: self.quarantine.clone(),
            sessions_open,
            stop: self.stop.clone(),
            clock: self.clock.clone(),
            closing: self.closings.gateway.clone(),
        });
        self.agents.push((AgentRole::Gateway, Box::new(gateway)));
        Ok(routes)
    }

    /// Makes the consumers with their lanes, and the dispatcher; returns the ends of the order
    /// lanes, and the owner of the routes.
    fn consumers_and_dispatcher(
        &mut self,
        inputs: Inputs,
        options: &LaunchOptions,
    ) -> Result<(Vec<Consumer<OrderCommand>>, Flips), LaunchError> {
        let LaunchOptions { embedded, faults, .. } = *options;
        let subscriptions = self.subscriptions();
        let venues = self.config.venue_names().len();
        let mut book = RouteBook::new(subscriptions.len(), venues, Arc::clone(&self.instruments));
        let routes: BTreeSet<_> = routes_of(&subscriptions, venues).collect();
        for route in &routes {
            book.add(*route);
        }
        let interests: Vec<_> =
            self.strategies.iter().map(|strategy| strategy.interest()).collect();
        let mut links = Vec::new();
        let mut orders = Vec::new();
        let strategies = std::mem::take(&mut self.strategies);
        let accept_from = AcceptFrom::of_each(strategies.len());
        for (index, (strategy, accept_from)) in strategies.into_iter().zip(accept_from).enumerate()
        {
            let planted = if index == 0 { faults } else { ConsumerFaults::default() };
            let name = self.config.consumers[index].name.clone();
            let lanes = &self.config.lanes;
            let (market, market_end) =
                self.lane_of(index, |cursors| &mut cursors.market, "market", lanes.market);
            let (critical, critical_end) =
                self.lane_of(index, |cursors| &mut cursors.critical, "critical", lanes.critical);
            let (order, order_end) =
                self.lane_of(index, |cursors| &mut cursors.orders, "orders", lanes.order);
            let (control, control_end) = self.lane(format!("{name}:control"), CONTROL_SLOTS);
            let published = Terms::new();
            links.push(LinkParts {
                market: MarketPublisher::new(market, book.cells(ConsumerId(index as u16))),
                critical: CriticalPublisher::new(critical, lanes.spill),
                terms: Arc::clone(&published),
                accept_from: accept_from.clone(),
                skips: self.config.consumers[index].on_flip == OnFlip::Skip,
                consumer: ConsumerId(index as u16),
            });
            let stalls = self.guard(index, &published);
            let ends = ConsumerEnds { critical: critical_end, market: market_end, order, control };
            let handled = self.consumer(index, strategy, ends, accept_from, planted);
            self.readings.consumers.push(ConsumerCounters { name, published, handled, stalls });
            orders.push(order_end);
            self.control.push(control_end);
        }
        let letters = self.letters("dispatcher", self.config.lanes.dead_letter);
        let probe = Probe::new(DispatcherAgent::probe_names());
        self.probes.push(probe.link());
        let (notices, notices_end) = self.lane("control:answers".to_owned(), ANSWER_SLOTS);
        let table = book.table(&routes);
        let consumers = interests.len();
        let shared = Routes::new(RoutesParts {
            routes,
            catalogue: Catalogue {
                interests,
                venues: self.config.venue_names(),
                instruments: self.instruments.len(),
            },
            merge: Arc::clone(&self.merge),
            version: Arc::clone(&inputs.version),
        });
        let flips = FlipsParts {
            book,
            streams: std::mem::take(&mut self.stream_ports),
            port: Arc::clone(&inputs.flips),
            notices,
            wakers: self.wakers.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
        };
        let owner = Flips::new(shared, flips, consumers);
        let sequencer = self.sequencer(embedded);
        let dispatcher = DispatcherAgent::new(DispatcherParts {
            critical: inputs.critical,
            market: inputs.market,
            sequencer,
            links,
            table,
            version: inputs.version,
            quarantine: self.quarantine.clone(),
            flips: inputs.flips,
            notices: Some(notices_end),
            clock: self.clock.clone(),
            probe,
            letters,
            stop: self.stop.clone(),
            closing: self.closings.dispatcher.clone(),
        });
        self.agents.push((AgentRole::Dispatcher, Box::new(dispatcher)));
        Ok((orders, owner))
    }

    /// A lane for dead letters.
    fn letters(&mut self, session: &str, slots: usize) -> LetterSender {
        let (letters, letters_end) = letter_lane(session, slots);
        self.readings.letters.push(letters.counts());
        self.letters.push(letters_end);
        letters
    }

    /// What the watchdog has to know of a consumer.
    fn guard(&mut self, index: usize, published: &Arc<CachePadded<Terms>>) -> Arc<StallBook> {
        let entry = &self.config.consumers[index];
        let stalls = StallBook::new();
        self.guarded.push(GuardedConsumer {
            id: ConsumerId(index as u16),
            name: entry.name.clone(),
            budget_ns: self.budget_ns(index),
            stalls: Arc::clone(&stalls),
            published: Arc::clone(published),
        });
        stalls
    }

    fn budget_ns(&self, index: usize) -> u64 {
        let own_ms = self.config.consumers[index].stall_budget_ms;
        own_ms.unwrap_or(self.config.engine.stall_budget_ms) * 1_000_000
    }

    /// What puts the streams of every venue in order, as its adapter declares them.
    fn sequencer(&mut self, embedded: EmbeddedVenue) -> Sequencer {
        let streams = &self.config.streams;
        let orders = |kind: &VenueKind| kind.stream_orders;
        let kinds = self.config.venues.iter().map(|venue| VenueKind::find(&venue.kind));
        let mut venues: Vec<_> =
            kinds.map(|kind| kind.map_or_else(Default::default, orders)).collect();
        let of_embedded = match embedded {
            EmbeddedVenue::Server => VenueKind::usual().stream_orders,
            EmbeddedVenue::Synthetic => SyntheticVenue::<LaneOutlet>::STREAM_ORDERS,
        };
        venues.resize(self.config.venue_names().len(), of_embedded);
        let sequencer = Sequencer::new(&SequencerOptions {
            venues,
            instruments: self.instruments.len(),
            lateness_ns: streams.lateness_ms * 1_000_000,
            max_buffered: streams.max_buffered,
            held_events: streams.held_events,
            flood_events_per_s: streams.flood_events_per_s,
            flood_burst: streams.flood_burst,
        });
        self.readings.pools.push(sequencer.gauge());
        self.readings.streams = sequencer.stats();
        sequencer
    }

    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        let all: Vec<InstrumentId> = self.instruments.iter().map(|(id, _)| id).collect();
        let subscription = |(index, strategy): (usize, &dyn Strategy)| {
            let entry = &self.config.consumers[index];
            let kinds = entry.kinds.as_ref().map_or(Interest::ALL, |names| {
                EventKind::ALL
                    .into_iter()
                    .filter(|kind| names.iter().any(|name| name == kind.name()))
                    .collect()
            });
            let listed = entry.instruments.iter().filter_map(|name| self.instruments.find(name));
            let instruments: Vec<InstrumentId> = listed.collect();
            Subscription {
                consumer: ConsumerId(index as u16),
                interest: strategy.interest().intersect(kinds),
                instruments: if instruments.is_empty() { all.clone() } else { instruments },
            }
        };
        self.strategies.iter().map(AsRef::as_ref).enumerate().map(subscription).collect()
    }

    fn consumer(
        &mut self,
        index: usize,
        strategy: Box<dyn Strategy>,
        ends: ConsumerEnds,
        accept_from: AcceptFrom,
        faults: ConsumerFaults,
    ) -> Arc<CachePadded<Terms>> {
        let entry = &self.config.consumers[index];
        let risk = &self.config.risk;
        let limits = RiskLimits {
            max_order_qty: self.config.max_order_qtys().into(),
            max_open_orders: risk.max_open_orders as usize,
            max_orders_per_s: risk.max_orders_per_s,
        };
        let probe = ConsumerProbe::new(&entry.name, self.config.telemetry.fanout_every, &self.asks);
        self.probes.push(probe.link());
        let terms = Terms::new();
        let (instruments, venues) = (&self.instruments, self.config.venue_names().len());
        let board = TradingBoard::new(instruments.len(), venues);
        self.readings.trading.strategies.push((entry.name.clone(), Arc::clone(&board)));
        let context = ContextParts {
            consumer: ConsumerId(index as u16),
            ledger: Ledger::new(board, instruments, venues),
            clock: self.clock.clone(),
            instruments: Arc::clone(&self.instruments),
            orders: ends.order,
            control: ends.control,
            switch: self.switch.clone(),
            limits,
        };
        let ConsumerEnds { critical, market, .. } = ends;
        let (stop, handled) = (self.stop.clone(), Arc::clone(&terms));
        let to_log = Arc::new(Exchange::new());
        self.failures.push(Arc::clone(&to_log));
        let quarantine = self.quarantine.clone();
        let letters = self.letters(&format!("consumer:{}", entry.name), CONSUMER_LETTER_SLOTS);
        let wiring = ConsumerWiring {
            critical,
            market,
            context,
            terms,
            probe,
            to_log,
            accept_from,
            quarantine,
            letters,
            stop,
            closing: self.closings.consumer(),
        };
        let options = ConsumerOptions {
            name: entry.name.clone(),
            strategy,
            batch: self.config.engine.batch as usize,
            batch_ns: self.budget_ns(index) / BATCHES_IN_BUDGET,
            failures_max: entry.max_failures.unwrap_or(self.config.engine.max_failures),
            failures_kept: self.config.telemetry.failures_kept,
            skips: entry.on_flip == OnFlip::Skip,
            faults,
        };
        let agent = ConsumerAgent::new(options, wiring);
        self.agents.push((AgentRole::Consumer(index), Box::new(agent)));
        handled
    }
}
