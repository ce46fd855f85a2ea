//! Members of an object by their names.

use simd_json::Node;

use super::error::DecodeError;
use super::fields::{Elements, elements, members, milliseconds_to_ns, text, unsigned};
use crate::event::parse_scaled;

/// A value: the nodes from its own on; `None` when the object lacks it.
pub(in crate::venue) type Value<'t, 'a> = Option<&'t [Node<'a>]>;

/// The members called `names` of the object that `nodes` starts with, in the order of the names.
/// Nothing when it isn't an object.
///
/// # Errors
/// When one of them is there twice.
#[inline]
pub(in crate::venue) fn pick<'t, 'a, const N: usize>(
    nodes: &'t [Node<'a>],
    names: [&str; N],
) -> Result<[Value<'t, 'a>; N], DecodeError> {
    let mut found = [None; N];
    for (name, value) in members(nodes) {
        if let Some(at) = names.iter().position(|wanted| *wanted == name)
            && found[at].replace(value).is_some()
        {
            return Err(DecodeError::malformed("a member of an object twice"));
        }
    }
    Ok(found)
}

/// A text; `detail` says that it is missing or none.
#[inline]
pub(in crate::venue) fn need_text<'a>(
    value: Value<'_, 'a>,
    detail: &'static str,
) -> Result<&'a str, DecodeError> {
    value.and_then(text).ok_or(DecodeError::field(detail))
}

/// An unsigned integer; `detail` says that it is missing or none.
#[inline]
pub(in crate::venue) fn need_unsigned(
    value: Value<'_, '_>,
    detail: &'static str,
) -> Result<u64, DecodeError> {
    value.and_then(unsigned).ok_or(DecodeError::field(detail))
}

/// A number in text, in units of 10^-`scale`; `detail` says that it is missing or no text.
#[inline]
pub(in crate::venue) fn need_scaled(
    value: Value<'_, '_>,
    scale: u8,
    detail: &'static str,
) -> Result<i64, DecodeError> {
    Ok(parse_scaled(need_text(value, detail)?.as_bytes(), scale)?)
}

/// Milliseconds since the Unix epoch, as an integer or in text, in nanoseconds; `detail` says that
/// they are missing or neither.
#[inline]
pub(in crate::venue) fn need_time_ns(
    value: Value<'_, '_>,
    detail: &'static str,
) -> Result<i64, DecodeError> {
    milliseconds_to_ns(need_number(value, detail)?)
}

/// An unsigned integer, as a number or in text; `None` when it is neither.
#[inline]
pub(in crate::venue) fn number_of(value: Value<'_, '_>) -> Option<u64> {
    let in_text = || value.and_then(text).and_then(|text| text.parse().ok());
    value.and_then(unsigned).or_else(in_text)
}

/// [`number_of`]; `detail` says that it is missing or none.
#[inline]
pub(in crate::venue) fn need_number(
    value: Value<'_, '_>,
    detail: &'static str,
) -> Result<u64, DecodeError> {
    number_of(value).ok_or(DecodeError::field(detail))
}

/// A word of a few, and what it stands for; `detail` says that it is missing, `unknown` that it is
/// another one.
#[inline]
pub(in crate::venue) fn need_word<T: Copy, const N: usize>(
    value: Value<'_, '_>,
    detail: &'static str,
    words: [(&str, T); N],
    unknown: &'static str,
) -> Result<T, DecodeError> {
    let word = need_text(value, detail)?;
    let found = words.into_iter().find(|(known, _)| *known == word);
    found.map(|(_, meaning)| meaning).ok_or(DecodeError::unknown(unknown))
}

/// The elements of the list that a frame brings, at least one and at most `most`.
#[inline]
pub(in crate::venue) fn need_elements<'t, 'a>(
    value: Value<'t, 'a>,
    most: usize,
) -> Result<Elements<'t, 'a>, DecodeError> {
    let elements = value.and_then(elements).ok_or(DecodeError::field("data is no array"))?;
    if elements.len() == 0 || elements.len() > most {
        return Err(DecodeError::nonsense("no data, or too many in a frame"));
    }
    Ok(elements)
}

/// A time as RFC 3339 writes it, such as `2026-08-26T11:55:56.865741Z`, in nanoseconds since the
/// Unix epoch; `detail` says that it is missing or none.
pub(in crate::venue) fn need_date_ns(
    value: Value<'_, '_>,
    detail: &'static str,
) -> Result<i64, DecodeError> {
    let time = value.and_then(text).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let time_ns = time.and_then(|time| i64::try_from(time.as_nanosecond()).ok());
    time_ns.filter(|ns| *ns > 0).ok_or(DecodeError::field(detail))
}

/// A number in text; venues leave the text empty where there is none: 0.
#[inline]
pub(in crate::venue) fn number_or_none(
    value: Value<'_, '_>,
    scale: u8,
) -> Result<i64, DecodeError> {
    match value.and_then(text) {
        None | Some("") => Ok(0),
        Some(number) => Ok(parse_scaled(number.as_bytes(), scale)?),
    }
}
