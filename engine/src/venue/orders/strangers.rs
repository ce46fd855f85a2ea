//! What the account's stream says of orders that are none of ours: somebody else's, or the venue's
//! own, such as a liquidation.

use super::reconcile::{OTHER_NAME, Reconciler};
use super::states::OrderInput;
use super::told::VenueReport;
use crate::event::{ExecType, InstrumentId, VenueRef};
use crate::order::OrderKey;
use crate::venue::{EventOutlet, LetterReason};

impl<O: EventOutlet> Reconciler<O> {
    /// A report that names no order of ours is a stranger's, unless the venue's own name in it is
    /// that of one of ours.
    #[cold]
    pub(super) fn on_strange_name(
        &mut self,
        (id, instrument): (VenueRef, InstrumentId),
        raw: &[u8],
    ) {
        self.letter(LetterReason::Order, "no order of this run", raw);
        let key = self.by_venue_id(id);
        if let Some(key) = key.filter(|key| self.is_for(*key, instrument)) {
            self.alarm(key, OTHER_NAME);
            self.apply(key, OrderInput::Contradiction);
        }
    }

    /// A fill of an order that is none of ours, be it a liquidation of the venue's or somebody
    /// else's order, moves the one position that the account has in contracts of a kind: what the
    /// engine counts is not what the account holds any more. Such a fill belongs to no strategy:
    /// the venue's own word on the position is what is held against ours then.
    #[cold]
    pub(super) fn on_strange_fill(&mut self, name: &[u8], report: &VenueReport) {
        let is_fill = report.exec_type == ExecType::Trade;
        if !self.account.held.are_held() || !is_fill || self.names.parse(name).is_some() {
            return;
        }
        self.stats.contradictions();
        self.account.held.doubt(report.instrument, self.now_ns);
        if self.lines.take(self.now_ns) {
            let symbol = self.instruments.get(report.instrument);
            let symbol = symbol.map_or("?", |spec| spec.symbol.as_str());
            let (venue, name) = (&self.venue, name.escape_ascii());
            let (side, qty, price) = (report.side.name(), report.last_qty, report.last_price);
            log::error!(
                "[{venue}] order {name}, which is none of this engine's: {side} {qty} of {symbol} \
                 at {price} (in units of the instrument's scales). The account's position is not \
                 what is counted here any more: new orders in it wait until the venue has told it \
                 (code: foreign_fill)"
            );
        }
    }

    fn is_for(&self, key: OrderKey, instrument: InstrumentId) -> bool {
        self.table.get(key).is_some_and(|order| order.command.instrument_id() == instrument)
    }
}
