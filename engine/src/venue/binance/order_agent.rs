//! The agent of an order connection: logon, commands out, exec reports back (LM-06).
//!
//! ```text
//! down -> logging on -> subscribing -> asking for what is in doubt -> ready -> (closed) -> down
//! ```
//!
//! Promises: an order command is written at most once and answered at least once, by the venue's reports
//! or by a rejection of ours; while the session is not ready every new order is refused at once instead of
//! being sent late; after a disconnect the state of every open order is asked for before a new order may
//! leave (F26). A frame that can't be understood, or speaks of an order that isn't ours, is kept as a dead
//! letter, and the connection stays.
//!
//! Tick-to-trade is taken here: from the read that brought the cause to the return of the write that took
//! the order's last byte.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrayvec::ArrayVec;
use crossbeam_utils::CachePadded;
use mio::Registry;
use pitlane_ring::Consumer;

use super::credentials::Credentials;
use super::error::DecodeError;
use super::order_request::{OrderNames, RequestText};
use super::requests_in_flight::{Asked, RequestsInFlight};
use super::user_decode::{Execution, Reply, ReplyError, UserDecoder, UserMessage};
use crate::consumer::Quarantine;
use crate::event::{
    Balance, ConsumerId, Event, EventPayload, ExecReport, ExecType, InstrumentId, RejectReason,
    VenueId,
};
use crate::instrument::Instruments;
use crate::order::{
    Applied, OrderAction, OrderCommand, OrderKey, OrderTable, VenueReport, rejection,
};
use crate::runtime::{Agent, Clock, Phase, StopSignal};
use crate::telemetry::{HistogramSet, Probe};
use crate::venue::session::{CloseReason, Progress, Session, SessionOptions};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, SymbolMap, TraceIds};

/// Frames and commands taken in one duty cycle, each.
const BATCH: usize = 32;
/// Room in the link that one frame needs: an exec report with a fill that was missed before it, or the
/// balances of a few assets.
const EVENTS_PER_FRAME_MAX: usize = 8;
/// Between two looks for overdue answers, ns.
const LOOK_NS: u64 = 50_000_000;
/// Pause of a parked core while the link is full, ns.
const HELD_BACK_NS: u64 = 1_000_000;
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
    /// Signs the logon.
    pub credentials: Credentials,
    /// An answer has to come in this time, ns.
    pub answer_ns: u64,
    /// Open orders over all consumers.
    pub open_max: usize,
    /// Cancel what is open when the engine stops.
    pub cancel_on_stop: bool,
    /// Number of this session among all of the engine: the upper part of its trace ids.
    pub session_number: u16,
    /// Number of this run: the first part of the names of its orders at the venue.
    pub run: u32,
    /// Largest frame, bytes.
    pub frame_bytes_max: usize,
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Down,
    LoggingOn,
    Subscribing,
    /// Asks for the state of the orders in doubt.
    Asking,
    Ready,
}

/// The agent.
pub struct OrderAgent<O: EventOutlet> {
    name: String,
    session: Session,
    decoder: UserDecoder,
    commands: Consumer<OrderCommand>,
    ready: Arc<AtomicBool>,
    stop: StopSignal,
    desk: Desk<O>,
}

/// Everything but what a decoded message or a command borrows.
struct Desk<O> {
    venue: String,
    venue_id: VenueId,
    /// `None` once the venue is closed.
    outlet: Option<O>,
    table: OrderTable,
    names: OrderNames,
    symbols: SymbolMap,
    instruments: Arc<Instruments>,
    credentials: Credentials,
    requests: RequestsInFlight,
    text: RequestText,
    stage: Stage,
    /// Some open order may be in doubt.
    has_doubts: bool,
    /// A query is on its way.
    is_asking: bool,
    /// The next query, and the next cancel at the stop, have to wait until then.
    ask_at_ns: u64,
    /// The socket was not read in this cycle, since the link is full.
    is_held_back: bool,
    answer_ns: u64,
    next_look_ns: u64,
    cancel_on_stop: bool,
    quarantine: Quarantine,
    /// When open orders of quarantined consumers are looked for again.
    next_cancel_ns: u64,
    traces: TraceIds,
    stats: Arc<CachePadded<IntakeStats>>,
    probe: Probe,
    /// Consumer and cause of commands that are written but not yet on the wire.
    unwritten: ArrayVec<(usize, u64), BATCH>,
    clock: Clock,
    now_ns: u64,
    /// When the frame in hand was read.
    read_ns: u64,
}

