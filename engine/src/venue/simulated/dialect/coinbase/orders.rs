//! The venue's order entry over REST, what REST answers of orders, and the account's stream.
//!
//! Strict: each request has a token of its own; an order has a name, a product, a side and one
//! configuration, of whose members none is unknown. A name that was used before leads to the first
//! order of that name, and nothing more is done. Of requests beyond the thirtieth in a second none
//! is heard.

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::NUMBER;
use super::rights::rights;
use super::texts::{
    account, canceled, edit_word_of, edited, listed, listed_fill, not_placed, number_of, order_of,
    placed, refusal, said, status_of, streamed, user_frame, word_of,
};
use super::tokens::Tokens;
use crate::rate::SecondCount;
use crate::venue::simulated::dialect::order_entry::{OrderFormat, Refused, Wish, number};
use crate::venue::simulated::dialect::{Saying, Talk};
use crate::venue::simulated::exchange::{
    BalanceNow, Exchange, ExecKind, Filter, NewOrder, Order, OrderName, OrderReport, OrderType,
    Refusal, SelfTrade, Side, SimulatedSymbol, TimeInForce,
};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{HttpRequest, Reply};

/// The real venue's has the path of its market data, at another host.
pub(super) const PRIVATE: &str = "/user";
const BASE: &str = "/api/v3/brokerage/";
const ORDERS: &str = "/api/v3/brokerage/orders";
const EDIT: &str = "/api/v3/brokerage/orders/edit";
const CANCEL: &str = "/api/v3/brokerage/orders/batch_cancel";
/// Requests of an account in a second.
const REQUESTS_PER_S: u64 = 30;
/// Orders of one frame of a snapshot.
const SNAPSHOT_MAX: usize = 50;
/// Entries of a page, and the most that may be asked for.
const PAGE: (usize, usize) = (100, 1_000);
/// Bytes of a client's name of an order, at most.
const NAME_BYTES_MAX: usize = 128;

/// The words, the account's key, and what it has asked for.
pub(super) struct CoinbaseOrders {
    asked: Mutex<Asked>,
    key_trades: bool,
}

struct Asked {
    tokens: Tokens,
    in_second: SecondCount,
}

impl CoinbaseOrders {
    pub(super) fn new(options: &SimulatedVenueOptions) -> CoinbaseOrders {
        let tokens = Tokens::new(&options.api_key, &options.verifying_key);
        let asked = Mutex::new(Asked { tokens, in_second: SecondCount::default() });
        CoinbaseOrders { asked, key_trades: options.key_trades }
    }

    /// Whether a request over REST is heard, or its status and word.
    fn check(
        &self,
        (method, path): (&str, &str),
        authorization: &str,
        now: Moment,
    ) -> Result<(), (u16, &'static str)> {
        let mut asked = self.asked.lock();
        if asked.in_second.add(1, now.ns.cast_signed()) > REQUESTS_PER_S {
            return Err((429, "rate_limit_exceeded"));
        }
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        match asked.tokens.opens(token, Some((method, path)), now) {
            true => Ok(()),
            false => Err((401, "Unauthorized")),
        }
    }

