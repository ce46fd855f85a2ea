//! Whether the account's stream still stands (F34): a subscription that died in silence is
//! noticed before the next order depends on it.
//!
//! A quiet stream is no sign: where nothing is traded, nothing is told. So a stream that has been
//! quiet for a while is subscribed to once more: a venue whose stream stands refuses that, and one
//! whose stream is gone subscribes anew. What the dead one should have told is asked for.

use super::agent::OrderAgent;
use super::listing::Known;
use super::reconcile::{DOUBTED_AGAIN_NS, Reconciler};
use super::requests_in_flight::Asked;
use super::stage::{POLL_NS, Stage};
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{OrderProtocol, Outcome};

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// When the account's stream is to be asked after, ns.
    pub(super) fn stream_poll_ns(&self) -> u64 {
        let is_known =
            P::SUBSCRIBE_STEP.is_some() && self.orders.known.stream != Known::EndsSession;
        if !is_known || self.stage != Stage::Ready {
            return u64::MAX;
        }
        self.orders.account_stream.due_ns().max(self.orders.now_ns + POLL_NS)
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
            "[{venue}] the account's stream had ended in silence: it is subscribed to again, \
             and the venue is asked for every open order"
        );
        self.stats.stale();
        self.stats.resubscribed();
        self.account_stream.unclear(now_ns);
        // What was sent before was to be told on the stream that is gone.
        (self.account_stream.silent_finds, self.account_stream.cut_ns) = (0, now_ns);
        self.table.doubt_ends(now_ns.saturating_sub(DOUBTED_AGAIN_NS), now_ns);
        self.wants_query_of_all = true;
        self.query_all();
    }
}
