//! A recorded day is replayed to the same callbacks and the same bytes: what is kept is all that
//! enters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pitlane_engine::config::{Config, JournalDurability};
use pitlane_engine::world::tape::{Sums, TapeError};
use pitlane_engine::world::{Files, NetConditions, SplitMix64};
use pitlane_engine::{
    LaunchError, LaunchOptions, Played, Replay, ReplayEnd, SimulatedWorld, StrategyRegistry,
};

use crate::SECOND_NS;
use crate::faults::{self, MS, command, trouble};
use crate::heard::{Heard, Notes, registry};

/// Seeds that every change is tried with, and the virtual time of each.
const SEEDS: u64 = 20;
const TROUBLE_S: u64 = 20;
const CALM_S: u64 = 5;

/// What is left of a recorded day.
struct Day {
    sums: Sums,
    notes: Notes,
    happened: Vec<(&'static str, u64)>,
}

fn config(seed: u64) -> Config {
    let mut config = faults::config();
    if trouble(seed).0.files.torn_ppm > 0 {
        config.journal.durability = JournalDurability::None;
    }
    config
}

/// A day of trouble, recorded in `folder`.
fn record(seed: u64, folder: &Path) -> Day {
    let heard = Heard::default();
    let (options, venue_faults) = trouble(seed);
    let launch = LaunchOptions { venue_faults, ..LaunchOptions::default() };
    let mut world = SimulatedWorld::new(&options).unwrap();
    world.record_in(&Files::Real, folder).unwrap();
    let registry = registry(&heard, false);
    let mut engine = world.launch(&config(seed), &registry, &launch, options.holds).unwrap();
    let mut random = SplitMix64::new(seed ^ 0x7265_706c_6179);
    while engine.now_ns() < TROUBLE_S * SECOND_NS {
        engine.run_ns(random.between(MS, 4 * SECOND_NS));
        let _ = engine.operate(command(&mut random));
    }
    engine.calm_venues();
    engine.net().set_conditions(NetConditions::default());
    engine.run_ns(CALM_S * SECOND_NS);
    let _ = engine.status();
    let _ = engine.stop(10 * SECOND_NS);
    let (net, files, trades) = (
        engine.net_totals(),
        engine.files().totals(),
        engine.ledgers().iter().map(|ledger| ledger.trades.len() as u64).sum(),
    );
    let sums = engine.sums().expect("it is recorded");
    let report = engine.finish();
    let happened = vec![
        ("splits", net.splits),
        ("stalls", net.stalls),
        ("cuts", net.cuts),
        ("silences", net.silences),
        ("refused connections", net.refused),
        ("torn writes", files.torn),
        ("trades", trades),
        ("reconnects", report.venues.iter().map(|it| it.counters.reconnects).sum()),
        ("flips", report.routing.flips),
    ];
    Day { sums, notes: heard.notes(), happened }
}

fn play(
    seed: u64,
    folder: &Path,
    config: &Config,
    registry: &StrategyRegistry,
) -> Result<Played, LaunchError> {
    let replay = Replay::of_simulated(&Files::Real, folder, &trouble(seed).0)?;
    replay.play(config, registry, &LaunchOptions::default())
}

#[test]
fn twenty_recorded_days_of_trouble_are_replayed_to_the_same_hash() {
    let one = std::env::var("PITLANE_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let mut sums = BTreeMap::<&str, u64>::new();
    for seed in one.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("record");
        let day = record(seed, &folder);
        let heard = Heard::default();
        let played = play(seed, &folder, &config(seed), &registry(&heard, false)).unwrap();
        let calls: u64 = day.sums.consumers.iter().map(|sum| sum.calls).sum();
        println!("seed {seed}: {calls} callbacks, {:016x}: {:?}", day.sums.hash(), played.end);
        assert_eq!(played.end, ReplayEnd::Equal, "seed {seed}: at {:?}", played.agent);
        assert_eq!(played.sums, day.sums, "seed {seed}");
        assert_eq!(played.recorded.as_ref(), Some(&day.sums), "seed {seed}");
        let notes = heard.notes();
        let seen = (notes.hash, notes.calls, &notes.held);
        assert_eq!(seen, (day.notes.hash, day.notes.calls, &day.notes.held), "seed {seed}");
        assert!(calls > 50, "seed {seed}: {calls} callbacks");
        day.happened.iter().for_each(|(what, count)| *sums.entry(what).or_default() += count);
    }
    println!("{sums:#?}");
    assert!(one.is_some() || sums.values().all(|count| *count > 0), "some never were: {sums:?}");
}

#[test]
fn another_parameter_differs_and_the_first_difference_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("record");
    record(3, &folder);
    let mut config = config(3);
    let maker = config.consumers.iter_mut().find(|it| it.strategy == "market_maker").unwrap();
    maker.params = "distance_ticks = 7".parse().unwrap();
    let played = play(3, &folder, &config, &registry(&Heard::default(), false)).unwrap();
    let ReplayEnd::Differs(difference) = &played.end else { panic!("{:?}", played.end) };
    println!("{difference} at {:?}", played.agent);
    assert!(difference.cycle > 0 && played.agent.is_some(), "{difference:?}");
}

#[test]
fn a_strategy_that_reads_real_time_is_given_what_was_recorded_and_nothing_else_hears_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("record");
    let day = record(4, &folder);
    let heard = Heard::default();
    let played = play(4, &folder, &config(4), &registry(&heard, true)).unwrap();
    // What it did with that time was nothing that left the engine.
    assert_eq!(played.end, ReplayEnd::Equal);
    assert_ne!(heard.notes().hash, day.notes.hash);
}

#[test]
fn one_flipped_byte_is_refused_and_a_cut_end_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("record");
    record(5, &folder);
    let path = folder.join("tape-000000");
    let whole = fs::read(&path).unwrap();
    let mut random = SplitMix64::new(5);
    for _ in 0..20 {
        let mut bytes = whole.clone();
        let at = random.between(0, bytes.len() as u64 - 1) as usize;
        bytes[at] ^= 1 << random.between(0, 7);
        fs::write(&path, &bytes).unwrap();
        let refused = play(5, &folder, &config(5), &registry(&Heard::default(), false)).err();
        let is_tape = matches!(
            refused,
            Some(LaunchError::Tape(
                TapeError::Damaged { .. } | TapeError::NotATape { .. } | TapeError::Version { .. }
            ))
        );
        assert!(is_tape, "byte {at}: {refused:?}");
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let played = play(5, &folder, &config(5), &registry(&Heard::default(), false)).unwrap();
    assert_eq!((played.end, played.recorded), (ReplayEnd::Cut, None));
    fs::remove_file(&path).unwrap();
    let refused = play(5, &folder, &config(5), &registry(&Heard::default(), false)).err();
    assert!(matches!(refused, Some(LaunchError::Tape(TapeError::NoRecord { .. }))));
}
