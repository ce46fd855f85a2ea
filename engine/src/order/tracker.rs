//! A strategy's own view of its orders and positions: a copy, made by the exec reports that it
//! receives.
//!
//! What an order's state is, the venue's agent decides: it owns that state, and each of its
//! reports tells it whole. This copy is there since a callback reads it in a few nanoseconds on
//! the strategy's thread, without a lock against the venue's, and since it is what the strategy
//! was told, not what it will be told next. Here nothing is judged: a report that tells a state
//! replaces the one before, and one that tells none changes none. So both can't disagree, which
//! `venue/orders/model.rs` holds after each of its random inputs.

mod sums;

use self::sums::{Money, Saturating};
use super::command::OrderTerms;
use crate::event::{
    ClientOrderId, ExecReport, ExecType, InstrumentId, OrderStatus, Price, Qty, RejectReason, Side,
    VenueId,
};
use crate::instrument::Instruments;

/// One order that is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// The strategy's own number.
    pub id: ClientOrderId,
    /// Where it is.
    pub venue: VenueId,
    /// What it is for.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// Limit price; 0 for an order without one.
    pub price: Price,
    /// The price that triggers a stop; 0 for an order that does not wait.
    pub trigger_price: Price,
    /// Ordered quantity.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
    /// Its state.
    pub status: OrderStatus,
    /// Whether a cancel is on its way.
    pub cancel_pending: bool,
    /// What kind of order it is; `None` of one whose end was told and taken back.
    pub terms: Option<OrderTerms>,
    /// The order whose place it takes once that is over ([`replace`](crate::consumer::Context)).
    pub replaces: Option<ClientOrderId>,
}

/// Net position in one instrument, over all venues. Sums saturate, and [`OrderCounts::saturated`]
/// says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bought minus sold minus fees taken in the base asset, in the quantity scale, rounded down:
    /// what a closing order can sell.
    pub net: i64,
    /// Bought quantity.
    pub bought: i64,
    /// Sold quantity.
    pub sold: i64,
    /// Cash flow of all fills: sold minus bought, price x quantity, without fees.
    pub cash: i128,
    /// Fees paid in the base asset, in units of 10^-8; negative for rebates. They are in `net`.
    pub fee_base: i64,
    /// Fees paid in the quote asset, in units of 10^-8; negative for rebates. They are not in
    /// `cash`.
    pub fee_quote: i64,
}

/// Counts of a strategy's orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OrderCounts {
    /// Orders handed to the gateway.
    pub submitted: u64,
    /// Orders the venue acknowledged.
    pub acknowledged: u64,
    /// Fills, partial ones included.
    pub fills: u64,
    /// Orders filled in whole.
    pub filled: u64,
    /// Orders cancelled.
    pub canceled: u64,
    /// Orders refused by the venue or the gateway.
    pub rejected: u64,
    /// Orders refused by the inline risk check; they never left the strategy.
    pub refused: u64,
    /// Orders whose end had been told and was taken back.
    pub revived: u64,
    /// Sums of a position that did not fit and stay at their limit; such a position is wrong.
    pub saturated: u64,
}

impl OrderCounts {
    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &OrderCounts) {
        self.submitted += other.submitted;
        self.acknowledged += other.acknowledged;
        self.fills += other.fills;
        self.filled += other.filled;
        self.canceled += other.canceled;
        self.rejected += other.rejected;
        self.refused += other.refused;
        self.revived += other.revived;
        self.saturated += other.saturated;
    }
}

/// Open orders and positions of one strategy. Bounded and preallocated.
#[derive(Debug)]
pub struct OrderTracker {
    open: Vec<OpenOrder>,
    positions: Vec<Position>,
    /// By instrument.
    money: Vec<Money>,
    counts: OrderCounts,
}

impl OrderTracker {
    /// Room for `open_max` open orders and a position in each of the instruments.
    #[must_use]
    pub fn new(open_max: usize, instruments: &Instruments) -> OrderTracker {
        OrderTracker {
            // What is revived comes on top.
            open: Vec::with_capacity(2 * open_max),
            positions: vec![Position::default(); instruments.len()],
            money: instruments.iter().map(|(_, spec)| Money::of(spec)).collect(),
            counts: OrderCounts::default(),
        }
    }

