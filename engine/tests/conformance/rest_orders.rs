//! Orders that go over REST, as Coinbase takes them: answers that are no word on the order, words
//! that are not known, changes, and cancels that leave in one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pitlane_engine::event::{ExecReport, ExecType, OrderStatus, RejectReason};
use pitlane_engine::order::OrderAction;
use serde_json::{Value, json};

use crate::raw::{Peer, RawServer};
use crate::scripted::{Scripted, coinbase_frame};
use crate::subject::{Coinbase, Orders};
use crate::trader::{QTY, Trader, TraderOptions, reports};

/// What the venue calls the order that we number so.
fn order_of(id: u64) -> String {
    format!("0000004d-5000-4000-8000-{id:012x}")
}

/// Our number of an order, by the venue's name of it or by ours.
fn number_of(name: &str) -> u64 {
    u64::from_str_radix(&name[24..36], 16).expect("a number")
}

fn body_of(request: &str) -> Value {
    let (_, body) = request.split_once("HTTP/1.1").expect("it came over REST");
    serde_json::from_str(body).expect("bodies are JSON")
}

/// The orders that a request wants cancelled.
fn cancelled(request: &str) -> Vec<u64> {
    let body = body_of(request);
    let ids = body["order_ids"].as_array().expect("orders");
    ids.iter().map(|id| number_of(id.as_str().expect("a name"))).collect()
}

/// What the stream says of an order.
fn tell(
    peer: &mut Peer,
    id: u64,
    status: &str,
    (filled, left): (&str, &str),
) -> std::io::Result<()> {
    let (order, name) = (order_of(id), Coinbase::name(id));
    let told = json!({
        "order_id": order, "client_order_id": name, "product_id": "BTCUSDT", "order_side": "BUY",
        "status": status, "cumulative_quantity": filled, "leaves_quantity": left,
        "avg_price": "30000",
    });
    peer.tell(&coinbase_frame("user", &json!({"type": "update", "orders": [told]}).to_string()))
}

const WHOLE: (&str, &str) = ("0.00000", "0.01000");

fn result(id: u64, word: Option<&str>) -> Value {
    json!({"success": word.is_none(), "failure_reason": word.unwrap_or("UNKNOWN_CANCEL_FAILURE_REASON"),
           "order_id": order_of(id)})
}

/// A venue that takes orders and cancels, unless `otherwise` has answered a request.
fn server(
    mut otherwise: impl FnMut(&str, &mut Peer) -> std::io::Result<bool> + Send + 'static,
) -> RawServer {
    RawServer::start(move |_, peer| {
        Coinbase::log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            if otherwise(&request, peer)? {
                continue;
            }
            if request.starts_with("POST /api/v3/brokerage/orders HTTP") {
                let body = body_of(&request);
                let name = body["client_order_id"].as_str().expect("a name");
                let order = order_of(number_of(name));
                let done = json!({"order_id": order, "client_order_id": name});
                peer.reply(
                    &request,
                    &json!({"success": true, "success_response": done}).to_string(),
                )?;
                tell(peer, number_of(name), "OPEN", WHOLE)?;
            } else if request.contains("/batch_cancel ") {
                let ids = cancelled(&request);
                let results: Vec<Value> = ids.iter().map(|id| result(*id, None)).collect();
                peer.reply(&request, &json!({ "results": results }).to_string())?;
                ids.iter().try_for_each(|id| tell(peer, *id, "CANCELLED", ("0.00000", "0")))?;
            } else if let Some((_, order)) = request.split_once("/orders/historical/") {
                let id = number_of(order);
                let terms =
                    json!({"limit_limit_gtc": {"base_size": "0.01", "limit_price": "30000"}});
                let stands = json!({
                    "order_id": order_of(id), "client_order_id": Coinbase::name(id),
                    "product_id": "BTCUSDT", "side": "BUY", "status": "OPEN",
                    "order_configuration": terms, "filled_size": "0",
                });
                peer.reply(&request, &json!({ "order": stands }).to_string())?;
            } else {
                peer.reply_with(&request, "500 Internal Server Error", "")?;
            }
        }
    })
}

/// A trader with so many orders that rest. No answer is overdue in the time of a test.
fn resting(server: &RawServer, count: u64) -> Trader<Coinbase> {
    let options = TraderOptions { answer_ms: 600_000, ..server.options() };
    let mut trader = Trader::<Coinbase>::new(server.address, &options);
    trader.drive_to_ready();
    for id in 1..=count {
        trader.submit_resting(id);
        trader.drive_to(id, OrderStatus::New);
    }
    trader
}

fn told(trader: &Trader<Coinbase>, id: u64) -> Vec<ExecType> {
    trader.reports(id).iter().filter_map(ExecReport::exec_type).collect()
}

/// Answers the first requests that contain `what` with this status and body, and counts them.
fn refusing(
    what: &'static str,
    (status, body): (&'static str, &'static str),
    mut times: usize,
) -> (RawServer, Arc<AtomicUsize>) {
    let refused = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&refused);
    let server = server(move |request, peer| {
        let is_refused = times > 0 && request.contains(what);
        if is_refused {
            times -= 1;
            count.fetch_add(1, Ordering::AcqRel);
            peer.reply_with(request, status, body)?;
        }
        Ok(is_refused)
    });
    (server, refused)
}

