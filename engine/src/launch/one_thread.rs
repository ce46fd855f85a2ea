//! The whole engine on the calling thread: virtual time, virtual network, one seed a run.
//!
//! The same parts as in a real run, from the frames on the wire to the strategies and back, made by
//! the same assembly; only the world differs. Left out are the watchdog (nothing can hold up a
//! thread that is alone) and what faces people: log files, histograms, the control socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assemble::Assembly;
use super::options::{LaunchError, LaunchOptions};
use super::pipeline_plan::pipeline_plan;
use super::venue_threads::VenueThreads;
use crate::config::Config;
use crate::consumer::StrategyRegistry;
use crate::control::{Controller, Routes};
use crate::pipeline::Builder;
use crate::runtime::{CorePlan, HostCores, OneThread, Phase, look_pause};
use crate::venue::VenueCounters;
use crate::venue::governor::Allowance;
use crate::venue::simulated::{Ledger, SimulatedVenue, SimulatedVenueReport};
use crate::world::{
    Clock, Entropy, FileConditions, Files, Net, NetConditions, NetTotals, Spawn, VirtualFiles,
    VirtualNet, World,
};

/// Wall time at the start of every simulated run: 2026-01-01T00:00:00Z.
const WALL_START_NS: i64 = 1_767_225_600_000_000_000;

/// What a simulated run is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneThreadOptions {
    /// The root of all chance: it names the run.
    pub seed: u64,
    /// What the network does to bytes.
    pub conditions: NetConditions,
}

/// An engine in a world of its own.
pub struct OneThreadEngine {
    thread: OneThread,
    net: VirtualNet,
    /// With the lanes' ends that nobody reads, which stay open as long as the agents.
    builder: Builder,
    routes: Arc<Routes>,
    venues: VenueThreads,
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
    let (clock, time) = Clock::manual(WALL_START_NS);
    let entropy = Entropy::seeded(options.seed);
    let net = VirtualNet::new(clock.clone(), entropy.seed("net"), options.conditions);
    let disk = entropy.seed("files");
    let files = VirtualFiles::new(disk, FileConditions::default());
    let world = World {
        clock: clock.clone(),
        entropy,
        net: Net::Virtual(net.clone()),
        files: Files::Virtual(files),
        spawn: Spawn::OneThread,
    };
    let cores = CorePlan::make(config, &HostCores::read())?;
    let plan = pipeline_plan(config, registry, &cores, launch)?;
    let mut assembly = Assembly::new(config, world, &plan, &cores)?;
    let flips = assembly.build(plan, launch)?;
    let routes = Arc::clone(flips.routes());
    let random = entropy.random("schedule");
    let pause = look_pause(cores.profile);
    let venue_count = config.venue_names().len();
    let commands = std::mem::take(&mut assembly.control);
    let controller = Controller::new(
        commands,
        flips,
        venue_count,
        assembly.builder.switch.clone(),
        clock.clone(),
        pause,
    );
    let mut thread = OneThread::new(clock, time, net.clone(), random)
        .map_err(|source| LaunchError::Thread { name: "(poller)".to_owned(), source })?;
    assembly.peers.drain(..).for_each(|agent| thread.add_peer(agent));
    assembly.beside.drain(..).for_each(|agent| thread.add(agent));
    assembly.agents.drain(..).for_each(|(_, agent)| thread.add(agent));
    thread.add(Box::new(controller));
    let Assembly { builder, threads: venues, .. } = assembly;
    Ok(OneThreadEngine { thread, net, builder, routes, venues })
}

impl OneThreadEngine {
    /// Lets `ns` of virtual time pass.
    pub fn run_ns(&mut self, ns: u64) {
        let end_ns = self.thread.now_ns() + ns;
        self.thread.run_until_ns(end_ns);
    }

    /// Stops it and runs until all has ended, at most `deadline_ns` of virtual time. Names of the
    /// agents that have not ended by then.
    pub fn stop(&mut self, deadline_ns: u64) -> Vec<String> {
        self.routes.stop();
        self.builder.stop.raise(Phase::Draining);
        self.run_ns(deadline_ns);
        self.thread.unfinished().map(str::to_owned).collect()
    }

    /// The network, to look at or to disturb.
    #[must_use]
    pub fn net(&self) -> &VirtualNet {
        &self.net
    }

    /// What the network has carried.
    #[must_use]
    pub fn net_totals(&self) -> NetTotals {
        self.net.totals()
    }

    /// What each session has counted: venue, role, counters.
    #[must_use]
    pub fn sessions(&self) -> Vec<(&str, &str, VenueCounters)> {
        let sessions = self.builder.readings.sessions.iter();
        sessions.map(|of| (of.venue.as_str(), of.role.as_str(), of.stats.read())).collect()
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
        self.builder.readings.allowances(&self.builder.clock)
    }

    /// Duty cycles that were run.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.thread.cycles()
    }
}
