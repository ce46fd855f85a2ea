//! What a fold of a journal gives.

use std::sync::Arc;

use super::board::RecoveryBoard;
use super::books::StrategyBooks;
use super::recorded_order::RecordedOrder;
use crate::config::OnStart;
use crate::event::{ConsumerId, InstrumentId, VenueId};

/// A start of an engine whose orders may be met at a venue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlierRun {
    /// The number of the start in its journal.
    pub epoch: u64,
    /// The first part of the names of its orders.
    pub run: u32,
    /// By the numbers that consumers had in it, their numbers now; `None` for one that is there no
    /// more. Beyond it numbers are the same.
    pub consumers: Vec<Option<u16>>,
    /// By the numbers that consumers have now, the last order number on record.
    pub last_ids: Vec<u64>,
}

impl EarlierRun {
    /// One with the consumers of now, of which no order is on record.
    #[must_use]
    pub fn new(epoch: u64, run: u32) -> EarlierRun {
        EarlierRun { epoch, run, ..EarlierRun::default() }
    }

    /// The number that a consumer had then: the second part of the names of its orders.
    #[must_use]
    pub fn number_then(&self, consumer: ConsumerId) -> u16 {
        let then = self.consumers.iter().position(|now| *now == Some(consumer.0));
        then.and_then(|then| u16::try_from(then).ok()).unwrap_or(consumer.0)
    }

    /// The consumer that had this number then; `None` for one that is there no more.
    #[must_use]
    pub fn consumer_now(&self, then: u16) -> Option<ConsumerId> {
        let now = self.consumers.get(usize::from(then)).copied();
        now.unwrap_or(Some(then)).map(ConsumerId)
    }

    /// The last number of a consumer's orders on record; 0 for none.
    #[must_use]
    pub fn last_id(&self, consumer: ConsumerId) -> u64 {
        self.last_ids.get(consumer.index()).copied().unwrap_or_default()
    }

    /// An order of a consumer with this number is on record.
    pub(super) fn met(&mut self, consumer: ConsumerId, id: u64) {
        if self.last_ids.len() <= consumer.index() {
            self.last_ids.resize(consumer.index() + 1, 0);
        }
        let last = &mut self.last_ids[consumer.index()];
        *last = (*last).max(id);
    }
}

/// What the account had of one asset by the venue's last report on record, in units of 10^-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedBalance {
    /// Where.
    pub venue: VenueId,
    /// The asset, as [`asset_code`](crate::event::asset_code) has it.
    pub asset: u128,
    /// Free and locked.
    pub total: i128,
    /// What our orders have traded since that report, by what is on record, before fees.
    pub traded: i128,
}

/// What our orders have bought less what they have sold in one instrument at one venue, by what is
/// on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedPosition {
    /// Where.
    pub venue: VenueId,
    /// In what.
    pub instrument: InstrumentId,
    /// In the scale of its quantities, of all strategies together.
    pub qty: i64,
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
    /// What the account had there.
    pub balances: Vec<RecordedBalance>,
    /// What was held there, where that is contracts.
    pub positions: Vec<RecordedPosition>,
    /// What becomes of those found open.
    pub on_start: OnStart,
    /// No other engine trades on the account: what has a name like ours is ours.
    pub is_sole_engine: bool,
    /// A journal outlives the run: what the account has open, and its balances, are asked for and
    /// held against it.
    pub asks_account: bool,
    /// Where contracts are traded, positions are asked for with each connection, and held against
    /// what is on record and what was traded since.
    pub asks_positions: bool,
    /// Where it tells what it has found.
    pub board: Arc<RecoveryBoard>,
}

impl VenueRecovery {
    /// Whether orders with names like ours that the journal does not have are cancelled.
    #[must_use]
    pub fn cancels_unrecorded(&self) -> bool {
        self.is_sole_engine && self.on_start == OnStart::Cancel
    }
}

/// What is taken up of earlier starts.
pub(crate) struct Recovered {
    /// By consumer.
    pub(crate) books: Vec<StrategyBooks>,
    pub(crate) open: Vec<RecordedOrder>,
    pub(crate) unsettled: Vec<RecordedOrder>,
    pub(crate) runs: Vec<EarlierRun>,
    pub(crate) balances: Vec<RecordedBalance>,
    pub(crate) positions: Vec<RecordedPosition>,
    /// Fills and ends that were read, for the log.
    pub(crate) records: u64,
}

impl Recovered {
    /// Takes out what is a venue's, with nothing of the configuration.
    pub(crate) fn of_venue(&mut self, venue: VenueId) -> VenueRecovery {
        let its = |order: &mut RecordedOrder| order.command.venue_id() == venue;
        VenueRecovery {
            open: self.open.extract_if(.., its).collect(),
            unsettled: self.unsettled.extract_if(.., its).collect(),
            runs: self.runs.clone(),
            balances: self.balances.extract_if(.., |of| of.venue == venue).collect(),
            positions: self.positions.extract_if(.., |of| of.venue == venue).collect(),
            ..VenueRecovery::default()
        }
    }
}
