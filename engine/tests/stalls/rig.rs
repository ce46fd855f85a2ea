//! An engine with consumers of the tests' making, on cores of their choice.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::Strategy;
use pitlane_engine::report::{ConsumerReport, Report};
use pitlane_engine::runtime::HostCores;
use pitlane_engine::venue::SyntheticLoad;
use pitlane_engine::{Engine, LaunchOptions, OwnVenue, Params, StrategyRegistry, launch_with};

use crate::consumers::{Consumer, Hold, Seen};

/// Engines pin threads: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Longest wait for a condition before a test fails: a deadlock, never a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Rig {
    pub config: Config,
    registry: StrategyRegistry,
    pub options: LaunchOptions,
    pub dir: tempfile::TempDir,
}

pub struct Running {
    pub engine: Engine,
    pub dir: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// The last two cores there are; the same one twice where there is one.
pub fn two_cores() -> [usize; 2] {
    let ids = HostCores::read().ids;
    let last = *ids.last().expect("there is a core");
    [ids.iter().rev().nth(1).copied().unwrap_or(last), last]
}

impl Rig {
    /// An engine whose every tenth event is critical, with small market lanes, and no consumer yet.
    pub fn new() -> Rig {
        let dir = tempfile::tempdir().expect("there is a temporary folder");
        let mut config = Config::default_run();
        config.engine.run_dir = dir.path().to_owned();
        config.engine.warm_up_ms = 0;
        config.telemetry.hlog = false;
        config.simulated.events_per_s = 5_000;
        config.lanes.market = 64;
        config.consumers.clear();
        let load = SyntheticLoad { critical_per_mille: 100, ..SyntheticLoad::default() };
        let own_venue = OwnVenue::Synthetic;
        let options = LaunchOptions { own_venue, load, ..LaunchOptions::default() };
        Rig { config, registry: StrategyRegistry::new(), options, dir }
    }

    /// All consumers on the last core.
    pub fn on_one_core() -> Rig {
        let mut rig = Rig::new();
        let [dispatch, consumers] = two_cores();
        rig.config.cores.dispatch = Some(dispatch);
        rig.config.cores.consumers = Some(vec![consumers]);
        rig
    }

    /// Adds a consumer of any kind.
    pub fn add<S: Strategy>(&mut self, name: &str, make: impl Fn() -> S + Send + Sync + 'static) {
        let registry = std::mem::take(&mut self.registry);
        self.registry = registry.with(name, move |_: &Params| Ok(make()));
        self.config.consumers.push(ConsumerConfig::of_strategy(name));
    }

    /// Adds a consumer, and returns what it tells.
    pub fn consumer(
        &mut self,
        name: &str,
        make: impl Fn(&Arc<Seen>) -> Consumer + Send + Sync + 'static,
    ) -> Arc<Seen> {
        let seen = Arc::<Seen>::default();
        let shared = Arc::clone(&seen);
        self.add(name, move || make(&shared));
        seen
    }

    pub fn witness(&mut self, name: &str) -> Arc<Seen> {
        self.consumer(name, Consumer::witness)
    }

    /// A consumer that is held up in its hundredth event.
    pub fn slow(&mut self, name: &str, hold: Hold) -> Arc<Seen> {
        self.consumer(name, move |seen| Consumer::held(seen, 100, hold))
    }

    pub fn start(self) -> Running {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let engine = launch_with(self.config, &self.registry, self.options).expect("it starts");
        Running { engine, dir: self.dir, _alone: alone }
    }
}

impl Running {
    /// Waits until `holds`, for as long as no core has ended by itself.
    pub fn wait(&self, what: &str, holds: impl Fn(&Engine) -> bool) {
        let started = Instant::now();
        while !holds(&self.engine) {
            assert!(started.elapsed() < PATIENCE, "never {what}: {:?}", self.engine.status());
            // A halt is a failure too, and may have come since `holds` was asked.
            let has_failed = self.engine.has_failed() && !holds(&self.engine);
            assert!(!has_failed, "a core ended by itself before {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until each of `witnesses` has handled so many more events.
    pub fn wait_for_more(&self, witnesses: &[&Arc<Seen>], more: u64) {
        for seen in witnesses {
            let before = seen.events();
            self.wait("more events for a neighbour", |_| seen.events() >= before + more);
        }
    }

    pub fn stop(self) -> (Report, tempfile::TempDir) {
        (self.engine.stop().expect("there is a report"), self.dir)
    }
}

/// A consumer's report by name.
pub fn of<'r>(report: &'r Report, name: &str) -> &'r ConsumerReport {
    report.consumers.iter().find(|consumer| consumer.name == name).expect("it is in the report")
}

/// What every run of these tests has to hold, whatever was slow in it.
pub fn assert_nothing_lost(report: &Report) {
    assert!(report.identity_holds, "{report:#?}");
    assert_eq!(report.critical_lost, 0);
    assert!(report.notes.iter().all(|note| !note.contains("panicked")), "{:?}", report.notes);
}
