//! The loop of a core: duty cycles of everything that is placed on it, each consumer by lease.
//!
//! A core's belongings are the cells of one [`lease`]. The first cell, the *base*, is the sleeping
//! place, the hiccup meter and every agent that is no consumer; each further cell is a consumer.
//! The base is run between batches, where nobody can take anything: our own agents never block. A
//! consumer is run as a batch of the lease, so the watchdog can take the base and all *other*
//! consumers from a thread that one of them holds up, and hand them to the thread that stands by.
//! Sockets and timers, wakers and histograms move along, since all of them are in a cell.
//!
//! A thread that comes back from such a callback finds that its one consumer is all it has, and
//! goes on with it alone: it sleeps when there is nothing to do, and the pinned thread has the
//! core.
//!
//! **Cost** of a consumer's turn: one store and one compare-and-swap, 7 ns (see
//! [`pitlane_ring::lease`]).

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pitlane_ring::alloc::count_this_thread;
use pitlane_ring::{Demoted, Home, IdleStrategy, LEASE_CELLS_MAX, LookAhead, Watch, lease};

use super::contention::{Contention, Idling};
use super::parking::{AlonePlaces, NAP};
use super::{
    Agent, Clock, ContentionBook, CoreParking, CoreWakers, HiccupMeter, Phase, StopSignal, YieldBan,
};
use crate::telemetry::HistogramSet;

/// The cell that is never slow.
const BASE: usize = 0;

/// Idle time between two rehearsals, ns. One takes less than a microsecond.
const REHEARSE_EVERY_NS: u64 = 25_000;

/// Runs the code that an event will run, on events that nobody else sees. A thread that polls for a
/// millisecond and finds nothing has that code out of its near caches, and its branches forgotten,
/// when something comes.
pub type Rehearsal = Box<dyn FnMut() + Send>;

/// A cell of a core's lease.
pub(super) enum Seat {
    /// Everything but consumers.
    Base(Box<Base>),
    /// A consumer.
    Consumer(Box<dyn Agent>),
    /// Several, where a core has more of them than a lease has cells.
    Consumers(Vec<Box<dyn Agent>>),
}

/// What moves with every take-over.
pub(super) struct Base {
    pub(super) agents: Vec<Box<dyn Agent>>,
    pub(super) parking: CoreParking,
    pub(super) hiccups: HiccupMeter,
    pub(super) rehearsal: Option<Rehearsal>,
    pub(super) rehearsed_ns: u64,
}

/// What every thread of a core knows.
#[derive(Clone)]
pub(super) struct CoreRules {
    pub(super) idle: IdleStrategy,
    pub(super) wakers: CoreWakers,
    pub(super) stop: StopSignal,
    pub(super) clock: Clock,
    /// Where a thread that was left alone sleeps.
    pub(super) alone: AlonePlaces,
    pub(super) yield_ban: YieldBan,
    /// What others take of it.
    pub(super) contention: Arc<ContentionBook>,
    /// Where it leaves the watch over itself.
    pub(super) adoptions: Adoptions,
}

/// Watches over threads that were left alone, on their way to the watchdog.
pub(super) type Adoptions = Arc<Mutex<Vec<(ThreadId, Watch<Seat>)>>>;

/// The system's number of a thread, once it runs; 0 before.
#[derive(Clone, Debug, Default)]
pub(super) struct ThreadId(Arc<AtomicI32>);

impl ThreadId {
    /// To be called on the thread itself.
    pub(super) fn set(&self) {
        self.0.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Release);
    }

    pub(super) fn get(&self) -> i32 {
        self.0.load(Ordering::Acquire)
    }
}

/// What is left of a core's thread after it was joined.
pub struct CoreTotals {
    /// The agents that it ran last.
    pub agents: Vec<Box<dyn Agent>>,
    /// Hiccups that were not collected yet; of the thread that has the core.
    pub hiccups: Option<Box<HistogramSet>>,
}

/// Makes a core's lease. The cells of the consumers follow each other, with as many consumers in
/// each as [`consumers_in_cell`] says.
pub(super) fn seats(base: Base, consumers: Vec<Box<dyn Agent>>) -> (Home<Seat>, Watch<Seat>) {
    let size = consumers_in_cell(consumers.len());
    let mut cells = vec![Seat::Base(Box::new(base))];
    let mut consumers = consumers.into_iter().peekable();
    while consumers.peek().is_some() {
        let mut together: Vec<_> = consumers.by_ref().take(size).collect();
        cells.push(match (together.pop(), together.is_empty()) {
            (Some(alone), true) => Seat::Consumer(alone),
            (last, _) => {
                together.extend(last);
                Seat::Consumers(together)
            }
        });
    }
    lease(cells)
}

