//! What replies to requests do to the orders that they are about.

use std::ops::RangeInclusive;

use super::listing::{Known, Listing};
use super::order::{KnownOrder, NamedBy};
use super::reconcile::{ABSURD_FEE, GONE_AGAIN_NS, Reconciler};
use super::requests_in_flight::{Answered, Asked};
use super::states::OrderInput;
use super::told::{Applied, Told, VenueAnswer, VenueFill};
use crate::event::RejectReason;
use crate::order::OrderKey;
use crate::venue::governor::{PauseScope, ToldLimits};
use crate::venue::protocol::{Failure, Outcome, Reach, Reply, ReplyBody};
use crate::venue::{EventOutlet, LetterReason};

/// What is wrong with a list of fills that names another order.
const OTHERS_FILLS: &str = "list of another order's fills";
/// Orders in a row of which the stream had told nothing when a query found news of them.
const SILENT_FINDS_MAX: u32 = 2;

/// What is unknown of a failure.
const UNKNOWN_REASON: &str = "reason of a failure not known";

impl<O: EventOutlet> Reconciler<O> {
    #[inline]
    pub(super) fn on_reply(
        &mut self,
        reply: &Reply<'_>,
        outcome: impl FnOnce(&Failure<'_>) -> Outcome,
        raw: &[u8],
    ) {
        let sent_ns = self.requests.sent_ns(reply.id);
        if let (Some(sent_ns), Some(time_ns)) = (sent_ns, reply.time_ns) {
            self.venue_clock.measured(sent_ns, self.read_ns, time_ns);
        }
        let asked = match self.requests.take(reply.id) {
            Some(Answered::First(asked)) => asked,
            Some(Answered::Again(asked)) => return self.on_second_reply(asked, reply, raw),
            None => {
                if self.lines.take(self.now_ns) {
                    log::warn!("[{}] reply to unknown request {}", self.venue, reply.id);
                }
                return;
            }
        };
        self.known.answered(asked);
        let behind = self.requests.behind(reply.id);
        let mut refused = None;
        match &reply.outcome {
            Ok(body) if asked == Asked::Positions => {
                self.on_listed_positions(body, sent_ns.unwrap_or(self.now_ns), raw);
            }
            Ok(body) => self.on_success(asked, body, reply.time_ns.is_some(), raw),
            Err(failure) => {
                if let Some(word) = failure.unknown {
                    self.on_unknown_value((UNKNOWN_REASON, word), raw);
                }
                let outcome = self.gate.meaning(asked, outcome(failure), failure.code);
                self.pause(outcome, failure);
                self.on_failure(asked, outcome, failure);
                refused = Some((outcome, failure));
            }
        }
        if !behind.is_empty() && reply.reach != Reach::One {
            self.on_reply_to_several(behind, refused.filter(|_| reply.reach == Reach::All), raw);
        }
    }

    /// Requests that went out with one that is answered, and have no answer of their own: they were
    /// refused with it, or nobody knows.
    #[cold]
    fn on_reply_to_several(
        &mut self,
        behind: RangeInclusive<u64>,
        refused: Option<(Outcome, &Failure<'_>)>,
        raw: &[u8],
    ) {
        let Some((outcome, failure)) = refused else {
            const DETAIL: &str = "no answer to one of several requests";
            self.letter(LetterReason::Order, DETAIL, raw);
            return self.on_no_answer(behind, DETAIL);
        };
        for id in behind {
            if let Some(Answered::First(asked)) = self.requests.take(id) {
                self.on_failure(asked, outcome, failure);
            }
        }
    }

    /// No reply to these requests can be read, or will come.
    #[cold]
    pub(super) fn on_no_answer(&mut self, ids: RangeInclusive<u64>, detail: &'static str) {
        for id in ids {
            if let Some(answered) = self.requests.take(id) {
                self.on_unread_reply(answered, detail);
            }
        }
    }

    /// A failure of no request of ours.
    #[cold]
    pub(super) fn on_unasked(&mut self, outcome: &Outcome, failure: &Failure<'_>, raw: &[u8]) {
        self.letter(LetterReason::Order, "failure of no request", raw);
        if let Some(word) = failure.unknown {
            self.on_unknown_value((UNKNOWN_REASON, word), raw);
        }
        self.pause(*outcome, failure);
        if self.lines.take(self.now_ns) {
            let (message, code) = (failure.message.escape_default(), failure.code);
            log::warn!("[{}] the venue says unasked: {message} (code: {code})", self.venue);
        }
    }

    /// A request is answered once. What a second reply to a new order adds is asked for.
    #[cold]
    fn on_second_reply(&mut self, asked: Asked, reply: &Reply<'_>, raw: &[u8]) {
        self.letter(LetterReason::Order, "second reply to a request", raw);
        let Asked::Submit(key) = asked else { return };
        self.alarm(key, "second reply to a request");
        let input = if reply.outcome.is_ok() { OrderInput::Accepted } else { OrderInput::NoAnswer };
        self.apply(key, input);
    }

    /// A reply that can't be read: what it answered is not known to be done.
    #[cold]
    pub(super) fn on_unread_reply(&mut self, answered: Answered, detail: &'static str) {
        let Answered::First(asked) = answered else { return };
        match asked {
            Asked::Logon(operation) => {
                self.failure.get_or_insert((operation, "reply that can't be read", 0));
            }
            Asked::Submit(key) | Asked::Amend(key) => {
                self.alarm(key, detail);
                self.apply(key, OrderInput::NoAnswer);
            }
            Asked::Cancel(key) => {
                self.alarm(key, detail);
                self.apply(key, OrderInput::CancelLost);
            }
            Asked::Query(key, _) => {
                self.alarm(key, detail);
                self.change(key, KnownOrder::on_query_failed);
            }
            Asked::Fills(key) => {
                self.alarm(key, detail);
                self.listing = None;
                self.on_no_fills(key);
            }
            Asked::Time => self.venue_clock.failed(self.now_ns),
            Asked::Subscribe => self.account_stream.unclear(self.now_ns),
            Asked::DeadMan => self.on_dead_man_failed(None),
            Asked::Upkeep => self.account_stream.upkeep.failed(self.now_ns),
            Asked::CancelSymbol(consumer, instrument) => {
                self.symbol_not_cancelled((consumer, instrument), RejectReason::Venue, 0);
            }
            Asked::OpenOrders | Asked::Balances | Asked::Positions | Asked::CancelListed(_) => {
                self.account.failed(asked, None, self.now_ns);
            }
            Asked::Account(place) => self.not_inspected(place, detail.to_owned()),
        }
    }

    fn on_success(&mut self, asked: Asked, body: &ReplyBody<'_>, has_time: bool, raw: &[u8]) {
        if std::mem::take(&mut self.gate.is_slowed) {
            self.gate.governor().granted(PauseScope::Address);
            self.gate.governor().granted(PauseScope::Orders);
        }
        if let Some(why) = asked.order().and_then(|key| self.is_of_another(key, asked, body)) {
            self.letter(LetterReason::Order, why, raw);
            return self.on_unread_reply(Answered::First(asked), why);
        }
        match asked {
            Asked::Logon(_) => self.logon_replies += 1,
            Asked::Time if !has_time => self.venue_clock.failed(self.now_ns),
            // The stream tells which orders it ended.
            Asked::Time | Asked::CancelSymbol(..) => {}
            Asked::Upkeep => self.account_stream.upkeep.is_answered = true,
            Asked::DeadMan => self.on_dead_man_set(body),
            Asked::Subscribe => self.on_stream_renewed(),
            Asked::Submit(key) => {
                let sent_reports = 0;
                self.table.change(key, |order| order.named_by_reply(body.venue_order_id));
                if let Some(order) = self.table.get(key) {
                    self.thinning.accepted(&order.command);
                }
                self.apply(key, OrderInput::Accepted);
                self.on_reply_state(key, sent_reports, body, raw);
            }
            Asked::Cancel(key) => {
                let reports = self.table.get(key).map_or(0, |order| order.reports);
                self.apply(key, OrderInput::CancelAccepted);
                self.on_reply_state(key, reports, body, raw);
            }
            // The report follows; without one the next look finds out.
            Asked::Amend(key) => {
                let reports = self.table.get(key).map_or(0, |order| order.reports);
                self.change(key, KnownOrder::on_amend_accepted);
                self.on_reply_state(key, reports, body, raw);
            }
            Asked::Query(key, reports) => match &body.state {
                Some(answer) => self.on_answer(key, reports, answer, raw),
                None => {
                    self.letter(LetterReason::Field, "answer without the order's state", raw);
                    self.change(key, KnownOrder::on_query_failed);
                }
            },
            Asked::Fills(key) => self.on_list(key, body, raw),
            Asked::OpenOrders => self.on_open_orders(body, raw),
            Asked::Balances => self.on_account_balances(body, raw),
            // Taken before: they go with the time at which they were asked for.
            Asked::Positions => {}
            Asked::CancelListed(place) => self.account.canceled(place),
            Asked::Account(place) => self.on_inspected(place, raw),
        }
    }

    /// What in a reply about an order says that it is about another one.
    fn is_of_another(
        &mut self,
        key: OrderKey,
        asked: Asked,
        body: &ReplyBody<'_>,
    ) -> Option<&'static str> {
        let is_named = !body.name.is_empty();
        if is_named && body.name != self.names.name(key).as_slice() {
            return Some("reply names another order");
        }
        if !is_named && body.state.is_some() {
            return Some("reply tells an order's state and not its name");
        }
        let id = body.venue_order_id;
        // Of a state, the number is held against the order's with the rest of it.
        if id.is_none() || body.state.is_some() {
            return None;
        }
        let is_other = |order: &mut KnownOrder| {
            let has_name = !order.venue_order_id.is_none() && !order.is_named_by_reply;
            let is_other = has_name && order.venue_order_id != id;
            if is_other && !matches!(asked, Asked::Fills(_)) {
                order.count_name(id, NamedBy::Reply);
            }
            is_other
        };
        let is_other = self.table.change(key, is_other).unwrap_or(false);
        is_other.then_some("reply on another order of that name")
    }

    /// A page of the list of an order's fills.
    #[cold]
    fn on_list(&mut self, key: OrderKey, body: &ReplyBody<'_>, raw: &[u8]) {
        self.known.fills = Known::Answered;
        if let Some(unknown) = body.unknown {
            self.on_unknown_value(unknown, raw);
        }
        let before = self.listing.take().filter(|listing| listing.key == key);
        let is_its = |order: &KnownOrder| order.venue_order_id == body.venue_order_id;
        let is_its = self.table.get(key).is_some_and(is_its);
        if !is_its && !body.fills.is_empty() {
            self.letter(LetterReason::Order, OTHERS_FILLS, raw);
            self.alarm(key, OTHERS_FILLS);
        }
        let wrong = body.unreadable.map(|error| (error.reason, error.detail));
        let after = Listing::after(before, key, body, self.fills_max);
        let too_long = after.err().map(|why| (LetterReason::Oversize, why));
        if let Some((reason, detail)) = wrong.or(too_long) {
            self.letter(reason, detail, raw);
            self.alarm(key, detail);
        }
        if !is_its || body.fills.is_empty() && !body.has_older {
            return self.on_no_fills(key);
        }
        self.listing = after.unwrap_or_default();
        if !body.has_older && (before.is_some() || self.listing.is_none()) {
            self.on_fills(key, body.fills, before.map_or(0, |listing| listing.qty), raw);
        }
        if self.listing.is_some() {
            // The next page at once, within the budget of questions.
            let now_ns = self.now_ns;
            self.table.change(key, |order| order.fills_ns = now_ns);
        }
    }

    /// The state of an order in the reply to a request that is no query.
    fn on_reply_state(&mut self, key: OrderKey, reports: u32, body: &ReplyBody<'_>, raw: &[u8]) {
        let Some(answer) = &body.state else { return };
        let (mut told, now_ns) = (Told::new(), self.now_ns);
        let applied = self
            .table
            .change(key, |order| order.on_reply_state(answer, reports, now_ns, &mut told));
        self.tell(key, 0, &told);
        if let Some(Applied::Contradiction(detail)) = applied {
            self.letter(LetterReason::Order, detail, raw);
            self.alarm(key, detail);
        } else if !body.fills.is_empty() {
            self.on_fills(key, body.fills, 0, raw);
        }
    }

    pub(super) fn on_answer(
        &mut self,
        key: OrderKey,
        reports: u32,
        answer: &VenueAnswer,
        raw: &[u8],
    ) {
        let (mut told, now_ns) = (Told::new(), self.now_ns);
        let mut was_missed = false;
        let cut_ns = self.account_stream.cut_ns;
        let applied = self.table.change(key, |order| {
            // Of what an earlier connection sent, that one's stream had to tell.
            was_missed = !order.is_heard() && order.sent_ns > cut_ns;
            order.on_answer(answer, reports, now_ns, &mut told)
        });
        self.tell(key, 0, &told);
        match applied {
            Some(Applied::Contradiction(detail)) => {
                self.letter(LetterReason::Order, detail, raw);
                self.alarm(key, detail);
            }
            Some(Applied::Taken) if was_missed => {
                self.account_stream.silent_finds += 1;
                if self.account_stream.silent_finds >= SILENT_FINDS_MAX {
                    self.account_stream.silent_finds = 0;
                    self.failure.get_or_insert(("read", "the account's stream is silent", 0));
                }
            }
            _ => {}
        }
    }

    /// Fills of the venue's list of them that cover the filled quantity above `from`.
    #[cold]
    fn on_fills(&mut self, key: OrderKey, fills: &[VenueFill], mut from: i64, raw: &[u8]) {
        let (now_ns, mut wrong) = (self.now_ns, None);
        let instrument = self.table.get(key).map(|order| order.command.instrument_id());
        for fill in fills {
            let (mut told, mut fill) = (Told::new(), *fill);
            if let (Some(instrument), Some(fee)) = (instrument, fill.fee)
                && !self.fee_bounds.allow(instrument, fee, (fill.price, fill.qty))
            {
                (fill.fee, wrong) = (None, Some(ABSURD_FEE));
            }
            let applied = self
                .table
                .change(key, |order| order.on_listed_fill(&fill, from, now_ns, &mut told));
            self.tell(key, 0, &told);
            if let Some(Applied::Contradiction(detail)) = applied {
                // The others may be right all the same.
                wrong = wrong.or(Some(detail));
            }
            from = from.saturating_add(fill.qty);
        }
        if let Some(detail) = wrong {
            self.letter(LetterReason::Order, detail, raw);
            self.alarm(key, detail);
        }
        self.table.change(key, |order| order.look_for_fills(now_ns));
        self.on_no_fills(key);
    }

    /// A list of fills has come, or did not come. Says what stays as it was inferred, once nothing
    /// more is asked for.
    #[cold]
    pub(super) fn on_no_fills(&mut self, key: OrderKey) {
        let is_left = |order: &KnownOrder| order.fills.is_unsettled() && order.fills_ns == u64::MAX;
        if self.table.get(key).is_some_and(is_left) && self.lines.take(self.now_ns) {
            let name = self.names.name(key);
            let (venue, name) = (&self.venue, name.escape_ascii());
            log::warn!(
                "[{venue}] order {name}: the venue did not list its fills; price or fee of some \
                 stay as they were told"
            );
        }
    }

    /// Follows what a frame said of the venue's limits.
    #[cold]
    pub(super) fn learn(&mut self, words: &ToldLimits) {
        let wall_ns = self.clock.wall_at_ns(self.now_ns);
        self.gate.governor().learn(words, self.now_ns, wall_ns);
    }

    /// An inferred end of which the venue said for the first time that there is no such order is
    /// asked for once more, much later: the answer may have come from a replica that lags.
    pub(super) fn doubt_end_once(&mut self, key: OrderKey) {
        let now_ns = self.now_ns;
        let is_first = |order: &KnownOrder| {
            order.is_presumed_since(now_ns) || order.is_gone_for_the_first_time()
        };
        if self.table.get(key).is_some_and(is_first) {
            self.table.doubt_end(key, now_ns + GONE_AGAIN_NS);
        }
    }
}
