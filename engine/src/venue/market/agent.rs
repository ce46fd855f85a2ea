//! The agent of a market data connection: socket, subscription, feed and snapshots of one venue.
//!
//! One duty cycle: a step of the session, then the frames of at most one read, each decoded
//! straight into the link; then what REST has answered, what it is to be asked, and a look for
//! silence. When the link is full the socket is not read (counted), since a hole made by us would
//! look like one of the venue's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::CachePadded;
use mio::Registry;

use super::feed::{MarketFeed, MarketFeedOptions};
use super::intake::FrameOutcome;
use super::next_connection::Rollover;
use super::resubscribe::Resubscriptions;
use super::snapshot_client::{Answer, SnapshotClient};
use super::stream_port::{StreamPort, StreamRequest};
use super::subscriptions::Subscriptions;
use super::topics::Topics;
use super::{Connection, Stream};
use crate::event::{BookStatus, InstrumentId, Side};
use crate::rate::Bucket;
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::venue::protocol::MarketProtocol;
use crate::venue::recorder::Tap;
use crate::venue::transport::{CloseReason, Progress, Session, SessionOptions};
use crate::venue::{
    BookSummary, EventOutlet, IntakeStats, LetterReason, SymbolMap, TraceIds, VenueSwitch,
};

/// Frames taken in one duty cycle: what one read of a busy stream brings, so that the other agents
/// of the core get their turn.
pub(super) const FRAMES_PER_CYCLE: usize = 64;
/// Between two polls for silence by time alone, ns: a quarter of the shortest silence that can be
/// configured. Only a core that sleeps waits that long.
const POLL_NS: u64 = 25_000_000;
/// The longest time that market data waits for the order session to be ready, ns.
const ORDERS_FIRST_NS: u64 = 2_000_000_000;
/// Lines a second about streams that are silent or heard again.
const SILENCE_LINES_PER_S: u32 = 5;
/// Bytes of an offending frame that are kept.
const OFFENDING_BYTES_MAX: usize = 4_096;

/// What a [`MarketAgent`] is made of.
pub struct MarketOptions {
    /// The venue's name.
    pub venue: String,
    /// Which of the venue's sessions it is, such as `market`.
    pub role: String,
    /// The connection.
    pub session: SessionOptions,
    /// Decoder and books.
    pub feed: MarketFeedOptions,
    /// Which of the venue's connections it is.
    pub connection: Connection,
    /// An answer to a subscription has to come in this time, ns.
    pub subscribe_ns: u64,
    /// A connection of this age is followed by the next one, ns; `None`: only when the venue's own
    /// rule, or its notice, says so.
    pub hand_over_ns: Option<u64>,
    /// Number of this session among all of the engine: the upper part of its trace ids.
    pub session_number: u16,
}

/// The ends that tie a [`MarketAgent`] to the engine.
pub struct MarketWiring<O> {
    /// Where its events go.
    pub outlet: O,
    /// Where snapshots come from; `None` without books.
    pub snapshots: Option<SnapshotClient>,
    /// Set by the order session when it is ready; market data waits for it, for a while. `None`
    /// when the venue takes no orders.
    pub orders_ready: Option<Arc<AtomicBool>>,
    /// Its counters.
    pub stats: Arc<CachePadded<IntakeStats>>,
    /// The clock.
    pub clock: Clock,
    /// The stop signal.
    pub stop: StopSignal,
    /// Whether it is to be connected.
    pub switch: VenueSwitch,
    /// Takes what its session hears and says, where that is recorded.
    pub tap: Option<Tap>,
    /// Where it leaves its books.
    pub closing: Closing<BookSummaries>,
}

/// What a [`MarketAgent`] leaves: every book as it stood at the end; only those that could be
/// trusted have levels.
pub type BookSummaries = Vec<(InstrumentId, BookSummary)>;

