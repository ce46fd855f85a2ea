//! What Binance says of its symbols in `exchangeInfo`: status, tick and step.
//!
//! Source: "Exchange Information" of the REST API, "ENUM definitions" (symbol status) and
//! "Filters"; for futures "Exchange Information" and "Contract status".

use simd_json::Node;

use super::limits::INFO_BYTES_MAX;
use crate::event::Instrument;
use crate::venue::codec::{DecodeError, JsonBuffer, elements, members, need_text, pick, text};
use crate::venue::protocol::{InstrumentWord, instrument_data};
use crate::venue::{Scales, SymbolMap};

/// Path and query of the rules of these symbols, as a list in the query.
pub(in crate::venue) fn path_of(natives: &[&str]) -> String {
    let names: Vec<String> =
        natives.iter().map(|native| format!("%22{}%22", percent_encoded(native))).collect();
    format!("/api/v3/exchangeInfo?symbols=%5B{}%5D", names.join(","))
}

/// Letters and digits stay as they are; some symbols have others.
fn percent_encoded(native: &str) -> String {
    let encode = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    native.bytes().map(encode).collect()
}

/// Reads the body of `exchangeInfo`.
pub(in crate::venue) fn read_instruments(
    body: &[u8],
    symbols: &SymbolMap,
    take: &mut dyn FnMut(InstrumentWord<'_>),
) -> Result<(), DecodeError> {
    let mut json = JsonBuffer::new(body.len(), INFO_BYTES_MAX);
    json.parse(body, |nodes| {
        let listed = members(nodes).find(|(name, _)| *name == "symbols");
        let listed = listed.and_then(|(_, value)| elements(value));
        for nodes in listed.ok_or(DecodeError::field("symbols missing or no array"))? {
            let [native, status, contract, filters] =
                pick(nodes, ["symbol", "status", "contractStatus", "filters"])?;
            let native = need_text(native, "symbol missing or no text")?;
            let Some(symbol) = symbols.lookup(native.as_bytes()) else { continue };
            let status = need_text(status.or(contract), "status missing or no text")?;
            let data = read_data(symbol.scales, status, filters.unwrap_or_default());
            take(InstrumentWord { instrument: symbol.instrument, status, data });
        }
        Ok(())
    })
}

fn read_data(
    scales: Scales,
    status: &str,
    filters: &[Node<'_>],
) -> Result<Instrument, DecodeError> {
    let (mut tick, mut step) = ("0", "0");
    for nodes in elements(filters).into_iter().flatten() {
        let [kind, tick_size, step_size] = pick(nodes, ["filterType", "tickSize", "stepSize"])?;
        match kind.and_then(text) {
            Some("PRICE_FILTER") => tick = need_text(tick_size, "tickSize missing or no text")?,
            Some("LOT_SIZE") => step = need_text(step_size, "stepSize missing or no text")?,
            // The others bound orders, and are the venue's to judge.
            _ => {}
        }
    }
    instrument_data(scales, (tick, step), is_trading(status)?)
}

/// Whether orders are taken in this status. One that is not known says nothing.
fn is_trading(status: &str) -> Result<bool, DecodeError> {
    match status {
        "TRADING" => Ok(true),
        "PRE_TRADING" | "POST_TRADING" | "END_OF_DAY" | "HALT" | "AUCTION_MATCH" | "BREAK" => {
            Ok(false)
        }
        "PENDING_TRADING" | "PRE_DELIVERING" | "DELIVERING" | "DELIVERED" | "PRE_SETTLE"
        | "SETTLING" | "CLOSE" => Ok(false),
        _ => Err(DecodeError::unknown("status of a symbol not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::InstrumentId;

    /// Number of the instrument, the venue's word, and what it comes to.
    type Word = (u32, String, Result<Instrument, DecodeError>);

    fn read(body: &str) -> Result<Vec<Word>, DecodeError> {
        let symbols = SymbolMap::of_test(&["BTCUSDT", "ETHUSDT"]);
        let mut words = Vec::new();
        read_instruments(body.as_bytes(), &symbols, &mut |word| {
            words.push((word.instrument.0, word.status.to_owned(), word.data));
        })?;
        Ok(words)
    }

    fn entry(native: &str, status: &str, tick: &str) -> String {
        format!(
            r#"{{"symbol":"{native}","status":"{status}","filters":[{{"filterType":"PRICE_FILTER","minPrice":"0.01","tickSize":"{tick}"}},{{"filterType":"LOT_SIZE","stepSize":"0.00010000"}},{{"filterType":"NEW_ONE"}}]}}"#
        )
    }

    #[test]
    fn status_and_increments_are_read_of_the_symbols_that_are_known() {
        let body = format!(
            r#"{{"timezone":"UTC","rateLimits":[],"symbols":[{},{},{}]}}"#,
            entry("ETHUSDT", "BREAK", "0.10000000"),
            entry("DOGEUSDT", "TRADING", "0.1"),
            entry("BTCUSDT", "TRADING", "0.01")
        );
        let words = read(&body).unwrap();
        let of = |word: &Word| {
            let data = word.2.unwrap();
            (InstrumentId(word.0), data.trading, data.tick, data.step)
        };
        assert_eq!(of(&words[0]), (InstrumentId(1), 0, 10, 10));
        assert_eq!(of(&words[1]), (InstrumentId(0), 1, 1, 10));
        assert_eq!((words.len(), words[0].1.as_str()), (2, "BREAK"));
    }

    #[test]
    fn a_status_that_is_not_known_is_named_and_says_nothing_of_the_others() {
        let body = format!(
            r#"{{"symbols":[{},{}]}}"#,
            entry("BTCUSDT", "SLEEPING", "0.01"),
            entry("ETHUSDT", "TRADING", "0.01")
        );
        let words = read(&body).unwrap();
        assert!(words[0].2.is_err() && words[1].2.is_ok());
        assert_eq!(words[0].1, "SLEEPING");
        for broken in ["{}", "[]", r#"{"symbols":3}"#, r#"{"symbols":[{"status":"TRADING"}]}"#] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn symbols_stand_in_the_query_as_a_list() {
        let path = path_of(&["BTCUSDT", "币USDT"]);
        let expected = "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22,%22%E5%B8%81USDT%22%5D";
        assert_eq!(path, expected);
    }
}
