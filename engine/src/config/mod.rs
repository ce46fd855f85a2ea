//! The configuration: a TOML file, checked whole before anything starts.
//!
//! Every section and every key has a default, so an empty file is a configuration: the simulated
//! venue, BTC-USDT and the three built-in strategies. Unknown keys are refused, every number has a
//! limit, and an error says file, line, column, key, what is wrong and what is allowed; all
//! problems are found in one pass. What a strategy's own `params` may hold is the strategy's to
//! check: [`Config::error_at`] gives its complaint a place in the file.

mod check;
mod cross;
mod error;
mod example;
mod lists;
mod origin;
mod recorded;
mod risk;
mod rule;
mod schema;
mod sections;

use std::iter;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::text::hide;
use crate::world::Files;
pub(crate) use check::most_alike;
pub use error::{ConfigError, Position, Problem};
pub use lists::{ConsumerConfig, InstrumentConfig, OnFlip, VenueConfig, VenueMode};
pub use origin::Origin;
pub use recorded::{RECORDED_VENUE, RecordedSymbol};
#[cfg(test)]
pub(crate) use risk::ORDER_TYPES;
pub use risk::{GroupRisk, InstrumentRisk, OnStart, OnStop, RiskConfig, SelfCross, StrategyRisk};
pub use sections::{
    ControlConfig, CoresConfig, EngineConfig, JournalConfig, JournalDurability, JournalKeep,
    LanesConfig, Profile, SessionConfig, SimulatedConfig, StreamsConfig, TelemetryConfig,
};

use schema::Section;

/// The name of the simulated venue, in reports and in `native` tables.
pub const SIMULATED_VENUE: &str = "simulated";

/// Core ids end here: the kernel interface used for pinning knows no higher ones.
pub const CORE_IDS: usize = 1_024;

/// The most simulated venues.
pub(crate) const SIMULATED_MAX: u32 = 4;

/// The most instruments that a simulated venue trades.
pub const SIMULATED_SYMBOLS_MAX: usize = 256;

/// The name of a simulated venue, from 1.
fn simulated_name(number: u32) -> String {
    match number {
        1 => SIMULATED_VENUE.to_owned(),
        more => format!("{SIMULATED_VENUE}_{more}"),
    }
}

/// Everything that can be configured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The engine as a whole.
    pub engine: EngineConfig,
    /// Which core runs what.
    pub cores: CoresConfig,
    /// Slots of each lane.
    pub lanes: LanesConfig,
    /// Order, floods and merging of streams.
    pub streams: StreamsConfig,
    /// The control socket.
    pub control: ControlConfig,
    /// What is measured and kept.
    pub telemetry: TelemetryConfig,
    /// Deadlines of every connection.
    pub session: SessionConfig,
    /// What is on record.
    pub journal: JournalConfig,
    /// What is never sent.
    pub risk: RiskConfig,
    /// The simulated venue.
    pub simulated: SimulatedConfig,
    /// Venues to connect to, at most 64, numbered in this order; the simulated one comes last.
    #[serde(rename = "venue")]
    pub venues: Vec<VenueConfig>,
    /// Instruments, at most 10,000, numbered in this order.
    #[serde(rename = "instrument")]
    pub instruments: Vec<InstrumentConfig>,
    /// Consumers, at most 256, numbered in this order.
    #[serde(rename = "consumer")]
    pub consumers: Vec<ConsumerConfig>,
    /// Whether the simulated venues take orders, by their places: their kinds know, and tell it
    /// here. Those that nothing was told of do.
    #[serde(skip)]
    pub simulated_take_orders: Vec<bool>,
    /// Where each value stands in the file; empty for a configuration made in code.
    #[serde(skip)]
    pub origin: Origin,
}

/// The sections in the order of the example.
const SECTIONS: [Section; 13] = [
    EngineConfig::SECTION,
    CoresConfig::SECTION,
    LanesConfig::SECTION,
    StreamsConfig::SECTION,
    ControlConfig::SECTION,
    TelemetryConfig::SECTION,
    SessionConfig::SECTION,
    JournalConfig::SECTION,
    RiskConfig::SECTION,
    SimulatedConfig::SECTION,
    VenueConfig::SECTION,
    InstrumentConfig::SECTION,
    ConsumerConfig::SECTION,
];

impl Default for Config {
    fn default() -> Config {
        Config::default_run()
    }
}

