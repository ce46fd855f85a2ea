//! `latency top` on an engine's socket, with an engine that says what the test wants.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use pitlane_engine::control::protocol::{ControlRequest, Reply, ReplyLine};
use pitlane_engine::control::{ConsumerStatus, Refusal, StageStatus, Status, parse_line};
use pitlane_engine::telemetry::LatencyFigures;

fn top(path: &Path, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_latency"))
        .arg("top")
        .arg(path)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn reading() -> ReplyLine {
    let latency = LatencyFigures { count: 9, p50_ns: 1_500, max_ns: 2_000, ..Default::default() };
    let noop = || ConsumerStatus {
        name: "noop".into(),
        state: "running".into(),
        handled: 4_242,
        ..Default::default()
    };
    let status = Status {
        run: "run-77".into(),
        consumers: vec![noop()],
        stages: vec![StageStatus { name: "end_to_end".into(), latency }],
        ..Default::default()
    };
    ReplyLine::of(None, Ok(Reply::Status(Box::new(status))))
}

/// Takes one client, sees that it wants to watch, and sends it one reading.
fn watched(listener: &UnixListener) -> UnixStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut line = String::new();
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
    let asked = parse_line(line.trim_end().as_bytes()).unwrap();
    assert!(matches!(asked.request, ControlRequest::Watch { .. }), "{line}");
    send(&mut stream, &reading());
    stream
}

fn send(stream: &mut UnixStream, line: &ReplyLine) {
    writeln!(stream, "{}", serde_json::to_string(line).unwrap()).unwrap();
}

fn ended(child: Child) -> (Output, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

#[test]
fn top_shows_an_engines_readings_until_it_stops() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pitlane.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let child = top(&path, &[]);
    let mut stream = watched(&listener);
    send(&mut stream, &reading());
    send(&mut stream, &ReplyLine::of(None, Err(Refusal::Stopping)));
    let (output, out, err) = ended(child);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(out.contains("run-77") && out.contains("4,242") && out.contains("1.500"), "{out}");
    assert_eq!(err, "the engine has stopped\n");
}

#[test]
fn an_engine_that_goes_away_without_a_word_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pitlane.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let child = top(&path, &["--json"]);
    drop(watched(&listener));
    let (output, out, err) = ended(child);
    assert_eq!(output.status.code(), Some(3));
    let status: Status = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(status.run, "run-77");
    assert_eq!(err, format!("error: the engine at {} has gone away\n", path.display()));
}

#[test]
fn once_is_one_reading_of_the_socket_in_a_runs_folder() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("control")).unwrap();
    let listener = UnixListener::bind(dir.path().join("control/pitlane.sock")).unwrap();
    let child = top(dir.path(), &["--once"]);
    let _open = watched(&listener);
    let (output, out, err) = ended(child);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
    assert!(out.contains("end_to_end"), "{out}");
    drop(listener);
    let (output, _, err) = ended(top(&dir.path().join("control/pitlane.sock"), &["--once"]));
    assert_eq!(output.status.code(), Some(3));
    assert!(err.starts_with("error: no engine listens at "), "{err}");
}

#[test]
fn what_has_no_json_form_says_why() {
    for (args, why) in [
        (&["completions", "bash", "--json"][..], "nothing to say as JSON"),
        (&["processor", "--json"], "percentiles --json"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_latency")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(err.contains(why), "{err}");
    }
}
