//! How the venue words its order entry, its private channels, and what REST answers of orders.
//!
//! Strict: a session is let in by a token, which REST gives for a signature and a number higher
//! than the last one; each request has the token and a name that is a UUID, each order a deadline
//! within a minute. What follows an order's first report says what has changed, and no more. A
//! maker that would take is accepted first.

use std::sync::atomic::{AtomicU64, Ordering};

use ring::hmac;
use serde_json::{Value, json};

use super::numbers::{price, qty};
use super::rights::rights;
use crate::venue::kraken::signed_text;
use crate::venue::simulated::dialect::in_band::date;
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
use crate::venue::simulated::server::{HttpRequest, Reply};

/// The real venue's has the path of its market data, at another host.
pub(super) const PRIVATE: &str = "/auth/v2";
/// A deadline is so far ahead, ms.
const DEADLINE_MS: (i64, i64) = (500, 60_000);
/// A timer runs for less than this.
const TIMER_MAX_S: u64 = 86_400;
/// Cancels of one request.
const CANCELS_MAX: usize = 50;
/// Trades of one question.
const TRADES_MAX: usize = 20;

/// The words, and the account's key.
pub(super) struct KrakenOrders {
    api_key: String,
    key: hmac::Key,
    /// The highest number of a request over REST so far.
    nonce: AtomicU64,
    /// How long a second of its timers is.
    timer_second_ns: u64,
    key_trades: bool,
}

type Wrong = &'static str;

impl KrakenOrders {
    pub(super) fn new(options: &SimulatedVenueOptions) -> KrakenOrders {
        let secret = data_encoding::BASE64.decode(&options.verifying_key).unwrap_or_default();
        KrakenOrders {
            api_key: options.api_key.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA512, &secret),
            nonce: AtomicU64::new(0),
            timer_second_ns: options.timer_second_ns,
            key_trades: options.key_trades,
        }
    }

    /// The token that a request of this number gets.
    fn token(&self, nonce: u64) -> String {
        let tag = hmac::sign(&self.key, &nonce.to_be_bytes());
        format!("{nonce:016x}{}", data_encoding::HEXLOWER.encode(&tag.as_ref()[..12]))
    }

    fn is_token(&self, token: &Value) -> bool {
        let token = token.as_str().unwrap_or_default();
        let nonce = token.get(..16).and_then(|nonce| u64::from_str_radix(nonce, 16).ok());
        nonce.is_some_and(|nonce| self.token(nonce) == token)
    }

    /// The number of a request over REST that the account has signed, or what is wrong with it.
    fn check(&self, request: &HttpRequest) -> Result<u64, Wrong> {
        if request.header("api-key") != Some(&self.api_key) {
            return Err("EAPI:Invalid key");
        }
        let nonce = posted(request, "nonce").unwrap_or_default();
        let sign = request.header("api-sign").unwrap_or_default();
        let sign = data_encoding::BASE64.decode(sign.as_bytes()).unwrap_or_default();
        let text = signed_text(&request.path, nonce, &request.body);
        hmac::verify(&self.key, &text, &sign).map_err(|_| "EAPI:Invalid signature")?;
        let nonce: u64 = nonce.parse().map_err(|_| "EAPI:Invalid nonce")?;
        match self.nonce.fetch_max(nonce, Ordering::Relaxed) < nonce {
            true => Ok(nonce),
            false => Err("EAPI:Invalid nonce"),
        }
    }

    fn subscribe(&self, request: &Value, talk: &mut Talk<'_>) {
        let params = &request["params"];
        if !self.is_token(&params["token"]) {
            let text = refusal_text(request, "ESession:Invalid session", talk.now);
            return talk.says.push(Saying::Now(text));
        }
        let channel = params["channel"].as_str().unwrap_or_default();
        talk.says.push(Saying::Now(done(request, &json!({"channel": channel}), talk.now)));
        talk.session.authorized_ms = Some(talk.now.epoch_ms);
        talk.session.has_logged_on = true;
        let data = match channel {
            "executions" => {
                talk.session.user_subscription = Some(0);
                let (orders, markets) = (talk.exchange.orders(), talk.exchange.markets());
                let open = |id: u64| {
                    let order = orders.by_id(id);
                    terms(order, &markets[order.market].symbol, "new")
                };
                orders.open_ids(None).into_iter().map(open).collect::<Vec<_>>().join(",")
            }
            _ => {
                let wallet = |of: &BalanceNow| {
                    let (asset, all) = (&of.asset, amount(of.free + of.locked));
                    format!(
                        r#"{{"asset":"{asset}","asset_class":"currency","balance":{all},"wallets":[{{"type":"spot","id":"main","balance":{all}}}]}}"#
                    )
                };
                let balances = talk.exchange.orders().account().balances();
                balances.iter().map(wallet).collect::<Vec<_>>().join(",")
            }
        };
        talk.says.push(Saying::Now(frame(channel, "snapshot", &data, 1)));
    }

    /// Cancels all unless it is told again in time.
    fn cancel_all_after(&self, request: &Value, talk: &mut Talk<'_>) {
        let params = &request["params"];
        let seconds = params["timeout"].as_u64().filter(|seconds| *seconds < TIMER_MAX_S);
        let text = match seconds.filter(|_| self.is_token(&params["token"])) {
            None => refusal_text(request, "EGeneral:Invalid arguments:timeout", talk.now),
            Some(seconds) => {
                let at_ns = talk.now.ns + seconds * self.timer_second_ns;
                talk.exchange.cancel_all_at(if seconds == 0 { u64::MAX } else { at_ns });
                let at_ms = talk.now.epoch_ms + seconds.cast_signed() * 1_000;
                let times =
                    json!({"currentTime": date(talk.now.epoch_ms), "triggerTime": date(at_ms)});
                done(request, &times, talk.now)
            }
        };
        talk.says.push(Saying::Now(text));
    }

    /// The order of the name that is asked for, if it is on this list.
    fn order_of(&self, request: &HttpRequest, exchange: &Exchange, is_open: bool) -> String {
        let name = posted(request, "cl_ord_id").unwrap_or_default();
        let found = find(exchange, name).filter(|order| order.is_open() == is_open);
        found.map_or_else(String::new, |order| listed(order, exchange))
    }

    fn trades_of(&self, request: &HttpRequest, exchange: &Exchange) -> String {
        let ids: Vec<&str> = posted(request, "txid").unwrap_or_default().split(',').collect();
        let ledger = exchange.ledger().lock();
        let wanted = |trade: &&LedgerTrade| ids.contains(&trade_name(trade.trade_id).as_str());
        let trade =
            |trade: &LedgerTrade| listed_trade(trade, &exchange.markets()[trade.market].symbol);
        let found = ledger.trades.iter().filter(wanted).take(TRADES_MAX);
        found.map(trade).collect::<Vec<_>>().join(",")
    }
}

