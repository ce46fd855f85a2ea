//! Wide fixed-point numbers as text.

/// `value` in units of 10^-`places` as a plain decimal with `shown` places, rounded half away from
/// 0 when that is fewer.
#[must_use]
pub fn decimal(value: i128, places: u8, shown: u8) -> String {
    let drop = 10_u128.pow(u32::from(places.saturating_sub(shown)));
    let magnitude = value.unsigned_abs();
    let rounded = magnitude / drop + u128::from(magnitude % drop >= drop.div_ceil(2) && drop > 1);
    let sign = if value < 0 && rounded > 0 { "-" } else { "" };
    let kept = places.min(shown);
    let unit = 10_u128.pow(u32::from(kept));
    let (whole, part) = (rounded / unit, rounded % unit);
    let width = usize::from(kept);
    let padding = "0".repeat(usize::from(shown - kept));
    match shown {
        0 => format!("{sign}{whole}"),
        _ if kept == 0 => format!("{sign}{whole}.{padding}"),
        _ => format!("{sign}{whole}.{part:0width$}{padding}"),
    }
}

/// All `places`, but no zeros at the end beyond `least`.
pub(super) fn trimmed(value: i128, places: u8, least: u8) -> String {
    let (mut value, mut kept) = (value, places);
    while kept > least && value % 10 == 0 {
        value /= 10;
        kept -= 1;
    }
    decimal(value, kept, kept)
}

/// A plain decimal with `shown` places, for tables; text that is none comes back as it is.
#[must_use]
pub fn rounded(text: &str, shown: u8) -> String {
    let places = text.split_once('.').map_or(0, |(_, part)| part.len());
    let digits: String = text.chars().filter(|digit| *digit != '.').collect();
    match (digits.parse(), u8::try_from(places)) {
        (Ok(value), Ok(places)) => decimal(value, places, shown),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_rounded_where_they_say_so() {
        assert_eq!(decimal(123_456, 4, 4), "12.3456");
        assert_eq!(decimal(-123_456, 4, 2), "-12.35");
        assert_eq!((decimal(-4, 3, 2), decimal(-5, 3, 2)), ("0.00".into(), "-0.01".into()));
        assert_eq!((decimal(7, 0, 2), decimal(7, 0, 0)), ("7.00".into(), "7".into()));
        assert_eq!((decimal(15, 1, 0), decimal(14, 1, 0)), ("2".into(), "1".into()));
        assert_eq!(decimal(i128::MIN, 10, 10).len(), 41);
        assert_eq!((trimmed(1_200, 4, 2), trimmed(1_250, 4, 0)), ("0.12".into(), "0.125".into()));
        assert_eq!((rounded("-12.3456", 2), rounded("7", 1)), ("-12.35".into(), "7.0".into()));
        assert_eq!(rounded("unknown", 2), "unknown");
        assert_eq!((trimmed(0, 8, 2), trimmed(-1, 8, 2)), ("0.00".into(), "-0.00000001".into()));
    }
}
