//! The agent of an order connection: logon, commands out, the venue's words back (LM-06).
//!
//! ```text
//! down -> logging on -> asking for what is open -> ready -> (closed) -> down
//! ```
//!
//! Promises: an order command is written at most once and answered at least once, by the venue's
//! reports or by a rejection of ours; while the session is not ready every new order is refused at
//! once instead of being sent late; after a disconnect each open order is asked for before a new
//! order may leave (F26), and one whose query fails holds up no other; once a stop or a kill has
//! begun no new order leaves. A cancel that was lost, or is held back by the venue's limits, leaves
//! later. The orders that may rest at the venue when the run is over are named.
//!
//! Tick-to-trade is taken here: from the read that brought the cause to the return of the write
//! that took the order's last byte.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrayvec::ArrayVec;
use crossbeam_utils::CachePadded;
use mio::Registry;
use pitlane_ring::Consumer;

use super::gate::Gate;
use super::leaving::LeftOrder;
use super::names::OrderNames;
use super::order::{CancelWish, KnownOrder, Told};
use super::reconcile::Reconciler;
use super::requests_in_flight::{Asked, RequestsInFlight};
use super::states::Word;
use super::table::OrderTable;
use crate::event::{ConsumerId, RejectReason, VenueId};
use crate::instrument::Instruments;
use crate::order::{OrderAction, OrderCommand, OrderKey, rejection};
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::safety::Quarantine;
use crate::telemetry::{HistogramSet, Probe};
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{OrderDecoder, OrderProtocol, OrderRequest};
use crate::venue::transport::{CloseReason, Progress, Session, SessionOptions};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, SymbolMap, TraceIds, VenueSwitch};

/// Frames and commands taken in one duty cycle, each.
const BATCH: usize = 32;
/// Between two looks for overdue answers and held back requests, ns.
const LOOK_NS: u64 = 50_000_000;
/// Queries that may be on their way at a time.
const QUERIES_MAX: usize = 4;
/// Bytes of an offending frame that are kept.
const OFFENDING_BYTES_MAX: usize = 4_096;
/// Room in the link that one frame needs: what one word tells, or the balances of a few assets.
const EVENTS_PER_FRAME_MAX: usize = 8;
/// Pause of a parked core while the link is full, ns.
const HELD_BACK_NS: u64 = 1_000_000;
/// No request is longer, bytes.
const REQUEST_BYTES: usize = 1_024;

/// What an [`OrderAgent`] is made of.
pub struct OrderOptions {
    /// The venue's name.
    pub venue: String,
    /// Its number.
    pub venue_id: VenueId,
    /// The connection.
    pub session: SessionOptions,
    /// The symbols it trades.
    pub symbols: SymbolMap,
    /// Their instruments.
    pub instruments: Arc<Instruments>,
    /// An answer has to come in this time, ns; later it is asked for.
    pub answer_ns: u64,
    /// Open orders over all consumers.
    pub open_max: usize,
    /// Cancel what is open when the engine stops.
    pub cancel_on_stop: bool,
    /// Number of this session among all of the engine: the upper part of its trace ids.
    pub session_number: u16,
    /// Number of this run, by chance: the first part of the names of its orders at the venue.
    pub run: u32,
}

/// The ends that tie an [`OrderAgent`] to the engine.
pub struct OrderWiring<O> {
    /// Where its events go.
    pub outlet: O,
    /// The orders it receives.
    pub commands: Consumer<OrderCommand>,
    /// Set once it is ready for orders.
    pub ready: Arc<AtomicBool>,
    /// Its counters.
    pub stats: Arc<CachePadded<IntakeStats>>,
    /// Its probe, with one histogram a consumer.
    pub probe: Probe,
    /// The clock.
    pub clock: Clock,
    /// The stop signal.
    pub stop: StopSignal,
    /// Whose open orders are to be cancelled.
    pub quarantine: Quarantine,
    /// Whether it is to be connected.
    pub switch: VenueSwitch,
    /// Where it leaves its totals.
    pub closing: Closing<OrderSessionTotals>,
}

