//! The market data of Kraken spot, WebSocket v2 (`wss://ws.kraken.com/v2`).
//!
//! Source: the venue's "Spot Websockets v2" and "Book checksum" pages, and a recorded session.
//! Books are told in the stream, have no numbers but a checksum with each change, and are kept up
//! to the depth that was subscribed to. A request subscribes to one channel, so each channel has a
//! connection of its own here.

use super::checksum::checksum;
use super::instruments::read_instruments;
use super::market_decoder::{self, EVENTS_MAX};
use crate::event::EventKind;
use crate::venue::book::BookRule;
use crate::venue::codec::DecodeError;
use crate::venue::governor::{Counted, Limit};
use crate::venue::protocol::{
    BookChecksum, InstrumentsRequest, KeepAlive, MarketFrames, MarketProtocol, MarketSink,
    SnapshotFrom, TimeRequest, VenueLimits,
};
use crate::venue::{StreamOrder, StreamOrders, SymbolMap};

/// The protocol.
pub struct KrakenMarket {
    frames: MarketFrames,
}

/// Levels a side that are subscribed to; the venue has 10, 25, 100, 500 and 1,000.
const DEPTH: usize = 25;

/// The venue's channels, in the order of their routes.
const CHANNELS: [&str; 4] = ["book", "ticker", "trade", "ohlc"];

/// About 150 attempts to connect in ten minutes, then ten minutes of ban. REST has a counter that
/// falls by one a second for the largest accounts: 60 in a minute. That of smaller ones falls more
/// slowly (0.33 and 0.5 a second); what the venue refuses is obeyed there.
const COUNTED: &[Limit] = &[
    Limit { counts: Counted::Weight, amount: 60, window_ns: 60_000_000_000 },
    Limit { counts: Counted::Connects, amount: 150, window_ns: 600_000_000_000 },
];

impl MarketProtocol for KrakenMarket {
    const ORDERS: StreamOrders = StreamOrders {
        quote: StreamOrder::Unsequenced,
        trade: StreamOrder::Monotonic,
        book: StreamOrder::Unsequenced,
        bar: StreamOrder::Unsequenced,
    };
    /// Changes are counted as they come: the connection loses none, and the checksum tells what it
    /// could not.
    const BOOK_RULE: BookRule = BookRule::Linked;
    const BOOK_DEPTH: Option<usize> = Some(DEPTH);
    const SNAPSHOT: SnapshotFrom = SnapshotFrom::InBand;
    const CHECKSUM: Option<BookChecksum> = Some(checksum);
    const KEEP_ALIVE: KeepAlive = KeepAlive::Text(r#"{"method":"ping"}"#);
    const EVENTS_MAX: usize = EVENTS_MAX;
    const LIMITS: VenueLimits = VenueLimits {
        topics_per_connection: 200,
        topics_per_request: 100,
        messages_per_s: 10,
        subscribe_interval_ns: 250_000_000,
        counted: COUNTED,
    };
    const ROUTES: &'static [&'static str] = &["", "", "", ""];
    const TIME: Option<TimeRequest> =
        Some(TimeRequest { path: "/0/public/Time", weight: 1, read: read_time });

    /// All of spot in one answer, whatever is asked for.
    const INSTRUMENTS: Option<InstrumentsRequest> = Some(InstrumentsRequest {
        path: |_, _| "/0/public/AssetPairs".to_owned(),
        weight: 1,
        symbols_max: usize::MAX,
        read: read_instruments,
    });

    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> KrakenMarket {
        KrakenMarket { frames: MarketFrames::new(symbols, frame_bytes_max) }
    }

    fn on_open(&mut self) {
        self.frames.restart();
    }

    /// Channel and symbol, with a colon between them: symbols (`BTC/USD`) have none.
    fn topic(native: &str, kind: EventKind) -> Option<String> {
        let channel = match kind {
            EventKind::Quote => "ticker",
            EventKind::Trade => "trade",
            EventKind::Book => "book",
            EventKind::Bar => "ohlc",
            _ => return None,
        };
        Some(format!("{channel}:{native}"))
    }