    /// Takes up an order that is on its way. The risk check made sure of the room.
    #[inline]
    pub fn opened(&mut self, order: OpenOrder) {
        self.take_up(order);
    }

    /// Takes up an order of a journal: it has left, whatever the limits are now.
    #[inline]
    pub(super) fn take_up(&mut self, order: OpenOrder) {
        self.counts.submitted += 1;
        self.open.push(order);
    }

    /// Positions that are not empty, by instrument.
    pub(super) fn positions_held(&self) -> Vec<(InstrumentId, Position)> {
        let numbered = self.positions.iter().enumerate();
        let held = numbered.filter(|(_, position)| **position != Position::default());
        held.map(|(index, position)| (InstrumentId(index as u32), *position)).collect()
    }

    /// Takes up a position.
    pub(super) fn hold(&mut self, instrument: InstrumentId, position: Position) {
        if let Some(held) = self.positions.get_mut(instrument.index()) {
            *held = position;
        }
    }

    /// Counts begin anew; open orders and positions stay.
    pub(super) fn begin_run(&mut self) {
        self.counts = OrderCounts::default();
    }

    /// Counts an order that the inline risk check refused.
    #[inline]
    pub fn refused(&mut self) {
        self.counts.refused += 1;
    }

    /// Marks an open order as having a cancel on its way; false when it is unknown or already
    /// marked.
    #[inline]
    pub fn cancel_sent(&mut self, id: ClientOrderId) -> bool {
        match self.open.iter_mut().find(|order| order.id == id) {
            Some(order) if !order.cancel_pending => {
                order.cancel_pending = true;
                true
            }
            _ => false,
        }
    }

    /// Applies a report. The venue's agent has checked it, and told it once: this is a copy of its
    /// words.
    #[inline]
    pub fn apply(&mut self, venue: VenueId, instrument: InstrumentId, report: &ExecReport) {
        let Some(exec_type) = report.exec_type() else { return };
        self.book(instrument, exec_type, report);
        let id = ClientOrderId(report.client_order_id);
        let mut index = self.open.iter().position(|order| order.id == id);
        if exec_type == ExecType::Revived && index.is_none() {
            self.counts.revived += 1;
            index = self.reopen(venue, instrument, report);
        }
        let Some(index) = index else { return };
        let order = &mut self.open[index];
        // Set here, by the strategy itself, and taken back by the answer.
        order.cancel_pending &= exec_type != ExecType::CancelRejected;
        let Some(status) = report.status() else { return };
        let is_accepted = !matches!(status, OrderStatus::PendingNew | OrderStatus::Rejected);
        if order.status == OrderStatus::PendingNew && is_accepted {
            self.counts.acknowledged += 1;
        }
        (order.status, order.filled) = (status, Qty(report.filled_qty));
        (order.price, order.qty) = (Price(report.price), Qty(report.qty));
        if status.is_terminal() {
            match status {
                OrderStatus::Filled => self.counts.filled += 1,
                OrderStatus::Rejected => self.counts.rejected += 1,
                OrderStatus::Canceled | OrderStatus::Expired => self.counts.canceled += 1,
                OrderStatus::PendingNew | OrderStatus::New | OrderStatus::PartiallyFilled => {}
            }
            let over = self.open.swap_remove(index);
            if status == OrderStatus::Rejected {
                self.not_replaced(&over, report.reason());
            }
        }
    }

    /// An order was refused that was to take another's place: the cancel of that one was never
    /// asked for, or may be asked for again. Where the cancel is what failed, its own report tells.
    #[cold]
    fn not_replaced(&mut self, refused: &OpenOrder, reason: Option<RejectReason>) {
        let old = self.open.iter_mut().find(|order| Some(order.id) == refused.replaces);
        if let Some(old) = old.filter(|_| reason != Some(RejectReason::ReplacedLives)) {
            old.cancel_pending = false;
        }
    }

    /// Whether a report is the next word on an order that is open: what an operator has told again
    /// must not be counted twice.
    #[cold]
    #[must_use]
    pub fn is_next_of(&self, report: &ExecReport) -> bool {
        let is_fill = report.exec_type() == Some(ExecType::Trade);
        let filled_before = report.filled_qty.checked_sub(report.last_qty);
        self.find(ClientOrderId(report.client_order_id))
            .is_some_and(|order| is_fill && filled_before == Some(order.filled.0))
    }

