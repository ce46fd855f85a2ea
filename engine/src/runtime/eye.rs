//! What shows the watchdog which batch a consumer's thread is in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_ring::{Running, Standby, Watch};

use super::home::Seat;

/// The first cell of a consumer.
const CELL: usize = 1;

/// Shows which batch runs.
pub(super) enum Eye {
    /// Of a core: its lease.
    Lease(Watch<Seat>),
    /// Of a consumer of a simulated world.
    Held(Arc<HeldBatch>),
}

/// The batch that holds a consumer of a simulated world up; there, all others take no time that
/// anybody could see.
#[derive(Debug, Default)]
pub(super) struct HeldBatch {
    /// Its number; 0 while there is none.
    present: AtomicU64,
}

impl HeldBatch {
    pub(super) fn begin(&self, number: u64) {
        self.present.store(number, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.present.store(0, Ordering::Relaxed);
    }
}

impl Eye {
    /// The batch that runs now.
    pub(super) fn running(&self) -> Option<Running> {
        match self {
            Eye::Lease(watch) => watch.running(),
            Eye::Held(held) => match held.present.load(Ordering::Relaxed) {
                0 => None,
                batch => Some(Running { cell: CELL, batch }),
            },
        }
    }

    /// Takes everything but the cell that `running` holds; `None` when that has just ended, or when
    /// there is nothing to take.
    pub(super) fn take(&mut self, running: Running) -> Option<Standby<Seat>> {
        match self {
            Eye::Lease(watch) => watch.take(running),
            Eye::Held(_) => None,
        }
    }

    /// Whether the kernel knows the thread that runs it.
    pub(super) fn has_thread(&self) -> bool {
        matches!(self, Eye::Lease(_))
    }
}
