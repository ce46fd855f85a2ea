//! What a venue's order session knows of our orders: idempotency, duplicates, order of reports (LM-06).
//!
//! Promises: an order is taken once for its (consumer, client_order_id); a report counts once, by the
//! venue's execution id; an order's filled quantity never falls and its end is final; a fill that the
//! stream lost and a later word reveals is told as one fill of the missing quantity. An order whose state
//! is unknown after a disconnect is *in doubt* until a query answers it; it is never sent again.
//!
//! Bounded: open orders by the risk limits, closed ones by [`CLOSED_KEPT`], which are remembered to tell a
//! late repeat from a stranger (EDGE-15). Nothing allocates after construction: the map is twice as large
//! as what it can hold, so that it only ever rehashes in place.

use std::collections::{HashMap, VecDeque};

use zerocopy::FromZeros;

use super::OrderCommand;
use crate::event::{
    ClientOrderId, ConsumerId, ExecReport, ExecType, OrderStatus, RejectReason, VenueRef,
};

/// Closed orders that are remembered.
const CLOSED_KEPT: usize = 4_096;

/// Who ordered, and under which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderKey {
    /// The consumer.
    pub consumer: ConsumerId,
    /// Its own number for the order.
    pub id: ClientOrderId,
}

impl OrderKey {
    /// The key of the order that a command speaks of.
    #[inline]
    #[must_use]
    pub fn of(command: &OrderCommand) -> OrderKey {
        OrderKey { consumer: command.owner(), id: command.id() }
    }
}

/// One order as the session knows it.
#[derive(Clone, Copy, Debug)]
pub struct KnownOrder {
    /// The command that opened it.
    pub command: OrderCommand,
    /// Its state.
    pub status: OrderStatus,
    /// Filled so far.
    pub filled_qty: i64,
    /// The venue's number; 0 before the venue has told it.
    pub venue_order_id: u64,
    /// The highest execution id seen.
    pub execution_id: u64,
    /// When it was handed to the socket, ns of the engine's clock.
    pub sent_ns: u64,
    /// A cancel was sent and not yet answered.
    pub cancel_sent: bool,
    /// Its state at the venue has to be asked for.
    pub in_doubt: bool,
}

/// The venue's word on an order, in the instrument's scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueReport {
    /// What it tells.
    pub exec_type: ExecType,
    /// The order's state after it.
    pub status: OrderStatus,
    /// The venue's number of the order.
    pub venue_order_id: u64,
    /// The venue's number of this report.
    pub execution_id: u64,
    /// Limit price.
    pub price: i64,
    /// Ordered quantity.
    pub qty: i64,
    /// Price of this fill.
    pub last_price: i64,
    /// Quantity of this fill.
    pub last_qty: i64,
    /// Filled so far.
    pub filled_qty: i64,
}

/// What a report did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// One a report, on the stack: boxing it would allocate.
#[allow(clippy::large_enum_variant)]
pub enum Applied {
    /// It is news: to be passed on. `missed` is a fill before it that was never told, if there is one.
    News {
        /// The fill that was never told.
        missed: Option<ExecReport>,
        /// The report.
        report: ExecReport,
    },
    /// It was told before.
    Duplicate,
    /// No such order.
    Unknown,
    /// It contradicts what is known; why.
    Contradiction(&'static str),
}

/// The orders of one venue's session.
#[derive(Debug)]
pub struct OrderTable {
    orders: HashMap<OrderKey, KnownOrder>,
    /// Closed orders, oldest first.
    closed: VecDeque<OrderKey>,
    open: usize,
    open_max: usize,
}

impl OrderTable {
    /// Room for `open_max` open orders over all consumers.
    #[must_use]
    pub fn new(open_max: usize) -> OrderTable {
        OrderTable {
            orders: HashMap::with_capacity(2 * (open_max + CLOSED_KEPT)),
            closed: VecDeque::with_capacity(CLOSED_KEPT),
            open: 0,
            open_max,
        }
    }

    /// Takes up a new order that is about to be sent, at `now_ns` of the engine's clock.
    ///
    /// # Errors
    /// `DuplicateId` when the key was used before; `MaxOpenOrders` without room.
    #[inline]
    pub fn submit(&mut self, command: &OrderCommand, now_ns: u64) -> Result<(), RejectReason> {
        let key = OrderKey::of(command);
        if self.orders.contains_key(&key) {
            return Err(RejectReason::DuplicateId);
        }
        if self.open == self.open_max {
            return Err(RejectReason::MaxOpenOrders);
        }
        self.open += 1;
        let order = KnownOrder {
            command: *command,
            status: OrderStatus::PendingNew,
            filled_qty: 0,
            venue_order_id: 0,
            execution_id: 0,
            sent_ns: now_ns,
            cancel_sent: false,
            in_doubt: false,
        };
        self.orders.insert(key, order);
        Ok(())
    }

