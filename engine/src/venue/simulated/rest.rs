//! The REST side of the simulation: what a client needs before it subscribes.

use std::fmt::Write as _;

use super::book::Side;
use super::clock::epoch_ms;
use super::decimal::Decimal;
use super::frames::FrameWriter;
use super::http::{Reply, Request};
use super::market::Market;
use super::options::SimulatedSymbol;

/// Levels of a snapshot when the request names no limit.
const LEVELS_DEFAULT: usize = 100;
/// The venue never gives more levels than this.
const LEVELS_MAX: usize = 5_000;

/// Answers a request about the markets.
pub(super) fn answer(request: &Request, markets: &[Market], writer: &mut FrameWriter) -> Reply {
    match request.path.as_str() {
        "/api/v3/ping" => Reply::json(b"{}".to_vec()),
        "/api/v3/time" => Reply::json(format!(r#"{{"serverTime":{}}}"#, epoch_ms()).into_bytes()),
        "/api/v3/depth" => depth(request, markets, writer),
        "/api/v3/exchangeInfo" => {
            let symbols: Vec<&SimulatedSymbol> = markets.iter().map(|m| &m.symbol).collect();
            exchange_info(request, &symbols)
        }
        _ => Reply::not_found(),
    }
}

fn depth(request: &Request, markets: &[Market], writer: &mut FrameWriter) -> Reply {
    let limit = match depth_limit(request) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    let name = match wanted_symbol(request) {
        Ok(name) => name,
        Err(refusal) => return refusal,
    };
    let Some(market) = markets.iter().find(|market| market.symbol.name == name) else {
        return invalid_symbol();
    };
    let levels = |side| market.book.levels(side).take(limit);
    let (bids, asks) = (levels(Side::Buy), levels(Side::Sell));
    writer.depth_snapshot(&market.symbol, market.update_id(), bids, asks);
    Reply::json(writer.bytes().to_vec())
}

/// The levels asked for; refused when it is no number above 0.
pub(super) fn depth_limit(request: &Request) -> Result<usize, Reply> {
    let Some(text) = request.parameter("limit") else { return Ok(LEVELS_DEFAULT) };
    match text.parse() {
        Ok(limit @ 1..) => Ok(LEVELS_MAX.min(limit)),
        _ => Err(Reply::error(400, -1100, "Illegal characters found in parameter 'limit'.")),
    }
}

/// The symbol asked for; refused when there is none.
pub(super) fn wanted_symbol(request: &Request) -> Result<String, Reply> {
    let message = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.";
    let name = request.parameter("symbol").filter(|name| !name.is_empty());
    name.map(Into::into).ok_or_else(|| Reply::error(400, -1102, message))
}

pub(super) fn invalid_symbol() -> Reply {
    Reply::error(400, -1121, "Invalid symbol.")
}

/// The rules of all symbols, or of those asked for by `symbol` or `symbols`.
pub(super) fn exchange_info(request: &Request, symbols: &[&SimulatedSymbol]) -> Reply {
    let wanted: Option<Vec<String>> =
        match (request.parameter("symbol"), request.parameter("symbols")) {
            (Some(name), None) => Some(vec![name.into_owned()]),
            (None, Some(list)) => match serde_json::from_str(&list) {
                Ok(names) => Some(names),
                Err(_) => {
                    let message = "Illegal characters found in parameter 'symbols'.";
                    return Reply::error(400, -1100, message);
                }
            },
            (None, None) => None,
            (Some(_), Some(_)) => {
                return Reply::error(400, -1128, "Combination of optional parameters invalid.");
            }
        };
    let find = |name: &String| symbols.iter().find(|symbol| symbol.name == *name).copied();
    let chosen: Option<Vec<&SimulatedSymbol>> = match &wanted {
        Some(names) => names.iter().map(find).collect(),
        None => Some(symbols.to_vec()),
    };
    let Some(chosen) = chosen else { return invalid_symbol() };
    let mut body = String::new();
    let _ = write!(
        body,
        r#"{{"timezone":"UTC","serverTime":{},"rateLimits":[{REST_LIMITS}],"exchangeFilters":[],"symbols":["#,
        epoch_ms()
    );
    for (index, symbol) in chosen.into_iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        write_symbol(&mut body, symbol);
    }
    body.push_str("]}");
    Reply::json(body.into_bytes())
}

const REST_LIMITS: &str = r#"{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50},{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000}"#;

fn write_symbol(body: &mut String, symbol: &SimulatedSymbol) {
    let SimulatedSymbol { name, base_asset, quote_asset, .. } = symbol;
    let price = |value| Decimal::new(value, symbol.price_scale);
    let qty = |value| Decimal::new(value, symbol.qty_scale);
    let (tick, step) = (price(symbol.tick), qty(symbol.step));
    let (price_max, qty_max) = (price(symbol.price_max()), qty(symbol.qty_max()));
    let min_notional = price(symbol.min_notional);
    let _ = write!(
        body,
        r#"{{"symbol":"{name}","status":"TRADING","baseAsset":"{base_asset}","baseAssetPrecision":8,"quoteAsset":"{quote_asset}","quotePrecision":8,"quoteAssetPrecision":8,"baseCommissionPrecision":8,"quoteCommissionPrecision":8,"orderTypes":["LIMIT","LIMIT_MAKER","MARKET"],"icebergAllowed":false,"ocoAllowed":false,"otoAllowed":false,"quoteOrderQtyMarketAllowed":false,"allowTrailingStop":false,"cancelReplaceAllowed":false,"amendAllowed":false,"isSpotTradingAllowed":true,"isMarginTradingAllowed":false,"filters":[{{"filterType":"PRICE_FILTER","minPrice":"{tick}","maxPrice":"{price_max}","tickSize":"{tick}"}},{{"filterType":"LOT_SIZE","minQty":"{step}","maxQty":"{qty_max}","stepSize":"{step}"}},{{"filterType":"NOTIONAL","minNotional":"{min_notional}","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5}},{{"filterType":"MAX_NUM_ORDERS","maxNumOrders":200}}],"permissions":[],"permissionSets":[["SPOT"]],"defaultSelfTradePreventionMode":"NONE","allowedSelfTradePreventionModes":["NONE"]}}"#
    );
}
