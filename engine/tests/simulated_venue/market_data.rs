//! Snapshots, diffs, tickers, trades, bars, and the requests around them.

use std::collections::BTreeMap;

use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::{
    FrameKind, SimulatedSymbol, SimulatedVenue, SimulatedVenueError, SimulatedVenueOptions,
};
use serde_json::{Value, json};

use crate::client::{Client, get};

const FULL_DEPTH: &str = "/api/v3/depth?symbol=BTCUSDT&limit=5000";

type Levels = BTreeMap<String, String>;

fn venue() -> SimulatedVenue {
    SimulatedVenue::start(SimulatedVenueOptions::default()).expect("the venue starts")
}

/// Applies levels of a snapshot or a diff; prices of equal length sort as text.
fn apply(levels: &mut Levels, changes: &Value) {
    for change in changes.as_array().expect("levels are a list") {
        let text = |index: usize| change[index].as_str().expect("numbers are text").to_owned();
        match text(1) {
            qty if qty == "0.00000000" => levels.remove(&text(0)),
            qty => levels.insert(text(0), qty),
        };
    }
}

fn book_of(snapshot: &Value) -> (u64, [Levels; 2]) {
    let mut sides = [Levels::new(), Levels::new()];
    apply(&mut sides[0], &snapshot["bids"]);
    apply(&mut sides[1], &snapshot["asks"]);
    (snapshot["lastUpdateId"].as_u64().expect("an id"), sides)
}

/// Follows the book from a snapshot, checking that no diff is missing, until `done` says so.
fn follow(events_per_s: u32, mut done: impl FnMut(&SimulatedVenue, u64, &[Levels; 2]) -> bool) {
    let options = SimulatedVenueOptions { events_per_s, ..Default::default() };
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut client = Client::open(venue.address(), "/stream?streams=btcusdt@depth@100ms");
    let first_diff = client.data("@depth@100ms");
    let (status, snapshot) = get(venue.address(), FULL_DEPTH);
    assert_eq!(status, 200);
    let (mut last_id, mut book) = book_of(&snapshot);
    assert!(last_id >= first_diff["u"].as_u64().expect("an id"), "the snapshot is newer");
    let mut applied = 0;
    loop {
        let diff = client.data("@depth@100ms");
        let (first, last) = (diff["U"].as_u64().expect("U"), diff["u"].as_u64().expect("u"));
        if last <= last_id {
            continue;
        }
        assert!(first <= last_id + 1, "no gap: {first} after {last_id}");
        assert!(applied == 0 || first == last_id + 1, "contiguous: {first} after {last_id}");
        apply(&mut book[0], &diff["b"]);
        apply(&mut book[1], &diff["a"]);
        last_id = last;
        applied += 1;
        if done(&venue, last_id, &book) {
            return;
        }
        assert!(applied < 200, "it must be done after {applied} diffs");
    }
}

#[test]
fn diffs_chain_from_a_snapshot_without_gap() {
    let mut diffs = 0;
    follow(20_000, |_, _, _| {
        diffs += 1;
        diffs == 15
    });
}

#[test]
fn snapshot_and_diffs_equal_a_later_snapshot() {
    // Few enough events that a snapshot asked for right after a diff is often as old as the diff.
    let mut compared = 0;
    follow(20, |venue, last_id, book| {
        let (snapshot_id, reference) = book_of(&get(venue.address(), FULL_DEPTH).1);
        if snapshot_id == last_id {
            assert_eq!(reference, *book);
            compared += 1;
        }
        compared == 3
    });
}