    /// An order, open or closed.
    #[inline]
    #[must_use]
    pub fn get(&self, key: OrderKey) -> Option<&KnownOrder> {
        self.orders.get(&key)
    }

    /// An order that is not done.
    #[inline]
    pub fn open_order(&mut self, key: OrderKey) -> Option<&mut KnownOrder> {
        self.orders.get_mut(&key).filter(|order| !order.status.is_terminal())
    }

    /// How many orders are not done.
    #[inline]
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open
    }

    /// The first open order that `wanted` says yes to. Cold: it looks at all.
    pub fn find_open(&self, wanted: impl Fn(&KnownOrder) -> bool) -> Option<OrderKey> {
        let mut open = self.orders.iter().filter(|(_, order)| !order.status.is_terminal());
        open.find(|(_, order)| wanted(order)).map(|(key, _)| *key)
    }

    /// The connection is gone: nothing that is open is known for sure, and no cancel is on its way.
    pub fn doubt_all(&mut self) {
        for order in self.orders.values_mut().filter(|order| !order.status.is_terminal()) {
            order.in_doubt = true;
            order.cancel_sent = false;
        }
    }

    /// A report may have been lost, on a connection that goes on: what is open has to be asked for.
    pub fn doubt_open(&mut self) {
        for order in self.orders.values_mut().filter(|order| !order.status.is_terminal()) {
            order.in_doubt = true;
        }
    }

    /// Takes the venue's report on an order.
    #[inline]
    pub fn apply(&mut self, key: OrderKey, report: &VenueReport) -> Applied {
        let Some(order) = self.orders.get_mut(&key) else { return Applied::Unknown };
        let is_fill = report.exec_type == ExecType::Trade;
        // A fill that a query has revealed already comes with a new execution id, and adds nothing.
        if report.execution_id <= order.execution_id
            || (is_fill && report.filled_qty <= order.filled_qty)
        {
            return Applied::Duplicate;
        }
        if order.status.is_terminal() {
            // A query may have told the end before the stream does.
            if report.status == order.status && report.filled_qty == order.filled_qty {
                return Applied::Duplicate;
            }
            return Applied::Contradiction("report after the order's end");
        }
        if report.filled_qty < order.filled_qty {
            return Applied::Contradiction("filled quantity falls");
        }
        let missed_qty = report.filled_qty - order.filled_qty - report.last_qty;
        if missed_qty < 0 {
            return Applied::Contradiction("fill is more than what was filled since");
        }
        order.execution_id = report.execution_id;
        order.venue_order_id = report.venue_order_id;
        let missed = (missed_qty > 0).then(|| order.missed_fill(missed_qty, report.last_price));
        order.filled_qty = report.filled_qty;
        order.status = report.status;
        let told = order.report(report);
        if report.status.is_terminal() {
            self.close(key);
        }
        Applied::News { missed, report: told }
    }

    /// Takes the answer to a query of an open order: `status` and what is filled. Ends the doubt. Gives a
    /// fill that was never told, and the order's state when it has changed. An answer that was overtaken by
    /// a fill is too old to tell anything: the doubt stays.
    pub fn confirm(
        &mut self,
        key: OrderKey,
        venue_order_id: u64,
        status: OrderStatus,
        filled_qty: i64,
    ) -> [Option<ExecReport>; 2] {
        let Some(order) = self.open_order(key) else { return [None, None] };
        if filled_qty < order.filled_qty {
            return [None, None];
        }
        order.in_doubt = false;
        order.venue_order_id = venue_order_id;
        let missed_qty = filled_qty - order.filled_qty;
        let was = order.status;
        let missed = (missed_qty > 0).then(|| order.missed_fill(missed_qty, 0));
        order.status = status;
        let exec_type = match status {
            OrderStatus::PendingNew | OrderStatus::New | OrderStatus::PartiallyFilled => {
                ExecType::New
            }
            OrderStatus::Filled => ExecType::Trade,
            OrderStatus::Canceled => ExecType::Canceled,
            OrderStatus::Rejected => ExecType::Rejected,
            OrderStatus::Expired => ExecType::Expired,
        };
        // A fill says itself that the order is filled, or is in part.
        let is_told = was == status
            || (missed.is_some()
                && matches!(status, OrderStatus::Filled | OrderStatus::PartiallyFilled));
        let state = (!is_told).then(|| order.state(exec_type));
        let missed = missed.map(|mut fill| {
            if state.is_none() {
                fill.status_code = status.code();
            }
            fill
        });
        if status.is_terminal() {
            self.close(key);
        }
        [missed, state]
    }

