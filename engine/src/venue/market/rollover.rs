//! A connection that is about to end hands over to the next one before it does: after the venue's
//! notice, or before it ends by the venue's rule for its age.
//!
//! ```text
//! alone -> the next one connects and subscribes -> both are read -> the old one is closed -> alone
//! ```
//!
//! Promises: streams go on without a gap, and nothing is told twice ([`Overlap`]); the old
//! connection is the one that counts until the next one has all its streams; attempts pass the
//! governor as any other. Where the stream tells books whole, the next connection is read beside
//! the old one and not told before it takes over. Where the old one ends too soon, the next one is
//! what its owner goes on with, and what was missed heals as after any lost connection.

use super::agent::{FRAMES_PER_CYCLE, MarketAgent};
use super::intake::FrameOutcome;
use super::next_connection::{Rollover, Stage};
use super::overlap::Overlap;
use super::take_over::ROOM;
use crate::venue::EventOutlet;
use crate::venue::protocol::MarketProtocol;
use crate::venue::transport::Progress;

/// Both connections are read for this time once the next one has all its streams, and for this time
/// after the old one is closed the other's repeats are expected, ns.
const OVERLAP_NS: u64 = 2_000_000_000;
/// Books that the stream of the next connection is to tell whole are waited for so long, ns.
const PATIENCE_NS: u64 = 30_000_000_000;
/// After an attempt that was given up, ns.
const AGAIN_NS: u64 = 30_000_000_000;

impl<P: MarketProtocol, O: EventOutlet> MarketAgent<P, O> {
    /// The venue says that this connection will end. False where it has to be given up at once.
    #[cold]
    pub(super) fn on_notice(&mut self) -> bool {
        // A recording is of one connection at a time.
        let can_hand_over = !self.session.is_recorded();
        if can_hand_over {
            self.rollover.due_ns = self.rollover.due_ns.min(self.now_ns);
        }
        can_hand_over
    }

    /// Goes on with handing over.
    #[cold]
    pub(super) fn roll(&mut self) -> usize {
        let now_ns = self.now_ns;
        match self.rollover.stage {
            Stage::Alone => self.begin(),
            Stage::Joining => self.join(),
            Stage::Both { until_ns } => {
                let work = self.join();
                if now_ns < until_ns || !matches!(self.rollover.stage, Stage::Both { .. }) {
                    return work;
                }
                if self.has_all_that_is_needed() {
                    self.take_over();
                } else if now_ns >= until_ns + PATIENCE_NS {
                    log::warn!("[{}] the next connection does not tell every book", self.venue);
                    self.lose_next(now_ns + AGAIN_NS);
                }
                work
            }
            Stage::Settling { until_ns } if now_ns >= until_ns => {
                self.rollover.stage = Stage::Alone;
                1
            }
            Stage::Settling { .. } => 0,
        }
    }

    fn begin(&mut self) -> usize {
        let is_busy =
            self.asked.is_some() || self.subscribed_by_ns.is_some() || self.session.is_recorded();
        if !self.session.is_open() || is_busy || !self.subscriptions.is_complete() {
            return 0;
        }
        log::info!("[{}] market data: the next connection is made, this one ends soon", self.venue);
        (self.rollover.stage, self.rollover.due_ns) = (Stage::Joining, u64::MAX);
        self.rollover.session.resume();
        1
    }

    /// Steps and reads the next connection.
    fn join(&mut self) -> usize {
        let now_ns = self.now_ns;
        let work = match self.rollover.session.step(now_ns) {
            Progress::Idle => 0,
            Progress::Moved => 1,
            Progress::Opened => {
                let mut subscriptions = self.subscriptions.clone();
                subscriptions.restart();
                self.rollover.begin_connection();
                if self.rollover.is_in_band {
                    self.feed.open_next(now_ns);
                }
                self.rollover.subscriptions = Some(subscriptions);
                self.rollover.subscribe_at_ns = Some(now_ns);
                1
            }
            Progress::Closed(reason) => {
                log::warn!("[{}] market data, the next connection: {reason}", self.venue);
                self.stats.reconnects();
                self.lose_next(now_ns + AGAIN_NS);
                return 1;
            }
        };
        if !self.rollover.session.is_open() {
            return work;
        }
        if self.rollover.subscribe_at_ns.is_some_and(|at_ns| now_ns >= at_ns) {
            self.subscribe_next();
        }
        work + self.take_next_frames()
    }

    /// The next connection is of no use; another one at `due_ns`.
    #[cold]
    fn lose_next(&mut self, due_ns: u64) {
        self.stats.hand_overs_lost();
        self.rollover.give_up(due_ns);
    }

    fn subscribe_next(&mut self) {
        let Rollover { session, subscriptions, subscribe_at_ns, .. } = &mut self.rollover;
        let may_send_ns = session.may_send_ns();
        if self.now_ns < may_send_ns {
            *subscribe_at_ns = Some(may_send_ns);
            return;
        }
        *subscribe_at_ns = None;
        let mut sent = None;
        if let Some(subscriptions) = subscriptions {
            sent = subscriptions.send_next(|request| session.send(request.as_bytes()).is_ok());
        }
        session.flush();
        if let (Some(id), false) = (sent, P::NUMBERS_REPLIES) {
            self.rollover.unanswered.push_back(id);
        }
    }

