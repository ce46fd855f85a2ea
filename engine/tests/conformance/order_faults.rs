//! Orders against faults: whatever is lost on the way, an order exists once, and its fills count
//! once (F26, LM-06, EDGE-13, EDGE-15).

use std::sync::{Arc, Mutex};

use pitlane_engine::event::{
    Certainty, ExecReport, ExecType, FEE_UNKNOWN, OrderStatus, RejectReason,
};
use pitlane_engine::order::OrderAction;
use pitlane_engine::runtime::Phase;
use pitlane_engine::safety::HaltReason;
use pitlane_engine::venue::LetterReason;
use pitlane_engine::venue::protocol::OrderProtocol;
use pitlane_engine::venue::simulated::{Fault, FaultName, FaultPlan, SimulatedVenue, Trigger};

use crate::harness::MS;
use crate::proxy::Proxy;
use crate::raw::RawServer;
use crate::scripted::Asks;
use crate::subject::Orders;
use crate::trader::{QTY, Trader, TraderOptions, fills, reports, venue};

/// A trader behind a line that can be cut.
fn behind_a_proxy<V: Orders>() -> (SimulatedVenue, Proxy, Trader<V>) {
    let venue = venue::<V>(|_| {});
    let proxy = Proxy::start(venue.address());
    // What is asked over REST goes another way, unless orders go that way, too.
    let rest = if V::Entry::ORDERS_OVER_REST { proxy.address } else { venue.address() };
    let options = TraderOptions { rest: Some(rest), ..TraderOptions::default() };
    let mut trader = Trader::<V>::new(proxy.address, &options);
    trader.drive_to_ready();
    (venue, proxy, trader)
}

/// Runs until the venue has got `count` orders, whatever comes back.
fn drive_to_received<V: Orders>(trader: &mut Trader<V>, venue: &SimulatedVenue, count: u64) {
    let counters = Arc::clone(venue.counters());
    trader.drive("the order at the venue", |_, _| counters.report().orders_received == count);
}

pub fn a_report_that_is_told_twice_counts_once<V: Orders>() {
    let venue = venue::<V>(|options| {
        options.fault_plan = FaultPlan::one(Fault::DuplicateExec, Trigger::Every(1));
    });
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit_marketable(1);
    trader.drive_to(1, OrderStatus::Filled);
    let counters = Arc::clone(venue.counters());
    trader.drive("all repeats", |_, stats| {
        let repeats = counters.report().faults(FaultName::DuplicateExec);
        repeats >= 2 && stats.duplicates == repeats
    });
    let filled = fills(&trader.reports(1));
    assert_eq!(filled.iter().map(|fill| fill.last_qty).sum::<i64>(), QTY);
    assert_eq!(venue.counters().report().fills as usize, filled.len());
    trader.assert_sound();
}

pub fn a_cut_with_an_accepted_order_is_followed_by_a_question_and_not_by_the_order_again<
    V: Orders,
>() {
    let (venue, proxy, mut trader) = behind_a_proxy::<V>();
    proxy.lose_replies();
    trader.submit_resting(1);
    drive_to_received(&mut trader, &venue, 1);
    trader.drive("the loss", |_, _| proxy.lost_bytes() > 0);
    assert!(trader.reports(1).is_empty(), "its answer is lost");
    proxy.cut();
    trader.drive("the cut", |_, counters| counters.reconnects == 1);
    assert!(!trader.is_ready());
    trader.drive_to(1, OrderStatus::New);
    trader.drive_to_ready();
    let reports = trader.reports(1);
    let types: Vec<_> = reports.iter().filter_map(ExecReport::exec_type).collect();
    assert_eq!(types, [ExecType::Unknown, ExecType::New], "never rejected, and accepted once");
    assert!(!reports[1].venue_order_id.is_none(), "{reports:?}");
    // It can be cancelled: it is the very order.
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    let report = venue.counters().report();
    assert_eq!((report.orders_received, report.orders_refused, report.cancels_received), (1, 0, 1));
    if !V::Entry::ORDERS_OVER_REST {
        assert_eq!(proxy.connections(), 2 * V::CONNECTIONS);
    }
    assert_eq!(trader.counters().contradictions, 0, "the venue's answers are right");
    trader.assert_sound();
}

