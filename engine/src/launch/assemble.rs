//! From a configuration to everything that will run, before anything does.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use pitlane_ring::Consumer;

use super::compaction::Compactor;
use super::journal_thread::JournalParts;
use super::options::{LaunchError, LaunchOptions};
use super::pause_book::PauseBook;
use super::run_folder::make_run_folder;
use super::venue_threads::VenueThreads;
use crate::config::Config;
use crate::consumer::ControlCommand;
use crate::control::{AuditedConsumer, Catalogue, Flips, FlipsParts, Routes};
use crate::dispatcher::Subscription;
use crate::journal::StateKeeper;
use crate::order::recovery::Recovered;
use crate::pipeline::{Builder, Pipeline, PipelinePlan, RoutingEnds};
use crate::runtime::{
    Agent, AgentRole, AlonePlaces, BesideWaker, CoreParking, CorePlan, CoreWakers, GuardedConsumer,
    YieldBan,
};
use crate::safety::{Quarantine, TradingSwitch};
use crate::venue::market::StreamPort;
use crate::venue::recorder::Recorder;
use crate::world::World;

/// Everything on its way to becoming an engine.
pub(super) struct Assembly<'c> {
    pub(super) config: &'c Config,
    pub(super) world: World,
    pub(super) builder: Builder,
    /// By consumer, what it wants from the start.
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) agents: Vec<(AgentRole, Box<dyn Agent>)>,
    /// Those that belong on no core, in a world where they have no thread of their own.
    pub(super) beside: Vec<Box<dyn Agent>>,
    /// Venues, in such a world.
    pub(super) peers: Vec<Box<dyn Agent>>,
    pub(super) threads: VenueThreads,
    /// Pauses that venues want, over runs.
    pub(super) pauses: Option<PauseBook>,
    /// What keeps the journal short, until housekeeping has it.
    pub(super) compactor: Option<Compactor>,
    pub(super) states: Option<StateKeeper>,
    /// What keeps the journal, until it runs.
    pub(super) journal: Option<JournalParts>,
    /// What records the venues' sessions, until it runs.
    pub(super) recorder: Option<Recorder>,
    /// What it has of earlier starts, until it is handed on.
    pub(super) recovered: Option<Recovered>,
    /// The folder of this run, once it is made.
    run_dir: Option<PathBuf>,
    /// In the order of the plan's cores.
    pub(super) parking: Vec<CoreParking>,
    pub(super) alone: AlonePlaces,
    pub(super) yield_ban: YieldBan,
    pub(super) wakers: CoreWakers,
    /// What ends the sleep of agents beside the cores in a world without threads.
    pub(super) sleepers: BesideWaker,
    /// By consumer, with its role's place in the plan.
    pub(super) guarded: Vec<GuardedConsumer>,
    /// By consumer, the ends of their control lanes.
    pub(super) control: Vec<Consumer<ControlCommand>>,
    /// By venue, where its market session is asked for more streams.
    pub(super) stream_ports: Vec<Vec<Arc<StreamPort>>>,
    /// Sessions beyond the two that every venue has.
    pub(super) extra_sessions: usize,
    /// See [`LaunchOptions`].
    pub(super) inspects_accounts: bool,
    /// See [`LaunchOptions`].
    pub(super) keeps_instrument_words: bool,
}

