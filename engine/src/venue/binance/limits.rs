//! What Binance says of its limits: `exchangeInfo`, the `rateLimits` of replies, `X-MBX-` headers,
//! and the end of a ban in the words of a refusal.
//!
//! Source: "LIMITS" of the REST API and "Rate limits" of the WebSocket API.

use simd_json::Node;

use crate::venue::codec::{DecodeError, JsonBuffer, elements, members, signed, text, unsigned};
use crate::venue::governor::{Counted, ToldLimit, ToldLimits};
use crate::venue::protocol::Refusal;

const SECOND_NS: u64 = 1_000_000_000;
/// Bytes of an answer about the venue's rules, of all symbols.
pub(super) const INFO_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a refusal that are looked at.
const REFUSAL_BYTES_MAX: usize = 4 * 1024;
/// A time in a refusal's text is told from other numbers by its digits: ms since the Unix epoch.
const TIME_DIGITS: usize = 13;

/// Reads the body of `exchangeInfo`.
pub(in crate::venue) fn read_info(body: &[u8], words: &mut ToldLimits) -> Result<(), DecodeError> {
    let mut json = JsonBuffer::new(body.len(), INFO_BYTES_MAX);
    json.parse(body, |nodes| {
        let limits = members(nodes).find(|(name, _)| *name == "rateLimits");
        let (_, limits) = limits.ok_or(DecodeError::field("rateLimits missing"))?;
        read_rate_limits(limits, words);
        Ok(())
    })
}

