//! Words in, truth out: takes what a venue says, changes the orders it is about, and tells their
//! owners.

use std::collections::VecDeque;
use std::sync::Arc;

use arrayvec::ArrayVec;
use crossbeam_utils::CachePadded;

use super::account_check::AccountCheck;
use super::account_stream::AccountStream;
use super::dead_man::DeadMan;
use super::gate::Gate;
use super::listing::{Known, KnownRequests, Listing};
use super::names::OrderNames;
use super::order::KnownOrder;
use super::plausible::{FeeBounds, is_of_now};
use super::requests_in_flight::{Asked, RequestsInFlight};
use super::states::OrderInput;
use super::table::OrderTable;
use super::thinning::Thinning;
use super::told::{Applied, Told, VenueAnswer, VenueReport};
use crate::event::{
    Balance, Certainty, Event, EventPayload, ExecReport, ExecType, ExpiryReason, InstrumentId,
    RejectReason, VenueId, VenueRef, asset_code,
};
use crate::instrument::Instruments;
use crate::order::OrderKey;
use crate::rate::Bucket;
use crate::runtime::Clock;
use crate::venue::codec::DecodeError;
use crate::venue::protocol::{AssetBalance, Failure, OrderMessage, Outcome, Reach, UnreadFrame};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, TraceIds, VenueClock};

/// A frame that can't be read may have been a report: all open orders are looked at, this often at
/// most, ns.
const QUERY_ALL_NS: u64 = 10_000_000_000;
/// Ends that were inferred this long before a session was lost are asked for once more, ns.
pub(super) const DOUBTED_AGAIN_NS: u64 = 120_000_000_000;
/// An end that was inferred since the venue knows no such order is asked for once more after
/// this, ns.
pub(super) const GONE_AGAIN_NS: u64 = 60_000_000_000;
/// What is wrong with a report of another day, and with a fee above what was traded.
const FOREIGN_TIME: &str = "time of a report is a day or more off";
pub(super) const OTHER_NAME: &str = "report on it under another name";
pub(super) const ABSURD_FEE: &str = "fee above what was bought or sold";
/// Bytes of an unknown value that the log shows, and values that it names.
const VALUE_BYTES_MAX: usize = 64;
const VALUES_NAMED_MAX: usize = 16;

