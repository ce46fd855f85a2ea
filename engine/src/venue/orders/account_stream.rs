//! Whether the account's stream still stands (F34): a subscription that died without a word is
//! noticed before the next order depends on it.
//!
//! A quiet stream is no sign: where nothing is traded, nothing is told. So a stream that has been
//! quiet for a while is subscribed to once more: a venue whose stream stands refuses that, and one
//! whose stream is gone subscribes anew. What the dead one should have told is asked for.

use super::agent::OrderAgent;
use super::listing::Known;
use super::reconcile::{DOUBTED_AGAIN_NS, Reconciler};
use super::requests_in_flight::Asked;
use super::stage::{LOOK_NS, Stage};
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{OrderProtocol, Outcome};

/// A stream that was quiet for this time is asked after, ns.
const QUIET_NS: u64 = 30_000_000_000;
/// Doublings of it, to about half an hour, for a venue whose answers prove nothing: it subscribes
/// anew each time.
const DOUBLINGS_MAX: u32 = 6;

/// What is known of the account's stream on the present connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AccountStream {
    /// It stood then, ns: an event came, or the venue said so.
    stood_ns: u64,
    /// A question is on its way.
    is_asked: bool,
    /// Answers in a row that did not say that it stands.
    unproved: u32,
    /// Orders in a row of which it had told nothing when a query found news of them.
    pub(super) silent_finds: u32,
    /// When the stream before it ended, ns: what was sent before was to be told on that one.
    pub(super) cut_ns: u64,
    /// The venue says that the connection will end.
    pub(super) is_ending: bool,
}

impl AccountStream {
    /// It was subscribed to on a new connection.
    pub(super) fn subscribed(&mut self, now_ns: u64) {
        (self.stood_ns, self.is_asked) = (now_ns, false);
    }

    /// An event came on it.
    #[inline]
    pub(super) fn heard(&mut self, now_ns: u64) {
        self.stood_ns = now_ns;
    }

    /// The venue says that it stands.
    pub(super) fn stands(&mut self, now_ns: u64) {
        (self.stood_ns, self.is_asked, self.unproved) = (now_ns, false, 0);
    }

    /// The answer says nothing, or that it is a new one: the next question comes later.
    pub(super) fn unclear(&mut self, now_ns: u64) {
        (self.stood_ns, self.is_asked) = (now_ns, false);
        self.unproved = (self.unproved + 1).min(DOUBLINGS_MAX);
    }

    /// When it is to be asked after, ns.
    fn due_ns(&self) -> u64 {
        if self.is_asked {
            return u64::MAX;
        }
        self.stood_ns.saturating_add(QUIET_NS << self.unproved.saturating_sub(1))
    }
}

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// When the account's stream is to be asked after, ns.
    pub(super) fn stream_look_ns(&self) -> u64 {
        let is_known =
            P::SUBSCRIBE_STEP.is_some() && self.orders.known.stream != Known::EndsSession;
        if !is_known || self.stage != Stage::Ready {
            return u64::MAX;
        }
        self.orders.account_stream.due_ns().max(self.orders.now_ns + LOOK_NS)
    }

    /// Asks whether the account's stream stands, once it has been quiet for long.
    pub(super) fn ask_whether_stream_stands(&mut self) {
        let Some(step) = P::SUBSCRIBE_STEP else { return };
        let now_ns = self.orders.now_ns;
        let is_over =
            self.stop.phase() >= Phase::Draining || self.orders.known.stream == Known::EndsSession;
        let is_ready = self.stage == Stage::Ready && !self.rollover.is_joining();
        if !is_ready || is_over || now_ns < self.orders.account_stream.due_ns() {
            return;
        }
        let weight = self.protocol.weight(RequestClass::Logon);
        if !self.orders.gate.may_send(RequestClass::Query, weight, now_ns) {
            return;
        }
        let Some(id) = self.orders.requests.add(Asked::Subscribe, now_ns) else { return };
        let time_ms = self.time_ms();
        self.protocol.logon(step, id, time_ms, &mut self.text);
        if self.session.send(&self.text).is_ok() {
            self.orders.account_stream.is_asked = true;
            self.session.flush();
        } else {
            self.orders.requests.take(id);
        }
    }
}

impl<O: EventOutlet> Reconciler<O> {
    /// The venue did not subscribe anew.
    pub(super) fn on_no_new_stream(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Subscribed => self.account_stream.stands(self.now_ns),
            _ => self.account_stream.unclear(self.now_ns),
        }
    }

    /// The venue subscribed anew: the stream before had ended, and what it should have told is
    /// asked for.
    #[cold]
    pub(super) fn on_stream_renewed(&mut self) {
        let (venue, now_ns) = (&self.venue, self.now_ns);
        log::warn!(
            "[{venue}] the account's stream had ended without a word: it is subscribed to again, \
             and the venue is asked for every open order"
        );
        self.stats.stale();
        self.stats.resubscribed();
        self.account_stream.unclear(now_ns);
        // What was sent before was to be told on the stream that is gone.
        (self.account_stream.silent_finds, self.account_stream.cut_ns) = (0, now_ns);
        self.table.doubt_ends(now_ns.saturating_sub(DOUBTED_AGAIN_NS), now_ns);
        self.wants_look_at_all = true;
        self.look_at_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_stream_is_asked_after_once_it_was_quiet_and_more_rarely_where_answers_prove_nothing() {
        let mut stream = AccountStream::default();
        stream.subscribed(5 * S);
        assert_eq!(stream.due_ns(), 35 * S);
        stream.heard(20 * S);
        assert_eq!(stream.due_ns(), 50 * S);
        stream.is_asked = true;
        assert_eq!(stream.due_ns(), u64::MAX, "one question at a time");
        stream.stands(50 * S);
        assert_eq!(stream.due_ns(), 80 * S);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            stream.unclear(100 * S);
            pauses.push(stream.due_ns() / S - 100);
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 960, 960]);
        stream.stands(100 * S);
        assert_eq!(stream.due_ns(), 130 * S, "it is one that answers");
    }
}