/// Consumers that share a cell, and so a stall, where a core has `count` of them: 1 up to 63.
pub(super) fn consumers_in_cell(count: usize) -> usize {
    count.div_ceil(LEASE_CELLS_MAX - 1).max(1)
}

/// Work done, and agents that are done for good.
type Passed = (usize, usize);

impl Seat {
    fn agents(&self) -> &[Box<dyn Agent>] {
        match self {
            Seat::Base(base) => &base.agents,
            Seat::Consumer(agent) => std::slice::from_ref(agent),
            Seat::Consumers(agents) => agents,
        }
    }

    fn agents_mut(&mut self) -> &mut [Box<dyn Agent>] {
        match self {
            Seat::Base(base) => &mut base.agents,
            Seat::Consumer(agent) => std::slice::from_mut(agent),
            Seat::Consumers(agents) => agents,
        }
    }

    fn into_agents(self) -> Vec<Box<dyn Agent>> {
        match self {
            Seat::Base(base) => base.agents,
            Seat::Consumer(agent) => vec![agent],
            Seat::Consumers(agents) => agents,
        }
    }

    #[inline]
    fn pass(&mut self) -> Passed {
        match self {
            Seat::Consumer(agent) => turn(agent),
            Seat::Base(base) => base.pass(),
            Seat::Consumers(agents) => pass(agents),
        }
    }

    #[inline]
    fn prefetch(&self) {
        self.agents().iter().for_each(|agent| agent.prefetch());
    }

    fn has_pending(&self) -> bool {
        self.agents().iter().any(|agent| agent.has_pending())
    }

    fn next_timer_ns(&self) -> u64 {
        self.agents().iter().map(|agent| agent.next_timer_ns()).min().unwrap_or(u64::MAX)
    }
}

impl Base {
    #[inline]
    fn pass(&mut self) -> Passed {
        pass(&mut self.agents)
    }

    /// To be called after each cycle. Says about when that is, ns, after one without work.
    #[inline]
    fn after_cycle(&mut self, work: usize) -> Option<u64> {
        let idle_ns = self.hiccups.after_cycle(work);
        if let Some(now_ns) = idle_ns
            && let Some(rehearse) = &mut self.rehearsal
            && now_ns.saturating_sub(self.rehearsed_ns) >= REHEARSE_EVERY_NS
        {
            rehearse();
            self.rehearsed_ns = now_ns;
        }
        idle_ns
    }
}

/// One duty cycle of each.
#[inline]
fn pass(agents: &mut [Box<dyn Agent>]) -> Passed {
    let (mut work, mut done) = (0, 0);
    for agent in agents {
        let passed = turn(agent);
        work += passed.0;
        done += passed.1;
    }
    (work, done)
}

#[inline]
fn turn(agent: &mut Box<dyn Agent>) -> Passed {
    (agent.duty_cycle(), usize::from(agent.is_done()))
}

/// A home at work.
struct Round<'r> {
    home: Home<Seat>,
    rules: &'r CoreRules,
    /// Agents of this home.
    total: usize,
    /// How many were done after the last pass.
    done: usize,
    contention: Contention,
}

/// Starts the agents, on the thread that will run them.
pub(super) fn start_agents(home: &mut Home<Seat>) {
    let Ok(registry) = base(home).parking.registry().try_clone() else { return };
    for cell in home.cells() {
        if let Some(seat) = home.get_mut(cell) {
            seat.agents_mut().iter_mut().for_each(|agent| agent.on_start(&registry));
        }
    }
}

/// Runs a home until all its agents are done, or the deadline is over; or, once it was demoted, the
/// one consumer that it keeps.
pub(super) fn run(home: Home<Seat>, rules: &CoreRules, thread: &ThreadId) -> CoreTotals {
    count_this_thread(true);
    let totals = match Round::new(home, rules).run() {
        Ok(totals) => totals,
        Err(demoted) => run_alone(demoted.into_inner(), rules, thread),
    };
    count_this_thread(false);
    rules.wakers.wake();
    totals
}

