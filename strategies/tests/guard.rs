//! A guard beside an engine, each a process of its own, at a venue that outlives both: whatever
//! stops the engine, nothing of it stays open.

mod common;
mod running_engine;

use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use pitlane_engine::venue::binance::Credentials;
use pitlane_engine::venue::protocol::{Keys, SharedSecret, Signer};
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::{SimulatedVenue, SimulatedVenueOptions};
use pitlane_engine::world::Files;

use common::write_key;
use running_engine::{Engine, PITLANE, line_with};

/// Longest wait for a condition before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// The key's name at the venue.
const KEY: &str = "engine";

/// A venue of a kind whose guard asks over REST, with a secret that both share.
fn venue_over_rest<const LINES: usize>(kind: &str) -> (SimulatedVenue, String, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("secret");
    std::fs::write(&key_file, ["first", "second"][..LINES].join("\n")).unwrap();
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (private_key_file, files) = (&key_file, &Files::Real);
    let keys = Keys { api_key: KEY, private_key_file, files, chance: 0 };
    let verifying_key = SharedSecret::<LINES>::read(keys).unwrap().verifying_key();
    let dialect = VenueKind::simulable().find(|(of, _)| of.name == kind).unwrap().1;
    let options = SimulatedVenueOptions {
        events_per_s: 200,
        api_key: KEY.to_owned(),
        verifying_key,
        ..SimulatedVenueOptions::default()
    };
    let venue = SimulatedVenue::start_as(dialect, options).unwrap();
    let (at, stream, api) = (venue.address(), dialect.stream_path, dialect.api_path.unwrap());
    let config = format!(
        "[[venue]]\nname = 'near'\nkind = '{kind}'\nbooks = false\n\
         stream_url = 'ws://{at}{stream}'\nrest_url = 'http://{at}'\n\
         api_url = 'ws://{at}{api}'\napi_key = '{KEY}'\nprivate_key_file = '{}'\n\
         [[consumer]]\nname = 'maker'\nstrategy = 'market_maker'\n\
         params = {{ distance_ticks = 5_000, tolerance_ticks = 5_000 }}\n",
        key_file.display()
    );
    (venue, config, dir)
}

/// A venue, the configuration of an engine there, and the folder that both are in.
fn venue() -> (SimulatedVenue, String, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("key.pem");
    write_key(&key_file);
    let (private_key_file, files) = (&key_file, &Files::Real);
    let keys = Keys { api_key: KEY, private_key_file, files, chance: 0 };
    let verifying_key = Credentials::read(keys).unwrap().verifying_key();
    let options = SimulatedVenueOptions {
        events_per_s: 200,
        api_key: KEY.to_owned(),
        verifying_key,
        ..SimulatedVenueOptions::default()
    };
    let venue = SimulatedVenue::start(options).unwrap();
    let at = venue.address();
    let config = format!(
        "[[venue]]\nname = 'near'\nstream_url = 'ws://{at}/stream'\nrest_url = 'http://{at}'\n\
         api_url = 'ws://{at}/ws-api/v3'\napi_key = '{KEY}'\nprivate_key_file = '{}'\n\
         [[consumer]]\nname = 'maker'\nstrategy = 'market_maker'\n\
         params = {{ distance_ticks = 5_000, tolerance_ticks = 5_000 }}\n",
        key_file.display()
    );
    (venue, config, dir)
}

fn open_orders(venue: &SimulatedVenue) -> usize {
    venue.ledger().orders.values().filter(|order| order.is_open()).count()
}

#[track_caller]
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        // The venue's record is copied for each look.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A guard that watches.
struct Guard {
    child: Child,
    err: BufReader<ChildStderr>,
}

impl Guard {
    fn start(config: &Path, socket: &Path) -> Guard {
        let mut child = Command::new(PITLANE)
            .args(["guard", "--timeout-ms", "1500", "--config"])
            .arg(config)
            .arg("--socket")
            .arg(socket)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        line_with(&mut err, "guard: watches process");
        Guard { child, err }
    }

