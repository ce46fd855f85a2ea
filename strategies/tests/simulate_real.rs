//! `pitlane simulate --real`: the shipped binary behind a faulty proxy, judged as in virtual time;
//! and that nothing of it outlives the command.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PITLANE: &str = env!("CARGO_BIN_EXE_pitlane");
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections are cut all the time, and the engine is killed once; nothing else goes wrong.
const PLAN: &str = "end = \"stop\"\nvenue_fault = []\noutage = []\n\
    [load]\nevents_per_s = 200\n[operator]\nevery_ms = 0\n\
    [strategies]\npanic_ppm = 0\nerror_ppm = 0\n\
    [network]\nlatency_us = 100\njitter_us = 100\nsplit_ppm = 50000\nstall_ppm = 0\n\
    cut_ppm = 15000\nsilence_ppm = 0\nrefuse_ppm = 0\n\
    [[crash]]\nat_ms = 2000\nat_write = 0\ndown_ms = 100\nloses_power = false\n\
    again_at_write = 0\n";

fn command(dir: &Path, time: &str) -> Command {
    let plan = dir.join("plan.toml");
    fs::write(&plan, PLAN).unwrap();
    let mut command = Command::new(PITLANE);
    command.args(["simulate", "--real", "--seed", "5", "--for", time, "--json", "--plan"]);
    command.arg(plan).env("TMPDIR", dir).stdin(Stdio::null());
    command
}

/// Names in the folder but for the plan.
fn left_in(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name != "plan.toml").collect()
}

/// Processes whose arguments name something in the folder.
fn processes_in(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let arguments = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let arguments = arguments.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    arguments.filter(|line| line.contains(&dir)).collect()
}

#[allow(clippy::disallowed_methods, reason = "waits for other processes")]
fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_seed_with_cuts_and_a_kill_holds_for_real_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let output = command(dir.path(), "4s").output().unwrap();
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    println!("seed 5: {out}{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    let seed = &told["seeds"][0];
    assert_eq!((output.status.code(), &told["holds"]), (Some(0), &Value::Bool(true)));
    assert_eq!(seed["done"]["kill -9"], 1);
    assert!(seed["done"]["connection cut at a byte"].as_u64().unwrap() > 0);
    assert!(seed["events"].as_u64().unwrap() > 100, "it was told of something");
    // What can't be judged is said, and nothing else is done than what the plan has.
    let numbers = told["not_judged"].as_array().unwrap().iter();
    let numbers: Vec<_> = numbers.map(|it| it["number"].as_u64().unwrap()).collect();
    assert!(numbers.contains(&13) && numbers.contains(&19), "{numbers:?}");
    let done: Vec<_> = seed["done"].as_object().unwrap().keys().collect();
    assert_eq!(done.len(), 2 + usize::from(seed["done"]["write split"] != Value::Null));
    assert_eq!(left_in(dir.path()), [""; 0]);
    assert_eq!(processes_in(dir.path()), [""; 0]);
}

/// Starts a long run, and waits for its engine.
fn started(dir: &Path) -> Child {
    let mut command = command(dir, "60s");
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let engine = |line: &String| line.contains(" run ") && line.contains("--witness");
    wait_for("no engine is started", || processes_in(dir).iter().any(engine));
    child
}

#[test]
fn an_engine_ends_with_the_command_that_was_interrupted_or_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = started(dir.path());
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1), "nothing was judged");
    assert_eq!(left_in(dir.path()), [""; 0]);
    assert_eq!(processes_in(dir.path()), [""; 0]);

    let mut child = started(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("an engine outlives who judges it", || processes_in(dir.path()).is_empty());
}