impl<O: EventOutlet> OrderAgent<O> {
    /// The tags of the probe that [`OrderWiring`] takes.
    #[must_use]
    pub fn probe_names(consumers: &[String]) -> Vec<String> {
        consumers.iter().map(|name| format!("tick_to_trade:{name}")).collect()
    }

    /// An agent that connects with its first duty cycles.
    #[must_use]
    pub fn new(options: OrderOptions, wiring: OrderWiring<O>) -> OrderAgent<O> {
        OrderAgent {
            name: format!("{}:orders", options.venue),
            session: Session::new(options.session, wiring.clock.clone()),
            decoder: UserDecoder::new(options.symbols.clone(), options.frame_bytes_max),
            commands: wiring.commands,
            ready: wiring.ready,
            stop: wiring.stop,
            desk: Desk {
                venue: options.venue,
                venue_id: options.venue_id,
                outlet: Some(wiring.outlet),
                table: OrderTable::new(options.open_max),
                names: OrderNames::new(options.run),
                symbols: options.symbols,
                instruments: options.instruments,
                credentials: options.credentials,
                requests: RequestsInFlight::new(),
                text: RequestText::new(),
                stage: Stage::Down,
                has_doubts: true,
                is_asking: false,
                ask_at_ns: 0,
                is_held_back: false,
                answer_ns: options.answer_ns,
                next_look_ns: 0,
                cancel_on_stop: options.cancel_on_stop,
                quarantine: wiring.quarantine,
                next_cancel_ns: 0,
                traces: TraceIds::new(options.session_number),
                stats: wiring.stats,
                probe: wiring.probe,
                unwritten: ArrayVec::new(),
                clock: wiring.clock,
                now_ns: 0,
                read_ns: 0,
            },
        }
    }

    /// Gives up the histograms that were not collected, and the number of commands never taken.
    #[must_use]
    pub fn finish(mut self) -> (Box<HistogramSet>, u64) {
        let mut untaken = 0;
        self.commands.poll(usize::MAX, |_command| untaken += 1);
        (self.desk.probe.into_set(), untaken)
    }

    fn step(&mut self) -> usize {
        let progress = self.session.step(self.desk.now_ns);
        if !matches!(progress, Progress::Idle) {
            self.desk.stats.set_state(self.session.state());
        }
        match progress {
            Progress::Idle => 0,
            Progress::Moved => 1,
            Progress::Opened => {
                log::info!("[{}] orders connected to {}", self.desk.venue, self.session.endpoint());
                self.desk.log_on(&mut self.session);
                1
            }
            Progress::Closed(reason) => {
                self.desk.on_closed(&reason, self.session.offending_bytes());
                1
            }
        }
    }

    /// Takes the frames of at most one read.
    #[inline]
    fn take_frames(&mut self) -> usize {
        let Self { session, decoder, desk, .. } = self;
        let mut work = 0;
        desk.is_held_back = false;
        while work < BATCH {
            if desk.room() < EVENTS_PER_FRAME_MAX {
                desk.is_held_back = true;
                desk.stats.backpressure();
                break;
            }
            let Some(frame) = session.next_frame() else { break };
            work += 1;
            desk.read_ns = frame.read_ns;
            desk.stats.frames();
            match decoder.decode(frame.bytes) {
                Err(error) => desk.refuse(error, frame.bytes),
                Ok(UserMessage::Execution(execution)) => {
                    desk.stats.decoded();
                    desk.on_execution(&execution, frame.bytes);
                }
                Ok(UserMessage::Balances { venue_time_ns, entries }) => {
                    desk.stats.decoded();
                    desk.on_balances(venue_time_ns, entries, frame.bytes);
                }
                Ok(UserMessage::Reply(reply)) => {
                    desk.stats.control();
                    desk.on_reply(&reply, session);
                }
                Ok(UserMessage::Shutdown) => {
                    desk.stats.control();
                    let reason = "the venue shuts this connection down";
                    session.fail(CloseReason::Refused { operation: "read", reason, code: 0 });
                }
                Ok(UserMessage::StreamTerminated) => {
                    desk.stats.control();
                    let reason = "the account's stream was ended";
                    session.fail(CloseReason::Refused { operation: "read", reason, code: 0 });
                }
                Ok(UserMessage::Other(_)) => desk.stats.control(),
            }
        }
        work + usize::from(session.has_heard())
    }

