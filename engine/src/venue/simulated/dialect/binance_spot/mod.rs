//! Binance spot: streams, REST and the WebSocket API.

pub(super) mod absurd;
mod api;
pub(super) mod decimal;
pub(super) mod frames;
pub(super) mod market_session;
pub(super) mod order_request;
mod recorded;
pub(super) mod refusal;
mod reports;
pub(super) mod rest;
mod rights;
pub(super) mod signature;
mod stream;
mod weights;

use super::{Dialect, DialectKind, Stage, Talk};
use crate::venue::simulated::exchange::{Event, Exchange, StreamKey};
use crate::venue::simulated::fault::{Fault, Faults, Occasion};
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::limits::{Admission, LimitRules, Limits};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{
    AccountFrame, Door, HttpRequest, MarketFrame, Opening, Reply, Session,
};

pub use recorded::CombinedStreams;
pub(super) use stream::{StreamNames, frame_kind};

use self::api::Api;
use self::frames::FrameWriter;
use self::market_session::COMBINED;

/// The dialect.
pub static DIALECT: DialectKind = DialectKind {
    name: "binance",
    stream_path: "/stream",
    api_path: Some("/ws-api/v3?returnRateLimits=false"),
    fees_in: None,
    trades_contracts: false,
    new: |options| Box::new(BinanceSpot::new(options)),
};

/// The dialect and what it must remember: names of streams, keys, a buffer.
pub struct BinanceSpot {
    streams: StreamNames,
    api: Api,
    writer: FrameWriter,
}

impl BinanceSpot {
    pub fn new(options: &SimulatedVenueOptions) -> Self {
        Self {
            streams: StreamNames::new(&options.symbols, stream::suffix),
            api: Api::new(options),
            writer: FrameWriter::new(),
        }
    }
}

impl Dialect for BinanceSpot {
    fn resolve(&self, stream: &str) -> Option<StreamKey> {
        self.streams.resolve(stream)
    }

    fn open(
        &mut self,
        request: &HttpRequest,
        limits: &mut Limits,
        now: Moment,
    ) -> Result<Opening, Reply> {
        let opening = opening(request, limits.rules()).ok_or_else(Reply::not_found)?;
        let message = limits_message(limits.rules());
        let refusal = |admission| rest::refused(admission, &message, now);
        if let Some(refusal) = refusal(limits.connect(now)) {
            return Err(refusal);
        }
        if opening.door == Door::Api
            && let Some(refusal) = refusal(limits.charge(weights::CONNECT, now))
        {
            return Err(refusal);
        }
        if !limits.streams(opening.streams.len()) {
            return Err(refusal::http(400, -1100, "Too many streams."));
        }
        Ok(opening)
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
        let admission = limits.charge(weights::rest(request), now);
        let message = limits_message(limits.rules());
        let mut reply = match rest::refused(admission, &message, now) {
            Some(refusal) => refusal,
            None => {
                let is_snapshot = request.path == "/api/v3/depth";
                let ahead = match is_snapshot.then(|| faults.strike(Occasion::Snapshot)).flatten() {
                    Some(Fault::FutureSnapshot { ids_ahead }) => ids_ahead,
                    _ => 0,
                };
                let told = self.api.restrictions(request);
                let (rules, writer) = (limits.rules(), &mut self.writer);
                told.unwrap_or_else(|| rest::answer(request, exchange, writer, (rules, ahead), now))
            }
        };
        let [weight, ..] = limits.used(now);
        reply.headers.push(("X-MBX-USED-WEIGHT", weight.to_string()));
        reply.headers.push(("X-MBX-USED-WEIGHT-1M", weight.to_string()));
        reply
    }

    fn message(&mut self, text: &str, stage: Stage, talk: &mut Talk<'_>) {
        if talk.session.door == Door::Api || stage != Stage::Received {
            return self.api.handle(text, stage, talk);
        }
        market_session::take(text, talk, |name| self.resolve(name));
    }

