//! The interval log of a real run, read by the tools that people read it with (FR-025, FR-026).

use std::process::Command;
use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::{Closure, Context};
use pitlane_engine::dispatcher::RouteKey;
use pitlane_engine::event::{Event, EventKind, Interest};
use pitlane_engine::{
    Engine, LaunchOptions, OwnVenue, Params, RouteChange, StrategyRegistry, launch_with,
};
use serde_json::Value;

/// Longest wait for a condition: a deadlock, never a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Flips that are asked for; each takes a route away or gives it back.
const FLIPS: u64 = 6;

fn engine(run_dir: &std::path::Path) -> Engine {
    let mut config = Config::default_run();
    config.engine.run_dir = run_dir.to_owned();
    config.engine.warm_up_ms = 300;
    config.control.enabled = false;
    config.telemetry.interval_ms = 200;
    config.simulated.events_per_s = 2_000;
    let named = |name: &str| ConsumerConfig {
        name: name.to_owned(),
        ..ConsumerConfig::of_strategy("empty")
    };
    config.consumers = vec![named("one"), named("two")];
    let registry = StrategyRegistry::new().with("empty", |_: &Params| {
        Ok(Closure::new(Interest::ALL, |_: &Event, _: &mut Context| Ok(())))
    });
    let options = LaunchOptions { own_venue: OwnVenue::Synthetic, ..LaunchOptions::default() };
    launch_with(config, &registry, options).unwrap()
}

fn wait(engine: &Engine, what: &str, holds: impl Fn(&Engine) -> bool) {
    let started = Instant::now();
    while !holds(engine) {
        assert!(started.elapsed() < PATIENCE, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn json(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_latency")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_log_tells_of_every_stage_and_consumer_of_flips_and_of_how_it_came_about() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    wait(&engine, "the end of the warm-up", |engine| engine.status().uptime_ns > 500_000_000);
    let quotes = |route: &RouteKey| route.kind == EventKind::Quote;
    let route = engine.routes().into_iter().find(quotes).expect("consumers get quotes");
    for number in 0..FLIPS {
        let is_on = number % 2 == 1;
        engine.flip(number, &[RouteChange { route, is_on }]).unwrap();
    }
    let before = engine.status().events_in;
    wait(&engine, "load after the flips", |engine| engine.status().events_in > before + 2_000);
    let report = engine.stop().unwrap();
    let log = report.hlog.unwrap();

    let tags = json(&["tags", &log, "--json"]);
    let count = |tag: Option<&str>| {
        let tag = tag.map_or(Value::Null, Value::from);
        let found = tags["tags"].as_array().unwrap().iter().find(|series| series["tag"] == tag);
        found.map_or(0, |series| series["count"].as_u64().unwrap())
    };
    assert!(count(None) > 1_000, "end to end, untagged: {tags:#}");
    for stage in ["dispatch", "fanout:first", "fanout:last", "fanout:spread"] {
        assert!(count(Some(stage)) > 0, "{stage}: {tags:#}");
    }
    for consumer in ["one", "two"] {
        let queue = count(Some(&format!("queue:{consumer}")));
        assert_eq!(queue, count(Some(&format!("handle:{consumer}"))));
        assert!(queue > 1_000, "{consumer}: {tags:#}");
    }
    assert_eq!(count(Some("flip")), FLIPS, "{tags:#}");
    let header: Vec<_> =
        tags["header"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let lines = [
        "Build: revision",
        "Host: ",
        "Cores: governor",
        "Clock: ",
        "Profile: ",
        "Load: 2000 events/s",
        "Lanes: venue",
        "Core ",
        "Values: ns; lane:NAME",
        "Warm-up: ends here",
        "Achieved: ",
    ];
    for line in lines {
        assert!(header.iter().any(|found| found.starts_with(line)), "{line}: {header:#?}");
    }
}
