//! OKX v5's order protocol for spot, over its private WebSocket (`wss://ws.okx.com/ws/v5/private`)
//! and, for questions, its REST interface.
//!
//! Source: "WebSocket, Login", "Place order", "Amend order", "Cancel order", "Order details",
//! "Order List", "Transaction details" of three days and of a year, "Get balance", "Get
//! instruments", "Transaction Timeouts" and "Error Code" of the venue's reference. Since February
//! 2026 requests name an instrument by `instIdCode`, a number that REST lists with each instrument:
//! the first step of the logon.
//!
//! Spot alone: `tdMode` is `cash`, and quantities are of the base currency, also of market orders.
//! Stops are another kind of order at this venue ("algo orders") and are not placed. An amendment
//! keeps the price.

use serde_json::Value;

use super::inspection;
use super::order_decoder::OkxReports;
use crate::event::{RejectReason, Side, VenueRef};
use crate::order::{
    Amends, Capabilities, DeadManTimer, OrderCommand, OrderType, OrderTypes, TimeInForce,
};
use crate::venue::codec::JsonText;
use crate::venue::protocol::{
    AccountQuestion, AccountWords, Failure, FillsFrom, GuardRequest, KeepAlive, NameForm,
    OrderProtocol, OrderRequest, Outcome, SharedSecret, Way, order_terms,
};

/// A new order that reaches the matching engine later than this is dropped by the venue
/// (`expTime`), ms.
const EXPIRES_MS: i64 = 5_000;

/// "Does not mean success or failure", unavailable, busy, system error, and the internal errors of
/// the WebSocket; a request or an order that timed out; a cancel that is under way, or timed out.
const UNKNOWN_OUTCOME: [i32; 10] =
    [50_001, 50_004, 50_013, 50_026, 51_054, 51_149, 51_410, 51_412, 63_999, 64_007];
/// Too many requests, too frequent operations, and those of the WebSocket.
const SLOW_DOWN: [i32; 4] = [50_011, 50_040, 60_014, 60_023];
/// Rate limit of one kind of request, in one instrument or of the account.
const TOO_MANY_OF_A_KIND: &[i32] = &[50_011];
/// The account's orders and amendments of two seconds are used up.
const TOO_MANY_ORDERS: i32 = 50_061;
/// Order does not exist.
const NO_SUCH_ORDER: i32 = 51_603;
/// A cancel or an amendment of what is filled, canceled, or was never there.
const NOT_OPEN: [i32; 4] = [51_400, 51_401, 51_402, 51_503];
/// Frozen, wrong environment, address, key, signature or passphrase, not allowed.
const BAD_KEY: [i32; 14] = [
    50_100, 50_101, 50_105, 50_110, 50_111, 50_113, 50_114, 50_119, 50_120, 60_005, 60_007, 60_009,
    60_024, 60_032,
];
/// A time stamp that is too old, or none.
const WRONG_TIME: [i32; 5] = [50_036, 50_102, 50_112, 60_004, 60_006];

/// "Cancel All After" takes 10 to 120 whole seconds, and one request a second.
const CANCEL_ALL_AFTER: DeadManTimer = DeadManTimer { min_ms: 10_000, max_ms: 120_000 };

/// Cancels of one `batch-cancel-orders`.
const CANCELS_MAX: usize = 20;

/// The protocol.
pub struct OkxOrders {
    secret: SharedSecret<2>,
    decoder: OkxReports,
}

impl OrderProtocol for OkxOrders {
    const TOO_MANY_OF_A_KIND: &'static [i32] = TOO_MANY_OF_A_KIND;
    /// The secret, and the passphrase of the key.
    type Signer = SharedSecret<2>;
    type Decoder = OkxReports;

