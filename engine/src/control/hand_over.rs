//! Something handed to a pinned thread, and its way back, as a state machine that is polled:
//! `staged -> taken -> done`, or `withdrawn` where nobody took it in time.

use std::time::Duration;

use pitlane_ring::Exchange;

use super::FlipError;
use crate::runtime::CoreWakers;

/// What a pinned thread has not taken by then is withdrawn.
pub(super) const FLIP_DEADLINE: Duration = Duration::from_millis(500);
pub(super) const FLIP_DEADLINE_NS: u64 = FLIP_DEADLINE.as_nanos() as u64;

/// A value on its way there and back.
pub(super) struct HandOver<T> {
    /// Until there is room for it.
    unstaged: Option<Box<T>>,
    since_ns: u64,
}

impl<T> HandOver<T> {
    /// Begins to hand `value` over. What still lies in `done` is of one that was given up after it
    /// had been taken.
    pub(super) fn new(value: Box<T>, done: &Exchange<T>, now_ns: u64) -> HandOver<T> {
        drop(done.take());
        HandOver { unstaged: Some(value), since_ns: now_ns }
    }

    /// Since when it is under way, ns.
    pub(super) fn since_ns(&self) -> u64 {
        self.since_ns
    }

    /// What came back, or why nothing will; `None` as long as neither is known.
    pub(super) fn poll(
        &mut self,
        staged: &Exchange<T>,
        done: &Exchange<T>,
        wakers: &CoreWakers,
        now_ns: u64,
    ) -> Option<Result<Box<T>, FlipError>> {
        let waited_ns = now_ns.saturating_sub(self.since_ns);
        if let Some(value) = self.unstaged.take() {
            match staged.put(value) {
                Ok(()) => wakers.wake(),
                Err(_) if waited_ns > FLIP_DEADLINE_NS => {
                    return Some(Err(FlipError::Deadline(FLIP_DEADLINE)));
                }
                Err(back) => self.unstaged = Some(back),
            }
            return None;
        }
        if let Some(value) = done.take() {
            return Some(Ok(value));
        }
        // Withdrawn only while it still lies there: once taken, it is carried out.
        if waited_ns > FLIP_DEADLINE_NS && staged.take().is_some() {
            return Some(Err(FlipError::Deadline(FLIP_DEADLINE)));
        }
        (waited_ns > 2 * FLIP_DEADLINE_NS).then_some(Err(FlipError::Stopped))
    }
}
