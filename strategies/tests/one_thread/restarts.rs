//! Kill -9 in the middle of trading, and the next engine on the same disk, with the same venue.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use pitlane_engine::config::JournalDurability;
use pitlane_engine::runtime::HoldRates;
use pitlane_engine::simulation::{draw, run};
use pitlane_engine::{LaunchOptions, OneThreadOptions, launch_one_thread};
use pitlane_strategies::builtin;

use crate::heard::{Heard, registry};
use crate::on_record::OnRecord;
use crate::{SECOND_NS, config};

const JOURNAL: &str = "/journal";

/// The number of the run in an order's name.
fn run_of(name: &str) -> &str {
    name.split('-').next().unwrap()
}

/// A life of five seconds, killed; two seconds without an engine, and another life.
fn two_lives(seed: u64, durability: JournalDurability, loses_power: bool) {
    let mut config = config();
    config.simulated.events_per_s = 500;
    (config.journal.dir, config.journal.durability) = (Some(JOURNAL.into()), durability);
    let heard = Heard::default();
    let (registry, launch) = (registry(&heard, false), LaunchOptions::default());
    let options = OneThreadOptions { seed, ..OneThreadOptions::default() };
    let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
    engine.run_ns(5 * SECOND_NS);
    let first = engine.ledgers().remove(0);
    let mut world = engine.crash();
    if loses_power {
        world.files().crash();
    }
    world.run_ns(2 * SECOND_NS);
    // Nothing is at the venue that was not on the disk before it left.
    let on_record = OnRecord::read(world.files(), Path::new(JOURNAL));
    let missing = |name: &&String| !on_record.names.contains(*name);
    let names: Vec<_> = first.orders.values().map(|order| order.client_order_id.clone()).collect();
    assert!(names.len() > 5, "seed {seed}: {names:?}");
    let missing: Vec<_> = names.iter().filter(missing).collect();
    assert!(missing.is_empty(), "seed {seed}: {missing:?} are at the venue and not on record");

    let mut engine = world.launch(&config, &registry, &launch, HoldRates::default()).unwrap();
    engine.run_ns(10 * SECOND_NS);
    let behind = engine.stop(10 * SECOND_NS);
    assert!(behind.is_empty(), "seed {seed}: {behind:?} did not end");
    let second = engine.ledgers().remove(0);
    let report = engine.finish();
    assert!(report.identity_holds, "seed {seed}: {report:?}");
    // One record over both lives, in which no name stands twice.
    assert!(first.trades.iter().all(|trade| second.trades.contains(trade)));
    let all: Vec<_> = second.orders.values().map(|order| order.client_order_id.as_str()).collect();
    let different: BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len(), "seed {seed}: a name stands twice");
    let runs: BTreeSet<_> = all.iter().map(|name| run_of(name)).collect();
    assert_eq!(runs.len(), 2, "seed {seed}: {runs:?}");
    println!("seed {seed}: {} orders in the first life, {} in all", names.len(), all.len());
}

#[test]
fn the_venue_outlives_an_engine_that_was_killed() {
    two_lives(1, JournalDurability::Os, false);
}

#[test]
fn what_left_before_the_power_was_lost_is_on_record() {
    two_lives(2, JournalDurability::FsyncBatch, true);
}

#[test]
fn a_run_with_crashes_holds() {
    let text = "
        trouble_ms = 15000
        calm_ms = 30000
        end = 'stop'
        crash = [
            { at_ms = 4000, down_ms = 500, loses_power = false },
            { at_ms = 9000, down_ms = 2000, loses_power = true },
        ]
        [disk]
        room_kib = 0
        torn_ppm = 0
        sync_ppm = 0
    ";
    let plan = draw(3, 15_000).with_file(text).unwrap();
    let outcome = run(&plan, &builtin(), &AtomicBool::new(false)).unwrap();
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    assert!(outcome.trades > 10, "{} trades", outcome.trades);
    assert!(plan.has_crashes() && outcome.virtual_ns > 45 * SECOND_NS);
}
