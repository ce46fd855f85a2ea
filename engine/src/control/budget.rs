//! A token bucket: so many a second, and at most a second's worth at once.

#![allow(
    clippy::disallowed_methods,
    reason = "answers operators in real time, and is no agent yet"
)]

use std::time::Instant;

/// What is still allowed of something.
#[derive(Debug)]
pub(super) struct Budget {
    per_s: u32,
    /// In thousandths.
    left: u64,
    filled: Instant,
}

impl Budget {
    /// A full bucket.
    pub(super) fn new(per_s: u32, now: Instant) -> Budget {
        Budget { per_s, left: u64::from(per_s) * 1_000, filled: now }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let most = u64::from(self.per_s) * 1_000;
        let passed_us = now.saturating_duration_since(self.filled).as_micros();
        let gained = passed_us.saturating_mul(u128::from(self.per_s)) / 1_000;
        if gained > 0 {
            self.left = most.min(self.left.saturating_add(u64::try_from(gained).unwrap_or(most)));
            self.filled = now;
        }
        if self.left < 1_000 {
            return false;
        }
        self.left -= 1_000;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_gives_as_many_as_it_says_and_never_more_than_that_at_once() {
        let start = Instant::now();
        let mut budget = Budget::new(100, start);
        assert_eq!((0..1_000).filter(|_| budget.take(start)).count(), 100);
        let mut taken = 0;
        for us in (0..1_000_000).step_by(100) {
            taken += u32::from(budget.take(start + Duration::from_micros(us)));
        }
        assert!((98..=100).contains(&taken), "{taken}");
        let later = start + Duration::from_secs(3_600);
        assert_eq!((0..1_000).filter(|_| budget.take(later)).count(), 100);
    }
}
