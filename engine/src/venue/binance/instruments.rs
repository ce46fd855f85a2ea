//! What Binance says of its symbols in `exchangeInfo`: status, tick and step, and the range of
//! prices around its average.
//!
//! Source: "Exchange Information" of the REST API, "ENUM definitions" (symbol status) and
//! "Filters"; for futures "Exchange Information" and "Contract status".

use simd_json::Node;

use super::limits::INFO_BYTES_MAX;
use crate::event::{Instrument, parse_wide};
use crate::venue::codec::{
    DecodeError, JsonBuffer, elements, members, need_text, pick, text, unsigned,
};
use crate::venue::protocol::{ToldInstrument, ToldRules, instrument_data};
use crate::venue::{Scales, SymbolMap};

/// Decimal places of a millionth.
const PPM_SCALE: u8 = 6;

/// Path and query of the rules of these symbols, as a list in the query.
pub(in crate::venue) fn path_of(natives: &[&str], _stream_path: &str) -> String {
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
    take: &mut dyn FnMut(ToldInstrument<'_>),
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
            let filters = filters.unwrap_or_default();
            let data = read_data(symbol.scales, status, filters);
            let rules = read_rules(nodes, filters);
            take(ToldInstrument { instrument: symbol.instrument, status, rules, data });
        }
        Ok(())
    })
}