    /// An order whose end is taken back is open again, also beyond the number that may be opened.
    #[cold]
    fn reopen(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        report: &ExecReport,
    ) -> Option<usize> {
        self.open.push(OpenOrder {
            id: ClientOrderId(report.client_order_id),
            venue,
            instrument,
            side: report.side()?,
            price: Price(report.price),
            trigger_price: Price(report.trigger_price),
            qty: Qty(report.qty),
            filled: Qty(report.filled_qty),
            // Not counted as acknowledged again when it was before.
            status: report.status()?,
            cancel_pending: false,
            terms: None,
            replaces: None,
        });
        Some(self.open.len() - 1)
    }

    /// Books a fill, or what a true fill corrects of an inferred one.
    fn book(&mut self, instrument: InstrumentId, exec_type: ExecType, report: &ExecReport) {
        let is_fill = exec_type == ExecType::Trade;
        if !is_fill && exec_type != ExecType::Corrected {
            return;
        }
        let Some(side) = report.side() else { return };
        self.counts.fills += u64::from(is_fill);
        let Some(position) = self.positions.get_mut(instrument.index()) else { return };
        let Some(money) = self.money.get(instrument.index()) else { return };
        let qty = if is_fill { report.last_qty } else { 0 };
        // A fill without a sum of its own is worth price x quantity.
        let value = match (is_fill, report.quote) {
            (true, 0) => i128::from(report.last_price) * i128::from(report.last_qty),
            (true, quote) => quote,
            (false, quote) => quote.saturating_sub(report.replaced_quote),
        };
        let mut sum = Saturating { is_lost: false };
        match side {
            Side::Buy => {
                position.bought = sum.add(position.bought, qty);
                position.cash = sum.add_wide(position.cash, value.saturating_neg());
            }
            Side::Sell => {
                position.sold = sum.add(position.sold, qty);
                position.cash = sum.add_wide(position.cash, value);
            }
        }
        if report.fee_asset == money.base {
            position.fee_base = sum.add(position.fee_base, report.fee);
        } else if report.fee_asset == money.quote {
            position.fee_quote = sum.add(position.fee_quote, report.fee);
        }
        let fee = money.base_fee_in_qty(position.fee_base);
        let traded = i128::from(position.bought) - i128::from(position.sold) - fee;
        position.net = sum.narrow(traded);
        if sum.is_lost {
            self.counts.saturated += 1;
            log::error!("[orders] position of instrument {} is beyond 64 bits", instrument.0);
        }
    }

    /// Orders that are not done.
    #[inline]
    #[must_use]
    pub fn open(&self) -> &[OpenOrder] {
        &self.open
    }

    /// An order that is not done.
    #[inline]
    #[must_use]
    pub fn find(&self, id: ClientOrderId) -> Option<&OpenOrder> {
        self.open.iter().find(|order| order.id == id)
    }

    /// The position in `instrument`; flat for an unknown one.
    #[inline]
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        self.positions.get(instrument.index()).copied().unwrap_or_default()
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> OrderCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::asset_code;
    use crate::instrument::InstrumentSpec;
    use zerocopy::FromZeros;

    const BTC: InstrumentId = InstrumentId(0);

    fn instruments() -> Instruments {
        let spec = InstrumentSpec::btc_usdt();
        Instruments::new(vec![spec]).unwrap()
    }

    fn order(id: u64) -> OpenOrder {
        OpenOrder {
            id: ClientOrderId(id),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: Price(100),
            trigger_price: Price(0),
            qty: Qty(10),
            filled: Qty(0),
            status: OrderStatus::PendingNew,
            cancel_pending: false,
            terms: None,
            replaces: None,
        }
    }

    fn report(id: u64, exec: ExecType, status: OrderStatus, last: i64, filled: i64) -> ExecReport {
        let mut report = ExecReport::new_zeroed();
        report.client_order_id = id;
        report.side_code = Side::Buy.code();
        report.exec_type_code = exec.code();
        report.status_code = status.code();
        report.qty = 10;
        report.last_price = 100;
        report.last_qty = last;
        report.filled_qty = filled;
        report
    }

