//! The REST side of the simulation: what a client needs before it subscribes.

use std::fmt::Write as _;

use super::decimal::Decimal;
use super::frames::FrameWriter;
use super::refusal::http;
use super::refusal_of;
use crate::venue::simulated::exchange::{
    AMENDS_MAX, Exchange, MAX_NOTIONAL, OPEN_ORDERS_MAX, PRICE_FACTOR_MAX, Side, SimulatedSymbol,
    WAITING_ORDERS_MAX,
};
use crate::venue::simulated::fault::Fault;
use crate::venue::simulated::limits::{Admission, LimitRules, Limits};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::server::{HttpRequest, Reply};

/// Levels of a snapshot when the request names no limit.
const LEVELS_DEFAULT: usize = 100;
/// The venue never gives more levels than this.
const LEVELS_MAX: usize = 5_000;

/// The answer to a request for which there is no room.
pub fn refused(admission: Admission, message: &str, now: Moment) -> Option<Reply> {
    let (status, until_ms) = refusal_of(admission)?;
    let mut reply = http(status, -1003, message);
    let wait_s = ((until_ms - now.epoch_ms).max(0) + 999) / 1_000;
    reply.headers.push(("Retry-After", wait_s.to_string()));
    Some(reply)
}

/// What a fault makes of a request: a refusal, or a ban that begins with it.
pub fn struck(fault: Option<Fault>, limits: &mut Limits, now: Moment) -> Option<Reply> {
    match fault {
        Some(Fault::RefuseRest { status }) => return Some(http(status, -1003, "Refused.")),
        Some(Fault::Ban { duration }) => limits.ban(duration.as_millis() as i64, now),
        _ => {}
    }
    None
}

/// Answers a request about the markets. A snapshot's id lies `ids_ahead` too far.
pub fn answer(
    request: &HttpRequest,
    exchange: &Exchange,
    writer: &mut FrameWriter,
    (rules, ids_ahead): (&LimitRules, u64),
    now: Moment,
) -> Reply {
    match request.path.as_str() {
        "/api/v3/ping" => Reply::json(b"{}".to_vec()),
        "/api/v3/time" => server_time(now),
        "/api/v3/depth" => depth(request, exchange, ids_ahead, writer),
        "/api/v3/exchangeInfo" => {
            let wanted = match wanted_symbols(request) {
                Ok(wanted) => wanted,
                Err(refusal) => return refusal,
            };
            match exchange_info(wanted.as_deref(), exchange, rules, now) {
                Some(body) => Reply::json(body.into_bytes()),
                None => invalid_symbol(),
            }
        }
        _ => Reply::not_found(),
    }
}

