//! An agent on a thread of its own, beside the pinned cores: it gives way to them and sleeps when
//! it has nothing to do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_utils::sync::{Parker, Unparker};
use mio::{Events, Poll, Token, Waker};

use super::{Agent, give_way};
use crate::world::{Clock, start_thread, wait_until};

/// The waker's number in the poller; sockets of the agent have lower ones.
const WAKER: Token = Token(usize::MAX);
/// The longest sleep, and the pause before something held back is tried again.
const SLEEP_MAX: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(1);

/// Ends the sleep of an agent that is beside the cores. Without a thread it does nothing: whoever
/// runs the agent on another way looks at it anyway.
#[derive(Clone, Debug, Default)]
pub struct BesideWaker(Option<Wakes>);

#[derive(Clone, Debug)]
enum Wakes {
    Poller(Arc<Waker>),
    Thread(Unparker),
    Flag(Arc<AtomicBool>),
}

impl BesideWaker {
    /// One that sets `flag`, which the scheduler of a simulated world looks at.
    pub(super) fn of_flag(flag: Arc<AtomicBool>) -> BesideWaker {
        BesideWaker(Some(Wakes::Flag(flag)))
    }

    /// Ends the sleep, or keeps the next one from beginning.
    pub fn wake(&self) {
        match &self.0 {
            None => {}
            Some(Wakes::Thread(unparker)) => unparker.unpark(),
            Some(Wakes::Flag(flag)) => flag.store(true, Ordering::Relaxed),
            Some(Wakes::Poller(waker)) => {
                if let Err(error) = waker.wake() {
                    log::debug!("waking a thread failed: {error} (code: io)");
                }
            }
        }
    }
}

/// A place for an agent, before its thread is started.
#[derive(Debug)]
pub struct Beside {
    poll: Poll,
    /// `None` sleeps in the poller.
    parker: Option<Parker>,
    waker: BesideWaker,
    gives_way: bool,
}

impl Beside {
    /// A place for an agent with sockets. Its timers are late by up to a millisecond, which is what
    /// the poller counts in.
    ///
    /// # Errors
    /// The system's, when it gives no poller.
    pub fn new() -> io::Result<Beside> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let waker = BesideWaker(Some(Wakes::Poller(waker)));
        Ok(Beside { poll, parker: None, waker, gives_way: true })
    }

    /// A place for an agent that has no sockets, whose timers are met to tens of microseconds.
    ///
    /// # Errors
    /// As [`Beside::new`].
    pub fn without_sockets() -> io::Result<Beside> {
        let (poll, parker) = (Poll::new()?, Parker::new());
        let waker = BesideWaker(Some(Wakes::Thread(parker.unparker().clone())));
        Ok(Beside { poll, parker: Some(parker), waker, gives_way: true })
    }

    /// The same place for an agent that must not wait for the pinned threads.
    #[must_use]
    pub fn urgent(self) -> Beside {
        Beside { gives_way: false, ..self }
    }

    /// What wakes the thread that will run here.
    #[must_use]
    pub fn waker(&self) -> BesideWaker {
        self.waker.clone()
    }

    /// Starts the thread. To be called before the caller is pinned: a thread inherits the mask.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub fn start(
        self,
        name: &str,
        agent: Box<dyn Agent>,
        clock: Clock,
    ) -> io::Result<BesideThread> {
        let stop = Arc::<AtomicBool>::default();
        let (seen, waker) = (Arc::clone(&stop), self.waker.clone());
        let thread = start_thread(name, move || self.run(agent, &clock, &seen))?;
        Ok(BesideThread { name: name.to_owned(), stop, waker, thread })
    }

    fn run(
        mut self,
        mut agent: Box<dyn Agent>,
        clock: &Clock,
        stop: &AtomicBool,
    ) -> io::Result<Box<dyn Agent>> {
        if self.gives_way {
            give_way();
        }
        agent.on_start(self.poll.registry());
        let mut events = Events::with_capacity(64);
        while !stop.load(Ordering::Acquire) && !agent.is_done() {
            if agent.duty_cycle() > 0 {
                continue;
            }
            let left = Duration::from_nanos(agent.next_timer_ns().saturating_sub(clock.now_ns()));
            let left = left.min(if agent.has_pending() { RETRY } else { SLEEP_MAX });
            if let Some(parker) = &self.parker {
                parker.park_timeout(left);
                continue;
            }
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(agent)
    }
}

/// The owner's handle of the thread.
pub struct BesideThread {
    name: String,
    stop: Arc<AtomicBool>,
    waker: BesideWaker,
    thread: JoinHandle<io::Result<Box<dyn Agent>>>,
}

impl BesideThread {
    /// The thread's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the thread to end after the present duty cycle.
    pub fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// What wakes it.
    #[must_use]
    pub fn waker(&self) -> BesideWaker {
        self.waker.clone()
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Asks the thread to end, joins it and closes its agent. One that has not ended after
    /// `deadline` is left behind.
    ///
    /// # Errors
    /// As [`BesideThread::join`], and that it did not end.
    pub fn end_within(self, deadline: Duration) -> Result<(), String> {
        self.ask_to_stop();
        if wait_until(deadline, || self.is_finished()) {
            return self.join();
        }
        Err(format!("thread {} did not end in time and was left behind", self.name))
    }

    /// Joins the thread and closes its agent.
    ///
    /// # Errors
    /// A line that says why it ended before it was asked to.
    pub fn join(self) -> Result<(), String> {
        match self.thread.join() {
            Ok(Ok(agent)) => {
                agent.on_close();
                Ok(())
            }
            Ok(Err(error)) => Err(format!("thread {} failed: {error} (code: io)", self.name)),
            Err(_) => Err(format!("thread {} panicked", self.name)),
        }
    }
}
