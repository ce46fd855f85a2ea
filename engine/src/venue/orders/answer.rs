//! What the venue's answers to queries, and the state in its replies, make of an order.

use super::order::{CancelWish, KnownOrder};
use super::states::{OrderInput, OrderState};
use super::told::{Applied, Told, VenueAnswer};
use crate::event::{Certainty, ExecType, INFERRED, OrderStatus, RejectReason};

/// Answers that know less than a report had claimed, before they are believed.
const CLAIMS_DENIED_MAX: u32 = 4;
/// Answers that show an order live whose cancel was accepted, before it is cancelled again.
const CANCELS_DENIED_MAX: u32 = 2;

impl KnownOrder {
    /// Takes the venue's answer to a query that was asked when `reports` reports had counted.
    pub fn on_answer(
        &mut self,
        answer: &VenueAnswer,
        reports: u32,
        now_ns: u64,
        told: &mut Told,
    ) -> Applied {
        self.answered();
        let (mut answer, is_whole) = self.as_filled(answer);
        let is_misnamed = self.is_named_by_reply && self.venue_order_id != answer.venue_order_id;
        self.answered_by_name(answer.venue_order_id);
        if let Err(why) = self.check_answer(&answer) {
            // Asking again at once would get the same answer.
            self.apply(OrderInput::AnswerFailed, now_ns, told);
            return Applied::Contradiction(why);
        }
        if self.is_overtaken(&answer, reports) {
            self.apply(OrderInput::AnswerFailed, now_ns, told);
            return Applied::Duplicate;
        }
        if self.state == OrderState::Ended {
            return Applied::Duplicate;
        }
        if answer.filled_qty < self.claimed_qty {
            self.claims_denied += 1;
            if self.claims_denied < CLAIMS_DENIED_MAX {
                self.apply(OrderInput::AnswerFailed, now_ns, told);
                return Applied::Duplicate;
            }
        }
        let is_denied = answer.filled_qty < self.claimed_qty;
        let odd_sum = self.leave_out_odd_sum(&mut answer);
        (self.claimed_qty, self.claims_denied) = (0, 0);
        let is_end = answer.status.is_terminal();
        let input = if is_end { OrderInput::AnswerEnd } else { OrderInput::AnswerLive };
        self.take_answer(&answer, input, now_ns, told);
        self.deny_cancel(now_ns);
        if is_denied {
            return Applied::Contradiction(
                "the venue's answers do not know a fill that it reported",
            );
        }
        if is_whole {
            return Applied::Contradiction("filled in whole, by a status that says otherwise");
        }
        if is_misnamed {
            return Applied::Contradiction("the reply to a request gave it another number");
        }
        odd_sum.map_or(Applied::Taken, Applied::Contradiction)
    }

