//! A token bucket a stream, as one number: the generic cell rate algorithm (ITU-T I.371).

/// The rate that every stream may have.
#[derive(Clone, Copy)]
pub(super) struct FloodLimit {
    /// Between two events at the rate, ns; 0 = no limit.
    interval_ns: u64,
    /// How far ahead of the rate a stream may be, ns.
    tolerance_ns: u64,
}

impl FloodLimit {
    pub(super) fn new(events_per_s: u64, burst: u64) -> FloodLimit {
        if events_per_s == 0 {
            return FloodLimit { interval_ns: 0, tolerance_ns: 0 };
        }
        let interval_ns = (1_000_000_000 / events_per_s).max(1);
        FloodLimit { interval_ns, tolerance_ns: interval_ns.saturating_mul(burst.max(1) - 1) }
    }

    /// Whether an event may pass; `due_ns` is when the stream's next one is due at the rate.
    #[inline]
    pub(super) fn admits(self, due_ns: &mut u64, now_ns: u64) -> bool {
        if self.interval_ns == 0 {
            return true;
        }
        if *due_ns > now_ns.saturating_add(self.tolerance_ns) {
            return false;
        }
        *due_ns = (*due_ns).max(now_ns) + self.interval_ns;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limit = FloodLimit::new(1_000, 3);
        let mut due_ns = 0;
        let mut admitted = |now_ns| limit.admits(&mut due_ns, now_ns);
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
        assert!((0..1_000).all(|_| FloodLimit::new(0, 1).admits(&mut due_ns, 0)));
    }
}
