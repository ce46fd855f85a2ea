//! How the venue words its order entry, the account's stream, and what REST answers of orders.
//!
//! Strict: orders come to `/v5/trade` and are told of on `/v5/private`, both after a logon; a
//! request has a time and a number of its own, a question a signature. A maker that would take is
//! accepted first. All is cancelled once the last connection with `dcp.spot` has been lost for the
//! time that was set, where the account was granted that.

use std::cell::Cell;

use ring::hmac;
use serde_json::{Value, json};

use super::rights::rights;
use crate::venue::simulated::dialect::in_band::{price, qty};
use crate::venue::simulated::dialect::order_entry::{
    OrderFormat, Refused, Wish, amount, average, number,
};
use crate::venue::simulated::dialect::{Saying, Talk};
use crate::venue::simulated::exchange::{
    BalanceNow, Exchange, ExecKind, ExpiryReason, Filter, LedgerTrade, NewOrder, Order, OrderFill,
    OrderName, OrderReport, OrderType, Refusal, SelfTrade, Side, SimulatedSymbol, Status,
    TimeInForce,
};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{HttpRequest, Reply, Session};

const TRADE: &str = "/v5/trade";
const STREAM: &str = "/v5/private";
/// A client's clock may be ahead by this much, ms.
const AHEAD_MAX_MS: i64 = 1_000;
/// A client's own name has at most this many letters, digits, dashes and underscores.
const NAME_LEN_MAX: usize = 36;
/// Fills of one answer.
const FILLS_MAX: usize = 100;
/// Open orders of one answer, and as many where nobody says.
const PAGE: std::ops::RangeInclusive<u64> = 1..=50;
const PAGE_USUAL: u64 = 20;
/// Cancels of one request.
const CANCELS_MAX: usize = 10;

/// What connections subscribe to that are watched, and the path that sets after which time all is
/// cancelled that they leave behind.
const WATCH_TOPIC: &str = "dcp.spot";
const WATCH_PATH: &str = "/v5/order/disconnected-cancel-all";
/// As long as nothing was set, s.
const WATCH_USUAL_S: u64 = 10;

/// The words, and the account's key.
pub(super) struct BybitOrders {
    api_key: String,
    key: hmac::Key,
    /// How long a second of its timers is.
    timer_second_ns: u64,
    is_watch_granted: bool,
    key_trades: bool,
    /// Time after which all is cancelled, s.
    watch_s: Cell<u64>,
    /// A connection is there that is watched.
    is_watching: bool,
}

