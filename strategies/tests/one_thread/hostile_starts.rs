//! Starts on a journal, on a machine that has changed for the worse meanwhile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pitlane_engine::config::{Config, OnStop, VenueConfig};
use pitlane_engine::journal::{Intent, read_folder};
use pitlane_engine::order::OrderAction;
use pitlane_engine::runtime::HoldRates;
use pitlane_engine::world::{FileConditions, Files, VirtualFiles};
use pitlane_engine::{
    LaunchOptions, OneThreadEngine, OneThreadOptions, SimulatedWorld, launch_one_thread,
};

use crate::heard::{Heard, registry};
use crate::{SECOND_NS, config};

const JOURNAL: &str = "/journal";

fn journaled() -> Config {
    let mut config = config();
    config.simulated.events_per_s = 500;
    config.journal.dir = Some(JOURNAL.into());
    config
}

fn first_life(config: &Config) -> OneThreadEngine {
    let (registry, launch) = (registry(&Heard::default(), false), LaunchOptions::default());
    let options = OneThreadOptions::default();
    let mut engine = launch_one_thread(config, &registry, &launch, options).unwrap();
    engine.run_ns(5 * SECOND_NS);
    engine
}

/// The files of the journal, and what is in them.
fn on_disk(disk: &VirtualFiles) -> Vec<(PathBuf, Vec<u8>)> {
    let files = Files::Virtual(disk.clone());
    let paths = files.list(Path::new(JOURNAL)).unwrap().into_iter();
    paths.map(|path| (path.clone(), files.read(&path).unwrap())).collect()
}

#[test]
fn a_start_on_a_full_disk_is_refused_and_leaves_the_journal_as_it_was() {
    let config = journaled();
    let world = first_life(&config).crash();
    let disk = world.files().clone();
    let (before, full) = (on_disk(&disk), disk.totals().full);
    disk.set_conditions(FileConditions { room_bytes: 0, ..FileConditions::default() });
    let (registry, launch) = (registry(&Heard::default(), false), LaunchOptions::default());
    let refused = world.launch(&config, &registry, &launch, HoldRates::default());
    let refused = refused.err().expect("there is no room").to_string();
    assert!(disk.totals().full > full, "it happened");
    assert!(refused.contains("(code: io)"), "{refused}");
    // What had been made ready and never used may be gone; no record is.
    let is_used = |(_, bytes): &(PathBuf, Vec<u8>)| bytes.iter().any(|byte| *byte != 0);
    let used =
        |files: Vec<(PathBuf, Vec<u8>)>| -> Vec<_> { files.into_iter().filter(is_used).collect() };
    assert!(used(before) == used(on_disk(&disk)), "records are as they were");
}

/// The next start is on a machine whose clock is behind: as far as its journal goes, the one before
/// has lived in its future.
#[test]
fn a_start_whose_clock_is_behind_the_record_goes_on_behind_it() {
    let mut config = journaled();
    config.risk.on_stop = OnStop::CancelAll;
    let mut engine = first_life(&config);
    engine.run_ns(5 * SECOND_NS);
    assert!(engine.stop(10 * SECOND_NS).is_empty());
    let first_run = engine.run_number();
    let left = on_disk(engine.files());
    let world = SimulatedWorld::new(&OneThreadOptions { seed: 9, ..Default::default() }).unwrap();
    let disk = world.files().clone();
    let files = Files::Virtual(disk.clone());
    files.make_private_folder(Path::new(JOURNAL)).unwrap();
    for (path, bytes) in left {
        files.create_private(&path).unwrap().write_all(&bytes).unwrap();
    }
    let read = || {
        let (mut times, mut ids) = (Vec::new(), Vec::new());
        let read = read_folder(&files, Path::new(JOURNAL), |header, record| {
            times.push(record.time_ns);
            if let Some(intent) = record.body::<Intent>()
                && intent.action_code == OrderAction::Submit as u8
            {
                ids.push((intent.consumer, intent.client_order_id, header.epoch));
            }
        });
        assert!(read.is_ok_and(|read| read.stop.is_none()));
        (times, ids)
    };
    let (first, _) = read();
    let (registry, launch) = (registry(&Heard::default(), false), LaunchOptions::default());
    let mut engine = world.launch(&config, &registry, &launch, HoldRates::default()).unwrap();
    assert_ne!(engine.run_number(), first_run);
    engine.run_ns(5 * SECOND_NS);
    assert!(engine.stop(10 * SECOND_NS).is_empty());
    let report = engine.finish();
    assert!(report.identity_holds, "{report:?}");
    let (all, ids) = read();
    assert!(all.is_sorted(), "times on record never go back");
    let last = first.last().unwrap();
    let behind = all[first.len()..].iter().filter(|time| *time == last).count();
    assert!(behind > 20, "it happened: {behind} records have the time of the last before them");
    let different: BTreeSet<_> = ids.iter().map(|(consumer, id, _)| (consumer, id)).collect();
    let epochs: BTreeSet<_> = ids.iter().map(|(.., epoch)| epoch).collect();
    assert_eq!((different.len(), epochs.len()), (ids.len(), 2), "no number stands twice");
}

/// The venue took orders before, and takes none by the configuration of now.
#[test]
fn a_start_without_the_session_that_would_ask_for_an_order_is_refused_by_its_name() {
    let mut config = journaled();
    let mut engine = first_life(&config);
    let is_open = |engine: &OneThreadEngine| {
        engine.ledgers().iter().any(|of| of.orders.values().any(|order| order.is_open()))
    };
    for _ in 0..500 {
        if is_open(&engine) {
            break;
        }
        engine.run_ns(SECOND_NS / 100);
    }
    assert!(is_open(&engine));
    let world = engine.crash();
    config.simulated.enabled = false;
    let stream_url = "ws://127.0.0.1:1/stream".into();
    let market_alone = VenueConfig { name: "simulated".into(), stream_url, ..Default::default() };
    config.venues = vec![VenueConfig { books: false, ..market_alone }];
    let (registry, launch) = (registry(&Heard::default(), false), LaunchOptions::default());
    let refused = world.launch(&config, &registry, &launch, HoldRates::default());
    let refused = refused.err().expect("nobody would ask").to_string();
    let told = "open orders at simulated, which has no order session now";
    assert!(refused.contains(told) && refused.contains("(code: other_config)"), "{refused}");
}
