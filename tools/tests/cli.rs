//! The command line as a person uses it, without a process around it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use pitlane_engine::StrategyRegistry;
use pitlane_engine::config::Config;
use pitlane_engine::consumer::Closure;
use pitlane_engine::event::Interest;
use pitlane_engine::journal::{Intent, JournalFolder, JournalOptions, NameTable, Named, RunStart};
use pitlane_engine::runtime::Clock;
use pitlane_engine::world::Files;
use pitlane_tools::{Exit, Terminal, run_cli};
use serde_json::Value;
use tempfile::TempDir;
use zerocopy::FromZeros;

/// What a command printed, and how it ended.
struct Ran {
    exit: Exit,
    out: String,
    err: String,
}

fn registry() -> StrategyRegistry {
    // Those of the default run, which the example names.
    let of_example = ["noop", "momentum", "market_maker"];
    let quiet = |registry: StrategyRegistry, name| {
        registry.with(name, |_| Ok(Closure::new(Interest::ALL, |_, _| Ok(()))))
    };
    of_example
        .into_iter()
        .fold(StrategyRegistry::new(), quiet)
        .with("quiet", |_| Ok(Closure::new(Interest::ALL, |_, _| Ok(()))))
        .with("failing", |_| Ok(Closure::new(Interest::ALL, |_, _| Err("as it was told".into()))))
        .with("picky", |params| match params.get("depth") {
            Some(_) => Ok(Closure::new(Interest::ALL, |_, _| Ok(()))),
            None => Err("depth is missing".to_owned()),
        })
}

fn ran_until(line: &[&str], stop: &AtomicBool, err_is_terminal: bool) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal { out: &mut out, err: &mut err, err_is_terminal };
    let args = std::iter::once("pitlane").chain(line.iter().copied());
    let exit = run_cli(args, &registry(), stop, &mut terminal);
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { exit, out: text(out), err: text(err) }
}

fn ran(line: &[&str]) -> Ran {
    ran_until(line, &AtomicBool::new(false), false)
}

/// A journal with two records of a start and `intents` intents, as a killed engine leaves it.
fn journal(folder: &Path, intents: u64) {
    let opened = JournalFolder::open(&Files::Real, folder, |_, _| ()).expect("a folder");
    let options = JournalOptions { segment_bytes: 16 << 10, ..JournalOptions::default() };
    let (mut writer, mut keeper) = opened.start(options, &Clock::manual(0).0).expect("room");
    let named = Named::new(NameTable::Consumer, 3, "evil\u{1b}[2J");
    writer.append(1, &RunStart::new(77, 1)).expect("it is well");
    writer.append(1, &named).expect("it is well");
    for id in 1..=intents {
        keeper.make_room(&mut writer).expect("room");
        let mut intent = Intent::new_zeroed();
        (intent.client_order_id, intent.consumer) = (id, 3);
        (intent.action_code, intent.side_code) = (1, 1);
        writer.append(1_000_000_000, &intent).expect("it is well");
    }
}

#[test]
fn a_journal_is_listed_verified_dumped_and_exported() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().to_str().expect("it is UTF-8");
    assert_eq!(ran(&["journal", "verify", path]).exit, Exit::Unreadable);
    journal(folder.path(), 300);
    let verified = ran(&["journal", "verify", path]);
    assert_eq!((verified.exit, verified.err.as_str()), (Exit::Ok, ""));
    assert!(verified.out.starts_with("302 records in 3 segments of 1 starts"), "{}", verified.out);
    let listed = ran(&["journal", "ls", path]);
    assert_eq!(listed.exit, Exit::Ok);
    let dumped = ran(&["journal", "dump", path, "--last", "2", "--strategy", "evil\u{1b}[2J"]);
    assert_eq!((dumped.exit, dumped.out.lines().count()), (Exit::Ok, 2), "{}", dumped.out);
    assert!(dumped.out.contains("p77-3-300") && !dumped.out.contains('\u{1b}'), "{}", dumped.out);
    let exported = ran(&["journal", "export", path, "--order", "7"]);
    let line: Value = serde_json::from_str(&exported.out).expect("one line of JSON");
    assert_eq!((&line["order"], &line["name"]), (&Value::from(7), &Value::from("p77-3-7")));
    let csv = ran(&["journal", "export", path, "--format", "csv"]);
    assert_eq!(csv.out.lines().count(), 303);
    assert!(!csv.out.contains('\u{1b}'));
    assert!(ran(&["journal", "stats", path]).out.contains("302 records"));
    let wrong = ran(&["journal", "dump", path, "--kind", "fills"]);
    assert!(wrong.exit == Exit::Usage && wrong.err.contains("expected one of run_start"));
}

