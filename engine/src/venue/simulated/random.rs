//! The venue's own random numbers: small, seeded, the same on every machine.
//!
//! The generator is xoshiro256** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number
//! Generators", 2018), its state filled by SplitMix64 as its authors advise. It is written here, not
//! taken from a crate, because the sequence is a promise: a seed names one run for ever.

use crate::world::SplitMix64;

/// A seeded generator. Not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: [u64; 4],
}

impl Random {
    /// A generator whose whole sequence follows from `seed`; every seed is valid.
    pub(super) fn new(seed: u64) -> Self {
        let mut mix = SplitMix64::new(seed);
        let state = std::array::from_fn(|_| mix.next_u64());
        Self { state }
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number in `0..bound`.
    ///
    /// Multiply-shift (Lemire 2019) without the rejection step: its bias is below `bound / 2^64`.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "an empty range holds no number");
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xoshiro_follows_its_recurrence_from_a_known_state() {
        // First outputs for the state 1, 2, 3, 4 of the reference implementation.
        let mut random = Random { state: [1, 2, 3, 4] };
        let got: Vec<u64> = (0..4).map(|_| random.next()).collect();
        assert_eq!(got, [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn below_stays_in_its_range_and_reaches_both_ends() {
        let mut random = Random::new(7);
        let mut seen = [0_u32; 5];
        for _ in 0..1_000 {
            seen[random.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 100), "seed 7 gave {seen:?}");
    }
}
