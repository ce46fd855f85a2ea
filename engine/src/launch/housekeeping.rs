//! Housekeeping: log lines, dead letters, histograms. It may block; nothing waits for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pitlane_ring::{Exchange, LaneGauge};

use super::compaction::Compactor;
use super::pause_book::PauseBook;
use crate::consumer::FailureRecord;
use crate::control::FlipLatencies;
use crate::journal::StateKeeper;
use crate::order::order_log::OrderLog;
use crate::runtime::{Agent, Beside, BesideThread, Clock, Closing, CoreWakers, Neighbours};
use crate::telemetry::{Allocations, Collector, DeadLetterFile, LogDrain};
use crate::world::wait_until;

/// Longest pause after a look that found something: the lanes of letters are small, and where one
/// came more may.
const SOON: Duration = Duration::from_millis(5);

/// What housekeeping works on; given back when it stops.
pub(super) struct Housekeeping {
    pub(super) logs: LogDrain,
    /// First failures of a site, by consumer.
    pub(super) failures: Vec<Arc<Exchange<FailureRecord>>>,
    pub(super) letters: DeadLetterFile,
    pub(super) order_log: OrderLog,
    /// What venues want, for the runs to come.
    pub(super) pauses: Option<PauseBook>,
    /// Keeps the journal short.
    pub(super) compactor: Option<Compactor>,
    /// Writes what strategies save.
    pub(super) states: Option<StateKeeper>,
    pub(super) collector: Collector,
    /// Lanes whose occupancy is sampled, in the order of the collector's gauges.
    pub(super) gauges: Vec<LaneGauge>,
    /// Who is busy on contended cores.
    pub(super) neighbours: Neighbours,
    /// Where the owner of the routes leaves how long its flips took.
    pub(super) flips: Arc<FlipLatencies>,
    pub(super) clock: Clock,
    pub(super) interval_ns: u64,
    pub(super) warm_up_ns: u64,
    pub(super) steady: Arc<SteadyState>,
    pub(super) wakers: CoreWakers,
    /// Between two polls of the lanes.
    pub(super) pause: Duration,
    /// A planted fault: no letter is written before the end.
    pub(super) holds_letters: bool,
}

/// The allocation counts at the end of the warm-up.
pub(super) struct SteadyState(OnceLock<Allocations>);

impl SteadyState {
    pub(super) fn new() -> Arc<SteadyState> {
        Arc::new(SteadyState(OnceLock::new()))
    }

    /// The warm-up is over.
    fn begin(&self) {
        self.0.get_or_init(Allocations::so_far);
    }

    /// Allocations since the warm-up; `None` when it is not over or nothing is counted.
    pub(super) fn allocations(&self) -> Option<Allocations> {
        let base = self.0.get().filter(|_| pitlane_ring::alloc::is_installed())?;
        Some(Allocations::so_far().since(*base))
    }
}

/// Housekeeping as an agent, on a thread beside the cores or in a simulated world.
pub(super) struct HousekeepingAgent {
    work: Housekeeping,
    closing: Closing<Housekeeping>,
    next_poll_ns: u64,
    interval_end_ns: u64,
    is_asking: bool,
    is_warm: bool,
}

/// The running thread.
pub(super) struct HousekeepingHandle {
    thread: BesideThread,
    closing: Closing<Housekeeping>,
}

impl HousekeepingHandle {
    pub(super) fn start(housekeeping: Housekeeping) -> std::io::Result<HousekeepingHandle> {
        let clock = housekeeping.clock.clone();
        let (agent, closing) = HousekeepingAgent::new(housekeeping);
        let place = Beside::without_sockets()?;
        let thread = place.start("housekeeping", Box::new(agent), clock)?;
        Ok(HousekeepingHandle { thread, closing })
    }

    /// Ends the thread and takes its work back; `None` when it panicked, or when a disk holds it up
    /// for longer than `deadline`: then it is left behind.
    pub(super) fn stop(self, deadline: Duration) -> Option<Housekeeping> {
        self.thread.ask_to_stop();
        if !wait_until(deadline, || self.thread.is_finished()) {
            return None;
        }
        self.thread.join().ok()?;
        self.closing.take()
    }
}

