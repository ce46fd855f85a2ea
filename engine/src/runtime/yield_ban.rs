//! A time in which pinned threads must not give their core away, even when they have nothing to do.
//!
//! Where there are no cores to spare, a thread that was removed from its core and burns on is put
//! on the same cores as the pinned ones. Its niceness keeps its share small against a thread that
//! *wants* to run; but one that yields says each time that it does not, and the burner then has the
//! core for a whole slice, whatever comes in meanwhile. Measured on 2 shared cores, with a burner
//! at nice 10: neighbours' p50 is 1.5 to 4 ms while they yield. So they spin as long as it burns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether yielding is banned now. Cheap to clone; one writer, the watchdog.
#[derive(Clone, Debug, Default)]
pub struct YieldBan(Arc<AtomicBool>);

impl YieldBan {
    /// Whether a core has to spin rather than yield.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, is_on: bool) {
        if self.is_on() != is_on {
            self.0.store(is_on, Ordering::Relaxed);
        }
    }
}