    fn subscribe(&self, request: &Value, talk: &mut Talk<'_>) {
        let channel = request["channel"].as_str().unwrap_or_default();
        let token = request["jwt"].as_str().unwrap_or_default();
        let opens = self.asked.lock().tokens.opens(token, None, talk.now);
        match channel {
            "user" if opens => {
                talk.session.authorized_ms = Some(talk.now.epoch_ms);
                talk.session.has_logged_on = true;
                talk.session.user_subscription = Some(0);
                let (orders, markets) = (talk.exchange.orders(), talk.exchange.markets());
                let open = |id: u64| {
                    let order = orders.by_id(id);
                    streamed(order, &markets[order.market].symbol)
                };
                let open: Vec<Value> = orders.open_ids(None).into_iter().map(open).collect();
                let frames = open.chunks(SNAPSHOT_MAX);
                let frames = frames.map(|part| user_frame("snapshot", part, talk.now));
                talk.says.extend(frames.map(Saying::Now));
                if open.is_empty() {
                    talk.says.push(Saying::Now(user_frame("snapshot", &[], talk.now)));
                }
            }
            "heartbeats" if opens || token.is_empty() => {
                talk.session.subscribe("heartbeats:heartbeats", None);
            }
            _ => {
                let wrong = r#"{"type":"error","message":"authentication failure"}"#;
                return talk.says.push(Saying::Now(wrong.to_owned()));
            }
        }
        let mut all = Map::new();
        if talk.session.user_subscription.is_some() {
            all.insert("user".to_owned(), json!([talk.exchange.markets().len().to_string()]));
        }
        if !talk.session.names.is_empty() {
            all.insert("heartbeats".to_owned(), json!(["heartbeats"]));
        }
        let all = Value::Object(all);
        talk.says.push(Saying::Now(format!(
            r#"{{"channel":"subscriptions","timestamp":"",{NUMBER}0,"events":[{{"subscriptions":{all}}}]}}"#
        )));
    }

    /// A page of the account's orders, newest first.
    ///
    /// # Errors
    /// A word, where the time that is asked for is none.
    fn list(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
    ) -> Result<Value, (u16, &'static str)> {
        let wanted = |name: &str| request.parameter(name).map(|value| value.into_owned());
        let time = |name: &str| match wanted(name).map(|time| time.parse::<Timestamp>()) {
            None => Ok(None),
            Some(Ok(time)) => Ok(Some(time.as_millisecond())),
            Some(Err(_)) => Err((400, "INVALID_ARGUMENT")),
        };
        let (product, status) = (wanted("product_ids"), wanted("order_status"));
        // The first is included.
        let (from_ms, end_ms) = (time("start_date")?, time("end_date")?);
        let ledger = exchange.ledger().lock();
        let is_wanted = |order: &&Order| {
            let symbol = &exchange.markets()[order.market].symbol;
            product.as_deref().is_none_or(|product| product == symbol.name)
                && (status.is_none() || order.is_open())
                && from_ms.is_none_or(|from_ms| order.created_ms >= from_ms)
                && end_ms.is_none_or(|end_ms| order.created_ms < end_ms)
        };
        let all = ledger.orders.values().rev().filter(is_wanted).collect();
        let (orders, next) = page::<&Order>(request, all);
        let orders = orders.into_iter();
        let orders: Vec<Value> =
            orders.map(|order| listed(order, &exchange.markets()[order.market].symbol)).collect();
        let (has_next, cursor) = (!next.is_empty(), next);
        Ok(json!({"orders": orders, "has_next": has_next, "cursor": cursor, "sequence": "0"}))
    }

    /// A page of the fills of an order, newest first.
    fn fills(&self, request: &HttpRequest, exchange: &Exchange) -> Value {
        let order = request.parameter("order_ids").and_then(|id| number_of(&id));
        let ledger = exchange.ledger().lock();
        let its = ledger.trades.iter().rev().filter(|trade| Some(trade.order_id) == order);
        let all = its.map(|trade| listed_fill(trade, &exchange.markets()[trade.market].symbol));
        let (fills, next) = page(request, all.collect());
        json!({"fills": fills, "cursor": next})
    }
}

/// The part of a list that is asked for, and where the next one begins.
fn page<T: Clone>(request: &HttpRequest, all: Vec<T>) -> (Vec<T>, String) {
    let number = |name: &str| request.parameter(name).and_then(|value| value.parse().ok());
    let (from, limit) = (number("cursor").unwrap_or(0), number("limit").unwrap_or(PAGE.0));
    let end = all.len().min(from + limit.clamp(1, PAGE.1));
    let next = if end < all.len() { end.to_string() } else { String::new() };
    (all.get(from..end).unwrap_or_default().to_vec(), next)
}

/// Method and path, authorization and body of a request, as it stands in a message.
fn parts(text: &str) -> Option<((&str, &str), &str, &str)> {
    let (line, rest) = text.split_once('\n')?;
    let (authorization, body) = rest.split_once('\n')?;
    Some((line.split_once(' ')?, authorization, body))
}

