//! What an order connection knows and says: orders, requests in flight, doubts. The agent joins it to its
//! socket and its lanes.

use std::sync::Arc;

use arrayvec::ArrayVec;
use crossbeam_utils::CachePadded;

use super::credentials::Credentials;
use super::order_request::{OrderNames, RequestText};
use super::requests_in_flight::{Asked, RequestsInFlight};
use super::user_decode::{Execution, Reply, ReplyError};
use crate::event::{
    Balance, ConsumerId, Event, EventPayload, ExecReport, ExecType, InstrumentId, RejectReason,
    VenueId, asset_code,
};
use crate::instrument::Instruments;
use crate::order::{
    Applied, OrderAction, OrderCommand, OrderKey, OrderTable, VenueReport, rejection,
};
use crate::runtime::Clock;
use crate::safety::Quarantine;
use crate::telemetry::Probe;
use crate::venue::codec::DecodeError;
use crate::venue::transport::{CloseReason, Session};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, SymbolMap, TraceIds};

/// Frames and commands taken in one duty cycle, each.
pub(super) const BATCH: usize = 32;
/// Between two looks for overdue answers, ns.
pub(super) const LOOK_NS: u64 = 50_000_000;
/// The venue's codes for "the order's state is unknown": timed out, unexpected response.
const UNKNOWN_OUTCOME: [i32; 2] = [-1006, -1007];
/// The venue's code for an order it doesn't know.
const NO_SUCH_ORDER: i32 = -2013;
/// The venue's code for a cancel of an order that is not open there.
const CANCEL_OF_NOTHING: i32 = -2011;
/// How long after it was sent an order can still turn up at the venue, ns: the venue refuses a request
/// that is older than its `recvWindow` (5 s, since we name none), by a clock that may be up to a second
/// behind ours. Until then "no such order" proves nothing: the order may be in some queue on the way.
const IN_FLIGHT_MAX_NS: u64 = 6_000_000_000;
/// Pause after a query or cancel that the venue did not take, ns: asking again at once would be the way to
/// be banned.
const ASK_AGAIN_NS: u64 = 250_000_000;
/// Bytes of an offending frame that are kept.
const OFFENDING_BYTES_MAX: usize = 4_096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Down,
    LoggingOn,
    Subscribing,
    /// Asks for the state of the orders in doubt.
    Asking,
    Ready,
}

/// Everything but what a decoded message or a command borrows.
pub(super) struct Desk<O> {
    pub(super) venue: String,
    pub(super) venue_id: VenueId,
    /// `None` once the venue is closed.
    pub(super) outlet: Option<O>,
    pub(super) table: OrderTable,
    pub(super) names: OrderNames,
    pub(super) symbols: SymbolMap,
    pub(super) instruments: Arc<Instruments>,
    pub(super) credentials: Credentials,
    pub(super) requests: RequestsInFlight,
    pub(super) text: RequestText,
    pub(super) stage: Stage,
    /// Some open order may be in doubt.
    pub(super) has_doubts: bool,
    /// A query is on its way.
    pub(super) is_asking: bool,
    /// Its venue was switched off: no new order is taken.
    pub(super) is_leaving: bool,
    /// The next query, and the next cancel at the stop, have to wait until then.
    pub(super) ask_at_ns: u64,
    /// The socket was not read in this cycle, since the link is full.
    pub(super) is_held_back: bool,
    pub(super) answer_ns: u64,
    pub(super) next_look_ns: u64,
    pub(super) cancel_on_stop: bool,
    pub(super) quarantine: Quarantine,
    /// When open orders of quarantined consumers are looked for again.
    pub(super) next_cancel_ns: u64,
    pub(super) traces: TraceIds,
    pub(super) stats: Arc<CachePadded<IntakeStats>>,
    pub(super) probe: Probe,
    /// Consumer and cause of commands that are written but not yet on the wire.
    pub(super) unwritten: ArrayVec<(usize, u64), BATCH>,
    pub(super) clock: Clock,
    pub(super) now_ns: u64,
    /// When the frame in hand was read.
    pub(super) read_ns: u64,
}

