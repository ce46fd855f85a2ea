//! What a strategy may reach from a callback: time, orders, timers, positions. Nothing else.

use std::sync::Arc;

use pitlane_ring::Publisher;
use thiserror::Error;
use zerocopy::FromZeros;

use super::timers::{TIMERS_MAX, Timers};
use crate::consumer::{
    CommandId, ControlAction, ControlCommand, ControlError, MergeRequest, VenueSet,
};
use crate::event::{
    ClientOrderId, ConsumerId, ControlCode, Event, ExecReport, InstrumentId, Interest, OrderStatus,
    Price, Qty, REDUCE_ONLY, RejectReason, Side, VenueId,
};
use crate::instrument::{InstrumentSpec, Instruments};
use crate::order::{
    OpenOrder, OrderAction, OrderCommand, OrderCounts, OrderFlags, OrderTracker, OrderType,
    Position, TimeInForce,
};
use crate::rate::Bucket;
use crate::runtime::Clock;
use crate::safety::TradingSwitch;

/// An order to submit. Prices and quantities in the instrument's scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Where to send it.
    pub venue: VenueId,
    /// What it is for.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price, a multiple of the tick; 0 for a market order.
    pub price: Price,
    /// Quantity, a multiple of the step, above 0.
    pub qty: Qty,
    /// Order type.
    pub order_type: OrderType,
    /// How long it works.
    pub time_in_force: TimeInForce,
}

/// Limits of the inline risk check, per consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskLimits {
    /// By instrument, the largest quantity of one order in the instrument's own scale; no limit for
    /// one that is not there.
    pub max_order_qty: Arc<[i64]>,
    /// Open orders at a time, 1 to 1024.
    pub max_open_orders: usize,
    /// New orders a second, as many at once; at least 1. Cancels and queries are not counted.
    pub max_orders_per_s: u32,
}

impl Default for RiskLimits {
    fn default() -> RiskLimits {
        RiskLimits { max_order_qty: Arc::default(), max_open_orders: 64, max_orders_per_s: 1_000 }
    }
}

/// Why an order or a cancel was refused before it left the strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("[risk] order refused: {} (code: {})", reason.name(), reason.code())]
pub struct SubmitError {
    /// The stable reason code.
    pub reason: RejectReason,
}

impl From<RejectReason> for SubmitError {
    fn from(reason: RejectReason) -> SubmitError {
        SubmitError { reason }
    }
}

/// A strategy's door to the engine. It belongs to one consumer and is valid during its callbacks.
// What each callback touches comes first, and is one line.
#[repr(C)]
pub struct Context {
    now_ns: u64,
    cause_trace_id: u64,
    cause_receive_ns: u64,
    timers: Timers,
    consumer: ConsumerId,
    /// The number of open orders may have changed.
    has_order_news: bool,
    clock: Clock,
    instruments: Arc<Instruments>,
    switch: TradingSwitch,
    limits: RiskLimits,
    bucket: Bucket,
    tracker: OrderTracker,
    next_order_id: u64,
    next_command_id: u64,
    orders: Publisher<OrderCommand>,
    control: Publisher<ControlCommand>,
}

/// What a [`Context`] is made of.
pub(crate) struct ContextParts {
    pub(crate) consumer: ConsumerId,
    pub(crate) clock: Clock,
    pub(crate) instruments: Arc<Instruments>,
    pub(crate) orders: Publisher<OrderCommand>,
    pub(crate) control: Publisher<ControlCommand>,
    pub(crate) switch: TradingSwitch,
    pub(crate) limits: RiskLimits,
}

impl Context {
    pub(crate) fn new(parts: ContextParts) -> Context {
        let tracker = OrderTracker::new(parts.limits.max_open_orders, &parts.instruments);
        Context {
            consumer: parts.consumer,
            has_order_news: false,
            now_ns: parts.clock.now_ns(),
            bucket: Bucket::per_s(parts.limits.max_orders_per_s),
            clock: parts.clock,
            instruments: parts.instruments,
            orders: parts.orders,
            control: parts.control,
            next_command_id: 1,
            switch: parts.switch,
            limits: parts.limits,
            tracker,
            timers: Timers::new(),
            next_order_id: 1,
            cause_trace_id: 0,
            cause_receive_ns: 0,
        }
    }

