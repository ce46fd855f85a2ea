//! A live engine that keeps what enters it: all agents on one pinned thread, in real time.
//!
//! What is on the tape is what that thread was given: its clock, its sockets, names, and what
//! operators ask for, each at its place among the duty cycles. A thread beside it takes the record
//! to the disk; another serves the control socket, and has the engine's thread carry out what
//! changes anything. Nothing waits for the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pitlane_ring::{LaneOptions, lane};

use super::options::{LaunchError, LaunchOptions, OwnVenue};
use super::recorded_desk::{Mail, MailDesk, Mails};
use super::replay::{RunHead, THREAD, engine_on_tape, plan_on_one_core};
use super::scheduled::{OfThread, Scheduled};
use crate::config::{Config, CoresConfig, Profile};
use crate::consumer::{StrategyRegistry, install_panic_hook};
use crate::control::{BoundSocket, ControlSocket, OperatorDesk};
use crate::journal::is_journal_file;
use crate::pipeline::{LiveStatus, Readings};
use crate::report::{Report, RunRecordReport, ThreadReport};
use crate::runtime::{
    Agent, Beside, BesideThread, Clock, CorePlan, HoldRates, HostCores, LiveThread, StopSignal, pin,
};
use crate::safety::LastResort;
use crate::telemetry::{LogDrain, LogLanes, attach_thread, detach_thread, install_logger};
use crate::venue::registry::VenueKind;
use crate::world::tape::{self, Pen, Tape, TapeDrain, TapeError, TapeFolder, TapeState, Writer};
use crate::world::{Files, Spawn, World, start_thread, wait_until};

/// Blocks of 4 KiB on their way to the disk: 1 MiB, three seconds at 1,000 events a second.
const RING_BLOCKS: usize = 256;
/// What is kept is on its way to the disk after so long, ns.
const FLUSH_NS: u64 = 1_000_000_000;
/// Between two polls of the ring, ns.
const DRAIN_NS: u64 = 5_000_000;
/// From the last change of routes to the end of intake, and from the last call to the end, ns.
const SETTLE_NS: u64 = 1_000_000;
const HALT_GRACE_NS: u64 = 500_000_000;
/// How long a thread that has failed to start is waited for.
const START_GRACE: Duration = Duration::from_secs(2);

/// What is to be kept of a run.
#[derive(Clone, Debug)]
pub struct RecordRun {
    /// A folder that is not there yet.
    pub folder: PathBuf,
    /// All files together; then the record ends, and the run goes on.
    pub bytes_max: u64,
}

/// A running engine that is recorded. Dropping it without [`RecordedEngine::stop`] stops it too,
/// without a report.
pub struct RecordedEngine {
    /// `None` once it was stopped.
    thread: Option<JoinHandle<Option<Report>>>,
    owner: Owner,
    socket: Option<ControlSocket>,
}

/// What is known of the engine outside of its thread.
struct Owner {
    mails: Mails,
    readings: Arc<Readings>,
    stop: StopSignal,
    last_resort: LastResort,
    clock: Clock,
    state: TapeState,
    deadline: Duration,
    /// What listens for operators, and reads for it, until it is served.
    bound: Option<(BoundSocket, OperatorDesk)>,
}

/// Starts an engine that is recorded.
///
/// # Errors
/// As [`super::launch`]; or that the configuration gives it more than one core.
pub fn launch_recorded(
    mut config: Config,
    registry: &StrategyRegistry,
    options: LaunchOptions,
    record: RecordRun,
) -> Result<RecordedEngine, LaunchError> {
    install_logger();
    install_panic_hook();
    if options.own_venue == OwnVenue::Simulated {
        VenueKind::settle(&mut config);
    }
    let core = the_core(&config)?;
    let registry = registry.clone();
    let (to_owner, made) = channel();
    let run = move || run(&config, &registry, &options, &record, core, to_owner);
    let failed = |source| LaunchError::Thread { name: THREAD.to_owned(), source };
    let thread = start_thread(THREAD, run).map_err(failed)?;
    let made = made.recv().unwrap_or_else(|_| Err(failed(std::io::Error::other("it panicked"))));
    match made {
        Ok(owner) => {
            let mut engine = RecordedEngine { thread: Some(thread), owner, socket: None };
            engine.serve()?;
            Ok(engine)
        }
        Err(error) => {
            // It says its last.
            let _ = wait_until(START_GRACE, || thread.is_finished());
            Err(error)
        }
    }
}