pub fn a_fill_that_was_lost_with_the_connection_is_told_once<V: Orders>() {
    let (venue, proxy, mut trader) = behind_a_proxy::<V>();
    proxy.lose_replies();
    trader.submit_marketable(1);
    drive_to_received(&mut trader, &venue, 1);
    proxy.cut();
    trader.drive("the cut", |_, counters| counters.reconnects == 1);
    trader.drive_to(1, OrderStatus::Filled);
    trader.drive_to_ready();
    let filled = fills(&trader.reports(1));
    assert_eq!(filled.len(), 1, "{filled:?}");
    assert_eq!(
        (filled[0].last_qty, filled[0].execution_id.is_none()),
        (QTY, true),
        "our own word on it"
    );
    assert!(venue.counters().report().fills >= 1, "the venue did fill it");
    assert_eq!(venue.counters().report().orders_received, 1);
    trader.assert_sound();
}

pub fn the_fills_of_an_order_that_were_missed_are_listed_with_price_and_fee<V: Orders>() {
    let (venue, proxy, mut trader) = behind_a_proxy::<V>();
    proxy.lose_replies();
    trader.submit_marketable(1);
    drive_to_received(&mut trader, &venue, 1);
    proxy.cut();
    trader.drive_to(1, OrderStatus::Filled);
    let inferred = fills(&trader.reports(1));
    assert!(inferred.iter().all(|fill| fill.has(FEE_UNKNOWN)), "{inferred:?}");
    let is_listed = |r: &&ExecReport| r.exec_type() == Some(ExecType::Corrected);
    trader.drive("the list of its fills", |seen, _| {
        let reports = reports(seen, 1);
        reports.iter().filter(is_listed).map(|report| report.last_qty).sum::<i64>() == QTY
    });
    let ledger = venue.ledger();
    let listed: Vec<_> = trader.reports(1).into_iter().filter(|r| is_listed(&r)).collect();
    assert_eq!(listed.len(), ledger.trades.len(), "each trade once");
    for (report, trade) in listed.iter().zip(&ledger.trades) {
        assert_eq!(report.execution_id, V::trade(trade.trade_id));
        assert_eq!((report.last_price, report.last_qty), (trade.price as i64, trade.qty as i64));
        assert_eq!(report.fee, (trade.fee.amount / 100_000_000) as i64);
        assert!(!report.has(FEE_UNKNOWN));
    }
    trader.assert_sound();
}

pub fn an_order_that_never_arrived_is_rejected_once_it_can_not_arrive_any_more<V: Orders>() {
    let (venue, proxy, mut trader) = behind_a_proxy::<V>();
    proxy.lose_requests();
    trader.submit_resting(1);
    trader.drive("the loss", |_, _| proxy.lost_bytes() > 0);
    let sent_ns = trader.clock.now_ns();
    proxy.cut();
    trader.drive("the cut", |_, counters| counters.reconnects == 1);
    let report = trader.drive_to(1, OrderStatus::Rejected);
    // Until its request is too old for the venue, "no such order" may only mean "not yet".
    assert!(trader.clock.now_ns() - sent_ns >= 5_000 * MS);
    let expected = (Some(RejectReason::NeverArrived), V::CODES.no_such_order);
    assert_eq!((report.reason(), report.venue_code), expected);
    assert_eq!(report.certainty(), Some(Certainty::Assumed));
    trader.drive_to_ready();
    trader.submit_resting(2);
    trader.drive_to(2, OrderStatus::New);
    assert_eq!(venue.counters().report().orders_received, 1, "the lost one was never sent again");
    trader.assert_sound();
}

pub fn no_order_leaves_before_those_in_doubt_were_asked_for_and_one_that_fails_holds_up_no_other<
    V: Orders,
