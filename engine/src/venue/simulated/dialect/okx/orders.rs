//! How the venue words its order entry: the private WebSocket, and what REST answers of orders.
//!
//! Strict: an instrument is named by its number, a name has letters and digits, a request has a
//! deadline, and a question a signature. A maker that would take is accepted first.

use ring::hmac;
use serde_json::{Value, json};

use super::rights::rights;
use crate::venue::simulated::dialect::in_band::{price, qty};
use crate::venue::simulated::dialect::order_entry::{
    OrderFormat, Refused, Wish, amount, average, number,
};
use crate::venue::simulated::dialect::{Saying, Talk};
use crate::venue::simulated::exchange::{
    BalanceNow, Exchange, ExecKind, ExpiryReason, Filter, LedgerTrade, NewOrder, Order, OrderName,
    OrderReport, OrderType, Refusal, SelfTrade, Side, SimulatedSymbol, Status, TimeInForce,
};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{HttpRequest, Reply};

/// Numbers of instruments begin here.
const CODES_FROM: usize = 1_000;
/// A logon, and a question, may be this old, ms.
const AGE_MAX_MS: i64 = 30_000;
/// A client's own name has at most this many letters and digits.
const NAME_LEN_MAX: usize = 32;
/// Fills of one list are of so long, ms; those of another of a year.
const RECENT_MS: i64 = 3 * 86_400_000;
/// Fills of one answer.
const FILLS_MAX: usize = 100;
/// Open orders of one answer.
const PENDING_MAX: usize = 100;
/// Cancels of one request.
const CANCELS_MAX: usize = 20;

/// The words, and the account's key.
pub(super) struct OkxOrders {
    api_key: String,
    passphrase: String,
    key: hmac::Key,
    /// How long a second of its timers is.
    timer_second_ns: u64,
    key_trades: bool,
}

impl OkxOrders {
    pub(super) fn new(options: &SimulatedVenueOptions) -> OkxOrders {
        let lines = String::from_utf8_lossy(&options.verifying_key).into_owned();
        let (secret, passphrase) = lines.split_once('\n').unwrap_or((&lines, ""));
        OkxOrders {
            api_key: options.api_key.clone(),
            passphrase: passphrase.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            timer_second_ns: options.timer_second_ns,
            key_trades: options.key_trades,
        }
    }

    fn is_signed(&self, text: &str, sign: &str) -> bool {
        let sign = data_encoding::BASE64.decode(sign.as_bytes()).unwrap_or_default();
        hmac::verify(&self.key, text.as_bytes(), &sign).is_ok()
    }

    /// What is wrong with a logon, if anything is.
    fn check_login(&self, arg: &Value, now: Moment) -> Result<(), (i32, &'static str)> {
        let text = |name: &str| arg[name].as_str().unwrap_or_default();
        let time = text("timestamp");
        let time_s: i64 = time.parse().map_err(|_| (60_004, "Invalid timestamp"))?;
        if text("apiKey") != self.api_key {
            return Err((60_005, "Invalid apiKey"));
        }
        if (now.epoch_ms - time_s * 1_000).abs() > AGE_MAX_MS {
            return Err((60_006, "Timestamp request expired"));
        }
        if !self.is_signed(&format!("{time}GET/users/self/verify"), text("sign")) {
            return Err((60_007, "Invalid sign"));
        }
        if text("passphrase") != self.passphrase {
            return Err((60_024, "Wrong passphrase"));
        }
        Ok(())
    }

    fn log_on(&self, request: &Value, talk: &mut Talk<'_>) {
        match self.check_login(&request["args"][0], talk.now) {
            Ok(()) => {
                talk.session.authorized_ms = Some(talk.now.epoch_ms);
                talk.session.has_logged_on = true;
                let text = r#"{"event":"login","code":"0","msg":"","connId":"0"}"#;
                talk.says.push(Saying::Now(text.to_owned()));
            }
            Err((code, message)) => {
                let text = format!(
                    r#"{{"event":"error","code":"{code}","msg":"{message}","connId":"0"}}"#
                );
                talk.says.push(Saying::Now(text));
                talk.says.push(Saying::Close { at_ns: talk.now.ns });
            }
        }
    }

