//! What no order of ours can have: checked before anything of a message counts (F32).

use super::order::KnownOrder;
use super::told::{VenueAnswer, VenueReport};
use crate::event::{ExecType, OrderStatus, Side};
use crate::order::OrderType;

/// A fill this many times better than the limit is doubted: venues refuse limits that are further
/// from the market (Binance's PERCENT_PRICE_BY_SIDE: a fifth and five times).
const TOO_GOOD: i64 = 10;
/// The part of a sum by which it may be off for its rounding.
const SUM_PART: u128 = 1_000;

/// What both a report and an answer say of an order.
struct Terms {
    qty: i64,
    filled_qty: i64,
    prevented_qty: Option<i64>,
    /// Known before. A message that does not say may be older than that.
    known_prevented_qty: i64,
    status: OrderStatus,
}

impl Terms {
    /// Filled and prevented against the ordered quantity, and against the status.
    fn check(&self) -> Result<(), &'static str> {
        let prevented = self.prevented_qty.unwrap_or(0);
        let taken = self.filled_qty.checked_add(prevented);
        let is_negative = self.filled_qty < 0 || prevented < 0;
        if is_negative || taken.is_none_or(|taken| taken > self.qty) {
            return Err("filled and prevented above the order's quantity");
        }
        let known = self.prevented_qty.unwrap_or(self.known_prevented_qty);
        let is_whole = self.filled_qty.checked_add(known) == Some(self.qty);
        let is_filled = self.status == OrderStatus::Filled;
        if is_filled && !is_whole || taken == Some(self.qty) && !self.status.is_terminal() {
            return Err("filled and prevented do not make the status");
        }
        Ok(())
    }
}

