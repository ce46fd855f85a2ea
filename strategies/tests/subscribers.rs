//! No subscriber, one, one that is removed in mid-publish, and a stop in mid-publish (EDGE-7,
//! EDGE-20).

mod common;

use std::time::Instant;

use common::{ONE_AT_A_TIME, PATIENCE, run_of};
use pitlane_engine::dispatcher::RouteKey;
use pitlane_engine::event::EventKind;
use pitlane_engine::{Engine, RouteChange, launch_with};

fn wait_for(engine: &Engine, events: u64) {
    let started = Instant::now();
    while engine.status().events_in < events {
        assert!(started.elapsed() < PATIENCE, "{:?}", engine.status());
        std::thread::yield_now();
    }
}

fn turn(engine: &Engine, number: u64, routes: &[RouteKey], is_on: bool) {
    let changes: Vec<_> = routes.iter().map(|route| RouteChange { route: *route, is_on }).collect();
    engine.flip(number, &changes).unwrap();
}

#[test]
fn an_event_that_nobody_wants_is_unrouted_and_one_that_one_wants_reaches_it_alone() {
    let run = run_of(&["noop", "momentum"]);
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let engine = launch_with(run.config, &run.registry, run.options).unwrap();
    let routes: Vec<RouteKey> = engine.routes().into_iter().collect();
    turn(&engine, 1, &routes, false);
    assert!(engine.routes().is_empty(), "nobody wants anything");
    let from = engine.status().events_in;
    wait_for(&engine, from + 2_000);
    let quote = *routes
        .iter()
        .find(|key| key.kind == EventKind::Quote && key.consumer.0 == 1)
        .expect("momentum takes quotes");
    turn(&engine, 2, &[quote], true);
    let from = engine.status().events_in;
    wait_for(&engine, from + 2_000);
    let report = engine.stop().unwrap();
    assert!(report.identity_holds && report.critical_lost == 0, "{report:#?}");
    assert!(report.intake.unrouted >= 2_000, "{:?}", report.intake);
    let [noop, momentum] = &report.consumers[..] else { panic!("two consumers") };
    let quotes = momentum.kinds["quote"].handled;
    assert!(quotes > 100, "the one that wants them gets them: {quotes}");
    assert!(noop.kinds.get("quote").map_or(0, |kind| kind.handled) < quotes, "and nobody else");
}

#[test]
fn a_subscriber_that_is_removed_and_a_stop_in_mid_publish_leave_every_event_accounted_for() {
    // Nothing waits for a pause in the events: 20,000 of them a second are under way at each turn
    // and at the stop. Nothing is derived: every term was counted where it came about.
    for round in 0..2 {
        let mut run = run_of(&["noop", "momentum", "market_maker"]);
        run.config.simulated.events_per_s = 20_000;
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let engine = launch_with(run.config, &run.registry, run.options).unwrap();
        wait_for(&engine, 2_000 + 100 * round);
        let routes: Vec<RouteKey> =
            engine.routes().into_iter().filter(|key| key.consumer.0 == 0).collect();
        for flip in 0..20 {
            turn(&engine, flip, &routes, flip % 2 == 1);
        }
        // Its last routes go, and at once everything stops.
        turn(&engine, 20, &routes, false);
        let report = engine.stop().unwrap();
        assert!(report.identity_holds && report.intake.identity_holds(), "{report:#?}");
        assert_eq!((report.critical_lost, report.intake.in_flight), (0, 0));
        for consumer in &report.consumers {
            assert_eq!(consumer.terms.in_flight, 0, "a stop in order drains: {consumer:?}");
        }
        assert!(report.consumers[0].terms.published > 0, "it was in the midst of it");
    }
}