#[test]
fn every_stream_flows_and_its_ids_hold() {
    let venue = venue();
    let mut client = Client::open(venue.address(), "/stream");
    let streams = ["trade", "bookTicker", "depth@100ms", "depth", "kline_1m"];
    let names = streams.map(|kind| format!("btcusdt@{kind}"));
    assert_eq!(client.request("SUBSCRIBE", json!(names))["result"], Value::Null);
    assert_eq!(client.request("LIST_SUBSCRIPTIONS", json!([]))["result"], json!(names));
    let mut last_trade = None;
    let mut last_ticker = 0;
    let mut seen = BTreeMap::<String, u32>::new();
    while seen.len() < streams.len() || seen["btcusdt@depth"] < 2 {
        let frame = client.json();
        let data = &frame["data"];
        let stream = frame["stream"].as_str().expect("a stream");
        *seen.entry(stream.to_owned()).or_default() += 1;
        if stream == "btcusdt@trade" {
            let id = data["t"].as_u64().expect("a trade id");
            assert!(last_trade.is_none_or(|last| id == last + 1), "{id} after {last_trade:?}");
            last_trade = Some(id);
        } else if stream == "btcusdt@bookTicker" {
            let id = data["u"].as_u64().expect("an update id");
            assert!(id > last_ticker, "{id} after {last_ticker}");
            last_ticker = id;
        }
    }
    let report = venue.stop().expect("the venue ends well");
    assert!(report.frames(FrameKind::BookTicker) > report.frames(FrameKind::Trade));
    assert_eq!(report.connections, 1);
}

#[test]
fn raw_sessions_get_bare_events_and_unsubscribe_ends_them() {
    let venue = venue();
    let mut client = Client::open(venue.address(), "/ws/btcusdt@trade");
    assert_eq!(client.json()["e"], "trade");
    assert_eq!(client.request("UNSUBSCRIBE", json!(["btcusdt@trade"]))["result"], Value::Null);
    assert_eq!(client.request("LIST_SUBSCRIPTIONS", json!([]))["result"], json!([]));
}

#[test]
fn rest_answers_and_refuses_like_the_venue() {
    let venue = venue();
    let address = venue.address();
    assert_eq!(get(address, "/api/v3/ping"), (200, json!({})));
    assert!(get(address, "/api/v3/time").1["serverTime"].is_u64());
    let (status, info) = get(address, "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%5D");
    assert_eq!(
        (status, &info["symbols"][0]["filters"][0]["tickSize"]),
        (200, &json!("0.01000000"))
    );
    assert_eq!(get(address, "/api/v3/exchangeInfo?symbol=NOPE").1["code"], -1121);
    let (status, refusal) = get(address, "/api/v3/depth?symbol=NOPE");
    assert_eq!((status, refusal), (400, json!({"code": -1121, "msg": "Invalid symbol."})));
    assert_eq!(get(address, "/api/v3/depth").1["code"], -1102);
    assert_eq!(get(address, "/nowhere").0, 404);
    let five = get(address, "/api/v3/depth?symbol=BTCUSDT&limit=5").1;
    assert_eq!(five["bids"].as_array().map(Vec::len), Some(5));
}

#[test]
fn a_taken_port_is_its_own_error() {
    let venue = venue();
    let options = SimulatedVenueOptions { bind: venue.address(), ..Default::default() };
    match SimulatedVenue::start(options).err().expect("the port is taken") {
        SimulatedVenueError::PortTaken { address } => assert_eq!(address, venue.address()),
        other => panic!("{other}"),
    }
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let start = |options| SimulatedVenue::start(options).err().map(|error| error.to_string());
    let none = SimulatedVenueOptions { symbols: Vec::new(), ..Default::default() };
    assert!(start(none).expect("refused").starts_with("symbols"));
    let fast = SimulatedVenueOptions { events_per_s: 200_001, ..Default::default() };
    assert!(start(fast).expect("refused").starts_with("events_per_s"));
    let twice = vec![SimulatedSymbol::default(); 2];
    let twice = SimulatedVenueOptions { symbols: twice, ..Default::default() };
    assert!(start(twice).expect("refused").contains("given twice"));
}

