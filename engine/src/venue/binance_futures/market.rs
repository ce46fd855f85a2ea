//! The market data of Binance USD-M futures: streams, routes and snapshots. Frames are worded as
//! those of spot.
//!
//! What differs (source: the venue's "Websocket Market Streams", its notice of routed addresses of
//! April 2026, and recordings): each diff names the one before it by `pu`; update ids count all
//! symbols, so they never follow by one; high-frequency streams are served under `/public`, all
//! others under `/market`, and a stream that is asked for under the wrong one is confirmed and
//! never comes.

use crate::event::EventKind;
use crate::venue::binance::{
    MarketDecoder, read_header, read_info, read_instruments, read_refusal, read_snapshot,
    read_time, request_of_streams, stream_of,
};
use crate::venue::book::BookRule;
use crate::venue::codec::DecodeError;
use crate::venue::governor::{Counted, Limit, ToldLimits};
use crate::venue::protocol::{
    InstrumentsRequest, KeepAlive, MarketProtocol, MarketSink, Refusal, RestSnapshot,
    ShallowSnapshot, SnapshotFrom, TimeRequest, VenueLimits,
};
use crate::venue::{StreamOrder, StreamOrders, SymbolMap};

/// Levels a side of a snapshot: the venue's own limit.
const SNAPSHOT_LEVELS: usize = 1_000;
/// Levels a side that a live book is held against.
const SHALLOW_LEVELS: usize = 100;
/// Streams under `/public`, by what their names have behind the symbol.
const PUBLIC: [&str; 4] = ["depth", "bookTicker", "trade", "rpiDepth"];

/// The protocol.
pub struct FuturesMarket {
    decoder: MarketDecoder,
}

/// "Limits" of the futures' general information. Connections are counted as spot's are: nothing is
/// published.
const COUNTED: &[Limit] = &[
    Limit { counts: Counted::Weight, amount: 2_400, window_ns: 60_000_000_000 },
    Limit { counts: Counted::Orders, amount: 300, window_ns: 10_000_000_000 },
    Limit { counts: Counted::Orders, amount: 1_200, window_ns: 60_000_000_000 },
    Limit { counts: Counted::Connects, amount: 300, window_ns: 300_000_000_000 },
];

