//! One order: what is known of it, and what each word of the venue makes of it.
//!
//! Money is kept by intervals of the filled quantity: a fill covers `(z - l, z]` of it. What a
//! later word reveals was missed before is told as one inferred fill at the venue's own sum, and
//! stays a *hole*; a true fill that comes after all falls into the hole, and is told as a
//! correction. What is neither new nor in a hole is a repeat. So reports may come in any order, and
//! any of them twice.

use arrayvec::ArrayVec;
use zerocopy::FromZeros;

use super::states::{Look, OrderState, Tell, Word};
use crate::event::{
    Certainty, ExecReport, ExecType, ExpiryReason, FEE_UNKNOWN, INFERRED, InstrumentId,
    OrderStatus, RejectReason, Side, VenueRef,
};
use crate::order::{OrderCommand, OrderType, TimeInForce};

const SECOND_NS: u64 = 1_000_000_000;
/// An order that an answer acknowledged and no report followed is asked for after this, ns.
const SOON_NS: u64 = SECOND_NS;
/// Between two looks at an order that rests, ns.
const REST_NS: u64 = 30 * SECOND_NS;
/// The first and the longest pause between two queries of one order in doubt, ns.
const BACK_OFF_NS: (u64, u64) = (SECOND_NS / 4, 30 * SECOND_NS);
/// The same for an order that the venue has told nothing of yet, ns.
const UNSEEN_BACK_OFF_NS: (u64, u64) = (SECOND_NS / 4, 2 * SECOND_NS);
/// The first and the longest pause between two cancels of one order, ns.
const CANCEL_PAUSE_NS: (u64, u64) = (SECOND_NS, 16 * SECOND_NS);
/// "No such order" for an order that the venue had reported ends it only after so many answers.
const GONE_ANSWERS: u32 = 4;
/// Inferred intervals that are remembered; with more the oldest is final.
const HOLES_MAX: usize = 6;
/// Trades of one order that are remembered by name.
const TRADES_KEPT: usize = 4;

/// The venue's report on an order, in the instrument's scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueReport {
    /// What it tells.
    pub exec_type: ExecType,
    /// The order's state after it.
    pub status: OrderStatus,
    /// The venue's name of the order.
    pub venue_order_id: VenueRef,
    /// The venue's name of the trade; of the report when it is no fill.
    pub execution_id: VenueRef,
    /// What it is for.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// Limit price; 0 for a market order.
    pub price: i64,
    /// Ordered quantity.
    pub qty: i64,
    /// Price of this fill.
    pub last_price: i64,
    /// Quantity of this fill.
    pub last_qty: i64,
    /// Filled so far.
    pub filled_qty: i64,
    /// Taken off by self-trade prevention so far; `None` where the report does not say.
    pub prevented_qty: Option<i64>,
    /// Quote amount of all fills, in units of 10^-(price scale + quantity scale); `None` where the
    /// report does not say.
    pub quote_total: Option<i128>,
    /// Fee of this fill in units of 10^-8, and its asset; `None` when it is not known.
    pub fee: Option<(i64, u128)>,
    /// Why it expired.
    pub expiry: ExpiryReason,
}

/// The venue's answer to a query of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueAnswer {
    /// Its state.
    pub status: OrderStatus,
    /// The venue's name of the order.
    pub venue_order_id: VenueRef,
    /// What it is for.
    pub instrument: InstrumentId,
    /// Its side, where the answer says.
    pub side: Option<Side>,
    /// Ordered quantity, where the answer says.
    pub qty: Option<i64>,
    /// Filled so far.
    pub filled_qty: i64,
    /// Taken off by self-trade prevention, where the answer says.
    pub prevented_qty: Option<i64>,
    /// Quote amount of all fills, as in [`VenueReport::quote_total`].
    pub quote_total: Option<i128>,
    /// Why it expired.
    pub expiry: ExpiryReason,
}

