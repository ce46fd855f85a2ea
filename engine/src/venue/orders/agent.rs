//! The agent of an order connection: logon, commands out, the venue's words back (LM-06).
//!
//! ```text
//! down -> logging on -> asking for what is open -> ready -> (closed) -> down
//! ```
//!
//! Promises: an order command is written at most once and answered at least once, by the venue's
//! reports or by a rejection of ours; while the session is not ready every new order is refused at
//! once instead of being sent late; after a disconnect each open order is asked for before a new
//! order may leave (F26), and one whose query fails holds up no other; of each order of an earlier
//! start the venue has told where it is before the first new one leaves; once a stop or a kill has
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

use super::account_stream::AccountStream;
use super::dead_man::DeadMan;
use super::gate::Gate;
use super::inspection::{AccountBoard, Inspection};
use super::leaving::LeftOrder;
use super::listing::KnownRequests;
use super::names::OrderNames;
use super::next_session::OrderRollover;
use super::next_stream::NextStream;
use super::outgoing::Outgoing;
use super::plausible::FeeBounds;
use super::reading::{stream_session, take_frames};
use super::reconcile::Reconciler;
use super::replacing::Replacements;
use super::requests_in_flight::{Asked, RequestsInFlight};
use super::rest_line::{RestLine, RestLines};
use super::stage::{POLL_NS, Presence, QUERIES_MAX, Stage};
use super::start_recovery::StartRecovery;
use super::table::OrderTable;
use super::thinning::Thinning;
use super::upkeep::Upkeep;
use crate::event::VenueId;
use crate::instrument::Instruments;
use crate::order::OrderCommand;
use crate::order::recovery::VenueRecovery;
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::safety::Quarantine;
use crate::telemetry::{HistogramSet, Probe};
use crate::venue::governor::{PauseScope, RequestClass};
use crate::venue::protocol::OrderProtocol;
use crate::venue::transport::{
    CloseReason, Endpoint, Progress, RestOptions, Session, SessionOptions,
};
use crate::venue::{
    EventOutlet, IntakeStats, LetterReason, SymbolMap, TraceIds, VenueClock, VenueSwitch,
};

/// Bytes of an offending frame that are kept.
const OFFENDING_BYTES_MAX: usize = 4_096;
/// Pause of a parked core while the link is full, ns.
const HELD_BACK_NS: u64 = 1_000_000;
/// No request is longer, bytes.
const REQUEST_BYTES: usize = 4_096;

/// What an [`OrderAgent`] is made of.
pub struct OrderOptions {
    /// The venue's name.
    pub venue: String,
    /// Its number.
    pub venue_id: VenueId,
    /// The connection.
    pub session: SessionOptions,
    /// Where it is asked what the venue answers over REST alone.
    pub rest: Option<RestOptions>,
    /// Where market data is, at any path: the account's stream may be there, too.
    pub market: Option<Endpoint>,
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
    /// Have the venue cancel all that is open so many ms after the last message of this session.
    pub dead_man_ms: Option<u32>,
    /// Number of this session among all of the engine: the upper part of its trace ids.
    pub session_number: u16,
    /// The venue's time, with which requests are stamped.
    pub venue_clock: VenueClock,
    /// Number of this run, by chance: the first part of the names of its orders at the venue.
    pub run: u32,
    /// What earlier starts may have open there.
    pub recovery: VenueRecovery,
    /// Where it leaves what the account and its key may do; `None`: that is not asked.
    pub inspection: Option<AccountBoard>,
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

/// The agent.
pub struct OrderAgent<O: EventOutlet, P: OrderProtocol> {
    pub(super) name: String,
    pub(super) session: Session,
    /// The connection that follows the present one.
    pub(super) rollover: OrderRollover,
    /// The connection of the account's stream, where it is another one.
    pub(super) stream: Option<Session>,
    /// The one that follows it.
    pub(super) next_stream: Option<NextStream>,
    /// Where the venue is asked, and takes orders, over REST.
    pub(super) rest: RestLines,
    pub(super) protocol: P,
    pub(super) commands: Consumer<OrderCommand>,
    pub(super) ready: Arc<AtomicBool>,
    pub(super) stop: StopSignal,
    pub(super) switch: VenueSwitch,
    pub(super) presence: Presence,
    pub(super) symbols: SymbolMap,
    pub(super) text: Vec<u8>,
    pub(super) stage: Stage,
    /// The socket was not read in this cycle, since the link is full.
    pub(super) is_held_back: bool,
    pub(super) answer_ns: u64,
    pub(super) next_poll_ns: u64,
    pub(super) cancel_on_stop: bool,
    pub(super) quarantine: Quarantine,
    pub(super) probe: Probe,
    /// What is written but not yet on the wire.
    pub(super) outgoing: Outgoing,
    pub(super) orders: Reconciler<O>,
    /// New orders that wait for the end of those that they replace.
    pub(super) replacements: Replacements,
    pub(super) left: Vec<LeftOrder>,
    /// Until the venue has told of each order of an earlier start.
    pub(super) recovery: Option<StartRecovery>,
    pub(super) closing: Closing<OrderSessionTotals>,
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
    pub fn new(protocol: P, mut options: OrderOptions, wiring: OrderWiring<O>) -> OrderAgent<O, P> {
        let board = options.inspection.take();
        let mut agent = OrderAgent::plain(protocol, options, wiring);
        agent.orders.account.inspection = board.map(Inspection::new::<P>);
        agent
    }

