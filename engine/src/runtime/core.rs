//! A core: one pinned thread that runs the duty cycles of what is placed on it (see
//! [`super::home`]), and the threads that take its place when a consumer holds it up (see
//! [`super::watchdog`]).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use pitlane_ring::{Home, IdleStrategy, Publisher};

use super::eye::Eye;
use super::guarded::Watched;
use super::home::{self, Base, CoreRules, CoreTotals, Rehearsal, Seat, ThreadId};
use super::{
    Agent, AlonePlaces, Clock, ContentionBook, CoreParking, CoreWakers, GuardedConsumer,
    HiccupMeter, StopSignal, YieldBan,
};
use crate::telemetry::{LogRecord, attach_thread};
use crate::world::start_thread;

/// What a core is made of.
pub struct CoreOptions {
    /// The thread's name.
    pub name: String,
    /// The core to pin to; `None` leaves the thread to the scheduler.
    pub core: Option<usize>,
    /// What to do after a cycle without work.
    pub idle: IdleStrategy,
    /// The agents that are no consumers, in the order in which they run.
    pub agents: Vec<Box<dyn Agent>>,
    /// The consumers, which run after them, each under watch.
    pub consumers: Vec<(Box<dyn Agent>, GuardedConsumer)>,
    /// Where it sleeps when it parks, and where its agents register their sockets.
    pub parking: CoreParking,
    /// Where a thread sleeps that a take-over leaves alone.
    pub alone: AlonePlaces,
    /// Whether it may yield.
    pub yield_ban: YieldBan,
    /// Where it counts what others take of its core.
    pub contention: Arc<ContentionBook>,
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
    /// Runs now and then when there is nothing to do.
    pub rehearsal: Option<Rehearsal>,
}

/// What a thread of a core starts with.
pub(super) struct ThreadParts {
    pub(super) name: String,
    pub(super) core: Option<usize>,
    pub(super) rules: CoreRules,
    pub(super) thread: ThreadId,
    pub(super) log: Publisher<LogRecord>,
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
    /// It was, until one of its callbacks held up all else there: another thread has the core now.
    Left,
}

impl Pinned {
    const ALL: [Pinned; 5] =
        [Pinned::Unknown, Pinned::NotAsked, Pinned::Yes, Pinned::Refused, Pinned::Left];
}

/// The owner's handle of a core. It joins the thread and gets the agents back.
pub struct CoreHandle {
    name: String,
    core: Option<usize>,
    idle: IdleStrategy,
    agents: Arc<Mutex<Vec<String>>>,
    pinned: Arc<AtomicU8>,
    thread: JoinHandle<CoreTotals>,
}

impl CoreHandle {
    /// Starts the thread. The second value is what the watchdog needs to watch over it; nothing for
    /// a core without consumers.
    ///
    /// # Errors
    /// The system's error when it gives no thread.
    pub fn start(options: CoreOptions) -> io::Result<(CoreHandle, Option<Watched>)> {
        let CoreOptions { agents, consumers, parking, hiccups, rehearsal, log, name, core, .. } =
            options;
        let names = agents.iter().chain(consumers.iter().map(|(agent, _)| agent));
        let names = names.map(|agent| agent.name().to_owned()).collect();
        let (consumers, guarded): (Vec<_>, Vec<_>) = consumers.into_iter().unzip();
        let base = Base { agents, parking, hiccups, rehearsal, rehearsed_ns: 0 };
        let (home, watch) = home::seats(base, consumers);
        let rules = CoreRules {
            idle: options.idle,
            wakers: options.wakers,
            stop: options.stop,
            clock: options.clock,
            alone: options.alone,
            yield_ban: options.yield_ban,
            contention: options.contention,
            adoptions: Arc::default(),
        };
        let thread = ThreadId::default();
        let make_home = move || {
            let mut home = home;
            home::start_agents(&mut home);
            Some(home)
        };
        let parts = ThreadParts {
            name: name.clone(),
            core,
            rules: rules.clone(),
            thread: thread.clone(),
            log,
        };
        let handle = CoreHandle::spawn(parts, make_home)?;
        *handle.agents.lock() = names;
        let watched = Watched {
            name,
            core,
            agents: Arc::clone(&handle.agents),
            pinned: Arc::clone(&handle.pinned),
            rules,
            thread,
            watch: Eye::Lease(watch),
            guarded,
        };
        let is_watched = !watched.guarded.is_empty();
        Ok((handle, is_watched.then_some(watched)))
    }

    /// Starts a thread of a core. It pins itself, then asks for its home, on which it may wait;
    /// without one it ends.
    pub(super) fn spawn(
        parts: ThreadParts,
        home: impl FnOnce() -> Option<Home<Seat>> + Send + 'static,
    ) -> io::Result<CoreHandle> {
        let ThreadParts { name, core, rules, thread, log } = parts;
        let idle = rules.idle;
        let pinned = Arc::new(AtomicU8::new(Pinned::Unknown as u8));
        let report = Arc::clone(&pinned);
        let handle = start_thread(&name, move || {
            report.store(pin(core) as u8, Ordering::Release);
            thread.set();
            attach_thread(log);
            match home() {
                Some(home) => home::run(home, &rules, &thread),
                None => CoreTotals { agents: Vec::new(), hiccups: None },
            }
        })?;
        Ok(CoreHandle { name, core, idle, agents: Arc::default(), pinned, thread: handle })
    }

    /// Wakes the thread where it waits for its home.
    pub(super) fn unpark(&self) {
        self.thread.thread().unpark();
    }

    /// What it runs, as the report will say.
    pub(super) fn agents_shared(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.agents)
    }

    /// How it is pinned, as the report will say.
    pub(super) fn pinned_shared(&self) -> Arc<AtomicU8> {
        Arc::clone(&self.pinned)
    }

    /// The thread's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The core it is planned for; `None` once it has left it to another thread.
    #[must_use]
    pub fn core(&self) -> Option<usize> {
        self.core.filter(|_| self.pinned() != Pinned::Left)
    }

    /// How it idles.
    #[must_use]
    pub fn idle(&self) -> IdleStrategy {
        self.idle
    }

    /// The agents it runs now.
    #[must_use]
    pub fn agents(&self) -> Vec<String> {
        self.agents.lock().clone()
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
    pub fn join(self) -> Result<CoreTotals, String> {
        self.thread.join().map_err(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            format!("thread {} panicked: {}", self.name, text.unwrap_or("no text"))
        })
    }
}

/// Pins the calling thread and reads back whether it took.
pub(crate) fn pin(core: Option<usize>) -> Pinned {
    let Some(id) = core else { return Pinned::NotAsked };
    let was_set = core_affinity::set_for_current(core_affinity::CoreId { id });
    let mask = core_affinity::get_core_ids().unwrap_or_default();
    let is_alone = mask.len() == 1 && mask[0].id == id;
    if was_set && is_alone { Pinned::Yes } else { Pinned::Refused }
}