impl Config {
    /// The run without a file: the simulated venue, BTC-USDT, and the three built-in strategies.
    #[must_use]
    pub fn default_run() -> Config {
        Config {
            engine: EngineConfig::default(),
            cores: CoresConfig::default(),
            lanes: LanesConfig::default(),
            streams: StreamsConfig::default(),
            control: ControlConfig::default(),
            telemetry: TelemetryConfig::default(),
            session: SessionConfig::default(),
            journal: JournalConfig::default(),
            risk: RiskConfig::default(),
            simulated: SimulatedConfig::default(),
            venues: Vec::new(),
            instruments: vec![InstrumentConfig::default()],
            consumers: ["noop", "momentum", "market_maker"]
                .map(ConsumerConfig::of_strategy)
                .to_vec(),
            simulated_take_orders: Vec::new(),
            origin: Origin::default(),
        }
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] when it can't be read as UTF-8 text, else as [`Config::parse`].
    pub fn load(path: impl AsRef<Path>) -> Result<Config, ConfigError> {
        let path = path.as_ref();
        let text = Files::Real
            .read_text(path)
            .map_err(|reason| ConfigError::Unreadable { path: path.to_owned(), reason })?;
        Config::parse(&text, &path.display().to_string())
    }

    /// Checks `text`; `origin` names it in errors, as a file name would.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with everything that is wrong, in the order of the text.
    pub fn parse(text: &str, origin: &str) -> Result<Config, ConfigError> {
        let origin = check::keys_and_values(text, origin)?;
        let mut config: Config = toml::from_str(text).map_err(|error| origin.syntax(&error))?;
        config.origin = origin;
        config.venues.iter().filter_map(|venue| venue.api_key.as_deref()).for_each(hide);
        config.resolve();
        let problems = cross::problems(&config);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// A commented file with every key, its unit, limit and default. It parses to the default run.
    #[must_use]
    pub fn example() -> String {
        example::render()
    }

    /// The names of the venues in the order of their numbers: `[[venue]]` first, then the simulated
    /// ones.
    #[must_use]
    pub fn venue_names(&self) -> Vec<String> {
        self.venues.iter().map(|venue| venue.name.clone()).chain(self.simulated_names()).collect()
    }

    /// The names of the simulated venues.
    pub fn simulated_names(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.simulated_kinds().count() as u32).map(simulated_name)
    }

    /// The kinds of the simulated venues, in the order of their names: those that start come first.
    pub fn simulated_kinds(&self) -> impl Iterator<Item = &str> {
        let SimulatedConfig { enabled, kind, others, standby, .. } = &self.simulated;
        let standing_by = iter::repeat_n(kind, *standby as usize);
        let all = iter::once(kind).chain(others).chain(standing_by);
        all.map(String::as_str).take(if *enabled { usize::MAX } else { 0 })
    }

    /// Whether the venue with this number is connected to at the start.
    #[must_use]
    pub fn starts(&self, venue: usize) -> bool {
        let simulated = self.venues.len()..=self.venues.len() + self.simulated.others.len();
        self.venues.get(venue).map_or(simulated.contains(&venue), |venue| venue.start)
    }

    /// Whether the venue with this number can take orders: one with an `api_url`, or a simulated
    /// one where its kind does.
    #[must_use]
    pub fn takes_orders(&self, venue: usize) -> bool {
        let configured = self.venues.get(venue).map(VenueConfig::takes_orders);
        configured.unwrap_or_else(|| {
            let simulated = self.simulated_take_orders.get(venue - self.venues.len());
            simulated.copied().unwrap_or(true)
        })
    }

    /// An error about the value at `key`, placed where the file says it; for what only a later
    /// stage can judge, as a strategy its parameters: `consumer[1].params.spread_ticks`.
    ///
    /// A key that is not in the file is placed at the nearest section around it.
    #[must_use]
    pub fn error_at(&self, key: &str, problem: &str, allowed: &str) -> ConfigError {
        ConfigError::Invalid(vec![self.origin.problem(key, problem, allowed)])
    }

    /// Fills in what one key takes from another.
    fn resolve(&mut self) {
        if !self.origin.has("simulated.enabled") {
            self.simulated.enabled = self.venues.is_empty();
        }
        for consumer in &mut self.consumers {
            if consumer.name.is_empty() {
                consumer.name.clone_from(&consumer.strategy);
            }
        }
    }
}
