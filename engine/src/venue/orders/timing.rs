//! The venue's time on an order connection: when to wait for it, to ask for it, to distrust it.

use super::agent::OrderAgent;
use super::listing::Known;
use super::reconcile::Reconciler;
use super::requests_in_flight::Asked;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::OrderProtocol;

/// What a question for the venue's time weighs.
const TIME_WEIGHT: u32 = 1;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Whether the venue's time is about to be known.
    pub(super) fn waits_for_time(&self) -> bool {
        let (venue_clock, now_ns) = (&self.orders.venue_clock, self.orders.now_ns);
        venue_clock.is_awaited(now_ns) || venue_clock.is_in_doubt(now_ns)
    }

    /// The logon's time stamp was refused; it is sent again on this connection.
    pub(super) fn is_logon_refused(&self) -> bool {
        self.orders.venue_clock.is_in_doubt(self.orders.now_ns) && self.orders.logons_refused > 0
    }

    /// Asks for the venue's time, where no agent of its own does.
    #[cold]
    pub(super) fn ask_time(&mut self) {
        let (now_ns, class) = (self.orders.now_ns, RequestClass::Query);
        if self.orders.known.time == Known::EndsSession
            || !self.orders.venue_clock.is_due_on_orders(now_ns)
            || !self.orders.gate.may_send(class, TIME_WEIGHT, now_ns)
        {
            return;
        }
        self.orders.venue_clock.asked(now_ns);
        let Some(id) = self.orders.requests.add(Asked::Time, now_ns) else { return };
        if self.protocol.time(id, &mut self.text) && self.session.send(&self.text).is_ok() {
            self.session.flush();
        } else {
            self.orders.requests.take(id);
        }
    }

    /// The venue's time now, ms since the Unix epoch.
    pub(super) fn time_ms(&self) -> i64 {
        self.orders.venue_clock.at_ms(self.orders.now_ns)
    }
}

impl<O: EventOutlet> Reconciler<O> {
    /// The venue refused a time stamp: its time is measured anew, before the next one is sent.
    #[cold]
    pub(super) fn on_wrong_time(&mut self, code: i32) {
        if !self.venue_clock.is_in_doubt(self.now_ns) {
            let venue = &self.venue;
            log::warn!("[{venue}] a time stamp was refused (code: {code}): the time is measured");
        }
        self.venue_clock.doubt(self.now_ns);
    }
}
