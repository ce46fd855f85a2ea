//! The clock seam: the only place where the engine reads time.
//!
//! Durations, timers and latencies use the monotonic reading only (F20): nanoseconds since the
//! engine's start. Wall time is for venue timestamps and files: the wall reading at start plus the
//! monotonic one, brought nearer to the system's clock so slowly that a step of that is never seen
//! inside a run (EDGE-22).

#![allow(clippy::disallowed_methods, reason = "the seam itself")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_utils::CachePadded;

use super::tape::{self, Tag};
use super::wall::Wall;

/// Reads time. Cheap to clone; each agent owns one.
// A handle to one reading, so that the agents of a thread find the scale of the counter on the same
// lines.
#[derive(Clone, Debug)]
pub struct Clock(Arc<CachePadded<Reading>>);

#[derive(Debug)]
struct Reading {
    source: TimeSource,
    wall: Wall,
}

#[derive(Debug)]
enum TimeSource {
    Tsc {
        clock: quanta::Clock,
        start_raw: u64,
    },
    Manual {
        time: ManualTime,
        wall_start_ns: i64,
    },
    /// Another clock, each of whose readings is kept.
    Taped(Clock),
}

/// Time that a test or the simulated world moves by hand.
#[derive(Clone, Debug, Default)]
pub struct ManualTime(Arc<Moved>);

#[derive(Debug, Default)]
struct Moved {
    now_ns: AtomicU64,
    /// How far the system's clock is ahead of the wall time at the start plus `now_ns`.
    system_ahead_ns: AtomicI64,
}

impl ManualTime {
    /// Moves time forward by `ns`.
    pub fn advance_ns(&self, ns: u64) {
        self.0.now_ns.fetch_add(ns, Ordering::SeqCst);
    }

    /// Moves time forward to `ns`; does nothing when it is past that already.
    pub fn advance_to_ns(&self, ns: u64) {
        self.0.now_ns.fetch_max(ns, Ordering::SeqCst);
    }

    /// Sets the system's clock forward by `ns`, or back: an operator, a time service, or a machine
    /// that slept.
    pub fn set_system_ns(&self, ns: i64) {
        self.0.system_ahead_ns.fetch_add(ns, Ordering::SeqCst);
    }
}

impl Clock {
    /// A clock over the CPU's time stamp counter that starts now. Calibrates on the first call in a
    /// process, which takes some milliseconds.
    #[must_use]
    pub fn start() -> Clock {
        let clock = quanta::Clock::new();
        let start_raw = clock.raw();
        Clock::of(TimeSource::Tsc { clock, start_raw }, wall_now_ns())
    }

    /// A clock that a test moves by hand, at 0 ns, with wall time `wall_start_ns`.
    #[must_use]
    pub fn manual(wall_start_ns: i64) -> (Clock, ManualTime) {
        let time = ManualTime::default();
        let source = TimeSource::Manual { time: time.clone(), wall_start_ns };
        (Clock::of(source, wall_start_ns), time)
    }

    fn of(source: TimeSource, wall_start_ns: i64) -> Clock {
        Clock(Arc::new(CachePadded::new(Reading { source, wall: Wall::new(wall_start_ns) })))
    }

    /// The clock of another machine in the same simulated world: it counts the same seconds, and
    /// no step of this one's wall time reaches it.
    #[must_use]
    pub fn elsewhere(&self) -> Clock {
        match &self.0.source {
            TimeSource::Tsc { .. } => self.clone(),
            TimeSource::Taped(behind) => behind.elsewhere(),
            TimeSource::Manual { time, wall_start_ns } => {
                let (time, wall_start_ns) = (time.clone(), *wall_start_ns);
                Clock::of(TimeSource::Manual { time, wall_start_ns }, wall_start_ns)
            }
        }
    }

    /// The same clock, each of whose readings on a thread with a tape is kept there, or is what
    /// was kept.
    #[must_use]
    pub fn taped(&self) -> Clock {
        Clock::of(TimeSource::Taped(self.clone()), self.wall_at_ns(0))
    }

    /// Monotonic nanoseconds since the engine's start.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        match &self.0.source {
            TimeSource::Tsc { clock, start_raw } => clock.delta_as_nanos(*start_raw, clock.raw()),
            TimeSource::Manual { time, .. } => time.0.now_ns.load(Ordering::Relaxed),
            TimeSource::Taped(behind) => behind.now_on_tape_ns(),
        }
    }

    // Apart, so that reading the time is no call.
    #[cold]
    fn now_on_tape_ns(&self) -> u64 {
        tape::clock(|| self.now_ns())
    }

    /// Wall time in nanoseconds since the Unix epoch.
    #[inline]
    #[must_use]
    pub fn wall_ns(&self) -> i64 {
        self.wall_at_ns(self.now_ns())
    }

    /// Wall time of a monotonic reading.
    #[inline]
    #[must_use]
    pub fn wall_at_ns(&self, monotonic_ns: u64) -> i64 {
        self.0.wall.at_ns(monotonic_ns)
    }

    /// Looks how far the system's clock has moved away, and brings wall time nearer to it. To be
    /// called every second or so; looks that come sooner do nothing.
    pub fn follow_system(&self) {
        self.0.wall.follow(self.now_ns(), || self.system_ns());
    }

    /// The system's wall time, ns since the Unix epoch.
    fn system_ns(&self) -> i64 {
        match &self.0.source {
            TimeSource::Tsc { .. } => wall_now_ns(),
            TimeSource::Manual { time, wall_start_ns } => {
                let moved_ns = time.0.system_ahead_ns.load(Ordering::Relaxed);
                wall_start_ns.saturating_add(moved_ns).saturating_add_unsigned(self.now_ns())
            }
            TimeSource::Taped(behind) => tape::kept(Tag::System, || behind.system_ns(), || 0),
        }
    }

    /// How often the system's clock was set, or the machine slept, as far as
    /// [`Clock::follow_system`] has found: what was measured with either may not hold any more.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.0.wall.steps()
    }
}

/// The system's wall time, ns since the Unix epoch: for the log of the process, which belongs to
/// no engine.
#[must_use]
pub fn wall_now_ns() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_time_moves_only_by_hand() {
        let (clock, time) = Clock::manual(1_000);
        assert_eq!((clock.now_ns(), clock.wall_ns()), (0, 1_000));
        time.advance_ns(5);
        assert_eq!((clock.now_ns(), clock.wall_ns()), (5, 1_005));
    }

    #[test]
    fn a_step_of_the_system_is_followed_without_a_step_of_ours() {
        let (clock, time) = Clock::manual(0);
        time.set_system_ns(-2_000_000_000);
        let mut last_ns = clock.wall_ns();
        for _ in 0..600 {
            time.advance_ns(1_100_000_000);
            clock.follow_system();
            assert!(clock.wall_ns() > last_ns);
            last_ns = clock.wall_ns();
        }
        assert_eq!(clock.steps(), 1);
        let error_ns = clock.now_ns() as i64 - 2_000_000_000 - last_ns;
        assert!(error_ns.abs() < 1_000_000, "{error_ns}");
    }

    #[test]
    fn the_real_clock_never_goes_back() {
        let clock = Clock::start();
        let mut last = 0;
        for _ in 0..10_000 {
            let now = clock.now_ns();
            assert!(now >= last);
            last = now;
        }
    }
}
