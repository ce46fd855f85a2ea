//! What Kraken says of its pairs: over REST (`AssetPairs`), and in the stream (channel
//! `instrument`), which recordings have.
//!
//! Source: "Get Tradable Asset Pairs" and "Instruments" of the venue's pages, and a recorded
//! session. REST has names of its own for two assets, which the streams of version 2 do not have.
//! The stream writes numbers as JSON has them, some with an exponent: they are taken from its text.

use crate::event::Instrument;
use crate::venue::codec::{
    DecodeError, JsonBuffer, elements, members, need_text, need_unsigned, pick, text,
};
use crate::venue::protocol::{ToldInstrument, ToldRules, instrument_data};
use crate::venue::{Scales, SymbolMap};

/// The list of all pairs has less than 2 MB.
const INSTRUMENTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Whether a pair of this status trades: with limit orders alone it does.
const STATES: [(&str, bool); 5] = [
    ("online", true),
    ("limit_only", true),
    ("post_only", false),
    ("cancel_only", false),
    ("reduce_only", false),
];
/// Digits that an exponent may put behind the point.
const PLACES_MAX: i32 = 18;

/// Reads `{"error":[],"result":{"XXBTZUSD":{"wsname":"XBT/USD","lot_decimals":8,
/// "tick_size":"0.1","status":"online","ordermin":..,"costmin":..},..}}`, or a frame of the channel
/// `instrument`.
pub(super) fn read_instruments(
    body: &[u8],
    symbols: &SymbolMap,
    take: &mut dyn FnMut(ToldInstrument<'_>),
) -> Result<(), DecodeError> {
    let frame = str::from_utf8(body).ok().filter(|text| text.contains(r#""channel":"instrument""#));
    if let Some(frame) = frame {
        return read_told(frame, symbols, take);
    }
    let mut json = JsonBuffer::new(body.len(), INSTRUMENTS_BYTES_MAX);
    json.parse(body, |nodes| {
        let [errors, result] = pick(nodes, ["error", "result"])?;
        if errors.and_then(elements).is_none_or(|errors| errors.len() > 0) {
            return Err(DecodeError::nonsense("instruments refused"));
        }
        for (_, entry) in members(result.unwrap_or_default()) {
            let [name, state, tick, lot_decimals] =
                pick(entry, ["wsname", "status", "tick_size", "lot_decimals"])?;
            let [least, value] = pick(entry, ["ordermin", "costmin"])?;
            // Some old pairs have no streams.
            let Ok(name) = need_text(name, "") else { continue };
            let native = name.replace("XBT", "BTC").replace("XDG", "DOGE");
            let Some(symbol) = symbols.lookup(native.as_bytes()) else { continue };
            let status = need_text(state, "status missing or no text")?;
            let step = need_unsigned(lot_decimals, "lot_decimals missing or no number");
            let step = step.and_then(|places| match usize::try_from(places) {
                Ok(0) => Ok("1".to_owned()),
                Ok(places @ 1..=18) => Ok(format!("0.{}1", "0".repeat(places - 1))),
                _ => Err(DecodeError::number("lot_decimals out of range")),
            });
            let numbers = [tick, least, value].map(|number| number.and_then(text));
            let [tick, min_qty, min_notional] = numbers;
            let data = match &step {
                Ok(step) => read_data(symbol.scales, status, (tick, Some(step))),
                Err(error) => Err(*error),
            };
            let (step, assets) = (step.as_deref().ok(), assets_of(&native));
            let rules = ToldRules { tick, step, min_qty, min_notional, assets };
            take(ToldInstrument { instrument: symbol.instrument, status, rules, data });
        }
        Ok(())
    })
}

fn assets_of(native: &str) -> [Option<&str>; 2] {
    native.split_once('/').map_or([None; 2], |(base, quote)| [Some(base), Some(quote)])
}

fn read_data(
    scales: Scales,
    status: &str,
    (tick, step): (Option<&str>, Option<&str>),
) -> Result<Instrument, DecodeError> {
    let state = STATES.iter().find(|(name, _)| *name == status);
    let (_, is_trading) = state.ok_or(DecodeError::unknown("status not known"))?;
    let tick = tick.ok_or(DecodeError::field("price increment missing or no number"))?;
    let step = step.ok_or(DecodeError::field("quantity increment missing or no number"))?;
    instrument_data(scales, (tick, step), *is_trading)
}

/// Reads the pairs of `{"channel":"instrument","type":"snapshot","data":{"assets":[..],
/// "pairs":[{"symbol":"BTC/USD","status":"online","qty_increment":1e-08,
/// "price_increment":0.1,"qty_min":5e-05,"cost_min":0.5,..},..]}}`.
fn read_told(
    frame: &str,
    symbols: &SymbolMap,
    take: &mut dyn FnMut(ToldInstrument<'_>),
) -> Result<(), DecodeError> {
    const SYMBOL: &str = r#""symbol":""#;
    let pairs = frame.split_once(r#""pairs":["#).ok_or(DecodeError::field("pairs missing"))?.1;
    for entry in pairs.split(SYMBOL).skip(1) {
        let Some((native, entry)) = entry.split_once('"') else { continue };
        let Some(symbol) = symbols.lookup(native.as_bytes()) else { continue };
        let status = entry.split_once(r#""status":""#).and_then(|(_, rest)| rest.split_once('"'));
        let (status, _) = status.ok_or(DecodeError::field("status missing or no text"))?;
        let number = |name: &str| {
            let (_, rest) = entry.split_once(&format!("\"{name}\":"))?;
            plain(rest.split([',', '}']).next()?)
        };
        let (tick, step) = (number("price_increment"), number("qty_increment"));
        let (min_qty, min_notional) = (number("qty_min"), number("cost_min"));
        let (tick, step) = (tick.as_deref(), step.as_deref());
        let data = read_data(symbol.scales, status, (tick, step));
        let rules = ToldRules {
            tick,
            step,
            min_qty: min_qty.as_deref(),
            min_notional: min_notional.as_deref(),
            assets: assets_of(native),
        };
        take(ToldInstrument { instrument: symbol.instrument, status, rules, data });
    }
    Ok(())
}

/// A number of JSON without its exponent; `None` where it is none, or has too many digits.
fn plain(number: &str) -> Option<String> {
    let number = number.trim();
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else {
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        return (is_plain && !number.is_empty()).then(|| number.to_owned());
    };
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let places = i32::try_from(fraction.len()).ok()? - exponent;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !(0..=PLACES_MAX).contains(&places) {
        return None;
    }
    let places = usize::try_from(places).ok()?;
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::LetterReason;

    #[test]
    fn instruments_are_told_with_their_increments_and_whether_they_trade() {
        let body = br#"{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","lot_decimals":8,"tick_size":"0.1","status":"online","ordermin":"0.00005","costmin":"0.5"},"XDGEUR":{"wsname":"XDG/EUR","lot_decimals":2,"tick_size":"0.01","status":"cancel_only"},"XETHZUSD.d":{"altname":"ETHUSD.d","lot_decimals":8,"tick_size":"0.01","status":"online"},"SOLUSD":{"wsname":"SOL/USD","lot_decimals":8,"tick_size":"0.01","status":"moon"}}}"#;
        let symbols = SymbolMap::of_test(&["BTC/USD", "DOGE/EUR", "SOL/USD"]);
        let (mut told, mut least) = (Vec::new(), Vec::new());
        let mut take = |word: ToldInstrument<'_>| {
            let data = word.data.map(|data| (data.tick, data.step, data.trading));
            told.push((word.instrument.0, data.map_err(|error| error.reason)));
            let rules = [word.rules.min_qty, word.rules.min_notional, word.rules.assets[0]];
            least.push(rules.map(|rule| rule.unwrap_or("-").to_owned()).join(" "));
        };
        read_instruments(body, &symbols, &mut take).unwrap();
        let unknown = Err(LetterReason::Unknown);
        assert_eq!(told, [(0, Ok((10, 1, 1))), (1, Ok((1, 1_000, 0))), (2, unknown)]);
        assert_eq!(least, ["0.00005 0.5 BTC", "- - DOGE", "- - SOL"]);
        let refused = br#"{"error":["EService:Busy"],"result":{}}"#;
        assert!(read_instruments(refused, &symbols, &mut |_| {}).is_err());
    }

    #[test]
    fn the_stream_tells_them_with_exponents() {
        let frame = br#"{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"BTC"}],"pairs":[{"symbol":"ETH/USD","status":"online"},{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"qty_increment":1e-08,"cost_min":0.5,"price_increment":0.1,"qty_min":5e-05}]}}"#;
        let symbols = SymbolMap::of_test(&["BTC/USD"]);
        let mut told = Vec::new();
        let mut take = |word: ToldInstrument<'_>| {
            let ToldRules { tick, step, min_qty, min_notional, .. } = word.rules;
            told.extend([tick, step, min_qty, min_notional].map(|rule| rule.unwrap().to_owned()));
            assert_eq!(word.data.map(|data| (data.tick, data.step, data.trading)), Ok((10, 1, 1)));
        };
        read_instruments(frame, &symbols, &mut take).unwrap();
        assert_eq!(told, ["0.1", "0.00000001", "0.00005", "0.5"]);
    }

    #[test]
    fn exponents_are_written_out_or_refused() {
        for (number, expected) in [
            ("1e-08", Some("0.00000001")),
            ("5e-05", Some("0.00005")),
            ("1.25e-2", Some("0.0125")),
            ("12.5E-1", Some("1.25")),
            ("0.1", Some("0.1")),
            ("10", Some("10")),
            ("1e0", Some("1")),
            ("1e3", None),
            ("1e-99", None),
            ("-1e-2", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(plain(number).as_deref(), expected, "{number}");
        }
    }
}
