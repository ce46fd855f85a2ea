//! Cancels from outside the strategies: of the quarantined, after a kill, at the stop.

use super::agent::OrderAgent;
use super::order::{CancelWish, KnownOrder};
use super::requests_in_flight::Asked;
use super::stage::{POLL_NS, Stage};
use crate::event::{ConsumerId, RejectReason};
use crate::order::{OrderCommand, OrderKey};
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::OrderProtocol;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Orders are to be cancelled: looks for them now, unless it is looking already.
    pub(super) fn look_for_cancels(&mut self) {
        if self.orders.table.cancel_due_ns() == u64::MAX {
            self.orders.table.look_for_cancels(self.orders.now_ns);
        }
    }

    /// A cancel could not be written: tries again soon.
    pub(super) fn look_for_cancels_soon(&mut self) {
        self.orders.table.look_for_cancels(self.orders.now_ns + POLL_NS);
    }

    /// Marks what quarantined consumers have open, or everybody after a kill or at the stop, and
    /// writes the cancels whose time has come; again after a while, since an order may have been on
    /// its way here.
    #[cold]
    pub(super) fn cancel_wanted(&mut self, is_all: bool) -> usize {
        let now_ns = self.orders.now_ns;
        if now_ns < self.orders.table.cancel_due_ns() {
            return 0;
        }
        let quarantine = &self.quarantine;
        self.orders.table.change_open(|order| {
            let consumer = ConsumerId(order.command.consumer);
            let venue = order.command.venue_id();
            if order.cancel == CancelWish::None
                && (is_all || quarantine.cancels_orders_of(consumer, venue))
            {
                (order.cancel, order.is_cancelled_outside) = (CancelWish::Wanted, true);
            }
        });
        let keys = self.orders.table.take_wanted_cancels();
        let mut work = 0;
        for key in &keys {
            work += usize::from(self.may_cancel(*key) && self.cancel_soon(*key));
        }
        self.cancel_together();
        if work < keys.len() || is_all || self.quarantine.cancels_any() {
            self.look_for_cancels_soon();
        }
        if work > 0 {
            self.session.flush();
        }
        work
    }

    /// Asks the venue to cancel all that the account has open in a symbol. What becomes of orders
    /// of ours, their own reports tell.
    #[cold]
    pub(super) fn cancel_symbol(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        if !P::CAPABILITIES.cancels_symbol {
            return Err(RejectReason::Unsupported);
        }
        if !matches!(self.stage, Stage::Asking | Stage::Ready) {
            return Err(RejectReason::NotConnected);
        }
        let (instrument, now_ns) = (command.instrument_id(), self.orders.now_ns);
        let time_ms = self.time_ms();
        let native = self.symbols.native(instrument).ok_or(RejectReason::UnknownInstrument)?;
        let weight = self.protocol.weight(RequestClass::Cancel);
        if !self.orders.gate.may_send(RequestClass::Cancel, weight, now_ns) {
            return Err(RejectReason::SlowDown);
        }
        let asked = Asked::CancelSymbol(command.owner(), instrument);
        let id = self.orders.requests.add(asked, now_ns).ok_or(RejectReason::SlowDown)?;
        let is_written = self.protocol.cancel_all(native, id, time_ms, &mut self.text);
        if !is_written || self.send_order(id).is_err() {
            self.orders.requests.take(id);
            return Err(RejectReason::NotConnected);
        }
        self.timed(command);
        Ok(())
    }

    /// Says how many orders were cancelled from outside, once the venue has said so of each.
    pub(super) fn say_cancelled(&mut self) {
        let count = self.orders.cancelled_outside;
        let is_open =
            |(_, order): (OrderKey, &KnownOrder)| order.is_cancelled_outside && order.is_open();
        if count == 0 || self.orders.table.open().any(is_open) {
            return;
        }
        self.orders.cancelled_outside = 0;
        let is_all = self.stop.is_killed() || self.stop.phase() >= Phase::Draining;
        let whose = if is_all { "all consumers" } else { "who may not trade" };
        log::warn!("[{}] {count} orders of {whose} cancelled", self.orders.venue);
    }
}
