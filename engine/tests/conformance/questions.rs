//! Questions for orders where the venue lists those that are present and those that are over apart,
//! and where it refuses to answer for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pitlane_engine::event::{ExecReport, ExecType, OrderStatus};
use pitlane_engine::order::OrderAction;
use pitlane_engine::venue::governor::PauseCause;
use pitlane_engine::venue::orders::AccountBoard;

use crate::raw::{Peer, RawServer};
use crate::scripted::{Asks, Scripted};
use crate::subject::{Bybit, Kraken, Orders};
use crate::trader::{Trader, TraderOptions};

/// A venue that is asked in two steps.
trait TwoLists: Orders {
    /// The answer of the present list to a question for an order that it lacks.
    const NOT_PRESENT: &'static str;
    /// A word of the question that goes to the history.
    const HISTORY: &'static str;

    /// The reply to a request that is refused.
    fn not_done(request: &str) -> String;
}

impl TwoLists for Kraken {
    const NOT_PRESENT: &'static str = r#"{"error":[],"result":{"open":{}}}"#;
    const HISTORY: &'static str = "/0/private/ClosedOrders";

    fn not_done(request: &str) -> String {
        kraken_refusal(request, "EOrder:Insufficient funds")
    }
}

impl TwoLists for Bybit {
    const NOT_PRESENT: &'static str = r#"{"retCode":0,"retMsg":"OK","result":{"list":[]}}"#;
    const HISTORY: &'static str = "/v5/order/history?";

