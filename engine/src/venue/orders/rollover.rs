//! An order connection that is about to end hands over to the next one before it does: after the
//! venue's notice, or before it ends by the venue's rule for its age.
//!
//! ```text
//! alone -> the next one connects, logs on and subscribes -> new requests leave on it, the old one
//! is read for the replies that it owes -> alone
//! ```
//!
//! Promises: there is no time at which no order can leave, and none in which nothing is told of
//! what the account does; what both streams tell counts once, as any report that is told twice; a
//! request whose reply was lost with the old connection is asked for as one that was never
//! answered. Where the old one ends too soon, the session connects anew as after any lost one.

use super::agent::OrderAgent;
use super::next_session::Step;
use super::reading::take_frames;
use super::requests_in_flight::Asked;
use super::stage::{Presence, Stage};
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{OrderProtocol, Way};
use crate::venue::transport::Progress;

/// After an attempt that was given up, ns.
const AGAIN_NS: u64 = 30_000_000_000;
/// The old connection is read for this time beyond the time in which replies have to come, ns.
const READ_ON_NS: u64 = 2_000_000_000;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Goes on with handing over.
    #[cold]
    pub(super) fn roll(&mut self) -> usize {
        let now_ns = self.orders.now_ns;
        let is_over = self.stop.phase() >= Phase::Draining || self.presence != Presence::On;
        let is_there = self.stage == Stage::Ready && !is_over;
        match self.rollover.step {
            Step::Alone if is_there => {
                let venue = &self.orders.venue;
                log::info!("[{venue}] orders: the next connection is made, this one ends soon");
                (self.rollover.step, self.rollover.due_ns) = (Step::Joining(0), u64::MAX);
                (self.orders.logon_replies, self.orders.logons_refused) = (0, 0);
                self.rollover.session.resume();
                1
            }
            Step::Alone => 0,
            Step::Joining(_) if !is_there => {
                self.orders.requests.forget_logons();
                self.rollover.give_up(u64::MAX);
                1
            }
            Step::Joining(step) => self.join(step),
            Step::ReadingOn { until_ns } => {
                let is_closed = matches!(self.rollover.session.step(now_ns), Progress::Closed(_));
                let work = self.take_other_frames();
                if is_closed || now_ns >= until_ns {
                    let due_ns = self.rollover.due_ns;
                    self.rollover.give_up(due_ns);
                }
                work
            }
        }
    }

    /// Steps the next connection, and logs it on.
    fn join(&mut self, step: usize) -> usize {
        let now_ns = self.orders.now_ns;
        match self.rollover.session.step(now_ns) {
            Progress::Idle | Progress::Moved => {}
            Progress::Opened => return 1 + usize::from(self.log_next_on(0)),
            Progress::Closed(reason) => {
                log::warn!("[{}] orders, the next connection: {reason}", self.orders.venue);
                self.orders.stats.reconnects();
                self.orders.requests.forget_logons();
                self.rollover.give_up(now_ns + AGAIN_NS);
                return 1;
            }
        }
        if !self.rollover.session.is_open() {
            return 0;
        }
        let work = self.take_other_frames();
        if self.orders.logons_refused > 0 {
            self.give_next_up("its logon was refused");
        } else if self.orders.logon_replies >= step {
            return work + usize::from(self.log_next_on(step));
        }
        work
    }

    /// Writes a step of the logon on the next connection; behind the last one it takes over.
    fn log_next_on(&mut self, step: usize) -> bool {
        let now_ns = self.orders.now_ns;
        let Some(operation) = P::LOGON.get(step) else {
            // What is half written has to be ended where it was begun.
            if self.outgoing.timed.is_empty() && self.session.flush() {
                self.take_over();
            }
            return true;
        };
        let weight = self.protocol.weight(RequestClass::Logon);
        if !self.orders.gate.may_send(RequestClass::Logon, weight, now_ns) {
            return false;
        }
        let Some(id) = self.orders.requests.add(Asked::Logon(operation), now_ns) else {
            return false;
        };
        let time_ms = self.time_ms();
        self.protocol.logon(step, id, time_ms, &mut self.text);
        // Refused only on a connection that is about to end.
        let _refused = match P::logon_way(step) {
            Way::Rest => self.ask_over_rest(id),
            Way::Session | Way::Stream => self.rollover.session.send(&self.text).is_ok(),
        };
        self.rollover.session.flush();
        self.rollover.step = Step::Joining(step + 1);
        true
    }

    /// New requests leave on the next connection from now on.
    fn take_over(&mut self) {
        let now_ns = self.orders.now_ns;
        std::mem::swap(&mut self.session, &mut self.rollover.session);
        let until_ns = now_ns + self.answer_ns.max(self.orders.in_flight_max_ns) + READ_ON_NS;
        self.rollover.step = Step::ReadingOn { until_ns };
        self.rollover.opened::<P>(now_ns);
        // A stream of its own follows, as long as it is still the account's.
        self.check_stream_path();
        self.want_next_stream();
        self.orders.account_stream.subscribed(now_ns);
        // Nothing should be missing: a look at what is open costs little.
        self.orders.wants_query_of_all = true;
        self.orders.stats.handed_over();
        self.orders.stats.set_state(self.session.state());
        log::info!("[{}] orders handed over to the next connection", self.orders.venue);
    }

    /// The next connection can't be had.
    #[cold]
    pub(super) fn give_next_up(&mut self, why: &str) {
        log::warn!("[{}] orders, the next connection is given up: {why}", self.orders.venue);
        self.orders.requests.forget_logons();
        self.rollover.give_up(self.orders.now_ns + AGAIN_NS);
    }

    /// Takes the frames of at most one read of the other connection.
    fn take_other_frames(&mut self) -> usize {
        let Self { rollover, protocol, orders, .. } = self;
        let taken = take_frames(&mut rollover.session, protocol, orders);
        orders.account_stream.is_ending = false;
        if let Some((operation, reason, code)) = orders.failure.take() {
            if rollover.is_joining() {
                log::warn!("[{}] {operation}: {reason} (code: {code})", orders.venue);
                self.give_next_up(reason);
            } else {
                // The old one ends, as it was to.
                let due_ns = rollover.due_ns;
                rollover.give_up(due_ns);
            }
        }
        taken.messages
    }
}
