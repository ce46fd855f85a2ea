//! The market data of Binance spot in SBE: streams and subscriptions. Snapshots, the venue's time
//! and its limits are those of spot.
//!
//! What differs (source: the venue's page of SBE market data): the handshake names an API key, of
//! Ed25519 and without a signature; quotes are of `bestBidAsk`, of which the venue leaves out older
//! ones under load, and have a time; diffs come every 20 ms; there are no bars.

use super::decoder::SbeDecoder;
use crate::event::EventKind;
use crate::venue::binance::{SpotMarket, request_of_streams, stream_of};
use crate::venue::book::BookRule;
use crate::venue::codec::DecodeError;
use crate::venue::governor::ToldLimits;
use crate::venue::protocol::{
    InstrumentsRequest, KeepAlive, MarketMessage, MarketProtocol, MarketSink, Refusal,
    SnapshotFrom, TimeRequest, VenueLimits,
};
use crate::venue::{StreamOrders, SymbolMap};

/// The protocol.
pub struct SbeMarket {
    decoder: SbeDecoder,
}

/// Passes on everything but the best levels of a book. `depth20` comes where the configuration
/// lists it, and in place of a book that diffs keep whole it would cut that off.
struct WithoutShallow<'s, S>(&'s mut S);

impl<S: MarketSink> MarketSink for WithoutShallow<'_, S> {
    #[inline]
    fn take(&mut self, message: MarketMessage<'_>) {
        match message {
            MarketMessage::Book { .. } => self.0.take(MarketMessage::KeptAlive),
            message => self.0.take(message),
        }
    }
}

impl MarketProtocol for SbeMarket {
    const LIFE_NS: Option<u64> = SpotMarket::LIFE_NS;
    const ORDERS: StreamOrders = SpotMarket::ORDERS;
    const BOOK_RULE: BookRule = SpotMarket::BOOK_RULE;
    const SNAPSHOT: SnapshotFrom = SpotMarket::SNAPSHOT;
    const KEEP_ALIVE: KeepAlive = SpotMarket::KEEP_ALIVE;
    const EVENTS_MAX: usize = SbeDecoder::EVENTS_MAX;
    const LIMITS: VenueLimits = SpotMarket::LIMITS;
    const SUBSCRIBES: [&'static str; 2] = SpotMarket::SUBSCRIBES;
    const TIME: Option<TimeRequest> = SpotMarket::TIME;
    const INSTRUMENTS: Option<InstrumentsRequest> = SpotMarket::INSTRUMENTS;
    const KEY_HEADER: Option<&'static str> = Some("X-MBX-APIKEY");

    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> SbeMarket {
        SbeMarket { decoder: SbeDecoder::new(symbols, frame_bytes_max) }
    }

    fn on_open(&mut self) {
        self.decoder.restart();
    }

    fn topic(native: &str, kind: EventKind) -> Option<String> {
        let stream = match kind {
            EventKind::Quote => "bestBidAsk",
            EventKind::Trade => "trade",
            EventKind::Book => "depth",
            _ => return None,
        };
        Some(stream_of(native, stream))
    }

    fn request(word: &str, topics: &[String], id: u64, out: &mut String) {
        request_of_streams(word, topics, id, out);
    }

    #[inline]
    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        self.decoder.decode(frame, &mut WithoutShallow(sink))
    }

    #[inline]
    fn is_unfinished(&self) -> bool {
        self.decoder.is_unfinished()
    }

    fn limits_request(native: &str) -> Option<(String, u32)> {
        SpotMarket::limits_request(native)
    }

    fn read_limits(body: &[u8], words: &mut ToldLimits) -> Result<(), DecodeError> {
        SpotMarket::read_limits(body, words)
    }

    fn read_limit_header(name: &str, value: &str, words: &mut ToldLimits) {
        SpotMarket::read_limit_header(name, value, words);
    }

    fn read_refusal(body: &[u8]) -> Option<Refusal> {
        SpotMarket::read_refusal(body)
    }
}
