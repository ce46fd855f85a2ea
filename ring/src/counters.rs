//! Counters that cost their owner a plain load and store.
//!
//! One thread counts, any thread reads. There is no read-modify-write: a second thread that counted
//! would lose increments (it could do no worse). Counters of one owner belong together in one
//! [`crate::CachePadded`] block, so that readers disturb nobody else.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count with one writing owner and any number of readers.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    ///
    /// ```
    /// use pitlane_ring::Counter;
    ///
    /// static EVENTS: Counter = Counter::new();
    /// EVENTS.increment();
    /// EVENTS.add(2);
    /// assert_eq!(EVENTS.get(), 3);
    /// ```
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `count`, wrapping at 2^64. For the owning thread only: see the module.
    ///
    /// ```
    /// # let count = pitlane_ring::Counter::new();
    /// count.add(64);
    /// assert_eq!(count.get(), 64);
    /// ```
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Adds one. For the owning thread only.
    ///
    /// ```
    /// # let count = pitlane_ring::Counter::new();
    /// count.increment();
    /// assert_eq!(count.get(), 1);
    /// ```
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Replaces the value, for figures that are kept elsewhere. For the owning thread only.
    ///
    /// ```
    /// # let count = pitlane_ring::Counter::new();
    /// count.set(7);
    /// assert_eq!(count.get(), 7);
    /// ```
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Raises the value to `value` if that is larger. For the owning thread only.
    ///
    /// ```
    /// # use pitlane_ring::Counter;
    /// let high_water = Counter::new();
    /// high_water.raise(7);
    /// high_water.raise(3);
    /// assert_eq!(high_water.get(), 7);
    /// ```
    #[inline]
    pub fn raise(&self, value: u64) {
        if value > self.0.load(Ordering::Relaxed) {
            self.set(value);
        }
    }

    /// The value as last stored by the owner.
    ///
    /// ```
    /// # let count = pitlane_ring::Counter::new();
    /// assert_eq!(count.get(), 0);
    /// ```
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_sets_and_raises() {
        let counter = Counter::new();
        counter.increment();
        counter.add(4);
        assert_eq!(counter.get(), 5);
        counter.raise(3);
        assert_eq!(counter.get(), 5);
        counter.raise(9);
        assert_eq!(counter.get(), 9);
        counter.set(1);
        assert_eq!(counter.get(), 1);
    }

    #[test]
    fn is_readable_from_another_thread() {
        let counter = Counter::new();
        counter.add(7);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(counter.get(), 7));
        });
    }
}
