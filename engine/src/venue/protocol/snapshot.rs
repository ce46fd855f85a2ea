//! A book as a venue tells it whole.

use crate::event::{InstrumentId, Level};

/// A book as it was at `last_update_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What it is about.
    pub instrument: InstrumentId,
    /// Last update of the venue's sequence in it.
    pub last_update_id: u64,
    /// Bids, highest first.
    pub bids: Vec<Level>,
    /// Asks, lowest first.
    pub asks: Vec<Level>,
}
