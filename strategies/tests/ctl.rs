//! The real binary: an engine in one process, its operator in others.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use pitlane_engine::testing::skipped;
use serde_json::Value;

mod running_engine;
use running_engine::{Engine, PITLANE, line_with, reading, text};

#[test]
fn an_operator_reads_a_running_engine_and_is_refused_what_is_wrong() {
    let engine = Engine::start();
    let is_whole = |status: &Value| {
        let open = |one: &Value| one["state"] == "open";
        let sessions = status["sessions"].as_array().unwrap();
        let is_measured = status["interval_ns"].as_u64().unwrap() > 0
            && status["consumers"][0]["handle"]["count"].as_u64().unwrap() > 0;
        sessions.len() == 2 && sessions.iter().all(open) && is_measured
    };
    let status = reading(&engine, is_whole);
    assert_eq!((&status["kind"], &status["trading"]), (&"status".into(), &true.into()));
    assert_eq!(status["pid"], engine.child.id());
    let names: Vec<_> =
        status["consumers"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["noop", "momentum", "market_maker"]);
    let threads = status["threads"].as_array().unwrap();
    assert!(threads.iter().any(|thread| thread["name"] == "control"), "{threads:?}");
    let routes = engine.json(&["routes", "--consumer", "momentum"]);
    let kinds: Vec<_> =
        routes["reply"]["routes"].as_array().unwrap().iter().map(|r| &r["event"]).collect();
    assert_eq!(kinds, ["quote", "trade"]);
    let shown = text(&engine.ctl(&["status"]).stdout);
    assert!(shown.contains("simulated:market") && shown.contains("end_to_end"), "{shown}");
    let refused = engine.ctl(&["routes", "--consumer", "momentun"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("did you mean \"momentum\"?"));
    let mut raw = UnixStream::connect(&engine.socket).unwrap();
    raw.write_all(b"nonsense\n{\"version\":1,\"verb\":\"fly\"}\n").unwrap();
    let mut answers = BufReader::new(raw.try_clone().unwrap()).lines();
    assert!(answers.next().unwrap().unwrap().contains("\"malformed\""));
    assert!(answers.next().unwrap().unwrap().contains("\"unknown_verb\""));
    let refusals = &engine.json(&["status"])["reply"]["refusals"];
    assert_eq!(refusals, 3, "a name, a line, a verb");
    let socket = engine.socket.clone();
    let (report, said) = engine.stop();
    assert_eq!(report["identity_holds"], true);
    for refusal in ["no consumer \"momentun\"", "no JSON object", "no verb \"fly\""] {
        let is_it = |line: &&str| line.contains("[control] refused: ") && line.contains(refusal);
        assert_eq!(said.lines().filter(is_it).count(), 1, "{refusal} in:\n{said}");
    }
    assert!(!socket.exists() && !socket.parent().unwrap().exists());
}

#[test]
fn an_operator_adds_a_venue_merges_two_flips_and_kills() {
    // FR-011 to FR-014, EDGE-6 to EDGE-12: each step is seen in the engine's own readings.
    let engine = Engine::start_with(&["--standby", "1"]);
    let state_of = |status: &Value, session: &str| {
        let sessions = status["sessions"].as_array().unwrap().clone();
        let of =
            |one: &&Value| format!("{}:{}", one["venue"], one["role"]).replace('"', "") == session;
        sessions.iter().find(of).unwrap()["state"].as_str().unwrap().to_owned()
    };
    let consumer = |status: &Value, name: &str| {
        let consumers = status["consumers"].as_array().unwrap().clone();
        consumers.into_iter().find(|one| one["name"] == name).unwrap()
    };
    reading(&engine, |status| state_of(status, "simulated:orders") == "open");
    assert_eq!(state_of(&engine.json(&["status"])["reply"], "simulated_2:market"), "off");
    let unknown = engine.refused(&["venue", "add", "simulated_3"]);
    assert!(unknown.contains("did you mean \"simulated_2\"?"), "{unknown}");
    engine.done(&["venue", "add", "simulated_2"]);
    reading(&engine, |status| state_of(status, "simulated_2:market") == "open");

    let both = ["--venue", "simulated", "--venue", "simulated_2", "--window-ms", "50"];
    let merge = [&["merge", "momentum", "BTC-USDT"], &both[..]].concat();
    assert!(engine.done(&merge).starts_with("merge rule 0 is in force\n"));
    assert_eq!(engine.done(&merge), "merge rule 0 was in force already\n");
    let is_merging = |status: &Value| status["merges"][0]["complete"].as_u64() > Some(0);
    let status = reading(&engine, is_merging);
    assert_eq!(status["merges"][0]["venues"][1]["venue"], "simulated_2");
    let alone = engine.refused(&["merge", "momentum", "BTC-USDT", "--venue", "simulated"]);
    assert!(alone.contains("venues"), "{alone}");
    let wrong = engine.refused(&[&["merge", "market_maker", "BTC-USDT"], &both[..]].concat());
    assert!(wrong.contains("the strategy of market_maker takes no merged events"), "{wrong}");

    let version = status["routing_version"].as_u64().unwrap();
    let flip = ["flip", "--", "-momentum:BTC-USDT:trade", "-noop:BTC-USDT:quote@simulated"];
    let dry = [&["flip", "--dry-run"], &flip[1..]].concat();
    let preview = engine.json(&dry)["reply"].take();
    assert_eq!(preview["removed"].as_array().unwrap().len(), 3, "{preview}");
    assert_eq!(engine.json(&["routes"])["reply"]["version"], version, "nothing was changed");
    let flipped = engine.json(&flip)["reply"].take();
    assert_eq!(
        (&flipped["removed"], &flipped["version"]),
        (&preview["removed"], &preview["version"])
    );
    assert_eq!(flipped["affected"], serde_json::json!(["momentum", "noop"]));
    assert!(
        engine
            .done(
                &flip[..1]
                    .iter()
                    .chain(&["--", "+noop:BTC-USDT:quote"])
                    .copied()
                    .collect::<Vec<_>>()
            )
            .contains("1 routes come, 0 go")
    );
    let twice = engine.refused(&["unsubscribe", "momentum", "BTC-USDT", "--kind", "trade"]);
    assert_eq!(twice, "error: no flip: it was not subscribed\n");
    let kind = engine.refused(&["subscribe", "momentum", "BTC-USDT", "--kind", "exec_report"]);
    assert!(kind.contains("reach their owner whatever the routes are"), "{kind}");

    engine.done(&["consumer", "pause", "momentum"]);
    let paused = engine.json(&["status"])["reply"].take();
    assert_eq!(consumer(&paused, "momentum")["state"], "paused");
    assert_eq!(
        engine.json(&["routes", "--consumer", "momentum"])["reply"]["routes"],
        serde_json::json!([])
    );
    engine.done(&["consumer", "resume", "momentum"]);
    engine.done(&["consumer", "quarantine", "noop"]);
    let status =
        reading(&engine, |status| consumer(status, "noop")["discarded"].as_u64() > Some(0));
    assert_eq!(consumer(&status, "noop")["state"], "quarantined");
    let for_good = engine.refused(&["consumer", "resume", "noop"]);
    assert!(for_good.contains("which is for good"), "{for_good}");
    assert_eq!(engine.done(&["mode", "off"]), "trading is off now\n");
    assert_eq!(engine.done(&["mode", "on"]), "trading is on now\n");
    // All accounts, while everything runs; the notices of the two turns are in them.
    let risk = |audit: &Value| {
        let kinds = audit["consumers"][1]["kinds"].as_array().unwrap();
        kinds.iter().find(|row| row["kind"] == "risk").map(|row| row["handled"].clone())
    };
    let started = std::time::Instant::now();
    loop {
        let audit = engine.json(&["audit"])["reply"].take();
        assert_eq!((&audit["kind"], &audit["holds"]), (&"audit".into(), &true.into()), "{audit:#}");
        // A turn between two polls of the controller is no turn.
        if risk(&audit).is_some_and(|handled| handled.as_u64() > Some(0)) {
            break;
        }
        engine.done(&["mode", "off"]);
        engine.done(&["mode", "on"]);
        assert!(started.elapsed().as_secs() < 30, "nobody was told of a turn: {audit:#}");
    }
    assert!(engine.done(&["audit"]).contains("\nmomentum: holds, "), "as a person sees it");
    engine.done(&["venue", "remove", "simulated_2"]);
    reading(&engine, |status| state_of(status, "simulated_2:orders") == "off");
    engine.done(&["unmerge", "0"]);

    engine.done(&["kill"]);
    let (report, said) = engine.end();
    assert_eq!(report["notes"][0], "killed by an operator");
    assert_eq!((&report["identity_holds"], &report["critical_lost"]), (&true.into(), &0.into()));
    let open: u64 = report["consumers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["orders_open"].as_u64().unwrap())
        .sum();
    assert_eq!(open, 0);
    assert_eq!(report["slots_owned"], 0);
    assert!(report["consumers"][1]["kinds"]["merged"]["handled"].as_u64() > Some(0));
    for command in ["\"verb\":\"venue\"", "\"verb\":\"merge\"", "\"verb\":\"kill\""] {
        assert!(said.lines().any(|line| line.contains(command) && line.contains("carried out")));
    }
}

#[test]
fn whoever_watches_is_told_that_the_engine_has_stopped() {
    let engine = Engine::start();
    let mut watching = Command::new(PITLANE)
        .args(["ctl", "watch", "--interval-ms", "100", "--socket"])
        .arg(&engine.socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap());
    for _ in 0..3 {
        line_with(&mut lines, "/s | p50 ");
    }
    let (report, _) = engine.stop();
    assert_eq!(report["identity_holds"], true);
    let output = watching.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "the engine has stopped\n");
}

#[test]
fn without_an_engine_the_path_is_named() {
    let nowhere = Path::new("/nowhere/pitlane.sock");
    let output =
        Command::new(PITLANE).args(["ctl", "status", "--socket"]).arg(nowhere).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: no engine listens at /nowhere/pitlane.sock: "), "{said}");
}

/// Needs root, a Python and `setpriv`: says so where it can't run.
#[test]
fn what_another_user_has_named_as_an_engines_socket_is_told_nothing() {
    let script = "import socket,sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.bind(sys.argv[1])\n\
        s.listen(8)\n\
        print('listening', flush=True)\n\
        s.settimeout(60)\n\
        for _ in range(2):\n    \
            c, _ = s.accept()\n    \
            print('heard', c.recv(100), flush=True)\n";
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return skipped("only root can become another user");
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let socket = dir.path().join("pitlane.sock");
    let become_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = Command::new("setpriv");
    command.args(become_nobody).args(["/usr/bin/python3", "-c", script]).arg(&socket);
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
        return skipped("there is no setpriv");
    };
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    if out.read_line(&mut line).unwrap() == 0 {
        return skipped("the other user could not listen");
    }
    let ctl = |args: &[&str]| Command::new(PITLANE).arg("ctl").args(args).output().unwrap();
    let killed = ctl(&["kill", "--socket", &socket.display().to_string()]);
    assert_eq!(killed.status.code(), Some(3), "{}", text(&killed.stdout));
    let said = text(&killed.stderr);
    for part in [&format!("process {} of user 65534", child.id()), "nothing was sent", "sudo -u"] {
        assert!(said.contains(part), "{part} is missing from: {said}");
    }
    let list = text(&ctl(&["list"]).stdout);
    assert!(!list.contains(&socket.display().to_string()), "{list}");
    for _ in 0..2 {
        line.clear();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "heard b''\n");
    }
    child.wait().unwrap();
}
