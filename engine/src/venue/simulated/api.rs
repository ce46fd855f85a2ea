//! The WebSocket API, `/ws-api/v3`: log on, place, cancel, query, subscribe to user data.

use serde_json::{Map, Value};

use super::clients::Clients;
use super::clock::epoch_ms;
use super::desk::{Desk, OrderName, UserEvent};
use super::market::Market;
use super::options::SimulatedVenueOptions;
use super::order_request::{OrderRequest, client_id, required, text};
use super::refusal::Refusal;
use super::session::Session;
use super::signature::Keys;

/// The orders' window of the venue's limits.
const ORDER_WINDOW_MS: i64 = 10_000;
const MINUTE_MS: i64 = 60_000;

/// The API: the desk, the keys that open it, and the counts of its limits.
pub(super) struct Api {
    pub(super) desk: Desk,
    keys: Keys,
    orders_per_10s: Option<u32>,
    orders: Window,
    requests: Window,
    orders_of_the_day: u64,
}

/// A count that starts anew in each window of time.
#[derive(Default)]
struct Window {
    number: i64,
    count: u32,
}

struct Call<'a> {
    method: &'a str,
    params: &'a Map<String, Value>,
    now_ms: i64,
}

/// What a request leads to beside its reply.
#[derive(Default)]
struct Effects {
    events: Vec<UserEvent>,
    /// The market in which something happened.
    market: Option<usize>,
}

impl Api {
    pub(super) fn new(options: &SimulatedVenueOptions) -> Self {
        Self {
            desk: Desk::new(&options.symbols, options.starting_balance),
            keys: Keys { api_key: options.api_key.clone(), public_key: options.public_key_ed25519 },
            orders_per_10s: options.orders_per_10s,
            orders: Window::default(),
            requests: Window::default(),
            orders_of_the_day: 0,
        }
    }

