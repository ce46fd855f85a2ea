//! A core: one pinned thread that runs the duty cycles of the agents placed on it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use mio::{Events, Poll};
use pitlane_ring::alloc::count_this_thread;
use pitlane_ring::{IdleStrategy, Publisher};

use super::{Agent, Clock, HiccupMeter, Phase, StopSignal};
use crate::telemetry::{HistogramSet, LogRecord, attach_thread};

/// Longest nap of a core that parks. Sockets end it early; lanes are looked at when it is over.
const NAP: Duration = Duration::from_micros(200);

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
    /// The system's error when it gives no thread or no poller.
    pub fn start(options: CoreOptions) -> io::Result<CoreHandle> {
        let poll = Poll::new()?;
        let pinned = Arc::new(AtomicU8::new(Pinned::Unknown as u8));
        let report = Arc::clone(&pinned);
        let (name, core, idle) = (options.name.clone(), options.core, options.idle);
        let agents = options.agents.iter().map(|agent| agent.name().to_owned()).collect();
        let thread = Builder::new().name(name.clone()).spawn(move || {
            report.store(pin(options.core) as u8, Ordering::Release);
            run(options, poll)
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

fn run(options: CoreOptions, mut poll: Poll) -> CoreRemains {
    let CoreOptions { mut agents, log, stop, idle, clock, mut hiccups, .. } = options;
    attach_thread(log);
    let mut events = Events::with_capacity(64);
    for agent in &mut agents {
        agent.on_start(poll.registry());
    }
    count_this_thread(true);
    let mut idler = idle.idler();
    loop {
        let mut work = 0;
        let mut is_done = true;
        for agent in &mut agents {
            work += agent.duty_cycle();
            is_done &= agent.is_done();
        }
        if is_done || (work == 0 && stop.phase() == Phase::Halted) {
            break;
        }
        hiccups.after_cycle(work);
        if idler.idle(work) && !agents.iter().any(|agent| agent.has_pending()) {
            let next_ns = agents.iter().map(|agent| agent.next_timer_ns()).min();
            let until_ns = next_ns.unwrap_or(u64::MAX).saturating_sub(clock.now_ns());
            hiccups.nap();
            // Interrupted or not: the next cycle looks at every source.
            let _outcome = poll.poll(&mut events, Some(NAP.min(Duration::from_nanos(until_ns))));
        }
    }
    count_this_thread(false);
    CoreRemains { agents, hiccups: hiccups.into_set() }
}
