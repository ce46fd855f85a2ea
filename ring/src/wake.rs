//! Parking a thread that reads lanes, without losing a wake-up.
//!
//! Source: the store-buffer pattern (Dekker). The sleeper writes "I sleep", then reads the work;
//! the publisher writes the work, then reads "sleeps". With a sequentially consistent fence between
//! write and read on both sides, at least one of the two sees the other; with anything weaker both
//! may miss. So each source of work does the same: make the work visible, then
//! [`Waker::wake_if_sleeping`].
//!
//! How a thread really sleeps is the caller's: a `Parker`, a `Poll`, a futex. It only has to
//! remember a wake-up that comes before the sleep, as all of these do.

use std::fmt;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicBool, Ordering, fence};

/// Wakes one sleeping thread. Clones wake the same one.
#[derive(Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

/// The end of the thread that sleeps.
pub struct Sleeper {
    shared: Arc<Shared>,
}

struct Shared {
    flag: CachePadded<SleepFlag>,
    notify: Box<dyn Fn() + Send + Sync>,
}

impl Waker {
    /// Both ends. `notify` ends the sleep that the sleeper's thread goes to, and must be remembered
    /// if it comes before that sleep; it is called at most once for each sleep.
    ///
    /// ```
    /// use pitlane_ring::Waker;
    ///
    /// let thread = std::thread::current();
    /// let (waker, mut sleeper) = Waker::new(Box::new(move || thread.unpark()));
    /// assert!(!waker.wake_if_sleeping(), "nobody sleeps");
    /// let slept = sleeper.park(|| true, std::thread::park);
    /// assert!(!slept, "there was work");
    /// ```
    pub fn new(notify: Box<dyn Fn() + Send + Sync>) -> (Self, Sleeper) {
        let shared = Arc::new(Shared { flag: CachePadded::new(SleepFlag::new()), notify });
        (Self { shared: Arc::clone(&shared) }, Sleeper { shared })
    }

    /// Wakes the thread if it sleeps or is about to. To be called after the work was made visible,
    /// once for a batch. Costs a fence and a load when it is awake. Returns whether it woke it.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// use pitlane_ring::Waker;
    ///
    /// let work = AtomicBool::new(false);
    /// let thread = std::thread::current();
    /// let (waker, mut sleeper) = Waker::new(Box::new(move || thread.unpark()));
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         work.store(true, Ordering::Release);
    ///         waker.wake_if_sleeping();
    ///     });
    ///     while !work.load(Ordering::Acquire) {
    ///         sleeper.park(|| work.load(Ordering::Acquire), std::thread::park);
    ///     }
    /// });
    /// ```
    #[inline]
    pub fn wake_if_sleeping(&self) -> bool {
        let is_asleep = self.shared.flag.claim_wake();
        if is_asleep {
            (self.shared.notify)();
        }
        is_asleep
    }
}

impl Sleeper {
    /// Sleeps by calling `how`, unless `recheck`, which has to look at every source of work, finds
    /// some after the intention to sleep was announced. Returns whether `how` was called.
    ///
    /// `how` may return early for any reason; it should have a limit when there are timers.
    ///
    /// ```
    /// # use pitlane_ring::Waker;
    /// # let (waker, mut sleeper) = Waker::new(Box::new(|| ()));
    /// let found_work = false;
    /// assert!(sleeper.park(|| found_work, || { /* sleep */ }));
    /// ```
    pub fn park(&mut self, recheck: impl FnOnce() -> bool, how: impl FnOnce()) -> bool {
        self.shared.flag.announce();
        // Withdrawn also when one of the two panics: nobody should wake a thread that is awake.
        let awake = Withdraw(&self.shared.flag);
        let sleeps = !recheck();
        if sleeps {
            how();
        }
        drop(awake);
        sleeps
    }

    /// The first half of [`Self::park`], for whoever can't look at its sources in a closure: after
    /// this, look at every one, then sleep or not, and in either case [`Self::withdraw`].
    ///
    /// ```
    /// # use pitlane_ring::Waker;
    /// # let (waker, mut sleeper) = Waker::new(Box::new(|| ()));
    /// # let (has_work, sleep) = (|| true, || ());
    /// sleeper.announce();
    /// if !has_work() {
    ///     sleep();
    /// }
    /// sleeper.withdraw();
    /// ```
    pub fn announce(&mut self) {
        self.shared.flag.announce();
    }

    /// Ends what [`Self::announce`] began, also in another thread that has taken this over.
    ///
    /// ```
    /// # use pitlane_ring::Waker;
    /// # let (waker, mut sleeper) = Waker::new(Box::new(|| ()));
    /// sleeper.announce();
    /// sleeper.withdraw();
    /// assert!(!waker.wake_if_sleeping());
    /// ```
    pub fn withdraw(&mut self) {
        self.shared.flag.withdraw();
    }