/// Reads a list of limits, with or without what is used of them.
pub(super) fn read_rate_limits(nodes: &[Node<'_>], words: &mut ToldLimits) {
    for limit in elements(nodes).into_iter().flatten() {
        let (mut kind, mut interval, mut count, mut amount, mut used) = ("", "", 1, None, None);
        for (name, value) in members(limit) {
            match name {
                "rateLimitType" => kind = text(value).unwrap_or_default(),
                "interval" => interval = text(value).unwrap_or_default(),
                "intervalNum" => count = unsigned(value).unwrap_or(0),
                "limit" => amount = unsigned(value).map(clipped),
                "count" => used = unsigned(value).map(clipped),
                _ => {}
            }
        }
        take(kind, interval, count, (amount, used), words);
    }
}

/// Reads one header, such as `X-MBX-USED-WEIGHT-1M: 12` or `X-MBX-ORDER-COUNT-10S: 3`.
pub(in crate::venue) fn read_header(name: &str, value: &str, words: &mut ToldLimits) {
    let name = name.to_ascii_uppercase();
    let Some(name) = name.strip_prefix("X-MBX-") else { return };
    let (kind, window) = if let Some(window) = name.strip_prefix("USED-WEIGHT-") {
        ("REQUEST_WEIGHT", window)
    } else if let Some(window) = name.strip_prefix("ORDER-COUNT-") {
        ("ORDERS", window)
    } else {
        return;
    };
    let (count, interval) = match window.split_at_checked(window.len().saturating_sub(1)) {
        Some((count, "S")) => (count, "SECOND"),
        Some((count, "M")) => (count, "MINUTE"),
        Some((count, "H")) => (count, "HOUR"),
        Some((count, "D")) => (count, "DAY"),
        _ => return words.take_unknown(name),
    };
    let (Ok(count), Ok(used)) = (count.parse(), value.parse().map(clipped)) else {
        return words.take_unknown(name);
    };
    take(kind, interval, count, (None, Some(used)), words);
}

fn take(
    kind: &str,
    interval: &str,
    count: u64,
    (amount, used): (Option<u32>, Option<u32>),
    words: &mut ToldLimits,
) {
    let counts = match kind {
        "REQUEST_WEIGHT" => Some(Counted::Weight),
        "ORDERS" => Some(Counted::Orders),
        "RAW_REQUESTS" => Some(Counted::Requests),
        "CONNECTIONS" => Some(Counted::Connects),
        _ => None,
    };
    let unit_s = match interval {
        "SECOND" => Some(1),
        "MINUTE" => Some(60),
        "HOUR" => Some(3_600),
        "DAY" => Some(86_400),
        _ => None,
    };
    let window_ns = unit_s.and_then(|unit_s| count.checked_mul(unit_s * SECOND_NS));
    match (counts, window_ns.filter(|window_ns| *window_ns > 0)) {
        (Some(counts), Some(window_ns)) => {
            words.take(ToldLimit { counts, window_ns, amount, used });
        }
        _ => words.take_unknown(&format!("{kind} in {count} {interval}")),
    }
}

fn clipped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Reads the body of a refusal over HTTP.
pub(in crate::venue) fn read_refusal(body: &[u8]) -> Option<Refusal> {
    let mut json = JsonBuffer::new(body.len().min(REFUSAL_BYTES_MAX), REFUSAL_BYTES_MAX);
    let read = json.parse(body, |nodes| {
        let (mut code, mut retry_at_ms) = (0, None);
        for (name, value) in members(nodes) {
            match name {
                "code" => {
                    code = signed(value).and_then(|code| i32::try_from(code).ok()).unwrap_or(0)
                }
                "msg" => retry_at_ms = text(value).and_then(ban_end_ms),
                _ => {}
            }
        }
        Ok(Refusal { code, retry_at_ms })
    });
    read.ok()
}

/// The time in a text such as `Way too many requests; IP banned until 1573117523000.`
pub(super) fn ban_end_ms(message: &str) -> Option<i64> {
    let (_, rest) = message.split_once("until ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    (digits == TIME_DIGITS).then(|| rest[..digits].parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(counts: Counted, window_s: u64, amount: Option<u32>, used: Option<u32>) -> ToldLimit {
        ToldLimit { counts, window_ns: window_s * SECOND_NS, amount, used }
    }

    #[test]
    fn limits_of_the_rules_are_read_and_unknown_ones_are_named() {
        let mut words = ToldLimits::default();
        let body = br#"{"timezone":"UTC","rateLimits":[
            {"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},
            {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50,"count":7},
            {"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000},
            {"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":300000},
            {"rateLimitType":"CPU","interval":"MINUTE","intervalNum":1,"limit":5},
            {"rateLimitType":"ORDERS","interval":"WEEK","intervalNum":1,"limit":5}
        ],"symbols":[]}"#;
        read_info(body, &mut words).unwrap();
        let expected = [
            word(Counted::Weight, 60, Some(6_000), None),
            word(Counted::Orders, 10, Some(50), Some(7)),
            word(Counted::Orders, 86_400, Some(160_000), None),
            word(Counted::Requests, 300, Some(300_000), None),
        ];
        assert_eq!(words.known(), expected);
        let unknown: Vec<_> = words.unknown().iter().map(|name| name.as_str()).collect();
        assert_eq!(unknown, ["CPU in 1 MINUTE", "ORDERS in 1 WEEK"]);
        assert!(read_info(br#"{"symbols":[]}"#, &mut words).is_err());
    }

    #[test]
    fn headers_tell_what_is_used() {
        let mut words = ToldLimits::default();
        for (name, value) in [
            ("x-mbx-used-weight-1m", "5999"),
            ("X-MBX-ORDER-COUNT-10S", "3"),
            ("X-MBX-ORDER-COUNT-1D", "99999999999"),
            ("X-MBX-USED-WEIGHT", "5999"),
            ("X-MBX-USED-WEIGHT-1W", "1"),
            ("X-MBX-USED-WEIGHT-1M", "much"),
            ("Content-Length", "3"),
        ] {
            read_header(name, value, &mut words);
        }
        let expected = [
            word(Counted::Weight, 60, None, Some(5_999)),
            word(Counted::Orders, 10, None, Some(3)),
            word(Counted::Orders, 86_400, None, Some(u32::MAX)),
        ];
        assert_eq!(words.known(), expected);
        assert_eq!(words.unknown_count(), 2);
    }

    #[test]
    fn the_end_of_a_ban_stands_in_its_text() {
        let body = br#"{"code":-1003,"msg":"Way too much request weight used; IP banned until 1659146400000. Please use WebSocket Streams."}"#;
        let refusal = read_refusal(body).unwrap();
        assert_eq!((refusal.code, refusal.retry_at_ms), (-1003, Some(1_659_146_400_000)));
        assert_eq!(ban_end_ms("wait until 5 o'clock"), None);
        assert!(read_refusal(b"<html>").is_none());
    }
}
