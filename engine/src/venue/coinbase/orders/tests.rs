//! The requests, as the venue's reference words them.

use serde_json::{Value, json};
use zerocopy::FromZeros;

use super::*;
use crate::event::{PositionSide, REDUCE_ONLY};
use crate::venue::protocol::{OrderDecoder, Signer};
use crate::venue::{Scales, SymbolMap};
use crate::world::SplitMix64;

const NAME: &[u8] = b"00000001-0003-4700-8000-000000000029";
const ID: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";

fn protocol() -> CoinbaseOrders {
    let decoder = CoinbaseReports::new(SymbolMap::of_test(&["BTC-USD"]), 1 << 20);
    let key = CoinbaseKey::drawn("key", &mut SplitMix64::new(1)).unwrap();
    CoinbaseOrders::new(key, decoder)
}

fn request(id: u64) -> OrderRequest<'static> {
    OrderRequest {
        id,
        native: "BTC-USD",
        scales: Scales { price: 2, qty: 8 },
        name: NAME,
        venue_order_id: VenueRef::uuid(ID.as_bytes()).unwrap(),
        time_ms: 1_700_000_000_123,
        sent: None,
    }
}

fn order() -> OrderCommand {
    let mut command = OrderCommand::new_zeroed();
    (command.price, command.qty, command.side_code) = (2_650_000, 500_000, Side::Sell.code());
    command.order_type_code = OrderType::Limit as u8;
    command.time_in_force_code = TimeInForce::Gtc as u8;
    command
}

/// The line of a request, what its token is for, its length as told, and its body.
fn parts(out: &[u8]) -> (String, String, Option<usize>, String) {
    let text = str::from_utf8(out).unwrap();
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let token = lines.next().unwrap().strip_prefix("Authorization: Bearer ").unwrap();
    let payload = token.split('.').nth(1).unwrap();
    let payload = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    let length = lines.find_map(|line| line.strip_prefix("Content-Length: "));
    let length = length.map(|length| length.parse().unwrap());
    (line, payload["uri"].as_str().unwrap().to_owned(), length, body.to_owned())
}

#[test]
fn every_kind_of_order_is_written_as_the_venue_wants_it() {
    let (mut protocol, mut out) = (protocol(), Vec::new());
    let mut placed = |command: &OrderCommand| {
        assert_eq!(protocol.place(command, &request(9), &mut out), Ok(()));
        let (line, uri, length, body) = parts(&out);
        assert_eq!(line, "POST /api/v3/brokerage/orders");
        assert_eq!(uri, "POST api.coinbase.com/api/v3/brokerage/orders");
        assert_eq!(length, Some(body.len()));
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let priced = json!({"base_size": "0.00500000", "limit_price": "26500.00"});
    let expected = json!({
        "client_order_id": "00000001-0003-4700-8000-000000000029", "product_id": "BTC-USD",
        "side": "SELL", "order_configuration": {"limit_limit_gtc": priced},
    });
    assert_eq!(placed(&order()), expected);
    let maker = OrderCommand { order_type_code: OrderType::LimitMaker as u8, ..order() };
    assert_eq!(placed(&maker)["order_configuration"]["limit_limit_gtc"]["post_only"], true);
    let ioc = OrderCommand { time_in_force_code: TimeInForce::Ioc as u8, ..order() };
    assert_eq!(placed(&ioc)["order_configuration"], json!({"sor_limit_ioc": priced}));
    let fok = OrderCommand { time_in_force_code: TimeInForce::Fok as u8, ..order() };
    assert_eq!(placed(&fok)["order_configuration"], json!({"limit_limit_fok": priced}));
    let market = OrderCommand { order_type_code: OrderType::Market as u8, ..order() };
    let sized = json!({"market_market_ioc": {"base_size": "0.00500000"}});
    assert_eq!(placed(&market)["order_configuration"], sized);
    let buy = OrderCommand { side_code: Side::Buy.code(), ..order() };
    assert_eq!(placed(&buy)["side"], "BUY");
}

#[test]
fn what_the_venue_does_not_have_is_never_sent_as_something_else() {
    let (mut protocol, mut out) = (protocol(), Vec::new());
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
        assert_eq!(refused, Err(RejectReason::Unsupported));
    }
}

#[test]
fn an_order_is_changed_by_the_venues_name_to_its_price_and_its_new_size() {
    let (mut protocol, mut out) = (protocol(), Vec::new());
    let smaller = OrderCommand { qty: 400_000, ..order() };
    assert_eq!(protocol.amend(&smaller, &request(9), &mut out), Ok(()));
    let (line, uri, length, body) = parts(&out);
    assert_eq!(line, "POST /api/v3/brokerage/orders/edit");
    assert_eq!(uri, "POST api.coinbase.com/api/v3/brokerage/orders/edit");
    assert_eq!(length, Some(body.len()));
    let expected = json!({"order_id": ID, "price": "26500.00", "size": "0.00400000"});
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    let unnamed = OrderRequest { venue_order_id: VenueRef::NONE, ..request(10) };
    let refused = protocol.amend(&smaller, &unnamed, &mut out);
    assert_eq!(refused, Err(RejectReason::SlowDown), "not yet");
}

