//! A venue's own name of an order or an execution.

use std::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A venue's own name of an order or an execution: a number, a text of at most 16 bytes, one of at
/// most 24 capital letters, digits and dashes, or a UUID. Plain old data; zeroed it is no name.
/// Which form it has is part of it: the number 7 is not the text "7".
#[derive(
    Clone, Copy, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct VenueRef {
    words: [u64; 2],
    kind: u64,
}

const NUMBER: u64 = 1;
const TEXT: u64 = 2;
const UUID: u64 = 3;
const PACKED: u64 = 4;

/// The letters of a packed text; a digit is a place here, and 0 is none: 24 of them fit 128 bits.
const LETTERS: &[u8; 37] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const PACKED_BYTES_MAX: usize = 24;
const _: () = assert!((LETTERS.len() as u128 + 1).checked_pow(PACKED_BYTES_MAX as u32).is_some());

impl VenueRef {
    /// No name.
    pub const NONE: VenueRef = VenueRef { words: [0; 2], kind: 0 };

    /// A number.
    #[inline]
    #[must_use]
    pub const fn number(number: u64) -> VenueRef {
        VenueRef { words: [number, 0], kind: NUMBER }
    }

    /// A text; `None` when it is empty or has a zero byte, and when it is longer than 16 bytes and
    /// not of at most 24 capital letters, digits and dashes.
    #[inline]
    #[must_use]
    pub fn text(text: &[u8]) -> Option<VenueRef> {
        if text.len() > 16 {
            return VenueRef::packed(text);
        }
        let fits = !text.is_empty() && text.len() <= 16 && !text.contains(&0);
        let mut bytes = [0; 16];
        bytes.get_mut(..text.len()).filter(|_| fits)?.copy_from_slice(text);
        Some(VenueRef::of_bytes(bytes, TEXT))
    }

    fn packed(text: &[u8]) -> Option<VenueRef> {
        if text.len() > PACKED_BYTES_MAX {
            return None;
        }
        let digit = |byte: &u8| LETTERS.iter().position(|letter| letter == byte);
        let base = LETTERS.len() as u128 + 1;
        let packed = text
            .iter()
            .try_fold(0_u128, |packed, byte| Some(packed * base + digit(byte)? as u128 + 1))?;
        Some(VenueRef::of_bytes(packed.to_ne_bytes(), PACKED))
    }

    /// A UUID of 36 hexadecimal digits and dashes; `None` for anything else.
    #[must_use]
    pub fn uuid(text: &[u8]) -> Option<VenueRef> {
        if text.len() != 36 || [8, 13, 18, 23].iter().any(|&dash| text[dash] != b'-') {
            return None;
        }
        let mut digits = text.iter().filter(|byte| **byte != b'-');
        let mut bytes = [0_u8; 16];
        for byte in &mut bytes {
            let high = char::from(*digits.next()?).to_digit(16)?;
            let low = char::from(*digits.next()?).to_digit(16)?;
            *byte = (high * 16 + low) as u8;
        }
        digits.next().is_none().then(|| VenueRef::of_bytes(bytes, UUID))
    }

    const fn of_bytes(bytes: [u8; 16], kind: u64) -> VenueRef {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let words = [u64::from_ne_bytes([a, b, c, d, e, f, g, h]), u64::from_ne_bytes(rest)];
        VenueRef { words, kind }
    }

    /// Whether there is no name.
    #[inline]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.kind == 0
    }

    /// The number; `None` when it is no number.
    #[inline]
    #[must_use]
    pub const fn as_number(self) -> Option<u64> {
        if self.kind == NUMBER { Some(self.words[0]) } else { None }
    }
}

impl fmt::Display for VenueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.words.as_bytes();
        match self.kind {
            NUMBER => self.words[0].fmt(f),
            TEXT => {
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(16);
                // What a venue sent may hold anything: no terminal may act on it.
                bytes[..end].escape_ascii().fmt(f)
            }
            PACKED => {
                let mut packed = u128::from_ne_bytes(bytes.try_into().map_err(|_| fmt::Error)?);
                let mut text = [0; PACKED_BYTES_MAX];
                let mut start = text.len();
                let base = LETTERS.len() as u128 + 1;
                while packed > 0 && start > 0 {
                    start -= 1;
                    // Memory that is no name of ours may hold the digit that stands for none.
                    let digit = (packed % base).saturating_sub(1) as usize;
                    text[start] = LETTERS[digit];
                    packed /= base;
                }
                text[start..].escape_ascii().fmt(f)
            }
            UUID => {
                for (index, byte) in bytes.iter().enumerate() {
                    let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(f, "{dash}{byte:02x}")?;
                }
                Ok(())
            }
            _ => f.write_str("-"),
        }
    }
}

impl fmt::Debug for VenueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_back_and_none_is_taken_for_another() {
        let uuid = "0b3e6d40-1f2a-4c5d-9e8f-00112233aaff";
        let name = VenueRef::uuid(uuid.as_bytes()).unwrap();
        assert_eq!(name.to_string(), uuid);
        let text = VenueRef::text(b"OQCLMLBW3P3BUCMW").unwrap();
        assert_eq!(text.to_string(), "OQCLMLBW3P3BUCMW");
        for long in ["OVN7VD-7VYHS-APBKHA", "ZZZZZZZZZZZZZZZZZZZZZZZZ", "-----------------"] {
            assert_eq!(VenueRef::text(long.as_bytes()).unwrap().to_string(), long);
        }
        assert_eq!(VenueRef::number(u64::MAX).as_number(), Some(u64::MAX));
        assert_ne!(VenueRef::number(7), VenueRef::text(b"7").unwrap());
        assert!(VenueRef::NONE.is_none() && VenueRef::default().is_none());
        assert_eq!(VenueRef::NONE.as_number(), None);
        assert_ne!(VenueRef::number(0), VenueRef::NONE);
    }

    #[test]
    fn what_is_too_long_or_no_uuid_is_no_name() {
        for text in [&b""[..], b"12345678901234567x", b"a\0b", &[b'A'; 25]] {
            assert_eq!(VenueRef::text(text), None);
        }
        for text in
            ["", "0b3e6d40-1f2a-4c5d-9e8f-00112233aaf", "0b3e6d4-01f2a-4c5d-9e8f-00112233aaff"]
        {
            assert_eq!(VenueRef::uuid(text.as_bytes()), None, "{text}");
        }
        assert_eq!(VenueRef::uuid(&[b'g'; 36]), None);
    }

    #[test]
    fn a_name_reaches_no_terminal_raw() {
        let name = VenueRef::text(b"\x1b[2J").unwrap();
        assert_eq!(name.to_string(), "\\x1b[2J");
    }
}
