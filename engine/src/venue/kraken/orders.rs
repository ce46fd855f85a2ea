//! Kraken's order protocol for spot: WebSocket v2 (`wss://ws-auth.kraken.com/v2`), with a token and
//! for questions its REST interface.
//!
//! Source: "Add Order", "Amend Order", "Cancel Order", "Cancel All Orders After", "Executions",
//! "Balances" of WebSocket v2; "Get Websockets Token", "Get Open Orders", "Get Closed Orders",
//! "Query Trades Info", "Cancel All Orders" of REST; "Spot Client Order Identifiers".
//!
//! The token is fetched for each connection, and stands for the key in every request of it. A name
//! of a client's own is a UUID, or has at most 18 characters: ours are UUIDs. REST finds an order
//! by such a name among the open ones or among those that are over, and lists its trades by their
//! names, which its answer about the order tells. Stops are not placed. An amendment takes quantity
//! off and keeps the price. FOK is not on the venue's page of this request.

use serde_json::Value;

use super::inspection;
use super::order_decoder::KrakenReports;
use super::refusals::{NOT_OPEN_NOW, UNKNOWN_ORDER, meaning_of};
use super::secret::KrakenSecret;
use crate::event::{RejectReason, Side, VenueRef};
use crate::order::{
    Amends, Capabilities, DeadManTimer, OrderCommand, OrderType, OrderTypes, TimeInForce,
};
use crate::venue::codec::JsonText;
use crate::venue::protocol::{
    AccountQuestion, AccountWords, Failure, FillsFrom, GuardRequest, KeepAlive, NameForm,
    OrderProtocol, OrderRequest, Outcome, Way, order_terms,
};
use crate::venue::utc::push_rfc3339;

/// The matching engine refuses a new order or an amendment that reaches it later than this
/// (`deadline`), ms; the venue takes 500 ms to 60 s.
const DEADLINE_MS: i64 = 5_000;
/// "Cancel All Orders After" takes any number of whole seconds below a day. Set three times in its
/// run, a shorter one would be more requests than the venue advises.
const CANCEL_ALL_AFTER: DeadManTimer = DeadManTimer { min_ms: 10_000, max_ms: 86_399_000 };

/// How far the numbers of requests go ahead of the clock once the venue has refused one, and at
/// most, us; doubled each time. Always by one of these lengths, so that a guard with the same key
/// comes to the same numbers.
const LEAD_US: (u64, u64) = (1_000_000, 1_000_000 << 25);

/// Cancels of one `cancel_order`. The page names no number; of other requests the venue takes 50.
const CANCELS_MAX: usize = 20;

const TOKEN: &str = "/0/private/GetWebSocketsToken";
const OPEN: &str = "/0/private/OpenOrders";
const CLOSED: &str = "/0/private/ClosedOrders";
const TRADES: &str = "/0/private/QueryTrades";
const CANCEL_ALL: &str = "/0/private/CancelAll";

/// The protocol.
pub struct KrakenOrders {
    secret: KrakenSecret,
    decoder: KrakenReports,
    /// The number of the last request over REST: each has a higher one.
    last_nonce: u64,
    /// How far ahead of the clock the numbers are, us: 0 until the venue has had higher ones, such
    /// as those of an earlier start whose clock was ahead.
    lead_us: u64,
}

impl OrderProtocol for KrakenOrders {
    type Signer = KrakenSecret;
    type Decoder = KrakenReports;

    const ORDER_TYPES: OrderTypes = OrderTypes::PLAIN;
    const CAPABILITIES: Capabilities = Capabilities::of(OrderTypes::PLAIN)
        .with_times(&[TimeInForce::Gtc, TimeInForce::Ioc])
        .with_amends(Amends::Smaller)
        .with_cancels_per_request(CANCELS_MAX)
        .with_dead_man(CANCEL_ALL_AFTER);
    /// An order is refused once its deadline has passed, by a clock that may be a second off ours;
    /// its state may take as long again to be known to those who answer questions.
    const IN_FLIGHT_MAX_NS: u64 = 10_000_000_000;
    const KEEP_ALIVE: KeepAlive = KeepAlive::Text(r#"{"method":"ping"}"#);
    const LOGON: &'static [&'static str] =
        &["logon", "subscribe to executions", "subscribe to balances"];
    const ASKS_OVER_REST: bool = true;
    /// Both channels begin with a snapshot.
    const STREAM_LISTS: bool = true;
    const NAMES: NameForm = NameForm::Uuid;

