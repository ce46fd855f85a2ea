//! An engine with the simulated venue, run until something holds.

// Each test binary uses its share of this.
#![allow(dead_code)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::report::Report;
use pitlane_engine::{Engine, LaunchOptions, StrategyRegistry, launch_with};

/// Engines pin threads and count allocations of the process: one at a time.
pub static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// RFC 8410, section 10.3: a published key.
pub const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";

/// Writes it for its owner alone.
pub fn write_key(path: &Path) {
    std::fs::write(path, PEM).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Longest wait for a condition before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Run {
    pub config: Config,
    pub registry: StrategyRegistry,
    pub options: LaunchOptions,
    _dir: tempfile::TempDir,
}

pub fn run_of(consumers: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default_run();
    config.engine.run_dir = dir.path().to_owned();
    config.engine.warm_up_ms = 300;
    config.simulated.events_per_s = 5_000;
    config.consumers = consumers.iter().map(|name| ConsumerConfig::of_strategy(name)).collect();
    let registry = pitlane_strategies::builtin();
    Run { config, registry, options: LaunchOptions::default(), _dir: dir }
}

/// Runs until `until` holds, then stops in order.
pub fn run(run: Run, until: impl Fn(&Engine) -> bool) -> Report {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let engine = launch_with(run.config, &run.registry, run.options).unwrap();
    let started = Instant::now();
    while !until(&engine) {
        assert!(started.elapsed() < PATIENCE, "the condition was not met: {:?}", engine.status());
        assert!(!engine.has_failed(), "a core ended by itself");
        std::thread::yield_now();
    }
    engine.stop().unwrap()
}

pub fn events(count: u64) -> impl Fn(&Engine) -> bool {
    move |engine| engine.status().events_in >= count
}
