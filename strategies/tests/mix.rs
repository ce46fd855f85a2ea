//! The mix that callbacks are assumed to be, with fifty subscribers at once.

mod common;

use std::time::{Duration, Instant};

use common::{ONE_AT_A_TIME, PATIENCE, run_of};
use pitlane_engine::consumer::{Closure, Context};
use pitlane_engine::event::{Event, Interest};
use pitlane_engine::venue::SyntheticLoad;
use pitlane_engine::{OwnVenue, Params, launch_with};

#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

const CONSUMERS: usize = 50;
/// Exec reports go to the consumers in turn: each gets 4 a second. A callback takes 15.4 ms on
/// average, so they need 6 % of its time (bound of A-6: 80 %), and the market data all that is
/// left.
const EVENTS_PER_S: u32 = 2_000;
const CRITICAL_PER_MILLE: u16 = 100;
const REPORTS: u64 = 1_000;

/// 90 % of callbacks 1 ms, 9 % 50 ms, 1 % 1 s; 1 % fail. They sleep. Drawn by a counter that starts
/// at another place for each consumer, so that the shares are exact and the consumers out of step.
fn callback(turn: u64) -> Result<(), &'static str> {
    let draw = turn * 37 % 100;
    let nap_ms = match draw {
        0 => 1_000,
        1..=9 => 50,
        _ => 1,
    };
    std::thread::sleep(Duration::from_millis(nap_ms));
    if draw == 50 { Err("planted") } else { Ok(()) }
}

#[test]
fn fifty_consumers_of_the_assumed_mix_lose_no_critical_event() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let names: Vec<&str> = vec!["mix"; CONSUMERS];
    let mut run = run_of(&names);
    for (index, consumer) in run.config.consumers.iter_mut().enumerate() {
        consumer.name = format!("mix-{index}");
        consumer.max_failures = Some(1_000_000);
    }
    run.config.simulated.events_per_s = EVENTS_PER_S;
    run.config.lanes.market = 64;
    run.config.engine.drain_deadline_ms = 30_000;
    run.options.own_venue = OwnVenue::Synthetic;
    run.options.load =
        SyntheticLoad { critical_per_mille: CRITICAL_PER_MILLE, ..SyntheticLoad::default() };
    let starts = std::sync::atomic::AtomicU64::new(0);
    run.registry = run.registry.with("mix", move |_params: &Params| {
        let mut turn = starts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Closure::new(Interest::ALL, move |_: &Event, _: &mut Context| {
            turn += 1;
            Ok(callback(turn)?)
        }))
    });
    let engine = launch_with(run.config, &run.registry, run.options).unwrap();
    let started = Instant::now();
    let enough = REPORTS * 1_000 / u64::from(CRITICAL_PER_MILLE);
    while engine.status().events_in < enough {
        assert!(started.elapsed() < PATIENCE, "{:?}", engine.status());
        assert!(!engine.has_failed(), "a core ended by itself");
        std::thread::yield_now();
    }
    let report = engine.stop().unwrap();
    assert!(report.identity_holds, "{report:#?}");
    assert_eq!(report.critical_lost, 0);
    assert!(report.threads_left_behind.is_empty(), "{:?}", report.threads_left_behind);
    assert_eq!(report.allocations_steady_state.map(|_| ()), Some(()), "they are counted");
    let sum = |of: fn(&pitlane_engine::report::ConsumerReport) -> u64| -> u64 {
        report.consumers.iter().map(of).sum()
    };
    let reports = sum(|c| c.kinds.get("exec_report").map_or(0, |terms| terms.published));
    let handled = sum(|c| c.kinds.get("exec_report").map_or(0, |terms| terms.handled));
    assert!(reports >= REPORTS - 1, "{reports} exec reports");
    assert_eq!(handled, reports, "every one was handled");
    assert!(sum(|c| c.terms.conflated + c.terms.aggregated) > 0, "market data gave way");
    assert!(sum(|c| c.failures) > 0 && sum(|c| c.stalls.count) > 0, "the faults happened");
    println!(
        "{} callbacks, {} failed, {} stalls, {handled} exec reports",
        sum(|c| c.terms.handled),
        sum(|c| c.failures),
        sum(|c| c.stalls.count)
    );
}