    fn new(secret: KrakenSecret, decoder: KrakenReports) -> KrakenOrders {
        KrakenOrders { secret, decoder, last_nonce: 0, lead_us: 0 }
    }

    fn decoder(&mut self) -> &mut KrakenReports {
        &mut self.decoder
    }

    fn logon_way(step: usize) -> Way {
        if step == 0 { Way::Rest } else { Way::Session }
    }

    #[cold]
    fn logon(&mut self, step: usize, id: u64, time_ms: i64, out: &mut Vec<u8>) {
        let params = match step {
            0 => return self.write_post(TOKEN, "", time_ms, out),
            1 => r#""channel":"executions","snap_orders":true,"snap_trades":false"#,
            _ => r#""channel":"balances""#,
        };
        let token = &self.decoder.token;
        out.clear();
        let text = format!(
            r#"{{"method":"subscribe","req_id":{id},"params":{{{params},"token":"{token}"}}}}"#
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
        let is_ioc = order_type == OrderType::Limit && life == TimeInForce::Ioc;
        self.decoder.note_sent(command, (side, is_ioc), request);
        let mut text = start(out, request, "add_order", &self.decoder.token);
        text.text(r#","cl_ord_id":""#);
        text.bytes(request.name);
        text.text(r#"","symbol":""#);
        text.text(request.native);
        text.text(match side {
            Side::Buy => r#"","side":"buy""#,
            Side::Sell => r#"","side":"sell""#,
        });
        text.text(match (order_type, life) {
            (OrderType::Market, _) => r#","order_type":"market""#,
            (OrderType::LimitMaker, _) => r#","order_type":"limit","post_only":true"#,
            (_, TimeInForce::Ioc) => r#","order_type":"limit","time_in_force":"ioc""#,
            (_, _) => r#","order_type":"limit","time_in_force":"gtc""#,
        });
        if order_type.is_priced() {
            text.bare_number("limit_price", command.price, request.scales.price);
        }
        end_with_qty(text, command, request);
        Ok(())
    }

    #[inline]
    fn amend(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let mut text = start(out, request, "amend_order", &self.decoder.token);
        text.text(r#","cl_ord_id":""#);
        text.bytes(request.name);
        text.text("\"");
        end_with_qty(text, command, request);
        Ok(())
    }

    #[inline]
    fn cancel(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        let mut text = start(out, request, "cancel_order", &self.decoder.token);
        text.text(r#","cl_ord_id":[""#);
        text.bytes(request.name);
        text.text("\"]}}");
    }

    /// "There will be a stream of individual order responses", each under the number of the first.
    #[cold]
    fn cancel_several(&mut self, requests: &[OrderRequest<'_>], out: &mut Vec<u8>) -> bool {
        let Some((first, rest)) = requests.split_first() else { return false };
        self.decoder.cancels.went_together(requests);
        let mut text = start(out, first, "cancel_order", &self.decoder.token);
        text.text(r#","cl_ord_id":[""#);
        text.bytes(first.name);
        for request in rest {
            text.text(r#"",""#);
            text.bytes(request.name);
        }
        text.text("\"]}}");
        true
    }

    const GUARDS_OVER_REST: bool = true;

    /// Of the whole account: the venue has no such requests for a pair.
    #[cold]
    fn guard_request(
        &mut self,
        what: GuardRequest,
        _native: &str,
        id: u64,
        time_ms: i64,
        out: &mut Vec<u8>,
    ) -> bool {
        match what {
            GuardRequest::CancelAll => self.write_post(CANCEL_ALL, "", time_ms, out),
            GuardRequest::List => {
                self.decoder.asks_any = Some(id);
                self.write_post(OPEN, "", time_ms, out);
            }
        }
        true
    }

    #[cold]
    fn dead_man(&mut self, timeout_ms: u32, id: u64, _time_ms: i64, out: &mut Vec<u8>) -> bool {
        let (seconds, token) = (timeout_ms.div_ceil(1_000), &self.decoder.token);
        out.clear();
        let text = format!(
            r#"{{"method":"cancel_all_orders_after","req_id":{id},"params":{{"timeout":{seconds},"token":"{token}"}}}}"#
        );
        out.extend_from_slice(text.as_bytes());
        true
    }

    fn query(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        let path = match self.decoder.asks_history(request) {
            true => CLOSED,
            false => OPEN,
        };
        let name = String::from_utf8_lossy(request.name);
        self.write_post(path, &format!("&trades=true&cl_ord_id={name}"), request.time_ms, out);
    }

    /// Those whose names the last answer about the order told, twenty at a time.
    fn fills_since(
        &mut self,
        order: VenueRef,
        from: FillsFrom,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(trades) = self.decoder.asks_trades(order, from, request.id) else { return false };
        self.write_post(TRADES, &format!("&txid={trades}"), request.time_ms, out);
        true
    }

    /// "Ledger/trade history calls increase the counter by 2."
    fn fills_weight(&self) -> u32 {
        2
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
        let (name, more) = inspection::path(place, native);
        self.write_post(&format!("/0/private/{name}"), &more, time_ms, out);
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
            NOT_OPEN_NOW => Outcome::NotListed,
            // The same word for a question that finds nothing.
            UNKNOWN_ORDER if status == 200 => Outcome::NoSuchOrder,
            code => match meaning_of(code) {
                Some(outcome) => outcome,
                None if matches!(status, 403 | 429) => Outcome::SlowDown,
                None if status >= 500 => Outcome::Unknown,
                None => Outcome::Refused(RejectReason::Venue),
            },
        }
    }
}

impl KrakenOrders {
    /// A signed request; `more` goes behind its number.
    #[cold]
    fn write_post(&mut self, path: &str, more: &str, time_ms: i64, out: &mut Vec<u8>) {
        let now_us = u64::try_from(time_ms).unwrap_or(0).saturating_mul(1_000);
        if std::mem::take(&mut self.decoder.is_nonce_refused) {
            let (first, longest) = LEAD_US;
            self.lead_us = (2 * self.lead_us).clamp(first, longest);
        }
        self.last_nonce = now_us.saturating_add(self.lead_us).max(self.last_nonce + 1);
        let posted = format!("nonce={}{more}", self.last_nonce);
        let sign = self.secret.sign(path, self.last_nonce, &posted);
        crate::text::hide_passing(&sign);
        let (api_key, length) = (self.secret.api_key(), posted.len());
        out.clear();
        let text = format!(
            "POST {path}\nAPI-Key: {api_key}\nAPI-Sign: {sign}\n\
             Content-Type: application/x-www-form-urlencoded\nContent-Length: {length}\n\n{posted}"
        );
        out.extend_from_slice(text.as_bytes());
    }
}

/// A request about an order, as far as all have it.
#[inline]
fn start<'a>(
    out: &'a mut Vec<u8>,
    request: &OrderRequest<'_>,
    method: &str,
    token: &str,
) -> JsonText<'a> {
    out.clear();
    let mut text = JsonText(out);
    text.text(r#"{"method":""#);
    text.text(method);
    text.text(r#"","req_id":"#);
    text.integer(request.id);
    text.text(r#","params":{"token":""#);
    text.text(token);
    text.text("\"");
    text
}

/// The rest of a request that says how much.
#[inline]
fn end_with_qty(mut text: JsonText<'_>, command: &OrderCommand, request: &OrderRequest<'_>) {
    text.bare_number("order_qty", command.qty, request.scales.qty);
    text.text(r#","deadline":""#);
    push_rfc3339(text.0, request.time_ms.saturating_add(DEADLINE_MS));
    text.text("\"}}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zerocopy::FromZeros;

    use super::super::refusals::code_of;
    use super::*;
    use crate::event::{PositionSide, REDUCE_ONLY};
    use crate::venue::protocol::{OrderDecoder, OrderMessage, Reach, Signer, UnreadFrame};
    use crate::venue::{Scales, SymbolMap};
    use crate::world::SplitMix64;

    const NAME: &[u8] = b"00000001-0003-4700-8000-000000000029";

    /// One that has its token.
    fn protocol() -> KrakenOrders {
        let mut decoder = KrakenReports::new(SymbolMap::of_test(&["BTC/USD"]), 1 << 20);
        let token = br#"{"error":[],"result":{"token":"TOKEN","expires":900}}"#;
        assert!(decoder.decode_rest(1, 200, token).is_ok());
        let secret = KrakenSecret::drawn("key", &mut SplitMix64::new(1)).unwrap();
        KrakenOrders::new(secret, decoder)
    }

    fn request(id: u64) -> OrderRequest<'static> {
        let scales = Scales { price: 1, qty: 8 };
        OrderRequest {
            id,
            native: "BTC/USD",
            scales,
            name: NAME,
            venue_order_id: VenueRef::NONE,
            time_ms: 1_700_000_000_123,
            sent: None,
        }
    }

    fn order() -> OrderCommand {
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (265_000, 500_000, Side::Sell.code());
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Gtc as u8;
        command
    }

    fn params(out: &[u8]) -> Value {
        serde_json::from_slice::<Value>(out).unwrap()["params"].clone()
    }

    #[test]
    fn every_kind_of_order_is_written_as_the_venue_wants_it() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        assert_eq!(protocol.place(&order(), &request(9), &mut out), Ok(()));
        let expected = concat!(
            r#"{"method":"add_order","req_id":9,"params":{"token":"TOKEN","#,
            r#""cl_ord_id":"00000001-0003-4700-8000-000000000029","symbol":"BTC/USD","#,
            r#""side":"sell","order_type":"limit","time_in_force":"gtc","limit_price":26500.0,"#,
            r#""order_qty":0.00500000,"deadline":"2023-11-14T22:13:25.123Z"}}"#
        );
        assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
        let ioc = OrderCommand { time_in_force_code: TimeInForce::Ioc as u8, ..order() };
        assert_eq!(protocol.place(&ioc, &request(9), &mut out), Ok(()));
        assert_eq!(params(&out)["time_in_force"], "ioc");
        let maker = OrderCommand { order_type_code: OrderType::LimitMaker as u8, ..order() };
        assert_eq!(protocol.place(&maker, &request(9), &mut out), Ok(()));
        assert_eq!(params(&out)["post_only"], true);
        let market = OrderCommand { order_type_code: OrderType::Market as u8, ..order() };
        assert_eq!(protocol.place(&market, &request(9), &mut out), Ok(()));
        assert_eq!(
            (&params(&out)["order_type"], params(&out).get("limit_price")),
            (&json!("market"), None)
        );
        let spoils: [fn(&mut OrderCommand); 5] = [
            |command| command.side_code = 0,
            |command| command.flags = REDUCE_ONLY,
            |command| command.position_side_code = PositionSide::Long.code(),
            |command| command.order_type_code = OrderType::StopLoss as u8,
            |command| command.time_in_force_code = TimeInForce::Fok as u8,
        ];
        for spoil in spoils {
            let mut spoiled = order();
            spoil(&mut spoiled);
            let refused = protocol.place(&spoiled, &request(9), &mut out);
            assert_eq!(refused, Err(RejectReason::Unsupported), "never sent as something else");
        }
    }

    #[test]
    fn requests_name_the_order_and_carry_the_token() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        protocol.cancel(&request(2), &mut out);
        let name = "00000001-0003-4700-8000-000000000029";
        assert_eq!(params(&out), json!({"token": "TOKEN", "cl_ord_id": [name]}));
        assert_eq!(protocol.amend(&order(), &request(4), &mut out), Ok(()));
        let deadline = "2023-11-14T22:13:25.123Z";
        let expected = json!({
            "token": "TOKEN", "cl_ord_id": name, "order_qty": 0.005, "deadline": deadline,
        });
        assert_eq!(params(&out), expected);
        assert!(protocol.dead_man(60_000, 5, 0, &mut out));
        assert_eq!(params(&out), json!({"token": "TOKEN", "timeout": 60}));
        protocol.logon(1, 3, 0, &mut out);
        assert_eq!(params(&out)["channel"], "executions");
    }

    #[test]
    fn several_cancels_are_one_request_and_each_is_answered_under_its_own_number() {
        const OTHER: &[u8] = b"00000001-0003-4700-8000-00000000002a";
        const THIRD: &[u8] = b"00000001-0003-4700-8000-00000000002b";
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let named = |id, name| OrderRequest { name, ..request(id) };
        let requests = [request(7), named(8, OTHER), named(9, THIRD)];
        let mut ask = |protocol: &mut KrakenOrders| {
            assert!(protocol.cancel_several(&requests, &mut out));
            let names = json!([
                "00000001-0003-4700-8000-000000000029",
                "00000001-0003-4700-8000-00000000002a",
                "00000001-0003-4700-8000-00000000002b",
            ]);
            assert_eq!(params(&out), json!({"token": "TOKEN", "cl_ord_id": names}));
        };
        fn of(read: Result<OrderMessage<'_>, UnreadFrame<'_>>) -> Option<(u64, Reach, i32)> {
            match read {
                Ok(OrderMessage::Reply(reply)) => {
                    let code = reply.outcome.map_or_else(|failure| failure.code, |_| 0);
                    Some((reply.id, reply.reach, code))
                }
                Ok(OrderMessage::Other(_)) => None,
                other => panic!("{other:?}"),
            }
        }
        let told = |protocol: &mut KrakenOrders, frame: &str| {
            let decoder = protocol.decoder();
            let mut all = vec![of(decoder.decode(frame.as_bytes()))];
            while let Some((next, _)) = decoder.next_of_frame() {
                all.push(of(next));
            }
            all.into_iter().flatten().collect::<Vec<_>>()
        };
        let done = |name: &[u8]| {
            let name = str::from_utf8(name).unwrap();
            format!(
                r#"{{"method":"cancel_order","req_id":7,"result":{{"order_id":"OVN7VD-7VYHS-APBKHA","cl_ord_id":"{name}"}},"success":true}}"#
            )
        };
        let gone = |word: &str| {
            format!(r#"{{"error":"{word}","method":"cancel_order","req_id":7,"success":false}}"#)
        };
        ask(&mut protocol);
        assert_eq!(told(&mut protocol, &done(OTHER)), [(8, Reach::One, 0)]);
        // Whose it is shows once the others are done.
        assert_eq!(told(&mut protocol, &gone("EOrder:Unknown order")), []);
        let last = told(&mut protocol, &done(NAME));
        assert_eq!(last, [(7, Reach::One, 0), (9, Reach::One, code_of("EOrder:Unknown order"))]);
        // None of them is there.
        ask(&mut protocol);
        assert_eq!(told(&mut protocol, &gone("EOrder:Unknown order")), []);
        assert_eq!(told(&mut protocol, &gone("EOrder:Unknown order")), []);
        let all: Vec<u64> =
            told(&mut protocol, &gone("EOrder:Unknown order")).iter().map(|(id, ..)| *id).collect();
        assert_eq!(all, [7, 8, 9]);
        // What is wrong with the whole request is told once.
        ask(&mut protocol);
        let refused = told(&mut protocol, &gone("ESession:Invalid session"));
        assert_eq!(refused, [(7, Reach::All, code_of("ESession:Invalid session"))]);
        // A cancel that goes alone is answered alone.
        protocol.cancel(&request(7), &mut Vec::new());
        assert_eq!(told(&mut protocol, &done(NAME)), [(7, Reach::All, 0)]);
    }

    #[test]
    fn a_guard_asks_for_all_of_the_account() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let mut ask = |protocol: &mut KrakenOrders, what, path: &str| {
            assert!(protocol.guard_request(what, "BTC/USD", 4, 1_000, &mut out));
            let text = String::from_utf8(out.clone()).unwrap();
            assert!(text.starts_with(&format!("POST {path}\n")), "{text}");
        };
        let is_any = |protocol: &mut KrakenOrders, said: &str| {
            let read = protocol.decoder().decode_rest(4, 200, said.as_bytes());
            let Ok(OrderMessage::Reply(reply)) = read else { panic!("a reply") };
            !reply.outcome.unwrap().venue_order_id.is_none()
        };
        ask(&mut protocol, GuardRequest::CancelAll, "/0/private/CancelAll");
        assert!(is_any(&mut protocol, r#"{"error":[],"result":{"count":4}}"#));
        ask(&mut protocol, GuardRequest::CancelAll, "/0/private/CancelAll");
        assert!(!is_any(&mut protocol, r#"{"error":[],"result":{"count":0}}"#));
        let one = r#"{"status":"open","descr":{"pair":"MOONUSD"}}"#;
        let two = format!(r#"{{"error":[],"result":{{"open":{{"OA-1":{one},"OB-2":{one}}}}}}}"#);
        ask(&mut protocol, GuardRequest::List, "/0/private/OpenOrders");
        assert!(is_any(&mut protocol, &two), "whatever they are");
        ask(&mut protocol, GuardRequest::List, "/0/private/OpenOrders");
        assert!(!is_any(&mut protocol, r#"{"error":[],"result":{"open":{}}}"#));
    }

    #[test]
    fn questions_go_to_the_open_orders_with_a_number_that_only_rises() {
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let mut last = 0;
        for time_ms in [1_700_000_000_123, 1_700_000_000_123, 1_600_000_000_000] {
            protocol.query(&OrderRequest { time_ms, ..request(5) }, &mut out);
            let text = String::from_utf8(out.clone()).unwrap();
            assert!(text.starts_with("POST /0/private/OpenOrders\nAPI-Key: key\n"), "{text}");
            let (_, posted) = text.split_once("\n\n").unwrap();
            let (nonce, rest) = posted.strip_prefix("nonce=").unwrap().split_once('&').unwrap();
            assert_eq!(rest, "trades=true&cl_ord_id=00000001-0003-4700-8000-000000000029");
            let nonce: u64 = nonce.parse().unwrap();
            assert!(nonce > last, "{nonce}");
            last = nonce;
        }
        let (order, newest) = (VenueRef::text(b"OVN7VD-7VYHS-APBKHA").unwrap(), FillsFrom::Newest);
        assert!(!protocol.fills_since(order, newest, &request(6), &mut out), "no trade was named");
    }

    #[test]
    fn a_number_that_was_refused_is_followed_by_one_that_is_far_higher() {
        // As after a start whose clock was ahead of ours now.
        let (mut protocol, mut out) = (protocol(), Vec::new());
        let mut nonce = |protocol: &mut KrakenOrders| {
            protocol.query(&request(5), &mut out);
            let text = String::from_utf8(out.clone()).unwrap();
            let posted = text.split_once("nonce=").unwrap().1;
            posted.split_once('&').unwrap().0.parse::<u64>().unwrap()
        };
        let first = nonce(&mut protocol);
        let refused = br#"{"error":["EAPI:Invalid nonce"]}"#;
        for lead_s in [1, 2, 4, 8] {
            assert!(protocol.decoder().decode_rest(5, 200, refused).is_ok());
            assert_eq!(nonce(&mut protocol), first + lead_s * 1_000_000);
        }
        let next = nonce(&mut protocol);
        assert_eq!(next, first + 8_000_001, "no further, once it is taken");
    }

    #[test]
    fn each_word_of_the_venue_means_what_it_says() {
        let outcome =
            |status, word| KrakenOrders::outcome(&Failure::of(status, code_of(word), word));
        assert_eq!(outcome(0, "EOrder:Unknown order"), Outcome::NotOpen);
        assert_eq!(outcome(200, "EOrder:Unknown order"), Outcome::NoSuchOrder, "of a question");
        assert_eq!(outcome(0, "EService:Unavailable"), Outcome::Unknown);
        assert_eq!(outcome(0, "EOrder:Insufficient funds"), Outcome::Refused(RejectReason::Venue));
        assert_eq!((outcome(502, ""), outcome(429, "")), (Outcome::Unknown, Outcome::SlowDown));
        assert_eq!(outcome(0, "Moon"), Outcome::Refused(RejectReason::Venue));
        let not_open_now = Failure::of(200, NOT_OPEN_NOW, "");
        assert_eq!(KrakenOrders::outcome(&not_open_now), Outcome::NotListed);
    }
}