impl OrderFormat for CoinbaseOrders {
    fn paths(&self) -> &'static [&'static str] {
        &[PRIVATE]
    }

    /// Orders come over REST.
    fn message_of(&self, request: &HttpRequest) -> Option<String> {
        let is_order = [ORDERS, EDIT, CANCEL].contains(&request.path.as_str());
        let authorization = request.header("authorization").unwrap_or_default();
        (is_order && request.method == "POST").then(|| {
            format!("{} {}\n{authorization}\n{}", request.method, request.path, request.body)
        })
    }

    fn answers(&mut self, text: &str, talk: &mut Talk<'_>) -> bool {
        let Some((request, authorization, _)) = parts(text) else {
            let request: Value = serde_json::from_str(text).unwrap_or_default();
            self.subscribe(&request, talk);
            return true;
        };
        match self.check(request, authorization, talk.now) {
            Ok(()) => {
                talk.session.authorized_ms = Some(talk.now.epoch_ms);
                talk.session.has_logged_on = true;
                false
            }
            Err((status, word)) => {
                talk.says.push(Saying::Now(said(status, &refusal(word))));
                true
            }
        }
    }

    fn read(&self, text: &str, exchange: &Exchange, _now: Moment) -> Result<Wish, Refused> {
        let ((_, path), _, body) = parts(text).ok_or(Refused::Malformed)?;
        let body: Value = serde_json::from_str(body).map_err(|_| Refused::Malformed)?;
        if path == CANCEL {
            let ids = body["order_ids"].as_array().filter(|ids| ids.len() == 1);
            let id = ids.and_then(|ids| ids[0].as_str()).ok_or(Refused::Malformed)?;
            let order = number_of(id).and_then(|id| order_of(exchange, id));
            let order = order.ok_or(Refusal::UnknownOrder)?;
            return Ok(Wish::Cancel(order.market, OrderName::Id(order.id)));
        }
        if path == EDIT {
            return read_edit(&body, exchange);
        }
        read_order(&body, exchange)
    }

    fn cancels(&self, text: &str) -> Option<Vec<String>> {
        let (line, rest) = text.split_once('\n')?;
        let (authorization, body) = rest.split_once('\n')?;
        let body: Value = serde_json::from_str(body).ok()?;
        let ids = body["order_ids"].as_array().filter(|ids| ids.len() > 1)?;
        let one = |id: &Value| format!("{line}\n{authorization}\n{}", json!({"order_ids": [id]}));
        Some(ids.iter().map(one).collect())
    }

    fn together(&self, _text: &str, answers: &[String], _now: Moment) -> String {
        let result = |answer: &String| {
            let (_, body) = answer.split_once(' ').unwrap_or_default();
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            body["results"][0].clone()
        };
        let results: Vec<Value> = answers.iter().map(result).collect();
        said(200, &json!({"results": results}))
    }

    fn granted(&self, text: &str, order: &Order, _now: Moment) -> String {
        let Some(((_, path), _, body)) = parts(text) else { return String::new() };
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        match path {
            CANCEL => said(200, &canceled(body["order_ids"][0].as_str().unwrap_or_default(), None)),
            EDIT => said(200, &edited(None)),
            _ => said(200, &placed(order, body["product_id"].as_str().unwrap_or_default())),
        }
    }

    fn refused(&self, text: &str, why: Refused, _now: Moment) -> String {
        if let Some((status, word)) = status_of(why) {
            return said(status, &refusal(word));
        }
        let Some(((_, path), _, body)) = parts(text) else { return String::new() };
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let order_id = body["order_ids"][0].as_str().unwrap_or_default();
        match path {
            CANCEL => said(200, &canceled(order_id, Some(word_of(why)))),
            EDIT => said(200, &edited(Some(edit_word_of(why)))),
            _ => said(200, &not_placed(word_of(why))),
        }
    }

    fn report(
        &self,
        report: &OrderReport,
        symbol: &SimulatedSymbol,
        now: Moment,
    ) -> Option<String> {
        // Nothing of it is told before it ends.
        if matches!(report.kind, ExecKind::Prevented { .. }) && report.order.is_open() {
            return None;
        }
        Some(user_frame("update", &[streamed(&report.order, symbol)], now))
    }

    /// The stream tells none.
    fn balances(
        &self,
        _balances: &[BalanceNow],
        _exchange: &Exchange,
        _now: Moment,
    ) -> Option<String> {
        None
    }

    fn rest(
        &self,
        request: &HttpRequest,
        exchange: &Exchange,
        is_behind: bool,
        now: Moment,
    ) -> Option<Reply> {
        let name = request.path.strip_prefix(BASE).filter(|_| request.method == "GET")?;
        let is_order = name.strip_prefix("orders/historical/");
        let right = rights(name, self.key_trades);
        if name != "accounts" && is_order.is_none() && right.is_none() {
            return None;
        }
        let authorization = request.header("authorization").unwrap_or_default();
        let checked = self.check(("GET", &request.path), authorization, now);
        let told = match (checked, is_order) {
            (Err((status, word)), _) => Err((status, word)),
            (Ok(()), None) if let Some(right) = right => Ok(right),
            (Ok(()), None) => {
                let balances = exchange.orders().account().balances();
                let all: Vec<Value> = balances.iter().map(account).collect();
                Ok(json!({"accounts": all, "has_next": false, "cursor": "", "size": all.len()}))
            }
            (Ok(()), Some("batch")) if is_behind => Ok(json!({"orders": [], "has_next": false})),
            (Ok(()), Some("batch")) => self.list(request, exchange),
            (Ok(()), Some("fills")) => Ok(self.fills(request, exchange)),
            (Ok(()), Some(id)) => {
                let found = number_of(id).and_then(|id| order_of(exchange, id));
                let found = found.filter(|_| !is_behind).ok_or((404, "NOT_FOUND"));
                found.map(|order| {
                    json!({"order": listed(order, &exchange.markets()[order.market].symbol)})
                })
            }
        };
        Some(match told {
            Ok(body) => Reply::json(body.to_string().into_bytes()),
            Err((status, word)) => Reply::new(status, refusal(word).to_string().into_bytes()),
        })
    }
}

