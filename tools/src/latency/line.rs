//! One line of an interval log, taken apart without being copied.

use std::str;

use thiserror::Error;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Line<'a> {
    /// Nothing but blanks.
    Blank,
    /// A comment, from its `#` on.
    Comment(&'a str),
    /// The line that names the columns.
    Legend,
    /// An interval.
    Interval(Fields<'a>),
}

/// The fields of an interval line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fields<'a> {
    /// The name behind `Tag=`; `None` for the untagged series.
    pub tag: Option<&'a str>,
    /// Start of the interval in seconds, absolute or relative to the log's base time.
    pub start_s: f64,
    /// Length of the interval in seconds.
    pub length_s: f64,
    /// The histogram, encoded.
    pub payload: &'a [u8],
}

/// Why a line can't be read.
#[derive(Debug, Error, PartialEq)]
pub enum LineError {
    /// Nothing that an interval log would hold.
    #[error("expected `[Tag=name,]start,length,max,histogram`, found `{0}`")]
    Foreign(String),
    /// A field that must be a number is none.
    #[error("the {field} is no number: `{found}`")]
    Number {
        /// Which field.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// A number outside what makes sense.
    #[error("the {field} of {value} s makes no sense")]
    Range {
        /// Which field.
        field: &'static str,
        /// What stands there.
        value: f64,
    },
    /// The line ends before its last field.
    #[error("the {0} is missing")]
    Missing(&'static str),
    /// The tag is not UTF-8.
    #[error("the tag is not UTF-8: `{0}`")]
    Tag(String),
}

/// Takes a line apart; `line` may end in CR and LF.
///
/// # Errors
/// [`LineError`] when it is neither blank, comment, legend nor interval.
pub fn parse(line: &[u8]) -> Result<Line<'_>, LineError> {
    let line = line.trim_ascii();
    match line.first() {
        None => Ok(Line::Blank),
        Some(b'#') => Ok(Line::Comment(str::from_utf8(line).unwrap_or("#"))),
        Some(b'"') if line.starts_with(b"\"StartTimestamp\"") => Ok(Line::Legend),
        Some(b'"') if line.starts_with(b"\"Timestamp\"") => Ok(Line::Legend),
        Some(_) => interval(line).map(Line::Interval),
    }
}

fn interval(line: &[u8]) -> Result<Fields<'_>, LineError> {
    let mut fields = line.splitn(5, |byte| *byte == b',');
    let mut first = fields.next().unwrap_or_default();
    let mut tag = None;
    if let Some(name) = first.strip_prefix(b"Tag=") {
        tag = Some(str::from_utf8(name).map_err(|_| LineError::Tag(excerpt(name)))?);
        first = fields.next().ok_or(LineError::Missing("start time"))?;
    }
    // Without a number in front, and without a tag, this is some other file.
    let foreign = || LineError::Foreign(excerpt(line));
    let start_s = number("start time", first)
        .map_err(|error| if tag.is_none() { foreign() } else { error })?;
    let length = fields.next().ok_or(LineError::Missing("interval length"))?;
    let length_s = number("interval length", length)?;
    number("interval maximum", fields.next().ok_or(LineError::Missing("interval maximum"))?)?;
    let payload = fields.next().ok_or(LineError::Missing("histogram"))?.trim_ascii();
    if payload.is_empty() {
        return Err(LineError::Missing("histogram"));
    }
    // A date far beyond any clock, or a negative one, would spoil sums and axes.
    if !(0.0..=1e12).contains(&start_s) {
        return Err(LineError::Range { field: "start time", value: start_s });
    }
    if !(0.0..=1e12).contains(&length_s) {
        return Err(LineError::Range { field: "interval length", value: length_s });
    }
    Ok(Fields { tag, start_s, length_s, payload })
}

fn number(field: &'static str, text: &[u8]) -> Result<f64, LineError> {
    let parsed = str::from_utf8(text).ok().and_then(|text| text.trim().parse::<f64>().ok());
    parsed.ok_or_else(|| LineError::Number { field, found: excerpt(text) })
}

/// The beginning of a text of unknown origin, fit for a terminal.
fn excerpt(text: &[u8]) -> String {
    const CHARS: usize = 40;
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * CHARS)]);
    let mut shown = printable(&text.chars().take(CHARS).collect::<String>());
    if text.chars().count() > CHARS {
        shown.push_str("...");
    }
    shown
}

/// The text without characters that would move a terminal's cursor or change its colours.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_kinds_of_line_are_told_apart() {
        assert_eq!(parse(b" \r\n"), Ok(Line::Blank));
        assert_eq!(parse(b"#[a]\r\n"), Ok(Line::Comment("#[a]")));
        assert_eq!(parse(b"\"StartTimestamp\",\"Interval_Length\"\n"), Ok(Line::Legend));
        let fields = Fields { tag: None, start_s: 0.127, length_s: 1.007, payload: b"HIST" };
        assert_eq!(parse(b"0.127,1.007,2.769,HIST\r\n"), Ok(Line::Interval(fields)));
    }

    #[test]
    fn tags_may_hold_anything_but_a_comma() {
        for name in ["queue:a", "a=b", "=", "\u{fc}ber \u{1f600}", "Tag=", "\"", ""] {
            let line = format!("Tag={name},1,1,1,HIST\n");
            let Ok(Line::Interval(fields)) = parse(line.as_bytes()) else { panic!("{line}") };
            assert_eq!(fields.tag, Some(name));
        }
        let invalid = parse(b"Tag=\xff\xfe,1,1,1,HIST");
        assert!(matches!(invalid, Err(LineError::Tag(_))), "{invalid:?}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |line: &[u8]| parse(line).unwrap_err().to_string();
        assert!(message(b"hello").contains("found `hello`"));
        assert!(message(b"\x1b[31mred").contains("\u{fffd}[31mred"));
        assert!(message(b"1,x,1,HIST").contains("interval length is no number: `x`"));
        assert!(message(b"1,1,1").contains("histogram is missing"));
        assert!(message(b"1,1,1,").contains("histogram is missing"));
        assert!(message(b"Tag=a").contains("start time is missing"));
        assert!(message(b"-1,1,1,HIST").contains("start time of -1 s"));
        assert!(message(b"NaN,1,1,HIST").contains("start time of NaN s"));
        assert!(message(b"1,inf,1,HIST").contains("interval length of inf s"));
        assert!(message(&[b'x'; 5_000]).len() < 200);
    }
}