    fn route(topic: &str) -> usize {
        let channel = topic.split_once(':').map_or(topic, |(channel, _)| channel);
        CHANNELS.iter().position(|name| *name == channel).unwrap_or(0)
    }

    /// The topics are of one channel.
    fn request(method: &str, topics: &[String], id: u64, out: &mut String) {
        let parts = |topic: &str| {
            let (channel, symbol) = topic.split_once(':').unwrap_or((topic, ""));
            (channel.to_owned(), format!("\"{symbol}\""))
        };
        let channel = topics.first().map_or_else(String::new, |topic| parts(topic).0);
        let symbols: Vec<String> = topics.iter().map(|topic| parts(topic).1).collect();
        let is_subscribe = method == "subscribe";
        let more = match channel.as_str() {
            "book" => format!(r#","depth":{DEPTH}"#),
            // Every change of the best prices, and not only those that trades make.
            "ticker" => r#","event_trigger":"bbo""#.to_owned(),
            // Trades of before would be told as new ones.
            "trade" if is_subscribe => r#","snapshot":false"#.to_owned(),
            "ohlc" if is_subscribe => r#","interval":1,"snapshot":false"#.to_owned(),
            "ohlc" => r#","interval":1"#.to_owned(),
            _ => String::new(),
        };
        out.push_str(&format!(
            r#"{{"method":"{method}","params":{{"channel":"{channel}","symbol":[{}]{more}}},"req_id":{id}}}"#,
            symbols.join(",")
        ));
    }

    #[inline]
    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        market_decoder::decode(&mut self.frames, frame, sink)
    }
}

/// The time in `{"error":[],"result":{"unixtime":SECONDS,"rfc1123":..}}`.
fn read_time(body: &[u8]) -> Option<i64> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let is_fine = body.get("error")?.as_array()?.is_empty();
    let seconds = body.get("result")?.get("unixtime")?.as_i64()?;
    // It tells no part of the second: the middle is the closest guess.
    let ns = seconds.checked_mul(1_000_000_000)?.checked_add(500_000_000);
    ns.filter(|_| is_fine && seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_worded_as_the_venue_wants_them() {
        let topics =
            |channel: &str| vec![format!("{channel}:BTC/USD"), format!("{channel}:ETH/USD")];
        let text = |method, channel| {
            let mut text = String::new();
            KrakenMarket::request(method, &topics(channel), 7, &mut text);
            text
        };
        let expected = r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ETH/USD"],"depth":25},"req_id":7}"#;
        assert_eq!(text("subscribe", "book"), expected);
        let expected = r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"],"snapshot":false},"req_id":7}"#;
        assert_eq!(text("subscribe", "trade"), expected);
        let expected = r#"{"method":"unsubscribe","params":{"channel":"ticker","symbol":["BTC/USD","ETH/USD"],"event_trigger":"bbo"},"req_id":7}"#;
        assert_eq!(text("unsubscribe", "ticker"), expected);
    }

    #[test]
    fn each_channel_has_its_route() {
        for (route, kind) in
            [EventKind::Book, EventKind::Quote, EventKind::Trade, EventKind::Bar].iter().enumerate()
        {
            let topic = KrakenMarket::topic("BTC/USD", *kind).unwrap();
            assert_eq!(KrakenMarket::route(&topic), route, "{topic}");
        }
    }

    #[test]
    fn the_time_is_read_from_an_answer_that_is_none_of_an_error() {
        let body = br#"{"error":[],"result":{"unixtime":1688669448,"rfc1123":"Thu, 06 Jul 23 18:50:48 +0000"}}"#;
        assert_eq!(read_time(body), Some(1_688_669_448_500_000_000));
        let body = br#"{"error":["EService:Unavailable"],"result":{"unixtime":1688669448}}"#;
        assert_eq!(read_time(body), None);
    }
}
