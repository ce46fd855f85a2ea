//! Units in which values are shown, and in which people type them.

use std::time::Duration;

use clap::ValueEnum;

use super::java_format;

/// Unit of shown values. Logs are in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    #[default]
    Us,
    /// Milliseconds.
    Ms,
    /// What a series holds that counts events and no time, whatever was asked for.
    #[value(skip)]
    Events,
}

impl Unit {
    /// Nanoseconds in one.
    #[must_use]
    pub fn ratio(self) -> f64 {
        match self {
            Unit::Ns | Unit::Events => 1.0,
            Unit::Us => 1e3,
            Unit::Ms => 1e6,
        }
    }

    /// Its short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unit::Ns => "ns",
            Unit::Us => "us",
            Unit::Ms => "ms",
            Unit::Events => "events",
        }
    }

    /// A value in this unit.
    #[must_use]
    pub fn of(self, ns: u64) -> f64 {
        ns as f64 / self.ratio()
    }

    /// A value as text with four significant digits, as exact as a histogram of three digits is.
    #[must_use]
    pub fn text(self, ns: f64) -> String {
        let value = ns / self.ratio();
        let decimals = match value.abs() {
            _ if self == Unit::Ns => 0,
            value if self == Unit::Events => 2 * usize::from(value.fract() > 0.0),
            value if value < 10.0 => 3,
            value if value < 100.0 => 2,
            value if value < 1_000.0 => 1,
            _ => 0,
        };
        let mut text = String::new();
        java_format::fixed(&mut text, value, decimals, 0);
        text
    }
}

/// Nanoseconds of a text such as `50us`, `1.5ms` or `2s`; without a unit it is refused.
///
/// # Errors
/// One line that says what would be right.
pub fn parse_ns(text: &str) -> Result<f64, String> {
    let digits =
        text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let ratio = match unit.trim() {
        "ns" => 1.0,
        "us" | "\u{b5}s" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return Err(format!("`{text}`: expected a number and a unit: 50us, 1.5ms, 800ns, 2s")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{text}`: the number is missing"))?;
    Ok(number * ratio)
}

/// A duration of at least 1 ns, for clap.
///
/// # Errors
/// As [`parse_ns`].
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_ns(text)? {
        ns if (1.0..=3.6e12).contains(&ns) => Ok(Duration::from_nanos(ns.round() as u64)),
        _ => Err("must be at least 1ns and at most an hour, 3600s".into()),
    }
}

/// Seconds: `12`, `12.5`, `90s`, `5m`, `1h`.
///
/// # Errors
/// One line that says what would be right.
pub fn parse_seconds(text: &str) -> Result<f64, String> {
    let expected = || "expected seconds, or a number with s, m or h: 12.5, 90s, 5m, 1h".to_owned();
    let (number, factor) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3_600.0),
        _ => (text, 1.0),
    };
    let number: f64 = number.parse().map_err(|_| expected())?;
    let seconds = number * factor;
    if (0.0..=1e12).contains(&seconds) { Ok(seconds) } else { Err(expected()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_show_what_the_histogram_knows() {
        assert_eq!(Unit::Us.text(1_234.0), "1.234");
        assert_eq!(Unit::Us.text(12_345.0), "12.35");
        assert_eq!(Unit::Us.text(123_450.0), "123.5");
        assert_eq!(Unit::Us.text(1_234_567.0), "1235");
        assert_eq!(Unit::Ns.text(1_234.0), "1234");
        assert_eq!(Unit::Ms.text(1_234.0), "0.001");
        assert_eq!((Unit::Events.text(12.0), Unit::Events.text(0.5)), ("12".into(), "0.50".into()));
    }

    #[test]
    fn people_type_numbers_with_units() {
        assert_eq!(parse_ns("50us").map(|ns| ns as u64), Ok(50_000));
        assert_eq!(parse_ns("1.5ms").map(|ns| ns as u64), Ok(1_500_000));
        assert_eq!(parse_seconds("5m").map(|s| s as u64), Ok(300));
        assert_eq!(parse_seconds("12.5").map(|s| (s * 10.0) as u64), Ok(125));
        for text in ["50", "us", "-1us", "5x", "", "1e3us"] {
            assert!(parse_ns(text).is_err(), "{text} was taken");
        }
        for text in ["", "x", "-1", "nan", "inf", "1d", "1e99h"] {
            assert!(parse_seconds(text).is_err(), "{text} was taken");
        }
    }
}
