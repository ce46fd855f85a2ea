//! What ends a run, in a process of its own: every signal, whatever its output does (LM-16).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
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
    for signal in ["-INT", "-TERM", "-QUIT", "-HUP"] {
        let engine = Engine::start();
        let pid = engine.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let (report, said) = engine.end();
        assert_eq!(report["identity_holds"], true, "{signal}: {said}");
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{signal}: {said}");
    }
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

/// As a terminal that was stopped by Ctrl-S, or a reader that does not read (EDGE-32, F36).
#[test]
fn an_output_that_takes_nothing_holds_up_no_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (err, _kept_open) = full_pipe(&dir.path().join("full"));
    let started = Instant::now();
    let mut child = Command::new(PITLANE)
        .args(["run", "--duration", "1s", "--report", "json"])
        .current_dir(dir.path())
        .env("RUST_LOG", "debug")
        .stdout(Stdio::null())
        .stderr(Stdio::from(err))
        .spawn()
        .unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > STOP_MAX {
            child.kill().unwrap();
            panic!("it trades on");
        }
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(0));
}
