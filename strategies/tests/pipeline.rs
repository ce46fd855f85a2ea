//! Promises of the whole pipeline, on real threads, lanes and cores, with the simulated venue.

mod common;

use std::time::{Duration, Instant};

use common::{ONE_AT_A_TIME, PATIENCE, events, run, run_of};
use pitlane_engine::config::OnFlip;
use pitlane_engine::consumer::{Closure, ConsumerState, Context};
use pitlane_engine::dispatcher::RouteKey;
use pitlane_engine::event::{ConsumerId, Event, EventKind, Interest};
use pitlane_engine::{FlipError, LaunchFaults, Params, RouteChange, launch_with};

#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

#[test]
fn the_default_run_accounts_for_every_event_and_trades() {
    let report = run(run_of(&["noop", "momentum", "market_maker"]), events(10_000));
    assert!(report.identity_holds, "{report:#?}");
    assert_eq!((report.critical_lost, report.exit_code()), (0, 0));
    assert!(
        report.threads_left_behind.is_empty()
            && report.notes.iter().all(|n| !n.contains("panicked"))
    );
    let maker = report.consumers.iter().find(|c| c.name == "market_maker").unwrap();
    assert!(maker.orders.submitted > 0 && maker.orders.fills > 0, "{:?}", maker.orders);
    assert_eq!(maker.orders_open, 0, "open orders are wound down at the stop");
    assert_eq!(maker.failures, 0, "{:?}", maker.failure_log);
    assert_eq!((report.orders.untaken, report.orders.gateway.unsent), (0, 0));
    assert_eq!(maker.kinds["exec_report"].handled, maker.kinds["exec_report"].published);
    let momentum = report.consumers.iter().find(|c| c.name == "momentum").unwrap();
    assert!(momentum.kinds["trade"].handled > 0 && !momentum.kinds.contains_key("exec_report"));
    for stage in ["decode", "dispatch", "queue:noop", "handle:noop", "fanout:last", "end_to_end"] {
        assert!(report.stages[stage].count > 0, "{stage}");
    }
    assert!(report.tick_to_trade.count > 0);
}

#[test]
fn a_steady_state_event_allocates_nothing() {
    // SC-002, FR-027: all agent threads, after the warm-up, orders included.
    let report = run(run_of(&["noop", "momentum", "market_maker"]), |engine| {
        let status = engine.status();
        status.uptime_ns > 1_500_000_000 && status.events_in > 10_000
    });
    assert_eq!(report.allocations_steady_state, Some(0));
    assert!(report.orders.counts.submitted > 0, "orders were part of it");
}

#[test]
fn one_lost_market_event_breaks_the_identity() {
    let mut lossy = run_of(&["noop"]);
    lossy.options.faults = LaunchFaults { lose_market_event: 100, ..LaunchFaults::default() };
    let report = run(lossy, events(1_000));
    assert!(!report.identity_holds);
    assert_eq!(report.exit_code(), 1);
    let noop = &report.consumers[0].terms;
    assert_eq!(noop.published - noop.handled, 1, "exactly the planted one: {noop:?}");
}

#[test]
fn panics_are_contained_and_counted_and_cost_nobody_an_event() {
    // F01, SC-005, SC-006, FR-019: one in ten callbacks panics.
    let mut failing = run_of(&["panics", "noop"]);
    failing.config.consumers[0].max_failures = Some(1_000_000);
    // More than all events of the run: a busy machine must not conflate what the panics might cost.
    failing.config.lanes.market = 16_384;
    failing.registry = failing.registry.with("panics", |_params: &Params| {
        let mut seen = 0_u64;
        Ok(Closure::new(Interest::NONE.and(EventKind::Quote), move |_: &Event, _: &mut Context| {
            seen += 1;
            assert!(!seen.is_multiple_of(10), "planted");
            Ok(())
        }))
    });
    let report = run(failing, events(5_000));
    assert!(report.identity_holds, "{report:#?}");
    let panics = &report.consumers[0];
    assert!(panics.failures > 100, "the fault happened");
    assert_eq!(panics.failures, panics.terms.handled / 10);
    assert_eq!(panics.failure_log.sites.len(), 1);
    let first = &panics.failure_log.sites[0].first;
    assert!(first.trace_id > 0 && first.backtrace.is_some() && first.message.contains("planted"));
    assert_eq!(report.consumers[1].failures, 0);
    assert_eq!(report.consumers[1].terms.handled, report.consumers[1].terms.published);
}

