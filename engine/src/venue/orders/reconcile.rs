//! Words in, truth out: takes what a venue says, changes the orders it is about, and tells their
//! owners.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::gate::Gate;
use super::names::OrderNames;
use super::order::{Applied, KnownOrder, Told, VenueAnswer, VenueReport};
use super::requests_in_flight::{Asked, RequestsInFlight};
use super::states::Word;
use super::table::OrderTable;
use crate::event::{
    Balance, Certainty, Event, EventPayload, ExecReport, ExecType, ExpiryReason, InstrumentId,
    RejectReason, VenueId, asset_code,
};
use crate::instrument::Instruments;
use crate::order::OrderKey;
use crate::rate::Bucket;
use crate::runtime::Clock;
use crate::venue::governor::{LimitWords, PauseCause, PauseScope};
use crate::venue::protocol::{AssetBalance, Failure, OrderMessage, Outcome, Reply, UnreadFrame};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, TraceIds};

/// A frame that can't be read may have been a report: all open orders are looked at, this often at
/// most, ns.
const LOOK_AT_ALL_NS: u64 = 10_000_000_000;
/// Orders in a row of which the stream had told nothing when a query found news of them.
const SILENT_FINDS_MAX: u32 = 2;
/// A pause that the venue wants without saying how long, ns.
const PAUSE_NS: u64 = 1_000_000_000;
/// The same, of a ban, ns.
const BAN_NS: u64 = 120_000_000_000;
/// Lines a second about contradictions and the like; all are counted.
const ALARM_LINES_PER_S: u32 = 5;

/// The orders of one venue, and the way to those who own them.
pub(super) struct Reconciler<O> {
    pub(super) venue: String,
    pub(super) venue_id: VenueId,
    /// `None` once the venue is closed.
    pub(super) outlet: Option<O>,
    /// Words for which the link had no room, such as those of a lost connection.
    pub(super) backlog: VecDeque<Event>,
    pub(super) table: OrderTable,
    pub(super) names: OrderNames,
    pub(super) instruments: Arc<Instruments>,
    pub(super) requests: RequestsInFlight,
    pub(super) gate: Gate,
    pub(super) stats: Arc<CachePadded<IntakeStats>>,
    pub(super) traces: TraceIds,
    pub(super) clock: Clock,
    pub(super) in_flight_max_ns: u64,
    pub(super) now_ns: u64,
    /// When the frame in hand was read.
    pub(super) read_ns: u64,
    /// The logon's next step; told by its replies.
    pub(super) logon_replies: usize,
    /// The connection has to end; why.
    pub(super) failure: Option<(&'static str, &'static str, i32)>,
    /// Orders that were ended by cancels from outside their strategies.
    pub(super) cancelled_outside: u64,
    pub(super) silent_finds: u32,
    pub(super) look_at_all_ns: u64,
    pub(super) lines: Bucket,
    /// Code with which an order was refused last; 0 before the first.
    pub(super) refused_last: i32,
    /// The venue wanted a pause and did not say for how long.
    pub(super) is_slowed: bool,
}

impl<O: EventOutlet> Reconciler<O> {
    pub(super) fn lines() -> Bucket {
        Bucket::per_s(ALARM_LINES_PER_S)
    }

    #[inline]
    pub(super) fn room(&mut self) -> usize {
        self.outlet.as_mut().map_or(0, EventOutlet::room)
    }

