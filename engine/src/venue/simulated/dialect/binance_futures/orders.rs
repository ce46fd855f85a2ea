//! Orders: the WebSocket API (`/ws-fapi/v1`), the account's stream (`/private/ws`), and what is
//! asked over REST.
//!
//! Source: as of the engine's own protocol for this venue, from the other end. Simpler than the
//! venue: a modified order keeps its place and its price, nobody is liquidated, and a reduce-only
//! order is held against the position when it enters alone.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use super::super::Saying;
use super::super::Talk;
use super::super::binance_spot::decimal::Decimal;
use super::super::binance_spot::order_request::{client_id, text};
use super::super::binance_spot::refusal::{self, Refusal as Told};
use super::super::binance_spot::signature::{Keys, check_age};
use super::super::order_entry::{OrderFormat, Refused, Wish, number};
use super::rights::rights;
use super::words;
use crate::venue::simulated::exchange::{
    BalanceNow, Exchange, Filter, NewOrder, Order, OrderName, OrderReport, OrderType, Refusal,
    SelfTrade, Side, SimulatedSymbol, TimeInForce,
};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{HttpRequest, Reply};

/// Where orders are entered, and where the account is heard.
pub const API: &str = "/ws-fapi/v1";
pub const STREAM: &str = "/private/ws";
/// How the names of the account's streams begin: no word that is masked elsewhere with them.
const LISTEN_KEY: &str = "xq7Zk9vBpqia91ma19a5s61cv6a81va65sdf19v8a65a";
/// The account's stream ends so long after its name was asked for, or was kept up last.
const STREAM_MS: i64 = 3_600_000;
/// Fills of one list.
const FILLS_MAX: usize = 1_000;

/// How orders are worded.
pub(super) struct FuturesOrders {
    keys: Keys,
    symbols: Vec<SimulatedSymbol>,
    /// Streams of the account so far: each has a name of its own. 0: none was asked for.
    streams: Cell<u32>,
    /// The last of them lives until then, ms of the epoch.
    alive_until_ms: Cell<i64>,
    /// How long a second of its timers is.
    timer_second_ns: u64,
    key_trades: bool,
}

impl FuturesOrders {
    pub(super) fn new(options: &SimulatedVenueOptions) -> FuturesOrders {
        let public_key = options.verifying_key.clone();
        FuturesOrders {
            keys: Keys { api_key: options.api_key.clone(), public_key },
            symbols: options.symbols.clone(),
            streams: Cell::new(0),
            alive_until_ms: Cell::new(0),
            timer_second_ns: options.timer_second_ns,
            key_trades: options.key_trades,
        }
    }

    fn listen_key(&self) -> String {
        format!("{LISTEN_KEY}{}", self.streams.get())
    }

    /// Whether the account is heard under this name.
    pub(super) fn is_stream(&self, listen_key: &str, now: Moment) -> bool {
        self.is_alive(now.epoch_ms) && self.listen_key() == listen_key
    }

    fn is_alive(&self, now_ms: i64) -> bool {
        now_ms < self.alive_until_ms.get()
    }

    /// What a stream is told that was not kept up.
    pub(super) fn expired(&self, now: Moment) -> Option<String> {
        (!self.is_alive(now.epoch_ms)).then(|| self.end_stream(now))
    }

    /// The stream ends: what it is told.
    pub(super) fn end_stream(&self, now: Moment) -> String {
        self.alive_until_ms.set(0);
        let listen_key = self.listen_key();
        json!({"e": "listenKeyExpired", "E": now.epoch_ms, "listenKey": listen_key}).to_string()
    }

    /// A request that is about no order; `None`: it is about one.
    fn call(
        &self,
        method: &str,
        params: &Map<String, Value>,
        talk: &mut Talk<'_>,
    ) -> Option<Result<Value, Told>> {
        let now_ms = talk.now.epoch_ms;
        let result = match method {
            "session.logon" => self.keys.verify(params, now_ms).map(|()| {
                (talk.session.authorized_ms, talk.session.has_logged_on) = (Some(now_ms), true);
                json!({"apiKey": self.keys.api_key, "authorizedSince": now_ms,
                    "connectedSince": talk.session.connected_ms, "serverTime": now_ms})
            }),
            "userDataStream.start" | "userDataStream.ping" => {
                self.keep_stream(method, params, now_ms)
            }
            _ => return None,
        };
        Some(result)
    }

