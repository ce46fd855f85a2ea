//! All agents of an engine on the calling thread: in real time, or as a record has it.
//!
//! In real time a round is one duty cycle of each agent in their order, kept on the thread's tape.
//! Rounds follow each other as long as there is work; then the thread sleeps, or polls, until a
//! socket is ready, a timer is due or somebody wakes it. So what is kept of a quiet second is what
//! happened in it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};
use pitlane_ring::alloc::count_this_thread;

use super::Agent;
use super::placement::Placement;
use crate::world::{Clock, tape};

/// The poller's own number for wake-ups; sockets have small ones.
const WAKE: Token = Token(usize::MAX);
/// Readiness taken from the poller at a time. What does not fit comes with the next call.
const EVENTS: usize = 64;
/// The longest time without a look at every agent: what a flag tells wakes nobody.
const POLL: Duration = Duration::from_millis(100);
/// After an idle round with something held back, or with a timer that is overdue and does nothing;
/// for one that polls. One that sleeps does so by the poller, which counts in milliseconds and
/// rounds up.
const RETRY: Duration = Duration::from_micros(10);

/// The agents, and where they sleep.
pub struct LiveThread {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    agents: Vec<Placement>,
    /// Reads time as it is, beside the tape.
    clock: Clock,
}

impl LiveThread {
    /// A thread without agents. `clock` is read where nothing is kept.
    ///
    /// # Errors
    /// The system's, when it gives no poller.
    pub fn new(clock: Clock) -> io::Result<LiveThread> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (events, agents) = (Events::with_capacity(EVENTS), Vec::new());
        Ok(LiveThread { poll, events, waker, agents, clock })
    }

    /// Ends a sleep.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Takes an agent and starts it.
    pub fn add(&mut self, mut placement: Placement) {
        placement.agent.on_start(self.poll.registry());
        self.agents.push(placement);
    }

    /// One duty cycle of each, in their order; how much they did.
    #[inline]
    pub fn round(&mut self) -> usize {
        let mut work = 0;
        for number in 0..self.agents.len() {
            if !self.agents[number].agent.is_done() {
                tape::cycle(number);
                work += self.cycle(number);
            }
        }
        work
    }

    /// A duty cycle of the agent of this number; nothing for one that is not there.
    #[inline]
    pub fn cycle(&mut self, number: usize) -> usize {
        let Some(Placement { agent, role }) = self.agents.get_mut(number) else { return 0 };
        count_this_thread(role.is_stage());
        let work = agent.duty_cycle();
        count_this_thread(false);
        // The end of an agent closes its lanes, which is work for those behind them.
        work + usize::from(agent.is_done())
    }

    /// After a round without work: sleeps until there may be some. With `spins`, polls.
    pub fn idle(&mut self, spins: bool) {
        let LiveThread { agents, clock, .. } = self;
        let now_ns = clock.now_ns();
        let (mut is_pending, mut timer_ns) = (false, u64::MAX);
        tape::outside(|| {
            for agent in agents.iter().map(|of| &of.agent).filter(|agent| !agent.is_done()) {
                is_pending |= agent.has_pending();
                timer_ns = timer_ns.min(agent.next_timer_ns());
            }
        });
        let longest = if is_pending || timer_ns <= now_ns { RETRY } else { POLL };
        let until_ns = timer_ns.max(now_ns + RETRY.as_nanos() as u64);
        let until_ns = until_ns.min(now_ns + longest.as_nanos() as u64);
        loop {
            let left_ns = until_ns.saturating_sub(self.clock.now_ns());
            let limit = if spins { 0 } else { left_ns };
            // Interrupted or not: the next round looks at every source.
            let _outcome = self.poll.poll(&mut self.events, Some(Duration::from_nanos(limit)));
            if !spins || left_ns == 0 || !self.events.is_empty() {
                return;
            }
        }
    }

    /// Whether every agent has finished whose end is waited for.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.unfinished().next().is_none()
    }

    /// Names of those that have not.
    pub fn unfinished(&self) -> impl Iterator<Item = &str> {
        let awaited = self.agents.iter().filter(|of| of.role.is_awaited());
        awaited.map(|of| &of.agent).filter(|agent| !agent.is_done()).map(|agent| agent.name())
    }

    /// The name of the agent of this number.
    #[must_use]
    pub fn name(&self, number: usize) -> Option<&str> {
        self.agents.get(number).map(|of| of.agent.name())
    }

    /// Names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.agents.iter().map(|of| of.agent.name())
    }

    /// Gives the agents back, in the order in which they came; nobody runs any more.
    #[must_use]
    pub fn into_agents(self) -> Vec<Box<dyn Agent>> {
        self.agents.into_iter().map(|of| of.agent).collect()
    }
}
