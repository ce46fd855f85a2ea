//! How the venue words its market data.

use serde_json::Value;

use super::Recorded;
use super::instruments::instruments;
use super::orders::BybitOrders;
use crate::venue::simulated::dialect::in_band::{
    InBandFormat, ToldBook, ToldMark, kind, levels, plain, price, qty,
};
use crate::venue::simulated::dialect::order_entry::OrderFormat;
use crate::venue::simulated::dialect::{DialectKind, RecordedDialect};
use crate::venue::simulated::exchange::{Exchange, Feed, Kline, SimulatedSymbol, Top, TradeTick};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::HttpRequest;

/// The dialect.
pub static DIALECT: DialectKind = kind::<Bybit>();

/// The words.
struct Bybit;

impl InBandFormat for Bybit {
    const NAME: &'static str = "bybit";
    const PATH: &'static str = "/v5/public/spot";
    const CONTRACTS_PATH: Option<&'static str> = Some("/v5/public/linear");
    const RECORDED: &'static dyn RecordedDialect = &Recorded;
    const API_PATH: Option<&'static str> = Some("/v5/trade");
    const DEPTH: usize = 200;
    const MESSAGES_PER_S: u32 = 10;

    fn orders(options: &SimulatedVenueOptions) -> Option<Box<dyn OrderFormat>> {
        Some(Box::new(BybitOrders::new(options)))
    }

    fn stream(feed: Feed, symbol: &str) -> Option<String> {
        let channel = match feed {
            Feed::Trades => "publicTrade",
            Feed::Top => "orderbook.1",
            Feed::FastDepth => "orderbook.200",
            Feed::Bars => "kline.1",
            Feed::Marks => "tickers",
            Feed::SlowDepth => return None,
        };
        Some(format!("{channel}.{symbol}"))
    }

    fn trade(out: &mut String, symbol: &SimulatedSymbol, trade: &TradeTick, now: Moment) {
        let (name, ms, id) = (&symbol.name, now.epoch_ms, trade.id);
        let (at, of) = (price(symbol, trade.price), qty(symbol, trade.qty));
        let side = if trade.is_buyer_maker { "Sell" } else { "Buy" };
        out.push_str(&format!(
            r#"{{"topic":"publicTrade.{name}","type":"snapshot","ts":{ms},"data":[{{"T":{ms},"s":"{name}","S":"{side}","v":"{of}","p":"{at}","i":"{id}","BT":false,"seq":{id}}}]}}"#
        ));
    }

    fn top(out: &mut String, symbol: &SimulatedSymbol, top: &Top, now: Moment) {
        let (name, ms, id) = (&symbol.name, now.epoch_ms, top.update_id);
        let (bids, asks) = (levels(symbol, &[top.bid], ""), levels(symbol, &[top.ask], ""));
        out.push_str(&format!(
            r#"{{"topic":"orderbook.1.{name}","ts":{ms},"type":"snapshot","data":{{"s":"{name}","b":[{bids}],"a":[{asks}],"u":{id},"seq":{id}}},"cts":{ms}}}"#
        ));
    }

    fn bar(out: &mut String, symbol: &SimulatedSymbol, bar: &Kline, now: Moment) {
        let (name, ms) = (&symbol.name, now.epoch_ms);
        let (start, end, is_over) = (bar.open_ms, bar.close_ms(), bar.is_over(ms));
        let [open, high, low, close] =
            [bar.open, bar.high, bar.low, bar.close].map(|value| price(symbol, value));
        let volume = qty(symbol, u64::try_from(bar.volume).unwrap_or(u64::MAX));
        out.push_str(&format!(
            r#"{{"topic":"kline.1.{name}","type":"snapshot","ts":{ms},"data":[{{"start":{start},"end":{end},"interval":"1","open":"{open}","close":"{close}","high":"{high}","low":"{low}","volume":"{volume}","turnover":"0","confirm":{is_over},"timestamp":{ms}}}]}}"#
        ));
    }

    /// The index is where the mark is.
    fn mark(out: &mut String, symbol: &SimulatedSymbol, told: &ToldMark, now: Moment) {
        let (name, ms) = (&symbol.name, now.epoch_ms);
        let kind = if told.is_whole { "snapshot" } else { "delta" };
        let price = told.price.map_or_else(String::new, |at| {
            let at = price(symbol, at);
            format!(r#","markPrice":"{at}","indexPrice":"{at}""#)
        });
        let funding = told.funding.map_or_else(String::new, |funding| {
            let (rate, at_ms) = (plain(funding.rate_e8, 8), funding.at_ms);
            format!(r#","nextFundingTime":"{at_ms}","fundingRate":"{rate}""#)
        });
        out.push_str(&format!(
            r#"{{"topic":"tickers.{name}","type":"{kind}","data":{{"symbol":"{name}"{price}{funding}}},"cs":{ms},"ts":{ms}}}"#
        ));
    }

    fn book(out: &mut String, symbol: &SimulatedSymbol, told: &ToldBook<'_>, now: Moment) {
        let (name, ms, number, id) = (&symbol.name, now.epoch_ms, told.number, told.update_id);
        let (bids, asks) = (levels(symbol, told.bids, ""), levels(symbol, told.asks, ""));
        let kind = if told.is_whole { "snapshot" } else { "delta" };
        out.push_str(&format!(
            r#"{{"topic":"orderbook.200.{name}","ts":{ms},"type":"{kind}","data":{{"s":"{name}","b":[{bids}],"a":[{asks}],"u":{number},"seq":{id}}},"cts":{ms}}}"#
        ));
    }

    fn refusal(request: &Value) -> String {
        let id = &request["req_id"];
        format!(r#"{{"success":false,"ret_msg":"error:refused","req_id":{id},"op":"subscribe"}}"#)
    }

    fn instruments(request: &HttpRequest, exchange: &Exchange, now: Moment) -> Option<String> {
        instruments(request, exchange, now)
    }

    fn time(now: Moment) -> (&'static str, String) {
        let ms = now.epoch_ms;
        ("/v5/market/time", format!(r#"{{"retCode":0,"retMsg":"OK","result":{{}},"time":{ms}}}"#))
    }
}
