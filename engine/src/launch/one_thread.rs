//! The whole engine on the calling thread: virtual time, network and files, one seed a run.
//!
//! The same parts as in a real run, from the frames on the wire to the strategies and back, with
//! housekeeping, the watchdog and the operator's desk, made by the same assembly; only the world
//! differs. Left out are the threads and their pinning, and the control socket's lines: the desk
//! behind it is asked directly. Log lines go to the log of the process, with the world's time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::Path;

use super::assemble::Assembly;
use super::options::{LaunchError, LaunchOptions};
use super::pipeline_plan::pipeline_plan;
use super::scheduled::{OfThread, STOP_STEPS, Scheduled};
use crate::config::Config;
use crate::consumer::{StrategyRegistry, install_panic_hook};
use crate::control::protocol::ControlRequest;
use crate::control::{Outcome, Progress, Refusal, Status};
use crate::report::Report;
use crate::runtime::{AgentLoad, CorePlan, HoldRates, HostCores, OneThread};
use crate::telemetry::log_by_clock;
use crate::venue::VenueCounters;
use crate::venue::governor::Allowance;
use crate::venue::simulated::{Ledger, SimulatedSymbol, SimulatedVenue, SimulatedVenueReport};
use crate::world::{
    Clock, Entropy, FileConditions, Files, ManualTime, Net, NetConditions, NetTotals, Spawn,
    VirtualFiles, VirtualNet, World, tape,
};

/// Wall time at the start of every simulated run: 2026-01-01T00:00:00Z.
pub(crate) const SIMULATED_WALL_START_NS: i64 = 1_767_225_600_000_000_000;

/// Cores that every simulated run is planned for, so that one seed is one run on any machine.
pub(super) const SIMULATED_CORES: usize = 64;

