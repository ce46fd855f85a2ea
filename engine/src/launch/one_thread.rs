//! The whole engine on the calling thread: virtual time, network and files, one seed a run.
//!
//! The same parts as in a real run, from the frames on the wire to the strategies and back, with
//! housekeeping, the watchdog and the operator's desk, made by the same assembly; only the world
//! differs. Left out are the threads and their pinning, and the control socket's lines: the desk
//! behind it is asked directly. Log lines go to the log of the process, with the world's time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::assemble::Assembly;
use super::conclusion::Conclusion;
use super::control::ReaderSources;
use super::housekeeping::{Housekeeping, HousekeepingAgent};
use super::journal_thread::JournalClosing;
use super::options::{LaunchError, LaunchOptions};
use super::pipeline_plan::pipeline_plan;
use super::shutdown::Ended;
use super::venue_threads::VenueThreads;
use crate::config::{Config, Profile};
use crate::consumer::{StrategyRegistry, install_panic_hook};
use crate::control::protocol::Request;
use crate::control::{Controller, Desk, OperatorDesk, Outcome, Progress, Refusal, Routes, Status};
use crate::pipeline::{Closings, Readings};
use crate::report::Report;
use crate::runtime::{
    AgentLoad, AgentRole, Closing, CorePlan, HeldConsumer, HoldRates, HostCores, OneThread, Phase,
    StopSignal, WatchdogHandle, look_pause,
};
use crate::safety::Quarantine;
use crate::telemetry::{LogDrain, LogLanes, ProbeLink, log_by_clock};
use crate::venue::VenueCounters;
use crate::venue::governor::Allowance;
use crate::venue::simulated::{Ledger, SimulatedSymbol, SimulatedVenue, SimulatedVenueReport};
use crate::world::{
    Clock, Entropy, FileConditions, Files, ManualTime, Net, NetConditions, NetTotals, Spawn,
    VirtualFiles, VirtualNet, World,
};

/// Wall time at the start of every simulated run: 2026-01-01T00:00:00Z.
pub(crate) const SIMULATED_WALL_START_NS: i64 = 1_767_225_600_000_000_000;

/// Cores that every simulated run is planned for, so that one seed is one run on any machine.
const CORES: usize = 64;

/// Between two looks for an operator's answer, and the longest wait for one, ns.
const ANSWER_LOOK_NS: u64 = 1_000_000;
const ANSWER_MAX_NS: u64 = 5_000_000_000;

/// Time that agents get once every loop was told to end, ns.
const HALT_GRACE_NS: u64 = 500_000_000;

/// What a simulated run is made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneThreadOptions {
    /// The root of all chance: it names the run.
    pub seed: u64,
    /// What the network does to bytes.
    pub conditions: NetConditions,
    /// What the disk does to writes.
    pub files: FileConditions,
    /// How often consumers are held up in their callbacks.
    pub holds: HoldRates,
}

/// An engine in a world of its own.
pub struct OneThreadEngine {
    world: SimulatedWorld,
    /// Its number in the names of its orders.
    run: u32,
    /// Places of the agents that outlive it: those of venues.
    outliving: Range<usize>,
    stop: StopSignal,
    desk: OperatorDesk,
    routes: Arc<Routes>,
    readings: Arc<Readings>,
    closings: Closings,
    quarantine: Quarantine,
    links: Vec<Arc<ProbeLink>>,
    housekeeping: Closing<Housekeeping>,
    journal: Option<JournalClosing>,
    venues: VenueThreads,
    /// When it was told to stop, ns, and the venues that were switched off then.
    stopped: Option<(u64, Vec<String>)>,
}

/// What a simulated engine lives in, and what outlives it: time, the network, the disk, venues.
pub struct SimulatedWorld {
    thread: OneThread,
    clock: Clock,
    time: ManualTime,
    net: VirtualNet,
    files: VirtualFiles,
    /// Venues of an engine that is no more.
    venues: VecDeque<SimulatedVenue>,
    seed: u64,
    /// Engines that have lived in it.
    lives: u64,
}