    /// Takes commands: writes them, or answers them at once while the session is not ready.
    #[inline]
    fn take_commands(&mut self) -> usize {
        let Self { session, commands, desk, .. } = self;
        let mut work = 0;
        while work < BATCH && !desk.unwritten.is_full() && desk.room() >= 1 {
            let mut taken = None;
            commands.poll(1, |command| taken = Some(*command));
            let Some(command) = taken else { break };
            work += 1;
            desk.command(&command, session);
        }
        if work > 0 {
            desk.write(session);
        }
        work
    }

    /// Cancels what quarantined consumers have open; again after a while, since an order may have been on
    /// its way here.
    #[cold]
    fn cancel_quarantined(&mut self) -> usize {
        let Self { session, desk, .. } = self;
        if desk.stage != Stage::Ready
            || desk.now_ns < desk.next_cancel_ns
            || desk.now_ns < desk.ask_at_ns
        {
            return 0;
        }
        desk.next_cancel_ns = desk.now_ns + LOOK_NS;
        let mut work = 0;
        while let Some(key) = desk.open_of_quarantined() {
            if !desk.cancel(key, session) {
                break;
            }
            work += 1;
        }
        if work > 0 {
            log::warn!("[{}] {work} orders of quarantined consumers cancelled", desk.venue);
            session.flush();
        }
        work
    }

    /// The last resort (FR-016): nothing is read any more, since what it says could be stored nowhere; the
    /// venue keeps it, to be asked for. Cancels still leave.
    #[cold]
    fn go_on_unread(&mut self, phase: Phase) -> usize {
        if self.ready.swap(false, Ordering::AcqRel) {
            log::error!("[{}] orders: not read any more, trading is halted", self.desk.venue);
        }
        let work = self.take_commands();
        if phase == Phase::Draining {
            // Nothing to wait for: the answers stay unread.
            self.cancel_all();
            if self.session.flush() || self.desk.stage != Stage::Ready {
                self.close();
            }
        }
        work
    }

    /// Asks the venue to cancel what is open, where the configuration says so.
    fn cancel_all(&mut self) {
        let Self { session, desk, .. } = self;
        if desk.cancel_on_stop && desk.stage == Stage::Ready && desk.now_ns >= desk.ask_at_ns {
            while let Some(key) = desk.table.find_open(|order| !order.cancel_sent) {
                if !desk.cancel(key, session) {
                    break;
                }
            }
            session.flush();
        }
    }

    /// Cancels what is open as configured, and closes when nothing is left to wait for.
    fn wind_down(&mut self) -> usize {
        self.cancel_all();
        let Self { desk, commands, .. } = self;
        let waits = if desk.cancel_on_stop { desk.table.open_count() } else { 0 };
        if waits + desk.requests.count() == 0 && !commands.has_available() {
            self.close();
        }
        0
    }

    fn close(&mut self) {
        self.session.end_for_good();
        self.desk.stats.set_state(self.session.state());
        self.ready.store(false, Ordering::Release);
        self.desk.outlet = None;
    }
}

impl<O: EventOutlet> Desk<O> {
    fn open_of_quarantined(&self) -> Option<OrderKey> {
        self.table.find_open(|order| {
            let consumer = ConsumerId(order.command.consumer);
            !order.cancel_sent && self.quarantine.cancels_orders_of(consumer)
        })
    }

    #[inline]
    fn room(&mut self) -> usize {
        self.outlet.as_mut().map_or(0, EventOutlet::room)
    }

    #[cold]
    fn log_on(&mut self, session: &mut Session) {
        self.stage = Stage::LoggingOn;
        let timestamp_ms = self.timestamp_ms();
        if let Some(id) = self.requests.add(Asked::Logon, self.now_ns) {
            self.text.logon(id, &self.credentials, timestamp_ms);
            self.send(session);
        }
        session.flush();
    }