    /// Monotonic time at which this callback was entered, ns since the engine's start. The same
    /// value during the whole callback.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Wall time at which this callback was entered, ns since the Unix epoch.
    #[inline]
    #[must_use]
    pub fn wall_ns(&self) -> i64 {
        self.clock.wall_at_ns(self.now_ns)
    }

    /// This consumer's number.
    #[must_use]
    pub fn consumer(&self) -> ConsumerId {
        self.consumer
    }

    /// Scales, tick and step of an instrument.
    #[inline]
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> Option<&InstrumentSpec> {
        self.instruments.get(id)
    }

    /// The symbol of an event's instrument; `None` for a kind that has none.
    pub(super) fn symbol_of(&self, event: &Event) -> Option<String> {
        self.instrument(event.instrument_id()).map(|spec| spec.symbol.clone())
    }

    /// Looks up an instrument by its canonical symbol. For `on_start`, not for the hot path.
    #[must_use]
    pub fn find_instrument(&self, symbol: &str) -> Option<InstrumentId> {
        self.instruments.find(symbol)
    }

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

    /// As [`Context::submit`], for an order that only reduces a position, or names the side of one.
    /// A venue that has no such orders refuses it with `Unsupported`.
    ///
    /// # Errors
    /// As [`Context::submit`].
    #[inline]
    pub fn submit_with(
        &mut self,
        order: NewOrder,
        flags: OrderFlags,
    ) -> Result<ClientOrderId, SubmitError> {
        let outcome = self.check(&order).and_then(|()| self.send_new(&order, flags));
        if outcome.is_err() {
            self.tracker.refused();
        }
        outcome.map_err(SubmitError::from)
    }

    /// Cancels an open order. The answer comes as an exec report.
    ///
    /// # Errors
    /// [`SubmitError`] when the order isn't open, a cancel is on its way already, or the lane is
    /// full.
    #[inline]
    pub fn cancel(&mut self, id: ClientOrderId) -> Result<(), SubmitError> {
        self.send_for(id, OrderAction::Cancel, |_command| {})?;
        self.tracker.cancel_sent(id);
        Ok(())
    }

    /// Amends an open order to another price and quantity, filled quantity included. The answer
    /// comes as an exec report: `Replaced`, or `ModifyRejected`, after which the order is as it
    /// was. Some venues take a smaller quantity at the same price only.
    ///
    /// # Errors
    /// [`SubmitError`] when the order isn't open, price or quantity break the instrument's rules or
    /// the limits, or the lane is full.
    pub fn modify(&mut self, id: ClientOrderId, price: Price, qty: Qty) -> Result<(), SubmitError> {
        let open = self.tracker.find(id).ok_or(RejectReason::UnknownOrder)?;
        let (instrument, is_priced) = (open.instrument, open.price.0 != 0);
        if !self.switch.is_on() {
            return Err(RejectReason::TradingHalted.into());
        }
        self.check_terms(instrument, is_priced, price, qty)?;
        if !self.bucket.take(self.now_ns) {
            return Err(RejectReason::RateLimit.into());
        }
        self.send_for(id, OrderAction::Modify, |command| {
            (command.price, command.qty) = (price.0, qty.0);
        })?;
        Ok(())
    }

    /// Asks the venue for the state of an open order. The answer comes as an exec report.
    ///
    /// # Errors
    /// [`SubmitError`] when the order isn't open or the lane is full.
    pub fn query(&mut self, id: ClientOrderId) -> Result<(), SubmitError> {
        Ok(self.send_for(id, OrderAction::Query, |_command| {})?)
    }