>() {
    // F26: state is queried after a reconnect before new orders. A query that the venue refuses,
    // here of a symbol that was delisted, leaves that order in doubt and no other.
    let (answers, may_answer) = std::sync::mpsc::channel::<()>();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let server = RawServer::start(move |number, peer| {
        V::log_on(peer)?;
        let request = peer.read_text()?;
        log.lock().unwrap().push(request.clone());
        if number == 0 {
            return Ok(());
        }
        may_answer.recv().expect("the test lives");
        peer.reply_with(&request, V::REFUSED, &V::refused(&request, V::CODES.delisted))?;
        loop {
            let text = peer.read_text()?;
            log.lock().unwrap().push(text);
        }
    });
    let mut trader = Trader::<V>::new(server.address, &server.options());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive("the query", |_, _| asked.lock().unwrap().len() == 2);
    trader.submit_resting(2);
    let refused = trader.drive_to(2, OrderStatus::Rejected);
    assert_eq!(refused.reason(), Some(RejectReason::NotConnected));
    assert!(!trader.is_ready());
    answers.send(()).unwrap();
    trader.drive_to_ready();
    trader.submit_resting(3);
    trader.drive("the new order", |_, _| {
        asked.lock().unwrap().iter().any(|text| text.contains(&V::name(3)))
    });
    let told = trader.reports(1);
    assert_eq!((told.len(), told[0].exec_type()), (1, Some(ExecType::Unknown)), "{told:?}");
    let asked = asked.lock().unwrap();
    assert_eq!([V::asks(&asked[0]), V::asks(&asked[1])], [Asks::ToPlace, Asks::HowItStands]);
}

pub fn a_report_that_can_not_be_read_makes_the_order_a_question<V: Orders>() {
    // F16: the fill's frame is corrupt; without asking, the order would stay open for ever.
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let server = RawServer::start(move |_, peer| {
        V::log_on(peer)?;
        let place = peer.read_text()?;
        peer.reply(&place, &V::acknowledged(&place))?;
        peer.tell(&V::report(&V::name(1), 10, ExecType::New, OrderStatus::New, ("0", "0")))?;
        let all = ("0.01000", "0.01000");
        let fill = V::report(&V::name(1), 11, ExecType::Trade, OrderStatus::Filled, all);
        peer.tell(&fill[..fill.len() - 9])?;
        let query = peer.read_text()?;
        peer.reply(&query, &V::stands(&query, &V::name(1), OrderStatus::Filled, "0.01000"))?;
        // The repeat of what the query has revealed.
        peer.tell(&fill)?;
        *log.lock().unwrap() = vec![place, query];
        peer.wait_for_end()
    });
    let mut trader = Trader::<V>::new(server.address, &server.options());
    trader.drive_to_ready();
    trader.submit_resting(1);
    let is_corrected = |r: &ExecReport| r.exec_type() == Some(ExecType::Corrected);
    trader.drive("the true fill", |seen, counters| match V::TELLS_FILLS {
        true => seen.all::<ExecReport>().iter().any(is_corrected),
        false => counters.duplicates == 1,
    });
    trader.drive_to(1, OrderStatus::Filled);
    let filled = fills(&trader.reports(1));
    assert_eq!((filled.len(), filled[0].last_qty), (1, QTY));
    let requests = requests.lock().unwrap();
    let asked: Vec<_> = requests.iter().map(|request| V::asks(request)).collect();
    assert_eq!(asked, [Asks::ToPlace, Asks::HowItStands]);
    let seen = trader.outlet.seen();
    assert_eq!(seen.letters.len(), 1);
    assert_eq!(seen.letters[0].reason, LetterReason::Malformed);
    drop(seen);
    assert_eq!((trader.counters().refused, trader.counters().reconnects), (1, 0));
    trader.assert_sound();
}

