//! An engine all of whose agents run on one thread: in virtual time, in real time, or as it was
//! recorded.

use std::sync::Arc;
use std::time::Duration;

use super::assemble::Assembly;
use super::conclusion::Conclusion;
use super::control::{self, ReaderSources};
use super::housekeeping::{Housekeeping, HousekeepingAgent, SteadyState};
use super::journal_thread::JournalClosing;
use super::options::{LaunchError, LaunchOptions};
use super::shutdown::Ended;
use super::venue_threads::VenueThreads;
use crate::config::Profile;
use crate::control::protocol::ControlRequest;
use crate::control::{
    BoundSocket, Controller, Desk, Flips, OperatorDesk, Outcome, Progress, Routes, Status,
};
use crate::pipeline::{Closings, Readings};
use crate::report::{Report, RunRecordReport, ThreadReport};
use crate::runtime::{
    Agent, AgentRole, Clock, Closing, CorePlan, HeldConsumer, HoldRates, Phase, Placement, Role,
    StopSignal, WatchdogHandle, poll_pause,
};
use crate::safety::{Quarantine, TradingSwitch};
use crate::telemetry::{Allocations, LogDrain, LogLanes, ProbeLink};
use crate::world::{Spawn, tape};

/// The steps of a stop, in their order.
pub(super) const STOP_STEPS: [u64; 3] = [0, 1, 2];

/// What is held of such an engine beside its agents.
pub(super) struct Scheduled {
    /// Its number in the names of its orders.
    pub(super) run: u32,
    pub(super) clock: Clock,
    pub(super) stop: StopSignal,
    pub(super) desk: OperatorDesk,
    pub(super) routes: Arc<Routes>,
    pub(super) readings: Arc<Readings>,
    closings: Closings,
    pub(super) quarantine: Quarantine,
    links: Vec<Arc<ProbeLink>>,
    steady: Arc<SteadyState>,
    trading: TradingSwitch,
    /// What listens for operators, and reads for it on another thread; where this one is in real
    /// time.
    pub(super) socket: Option<(BoundSocket, OperatorDesk)>,
    housekeeping: Closing<Housekeeping>,
    journal: Option<JournalClosing>,
    pub(super) venues: VenueThreads,
    stopped: Option<Stopped>,
}

/// What was known when it was told to stop.
#[derive(Default)]
struct Stopped {
    at_ns: u64,
    /// Venues that were switched off.
    off: Vec<String>,
    allocations: Option<Allocations>,
}

/// What a report has of the thread that ran all.
#[derive(Default)]
pub(super) struct OfThread {
    /// Names of agents that have not ended.
    pub(super) behind: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) threads: Vec<ThreadReport>,
    pub(super) record: Option<RunRecordReport>,
    /// Whether allocations of its stages were counted.
    pub(super) counts_allocations: bool,
}