#[test]
fn a_consumer_that_fails_too_often_is_quarantined_and_still_accounted_for() {
    let mut failing = run_of(&["fails"]);
    failing.config.consumers[0].max_failures = Some(3);
    failing.registry = failing.registry.with("fails", |_params: &Params| {
        Ok(Closure::new(Interest::ALL, |_: &Event, _: &mut Context| Err("planted".into())))
    });
    let report = run(failing, events(1_000));
    let consumer = &report.consumers[0];
    assert_eq!((consumer.state, consumer.failures), (ConsumerState::Quarantined, 3));
    assert!(consumer.terms.discarded > 0 && consumer.identity_holds());
}

#[test]
fn a_slow_consumer_conflates_and_loses_nothing_uncounted() {
    // EDGE-1 in small: lanes of 4 slots and a consumer that burns a millisecond per event.
    let mut slow = run_of(&["slow"]);
    slow.config.lanes.market = 4;
    slow.registry = slow.registry.with("slow", |_params: &Params| {
        Ok(Closure::new(Interest::ALL, |_: &Event, _: &mut Context| {
            let started = Instant::now();
            while started.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
            Ok(())
        }))
    });
    let report = run(slow, events(5_000));
    let slow = &report.consumers[0];
    assert!(
        slow.terms.conflated > 0 && slow.terms.aggregated > 0,
        "the overload happened: {slow:?}"
    );
    assert!(report.identity_holds, "{report:#?}");
}

#[test]
fn flips_under_load_lose_nothing_critical_and_skip_what_is_stale() {
    // FR-011, FR-014, FR-015, SC-004, SC-010 in small: every flip turns a route of two consumers.
    const FLIPS: u64 = 200;
    let mut flipping = run_of(&["noop", "momentum", "market_maker"]);
    flipping.config.simulated.events_per_s = 20_000;
    flipping.config.consumers[0].on_flip = OnFlip::Skip;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let engine = launch_with(flipping.config, &flipping.registry, flipping.options).unwrap();
    let started = Instant::now();
    let wait_for = |events: u64| {
        while engine.status().events_in < events {
            assert!(started.elapsed() < PATIENCE, "{:?}", engine.status());
            std::thread::yield_now();
        }
    };
    wait_for(2_000);
    let quotes: Vec<RouteKey> = engine
        .routes()
        .into_iter()
        .filter(|key| key.kind == EventKind::Quote && key.consumer.0 < 2)
        .collect();
    assert_eq!(quotes.len(), 2, "{quotes:?}");
    for flip in 0..FLIPS {
        let changes =
            quotes.iter().map(|route| RouteChange { route: *route, is_on: flip % 2 == 1 });
        let outcome = engine.flip(flip, &changes.collect::<Vec<_>>()).unwrap();
        assert_eq!(u64::from(outcome.version), flip + 2, "every flip is one version");
        wait_for(2_000 + 20 * flip);
    }
    assert!(matches!(engine.flip(1, &[]), Err(FlipError::NoChange)));
    let stranger = RouteKey { consumer: ConsumerId(9), ..quotes[0] };
    let change = RouteChange { route: stranger, is_on: false };
    assert_eq!(engine.flip(1, &[change]), Err(FlipError::UnknownConsumer(ConsumerId(9))));
    let report = engine.stop().unwrap();
    assert!(report.identity_holds, "{report:#?}");
    assert_eq!(report.critical_lost, 0);
    let [noop, momentum, maker] = &report.consumers[..] else { panic!("three consumers") };
    for flipped in [noop, momentum] {
        let results = &flipped.kinds["control_result"];
        assert_eq!(results.handled, 2 * FLIPS, "begin and end of each");
    }
    assert!(!maker.kinds.contains_key("control_result"), "its routes never changed");
    assert_eq!((noop.stale_handled, momentum.terms.skipped), (0, 0), "each as it is configured");
    assert!(maker.kinds["exec_report"].handled > 0, "critical events were part of it");
    println!(
        "skipped by noop: {}, stale handled by momentum: {}",
        noop.terms.skipped, momentum.stale_handled
    );
}

#[test]
fn a_venue_that_floods_is_cut_to_its_rate_and_every_event_is_accounted_for() {
    // FR-023: 5,000 events/s against 100 a second and stream.
    let mut flooded = run_of(&["noop"]);
    flooded.config.streams.flood_events_per_s = 100;
    flooded.config.streams.flood_burst = 10;
    let report = run(flooded, events(5_000));
    let intake = &report.intake;
    assert!(report.identity_holds, "{intake:?}");
    assert!(intake.flooded > 1_000, "the flood happened: {intake:?}");
    assert!(intake.routed < intake.events_in / 2, "{intake:?}");
    // That a stop turns trading off is no news for strategies, either.
    assert_eq!(report.consumers[0].terms.published, intake.routed, "what was cut reached nobody");
}