#[test]
fn a_cancel_whose_key_is_not_accepted_is_no_word_on_the_order_and_is_sent_again() {
    let (server, refused) = refusing("/batch_cancel ", ("401 Unauthorized", "Unauthorized"), 2);
    let mut trader = resting(&server, 1);
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    assert_eq!(refused.load(Ordering::Acquire), 2);
    assert!(!told(&trader, 1).contains(&ExecType::CancelRejected), "{:?}", told(&trader, 1));
    trader.assert_sound();
}

#[test]
fn a_ban_holds_cancels_too_where_they_knock_at_the_same_door_and_ends_when_the_venue_said() {
    let status = "418 I'm a teapot\r\nRetry-After: 20";
    let (server, refused) = refusing("/batch_cancel ", (status, "{}"), 1);
    let mut trader = resting(&server, 1);
    let asked_ns = trader.clock.now_ns();
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    assert_eq!(refused.load(Ordering::Acquire), 1, "nothing knocks in the ban");
    let waited_ns = trader.clock.now_ns() - asked_ns;
    assert!(waited_ns >= 20_000_000_000, "it is obeyed to its end: {waited_ns}");
    assert!(waited_ns < 100_000_000_000, "and no longer: {waited_ns}");
    assert!(!told(&trader, 1).contains(&ExecType::CancelRejected), "{:?}", told(&trader, 1));
    trader.assert_sound();
}

#[test]
fn a_word_that_is_not_known_is_a_refusal_and_is_counted() {
    let body = r#"{"success":false,"error_response":{"new_order_failure_reason":"FULL_MOON"}}"#;
    let (server, refused) = refusing("/brokerage/orders HTTP", ("200 OK", body), 1);
    let mut trader = resting(&server, 0);
    trader.submit_resting(1);
    let end = trader.drive_to(1, OrderStatus::Rejected);
    assert_eq!((end.reason(), end.venue_code), (Some(RejectReason::Venue), -3));
    assert_eq!((refused.load(Ordering::Acquire), trader.counters().unknown), (1, 1));
    let letters = trader.outlet.seen().letters.len();
    assert_eq!(letters, 1, "the answer is kept");
    trader.submit_resting(2);
    trader.drive_to(2, OrderStatus::New);
    assert_eq!(trader.counters().unknown, 1, "of a good answer nothing");
    trader.assert_sound();
}

#[test]
fn a_fill_of_unknown_liquidity_counts_and_the_word_is_counted() {
    let mut is_filled = false;
    let server = server(move |request, peer| {
        if request.contains("/historical/fills?") {
            let fill = json!({
                "trade_id": "00000000-5000-4000-8000-000000000007", "order_id": order_of(1),
                "trade_time": "2026-01-01T00:00:00Z", "trade_type": "FILL", "price": "30000",
                "size": "0.01", "commission": "0.5", "product_id": "BTCUSDT",
                "liquidity_indicator": "SOMEBODY", "size_in_quote": false, "side": "BUY",
            });
            peer.reply(request, &json!({"fills": [fill], "cursor": ""}).to_string())?;
            return Ok(true);
        }
        // Filled before anything is asked of it.
        if is_filled || !request.starts_with("POST /api/v3/brokerage/orders HTTP") {
            return Ok(false);
        }
        is_filled = true;
        let done = json!({"order_id": order_of(1), "client_order_id": Coinbase::name(1)});
        peer.reply(request, &json!({"success": true, "success_response": done}).to_string())?;
        tell(peer, 1, "FILLED", ("0.01000", "0"))?;
        Ok(true)
    });
    let mut trader = resting(&server, 0);
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::Filled);
    assert_eq!(trader.counters().unknown, 0);
    trader.drive("the list of fills", |seen, _| {
        reports(seen, 1).iter().any(|report| report.fee != 0)
    });
    assert_eq!(trader.counters().unknown, 1, "its indicator");
    trader.assert_sound();
}

fn make_smaller(trader: &mut Trader<Coinbase>) {
    trader.command(OrderAction::Modify, 1, |command| {
        (command.price, command.qty) = (3_000_000, QTY / 2);
    });
}

/// What is told of a change, whatever its answer, once the stream tells of it.
fn changed(status: &'static str, answer: &'static str) {
    let server = server(move |request, peer| {
        let is_edit = request.contains("/orders/edit ");
        if is_edit {
            let body = body_of(request);
            let order = order_of(1);
            assert_eq!(body, json!({"order_id": order, "price": "30000.00", "size": "0.00500"}));
            peer.reply_with(request, status, answer)?;
            tell(peer, 1, "EDIT_QUEUED", WHOLE)?;
            tell(peer, 1, "OPEN", ("0.00000", "0.00500"))?;
        }
        // What is asked of it then, nobody answers: it would be another order.
        Ok(is_edit || request.contains("/orders/historical/"))
    });
    let mut trader = resting(&server, 1);
    make_smaller(&mut trader);
    trader.drive("the change", |seen, _| {
        let mut told = reports(seen, 1).into_iter();
        told.any(|told| told.exec_type() == Some(ExecType::Replaced) && told.qty == QTY / 2)
    });
    assert!(!told(&trader, 1).contains(&ExecType::ModifyRejected));
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    trader.assert_sound();
}

