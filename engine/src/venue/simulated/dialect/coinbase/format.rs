//! How the venue words its market data. The numbers of frames are the server's to count.

use serde_json::Value;

use super::instruments::instruments;
use super::orders::{CoinbaseOrders, PRIVATE};
use super::{NUMBER, Recorded};
use crate::venue::simulated::dialect::in_band::{
    Change, InBandFormat, ToldBook, date, kind, price, qty,
};
use crate::venue::simulated::dialect::order_entry::OrderFormat;
use crate::venue::simulated::dialect::{DialectKind, RecordedDialect};
use crate::venue::simulated::exchange::{
    CommissionAsset, Exchange, Feed, SimulatedSymbol, Top, TradeTick,
};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::HttpRequest;

/// The dialect.
pub static DIALECT: DialectKind = kind::<Coinbase>();

/// The words.
struct Coinbase;

/// A frame of one event.
fn frame(out: &mut String, channel: &str, event: &str, now: Moment) {
    let time = date(now.epoch_ms);
    out.push_str(&format!(
        r#"{{"channel":"{channel}","timestamp":"{time}",{NUMBER}0,"events":[{event}]}}"#
    ));
}

impl InBandFormat for Coinbase {
    const NAME: &'static str = "coinbase";
    const PATH: &'static str = "/";
    const API_PATH: Option<&'static str> = Some(PRIVATE);
    const FEES_IN: Option<CommissionAsset> = Some(CommissionAsset::Quote);
    const RECORDED: &'static dyn RecordedDialect = &Recorded;
    const DEPTH: usize = usize::MAX;
    const MESSAGES_PER_S: u32 = 8;

    fn orders(options: &SimulatedVenueOptions) -> Option<Box<dyn OrderFormat>> {
        Some(Box::new(CoinbaseOrders::new(options)))
    }

    /// Also where nothing else is subscribed to.
    fn heartbeat(names: &[String], now: Moment) -> Option<String> {
        let has_it = names.iter().any(|name| name == "heartbeats:heartbeats");
        has_it.then(|| {
            let (mut out, time) = (String::new(), date(now.epoch_ms));
            let event = format!(r#"{{"current_time":"{time}","heartbeat_counter":"0"}}"#);
            frame(&mut out, "heartbeats", &event, now);
            out
        })
    }

    /// Its bars are of five minutes, which the exchange does not make.
    fn stream(feed: Feed, symbol: &str) -> Option<String> {
        let channel = match feed {
            Feed::Trades => "market_trades",
            Feed::Top => "ticker",
            Feed::FastDepth => "level2",
            Feed::SlowDepth | Feed::Bars | Feed::Marks => return None,
        };
        Some(format!("{channel}:{symbol}"))
    }

    fn trade(out: &mut String, symbol: &SimulatedSymbol, trade: &TradeTick, now: Moment) {
        let (name, time, id) = (&symbol.name, date(now.epoch_ms), trade.id);
        let (at, of) = (price(symbol, trade.price), qty(symbol, trade.qty));
        // The maker's.
        let side = if trade.is_buyer_maker { "BUY" } else { "SELL" };
        let event = format!(
            r#"{{"type":"update","trades":[{{"product_id":"{name}","trade_id":"{id}","price":"{at}","size":"{of}","time":"{time}","side":"{side}"}}]}}"#
        );
        frame(out, "market_trades", &event, now);
    }

    fn top(out: &mut String, symbol: &SimulatedSymbol, top: &Top, now: Moment) {
        let name = &symbol.name;
        let (bid, bid_qty) = (price(symbol, top.bid.0), qty(symbol, top.bid.1));
        let (ask, ask_qty) = (price(symbol, top.ask.0), qty(symbol, top.ask.1));
        let event = format!(
            r#"{{"type":"update","tickers":[{{"type":"ticker","product_id":"{name}","price":"{bid}","best_bid":"{bid}","best_ask":"{ask}","best_bid_quantity":"{bid_qty}","best_ask_quantity":"{ask_qty}"}}]}}"#
        );
        frame(out, "ticker", &event, now);
    }

    fn book(out: &mut String, symbol: &SimulatedSymbol, told: &ToldBook<'_>, now: Moment) {
        let (name, time) = (&symbol.name, date(now.epoch_ms));
        let level = |side: &str, (at, of): &Change| {
            let (at, of) = (price(symbol, *at), qty(symbol, *of));
            format!(
                r#"{{"side":"{side}","event_time":"{time}","price_level":"{at}","new_quantity":"{of}"}}"#
            )
        };
        let bids = told.bids.iter().map(|change| level("bid", change));
        let levels: Vec<_> =
            bids.chain(told.asks.iter().map(|change| level("offer", change))).collect();
        let kind = if told.is_whole { "snapshot" } else { "update" };
        let levels = levels.join(",");
        let event = format!(r#"{{"type":"{kind}","product_id":"{name}","updates":[{levels}]}}"#);
        frame(out, "l2_data", &event, now);
    }

    fn refusal(_request: &Value) -> String {
        r#"{"type":"error","message":"refused"}"#.to_owned()
    }

    fn instruments(request: &HttpRequest, exchange: &Exchange, now: Moment) -> Option<String> {
        instruments(request, exchange, now)
    }

    fn time(now: Moment) -> (&'static str, String) {
        let ms = now.epoch_ms;
        let body = format!(r#"{{"iso":"","epochSeconds":"{}","epochMillis":"{ms}"}}"#, ms / 1_000);
        ("/api/v3/brokerage/time", body)
    }
}
