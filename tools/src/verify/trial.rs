//! A trial: the real engine, launched with consumers of a check's making, run until its load is
//! over.

use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::Strategy;
use pitlane_engine::report::Report;
use pitlane_engine::venue::SyntheticLoad;
use pitlane_engine::{
    Engine, LaunchError, LaunchFaults, LaunchOptions, OwnVenue, Params, StrategyRegistry,
    launch_with,
};
use thiserror::Error;

use super::process::{ProcessFigures, resident_kib};
use super::setting::Setting;

/// Pause between two polls of the running engine.
const POLL: Duration = Duration::from_millis(20);

/// Time that a load may take beyond twice what its rate says.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a check came to no finding.
#[derive(Debug, Error)]
pub(crate) enum TrialError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("[verify] run failed: {written} of {wanted} events after {elapsed:?}")]
    TooSlow { written: u64, wanted: u64, elapsed: Duration },
    #[error("[verify] run failed: the engine left no report")]
    NoReport,
    #[error("[verify] interrupted")]
    Interrupted,
}

/// An engine that is about to be launched.
pub(crate) struct Trial<'s> {
    setting: &'s Setting<'s>,
    pub(crate) config: Config,
    registry: StrategyRegistry,
    pub(crate) load: SyntheticLoad,
    pub(crate) faults: LaunchFaults,
    /// Nothing is taken from a consumer that stalls.
    pub(crate) takes_nothing: bool,
}

/// What is left of a trial.
pub(crate) struct Ran {
    pub(crate) report: Report,
    pub(crate) before: ProcessFigures,
    pub(crate) after: ProcessFigures,
    /// Resident memory when a fifth of the load was over, and the most after that, KiB.
    pub(crate) resident_kib: (u64, u64),
}

impl<'s> Trial<'s> {
    /// A trial with `events` on schedule, at `events_per_s`, and no consumer yet.
    pub(crate) fn new(setting: &'s Setting<'s>, events: u64, events_per_s: u32) -> Trial<'s> {
        let mut config = Config::default_run();
        config.engine.run_dir = setting.folder.to_owned();
        config.engine.warm_up_ms = 300;
        config.engine.max_failures = u64::MAX;
        config.telemetry.hlog = false;
        // Many short runs, which nobody controls.
        config.control.enabled = false;
        config.simulated.events_per_s = events_per_s;
        config.consumers.clear();
        Trial {
            setting,
            config,
            registry: StrategyRegistry::new(),
            load: SyntheticLoad { events_max: events, ..SyntheticLoad::default() },
            faults: LaunchFaults::default(),
            takes_nothing: false,
        }
    }

    /// Adds a consumer.
    pub(crate) fn consumer<S: Strategy>(
        mut self,
        name: &str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Trial<'s> {
        self.registry = self.registry.with(name, move |_params: &Params| Ok(make()));
        self.config.consumers.push(ConsumerConfig::of_strategy(name));
        self
    }

    /// Launches the engine, waits until the load is over, and stops it in order.
    ///
    /// # Errors
    /// [`TrialError`]; nothing is left running.
    pub(crate) fn run(self) -> Result<Ran, TrialError> {
        let wanted = self.load.events_max;
        self.run_while(|engine| engine.status().events_in >= wanted)
    }

    /// The same until `is_over` says so, in the time that the load may take.
    ///
    /// # Errors
    /// [`TrialError`]; nothing is left running.
    pub(crate) fn run_while(self, is_over: impl FnMut(&Engine) -> bool) -> Result<Ran, TrialError> {
        let due = self.load.events_max / u64::from(self.config.simulated.events_per_s);
        let patience = 2 * Duration::from_secs(due) + PATIENCE;
        self.run_until(patience, POLL, is_over)
    }

    /// The same within `patience`; `is_over` is asked every `look` and may do things to the
    /// engine.
    ///
    /// # Errors
    /// [`TrialError`]; nothing is left running.
    pub(crate) fn run_until(
        self,
        patience: Duration,
        look: Duration,
        mut is_over: impl FnMut(&Engine) -> bool,
    ) -> Result<Ran, TrialError> {
        let Trial { setting, config, registry, load, faults, takes_nothing } = self;
        // Each simulated venue writes the whole load.
        let wanted = load.events_max * u64::from(1 + config.simulated.standby);
        let before = ProcessFigures::read();
        let options = LaunchOptions {
            own_venue: OwnVenue::Synthetic,
            load,
            faults,
            takes_nothing,
            ..LaunchOptions::default()
        };
        let engine = launch_with(config, &registry, options)?;
        let started = Instant::now();
        let mut resident = Resident { wanted, ..Resident::default() };
        while !is_over(&engine) && !engine.has_failed() {
            let elapsed = started.elapsed();
            if elapsed > patience {
                let written = engine.status().events_in;
                return Err(TrialError::TooSlow { written, wanted, elapsed });
            }
            if setting.is_stopped() {
                return Err(TrialError::Interrupted);
            }
            resident.observe(&engine);
            std::thread::sleep(look);
        }
        resident.observe(&engine);
        let report = engine.stop().ok_or(TrialError::NoReport)?;
        let after = ProcessFigures::settled(before);
        Ok(Ran { report, before, after, resident_kib: (resident.first_kib, resident.most_kib) })
    }
}

/// Follows the resident memory of a run.
#[derive(Default)]
struct Resident {
    wanted: u64,
    looked: Option<Instant>,
    first_kib: u64,
    most_kib: u64,
}

impl Resident {
    fn observe(&mut self, engine: &Engine) {
        if self.looked.is_some_and(|looked| looked.elapsed() < POLL) {
            return;
        }
        self.looked = Some(Instant::now());
        if self.first_kib == 0 && engine.status().events_in >= self.wanted / 5 {
            self.first_kib = resident_kib();
        }
        if self.first_kib > 0 {
            self.most_kib = self.most_kib.max(resident_kib());
        }
    }
}
