//! Orders of a strategy: checked, sent, and followed until they are done.

use zerocopy::FromZeros;

use super::{Context, NewOrder, SubmitError};
use crate::event::{
    ClientOrderId, Event, ExecReport, InstrumentId, OrderStatus, Price, Qty, REDUCE_ONLY,
    RejectReason, VenueId,
};
use crate::order::recovery::book;
use crate::order::trading::{Holding, RefusedWhat};
use crate::order::{
    Capabilities, Lack, OpenOrder, OrderAction, OrderCommand, OrderCounts, OrderFlags, OrderTerms,
    OwnId, Position,
};
use crate::risk::{Ask, Refused, Reserved};

/// Of an order that is not known.
const NOWHERE: (VenueId, InstrumentId) = (VenueId(u16::MAX), InstrumentId(u32::MAX));

impl Context {
    /// Submits an order. It is on its way when this returns; the venue's answer comes as exec
    /// reports.
    ///
    /// # Errors
    /// [`SubmitError`] with a stable reason when the inline risk check refuses it; nothing was
    /// sent.
    #[inline]
    pub fn submit(&mut self, order: NewOrder) -> Result<ClientOrderId, SubmitError> {
        self.submit_with(order, OrderFlags::default())
    }

    /// As [`Context::submit`], for a stop: it waits at the venue until a trade there reaches
    /// `trigger_price`, and counts as open and as able to fill from now on. Which order types wait,
    /// and for what, [`OrderType`](crate::order::OrderType) says; one without a limit has price 0.
    ///
    /// ```
    /// # use pitlane_engine::consumer::{Context, NewOrder, SubmitError};
    /// # use pitlane_engine::event::{ClientOrderId, InstrumentId, Price, Qty, Side, VenueId};
    /// # use pitlane_engine::order::{OrderType, TimeInForce};
    /// /// Sells at any price once a trade at or below `trigger` was made.
    /// fn protect(
    ///     ctx: &mut Context,
    ///     venue: VenueId,
    ///     instrument: InstrumentId,
    ///     qty: Qty,
    ///     trigger: Price,
    /// ) -> Result<ClientOrderId, SubmitError> {
    ///     let order = NewOrder {
    ///         venue,
    ///         instrument,
    ///         side: Side::Sell,
    ///         price: Price(0),
    ///         qty,
    ///         order_type: OrderType::StopLoss,
    ///         time_in_force: TimeInForce::Gtc,
    ///     };
    ///     ctx.submit_stop(order, trigger)
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Context::submit`]; `Unsupported` where the venue has no such orders, `BadPrice` for a
    /// trigger price that is none.
    pub fn submit_stop(
        &mut self,
        order: NewOrder,
        trigger_price: Price,
    ) -> Result<ClientOrderId, SubmitError> {
        self.submit_with(order, OrderFlags { trigger_price, ..OrderFlags::default() })
    }

    /// As [`Context::submit`], for an order that only reduces a position, names the side of one, or
    /// waits for a trigger price. A venue that has no such orders refuses it with `Unsupported`.
    ///
    /// # Errors
    /// As [`Context::submit`].
    #[inline]
    pub fn submit_with(
        &mut self,
        order: NewOrder,
        flags: OrderFlags,
    ) -> Result<ClientOrderId, SubmitError> {
        self.submit_in_place(&order, flags, None)
    }

    /// Submits an order, in place of another one where there is one: its number, and what it has
    /// filled.
    #[inline]
    pub(super) fn submit_in_place(
        &mut self,
        order: &NewOrder,
        flags: OrderFlags,
        of: Option<(ClientOrderId, Qty)>,
    ) -> Result<ClientOrderId, SubmitError> {
        let outcome = self.check(order, flags);
        let outcome = outcome.and_then(|reserved| self.send_new(order, flags, of, reserved));
        if let Err(refused) = &outcome {
            self.order_refused(order, flags, refused.reason);
        }
        outcome.map_err(SubmitError::from)
    }

    #[cold]
    fn order_refused(&mut self, order: &NewOrder, flags: OrderFlags, reason: RejectReason) {
        self.tracker.refused();
        self.risk.note_refusal(reason, self.now_ns);
        self.ledger.refused(order.venue, order.instrument, RefusedWhat::Order, reason);
        let command = self.new_order(order, flags, ClientOrderId(0));
        self.order_log.refused(&command, reason);
    }

    /// Cancels an open order. The answer comes as an exec report.
    ///
    /// # Errors
    /// [`SubmitError`] when the order isn't open, a cancel is on its way already, the lane is full,
    /// or the rate of cancels is exceeded where one is configured.
    #[inline]
    pub fn cancel(&mut self, id: ClientOrderId) -> Result<(), SubmitError> {
        let open = self.tracker.find(id).filter(|order| !order.cancel_pending);
        let venue = open.map(|order| order.venue).ok_or(Refused::from(RejectReason::UnknownOrder));
        let outcome = venue
            .and_then(|venue| self.risk.may_cancel(venue, self.now_ns))
            .and_then(|()| self.send_for(id, OrderAction::Cancel, |_command| {}));
        if outcome.is_ok() {
            self.tracker.cancel_sent(id);
        }
        self.asked(id, RefusedWhat::Cancel, outcome)
    }

    /// What a venue can do with orders; nothing where it takes none, or is not known. For
    /// `on_start`: `submit` asks the same.
    #[must_use]
    pub fn capabilities(&self, venue: VenueId) -> Capabilities {
        self.venues.get(venue.index()).copied().unwrap_or(Capabilities::NONE)
    }

    /// Amends an open order to another price and quantity, filled quantity included. The answer
    /// comes as an exec report: `Replaced`, or `ModifyRejected`, after which the order is as it
    /// was. Some venues take a smaller quantity at the same price only.
    ///
    /// # Errors
    /// [`SubmitError`] when the order isn't open, price or quantity break the instrument's rules or
    /// the limits, or the lane is full.
    pub fn modify(&mut self, id: ClientOrderId, price: Price, qty: Qty) -> Result<(), SubmitError> {
        let outcome = self.check_amendment(id, price, qty).and_then(|()| {
            self.send_for(id, OrderAction::Modify, |command| {
                (command.price, command.qty) = (price.0, qty.0);
            })
        });
        self.asked(id, RefusedWhat::Amend, outcome)
    }

    /// Asks the venue for the state of an open order. The answer comes as an exec report.
    ///
    /// # Errors
    /// [`SubmitError`] when the order isn't open or the lane is full.
    pub fn query(&mut self, id: ClientOrderId) -> Result<(), SubmitError> {
        let outcome = self.send_for(id, OrderAction::Query, |_command| {});
        self.asked(id, RefusedWhat::Query, outcome)
    }

    /// Orders that are not done.
    #[inline]
    #[must_use]
    pub fn open_orders(&self) -> &[OpenOrder] {
        self.tracker.open()
    }

    /// Net position in an instrument, from this strategy's own fills.
    #[inline]
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        self.tracker.position(instrument)
    }

    /// Counts of this strategy's orders.
    #[must_use]
    pub fn order_counts(&self) -> OrderCounts {
        self.tracker.counts()
    }

    #[inline]
    pub(crate) fn apply_report(&mut self, event: &Event, report: &ExecReport) {
        let place = (event.venue_id(), event.instrument_id());
        let before = self.tracker.position(place.1);
        let closed = if self.risk.follows_profit() { self.closed_profit(place) } else { 0 };
        if !book(&mut self.tracker, &mut self.ledger, place, report) {
            return self.order_log.retold(event);
        }
        self.own_ids.told(report);
        self.count_position(place, &before);
        self.risk.reported(place, report, self.clock.now_ns());
        if self.risk.follows_profit() {
            let earned = self.closed_profit(place).saturating_sub(closed);
            self.follow_profit(place, earned);
        }
        self.order_log.reported(event);
        self.has_order_news = true;
    }

    /// Tells the check what a report has made of the position. Where the ledger has no row left, a
    /// fee in the base asset is taken off what may be sold alone.
    #[inline]
    fn count_position(&mut self, at: (VenueId, InstrumentId), before: &Position) {
        let after = self.tracker.position(at.1);
        if after == *before {
            return;
        }
        if let Some(row) = self.ledger.row_of(at.0, at.1) {
            return self.risk.holds(row, at, self.ledger.holding(row));
        }
        let traded = |position: &Position| position.bought.saturating_sub(position.sold);
        let least = after.net.saturating_sub(before.net);
        let most = traded(&after).saturating_sub(traded(before));
        self.risk.moved(at, Holding { least, most });
    }

    /// How many orders are open, when that may have changed since the last call.
    #[inline]
    pub(in crate::consumer) fn take_order_news(&mut self) -> Option<usize> {
        std::mem::take(&mut self.has_order_news).then(|| self.tracker.open().len())
    }

    /// What an instrument at a venue has realised, after fees, in units of 10^-8.
    fn closed_profit(&self, (venue, instrument): (VenueId, InstrumentId)) -> i64 {
        let row = self.ledger.row_of(venue, instrument);
        let profit = row.and_then(|row| self.ledger.profit(row));
        profit.map_or(0, |(_, profit)| profit.net(None))
    }

    /// A report has changed what was earned.
    #[cold]
    fn follow_profit(&mut self, (venue, instrument): (VenueId, InstrumentId), earned: i64) {
        let now_ns = self.clock.now_ns();
        self.risk.earned(instrument, earned, now_ns);
        if let Some(row) = self.ledger.row_of(venue, instrument) {
            self.value_row(row, now_ns);
        }
    }

    /// Before an order: what it is for is valued, and another row in turn.
    #[cold]
    fn look_at_profit(&mut self, venue: VenueId, instrument: InstrumentId) {
        let own = self.ledger.row_of(venue, instrument);
        let other = self.risk.turn(self.ledger.rows_used());
        for row in own.into_iter().chain(Some(other).filter(|other| own != Some(*other))) {
            self.value_row(row, self.now_ns);
        }
    }

    fn value_row(&mut self, row: usize, now_ns: u64) {
        if let Some((at, profit)) = self.ledger.profit(row) {
            self.risk.value(row, at, profit, (now_ns, self.clock.wall_at_ns(now_ns)));
        }
    }

    /// The instrument's rules, what the venue takes, and then everything that is limited.
    #[inline]
    fn check(&mut self, order: &NewOrder, flags: OrderFlags) -> Result<Reserved, Refused> {
        if !self.switch.is_on() {
            return Err(RejectReason::TradingHalted.into());
        }
        let is_priced = order.order_type.is_priced();
        self.check_terms(order.instrument, is_priced, order.price, order.qty)?;
        if order.order_type.is_stop() || flags.trigger_price.0 != 0 {
            self.check_trigger(order, flags.trigger_price)?;
        }
        self.check_kind(order, flags)?;
        if self.risk.follows_profit() {
            self.look_at_profit(order.venue, order.instrument);
        }
        let ask = Ask {
            venue: order.venue,
            instrument: order.instrument,
            side: order.side,
            price: order.price.0,
            qty: order.qty.0,
            order_type: order.order_type,
            trigger_price: flags.trigger_price.0,
        };
        self.risk.reserve(&ask, self.now_ns)
    }

    /// A stop has a trigger price, and nothing else has one.
    fn check_trigger(&self, order: &NewOrder, trigger: Price) -> Result<(), RejectReason> {
        let spec = self.instruments.get(order.instrument);
        let spec = spec.ok_or(RejectReason::UnknownInstrument)?;
        let is_price = trigger.0 > 0 && trigger.0 % spec.tick == 0;
        match order.order_type.is_stop() && is_price {
            true => Ok(()),
            false => Err(RejectReason::BadPrice),
        }
    }

    /// Whether the venue can have such an order. A harness knows no venues.
    #[inline]
    fn check_kind(&self, order: &NewOrder, flags: OrderFlags) -> Result<(), Refused> {
        let Some(venue) = self.venues.get(order.venue.index()) else { return Ok(()) };
        match venue.lacks_of_order(order.order_type, order.time_in_force, flags) {
            None => Ok(()),
            Some(feature) => Err(Lack { venue: order.venue, kind: venue.kind, feature }.into()),
        }
    }

    fn check_amendment(
        &mut self,
        id: ClientOrderId,
        price: Price,
        qty: Qty,
    ) -> Result<(), Refused> {
        let open = self.tracker.find(id).ok_or(RejectReason::UnknownOrder)?;
        let (instrument, is_priced, filled) = (open.instrument, open.price.0 != 0, open.filled.0);
        if !self.switch.is_on() {
            return Err(RejectReason::TradingHalted.into());
        }
        self.check_terms(instrument, is_priced, price, qty)?;
        // Before anything is reserved for it: what was reserved, leaves.
        if self.orders.room(1) == 0 {
            return Err(RejectReason::OrderLaneFull.into());
        }
        self.risk.reserve_amendment(id, (price.0, qty.0), filled, self.now_ns)
    }

    /// Books what came of asking for something about an order.
    pub(super) fn asked(
        &mut self,
        id: ClientOrderId,
        what: RefusedWhat,
        outcome: Result<(), Refused>,
    ) -> Result<(), SubmitError> {
        let open = self.tracker.find(id);
        let (venue, instrument) = open.map_or(NOWHERE, |order| (order.venue, order.instrument));
        match outcome {
            Ok(()) => self.ledger.asked(venue, instrument, what),
            Err(Refused { reason, .. }) => {
                if what == RefusedWhat::Amend {
                    self.risk.note_refusal(reason, self.now_ns);
                }
                self.ledger.refused(venue, instrument, what, reason);
                let action = match what {
                    RefusedWhat::Cancel => OrderAction::Cancel,
                    RefusedWhat::Amend => OrderAction::Modify,
                    RefusedWhat::Query | RefusedWhat::Order => OrderAction::Query,
                };
                let command = self.command(action, venue, instrument, id);
                self.order_log.refused(&command, reason);
            }
        }
        Ok(outcome?)
    }

    /// Price and quantity against the instrument's rules.
    fn check_terms(
        &self,
        instrument: InstrumentId,
        is_priced: bool,
        price: Price,
        qty: Qty,
    ) -> Result<(), RejectReason> {
        let spec = self.instruments.get(instrument).ok_or(RejectReason::UnknownInstrument)?;
        let price_fits =
            if is_priced { price.0 > 0 && price.0 % spec.tick == 0 } else { price.0 == 0 };
        if !price_fits {
            return Err(RejectReason::BadPrice);
        }
        if qty.0 <= 0 || qty.0 % spec.step != 0 {
            return Err(RejectReason::BadQty);
        }
        Ok(())
    }

    fn send_new(
        &mut self,
        order: &NewOrder,
        flags: OrderFlags,
        in_place_of: Option<(ClientOrderId, Qty)>,
        reserved: Reserved,
    ) -> Result<ClientOrderId, Refused> {
        let id = ClientOrderId(self.next_order_id);
        let mut command = self.new_order(order, flags, id);
        if let Some((old, filled)) = in_place_of {
            (command.replaces, command.replaced_filled) = (old.0, filled.0);
        }
        if self.orders.try_publish(&command).is_err() {
            self.risk.undo(reserved);
            return Err(RejectReason::OrderLaneFull.into());
        }
        self.risk.opened(reserved, id);
        self.next_order_id += 1;
        self.has_order_news = true;
        self.ledger.sent(order.venue, order.instrument);
        self.order_log.sent(&command);
        self.tracker.opened(OpenOrder {
            id,
            venue: order.venue,
            instrument: order.instrument,
            side: order.side,
            price: order.price,
            trigger_price: flags.trigger_price,
            qty: order.qty,
            filled: Qty(0),
            status: OrderStatus::PendingNew,
            cancel_pending: false,
            terms: Some(OrderTerms {
                order_type: order.order_type,
                time_in_force: order.time_in_force,
                flags,
            }),
            replaces: in_place_of.map(|(old, _)| old),
        });
        Ok(id)
    }

    fn send_for(
        &mut self,
        id: ClientOrderId,
        action: OrderAction,
        fill_in: impl FnOnce(&mut OrderCommand),
    ) -> Result<(), Refused> {
        let open = *self
            .tracker
            .find(id)
            .filter(|order| action != OrderAction::Cancel || !order.cancel_pending)
            .ok_or(RejectReason::UnknownOrder)?;
        let mut command = self.command(action, open.venue, open.instrument, id);
        command.side_code = open.side.code();
        command.price = open.price.0;
        command.qty = open.qty.0;
        fill_in(&mut command);
        self.orders.try_publish(&command).map_err(|_full| RejectReason::OrderLaneFull)?;
        self.order_log.sent(&command);
        Ok(())
    }

    fn new_order(&self, order: &NewOrder, flags: OrderFlags, id: ClientOrderId) -> OrderCommand {
        let mut command = self.command(OrderAction::Submit, order.venue, order.instrument, id);
        command.side_code = order.side.code();
        command.price = order.price.0;
        command.qty = order.qty.0;
        command.order_type_code = order.order_type as u8;
        command.time_in_force_code = order.time_in_force as u8;
        command.position_side_code = flags.position_side.code();
        command.trigger_price = flags.trigger_price.0;
        command.trigger_by_code = flags.trigger_by as u8;
        command.flags = if flags.reduce_only { REDUCE_ONLY } else { 0 };
        command.own_id = self.own_id.map(OwnId::bytes).unwrap_or_default();
        command
    }

    pub(super) fn command(
        &self,
        action: OrderAction,
        venue: VenueId,
        instrument: InstrumentId,
        id: ClientOrderId,
    ) -> OrderCommand {
        let mut command = OrderCommand::new_zeroed();
        command.action_code = action as u8;
        command.client_order_id = id.0;
        command.decision_id = self.cause_trace_id;
        command.tick_receive_ns = self.cause_receive_ns;
        command.submitted_ns = self.clock.now_ns();
        command.consumer = self.consumer.0;
        command.venue = venue.0;
        command.instrument = instrument.0;
        command
    }
}
