//! How the keeper hears that there is something to do.

use std::sync::{Arc, OnceLock};

use crate::runtime::BesideWaker;

/// Wakes the keeper's thread, once it has one.
#[derive(Clone, Debug, Default)]
pub struct KeeperWaker(Arc<OnceLock<BesideWaker>>);

impl KeeperWaker {
    /// What wakes it from now on.
    pub fn set(&self, waker: BesideWaker) {
        // It keeps the one it has.
        let _ = self.0.set(waker);
    }

    #[inline]
    pub(super) fn wake(&self) {
        if let Some(waker) = self.0.get() {
            waker.wake();
        }
    }
}
