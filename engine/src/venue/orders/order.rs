//! One order: what is known of it, and what becomes of it with each input.
//!
//! Words of the venue that have a content are taken in `report` and `answer`; what they say is
//! checked in `checks` before any of it counts.

use zerocopy::FromZeros;

use super::amendments::Amendments;
use super::fills::Fills;
use super::states::{NextQuery, OrderInput, OrderState, Tell};
use super::told::Told;
use crate::event::{Certainty, ExecReport, ExecType, OrderStatus, RejectReason, VenueRef};
use crate::order::{OrderCommand, OrderType, TimeInForce};
use crate::venue::protocol::SentTime;

const SECOND_NS: u64 = 1_000_000_000;
/// An order that an answer acknowledged and no report followed is asked for after this, ns.
const SOON_NS: u64 = SECOND_NS;
/// Between two polls of an order that rests, ns.
const REST_NS: u64 = 30 * SECOND_NS;
/// The first and the longest pause between two queries of one order in doubt, ns.
const BACK_OFF_NS: (u64, u64) = (SECOND_NS / 4, 30 * SECOND_NS);
/// The same for an order that the venue has told nothing of yet, ns.
const UNSEEN_BACK_OFF_NS: (u64, u64) = (SECOND_NS / 4, 2 * SECOND_NS);
/// The first and the longest pause between two cancels of one order, ns.
const CANCEL_PAUSE_NS: (u64, u64) = (SECOND_NS, 16 * SECOND_NS);
/// "No such order" for an order that the venue had reported ends it only after so many answers,
/// over this time, ns: they may come from a replica that lags.
const GONE_ANSWERS: u32 = 4;
const GONE_OVER_NS: u64 = 10 * SECOND_NS;
/// A list of its fills is asked for after this, ns: until then the stream may tell them by itself.
/// Later twice as long each time.
const FILLS_AFTER_NS: u64 = 4 * SECOND_NS;
/// Messages for an order's name that count against another one.
const NAME_VOTES_MAX: u8 = 4;
/// So many times; what is not told then stays as it was inferred.
const FILLS_ASKED_MAX: u32 = 4;

/// What kind of message gave an order its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// The answer to a query.
    Answer,
    /// The reply to any other request.
    Reply,
    /// A report of the stream.
    Report,
}

/// Messages that gave an order one name: how many of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Votes([u8; 3]);

impl Votes {
    fn add(&mut self, by: NamedBy) {
        let votes = &mut self.0[by as usize];
        *votes = votes.saturating_add(1).min(4 * NAME_VOTES_MAX);
    }

    fn sum(self) -> u8 {
        self.0.iter().sum::<u8>().min(NAME_VOTES_MAX)
    }

    /// Whether these are more than those for the name that is known, and of kinds that may.
    fn outvote(self, known: Votes) -> bool {
        let are_only_answers = |votes: Votes| votes.0[1..] == [0, 0];
        let all = self.0.iter().sum::<u8>();
        all > known.sum().max(1) && (!are_only_answers(self) || are_only_answers(known))
    }
}

/// A cancel on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelWish {
    /// None is wanted.
    None,
    /// Wanted, to be written once the pause is over.
    Wanted,
    /// Written.
    Sent,
    /// Its reply said yes; the report is awaited.
    Accepted,
}

impl CancelWish {
    /// Whether it has left us.
    #[must_use]
    pub const fn is_written(self) -> bool {
        matches!(self, CancelWish::Sent | CancelWish::Accepted)
    }
}

