//! The market data of Bybit v5, of spot and of linear and inverse contracts alike: the address
//! says which (`/v5/public/spot`, `/v5/public/linear`, ..).
//!
//! Source: the venue's "Websocket Stream" pages of July 2026 and a recorded session. Books are told
//! in the stream: a snapshot at any time starts one over, changes are numbered one by one. A ping
//! is a text of its own. Mark price and funding of contracts are part of their tickers.

use simd_json::Node;

use super::market_decoder::{self, EVENTS_MAX};
use super::ticker::Tickers;
use crate::event::EventKind;
use crate::venue::book::BookRule;
use crate::venue::codec::{
    DecodeError, JsonBuffer, Value, elements, need_text, need_word, pick, text, unsigned,
};
use crate::venue::governor::{Counted, Limit};
use crate::venue::protocol::{
    InstrumentsRequest, KeepAlive, MarketFrames, MarketProtocol, MarketSink, SnapshotFrom,
    TimeRequest, ToldInstrument, ToldRules, VenueLimits, instrument_data,
};
use crate::venue::{StreamOrder, StreamOrders, SymbolMap};

/// An answer about one symbol has a few kB.
const INSTRUMENTS_BYTES_MAX: usize = 1024 * 1024;
/// "Request parameter error", the answer for a symbol that is not listed.
const BAD_PARAMETER: u64 = 10_001;
/// Whether an instrument of this status trades.
const STATES: [(&str, bool); 5] = [
    ("Trading", true),
    ("PreLaunch", false),
    ("Settling", false),
    ("Delivering", false),
    ("Closed", false),
];

/// Markets of contracts, which have mark prices.
const CONTRACTS: [&str; 2] = ["linear", "inverse"];
const CONTRACTS_ALONE: &str =
    "contracts alone have it: stream_url ends in /v5/public/linear or /v5/public/inverse";

/// The protocol.
pub struct BybitMarket {
    frames: MarketFrames,
    tickers: Tickers,
}

/// "Rate Limit": 600 requests over HTTP in five seconds, 500 connections in five minutes, 20 new
/// orders of spot and 10 amendments in a second.
const COUNTED: &[Limit] = &[
    Limit { counts: Counted::Orders, amount: 20, window_ns: 1_000_000_000 },
    Limit { counts: Counted::Amends, amount: 10, window_ns: 1_000_000_000 },
    Limit { counts: Counted::Weight, amount: 600, window_ns: 5_000_000_000 },
    Limit { counts: Counted::Connects, amount: 500, window_ns: 300_000_000_000 },
];

impl MarketProtocol for BybitMarket {
    /// A best quote that did not change is told again after three seconds, by the same number.
    /// Trades are numbered by the update that made them: several have one number.
    const ORDERS: StreamOrders = StreamOrders {
        quote: StreamOrder::Monotonic,
        trade: StreamOrder::Unsequenced,
        book: StreamOrder::Monotonic,
        bar: StreamOrder::Unsequenced,
    };
    const BOOK_RULE: BookRule = BookRule::Contiguous;
    const SNAPSHOT: SnapshotFrom = SnapshotFrom::InBand;
    const KEEP_ALIVE: KeepAlive = KeepAlive::Text(r#"{"op":"ping"}"#);
    const EVENTS_MAX: usize = EVENTS_MAX;
    /// 21,000 characters of topics a connection, ten topics a request on spot. No pace of messages
    /// is published for public connections.
    const LIMITS: VenueLimits = VenueLimits {
        topics_per_connection: 700,
        topics_per_request: 10,
        messages_per_s: 10,
        subscribe_interval_ns: 250_000_000,
        counted: COUNTED,
    };
    const TIME: Option<TimeRequest> =
        Some(TimeRequest { path: "/v5/market/time", weight: 1, read: read_time });

    /// One symbol a request. Which of the venue's markets it is in, the streams' address says.
    const INSTRUMENTS: Option<InstrumentsRequest> = Some(InstrumentsRequest {
        path: |natives, stream_path| {
            let (category, native) = (category(stream_path), natives.join(","));
            format!("/v5/market/instruments-info?category={category}&symbol={native}")
        },
        weight: 1,
        symbols_max: 1,
        read: read_instruments,
    });

    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> BybitMarket {
        let tickers = Tickers::new(symbols.len());
        BybitMarket { frames: MarketFrames::new(symbols, frame_bytes_max), tickers }
    }

    fn on_open(&mut self) {
        self.tickers.restart();
    }

    fn topic(native: &str, kind: EventKind) -> Option<String> {
        let channel = match kind {
            EventKind::Quote => "orderbook.1",
            EventKind::Trade => "publicTrade",
            EventKind::Book => "orderbook.200",
            EventKind::Bar => "kline.1",
            EventKind::MarkPrice => "tickers",
            _ => return None,
        };
        Some(format!("{channel}.{native}"))
    }

    /// The tickers of spot have no mark price, and those of options no funding.
    fn elsewhere(kind: EventKind, stream_at: &str) -> Option<&'static str> {
        let is_there = kind != EventKind::MarkPrice || CONTRACTS.contains(&category(stream_at));
        (!is_there).then_some(CONTRACTS_ALONE)
    }

