//! A venue that fails every order in the same way is not asked at the strategy's pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pitlane_engine::event::{ExecType, OrderStatus, RejectReason};
use pitlane_engine::order::OrderAction;

use crate::harness::{MS, wall_ms};
use crate::raw::{RawServer, text};
use crate::scripted::{Asks, Scripted, id_of, log_on};
use crate::subject::{BinanceSpot, Orders};
use crate::trader::{Trader, TraderOptions};

/// Orders that a strategy sends, one each 50 ms.
const ORDERS: u64 = 20;

/// Sends orders to a venue that answers each with this status and error. Gives how many of them
/// reached it, and how many the engine refused for this reason.
fn sent_and_held(status: u16, error: &str, why: RejectReason) -> (usize, usize) {
    let placed = Arc::new(AtomicUsize::new(0));
    let (count, error) = (Arc::clone(&placed), error.to_owned());
    let server = RawServer::start(move |_, peer| {
        log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            if BinanceSpot::asks(&request) == Asks::ToPlace {
                count.fetch_add(1, Ordering::Relaxed);
            }
            let id = id_of(&request);
            peer.send(&text(&format!(r#"{{"id":{id},"status":{status},"error":{error}}}"#)))?;
        }
    });
    let mut trader = Trader::<BinanceSpot>::new(server.address, &TraderOptions::default());
    trader.drive_to_ready();
    let (clock, started_ns) = (trader.clock.clone(), trader.clock.now_ns());
    for id in 1..=ORDERS {
        trader.submit_resting(id);
        trader.drive("the next order's time", |_, _| clock.now_ns() - started_ns > id * 50 * MS);
    }
    let held = (1..=ORDERS).filter(|id| {
        trader.reports(*id).iter().any(|report| {
            report.status() == Some(OrderStatus::Rejected) && report.reason() == Some(why)
        })
    });
    let held = held.count();
    trader.assert_sound();
    (placed.load(Ordering::Relaxed), held)
}

#[test]
fn a_key_that_may_not_trade_is_not_tried_with_every_order() {
    let (sent, held) =
        sent_and_held(401, r#"{"code":-2015,"msg":"A test."}"#, RejectReason::SlowDown);
    assert_eq!((sent, held), (1, ORDERS as usize - 1), "in a second");
}

#[test]
fn a_time_to_come_back_that_has_passed_is_no_leave_to_go_on() {
    let error = r#"{"code":-1003,"msg":"A test.","data":{"serverTime":9000,"retryAfter":1000}}"#;
    let (sent, held) = sent_and_held(429, error, RejectReason::SlowDown);
    assert!((1..=2).contains(&sent), "{sent} in a second");
    assert!(held >= ORDERS as usize - 2, "{held} held");
}

#[test]
fn a_venue_in_trouble_gets_orders_ever_more_rarely() {
    let (sent, held) =
        sent_and_held(503, r#"{"code":-1008,"msg":"A test."}"#, RejectReason::RepeatedRefusal);
    assert!((4..=8).contains(&sent), "{sent} in a second");
    assert_eq!(held, ORDERS as usize - sent);
}

#[test]
fn cancels_that_a_ban_held_up_leave_once_it_is_over() {
    const CANCELS: u64 = 4;
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let server = RawServer::start(move |_, peer| {
        log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            let is_of = |id: &u64| request.contains(&format!("\"{}\"", BinanceSpot::name(*id)));
            let Some(number) = (1..=CANCELS).find(is_of) else {
                peer.reply(&request, &BinanceSpot::acknowledged(&request))?;
                continue;
            };
            let name = BinanceSpot::name(number);
            let (id, report_id) = (id_of(&request), 10 + number);
            let none = ("0.00000", "0.00000");
            if request.contains("order.cancel") {
                if count.fetch_add(1, Ordering::AcqRel) < CANCELS as usize {
                    let until = wall_ms() + 300;
                    let data = format!(r#"{{"retryAfter":{until}}}"#);
                    let error = format!(r#"{{"code":-1003,"msg":"A test.","data":{data}}}"#);
                    let refusal = format!(r#"{{"id":{id},"status":418,"error":{error}}}"#);
                    peer.reply(&request, &refusal)?;
                    continue;
                }
                peer.reply(&request, &BinanceSpot::acknowledged(&request))?;
                let end = (ExecType::Canceled, OrderStatus::Canceled);
                let report = BinanceSpot::report(&name, 100 + report_id, end.0, end.1, none);
                peer.tell(&report)?;
            } else if BinanceSpot::asks(&request) == Asks::ToPlace {
                peer.reply(&request, &BinanceSpot::acknowledged(&request))?;
                let new = (ExecType::New, OrderStatus::New);
                peer.tell(&BinanceSpot::report(&name, report_id, new.0, new.1, none))?;
            } else {
                let stands = BinanceSpot::stands(&request, &name, OrderStatus::New, "0.00000");
                peer.reply(&request, &stands)?;
            }
        }
    });
    let mut trader = Trader::<BinanceSpot>::new(server.address, &TraderOptions::default());
    trader.drive_to_ready();
    for id in 1..=CANCELS {
        trader.submit_resting(id);
        trader.drive_to(id, OrderStatus::New);
    }
    for id in 1..=CANCELS {
        trader.command(OrderAction::Cancel, id, |_| {});
    }
    for id in 1..=CANCELS {
        trader.drive_to(id, OrderStatus::Canceled);
    }
    assert!(refused.load(Ordering::Acquire) >= 2 * CANCELS as usize, "each was refused once");
    trader.assert_sound();
}
