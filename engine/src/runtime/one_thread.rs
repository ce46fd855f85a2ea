//! All agents of a simulated world on the calling thread, in virtual time.
//!
//! The next agent is drawn from the run's seed among those that may have work. When none has, time
//! moves to the next timer or the next arrival on the network, and a timer wakes its own agent
//! alone. So a quiet second takes microseconds, and one seed gives one run, whatever the machine
//! does meanwhile.
//!
//! A duty cycle that did something takes a drawn moment of virtual time, as it takes some of a
//! core. That lets stages overtake each other as they do on cores, and no ring of agents that feed
//! each other can stop time.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Poll;

use super::Agent;
use super::placement::{Placement, Role};
use crate::world::{Clock, ManualTime, SplitMix64, VirtualNet, tape};

/// What a duty cycle with work takes, ns.
const CYCLE_NS: (u64, u64) = (100, 2_000);
/// After an idle round with something held back, or with a timer that is overdue and does nothing,
/// ns.
const RETRY_NS: u64 = 10_000;
/// The longest time without a look at every agent, ns: what a flag tells wakes nobody.
const POLL_NS: u64 = 100_000_000;

/// The scheduler of a simulated world.
pub struct OneThread {
    clock: Clock,
    time: ManualTime,
    net: VirtualNet,
    random: SplitMix64,
    /// Agents register their sockets there; nobody waits on it.
    poll: Poll,
    agents: Vec<Placed>,
    /// Agents that have a number on a tape.
    numbered: usize,
    /// Places of agents that may have work.
    ready: Vec<usize>,
    /// When all were ready last, ns.
    all_ready_ns: u64,
    cycles: u64,
    /// Set when all but the venues was killed in the middle of a duty cycle.
    killed: Arc<AtomicBool>,
}

/// An agent, and what the scheduler knows of it.
struct Placed {
    agent: Box<dyn Agent>,
    role: Role,
    /// Its number on a tape; `None` for one that is not of the engine.
    number: Option<usize>,
    /// Its next timer when it was asked last, ns; 0 where something held back is to be tried again.
    timer_ns: u64,
    /// It gets no duty cycle before this time, ns.
    held_until_ns: u64,
    load: AgentLoad,
}

/// What an agent has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentLoad {
    /// Duty cycles with work.
    pub busy: u64,
    /// How often it had nothing to do although its time had come, or held something back: time
    /// moves by 10 us then, so what waits for long makes a run slow.
    pub waits: u64,
}

impl Placed {
    /// A duty cycle, kept on the thread's tape if it is one of the engine.
    fn cycle(&mut self) -> usize {
        let agent = &mut self.agent;
        match self.number {
            Some(number) => {
                tape::cycle(number);
                agent.duty_cycle()
            }
            None => tape::outside(|| agent.duty_cycle()),
        }
    }
}

impl OneThread {
    /// A scheduler without agents, over the world's clock, as moved by `time`, and its network.
    ///
    /// # Errors
    /// The system's, when it gives no poller.
    pub fn new(
        clock: Clock,
        time: ManualTime,
        net: VirtualNet,
        random: SplitMix64,
    ) -> io::Result<OneThread> {
        let (agents, ready) = (Vec::new(), Vec::new());
        let (poll, all_ready_ns, cycles) = (Poll::new()?, 0, 0);
        let killed = Arc::default();
        Ok(OneThread {
            clock,
            time,
            net,
            random,
            poll,
            agents,
            numbered: 0,
            ready,
            all_ready_ns,
            cycles,
            killed,
        })
    }

    /// Runs nobody any more once `killed` is set.
    pub fn ends_with(&mut self, killed: Arc<AtomicBool>) {
        self.killed = killed;
    }

    /// Whether a process of its agents was killed in the middle of a duty cycle.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    /// Takes a stage, as [`OneThread::place`] does.
    pub fn add(&mut self, agent: Box<dyn Agent>) {
        self.place(Placement::new(Role::Stage, agent));
    }

    /// Takes an agent whose end nobody waits for.
    pub fn add_peer(&mut self, agent: Box<dyn Agent>) {
        self.place(Placement::new(Role::Peer, agent));
    }

    /// Takes an agent and starts it. The order of the calls is part of what a seed means.
    pub fn place(&mut self, placement: Placement) {
        let Placement { mut agent, role } = placement;
        agent.on_start(self.poll.registry());
        let (timer_ns, held_until_ns, load) = (0, 0, AgentLoad::default());
        let number = (role != Role::Venue).then_some(self.numbered);
        self.numbered += usize::from(number.is_some());
        self.agents.push(Placed { agent, role, number, timer_ns, held_until_ns, load });
        self.wake_all();
    }