    #[test]
    fn an_order_lives_from_submit_to_fill() {
        let mut tracker = OrderTracker::new(2, &instruments());
        tracker.opened(order(1));
        let instrument = InstrumentId(0);
        tracker.apply(VenueId(0), instrument, &report(1, ExecType::New, OrderStatus::New, 0, 0));
        tracker.apply(
            VenueId(0),
            instrument,
            &report(1, ExecType::Trade, OrderStatus::PartiallyFilled, 4, 4),
        );
        assert_eq!(tracker.open()[0].filled, Qty(4));
        tracker.apply(
            VenueId(0),
            instrument,
            &report(1, ExecType::Trade, OrderStatus::Filled, 6, 10),
        );
        assert!(tracker.open().is_empty());
        let position = tracker.position(instrument);
        assert_eq!((position.net, position.cash), (10, -1_000));
        let counts = tracker.counts();
        assert_eq!((counts.acknowledged, counts.fills, counts.filled), (1, 2, 1));
    }

    #[test]
    fn a_refused_cancel_leaves_the_order_as_it_was() {
        let mut tracker = OrderTracker::new(1, &instruments());
        tracker.opened(order(7));
        assert!(tracker.cancel_sent(ClientOrderId(7)));
        assert!(!tracker.cancel_sent(ClientOrderId(7)));
        // Refused by the engine before it came to the venue's agent: no state is told.
        let mut refused = report(7, ExecType::CancelRejected, OrderStatus::New, 0, 0);
        refused.status_code = 0;
        tracker.apply(VenueId(0), InstrumentId(0), &refused);
        assert_eq!(tracker.open()[0].status, OrderStatus::PendingNew);
        assert!(tracker.cancel_sent(ClientOrderId(7)));
        // Refused by the venue: the state that the venue's agent knows comes with it.
        let refused = report(7, ExecType::CancelRejected, OrderStatus::PartiallyFilled, 0, 4);
        tracker.apply(VenueId(0), InstrumentId(0), &refused);
        let order = tracker.open()[0];
        assert_eq!((order.status, order.filled), (OrderStatus::PartiallyFilled, Qty(4)));
        assert!(tracker.cancel_sent(ClientOrderId(7)));
        assert!(!tracker.cancel_sent(ClientOrderId(8)));
    }

    #[test]
    fn an_order_that_nothing_takes_the_place_of_can_be_cancelled_again() {
        for (reason, is_pending) in [
            (RejectReason::NotConnected, false),
            (RejectReason::TradingHalted, false),
            (RejectReason::ReplacedLives, true),
        ] {
            let mut tracker = OrderTracker::new(4, &instruments());
            tracker.opened(order(1));
            tracker.opened(OpenOrder { replaces: Some(ClientOrderId(1)), ..order(2) });
            assert!(tracker.cancel_sent(ClientOrderId(1)));
            let mut refused = report(2, ExecType::Rejected, OrderStatus::Rejected, 0, 0);
            refused.reason_code = reason.code();
            tracker.apply(VenueId(0), BTC, &refused);
            let old = tracker.find(ClientOrderId(1)).unwrap();
            assert_eq!((old.cancel_pending, tracker.open().len()), (is_pending, 1), "{reason:?}");
        }
    }

    #[test]
    fn sells_take_off_what_they_sold_and_fills_count_by_what_each_is() {
        let mut tracker = OrderTracker::new(2, &instruments());
        let mut sell = report(1, ExecType::Trade, OrderStatus::PartiallyFilled, 4, 4);
        sell.side_code = Side::Sell.code();
        tracker.apply(VenueId(0), BTC, &sell);
        (sell.last_qty, sell.filled_qty) = (3, 7);
        tracker.apply(VenueId(0), BTC, &sell);
        let position = tracker.position(BTC);
        assert_eq!((position.net, position.sold, position.cash), (-7, 7, 700));
    }

