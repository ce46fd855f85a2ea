//! A venue where little happens: its quiet streams cost it nothing, and its books are looked at.

use pitlane_engine::config::{Config, ConsumerConfig, InstrumentConfig};
use pitlane_engine::{LaunchOptions, OneThreadOptions, launch_one_thread};

use crate::SECOND_NS;
use crate::heard::{Heard, registry};

#[test]
fn a_book_of_one_event_a_second_is_asked_for_once_and_held_against_the_venue_in_turn() {
    let mut config = Config::default_run();
    config.simulated.events_per_s = 1;
    config.telemetry.interval_ms = 3_600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("noop")];
    let registry = registry(&Heard::default(), false);
    let (launch, options) = (LaunchOptions::default(), OneThreadOptions::default());
    let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
    engine.run_ns(1_800 * SECOND_NS);
    let sessions = engine.sessions();
    let market = sessions.iter().find(|(_, role, _)| *role == "market").unwrap().2;
    assert_eq!((market.snapshots, market.reconnects), (1, 0), "{market:?}");
    // Once in five minutes, and it is the venue's each time.
    assert!((5..=6).contains(&market.refreshes), "{market:?}");
    assert_eq!((market.differing, market.doubted), (0, 0), "{market:?}");
    assert!(engine.penalties().is_empty(), "{:?}", engine.penalties());
}

/// Twenty books with an event a second each, for so long: each is asked for whole once, is held
/// against the venue once in five minutes, and no connection is made anew.
fn run_twenty_quiet_books(seconds: u64) {
    const BOOKS: u64 = 20;
    let mut config = Config::default_run();
    config.simulated.events_per_s = 20;
    config.telemetry.interval_ms = 3_600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("noop")];
    let first = config.instruments[0].clone();
    for number in 1..BOOKS {
        let symbol = format!("S{number}-USDT");
        config.instruments.push(InstrumentConfig { symbol, ..first.clone() });
    }
    let registry = registry(&Heard::default(), false);
    let (launch, options) = (LaunchOptions::default(), OneThreadOptions::default());
    let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
    engine.run_ns(seconds * SECOND_NS);
    let sessions = engine.sessions();
    let market = sessions.iter().find(|(_, role, _)| *role == "market").unwrap().2;
    println!("{market:?}");
    // Of weight 5; a new connection costs each one of weight 250.
    let rounds = seconds / 300;
    assert!(((rounds - 1) * BOOKS..=rounds * BOOKS).contains(&market.refreshes), "{market:?}");
    assert_eq!((market.differing, market.doubted, market.reconnects), (0, 0, 0), "{market:?}");
    assert_eq!(market.snapshots_answered, BOOKS, "{market:?}");
    // Of eighty streams few are subscribed to anew before it is known how quiet they are.
    assert!(market.resubscribed <= 3 * BOOKS, "{market:?}");
    assert!(engine.penalties().is_empty(), "{:?}", engine.penalties());
}

#[test]
fn twenty_quiet_books_cost_few_snapshots() {
    run_twenty_quiet_books(900);
}

#[test]
#[ignore = "an hour takes minutes without optimisation"]
fn twenty_quiet_books_cost_twenty_snapshots_in_an_hour() {
    run_twenty_quiet_books(3_600);
}
