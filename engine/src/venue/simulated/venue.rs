//! The simulated venue's handle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::counters::{SimulatedVenueCounters, SimulatedVenueReport};
use super::dialect::{DialectKind, USUAL};
use super::exchange::{Exchange, Ledger, SimulatedSymbol};
use super::limits::Limits;
use super::moment::Moment;
use super::options::{SimulatedVenueError, SimulatedVenueOptions};
use super::penalties::Penalties;
use super::server::{Handle, ServerOptions};
use super::simulation::Simulation;
use crate::runtime::Agent;
use crate::world::{Clock, Net, World};

/// A running simulated venue. Dropping it ends it, too; [`SimulatedVenue::stop`] also reports.
pub struct SimulatedVenue {
    handle: Handle,
    penalties: Arc<Penalties>,
    ledger: Arc<Mutex<Ledger>>,
    symbols: Vec<SimulatedSymbol>,
    is_calm: Arc<AtomicBool>,
}

impl SimulatedVenue {
    /// Binds the port, opens the markets and starts the venue's one thread. When this returns,
    /// connections are accepted.
    ///
    /// # Errors
    /// A port that is taken, an option out of range, or no thread to be had.
    pub fn start(options: SimulatedVenueOptions) -> Result<Self, SimulatedVenueError> {
        Self::start_as(&USUAL, options)
    }

    /// [`SimulatedVenue::start`], in a dialect of choice.
    ///
    /// # Errors
    /// As [`SimulatedVenue::start`].
    pub fn start_as(
        dialect: &DialectKind,
        options: SimulatedVenueOptions,
    ) -> Result<Self, SimulatedVenueError> {
        Self::start_at(dialect, options, Clock::start())
    }

    /// [`SimulatedVenue::start_as`], by a clock of choice: of tests in which time passes faster.
    ///
    /// # Errors
    /// As [`SimulatedVenue::start`].
    pub fn start_at(
        dialect: &DialectKind,
        options: SimulatedVenueOptions,
        clock: Clock,
    ) -> Result<Self, SimulatedVenueError> {
        Self::build(dialect, options, clock, Net::real(), Handle::start)
    }

    /// Like [`SimulatedVenue::start_as`], without a thread: whoever runs the agent serves. Time and
    /// network are those of `world`.
    ///
    /// # Errors
    /// An address that is taken, or an option out of range.
    pub fn in_world(
        dialect: &DialectKind,
        options: SimulatedVenueOptions,
        world: &World,
    ) -> Result<(Self, Box<dyn Agent>), SimulatedVenueError> {
        let (clock, net) = (world.clock.elsewhere(), world.net.clone());
        let mut agent = None;
        let venue = Self::build(dialect, options, clock, net, |server, simulation| {
            let (handle, server) = Handle::bind(server, simulation)?;
            agent = Some(server);
            Ok(handle)
        })?;
        Ok((venue, agent.expect("what was bound has an agent")))
    }

    fn build(
        dialect: &DialectKind,
        mut options: SimulatedVenueOptions,
        clock: Clock,
        net: Net,
        open: impl FnOnce(ServerOptions<'_>, Simulation) -> Result<Handle, SimulatedVenueError>,
    ) -> Result<Self, SimulatedVenueError> {
        options.validate()?;
        options.commission.asset = dialect.fees_in.unwrap_or(options.commission.asset);
        options.trades_contracts |= dialect.trades_contracts;
        let penalties = Arc::new(Penalties::default());
        let exchange = Exchange::new(&options, Moment::read(&clock));
        let ledger = exchange.ledger().clone();
        let limits = Limits::new(options.limits, penalties.clone());
        let dialect = (dialect.new)(&options);
        let is_calm = Arc::<AtomicBool>::default();
        let server = ServerOptions {
            bind: options.bind,
            fault_plan: &options.fault_plan,
            is_calm: Arc::clone(&is_calm),
            rules: options.limits,
            penalties: penalties.clone(),
            clock,
            net,
        };
        let simulation = Simulation::new(exchange, limits, dialect);
        let handle = open(server, simulation.with_order_latency(options.order_latency_ns))?;
        Ok(Self { handle, penalties, ledger, symbols: options.symbols, is_calm })
    }

    /// Where it listens, with the port the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    /// What is traded there, in the order of the ledger's markets.
    #[must_use]
    pub fn symbols(&self) -> &[SimulatedSymbol] {
        &self.symbols
    }

    /// From now on nothing of the fault plan strikes any more; what has struck runs its course.
    pub fn calm(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    /// The live counters.
    #[must_use]
    pub fn counters(&self) -> &Arc<SimulatedVenueCounters> {
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
