//! How cores sleep and are woken in plans that park (the protocol is [`pitlane_ring::Sleeper`]'s).
//!
//! A core that parks does so in its poller, where a socket ends the sleep as well. Everything that makes
//! work for a core calls [`CoreWakers::wake`] after it has made it visible: a core after each pass over
//! its agents that did some, housekeeping after it has asked for histograms, the owner after the stop
//! signal, a thread that has left an answer. The sleeper announces itself, passes over all its agents once
//! more, and only then sleeps until the next timer: with anything less a wake-up could be lost.
//!
//! In plans that don't park there is nobody to wake, and `wake` is a look at an empty list.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use pitlane_ring::{IdleStrategy, Sleeper, Waker};

/// The poller's own number for wake-ups; sockets have small ones.
const WAKE: Token = Token(usize::MAX);
/// Readiness taken from the poller at a time. What does not fit comes with the next call.
const EVENTS: usize = 64;

/// The sleeping place of one core.
pub struct CoreParking {
    poll: Poll,
    events: Events,
    /// `None` for a core that never parks.
    sleeper: Option<Sleeper>,
}

/// Wakes every core that parks and sleeps. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CoreWakers(Arc<[Waker]>);

impl CoreWakers {
    /// To be called after work was made visible, once for a batch of it.
    #[inline]
    pub fn wake(&self) {
        for waker in self.0.iter() {
            waker.wake_if_sleeping();
        }
    }
}

impl CoreParking {
    /// Sleeping places for cores with these idle strategies, and what wakes them.
    ///
    /// # Errors
    /// The system's, when it gives no poller.
    pub fn of_cores(
        idles: impl Iterator<Item = IdleStrategy>,
    ) -> io::Result<(Vec<CoreParking>, CoreWakers)> {
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
        Ok((places, CoreWakers(wakers.into())))
    }

    /// Where the core's agents register their sockets.
    pub(super) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    /// Sleeps until it is woken, a socket is ready, or `limit` is over (`None` = no limit); not at all when
    /// `has_work` finds some after the sleep was announced. `limit` is asked last.
    pub(super) fn park(
        &mut self,
        has_work: impl FnOnce() -> bool,
        limit: impl FnOnce() -> Option<Duration>,
    ) {
        let Self { poll, events, sleeper } = self;
        let Some(sleeper) = sleeper else { return };
        sleeper.park(has_work, || {
            // Interrupted or not: the next pass looks at every source.
            let _outcome = poll.poll(events, limit());
        });
    }
}
