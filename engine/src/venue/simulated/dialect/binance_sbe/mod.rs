//! Binance spot whose market data is binary: the streams of `stream-sbe`, to which a key is shown.
//! Its REST interface and its order entry are those of spot.
//!
//! Source: the venue's page of SBE market data, and its schema of the streams.

mod recorded;
mod spoiled;

pub use recorded::BinaryStreams;

use super::binance_spot::{BinanceSpot, StreamNames, market_session, refusal};
use super::{Dialect, DialectKind, Stage, Talk};
use crate::venue::binance_sbe::{SbeSymbol, SbeTrade, SbeWriter};
use crate::venue::simulated::exchange::{Event, Exchange, Feed, Side, SimulatedSymbol, StreamKey};
use crate::venue::simulated::fault::{Fault, Faults};
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::limits::Limits;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{
    AccountFrame, Door, HttpRequest, MarketFrame, Opening, Reply, Session,
};

/// Levels a side of `depth20`.
const SHALLOW_LEVELS: usize = 20;

/// The dialect.
pub static DIALECT: DialectKind = DialectKind {
    name: "binance_sbe",
    stream_path: "/stream",
    api_path: Some("/ws-api/v3?returnRateLimits=false"),
    fees_in: None,
    trades_contracts: false,
    new: |options| Box::new(BinanceSbe::new(options)),
};

/// The dialect and what it must remember.
struct BinanceSbe {
    /// What says everything but the market frames.
    spot: BinanceSpot,
    api_key: String,
    streams: StreamNames,
    writer: SbeWriter,
}

impl BinanceSbe {
    fn new(options: &SimulatedVenueOptions) -> BinanceSbe {
        BinanceSbe {
            spot: BinanceSpot::new(options),
            api_key: options.api_key.clone(),
            streams: StreamNames::new(&options.symbols, suffix),
            writer: SbeWriter::default(),
        }
    }
}

impl Dialect for BinanceSbe {
    fn resolve(&self, stream: &str) -> Option<StreamKey> {
        self.streams.resolve(stream)
    }

    fn open(
        &mut self,
        request: &HttpRequest,
        limits: &mut Limits,
        now: Moment,
    ) -> Result<Opening, Reply> {
        let opening = self.spot.open(request, limits, now)?;
        if opening.door == Door::Api {
            return Ok(opening);
        }
        let mut keys = request.headers.iter().filter(|(name, _)| name == "x-mbx-apikey");
        if keys.next().is_none_or(|(_, key)| *key != self.api_key) {
            let words = "Invalid API-key, IP, or permissions for action.";
            return Err(refusal::http(401, -2015, words));
        }
        // Frames name their symbol: they are never wrapped.
        Ok(Opening { envelope: None, binary: Some(&spoiled::SPOILED), ..opening })
    }

    fn rest(
        &mut self,
        request: &HttpRequest,
        exchange: &Exchange,
        limits: &mut Limits,
        faults: (Option<Fault>, &mut Faults),
        now: Moment,
    ) -> Reply {
        self.spot.rest(request, exchange, limits, faults, now)
    }

    fn message(&mut self, text: &str, stage: Stage, talk: &mut Talk<'_>) {
        if talk.session.door == Door::Api || stage != Stage::Received {
            return self.spot.message(text, stage, talk);
        }
        market_session::take(text, talk, |name| self.resolve(name));
        talk.session.envelope = None;
    }

    fn market_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<MarketFrame<'_>> {
        let (index, feed) = event.feed()?;
        let market = &exchange.markets()[index];
        let (symbol, writer) = (named(&market.symbol), &mut self.writer);
        let time_us = now.epoch_ms * 1_000;
        let kind = match event {
            Event::Trade { tick, .. } => {
                let trade = SbeTrade {
                    id: tick.id,
                    price: tick.price,
                    qty: tick.qty,
                    is_buyer_maker: tick.is_buyer_maker,
                };
                writer.trades(symbol, time_us, &[trade]);
                FrameKind::Trade
            }
            Event::Top { top, .. } => {
                writer.best(symbol, (time_us, top.update_id), (top.bid, top.ask));
                FrameKind::BookTicker
            }
            Event::Depth { is_slow: true, .. } => {
                let best = |side| market.book.levels(side).take(SHALLOW_LEVELS).collect::<Vec<_>>();
                let (bids, asks) = (best(Side::Buy), best(Side::Sell));
                writer.snapshot(symbol, (time_us, market.update_id()), [&bids, &asks]);
                FrameKind::OtherMarket
            }
            Event::Depth { ids, bids, asks, .. } => {
                writer.diff(symbol, time_us, *ids, [bids, asks]);
                FrameKind::Depth
            }
            Event::Bar { .. } | Event::Mark { .. } | Event::Order(_) | Event::Balances(_) => {
                return None;
            }
        };
        let stream = self.streams.of(index, feed);
        Some(MarketFrame { kind, stream, data: self.writer.bytes(), lost: 0 })
    }

    fn account_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<AccountFrame> {
        self.spot.account_frame(event, exchange, now)
    }

    fn shutdown_notice(&self, session: &Session, now: Moment) -> Option<String> {
        self.spot.shutdown_notice(session, now)
    }

    fn stream_terminated(&self, now: Moment) -> Option<String> {
        self.spot.stream_terminated(now)
    }

    fn absurd(&self, report: &str, field: usize) -> String {
        self.spot.absurd(report, field)
    }
}

fn named(symbol: &SimulatedSymbol) -> SbeSymbol<'_> {
    let SimulatedSymbol { name, price_scale, qty_scale, .. } = symbol;
    SbeSymbol { name, price_scale: *price_scale, qty_scale: *qty_scale }
}

/// What follows the symbol and the at sign. The real venue cuts its diffs every 20 ms; bars there
/// are none.
fn suffix(feed: Feed) -> &'static str {
    match feed {
        Feed::Trades => "trade",
        Feed::Top => "bestBidAsk",
        Feed::FastDepth => "depth",
        Feed::SlowDepth => "depth20",
        Feed::Bars | Feed::Marks => "",
    }
}

#[cfg(test)]
mod tests;