impl BybitOrders {
    pub(super) fn new(options: &SimulatedVenueOptions) -> BybitOrders {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &options.verifying_key);
        BybitOrders {
            api_key: options.api_key.clone(),
            key,
            timer_second_ns: options.timer_second_ns,
            is_watch_granted: options.grants_disconnect_cancel,
            key_trades: options.key_trades,
            watch_s: Cell::new(WATCH_USUAL_S),
            is_watching: false,
        }
    }

    fn is_signed(&self, text: &str, sign: &str) -> bool {
        let sign = data_encoding::HEXLOWER.decode(sign.as_bytes()).unwrap_or_default();
        hmac::verify(&self.key, text.as_bytes(), &sign).is_ok()
    }

    /// What is wrong with a logon, if anything is.
    fn check_auth(&self, args: &Value, now: Moment) -> Result<(), (i32, &'static str)> {
        let expires_ms = args[1].as_i64().ok_or((10_001, "param error"))?;
        if args[0].as_str() != Some(&self.api_key) {
            return Err((10_003, "API key is invalid"));
        }
        if expires_ms < now.epoch_ms {
            return Err((10_002, "The request time exceeds the time window range."));
        }
        let sign = args[2].as_str().unwrap_or_default();
        match self.is_signed(&format!("GET/realtime{expires_ms}"), sign) {
            true => Ok(()),
            false => Err((10_004, "Error sign")),
        }
    }

    fn log_on(&self, request: &Value, talk: &mut Talk<'_>) {
        let checked = self.check_auth(&request["args"], talk.now);
        let (code, message) = checked.err().unwrap_or((0, "OK"));
        let text = match talk.session.part == STREAM {
            true => json!({"success": code == 0, "ret_msg": message, "op": "auth",
                "req_id": request["req_id"], "conn_id": "0"}),
            false => json!({"retCode": code, "retMsg": message, "op": "auth",
                "reqId": request["reqId"], "connId": "0"}),
        };
        talk.says.push(Saying::Now(text.to_string()));
        if code == 0 {
            talk.session.authorized_ms = Some(talk.now.epoch_ms);
            talk.session.has_logged_on = true;
        } else {
            talk.says.push(Saying::Close { at_ns: talk.now.ns });
        }
    }

    fn subscribe(&mut self, request: &Value, talk: &mut Talk<'_>) {
        let is_right = talk.session.authorized_ms.is_some() && talk.session.part == STREAM;
        let topics = request["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for topic in topics.filter(|_| is_right) {
            if request["op"] == "subscribe" {
                talk.session.user_subscription = Some(0);
                talk.session.subscribe(topic, None);
            } else {
                talk.session.unsubscribe(topic, None);
                // It has left, and is not lost.
                self.is_watching &= topic != WATCH_TOPIC;
            }
        }
        let message = if is_right { "" } else { "error:request not authorized" };
        let text = json!({"success": is_right, "ret_msg": message, "op": request["op"],
            "req_id": request["req_id"], "conn_id": "0"});
        talk.says.push(Saying::Now(text.to_string()));
    }

    /// Sets the time after which all is cancelled, or tells it; `None`: it is another path.
    fn watched(&self, request: &HttpRequest) -> Option<Result<Value, (i32, &'static str)>> {
        let told = match (request.method.as_str(), request.path.as_str()) {
            ("POST", WATCH_PATH) => self.set_watch(request).map(|()| json!({})),
            ("GET", "/v5/account/query-dcp-info") => {
                let window = self.watch_s.get().to_string();
                let info = json!({"product": "SPOT", "dcpStatus": "ON", "timeWindow": window});
                let infos = Vec::from_iter(self.is_watch_granted.then_some(info));
                Ok(json!({"dcpInfos": infos}))
            }
            _ => return None,
        };
        Some(told)
    }

    /// Left out, the product is another: 3 to 300 s, as a number.
    fn set_watch(&self, request: &HttpRequest) -> Result<(), (i32, &'static str)> {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let window = body["timeWindow"].as_u64().filter(|window| (3..=300).contains(window));
        let window = window.filter(|_| body["product"] == "SPOT");
        let window = window.ok_or((10_001, "Request parameter error"))?;
        if !self.is_watch_granted {
            return Err((10_005, "Permission denied"));
        }
        self.watch_s.set(window);
        Ok(())
    }

    /// Whether a question is signed by the account, or what is wrong with it.
    fn check_signature(
        &self,
        request: &HttpRequest,
        now: Moment,
    ) -> Result<(), (i32, &'static str)> {
        let header = |name: &str| request.header(name).unwrap_or_default();
        let (time, window) = (header("x-bapi-timestamp"), header("x-bapi-recv-window"));
        if header("x-bapi-api-key") != self.api_key {
            return Err((10_003, "API key is invalid."));
        }
        let what = if request.method == "POST" { &request.body } else { &request.query };
        let text = format!("{time}{}{window}{what}", self.api_key);
        if !self.is_signed(&text, header("x-bapi-sign")) {
            return Err((10_004, "Error sign"));
        }
        match is_in_window(time, window, now) {
            true => Ok(()),
            false => Err((10_002, "The request time exceeds the time window range.")),
        }
    }

    /// Cancels what is open in a symbol, and names it.
    fn cancel_all(request: &HttpRequest, exchange: &Exchange) -> String {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let named = body["symbol"].as_str().and_then(|symbol| exchange.market(symbol));
        let Some(market) = named.filter(|_| body["category"] == "spot") else {
            return String::new();
        };
        exchange.cancel_all_of(market);
        let name = |order: &Order| {
            let (id, link) = (order.id.to_string(), &order.client_order_id);
            json!({"orderId": id, "orderLinkId": link}).to_string()
        };
        each_open(exchange, market, name)
    }

    /// What the account has open, or what it has; `None`: something else is asked for.
    fn listed(
        request: &HttpRequest,
        exchange: &Exchange,
    ) -> Option<Result<String, (i32, &'static str)>> {
        match request.path.as_str() {
            "/v5/order/realtime" if request.parameter("orderLinkId").is_none() => {
                Some(page_of_open(request, exchange))
            }
            "/v5/account/wallet-balance" => {
                let is_unified = request.parameter("accountType").as_deref() == Some("UNIFIED");
                let account = || wallet(exchange.orders().account().balances());
                let list = is_unified.then(|| json!({"list": [account()]}).to_string());
                Some(list.ok_or((10_001, "accountType is wrong")))
            }
            _ => None,
        }
    }

    fn fills_of(&self, request: &HttpRequest, exchange: &Exchange) -> String {
        let id = request.parameter("orderId").and_then(|id| id.parse::<u64>().ok());
        let ledger = exchange.ledger().lock();
        let its = ledger.trades.iter().rev().filter(|trade| Some(trade.order_id) == id);
        let fill = |trade: &LedgerTrade| listed(trade, &exchange.markets()[trade.market].symbol);
        its.take(FILLS_MAX).map(fill).collect::<Vec<_>>().join(",")
    }
}

