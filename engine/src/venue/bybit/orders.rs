//! Bybit v5's order protocol for spot: order entry at `/v5/trade`, the account's stream at
//! `/v5/private`, and questions over REST.
//!
//! Source: "Websocket Trade Guideline", "Connect", "Place Order", "Amend Order", "Cancel Order",
//! "Get Open & Closed Orders", "Get Trade History", "Get Wallet Balance", "Integration Guidance"
//! and "Error Codes" in the venue's reference of July 2026.
//!
//! A reply to a request says that it was accepted for processing, and no more: what becomes of an
//! order comes on the stream. Fills are told by `execution`, all else by `order`. Spot alone:
//! quantities are of the base coin, also of market orders. Stops are not placed. An amendment keeps
//! the price.

use serde_json::Value;

use super::disconnect::TOPIC;
use super::inspection;
use super::order_decoder::{BybitReports, NONE_LISTED, NOT_OPEN, NOT_PRESENT};
use crate::event::{RejectReason, Side, VenueRef};
use crate::order::{
    Amends, Capabilities, DeadManTimer, OrderCommand, OrderType, OrderTypes, TimeInForce,
};
use crate::venue::codec::JsonText;
use crate::venue::protocol::{
    AccountQuestion, AccountWords, Failure, FillsFrom, GuardRequest, KeepAlive, OrderProtocol,
    OrderRequest, Outcome, OwnStream, SharedSecret, Way, order_terms,
};

/// A request that is older than this is refused (`X-BAPI-RECV-WINDOW`), ms.
const WINDOW_MS: i64 = 5_000;
/// A logon is valid for so long, ms.
const LOGON_MS: i64 = 10_000;

/// Server timeout, internal error or restarting; 10019 refuses what is new, and of what was sent
/// before nobody says. An order that changed meanwhile, and what was only handed on; new orders,
/// cancels and amendments that timed out, and cancels that are under way or to be tried later.
const UNKNOWN_OUTCOME: [i32; 14] = [
    10_000, 10_016, 10_019, 40_004, 170_001, 170_007, 170_032, 170_035, 170_146, 170_147, 170_191,
    170_212, 170_234, 170_310,
];
/// Too many visits, of the account, of the address, of the system, and of the session; a trading
/// service under load, and too many requests in a time frame.
const SLOW_DOWN: [i32; 7] = [429, 10_006, 10_018, 10_403, 10_429, 20_003, 170_222];
/// Rate limit of one kind of request of the account.
const TOO_MANY_OF_A_KIND: &[i32] = &[10_006];
/// Too many new orders.
const TOO_MANY_ORDERS: i32 = 170_005;
/// A cancel or an amendment of what is not open, on spot and elsewhere.
const NOT_OPEN_CODES: [i32; 8] =
    [110_001, 110_008, 110_010, NOT_OPEN, 170_139, 170_142, 170_143, 170_190];
/// Key, signature, permission, address, expired key (spot and contracts); logon refused.
const BAD_KEY: [i32; 8] =
    [-2_015, 10_003, 10_004, 10_005, 10_007, 10_010, 33_004, super::order_decoder::NO_CODE];
/// A key that is not valid, and at order entry too many sessions of one account.
const BAD_KEY_OR_SESSIONS: i32 = 10_003;
/// The time is not within the window.
const WRONG_TIME: i32 = 10_002;

/// The windows of "Set Disconnect Cancel All", whole seconds.
const DISCONNECT_CANCEL: DeadManTimer = DeadManTimer { min_ms: 3_000, max_ms: 300_000 };

/// Cancels of one `order.cancel-batch`, on spot.
const CANCELS_MAX: usize = 10;

/// The protocol.
pub struct BybitOrders {
    secret: SharedSecret<1>,
    decoder: BybitReports,
    /// The venue is to cancel all once the account's stream is lost.
    is_watched: bool,
}

impl OrderProtocol for BybitOrders {
    const TOO_MANY_OF_A_KIND: &'static [i32] = TOO_MANY_OF_A_KIND;
    type Signer = SharedSecret<1>;
    type Decoder = BybitReports;