impl HousekeepingAgent {
    /// The agent, and where it leaves its work when it is closed.
    pub(super) fn new(work: Housekeeping) -> (HousekeepingAgent, Closing<Housekeeping>) {
        let closing = Closing::default();
        let interval_end_ns = work.clock.now_ns() + work.interval_ns;
        let agent = HousekeepingAgent {
            work,
            closing: closing.clone(),
            next_poll_ns: 0,
            interval_end_ns,
            is_asking: false,
            is_warm: false,
        };
        (agent, closing)
    }

    /// Ends the interval when its time has come and all agents have answered; true when it has
    /// asked them.
    fn keep_intervals(&mut self, now_ns: u64) -> bool {
        let Housekeeping { collector, steady, wakers, interval_ns, warm_up_ns, .. } =
            &mut self.work;
        if now_ns >= *warm_up_ns && steady.0.get().is_none() {
            steady.begin();
            // Collected at once, so that what was recorded until here can be left out.
            self.interval_end_ns = now_ns;
        }
        let asks = now_ns >= self.interval_end_ns && !self.is_asking;
        if asks {
            collector.ask();
            wakers.wake();
            self.is_asking = true;
        }
        // An agent that never answers (a strategy that does not return) must not hold the others'
        // intervals back: after a second interval its set comes when it comes.
        let is_late = now_ns >= self.interval_end_ns + *interval_ns;
        if self.is_asking && (collector.take_answers() || is_late) {
            collector.end_interval(now_ns);
            if !self.is_warm && now_ns >= *warm_up_ns {
                collector.forget_totals();
                self.is_warm = true;
            }
            self.interval_end_ns = now_ns + *interval_ns;
            self.is_asking = false;
        }
        asks
    }
}

impl Agent for HousekeepingAgent {
    fn name(&self) -> &str {
        "housekeeping"
    }

    /// Looks at everything once a pause; what it asks of others is the work that it reports.
    fn duty_cycle(&mut self) -> usize {
        let now_ns = self.work.clock.now_ns();
        if now_ns < self.next_poll_ns {
            return 0;
        }
        let drained = self.work.drain();
        self.work.sample();
        if let Some(pauses) = &mut self.work.pauses {
            pauses.keep();
        }
        if let Some(compactor) = &mut self.work.compactor {
            compactor.poll();
        }
        if let Some(states) = &mut self.work.states {
            states.poll();
        }
        self.work.clock.follow_system();
        self.work.neighbours.poll(now_ns);
        let asks = self.keep_intervals(self.work.clock.now_ns());
        let pause = if drained > 0 { self.work.pause.min(SOON) } else { self.work.pause };
        self.next_poll_ns = self.work.clock.now_ns() + pause.as_nanos() as u64;
        usize::from(asks)
    }

    fn next_timer_ns(&self) -> u64 {
        self.next_poll_ns
    }

    /// Whoever owns it ends it: last, so that it hears of all others' ends.
    fn is_done(&self) -> bool {
        false
    }

    fn on_close(self: Box<Self>) {
        self.closing.put(self.work);
    }
}

impl Housekeeping {
    /// Records how full each lane is, and how long flips have taken since.
    fn sample(&mut self) {
        for (index, gauge) in self.gauges.iter().enumerate() {
            self.collector.record_gauge(index, gauge.in_flight());
        }
        self.flips.take(|ns| self.collector.record_flip(ns));
    }

    /// Writes the last of everything, and gives up what can't be written.
    pub(super) fn finish(&mut self) {
        self.drain();
        if let Some(pauses) = &mut self.pauses {
            pauses.finish();
        }
        if let Some(states) = &mut self.states {
            states.finish();
        }
        self.letters.finish();
        self.order_log.drain(&self.letters.take_undelivered());
    }

    /// Returns how many log lines, letters and notes of orders there were.
    pub(super) fn drain(&mut self) -> u64 {
        let letters = if self.holds_letters { 0 } else { self.letters.drain() };
        let mut drained = self.logs.drain() as u64 + letters;
        drained += self.order_log.drain(&self.letters.take_undelivered());
        for failure in self.failures.iter().filter_map(|exchange| exchange.take()) {
            let stack = if log::log_enabled!(log::Level::Error) { failure.stack() } else { None };
            log::error!("{failure}; the first at this site\n{}", stack.unwrap_or_default());
        }
        drained
    }
}