    /// Asks for streams of an instrument, from venues that may be new to this strategy. Answered by
    /// `on_control`: a `ControlAck`, and when it was accepted a `ControlResult` of phase
    /// [`COMMAND_DONE`](crate::dispatcher::COMMAND_DONE) whose event carries the routing version
    /// from which on the streams come. Asking again for what one has is no error.
    ///
    /// # Errors
    /// [`ControlError`] when the instrument is unknown, no venue or kind is named, or the lane is
    /// full; nothing was asked then.
    pub fn subscribe(
        &mut self,
        venues: VenueSet,
        instrument: InstrumentId,
        kinds: Interest,
    ) -> Result<CommandId, ControlError> {
        self.send_streams(ControlAction::Subscribe, venues, instrument, kinds)
    }

    /// Gives streams back; what other strategies get is untouched. Answered like
    /// [`Context::subscribe`]; with code `NotSubscribed` when it had none of them.
    ///
    /// # Errors
    /// As [`Context::subscribe`].
    pub fn unsubscribe(
        &mut self,
        venues: VenueSet,
        instrument: InstrumentId,
        kinds: Interest,
    ) -> Result<CommandId, ControlError> {
        self.send_streams(ControlAction::Unsubscribe, venues, instrument, kinds)
    }

    /// Asks for a stream merged over venues (LM-05). Its events come to `on_merged`; the `venue` in
    /// their header is the number of the merge rule. The plain streams are untouched. Answered like
    /// [`Context::subscribe`].
    ///
    /// # Errors
    /// [`ControlError`] with `BadMerge` for fewer than two venues, a kind that does not merge, a
    /// window of 0 or over a minute, or fewer events than venues; else as [`Context::subscribe`].
    pub fn subscribe_merged(&mut self, request: MergeRequest) -> Result<CommandId, ControlError> {
        self.send_merge(ControlAction::SubscribeMerged, request)
    }

    /// Gives a merged stream back. Answered like [`Context::unsubscribe`].
    ///
    /// # Errors
    /// As [`Context::subscribe_merged`].
    pub fn unsubscribe_merged(&mut self, request: MergeRequest) -> Result<CommandId, ControlError> {
        self.send_merge(ControlAction::UnsubscribeMerged, request)
    }

    /// Calls `on_timer(id)` once, `after_ns` from now. False when 256 timers are set already.
    #[inline]
    pub fn set_timer(&mut self, after_ns: u64, id: u64) -> bool {
        self.timers.set(self.now_ns.saturating_add(after_ns), id)
    }

