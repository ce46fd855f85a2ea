//! A core: one pinned thread that runs the duty cycles of the agents placed on it.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use pitlane_ring::alloc::count_this_thread;
use pitlane_ring::{IdleStrategy, Publisher};

use super::{Agent, Clock, CoreParking, CoreWakers, HiccupMeter, Phase, StopSignal};
use crate::telemetry::{HistogramSet, LogRecord, attach_thread};

/// What a core is made of.
pub struct CoreOptions {
    /// The thread's name.
    pub name: String,
    /// The core to pin to; `None` leaves the thread to the scheduler.
    pub core: Option<usize>,
    /// What to do after a cycle without work.
    pub idle: IdleStrategy,
    /// The agents, in the order in which they run.
    pub agents: Vec<Box<dyn Agent>>,
    /// Where it sleeps when it parks, and where its agents register their sockets.
    pub parking: CoreParking,
    /// Wakes the cores that it makes work for.
    pub wakers: CoreWakers,
    /// Where this thread's log lines go.
    pub log: Publisher<LogRecord>,
    /// The stop signal.
    pub stop: StopSignal,
    /// The clock.
    pub clock: Clock,
    /// Measures this thread's loop.
    pub hiccups: HiccupMeter,
}

/// What is left of a core after its thread was joined.
pub struct CoreRemains {
    /// Its agents.
    pub agents: Vec<Box<dyn Agent>>,
    /// Hiccups that were not collected yet.
    pub hiccups: Box<HistogramSet>,
}

/// Whether a thread could be pinned; read back, not assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinned {
    /// The thread has not come that far.
    Unknown,
    /// The plan leaves it to the scheduler.
    NotAsked,
    /// It runs on its core alone.
    Yes,
    /// The system refused.
    Refused,
}

impl Pinned {
    const ALL: [Pinned; 4] = [Pinned::Unknown, Pinned::NotAsked, Pinned::Yes, Pinned::Refused];
}

/// The owner's handle of a core. It joins the thread and gets the agents back.
pub struct CoreHandle {
    name: String,
    core: Option<usize>,
    idle: IdleStrategy,
    agents: Vec<String>,
    pinned: Arc<AtomicU8>,
    thread: JoinHandle<CoreRemains>,
}

impl CoreHandle {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's error when it gives no thread.
    pub fn start(options: CoreOptions) -> io::Result<CoreHandle> {
        let pinned = Arc::new(AtomicU8::new(Pinned::Unknown as u8));
        let report = Arc::clone(&pinned);
        let (name, core, idle) = (options.name.clone(), options.core, options.idle);
        let agents = options.agents.iter().map(|agent| agent.name().to_owned()).collect();
        let thread = Builder::new().name(name.clone()).spawn(move || {
            report.store(pin(options.core) as u8, Ordering::Release);
            run(options)
        })?;
        Ok(CoreHandle { name, core, idle, agents, pinned, thread })
    }

    /// The thread's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The core it is planned for.
    #[must_use]
    pub fn core(&self) -> Option<usize> {
        self.core
    }

    /// How it idles.
    #[must_use]
    pub fn idle(&self) -> IdleStrategy {
        self.idle
    }

    /// The agents it was started with.
    #[must_use]
    pub fn agents(&self) -> &[String] {
        &self.agents
    }

    /// Whether it could be pinned.
    #[must_use]
    pub fn pinned(&self) -> Pinned {
        Pinned::ALL[usize::from(self.pinned.load(Ordering::Acquire)).min(Pinned::ALL.len() - 1)]
    }

    /// Whether its thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Joins the thread. To be called when [`CoreHandle::is_finished`], else it waits.
    ///
    /// # Errors
    /// The panic's text when an agent itself, not a strategy, panicked.
    pub fn join(self) -> Result<CoreRemains, String> {
        self.thread.join().map_err(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            format!("thread {} panicked: {}", self.name, text.unwrap_or("no text"))
        })
    }
}

/// Pins the calling thread and reads back whether it took.
fn pin(core: Option<usize>) -> Pinned {
    let Some(id) = core else { return Pinned::NotAsked };
    let was_set = core_affinity::set_for_current(core_affinity::CoreId { id });
    let mask = core_affinity::get_core_ids().unwrap_or_default();
    let is_alone = mask.len() == 1 && mask[0].id == id;
    if was_set && is_alone { Pinned::Yes } else { Pinned::Refused }
}

fn run(options: CoreOptions) -> CoreRemains {
    let CoreOptions { mut agents, mut parking, wakers, log, stop, idle, clock, .. } = options;
    let mut hiccups = options.hiccups;
    attach_thread(log);
    for agent in &mut agents {
        agent.on_start(parking.registry());
    }
    count_this_thread(true);
    let mut idler = idle.idler();
    let mut round = Round { agents, wakers, done: 0 };
    loop {
        hiccups.before_cycle();
        let work = round.run();
        if round.is_done() || (work == 0 && stop.phase() == Phase::Halted) {
            break;
        }
        hiccups.after_cycle(work);
        if idler.idle(work) && !round.has_pending() {
            let next_timer_ns = Cell::new(u64::MAX);
            parking.park(
                || {
                    // By its own will: what follows is no hiccup.
                    hiccups.nap();
                    let work = round.run();
                    next_timer_ns.set(round.next_timer_ns());
                    work > 0 || round.is_done() || round.has_pending()
                },
                || {
                    let left_ns = next_timer_ns.get().saturating_sub(clock.now_ns());
                    (next_timer_ns.get() != u64::MAX).then(|| Duration::from_nanos(left_ns))
                },
            );
        }
    }
    count_this_thread(false);
    round.wakers.wake();
    CoreRemains { agents: round.agents, hiccups: hiccups.into_set() }
}

/// The agents of a core, in turn.
struct Round {
    agents: Vec<Box<dyn Agent>>,
    wakers: CoreWakers,
    /// How many agents were done after the last pass.
    done: usize,
}

impl Round {
    /// One duty cycle of every agent. Wakes whoever the work may be for, also when all an agent did was to
    /// close its lanes.
    #[inline]
    fn run(&mut self) -> usize {
        let mut work = 0;
        let mut done = 0;
        for agent in &mut self.agents {
            work += agent.duty_cycle();
            done += usize::from(agent.is_done());
        }
        if work > 0 || done != self.done {
            self.done = done;
            self.wakers.wake();
        }
        work
    }

    fn is_done(&self) -> bool {
        self.done == self.agents.len()
    }

    fn has_pending(&self) -> bool {
        self.agents.iter().any(|agent| agent.has_pending())
    }

    fn next_timer_ns(&self) -> u64 {
        self.agents.iter().map(|agent| agent.next_timer_ns()).min().unwrap_or(u64::MAX)
    }
}