    fn market_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<MarketFrame<'_>> {
        let (index, feed) = event.feed()?;
        let symbol = &exchange.markets()[index].symbol;
        let writer = &mut self.writer;
        match event {
            Event::Trade { tick, .. } => writer.trade(symbol, tick, now.epoch_ms),
            Event::Top { top, .. } => writer.book_ticker(symbol, top),
            Event::Depth { ids, bids, asks, .. } => {
                let (bids, asks) = (bids.iter().copied(), asks.iter().copied());
                writer.depth_update(symbol, now.epoch_ms, *ids, bids, asks);
            }
            Event::Bar { bar, .. } => writer.bar(symbol, bar, now.epoch_ms),
            Event::Mark { .. } | Event::Order(_) | Event::Balances(_) => return None,
        }
        let stream = self.streams.of(index, feed);
        Some(MarketFrame { kind: frame_kind(stream), stream, data: self.writer.bytes(), lost: 0 })
    }

    fn account_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<AccountFrame> {
        let (kind, text, is_fill) = match event {
            Event::Order(report) => {
                let symbol = &exchange.markets()[report.order.market].symbol;
                let text = reports::exec_report(report, symbol, now.epoch_ms);
                (FrameKind::ExecReport, text, report.is_fill())
            }
            Event::Balances(balances) => {
                (FrameKind::Account, reports::position(balances, now.epoch_ms), false)
            }
            _ => return None,
        };
        Some(AccountFrame { kind, text: wrapped(&text), is_fill })
    }

    fn shutdown_notice(&self, session: &Session, now: Moment) -> Option<String> {
        let event = format!(r#"{{"e":"serverShutdown","E":{}}}"#, now.epoch_ms);
        match (session.door, session.envelope) {
            (Door::Rest, _) => None,
            (Door::Api, _) => Some(format!(r#"{{"event":{event}}}"#)),
            (Door::Market, None) => Some(event),
            (Door::Market, Some(_)) => {
                Some(format!(r#"{{"stream":"!serverShutdown","data":{event}}}"#))
            }
        }
    }

    fn stream_terminated(&self, now: Moment) -> Option<String> {
        Some(wrapped(&format!(r#"{{"e":"eventStreamTerminated","E":{}}}"#, now.epoch_ms)))
    }

    fn absurd(&self, report: &str, field: usize) -> String {
        absurd::report(report, field)
    }
}

/// A session has one user-data subscription at most, so its number is always 0.
fn wrapped(event: &str) -> String {
    format!(r#"{{"subscriptionId":0,"event":{event}}}"#)
}

pub(super) fn limits_message(rules: &LimitRules) -> String {
    format!(
        "Too much request weight used; current limit is {} request weight per 1 MINUTE. Please use \
         WebSocket Streams for live updates to avoid polling the API.",
        rules.weight_per_min
    )
}

/// What a handshake's target opens; `None`: no such path.
pub(super) fn opening(request: &HttpRequest, rules: &LimitRules) -> Option<Opening> {
    let names = |list: &str| list.split('/').filter(|s| !s.is_empty()).map(Into::into).collect();
    let market = |envelope, streams| Opening {
        envelope,
        messages_per_s: Some(rules.messages_per_s),
        streams,
        ..Opening::market()
    };
    Some(match request.path.trim_end_matches('/') {
        "/ws-api/v3" => Opening {
            door: Door::Api,
            returns_rate_limits: request.parameter("returnRateLimits").as_deref() != Some("false"),
            ..Opening::market()
        },
        // A recording of a venue with routes is asked for under each, such as `/public/stream`.
        path if path.ends_with("/stream") => {
            let list = request.parameter("streams").map_or(Vec::new(), |list| names(&list));
            market(Some(&COMBINED), list)
        }
        "/ws" => market(None, Vec::new()),
        path => market(None, names(path.strip_prefix("/ws/")?)),
    })
}

/// Whether a request may go on, or what it is told.
fn refusal_of(admission: Admission) -> Option<(u16, i64)> {
    match admission {
        Admission::Granted => None,
        Admission::SlowDown { until_ms } => Some((429, until_ms)),
        Admission::Banned { until_ms } => Some((418, until_ms)),
    }
}
