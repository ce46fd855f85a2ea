//! The market data of OKX v5: quotes, trades and books of the public address
//! (`wss://ws.okx.com/ws/v5/public`).
//!
//! Source: the venue's reference, "WebSocket" and "Public Data", and recorded sessions. Books are
//! told in the stream; each change names the one before it, and one that changes nothing is a sign
//! of life. Keep-alives are the bare words `ping` and `pong`. Bars are served at another address
//! (`/business`), and are not taken.

use super::checksum::checksum;
use super::market_decoder::{self, EVENTS_MAX};
use crate::event::EventKind;
use crate::venue::book::BookRule;
use crate::venue::codec::{DecodeError, JsonBuffer, elements, need_text, need_word, pick, text};
use crate::venue::governor::{Counted, Limit};
use crate::venue::protocol::{
    BookChecksum, InstrumentsRequest, KeepAlive, MarketFrames, MarketProtocol, MarketSink,
    SnapshotFrom, TimeRequest, ToldInstrument, ToldRules, VenueLimits, instrument_data,
};
use crate::venue::{StreamOrder, StreamOrders, SymbolMap};

/// The protocol.
pub struct OkxMarket {
    frames: MarketFrames,
}

/// The list of all instruments has less than 1 MB.
const INSTRUMENTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// "Rate Limits": three connections a second from an address; the time may be asked ten times in
/// two seconds. Of an instrument, 60 orders are taken in two seconds: here those of all are counted
/// together.
const COUNTED: &[Limit] = &[
    Limit { counts: Counted::Orders, amount: 60, window_ns: 2_000_000_000 },
    Limit { counts: Counted::Amends, amount: 60, window_ns: 2_000_000_000 },
    Limit { counts: Counted::Weight, amount: 10, window_ns: 2_000_000_000 },
    Limit { counts: Counted::Connects, amount: 3, window_ns: 1_000_000_000 },
];

impl MarketProtocol for OkxMarket {
    const ORDERS: StreamOrders = StreamOrders {
        quote: StreamOrder::Monotonic,
        trade: StreamOrder::Monotonic,
        // Numbers go back when the venue resets them in its maintenance: the chain says what
        // follows what.
        book: StreamOrder::Unsequenced,
        bar: StreamOrder::Unsequenced,
    };
    const BOOK_RULE: BookRule = BookRule::Linked;
    const SNAPSHOT: SnapshotFrom = SnapshotFrom::InBand;
    const CHECKSUM: Option<BookChecksum> = Some(checksum);
    const KEEP_ALIVE: KeepAlive = KeepAlive::Text("ping");
    const EVENTS_MAX: usize = EVENTS_MAX;
    /// 480 requests an hour on a connection, 64 KB each; fewer than 30 deep books a connection are
    /// advised.
    const LIMITS: VenueLimits = VenueLimits {
        topics_per_connection: 90,
        topics_per_request: 90,
        messages_per_s: 3,
        subscribe_interval_ns: 7_500_000_000,
        counted: COUNTED,
    };
    const TIME: Option<TimeRequest> =
        Some(TimeRequest { path: "/api/v5/public/time", weight: 1, read: read_time });

    /// All of spot in one answer, whatever is asked for.
    const INSTRUMENTS: Option<InstrumentsRequest> = Some(InstrumentsRequest {
        path: |_, _| "/api/v5/public/instruments?instType=SPOT".to_owned(),
        weight: 1,
        symbols_max: usize::MAX,
        read: read_instruments,
    });

    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> OkxMarket {
        OkxMarket { frames: MarketFrames::new(symbols, frame_bytes_max) }
    }

    fn on_open(&mut self) {
        self.frames.restart();
    }

    /// Channel and instrument, with a colon between them: instruments have none.
    fn topic(native: &str, kind: EventKind) -> Option<String> {
        let channel = match kind {
            EventKind::Quote => "bbo-tbt",
            EventKind::Trade => "trades",
            EventKind::Book => "books",
            _ => return None,
        };
        Some(format!("{channel}:{native}"))
    }

