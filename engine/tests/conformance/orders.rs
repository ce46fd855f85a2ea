//! Orders over the socket: placed, filled, cancelled, refused, and cancelled at the stop.

use std::net::TcpListener;

use pitlane_engine::event::{
    ConsumerId, ExecReport, ExecType, OrderStatus, Price, RejectReason, Side,
};
use pitlane_engine::order::{OrderAction, OrderType, TimeInForce};
use pitlane_engine::runtime::{Agent, Phase};
use pitlane_engine::safety::QuarantineReason;
use pitlane_engine::venue::{LetterReason, SessionState};

use crate::harness::{keep_log, logged};
use crate::subject::Orders;
use crate::trader::{QTY, Trader, TraderOptions, fills, reports, venue};

/// A venue and a trader that is logged on at it.
macro_rules! logged_on {
    ($venue:ident, $trader:ident, $change:expr) => {
        let $venue = venue::<V>($change);
        let mut $trader = Trader::<V>::new($venue.address(), &TraderOptions::default());
        $trader.drive_to_ready();
    };
}

pub fn an_order_is_placed_filled_and_another_one_cancelled<V: Orders>() {
    logged_on!(venue, trader, |_| {});
    trader.submit_resting(1);
    let new = trader.drive_to(1, OrderStatus::New);
    assert!(!new.venue_order_id.is_none());
    assert_eq!(new.execution_id.is_none(), !V::NAMES_REPORTS);
    assert_eq!((new.consumer, new.decision_id), (0, 1_001));
    trader.submit_marketable(2);
    trader.drive_to(2, OrderStatus::Filled);
    let filled = fills(&trader.reports(2));
    assert_eq!(filled.iter().map(|fill| fill.last_qty).sum::<i64>(), QTY);
    trader.command(OrderAction::Cancel, 1, |_| {});
    assert_eq!(trader.drive_to(1, OrderStatus::Canceled).filled_qty, 0);
    trader.assert_sound();
    let report = venue.counters().report();
    assert_eq!((report.orders_received, report.orders_refused, report.cancels_received), (2, 0, 1));
    assert_eq!(report.fills as usize, filled.len());
    assert_eq!(trader.counters().refused, 0);
}

pub fn refusals_of_the_venue_come_back_with_its_code<V: Orders>() {
    // An order that is refused for itself is not counted.
    let uncounted = u32::from(V::CODES.would_take.is_some());
    logged_on!(venue, trader, |options| options.limits.orders_per_10s = 2 - uncounted);
    trader.submit(1, Side::Buy, Price(9_000_000), OrderType::LimitMaker);
    let maker = trader.drive_to_no_maker(1);
    match V::CODES.would_take {
        Some(code) => {
            assert_eq!((maker.reason(), maker.venue_code), (Some(RejectReason::Venue), code));
        }
        None => assert_eq!(maker.filled_qty, 0),
    }
    // The first is taken, and one more should the venue's ten seconds end between two of them.
    (2..=5).for_each(|id| trader.submit_resting(id));
    trader.drive("four answers", |seen, _| (2..=5).all(|id| !reports(seen, id).is_empty()));
    let last = |id| *trader.reports(id).last().unwrap();
    let too_many: Vec<ExecReport> =
        (3..=5).map(last).filter(|r| r.status() == Some(OrderStatus::Rejected)).collect();
    assert!(too_many.len() >= 2, "{too_many:?}");
    for report in &too_many {
        assert_eq!(
            (report.reason(), report.venue_code),
            (Some(RejectReason::SlowDown), V::CODES.too_many)
        );
    }
    trader.assert_sound();
    let report = venue.counters().report();
    assert_eq!(
        (report.orders_received, report.orders_refused),
        (5, (uncounted as usize + too_many.len()) as u64)
    );
    assert!(trader.is_ready(), "a refusal costs the session nothing");
}

pub fn a_client_order_id_is_taken_once_also_in_flight_and_after_a_reject<V: Orders>() {
    // EDGE-13, LM-06
    logged_on!(venue, trader, |_| {});
    trader.submit_resting(1);
    trader.submit_resting(1);
    trader.drive("the answer to the repeat", |seen, _| {
        seen.all::<ExecReport>().iter().any(|r| r.reason() == Some(RejectReason::DuplicateId))
    });
    trader.submit(2, Side::Buy, Price(9_000_000), OrderType::LimitMaker);
    trader.drive_to_no_maker(2);
    trader.submit_resting(2);
    trader.drive("the second repeat's", |seen, _| {
        let refused = |r: &&ExecReport| r.reason() == Some(RejectReason::DuplicateId);
        seen.all::<ExecReport>().iter().filter(refused).count() == 2
    });
    // The same number of another consumer is another order.
    trader.command(OrderAction::Submit, 1, |command| {
        (command.consumer, command.price, command.qty) = (1, 3_000_000, QTY);
        command.side_code = Side::Buy.code();
        command.order_type_code = OrderType::LimitMaker as u8;
        command.time_in_force_code = 1;
    });
    trader.drive("the other consumer's", |seen, _| {
        let is_its = |r: &ExecReport| r.consumer == 1 && r.status() == Some(OrderStatus::New);
        seen.all::<ExecReport>().iter().any(is_its)
    });
    assert_eq!(venue.counters().report().orders_received, 3);
}

