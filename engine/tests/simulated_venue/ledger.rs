//! The venue's own record, against what its client was told.

use std::collections::BTreeMap;

use pitlane_engine::venue::simulated::{
    Commission, CommissionAsset, LedgerStatus, SelfTrade, SimulatedVenue, SimulatedVenueOptions,
};
use serde_json::{Value, json};

use crate::trader::{Trader, options};

/// Units of 10^-8 of a number as text.
fn units(value: &Value) -> u128 {
    let text = value.as_str().expect("a number as text");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<8}").parse().expect("digits")
}

fn start(change: impl FnOnce(&mut SimulatedVenueOptions)) -> (SimulatedVenue, Trader) {
    let mut options = options(1);
    change(&mut options);
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let trader = Trader::log_on(venue.address());
    (venue, trader)
}

fn market(trader: &mut Trader, side: &str, qty: &str) -> Value {
    let params = json!({"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": qty});
    trader.call("order.place", params)["result"].take()
}

#[test]
fn trades_fees_and_balances_are_the_fold_of_what_was_told() {
    for asset in [CommissionAsset::Received, CommissionAsset::Quote, CommissionAsset::Bnb] {
        let commission = Commission { maker_ppm: 1_000, taker_ppm: 2_000, asset };
        let (venue, mut trader) = start(|options| options.commission = commission);
        let mut fees = BTreeMap::<String, u128>::new();
        let mut traded = 0;
        for side in ["BUY", "SELL", "BUY"] {
            for fill in market(&mut trader, side, "0.05")["fills"].as_array().expect("fills") {
                let asset = fill["commissionAsset"].as_str().expect("an asset").to_owned();
                *fees.entry(asset).or_default() += units(&fill["commission"]);
                traded += 1;
            }
        }
        let expected: &[&str] = match asset {
            CommissionAsset::Received => &["BTC", "USDT"],
            CommissionAsset::Quote => &["USDT"],
            CommissionAsset::Bnb => &["BNB"],
        };
        assert_eq!(fees.keys().collect::<Vec<_>>(), expected);
        let ledger = venue.ledger();
        assert_eq!((ledger.trades.len(), ledger.forgotten), (traded, 0));
        let in_ledger = |asset: &str| {
            let fees = ledger.trades.iter().filter(|t| &*t.fee.asset == asset);
            fees.map(|trade| trade.fee.amount / 100_000_000).sum::<u128>()
        };
        for (asset, fee) in &fees {
            assert!(*fee > 0 && in_ledger(asset) == *fee, "{asset}: {fee}");
        }
        // 0.05 BTC were bought on balance; what is missing of it is the fees.
        let of = |balances: &[_], asset: &str| -> u128 {
            let found = |b: &&pitlane_engine::venue::simulated::LedgerBalance| &*b.asset == asset;
            let balance = balances.iter().find(found).expect("a balance");
            (balance.free + balance.locked) / 100_000_000
        };
        let gained = of(&ledger.balances, "BTC") - of(&ledger.opening, "BTC");
        assert_eq!(gained, 5_000_000 - fees.get("BTC").copied().unwrap_or(0));
    }
}

#[test]
fn own_orders_do_not_meet() {
    for (mode, taker_status, maker_status) in [
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_MAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("DECREMENT", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ] {
        let (venue, mut trader, price) = with_room_between();
        assert_eq!(trader.limit("maker", "BUY", &price, "GTC")["result"]["status"], "NEW");
        let params = json!({
            "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC",
            "price": price, "quantity": "0.05000", "newClientOrderId": "taker",
            "selfTradePreventionMode": mode,
        });
        let taker = trader.call("order.place", params);
        let named = json!({"symbol": "BTCUSDT", "origClientOrderId": "maker"});
        let maker = trader.call("order.status", named);
        assert_eq!(taker["result"]["status"], taker_status, "{mode}: {taker}");
        assert_eq!(maker["result"]["status"], maker_status, "{mode}: {maker}");
        let ended = if maker_status == "NEW" { "taker" } else { "maker" };
        assert_eq!(trader.exec_report(ended)["x"], "NEW", "{mode}");
        let report = trader.exec_report(ended);
        assert_eq!(report["x"], "TRADE_PREVENTION", "{mode}: {report}");
        assert_eq!(report["A"], "0.05000000", "{mode}: {report}");
        let ledger = venue.ledger();
        assert!(ledger.trades.is_empty(), "{mode}: {:?}", ledger.trades);
        assert!(ledger.orders.values().any(|order| order.prevented == 5_000), "{mode}");
    }
}

/// A venue whose best prices leave room between them, and a price in that room.
fn with_room_between() -> (SimulatedVenue, Trader, String) {
    for seed in 1..=50 {
        let (venue, trader) = start(|options| {
            options.self_trade = SelfTrade::Allow;
            options.seed = seed;
        });
        let depth = crate::client::get(venue.address(), "/api/v3/depth?symbol=BTCUSDT&limit=5").1;
        let cents = |side: &str| units(&depth[side][0][0]) / 1_000_000;
        if cents("asks") - cents("bids") > 1 {
            let cents = cents("asks") - 1;
            return (venue, trader, format!("{}.{:02}", cents / 100, cents % 100));
        }
    }
    panic!("no seed of 50 leaves room between the best prices");
}

#[test]
fn an_amend_makes_an_order_smaller_and_renames_it() {
    let (venue, mut trader) = start(|_| {});
    trader.limit("before", "BUY", "40000.00", "GTC");
    let amend = |trader: &mut Trader, name: &str, qty: &str| {
        let params = json!({
            "symbol": "BTCUSDT", "origClientOrderId": name, "newQty": qty,
            "newClientOrderId": "after",
        });
        trader.call("order.amend.keepPriority", params)
    };
    assert_eq!(amend(&mut trader, "before", "0.06")["error"]["code"], -2038);
    let reply = amend(&mut trader, "before", "0.02");
    assert_eq!(reply["result"]["amendedOrder"]["qty"], "0.02000000", "{reply}");
    trader.exec_report("before");
    let report = trader.exec_report("after");
    assert_eq!(
        (&report["x"], &report["C"], &report["q"]),
        (&json!("REPLACED"), &json!("before"), &json!("0.02000000"),)
    );
    for n in 0..9 {
        let qty = format!("0.0{}", 19 - n);
        assert_eq!(amend(&mut trader, "after", &qty)["status"], 200, "{qty}");
    }
    let reply = amend(&mut trader, "after", "0.01");
    assert_eq!(reply["error"]["msg"], "Filter failure: MAX_NUM_ORDER_AMENDS", "{reply}");
    let ledger = venue.ledger();
    let order = ledger.orders.values().next().expect("an order");
    assert_eq!((order.qty, order.amends, order.status), (1_100, 10, LedgerStatus::New));
}

#[test]
fn the_trades_of_an_order_can_be_asked_for() {
    let (venue, mut trader) = start(|_| {});
    let order_id = market(&mut trader, "BUY", "0.05")["orderId"].take();
    let reply = trader.call("myTrades", json!({"symbol": "BTCUSDT", "orderId": order_id}));
    let trades = reply["result"].as_array().expect("trades");
    let told: u128 = trades.iter().map(|trade| units(&trade["qty"])).sum();
    assert_eq!(told, 5_000_000);
    assert_eq!(trades.len(), venue.ledger().trades.len());
    let account = trader.call("account.status", json!({}));
    assert_eq!(account["result"]["balances"].as_array().map(Vec::len), Some(2));
}