    /// Waits for its end: its exit code, and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.err.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

fn signal(name: &str, child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// An engine with open orders gets this signal while a guard watches.
fn nothing_is_left_open_after(
    name: &str,
    (venue, config, _keys): (SimulatedVenue, String, tempfile::TempDir),
) {
    let mut engine = Engine::start_on(&config, &[]);
    wait_for("orders rest", || open_orders(&venue) >= 2);
    let guard = Guard::start(&engine.dir.path().join("pitlane.toml"), &engine.socket);
    assert!(open_orders(&venue) > 0);
    signal(name, &engine.child);
    let (code, said) = guard.end();
    println!("{name}: {said}");
    assert_eq!(code, Some(13), "{name}: {said}");
    assert!(said.contains("THE ENGINE STANDS STILL"), "{said}");
    assert!(said.contains("nothing is open"), "{said}");
    assert!(!said.contains("; 0 requests"), "{name}: there was something to cancel: {said}");
    assert_eq!(open_orders(&venue), 0, "{name}: {said}");
    // It may be gone.
    let _ = engine.child.kill();
    engine.child.wait().unwrap();
}

#[test]
fn an_engine_that_is_killed_leaves_nothing_open_where_a_guard_watches() {
    nothing_is_left_open_after("-KILL", venue());
}

#[test]
fn an_engine_that_is_stopped_leaves_nothing_open_where_a_guard_watches() {
    nothing_is_left_open_after("-STOP", venue());
}

#[test]
fn an_engine_that_is_killed_leaves_nothing_open_at_venues_that_are_guarded_over_rest() {
    nothing_is_left_open_after("-KILL", venue_over_rest::<1>("bybit"));
    nothing_is_left_open_after("-KILL", venue_over_rest::<2>("okx"));
}

#[test]
fn an_engine_that_is_stopped_leaves_nothing_open_at_venues_that_are_guarded_over_rest() {
    nothing_is_left_open_after("-STOP", venue_over_rest::<1>("bybit"));
    nothing_is_left_open_after("-STOP", venue_over_rest::<2>("okx"));
}

#[test]
fn a_guard_over_rest_says_at_once_that_its_key_does_not_open_the_account() {
    let (_venue, config, dir) = venue_over_rest::<1>("bybit");
    let path = dir.path().join("wrong.toml");
    std::fs::write(&path, config.replace("api_key = 'engine'", "api_key = 'nobody'")).unwrap();
    let refused = Command::new(PITLANE).arg("guard").arg("--config").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("can't log on"), "{said}");
}

#[test]
fn a_guard_stands_down_when_the_engine_stops_in_order_and_refuses_what_it_cannot_guard() {
    let (venue, config, _keys) = venue();
    let engine = Engine::start_on(&config, &[]);
    wait_for("orders rest", || open_orders(&venue) >= 1);
    let guard = Guard::start(&engine.dir.path().join("pitlane.toml"), &engine.socket);
    signal("-TERM", &engine.child);
    let (code, said) = guard.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("standing down"), "{said}");
    let _report = engine.end();
    assert_eq!(open_orders(&venue), 0, "the engine has cancelled for itself");

    // Without a venue that outlives the engine there is nothing to guard.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("simulated.toml");
    std::fs::write(&path, "").unwrap();
    let refused = Command::new(PITLANE).arg("guard").arg("--config").arg(&path).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing to guard"));
    // With a key that does not open the account it can't guard, and says so at once.
    let path = dir.path().join("wrong.toml");
    std::fs::write(&path, config.replace("api_key = 'engine'", "api_key = 'nobody'")).unwrap();
    let began = Instant::now();
    let refused = Command::new(PITLANE).arg("guard").arg("--config").arg(&path).output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "after {:?}", began.elapsed());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("can't log on"));
}