/// All that is open.
fn all_open(exchange: &Exchange) -> String {
    let orders = exchange.orders();
    let ids = orders.open_ids(None).into_iter();
    ids.map(|id| listed(orders.by_id(id), exchange)).collect::<Vec<_>>().join(",")
}

/// A value of what is posted.
fn posted<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let parts = request.body.split('&').filter_map(|part| part.split_once('='));
    parts.filter(|(of, _)| *of == name).map(|(_, value)| value).next()
}

/// The newest order of a name, in whatever market: requests name none.
fn find<'e>(exchange: &'e Exchange, name: &str) -> Option<&'e Order> {
    let name = OrderName::Client(name.to_owned());
    (0..exchange.markets().len()).find_map(|market| exchange.orders().find(market, &name))
}

/// As the venue names an order or a trade: three groups of letters and digits.
fn name_of(letter: char, number: u64) -> String {
    let digits = format!("{number:016X}");
    format!("{letter}{}-{}-{}", &digits[..5], &digits[5..10], &digits[10..])
}

fn order_name(id: u64) -> String {
    name_of('O', id)
}

fn trade_name(id: u64) -> String {
    name_of('T', id)
}

fn is_uuid(name: &str) -> bool {
    let is_dash = |place| matches!(place, 8 | 13 | 18 | 23);
    let is_right = |(place, byte): (usize, u8)| match is_dash(place) {
        true => byte == b'-',
        false => byte.is_ascii_hexdigit(),
    };
    name.len() == 36 && name.bytes().enumerate().all(is_right)
}

