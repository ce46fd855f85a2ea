//! What a market agent does for its streams: subscribes, takes requests for more, hears answers,
//! and minds those that are silent.

use super::agent::MarketAgent;
use super::resubscribe::Resubscriptions;
use super::resync;
use super::streams::Remedy;
use crate::event::InstrumentId;
use crate::venue::EventOutlet;
use crate::venue::protocol::MarketProtocol;
use crate::venue::transport::CloseReason;

/// Requests that may wait for their replies where replies come in their order.
const UNANSWERED_MAX: usize = 64;

impl<P: MarketProtocol, O: EventOutlet> MarketAgent<P, O> {
    /// Takes a request for more streams, and answers it once the venue has. Without a connection it
    /// is answered at once: the next one subscribes to all.
    #[cold]
    pub(super) fn exchange_streams(&mut self) -> usize {
        let Some(port) = &self.port else { return 0 };
        if self.asked.is_none()
            && let Some(mut request) = port.staged.take()
        {
            // What is added now would be missing on the next connection.
            if self.rollover.is_under_way() {
                self.rollover.give_up(self.now_ns);
            }
            request.subscriptions.take_over(&self.subscriptions);
            std::mem::swap(&mut request.subscriptions, &mut self.subscriptions);
            self.asked = Some(request);
            if self.session.is_open() && self.subscribed_by_ns.is_none() {
                self.subscribe_at_ns.get_or_insert(self.may_subscribe_ns);
            }
        }
        let is_settled = !self.session.is_open() || self.subscriptions.is_complete();
        if is_settled && let Some(asked) = self.asked.take() {
            if asked.refusal.is_none() {
                for stream in &asked.streams {
                    self.feed.expect(*stream, self.now_ns);
                }
                self.expected.extend(&asked.streams);
            }
            // Just being looked at from the other side: the next cycle tries again.
            self.asked = port.done.put(asked).err();
        }
        1
    }

    /// Sends what is still to be subscribed to, and watches the answers' deadline.
    #[cold]
    pub(super) fn subscribe(&mut self) {
        let may_send_ns = self.session.may_send_ns();
        if self.now_ns < may_send_ns {
            self.subscribe_at_ns = Some(may_send_ns);
            return;
        }
        let Self { session, subscriptions, subscribed_by_ns, .. } = self;
        let due_ns = self.now_ns + self.subscribe_ns;
        self.subscribe_at_ns = None;
        self.may_subscribe_ns = self.now_ns + P::LIMITS.subscribe_interval_ns;
        let sent = subscriptions.send_next(|request| {
            *subscribed_by_ns = Some(due_ns);
            session.send(request.as_bytes()).is_ok()
        });
        if subscriptions.is_complete() {
            *subscribed_by_ns = None;
        }
        session.flush();
        if let Some(id) = sent {
            self.await_reply(id);
        }
    }

    /// Notes that a request was sent whose reply will not say whose it is.
    fn await_reply(&mut self, id: u64) {
        if P::NUMBERS_REPLIES {
            return;
        }
        if self.unanswered.len() == UNANSWERED_MAX {
            let reason = "too many requests without an answer";
            self.session.fail(CloseReason::Refused { operation: "subscribe", reason, code: 0 });
            return;
        }
        self.unanswered.push_back(id);
    }

    /// A reply that does not say whose it is: that of the oldest request.
    #[cold]
    pub(super) fn on_next_reply(&mut self, error: Option<i32>) {
        match (self.unanswered.pop_front(), error) {
            (Some(id), error) => self.on_reply(id, error),
            (None, Some(code)) => {
                log::warn!("[{}] the venue reports an error (code: {code})", self.venue);
            }
            // It repeats what is subscribed to.
            (None, None) => {}
        }
    }

