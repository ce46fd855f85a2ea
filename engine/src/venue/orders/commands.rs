//! Commands of strategies, on their way to the venue or refused.

use arrayvec::ArrayVec;

use super::agent::OrderAgent;
use super::names::OrderName;
use super::order::{CancelWish, KnownOrder};
use super::requests_in_flight::Asked;
use super::rest_line::RestLine;
use super::stage::{BATCH, CANCELS_MAX, Presence, Stage};
use super::states::OrderInput;
use super::told::Told;
use crate::event::{ExecType, InstrumentId, Price, Qty, RejectReason, VenueRef};
use crate::order::{OrderAction, OrderCommand, OrderKey, refused, rejection};
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::{HoldReason, RequestClass};
use crate::venue::protocol::{OrderProtocol, OrderRequest, SentTime};

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Takes commands: writes them, or answers them at once while the session is not ready.
    #[inline]
    pub(super) fn take_commands(&mut self) -> usize {
        let mut work = 0;
        while work < BATCH && !self.outgoing.timed.is_full() && self.orders.room() >= 1 {
            let mut taken = None;
            self.commands.poll(1, |command| taken = Some(*command));
            let Some(command) = taken else { break };
            work += 1;
            // What came before it leaves before it.
            if command.action() != Some(OrderAction::Cancel) {
                self.cancel_together();
            }
            self.command(&command);
        }
        self.cancel_together();
        if work > 0 {
            self.write();
        }
        work
    }

    #[inline]
    fn command(&mut self, command: &OrderCommand) {
        let sent = match command.action() {
            Some(OrderAction::Submit) => self.place(command),
            Some(OrderAction::Cancel) => self.on_cancel(command),
            Some(OrderAction::Modify) => self.on_modify(command),
            Some(OrderAction::Query) => {
                self.on_query(command);
                Ok(())
            }
            Some(OrderAction::CancelSymbol) => self.cancel_symbol(command),
            None => Err(RejectReason::UnknownOrder),
        };
        if let Err(reason) = sent {
            self.answer_refused(command, reason);
        }
    }

    /// A command that does not leave is answered at once: with the state of its order, where that
    /// is open.
    #[cold]
    pub(super) fn answer_refused(&mut self, command: &OrderCommand, reason: RejectReason) {
        let (key, is_new) = (OrderKey::of(command), refused(command) == ExecType::Rejected);
        let open = self.orders.table.open_order(key).filter(|_| !is_new);
        let Some(mut report) = open.map(|order| order.told(refused(command))) else {
            self.orders.send_event(&rejection(command, reason, self.orders.now_ns));
            return;
        };
        report.reason_code = reason.code();
        self.orders.read_ns = self.orders.now_ns;
        self.orders.tell(key, 0, &[report]);
    }

    /// Whether anything that adds risk may leave for this consumer now.
    #[inline]
    pub(super) fn may_add_risk(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        let is_over = self.stop.phase() >= Phase::Draining || self.stop.is_killed();
        if is_over || !self.quarantine.may_trade(command.owner(), command.venue_id()) {
            return Err(RejectReason::TradingHalted);
        }
        if self.stage != Stage::Ready || self.presence != Presence::On || !self.switch.is_on() {
            return Err(RejectReason::NotConnected);
        }
        if self.orders.venue_clock.is_in_doubt(self.orders.now_ns) {
            return Err(RejectReason::SlowDown);
        }
        Ok(())
    }

    #[inline]
    fn place(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        self.may_add_risk(command)?;
        can_have::<P>(command)?;
        self.orders.is_position_known(command.instrument_id(), command.flags)?;
        match command.replaced() {
            None => self.place_now(command),
            Some(old) => self.replace(command, old),
        }
    }

    /// Cancels the old order, and keeps the new one until that is over.
    #[cold]
    fn replace(&mut self, command: &OrderCommand, old: OrderKey) -> Result<(), RejectReason> {
        let order = self.orders.table.open_order(old).ok_or(RejectReason::UnknownOrder)?;
        if order.filled_qty() != command.replaced_filled {
            return Err(RejectReason::ReplacedFilled);
        }
        if order.command.instrument != command.instrument {
            return Err(RejectReason::UnknownOrder);
        }
        self.replacements.add(command, old, self.orders.now_ns)?;
        self.want_cancel(old);
        Ok(())
    }

    /// Sends the new orders whose old ones are over, and says of those that can't be sent why.
    #[cold]
    pub(super) fn place_replacements(&mut self) -> usize {
        let (mut index, mut work) = (0, 0);
        while let Some(waiting) = self.replacements.get(index) {
            if self.orders.room() == 0 || self.outgoing.timed.is_full() {
                break;
            }
            let verdict = waiting.verdict(self.orders.table.get(waiting.old), self.orders.now_ns);
            // Once nothing that adds risk leaves any more, there is nothing to wait for.
            let (instrument, flags) = (waiting.command.instrument_id(), waiting.command.flags);
            let is_known = self.orders.is_position_known(instrument, flags);
            let may_leave = self.may_add_risk(&waiting.command).and(is_known);
            if verdict.is_none() && may_leave.is_ok() {
                index += 1;
                continue;
            }
            self.replacements.remove(index);
            work += 1;
            let outcome = verdict.unwrap_or(Ok(())).and(may_leave);
            if let Err(reason) = outcome.and_then(|()| self.place_now(&waiting.command)) {
                self.answer_refused(&waiting.command, reason);
            }
        }
        if work > 0 {
            self.write();
        }
        work
    }

    /// Writes a new order.
    #[inline]
    pub(super) fn place_now(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        if !self.orders.thinning.may_order(command, self.orders.now_ns) {
            let governor = self.orders.gate.governor();
            governor.note_held(RequestClass::Order, HoldReason::Refusals);
            return Err(RejectReason::RepeatedRefusal);
        }
        let weight = self.protocol.weight(RequestClass::Order);
        self.orders.gate.may_order(command.consumer, weight, self.orders.now_ns)?;
        let now_ns = self.orders.now_ns;
        self.orders.table.submit(command, now_ns)?;
        let key = OrderKey::of(command);
        let sent = self.send_for(key, Asked::Submit(key), |protocol, request, text| {
            protocol.place(command, request, text)
        });
        if let Err(reason) = sent {
            // Nothing left us: the order is no more, and its number stays used.
            self.orders.table.change(key, |order| {
                let mut told_by_the_rejection = Told::new();
                order.on_refused(reason, 0, now_ns, &mut told_by_the_rejection);
            });
            return Err(reason);
        }
        self.timed(command);
        Ok(())
    }

    /// Notes a command whose write is timed.
    #[inline]
    pub(super) fn timed(&mut self, command: &OrderCommand) {
        // Room was checked.
        let _ =
            self.outgoing.timed.try_push((usize::from(command.consumer), command.tick_receive_ns));
    }

    /// A cancel leaves at once, or as soon as the order's pause, the venue's limits and the
    /// connection allow; it is never lost.
    #[inline]
    fn on_cancel(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        let key = OrderKey::of(command);
        if self.orders.table.open_order(key).is_none() {
            let unsent = self.replacements.take(key).ok_or(RejectReason::UnknownOrder)?;
            self.answer_refused(&unsent, RejectReason::CanceledUnsent);
            return Ok(());
        }
        if self.want_cancel(key) {
            self.timed(command);
        }
        Ok(())
    }

    /// An open order is to be cancelled; whether its cancel is written now.
    pub(super) fn want_cancel(&mut self, key: OrderKey) -> bool {
        let is_wanted = |order: &KnownOrder| order.cancel != CancelWish::None;
        if self.orders.table.get(key).is_none_or(is_wanted) {
            return false;
        }
        self.orders.table.change(key, |order| order.cancel = CancelWish::Wanted);
        if self.may_cancel(key) && self.cancel_soon(key) {
            return true;
        }
        self.look_for_cancels_soon();
        false
    }

    pub(super) fn may_cancel(&mut self, key: OrderKey) -> bool {
        let now_ns = self.now_ns();
        if self.orders.venue_clock.is_in_doubt(now_ns) {
            return false;
        }
        let may_cancel = |order: &KnownOrder| {
            let is_named = !P::CANCELS_BY_VENUE_NAME || !order.venue_order_id.is_none();
            is_named && order.may_cancel(now_ns)
        };
        if !self.orders.table.get(key).is_some_and(may_cancel) {
            return false;
        }
        let is_logged_on = matches!(self.stage, Stage::Asking | Stage::Ready);
        let weight = self.protocol.weight(RequestClass::Cancel);
        is_logged_on && self.orders.gate.may_send(RequestClass::Cancel, weight, now_ns)
    }

    pub(super) fn cancel(&mut self, key: OrderKey) -> bool {
        let sent = self.send_for(key, Asked::Cancel(key), |protocol, request, text| {
            protocol.cancel(request, text);
            Ok(())
        });
        if sent.is_ok() {
            self.orders.apply(key, OrderInput::CancelSent);
        }
        sent.is_ok()
    }

    /// Cancels an order: with others, where the venue takes several in a request.
    pub(super) fn cancel_soon(&mut self, key: OrderKey) -> bool {
        let most = P::CAPABILITIES.cancels_per_request.min(CANCELS_MAX);
        if most <= 1 {
            return self.cancel(key);
        }
        self.outgoing.cancels.push(key);
        if self.outgoing.cancels.len() == most {
            self.cancel_together();
        }
        true
    }

    /// Writes the cancels that were to go together. What can't be written stays wanted.
    #[inline]
    pub(super) fn cancel_together(&mut self) {
        if self.outgoing.cancels.is_empty() {
            return;
        }
        let keys = std::mem::take(&mut self.outgoing.cancels);
        if let [key] = keys[..] {
            return self.is_cancelled(key);
        }
        self.cancel_several(&keys);
    }

    fn is_cancelled(&mut self, key: OrderKey) {
        if !self.cancel(key) {
            self.look_for_cancels_soon();
        }
    }

    #[cold]
    fn cancel_several(&mut self, keys: &[OrderKey]) {
        let (time_ms, now_ns) = (self.time_ms(), self.orders.now_ns);
        type Named = (u64, InstrumentId, OrderName, VenueRef, Option<SentTime>);
        let mut names = ArrayVec::<Named, CANCELS_MAX>::new();
        for key in keys {
            let Some(order) = self.orders.table.get(*key) else { continue };
            let (instrument, venue_order_id) =
                (order.command.instrument_id(), order.venue_order_id);
            let sent = Some(order.sent_time(now_ns, time_ms));
            let Some(id) = self.orders.requests.add(Asked::Cancel(*key), now_ns) else { continue };
            names.push((id, instrument, self.orders.names.name(*key), venue_order_id, sent));
        }
        let follow = names.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1);
        let Self { symbols, protocol, text, .. } = self;
        let mut requests = ArrayVec::<OrderRequest<'_>, CANCELS_MAX>::new();
        for (id, instrument, name, venue_order_id, sent) in &names {
            let of = symbols.native(*instrument).zip(symbols.symbol(*instrument));
            let Some((native, symbol)) = of else { continue };
            let scales = symbol.scales;
            let (id, venue_order_id, sent) = (*id, *venue_order_id, *sent);
            requests.push(OrderRequest { id, native, scales, name, venue_order_id, time_ms, sent });
        }
        let is_written =
            follow && requests.len() == keys.len() && protocol.cancel_several(&requests, text);
        drop(requests);
        let first = names.first().map_or(0, |(id, ..)| *id);
        let is_sent = is_written && self.send_order(first).is_ok();
        if is_sent {
            if let (Some((first, ..)), Some((last, ..))) = (names.first(), names.last()) {
                self.orders.requests.went_together((*first, *last));
            }
            keys.iter().for_each(|key| self.orders.apply(*key, OrderInput::CancelSent));
            return;
        }
        for (id, ..) in &names {
            self.orders.requests.take(*id);
        }
        keys.iter().for_each(|key| self.is_cancelled(*key));
    }

    fn on_modify(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        self.may_add_risk(command)?;
        let key = OrderKey::of(command);
        let order = self.orders.table.open_order(key).ok_or(RejectReason::UnknownOrder)?;
        if !order.may_amend() {
            return Err(RejectReason::DuplicateId);
        }
        let (instrument, flags) = (order.command.instrument_id(), order.command.flags);
        self.orders.is_position_known(instrument, flags)?;
        let has = (Price(order.price), Qty(order.qty));
        if !P::CAPABILITIES.amends.can(has, (Price(command.price), Qty(command.qty))) {
            return Err(RejectReason::Unsupported);
        }
        let weight = self.protocol.weight(RequestClass::Amend);
        let class = match P::AMENDS_COUNT_AS_ORDERS {
            true => RequestClass::Order,
            false => RequestClass::Amend,
        };
        if !self.orders.gate.may_send(class, weight, self.orders.now_ns) {
            return Err(RejectReason::SlowDown);
        }
        self.send_for(key, Asked::Amend(key), |protocol, request, text| {
            protocol.amend(command, request, text)
        })?;
        self.orders.table.change(key, |order| order.amend(command.price, command.qty));
        self.timed(command);
        Ok(())
    }

    /// A strategy's query is answered by what the venue says next, at the latest by the answer to
    /// ours. Of an order that is over, its end was told before the query came: that is the answer.
    fn on_query(&mut self, command: &OrderCommand) {
        let now_ns = self.orders.now_ns;
        self.orders.table.change(OrderKey::of(command), |order| {
            if order.is_open() {
                (order.wants_state, order.query_ns) = (true, now_ns);
            }
        });
    }

    /// Writes a request about an order.
    #[inline]
    pub(super) fn send_for(
        &mut self,
        key: OrderKey,
        asked: Asked,
        write: impl FnOnce(&mut P, &OrderRequest<'_>, &mut Vec<u8>) -> Result<(), RejectReason>,
    ) -> Result<(), RejectReason> {
        let time_ms = self.time_ms();
        let Self { orders, symbols, protocol, text, .. } = self;
        let order = orders.table.get(key).ok_or(RejectReason::UnknownOrder)?;
        let instrument = order.command.instrument_id();
        let unknown = RejectReason::UnknownInstrument;
        let symbol = symbols.symbol(instrument).ok_or(unknown)?;
        let native = symbols.native(instrument).ok_or(unknown)?;
        let name = orders.names.name(key);
        let id = orders.requests.add(asked, orders.now_ns).ok_or(RejectReason::SlowDown)?;
        let (scales, venue_order_id) = (symbol.scales, order.venue_order_id);
        let (name, sent) = (&name, Some(order.sent_time(orders.now_ns, time_ms)));
        let request = OrderRequest { id, native, scales, name, venue_order_id, time_ms, sent };
        let mut sent = write(protocol, &request, text);
        if sent.is_ok() {
            sent = match P::ASKS_OVER_REST && asked.is_question() {
                true if self.ask_over_rest(id) => Ok(()),
                true => Err(RejectReason::SlowDown),
                false => self.send_order(id),
            };
        }
        if sent.is_err() {
            self.orders.requests.take(id);
        }
        sent
    }

    /// Sends the order, the cancel or the amendment that was written.
    #[inline]
    pub(super) fn send_order(&mut self, id: u64) -> Result<(), RejectReason> {
        let Self { session, rest, text, orders, .. } = self;
        if P::ORDERS_OVER_REST {
            // Without the account's stream nobody would hear of it.
            let lines = rest.orders.as_mut().filter(|_| session.is_open());
            let lines = lines.ok_or(RejectReason::NotConnected)?;
            let adds_risk = orders.requests.asked(id).is_some_and(Asked::adds_risk);
            let is_taken = lines.send((id, adds_risk), text, orders.now_ns);
            return if is_taken { Ok(()) } else { Err(RejectReason::SlowDown) };
        }
        session.send(text).map_err(|_| RejectReason::NotConnected)
    }

    /// Orders that wait for a line to REST do not leave once nothing that adds risk may, or nothing
    /// of their consumer.
    #[cold]
    pub(super) fn take_back_orders(&mut self) {
        let is_over = self.stop.phase() >= Phase::Draining
            || self.stop.is_killed()
            || self.quarantine.last_resort().is_halted();
        let Self { rest, orders, quarantine, .. } = self;
        let Some(lines) = &mut rest.orders else { return };
        lines.take_back(|id| {
            let key = orders.requests.asked(id).and_then(Asked::order);
            let may_trade = |key: OrderKey| quarantine.may_trade(key.consumer, orders.venue_id);
            is_over || !key.is_some_and(may_trade)
        });
    }

    /// Writes what was queued, and takes the time once the system has it.
    #[inline]
    pub(super) fn write(&mut self) {
        if !self.session.flush() || self.rest.orders.as_ref().is_some_and(RestLine::is_sending) {
            return; // the rest goes with a later step, and is timed then
        }
        let written_ns = self.orders.clock.now_ns();
        for (consumer, cause_ns) in self.outgoing.timed.drain(..) {
            self.probe.record(consumer, written_ns.saturating_sub(cause_ns));
        }
    }
}

/// Whether the venue can have such an order at all.
#[inline]
fn can_have<P: OrderProtocol>(command: &OrderCommand) -> Result<(), RejectReason> {
    let (Some(order_type), Some(time), Some(flags)) =
        (command.order_type(), command.time_in_force(), command.order_flags())
    else {
        return Err(RejectReason::Unsupported);
    };
    match P::CAPABILITIES.lacks_of_order(order_type, time, flags) {
        None => Ok(()),
        Some(_) => Err(RejectReason::Unsupported),
    }
}
