//! From an assembly to running threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pitlane_ring::{Consumer, IdleStrategy, LaneGauge, Publisher};

use super::assemble::Assembly;
use super::control::{self, ReaderSources};
use super::engine::{Engine, EngineParts};
use super::housekeeping::{Housekeeping, HousekeepingHandle, SteadyState};
use super::journal_thread::JournalThread;
use super::memory::check_memory;
use super::options::{LaunchError, LaunchOptions, OwnVenue};
use super::pipeline_plan::pipeline_plan;
use super::rehearsal::rehearsal;
use super::run_header::{offered, run_header};
use super::shutdown::{HALT_GRACE, Threads};
use crate::config::Config;
use crate::consumer::{StrategyRegistry, install_panic_hook};
use crate::control::{
    BoundSocket, Controller, ControllerHandle, DeskParts, Flips, OperatorDesk, Routes,
};
use crate::order::order_log::{OrderLog, OrderLogNames};
use crate::pipeline::{Builder, Readings};
use crate::risk::RiskWatch;
use crate::runtime::{
    Agent, AgentRole, ContentionBook, CoreHandle, CoreOptions, CoreParking, CorePlan,
    GuardedConsumer, HiccupMeter, HostCores, HostLimits, Neighbours, PlannedCore, WatchdogHandle,
    WatchdogOptions, poll_pause,
};
use crate::safety::TradingSwitch;
use crate::telemetry::{
    Collector, CollectorOptions, DeadLetterFile, FileLimits, GAUGE_PREFIX, HlogWriter, LetterNames,
    LetterVenue, LogDrain, LogLanes, LogRecord, RunFile, install_logger,
};
use crate::venue::recorder::Recorder;
use crate::venue::registry::VenueKind;
use crate::world::World;

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
    mut config: Config,
    registry: &StrategyRegistry,
    mut options: LaunchOptions,
) -> Result<Engine, LaunchError> {
    install_logger();
    install_panic_hook();
    if options.own_venue == OwnVenue::Simulated {
        VenueKind::settle(&mut config);
    }
    // Listed before anything is pinned: afterwards a thread sees its own core only.
    let cores = CorePlan::make(&config, &HostCores::read())?;
    check_memory(&config, &cores, &HostLimits::read())?;
    let plan = pipeline_plan(&config, registry, &cores, &options)?;
    let world = World::real().map_err(LaunchError::World)?;
    let mut assembly = Assembly::new(&config, world, &plan, &cores)?;
    assembly.inspects_accounts = options.inspects_accounts;
    assembly.keeps_instrument_words = options.keeps_instrument_words;
    if let Some(recorded) = options.recorded.take() {
        assembly.threads.play(recorded);
    }
    if let Some(record) = options.record.take() {
        let (clock, files) = (assembly.builder.clock.clone(), assembly.world.files.clone());
        assembly.recorder = Some(Recorder::new(record, clock, files));
    }
    match assembly.build(plan, &options) {
        Ok(flips) => assembly.start(cores, flips, &options),
        Err(error) => {
            let _ignored = assembly.threads.stop(Duration::from_millis(config.session.rest_ms));
            Err(error)
        }
    }
}

/// The venues as dead letters name them.
fn letter_venues(config: &Config) -> Vec<LetterVenue> {
    let kinds = VenueKind::of_venues(config);
    let named = config.venue_names().into_iter().zip(kinds);
    named.map(|(name, kind)| LetterVenue { name, kind: kind.name }).collect()
}

fn started<T>(name: &str, thread: io::Result<T>) -> Result<T, LaunchError> {
    thread.map_err(|source| LaunchError::Thread { name: name.to_owned(), source })
}

/// What a core runs.
#[derive(Default)]
struct Placed {
    agents: Vec<Box<dyn Agent>>,
    consumers: Vec<(Box<dyn Agent>, GuardedConsumer)>,
}