/// The agent.
pub struct MarketAgent<P: MarketProtocol, O: EventOutlet> {
    pub(super) name: String,
    pub(super) venue: String,
    pub(super) session: Session,
    /// The connection that follows the present one.
    pub(super) rollover: Rollover,
    pub(super) feed: MarketFeed<P>,
    pub(super) subscriptions: Subscriptions,
    /// What it subscribes to, where that is known.
    pub(super) expected: Vec<Stream>,
    pub(super) resubscriptions: Resubscriptions,
    /// Requests without a reply, oldest first, where replies do not say whose they are.
    pub(super) unanswered: VecDeque<u64>,
    /// The trace id of a frame that was only begun.
    pub(super) unfinished: Option<u64>,
    /// Gaps that the recording notes already.
    noted_gaps: u64,
    /// Lines about silent streams, and those that were too many.
    pub(super) lines: Bucket,
    pub(super) unsaid: u64,
    /// Where more streams are asked for; `None` when the configuration names them.
    pub(super) port: Option<Arc<StreamPort>>,
    /// A request for more streams that is not answered yet, with the subscriptions before it.
    pub(super) asked: Option<Box<StreamRequest>>,
    pub(super) subscribe_ns: u64,
    /// When the answer to a subscription is overdue; `None` when none is awaited.
    pub(super) subscribed_by_ns: Option<u64>,
    /// The next request to subscribe has to wait until then; `None` when none is to be sent.
    pub(super) subscribe_at_ns: Option<u64>,
    /// The venue takes no request to subscribe before that.
    pub(super) may_subscribe_ns: u64,
    pub(super) switch: VenueSwitch,
    pub(super) is_off: bool,
    /// The socket was not read in this cycle, since the link is full.
    pub(super) is_held_back: bool,
    pub(super) traces: TraceIds,
    /// `None` once the venue is closed.
    pub(super) outlet: Option<O>,
    pub(super) snapshots: Option<SnapshotClient>,
    /// A snapshot that a live book is to be held against once its stream is there.
    pub(super) ahead: Option<Box<Answer>>,
    pub(super) orders_ready: Option<Arc<AtomicBool>>,
    pub(super) stats: Arc<CachePadded<IntakeStats>>,
    pub(super) clock: Clock,
    pub(super) stop: StopSignal,
    pub(super) closing: Closing<BookSummaries>,
    pub(super) now_ns: u64,
}

#[cold]
fn warn_of_no_hand_over(venue: &str, role: &str) {
    log::warn!(
        "[{venue}] a recording is of one connection at a time: session.hand_over_s does nothing \
         while {role} is recorded"
    );
}

impl<P: MarketProtocol, O: EventOutlet> MarketAgent<P, O> {
    /// An agent that connects with its first duty cycles, or once its venue is switched on, and
    /// subscribes to the kinds that `wanted` says of each instrument.
    #[must_use]
    pub fn new(
        options: MarketOptions,
        wanted: impl Fn(&Stream) -> bool,
        wiring: MarketWiring<O>,
    ) -> MarketAgent<P, O> {
        let MarketOptions { venue, role, session, feed, connection, subscribe_ns, .. } = options;
        let MarketOptions { session_number, hand_over_ns, .. } = options;
        let by_stream = connection.topics.by_stream.clone();
        let has_any_bars = connection.topics.listed.is_some();
        let is_expected = |stream: &&Stream| wanted(stream);
        let expected = by_stream.keys().filter(is_expected).copied().collect();
        let (subscriptions, port) = match connection.topics {
            topics @ Topics { listed: Some(_), .. } => (Subscriptions::new(&topics, &wanted), None),
            topics => {
                let port = StreamPort::new(topics, &wanted);
                (port.subscriptions(), Some(port))
            }
        };
        let rollover = Rollover::new::<P>(&session, hand_over_ns, wiring.clock.clone());
        let mut session = Session::new(session, P::KEEP_ALIVE, wiring.clock.clone());
        session.record(wiring.tap);
        if session.is_recorded() && hand_over_ns.is_some() {
            warn_of_no_hand_over(&venue, &role);
        }
        let is_off = !wiring.switch.is_on();
        if is_off {
            session.suspend();
        }
        wiring.stats.set_state(session.state());
        MarketAgent {
            name: format!("{venue}:{role}"),
            venue,
            session,
            rollover,
            feed: MarketFeed::new(
                MarketFeedOptions { has_any_bars, ..feed },
                wiring.clock.clone(),
                Arc::clone(&wiring.stats),
            ),
            subscriptions,
            expected,
            resubscriptions: Resubscriptions::new(by_stream),
            unanswered: VecDeque::new(),
            unfinished: None,
            noted_gaps: 0,
            lines: Bucket::per_s(SILENCE_LINES_PER_S),
            unsaid: 0,
            port,
            asked: None,
            subscribe_ns,
            subscribed_by_ns: None,
            subscribe_at_ns: None,
            may_subscribe_ns: 0,
            switch: wiring.switch,
            is_off,
            is_held_back: false,
            traces: TraceIds::new(session_number),
            outlet: Some(wiring.outlet),
            snapshots: wiring.snapshots,
            ahead: None,
            orders_ready: wiring.orders_ready,
            stats: wiring.stats,
            clock: wiring.clock,
            stop: wiring.stop,
            closing: wiring.closing,
            now_ns: 0,
        }
    }

    /// The symbols subscribed to.
    #[must_use]
    pub fn symbols(&self) -> &SymbolMap {
        self.feed.symbols()
    }

