//! Times of the wall clock, ns since the Unix epoch, as a person reads them: date and time in UTC.

use jiff::Timestamp;

/// To the millisecond.
pub(crate) fn utc(wall_ns: i64) -> String {
    text(wall_ns, "%Y-%m-%d %H:%M:%S%.3f")
}

/// To the microsecond.
pub(crate) fn utc_us(wall_ns: i64) -> String {
    text(wall_ns, "%Y-%m-%d %H:%M:%S%.6f")
}

fn text(wall_ns: i64, form: &str) -> String {
    Timestamp::from_nanosecond(i128::from(wall_ns)).unwrap_or_default().strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_the_epoch_and_of_leap_years_have_their_dates() {
        assert_eq!(utc(-1_000_000), "1969-12-31 23:59:59.999");
        assert_eq!(utc(0), "1970-01-01 00:00:00.000");
        assert_eq!(utc(1_709_164_800_123_999_999), "2024-02-29 00:00:00.123");
        assert_eq!(utc_us(1_709_164_800_123_999_999), "2024-02-29 00:00:00.123999");
    }
}