    /// The same, which does not ask what the account may do.
    fn plain(protocol: P, options: OrderOptions, wiring: OrderWiring<O>) -> OrderAgent<O, P> {
        let gate = Gate::new(options.session.governor.clone(), P::TOO_MANY_OF_A_KIND);
        let (session, presence) = session_at_start::<O, P>(&options.session, &wiring);
        let mut table = OrderTable::new(options.open_max);
        let names = OrderNames::new(options.run, options.recovery.runs.clone(), P::NAMES);
        let recovery = options.recovery.begin(&options.venue, &wiring.clock, &mut table);
        OrderAgent {
            name: format!("{}:orders", options.venue),
            session,
            rollover: OrderRollover::new::<P>(&options.session, wiring.clock.clone()),
            next_stream: NextStream::new::<P>(&options.session, &options.market, &wiring.clock),
            stream: stream_session::<P>(&options.session, options.market, &wiring.clock),
            rest: RestLines::new::<P>(options.rest, gate.governor()),
            commands: wiring.commands,
            ready: wiring.ready,
            stop: wiring.stop,
            switch: wiring.switch,
            presence,
            text: Vec::with_capacity(REQUEST_BYTES),
            stage: Stage::Down,
            is_held_back: false,
            answer_ns: options.answer_ns,
            next_poll_ns: 0,
            cancel_on_stop: options.cancel_on_stop,
            quarantine: wiring.quarantine,
            probe: wiring.probe,
            outgoing: Outgoing::default(),
            orders: Reconciler {
                venue: options.venue,
                venue_id: options.venue_id,
                outlet: Some(wiring.outlet),
                backlog: VecDeque::with_capacity(options.open_max),
                table,
                names,
                fee_bounds: FeeBounds::of(&options.instruments),
                requests: RequestsInFlight::new(),
                gate,
                thinning: Thinning::default(),
                stats: wiring.stats,
                traces: TraceIds::new(options.session_number),
                clock: wiring.clock,
                venue_clock: options.venue_clock,
                in_flight_max_ns: P::IN_FLIGHT_MAX_NS,
                now_ns: 0,
                read_ns: 0,
                logon_replies: 0,
                logons_refused: 0,
                failure: None,
                cancelled_outside: 0,
                account_stream: AccountStream::default(),
                account: recovery.account::<P>(&options.symbols, &options.instruments),
                instruments: options.instruments,
                query_all_ns: 0,
                wants_query_of_all: false,
                known: KnownRequests::of(P::ASKS_OVER_REST),
                dead_man: DeadMan::new(options.dead_man_ms, dead_man_parts::<P>(&options.symbols)),
                listing: None,
                fills_max: P::FILLS_MAX,
                lines: Reconciler::<O>::lines(),
                named_values: ArrayVec::new(),
            },
            symbols: options.symbols,
            protocol,
            replacements: Replacements::new(),
            left: Vec::new(),
            recovery: Some(recovery),
            closing: wiring.closing,
        }
    }

    /// Names the orders that may still rest at the venue.
    fn finish(mut self) -> OrderSessionTotals {
        let mut untaken = self.replacements.len() as u64;
        self.commands.poll(usize::MAX, |_command| untaken += 1);
        if self.left.is_empty() {
            self.left = self.resting();
        }
        OrderSessionTotals { histograms: self.probe.into_set(), untaken, left: self.left }
    }

