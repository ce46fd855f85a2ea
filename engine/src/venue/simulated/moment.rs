//! The time that an exchange is told: nothing below the server reads a clock.

use crate::world::Clock;

/// One reading of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds of the monotonic clock: schedules count in these.
    pub ns: u64,
    /// Milliseconds since the epoch: what the venue writes.
    pub epoch_ms: i64,
}

impl Moment {
    /// The clock's reading now.
    pub fn read(clock: &Clock) -> Moment {
        let ns = clock.now_ns();
        Moment { ns, epoch_ms: clock.wall_at_ns(ns) / 1_000_000 }
    }

    /// So much later.
    #[cfg(test)]
    pub fn later_ms(self, ms: u64) -> Moment {
        Moment { ns: self.ns + ms * 1_000_000, epoch_ms: self.epoch_ms + ms as i64 }
    }
}
