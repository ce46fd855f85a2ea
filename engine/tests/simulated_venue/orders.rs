//! Orders: who may place them, what they do, and what the account hears of it.

use pitlane_engine::venue::simulated::{
    Enforcement, FrameKind, SimulatedVenue, SimulatedVenueOptions,
};
use serde_json::{Value, json};

use crate::client::get;
use crate::trader::{Trader, options, signed_params};

fn venue(events_per_s: u32) -> SimulatedVenue {
    SimulatedVenue::start(options(events_per_s)).expect("the venue starts")
}

/// Best bid and ask, as text.
fn top(venue: &SimulatedVenue) -> (String, String) {
    let depth = get(venue.address(), "/api/v3/depth?symbol=BTCUSDT&limit=1").1;
    let best = |side: &str| depth[side][0][0].as_str().expect("a price").to_owned();
    (best("bids"), best("asks"))
}

fn number(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse().ok()).expect("a number as text")
}

#[test]
fn a_session_that_has_not_logged_on_is_refused() {
    let venue = venue(100);
    let mut trader = Trader::open(venue.address());
    for method in ["order.place", "order.cancel", "openOrders.status", "userDataStream.subscribe"] {
        let reply = trader.call(method, json!({"symbol": "BTCUSDT"}));
        assert_eq!((&reply["status"], &reply["error"]["code"]), (&json!(401), &json!(-2015)));
    }
    assert_eq!(trader.call("ping", json!({}))["result"], json!({}));
    assert!(trader.call("time", json!({}))["result"]["serverTime"].is_u64());
}

#[test]
fn a_wrong_signature_does_not_log_on() {
    let venue = venue(100);
    let mut trader = Trader::open(venue.address());
    let reply = trader.call("session.logon", signed_params("wrong"));
    assert_eq!((&reply["status"], &reply["error"]["code"]), (&json!(401), &json!(-1022)));
    assert_eq!(trader.call("order.place", json!({}))["status"], 401);
    assert_eq!(trader.call("session.logon", signed_params("right"))["status"], 200);
    assert_eq!(trader.call("session.status", json!({}))["result"]["apiKey"], "test-key");
}

#[test]
fn an_order_is_placed_queried_and_cancelled() {
    let venue = venue(100);
    let mut trader = Trader::log_on(venue.address());
    let reply = trader.limit("far-1", "BUY", "40000.00", "GTC");
    assert_eq!((&reply["status"], &reply["result"]["status"]), (&json!(200), &json!("NEW")));
    let report = trader.exec_report("far-1");
    assert_eq!(
        (&report["x"], &report["X"], &report["t"]),
        (&json!("NEW"), &json!("NEW"), &json!(-1))
    );
    let by_name = json!({"symbol": "BTCUSDT", "origClientOrderId": "far-1"});
    assert_eq!(trader.call("order.status", by_name.clone())["result"]["isWorking"], true);
    let open = trader.call("openOrders.status", json!({}));
    assert_eq!(open["result"].as_array().map(Vec::len), Some(1));
    let reply = trader.call("order.cancel", by_name.clone());
    assert_eq!(reply["result"]["status"], "CANCELED", "{reply}");
    let report = trader.exec_report("far-1");
    assert_eq!((&report["x"], &report["C"]), (&json!("CANCELED"), &json!("far-1")));
    assert_eq!(trader.call("order.cancel", by_name.clone())["error"]["code"], -2011);
    assert_eq!(trader.call("order.status", by_name)["result"]["status"], "CANCELED");
    let unknown = json!({"symbol": "BTCUSDT", "orderId": 999_999});
    assert_eq!(trader.call("order.status", unknown)["error"]["code"], -2013);
}

#[test]
fn a_name_can_be_used_again_only_when_its_order_is_closed() {
    let venue = venue(100);
    let mut trader = Trader::log_on(venue.address());
    assert_eq!(trader.limit("twice", "BUY", "40000.00", "GTC")["status"], 200);
    let reply = trader.limit("twice", "BUY", "40001.00", "GTC");
    assert_eq!(reply["error"], json!({"code": -2010, "msg": "Duplicate order sent."}));
    let open = trader.call("openOrders.cancelAll", json!({"symbol": "BTCUSDT"}));
    assert_eq!(open["result"].as_array().map(Vec::len), Some(1));
    assert_eq!(trader.limit("twice", "BUY", "40001.00", "GTC")["status"], 200);
    let report = venue.stop().expect("the venue ends well");
    assert_eq!((report.orders_received, report.orders_refused), (3, 1));
}

