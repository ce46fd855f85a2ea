//! A strategy in a unit test: the real wrapper and real lanes, driven by hand with a manual clock.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use pitlane_ring::{Consumer, Publisher};
use zerocopy::FromZeros;

use super::{BareConsumer, restored_consumer};
use crate::consumer::{
    ConsumerAgent, Context, ControlCommand, FailureLog, Strategy, StrategyError,
};
use crate::event::{
    Event, EventKind, EventPayload, ExecReport, ExecType, InstrumentId, OrderStatus, Price, Qty,
    Quote, Side, Trade, VenueId,
};
use crate::instrument::{InstrumentSpec, Instruments};
use crate::journal::SavedState;
use crate::order::OrderCommand;
use crate::order::trading::Marks;
use crate::pipeline::Size;
use crate::risk::RiskLimits;
use crate::runtime::{Agent, Clock, ManualTime};

/// Drives one strategy: feed events, move time, read the orders it sent.
///
/// One instrument (`BTC-USDT`, id 0, two price places, five quantity places) at venue 0, or at the
/// one that [`Harness::at_venue`] names.
pub struct Harness {
    market: Publisher<Event>,
    critical: Publisher<Event>,
    orders: Consumer<OrderCommand>,
    control: Consumer<ControlCommand>,
    agent: ConsumerAgent,
    /// What the risk check holds orders against.
    marks: Arc<Marks>,
    time: ManualTime,
    clock: Clock,
    critical_sequence: u32,
    venue: VenueId,
    /// Of the last event; they count from 1.
    trace_id: u64,
}

impl Harness {
    /// A harness around `strategy`, with `on_start` already called.
    #[must_use]
    pub fn new(strategy: impl Strategy) -> Harness {
        Harness::on(InstrumentSpec::btc_usdt(), RiskLimits::default(), strategy)
    }

    /// The same on an instrument and under limits of the caller's.
    #[must_use]
    pub fn on(spec: InstrumentSpec, limits: RiskLimits, strategy: impl Strategy) -> Harness {
        Harness::among(instruments(spec), limits, strategy)
    }

    /// The same with all instruments of a configuration.
    #[must_use]
    pub fn among(
        instruments: Arc<Instruments>,
        limits: RiskLimits,
        strategy: impl Strategy,
    ) -> Harness {
        Harness::begun((instruments, limits), strategy, None)
    }

    /// A harness around a strategy that was saved before: `on_restore` is called, then `on_start`.
    #[must_use]
    pub fn restored(strategy: impl Strategy, saved: SavedState) -> Harness {
        let limits = RiskLimits::default();
        Harness::begun((instruments(InstrumentSpec::btc_usdt()), limits), strategy, Some(saved))
    }

    fn begun(
        of: (Arc<Instruments>, RiskLimits),
        strategy: impl Strategy,
        saved: Option<SavedState>,
    ) -> Harness {
        let (clock, time) = Clock::manual(1_700_000_000_000_000_000);
        let BareConsumer { market, critical, orders, control, agent, marks } =
            restored_consumer(Box::new(strategy), saved, of, clock.clone(), Size::Full);
        let mut harness = Harness {
            market,
            critical,
            orders,
            control,
            agent,
            marks,
            time,
            clock,
            critical_sequence: 0,
            venue: VenueId(0),
            trace_id: 0,
        };
        harness.run();
        harness
    }

    /// What is fed from now on comes from this venue.
    pub fn at_venue(&mut self, venue: VenueId) -> &mut Harness {
        self.venue = venue;
        self
    }

    /// What the strategy saves now.
    ///
    /// # Errors
    /// Its own, and that of a state larger than it said.
    pub fn save(&mut self) -> Result<SavedState, StrategyError> {
        self.agent.saved()
    }

    /// Feeds a quote, in the instrument's scales, and runs the strategy.
    pub fn quote(&mut self, bid: Price, bid_qty: Qty, ask: Price, ask_qty: Qty) {
        self.market(&Quote {
            bid_price: bid.0,
            bid_qty: bid_qty.0,
            ask_price: ask.0,
            ask_qty: ask_qty.0,
        });
    }

    /// Feeds a public trade and runs the strategy.
    pub fn trade(&mut self, price: Price, qty: Qty, aggressor: Side) {
        self.market(&Trade::single(price, qty, aggressor));
    }

    /// Feeds any market or reference payload and runs the strategy.
    pub fn market<P: EventPayload>(&mut self, payload: &P) {
        let event = self.event(payload);
        self.marks.take(&event);
        let published = self.market.try_publish(&event);
        assert!(published.is_ok(), "the harness runs after each event, so its lane has room");
        self.run();
    }