    const ORDER_TYPES: OrderTypes = OrderTypes::PLAIN;
    const CAPABILITIES: Capabilities = Capabilities::of(OrderTypes::PLAIN)
        .with_amends(Amends::Smaller)
        .with_cancels_per_request(CANCELS_MAX)
        .with_dead_man(CANCEL_ALL_AFTER);
    /// An order is dropped once it has expired, by a clock that may be a second off ours; its state
    /// may take as long again to be known to those who answer questions.
    const IN_FLIGHT_MAX_NS: u64 = 10_000_000_000;
    const KEEP_ALIVE: KeepAlive = KeepAlive::Text("ping");
    const LOGON: &'static [&'static str] =
        &["instruments", "logon", "subscribe to orders", "subscribe to balances"];
    const ASKS_OVER_REST: bool = true;
    /// Names are letters and digits.
    const NAMES: NameForm = NameForm::Marked(b'x');

    fn new(secret: SharedSecret<2>, decoder: OkxReports) -> OkxOrders {
        OkxOrders { secret, decoder }
    }

    fn decoder(&mut self) -> &mut OkxReports {
        &mut self.decoder
    }

    fn logon_way(step: usize) -> Way {
        if step == 0 { Way::Rest } else { Way::Session }
    }

    #[cold]
    fn logon(&mut self, step: usize, id: u64, time_ms: i64, out: &mut Vec<u8>) {
        out.clear();
        match step {
            0 => {
                let all = b"GET /api/v5/public/instruments?instType=SPOT\n\n";
                out.extend_from_slice(all);
            }
            1 => {
                self.decoder.logon = Some(id);
                self.write_login(time_ms, out);
            }
            2 => write_subscription(id, r#"{"channel":"orders","instType":"SPOT"}"#, out),
            _ => {
                let updates = r#""extraParams":"{\"updateInterval\":\"0\"}""#;
                write_subscription(id, &format!(r#"{{"channel":"account",{updates}}}"#), out);
            }
        }
    }

    #[inline]
    fn place(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let (side, order_type, life) = order_terms(command, Self::CAPABILITIES)?;
        let code = self.decoder.code(request.native).ok_or(RejectReason::UnknownInstrument)?;
        let mut text = start(out, request, ("order", code), Some(EXPIRES_MS));
        text.text(match side {
            Side::Buy => r#","tdMode":"cash","side":"buy","ordType":""#,
            Side::Sell => r#","tdMode":"cash","side":"sell","ordType":""#,
        });
        text.text(match (order_type, life) {
            (OrderType::Market, _) => r#"market","tgtCcy":"base_ccy""#,
            (OrderType::LimitMaker, _) => r#"post_only""#,
            (_, TimeInForce::Gtc) => r#"limit""#,
            (_, TimeInForce::Ioc) => r#"ioc""#,
            (_, TimeInForce::Fok) => r#"fok""#,
        });
        if order_type.is_priced() {
            text.number("px", command.price, request.scales.price);
        }
        text.number("sz", command.qty, request.scales.qty);
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
        let code = self.decoder.code(request.native).ok_or(RejectReason::UnknownInstrument)?;
        let mut text = start(out, request, ("amend-order", code), Some(EXPIRES_MS));
        text.number("newSz", command.qty, request.scales.qty);
        text.text("}]}");
        Ok(())
    }

    #[inline]
    fn cancel(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        let code = self.decoder.code(request.native).unwrap_or(0);
        start(out, request, ("cancel-order", code), None).text("}]}");
    }

    #[cold]
    fn cancel_several(&mut self, requests: &[OrderRequest<'_>], out: &mut Vec<u8>) -> bool {
        let Some((first, rest)) = requests.split_first() else { return false };
        let code = self.decoder.code(first.native).unwrap_or(0);
        let mut text = start(out, first, ("batch-cancel-orders", code), None);
        for request in rest {
            text.text(r#"},{"instIdCode":"#);
            text.integer(self.decoder.code(request.native).unwrap_or(0));
            text.text(r#","clOrdId":""#);
            text.bytes(request.name);
            text.text("\"");
        }
        text.text("}]}");
        true
    }

    fn dead_man_way(_timeout_ms: u32) -> Way {
        Way::Rest
    }

    #[cold]
    fn dead_man(&mut self, timeout_ms: u32, _id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        let body = format!(r#"{{"timeOut":"{}"}}"#, timeout_ms.div_ceil(1_000));
        self.write_signed(("POST", "/api/v5/trade/cancel-all-after", &body), time_ms, out);
        true
    }

    const GUARDS_OVER_REST: bool = true;
    const GUARDS_BY_TIMER: bool = true;

    /// The venue has no request that cancels all of a symbol on spot: its timer does, for the whole
    /// account.
    #[cold]
    fn guard_request(
        &mut self,
        what: GuardRequest,
        native: &str,
        id: u64,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) -> bool {
        match what {
            GuardRequest::CancelAll => self.dead_man(CANCEL_ALL_AFTER.min_ms, id, time_ms, out),
            GuardRequest::List => {
                let path = format!("/api/v5/trade/orders-pending?instType=SPOT&instId={native}");
                self.write_get(&path, time_ms, out);
                true
            }
        }
    }

    fn query(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        let name = String::from_utf8_lossy(request.name);
        let path = format!("/api/v5/trade/order?instId={}&clOrdId={name}", request.native);
        self.write_get(&path, request.time_ms, out);
    }

    /// The newest hundred, then those that are older: the venue pages by numbers of the account's
    /// bills, not by trades. What is older than three days is in another list.
    fn fills_since(
        &mut self,
        order: VenueRef,
        from: FillsFrom,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(number) = order.as_number() else { return false };
        let Some(page) = self.decoder.asks_fills(from, order, request) else { return false };
        let (list, bill) = page.split_once(':').unwrap_or((&page, ""));
        let after = if bill.is_empty() { "" } else { "&after=" };
        let path = format!("/api/v5/trade/{list}?instType=SPOT&ordId={number}{after}{bill}");
        self.write_get(&path, request.time_ms, out);
        true
    }

    /// Of all kinds of instruments, the newest hundred, then those that are older. Orders that wait
    /// for a trigger are in another list of the venue's.
    #[cold]
    fn open_orders(&mut self, id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        let after = self.decoder.lists.ask_orders(id);
        let mark = if after.is_empty() { "" } else { "?after=" };
        let path = format!("/api/v5/trade/orders-pending{mark}{after}");
        self.write_get(&path, time_ms, out);
        true
    }

    /// What the trading account has; the funding account is another one.
    #[cold]
    fn balances(&mut self, id: u64, time_ms: i64, out: &mut Vec<u8>) -> bool {
        self.decoder.lists.ask_balances(id);
        self.write_get("/api/v5/account/balance", time_ms, out);
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
        self.write_get(&inspection::path(place, native), time_ms, out);
    }

    fn read_account_answer(
        place: usize,
        answer: &Value,
        words: &mut AccountWords,
    ) -> Result<(), String> {
        inspection::read(place, answer, words)
    }

    fn outcome(failure: &Failure<'_>) -> Outcome {
        let Failure { status, code, .. } = *failure;
        match code {
            TOO_MANY_ORDERS => Outcome::TooManyOrders,
            NO_SUCH_ORDER => Outcome::NoSuchOrder,
            code if SLOW_DOWN.contains(&code) => Outcome::SlowDown,
            code if UNKNOWN_OUTCOME.contains(&code) => Outcome::Unknown,
            code if NOT_OPEN.contains(&code) => Outcome::NotOpen,
            code if BAD_KEY.contains(&code) => Outcome::BadKey,
            code if WRONG_TIME.contains(&code) => Outcome::WrongTime,
            _ if matches!(status, 403 | 429) => Outcome::SlowDown,
            _ if status >= 500 => Outcome::Unknown,
            _ => Outcome::Refused(RejectReason::Venue),
        }
    }
}

impl OkxOrders {
    fn write_login(&self, time_ms: i64, out: &mut Vec<u8>) {
        let (api_key, passphrase) = (self.secret.api_key(), self.secret.passphrase());
        let time_s = time_ms / 1_000;
        let sign = self.secret.sign_base64(&format!("{time_s}GET/users/self/verify"));
        crate::text::hide_passing(&sign);
        let text = format!(
            r#"{{"op":"login","args":[{{"apiKey":"{api_key}","passphrase":"{passphrase}","timestamp":"{time_s}","sign":"{sign}"}}]}}"#
        );
        out.extend_from_slice(text.as_bytes());
    }

    /// A signed question.
    #[cold]
    fn write_get(&self, path: &str, time_ms: i64, out: &mut Vec<u8>) {
        self.write_signed(("GET", path, ""), time_ms, out);
    }

    /// A signed request over REST: method, path and body.
    #[cold]
    fn write_signed(
        &self,
        (method, path, body): (&str, &str, &str),
        time_ms: i64,
        out: &mut Vec<u8>,
    ) {
        let time = iso_time(time_ms);
        let sign = self.secret.sign_base64(&format!("{time}{method}{path}{body}"));
        crate::text::hide_passing(&sign);
        let (api_key, passphrase) = (self.secret.api_key(), self.secret.passphrase());
        let length = body.len();
        out.clear();
        let head = format!(
            "{method} {path}\nOK-ACCESS-KEY: {api_key}\nOK-ACCESS-SIGN: {sign}\n\
             OK-ACCESS-TIMESTAMP: {time}\nOK-ACCESS-PASSPHRASE: {passphrase}\n"
        );
        out.extend_from_slice(head.as_bytes());
        if length > 0 {
            let of_body = format!("Content-Type: application/json\nContent-Length: {length}\n");
            out.extend_from_slice(of_body.as_bytes());
        }
        out.push(b'\n');
        out.extend_from_slice(body.as_bytes());
    }
}

/// `2020-12-08T09:08:57.715Z`.
fn iso_time(time_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(time_ms).unwrap_or_default();
    format!("{time:.3}")
}

fn write_subscription(id: u64, arg: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!(r#"{{"id":"{id}","op":"subscribe","args":[{arg}]}}"#).as_bytes());
}

/// A request about orders, as far as all have it.
fn start<'a>(
    out: &'a mut Vec<u8>,
    request: &OrderRequest<'_>,
    (op, code): (&str, u64),
    expires_ms: Option<i64>,
) -> JsonText<'a> {
    out.clear();
    let mut text = JsonText(out);
    text.text(r#"{"id":""#);
    text.integer(request.id);
    text.text(r#"","op":""#);
    text.text(op);
    if let Some(expires_ms) = expires_ms {
        text.text(r#"","expTime":""#);
        text.integer(request.time_ms.saturating_add(expires_ms));
    }
    text.text(r#"","args":[{"instIdCode":"#);
    text.integer(code);
    text.text(r#","clOrdId":""#);
    text.bytes(request.name);
    text.text("\"");
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

    const LISTED: &str = r#"{"code":"0","msg":"","data":[{"instId":"ETH-USDT","instIdCode":7},{"instId":"BTC-USDT","instIdCode":11}]}"#;

    /// With the secret of the venue's own examples.
    fn protocol() -> OkxOrders {
        let lines = ["22582BD0CFF14C41EDBF1AB98506286D", "pass"].map(str::to_owned);
        let mut decoder = OkxReports::new(SymbolMap::of_test(&["BTC-USDT"]), 1 << 20);
        assert!(decoder.decode_rest(1, 200, LISTED.as_bytes()).is_ok());
        OkxOrders::new(SharedSecret::new("key", lines), decoder)
    }

    fn request(id: u64) -> OrderRequest<'static> {
        let scales = Scales { price: 2, qty: 5 };
        OrderRequest {
            id,
            native: "BTC-USDT",
            scales,
            name: b"p1x3x41",
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
            "instIdCode": 11, "tdMode": "cash", "clOrdId": "p1x3x41", "side": "sell",
            "ordType": "limit", "px": "60000.01", "sz": "0.00150",
        }]);
        let expected = json!({"id": "9", "op": "order", "expTime": "6000", "args": args});
        assert_eq!(json_of(&out), expected);
        for (order_type, life, expected) in [
            (OrderType::Limit, TimeInForce::Ioc, "ioc"),
            (OrderType::Limit, TimeInForce::Fok, "fok"),
            (OrderType::LimitMaker, TimeInForce::Gtc, "post_only"),
            (OrderType::Market, TimeInForce::Gtc, "market"),
        ] {
            let command = OrderCommand {
                order_type_code: order_type as u8,
                time_in_force_code: life as u8,
                ..order()
            };
            assert_eq!(protocol.place(&command, &request(9), &mut out), Ok(()));
            let args = &json_of(&out)["args"][0];
            assert_eq!(args["ordType"], expected);
            let is_market = order_type == OrderType::Market;
            assert_eq!(args.get("px").is_none(), is_market);
            assert_eq!(args.get("tgtCcy").is_some(), is_market, "never a quantity in USDT");
        }
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
        let unlisted = OrderRequest { native: "ETH-USDT", ..request(9) };
        let refused = protocol.place(&order(), &unlisted, &mut out);
        assert_eq!(refused, Err(RejectReason::UnknownInstrument));
    }

    #[test]
    fn requests_name_the_order() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        protocol.cancel(&request(2), &mut out);
        let args = json!([{"instIdCode": 11, "clOrdId": "p1x3x41"}]);
        assert_eq!(json_of(&out), json!({"id": "2", "op": "cancel-order", "args": args}));
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty) = (100, 5);
        assert_eq!(protocol.amend(&command, &request(4), &mut out), Ok(()));
        let amend = json_of(&out);
        assert_eq!((&amend["op"], &amend["expTime"]), (&json!("amend-order"), &json!("6000")));
        assert_eq!(amend["args"][0]["newSz"], "0.00005");
    }

    #[test]
    fn questions_are_signed_as_the_venue_wants_it() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        // 2020-12-08T09:08:57.715Z, the venue's own example; the signatures are by OpenSSL.
        let request = OrderRequest { time_ms: 1_607_418_537_715, ..request(5) };
        protocol.query(&request, &mut out);
        let text = String::from_utf8(out.clone()).unwrap();
        let path = "GET /api/v5/trade/order?instId=BTC-USDT&clOrdId=p1x3x41\n";
        assert!(text.starts_with(path), "{text}");
        assert!(text.contains("\nOK-ACCESS-TIMESTAMP: 2020-12-08T09:08:57.715Z\n"), "{text}");
        assert!(
            text.contains("\nOK-ACCESS-SIGN: C6EHzzkiu7XjpfBMI/WgY/S2z0XFgJpoaIgI6UOHr+I=\n"),
            "{text}"
        );
        assert!(text.ends_with("\nOK-ACCESS-PASSPHRASE: pass\n\n"), "{text}");
        let (order, newest) = (VenueRef::number(77), FillsFrom::Newest);
        assert!(protocol.fills_since(order, newest, &request, &mut out));
        let text = String::from_utf8(out.clone()).unwrap();
        assert!(text.starts_with("GET /api/v5/trade/fills?instType=SPOT&ordId=77\n"), "{text}");
        assert!(!protocol.fills_since(order, FillsFrom::First, &request, &mut out));
        protocol.logon(1, 3, 1_538_054_050_000, &mut out);
        let args = json_of(&out)["args"][0].clone();
        assert_eq!((&args["apiKey"], &args["timestamp"]), (&json!("key"), &json!("1538054050")));
        assert_eq!(args["sign"], "+LdIr8lkkvhr5hoA3g9TMC0+uQJ849ftAcocA/ouu4M=");
    }

    #[test]
    fn each_code_means_what_the_venue_says_it_means() {
        let outcome = |status, code| OkxOrders::outcome(&Failure::of(status, code, ""));
        for code in [50_001, 50_004, 50_013, 50_026, 51_054, 51_149, 51_410, 51_412, 63_999, 64_007]
        {
            assert_eq!(outcome(0, code), Outcome::Unknown, "{code}");
        }
        assert_eq!(outcome(403, 0), Outcome::SlowDown);
        assert_eq!((outcome(502, 0), outcome(429, 50_013)), (Outcome::Unknown, Outcome::Unknown));
        assert_eq!((outcome(429, 0), outcome(200, 50_011)), (Outcome::SlowDown, Outcome::SlowDown));
        assert_eq!(outcome(0, 50_061), Outcome::TooManyOrders);
        assert_eq!(outcome(200, 51_603), Outcome::NoSuchOrder);
        assert_eq!(outcome(0, 51_400), Outcome::NotOpen);
        assert_eq!(outcome(0, 60_007), Outcome::BadKey);
        assert_eq!(outcome(401, 50_102), Outcome::WrongTime);
        for code in [51_008, 51_020, 51_016, 50_014, 51_121] {
            assert_eq!(outcome(0, code), Outcome::Refused(RejectReason::Venue), "{code}");
        }
    }

    #[test]
    fn several_cancels_are_one_request() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let scales = Scales { price: 2, qty: 5 };
        let request = |id, name| OrderRequest {
            id,
            native: "BTC-USDT",
            scales,
            name,
            venue_order_id: VenueRef::NONE,
            time_ms: 1,
            sent: None,
        };
        let requests = [request(7, b"p1x0x1".as_slice()), request(8, b"p1x0x2")];
        assert!(protocol.cancel_several(&requests, &mut out));
        let args = json!([
            {"instIdCode": 11, "clOrdId": "p1x0x1"}, {"instIdCode": 11, "clOrdId": "p1x0x2"},
        ]);
        let expected = json!({"id": "7", "op": "batch-cancel-orders", "args": args});
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
    }
}
