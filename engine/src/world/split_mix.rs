//! The one generator of random numbers: small, seeded, the same on every machine.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014):
//! one addition and two multiplications, no system call, the same series for the same seed. It is
//! no generator for secrets.

/// The generator's state.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator that starts at `seed`; every seed is good.
    #[must_use]
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A value from `low` to `high`, both included; `low` where `high` is below it.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let Some(span) = high.checked_sub(low) else { return low };
        // The high half of a 128-bit product: no division, and a bias below 2^-32 for our spans.
        let scaled = (u128::from(self.next_u64()) * (u128::from(span) + 1)) >> 64;
        low + scaled as u64
    }

    /// Whether this draw hits an event of `ppm` in a million.
    #[inline]
    pub fn hits_ppm(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.between(1, 1_000_000) <= u64::from(ppm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_as_often_as_asked() {
        let mut random = SplitMix64::new(3);
        let hits = (0..100_000).filter(|_| random.hits_ppm(250_000)).count();
        assert!((24_000..26_000).contains(&hits), "{hits} of 100000, expected 25000");
        assert!(!(0..1_000).any(|_| random.hits_ppm(0)));
        assert!((0..1_000).all(|_| random.hits_ppm(1_000_000)));
    }

    #[test]
    fn gives_the_published_series() {
        // Reference values of the generator for seed 1234567, as printed by its authors' C code.
        let mut random = SplitMix64::new(1_234_567);
        let series = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(
            series,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn stays_between_its_bounds_and_reaches_both() {
        let mut random = SplitMix64::new(7);
        let mut seen = [false; 4];
        for _ in 0..200 {
            let value = random.between(10, 13);
            assert!((10..=13).contains(&value));
            seen[(value - 10) as usize] = true;
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(random.between(5, 4), 5);
        let _ = random.between(0, u64::MAX);
    }
}
