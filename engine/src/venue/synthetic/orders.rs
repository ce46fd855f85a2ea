//! The orders of the synthetic venue: acknowledged at once, filled when the walk crosses them.

use zerocopy::FromZeros;

use super::super::EventOutlet;
use super::{BATCH, SyntheticVenue};
use crate::event::{Event, ExecReport, ExecType, OrderStatus, RejectReason, Side, VenueRef};
use crate::order::{OrderAction, OrderCommand, OrderType, rejection};

/// Orders that may rest at a time; one more is refused.
pub(super) const RESTING_MAX: usize = 4_096;

/// An order that rests.
#[derive(Clone, Copy)]
pub(super) struct Resting {
    command: OrderCommand,
    order_id: u64,
}

impl<O: EventOutlet> SyntheticVenue<O> {
    /// Cancels what rests, as far as there is room; closes when nothing is left.
    pub(super) fn wind_down(&mut self) -> usize {
        let mut work = 0;
        while self.room() >= 2
            && let Some(order) = self.resting.pop()
        {
            let report = self.report(&order, ExecType::Canceled, OrderStatus::Canceled);
            self.send_report(&order.command, &report);
            work += 1;
        }
        if self.resting.is_empty() && !self.wiring.commands.has_available() {
            self.outlet = None;
        }
        work
    }

    /// Cancels what rests of quarantined consumers, as far as there is room.
    #[cold]
    pub(super) fn cancel_quarantined(&mut self) -> usize {
        let mut work = 0;
        while self.room() >= 2
            && let Some(index) = self.resting.iter().position(|order| {
                let (owner, venue) = (order.command.owner(), order.command.venue_id());
                self.wiring.quarantine.cancels_orders_of(owner, venue)
            })
        {
            let order = self.resting.swap_remove(index);
            let report = self.report(&order, ExecType::Canceled, OrderStatus::Canceled);
            self.send_report(&order.command, &report);
            work += 1;
        }
        work
    }

    /// Fills one resting order that the walk has crossed.
    pub(super) fn fill_one(&mut self) -> usize {
        let Self { resting, markets, .. } = self;
        let crossed = resting.iter().position(|order| {
            let market = markets.iter().find(|market| market.id.0 == order.command.instrument);
            market.is_some_and(|market| is_crossed(&order.command, market.mid))
        });
        let Some(index) = crossed else { return 0 };
        if self.room() < 1 {
            return 0;
        }
        let order = self.resting.swap_remove(index);
        let mut report = self.report(&order, ExecType::Trade, OrderStatus::Filled);
        report.last_price = order.command.price;
        report.last_qty = order.command.qty;
        report.filled_qty = order.command.qty;
        self.send_report(&order.command, &report);
        1
    }

    /// Takes commands: a new order rests, a cancel removes it; both are answered at once.
    pub(super) fn take_commands(&mut self) -> usize {
        let mut work = 0;
        while work < BATCH as usize && self.room() >= 2 {
            let mut taken = None;
            self.wiring.commands.poll(1, |command| taken = Some(*command));
            let Some(command) = taken else { break };
            work += 1;
            let index = usize::from(command.consumer);
            let waited_ns = self.wiring.clock.now_ns().saturating_sub(command.tick_receive_ns);
            self.wiring.probe.record(index, waited_ns);
            self.answer(&command);
        }
        work
    }

    fn answer(&mut self, command: &OrderCommand) {
        let known = self.resting.iter().position(|order| {
            order.command.consumer == command.consumer
                && order.command.client_order_id == command.client_order_id
        });
        let is_stop = command.order_type().is_some_and(OrderType::is_stop);
        match (command.action(), known) {
            (Some(OrderAction::Submit), None) if is_stop => {
                self.refuse(command, RejectReason::Unsupported);
            }
            (Some(OrderAction::CancelSymbol), _) => self.refuse(command, RejectReason::Unsupported),
            (Some(OrderAction::Submit), None) if command.replaced().is_some() => {
                self.refuse(command, RejectReason::Unsupported);
            }
            (Some(OrderAction::Submit), None) if self.resting.len() < RESTING_MAX => {
                let mut command = *command;
                if command.order_type() == Some(OrderType::Market) {
                    let market = self.markets.iter().find(|m| m.id.0 == command.instrument);
                    command.price = market.map_or(0, |market| market.mid);
                }
                let order = Resting { command, order_id: self.next_order_id };
                self.next_order_id += 1;
                let report = self.report(&order, ExecType::New, OrderStatus::New);
                self.resting.push(order);
                self.send_report(&command, &report);
            }
            (Some(OrderAction::Cancel), Some(index)) => {
                let order = self.resting.swap_remove(index);
                let report = self.report(&order, ExecType::Canceled, OrderStatus::Canceled);
                self.send_report(command, &report);
            }
            (Some(OrderAction::Query), Some(index)) => {
                let order = self.resting[index];
                let report = self.report(&order, ExecType::Status, OrderStatus::New);
                self.send_report(command, &report);
            }
            (Some(OrderAction::Modify), Some(index)) => {
                let terms = &mut self.resting[index].command;
                (terms.price, terms.qty) = (command.price, command.qty);
                let order = self.resting[index];
                let report = self.report(&order, ExecType::Replaced, OrderStatus::New);
                self.send_report(command, &report);
            }
            (Some(OrderAction::Submit), Some(_)) => self.refuse(command, RejectReason::DuplicateId),
            (Some(OrderAction::Submit), None) => self.refuse(command, RejectReason::Venue),
            (_, None) | (None, Some(_)) => self.refuse(command, RejectReason::UnknownOrder),
        }
    }

    fn refuse(&mut self, command: &OrderCommand, reason: RejectReason) {
        let event = rejection(command, reason, self.wiring.clock.now_ns());
        self.publish(&event);
    }

    fn report(&mut self, order: &Resting, exec: ExecType, status: OrderStatus) -> ExecReport {
        let mut report = ExecReport::new_zeroed();
        report.client_order_id = order.command.client_order_id;
        report.venue_order_id = VenueRef::number(order.order_id);
        report.execution_id = VenueRef::number(self.next_execution_id);
        self.next_execution_id += 1;
        report.price = order.command.price;
        report.qty = order.command.qty;
        report.decision_id = order.command.decision_id;
        report.consumer = order.command.consumer;
        report.side_code = order.command.side_code;
        report.status_code = status.code();
        report.exec_type_code = exec.code();
        report
    }

    fn send_report(&mut self, command: &OrderCommand, report: &ExecReport) {
        self.trace_id += 1;
        let mut event = Event::new(report);
        event.venue = self.venue.0;
        event.instrument = command.instrument;
        event.trace_id = self.trace_id;
        event.receive_ns = self.wiring.clock.now_ns();
        self.wiring.stats.frames();
        self.wiring.stats.decoded();
        self.publish(&event);
    }
}

/// Whether a walk at `mid` has reached the order's price.
fn is_crossed(command: &OrderCommand, mid: i64) -> bool {
    match command.side() {
        Some(Side::Buy) => mid <= command.price,
        Some(Side::Sell) => mid >= command.price,
        None => false,
    }
}
