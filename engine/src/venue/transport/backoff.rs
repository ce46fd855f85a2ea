//! How long to wait before the next attempt: doubling, with jitter, between two bounds (F12).
//!
//! Jitter keeps a venue's thousand clients from coming back in one moment. The upper half of the
//! step is drawn, so that attempts still thin out: attempt n waits between `min * 2^n` and
//! `min * 2^(n+1)`, never more than `max`.

use crate::world::SplitMix64;

/// The bounds of a [`Backoff`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffOptions {
    /// The shortest wait, ns, at least 1.
    pub min_ns: u64,
    /// The longest wait, ns, at least `min_ns`.
    pub max_ns: u64,
}

impl Default for BackoffOptions {
    /// 100 ms to 30 s.
    fn default() -> BackoffOptions {
        BackoffOptions { min_ns: 100_000_000, max_ns: 30_000_000_000 }
    }
}

/// The waits of one connection.
#[derive(Clone, Debug)]
pub struct Backoff {
    options: BackoffOptions,
    random: SplitMix64,
    attempt: u32,
}

impl Backoff {
    /// A backoff at its first attempt.
    #[must_use]
    pub fn new(options: BackoffOptions, seed: u64) -> Backoff {
        Backoff { options, random: SplitMix64::new(seed), attempt: 0 }
    }

    /// The wait before the next attempt, ns.
    pub fn next_delay_ns(&mut self) -> u64 {
        let BackoffOptions { min_ns, max_ns } = self.options;
        let high_ns = match 2_u64.checked_pow(self.attempt + 1) {
            Some(factor) => min_ns.saturating_mul(factor).min(max_ns),
            None => max_ns,
        };
        self.attempt = (self.attempt + 1).min(62);
        self.random.between((high_ns / 2).max(min_ns).min(max_ns), high_ns)
    }

    /// Starts over: the connection has proved healthy.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_with_jitter_between_its_bounds_and_starts_over() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(BackoffOptions::default(), seed);
            for attempt in 0..100_u32 {
                let delay_ns = backoff.next_delay_ns();
                let high_ns =
                    100_000_000_u64.saturating_mul(1 << (attempt + 1).min(40)).min(30_000_000_000);
                assert!((high_ns / 2..=high_ns).contains(&delay_ns), "seed {seed} {delay_ns}");
            }
            backoff.reset();
            assert!((100_000_000..=200_000_000).contains(&backoff.next_delay_ns()));
        }
    }

    #[test]
    fn two_seeds_do_not_come_back_together() {
        let delays = |seed| {
            let mut backoff = Backoff::new(BackoffOptions::default(), seed);
            [backoff.next_delay_ns(), backoff.next_delay_ns(), backoff.next_delay_ns()]
        };
        assert_ne!(delays(1), delays(2));
        assert_eq!(delays(1), delays(1));
    }
}
