//! The order protocol of Binance USD-M futures: order entry over the WebSocket API
//! (`wss://ws-fapi.binance.com/ws-fapi/v1`), the account's stream at the host of market data
//! (`/private/ws`), and questions over REST.
//!
//! Source: "WebSocket API General Info", `session.logon`, `order.place`, `order.modify`,
//! `order.cancel`, `userDataStream.start` and `userDataStream.ping`; of REST "Query Order",
//! "Current All Open Orders", "Account Trade List", "Futures Account Balance V3", "Position
//! Information V3", "Cancel All Open Orders" and "Auto-Cancel All Open Orders"; the notice of
//! routed addresses of April 2026 and "Error Code".
//!
//! One position a symbol (one-way mode): an account in hedge mode refuses every order (-4061), and
//! what it tells of a position on one side is not read. Conditional orders go to other requests at
//! this venue ("algo orders") and are not placed. An amended order goes to the end of its queue.

use serde_json::Value;

use super::inspection;
use super::reports::FuturesReports;
use crate::event::{RejectReason, Side, VenueRef};
use crate::order::{
    Amends, Capabilities, DeadManTimer, OrderCommand, OrderType, OrderTypes, TimeInForce,
};
use crate::venue::binance::{Credentials, RequestText, outcome, write_logon, write_signed};
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{
    AccountQuestion, AccountWords, Failure, FillsFrom, GuardRequest, KeepAlive, OrderProtocol,
    OrderRequest, Outcome, OwnStream, Way, order_terms,
};

/// The listen key does not exist (any more).
const NO_LISTEN_KEY: i32 = -1125;
/// "Request throttled by system-level protection": not done.
const THROTTLED: i32 = -1008;
/// Reduce-only is not for this order type. On spot the same code is another.
const NOT_REDUCING: i32 = -2026;
/// Older than its `recvWindow` when it reached the matching engine.
const LATE_AT_ENGINE: i32 = -5028;

/// `openOrders` of all symbols; of one it weighs 1.
const OPEN_ORDERS_WEIGHT: u32 = 40;
/// `userTrades`, `balance` and `positionRisk`.
const LIST_WEIGHT: u32 = 5;

/// `countdownCancelAll`, of one symbol.
const COUNTDOWN_WEIGHT: u32 = 10;
/// The venue names no bounds, advises against small ones, and has this most in its example. It
/// looks at its timers every 10 ms.
const COUNTDOWN: DeadManTimer = DeadManTimer { min_ms: 10_000, max_ms: 120_000 };

/// The protocol.
pub struct FuturesOrders {
    credentials: Credentials,
    decoder: FuturesReports,
}

impl OrderProtocol for FuturesOrders {
    type Signer = Credentials;
    type Decoder = FuturesReports;