#[test]
fn a_change_is_told_once_it_is_done() {
    changed("200 OK", r#"{"success":true,"errors":[]}"#);
}

#[test]
fn a_change_without_an_outcome_is_told_once_the_stream_tells_it() {
    changed("503 Service Unavailable", "");
}

#[test]
fn a_change_that_is_refused_leaves_the_order_as_it_was() {
    let answer = r#"{"success":false,"errors":[{"edit_failure_reason":"INVALID_EDITED_SIZE"}]}"#;
    let (server, refused) = refusing("/orders/edit ", ("200 OK", answer), 1);
    let mut trader = resting(&server, 1);
    make_smaller(&mut trader);
    trader.drive("the refusal", |seen, _| {
        let last = reports(seen, 1).last().copied();
        last.is_some_and(|last| last.exec_type() == Some(ExecType::ModifyRejected))
    });
    let last = *trader.reports(1).last().expect("just seen");
    assert_eq!(
        (last.qty, last.reason(), refused.load(Ordering::Acquire)),
        (QTY, Some(RejectReason::Venue), 1)
    );
    assert_eq!(trader.counters().unknown, 0, "its word is known");
    trader.assert_sound();
}

/// Three orders whose cancels leave together, and whose first request is answered so.
fn cancel_three(
    answer: impl Fn(&mut Peer, &str) -> std::io::Result<()> + Send + 'static,
) -> (RawServer, Trader<Coinbase>) {
    let mut is_first = true;
    let server = server(move |request, peer| {
        let is_it = request.contains("/batch_cancel ") && std::mem::take(&mut is_first);
        if is_it {
            assert_eq!(cancelled(request), [1, 2, 3], "they leave together: {request}");
            answer(peer, request)?;
        }
        Ok(is_it)
    });
    let mut trader = resting(&server, 3);
    for id in 1..=3 {
        trader.command(OrderAction::Cancel, id, |_| {});
    }
    (server, trader)
}

/// They are sent again as far as nobody knows of them.
fn sent_again(answer: impl Fn(&mut Peer, &str) -> std::io::Result<()> + Send + 'static) {
    let (_server, mut trader) = cancel_three(answer);
    for id in 1..=3 {
        trader.drive_to(id, OrderStatus::Canceled);
        let told = told(&trader, id);
        assert!(!told.contains(&ExecType::CancelRejected), "{told:?}");
    }
    trader.assert_sound();
}

#[test]
fn the_answers_to_cancels_that_went_together_come_in_any_order() {
    let (_server, mut trader) = cancel_three(|peer, request| {
        let results = [result(3, Some("NOT_ALLOWED_TO_CANCEL")), result(1, None), result(2, None)];
        peer.reply(request, &json!({ "results": results }).to_string())?;
        tell(peer, 1, "CANCELLED", ("0.00000", "0"))?;
        tell(peer, 2, "CANCELLED", ("0.00000", "0"))
    });
    trader.drive_to(1, OrderStatus::Canceled);
    trader.drive_to(2, OrderStatus::Canceled);
    trader.drive("the refusal", |seen, _| {
        reports(seen, 3).last().and_then(ExecReport::exec_type) == Some(ExecType::CancelRejected)
    });
    assert_eq!(trader.outlet.seen().letters.len(), 0);
    trader.assert_sound();
}

#[test]
fn cancels_that_are_refused_together_are_refused_each() {
    let body = r#"{"error":"INVALID_REQUEST","message":"A test."}"#;
    let (_server, mut trader) =
        cancel_three(|peer, request| peer.reply_with(request, "400 Bad Request", body));
    trader.drive("each refusal", |seen, _| {
        (1..=3).all(|id| {
            reports(seen, id).last().and_then(ExecReport::exec_type)
                == Some(ExecType::CancelRejected)
        })
    });
    trader.assert_sound();
}

#[test]
fn cancels_that_an_answer_leaves_out_are_sent_again() {
    sent_again(|peer, request| {
        let results = [result(2, None)];
        peer.reply(request, &json!({ "results": results }).to_string())?;
        tell(peer, 2, "CANCELLED", ("0.00000", "0"))
    });
}

#[test]
fn cancels_that_the_venue_had_no_time_or_no_key_for_are_sent_again() {
    sent_again(|peer, request| peer.reply_with(request, "503 Service Unavailable", ""));
    sent_again(|peer, request| peer.reply_with(request, "401 Unauthorized", ""));
}

#[test]
fn cancels_whose_answer_can_not_be_read_are_sent_again() {
    sent_again(|peer, request| peer.reply(request, r#"{"results":[{"success":tr"#));
    sent_again(|peer, request| peer.reply(request, r#"{"results":[]}"#));
}
