//! A live run that is recorded, over real sockets, is replayed to the same callbacks and bytes.

mod common;
mod running_engine;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use common::{ONE_AT_A_TIME, PATIENCE, PEM, Run, run_of};
use pitlane_engine::config::Config;
use pitlane_engine::report::Report;
use pitlane_engine::runtime::Pinned;
use pitlane_engine::world::Files;
use pitlane_engine::world::tape::TapeError;
use pitlane_engine::{
    LaunchError, LaunchOptions, Played, RecordRun, Replay, ReplayEnd, launch_recorded,
};
use running_engine::{Engine, PITLANE, text};

#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

const BYTES_MAX: u64 = 1 << 30;

/// A run with trading against the simulated venue, until its warm-up is long over.
fn record(folder: &Path, bytes_max: u64) -> (Config, Report) {
    record_of(run_of(&["noop", "momentum", "market_maker"]), folder, bytes_max)
}

fn record_of(mut run: Run, folder: &Path, bytes_max: u64) -> (Config, Report) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    run.config.simulated.events_per_s = 1_000;
    let record = RecordRun { folder: folder.to_owned(), bytes_max };
    let config = run.config.clone();
    let engine =
        launch_recorded(run.config, &run.registry, LaunchOptions::default(), record).unwrap();
    let started = Instant::now();
    let is_enough = || {
        let status = engine.status();
        status.uptime_ns > 2_500_000_000 && status.events_in > 4_000
    };
    while !is_enough() {
        assert!(started.elapsed() < PATIENCE, "{:?}", engine.status());
        assert!(!engine.has_failed(), "its thread has ended");
        std::thread::yield_now();
    }
    (config, engine.stop().expect("it comes back"))
}

fn play(folder: &Path, config: Option<&Config>) -> Result<Played, LaunchError> {
    let replay = Replay::open(&Files::Real, folder)?;
    let own = replay.config().expect("its configuration is kept");
    let registry = pitlane_strategies::builtin();
    replay.play(config.unwrap_or(&own), &registry, &LaunchOptions::default())
}

#[test]
fn a_live_run_is_replayed_to_its_hash_and_its_recording_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("record");
    let (config, report) = record(&folder, BYTES_MAX);
    let kept = report.record.as_ref().expect("it was recorded");
    assert_eq!(kept.ended_early, None);
    assert_eq!(report.allocations_steady_state, Some(0));
    assert!(report.identity_holds && report.critical_lost == 0, "{report:#?}");
    let maker = report.consumers.iter().find(|it| it.name == "market_maker").unwrap();
    assert!(maker.orders.submitted > 0 && maker.orders.fills > 0, "{:?}", maker.orders);
    assert!(report.threads.iter().any(|it| it.name == "engine" && it.pinned == Pinned::Yes));
    assert!(kept.sums.sessions.iter().any(|sum| sum.place.contains("/ws-api")), "{kept:?}");

    let played = play(&folder, None).unwrap();
    assert_eq!(played.end, ReplayEnd::Equal, "at {:?}", played.agent);
    assert_eq!((played.sums.hash(), &played.sums), (kept.hash, &kept.sums));
    let of = |report: &Report| {
        let of_each = report.consumers.iter();
        of_each.map(|it| (it.terms, it.orders)).collect::<Vec<_>>()
    };
    assert_eq!(of(&played.report), of(&report));

    let mut other = config;
    let maker = other.consumers.iter_mut().find(|it| it.strategy == "market_maker").unwrap();
    maker.params = "distance_ticks = 9".parse().unwrap();
    let played = play(&folder, Some(&other)).unwrap();
    let ReplayEnd::Differs(difference) = played.end else { panic!("{:?}", played.end) };
    assert!(difference.cycle > 0 && difference.what.contains("other bytes"), "{difference}");

    let path = folder.join("tape-000000");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let refused = play(&folder, None).err();
    assert!(matches!(refused, Some(LaunchError::Tape(TapeError::Damaged { .. }))), "{refused:?}");
}

#[test]
fn a_record_that_is_full_ends_there_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("record");
    let (_, report) = record(&folder, 300_000);
    let kept = report.record.as_ref().expect("a part of it was recorded");
    assert!(kept.bytes <= 300_000 && kept.bytes > 200_000, "{kept:?}");
    assert!(kept.ended_early.is_some(), "{kept:?}");
    assert!(report.identity_holds);
    assert_eq!(play(&folder, None).unwrap().end, ReplayEnd::Cut);
}

#[test]
fn consumers_on_cores_of_their_own_are_not_recorded() {
    let mut run = run_of(&["noop"]);
    (run.config.cores.dispatch, run.config.cores.consumers) = (Some(0), Some(vec![1]));
    let folder = tempfile::tempdir().unwrap();
    let record = RecordRun { folder: folder.path().join("record"), bytes_max: BYTES_MAX };
    let launched = launch_recorded(run.config, &run.registry, LaunchOptions::default(), record);
    let refused = launched.err().map(|error| error.to_string()).unwrap_or_default();
    let is_said = refused.contains("cores.consumers") && refused.contains("one core");
    // On a machine with one core the second is not there at all.
    assert!(is_said || refused.contains("not available"), "{refused}");
}