    /// Takes the frames of at most one read of the next connection.
    fn take_next_frames(&mut self) -> usize {
        let mut work = 0;
        self.feed.overlap = Overlap::New(P::ORDERS.trade);
        while work < FRAMES_PER_CYCLE {
            let Some(outlet) = &mut self.outlet else { break };
            if outlet.room() < P::EVENTS_MAX {
                break;
            }
            let begun = self.rollover.unfinished.take();
            let session = &mut self.rollover.session;
            let frame = match begun {
                Some(_) => session.last_frame(),
                None => session.next_frame(),
            };
            let Some(frame) = frame else { break };
            work += 1;
            let trace_id = begun.unwrap_or_else(|| self.traces.next_id());
            let read = (frame.read_ns, trace_id);
            let outcome = match self.rollover.is_in_band {
                true => self.feed.on_next_frame(frame.bytes, read, outlet),
                false => self.feed.on_frame(frame.bytes, frame.read_ns, trace_id, outlet),
            };
            match outcome {
                FrameOutcome::Decoded | FrameOutcome::Refused | FrameOutcome::KeptAlive => {}
                FrameOutcome::Reply { id, error } => self.on_reply_of_next(id, error),
                FrameOutcome::NextReply { error } => {
                    if let Some(id) = self.rollover.unanswered.pop_front() {
                        self.on_reply_of_next(id, error);
                    }
                }
                FrameOutcome::Unfinished => {
                    self.rollover.unfinished = Some(trace_id);
                    break;
                }
                FrameOutcome::Shutdown => self.lose_next(self.now_ns),
            }
        }
        self.feed.overlap = self.rollover.overlap();
        work + usize::from(self.rollover.session.has_heard())
    }

    fn on_reply_of_next(&mut self, id: u64, error: Option<i32>) {
        let now_ns = self.now_ns;
        if let Some(code) = error {
            log::warn!("[{}] the next connection's streams were refused ({code})", self.venue);
            return self.lose_next(now_ns + AGAIN_NS);
        }
        let Some(subscriptions) = &mut self.rollover.subscriptions else { return };
        if !subscriptions.on_reply(id) {
            return;
        }
        if subscriptions.is_complete() {
            self.rollover.stage = Stage::Both { until_ns: now_ns + OVERLAP_NS };
        } else {
            self.rollover.subscribe_at_ns = Some(now_ns + P::LIMITS.subscribe_interval_ns);
        }
    }

    /// Whether the next connection can go on in the place of the present one.
    fn has_all_that_is_needed(&self) -> bool {
        !self.rollover.is_in_band || self.feed.is_next_ready()
    }

    /// Tells what waited on a connection that has taken over.
    #[cold]
    pub(super) fn tell_kept(&mut self) -> usize {
        let Some(outlet) = &mut self.outlet else { return 0 };
        let told = self.feed.tell_kept(self.now_ns, outlet);
        // A link without room is no silence of the venue's.
        self.is_held_back = self.feed.has_kept() && outlet.room() < ROOM;
        if self.is_held_back {
            self.stats.backpressure();
        }
        told
    }

    /// The old connection has ended while the next one was on its way; whether that one goes on in
    /// its place.
    #[cold]
    pub(super) fn ended_while_joining(&mut self) -> bool {
        match self.rollover.stage {
            Stage::Both { .. } if self.has_all_that_is_needed() => self.take_over(),
            Stage::Both { .. } | Stage::Joining => self.lose_next(u64::MAX),
            Stage::Alone | Stage::Settling { .. } => self.rollover.stage = Stage::Alone,
        }
        matches!(self.rollover.stage, Stage::Settling { .. })
    }

    /// The next connection is the present one from now on; the old one is closed.
    fn take_over(&mut self) {
        let now_ns = self.now_ns;
        std::mem::swap(&mut self.session, &mut self.rollover.session);
        if let Some(subscriptions) = self.rollover.subscriptions.take() {
            self.subscriptions = subscriptions;
        }
        if self.rollover.is_in_band {
            let left_out = self.feed.take_over_next(now_ns);
            if left_out > 0 {
                log::warn!(
                    "[{}] {left_out} messages of the next connection had no place until it took \
                     over: what the old one did not tell of them is lost",
                    self.venue
                );
            }
            std::mem::swap(&mut self.unanswered, &mut self.rollover.unanswered);
            self.rollover.unanswered.clear();
            self.unfinished = self.rollover.unfinished.take();
        }
        self.rollover.session.suspend();
        self.rollover.stage = Stage::Settling { until_ns: now_ns + OVERLAP_NS };
        self.rollover.opened::<P>(now_ns);
        (self.subscribed_by_ns, self.subscribe_at_ns) = (None, None);
        self.may_subscribe_ns = now_ns + P::LIMITS.subscribe_interval_ns;
        self.resubscriptions.clear();
        self.stats.set_state(self.session.state());
        self.stats.handed_over();
        log::info!("[{}] market data handed over to the next connection", self.venue);
    }
}