    /// Where more streams are asked for; `None` when the configuration names them.
    pub(crate) fn stream_port(&self) -> Option<Arc<StreamPort>> {
        self.port.clone()
    }

    /// Every book as it stood at the end, by native symbol; only those that could be trusted have
    /// levels.
    #[must_use]
    pub fn book_summaries(&self) -> BookSummaries {
        let summary =
            |(id, book, status): (InstrumentId, &crate::venue::book::L2Book, BookStatus)| {
                let symbol = self.feed.symbols().symbol(id)?;
                let summary = BookSummary {
                    sha256: book.digest(symbol.scales),
                    status: status.name(),
                    bid_levels: book.level_count(Side::Buy),
                    ask_levels: book.level_count(Side::Sell),
                    levels_dropped: book.overflows(),
                };
                Some((id, summary))
            };
        self.feed.books().filter_map(summary).collect()
    }

    /// Whether the order session is to be waited for.
    fn waits_for_orders(&mut self) -> bool {
        let Some(ready) = &self.orders_ready else { return false };
        if self.now_ns < ORDERS_FIRST_NS && !ready.load(Ordering::Acquire) {
            return true;
        }
        self.orders_ready = None;
        false
    }

    fn step(&mut self) -> usize {
        let progress = self.session.step(self.now_ns);
        if !matches!(progress, Progress::Idle) {
            self.stats.set_state(self.session.state());
        }
        match progress {
            Progress::Idle => 0,
            Progress::Moved => 1,
            Progress::Opened => {
                self.on_opened();
                1
            }
            Progress::Closed(reason) => {
                if !self.ended_while_joining() {
                    self.on_closed(&reason);
                }
                1
            }
        }
    }

    #[cold]
    fn on_opened(&mut self) {
        log::info!("[{}] market data connected to {}", self.venue, self.session.endpoint());
        self.stats.clear_trouble();
        self.subscriptions.restart();
        self.rollover.opened::<P>(self.now_ns);
        self.feed.on_connected(self.now_ns);
        for stream in &self.expected {
            self.feed.expect(*stream, self.now_ns);
        }
        self.subscribe();
    }

    #[cold]
    fn on_closed(&mut self, reason: &CloseReason) {
        log::warn!("[{}] market data {reason}; reconnecting", self.venue);
        self.stats.reconnects();
        let next_try_ns = self.session.next_timer_ns();
        self.stats.set_trouble(reason.to_string(), self.now_ns, next_try_ns);
        let Some(outlet) = &mut self.outlet else { return };
        if let CloseReason::Protocol(error) = reason {
            let bytes = self.session.offending_bytes();
            let kept = &bytes[..bytes.len().min(OFFENDING_BYTES_MAX)];
            outlet.dead_letter(LetterReason::of_wire(*error), "frame of the WebSocket", kept);
        }
        self.disconnected();
    }

    /// There is no connection any more: no answer will come, and no book can be trusted.
    fn disconnected(&mut self) {
        (self.subscribed_by_ns, self.subscribe_at_ns) = (None, None);
        self.resubscriptions.clear();
        self.unanswered.clear();
        self.unfinished = None;
        if let Some(outlet) = &mut self.outlet {
            self.feed.on_disconnected(outlet);
        }
    }

    /// Follows the venue's switch.
    #[cold]
    fn turn_switch(&mut self) -> usize {
        self.is_off = !self.is_off;
        let position = if self.is_off { "off" } else { "on" };
        log::info!("[{}] market data switched {position}", self.venue);
        if self.is_off {
            let was_open = self.session.is_open();
            self.session.suspend();
            self.rollover.give_up(u64::MAX);
            // Of a connection that was lost before, everybody knows.
            if was_open {
                self.disconnected();
            }
        } else {
            self.session.resume();
        }
        self.stats.set_state(self.session.state());
        1
    }

    /// Takes the frames of at most one read.
    #[inline]
    fn take_frames(&mut self) -> usize {
        let mut work = 0;
        self.is_held_back = false;
        while work < FRAMES_PER_CYCLE {
            let Some(outlet) = &mut self.outlet else { break };
            if outlet.room() < P::EVENTS_MAX {
                self.is_held_back = true;
                self.stats.backpressure();
                break;
            }
            let begun = self.unfinished.take();
            let frame = match begun {
                Some(_) => self.session.last_frame(),
                None => self.session.next_frame(),
            };
            let Some(frame) = frame else { break };
            work += 1;
            let trace_id = begun.unwrap_or_else(|| self.traces.next_id());
            match self.feed.on_frame(frame.bytes, frame.read_ns, trace_id, outlet) {
                FrameOutcome::Decoded | FrameOutcome::Refused | FrameOutcome::KeptAlive => {}
                FrameOutcome::Reply { id, error } => self.on_reply(id, error),
                FrameOutcome::NextReply { error } => self.on_next_reply(error),
                FrameOutcome::Unfinished => {
                    // The other agents of the core have their turn.
                    self.unfinished = Some(trace_id);
                    break;
                }
                FrameOutcome::Shutdown if self.on_notice() => {}
                FrameOutcome::Shutdown => self.session.fail(CloseReason::Refused {
                    operation: "read",
                    reason: "the venue shuts this connection down",
                    code: 0,
                }),
            }
        }
        if work > 0 && self.session.is_recorded() {
            self.note_gaps();
        }
        while let Some((instrument, kind)) = self.feed.next_back() {
            self.say(instrument, |venue, native| {
                log::info!("[{venue}] {} of {native} is heard again", kind.name());
            });
        }
        work + usize::from(self.session.has_heard())
    }