#[test]
fn the_journal_of_the_run_before_is_in_the_record_whole_and_nothing_else_of_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let record_on = |name: &str| {
        let mut run = run_of(&["market_maker"]);
        run.config.journal.dir = Some(journal.clone());
        // More than there is room for on the way to the disk; too long to be taken for pauses.
        let pauses = run.config.engine.run_dir.join("venue_pauses.json");
        fs::write(pauses, vec![b' '; 3 << 20]).unwrap();
        let folder = dir.path().join(name);
        let (_, report) = record_of(run, &folder, BYTES_MAX);
        let kept = report.record.expect("it was recorded");
        assert_eq!((kept.ended_early, kept.has_failed), (None, false));
        assert_eq!(play(&folder, None).unwrap().end, ReplayEnd::Equal, "{name}");
        folder
    };
    record_on("first");
    common::write_key(&journal.join("venue.pem"));
    let kept = fs::read(record_on("second").join("tape-000000")).unwrap();
    let secret = PEM.lines().nth(1).unwrap().as_bytes();
    assert!(!kept.windows(secret.len()).any(|part| part == secret));
}

#[test]
fn a_start_that_is_refused_leaves_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("new").join("above").join("record");
    let mut run = run_of(&["noop"]);
    fs::write(dir.path().join("file"), "").unwrap();
    run.config.control.socket = Some(dir.path().join("file").join("socket"));
    let record = RecordRun { folder: folder.clone(), bytes_max: BYTES_MAX };
    let launched = launch_recorded(run.config, &run.registry, LaunchOptions::default(), record);
    assert!(launched.is_err(), "it listens in a file");
    assert!(!dir.path().join("new").exists(), "nor the folders that were made for it");
}

fn replay(args: &[&str]) -> Output {
    Command::new(PITLANE).arg("replay").args(args).output().unwrap()
}

#[test]
fn what_operators_do_is_replayed_and_a_trace_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("record").display().to_string();
    let config = "[simulated]\nevents_per_s = 500\n";
    let engine = Engine::start_on(config, &["--record-run", &folder]);
    let dir_of_engine = engine.dir.path();
    let own = fs::read_to_string(dir_of_engine.join("pitlane.toml")).unwrap();
    running_engine::reading(&engine, |_| trace_of_an_order(dir_of_engine).is_some());
    let order = trace_of_an_order(dir_of_engine);
    assert!(engine.done(&["status"]).contains("Recorded for a replay"));
    engine.done(&["mode", "off"]);
    engine.done(&["consumer", "pause", "momentum"]);
    engine.done(&["mode", "on"]);
    engine.done(&["consumer", "resume", "momentum"]);
    let (report, _) = engine.stop();
    let hash = report["record"]["hash"].as_u64().unwrap();

    let played = replay(&[&folder]);
    let out = text(&played.stdout);
    assert_eq!(played.status.code(), Some(0), "{out}{}", text(&played.stderr));
    assert!(out.contains(&format!("Equal: hash {hash:016x}")), "{out}");

    let trace = order.expect("an order was sent").to_string();
    let explained = replay(&[&folder, "--explain", &trace]);
    let out = text(&explained.stdout);
    assert_eq!(explained.status.code(), Some(0), "{out}");
    for part in ["read from", "decoded", "dispatched", "callback of", "order ", "sent to", "answer"]
    {
        assert!(out.contains(part), "{part} is missing from {out}");
    }
    let until = replay(&[&folder, "--until", &trace]);
    let out = text(&until.stdout);
    assert_eq!(until.status.code(), Some(0), "{out}");
    assert!(out.contains(&format!("trace {trace}")) && out.contains("Stopped there"), "{out}");
    let unknown = replay(&[&folder, "--until", "18446744073709551615"]);
    assert_eq!(unknown.status.code(), Some(1));

    // What differs is no less so where somebody looks at a trace.
    let other = dir.path().join("other.toml").display().to_string();
    fs::write(&other, format!("{own}\n[risk]\ntrading = false\n")).unwrap();
    for asked in ["--explain", "--until"] {
        let differs = replay(&[&folder, "--config", &other, asked, "18446744073709551615"]);
        let out = text(&differs.stdout);
        assert_eq!(differs.status.code(), Some(1), "{out}");
        assert!(out.contains("DIFFERS: "), "{asked}: {out}");
    }
    let path = Path::new(&folder).join("tape-000000");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1_000]).unwrap();
    for asked in [&[][..], &["--explain", &trace]] {
        let cut = replay(&[&[folder.as_str()], asked].concat());
        assert_eq!(cut.status.code(), Some(8), "{}", text(&cut.stdout));
        assert!(text(&cut.stdout).contains("has no end"), "{}", text(&cut.stdout));
    }
    // Of a run that ended at once there is no more than what it was: the first block.
    let first = u32::from_le_bytes(whole[16..20].try_into().unwrap()) as usize;
    fs::write(&path, &whole[..16 + 12 + first]).unwrap();
    let cut = replay(&[&folder]);
    let said = text(&cut.stderr);
    assert!(cut.status.code() == Some(8) && said.contains("before the engine"), "{said}");
    let missing = replay(&[dir.path().to_str().unwrap()]);
    assert_eq!(missing.status.code(), Some(3), "{}", text(&missing.stderr));
}

/// The trace of the event that an order followed, as the file of orders has it.
fn trace_of_an_order(dir: &Path) -> Option<u64> {
    let runs = fs::read_dir(dir.join("runs")).unwrap();
    let paths = runs.map(|run| run.unwrap().path().join("orders.jsonl"));
    let lines: Vec<_> = paths.filter_map(|path| fs::read_to_string(path).ok()).collect();
    let lines = lines.iter().flat_map(|lines| lines.lines());
    let orders = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    orders.filter_map(|order| order["decision_id"].as_u64()).find(|trace| *trace != 0)
}