    fn subscribe(&self, request: &Value, talk: &mut Talk<'_>) {
        let id = &request["id"];
        if talk.session.authorized_ms.is_none() {
            let text = format!(
                r#"{{"id":{id},"event":"error","code":"60011","msg":"Please log in","connId":"0"}}"#
            );
            return talk.says.push(Saying::Now(text));
        }
        for arg in request["args"].as_array().into_iter().flatten() {
            let text = format!(r#"{{"id":{id},"event":"subscribe","arg":{arg},"connId":"0"}}"#);
            talk.says.push(Saying::Now(text));
            match arg["channel"].as_str() {
                Some("orders") => talk.session.user_subscription = Some(0),
                _ => {
                    let balances = talk.exchange.orders().account().balances();
                    let text = account("snapshot", balances, talk.now);
                    talk.says.push(Saying::Now(text));
                }
            }
        }
    }

    /// Whether a question is signed by the account, or what is wrong with it.
    fn check_signature(
        &self,
        request: &HttpRequest,
        now: Moment,
    ) -> Result<(), (i32, &'static str)> {
        let header = |name: &str| request.header(name).unwrap_or_default();
        let time = header("ok-access-timestamp");
        let at: jiff::Timestamp =
            time.parse().map_err(|_| (50_112, "Invalid OK-ACCESS-TIMESTAMP"))?;
        if (now.epoch_ms - at.as_millisecond()).abs() > AGE_MAX_MS {
            return Err((50_102, "Timestamp request expired"));
        }
        if header("ok-access-key") != self.api_key {
            return Err((50_111, "Invalid OK-ACCESS-KEY"));
        }
        let mark = if request.query.is_empty() { "" } else { "?" };
        let HttpRequest { method, path, query, body, .. } = request;
        let text = format!("{time}{method}{path}{mark}{query}{body}");
        if !self.is_signed(&text, header("ok-access-sign")) {
            return Err((50_113, "Invalid signature"));
        }
        if header("ok-access-passphrase") != self.passphrase {
            return Err((50_105, "OK-ACCESS-PASSPHRASE incorrect"));
        }
        Ok(())
    }

    fn order_of(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
        is_behind: bool,
    ) -> Result<String, (i32, &'static str)> {
        let parameter = |name: &str| request.parameter(name).unwrap_or_default();
        let market = exchange.market(&parameter("instId"));
        let market = market.ok_or((51_001, "Instrument ID doesn't exist."))?;
        let name = OrderName::Client(parameter("clOrdId").into_owned());
        let found = exchange.orders().find(market, &name).filter(|_| !is_behind);
        let order = found.ok_or((51_603, "Order does not exist"))?;
        Ok(order_text(order, &exchange.markets()[market].symbol, ""))
    }

    /// Cancels all unless it is told again in time: 10 to 120 whole seconds, or 0.
    fn cancel_all_after(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
        now: Moment,
    ) -> Result<String, (i32, &'static str)> {
        let wrong = (51_000, "Parameter timeOut error");
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let seconds = body["timeOut"].as_str().and_then(|text| text.parse::<u64>().ok());
        let at_ns = match seconds.ok_or(wrong)? {
            0 => u64::MAX,
            seconds @ 10..=120 => now.ns + seconds * self.timer_second_ns,
            _ => return Err(wrong),
        };
        exchange.cancel_all_at(at_ns);
        let ms = now.epoch_ms;
        let at_ms = seconds.map_or(0, |seconds| ms + seconds.cast_signed() * 1_000);
        Ok(format!(r#"{{"triggerTime":"{at_ms}","tag":"","ts":"{ms}"}}"#))
    }

    /// The newest of an order's fills, or those before a bill.
    fn fills_of(&self, request: &HttpRequest, exchange: &Exchange, since_ms: i64) -> String {
        let number = |name: &str| request.parameter(name).and_then(|id| id.parse::<u64>().ok());
        let (id, before) = (number("ordId"), number("after").unwrap_or(u64::MAX));
        let ledger = exchange.ledger().lock();
        let its = ledger.trades.iter().rev().filter(|trade| {
            Some(trade.order_id) == id && trade.trade_id < before && trade.at_ms >= since_ms
        });
        let fill = |trade: &LedgerTrade| fill_text(trade, &exchange.markets()[trade.market].symbol);
        its.take(FILLS_MAX).map(fill).collect::<Vec<_>>().join(",")
    }
}

impl OrderFormat for OkxOrders {
    fn paths(&self) -> &'static [&'static str] {
        &["/ws/v5/private"]
    }

    fn answers(&mut self, text: &str, talk: &mut Talk<'_>) -> bool {
        if text == "ping" {
            talk.says.push(Saying::Now("pong".to_owned()));
            return true;
        }
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        match request["op"].as_str() {
            Some("login") => self.log_on(&request, talk),
            Some("subscribe") => self.subscribe(&request, talk),
            Some(_) => return false,
            None => talk.says.push(Saying::Now(
                r#"{"event":"error","code":"60012","msg":"Invalid request","connId":"0"}"#
                    .to_owned(),
            )),
        }
        true
    }

    fn read(&self, text: &str, exchange: &Exchange, now: Moment) -> Result<Wish, Refused> {
        let request: Value = serde_json::from_str(text).map_err(|_| Refused::Malformed)?;
        let arg = &request["args"][0];
        if let Some(deadline) = request["expTime"].as_str() {
            let deadline_ms: i64 = deadline.parse().map_err(|_| Refused::Malformed)?;
            if deadline_ms < now.epoch_ms {
                return Err(Refused::Expired);
            }
        }
        let code = arg["instIdCode"].as_u64().ok_or(Refused::Malformed)?;
        let market = usize::try_from(code).ok().and_then(|code| code.checked_sub(CODES_FROM));
        let market = market.filter(|market| *market < exchange.markets().len());
        let market = market.ok_or(Refused::NoSuchMarket)?;
        let name = arg["clOrdId"].as_str().ok_or(Refused::Malformed)?.to_owned();
        let is_legal = (1..=NAME_LEN_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_legal {
            return Err(Refused::Malformed);
        }
        let symbol = &exchange.markets()[market].symbol;
        match request["op"].as_str() {
            Some("order") => new_order(arg, (market, name), symbol).map(Box::new).map(Wish::Place),
            Some("cancel-order") => Ok(Wish::Cancel(market, OrderName::Client(name))),
            Some("amend-order") => {
                let size = number(arg["newSz"].as_str(), symbol.qty_scale, Filter::LotSize)?;
                Ok(Wish::Amend(market, OrderName::Client(name), size))
            }
            _ => Err(Refused::Malformed),
        }
    }

    fn cancels(&self, text: &str) -> Option<Vec<String>> {
        let request: Value = serde_json::from_str(text).ok()?;
        let args = request["args"].as_array().filter(|args| args.len() <= CANCELS_MAX)?;
        let id = &request["id"];
        let one = |arg: &Value| json!({"id": id, "op": "cancel-order", "args": [arg]}).to_string();
        (request["op"] == "batch-cancel-orders").then(|| args.iter().map(one).collect())
    }

    fn together(&self, text: &str, answers: &[String], now: Moment) -> String {
        let each = answers.iter().filter_map(|answer| serde_json::from_str::<Value>(answer).ok());
        let results: Vec<Value> = each.map(|answer| answer["data"][0].clone()).collect();
        let refused = results.iter().filter(|result| result["sCode"] != "0").count();
        let code = match refused {
            0 => "0",
            some if some < results.len() => "2",
            _ => "1",
        };
        let results: Vec<String> = results.iter().map(Value::to_string).collect();
        reply(text, code, &results.join(","), now)
    }

    fn granted(&self, text: &str, order: &Order, now: Moment) -> String {
        let (name, id) = (&order.client_order_id, order.id);
        let result =
            format!(r#"{{"clOrdId":"{name}","ordId":"{id}","tag":"","sCode":"0","sMsg":""}}"#);
        reply(text, "0", &result, now)
    }

    fn refused(&self, text: &str, why: Refused, now: Moment) -> String {
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        let name = request["args"][0]["clOrdId"].as_str().unwrap_or_default();
        let (code, message) = refusal(why, request["op"] == "amend-order");
        let result = format!(
            r#"{{"clOrdId":"{name}","ordId":"","tag":"","sCode":"{code}","sMsg":"{message}"}}"#
        );
        reply(text, "1", &result, now)
    }

    fn report(
        &self,
        report: &OrderReport,
        symbol: &SimulatedSymbol,
        _now: Moment,
    ) -> Option<String> {
        let fill = match &report.kind {
            ExecKind::Trade(fill) => Some(fill),
            // Nothing of it is told before it ends.
            ExecKind::Prevented { .. } if report.order.is_open() => return None,
            _ => None,
        };
        let told = match fill {
            None => r#","tradeId":"","fillPx":"","fillSz":"0","fillFee":"0","fillFeeCcy":"","execType":"""#.to_owned(),
            Some(fill) => format!(
                r#","tradeId":"{}","fillPx":"{}","fillSz":"{}","fillFee":"-{}","fillFeeCcy":"{}","execType":"{}""#,
                fill.trade_id,
                price(symbol, fill.price),
                qty(symbol, fill.qty),
                amount(fill.fee.amount),
                fill.fee.asset,
                if fill.is_maker { "M" } else { "T" },
            ),
        };
        let amended = if matches!(report.kind, ExecKind::Replaced(_)) { "0" } else { "" };
        let told = format!(r#"{told},"amendResult":"{amended}","reqId":"","code":"0","msg":"""#);
        let order = order_text(&report.order, symbol, &told);
        let name = &symbol.name;
        let arg =
            format!(r#"{{"channel":"orders","instType":"SPOT","instId":"{name}","uid":"1"}}"#);
        Some(format!(r#"{{"arg":{arg},"data":[{order}]}}"#))
    }

    fn balances(
        &self,
        balances: &[BalanceNow],
        _exchange: &Exchange,
        now: Moment,
    ) -> Option<String> {
        Some(account("event_update", balances, now))
    }

    fn rest(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
        is_behind: bool,
        now: Moment,
    ) -> Option<Reply> {
        let signed = || self.check_signature(request, now);
        let data = match request.path.as_str() {
            "/api/v5/public/instruments" => Ok(instruments(exchange, now)),
            "/api/v5/trade/order" => {
                signed().and_then(|()| self.order_of(request, exchange, is_behind))
            }
            "/api/v5/trade/cancel-all-after" if request.method == "POST" => {
                signed().and_then(|()| self.cancel_all_after(request, exchange, now))
            }
            "/api/v5/trade/orders-pending" => signed().and_then(|()| pending(request, exchange)),
            "/api/v5/account/balance" => {
                signed().map(|()| account_data(exchange.orders().account().balances(), now))
            }
            "/api/v5/trade/fills" => {
                let since_ms = now.epoch_ms - RECENT_MS;
                signed().map(|()| self.fills_of(request, exchange, since_ms))
            }
            "/api/v5/trade/fills-history" => signed().and_then(|()| {
                let is_right = request.parameter("instType").as_deref() == Some("SPOT");
                let all = || self.fills_of(request, exchange, i64::MIN);
                is_right.then(all).ok_or((51_000, "Parameter instType error"))
            }),
            path => {
                let told = rights(path, self.key_trades)?;
                signed().map(|()| told)
            }
        };
        Some(match data {
            Ok(data) => Reply::json(format!(r#"{{"code":"0","msg":"","data":[{data}]}}"#).into()),
            Err((code, message)) => {
                let body = format!(r#"{{"code":"{code}","msg":"{message}","data":[]}}"#);
                let status = if (50_100..50_115).contains(&code) { 401 } else { 200 };
                Reply::new(status, body.into_bytes())
            }
        })
    }
}

/// A page of what is open, in a symbol or in all, the newest first.
fn pending(request: &HttpRequest, exchange: &Exchange) -> Result<String, (i32, &'static str)> {
    if request.parameter("instType").is_some_and(|kind| kind != "SPOT") {
        return Ok(String::new());
    }
    let symbol = request.parameter("instId");
    let market = symbol.as_deref().map(|symbol| exchange.market(symbol));
    let Some(market) = market.map_or(Some(None), |market| market.map(Some)) else {
        return Err((51_001, "Instrument ID doesn't exist."));
    };
    let after = match request.parameter("after") {
        None => u64::MAX,
        Some(after) => after.parse().map_err(|_| (51_000, "Parameter after error"))?,
    };
    let orders = exchange.orders();
    let mut ids = orders.open_ids(market);
    ids.retain(|id| *id < after);
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    let text = |id: u64| {
        let order = orders.by_id(id);
        order_text(order, &exchange.markets()[order.market].symbol, "")
    };
    Ok(ids.into_iter().take(PENDING_MAX).map(text).collect::<Vec<_>>().join(","))
}

fn new_order(
    arg: &Value,
    (market, name): (usize, String),
    symbol: &SimulatedSymbol,
) -> Result<NewOrder, Refused> {
    let (order_type, time_in_force) = match arg["ordType"].as_str() {
        Some("limit") => (OrderType::Limit, TimeInForce::Gtc),
        Some("post_only") => (OrderType::LimitMaker, TimeInForce::Gtc),
        Some("ioc") => (OrderType::Limit, TimeInForce::Ioc),
        Some("fok") => (OrderType::Limit, TimeInForce::Fok),
        // A size in the quote currency is the default of a purchase, and not traded here.
        Some("market") if arg["tgtCcy"] == "base_ccy" => (OrderType::Market, TimeInForce::Gtc),
        _ => return Err(Refused::Malformed),
    };
    if arg["tdMode"] != "cash" {
        return Err(Refused::Malformed);
    }
    let price = match order_type.is_priced() {
        true => number(arg["px"].as_str(), symbol.price_scale, Filter::Price)?,
        false => 0,
    };
    Ok(NewOrder {
        market,
        side: match arg["side"].as_str() {
            Some("buy") => Side::Buy,
            Some("sell") => Side::Sell,
            _ => return Err(Refused::Malformed),
        },
        order_type,
        time_in_force,
        price,
        stop_price: 0,
        qty: number(arg["sz"].as_str(), symbol.qty_scale, Filter::LotSize)?,
        client_order_id: Some(name),
        self_trade: Some(SelfTrade::ExpireMaker),
        is_accepted_first: true,
        reduces_only: false,
    })
}

/// The reply to a request about one order.
fn reply(text: &str, code: &str, result: &str, now: Moment) -> String {
    let request: Value = serde_json::from_str(text).unwrap_or_default();
    let (id, op, us) = (&request["id"], &request["op"], now.epoch_ms * 1_000);
    format!(
        r#"{{"id":{id},"op":{op},"data":[{result}],"code":"{code}","msg":"","inTime":"{us}","outTime":"{us}"}}"#
    )
}

fn refusal(why: Refused, is_amendment: bool) -> (i32, &'static str) {
    match why {
        Refused::NotLoggedOn => (60_011, "Please log in"),
        Refused::Expired => (50_036, "The expTime can't be earlier than the current system time."),
        Refused::Malformed => (51_000, "Parameter error"),
        Refused::NoSuchMarket => (51_001, "Instrument ID doesn't exist."),
        Refused::TooManyOrders => (50_061, "You've reached the maximum order rate limit."),
        Refused::Unknown => (50_004, "API endpoint request timeout."),
        Refused::Internal => (50_026, "System error. Try again later"),
        Refused::Exchange(refusal) => match refusal {
            Refusal::Filter(Filter::Price | Filter::PercentPriceBySide) => {
                (51_006, "Order price is not within the price limit")
            }
            Refusal::Filter(Filter::LotSize | Filter::MarketLotSize) => {
                (51_121, "Order quantity must be a multiple of the lot size.")
            }
            Refusal::Filter(Filter::Notional) => (51_020, "Below the minimum order amount."),
            Refusal::Filter(_) => (51_005, "Your order amount exceeds the max order amount."),
            Refusal::MarketClosed => (51_022, "Contract suspended."),
            Refusal::DuplicateName => (51_016, "Client order ID already exists."),
            Refusal::NoBalance => (51_008, "Order failed. Insufficient balance in account"),
            Refusal::UnknownOrder if is_amendment => (51_503, "Order filled or canceled."),
            Refusal::UnknownOrder => (51_400, "Filled, canceled or does not exist."),
            Refusal::NoSuchOrder => (51_603, "Order does not exist"),
            // The venue accepts the first, has no stops here, and amends what they do not allow.
            Refusal::WouldTake
            | Refusal::WouldTrigger
            | Refusal::AmendNotSmaller
            | Refusal::NotReducing
            | Refusal::AmendNotWorking => (51_000, "Parameter error"),
        },
    }
}

/// An order, as the channel and REST tell it; `more` is the channel's.
fn order_text(order: &Order, symbol: &SimulatedSymbol, more: &str) -> String {
    let (name, filled) = (&symbol.name, qty(symbol, order.executed));
    let (state, source) = match order.status {
        Status::New => ("live", ""),
        Status::PartiallyFilled => ("partially_filled", ""),
        Status::Filled => ("filled", ""),
        Status::Canceled => ("canceled", "1"),
        Status::ExpiredInMatch => ("canceled", "32"),
        Status::Expired => (
            "canceled",
            match order.expiry {
                Some(ExpiryReason::FokUnfilled) => "13",
                Some(ExpiryReason::IocUnfilled | ExpiryReason::NoLiquidity) => "14",
                Some(ExpiryReason::WouldTake) => "31",
                Some(ExpiryReason::NoBalance) | None => "0",
            },
        ),
    };
    let kind = match (order.order_type, order.time_in_force) {
        (OrderType::Market, _) => "market",
        (OrderType::LimitMaker, _) => "post_only",
        (_, TimeInForce::Gtc) => "limit",
        (_, TimeInForce::Ioc) => "ioc",
        (_, TimeInForce::Fok) => "fok",
    };
    let at = if order.price == 0 { String::new() } else { price(symbol, order.price) };
    let side = if order.side == Side::Buy { "buy" } else { "sell" };
    format!(
        r#"{{"instType":"SPOT","instId":"{name}","ordId":"{}","clOrdId":"{}","px":"{at}","sz":"{}","ordType":"{kind}","side":"{side}","tdMode":"cash","state":"{state}","cancelSource":"{source}","accFillSz":"{filled}","avgPx":"{}","cTime":"{}","uTime":"{}"{more}}}"#,
        order.id,
        order.client_order_id,
        qty(symbol, order.qty),
        average(order, symbol),
        order.created_ms,
        order.updated_ms,
    )
}

/// One entry of the account's fills.
fn fill_text(trade: &LedgerTrade, symbol: &SimulatedSymbol) -> String {
    let (name, id, ms) = (&symbol.name, trade.trade_id, trade.at_ms);
    let side = if trade.side == Side::Buy { "buy" } else { "sell" };
    let kind = if trade.is_maker { "M" } else { "T" };
    format!(
        r#"{{"instType":"SPOT","instId":"{name}","tradeId":"{id}","ordId":"{}","clOrdId":"{}","billId":"{id}","fillPx":"{}","fillSz":"{}","side":"{side}","execType":"{kind}","feeCcy":"{}","fee":"-{}","ts":"{ms}"}}"#,
        trade.order_id,
        trade.client_order_id,
        price(symbol, trade.price),
        qty(symbol, trade.qty),
        trade.fee.asset,
        amount(trade.fee.amount),
    )
}

fn account(kind: &str, balances: &[BalanceNow], now: Moment) -> String {
    let data = account_data(balances, now);
    format!(
        r#"{{"arg":{{"channel":"account","uid":"1"}},"eventType":"{kind}","curPage":1,"lastPage":true,"data":[{data}]}}"#
    )
}

/// What the account has, as the channel and REST tell it.
fn account_data(balances: &[BalanceNow], now: Moment) -> String {
    let ms = now.epoch_ms;
    let detail = |balance: &BalanceNow| {
        json!({
            "ccy": &*balance.asset, "uTime": ms.to_string(), "availBal": amount(balance.free),
            "frozenBal": amount(balance.locked), "cashBal": amount(balance.free + balance.locked),
        })
        .to_string()
    };
    let details = balances.iter().map(detail).collect::<Vec<_>>().join(",");
    format!(r#"{{"uTime":"{ms}","details":[{details}]}}"#)
}

/// What is traded, with the number of each.
fn instruments(exchange: &Exchange, now: Moment) -> String {
    let one = |(place, market): (usize, &crate::venue::simulated::exchange::Market)| {
        let symbol = &market.symbol;
        let state = if market.is_closed(now.epoch_ms) { "suspend" } else { "live" };
        format!(
            r#"{{"instType":"SPOT","instId":"{}","instIdCode":{},"baseCcy":"{}","quoteCcy":"{}","tickSz":"{}","lotSz":"{}","minSz":"{}","state":"{state}"}}"#,
            symbol.name,
            CODES_FROM + place,
            symbol.base_asset,
            symbol.quote_asset,
            price(symbol, symbol.tick),
            qty(symbol, symbol.step),
            qty(symbol, symbol.step),
        )
    };
    exchange.markets().iter().enumerate().map(one).collect::<Vec<_>>().join(",")
}