/// One order as its venue's agent knows it.
#[derive(Clone, Debug)]
pub struct KnownOrder {
    /// The command that opened it.
    pub command: OrderCommand,
    /// Where it is.
    pub state: OrderState,
    /// Its status by the last message that counted.
    pub status: OrderStatus,
    /// The quantity now; less than ordered after an amendment.
    pub qty: i64,
    /// The price now.
    pub price: i64,
    /// Taken off by self-trade prevention so far.
    pub prevented_qty: i64,
    /// The venue's name; none before the venue has told it.
    pub venue_order_id: VenueRef,
    /// When it was handed to the socket, ns of the engine's clock.
    pub sent_ns: u64,
    /// Of one that an earlier start sent: so long before this start, ns.
    pub(super) sent_before_ns: u64,
    /// When the venue is asked for it next, ns of the engine's clock.
    pub query_ns: u64,
    /// The cancel.
    pub cancel: CancelWish,
    /// No cancel is written before, ns of the engine's clock.
    pub cancel_ns: u64,
    /// Reports that counted so far: an answer to a query that one of them overtook is too old.
    pub reports: u32,
    /// A query is on its way.
    pub is_asked: bool,
    /// It is to be asked for before a session that was lost takes new orders.
    pub holds_session: bool,
    /// A strategy wants its state told.
    pub wants_state: bool,
    /// Its cancel is wanted by the engine, not by its strategy.
    pub is_cancelled_outside: bool,
    /// It was sent by an earlier start of the engine.
    pub is_taken_up: bool,
    pub(super) amendments: Amendments,
    pub(super) fills: Fills,
    /// When the venue is asked for its fills, ns of the engine's clock.
    pub(super) fills_ns: u64,
    pub(super) fills_asked: u32,
    /// The largest filled quantity that a report told which fits nothing else: a query that knows
    /// less is too old to settle it.
    pub(super) claimed_qty: i64,
    pub(super) claims_denied: u32,
    /// The venue's name of it comes from a reply, which may be another's.
    pub(super) is_named_by_reply: bool,
    /// Words that gave it the name that is known, and another name with the words for that.
    name_votes: Votes,
    rival: (VenueRef, Votes),
    /// When its end was inferred, ns of the engine's clock.
    pub(super) presumed_ns: u64,
    /// The end that the strategy was told.
    pub(super) told_end: Option<OrderStatus>,
    /// It was told before the stream told it.
    pub(super) is_end_unconfirmed: bool,
    pub(super) told_new: bool,
    pub(super) told_unknown: bool,
    pub(super) is_seen: bool,
    queries_failed: u32,
    /// "No such order" in a row, and when the first of them came, ns.
    pub(super) answers_none: u32,
    none_since_ns: u64,
    cancels_refused: u32,
    /// Answers that show it live since its cancel was accepted.
    pub(super) cancels_denied: u32,
}

impl KnownOrder {
    /// An order that is about to be written.
    #[must_use]
    pub fn new(command: &OrderCommand, now_ns: u64) -> KnownOrder {
        KnownOrder {
            command: *command,
            state: OrderState::Fresh,
            status: OrderStatus::PendingNew,
            qty: command.qty,
            price: command.price,
            prevented_qty: 0,
            venue_order_id: VenueRef::NONE,
            sent_ns: now_ns,
            sent_before_ns: 0,
            query_ns: u64::MAX,
            cancel: CancelWish::None,
            cancel_ns: 0,
            reports: 0,
            is_asked: false,
            holds_session: false,
            wants_state: false,
            is_cancelled_outside: false,
            is_taken_up: false,
            amendments: Amendments::default(),
            fills: Fills::default(),
            fills_ns: u64::MAX,
            fills_asked: 0,
            claimed_qty: 0,
            claims_denied: 0,
            is_named_by_reply: false,
            name_votes: Votes::default(),
            rival: (VenueRef::NONE, Votes::default()),
            presumed_ns: 0,
            told_end: None,
            is_end_unconfirmed: false,
            told_new: false,
            told_unknown: false,
            is_seen: false,
            queries_failed: 0,
            answers_none: 0,
            none_since_ns: 0,
            cancels_refused: 0,
            cancels_denied: 0,
        }
    }

    /// Whether it may still trade, as far as is known.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// Filled so far.
    #[inline]
    #[must_use]
    pub fn filled_qty(&self) -> i64 {
        self.fills.qty()
    }

