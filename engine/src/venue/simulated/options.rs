//! What a simulated venue is started with, and why it may refuse.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use thiserror::Error;

use super::exchange::{Commission, SelfTrade, SimulatedSymbol};
use super::fault::FaultPlan;
use super::limits::LimitRules;
use super::live_feed::LiveFeeds;
use crate::config::SIMULATED_SYMBOLS_MAX;

/// Everything a [`SimulatedVenue`](super::SimulatedVenue) is started with.
#[derive(Clone, Debug)]
pub struct SimulatedVenueOptions {
    /// Where to listen; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// Seed of the price process: one seed, one sequence of the crowd's actions.
    pub seed: u64,
    /// What is traded, 1 to 256 symbols.
    pub symbols: Vec<SimulatedSymbol>,
    /// Market frames a second over all symbols, 1 to 200,000. They are owed by the clock: a thread
    /// that was held up catches up, for at most one second.
    pub events_per_s: u32,
    /// The one account's API key.
    pub api_key: String,
    /// What its signatures are verified with: a public key, or the secret that both share.
    pub verifying_key: Vec<u8>,
    /// Whether the venue says of the key that it may trade. It is told, and nothing else follows:
    /// orders are taken all the same.
    pub key_trades: bool,
    /// Free balance of every traded asset at the start, in whole units of the asset.
    pub starting_balance: u64,
    /// What a client may do in which time, and what happens when it does more.
    pub limits: LimitRules,
    /// What is taken of each fill.
    pub commission: Commission,
    /// What happens instead of a match of two orders of the account that say nothing themselves.
    pub self_trade: SelfTrade,
    /// Contracts are traded: the account holds positions, which may be short, and its cash is
    /// margin. So it is where the venue trades nothing else.
    pub trades_contracts: bool,
    /// What goes wrong, and when.
    pub fault_plan: FaultPlan,
    /// Where the liquidity of its markets comes from; `None`: from its own crowd. Instruments have
    /// the numbers of the symbols.
    pub live: Option<LiveFeeds>,
    /// How long a second of its timers is that cancel all, ns.
    pub timer_second_ns: u64,
    /// Whether the account was granted what a venue grants to some alone: that it cancels all once
    /// the account's connections are lost.
    pub grants_disconnect_cancel: bool,
    /// From a message of an order session to its arrival, ns.
    pub order_latency_ns: u64,
}

impl Default for SimulatedVenueOptions {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            symbols: vec![SimulatedSymbol::default()],
            events_per_s: 2_000,
            api_key: "simulated".into(),
            verifying_key: vec![0; 32],
            key_trades: true,
            starting_balance: 1_000_000_000,
            limits: LimitRules::default(),
            commission: Commission::STANDARD,
            self_trade: SelfTrade::ExpireMaker,
            trades_contracts: false,
            fault_plan: FaultPlan::default(),
            live: None,
            timer_second_ns: 1_000_000_000,
            grants_disconnect_cancel: true,
            order_latency_ns: 0,
        }
    }
}

/// Why a venue did not start, or did not end well.
#[derive(Debug, Error)]
pub enum SimulatedVenueError {
    /// Another process listens there.
    #[error("cannot listen on {address}: the port is taken")]
    PortTaken {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system refused the address for another reason.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The system's word.
        source: io::Error,
    },
    /// The poller or the thread could not be made.
    #[error("cannot start the venue's thread: {0}")]
    Start(#[source] io::Error),
    /// An option is out of its range.
    #[error("{option}: {why}")]
    Option {
        /// Which.
        option: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The venue's thread ended before it was asked to, or panicked: a bug in the venue.
    #[error("the venue's thread did not end well: {0}")]
    Ended(String),
}

impl SimulatedVenueOptions {
    /// Checks all ranges.
    ///
    /// # Errors
    /// [`SimulatedVenueError::Option`] names the first option out of range.
    pub(super) fn validate(&self) -> Result<(), SimulatedVenueError> {
        let refuse = |option, why: String| Err(SimulatedVenueError::Option { option, why });
        if !(1..=SIMULATED_SYMBOLS_MAX).contains(&self.symbols.len()) {
            let given = self.symbols.len();
            let why = format!("{given} given, 1 to {SIMULATED_SYMBOLS_MAX} needed");
            return refuse("symbols", why);
        }
        if !(1..=200_000).contains(&self.events_per_s) {
            return refuse("events_per_s", format!("{} is not in 1..=200000", self.events_per_s));
        }
        for (index, symbol) in self.symbols.iter().enumerate() {
            if let Err(why) = symbol.validate() {
                return refuse("symbols", format!("{}: {why}", symbol.name));
            }
            if self.symbols[..index].iter().any(|earlier| earlier.name == symbol.name) {
                return refuse("symbols", format!("{} is given twice", symbol.name));
            }
        }
        Ok(())
    }
}