/// A Bybit, and a client at one of its addresses that asks for the ticker.
fn bybit() -> SimulatedVenue {
    let dialect = VenueKind::find("bybit").and_then(|kind| kind.dialect).expect("a dialect");
    SimulatedVenue::start_as(dialect, SimulatedVenueOptions::default()).expect("the venue starts")
}

fn asks_for_tickers(venue: &SimulatedVenue, path: &str) -> Client {
    let mut client = Client::open(venue.address(), path);
    client.say(r#"{"req_id":"7","op":"subscribe","args":["tickers.BTCUSDT"]}"#);
    let reply = client.json();
    assert_eq!((&reply["success"], &reply["req_id"]), (&json!(true), &json!("7")));
    client
}

#[test]
fn tickers_of_bybits_contracts_are_told_whole_to_each_who_comes_and_then_by_what_has_changed() {
    let venue = bybit();
    let mut first = asks_for_tickers(&venue, "/v5/public/linear");
    let mut known = Value::Null;
    let changes = |client: &mut Client, known: &mut Value, count: usize| {
        let mut kinds = Vec::new();
        for _ in 0..count {
            let frame = client.json();
            assert_eq!(frame["topic"], "tickers.BTCUSDT");
            if frame["type"] == "snapshot" {
                *known = json!({});
            }
            for (name, value) in frame["data"].as_object().expect("an object") {
                known[name] = value.clone();
            }
            let names = frame["data"].as_object().expect("an object").keys();
            let names: Vec<&str> = names.map(String::as_str).collect();
            kinds.push(format!("{} {}", frame["type"].as_str().unwrap_or("none"), names.join(" ")));
        }
        kinds
    };
    let told = changes(&mut first, &mut known, 3);
    let all = "symbol markPrice indexPrice nextFundingTime fundingRate";
    let sorted = |text: &str| {
        let mut words: Vec<&str> = text.split(' ').collect();
        words.sort_unstable();
        words.join(" ")
    };
    assert_eq!(sorted(&told[0]), sorted(&format!("snapshot {all}")));
    assert_eq!(sorted(&told[1]), sorted(&format!("delta {all}")), "behind one who came: all");
    let price = sorted("delta symbol markPrice indexPrice");
    assert!([price.as_str(), "delta symbol"].contains(&sorted(&told[2]).as_str()), "{told:?}");
    // Another one is told all, and what the first one knows stays right.
    let mut second = asks_for_tickers(&venue, "/v5/public/linear");
    let mut of_second = Value::Null;
    let told = changes(&mut second, &mut of_second, 2);
    assert!(told[0].starts_with("snapshot"), "{told:?}");
    let told = changes(&mut first, &mut known, 1);
    assert_eq!((sorted(&told[0]), &known), (sorted(&format!("delta {all}")), &of_second));
    let mark: f64 = known["markPrice"].as_str().and_then(|text| text.parse().ok()).expect("one");
    assert!((50_000.0..70_000.0).contains(&mark), "{mark}");
    assert_eq!(known["fundingRate"], "0.0001");
    // Asked for again, it is told whole again.
    second.say(r#"{"req_id":"8","op":"unsubscribe","args":["tickers.BTCUSDT"]}"#);
    second.say(r#"{"req_id":"9","op":"subscribe","args":["tickers.BTCUSDT"]}"#);
    while second.json()["req_id"] != "9" {}
    assert!(changes(&mut second, &mut of_second, 1)[0].starts_with("snapshot"));
}

#[test]
fn tickers_of_spot_have_no_mark_price() {
    let venue = bybit();
    let mut spot = asks_for_tickers(&venue, "/v5/public/spot");
    let mut contracts = asks_for_tickers(&venue, "/v5/public/linear");
    // Two seconds, in which the other one is told of two.
    (0..3).for_each(|_| drop(contracts.json()));
    spot.say(r#"{"op":"ping"}"#);
    assert_eq!(spot.json()["ret_msg"], "pong", "and nothing before");
}