/// Whether a time stamp is neither too old nor from the future.
fn is_in_window(time: &str, window: &str, now: Moment) -> bool {
    let (Ok(time_ms), Ok(window_ms)) = (time.parse::<i64>(), window.parse::<i64>()) else {
        return false;
    };
    now.epoch_ms - window_ms <= time_ms && time_ms < now.epoch_ms + AHEAD_MAX_MS
}

impl OrderFormat for BybitOrders {
    fn paths(&self) -> &'static [&'static str] {
        &[TRADE, STREAM]
    }

    fn answers(&mut self, text: &str, talk: &mut Talk<'_>) -> bool {
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        match request["op"].as_str() {
            Some("ping") => {
                let text = r#"{"retCode":0,"retMsg":"OK","op":"pong","data":["0"],"connId":"0"}"#;
                talk.says.push(Saying::Now(text.to_owned()));
            }
            Some("auth") => self.log_on(&request, talk),
            Some("subscribe" | "unsubscribe") => self.subscribe(&request, talk),
            _ => return talk.session.part != TRADE,
        }
        true
    }

    fn read(&self, text: &str, exchange: &Exchange, now: Moment) -> Result<Wish, Refused> {
        let request: Value = serde_json::from_str(text).map_err(|_| Refused::Malformed)?;
        let (arg, header) = (&request["args"][0], &request["header"]);
        let stamp = |name: &str| header[name].as_str().unwrap_or_default();
        if !is_in_window(stamp("X-BAPI-TIMESTAMP"), stamp("X-BAPI-RECV-WINDOW"), now) {
            return Err(Refused::Expired);
        }
        if arg["category"] != "spot" {
            return Err(Refused::Malformed);
        }
        let market = exchange.market(arg["symbol"].as_str().unwrap_or_default());
        let market = market.ok_or(Refused::NoSuchMarket)?;
        let name = arg["orderLinkId"].as_str().ok_or(Refused::Malformed)?.to_owned();
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=NAME_LEN_MAX).contains(&name.len()) || !name.bytes().all(is_of_name) {
            return Err(Refused::Malformed);
        }
        let symbol = &exchange.markets()[market].symbol;
        match request["op"].as_str() {
            Some("order.create") => {
                new_order(arg, (market, name), symbol).map(Box::new).map(Wish::Place)
            }
            Some("order.cancel") => Ok(Wish::Cancel(market, OrderName::Client(name))),
            Some("order.amend") => {
                let size = number(arg["qty"].as_str(), symbol.qty_scale, Filter::LotSize)?;
                Ok(Wish::Amend(market, OrderName::Client(name), size))
            }
            _ => Err(Refused::Malformed),
        }
    }

    fn cancels(&self, text: &str) -> Option<Vec<String>> {
        let request: Value = serde_json::from_str(text).ok()?;
        let arg = &request["args"][0];
        let all = arg["request"].as_array().filter(|all| all.len() <= CANCELS_MAX)?;
        let one = |of: &Value| {
            let arg = json!({"category": arg["category"], "symbol": of["symbol"],
                "orderLinkId": of["orderLinkId"]});
            json!({"reqId": request["reqId"], "header": request["header"], "op": "order.cancel",
                "args": [arg]})
            .to_string()
        };
        (request["op"] == "order.cancel-batch").then(|| all.iter().map(one).collect())
    }

    fn together(&self, text: &str, answers: &[String], now: Moment) -> String {
        let each = answers.iter().filter_map(|answer| serde_json::from_str::<Value>(answer).ok());
        let (orders, outcomes): (Vec<Value>, Vec<Value>) = each
            .map(|of| (of["data"].clone(), json!({"code": of["retCode"], "msg": of["retMsg"]})))
            .unzip();
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        json!({"reqId": request["reqId"], "retCode": 0, "retMsg": "OK", "op": request["op"],
            "data": {"list": orders}, "retExtInfo": {"list": outcomes},
            "header": {"Timenow": now.epoch_ms.to_string()}, "connId": "0"})
        .to_string()
    }

    fn granted(&self, text: &str, order: &Order, now: Moment) -> String {
        let data = json!({"orderId": order.id.to_string(), "orderLinkId": order.client_order_id});
        reply(text, (0, "OK"), &data, now)
    }

    fn refused(&self, text: &str, why: Refused, now: Moment) -> String {
        reply(text, refusal(why), &json!({}), now)
    }

    fn report(
        &self,
        report: &OrderReport,
        symbol: &SimulatedSymbol,
        now: Moment,
    ) -> Option<String> {
        let ms = now.epoch_ms;
        let order = &report.order;
        let (topic, entry) = match &report.kind {
            ExecKind::Trade(fill) => ("execution.spot", execution(order, fill, symbol, ms)),
            // Nothing of it is told before it ends.
            ExecKind::Prevented { .. } if order.is_open() => return None,
            _ => ("order.spot", order_text(order, symbol)),
        };
        Some(format!(r#"{{"id":"0","topic":"{topic}","creationTime":{ms},"data":[{entry}]}}"#))
    }

    fn balances(
        &self,
        balances: &[BalanceNow],
        _exchange: &Exchange,
        now: Moment,
    ) -> Option<String> {
        let account = wallet(balances);
        let told =
            json!({"id": "0", "topic": "wallet", "creationTime": now.epoch_ms, "data": [account]});
        Some(told.to_string())
    }

    fn rest(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
        is_behind: bool,
        now: Moment,
    ) -> Option<Reply> {
        let ms = now.epoch_ms;
        let told = rights(request, self.key_trades).map(Ok);
        if let Some(told) = told.or_else(|| self.watched(request)) {
            let told = self.check_signature(request, now).and(told);
            let (code, message) = told.as_ref().err().copied().unwrap_or((0, "success"));
            let result = told.unwrap_or_default();
            let body = json!({"retCode": code, "retMsg": message, "result": result, "time": ms});
            return Some(Reply::json(body.to_string().into_bytes()));
        }
        let parameter = |name: &str| request.parameter(name).unwrap_or_default().into_owned();
        if let Some(listed) = Self::listed(request, exchange) {
            let listed = self.check_signature(request, now).and(listed);
            let (code, message) = listed.as_ref().err().copied().unwrap_or((0, "OK"));
            let result = listed.unwrap_or_else(|_| "{}".to_owned());
            let body = format!(
                r#"{{"retCode":{code},"retMsg":"{message}","result":{result},"retExtInfo":{{}},"time":{ms}}}"#
            );
            return Some(Reply::json(body.into_bytes()));
        }
        let list = match request.path.as_str() {
            // As after a restart of the venue: the present list has nothing that is over.
            "/v5/order/cancel-all" if request.method == "POST" => {
                if self.check_signature(request, now).is_ok() {
                    Self::cancel_all(request, exchange)
                } else {
                    String::new()
                }
            }
            path @ ("/v5/order/realtime" | "/v5/order/history") => {
                let is_present = path.ends_with("realtime");
                let market = exchange.market(&parameter("symbol"));
                let name = OrderName::Client(parameter("orderLinkId"));
                let order = market.and_then(|market| exchange.orders().find(market, &name));
                let order = order.filter(|of| !is_behind && (of.is_open() || !is_present));
                let text =
                    |order: &Order| order_text(order, &exchange.markets()[order.market].symbol);
                order.map_or_else(String::new, text)
            }
            "/v5/execution/list" => self.fills_of(request, exchange),
            _ => return None,
        };
        let body = match self.check_signature(request, now) {
            Ok(()) => format!(
                r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"spot","list":[{list}]}},"time":{ms}}}"#
            ),
            Err((code, message)) => {
                format!(r#"{{"retCode":{code},"retMsg":"{message}","result":{{}},"time":{ms}}}"#)
            }
        };
        Some(Reply::json(body.into_bytes()))
    }

    fn watch(
        &mut self,
        mut sessions: &mut dyn Iterator<Item = &Session>,
        exchange: &Exchange,
        now: Moment,
    ) {
        let is_watched = |session: &Session| {
            session.part == STREAM && session.names.iter().any(|name| name == WATCH_TOPIC)
        };
        let is_watching = self.is_watch_granted && Iterator::any(&mut sessions, is_watched);
        match (self.is_watching, is_watching) {
            (true, false) => {
                exchange.cancel_all_at(now.ns + self.watch_s.get() * self.timer_second_ns);
            }
            // One of them is back in time.
            (false, true) => exchange.cancel_all_at(u64::MAX),
            _ => {}
        }
        self.is_watching = is_watching;
    }
}