impl Assembly<'_> {
    /// All agents, in an order that is part of what a seed and a record mean, and what is held
    /// beside them.
    pub(super) fn schedule(
        mut self,
        flips: Flips,
        cores: &CorePlan,
        launch: &LaunchOptions,
        holds: HoldRates,
    ) -> Result<(Vec<Placement>, Scheduled), LaunchError> {
        let (pause, is_live) = (poll_pause(Profile::Quiet), self.world.spawn == Spawn::LiveThread);
        let routes = Arc::clone(flips.routes());
        routes.polled_by(self.sleepers.clone());
        let (run_dir, hlog) = self.run_files(cores)?;
        // Before anything trades that nobody could stop.
        let socket = if is_live { control::bind(self.config, &run_dir)? } else { None };
        self.builder.readings.record = tape::state();
        let readings = Arc::new(std::mem::take(&mut self.builder.readings));
        let links = self.builder.probes.iter().map(|(link, _)| Arc::clone(link)).collect();
        let logs = LogLanes::new(self.config.lanes.log);
        let drain = LogDrain::new(Vec::new(), logs.clone());
        let mut housekeeping = self.housekeeping(&run_dir, hlog, drain, &readings, &routes);
        (housekeeping.pause, housekeeping.holds_letters) = (pause, launch.holds_letters);
        let (last, steady) = (housekeeping.collector.last(), Arc::clone(&housekeeping.steady));
        let (housekeeping, left) = HousekeepingAgent::new(housekeeping);
        let (mut placements, mut journal) = (Vec::new(), None);
        if let Some(parts) = self.journal.take() {
            let (placement, closing) = parts.in_world(self.sleepers.clone());
            placements.push(placement);
            journal = Some(closing);
        }
        let placed = |role: Role| move |agent| Placement::new(role, agent);
        placements.extend(self.peers.drain(..).map(placed(Role::Venue)));
        placements.push(Placement::new(Role::Peer, Box::new(housekeeping)));
        placements.extend(self.beside.drain(..).map(placed(Role::Beside)));
        self.place_stages((cores, logs, launch, holds), &mut placements);
        let (commands, venues) = (std::mem::take(&mut self.control), self.config.venue_names());
        let (clock, watched) = (self.builder.clock.clone(), self.watched());
        let controller = Controller::new(commands, flips, venues.len(), watched, clock, pause);
        placements.push(Placement::new(Role::Beside, Box::new(controller)));
        let config = self.config;
        let mut desk = || {
            let last = last.clone();
            let (readings, routes, steady) = (&readings, &routes, &steady);
            let plan = cores;
            let run_dir = &run_dir;
            self.desk(ReaderSources { config, run_dir, plan, readings, routes, last, steady })
        };
        let own = desk();
        let socket = socket.map(|socket| (socket, desk()));
        let scheduled = Scheduled {
            run: self.world.entropy.run_number(),
            clock: self.builder.clock,
            stop: self.builder.stop,
            desk: own,
            trading: self.builder.switch,
            socket,
            routes,
            readings,
            closings: self.builder.closings,
            quarantine: self.builder.quarantine.clone(),
            links,
            steady,
            housekeeping: left,
            journal,
            venues: self.threads,
            stopped: None,
        };
        Ok((placements, scheduled))
    }

    /// The stages, each consumer with what holds it up, and the watchdog over them.
    fn place_stages(
        &mut self,
        (cores, logs, launch, holds): (&CorePlan, LogLanes, &LaunchOptions, HoldRates),
        placements: &mut Vec<Placement>,
    ) {
        let mut watchdog = self.watchdog(cores, logs, launch.takes_nothing);
        for (role, agent) in self.agents.drain(..) {
            let AgentRole::Consumer(index) = role else {
                placements.push(Placement::new(Role::Stage(role), agent));
                continue;
            };
            let random = self.world.entropy.random(&format!("holds of {}", agent.name()));
            let (guarded, clock) = (self.guarded[index].clone(), &self.builder.clock);
            let (agent, watched) =
                HeldConsumer::new(agent, guarded, holds.of(index), random, clock);
            watchdog.cores.push(watched);
            placements.push(Placement::new(Role::Stage(role), Box::new(agent)));
        }
        placements.push(Placement::new(Role::Peer, WatchdogHandle::in_world(watchdog)));
    }
}

impl Scheduled {
    /// Begins to carry out what an operator asks for.
    pub(super) fn begin(&mut self, request: ControlRequest) -> Progress {
        if let Ok(text) = serde_json::to_string(&request) {
            tape::operate(&text);
        }
        self.desk.carry_out(request)
    }

    /// Looks whether it is answered.
    pub(super) fn poll(&mut self, number: u64) -> Option<Outcome> {
        tape::poll(number);
        self.desk.poll(number)
    }

    /// A reading, as an operator gets it: no part of a record.
    pub(super) fn status(&mut self) -> Status {
        let desk = &mut self.desk;
        tape::outside(|| desk.status())
    }

    /// One of [`STOP_STEPS`]: no new order leaves, and nothing is changed any more; all drains;
    /// every loop ends.
    pub(super) fn stop(&mut self, step: u64) {
        tape::stop(step);
        match step {
            0 => {
                // As the engine on threads: from here on nothing but this turns the switch.
                self.routes.stop();
                self.readings.recovery.ask_no_more();
                self.trading.set(false);
                let at_ns = tape::outside(|| self.clock.now_ns());
                let (off, allocations) = (self.readings.venues_off(), self.steady.allocations());
                self.stopped = Some(Stopped { at_ns, off, allocations });
            }
            1 => self.stop.raise(Phase::Draining),
            _ => self.stop.raise(Phase::Halted),
        }
    }

    /// Closes all agents, and reports as a run on threads does. To be called after the stop.
    pub(super) fn finish(mut self, agents: Vec<Box<dyn Agent>>, of: OfThread) -> Report {
        let Stopped { at_ns, off, allocations } = self.stopped.take().unwrap_or_default();
        let mut ended = Ended::default();
        (ended.behind, ended.notes, ended.threads) = (of.behind, of.notes, of.threads);
        ended.penalties = self.venues.penalties();
        let allocations = allocations.filter(|_| of.counts_allocations);
        agents.into_iter().for_each(|agent| agent.on_close());
        ended.journal = self.journal.map(JournalClosing::left);
        ended.housekeeping = self.housekeeping.take();
        ended.housekeeping.iter_mut().for_each(Housekeeping::finish);
        ended.notes.extend(self.venues.stop(Duration::ZERO).1);
        let conclusion = Conclusion {
            closings: &self.closings,
            readings: &self.readings,
            links: &self.links,
            quarantine: &self.quarantine,
            off,
            routes: &self.routes,
            stop: &self.stop,
            clock: &self.clock,
            plan_notes: &[],
            duration_ns: at_ns,
            allocations,
        };
        let mut report = conclusion.report(ended);
        report.record = of.record;
        report
    }
}
