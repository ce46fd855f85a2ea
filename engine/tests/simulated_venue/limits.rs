//! What the venue allows, and what it does to who takes more.

use pitlane_engine::venue::simulated::{Enforcement, Penalty, SimulatedVenue};
use serde_json::{Value, json};

use crate::client::{Client, get, get_with_head};
use crate::trader::{Trader, options};

const DEEP: &str = "/api/v3/depth?symbol=BTCUSDT&limit=5000";

#[test]
fn a_deep_snapshot_weighs_250_and_the_headers_say_so() {
    let venue = SimulatedVenue::start(options(1)).expect("the venue starts");
    for (limit, weight) in [(100, 5), (500, 30), (1_000, 80), (5_000, 330)] {
        let target = format!("/api/v3/depth?symbol=BTCUSDT&limit={limit}");
        let (_, head, _) = get_with_head(venue.address(), &target);
        assert!(head.contains(&format!("X-MBX-USED-WEIGHT-1M: {weight}\r\n")), "{head}");
    }
    assert_eq!(venue.penalties().total(), 0, "{}", venue.penalties());
}

#[test]
fn who_asks_on_after_a_429_is_banned() {
    let venue = SimulatedVenue::start(options(1)).expect("the venue starts");
    let mut statuses = Vec::new();
    // A minute of the venue's may end in between, and then the count starts anew once.
    for _ in 0..90 {
        let (status, head, body) = get_with_head(venue.address(), DEEP);
        if status != 200 {
            assert_eq!(body["code"], -1003);
            assert!(head.contains("Retry-After: "), "{head}");
        }
        statuses.push(status);
        if status == 418 {
            break;
        }
    }
    let first = |wanted| statuses.iter().position(|status| *status == wanted);
    assert!(first(429).is_some() && first(429) < first(418), "{statuses:?}");
    assert_eq!(venue.penalties().count(Penalty::Ban), 1);
    // The ban holds for all that the address asks, orders too.
    assert_eq!(get(venue.address(), "/api/v3/ping").0, 418);
    assert!(venue.penalties().count(Penalty::WhileBanned) >= 1);
}

#[test]
fn a_client_that_sends_six_messages_in_a_second_is_cut_off() {
    let venue = SimulatedVenue::start(options(1)).expect("the venue starts");
    let mut client = Client::open(venue.address(), "/ws");
    // Twelve messages at once: at least six fall into one second.
    let code = client.flood(12);
    assert_eq!(code, Some(1_008));
    assert!(venue.penalties().count(Penalty::MessageRate) >= 1);
}

#[test]
fn the_fifty_first_order_of_ten_seconds_is_refused_with_the_time_to_wait() {
    let mut options = options(1);
    options.limits.orders_per_10s = 3;
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    let place =
        |trader: &mut Trader, n: u64| trader.limit(&format!("o-{n}"), "BUY", "40000.00", "GTC");
    let replies: Vec<Value> = (0..7).map(|n| place(&mut trader, n)).collect();
    let refused: Vec<&Value> = replies.iter().filter(|reply| reply["status"] == 429).collect();
    // At most three in each of the two windows that seven orders may meet.
    assert!(!refused.is_empty(), "{replies:?}");
    for reply in &refused {
        assert_eq!(reply["error"]["code"], -1015);
        assert!(reply["error"]["data"]["retryAfter"].is_u64(), "{reply}");
    }
    assert_eq!(venue.penalties().count(Penalty::OrderCount), refused.len() as u64);
}

#[test]
fn who_only_counts_refuses_nothing_and_tells() {
    let mut options = options(1);
    options.limits.enforcement = Enforcement::CountOnly;
    options.limits.orders_per_10s = 0;
    let venue = SimulatedVenue::start(options).expect("the venue starts");
    let mut trader = Trader::log_on(venue.address());
    assert_eq!(trader.limit("a", "BUY", "40000.00", "GTC")["status"], 200);
    assert_eq!(venue.penalties().to_string(), "OrderCount 1");
}

#[test]
fn the_rules_are_told_to_who_asks() {
    let venue = SimulatedVenue::start(options(1)).expect("the venue starts");
    let info = get(venue.address(), "/api/v3/exchangeInfo").1;
    let limits = info["rateLimits"].as_array().expect("a list");
    let limit_of = |kind: &str, interval: &str| {
        let found = limits.iter().find(|l| l["rateLimitType"] == kind && l["interval"] == interval);
        found.map(|limit| limit["limit"].clone())
    };
    assert_eq!(limit_of("REQUEST_WEIGHT", "MINUTE"), Some(json!(6_000)));
    assert_eq!(limit_of("ORDERS", "SECOND"), Some(json!(50)));
    let filters = info["symbols"][0]["filters"].as_array().expect("a list");
    for kind in ["PRICE_FILTER", "LOT_SIZE", "NOTIONAL", "PERCENT_PRICE_BY_SIDE", "MAX_NUM_ORDERS"]
    {
        assert!(filters.iter().any(|filter| filter["filterType"] == kind), "{kind}");
    }
}