    /// The order never came to be, or is gone without a word: ends it, and gives the report that says so.
    pub fn fail(
        &mut self,
        key: OrderKey,
        reason: RejectReason,
        venue_code: i32,
    ) -> Option<ExecReport> {
        let order = self.open_order(key)?;
        order.status = OrderStatus::Rejected;
        let mut report = order.state(ExecType::Rejected);
        report.reason_code = reason.code();
        report.venue_code = venue_code;
        self.close(key);
        Some(report)
    }

    /// The venue refused to cancel: the order stays as it is.
    pub fn cancel_failed(
        &mut self,
        key: OrderKey,
        reason: RejectReason,
        venue_code: i32,
    ) -> Option<ExecReport> {
        let order = self.open_order(key)?;
        order.cancel_sent = false;
        let mut report = order.state(ExecType::CancelRejected);
        report.reason_code = reason.code();
        report.venue_code = venue_code;
        Some(report)
    }

    fn close(&mut self, key: OrderKey) {
        self.open -= 1;
        if self.closed.len() == CLOSED_KEPT
            && let Some(oldest) = self.closed.pop_front()
        {
            self.orders.remove(&oldest);
        }
        self.closed.push_back(key);
    }
}

impl KnownOrder {
    /// The state as it is known, as a report that tells `exec_type`.
    #[must_use]
    pub fn state(&self, exec_type: ExecType) -> ExecReport {
        let mut report = ExecReport::new_zeroed();
        report.client_order_id = self.command.client_order_id;
        report.venue_order_id = VenueRef::number(self.venue_order_id);
        report.price = self.command.price;
        report.qty = self.command.qty;
        report.filled_qty = self.filled_qty;
        report.decision_id = self.command.decision_id;
        report.consumer = self.command.consumer;
        report.side_code = self.command.side_code;
        report.status_code = self.status.code();
        report.exec_type_code = exec_type.code();
        report
    }

    fn report(&self, venue: &VenueReport) -> ExecReport {
        let mut report = self.state(venue.exec_type);
        report.execution_id = VenueRef::number(venue.execution_id);
        if venue.qty > 0 {
            report.qty = venue.qty;
        }
        report.last_price = venue.last_price;
        report.last_qty = venue.last_qty;
        if venue.exec_type == ExecType::Rejected {
            report.reason_code = RejectReason::Venue.code();
        }
        report
    }