    /// Whether its end may have to be taken back, or its fills corrected: it is remembered for
    /// longer.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.state == OrderState::Presumed || self.fills.is_unsettled()
    }

    /// Whether its end was inferred at this time or later, ns of the engine's clock.
    #[must_use]
    pub fn is_presumed_since(&self, since_ns: u64) -> bool {
        self.state == OrderState::Presumed && self.presumed_ns >= since_ns
    }

    /// Whether its end was inferred, and one answer alone has agreed so far.
    pub(super) fn is_gone_for_the_first_time(&self) -> bool {
        self.state == OrderState::Presumed && self.answers_none == 1
    }

    /// How long ago it was sent, ns.
    pub(super) fn age_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.sent_ns).saturating_add(self.sent_before_ns)
    }

    /// When it was sent, by the venue's time, which is `time_ms` now.
    #[inline]
    pub(super) fn sent_time(&self, now_ns: u64, time_ms: i64) -> SentTime {
        let age_ms = (self.age_ns(now_ns) / 1_000_000).cast_signed();
        SentTime { at_ms: time_ms - age_ms, is_of_this_start: !self.is_taken_up }
    }

    /// Whether the venue's stream has told anything of it.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.reports > 0
    }

    /// Whether a cancel may be written now. One that was refused waits for the answer to a query.
    #[must_use]
    pub fn may_cancel(&self, now_ns: u64) -> bool {
        let waits = self.is_asked && self.cancels_refused > 0;
        self.is_open() && now_ns >= self.cancel_ns && !waits
    }

    /// Whether an amendment may be written now.
    #[must_use]
    pub fn may_amend(&self) -> bool {
        self.is_open() && !self.amendments.is_under_way() && self.cancel == CancelWish::None
    }

    /// An amendment to these terms is written.
    pub fn amend(&mut self, price: i64, qty: i64) {
        self.amendments.ask(price, qty);
    }

    /// Takes an input.
    pub fn apply(&mut self, input: OrderInput, now_ns: u64, told: &mut Told) {
        let step = self.state.after(input);
        let has_cancel = self.cancel.is_written();
        if step.next == OrderState::Presumed && self.state != OrderState::Presumed {
            self.presumed_ns = now_ns;
        }
        self.state = match step.next {
            OrderState::Working if has_cancel && input != OrderInput::CancelRefused => {
                OrderState::Cancelling
            }
            next => next,
        };
        match input {
            OrderInput::Cut | OrderInput::CancelLost if self.cancel != CancelWish::None => {
                self.want_cancel_again(now_ns);
            }
            OrderInput::CancelSent => self.cancel = CancelWish::Sent,
            OrderInput::CancelAccepted => {
                (self.cancel, self.cancels_denied) = (CancelWish::Accepted, 0);
            }
            OrderInput::CancelRefused | OrderInput::CancelNotOpen => {
                self.cancel = CancelWish::None;
                self.pause_cancels(now_ns);
            }
            _ => {}
        }
        if matches!(input, OrderInput::Cut | OrderInput::NoAnswer) {
            self.amendments.replied();
        }
        self.schedule_query(step.query, now_ns);
        // An end that was told stays told until something else is known.
        if step.tell == Tell::Unknown && !self.told_unknown && self.told_end.is_none() {
            self.told_unknown = true;
            told.push(self.told(ExecType::Unknown));
        }
    }

    /// The reply to its request says no. Nothing is told when a report had said otherwise.
    pub fn on_refused(&mut self, reason: RejectReason, code: i32, now_ns: u64, told: &mut Told) {
        if self.is_seen {
            self.apply(OrderInput::NoAnswer, now_ns, told);
            return;
        }
        self.apply(OrderInput::Refused, now_ns, told);
        if self.state == OrderState::Presumed {
            self.end_by_inference(OrderStatus::Rejected, Certainty::Known, (reason, code), told);
        }
    }

    /// The venue does not know it. `is_over`: nothing can be on its way any more.
    pub fn on_no_such_order(&mut self, is_over: bool, code: i32, now_ns: u64, told: &mut Told) {
        self.answered();
        if self.answers_none == 0 {
            self.none_since_ns = now_ns;
        }
        self.answers_none += 1;
        // Of an order of an earlier start the venue has told nothing of late.
        let is_long = self.is_taken_up || now_ns.saturating_sub(self.none_since_ns) >= GONE_OVER_NS;
        let is_agreed = self.answers_none >= GONE_ANSWERS && is_long;
        let is_gone = is_over && (!self.is_seen || is_agreed);
        self.apply(
            if is_gone { OrderInput::AnswerGone } else { OrderInput::AnswerNone },
            now_ns,
            told,
        );
        if is_gone && self.state == OrderState::Presumed {
            let status = if self.is_seen { OrderStatus::Canceled } else { OrderStatus::Rejected };
            let reason = RejectReason::NeverArrived;
            self.end_by_inference(status, Certainty::Assumed, (reason, code), told);
        }
    }

    /// The cancel was refused: told once for each cancel.
    pub fn on_cancel_refused(
        &mut self,
        is_not_open: bool,
        code: i32,
        now_ns: u64,
        told: &mut Told,
    ) {
        let is_told = self.is_open();
        let input = if is_not_open { OrderInput::CancelNotOpen } else { OrderInput::CancelRefused };
        self.apply(input, now_ns, told);
        if is_told {
            let mut report = self.told(ExecType::CancelRejected);
            (report.reason_code, report.venue_code) = (RejectReason::Venue.code(), code);
            told.push(report);
        }
    }

    /// The reply to the amendment under way says yes.
    pub fn on_amend_accepted(&mut self, now_ns: u64, told: &mut Told) {
        self.amendments.replied();
        self.apply(OrderInput::AmendAccepted, now_ns, told);
    }

    /// The venue refused the amendment under way.
    pub fn on_amend_refused(&mut self, reason: RejectReason, code: i32, told: &mut Told) {
        if self.amendments.refused(self.qty) && self.is_open() {
            self.tell_amend_refused(reason, code, told);
        }
    }

    pub(super) fn tell_amend_refused(&mut self, reason: RejectReason, code: i32, told: &mut Told) {
        let mut report = self.told(ExecType::ModifyRejected);
        (report.reason_code, report.venue_code) = (reason.code(), code);
        told.push(report);
    }

    /// A query of it failed, or came to nothing.
    pub fn on_query_failed(&mut self, now_ns: u64, told: &mut Told) {
        self.answered();
        self.apply(OrderInput::AnswerFailed, now_ns, told);
    }

    /// Half an answer: the list of the present orders does not have it. The other half is asked for
    /// at once, and what waits for the answer waits on.
    pub fn on_not_listed(&mut self, now_ns: u64) {
        self.is_asked = false;
        if self.is_open() {
            self.query_ns = now_ns;
        }
    }

    /// The state as it is known, as a report that tells `exec_type`.
    #[must_use]
    pub fn told(&self, exec_type: ExecType) -> ExecReport {
        let mut report = ExecReport::new_zeroed();
        report.client_order_id = self.command.client_order_id;
        report.venue_order_id = self.venue_order_id;
        report.price = self.price;
        report.trigger_price = self.command.trigger_price;
        report.qty = self.qty;
        report.filled_qty = self.fills.qty();
        report.prevented_qty = self.prevented_qty;
        report.decision_id = self.command.decision_id;
        report.consumer = self.command.consumer;
        report.side_code = self.command.side_code;
        report.status_code = self.status.code();
        report.exec_type_code = exec_type.code();
        report.position_side_code = self.command.position_side_code;
        report.flags = self.command.flags;
        let certainty = match self.state {
            OrderState::Doubted => Certainty::Unknown,
            OrderState::Fresh | OrderState::Presumed => Certainty::Assumed,
            _ => Certainty::Known,
        };
        report.certainty_code = certainty.code();
        report
    }

    pub(super) fn answered(&mut self) {
        (self.is_asked, self.holds_session) = (false, false);
    }

    /// Its cancel has to be written once more.
    pub(super) fn want_cancel_again(&mut self, now_ns: u64) {
        self.cancel = CancelWish::Wanted;
        self.pause_cancels(now_ns);
    }

    /// Sets when its fills are asked for, if anything is to be learned from them.
    pub(super) fn look_for_fills(&mut self, now_ns: u64) {
        if !self.fills.is_unsettled() {
            (self.fills_ns, self.fills_asked) = (u64::MAX, 0);
        } else if self.fills_ns == u64::MAX && self.fills_asked < FILLS_ASKED_MAX {
            // No stream tells what was filled before it began.
            let after_ns = if self.is_taken_up { 0 } else { FILLS_AFTER_NS };
            self.fills_ns = now_ns + after_ns;
        }
    }

    /// Its fills are asked for; `is_more`: the next of one list.
    pub(super) fn fills_were_asked(&mut self, is_more: bool, now_ns: u64) {
        self.fills_asked += u32::from(!is_more);
        let is_over = self.fills_asked >= FILLS_ASKED_MAX;
        let wait_ns = FILLS_AFTER_NS << self.fills_asked;
        self.fills_ns = if is_over { u64::MAX } else { now_ns + wait_ns };
    }

    /// The reply to its request names it.
    pub(super) fn named_by_reply(&mut self, venue_order_id: VenueRef) {
        if venue_order_id.is_none() {
            return;
        }
        if self.venue_order_id.is_none() {
            (self.venue_order_id, self.is_named_by_reply) = (venue_order_id, true);
            self.name_votes = Votes::default();
        }
        self.count_name(venue_order_id, NamedBy::Reply);
    }

    /// A message of the venue gave it this name.
    pub(super) fn count_name(&mut self, name: VenueRef, by: NamedBy) {
        if name.is_none() || self.venue_order_id.is_none() {
            return;
        }
        if name == self.venue_order_id {
            return self.name_votes.add(by);
        }
        if self.rival.0 != name {
            self.rival = (name, Votes::default());
        }
        self.rival.1.add(by);
    }

    /// The answer to a query gives it this name, which takes the place of the one that is known
    /// once more words have given it: one absurd number must not make a stranger of the order, nor
    /// what is told a few times of another order ours. However often answers repeat it, they alone
    /// stand against no name that a reply or a report gave.
    pub(super) fn answered_by_name(&mut self, name: VenueRef) {
        self.count_name(name, NamedBy::Answer);
        let (rival, votes) = self.rival;
        if rival == name && votes.outvote(self.name_votes) {
            (self.venue_order_id, self.name_votes) = (name, votes);
            (self.rival, self.is_named_by_reply) = ((VenueRef::NONE, Votes::default()), false);
        }
    }

    fn schedule_query(&mut self, next: NextQuery, now_ns: u64) {
        if next != NextQuery::BackOff && next != NextQuery::Keep {
            self.queries_failed = 0;
        }
        self.query_ns = match next {
            NextQuery::Keep => return,
            NextQuery::Now => now_ns,
            NextQuery::Soon => now_ns + SOON_NS,
            // The session still waits for an answer, whatever the stream has told meanwhile.
            NextQuery::Rest if self.holds_session => now_ns,
            NextQuery::Rest => now_ns + if self.can_rest() { REST_NS } else { SOON_NS },
            NextQuery::Never => u64::MAX,
            NextQuery::BackOff => {
                // Until the venue has told of it, each answer may be the first good one.
                let (first, longest) = if self.is_seen { BACK_OFF_NS } else { UNSEEN_BACK_OFF_NS };
                let pause_ns = (first << self.queries_failed.min(8)).min(longest);
                self.queries_failed += 1;
                now_ns + pause_ns
            }
        };
    }

    fn can_rest(&self) -> bool {
        self.command.order_type() != Some(OrderType::Market)
            && self.command.time_in_force() != Some(TimeInForce::Ioc)
            && self.command.time_in_force() != Some(TimeInForce::Fok)
    }

    fn pause_cancels(&mut self, now_ns: u64) {
        let (first, longest) = CANCEL_PAUSE_NS;
        self.cancel_ns = now_ns + (first << self.cancels_refused.min(8)).min(longest);
        self.cancels_refused += 1;
    }

    fn end_by_inference(
        &mut self,
        status: OrderStatus,
        certainty: Certainty,
        (reason, code): (RejectReason, i32),
        told: &mut Told,
    ) {
        if self.told_end.is_some() {
            return;
        }
        self.status = status;
        self.told_end = Some(status);
        let exec_type = match status {
            OrderStatus::Canceled => ExecType::Canceled,
            _ => ExecType::Rejected,
        };
        let mut report = self.told(exec_type);
        report.certainty_code = certainty.code();
        (report.reason_code, report.venue_code) = (reason.code(), code);
        told.push(report);
    }

    /// Takes back the end that was told.
    pub(super) fn revive(&mut self, told: &mut Told) {
        if self.told_end.take().is_none() {
            return;
        }
        self.status =
            if self.fills.qty() > 0 { OrderStatus::PartiallyFilled } else { OrderStatus::New };
        self.told_new = true;
        let mut report = self.told(ExecType::Revived);
        report.certainty_code = Certainty::Known.code();
        told.push(report);
    }

    /// The status after a message that says `status`: an open order's never goes back.
    pub(super) fn forward(&self, status: OrderStatus) -> OrderStatus {
        if status.is_terminal() {
            return status;
        }
        if self.fills.qty() > 0 { OrderStatus::PartiallyFilled } else { status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_whose_amendment_was_accepted_can_be_cancelled() {
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.order_type_code) = (100, 10, OrderType::Limit as u8);
        let mut order = KnownOrder::new(&command, 0);
        let mut told = Told::new();
        order.amend(100, 5);
        order.on_amend_accepted(1, &mut told);
        assert_eq!((order.cancel, order.may_cancel(1)), (CancelWish::None, true));
        order.apply(OrderInput::CancelSent, 2, &mut told);
        order.apply(OrderInput::CancelAccepted, 3, &mut told);
        assert_eq!(order.cancel, CancelWish::Accepted);
        assert!(told.is_empty());
    }

    #[test]
    fn a_cancel_that_was_refused_waits_for_a_query_and_a_first_one_does_not() {
        let command = OrderCommand::new_zeroed();
        let mut order = KnownOrder::new(&command, 0);
        let mut told = Told::new();
        order.is_asked = true;
        assert!(order.may_cancel(0));
        order.on_cancel_refused(true, -2011, 0, &mut told);
        assert!(!order.may_cancel(SECOND_NS), "a query is on its way");
        order.is_asked = false;
        assert!(!order.may_cancel(SECOND_NS - 1) && order.may_cancel(SECOND_NS));
    }
}
