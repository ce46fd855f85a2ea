//! Fixed-point numbers: prices and quantities as integers of 10^-scale, parsed from the venue's
//! text.
//!
//! No float touches a price or a quantity. A digit that does not fit the instrument's scale, or a
//! value outside `i64`, is an error and never a rounding.

use std::fmt;

use thiserror::Error;

/// The largest scale (decimal places) of an instrument.
pub const SCALE_MAX: u8 = 12;

/// A price in units of 10^-`price_scale` of its instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub i64);

/// A quantity in units of 10^-`qty_scale` of its instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Qty(pub i64);

/// An amount of one asset in units of 10^-8, the scale venues report balances in. Wide, since a
/// balance of 10^12 units has 10^20 of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetAmount(pub i128);

impl AssetAmount {
    /// Decimal places of an amount.
    pub const SCALE: u8 = 8;
}

/// Why a number's text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FixedError {
    /// Nothing to parse; venues send `""` for "no value".
    #[error("empty number")]
    Empty,
    /// A character that no plain decimal has. Exponents are refused too.
    #[error("not a plain decimal number")]
    NotDecimal,
    /// A digit other than 0 below the instrument's scale.
    #[error("more decimal places than the instrument's scale")]
    TooPrecise,
    /// The value does not fit at this scale.
    #[error("value out of range")]
    OutOfRange,
}

/// Parses plain decimal `text` into an integer of 10^-`scale`.
///
/// Accepts an optional leading `-`, at least one digit, and at most one point. Trailing zeros
/// beyond the scale are accepted, since venues pad to eight places.
///
/// # Errors
/// [`FixedError`] names what was wrong; nothing is rounded.
#[inline]
pub fn parse_scaled(text: &[u8], scale: u8) -> Result<i64, FixedError> {
    parse::<i64>(text, scale)
}

/// [`parse_scaled`] for amounts that 64 bits may not hold.
///
/// # Errors
/// As [`parse_scaled`].
#[inline]
pub fn parse_wide(text: &[u8], scale: u8) -> Result<i128, FixedError> {
    parse::<i128>(text, scale)
}

/// What a decimal can be parsed into.
trait Whole: Copy + From<u8> + std::ops::Neg<Output = Self> {
    /// Ten times itself and a digit; `None` where that does not fit.
    fn with_digit(self, digit: u8) -> Option<Self>;
}

impl Whole for i64 {
    #[inline]
    fn with_digit(self, digit: u8) -> Option<i64> {
        self.checked_mul(10)?.checked_add(digit.into())
    }
}

impl Whole for i128 {
    #[inline]
    fn with_digit(self, digit: u8) -> Option<i128> {
        self.checked_mul(10)?.checked_add(digit.into())
    }
}

#[inline]
fn parse<W: Whole>(text: &[u8], scale: u8) -> Result<W, FixedError> {
    let (negative, digits) = match text {
        [] => return Err(FixedError::Empty),
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut value = W::from(0);
    let mut places_left = scale;
    let mut seen_digit = false;
    let mut seen_point = false;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen_digit = true;
                let digit = byte - b'0';
                if seen_point {
                    if places_left == 0 {
                        if digit != 0 {
                            return Err(FixedError::TooPrecise);
                        }
                        continue;
                    }
                    places_left -= 1;
                }
                value = value.with_digit(digit).ok_or(FixedError::OutOfRange)?;
            }
            b'.' if !seen_point => seen_point = true,
            _ => return Err(FixedError::NotDecimal),
        }
    }
    if !seen_digit {
        return Err(FixedError::NotDecimal);
    }
    for _ in 0..places_left {
        value = value.with_digit(0).ok_or(FixedError::OutOfRange)?;
    }
    Ok(if negative { -value } else { value })
}

/// The exact product of a price and a quantity, in units of 10^-(`price_scale` + `qty_scale`).
#[inline]
#[must_use]
pub fn notional(price: Price, qty: Qty) -> i128 {
    i128::from(price.0) * i128::from(qty.0)
}

/// Displays `value` as a plain decimal with `scale` places.
#[must_use]
pub fn format_scaled(value: i64, scale: u8) -> impl fmt::Display {
    Scaled { value, scale }
}

/// Appends `value` as a plain decimal with `scale` places, as [`format_scaled`] displays it,
/// without the machinery of formatting: for order bytes on the hot path.
#[inline]
pub fn push_scaled(out: &mut Vec<u8>, value: i64, scale: u8) {
    if value < 0 {
        out.push(b'-');
    }
    let unit = 10_u64.pow(u32::from(scale.min(SCALE_MAX)));
    let magnitude = value.unsigned_abs();
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(magnitude / unit).as_bytes());
    if scale == 0 {
        return;
    }
    out.push(b'.');
    let fraction = digits.format(magnitude % unit).as_bytes();
    out.extend(std::iter::repeat_n(b'0', usize::from(scale) - fraction.len()));
    out.extend_from_slice(fraction);
}

struct Scaled {
    value: i64,
    scale: u8,
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(u32::from(self.scale.min(SCALE_MAX)));
        let magnitude = self.value.unsigned_abs();
        let sign = if self.value < 0 { "-" } else { "" };
        if self.scale == 0 {
            return write!(f, "{sign}{magnitude}");
        }
        let width = self.scale as usize;
        write!(f, "{sign}{}.{:0width$}", magnitude / unit, magnitude % unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_what_venues_send() {
        assert_eq!(parse_scaled(b"61837.63000000", 2), Ok(6_183_763));
        assert_eq!(parse_scaled(b"0.00000001", 8), Ok(1));
        assert_eq!(parse_scaled(b"0.00000000", 8), Ok(0));
        assert_eq!(parse_scaled(b"100", 8), Ok(10_000_000_000));
        assert_eq!(parse_scaled(b"-1.5", 1), Ok(-15));
        assert_eq!(parse_scaled(b"5.", 2), Ok(500));
    }

    #[test]
    fn refuses_what_would_be_rounded_or_guessed() {
        assert_eq!(parse_scaled(b"", 2), Err(FixedError::Empty));
        assert_eq!(parse_scaled(b"1.234", 2), Err(FixedError::TooPrecise));
        for text in ["NaN", "1e5", "1.2.3", "-", ".", "+1", " 1", "1 ", "0x1", "1,5"] {
            assert_eq!(parse_scaled(text.as_bytes(), 2), Err(FixedError::NotDecimal), "{text}");
        }
        assert_eq!(parse_scaled(b"9223372036854775808", 0), Err(FixedError::OutOfRange));
        assert_eq!(parse_scaled(b"92233720368547758.08", 3), Err(FixedError::OutOfRange));
    }

    #[test]
    fn amounts_are_wider_than_64_bits() {
        let units = parse_wide(b"1000000000000.00000000", AssetAmount::SCALE);
        assert_eq!(units, Ok(100_000_000_000_000_000_000));
        assert_eq!(parse_wide(&[b'9'; 40], 0), Err(FixedError::OutOfRange));
    }

    proptest! {
        #[test]
        fn what_is_formatted_parses_back(value in -(i64::MAX)..=i64::MAX, scale in 0..=SCALE_MAX) {
            let text = format_scaled(value, scale).to_string();
            prop_assert_eq!(parse_scaled(text.as_bytes(), scale), Ok(value));
            let mut pushed = Vec::new();
            push_scaled(&mut pushed, value, scale);
            prop_assert_eq!(String::from_utf8(pushed).unwrap(), text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _outcome = parse_scaled(&text, 8);
        }
    }
}
