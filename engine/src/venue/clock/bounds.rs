//! Between which two moments a venue's time lies, at a moment of ours.

/// No clock in use is further off, ns: such an answer is wrong, or our clock is.
pub(super) const PLAUSIBLE_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// What two clocks may drift apart, parts in a million: bad quartz has 50.
const DRIFT_PPM: u64 = 60;

/// Bounds of the venue's time at monotonic 0, as they were known at `at_ns`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) low_ns: i64,
    pub(super) high_ns: i64,
    pub(super) at_ns: u64,
}

impl Bounds {
    /// What of them still holds at a later time.
    pub(super) fn widened(self, now_ns: u64) -> Bounds {
        let passed_ns = now_ns.saturating_sub(self.at_ns);
        let drift_ns = i64::try_from(passed_ns / 1_000_000 * DRIFT_PPM).unwrap_or(PLAUSIBLE_NS);
        Bounds {
            low_ns: self.low_ns.saturating_sub(drift_ns),
            high_ns: self.high_ns.saturating_add(drift_ns),
            at_ns: self.at_ns.max(now_ns),
        }
    }

    /// What holds when both do; `None` when they contradict each other.
    pub(super) fn both(&self, other: &Bounds) -> Option<Bounds> {
        let low_ns = self.low_ns.max(other.low_ns);
        let high_ns = self.high_ns.min(other.high_ns);
        (low_ns <= high_ns).then_some(Bounds { low_ns, high_ns, at_ns: other.at_ns })
    }

    pub(super) fn middle_ns(&self) -> i64 {
        self.low_ns.saturating_add(self.high_ns.saturating_sub(self.low_ns) / 2)
    }

    pub(super) fn uncertainty_ns(&self) -> u64 {
        self.high_ns.saturating_sub(self.low_ns).unsigned_abs().div_ceil(2)
    }
}