#[test]
fn a_journal_is_never_waited_for_and_its_export_overwrites_nothing() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().to_str().expect("it is UTF-8");
    journal(folder.path(), 3);
    let segment = folder.path().join("000000000001.journal");
    let before = fs::read(&segment).expect("the segment");
    let output = segment.to_str().expect("it is UTF-8");
    let refused = ran(&["journal", "export", path, "--output", output]);
    assert_eq!(refused.exit, Exit::Unreadable);
    assert!(refused.err.contains("File exists"), "{}", refused.err);
    assert_eq!(fs::read(&segment).expect("the segment"), before);
    fs::remove_file(&segment).expect("the segment");
    assert!(Command::new("mkfifo").arg(&segment).status().expect("mkfifo").success());
    for verb in ["ls", "verify", "dump", "stats", "export"] {
        let refused = ran(&["journal", verb, path]);
        assert_eq!(refused.exit, Exit::Unreadable, "{verb}");
        assert!(refused.err.contains("no regular file"), "{}", refused.err);
    }
}

#[test]
fn a_damaged_journal_is_told_by_file_byte_and_reason() {
    let folder = TempDir::new().expect("a temporary folder");
    journal(folder.path(), 300);
    let first = folder.path().join("000000000001.journal");
    let mut bytes = fs::read(&first).expect("the segment");
    bytes[2_000] ^= 1;
    fs::write(&first, &bytes).expect("the segment");
    let verified = ran(&["journal", "verify", folder.path().to_str().expect("it is UTF-8")]);
    assert_eq!(verified.exit, Exit::Failed);
    for part in ["000000000001.journal, byte 1", "torn or has rotted", "2 segments behind it"] {
        assert!(verified.err.contains(part), "{}", verified.err);
    }
}

/// A configuration with one consumer of `strategy` and everything else as small as it may be.
fn file(folder: &TempDir, strategy: &str, more: &str) -> String {
    let path = folder.path().join("my.toml");
    let runs = folder.path().join("runs");
    let text = format!(
        "[engine]\nrun_dir = {runs:?}\nwarm_up_ms = 0\n[cores]\npin = false\n\
         [telemetry]\ninterval_ms = 100\n{more}\n[[consumer]]\nstrategy = \"{strategy}\"\n"
    );
    fs::write(&path, text).expect("the temporary folder takes a file");
    path.display().to_string()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is a temporary folder")
}

#[test]
fn help_and_version_are_results_and_not_errors() {
    for line in [["--help"], ["--version"], ["-h"]] {
        let ran = ran(&line);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Ok, ""));
        assert!(ran.out.contains("pitlane"), "{}", ran.out);
    }
    assert!(ran(&["run", "--help"]).out.contains("--recording"));
}

#[test]
fn a_wrong_command_line_is_code_2_and_says_why() {
    let wrong = ran(&["--duration", "10"]);
    assert_eq!((wrong.exit.code(), wrong.out.as_str()), (2, ""));
    assert!(wrong.err.contains("500ms, 10s, 5m or 1h"), "{}", wrong.err);
    assert_eq!(ran(&["fly"]).exit, Exit::Usage);
}

#[test]
fn the_example_checks_out() {
    let example = ran(&["config", "example"]);
    assert_eq!((example.exit, example.out), (Exit::Ok, Config::example()));
    let folder = folder();
    let path = folder.path().join("example.toml");
    fs::write(&path, Config::example()).expect("the temporary folder takes a file");
    let path = path.display().to_string();
    let checked = ran(&["config", "check", &path]);
    assert_eq!((checked.exit, checked.out), (Exit::Ok, format!("{path}: no problem found\n")));
}

