//! The circuit breaker: too much that went wrong in a short time.

/// Events that it remembers: no limit is higher.
pub(super) const EVENTS_MAX: usize = 1_024;

/// The last refusals and rejections of one strategy, and what its window has cost.
#[derive(Debug)]
pub(super) struct Breaker {
    /// When they were, ns; a ring.
    times_ns: Box<[u64]>,
    next: usize,
    known: usize,
    /// Since when losses are counted, ns; 0 before the first.
    since_ns: u64,
    /// By asset, what was lost since then; below 0 for a profit.
    lost: Box<[i64]>,
}

impl Breaker {
    pub(super) fn new(assets: usize) -> Breaker {
        Breaker {
            times_ns: vec![0; EVENTS_MAX].into_boxed_slice(),
            next: 0,
            known: 0,
            since_ns: 0,
            lost: vec![0; assets].into_boxed_slice(),
        }
    }

    /// Something was refused or rejected. Whether it was the `limit`-th in the window.
    #[cold]
    pub(super) fn note(&mut self, now_ns: u64, limit: i64, window_ns: u64) -> bool {
        self.times_ns[self.next] = now_ns;
        self.next = (self.next + 1) % EVENTS_MAX;
        self.known = (self.known + 1).min(EVENTS_MAX);
        let Ok(limit) = usize::try_from(limit) else { return false };
        if limit == 0 || limit > self.known {
            return false;
        }
        let first = self.times_ns[(self.next + EVENTS_MAX - limit) % EVENTS_MAX];
        now_ns.saturating_sub(first) <= window_ns
    }

    /// Realised profit has changed by `by` in an asset. What the window has cost so far in it.
    #[cold]
    pub(super) fn earned(&mut self, asset: usize, by: i64, now_ns: u64, window_ns: u64) -> i64 {
        if now_ns.saturating_sub(self.since_ns) > window_ns {
            self.since_ns = now_ns;
            self.lost.fill(0);
        }
        let Some(lost) = self.lost.get_mut(asset) else { return 0 };
        *lost = lost.saturating_sub(by);
        *lost
    }

    /// Forgets what was, when it has tripped.
    pub(super) fn reset(&mut self) {
        (self.known, self.since_ns) = (0, 0);
        self.lost.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_trips_at_its_limit_within_its_window_and_not_before_or_outside_it() {
        let mut breaker = Breaker::new(1);
        assert!(!breaker.note(10, 3, 100) && !breaker.note(20, 3, 100));
        assert!(breaker.note(110, 3, 100), "the third within 100 ns");
        breaker.reset();
        assert!(!breaker.note(200, 3, 100) && !breaker.note(250, 3, 100));
        assert!(!breaker.note(301, 3, 100), "the first is 101 ns ago");
        assert!(breaker.note(302, 3, 100));
        let mut every = Breaker::new(1);
        assert!(every.note(5, 1, 0));
        let most = EVENTS_MAX as i64;
        let mut many = Breaker::new(1);
        assert!((1..most).all(|at| !many.note(at.unsigned_abs(), most, u64::MAX)));
        assert!(many.note(5_000, most, u64::MAX));
    }

    #[test]
    fn losses_count_within_their_window_and_their_asset() {
        let mut breaker = Breaker::new(2);
        assert_eq!(breaker.earned(0, -30, 1_000, 100), 30);
        assert_eq!(breaker.earned(1, -5, 1_010, 100), 5);
        assert_eq!(breaker.earned(0, 10, 1_100, 100), 20);
        assert_eq!(breaker.earned(0, -1, 1_201, 100), 1, "a new window");
    }
}
