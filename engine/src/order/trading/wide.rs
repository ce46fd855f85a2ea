//! Products that 128 bits do not hold.

/// `amount * part / whole`, rounded towards 0, for `part <= whole` and `whole > 0`: what `part` of
/// `whole` has of `amount`. Never larger than `amount`, so it always fits.
pub(super) fn share(amount: i128, part: u128, whole: u128) -> i128 {
    debug_assert!(part <= whole && whole > 0);
    if part == whole {
        return amount;
    }
    let magnitude = amount.unsigned_abs();
    let share = match magnitude.checked_mul(part) {
        Some(product) => product / whole,
        None => long_division(product(magnitude, part), whole),
    };
    // At most the magnitude of `amount`.
    let share = share as i128;
    if amount < 0 { -share } else { share }
}

/// High and low half of a product.
fn product(a: u128, b: u128) -> (u128, u128) {
    let halves = |n: u128| (n >> 64, n & u128::from(u64::MAX));
    let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
    let low = a_low * b_low;
    let (cross, carried) = (a_high * b_low).overflowing_add(a_low * b_high);
    let (low, carries) = low.overflowing_add(cross << 64);
    let high = a_high * b_high + (cross >> 64) + (u128::from(carried) << 64) + u128::from(carries);
    (high, low)
}

/// A quotient that fits 128 bits, by a divisor below 2^127: bit by bit, as in school.
fn long_division((high, low): (u128, u128), divisor: u128) -> u128 {
    debug_assert!(high < divisor && divisor <= 1 << 127);
    let (mut rest, mut quotient) = (high, 0);
    for bit in (0..128).rev() {
        rest = rest << 1 | (low >> bit & 1);
        quotient <<= 1;
        if rest >= divisor {
            rest -= divisor;
            quotient |= 1;
        }
    }
    quotient
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_rounds_towards_0_and_the_whole_is_the_amount() {
        assert_eq!((share(10, 1, 3), share(-10, 1, 3), share(-10, 2, 3)), (3, -3, -6));
        assert_eq!(share(i128::MIN, 7, 7), i128::MIN);
        assert_eq!(share(i128::MAX, 1, 2), i128::MAX / 2);
        assert_eq!(share(i128::MAX, i128::MAX as u128 - 1, i128::MAX as u128), i128::MAX - 1);
    }

    proptest! {
        /// `q = a * p / w` means `q * w <= a * p < (q + 1) * w`, here in two halves.
        #[test]
        fn a_wide_share_is_the_quotient(a in 0..i128::MAX, w in 1..i128::MAX, p in 0..i128::MAX) {
            let (part, whole) = (p.min(w) as u128, w as u128);
            let quotient = share(a, part, whole) as u128;
            prop_assert!(product(quotient, whole) <= product(a as u128, part));
            prop_assert!(part == whole || product(quotient + 1, whole) > product(a as u128, part));
        }
    }
}
