//! What a simulated venue is started with, and why it may refuse.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use thiserror::Error;

use super::decimal::TEXT_SCALE;
use super::fault::FaultPlan;

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
    /// Its Ed25519 public key.
    pub public_key_ed25519: [u8; 32],
    /// Free balance of every traded asset at the start, in whole units of the asset.
    pub starting_balance: u64,
    /// New orders allowed in 10 s before `-1015`; the venue's own limit is 50. `None`: no limit.
    pub orders_per_10s: Option<u32>,
    /// What goes wrong, and when.
    pub fault_plan: FaultPlan,
}

impl Default for SimulatedVenueOptions {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            symbols: vec![SimulatedSymbol::default()],
            events_per_s: 2_000,
            api_key: "simulated".into(),
            public_key_ed25519: [0; 32],
            starting_balance: 1_000_000_000,
            orders_per_10s: None,
            fault_plan: FaultPlan::default(),
        }
    }
}

/// One traded pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedSymbol {
    /// Upper-case name as the venue writes it, letters and digits.
    pub name: String,
    /// What is bought and sold.
    pub base_asset: String,
    /// What it is paid with.
    pub quote_asset: String,
    /// Digits after the point of a price, at most 8.
    pub price_scale: u32,
    /// Digits after the point of a quantity, at most 8.
    pub qty_scale: u32,
    /// Where the walk starts, in units of 10^-`price_scale`; at least 1,000 ticks.
    pub start_price: u64,
    /// Smallest price difference, in units of 10^-`price_scale`.
    pub tick: u64,
    /// Smallest quantity difference, in units of 10^-`qty_scale`.
    pub step: u64,
    /// Smallest value of an order, in units of 10^-`price_scale` of the quote asset.
    pub min_notional: u64,
}

impl Default for SimulatedSymbol {
    /// BTCUSDT with the venue's own tick and step.
    fn default() -> Self {
        Self {
            name: "BTCUSDT".into(),
            base_asset: "BTC".into(),
            quote_asset: "USDT".into(),
            price_scale: 2,
            qty_scale: 5,
            start_price: 6_000_000,
            tick: 1,
            step: 1,
            min_notional: 500,
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
    /// The event loop or its thread could not be made.
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
    /// The event loop ended with an error of the system.
    #[error("the venue's event loop failed: {0}")]
    Loop(#[source] io::Error),
    /// The thread panicked: a bug in the venue.
    #[error("the venue's thread panicked: {0}")]
    Panicked(String),
}

impl SimulatedVenueOptions {
    /// Checks all ranges.
    ///
    /// # Errors
    /// [`SimulatedVenueError::Option`] names the first option out of range.
    pub(super) fn validate(&self) -> Result<(), SimulatedVenueError> {
        let refuse = |option, why: String| Err(SimulatedVenueError::Option { option, why });
        if !(1..=256).contains(&self.symbols.len()) {
            return refuse("symbols", format!("{} given, 1 to 256 needed", self.symbols.len()));
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

impl SimulatedSymbol {
    /// The highest price an order may have: what the walk can reach, and as much again.
    pub(super) fn price_max(&self) -> u64 {
        self.start_price * 4 / self.tick * self.tick
    }

    /// The largest quantity of one order.
    pub(super) fn qty_max(&self) -> u64 {
        self.step * 1_000_000_000
    }

    fn validate(&self) -> Result<(), &'static str> {
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        if ![&self.name, &self.base_asset, &self.quote_asset].into_iter().all(|name| is_name(name))
        {
            return Err("names are upper-case letters and digits");
        }
        if self.price_scale > TEXT_SCALE || self.qty_scale > TEXT_SCALE {
            return Err("scales are at most 8");
        }
        if self.tick == 0 || self.step == 0 {
            return Err("tick and step are at least 1");
        }
        let ticks = self.start_price / self.tick;
        if !(1_000..=u64::from(u32::MAX) * 1_000).contains(&ticks) {
            return Err("the start price lies outside 1,000 to 4 * 10^12 ticks");
        }
        // Four times the start price must still be a price, and sums of quantities must fit.
        if self.start_price > i64::MAX as u64 / 4 || self.step > 10_000_000 {
            return Err("start price or step is too large");
        }
        Ok(())
    }
}
