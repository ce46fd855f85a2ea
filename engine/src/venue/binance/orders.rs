//! Binance spot's order protocol, over its WebSocket API.
//!
//! Source: `session.logon`, `userDataStream.subscribe` (error -2035: it is active already),
//! `order.place`, `order.amend.keepPriority`, `order.cancel`, `openOrders.cancelAll`,
//! `order.status`, `myTrades`, `openOrders.status`, `account.status`. After a logon a request needs
//! a timestamp and no signature.

use serde_json::Value;

use super::credentials::Credentials;
use super::inspection;
use super::reports::BinanceReports;
use super::request::{RequestText, outcome, write_logon, write_timed};
use crate::event::{RejectReason, Side, VenueRef};
use crate::order::{Amends, Capabilities, OrderCommand, OrderType, OrderTypes, TimeInForce};
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{
    AccountQuestion, AccountWords, Failure, FillsFrom, KeepAlive, OrderProtocol, OrderRequest,
    Outcome, order_terms,
};

/// `myTrades` of one order.
const FILLS_WEIGHT: u32 = 5;
/// `openOrders.status` of all symbols: of one alone it weighs 6, and shows nobody else's in others.
const OPEN_ORDERS_WEIGHT: u32 = 80;
/// `account.status`.
const BALANCES_WEIGHT: u32 = 20;
/// The protocol.
pub struct BinanceOrders {
    credentials: Credentials,
    decoder: BinanceReports,
}

impl OrderProtocol for BinanceOrders {
    type Signer = Credentials;
    type Decoder = BinanceReports;