#[test]
fn cancels_leave_in_one_request() {
    let (mut protocol, mut out) = (protocol(), Vec::new());
    let other = VenueRef::uuid(b"b1b2c3d4-e5f6-7890-abcd-ef1234567890").unwrap();
    let requests = [request(5), OrderRequest { venue_order_id: other, ..request(6) }];
    assert!(protocol.cancel_several(&requests, &mut out));
    let (line, _, length, body) = parts(&out);
    assert_eq!(line, "POST /api/v3/brokerage/orders/batch_cancel");
    assert_eq!(length, Some(body.len()));
    let expected = json!({"order_ids": [ID, other.to_string()]});
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    let room = protocol.body.capacity();
    assert!(protocol.cancel_several(&[request(7); CANCELS_MAX], &mut out));
    assert_eq!(protocol.body.capacity(), room, "there is room for as many as there may be");
    assert!(!protocol.cancel_several(&[request(7); CANCELS_MAX + 1], &mut out));
    assert!(!protocol.cancel_several(&[], &mut out));
}

#[test]
fn an_order_is_cancelled_and_asked_for_by_the_venues_name_or_looked_for_in_the_list() {
    let (mut protocol, mut out) = (protocol(), Vec::new());
    protocol.cancel(&request(2), &mut out);
    let (line, uri, length, body) = parts(&out);
    assert_eq!(line, "POST /api/v3/brokerage/orders/batch_cancel");
    assert_eq!(uri, "POST api.coinbase.com/api/v3/brokerage/orders/batch_cancel");
    assert_eq!((length, body), (Some(54), format!(r#"{{"order_ids":["{ID}"]}}"#)));
    protocol.query(&request(3), &mut out);
    let (line, uri, length, body) = parts(&out);
    assert_eq!(line, format!("GET /api/v3/brokerage/orders/historical/{ID}"));
    assert_eq!(uri, format!("GET api.coinbase.com/api/v3/brokerage/orders/historical/{ID}"));
    assert_eq!((length, body.as_str()), (None, ""));
    let unnamed = OrderRequest { venue_order_id: VenueRef::NONE, ..request(4) };
    protocol.query(&unnamed, &mut out);
    let (line, uri, ..) = parts(&out);
    let batch = "/api/v3/brokerage/orders/historical/batch";
    assert_eq!(line, format!("GET {batch}?product_ids=BTC-USD&limit=100"), "of unknown time");
    assert_eq!(uri, format!("GET api.coinbase.com{batch}"), "without what is asked");
    // Of one whose time is known only the orders of that time.
    let mut asked = |id, name: &'static [u8], sent_ms, is_of_this_start| {
        let sent = Some(SentTime { at_ms: sent_ms, is_of_this_start });
        protocol.query(&OrderRequest { name, sent, ..OrderRequest { id, ..unnamed } }, &mut out);
        let (line, ..) = parts(&out);
        line.split_once("&limit=100").unwrap().1.replace("%3A", ":")
    };
    let of_this = asked(7, b"one", 1_700_000_000_000, true);
    let expected = "&start_date=2023-11-14T22:12:20.000Z&end_date=2023-11-14T22:14:40.000Z";
    assert_eq!(of_this, expected, "a minute, and what an order may be on its way");
    let earlier = asked(8, b"two", 1_700_000_000_000, false);
    assert_eq!(earlier, "&start_date=2023-11-14T21:13:20.000Z", "an hour, and without an end");
    let order = VenueRef::uuid(ID.as_bytes()).unwrap();
    assert!(protocol.fills_since(order, FillsFrom::Newest, &request(5), &mut out));
    let fills = "/api/v3/brokerage/orders/historical/fills";
    assert_eq!(parts(&out).0, format!("GET {fills}?order_ids={ID}&limit=100"));
    assert!(!protocol.fills_since(order, FillsFrom::First, &request(6), &mut out));
}

#[test]
fn the_stream_is_subscribed_to_with_a_token_of_its_own() {
    let (mut protocol, mut out) = (protocol(), Vec::new());
    for (step, channel) in [(0, "user"), (1, "heartbeats")] {
        protocol.logon(step, 7, 1_700_000_000_123, &mut out);
        let asked: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&asked["type"], &asked["channel"]), (&json!("subscribe"), &json!(channel)));
        assert_eq!(asked["jwt"].as_str().unwrap().split('.').count(), 3);
    }
}

#[test]
fn an_order_is_written_without_an_allocation() {
    let (mut protocol, mut out) = (protocol(), Vec::with_capacity(4_096));
    let (place, room) = (out.as_ptr(), protocol.body.capacity());
    for _ in 0..100 {
        assert_eq!(protocol.place(&order(), &request(9), &mut out), Ok(()));
        assert_eq!(protocol.amend(&order(), &request(9), &mut out), Ok(()));
        protocol.cancel(&request(2), &mut out);
    }
    assert_eq!((out.as_ptr(), protocol.body.capacity()), (place, room));
}
