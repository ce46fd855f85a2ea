//! All agents of a simulated world on the calling thread, in virtual time.
//!
//! The next agent is drawn from the run's seed among those that may have work. When none has, time
//! moves to the next timer or the next arrival on the network, and a timer wakes its own agent
//! alone. So a quiet second takes microseconds, and one seed gives one run, whatever the machine
//! does meanwhile.
//!
//! Who may have work after a duty cycle follows from who did something ([`Role`]): a stage makes
//! work for those that its lanes lead to, and what is beside the stages sleeps until its timer, an
//! arrival, or a [`BesideWaker`]. An arrival readies who has looked at that connection last.
//!
//! A duty cycle that did something takes a drawn moment of virtual time, as it takes some of a
//! core. That lets stages overtake each other as they do on cores, and no ring of agents that feed
//! each other can stop time.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Poll;

use super::placement::{Placement, Role};
use super::{Agent, BesideWaker};
use crate::world::{Clock, ManualTime, Reader, SplitMix64, VirtualNet, tape};

/// What a duty cycle with work takes, ns.
const CYCLE_NS: (u64, u64) = (100, 2_000);
/// After an idle round with something held back, or with a timer that is overdue and does nothing,
/// ns.
pub(crate) const RETRY_NS: u64 = 20_000;
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
    /// Of each agent, what is looked at most.
    turns: Vec<Turn>,
    /// Agents that have a number on a tape.
    numbered: usize,
    /// Places of agents that may have work, each once.
    ready: Vec<usize>,
    /// Set by whoever ends the sleep of what is beside the stages.
    woken: Arc<AtomicBool>,
    /// When all were ready last, ns.
    all_ready_ns: u64,
    /// The first timer of those that are not ready, ns.
    due_ns: u64,
    cycles: u64,
    /// Set when all but the venues was killed in the middle of a duty cycle.
    killed: Arc<AtomicBool>,
}

/// An agent, and what the scheduler knows of it.
struct Placed {
    agent: Box<dyn Agent>,
    /// Its number on a tape; `None` for one that is not of the engine.
    number: Option<usize>,
    load: AgentLoad,
}

/// Whether it is an agent's turn.
struct Turn {
    role: Role,
    is_ready: bool,
    /// It has ended, as was seen after its last duty cycle.
    is_done: bool,
    /// Whether something is held back.
    is_pending: bool,
    /// Its next timer after its last duty cycle, ns; 0 where something held back is to be tried
    /// again.
    timer_ns: u64,
    /// It gets no duty cycle before this time, ns.
    held_until_ns: u64,
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

    /// After a duty cycle without work: whether something is held back, and until when there is
    /// nothing to do, as a thread asks before it sleeps.
    fn sleep(&self) -> (bool, u64) {
        tape::outside(|| (self.agent.has_pending(), self.agent.next_timer_ns()))
    }
}