    fn request(op: &str, topics: &[String], id: u64, out: &mut String) {
        out.push_str(&format!(r#"{{"req_id":"{id}","op":"{op}","args":["#));
        for (n, topic) in topics.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            out.push_str(&format!("{comma}\"{topic}\""));
        }
        out.push_str("]}");
    }

    #[inline]
    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        market_decoder::decode(&mut self.frames, &mut self.tickers, frame, sink)
    }
}

/// `linear` of `/v5/public/linear`.
fn category(stream_path: &str) -> &str {
    let path = stream_path.split('?').next().unwrap_or_default();
    path.rsplit('/').next().filter(|last| !last.is_empty()).unwrap_or("spot")
}

/// Reads `{"retCode":0,"result":{"list":[{"symbol":..,"status":..,"lotSizeFilter":{..},
/// "priceFilter":{"tickSize":..}},..]}}`.
///
/// Source: "Get Instruments Info" and "Enums Definitions" (status). A step is `basePrecision` of
/// spot and `qtyStep` of contracts.
fn read_instruments(
    body: &[u8],
    symbols: &SymbolMap,
    take: &mut dyn FnMut(ToldInstrument<'_>),
) -> Result<(), DecodeError> {
    let mut json = JsonBuffer::new(body.len(), INSTRUMENTS_BYTES_MAX);
    json.parse(body, |nodes| {
        let [code, result] = pick(nodes, ["retCode", "result"])?;
        match code.and_then(unsigned) {
            Some(0) => {}
            // A symbol that is not listed: the others are asked about by themselves.
            Some(BAD_PARAMETER) => return Ok(()),
            _ => return Err(DecodeError::nonsense("instruments refused")),
        }
        let [list] = pick(result.unwrap_or_default(), ["list"])?;
        for entry in list.and_then(elements).ok_or(DecodeError::field("list is no array"))? {
            let fields = ["symbol", "status", "lotSizeFilter", "priceFilter"];
            let [native, state, lots, prices] = pick(entry, fields)?;
            let native = need_text(native, "symbol missing or no text")?;
            let Some(symbol) = symbols.lookup(native.as_bytes()) else { continue };
            let status = need_text(state, "status missing or no text")?;
            let data = || {
                let is_trading = need_word(state, "status missing", STATES, "status not known")?;
                let [of_spot, of_contracts] =
                    pick(lots.unwrap_or_default(), ["basePrecision", "qtyStep"])?;
                let [tick] = pick(prices.unwrap_or_default(), ["tickSize"])?;
                let step = need_text(of_contracts.or(of_spot), "step missing or no text")?;
                let tick = need_text(tick, "tickSize missing or no text")?;
                instrument_data(symbol.scales, (tick, step), is_trading)
            };
            let rules = read_rules(entry, lots, prices)?;
            take(ToldInstrument { instrument: symbol.instrument, status, rules, data: data() });
        }
        Ok(())
    })
}

/// The rules of an instrument. The least value is `minOrderAmt` of spot and `minNotionalValue` of
/// contracts.
fn read_rules<'a>(
    entry: &[Node<'a>],
    lots: Value<'_, 'a>,
    prices: Value<'_, 'a>,
) -> Result<ToldRules<'a>, DecodeError> {
    let assets = pick(entry, ["baseCoin", "quoteCoin"])?;
    let [tick] = pick(prices.unwrap_or_default(), ["tickSize"])?;
    let lots = lots.unwrap_or_default();
    let steps = pick(lots, ["qtyStep", "basePrecision"])?;
    let [least, of_spot, of_contracts] =
        pick(lots, ["minOrderQty", "minOrderAmt", "minNotionalValue"])?;
    Ok(ToldRules {
        tick: tick.and_then(text),
        step: steps[0].or(steps[1]).and_then(text),
        min_qty: least.and_then(text),
        min_notional: of_spot.or(of_contracts).and_then(text),
        assets: assets.map(|asset| asset.and_then(text)),
    })
}

