//! The token bucket of the engine, as one number a bucket: the generic cell rate algorithm (ITU-T
//! I.371).

use std::sync::atomic::{AtomicU64, Ordering};

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
        if !self.has_one(*due_ns, now_ns) {
            return false;
        }
        *due_ns = (*due_ns).max(now_ns).saturating_add(self.interval_ns);
        true
    }

    #[inline]
    fn has_one(self, due_ns: u64, now_ns: u64) -> bool {
        due_ns <= now_ns.saturating_add(self.tolerance_ns)
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

    /// A full bucket of `burst`, which one more comes to in `interval_ns`; both at least 1.
    pub(crate) fn every(interval_ns: u64, burst: u64) -> Bucket {
        Bucket { rate: Rate::every(interval_ns, burst), due_ns: 0 }
    }

    /// Whether there is one to take.
    #[inline]
    pub(crate) fn has_one(&self, now_ns: u64) -> bool {
        self.rate.has_one(self.due_ns, now_ns)
    }

    /// Takes one, if there is one.
    #[inline]
    pub(crate) fn take(&mut self, now_ns: u64) -> bool {
        self.rate.admits(&mut self.due_ns, now_ns)
    }
}

/// Counts by whole seconds, of a time that may step: a step only begins another second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SecondCount {
    second: i64,
    count: u64,
}

impl SecondCount {
    /// Adds to the count of the second in which `now_ns` lies; what it comes to.
    #[inline]
    pub(crate) fn add(&mut self, amount: u64, now_ns: i64) -> u64 {
        let second = now_ns.div_euclid(1_000_000_000);
        if second != self.second {
            *self = SecondCount { second, count: 0 };
        }
        self.count = self.count.saturating_add(amount);
        self.count
    }
}

/// Parts of a second that a window counts by.
const SLICES: usize = 16;
/// How long one is, ns.
const SLICE_NS: u64 = 1_000_000_000 / SLICES as u64;
/// Bits of a slice's count; above them stands its number.
const COUNT_BITS: u32 = 24;
/// Tries to count in a slice that others count in, too.
const TRIES: usize = 64;

/// At most so many in any second, whichever threads they come from.
///
/// Counted by sixteenths of a second: in the one that is running and the sixteen before, there are
/// never more. So what fills the limit at once is followed by the next 1 to 1 1/16 s later. Each
/// counts itself first and then looks: where two race for the last place both may be refused; never
/// do both pass.
#[derive(Debug, Default)]
pub(crate) struct Window([AtomicU64; SLICES + 1]);

impl Window {
    /// Takes a place, if fewer than `most` are taken.
    #[inline]
    pub(crate) fn take(&self, most: u64, now_ns: u64) -> bool {
        let slice = now_ns / SLICE_NS;
        if !self.count(slice) {
            return false;
        }
        let is_within = self.taken(slice) <= most;
        if !is_within {
            self.give_back(slice);
        }
        is_within
    }

    fn cell(&self, slice: u64) -> &AtomicU64 {
        &self.0[(slice % self.0.len() as u64) as usize]
    }

    #[inline]
    fn count(&self, slice: u64) -> bool {
        let cell = self.cell(slice);
        let mut before = cell.load(Ordering::Relaxed);
        for _ in 0..TRIES {
            let next = match (before >> COUNT_BITS).cmp(&slice) {
                std::cmp::Ordering::Less => slice << COUNT_BITS | 1,
                std::cmp::Ordering::Equal => before + 1,
                // A second and more behind the others: its own would not be counted.
                std::cmp::Ordering::Greater => return false,
            };
            match cell.compare_exchange(before, next, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(other) => before = other,
            }
        }
        false
    }

    #[cold]
    fn give_back(&self, slice: u64) {
        let its_own = |word: u64| (word >> COUNT_BITS == slice).then(|| word.saturating_sub(1));
        // Too late to matter where it fails.
        let _ = self.cell(slice).fetch_update(Ordering::SeqCst, Ordering::Relaxed, its_own);
    }

    #[inline]
    fn taken(&self, slice: u64) -> u64 {
        let first = slice.saturating_sub(SLICES as u64);
        let count = |cell: &AtomicU64| {
            let word = cell.load(Ordering::SeqCst);
            if word >> COUNT_BITS < first { 0 } else { word & ((1 << COUNT_BITS) - 1) }
        };
        self.0.iter().map(count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_the_window_allows_wherever_it_begins() {
        const MOST: u64 = 10;
        let (window, mut random) = (Window::default(), crate::world::SplitMix64::new(7));
        let (mut now_ns, mut passed) = (0_u64, Vec::new());
        for _ in 0..20_000 {
            // Now a burst, now a pause, on the edges of slices and beside them.
            now_ns += match random.next_u64() % 8 {
                0 => SLICE_NS - now_ns % SLICE_NS,
                1 => 999_999_999,
                2 => random.next_u64() % 300_000_000,
                _ => 0,
            };
            if window.take(MOST, now_ns) {
                passed.push(now_ns);
            }
        }
        assert!(passed.len() > 5_000, "{}", passed.len());
        for pair in passed.windows(MOST as usize + 1) {
            assert!(pair[MOST as usize] - pair[0] >= 1_000_000_000, "{pair:?}");
        }
    }

    #[test]
    fn a_full_window_has_room_again_after_a_second_and_a_sixteenth_at_most() {
        let window = Window::default();
        let begin_ns = 5_000_000_001;
        assert!((0..3).all(|_| window.take(3, begin_ns)));
        assert!(!window.take(3, begin_ns) && !window.take(3, begin_ns + 999_999_999));
        assert!(window.take(3, begin_ns + 1_000_000_000 + SLICE_NS));
        assert!(window.take(4, begin_ns + 1_000_000_000 + SLICE_NS), "limits may change");
    }

    #[test]
    fn threads_that_race_never_pass_more_than_the_limit_together() {
        let window = Window::default();
        let passed = || (0..1_000).filter(|_| window.take(100, 1)).count();
        let all: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(passed)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!((1..=100).contains(&all), "{all}");
    }

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