/// What the account has, as the topic and REST tell it.
fn wallet(balances: &[BalanceNow]) -> Value {
    let coin = |balance: &BalanceNow| {
        json!({
            "coin": &*balance.asset, "walletBalance": amount(balance.free + balance.locked),
            "locked": amount(balance.locked), "equity": amount(balance.free + balance.locked),
        })
    };
    let coins: Vec<Value> = balances.iter().map(coin).collect();
    json!({"accountType": "UNIFIED", "coin": coins})
}

/// A page of what is open on spot, in a symbol or in all, the newest first.
fn page_of_open(request: &HttpRequest, exchange: &Exchange) -> Result<String, (i32, &'static str)> {
    let wrong = (10_001, "Request parameter error");
    let number = |name: &str, usual: u64| match request.parameter(name) {
        None => Ok(usual),
        Some(number) => number.parse::<u64>().map_err(|_| wrong),
    };
    let limit = number("limit", PAGE_USUAL)?;
    if request.parameter("category").as_deref() != Some("spot") || !PAGE.contains(&limit) {
        return Err(wrong);
    }
    let market = match request.parameter("symbol") {
        None => None,
        Some(symbol) => Some(exchange.market(&symbol).ok_or((10_029, "Invalid symbol"))?),
    };
    let before = number("cursor", u64::MAX)?;
    let orders = exchange.orders();
    let mut ids = orders.open_ids(market);
    ids.retain(|id| *id < before);
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    ids.truncate(limit as usize);
    let text = |id: &u64| {
        let order = orders.by_id(*id);
        order_text(order, &exchange.markets()[order.market].symbol)
    };
    let list = ids.iter().map(text).collect::<Vec<_>>().join(",");
    let next = ids.last().map_or(String::new(), u64::to_string);
    Ok(format!(r#"{{"category":"spot","nextPageCursor":"{next}","list":[{list}]}}"#))
}

fn each_open(exchange: &Exchange, market: usize, text: impl Fn(&Order) -> String) -> String {
    let orders = exchange.orders();
    let ids = orders.open_ids(Some(market)).into_iter();
    ids.map(|id| text(orders.by_id(id))).collect::<Vec<_>>().join(",")
}

fn new_order(
    arg: &Value,
    (market, name): (usize, String),
    symbol: &SimulatedSymbol,
) -> Result<NewOrder, Refused> {
    let kind = (arg["orderType"].as_str(), arg["timeInForce"].as_str());
    let (order_type, time_in_force) = match kind {
        (Some("Limit"), Some("GTC")) => (OrderType::Limit, TimeInForce::Gtc),
        (Some("Limit"), Some("PostOnly")) => (OrderType::LimitMaker, TimeInForce::Gtc),
        (Some("Limit"), Some("IOC")) => (OrderType::Limit, TimeInForce::Ioc),
        (Some("Limit"), Some("FOK")) => (OrderType::Limit, TimeInForce::Fok),
        // A quantity in the quote coin is the default of a purchase, and not traded here.
        (Some("Market"), _) if arg["marketUnit"] == "baseCoin" => {
            (OrderType::Market, TimeInForce::Gtc)
        }
        _ => return Err(Refused::Malformed),
    };
    let price = match order_type.is_priced() {
        true => number(arg["price"].as_str(), symbol.price_scale, Filter::Price)?,
        false => 0,
    };
    Ok(NewOrder {
        market,
        side: match arg["side"].as_str() {
            Some("Buy") => Side::Buy,
            Some("Sell") => Side::Sell,
            _ => return Err(Refused::Malformed),
        },
        order_type,
        time_in_force,
        price,
        stop_price: 0,
        qty: number(arg["qty"].as_str(), symbol.qty_scale, Filter::LotSize)?,
        client_order_id: Some(name),
        self_trade: Some(SelfTrade::ExpireMaker),
        is_accepted_first: true,
        reduces_only: false,
    })
}

/// The reply to a request about one order.
fn reply(text: &str, (code, message): (i32, &str), data: &Value, now: Moment) -> String {
    let request: Value = serde_json::from_str(text).unwrap_or_default();
    let (id, op, ms) = (&request["reqId"], &request["op"], now.epoch_ms);
    format!(
        r#"{{"reqId":{id},"retCode":{code},"retMsg":"{message}","op":{op},"data":{data},"retExtInfo":{{}},"header":{{"Timenow":"{ms}"}},"connId":"0"}}"#
    )
}

fn refusal(why: Refused) -> (i32, &'static str) {
    match why {
        Refused::NotLoggedOn => (10_005, "Permission denied"),
        Refused::Expired => (10_002, "The request time exceeds the time window range."),
        Refused::Malformed => (10_001, "Request parameter error"),
        Refused::NoSuchMarket => (10_029, "The requested symbol is invalid"),
        Refused::TooManyOrders => (170_005, "Too many new orders"),
        Refused::Unknown => (10_000, "Server Timeout"),
        Refused::Internal => (10_016, "Server error."),
        Refused::Exchange(refusal) => match refusal {
            Refusal::Filter(Filter::Price | Filter::PercentPriceBySide) => {
                (170_193, "Buy order price cannot be higher than the limit.")
            }
            Refusal::Filter(Filter::LotSize | Filter::MarketLotSize) => {
                (170_137, "Order quantity has too many decimals.")
            }
            Refusal::Filter(Filter::Notional) => (170_140, "Order value exceeded lower limit"),
            Refusal::Filter(_) => (170_005, "Too many new orders"),
            Refusal::MarketClosed => (170_121, "Invalid symbol."),
            Refusal::DuplicateName => (170_141, "Duplicate clientOrderId"),
            Refusal::NoBalance => (170_131, "Balance insufficient"),
            Refusal::UnknownOrder | Refusal::NoSuchOrder => (170_213, "Order does not exist."),
            // The venue accepts the first, has no stops here, and amends what they do not allow.
            Refusal::WouldTake
            | Refusal::WouldTrigger
            | Refusal::AmendNotSmaller
            | Refusal::NotReducing
            | Refusal::AmendNotWorking => (10_001, "Request parameter error"),
        },
    }
}

fn side_text(side: Side) -> &'static str {
    if side == Side::Buy { "Buy" } else { "Sell" }
}

/// An order, as the topic and REST tell it.
fn order_text(order: &Order, symbol: &SimulatedSymbol) -> String {
    let (status, cancel, reject) = match (order.status, order.expiry) {
        (Status::New, _) => ("New", "UNKNOWN", "EC_NoError"),
        (Status::PartiallyFilled, _) => ("PartiallyFilled", "UNKNOWN", "EC_NoError"),
        (Status::Filled, _) => ("Filled", "UNKNOWN", "EC_NoError"),
        (Status::Canceled, _) => ("Cancelled", "CancelByUser", "EC_PerCancelRequest"),
        (Status::ExpiredInMatch, _) => ("Cancelled", "CancelBySmp", "EC_BySelfMatch"),
        (_, Some(ExpiryReason::FokUnfilled)) => ("Cancelled", "UNKNOWN", "EC_CancelForNoFullFill"),
        (_, Some(ExpiryReason::WouldTake)) => {
            ("Cancelled", "UNKNOWN", "EC_PostOnlyWillTakeLiquidity")
        }
        (_, Some(ExpiryReason::NoBalance) | None) => ("Cancelled", "CancelByAdmin", "EC_Others"),
        (_, Some(_)) => ("Cancelled", "UNKNOWN", "EC_NoImmediateQtyToFill"),
    };
    let status = match status {
        "Cancelled" if order.executed > 0 => "PartiallyFilledCanceled",
        status => status,
    };
    let sum = order.notional;
    let one = 10_u128.pow(symbol.price_scale + symbol.qty_scale);
    let digits = (symbol.price_scale + symbol.qty_scale) as usize;
    json!({
        "category": "spot", "symbol": symbol.name, "orderId": order.id.to_string(),
        "orderLinkId": order.client_order_id, "side": side_text(order.side),
        "price": price(symbol, order.price), "qty": qty(symbol, order.qty),
        "orderStatus": status, "cancelType": cancel, "rejectReason": reject,
        "cumExecQty": qty(symbol, order.executed),
        "cumExecValue": format!("{}.{:0digits$}", sum / one, sum % one),
        "avgPrice": average(order, symbol), "createdTime": order.created_ms.to_string(),
        "updatedTime": order.updated_ms.to_string(),
    })
    .to_string()
}

/// One fill, as the topic tells it.
fn execution(order: &Order, fill: &OrderFill, symbol: &SimulatedSymbol, ms: i64) -> String {
    json!({
        "category": "spot", "symbol": symbol.name, "orderId": order.id.to_string(),
        "orderLinkId": order.client_order_id, "side": side_text(order.side),
        "orderPrice": price(symbol, order.price), "orderQty": qty(symbol, order.qty),
        "leavesQty": qty(symbol, order.qty - order.executed), "execType": "Trade",
        "execId": fill.trade_id.to_string(), "execPrice": price(symbol, fill.price),
        "execQty": qty(symbol, fill.qty), "execFee": amount(fill.fee.amount),
        "feeCurrency": &*fill.fee.asset, "isMaker": fill.is_maker, "execTime": ms.to_string(),
    })
    .to_string()
}

/// One entry of the account's fills.
fn listed(trade: &LedgerTrade, symbol: &SimulatedSymbol) -> String {
    json!({
        "symbol": symbol.name, "orderId": trade.order_id.to_string(),
        "orderLinkId": trade.client_order_id, "side": side_text(trade.side),
        "execType": "Trade", "execId": trade.trade_id.to_string(),
        "execPrice": price(symbol, trade.price), "execQty": qty(symbol, trade.qty),
        "execFee": amount(trade.fee.amount), "feeCurrency": &*trade.fee.asset,
        "isMaker": trade.is_maker, "execTime": trade.at_ms.to_string(),
    })
    .to_string()
}
