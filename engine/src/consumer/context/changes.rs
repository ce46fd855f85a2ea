//! Changes of orders that are open: another price and quantity, and ends of many at once.

use super::{Context, NewOrder, SubmitError};
use crate::event::{ClientOrderId, InstrumentId, Price, Qty, RejectReason, VenueId};
use crate::order::trading::RefusedWhat;
use crate::order::{Amends, Feature, Lack, OpenOrder, OrderAction};
use crate::risk::Refused;

/// How an order becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The venue amends it: it keeps its number, and is in the book all the time. Its place in the
    /// queue it keeps where the venue says so, see [`Amends`].
    Amended,
    /// It is cancelled, and once the venue has said so, this new order is sent: the place in the
    /// queue is lost, and from the end of the old one until the new one's `New` nothing is in the
    /// book. Both are told by reports of their own; a new one that can't be sent any more is
    /// `Rejected`, with the reason.
    CancelFirst(ClientOrderId),
}

impl Context {
    /// Changes an open order to another price and quantity, filled quantity included, at any venue:
    /// by an amendment where the venue has one for it, else by a cancel and a new order of the same
    /// kind.
    ///
    /// Until the old order has ended, both count for the limits. The new one is rejected, and never
    /// sent, when the old one's cancel is refused or takes more than two seconds
    /// (`ReplacedLives`), when the old one has filled more than is known here (`ReplacedFilled`),
    /// or when nothing may be sent any more.
    ///
    /// # Errors
    /// As [`Context::modify`] and [`Context::submit`]; nothing was asked for then, and the order is
    /// as it was.
    pub fn replace(
        &mut self,
        id: ClientOrderId,
        price: Price,
        qty: Qty,
    ) -> Result<Replacement, SubmitError> {
        let open = self.tracker.find(id).copied().filter(|open| !open.cancel_pending);
        let Some(open) = open else {
            return self
                .asked(id, RefusedWhat::Amend, Err(RejectReason::UnknownOrder.into()))
                .map(|()| Replacement::Amended);
        };
        if self.can_amend(&open, (price, qty)) {
            return self.modify(id, price, qty).map(|()| Replacement::Amended);
        }
        // The cancel counts as one, though the venue's session writes it.
        if let Err(refused) = self.risk.may_cancel(open.venue, self.now_ns) {
            return self.asked(id, RefusedWhat::Amend, Err(refused)).map(|()| Replacement::Amended);
        }
        let left = Qty(qty.0.saturating_sub(open.filled.0));
        let Some(terms) = open.terms else {
            let refused = Err(RejectReason::Unsupported.into());
            return self.asked(id, RefusedWhat::Amend, refused).map(|()| Replacement::Amended);
        };
        let order = NewOrder {
            venue: open.venue,
            instrument: open.instrument,
            side: open.side,
            price,
            qty: left,
            order_type: terms.order_type,
            time_in_force: terms.time_in_force,
        };
        let new = self.submit_in_place(&order, terms.flags, Some((id, open.filled)))?;
        self.tracker.cancel_sent(id);
        Ok(Replacement::CancelFirst(new))
    }

    /// Whether the venue amends an order so. A harness knows no venues.
    fn can_amend(&self, open: &OpenOrder, becomes: (Price, Qty)) -> bool {
        let venue = self.venues.get(open.venue.index());
        let amends = venue.map_or(Amends::Freely, |venue| venue.amends);
        let is_stop = open.trigger_price.0 != 0;
        (amends == Amends::Freely || !is_stop) && amends.can((open.price, open.qty), becomes)
    }

    /// Cancels all open orders of this strategy that have no cancel on its way; how many that were.
    /// Orders of other strategies, and of whoever else uses the account, are left alone.
    ///
    /// # Errors
    /// [`SubmitError`] when the lane is full, or a configured rate of cancels exceeded, before all
    /// have left: call it again later.
    pub fn cancel_all(&mut self) -> Result<usize, SubmitError> {
        self.cancel_each(|_order| true)
    }

    /// As [`Context::cancel_all`], in one instrument at one venue.
    ///
    /// # Errors
    /// As [`Context::cancel_all`].
    pub fn cancel_all_of(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
    ) -> Result<usize, SubmitError> {
        self.cancel_each(|order| (order.venue, order.instrument) == (venue, instrument))
    }

    /// Asks the venue to cancel, in one request, **all that the account has open** in an
    /// instrument: also orders of other strategies, and of whoever else uses the account. What it
    /// ends, the reports of the orders tell; when the venue refuses, `CancelRejected` comes under
    /// the number 0.
    ///
    /// # Errors
    /// [`SubmitError`] with `Unsupported` where the venue has no such request; else as
    /// [`Context::cancel`].
    pub fn cancel_account(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
    ) -> Result<(), SubmitError> {
        let outcome = self.ask_for_account(venue, instrument);
        match &outcome {
            Ok(()) => self.ledger.asked(venue, instrument, RefusedWhat::Cancel),
            Err(refused) => {
                self.ledger.refused(venue, instrument, RefusedWhat::Cancel, refused.reason);
            }
        }
        Ok(outcome?)
    }

    fn ask_for_account(&mut self, venue: VenueId, instrument: InstrumentId) -> Result<(), Refused> {
        if let Some(can) = self.venues.get(venue.index()).filter(|can| !can.cancels_symbol) {
            return Err(Lack { venue, kind: can.kind, feature: Feature::SymbolCancel }.into());
        }
        self.instruments.get(instrument).ok_or(RejectReason::UnknownInstrument)?;
        self.risk.may_cancel(venue, self.now_ns)?;
        let command = self.command(OrderAction::CancelSymbol, venue, instrument, ClientOrderId(0));
        self.orders.try_publish(&command).map_err(|_full| RejectReason::OrderLaneFull)?;
        self.order_log.sent(&command);
        Ok(())
    }

    fn cancel_each(&mut self, is_meant: impl Fn(&OpenOrder) -> bool) -> Result<usize, SubmitError> {
        let mut count = 0;
        for index in 0..self.tracker.open().len() {
            let Some(order) = self.tracker.open().get(index) else { break };
            let (id, is_wanted) = (order.id, !order.cancel_pending && is_meant(order));
            if is_wanted {
                self.cancel(id)?;
                count += 1;
            }
        }
        Ok(count)
    }
}
