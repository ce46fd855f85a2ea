//! The watchdog: sees callbacks that do not come back, and keeps the others' latency (FR-003,
//! EDGE-1).
//!
//! One thread of its own, unpinned, of normal priority, which does no I/O but `/proc`. It looks at
//! each core's lease a few times in the smallest budget. When the same batch goes on for longer
//! than the budget of its consumer, *and* the thread really slept or burned that long
//! ([`super::own_time`]), then that is a stall:
//!
//! - It is counted for the consumer from the first look on ([`StallBook`]), on whatever core.
//! - On a core that runs anything else, the thread that stands by takes all the rest, for good. The
//!   held up thread leaves the core ([`super::background::leave_core`]) and keeps its consumer. The
//!   next standby starts at once.
//! - From a second in one callback on, and at once where all cores are pinned threads', the thread
//!   gets what nobody else wants (nice 19), and as long as it burns there, they don't yield
//!   ([`YieldBan`]).
//! - After `quarantine_after_ms` in one callback the consumer is quarantined from outside, with an
//!   alert; of a thread that has lost its core this is the time by the clock.
//!
//! Where no callback was seen for a while, it looks less often ([`pause`]): an idle engine costs
//! little, and a stall that breaks the calm is still taken from within budget + 10 ms.
//!
//! A demotion is a placement, not a failure, so where the kernel's account is late it errs towards
//! none: see the judgement's own page.

mod sight;
mod watched_thread;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::Registry;
use parking_lot::Mutex;
use pitlane_ring::Publisher;

use self::watched_thread::{Judgement, WatchedThread};
use super::core::CoreHandle;
use super::guarded::Watched;
use super::standby::StandbyThread;
use super::{Agent, Beside, BesideThread, Clock, YieldBan};
use crate::safety::Quarantine;
use crate::telemetry::{LogLanes, LogRecord, attach_thread};

/// Looks in the smallest budget.
const POLLS: u32 = 4;
/// Shortest time between two polls.
const PERIOD_MIN: Duration = Duration::from_micros(250);
/// Looks in a row without a callback in sight after which it is calm.
const CALM_POLLS: u32 = 64;
/// Longest time between two polls in a calm, where the period is shorter: with it a stall is seen,
/// its budget is over, and it is looked at twice more within budget + 10 ms (F04).
const CALM_PAUSE_MAX: Duration = Duration::from_millis(5);
/// How long its end is waited for: a look takes microseconds.
const STOP_DEADLINE: Duration = Duration::from_millis(500);

/// What the watchdog goes by.
pub struct WatchdogOptions {
    /// The cores with consumers.
    pub cores: Vec<Watched>,
    /// Cores for threads that lost their own; empty leaves them where they are.
    pub loose_cores: Vec<usize>,
    /// Whether those are cores that no planned thread needs.
    pub has_room: bool,
    /// Keeps pinned threads from yielding to one that burns on where they run.
    pub yield_ban: YieldBan,
    /// Time in one callback after which its consumer is quarantined, ns.
    pub quarantine_after_ns: u64,
    /// Where it says so.
    pub quarantine: Quarantine,
    /// Makes the log lanes of threads that stand by, and the watchdog's own.
    pub logs: LogLanes,
    /// The clock.
    pub clock: Clock,
    /// A planted fault: stalls are seen, and nothing is taken.
    #[doc(hidden)]
    pub takes_nothing: bool,
}

/// The running watchdog.
pub struct WatchdogHandle {
    shared: Arc<Shared>,
    thread: BesideThread,
}

/// What the engine reads of it.
#[derive(Default)]
struct Shared {
    /// Threads that have taken over, to be joined like all others.
    started: Mutex<Vec<CoreHandle>>,
    demotions: Mutex<Vec<Demotion>>,
}

/// One consumer's loss of its place on a shared core.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Demotion {
    /// The consumer; several names where they share a cell.
    pub consumer: String,
    /// Its thread, which goes on with it alone.
    pub thread: String,
    /// The core that the thread has left.
    pub core: Option<usize>,
    /// When, ns since the engine's start.
    pub at_ns: u64,
    /// How long its callback had lasted by then, ns.
    pub callback_ns: u64,
    /// The thread that has everything else now.
    pub taken_by: String,
}

impl WatchdogHandle {
    /// Starts the threads that stand by, and the watchdog itself.
    ///
    /// # Errors
    /// The system's, when it gives no thread; nothing is left running.
    pub fn start(options: WatchdogOptions) -> io::Result<WatchdogHandle> {
        let shared = Arc::<Shared>::default();
        let (log, clock) = (options.logs.make("watchdog"), options.clock.clone());
        let mut watchdog = Watchdog::new(options, Arc::clone(&shared));
        watchdog.log = Some(log);
        if let Err(error) = watchdog.start_standbys() {
            watchdog.dismiss_standbys();
            return Err(error);
        }
        // Of normal priority: it judges those who hold a core up.
        let place = Beside::without_sockets()?.urgent();
        let thread = place.start("watchdog", Box::new(watchdog), clock)?;
        Ok(WatchdogHandle { shared, thread })
    }

    /// The watchdog of a simulated world, to be scheduled there. It has no threads to take from.
    #[must_use]
    pub fn in_world(options: WatchdogOptions) -> Box<dyn Agent> {
        Box::new(Watchdog::new(options, Arc::default()))
    }

    /// Threads that have taken over since the last call.
    pub fn take_started(&self) -> Vec<CoreHandle> {
        std::mem::take(&mut *self.shared.started.lock())
    }

    /// Looks at the threads that have taken over and were not taken out yet.
    pub fn with_started<R>(&self, look: impl FnOnce(&[CoreHandle]) -> R) -> R {
        look(&self.shared.started.lock())
    }