/// What an [`OrderAgent`] leaves.
pub struct OrderSessionTotals {
    /// Histograms that were not collected.
    pub histograms: Box<HistogramSet>,
    /// Commands never taken.
    pub untaken: u64,
    /// Orders that may still rest at the venue.
    pub left: Vec<LeftOrder>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Down,
    /// So many steps of the logon were written.
    LoggingOn(usize),
    /// Asks for the orders that were open when the connection was lost.
    Asking,
    Ready,
}

/// Where the session stands towards its venue's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// It connects, and stays connected.
    On,
    /// It takes no new order, and ends what is open until then, ns.
    Leaving { by_ns: u64 },
    /// It has no connection.
    Off,
}

/// The agent.
pub struct OrderAgent<O: EventOutlet, P: OrderProtocol> {
    name: String,
    session: Session,
    protocol: P,
    commands: Consumer<OrderCommand>,
    ready: Arc<AtomicBool>,
    stop: StopSignal,
    switch: VenueSwitch,
    presence: Presence,
    symbols: SymbolMap,
    text: Vec<u8>,
    stage: Stage,
    /// The socket was not read in this cycle, since the link is full.
    is_held_back: bool,
    answer_ns: u64,
    next_look_ns: u64,
    cancel_on_stop: bool,
    quarantine: Quarantine,
    /// When orders that are to be cancelled are looked for again.
    next_cancel_ns: u64,
    probe: Probe,
    /// Consumer and cause of commands that are written but not yet on the wire.
    unwritten: ArrayVec<(usize, u64), BATCH>,
    orders: Reconciler<O>,
    left: Vec<LeftOrder>,
    closing: Closing<OrderSessionTotals>,
}

