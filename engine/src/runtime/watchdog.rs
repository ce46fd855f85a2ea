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

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use pitlane_ring::{Publisher, Running, Watch};

use super::background::{leave_core, want_least};
use super::core::{CoreHandle, Pinned};
use super::guarded::{GuardedConsumer, Watched};
use super::home::{CoreRules, Seat, ThreadId, consumers_in_cell};
use super::own_time::OwnTime;
use super::stalls::Offered;
use super::standby::Standby;
use super::{Clock, YieldBan};
use crate::safety::{Quarantine, QuarantineReason};
use crate::telemetry::{LogLanes, LogRecord, attach_thread};
use crate::world::start_thread;

/// Looks in the smallest budget.
const LOOKS: u32 = 4;
/// Shortest time between two looks.
const PERIOD_MIN: Duration = Duration::from_micros(250);
/// Looks in a row without a callback in sight after which it is calm.
const CALM_LOOKS: u32 = 64;
/// Longest time between two looks in a calm, where the period is shorter: with it a stall is seen,
/// its budget is over, and it is looked at twice more within budget + 10 ms (F04).
const CALM_PAUSE_MAX: Duration = Duration::from_millis(5);
/// Time in one callback from which on a thread runs only when nobody else wants to, ns.
const LEAST_AFTER_NS: u64 = 1_000_000_000;
/// Between two questions to the kernel about one stall, ns.
const ASK_NS: u64 = 20_000_000;

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
    stop: Arc<AtomicBool>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
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
        let log = options.logs.make("watchdog");
        let mut watchdog = Watchdog::new(options, Arc::clone(&shared));
        if let Err(error) = watchdog.start_standbys() {
            watchdog.dismiss_standbys();
            return Err(error);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = start_thread("watchdog", move || watchdog.run(&seen, log))?;
        Ok(WatchdogHandle { stop, shared, thread })
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
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // A watchdog that panicked has said so on its own; what it started is joined all the same.
        let _ended = self.thread.join();
        let started = std::mem::take(&mut *self.shared.started.lock());
        let demotions = std::mem::take(&mut *self.shared.demotions.lock());
        (started, demotions)
    }
}

struct Watchdog {
    posts: Vec<Post>,
    period: Duration,
    options: Judgement,
    shared: Arc<Shared>,
}

/// How it judges.
struct Judgement {
    loose_cores: Vec<usize>,
    has_room: bool,
    yield_ban: YieldBan,
    quarantine_after_ns: u64,
    quarantine: Quarantine,
    logs: LogLanes,
    clock: Clock,
    takes_nothing: bool,
}

/// One thread under watch.
struct Post {
    /// Of the thread that it started with: what its successors are named by.
    first_name: String,
    name: String,
    core: Option<usize>,
    agents: Arc<Mutex<Vec<String>>>,
    pinned: Arc<AtomicU8>,
    thread: ThreadId,
    rules: CoreRules,
    /// By cell; none of the base.
    cells: Vec<Vec<GuardedConsumer>>,
    /// `None` for a demoted thread that has not come back from its callback.
    watch: Option<Watch<Seat>>,
    /// `None` where there is nothing to take, or no thread for it.
    standby: Option<Standby>,
    standbys_started: usize,
    sight: Option<Sight>,
}

/// A batch that was seen, and seen again.
struct Sight {
    running: Running,
    since_ns: u64,
    own: Option<OwnTime>,
    /// When the kernel is asked again, in a stall.
    ask_at_ns: u64,
    before: Vec<Offered>,
    is_stall: bool,
    wants_least: bool,
    is_quarantined: bool,
}

impl Watchdog {
    fn new(options: WatchdogOptions, shared: Arc<Shared>) -> Watchdog {
        let posts: Vec<Post> = options.cores.into_iter().map(Post::new).collect();
        let budgets = posts.iter().flat_map(|post| post.cells.iter().flatten());
        let smallest_ns = budgets.map(|consumer| consumer.budget_ns).min().unwrap_or(u64::MAX);
        let period = Duration::from_nanos(smallest_ns / u64::from(LOOKS)).max(PERIOD_MIN);
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
        Watchdog { posts, period, options, shared }
    }

    fn start_standbys(&mut self) -> io::Result<()> {
        let logs = &self.options.logs;
        self.posts.iter_mut().try_for_each(|post| post.start_standby(logs))
    }

    fn dismiss_standbys(&mut self) {
        self.posts.iter_mut().filter_map(|post| post.standby.take()).for_each(Standby::dismiss);
    }

    fn run(mut self, stop: &AtomicBool, log: Publisher<LogRecord>) {
        attach_thread(log);
        let mut calm_looks = 0_u32;
        while !stop.load(Ordering::Acquire) {
            self.look();
            calm_looks = if self.is_calm() { calm_looks.saturating_add(1) } else { 0 };
            std::thread::park_timeout(pause(self.period, calm_looks));
        }
        let now_ns = self.options.clock.now_ns();
        self.posts.iter_mut().for_each(|post| post.end_sight(now_ns, false));
        self.dismiss_standbys();
    }

