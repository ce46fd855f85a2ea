//! The token bucket of the engine, as one number a bucket: the generic cell rate algorithm (ITU-T
//! I.371).

/// So many at once after a pause, and then so many a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Between two at the rate, ns; 0 = no limit.
    interval_ns: u64,
    /// How far ahead of the rate one may be, ns.
    tolerance_ns: u64,
}

impl Rate {
    /// `per_s` a second, 0 = no limit, and `burst` (at least 1) at once.
    pub(crate) fn new(per_s: u64, burst: u64) -> Rate {
        match per_s {
            0 => Rate { interval_ns: 0, tolerance_ns: 0 },
            per_s => Rate::every((1_000_000_000 / per_s).max(1), burst),
        }
    }

    /// One in `interval_ns` (at least 1), and `burst` (at least 1) at once.
    pub(crate) fn every(interval_ns: u64, burst: u64) -> Rate {
        let interval_ns = interval_ns.max(1);
        Rate { interval_ns, tolerance_ns: interval_ns.saturating_mul(burst.max(1) - 1) }
    }

    /// Whether one more may pass now; `due_ns` is when the bucket's next one is due at the rate, at
    /// first 0.
    #[inline]
    pub(crate) fn admits(self, due_ns: &mut u64, now_ns: u64) -> bool {
        if self.interval_ns == 0 {
            return true;
        }
        if *due_ns > now_ns.saturating_add(self.tolerance_ns) {
            return false;
        }
        *due_ns = (*due_ns).max(now_ns).saturating_add(self.interval_ns);
        true
    }
}

/// One bucket with its rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    due_ns: u64,
}

impl Bucket {
    /// A full bucket of one second's depth, `per_s` at least 1.
    pub(crate) fn per_s(per_s: u32) -> Bucket {
        let per_s = u64::from(per_s.max(1));
        Bucket { rate: Rate::new(per_s, per_s), due_ns: 0 }
    }

    /// Takes one, if there is one.
    #[inline]
    pub(crate) fn take(&mut self, now_ns: u64) -> bool {
        self.rate.admits(&mut self.due_ns, now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = Rate::new(1_000, 3);
        let mut due_ns = 0;
        let mut admitted = |now_ns| rate.admits(&mut due_ns, now_ns);
        let burst: Vec<_> = (0..5).map(|_| admitted(10)).collect();
        assert_eq!(burst, [true, true, true, false, false]);
        assert!(!admitted(1_000_009) && admitted(1_000_010) && !admitted(1_000_010));
        // After silence: the whole burst again, and no more.
        let burst: Vec<_> = (0..4).map(|_| admitted(1_000_000_000)).collect();
        assert_eq!(burst, [true, true, true, false]);
    }

    #[test]
    fn no_limit_admits_everything() {
        let mut due_ns = 0;
        assert!((0..1_000).all(|_| Rate::new(0, 1).admits(&mut due_ns, 0)));
    }
}