    /// One of the agents whose end is waited for, by `number`, gets no core for `ns`.
    pub fn hold(&mut self, number: usize, ns: u64) {
        let until_ns = self.clock.now_ns() + ns;
        let mut awaited: Vec<_> =
            self.agents.iter_mut().filter(|of| of.role.is_awaited()).collect();
        let count = awaited.len().max(1);
        if let Some(placed) = awaited.get_mut(number % count) {
            placed.held_until_ns = placed.held_until_ns.max(until_ns);
        }
    }

    /// Keeps the agents of these places; the others are no more, and are not told.
    pub fn keep(&mut self, places: Range<usize>) {
        self.agents.truncate(places.end);
        self.agents.drain(..places.start);
        self.wake_all();
    }

    /// Agents that it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.agents.len()
    }

    /// Gives the agents back, in the order in which they came; nobody runs any more.
    #[must_use]
    pub fn into_agents(self) -> Vec<Box<dyn Agent>> {
        self.agents.into_iter().map(|placed| placed.agent).collect()
    }

    /// Duty cycles that were run so far.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// What each agent has cost, by name.
    pub fn loads(&self) -> impl Iterator<Item = (&str, AgentLoad)> {
        self.agents.iter().map(|placed| (placed.agent.name(), placed.load))
    }

    /// Virtual time, ns since its start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Whether every agent has finished whose end is waited for; never, where there is none.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.agents.iter().any(|placed| placed.role.is_awaited())
            && self.unfinished().next().is_none()
    }

    /// Names of the agents that have not finished.
    pub fn unfinished(&self) -> impl Iterator<Item = &str> {
        let awaited = self.agents.iter().filter(|placed| placed.role.is_awaited());
        awaited.filter(|placed| !placed.agent.is_done()).map(|placed| placed.agent.name())
    }

    /// Runs until virtual time has reached `end_ns` or every agent has finished.
    pub fn run_until_ns(&mut self, end_ns: u64) {
        // The caller may have changed anything that agents look at.
        self.wake_all();
        while self.clock.now_ns() < end_ns && !self.is_killed() {
            if self.ready.is_empty() {
                if self.is_done() {
                    return;
                }
                let next_ns = self.next_ns();
                self.time.advance_to_ns(next_ns.min(end_ns));
                self.wake_due();
                continue;
            }
            let last = self.ready.len() as u64 - 1;
            let place = self.ready.swap_remove(self.random.between(0, last) as usize);
            let placed = &mut self.agents[place];
            if placed.agent.is_done() || placed.held_until_ns > self.clock.now_ns() {
                continue;
            }
            self.cycles += 1;
            // The end of an agent closes its lanes, which is work for those behind them.
            if placed.cycle() > 0 || placed.agent.is_done() {
                placed.load.busy += 1;
                self.time.advance_ns(self.random.between(CYCLE_NS.0, CYCLE_NS.1));
                self.wake_all();
            }
        }
    }

    /// When somebody has something to do again.
    fn next_ns(&mut self) -> u64 {
        let now_ns = self.clock.now_ns();
        let (mut next_ns, mut is_held) = (self.all_ready_ns + POLL_NS, false);
        for placed in self.agents.iter_mut().filter(|placed| !placed.agent.is_done()) {
            if placed.held_until_ns > now_ns {
                placed.timer_ns = placed.held_until_ns;
                next_ns = next_ns.min(placed.timer_ns);
                continue;
            }
            let agent = &placed.agent;
            let (is_pending, timer_ns) =
                tape::outside(|| (agent.has_pending(), agent.next_timer_ns()));
            is_held |= is_pending;
            placed.timer_ns = if is_pending { 0 } else { timer_ns };
            if placed.timer_ns <= now_ns {
                placed.load.waits += 1;
            }
            if !is_pending {
                next_ns = next_ns.min(placed.timer_ns);
            }
        }
        next_ns = next_ns.min(self.net.next_due_ns());
        match next_ns {
            // It did nothing although its time has come: it waits for something else as well.
            _ if next_ns <= now_ns => now_ns + RETRY_NS,
            _ if is_held => next_ns.min(now_ns + RETRY_NS),
            _ => next_ns,
        }
    }

    /// Readies those whose time has come; all where something has arrived on the network.
    fn wake_due(&mut self) {
        let now_ns = self.clock.now_ns();
        if self.net.has_arrived() || now_ns >= self.all_ready_ns + POLL_NS {
            return self.wake_all();
        }
        let is_due = |(_, placed): &(usize, &Placed)| placed.timer_ns <= now_ns;
        let due = self.agents.iter().enumerate().filter(is_due).map(|(place, _)| place);
        self.ready.extend(due);
    }

    fn wake_all(&mut self) {
        self.all_ready_ns = self.clock.now_ns();
        self.ready.clear();
        self.ready.extend(0..self.agents.len());
    }
}