impl<O> OrderWiring<O> {
    /// The tags of the probe that it takes.
    #[must_use]
    pub fn probe_names(consumers: &[String]) -> Vec<String> {
        consumers.iter().map(|name| format!("tick_to_trade:{name}")).collect()
    }
}

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// An agent that connects with its first duty cycles, or once its venue is switched on.
    #[must_use]
    pub fn new(protocol: P, options: OrderOptions, wiring: OrderWiring<O>) -> OrderAgent<O, P> {
        let gate = Gate::new(options.session.governor.clone());
        let mut session = Session::new(options.session, wiring.clock.clone());
        let presence = if wiring.switch.is_on() {
            Presence::On
        } else {
            session.suspend();
            Presence::Off
        };
        wiring.stats.set_state(session.state());
        OrderAgent {
            name: format!("{}:orders", options.venue),
            session,
            commands: wiring.commands,
            ready: wiring.ready,
            stop: wiring.stop,
            switch: wiring.switch,
            presence,
            symbols: options.symbols,
            text: Vec::with_capacity(REQUEST_BYTES),
            stage: Stage::Down,
            is_held_back: false,
            answer_ns: options.answer_ns,
            next_look_ns: 0,
            cancel_on_stop: options.cancel_on_stop,
            quarantine: wiring.quarantine,
            next_cancel_ns: u64::MAX,
            probe: wiring.probe,
            unwritten: ArrayVec::new(),
            orders: Reconciler {
                venue: options.venue,
                venue_id: options.venue_id,
                outlet: Some(wiring.outlet),
                backlog: VecDeque::with_capacity(options.open_max),
                table: OrderTable::new(options.open_max),
                names: OrderNames::new(options.run),
                instruments: options.instruments,
                requests: RequestsInFlight::new(),
                gate,
                stats: wiring.stats,
                traces: TraceIds::new(options.session_number),
                clock: wiring.clock,
                in_flight_max_ns: protocol.in_flight_max_ns(),
                now_ns: 0,
                read_ns: 0,
                logon_replies: 0,
                failure: None,
                cancelled_outside: 0,
                silent_finds: 0,
                look_at_all_ns: 0,
                lines: Reconciler::<O>::lines(),
                refused_last: 0,
                is_slowed: false,
            },
            protocol,
            left: Vec::new(),
            closing: wiring.closing,
        }
    }

    /// Names the orders that may still rest at the venue.
    fn finish(mut self) -> OrderSessionTotals {
        let mut untaken = 0;
        self.commands.poll(usize::MAX, |_command| untaken += 1);
        if self.left.is_empty() {
            self.left = self.resting();
        }
        OrderSessionTotals { histograms: self.probe.into_set(), untaken, left: self.left }
    }

    fn now_ns(&self) -> u64 {
        self.orders.now_ns
    }

    fn step(&mut self) -> usize {
        let progress = self.session.step(self.orders.now_ns);
        if !matches!(progress, Progress::Idle) {
            self.orders.stats.set_state(self.session.state());
        }
        match progress {
            Progress::Idle => 0,
            Progress::Moved => 1,
            Progress::Opened => {
                let (venue, endpoint) = (&self.orders.venue, self.session.endpoint());
                log::info!("[{venue}] orders connected to {endpoint}");
                self.log_on(0);
                1
            }
            Progress::Closed(reason) => {
                self.on_closed(&reason);
                1
            }
        }
    }

    /// Writes a step of the logon; after the last one the session is logged on.
    #[cold]
    fn log_on(&mut self, step: usize) {
        self.orders.logon_replies = step;
        let Some(operation) = P::LOGON.get(step) else {
            self.stage = Stage::Asking;
            self.next_cancel_ns = self.orders.now_ns;
            return;
        };
        let asked = Asked::Logon(operation);
        let Some(id) = self.orders.requests.add(asked, self.orders.now_ns) else { return };
        self.stage = Stage::LoggingOn(step + 1);
        let time_ms = self.time_ms();
        self.protocol.logon(step, id, time_ms, &mut self.text);
        // Refused only on a connection that is about to end, which clears every request.
        let _refused = self.session.send(&self.text);
        self.session.flush();
    }

    #[cold]
    fn on_closed(&mut self, reason: &CloseReason) {
        log::warn!("[{}] orders {reason}; reconnecting", self.orders.venue);
        self.orders.stats.reconnects();
        self.disconnected();
        if let CloseReason::Protocol(error) = reason {
            let offending = self.session.offending_bytes();
            let kept = &offending[..offending.len().min(OFFENDING_BYTES_MAX)];
            self.orders.letter(LetterReason::of_wire(*error), "frame of the WebSocket", kept);
        }
    }

    fn disconnected(&mut self) {
        self.stage = Stage::Down;
        self.unwritten.clear();
        self.orders.failure = None;
        self.orders.disconnected();
    }

    /// Takes the frames of at most one read.
    #[inline]
    fn take_frames(&mut self) -> usize {
        let Self { session, protocol, orders, .. } = self;
        let mut work = 0;
        self.is_held_back = false;
        while work < BATCH {
            if !orders.flush_backlog() || orders.room() < EVENTS_PER_FRAME_MAX {
                self.is_held_back = true;
                orders.stats.backpressure();
                break;
            }
            let Some(frame) = session.next_frame() else { break };
            work += 1;
            orders.read_ns = frame.read_ns;
            orders.stats.frames();
            match protocol.decoder().decode(frame.bytes) {
                Err(unread) => orders.on_unread(unread, frame.bytes),
                Ok(message) => orders.on_message(message, P::outcome, frame.bytes),
            }
            if let Some(words) = protocol.decoder().limits().filter(|words| !words.is_empty()) {
                orders.learn(words);
            }
            if orders.failure.is_some() {
                break;
            }
        }
        if let Some((operation, reason, code)) = orders.failure.take() {
            session.fail(CloseReason::Refused { operation, reason, code });
        }
        work + usize::from(session.has_heard())
    }

    /// Goes on with the logon, and is ready once what was open has been asked for.
    #[inline]
    fn advance(&mut self) -> usize {
        match self.stage {
            Stage::LoggingOn(step) if self.orders.logon_replies >= step => self.log_on(step),
            Stage::Asking if !self.orders.table.open().any(|(_, order)| order.holds_session) => {
                self.stage = Stage::Ready;
                log::info!("[{}] orders ready", self.orders.venue);
            }
            _ => return 0,
        }
        1
    }

    /// Takes commands: writes them, or answers them at once while the session is not ready.
    #[inline]
    fn take_commands(&mut self) -> usize {
        let mut work = 0;
        while work < BATCH && !self.unwritten.is_full() && self.orders.room() >= 1 {
            let mut taken = None;
            self.commands.poll(1, |command| taken = Some(*command));
            let Some(command) = taken else { break };
            work += 1;
            self.command(&command);
        }
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
            Some(OrderAction::Query) => self.on_query(command),
            None => Err(RejectReason::UnknownOrder),
        };
        if let Err(reason) = sent {
            self.orders.send_event(&rejection(command, reason, self.orders.now_ns));
        }
    }

    /// Whether anything that adds risk may leave for this consumer now.
    #[inline]
    fn may_add_risk(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        let is_over = self.stop.phase() >= Phase::Draining || self.stop.is_killed();
        if is_over || self.quarantine.has(ConsumerId(command.consumer)) {
            return Err(RejectReason::TradingHalted);
        }
        if self.stage != Stage::Ready || self.presence != Presence::On || !self.switch.is_on() {
            return Err(RejectReason::NotConnected);
        }
        Ok(())
    }

    #[inline]
    fn place(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        self.may_add_risk(command)?;
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
    fn timed(&mut self, command: &OrderCommand) {
        let _room_was_checked =
            self.unwritten.try_push((usize::from(command.consumer), command.tick_receive_ns));
    }

    /// A cancel leaves at once, or as soon as the order's pause, the venue's limits and the
    /// connection allow; it is never lost.
    #[inline]
    fn on_cancel(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        let key = OrderKey::of(command);
        let Some(order) = self.orders.table.open_order(key) else {
            return Err(RejectReason::UnknownOrder);
        };
        if order.cancel != CancelWish::None {
            return Ok(());
        }
        self.orders.table.change(key, |order| order.cancel = CancelWish::Wanted);
        if self.may_cancel(key) && self.cancel(key) {
            self.timed(command);
        } else {
            self.next_cancel_ns = self.next_cancel_ns.min(self.orders.now_ns + LOOK_NS);
        }
        Ok(())
    }

    fn may_cancel(&mut self, key: OrderKey) -> bool {
        let now_ns = self.now_ns();
        let is_due = |order: &KnownOrder| now_ns >= order.cancel_ns && !order.is_asked;
        if !self.orders.table.open_order(key).is_some_and(is_due) {
            return false;
        }
        let is_logged_on = matches!(self.stage, Stage::Asking | Stage::Ready);
        let weight = self.protocol.weight(RequestClass::Cancel);
        is_logged_on && self.orders.gate.may_send(RequestClass::Cancel, weight, now_ns)
    }

    fn cancel(&mut self, key: OrderKey) -> bool {
        let sent = self.send_for(key, Asked::Cancel(key), |protocol, request, text| {
            protocol.cancel(request, text);
            Ok(())
        });
        if sent.is_ok() {
            self.orders.word(key, Word::CancelSent);
        }
        sent.is_ok()
    }

    fn on_modify(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        self.may_add_risk(command)?;
        let key = OrderKey::of(command);
        let order = self.orders.table.open_order(key).ok_or(RejectReason::UnknownOrder)?;
        if order.amend.is_some() || order.cancel != CancelWish::None {
            return Err(RejectReason::DuplicateId);
        }
        let has = (order.price, order.qty);
        let weight = self.protocol.weight(RequestClass::Amend);
        if !self.orders.gate.may_send(RequestClass::Amend, weight, self.orders.now_ns) {
            return Err(RejectReason::SlowDown);
        }
        self.send_for(key, Asked::Amend(key), |protocol, request, text| {
            protocol.amend(command, has, request, text)
        })?;
        let wanted = (command.price, command.qty);
        self.orders.table.change(key, |order| order.amend = Some(wanted));
        self.timed(command);
        Ok(())
    }

    /// A strategy's query is answered by what the venue says next, at the latest by the answer to
    /// ours.
    fn on_query(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
        let now_ns = self.orders.now_ns;
        let asked = self.orders.table.change(OrderKey::of(command), |order| {
            if order.is_open() {
                (order.wants_state, order.look_ns) = (true, now_ns);
            }
            order.is_open()
        });
        if asked == Some(true) { Ok(()) } else { Err(RejectReason::UnknownOrder) }
    }

    /// Writes a request about an order.
    #[inline]
    fn send_for(
        &mut self,
        key: OrderKey,
        asked: Asked,
        write: impl FnOnce(&mut P, &OrderRequest<'_>, &mut Vec<u8>) -> Result<(), RejectReason>,
    ) -> Result<(), RejectReason> {
        let time_ms = self.time_ms();
        let Self { orders, symbols, protocol, text, session, .. } = self;
        let order = orders.table.get(key).ok_or(RejectReason::UnknownOrder)?;
        let instrument = order.command.instrument_id();
        let unknown = RejectReason::UnknownInstrument;
        let symbol = symbols.symbol(instrument).ok_or(unknown)?;
        let native = symbols.native(instrument).ok_or(unknown)?;
        let name = orders.names.name(key);
        let id = orders.requests.add(asked, orders.now_ns).ok_or(RejectReason::SlowDown)?;
        let request = OrderRequest { id, native, scales: symbol.scales, name: &name, time_ms };
        let mut sent = write(protocol, &request, text);
        if sent.is_ok() && session.send(text).is_err() {
            sent = Err(RejectReason::NotConnected);
        }
        if sent.is_err() {
            orders.requests.take(id);
        }
        sent
    }

    /// Asks for the orders whose time has come, a few at a time, within the budget of queries.
    #[inline]
    fn ask(&mut self) -> usize {
        let mut work = 0;
        while self.orders.requests.queries() < QUERIES_MAX {
            let Some(key) = self.orders.table.due(self.orders.now_ns) else { break };
            let weight = self.protocol.weight(RequestClass::Query);
            if !self.orders.gate.may_send(RequestClass::Query, weight, self.orders.now_ns) {
                break;
            }
            let reports = self.orders.table.get(key).map_or(0, |order| order.reports);
            let sent = self.send_for(key, Asked::Query(key, reports), |protocol, request, text| {
                protocol.query(request, text);
                Ok(())
            });
            work += 1;
            if sent.is_err() {
                self.orders.change(key, KnownOrder::on_query_failed);
                break;
            }
            self.orders.table.change(key, |order| order.is_asked = true);
        }
        if work > 0 {
            self.session.flush();
        }
        work
    }

    /// Looks for answers that are overdue: a logon ends the connection, an order is in doubt.
    fn look_for_overdue(&mut self) {
        let now_ns = self.orders.now_ns;
        if now_ns < self.next_look_ns {
            return;
        }
        self.next_look_ns = now_ns + LOOK_NS;
        let before_ns = now_ns.saturating_sub(self.answer_ns);
        while let Some(asked) = self.orders.requests.next_overdue(before_ns) {
            self.orders.on_overdue(asked);
        }
        let max_ns = self.answer_ns.max(self.orders.in_flight_max_ns);
        self.orders.requests.forget(now_ns.saturating_sub(max_ns));
        if let Some((operation, reason, code)) = self.orders.failure.take() {
            self.session.fail(CloseReason::Refused { operation, reason, code });
        }
    }

    /// Orders are to be cancelled: looks for them now, unless it is looking already.
    fn look_for_cancels(&mut self) {
        if self.next_cancel_ns == u64::MAX {
            self.next_cancel_ns = self.orders.now_ns;
        }
    }

    /// Marks what quarantined consumers have open, or everybody after a kill or at the stop, and
    /// writes the cancels whose time has come; again after a while, since an order may have been on
    /// its way here.
    #[cold]
    fn cancel_wanted(&mut self, is_all: bool) -> usize {
        let now_ns = self.orders.now_ns;
        if now_ns < self.next_cancel_ns {
            return 0;
        }
        let quarantine = &self.quarantine;
        self.orders.table.change_open(|order| {
            let consumer = ConsumerId(order.command.consumer);
            if order.cancel == CancelWish::None
                && (is_all || quarantine.cancels_orders_of(consumer))
            {
                (order.cancel, order.is_cancelled_outside) = (CancelWish::Wanted, true);
            }
        });
        let wanted = |order: &KnownOrder| order.cancel == CancelWish::Wanted;
        let keys: Vec<OrderKey> = self
            .orders
            .table
            .open()
            .filter(|(_, order)| wanted(order))
            .map(|(key, _)| key)
            .collect();
        let mut work = 0;
        for key in &keys {
            work += usize::from(self.may_cancel(*key) && self.cancel(*key));
        }
        let is_more = work < keys.len() || is_all || self.quarantine.cancels_any();
        self.next_cancel_ns = if is_more { now_ns + LOOK_NS } else { u64::MAX };
        if work > 0 {
            self.session.flush();
        }
        work
    }

    /// Says how many orders were cancelled from outside, once the venue has said so of each.
    fn say_cancelled(&mut self) {
        let count = self.orders.cancelled_outside;
        let is_open =
            |(_, order): (OrderKey, &KnownOrder)| order.is_cancelled_outside && order.is_open();
        if count == 0 || self.orders.table.open().any(is_open) {
            return;
        }
        self.orders.cancelled_outside = 0;
        let is_all = self.stop.is_killed() || self.stop.phase() >= Phase::Draining;
        let whose = if is_all { "all consumers" } else { "quarantined consumers" };
        log::warn!("[{}] {count} orders of {whose} cancelled", self.orders.venue);
    }

    /// Writes what was queued, and takes the time once the system has it.
    #[inline]
    fn write(&mut self) {
        if !self.session.flush() {
            return; // the rest goes with a later step, and is timed then
        }
        let written_ns = self.orders.clock.now_ns();
        for (consumer, cause_ns) in self.unwritten.drain(..) {
            self.probe.record(consumer, written_ns.saturating_sub(cause_ns));
        }
    }

    fn time_ms(&self) -> i64 {
        self.orders.clock.wall_at_ns(self.orders.now_ns) / 1_000_000
    }

    /// The last resort (FR-016): nothing is read any more, since what it says could be stored
    /// nowhere; the venue keeps it, to be asked for. Cancels still leave.
    #[cold]
    fn go_on_unread(&mut self, phase: Phase) -> usize {
        if self.ready.swap(false, Ordering::AcqRel) {
            log::error!("[{}] orders: not read any more, trading is halted", self.orders.venue);
        }
        let work = self.take_commands();
        if phase == Phase::Draining || self.stop.is_killed() {
            self.look_for_cancels();
            self.cancel_wanted(self.cancels_all());
        }
        // Nothing to wait for: the answers stay unread.
        if phase == Phase::Draining && (self.session.flush() || self.stage != Stage::Ready) {
            self.close();
        }
        work
    }

    /// Whether the end of the run cancels what is open.
    fn cancels_all(&self) -> bool {
        self.cancel_on_stop || self.stop.is_killed()
    }

    /// Cancels what is open as configured; true when nothing is left to wait for.
    fn is_wound_down(&mut self) -> bool {
        if self.cancels_all() {
            self.look_for_cancels();
            self.cancel_wanted(true);
        }
        let open = if self.cancels_all() { self.orders.table.open_count() } else { 0 };
        open + self.orders.requests.waiting() == 0 && !self.commands.has_available()
    }

    fn wind_down(&mut self) {
        if self.is_wound_down() || self.presence == Presence::Off {
            self.close();
        }
    }

    /// Follows the venue's switch: leaves the venue when what is open has ended, or can't be waited
    /// for.
    #[cold]
    fn follow_switch(&mut self) -> usize {
        let venue = &self.orders.venue;
        match (self.presence, self.switch.is_on()) {
            (Presence::On, true) | (Presence::Off, false) => return 0,
            (Presence::On, false) => {
                log::info!("[{venue}] orders switched off: no new ones are taken");
                let by_ns = self.orders.now_ns + self.answer_ns;
                self.presence = Presence::Leaving { by_ns };
                self.next_cancel_ns = 0;
            }
            (Presence::Leaving { .. } | Presence::Off, true) => {
                log::info!("[{venue}] orders switched on");
                self.presence = Presence::On;
                self.session.resume();
                self.orders.stats.set_state(self.session.state());
            }
            (Presence::Leaving { by_ns }, false) => {
                let is_over = !self.session.is_open() || self.orders.now_ns >= by_ns;
                if is_over || self.is_wound_down() {
                    self.leave();
                }
            }
        }
        1
    }

    fn leave(&mut self) {
        // Asked for when the venue is switched on again.
        self.say_left(&self.resting());
        self.session.suspend();
        self.disconnected();
        self.orders.stats.set_state(self.session.state());
        self.presence = Presence::Off;
    }

    /// The orders that may rest at the venue.
    fn resting(&self) -> Vec<LeftOrder> {
        let orders = self.orders.table.open();
        let named = orders.filter_map(|(key, order)| {
            let instrument = order.command.instrument_id();
            let symbol = self.symbols.symbol(instrument)?;
            let native = self.symbols.native(instrument)?;
            let name = self.orders.names.name(key);
            Some(LeftOrder::new(&self.orders.venue, &name, native, symbol.scales, order))
        });
        named.collect()
    }

    fn say_left(&self, left: &[LeftOrder]) {
        if !left.is_empty() {
            log::warn!("[{}] {} orders are left open at the venue", self.orders.venue, left.len());
        }
        for order in left {
            log::error!("{order}");
        }
    }

    fn close(&mut self) {
        self.say_cancelled();
        self.left = self.resting();
        self.session.end_for_good();
        self.orders.stats.set_state(self.session.state());
        self.ready.store(false, Ordering::Release);
        self.orders.outlet = None;
    }
}

impl<O: EventOutlet + Send + 'static, P: OrderProtocol> Agent for OrderAgent<O, P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_start(&mut self, registry: &Registry) {
        self.session.register(registry);
    }

    fn duty_cycle(&mut self) -> usize {
        self.probe.swap_if_asked();
        if self.orders.outlet.is_none() {
            return 0;
        }
        let phase = self.stop.phase();
        if phase == Phase::Halted {
            self.close();
            return 0;
        }
        self.orders.now_ns = self.orders.clock.now_ns();
        if self.quarantine.last_resort().is_halted() {
            return self.go_on_unread(phase);
        }
        let mut work = self.step();
        // Before the socket is read: an order that waits would pay for that system call.
        work += self.take_commands();
        if self.session.is_open() {
            work += self.take_frames();
            if !self.unwritten.is_empty() {
                self.write();
            }
            work += self.advance();
            if matches!(self.stage, Stage::Asking | Stage::Ready) {
                work += self.ask();
            }
            self.look_for_overdue();
        } else {
            self.orders.flush_backlog();
        }
        if self.presence != Presence::On || !self.switch.is_on() {
            work += self.follow_switch();
        }
        let is_ready = self.stage == Stage::Ready && self.presence == Presence::On;
        if is_ready != self.ready.load(Ordering::Relaxed) {
            self.ready.store(is_ready, Ordering::Release);
        }
        let is_killed = self.stop.is_killed();
        if self.quarantine.cancels_any() || is_killed {
            self.look_for_cancels();
        }
        if self.orders.now_ns >= self.next_cancel_ns {
            work += self.cancel_wanted(is_killed);
        }
        if self.orders.cancelled_outside > 0 {
            self.say_cancelled();
        }
        if phase == Phase::Draining {
            self.wind_down();
        }
        work
    }

    fn next_timer_ns(&self) -> u64 {
        if self.orders.outlet.is_none() || self.quarantine.last_resort().is_halted() {
            return u64::MAX;
        }
        let is_waiting = self.orders.requests.waiting() > 0;
        let look_ns = if is_waiting { self.next_look_ns } else { u64::MAX };
        let asks = matches!(self.stage, Stage::Asking | Stage::Ready)
            && self.orders.requests.queries() < QUERIES_MAX;
        // A query that the budget holds back is tried again soon, not at once.
        let ask_ns =
            if asks { self.orders.table.due_ns().max(self.now_ns() + LOOK_NS) } else { u64::MAX };
        // No wake-up tells that a full link has room again.
        let held_ns = if self.is_held_back { self.now_ns() + HELD_BACK_NS } else { u64::MAX };
        let cancel_ns = if self.session.is_open() { self.next_cancel_ns } else { u64::MAX };
        let leave_ns = match self.presence {
            Presence::Leaving { .. } => self.now_ns() + LOOK_NS,
            Presence::On | Presence::Off => u64::MAX,
        };
        let own_ns = look_ns.min(ask_ns).min(held_ns).min(cancel_ns).min(leave_ns);
        self.session.next_timer_ns().min(own_ns)
    }

    fn is_done(&self) -> bool {
        self.orders.outlet.is_none()
    }

    fn on_close(self: Box<Self>) {
        let closing = self.closing.clone();
        closing.leave(self.finish());
    }
}
