//! What keeps the account's stream alive at a venue that ends it unless it is asked not to.
//!
//! A request in time that was not answered, or was refused, is made again. Where the venue says
//! that the stream is gone, the session begins anew, and logs on to a new one.

use super::agent::OrderAgent;
use super::requests_in_flight::Asked;
use super::stage::{POLL_NS, Stage};
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::OrderProtocol;

/// The pause after a failure, ns.
const AGAIN_NS: u64 = 60_000_000_000;

/// When the stream is kept up next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upkeep {
    /// ns of the engine's clock; `u64::MAX`: not at all, or its answer is awaited.
    due_ns: u64,
}

impl Default for Upkeep {
    fn default() -> Upkeep {
        Upkeep { due_ns: u64::MAX }
    }
}

impl Upkeep {
    /// Of a stream that begins now, or was kept up just now.
    pub(super) fn begun<P: OrderProtocol>(now_ns: u64) -> Upkeep {
        Upkeep { due_ns: P::UPKEEP_NS.map_or(u64::MAX, |every_ns| now_ns + every_ns) }
    }

    /// It was not done, or nobody knows.
    pub(super) fn failed(&mut self, now_ns: u64) {
        self.due_ns = now_ns + AGAIN_NS;
    }
}

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// When it is due, ns.
    pub(super) fn upkeep_timer_ns(&self) -> u64 {
        if self.stage == Stage::Ready { self.orders.upkeep.due_ns } else { u64::MAX }
    }

    /// Sends the request, once it is due.
    #[inline]
    pub(super) fn keep_up(&mut self) -> usize {
        if self.orders.now_ns < self.upkeep_timer_ns() {
            return 0;
        }
        self.send_upkeep()
    }

    #[cold]
    fn send_upkeep(&mut self) -> usize {
        let now_ns = self.orders.now_ns;
        if self.stop.phase() >= Phase::Draining || self.rollover.is_joining() {
            self.orders.upkeep.due_ns = now_ns + POLL_NS;
            return 0;
        }
        let weight = self.protocol.weight(RequestClass::Logon);
        if !self.orders.gate.may_send(RequestClass::Logon, weight, now_ns) {
            self.orders.upkeep.due_ns = now_ns + POLL_NS;
            return 0;
        }
        let Some(id) = self.orders.requests.add(Asked::Upkeep, now_ns) else { return 0 };
        let time_ms = self.time_ms();
        self.protocol.upkeep(id, time_ms, &mut self.text);
        // The one after it, unless the answer to this one says otherwise.
        self.orders.upkeep = Upkeep::begun::<P>(now_ns);
        if self.session.send(&self.text).is_ok() {
            self.session.flush();
        } else {
            self.orders.requests.take(id);
            self.orders.upkeep.failed(now_ns);
        }
        1
    }
}
