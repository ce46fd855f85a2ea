//! What an engine is launched with, and why it was not.

use std::path::PathBuf;

use thiserror::Error;

use crate::config::ConfigError;
use crate::consumer::ConsumerFaults;
use crate::control::SocketError;
use crate::instrument::InstrumentError;
use crate::journal::{JournalError, JournalFailure};
use crate::runtime::PlanError;
use crate::telemetry::HlogError;
use crate::venue::protocol::KeyError;
use crate::venue::recorder::RecorderOptions;
use crate::venue::simulated::{FaultPlan, RecordedSession, SimulatedVenueError};
use crate::venue::transport::EndpointError;
use crate::venue::{SymbolError, SyntheticLoad};
use crate::world::tape::TapeError;

/// Why the engine did not start. No pinned thread was left running.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum LaunchError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("[engine] core plan failed: {0}")]
    Plan(#[from] PlanError),
    #[error("[engine] instruments failed: {0}")]
    Instruments(#[from] InstrumentError),
    #[error("[engine] preparing {} failed: {source}", path.display())]
    RunDir { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Hlog(#[from] HlogError),
    #[error("[engine] address failed: {0}")]
    Endpoint(#[from] EndpointError),
    #[error("[engine] start failed: {0} (code: entropy)")]
    World(std::io::Error),
    #[error("[engine] credentials failed: {0}")]
    Credentials(#[from] KeyError),
    #[error("[simulated] start failed: {0}")]
    Simulated(#[from] SimulatedVenueError),
    #[error("[{venue}] symbols failed: {source}")]
    Symbols { venue: String, source: SymbolError },
    #[error(transparent)]
    Control(#[from] SocketError),
    #[error(
        "[engine] memory failed: lanes and cells take {need_mib} MiB and {place} has {limit_mib} \
         MiB; {largest_mib} MiB of it are \"{largest}\" (see `pitlane plan`): give consumers fewer \
         instruments or kinds, or [lanes] fewer slots (code: memory)"
    )]
    Memory {
        need_mib: u64,
        place: &'static str,
        limit_mib: u64,
        largest: &'static str,
        largest_mib: u64,
    },
    #[error(
        "[engine] files failed: {need} files and sockets are needed and {limit} are allowed: \
         ulimit -n {need}, or a larger streams_per_connection_max (code: files)"
    )]
    OpenFiles { need: u64, limit: u64 },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(
        "[journal] {} was written under another configuration: {problems}. Bring the consumers, \
         venues and instruments back that it names (same names, same scales), or settle what is \
         open by hand and give the engine a new folder ([journal] dir) (code: other_config)",
        path.display()
    )]
    JournalOfAnother { path: PathBuf, problems: String },
    #[error("[journal] start failed: {} (code: io)", .0.words())]
    JournalStart(JournalFailure),
    #[error(
        "[recorder] {} can't be made: {source}: a recording needs a folder of its own (code: io)",
        path.display()
    )]
    Record { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Tape(#[from] TapeError),
    #[error("[engine] starting thread {name} failed: {source}")]
    Thread { name: String, source: std::io::Error },
}

/// The venue that the engine brings itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnVenue {
    /// A real server on loopback, connected to through the adapter.
    #[default]
    Simulated,
    /// An agent that writes decoded events straight into its link, and answers orders itself: the
    /// load of checks and benches that are about everything behind the adapter.
    Synthetic,
}

/// What a launch can be told beside its configuration.
#[derive(Default)]
pub struct LaunchOptions {
    /// Which venue of its own it brings, where the configuration has one.
    pub own_venue: OwnVenue,
    /// A recorded session to be played; its server is started, and its address is in the
    /// configuration.
    pub recorded: Option<RecordedSession>,
    /// Records all market sessions.
    pub record: Option<RecorderOptions>,
    /// Order sessions ask what their accounts and keys may do, and what the accounts have: see
    /// [`Engine::account`](super::Engine::account).
    pub inspects_accounts: bool,
    /// What venues say of their instruments is kept in their own words: see
    /// [`Engine::instrument_words`](super::Engine::instrument_words).
    pub keeps_instrument_words: bool,
    /// How much a synthetic venue writes; of no effect on any other.
    pub load: SyntheticLoad,
    /// What goes wrong at the simulated venues.
    #[doc(hidden)]
    pub venue_faults: FaultPlan,
    /// Faults planted into the first consumer.
    #[doc(hidden)]
    pub faults: ConsumerFaults,
    /// A planted fault: no dead letter is written before the end of the run.
    #[doc(hidden)]
    pub holds_letters: bool,
    /// A planted fault: nothing is taken from a consumer that stalls.
    #[doc(hidden)]
    pub takes_nothing: bool,
}
