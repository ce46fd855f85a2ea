//! F25: what a client can do to the socket, and what it can't.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as Stream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use super::*;
use crate::control::protocol::FlipReport;
use crate::control::protocol::LINE_BYTES_MAX;
use crate::event::ControlCode;
use crate::testing::skipped;

/// A test that waits longer for an answer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts what it is asked to carry out. A subscription is answered after a kill.
#[derive(Clone, Default)]
struct CountingDesk {
    carried_out: Arc<AtomicU64>,
    is_killed: bool,
}

impl Desk for CountingDesk {
    fn carry_out(&mut self, request: ControlRequest) -> Progress {
        self.carried_out.fetch_add(1, SeqCst);
        self.is_killed |= matches!(request, ControlRequest::Kill {});
        Progress::Done(match request {
            ControlRequest::Subscribe(_) => return Progress::Later(7),
            ControlRequest::Mode { trading } => Ok(Reply::Mode { trading, was_trading: !trading }),
            ControlRequest::Routes(_) => Ok(Reply::Routes { version: 1, routes: Vec::new() }),
            ControlRequest::Unmerge { .. } => {
                Err(Refusal::Flip { code: ControlCode::Deadline, reason: "a test".to_owned() })
            }
            other => Err(Refusal::Failed {
                operation: other.verb().to_owned(),
                reason: "a test".to_owned(),
            }),
        })
    }

    fn poll(&mut self, number: u64) -> Option<Outcome> {
        assert_eq!(number, 7);
        self.is_killed.then(|| Ok(Reply::Flip(FlipReport::default())))
    }

    fn status(&mut self) -> Status {
        Status { run: "x".repeat(2_000), ..Status::default() }
    }
}

struct Rig {
    socket: Option<ControlSocket>,
    path: PathBuf,
    carried_out: Arc<AtomicU64>,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Rig {
        Rig::with(Patience::default())
    }

    fn with(patience: Patience) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control").join("pitlane.sock");
        let desk = CountingDesk::default();
        let carried_out = Arc::clone(&desk.carried_out);
        let socket = BoundSocket::bind(&path).unwrap();
        let socket = Some(socket.serve_with(Box::new(desk), Clock::start(), patience).unwrap());
        Rig { socket, path, carried_out, _dir: dir }
    }

    fn client(&self) -> Caller {
        Caller::new(Stream::connect(&self.path).unwrap())
    }

    /// Requests and refusals counted so far.
    fn counts(&self) -> (u64, u64) {
        let mut client = self.client();
        let status = client.ask(r#"{"version":1,"verb":"status"}"#);
        match status.reply {
            Some(Reply::Status(status)) => (status.requests, status.refusals),
            other => panic!("no status: {other:?}"),
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            assert!(socket.stop(PATIENCE) || std::thread::panicking(), "the thread panicked");
        }
    }
}

struct Caller {
    stream: Stream,
    lines: BufReader<Stream>,
}

