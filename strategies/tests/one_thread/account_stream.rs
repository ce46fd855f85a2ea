//! An account's stream that ends without a word while no order is open (F34).

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::venue::VenueCounters;
use pitlane_engine::venue::simulated::{Fault, FaultName, FaultPlan, Trigger};
use pitlane_engine::{LaunchOptions, OneThreadEngine, OneThreadOptions, launch_one_thread};

use crate::SECOND_NS;
use crate::heard::{Heard, registry};

/// An engine that never trades.
fn engine(venue_faults: FaultPlan) -> OneThreadEngine {
    engine_at("binance", venue_faults)
}

fn engine_at(kind: &str, venue_faults: FaultPlan) -> OneThreadEngine {
    let mut config = Config::default_run();
    config.simulated.kind = kind.into();
    config.simulated.events_per_s = 5;
    config.telemetry.interval_ms = 3_600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("noop")];
    let registry = registry(&Heard::default(), false);
    let launch = LaunchOptions { venue_faults, ..LaunchOptions::default() };
    launch_one_thread(&config, &registry, &launch, OneThreadOptions::default()).unwrap()
}

fn orders_session(engine: &OneThreadEngine) -> VenueCounters {
    engine.sessions().iter().find(|(_, role, _)| *role == "orders").unwrap().2
}

#[test]
fn it_is_noticed_before_an_order_depends_on_it_and_subscribed_to_again() {
    // After 45 s.
    let plan = FaultPlan::one(Fault::StreamLost, Trigger::At(450));
    let mut engine = engine(plan);
    engine.run_ns(40 * SECOND_NS);
    assert_eq!(orders_session(&engine).resubscribed, 0, "it stands");
    engine.run_ns(40 * SECOND_NS);
    assert_eq!(engine.simulated_venues()[0].faults(FaultName::StreamLost), 1, "it happened");
    let session = orders_session(&engine);
    assert_eq!((session.stale, session.resubscribed, session.reconnects), (1, 1, 0));
    engine.run_ns(600 * SECOND_NS);
    assert_eq!(orders_session(&engine).resubscribed, 1, "it stands again");
    assert!(engine.penalties().is_empty(), "{:?}", engine.penalties());
}

/// The simulated venue ends a stream after an hour in which nobody has asked it not to.
#[test]
fn a_stream_that_has_to_be_kept_up_outlives_the_hour_of_its_key() {
    let mut engine = engine_at("binance_futures", FaultPlan::default());
    engine.run_ns(130 * 60 * SECOND_NS);
    let session = orders_session(&engine);
    assert_eq!((session.reconnects, session.refused, session.unknown), (0, 0, 0), "{session:?}");
    assert!(engine.penalties().is_empty(), "{:?}", engine.penalties());
}