    /// How many timers may be set at a time.
    #[must_use]
    pub const fn timers_max() -> usize {
        TIMERS_MAX
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
    pub(crate) fn enter(&mut self, event: &Event, now_ns: u64) {
        self.now_ns = now_ns;
        self.cause_trace_id = event.trace_id;
        self.cause_receive_ns = event.receive_ns;
    }

    #[inline]
    pub(crate) fn enter_without_event(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.cause_trace_id = 0;
        self.cause_receive_ns = now_ns;
    }

    #[inline]
    pub(crate) fn apply_report(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        report: &ExecReport,
    ) {
        self.tracker.apply(venue, instrument, report);
        self.has_order_news = true;
    }

    /// How many orders are open, when that may have changed since the last call.
    #[inline]
    pub(super) fn take_order_news(&mut self) -> Option<usize> {
        std::mem::take(&mut self.has_order_news).then(|| self.tracker.open().len())
    }

    #[inline]
    pub(crate) fn pop_timer(&mut self, now_ns: u64) -> Option<u64> {
        self.timers.pop_due(now_ns)
    }

    #[inline]
    pub(crate) fn next_timer_ns(&self) -> u64 {
        self.timers.next_ns()
    }

    fn send_streams(
        &mut self,
        action: ControlAction,
        venues: VenueSet,
        instrument: InstrumentId,
        kinds: Interest,
    ) -> Result<CommandId, ControlError> {
        if venues.count() == 0 {
            return Err(ControlCode::UnknownVenue.into());
        }
        if kinds.bits() == 0 {
            return Err(ControlCode::NotInterested.into());
        }
        self.send_control(ControlCommand {
            venues: venues.0,
            kinds: kinds.bits(),
            ..self.control_command(action, instrument)
        })
    }

    fn send_merge(
        &mut self,
        action: ControlAction,
        request: MergeRequest,
    ) -> Result<CommandId, ControlError> {
        let mut rule = request.rule(0);
        if request.venues == VenueSet::ALL {
            // How many there are is the controller's to know; with fewer than two it refuses.
            rule.providers = 0b11;
        }
        if rule.check().is_err() {
            return Err(ControlCode::BadMerge.into());
        }
        self.send_control(ControlCommand {
            venues: request.venues.0,
            kinds: Interest::NONE.and(request.kind).bits(),
            window_ns: request.window_ns,
            events_max: request.events_max,
            ..self.control_command(action, request.instrument)
        })
    }

    fn control_command(&self, action: ControlAction, instrument: InstrumentId) -> ControlCommand {
        let mut command = ControlCommand::new_zeroed();
        command.command_id = self.next_command_id;
        command.action_code = action as u8;
        command.consumer = self.consumer.0;
        command.instrument = instrument.0;
        command
    }

    fn send_control(&mut self, command: ControlCommand) -> Result<CommandId, ControlError> {
        if self.instruments.get(InstrumentId(command.instrument)).is_none() {
            return Err(ControlCode::UnknownInstrument.into());
        }
        self.control.try_publish(&command).map_err(|_full| ControlCode::QueueFull)?;
        self.next_command_id += 1;
        Ok(CommandId(command.command_id))
    }

    fn check(&mut self, order: &NewOrder) -> Result<(), RejectReason> {
        if !self.switch.is_on() {
            return Err(RejectReason::TradingHalted);
        }
        let is_priced = order.order_type != OrderType::Market;
        self.check_terms(order.instrument, is_priced, order.price, order.qty)?;
        if !self.tracker.has_room() {
            return Err(RejectReason::MaxOpenOrders);
        }
        if !self.bucket.take(self.now_ns) {
            return Err(RejectReason::RateLimit);
        }
        Ok(())
    }

    /// Price and quantity against the instrument's rules and the limit of one order.
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
        let max_qty = self.limits.max_order_qty.get(instrument.index());
        if max_qty.is_some_and(|max_qty| qty.0 > *max_qty) {
            return Err(RejectReason::MaxOrderQty);
        }
        Ok(())
    }

    fn send_new(
        &mut self,
        order: &NewOrder,
        flags: OrderFlags,
    ) -> Result<ClientOrderId, RejectReason> {
        let id = ClientOrderId(self.next_order_id);
        let mut command = self.command(OrderAction::Submit, order.venue, order.instrument, id);
        command.side_code = order.side.code();
        command.price = order.price.0;
        command.qty = order.qty.0;
        command.order_type_code = order.order_type as u8;
        command.time_in_force_code = order.time_in_force as u8;
        command.position_side_code = flags.position_side.code();
        command.flags = if flags.reduce_only { REDUCE_ONLY } else { 0 };
        self.orders.try_publish(&command).map_err(|_full| RejectReason::OrderLaneFull)?;
        self.next_order_id += 1;
        self.has_order_news = true;
        self.tracker.opened(OpenOrder {
            id,
            venue: order.venue,
            instrument: order.instrument,
            side: order.side,
            price: order.price,
            qty: order.qty,
            filled: Qty(0),
            status: OrderStatus::PendingNew,
            cancel_pending: false,
        });
        Ok(id)
    }

    fn send_for(
        &mut self,
        id: ClientOrderId,
        action: OrderAction,
        fill_in: impl FnOnce(&mut OrderCommand),
    ) -> Result<(), RejectReason> {
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
        Ok(())
    }

    fn command(
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
