//! All agents of a simulated world on the calling thread, in virtual time.
//!
//! The next agent is drawn from the run's seed among those that may have work. When none has, time
//! moves to the next timer or the next arrival on the network. So ten seconds of a quiet engine
//! take milliseconds, and one seed gives one run, whatever the machine does meanwhile.
//!
//! A duty cycle that did something takes a drawn moment of virtual time, as it takes some of a
//! core. That lets stages overtake each other as they do on cores, and no ring of agents that feed
//! each other can stop time.

use std::io;

use mio::Poll;

use super::Agent;
use crate::world::{Clock, ManualTime, SplitMix64, VirtualNet};

/// What a duty cycle with work takes, ns.
const CYCLE_NS: (u64, u64) = (100, 2_000);
/// After an idle round with something held back, or with a timer that is overdue and does nothing,
/// ns.
const RETRY_NS: u64 = 10_000;
/// The longest time without a look at any agent, ns: what a flag tells wakes nobody.
const LOOK_NS: u64 = 100_000_000;

/// The scheduler of a simulated world.
pub struct OneThread {
    clock: Clock,
    time: ManualTime,
    net: VirtualNet,
    random: SplitMix64,
    /// Agents register their sockets there; nobody waits on it.
    poll: Poll,
    agents: Vec<Box<dyn Agent>>,
    /// How many of them, from the first on, are no part of the engine: nobody waits for their end.
    peers: usize,
    /// Places of agents that may have work.
    ready: Vec<usize>,
    cycles: u64,
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
        let (agents, peers, ready) = (Vec::new(), 0, Vec::new());
        let poll = Poll::new()?;
        Ok(OneThread { clock, time, net, random, poll, agents, peers, ready, cycles: 0 })
    }

    /// Takes an agent and starts it. The order of the calls is part of what a seed means.
    pub fn add(&mut self, mut agent: Box<dyn Agent>) {
        agent.on_start(self.poll.registry());
        self.agents.push(agent);
        self.wake_all();
    }

    /// Takes an agent that is no part of the engine, as a venue.
    ///
    /// # Panics
    /// When one of the engine's own was taken before.
    pub fn add_peer(&mut self, agent: Box<dyn Agent>) {
        assert_eq!(self.agents.len(), self.peers, "peers come first");
        self.peers += 1;
        self.add(agent);
    }

    /// Duty cycles that were run so far.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Virtual time, ns since its start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Whether every agent has finished.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.unfinished().next().is_none()
    }

    /// Names of the agents that have not finished.
    pub fn unfinished(&self) -> impl Iterator<Item = &str> {
        let own = self.agents[self.peers..].iter();
        own.filter(|agent| !agent.is_done()).map(|agent| agent.name())
    }

    /// Runs until virtual time has reached `end_ns` or every agent has finished.
    pub fn run_until_ns(&mut self, end_ns: u64) {
        // The caller may have changed anything that agents look at.
        self.wake_all();
        while self.clock.now_ns() < end_ns {
            if self.ready.is_empty() {
                if self.is_done() {
                    return;
                }
                let next_ns = self.next_ns();
                self.time.advance_to_ns(next_ns.min(end_ns));
                self.wake_all();
                continue;
            }
            let last = self.ready.len() as u64 - 1;
            let place = self.ready.swap_remove(self.random.between(0, last) as usize);
            let agent = &mut self.agents[place];
            if agent.is_done() {
                continue;
            }
            self.cycles += 1;
            // The end of an agent closes its lanes, which is work for those behind them.
            if agent.duty_cycle() > 0 || agent.is_done() {
                self.time.advance_ns(self.random.between(CYCLE_NS.0, CYCLE_NS.1));
                self.wake_all();
            }
        }
    }

    /// When somebody has something to do again.
    fn next_ns(&mut self) -> u64 {
        let now_ns = self.clock.now_ns();
        let running = || self.agents.iter().filter(|agent| !agent.is_done());
        let timer_ns = running().map(|agent| agent.next_timer_ns()).min().unwrap_or(u64::MAX);
        let is_held = running().any(|agent| agent.has_pending());
        let next_ns = timer_ns.min(self.net.next_due_ns()).min(now_ns + LOOK_NS);
        match next_ns {
            _ if is_held => next_ns.clamp(now_ns + 1, now_ns + RETRY_NS),
            // It did nothing although its time has come: it waits for something else as well.
            _ if next_ns <= now_ns => now_ns + RETRY_NS,
            _ => next_ns,
        }
    }

    fn wake_all(&mut self) {
        self.ready.clear();
        self.ready.extend(0..self.agents.len());
    }
}