    /// Takes one decoded frame. `outcome` is what the protocol makes of a failure.
    #[inline]
    pub(super) fn on_message(
        &mut self,
        message: OrderMessage<'_>,
        outcome: impl FnOnce(&Failure<'_>) -> Outcome,
        raw: &[u8],
    ) {
        match message {
            OrderMessage::Report { name, report, venue_time_ns } => {
                self.stats.decoded();
                self.on_report(name, &report, venue_time_ns, raw);
            }
            OrderMessage::Balances { venue_time_ns, entries, unreadable } => {
                self.stats.decoded();
                self.on_balances(venue_time_ns, entries, raw);
                if let Some(error) = unreadable {
                    self.letter(error.reason, error.detail, raw);
                }
            }
            OrderMessage::Reply(reply) => {
                self.stats.control();
                self.on_reply(&reply, outcome, raw);
            }
            OrderMessage::Closing(reason) => {
                self.stats.control();
                self.failure.get_or_insert(("read", reason, 0));
            }
            OrderMessage::Other(_) => self.stats.control(),
        }
    }

    /// A frame that could not be read makes its own order a doubt. Where it can't be told whose it
    /// was, all are looked at; a report on a symbol that isn't ours is none of ours.
    #[cold]
    pub(super) fn on_unread(&mut self, frame: UnreadFrame<'_>, raw: &[u8]) {
        let UnreadFrame { error, name } = frame;
        self.stats.refused();
        if error.reason == LetterReason::Unknown {
            self.stats.unknown();
        }
        self.letter(error.reason, error.detail, raw);
        if let Some(key) = name.and_then(|name| self.names.parse(name)) {
            self.alarm(key, error.detail);
            self.word(key, Word::Contradiction);
        } else if error.reason != LetterReason::Symbol && self.now_ns >= self.look_at_all_ns {
            self.look_at_all_ns = self.now_ns + LOOK_AT_ALL_NS;
            let now_ns = self.now_ns;
            self.table.change_open(|order| order.look_ns = order.look_ns.min(now_ns));
        }
    }

    #[cold]
    pub(super) fn letter(&mut self, reason: LetterReason, detail: &'static str, raw: &[u8]) {
        if let Some(outlet) = &mut self.outlet {
            outlet.dead_letter(reason, detail, raw);
        }
    }

    #[inline]
    fn on_report(&mut self, name: &[u8], report: &VenueReport, time_ns: i64, raw: &[u8]) {
        let Some(key) = self.names.parse(name) else {
            self.letter(LetterReason::Order, "no order of this run", raw);
            return;
        };
        if report.expiry == ExpiryReason::Unlisted {
            self.stats.unknown();
            self.letter(LetterReason::Unknown, "expiry reason not known", raw);
        }
        self.silent_finds = 0;
        let (mut told, now_ns) = (Told::new(), self.now_ns);
        let applied = self.table.change(key, |order| order.on_report(report, now_ns, &mut told));
        self.tell(key, time_ns, &told);
        match applied {
            Some(Applied::Taken) => {}
            Some(Applied::Duplicate) => self.stats.duplicates(),
            Some(Applied::Contradiction(detail)) => {
                self.letter(LetterReason::Order, detail, raw);
                self.alarm(key, detail);
            }
            None => {
                let detail = "report on an order that is not remembered";
                self.letter(LetterReason::Order, detail, raw);
                self.alarm(key, detail);
            }
        }
    }

    /// A balance goes with the first instrument that trades its asset: routes are by instrument.
    fn on_balances(&mut self, venue_time_ns: i64, entries: &[AssetBalance], raw: &[u8]) {
        for entry in entries {
            let name = entry.asset.as_str();
            let traded = self.instruments.asset(name).zip(asset_code(name));
            let Some((asset, code)) = traded else { continue };
            if self.room() == 0 {
                // Latest wins: the next change of this asset tells its balance again.
                self.letter(LetterReason::Oversize, "balances without room", raw);
                return;
            }
            let balance = Balance {
                asset: code,
                free: entry.free.0,
                locked: entry.locked.0,
                asset_id: asset.id.0,
                reserved: [0; 12],
            };
            self.publish(asset.first, venue_time_ns, &balance);
        }
    }

    #[inline]
    fn on_reply(
        &mut self,
        reply: &Reply<'_>,
        outcome: impl FnOnce(&Failure<'_>) -> Outcome,
        raw: &[u8],
    ) {
        let Some(asked) = self.requests.take(reply.id) else {
            if self.lines.take(self.now_ns) {
                log::warn!("[{}] reply to unknown request {}", self.venue, reply.id);
            }
            return;
        };
        let failure = match reply.outcome {
            Ok(answer) => return self.on_success(asked, answer, raw),
            Err(failure) => failure,
        };
        let outcome = outcome(&failure);
        match outcome {
            Outcome::SlowDown => self.pause(PauseScope::Address, &failure),
            Outcome::TooManyOrders => self.pause(PauseScope::Orders, &failure),
            _ => {}
        }
        self.on_failure(asked, outcome, &failure);
    }

    fn on_success(&mut self, asked: Asked, answer: Option<VenueAnswer>, raw: &[u8]) {
        if std::mem::take(&mut self.is_slowed) {
            self.gate.governor().granted(PauseScope::Address);
            self.gate.governor().granted(PauseScope::Orders);
        }
        match asked {
            Asked::Logon(_) => self.logon_replies += 1,
            Asked::Submit(key) => self.word(key, Word::Accepted),
            Asked::Cancel(key) => self.word(key, Word::CancelAccepted),
            // The report follows; without one the next look finds out.
            Asked::Amend(key) => self.word(key, Word::CancelAccepted),
            Asked::Query(key, reports) => match answer {
                Some(answer) => self.on_answer(key, reports, &answer, raw),
                None => {
                    self.letter(LetterReason::Field, "answer without the order's state", raw);
                    self.change(key, KnownOrder::on_query_failed);
                }
            },
        }
    }

    fn on_answer(&mut self, key: OrderKey, reports: u32, answer: &VenueAnswer, raw: &[u8]) {
        let (mut told, now_ns) = (Told::new(), self.now_ns);
        let mut was_heard = true;
        let applied = self.table.change(key, |order| {
            was_heard = order.is_heard();
            order.on_answer(answer, reports, now_ns, &mut told)
        });
        self.tell(key, 0, &told);
        match applied {
            Some(Applied::Contradiction(detail)) => {
                self.letter(LetterReason::Order, detail, raw);
                self.alarm(key, detail);
            }
            Some(Applied::Taken) if !was_heard => {
                self.silent_finds += 1;
                if self.silent_finds >= SILENT_FINDS_MAX {
                    self.silent_finds = 0;
                    self.failure.get_or_insert(("read", "the account's stream is silent", 0));
                }
            }
            _ => {}
        }
    }

    #[cold]
    fn on_failure(&mut self, asked: Asked, outcome: Outcome, failure: &Failure<'_>) {
        let Failure { code, message, .. } = *failure;
        let message = message.escape_default();
        if let Asked::Logon(operation) = asked {
            log::error!("[{}] {operation} failed: {message} (code: {code})", self.venue);
            self.failure.get_or_insert((operation, "refused by the venue", code));
            return;
        }
        log::debug!("[{}] {asked:?} failed: {message} (code: {code})", self.venue);
        if matches!(asked, Asked::Submit(_)) && self.refused_last != code {
            // Once for a row of them: the strategy is told of each, and the report counts them.
            self.refused_last = code;
            log::warn!("[{}] order failed: {message} (code: {code})", self.venue);
        }
        let reason = match outcome {
            Outcome::Refused(reason) => reason,
            Outcome::SlowDown | Outcome::TooManyOrders => RejectReason::SlowDown,
            _ => RejectReason::Venue,
        };
        match (asked, outcome) {
            (Asked::Submit(key), Outcome::Unknown) => self.word(key, Word::NoAnswer),
            (Asked::Submit(key), _) => {
                self.change(key, |order, now, told| order.on_refused(reason, code, now, told));
            }
            (Asked::Cancel(key), Outcome::Unknown) => self.word(key, Word::CancelLost),
            // It stays wanted, and goes out once the pause is over.
            (Asked::Cancel(key), Outcome::SlowDown) => self.word(key, Word::CancelLost),
            (Asked::Cancel(key), outcome) => {
                let is_not_open = matches!(outcome, Outcome::NotOpen | Outcome::NoSuchOrder);
                self.change(key, |order, now, told| {
                    order.on_cancel_refused(is_not_open, code, now, told);
                });
            }
            (Asked::Amend(key), Outcome::Unknown) => self.word(key, Word::NoAnswer),
            (Asked::Amend(key), _) => {
                self.change(key, |order, _, told| order.on_amend_refused(reason, code, told));
            }
            (Asked::Query(key, _), Outcome::NoSuchOrder) => {
                let max_ns = self.in_flight_max_ns;
                self.change(key, |order, now, told| {
                    let is_over = now.saturating_sub(order.sent_ns) > max_ns;
                    order.on_no_such_order(is_over, code, now, told);
                });
            }
            (Asked::Query(key, _), _) => self.change(key, KnownOrder::on_query_failed),
            (Asked::Logon(_), _) => {}
        }
    }

    /// Follows what a frame said of the venue's limits.
    #[cold]
    pub(super) fn learn(&mut self, words: &LimitWords) {
        let wall_ns = self.clock.wall_at_ns(self.now_ns);
        self.gate.governor().learn(words, self.now_ns, wall_ns);
    }

    /// Obeys a pause that the venue wants, to its end, whatever its length.
    #[cold]
    fn pause(&mut self, scope: PauseScope, failure: &Failure<'_>) {
        let cause = PauseCause { status: failure.status, code: failure.code };
        let governor = self.gate.governor();
        let Some(at_ms) = failure.retry_after_ms else {
            let first_ns = if failure.status == 418 { BAN_NS } else { PAUSE_NS };
            governor.pause_untold(scope, first_ns, cause, &self.clock);
            self.is_slowed = true;
            return;
        };
        let wall_ms = self.clock.wall_at_ns(self.now_ns) / 1_000_000;
        // By the venue's own clock where it tells: ours may be ahead of it.
        let wait_ms = at_ms.saturating_sub(failure.server_time_ms.unwrap_or(wall_ms));
        let wait_ns = u64::try_from(wait_ms).unwrap_or(0).saturating_mul(1_000_000);
        let until_ns = self.now_ns.saturating_add(wait_ns);
        governor.pause(scope, until_ns, cause, &self.clock);
    }

    /// Requests whose reply did not come in time.
    pub(super) fn on_overdue(&mut self, asked: Asked) {
        if !matches!(asked, Asked::Logon(_)) && self.lines.take(self.now_ns) {
            log::warn!("[{}] no answer in time to {asked:?}", self.venue);
        }
        match asked {
            Asked::Logon(operation) => {
                self.failure.get_or_insert((operation, "no answer in time", 0));
            }
            Asked::Submit(key) | Asked::Amend(key) => self.word(key, Word::NoAnswer),
            Asked::Cancel(key) => self.word(key, Word::CancelLost),
            Asked::Query(key, _) => self.change(key, KnownOrder::on_query_failed),
        }
    }

    /// There is no connection any more: nothing that is open is known for sure.
    pub(super) fn disconnected(&mut self) {
        self.requests.clear();
        self.silent_finds = 0;
        let open: Vec<OrderKey> = self.table.open().map(|(key, _)| key).collect();
        for key in open {
            self.change(key, |order, now, told| {
                (order.is_asked, order.holds_session) = (false, true);
                order.word(Word::Cut, now, told);
            });
        }
    }

    pub(super) fn word(&mut self, key: OrderKey, word: Word) {
        self.change(key, |order, now, told| order.word(word, now, told));
    }

    /// Changes an order by our own knowledge, and tells its owner.
    pub(super) fn change(
        &mut self,
        key: OrderKey,
        change: impl FnOnce(&mut KnownOrder, u64, &mut Told),
    ) {
        let (mut told, now_ns) = (Told::new(), self.now_ns);
        self.table.change(key, |order| change(order, now_ns, &mut told));
        if !told.is_empty() {
            self.read_ns = now_ns;
            self.tell(key, 0, &told);
        }
    }

    #[inline]
    fn tell(&mut self, key: OrderKey, time_ns: i64, told: &[ExecReport]) {
        if told.is_empty() {
            return;
        }
        let Some(order) = self.table.get(key) else { return };
        let instrument = order.command.instrument_id();
        let is_outside = order.is_cancelled_outside;
        for report in told {
            match report.exec_type() {
                Some(ExecType::Revived) => {
                    self.stats.revived();
                    if self.lines.take(self.now_ns) {
                        let name = self.names.name(key);
                        let name = name.escape_ascii();
                        log::error!("[{}] order {name} lives: its end is taken back", self.venue);
                    }
                }
                Some(ExecType::Canceled) if is_outside => self.cancelled_outside += 1,
                Some(ExecType::Trade) if report.certainty() == Some(Certainty::Assumed) => {
                    self.warn_of_guess(key, report);
                }
                _ => {}
            }
            self.publish(instrument, time_ns, report);
        }
    }

    /// A fill whose price the venue has not told: position is right, cash is a guess until it does.
    #[cold]
    fn warn_of_guess(&mut self, key: OrderKey, fill: &ExecReport) {
        if self.lines.take(self.now_ns) {
            let name = self.names.name(key);
            let (venue, name) = (&self.venue, name.escape_ascii());
            let (qty, price) = (fill.last_qty, fill.last_price);
            log::error!(
                "[{venue}] order {name}: {qty} were filled at a price that the venue has not told; \
                 {price} is assumed (both in units of the instrument's scales)"
            );
        }
    }

    /// A word that contradicts what is known: counted, and one line while lines are not too many.
    #[cold]
    fn alarm(&mut self, key: OrderKey, detail: &'static str) {
        self.stats.contradictions();
        if self.lines.take(self.now_ns) {
            let name = self.names.name(key);
            let name = name.escape_ascii();
            log::error!("[{}] order {name}: {detail}; the venue is asked", self.venue);
        }
    }

    #[inline]
    pub(super) fn publish<P: EventPayload>(
        &mut self,
        instrument: InstrumentId,
        time_ns: i64,
        payload: &P,
    ) {
        let mut event = Event::new(payload);
        event.venue = self.venue_id.0;
        event.instrument = instrument.0;
        event.trace_id = self.traces.next_id();
        event.venue_time_ns = time_ns;
        event.receive_ns = self.read_ns;
        event.stamp_decoded(self.clock.now_ns());
        self.send_event(&event);
    }

    #[inline]
    pub(super) fn send_event(&mut self, event: &Event) {
        if self.backlog.is_empty() && self.room() > 0 {
            self.publish_now(event);
        } else {
            self.backlog.push_back(*event);
        }
    }

    /// Publishes what had no room; false while some is left.
    #[inline]
    pub(super) fn flush_backlog(&mut self) -> bool {
        while !self.backlog.is_empty() && self.room() > 0 {
            let Some(event) = self.backlog.pop_front() else { break };
            self.publish_now(&event);
        }
        self.backlog.is_empty()
    }

    #[inline]
    fn publish_now(&mut self, event: &Event) {
        if let Some(outlet) = &mut self.outlet {
            outlet.publish(event);
            self.stats.events();
        }
    }
}