impl MarketProtocol for FuturesMarket {
    /// As on spot, but trades that the venue makes itself (insurance fund, deleveraging) have ids
    /// that are not sent.
    const LIFE_NS: Option<u64> = Some(24 * 3_600_000_000_000);
    const ORDERS: StreamOrders = StreamOrders {
        quote: StreamOrder::Monotonic,
        trade: StreamOrder::Monotonic,
        book: StreamOrder::Monotonic,
        bar: StreamOrder::Unsequenced,
    };
    const BOOK_RULE: BookRule = BookRule::Linked;
    const SNAPSHOT: SnapshotFrom = SnapshotFrom::Rest(RestSnapshot {
        path: |native| format!("/fapi/v1/depth?symbol={native}&limit={SNAPSHOT_LEVELS}"),
        read: read_snapshot,
        weight: 20,
        shallow: ShallowSnapshot {
            path: |native| format!("/fapi/v1/depth?symbol={native}&limit={SHALLOW_LEVELS}"),
            weight: 5,
        },
        many: None,
    });
    const KEEP_ALIVE: KeepAlive = KeepAlive::WsPing;
    const EVENTS_MAX: usize = 2;
    /// 1,024 streams a connection, ten messages a second, of which more than half are left to
    /// pings.
    const LIMITS: VenueLimits = VenueLimits {
        topics_per_connection: 1_024,
        topics_per_request: 64,
        messages_per_s: 10,
        subscribe_interval_ns: 250_000_000,
        counted: COUNTED,
    };
    const ROUTES: &'static [&'static str] = &["public", "market"];
    const SUBSCRIBES: [&'static str; 2] = ["SUBSCRIBE", "UNSUBSCRIBE"];
    const TIME: Option<TimeRequest> =
        Some(TimeRequest { path: "/fapi/v1/time", weight: 1, read: read_time });
    /// The answer is of all symbols, whatever is asked for.
    const INSTRUMENTS: Option<InstrumentsRequest> = Some(InstrumentsRequest {
        path: |_, _| "/fapi/v1/exchangeInfo".to_owned(),
        weight: 1,
        symbols_max: usize::MAX,
        read: read_instruments,
    });

    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> FuturesMarket {
        FuturesMarket { decoder: MarketDecoder::of_linked_diffs(symbols, frame_bytes_max) }
    }

    fn topic(native: &str, kind: EventKind) -> Option<String> {
        let stream = match kind {
            EventKind::Quote => "bookTicker",
            EventKind::Trade => "aggTrade",
            EventKind::Book => "depth@100ms",
            EventKind::Bar => "kline_1m",
            EventKind::MarkPrice => "markPrice@1s",
            _ => return None,
        };
        Some(stream_of(native, stream))
    }

    fn route(topic: &str) -> usize {
        let stream = topic.split_once('@').map_or(topic, |(_, stream)| stream);
        let stream = stream.split_once('@').map_or(stream, |(stream, _)| stream);
        // Partial books are `depth5`, `depth10` and `depth20`; all books are `!bookTicker`.
        let stream = stream.trim_start_matches('!').trim_end_matches(|c: char| c.is_ascii_digit());
        usize::from(!PUBLIC.contains(&stream))
    }

    fn request(word: &str, topics: &[String], id: u64, out: &mut String) {
        request_of_streams(word, topics, id, out);
    }

    #[inline]
    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        sink.take(self.decoder.decode(frame)?);
        Ok(())
    }

    fn limits_request(_native: &str) -> Option<(String, u32)> {
        Some(("/fapi/v1/exchangeInfo".to_owned(), 1))
    }

    fn read_limits(body: &[u8], words: &mut ToldLimits) -> Result<(), DecodeError> {
        read_info(body, words)
    }

    fn read_limit_header(name: &str, value: &str, words: &mut ToldLimits) {
        read_header(name, value, words);
    }

    fn read_refusal(body: &[u8]) -> Option<Refusal> {
        read_refusal(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::protocol::MarketMessage;

    const DIFF: &str = r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":9,"T":8,"s":"BTCUSDT","U":5,"u":7,"pu":2,"b":[["1.50","2"]],"a":[]}}"#;
    const TICKER: &str = r#"{"e":"bookTicker","u":7,"s":"BTCUSDT","b":"1.50","B":"2","a":"1.60","A":"3","T":8,"E":9}"#;
    const TRADE: &str =
        r#"{"e":"trade","E":9,"T":8,"s":"BTCUSDT","t":7,"p":"1.5","q":"2","X":"MARKET","m":false}"#;

    fn protocol() -> FuturesMarket {
        FuturesMarket::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20)
    }

    /// What the frame is, in short.
    #[derive(Default)]
    struct Heard(Vec<String>);

    impl MarketSink for Heard {
        fn take(&mut self, message: MarketMessage<'_>) {
            self.0.push(match message {
                MarketMessage::Quote { update_id, venue_time_ns, .. } => {
                    format!("quote {update_id} at {venue_time_ns}")
                }
                MarketMessage::Trade { trade_id, trade, .. } => {
                    format!("trade {trade_id}, bought {}", trade.buy_qty)
                }
                MarketMessage::Depth { diff, .. } => format!(
                    "diff {}..{} behind {}",
                    diff.first_update_id, diff.final_update_id, diff.previous_update_id
                ),
                other => format!("{other:?}"),
            });
        }
    }

    fn heard(frame: &str) -> Result<Vec<String>, &'static str> {
        let mut heard = Heard::default();
        protocol().decode(frame.as_bytes(), &mut heard).map_err(|error| error.detail)?;
        Ok(heard.0)
    }

    #[test]
    fn frames_are_read_with_what_futures_add() {
        assert_eq!(heard(DIFF).unwrap(), ["diff 5..7 behind 2"]);
        assert_eq!(heard(TICKER).unwrap(), ["quote 7 at 9000000"]);
        assert_eq!(heard(TRADE).unwrap(), ["trade 7, bought 200000"]);
    }

    #[test]
    fn a_diff_that_names_none_before_it_is_refused() {
        // A spot diff here would never follow anything.
        assert_eq!(heard(&DIFF.replace(r#""pu":2,"#, "")), Err("field pu missing"));
        assert_eq!(
            heard(&DIFF.replace(r#""pu":2"#, r#""pu":"2""#)),
            Err("field pu of the wrong type")
        );
        assert_eq!(heard(&DIFF.replace(r#""pu":2"#, r#""pu":2,"pu":3"#)), Err("field pu twice"));
    }

    #[test]
    fn streams_are_asked_for_where_they_are_served() {
        for (topic, route) in [
            ("btcusdt@depth@100ms", "public"),
            ("btcusdt@depth20@500ms", "public"),
            ("btcusdt@bookTicker", "public"),
            ("!bookTicker", "public"),
            ("btcusdt@trade", "public"),
            ("btcusdt@aggTrade", "market"),
            ("btcusdt@markPrice@1s", "market"),
            ("btcusdt@kline_1m", "market"),
            ("!forceOrder@arr", "market"),
        ] {
            assert_eq!(FuturesMarket::ROUTES[FuturesMarket::route(topic)], route, "{topic}");
        }
    }
}