/// A change of an order that rests, to a smaller size at its price.
fn read_edit(body: &Value, exchange: &Exchange) -> Result<Wish, Refused> {
    let members = body.as_object().ok_or(Refused::Malformed)?;
    if members.keys().any(|name| !["order_id", "price", "size"].contains(&name.as_str())) {
        return Err(Refused::Malformed);
    }
    let id = body["order_id"].as_str().ok_or(Refused::Malformed)?;
    let order = number_of(id).and_then(|id| order_of(exchange, id));
    let order = order.ok_or(Refusal::UnknownOrder)?;
    let symbol = &exchange.markets()[order.market].symbol;
    let price = number(body["price"].as_str(), symbol.price_scale, Filter::Price)?;
    let size = number(body["size"].as_str(), symbol.qty_scale, Filter::LotSize)?;
    // The exchange here has no other changes.
    if price != order.price {
        return Err(Refusal::AmendNotSmaller.into());
    }
    Ok(Wish::Amend(order.market, OrderName::Id(order.id), size))
}

/// A new order, or the first one of its name.
fn read_order(body: &Value, exchange: &Exchange) -> Result<Wish, Refused> {
    let known = ["client_order_id", "product_id", "side", "order_configuration"];
    let members = body.as_object().ok_or(Refused::Malformed)?;
    if members.keys().any(|name| !known.contains(&name.as_str())) {
        return Err(Refused::Malformed);
    }
    let name = body["client_order_id"].as_str().filter(|name| !name.is_empty());
    let name = name.filter(|name| name.len() <= NAME_BYTES_MAX).ok_or(Refused::Malformed)?;
    let first = OrderName::Client(name.to_owned());
    let mut markets = 0..exchange.markets().len();
    if let Some(first) = markets.find_map(|market| exchange.orders().find(market, &first)) {
        return Ok(Wish::Known(first.id));
    }
    let market = body["product_id"].as_str().and_then(|product| exchange.market(product));
    let market = market.ok_or(Refused::NoSuchMarket)?;
    let symbol = &exchange.markets()[market].symbol;
    let side = match body["side"].as_str() {
        Some("BUY") => Side::Buy,
        Some("SELL") => Side::Sell,
        _ => return Err(Refused::Malformed),
    };
    let configuration = body["order_configuration"].as_object().filter(|of| of.len() == 1);
    let (kind, terms) = configuration.and_then(|of| of.iter().next()).ok_or(Refused::Malformed)?;
    let has_only = |names: &[&str]| {
        terms.as_object().is_some_and(|all| all.keys().all(|name| names.contains(&name.as_str())))
    };
    let is_maker = terms["post_only"] == true;
    const PRICED: &[&str] = &["base_size", "limit_price"];
    let (order_type, time_in_force) = match kind.as_str() {
        "market_market_ioc" if has_only(&["base_size"]) => (OrderType::Market, TimeInForce::Gtc),
        "limit_limit_gtc" if has_only(&["base_size", "limit_price", "post_only"]) => {
            (if is_maker { OrderType::LimitMaker } else { OrderType::Limit }, TimeInForce::Gtc)
        }
        "sor_limit_ioc" if has_only(PRICED) => (OrderType::Limit, TimeInForce::Ioc),
        "limit_limit_fok" if has_only(PRICED) => (OrderType::Limit, TimeInForce::Fok),
        _ => return Err(Refused::Malformed),
    };
    let price = match order_type.is_priced() {
        true => number(terms["limit_price"].as_str(), symbol.price_scale, Filter::Price)?,
        false => 0,
    };
    Ok(Wish::Place(Box::new(NewOrder {
        market,
        side,
        order_type,
        time_in_force,
        price,
        stop_price: 0,
        reduces_only: false,
        qty: number(terms["base_size"].as_str(), symbol.qty_scale, Filter::LotSize)?,
        client_order_id: Some(name.to_owned()),
        self_trade: Some(SelfTrade::ExpireTaker),
        is_accepted_first: false,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::coinbase::CoinbaseKey;
    use crate::venue::protocol::Signer;
    use crate::world::SplitMix64;

    const NOW: Moment = Moment { ns: 1_000_000_000, epoch_ms: 1_700_000_000_000 };

    fn bench() -> (CoinbaseOrders, Exchange, CoinbaseKey) {
        let key = CoinbaseKey::drawn("key", &mut SplitMix64::new(1)).unwrap();
        let options = SimulatedVenueOptions {
            api_key: "key".into(),
            verifying_key: key.verifying_key(),
            ..SimulatedVenueOptions::default()
        };
        (CoinbaseOrders::new(&options), Exchange::new(&options, NOW), key)
    }

    fn order(name: &str, product: &str, terms: &str) -> String {
        format!(
            "POST {ORDERS}\n\n{{\"client_order_id\":\"{name}\",\"product_id\":\"{product}\",\"side\":\"BUY\",\"order_configuration\":{{{terms}}}}}"
        )
    }

    const RESTS: &str = r#""limit_limit_gtc":{"base_size":"0.01","limit_price":"30000"}"#;

    #[test]
    fn a_name_that_was_used_leads_to_its_first_order() {
        let (desk, mut exchange, _) = bench();
        let text = order("one", "BTCUSDT", RESTS);
        let Ok(Wish::Place(new)) = desk.read(&text, &exchange, NOW) else { panic!("a new order") };
        let first = exchange.place(*new, NOW).unwrap().id;
        let again = order("one", "BTCUSDT", r#""market_market_ioc":{"base_size":"5"}"#);
        assert!(matches!(desk.read(&again, &exchange, NOW), Ok(Wish::Known(id)) if id == first));
        let told = desk.granted(&again, exchange.orders().by_id(first), NOW);
        assert!(told.starts_with("200 ") && told.contains(&super::super::texts::uuid(first)));
    }

    #[test]
    fn what_is_not_worded_as_the_venue_wants_it_is_refused() {
        let (desk, exchange, _) = bench();
        let refused = |text: &str| desk.read(text, &exchange, NOW).err();
        let elsewhere = refused(&order("one", "ETH-EUR", RESTS));
        assert_eq!(elsewhere, Some(Refused::NoSuchMarket));
        for terms in [
            "",
            r#""limit_limit_gtc":{"base_size":"0.01"}"#,
            r#""limit_limit_gtc":{"base_size":"0.01","limit_price":"1","x":1}"#,
            r#""limit_limit_ioc":{"base_size":"0.01","limit_price":"1"}"#,
            r#""market_market_ioc":{"base_size":"1"},"sor_limit_ioc":{"base_size":"1"}"#,
        ] {
            let wrong = refused(&order("one", "BTCUSDT", terms));
            assert_eq!(wrong, Some(Refused::Malformed), "{terms}");
        }
        assert_eq!(refused(&order("", "BTCUSDT", RESTS)), Some(Refused::Malformed));
        let unknown = format!("POST {CANCEL}\n\n{{\"order_ids\":[\"77\"]}}");
        assert_eq!(refused(&unknown), Some(Refusal::UnknownOrder.into()));
        let two = format!("POST {CANCEL}\n\n{{\"order_ids\":[\"77\",\"78\"]}}");
        assert_eq!(desk.cancels(&two).map(|cancels| cancels.len()), Some(2));
    }

    #[test]
    fn orders_are_listed_of_the_time_that_is_asked_for_from_its_first_moment_on() {
        let (desk, mut exchange, _) = bench();
        for (name, later_ms) in [("one", 0), ("two", 1_000), ("three", 2_000)] {
            let now = NOW.later_ms(later_ms);
            let read = desk.read(&order(name, "BTCUSDT", RESTS), &exchange, now);
            let Ok(Wish::Place(new)) = read else { panic!("a new order") };
            exchange.place(*new, now).unwrap();
        }
        let names = |query: &str| {
            let request = HttpRequest {
                method: "GET".into(),
                path: format!("{BASE}orders/historical/batch"),
                query: query.into(),
                headers: Vec::new(),
                body: String::new(),
                websocket_key: None,
                keep_alive: true,
            };
            let told = desk.list(&request, &exchange)?;
            let orders = told["orders"].as_array().unwrap();
            let names = orders.iter().map(|order| order["client_order_id"].as_str().unwrap());
            Ok::<_, (u16, &str)>(names.collect::<Vec<_>>().join(" "))
        };
        let from = "start_date=2023-11-14T22%3A13%3A21.000Z";
        let end = "end_date=2023-11-14T22:13:22Z";
        assert_eq!(names("limit=10"), Ok("three two one".to_owned()));
        assert_eq!(names(from), Ok("three two".to_owned()));
        assert_eq!(names(&format!("{from}&{end}")), Ok("two".to_owned()));
        assert_eq!(names("start_date=now"), Err((400, "INVALID_ARGUMENT")));
    }

    #[test]
    fn requests_need_a_token_of_their_own_and_are_thirty_in_a_second() {
        let (desk, _, mut key) = bench();
        let request = ("POST", ORDERS);
        let mut ask = |now: Moment| {
            let mut out = b"Bearer ".to_vec();
            key.write(Some(request), b"", now.epoch_ms, &mut out);
            let text = String::from_utf8(out).unwrap();
            (desk.check(request, &text, now), text)
        };
        let (granted, text) = ask(NOW);
        assert_eq!(granted, Ok(()));
        assert_eq!(desk.check(request, &text, NOW), Err((401, "Unauthorized")), "used before");
        assert_eq!(desk.check(request, "", NOW), Err((401, "Unauthorized")));
        assert!((3..30).all(|_| ask(NOW).0.is_ok()));
        assert_eq!(ask(NOW).0, Err((429, "rate_limit_exceeded")));
        assert_eq!(ask(NOW.later_ms(1_000)).0, Ok(()));
    }
}