/// The core of the thread; `None` where nothing is pinned.
fn the_core(config: &Config) -> Result<Option<usize>, LaunchError> {
    let plan = CorePlan::make(config, &HostCores::read())?;
    let CoresConfig { dispatch, consumers, pin } = &config.cores;
    let first = plan.cores.first().and_then(|core| core.core);
    let core = dispatch.or(consumers.as_ref().and_then(|cores| cores.first().copied())).or(first);
    let others = consumers.iter().flatten().find(|consumer| Some(**consumer) != core);
    if let Some(other) = others {
        let problem = format!("core {other} beside core {}", core.unwrap_or_default());
        let allowed = "one core for all: a run is recorded on one thread";
        return Err(config.error_at("cores.consumers", &problem, allowed).into());
    }
    Ok(core.filter(|_| *pin))
}

impl RecordedEngine {
    /// Serves the control socket, where the configuration wants one.
    fn serve(&mut self) -> Result<(), LaunchError> {
        let Some((socket, reader)) = self.owner.bound.take() else { return Ok(()) };
        let desk = MailDesk { reader, mails: self.owner.mails.clone() };
        let served = socket.serve(Box::new(desk), self.owner.clock.clone());
        let failed = |source| LaunchError::Thread { name: "control".to_owned(), source };
        self.socket = Some(served.map_err(failed)?);
        Ok(())
    }

    /// A reading for the status line.
    #[must_use]
    pub fn status(&self) -> LiveStatus {
        let Owner { readings, clock, last_resort, .. } = &self.owner;
        LiveStatus { is_halted: last_resort.is_halted(), ..readings.live(clock.now_ns()) }
    }

    /// Whether an operator has asked for the end of the run.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.owner.stop.is_killed() || self.owner.mails.is_killed()
    }

    /// Whether the run can only be stopped.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let is_over = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        is_over || self.owner.last_resort.is_halted()
    }

    /// How the record stands.
    #[must_use]
    pub fn record(&self) -> &TapeState {
        &self.owner.state
    }

    /// Where the control socket listens; `None` when it is switched off.
    #[must_use]
    pub fn control_socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(ControlSocket::path)
    }

    /// Ends the run in order, as [`super::Engine::stop`] does; `None` when its thread does not come
    /// back, or has panicked.
    #[must_use]
    pub fn stop(mut self) -> Option<Report> {
        self.end()
    }

    fn end(&mut self) -> Option<Report> {
        let thread = self.thread.take()?;
        let deadline = self.owner.deadline;
        // Before anybody is waited for: from here on no new order leaves.
        self.owner.mails.stop();
        let is_socket_whole = self.socket.take().is_none_or(|socket| socket.stop(deadline));
        let most = deadline * 3 + Duration::from_secs(2);
        if !wait_until(most, || thread.is_finished()) {
            return None;
        }
        let mut report = thread.join().ok()??;
        if !is_socket_whole {
            report.notes.push("thread control did not end in time, or panicked".to_owned());
        }
        Some(report)
    }
}

impl Drop for RecordedEngine {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// Takes the record to the disk, and the log lines of the engine's thread to the log.
struct DrainAgent {
    drain: TapeDrain,
    logs: LogDrain,
    clock: Clock,
    next_ns: u64,
}

impl Agent for DrainAgent {
    fn name(&self) -> &str {
        "record"
    }

    fn duty_cycle(&mut self) -> usize {
        let work = self.drain.drain() + self.logs.drain();
        self.next_ns = self.clock.now_ns() + DRAIN_NS;
        work
    }

    fn next_timer_ns(&self) -> u64 {
        self.next_ns
    }

    fn is_done(&self) -> bool {
        self.drain.is_over()
    }

