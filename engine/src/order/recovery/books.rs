//! What one strategy owns: its orders, positions and money.

use std::sync::Arc;

use crate::event::{ExecReport, InstrumentId, RETOLD, VenueId};
use crate::instrument::Instruments;
use crate::order::trading::{Ledger, TradingBoard};
use crate::order::{OpenOrder, OrderTracker, OwnId, OwnIds};

/// The books of one strategy.
pub(crate) struct StrategyBooks {
    pub(crate) tracker: OrderTracker,
    pub(crate) ledger: Ledger,
    pub(crate) board: Arc<TradingBoard>,
    pub(crate) own_ids: OwnIds,
}

impl StrategyBooks {
    /// Empty ones, which remember the names of `ids_max` orders that have ended.
    pub(crate) fn new(
        open_max: usize,
        ids_max: usize,
        instruments: &Instruments,
        venues: usize,
    ) -> StrategyBooks {
        let board = TradingBoard::new(instruments.len(), venues);
        StrategyBooks {
            tracker: OrderTracker::new(open_max, instruments),
            ledger: Ledger::new(Arc::clone(&board), instruments, venues),
            board,
            own_ids: OwnIds::new(ids_max, open_max),
        }
    }

    /// The same for who books a journal: nobody reads their figures before the run begins.
    pub(super) fn of_journal(
        open_max: usize,
        ids_max: usize,
        instruments: &Instruments,
        venues: usize,
    ) -> StrategyBooks {
        let books = StrategyBooks::new(open_max, ids_max, instruments, venues);
        StrategyBooks { ledger: books.ledger.unread(), ..books }
    }

    /// An order has left its strategy.
    pub(super) fn sent(&mut self, order: OpenOrder, own_id: Option<OwnId>) {
        if let Some(own_id) = own_id {
            self.own_ids.sent(own_id, order.id);
        }
        self.ledger.sent(order.venue, order.instrument);
        self.tracker.take_up(order);
    }

    /// Takes a report; false when it is one that was told again and changes nothing.
    pub(super) fn take(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        report: &ExecReport,
    ) -> bool {
        let is_booked = book(&mut self.tracker, &mut self.ledger, (venue, instrument), report);
        if is_booked {
            self.own_ids.told(report);
        }
        is_booked
    }

    /// Counts begin anew with each start; amounts do not.
    pub(super) fn begin_run(&mut self) {
        self.tracker.begin_run();
        self.ledger.begin_run();
    }
}

/// Books a report: of a run, or of a journal. False when it is one that was told again and changes
/// nothing.
#[inline]
pub(crate) fn book(
    tracker: &mut OrderTracker,
    ledger: &mut Ledger,
    (venue, instrument): (VenueId, InstrumentId),
    report: &ExecReport,
) -> bool {
    if report.has(RETOLD) && !tracker.is_next_of(report) {
        return false;
    }
    let before = (tracker.counts(), tracker.open().len());
    tracker.apply(venue, instrument, report);
    let after = (tracker.counts(), tracker.open().len());
    ledger.reported(venue, instrument, report, [(&before.0, before.1), (&after.0, after.1)]);
    true
}
