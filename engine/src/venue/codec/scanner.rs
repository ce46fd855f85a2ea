//! A scanner for frames whose fields come in a known order, without a tape.
//!
//! Promises: what it takes, it takes as the tape does; on any deviation, be it a space, an escape,
//! a number too long or one that the instrument's scale does not hold, it takes nothing, and the
//! tape decides. It knows no errors. A frame costs one pass over its bytes, without a copy.

use super::digits::{DIGITS_MAX, POWERS, ZEROS, count_digits, low_bytes, value_of_digits};
use super::levels::DIFF_LEVELS_MAX;
use crate::event::Level;
use crate::venue::Scales;

/// What is left of a frame.
pub(in crate::venue) struct Scanner<'f> {
    pub(in crate::venue) rest: &'f [u8],
}

impl<'f> Scanner<'f> {
    #[inline]
    pub(in crate::venue) fn skip(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    #[inline]
    pub(in crate::venue) fn skips(&mut self, literal: &[u8]) -> bool {
        self.skip(literal).is_some()
    }

    /// Text up to the closing quote, which is skipped. Printable ASCII without escapes.
    #[inline]
    pub(in crate::venue) fn plain_text(&mut self) -> Option<&'f [u8]> {
        let end = self.rest.iter().position(|byte| !IS_PLAIN[usize::from(*byte)])?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    /// `["price","quantity"],..` up to the bracket that closes the array, which is skipped, into
    /// `out`, which is cleared first.
    #[inline]
    pub(in crate::venue) fn levels(&mut self, scales: Scales, out: &mut Vec<Level>) -> Option<()> {
        out.clear();
        if self.skips(b"]") {
            return Some(());
        }
        while out.len() < DIFF_LEVELS_MAX {
            self.skip(b"[\"")?;
            let price = self.scaled(scales.price)?;
            self.skip(b",\"")?;
            let qty = self.scaled(scales.qty)?;
            self.skip(b"]")?;
            if price == 0 {
                return None;
            }
            out.push(Level { price, qty });
            match self.rest {
                [b',', rest @ ..] => self.rest = rest,
                [b']', rest @ ..] => {
                    self.rest = rest;
                    return Some(());
                }
                _ => return None,
            }
        }
        None
    }

    #[inline]
    pub(in crate::venue) fn boolean(&mut self) -> Option<bool> {
        if self.skips(b"true") { Some(true) } else { self.skip(b"false").map(|()| false) }
    }

    /// An unsigned integer; what follows is the caller's to check.
    #[inline]
    pub(in crate::venue) fn unsigned(&mut self) -> Option<u64> {
        let (value, digits) = self.digits(DIGITS_MAX);
        let has_leading_zero = digits > 1 && value < 10_u64.pow(digits as u32 - 1);
        (digits > 0 && !has_leading_zero).then_some(value)
    }

    /// A number in text up to its closing quote, in units of 10^-`scale`.
    #[inline]
    pub(in crate::venue) fn scaled(&mut self, scale: u8) -> Option<i64> {
        let scale = usize::from(scale);
        self.short_scaled(scale).or_else(|| self.long_scaled(scale))
    }

    /// The form of nearly every number: at most eight digits, a point, at most eight places. Two
    /// registers of text, and no loop. Of any other it takes nothing.
    #[inline]
    fn short_scaled(&mut self, scale: usize) -> Option<i64> {
        let text = self.first_eight()?;
        let whole_digits = count_digits(text);
        let rest = self.rest.get(whole_digits..)?.strip_prefix(b".")?;
        let fraction = u64::from_le_bytes(*rest.first_chunk()?);
        let places = count_digits(fraction);
        // Places that the scale does not have may only be zeros.
        let kept = places.min(scale);
        let beyond = (fraction ^ ZEROS) & low_bytes(places) & !low_bytes(kept);
        let rest = rest.get(places..)?.strip_prefix(b"\"")?;
        if whole_digits == 0 || beyond != 0 {
            return None;
        }
        let whole = value_of_digits(text, whole_digits).checked_mul(*POWERS.get(scale)?)?;
        // The fraction is below 10^scale; the sum may still be too large for the register.
        let value = whole.checked_add(value_of_digits(fraction, kept) * POWERS[scale - kept])?;
        let value = i64::try_from(value).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// Any number of digits and places that fits.
    #[inline(never)]
    fn long_scaled(&mut self, scale: usize) -> Option<i64> {
        let (whole, whole_digits) = self.digits(DIGITS_MAX);
        if whole_digits == 0 {
            return None;
        }
        let mut value = whole;
        let mut places = 0;
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            // No more than fit the number and the scale; what is left may only be zeros.
            let room = scale.min(DIGITS_MAX - whole_digits);
            let (fraction, fraction_digits) = self.digits(room);
            value = value * POWERS[fraction_digits] + fraction;
            places = fraction_digits;
            while let [b'0', rest @ ..] = self.rest {
                if places < scale {
                    return None;
                }
                self.rest = rest;
            }
        }
        self.skip(b"\"")?;
        let value = value.checked_mul(*POWERS.get(scale - places)?)?;
        i64::try_from(value).ok()
    }

    /// The next eight bytes, the first in the lowest byte.
    #[inline]
    fn first_eight(&self) -> Option<u64> {
        self.rest.first_chunk().map(|eight| u64::from_le_bytes(*eight))
    }

    /// As many digits as there are, at most `digits_max`: their value and how many.
    #[inline]
    fn digits(&mut self, digits_max: usize) -> (u64, usize) {
        let mut value = 0;
        let mut count = 0;
        while let Some(eight) = self.first_eight() {
            let digits = count_digits(eight).min(digits_max - count);
            value = value * POWERS[digits] + value_of_digits(eight, digits);
            count += digits;
            self.rest = &self.rest[digits..];
            if digits < 8 {
                return (value, count);
            }
        }
        while count < digits_max
            && let [digit @ b'0'..=b'9', rest @ ..] = self.rest
        {
            value = value * 10 + u64::from(digit - b'0');
            count += 1;
            self.rest = rest;
        }
        (value, count)
    }
}

/// Bytes of a plain text: printable ASCII but for the quote that ends it and the escape.
const IS_PLAIN: [bool; 256] = {
    let mut is_plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        is_plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    is_plain
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum beyond 64 bits would come out as a small price.
    #[test]
    fn numbers_too_large_for_their_scale_are_refused_at_every_scale() {
        for scale in 0..=18_u8 {
            for text in ["18.99", "9.99", "9.22337203", "99999999.99", "0.00000001", "7.00"] {
                let padded = format!("{text}\"        ");
                let (whole, places) = text.split_once('.').unwrap();
                let beyond = places.get(usize::from(scale)..).unwrap_or("");
                let kept = &places[..places.len() - beyond.len()];
                let units = format!("{whole}{kept}").parse::<i128>().unwrap();
                let units = units * 10_i128.pow(u32::from(scale) - kept.len() as u32);
                let fits = beyond.bytes().all(|byte| byte == b'0');
                let expected = i64::try_from(units).ok().filter(|_| fits);
                let mut scanner = Scanner { rest: padded.as_bytes() };
                assert_eq!(scanner.scaled(scale), expected, "{text} at {scale}");
            }
        }
    }
}