    /// Lines that came before the record was over, and were not seen yet.
    fn on_close(mut self: Box<Self>) {
        let _lines = self.logs.drain();
    }
}

/// The engine's thread: makes the engine, runs it to its end, and reports.
fn run(
    config: &Config,
    registry: &StrategyRegistry,
    options: &LaunchOptions,
    record: &RecordRun,
    core: Option<usize>,
    to_owner: Sender<Result<Owner, LaunchError>>,
) -> Option<Report> {
    let Made { thread, engine, mails, recording, owner } =
        match make(config, registry, options, record, core) {
            Ok(made) => made,
            Err(error) => {
                // Nobody may be there.
                let _ = to_owner.send(Err(error));
                return None;
            }
        };
    let pinned = pin(core);
    let clock = owner.clock.clone();
    let deadline_ns = owner.deadline.as_nanos() as u64;
    let spins = config.engine.profile == Profile::Latency;
    to_owner.send(Ok(owner)).ok()?;
    let mut live = Live { thread, engine, mails, clock, deadline_ns, stopping: None, flush_ns: 0 };
    live.run(spins);
    let Live { thread, engine, .. } = live;
    let behind = thread.unfinished().map(str::to_owned).collect();
    let agents = thread.names().map(str::to_owned).collect();
    let (record, notes) = recording.end(&record.folder);
    let idle = if spins { "spin" } else { "park" }.to_owned();
    let threads = vec![ThreadReport { name: THREAD.to_owned(), core, pinned, idle, agents }];
    let record = Some(record);
    let of = OfThread { behind, notes, threads, record, counts_allocations: true };
    Some(engine.finish(thread.into_agents(), of))
}

/// What takes the record of the engine's thread to the disk, until the end or a panic of that.
struct Recording {
    drain: Option<BesideThread>,
    state: TapeState,
    deadline: Duration,
}

impl Recording {
    /// Ends the record in order: what is kept, and what went wrong.
    fn end(mut self, folder: &Path) -> (RunRecordReport, Vec<String>) {
        tape::end();
        let sums = tape::sums().unwrap_or_default();
        let notes = self.close().into_iter().collect();
        let state = &self.state;
        let record = RunRecordReport {
            path: folder.display().to_string(),
            bytes: state.bytes(),
            ended_early: state.ended_early().map(str::to_owned),
            has_failed: state.is_lossy(),
            hash: sums.hash(),
            sums,
        };
        (record, notes)
    }

