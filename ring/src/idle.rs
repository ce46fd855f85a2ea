//! What a core does after a duty cycle without work.

use std::fmt;
use std::hint;
use std::str::FromStr;
use std::thread;

/// Empty cycles that [`IdleStrategy::SpinThenYield`] spins when it is named without a figure: a few
/// microseconds, long enough to catch a burst and short against a scheduler's slice.
pub const DEFAULT_SPINS: u32 = 100;

/// Empty cycles between two yields. A yield that finds nobody to give the core to takes as long as
/// a pass over dozens of consumers, and an event that comes meanwhile waits for it: as short a time
/// as whoever wants the core will not miss.
const YIELD_EVERY: u32 = 8;

/// How to idle. [`Self::idler`] makes the thing that does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdleStrategy {
    /// Look again at once, with a pause instruction. For a core of its own.
    Spin,
    /// Spin for some empty cycles, then give the core away after every eighth.
    SpinThenYield {
        /// Empty cycles in a row before that begins.
        spins: u32,
    },
    /// Sleep until woken, see [`crate::Sleeper`].
    Park,
}

impl IdleStrategy {
    /// Every strategy, with default figures, in the order of rising latency.
    pub const ALL: [Self; 3] =
        [Self::Spin, Self::SpinThenYield { spins: DEFAULT_SPINS }, Self::Park];

    /// The name in configuration files and reports.
    ///
    /// ```
    /// use pitlane_ring::IdleStrategy;
    ///
    /// assert_eq!(IdleStrategy::Park.name(), "park");
    /// assert_eq!("spin".parse(), Ok(IdleStrategy::Spin));
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::SpinThenYield { .. } => "yield",
            Self::Park => "park",
        }
    }

    /// The strategy at work, for one thread.
    ///
    /// ```
    /// use pitlane_ring::IdleStrategy;
    ///
    /// let mut idler = IdleStrategy::Park.idler();
    /// assert!(!idler.idle(3), "there was work");
    /// assert!(idler.idle(0), "none: the caller looks once more and parks");
    /// ```
    pub const fn idler(self) -> Idler {
        Idler { strategy: self, empty_cycles: 0 }
    }
}

impl fmt::Display for IdleStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is not one of an idle strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown idle strategy '{0}': one of spin, yield, park")]
pub struct UnknownIdleStrategy(
    /// The name.
    pub String,
);

impl FromStr for IdleStrategy {
    type Err = UnknownIdleStrategy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|strategy| strategy.name() == name);
        found.ok_or_else(|| UnknownIdleStrategy(name.to_owned()))
    }
}

/// An idle strategy with the memory of how long there was nothing to do.
#[derive(Clone, Debug)]
pub struct Idler {
    strategy: IdleStrategy,
    empty_cycles: u32,
}

impl Idler {
    /// Idles once if `work` is 0, the work done in the last cycle. Returns whether the caller
    /// should park now: this does not do it, since only the caller can look at its sources again.
    ///
    /// ```
    /// use pitlane_ring::IdleStrategy;
    ///
    /// let mut idler = IdleStrategy::Spin.idler();
    /// assert!(!idler.idle(0), "a spinning thread never parks");
    /// ```
    #[inline]
    pub fn idle(&mut self, work: usize) -> bool {
        if work > 0 {
            self.empty_cycles = 0;
            return false;
        }
        match self.strategy {
            IdleStrategy::Spin => hint::spin_loop(),
            IdleStrategy::SpinThenYield { spins } => {
                self.empty_cycles += 1;
                if self.empty_cycles < spins.saturating_add(YIELD_EVERY) {
                    hint::spin_loop();
                } else {
                    self.empty_cycles = spins;
                    thread::yield_now();
                }
            }
            IdleStrategy::Park => return true,
        }
        false
    }

    /// The strategy that this follows.
    ///
    /// ```
    /// use pitlane_ring::IdleStrategy;
    ///
    /// assert_eq!(IdleStrategy::Spin.idler().strategy(), IdleStrategy::Spin);
    /// ```
    pub fn strategy(&self) -> IdleStrategy {
        self.strategy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for strategy in IdleStrategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        let refused = "sleep".parse::<IdleStrategy>().unwrap_err();
        assert_eq!(refused.to_string(), "unknown idle strategy 'sleep': one of spin, yield, park");
    }

    #[test]
    fn only_park_parks_and_only_without_work() {
        let mut park = IdleStrategy::Park.idler();
        assert!(!park.idle(1) && park.idle(0));
        let mut spin = IdleStrategy::Spin.idler();
        assert!(!spin.idle(0) && !spin.idle(3));
    }

    #[test]
    fn work_starts_the_spins_anew() {
        let mut idler = IdleStrategy::SpinThenYield { spins: 2 }.idler();
        for cycle in 1..=2 * YIELD_EVERY {
            assert!(!idler.idle(0));
            let since = if cycle < 2 + YIELD_EVERY { cycle } else { cycle - YIELD_EVERY };
            assert_eq!(idler.empty_cycles, since, "it has yielded after the tenth");
        }
        idler.idle(1);
        assert_eq!(idler.empty_cycles, 0);
    }
}