impl<O: EventOutlet> Desk<O> {
    /// An open order that is to be cancelled and was not yet: any, or one of a quarantined consumer.
    pub(super) fn open_to_be_cancelled(&self, is_any: bool) -> Option<OrderKey> {
        self.table.find_open(|order| {
            let consumer = ConsumerId(order.command.consumer);
            !order.cancel_sent && (is_any || self.quarantine.cancels_orders_of(consumer))
        })
    }

    #[inline]
    pub(super) fn room(&mut self) -> usize {
        self.outlet.as_mut().map_or(0, EventOutlet::room)
    }

    #[cold]
    pub(super) fn log_on(&mut self, session: &mut Session) {
        self.stage = Stage::LoggingOn;
        let timestamp_ms = self.timestamp_ms();
        if let Some(id) = self.requests.add(Asked::Logon, self.now_ns) {
            self.text.logon(id, &self.credentials, timestamp_ms);
            self.send(session);
        }
        session.flush();
    }

    #[cold]
    pub(super) fn on_closed(&mut self, reason: &CloseReason, offending: &[u8]) {
        log::warn!("[{}] orders {reason}; reconnecting", self.venue);
        self.stats.reconnects();
        self.disconnected();
        if let (CloseReason::Protocol(error), Some(outlet)) = (reason, &mut self.outlet) {
            let kept = &offending[..offending.len().min(OFFENDING_BYTES_MAX)];
            outlet.dead_letter(LetterReason::of_wire(*error), "frame of the WebSocket", kept);
        }
    }

    /// There is no connection any more: what was asked is open again.
    pub(super) fn disconnected(&mut self) {
        self.stage = Stage::Down;
        (self.has_doubts, self.is_asking) = (true, false);
        self.requests.clear();
        self.unwritten.clear();
        self.table.doubt_all();
    }

    #[cold]
    pub(super) fn refuse(&mut self, error: DecodeError, raw: &[u8]) {
        self.stats.refused();
        if error.reason == LetterReason::Unknown {
            self.stats.unknown();
        }
        self.letter(error.reason, error.detail, raw);
        // It may have been a report on any order.
        self.table.doubt_open();
        self.has_doubts = true;
    }

    #[cold]
    pub(super) fn letter(&mut self, reason: LetterReason, detail: &'static str, raw: &[u8]) {
        if let Some(outlet) = &mut self.outlet {
            outlet.dead_letter(reason, detail, raw);
        }
    }

    #[inline]
    pub(super) fn on_execution(&mut self, execution: &Execution<'_>, raw: &[u8]) {
        // On a cancel `c` names the cancel and `C` the order.
        let name = match execution.orig_client_order_id {
            b"" => execution.client_order_id,
            original => original,
        };
        let report = VenueReport {
            exec_type: execution.exec_type,
            status: execution.status,
            venue_order_id: execution.order_id,
            execution_id: execution.execution_id,
            price: execution.price,
            qty: execution.qty,
            last_price: execution.last_price,
            last_qty: execution.last_qty,
            filled_qty: execution.filled_qty,
        };
        let applied = match self.names.parse(name) {
            Some(key) => self.table.apply(key, &report),
            None => Applied::Unknown,
        };
        let (instrument, time_ns) = (execution.symbol.instrument, execution.event_time_ns);
        match applied {
            Applied::News { missed, report } => {
                if let Some(missed) = missed {
                    self.publish(instrument, time_ns, &missed);
                }
                self.publish(instrument, time_ns, &report);
            }
            Applied::Duplicate => self.stats.duplicates(),
            Applied::Unknown => self.letter(LetterReason::Order, "no order of this run", raw),
            Applied::Contradiction(detail) => {
                self.letter(LetterReason::Order, detail, raw);
                if let Some(key) = self.names.parse(name) {
                    self.doubt(key);
                }
            }
        }
    }

