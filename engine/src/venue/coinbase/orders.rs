//! Coinbase Advanced's order protocol for spot: orders and questions over REST
//! (`https://api.coinbase.com`), and the account's stream as the session
//! (`wss://advanced-trade-ws-user.coinbase.com`, channel `user`).
//!
//! Source: "Create Order", "Edit Order", "Cancel Orders", "Get Order", "List Orders", "List Fills",
//! "List Accounts" and "API Key Authentication" of the venue's reference, "User Channel" and
//! "Heartbeats Channel" of its WebSocket pages, and its own client.
//!
//! The venue finds an order by its own name alone: a cancel waits until that is known, and a
//! question before that goes through the list of the product's orders of that time ("List Orders":
//! `start_date` and `end_date` are of an order's creation, the first one included), page by page.
//! The stream tells how each order stands in whole and names no fill: those are listed over REST.
//! It tells no balances: they are asked for with each connection. An order is refused once its
//! token has expired. Sizes are of the base currency, also of market orders. No stops. An order
//! that rests can become smaller ("Edit Order"): the answer says that this was asked for, and the
//! stream that it was done. Several orders are cancelled with one request, and the answer tells of
//! each.

use std::io::Write;

use serde_json::Value;

use super::inspection;
use super::order_decoder::{CANCELS_MAX, CoinbaseReports, ListPart, at_cursor, parameter};
use super::refusals::meaning_of;
use super::token::CoinbaseKey;
use crate::event::{RejectReason, Side, VenueRef, push_scaled};
use crate::order::{Amends, Capabilities, OrderCommand, OrderType, OrderTypes, TimeInForce};
use crate::venue::codec::JsonText;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{
    AccountQuestion, AccountWords, Failure, FillsFrom, KeepAlive, NameForm, OrderProtocol,
    OrderRequest, Outcome, SentTime, order_terms,
};
use crate::venue::utc::push_rfc3339;

const ORDERS: &str = "/api/v3/brokerage/orders";
const EDIT: &str = "/api/v3/brokerage/orders/edit";
const CANCEL: &str = "/api/v3/brokerage/orders/batch_cancel";
const LIST: &str = "/api/v3/brokerage/orders/historical/batch";
const FILLS: &str = "/api/v3/brokerage/orders/historical/fills";
const ORDER: &str = "/api/v3/brokerage/orders/historical/";
const ACCOUNTS: &str = "/api/v3/brokerage/accounts";
/// Bytes of a body for which there is room from the start.
const BODY_BYTES: usize = 1_024;
/// An order was created by the venue's clock so long before we sent it by ours, ms, at most: its
/// token is good for [ten seconds](super::token), and checked by some leeway, which is not told.
const CLOCKS_APART_MS: i64 = 60_000;
/// The same of an order of an earlier start, before which the machine's clock may have been set.
const RESET_CLOCK_MS: i64 = 3_600_000;

/// The protocol.
pub struct CoinbaseOrders {
    key: CoinbaseKey,
    decoder: CoinbaseReports,
    body: Vec<u8>,
}

impl OrderProtocol for CoinbaseOrders {
    type Signer = CoinbaseKey;
    type Decoder = CoinbaseReports;

