//! How long the platform stops a thread that only reads the clock: pinned, on each planned core at
//! once.
//!
//! This is a look, not a record: `latency hiccup` writes the full distribution to an interval log.

use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::pinned::on_each;

/// Limits above which a gap is counted, in nanoseconds.
const LIMITS_NS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// The gaps of one core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Hiccups {
    pub(crate) core: usize,
    /// Readings of the clock.
    pub(crate) readings: u64,
    /// Gaps above 1 us, 10 us, 100 us and 1 ms; a longer one counts in each.
    pub(crate) above: [u64; 4],
    /// The longest gap.
    pub(crate) worst_ns: u64,
    /// All gaps above 1 us together.
    pub(crate) lost_ns: u64,
}

impl Hiccups {
    fn take(&mut self, gap_ns: u64) {
        self.readings += 1;
        self.worst_ns = self.worst_ns.max(gap_ns);
        for (count, limit) in self.above.iter_mut().zip(LIMITS_NS) {
            *count += u64::from(gap_ns > limit);
        }
        if gap_ns > LIMITS_NS[0] {
            self.lost_ns = self.lost_ns.saturating_add(gap_ns);
        }
    }
}

/// Watches `cores` for `time`.
///
/// # Errors
/// The system's error when it refuses a core.
pub(crate) fn watch(cores: &[usize], time: Duration) -> io::Result<Vec<Hiccups>> {
    on_each(cores, |index| {
        let mut hiccups = Hiccups { core: cores[index], ..Hiccups::default() };
        let start = Instant::now();
        let mut last = start;
        while last.duration_since(start) < time {
            let now = Instant::now();
            hiccups.take(u64::try_from(now.duration_since(last).as_nanos()).unwrap_or(u64::MAX));
            last = now;
        }
        hiccups
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_under_every_limit_it_passes() {
        let mut hiccups = Hiccups::default();
        [20, 1_000, 1_001, 50_000, 2_000_000].into_iter().for_each(|gap| hiccups.take(gap));
        assert_eq!((hiccups.readings, hiccups.worst_ns), (5, 2_000_000));
        assert_eq!(hiccups.above, [3, 2, 1, 1]);
        assert_eq!(hiccups.lost_ns, 2_051_001);
    }
}