pub fn reports_out_of_order_never_bring_an_order_back<V: Orders>() {
    // EDGE-15: PARTIAL after FILLED, a repeat, a contradiction, an unknown order.
    let server = RawServer::start(|_, peer| {
        V::log_on(peer)?;
        peer.read_text()?;
        use {ExecType as Exec, OrderStatus as Status};
        let told = [
            V::report(&V::name(1), 10, Exec::New, Status::New, ("0", "0")),
            V::report(&V::name(1), 12, Exec::Trade, Status::Filled, ("0.00600", "0.01000")),
            V::report(
                &V::name(1),
                11,
                Exec::Trade,
                Status::PartiallyFilled,
                ("0.00400", "0.00400"),
            ),
            V::report(&V::name(1), 12, Exec::Trade, Status::Filled, ("0.00600", "0.01000")),
            V::report(&V::name(1), 13, Exec::Canceled, Status::Canceled, ("0", "0.01000")),
            V::report(&V::name(9), 14, Exec::New, Status::New, ("0", "0")),
            V::report(&V::name(1), 15, Exec::Trade, Status::Filled, ("0.02000", "0.02000")),
        ];
        for text_of in told {
            peer.tell(&text_of)?;
        }
        peer.wait_for_end()
    });
    let mut trader = Trader::<V>::new(server.address, &server.options());
    trader.drive_to_ready();
    trader.submit_resting(1);
    let frames = V::Entry::LOGON.len() as u64 + 7;
    trader.drive("all frames", |_, counters| counters.frames == frames);
    let filled = fills(&trader.reports(1));
    let quantities: Vec<i64> = filled.iter().map(|fill| fill.last_qty).collect();
    match V::TELLS_FILLS {
        true => assert_eq!(quantities, [400, 600], "the lost one is told with the next, and once"),
        false => assert_eq!(quantities, [1_000], "what is filled is told in one"),
    }
    let last: ExecReport = *trader.reports(1).last().unwrap();
    assert_eq!(last.status(), Some(OrderStatus::Filled));
    let counters = trader.counters();
    let duplicates = if V::TELLS_FILLS { 1 } else { 2 };
    assert_eq!((counters.duplicates, counters.contradictions), (duplicates, 3));
    let corrected = |r: &&ExecReport| r.exec_type() == Some(ExecType::Corrected);
    let corrected: Vec<i64> =
        trader.reports(1).iter().filter(corrected).map(|report| report.last_qty).collect();
    let expected: &[i64] = if V::TELLS_FILLS { &[400] } else { &[] };
    assert_eq!(corrected, expected, "the true word on the fill that was inferred");
    let letters = trader.outlet.seen().letters.clone();
    let details: Vec<&str> = letters.iter().map(|letter| letter.detail).collect();
    assert_eq!(details.len(), 3, "{details:?}");
    assert_eq!(
        details[..2],
        ["report after the order's end", "report on an order that is not remembered"]
    );
    if V::TELLS_FILLS {
        assert_eq!(letters[2].reason, LetterReason::Nonsense, "filled above the quantity");
    }
    assert_eq!(trader.counters().reconnects, 0);
    trader.assert_sound();
}

pub fn a_request_without_an_answer_makes_the_order_a_question<V: Orders>() {
    let server = RawServer::start(|_, peer| {
        V::log_on(peer)?;
        let place = peer.read_text()?;
        assert_eq!(V::asks(&place), Asks::ToPlace);
        let query = peer.read_text()?;
        assert_eq!(V::asks(&query), Asks::HowItStands, "never the order again: {query}");
        peer.reply(&query, &V::stands(&query, &V::name(1), OrderStatus::New, "0.00000"))?;
        peer.wait_for_end()
    });
    let options = TraderOptions { answer_ms: 200, ..server.options() };
    let mut trader = Trader::<V>::new(server.address, &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    let report = trader.drive_to(1, OrderStatus::New);
    let told = (report.exec_type(), report.venue_order_id.to_string());
    assert_eq!(told, (Some(ExecType::New), V::ORDER.to_owned()));
    assert_eq!(trader.counters().reconnects, 0);
    trader.assert_sound();
}

pub fn once_a_critical_event_can_be_stored_nowhere_nothing_more_is_read_and_cancels_still_leave<
    V: Orders,
>() {
    // FR-016, the last resort: what is not read stays at the venue.
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    for id in [1, 2] {
        trader.submit_resting(id);
        trader.drive_to(id, OrderStatus::New);
    }
    let frames = trader.counters().frames;
    trader.quarantine.last_resort().halt(HaltReason::FileFailed);
    trader.command(OrderAction::Cancel, 1, |_| {});
    let counters = Arc::clone(venue.counters());
    trader.drive("the cancel at the venue", |_, _| counters.report().cancels_received == 1);
    assert!(!trader.is_ready());
    (0..1_000).for_each(|_| trader.turn());
    assert_eq!(trader.counters().frames, frames, "its answer is there and not read");
    assert!(trader.reports(1).iter().all(|report| report.status() != Some(OrderStatus::Canceled)));
    // The stop asks for the other one to be cancelled, and waits for no answer.
    trader.stop.raise(Phase::Draining);
    trader.drive_to_done();
    let counters = Arc::clone(venue.counters());
    trader.drive("the other cancel", |_, _| counters.report().cancels_received == 2);
    assert_eq!(trader.counters().frames, frames);
}