/// The time in the answer to `/v5/market/time`: `{"retCode":0,..,"time":MILLISECONDS}`.
fn read_time(body: &[u8]) -> Option<i64> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let is_fine = body.get("retCode").and_then(serde_json::Value::as_u64) == Some(0);
    let ms = body.get("time")?.as_i64().filter(|ms| is_fine && *ms > 0)?;
    ms.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_are_told_with_their_increments_and_whether_they_trade() {
        let request = BybitMarket::INSTRUMENTS.unwrap();
        for (stream, category) in
            [("/v5/public/linear", "linear"), ("/v5/public/spot?x=1", "spot"), ("/", "spot")]
        {
            let path = (request.path)(&["BTCUSDT"], stream);
            let expected =
                format!("/v5/market/instruments-info?category={category}&symbol=BTCUSDT");
            assert_eq!(path, expected);
        }
        let symbols = SymbolMap::of_test(&["BTCUSDT"]);
        let told = |status: &str, lots: &str| {
            let body = format!(
                r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"spot","list":[{{"symbol":"BTCUSDT","status":"{status}","lotSizeFilter":{{{lots}}},"priceFilter":{{"tickSize":"0.10"}}}}]}},"time":1}}"#
            );
            let mut told = Vec::new();
            let mut take = |word: ToldInstrument<'_>| {
                let data = word.data.map(|data| (data.tick, data.step, data.trading));
                told.push(data.map_err(|error| error.reason));
            };
            read_instruments(body.as_bytes(), &symbols, &mut take).unwrap();
            told
        };
        assert_eq!(told("Trading", r#""basePrecision":"0.000001""#), [Ok((10, 1, 1))]);
        assert_eq!(told("PreLaunch", r#""qtyStep":"0.001""#), [Ok((10, 100, 0))]);
        let unknown = crate::venue::LetterReason::Unknown;
        assert_eq!(told("Moon", r#""qtyStep":"0.001""#), [Err(unknown)]);
        let read = |body: &[u8]| read_instruments(body, &symbols, &mut |_| panic!("it was told"));
        let gone = br#"{"retCode":10001,"retMsg":"params error: symbol invalid","result":{}}"#;
        assert!(read(gone).is_ok());
        assert!(read(br#"{"retCode":10006,"result":{}}"#).is_err());
    }

    #[test]
    fn requests_are_worded_as_the_venue_wants_them() {
        let topics = ["publicTrade.BTCUSDT".to_owned(), "orderbook.1.ETHUSDT".to_owned()];
        let mut text = String::new();
        BybitMarket::subscribe(&topics, 7, &mut text);
        let expected = r#"{"req_id":"7","op":"subscribe","args":["publicTrade.BTCUSDT","orderbook.1.ETHUSDT"]}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn the_time_is_read_from_an_answer_that_is_none_of_an_error() {
        let body = br#"{"retCode":0,"retMsg":"OK","result":{"timeSecond":"1688639403","timeNano":"1688639403423213947"},"retExtInfo":{},"time":1688639403423}"#;
        assert_eq!(read_time(body), Some(1_688_639_403_423_000_000));
        assert_eq!(read_time(br#"{"retCode":10006,"time":1688639403423}"#), None);
        assert_eq!(read_time(br#"{"retCode":0,"time":0}"#), None);
        assert_eq!(read_time(b"<html>"), None);
    }
}
