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
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `count`, wrapping at 2^64. For the owning thread only: see the module.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Adds one. For the owning thread only.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Replaces the value, for figures that are kept elsewhere. For the owning thread only.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Raises the value to `value` if that is larger. For the owning thread only.
    #[inline]
    pub fn raise(&self, value: u64) {
        if value > self.0.load(Ordering::Relaxed) {
            self.set(value);
        }
    }

    /// The value as last stored by the owner.
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
