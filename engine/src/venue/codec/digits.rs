//! Decimal digits, eight at a time in a register: a loop over bytes was most of a frame.

/// Most digits of a number: that many fit 63 bits whatever they are.
pub(super) const DIGITS_MAX: usize = 18;

/// Eight times the character 0.
pub(super) const ZEROS: u64 = 0x30 * ONES;
/// Eight times one.
pub(super) const ONES: u64 = 0x0101_0101_0101_0101;

/// How many of eight bytes of text, from the first, which is the lowest, are digits. Eight at a
/// time, in a register: a loop over bytes was most of a frame.
#[inline]
pub(super) fn count_digits(text: u64) -> usize {
    let values = text ^ ZEROS;
    // A byte above 9 sets its highest bit, here or in the sum, and a carry goes only to those
    // behind it.
    let others = (values.wrapping_add(0x76 * ONES) | values) & (0x80 * ONES);
    others.trailing_zeros() as usize / 8
}

/// The number that the first `count` bytes of text are, at most eight and all of them digits.
#[inline]
pub(super) fn value_of_digits(text: u64, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    // As if zeros came before them.
    let digits = (text ^ ZEROS) << (64 - 8 * count);
    // Pairs, then fours, then all eight; each sum stands in the lower part of its field.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

/// The first `count` bytes of a register, at most eight.
#[inline]
pub(super) fn low_bytes(count: usize) -> u64 {
    if count == 8 { u64::MAX } else { (1 << (8 * count)) - 1 }
}

/// 10^n for every number of digits.
pub(super) const POWERS: [u64; DIGITS_MAX + 1] = {
    let mut powers = [1; DIGITS_MAX + 1];
    let mut n = 1;
    while n <= DIGITS_MAX {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a loop over bytes, for every length, and for every byte behind the digits.
    #[test]
    fn digits_are_those_of_a_loop() {
        let slowly = |text: &[u8]| {
            let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
            digits.fold((0, 0), |(value, count), digit| {
                (value * 10 + u64::from(digit - b'0'), count + 1)
            })
        };
        for digits in ["98765432", "00000000", "10203040", "99999999"] {
            for count in 0..=8 {
                for other in 0..=u8::MAX {
                    let mut text: [u8; 8] = digits.as_bytes().try_into().unwrap();
                    text[count..].fill(other);
                    let (value, digits_count) = slowly(&text);
                    let eight = u64::from_le_bytes(text);
                    assert_eq!(count_digits(eight), digits_count, "{text:?}");
                    assert_eq!(value_of_digits(eight, digits_count), value, "{text:?}");
                }
            }
        }
    }
}