    /// Tells the balances of assets that are traded; each names the first instrument that trades it.
    pub(super) fn on_balances(
        &mut self,
        venue_time_ns: i64,
        entries: &[super::user_decode::BalanceEntry],
        raw: &[u8],
    ) {
        for entry in entries {
            let name = entry.asset.as_str();
            let traded = self.instruments.asset(name).zip(asset_code(name));
            let Some((asset, code)) = traded else { continue };
            if self.room() == 0 {
                // Latest wins: the next change of this asset tells its balance again.
                self.letter(LetterReason::Oversize, "balances without room", raw);
                return;
            }
            let balance = Balance {
                asset: code,
                free: entry.free.0,
                locked: entry.locked.0,
                asset_id: asset.id.0,
                reserved: [0; 12],
            };
            self.publish(asset.first, venue_time_ns, &balance);
        }
    }

    #[inline]
    pub(super) fn on_reply(&mut self, reply: &Reply<'_>, session: &mut Session) {
        let Some(asked) = self.requests.take(reply.id) else {
            log::warn!("[{}] an answer to request {}, which nobody asked", self.venue, reply.id);
            return;
        };
        match (asked, reply.error) {
            (Asked::Logon, None) => {
                self.stage = Stage::Subscribing;
                if let Some(id) = self.requests.add(Asked::Subscribe, self.now_ns) {
                    self.text.subscribe(id);
                    self.send(session);
                }
            }
            (Asked::Subscribe, None) => {
                self.stage = Stage::Asking;
            }
            (Asked::Logon, Some(error)) => self.refused("logon", error, session),
            (Asked::Subscribe, Some(error)) => self.refused("subscribe", error, session),
            // What became of it is told by the account's stream.
            (Asked::Submit(_) | Asked::Cancel(_), None) => {}
            (Asked::Submit(key), Some(error)) => self.on_submit_error(key, reply.status, error),
            (Asked::Cancel(key), Some(error)) => {
                let report = self.table.cancel_failed(key, RejectReason::Venue, error.code);
                self.tell(key, report);
                self.ask_at_ns = self.now_ns + ASK_AGAIN_NS;
                if error.code == CANCEL_OF_NOTHING {
                    // Its end is on its way to us, or was lost.
                    self.doubt(key);
                }
            }
            (Asked::Query(key), None) => {
                self.is_asking = false;
                let known =
                    reply.order.and_then(|order| Some((order, order.status?, order.filled_qty?)));
                let Some((order, status, filled)) = known else {
                    self.ask_at_ns = self.now_ns + ASK_AGAIN_NS;
                    return;
                };
                let told = self.table.confirm(key, order.order_id, status, filled);
                for report in told.into_iter().flatten() {
                    self.publish(order.symbol.instrument, 0, &report);
                }
            }
            (Asked::Query(key), Some(error)) => {
                self.is_asking = false;
                // An order in doubt that the venue doesn't know never arrived, once it can't arrive any
                // more. Any other failure leaves the doubt, and it is asked again.
                let was_sent_long_ago = self.table.get(key).is_none_or(|order| {
                    self.now_ns.saturating_sub(order.sent_ns) > IN_FLIGHT_MAX_NS
                });
                if error.code == NO_SUCH_ORDER && was_sent_long_ago {
                    self.end_unknown(key, error.code);
                } else {
                    self.ask_at_ns = self.now_ns + ASK_AGAIN_NS;
                }
            }
        }
    }

    #[cold]
    pub(super) fn refused(
        &mut self,
        operation: &'static str,
        error: ReplyError<'_>,
        session: &mut Session,
    ) {
        let ReplyError { code, message } = error;
        log::error!("[{}] {operation} failed: {message} (code: {code})", self.venue);
        let reason = "refused by the venue";
        session.fail(CloseReason::Refused { operation, reason, code });
    }

    /// The venue did not take an order, or does not know whether it did.
    #[cold]
    pub(super) fn on_submit_error(&mut self, key: OrderKey, status: u16, error: ReplyError<'_>) {
        if status >= 500 || UNKNOWN_OUTCOME.contains(&error.code) {
            self.doubt(key);
            return;
        }
        log::debug!("[{}] order refused: {} (code: {})", self.venue, error.message, error.code);
        let report = self.table.fail(key, RejectReason::Venue, error.code);
        self.tell(key, report);
    }

    #[cold]
    pub(super) fn end_unknown(&mut self, key: OrderKey, code: i32) {
        let report = self.table.fail(key, RejectReason::NotConnected, code);
        self.tell(key, report);
    }