    const ORDER_TYPES: OrderTypes = OrderTypes::ALL;
    const CAPABILITIES: Capabilities =
        Capabilities::of(OrderTypes::ALL).with_amends(Amends::Smaller).with_symbol_cancel();
    const FILLS_MAX: usize = 1_000;
    /// The API stops waiting for the matching engine after 10 s; a request is refused when it is
    /// older than its `recvWindow` (5 s, since we name none), by a clock that may be a second off
    /// ours.
    const IN_FLIGHT_MAX_NS: u64 = 16_000_000_000;
    const KEEP_ALIVE: KeepAlive = KeepAlive::WsPing;
    const LOGON: &'static [&'static str] = &["logon", "subscribe"];
    const LIFE_NS: Option<u64> = Some(24 * 3_600_000_000_000);
    const SUBSCRIBE_STEP: Option<usize> = Some(1);

    fn new(credentials: Credentials, decoder: BinanceReports) -> BinanceOrders {
        BinanceOrders { credentials, decoder }
    }

    fn decoder(&mut self) -> &mut BinanceReports {
        &mut self.decoder
    }

    fn weight(&self, class: RequestClass) -> u32 {
        match class {
            RequestClass::Connect
            | RequestClass::Snapshot
            | RequestClass::Refresh
            | RequestClass::Logon => 2,
            RequestClass::Order | RequestClass::Cancel => 1,
            RequestClass::Query | RequestClass::Amend => 4,
        }
    }

    #[cold]
    fn time(&mut self, id: u64, out: &mut Vec<u8>) -> bool {
        RequestText::start(out, id, "time").text("{}}");
        true
    }

    #[cold]
    fn logon(&mut self, step: usize, id: u64, time_ms: i64, out: &mut Vec<u8>) {
        match step {
            0 => write_logon(id, &self.credentials, time_ms, out),
            _ => RequestText::start(out, id, "userDataStream.subscribe").text("{}}"),
        }
    }

    #[inline]
    fn place(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        write_order(command, order_terms(command, Self::CAPABILITIES)?, request, out);
        Ok(())
    }

    fn amend(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let mut text = RequestText::of_order(out, request, "order.amend.keepPriority");
        // The same name again: without it the venue invents one.
        text.text(r#","newClientOrderId":""#);
        text.bytes(request.name);
        text.text("\"");
        text.number("newQty", command.qty, request.scales.qty);
        text.end(request.time_ms);
        Ok(())
    }

    #[inline]
    fn cancel(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        RequestText::of_order(out, request, "order.cancel").end(request.time_ms);
    }

    #[cold]
    fn cancel_all(&mut self, native: &str, id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        let mut text = RequestText::start(out, id, "openOrders.cancelAll");
        text.text(r#"{"symbol":""#);
        text.text(native);
        text.text("\"");
        text.end(time_ms);
        true
    }

    fn query(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        RequestText::of_order(out, request, "order.status").end(request.time_ms);
    }

    fn fills_since(
        &mut self,
        order: VenueRef,
        from: FillsFrom,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(number) = order.as_number().filter(|_| from != FillsFrom::Older) else {
            return false;
        };
        let mut text = RequestText::start(out, request.id, "myTrades");
        text.text(r#"{"symbol":""#);
        text.text(request.native);
        text.text(r#"","orderId":"#);
        text.bytes(itoa::Buffer::new().format(number).as_bytes());
        let from_id = match from {
            FillsFrom::Newest | FillsFrom::Older => None,
            FillsFrom::First => Some(0),
            FillsFrom::After(trade) => trade.as_number().map(|id| id.saturating_add(1)),
        };
        if let Some(from_id) = from_id {
            text.text(r#","fromId":"#);
            text.bytes(itoa::Buffer::new().format(from_id).as_bytes());
        }
        text.text(r#","limit":1000"#);
        text.end(request.time_ms);
        true
    }

    fn fills_weight(&self) -> u32 {
        FILLS_WEIGHT
    }

    #[cold]
    fn open_orders(&mut self, id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        write_timed(id, "openOrders.status", time_ms, out);
        true
    }

    fn open_orders_weight(&self) -> u32 {
        OPEN_ORDERS_WEIGHT
    }

    #[cold]
    fn balances(&mut self, id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        let mut text = RequestText::start(out, id, "account.status");
        text.text(r#"{"omitZeroBalances":true"#);
        text.end(time_ms);
        true
    }

    fn balances_weight(&self) -> u32 {
        BALANCES_WEIGHT
    }

    const ACCOUNT_QUESTIONS: &'static [AccountQuestion] = inspection::QUESTIONS;

    #[cold]
    fn account_question(
        &mut self,
        place: usize,
        _native: &str,
        id: u64,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) {
        match place {
            0 => write_timed(id, "account.status", time_ms, out),
            _ => inspection::write_restrictions(&self.credentials, time_ms, out),
        }
    }

    fn read_account_answer(
        place: usize,
        answer: &Value,
        words: &mut AccountWords,
    ) -> Result<(), String> {
        inspection::read(place, answer, words)
    }

    fn outcome(failure: &Failure<'_>) -> Outcome {
        outcome(failure)
    }
}

#[inline]
fn write_order(
    command: &OrderCommand,
    (side, order_type, life): (Side, OrderType, TimeInForce),
    request: &OrderRequest<'_>,
    out: &mut Vec<u8>,
) {
    let mut text = RequestText::start(out, request.id, "order.place");
    text.text(r#"{"symbol":""#);
    text.text(request.native);
    text.text(match side {
        Side::Buy => r#"","side":"BUY""#,
        Side::Sell => r#"","side":"SELL""#,
    });
    text.text(match order_type {
        OrderType::Limit => r#","type":"LIMIT""#,
        OrderType::LimitMaker => r#","type":"LIMIT_MAKER""#,
        OrderType::Market => r#","type":"MARKET""#,
        OrderType::StopLoss => r#","type":"STOP_LOSS""#,
        OrderType::StopLossLimit => r#","type":"STOP_LOSS_LIMIT""#,
        OrderType::TakeProfit => r#","type":"TAKE_PROFIT""#,
        OrderType::TakeProfitLimit => r#","type":"TAKE_PROFIT_LIMIT""#,
    });
    // The venue knows no time in force for the others.
    if order_type.is_priced() && order_type != OrderType::LimitMaker {
        text.text(match life {
            TimeInForce::Gtc => r#","timeInForce":"GTC""#,
            TimeInForce::Ioc => r#","timeInForce":"IOC""#,
            TimeInForce::Fok => r#","timeInForce":"FOK""#,
        });
    }
    if order_type.is_priced() {
        text.number("price", command.price, request.scales.price);
    }
    if order_type.is_stop() {
        text.number("stopPrice", command.trigger_price, request.scales.price);
    }
    text.number("quantity", command.qty, request.scales.qty);
    text.text(r#","newClientOrderId":""#);
    text.bytes(request.name);
    // The reports tell everything else.
    text.text(r#"","newOrderRespType":"ACK""#);
    text.end(request.time_ms);
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{PositionSide, REDUCE_ONLY};
    use crate::venue::protocol::OrderDecoder;
    use crate::venue::{Scales, SymbolMap};

    fn protocol() -> BinanceOrders {
        let decoder = BinanceReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20);
        BinanceOrders::new(Credentials::generate("key").unwrap(), decoder)
    }

    fn request(id: u64) -> OrderRequest<'static> {
        let scales = Scales { price: 2, qty: 5 };
        OrderRequest {
            id,
            native: "BTCUSDT",
            scales,
            name: b"p1-3-41",
            venue_order_id: VenueRef::NONE,
            time_ms: 1_000,
            sent: None,
        }
    }

    fn json_of(text: &[u8]) -> Value {
        serde_json::from_slice(text).unwrap()
    }

    #[test]
    fn every_kind_of_order_is_written_as_the_venue_wants_it() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (6_000_001, 150, Side::Sell.code());
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Ioc as u8;
        assert_eq!(protocol.place(&command, &request(9), &mut out), Ok(()));
        let expected = json!({"id": 9, "method": "order.place", "params": {
            "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "IOC",
            "price": "60000.01", "quantity": "0.00150", "newClientOrderId": "p1-3-41",
            "newOrderRespType": "ACK", "timestamp": 1_000,
        }});
        assert_eq!(json_of(&out), expected);
        command.order_type_code = OrderType::Market as u8;
        assert_eq!(protocol.place(&command, &request(9), &mut out), Ok(()));
        let params = &json_of(&out)["params"];
        assert!(params.get("price").is_none() && params.get("timeInForce").is_none());
        command.trigger_price = 5_900_000;
        let told = |order_type: OrderType, protocol: &mut BinanceOrders, out: &mut Vec<u8>| {
            let stop = OrderCommand { order_type_code: order_type as u8, ..command };
            assert_eq!(protocol.place(&stop, &request(9), out), Ok(()));
            let params = &json_of(out)["params"];
            let texts =
                ["type", "stopPrice", "price", "timeInForce"].map(|name| params[name].clone());
            texts.map(|text| text.as_str().unwrap_or("-").to_owned()).join(" ")
        };
        for (order_type, expected) in [
            (OrderType::StopLoss, "STOP_LOSS 59000.00 - -"),
            (OrderType::StopLossLimit, "STOP_LOSS_LIMIT 59000.00 60000.01 IOC"),
            (OrderType::TakeProfit, "TAKE_PROFIT 59000.00 - -"),
            (OrderType::TakeProfitLimit, "TAKE_PROFIT_LIMIT 59000.00 60000.01 IOC"),
        ] {
            assert_eq!(told(order_type, &mut protocol, &mut out), expected);
        }
        for spoil in [
            |command: &mut OrderCommand| command.side_code = 0,
            |command: &mut OrderCommand| command.flags = REDUCE_ONLY,
            |command: &mut OrderCommand| command.position_side_code = PositionSide::Long.code(),
        ] {
            let mut spoiled = command;
            spoil(&mut spoiled);
            let refused = protocol.place(&spoiled, &request(9), &mut out);
            assert_eq!(refused, Err(RejectReason::Unsupported), "never sent as something else");
        }
    }

    #[test]
    fn requests_name_the_order_and_an_amendment_only_takes_quantity_off() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let params =
            json!({"symbol": "BTCUSDT", "origClientOrderId": "p1-3-41", "timestamp": 1_000});
        protocol.cancel(&request(2), &mut out);
        assert_eq!(json_of(&out), json!({"id": 2, "method": "order.cancel", "params": params}));
        assert!(protocol.cancel_all("BTCUSDT", 7, 1_000, &mut out));
        let all = json!({"symbol": "BTCUSDT", "timestamp": 1_000});
        let expected = json!({"id": 7, "method": "openOrders.cancelAll", "params": all});
        assert_eq!(json_of(&out), expected);
        protocol.query(&request(3), &mut out);
        assert_eq!(json_of(&out), json!({"id": 3, "method": "order.status", "params": params}));
        let (order, newest) = (VenueRef::number(77), FillsFrom::Newest);
        assert!(protocol.fills_since(order, newest, &request(5), &mut out));
        let params =
            json!({"symbol": "BTCUSDT", "orderId": 77, "limit": 1_000, "timestamp": 1_000});
        assert_eq!(json_of(&out), json!({"id": 5, "method": "myTrades", "params": params}));
        let after = FillsFrom::After(VenueRef::number(41));
        for (from, from_id) in [(FillsFrom::First, 0), (after, 42)] {
            assert!(protocol.fills_since(order, from, &request(5), &mut out));
            assert_eq!(json_of(&out)["params"]["fromId"], json!(from_id));
        }
        assert!(!protocol.fills_since(VenueRef::NONE, newest, &request(5), &mut out));
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty) = (100, 5);
        assert_eq!(protocol.amend(&command, &request(4), &mut out), Ok(()));
        let amend = &json_of(&out)["params"];
        assert_eq!(
            (&amend["newQty"], &amend["newClientOrderId"]),
            (&json!("0.00005"), &json!("p1-3-41"))
        );
    }

    #[test]
    fn a_logon_has_two_steps_and_the_first_is_signed() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        protocol.logon(0, 1, 5, &mut out);
        let params = &json_of(&out)["params"];
        assert_eq!((&params["apiKey"], &params["timestamp"]), (&json!("key"), &json!(5)));
        assert_eq!(params["signature"].as_str().map(str::len), Some(88));
        protocol.logon(1, 2, 5, &mut out);
        let expected = json!({"id": 2, "method": "userDataStream.subscribe", "params": {}});
        assert_eq!(json_of(&out), expected);
        assert_eq!(BinanceOrders::LOGON.len(), 2);
    }

    #[test]
    fn no_request_outgrows_a_buffer_of_one_kilobyte() {
        let (mut protocol, mut out) = (protocol(), Vec::with_capacity(1_024));
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (i64::MAX, i64::MAX, Side::Sell.code());
        command.order_type_code = OrderType::StopLossLimit as u8;
        command.trigger_price = i64::MAX;
        command.time_in_force_code = TimeInForce::Ioc as u8;
        let native = "A".repeat(32);
        let name = [b'p'; 36];
        let request = OrderRequest { id: u64::MAX, native: &native, name: &name, ..request(0) };
        assert_eq!(protocol.place(&command, &request, &mut out), Ok(()));
        assert_eq!(out.capacity(), 1_024);
    }

    #[test]
    fn each_code_means_what_the_venue_says_it_means() {
        let outcome = |status, code| BinanceOrders::outcome(&Failure::of(status, code, ""));
        for (status, code) in [(500, -1), (503, -1008), (400, -1000), (400, -1001), (400, -1006)] {
            assert_eq!(outcome(status, code), Outcome::Unknown, "{status} {code}");
        }
        assert_eq!(outcome(504, -1007), Outcome::Unknown);
        for (status, code) in [(429, -1003), (418, -1003), (429, -1), (400, -1003)] {
            assert_eq!(outcome(status, code), Outcome::SlowDown, "{status} {code}");
        }
        assert_eq!(outcome(400, -1021), Outcome::WrongTime);
        assert_eq!(outcome(400, -2035), Outcome::Subscribed);
        for status in [400, 429] {
            assert_eq!(outcome(status, -1015), Outcome::TooManyOrders, "{status}");
        }
        for code in [-1013, -2010, -1008, -1121, -2039] {
            assert_eq!(outcome(400, code), Outcome::Refused(RejectReason::Venue), "{code}");
        }
        assert_eq!(outcome(400, -2013), Outcome::NoSuchOrder);
        assert_eq!(outcome(400, -2011), Outcome::NotOpen);
    }
}
