//! The requests that set the venue's timer that cancels all, and what their answers say.

use super::agent::OrderAgent;
use super::reconcile::Reconciler;
use super::requests_in_flight::Asked;
use super::stage::{POLL_NS, Stage};
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{Failure, OrderProtocol, ReplyBody};

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Sets the timer again, when it is time and the session could cancel by itself.
    pub(super) fn set_dead_man(&mut self) -> usize {
        let is_due = self.orders.now_ns >= self.orders.dead_man.next_timer_ns();
        let is_up = matches!(self.stage, Stage::Asking | Stage::Ready);
        if !is_due || !is_up || self.stop.phase() >= Phase::Draining {
            return 0;
        }
        let timeout_ms = self.orders.dead_man.timeout_ms;
        usize::from(self.ask_dead_man(timeout_ms))
    }

    /// Stops the timer before the session ends in order; whether there is an answer to wait for.
    #[cold]
    pub(super) fn stand_dead_man_down(&mut self) -> bool {
        let now_ns = self.orders.now_ns;
        let dead_man = &mut self.orders.dead_man;
        let is_waiting = dead_man.is_asked();
        // Where it has run out there is nothing to stop any more.
        let is_over = !dead_man.may_run(now_ns);
        let is_up = matches!(self.stage, Stage::Asking | Stage::Ready);
        if is_over || !is_up {
            return false;
        }
        // A request that is held back or refused (the venue takes one a second) is made again,
        // until the run's deadline.
        let is_early = dead_man.is_stood_down && now_ns < dead_man.next_ns;
        dead_man.is_stood_down = true;
        if !is_waiting && !is_early {
            self.ask_dead_man(0);
        }
        true
    }

    #[cold]
    fn ask_dead_man(&mut self, timeout_ms: u32) -> bool {
        let now_ns = self.orders.now_ns;
        // It stands for cancels, and passes as they do.
        let weight = self.protocol.dead_man_weight();
        if !self.orders.gate.may_send(RequestClass::Cancel, weight, now_ns) {
            self.orders.dead_man.next_ns = now_ns + POLL_NS;
            return false;
        }
        let Some(id) = self.orders.requests.add(Asked::DeadMan, now_ns) else { return false };
        let time_ms = self.time_ms();
        let part = self.orders.dead_man.begin(timeout_ms, now_ns);
        let Self { protocol, symbols, text, .. } = self;
        let is_written = match symbols.iter().nth(part) {
            Some((native, _)) if P::DEAD_MAN_BY_SYMBOL => {
                protocol.dead_man_of(native, timeout_ms, time_ms, text)
            }
            _ => protocol.dead_man(timeout_ms, id, time_ms, text),
        };
        let is_sent = is_written && self.send_by(P::dead_man_way(timeout_ms), id);
        if is_sent {
            self.orders.dead_man.sent();
        } else {
            self.orders.requests.take(id);
            self.orders.on_dead_man_failed(None);
        }
        is_sent
    }
}

impl<O: EventOutlet> Reconciler<O> {
    pub(super) fn on_dead_man_set(&mut self, body: &ReplyBody<'_>) {
        let now_ns = self.now_ns;
        if body.is_pending {
            return self.dead_man.failed(now_ns);
        }
        let was_running = self.dead_man.until_ns > 0;
        let Some(until_ns) = self.dead_man.done(now_ns) else { return };
        self.stats.set_dead_man(until_ns);
        if was_running != (until_ns > 0) {
            let (venue, ms) = (&self.venue, self.dead_man.timeout_ms);
            match until_ns {
                0 => log::info!("[{venue}] the venue's timer that cancels all is stopped"),
                _ => log::info!("[{venue}] the venue cancels all {ms} ms after our last message"),
            }
        }
    }

    /// It was not set: what runs, runs out.
    #[cold]
    pub(super) fn on_dead_man_failed(&mut self, failure: Option<&Failure<'_>>) {
        self.dead_man.failed(self.now_ns);
        if self.dead_man.until_ns == 0 && !self.dead_man.is_stood_down {
            // Wanted, and never set: shown as one that has run out.
            self.stats.set_dead_man(1);
        }
        if self.lines.take(self.now_ns) {
            let venue = &self.venue;
            let why = failure.map_or("not sent, or no answer".to_owned(), |failure| {
                format!("{} (code: {})", failure.message.escape_default(), failure.code)
            });
            log::error!("[{venue}] the venue's timer that cancels all could not be set: {why}");
        }
    }
}
