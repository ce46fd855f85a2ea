//! From the venue's mantissa and exponent to a number in an instrument's scale: exactly, or not at
//! all.

use crate::event::FixedError;

/// Powers of ten that 64 bits hold: 10^0 to 10^18.
const POWERS: usize = 19;

/// How many places a mantissa moves to come into a scale: to the left where that is above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rescale {
    places: i32,
}

/// A power of ten to divide by where nothing may remain.
///
/// 10^k is 5^k times 2^k. An odd number has an inverse modulo 2^64: times that, a multiple of 5^k
/// becomes its quotient, and every other number one above the largest quotient. The rotation does
/// the same for 2^k: bits that would remain come out on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Divisor {
    inverse: u64,
    rotate: u32,
    largest: u64,
}

const TENS: [i64; POWERS] = {
    let mut powers = [1; POWERS];
    let mut at = 1;
    while at < POWERS {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

const DIVISORS: [Divisor; POWERS] = {
    let mut divisors = [Divisor { inverse: 1, rotate: 0, largest: u64::MAX }; POWERS];
    let mut at = 0;
    while at < POWERS {
        let power = TENS[at] as u64;
        divisors[at] = Divisor {
            inverse: inverse_of_odd(power >> at),
            rotate: at as u32,
            largest: u64::MAX / power,
        };
        at += 1;
    }
    divisors
};

/// The inverse modulo 2^64, by Newton's steps: an odd number is its own inverse in the lowest three
/// bits, and each step doubles the bits that are right.
const fn inverse_of_odd(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

impl Rescale {
    /// Of mantissas with this exponent, to `scale` decimal places.
    #[inline]
    pub(super) fn new(exponent: i8, scale: u8) -> Rescale {
        Rescale { places: i32::from(exponent) + i32::from(scale) }
    }

    /// The number in the scale.
    ///
    /// # Errors
    /// `TooPrecise` where it has more decimal places, `OutOfRange` where 64 bits do not hold it.
    #[inline(always)] // a result that is handed over in memory takes longer than all of this
    pub(super) fn apply(self, mantissa: i64) -> Result<i64, FixedError> {
        // Below 0 it is above all powers.
        if let Some(factor) = TENS.get(self.places as usize) {
            return mantissa.checked_mul(*factor).ok_or(FixedError::OutOfRange);
        }
        if let Some(divisor) = DIVISORS.get(self.places.unsigned_abs() as usize) {
            return divisor.divide(mantissa).ok_or(FixedError::TooPrecise);
        }
        self.beyond(mantissa)
    }

    /// By more places than 64 bits hold: only 0 fits.
    #[cold]
    fn beyond(self, mantissa: i64) -> Result<i64, FixedError> {
        match (mantissa, self.places > 0) {
            (0, _) => Ok(0),
            (_, true) => Err(FixedError::OutOfRange),
            (_, false) => Err(FixedError::TooPrecise),
        }
    }
}

impl Divisor {
    /// `None` where something would remain.
    #[inline]
    fn divide(self, number: i64) -> Option<i64> {
        let Divisor { inverse, rotate, largest } = self;
        let quotient = number.unsigned_abs().wrapping_mul(inverse).rotate_right(rotate);
        if quotient > largest {
            return None;
        }
        let magnitude = quotient as i64;
        Some(if number < 0 { magnitude.wrapping_neg() } else { magnitude })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by plain arithmetic on 256 places' worth of room.
    fn plainly(mantissa: i64, exponent: i8, scale: u8) -> Result<i64, FixedError> {
        let places = i32::from(exponent) + i32::from(scale);
        if mantissa == 0 {
            return Ok(0);
        }
        let mut number = i128::from(mantissa);
        for _ in 0..places {
            number *= 10;
            if i64::try_from(number).is_err() {
                return Err(FixedError::OutOfRange);
            }
        }
        for _ in places..0 {
            if number % 10 != 0 {
                return Err(FixedError::TooPrecise);
            }
            number /= 10;
        }
        i64::try_from(number).map_err(|_| FixedError::OutOfRange)
    }

    #[test]
    fn a_price_of_eight_places_comes_into_two() {
        let price = Rescale::new(-8, 2);
        assert_eq!(price.apply(6_183_763_000_000), Ok(6_183_763));
        assert_eq!(price.apply(6_183_763_000_001), Err(FixedError::TooPrecise));
        assert_eq!(price.apply(-6_183_763_000_000), Ok(-6_183_763));
        assert_eq!(Rescale::new(-2, 5).apply(150), Ok(150_000));
        assert_eq!(Rescale::new(3, 0).apply(7), Ok(7_000));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_zero_always_fits() {
        for (exponent, scale) in [(i8::MAX, 12), (i8::MIN, 0), (-8, 2), (0, 8)] {
            assert_eq!(Rescale::new(exponent, scale).apply(0), Ok(0));
        }
        assert_eq!(Rescale::new(i8::MAX, 12).apply(1), Err(FixedError::OutOfRange));
        assert_eq!(Rescale::new(i8::MIN, 0).apply(1), Err(FixedError::TooPrecise));
        assert_eq!(Rescale::new(0, 8).apply(i64::MAX), Err(FixedError::OutOfRange));
        assert_eq!(Rescale::new(0, 0).apply(i64::MIN), Ok(i64::MIN));
        assert_eq!(Rescale::new(-1, 0).apply(i64::MIN), Err(FixedError::TooPrecise));
    }

    proptest! {
        #[test]
        fn it_is_plain_arithmetic(mantissa in any::<i64>(), exponent in any::<i8>(), scale in 0u8..13) {
            let got = Rescale::new(exponent, scale).apply(mantissa);
            prop_assert_eq!(got, plainly(mantissa, exponent, scale));
        }

        #[test]
        fn it_is_plain_arithmetic_on_what_divides(
            number in -9_000_000i64..9_000_000,
            zeros in 0usize..12,
            exponent in -19i8..6,
            scale in 0u8..13,
        ) {
            let mantissa = number * TENS[zeros];
            let got = Rescale::new(exponent, scale).apply(mantissa);
            prop_assert_eq!(got, plainly(mantissa, exponent, scale));
        }
    }
}