    /// Every demotion so far.
    #[must_use]
    pub fn demotions(&self) -> Vec<Demotion> {
        self.shared.demotions.lock().clone()
    }

    /// Ends the watchdog and the threads that stand by, closes the books, and gives what has taken
    /// over and was not taken out yet, with every demotion.
    pub fn stop(self) -> (Vec<CoreHandle>, Vec<Demotion>) {
        // What it started is joined all the same.
        if let Err(failure) = self.thread.end_within(STOP_DEADLINE) {
            log::error!("[watchdog] {failure}");
        }
        let started = std::mem::take(&mut *self.shared.started.lock());
        let demotions = std::mem::take(&mut *self.shared.demotions.lock());
        (started, demotions)
    }
}

/// The watchdog as an agent, on a thread of its own or in a simulated world.
struct Watchdog {
    threads: Vec<WatchedThread>,
    period: Duration,
    options: Judgement,
    shared: Arc<Shared>,
    /// Of its thread, until that runs.
    log: Option<Publisher<LogRecord>>,
    next_poll_ns: u64,
    calm_polls: u32,
}

impl Watchdog {
    fn new(options: WatchdogOptions, shared: Arc<Shared>) -> Watchdog {
        let threads: Vec<WatchedThread> =
            options.cores.into_iter().map(WatchedThread::new).collect();
        let budgets = threads.iter().flat_map(|thread| thread.cells.iter().flatten());
        let smallest_ns = budgets.map(|consumer| consumer.budget_ns).min().unwrap_or(u64::MAX);
        let period = Duration::from_nanos(smallest_ns / u64::from(POLLS)).max(PERIOD_MIN);
        let options = Judgement {
            loose_cores: options.loose_cores,
            has_room: options.has_room,
            yield_ban: options.yield_ban,
            quarantine_after_ns: options.quarantine_after_ns,
            quarantine: options.quarantine,
            logs: options.logs,
            clock: options.clock,
            takes_nothing: options.takes_nothing,
        };
        Watchdog { threads, period, options, shared, log: None, next_poll_ns: 0, calm_polls: 0 }
    }

    fn start_standbys(&mut self) -> io::Result<()> {
        let logs = &self.options.logs;
        self.threads.iter_mut().try_for_each(|thread| thread.start_standby(logs))
    }

    fn dismiss_standbys(&mut self) {
        self.threads
            .iter_mut()
            .filter_map(|thread| thread.standby.take())
            .for_each(StandbyThread::dismiss);
    }

    /// Whether no callback is in sight, nor a thread that has lost its core and is not back yet.
    fn is_calm(&self) -> bool {
        self.threads.iter().all(|thread| thread.sight.is_none() && thread.watch.is_some())
    }

    fn poll(&mut self) {
        let mut left_alone = Vec::new();
        for thread in &mut self.threads {
            let now_ns = self.options.clock.now_ns();
            thread.adopt(now_ns);
            if thread.check(now_ns, &self.options) {
                left_alone.extend(thread.take_over(now_ns, &self.options, &self.shared));
            }
        }
        self.threads.extend(left_alone);
        let judgement = &self.options;
        judgement
            .yield_ban
            .set(!judgement.has_room && self.threads.iter().any(WatchedThread::is_loose_fire));
    }
}

impl Agent for Watchdog {
    fn name(&self) -> &str {
        "watchdog"
    }

    fn on_start(&mut self, _registry: &Registry) {
        self.log.take().into_iter().for_each(attach_thread);
    }

    fn duty_cycle(&mut self) -> usize {
        if self.options.clock.now_ns() < self.next_poll_ns {
            return 0;
        }
        self.poll();
        self.calm_polls = if self.is_calm() { self.calm_polls.saturating_add(1) } else { 0 };
        let pause = pause(self.period, self.calm_polls);
        self.next_poll_ns = self.options.clock.now_ns() + pause.as_nanos() as u64;
        0
    }

    fn next_timer_ns(&self) -> u64 {
        self.next_poll_ns
    }

    /// Whoever owns it ends it: a callback can stall while everything drains.
    fn is_done(&self) -> bool {
        false
    }

    /// Closes the books of stalls, and ends the threads that stand by.
    fn on_close(mut self: Box<Self>) {
        let now_ns = self.options.clock.now_ns();
        self.threads.iter_mut().for_each(|thread| thread.end_sight(now_ns, false));
        self.dismiss_standbys();
    }
}

/// Time until the next look.
fn pause(period: Duration, calm_polls: u32) -> Duration {
    if calm_polls < CALM_POLLS { period } else { (period * POLLS).min(CALM_PAUSE_MAX).max(period) }
}

impl std::fmt::Display for Demotion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let core = self.core.map_or("any".to_owned(), |core| core.to_string());
        write!(
            f,
            "[{}] demoted: a callback lasts {} us so far, thread {} leaves core {core} with it; {} has \
             all else",
            self.consumer,
            self.callback_ns / 1_000,
            self.thread,
            self.taken_by,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calm_is_looked_at_less_often_and_a_stall_in_it_is_still_seen_in_time() {
        for budget_ms in [1, 2, 5, 20, 40, 1_000] {
            let budget = Duration::from_millis(budget_ms);
            let period = (budget / POLLS).max(PERIOD_MIN);
            assert_eq!(pause(period, CALM_POLLS - 1), period);
            let calm = pause(period, CALM_POLLS);
            assert!(calm >= period);
            if calm > period {
                // Seen at once after the pause, asked about, and judged at the look after its
                // budget.
                assert!(calm + budget + 2 * period <= budget + Duration::from_millis(10));
            }
        }
    }
}
