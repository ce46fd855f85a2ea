//! Fixed-point numbers as the venue writes them: text with eight digits after the point.

use std::fmt;

/// Digits after the point in the venue's texts, whatever the symbol's own scale.
pub const TEXT_SCALE: u32 = 8;

/// A number of `value` units of 10^-`scale`, displayed with eight digits; more digits are cut off.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// Units of 10^-`scale`.
    pub value: u128,
    /// Digits after the point, at most 19.
    pub scale: u32,
}

impl Decimal {
    /// A price or a quantity.
    pub fn new(value: u64, scale: u32) -> Self {
        Self { value: u128::from(value), scale }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(32);
        push_decimal(&mut text, self.value, self.scale);
        f.write_str(std::str::from_utf8(&text).expect("digits are ASCII"))
    }
}

/// Appends `value` units of 10^-`scale` as text with eight digits after the point.
pub fn push_decimal(out: &mut Vec<u8>, value: u128, scale: u32) {
    const ONE: u128 = 10_u128.pow(TEXT_SCALE);
    let units = match scale {
        0..TEXT_SCALE => value * 10_u128.pow(TEXT_SCALE - scale),
        _ => value / 10_u128.pow(scale - TEXT_SCALE),
    };
    // 64-bit division is several times cheaper than 128-bit, and nearly every number fits.
    let (whole, mut fraction) = match u64::try_from(units) {
        Ok(units) => (u128::from(units / ONE as u64), units % ONE as u64),
        Err(_) => (units / ONE, (units % ONE) as u64),
    };
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    let mut digits = *b".00000000";
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (fraction % 10) as u8;
        fraction /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Why a text is no number of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not digits with at most one point.
    Malformed,
    /// A digit other than 0 beyond the scale.
    TooPrecise,
    /// Does not fit 63 bits.
    TooLarge,
}

/// Reads an unsigned decimal text into units of 10^-`scale`.
pub fn parse_decimal(text: &str, scale: u32) -> Result<u64, DecimalError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(DecimalError::Malformed);
    }
    let kept = fraction.len().min(scale as usize);
    if fraction.bytes().skip(kept).any(|digit| digit != b'0') {
        return Err(DecimalError::TooPrecise);
    }
    let padding = std::iter::repeat_n(b'0', scale as usize - kept);
    let mut value = 0_u64;
    for digit in whole.bytes().chain(fraction.bytes().take(kept)).chain(padding) {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')))
            .filter(|&value| value <= i64::MAX as u64)
            .ok_or(DecimalError::TooLarge)?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_eight_digits() {
        assert_eq!(Decimal::new(6_183_763, 2).to_string(), "61837.63000000");
        assert_eq!(Decimal::new(1, 8).to_string(), "0.00000001");
        assert_eq!(Decimal { value: 123_456_789_012, scale: 11 }.to_string(), "1.23456789");
        assert_eq!(
            Decimal { value: u128::from(u64::MAX) * 10, scale: 0 }.to_string(),
            "184467440737095516150.00000000"
        );
    }

    #[test]
    fn text_is_read_without_rounding() {
        assert_eq!(parse_decimal("61837.63000000", 2), Ok(6_183_763));
        assert_eq!(parse_decimal("5", 3), Ok(5_000));
        assert_eq!(parse_decimal("0.001", 2), Err(DecimalError::TooPrecise));
        assert_eq!(parse_decimal("99999999999999999999", 0), Err(DecimalError::TooLarge));
        for text in ["", ".5", "-1", "1e5", "1.2.3", "NaN"] {
            assert_eq!(parse_decimal(text, 8), Err(DecimalError::Malformed), "{text}");
        }
    }
}