    /// The key's name is all that it takes.
    fn keep_stream(
        &self,
        method: &str,
        params: &Map<String, Value>,
        now_ms: i64,
    ) -> Result<Value, Told> {
        if text(params, "apiKey").as_deref() != Some(self.keys.api_key.as_str()) {
            return Err(Told::key());
        }
        if !self.is_alive(now_ms) {
            if method == "userDataStream.ping" {
                return Err(Told::bad(-1125, "This listenKey does not exist."));
            }
            self.streams.set(self.streams.get() + 1);
        }
        self.alive_until_ms.set(now_ms + STREAM_MS);
        Ok(json!({"listenKey": self.listen_key()}))
    }

    /// Whether a question is signed by the account, or what is wrong with it.
    fn check_signature(&self, request: &HttpRequest, now: Moment) -> Result<(), Told> {
        if request.header("x-mbx-apikey") != Some(self.keys.api_key.as_str()) {
            return Err(Told::key());
        }
        let mut params = Map::new();
        for pair in request.query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
            let value = match name {
                "timestamp" => value.parse::<i64>().map_or(Value::Null, Value::from),
                _ => Value::from(value),
            };
            params.insert(name.to_owned(), value);
        }
        check_age(&params, now.epoch_ms)?;
        let wrong = || Told::bad(-1022, "Signature for this request is not valid.");
        let (signed, _) = request.query.split_once("&signature=").ok_or_else(wrong)?;
        let signature = text(&params, "signature").ok_or_else(wrong)?;
        match self.keys.is_signed(signed, &signature) {
            true => Ok(()),
            false => Err(wrong()),
        }
    }

    fn order_text(&self, order: &Order) -> String {
        words::order(order, &self.symbols[order.market]).to_string()
    }

    fn open_in(&self, exchange: &Exchange, market: Option<usize>) -> String {
        let orders = exchange.orders();
        let texts = orders.open_ids(market).into_iter().map(|id| self.order_text(orders.by_id(id)));
        format!("[{}]", texts.collect::<Vec<_>>().join(","))
    }

    /// The fills of an order, from `fromId` on; without it, the newest.
    fn fills_of(&self, request: &HttpRequest, exchange: &Exchange) -> String {
        let number = |name: &str| request.parameter(name).and_then(|id| id.parse::<u64>().ok());
        let (order_id, from_id) = (number("orderId"), number("fromId"));
        let ledger = exchange.ledger().lock();
        let its = ledger.trades.iter().filter(|trade| Some(trade.order_id) == order_id);
        let mut its: Vec<_> =
            its.filter(|trade| from_id.is_none_or(|id| trade.trade_id >= id)).collect();
        match from_id {
            Some(_) => its.truncate(FILLS_MAX),
            None => drop(its.drain(..its.len().saturating_sub(FILLS_MAX))),
        }
        let text = |trade| words::fill(trade, &self.symbols[trade.market]).to_string();
        format!("[{}]", its.into_iter().map(text).collect::<Vec<_>>().join(","))
    }

    /// Cancels all of a market unless it is told again in time; 0 ends that.
    fn count_down(
        &self,
        request: &HttpRequest,
        (market, symbol): (usize, &str),
        exchange: &Exchange,
        now: Moment,
    ) -> Result<String, Told> {
        let wanted = request.parameter("countdownTime").and_then(|ms| ms.parse::<u64>().ok());
        let ms = wanted.ok_or_else(|| {
            Told::bad(-1102, "Mandatory parameter 'countdownTime' was not sent or malformed.")
        })?;
        let at_ns = match ms {
            0 => u64::MAX,
            ms => now.ns.saturating_add(ms.saturating_mul(self.timer_second_ns) / 1_000),
        };
        exchange.cancel_all_of_at(market, at_ns);
        Ok(json!({"symbol": symbol, "countdownTime": ms.to_string()}).to_string())
    }

    fn answer(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
        is_behind: bool,
        now: Moment,
    ) -> Option<Result<String, Told>> {
        let symbol = request.parameter("symbol").unwrap_or_default();
        let market = exchange.market(&symbol);
        let no_market = || Told::bad(-1121, "Invalid symbol.");
        Some(match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/fapi/v1/order") => {
                let name = request.parameter("origClientOrderId").unwrap_or_default();
                let name = OrderName::Client(name.into_owned());
                let order = market.and_then(|market| exchange.orders().find(market, &name));
                let order = order.filter(|_| !is_behind);
                order.map(|of| self.order_text(of)).ok_or_else(|| Refusal::NoSuchOrder.into())
            }
            ("GET", "/fapi/v1/openOrders") if symbol.is_empty() => Ok(self.open_in(exchange, None)),
            ("GET", "/fapi/v1/openOrders") => {
                market.map(|market| self.open_in(exchange, Some(market))).ok_or_else(no_market)
            }
            ("DELETE", "/fapi/v1/allOpenOrders") => market.ok_or_else(no_market).map(|market| {
                exchange.cancel_all_of(market);
                let message = "The operation of cancel all open order is done.";
                json!({"code": 200, "msg": message}).to_string()
            }),
            ("POST", "/fapi/v1/countdownCancelAll") => market
                .ok_or_else(no_market)
                .and_then(|market| self.count_down(request, (market, &symbol), exchange, now)),
            ("GET", "/fapi/v1/userTrades") => Ok(self.fills_of(request, exchange)),
            ("GET", "/fapi/v3/positionRisk") => Ok(words::positions(exchange).to_string()),
            ("GET", "/fapi/v3/balance") => {
                Ok(words::wallets(exchange.orders().account().balances()).to_string())
            }
            _ => return None,
        })
    }
}