impl<'r> Round<'r> {
    fn new(mut home: Home<Seat>, rules: &'r CoreRules) -> Round<'r> {
        let mut total = 0;
        for cell in home.cells() {
            total += home.get_mut(cell).map_or(0, |seat| seat.agents().len());
        }
        // Whoever had the core before may have announced a sleep, and was held up in the middle of
        // a pass whose work nobody was woken for yet.
        let base = base(&mut home);
        base.parking.withdraw();
        base.hiccups.nap();
        rules.wakers.wake();
        let contention = Contention::new(Arc::clone(&rules.contention));
        Round { home, rules, total, done: 0, contention }
    }

    fn run(mut self) -> Result<CoreTotals, Demoted<Seat>> {
        let mut idler = self.rules.idle.idler();
        let parks = self.rules.idle == IdleStrategy::Park;
        precise_naps();
        loop {
            let hiccups = &mut base(&mut self.home).hiccups;
            hiccups.before_cycle();
            if let Some((now_ns, gap_ns)) = hiccups.gap() {
                self.contention.after_gap(now_ns, gap_ns);
            }
            let work = self.pass()?;
            if self.is_done() || (work == 0 && self.rules.stop.phase() == Phase::Halted) {
                return Ok(self.into_totals());
            }
            let idle_ns = base(&mut self.home).after_cycle(work);
            let idling = match idle_ns {
                Some(now_ns) if !parks => self.idling(now_ns),
                _ => Idling::AsPlanned,
            };
            match idling {
                Idling::Spin => std::hint::spin_loop(),
                Idling::Yield => std::thread::yield_now(),
                Idling::Nap(nap) => std::thread::park_timeout(nap),
                Idling::AsPlanned if idler.idle(work) && !self.has_pending() => self.park()?,
                Idling::AsPlanned => {}
            }
        }
    }

    /// How a core that does not park idles.
    #[inline]
    fn idling(&mut self, now_ns: u64) -> Idling {
        if self.rules.yield_ban.is_on() { Idling::Spin } else { self.contention.idling(now_ns) }
    }

    /// One duty cycle of every agent. Wakes whoever the work may be for, also when all an agent did
    /// was to close its lanes.
    #[inline]
    fn pass(&mut self) -> Result<usize, Demoted<Seat>> {
        let (mut work, mut done) = (0, 0);
        let mut look_ahead = LookAhead::default();
        let mut cells = self.home.cells();
        while let Some(cell) = cells.next() {
            let passed = match cell {
                // Between batches: nobody takes anything, and it costs nothing.
                BASE => base(&mut self.home).pass(),
                _ => {
                    let passed = self.home.run(cell, Seat::pass)?;
                    for next in look_ahead.after(passed.0, cells.clone()) {
                        if let Some(seat) = self.home.get_mut(next) {
                            seat.prefetch();
                        }
                    }
                    passed
                }
            };
            work += passed.0;
            done += passed.1;
        }
        if work > 0 || done != self.done {
            self.done = done;
            self.rules.wakers.wake();
        }
        Ok(work)
    }

    /// Announces the sleep, passes over all agents once more, and only then sleeps.
    fn park(&mut self) -> Result<(), Demoted<Seat>> {
        let before = base(&mut self.home);
        // By its own will: what follows is no hiccup.
        before.hiccups.nap();
        before.parking.announce();
        let work = self.pass()?;
        let limit = if work > 0 || self.is_done() || self.has_pending() {
            Some(Duration::ZERO)
        } else {
            limit(self.next_timer_ns(), &self.rules.clock)
        };
        let place = &mut base(&mut self.home).parking;
        if limit != Some(Duration::ZERO) {
            place.sleep(limit);
        }
        place.withdraw();
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done == self.total
    }

    fn has_pending(&mut self) -> bool {
        self.home.cells().any(|cell| self.home.get_mut(cell).is_some_and(|seat| seat.has_pending()))
    }

    fn next_timer_ns(&mut self) -> u64 {
        let cells = self.home.cells();
        let timer_ns = |cell| self.home.get_mut(cell).map_or(u64::MAX, |seat| seat.next_timer_ns());
        cells.map(timer_ns).min().unwrap_or(u64::MAX)
    }

    fn into_totals(self) -> CoreTotals {
        let mut totals = CoreTotals { agents: Vec::new(), hiccups: None };
        count_this_thread(false);
        for (_, seat) in self.home.into_cells() {
            match seat {
                Seat::Base(base) => {
                    totals.agents.extend(base.agents);
                    totals.hiccups = Some(base.hiccups.into_set());
                }
                consumers => totals.agents.extend(consumers.into_agents()),
            }
        }
        totals
    }
}

/// Has the calling thread's naps end when they should: by default they are 50 us late.
fn precise_naps() {
    if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
        log::debug!("naps will be late: {error} (code: io)");
    }
}