    #[test]
    fn a_fill_that_is_corrected_adds_no_quantity_and_its_own_price_only() {
        let mut tracker = OrderTracker::new(2, &instruments());
        let mut fill = report(1, ExecType::Trade, OrderStatus::PartiallyFilled, 4, 4);
        fill.quote = 400;
        tracker.apply(VenueId(0), BTC, &fill);
        fill.exec_type_code = ExecType::Corrected.code();
        (fill.quote, fill.replaced_quote) = (380, 400);
        tracker.apply(VenueId(0), BTC, &fill);
        let position = tracker.position(BTC);
        assert_eq!((position.net, position.cash, tracker.counts().fills), (4, -380, 1));
    }

    #[test]
    fn a_fee_in_the_base_asset_is_not_there_to_be_sold() {
        let mut tracker = OrderTracker::new(2, &instruments());
        let mut fill = report(1, ExecType::Trade, OrderStatus::Filled, 100, 100);
        // 0.1 % of 0.00100 BTC: 100 units of 10^-8, a tenth of the smallest quantity.
        (fill.fee, fill.fee_asset) = (100, asset_code("BTC").unwrap());
        tracker.apply(VenueId(0), BTC, &fill);
        assert_eq!((tracker.position(BTC).net, tracker.position(BTC).fee_base), (99, 100));
        (fill.fee, fill.fee_asset) = (7, asset_code("USDT").unwrap());
        tracker.apply(VenueId(0), BTC, &fill);
        assert_eq!((tracker.position(BTC).net, tracker.position(BTC).fee_quote), (199, 7));
        (fill.fee, fill.fee_asset) = (9, asset_code("BNB").unwrap());
        tracker.apply(VenueId(0), BTC, &fill);
        assert_eq!((tracker.position(BTC).net, tracker.position(BTC).fee_base), (299, 100));
    }

    #[test]
    fn a_revived_order_is_open_again_and_accepted_once() {
        let mut tracker = OrderTracker::new(1, &instruments());
        tracker.opened(order(1));
        let refused = report(1, ExecType::Rejected, OrderStatus::Rejected, 0, 0);
        tracker.apply(VenueId(3), BTC, &refused);
        assert!(tracker.open().is_empty());
        let revived = report(1, ExecType::Revived, OrderStatus::New, 0, 0);
        tracker.apply(VenueId(3), BTC, &revived);
        assert_eq!(
            (tracker.open()[0].venue, tracker.open()[0].status),
            (VenueId(3), OrderStatus::New)
        );
        tracker.apply(VenueId(3), BTC, &report(1, ExecType::Trade, OrderStatus::Filled, 10, 10));
        let counts = tracker.counts();
        assert!(tracker.open().is_empty());
        assert_eq!((counts.revived, counts.rejected, counts.filled), (1, 1, 1));
    }

    #[test]
    fn every_report_that_tells_a_state_is_copied_and_no_other_changes_any() {
        let mut tracker = OrderTracker::new(1, &instruments());
        tracker.opened(order(1));
        for exec_type in [ExecType::Unknown, ExecType::ModifyRejected] {
            let mut told = report(1, exec_type, OrderStatus::PendingNew, 0, 0);
            tracker.apply(VenueId(0), BTC, &told);
            assert_eq!(tracker.open()[0].status, OrderStatus::PendingNew);
            told.status_code = 0;
            tracker.apply(VenueId(0), BTC, &told);
            assert_eq!(tracker.open()[0].status, OrderStatus::PendingNew, "none is told");
        }
        tracker.apply(VenueId(0), BTC, &report(1, ExecType::New, OrderStatus::New, 0, 0));
        tracker.apply(VenueId(0), BTC, &report(1, ExecType::Status, OrderStatus::New, 0, 0));
        assert_eq!(tracker.counts().acknowledged, 1);
    }

    #[test]
    fn a_sum_beyond_its_limits_stays_there_and_says_so() {
        let mut tracker = OrderTracker::new(1, &instruments());
        let fill = report(1, ExecType::Trade, OrderStatus::PartiallyFilled, i64::MAX, i64::MAX);
        tracker.apply(VenueId(0), BTC, &fill);
        assert_eq!(tracker.counts().saturated, 0);
        tracker.apply(VenueId(0), BTC, &fill);
        assert_eq!((tracker.position(BTC).net, tracker.counts().saturated), (i64::MAX, 1));
    }
}