impl<'c> Assembly<'c> {
    pub(super) fn new(
        config: &'c Config,
        world: World,
        plan: &PipelinePlan,
        cores: &CorePlan,
    ) -> Result<Assembly<'c>, LaunchError> {
        let idles = cores.cores.iter().map(|core| core.idle);
        let consumers = config.consumers.len();
        let (parking, alone, wakers) = CoreParking::of_cores(idles, consumers)
            .map_err(|source| LaunchError::Thread { name: "(pollers)".to_owned(), source })?;
        let switch = TradingSwitch::new(config.risk.trading);
        let quarantine = Quarantine::new(consumers, config.risk.cancel_on_quarantine);
        let of_each = plan.consumers.iter();
        let pauses = PauseBook::open(&world.files, &config.engine.run_dir, &world.clock);
        Ok(Assembly {
            config,
            builder: Builder::new(world.clock.clone(), plan, switch, quarantine),
            world,
            subscriptions: of_each.map(|consumer| consumer.subscription.clone()).collect(),
            agents: Vec::new(),
            beside: Vec::new(),
            peers: Vec::new(),
            threads: VenueThreads::default(),
            pauses: Some(pauses),
            journal: None,
            compactor: None,
            states: None,
            recorder: None,
            recovered: None,
            run_dir: None,
            parking,
            alone,
            yield_ban: YieldBan::default(),
            wakers,
            sleepers: BesideWaker::default(),
            guarded: Vec::new(),
            control: Vec::new(),
            stream_ports: Vec::new(),
            extra_sessions: 0,
            inspects_accounts: false,
            keeps_instrument_words: false,
        })
    }

    /// The folder of this run; made when it is first asked for.
    pub(super) fn run_dir(&mut self) -> Result<PathBuf, LaunchError> {
        if let Some(run_dir) = &self.run_dir {
            return Ok(run_dir.clone());
        }
        let stamp_ms = self.builder.clock.wall_at_ns(0) / 1_000_000;
        let run_dir = make_run_folder(&self.world.files, &self.config.engine.run_dir, stamp_ms)?;
        Ok(self.run_dir.insert(run_dir).clone())
    }

    pub(super) fn consumer_names(&self) -> Vec<String> {
        self.config.consumers.iter().map(|consumer| consumer.name.clone()).collect()
    }

    /// Makes every lane and agent, from the sockets on, and the owner of the routes.
    pub(super) fn build(
        &mut self,
        plan: PipelinePlan,
        options: &LaunchOptions,
    ) -> Result<Flips, LaunchError> {
        let sessions_open = Arc::new(AtomicUsize::new(0));
        let order_slots = self.config.lanes.order;
        let (answers, answers_end) = self.builder.lane("gateway>orchestrator", order_slots);
        let (mut links, mut sessions) = (vec![answers_end], Vec::new());
        let remembers = plan.consumers.iter().map(|of| of.options.strategy.remembers_ids());
        let folder = self.read_journal(&remembers.collect::<Vec<usize>>())?;
        for ends in self.venues(options, &sessions_open)? {
            links.extend(ends.links);
            sessions.push(ends.commands);
        }
        self.start_recorder()?;
        self.start_journal(folder)?;
        let pipeline = self.builder.build(plan, links);
        let ports = self.builder.state_ports();
        self.states = self.journal.as_ref().map(|journal| {
            StateKeeper::new(&self.world.files, &journal.folder, journal.durability, ports)
        });
        let Pipeline { dispatcher, consumers, guarded, orders, control, routing } = pipeline;
        let gateway = self.builder.gateway(orders, sessions, answers, sessions_open);
        self.agents.push((AgentRole::Dispatcher, Box::new(dispatcher)));
        for (index, consumer) in consumers.into_iter().enumerate() {
            self.agents.push((AgentRole::Consumer(index), Box::new(consumer)));
        }
        self.agents.push((AgentRole::Gateway, Box::new(gateway)));
        (self.guarded, self.control) = (guarded, control);
        Ok(self.flips(routing))
    }

    /// The owner of the routes.
    fn flips(&mut self, ends: RoutingEnds) -> Flips {
        let consumers = ends.interests.len();
        let catalogue = Catalogue {
            interests: ends.interests,
            venues: self.config.venue_names(),
            instruments: self.builder.readings.instruments.len(),
        };
        let routes = Routes::new(ends.routes, catalogue, ends.merge, ends.version);
        let counters = self.builder.readings.consumers.iter();
        let audited = counters.map(|counters| AuditedConsumer {
            name: counters.name.clone(),
            terms: Arc::clone(&counters.handled),
        });
        let parts = FlipsParts {
            book: ends.book,
            streams: std::mem::take(&mut self.stream_ports),
            port: ends.flips,
            wakers: self.wakers.clone(),
            clock: self.builder.clock.clone(),
            stop: self.builder.stop.clone(),
        };
        Flips::new(routes, parts, ends.notices, audited.collect(), consumers)
    }
}
