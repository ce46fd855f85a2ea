//! Durations as people type them: `500ms`, `10s`, `5m`, `1h`.

use std::time::Duration;

/// The longest duration that is taken: a year.
const MAX_MS: u64 = 365 * 24 * 3_600_000;

/// Parses a whole number and a unit: `ms`, `s`, `m` or `h`. At least 1 ms, at most a year.
///
/// # Errors
/// One line that says what is wrong and what would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a whole number and a unit: 500ms, 10s, 5m or 1h".into()),
    };
    let number: u64 = number.parse().map_err(|_| {
        if number.is_empty() { "the number is missing" } else { "the number is too large" }
    })?;
    match number.checked_mul(unit_ms) {
        Some(0) => Err("must be at least 1ms".into()),
        Some(ms) if ms <= MAX_MS => Ok(Duration::from_millis(ms)),
        _ => Err("must be at most a year, 8760h".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_people_type() {
        let ms = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("10s"), Ok(10_000));
        assert_eq!(ms("5m"), Ok(300_000));
        assert_eq!(ms("1h"), Ok(3_600_000));
    }

    #[test]
    fn refuses_what_is_ambiguous_or_out_of_range() {
        let beyond = "99999999999999999999s";
        for text in ["", "10", "s", "1.5s", "-1s", "10 s", "1d", "0s", "8761h", beyond, "1s1"] {
            assert!(parse_duration(text).is_err(), "{text} was taken");
        }
    }
}