    pub(super) fn now_ns(&self) -> u64 {
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
                self.orders.logon_replies = 0;
                if self.orders.dead_man.timeout_ms > 0 {
                    self.protocol.will_set_dead_man();
                }
                self.open_stream();
                self.rollover.opened::<P>(self.orders.now_ns);
                self.stage = Stage::Timing;
                1
            }
            Progress::Closed(reason) => {
                self.on_closed(&reason);
                1
            }
        }
    }

    /// Writes a step of the logon, as soon as the venue's limits allow; after the last one the
    /// session is logged on. Whether it was.
    #[cold]
    fn log_on(&mut self, step: usize) -> bool {
        self.orders.logon_replies = step;
        // Before the first step there can only be the path of a connection that is gone.
        if step > 0 {
            self.follow_stream_path();
        }
        if !self.may_log_on(step) {
            self.end_without_stream(step);
            return false;
        }
        let Some(operation) = P::LOGON.get(step) else {
            self.stage = Stage::Asking;
            self.orders.account_stream.upkeep = Upkeep::begun::<P>(self.orders.now_ns);
            self.orders.table.look_for_cancels(self.orders.now_ns);
            self.orders.gate.governor().granted(PauseScope::Account);
            return true;
        };
        let weight = self.protocol.weight(RequestClass::Logon);
        if !self.orders.gate.may_send(RequestClass::Logon, weight, self.orders.now_ns) {
            return false;
        }
        let asked = Asked::Logon(operation);
        let Some(id) = self.orders.requests.add(asked, self.orders.now_ns) else { return false };
        self.stage = Stage::LoggingOn(step + 1);
        let time_ms = self.time_ms();
        self.protocol.logon(step, id, time_ms, &mut self.text);
        self.send_logon(step, id);
        true
    }

    /// Whether a step of the logon waits for the venue's limits.
    fn waits_to_log_on(&self) -> bool {
        matches!(self.stage, Stage::LoggingOn(step) if self.orders.logon_replies >= step)
    }

    /// Whether the venue was asked for all that was open, and has told what earlier starts left.
    #[cold]
    fn is_everything_known(&mut self) -> bool {
        let is_asked = !self.orders.table.open().any(|(_, order)| order.holds_session);
        // What the account has is asked for with each connection, and waited for at the start.
        let is_told = self.recovery.is_none() || self.orders.account.is_over();
        // Positions are waited for each time: what happened meanwhile is told by nobody else.
        let is_told = is_told && self.orders.account.held.is_told_or_none();
        is_asked && is_told && self.is_recovered()
    }

    #[cold]
    fn on_closed(&mut self, reason: &CloseReason) {
        log::warn!("[{}] orders {reason}; reconnecting", self.orders.venue);
        self.orders.note_trouble(reason);
        self.orders.stats.reconnects();
        let (now_ns, next_try_ns) = (self.orders.now_ns, self.session.next_timer_ns());
        self.orders.stats.set_trouble(reason.to_string(), now_ns, next_try_ns);
        self.disconnected();
        let logon_ns = self.orders.gate.governor().paused_until_ns(RequestClass::Logon);
        self.session.wait_until(logon_ns);
        if let CloseReason::Protocol(error) = reason {
            let offending = self.session.offending_bytes();
            let kept = &offending[..offending.len().min(OFFENDING_BYTES_MAX)];
            self.orders.letter(LetterReason::of_wire(*error), "frame of the WebSocket", kept);
        }
    }

    pub(super) fn disconnected(&mut self) {
        self.stage = Stage::Down;
        self.outgoing.timed.clear();
        self.orders.failure = None;
        self.rollover.give_up(u64::MAX);
        self.orders.disconnected();
        self.rest.iter_mut().for_each(RestLine::forget);
        self.stream.iter_mut().for_each(Session::suspend);
        self.next_stream.iter_mut().for_each(NextStream::give_up);
    }

    /// Takes the frames of at most one read.
    #[inline]
    fn take_frames(&mut self) -> usize {
        let Self { session, protocol, orders, rollover, .. } = self;
        let taken = take_frames(session, protocol, orders);
        self.is_held_back = taken.is_held_back;
        if taken.is_held_back {
            orders.stats.backpressure();
        }
        if let Some((operation, reason, code)) = orders.failure.take() {
            session.fail(CloseReason::Refused { operation, reason, code });
        }
        if std::mem::take(&mut orders.account_stream.is_ending) {
            rollover.noticed(orders.now_ns);
        }
        taken.messages + usize::from(session.has_heard())
    }

    /// Goes on with the logon, and is ready once what was open has been asked for.
    #[inline]
    fn advance(&mut self) -> usize {
        let stage = self.stage;
        match stage {
            Stage::Timing if !self.waits_for_time() => {
                self.stage = Stage::LoggingOn(0);
                self.log_on(0);
            }
            Stage::LoggingOn(1) if self.is_logon_refused() => self.stage = Stage::Timing,
            Stage::LoggingOn(step) if self.orders.logon_replies >= step => {
                return usize::from(self.log_on(step));
            }
            Stage::Asking if self.is_everything_known() => {
                self.stage = Stage::Ready;
                self.orders.account_stream.subscribed(self.orders.now_ns);
                log::info!("[{}] orders ready", self.orders.venue);
            }
            _ => return 0,
        }
        1
    }
}

