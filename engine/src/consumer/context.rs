//! What a strategy may reach from a callback: time, orders, timers, positions. Nothing else.

mod changes;
mod once;
mod orders;

use std::fmt;
use std::sync::Arc;

use pitlane_ring::Publisher;
use thiserror::Error;
use zerocopy::FromZeros;

pub use self::changes::Replacement;
pub use self::once::Once;
use super::timers::{TIMERS_MAX, Timers};
use crate::consumer::{
    CommandId, ControlAction, ControlCommand, ControlError, MergeRequest, VenueSet,
};
use crate::event::{
    ConsumerId, ControlCode, Event, InstrumentId, Interest, Price, Qty, RejectReason, Side,
    TraceIds, TraceSource, VenueId,
};
use crate::instrument::{InstrumentSpec, Instruments};
use crate::order::order_log::OrderLogSender;
use crate::order::trading::Ledger;
use crate::order::{
    Capabilities, Lack, OrderCommand, OrderTracker, OrderType, OwnId, OwnIds, TimeInForce,
};
use crate::risk::{Account, AccountParts, Refused, RiskBook, RiskLimits, RiskScope};
use crate::runtime::Clock;
use crate::safety::{Quarantine, TradingSwitch};

/// An order to submit. Prices and quantities in the instrument's scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Where to send it.
    pub venue: VenueId,
    /// What it is for.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price, a multiple of the tick; 0 for an order without one.
    pub price: Price,
    /// Quantity, a multiple of the step, above 0.
    pub qty: Qty,
    /// Order type.
    pub order_type: OrderType,
    /// How long it works.
    pub time_in_force: TimeInForce,
}

/// Why an order, an amendment or a cancel was refused before it left the strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub struct SubmitError {
    /// The stable reason code.
    pub reason: RejectReason,
    /// Whose limit it was, where it was one.
    pub scope: RiskScope,
    /// What would have been, in the limit's own unit; 0 where it was no limit.
    pub value: i64,
    /// The limit; 0 where it was none.
    pub limit: i64,
    /// What the venue lacks, where that is why.
    pub lack: Option<Lack>,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SubmitError { reason, scope, value, limit, lack } = self;
        write!(f, "[risk] order refused: {}", reason.name())?;
        if (*value, *limit) != (0, 0) {
            write!(f, " of the {}: {value}, limit {limit}", scope.name())?;
        }
        if let Some(lack) = lack {
            write!(f, ": {lack}")?;
        }
        write!(f, " (code: {})", reason.code())
    }
}

impl From<RejectReason> for SubmitError {
    fn from(reason: RejectReason) -> SubmitError {
        Refused::from(reason).into()
    }
}

impl From<Refused> for SubmitError {
    fn from(refused: Refused) -> SubmitError {
        let Refused { reason, scope, value, limit, lack } = refused;
        SubmitError { reason, scope, value, limit, lack }
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
    /// By venue, what it can do with orders; everything for one that is not there.
    venues: Arc<[Capabilities]>,
    risk: Account,
    tracker: OrderTracker,
    ledger: Ledger,
    order_log: OrderLogSender,
    /// Orders that the strategy has named.
    own_ids: OwnIds,
    /// The name of the order that is being submitted.
    own_id: Option<OwnId>,
    /// Of what no event has caused: timers, the start, the end of a batch.
    traces: TraceIds,
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
    /// Open orders and positions of earlier starts.
    pub(crate) tracker: OrderTracker,
    pub(crate) risk: Arc<RiskBook>,
    pub(crate) quarantine: Quarantine,
    pub(crate) ledger: Ledger,
    pub(crate) own_ids: OwnIds,
    pub(crate) order_log: OrderLogSender,
    /// The number of its first order.
    pub(crate) first_order_id: u64,
}

impl Context {
    pub(crate) fn new(parts: ContextParts) -> Context {
        let mut risk = Account::new(AccountParts {
            book: parts.risk,
            strategy: parts.consumer.index(),
            quarantine: parts.quarantine,
            assumed_ns: parts.limits.assumed_ns,
            rows: parts.ledger.rows_max(),
        });
        risk.begin(&parts.tracker, &parts.ledger);
        Context {
            consumer: parts.consumer,
            traces: TraceIds::of(TraceSource::Consumer(parts.consumer)),
            has_order_news: !parts.tracker.open().is_empty(),
            now_ns: parts.clock.now_ns(),
            clock: parts.clock,
            instruments: parts.instruments,
            orders: parts.orders,
            control: parts.control,
            next_command_id: 1,
            switch: parts.switch,
            venues: parts.limits.venues,
            risk,
            ledger: parts.ledger,
            order_log: parts.order_log,
            own_ids: parts.own_ids,
            own_id: None,
            tracker: parts.tracker,
            timers: Timers::new(),
            next_order_id: parts.first_order_id,
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

    #[inline]
    pub(crate) fn enter(&mut self, event: &Event, now_ns: u64) {
        self.now_ns = now_ns;
        self.cause_trace_id = event.trace_id;
        self.cause_receive_ns = event.receive_ns;
    }

    #[inline]
    pub(crate) fn enter_without_event(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.cause_trace_id = self.traces.next_id();
        self.cause_receive_ns = now_ns;
    }

    /// The trace of what the present callback is about; one of its own where it is no event.
    pub(crate) fn cause_trace_id(&self) -> u64 {
        self.cause_trace_id
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
}
