//! Bad days with the built-in strategies: some by seed, and those that once went wrong.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use pitlane_engine::simulation::{Outcome, Plan, draw, run};
use pitlane_strategies::builtin;

/// Seeds that every change is tried with, and their trouble, ms; `pitlane simulate` has more.
const SEEDS: u64 = 4;
const TROUBLE_MS: u64 = 30_000;

fn outcome(plan: &Plan) -> Outcome {
    run(plan, &builtin(), &AtomicBool::new(false)).unwrap()
}

#[test]
fn bad_days_by_seed_heal() {
    for seed in 0..SEEDS {
        let outcome = outcome(&draw(seed, TROUBLE_MS));
        println!("seed {seed}: {} events, {} trades", outcome.events, outcome.trades);
        println!("{:?}", draw(seed, TROUBLE_MS).venues);
        assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
        assert!(outcome.events > 1_000, "seed {seed}: {} events", outcome.events);
    }
}

#[test]
fn days_that_went_wrong_once_heal() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let plan = draw(0, TROUBLE_MS).with_file(&text).unwrap();
        let outcome = outcome(&plan);
        println!("{}: {} events", file.display(), outcome.events);
        assert!(outcome.violations.is_empty(), "{}: {:#?}", file.display(), outcome.violations);
    }
}

#[test]
fn a_bad_day_is_the_same_the_second_time() {
    let hash = |seed| outcome(&draw(seed, 10_000)).hash;
    let first = hash(100);
    assert_eq!(first, hash(100));
    assert_ne!(first, hash(101));
}
