//! How many market frames the clock owes.

use std::time::{Duration, Instant};

/// A hold-up longer than this is not caught up with.
const BACKLOG_MAX: Duration = Duration::from_secs(1);
/// Frames closer together than this are sent in one turn of the event loop: a wake-up for each would
/// cost more than the frame, and `poll` counts in milliseconds anyway.
const BATCH: Duration = Duration::from_millis(1);

/// A constant rate, by the monotonic clock: frames are owed at their intended times, so a late turn
/// sends all that became due, and the rate holds over any second.
pub(super) struct Pace {
    started: Instant,
    per_s: u64,
    done: u64,
}

impl Pace {
    pub(super) fn new(started: Instant, per_s: u32) -> Self {
        Self { started, per_s: u64::from(per_s), done: 0 }
    }

    /// Frames due by `now` and not done. What is older than a second is given up and returned second.
    pub(super) fn owed(&mut self, now: Instant) -> (u64, u64) {
        let elapsed = now.saturating_duration_since(self.started).as_nanos();
        let due = (elapsed * u128::from(self.per_s) / 1_000_000_000) as u64;
        let owed = due.saturating_sub(self.done);
        let given_up = owed.saturating_sub(self.per_s * BACKLOG_MAX.as_secs());
        self.done += given_up;
        (owed - given_up, given_up)
    }

    /// Notes frames that were sent, owed or not.
    pub(super) fn done(&mut self, frames: u64) {
        self.done += frames;
    }

    /// When the next frame is due, or later by up to a millisecond so that frames gather.
    pub(super) fn next_due(&self, now: Instant) -> Instant {
        let nanos = u128::from(self.done + 1) * 1_000_000_000 / u128::from(self.per_s);
        let next = self.started + Duration::from_nanos(nanos as u64);
        next.max(now + BATCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_however_late_the_turns_are() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 2_000);
        let mut sent = 0;
        for ms in [1, 2, 40, 41, 700, 1_000] {
            let (owed, given_up) = pace.owed(start + Duration::from_millis(ms));
            assert_eq!(given_up, 0);
            pace.done(owed);
            sent += owed;
        }
        assert_eq!(sent, 2_000);
    }

    #[test]
    fn a_long_hold_up_is_given_up_and_told() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 2_000);
        assert_eq!(pace.owed(start + Duration::from_secs(5)), (2_000, 8_000));
    }

    #[test]
    fn frames_of_a_fast_pace_gather_for_a_millisecond() {
        let start = Instant::now();
        assert_eq!(Pace::new(start, 100_000).next_due(start), start + BATCH);
        assert_eq!(Pace::new(start, 10).next_due(start), start + Duration::from_millis(100));
    }
}