    pub(super) fn doubt(&mut self, key: OrderKey) {
        if let Some(order) = self.table.open_order(key) {
            order.in_doubt = true;
            self.has_doubts = true;
        }
    }

    /// Publishes the engine's own word on an order.
    pub(super) fn tell(&mut self, key: OrderKey, report: Option<ExecReport>) {
        let Some(report) = report else { return };
        let instrument = self.instrument_of(key);
        self.read_ns = self.now_ns;
        self.publish(instrument, 0, &report);
    }

    pub(super) fn instrument_of(&self, key: OrderKey) -> InstrumentId {
        self.table.get(key).map_or(InstrumentId(0), |order| order.command.instrument_id())
    }

    #[inline]
    pub(super) fn publish<P: EventPayload>(
        &mut self,
        instrument: InstrumentId,
        time_ns: i64,
        payload: &P,
    ) {
        let mut event = Event::new(payload);
        event.venue = self.venue_id.0;
        event.instrument = instrument.0;
        event.trace_id = self.traces.next_id();
        event.venue_time_ns = time_ns;
        event.receive_ns = self.read_ns;
        event.stamp_decoded(self.clock.now_ns());
        self.send_event(&event);
    }

    #[inline]
    pub(super) fn send_event(&mut self, event: &Event) {
        if let Some(outlet) = &mut self.outlet {
            outlet.publish(event);
            self.stats.events();
        }
    }

    #[inline]
    pub(super) fn command(&mut self, command: &OrderCommand, session: &mut Session) {
        let sent = match command.action() {
            Some(OrderAction::Submit) => self.place(command, session),
            Some(OrderAction::Cancel) => self.on_cancel(command, session),
            Some(OrderAction::Query) => self.on_query(command),
            Some(OrderAction::Modify) => Err(RejectReason::Unsupported),
            None => Err(RejectReason::UnknownOrder),
        };
        if let Err(reason) = sent {
            self.send_event(&rejection(command, reason, self.now_ns));
        }
    }

    #[inline]
    pub(super) fn place(
        &mut self,
        command: &OrderCommand,
        session: &mut Session,
    ) -> Result<(), RejectReason> {
        if self.stage != Stage::Ready || self.is_leaving {
            return Err(RejectReason::NotConnected);
        }
        let instrument = command.instrument_id();
        let symbol = self.symbols.symbol(instrument).ok_or(RejectReason::UnknownInstrument)?;
        self.table.submit(command, self.now_ns)?;
        let key = OrderKey::of(command);
        let is_sent = self.place_at_venue(command, key, symbol.scales, session);
        if !is_sent {
            // Nothing left us: the order is no more, and its number stays used.
            let _told_by_the_rejection = self.table.fail(key, RejectReason::NotConnected, 0);
            return Err(RejectReason::NotConnected);
        }
        let _room_was_checked =
            self.unwritten.try_push((usize::from(command.consumer), command.tick_receive_ns));
        Ok(())
    }

    #[inline]
    pub(super) fn place_at_venue(
        &mut self,
        command: &OrderCommand,
        key: OrderKey,
        scales: crate::venue::Scales,
        session: &mut Session,
    ) -> bool {
        let timestamp_ms = self.timestamp_ms();
        let Self { requests, text, names, symbols, .. } = self;
        let Some(native) = symbols.native(command.instrument_id()) else { return false };
        let Some(id) = requests.add(Asked::Submit(key), self.now_ns) else { return false };
        let name = names.name(key);
        let is_written = text.place(id, command, native, scales, &name, timestamp_ms)
            && session.send(text.bytes()).is_ok();
        if !is_written {
            requests.take(id);
        }
        is_written
    }

    #[inline]
    pub(super) fn on_cancel(
        &mut self,
        command: &OrderCommand,
        session: &mut Session,
    ) -> Result<(), RejectReason> {
        let key = OrderKey::of(command);
        if self.table.open_order(key).is_none() {
            return Err(RejectReason::UnknownOrder);
        }
        if self.stage == Stage::Down || !self.cancel(key, session) {
            return Err(RejectReason::NotConnected);
        }
        let _room_was_checked =
            self.unwritten.try_push((usize::from(command.consumer), command.tick_receive_ns));
        Ok(())
    }

