//! From an assembly to running threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pitlane_ring::{IdleStrategy, LaneGauge, Publisher};

use super::assemble::Assembly;
use super::control::{self, ReaderSources};
use super::engine::{Engine, EngineParts, HALT_GRACE};
use super::housekeeping::{Housekeeping, HousekeepingHandle, SteadyState};
use super::options::{LaunchError, LaunchOptions};
use super::rehearsal::rehearsal;
use super::run_header::{offered, run_header};
use crate::config::Config;
use crate::control::{Controller, ControllerHandle, DeskParts, Flips, OperatorDesk};
use crate::runtime::{
    Agent, AgentRole, CoreHandle, CoreOptions, CoreParking, CorePlan, GuardedConsumer, HiccupMeter,
    HostCores, PlannedCore, WatchdogHandle, WatchdogOptions, look_pause,
};
use crate::telemetry::{
    Collector, CollectorOptions, DeadLetterFile, FileLimits, GAUGE_PREFIX, HlogWriter, LetterNames,
    LetterVenue, LogDrain, LogLanes, LogRecord, RunFile,
};
use crate::venue::registry::VenueKind;
use crate::world::Files;

/// The venues as dead letters name them.
fn letter_venues(config: &Config) -> Vec<LetterVenue> {
    let kinds = VenueKind::of_venues(config);
    let named = config.venue_names().into_iter().zip(kinds);
    named.map(|(name, kind)| LetterVenue { name, kind: kind.name }).collect()
}

/// Makes a folder for this run alone: two engines that start in one millisecond share none.
fn make_run_folder(files: &Files, base: &Path, stamp_ms: i64) -> Result<PathBuf, LaunchError> {
    let failed = |path: &Path, source| LaunchError::RunDir { path: path.to_owned(), source };
    files.make_private_folder(base).map_err(|source| failed(base, source))?;
    let mut number = 0;
    loop {
        let name = match number {
            0 => format!("run-{stamp_ms}"),
            number => format!("run-{stamp_ms}-{number}"),
        };
        let path = base.join(name);
        match files.make_new_folder(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(failed(&path, source)),
        }
    }
}

/// What a core runs.
#[derive(Default)]
struct Placed {
    agents: Vec<Box<dyn Agent>>,
    consumers: Vec<(Box<dyn Agent>, GuardedConsumer)>,
}