    #[cold]
    fn on_closed(&mut self, reason: &CloseReason, offending: &[u8]) {
        log::warn!("[{}] orders {reason}; reconnecting", self.venue);
        self.stats.reconnects();
        self.stage = Stage::Down;
        (self.has_doubts, self.is_asking) = (true, false);
        self.requests.clear();
        self.unwritten.clear();
        self.table.doubt_all();
        if let (CloseReason::Protocol(error), Some(outlet)) = (reason, &mut self.outlet) {
            let kept = &offending[..offending.len().min(OFFENDING_BYTES_MAX)];
            outlet.dead_letter(LetterReason::of_wire(*error), "frame of the WebSocket", kept);
        }
    }

    #[cold]
    fn refuse(&mut self, error: DecodeError, raw: &[u8]) {
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
    fn letter(&mut self, reason: LetterReason, detail: &'static str, raw: &[u8]) {
        if let Some(outlet) = &mut self.outlet {
            outlet.dead_letter(reason, detail, raw);
        }
    }

    #[inline]
    fn on_execution(&mut self, execution: &Execution<'_>, raw: &[u8]) {
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

    /// A balance goes with the first instrument that trades its asset: routes are by instrument.
    fn on_balances(
        &mut self,
        venue_time_ns: i64,
        entries: &[super::user_decode::BalanceEntry],
        raw: &[u8],
    ) {
        for entry in entries {
            let asset = entry.asset.as_str();
            let trades = |symbol: &str| symbol.split('-').any(|part| part == asset);
            let found = self.instruments.iter().find(|(_, spec)| trades(&spec.symbol));
            let Some((instrument, _)) = found.filter(|_| asset.len() <= 8) else { continue };
            if self.room() == 0 {
                // Latest wins: the next change of this asset tells its balance again.
                self.letter(LetterReason::Oversize, "balances without room", raw);
                return;
            }
            let mut code = [0; 8];
            code[..asset.len()].copy_from_slice(asset.as_bytes());
            let balance = Balance {
                asset: u64::from_le_bytes(code),
                free: entry.free.0,
                locked: entry.locked.0,
            };
            self.publish(instrument, venue_time_ns, &balance);
        }
    }

    #[inline]
    fn on_reply(&mut self, reply: &Reply<'_>, session: &mut Session) {
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
                session.healthy();
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
    fn refused(&mut self, operation: &'static str, error: ReplyError<'_>, session: &mut Session) {
        let ReplyError { code, message } = error;
        log::error!("[{}] {operation} failed: {message} (code: {code})", self.venue);
        let reason = "refused by the venue";
        session.fail(CloseReason::Refused { operation, reason, code });
    }

    /// The venue did not take an order, or does not know whether it did.
    #[cold]
    fn on_submit_error(&mut self, key: OrderKey, status: u16, error: ReplyError<'_>) {
        if status >= 500 || UNKNOWN_OUTCOME.contains(&error.code) {
            self.doubt(key);
            return;
        }
        log::debug!("[{}] order refused: {} (code: {})", self.venue, error.message, error.code);
        let report = self.table.fail(key, RejectReason::Venue, error.code);
        self.tell(key, report);
    }

    #[cold]
    fn end_unknown(&mut self, key: OrderKey, code: i32) {
        let report = self.table.fail(key, RejectReason::NotConnected, code);
        self.tell(key, report);
    }

    fn doubt(&mut self, key: OrderKey) {
        if let Some(order) = self.table.open_order(key) {
            order.in_doubt = true;
            self.has_doubts = true;
        }
    }

    /// Publishes the engine's own word on an order.
    fn tell(&mut self, key: OrderKey, report: Option<ExecReport>) {
        let Some(report) = report else { return };
        let instrument = self.instrument_of(key);
        self.read_ns = self.now_ns;
        self.publish(instrument, 0, &report);
    }

    fn instrument_of(&self, key: OrderKey) -> InstrumentId {
        self.table.get(key).map_or(InstrumentId(0), |order| order.command.instrument_id())
    }

    #[inline]
    fn publish<P: EventPayload>(&mut self, instrument: InstrumentId, time_ns: i64, payload: &P) {
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
    fn send_event(&mut self, event: &Event) {
        if let Some(outlet) = &mut self.outlet {
            outlet.publish(event);
            self.stats.events();
        }
    }

    #[inline]
    fn command(&mut self, command: &OrderCommand, session: &mut Session) {
        let sent = match command.action() {
            Some(OrderAction::Submit) => self.place(command, session),
            Some(OrderAction::Cancel) => self.on_cancel(command, session),
            Some(OrderAction::Query) => self.on_query(command),
            None => Err(RejectReason::UnknownOrder),
        };
        if let Err(reason) = sent {
            self.send_event(&rejection(command, reason, self.now_ns));
        }
    }

    #[inline]
    fn place(&mut self, command: &OrderCommand, session: &mut Session) -> Result<(), RejectReason> {
        if self.stage != Stage::Ready {
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
    fn place_at_venue(
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
    fn on_cancel(
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

    fn cancel(&mut self, key: OrderKey, session: &mut Session) -> bool {
        let is_sent = self.ask_about(key, Asked::Cancel(key), session);
        if is_sent && let Some(order) = self.table.open_order(key) {
            order.cancel_sent = true;
        }
        is_sent
    }

    /// A strategy's query is answered with what is known, and makes it a doubt: what the venue then says
    /// otherwise is told as well.
    fn on_query(&mut self, command: &OrderCommand) -> Result<(), RejectReason> {
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
    fn ask_about(&mut self, key: OrderKey, asked: Asked, session: &mut Session) -> bool {
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
    fn resolve_doubts(&mut self, session: &mut Session) -> usize {
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
    fn look_for_overdue(&mut self, session: &mut Session) {
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
    fn write(&mut self, session: &mut Session) {
        if !session.flush() {
            return; // the rest goes with a later step, and is timed then
        }
        let written_ns = self.clock.now_ns();
        for (consumer, cause_ns) in self.unwritten.drain(..) {
            self.probe.record(consumer, written_ns.saturating_sub(cause_ns));
        }
    }

    fn send(&mut self, session: &mut Session) {
        // Refused only on a connection that is about to end, which clears every request.
        let _refused = session.send(self.text.bytes());
        session.flush();
    }

    fn timestamp_ms(&self) -> i64 {
        self.clock.wall_at_ns(self.now_ns) / 1_000_000
    }
}

impl<O: EventOutlet + Send + 'static> Agent for OrderAgent<O> {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_start(&mut self, registry: &Registry) {
        self.session.register(registry);
    }

    fn duty_cycle(&mut self) -> usize {
        self.desk.probe.swap_if_asked();
        if self.desk.outlet.is_none() {
            return 0;
        }
        let phase = self.stop.phase();
        if phase == Phase::Halted {
            self.close();
            return 0;
        }
        self.desk.now_ns = self.desk.clock.now_ns();
        if self.desk.quarantine.last_resort().is_halted() {
            return self.go_on_unread(phase);
        }
        let mut work = self.step();
        // Before the socket is read: an order that waits would pay for that system call.
        work += self.take_commands();
        if self.session.is_open() {
            work += self.take_frames();
            if !self.desk.unwritten.is_empty() {
                self.desk.write(&mut self.session);
            }
            let may_ask = matches!(self.desk.stage, Stage::Asking | Stage::Ready);
            if self.desk.has_doubts && may_ask {
                work += self.desk.resolve_doubts(&mut self.session);
            }
            self.desk.look_for_overdue(&mut self.session);
        }
        let is_ready = self.desk.stage == Stage::Ready;
        if is_ready != self.ready.load(Ordering::Relaxed) {
            self.ready.store(is_ready, Ordering::Release);
        }
        if self.desk.quarantine.cancels_any() {
            work += self.cancel_quarantined();
        }
        if phase == Phase::Draining {
            work += self.wind_down();
        }
        work
    }

    fn next_timer_ns(&self) -> u64 {
        if self.desk.outlet.is_none() || self.desk.quarantine.last_resort().is_halted() {
            return u64::MAX;
        }
        let look_ns =
            if self.desk.requests.count() > 0 { self.desk.next_look_ns } else { u64::MAX };
        let asks = self.desk.has_doubts && self.session.is_open() && !self.desk.is_asking;
        let ask_ns = if asks { self.desk.ask_at_ns } else { u64::MAX };
        // No wake-up tells that a full link has room again.
        let held_ns =
            if self.desk.is_held_back { self.desk.now_ns + HELD_BACK_NS } else { u64::MAX };
        let cancel_ns =
            if self.desk.quarantine.cancels_any() { self.desk.next_cancel_ns } else { u64::MAX };
        self.session.next_timer_ns().min(look_ns).min(ask_ns).min(held_ns).min(cancel_ns)
    }

    fn is_done(&self) -> bool {
        self.desk.outlet.is_none()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