    fn request(op: &str, topics: &[String], id: u64, out: &mut String) {
        out.push_str(&format!(r#"{{"id":"{id}","op":"{op}","args":["#));
        for (n, topic) in topics.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let (channel, instrument) = topic.split_once(':').unwrap_or((topic, ""));
            out.push_str(&format!(r#"{comma}{{"channel":"{channel}","instId":"{instrument}"}}"#));
        }
        out.push_str("]}");
    }

    #[inline]
    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        market_decoder::decode(&mut self.frames, frame, sink)
    }
}

/// The time in `{"code":"0","msg":"","data":[{"ts":"MILLISECONDS"}]}`.
fn read_time(body: &[u8]) -> Option<i64> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let is_fine = body.get("code")?.as_str() == Some("0");
    let ms: i64 = body.get("data")?.get(0)?.get("ts")?.as_str()?.parse().ok()?;
    ms.checked_mul(1_000_000).filter(|ns| is_fine && *ns > 0)
}

/// Reads `{"code":"0","data":[{"instId":..,"state":..,"tickSz":..,"lotSz":..},..]}`, or what the
/// channel `instruments` tells: the same list, with `arg` before it.
fn read_instruments(
    body: &[u8],
    symbols: &SymbolMap,
    take: &mut dyn FnMut(ToldInstrument<'_>),
) -> Result<(), DecodeError> {
    let mut json = JsonBuffer::new(body.len(), INSTRUMENTS_BYTES_MAX);
    json.parse(body, |nodes| {
        let [code, data, arg] = pick(nodes, ["code", "data", "arg"])?;
        let [channel] = pick(arg.unwrap_or_default(), ["channel"])?;
        let is_told = channel.and_then(text) == Some("instruments");
        if !is_told && code.and_then(text) != Some("0") {
            return Err(DecodeError::nonsense("instruments refused"));
        }
        for entry in data.and_then(elements).ok_or(DecodeError::field("data is no array"))? {
            let [native, state, tick, step] = pick(entry, ["instId", "state", "tickSz", "lotSz"])?;
            let native = need_text(native, "instId missing or no text")?;
            let Some(symbol) = symbols.lookup(native.as_bytes()) else { continue };
            let status = need_text(state, "state missing or no text")?;
            let states = [("live", true), ("suspend", false), ("preopen", false), ("test", false)];
            let data = || {
                let is_trading = need_word(state, "state missing", states, "state not known")?;
                let tick = need_text(tick, "tickSz missing or no text")?;
                let step = need_text(step, "lotSz missing or no text")?;
                instrument_data(symbol.scales, (tick, step), is_trading)
            };
            let told = pick(entry, ["minSz", "baseCcy", "quoteCcy"])?;
            // Contracts have no base and no quote: both texts are empty.
            let [min_qty, base, quote] =
                told.map(|value| value.and_then(text).filter(|told| !told.is_empty()));
            let (tick, step) = (tick.and_then(text), step.and_then(text));
            // The venue publishes no least value.
            let assets = [base, quote];
            let rules = ToldRules { tick, step, min_qty, min_notional: None, assets };
            take(ToldInstrument { instrument: symbol.instrument, status, rules, data: data() });
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::LetterReason;

    #[test]
    fn instruments_are_told_with_their_increments_and_whether_they_trade() {
        let list = r#"{"code":"0","msg":"","data":[{"instId":"BTC-USDT","state":"live","tickSz":"0.1","lotSz":"0.00000001"},{"instId":"ETH-USDT","state":"suspend","tickSz":"0.01","lotSz":"0.0001"},{"instId":"SOL-USDT","state":"moon","tickSz":"1","lotSz":"1"}]}"#;
        let symbols = SymbolMap::of_test(&["BTC-USDT", "SOL-USDT"]);
        let mut told = Vec::new();
        let mut take = |word: ToldInstrument<'_>| {
            let data = word.data.map(|data| (data.tick, data.step, data.trading));
            told.push((word.status.to_owned(), data.map_err(|error| error.reason)));
        };
        read_instruments(list.as_bytes(), &symbols, &mut take).unwrap();
        // A step below the scale of five places is one unit.
        assert_eq!(told[0], ("live".to_owned(), Ok((10, 1, 1))));
        assert_eq!(told[1], ("moon".to_owned(), Err(LetterReason::Unknown)));
        assert_eq!(told.len(), 2);
        let contract = br#"{"code":"0","data":[{"instId":"SOL-USDT","state":"live","tickSz":"1","lotSz":"1","baseCcy":"","quoteCcy":""}]}"#;
        let mut of_none = |word: ToldInstrument<'_>| assert_eq!(word.rules.assets, [None; 2]);
        read_instruments(contract, &symbols, &mut of_none).unwrap();
        let refused = br#"{"code":"50011","msg":"","data":[]}"#;
        assert!(read_instruments(refused, &symbols, &mut |_| {}).is_err());
    }

    #[test]
    fn requests_are_worded_as_the_venue_wants_them() {
        let topics = ["books:BTC-USDT".to_owned(), "trades:BTC-USD-SWAP".to_owned()];
        let mut text = String::new();
        OkxMarket::subscribe(&topics, 7, &mut text);
        let expected = r#"{"id":"7","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"},{"channel":"trades","instId":"BTC-USD-SWAP"}]}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn the_time_is_read_from_an_answer_that_is_none_of_an_error() {
        let body = br#"{"code":"0","data":[{"ts":"1597026383085"}],"msg":""}"#;
        assert_eq!(read_time(body), Some(1_597_026_383_085_000_000));
        assert_eq!(read_time(br#"{"code":"50011","data":[{"ts":"1597026383085"}]}"#), None);
        assert_eq!(read_time(br#"{"code":"0","data":[]}"#), None);
    }
}
