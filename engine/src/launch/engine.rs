//! The running engine: one owner of every thread, until it is stopped.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pitlane_ring::PoolGauge;

use super::account::Account;
use super::housekeeping::{HousekeepingHandle, SteadyState};
use super::venue_threads::VenueThreads;
use crate::control::{
    ControlSocket, ControllerHandle, FlipError, Request, RouteChange, Routes, RoutesDifference,
    RoutesView, RoutingChange,
};
use crate::dispatcher::order::StreamCounts;
use crate::dispatcher::{FlipOutcome, RouteKey};
use crate::orchestrator::merge::MergePort;
use crate::pipeline::{Closings, LiveStatus, Readings};
use crate::report::{
    DeadLetterReport, LaneReport, PoolReport, RecordingReport, Report, RoutingReport, ThreadReport,
};
use crate::runtime::{
    Clock, CoreHandle, CorePlan, CoreWakers, Demotion, Phase, StopSignal, WatchdogHandle,
};
use crate::safety::LastResort;
use crate::telemetry::{HistogramSet, HlogWriter, ProbeLink};
use crate::venue::simulated::RecordedSession;

/// Pause between two looks at threads that are ending.
const JOIN_PAUSE: Duration = Duration::from_millis(1);

/// Time that threads get after the deadline, once every loop was told to end.
pub(super) const HALT_GRACE: Duration = Duration::from_millis(500);

/// What an [`Engine`] is made of.
pub(super) struct EngineParts {
    /// Started last, when there is something to watch.
    pub(super) watchdog: Option<WatchdogHandle>,
    pub(super) plan: CorePlan,
    pub(super) clock: Clock,
    pub(super) stop: StopSignal,
    pub(super) readings: Arc<Readings>,
    pub(super) closings: Closings,
    pub(super) last_resort: LastResort,
    pub(super) links: Vec<Arc<ProbeLink>>,
    pub(super) steady: Arc<SteadyState>,
    pub(super) housekeeping: HousekeepingHandle,
    pub(super) venue_threads: VenueThreads,
    pub(super) wakers: CoreWakers,
    pub(super) routes: Arc<Routes>,
    pub(super) controller: ControllerHandle,
    /// Started last, where there is one.
    pub(super) socket: Option<ControlSocket>,
    pub(super) drain_deadline: Duration,
}

/// How far a recording has been taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingProgress {
    /// Frames of the recording.
    pub frames: u64,
    /// Frames decoded or refused.
    pub taken: u64,
    /// Whether nothing more will come.
    pub is_over: bool,
}

/// What a report says where files could not be closed in order.
const HOUSEKEEPING_LOST: &str = "thread housekeeping did not end in time, or panicked: a file or disk takes nothing, and what \
     is in the files may be cut";

/// A running engine. Dropping it without [`Engine::stop`] stops it too, without a report.
pub struct Engine {
    parts: Option<EngineParts>,
    cores: Vec<CoreHandle>,
}

impl Engine {
    pub(super) fn new(parts: EngineParts) -> Engine {
        Engine { parts: Some(parts), cores: Vec::new() }
    }

    pub(super) fn add_core(&mut self, core: CoreHandle) {
        self.cores.push(core);
    }

    pub(super) fn set_watchdog(&mut self, watchdog: WatchdogHandle) {
        if let Some(parts) = &mut self.parts {
            parts.watchdog = Some(watchdog);
        }
    }

    /// The plan it runs by.
    #[must_use]
    pub fn plan(&self) -> Option<&CorePlan> {
        self.parts.as_ref().map(|parts| &parts.plan)
    }

    /// The threads as they run; pinning is read back from the system.
    #[must_use]
    pub fn threads(&self) -> Vec<ThreadReport> {
        let mut threads: Vec<ThreadReport> = self.cores.iter().map(thread_report).collect();
        if let Some(watchdog) = self.watchdog() {
            watchdog.with_started(|more| threads.extend(more.iter().map(thread_report)));
        }
        threads
    }

    /// Where the control socket listens; `None` when it is switched off.
    #[must_use]
    pub fn control_socket(&self) -> Option<&Path> {
        self.parts.as_ref()?.socket.as_ref().map(ControlSocket::path)
    }

