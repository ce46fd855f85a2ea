//! Binance USD-M futures: streams under `/public` and `/market`, diffs that name the one before by
//! `pu`, snapshots over REST; orders over the WebSocket API, and the account under `/private`.
//!
//! Source: the venue's "Websocket Market Streams", its notice of routed addresses of April 2026 and
//! its REST reference; shapes as recorded.

mod frames;
mod instruments;
mod orders;
mod rights;
mod words;

use self::frames::FuturesFrames;
use self::orders::{API, FuturesOrders, STREAM};
use super::binance_spot::frames::FrameWriter;
use super::binance_spot::{
    StreamNames, absurd, frame_kind, limits_message, market_session, refusal, rest,
};
use super::order_entry::OrderEntry;
use super::{Dialect, DialectKind, Stage, Talk};
use crate::venue::simulated::exchange::{CommissionAsset, Event, Exchange, Feed, Side, StreamKey};
use crate::venue::simulated::fault::{Fault, Faults, Occasion};
use crate::venue::simulated::limits::Limits;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{
    AccountFrame, Door, HttpRequest, MarketFrame, Opening, Reply, Session,
};

/// Levels of a snapshot: what is given without a limit, and at most.
const LEVELS_DEFAULT: usize = 500;
const LEVELS_MAX: usize = 1_000;

/// The dialect.
pub static DIALECT: DialectKind = DialectKind {
    name: "binance_futures",
    stream_path: "/stream",
    api_path: Some(API),
    fees_in: Some(CommissionAsset::Quote),
    trades_contracts: true,
    new: |options| Box::new(BinanceFutures::new(options)),
};

/// The dialect and what it must remember.
struct BinanceFutures {
    streams: StreamNames,
    frames: FuturesFrames,
    orders: OrderEntry<FuturesOrders>,
}

impl BinanceFutures {
    fn new(options: &SimulatedVenueOptions) -> BinanceFutures {
        let streams = StreamNames::new(&options.symbols, suffix);
        let orders = OrderEntry::new(Box::new(FuturesOrders::new(options)));
        BinanceFutures { streams, frames: FuturesFrames(FrameWriter::new()), orders }
    }

    /// The stream of a name that is asked for under `part`. Under the wrong one it is confirmed,
    /// and nothing comes.
    fn resolve_under(&self, part: &str, stream: &str) -> Option<StreamKey> {
        let key = self.resolve(stream)?;
        let feed = Feed::ALL.into_iter().find(|feed| key.bit == 1 << *feed as u8)?;
        (part_of(feed) == part).then_some(key)
    }

    /// Whether a request names the account's stream.
    fn is_account(&self, request: &HttpRequest, now: Moment) -> bool {
        let listen_key = request.parameter("listenKey").unwrap_or_default();
        self.orders.format().is_stream(&listen_key, now)
    }

    fn depth(
        &mut self,
        request: &HttpRequest,
        exchange: &Exchange,
        ids_ahead: u64,
        now: Moment,
    ) -> Reply {
        let name = match rest::wanted_symbol(request) {
            Ok(name) => name,
            Err(refusal) => return refusal,
        };
        let Some(index) = exchange.market(&name) else { return rest::invalid_symbol() };
        let limit = match request.parameter("limit").map(|text| text.parse::<usize>()) {
            None => LEVELS_DEFAULT,
            Some(Ok(limit @ 1..=LEVELS_MAX)) => limit,
            Some(_) => {
                return refusal::http(400, -1130, "Data sent for parameter 'limit' is not valid.");
            }
        };
        let market = &exchange.markets()[index];
        let levels = |side| market.book.levels(side).take(limit);
        let (bids, asks) = (levels(Side::Buy), levels(Side::Sell));
        let id = market.update_id() + ids_ahead;
        self.frames.snapshot(&market.symbol, id, bids, asks, now.epoch_ms);
        Reply::json(self.frames.0.bytes().to_vec())
    }
}

impl Dialect for BinanceFutures {
    fn resolve(&self, stream: &str) -> Option<StreamKey> {
        self.streams.resolve(stream)
    }