    const ORDER_TYPES: OrderTypes = OrderTypes::PLAIN;
    const CAPABILITIES: Capabilities = Capabilities::of(Self::ORDER_TYPES)
        .with_amends(Amends::Smaller)
        .with_cancels_per_request(CANCELS_MAX);
    /// A token is good for ten seconds, by a clock that may be a second off ours; what it has
    /// brought may take as long again to be known to those who answer questions.
    const IN_FLIGHT_MAX_NS: u64 = 20_000_000_000;
    /// Heartbeats come by themselves, one a second.
    const KEEP_ALIVE: KeepAlive = KeepAlive::None;
    const LOGON: &'static [&'static str] = &["logon", "subscribe to heartbeats"];
    const ASKS_OVER_REST: bool = true;
    const ORDERS_OVER_REST: bool = true;
    const CANCELS_BY_VENUE_NAME: bool = true;
    const NAMES: NameForm = NameForm::Uuid;

    fn new(key: CoinbaseKey, decoder: CoinbaseReports) -> CoinbaseOrders {
        CoinbaseOrders { key, decoder, body: Vec::with_capacity(BODY_BYTES) }
    }

    fn decoder(&mut self) -> &mut CoinbaseReports {
        &mut self.decoder
    }

    /// Every request over REST counts, whatever it is for.
    fn weight(&self, class: RequestClass) -> u32 {
        u32::from(class != RequestClass::Logon)
    }

    #[cold]
    fn logon(&mut self, step: usize, id: u64, time_ms: i64, out: &mut Vec<u8>) {
        let channel = if step == 0 { "user" } else { "heartbeats" };
        if step == 0 {
            self.decoder.restart();
        }
        self.decoder.subscribing = Some((id, channel));
        out.clear();
        let start = format!(r#"{{"type":"subscribe","channel":"{channel}","jwt":""#);
        out.extend_from_slice(start.as_bytes());
        self.key.write(None, b"", time_ms, out);
        if let Ok(token) = str::from_utf8(&out[start.len()..]) {
            crate::text::hide_passing(token);
        }
        out.extend_from_slice(b"\"}");
    }

    #[inline]
    fn place(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let (side, order_type, life) = order_terms(command, Self::CAPABILITIES)?;
        self.body.clear();
        let mut text = JsonText(&mut self.body);
        text.text(r#"{"client_order_id":""#);
        text.bytes(request.name);
        text.text(r#"","product_id":""#);
        text.text(request.native);
        text.text(match side {
            Side::Buy => r#"","side":"BUY","order_configuration":{""#,
            Side::Sell => r#"","side":"SELL","order_configuration":{""#,
        });
        text.text(match (order_type, life) {
            (OrderType::Market, _) => "market_market_ioc",
            (OrderType::LimitMaker, _) | (_, TimeInForce::Gtc) => "limit_limit_gtc",
            (_, TimeInForce::Ioc) => "sor_limit_ioc",
            (_, TimeInForce::Fok) => "limit_limit_fok",
        });
        text.text(r#"":{"base_size":""#);
        push_scaled(text.0, command.qty, request.scales.qty);
        text.text("\"");
        if order_type.is_priced() {
            text.number("limit_price", command.price, request.scales.price);
        }
        if order_type == OrderType::LimitMaker {
            text.text(r#","post_only":true"#);
        }
        text.text("}}}");
        self.write_post(ORDERS, request.time_ms, out);
        Ok(())
    }

    /// Price and size as they are to be, that of what is filled included. An order that the venue
    /// has not named yet can't be meant.
    #[inline]
    fn amend(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        if request.venue_order_id.is_none() {
            return Err(RejectReason::SlowDown);
        }
        self.body.clear();
        let mut text = JsonText(&mut self.body);
        text.text(r#"{"order_id":""#);
        push_name(request.venue_order_id, text.0);
        text.text("\"");
        text.number("price", command.price, request.scales.price);
        text.number("size", command.qty, request.scales.qty);
        text.text("}");
        self.decoder.amends(request.id, request.venue_order_id);
        self.write_post(EDIT, request.time_ms, out);
        Ok(())
    }

    #[inline]
    fn cancel(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        self.body.clear();
        self.body.extend_from_slice(br#"{"order_ids":[""#);
        push_name(request.venue_order_id, &mut self.body);
        self.body.extend_from_slice(br#""]}"#);
        self.write_post(CANCEL, request.time_ms, out);
    }

    #[cold]
    fn cancel_several(&mut self, requests: &[OrderRequest<'_>], out: &mut Vec<u8>) -> bool {
        let Some(first) = requests.first().filter(|_| requests.len() <= CANCELS_MAX) else {
            return false;
        };
        self.body.clear();
        self.body.extend_from_slice(br#"{"order_ids":"#);
        for (place, request) in requests.iter().enumerate() {
            self.body.extend_from_slice(if place == 0 { br#"[""# } else { br#"",""# });
            push_name(request.venue_order_id, &mut self.body);
        }
        self.body.extend_from_slice(br#""]}"#);
        self.decoder.cancels(first.id, requests.iter().map(|request| request.venue_order_id));
        self.write_post(CANCEL, first.time_ms, out);
        true
    }

    #[cold]
    fn query(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        if !request.venue_order_id.is_none() && !self.decoder.distrusts(request.venue_order_id) {
            let path = format!("{ORDER}{}", request.venue_order_id);
            self.decoder.asks_by_name(request.id, request.venue_order_id, request.name);
            return self.write_get(&path, "", request.time_ms, out);
        }
        let place = self.decoder.looks_for(request.id, request.name, || part_of(request));
        let query = format!("?product_ids={}&limit=100{place}", request.native);
        self.write_get(LIST, &query, request.time_ms, out);
    }

    /// The newest hundred, then those that are older.
    #[cold]
    fn fills_since(
        &mut self,
        order: VenueRef,
        from: FillsFrom,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let pages = &mut self.decoder.pages;
        let older = match from {
            FillsFrom::Newest => {
                pages.ask_newest(request.id, order);
                String::new()
            }
            FillsFrom::Older => match pages.ask_older(request.id, order) {
                Some(cursor) => at_cursor(&cursor),
                None => return false,
            },
            FillsFrom::First | FillsFrom::After(_) => return false,
        };
        let query = format!("?order_ids={order}&limit=100{older}");
        self.write_get(FILLS, &query, request.time_ms, out);
        true
    }

    #[cold]
    fn open_orders(&mut self, _id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        self.write_get(LIST, "?order_status=OPEN&limit=1000", time_ms, out);
        true
    }

    #[cold]
    fn balances(&mut self, _id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        self.write_get(ACCOUNTS, "?limit=250", time_ms, out);
        true
    }

    const ACCOUNT_QUESTIONS: &'static [AccountQuestion] = inspection::QUESTIONS;

    #[cold]
    fn account_question(
        &mut self,
        place: usize,
        _native: &str,
        _id: u64,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) {
        let (path, query) = inspection::path(place);
        self.write_get(path, query, time_ms, out);
    }

    fn read_account_answer(
        place: usize,
        answer: &Value,
        words: &mut AccountWords,
    ) -> Result<(), String> {
        inspection::read(place, answer, words)
    }

    fn outcome(failure: &Failure<'_>) -> Outcome {
        meaning_of(failure)
    }
}

impl CoinbaseOrders {
    /// Posts the body that was written.
    #[inline]
    fn write_post(&mut self, path: &str, time_ms: i64, out: &mut Vec<u8>) {
        self.write_head(("POST", path, ""), time_ms, out);
        let mut text = JsonText(out);
        text.text("\nContent-Type: application/json\nContent-Length: ");
        text.integer(self.body.len());
        text.text("\n\n");
        text.bytes(&self.body);
    }

    fn write_get(&mut self, path: &str, query: &str, time_ms: i64, out: &mut Vec<u8>) {
        self.write_head(("GET", path, query), time_ms, out);
        out.extend_from_slice(b"\n\n");
    }

    /// The token is for the path alone.
    #[inline]
    fn write_head(
        &mut self,
        (method, path, query): (&str, &str, &str),
        time_ms: i64,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        let parts = [method, " ", path, query, "\nAuthorization: Bearer "];
        parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        let about = if method == "POST" { &self.body } else { query.as_bytes() };
        self.key.write(Some((method, path)), about, time_ms, out);
    }
}

/// Where in the list of orders one has to be, by the time at which it was sent.
///
/// Whatever our clock and the venue's say of each other: no order comes in, and this question is
/// not answered, unless the token's time agrees with the venue's, and how long ago an order of this
/// start was sent is measured. Of one of an earlier start the time of day tells that, which may
/// have been set since: of those the list has no end either.
#[cold]
fn part_of(request: &OrderRequest<'_>) -> ListPart {
    let Some(SentTime { at_ms, is_of_this_start }) = request.sent else {
        return ListPart { query: String::new(), is_settled: true };
    };
    let date = |name: &str, ms: i64| {
        let mut text = Vec::new();
        push_rfc3339(&mut text, ms);
        parameter(name, &String::from_utf8_lossy(&text))
    };
    let in_flight_ms = (CoinbaseOrders::IN_FLIGHT_MAX_NS / 1_000_000).cast_signed();
    let apart_ms = if is_of_this_start { CLOCKS_APART_MS } else { RESET_CLOCK_MS };
    let mut query = date("start_date", at_ms.saturating_sub(apart_ms).max(0));
    if is_of_this_start {
        query.push_str(&date("end_date", at_ms.saturating_add(in_flight_ms + apart_ms)));
    }
    ListPart { query, is_settled: request.time_ms.saturating_sub(at_ms) > in_flight_ms }
}

/// The venue's name of an order.
#[inline]
fn push_name(name: VenueRef, out: &mut Vec<u8>) {
    // A vector takes every byte.
    let _written = write!(out, "{name}");
}

#[cfg(test)]
mod tests;