impl SimulatedWorld {
    /// A world at 0 ns of its time.
    ///
    /// # Errors
    /// When the system gives no poller.
    pub fn new(options: &OneThreadOptions) -> Result<SimulatedWorld, LaunchError> {
        let (clock, time) = Clock::manual(SIMULATED_WALL_START_NS);
        let entropy = Entropy::seeded(options.seed);
        let net = VirtualNet::new(clock.clone(), entropy.seed("net"), options.conditions);
        let files = VirtualFiles::new(entropy.seed("files"), options.files);
        let schedule = entropy.random("schedule");
        let mut thread = OneThread::new(clock.clone(), time.clone(), net.clone(), schedule)
            .map_err(|source| LaunchError::Thread { name: "(poller)".to_owned(), source })?;
        thread.ends_with(files.killed());
        let (venues, seed, lives) = (VecDeque::new(), options.seed, 0);
        Ok(SimulatedWorld { thread, clock, time, net, files, venues, seed, lives })
    }

    /// Lets `ns` of virtual time pass, with the venues alone.
    pub fn run_ns(&mut self, ns: u64) {
        let end_ns = self.thread.now_ns() + ns;
        log_by_clock(&self.clock, || self.thread.run_until_ns(end_ns));
    }

    /// Virtual time since the start, ns.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.thread.now_ns()
    }

    /// The disk, to look at or to disturb.
    #[must_use]
    pub fn files(&self) -> &VirtualFiles {
        &self.files
    }

    /// Makes the next engine, of `config`: it finds the disk and the venues as the one before has
    /// left them.
    ///
    /// # Errors
    /// As [`super::launch`].
    pub fn launch(
        mut self,
        config: &Config,
        registry: &StrategyRegistry,
        launch: &LaunchOptions,
        holds: HoldRates,
    ) -> Result<OneThreadEngine, LaunchError> {
        install_panic_hook();
        let first = Entropy::seeded(self.seed);
        let entropy = match self.lives {
            0 => first,
            lives => Entropy::seeded(first.seed(&format!("life {lives}"))),
        };
        let world = World {
            clock: self.clock.clone(),
            entropy,
            net: Net::Virtual(self.net.clone()),
            files: Files::Virtual(self.files.clone()),
            spawn: Spawn::OneThread,
        };
        let cores = CorePlan::make(config, &HostCores::of(0..CORES))?;
        let plan = pipeline_plan(config, registry, &cores, launch)?;
        let mut assembly = Assembly::new(config, world, &plan, &cores)?;
        assembly.threads.keys = Some(first);
        assembly.threads.standing = std::mem::take(&mut self.venues);
        let flips = assembly.build(plan, launch)?;
        let controller = {
            let (commands, venues) = (std::mem::take(&mut assembly.control), config.venue_names());
            let (clock, pause) = (assembly.builder.clock.clone(), look_pause(Profile::Quiet));
            let (routes, watched) = (Arc::clone(flips.routes()), assembly.watched());
            (Controller::new(commands, flips, venues.len(), watched, clock, pause), routes)
        };
        assembly.schedule(self, &cores, controller, launch, holds)
    }
}

/// Makes the engine of `config`, started at 0 ns of its time.
///
/// # Errors
/// As [`super::launch`].
pub fn launch_one_thread(
    config: &Config,
    registry: &StrategyRegistry,
    launch: &LaunchOptions,
    options: OneThreadOptions,
) -> Result<OneThreadEngine, LaunchError> {
    SimulatedWorld::new(&options)?.launch(config, registry, launch, options.holds)
}

