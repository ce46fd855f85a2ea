//! Every rule of a symbol that an order must obey is told, and refuses what breaks it.

use pitlane_engine::venue::simulated::{SimulatedSymbol, SimulatedVenue};
use serde_json::{Value, json};

use crate::client::get;
use crate::trader::{Trader, options};

/// Of a symbol with a largest position, and room for more orders than it takes.
fn venue() -> SimulatedVenue {
    let mut options = options(1);
    options.limits.orders_per_10s = 1_000;
    let owned = options.starting_balance * 100_000;
    let position_max = Some(owned + 40_000_000);
    options.symbols = vec![SimulatedSymbol { position_max, ..SimulatedSymbol::default() }];
    SimulatedVenue::start(options).expect("the venue starts")
}

fn order(order_type: &str, price: &str, quantity: &str) -> Value {
    let mut params = json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": order_type, "quantity": quantity,
        "newOrderRespType": "ACK",
    });
    if order_type == "LIMIT" {
        params["timeInForce"] = json!("GTC");
        params["price"] = json!(price);
    }
    params
}

#[test]
fn each_filter_refuses_by_its_name_and_stands_in_the_rules() {
    let venue = venue();
    let mut trader = Trader::log_on(venue.address());
    let info = get(venue.address(), "/api/v3/exchangeInfo").1;
    let told = info["symbols"][0]["filters"].to_string();
    for (order, name) in [
        (order("LIMIT", "0.00", "1.00000"), "PRICE_FILTER"),
        (order("LIMIT", "59000.00", "0.00000"), "LOT_SIZE"),
        (order("LIMIT", "9000.00", "1.00000"), "PERCENT_PRICE_BY_SIDE"),
        (order("LIMIT", "59000.00", "0.00001"), "NOTIONAL"),
        (order("LIMIT", "59000.00", "200.00000"), "NOTIONAL"),
        (order("MARKET", "", "101.00000"), "MARKET_LOT_SIZE"),
    ] {
        let reply = trader.call("order.place", order.clone());
        let expected = json!(format!("Filter failure: {name}"));
        assert_eq!((&reply["error"]["code"], &reply["error"]["msg"]), (&json!(-1013), &expected));
        assert!(told.contains(&format!(r#""filterType":"{name}""#)), "{name}: {told}");
    }
    // 400 may be bought on top of what is owned: four times ninety, and no fifth time.
    let big = || order("LIMIT", "59000.00", "90.00000");
    assert!((0..4).all(|_| trader.call("order.place", big())["status"] == 200));
    let reply = trader.call("order.place", big());
    assert_eq!(reply["error"]["msg"], "Filter failure: MAX_POSITION");
    assert!(told.contains("MAX_POSITION"), "{told}");
}

#[test]
fn two_hundred_open_orders_are_enough() {
    let venue = venue();
    let mut trader = Trader::log_on(venue.address());
    let small = || order("LIMIT", "40000.00", "0.00100");
    let statuses: Vec<Value> =
        (0..200).map(|_| trader.call("order.place", small())["status"].clone()).collect();
    assert!(statuses.iter().all(|status| status == 200));
    let reply = trader.call("order.place", small());
    assert_eq!(reply["error"]["msg"], "Filter failure: MAX_NUM_ORDERS");
}
