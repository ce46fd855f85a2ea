//! The market data of Coinbase Advanced (`wss://advanced-trade-ws.coinbase.com`).
//!
//! Source: the venue's "Advanced Trade WebSocket" pages and a recorded session. A request
//! subscribes to one channel, so each channel has a connection of its own here; each of them
//! subscribes to `heartbeats` first, since quiet channels are closed. Replies do not say whose they
//! are. All frames of a connection are numbered, so a lost one is seen whatever it held; books are
//! told in the stream, whole, with every level that there is.

use super::market_decoder::MarketDecoder;
use crate::event::EventKind;
use crate::venue::book::BookRule;
use crate::venue::codec::{DecodeError, JsonBuffer, boolean, elements, need_text, pick, text};
use crate::venue::governor::{Counted, Limit};
use crate::venue::protocol::{
    InstrumentsRequest, KeepAlive, MarketProtocol, MarketSink, SnapshotFrom, TimeRequest,
    ToldInstrument, ToldRules, VenueLimits, instrument_data,
};
use crate::venue::{StreamOrder, StreamOrders, SymbolMap};

/// Of 50 products: some 100 kB.
const INSTRUMENTS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What ends trading of a product, beside its status.
const ENDS: [&str; 5] =
    ["trading_disabled", "is_disabled", "cancel_only", "auction_mode", "view_only"];

/// The protocol.
pub struct CoinbaseMarket {
    decoder: MarketDecoder,
}

/// The venue's channels, in the order of their routes.
const CHANNELS: [&str; 4] = ["level2", "ticker", "market_trades", "candles"];

/// "WebSocket Rate Limits": eight connections a second from an address. "REST API Rate Limits":
/// thirty private requests a second of an account; the time, which is public, is counted with them.
const COUNTED: &[Limit] = &[
    Limit { counts: Counted::Weight, amount: 30, window_ns: 1_000_000_000 },
    Limit { counts: Counted::Connects, amount: 8, window_ns: 1_000_000_000 },
];