/// A value of the venue that is not known.
type UnknownValue = ArrayVec<u8, VALUE_BYTES_MAX>;
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
    pub(super) fee_bounds: FeeBounds,
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
    pub(super) account_stream: AccountStream,
    /// What was asked of the account as a whole.
    pub(super) account: AccountCheck,
    /// No look at all open orders before, ns; and whether one is wanted.
    pub(super) query_all_ns: u64,
    pub(super) wants_query_of_all: bool,
    /// Whether the venue has lists of fills, and the one that is being read.
    pub(super) known: KnownRequests,
    /// The venue's timer that cancels all.
    pub(super) dead_man: DeadMan,
    pub(super) listing: Option<Listing>,
    /// Fills in one reply.
    pub(super) fills_max: usize,
    pub(super) lines: Bucket,
    /// Words that are not known and were named in the log.
    pub(super) named_values: ArrayVec<UnknownValue, VALUES_NAMED_MAX>,
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
    pub(super) fn on_decoded(
        &mut self,
        read: Result<OrderMessage<'_>, UnreadFrame<'_>>,
        outcome: impl FnOnce(&Failure<'_>) -> Outcome,
        raw: &[u8],
    ) {
        self.stats.frames();
        match read {
            Err(unread) => self.on_unread(unread, raw),
            Ok(message) => self.on_message(message, outcome, raw),
        }
    }

    fn on_message(
        &mut self,
        message: OrderMessage<'_>,
        outcome: impl FnOnce(&Failure<'_>) -> Outcome,
        raw: &[u8],
    ) {
        match message {
            OrderMessage::Report { name, report, venue_time_ns, unreadable } => {
                self.stats.decoded();
                self.account_stream.heard(self.now_ns);
                self.on_report(name, &report, venue_time_ns, raw);
                if let Some(error) = unreadable {
                    self.on_lost_fee(name, error, raw);
                }
            }
            OrderMessage::State { name, state, venue_time_ns } => {
                self.stats.decoded();
                self.account_stream.heard(self.now_ns);
                self.on_state(name, &state, venue_time_ns, raw);
            }
            OrderMessage::Balances { venue_time_ns, entries, positions, unreadable } => {
                self.stats.decoded();
                self.account_stream.heard(self.now_ns);
                self.on_balances(venue_time_ns, entries, raw);
                self.on_positions(positions);
                if let Some(error) = unreadable {
                    self.letter(error.reason, error.detail, raw);
                }
            }
            OrderMessage::Listed { list, body, is_whole } => {
                self.stats.decoded();
                self.account_stream.heard(self.now_ns);
                self.on_listed_by_stream(list, &body, is_whole, raw);
            }
            OrderMessage::Reply(reply) => {
                self.stats.control();
                self.on_reply(&reply, outcome, raw);
            }
            OrderMessage::Unasked(failure) => {
                self.stats.control();
                self.on_unasked(&outcome(&failure), &failure, raw);
            }
            OrderMessage::EndingSoon => {
                self.stats.control();
                self.account_stream.is_ending = true;
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
        let UnreadFrame { error, name, reply, venue_order_id, value, reach } = frame;
        self.stats.refused();
        if error.reason == LetterReason::Unknown {
            self.stats.unknown();
        }
        if let Some(value) = value {
            self.name_value(value, error.detail);
        }
        self.letter(error.reason, error.detail, raw);
        // The name in the answer to several requests is that of one of their orders.
        let behind = reply.map(|id| self.requests.behind(id)).filter(|ids| !ids.is_empty());
        let name = name.filter(|_| behind.is_none());
        if let Some(key) = name.and_then(|name| self.names.parse(name)) {
            self.alarm(key, error.detail);
            self.apply(key, OrderInput::Contradiction);
        } else if let Some(asked) = reply.and_then(|id| self.requests.take(id)) {
            self.on_unread_reply(asked, error.detail);
        } else if let Some(key) = self.by_venue_id(venue_order_id) {
            self.alarm(key, error.detail);
            self.apply(key, OrderInput::Contradiction);
        } else if error.reason != LetterReason::Symbol {
            self.wants_query_of_all = true;
            self.query_all();
        }
        if let Some(behind) = behind.filter(|_| reach != Reach::One) {
            self.on_no_answer(behind, error.detail);
        }
    }

    /// A value that is not known, in a message that says enough without it.
    #[cold]
    pub(super) fn on_unknown_value(&mut self, (detail, value): (&'static str, &str), raw: &[u8]) {
        self.stats.unknown();
        self.name_value(value.as_bytes(), detail);
        self.letter(LetterReason::Unknown, detail, raw);
    }

    /// Names an unknown value in the log, once a run; all are counted.
    #[cold]
    fn name_value(&mut self, value: &[u8], detail: &'static str) {
        let value: UnknownValue = value.iter().copied().take(VALUE_BYTES_MAX).collect();
        if !self.named_values.contains(&value) && self.named_values.try_push(value.clone()).is_ok()
        {
            log::warn!("[{}] {detail}: \"{}\"", self.venue, value.escape_ascii());
        }
    }

    /// Looks at all open orders where a lost frame asks for it, as often as that may be.
    pub(super) fn query_all(&mut self) {
        let now_ns = self.now_ns;
        if self.wants_query_of_all && now_ns >= self.query_all_ns {
            self.wants_query_of_all = false;
            self.query_all_ns = now_ns + QUERY_ALL_NS;
            self.table.change_open(|order| order.query_ns = order.query_ns.min(now_ns));
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
        let its = (report.venue_order_id, report.instrument);
        let Some(key) = self.key_of(name, its, time_ns, raw) else {
            return self.on_strange_fill(name, report);
        };
        if report.expiry == ExpiryReason::Unlisted {
            self.stats.unknown();
            self.letter(LetterReason::Unknown, "expiry reason not known", raw);
        }
        let (mut told, now_ns) = (Told::new(), self.now_ns);
        let mut report = *report;
        if !self.fee_bounds.allow_report(&report) {
            self.letter(LetterReason::Order, ABSURD_FEE, raw);
            self.alarm(key, ABSURD_FEE);
            report.fee = None;
        }
        let applied = self.table.change(key, |order| order.on_report(&report, now_ns, &mut told));
        self.tell(key, time_ns, &told);
        self.on_heard(key, (name, report.venue_order_id), applied, raw);
    }

    /// The venue's stream tells how an order stands.
    #[inline]
    fn on_state(&mut self, name: &[u8], state: &VenueAnswer, time_ns: i64, raw: &[u8]) {
        let its = (state.venue_order_id, state.instrument);
        let Some(key) = self.key_of(name, its, time_ns, raw) else { return };
        let (mut told, now_ns) = (Told::new(), self.now_ns);
        let applied = self.table.change(key, |order| order.on_state(state, now_ns, &mut told));
        self.tell(key, time_ns, &told);
        self.on_heard(key, (name, state.venue_order_id), applied, raw);
    }

    /// The order of ours that the stream speaks of, by its name, the venue's name and what it is
    /// in; `None` where it is none, or what is said is of another day.
    #[inline]
    fn key_of(
        &mut self,
        name: &[u8],
        its: (VenueRef, InstrumentId),
        time_ns: i64,
        raw: &[u8],
    ) -> Option<OrderKey> {
        let Some(key) = self.names.parse(name) else {
            self.on_strange_name(its, raw);
            return None;
        };
        self.account_stream.silent_finds = 0;
        self.table.recall(key);
        let now_ms = self.venue_clock.at_ms(self.now_ns);
        if self.table.get(key).is_some() && !is_of_now(time_ns, now_ms) {
            self.letter(LetterReason::Order, FOREIGN_TIME, raw);
            self.alarm(key, FOREIGN_TIME);
            self.apply(key, OrderInput::Contradiction);
            return None;
        }
        Some(key)
    }

    /// What the stream has said of an order was taken, or not.
    #[inline]
    fn on_heard(
        &mut self,
        key: OrderKey,
        (name, venue_order_id): (&[u8], VenueRef),
        applied: Option<Applied>,
        raw: &[u8],
    ) {
        match applied {
            Some(Applied::Taken) => {}
            Some(Applied::Duplicate) => self.stats.duplicates(),
            Some(Applied::Contradiction(detail)) => {
                self.letter(LetterReason::Order, detail, raw);
                self.alarm(key, detail);
            }
            None => {
                self.letter(LetterReason::Order, "report on an order that is not remembered", raw);
                if let Some(key) = self.by_venue_id(venue_order_id) {
                    self.alarm(key, OTHER_NAME);
                    return self.apply(key, OrderInput::Contradiction);
                }
                self.stats.contradictions();
                if self.lines.take(self.now_ns) {
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

    /// The open order that the venue calls so.
    #[cold]
    pub(super) fn by_venue_id(&self, id: VenueRef) -> Option<OrderKey> {
        let mut open = self.table.open();
        open.find(|(_, order)| !id.is_none() && order.venue_order_id == id).map(|(key, _)| key)
    }

    /// A fill counts without its fee, which the venue's list of fills tells later.
    #[cold]
    fn on_lost_fee(&mut self, name: &[u8], error: DecodeError, raw: &[u8]) {
        self.letter(error.reason, error.detail, raw);
        if let Some(key) = self.names.parse(name) {
            self.alarm(key, error.detail);
        }
    }

    /// A balance goes with the first instrument that trades its asset: routes are by instrument.
    pub(super) fn on_balances(
        &mut self,
        mut venue_time_ns: i64,
        entries: &[AssetBalance],
        raw: &[u8],
    ) {
        let is_told = venue_time_ns != 0;
        if is_told && !is_of_now(venue_time_ns, self.venue_clock.at_ms(self.now_ns)) {
            self.letter(LetterReason::Order, "time of balances is a day or more off", raw);
            venue_time_ns = 0;
        }
        for entry in entries {
            if self.room() == 0 {
                // Latest wins: the next change of this asset tells its balance again.
                self.letter(LetterReason::Oversize, "balances without room", raw);
                return;
            }
            self.tell_balance(entry, venue_time_ns);
        }
    }

    /// Tells the balance of an asset that one of our instruments trades.
    #[inline]
    pub(super) fn tell_balance(&mut self, entry: &AssetBalance, venue_time_ns: i64) {
        let name = entry.asset.as_str();
        let traded = self.instruments.asset(name).zip(asset_code(name));
        let Some((asset, code)) = traded else { return };
        let balance = Balance {
            asset: code,
            free: entry.free.0,
            locked: entry.locked.0,
            asset_id: asset.id.0,
            reserved: [0; 12],
        };
        if let Some(told) = self.account.told.get_mut(asset.id.0 as usize) {
            *told = Some((asset.first, balance));
        }
        self.publish(asset.first, venue_time_ns, &balance);
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
            Asked::Submit(key) | Asked::Amend(key) => self.apply(key, OrderInput::NoAnswer),
            Asked::Cancel(key) => self.apply(key, OrderInput::CancelLost),
            Asked::Query(key, _) => self.change(key, KnownOrder::on_query_failed),
            Asked::Fills(key) => {
                self.listing = None;
                self.on_no_fills(key);
            }
            Asked::Time => self.venue_clock.failed(self.now_ns),
            Asked::OpenOrders | Asked::Balances | Asked::Positions | Asked::CancelListed(_) => {
                self.account.failed(asked, None, self.now_ns);
            }
            Asked::Account(place) => self.not_inspected(place, "no answer in time".to_owned()),
            Asked::Subscribe => {
                self.failure.get_or_insert(("subscribe", "no answer in time", 0));
            }
            Asked::DeadMan => self.on_dead_man_failed(None),
            Asked::Upkeep => self.account_stream.upkeep.failed(self.now_ns),
            Asked::CancelSymbol(consumer, instrument) => {
                self.symbol_not_cancelled((consumer, instrument), RejectReason::NotConnected, 0);
            }
        }
    }

    /// There is no connection any more: nothing that is open is known for sure.
    pub(super) fn disconnected(&mut self) {
        self.listing = None;
        if self.requests.fills() > 0 && self.known.fills == Known::Untried {
            // A venue that does not know the request may end the session for it. Once is enough.
            self.known.fills = Known::EndsSession;
            let venue = &self.venue;
            log::warn!(
                "[{venue}] the session ended when fills were asked for: they are not asked for any \
                 more in this run; prices or fees of fills that were missed stay as they were told"
            );
        }
        self.note_ended(Asked::Time);
        self.note_ended(Asked::Subscribe);
        self.note_ended(Asked::OpenOrders);
        self.note_ended(Asked::Balances);
        self.note_ended(Asked::Positions);
        self.account.disconnected();
        self.dead_man.disconnected(self.now_ns);
        while let Some(of) = self.requests.next_symbol_cancel() {
            self.symbol_not_cancelled(of, RejectReason::NotConnected, 0);
        }
        self.requests.clear();
        (self.account_stream.silent_finds, self.logons_refused) = (0, 0);
        self.account_stream.cut_ns = self.now_ns;
        // What was told of an end that we only infer may be lost with the session.
        let now_ns = self.now_ns;
        self.table.doubt_ends(now_ns.saturating_sub(DOUBTED_AGAIN_NS), now_ns);
        let open: Vec<OrderKey> = self.table.open().map(|(key, _)| key).collect();
        for key in open {
            self.change(key, |order, now, told| {
                (order.is_asked, order.holds_session) = (false, true);
                order.apply(OrderInput::Cut, now, told);
            });
        }
    }

    /// A venue that does not know a request may end the session for it. Once is enough.
    fn note_ended(&mut self, asked: Asked) {
        let known = match asked {
            Asked::Time => &mut self.known.time,
            Asked::OpenOrders => &mut self.known.open_orders,
            Asked::Balances => &mut self.known.balances,
            Asked::Positions => &mut self.known.positions,
            _ => &mut self.known.stream,
        };
        if *known == Known::Untried && self.requests.waits_for(asked) {
            *known = Known::EndsSession;
            let (venue, what) = (&self.venue, asked.what());
            log::warn!("[{venue}] the session ended with {what}: not asked again in this run");
        }
    }

    pub(super) fn apply(&mut self, key: OrderKey, input: OrderInput) {
        self.change(key, |order, now, told| order.apply(input, now, told));
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
                Some(ExecType::Trade) => {
                    if report.certainty() == Some(Certainty::Assumed) {
                        self.warn_of_guess(key, report);
                    }
                    self.count_fill(instrument, report);
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

    /// A message that contradicts what is known: counted, and one line while there are few.
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