    /// Waits until all that was noted is on the disk; what went wrong.
    fn close(&mut self) -> Option<String> {
        let drain = self.drain.take()?;
        detach_thread();
        drop(tape::detach());
        let problem = match wait_until(self.deadline, || drain.is_finished()) {
            true => drain.join().err(),
            false => Some("thread record did not end in time: its disk takes nothing".to_owned()),
        };
        if problem.is_some() {
            self.state.loses_its_end();
        }
        problem
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(problem) = self.close() {
            log::error!("[replay] {problem}");
        }
    }
}

/// An engine on its thread, and its owner's part.
struct Made {
    thread: LiveThread,
    engine: Scheduled,
    mails: Receiver<Mail>,
    recording: Recording,
    owner: Owner,
}

fn make(
    config: &Config,
    registry: &StrategyRegistry,
    options: &LaunchOptions,
    record: &RecordRun,
    core: Option<usize>,
) -> Result<Made, LaunchError> {
    let world = World::real().map_err(LaunchError::World)?;
    let above = tape::missing_above(&Files::Real, &record.folder);
    let forget_above = || {
        let _hold_more =
            above.iter().try_for_each(|folder| Files::Real.remove_empty_folder(folder));
    };
    let folder = TapeFolder::create(&world.files, &record.folder, record.bytes_max);
    let folder = folder.inspect_err(|_| forget_above())?;
    let made = make_recorded(config, registry, (world, options), folder, core);
    if made.is_err() {
        tape::remove_record(&Files::Real, &record.folder);
        forget_above();
    }
    made
}

fn make_recorded(
    config: &Config,
    registry: &StrategyRegistry,
    (mut world, options): (World, &LaunchOptions),
    folder: TapeFolder,
    core: Option<usize>,
) -> Result<Made, LaunchError> {
    let (clock, deadline) =
        (world.clock.clone(), Duration::from_millis(config.engine.drain_deadline_ms));
    let (writer, drain) = begin_record(config, &world, folder)?;
    let state = writer.state();
    let (log, log_end) =
        lane(LaneOptions { name: format!("log:{THREAD}"), capacity: config.lanes.log });
    let logs = LogDrain::new(vec![(THREAD.to_owned(), log_end)], LogLanes::new(config.lanes.log));
    let drain = DrainAgent { drain, logs, clock: clock.clone(), next_ns: 0 };
    let place = Beside::without_sockets().map_err(no_drain)?;
    let drain = place.start("record", Box::new(drain), clock.clone()).map_err(no_drain)?;
    let recording = Recording { drain: Some(drain), state: state.clone(), deadline };
    attach_thread(log);
    tape::attach(Tape::Recording(writer));
    (world.clock, world.net, world.spawn) = (clock.taped(), world.net.taped(), Spawn::LiveThread);
    let mut cores = plan_on_one_core(config)?;
    cores.cores.iter_mut().for_each(|planned| planned.core = core);
    let holds = HoldRates::default();
    let (thread, mut engine) =
        engine_on_tape(config, registry, world, (options, holds), (clock.clone(), &cores))?;
    let (to_thread, mails) = Mails::new(thread.waker());
    let owner = Owner {
        mails: to_thread,
        readings: Arc::clone(&engine.readings),
        stop: engine.stop.clone(),
        last_resort: engine.quarantine.last_resort().clone(),
        clock,
        state,
        deadline,
        bound: engine.socket.take(),
    };
    Ok(Made { thread, engine, mails, recording, owner })
}

/// The record with what the run is and what it reads at its start, which may be much: only behind
/// that nothing waits for the disk.
fn begin_record(
    config: &Config,
    world: &World,
    folder: TapeFolder,
) -> Result<(Writer, TapeDrain), LaunchError> {
    let mut writer = Writer::new(Pen::to_folder(folder));
    writer.head(&head(config, world)?);
    for path in files_at_start(config) {
        if let Ok(bytes) = world.files.read(&path) {
            writer.file(&path, &bytes);
        }
    }
    let drain = writer.through_ring(RING_BLOCKS);
    let drain = drain.ok_or_else(|| no_drain(std::io::Error::other("there is one already")))?;
    Ok((writer, drain))
}

fn no_drain(source: std::io::Error) -> LaunchError {
    LaunchError::Thread { name: "record".to_owned(), source }
}

/// What the run is. No key is in it.
fn head(config: &Config, world: &World) -> Result<String, TapeError> {
    let mut config = config.clone();
    config.venues.iter_mut().for_each(|venue| venue.api_key = None);
    let head = RunHead {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config: toml::to_string(&config).map_err(|error| TapeError::Head(error.to_string()))?,
        entropy: world.entropy.root(),
        wall_start_ns: world.clock.wall_at_ns(0),
    };
    serde_json::to_string(&head).map_err(|error| TapeError::Head(error.to_string()))
}

/// Files that an engine reads at its start and that change from run to run. Private keys are none
/// of them: a replay reads those where they are.
fn files_at_start(config: &Config) -> Vec<PathBuf> {
    let mut paths = vec![config.engine.run_dir.join("venue_pauses.json")];
    if let Some(journal) = &config.journal.dir {
        // Whatever else lies there is none of the engine's.
        let listed = Files::Real.list(journal).unwrap_or_default();
        paths.extend(listed.into_iter().filter(|path| is_journal_file(path)));
    }
    paths.extend(config.venues.iter().filter_map(|venue| venue.ca_file.clone()));
    paths
}

/// The engine at work.
struct Live {
    thread: LiveThread,
    engine: Scheduled,
    mails: Receiver<Mail>,
    /// As it is, beside the tape.
    clock: Clock,
    deadline_ns: u64,
    /// The next step of the stop, and when it is due, ns.
    stopping: Option<(u64, u64)>,
    /// When what is kept is sent on, ns.
    flush_ns: u64,
}

impl Live {
    fn run(&mut self, spins: bool) {
        loop {
            while let Ok(mail) = self.mails.try_recv() {
                self.carry_out(mail);
            }
            if self.stopping.is_some() && self.is_over() {
                return;
            }
            if self.thread.round() > 0 {
                continue;
            }
            let now_ns = self.clock.now_ns();
            if now_ns >= self.flush_ns {
                tape::flush();
                self.flush_ns = now_ns + FLUSH_NS;
            }
            self.thread.idle(spins);
        }
    }

    fn carry_out(&mut self, mail: Mail) {
        match mail {
            Mail::Request(request, claim, answer) if claim.take() => {
                // Nobody may wait any more.
                let _ = answer.send(self.engine.begin(*request));
            }
            Mail::Poll(number, claim, answer) if claim.take() => {
                // Nobody may wait any more.
                let _ = answer.send(self.engine.poll(number));
            }
            // Whoever asked has said that it does not happen.
            Mail::Request(..) | Mail::Poll(..) => {}
            Mail::Stop if self.stopping.is_none() => {
                self.engine.stop(0);
                self.stopping = Some((1, self.clock.now_ns() + SETTLE_NS));
            }
            Mail::Stop => {}
        }
    }

    /// Goes on with the stop; whether all has ended, or nothing more is waited for.
    fn is_over(&mut self) -> bool {
        let Some((step, due_ns)) = self.stopping else { return false };
        if step > 1 && self.thread.is_done() {
            return true;
        }
        let now_ns = self.clock.now_ns();
        if now_ns < due_ns {
            return false;
        }
        match step {
            1 => self.stopping = Some((2, now_ns + self.deadline_ns)),
            2 => self.stopping = Some((3, now_ns + HALT_GRACE_NS)),
            _ => return true,
        }
        self.engine.stop(step);
        false
    }
}
