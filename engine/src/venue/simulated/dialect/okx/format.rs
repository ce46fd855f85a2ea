//! How the venue words its market data.

use serde_json::Value;

use super::Recorded;
use super::orders::OkxOrders;
use crate::venue::simulated::dialect::in_band::{
    Change, InBandFormat, ToldBook, kind, levels, price, qty,
};
use crate::venue::simulated::dialect::order_entry::OrderFormat;
use crate::venue::simulated::dialect::{DialectKind, RecordedDialect};
use crate::venue::simulated::exchange::{Feed, SimulatedSymbol, Top, TradeTick};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;

/// The dialect.
pub static DIALECT: DialectKind = kind::<Okx>();

/// The words.
struct Okx;

/// What stands behind a level's quantity: a word that is always 0, and a number of orders.
const MORE: &str = r#","0","1""#;
/// Levels a side that the checksum counts.
const SUMMED: usize = 25;

/// Of best bid and best ask, then the second ones, and so on, as 32 bits with a sign.
fn checksum(symbol: &SimulatedSymbol, (bids, asks): (&[Change], &[Change])) -> i32 {
    let text = |(at, of): &Change| format!("{}:{}", price(symbol, *at), qty(symbol, *of));
    let pair = |n: usize| bids.get(n).into_iter().chain(asks.get(n)).map(text);
    let all: Vec<String> = (0..SUMMED).flat_map(pair).collect();
    crc32fast::hash(all.join(":").as_bytes()).cast_signed()
}

impl InBandFormat for Okx {
    const NAME: &'static str = "okx";
    const PATH: &'static str = "/ws/v5/public";
    const RECORDED: &'static dyn RecordedDialect = &Recorded;
    const API_PATH: Option<&'static str> = Some("/ws/v5/private");
    const DEPTH: usize = 400;
    const MESSAGES_PER_S: u32 = 3;

    fn orders(options: &SimulatedVenueOptions) -> Option<Box<dyn OrderFormat>> {
        Some(Box::new(OkxOrders::new(options)))
    }

    fn stream(feed: Feed, symbol: &str) -> Option<String> {
        let channel = match feed {
            Feed::Trades => "trades",
            Feed::Top => "bbo-tbt",
            Feed::FastDepth => "books",
            Feed::SlowDepth | Feed::Bars | Feed::Marks => return None,
        };
        Some(format!("{channel}:{symbol}"))
    }

    fn trade(out: &mut String, symbol: &SimulatedSymbol, trade: &TradeTick, now: Moment) {
        let (name, ms, id) = (&symbol.name, now.epoch_ms, trade.id);
        let (px, sz) = (price(symbol, trade.price), qty(symbol, trade.qty));
        let side = if trade.is_buyer_maker { "sell" } else { "buy" };
        out.push_str(&format!(
            r#"{{"arg":{{"channel":"trades","instId":"{name}"}},"data":[{{"instId":"{name}","tradeId":"{id}","px":"{px}","sz":"{sz}","side":"{side}","ts":"{ms}","count":"1"}}]}}"#
        ));
    }

    fn top(out: &mut String, symbol: &SimulatedSymbol, top: &Top, now: Moment) {
        let (name, ms, id) = (&symbol.name, now.epoch_ms, top.update_id);
        let (bids, asks) = (levels(symbol, &[top.bid], MORE), levels(symbol, &[top.ask], MORE));
        out.push_str(&format!(
            r#"{{"arg":{{"channel":"bbo-tbt","instId":"{name}"}},"data":[{{"asks":[{asks}],"bids":[{bids}],"ts":"{ms}","seqId":{id}}}]}}"#
        ));
    }

    fn book(out: &mut String, symbol: &SimulatedSymbol, told: &ToldBook<'_>, now: Moment) {
        let (name, ms, id) = (&symbol.name, now.epoch_ms, told.update_id);
        let (bids, asks) = (levels(symbol, told.bids, MORE), levels(symbol, told.asks, MORE));
        let sum = checksum(symbol, told.shown);
        let (action, previous) = match told.is_whole {
            true => ("snapshot", -1),
            false => ("update", told.previous_id.cast_signed()),
        };
        out.push_str(&format!(
            r#"{{"arg":{{"channel":"books","instId":"{name}"}},"action":"{action}","data":[{{"asks":[{asks}],"bids":[{bids}],"ts":"{ms}","checksum":{sum},"seqId":{id},"prevSeqId":{previous}}}]}}"#
        ));
    }

    fn refusal(request: &Value) -> String {
        let id = &request["id"];
        format!(r#"{{"event":"error","code":"60018","msg":"Wrong URL or channel","id":{id}}}"#)
    }

    fn time(now: Moment) -> (&'static str, String) {
        let ms = now.epoch_ms;
        ("/api/v5/public/time", format!(r#"{{"code":"0","msg":"","data":[{{"ts":"{ms}"}}]}}"#))
    }

    fn shutdown_notice() -> Option<String> {
        let text = "The connection will soon be closed for a service upgrade. Please reconnect.";
        Some(format!(r#"{{"event":"notice","code":"64008","msg":"{text}","connId":"0"}}"#))
    }
}
