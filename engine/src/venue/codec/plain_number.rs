//! Decimal numbers as venues write them where they count the digits: no zeros at the end.

use arrayvec::ArrayVec;

/// Sign, 19 digits, a point, and zeros before the first digit.
const BYTES_MAX: usize = 40;

/// A decimal in plain notation without zeros behind its last digit; made without allocation.
pub(in crate::venue) struct PlainNumber(ArrayVec<u8, BYTES_MAX>);

impl PlainNumber {
    /// `value` in units of 10^-`scale`.
    ///
    /// # Panics
    /// When `scale` is above 18.
    pub(in crate::venue) fn new(value: i64, scale: u8) -> PlainNumber {
        let unit = 10_u64.pow(u32::from(scale));
        let magnitude = value.unsigned_abs();
        let mut text = ArrayVec::new();
        if value < 0 {
            text.push(b'-');
        }
        text.extend(itoa::Buffer::new().format(magnitude / unit).bytes());
        let fraction = magnitude % unit;
        if fraction > 0 {
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(fraction).as_bytes();
            text.push(b'.');
            text.extend(std::iter::repeat_n(b'0', usize::from(scale) - digits.len()));
            text.extend(digits.iter().copied());
            while text.last() == Some(&b'0') {
                text.pop();
            }
        }
        PlainNumber(text)
    }

    pub(in crate::venue) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_are_left_out_and_those_of_whole_numbers_stay() {
        for (value, scale, text) in [
            (0, 8, "0"),
            (100, 0, "100"),
            (10_000, 2, "100"),
            (10_050, 2, "100.5"),
            (1, 8, "0.00000001"),
            (-150, 2, "-1.5"),
            (i64::MIN, 18, "-9.223372036854775808"),
        ] {
            assert_eq!(PlainNumber::new(value, scale).as_bytes(), text.as_bytes());
        }
    }
}