/// The rest of a demoted thread's life: one consumer, unpinned, asleep where there is nothing to
/// do. It is watched over as before, for its stalls are still counted and it may still be
/// quarantined.
fn run_alone(seat: Seat, rules: &CoreRules, thread: &ThreadId) -> CoreTotals {
    count_this_thread(false);
    let total = seat.agents().len();
    let (mut home, watch) = lease(vec![seat]);
    rules.adoptions.lock().push((thread.clone(), watch));
    let mut place = rules.alone.take();
    count_this_thread(true);
    rules.wakers.wake();
    let mut done = 0;
    while done < total {
        // Never demoted again: there is nothing to take.
        let Ok((work, now_done)) = home.run(BASE, Seat::pass) else { break };
        if work > 0 || now_done != done {
            done = now_done;
            rules.wakers.wake();
        } else if rules.stop.phase() == Phase::Halted {
            break;
        } else {
            let seat = home.get_mut(BASE);
            let (next_timer_ns, is_pending) =
                seat.map_or((u64::MAX, false), |seat| (seat.next_timer_ns(), seat.has_pending()));
            let timer = limit(next_timer_ns, &rules.clock).unwrap_or(Duration::MAX);
            // What is pending comes without a wake-up.
            let longest = if is_pending { NAP } else { POLL };
            match &mut place {
                None => std::thread::park_timeout(timer.min(NAP)),
                Some(place) => {
                    let mut has_worked = false;
                    let look = || {
                        if let Ok((work, now_done)) = home.run(BASE, Seat::pass) {
                            has_worked = work > 0 || now_done != done;
                            done = now_done;
                        }
                        has_worked
                    };
                    place.park(look, timer.min(longest));
                    if has_worked {
                        rules.wakers.wake();
                    }
                }
            }
        }
    }
    count_this_thread(false);
    let agents = home.into_cells().into_iter().flat_map(|(_, seat)| seat.into_agents());
    CoreTotals { agents: agents.collect(), hiccups: None }
}

/// Longest sleep of a thread that is left alone and has wakers.
const POLL: Duration = Duration::from_millis(100);

/// Time left until a timer; `None` when there is none.
fn limit(next_timer_ns: u64, clock: &Clock) -> Option<Duration> {
    let left_ns = next_timer_ns.saturating_sub(clock.now_ns());
    (next_timer_ns != u64::MAX).then(|| Duration::from_nanos(left_ns))
}

/// The base of a home that was not demoted.
#[inline]
fn base(home: &mut Home<Seat>) -> &mut Base {
    match home.get_mut(BASE) {
        Some(Seat::Base(base)) => base,
        _ => unreachable!("the first cell of every home is its base"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn a_core_rehearses_after_each_stretch_without_work_and_never_after_work() {
        let (clock, time) = Clock::manual(0);
        let rehearsals = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&rehearsals);
        let (mut places, ..) = CoreParking::of_cores([IdleStrategy::Spin].into_iter(), 0).unwrap();
        let mut base = Base {
            agents: Vec::new(),
            parking: places.pop().unwrap(),
            hiccups: HiccupMeter::new("core", clock),
            rehearsal: Some(Box::new(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            })),
            rehearsed_ns: 0,
        };
        let mut cycles = |count: u64, work: usize| {
            for _ in 0..count {
                time.advance_ns(REHEARSE_EVERY_NS / 5);
                base.hiccups.before_cycle();
                base.after_cycle(work);
            }
            rehearsals.swap(0, Ordering::Relaxed)
        };
        assert_eq!(cycles(100, 1), 0);
        assert_eq!(cycles(1, 0), 1, "it was due, and there is time now");
        assert_eq!(cycles(50, 0), 10);
    }
}
