//! The venue's own timer that cancels all: it strikes once the engine is gone, and is stood down
//! when the engine leaves in order.

use pitlane_engine::event::OrderStatus;
use pitlane_engine::runtime::Phase;
use pitlane_engine::venue::protocol::OrderProtocol;
use pitlane_engine::venue::simulated::SimulatedVenue;

use crate::harness::{MS, Patience};
use crate::subject::Orders;
use crate::trader::{Trader, TraderOptions, venue};

/// A second of the venue's timers: ten of them are one of ours.
const SECOND_NS: u64 = 100 * MS;

/// A venue with such timers.
fn timed<V: Orders>(is_granted: bool) -> SimulatedVenue {
    venue::<V>(|options| {
        options.timer_second_ns = SECOND_NS;
        options.grants_disconnect_cancel = is_granted;
    })
}

/// A trader that has asked for the timer and has been answered, with an order that rests.
fn asking<V: Orders>(venue: &SimulatedVenue, cancel_on_stop: bool) -> Trader<V> {
    let timer = V::Entry::CAPABILITIES.dead_man.expect("the venue has a timer");
    let dead_man_ms = Some(timer.min_ms);
    let options = TraderOptions { dead_man_ms, cancel_on_stop, ..TraderOptions::default() };
    let mut trader = Trader::<V>::new(venue.address(), &options);
    trader.drive_to_ready();
    trader.drive_to_dead_man();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::New);
    trader
}

/// A venue where an order rests, and the trader that sent it, which has set the timer.
fn armed<V: Orders>(cancel_on_stop: bool) -> (SimulatedVenue, Trader<V>) {
    let venue = timed::<V>(true);
    let trader = asking(&venue, cancel_on_stop);
    (venue, trader)
}

/// Waits for longer than the timer would have run.
fn wait_it_out(venue: &SimulatedVenue) {
    let last_ms = || venue.ledger().tops.back().map_or(0, |top| top.at_ms);
    let begin_ms = last_ms();
    let patience = Patience::new();
    while last_ms() < begin_ms + 1_500 {
        assert!(!patience.is_over(), "the market stands still");
        std::thread::yield_now();
    }
}

fn is_open(venue: &SimulatedVenue) -> bool {
    venue.ledger().orders.values().any(|order| order.is_open())
}

pub fn the_venue_cancels_what_is_open_once_the_engine_is_gone<V: Orders>() {
    let (venue, trader) = armed::<V>(true);
    assert!(is_open(&venue));
    let before = venue.counters().report().cancels_received;
    drop(trader);
    let patience = Patience::new();
    while is_open(&venue) {
        assert!(!patience.is_over(), "the venue's timer did not strike");
        std::thread::yield_now();
    }
    assert_eq!(venue.counters().report().cancels_received, before, "nobody asked for it");
}

pub fn an_orderly_stop_that_leaves_orders_stands_the_timer_down<V: Orders>() {
    let (venue, mut trader) = armed::<V>(false);
    trader.stop.raise(Phase::Draining);
    trader.drive_to_done();
    assert_eq!(trader.dead_man_until_ns(), None, "it was told to stop");
    wait_it_out(&venue);
    assert!(is_open(&venue), "what was to stay stays");
}

pub fn a_timer_that_the_account_was_not_granted_is_shown_as_none<V: Orders>() {
    let venue = timed::<V>(false);
    let trader = asking::<V>(&venue, true);
    let run_out_ns = trader.dead_man_until_ns().expect("it is shown");
    assert_eq!(run_out_ns, 1, "as one that has run out before all");
    drop(trader);
    wait_it_out(&venue);
    assert!(is_open(&venue), "there is no timer");
}
