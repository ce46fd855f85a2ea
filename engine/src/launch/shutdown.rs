//! The end of all threads of an engine, in order, and what they leave.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::housekeeping::{Housekeeping, HousekeepingHandle};
use super::journal_thread::{JournalLeft, JournalThread};
use super::venue_threads::VenueThreads;
use crate::control::{ControlSocket, ControllerHandle};
use crate::report::{DeadLetterReport, RecordingReport, Report, ThreadReport};
use crate::runtime::{CoreHandle, CoreWakers, Demotion, Phase, StopSignal, WatchdogHandle};
use crate::telemetry::{HistogramSet, HlogWriter};
use crate::venue::simulated::RecordedSession;

/// Pause between two polls of threads that are ending.
const JOIN_PAUSE: Duration = Duration::from_millis(1);

/// Time that threads get after the deadline, once every loop was told to end.
pub(super) const HALT_GRACE: Duration = Duration::from_millis(500);

/// What a report says where files could not be closed in order.
const HOUSEKEEPING_LOST: &str = "thread housekeeping did not end in time, or panicked: a file or disk takes nothing, and what \
     is in the files may be cut";

/// What a report says where the journal could not be ended in order.
const JOURNAL_LOST: &str = "thread journal did not end in time: its disk takes nothing. What is on \
     record stays so; the next start reads it";

/// The threads of an engine.
pub(super) struct Threads {
    pub(super) cores: Vec<CoreHandle>,
    /// Started when there is something to watch.
    pub(super) watchdog: Option<WatchdogHandle>,
    pub(super) housekeeping: HousekeepingHandle,
    /// `None` without a journal.
    pub(super) journal: Option<JournalThread>,
    pub(super) controller: ControllerHandle,
    pub(super) venues: VenueThreads,
    /// Started last, where there is one.
    pub(super) socket: Option<ControlSocket>,
}

/// What is left when all threads have ended, or were left behind.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) threads: Vec<ThreadReport>,
    demotions: Vec<Demotion>,
    /// Names of those that were left behind.
    pub(super) behind: Vec<String>,
    /// What went wrong.
    pub(super) notes: Vec<String>,
    /// Hiccups that were not collected.
    pub(super) hiccups: Vec<HistogramSet>,
    /// `None` when its thread was left behind, or panicked.
    pub(super) housekeeping: Option<Housekeeping>,
    /// What kept the journal.
    pub(super) journal: Option<JournalLeft>,
    recording: Option<RecordingReport>,
    /// How often the engine broke a limit of a simulated venue, by the limit.
    pub(super) penalties: BTreeMap<&'static str, u64>,
}

impl Threads {
    /// Ends all of them: who may ask first, then the cores by themselves, then what they need.
    /// After the deadline every loop is told to end, and what has not ended after another grace is
    /// left behind. All agents of threads that came back are closed.
    pub(super) fn end(self, stop: &StopSignal, wakers: &CoreWakers, deadline: Duration) -> Ended {
        let mut ended = Ended::default();
        // While the dispatcher still runs, so that every command gets its answer.
        let is_socket_whole = self.socket.is_none_or(|socket| socket.stop(deadline));
        let is_controller_whole = self.controller.stop(deadline);
        stop.raise(Phase::Draining);
        wakers.wake();
        let finished = ended.wait(self.cores, self.watchdog, stop, wakers, deadline);
        ended.close(finished);
        for (name, is_whole) in [("control", is_socket_whole), ("controller", is_controller_whole)]
        {
            if !is_whole {
                ended.notes.push(format!("thread {name} did not end in time, or panicked"));
            }
        }
        ended.penalties = self.venues.penalties();
        ended.recording = self.venues.recorded().map(recording_report);
        let (behind, failures) = self.venues.stop(deadline);
        ended.behind.extend(behind);
        ended.notes.extend(failures);
        ended.journal = self.journal.map(|journal| journal.stop(deadline));
        if ended.journal.as_ref().is_some_and(|journal| journal.keeper.is_none()) {
            ended.notes.push(JOURNAL_LOST.to_owned());
        }
        ended.housekeeping = self.housekeeping.stop(deadline);
        match &mut ended.housekeeping {
            Some(housekeeping) => housekeeping.finish(),
            None => ended.notes.push(HOUSEKEEPING_LOST.to_owned()),
        }
        ended
    }
}