impl OrderFormat for FuturesOrders {
    fn paths(&self) -> &'static [&'static str] {
        &[API, STREAM]
    }

    fn answers(&mut self, text: &str, talk: &mut Talk<'_>) -> bool {
        if talk.session.part == STREAM {
            return true;
        }
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        let (method, nothing) = (request["method"].as_str().unwrap_or_default(), Map::new());
        let params = request["params"].as_object().unwrap_or(&nothing);
        let Some(result) = self.call(method, params, talk) else { return false };
        talk.says.push(Saying::Now(reply(&request["id"], result)));
        true
    }

    fn read(&self, text: &str, exchange: &Exchange, now: Moment) -> Result<Wish, Refused> {
        let request: Value = serde_json::from_str(text).map_err(|_| Refused::Malformed)?;
        let params = request["params"].as_object().ok_or(Refused::Malformed)?;
        check_age(params, now.epoch_ms).map_err(|_| Refused::Expired)?;
        let symbol = params.get("symbol").and_then(Value::as_str).unwrap_or_default();
        let market = exchange.market(symbol).ok_or(Refused::NoSuchMarket)?;
        let symbol = &exchange.markets()[market].symbol;
        let name = |what: &str| match client_id(params, what) {
            Ok(Some(name)) => Ok(name),
            _ => Err(Refused::Malformed),
        };
        match request["method"].as_str() {
            Some("order.place") => {
                let name = name("newClientOrderId")?;
                new_order(params, (market, name), symbol).map(Box::new).map(Wish::Place)
            }
            Some("order.cancel") => {
                Ok(Wish::Cancel(market, OrderName::Client(name("origClientOrderId")?)))
            }
            Some("order.modify") => {
                side(params)?;
                number_of(params, "price", symbol.price_scale, Filter::Price)?;
                let qty = number_of(params, "quantity", symbol.qty_scale, Filter::LotSize)?;
                Ok(Wish::Amend(market, OrderName::Client(name("origClientOrderId")?), qty))
            }
            _ => Err(Refused::Malformed),
        }
    }

    /// A new order is answered as it was when it was taken, whatever it has met since.
    fn granted(&self, text: &str, order: &Order, _now: Moment) -> String {
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        let mut told = words::order(order, &self.symbols[order.market]);
        if request["method"] == "order.place" {
            let nothing = Decimal::new(0, 0).to_string();
            (told["status"], told["executedQty"]) = (json!("NEW"), json!(nothing));
            (told["cumQuote"], told["avgPrice"]) = (json!(nothing), json!("0.00"));
        }
        reply(&request["id"], Ok(told))
    }

    fn refused(&self, text: &str, why: Refused, _now: Moment) -> String {
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        reply(&request["id"], Err(refusal(why)))
    }

    fn report(
        &self,
        report: &OrderReport,
        symbol: &SimulatedSymbol,
        now: Moment,
    ) -> Option<String> {
        words::report(report, symbol, now.epoch_ms)
    }

    fn balances(
        &self,
        balances: &[BalanceNow],
        exchange: &Exchange,
        now: Moment,
    ) -> Option<String> {
        Some(words::account(balances, exchange, now.epoch_ms))
    }

    fn rest(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
        is_behind: bool,
        now: Moment,
    ) -> Option<Reply> {
        let told = rights(request, self.key_trades).map(|told| Ok(told.to_string()));
        let answer = told.or_else(|| self.answer(request, exchange, is_behind, now))?;
        let answer = self.check_signature(request, now).and(answer);
        Some(match answer {
            Ok(body) => Reply::json(body.into_bytes()),
            Err(Told { status, code, message, .. }) => refusal::http(status, code, &message),
        })
    }
}

fn side(params: &Map<String, Value>) -> Result<Side, Refused> {
    match text(params, "side").as_deref() {
        Some("BUY") => Ok(Side::Buy),
        Some("SELL") => Ok(Side::Sell),
        _ => Err(Refused::Malformed),
    }
}