    /// Leaves out a sum that can't be that of this order's fills; what is wrong with it.
    pub(super) fn leave_out_odd_sum(&self, answer: &mut VenueAnswer) -> Option<&'static str> {
        let why = self.check_answered_sum(answer).err()?;
        answer.quote_total = None;
        Some(why)
    }

    /// The answer, with the status that its quantities make; and whether it told another one.
    fn as_filled(&self, answer: &VenueAnswer) -> (VenueAnswer, bool) {
        let taken = answer.filled_qty.checked_add(answer.prevented_qty.unwrap_or(0));
        let is_whole = !answer.status.is_terminal()
            && answer.filled_qty > 0
            && taken == Some(answer.qty.unwrap_or(self.qty));
        let status = if is_whole { OrderStatus::Filled } else { answer.status };
        (VenueAnswer { status, ..*answer }, is_whole)
    }

    /// Takes the state in the reply to a request that was written when `reports` reports had
    /// counted.
    pub fn on_reply_state(
        &mut self,
        answer: &VenueAnswer,
        reports: u32,
        now_ns: u64,
        told: &mut Told,
    ) -> Applied {
        if let Err(why) = self.check_answer(answer) {
            self.apply(OrderInput::Contradiction, now_ns, told);
            return Applied::Contradiction(why);
        }
        // Without an end or a fill a reply says no more than that it was accepted.
        let is_end = answer.status.is_terminal();
        let has_more = answer.filled_qty > self.fills.qty();
        if self.state == OrderState::Ended
            || self.is_overtaken(answer, reports)
            || !is_end && !has_more
        {
            return Applied::Duplicate;
        }
        let mut answer = *answer;
        let odd_sum = self.leave_out_odd_sum(&mut answer);
        let input = if is_end { OrderInput::ReplyEnd } else { OrderInput::ReplyLive };
        self.take_answer(&answer, input, now_ns, told);
        self.is_end_unconfirmed = is_end;
        odd_sum.map_or(Applied::Taken, Applied::Contradiction)
    }

    fn is_overtaken(&self, answer: &VenueAnswer, reports: u32) -> bool {
        answer.filled_qty < self.fills.qty()
            || reports != self.reports && answer.filled_qty <= self.fills.qty()
    }

    pub(super) fn take_answer(
        &mut self,
        answer: &VenueAnswer,
        input: OrderInput,
        now_ns: u64,
        told: &mut Told,
    ) {
        self.answers_none = 0;
        self.venue_order_id = answer.venue_order_id;
        self.is_named_by_reply = matches!(input, OrderInput::ReplyLive | OrderInput::ReplyEnd);
        self.prevented_qty = answer.prevented_qty.unwrap_or(0).max(self.prevented_qty);
        let is_new = self.told_end.is_some_and(|end| end != answer.status)
            || (self.told_end.is_some() && answer.filled_qty > self.fills.qty());
        if is_new {
            self.revive(told);
        }
        self.settle_amendment(answer.qty, told);
        let was_filled = self.fills.qty();
        if answer.filled_qty > was_filled {
            let quote = answer.quote_total.map(|total| total - self.fills.quote());
            self.infer(answer.filled_qty, quote, 0, told);
            self.look_for_fills(now_ns);
        }
        let had_status = self.status;
        self.status = self.forward(answer.status);
        if let Some(fill) = told.iter_mut().rev().find(|fill| fill.has(INFERRED))
            && answer.status == OrderStatus::Filled
        {
            fill.status_code = answer.status.code();
        }
        let is_fill_told = self.fills.qty() > was_filled;
        self.is_seen = true;
        self.apply(input, now_ns, told);
        self.tell_answer(answer, had_status, is_fill_told, told);
    }

    /// What an answer says of an amendment whose outcome was not known.
    fn settle_amendment(&mut self, qty: Option<i64>, told: &mut Told) {
        let Some(qty) = qty else { return };
        if qty != self.qty
            && let Some(terms) = self.amendments.come_true(qty)
        {
            (self.price, self.qty) = (terms.price, terms.qty);
            told.push(self.told_replaced());
        } else if self.amendments.denied() && self.is_open() {
            self.tell_amend_refused(RejectReason::NeverArrived, 0, told);
        }
    }

    /// An order whose cancel was accepted and that goes on living is cancelled again.
    fn deny_cancel(&mut self, now_ns: u64) {
        if self.cancel != CancelWish::Accepted || !self.is_open() {
            return;
        }
        self.cancels_denied += 1;
        if self.cancels_denied >= CANCELS_DENIED_MAX {
            self.want_cancel_again(now_ns);
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
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{ExecReport, ExpiryReason, InstrumentId, Side, VenueRef};
    use crate::order::{OrderCommand, OrderType};
    use crate::venue::orders::order::NamedBy;

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
            price: Some(price),
            trigger_price: None,
            qty: Some(10),
            filled_qty: 4,
            prevented_qty: None,
            quote_total,
            expiry: ExpiryReason::None,
        };
        let mut told = Told::new();
        let is_odd = order.check_answered_sum(&answer).is_err();
        let applied = order.on_answer(&answer, 0, 1, &mut told);
        assert_eq!(matches!(applied, Applied::Contradiction(_)), is_odd);
        *told.iter().find(|report| report.has(INFERRED)).expect("the fill is told")
    }

    #[test]
    fn a_reply_that_knows_less_than_was_told_changes_nothing() {
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (100, 10, Side::Buy.code());
        command.order_type_code = OrderType::Limit as u8;
        let mut order = KnownOrder::new(&command, 0);
        let answer = |status, filled_qty: i64| VenueAnswer {
            status,
            venue_order_id: VenueRef::number(7),
            instrument: InstrumentId(0),
            side: Some(Side::Buy),
            price: Some(100),
            trigger_price: None,
            qty: Some(10),
            filled_qty,
            prevented_qty: None,
            quote_total: None,
            expiry: ExpiryReason::None,
        };
        let mut told = Told::new();
        let known = answer(OrderStatus::PartiallyFilled, 4);
        assert_eq!(order.on_answer(&known, 0, 1, &mut told), Applied::Taken);
        told.clear();
        let reports = order.reports;
        let older = answer(OrderStatus::Canceled, 2);
        let applied = order.on_reply_state(&older, reports, 2, &mut told);
        assert_eq!((applied, told.len()), (Applied::Duplicate, 0));
        assert!(order.is_open() && order.fills.qty() == 4);
    }

    #[test]
    fn one_absurd_name_of_an_order_is_outvoted_by_two_that_agree() {
        let answer = |id: u64| VenueAnswer {
            status: OrderStatus::New,
            venue_order_id: VenueRef::number(id),
            instrument: InstrumentId(0),
            side: None,
            price: None,
            trigger_price: None,
            qty: None,
            filled_qty: 0,
            prevented_qty: None,
            quote_total: None,
            expiry: ExpiryReason::None,
        };
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (100, 10, Side::Buy.code());
        let mut order = KnownOrder::new(&command, 0);
        let mut take = |id: u64| order.on_answer(&answer(id), 0, 1, &mut Told::new());
        assert_eq!(take(u64::MAX), Applied::Taken);
        assert!(matches!(take(7), Applied::Contradiction(_)), "one against one");
        assert!(matches!(take(8), Applied::Contradiction(_)), "no two agree");
        assert!(matches!(take(7), Applied::Contradiction(_)));
        assert_eq!(take(7), Applied::Taken);
        assert_eq!(order.venue_order_id, VenueRef::number(7));
        // What several words have told is outvoted by more of them, and by no fewer.
        let mut take = |id: u64| order.on_answer(&answer(id), 0, 1, &mut Told::new());
        let words = [7, 7, 7, 8, 8, 8, 8, 7].map(|id| take(id) == Applied::Taken);
        assert_eq!(words, [true, true, true, false, false, false, false, true]);
        assert_eq!(order.venue_order_id, VenueRef::number(7));
    }

    #[test]
    fn answers_alone_give_no_other_name_to_an_order_that_a_report_named() {
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (100, 10, Side::Buy.code());
        command.order_type_code = OrderType::Limit as u8;
        let mut order = KnownOrder::new(&command, 0);
        order.named_by_reply(VenueRef::number(7));
        let answer = VenueAnswer {
            status: OrderStatus::Filled,
            venue_order_id: VenueRef::number(8),
            instrument: InstrumentId(0),
            side: Some(Side::Buy),
            price: Some(100),
            trigger_price: None,
            qty: Some(10),
            filled_qty: 10,
            prevented_qty: None,
            quote_total: None,
            expiry: ExpiryReason::None,
        };
        order.is_named_by_reply = false;
        for _ in 0..100 {
            let applied = order.on_answer(&answer, 0, 1, &mut Told::new());
            assert!(matches!(applied, Applied::Contradiction(_)));
        }
        assert_eq!((order.venue_order_id, order.fills.qty()), (VenueRef::number(7), 0));
        // A message of another kind bears it out.
        order.count_name(VenueRef::number(8), NamedBy::Reply);
        order.on_answer(&answer, 0, 1, &mut Told::new());
        assert_eq!((order.venue_order_id, order.fills.qty()), (VenueRef::number(8), 10));
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