/// The venue's clock.
pub fn server_time(now: Moment) -> Reply {
    Reply::json(format!(r#"{{"serverTime":{}}}"#, now.epoch_ms).into_bytes())
}

fn depth(
    request: &HttpRequest,
    exchange: &Exchange,
    ids_ahead: u64,
    writer: &mut FrameWriter,
) -> Reply {
    let limit = match depth_limit(request) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    let name = match wanted_symbol(request) {
        Ok(name) => name,
        Err(refusal) => return refusal,
    };
    let Some(index) = exchange.market(&name) else { return invalid_symbol() };
    let market = &exchange.markets()[index];
    let levels = |side| market.book.levels(side).take(limit);
    let (bids, asks) = (levels(Side::Buy), levels(Side::Sell));
    writer.depth_snapshot(&market.symbol, market.update_id() + ids_ahead, bids, asks);
    Reply::json(writer.bytes().to_vec())
}

/// The levels asked for; refused when it is no number above 0.
pub fn depth_limit(request: &HttpRequest) -> Result<usize, Reply> {
    let Some(text) = request.parameter("limit") else { return Ok(LEVELS_DEFAULT) };
    match text.parse() {
        Ok(limit @ 1..) => Ok(LEVELS_MAX.min(limit)),
        _ => Err(http(400, -1100, "Illegal characters found in parameter 'limit'.")),
    }
}

/// The symbol asked for; refused when there is none.
pub fn wanted_symbol(request: &HttpRequest) -> Result<String, Reply> {
    let message = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.";
    let name = request.parameter("symbol").filter(|name| !name.is_empty());
    name.map(Into::into).ok_or_else(|| http(400, -1102, message))
}

pub fn invalid_symbol() -> Reply {
    http(400, -1121, "Invalid symbol.")
}

/// The symbols asked for by `symbol` or `symbols`; `None`: all.
fn wanted_symbols(request: &HttpRequest) -> Result<Option<Vec<String>>, Reply> {
    match (request.parameter("symbol"), request.parameter("symbols")) {
        (Some(name), None) => Ok(Some(vec![name.into_owned()])),
        (None, Some(list)) => serde_json::from_str(&list)
            .map(Some)
            .map_err(|_| http(400, -1100, "Illegal characters found in parameter 'symbols'.")),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(http(400, -1128, "Combination of optional parameters invalid.")),
    }
}

/// The limits and the rules of the symbols asked for; `None`: one of them is unknown.
pub fn exchange_info(
    wanted: Option<&[String]>,
    exchange: &Exchange,
    rules: &LimitRules,
    now: Moment,
) -> Option<String> {
    let all = || 0..exchange.markets().len();
    let chosen: Vec<usize> = match wanted {
        Some(names) => names.iter().map(|name| exchange.market(name)).collect::<Option<_>>()?,
        None => all().collect(),
    };
    let mut body = format!(
        r#"{{"timezone":"UTC","serverTime":{},"rateLimits":[{}],"exchangeFilters":[],"symbols":["#,
        now.epoch_ms,
        rate_limits(rules, None)
    );
    for (place, index) in chosen.into_iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        let market = &exchange.markets()[index];
        write_symbol(&mut body, &market.symbol, !market.is_closed(now.epoch_ms));
    }
    body.push_str("]}");
    Some(body)
}

/// The venue's limits, with what is used of them (weight, orders of ten seconds, orders of the
/// day).
pub fn rate_limits(rules: &LimitRules, used: Option<[u32; 3]>) -> String {
    let limits = [
        ("REQUEST_WEIGHT", "MINUTE", 1, rules.weight_per_min),
        ("ORDERS", "SECOND", 10, rules.orders_per_10s),
        ("ORDERS", "DAY", 1, rules.orders_per_day),
    ];
    // What is not limited is not told.
    let told = limits.iter().enumerate().filter(|(_, limit)| limit.3 < u32::MAX);
    let texts = told.map(|(index, (kind, interval, count, limit))| {
        let used = used.map_or(String::new(), |used| format!(r#","count":{}"#, used[index]));
        format!(
            r#"{{"rateLimitType":"{kind}","interval":"{interval}","intervalNum":{count},"limit":{limit}{used}}}"#
        )
    });
    texts.collect::<Vec<_>>().join(",")
}

fn write_symbol(body: &mut String, symbol: &SimulatedSymbol, is_trading: bool) {
    let status = if is_trading { "TRADING" } else { "BREAK" };
    let SimulatedSymbol { name, base_asset, quote_asset, .. } = symbol;
    let price = |value| Decimal::new(value, symbol.price_scale);
    let qty = |value| Decimal::new(value, symbol.qty_scale);
    let (tick, step) = (price(symbol.tick), qty(symbol.step));
    let (price_max, qty_max) = (price(symbol.price_max()), qty(symbol.qty_max()));
    let market_qty_max = qty(symbol.market_qty_max());
    let position = symbol.position_max.map_or(String::new(), |most| {
        format!(r#"{{"filterType":"MAX_POSITION","maxPosition":"{}"}},"#, qty(most))
    });
    let min_notional = price(symbol.min_notional);
    let price_factor_min = Decimal::new(100 / PRICE_FACTOR_MAX, 2);
    let _ = write!(
        body,
        r#"{{"symbol":"{name}","status":"{status}","baseAsset":"{base_asset}","baseAssetPrecision":8,"quoteAsset":"{quote_asset}","quotePrecision":8,"quoteAssetPrecision":8,"baseCommissionPrecision":8,"quoteCommissionPrecision":8,"orderTypes":["LIMIT","LIMIT_MAKER","MARKET","STOP_LOSS","STOP_LOSS_LIMIT","TAKE_PROFIT","TAKE_PROFIT_LIMIT"],"icebergAllowed":false,"ocoAllowed":false,"otoAllowed":false,"quoteOrderQtyMarketAllowed":false,"allowTrailingStop":false,"cancelReplaceAllowed":false,"amendAllowed":true,"isSpotTradingAllowed":true,"isMarginTradingAllowed":false,"filters":[{{"filterType":"PRICE_FILTER","minPrice":"{tick}","maxPrice":"{price_max}","tickSize":"{tick}"}},{{"filterType":"LOT_SIZE","minQty":"{step}","maxQty":"{qty_max}","stepSize":"{step}"}},{{"filterType":"MARKET_LOT_SIZE","minQty":"{step}","maxQty":"{market_qty_max}","stepSize":"{step}"}},{position}{{"filterType":"NOTIONAL","minNotional":"{min_notional}","applyMinToMarket":true,"maxNotional":"{MAX_NOTIONAL}.00000000","applyMaxToMarket":false,"avgPriceMins":5}},{{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"{PRICE_FACTOR_MAX}","bidMultiplierDown":"{price_factor_min}","askMultiplierUp":"{PRICE_FACTOR_MAX}","askMultiplierDown":"{price_factor_min}","avgPriceMins":0}},{{"filterType":"MAX_NUM_ORDERS","maxNumOrders":{OPEN_ORDERS_MAX}}},{{"filterType":"MAX_NUM_ALGO_ORDERS","maxNumAlgoOrders":{WAITING_ORDERS_MAX}}},{{"filterType":"MAX_NUM_ORDER_AMENDS","maxNumOrderAmends":{AMENDS_MAX}}}],"permissions":[],"permissionSets":[["SPOT"]],"defaultSelfTradePreventionMode":"EXPIRE_MAKER","allowedSelfTradePreventionModes":["NONE","EXPIRE_TAKER","EXPIRE_MAKER","EXPIRE_BOTH","DECREMENT"]}}"#
    );
}
