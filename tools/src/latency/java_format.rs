//! Numbers in the form in which Java prints them: `String.format("%.3f")` with `Locale.US`.
//!
//! Java rounds the *shortest decimal text* of a number half up, Rust rounds its exact binary value
//! half to even: 0.0045 is 0.005 there and 0.004 here. Byte for byte equal output needs Java's way.

use std::fmt::Write;

/// Appends `value` with `decimals` decimal places, filled with blanks on the left up to `width`
/// characters.
pub fn fixed(out: &mut String, value: f64, decimals: usize, width: usize) {
    let start = out.len();
    if !value.is_finite() {
        // Java's words for the same.
        let word = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        out.push_str(word);
    } else {
        finite(out, value, decimals);
    }
    let missing = width.saturating_sub(out.len() - start);
    out.insert_str(start, &" ".repeat(missing));
}

fn finite(out: &mut String, value: f64, decimals: usize) {
    if value.is_sign_negative() {
        out.push('-');
    }
    // The shortest digits that give the number back, as d.ddde[-]x.
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    // Digits in front of the decimal point; may be negative for small numbers.
    let mut point = exponent + 1;
    let kept = point + decimals as i32;
    if kept < 0 {
        digits.clear();
    } else if (kept as usize) < digits.len() {
        let up = digits[kept as usize] >= b'5';
        digits.truncate(kept as usize);
        if up && round_up(&mut digits) {
            point += 1;
        }
    }
    let digit = |index: i32| {
        let digit = usize::try_from(index).ok().and_then(|index| digits.get(index));
        char::from(digit.copied().unwrap_or(b'0'))
    };
    if point <= 0 {
        out.push('0');
    }
    (0..point).for_each(|index| out.push(digit(index)));
    if decimals > 0 {
        out.push('.');
    }
    (point..point + decimals as i32).for_each(|index| out.push(digit(index)));
}

/// Adds one in the last place; `true` when the number got one digit longer in front.
fn round_up(digits: &mut Vec<u8>) -> bool {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return false;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
    true
}

/// `value` as Java's `Double.toString` prints it where it is a plain number below ten million, as
/// percentiles are: at least one decimal place.
#[must_use]
pub fn plain(value: f64) -> String {
    let mut text = format!("{value}");
    if !text.contains(['.', 'N', 'i']) {
        text.push_str(".0");
    }
    text
}

/// `#[StartTime: ...]` of the Java tools: seconds since the epoch and a date in the local time
/// zone.
pub fn start_time(out: &mut String, start_s: f64) {
    out.push_str("#[StartTime: ");
    fixed(out, start_s, 3, 0);
    let stamp = jiff::Timestamp::from_millisecond((start_s * 1_000.0) as i64);
    let date = stamp.map(|stamp| {
        let zoned = stamp.to_zoned(jiff::tz::TimeZone::system());
        zoned.strftime("%a %b %d %H:%M:%S %Z %Y").to_string()
    });
    let date = date.unwrap_or_else(|_| "no date".to_owned());
    let _infallible = writeln!(out, " (seconds since epoch), {date}]");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64, decimals: usize) -> String {
        let mut text = String::new();
        fixed(&mut text, value, decimals, 0);
        text
    }

    #[test]
    fn halves_are_rounded_up_as_java_does() {
        // Each expectation was printed by Java 17.
        assert_eq!(text(0.0045, 3), "0.005");
        assert_eq!(text(1.0005, 3), "1.001");
        assert_eq!(text(2.5, 0), "3");
        assert_eq!(text(0.125, 2), "0.13");
        assert_eq!(text(999.9995, 3), "1000.000");
        assert_eq!(text(0.0004, 3), "0.000");
        assert_eq!(text(0.0005, 3), "0.001");
        assert_eq!(text(0.00049, 3), "0.000");
        assert_eq!(text(0.0, 3), "0.000");
        assert_eq!(text(123_456_789.123_456, 2), "123456789.12");
        assert_eq!(text(1e21, 1), "1000000000000000000000.0");
        assert_eq!(text(-1.25, 1), "-1.3");
        assert_eq!(text(0.9, 0), "1");
        assert_eq!(text(f64::INFINITY, 2), "Infinity");
    }

    #[test]
    fn fields_are_filled_on_the_left() {
        let mut text = String::from("|");
        fixed(&mut text, 1.5, 3, 12);
        assert_eq!(text, "|       1.500");
    }
}