/// The requests that set the venue's timer: one for each symbol, where it has one timer for each.
fn dead_man_parts<P: OrderProtocol>(symbols: &SymbolMap) -> usize {
    if P::DEAD_MAN_BY_SYMBOL { symbols.len() } else { 1 }
}

/// A venue that is off is not connected to.
fn session_at_start<O, P: OrderProtocol>(
    options: &SessionOptions,
    wiring: &OrderWiring<O>,
) -> (Session, Presence) {
    let mut session = Session::new(options.clone(), P::KEEP_ALIVE, wiring.clock.clone());
    let presence = if wiring.switch.is_on() { Presence::On } else { Presence::Off };
    if presence == Presence::Off {
        session.suspend();
    }
    wiring.stats.set_state(session.state());
    (session, presence)
}

impl<O: EventOutlet + Send + 'static, P: OrderProtocol> Agent for OrderAgent<O, P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_start(&mut self, registry: &Registry) {
        self.session.register(registry);
        self.rollover.register(registry);
        self.rest.iter_mut().for_each(|lines| lines.register(registry));
        self.stream.iter_mut().for_each(|stream| stream.register(registry));
        self.next_stream.iter_mut().for_each(|stream| stream.register(registry));
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
        if self.rest.orders.as_ref().is_some_and(RestLine::holds_risk) {
            self.take_back_orders();
        }
        // Before the socket is read: an order that waits would pay for that system call.
        work += self.take_commands();
        if self.rest.iter().any(RestLine::is_busy) {
            work += self.step_rest();
        }
        if self.session.is_open() {
            work += self.take_frames() + self.step_stream() + self.roll_stream();
            if !self.outgoing.timed.is_empty() {
                self.write();
            }
            work += self.advance();
            if matches!(self.stage, Stage::Asking | Stage::Ready) {
                work += self.ask() + self.ask_account();
            }
            self.look_for_overdue();
            work += self.set_dead_man() + self.keep_up();
        } else {
            self.orders.flush_backlog();
        }
        if !self.replacements.is_empty() {
            work += self.place_replacements();
        }
        if self.rollover.is_due(self.orders.now_ns) {
            work += self.roll();
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
        if self.orders.now_ns >= self.orders.table.cancel_due_ns() {
            // Also while a quarantined consumer has its own looked for all the time.
            work += self.cancel_wanted(is_killed || self.ends_with_cancels(phase));
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
        let is_waiting = self.orders.requests.waiting() > 0 || self.waits_for_time();
        let poll_ns = if is_waiting { self.next_poll_ns } else { u64::MAX };
        let asks = matches!(self.stage, Stage::Asking | Stage::Ready)
            && self.orders.requests.queries() < QUERIES_MAX;
        // A query that the budget holds back is tried again soon, not at once.
        let ask_ns =
            if asks { self.orders.table.due_ns().max(self.now_ns() + POLL_NS) } else { u64::MAX };
        // No wake-up tells that a full link has room again.
        let held_ns = if self.is_held_back { self.now_ns() + HELD_BACK_NS } else { u64::MAX };
        let cancel_ns =
            if self.session.is_open() { self.orders.table.cancel_due_ns() } else { u64::MAX };
        let leave_ns = match self.presence {
            Presence::Leaving { .. } => self.now_ns() + POLL_NS,
            Presence::On | Presence::Off => u64::MAX,
        };
        let logon_ns = if self.waits_to_log_on() { self.now_ns() + POLL_NS } else { u64::MAX };
        let stream_ns = self.stream_poll_ns();
        let own_ns = poll_ns.min(ask_ns).min(held_ns).min(cancel_ns).min(leave_ns).min(logon_ns);
        let rest_ns = self.rest.iter().map(RestLine::deadline_ns).min().unwrap_or(u64::MAX);
        let is_up = matches!(self.stage, Stage::Asking | Stage::Ready);
        let dead_man_ns = if is_up { self.orders.dead_man.next_timer_ns() } else { u64::MAX };
        let own_ns = own_ns.min(self.replacements.next_timer_ns()).min(dead_man_ns);
        let own_ns = own_ns.min(self.account_poll_ns()).min(self.upkeep_timer_ns());
        let own_ns = own_ns.min(stream_ns).min(self.rollover.next_timer_ns(self.now_ns()));
        let beside_ns = self.stream.as_ref().map_or(u64::MAX, Session::next_timer_ns);
        let next_ns =
            self.next_stream.as_ref().map_or(u64::MAX, |next| next.next_timer_ns(self.now_ns()));
        let own_ns = own_ns.min(rest_ns).min(beside_ns).min(next_ns);
        self.session.next_timer_ns().min(own_ns)
    }

    fn is_done(&self) -> bool {
        self.orders.outlet.is_none()
    }

    fn on_close(self: Box<Self>) {
        let closing = self.closing.clone();
        closing.put(self.finish());
    }
}
