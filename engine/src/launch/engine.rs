//! The running engine: one owner of every thread, until it is stopped.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pitlane_ring::PoolGauge;

use super::conclusion::Conclusion;
use super::housekeeping::SteadyState;
use super::shutdown::{HALT_GRACE, Threads, thread_report};
use crate::control::{
    ControlSocket, FlipError, RouteChange, Routes, RoutesDifference, RoutesRequest, RoutesView,
    RoutingChange,
};
use crate::dispatcher::sequencing::StreamCounts;
use crate::dispatcher::{FlipOutcome, RouteKey};
use crate::orchestrator::merge::MergePort;
use crate::pipeline::{Closings, LiveStatus, Readings};
use crate::report::{Report, ThreadReport};
use crate::runtime::{
    Clock, CoreHandle, CorePlan, CoreWakers, Demotion, Phase, StopSignal, WatchdogHandle,
};
use crate::safety::{LastResort, Quarantine, TradingSwitch};
use crate::telemetry::ProbeLink;
use crate::venue::InstrumentWord;
use crate::venue::orders::AccountFound;
use crate::venue::recorder::RecorderTotals;

/// What an [`Engine`] is made of.
pub(super) struct EngineParts {
    pub(super) plan: CorePlan,
    pub(super) clock: Clock,
    pub(super) stop: StopSignal,
    pub(super) readings: Arc<Readings>,
    pub(super) closings: Closings,
    pub(super) last_resort: LastResort,
    pub(super) quarantine: Quarantine,
    pub(super) trading: TradingSwitch,
    pub(super) links: Vec<Arc<ProbeLink>>,
    pub(super) steady: Arc<SteadyState>,
    pub(super) wakers: CoreWakers,
    pub(super) routes: Arc<Routes>,
    pub(super) threads: Threads,
    pub(super) drain_deadline: Duration,
}

/// How far a recording has been taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingProgress {
    /// Frames of the recording.
    pub frames: u64,
    /// Frames of it that were decoded, refused, or known to be of no use.
    pub taken: u64,
    /// Whether nothing more will come.
    pub is_over: bool,
}

/// A running engine. Dropping it without [`Engine::stop`] stops it too, without a report.
pub struct Engine {
    parts: Option<EngineParts>,
}

impl Engine {
    pub(super) fn new(parts: EngineParts) -> Engine {
        Engine { parts: Some(parts) }
    }

    /// Its threads, for who starts them.
    pub(super) fn threads_mut(&mut self) -> Option<&mut Threads> {
        self.parts.as_mut().map(|parts| &mut parts.threads)
    }

    /// The plan it runs by.
    #[must_use]
    pub fn plan(&self) -> Option<&CorePlan> {
        self.parts.as_ref().map(|parts| &parts.plan)
    }

    /// The threads as they run; pinning is read back from the system.
    #[must_use]
    pub fn threads(&self) -> Vec<ThreadReport> {
        let cores = self.parts.iter().flat_map(|parts| &parts.threads.cores);
        let mut threads: Vec<ThreadReport> = cores.map(thread_report).collect();
        if let Some(watchdog) = self.watchdog() {
            watchdog.with_started(|more| threads.extend(more.iter().map(thread_report)));
        }
        threads
    }

    /// Where the control socket listens; `None` when it is switched off.
    #[must_use]
    pub fn control_socket(&self) -> Option<&Path> {
        self.parts.as_ref()?.threads.socket.as_ref().map(ControlSocket::path)
    }

    fn watchdog(&self) -> Option<&WatchdogHandle> {
        self.parts.as_ref().and_then(|parts| parts.threads.watchdog.as_ref())
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

    /// Whether an operator has asked for the end of the run: no new orders are sent, open
    /// ones are being cancelled, and whoever owns the engine should [`Engine::stop`] it now.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.stop.is_killed())
    }

    /// Whether the run can only be stopped: a core has ended by itself, or trading was halted since
    /// a critical event could not be stored anywhere.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let any = |cores: &[CoreHandle]| cores.iter().any(CoreHandle::is_finished);
        let has_failed =
            |parts: &EngineParts| parts.last_resort.is_halted() || any(&parts.threads.cores);
        self.parts.as_ref().is_some_and(has_failed)
            || self.watchdog().is_some_and(|watchdog| watchdog.with_started(any))
    }

    /// What is recorded; `None` where nothing is.
    #[must_use]
    pub fn recorder(&self) -> Option<RecorderTotals> {
        self.parts.as_ref()?.threads.venues.totals.clone()
    }

    /// What a venue of this name has said of its instruments, by its own names of them and in the
    /// order of the configuration; empty where it is not asked, or nobody wanted to know
    /// ([`LaunchOptions::keeps_instrument_words`](super::LaunchOptions)).
    #[must_use]
    pub fn instrument_words(&self, venue: &str) -> Vec<(String, InstrumentWord)> {
        let boards = self.parts.iter().flat_map(|parts| &parts.readings.instrument_boards);
        let its = boards.into_iter().find(|(name, _)| name == venue);
        its.map(|(_, board)| board.read()).unwrap_or_default()
    }

    /// What was found of the account at a venue of this name; `None` where nobody asks
    /// ([`LaunchOptions::inspects_accounts`](super::LaunchOptions)), or no orders are taken.
    #[must_use]
    pub fn account(&self, venue: &str) -> Option<AccountFound> {
        let boards = &self.parts.as_ref()?.readings.account_boards;
        let (_, board) = boards.iter().find(|(name, _)| name == venue)?;
        Some(board.read())
    }

    /// How far a recording has been taken in; `None` when none is played. It is over once every
    /// frame was sent and taken, and every snapshot that was asked for was answered, or nothing
    /// more can come.
    #[must_use]
    pub fn recording(&self) -> Option<RecordingProgress> {
        let parts = self.parts.as_ref()?;
        let recorded = parts.threads.venues.recorded()?;
        let frames = recorded.frames();
        let counters = parts.readings.intake();
        // Many frames of some venues tell nothing of a configured kind, and are no events.
        let all = counters.decoded + counters.refused + counters.control;
        let taken = all.saturating_sub(recorded.answers());
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
        let request = RoutesRequest { command_id, asker: None, changes: changes.to_vec() };
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
        // Before anybody is waited for: from here on no new order leaves, and nothing but this
        // turns the switch. That it did is no news for strategies.
        parts.routes.stop();
        parts.readings.recovery.ask_no_more();
        parts.trading.set(false);
        let duration_ns = parts.clock.now_ns();
        let allocations = parts.steady.allocations();
        let off = parts.readings.venues_off();
        let ended = parts.threads.end(&parts.stop, &parts.wakers, parts.drain_deadline);
        let conclusion = Conclusion {
            closings: &parts.closings,
            readings: &parts.readings,
            links: &parts.links,
            quarantine: &parts.quarantine,
            off,
            routes: &parts.routes,
            stop: &parts.stop,
            clock: &parts.clock,
            plan_notes: &parts.plan.notes,
            duration_ns,
            allocations,
        };
        Some(conclusion.report(ended))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            parts.stop.raise(Phase::Halted);
            drop(parts.threads.end(&parts.stop, &parts.wakers, HALT_GRACE));
        }
    }
}
