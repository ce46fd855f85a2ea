//! Wall time of a run: monotonic time, brought nearer to the system's clock by slewing.
//!
//! Promises: wall time never goes back and never jumps, whatever the system's clock does (EDGE-22,
//! F20); without a step of that clock both differ by milliseconds at most, however long a run lasts
//! (a counter that is off by 12 ppm loses a second a day by itself). A reading takes no lock.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// A correction is spread over this time, ns: a power of two, so that a reading needs no division.
const SPAN_NS: u64 = 1 << SPAN_BITS;
const SPAN_BITS: u32 = 30;
/// Of what the system's clock differs, the part that goes within one span: gone after a minute.
const PART: i64 = 60;
/// The most that is corrected in one span, ns: a tenth of it, so that wall time always goes on.
const SLEW_MAX_NS: i64 = SPAN_NS as i64 / 10;
/// Between two looks the system's clock does not drift so far, ns: it was set, or the machine was
/// asleep.
const STEP_NS: i64 = 100_000_000;
/// A line is rewritten after as many looks; a reading takes nanoseconds.
const LINES: usize = 8;

/// One straight piece of wall time.
#[derive(Debug, Default)]
struct Line {
    from_ns: AtomicU64,
    wall_ns: AtomicI64,
    /// Added in the course of the span.
    slew_ns: AtomicI64,
}

/// Wall time by monotonic time.
#[derive(Debug)]
pub(super) struct Wall {
    lines: [Line; LINES],
    /// Place of the line in force.
    at: AtomicUsize,
    steps: AtomicU32,
    look: Mutex<Look>,
}

/// What the last look found.
#[derive(Debug, Default)]
struct Look {
    next_ns: u64,
    /// How far the system's clock was ahead of ours, less what is corrected by now.
    ahead_ns: i64,
}

impl Wall {
    /// Wall time that is `wall_ns` at monotonic 0.
    pub(super) fn new(wall_ns: i64) -> Wall {
        let wall = Wall {
            lines: Default::default(),
            at: AtomicUsize::new(0),
            steps: AtomicU32::new(0),
            look: Mutex::new(Look { next_ns: SPAN_NS, ahead_ns: 0 }),
        };
        wall.lines[0].wall_ns.store(wall_ns, Ordering::Relaxed);
        wall
    }

    /// Wall time at `now_ns`; before the line in force began, it goes back along the clock.
    #[inline]
    pub(super) fn at_ns(&self, now_ns: u64) -> i64 {
        let line = &self.lines[self.at.load(Ordering::Acquire) % LINES];
        let passed_ns = now_ns.wrapping_sub(line.from_ns.load(Ordering::Relaxed)) as i64;
        let slewed_ns = passed_ns.clamp(0, SPAN_NS as i64);
        let slew_ns = (line.slew_ns.load(Ordering::Relaxed) * slewed_ns) >> SPAN_BITS;
        line.wall_ns.load(Ordering::Relaxed).saturating_add(passed_ns).saturating_add(slew_ns)
    }

    /// Looks how far the system's clock is from ours, at most once in a span, and begins to correct
    /// it. `system_ns` reads it.
    pub(super) fn follow(&self, now_ns: u64, system_ns: impl FnOnce() -> i64) {
        // Someone else looks at this very moment, or has.
        let Some(mut look) = self.look.try_lock() else { return };
        if now_ns < look.next_ns {
            return;
        }
        look.next_ns = now_ns + SPAN_NS;
        let wall_ns = self.at_ns(now_ns);
        let ahead_ns = system_ns().saturating_sub(wall_ns);
        if ahead_ns.saturating_sub(look.ahead_ns).saturating_abs() > STEP_NS {
            self.steps.fetch_add(1, Ordering::Relaxed);
        }
        let slew_ns = (ahead_ns / PART).clamp(-SLEW_MAX_NS, SLEW_MAX_NS);
        look.ahead_ns = ahead_ns - slew_ns;
        let next = (self.at.load(Ordering::Relaxed) + 1) % LINES;
        let line = &self.lines[next];
        line.from_ns.store(now_ns, Ordering::Relaxed);
        line.wall_ns.store(wall_ns, Ordering::Relaxed);
        line.slew_ns.store(slew_ns, Ordering::Relaxed);
        // Release: whoever sees the place sees the line.
        self.at.store(next, Ordering::Release);
    }

    /// How often the system's clock was set, or the machine slept, as far as looks have found.
    pub(super) fn steps(&self) -> u32 {
        self.steps.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    /// Runs for `seconds`, a look a little after each span, and gives the largest distance to a
    /// system's clock that `ahead_ns` puts ahead of the monotonic one, after the first `settle_s`.
    fn worst_ns(seconds: u64, settle_s: u64, ahead_ns: impl Fn(u64) -> i64) -> i64 {
        let wall = Wall::new(0);
        let (mut worst_ns, mut last_ns) = (0, -1);
        let mut now_ns = 0;
        while now_ns < seconds * SECOND_NS {
            for _ in 0..4 {
                now_ns += SPAN_NS / 4 + 7;
                let wall_ns = wall.at_ns(now_ns);
                assert!(wall_ns > last_ns, "wall time goes on");
                assert!(wall_ns - last_ns < SECOND_NS as i64, "and never jumps");
                last_ns = wall_ns;
            }
            let system_ns = now_ns as i64 + ahead_ns(now_ns);
            wall.follow(now_ns, || system_ns);
            assert_eq!(wall.at_ns(now_ns), last_ns, "a look moves nothing by itself");
            if now_ns > settle_s * SECOND_NS {
                worst_ns = worst_ns.max((system_ns - last_ns).abs());
            }
        }
        worst_ns
    }

    #[test]
    fn a_drift_of_12_ppm_never_adds_up() {
        // F35. Two days by itself: 2 s, and every order refused.
        for ppm in [-12, 12, 50] {
            let worst_ns = worst_ns(2 * 86_400, 0, |now_ns| now_ns as i64 / 1_000_000 * ppm);
            assert!(worst_ns < 5_000_000, "{ppm} ppm: {worst_ns} ns");
            assert!(worst_ns > 100_000, "there was a drift");
        }
    }

    #[test]
    fn a_step_is_followed_slowly_and_never_back() {
        // EDGE-22
        for step_ns in [-2_000_000_000, 2_000_000_000] {
            let worst_ns = worst_ns(1_200, 600, |_| step_ns);
            assert!(worst_ns < 1_000_000, "{step_ns}: {worst_ns} ns");
        }
    }

    #[test]
    fn a_step_is_counted_once_and_a_drift_is_none() {
        let wall = Wall::new(0);
        let mut now_ns = 0;
        let mut look = |ahead_ns: i64| {
            now_ns += SPAN_NS;
            wall.follow(now_ns, || now_ns as i64 + ahead_ns);
            wall.steps()
        };
        assert_eq!((look(1_000), look(12_000)), (0, 0));
        assert_eq!((look(3_600_000_000_000), look(3_600_000_000_000)), (1, 1));
        assert_eq!(look(0), 2);
    }
}