    pub(super) fn set_socket(&mut self, socket: ControlSocket) {
        if let Some(parts) = &mut self.parts {
            parts.socket = Some(socket);
        }
    }

    fn watchdog(&self) -> Option<&WatchdogHandle> {
        self.parts.as_ref().and_then(|parts| parts.watchdog.as_ref())
    }

    /// Every consumer that has lost its place on a shared core so far, for a thread of its own.
    #[must_use]
    pub fn demotions(&self) -> Vec<Demotion> {
        self.watchdog().map(WatchdogHandle::demotions).unwrap_or_default()
    }

    /// Lanes with their slots, in the order of an event's way.
    pub fn lanes(&self) -> impl Iterator<Item = (&str, u64, usize)> {
        self.parts.iter().flat_map(|parts| parts.readings.lane_fill())
    }

    /// What became of events that were out of order in their streams.
    #[must_use]
    pub fn stream_counts(&self) -> StreamCounts {
        self.parts.as_ref().map(|parts| parts.readings.streams.read()).unwrap_or_default()
    }

    /// Pools of what is held across events, readable at any time (FR-023).
    pub fn pools(&self) -> impl Iterator<Item = &PoolGauge> {
        self.parts.iter().flat_map(|parts| &parts.readings.pools)
    }

    /// Whether an operator has asked for the end of the run: no new order leaves any more, open
    /// ones are being cancelled, and whoever owns the engine should [`Engine::stop`] it now.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.stop.is_killed())
    }

    /// Whether the run can only be stopped: a core has ended by itself, or trading was halted since
    /// a critical event could be stored nowhere.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let any = |cores: &[CoreHandle]| cores.iter().any(CoreHandle::is_finished);
        let is_halted = self.parts.as_ref().is_some_and(|parts| parts.last_resort.is_halted());
        is_halted
            || any(&self.cores)
            || self.watchdog().is_some_and(|watchdog| watchdog.with_started(any))
    }

    /// How far a recording has been taken in; `None` when none is played. It is over once every
    /// frame was sent and taken, and every snapshot that was asked for was answered, or nothing
    /// more can come.
    #[must_use]
    pub fn recording(&self) -> Option<RecordingProgress> {
        let parts = self.parts.as_ref()?;
        let recorded = parts.venue_threads.recorded()?;
        let frames = recorded.frames();
        let counters = parts.readings.intake();
        let taken = counters.decoded + counters.refused;
        let is_over = recorded.is_spent()
            || (recorded.frames_left() == 0
                && taken >= frames
                && counters.snapshots == counters.snapshots_answered);
        Some(RecordingProgress { frames, taken, is_over })
    }

    /// The routes in force, sorted by stream, then by consumer.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteKey> {
        self.routing().routes
    }

    /// The routes in force, the merge rules, and what is paused.
    #[must_use]
    pub fn routing(&self) -> RoutesView {
        self.parts.as_ref().map(|parts| parts.routes.view()).unwrap_or_default()
    }

    /// What became of the merge windows, readable at any time.
    #[must_use]
    pub fn merge_port(&self) -> Option<&MergePort> {
        self.parts.as_ref().map(|parts| parts.routes.merge_port())
    }

    /// Turns routes on and off in one flip, between two events of the dispatcher; see
    /// [`Engine::change`].
    ///
    /// # Errors
    /// [`FlipError`]; the routes before are in force.
    pub fn flip(&self, command_id: u64, changes: &[RouteChange]) -> Result<FlipOutcome, FlipError> {
        let changes: Vec<_> = changes.iter().copied().map(RoutingChange::Route).collect();
        self.change(command_id, &changes)
    }

    /// Changes the routes in one flip, all of it or nothing. Changes of other threads and
    /// strategies that come meanwhile share the next one. `command_id` comes back in the
    /// `ControlResult`s that the affected consumers get. Blocks for at most a second.
    ///
    /// # Errors
    /// [`FlipError`]; the routes before are in force.
    pub fn change(
        &self,
        command_id: u64,
        changes: &[RoutingChange],
    ) -> Result<FlipOutcome, FlipError> {
        let parts = self.parts.as_ref().ok_or(FlipError::Stopped)?;
        let request = Request { command_id, asker: None, changes: changes.to_vec() };
        parts.routes.change(request).map(|flipped| flipped.outcome)
    }

    /// What the changes would do, without doing it.
    ///
    /// # Errors
    /// As [`Engine::change`]; but that nothing would change is no error.
    pub fn preview(&self, changes: &[RoutingChange]) -> Result<RoutesDifference, FlipError> {
        self.parts.as_ref().ok_or(FlipError::Stopped)?.routes.preview(changes)
    }

    /// A reading for the status line.
    #[must_use]
    pub fn status(&self) -> LiveStatus {
        let Some(parts) = &self.parts else { return LiveStatus::default() };
        let is_halted = parts.last_resort.is_halted();
        LiveStatus { is_halted, ..parts.readings.live(parts.clock.now_ns()) }
    }

    /// Ends the run in order: venues stop taking market data, orders are wound down, everything in
    /// flight drains, consumers stop; after the deadline what has not stopped is left behind and
    /// named.
    #[must_use]
    pub fn stop(mut self) -> Option<Report> {
        let parts = self.parts.take()?;
        let duration_ns = parts.clock.now_ns();
        let allocations = parts.steady.allocations();
        // While the dispatcher still runs, so that every command gets its answer.
        let is_socket_whole = parts.socket.is_none_or(ControlSocket::stop);
        let is_controller_whole = parts.controller.stop();
        parts.stop.raise(Phase::Draining);
        parts.wakers.wake();
        let cores = std::mem::take(&mut self.cores);
        let left = wait(cores, parts.watchdog, &parts.stop, &parts.wakers, parts.drain_deadline);
        let mut threads: Vec<ThreadReport> = left.finished.iter().map(thread_report).collect();
        threads.extend(left.behind.iter().map(thread_report));
        threads.sort_by(|one, other| one.name.cmp(&other.name));
        let (hiccups, failures) = close(left.finished);
        let mut account = Account::take(&parts.closings);
        account.sets.extend(hiccups);
        account.notes.extend(failures);
        if !is_socket_whole {
            account.notes.push("thread control panicked".to_owned());
        }
        if !is_controller_whole {
            account.notes.push("thread controller panicked".to_owned());
        }
        let limits = parts.readings.allowances(&parts.clock);
        let penalties = parts.venue_threads.penalties();
        let recording = parts.venue_threads.recorded().map(recording_report);
        let (behind, failures) = parts.venue_threads.stop(parts.drain_deadline);
        account.notes.extend(failures);
        let mut housekeeping = parts.housekeeping.stop(parts.drain_deadline);
        if housekeeping.is_none() {
            account.notes.push(HOUSEKEEPING_LOST.to_owned());
        }
        if let Some(housekeeping) = &mut housekeeping {
            housekeeping.finish();
            account.collect(&mut housekeeping.collector, &parts.links, parts.clock.now_ns());
        }
        let books = account.books(&parts.readings.instruments);
        account.notes.splice(0..0, parts.plan.notes.iter().cloned());
        if parts.stop.is_killed() {
            account.notes.insert(0, "killed by an operator".to_owned());
        }
        let collector = housekeeping.as_ref().map(|h| &h.collector);
        let mut report = account.report(&parts.readings, collector, parts.clock.now_ns());
        report.lose(&parts.last_resort);
        report.books = books;
        report.lanes = parts.readings.lanes.iter().map(LaneReport::of).collect();
        report.pools = parts.readings.pools.iter().map(PoolReport::of).collect();
        report.slots_owned = report.lanes.iter().map(|lane| lane.in_flight).sum::<u64>()
            + report.pools.iter().map(|pool| pool.in_use).sum::<u64>();
        report.duration_ns = duration_ns;
        report.routing = RoutingReport::of(&parts.routes.view());
        if let Some(housekeeping) = &mut housekeeping {
            housekeeping.collector.note(&achieved(&report));
        }
        report.allocations_steady_state = allocations;
        for consumer in &mut report.consumers {
            let thread = threads.iter().find(|thread| thread.agents.contains(&consumer.name));
            consumer.core = thread.and_then(|thread| thread.core);
        }
        report.threads = threads;
        report.demotions = left.demotions;
        let names = left.behind.iter().map(|core| core.name().to_owned());
        report.threads_left_behind = names.chain(behind).collect();
        if let Some(housekeeping) = &housekeeping {
            report.dead_letters = DeadLetterReport {
                written: housekeeping.letters.written(),
                dropped: parts.readings.letters_dropped(),
                failed: housekeeping.letters.failures(),
                suppressed: housekeeping.letters.suppressed(),
                path: housekeeping.letters.path().map(|path| path.display().to_string()),
            };
            report.order_log = housekeeping.order_log.report();
            report.hlog_failed = housekeeping.collector.hlog().map_or(0, HlogWriter::failures);
        }
        report.recording = recording;
        report.limits = limits;
        report.penalties = penalties.values().sum();
        report.penalties_by_limit = penalties;
        report.findings = report.findings();
        Some(report)
    }
}

