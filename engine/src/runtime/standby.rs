//! The thread that stands by for a core: started beforehand, pinned to the same core, asleep until
//! it is handed the home of another that is held up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pitlane_ring::{Publisher, Standby};

use super::core::{CoreHandle, ThreadParts};
use super::home::{CoreRules, Seat, ThreadId};
use crate::telemetry::LogRecord;

/// A sleeping thread, and the way to wake it with work.
pub(super) struct StandbyThread {
    handle: CoreHandle,
    thread: ThreadId,
    place: Arc<Place>,
}

#[derive(Default)]
struct Place {
    rest: Mutex<Option<Standby<Seat>>>,
    is_dismissed: AtomicBool,
}

impl StandbyThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub(super) fn start(
        name: String,
        core: Option<usize>,
        rules: CoreRules,
        log: Publisher<LogRecord>,
    ) -> io::Result<StandbyThread> {
        let place = Arc::<Place>::default();
        let thread = ThreadId::default();
        let waiting = Arc::clone(&place);
        let parts = ThreadParts { name, core, rules, thread: thread.clone(), log };
        let handle = CoreHandle::spawn(parts, move || {
            loop {
                if let Some(rest) = waiting.rest.lock().take() {
                    return Some(rest.into_home());
                }
                if waiting.is_dismissed.load(Ordering::Acquire) {
                    return None;
                }
                std::thread::park();
            }
        })?;
        Ok(StandbyThread { handle, thread, place })
    }

    /// Hands it what was taken from another thread; from now on it is one of the core's own.
    pub(super) fn hand_over(self, rest: Standby<Seat>) -> (CoreHandle, ThreadId) {
        *self.place.rest.lock() = Some(rest);
        self.handle.unpark();
        (self.handle, self.thread)
    }

    /// Ends it unused.
    pub(super) fn dismiss(self) {
        self.place.is_dismissed.store(true, Ordering::Release);
        self.handle.unpark();
        // It has run nothing that could have failed.
        let _ = self.handle.join();
    }
}
