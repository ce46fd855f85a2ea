//! What the venue's reports make of an order: fills, ends, amendments, and what contradicts.

use super::fills::{Fill, Place};
use super::order::{KnownOrder, NamedBy};
use super::states::{OrderInput, OrderState};
use super::told::{Applied, Told, VenueAnswer, VenueFill, VenueReport};
use crate::event::{
    Certainty, ExecReport, ExecType, FEE_UNKNOWN, INFERRED, OrderStatus, RejectReason, VenueRef,
};

impl KnownOrder {
    /// Takes the venue's report. What contradicts makes the order's state unknown.
    pub fn on_report(&mut self, report: &VenueReport, now_ns: u64, told: &mut Told) -> Applied {
        let outcome = match self.check(report) {
            Ok(()) => self.take_report(report, now_ns, told),
            Err(why) => {
                self.count_name(report.venue_order_id, NamedBy::Report);
                Err(why)
            }
        };
        self.look_for_fills(now_ns);
        outcome.unwrap_or_else(|why| self.contradict(why, now_ns, told))
    }

    /// Takes how it stands, as the venue's stream tells it where that names no single fill. What is
    /// filled since is told as one fill, until the venue's list of fills says more.
    pub fn on_state(&mut self, state: &VenueAnswer, now_ns: u64, told: &mut Told) -> Applied {
        let outcome = match self.check_answer(state) {
            Ok(()) => self.take_state(state, now_ns, told),
            Err(why) => {
                self.count_name(state.venue_order_id, NamedBy::Report);
                Err(why)
            }
        };
        self.look_for_fills(now_ns);
        outcome.unwrap_or_else(|why| self.contradict(why, now_ns, told))
    }