    fn open(
        &mut self,
        request: &HttpRequest,
        limits: &mut Limits,
        now: Moment,
    ) -> Result<Opening, Reply> {
        let path = request.path.trim_end_matches('/');
        // Addresses without a route are still taken, and serve what `/public` does.
        let (part, envelope) = match path {
            "/market/stream" => (MARKET, Some(&market_session::COMBINED)),
            "/public/stream" | "/stream" => (PUBLIC, Some(&market_session::COMBINED)),
            "/market/ws" => (MARKET, None),
            "/public/ws" | "/ws" => (PUBLIC, None),
            API => (API, None),
            STREAM if self.is_account(request, now) => (STREAM, None),
            _ => return Err(Reply::not_found()),
        };
        let message = limits_message(limits.rules());
        if let Some(refusal) = rest::refused(limits.connect(now), &message, now) {
            return Err(refusal);
        }
        if matches!(part, API | STREAM) {
            let hears_account = part == STREAM;
            return Ok(Opening { door: Door::Api, part, hears_account, ..Opening::market() });
        }
        let listed = request.parameter("streams").unwrap_or_default();
        let wanted = listed.split('/').filter(|name| self.resolve_under(part, name).is_some());
        Ok(Opening {
            envelope,
            messages_per_s: Some(limits.rules().messages_per_s),
            streams: wanted.map(str::to_owned).collect(),
            part,
            ..Opening::market()
        })
    }

    fn rest(
        &mut self,
        request: &HttpRequest,
        exchange: &Exchange,
        limits: &mut Limits,
        (fault, faults): (Option<Fault>, &mut Faults),
        now: Moment,
    ) -> Reply {
        if let Some(refusal) = rest::struck(fault, limits, now) {
            return refusal;
        }
        let message = limits_message(limits.rules());
        let admission = limits.charge(weight(request), now);
        if let Some(refusal) = rest::refused(admission, &message, now) {
            return refusal;
        }
        let mut reply = match request.path.as_str() {
            "/fapi/v1/ping" => Reply::json(b"{}".to_vec()),
            "/fapi/v1/time" => rest::server_time(now),
            "/fapi/v1/exchangeInfo" => {
                Reply::json(instruments::instruments(exchange, now).into_bytes())
            }
            "/fapi/v1/depth" => {
                let ahead = match faults.strike(Occasion::Snapshot) {
                    Some(Fault::FutureSnapshot { ids_ahead }) => ids_ahead,
                    _ => 0,
                };
                self.depth(request, exchange, ahead, now)
            }
            _ => {
                let answer = self.orders.rest(request, exchange, faults, now);
                answer.unwrap_or_else(Reply::not_found)
            }
        };
        let [used, ..] = limits.used(now);
        reply.headers.push(("X-MBX-USED-WEIGHT-1M", used.to_string()));
        reply
    }

    fn message(&mut self, text: &str, stage: Stage, talk: &mut Talk<'_>) {
        if talk.session.door == Door::Api || stage != Stage::Received {
            return self.orders.message(text, stage, talk);
        }
        let part = talk.session.part;
        market_session::take(text, talk, |name| self.resolve_under(part, name));
    }