    /// Whether no callback is in sight, nor a thread that has lost its core and is not back yet.
    fn is_calm(&self) -> bool {
        self.posts.iter().all(|post| post.sight.is_none() && post.watch.is_some())
    }

    fn look(&mut self) {
        let mut left_alone = Vec::new();
        for post in &mut self.posts {
            let now_ns = self.options.clock.now_ns();
            post.adopt(now_ns);
            if post.look(now_ns, &self.options) {
                left_alone.extend(post.take_over(now_ns, &self.options, &self.shared));
            }
        }
        self.posts.extend(left_alone);
        let judgement = &self.options;
        judgement.yield_ban.set(!judgement.has_room && self.posts.iter().any(Post::is_loose_fire));
    }
}

/// Time until the next look.
fn pause(period: Duration, calm_looks: u32) -> Duration {
    if calm_looks < CALM_LOOKS { period } else { (period * LOOKS).min(CALM_PAUSE_MAX).max(period) }
}

impl Post {
    fn new(watched: Watched) -> Post {
        let size = consumers_in_cell(watched.guarded.len());
        let mut cells = vec![Vec::new()];
        cells.extend(watched.guarded.chunks(size).map(<[GuardedConsumer]>::to_vec));
        Post {
            first_name: watched.name.clone(),
            name: watched.name,
            core: watched.core,
            agents: watched.agents,
            pinned: watched.pinned,
            thread: watched.thread,
            rules: watched.rules,
            cells,
            watch: Some(watched.watch),
            standby: None,
            standbys_started: 0,
            sight: None,
        }
    }

    /// Whether this is a thread that lost its core and burns another.
    fn is_loose_fire(&self) -> bool {
        let Some(sight) = self.sight.as_ref().filter(|sight| sight.is_stall) else { return false };
        let is_burning = sight.own.as_ref().is_some_and(OwnTime::is_burning);
        let consumers = self.cells.get(sight.running.cell).into_iter().flatten();
        is_burning && consumers.into_iter().any(|consumer| consumer.stalls.read(0).is_alone)
    }

    /// Starts a thread that stands by where one consumer could hold up anything else.
    fn start_standby(&mut self, logs: &LogLanes) -> io::Result<()> {
        if self.agents.lock().len() < 2 {
            return Ok(());
        }
        self.standbys_started += 1;
        let name = format!("{}+{}", self.first_name, self.standbys_started);
        let log = logs.make(&name);
        self.standby = Some(Standby::start(name, self.core, self.rules.clone(), log)?);
        Ok(())
    }

    /// Takes the watch that a demoted thread has left when it came back.
    fn adopt(&mut self, now_ns: u64) {
        if self.watch.is_some() {
            return;
        }
        let mut adoptions = self.rules.adoptions.lock();
        let is_mine = |(thread, _): &(ThreadId, _)| thread.get() == self.thread.get();
        let Some(index) = adoptions.iter().position(is_mine) else { return };
        self.watch = Some(adoptions.swap_remove(index).1);
        drop(adoptions);
        self.end_sight(now_ns, true);
    }

    /// Looks once; true when there is a new stall, and something to take from its thread.
    fn look(&mut self, now_ns: u64, judgement: &Judgement) -> bool {
        if let Some(watch) = &self.watch {
            let running = watch.look();
            let same = self.sight.as_ref().map(|sight| sight.running);
            if running != same || running.is_none() {
                self.end_sight(now_ns, true);
                self.sight = running.map(|running| Sight::new(running, now_ns));
                return false;
            }
        }
        let Some(sight) = &mut self.sight else { return false };
        let Some(consumers) = self.cells.get(sight.running.cell) else { return false };
        let Some(own_ns) = sight.own_ns(consumers, &self.thread, now_ns) else { return false };
        let is_new = !sight.is_stall;
        if is_new {
            sight.is_stall = true;
            consumers.iter().for_each(|consumer| consumer.stalls.begin(sight.since_ns));
        }
        let is_alone = consumers.iter().any(|consumer| consumer.stalls.read(0).is_alone);
        // Who has lost its core gets little time of its own: from there on it is the clock that
        // counts.
        let lasted_ns = if is_alone { now_ns - sight.since_ns } else { own_ns };
        if lasted_ns >= LEAST_AFTER_NS && is_alone && !sight.wants_least {
            sight.wants_least = true;
            want_least(self.thread.get());
        }
        if lasted_ns >= judgement.quarantine_after_ns && !sight.is_quarantined {
            sight.is_quarantined = true;
            judgement.quarantine(self, now_ns);
        }
        is_new && self.standby.is_some() && !judgement.takes_nothing
    }