pub fn what_can_not_be_sent_now_is_refused_at_once<V: Orders>() {
    // EDGE-14: nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut trader = Trader::<V>::new(address, &TraderOptions::default());
    trader.submit_resting(1);
    let report = trader.drive_to(1, OrderStatus::Rejected);
    assert_eq!(report.reason(), Some(RejectReason::NotConnected));
    trader.drive("the attempt", |_, counters| counters.reconnects == 1);
    trader.command(OrderAction::Cancel, 7, |_| {});
    trader.drive("the answer", |seen, _| {
        let last = seen.all::<ExecReport>().last().copied();
        last.is_some_and(|r| r.exec_type() == Some(ExecType::CancelRejected))
    });
    assert_eq!(trader.reports(7)[0].reason(), Some(RejectReason::UnknownOrder));
    assert!(!trader.is_ready());
    trader.stop.raise(Phase::Draining);
    trader.drive_to_done();
}

pub fn open_orders_are_cancelled_at_the_stop<V: Orders>() {
    logged_on!(venue, trader, |_| {});
    (1..=3).for_each(|id| trader.submit_resting(id));
    for id in 1..=3 {
        trader.drive_to(id, OrderStatus::New);
    }
    trader.stop.raise(Phase::Draining);
    trader.drive_to_done();
    for id in 1..=3 {
        let last = *trader.reports(id).last().unwrap();
        assert_eq!(last.status(), Some(OrderStatus::Canceled), "order {id}");
    }
    trader.assert_sound();
    let report = venue.counters().report();
    assert_eq!((report.orders_received, report.cancels_received), (3, 3));
}

pub fn open_orders_stay_at_the_stop_where_so_configured<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let options = TraderOptions { cancel_on_stop: false, ..TraderOptions::default() };
    let mut trader = Trader::<V>::new(venue.address(), &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader.stop.raise(Phase::Draining);
    trader.drive_to_done();
    assert_eq!(venue.counters().report().cancels_received, 0);
    assert_eq!(trader.reports(1).last().unwrap().status(), Some(OrderStatus::New));
}

pub fn orders_of_a_quarantined_consumer_are_cancelled_without_it_and_those_of_others_stay<
    V: Orders,
>() {
    // F04: whoever does not return from a callback can't cancel anything itself.
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    for (id, consumer) in [(1, 0), (2, 1), (3, 1)] {
        trader.command(OrderAction::Submit, id, |command| {
            (command.side_code, command.price, command.qty) = (Side::Buy.code(), 3_000_000, QTY);
            command.order_type_code = OrderType::Limit as u8;
            command.time_in_force_code = TimeInForce::Gtc as u8;
            command.consumer = consumer;
        });
        trader.drive_to(id, OrderStatus::New);
    }
    trader.quarantine.raise(ConsumerId(1), QuarantineReason::Stuck);
    trader.drive_to(2, OrderStatus::Canceled);
    trader.drive_to(3, OrderStatus::Canceled);
    assert_eq!(venue.counters().report().cancels_received, 2);
    assert_eq!(trader.reports(1).last().unwrap().status(), Some(OrderStatus::New));
    // The stop cancels what is left, although those of the quarantined are looked for all the time.
    trader.turn();
    trader.stop.raise(Phase::Draining);
    trader.drive_to(1, OrderStatus::Canceled);
    trader.assert_sound();
}

pub fn a_wrong_key_is_an_error_with_its_code_and_is_tried_again_when_the_venue_is_switched_on<
    V: Orders,
>() {
    keep_log();
    let venue = venue::<V>(|_| {});
    let options = TraderOptions { name: "wrong-key", ..TraderOptions::default() };
    // The key's name is right, the key is another one.
    let other = V::other_key();
    let mut trader = Trader::<V>::with_key(venue.address(), other, &options);
    trader.drive("the attempt", |_, counters| counters.reconnects == 1);
    let code = format!("(code: {})", V::CODES.wrong_signature);
    assert!(logged(&["ERROR", "[wrong-key] logon failed", &code]));
    assert!(!trader.is_ready() && !trader.agent.is_done());
    trader.submit_resting(1);
    let report = trader.drive_to(1, OrderStatus::Rejected);
    assert_eq!(report.reason(), Some(RejectReason::NotConnected));
    (0..1_000).for_each(|_| trader.turn());
    assert_eq!(trader.counters().reconnects, 1, "no knocking");
    trader.switch.set(false);
    trader.drive_to_state(SessionState::Off);
    trader.switch.set(true);
    trader.drive("the next attempt", |_, counters| counters.reconnects == 2);
    trader.assert_sound();
    assert_eq!(venue.counters().report().orders_received, 0);
}

pub fn a_report_on_a_strangers_order_is_kept_and_the_connection_too<V: Orders>() {
    // EDGE-15: another run on the same account.
    logged_on!(venue, trader, |_| {});
    let options = TraderOptions { run: 2, ..TraderOptions::default() };
    let mut stranger = Trader::<V>::new(venue.address(), &options);
    stranger.drive_to_ready();
    stranger.submit_resting(5);
    stranger.drive_to(5, OrderStatus::New);
    trader.drive("the letter", |seen, _| !seen.letters_of(LetterReason::Order).is_empty());
    let letter = trader.outlet.seen().letters[0].clone();
    assert!(String::from_utf8(letter.raw).unwrap().contains(&V::name_in(2, 5)));
    assert_eq!(letter.detail, "no order of this run");
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    assert_eq!(trader.counters().reconnects, 0);
    assert!(trader.reports(5).is_empty());
    trader.assert_sound();
}
