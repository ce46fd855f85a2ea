//! Kill -9 in the middle of trading, and the next engine on the same disk, with the same venue.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use pitlane_engine::config::{ConsumerConfig, JournalDurability, JournalKeep};
use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::event::Event;
use pitlane_engine::journal::{SavedState, StateBuffer, read_checkpoints, read_state};
use pitlane_engine::runtime::HoldRates;
use pitlane_engine::simulation::{draw, run};
use pitlane_engine::venue::simulated::LedgerSide;
use pitlane_engine::world::Files;
use pitlane_engine::{LaunchOptions, OneThreadOptions, StrategyRegistry, launch_one_thread};
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

/// What a strategy was told of its saved states, and how many events it has counted.
type Restored = Arc<Mutex<Vec<(u32, u64)>>>;

/// Counts events, and saves the count.
struct Counter {
    events: u64,
    restored: Restored,
    /// Fails to restore so many times.
    fails: u32,
}

impl Strategy for Counter {
    fn saves_bytes(&self) -> usize {
        8
    }

    fn state_version(&self) -> u32 {
        7
    }

    fn on_event(&mut self, _event: &Event, _ctx: &mut Context) -> StrategyResult {
        self.events += 1;
        Ok(())
    }

    fn on_save(&mut self, state: &mut StateBuffer) -> StrategyResult {
        Ok(state.put(&self.events.to_le_bytes())?)
    }

    fn on_restore(&mut self, saved: &SavedState, _ctx: &mut Context) -> StrategyResult {
        assert_eq!(self.events, 0, "before the first event");
        if self.fails > 0 {
            self.fails -= 1;
            return Err("not now".into());
        }
        self.events = u64::from_le_bytes(saved.bytes.as_slice().try_into()?);
        self.restored.lock().unwrap().push((saved.version, self.events));
        Ok(())
    }
}

/// A life that is killed, and one that goes on where it was saved last and ends in order.
#[test]
fn what_a_strategy_saves_is_restored_after_a_kill_and_after_a_stop() {
    let restored = Restored::default();
    let its = Arc::clone(&restored);
    let registry = StrategyRegistry::new()
        .with("counter", move |_| Ok(Counter { events: 0, restored: Arc::clone(&its), fails: 2 }));
    let mut config = config();
    config.consumers = vec![ConsumerConfig::of_strategy("counter")];
    (config.journal.dir, config.journal.save_ms) = (Some(JOURNAL.into()), 200);
    let (launch, options) = (LaunchOptions::default(), OneThreadOptions::default());
    let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
    engine.run_ns(3 * SECOND_NS);
    assert!(restored.lock().unwrap().is_empty(), "there was nothing to restore");
    let world = engine.crash();
    let mut engine = world.launch(&config, &registry, &launch, HoldRates::default()).unwrap();
    engine.run_ns(3 * SECOND_NS);
    let after_kill = restored.lock().unwrap()[0];
    // At least what was there 0.4 s before the kill: an interval, and what the keeper takes.
    assert!(after_kill.0 == 7 && after_kill.1 > 2_000, "{after_kill:?}");
    assert!(engine.stop(10 * SECOND_NS).is_empty());
    let files = Files::Virtual(engine.files().clone());
    let handled = engine.finish().consumers[0].terms.handled;
    let saved = read_state(&files, Path::new(JOURNAL), "counter").unwrap();
    let events = u64::from_le_bytes(saved.bytes.try_into().unwrap());
    assert_eq!(events, after_kill.1 + handled, "nothing is lost of a stop in order");
}

/// Lives with small segments: a start reads a checkpoint and what lies behind it, and the venue's
/// record is what all lives come to.
#[test]
fn segments_that_a_checkpoint_stands_for_are_removed_and_nothing_is_lost_with_them() {
    let mut config = config();
    config.simulated.events_per_s = 500;
    config.journal.dir = Some(JOURNAL.into());
    (config.journal.segment_bytes, config.journal.checkpoint_segments) = (16_384, 2);
    config.journal.keep = JournalKeep::Needed;
    let heard = Heard::default();
    let (registry, launch) = (registry(&heard, false), LaunchOptions::default());
    let mut engine =
        launch_one_thread(&config, &registry, &launch, OneThreadOptions::default()).unwrap();
    for life in 0..3 {
        engine.run_ns(10 * SECOND_NS);
        if life < 2 {
            let mut world = engine.crash();
            if life == 1 {
                // The newest has rotted: the one before and the segments behind it are there.
                let files = Files::Virtual(world.files().clone());
                let newest = read_checkpoints(&files, Path::new(JOURNAL)).unwrap().remove(0);
                let mut bytes = files.read(&newest.path).unwrap();
                bytes[70] ^= 1;
                files.create_private(&newest.path).unwrap().write_all(&bytes).unwrap();
            }
            world.run_ns(SECOND_NS);
            engine = world.launch(&config, &registry, &launch, HoldRates::default()).unwrap();
        }
    }
    engine.run_ns(20 * SECOND_NS);
    let files = Files::Virtual(engine.files().clone());
    let checkpoints = read_checkpoints(&files, Path::new(JOURNAL)).unwrap();
    assert_eq!(checkpoints.len(), 2, "{checkpoints:?}");
    assert!(checkpoints.iter().all(|of| of.content.is_ok()));
    let segments = files.list(Path::new(JOURNAL)).unwrap();
    let is_first = |path: &&PathBuf| path.ends_with("000000000001.journal");
    assert!(segments.iter().find(is_first).is_none(), "{segments:?}");
    assert!(engine.stop(10 * SECOND_NS).is_empty());
    let ledger = engine.ledgers().remove(0);
    let held = heard.notes().held;
    assert!(engine.finish().identity_holds);
    let sum = |side| {
        let of_side = ledger.trades.iter().filter(|trade| trade.side == side);
        of_side.map(|trade| trade.qty as i64).sum::<i64>()
    };
    let bought: i64 = held.values().map(|(position, _)| position.bought).sum();
    let sold: i64 = held.values().map(|(position, _)| position.sold).sum();
    assert_eq!((bought, sold), (sum(LedgerSide::Buy), sum(LedgerSide::Sell)));
    assert!(bought > 0 && sold > 0);
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

/// Where orders go over REST, and have no fill of their own in the stream.
#[test]
fn an_engine_that_is_killed_at_a_venue_with_orders_over_rest_goes_on() {
    let text = "
        trouble_ms = 12000
        calm_ms = 20000
        end = 'stop'
        crash = [
            { at_ms = 4000, down_ms = 500, again_at_write = 2 },
            { at_ms = 8000, down_ms = 500 },
        ]
        [venues]
        kind = 'coinbase'
        [disk]
        room_kib = 0
        torn_ppm = 0
        sync_ppm = 0
    ";
    let plan = draw(3, 12_000).with_file(text).unwrap();
    let outcome = run(&plan, &builtin(), &AtomicBool::new(false)).unwrap();
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    assert!(outcome.trades > 10, "{} trades", outcome.trades);
    assert!(outcome.reached["taken_up"] > 0, "{:?}", outcome.reached);
    assert_eq!((outcome.reached["crash"], outcome.reached["killed_in_write"]), (3, 1));
}