impl Turn {
    /// When the agent is to be polled again, ns.
    fn due_ns(&self, now_ns: u64) -> u64 {
        if self.held_until_ns > now_ns { self.held_until_ns } else { self.timer_ns }
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
        let (agents, turns, ready) = (Vec::new(), Vec::new(), Vec::new());
        let (poll, all_ready_ns, cycles) = (Poll::new()?, 0, 0);
        let (killed, woken) = (Arc::default(), Arc::default());
        Ok(OneThread {
            clock,
            time,
            net,
            random,
            poll,
            agents,
            turns,
            numbered: 0,
            ready,
            woken,
            all_ready_ns,
            due_ns: 0,
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

    /// What ends the sleep of agents beside the stages.
    #[must_use]
    pub fn waker(&self) -> BesideWaker {
        BesideWaker::of_flag(Arc::clone(&self.woken))
    }

    /// Takes an agent and starts it. The order of the calls is part of what a seed means.
    pub fn place(&mut self, placement: Placement) {
        let Placement { mut agent, role } = placement;
        agent.on_start(self.poll.registry());
        let number = (role != Role::Venue).then_some(self.numbered);
        self.numbered += usize::from(number.is_some());
        self.agents.push(Placed { agent, number, load: AgentLoad::default() });
        let (is_ready, is_done, is_pending) = (false, false, false);
        let (timer_ns, held_until_ns) = (0, 0);
        self.turns.push(Turn { role, is_ready, is_done, is_pending, timer_ns, held_until_ns });
        self.wake_all();
    }

    /// One of the agents whose end is waited for, by `number`, gets no core for `ns`.
    pub fn hold(&mut self, number: usize, ns: u64) {
        let until_ns = self.clock.now_ns() + ns;
        let mut awaited: Vec<_> = self.turns.iter_mut().filter(|of| of.role.is_awaited()).collect();
        let count = awaited.len().max(1);
        if let Some(turn) = awaited.get_mut(number % count) {
            turn.held_until_ns = turn.held_until_ns.max(until_ns);
        }
    }

    /// Keeps the agents of these places; the others are no more, and are not told.
    pub fn keep(&mut self, places: Range<usize>) {
        self.agents.truncate(places.end);
        self.agents.drain(..places.start);
        self.turns.truncate(places.end);
        self.turns.drain(..places.start);
        self.ready.clear();
        self.turns.iter_mut().for_each(|turn| turn.is_ready = false);
        // They have other places now.
        self.net.forget_readers();
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
        self.turns.iter().any(|turn| turn.role.is_awaited()) && self.unfinished().next().is_none()
    }

    /// Names of the agents that have not finished.
    pub fn unfinished(&self) -> impl Iterator<Item = &str> {
        let of_turn = self.agents.iter().zip(&self.turns);
        let awaited = of_turn.filter(|(_, turn)| turn.role.is_awaited()).map(|(placed, _)| placed);
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
                if self.woken.swap(false, Ordering::Relaxed) {
                    self.wake_all();
                    continue;
                }
                let next_ns = self.next_ns();
                self.time.advance_to_ns(next_ns.min(end_ns));
                self.wake_due();
                continue;
            }
            let last = self.ready.len() as u64 - 1;
            let place = self.ready.swap_remove(self.random.between(0, last) as usize);
            let turn = &mut self.turns[place];
            turn.is_ready = false;
            if turn.is_done || turn.held_until_ns > self.clock.now_ns() {
                self.due_ns = self.due_ns.min(turn.held_until_ns);
                continue;
            }
            self.cycles += 1;
            self.net.runs(place);
            let (placed, role) = (&mut self.agents[place], turn.role);
            let (has_worked, is_done) = (placed.cycle() > 0, placed.agent.is_done());
            turn.is_done = is_done;
            if has_worked || is_done {
                placed.load.busy += 1;
                self.time.advance_ns(self.random.between(CYCLE_NS.0, CYCLE_NS.1));
                // The end of an agent closes its lanes, which is work for those behind them.
                if is_done || self.woken.swap(false, Ordering::Relaxed) {
                    self.wake_all();
                } else {
                    self.wake(|other| role.makes_work_for(other));
                    self.wake_one(place);
                }
                // Whoever is busy all the time holds up no timer of the others.
                let now_ns = self.clock.now_ns();
                if now_ns >= self.due_ns || now_ns >= self.net.next_arrival_ns() {
                    self.wake_due();
                }
            } else {
                let (is_pending, timer_ns) = placed.sleep();
                (turn.is_pending, turn.timer_ns) =
                    (is_pending, if is_pending { 0 } else { timer_ns });
                self.due_ns = self.due_ns.min(turn.timer_ns);
            }
        }
    }

    /// When somebody has something to do again.
    fn next_ns(&mut self) -> u64 {
        let now_ns = self.clock.now_ns();
        let (mut next_ns, mut is_held) = (self.all_ready_ns + POLL_NS, false);
        for (place, turn) in self.turns.iter().enumerate().filter(|(_, turn)| !turn.is_done) {
            if turn.held_until_ns > now_ns {
                next_ns = next_ns.min(turn.held_until_ns);
                continue;
            }
            if turn.timer_ns <= now_ns {
                self.agents[place].load.waits += 1;
            }
            match turn.is_pending {
                true => is_held = true,
                false => next_ns = next_ns.min(turn.timer_ns),
            }
        }
        next_ns = next_ns.min(self.net.next_arrival_ns());
        match next_ns {
            // It did nothing although its time has come: it waits for something else as well.
            _ if next_ns <= now_ns => now_ns + RETRY_NS,
            _ if is_held => next_ns.min(now_ns + RETRY_NS),
            _ => next_ns,
        }
    }

    /// Readies those whose time has come, and those who have looked at what has something now.
    fn wake_due(&mut self) {
        let now_ns = self.clock.now_ns();
        if now_ns >= self.all_ready_ns + POLL_NS {
            self.wake_all();
        }
        let Self { net, turns, ready, .. } = self;
        net.take_arrived(|reader| match reader {
            Reader::Number(place) => ready_one(turns, ready, place),
            Reader::Anybody => ready_all(turns, ready, Role::has_sockets),
        });
        self.due_ns = self.all_ready_ns + POLL_NS;
        for place in 0..self.turns.len() {
            let turn = &self.turns[place];
            if turn.is_ready || turn.is_done {
                continue;
            }
            let due_ns = turn.due_ns(now_ns);
            match due_ns <= now_ns {
                true => self.wake_one(place),
                false => self.due_ns = self.due_ns.min(due_ns),
            }
        }
    }

    fn wake_all(&mut self) {
        self.all_ready_ns = self.clock.now_ns();
        self.wake(|_| true);
    }

    fn wake(&mut self, may_have_work: impl Fn(Role) -> bool) {
        ready_all(&mut self.turns, &mut self.ready, may_have_work);
    }

    fn wake_one(&mut self, place: usize) {
        ready_one(&mut self.turns, &mut self.ready, place);
    }
}

fn ready_all(turns: &mut [Turn], ready: &mut Vec<usize>, may_have_work: impl Fn(Role) -> bool) {
    for (place, turn) in turns.iter_mut().enumerate() {
        if !turn.is_ready && may_have_work(turn.role) {
            turn.is_ready = true;
            ready.push(place);
        }
    }
}

fn ready_one(turns: &mut [Turn], ready: &mut Vec<usize>, place: usize) {
    if !std::mem::replace(&mut turns[place].is_ready, true) {
        ready.push(place);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::runtime::AgentRole;
    use crate::world::{Net, NetConditions, Stream};

    const MS: u64 = 1_000_000;
    const STAGE: Role = Role::Stage(AgentRole::Dispatcher);

    /// Counts its duty cycles, and works once in each `every_ns`.
    struct Counted {
        clock: Clock,
        cycles: Arc<AtomicU64>,
        every_ns: u64,
        next_ns: u64,
        wakes: Option<BesideWaker>,
    }

    impl Agent for Counted {
        fn name(&self) -> &str {
            "counted"
        }

        fn duty_cycle(&mut self) -> usize {
            self.cycles.fetch_add(1, Ordering::Relaxed);
            if self.clock.now_ns() < self.next_ns {
                return 0;
            }
            self.next_ns = self.clock.now_ns() + self.every_ns;
            self.wakes.iter().for_each(BesideWaker::wake);
            1
        }

        fn next_timer_ns(&self) -> u64 {
            self.next_ns
        }

        fn is_done(&self) -> bool {
            false
        }
    }

    #[test]
    fn an_agent_that_is_busy_all_the_time_holds_up_no_timer_of_another() {
        let (clock, time) = Clock::manual(0);
        let net = VirtualNet::new(clock.clone(), 1, NetConditions::default());
        let mut thread = OneThread::new(clock.clone(), time, net, SplitMix64::new(7)).unwrap();
        let cycles = Arc::<AtomicU64>::default();
        let of = |cycles: &Arc<AtomicU64>, every_ns| {
            let (clock, cycles) = (clock.clone(), Arc::clone(cycles));
            Box::new(Counted { clock, cycles, every_ns, next_ns: 0, wakes: None })
        };
        thread.place(Placement::new(STAGE, of(&Arc::default(), 0)));
        thread.place(Placement::new(Role::Peer, of(&cycles, MS)));
        thread.run_until_ns(50 * MS);
        assert!(cycles.load(Ordering::Relaxed) >= 48, "{cycles:?}");
    }

    /// Duty cycles, within 90 ms, of an agent in the role `other` without timers beside one in the
    /// role `busy` that works each millisecond, and ends sleeps where it `wakes`.
    fn cycles_beside(busy: Role, other: Role, wakes: bool) -> u64 {
        let (clock, time) = Clock::manual(0);
        let net = VirtualNet::new(clock.clone(), 1, NetConditions::default());
        let mut thread = OneThread::new(clock.clone(), time, net, SplitMix64::new(7)).unwrap();
        let counts = [Arc::<AtomicU64>::default(), Arc::default()];
        let of = |number: usize, every_ns, next_ns, wakes| {
            let (clock, cycles) = (clock.clone(), Arc::clone(&counts[number]));
            Box::new(Counted { clock, cycles, every_ns, next_ns, wakes })
        };
        let waker = wakes.then(|| thread.waker());
        thread.place(Placement::new(busy, of(0, MS, 0, waker)));
        thread.place(Placement::new(other, of(1, 0, u64::MAX, None)));
        thread.run_until_ns(90 * MS);
        assert!(counts[0].load(Ordering::Relaxed) >= 80, "it has worked");
        counts[1].load(Ordering::Relaxed)
    }

    /// Counts its duty cycles, and looks at its connection once in each.
    struct Looking(Stream, Arc<AtomicU64>);

    impl Agent for Looking {
        fn name(&self) -> &str {
            "looking"
        }

        fn duty_cycle(&mut self) -> usize {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.read(&mut [0; 64]).map_or(0, |bytes| bytes)
        }

        fn is_done(&self) -> bool {
            false
        }
    }

    #[test]
    fn an_arrival_readies_the_agent_that_reads_that_connection_and_no_other() {
        let (clock, time) = Clock::manual(0);
        let net = VirtualNet::new(clock.clone(), 1, NetConditions::default());
        let mut thread = OneThread::new(clock, time, net.clone(), SplitMix64::new(7)).unwrap();
        let world = Net::Virtual(net);
        let listener = world.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let counts = [Arc::<AtomicU64>::default(), Arc::default()];
        let clients = counts.each_ref().map(|count| {
            let stream = world.connect(listener.local_address().unwrap(), None).unwrap();
            thread.place(Placement::new(Role::Peer, Box::new(Looking(stream, Arc::clone(count)))));
        });
        thread.run_until_ns(MS);
        let servers = clients.map(|()| listener.accept().unwrap().0);
        let before = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        let [mut first, _second] = servers;
        for turn in 1..=50 {
            first.write_all(b"x").unwrap();
            thread.run_until_ns(turn * MS + MS);
        }
        let after = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        // Each call wakes all once.
        assert!(after[0] - before[0] >= 100, "{before:?} {after:?}");
        assert_eq!(after[1] - before[1], 50, "{before:?} {after:?}");
    }

    #[test]
    fn stages_are_polled_after_the_work_of_others_and_the_rest_sleep_until_they_are_woken() {
        use Role::{Beside, Peer, Venue};
        let consumer = Role::Stage(AgentRole::Consumer(0));
        for (busy, other) in [(STAGE, consumer), (consumer, STAGE), (Peer, STAGE), (Beside, STAGE)]
        {
            assert!(cycles_beside(busy, other, false) >= 80, "{busy:?}, {other:?}");
        }
        for (busy, other) in
            [(STAGE, Beside), (STAGE, Peer), (STAGE, Venue), (consumer, consumer), (Venue, STAGE)]
        {
            assert!(cycles_beside(busy, other, false) <= 2, "{busy:?}, {other:?}");
        }
        assert!(cycles_beside(STAGE, Beside, true) >= 80, "a waker ends its sleep");
    }
}