#[test]
fn what_the_check_accepts_a_run_starts() {
    // K16: the check knew neither strategies, nor their params, nor the cores.
    let folder = folder();
    let said = |strategy: &str, more: &str| {
        let path = file(&folder, strategy, more);
        let ran = ran(&["config", "check", &path]);
        (ran.exit, ran.err)
    };
    let (exit, err) = said("unheard", "");
    assert!(exit == Exit::Usage && err.contains("no strategy \"unheard\""), "{exit:?} {err}");
    let (exit, err) = said("picky", "");
    assert!(exit == Exit::Usage && err.contains("depth is missing"), "{exit:?} {err}");
    assert_eq!(said("quiet", "").0, Exit::Ok);
    let path = file(&folder, "quiet", "");
    let text = fs::read_to_string(&path).expect("it was just written");
    fs::write(&path, text.replace("pin = false", "dispatch = 1023")).expect("it takes a file");
    assert_eq!(ran(&["config", "check", &path]).exit, Exit::StartRefused);
}

#[test]
fn a_wrong_file_is_code_2_with_line_and_column_and_a_missing_one_is_code_3() {
    let folder = folder();
    let path = folder.path().join("bad.toml");
    fs::write(&path, "[engine]\nbach = 3\n[lanes]\nmarket = 1000\n").expect("it takes a file");
    let path = path.display().to_string();
    let check: &[&str] = &["config", "check", &path];
    let lines: [&[&str]; 3] = [check, &["plan", "--config", &path], &["run", "--config", &path]];
    for line in lines {
        let ran = ran(line);
        assert_eq!((ran.exit.code(), ran.out.as_str()), (2, ""), "{line:?}");
        assert!(
            ran.err.starts_with(&format!("{path}:2:1: engine.bach: unknown key")),
            "{}",
            ran.err
        );
        assert!(
            ran.err.contains(&format!("{path}:4:10: lanes.market: 1000 is not")),
            "{}",
            ran.err
        );
    }
    let missing = ran(&["run", "--config", "no/such.toml"]);
    assert_eq!(missing.exit.code(), 3);
    assert!(missing.err.contains("no/such.toml: cannot be read"), "{}", missing.err);
    assert_eq!(ran(&["run", "--recording", "no/such/folder"]).exit.code(), 3);
}