impl Assembly<'_> {
    /// Adds all agents to `thread`, in an order that is part of what a seed means.
    fn schedule(
        mut self,
        mut world: SimulatedWorld,
        cores: &CorePlan,
        (controller, routes): (Controller, Arc<Routes>),
        launch: &LaunchOptions,
        holds: HoldRates,
    ) -> Result<OneThreadEngine, LaunchError> {
        let thread = &mut world.thread;
        let standing = 0..thread.count();
        let (run_dir, hlog) = self.run_files(cores)?;
        let readings = Arc::new(std::mem::take(&mut self.builder.readings));
        let links = self.builder.probes.iter().map(|(link, _)| Arc::clone(link)).collect();
        let logs = LogLanes::new(self.config.lanes.log);
        let drain = LogDrain::new(Vec::new(), logs.clone());
        let mut housekeeping = self.housekeeping(&run_dir, hlog, drain, &readings, &routes);
        housekeeping.pause = look_pause(Profile::Quiet);
        housekeeping.holds_letters = launch.holds_letters;
        let (last, steady) = (housekeeping.collector.last(), Arc::clone(&housekeeping.steady));
        let (housekeeping, left) = HousekeepingAgent::new(housekeeping);
        let journal = self.journal.take().map(|parts| parts.in_world(thread));
        let mut watchdog = self.watchdog(cores, logs, launch.takes_nothing);
        let first = thread.count();
        self.peers.drain(..).for_each(|agent| thread.add_peer(agent));
        let outliving = if standing.is_empty() { first..thread.count() } else { standing };
        thread.add_peer(Box::new(housekeeping));
        self.beside.drain(..).for_each(|agent| thread.add(agent));
        for (role, agent) in self.agents.drain(..) {
            let AgentRole::Consumer(index) = role else {
                thread.add(agent);
                continue;
            };
            let random = self.world.entropy.random(&format!("holds of {}", agent.name()));
            let (guarded, clock) = (self.guarded[index].clone(), &self.builder.clock);
            let (agent, watched) =
                HeldConsumer::new(agent, guarded, holds.of(index), random, clock);
            watchdog.cores.push(watched);
            thread.add(Box::new(agent));
        }
        thread.add_peer(WatchdogHandle::in_world(watchdog));
        thread.add(Box::new(controller));
        let desk = self.desk(ReaderSources {
            config: self.config,
            run_dir: &run_dir,
            plan: cores,
            readings: &readings,
            routes: &routes,
            last,
            steady: &steady,
        });
        Ok(OneThreadEngine {
            world,
            outliving,
            run: self.world.entropy.run_number(),
            stop: self.builder.stop,
            desk,
            routes,
            readings,
            closings: self.builder.closings,
            quarantine: self.builder.quarantine.clone(),
            links,
            housekeeping: left,
            journal,
            venues: self.threads,
            stopped: None,
        })
    }
}

impl OneThreadEngine {
    /// Lets `ns` of virtual time pass.
    pub fn run_ns(&mut self, ns: u64) {
        self.world.run_ns(ns);
    }

