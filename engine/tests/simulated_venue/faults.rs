//! Each fault of orders and reports happens, and the ledger knows what is true.

use std::time::Duration;

use pitlane_engine::venue::simulated::{
    Enforcement, Fault, FaultName, FaultPlan, Ledger, LedgerStatus, Penalty, SimulatedVenue,
    Trigger,
};
use serde_json::{Value, json};

use crate::client::{Client, get};
use crate::trader::{Trader, options};

const SHORT: Duration = Duration::from_millis(30);

fn start(fault: Fault) -> (SimulatedVenue, Trader) {
    let mut options = options(1);
    options.fault_plan = FaultPlan::one(fault, Trigger::At(1));
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let trader = Trader::log_on(venue.address());
    (venue, trader)
}

fn happened(venue: &SimulatedVenue, name: FaultName) {
    assert_eq!(venue.counters().report().faults(name), 1, "{name:?}");
}

fn status(trader: &mut Trader, name: &str) -> Value {
    let named = json!({"symbol": "BTCUSDT", "origClientOrderId": name});
    trader.call("order.status", named)
}

fn state_of(ledger: &Ledger, name: &str) -> Option<LedgerStatus> {
    ledger.orders.values().find(|order| order.client_order_id == name).map(|order| order.status)
}

#[test]
fn an_unknown_outcome_lives() {
    let enters_after = Some(2 * SHORT);
    let (venue, mut trader) = start(Fault::UnknownOutcome { reply_after: SHORT, enters_after });
    let reply = trader.limit("ghost", "BUY", "40000.00", "GTC");
    assert_eq!((&reply["status"], &reply["error"]["code"]), (&json!(504), &json!(-1007)));
    assert_eq!(trader.exec_report("ghost")["x"], "NEW");
    assert_eq!(status(&mut trader, "ghost")["result"]["status"], "NEW");
    assert_eq!(state_of(&venue.ledger(), "ghost"), Some(LedgerStatus::New));
    happened(&venue, FaultName::UnknownOutcome);
}

#[test]
fn an_unknown_outcome_dies() {
    let fault = Fault::UnknownOutcome { reply_after: SHORT, enters_after: None };
    let (venue, mut trader) = start(fault);
    assert_eq!(trader.limit("ghost", "BUY", "40000.00", "GTC")["error"]["code"], -1007);
    assert_eq!(status(&mut trader, "ghost")["error"]["code"], -2013);
    assert_eq!(state_of(&venue.ledger(), "ghost"), None);
    happened(&venue, FaultName::UnknownOutcome);
}

#[test]
fn a_refused_order_lives_after_all() {
    for (is_final, code) in [(false, -1001), (true, -2010)] {
        let (venue, mut trader) = start(Fault::FalseRefusal { enters_after: SHORT, is_final });
        assert_eq!(trader.limit("risen", "BUY", "40000.00", "GTC")["error"]["code"], code);
        assert_eq!(trader.exec_report("risen")["x"], "NEW");
        happened(&venue, FaultName::FalseRefusal);
    }
}

#[test]
fn an_order_that_waits_too_long_is_too_old_when_it_is_forwarded() {
    let (venue, mut trader) = start(Fault::LateForward { delay: 4 * SHORT });
    let params = json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "price": "40000.00", "quantity": "0.05", "newClientOrderId": "late",
        "timestamp": crate::trader::now_ms(), "recvWindow": 100,
    });
    let reply = trader.call("order.place", params);
    assert_eq!(reply["error"]["code"], -1021, "{reply}");
    assert_eq!(state_of(&venue.ledger(), "late"), None);
    happened(&venue, FaultName::LateForward);
}

#[test]
fn lost_and_swapped_reports_are_lost_and_swapped() {
    let (venue, mut trader) = start(Fault::LostReport);
    trader.limit("quiet", "BUY", "40000.00", "GTC");
    trader.limit("loud", "BUY", "40000.00", "GTC");
    assert_eq!(trader.exec_report("loud")["x"], "NEW");
    assert!(!trader.events.iter().any(|event| event["event"]["c"] == "quiet"));
    happened(&venue, FaultName::LostReport);

    let (venue, mut trader) = start(Fault::ReorderReports);
    let reply = trader.limit("ioc", "BUY", "40000.00", "IOC");
    assert_eq!(reply["result"]["expiryReason"], "UNFILLED_IOC_QUANTITY_EXPIRED");
    let report = trader.exec_report("ioc");
    assert_eq!(
        (&report["x"], &report["eR"]),
        (&json!("EXPIRED"), &json!("UNFILLED_IOC_QUANTITY_EXPIRED"),)
    );
    assert_eq!(trader.exec_report("ioc")["x"], "NEW");
    happened(&venue, FaultName::ReorderReports);
}

#[test]
fn a_lost_reply_leaves_the_order_alive() {
    let (venue, mut trader) = start(Fault::LostReply);
    trader.send(
        "order.place",
        json!({
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "price": "40000.00", "quantity": "0.05", "newClientOrderId": "mute",
        }),
    );
    assert_eq!(trader.exec_report("mute")["x"], "NEW");
    happened(&venue, FaultName::LostReply);
}

#[test]
fn a_replica_lags_for_a_while() {
    let mut options = options(1);
    let fault = Fault::ReplicaLag { duration: SHORT };
    options.fault_plan = FaultPlan::one(fault, Trigger::At(1));
    // Asked without a pause, the queries would end at the venue's limits before the lag does.
    options.limits.enforcement = Enforcement::CountOnly;
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    trader.limit("there", "BUY", "40000.00", "GTC");
    assert_eq!(status(&mut trader, "there")["error"]["code"], -2013);
    assert!((0..1_000_000).any(|_| status(&mut trader, "there")["status"] == 200));
    happened(&venue, FaultName::ReplicaLag);
}

