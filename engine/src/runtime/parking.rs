//! How cores sleep and are woken in plans that park (the protocol is [`pitlane_ring::Sleeper`]'s).
//!
//! A core that parks does so in its poller, where a socket ends the sleep as well. Everything that
//! makes work for a core calls [`CoreWakers::wake`] after it has made it visible: a core after each
//! pass over its agents that did some, housekeeping after it has asked for histograms, the owner
//! after the stop signal, a thread that has left an answer. The sleeper announces itself, passes
//! over all its agents once more, and only then sleeps until the next timer: with anything less a
//! wake-up could be lost.
//!
//! A take-over moves the sleeping place with the agents, so what wakes them stays what it is; the
//! thread that is left with its one consumer gets a place of its own ([`AlonePlaces`]), made
//! beforehand.
//!
//! In plans that don't park there is nobody to wake, and `wake` is a look at an empty list. A
//! thread that was left alone there looks for itself, once a [`NAP`]: no pinned thread pays a
//! system call for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_utils::sync::Parker;
use mio::{Events, Poll, Token};
use parking_lot::Mutex;
use pitlane_ring::{IdleStrategy, Sleeper, Waker};

/// The poller's own number for wake-ups; sockets have small ones.
const WAKE: Token = Token(usize::MAX);
/// Readiness taken from the poller at a time. What does not fit comes with the next call.
const EVENTS: usize = 64;

/// How long a thread that was left alone sleeps at most where nobody wakes it.
pub(super) const NAP: Duration = Duration::from_millis(1);

/// The sleeping place of one core.
pub struct CoreParking {
    poll: Poll,
    events: Events,
    /// `None` for a core that never parks.
    sleeper: Option<Sleeper>,
}

/// Wakes every core that parks and sleeps. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CoreWakers(Arc<WakerTable>);

#[derive(Debug, Default)]
struct WakerTable {
    cores: Vec<Waker>,
    /// Of the places for threads that were left alone, in the order in which they are given out.
    alone: Vec<Waker>,
    alone_used: AtomicUsize,
}

impl CoreWakers {
    /// To be called after work was made visible, once for a batch of it.
    #[inline]
    pub fn wake(&self) {
        for waker in &self.0.cores {
            waker.wake_if_sleeping();
        }
        if !self.0.alone.is_empty() {
            self.wake_alone();
        }
    }

    fn wake_alone(&self) {
        // Whoever is counted looks at all its sources before it first sleeps: an old count is no
        // loss.
        let used = self.0.alone_used.load(Ordering::Acquire).min(self.0.alone.len());
        for waker in &self.0.alone[..used] {
            waker.wake_if_sleeping();
        }
    }
}

/// Sleeping places for threads that a take-over left with one consumer. Cheap to clone.
#[derive(Clone, Default)]
pub struct AlonePlaces {
    free: Arc<Mutex<Vec<AlonePlace>>>,
    wakers: CoreWakers,
}

/// One of them.
pub(super) struct AlonePlace {
    parker: Parker,
    sleeper: Sleeper,
}

impl AlonePlaces {
    /// A place that the wakers know from now on; `None` in plans that don't park.
    pub(super) fn take(&self) -> Option<AlonePlace> {
        let mut free = self.free.lock();
        let place = free.pop()?;
        self.wakers.0.alone_used.fetch_add(1, Ordering::AcqRel);
        Some(place)
    }
}

impl AlonePlace {
    /// As [`Sleeper::park`], until it is woken or `limit` is over.
    pub(super) fn park(&mut self, has_work: impl FnOnce() -> bool, limit: Duration) {
        let Self { parker, sleeper } = self;
        sleeper.park(has_work, || parker.park_timeout(limit));
    }
}

impl CoreParking {
    /// Sleeping places for cores with these idle strategies, and for `consumers` that may each be
    /// left alone one day, and what wakes them.
    ///
    /// # Errors
    /// The system's, when it gives no poller.
    pub fn of_cores(
        idles: impl Iterator<Item = IdleStrategy>,
        consumers: usize,
    ) -> io::Result<(Vec<CoreParking>, AlonePlaces, CoreWakers)> {
        let (mut places, mut wakers) = (Vec::new(), Vec::new());
        for idle in idles {
            let poll = Poll::new()?;
            let mut sleeper = None;
            if idle == IdleStrategy::Park {
                let waker = mio::Waker::new(poll.registry(), WAKE)?;
                let (waker, sleeps) = Waker::new(Box::new(move || {
                    // Only a poller that is gone can't be woken, and its core with it.
                    let _gone = waker.wake();
                }));
                wakers.push(waker);
                sleeper = Some(sleeps);
            }
            places.push(CoreParking { poll, events: Events::with_capacity(EVENTS), sleeper });
        }
        let (mut alone, mut free) = (Vec::new(), Vec::new());
        for _ in 0..if wakers.is_empty() { 0 } else { consumers } {
            let parker = Parker::new();
            let unparker = parker.unparker().clone();
            let (waker, sleeper) = Waker::new(Box::new(move || unparker.unpark()));
            alone.push(waker);
            free.push(AlonePlace { parker, sleeper });
        }
        // Given out from the end: the first waker belongs to the last place.
        free.reverse();
        let table = WakerTable { cores: wakers, alone, alone_used: AtomicUsize::new(0) };
        let wakers = CoreWakers(Arc::new(table));
        let alone = AlonePlaces { free: Arc::new(Mutex::new(free)), wakers: wakers.clone() };
        Ok((places, alone, wakers))
    }

    /// Where the core's agents register their sockets.
    pub(super) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    /// Says that the core is about to sleep. After this every agent has to be passed over once
    /// more; then [`Self::sleep`] if there was nothing to do, and in either case
    /// [`Self::withdraw`].
    pub(super) fn announce(&mut self) {
        if let Some(sleeper) = &mut self.sleeper {
            sleeper.announce();
        }
    }

    /// Sleeps until it is woken, a socket is ready, or `limit` is over (`None` = no limit).
    pub(super) fn sleep(&mut self, limit: Option<Duration>) {
        if self.sleeper.is_some() {
            // Interrupted or not: the next pass looks at every source.
            let _outcome = self.poll.poll(&mut self.events, limit);
        }
    }

    /// The core is awake; also for the thread that takes over from one that announced itself.
    pub(super) fn withdraw(&mut self) {
        if let Some(sleeper) = &mut self.sleeper {
            sleeper.withdraw();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_for_threads_left_alone_are_woken_once_they_are_taken() {
        let idles = [IdleStrategy::Park, IdleStrategy::Park];
        let (_cores, places, wakers) = CoreParking::of_cores(idles.into_iter(), 2).unwrap();
        for _ in 0..2 {
            let mut place = places.take().expect("one for each consumer");
            let long = Duration::from_secs(60);
            // Woken between the announcement and the sleep: it does not last a minute.
            place.park(
                || {
                    wakers.wake();
                    false
                },
                long,
            );
        }
        assert!(places.take().is_none());
        let (_cores, places, _wakers) =
            CoreParking::of_cores([IdleStrategy::Spin].into_iter(), 2).unwrap();
        assert!(places.take().is_none(), "nobody is woken where no core parks");
    }
}