/// Between two polls for an operator's answer, and the longest wait for one, ns.
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
    /// Places of the agents that outlive it: those of venues.
    outliving: Range<usize>,
    engine: Scheduled,
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
    /// Whether what enters the engine is kept.
    is_taped: bool,
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
        let (venues, seed, lives, is_taped) = (VecDeque::new(), options.seed, 0, false);
        Ok(SimulatedWorld { thread, clock, time, net, files, venues, seed, lives, is_taped })
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

    /// Keeps what enters the engine that is launched next in a new `folder`, until its end. One
    /// engine a thread can be recorded at a time, and none that is killed.
    ///
    /// # Errors
    /// When the folder is there already or can't be made.
    pub fn record_in(&mut self, files: &Files, folder: &Path) -> Result<(), LaunchError> {
        let pen = tape::Pen::to_folder(tape::TapeFolder::create(files, folder, u64::MAX)?);
        tape::attach(tape::Tape::Recording(tape::Writer::new(pen)));
        self.is_taped = true;
        Ok(())
    }

    /// Makes the next engine, of `config`: it finds the disk and the venues as the one before has
    /// left them.
    ///
    /// # Errors
    /// As [`super::launch`].
    pub fn launch(
        self,
        config: &Config,
        registry: &StrategyRegistry,
        launch: &LaunchOptions,
        holds: HoldRates,
    ) -> Result<OneThreadEngine, LaunchError> {
        install_panic_hook();
        let is_taped = self.is_taped;
        let launched = self.launch_on(config, registry, launch, holds);
        if launched.is_err() && is_taped {
            drop(tape::detach());
        }
        launched
    }

    fn launch_on(
        mut self,
        config: &Config,
        registry: &StrategyRegistry,
        launch: &LaunchOptions,
        holds: HoldRates,
    ) -> Result<OneThreadEngine, LaunchError> {
        let first = Entropy::seeded(self.seed);
        let entropy = match self.lives {
            0 => first,
            lives => Entropy::seeded(first.seed(&format!("life {lives}"))),
        };
        let net = Net::Virtual(self.net.clone());
        let (clock, net) = match self.is_taped {
            true => (self.clock.taped(), net.taped()),
            false => (self.clock.clone(), net),
        };
        let files = Files::Virtual(self.files.clone());
        let world = World { clock, entropy, net, files, spawn: Spawn::OneThread };
        let cores = CorePlan::make(config, &HostCores::of(0..SIMULATED_CORES))?;
        let mut plan = pipeline_plan(config, registry, &cores, launch)?;
        if self.is_taped {
            plan.tape_strategies();
        }
        let mut assembly = Assembly::new(config, world, &plan, &cores)?;
        assembly.sleepers = self.thread.waker();
        assembly.threads.keys = Some(first);
        assembly.threads.standing = std::mem::take(&mut self.venues);
        let flips = assembly.build(plan, launch)?;
        let (placements, engine) = assembly.schedule(flips, &cores, launch, holds)?;
        let standing = 0..self.thread.count();
        let mut venues = 0..0;
        for placement in placements {
            let (place, is_venue) = (self.thread.count(), placement.is_venue());
            self.thread.place(placement);
            if is_venue {
                let start = if venues.is_empty() { place } else { venues.start };
                venues = start..place + 1;
            }
        }
        let outliving = if standing.is_empty() { venues } else { standing };
        Ok(OneThreadEngine { world: self, outliving, engine })
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
    pub fn operate(&mut self, request: ControlRequest) -> Outcome {
        let number = match self.engine.begin(request) {
            Progress::Done(outcome) => return outcome,
            Progress::Later(number) => number,
        };
        let end_ns = self.now_ns() + ANSWER_MAX_NS;
        while self.now_ns() < end_ns && !self.is_dead() {
            self.run_ns(ANSWER_LOOK_NS);
            if let Some(outcome) = self.engine.poll(number) {
                return outcome;
            }
        }
        let (operation, reason) = ("operate".to_owned(), "no answer came".to_owned());
        Err(Refusal::Failed { operation, reason })
    }

    /// A reading, as an operator gets it. Its threads are those of the process.
    #[must_use]
    pub fn status(&mut self) -> Status {
        self.engine.status()
    }

    /// Its number, as the names of its orders have it.
    #[must_use]
    pub fn run_number(&self) -> u32 {
        self.engine.run
    }

    /// Whether an operator has asked for the end of the run.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.engine.stop.is_killed()
    }

    /// Stops it in order and runs until all has ended, at most `deadline_ns` of virtual time; then
    /// every loop is told to end. Names of the agents that have not ended after another grace.
    pub fn stop(&mut self, deadline_ns: u64) -> Vec<String> {
        for (step, ns) in STOP_STEPS.into_iter().zip([ANSWER_LOOK_NS, deadline_ns, HALT_GRACE_NS]) {
            self.engine.stop(step);
            self.run_ns(ns);
        }
        self.world.thread.unfinished().map(str::to_owned).collect()
    }

    /// One of its agents, by `number`, gets no core for `ns`, as when the system gives it to
    /// another process.
    pub fn hold_agent(&mut self, number: usize, ns: u64) {
        self.world.thread.hold(number, ns);
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
        let OneThreadEngine { mut world, outliving, mut engine } = self;
        world.files.freeze(true);
        world.thread.keep(outliving);
        world.venues = engine.venues.simulated.drain(..).collect();
        drop(engine);
        world.files.freeze(false);
        world.lives += 1;
        world
    }

    /// Closes all agents, and reports as a real run does. To be called after the stop.
    #[must_use]
    pub fn finish(self) -> Report {
        let OneThreadEngine { world, engine, .. } = self;
        if world.is_taped {
            tape::end();
            drop(tape::detach());
        }
        let behind = world.thread.unfinished().map(str::to_owned).collect();
        engine.finish(world.thread.into_agents(), OfThread { behind, ..OfThread::default() })
    }

    /// Sets the clock of the engine's machine forward by `ns`, or back; its venues have another.
    pub fn set_system_clock(&self, ns: i64) {
        self.world.time.set_system_ns(ns);
    }

    /// Steps of the system's clock that the engine's clock has found so far.
    #[must_use]
    pub fn system_clock_steps(&self) -> u32 {
        self.world.clock.steps()
    }

    /// Lets no further fault of the venues' plan strike.
    pub fn calm_venues(&self) {
        self.engine.venues.simulated.iter().for_each(SimulatedVenue::calm);
    }

    /// What each simulated venue trades, in the order of its ledger's markets.
    #[must_use]
    pub fn symbols(&self) -> Vec<Vec<SimulatedSymbol>> {
        self.engine.venues.simulated.iter().map(|venue| venue.symbols().to_vec()).collect()
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

    /// How often the engine broke a limit of a simulated venue, by the limit.
    #[must_use]
    pub fn penalties(&self) -> BTreeMap<&'static str, u64> {
        self.engine.venues.penalties()
    }

    /// What each simulated venue knows to be true.
    #[must_use]
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.engine.venues.simulated.iter().map(SimulatedVenue::ledger).collect()
    }

    /// What each simulated venue has counted.
    #[must_use]
    pub fn simulated_venues(&self) -> Vec<SimulatedVenueReport> {
        self.engine.venues.simulated.iter().map(|venue| venue.counters().report()).collect()
    }

    /// What each venue allows, and what was held back.
    #[must_use]
    pub fn allowances(&self) -> Vec<Allowance> {
        self.engine.readings.allowances(&self.world.clock)
    }

    /// What each session has counted: venue, role, counters.
    #[must_use]
    pub fn sessions(&self) -> Vec<(&str, &str, VenueCounters)> {
        let sessions = self.engine.readings.sessions.iter();
        sessions.map(|of| (of.venue.as_str(), of.role.as_str(), of.stats.read())).collect()
    }

    /// What has left the engine so far, by hash; `None` where nothing is recorded.
    #[must_use]
    pub fn sums(&self) -> Option<tape::Sums> {
        tape::sums().filter(|_| self.world.is_taped)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_turns_trading_off_first_and_nobody_turns_it_on_again_but_a_kill_is_taken() {
        let config = Config { consumers: Vec::new(), ..Config::default_run() };
        let (registry, options) = (StrategyRegistry::new(), OneThreadOptions::default());
        let launch = LaunchOptions::default();
        let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
        engine.run_ns(1_000_000_000);
        engine.operate(ControlRequest::Mode { trading: true }).unwrap();
        assert!(engine.status().trading);
        engine.engine.stop(0);
        assert!(!engine.status().trading);
        let refused = engine.operate(ControlRequest::Mode { trading: true }).unwrap_err();
        assert!(refused.to_string().contains("is being stopped"), "{refused}");
        assert!(!engine.status().trading);
        engine.operate(ControlRequest::Kill {}).unwrap();
        assert!(engine.is_killed());
    }
}
