//! One line of an interval log, taken apart without being copied.

use std::ops::RangeInclusive;
use std::str;

use pitlane_engine::text::is_dangerous;
use thiserror::Error;

/// Times that make sense, s: a date far beyond any clock, or a negative one, would spoil sums and
/// axes.
pub const TIMES_S: RangeInclusive<f64> = 0.0..=1e12;

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
    /// Lines that end as on an old Macintosh.
    #[error("a carriage return inside the line: lines must end in LF or CR LF")]
    CarriageReturn,
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
    if line.contains(&b'\r') {
        return Err(LineError::CarriageReturn);
    }
    match line.first() {
        None => Ok(Line::Blank),
        Some(b'#') => Ok(Line::Comment(str::from_utf8(line).unwrap_or("#"))),
        Some(b'"') if line.starts_with(b"\"StartTimestamp\"") => Ok(Line::Legend),
        Some(b'"') if line.starts_with(b"\"Timestamp\"") => Ok(Line::Legend),
        Some(_) => interval(line).map(Line::Interval),
    }
}

fn interval(line: &[u8]) -> Result<Fields<'_>, LineError> {
    let mut rest = line;
    let mut tag = None;
    if let Some(tagged) = line.strip_prefix(b"Tag=") {
        let (name, behind) = split_at_comma(tagged).ok_or(LineError::Missing("start time"))?;
        tag = Some(str::from_utf8(name).map_err(|_| LineError::Tag(excerpt(name)))?);
        rest = behind;
    }
    // A histogram has no comma in it, and six in front of it are three numbers with decimal commas.
    let decimal_commas = rest.iter().filter(|byte| **byte == b',').count() == 6;
    let mut field = |name: &'static str| {
        let found = if decimal_commas { split_at_second_comma(rest) } else { split_at_comma(rest) };
        let (text, behind) = found.unwrap_or((rest, b""));
        rest = behind;
        if text.is_empty() { Err(LineError::Missing(name)) } else { number(name, text) }
    };
    // Without a number in front, and without a tag, this is some other file.
    let foreign = || LineError::Foreign(excerpt(line));
    let start_s =
        field("start time").map_err(|error| if tag.is_none() { foreign() } else { error })?;
    let length_s = field("interval length")?;
    field("interval maximum")?;
    let payload = rest.trim_ascii();
    if payload.is_empty() {
        return Err(LineError::Missing("histogram"));
    }
    if !TIMES_S.contains(&start_s) {
        return Err(LineError::Range { field: "start time", value: start_s });
    }
    if !TIMES_S.contains(&length_s) {
        return Err(LineError::Range { field: "interval length", value: length_s });
    }
    Ok(Fields { tag, start_s, length_s, payload })
}

fn split_at_comma(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == b',')?;
    Some((&text[..at], &text[at + 1..]))
}

fn split_at_second_comma(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = text.iter().position(|byte| *byte == b',')?;
    let at = first + 1 + text[first + 1..].iter().position(|byte| *byte == b',')?;
    Some((&text[..at], &text[at + 1..]))
}

/// A number with a decimal point, or with a decimal comma as ports in some countries write it.
#[must_use]
pub fn parse_decimal(text: &str) -> Option<f64> {
    match text.split_once(',') {
        None => text.parse().ok(),
        Some((whole, decimals)) => format!("{whole}.{decimals}").parse().ok(),
    }
}

/// The number of a field.
///
/// # Errors
/// [`LineError::Number`] when it is none.
pub fn number(field: &'static str, text: &[u8]) -> Result<f64, LineError> {
    let parsed = str::from_utf8(text).ok().and_then(|text| parse_decimal(text.trim()));
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
    let is_unfit = |c: char| c.is_control() || is_dangerous(c);
    text.chars().map(|c| if is_unfit(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
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
    fn decimal_commas_are_read() {
        let fields = Fields { tag: None, start_s: 0.127, length_s: 1.007, payload: b"HIST" };
        assert_eq!(parse(b"0,127,1,007,2,769,HIST\r\n"), Ok(Line::Interval(fields)));
        let tagged = parse(b"Tag=a,0,127,1,007,2,769,HIST");
        assert_eq!(tagged, Ok(Line::Interval(Fields { tag: Some("a"), ..fields })));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |line: &[u8]| parse(line).unwrap_err().to_string();
        assert!(message(b"hello").contains("found `hello`"));
        assert!(message(b"\x1b[31mred").contains("\u{fffd}[31mred"));
        assert!(message(b"1,1,1,HIST\r2,1,1,HIST\r").contains("carriage return"));
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
