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

/// The plan files of a folder beside this one, in the order of their names: name, and text.
fn plan_files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let read = |file: std::path::PathBuf| {
        (file.display().to_string(), std::fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// What a plan file's run comes to, without a violation.
fn healed(name: &str, text: &str) -> Outcome {
    let outcome = outcome(&draw(0, TROUBLE_MS).with_file(text).unwrap());
    println!("{name}: {} events", outcome.events);
    assert!(outcome.violations.is_empty(), "{name}: {:#?}", outcome.violations);
    outcome
}

#[test]
fn days_that_went_wrong_once_heal() {
    for (name, text) in plan_files("plans") {
        healed(&name, &text);
    }
}

#[test]
fn days_on_which_other_engines_lost_orders_heal_and_are_as_bad_as_they_say() {
    for (name, text) in plan_files("losses") {
        let outcome = healed(&name, &text);
        let marks = text.lines().find_map(|line| line.strip_prefix("# reaches: "));
        for mark in marks.expect("it says what it reaches").split(", ") {
            assert!(outcome.reached[mark] > 0, "{name}: {mark}: {:?}", outcome.reached);
        }
    }
}

#[test]
fn a_bad_day_is_the_same_the_second_time() {
    let hash = |seed| outcome(&draw(seed, 10_000)).hash;
    let first = hash(100);
    assert_eq!(first, hash(100));
    assert_ne!(first, hash(101));
}