    /// Notes in the recording that something is missing in what the venue sent.
    #[cold]
    fn note_gaps(&mut self) {
        let counters = self.stats.read();
        let missed = counters.gaps + counters.mismatches;
        if missed > self.noted_gaps {
            self.session.note(|| {
                format!("{} gaps and wrong checksums so far", counters.gaps + counters.mismatches)
            });
            self.noted_gaps = missed;
        }
    }

    #[inline]
    fn check_deadlines(&mut self) {
        if self.now_ns >= self.feed.streams_due_ns() {
            self.mind_streams();
        }
        if let Some((instrument, sign)) = self.feed.take_doubted() {
            self.tell_doubt(instrument, sign);
        }
        if let Some(instrument) = self.feed.take_wrong_quotes() {
            self.renew_quotes(instrument);
        }
        if let Some((instrument, difference)) = self.feed.take_difference() {
            self.tell_difference(instrument, difference);
        }
        if let Some(instrument) = self.feed.take_overflowed() {
            let native = self.feed.symbols().native(instrument).unwrap_or_default();
            log::warn!(
                "[{}] the book of {native} has more levels than book_levels_max: the farthest are \
                 dropped, and it is incomplete",
                self.venue
            );
        }
        if self.resubscriptions.is_wanted() {
            self.resubscribe();
        }
        let Some(outlet) = &mut self.outlet else { return };
        if let Some(kind) = self.feed.check_silence(self.now_ns, outlet)
            && !self.is_held_back
        {
            log::warn!("[{}] no {} for too long", self.venue, kind.name());
            self.session.fail(CloseReason::DataIdle);
        }
        if self.subscribed_by_ns.is_some_and(|due_ns| self.now_ns > due_ns) {
            let reason = "no answer in time";
            self.session.fail(CloseReason::Refused { operation: "subscribe", reason, code: 0 });
        }
        if self.subscribe_at_ns.is_some_and(|at_ns| self.now_ns >= at_ns) {
            self.subscribe();
        }
    }

    /// Stops taking market data; what was published stays to be drained.
    fn close(&mut self) -> usize {
        self.session.end_for_good();
        self.rollover.end_for_good();
        self.stats.set_state(self.session.state());
        usize::from(self.outlet.take().is_some())
    }
}

impl<P: MarketProtocol, O: EventOutlet + Send + 'static> Agent for MarketAgent<P, O> {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_start(&mut self, registry: &Registry) {
        self.session.register(registry);
        self.rollover.register(registry);
    }

    fn duty_cycle(&mut self) -> usize {
        if self.outlet.is_none() {
            return 0;
        }
        if self.stop.phase() >= Phase::Draining {
            return self.close();
        }
        self.now_ns = self.clock.now_ns();
        if self.switch.is_on() == self.is_off {
            return self.turn_switch();
        }
        if self.orders_ready.is_some() && self.waits_for_orders() {
            return 0;
        }
        let mut work = self.step();
        if self.asked.is_some() || self.port.as_ref().is_some_and(|port| port.staged.is_full()) {
            work += self.exchange_streams();
        }
        if self.feed.has_kept() {
            work += self.tell_kept();
        } else if self.session.is_open() {
            self.feed.overlap = self.rollover.overlap();
            work += self.take_frames();
        }
        if self.rollover.is_due(self.now_ns) {
            work += self.roll();
        }
        // Also while disconnected: the word that a book can't be trusted may still wait for room.
        self.check_deadlines();
        work + self.exchange_snapshots()
    }

    fn next_timer_ns(&self) -> u64 {
        match self.outlet {
            None => u64::MAX,
            Some(_) => self.session.next_timer_ns().min(self.now_ns + POLL_NS),
        }
    }

    fn is_done(&self) -> bool {
        self.outlet.is_none()
    }

    fn on_close(self: Box<Self>) {
        self.closing.put(self.book_summaries());
    }
}