/// The rules that filters set, as far as they can be read.
fn read_rules<'a>(nodes: &[Node<'a>], filters: &[Node<'a>]) -> ToldRules<'a> {
    let of = |nodes: &[Node<'a>], name: &str| {
        let found = members(nodes).find(|(member, _)| *member == name);
        found.and_then(|(_, value)| text(value))
    };
    let assets = [of(nodes, "baseAsset"), of(nodes, "quoteAsset")];
    let mut rules = ToldRules { assets, ..ToldRules::default() };
    for filter in elements(filters).into_iter().flatten() {
        match of(filter, "filterType") {
            Some("PRICE_FILTER") => rules.tick = of(filter, "tickSize"),
            Some("LOT_SIZE") => {
                (rules.step, rules.min_qty) = (of(filter, "stepSize"), of(filter, "minQty"));
            }
            // Spot has either of the first two; the third member is that of futures.
            Some("NOTIONAL" | "MIN_NOTIONAL") => {
                rules.min_notional = of(filter, "minNotional").or_else(|| of(filter, "notional"));
            }
            _ => {}
        }
    }
    rules
}

fn read_data(
    scales: Scales,
    status: &str,
    filters: &[Node<'_>],
) -> Result<Instrument, DecodeError> {
    let (mut tick, mut step) = ("0", "0");
    let mut range = PriceRange::default();
    for nodes in elements(filters).into_iter().flatten() {
        let [kind, tick_size, step_size] = pick(nodes, ["filterType", "tickSize", "stepSize"])?;
        match kind.and_then(text) {
            Some("PRICE_FILTER") => tick = need_text(tick_size, "tickSize missing or no text")?,
            Some("LOT_SIZE") => step = need_text(step_size, "stepSize missing or no text")?,
            Some("PERCENT_PRICE_BY_SIDE") => {
                let named = ["bidMultiplierDown", "bidMultiplierUp"];
                range.buy_ppm = read_parts(nodes, named)?;
                range.sell_ppm = read_parts(nodes, ["askMultiplierDown", "askMultiplierUp"])?;
                range.window_s = read_window_s(nodes)?;
            }
            // That of futures is around the mark price, and says nothing of a time.
            Some("PERCENT_PRICE") if pick(nodes, ["avgPriceMins"])?[0].is_some() => {
                let parts = read_parts(nodes, ["multiplierDown", "multiplierUp"])?;
                (range.buy_ppm, range.sell_ppm) = (parts, parts);
                range.window_s = read_window_s(nodes)?;
            }
            // The others bound orders, and are the venue's to judge.
            _ => {}
        }
    }
    let mut data = instrument_data(scales, (tick, step), is_trading(status)?)?;
    (data.buy_range_ppm, data.sell_range_ppm) = (range.buy_ppm, range.sell_ppm);
    data.range_window_s = range.window_s;
    Ok(data)
}

/// The prices that an order may have, around the venue's average.
#[derive(Default)]
struct PriceRange {
    buy_ppm: [u32; 2],
    sell_ppm: [u32; 2],
    window_s: u32,
}

/// Two factors of the average, in millionths; a venue that allows more than fits sets no range.
fn read_parts(nodes: &[Node<'_>], named: [&str; 2]) -> Result<[u32; 2], DecodeError> {
    let [least, most] = pick(nodes, named)?;
    let part = |factor| {
        let factor = need_text(factor, "factor of a price range missing or no text")?;
        let ppm = parse_wide(factor.as_bytes(), PPM_SCALE)?;
        match ppm {
            0.. => Ok(u32::try_from(ppm).unwrap_or(0)),
            _ => Err(DecodeError::nonsense("negative factor of a price range")),
        }
    };
    Ok([part(least)?, part(most)?])
}

fn read_window_s(nodes: &[Node<'_>]) -> Result<u32, DecodeError> {
    let [minutes] = pick(nodes, ["avgPriceMins"])?;
    let minutes = minutes.and_then(unsigned).and_then(|minutes| u32::try_from(minutes).ok());
    let seconds = minutes.and_then(|minutes| minutes.checked_mul(60));
    seconds.ok_or(DecodeError::field("avgPriceMins missing or no number"))
}

/// Whether orders are taken in this status. One that is not known says nothing.
fn is_trading(status: &str) -> Result<bool, DecodeError> {
    match status {
        "TRADING" => Ok(true),
        "PRE_TRADING" | "POST_TRADING" | "END_OF_DAY" | "HALT" | "AUCTION_MATCH" | "BREAK"
        | "CANCEL_ONLY" => Ok(false),
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
            entry("ETHUSDT", "CANCEL_ONLY", "0.10000000"),
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
        assert_eq!((words.len(), words[0].1.as_str()), (2, "CANCEL_ONLY"));
    }

    #[test]
    fn the_range_of_prices_around_the_venues_average_is_read_where_it_says_what_it_averages() {
        let with = |filter: &str| {
            let entry = entry("BTCUSDT", "TRADING", "0.01");
            let entry = entry.replace(r#"{"filterType":"NEW_ONE"}"#, filter);
            read(&format!(r#"{{"symbols":[{entry}]}}"#)).unwrap().remove(0).2
        };
        let by_side = r#"{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"1.2","bidMultiplierDown":"0.2","askMultiplierUp":"5","askMultiplierDown":"0.8","avgPriceMins":5}"#;
        let data = with(by_side).unwrap();
        assert_eq!(data.buy_range_ppm, [200_000, 1_200_000]);
        assert_eq!((data.sell_range_ppm, data.range_window_s), ([800_000, 5_000_000], 300));
        let both = r#"{"filterType":"PERCENT_PRICE","multiplierUp":"1.3000","multiplierDown":"0.7","avgPriceMins":0}"#;
        let data = with(both).unwrap();
        assert_eq!([data.buy_range_ppm, data.sell_range_ppm], [[700_000, 1_300_000]; 2]);
        let of_futures = r#"{"filterType":"PERCENT_PRICE","multiplierUp":"1.15","multiplierDown":"0.85","multiplierDecimal":"4"}"#;
        assert_eq!(with(of_futures).unwrap().buy_range_ppm, [0, 0]);
        for absurd in [by_side.replace("1.2", "-1.2"), by_side.replace("1.2", "much")] {
            assert!(with(&absurd).is_err(), "{absurd}");
        }
        let endless = with(&by_side.replace("1.2", "1000000")).unwrap();
        assert_eq!(endless.buy_range_ppm[1], 0, "no order can be beyond that");
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
        let path = path_of(&["BTCUSDT", "币USDT"], "");
        let expected = "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22,%22%E5%B8%81USDT%22%5D";
        assert_eq!(path, expected);
    }
}