#[test]
fn a_core_that_is_not_there_is_code_4_before_any_thread_starts() {
    // F28
    let folder = folder();
    let path = file(&folder, "quiet", "");
    let text = fs::read_to_string(&path).expect("it was just written");
    fs::write(&path, text.replace("pin = false", "dispatch = 1023")).expect("it takes a file");
    for verb in ["plan", "run"] {
        let ran = ran(&[verb, "--config", &path]);
        assert_eq!((ran.exit.code(), ran.out.as_str()), (4, ""));
        assert!(ran.err.contains("core 1023 is not available; available: "), "{}", ran.err);
    }
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn strategies_that_are_unknown_or_refuse_their_params_are_code_2_with_their_place() {
    let folder = folder();
    let unknown = ran(&["--config", &file(&folder, "nobody", "")]);
    assert_eq!(unknown.exit.code(), 2);
    assert!(
        unknown.err.contains("failing, market_maker, momentum, noop, picky, quiet"),
        "{}",
        unknown.err
    );
    let picky = ran(&["--config", &file(&folder, "picky", "")]);
    assert_eq!(picky.exit.code(), 2);
    assert!(picky.err.contains("depth is missing"), "{}", picky.err);
    assert!(picky.err.contains("my.toml:"), "{}", picky.err);
}

#[test]
fn the_plan_shows_threads_and_lanes_and_starts_nothing() {
    let plan = ran(&["plan"]);
    assert_eq!(plan.exit, Exit::Ok);
    assert!(plan.out.contains("dispatcher") && plan.out.contains("slot bytes"), "{}", plan.out);
    assert!(plan.out.lines().all(|line| line.chars().count() <= 100), "{}", plan.out);
    let json: Value = serde_json::from_str(&ran(&["plan", "--json"]).out).expect("it is JSON");
    let lanes = json["lanes"].as_array().expect("there are lanes");
    let bytes = |lane: &Value| {
        ["lanes", "slots", "slot_bytes"]
            .map(|key| lane[key].as_u64().unwrap())
            .iter()
            .product::<u64>()
    };
    let sum: u64 = lanes.iter().map(bytes).sum();
    assert_eq!(json["lane_bytes"].as_u64(), Some(sum));
    assert!(!Path::new("runs").exists());
}

#[test]
fn a_run_reports_in_tables_and_holds_its_accounts() {
    let folder = folder();
    let path = file(&folder, "quiet", "");
    let ran = ran(&["run", "--config", &path, "--duration", "300ms"]);
    assert_eq!(ran.exit, Exit::Ok, "{}{}", ran.out, ran.err);
    for text in ["Core plan", "every account holds", "Accounts", "Latency", "Venues", "Threads"] {
        assert!(ran.out.contains(text), "{text} is missing from:\n{}", ran.out);
    }
    assert_eq!(ran.err, "", "not a terminal: no status line");
    for line in ran.out.lines() {
        let is_path = line.contains(&folder.path().display().to_string());
        assert!(is_path || line.chars().count() <= 100, "{line}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}

#[test]
fn a_json_report_is_alone_on_stdout() {
    let folder = folder();
    let path = file(&folder, "quiet", "");
    let ran = ran(&["--config", &path, "--duration", "300ms", "--report", "json", "--seed", "3"]);
    assert_eq!(ran.exit, Exit::Ok, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("Core plan"), "the plan is beside it");
    let report: Value = serde_json::from_str(&ran.out).expect("stdout is one JSON object");
    assert_eq!(report["identity_holds"], true);
    assert_eq!(report["critical_lost"], 0);
    assert_eq!(report["consumers"][0]["name"], "quiet");
    assert!(report["events_published"].as_u64() > Some(0));
}

#[test]
fn who_is_stopped_before_the_engine_says_so() {
    let folder = folder();
    let path = file(&folder, "quiet", "");
    let ran = ran_until(&["--config", &path], &AtomicBool::new(true), false);
    assert_eq!(ran.exit, Exit::Ok, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("stopped before the engine was started"), "{}", ran.err);
}

#[test]
fn a_terminal_gets_a_status_line_without_escapes() {
    let folder = folder();
    let path = file(&folder, "quiet", "");
    let line = ["--config", &path, "--duration", "500ms"];
    let ran = ran_until(&line, &AtomicBool::new(false), true);
    assert_eq!(ran.exit, Exit::Ok, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("events/s") && ran.err.ends_with('\n'), "{:?}", ran.err);
    assert!(!ran.err.contains('\u{1b}'));
}

#[test]
fn failures_are_listed_by_site() {
    let folder = folder();
    let path = file(&folder, "failing", "");
    let ran = ran(&["--config", &path, "--duration", "300ms"]);
    assert_eq!(ran.exit, Exit::Ok, "a contained failure is no broken account: {}", ran.err);
    assert!(ran.out.contains("Failures of callbacks"), "{}", ran.out);
    assert!(ran.out.contains("as it was told"), "{}", ran.out);
}

#[test]
fn bench_names_what_it_did_not_reach_and_keeps_a_log_a_rate() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8").to_owned();
    // Ten million events a second to ten consumers is more than any machine does.
    let line = ["bench", "--rates", "500,10M", "--duration", "300ms", "--warm-up", "200ms"];
    let ran = ran(&[&line[..], &["--out", &out, "--json"]].concat());
    let results: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(results[0]["identity_holds"], true);
    assert!(results[0]["end_to_end"]["count"].as_u64().expect("a count") > 0);
    assert_eq!((results[1]["is_reached"].clone(), ran.exit.code()), (Value::Bool(false), 1));
    assert_eq!(results[1]["critical_lost"], 0);
    let log = fs::read_to_string(folder.path().join("rate-10000000.FAIL.hlog")).expect("a log");
    for line in ["#[Build: ", "#[Host: ", "#[Load: ", "#[Achieved: "] {
        assert!(log.contains(line), "{line} is missing");
    }
}
