//! A strategy's own view of its orders and positions, kept up to date by the exec reports it receives.

use crate::event::{
    ClientOrderId, ExecReport, ExecType, InstrumentId, OrderStatus, Price, Qty, Side, VenueId,
};

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
    /// Limit price; 0 for a market order.
    pub price: Price,
    /// Ordered quantity.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
    /// Its state.
    pub status: OrderStatus,
    /// Whether a cancel is on its way.
    pub cancel_pending: bool,
}

/// Net position in one instrument, over all venues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bought minus sold, in the quantity scale.
    pub net: i64,
    /// Bought quantity.
    pub bought: i64,
    /// Sold quantity.
    pub sold: i64,
    /// Cash flow of all fills: sold minus bought, price x quantity, without fees.
    pub cash: i128,
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
    }
}

/// Open orders and positions of one strategy. Bounded and preallocated.
#[derive(Debug)]
pub struct OrderTracker {
    open: Vec<OpenOrder>,
    open_max: usize,
    positions: Vec<Position>,
    counts: OrderCounts,
}

impl OrderTracker {
    /// Room for `open_max` open orders and a position in each of `instruments`.
    #[must_use]
    pub fn new(open_max: usize, instruments: usize) -> OrderTracker {
        OrderTracker {
            open: Vec::with_capacity(open_max),
            open_max,
            positions: vec![Position::default(); instruments],
            counts: OrderCounts::default(),
        }
    }

    /// Whether another order may be opened.
    #[inline]
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.open.len() < self.open_max
    }

    /// Takes up an order that is on its way. The caller made sure of the room.
    #[inline]
    pub fn opened(&mut self, order: OpenOrder) {
        debug_assert!(self.has_room());
        self.counts.submitted += 1;
        self.open.push(order);
    }

    /// Counts an order that the inline risk check refused.
    #[inline]
    pub fn refused(&mut self) {
        self.counts.refused += 1;
    }

    /// Marks an open order as having a cancel on its way; false when it is unknown or already marked.
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

    /// Applies a report. The venue's session has already dropped duplicates and checked the sums.
    #[inline]
    pub fn apply(&mut self, instrument: InstrumentId, report: &ExecReport) {
        self.book_fill(instrument, report);
        let Some(index) = self.open.iter().position(|order| order.id.0 == report.client_order_id)
        else {
            return;
        };
        let (Some(status), Some(exec_type)) = (report.status(), report.exec_type()) else { return };
        let order = &mut self.open[index];
        if exec_type == ExecType::CancelRejected {
            order.cancel_pending = false;
            return;
        }
        if order.status == OrderStatus::PendingNew && status != OrderStatus::Rejected {
            self.counts.acknowledged += 1;
        }
        order.status = status;
        order.filled = Qty(report.filled_qty);
        if status.is_terminal() {
            match status {
                OrderStatus::Filled => self.counts.filled += 1,
                OrderStatus::Rejected => self.counts.rejected += 1,
                OrderStatus::Canceled | OrderStatus::Expired => self.counts.canceled += 1,
                OrderStatus::PendingNew | OrderStatus::New | OrderStatus::PartiallyFilled => {}
            }
            self.open.swap_remove(index);
        }
    }

    fn book_fill(&mut self, instrument: InstrumentId, report: &ExecReport) {
        let (Some(ExecType::Trade), Some(side)) = (report.exec_type(), report.side()) else {
            return;
        };
        self.counts.fills += 1;
        let Some(position) = self.positions.get_mut(instrument.index()) else { return };
        let value = i128::from(report.last_price) * i128::from(report.last_qty);
        match side {
            Side::Buy => {
                position.bought += report.last_qty;
                position.net += report.last_qty;
                position.cash -= value;
            }
            Side::Sell => {
                position.sold += report.last_qty;
                position.net -= report.last_qty;
                position.cash += value;
            }
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
    use zerocopy::FromZeros;

    fn order(id: u64) -> OpenOrder {
        OpenOrder {
            id: ClientOrderId(id),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: Price(100),
            qty: Qty(10),
            filled: Qty(0),
            status: OrderStatus::PendingNew,
            cancel_pending: false,
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
        let mut tracker = OrderTracker::new(2, 1);
        tracker.opened(order(1));
        let instrument = InstrumentId(0);
        tracker.apply(instrument, &report(1, ExecType::New, OrderStatus::New, 0, 0));
        tracker.apply(instrument, &report(1, ExecType::Trade, OrderStatus::PartiallyFilled, 4, 4));
        assert_eq!(tracker.open()[0].filled, Qty(4));
        tracker.apply(instrument, &report(1, ExecType::Trade, OrderStatus::Filled, 6, 10));
        assert!(tracker.open().is_empty());
        let position = tracker.position(instrument);
        assert_eq!((position.net, position.cash), (10, -1_000));
        let counts = tracker.counts();
        assert_eq!((counts.acknowledged, counts.fills, counts.filled), (1, 2, 1));
    }

    #[test]
    fn a_refused_cancel_leaves_the_order_as_it_was() {
        let mut tracker = OrderTracker::new(1, 1);
        tracker.opened(order(7));
        assert!(!tracker.has_room());
        assert!(tracker.cancel_sent(ClientOrderId(7)));
        assert!(!tracker.cancel_sent(ClientOrderId(7)));
        let refused = report(7, ExecType::CancelRejected, OrderStatus::New, 0, 0);
        tracker.apply(InstrumentId(0), &refused);
        assert_eq!(tracker.open()[0].status, OrderStatus::PendingNew);
        assert!(tracker.cancel_sent(ClientOrderId(7)));
        assert!(!tracker.cancel_sent(ClientOrderId(8)));
    }
}
