//! The requests that keep the account's stream alive.

use super::agent::OrderAgent;
use super::requests_in_flight::Asked;
use super::stage::{POLL_NS, Stage};
use super::upkeep::Upkeep;
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::OrderProtocol;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// When it is due, ns.
    pub(super) fn upkeep_timer_ns(&self) -> u64 {
        if self.stage == Stage::Ready { self.orders.account_stream.upkeep.due_ns } else { u64::MAX }
    }

    /// Sends the request, once it is due.
    #[inline]
    pub(super) fn keep_up(&mut self) -> usize {
        if std::mem::take(&mut self.orders.account_stream.upkeep.is_answered) {
            self.check_stream_path();
        }
        if self.orders.now_ns < self.upkeep_timer_ns() {
            return 0;
        }
        self.send_upkeep()
    }

    #[cold]
    fn send_upkeep(&mut self) -> usize {
        let now_ns = self.orders.now_ns;
        if self.stop.phase() >= Phase::Draining || self.rollover.is_joining() {
            self.orders.account_stream.upkeep.due_ns = now_ns + POLL_NS;
            return 0;
        }
        let weight = self.protocol.weight(RequestClass::Logon);
        if !self.orders.gate.may_send(RequestClass::Logon, weight, now_ns) {
            self.orders.account_stream.upkeep.due_ns = now_ns + POLL_NS;
            return 0;
        }
        let Some(id) = self.orders.requests.add(Asked::Upkeep, now_ns) else { return 0 };
        let time_ms = self.time_ms();
        self.protocol.upkeep(id, time_ms, &mut self.text);
        // The one after it, unless the answer to this one says otherwise.
        self.orders.account_stream.upkeep = Upkeep::begun::<P>(now_ns);
        if self.session.send(&self.text).is_ok() {
            self.session.flush();
        } else {
            self.orders.requests.take(id);
            self.orders.account_stream.upkeep.failed(now_ns);
        }
        1
    }
}
