//! The second and last way between threads: a place for one owned value.
//!
//! For values that have no place in a slot and whose ownership moves: histograms, tables, agents.
//! The lock is only ever tried, so neither side waits for the other; whoever finds it taken comes
//! back in its next cycle. A flag in front of it makes the empty case one load.

use std::fmt;

use crate::sync::{AtomicBool, Mutex, Ordering};

/// A place that holds one boxed value or none. Share it in an `Arc`.
pub struct Exchange<T> {
    /// Whether `place` holds a value; changes only under the lock.
    full: AtomicBool,
    place: Mutex<Option<Box<T>>>,
}

impl<T> Exchange<T> {
    /// An empty place.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use pitlane_ring::Exchange;
    ///
    /// let place = Arc::new(Exchange::<Vec<u64>>::new());
    /// assert!(!place.is_full());
    /// ```
    pub fn new() -> Self {
        Self { full: AtomicBool::new(false), place: Mutex::new(None) }
    }

    /// Leaves a value for the other side.
    ///
    /// # Errors
    /// Gives the value back when the place is occupied, or when the other side is just there.
    ///
    /// ```
    /// use pitlane_ring::Exchange;
    ///
    /// let place = Exchange::new();
    /// assert_eq!(place.put(Box::new(1)), Ok(()));
    /// assert_eq!(place.put(Box::new(2)), Err(Box::new(2)), "it is occupied");
    /// ```
    pub fn put(&self, value: Box<T>) -> Result<(), Box<T>> {
        if self.is_full() {
            return Err(value);
        }
        let Some(mut place) = self.place.try_lock() else { return Err(value) };
        if place.is_some() {
            return Err(value);
        }
        *place = Some(value);
        // Release pairs with the acquire of `is_full`: who sees the flag sees what came before
        // the put, also what is not in the box.
        self.full.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes the value, if there is one and the other side is not just there.
    ///
    /// ```
    /// # use pitlane_ring::Exchange;
    /// # let place = Exchange::new();
    /// place.put(Box::new(1))?;
    /// assert_eq!(place.take(), Some(Box::new(1)));
    /// assert_eq!(place.take(), None);
    /// # Ok::<(), Box<i32>>(())
    /// ```
    #[inline]
    pub fn take(&self) -> Option<Box<T>> {
        if !self.is_full() {
            return None;
        }
        let mut place = self.place.try_lock()?;
        let value = place.take();
        self.full.store(false, Ordering::Release);
        value
    }

    /// Whether a value is there.
    ///
    /// ```
    /// # use pitlane_ring::Exchange;
    /// # let place = Exchange::new();
    /// place.put(Box::new(1))?;
    /// assert!(place.is_full());
    /// # Ok::<(), Box<i32>>(())
    /// ```
    #[inline]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }
}

impl<T> Default for Exchange<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Exchange<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("is_full", &self.is_full()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn an_occupied_place_gives_the_value_back() {
        let exchange = Exchange::new();
        assert!(!exchange.is_full() && exchange.take().is_none());
        assert_eq!(exchange.put(Box::new(1)), Ok(()));
        assert_eq!(exchange.put(Box::new(2)), Err(Box::new(2)));
        assert!(exchange.is_full());
        assert_eq!(exchange.take(), Some(Box::new(1)));
        assert!(!exchange.is_full() && exchange.take().is_none());
    }

    #[test]
    fn a_contended_place_refuses_and_stays_as_it_was() {
        let exchange = Exchange::new();
        let guard = exchange.place.lock();
        assert_eq!(exchange.put(Box::new(1)), Err(Box::new(1)));
        drop(guard);
        assert_eq!(exchange.put(Box::new(1)), Ok(()));
        let guard = exchange.place.lock();
        assert_eq!(exchange.take(), None);
        drop(guard);
        assert_eq!(exchange.take(), Some(Box::new(1)));
    }

    #[test]
    fn two_threads_pass_every_value_once_and_in_order() {
        const COUNT: u64 = 20_000;
        let exchange = Exchange::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                for value in 0..COUNT {
                    let mut boxed = Box::new(value);
                    while let Err(refused) = exchange.put(boxed) {
                        boxed = refused;
                        thread::yield_now();
                    }
                }
            });
            for expected in 0..COUNT {
                let value = loop {
                    match exchange.take() {
                        Some(value) => break value,
                        None => thread::yield_now(),
                    }
                };
                assert_eq!(*value, expected);
            }
        });
        assert!(!exchange.is_full());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::sync::{SharedCell, explore};

    /// Who sees the flag sees what came before the put, also what is not in the box.
    #[test]
    fn loom_exchange_the_flag_publishes_what_came_before_it() {
        explore(|| {
            let shared = Arc::new((Exchange::new(), SharedCell::new(0)));
            let looker = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    if shared.0.is_full() {
                        // SAFETY: the putter wrote it before it raised the flag, and never again.
                        assert_eq!(shared.1.with_mut(|beside| unsafe { *beside }), 7);
                    }
                })
            };
            // SAFETY: nobody else reaches the cell before the flag is up.
            shared.1.with_mut(|beside| unsafe { *beside = 7 });
            assert!(shared.0.put(Box::new(1)).is_ok(), "the other only looks");
            looker.join().unwrap();
        });
    }

    /// One putter, two takers: each value is taken once or still there, and the flag tells which.
    #[test]
    fn loom_exchange_passes_each_value_once() {
        explore(|| {
            let exchange = Arc::new(Exchange::new());
            let takers: Vec<_> = (0..2)
                .map(|_| {
                    let exchange = Arc::clone(&exchange);
                    thread::spawn(move || exchange.take().map(|value| *value))
                })
                .collect();
            let mut put: Vec<_> =
                [1, 2].into_iter().filter(|value| exchange.put(Box::new(*value)).is_ok()).collect();
            let mut seen: Vec<_> =
                takers.into_iter().filter_map(|taker| taker.join().unwrap()).collect();
            let is_full = exchange.is_full();
            let left = exchange.take().map(|value| *value);
            assert_eq!(left.is_some(), is_full, "nothing is left behind a lowered flag");
            seen.extend(left);
            put.sort_unstable();
            seen.sort_unstable();
            assert_eq!(seen, put);
            assert!(exchange.put(Box::new(3)).is_ok(), "the place works afterwards");
        });
    }
}