#[test]
fn an_absurd_field_is_absurd() {
    let (venue, mut trader) = start(Fault::AbsurdField { field: 0 });
    trader.limit("huge", "BUY", "40000.00", "GTC");
    assert_eq!(trader.exec_report("huge")["q"], "1000000.00000000");
    happened(&venue, FaultName::AbsurdField);
}

#[test]
fn a_ban_without_a_reason_says_until_when() {
    let mut options = options(1);
    let fault = Fault::Ban { duration: Duration::from_secs(60) };
    options.fault_plan = FaultPlan::one(fault, Trigger::At(3));
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    let reply = trader.limit("none", "BUY", "40000.00", "GTC");
    assert_eq!((&reply["status"], &reply["error"]["code"]), (&json!(418), &json!(-1003)));
    assert!(reply["error"]["data"]["retryAfter"].is_u64(), "{reply}");
    assert_eq!(get(venue.address(), "/api/v3/time").0, 418);
    assert_eq!(venue.penalties().count(Penalty::WhileBanned), 2);
    happened(&venue, FaultName::Ban);
}

#[test]
fn a_revoked_key_is_told_unasked() {
    let mut options = options(1);
    options.fault_plan = FaultPlan::one(Fault::KeyRevoked, Trigger::At(3));
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    let reply = trader.limit("none", "BUY", "40000.00", "GTC");
    assert_eq!((&reply["status"], &reply["error"]["code"]), (&json!(401), &json!(-2015)));
    let unasked =
        trader.events.iter().find(|event| event["id"].is_null() && event["status"] == 401);
    assert!(unasked.is_some(), "{:?}", trader.events);
    happened(&venue, FaultName::KeyRevoked);
}

#[test]
fn a_snapshot_from_the_future_is_ahead_of_its_stream() {
    let mut options = options(1);
    let fault = Fault::FutureSnapshot { ids_ahead: 3_000_000 };
    options.fault_plan = FaultPlan::one(fault, Trigger::At(1));
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let id = || get(venue.address(), "/api/v3/depth?symbol=BTCUSDT").1["lastUpdateId"].as_u64();
    assert!(id().expect("an id") >= 4_000_000);
    assert!(id().expect("an id") < 4_000_000);
    happened(&venue, FaultName::FutureSnapshot);
}

#[test]
fn a_shutdown_is_told_and_then_happens() {
    let mut options = options(1);
    let fault = Fault::ServerShutdown { notice: SHORT };
    options.fault_plan = FaultPlan::one(fault, Trigger::At(5));
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut client = Client::open(venue.address(), "/stream");
    let notice = loop {
        let frame = client.json();
        if frame["stream"] == "!serverShutdown" {
            break frame;
        }
    };
    assert_eq!(notice["data"]["e"], "serverShutdown");
    while client.text().is_ok() {}
    happened(&venue, FaultName::ServerShutdown);
}

#[test]
fn the_ids_of_a_stream_start_anew_and_a_stream_falls_silent() {
    let mut options = options(2_000);
    options.fault_plan = FaultPlan::one(Fault::IdRestart, Trigger::At(3));
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut client = Client::open(venue.address(), "/stream?streams=btcusdt@bookTicker");
    let mut last = 0;
    loop {
        let id = client.data("@bookTicker")["u"].as_u64().expect("an id");
        if id < last {
            break;
        }
        last = id;
    }
    happened(&venue, FaultName::IdRestart);

    let mut options = self::options(2_000);
    options.fault_plan = FaultPlan::one(Fault::SilentStream, Trigger::At(10));
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let streams = "btcusdt@bookTicker/btcusdt@kline_1m";
    let mut client = Client::open(venue.address(), &format!("/stream?streams={streams}"));
    (0..9).for_each(|_| drop(client.data("@bookTicker")));
    // Bars go on, tickers do not: two bars lie two seconds apart.
    let between: Vec<Value> = (0..2).map(|_| client.json()).collect();
    assert!(between.iter().all(|frame| frame["stream"] == "btcusdt@kline_1m"), "{between:?}");
    happened(&venue, FaultName::SilentStream);
}

#[test]
fn a_bad_day_leaves_a_ledger_that_is_whole() {
    for seed in 1..=4 {
        let mut options = options(200);
        options.fault_plan = FaultPlan::hostile(seed);
        let venue = SimulatedVenue::start(options).expect("the venue starts");
        let mut trader = Trader::log_on(venue.address());
        for n in 0..40 {
            let (side, price) = if n % 2 == 0 { ("BUY", "61000.00") } else { ("SELL", "59000.00") };
            trader.send(
                "order.place",
                json!({
                    "symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "IOC",
                    "price": price, "quantity": "0.01", "newClientOrderId": format!("o-{n}"),
                }),
            );
        }
        // The session answers in order, so this reply is behind all that is answered at once.
        while trader.call("time", json!({}))["status"] != 200 {}
        let ledger = venue.ledger();
        for order in ledger.orders.values() {
            let trades = ledger.trades.iter().filter(|trade| trade.order_id == order.id);
            let filled: u64 = trades.map(|trade| trade.qty).sum();
            assert_eq!(order.executed, filled, "seed {seed}: {order:?}");
            assert!(order.executed + order.prevented <= order.qty, "seed {seed}: {order:?}");
        }
        let mut ids: Vec<u64> = ledger.trades.iter().map(|trade| trade.trade_id).collect();
        ids.dedup();
        assert_eq!(ids.len(), ledger.trades.len(), "seed {seed}: a trade id twice");
        let report = venue.counters().report();
        let struck: u64 = FaultName::ALL.iter().map(|name| report.faults(*name)).sum();
        assert!(struck >= 3, "seed {seed} struck {struck} times");
    }
}
