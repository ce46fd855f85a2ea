//! What ends a run, in a process of its own: every signal, whatever its output does (LM-16).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod running_engine;
use running_engine::{Engine, PITLANE};

/// Linux: an open file that answers at once.
const O_NONBLOCK: i32 = 0o4000;

/// What a stop may take on a machine that others use as well: the drain deadline is 5 s.
const STOP_MAX: Duration = Duration::from_secs(20);

#[test]
fn each_signal_stops_in_order() {
    for signal in ["-INT", "-TERM", "-QUIT", "-HUP", "-USR1", "-ALRM", "-XCPU"] {
        let engine = Engine::start();
        let pid = engine.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let (report, said) = engine.end();
        assert_eq!(report["identity_holds"], true, "{signal}: {said}");
        // A stop within the first milliseconds refuses the first orders, which is worth a notice.
        let findings = report["findings"].as_array().expect("a list");
        assert!(findings.iter().all(|of| of["kind"] == "notice"), "{signal}: {findings:?}");
    }
}

/// As a terminal does that goes away: by the kernel, by the shell, and by who ends the session.
#[test]
fn hang_ups_are_no_second_signal() {
    let engine = Engine::start();
    let pid = engine.child.id().to_string();
    // By one shell, so that all come before the process has ended.
    let all = ["HUP", "HUP", "USR1", "TERM"].map(|signal| format!("kill -{signal} {pid}"));
    assert!(Command::new("sh").args(["-c", &all.join(" && ")]).status().unwrap().success());
    let (report, said) = engine.end();
    assert_eq!(report["identity_holds"], true, "{said}");
}

#[test]
fn who_ignores_a_hang_up_outlives_its_terminal() {
    let config = "[simulated]\nevents_per_s = 500\n";
    let engine = Engine::start_under("trap '' HUP", config, &[]);
    let pid = engine.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    assert_eq!(engine.json(&["status"])["ok"], true, "it goes on");
    engine.stop();
}

/// A pipe with a name that is full, and stays so as long as the second file is open.
fn full_pipe(path: &Path) -> (File, File) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let both = |flags| OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
    let mut filler = both(O_NONBLOCK).unwrap();
    let block = [b'x'; 4096];
    loop {
        match filler.write(&block) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("filling the pipe: {error}"),
        }
    }
    (both(0).unwrap(), filler)
}

/// Waits for the end of a child.
fn ended(child: &mut std::process::Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > STOP_MAX {
            child.kill().unwrap();
            panic!("it trades on");
        }
        std::thread::yield_now();
    }
}

/// As a terminal that was stopped by Ctrl-S, or a reader that does not read (EDGE-32, F36).
#[test]
fn an_output_that_takes_nothing_holds_up_no_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (err, _pipe) = full_pipe(&dir.path().join("full"));
    let mut child = Command::new(PITLANE)
        .args(["run", "--duration", "1s", "--report", "json"])
        .current_dir(dir.path())
        .env("RUST_LOG", "debug")
        .stdout(Stdio::null())
        .stderr(Stdio::from(err))
        .spawn()
        .unwrap();
    assert_eq!(ended(&mut child).code(), Some(0));
}

/// The report is for that output: it is given up, said so, and left in the run's folder.
#[test]
fn a_report_that_its_output_does_not_take_lies_in_the_folder_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let (out, _pipe) = full_pipe(&dir.path().join("full"));
    let mut child = Command::new(PITLANE)
        .args(["run", "--duration", "1s", "--report", "json"])
        .current_dir(dir.path())
        .stdout(Stdio::from(out))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(ended(&mut child).code(), Some(1));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("standard output takes nothing"), "{said}");
    let (_, path) = said.split_once("the report lies in ").unwrap_or_else(|| panic!("{said}"));
    let path = dir.path().join(path.lines().next().unwrap());
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(report["identity_holds"], true);
}

/// From the first instant on a signal ends a run: by the system while there is nothing to end in
/// order, else in order (LM-16).
#[test]
fn a_signal_at_any_point_of_the_start_ends_the_run() {
    let mut running = Vec::new();
    for number in 0..16 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(PITLANE)
            .args(["run", "--duration", "60s", "--report", "json"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Points of the start, not times: each comes after more of the process' own work. Whatever
        // a build touches, the last ones are in the run itself.
        let stat = format!("/proc/{}/stat", child.id());
        let started = Instant::now();
        while pages_touched(&stat) < 500 * number && started.elapsed().as_secs() < 2 {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        let signal = ["-HUP", "-TERM", "-QUIT", "-INT"][number as usize % 4];
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        running.push((number, signal, child, dir));
    }
    for (number, signal, child, _dir) in &mut running {
        let status = ended(child);
        let is_in_order = status.code() == Some(0);
        let is_by_system = status.signal().is_some();
        assert!(is_in_order || is_by_system, "{signal} at point {number}: {status}");
    }
}

/// How far a process has come, by the pages that it has touched.
fn pages_touched(stat: &str) -> u64 {
    let text = std::fs::read_to_string(stat).unwrap_or_default();
    let (_, fields) = text.rsplit_once(')').unwrap_or_default();
    fields.split_whitespace().nth(7).and_then(|faults| faults.parse().ok()).unwrap_or(u64::MAX)
}
