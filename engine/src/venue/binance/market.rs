//! The market data of Binance spot: streams, subscriptions and snapshots.
//!
//! Source: the venue's "WebSocket Streams" and "Market Data endpoints", and what recordings show.

use super::instruments::{path_of, read_instruments};
use super::limits::{read_header, read_info, read_refusal};
use super::market_decoder::MarketDecoder;
use super::snapshot::{read_snapshot, read_time};
use crate::event::EventKind;
use crate::venue::book::BookRule;
use crate::venue::codec::DecodeError;
use crate::venue::governor::{Counted, Limit, ToldLimits};
use crate::venue::protocol::{
    InstrumentsRequest, KeepAlive, MarketProtocol, MarketSink, Refusal, RestSnapshot,
    ShallowSnapshot, SnapshotFrom, TimeRequest, VenueLimits,
};
use crate::venue::{StreamOrder, StreamOrders, SymbolMap};

/// Levels a side of a snapshot: the venue's own limit.
const SNAPSHOT_LEVELS: usize = 5_000;
/// From so many symbols on a snapshot has fewer levels: twelve of the deepest weigh half of what
/// the venue allows in a minute.
const MANY_SYMBOLS: usize = 13;
/// Levels a side of a snapshot then.
const MANY_LEVELS: usize = 1_000;
/// Levels a side that a live book is held against: the most that weigh as little as one.
const SHALLOW_LEVELS: usize = 100;

/// The protocol.
pub struct SpotMarket {
    decoder: MarketDecoder,
}

/// "LIMITS" of the REST and WebSocket API, and "WebSocket Limits": by address and by account.
const COUNTED: &[Limit] = &[
    Limit { counts: Counted::Weight, amount: 6_000, window_ns: 60_000_000_000 },
    Limit { counts: Counted::Orders, amount: 100, window_ns: 10_000_000_000 },
    Limit { counts: Counted::Orders, amount: 200_000, window_ns: 86_400_000_000_000 },
    Limit { counts: Counted::Connects, amount: 300, window_ns: 300_000_000_000 },
];

impl MarketProtocol for SpotMarket {
    /// Trade ids of `trade` and of `aggTrade` grow by one, so subscribe to one of the two; update
    /// ids of quotes and books grow; bars have no number. Diffs of books are checked one by one
    /// before a book is published.
    const LIFE_NS: Option<u64> = Some(24 * 3_600_000_000_000);
    const ORDERS: StreamOrders = StreamOrders {
        quote: StreamOrder::Monotonic,
        trade: StreamOrder::Contiguous,
        book: StreamOrder::Monotonic,
        bar: StreamOrder::Unsequenced,
    };
    /// "How to manage a local order book correctly", as measured on recordings. The page's own
    /// wording of the first diff ("`lastUpdateId` within `[U;u]`") holds for few real snapshots and
    /// would refetch for ever.
    const BOOK_RULE: BookRule = BookRule::Contiguous;
    const SNAPSHOT: SnapshotFrom = SnapshotFrom::Rest(RestSnapshot {
        path: |native| format!("/api/v3/depth?symbol={native}&limit={SNAPSHOT_LEVELS}"),
        read: read_snapshot,
        weight: 250,
        shallow: ShallowSnapshot {
            path: |native| format!("/api/v3/depth?symbol={native}&limit={SHALLOW_LEVELS}"),
            weight: 5,
        },
        many: Some((
            MANY_SYMBOLS,
            ShallowSnapshot {
                path: |native| format!("/api/v3/depth?symbol={native}&limit={MANY_LEVELS}"),
                weight: 50,
            },
        )),
    });
    const KEEP_ALIVE: KeepAlive = KeepAlive::WsPing;
    const EVENTS_MAX: usize = 2;
    /// 1,024 streams a connection, five messages a second of which one is a ping, 4 KiB a message.
    /// A depth request of 5,000 levels weighs 250 ("Order book", REST API).
    const LIMITS: VenueLimits = VenueLimits {
        topics_per_connection: 1_024,
        topics_per_request: 64,
        messages_per_s: 5,
        subscribe_interval_ns: 250_000_000,
        counted: COUNTED,
    };
    const SUBSCRIBES: [&'static str; 2] = ["SUBSCRIBE", "UNSUBSCRIBE"];
    const TIME: Option<TimeRequest> =
        Some(TimeRequest { path: "/api/v3/time", weight: 1, read: read_time });
    /// "Exchange information": one weight, however many symbols are named.
    const INSTRUMENTS: Option<InstrumentsRequest> = Some(InstrumentsRequest {
        path: path_of,
        weight: 20,
        symbols_max: 100,
        read: read_instruments,
    });

    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> SpotMarket {
        SpotMarket { decoder: MarketDecoder::new(symbols, frame_bytes_max) }
    }

    fn topic(native: &str, kind: EventKind) -> Option<String> {
        let stream = match kind {
            EventKind::Quote => "bookTicker",
            EventKind::Trade => "trade",
            EventKind::Book => "depth@100ms",
            EventKind::Bar => "kline_1m",
            _ => return None,
        };
        Some(stream_of(native, stream))
    }

    fn request(word: &str, topics: &[String], id: u64, out: &mut String) {
        request_of_streams(word, topics, id, out);
    }

    #[inline]
    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        sink.take(self.decoder.decode(frame)?);
        Ok(())
    }

    fn limits_request(native: &str) -> Option<(String, u32)> {
        // With all symbols the answer would be of many megabytes; the limits stand in each.
        Some((format!("/api/v3/exchangeInfo?symbol={native}"), 20))
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

/// The name of a symbol's stream.
pub(in crate::venue) fn stream_of(native: &str, stream: &str) -> String {
    format!("{}@{stream}", native.to_ascii_lowercase())
}

/// Appends a request about streams by their names.
pub(in crate::venue) fn request_of_streams(
    method: &str,
    streams: &[String],
    id: u64,
    out: &mut String,
) {
    let names: Vec<String> = streams.iter().map(|name| format!("\"{name}\"")).collect();
    let names = names.join(",");
    out.push_str(&format!(r#"{{"method":"{method}","params":[{names}],"id":{id}}}"#));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshots_of_all_symbols_fit_into_half_a_minute_s_weight() {
        let rest = SpotMarket::SNAPSHOT.rest().unwrap();
        let of = |count| {
            let (path, weight) = rest.of_symbols(count);
            (path("BTCUSDT"), weight)
        };
        assert_eq!(of(1), ("/api/v3/depth?symbol=BTCUSDT&limit=5000".to_owned(), 250));
        assert_eq!(of(13), ("/api/v3/depth?symbol=BTCUSDT&limit=1000".to_owned(), 50));
        for count in [12, 13, 40, 60] {
            assert!(count as u32 * of(count).1 <= 3_000, "{count}");
        }
    }
}
