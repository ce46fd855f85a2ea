//! The simulated venue's handle.

use std::net::SocketAddr;
use std::sync::Arc;

use super::counters::{SimulatedVenueReport, VenueCounters};
use super::options::{SimulatedVenueError, SimulatedVenueOptions};
use super::server::Handle;
use super::simulation::Simulation;

/// A running simulated venue. Dropping it ends it, too; [`SimulatedVenue::stop`] also reports.
pub struct SimulatedVenue {
    handle: Handle,
}

impl SimulatedVenue {
    /// Binds the port, opens the markets and starts the venue's one thread. When this returns,
    /// connections are accepted.
    ///
    /// # Errors
    /// A port that is taken, an option out of range, or no thread to be had.
    pub fn start(options: SimulatedVenueOptions) -> Result<Self, SimulatedVenueError> {
        options.validate()?;
        let simulation = Simulation::new(&options);
        let handle = Handle::start(options.bind, &options.fault_plan, simulation)?;
        Ok(Self { handle })
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

    /// Closes all connections, joins the thread and returns the last counters.
    ///
    /// # Errors
    /// When the event loop had failed, or the thread panicked.
    pub fn stop(self) -> Result<SimulatedVenueReport, SimulatedVenueError> {
        self.handle.stop()
    }
}
