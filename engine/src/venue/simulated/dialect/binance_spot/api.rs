//! The WebSocket API, `/ws-api/v3`: log on, place, amend, cancel, query, subscribe to user data.

use std::time::Duration;

use serde_json::{Map, Value};

use super::super::{Saying, Stage, Talk};
use super::order_request::{client_id, new_order, qty, required, text};
use super::refusal::Refusal;
use super::refusal::http;
use super::rights::rights;
use super::signature::{Keys, check_age};
use super::{limits_message, refusal_of, reports, rest, weights};
use crate::venue::simulated::exchange::{Exchange, OrderName, Refusal as Refused};
use crate::venue::simulated::fault::{Fault, Occasion};
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{HttpRequest, Reply};

/// Trades of one reply.
const TRADES_MAX: usize = 500;

/// The keys that open the account, and what faults have done to it.
pub struct Api {
    keys: Keys,
    key_trades: bool,
    /// Until then queries know no order; nanoseconds of the monotonic clock.
    lagging_until_ns: u64,
}

struct Call<'a> {
    method: &'a str,
    params: &'a Map<String, Value>,
    stage: Stage,
    text: &'a str,
}

/// Why a call has no result.
enum Silence {
    Refused(Refusal),
    /// Its answer, if any, comes later.
    Later,
}

impl From<Refusal> for Silence {
    fn from(refusal: Refusal) -> Self {
        Silence::Refused(refusal)
    }
}

impl From<Refused> for Silence {
    fn from(refused: Refused) -> Self {
        Silence::Refused(refused.into())
    }
}

impl Api {
    pub fn new(options: &SimulatedVenueOptions) -> Self {
        let api_key = options.api_key.clone();
        let keys = Keys { api_key, public_key: options.verifying_key.clone() };
        Self { keys, key_trades: options.key_trades, lagging_until_ns: 0 }
    }

    /// What the key may do, asked for over REST; `None`: something else is asked for.
    pub fn restrictions(&self, request: &HttpRequest) -> Option<Reply> {
        if request.path != "/sapi/v1/account/apiRestrictions" {
            return None;
        }
        let signed = request.query.split_once("&signature=");
        let signature = request.parameter("signature").unwrap_or_default();
        let is_known = request.header("x-mbx-apikey") == Some(self.keys.api_key.as_str());
        let is_signed = signed.is_some_and(|(text, _)| self.keys.is_signed(text, &signature));
        Some(match (is_known, is_signed) {
            (true, true) => Reply::json(rights(self.key_trades).to_string().into_bytes()),
            (true, false) => http(400, -1022, "Signature for this request is not valid."),
            (false, _) => http(401, -2015, "Invalid API-key, IP, or permissions for action."),
        })
    }

    /// Handles one request.
    pub fn handle(&mut self, request_text: &str, stage: Stage, talk: &mut Talk<'_>) {
        let request: Value = serde_json::from_str(request_text).unwrap_or_default();
        let id = request.get("id").cloned().unwrap_or_default();
        let empty = Map::new();
        let params = request.get("params").and_then(Value::as_object).unwrap_or(&empty);
        let method = request.get("method").and_then(Value::as_str);
        let result = match method {
            None => Err(Refusal::bad(-1135, "Invalid JSON Request").into()),
            Some(method) => {
                let call = Call { method, params, stage, text: request_text };
                self.admit(&call, talk).and_then(|()| self.call(&call, talk))
            }
        };
        let is_order = matches!(method, Some("order.place" | "order.cancel"));
        if method == Some("order.place") && matches!(result, Err(Silence::Refused(_))) {
            talk.counters.orders_refused();
        }
        if matches!(result, Err(Silence::Later)) || stage == Stage::Unheard {
            return;
        }
        let limits = limits_text(params, talk);
        let reply = reply_text(&id, result, &limits, talk.now.epoch_ms);
        if is_order && talk.faults.strike(Occasion::Reply).is_some() {
            return;
        }
        talk.says.push(Saying::Now(reply));
    }

    /// Charges the request's weight, and lets faults strike that need no order.
    fn admit(&mut self, call: &Call<'_>, talk: &mut Talk<'_>) -> Result<(), Silence> {
        if call.stage != Stage::Received {
            return Ok(());
        }
        match talk.faults.strike(Occasion::Request) {
            Some(Fault::Ban { duration }) => {
                talk.limits.ban(duration.as_millis() as i64, talk.now);
            }
            Some(Fault::KeyRevoked) => {
                talk.session.authorized_ms = None;
                let Refusal { status, code, message, .. } = Refusal::key();
                talk.says.push(Saying::Now(format!(
                    r#"{{"id":null,"status":{status},"error":{{"code":{code},"msg":"{message}"}}}}"#
                )));
            }
            _ => {}
        }
        let weight = {
            let names = |what: &str| call.params.contains_key(what);
            weights::api(call.method, names("symbol"), names("orderId"))
        };
        let admission = talk.limits.charge(weight, talk.now);
        let Some((status, until_ms)) = refusal_of(admission) else { return Ok(()) };
        let refusal = Refusal::new(status, -1003, &limits_message(talk.limits.rules()));
        Err(Refusal { retry_after_ms: Some(until_ms), ..refusal }.into())
    }