impl Caller {
    fn new(stream: Stream) -> Caller {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        Caller { stream, lines }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn answer(&mut self) -> ReplyLine {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn ask(&mut self, line: &str) -> ReplyLine {
        self.send(format!("{line}\n").as_bytes());
        self.answer()
    }

    #[track_caller]
    fn refused(&mut self) -> String {
        let answer = self.answer();
        answer.refusal.unwrap_or_else(|| panic!("not refused: {:?}", answer.reply)).code
    }

    /// Whether the engine has closed the connection.
    fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.lines.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            // What it had sent was not read to the end.
            Err(error) => rest.is_empty() && error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn bad_lines_are_refused_by_code_counted_and_the_connection_stays() {
    let rig = Rig::new();
    let mut client = rig.client();
    for (line, code) in [
        (&b"{\"version\":1,\"verb\":\"fly\"}\n"[..], "unknown_verb"),
        (b"{\"version\":1,\n", "malformed"),
        (b"\n", "malformed"),
        (b"\xff\xfe\n", "not_utf8"),
        (b"{\"version\":9,\"verb\":\"status\"}\n", "version"),
        (b"{\"version\":1,\"verb\":\"status\",\"x\":1}\n", "unknown_field"),
        (b"{\"version\":1,\"verb\":\"kill\"}\n", "failed"),
    ] {
        client.send(line);
        assert_eq!(client.refused(), code);
    }
    assert!(client.ask(r#"{"version":1,"verb":"routes"}"#).ok);
    assert_eq!(rig.counts(), (2, 7));
}

#[test]
fn a_line_of_a_mebibyte_is_refused_and_its_connection_closed() {
    let rig = Rig::new();
    let mut client = rig.client();
    let sender = client.stream.try_clone().unwrap();
    let line = vec![b'x'; 1024 * 1024];
    // The rest of it finds nobody.
    let writer = std::thread::spawn(move || (&sender).write_all(&line).is_err());
    assert_eq!(client.refused(), "line_too_long");
    assert!(client.is_closed());
    assert!(writer.join().unwrap(), "all of it was taken");
    assert_eq!(rig.counts(), (1, 1));
}

#[test]
fn a_line_of_the_longest_length_is_taken() {
    let rig = Rig::new();
    let mut client = rig.client();
    let head = r#"{"version":1,"verb":"status""#;
    let line = format!("{head}{}}}", " ".repeat(LINE_BYTES_MAX - head.len() - 1));
    assert_eq!(line.len(), LINE_BYTES_MAX);
    assert!(client.ask(&line).ok);
    client.send(format!(" {line}\n").as_bytes());
    assert_eq!(client.refused(), "line_too_long");
}

#[test]
fn a_half_line_is_refused_when_its_time_is_over_or_its_end_closed() {
    let rig = Rig::with(Patience { line_ns: 50_000_000, ..Patience::default() });
    let mut client = rig.client();
    client.send(br#"{"version":1,"#);
    assert_eq!(client.refused(), "half_line");
    assert!(client.is_closed());
    let rig = Rig::new();
    let mut client = rig.client();
    client.send(br#"{"version":1,"#);
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.refused(), "half_line");
    assert_eq!(rig.counts(), (1, 1));
}

#[test]
fn a_byte_at_a_time_does_not_lengthen_a_lines_time() {
    let rig = Rig::with(Patience { line_ns: 100_000_000, ..Patience::default() });
    let mut client = rig.client();
    let sender = client.stream.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        while (&sender).write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    assert_eq!(client.refused(), "half_line");
    dripping.join().unwrap();
}

#[test]
fn a_silent_client_is_closed_and_a_watching_one_is_not() {
    let rig = Rig::with(Patience { idle_ns: 300_000_000, ..Patience::default() });
    let mut watching = rig.client();
    watching.send(b"{\"version\":1,\"id\":\"w\",\"verb\":\"watch\",\"interval_ms\":100}\n");
    assert!(rig.client().is_closed());
    for _ in 0..5 {
        let reading = watching.answer();
        assert!(matches!(reading.reply, Some(Reply::Status(_))) && reading.id.unwrap() == "w");
    }
    // An empty line ends the readings: the next answer is to what follows.
    watching.send(b"\n{\"version\":1,\"verb\":\"routes\"}\n");
    while !matches!(watching.answer().reply, Some(Reply::Routes { .. })) {}
}

#[test]
fn ten_thousand_connections_leave_sixteen_served_and_nothing_behind() {
    let rig = Rig::new();
    let mut kept = rig.client();
    assert!(kept.ask(r#"{"version":1,"verb":"routes"}"#).ok);
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = files();
    let mut refused = 0;
    for _ in 0..100 {
        let mut batch: Vec<Caller> = (0..100).map(|_| rig.client()).collect();
        for client in &mut batch {
            // Those that were taken have nothing to read, and are asked.
            client.stream.set_nonblocking(true).unwrap();
            // It may be closed.
            let _ = client.stream.write(b"{\"version\":1,\"verb\":\"routes\"}\n");
            client.stream.set_nonblocking(false).unwrap();
            let answer = client.answer();
            if let Some(refusal) = answer.refusal {
                assert_eq!(refusal.code, "too_many_clients");
                refused += 1;
            }
        }
        drop(batch);
        assert!(kept.ask(r#"{"version":1,"verb":"routes"}"#).ok, "a client of before was dropped");
    }
    assert!(refused >= 100 * (100 - CLIENTS_MAX) / 2, "only {refused} were refused");
    // They are gone once the engine has seen it: the last ones' ends come before the next answer.
    let deadline = Instant::now() + PATIENCE;
    while files() > before {
        assert!(Instant::now() < deadline, "{} files, {before} before", files());
        assert!(rig.socket.is_some());
        std::thread::yield_now();
    }
    drop(kept);
    assert_eq!(rig.counts().1, refused as u64);
}

#[test]
fn a_command_that_is_repeated_gets_the_stored_answer() {
    let rig = Rig::new();
    let line = r#"{"version":1,"id":"a","verb":"mode","trading":false}"#;
    let first = rig.client().ask(line);
    let second = rig.client().ask(line);
    assert!(first.ok && !first.is_repeat && second.is_repeat);
    assert_eq!(first.reply, second.reply);
    assert_eq!(rig.carried_out.load(SeqCst), 1);
    let mut client = rig.client();
    client.send(b"{\"version\":1,\"id\":\"a\",\"verb\":\"mode\",\"trading\":true}\n");
    assert_eq!(client.refused(), "id_reused");
    assert_eq!(rig.carried_out.load(SeqCst), 1);
    // Without an id, each is a command of its own; so is what may come out differently the next
    // time.
    let line = r#"{"version":1,"verb":"mode","trading":false}"#;
    assert!(client.ask(line).ok && client.ask(line).ok);
    let line = r#"{"version":1,"id":"u","verb":"unmerge","rule":1}"#;
    assert!(!client.ask(line).ok && !client.ask(line).is_repeat);
    assert_eq!(rig.carried_out.load(SeqCst), 5);
    let line = r#"{"version":1,"id":"k","verb":"kill"}"#;
    assert!(!client.ask(line).ok && client.ask(line).is_repeat, "a refusal that stays is kept");
    assert_eq!(rig.carried_out.load(SeqCst), 6);
}

#[test]
fn a_client_that_asks_too_often_is_refused_and_served_again_later() {
    let rig = Rig::new();
    let mut client = rig.client();
    let many = 1_000;
    client.send("{\"version\":1,\"verb\":\"routes\"}\n".repeat(many).as_bytes());
    let (mut served, mut limited) = (0, 0);
    for _ in 0..many {
        match client.answer().refusal {
            None => served += 1,
            Some(refusal) => {
                assert_eq!(refusal.code, "rate_limited");
                limited += 1;
            }
        }
    }
    assert!(served >= REQUESTS_PER_S, "{served} were served");
    assert!(limited > 0, "none of {many} at once was refused");
    let deadline = Instant::now() + PATIENCE;
    while !client.ask(r#"{"version":1,"verb":"routes"}"#).ok {
        assert!(Instant::now() < deadline, "it is never served again");
    }
    // Others are not touched by it.
    assert!(rig.client().ask(r#"{"version":1,"verb":"routes"}"#).ok);
}

#[test]
fn a_client_that_takes_no_answers_is_not_read_from_and_then_closed() {
    let rig = Rig::with(Patience { write_ns: 200_000_000, ..Patience::default() });
    let client = rig.client();
    let mut sent = 0;
    // Each answer has 2 kB; the socket's own buffers and a mebibyte of ours take some hundreds.
    let gone = loop {
        match (&client.stream).write_all(b"{\"version\":1,\"verb\":\"status\"}\n") {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 1_000_000, "it reads on for ever");
    };
    let kinds = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
    assert!(kinds.contains(&gone.kind()), "after {sent} requests: {gone}");
    assert!(rig.client().ask(r#"{"version":1,"verb":"routes"}"#).ok);
}

#[test]
fn a_socket_that_vanished_is_made_anew_and_who_is_connected_stays_so() {
    let rig = Rig::new();
    let mut client = rig.client();
    let folder = rig.path.parent().unwrap();
    for is_renamed in [false, true] {
        match is_renamed {
            true => std::fs::rename(folder, folder.with_extension("moved")).unwrap(),
            false => std::fs::remove_dir_all(folder).unwrap(),
        }
        let started = Instant::now();
        while !rig.path.exists() && started.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        assert!(rig.client().ask(r#"{"version":1,"verb":"routes"}"#).ok);
        assert!(client.ask(r#"{"version":1,"verb":"routes"}"#).ok);
    }
}

#[test]
fn stopping_tells_clients_and_takes_the_socket_away() {
    let mut rig = Rig::new();
    let mut client = rig.client();
    assert!(client.ask(r#"{"version":1,"verb":"routes"}"#).ok);
    assert!(rig.socket.take().unwrap().stop(PATIENCE));
    assert_eq!(client.refused(), "stopping");
    assert!(client.is_closed());
    assert!(!rig.path.exists());
}

/// Needs root, and a Python that can become somebody else: says so where it can't run.
#[test]
fn another_user_is_refused() {
    let script = "import os,socket,sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.connect(sys.argv[1])\n\
        print(s.makefile().readline(), end='')\n";
    if !rustix::process::geteuid().is_root() {
        return skipped("only root can become another user");
    }
    let rig = Rig::new();
    let open = |path: &Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // The folder would keep them out; here the credentials have to.
    let folder = rig.path.parent().unwrap();
    open(folder.parent().unwrap(), 0o755);
    open(folder, 0o755);
    open(&rig.path, 0o666);
    let mut command = std::process::Command::new("setpriv");
    let become_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    command.args(become_nobody).args(["/usr/bin/python3", "-c", script]).arg(&rig.path);
    let Ok(output) = command.output() else {
        return skipped("there is no setpriv");
    };
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return skipped(&format!("the other user could not connect: {error}"));
    }
    let answer: ReplyLine = serde_json::from_slice(&output.stdout).unwrap();
    let refusal = answer.refusal.unwrap();
    assert_eq!(refusal.code, "wrong_user");
    assert!(refusal.message.contains("65534"), "{}", refusal.message);
    assert_eq!(rig.counts(), (1, 1));
}

#[test]
fn what_is_answered_later_holds_nobody_up_and_is_carried_out_once() {
    let rig = Rig::new();
    let line = r#"{"version":1,"id":"s","verb":"subscribe","consumer":"c","instrument":"i"}"#;
    let (mut one, mut two) = (rig.client(), rig.client());
    one.send(format!("{line}\n{{\"version\":1,\"verb\":\"routes\"}}\n").as_bytes());
    two.send(format!("{line}\n").as_bytes());
    while rig.carried_out.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    // Both wait now, or come to wait; a third one is served meanwhile.
    let kill = rig.client().ask(r#"{"version":1,"verb":"kill"}"#);
    assert_eq!(kill.refusal.unwrap().message, "kill failed: a test");
    let is_flip = |answer: ReplyLine| matches!(answer.reply, Some(Reply::Flip(_)));
    assert!(is_flip(one.answer()) && is_flip(two.answer()));
    assert!(one.answer().ok, "the next line of the first comes behind its answer");
    assert_eq!(rig.carried_out.load(SeqCst), 3, "subscribe once, kill, routes");
}

const KILL: &[u8] = b"{\"version\":1,\"id\":\"k\",\"verb\":\"kill\"}\n";

/// The answer to [`KILL`], among those that come before it.
fn killed(client: &mut Caller) {
    while client.answer().id.as_deref() != Some("k") {}
}

#[test]
fn a_kill_gets_through_when_all_places_are_taken_by_those_who_say_nothing() {
    // Nobody is turned away by time: it is not patience that lets the kill in.
    let rig = Rig::with(Patience { kill_ns: 3_600_000_000_000, ..Patience::default() });
    let mut all: Vec<Caller> = (0..CLIENTS_MAX).map(|_| rig.client()).collect();
    for client in &mut all {
        assert!(client.ask(r#"{"version":1,"verb":"routes"}"#).ok);
        client.send(b"{\"version\":1,");
    }
    let mut mute: Vec<Caller> = (0..20).map(|_| rig.client()).collect();
    let before = rig.carried_out.load(SeqCst);
    let mut operator = rig.client();
    operator.send(KILL);
    killed(&mut operator);
    assert_eq!(rig.carried_out.load(SeqCst), before + 1);
    // Whoever was turned away for it was told, and those within their rights were not.
    assert_eq!(mute[0].refused(), "too_many_clients");
    assert!(mute[0].is_closed());
    all[0].send(b"\"verb\":\"routes\"}\n");
    assert!(all[0].answer().ok);
}

#[test]
fn nothing_but_a_kill_is_carried_out_from_a_place_that_is_kept_for_one() {
    let full = |kill_ns| {
        let rig = Rig::with(Patience { kill_ns, ..Patience::default() });
        let mut all: Vec<Caller> = (0..CLIENTS_MAX).map(|_| rig.client()).collect();
        for client in &mut all {
            assert!(client.ask(r#"{"version":1,"verb":"routes"}"#).ok);
        }
        (rig, all)
    };
    // By its time alone...
    let (rig, _all) = full(50_000_000);
    assert_eq!(rig.client().refused(), "too_many_clients");
    // ...or as soon as it asks for anything else.
    let (rig, _all) = full(3_600_000_000_000);
    let before = rig.carried_out.load(SeqCst);
    let mut other = rig.client();
    other.send(b"{\"version\":1,\"verb\":\"mode\",\"trading\":false}\n");
    assert_eq!(other.refused(), "too_many_clients");
    assert_eq!(rig.carried_out.load(SeqCst), before);
}

#[test]
fn a_kill_overtakes_what_waits_of_its_own_client() {
    let rig = Rig::new();
    let mut client = rig.client();
    // The desk answers the first one after a kill only.
    let line = r#"{"version":1,"id":"s","verb":"subscribe","consumer":"c","instrument":"i"}"#;
    let routes = "{\"version\":1,\"verb\":\"routes\"}\n".repeat(500);
    client.send(format!("{line}\n{routes}").as_bytes());
    client.send(KILL);
    killed(&mut client);
    assert_eq!(client.answer().id.as_deref(), Some("s"));
}

#[test]
fn a_kill_is_within_no_rate_and_behind_no_half_line_of_another() {
    let rig = Rig::new();
    let mut client = rig.client();
    client.send("{\"version\":1,\"verb\":\"routes\"}\n".repeat(500).as_bytes());
    client.send(KILL);
    let mut limited = 0;
    let answer = loop {
        let answer = client.answer();
        if answer.id.is_some() {
            break answer;
        }
        limited += u32::from(!answer.ok);
    };
    assert_eq!(answer.refusal.unwrap().code, "failed", "the desk's own word, after {limited}");
}