/// What a word did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was taken; what is told stands in the list.
    Taken,
    /// It was known before.
    Duplicate,
    /// It contradicts what is known; why.
    Contradiction(&'static str),
}

/// What is told of one word: a revival, fills that were missed, the report.
pub type Told = ArrayVec<ExecReport, 5>;

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

#[derive(Clone, Copy, Debug)]
struct Hole {
    from: i64,
    to: i64,
    quote: i128,
}

/// One order as its venue's agent knows it.
#[derive(Clone, Debug)]
pub struct KnownOrder {
    /// The command that opened it.
    pub command: OrderCommand,
    /// Where it is.
    pub state: OrderState,
    /// Its status by the last word that counted.
    pub status: OrderStatus,
    /// The quantity now; less than ordered after an amendment.
    pub qty: i64,
    /// The price now.
    pub price: i64,
    /// Filled so far.
    pub filled_qty: i64,
    /// Taken off by self-trade prevention so far.
    pub prevented_qty: i64,
    /// The venue's name; none before the venue has told it.
    pub venue_order_id: VenueRef,
    /// When it was handed to the socket, ns of the engine's clock.
    pub sent_ns: u64,
    /// When the venue is asked for it next, ns of the engine's clock.
    pub look_ns: u64,
    /// The cancel.
    pub cancel: CancelWish,
    /// No cancel is written before, ns of the engine's clock.
    pub cancel_ns: u64,
    /// The amendment on its way: the new price and quantity.
    pub amend: Option<(i64, i64)>,
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
    quote: i128,
    holes: ArrayVec<Hole, HOLES_MAX>,
    trades: ArrayVec<VenueRef, TRADES_KEPT>,
    /// The end that the strategy was told.
    told_end: Option<OrderStatus>,
    told_new: bool,
    told_unknown: bool,
    is_amend_doubted: bool,
    is_seen: bool,
    looks_failed: u32,
    answers_none: u32,
    cancels_refused: u32,
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
            filled_qty: 0,
            prevented_qty: 0,
            venue_order_id: VenueRef::NONE,
            sent_ns: now_ns,
            look_ns: u64::MAX,
            cancel: CancelWish::None,
            cancel_ns: 0,
            amend: None,
            reports: 0,
            is_asked: false,
            holds_session: false,
            wants_state: false,
            is_cancelled_outside: false,
            quote: 0,
            holes: ArrayVec::new(),
            trades: ArrayVec::new(),
            told_end: None,
            told_new: false,
            told_unknown: false,
            is_amend_doubted: false,
            is_seen: false,
            looks_failed: 0,
            answers_none: 0,
            cancels_refused: 0,
        }
    }

    /// Whether it may still trade, as far as is known.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// Whether its end may have to be taken back, or its fills corrected: it is remembered for
    /// longer.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.state == OrderState::Presumed || !self.holes.is_empty()
    }

    /// Whether the venue's stream has told anything of it.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.reports > 0
    }

    /// Takes the venue's report. What contradicts makes the order's state unknown.
    pub fn on_report(&mut self, report: &VenueReport, now_ns: u64, told: &mut Told) -> Applied {
        let outcome = match self.check(report) {
            Ok(()) => self.take_report(report, now_ns, told),
            Err(why) => Applied::Contradiction(why),
        };
        if let Applied::Contradiction(_) = outcome {
            self.word(Word::Contradiction, now_ns, told);
        }
        outcome
    }

    /// Takes the venue's answer to a query that was asked when `reports` reports had counted.
    pub fn on_answer(
        &mut self,
        answer: &VenueAnswer,
        reports: u32,
        now_ns: u64,
        told: &mut Told,
    ) -> Applied {
        self.answered();
        if let Err(why) = self.check_answer(answer) {
            // Asking again at once would get the same answer.
            self.word(Word::AnswerFailed, now_ns, told);
            return Applied::Contradiction(why);
        }
        let is_overtaken = reports != self.reports && answer.filled_qty <= self.filled_qty;
        if answer.filled_qty < self.filled_qty || is_overtaken {
            self.word(Word::AnswerFailed, now_ns, told);
            return Applied::Duplicate;
        }
        let is_end = answer.status.is_terminal();
        let is_known_end = self.state == OrderState::Ended;
        if is_known_end {
            return Applied::Duplicate;
        }
        self.answers_none = 0;
        self.venue_order_id = answer.venue_order_id;
        self.prevented_qty = answer.prevented_qty.unwrap_or(0).max(self.prevented_qty);
        let is_new = self.told_end.is_some_and(|end| end != answer.status)
            || (self.told_end.is_some() && answer.filled_qty > self.filled_qty);
        if is_new {
            self.revive(told);
        }
        let was_filled = self.filled_qty;
        if answer.filled_qty > was_filled {
            let quote = answer.quote_total.map(|total| total - self.quote);
            self.infer(answer.filled_qty, quote, 0, told);
        }
        let had_status = self.status;
        self.status = self.forward(answer.status);
        self.settle_amendment(answer.qty, told);
        if let Some(fill) = told.iter_mut().rev().find(|fill| fill.has(INFERRED))
            && answer.status == OrderStatus::Filled
        {
            fill.status_code = answer.status.code();
        }
        let is_fill_told = self.filled_qty > was_filled;
        let word = if is_end { Word::AnswerEnd } else { Word::AnswerLive };
        self.is_seen = true;
        self.word(word, now_ns, told);
        self.tell_answer(answer, had_status, is_fill_told, told);
        Applied::Taken
    }

    /// Takes any other word.
    pub fn word(&mut self, word: Word, now_ns: u64, told: &mut Told) {
        let step = self.state.after(word);
        let has_cancel = matches!(self.cancel, CancelWish::Sent | CancelWish::Accepted);
        self.state = match step.next {
            OrderState::Working if has_cancel && word != Word::CancelRefused => {
                OrderState::Cancelling
            }
            next => next,
        };
        match word {
            Word::Cut | Word::CancelLost if self.cancel != CancelWish::None => {
                self.cancel = CancelWish::Wanted;
                self.pause_cancels(now_ns);
            }
            Word::CancelSent => self.cancel = CancelWish::Sent,
            Word::CancelAccepted => self.cancel = CancelWish::Accepted,
            Word::CancelRefused | Word::CancelNotOpen => {
                self.cancel = CancelWish::None;
                self.pause_cancels(now_ns);
            }
            _ => {}
        }
        self.look(step.look, now_ns);
        // An end that was told stays told until something else is known.
        if step.tell == Tell::Unknown && !self.told_unknown && self.told_end.is_none() {
            self.told_unknown = true;
            told.push(self.told(ExecType::Unknown));
        }
    }

    /// The reply to its request says no. Nothing is told when a report had said otherwise.
    pub fn on_refused(&mut self, reason: RejectReason, code: i32, now_ns: u64, told: &mut Told) {
        if self.is_seen {
            self.word(Word::NoAnswer, now_ns, told);
            return;
        }
        self.word(Word::Refused, now_ns, told);
        if self.state == OrderState::Presumed {
            self.end_by_inference(OrderStatus::Rejected, Certainty::Known, reason, code, told);
        }
    }

    /// The venue does not know it. `is_over`: nothing can be on its way any more.
    pub fn on_no_such_order(&mut self, is_over: bool, code: i32, now_ns: u64, told: &mut Told) {
        self.answered();
        self.answers_none += 1;
        // An order that was reported may be missing in an answer that comes from a replica.
        let is_gone = is_over && (!self.is_seen || self.answers_none >= GONE_ANSWERS);
        self.word(if is_gone { Word::AnswerGone } else { Word::AnswerNone }, now_ns, told);
        if is_gone && self.state == OrderState::Presumed {
            let status = if self.is_seen { OrderStatus::Canceled } else { OrderStatus::Rejected };
            let reason = RejectReason::NeverArrived;
            self.end_by_inference(status, Certainty::Assumed, reason, code, told);
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
        let word = if is_not_open { Word::CancelNotOpen } else { Word::CancelRefused };
        self.word(word, now_ns, told);
        if is_told {
            let mut report = self.told(ExecType::CancelRejected);
            (report.reason_code, report.venue_code) = (RejectReason::Venue.code(), code);
            told.push(report);
        }
    }

    /// The amendment was refused.
    pub fn on_amend_refused(&mut self, reason: RejectReason, code: i32, told: &mut Told) {
        if self.amend.take().is_some() && self.is_open() {
            let mut report = self.told(ExecType::ModifyRejected);
            (report.reason_code, report.venue_code) = (reason.code(), code);
            told.push(report);
        }
    }

    /// A query of it failed, or came to nothing.
    pub fn on_query_failed(&mut self, now_ns: u64, told: &mut Told) {
        self.answered();
        self.word(Word::AnswerFailed, now_ns, told);
    }

    /// The state as it is known, as a report that tells `exec_type`.
    #[must_use]
    pub fn told(&self, exec_type: ExecType) -> ExecReport {
        let mut report = ExecReport::new_zeroed();
        report.client_order_id = self.command.client_order_id;
        report.venue_order_id = self.venue_order_id;
        report.price = self.price;
        report.qty = self.qty;
        report.filled_qty = self.filled_qty;
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

    fn answered(&mut self) {
        (self.is_asked, self.holds_session) = (false, false);
    }

    fn look(&mut self, look: Look, now_ns: u64) {
        if look != Look::BackOff && look != Look::Keep {
            self.looks_failed = 0;
        }
        self.look_ns = match look {
            Look::Keep => return,
            Look::Now => now_ns,
            Look::Soon => now_ns + SOON_NS,
            Look::Rest => now_ns + if self.can_rest() { REST_NS } else { SOON_NS },
            Look::Never => u64::MAX,
            Look::BackOff => {
                // Until the venue has told of it, each answer may be the first good one.
                let (first, longest) = if self.is_seen { BACK_OFF_NS } else { UNSEEN_BACK_OFF_NS };
                let pause_ns = (first << self.looks_failed.min(8)).min(longest);
                self.looks_failed += 1;
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
        reason: RejectReason,
        code: i32,
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
    fn revive(&mut self, told: &mut Told) {
        if self.told_end.take().is_none() {
            return;
        }
        self.status =
            if self.filled_qty > 0 { OrderStatus::PartiallyFilled } else { OrderStatus::New };
        self.told_new = true;
        let mut report = self.told(ExecType::Revived);
        report.certainty_code = Certainty::Known.code();
        told.push(report);
    }

    /// What no order of ours can have: checked before anything of the report counts (F32).
    fn check(&self, report: &VenueReport) -> Result<(), &'static str> {
        if report.instrument != self.command.instrument_id() {
            return Err("report on another instrument than the order's");
        }
        if Some(report.side) != self.command.side() {
            return Err("report on another side than the order's");
        }
        if !self.venue_order_id.is_none() && report.venue_order_id != self.venue_order_id {
            return Err("report on another order of that name");
        }
        if !self.is_own_qty(report.qty) {
            return Err("another quantity than the order's");
        }
        let prevented = report.prevented_qty.unwrap_or(self.prevented_qty);
        let taken = report.filled_qty.checked_add(prevented);
        if report.filled_qty < 0 || prevented < 0 || taken.is_none_or(|taken| taken > report.qty) {
            return Err("filled and prevented above the order's quantity");
        }
        let is_whole = taken == Some(report.qty);
        let is_filled = report.status == OrderStatus::Filled;
        if is_filled && !is_whole || is_whole && !report.status.is_terminal() {
            return Err("filled and prevented do not make the status");
        }
        if !status_fits(report.exec_type, report.status) {
            return Err("status does not go with what is told");
        }
        if report.exec_type == ExecType::Trade {
            if report.last_qty <= 0 || report.last_price <= 0 || report.last_qty > report.filled_qty
            {
                return Err("fill without quantity or price, or above what is filled");
            }
            if self.is_beyond_limit(report.last_price) {
                return Err("fill beyond the limit price");
            }
        } else if report.exec_type == ExecType::New && report.filled_qty != 0 {
            return Err("new, but filled");
        }
        Ok(())
    }

    fn check_answer(&self, answer: &VenueAnswer) -> Result<(), &'static str> {
        if answer.instrument != self.command.instrument_id() {
            return Err("answer on another instrument than the order's");
        }
        if answer.side.is_some_and(|side| Some(side) != self.command.side()) {
            return Err("answer on another side than the order's");
        }
        if !self.venue_order_id.is_none() && answer.venue_order_id != self.venue_order_id {
            return Err("answer on another order of that name");
        }
        if answer.qty.is_some_and(|qty| !self.is_own_qty(qty)) {
            return Err("another quantity than the order's");
        }
        let qty = answer.qty.unwrap_or(self.qty);
        let prevented = answer.prevented_qty.unwrap_or(self.prevented_qty);
        let taken = answer.filled_qty.checked_add(prevented);
        if answer.filled_qty < 0 || prevented < 0 || taken.is_none_or(|taken| taken > qty) {
            return Err("filled and prevented above the order's quantity");
        }
        if answer.status == OrderStatus::Filled && taken != Some(qty) {
            return Err("filled, but not in whole");
        }
        Ok(())
    }

    fn is_own_qty(&self, qty: i64) -> bool {
        let amended = self.amend.map(|(_, qty)| qty);
        qty == self.qty || qty == self.command.qty || Some(qty) == amended
    }

    fn is_beyond_limit(&self, price: i64) -> bool {
        if self.command.order_type() == Some(OrderType::Market) {
            return false;
        }
        // An amended order may have traded at either price.
        let prices =
            [Some(self.price), Some(self.command.price), self.amend.map(|(price, _)| price)];
        let mut prices = prices.into_iter().flatten();
        match self.command.side() {
            Some(Side::Buy) => prices.all(|limit| price > limit),
            _ => prices.all(|limit| price < limit),
        }
    }

    fn take_report(&mut self, report: &VenueReport, now_ns: u64, told: &mut Told) -> Applied {
        let is_fill = report.exec_type == ExecType::Trade;
        let is_end = report.status.is_terminal();
        if report.filled_qty < self.filled_qty && !is_fill {
            if is_end {
                return Applied::Contradiction("filled quantity falls");
            }
            return Applied::Duplicate;
        }
        if is_fill && self.is_told_fill(report) {
            return self.take_old_fill(report, told);
        }
        if self.state == OrderState::Ended {
            let is_same = report.status == self.status && report.filled_qty == self.filled_qty;
            if is_same || !is_fill && !is_end {
                return Applied::Duplicate;
            }
            return Applied::Contradiction("report after the order's end");
        }
        if is_fill && self.trades.contains(&report.execution_id) {
            return Applied::Contradiction("one trade told with two sums");
        }
        let from = report.filled_qty - if is_fill { report.last_qty } else { 0 };
        if from < self.filled_qty {
            return Applied::Contradiction("fill is more than what was filled since");
        }
        let is_same_end =
            self.told_end == Some(report.status) && from == self.filled_qty && !is_fill;
        if is_same_end {
            self.venue_order_id = report.venue_order_id;
            self.word(Word::ReportEnd, now_ns, told);
            return Applied::Duplicate;
        }
        if !is_fill && !is_end && !self.is_news(report) {
            return Applied::Duplicate;
        }
        self.venue_order_id = report.venue_order_id;
        self.is_seen = true;
        self.reports = self.reports.wrapping_add(1);
        self.answers_none = 0;
        self.revive(told);
        let fill_quote = i128::from(report.last_price) * i128::from(report.last_qty);
        if from > self.filled_qty {
            let own = if is_fill { fill_quote } else { 0 };
            let quote = report.quote_total.map(|total| total - own - self.quote);
            self.infer(from, quote, report.last_price, told);
        }
        self.prevented_qty = report.prevented_qty.unwrap_or(0).max(self.prevented_qty);
        self.take_amendment(report, told);
        self.filled_qty = report.filled_qty;
        self.status = self.forward(report.status);
        self.word(if is_end { Word::ReportEnd } else { Word::ReportLive }, now_ns, told);
        let mut news = self.told(report.exec_type);
        news.certainty_code = Certainty::Known.code();
        news.execution_id = report.execution_id;
        news.expiry_code = report.expiry.code();
        if is_fill {
            self.quote += fill_quote;
            self.remember_trade(report.execution_id);
            fill_in(&mut news, report, fill_quote);
        }
        if report.exec_type == ExecType::Rejected {
            news.reason_code = RejectReason::Venue.code();
        }
        self.told_new = true;
        self.told_unknown = false;
        if is_end {
            self.told_end = Some(self.status);
        }
        told.push(news);
        Applied::Taken
    }

    /// Whether a report that is no fill and no end tells anything new.
    fn is_news(&self, report: &VenueReport) -> bool {
        match report.exec_type {
            ExecType::New => {
                !self.told_new && report.status == OrderStatus::New
                    || self.state == OrderState::Presumed
                    || self.state == OrderState::Doubted && self.told_unknown
                    || report.status == OrderStatus::PendingNew && !self.is_seen
            }
            ExecType::Replaced => report.qty != self.qty || report.price != self.price,
            ExecType::Prevented => {
                report.prevented_qty.is_some_and(|prevented| prevented > self.prevented_qty)
            }
            _ => true,
        }
    }

    fn is_told_fill(&self, report: &VenueReport) -> bool {
        report.filled_qty <= self.filled_qty
    }

    /// A fill below what is filled: the truth about an inferred one, or a repeat.
    fn take_old_fill(&mut self, report: &VenueReport, told: &mut Told) -> Applied {
        let (from, to) = (report.filled_qty - report.last_qty, report.filled_qty);
        let overlaps = |hole: &&Hole| hole.from < to && from < hole.to;
        let Some(hole) = self.holes.iter().find(overlaps).copied() else {
            return Applied::Duplicate;
        };
        if from < hole.from || to > hole.to {
            return Applied::Contradiction("fill overlaps one that was told");
        }
        if self.trades.contains(&report.execution_id) {
            return Applied::Contradiction("one trade told with two sums");
        }
        let replaced = self.take_from_hole(hole, from, to);
        let quote = i128::from(report.last_price) * i128::from(report.last_qty);
        self.quote += quote - replaced;
        self.remember_trade(report.execution_id);
        self.venue_order_id = report.venue_order_id;
        self.is_seen = true;
        self.reports = self.reports.wrapping_add(1);
        let mut news = self.told(ExecType::Corrected);
        fill_in(&mut news, report, quote);
        news.execution_id = report.execution_id;
        news.replaced_quote = replaced;
        told.push(news);
        Applied::Taken
    }

    /// Takes `(from, to]` out of a hole; the quote amount that was told for it.
    fn take_from_hole(&mut self, hole: Hole, from: i64, to: i64) -> i128 {
        self.holes.retain(|other| other.from != hole.from);
        let share = |qty: i64, of: i64, quote: i128| match of {
            0 => 0,
            of => quote.saturating_mul(i128::from(qty)) / i128::from(of),
        };
        let length = hole.to - hole.from;
        let replaced = share(to - from, length, hole.quote);
        let rest = hole.quote - replaced;
        let (below, above) = (from - hole.from, hole.to - to);
        let low = share(below, below + above, rest);
        for (from, to, quote) in [(hole.from, from, low), (to, hole.to, rest - low)] {
            if to > from {
                self.remember_hole(Hole { from, to, quote });
            }
        }
        replaced
    }

    fn remember_hole(&mut self, hole: Hole) {
        if self.holes.is_full() {
            self.holes.remove(0);
        }
        self.holes.push(hole);
    }

    fn remember_trade(&mut self, trade: VenueRef) {
        if self.trades.is_full() {
            self.trades.remove(0);
        }
        self.trades.push(trade);
    }

    /// Tells a fill up to `to` that was missed. `quote` is what the venue's sum says of it. Without
    /// a plausible one it is priced like the fill after it, else at the limit, which is the worst
    /// it can be.
    fn infer(&mut self, to: i64, quote: Option<i128>, next_price: i64, told: &mut Told) {
        let qty = to - self.filled_qty;
        let plausible = |quote: &i128| {
            let average = i64::try_from(*quote / i128::from(qty.max(1)));
            *quote > 0 && average.is_ok_and(|average| !self.is_beyond_limit(average))
        };
        let fallback = if next_price > 0 { next_price } else { self.price };
        let venues_quote = quote.filter(plausible);
        let quote = venues_quote.unwrap_or(i128::from(fallback) * i128::from(qty));
        self.remember_hole(Hole { from: self.filled_qty, to, quote });
        self.filled_qty = to;
        self.quote += quote;
        let mut fill = self.told(ExecType::Trade);
        fill.status_code = OrderStatus::PartiallyFilled.code();
        // That it was filled is the venue's word. Without its sum the price is a guess of ours.
        let certainty = if venues_quote.is_some() { Certainty::Known } else { Certainty::Assumed };
        fill.certainty_code = certainty.code();
        fill.last_qty = qty;
        fill.last_price = i64::try_from(quote / i128::from(qty)).unwrap_or(i64::MAX);
        fill.quote = quote;
        fill.flags |= INFERRED | FEE_UNKNOWN;
        self.told_new = true;
        told.push(fill);
    }

    /// A report of an amended order, be it the amendment's own or a later one.
    fn take_amendment(&mut self, report: &VenueReport, told: &mut Told) {
        let Some((price, qty)) = self.amend else {
            if report.exec_type == ExecType::Replaced {
                (self.price, self.qty) = (report.price, report.qty);
            }
            return;
        };
        if report.qty == qty && report.qty != self.qty {
            self.amend = None;
            (self.price, self.qty) = (price, qty);
            if report.exec_type != ExecType::Replaced {
                told.push(self.told(ExecType::Replaced));
            }
        }
    }

    /// What an answer says of an amendment whose outcome was not known.
    fn settle_amendment(&mut self, qty: Option<i64>, told: &mut Told) {
        let Some((price, wanted)) = self.amend else { return };
        if qty == Some(wanted) && wanted != self.qty {
            self.amend = None;
            (self.price, self.qty) = (price, wanted);
            told.push(self.told(ExecType::Replaced));
        } else if std::mem::replace(&mut self.is_amend_doubted, true) {
            // Twice as it was: the amendment never came to be.
            self.on_amend_refused(RejectReason::NeverArrived, 0, told);
        }
    }

    fn tell_answer(
        &mut self,
        answer: &VenueAnswer,
        had_status: OrderStatus,
        is_fill_told: bool,
        told: &mut Told,
    ) {
        let exec_type = match answer.status {
            OrderStatus::PendingNew | OrderStatus::New | OrderStatus::PartiallyFilled => {
                if self.told_new { ExecType::Status } else { ExecType::New }
            }
            // A fill says itself that the order is filled.
            OrderStatus::Filled if is_fill_told => ExecType::Trade,
            OrderStatus::Filled => ExecType::Status,
            OrderStatus::Canceled => ExecType::Canceled,
            OrderStatus::Rejected => ExecType::Rejected,
            OrderStatus::Expired => ExecType::Expired,
        };
        let is_end = answer.status.is_terminal();
        let is_told = if is_end {
            self.told_end == Some(answer.status) || exec_type == ExecType::Trade
        } else {
            let is_same = had_status == self.status || is_fill_told;
            self.told_new && is_same && !self.told_unknown && !self.wants_state
        };
        if is_end {
            self.told_end = Some(answer.status);
        }
        (self.told_unknown, self.wants_state) = (false, false);
        if is_told {
            return;
        }
        self.told_new = true;
        let mut report = self.told(exec_type);
        report.certainty_code = Certainty::Known.code();
        report.expiry_code = answer.expiry.code();
        if exec_type == ExecType::Rejected {
            report.reason_code = RejectReason::Venue.code();
        }
        told.push(report);
    }

    /// The status after a word that says `status`: an open order's never goes back.
    fn forward(&self, status: OrderStatus) -> OrderStatus {
        if status.is_terminal() {
            return status;
        }
        if self.filled_qty > 0 { OrderStatus::PartiallyFilled } else { status }
    }
}

fn status_fits(exec_type: ExecType, status: OrderStatus) -> bool {
    use OrderStatus::{Canceled, Expired, Filled, New, PartiallyFilled, PendingNew, Rejected};
    match exec_type {
        ExecType::New => matches!(status, PendingNew | New),
        ExecType::Trade => matches!(status, PartiallyFilled | Filled),
        ExecType::Canceled => status == Canceled,
        ExecType::Rejected => status == Rejected,
        ExecType::Expired => status == Expired,
        ExecType::Replaced => matches!(status, New | PartiallyFilled),
        ExecType::Prevented => matches!(status, New | PartiallyFilled | Filled),
        _ => false,
    }
}

fn fill_in(news: &mut ExecReport, report: &VenueReport, quote: i128) {
    news.last_price = report.last_price;
    news.last_qty = report.last_qty;
    news.quote = quote;
    match report.fee {
        Some((fee, asset)) => (news.fee, news.fee_asset) = (fee, asset),
        None => news.flags |= FEE_UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of an order of 10 at `price` when an answer says that 4 are filled.
    fn told_of_an_answer(price: i64, quote_total: Option<i128>) -> ExecReport {
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (price, 10, Side::Buy.code());
        let is_market = price == 0;
        let order_type = if is_market { OrderType::Market } else { OrderType::Limit };
        command.order_type_code = order_type as u8;
        let mut order = KnownOrder::new(&command, 0);
        let answer = VenueAnswer {
            status: OrderStatus::PartiallyFilled,
            venue_order_id: VenueRef::number(7),
            instrument: InstrumentId(0),
            side: Some(Side::Buy),
            qty: Some(10),
            filled_qty: 4,
            prevented_qty: None,
            quote_total,
            expiry: ExpiryReason::None,
        };
        let mut told = Told::new();
        assert_eq!(order.on_answer(&answer, 0, 1, &mut told), Applied::Taken);
        *told.iter().find(|report| report.has(INFERRED)).expect("the fill is told")
    }

    #[test]
    fn a_price_that_the_venue_did_not_tell_is_told_as_a_guess() {
        let fill = told_of_an_answer(100, Some(396));
        assert_eq!((fill.last_price, fill.certainty()), (99, Some(Certainty::Known)));
        let fill = told_of_an_answer(100, None);
        assert_eq!((fill.last_price, fill.certainty()), (100, Some(Certainty::Assumed)));
        // A sum beyond the limit price is no sum of this order.
        let fill = told_of_an_answer(100, Some(404));
        assert_eq!((fill.last_price, fill.certainty()), (100, Some(Certainty::Assumed)));
        let fill = told_of_an_answer(0, None);
        assert_eq!((fill.last_price, fill.certainty()), (0, Some(Certainty::Assumed)));
    }
}
