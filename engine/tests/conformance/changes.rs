//! Orders that take the place of others, and the end of everything in a symbol.

use pitlane_engine::event::{ExecReport, ExecType, OrderStatus, Price, RejectReason, Side};
use pitlane_engine::order::{Amends, OrderAction, OrderType, TimeInForce};
use pitlane_engine::venue::protocol::OrderProtocol;

use crate::subject::Orders;
use crate::trader::{QTY, Trader, TraderOptions, reports, venue};

/// A buy that takes the place of order 1, of which so much is thought to be filled.
fn replace<V: Orders>(trader: &mut Trader<V>, id: u64, of: (OrderType, Price), filled: i64) {
    trader.command(OrderAction::Submit, id, |command| {
        (command.side_code, command.price, command.qty) = (Side::Buy.code(), of.1.0, QTY);
        command.order_type_code = of.0 as u8;
        command.time_in_force_code = TimeInForce::Gtc as u8;
        (command.replaces, command.replaced_filled) = (1, filled);
    });
}

const LOWER: (OrderType, Price) = (OrderType::Limit, Price(2_900_000));

pub fn an_order_takes_the_place_of_another_once_that_is_over<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    replace(&mut trader, 2, LOWER, 0);
    assert_eq!(trader.drive_to(2, OrderStatus::New).price, LOWER.1.0);
    let told: Vec<(u64, Option<ExecType>)> = (trader.outlet.seen().all::<ExecReport>().iter())
        .map(|report| (report.client_order_id, report.exec_type()))
        .collect();
    let gap = [(1, Some(ExecType::Canceled)), (2, Some(ExecType::New))];
    assert_eq!(told[told.len() - 2..], gap, "the gap is seen: {told:?}");
    let ledger = venue.ledger();
    let open: Vec<u64> =
        ledger.orders.values().filter(|order| order.is_open()).map(|order| order.price).collect();
    assert_eq!(open, [LOWER.1.0 as u64]);
    let report = venue.counters().report();
    assert_eq!((report.orders_received, report.cancels_received), (2, 1));
    trader.assert_sound();
}

pub fn an_order_whose_end_was_asked_for_is_told_also_when_the_new_one_is_refused<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    replace(&mut trader, 2, (OrderType::LimitMaker, Price(9_000_000)), 0);
    let ended = trader.drive_to_no_maker(2);
    if let Some(code) = V::CODES.would_take {
        assert_eq!((ended.reason(), ended.venue_code), (Some(RejectReason::Venue), code));
    }
    let old = trader.reports(1).last().and_then(ExecReport::status);
    assert_eq!(old, Some(OrderStatus::Canceled), "half of it was done");
    assert!(venue.ledger().orders.values().all(|order| !order.is_open()));
    trader.assert_sound();
}

pub fn what_can_not_take_the_place_of_an_order_is_never_sent<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    replace(&mut trader, 2, LOWER, 5);
    let more = trader.drive_to(2, OrderStatus::Rejected);
    assert_eq!(more.reason(), Some(RejectReason::ReplacedFilled));
    assert_eq!(trader.reports(1).len(), 1, "the old one is as it was");
    // Taken back before the old one is over: both commands come in one duty cycle.
    replace(&mut trader, 3, LOWER, 0);
    trader.command(OrderAction::Cancel, 3, |_| {});
    let unsent = trader.drive_to(3, OrderStatus::Rejected);
    assert_eq!(unsent.reason(), Some(RejectReason::CanceledUnsent));
    trader.drive_to(1, OrderStatus::Canceled);
    replace(&mut trader, 4, LOWER, 0);
    let gone = trader.drive_to(4, OrderStatus::Rejected);
    assert_eq!(gone.reason(), Some(RejectReason::UnknownOrder));
    assert_eq!(venue.counters().report().orders_received, 1);
    trader.assert_sound();
}