    fn take_state(
        &mut self,
        state: &VenueAnswer,
        now_ns: u64,
        told: &mut Told,
    ) -> Result<Applied, &'static str> {
        let is_end = state.status.is_terminal();
        if state.filled_qty < self.fills.qty() {
            let why = "filled quantity falls";
            return if is_end { Err(why) } else { Ok(Applied::Duplicate) };
        }
        let has_more = state.filled_qty > self.fills.qty();
        if self.state == OrderState::Ended {
            let is_same = state.status == self.status && !has_more;
            if is_same && std::mem::take(&mut self.is_end_unconfirmed) {
                self.reports = self.reports.wrapping_add(1);
                return Ok(Applied::Taken);
            }
            if is_same || !is_end && !has_more {
                return Ok(Applied::Duplicate);
            }
            self.claimed_qty = self.claimed_qty.max(state.filled_qty);
            return Err("report after the order's end");
        }
        if self.told_end == Some(state.status) && !has_more {
            self.venue_order_id = state.venue_order_id;
            self.apply(OrderInput::ReportEnd, now_ns, told);
            return Ok(Applied::Duplicate);
        }
        let is_news = !self.told_new
            || self.state == OrderState::Presumed
            || self.state == OrderState::Doubted && self.told_unknown
            || state.qty.is_some_and(|qty| self.amendments.awaits_qty(qty));
        if !is_end && !has_more && !is_news {
            return Ok(Applied::Duplicate);
        }
        let mut state = *state;
        let odd_sum = self.leave_out_odd_sum(&mut state);
        self.count_name(state.venue_order_id, NamedBy::Report);
        self.is_end_unconfirmed = false;
        self.reports = self.reports.wrapping_add(1);
        let input = if is_end { OrderInput::ReportEnd } else { OrderInput::ReportLive };
        self.take_answer(&state, input, now_ns, told);
        Ok(odd_sum.map_or(Applied::Taken, Applied::Contradiction))
    }

    /// Takes the fill of the venue's list that covers the filled quantity above `from`. It only
    /// corrects what was told; more than that is to be asked for.
    pub fn on_listed_fill(
        &mut self,
        fill: &VenueFill,
        from: i64,
        now_ns: u64,
        told: &mut Told,
    ) -> Applied {
        let to = from.saturating_add(fill.qty);
        if fill.qty <= 0 || fill.price <= 0 || to > self.command.qty.max(self.qty) {
            return Applied::Contradiction("list of fills does not fit the order");
        }
        if self.is_beyond_limit(fill.price) {
            return Applied::Contradiction("fill beyond the limit price");
        }
        if to > self.fills.qty() && self.is_open() {
            // Its report is on its way.
            self.query_ns = self.query_ns.min(now_ns);
            return Applied::Duplicate;
        }
        if to > self.fills.qty() {
            self.claimed_qty = self.claimed_qty.max(to);
            return self.contradict("list of fills has more than was told", now_ns, told);
        }
        let has_fee = fill.fee.is_some();
        let (price, liquidity) = (fill.price, fill.liquidity);
        let listed = Fill { trade: fill.trade, from, to, price, has_fee, liquidity };
        match self.fills.place(&listed) {
            Place::Repeat | Place::New => Applied::Duplicate,
            Place::Contradiction(why) => Applied::Contradiction(why),
            place => {
                self.correct(place, listed, fill.fee, told);
                Applied::Taken
            }
        }
    }

    fn contradict(&mut self, why: &'static str, now_ns: u64, told: &mut Told) -> Applied {
        if self.is_named_by_reply {
            // The name may be what is wrong.
            (self.venue_order_id, self.is_named_by_reply) = (VenueRef::NONE, false);
        }
        self.apply(OrderInput::Contradiction, now_ns, told);
        Applied::Contradiction(why)
    }

    fn take_report(
        &mut self,
        report: &VenueReport,
        now_ns: u64,
        told: &mut Told,
    ) -> Result<Applied, &'static str> {
        if report.exec_type == ExecType::Trade {
            return self.take_fill(report, now_ns, told);
        }
        let is_end = report.status.is_terminal();
        if report.filled_qty < self.fills.qty() {
            let why = "filled quantity falls";
            return if is_end { Err(why) } else { Ok(Applied::Duplicate) };
        }
        if self.state == OrderState::Ended {
            let is_same = report.status == self.status && report.filled_qty == self.fills.qty();
            if is_same && std::mem::take(&mut self.is_end_unconfirmed) {
                self.reports = self.reports.wrapping_add(1);
                return Ok(Applied::Taken);
            }
            if is_same || !is_end {
                return Ok(Applied::Duplicate);
            }
            self.claimed_qty = self.claimed_qty.max(report.filled_qty);
            return Err("report after the order's end");
        }
        let has_more = report.filled_qty > self.fills.qty();
        if self.told_end == Some(report.status) && !has_more {
            self.venue_order_id = report.venue_order_id;
            self.apply(OrderInput::ReportEnd, now_ns, told);
            return Ok(Applied::Duplicate);
        }
        if !is_end && !has_more && !self.is_news(report) {
            return Ok(Applied::Duplicate);
        }
        let was_new = self.told_new;
        self.heard(report, told);
        if has_more {
            let quote = report.quote_total.map(|total| total - self.fills.quote());
            self.infer(report.filled_qty, quote, 0, told);
        }
        self.take_amendment(report, told);
        let mut news = self.settle(report, now_ns, told);
        match report.exec_type {
            ExecType::Rejected => news.reason_code = RejectReason::Venue.code(),
            // It was told as new before it was in doubt.
            ExecType::New if was_new => news.exec_type_code = ExecType::Status.code(),
            _ => {}
        }
        told.push(news);
        Ok(Applied::Taken)
    }

    fn take_fill(
        &mut self,
        report: &VenueReport,
        now_ns: u64,
        told: &mut Told,
    ) -> Result<Applied, &'static str> {
        let fill = Fill {
            trade: report.execution_id,
            from: report.filled_qty - report.last_qty,
            to: report.filled_qty,
            price: report.last_price,
            has_fee: report.fee.is_some(),
            liquidity: report.liquidity,
        };
        match self.fills.place(&fill) {
            Place::Repeat => return Ok(Applied::Duplicate),
            Place::Contradiction(why) => {
                self.claimed_qty = self.claimed_qty.max(report.filled_qty);
                return Err(why);
            }
            place @ (Place::InHole(_) | Place::NewFee) => {
                self.venue_order_id = report.venue_order_id;
                self.is_seen = true;
                self.reports = self.reports.wrapping_add(1);
                self.correct(place, fill, report.fee, told);
                return Ok(Applied::Taken);
            }
            Place::New if self.state == OrderState::Ended => {
                self.claimed_qty = self.claimed_qty.max(report.filled_qty);
                return Err("report after the order's end");
            }
            Place::New => {}
        }
        self.heard(report, told);
        if fill.from > self.fills.qty() {
            let before = report.quote_total.map(|total| total - fill.quote() - self.fills.quote());
            self.infer(fill.from, before, report.last_price, told);
        }
        self.take_amendment(report, told);
        self.fills.add(fill);
        let mut news = self.settle(report, now_ns, told);
        fill_in(&mut news, &fill, report.fee);
        told.push(news);
        Ok(Applied::Taken)
    }

    /// Notes that the stream tells something new.
    fn heard(&mut self, report: &VenueReport, told: &mut Told) {
        self.venue_order_id = report.venue_order_id;
        self.count_name(report.venue_order_id, NamedBy::Report);
        (self.is_named_by_reply, self.is_end_unconfirmed) = (false, false);
        self.is_seen = true;
        self.reports = self.reports.wrapping_add(1);
        self.answers_none = 0;
        self.revive(told);
    }

    /// Takes the report's state; the news that tell it.
    fn settle(&mut self, report: &VenueReport, now_ns: u64, told: &mut Told) -> ExecReport {
        let is_end = report.status.is_terminal();
        self.prevented_qty = report.prevented_qty.unwrap_or(0).max(self.prevented_qty);
        self.status = self.forward(report.status);
        self.apply(
            if is_end { OrderInput::ReportEnd } else { OrderInput::ReportLive },
            now_ns,
            told,
        );
        (self.told_new, self.told_unknown) = (true, false);
        if is_end {
            self.told_end = Some(self.status);
        }
        let mut news = self.told(report.exec_type);
        news.certainty_code = Certainty::Known.code();
        news.execution_id = report.execution_id;
        news.expiry_code = report.expiry.code();
        news
    }

    /// Whether a report that is no fill and no end tells anything new.
    fn is_news(&self, report: &VenueReport) -> bool {
        match report.exec_type {
            // A venue may tell an amendment by nothing but the quantity.
            ExecType::New if self.amendments.awaits_qty(report.qty) => true,
            ExecType::New => {
                !self.told_new && report.status == OrderStatus::New
                    || self.state == OrderState::Presumed
                    || self.state == OrderState::Doubted && self.told_unknown
                    || report.status == OrderStatus::PendingNew && !self.is_seen
            }
            ExecType::Replaced => self.amendments.awaits_qty(report.qty),
            ExecType::Prevented => {
                report.prevented_qty.is_some_and(|prevented| prevented > self.prevented_qty)
            }
            _ => true,
        }
    }

    /// Tells the truth about a fill that was inferred, or the fee of one that had none.
    fn correct(&mut self, place: Place, fill: Fill, fee: Option<(i64, u128)>, told: &mut Told) {
        let replaced = match place {
            Place::InHole(hole) => self.fills.correct(hole, fill),
            _ => {
                self.fills.settle_fee(fill.trade);
                fill.quote()
            }
        };
        let mut news = self.told(ExecType::Corrected);
        fill_in(&mut news, &fill, fee);
        news.certainty_code = Certainty::Known.code();
        news.execution_id = fill.trade;
        news.replaced_quote = replaced;
        told.push(news);
    }

    /// Tells a fill up to `to` that was missed. `quote` is what the venue's sum says of it. Without
    /// a plausible one it is priced like the fill after it, else at the limit, which is the worst
    /// it can be.
    pub(super) fn infer(&mut self, to: i64, quote: Option<i128>, next_price: i64, told: &mut Told) {
        let qty = to - self.fills.qty();
        let plausible = |quote: &i128| {
            let average = i64::try_from(*quote / i128::from(qty.max(1)));
            *quote > 0 && average.is_ok_and(|average| !self.is_beyond_limit(average))
        };
        // A stop without a limit fills near its trigger price.
        let own = if self.price > 0 { self.price } else { self.command.trigger_price };
        let fallback = if next_price > 0 { next_price } else { own };
        let venues_quote = quote.filter(plausible);
        let quote = venues_quote.unwrap_or(i128::from(fallback) * i128::from(qty));
        self.fills.infer(to, quote);
        let mut fill = self.told(ExecType::Trade);
        fill.status_code = OrderStatus::PartiallyFilled.code();
        // That it was filled is what the venue told. Without its sum the price is a guess of ours.
        let certainty = if venues_quote.is_some() { Certainty::Known } else { Certainty::Assumed };
        fill.certainty_code = certainty.code();
        fill.last_qty = qty;
        fill.last_price = i64::try_from(quote / i128::from(qty)).unwrap_or(i64::MAX);
        fill.quote = quote;
        fill.flags |= INFERRED | FEE_UNKNOWN;
        self.told_new = true;
        told.push(fill);
    }

    /// That the order was amended, at a time when it was open.
    pub(super) fn told_replaced(&self) -> ExecReport {
        let mut report = self.told(ExecType::Replaced);
        report.status_code = self.forward(OrderStatus::New).code();
        report
    }

    /// A report of an amended order, be it the amendment's own or a later one.
    fn take_amendment(&mut self, report: &VenueReport, told: &mut Told) {
        if report.qty != self.qty
            && let Some(terms) = self.amendments.come_true(report.qty)
        {
            (self.price, self.qty) = (terms.price, terms.qty);
            if report.exec_type != ExecType::Replaced {
                told.push(self.told_replaced());
            }
        }
    }
}

fn fill_in(news: &mut ExecReport, fill: &Fill, fee: Option<(i64, u128)>) {
    news.last_price = fill.price;
    news.last_qty = fill.qty();
    news.quote = fill.quote();
    news.set_liquidity(fill.liquidity);
    match fee {
        Some((fee, asset)) => (news.fee, news.fee_asset) = (fee, asset),
        None => news.flags |= FEE_UNKNOWN,
    }
}