    /// Virtual time since the start, ns.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.world.thread.now_ns()
    }

    /// Carries out what an operator asks for; time passes until it is answered.
    ///
    /// # Errors
    /// The desk's refusal.
    pub fn operate(&mut self, request: Request) -> Outcome {
        let number = match self.desk.carry_out(request) {
            Progress::Done(outcome) => return outcome,
            Progress::Later(number) => number,
        };
        let end_ns = self.now_ns() + ANSWER_MAX_NS;
        while self.now_ns() < end_ns && !self.is_dead() {
            self.run_ns(ANSWER_LOOK_NS);
            if let Some(outcome) = self.desk.poll(number) {
                return outcome;
            }
        }
        let (operation, reason) = ("operate".to_owned(), "no answer came".to_owned());
        Err(Refusal::Failed { operation, reason })
    }

    /// A reading, as an operator gets it. Its threads are those of the process.
    #[must_use]
    pub fn status(&mut self) -> Status {
        self.desk.status()
    }

    /// Its number, as the names of its orders have it.
    #[must_use]
    pub fn run_number(&self) -> u32 {
        self.run
    }

    /// Whether an operator has asked for the end of the run.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.stop.is_killed()
    }

    /// Stops it in order and runs until all has ended, at most `deadline_ns` of virtual time; then
    /// every loop is told to end. Names of the agents that have not ended after another grace.
    pub fn stop(&mut self, deadline_ns: u64) -> Vec<String> {
        self.stopped = Some((self.now_ns(), self.readings.venues_off()));
        self.routes.stop();
        self.run_ns(ANSWER_LOOK_NS);
        self.stop.raise(Phase::Draining);
        self.run_ns(deadline_ns);
        self.stop.raise(Phase::Halted);
        self.run_ns(HALT_GRACE_NS);
        self.world.thread.unfinished().map(str::to_owned).collect()
    }

    /// Kills it in the middle of its `nth` write to its journal from now on; 0 takes that back. To
    /// be followed by [`OneThreadEngine::crash`] once [`OneThreadEngine::is_dead`].
    pub fn kill_at_write(&self, nth: u64) {
        self.world.files.kill_at_write(nth);
    }

    /// Whether it was killed in a write: time stands still.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.world.thread.is_killed()
    }

    /// Kill -9: all of the engine is gone at once, and nothing is closed or written in order. What
    /// it has written stays, but for what a crash of the disk takes ([`VirtualFiles::crash`]).
    #[must_use]
    pub fn crash(self) -> SimulatedWorld {
        let OneThreadEngine { mut world, outliving, mut venues, .. } = self;
        world.files.freeze(true);
        world.thread.keep(outliving);
        world.venues = venues.embedded.drain(..).collect();
        drop(venues);
        world.files.freeze(false);
        world.lives += 1;
        world
    }

    /// Closes all agents, and reports as a real run does. To be called after the stop.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let (duration_ns, off) = self.stopped.take().unwrap_or_default();
        let mut ended = Ended::default();
        ended.behind = self.world.thread.unfinished().map(str::to_owned).collect();
        ended.penalties = self.venues.penalties();
        self.world.thread.into_agents().into_iter().for_each(|agent| agent.on_close());
        ended.journal = self.journal.map(JournalClosing::left);
        ended.housekeeping = self.housekeeping.take();
        ended.housekeeping.iter_mut().for_each(Housekeeping::finish);
        ended.notes = self.venues.stop(Duration::ZERO).1;
        let conclusion = Conclusion {
            closings: &self.closings,
            readings: &self.readings,
            links: &self.links,
            quarantine: &self.quarantine,
            off,
            routes: &self.routes,
            stop: &self.stop,
            clock: &self.world.clock,
            plan_notes: &[],
            duration_ns,
            allocations: None,
        };
        conclusion.report(ended)
    }

    /// Sets the clock of the engine's machine forward by `ns`, or back; its venues have another.
    pub fn set_system_clock(&self, ns: i64) {
        self.world.time.set_system_ns(ns);
    }

    /// Lets no further fault of the venues' plan strike.
    pub fn calm_venues(&self) {
        self.venues.embedded.iter().for_each(SimulatedVenue::calm);
    }

    /// What each embedded venue trades, in the order of its ledger's markets.
    #[must_use]
    pub fn symbols(&self) -> Vec<Vec<SimulatedSymbol>> {
        self.venues.embedded.iter().map(|venue| venue.symbols().to_vec()).collect()
    }

    /// The network, to look at or to disturb.
    #[must_use]
    pub fn net(&self) -> &VirtualNet {
        &self.world.net
    }

    /// The disk, to look at or to disturb.
    #[must_use]
    pub fn files(&self) -> &VirtualFiles {
        &self.world.files
    }

    /// What the network has carried.
    #[must_use]
    pub fn net_totals(&self) -> NetTotals {
        self.world.net.totals()
    }

    /// How often the engine broke a limit of an embedded venue, by the limit.
    #[must_use]
    pub fn penalties(&self) -> BTreeMap<&'static str, u64> {
        self.venues.penalties()
    }

    /// What each embedded venue knows to be true.
    #[must_use]
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.venues.embedded.iter().map(SimulatedVenue::ledger).collect()
    }

    /// What each embedded venue has counted.
    #[must_use]
    pub fn embedded(&self) -> Vec<SimulatedVenueReport> {
        self.venues.embedded.iter().map(|venue| venue.counters().report()).collect()
    }

    /// What each venue allows, and what was held back.
    #[must_use]
    pub fn allowances(&self) -> Vec<Allowance> {
        self.readings.allowances(&self.world.clock)
    }

    /// What each session has counted: venue, role, counters.
    #[must_use]
    pub fn sessions(&self) -> Vec<(&str, &str, VenueCounters)> {
        let sessions = self.readings.sessions.iter();
        sessions.map(|of| (of.venue.as_str(), of.role.as_str(), of.stats.read())).collect()
    }

    /// What each agent has cost, by name.
    pub fn loads(&self) -> impl Iterator<Item = (&str, AgentLoad)> {
        self.world.thread.loads()
    }

    /// Duty cycles that were run.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.world.thread.cycles()
    }
}
