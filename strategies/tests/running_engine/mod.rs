//! An engine in a process of its own, and its operator in others.

#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub const PITLANE: &str = env!("CARGO_BIN_EXE_pitlane");

/// A running engine with the simulated venue; killed when the test ends before it.
pub struct Engine {
    pub child: Child,
    pub err: BufReader<std::process::ChildStderr>,
    pub socket: PathBuf,
    pub dir: tempfile::TempDir,
}

impl Engine {
    pub fn start() -> Engine {
        Engine::start_with(&[])
    }

    pub fn start_with(args: &[&str]) -> Engine {
        Engine::start_on("[simulated]\nevents_per_s = 500\n", args)
    }

    /// Starts one by a configuration without `[cores]`; its `[engine]` comes first.
    pub fn start_on(config: &str, args: &[&str]) -> Engine {
        Engine::start_under(":", config, args)
    }

    /// The same by a shell that says this before.
    pub fn start_under(before: &str, config: &str, args: &[&str]) -> Engine {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pitlane.toml");
        let runs = dir.path().join("runs");
        let engine = format!("[engine]\nrun_dir = {:?}\n", runs.display().to_string());
        let text = format!("[cores]\npin = false\n{}", with_engine(config, &engine));
        std::fs::write(&path, text).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before}; exec \"$0\" \"$@\""), PITLANE])
            .args(["run", "--report", "json", "--duration", "60s", "--config"])
            .arg(&path)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mark = "[control] listening at ";
        let line = line_with(&mut err, mark);
        let socket = PathBuf::from(line.split_once(mark).unwrap().1);
        Engine { child, err, socket, dir }
    }

    pub fn ctl(&self, args: &[&str]) -> Output {
        let mut command = Command::new(PITLANE);
        command.arg("ctl").arg("--socket").arg(&self.socket).args(args);
        command.output().unwrap()
    }

    /// What a command prints; it was carried out.
    pub fn done(&self, args: &[&str]) -> String {
        let output = self.ctl(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What a command complains of; it was refused.
    pub fn refused(&self, args: &[&str]) -> String {
        let output = self.ctl(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.ctl(&[&["--json"], args].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Ends it as an operator does; its report and what else it said.
    pub fn stop(self) -> (Value, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.end()
    }

    /// Waits for its end, which is in order.
    pub fn end(self) -> (Value, String) {
        self.end_with(0)
    }

    /// Waits for its end, by this exit code.
    pub fn end_with(mut self, code: i32) -> (Value, String) {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.err, &mut rest).unwrap();
        let mut out = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        std::io::Read::read_to_string(&mut stdout, &mut out).unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{rest}");
        (serde_json::from_str(&out).unwrap(), rest)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until a line holds `mark`.
pub fn line_with(reader: &mut impl BufRead, mark: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "no {mark:?} was said");
        if line.contains(mark) {
            return line.trim_end().to_owned();
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Waits for a reading that shows what the test needs.
pub fn reading(engine: &Engine, is_there: impl Fn(&Value) -> bool) -> Value {
    let started = std::time::Instant::now();
    loop {
        let status = engine.json(&["status"])["reply"].take();
        if is_there(&status) {
            return status;
        }
        assert!(started.elapsed().as_secs() < 30, "never shown: {status:#}");
    }
}

/// The configuration with these lines in its `[engine]`.
pub fn with_engine(config: &str, engine: &str) -> String {
    match config.strip_prefix("[engine]\n") {
        Some(rest) => format!("{engine}{rest}"),
        None => format!("{engine}{config}"),
    }
}
