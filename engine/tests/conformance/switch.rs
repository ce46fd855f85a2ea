//! Venues that are switched off and on while everything runs, and the kill of all orders.

use pitlane_engine::event::{BookStatus, OrderStatus, RejectReason};
use pitlane_engine::runtime::{Agent, Phase};
use pitlane_engine::venue::SessionState;
use pitlane_engine::venue::simulated::FaultPlan;

use crate::feed::{FeedOptions, Live};
use crate::proxy::Proxy;
use crate::subject::{Market, Orders};
use crate::trader::{Trader, TraderOptions, venue};

/// Duty cycles in which a session that is off must not stir: each is a chance to connect.
const CYCLES: usize = 2_000;

pub fn a_venue_that_is_switched_off_is_left_and_comes_back_with_a_new_book<V: Market>() {
    let mut live = Live::<V>::start(FaultPlan::default(), 500, &FeedOptions::default());
    let feed = &mut live.feed;
    feed.drive_to_live_book(50);
    assert!(feed.switch.set(false));
    feed.turn();
    assert_eq!(feed.state(), SessionState::Off);
    assert_eq!(feed.seen().states().last(), Some(&BookStatus::Syncing), "not to be traded on");
    let connections = live.venue.counters().report().connections;
    let before = feed.counters();
    (0..CYCLES).for_each(|_| feed.turn());
    assert_eq!((feed.counters().frames, feed.state()), (before.frames, SessionState::Off));
    assert_eq!(live.venue.counters().report().connections, connections);
    assert!(!feed.switch.set(true));
    feed.drive_to_live_book(50);
    assert_eq!(feed.counters().reconnects, 0, "nothing was lost: it was left");
    feed.assert_sound();
    assert!(live.venue.counters().report().connections > connections);
}

pub fn a_venue_that_is_off_from_the_start_is_not_connected_to_until_it_is_on<V: Market>() {
    let mut live = Live::<V>::start(FaultPlan::default(), 500, &FeedOptions::default());
    live.feed.switch.set(false);
    (0..CYCLES).for_each(|_| live.feed.turn());
    assert_eq!(live.feed.state(), SessionState::Off);
    assert_eq!(live.venue.counters().report().connections, 0);
    assert!(live.feed.seen().events.is_empty());
    live.feed.switch.set(true);
    live.feed.drive_to_live_book(10);
}

pub fn orders_are_ended_before_their_venue_is_left_and_go_on_when_it_is_back<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let options = TraderOptions::default();
    let mut trader = Trader::<V>::new(venue.address(), &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader.switch.set(false);
    trader.turn();
    trader.submit_resting(2);
    let refused = trader.drive_to(2, OrderStatus::Rejected);
    assert_eq!(refused.reason(), Some(RejectReason::NotConnected));
    trader.drive_to(1, OrderStatus::Canceled);
    trader.drive_to_state(SessionState::Off);
    assert!(!trader.is_ready());
    (0..CYCLES).for_each(|_| trader.turn());
    assert_eq!(trader.state(), SessionState::Off);
    trader.switch.set(true);
    trader.drive_to_ready();
    trader.submit_resting(3);
    trader.drive_to(3, OrderStatus::New);
    trader.assert_sound();
    assert_eq!((trader.counters().reconnects, venue.counters().report().orders_received), (0, 2));
}

pub fn a_venue_that_does_not_answer_is_left_in_time_and_asked_when_it_is_back<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let proxy = Proxy::start(venue.address());
    let rest = Some(venue.address());
    let options = TraderOptions { answer_ms: 200, rest, ..TraderOptions::default() };
    let mut trader = Trader::<V>::new(proxy.address, &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    proxy.lose_replies();
    trader.switch.set(false);
    trader.drive_to_state(SessionState::Off);
    let last = trader.reports(1).last().copied().unwrap();
    assert_eq!(last.status(), Some(OrderStatus::New), "what became of it is not known");
    proxy.cut();
    trader.switch.set(true);
    trader.drive_to(1, OrderStatus::Canceled);
    trader.drive_to_ready();
    trader.assert_sound();
    assert_eq!(venue.counters().report().cancels_received, 1, "the cancel had arrived");
}

pub fn a_venue_that_is_off_does_not_hold_up_the_stop<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
    trader.switch.set(false);
    trader.drive_to_state(SessionState::Off);
    trader.stop.raise(Phase::Draining);
    trader.turn();
    assert!(trader.agent.is_done());
}

pub fn a_kill_cancels_every_order_where_a_stop_would_leave_them<V: Orders>() {
    let venue = venue::<V>(|_| {});
    let options = TraderOptions { cancel_on_stop: false, ..TraderOptions::default() };
    let mut trader = Trader::<V>::new(venue.address(), &options);
    trader.drive_to_ready();
    for id in [1, 2] {
        trader.submit_resting(id);
        trader.drive_to(id, OrderStatus::New);
    }
    trader.stop.kill();
    for id in [1, 2] {
        trader.drive_to(id, OrderStatus::Canceled);
    }
    trader.stop.raise(Phase::Draining);
    trader.drive_to_done();
    trader.assert_sound();
    assert_eq!(venue.counters().report().cancels_received, 2);
}
