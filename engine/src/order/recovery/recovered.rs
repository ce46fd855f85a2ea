//! What a fold of a journal gives.

use std::sync::Arc;

use super::board::RecoveryBoard;
use super::books::StrategyBooks;
use super::recorded_order::RecordedOrder;
use crate::config::OnStart;
use crate::event::VenueId;

/// A start of an engine whose orders may be met at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierRun {
    /// The number of the start in its journal.
    pub epoch: u64,
    /// The first part of the names of its orders.
    pub run: u32,
}

/// What the order session of one venue has to find out.
#[derive(Clone, Debug, Default)]
pub struct VenueRecovery {
    /// Orders that are open on record, by consumer and number.
    pub open: Vec<RecordedOrder>,
    /// Orders that have ended, of which the venue has more to tell.
    pub unsettled: Vec<RecordedOrder>,
    /// Under which names they are known.
    pub runs: Vec<EarlierRun>,
    /// What becomes of those found open.
    pub on_start: OnStart,
    /// Where it tells what it has found.
    pub board: Arc<RecoveryBoard>,
}

/// What is taken up of earlier starts.
pub(crate) struct Recovered {
    /// By consumer.
    pub(crate) books: Vec<StrategyBooks>,
    pub(crate) open: Vec<RecordedOrder>,
    pub(crate) unsettled: Vec<RecordedOrder>,
    pub(crate) runs: Vec<EarlierRun>,
    /// Fills and ends that were read, for the log.
    pub(crate) records: u64,
}

impl Recovered {
    /// Takes out what is a venue's.
    pub(crate) fn of_venue(
        &mut self,
        venue: VenueId,
        on_start: OnStart,
        board: &Arc<RecoveryBoard>,
    ) -> VenueRecovery {
        let its = |order: &mut RecordedOrder| order.command.venue_id() == venue;
        VenueRecovery {
            open: self.open.extract_if(.., its).collect(),
            unsettled: self.unsettled.extract_if(.., its).collect(),
            runs: self.runs.clone(),
            on_start,
            board: Arc::clone(board),
        }
    }
}