    fn call(&mut self, call: &Call<'_>, talk: &mut Talk<'_>) -> Result<String, Silence> {
        let now_ms = talk.now.epoch_ms;
        match call.method {
            "ping" => return Ok("{}".into()),
            "time" => return Ok(format!(r#"{{"serverTime":{now_ms}}}"#)),
            "exchangeInfo" => return exchange_info(call, talk),
            "session.logon" => {
                self.keys.verify(call.params, now_ms)?;
                (talk.session.authorized_ms, talk.session.has_logged_on) = (Some(now_ms), true);
                return Ok(self.session_status(talk));
            }
            "session.logout" => {
                talk.session.authorized_ms = None;
                talk.session.user_subscription = None;
                return Ok(self.session_status(talk));
            }
            "session.status" => return Ok(self.session_status(talk)),
            "order.place" if call.stage == Stage::Received => talk.counters.orders_received(),
            "order.cancel" | "openOrders.cancelAll" => talk.counters.cancels_received(),
            _ => {}
        }
        self.authorize(call, talk)?;
        match call.method {
            "userDataStream.subscribe" => {
                if talk.session.user_subscription.is_some() {
                    let message = "Subscription already active for this account/session.";
                    return Err(Refusal::bad(-2035, message).into());
                }
                talk.session.user_subscription = Some(0);
                Ok(r#"{"subscriptionId":0}"#.into())
            }
            "userDataStream.unsubscribe" => {
                talk.session.user_subscription = None;
                Ok("{}".into())
            }
            "order.place" => place(call, talk),
            "order.cancel" => cancel(call, talk),
            "order.amend.keepPriority" => amend(call, talk),
            "openOrders.cancelAll" => cancel_all(call, talk),
            "order.status" => {
                self.lag(talk)?;
                let index = market_of(call, talk.exchange)?;
                let order = talk.exchange.orders().find(index, &name_of(call)?);
                let order = order.ok_or(Refused::NoSuchOrder)?;
                Ok(reports::queried(order, &talk.exchange.markets()[index].symbol))
            }
            "openOrders.status" => open_orders(call, talk),
            "myTrades" => my_trades(call, talk),
            "account.status" => {
                let omits = call.params.get("omitZeroBalances").and_then(Value::as_bool);
                let mut balances = talk.exchange.orders().account().balances().to_vec();
                balances.retain(|of| omits != Some(true) || of.free + of.locked > 0);
                Ok(reports::account(&balances, now_ms))
            }
            _ => Err(Refusal::bad(-1020, "This operation is not supported.").into()),
        }
    }

    /// Refuses a query that reaches a database which is behind.
    fn lag(&mut self, talk: &mut Talk<'_>) -> Result<(), Silence> {
        if let Some(Fault::ReplicaLag { duration }) = talk.faults.strike(Occasion::Query) {
            self.lagging_until_ns = talk.now.ns + nanos(duration);
        }
        if talk.now.ns < self.lagging_until_ns { Err(Refused::NoSuchOrder.into()) } else { Ok(()) }
    }

    /// A session that logged on may do all; any other must sign the request itself. What is
    /// forwarded was allowed before.
    fn authorize(&self, call: &Call<'_>, talk: &Talk<'_>) -> Result<(), Silence> {
        let now_ms = talk.now.epoch_ms;
        if call.stage == Stage::Unheard {
            return Ok(());
        }
        if talk.session.authorized_ms.is_some() || call.stage == Stage::Forwarded {
            // The age is checked when the client tells it, on receipt and on forwarding.
            return match call.params.contains_key("timestamp") {
                true => Ok(check_age(call.params, now_ms)?),
                false => Ok(()),
            };
        }
        if call.params.contains_key("signature") {
            return Ok(self.keys.verify(call.params, now_ms)?);
        }
        if !talk.session.has_logged_on {
            talk.limits.before_logon();
        }
        Err(Refusal::key().into())
    }

    fn session_status(&self, talk: &Talk<'_>) -> String {
        let session = &talk.session;
        let since = session.authorized_ms;
        let api_key = since.map_or(Value::Null, |_| self.keys.api_key.as_str().into());
        format!(
            r#"{{"apiKey":{api_key},"authorizedSince":{},"connectedSince":{},"returnRateLimits":{},"serverTime":{},"userDataStream":{}}}"#,
            Value::from(since),
            session.connected_ms,
            session.returns_rate_limits,
            talk.now.epoch_ms,
            session.user_subscription.is_some()
        )
    }
}

fn place(call: &Call<'_>, talk: &mut Talk<'_>) -> Result<String, Silence> {
    let index = market_of(call, talk.exchange)?;
    let symbol = talk.exchange.markets()[index].symbol.clone();
    let (order, response) = new_order(call.params, index, &symbol)?;
    if call.stage == Stage::Received {
        talk.limits.order(talk.now).map_err(Refusal::from)?;
        misplace(call, talk)?;
    }
    // An order that is refused for itself counts no more than one that is filled.
    let placed = talk.exchange.place(order, talk.now);
    let placed = placed.inspect_err(|_| talk.limits.give_back(talk.now))?;
    talk.limits.refund(weights::PLACE, talk.now);
    Ok(reports::placed(talk.exchange.orders().by_id(placed.id), &symbol, response, &placed))
}

/// Lets a fault strike at a new order.
fn misplace(call: &Call<'_>, talk: &mut Talk<'_>) -> Result<(), Silence> {
    let after = |duration| talk.now.ns + nanos(duration);
    let again = |duration, is_heard| Saying::Again {
        at_ns: after(duration),
        text: call.text.into(),
        is_heard,
    };
    match talk.faults.strike(Occasion::Place) {
        Some(Fault::UnknownOutcome { reply_after, enters_after }) => {
            let id =
                serde_json::from_str::<Value>(call.text).map_or(Value::Null, |r| r["id"].clone());
            let message = "Timeout waiting for response from backend server. Send status unknown; \
                           execution status unknown.";
            let refusal = Err(Refusal::new(504, -1007, message).into());
            let text = reply_text(&id, refusal, "", talk.now.epoch_ms);
            talk.says.push(Saying::Later { at_ns: after(reply_after), text });
            talk.says.extend(enters_after.map(|duration| again(duration, false)));
            Err(Silence::Later)
        }
        Some(Fault::FalseRefusal { enters_after, is_final }) => {
            talk.says.push(again(enters_after, false));
            if is_final {
                return Err(Refused::NoBalance.into());
            }
            Err(Refusal::bad(-1001, "Internal error; unable to process your request.").into())
        }
        Some(Fault::LateForward { delay }) => {
            talk.says.push(again(delay, true));
            Err(Silence::Later)
        }
        Some(_) => {
            let limit = talk.limits.rules().orders_per_10s;
            let message =
                format!("Too many new orders; current limit is {limit} orders per 10 SECOND.");
            Err(Refusal::new(429, -1015, &message).into())
        }
        None => Ok(()),
    }
}

fn cancel(call: &Call<'_>, talk: &mut Talk<'_>) -> Result<String, Silence> {
    let index = market_of(call, talk.exchange)?;
    let name = name_of(call)?;
    let cancel_id = client_id(call.params, "newClientOrderId")?;
    let cancel_id = cancel_id.unwrap_or_else(|| talk.exchange.new_name());
    let id = talk.exchange.cancel(index, &name, cancel_id.clone(), talk.now)?;
    let symbol = &talk.exchange.markets()[index].symbol;
    Ok(reports::canceled(talk.exchange.orders().by_id(id), symbol, &cancel_id))
}

fn amend(call: &Call<'_>, talk: &mut Talk<'_>) -> Result<String, Silence> {
    let index = market_of(call, talk.exchange)?;
    let symbol = talk.exchange.markets()[index].symbol.clone();
    let change =
        (qty(call.params, "newQty", &symbol)?, client_id(call.params, "newClientOrderId")?);
    let (id, execution_id) = talk.exchange.amend(index, &name_of(call)?, change, talk.now)?;
    Ok(reports::amended(talk.exchange.orders().by_id(id), &symbol, execution_id))
}

fn cancel_all(call: &Call<'_>, talk: &mut Talk<'_>) -> Result<String, Silence> {
    let index = market_of(call, talk.exchange)?;
    let ids = talk.exchange.orders().open_ids(Some(index));
    if ids.is_empty() {
        return Err(Refused::UnknownOrder.into());
    }
    let cancel_id = talk.exchange.new_name();
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        talk.exchange.cancel(index, &OrderName::Id(id), cancel_id.clone(), talk.now)?;
        let symbol = &talk.exchange.markets()[index].symbol;
        results.push(reports::canceled(talk.exchange.orders().by_id(id), symbol, &cancel_id));
    }
    Ok(format!("[{}]", results.join(",")))
}

fn open_orders(call: &Call<'_>, talk: &Talk<'_>) -> Result<String, Silence> {
    let index = match call.params.contains_key("symbol") {
        true => Some(market_of(call, talk.exchange)?),
        false => None,
    };
    let all = talk.exchange.orders();
    let orders = all.open_ids(index).into_iter().map(|id| {
        let order = all.by_id(id);
        reports::queried(order, &talk.exchange.markets()[order.market].symbol)
    });
    Ok(format!("[{}]", orders.collect::<Vec<_>>().join(",")))
}

/// The trades of a symbol, or of one of its orders, from `fromId` on; without it, the newest.
fn my_trades(call: &Call<'_>, talk: &Talk<'_>) -> Result<String, Silence> {
    let index = market_of(call, talk.exchange)?;
    let symbol = &talk.exchange.markets()[index].symbol;
    let number = |name: &str| call.params.get(name).and_then(Value::as_u64);
    let (order_id, from_id) = (number("orderId"), number("fromId"));
    let limit = number("limit").map_or(TRADES_MAX, |limit| (limit as usize).min(1_000));
    let ledger = talk.exchange.ledger().lock();
    let mut trades: Vec<&_> = ledger
        .trades
        .iter()
        .filter(|trade| trade.market == index)
        .filter(|trade| order_id.is_none_or(|id| trade.order_id == id))
        .filter(|trade| from_id.is_none_or(|id| trade.trade_id >= id))
        .collect();
    match from_id {
        Some(_) => trades.truncate(limit),
        None => drop(trades.drain(..trades.len().saturating_sub(limit))),
    }
    let texts: Vec<String> = trades.into_iter().map(|t| reports::trade(t, symbol)).collect();
    Ok(format!("[{}]", texts.join(",")))
}

fn exchange_info(call: &Call<'_>, talk: &Talk<'_>) -> Result<String, Silence> {
    let wanted = match (text(call.params, "symbol"), call.params.get("symbols")) {
        (Some(name), _) => Some(vec![name]),
        (None, Some(Value::Array(names))) => {
            Some(names.iter().filter_map(Value::as_str).map(Into::into).collect())
        }
        _ => None,
    };
    let rules = talk.limits.rules();
    let info = rest::exchange_info(wanted.as_deref(), talk.exchange, rules, talk.now);
    info.ok_or_else(|| Refusal::bad(-1121, "Invalid symbol.").into())
}

fn reply_text(id: &Value, result: Result<String, Silence>, limits: &str, now_ms: i64) -> String {
    match result {
        Ok(result) => format!(r#"{{"id":{id},"status":200,"result":{result}{limits}}}"#),
        Err(Silence::Later) => unreachable!("who answers later does not answer now"),
        Err(Silence::Refused(Refusal { status, code, message, retry_after_ms })) => {
            let message = Value::from(message);
            let data = retry_after_ms.map_or(String::new(), |until_ms| {
                format!(r#","data":{{"serverTime":{now_ms},"retryAfter":{until_ms}}}"#)
            });
            format!(
                r#"{{"id":{id},"status":{status},"error":{{"code":{code},"msg":{message}{data}}}{limits}}}"#
            )
        }
    }
}

/// The counts that follow every reply, unless the session or the request wants none.
fn limits_text(params: &Map<String, Value>, talk: &Talk<'_>) -> String {
    let by_session = talk.session.returns_rate_limits;
    if !params.get("returnRateLimits").and_then(Value::as_bool).unwrap_or(by_session) {
        return String::new();
    }
    let limits = rest::rate_limits(talk.limits.rules(), Some(talk.limits.used(talk.now)));
    format!(r#","rateLimits":[{limits}]"#)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

fn market_of(call: &Call<'_>, exchange: &Exchange) -> Result<usize, Silence> {
    let name = required(call.params, "symbol")?;
    exchange.market(&name).ok_or_else(|| Refusal::bad(-1121, "Invalid symbol.").into())
}

/// The order that a cancel or a query names; its number goes before its client's name.
fn name_of(call: &Call<'_>) -> Result<OrderName, Silence> {
    if let Some(id) = call.params.get("orderId").and_then(Value::as_u64) {
        return Ok(OrderName::Id(id));
    }
    let name = text(call.params, "origClientOrderId").map(OrderName::Client);
    name.ok_or_else(|| {
        let message =
            "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
        Refusal::bad(-1102, message).into()
    })
}