impl Assembly<'_> {
    /// Opens the files, starts housekeeping, then the cores.
    pub(super) fn start(
        mut self,
        plan: CorePlan,
        flips: Flips,
        options: &LaunchOptions,
    ) -> Result<Engine, LaunchError> {
        let files = self.world.files.clone();
        let started_ns = self.clock.wall_at_ns(0);
        let run_dir = make_run_folder(&files, &self.config.engine.run_dir, started_ns / 1_000_000)?;
        let started = SystemTime::UNIX_EPOCH + Duration::from_nanos(started_ns.unsigned_abs());
        let hlog = if self.config.telemetry.hlog {
            let header = run_header(&plan, self.config, &offered(self.config));
            Some(HlogWriter::create(&files, &run_dir.join("latency.hlog"), started, &header)?)
        } else {
            None
        };
        let routes = Arc::clone(flips.routes());
        let socket = control::bind(self.config, &run_dir)?;
        let mut cores: Vec<(CoreOptions, PlannedCore)> = Vec::new();
        let mut log_lanes = Vec::new();
        for (planned, parking) in plan.cores.iter().zip(std::mem::take(&mut self.parking)) {
            let (log, log_end) = self.lane(format!("log:{}", planned.name), self.config.lanes.log);
            log_lanes.push((planned.name.clone(), log_end));
            cores.push((self.core_options(planned, parking, log)?, planned.clone()));
        }
        let logs = LogLanes::new(self.config.lanes.log);
        let links = self.probes.iter().map(|(link, _)| Arc::clone(link)).collect();
        let steady = SteadyState::new();
        let is_of_events = |gauge: &&LaneGauge| !gauge.name().starts_with("log:");
        let readings = Arc::new(std::mem::take(&mut self.readings));
        let gauges: Vec<LaneGauge> = readings.lanes.iter().filter(is_of_events).cloned().collect();
        let consumers = self.consumer_names();
        let housekeeping = Housekeeping {
            logs: LogDrain::new(log_lanes, logs.clone()),
            failures: self.failures,
            letters: DeadLetterFile::new(
                RunFile::new(
                    &files,
                    &run_dir.join("dead_letters.jsonl"),
                    FileLimits::DEFAULT,
                    Vec::new(),
                ),
                self.clock.clone(),
                self.letters,
                LetterNames { venues: letter_venues(self.config), consumers },
                self.quarantine.last_resort().clone(),
            ),
            collector: Collector::new(CollectorOptions {
                links: self.probes,
                gauges: gauges
                    .iter()
                    .map(|gauge| {
                        let name = format!("{GAUGE_PREFIX}{}", gauge.name());
                        (name, gauge.capacity() as u64)
                    })
                    .collect(),
                hlog,
                started_ns: self.clock.now_ns(),
            }),
            gauges,
            flips: routes.latencies(),
            clock: self.clock.clone(),
            interval_ns: self.config.telemetry.interval_ms * 1_000_000,
            warm_up_ns: self.clock.now_ns() + self.config.engine.warm_up_ms * 1_000_000,
            steady: Arc::clone(&steady),
            wakers: self.wakers.clone(),
            pause: look_pause(plan.profile),
            holds_letters: options.holds_letters,
        };
        let last = housekeeping.collector.last();
        // Started before the cores: threads inherit the mask, and this one must not be pinned.
        let housekeeping = HousekeepingHandle::start(housekeeping)
            .map_err(|source| LaunchError::Thread { name: "housekeeping".to_owned(), source })?;
        let controller = Controller::new(
            self.control,
            flips,
            self.config.venue_names().len(),
            self.clock.clone(),
            look_pause(plan.profile),
        );
        let controller = match ControllerHandle::start(controller) {
            Ok(controller) => controller,
            Err(source) => {
                let _its_files_are_closed = housekeeping.stop(HALT_GRACE);
                return Err(LaunchError::Thread { name: "controller".to_owned(), source });
            }
        };
        let reader = control::reader(ReaderSources {
            config: self.config,
            run_dir: &run_dir,
            plan: &plan,
            readings: &readings,
            clock: &self.clock,
            quarantine: &self.quarantine,
            switch: &self.switch,
            routes: &routes,
            last,
            steady: &steady,
        });
        let last_resort = self.quarantine.last_resort().clone();
        let mut watchdog = WatchdogOptions {
            cores: Vec::new(),
            loose_cores: plan.loose_cores(&HostCores::read()),
            has_room: plan.has_room(&HostCores::read()),
            yield_ban: self.yield_ban.clone(),
            quarantine_after_ns: self.config.engine.quarantine_after_ms * 1_000_000,
            quarantine: self.quarantine,
            logs,
            clock: self.clock.clone(),
            takes_nothing: options.takes_nothing,
        };
        let desk = OperatorDesk::new(DeskParts {
            reader,
            routes: Arc::clone(&routes),
            trading: self.switch.clone(),
            quarantine: watchdog.quarantine.clone(),
            switches: readings.switches.clone(),
            stop: self.stop.clone(),
            wakers: self.wakers.clone(),
        });
        let mut engine = Engine::new(EngineParts {
            watchdog: None,
            plan,
            clock: self.clock,
            stop: self.stop,
            readings,
            closings: self.closings,
            last_resort,
            links,
            steady,
            housekeeping,
            venue_threads: self.threads,
            wakers: self.wakers,
            routes,
            controller,
            socket: None,
            drain_deadline: Duration::from_millis(self.config.engine.drain_deadline_ms),
        });
        for (options, planned) in cores {
            match CoreHandle::start(options) {
                Ok((core, watched)) => {
                    engine.add_core(core);
                    watchdog.cores.extend(watched);
                }
                Err(source) => {
                    engine.abandon();
                    return Err(LaunchError::Thread { name: planned.name, source });
                }
            }
        }
        match WatchdogHandle::start(watchdog) {
            Ok(watchdog) => engine.set_watchdog(watchdog),
            Err(source) => {
                engine.abandon();
                return Err(LaunchError::Thread { name: "watchdog".to_owned(), source });
            }
        }
        match socket.map(|socket| socket.serve(Box::new(desk))).transpose() {
            Ok(socket) => socket.into_iter().for_each(|socket| engine.set_socket(socket)),
            Err(source) => {
                engine.abandon();
                return Err(LaunchError::Thread { name: "control".to_owned(), source });
            }
        }
        Ok(engine)
    }

    /// A core's agents in their order, consumers apart.
    fn take_agents(&mut self, roles: &[AgentRole]) -> Placed {
        let mut placed = Placed::default();
        for role in roles {
            // A synthetic venue's one agent has both roles of a venue: the second finds nothing. Of
            // a venue's market, each connection has an agent.
            while let Some(index) = self.agents.iter().position(|(of, _)| of == role) {
                let agent = self.agents.remove(index).1;
                match role {
                    AgentRole::Consumer(consumer) => {
                        placed.consumers.push((agent, self.guarded[*consumer].clone()));
                    }
                    _ => placed.agents.push(agent),
                }
            }
        }
        placed
    }

    fn core_options(
        &mut self,
        planned: &PlannedCore,
        parking: CoreParking,
        log: Publisher<LogRecord>,
    ) -> Result<CoreOptions, LaunchError> {
        let rehearsal = match planned.idle {
            // It sleeps when there is nothing to do.
            IdleStrategy::Park => None,
            IdleStrategy::Spin | IdleStrategy::SpinThenYield { .. } => {
                rehearsal(&planned.agents, &self.clock)?
            }
        };
        let Placed { agents, consumers } = self.take_agents(&planned.agents);
        let hiccups = HiccupMeter::new(&planned.name, self.clock.clone());
        self.probes.push(hiccups.link());
        Ok(CoreOptions {
            name: planned.name.clone(),
            core: if self.config.cores.pin { planned.core } else { None },
            idle: planned.idle,
            agents,
            consumers,
            parking,
            alone: self.alone.clone(),
            yield_ban: self.yield_ban.clone(),
            wakers: self.wakers.clone(),
            log,
            stop: self.stop.clone(),
            clock: self.clock.clone(),
            hiccups,
            rehearsal,
        })
    }
}