    #[cold]
    pub(super) fn on_reply(&mut self, id: u64, error: Option<i32>) {
        if Resubscriptions::is_reply(id) {
            if let Some(code) = error {
                log::warn!("[{}] a silent stream can't be had again (code: {code})", self.venue);
            }
            return;
        }
        if let Some(slot) = resync::slot_of(id) {
            if let Some(code) = error {
                log::warn!("[{}] book not told again: refused (code: {code})", self.venue);
                self.feed.on_book_refused(slot);
            }
            return;
        }
        if let (Some(code), Some(asked)) = (error, &mut self.asked)
            && !asked.subscriptions.has(id)
        {
            // The connection stays as it was before somebody asked for more.
            log::warn!("[{}] more streams refused by the venue (code: {code})", self.venue);
            asked.refusal = Some(code);
            // What was answered since then stays answered.
            asked.subscriptions.take_over(&self.subscriptions);
            std::mem::swap(&mut asked.subscriptions, &mut self.subscriptions);
            self.subscribed_by_ns = None;
        } else if let Some(code) = error.filter(|_| self.subscriptions.is_essential(id)) {
            let reason = "refused by the venue";
            self.session.fail(CloseReason::Refused { operation: "subscribe", reason, code });
        } else if self.subscriptions.on_reply(id) {
            if let Some(code) = error {
                // Asked for while there was no connection. All others are worth more than this one.
                log::error!("[{}] streams refused, and left out (code: {code})", self.venue);
            }
            self.subscribed_by_ns = None;
            self.subscribe_at_ns = (!self.subscriptions.is_complete())
                .then_some(self.now_ns + P::LIMITS.subscribe_interval_ns);
        }
    }

    /// Says something of one stream, as long as there are not too many lines.
    #[cold]
    pub(super) fn say(&mut self, instrument: InstrumentId, line: impl FnOnce(&str, &str)) {
        if !self.lines.take(self.now_ns) {
            self.unsaid += 1;
            return;
        }
        line(&self.venue, self.feed.symbols().native(instrument).unwrap_or_default());
        if self.unsaid > 0 {
            log::warn!("[{}] {} lines about other streams left out", self.venue, self.unsaid);
            self.unsaid = 0;
        }
    }

    /// Looks for streams that are silent, and does what may help.
    #[cold]
    pub(super) fn mind_streams(&mut self) {
        if self.is_held_back {
            self.feed.excuse(self.now_ns);
        }
        while let Some(outlet) = &mut self.outlet {
            let Some((stream, silent_ns, remedy, is_new)) =
                self.feed.next_silent(self.now_ns, outlet)
            else {
                break;
            };
            let (instrument, kind) = stream;
            let done = match remedy {
                Remedy::Wait => "it is told as stale",
                Remedy::Resubscribe if self.resubscriptions.want(stream) => {
                    self.stats.resubscribed();
                    "subscribing to it again"
                }
                Remedy::Resubscribe => "its topic is not known",
                Remedy::Reconnect => {
                    self.session.fail(CloseReason::DataIdle);
                    "reconnecting"
                }
            };
            if is_new || remedy == Remedy::Reconnect {
                let (kind, ms) = (kind.name(), silent_ns / 1_000_000);
                self.say(instrument, |venue, native| {
                    log::warn!("[{venue}] no {kind} of {native} for {ms} ms: {done}");
                });
            }
        }
    }

    /// Asks for silent streams again, as the venue's limits on requests allow.
    #[cold]
    pub(super) fn resubscribe(&mut self) {
        let is_busy = self.subscribed_by_ns.is_some() || self.subscribe_at_ns.is_some();
        let may_send_ns = self.may_subscribe_ns.max(self.session.may_send_ns());
        if is_busy || !self.session.is_open() || self.now_ns < may_send_ns {
            return;
        }
        if let Some((id, request)) = self.resubscriptions.next::<P>() {
            // Refused only on a connection that is about to end.
            let _refused = self.session.send(request.as_bytes());
            self.await_reply(id);
        }
        // Of a pair the second one leaves as soon as a message may: nothing comes between them.
        if !self.resubscriptions.is_half_done() {
            self.may_subscribe_ns = self.now_ns + 2 * P::LIMITS.subscribe_interval_ns;
        }
        self.session.flush();
    }
}