    fn not_done(request: &str) -> String {
        let id = &json_of(request)["reqId"];
        format!(r#"{{"reqId":{id},"retCode":170131,"retMsg":"A test.","op":"order.create"}}"#)
    }
}

fn json_of(request: &str) -> serde_json::Value {
    serde_json::from_str(request).expect("requests are JSON")
}

fn kraken_reply(request: &str, more: &str) -> String {
    let json = json_of(request);
    let (id, method) = (&json["req_id"], &json["method"]);
    format!(r#"{{"method":{method},"req_id":{id},{more}}}"#)
}

fn kraken_refusal(request: &str, word: &str) -> String {
    kraken_reply(request, &format!(r#""success":false,"error":"{word}""#))
}

/// Answers each question as the present list does that lacks the order, and that to the history
/// with this end.
fn only_history_knows<V: TwoLists>(
    peer: &mut Peer,
    status: OrderStatus,
    filled: &str,
) -> std::io::Result<()> {
    V::log_on(peer)?;
    loop {
        let request = peer.read_text()?;
        match request.contains(V::HISTORY) {
            true => peer.reply(&request, &V::stands(&request, &V::name(1), status, filled))?,
            false => peer.reply(&request, V::NOT_PRESENT)?,
        }
    }
}

fn an_end_that_was_inferred_is_looked_for_among_the_orders_that_are_over<V: TwoLists>() {
    let server = RawServer::start(|number, peer| {
        if number == 0 {
            V::log_on(peer)?;
            let place = peer.read_text()?;
            return peer.reply(&place, &V::not_done(&place));
        }
        only_history_knows::<V>(peer, OrderStatus::Filled, "0.01000")
    });
    let mut trader = Trader::<V>::new(server.address, &server.options());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::Filled);
    let told: Vec<_> = trader.reports(1).iter().filter_map(ExecReport::exec_type).collect();
    assert_eq!(told[..2], [ExecType::Rejected, ExecType::Revived], "the refusal was wrong");
    trader.assert_sound();
}

fn half_an_answer_does_not_make_the_session_ready<V: TwoLists>() {
    let server = RawServer::start(|number, peer| {
        if number == 0 {
            V::log_on(peer)?;
            let place = peer.read_text()?;
            peer.reply(&place, &V::acknowledged(&place))?;
            let new = (ExecType::New, OrderStatus::New, ("0.00000", "0.00000"));
            return peer.tell(&V::report(&V::name(1), 10, new.0, new.1, new.2));
        }
        only_history_knows::<V>(peer, OrderStatus::Canceled, "0.00000")
    });
    let mut trader = Trader::<V>::new(server.address, &server.options());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive("the end of the session", |_, counters| counters.reconnects == 1);
    trader.drive_to_ready();
    let last = trader.reports(1).last().and_then(ExecReport::status);
    assert_eq!(last, Some(OrderStatus::Canceled), "known before a new order may leave");
    trader.assert_sound();
}

#[test]
fn an_end_that_was_inferred_is_looked_for_in_both_lists_of_kraken() {
    an_end_that_was_inferred_is_looked_for_among_the_orders_that_are_over::<Kraken>();
}

#[test]
fn an_end_that_was_inferred_is_looked_for_in_both_lists_of_bybit() {
    an_end_that_was_inferred_is_looked_for_among_the_orders_that_are_over::<Bybit>();
}

#[test]
fn half_an_answer_of_kraken_does_not_make_the_session_ready() {
    half_an_answer_does_not_make_the_session_ready::<Kraken>();
}

#[test]
fn half_an_answer_of_bybit_does_not_make_the_session_ready() {
    half_an_answer_does_not_make_the_session_ready::<Bybit>();
}

/// Takes an order, tells that it works, and answers what is asked of it until it is cancelled;
/// `refuse` may answer a request otherwise.
fn serve_one(
    peer: &mut Peer,
    mut refuse: impl FnMut(&str, &mut Peer) -> std::io::Result<bool>,
) -> std::io::Result<()> {
    Kraken::log_on(peer)?;
    let name = Kraken::name(1);
    let none = ("0.00000", "0.00000");
    loop {
        let request = peer.read_text()?;
        if refuse(&request, peer)? {
            continue;
        }
        if request.contains("cancel_order") {
            peer.reply(&request, &kraken_reply(&request, r#""success":true,"result":{}"#))?;
            let end = (ExecType::Canceled, OrderStatus::Canceled);
            peer.tell(&Kraken::report(&name, 11, end.0, end.1, none))?;
        } else if Kraken::asks(&request) == Asks::ToPlace {
            peer.reply(&request, &Kraken::acknowledged(&request))?;
            peer.tell(&Kraken::report(&name, 10, ExecType::New, OrderStatus::New, none))?;
        } else {
            let stands = Kraken::stands(&request, &name, OrderStatus::New, "0.00000");
            peer.reply(&request, &stands)?;
        }
    }
}

#[test]
fn a_cancel_that_came_too_soon_for_the_venue_is_sent_again() {
    let mut left = 2;
    let server = RawServer::start(move |_, peer| {
        serve_one(peer, |request, peer| {
            let is_refused = request.contains("cancel_order") && left > 0;
            if is_refused {
                left -= 1;
                let refusal = kraken_refusal(request, "EOrder:Rate limit exceeded");
                peer.reply(request, &refusal)?;
            }
            Ok(is_refused)
        })
    });
    let mut trader = Trader::<Kraken>::new(server.address, &server.options());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    let told: Vec<_> = trader.reports(1).iter().filter_map(ExecReport::exec_type).collect();
    assert!(!told.contains(&ExecType::CancelRejected), "it stays wanted: {told:?}");
    trader.assert_sound();
}

#[test]
fn a_cancel_whose_key_is_not_accepted_is_sent_again() {
    let refused = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&refused);
    let server = RawServer::start(move |_, peer| {
        serve_one(peer, |request, peer| {
            let is_refused = request.contains("cancel_order") && count.load(Ordering::Acquire) < 2;
            if is_refused {
                count.fetch_add(1, Ordering::AcqRel);
                peer.reply(request, &kraken_refusal(request, "EAPI:Invalid key"))?;
            }
            Ok(is_refused)
        })
    });
    let mut trader = Trader::<Kraken>::new(server.address, &server.options());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    let told: Vec<_> = trader.reports(1).iter().filter_map(ExecReport::exec_type).collect();
    assert!(!told.contains(&ExecType::CancelRejected), "it is no word on the order: {told:?}");
    assert_eq!(refused.load(Ordering::Acquire), 2);
    trader.assert_sound();
}

/// The first question is answered so: a cancel leaves all the same, long before the pause ends. How
/// long that lasts, ms.
fn a_cancel_leaves_while_questions_may_not(status: &'static str, word: &'static str) -> u64 {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let server = RawServer::start(move |_, peer| {
        serve_one(peer, |request, peer| {
            let is_question = Kraken::asks(request) == Asks::HowItStands;
            if is_question {
                peer.reply_with(request, status, &format!(r#"{{"error":["{word}"]}}"#))?;
                count.fetch_add(1, Ordering::AcqRel);
            }
            Ok(is_question)
        })
    });
    let options = server.options();
    let mut trader = Trader::<Kraken>::new(server.address, &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader.command(OrderAction::Query, 1, |_| {});
    let is_asked = Arc::clone(&refused);
    trader.drive("the question", |_, _| is_asked.load(Ordering::Acquire) == 1);
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(300) {
        trader.turn();
    }
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    assert_eq!(refused.load(Ordering::Acquire), 1, "nothing more is asked in the pause");
    trader.assert_sound();
    let pauses = options.governor.reading(trader.clock.now_ns()).pauses;
    let [pause] = &pauses[..] else { panic!("one pause: {pauses:?}") };
    assert_eq!(pause.stops, "all but cancels");
    pause.left_ms
}

#[test]
fn a_cancel_leaves_while_too_much_was_asked_over_rest() {
    let status = "429 Too Many Requests\r\nRetry-After: 20";
    let left_ms = a_cancel_leaves_while_questions_may_not(status, "EAPI:Rate limit exceeded");
    assert!(left_ms <= 20_000, "{left_ms}");
}

#[test]
fn a_cancel_leaves_for_the_ten_minutes_in_which_a_firewall_wants_no_question() {
    let left_ms = a_cancel_leaves_while_questions_may_not("403 Forbidden", "EGeneral:Firewall");
    assert!((500_000..=600_000).contains(&left_ms), "{left_ms}");
}

#[test]
fn a_server_in_trouble_is_asked_again_when_it_says() {
    let status = "503 Service Unavailable\r\nRetry-After: 20";
    let left_ms = a_cancel_leaves_while_questions_may_not(status, "EService:Unavailable");
    assert!((10_000..=20_000).contains(&left_ms), "{left_ms}");
}

#[test]
fn a_cancel_leaves_while_the_venue_has_locked_questions_out() {
    let word = "EGeneral:Temporary lockout";
    let left_ms = a_cancel_leaves_while_questions_may_not("200 OK", word);
    assert!(left_ms > 600_000, "{left_ms}");
}

#[test]
fn a_pause_that_a_question_for_the_account_is_answered_with_is_as_long_as_it_says() {
    let server = RawServer::start(|_, peer| {
        serve_one(peer, |request, peer| {
            let is_it = request.contains("GetApiKeyInfo");
            if is_it {
                peer.reply_with(request, "429 Slow down\r\nRetry-After: 20", "{}")?;
            }
            Ok(is_it)
        })
    });
    let board = AccountBoard::default();
    let options = TraderOptions { inspection: Some(board.clone()), ..server.options() };
    let mut trader = Trader::<Kraken>::new(server.address, &options);
    trader.drive("the answer", |_, _| !board.read().unanswered.is_empty());
    let told = board.read().unanswered;
    assert!(told[0].1.contains("http 429"), "{told:?}");
    let pauses = options.governor.reading(trader.clock.now_ns()).pauses;
    let [pause] = &pauses[..] else { panic!("one pause: {pauses:?}") };
    assert_eq!(pause.cause, PauseCause { status: 429, code: 0 });
    assert_eq!(pause.stops, "all but cancels");
    assert!((1..=20_000).contains(&pause.left_ms), "{pause:?}");
}

#[test]
fn a_session_that_the_venue_does_not_know_any_more_begins_anew_with_a_new_token() {
    let server = RawServer::start(|number, peer| {
        serve_one(peer, |request, peer| {
            let is_refused = number == 0 && Kraken::asks(request) == Asks::ToPlace;
            if is_refused {
                peer.reply(request, &kraken_refusal(request, "ESession:Invalid session"))?;
            }
            Ok(is_refused)
        })
    });
    let options = TraderOptions { name: "sessionless", ..server.options() };
    let mut trader = Trader::<Kraken>::new(server.address, &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive("another session", |_, counters| counters.reconnects == 1);
    trader.drive_to_ready();
    assert_eq!(trader.reports(1)[0].status(), Some(OrderStatus::Rejected));
    assert_eq!(server.accepted(), 2, "its logon fetches a token first");
}
