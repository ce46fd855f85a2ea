//! What no order of ours can have: checked before anything of a word counts (F32).

use super::order::KnownOrder;
use super::words::{VenueAnswer, VenueReport};
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
    /// Known before. A word that does not say may be older than that.
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
        if !self.is_market() && !self.own_prices().any(|price| price == report.price) {
            return Err("another price than the order's");
        }
        if report.trigger_price.is_some_and(|trigger| trigger != self.command.trigger_price) {
            return Err("another trigger price than the order's");
        }
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
        let expected = self.fills.quote().saturating_add(fill);
        // The venue's sum has eight decimal places, of which prices and quantities may need more.
        if expected.abs_diff(total) > expected.unsigned_abs() / SUM_PART {
            return Err("fill does not make the venue's own sum");
        }
        Ok(())
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
    use crate::venue::orders::words::Told;

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