    fn market_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<MarketFrame<'_>> {
        let (index, feed) = event.feed()?;
        let symbol = &exchange.markets()[index].symbol;
        let frames = &mut self.frames;
        match event {
            Event::Trade { tick, .. } => frames.aggregate_trade(symbol, tick, now.epoch_ms),
            Event::Top { top, .. } => frames.book_ticker(symbol, top, now.epoch_ms),
            Event::Depth { ids, bids, asks, .. } => {
                frames.diff(symbol, *ids, (bids, asks), now.epoch_ms);
            }
            Event::Bar { bar, .. } => frames.0.bar(symbol, bar, now.epoch_ms),
            Event::Mark { price, funding, .. } => {
                frames.mark_price(symbol, *price, *funding, now.epoch_ms);
            }
            Event::Order(_) | Event::Balances(_) => return None,
        }
        let stream = self.streams.of(index, feed);
        Some(MarketFrame { kind: frame_kind(stream), stream, data: frames.0.bytes(), lost: 0 })
    }

    fn account_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<AccountFrame> {
        self.orders.account_frame(event, exchange, now)
    }

    fn heartbeat(&self, session: &Session, now: Moment) -> Option<String> {
        let format = self.orders.format();
        if session.part == STREAM { format.expired(now) } else { None }
    }

    fn stream_terminated(&self, now: Moment) -> Option<String> {
        Some(self.orders.format().end_stream(now))
    }

    fn absurd(&self, report: &str, field: usize) -> String {
        absurd::report(report, field)
    }

    fn shutdown_notice(&self, session: &Session, now: Moment) -> Option<String> {
        let event = format!(r#"{{"e":"serverShutdown","E":{}}}"#, now.epoch_ms);
        match (session.door, session.envelope) {
            (Door::Market, None) => Some(event),
            (Door::Market, Some(_)) => {
                Some(format!(r#"{{"stream":"!serverShutdown","data":{event}}}"#))
            }
            _ => None,
        }
    }
}

const PUBLIC: &str = "public";
const MARKET: &str = "market";

/// Where a feed is served.
fn part_of(feed: Feed) -> &'static str {
    match feed {
        Feed::Top | Feed::FastDepth | Feed::SlowDepth => PUBLIC,
        Feed::Trades | Feed::Bars | Feed::Marks => MARKET,
    }
}

/// What follows the symbol and the at sign.
fn suffix(feed: Feed) -> &'static str {
    match feed {
        Feed::Trades => "aggTrade",
        Feed::Top => "bookTicker",
        Feed::FastDepth => "depth@100ms",
        Feed::SlowDepth => "depth",
        Feed::Bars => "kline_1m",
        Feed::Marks => "markPrice@1s",
    }
}

/// What a REST request weighs.
fn weight(request: &HttpRequest) -> u32 {
    match request.path.as_str() {
        "/fapi/v1/openOrders" if request.parameter("symbol").is_none() => return 40,
        "/fapi/v1/countdownCancelAll" => return 10,
        "/fapi/v1/userTrades" | "/fapi/v3/balance" | "/fapi/v3/positionRisk" => return 5,
        _ => {}
    }
    if request.path != "/fapi/v1/depth" {
        return 1;
    }
    let limit = request.parameter("limit").and_then(|text| text.parse().ok());
    match limit.unwrap_or(LEVELS_DEFAULT) {
        0..=50 => 2,
        51..=100 => 5,
        101..=500 => 10,
        _ => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect() -> BinanceFutures {
        BinanceFutures::new(&SimulatedVenueOptions::default())
    }

    #[test]
    fn a_stream_is_served_under_its_part_of_the_address_space_alone() {
        let dialect = dialect();
        for (stream, part) in [
            ("btcusdt@bookTicker", PUBLIC),
            ("btcusdt@depth@100ms", PUBLIC),
            ("btcusdt@aggTrade", MARKET),
            ("btcusdt@kline_1m", MARKET),
        ] {
            let other = if part == PUBLIC { MARKET } else { PUBLIC };
            assert!(dialect.resolve_under(part, stream).is_some(), "{stream}");
            assert!(dialect.resolve_under(other, stream).is_none(), "{stream}");
        }
        assert!(dialect.resolve_under(MARKET, "btcusdt@trade").is_none());
    }

    #[test]
    fn diffs_name_the_one_before_and_their_numbers_do_not_follow_by_one() {
        let mut frames = FuturesFrames(FrameWriter::new());
        let symbol = &SimulatedVenueOptions::default().symbols[0];
        frames.diff(symbol, (8, 9), (&[(1, 0)], &[]), 17);
        let text = std::str::from_utf8(frames.0.bytes()).unwrap();
        let expected = r#"{"e":"depthUpdate","E":17,"T":17,"s":"BTCUSDT","U":56,"u":63,"pu":49,"b":[["0.01000000","0.00000000"]],"a":[]}"#;
        assert_eq!(text, expected);
    }
}
