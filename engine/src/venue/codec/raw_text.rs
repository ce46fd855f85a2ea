//! What can be told of a frame that no parser reads: cold, and by plain search.

use super::error::DecodeError;
use crate::event::parse_wide;

/// The text that follows a mark; `None` when it is empty.
#[cold]
pub(in crate::venue) fn text_after<'a>(frame: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = frame.windows(mark.len()).position(|window| window == mark)?;
    let rest = &frame[at + mark.len()..];
    let text = &rest[..rest.iter().position(|byte| *byte == b'"')?];
    (!text.is_empty()).then_some(text)
}

/// The number that follows a mark.
#[cold]
pub(in crate::venue) fn number_after(frame: &[u8], mark: &[u8]) -> Option<u64> {
    let at = frame.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let rest = &frame[at..];
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// A decimal in units of 10^-`scale`; what lies behind those places is cut off.
pub(in crate::venue) fn parse_cut(number: &[u8], scale: u8) -> Result<i128, DecodeError> {
    let point = number.iter().position(|byte| *byte == b'.');
    let end = point.map_or(number.len(), |at| number.len().min(at + 1 + usize::from(scale)));
    let (kept, cut) = number.split_at(end);
    if !cut.iter().all(u8::is_ascii_digit) {
        return Err(DecodeError::number("not a plain decimal number"));
    }
    Ok(parse_wide(kept, scale)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_that_are_not_kept_are_cut_off() {
        let cut = |text: &str| parse_cut(text.as_bytes(), 2).ok();
        for (text, expected) in [("1", 100), ("1.5", 150), ("1.559", 155), ("-0.00999", 0)] {
            assert_eq!(cut(text), Some(expected), "{text}");
        }
        for text in ["", "1.5e3", "1.559e3", "1.55 ", "."] {
            assert_eq!(cut(text), None, "{text}");
        }
    }
}
