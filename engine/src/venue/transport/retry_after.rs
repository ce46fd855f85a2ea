//! `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).

use crate::venue::utc::read_http_date;

const SECOND_NS: u64 = 1_000_000_000;

/// When a server wants the next request, at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// So many seconds after its answer.
    Seconds(u64),
    /// At this time, seconds since the Unix epoch; with the time of its answer by its own clock,
    /// where it says so.
    At {
        /// The time.
        epoch_s: i64,
        /// The answer's `Date`.
        sent_s: Option<i64>,
    },
}

impl RetryAfter {
    /// Reads the header's value, with that of `Date` where the answer has one. `None` when it is
    /// neither a number of seconds nor a date.
    #[must_use]
    pub fn read(value: &str, date: Option<&str>) -> Option<RetryAfter> {
        let value = value.trim();
        // Fractions are not in the standard, and are sent all the same.
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !whole.is_empty() && is_number(whole) && is_number(fraction) {
            // Beyond all numbers is for ever.
            let seconds: u64 = whole.parse().unwrap_or(u64::MAX);
            return Some(RetryAfter::Seconds(seconds.saturating_add(u64::from(value != whole))));
        }
        let sent_s = date.and_then(read_http_date);
        read_http_date(value).map(|epoch_s| RetryAfter::At { epoch_s, sent_s })
    }

    /// How long to wait from now on, ns; `wall_ns` is our own wall time.
    #[must_use]
    pub fn wait_ns(self, wall_ns: i64) -> u64 {
        match self {
            RetryAfter::Seconds(seconds) => seconds.saturating_mul(SECOND_NS),
            RetryAfter::At { epoch_s, sent_s: Some(sent_s) } => {
                let wait_s = epoch_s.saturating_sub(sent_s);
                u64::try_from(wait_s).unwrap_or(0).saturating_mul(SECOND_NS)
            }
            RetryAfter::At { epoch_s, sent_s: None } => {
                let wait_ns = epoch_s.saturating_mul(SECOND_NS as i64).saturating_sub(wall_ns);
                u64::try_from(wait_ns).unwrap_or(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let wait_s = |value, date: Option<&str>| {
            RetryAfter::read(value, date).map(|at| at.wait_ns(1_000 * SECOND_NS as i64) / SECOND_NS)
        };
        assert_eq!(wait_s("259200", None), Some(259_200));
        assert_eq!(wait_s(" 1.5 ", None), Some(2));
        assert_eq!(wait_s("99999999999999999999999", None), Some(u64::MAX / SECOND_NS));
        assert_eq!(wait_s("Thu, 01 Jan 1970 01:00:00 GMT", None), Some(2_600));
        // By the server's own clock, which is an hour ahead of ours.
        let date = Some("Thu, 01 Jan 1970 00:59:00 GMT");
        assert_eq!(wait_s("Thu, 01 Jan 1970 01:00:00 GMT", date), Some(60));
        assert_eq!(wait_s("Thu, 01 Jan 1970 00:00:00 GMT", None), Some(0), "it is over");
        for text in ["", "-5", "soon", "1,000", "."] {
            assert_eq!(wait_s(text, None), None, "{text}");
        }
    }
}
