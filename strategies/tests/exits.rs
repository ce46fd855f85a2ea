//! Every exit code of `pitlane`, seen at the end of a real process: what a script goes by.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::Value;

mod running_engine;
use running_engine::{Engine, PITLANE, text, with_engine};

/// Runs it on a configuration to its end.
fn run(config: &str, args: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pitlane.toml");
    let runs = dir.path().join("runs").display().to_string();
    let engine = format!("[engine]\nrun_dir = {runs:?}\n");
    std::fs::write(&path, format!("[cores]\npin = false\n{}", with_engine(config, &engine)))
        .unwrap();
    let mut command = Command::new(PITLANE);
    command.args(["run", "--report", "json", "--config"]).arg(&path).args(args);
    command.output().unwrap()
}

/// A run's code is this one, and standard error and the report say why.
fn assert_ends(output: &Output, code: i32, said: &str, finding: &str) {
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    assert!(err.contains(said), "{said:?} is missing from: {err}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(kinds(&report).contains(finding), "{finding} is missing from {:?}", report["findings"]);
}

fn kinds(report: &Value) -> BTreeSet<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

/// Waits until an order rests at the venue.
fn has_open_orders(engine: &Engine) {
    running_engine::reading(engine, |status| {
        let strategies = status["strategies"].as_array().into_iter().flatten();
        let mut rows = strategies.flat_map(|one| one["positions"].as_array().into_iter().flatten());
        rows.any(|row| row["orders_open"].as_u64().is_some_and(|open| open > 0))
    });
}

#[test]
fn what_is_done_what_can_not_be_read_and_what_is_wrong_have_codes_0_2_3_and_4() {
    let done = run("", &["--duration", "1s"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let wrong = run("[engine]\nspeed = 3\n", &["--duration", "1s"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    let missing = Command::new(PITLANE).args(["run", "--config", "/no/such.toml"]).output();
    assert_eq!(missing.unwrap().status.code(), Some(3));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap().to_string();
    let refused = run(&format!("[simulated]\nbind = {bind:?}\n"), &["--duration", "1s"]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused.stderr));
}

#[test]
fn a_command_that_changes_nothing_has_code_1() {
    let engine = Engine::start();
    let refused = engine.refused(&["venue", "pause", "nowhere"]);
    assert!(refused.contains("there is no venue"), "{refused}");
    engine.stop();
}

#[test]
fn a_critical_event_that_is_lost_is_code_5() {
    // Its reports are dead letters once it is quarantined, and no file takes more than 1 KiB: a
    // journal would refuse the start.
    let config = "[simulated]\nevents_per_s = 20\n[risk]\non_stop = \"leave\"\n\
        [journal]\ndurability = \"none\"\n";
    let engine = Engine::start_under("ulimit -f 2", config, &[]);
    has_open_orders(&engine);
    engine.done(&["consumer", "quarantine", "market_maker"]);
    let (report, said) = engine.end_with(5);
    assert!(kinds(&report).contains("critical_lost"), "{:?}", report["findings"]);
    assert!(said.contains("error: "), "{said}");
}

#[test]
fn a_thread_that_is_left_behind_is_code_6() {
    let output = run(STALLS, &["--duration", "2500ms"]);
    assert_ends(&output, 6, "did not stop in time", "thread_left_behind");
}

/// A strategy whose first callback does not return.
const STALLS: &str = "[engine]\ndrain_deadline_ms = 3000\nquarantine_after_ms = 1500\n\
    [[consumer]]\nstrategy = \"faulty\"\n\
    params = { stall_ppm = 1000000, stall_us = 3600000000 }\n";

#[test]
fn orders_that_were_left_at_a_venue_are_named_and_code_7() {
    let config = "[simulated]\nevents_per_s = 20\n\
        [risk]\non_stop = \"leave\"\ncancel_on_quarantine = false\n";
    let engine = Engine::start_on(config, &[]);
    has_open_orders(&engine);
    let orders = engine.json(&["orders"]);
    assert!(orders["reply"]["orders"][0]["strategy"] == "market_maker", "{orders}");
    let table = engine.done(&["orders"]);
    assert!(table.contains("market_maker") && table.contains(" open\n"), "{table}");
    assert!(engine.done(&["positions"]).contains("market_maker"));
    // Without its `on_stop` it cancels nothing either.
    engine.done(&["consumer", "quarantine", "market_maker"]);
    let pid = engine.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let (report, said) = engine.end_with(7);
    assert!(kinds(&report).contains("orders_left"), "{:?}", report["findings"]);
    assert!(said.contains("may still rest at the venue"), "{said}");
}

#[test]
fn a_venue_that_sends_no_market_data_is_code_8() {
    let config = "[[venue]]\nname = \"gone\"\nstream_url = \"ws://127.0.0.1:1/stream\"\n\
        rest_url = \"http://127.0.0.1:1\"\n[[consumer]]\nstrategy = \"noop\"\n\
        [[instrument]]\nsymbol = \"BTC-USDT\"\nprice_scale = 2\nqty_scale = 5\n\
        tick = \"0.01\"\nstep = \"0.00001\"\n";
    let output = run(config, &["--duration", "3500ms"]);
    assert_ends(&output, 8, "[gone] it sent no market data", "market_data_incomplete");
}

#[test]
fn a_strategy_that_was_quarantined_is_code_10() {
    let config = "[[consumer]]\nstrategy = \"faulty\"\nmax_failures = 3\n\
        params = { panic_ppm = 1000000 }\n";
    let output = run(config, &["--duration", "2s"]);
    assert_ends(&output, 10, "faulty was quarantined", "strategy_quarantined");
}

#[test]
fn a_strategy_whose_every_order_was_refused_is_code_11() {
    let output = run("[risk]\nmax_order_qty = \"0.00001\"\n", &["--duration", "4s"]);
    assert_ends(&output, 11, "above the risk limit of one order", "orders_refused");
}

#[test]
fn a_second_signal_is_code_130() {
    let mut engine = Engine::start_on(STALLS, &[]);
    running_engine::line_with(&mut engine.err, "quarantined: a callback has not returned");
    let pid = engine.child.id().to_string();
    // As often as it takes: two that come at once are one to the process.
    let ended = loop {
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        if let Some(status) = engine.child.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(ended.code(), Some(130));
}
