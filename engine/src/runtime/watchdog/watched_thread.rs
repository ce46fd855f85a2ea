//! One thread under watch: what is seen of it, what is judged, and what is taken from it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use super::super::background::{leave_core, want_least};
use super::super::core::Pinned;
use super::super::eye::Eye;
use super::super::guarded::{GuardedConsumer, Watched};
use super::super::home::{CoreRules, ThreadId, consumers_in_cell};
use super::super::own_time::OwnTime;
use super::super::stalls::Offered;
use super::super::standby::StandbyThread;
use super::sight::Sight;
use super::{Demotion, Shared};
use crate::runtime::YieldBan;
use crate::safety::{Quarantine, QuarantineReason};
use crate::telemetry::LogLanes;
use crate::world::Clock;

/// Time in one callback from which on a thread runs only when nobody else wants to, ns.
const LEAST_AFTER_NS: u64 = 1_000_000_000;

/// How it judges.
pub(super) struct Judgement {
    pub(super) loose_cores: Vec<usize>,
    pub(super) has_room: bool,
    pub(super) yield_ban: YieldBan,
    pub(super) quarantine_after_ns: u64,
    pub(super) quarantine: Quarantine,
    pub(super) logs: LogLanes,
    pub(super) clock: Clock,
    pub(super) takes_nothing: bool,
}

/// One thread under watch.
pub(super) struct WatchedThread {
    /// Of the thread that it started with: what its successors are named by.
    first_name: String,
    name: String,
    core: Option<usize>,
    agents: Arc<Mutex<Vec<String>>>,
    pinned: Arc<AtomicU8>,
    thread: ThreadId,
    rules: CoreRules,
    /// By cell; none of the base.
    pub(super) cells: Vec<Vec<GuardedConsumer>>,
    /// `None` for a demoted thread that has not come back from its callback.
    pub(super) watch: Option<Eye>,
    /// `None` where there is nothing to take, or no thread for it.
    pub(super) standby: Option<StandbyThread>,
    standbys_started: usize,
    pub(super) sight: Option<Sight>,
}

impl WatchedThread {
    pub(super) fn new(watched: Watched) -> WatchedThread {
        let size = consumers_in_cell(watched.guarded.len());
        let mut cells = vec![Vec::new()];
        cells.extend(watched.guarded.chunks(size).map(<[GuardedConsumer]>::to_vec));
        WatchedThread {
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
    pub(super) fn is_loose_fire(&self) -> bool {
        let Some(sight) = self.sight.as_ref().filter(|sight| sight.is_stall) else { return false };
        let is_burning = sight.own.as_ref().is_some_and(OwnTime::is_burning);
        let consumers = self.cells.get(sight.running.cell).into_iter().flatten();
        is_burning && consumers.into_iter().any(|consumer| consumer.stalls.read(0).is_alone)
    }

    /// Starts a thread that stands by where one consumer could hold up anything else.
    pub(super) fn start_standby(&mut self, logs: &LogLanes) -> io::Result<()> {
        if self.agents.lock().len() < 2 {
            return Ok(());
        }
        self.standbys_started += 1;
        let name = format!("{}+{}", self.first_name, self.standbys_started);
        let log = logs.make(&name);
        self.standby = Some(StandbyThread::start(name, self.core, self.rules.clone(), log)?);
        Ok(())
    }

    /// Takes the watch that a demoted thread has left when it came back.
    pub(super) fn adopt(&mut self, now_ns: u64) {
        if self.watch.is_some() {
            return;
        }
        let mut adoptions = self.rules.adoptions.lock();
        let is_mine = |(thread, _): &(ThreadId, _)| thread.get() == self.thread.get();
        let Some(index) = adoptions.iter().position(is_mine) else { return };
        self.watch = Some(Eye::Lease(adoptions.swap_remove(index).1));
        drop(adoptions);
        self.end_sight(now_ns, true);
    }

    /// Checks it once; true when there is a new stall, and something to take from its thread.
    pub(super) fn check(&mut self, now_ns: u64, judgement: &Judgement) -> bool {
        if let Some(watch) = &self.watch {
            let running = watch.running();
            let same = self.sight.as_ref().map(|sight| sight.running);
            if running != same || running.is_none() {
                self.end_sight(now_ns, true);
                self.sight = running.map(|running| Sight::new(running, now_ns));
                return false;
            }
        }
        let Some(sight) = &mut self.sight else { return false };
        let Some(consumers) = self.cells.get(sight.running.cell) else { return false };
        let thread = self.watch.as_ref().is_none_or(Eye::has_thread).then_some(&self.thread);
        let Some(own_ns) = sight.own_ns(consumers, thread, now_ns) else { return false };
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

    /// Takes everything but the slow consumer. Returns the thread that keeps it; `None`
    /// when it has just come back.
    pub(super) fn take_over(
        &mut self,
        now_ns: u64,
        judgement: &Judgement,
        shared: &Shared,
    ) -> Option<WatchedThread> {
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
        let alone = WatchedThread {
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
    pub(super) fn end_sight(&mut self, now_ns: u64, is_over: bool) {
        let Some(sight) = self.sight.take().filter(|sight| sight.is_stall) else { return };
        let consumers = self.cells.get(sight.running.cell).into_iter().flatten();
        for (consumer, before) in consumers.zip(sight.before) {
            let after = Offered::read(&consumer.published);
            consumer.stalls.end(now_ns, before, after, is_over);
        }
    }
}

impl Judgement {
    /// Quarantines from outside: the consumer's own thread has no part in it.
    fn quarantine(&self, thread: &WatchedThread, now_ns: u64) {
        let Some(sight) = &thread.sight else { return };
        for consumer in thread.cells.get(sight.running.cell).into_iter().flatten() {
            consumer.stalls.quarantined();
            self.quarantine.raise(consumer.id, QuarantineReason::Stuck);
            log::error!(
                "[{}] quarantined: a callback has not returned for {} ms (thread {}, core {})",
                consumer.name,
                (now_ns - sight.since_ns) / 1_000_000,
                thread.name,
                thread.core.map_or("any".to_owned(), |core| core.to_string()),
            );
        }
        thread.rules.wakers.wake();
    }
}