    /// Takes everything but the slow consumer. Returns the post of the thread that keeps it; `None`
    /// when it has just come back.
    fn take_over(&mut self, now_ns: u64, judgement: &Judgement, shared: &Shared) -> Option<Post> {
        let running = self.sight.as_ref()?.running;
        let rest = self.watch.as_mut()?.take(running)?;
        let sight = self.sight.take();
        let standby = self.standby.take()?;
        // First off the core, so that whoever takes over finds it free.
        leave_core(self.thread.get(), self.core.and(Some(&judgement.loose_cores)));
        if !judgement.has_room {
            want_least(self.thread.get());
        }
        let slow = std::mem::take(&mut self.cells[running.cell]);
        let names: Vec<&str> = slow.iter().map(|consumer| consumer.name.as_str()).collect();
        let (handle, thread) = {
            let (keeps, goes): (Vec<_>, Vec<_>) = std::mem::take(&mut *self.agents.lock())
                .into_iter()
                .partition(|agent| names.contains(&agent.as_str()));
            *self.agents.lock() = keeps;
            let (handle, thread) = standby.hand_over(rest);
            *handle.agents_shared().lock() = goes;
            (handle, thread)
        };
        let demotion = Demotion {
            consumer: names.join(", "),
            thread: self.name.clone(),
            core: self.core,
            at_ns: now_ns,
            callback_ns: now_ns - sight.as_ref().map_or(now_ns, |sight| sight.since_ns),
            taken_by: handle.name().to_owned(),
        };
        slow.iter().for_each(|consumer| consumer.stalls.left_alone());
        log::warn!("{demotion}");
        let alone = Post {
            first_name: self.name.clone(),
            name: std::mem::replace(&mut self.name, handle.name().to_owned()),
            core: None,
            agents: std::mem::replace(&mut self.agents, handle.agents_shared()),
            pinned: std::mem::replace(&mut self.pinned, handle.pinned_shared()),
            thread: std::mem::replace(&mut self.thread, thread),
            rules: self.rules.clone(),
            // It is the first cell of a lease of its own, once it comes back; until then it is the
            // one it was, so that it is found under both.
            cells: vec![slow; running.cell + 1],
            watch: None,
            standby: None,
            standbys_started: 0,
            sight,
        };
        if alone.pinned.load(Ordering::Acquire) == Pinned::Yes as u8 {
            alone.pinned.store(Pinned::Left as u8, Ordering::Release);
        }
        shared.started.lock().push(handle);
        shared.demotions.lock().push(demotion);
        if let Err(error) = self.start_standby(&judgement.logs) {
            log::error!("[watchdog] starting the next standby of {} failed: {error}", self.name);
        }
        Some(alone)
    }

    /// The batch is over, or the run is.
    fn end_sight(&mut self, now_ns: u64, is_over: bool) {
        let Some(sight) = self.sight.take().filter(|sight| sight.is_stall) else { return };
        let consumers = self.cells.get(sight.running.cell).into_iter().flatten();
        for (consumer, before) in consumers.zip(sight.before) {
            let after = Offered::read(&consumer.published);
            consumer.stalls.end(now_ns, before, after, is_over);
        }
    }
}

impl Sight {
    fn new(running: Running, since_ns: u64) -> Sight {
        Sight {
            running,
            since_ns,
            own: None,
            ask_at_ns: 0,
            before: Vec::new(),
            is_stall: false,
            wants_least: false,
            is_quarantined: false,
        }
    }

    /// The thread's own time in this batch, once it is above the budget. The kernel is only asked
    /// from the second look on, and once the batch lasts so long that the answer matters.
    fn own_ns(
        &mut self,
        consumers: &[GuardedConsumer],
        thread: &ThreadId,
        now_ns: u64,
    ) -> Option<u64> {
        let budget_ns = consumers.iter().map(|consumer| consumer.budget_ns).min()?;
        if self.is_stall && now_ns < self.ask_at_ns {
            return None;
        }
        self.ask_at_ns = now_ns + ASK_NS;
        let Some(own) = &mut self.own else {
            self.own = OwnTime::start(thread.get(), now_ns);
            self.before = consumers.iter().map(|it| Offered::read(&it.published)).collect();
            return None;
        };
        if now_ns - self.since_ns < budget_ns {
            return None;
        }
        own.until(thread.get(), now_ns).filter(|own_ns| *own_ns >= budget_ns)
    }
}

impl Judgement {
    /// Quarantines from outside: the consumer's own thread has no part in it.
    fn quarantine(&self, post: &Post, now_ns: u64) {
        let Some(sight) = &post.sight else { return };
        for consumer in post.cells.get(sight.running.cell).into_iter().flatten() {
            consumer.stalls.quarantined();
            self.quarantine.raise(consumer.id, QuarantineReason::Stuck);
            log::error!(
                "[{}] quarantined: a callback has not returned for {} ms (thread {}, core {})",
                consumer.name,
                (now_ns - sight.since_ns) / 1_000_000,
                post.name,
                post.core.map_or("any".to_owned(), |core| core.to_string()),
            );
        }
        post.rules.wakers.wake();
    }
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
            let period = (budget / LOOKS).max(PERIOD_MIN);
            assert_eq!(pause(period, CALM_LOOKS - 1), period);
            let calm = pause(period, CALM_LOOKS);
            assert!(calm >= period);
            if calm > period {
                // Seen at once after the pause, asked about, and judged at the look after its
                // budget.
                assert!(calm + budget + 2 * period <= budget + Duration::from_millis(10));
            }
        }
    }
}
