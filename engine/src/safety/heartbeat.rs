//! A sign of life: turns of the thread that hands orders to their sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// Counts turns. One thread does; anybody may look whether it still counts.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat(Arc<CachePadded<AtomicU64>>);

impl Heartbeat {
    /// One more turn.
    #[inline]
    pub fn beat(&self) {
        self.0.store(self.count().wrapping_add(1), Ordering::Relaxed);
    }

    /// Turns so far.
    #[inline]
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