impl OrderFormat for KrakenOrders {
    fn paths(&self) -> &'static [&'static str] {
        &[PRIVATE]
    }

    fn answers(&mut self, text: &str, talk: &mut Talk<'_>) -> bool {
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        match request["method"].as_str() {
            Some("ping") => talk.says.push(Saying::Now(r#"{"method":"pong"}"#.to_owned())),
            Some("subscribe") => self.subscribe(&request, talk),
            Some("cancel_all_orders_after") => self.cancel_all_after(&request, talk),
            _ => return false,
        }
        true
    }

    fn read(&self, text: &str, exchange: &Exchange, now: Moment) -> Result<Wish, Refused> {
        let request: Value = serde_json::from_str(text).map_err(|_| Refused::Malformed)?;
        let params = &request["params"];
        if !self.is_token(&params["token"]) {
            return Err(Refused::NotLoggedOn);
        }
        let method = request["method"].as_str().unwrap_or_default();
        let name = match method {
            "cancel_order" => &params["cl_ord_id"][0],
            _ => &params["cl_ord_id"],
        };
        let name = name.as_str().filter(|name| is_uuid(name)).ok_or(Refused::Malformed)?.to_owned();
        let its_market = || {
            let order = find(exchange, &name);
            order.map_or(Err(Refusal::UnknownOrder), |order| Ok(order.market))
        };
        if method == "cancel_order" {
            return Ok(Wish::Cancel(its_market()?, OrderName::Client(name)));
        }
        let deadline =
            params["deadline"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let ahead_ms = deadline.ok_or(Refused::Malformed)?.as_millisecond() - now.epoch_ms;
        if ahead_ms < DEADLINE_MS.0 {
            return Err(Refused::Expired);
        }
        if ahead_ms > DEADLINE_MS.1 {
            return Err(Refused::Malformed);
        }
        // Numbers come as they are written, so that no digit goes through a float.
        let written = |member: &str| number_text(text, member);
        let size = |symbol: &SimulatedSymbol| {
            number(written("order_qty"), symbol.qty_scale, Filter::LotSize)
        };
        if method == "amend_order" {
            let market = its_market()?;
            let size = size(&exchange.markets()[market].symbol)?;
            return Ok(Wish::Amend(market, OrderName::Client(name), size));
        }
        let market = exchange.market(params["symbol"].as_str().unwrap_or_default());
        let market = market.ok_or(Refused::NoSuchMarket)?;
        let symbol = &exchange.markets()[market].symbol;
        let order = (market, name, size(symbol)?);
        new_order(params, order, written("limit_price"), symbol).map(Box::new).map(Wish::Place)
    }

    fn cancels(&self, text: &str) -> Option<Vec<String>> {
        let request: Value = serde_json::from_str(text).ok()?;
        let params = &request["params"];
        let names = params["cl_ord_id"].as_array()?;
        let is_meant = request["method"] == "cancel_order" && self.is_token(&params["token"]);
        let one = |name: &Value| {
            json!({"method": "cancel_order", "req_id": request["req_id"],
                "params": {"token": params["token"], "cl_ord_id": [name]}})
            .to_string()
        };
        let is_several = (2..=CANCELS_MAX).contains(&names.len());
        (is_meant && is_several).then(|| names.iter().map(one).collect())
    }

    fn answers_apart(&self) -> bool {
        true
    }

    fn granted(&self, text: &str, order: &Order, now: Moment) -> String {
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        let names = json!({"order_id": order_name(order.id), "cl_ord_id": order.client_order_id});
        done(&request, &names, now)
    }

    fn refused(&self, text: &str, why: Refused, now: Moment) -> String {
        let request: Value = serde_json::from_str(text).unwrap_or_default();
        refusal_text(&request, text_of(why), now)
    }

    fn report(
        &self,
        report: &OrderReport,
        symbol: &SimulatedSymbol,
        now: Moment,
    ) -> Option<String> {
        let order = &report.order;
        let change = |exec, status, more: &str| changed(order, symbol, (exec, status, more), now);
        let data = match &report.kind {
            ExecKind::New => {
                let told = terms(order, symbol, "pending_new");
                format!("{told},{}", change("new", "new", ""))
            }
            ExecKind::Trade(fill) => {
                let told = trade(order, fill, symbol, now);
                match order.status {
                    Status::Filled => format!("{told},{}", change("filled", "filled", "")),
                    _ => told,
                }
            }
            ExecKind::Replaced(_) => {
                let (size, at) = (qty(symbol, order.qty), price(symbol, order.price));
                let more = format!(
                    r#","amended":true,"order_qty":{size},"limit_price":{at},"reason":"User requested""#
                );
                change("amended", "new", &more)
            }
            // Nothing of it is told before it ends.
            ExecKind::Prevented { .. } if order.is_open() => return None,
            _ => {
                let more = format!(r#","reason":"{}""#, reason_of(order));
                change("canceled", "canceled", &more)
            }
        };
        Some(frame("executions", "update", &data, report.execution_id))
    }

    fn balances(
        &self,
        balances: &[BalanceNow],
        _exchange: &Exchange,
        now: Moment,
    ) -> Option<String> {
        let line = |of: &BalanceNow| {
            let (asset, all, time) = (&of.asset, amount(of.free + of.locked), date(now.epoch_ms));
            format!(
                r#"{{"timestamp":"{time}","type":"trade","asset":"{asset}","asset_class":"currency","wallet_type":"spot","wallet_id":"main","balance":{all}}}"#
            )
        };
        let data = balances.iter().map(line).collect::<Vec<_>>().join(",");
        Some(frame("balances", "update", &data, 2))
    }

    fn rest(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
        is_behind: bool,
        _now: Moment,
    ) -> Option<Reply> {
        let name = request.path.strip_prefix("/0/private/").filter(|_| request.method == "POST")?;
        let checked = self.check(request);
        let unless_behind = |list: String| if is_behind { String::new() } else { list };
        let result = match name {
            "GetWebSocketsToken" => checked.map(|nonce| {
                let token = self.token(nonce);
                format!(r#"{{"token":"{token}","expires":900}}"#)
            }),
            "CancelAll" => checked.map(|_| {
                let count = exchange.orders().open_ids(None).len();
                exchange.cancel_all_at(0);
                format!(r#"{{"count":{count}}}"#)
            }),
            "OpenOrders" => checked.map(|_| {
                let list = match posted(request, "cl_ord_id") {
                    Some(_) => self.order_of(request, exchange, true),
                    None => all_open(exchange),
                };
                let list = unless_behind(list);
                format!(r#"{{"open":{{{list}}}}}"#)
            }),
            "ClosedOrders" => checked.map(|_| {
                let list = unless_behind(self.order_of(request, exchange, false));
                format!(r#"{{"closed":{{{list}}},"count":1}}"#)
            }),
            "QueryTrades" => checked.map(|_| format!("{{{}}}", self.trades_of(request, exchange))),
            _ => {
                let told = rights(name, self.key_trades)?;
                checked.map(|_| told)
            }
        };
        Some(Reply::json(match result {
            Ok(result) => format!(r#"{{"error":[],"result":{result}}}"#).into_bytes(),
            Err(word) => format!(r#"{{"error":["{word}"]}}"#).into_bytes(),
        }))
    }
}

/// The text of a number that a request has under this name.
fn number_text<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let rest = text.split_once(&format!("\"{name}\":"))?.1;
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    Some(&rest[..end])
}

fn new_order(
    params: &Value,
    (market, name, size): (usize, String, u64),
    at: Option<&str>,
    symbol: &SimulatedSymbol,
) -> Result<NewOrder, Refused> {
    let is_maker = params["post_only"] == true;
    let (order_type, time_in_force) = match params["order_type"].as_str() {
        Some("market") => (OrderType::Market, TimeInForce::Gtc),
        Some("limit") if is_maker => (OrderType::LimitMaker, TimeInForce::Gtc),
        Some("limit") if params["time_in_force"] == "ioc" => (OrderType::Limit, TimeInForce::Ioc),
        Some("limit") if params["time_in_force"] == "gtc" => (OrderType::Limit, TimeInForce::Gtc),
        _ => return Err(Refused::Malformed),
    };
    let price = match order_type.is_priced() {
        true => number(at, symbol.price_scale, Filter::Price)?,
        false => 0,
    };
    Ok(NewOrder {
        market,
        side: match params["side"].as_str() {
            Some("buy") => Side::Buy,
            Some("sell") => Side::Sell,
            _ => return Err(Refused::Malformed),
        },
        order_type,
        time_in_force,
        price,
        stop_price: 0,
        qty: size,
        client_order_id: Some(name),
        // "Cancel newest" is the venue's own default.
        self_trade: Some(SelfTrade::ExpireTaker),
        is_accepted_first: true,
        reduces_only: false,
    })
}

/// A frame of a channel.
fn frame(channel: &str, kind: &str, data: &str, sequence: u64) -> String {
    format!(r#"{{"channel":"{channel}","type":"{kind}","data":[{data}],"sequence":{sequence}}}"#)
}

/// The reply to a request that was granted.
fn done(request: &Value, result: &Value, now: Moment) -> String {
    let (method, id, time) = (&request["method"], &request["req_id"], date(now.epoch_ms));
    format!(
        r#"{{"method":{method},"req_id":{id},"result":{result},"success":true,"time_in":"{time}","time_out":"{time}"}}"#
    )
}

/// The reply to one that was not.
fn refusal_text(request: &Value, word: &str, now: Moment) -> String {
    let (method, id, time) = (&request["method"], &request["req_id"], date(now.epoch_ms));
    format!(
        r#"{{"error":"{word}","method":{method},"req_id":{id},"success":false,"time_in":"{time}","time_out":"{time}"}}"#
    )
}

fn text_of(why: Refused) -> &'static str {
    match why {
        Refused::NotLoggedOn => "ESession:Invalid session",
        Refused::Expired => "EService:Deadline elapsed",
        Refused::Malformed => "EGeneral:Invalid arguments",
        Refused::NoSuchMarket => "EQuery:Unknown asset pair",
        Refused::TooManyOrders => "EOrder:Rate limit exceeded",
        Refused::Unknown => "EService:Timeout",
        Refused::Internal => "EGeneral:Internal error",
        Refused::Exchange(refusal) => match refusal {
            Refusal::Filter(Filter::Price | Filter::PercentPriceBySide) => "EOrder:Invalid price",
            Refusal::Filter(Filter::LotSize | Filter::MarketLotSize) => {
                "EGeneral:Invalid arguments:volume"
            }
            Refusal::Filter(Filter::Notional) => "EOrder:Cost minimum not met",
            Refusal::Filter(_) => "EOrder:Orders limit exceeded",
            Refusal::MarketClosed => "EService:Market in cancel_only mode",
            Refusal::NoBalance => "EOrder:Insufficient funds",
            Refusal::UnknownOrder | Refusal::NoSuchOrder => "EOrder:Unknown order",
            Refusal::DuplicateName
            // The venue accepts the first, has no stops here, and amends what they do not allow.
            | Refusal::WouldTake
            | Refusal::WouldTrigger
            | Refusal::AmendNotSmaller
            | Refusal::NotReducing
            | Refusal::AmendNotWorking => "EGeneral:Invalid arguments",
        },
    }
}

fn side_text(side: Side) -> &'static str {
    if side == Side::Buy { "buy" } else { "sell" }
}

/// Why an order ended before it was filled.
fn reason_of(order: &Order) -> &'static str {
    match (order.status, order.expiry) {
        (Status::Canceled, _) => "User requested",
        (Status::ExpiredInMatch, _) => "Self trade prevention",
        (_, Some(ExpiryReason::WouldTake)) => "Post only order",
        (_, Some(ExpiryReason::NoBalance)) => "Insufficient funds",
        _ => "Out of liquidity",
    }
}

/// What an order is, as it is told once.
fn terms(order: &Order, symbol: &SimulatedSymbol, exec: &str) -> String {
    let (id, client, name) = (order_name(order.id), &order.client_order_id, &symbol.name);
    let (size, side, time) =
        (qty(symbol, order.qty), side_text(order.side), date(order.created_ms));
    let kind = if order.order_type == OrderType::Market { "market" } else { "limit" };
    let life = if order.time_in_force == TimeInForce::Ioc { "IOC" } else { "GTC" };
    let at = match order.order_type.is_priced() {
        true => format!(r#","limit_price":{}"#, price(symbol, order.price)),
        false => String::new(),
    };
    let done = qty(symbol, order.executed);
    format!(
        r#"{{"order_id":"{id}","cl_ord_id":"{client}","symbol":"{name}","order_qty":{size},"cum_qty":{done},"time_in_force":"{life}","exec_type":"{exec}","side":"{side}","order_type":"{kind}"{at},"order_status":"{exec}","timestamp":"{time}"}}"#
    )
}

/// What has changed of an order.
fn changed(
    order: &Order,
    symbol: &SimulatedSymbol,
    (exec, status, more): (&str, &str, &str),
    now: Moment,
) -> String {
    let (id, client, time) = (order_name(order.id), &order.client_order_id, date(now.epoch_ms));
    let (done, sum) = (qty(symbol, order.executed), notional(order.notional, symbol));
    format!(
        r#"{{"timestamp":"{time}","order_status":"{status}","exec_type":"{exec}","cum_qty":{done},"cum_cost":{sum},"cl_ord_id":"{client}","order_id":"{id}"{more}}}"#
    )
}

fn trade(order: &Order, fill: &OrderFill, symbol: &SimulatedSymbol, now: Moment) -> String {
    let (id, client, time) = (order_name(order.id), &order.client_order_id, date(now.epoch_ms));
    let (name, side, number) = (&symbol.name, side_text(order.side), fill.trade_id);
    let (at, of) = (price(symbol, fill.price), qty(symbol, fill.qty));
    let (done, sum) = (qty(symbol, order.executed), notional(order.notional, symbol));
    let (fee, asset) = (amount(fill.fee.amount), &fill.fee.asset);
    let status = if order.status == Status::Filled { "filled" } else { "partially_filled" };
    let maker = if fill.is_maker { "m" } else { "t" };
    let trade = trade_name(number);
    format!(
        r#"{{"order_id":"{id}","cl_ord_id":"{client}","exec_id":"{trade}","exec_type":"trade","trade_id":{number},"symbol":"{name}","side":"{side}","last_qty":{of},"last_price":{at},"liquidity_ind":"{maker}","order_status":"{status}","cum_qty":{done},"cum_cost":{sum},"fees":[{{"asset":"{asset}","qty":{fee}}}],"timestamp":"{time}"}}"#
    )
}

/// A sum of prices times quantities.
fn notional(sum: u128, symbol: &SimulatedSymbol) -> String {
    let digits = symbol.price_scale + symbol.qty_scale;
    let one = 10_u128.pow(digits);
    format!("{}.{:0width$}", sum / one, sum % one, width = digits as usize)
}

/// An order, as REST lists it.
fn listed(order: &Order, exchange: &Exchange) -> String {
    let symbol = &exchange.markets()[order.market].symbol;
    let status = match order.status {
        Status::New | Status::PartiallyFilled => "open",
        Status::Filled => "closed",
        _ => "canceled",
    };
    let ledger = exchange.ledger().lock();
    let its = ledger.trades.iter().rev().filter(|trade| trade.order_id == order.id);
    let trades: Vec<String> = its.map(|trade| trade_name(trade.trade_id)).collect();
    let told = json!({
        "refid": null, "cl_ord_id": order.client_order_id, "status": status,
        "reason": if order.is_open() { Value::Null } else { reason_of(order).into() },
        "opentm": order.created_ms / 1_000,
        "descr": {
            "pair": symbol.name.replace('/', ""), "type": side_text(order.side),
            "ordertype": if order.order_type == OrderType::Market { "market" } else { "limit" },
            "price": price(symbol, order.price), "price2": "0",
        },
        "vol": qty(symbol, order.qty), "vol_exec": qty(symbol, order.executed),
        "cost": notional(order.notional, symbol), "price": average(order, symbol),
        "trades": trades,
    });
    format!(r#""{}":{told}"#, order_name(order.id))
}

/// A trade, as REST lists it.
fn listed_trade(trade: &LedgerTrade, symbol: &SimulatedSymbol) -> String {
    let told = json!({
        "ordertxid": order_name(trade.order_id), "pair": symbol.name.replace('/', ""),
        "time": trade.at_ms / 1_000, "type": side_text(trade.side),
        "price": price(symbol, trade.price), "vol": qty(symbol, trade.qty),
        "fee": amount(trade.fee.amount), "maker": trade.is_maker, "trade_id": trade.trade_id,
    });
    format!(r#""{}":{told}"#, trade_name(trade.trade_id))
}
