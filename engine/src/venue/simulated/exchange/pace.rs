//! How many market frames the clock owes.

use std::time::Duration;

/// A hold-up longer than this is not caught up with.
const BACKLOG_MAX: Duration = Duration::from_secs(1);
/// Frames closer together than this are sent in one turn of the event loop: a wake-up for each
/// would cost more than the frame, and `poll` counts in milliseconds anyway.
const BATCH_NS: u64 = 1_000_000;

/// A constant rate, by the monotonic clock: frames are owed at their intended times, so a late turn
/// sends all that became due, and the rate holds over any second.
pub struct Pace {
    started_ns: u64,
    per_s: u64,
    done: u64,
}

impl Pace {
    pub fn new(started_ns: u64, per_s: u32) -> Self {
        Self { started_ns, per_s: u64::from(per_s), done: 0 }
    }

    /// Frames due by `now` and not done. What is older than a second is given up and returned
    /// second.
    pub fn owed(&mut self, now_ns: u64) -> (u64, u64) {
        let elapsed = now_ns.saturating_sub(self.started_ns);
        let due = (u128::from(elapsed) * u128::from(self.per_s) / 1_000_000_000) as u64;
        let owed = due.saturating_sub(self.done);
        let given_up = owed.saturating_sub(self.per_s * BACKLOG_MAX.as_secs());
        self.done += given_up;
        (owed - given_up, given_up)
    }

    /// Notes frames that were sent, owed or not.
    pub fn done(&mut self, frames: u64) {
        self.done += frames;
    }

    /// When the next frame is due, or later by up to a millisecond so that frames gather.
    pub fn next_due_ns(&self, now_ns: u64) -> u64 {
        let nanos = u128::from(self.done + 1) * 1_000_000_000 / u128::from(self.per_s);
        let next_ns = self.started_ns + nanos as u64;
        next_ns.max(now_ns + BATCH_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_however_late_the_turns_are() {
        let start = 7;
        let mut pace = Pace::new(start, 2_000);
        let mut sent = 0;
        for ms in [1, 2, 40, 41, 700, 1_000] {
            let (owed, given_up) = pace.owed(start + ms * 1_000_000);
            assert_eq!(given_up, 0);
            pace.done(owed);
            sent += owed;
        }
        assert_eq!(sent, 2_000);
    }

    #[test]
    fn a_long_hold_up_is_given_up_and_told() {
        let start = 7;
        let mut pace = Pace::new(start, 2_000);
        assert_eq!(pace.owed(start + 5_000_000_000), (2_000, 8_000));
    }

    #[test]
    fn frames_of_a_fast_pace_gather_for_a_millisecond() {
        let start = 7;
        assert_eq!(Pace::new(start, 100_000).next_due_ns(start), start + BATCH_NS);
        assert_eq!(Pace::new(start, 10).next_due_ns(start), start + 100_000_000);
    }
}