#[test]
fn orders_that_may_not_rest_fill_or_expire() {
    let venue = venue(1);
    let mut trader = Trader::log_on(venue.address());
    // Far from the market: nothing to take.
    for (name, life) in [("ioc", "IOC"), ("fok", "FOK")] {
        let reply = trader.limit(name, "BUY", "40000.00", life);
        assert_eq!(reply["result"]["status"], "EXPIRED");
        assert_eq!(trader.exec_report(name)["x"], "NEW");
        assert_eq!(trader.exec_report(name)["x"], "EXPIRED");
    }
    // Through the market: filled, and never beyond its own limit.
    let limit = format!("{:.2}", number(&json!(top(&venue).1)) + 5.0);
    assert_eq!(trader.limit("taker", "BUY", &limit, "FOK")["result"]["status"], "FILLED");
    assert_eq!(trader.exec_report("taker")["x"], "NEW");
    let report = trader.exec_report("taker");
    assert_eq!((&report["x"], &report["m"]), (&json!("TRADE"), &json!(false)));
    assert!(number(&report["L"]) <= number(&json!(limit)));
    let params = json!({
        "symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01"
    });
    let reply = trader.call("order.place", params);
    assert_eq!(reply["result"]["status"], "FILLED", "{reply}");
    let fills = reply["result"]["fills"].as_array().expect("a market order tells its fills");
    assert!((fills.iter().map(|fill| number(&fill["qty"])).sum::<f64>() - 0.01).abs() < 1e-9);
    let (_, ask) = top(&venue);
    let params = json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01", "price": ask
    });
    assert_eq!(trader.call("order.place", params)["error"]["code"], -2010);
}

#[test]
fn a_market_maker_is_filled_at_both_sides() {
    // It looks at its orders far more often than a client may.
    let mut options = options(5_000);
    options.limits.enforcement = Enforcement::CountOnly;
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    for side in ["BUY", "SELL"] {
        assert!(
            (0..QUOTES_MAX).any(|round| {
                // A quote that the market has left is placed anew, as a market maker would.
                let (bid, ask) = top(&venue);
                let price = if side == "BUY" { bid } else { ask };
                is_filled(&mut trader, &format!("{side}-{round}"), side, &price)
            }),
            "no {side} was filled in {QUOTES_MAX} quotes"
        );
    }
    let report = venue.stop().expect("the venue ends well");
    assert!(report.fills >= 2 && report.frames(FrameKind::Account) >= 4, "{report:?}");
}

/// Quotes on one side before the test gives up, and looks at each.
const QUOTES_MAX: usize = 200;
const POLLS_MAX: usize = 300;

/// Places one order and looks at it for a while; cancels it when the market has left it. Whether it
/// was filled, by reports whose quantities add up.
fn is_filled(trader: &mut Trader, name: &str, side: &str, price: &str) -> bool {
    let reply = trader.limit(name, side, price, "GTC");
    assert_eq!(reply["status"], 200, "{reply}");
    let named = json!({"symbol": "BTCUSDT", "origClientOrderId": name});
    let status = |trader: &mut Trader| trader.call("order.status", named.clone());
    if !(0..POLLS_MAX).any(|_| status(trader)["result"]["status"] == "FILLED") {
        let canceled = trader.call("order.cancel", named.clone());
        // Refused when it was filled at the last moment.
        if canceled["status"] == 200 {
            return false;
        }
    }
    let (mut filled, mut last_execution) = (0.0, 0);
    loop {
        let report = trader.exec_report(name);
        filled += number(&report["l"]);
        assert!((number(&report["z"]) - filled).abs() < 1e-9, "cumulative: {report}");
        let execution = report["I"].as_u64().expect("an execution id");
        assert!(execution > last_execution);
        last_execution = execution;
        if report["X"] == "FILLED" {
            assert!((filled - 0.05).abs() < 1e-9);
            return true;
        }
    }
}

#[test]
fn the_account_hears_of_its_balances() {
    let options = SimulatedVenueOptions { starting_balance: 10_000, ..options(1) };
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    trader.limit("lock", "BUY", "40000.00", "GTC");
    let event = loop {
        let message =
            if trader.events.is_empty() { trader.client.json() } else { trader.events.remove(0) };
        if message["event"]["e"] == "outboundAccountPosition" {
            break message;
        }
    };
    assert_eq!(event["subscriptionId"], 0);
    let quote = json!({"a": "USDT", "f": "8000.00000000", "l": "2000.00000000"});
    assert_eq!(event["event"]["B"][1], quote);
    let huge = json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "price": "60000.00", "quantity": "0.2",
    });
    assert_eq!(trader.call("order.place", huge)["error"]["code"], -2010);
}