impl Ended {
    /// Waits until every thread has ended, or the deadline and the grace after it are over
    /// (FR-022); returns those that have. The watchdog goes on until then: a callback can stall
    /// while everything drains.
    #[allow(clippy::disallowed_methods, reason = "waits for threads of the real world")]
    fn wait(
        &mut self,
        mut cores: Vec<CoreHandle>,
        mut watchdog: Option<WatchdogHandle>,
        stop: &StopSignal,
        wakers: &CoreWakers,
        deadline: Duration,
    ) -> Vec<CoreHandle> {
        let mut finished = Vec::new();
        let started = Instant::now();
        loop {
            cores.extend(watchdog.iter().flat_map(WatchdogHandle::take_started));
            finished.extend(cores.extract_if(.., |core| core.is_finished()));
            if cores.is_empty() || started.elapsed() > deadline + HALT_GRACE {
                // What it handed over at the very last still has to end.
                let Some((handed_over, demotions)) = watchdog.take().map(WatchdogHandle::stop)
                else {
                    break;
                };
                self.demotions = demotions;
                cores.extend(handed_over);
                continue;
            }
            if started.elapsed() > deadline {
                stop.raise(Phase::Halted);
                wakers.wake();
            }
            std::thread::sleep(JOIN_PAUSE);
        }
        self.threads = finished.iter().chain(&cores).map(thread_report).collect();
        self.threads.sort_by(|one, other| one.name.cmp(&other.name));
        self.behind = cores.iter().map(|core| core.name().to_owned()).collect();
        finished
    }

    /// Joins the threads, then closes their agents: what is left in a lane can only be counted when
    /// nobody writes there.
    fn close(&mut self, cores: Vec<CoreHandle>) {
        let mut agents = Vec::new();
        for core in cores {
            match core.join() {
                Ok(ended) => {
                    self.hiccups.extend(ended.hiccups.map(|set| *set));
                    agents.extend(ended.agents);
                }
                Err(failure) => self.notes.push(failure),
            }
        }
        agents.into_iter().for_each(|agent| agent.on_close());
    }

    /// Fills in what is known of threads and files. `letters_dropped` never got to the file.
    pub(super) fn tell(mut self, report: &mut Report, letters_dropped: u64) {
        for consumer in &mut report.consumers {
            let thread = self.threads.iter().find(|thread| thread.agents.contains(&consumer.name));
            consumer.core = thread.and_then(|thread| thread.core);
        }
        report.threads = self.threads;
        report.demotions = self.demotions;
        report.threads_left_behind = self.behind;
        report.recording = self.recording;
        report.penalties = self.penalties.values().sum();
        report.penalties_by_limit = self.penalties;
        if let Some(housekeeping) = &mut self.housekeeping {
            housekeeping.collector.note(&achieved(report));
            let letters = &housekeeping.letters;
            report.dead_letters = DeadLetterReport {
                written: letters.written(),
                dropped: letters_dropped,
                failed: letters.failures(),
                suppressed: letters.suppressed(),
                path: letters.path().map(|path| path.display().to_string()),
            };
            report.order_log = housekeeping.order_log.report();
            report.hlog_failed = housekeeping.collector.hlog().map_or(0, HlogWriter::failures);
        }
    }
}

/// A thread as it runs, or has run.
pub(super) fn thread_report(core: &CoreHandle) -> ThreadReport {
    ThreadReport {
        name: core.name().to_owned(),
        core: core.core(),
        pinned: core.pinned(),
        idle: core.idle().to_string(),
        agents: core.agents(),
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

/// What came of the load, for the end of the interval log.
fn achieved(report: &Report) -> String {
    let (events, ns) = (u128::from(report.events_published), u128::from(report.duration_ns));
    format!("Achieved: {} events/s over {} ms", events * 1_000_000_000 / ns.max(1), ns / 1_000_000)
}