impl KnownOrder {
    pub(super) fn check(&self, report: &VenueReport) -> Result<(), &'static str> {
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
        self.check_prices(Some(report.price), report.trigger_price)?;
        Terms {
            qty: report.qty,
            filled_qty: report.filled_qty,
            prevented_qty: report.prevented_qty,
            known_prevented_qty: self.prevented_qty,
            status: report.status,
        }
        .check()?;
        if !status_fits(report.exec_type, report.status) {
            return Err("status does not go with what is told");
        }
        match report.exec_type {
            ExecType::Trade => self.check_fill(report),
            ExecType::New if report.filled_qty != 0 => Err("new, but filled"),
            ExecType::Rejected if report.filled_qty != 0 => Err("rejected, but filled"),
            _ => Ok(()),
        }
    }

    /// Limit and trigger price of a message, where it says.
    fn check_prices(&self, price: Option<i64>, trigger: Option<i64>) -> Result<(), &'static str> {
        let is_own = |price: i64| self.own_prices().any(|own| own == price);
        if !self.is_market() && price.is_some_and(|price| !is_own(price)) {
            return Err("another price than the order's");
        }
        if trigger.is_some_and(|trigger| trigger != self.command.trigger_price) {
            return Err("another trigger price than the order's");
        }
        Ok(())
    }

    fn check_fill(&self, report: &VenueReport) -> Result<(), &'static str> {
        if report.last_qty <= 0 || report.last_price <= 0 || report.last_qty > report.filled_qty {
            return Err("fill without quantity or price, or above what is filled");
        }
        if self.is_beyond_limit(report.last_price) {
            return Err("fill beyond the limit price");
        }
        if self.is_too_good(report.last_price) {
            return Err("fill at a price too good to be true");
        }
        self.check_sum(report)
    }

    /// The fill against the venue's own sum of all fills, where both are known for sure.
    fn check_sum(&self, report: &VenueReport) -> Result<(), &'static str> {
        let Some(total) = report.quote_total else { return Ok(()) };
        let is_next = report.filled_qty - report.last_qty == self.fills.qty();
        if !is_next || self.fills.is_inferred() {
            return Ok(());
        }
        let fill = i128::from(report.last_price) * i128::from(report.last_qty);
        if !is_about(total, self.fills.quote().saturating_add(fill)) {
            return Err("fill does not make the venue's own sum");
        }
        Ok(())
    }

    /// The sum of all fills in an answer: against the fills that were told, where it is about those
    /// alone, else against the limit. The quantities count whatever the sum says; it is left out
    /// then, and the price is a guess until the fills are listed.
    pub(super) fn check_answered_sum(&self, answer: &VenueAnswer) -> Result<(), &'static str> {
        let Some(total) = answer.quote_total else { return Ok(()) };
        let more = answer.filled_qty - self.fills.qty();
        match more {
            _ if answer.filled_qty == 0 => Err("a sum of fills, and nothing filled"),
            0 if !self.fills.is_inferred() && !is_about(total, self.fills.quote()) => {
                Err("the sum is not that of the fills that were told")
            }
            1.. => {
                // Of a sum of which we have guessed a part only the average says anything.
                let price = match self.fills.is_inferred() {
                    true => total / i128::from(answer.filled_qty),
                    false => (total - self.fills.quote()) / i128::from(more),
                };
                let price = i64::try_from(price).unwrap_or(0);
                let is_odd = price <= 0 || self.is_beyond_limit(price) || self.is_too_good(price);
                if is_odd {
                    Err("the sum makes a price that this order can't have")
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_answer(&self, answer: &VenueAnswer) -> Result<(), &'static str> {
        if answer.instrument != self.command.instrument_id() {
            return Err("answer on another instrument than the order's");
        }
        if answer.side.is_some_and(|side| Some(side) != self.command.side()) {
            return Err("answer on another side than the order's");
        }
        let is_named = !self.venue_order_id.is_none() && !self.is_named_by_reply;
        if is_named && answer.venue_order_id != self.venue_order_id {
            return Err("answer on another order of that name");
        }
        if answer.qty.is_some_and(|qty| !self.is_own_qty(qty)) {
            return Err("another quantity than the order's");
        }
        self.check_prices(answer.price, answer.trigger_price)?;
        Terms {
            qty: answer.qty.unwrap_or(self.qty),
            filled_qty: answer.filled_qty,
            prevented_qty: answer.prevented_qty,
            known_prevented_qty: self.prevented_qty,
            status: answer.status,
        }
        .check()
    }

    fn is_own_qty(&self, qty: i64) -> bool {
        qty == self.qty || qty == self.command.qty || self.amendments.allow_qty(qty)
    }

    /// Whether it takes at any price, once it works.
    fn is_market(&self) -> bool {
        !self.command.order_type().is_none_or(OrderType::is_priced)
    }

    /// Prices that the order has had or may have: an amended one may have traded at any of them.
    fn own_prices(&self) -> impl Iterator<Item = i64> {
        [self.price, self.command.price].into_iter().chain(self.amendments.prices())
    }

    pub(super) fn is_beyond_limit(&self, price: i64) -> bool {
        if self.is_market() {
            return false;
        }
        match self.command.side() {
            Some(Side::Buy) => self.own_prices().all(|limit| price > limit),
            _ => self.own_prices().all(|limit| price < limit),
        }
    }

    /// Whether a price is so much better than any limit of the order that the number is to be
    /// doubted: the venue is asked, and what it says twice is believed.
    fn is_too_good(&self, price: i64) -> bool {
        if self.is_market() {
            return false;
        }
        match self.command.side() {
            Some(Side::Buy) => self.own_prices().all(|limit| price < limit / TOO_GOOD),
            _ => self.own_prices().all(|limit| price > limit.saturating_mul(TOO_GOOD)),
        }
    }
}

/// Whether a sum of the venue is this one: it has eight decimal places, of which prices and
/// quantities may need more.
fn is_about(total: i128, expected: i128) -> bool {
    expected.abs_diff(total) <= expected.unsigned_abs() / SUM_PART
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

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{ExpiryReason, InstrumentId, VenueRef};
    use crate::order::OrderCommand;
    use crate::venue::orders::told::Told;

    fn order() -> KnownOrder {
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (100, 10, Side::Buy.code());
        command.order_type_code = OrderType::Limit as u8;
        KnownOrder::new(&command, 0)
    }

    fn fill() -> VenueReport {
        VenueReport {
            exec_type: ExecType::Trade,
            status: OrderStatus::PartiallyFilled,
            venue_order_id: VenueRef::number(7),
            execution_id: VenueRef::number(1),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: 100,
            trigger_price: None,
            qty: 10,
            last_price: 99,
            last_qty: 4,
            filled_qty: 4,
            prevented_qty: None,
            quote_total: None,
            fee: None,
            liquidity: None,
            expiry: ExpiryReason::None,
        }
    }

    #[test]
    fn each_field_of_a_report_is_held_against_the_order() {
        assert_eq!(order().check(&fill()), Ok(()));
        let spoils: [fn(&mut VenueReport); 13] = [
            |report| report.instrument = InstrumentId(1),
            |report| report.side = Side::Sell,
            |report| report.qty = 11,
            |report| report.price = 101,
            |report| report.trigger_price = Some(99),
            |report| report.filled_qty = 11,
            |report| report.filled_qty = -1,
            |report| report.prevented_qty = Some(7),
            |report| report.status = OrderStatus::Filled,
            |report| report.status = OrderStatus::New,
            |report| report.last_qty = 5,
            |report| report.last_price = 0,
            |report| report.last_price = 101,
        ];
        for (number, spoil) in spoils.into_iter().enumerate() {
            let mut report = fill();
            spoil(&mut report);
            assert!(order().check(&report).is_err(), "{number}: {report:?}");
        }
        let mut named = order();
        named.on_report(&fill(), 0, &mut Told::new());
        let stranger = VenueReport { venue_order_id: VenueRef::number(8), ..fill() };
        assert!(named.check(&stranger).is_err());
    }

    #[test]
    fn a_fill_may_be_better_than_the_limit_but_not_absurdly_and_makes_the_venues_sum() {
        let at = |last_price: i64, quote_total: Option<i128>| {
            order().check(&VenueReport { last_price, quote_total, ..fill() })
        };
        for price in [1, 9] {
            assert!(at(price, None).is_err(), "{price}");
        }
        for price in [10, 50, 100] {
            assert_eq!(at(price, None), Ok(()), "{price}");
        }
        assert_eq!(at(50, Some(200)), Ok(()));
        for total in [2, 190, 210, 20_000] {
            assert!(at(50, Some(total)).is_err(), "{total}");
        }
        let mut sell = order();
        sell.command.side_code = Side::Sell.code();
        let sold = |last_price| sell.check(&VenueReport { last_price, side: Side::Sell, ..fill() });
        assert_eq!((sold(100), sold(1_000)), (Ok(()), Ok(())));
        assert!(sold(99).is_err() && sold(1_001).is_err());
    }

    /// What an answer says of an order of 10 at 100 of which 4 are filled.
    fn answer() -> VenueAnswer {
        VenueAnswer {
            status: OrderStatus::PartiallyFilled,
            venue_order_id: VenueRef::number(7),
            instrument: InstrumentId(0),
            side: Some(Side::Buy),
            price: Some(100),
            trigger_price: Some(0),
            qty: Some(10),
            filled_qty: 4,
            prevented_qty: None,
            quote_total: Some(396),
            expiry: ExpiryReason::None,
        }
    }

    #[test]
    fn each_field_of_an_answer_is_held_against_the_order() {
        assert_eq!(order().check_answer(&answer()), Ok(()));
        let spoils: [fn(&mut VenueAnswer); 9] = [
            |answer| answer.instrument = InstrumentId(1),
            |answer| answer.side = Some(Side::Sell),
            |answer| answer.price = Some(101),
            |answer| answer.price = Some(0),
            |answer| answer.trigger_price = Some(99),
            |answer| answer.qty = Some(11),
            |answer| answer.filled_qty = -1,
            |answer| answer.prevented_qty = Some(7),
            |answer| answer.status = OrderStatus::Filled,
        ];
        for (number, spoil) in spoils.into_iter().enumerate() {
            let mut answer = answer();
            spoil(&mut answer);
            assert!(order().check_answer(&answer).is_err(), "{number}: {answer:?}");
        }
        let mut amended = order();
        amended.amend(98, 9);
        let told = VenueAnswer { price: Some(98), qty: Some(9), ..answer() };
        assert_eq!(amended.check_answer(&told), Ok(()), "it may have come true");
        amended.on_amend_refused(crate::event::RejectReason::Venue, 51_149, &mut Told::new());
        assert_eq!(amended.check_answer(&told), Ok(()), "a refusal proves less than an answer");
        let mut named = order();
        named.on_report(&fill(), 0, &mut Told::new());
        let stranger = VenueAnswer { venue_order_id: VenueRef::number(8), ..answer() };
        assert!(named.check_answer(&stranger).is_err());
    }

    #[test]
    fn the_sum_of_an_answer_is_that_of_the_fills_or_makes_a_price_within_the_limit() {
        let sum = |order: &KnownOrder, filled_qty, quote_total| {
            let quote_total = Some(quote_total);
            order.check_answered_sum(&VenueAnswer { filled_qty, quote_total, ..answer() })
        };
        let fresh = order();
        assert_eq!((sum(&fresh, 4, 396), sum(&fresh, 4, 400)), (Ok(()), Ok(())));
        for (filled, total) in [(4, 404), (4, 3), (4, -396), (0, 396), (4, i128::MAX)] {
            assert!(sum(&fresh, filled, total).is_err(), "{filled} for {total}");
        }
        let mut known = order();
        known.on_report(&fill(), 0, &mut Told::new());
        assert_eq!((sum(&known, 4, 396), sum(&known, 5, 496)), (Ok(()), Ok(())));
        assert!(sum(&known, 4, 300).is_err() && sum(&known, 5, 396).is_err());
    }

    #[test]
    fn filled_means_filled_or_prevented_in_whole_as_far_as_was_told() {
        let whole = VenueReport { status: OrderStatus::Filled, ..fill() };
        assert!(order().check(&whole).is_err());
        let mut prevented = order();
        prevented.prevented_qty = 6;
        assert_eq!(prevented.check(&whole), Ok(()), "told before");
        let told = VenueReport { prevented_qty: Some(6), ..whole };
        assert_eq!(order().check(&told), Ok(()), "told with it");
    }

    #[test]
    fn a_sell_is_not_filled_below_its_limit_and_a_market_order_has_none() {
        let mut order = order();
        order.command.side_code = Side::Sell.code();
        let below = VenueReport { side: Side::Sell, ..fill() };
        assert!(order.check(&below).is_err());
        (order.command.price, order.price) = (0, 0);
        order.command.order_type_code = OrderType::Market as u8;
        assert_eq!(order.check(&below), Ok(()));
    }
}
