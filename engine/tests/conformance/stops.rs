//! Stop orders end to end: they wait, are triggered by a trade, work, and are cancelled as others
//! are.

use std::sync::Arc;

use pitlane_engine::event::{ExecReport, ExecType, OrderStatus, RejectReason, Side};
use pitlane_engine::order::{OrderAction, OrderType, TimeInForce};
use pitlane_engine::runtime::Phase;
use pitlane_engine::venue::simulated::SimulatedVenue;

use crate::subject::Orders;
use crate::trader::{QTY, Trader, TraderOptions, fills, venue};

/// A stop of [`QTY`]: side, type, limit price, trigger price.
fn submit<V: Orders>(trader: &mut Trader<V>, id: u64, of: (Side, OrderType, i64, i64)) {
    let (side, order_type, price, trigger_price) = of;
    trader.command(OrderAction::Submit, id, |command| {
        (command.side_code, command.price, command.qty) = (side.code(), price, QTY);
        command.trigger_price = trigger_price;
        command.order_type_code = order_type as u8;
        command.time_in_force_code = TimeInForce::Gtc as u8;
    });
}

/// A trader that is logged on, and the price of the last trade: its own, in order 1.
fn after_a_trade<V: Orders>(events_per_s: u32) -> (SimulatedVenue, Trader<V>, i64) {
    let venue = venue::<V>(|options| options.events_per_s = events_per_s);
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit_marketable(1);
    trader.drive_to(1, OrderStatus::Filled);
    let last = fills(&trader.reports(1)).last().expect("it is filled").last_price;
    (venue, trader, last)
}

pub fn a_stop_waits_for_its_trigger_and_fills_without_a_limit<V: Orders>() {
    let (venue, mut trader, last) = after_a_trade::<V>(50);
    // The market may have passed the price before the stop is there: then it is refused.
    let filled = (2..200).find(|id| {
        submit(&mut trader, *id, (Side::Sell, OrderType::StopLoss, 0, last - 1));
        trader.drive("its first answer", |seen, _| !crate::trader::reports(seen, *id).is_empty());
        trader.reports(*id)[0].status() != Some(OrderStatus::Rejected)
    });
    let id = filled.expect("one of them waits");
    let new = trader.reports(id)[0];
    assert_eq!((new.exec_type(), new.trigger_price), (Some(ExecType::New), last - 1));
    trader.drive_to(id, OrderStatus::Filled);
    let reports = trader.reports(id);
    let types: Vec<_> = reports.iter().filter_map(ExecReport::exec_type).collect();
    assert_eq!(types.iter().filter(|it| **it == ExecType::New).count(), 1, "{types:?}");
    let filled = fills(&reports);
    assert_eq!(filled.iter().map(|fill| fill.last_qty).sum::<i64>(), QTY);
    assert!(filled.iter().all(|fill| fill.last_price <= last), "{filled:?}");
    trader.assert_sound();
    assert_eq!(venue.penalties().total(), 0);
}

pub fn a_stop_with_a_limit_rests_at_it_once_it_is_triggered<V: Orders>() {
    let (venue, mut trader, last) = after_a_trade::<V>(50);
    // It buys at half the price, once a trade is at or above the last one's less a tick: at once.
    let far = last / 2;
    submit(&mut trader, 2, (Side::Buy, OrderType::StopLossLimit, far, last + 1));
    trader.drive("its first answer", |seen, _| !crate::trader::reports(seen, 2).is_empty());
    let ledger = || venue.ledger();
    if trader.reports(2)[0].status() == Some(OrderStatus::New) {
        trader.drive("the trigger", |_, _| {
            let ledger = ledger();
            ledger.orders.values().any(|order| order.stop_price > 0 && order.is_working())
        });
        let told = trader.reports(2);
        assert_eq!((told.len(), told[0].price), (1, far), "that it works is no news");
        trader.command(OrderAction::Cancel, 2, |_| {});
        assert_eq!(trader.drive_to(2, OrderStatus::Canceled).filled_qty, 0);
    }
    trader.assert_sound();
    assert_eq!(venue.penalties().total(), 0);
}

pub fn a_stop_that_would_be_triggered_at_once_is_refused<V: Orders>() {
    let (venue, mut trader, last) = after_a_trade::<V>(20);
    let far = [
        (Side::Sell, OrderType::StopLoss, 0, last * 2),
        (Side::Buy, OrderType::StopLoss, 0, last / 2),
        (Side::Sell, OrderType::TakeProfit, 0, last / 2),
        (Side::Buy, OrderType::TakeProfitLimit, last, last * 2),
    ];
    for (id, of) in (2..).zip(far) {
        submit(&mut trader, id, of);
        let refused = trader.drive_to(id, OrderStatus::Rejected);
        let told = (refused.reason(), refused.venue_code);
        assert_eq!(
            told,
            (Some(RejectReason::Venue), V::CODES.would_take.expect("it refuses")),
            "{of:?}"
        );
    }
    assert_eq!(venue.counters().report().orders_refused, 4);
    trader.assert_sound();
}

pub fn stops_that_wait_are_asked_for_and_cancelled_like_any_order<V: Orders>() {
    let (venue, mut trader, last) = after_a_trade::<V>(20);
    let far = [
        (Side::Sell, OrderType::StopLoss, 0, last / 2),
        (Side::Buy, OrderType::StopLossLimit, last * 2, last * 2),
        (Side::Sell, OrderType::TakeProfit, 0, last * 2),
        (Side::Buy, OrderType::TakeProfitLimit, last / 2, last / 2),
    ];
    for (id, of) in (2..).zip(far) {
        submit(&mut trader, id, of);
        let new = trader.drive_to(id, OrderStatus::New);
        assert_eq!((new.price, new.trigger_price), (of.2, of.3));
    }
    trader.command(OrderAction::Query, 2, |_| {});
    trader.drive("the answer", |seen, _| {
        let last = crate::trader::reports(seen, 2).last().copied();
        last.is_some_and(|report| report.exec_type() == Some(ExecType::Status))
    });
    trader.command(OrderAction::Cancel, 2, |_| {});
    trader.drive_to(2, OrderStatus::Canceled);
    trader.stop.raise(Phase::Draining);
    trader.drive_to_done();
    for id in 3..=5 {
        let end = *trader.reports(id).last().expect("it was told");
        assert_eq!(end.status(), Some(OrderStatus::Canceled), "order {id} at the stop");
    }
    let counters = Arc::clone(venue.counters());
    assert_eq!(counters.report().cancels_received, 4);
    assert!(venue.ledger().orders.values().all(|order| !order.is_open()));
    trader.assert_sound();
    assert_eq!(venue.penalties().total(), 0);
}

pub fn a_stop_that_was_lost_with_the_connection_is_found_again<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let proxy = crate::proxy::Proxy::start(venue.address());
    let mut trader = Trader::<V>::new(proxy.address, &TraderOptions::default());
    trader.drive_to_ready();
    proxy.lose_replies();
    submit(&mut trader, 1, (Side::Sell, OrderType::StopLoss, 0, 3_000_000));
    let counters = Arc::clone(venue.counters());
    trader.drive("the order at the venue, and its reply lost", |_, _| {
        counters.report().orders_received == 1 && proxy.lost_bytes() > 0
    });
    proxy.cut();
    let report = trader.drive_to(1, OrderStatus::New);
    assert_eq!(report.trigger_price, 3_000_000);
    trader.drive_to_ready();
    trader.command(OrderAction::Cancel, 1, |_| {});
    trader.drive_to(1, OrderStatus::Canceled);
    assert_eq!(venue.counters().report().orders_received, 1);
    trader.assert_sound();
}