    /// A fill of `qty` that was never told. Its price is not known: that of the fill after it where there
    /// is one, else the order's limit, which is the worst it can have been.
    fn missed_fill(&mut self, qty: i64, price: i64) -> ExecReport {
        self.filled_qty += qty;
        let mut report = self.state(ExecType::Trade);
        report.status_code = OrderStatus::PartiallyFilled.code();
        report.last_qty = qty;
        report.last_price = if price > 0 { price } else { self.command.price };
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Side;
    use crate::order::{OrderAction, OrderType};

    const KEY: OrderKey = OrderKey { consumer: ConsumerId(2), id: ClientOrderId(7) };

    fn command(id: u64) -> OrderCommand {
        let mut command = OrderCommand::new_zeroed();
        command.consumer = 2;
        command.client_order_id = id;
        command.price = 100;
        command.qty = 10;
        command.side_code = Side::Buy.code();
        command.action_code = OrderAction::Submit as u8;
        command.order_type_code = OrderType::Limit as u8;
        command
    }

    fn table() -> OrderTable {
        let mut table = OrderTable::new(4);
        table.submit(&command(7), 0).unwrap();
        table
    }

    fn report(execution_id: u64, exec_type: ExecType, status: OrderStatus) -> VenueReport {
        VenueReport {
            exec_type,
            status,
            venue_order_id: 55,
            execution_id,
            price: 100,
            qty: 10,
            last_price: 0,
            last_qty: 0,
            filled_qty: 0,
        }
    }

    fn fill(execution_id: u64, last_qty: i64, filled_qty: i64) -> VenueReport {
        let status =
            if filled_qty == 10 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let report = report(execution_id, ExecType::Trade, status);
        VenueReport { last_price: 99, last_qty, filled_qty, ..report }
    }

    fn news(applied: Applied) -> ExecReport {
        match applied {
            Applied::News { missed: None, report } => report,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_order_lives_from_its_submission_to_its_last_fill() {
        let mut table = table();
        let told = news(table.apply(KEY, &report(1, ExecType::New, OrderStatus::New)));
        assert_eq!(
            (told.client_order_id, told.venue_order_id, told.consumer),
            (7, VenueRef::number(55), 2)
        );
        assert_eq!(news(table.apply(KEY, &fill(2, 4, 4))).remaining_qty(), 6);
        let last = news(table.apply(KEY, &fill(3, 6, 10)));
        assert_eq!((last.status(), last.remaining_qty()), (Some(OrderStatus::Filled), 0));
        assert_eq!(table.open_count(), 0);
        assert_eq!(
            table.submit(&command(7), 0),
            Err(RejectReason::DuplicateId),
            "also when closed"
        );
    }

    #[test]
    fn a_report_counts_once_and_nothing_follows_the_end() {
        // F26, EDGE-15
        let mut table = table();
        news(table.apply(KEY, &fill(2, 4, 4)));
        assert_eq!(table.apply(KEY, &fill(2, 4, 4)), Applied::Duplicate);
        let late = report(1, ExecType::New, OrderStatus::New);
        assert_eq!(table.apply(KEY, &late), Applied::Duplicate, "NEW comes behind the fill");
        news(table.apply(KEY, &fill(3, 6, 10)));
        assert_eq!(table.apply(KEY, &fill(3, 6, 10)), Applied::Duplicate);
        let after = report(9, ExecType::Canceled, OrderStatus::Canceled);
        assert!(matches!(
            table.apply(KEY, &VenueReport { filled_qty: 10, ..after }),
            Applied::Contradiction(_)
        ));
        let stranger = OrderKey { id: ClientOrderId(8), ..KEY };
        assert_eq!(table.apply(stranger, &fill(4, 1, 1)), Applied::Unknown);
    }

    #[test]
    fn a_fill_that_was_lost_is_told_with_the_next_one() {
        let mut table = table();
        let Applied::News { missed: Some(missed), report } = table.apply(KEY, &fill(5, 2, 9))
        else {
            panic!("the missing seven");
        };
        assert_eq!((missed.last_qty, missed.filled_qty, missed.last_price), (7, 7, 99));
        assert_eq!((report.last_qty, report.filled_qty), (2, 9));
        assert!(matches!(table.apply(KEY, &fill(6, 4, 10)), Applied::Contradiction(_)));
    }

    #[test]
    fn a_query_ends_the_doubt_and_tells_what_was_missed_once() {
        let mut table = table();
        news(table.apply(KEY, &fill(2, 4, 4)));
        table.doubt_all();
        assert_eq!(table.find_open(|order| order.in_doubt), Some(KEY));
        let [missed, state] = table.confirm(KEY, 55, OrderStatus::Filled, 10);
        let missed = missed.unwrap();
        assert_eq!((missed.last_qty, missed.filled_qty, missed.last_price), (6, 10, 100));
        assert_eq!((missed.status(), state), (Some(OrderStatus::Filled), None));
        assert_eq!(table.open_count(), 0);
        // The stream's own word on the same fill comes late.
        assert_eq!(table.apply(KEY, &fill(3, 6, 10)), Applied::Duplicate);
    }

    #[test]
    fn an_order_that_never_arrived_is_rejected_and_one_cancelled_meanwhile_says_so() {
        let mut table = table();
        table.submit(&command(8), 0).unwrap();
        table.doubt_all();
        let report = table.fail(KEY, RejectReason::NotConnected, -2013).unwrap();
        assert_eq!(report.status(), Some(OrderStatus::Rejected));
        assert_eq!((report.reason(), report.venue_code), (Some(RejectReason::NotConnected), -2013));
        let other = OrderKey { id: ClientOrderId(8), ..KEY };
        let [missed, state] = table.confirm(other, 56, OrderStatus::Canceled, 3);
        assert_eq!(missed.unwrap().last_qty, 3);
        assert_eq!(state.unwrap().exec_type(), Some(ExecType::Canceled));
        assert_eq!(table.open_count(), 0);
    }

    #[test]
    fn memory_of_closed_orders_is_bounded_and_open_ones_are_limited() {
        let mut table = OrderTable::new(2);
        let capacity = table.orders.capacity();
        for id in 1..=20_000 {
            table.submit(&command(id), 0).unwrap();
            let key = OrderKey { id: ClientOrderId(id), ..KEY };
            table.fail(key, RejectReason::Venue, 0).unwrap();
        }
        assert_eq!(table.orders.len(), CLOSED_KEPT);
        // What was removed may count against the capacity until the map rehashes in place.
        assert!(table.orders.capacity() <= capacity, "it never grows");
        table.submit(&command(30_001), 0).unwrap();
        table.submit(&command(30_002), 0).unwrap();
        assert_eq!(table.submit(&command(30_003), 0), Err(RejectReason::MaxOpenOrders));
    }
}