    pub(super) fn cancel(&mut self, key: OrderKey, session: &mut Session) -> bool {
        let is_sent = self.ask_about(key, Asked::Cancel(key), session);
        if is_sent && let Some(order) = self.table.open_order(key) {
            order.cancel_sent = true;
        }
        is_sent
    }

    /// A strategy's query is answered with what is known, and makes it a doubt: what the venue then says
    /// otherwise is told as well.
    pub(super) fn on_query(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        let key = OrderKey::of(command);
        let Some(order) = self.table.open_order(key) else {
            return Err(RejectReason::UnknownOrder);
        };
        let state = order.state(ExecType::New);
        order.in_doubt = true;
        self.has_doubts = true;
        self.tell(key, Some(state));
        Ok(())
    }

    /// Writes a request about an open order: its cancel or a query.
    pub(super) fn ask_about(&mut self, key: OrderKey, asked: Asked, session: &mut Session) -> bool {
        let instrument = self.instrument_of(key);
        let timestamp_ms = self.timestamp_ms();
        let Self { requests, text, names, symbols, .. } = self;
        let Some(native) = symbols.native(instrument) else { return false };
        let Some(id) = requests.add(asked, self.now_ns) else { return false };
        let name = names.name(key);
        match asked {
            Asked::Cancel(_) => text.cancel(id, native, &name, timestamp_ms),
            _ => text.query(id, native, &name, timestamp_ms),
        }
        let is_sent = session.send(text.bytes()).is_ok();
        if !is_sent {
            requests.take(id);
        }
        is_sent
    }

    /// Asks for what is in doubt, one order at a time, since a query weighs four times as much as an order
    /// at the venue. After a logon the session is ready once nothing is in doubt.
    pub(super) fn resolve_doubts(&mut self, session: &mut Session) -> usize {
        if self.is_asking || self.now_ns < self.ask_at_ns {
            return 0;
        }
        match self.table.find_open(|order| order.in_doubt) {
            Some(key) => {
                self.is_asking = self.ask_about(key, Asked::Query(key), session);
                session.flush();
            }
            None => {
                self.has_doubts = false;
                if self.stage == Stage::Asking {
                    self.stage = Stage::Ready;
                    log::info!("[{}] orders ready", self.venue);
                }
            }
        }
        1
    }

    /// Looks for answers that are overdue: a logon ends the connection, an order is in doubt.
    pub(super) fn look_for_overdue(&mut self, session: &mut Session) {
        if self.now_ns < self.next_look_ns {
            return;
        }
        self.next_look_ns = self.now_ns + LOOK_NS;
        if self.requests.count() == 0 {
            return;
        }
        let before_ns = self.now_ns.saturating_sub(self.answer_ns);
        while let Some(asked) = self.requests.take_overdue(before_ns) {
            match asked {
                Asked::Logon | Asked::Subscribe => {
                    let (operation, reason) = ("logon", "no answer in time");
                    session.fail(CloseReason::Refused { operation, reason, code: 0 });
                }
                Asked::Submit(key) | Asked::Cancel(key) | Asked::Query(key) => {
                    log::warn!("[{}] no answer in time to {asked:?}", self.venue);
                    self.is_asking &= !matches!(asked, Asked::Query(_));
                    if let Some(order) = self.table.open_order(key) {
                        order.cancel_sent = false;
                    }
                    self.doubt(key);
                }
            }
        }
    }

    /// Writes what was queued, and takes the time once the system has it.
    #[inline]
    pub(super) fn write(&mut self, session: &mut Session) {
        if !session.flush() {
            return; // the rest goes with a later step, and is timed then
        }
        let written_ns = self.clock.now_ns();
        for (consumer, cause_ns) in self.unwritten.drain(..) {
            self.probe.record(consumer, written_ns.saturating_sub(cause_ns));
        }
    }

    pub(super) fn send(&mut self, session: &mut Session) {
        // Refused only on a connection that is about to end, which clears every request.
        let _refused = session.send(self.text.bytes());
        session.flush();
    }

    pub(super) fn timestamp_ms(&self) -> i64 {
        self.clock.wall_at_ns(self.now_ns) / 1_000_000
    }
}
