//! Dates in UTC: as people read them, and as HTTP writes them.

const DAY_S: i64 = 86_400;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time such as `2026-11-29 12:00:00 UTC`, from seconds since the Unix epoch.
#[must_use]
pub fn utc_text(epoch_s: i64) -> String {
    let (days, second) = (epoch_s.div_euclid(DAY_S), epoch_s.rem_euclid(DAY_S));
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Writes a time such as `2026-11-29T12:00:00.000Z`, as RFC 3339 has it, from ms since the Unix
/// epoch.
pub(in crate::venue) fn push_rfc3339(out: &mut Vec<u8>, epoch_ms: i64) {
    let (epoch_s, ms) = (epoch_ms.div_euclid(1_000), epoch_ms.rem_euclid(1_000));
    let (days, second) = (epoch_s.div_euclid(DAY_S), epoch_s.rem_euclid(DAY_S));
    let (year, month, day) = date_of(days);
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (second / 3_600, 2, b':'),
        (second / 60 % 60, 2, b':'),
        (second % 60, 2, b'.'),
        (ms, 3, b'Z'),
    ];
    for (number, digits, after) in parts {
        for place in (0..digits).rev() {
            let digit = number / 10_i64.pow(place) % 10;
            out.push(b'0' + digit.unsigned_abs() as u8);
        }
        out.push(after);
    }
}

/// Seconds since the Unix epoch of a date as HTTP writes it, in any of the three forms that a
/// client must read (RFC 9110, section 5.6.7); `None` when it is none.
#[must_use]
pub fn read_http_date(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split([' ', ',', '-']).filter(|part| !part.is_empty()).collect();
    let (day, month, year, time) = match parts[..] {
        // `Sun Nov  6 08:49:37 1994`, of asctime.
        [_, month, day, time, year] if time.contains(':') => (day, month, year, time),
        // `Sun, 06 Nov 1994 08:49:37 GMT` and `Sunday, 06-Nov-94 08:49:37 GMT`.
        [_, day, month, year, time, "GMT" | "UTC"] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64 + 1;
    let year = match (year.len(), year.parse::<i64>().ok()?) {
        (4, year) => year,
        // Of this century: no venue is older.
        (2, year) => 2_000 + year,
        _ => return None,
    };
    let day = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let mut clock = time.split(':').map(|part| part.parse::<i64>().ok());
    let mut next = |most| clock.next().flatten().filter(|part| (0..=most).contains(part));
    let (hour, minute, second) = (next(23)?, next(59)?, next(60)?);
    Some(days_of(year, month, day) * DAY_S + hour * 3_600 + minute * 60 + second)
}

/// Days since 1 January 1970, in the Gregorian calendar; years begin in March here, so that the
/// leap day is their last.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The date of a number of days since 1 January 1970.
fn date_of(days: i64) -> (i64, i64, i64) {
    // Never too late, and a few years too early at most.
    let guess = 1970 + days.div_euclid(if days < 0 { 365 } else { 366 });
    let year = (guess..).find(|year| days < days_of(year + 1, 1, 1)).unwrap_or(guess);
    let month = (1..=12).rev().find(|month| days >= days_of(year, *month, 1)).unwrap_or(1);
    (year, month, days - days_of(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for days in (-800_000..900_000).step_by(97).chain(-800..800).chain(19_000..20_500) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), days, "{year}-{month}-{day}");
            assert!((1..=12).contains(&month) && (1..=31).contains(&day));
        }
        assert_eq!(utc_text(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc_text(1_709_210_096), "2024-02-29 12:34:56 UTC");
        for ms in [0, 951_782_399_999, 1_709_210_096_007, 1_798_761_599_050] {
            let mut text = Vec::new();
            push_rfc3339(&mut text, ms);
            let at = jiff::Timestamp::from_millisecond(ms).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), format!("{at:.3}"));
        }
        assert_eq!(utc_text(-1), "1969-12-31 23:59:59 UTC");
    }

    #[test]
    fn http_dates_are_read_in_all_three_forms() {
        for text in [
            "Sat, 06 Nov 2094 08:49:37 GMT",
            "Saturday, 06-Nov-94 08:49:37 GMT",
            "Sat Nov  6 08:49:37 2094",
        ] {
            let read = read_http_date(text);
            assert_eq!(read.map(utc_text).as_deref(), Some("2094-11-06 08:49:37 UTC"), "{text}");
        }
        for text in ["", "soon", "Sat, 06 Nov 2094 25:49:37 GMT", "Sat, 06 Nix 2094 08:49:37 GMT"] {
            assert_eq!(read_http_date(text), None, "{text}");
        }
    }
}