fn recording_report(recorded: &RecordedSession) -> RecordingReport {
    let frames = recorded.frames();
    RecordingReport {
        frames,
        played: frames - recorded.frames_left(),
        left_out: recorded.left_out(),
        notes: recorded.notes().to_vec(),
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            parts.stop.raise(Phase::Halted);
            parts.wakers.wake();
            let _is_whole = parts.socket.is_none_or(ControlSocket::stop);
            let _is_whole = parts.controller.stop();
            let cores = std::mem::take(&mut self.cores);
            let left = wait(cores, parts.watchdog, &parts.stop, &parts.wakers, HALT_GRACE);
            drop(close(left.finished));
            drop(parts.venue_threads.stop(HALT_GRACE));
            drop(parts.housekeeping.stop(HALT_GRACE));
        }
    }
}

/// Joins the threads, then closes their agents: what is left in a lane can only be counted when
/// nobody writes there. Hiccups that were not collected, and what went wrong.
fn close(cores: Vec<CoreHandle>) -> (Vec<HistogramSet>, Vec<String>) {
    let (mut agents, mut hiccups, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for core in cores {
        match core.join() {
            Ok(ended) => {
                hiccups.extend(ended.hiccups.map(|set| *set));
                agents.extend(ended.agents);
            }
            Err(failure) => failures.push(failure),
        }
    }
    agents.into_iter().for_each(|agent| agent.on_close());
    (hiccups, failures)
}

fn thread_report(core: &CoreHandle) -> ThreadReport {
    ThreadReport {
        name: core.name().to_owned(),
        core: core.core(),
        pinned: core.pinned(),
        idle: core.idle().to_string(),
        agents: core.agents().to_vec(),
    }
}

struct Waited {
    finished: Vec<CoreHandle>,
    behind: Vec<CoreHandle>,
    demotions: Vec<Demotion>,
}

/// Waits until every thread has ended, or the deadline and the grace after it are over (FR-022).
/// The watchdog goes on until then: a callback can stall while everything drains.
#[allow(clippy::disallowed_methods, reason = "waits for threads of the real world")]
fn wait(
    mut cores: Vec<CoreHandle>,
    watchdog: Option<WatchdogHandle>,
    stop: &StopSignal,
    wakers: &CoreWakers,
    deadline: Duration,
) -> Waited {
    let mut waited = Waited { finished: Vec::new(), behind: Vec::new(), demotions: Vec::new() };
    let mut watchdog = watchdog;
    let started = Instant::now();
    loop {
        cores.extend(watchdog.iter().flat_map(WatchdogHandle::take_started));
        let (done, running): (Vec<_>, Vec<_>) =
            cores.into_iter().partition(CoreHandle::is_finished);
        waited.finished.extend(done);
        cores = running;
        if cores.is_empty() || started.elapsed() > deadline + HALT_GRACE {
            // What it handed over at the very last still has to end.
            let Some((handed_over, demotions)) = watchdog.take().map(WatchdogHandle::stop) else {
                break;
            };
            waited.demotions = demotions;
            cores.extend(handed_over);
            continue;
        }
        if started.elapsed() > deadline {
            stop.raise(Phase::Halted);
            wakers.wake();
        }
        std::thread::sleep(JOIN_PAUSE);
    }
    waited.behind = cores;
    waited
}

/// What came of the load, for the end of the interval log.
fn achieved(report: &Report) -> String {
    let (events, ns) = (u128::from(report.events_published), u128::from(report.duration_ns));
    format!("Achieved: {} events/s over {} ms", events * 1_000_000_000 / ns.max(1), ns / 1_000_000)
}
