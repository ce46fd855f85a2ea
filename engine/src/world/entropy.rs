//! Where chance comes from: one root a run, and a seed for each who asks by name.
//!
//! A seed depends on the root and on the name alone, not on who asked before. So an agent more or
//! less does not change what the others draw, and one root gives one run.

#![allow(clippy::disallowed_methods, reason = "the seam itself")]

use std::io;

use ring::rand::{SecureRandom, SystemRandom};

use super::SplitMix64;
use super::fnv::fnv_of;

/// What signatures draw their random numbers from, where a signature needs some and the library
/// takes nobody else's: the system. Nothing but their verification depends on their bytes, and the
/// bytes that are sent, so that a replay differs there (`engine/docs/replay.md`).
#[must_use]
pub(crate) fn signing_random() -> SystemRandom {
    SystemRandom::new()
}

/// The root of all chance of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entropy {
    root: u64,
}

impl Entropy {
    /// A root from the operating system, another one at each call.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn from_os() -> io::Result<Entropy> {
        let mut bytes = [0; 8];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| io::Error::other("[entropy] the system gives no random bytes"))?;
        Ok(Entropy { root: u64::from_ne_bytes(bytes) })
    }

    /// A root that names a run: the same root gives the same run.
    #[must_use]
    pub const fn seeded(root: u64) -> Entropy {
        Entropy { root }
    }

    /// The root, to be printed with whatever a run found.
    #[must_use]
    pub const fn root(self) -> u64 {
        self.root
    }

    /// The seed of `name`; two names of one run differ, and so do two runs.
    #[must_use]
    pub fn seed(self, name: &str) -> u64 {
        // FNV-1a of the name, then one step of the generator, so that near names are far apart.
        SplitMix64::new(self.root ^ fnv_of(name.as_bytes())).next_u64()
    }

    /// A generator of its own for `name`.
    #[must_use]
    pub fn random(self, name: &str) -> SplitMix64 {
        SplitMix64::new(self.seed(name))
    }

    /// The number of this run, which makes the names of its orders differ from those of all others:
    /// never 0. Two of 1,000 runs have one number with a probability of about 1 in 8,600.
    #[must_use]
    pub fn run_number(self) -> u32 {
        (self.seed("run") >> 32).max(1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_follows_from_root_and_name_alone() {
        let run = Entropy::seeded(7);
        assert_eq!(run.seed("a"), Entropy::seeded(7).seed("a"));
        assert_ne!(run.seed("a"), run.seed("b"));
        assert_ne!(run.seed("a"), Entropy::seeded(8).seed("a"));
        assert_eq!(run.run_number(), Entropy::seeded(7).run_number());
        assert_ne!(run.run_number(), Entropy::seeded(8).run_number());
    }

    #[test]
    fn two_runs_of_the_real_world_differ() {
        assert_ne!(Entropy::from_os().unwrap(), Entropy::from_os().unwrap());
    }
}
