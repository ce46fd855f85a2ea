//! The simulated venue's handle.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::counters::{SimulatedVenueReport, VenueCounters};
use super::dialect::binance_spot::BinanceSpot;
use super::exchange::{Exchange, Ledger};
use super::limits::Limits;
use super::moment::Moment;
use super::options::{SimulatedVenueError, SimulatedVenueOptions};
use super::penalties::Penalties;
use super::server::{Handle, ServerOptions};
use super::simulation::Simulation;
use crate::world::Clock;

/// A running simulated venue. Dropping it ends it, too; [`SimulatedVenue::stop`] also reports.
pub struct SimulatedVenue {
    handle: Handle,
    penalties: Arc<Penalties>,
    ledger: Arc<Mutex<Ledger>>,
}

impl SimulatedVenue {
    /// Binds the port, opens the markets and starts the venue's one thread. When this returns,
    /// connections are accepted.
    ///
    /// # Errors
    /// A port that is taken, an option out of range, or no thread to be had.
    pub fn start(options: SimulatedVenueOptions) -> Result<Self, SimulatedVenueError> {
        options.validate()?;
        let clock = Clock::start();
        let penalties = Arc::new(Penalties::default());
        let exchange = Exchange::new(&options, Moment::read(&clock));
        let ledger = exchange.ledger().clone();
        let limits = Limits::new(options.limits, penalties.clone());
        let dialect = BinanceSpot::new(&options);
        let server = ServerOptions {
            bind: options.bind,
            fault_plan: &options.fault_plan,
            rules: options.limits,
            penalties: penalties.clone(),
            clock,
        };
        let handle = Handle::start(server, Simulation::new(exchange, limits, dialect))?;
        Ok(Self { handle, penalties, ledger })
    }

    /// Where it listens, with the port the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    /// The live counters.
    #[must_use]
    pub fn counters(&self) -> &Arc<VenueCounters> {
        self.handle.counters()
    }

    /// What its clients did that the real venue punishes.
    #[must_use]
    pub fn penalties(&self) -> &Arc<Penalties> {
        &self.penalties
    }

    /// The exchange's own record now: what is true, whatever a client was told.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.ledger.lock().clone()
    }

    /// Closes all connections, joins the thread and returns the last counters.
    ///
    /// # Errors
    /// When the event loop had failed, or the thread panicked.
    pub fn stop(self) -> Result<SimulatedVenueReport, SimulatedVenueError> {
        self.handle.stop()
    }
}