    /// Feeds an event as it is, but for its place among the critical ones and the time of its
    /// receipt, which is now; then runs the strategy.
    pub fn feed(&mut self, event: &Event) {
        let mut event = *event;
        event.receive_ns = self.clock.now_ns();
        let lane = match event.kind().is_some_and(EventKind::is_critical) {
            true => {
                self.critical_sequence += 1;
                event.critical_sequence = self.critical_sequence;
                &mut self.critical
            }
            false => {
                self.marks.take(&event);
                &mut self.market
            }
        };
        let published = lane.try_publish(&event);
        assert!(published.is_ok(), "the harness runs after each event, so its lane has room");
        self.run();
    }

    /// Acknowledges an order the strategy sent.
    pub fn acknowledge(&mut self, order: &OrderCommand) {
        self.report(order, ExecType::New, OrderStatus::New, 0, 0);
    }

    /// Fills `qty` of an order at its price; `filled_before` was filled earlier.
    pub fn fill(&mut self, order: &OrderCommand, qty: Qty, filled_before: Qty) {
        let filled = filled_before.0 + qty.0;
        let status =
            if filled == order.qty { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        self.report(order, ExecType::Trade, status, qty.0, filled);
    }

    /// Refuses an order that the strategy sent.
    pub fn rejected(&mut self, order: &OrderCommand) {
        self.report(order, ExecType::Rejected, OrderStatus::Rejected, 0, 0);
    }

    /// Takes back the end of an order: it lives.
    pub fn revived(&mut self, order: &OrderCommand) {
        self.report(order, ExecType::Revived, OrderStatus::New, 0, 0);
    }

    /// Confirms the cancel of an order.
    pub fn canceled(&mut self, order: &OrderCommand) {
        self.report(order, ExecType::Canceled, OrderStatus::Canceled, 0, 0);
    }

    /// The commands the strategy has sent since the last call, in order.
    pub fn orders(&mut self) -> Vec<OrderCommand> {
        let mut commands = Vec::new();
        self.orders.poll(usize::MAX, |command| commands.push(*command));
        commands
    }

    /// The control commands the strategy has sent since the last call, in order.
    pub fn control_commands(&mut self) -> Vec<ControlCommand> {
        let mut commands = Vec::new();
        self.control.poll(usize::MAX, |command| commands.push(*command));
        commands
    }

    /// Moves time forward and runs the timers that fall due.
    pub fn advance_ns(&mut self, ns: u64) {
        self.time.advance_ns(ns);
        self.run();
    }

    /// What the strategy sees: positions, open orders, time.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.agent.context()
    }

    /// Failures contained so far.
    #[must_use]
    pub fn failures(&self) -> &FailureLog {
        self.agent.failures()
    }

    fn run(&mut self) {
        while self.agent.duty_cycle() > 0 {}
    }

    fn event<P: EventPayload>(&mut self, payload: &P) -> Event {
        let mut event = Event::new(payload);
        event.venue = self.venue.0;
        event.instrument = InstrumentId(0).0;
        event.receive_ns = self.clock.now_ns();
        self.trace_id += 1;
        event.trace_id = self.trace_id;
        event
    }

    fn report(
        &mut self,
        order: &OrderCommand,
        exec_type: ExecType,
        status: OrderStatus,
        last_qty: i64,
        filled_qty: i64,
    ) {
        let mut report = ExecReport::new_zeroed();
        report.client_order_id = order.client_order_id;
        report.consumer = order.consumer;
        report.side_code = order.side_code;
        report.price = order.price;
        report.trigger_price = order.trigger_price;
        report.qty = order.qty;
        report.last_price = if last_qty > 0 { order.price } else { 0 };
        report.last_qty = last_qty;
        report.filled_qty = filled_qty;
        report.exec_type_code = exec_type.code();
        report.status_code = status.code();
        self.critical_sequence += 1;
        let mut event = self.event(&report);
        event.critical_sequence = self.critical_sequence;
        let published = self.critical.try_publish(&event);
        assert!(published.is_ok(), "the harness runs after each event, so its lane has room");
        self.run();
    }
}

fn instruments(spec: InstrumentSpec) -> Arc<Instruments> {
    match Instruments::new(vec![spec]) {
        Ok(instruments) => Arc::new(instruments),
        Err(error) => panic!("the harness's instrument: {error}"),
    }
}
