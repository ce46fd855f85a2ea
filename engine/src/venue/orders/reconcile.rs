//! Words in, truth out: takes what a venue says, changes the orders it is about, and tells their
//! owners.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::gate::Gate;
use super::names::OrderNames;
use super::order::KnownOrder;
use super::requests_in_flight::{Asked, RequestsInFlight};
use super::states::Word;
use super::table::OrderTable;
use super::thinning::Thinning;
use super::words::{Applied, Told, VenueReport};
use crate::event::{
    Balance, Certainty, Event, EventPayload, ExecReport, ExecType, ExpiryReason, InstrumentId,
    VenueId, asset_code,
};
use crate::instrument::Instruments;
use crate::order::OrderKey;
use crate::rate::Bucket;
use crate::runtime::Clock;
use crate::venue::protocol::{AssetBalance, Failure, OrderMessage, Outcome, UnreadFrame};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, TraceIds, VenueClock};

/// A frame that can't be read may have been a report: all open orders are looked at, this often at
/// most, ns.
const LOOK_AT_ALL_NS: u64 = 10_000_000_000;
/// Ends that were inferred this long before a session was lost are asked for once more, ns.
const DOUBTED_AGAIN_NS: u64 = 120_000_000_000;
/// An end that was inferred since the venue knows no such order is asked for once more after
/// this, ns.
pub(super) const GONE_AGAIN_NS: u64 = 60_000_000_000;
/// Sessions that ended, one after the other, while a list of fills was awaited, before none is
/// asked for any more.
pub(super) const FILLS_CUT_MAX: u32 = 2;
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
    pub(super) thinning: Thinning,
    pub(super) stats: Arc<CachePadded<IntakeStats>>,
    pub(super) traces: TraceIds,
    pub(super) clock: Clock,
    pub(super) venue_clock: VenueClock,
    pub(super) in_flight_max_ns: u64,
    pub(super) now_ns: u64,
    /// When the frame in hand was read.
    pub(super) read_ns: u64,
    /// The logon's next step; told by its replies.
    pub(super) logon_replies: usize,
    /// Logons of this connection whose time stamp was refused.
    pub(super) logons_refused: u32,
    /// The connection has to end; why.
    pub(super) failure: Option<(&'static str, &'static str, i32)>,
    /// Orders that were ended by cancels from outside their strategies.
    pub(super) cancelled_outside: u64,
    pub(super) silent_finds: u32,
    /// No look at all open orders before, ns; and whether one is wanted.
    pub(super) look_at_all_ns: u64,
    pub(super) wants_look_at_all: bool,
    /// Times in a row that the connection ended while a list of fills was awaited.
    pub(super) fills_cut: u32,
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
            OrderMessage::Unasked(failure) => {
                self.stats.control();
                self.on_unasked(&outcome(&failure), &failure, raw);
            }
            OrderMessage::Closing(reason) => {
                self.stats.control();
                self.failure.get_or_insert(("read", reason, 0));
            }
            OrderMessage::Other(_) => self.stats.control(),
        }
    }

    /// A frame that could not be read makes its own order, or its own request's, a doubt. Where it
    /// can't be told whose it was, all are looked at; a report on a symbol that isn't ours is none
    /// of ours.
    #[cold]
    pub(super) fn on_unread(&mut self, frame: UnreadFrame<'_>, raw: &[u8]) {
        let UnreadFrame { error, name, reply } = frame;
        self.stats.refused();
        if error.reason == LetterReason::Unknown {
            self.stats.unknown();
        }
        self.letter(error.reason, error.detail, raw);
        if let Some(key) = name.and_then(|name| self.names.parse(name)) {
            self.alarm(key, error.detail);
            self.word(key, Word::Contradiction);
        } else if let Some(asked) = reply.and_then(|id| self.requests.take(id)) {
            self.on_unread_reply(asked, error.detail);
        } else if error.reason != LetterReason::Symbol {
            self.wants_look_at_all = true;
            self.look_at_all();
        }
    }

    /// Looks at all open orders where a lost frame asks for it, as often as that may be.
    pub(super) fn look_at_all(&mut self) {
        let now_ns = self.now_ns;
        if self.wants_look_at_all && now_ns >= self.look_at_all_ns {
            self.wants_look_at_all = false;
            self.look_at_all_ns = now_ns + LOOK_AT_ALL_NS;
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
        self.table.recall(key);
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
                self.letter(LetterReason::Order, "report on an order that is not remembered", raw);
                self.stats.contradictions();
                if self.lines.take(now_ns) {
                    let name = name.escape_ascii();
                    log::error!(
                        "[{}] report on order {name} of this run, which is not remembered: it \
                         counts in no position",
                        self.venue
                    );
                }
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

    /// Requests whose reply did not come in time.
    pub(super) fn on_overdue(&mut self, asked: Asked) {
        if !matches!(asked, Asked::Logon(_)) && self.lines.take(self.now_ns) {
            let (what, name) = (asked.what(), asked.order().map(|key| self.names.name(key)));
            let name = name.unwrap_or_default();
            log::warn!("[{}] no answer in time to {what} {}", self.venue, name.escape_ascii());
        }
        match asked {
            Asked::Logon(operation) => {
                self.failure.get_or_insert((operation, "no answer in time", 0));
            }
            Asked::Submit(key) | Asked::Amend(key) => self.word(key, Word::NoAnswer),
            Asked::Cancel(key) => self.word(key, Word::CancelLost),
            Asked::Query(key, _) => self.change(key, KnownOrder::on_query_failed),
            Asked::Fills(key) => self.on_no_fills(key),
            Asked::Time => self.venue_clock.failed(self.now_ns),
        }
    }

    /// There is no connection any more: nothing that is open is known for sure.
    pub(super) fn disconnected(&mut self) {
        if self.requests.fills() > 0 {
            self.fills_cut += 1;
            if self.fills_cut == FILLS_CUT_MAX {
                let venue = &self.venue;
                log::warn!("[{venue}] sessions end when fills are asked for: not asked any more");
            }
        }
        self.requests.clear();
        (self.silent_finds, self.logons_refused) = (0, 0);
        // What was told of an end that we only infer may be lost with the session.
        let now_ns = self.now_ns;
        self.table.doubt_ends(now_ns.saturating_sub(DOUBTED_AGAIN_NS), now_ns);
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
    pub(super) fn tell(&mut self, key: OrderKey, time_ns: i64, told: &[ExecReport]) {
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
    pub(super) fn alarm(&mut self, key: OrderKey, detail: &'static str) {
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