/// By thread, the ends of the lanes that carry its log lines.
type LogEnds = Vec<(String, Consumer<LogRecord>)>;

impl Assembly<'_> {
    /// The folder of this run, and the interval log in it, if there is to be one.
    pub(super) fn run_files(
        &mut self,
        plan: &CorePlan,
    ) -> Result<(PathBuf, Option<HlogWriter>), LaunchError> {
        let run_dir = self.run_dir()?;
        let (config, files) = (self.config, &self.world.files);
        let started_ns = self.builder.clock.wall_at_ns(0);
        if !config.telemetry.hlog {
            return Ok((run_dir, None));
        }
        let started = SystemTime::UNIX_EPOCH + Duration::from_nanos(started_ns.unsigned_abs());
        let header = run_header(plan, config, &offered(config));
        let hlog = HlogWriter::create(files, &run_dir.join("latency.hlog"), started, &header)?;
        Ok((run_dir, Some(hlog)))
    }

    /// Opens the files, starts housekeeping and the controller, then the cores.
    pub(super) fn start(
        mut self,
        plan: CorePlan,
        flips: Flips,
        options: &LaunchOptions,
    ) -> Result<Engine, LaunchError> {
        let (run_dir, hlog) = self.run_files(&plan)?;
        let socket = control::bind(self.config, &run_dir)?;
        let routes = Arc::clone(flips.routes());
        let (cores, log_ends) = self.cores(&plan)?;
        let logs = LogLanes::new(self.config.lanes.log);
        let readings = Arc::new(std::mem::take(&mut self.builder.readings));
        let links = self.builder.probes.iter().map(|(link, _)| Arc::clone(link)).collect();
        let drain = LogDrain::new(log_ends, logs.clone());
        let mut housekeeping = self.housekeeping(&run_dir, hlog, drain, &readings, &routes);
        (housekeeping.pause, housekeeping.holds_letters) =
            (poll_pause(plan.profile), options.holds_letters);
        let (last, steady) = (housekeeping.collector.last(), Arc::clone(&housekeeping.steady));
        // Started before the cores: threads inherit the mask, and these must not be pinned.
        let housekeeping = started("housekeeping", HousekeepingHandle::start(housekeeping))?;
        let beside = self.start_beside(flips, &plan);
        let (controller, journal) = match beside {
            Ok(beside) => beside,
            Err(error) => {
                let _ignored = housekeeping.stop(HALT_GRACE);
                return Err(error);
            }
        };
        let watchdog = self.watchdog(&plan, logs, options.takes_nothing);
        let desk = self.desk(ReaderSources {
            config: self.config,
            run_dir: &run_dir,
            plan: &plan,
            readings: &readings,
            routes: &routes,
            last,
            steady: &steady,
        });
        let engine = Engine::new(EngineParts {
            plan,
            clock: self.builder.clock,
            stop: self.builder.stop,
            readings,
            closings: self.builder.closings,
            last_resort: self.builder.quarantine.last_resort().clone(),
            quarantine: self.builder.quarantine.clone(),
            trading: self.builder.switch.clone(),
            links,
            steady,
            wakers: self.wakers,
            routes,
            threads: Threads {
                cores: Vec::new(),
                watchdog: None,
                housekeeping,
                journal,
                controller,
                venues: self.threads,
                socket: None,
            },
            drain_deadline: Duration::from_millis(self.config.engine.drain_deadline_ms),
        });
        run(engine, cores, watchdog, socket, desk)
    }

    /// The cores with their agents, each with a lane for its log lines.
    fn cores(&mut self, plan: &CorePlan) -> Result<(Vec<CoreOptions>, LogEnds), LaunchError> {
        let (mut cores, mut log_ends) = (Vec::new(), Vec::new());
        for (planned, parking) in plan.cores.iter().zip(std::mem::take(&mut self.parking)) {
            let name = format!("log:{}", planned.name);
            let (log, log_end) = self.builder.lane(name, self.config.lanes.log);
            log_ends.push((planned.name.clone(), log_end));
            cores.push(self.core_options(planned, parking, log)?);
        }
        Ok((cores, log_ends))
    }

    pub(super) fn housekeeping(
        &mut self,
        run_dir: &Path,
        hlog: Option<HlogWriter>,
        logs: LogDrain,
        readings: &Readings,
        routes: &Routes,
    ) -> Housekeeping {
        let (builder, config) = (&mut self.builder, self.config);
        let is_of_events = |gauge: &&LaneGauge| !gauge.name().starts_with("log:");
        let gauges: Vec<LaneGauge> = readings.lanes.iter().filter(is_of_events).cloned().collect();
        let series = |gauge: &LaneGauge| {
            (format!("{GAUGE_PREFIX}{}", gauge.name()), gauge.capacity() as u64)
        };
        let consumers: Vec<String> =
            readings.consumers.iter().map(|consumer| consumer.name.clone()).collect();
        let order_names = OrderLogNames {
            consumers: consumers.clone(),
            venues: config.venue_names(),
            instruments: Arc::clone(&readings.instruments),
        };
        let names = LetterNames {
            venues: letter_venues(config),
            consumers,
            instruments: Arc::clone(&readings.instruments),
        };
        let letter_path = run_dir.join("dead_letters.jsonl");
        let letter_file =
            RunFile::new(&self.world.files, &letter_path, FileLimits::DEFAULT, Vec::new());
        let now_ns = builder.clock.now_ns();
        Housekeeping {
            logs,
            failures: std::mem::take(&mut builder.failures),
            pauses: self.pauses.take(),
            compactor: self.compactor.take(),
            states: self.states.take(),
            letters: DeadLetterFile::new(
                letter_file,
                builder.clock.clone(),
                std::mem::take(&mut builder.letters),
                names,
                builder.quarantine.last_resort().clone(),
            ),
            order_log: OrderLog::new(
                &self.world.files,
                run_dir,
                std::mem::take(&mut builder.order_logs),
                order_names,
                builder.clock.clone(),
                Arc::clone(&readings.open_orders),
            ),
            collector: Collector::new(CollectorOptions {
                links: std::mem::take(&mut builder.probes),
                gauges: gauges.iter().map(series).collect(),
                hlog,
                started_ns: now_ns,
            }),
            gauges,
            neighbours: Neighbours::new(readings.contention.clone()),
            flips: routes.latencies(),
            clock: builder.clock.clone(),
            interval_ns: config.telemetry.interval_ms * 1_000_000,
            warm_up_ns: now_ns + config.engine.warm_up_ms * 1_000_000,
            steady: SteadyState::new(),
            wakers: self.wakers.clone(),
            pause: Duration::ZERO,
            holds_letters: false,
        }
    }

    /// What else runs beside the cores.
    fn start_beside(
        &mut self,
        flips: Flips,
        plan: &CorePlan,
    ) -> Result<(ControllerHandle, Option<JournalThread>), LaunchError> {
        let (journal, clock) = (self.journal.take(), &self.builder.clock);
        let journal = journal.map(|parts| JournalThread::start(parts, clock.clone()));
        let journal = started("journal", journal.transpose())?;
        match self.start_controller(flips, plan) {
            Ok(controller) => Ok((controller, journal)),
            Err(error) => {
                // It was not used.
                let _ = journal.map(|journal| journal.stop(HALT_GRACE));
                Err(error)
            }
        }
    }

    fn start_controller(
        &mut self,
        flips: Flips,
        plan: &CorePlan,
    ) -> Result<ControllerHandle, LaunchError> {
        let (commands, venues) = (std::mem::take(&mut self.control), self.config.venue_names());
        let (clock, pause) = (self.builder.clock.clone(), poll_pause(plan.profile));
        let watched = self.watched();
        let controller = Controller::new(commands, flips, venues.len(), watched, clock, pause);
        started("controller", ControllerHandle::start(controller))
    }

    /// What the controller tells strategies of.
    pub(super) fn watched(&self) -> (TradingSwitch, RiskWatch) {
        let Builder { switch, risk, quarantine, .. } = &self.builder;
        (switch.clone(), RiskWatch::new(Arc::clone(risk), quarantine.clone()))
    }

    /// What carries out what operators ask for.
    pub(super) fn desk(&mut self, sources: ReaderSources<'_>) -> OperatorDesk {
        OperatorDesk::new(DeskParts {
            routes: Arc::clone(sources.routes),
            record: self.builder.control_record.take(),
            trading: self.builder.switch.clone(),
            recovery: Arc::clone(&sources.readings.recovery),
            quarantine: self.builder.quarantine.clone(),
            switches: sources.readings.switches.clone(),
            stop: self.builder.stop.clone(),
            wakers: self.wakers.clone(),
            reader: control::reader(sources, &self.builder),
        })
    }

    pub(super) fn watchdog(
        &self,
        plan: &CorePlan,
        logs: LogLanes,
        takes_nothing: bool,
    ) -> WatchdogOptions {
        WatchdogOptions {
            cores: Vec::new(),
            loose_cores: plan.loose_cores(&HostCores::read()),
            has_room: plan.has_room(&HostCores::read()),
            yield_ban: self.yield_ban.clone(),
            quarantine_after_ns: self.config.engine.quarantine_after_ms * 1_000_000,
            quarantine: self.builder.quarantine.clone(),
            logs,
            clock: self.builder.clock.clone(),
            takes_nothing,
        }
    }

    /// A core's agents in their order, consumers apart.
    fn take_agents(&mut self, roles: &[AgentRole]) -> Placed {
        let mut placed = Placed::default();
        for role in roles {
            // A synthetic venue's one agent has both roles of a venue: the second finds nothing. So
            // does the orchestrator's, which the dispatcher drives. Of a venue's market, each
            // connection has an agent.
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
                rehearsal(&planned.agents, &self.builder.clock)?
            }
        };
        let Placed { agents, consumers } = self.take_agents(&planned.agents);
        let hiccups = HiccupMeter::new(&planned.name, self.builder.clock.clone());
        self.builder.probes.push(hiccups.link());
        let core = if self.config.cores.pin { planned.core } else { None };
        let contention = ContentionBook::new(planned.name.clone(), core);
        self.builder.readings.contention.push(Arc::clone(&contention));
        Ok(CoreOptions {
            name: planned.name.clone(),
            core,
            idle: planned.idle,
            agents,
            consumers,
            parking,
            alone: self.alone.clone(),
            yield_ban: self.yield_ban.clone(),
            contention,
            wakers: self.wakers.clone(),
            log,
            stop: self.builder.stop.clone(),
            clock: self.builder.clock.clone(),
            hiccups,
            rehearsal,
        })
    }
}

/// Starts the cores, then what watches them, then who may ask. An engine that is dropped stops.
fn run(
    mut engine: Engine,
    cores: Vec<CoreOptions>,
    mut watchdog: WatchdogOptions,
    socket: Option<BoundSocket>,
    desk: OperatorDesk,
) -> Result<Engine, LaunchError> {
    let Some(threads) = engine.threads_mut() else { return Ok(engine) };
    for core in cores {
        let name = core.name.clone();
        let (core, watched) = started(&name, CoreHandle::start(core))?;
        threads.cores.push(core);
        watchdog.cores.extend(watched);
    }
    let clock = watchdog.clock.clone();
    threads.watchdog = Some(started("watchdog", WatchdogHandle::start(watchdog))?);
    let socket = socket.map(|socket| started("control", socket.serve(Box::new(desk), clock)));
    threads.socket = socket.transpose()?;
    Ok(engine)
}