    /// Handles one request: the reply leaves first, then the user events that it caused. Returns the
    /// market in which something happened.
    pub(super) fn handle(
        &mut self,
        slot: usize,
        request: &str,
        markets: &mut [Market],
        clients: &mut Clients,
    ) -> Option<usize> {
        let now_ms = epoch_ms();
        self.requests.add(now_ms / MINUTE_MS);
        let request: Value = serde_json::from_str(request).unwrap_or_default();
        let id = request.get("id").cloned().unwrap_or_default();
        let empty = Map::new();
        let params = request.get("params").and_then(Value::as_object).unwrap_or(&empty);
        let mut effects = Effects::default();
        let result = match request.get("method").and_then(Value::as_str) {
            None => Err(Refusal::bad(-1135, "Invalid JSON Request")),
            Some(method) => {
                let call = Call { method, params, now_ms };
                self.call(slot, &call, markets, clients, &mut effects)
            }
        };
        let limits = self.limits_text(slot, params, clients);
        let reply = match result {
            Ok(result) => format!(r#"{{"id":{id},"status":200,"result":{result}{limits}}}"#),
            Err(Refusal { status, code, message }) => {
                let message = Value::from(message);
                format!(
                    r#"{{"id":{id},"status":{status},"error":{{"code":{code},"msg":{message}}}{limits}}}"#
                )
            }
        };
        clients.reply(slot, &reply);
        for event in &effects.events {
            clients.send_user_event(event);
        }
        effects.market
    }

    fn call(
        &mut self,
        slot: usize,
        call: &Call<'_>,
        markets: &mut [Market],
        clients: &mut Clients,
        effects: &mut Effects,
    ) -> Result<String, Refusal> {
        let counters = clients.counters.clone();
        let session = &mut clients.get(slot).expect("a session that asks is open").session;
        match call.method {
            "ping" => return Ok("{}".into()),
            "time" => return Ok(format!(r#"{{"serverTime":{}}}"#, call.now_ms)),
            "session.logon" => {
                self.keys.verify(call.params, call.now_ms)?;
                session.authorized_ms = Some(call.now_ms);
                return Ok(self.session_status(session, call.now_ms));
            }
            "session.logout" => {
                session.authorized_ms = None;
                session.user_subscription = None;
                return Ok(self.session_status(session, call.now_ms));
            }
            "session.status" => return Ok(self.session_status(session, call.now_ms)),
            _ => {}
        }
        if call.method == "order.place" {
            counters.orders_received();
        } else if matches!(call.method, "order.cancel" | "openOrders.cancelAll") {
            counters.cancels_received();
        }
        let is_authorized = self.authorize(session, call);
        let result = is_authorized.and_then(|()| match call.method {
            "userDataStream.subscribe" => {
                session.user_subscription = Some(0);
                Ok(r#"{"subscriptionId":0}"#.into())
            }
            "userDataStream.unsubscribe" => {
                session.user_subscription = None;
                Ok("{}".into())
            }
            "order.place" => self.place(call, markets, effects),
            "order.cancel" => self.cancel(call, markets, effects),
            "order.status" => self.status(call, markets),
            "openOrders.status" => self.open_orders(call, markets),
            "openOrders.cancelAll" => self.cancel_all(call, markets, effects),
            _ => Err(Refusal::bad(-1020, "This operation is not supported.")),
        });
        if call.method == "order.place" && result.is_err() {
            counters.orders_refused();
        }
        result
    }

    /// A session that logged on may do all; any other must sign the request itself.
    fn authorize(&self, session: &Session, call: &Call<'_>) -> Result<(), Refusal> {
        if session.authorized_ms.is_some() {
            // The age is checked when the client tells it: on a logged-on session it need not.
            return match call.params.contains_key("timestamp") {
                true => super::signature::check_age(call.params, call.now_ms),
                false => Ok(()),
            };
        }
        if call.params.contains_key("signature") {
            return self.keys.verify(call.params, call.now_ms);
        }
        Err(Refusal::unauthorized(-2015, "Invalid API-key, IP, or permissions for action."))
    }

    fn session_status(&self, session: &Session, now_ms: i64) -> String {
        let since = session.authorized_ms;
        let api_key = since.map_or(Value::Null, |_| self.keys.api_key.as_str().into());
        format!(
            r#"{{"apiKey":{api_key},"authorizedSince":{},"connectedSince":{},"returnRateLimits":{},"serverTime":{now_ms},"userDataStream":{}}}"#,
            Value::from(since),
            session.connected_ms,
            session.returns_rate_limits,
            session.user_subscription.is_some()
        )
    }

    fn place(
        &mut self,
        call: &Call<'_>,
        markets: &mut [Market],
        effects: &mut Effects,
    ) -> Result<String, Refusal> {
        let index = market_of(call, markets)?;
        let market = &mut markets[index];
        let request = OrderRequest::read(call.params, &market.symbol)?;
        let response = request.response;
        let window = call.now_ms / ORDER_WINDOW_MS;
        if self.orders_per_10s.is_some_and(|limit| self.orders.in_window(window) >= limit) {
            let limit = self.orders_per_10s.unwrap_or(0);
            let message =
                format!("Too many new orders; current limit is {limit} orders per 10 SECOND.");
            return Err(Refusal { status: 429, code: -1015, message });
        }
        let placed = self.desk.place(index, market, request, call.now_ms, &mut effects.events)?;
        self.orders.add(window);
        self.orders_of_the_day += 1;
        effects.market = Some(index);
        let (id, fills) = placed;
        Ok(self.desk.by_id(id).placed(&market.symbol, response, &fills))
    }

    fn cancel(
        &mut self,
        call: &Call<'_>,
        markets: &mut [Market],
        effects: &mut Effects,
    ) -> Result<String, Refusal> {
        let index = market_of(call, markets)?;
        let name = name_of(call)?;
        let cancel_id = client_id(call.params, "newClientOrderId")?;
        let cancel_id = cancel_id.unwrap_or_else(|| self.desk.new_name());
        let market = &mut markets[index];
        let (now_ms, events) = (call.now_ms, &mut effects.events);
        let id = self.desk.cancel(index, market, &name, &cancel_id, now_ms, events)?;
        effects.market = Some(index);
        Ok(self.desk.by_id(id).canceled(&market.symbol, &cancel_id))
    }

    fn cancel_all(
        &mut self,
        call: &Call<'_>,
        markets: &mut [Market],
        effects: &mut Effects,
    ) -> Result<String, Refusal> {
        let index = market_of(call, markets)?;
        let ids = self.desk.open_ids(Some(index));
        if ids.is_empty() {
            return Err(Refusal::bad(-2011, "Unknown order sent."));
        }
        effects.market = Some(index);
        let cancel_id = self.desk.new_name();
        let market = &mut markets[index];
        let mut results = Vec::with_capacity(ids.len());
        for id in ids {
            let (name, events) = (OrderName::Id(id), &mut effects.events);
            self.desk.cancel(index, market, &name, &cancel_id, call.now_ms, events)?;
            results.push(self.desk.by_id(id).canceled(&market.symbol, &cancel_id));
        }
        Ok(format!("[{}]", results.join(",")))
    }

    fn status(&self, call: &Call<'_>, markets: &[Market]) -> Result<String, Refusal> {
        let index = market_of(call, markets)?;
        let order = self.desk.find(index, &name_of(call)?);
        let order = order.ok_or_else(|| Refusal::bad(-2013, "Order does not exist."))?;
        Ok(order.queried(&markets[index].symbol))
    }

    fn open_orders(&self, call: &Call<'_>, markets: &[Market]) -> Result<String, Refusal> {
        let index = match call.params.contains_key("symbol") {
            true => Some(market_of(call, markets)?),
            false => None,
        };
        let orders = self.desk.open_ids(index).into_iter().map(|id| {
            let order = self.desk.by_id(id);
            order.queried(&markets[order.market].symbol)
        });
        Ok(format!("[{}]", orders.collect::<Vec<_>>().join(",")))
    }

    /// The counts that follow every reply, unless the session or the request wants none.
    fn limits_text(
        &self,
        slot: usize,
        params: &Map<String, Value>,
        clients: &mut Clients,
    ) -> String {
        let by_session = clients.get(slot).is_none_or(|client| client.session.returns_rate_limits);
        if !params.get("returnRateLimits").and_then(Value::as_bool).unwrap_or(by_session) {
            return String::new();
        }
        format!(
            r#","rateLimits":[{{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":{},"count":{}}},{{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000,"count":{}}},{{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,"count":{}}}]"#,
            self.orders_per_10s.unwrap_or(50),
            self.orders.count,
            self.orders_of_the_day,
            self.requests.count
        )
    }
}

impl Window {
    fn in_window(&self, number: i64) -> u32 {
        if self.number == number { self.count } else { 0 }
    }

    fn add(&mut self, number: i64) {
        self.count = self.in_window(number) + 1;
        self.number = number;
    }
}

fn market_of(call: &Call<'_>, markets: &[Market]) -> Result<usize, Refusal> {
    let name = required(call.params, "symbol")?;
    let found = markets.iter().position(|market| market.symbol.name == name);
    found.ok_or_else(|| Refusal::bad(-1121, "Invalid symbol."))
}

/// The order that a cancel or a query names; its number goes before its client's name.
fn name_of(call: &Call<'_>) -> Result<OrderName, Refusal> {
    if let Some(id) = call.params.get("orderId").and_then(Value::as_u64) {
        return Ok(OrderName::Id(id));
    }
    let name = text(call.params, "origClientOrderId").map(OrderName::Client);
    name.ok_or_else(|| {
        let message =
            "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
        Refusal::bad(-1102, message)
    })
}