impl MarketProtocol for CoinbaseMarket {
    const ORDERS: StreamOrders = StreamOrders {
        quote: StreamOrder::Unsequenced,
        trade: StreamOrder::Monotonic,
        // Numbers are those of the connection's frames, and start anew with it.
        book: StreamOrder::Unsequenced,
        bar: StreamOrder::Unsequenced,
    };
    /// Each change is linked to the frame of its book before it: what the connection lost is told
    /// by its numbers.
    const BOOK_RULE: BookRule = BookRule::Linked;
    const SNAPSHOT: SnapshotFrom = SnapshotFrom::InBand;
    /// Heartbeats come by themselves, one a second.
    const KEEP_ALIVE: KeepAlive = KeepAlive::None;
    const EVENTS_MAX: usize = MarketDecoder::EVENTS_MAX;
    /// Eight messages a second from an address, for all connections together.
    const LIMITS: VenueLimits = VenueLimits {
        topics_per_connection: 100,
        topics_per_request: 50,
        messages_per_s: 2,
        subscribe_interval_ns: 1_000_000_000,
        counted: COUNTED,
    };
    /// A book of 46,000 levels is one frame of 5 MB.
    const FRAME_BYTES_USUAL: usize = 16 * 1024 * 1024;
    const BOOK_LEVELS_USUAL: usize = 50_000;
    const ROUTES: &'static [&'static str] = &["", "", "", ""];
    const OPENING_TOPIC: Option<&'static str> = Some("heartbeats");
    const NUMBERS_REPLIES: bool = false;
    /// Candles are of five minutes, and of nothing else.
    const BAR_INTERVAL_S: u32 = MarketDecoder::BAR_INTERVAL_S;
    const TIME: Option<TimeRequest> =
        Some(TimeRequest { path: "/api/v3/brokerage/time", weight: 1, read: read_time });

    /// Without a key, like the time.
    const INSTRUMENTS: Option<InstrumentsRequest> = Some(InstrumentsRequest {
        path: |natives, _| {
            let names: Vec<_> =
                natives.iter().map(|native| format!("product_ids={native}")).collect();
            format!("/api/v3/brokerage/market/products?{}", names.join("&"))
        },
        weight: 1,
        symbols_max: 50,
        read: read_instruments,
    });

    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> CoinbaseMarket {
        CoinbaseMarket { decoder: MarketDecoder::new(symbols, frame_bytes_max) }
    }

    fn on_open(&mut self) {
        self.decoder.restart();
    }

    /// Channel and product, with a colon between them: products (`BTC-USD`) have none.
    fn topic(native: &str, kind: EventKind) -> Option<String> {
        let channel = match kind {
            EventKind::Quote => "ticker",
            EventKind::Trade => "market_trades",
            EventKind::Book => "level2",
            EventKind::Bar => "candles",
            _ => return None,
        };
        Some(format!("{channel}:{native}"))
    }

    fn route(topic: &str) -> usize {
        let channel = topic.split_once(':').map_or(topic, |(channel, _)| channel);
        CHANNELS.iter().position(|name| *name == channel).unwrap_or(0)
    }

    /// The topics are of one channel; `heartbeats` has no products.
    fn request(kind: &str, topics: &[String], _id: u64, out: &mut String) {
        let parts = |topic: &String| match topic.split_once(':') {
            Some((channel, product)) => (channel.to_owned(), Some(format!("\"{product}\""))),
            None => (topic.clone(), None),
        };
        let channel = topics.first().map_or_else(String::new, |topic| parts(topic).0);
        let products: Vec<String> = topics.iter().filter_map(|topic| parts(topic).1).collect();
        let products = match products.is_empty() {
            true => String::new(),
            false => format!(r#""product_ids":[{}],"#, products.join(",")),
        };
        out.push_str(&format!(r#"{{"type":"{kind}",{products}"channel":"{channel}"}}"#));
    }

    #[inline]
    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        self.decoder.decode(frame, sink)
    }

    #[inline]
    fn is_unfinished(&self) -> bool {
        self.decoder.is_unfinished()
    }
}

/// Reads `{"products":[{"product_id":..,"status":..,"price_increment":..,"base_increment":..,
/// "trading_disabled":false,..},..]}`.
///
/// Source: "List Public Products". Trading ends by any of several words.
fn read_instruments(
    body: &[u8],
    symbols: &SymbolMap,
    take: &mut dyn FnMut(ToldInstrument<'_>),
) -> Result<(), DecodeError> {
    let mut json = JsonBuffer::new(body.len(), INSTRUMENTS_BYTES_MAX);
    json.parse(body, |nodes| {
        let [products] = pick(nodes, ["products"])?;
        for entry in products.and_then(elements).ok_or(DecodeError::field("products missing"))? {
            let fields = ["product_id", "status", "price_increment", "base_increment"];
            let [native, state, tick, step] = pick(entry, fields)?;
            let native = need_text(native, "product_id missing or no text")?;
            let Some(symbol) = symbols.lookup(native.as_bytes()) else { continue };
            let status = need_text(state, "status missing or no text")?;
            let data = || {
                let ends = pick(entry, ENDS)?;
                let is_ended = ends.into_iter().any(|end| boolean(end) == Some(true));
                let is_online = match status {
                    "online" => true,
                    "offline" | "internal" | "delisted" => false,
                    _ => return Err(DecodeError::unknown("status not known")),
                };
                let tick = need_text(tick, "price_increment missing or no text")?;
                let step = need_text(step, "base_increment missing or no text")?;
                instrument_data(symbol.scales, (tick, step), is_online && !is_ended)
            };
            let names =
                ["base_min_size", "quote_min_size", "base_currency_id", "quote_currency_id"];
            let told = pick(entry, names)?.map(|value| value.and_then(text));
            let [min_qty, min_notional, base, quote] = told;
            let (tick, step) = (tick.and_then(text), step.and_then(text));
            let assets = [base, quote];
            let rules = ToldRules { tick, step, min_qty, min_notional, assets };
            take(ToldInstrument { instrument: symbol.instrument, status, rules, data: data() });
        }
        Ok(())
    })
}

/// The time in `{"iso":..,"epochSeconds":..,"epochMillis":"MILLISECONDS"}`.
fn read_time(body: &[u8]) -> Option<i64> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let ms: i64 = body.get("epochMillis")?.as_str()?.parse().ok()?;
    ms.checked_mul(1_000_000).filter(|ns| *ns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_are_told_with_their_increments_and_whether_they_trade() {
        let path = (CoinbaseMarket::INSTRUMENTS.unwrap().path)(&["BTC-USD", "ETH-USD"], "");
        let expected = "/api/v3/brokerage/market/products?product_ids=BTC-USD&product_ids=ETH-USD";
        assert_eq!(path, expected);
        let symbols = SymbolMap::of_test(&["BTC-USD"]);
        let told = |status: &str, more: &str| {
            let body = format!(
                r#"{{"products":[{{"product_id":"BTC-USD","status":"{status}","price_increment":"0.10","base_increment":"0.00000001"{more}}},{{"product_id":"X-USD"}}],"num_products":2}}"#
            );
            let mut told = Vec::new();
            let mut take = |word: ToldInstrument<'_>| {
                let data = word.data.map(|data| (data.tick, data.step, data.trading));
                told.push(data.map_err(|error| error.reason));
            };
            read_instruments(body.as_bytes(), &symbols, &mut take).unwrap();
            told
        };
        assert_eq!(told("online", ""), [Ok((10, 1, 1))]);
        assert_eq!(told("online", r#","trading_disabled":true"#), [Ok((10, 1, 0))]);
        assert_eq!(told("online", r#","view_only":false,"cancel_only":true"#), [Ok((10, 1, 0))]);
        assert_eq!(told("delisted", ""), [Ok((10, 1, 0))]);
        assert_eq!(told("moon", ""), [Err(crate::venue::LetterReason::Unknown)]);
        let refused = br#"{"error":"unknown","message":"no"}"#;
        assert!(read_instruments(refused, &symbols, &mut |_| {}).is_err());
    }

    #[test]
    fn requests_are_worded_as_the_venue_wants_them() {
        let text = |topics: &[&str]| {
            let topics: Vec<_> = topics.iter().map(|&topic| topic.to_owned()).collect();
            let mut text = String::new();
            CoinbaseMarket::subscribe(&topics, 7, &mut text);
            text
        };
        let expected =
            r#"{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"level2"}"#;
        assert_eq!(text(&["level2:BTC-USD", "level2:ETH-USD"]), expected);
        let opening = CoinbaseMarket::OPENING_TOPIC.unwrap();
        assert_eq!(text(&[opening]), r#"{"type":"subscribe","channel":"heartbeats"}"#);
    }

    #[test]
    fn each_channel_has_its_route() {
        let kinds = [EventKind::Book, EventKind::Quote, EventKind::Trade, EventKind::Bar];
        for (route, kind) in kinds.into_iter().enumerate() {
            let topic = CoinbaseMarket::topic("BTC-USD", kind).unwrap();
            assert_eq!(CoinbaseMarket::route(&topic), route, "{topic}");
        }
    }

    #[test]
    fn the_time_is_read_from_an_answer_that_has_one() {
        let body = br#"{"iso":"2026-08-09T21:05:48Z","epochSeconds":"1786309548","epochMillis":"1786309548228"}"#;
        assert_eq!(read_time(body), Some(1_786_309_548_228_000_000));
        assert_eq!(read_time(br#"{"error":"unknown","message":"no"}"#), None);
    }
}
