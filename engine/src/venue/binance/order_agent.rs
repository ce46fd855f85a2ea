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
use super::order_desk::{BATCH, Desk, LOOK_NS, Stage};
use super::order_request::{OrderNames, RequestText};
use super::requests_in_flight::RequestsInFlight;
use super::user_decode::{UserDecoder, UserMessage};
use crate::event::VenueId;
use crate::instrument::Instruments;
use crate::order::{OrderCommand, OrderTable};
use crate::runtime::{Agent, Clock, Phase, StopSignal};
use crate::safety::Quarantine;
use crate::telemetry::{HistogramSet, Probe};
use crate::venue::transport::{CloseReason, Progress, Session, SessionOptions};
use crate::venue::{EventOutlet, IntakeStats, SymbolMap, TraceIds, VenueSwitch};

/// Room in the link that one frame needs: an exec report with a fill that was missed before it, or the
/// balances of a few assets.
const EVENTS_PER_FRAME_MAX: usize = 8;
/// Pause of a parked core while the link is full, ns.
const HELD_BACK_NS: u64 = 1_000_000;

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
    /// Whether it is to be connected.
    pub switch: VenueSwitch,
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
pub struct OrderAgent<O: EventOutlet> {
    name: String,
    session: Session,
    decoder: UserDecoder,
    commands: Consumer<OrderCommand>,
    ready: Arc<AtomicBool>,
    stop: StopSignal,
    switch: VenueSwitch,
    presence: Presence,
    desk: Desk<O>,
}

impl<O: EventOutlet> OrderAgent<O> {
    /// The tags of the probe that [`OrderWiring`] takes.
    #[must_use]
    pub fn probe_names(consumers: &[String]) -> Vec<String> {
        consumers.iter().map(|name| format!("tick_to_trade:{name}")).collect()
    }

    /// An agent that connects with its first duty cycles, or once its venue is switched on.
    #[must_use]
    pub fn new(options: OrderOptions, wiring: OrderWiring<O>) -> OrderAgent<O> {
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
            decoder: UserDecoder::new(options.symbols.clone(), options.frame_bytes_max),
            commands: wiring.commands,
            ready: wiring.ready,
            stop: wiring.stop,
            switch: wiring.switch,
            presence,
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
                is_leaving: presence == Presence::Off,
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
                Ok(UserMessage::Balances { venue_time_ns, entries, unreadable }) => {
                    desk.stats.decoded();
                    if let Some(error) = unreadable {
                        desk.letter(error.reason, error.detail, frame.bytes);
                    }
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

    /// Cancels what quarantined consumers have open, or everybody after a kill; again after a while, since
    /// an order may have been on its way here.
    #[cold]
    fn cancel_from_outside(&mut self) -> usize {
        let Self { session, desk, stop, .. } = self;
        if desk.stage != Stage::Ready
            || desk.now_ns < desk.next_cancel_ns
            || desk.now_ns < desk.ask_at_ns
        {
            return 0;
        }
        desk.next_cancel_ns = desk.now_ns + LOOK_NS;
        let is_killed = stop.is_killed();
        let mut work = 0;
        while let Some(key) = desk.open_to_be_cancelled(is_killed) {
            if !desk.cancel(key, session) {
                break;
            }
            work += 1;
        }
        if work > 0 {
            let whose = if is_killed { "all consumers" } else { "quarantined consumers" };
            log::warn!("[{}] {work} orders of {whose} cancelled", desk.venue);
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
        if phase == Phase::Draining || self.stop.is_killed() {
            self.cancel_all();
        }
        // Nothing to wait for: the answers stay unread.
        if phase == Phase::Draining && (self.session.flush() || self.desk.stage != Stage::Ready) {
            self.close();
        }
        work
    }

    /// Whether the end of the run cancels what is open.
    fn cancels_all(&self) -> bool {
        self.desk.cancel_on_stop || self.stop.is_killed()
    }

    /// Asks the venue to cancel what is open, where the configuration or an operator says so.
    fn cancel_all(&mut self) {
        let cancels = self.cancels_all();
        let Self { session, desk, .. } = self;
        if cancels && desk.stage == Stage::Ready && desk.now_ns >= desk.ask_at_ns {
            while let Some(key) = desk.open_to_be_cancelled(true) {
                if !desk.cancel(key, session) {
                    break;
                }
            }
            session.flush();
        }
    }

    /// Cancels what is open as configured; true when nothing is left to wait for.
    fn is_wound_down(&mut self) -> bool {
        self.cancel_all();
        let open = if self.cancels_all() { self.desk.table.open_count() } else { 0 };
        open + self.desk.requests.count() == 0 && !self.commands.has_available()
    }

    fn wind_down(&mut self) {
        if self.is_wound_down() || self.presence == Presence::Off {
            self.close();
        }
    }

    /// Follows the venue's switch: leaves the venue when what is open has ended, or can't be waited for.
    #[cold]
    fn follow_switch(&mut self) -> usize {
        let venue = &self.desk.venue;
        match (self.presence, self.switch.is_on()) {
            (Presence::On, true) | (Presence::Off, false) => return 0,
            (Presence::On, false) => {
                log::info!("[{venue}] orders switched off: no new ones are taken");
                self.desk.is_leaving = true;
                self.presence = Presence::Leaving { by_ns: self.desk.now_ns + self.desk.answer_ns };
            }
            (Presence::Leaving { .. } | Presence::Off, true) => {
                log::info!("[{venue}] orders switched on");
                self.desk.is_leaving = false;
                self.presence = Presence::On;
                self.session.resume();
                self.desk.stats.set_state(self.session.state());
            }
            (Presence::Leaving { by_ns }, false) => {
                let is_over = !self.session.is_open() || self.desk.now_ns >= by_ns;
                if is_over || self.is_wound_down() {
                    self.leave();
                }
            }
        }
        1
    }

    fn leave(&mut self) {
        let open = self.desk.table.open_count();
        if open > 0 {
            // Asked for when the venue is switched on again.
            log::warn!("[{}] {open} orders are left open at the venue", self.desk.venue);
        }
        self.session.suspend();
        self.desk.disconnected();
        self.desk.stats.set_state(self.session.state());
        self.presence = Presence::Off;
    }

    fn close(&mut self) {
        self.session.end_for_good();
        self.desk.stats.set_state(self.session.state());
        self.ready.store(false, Ordering::Release);
        self.desk.outlet = None;
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
        if self.presence != Presence::On || !self.switch.is_on() {
            work += self.follow_switch();
        }
        let is_ready = self.desk.stage == Stage::Ready && !self.desk.is_leaving;
        if is_ready != self.ready.load(Ordering::Relaxed) {
            self.ready.store(is_ready, Ordering::Release);
        }
        if self.desk.quarantine.cancels_any() || self.stop.is_killed() {
            work += self.cancel_from_outside();
        }
        if phase == Phase::Draining {
            self.wind_down();
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
        let cancels = self.desk.quarantine.cancels_any() || self.stop.is_killed();
        let cancel_ns = if cancels { self.desk.next_cancel_ns } else { u64::MAX };
        let leave_ns = match self.presence {
            Presence::Leaving { .. } => self.desk.now_ns + LOOK_NS,
            Presence::On | Presence::Off => u64::MAX,
        };
        let own_ns = look_ns.min(ask_ns).min(held_ns).min(cancel_ns).min(leave_ns);
        self.session.next_timer_ns().min(own_ns)
    }

    fn is_done(&self) -> bool {
        self.desk.outlet.is_none()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
