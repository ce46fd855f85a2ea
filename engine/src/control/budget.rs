//! The engine's token bucket by the system's clock: so many a second, and at most a second's worth
//! at once.

use std::time::Instant;

use crate::rate::Bucket;

/// What is still allowed of something.
#[derive(Debug)]
pub(super) struct Budget {
    bucket: Bucket,
    opened: Instant,
}

impl Budget {
    /// A full bucket.
    pub(super) fn new(per_s: u32, now: Instant) -> Budget {
        Budget { bucket: Bucket::per_s(per_s), opened: now }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since_opened = now.saturating_duration_since(self.opened);
        self.bucket.take(u64::try_from(since_opened.as_nanos()).unwrap_or(u64::MAX))
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
