//! How the venue words its market data: prices and quantities are JSON numbers with all decimals of
//! the instrument.

use serde_json::Value;

use super::Recorded;
use super::instruments::instruments;
use super::numbers::{price, qty};
use super::orders::{KrakenOrders, PRIVATE};
use crate::venue::simulated::dialect::in_band::{Change, InBandFormat, ToldBook, date, kind};
use crate::venue::simulated::dialect::order_entry::OrderFormat;
use crate::venue::simulated::dialect::{DialectKind, RecordedDialect};
use crate::venue::simulated::exchange::{
    CommissionAsset, Exchange, Feed, Kline, SimulatedSymbol, Top, TradeTick,
};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::HttpRequest;

/// The dialect.
pub static DIALECT: DialectKind = kind::<Kraken>();

/// The words.
struct Kraken;

/// Levels a side that the checksum counts.
const SUMMED: usize = 10;

fn levels(symbol: &SimulatedSymbol, levels: &[Change]) -> String {
    let level = |(at, of): &Change| {
        format!(r#"{{"price":{},"qty":{}}}"#, price(symbol, *at), qty(symbol, *of))
    };
    levels.iter().map(level).collect::<Vec<_>>().join(",")
}

/// Of the asks from the lowest up, then of the bids from the highest down: their digits.
fn checksum(symbol: &SimulatedSymbol, (bids, asks): (&[Change], &[Change])) -> u32 {
    let digits = |number: String| number.replace('.', "").trim_start_matches('0').to_owned();
    let text = |(at, of): &Change| digits(price(symbol, *at)) + &digits(qty(symbol, *of));
    let all: String = asks.iter().take(SUMMED).chain(bids.iter().take(SUMMED)).map(text).collect();
    crc32fast::hash(all.as_bytes())
}

impl InBandFormat for Kraken {
    const NAME: &'static str = "kraken";
    const PATH: &'static str = "/v2";
    const API_PATH: Option<&'static str> = Some(PRIVATE);
    const FEES_IN: Option<CommissionAsset> = Some(CommissionAsset::Quote);
    const RECORDED: &'static dyn RecordedDialect = &Recorded;
    const DEPTH: usize = 25;
    const MESSAGES_PER_S: u32 = 10;

    fn orders(options: &SimulatedVenueOptions) -> Option<Box<dyn OrderFormat>> {
        Some(Box::new(KrakenOrders::new(options)))
    }

    fn stream(feed: Feed, symbol: &str) -> Option<String> {
        let channel = match feed {
            Feed::Trades => "trade",
            Feed::Top => "ticker",
            Feed::FastDepth => "book",
            Feed::Bars => "ohlc",
            Feed::SlowDepth | Feed::Marks => return None,
        };
        Some(format!("{channel}:{symbol}"))
    }

    fn trade(out: &mut String, symbol: &SimulatedSymbol, trade: &TradeTick, now: Moment) {
        let (name, time, id) = (&symbol.name, date(now.epoch_ms), trade.id);
        let (at, of) = (price(symbol, trade.price), qty(symbol, trade.qty));
        let side = if trade.is_buyer_maker { "sell" } else { "buy" };
        out.push_str(&format!(
            r#"{{"channel":"trade","type":"update","data":[{{"symbol":"{name}","side":"{side}","price":{at},"qty":{of},"ord_type":"limit","trade_id":{id},"timestamp":"{time}"}}]}}"#
        ));
    }

    fn top(out: &mut String, symbol: &SimulatedSymbol, top: &Top, now: Moment) {
        let (name, time) = (&symbol.name, date(now.epoch_ms));
        let (bid, bid_qty) = (price(symbol, top.bid.0), qty(symbol, top.bid.1));
        let (ask, ask_qty) = (price(symbol, top.ask.0), qty(symbol, top.ask.1));
        out.push_str(&format!(
            r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"{name}","bid":{bid},"bid_qty":{bid_qty},"ask":{ask},"ask_qty":{ask_qty},"timestamp":"{time}"}}]}}"#
        ));
    }

    fn bar(out: &mut String, symbol: &SimulatedSymbol, bar: &Kline, now: Moment) {
        let (name, time, begin) = (&symbol.name, date(now.epoch_ms), date(bar.open_ms));
        let [open, high, low, close] =
            [bar.open, bar.high, bar.low, bar.close].map(|value| price(symbol, value));
        let volume = qty(symbol, u64::try_from(bar.volume).unwrap_or(u64::MAX));
        let trades = bar.trades;
        out.push_str(&format!(
            r#"{{"channel":"ohlc","type":"update","timestamp":"{time}","data":[{{"symbol":"{name}","open":{open},"high":{high},"low":{low},"close":{close},"trades":{trades},"volume":{volume},"vwap":{close},"interval_begin":"{begin}","interval":1,"timestamp":"{time}"}}]}}"#
        ));
    }

    fn book(out: &mut String, symbol: &SimulatedSymbol, told: &ToldBook<'_>, now: Moment) {
        let (name, time) = (&symbol.name, date(now.epoch_ms));
        let (bids, asks) = (levels(symbol, told.bids), levels(symbol, told.asks));
        let sum = checksum(symbol, told.shown);
        let kind = if told.is_whole { "snapshot" } else { "update" };
        out.push_str(&format!(
            r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{name}","bids":[{bids}],"asks":[{asks}],"checksum":{sum},"timestamp":"{time}"}}]}}"#
        ));
    }

    fn refusal(request: &Value) -> String {
        let id = &request["req_id"];
        let error = "Currency pair not supported";
        format!(r#"{{"method":"subscribe","req_id":{id},"success":false,"error":"{error}"}}"#)
    }

    fn instruments(request: &HttpRequest, exchange: &Exchange, now: Moment) -> Option<String> {
        instruments(request, exchange, now)
    }

    fn time(now: Moment) -> (&'static str, String) {
        let seconds = now.epoch_ms / 1_000;
        let body = format!(r#"{{"error":[],"result":{{"unixtime":{seconds},"rfc1123":""}}}}"#);
        ("/0/public/Time", body)
    }
}