fn number_of(
    params: &Map<String, Value>,
    name: &str,
    scale: u32,
    filter: Filter,
) -> Result<u64, Refused> {
    number(text(params, name).as_deref(), scale, filter)
}

fn new_order(
    params: &Map<String, Value>,
    (market, name): (usize, String),
    symbol: &SimulatedSymbol,
) -> Result<NewOrder, Refused> {
    let (kind, life) = (text(params, "type"), text(params, "timeInForce"));
    let (order_type, time_in_force) = match (kind.as_deref(), life.as_deref()) {
        (Some("LIMIT"), Some("GTC")) => (OrderType::Limit, TimeInForce::Gtc),
        (Some("LIMIT"), Some("GTX")) => (OrderType::LimitMaker, TimeInForce::Gtc),
        (Some("LIMIT"), Some("IOC")) => (OrderType::Limit, TimeInForce::Ioc),
        (Some("LIMIT"), Some("FOK")) => (OrderType::Limit, TimeInForce::Fok),
        (Some("MARKET"), None) => (OrderType::Market, TimeInForce::Gtc),
        _ => return Err(Refused::Malformed),
    };
    let price = match order_type.is_priced() {
        true => number_of(params, "price", symbol.price_scale, Filter::Price)?,
        false => 0,
    };
    Ok(NewOrder {
        market,
        side: side(params)?,
        order_type,
        time_in_force,
        price,
        stop_price: 0,
        qty: number_of(params, "quantity", symbol.qty_scale, Filter::LotSize)?,
        client_order_id: Some(name),
        self_trade: Some(SelfTrade::ExpireMaker),
        is_accepted_first: false,
        reduces_only: text(params, "reduceOnly").as_deref() == Some("true"),
    })
}

fn reply(id: &Value, result: Result<Value, Told>) -> String {
    match result {
        Ok(result) => format!(r#"{{"id":{id},"status":200,"result":{result}}}"#),
        Err(Told { status, code, message, .. }) => {
            let error = json!({"code": code, "msg": message});
            format!(r#"{{"id":{id},"status":{status},"error":{error}}}"#)
        }
    }
}

fn refusal(why: Refused) -> Told {
    match why {
        Refused::NotLoggedOn => Told::key(),
        Refused::Expired => {
            Told::bad(-1021, "Timestamp for this request is outside of the recvWindow.")
        }
        Refused::Malformed => Told::bad(-1102, "Mandatory parameter was not sent or malformed."),
        Refused::NoSuchMarket => Told::bad(-1121, "Invalid symbol."),
        Refused::TooManyOrders => Told::new(429, -1015, "Too many new orders."),
        Refused::Unknown => {
            let message = "Timeout waiting for response from backend server. Send status unknown; \
                           execution status unknown.";
            Told::new(504, -1007, message)
        }
        Refused::Internal => {
            Told::bad(-1001, "Internal error; unable to process your request. Please try again.")
        }
        Refused::Exchange(Refusal::WouldTake) => Told::bad(
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be \
             rejected.",
        ),
        Refused::Exchange(Refusal::NoBalance) => Told::bad(-2019, "Margin is insufficient."),
        Refused::Exchange(refusal) => refusal.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_lives_for_an_hour_behind_its_last_upkeep_and_keeps_its_name() {
        let options = SimulatedVenueOptions::default();
        let (orders, key) = (FuturesOrders::new(&options), options.api_key);
        let params = json!({"apiKey": key}).as_object().cloned().unwrap_or_default();
        let asked = |method: &str, now_ms: i64| {
            let told = orders.keep_stream(method, &params, now_ms);
            told.map(|told| told["listenKey"].to_string()).map_err(|refused| refused.code)
        };
        let at = |epoch_ms: i64| Moment { epoch_ms, ns: 0 };
        assert_eq!(asked("userDataStream.ping", 0), Err(-1125), "there is none");
        let first = asked("userDataStream.start", 0).expect("a name");
        let name = first.trim_matches('"');
        assert!(
            orders.is_stream(name, at(STREAM_MS - 1)) && !orders.is_stream(name, at(STREAM_MS))
        );
        assert_eq!(asked("userDataStream.ping", STREAM_MS - 1).as_ref(), Ok(&first));
        assert_eq!(orders.expired(at(2 * STREAM_MS - 2)), None);
        let told = orders.expired(at(2 * STREAM_MS)).expect("it has ended");
        assert!(told.contains("listenKeyExpired") && told.contains(name), "{told}");
        assert_eq!(asked("userDataStream.ping", 2 * STREAM_MS), Err(-1125));
        assert_ne!(asked("userDataStream.start", 2 * STREAM_MS), Ok(first), "another one");
    }
}
