//! Stop orders as the venue itself keeps them.

use pitlane_engine::venue::simulated::SimulatedVenue;
use serde_json::{Value, json};

use crate::trader::{Trader, options};

fn stop(name: &str, order_type: &str, side: &str, stop_price: &str) -> Value {
    let mut params = json!({
        "symbol": "BTCUSDT", "side": side, "type": order_type, "quantity": "0.01000",
        "stopPrice": stop_price, "newClientOrderId": name,
    });
    if order_type.ends_with("_LIMIT") {
        params["timeInForce"] = json!("GTC");
        params["price"] = json!(stop_price);
    }
    params
}

fn locked(trader: &mut Trader, asset: &str) -> String {
    let account = trader.call("account.status", json!({}));
    let balances = account["result"]["balances"].as_array().expect("balances").clone();
    let balance = balances.iter().find(|it| it["asset"] == asset).expect("it is traded");
    balance["locked"].as_str().expect("a text").to_owned()
}

#[test]
fn a_stop_that_waits_locks_its_cost_is_shown_and_can_not_be_amended() {
    let venue = SimulatedVenue::start(options(1)).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    let reply = trader.call("order.place", stop("s-1", "STOP_LOSS", "SELL", "40000.00"));
    assert_eq!(reply["status"], 200, "{reply}");
    let report = trader.exec_report("s-1");
    let told = (&report["x"], &report["X"], &report["P"], &report["w"], &report["o"]);
    let expected = (
        &json!("NEW"),
        &json!("NEW"),
        &json!("40000.00000000"),
        &json!(false),
        &json!("STOP_LOSS"),
    );
    assert_eq!(told, expected);
    assert!(report.get("W").is_none(), "it does not work yet: {report}");
    assert_eq!(locked(&mut trader, "BTC"), "0.01000000");
    let reply = trader.call("order.place", stop("s-2", "STOP_LOSS_LIMIT", "BUY", "80000.00"));
    assert_eq!(reply["status"], 200, "{reply}");
    assert_eq!(locked(&mut trader, "USDT"), "800.00000000");
    let name = json!({"symbol": "BTCUSDT", "origClientOrderId": "s-2"});
    let status = trader.call("order.status", name.clone())["result"].clone();
    assert_eq!(
        (&status["stopPrice"], &status["isWorking"]),
        (&json!("80000.00000000"), &json!(false))
    );
    let mut amend = name.clone();
    amend["newQty"] = json!("0.00500");
    let refused = trader.call("order.amend.keepPriority", amend);
    assert_eq!(refused["error"]["code"], -2038, "{refused}");
    let open = trader.call("openOrders.status", json!({"symbol": "BTCUSDT"}));
    assert_eq!(open["result"].as_array().map(Vec::len), Some(2));
    let canceled = trader.call("openOrders.cancelAll", json!({"symbol": "BTCUSDT"}));
    assert_eq!(canceled["result"].as_array().map(Vec::len), Some(2));
    assert_eq!([locked(&mut trader, "BTC"), locked(&mut trader, "USDT")], ["0.00000000"; 2]);
}

#[test]
fn stops_have_rules_of_their_own() {
    let venue = SimulatedVenue::start(options(1)).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    let refused = |trader: &mut Trader, params: Value| {
        let reply = trader.call("order.place", params);
        (reply["error"]["code"].clone(), reply["error"]["msg"].as_str().unwrap_or("").to_owned())
    };
    for (order_type, side, price) in [
        ("STOP_LOSS", "SELL", "80000.00"),
        ("STOP_LOSS_LIMIT", "BUY", "40000.00"),
        ("TAKE_PROFIT", "BUY", "80000.00"),
        ("TAKE_PROFIT_LIMIT", "SELL", "40000.00"),
    ] {
        let told = refused(&mut trader, stop("now", order_type, side, price));
        assert_eq!(told, (json!(-2010), "Stop price would trigger immediately.".to_owned()));
    }
    let told = refused(&mut trader, stop("zero", "STOP_LOSS", "SELL", "0.00"));
    assert_eq!(told, (json!(-1013), "Filter failure: PRICE_FILTER".to_owned()));
    for number in 0..5 {
        let name = format!("s-{number}");
        let reply = trader.call("order.place", stop(&name, "STOP_LOSS", "SELL", "40000.00"));
        assert_eq!(reply["status"], 200, "{reply}");
    }
    let told = refused(&mut trader, stop("s-5", "STOP_LOSS", "SELL", "40000.00"));
    assert_eq!(told, (json!(-1013), "Filter failure: MAX_NUM_ALGO_ORDERS".to_owned()));
    let missing =
        json!({"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "1"});
    assert_eq!(refused(&mut trader, missing).0, json!(-1102));
}