pub fn strangers_orders_end_only_when_the_whole_symbol_is_cancelled<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    let of_another = TraderOptions { name: "other", run: 2, ..TraderOptions::default() };
    let mut stranger = Trader::<V>::new(venue.address(), &of_another);
    trader.drive_to_ready();
    stranger.drive_to_ready();
    stranger.submit_resting(1);
    stranger.drive_to(1, OrderStatus::New);
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    let open = || venue.ledger().orders.values().filter(|order| order.is_open()).count();
    assert_eq!(open(), 1, "the stranger's stays");
    trader.submit_resting(2);
    trader.drive_to(2, OrderStatus::New);
    trader.command(OrderAction::CancelSymbol, 0, |_| {});
    if !V::Entry::CAPABILITIES.cancels_symbol {
        trader.drive("the refusal", |seen, _| !reports(seen, 0).is_empty());
        let refused = trader.reports(0)[0];
        assert_eq!(refused.reason(), Some(RejectReason::Unsupported));
        assert_eq!(open(), 2);
        return;
    }
    trader.drive_to(2, OrderStatus::Canceled);
    stranger.drive_to(1, OrderStatus::Canceled);
    // Nothing is left to be cancelled: no failure.
    trader.command(OrderAction::CancelSymbol, 0, |_| {});
    trader.submit_resting(3);
    trader.drive_to(3, OrderStatus::New);
    assert!(trader.reports(0).is_empty(), "{:?}", trader.reports(0));
    trader.assert_sound();
    stranger.assert_sound();
}

pub fn an_order_that_rests_becomes_smaller_at_its_price<V: Orders>() {
    assert_eq!(V::Entry::CAPABILITIES.amends, Amends::Smaller, "no venue has others yet");
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    let change = |trader: &mut Trader<V>, qty| {
        trader.command(OrderAction::Modify, 1, |command| {
            (command.side_code, command.price, command.qty) = (Side::Buy.code(), 3_000_000, qty);
        });
    };
    change(&mut trader, QTY / 2);
    trader.drive("the change", |seen, _| {
        let mut told = reports(seen, 1).into_iter();
        told.any(|told| told.exec_type() == Some(ExecType::Replaced) && told.qty == QTY / 2)
    });
    let sizes = || -> Vec<u64> { venue.ledger().orders.values().map(|order| order.qty).collect() };
    assert_eq!(sizes(), [QTY.unsigned_abs() / 2]);
    change(&mut trader, QTY);
    trader.drive("the refusal", |seen, _| {
        let mut told = reports(seen, 1).into_iter();
        told.any(|told| told.exec_type() == Some(ExecType::ModifyRejected))
    });
    assert_eq!(sizes(), [QTY.unsigned_abs() / 2], "it never left");
    trader.command(OrderAction::Cancel, 1, |_| {});
    let end = trader.drive_to(1, OrderStatus::Canceled);
    assert_eq!((end.qty, end.filled_qty), (QTY / 2, 0));
    trader.assert_sound();
}

pub fn cancels_that_come_together_are_each_answered<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    for id in 1..=3 {
        trader.submit_resting(id);
        trader.drive_to(id, OrderStatus::New);
    }
    trader.submit_marketable(4);
    trader.drive_to(4, OrderStatus::Filled);
    // One is over already: its cancel never leaves, and is answered like the others'.
    for id in [1, 4, 2, 3] {
        trader.command(OrderAction::Cancel, id, |_| {});
    }
    for id in 1..=3 {
        trader.drive_to(id, OrderStatus::Canceled);
    }
    trader.drive("the answer to the cancel of what is over", |seen, _| {
        reports(seen, 4).last().and_then(ExecReport::exec_type) == Some(ExecType::CancelRejected)
    });
    let report = venue.counters().report();
    assert_eq!(report.cancels_received, 3);
    let batches = u64::from(V::Entry::CAPABILITIES.cancels_per_request > 1);
    assert_eq!(
        report.batches_received, batches,
        "they went together where the venue takes them so"
    );
    assert!(venue.ledger().orders.values().all(|order| !order.is_open()));
}