    const ORDER_TYPES: OrderTypes = OrderTypes::PLAIN;
    const CAPABILITIES: Capabilities = Capabilities::of(OrderTypes::PLAIN)
        .with_amends(Amends::Smaller)
        .with_cancels_per_request(CANCELS_MAX)
        .with_dead_man(DISCONNECT_CANCEL);
    /// An order is refused once its request is too old, by a clock that may be a second off ours;
    /// its state may take as long again to be known to those who answer questions.
    const IN_FLIGHT_MAX_NS: u64 = 10_000_000_000;
    const KEEP_ALIVE: KeepAlive = KeepAlive::Text(r#"{"op":"ping"}"#);
    const LOGON: &'static [&'static str] = &["logon", "logon of the stream", "subscribe"];
    const STREAM: Option<OwnStream> = Some(OwnStream::At("/v5/private"));
    const ASKS_OVER_REST: bool = true;

    fn new(secret: SharedSecret<1>, decoder: BybitReports) -> BybitOrders {
        BybitOrders { secret, decoder, is_watched: false }
    }

    fn decoder(&mut self) -> &mut BybitReports {
        &mut self.decoder
    }

    fn logon_way(step: usize) -> Way {
        if step == 0 { Way::Session } else { Way::Stream }
    }

    #[cold]
    fn logon(&mut self, step: usize, id: u64, time_ms: i64, out: &mut Vec<u8>) {
        out.clear();
        if step == 2 {
            // Connections with this topic are watched: orders end once all of them are lost.
            let watched = if self.is_watched { format!(r#","{TOPIC}""#) } else { String::new() };
            let text = format!(
                r#"{{"req_id":"{id}","op":"subscribe","args":["order.spot","execution.spot","wallet"{watched}]}}"#
            );
            return out.extend_from_slice(text.as_bytes());
        }
        self.decoder.logon = Some(id);
        let expires_ms = time_ms + LOGON_MS;
        let sign = self.sign(&format!("GET/realtime{expires_ms}"));
        let name = if step == 0 { "reqId" } else { "req_id" };
        let api_key = self.secret.api_key();
        let text = format!(
            r#"{{"{name}":"{id}","op":"auth","args":["{api_key}",{expires_ms},"{sign}"]}}"#
        );
        out.extend_from_slice(text.as_bytes());
    }

    #[inline]
    fn place(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let (side, order_type, life) = order_terms(command, Self::CAPABILITIES)?;
        let mut text = start(out, request, "order.create");
        text.text(match side {
            Side::Buy => r#","side":"Buy""#,
            Side::Sell => r#","side":"Sell""#,
        });
        text.text(match (order_type, life) {
            (OrderType::Market, _) => r#","orderType":"Market","marketUnit":"baseCoin""#,
            (OrderType::LimitMaker, _) => r#","orderType":"Limit","timeInForce":"PostOnly""#,
            (_, TimeInForce::Gtc) => r#","orderType":"Limit","timeInForce":"GTC""#,
            (_, TimeInForce::Ioc) => r#","orderType":"Limit","timeInForce":"IOC""#,
            (_, TimeInForce::Fok) => r#","orderType":"Limit","timeInForce":"FOK""#,
        });
        if order_type.is_priced() {
            text.number("price", command.price, request.scales.price);
        }
        text.number("qty", command.qty, request.scales.qty);
        text.text("}]}");
        Ok(())
    }

    #[inline]
    fn amend(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let mut text = start(out, request, "order.amend");
        text.number("qty", command.qty, request.scales.qty);
        text.text("}]}");
        Ok(())
    }

    #[inline]
    fn cancel(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        start(out, request, "order.cancel").text("}]}");
    }

    #[cold]
    fn cancel_several(&mut self, requests: &[OrderRequest<'_>], out: &mut Vec<u8>) -> bool {
        let Some((first, rest)) = requests.split_first() else { return false };
        let mut text = head(out, first, "order.cancel-batch");
        text.text(r#"{"category":"spot","request":["#);
        of_order(&mut text, first);
        for request in rest {
            text.text("},");
            of_order(&mut text, request);
        }
        text.text("}]}]}");
        true
    }

    fn will_set_dead_man(&mut self) {
        self.is_watched = true;
    }

    /// The window is set over REST; what it watches is the subscription of the stream.
    fn dead_man_way(timeout_ms: u32) -> Way {
        if timeout_ms == 0 { Way::Stream } else { Way::Rest }
    }

    /// "Set Disconnect Cancel All", then "Get DCP Info" until that says so, and again and again:
    /// an account that was not granted it is told nothing else. To take it back the stream leaves
    /// the topic; the page says that connections without it are not watched.
    #[cold]
    fn dead_man(&mut self, timeout_ms: u32, id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        if timeout_ms == 0 {
            out.clear();
            let text = format!(r#"{{"req_id":"{id}","op":"unsubscribe","args":["{TOPIC}"]}}"#);
            out.extend_from_slice(text.as_bytes());
            return true;
        }
        let window_s = timeout_ms.div_ceil(1_000);
        if self.decoder.disconnect.sets(id, window_s, time_ms) {
            let body = format!(r#"{{"product":"SPOT","timeWindow":{window_s}}}"#);
            self.write_signed(("POST", "/v5/order/disconnected-cancel-all", &body), time_ms, out);
        } else {
            self.write_get("/v5/account/query-dcp-info", "", time_ms, out);
        }
        true
    }

    const GUARDS_OVER_REST: bool = true;

    /// "Cancel All Orders", and the list of those that are open.
    #[cold]
    fn guard_request(
        &mut self,
        what: GuardRequest,
        native: &str,
        _id: u64,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) -> bool {
        match what {
            GuardRequest::List => {
                let query = format!("category=spot&symbol={native}&openOnly=0");
                self.write_get("/v5/order/realtime", &query, time_ms, out);
            }
            GuardRequest::CancelAll => {
                let body = format!(r#"{{"category":"spot","symbol":"{native}"}}"#);
                self.write_signed(("POST", "/v5/order/cancel-all", &body), time_ms, out);
            }
        }
        true
    }

    fn query(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        let name = String::from_utf8_lossy(request.name);
        let query = format!("category=spot&symbol={}&orderLinkId={name}", request.native);
        let path = match self.decoder.questions.goes_to_history(request.id, request.name, None) {
            true => "/v5/order/history",
            false => "/v5/order/realtime",
        };
        self.write_get(path, &query, request.time_ms, out);
    }

    /// The newest hundred, then those that are older: the venue pages by a cursor, not by
    /// executions.
    fn fills_since(
        &mut self,
        order: VenueRef,
        from: FillsFrom,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let pages = &mut self.decoder.pages;
        let older = match from {
            _ if order.is_none() => return false,
            FillsFrom::Newest => {
                pages.ask_newest(request.id, order);
                String::new()
            }
            FillsFrom::Older => match pages.ask_older(request.id, order) {
                Some(cursor) => format!("&cursor={cursor}"),
                None => return false,
            },
            FillsFrom::First | FillsFrom::After(_) => return false,
        };
        let native = request.native;
        let query = format!("category=spot&symbol={native}&orderId={order}&limit=100{older}");
        self.write_get("/v5/execution/list", &query, request.time_ms, out);
        true
    }

    /// Of all symbols of spot, the newest fifty, then those behind the venue's cursor.
    #[cold]
    fn open_orders(&mut self, id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        let cursor = self.decoder.lists.ask_orders(id);
        let mark = if cursor.is_empty() { "" } else { "&cursor=" };
        let query = format!("category=spot&openOnly=0&limit=50{mark}{cursor}");
        self.write_get("/v5/order/realtime", &query, time_ms, out);
        true
    }

    /// What the unified account has, as the topic `wallet` tells it.
    #[cold]
    fn balances(&mut self, id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        self.decoder.lists.ask_balances(id);
        self.write_get("/v5/account/wallet-balance", "accountType=UNIFIED", time_ms, out);
        true
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
        self.write_get(path, &query, time_ms, out);
    }

    fn read_account_answer(
        place: usize,
        answer: &Value,
        words: &mut AccountWords,
    ) -> Result<(), String> {
        inspection::read(place, answer, words)
    }

    fn outcome(failure: &Failure<'_>) -> Outcome {
        let Failure { status, code, message, .. } = *failure;
        match code {
            BAD_KEY_OR_SESSIONS if message.contains("sessions") => Outcome::SlowDown,
            TOO_MANY_ORDERS => Outcome::TooManyOrders,
            WRONG_TIME => Outcome::WrongTime,
            NOT_PRESENT => Outcome::NotListed,
            // The same code for a question whose list is empty.
            NONE_LISTED if status == 200 => Outcome::NoSuchOrder,
            code if SLOW_DOWN.contains(&code) => Outcome::SlowDown,
            code if UNKNOWN_OUTCOME.contains(&code) => Outcome::Unknown,
            code if NOT_OPEN_CODES.contains(&code) => Outcome::NotOpen,
            code if BAD_KEY.contains(&code) => Outcome::BadKey,
            _ if matches!(status, 403 | 429) => Outcome::SlowDown,
            _ if status >= 500 => Outcome::Unknown,
            _ => Outcome::Refused(RejectReason::Venue),
        }
    }
}

impl BybitOrders {
    fn sign(&self, text: &str) -> String {
        let sign = data_encoding::HEXLOWER.encode(self.secret.sign(text).as_ref());
        crate::text::hide_passing(&sign);
        sign
    }

    /// A signed question.
    #[cold]
    fn write_get(&self, path: &str, query: &str, time_ms: i64, out: &mut Vec<u8>) {
        self.write_signed(("GET", path, query), time_ms, out);
    }

    /// A signed request over REST: method, path, and its query or body.
    #[cold]
    fn write_signed(
        &self,
        (method, path, what): (&str, &str, &str),
        time_ms: i64,
        out: &mut Vec<u8>,
    ) {
        let api_key = self.secret.api_key();
        let sign = self.sign(&format!("{time_ms}{api_key}{WINDOW_MS}{what}"));
        let (query, body) = if method == "GET" { (what, "") } else { ("", what) };
        let mark = if query.is_empty() { "" } else { "?" };
        out.clear();
        let head = format!(
            "{method} {path}{mark}{query}\nX-BAPI-API-KEY: {api_key}\nX-BAPI-TIMESTAMP: \
             {time_ms}\nX-BAPI-RECV-WINDOW: {WINDOW_MS}\nX-BAPI-SIGN: {sign}\n"
        );
        out.extend_from_slice(head.as_bytes());
        if !body.is_empty() {
            let length = body.len();
            let of_body = format!("Content-Type: application/json\nContent-Length: {length}\n");
            out.extend_from_slice(of_body.as_bytes());
        }
        out.push(b'\n');
        out.extend_from_slice(body.as_bytes());
    }
}

/// A request about an order, as far as all have it.
fn start<'a>(out: &'a mut Vec<u8>, request: &OrderRequest<'_>, op: &str) -> JsonText<'a> {
    let mut text = head(out, request, op);
    text.text(r#"{"category":"spot","symbol":""#);
    text.text(request.native);
    text.text(r#"","orderLinkId":""#);
    text.bytes(request.name);
    text.text("\"");
    text
}

/// Which order is meant, of one of several.
fn of_order(text: &mut JsonText<'_>, request: &OrderRequest<'_>) {
    text.text(r#"{"symbol":""#);
    text.text(request.native);
    text.text(r#"","orderLinkId":""#);
    text.bytes(request.name);
    text.text("\"");
}

/// A request, as far as all have it.
fn head<'a>(out: &'a mut Vec<u8>, request: &OrderRequest<'_>, op: &str) -> JsonText<'a> {
    out.clear();
    let mut text = JsonText(out);
    text.text(r#"{"reqId":""#);
    text.integer(request.id);
    // The venue wants no number twice, and ours begin anew with each start.
    text.text(".");
    text.integer(request.time_ms);
    text.text(r#"","header":{"X-BAPI-TIMESTAMP":""#);
    text.integer(request.time_ms);
    text.text(r#"","X-BAPI-RECV-WINDOW":""#);
    text.integer(WINDOW_MS);
    text.text(r#""},"op":""#);
    text.text(op);
    text.text(r#"","args":["#);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{PositionSide, REDUCE_ONLY};
    use crate::venue::protocol::OrderDecoder;
    use crate::venue::{Scales, SymbolMap};

    fn protocol() -> BybitOrders {
        let decoder = BybitReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20);
        BybitOrders::new(SharedSecret::new("XXXXXXXXXX", ["secret".to_owned()]), decoder)
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

    fn order() -> OrderCommand {
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (6_000_001, 150, Side::Sell.code());
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Gtc as u8;
        command
    }

    #[test]
    fn every_kind_of_order_is_written_as_the_venue_wants_it() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        assert_eq!(protocol.place(&order(), &request(9), &mut out), Ok(()));
        let args = json!([{
            "category": "spot", "symbol": "BTCUSDT", "orderLinkId": "p1-3-41", "side": "Sell",
            "orderType": "Limit", "timeInForce": "GTC", "price": "60000.01", "qty": "0.00150",
        }]);
        let header = json!({"X-BAPI-TIMESTAMP": "1000", "X-BAPI-RECV-WINDOW": "5000"});
        let expected =
            json!({"reqId": "9.1000", "header": header, "op": "order.create", "args": args});
        assert_eq!(json_of(&out), expected);
        for (order_type, life, expected) in [
            (OrderType::Limit, TimeInForce::Ioc, "IOC"),
            (OrderType::Limit, TimeInForce::Fok, "FOK"),
            (OrderType::LimitMaker, TimeInForce::Gtc, "PostOnly"),
        ] {
            let command = OrderCommand {
                order_type_code: order_type as u8,
                time_in_force_code: life as u8,
                ..order()
            };
            assert_eq!(protocol.place(&command, &request(9), &mut out), Ok(()));
            assert_eq!(json_of(&out)["args"][0]["timeInForce"], expected);
        }
        let market = OrderCommand { order_type_code: OrderType::Market as u8, ..order() };
        assert_eq!(protocol.place(&market, &request(9), &mut out), Ok(()));
        let args = &json_of(&out)["args"][0];
        assert_eq!((&args["marketUnit"], args.get("price")), (&json!("baseCoin"), None));
        let spoils: [fn(&mut OrderCommand); 4] = [
            |command| command.side_code = 0,
            |command| command.flags = REDUCE_ONLY,
            |command| command.position_side_code = PositionSide::Long.code(),
            |command| command.order_type_code = OrderType::StopLoss as u8,
        ];
        for spoil in spoils {
            let mut spoiled = order();
            spoil(&mut spoiled);
            let refused = protocol.place(&spoiled, &request(9), &mut out);
            assert_eq!(refused, Err(RejectReason::Unsupported), "never sent as something else");
        }
    }

    #[test]
    fn requests_name_the_order() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        protocol.cancel(&request(2), &mut out);
        let cancel = json_of(&out);
        let args = json!([{"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "p1-3-41"}]);
        assert_eq!((&cancel["op"], &cancel["args"]), (&json!("order.cancel"), &args));
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty) = (100, 5);
        assert_eq!(protocol.amend(&command, &request(4), &mut out), Ok(()));
        let amend = json_of(&out);
        assert_eq!(
            (&amend["op"], &amend["args"][0]["qty"]),
            (&json!("order.amend"), &json!("0.00005"))
        );
    }

    #[test]
    fn logons_and_questions_are_signed_as_the_venue_wants_it() {
        // Signatures by OpenSSL, of the texts that the venue's page spells out.
        let (mut protocol, mut out) = (protocol(), Vec::new());
        protocol.logon(0, 3, 1_711_010_111_452, &mut out);
        let expected = json!({"reqId": "3", "op": "auth", "args": [
            "XXXXXXXXXX", 1_711_010_121_452_i64, "1ffcd649a19cb2c699953b6a7d660f2e3cae8c1223698be885259dc8e78c59a8"]});
        assert_eq!(json_of(&out), expected);
        protocol.logon(1, 4, 1_711_010_111_452, &mut out);
        assert_eq!(json_of(&out)["req_id"], "4");
        let request = OrderRequest { time_ms: 1_658_384_314_791, ..request(5) };
        protocol.query(&request, &mut out);
        let text = String::from_utf8(out.clone()).unwrap();
        let path = "GET /v5/order/realtime?category=spot&symbol=BTCUSDT&orderLinkId=p1-3-41\n";
        assert!(text.starts_with(path), "{text}");
        assert!(
            text.contains(
                "\nX-BAPI-SIGN: 2e4a2c8e934a1caf54e1e856261aba3dd5039695ffc814457fde63e77553673a\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("\n\n"), "{text}");
        let (order, newest) = (VenueRef::number(77), FillsFrom::Newest);
        assert!(protocol.fills_since(order, newest, &request, &mut out));
        let text = String::from_utf8(out.clone()).unwrap();
        let path = "GET /v5/execution/list?category=spot&symbol=BTCUSDT&orderId=77&limit=100\n";
        assert!(text.starts_with(path), "{text}");
        assert!(!protocol.fills_since(order, FillsFrom::First, &request, &mut out));
    }

    #[test]
    fn each_code_means_what_the_venue_says_it_means() {
        let outcome = |status, code| BybitOrders::outcome(&Failure::of(status, code, ""));
        let timed_out = [170_007, 170_146, 170_147, 170_310];
        let under_way = [40_004, 170_001, 170_032, 170_035, 170_191, 170_212, 170_234];
        for code in [10_000, 10_016, 10_019].into_iter().chain(timed_out).chain(under_way) {
            assert_eq!(outcome(0, code), Outcome::Unknown, "{code}");
        }
        for code in [110_008, 110_010, 170_139, 170_190] {
            assert_eq!(outcome(0, code), Outcome::NotOpen, "{code}");
        }
        assert_eq!((outcome(0, 429), outcome(0, 170_222)), (Outcome::SlowDown, Outcome::SlowDown));
        assert_eq!(outcome(0, -2_015), Outcome::BadKey);
        assert_eq!((outcome(502, 0), outcome(403, 0)), (Outcome::Unknown, Outcome::SlowDown));
        assert_eq!(
            (outcome(0, 10_429), outcome(0, 10_006)),
            (Outcome::SlowDown, Outcome::SlowDown)
        );
        assert_eq!(outcome(0, 10_002), Outcome::WrongTime);
        let sessions = Failure::of(0, 10_003, "Too many sessions under the same UID");
        assert_eq!(BybitOrders::outcome(&sessions), Outcome::SlowDown);
        assert_eq!((outcome(0, 10_004), outcome(0, 10_003)), (Outcome::BadKey, Outcome::BadKey));
        assert_eq!(
            (outcome(0, 110_001), outcome(0, 170_213)),
            (Outcome::NotOpen, Outcome::NotOpen)
        );
        assert_eq!(outcome(200, 110_001), Outcome::NoSuchOrder, "of a question");
        for code in [170_131, 170_140, 110_072, 170_193] {
            assert_eq!(outcome(0, code), Outcome::Refused(RejectReason::Venue), "{code}");
        }
    }

    #[test]
    fn several_cancels_are_one_request() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let other = OrderRequest { name: b"p1-3-42", ..request(10) };
        assert!(protocol.cancel_several(&[request(9), other], &mut out));
        let of = |name| json!({"symbol": "BTCUSDT", "orderLinkId": name});
        let args = json!([{"category": "spot", "request": [of("p1-3-41"), of("p1-3-42")]}]);
        let header = json!({"X-BAPI-TIMESTAMP": "1000", "X-BAPI-RECV-WINDOW": "5000"});
        let op = "order.cancel-batch";
        assert_eq!(
            json_of(&out),
            json!({"reqId": "9.1000", "header": header, "op": op, "args": args})
        );
    }
}
