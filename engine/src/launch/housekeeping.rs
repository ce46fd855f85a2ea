//! The housekeeping thread: log lines, dead letters, histograms. It may block; nothing waits for
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pitlane_ring::{Exchange, LaneGauge};

use crate::consumer::FailureRecord;
use crate::control::FlipLatencies;
use crate::runtime::{Clock, CoreWakers, give_way};
use crate::telemetry::{Collector, DeadLetterFile, LogDrain};
use crate::world::start_thread;
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
    pub(super) collector: Collector,
    /// Lanes whose occupancy is sampled, in the order of the collector's gauges.
    pub(super) gauges: Vec<LaneGauge>,
    /// Where the owner of the routes leaves how long its flips took.
    pub(super) flips: Arc<FlipLatencies>,
    pub(super) clock: Clock,
    pub(super) interval_ns: u64,
    pub(super) warm_up_ns: u64,
    pub(super) steady: Arc<SteadyState>,
    pub(super) wakers: CoreWakers,
    /// Between two looks at the lanes.
    pub(super) pause: Duration,
    /// A planted fault: no letter is written before the end.
    pub(super) holds_letters: bool,
}

/// The allocation count at the end of the warm-up; `u64::MAX` before it.
pub(super) struct SteadyState(AtomicU64);

impl SteadyState {
    pub(super) fn new() -> Arc<SteadyState> {
        Arc::new(SteadyState(AtomicU64::new(u64::MAX)))
    }

    /// Allocations since the warm-up; `None` when it is not over or nothing is counted.
    pub(super) fn allocations(&self) -> Option<u64> {
        let base = self.0.load(Ordering::Acquire);
        let is_counted = pitlane_ring::alloc::is_installed() && base != u64::MAX;
        is_counted.then(|| pitlane_ring::alloc::counted_allocations() - base)
    }
}

/// The running thread.
pub(super) struct HousekeepingHandle {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Housekeeping>,
}

impl HousekeepingHandle {
    pub(super) fn start(housekeeping: Housekeeping) -> std::io::Result<HousekeepingHandle> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = start_thread("housekeeping", move || {
            give_way();
            housekeeping.run(&seen)
        })?;
        Ok(HousekeepingHandle { stop, thread })
    }

    /// Ends the thread and takes its work back; `None` when it panicked, or when a disk holds it up
    /// for longer than `deadline`: then it is left behind.
    pub(super) fn stop(self, deadline: Duration) -> Option<Housekeeping> {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let is_in_time = wait_until(deadline, || self.thread.is_finished());
        if is_in_time { self.thread.join().ok() } else { None }
    }
}

impl Housekeeping {
    fn run(mut self, stop: &AtomicBool) -> Housekeeping {
        let mut interval_end_ns = self.clock.now_ns() + self.interval_ns;
        let mut is_asking = false;
        let mut is_warm = false;
        while !stop.load(Ordering::Acquire) {
            let drained = self.drain();
            self.sample();
            let now_ns = self.clock.now_ns();
            if now_ns >= self.warm_up_ns && self.steady.0.load(Ordering::Relaxed) == u64::MAX {
                let base = pitlane_ring::alloc::counted_allocations();
                self.steady.0.store(base, Ordering::Release);
                // Collected at once, so that what was recorded until here can be left out.
                interval_end_ns = now_ns;
            }
            if now_ns >= interval_end_ns && !is_asking {
                self.collector.ask();
                self.wakers.wake();
                is_asking = true;
            }
            // An agent that never answers (a strategy that does not return) must not hold the
            // others' intervals back: after a second interval its set comes when it comes.
            let is_late = now_ns >= interval_end_ns + self.interval_ns;
            if is_asking && (self.collector.take_answers() || is_late) {
                self.collector.end_interval(now_ns);
                if !is_warm && now_ns >= self.warm_up_ns {
                    self.collector.forget_totals();
                    is_warm = true;
                }
                interval_end_ns = now_ns + self.interval_ns;
                is_asking = false;
            }
            std::thread::park_timeout(if drained > 0 { self.pause.min(SOON) } else { self.pause });
        }
        self.drain();
        self
    }

    /// Records how full each lane is, and how long flips have taken since.
    fn sample(&mut self) {
        for (index, gauge) in self.gauges.iter().enumerate() {
            self.collector.record_gauge(index, gauge.in_flight());
        }
        self.flips.take(|ns| self.collector.record_flip(ns));
    }

    /// Returns how many log lines and letters there were.
    pub(super) fn drain(&mut self) -> u64 {
        let letters = if self.holds_letters { 0 } else { self.letters.drain() };
        let drained = self.logs.drain() as u64 + letters;
        for failure in self.failures.iter().filter_map(|exchange| exchange.take()) {
            let stack = if log::log_enabled!(log::Level::Error) { failure.stack() } else { None };
            log::error!("{failure}; the first at this site\n{}", stack.unwrap_or_default());
        }
        drained
    }
}