    /// Another waker of this thread.
    ///
    /// ```
    /// # use pitlane_ring::Waker;
    /// # let (waker, mut sleeper) = Waker::new(Box::new(|| ()));
    /// let another = sleeper.waker();
    /// sleeper.announce();
    /// assert!(another.wake_if_sleeping());
    /// assert!(!waker.wake_if_sleeping(), "one of two wakes");
    /// ```
    pub fn waker(&self) -> Waker {
        Waker { shared: Arc::clone(&self.shared) }
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleeper").finish_non_exhaustive()
    }
}

struct Withdraw<'f>(&'f SleepFlag);

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        self.0.withdraw();
    }
}

/// Whether the thread sleeps or is about to, and nobody has woken it yet.
struct SleepFlag(AtomicBool);

impl SleepFlag {
    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// The sleeper's write; what it reads after this call is ordered behind it.
    fn announce(&self) {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn withdraw(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// The publisher's read, ordered behind its writes. Of several wakers one gets `true`.
    #[inline]
    fn claim_wake(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::{Duration, Instant};

    use crossbeam_utils::sync::Parker;

    use super::*;

    #[test]
    fn work_found_after_the_announcement_prevents_the_sleep() {
        let (waker, mut sleeper) = Waker::new(Box::new(|| ()));
        assert!(!sleeper.park(|| true, || panic!("must not sleep")));
        assert!(!waker.wake_if_sleeping(), "it is awake");
    }

    #[test]
    fn one_of_several_wakers_notifies() {
        let notified = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&notified);
        let (waker, mut sleeper) = Waker::new(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        let slept = sleeper.park(
            || false,
            || {
                assert!(waker.wake_if_sleeping());
                assert!(!waker.clone().wake_if_sleeping());
            },
        );
        assert!(slept);
        assert_eq!(notified.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_panic_on_the_way_to_sleep_leaves_the_thread_awake() {
        let (waker, mut sleeper) = Waker::new(Box::new(|| ()));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            sleeper.park(|| panic!("on purpose"), || ());
        }));
        assert!(outcome.is_err());
        assert!(!waker.wake_if_sleeping());
    }

    /// A lost wake-up shows as a sleep that lasts to its limit.
    #[test]
    fn no_wake_up_is_lost_between_two_threads() {
        const STEPS: u64 = 20_000;
        const LIMIT: Duration = Duration::from_secs(30);
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let (waker, mut sleeper) = Waker::new(Box::new(move || unparker.unpark()));
        let work = AtomicU64::new(0);
        let done = AtomicU64::new(0);
        let (mut slept, mut lost) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for step in 1..=STEPS {
                    work.store(step, Ordering::Release);
                    waker.wake_if_sleeping();
                    while done.load(Ordering::Acquire) < step {
                        std::thread::yield_now();
                    }
                }
            });
            for step in 1..=STEPS {
                while work.load(Ordering::Acquire) < step {
                    let is_there = || work.load(Ordering::Acquire) >= step;
                    let started = Instant::now();
                    slept += u64::from(sleeper.park(is_there, || parker.park_timeout(LIMIT)));
                    lost += u64::from(started.elapsed() >= LIMIT);
                }
                done.store(step, Ordering::Release);
            }
        });
        assert!(slept > 0, "the thread never slept, so nothing was shown");
        assert_eq!(lost, 0, "of {slept} sleeps");
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;

    use super::*;
    use crate::sync::{explore, is_planted};

    /// Every interleaving: the sleeper either sees the work or is woken. Loom reports a thread
    /// that parks for ever as a deadlock. The canary `no-recheck` goes to sleep without a look.
    #[test]
    fn loom_wake_no_wake_up_is_lost() {
        explore(|| {
            // Relaxed, so that the fences alone have to carry it.
            let work = Arc::new(AtomicBool::new(false));
            let main = thread::current();
            let (waker, mut sleeper) = Waker::new(Box::new(move || main.unpark()));
            let publisher = {
                let work = Arc::clone(&work);
                thread::spawn(move || {
                    work.store(true, Ordering::Relaxed);
                    waker.wake_if_sleeping();
                })
            };
            let recheck = || !is_planted("no-recheck") && work.load(Ordering::Relaxed);
            sleeper.park(recheck, thread::park);
            publisher.join().unwrap();
            assert!(work.load(Ordering::Relaxed));
        });
    }

    /// Of two wakers exactly one notifies.
    #[test]
    fn loom_wake_one_of_two_wakers_notifies() {
        explore(|| {
            let flag = Arc::new(SleepFlag::new());
            flag.announce();
            let other = {
                let flag = Arc::clone(&flag);
                thread::spawn(move || flag.claim_wake())
            };
            let mine = flag.claim_wake();
            assert!(mine ^ other.join().unwrap());
        });
    }
}