    const ORDER_TYPES: OrderTypes = OrderTypes::PLAIN;
    const CAPABILITIES: Capabilities = Capabilities::of(OrderTypes::PLAIN)
        .with_amends(Amends::Smaller)
        .with_reduce_only()
        .with_dead_man(COUNTDOWN);
    const FILLS_MAX: usize = 1_000;
    /// As on spot: the API stops waiting after 10 s, and a request is refused when it is older than
    /// its `recvWindow` of 5 s.
    const IN_FLIGHT_MAX_NS: u64 = 16_000_000_000;
    const KEEP_ALIVE: KeepAlive = KeepAlive::WsPing;
    const LOGON: &'static [&'static str] = &["logon", "listen key"];
    const STREAM: Option<OwnStream> = Some(OwnStream::Told);
    /// A listen key lives for 60 minutes.
    const UPKEEP_NS: Option<u64> = Some(25 * 60 * 1_000_000_000);
    /// Both connections: "a single connection is only valid for 24 hours".
    const LIFE_NS: Option<u64> = Some(24 * 3_600_000_000_000);
    const ASKS_OVER_REST: bool = true;
    const TRADES_CONTRACTS: bool = true;
    const AMENDS_COUNT_AS_ORDERS: bool = true;

    fn new(credentials: Credentials, decoder: FuturesReports) -> FuturesOrders {
        FuturesOrders { credentials, decoder }
    }

    fn decoder(&mut self) -> &mut FuturesReports {
        &mut self.decoder
    }

    fn weight(&self, class: RequestClass) -> u32 {
        match class {
            RequestClass::Connect => 5,
            RequestClass::Snapshot | RequestClass::Refresh | RequestClass::Logon => 2,
            // Both are counted as orders alone.
            RequestClass::Order | RequestClass::Amend => 0,
            RequestClass::Cancel | RequestClass::Query => 1,
        }
    }

    #[cold]
    fn logon(&mut self, step: usize, id: u64, time_ms: i64, out: &mut Vec<u8>) {
        if step == 0 {
            // What an upkeep of the connection before has told is not this one's.
            self.decoder.take_listen_key();
            return write_logon(id, &self.credentials, time_ms, out);
        }
        self.write_of_key(id, "userDataStream.start", out);
    }

    #[cold]
    fn stream_path(&mut self) -> Option<String> {
        let listen_key = self.decoder.take_listen_key()?;
        Some(format!("/private/ws?listenKey={listen_key}"))
    }

    #[cold]
    fn upkeep(&mut self, id: u64, _time_ms: i64, out: &mut Vec<u8>) {
        self.write_of_key(id, "userDataStream.ping", out);
    }

    #[inline]
    fn place(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let (side, order_type, life) = order_terms(command, Self::CAPABILITIES)?;
        let reduces = command.order_flags().is_some_and(|flags| flags.reduce_only);
        let mut text = RequestText::start(out, request.id, "order.place");
        text.text(r#"{"symbol":""#);
        text.text(request.native);
        text.text(side_text(side));
        text.text(match (order_type, life) {
            (OrderType::Market, _) => r#","type":"MARKET""#,
            (OrderType::LimitMaker, _) => r#","type":"LIMIT","timeInForce":"GTX""#,
            (_, TimeInForce::Gtc) => r#","type":"LIMIT","timeInForce":"GTC""#,
            (_, TimeInForce::Ioc) => r#","type":"LIMIT","timeInForce":"IOC""#,
            (_, TimeInForce::Fok) => r#","type":"LIMIT","timeInForce":"FOK""#,
        });
        if order_type.is_priced() {
            text.number("price", command.price, request.scales.price);
        }
        text.number("quantity", command.qty, request.scales.qty);
        if reduces {
            text.text(r#","reduceOnly":"true""#);
        }
        text.text(r#","newClientOrderId":""#);
        text.bytes(request.name);
        // The stream tells everything else.
        text.text(r#"","newOrderRespType":"ACK""#);
        text.end(request.time_ms);
        Ok(())
    }

    fn amend(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        // The venue wants to hear the side, too, and both numbers whichever changes.
        let side = command.side().ok_or(RejectReason::Unsupported)?;
        let mut text = RequestText::of_order(out, request, "order.modify");
        text.text(&side_text(side)[1..]);
        text.number("price", command.price, request.scales.price);
        text.number("quantity", command.qty, request.scales.qty);
        text.end(request.time_ms);
        Ok(())
    }

    #[inline]
    fn cancel(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        RequestText::of_order(out, request, "order.cancel").end(request.time_ms);
    }

    const DEAD_MAN_BY_SYMBOL: bool = true;

    fn dead_man_way(_timeout_ms: u32) -> Way {
        Way::Rest
    }

    #[cold]
    fn dead_man_of(
        &mut self,
        native: &str,
        timeout_ms: u32,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) -> bool {
        let query = format!("symbol={native}&countdownTime={timeout_ms}");
        self.write_signed("POST", "countdownCancelAll", &query, time_ms, out);
        true
    }

    fn dead_man_weight(&self) -> u32 {
        COUNTDOWN_WEIGHT
    }

    const GUARDS_OVER_REST: bool = true;

    #[cold]
    fn guard_request(
        &mut self,
        what: GuardRequest,
        native: &str,
        _id: u64,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) -> bool {
        let of_symbol = format!("symbol={native}");
        match what {
            GuardRequest::List => self.write_signed("GET", "openOrders", &of_symbol, time_ms, out),
            GuardRequest::CancelAll => {
                self.write_signed("DELETE", "allOpenOrders", &of_symbol, time_ms, out);
            }
        }
        true
    }

    fn query(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        let name = String::from_utf8_lossy(request.name);
        let query = format!("symbol={}&origClientOrderId={name}", request.native);
        self.write_signed("GET", "order", &query, request.time_ms, out);
    }

    fn fills_since(
        &mut self,
        order: VenueRef,
        from: FillsFrom,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(number) = order.as_number() else { return false };
        let from_id = match from {
            FillsFrom::Older => return false,
            FillsFrom::Newest => None,
            FillsFrom::First => Some(0),
            FillsFrom::After(trade) => trade.as_number().map(|id| id.saturating_add(1)),
        };
        let from_id = from_id.map_or(String::new(), |id| format!("&fromId={id}"));
        let native = request.native;
        let query = format!("symbol={native}&orderId={number}{from_id}&limit=1000");
        self.write_signed("GET", "userTrades", &query, request.time_ms, out);
        true
    }

    fn fills_weight(&self) -> u32 {
        LIST_WEIGHT
    }

    #[cold]
    fn open_orders(&mut self, _id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        self.write_signed("GET", "openOrders", "", time_ms, out);
        true
    }

    fn open_orders_weight(&self) -> u32 {
        OPEN_ORDERS_WEIGHT
    }

    #[cold]
    fn balances(&mut self, _id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        self.write_signed_at("GET", "/fapi/v3/balance", "", time_ms, out);
        true
    }

    fn balances_weight(&self) -> u32 {
        LIST_WEIGHT
    }

    #[cold]
    fn positions(&mut self, _id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        self.write_signed_at("GET", "/fapi/v3/positionRisk", "", time_ms, out);
        true
    }

    fn positions_weight(&self) -> u32 {
        LIST_WEIGHT
    }

    const ACCOUNT_QUESTIONS: &'static [AccountQuestion] = inspection::QUESTIONS;

    #[cold]
    fn account_question(
        &mut self,
        place: usize,
        native: &str,
        _id: u64,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) {
        let (path, query) = inspection::path(place, native);
        self.write_signed_at("GET", path, &query, time_ms, out);
    }

    fn read_account_answer(
        place: usize,
        answer: &Value,
        words: &mut AccountWords,
    ) -> Result<(), String> {
        inspection::read(place, answer, words)
    }

    fn outcome(failure: &Failure<'_>) -> Outcome {
        match failure.code {
            NO_LISTEN_KEY => Outcome::NoSession,
            THROTTLED => Outcome::TooManyOrders,
            NOT_REDUCING => Outcome::Refused(RejectReason::Venue),
            LATE_AT_ENGINE => Outcome::WrongTime,
            _ => outcome(failure),
        }
    }
}

/// The side of an order, as it follows its symbol.
fn side_text(side: Side) -> &'static str {
    match side {
        Side::Buy => r#"","side":"BUY""#,
        Side::Sell => r#"","side":"SELL""#,
    }
}

impl FuturesOrders {
    /// A request about the account's stream: the key's name is all that it wants.
    #[cold]
    fn write_of_key(&self, id: u64, method: &str, out: &mut Vec<u8>) {
        let mut text = RequestText::start(out, id, method);
        text.text(r#"{"apiKey":""#);
        text.text(self.credentials.api_key());
        text.text("\"}}");
    }

    /// A signed request over REST: method, the path's end, and what it asks for.
    #[cold]
    fn write_signed(&self, method: &str, name: &str, query: &str, time_ms: i64, out: &mut Vec<u8>) {
        self.write_signed_at(method, &format!("/fapi/v1/{name}"), query, time_ms, out);
    }

    #[cold]
    fn write_signed_at(
        &self,
        method: &str,
        path: &str,
        query: &str,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) {
        write_signed(&self.credentials, method, (path, query), time_ms, out);
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};
    use serde_json::json;
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{PositionSide, REDUCE_ONLY};
    use crate::venue::protocol::{OrderDecoder, Signer};
    use crate::venue::{Scales, SymbolMap};

    fn protocol() -> FuturesOrders {
        let decoder = FuturesReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20);
        FuturesOrders::new(Credentials::generate("key").unwrap(), decoder)
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

    fn limit() -> OrderCommand {
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (6_000_001, 150, Side::Sell.code());
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Fok as u8;
        command
    }

    #[test]
    fn every_kind_of_order_is_written_as_the_venue_wants_it() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let mut command = limit();
        assert_eq!(protocol.place(&command, &request(9), &mut out), Ok(()));
        let expected = json!({"id": 9, "method": "order.place", "params": {
            "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "FOK",
            "price": "60000.01", "quantity": "0.00150", "newClientOrderId": "p1-3-41",
            "newOrderRespType": "ACK", "timestamp": 1_000,
        }});
        assert_eq!(json_of(&out), expected);
        command.order_type_code = OrderType::LimitMaker as u8;
        command.flags = REDUCE_ONLY;
        assert_eq!(protocol.place(&command, &request(9), &mut out), Ok(()));
        let params = &json_of(&out)["params"];
        let told = ["type", "timeInForce", "reduceOnly"].map(|name| params[name].clone());
        assert_eq!(told, [json!("LIMIT"), json!("GTX"), json!("true")]);
        command.order_type_code = OrderType::Market as u8;
        assert_eq!(protocol.place(&command, &request(9), &mut out), Ok(()));
        let params = &json_of(&out)["params"];
        assert!(params.get("price").is_none() && params.get("timeInForce").is_none());
        for spoil in [
            |command: &mut OrderCommand| command.side_code = 0,
            |command: &mut OrderCommand| command.position_side_code = PositionSide::Long.code(),
            |command: &mut OrderCommand| command.order_type_code = OrderType::StopLoss as u8,
            |command: &mut OrderCommand| command.order_type_code = OrderType::TakeProfitLimit as u8,
        ] {
            let mut spoilt = command;
            spoil(&mut spoilt);
            let refused = protocol.place(&spoilt, &request(9), &mut out);
            assert_eq!(refused, Err(RejectReason::Unsupported));
        }
    }

    #[test]
    fn the_countdown_of_a_symbol_is_set_over_rest() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        assert!(protocol.dead_man_of("BTCUSDT", 30_000, 1_000, &mut out));
        let text = String::from_utf8(out).unwrap();
        let start = "POST /fapi/v1/countdownCancelAll?symbol=BTCUSDT&countdownTime=30000&\
                     timestamp=1000&signature=";
        assert!(text.starts_with(start) && text.ends_with("\nContent-Length: 0\n\n"), "{text}");
    }

    #[test]
    fn cancels_and_amendments_name_the_order_and_an_amendment_both_numbers() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        protocol.cancel(&request(10), &mut out);
        let expected = json!({"id": 10, "method": "order.cancel", "params": {
            "symbol": "BTCUSDT", "origClientOrderId": "p1-3-41", "timestamp": 1_000,
        }});
        assert_eq!(json_of(&out), expected);
        assert_eq!(protocol.amend(&limit(), &request(11), &mut out), Ok(()));
        let expected = json!({"id": 11, "method": "order.modify", "params": {
            "symbol": "BTCUSDT", "origClientOrderId": "p1-3-41", "side": "SELL",
            "price": "60000.01", "quantity": "0.00150", "timestamp": 1_000,
        }});
        assert_eq!(json_of(&out), expected);
    }

    #[test]
    fn the_answer_of_the_second_step_names_the_stream_and_an_upkeep_keeps_it() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        protocol.logon(0, 1, 5, &mut out);
        let params = &json_of(&out)["params"];
        assert_eq!((&params["apiKey"], &params["timestamp"]), (&json!("key"), &json!(5)));
        assert_eq!(params["signature"].as_str().map(str::len), Some(88));
        assert_eq!(protocol.stream_path(), None);
        protocol.logon(1, 2, 5, &mut out);
        let expected =
            json!({"id": 2, "method": "userDataStream.start", "params": {"apiKey": "key"}});
        assert_eq!(json_of(&out), expected);
        let told = br#"{"id":2,"status":200,"result":{"listenKey":"abc"}}"#;
        assert!(protocol.decoder().decode(told).is_ok());
        assert_eq!(protocol.stream_path().as_deref(), Some("/private/ws?listenKey=abc"));
        assert_eq!(protocol.stream_path(), None, "once");
        protocol.upkeep(3, 5, &mut out);
        assert_eq!(json_of(&out)["method"], "userDataStream.ping");
        assert!(protocol.decoder().decode(told).is_ok());
        protocol.logon(0, 4, 5, &mut out);
        assert_eq!(protocol.stream_path(), None, "the key of a connection before is not taken");
    }

    #[test]
    fn questions_go_over_rest_signed_as_they_are_sent() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let public_key = protocol.credentials.verifying_key();
        let asked = |out: &[u8]| {
            let text = String::from_utf8(out.to_vec()).unwrap();
            let (line, rest) = text.split_once('\n').unwrap();
            assert_eq!(rest, "X-MBX-APIKEY: key\n\n");
            let (target, signature) = line.split_once("&signature=").unwrap();
            let base64 = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
            assert!(signature.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'%'));
            let signature = data_encoding::BASE64.decode(base64.as_bytes()).unwrap();
            let (_, query) = target.split_once('?').unwrap();
            let key = UnparsedPublicKey::new(&ED25519, &public_key);
            assert!(key.verify(query.as_bytes(), &signature).is_ok(), "{target}");
            target.to_owned()
        };
        protocol.query(&request(1), &mut out);
        let expected = "GET /fapi/v1/order?symbol=BTCUSDT&origClientOrderId=p1-3-41&timestamp=1000";
        assert_eq!(asked(&out), expected);
        let order = VenueRef::number(77);
        for (from, expected) in [
            (FillsFrom::Newest, ""),
            (FillsFrom::First, "&fromId=0"),
            (FillsFrom::After(VenueRef::number(8)), "&fromId=9"),
        ] {
            assert!(protocol.fills_since(order, from, &request(1), &mut out));
            let expected = format!(
                "GET /fapi/v1/userTrades?symbol=BTCUSDT&orderId=77{expected}&limit=1000&timestamp=1000"
            );
            assert_eq!(asked(&out), expected);
        }
        assert!(!protocol.fills_since(order, FillsFrom::Older, &request(1), &mut out));
        assert!(protocol.open_orders(1, 5, &mut out));
        assert_eq!(asked(&out), "GET /fapi/v1/openOrders?timestamp=5");
        assert!(protocol.balances(1, 5, &mut out));
        assert_eq!(asked(&out), "GET /fapi/v3/balance?timestamp=5");
        for (what, expected) in [
            (GuardRequest::List, "GET /fapi/v1/openOrders?symbol=BTCUSDT&timestamp=5"),
            (GuardRequest::CancelAll, "DELETE /fapi/v1/allOpenOrders?symbol=BTCUSDT&timestamp=5"),
        ] {
            assert!(protocol.guard_request(what, "BTCUSDT", 1, 5, &mut out));
            assert_eq!(asked(&out), expected);
        }
    }

    #[test]
    fn each_code_means_what_the_venue_says_it_means() {
        let outcome = |status, code| FuturesOrders::outcome(&Failure::of(status, code, ""));
        for (status, code) in [(503, -1), (400, -1000), (400, -1006), (504, -1007)] {
            assert_eq!(outcome(status, code), Outcome::Unknown, "{status} {code}");
        }
        assert_eq!(outcome(503, -1008), Outcome::TooManyOrders, "not done, and not for cancels");
        assert_eq!(outcome(400, -1125), Outcome::NoSession);
        for code in [-5022, -2022, -2026, -4061, -4120, -2019, -4116] {
            assert_eq!(outcome(400, code), Outcome::Refused(RejectReason::Venue), "{code}");
        }
        for code in [-1021, -5028] {
            assert_eq!(outcome(400, code), Outcome::WrongTime, "{code}");
        }
        assert_eq!(outcome(400, -2013), Outcome::NoSuchOrder);
        assert_eq!(outcome(400, -2011), Outcome::NotOpen);
        assert_eq!(outcome(429, -1015), Outcome::TooManyOrders);
        assert_eq!(outcome(429, -1003), Outcome::SlowDown);
        assert_eq!(outcome(401, -2015), Outcome::BadKey);
    }

    #[test]
    fn no_request_outgrows_a_buffer_of_one_kilobyte() {
        let (mut protocol, mut out) = (protocol(), Vec::with_capacity(1_024));
        let mut command = limit();
        (command.price, command.qty, command.flags) = (i64::MAX, i64::MAX, REDUCE_ONLY);
        let (native, name) = ("A".repeat(32), [b'p'; 36]);
        let request = OrderRequest { id: u64::MAX, native: &native, name: &name, ..request(0) };
        assert_eq!(protocol.place(&command, &request, &mut out), Ok(()));
        assert_eq!(out.capacity(), 1_024);
    }
}
