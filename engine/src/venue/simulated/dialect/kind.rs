//! What is known of a dialect before it is spoken.

use std::fmt;

use super::Dialect;
use crate::venue::simulated::exchange::CommissionAsset;
use crate::venue::simulated::options::SimulatedVenueOptions;

/// A dialect of the simulated venue.
pub struct DialectKind {
    /// Its name.
    pub name: &'static str,
    /// Path and query of its market data; a route comes before the last segment.
    pub stream_path: &'static str,
    /// Path and query of its order entry; `None`: it takes no orders.
    pub api_path: Option<&'static str>,
    /// What its fees are paid in, where the venue lets nobody choose.
    pub fees_in: Option<CommissionAsset>,
    /// It trades contracts, and nothing else.
    pub trades_contracts: bool,
    /// Makes one that speaks it.
    pub new: fn(&SimulatedVenueOptions) -> Box<dyn Dialect>,
}

impl fmt::Debug for DialectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DialectKind({})", self.name)
    }
}
