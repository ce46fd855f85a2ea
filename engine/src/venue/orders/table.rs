//! All orders of one venue, open and remembered, and whose turn it is to be asked for.
//!
//! Promises: an order is taken once for its (consumer, client_order_id); open orders stand in the
//! order of their submission, so no decision follows a hash map; each open order has its own time
//! of the next look, so that one whose queries fail holds back no other. Bounded: open orders by
//! the risk limits, closed ones by `CLOSED_KEPT`; those whose end may have to be taken back are
//! kept `UNSETTLED_KEPT` longer. Nothing allocates after construction.

use std::collections::{HashMap, VecDeque};

use super::order::KnownOrder;
use crate::event::RejectReason;
use crate::order::{OrderCommand, OrderKey};

/// Closed orders that are remembered, to tell a late repeat from a stranger (EDGE-15).
const CLOSED_KEPT: usize = 2_048;
/// Closed orders that are remembered beyond that, since their end was inferred.
const UNSETTLED_KEPT: usize = 4_096;
/// Orders whose fills are asked for at a time; of one above that, what was inferred stays.
const WANTS_FILLS_MAX: usize = 256;

/// The orders of one venue.
#[derive(Debug)]
pub struct OrderTable {
    orders: HashMap<OrderKey, KnownOrder>,
    /// Open orders, in the order of their submission.
    open: Vec<OrderKey>,
    /// Closed orders, oldest first.
    closed: VecDeque<OrderKey>,
    unsettled: VecDeque<OrderKey>,
    /// Orders whose fills are to be asked for, by the time they came in.
    wants_fills: VecDeque<OrderKey>,
    open_max: usize,
    /// No open order is due before, ns of the engine's clock.
    due_ns: u64,
}

impl OrderTable {
    /// Room for `open_max` open orders.
    #[must_use]
    pub fn new(open_max: usize) -> OrderTable {
        let kept = open_max + CLOSED_KEPT + UNSETTLED_KEPT;
        OrderTable {
            // Twice as large as what it can hold, so that it only ever rehashes in place.
            orders: HashMap::with_capacity(2 * kept),
            // What is revived may come on top.
            open: Vec::with_capacity(2 * open_max),
            closed: VecDeque::with_capacity(CLOSED_KEPT + 1),
            unsettled: VecDeque::with_capacity(UNSETTLED_KEPT + 1),
            wants_fills: VecDeque::with_capacity(WANTS_FILLS_MAX),
            open_max,
            due_ns: u64::MAX,
        }
    }

    /// Takes a new order.
    ///
    /// # Errors
    /// The reason why it is not to be sent.
    #[inline]
    pub fn submit(&mut self, command: &OrderCommand, now_ns: u64) -> Result<(), RejectReason> {
        let key = OrderKey::of(command);
        if self.orders.contains_key(&key) {
            return Err(RejectReason::DuplicateId);
        }
        if self.open.len() >= self.open_max {
            return Err(RejectReason::MaxOpenOrders);
        }
        self.orders.insert(key, KnownOrder::new(command, now_ns));
        self.open.push(key);
        Ok(())
    }

    /// An order, open or remembered.
    #[inline]
    #[must_use]
    pub fn get(&self, key: OrderKey) -> Option<&KnownOrder> {
        self.orders.get(&key)
    }

    /// An order that is not done.
    #[inline]
    #[must_use]
    pub fn open_order(&self, key: OrderKey) -> Option<&KnownOrder> {
        self.orders.get(&key).filter(|order| order.is_open())
    }

    /// Open orders, in the order of their submission.
    pub fn open(&self) -> impl Iterator<Item = (OrderKey, &KnownOrder)> {
        self.open.iter().filter_map(|key| Some((*key, self.orders.get(key)?)))
    }

    /// How many orders are not done.
    #[inline]
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Lets `change` change an order, and puts it where it belongs after that.
    #[inline]
    pub fn change<R>(
        &mut self,
        key: OrderKey,
        change: impl FnOnce(&mut KnownOrder) -> R,
    ) -> Option<R> {
        let order = self.orders.get_mut(&key)?;
        let was_open = order.is_open();
        let outcome = change(order);
        self.due_ns = self.due_ns.min(order.look_ns);
        let (is_open, is_unsettled) = (order.is_open(), order.is_unsettled());
        if order.fills_ns != u64::MAX {
            want_fills(&mut self.wants_fills, key);
        }
        match (was_open, is_open) {
            (true, false) => self.close(key, is_unsettled),
            (false, true) => self.reopen(key),
            _ => {}
        }
        Some(outcome)
    }

    /// Lets `change` change every open order.
    pub fn change_open(&mut self, mut change: impl FnMut(&mut KnownOrder)) {
        for index in (0..self.open.len()).rev() {
            let Some(key) = self.open.get(index).copied() else { continue };
            self.change(key, &mut change);
        }
    }

    /// When an order is due next, at the earliest, ns of the engine's clock.
    #[inline]
    #[must_use]
    pub fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// The order that has been due the longest and is not being asked for.
    pub fn due(&mut self, now_ns: u64) -> Option<OrderKey> {
        if now_ns < self.due_ns {
            return None;
        }
        let mut first: Option<(u64, OrderKey)> = None;
        for (key, order) in self.open().filter(|(_, order)| !order.is_asked) {
            if first.is_none_or(|(look_ns, _)| order.look_ns < look_ns) {
                first = Some((order.look_ns, key));
            }
        }
        match first {
            Some((look_ns, key)) if look_ns <= now_ns => Some(key),
            other => {
                self.due_ns = other.map_or(u64::MAX, |(look_ns, _)| look_ns);
                None
            }
        }
    }

    /// An order whose fills are to be asked for now.
    pub fn wants_fills(&mut self, now_ns: u64) -> Option<OrderKey> {
        let Self { orders, wants_fills, .. } = self;
        let fills_ns = |key: &OrderKey| orders.get(key).map_or(u64::MAX, |order| order.fills_ns);
        wants_fills.retain(|key| fills_ns(key) != u64::MAX);
        wants_fills.iter().copied().find(|key| fills_ns(key) <= now_ns)
    }

    /// Whether [`OrderTable::wants_fills`] has any to give, now or later.
    #[inline]
    #[must_use]
    pub fn any_wants_fills(&self) -> bool {
        !self.wants_fills.is_empty()
    }

    fn close(&mut self, key: OrderKey, is_unsettled: bool) {
        self.open.retain(|open| *open != key);
        let (queue, kept) = if is_unsettled {
            (&mut self.unsettled, UNSETTLED_KEPT)
        } else {
            (&mut self.closed, CLOSED_KEPT)
        };
        if queue.len() == kept
            && let Some(oldest) = queue.pop_front()
        {
            self.orders.remove(&oldest);
        }
        queue.push_back(key);
    }

    #[cold]
    fn reopen(&mut self, key: OrderKey) {
        self.closed.retain(|closed| *closed != key);
        self.unsettled.retain(|closed| *closed != key);
        self.open.push(key);
    }
}

#[cold]
fn want_fills(queue: &mut VecDeque<OrderKey>, key: OrderKey) {
    if queue.len() < WANTS_FILLS_MAX && !queue.contains(&key) {
        queue.push_back(key);
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{ClientOrderId, ConsumerId, Side};
    use crate::order::OrderType;
    use crate::venue::orders::words::Told;

    fn command(id: u64) -> OrderCommand {
        let mut command = OrderCommand::new_zeroed();
        (command.consumer, command.client_order_id) = (2, id);
        (command.price, command.qty, command.side_code) = (100, 10, Side::Buy.code());
        command.order_type_code = OrderType::Limit as u8;
        command
    }

    fn key(id: u64) -> OrderKey {
        OrderKey { consumer: ConsumerId(2), id: ClientOrderId(id) }
    }

    fn refuse(table: &mut OrderTable, id: u64) {
        let mut told = Told::new();
        table.change(key(id), |order| order.on_refused(RejectReason::Venue, -1, 0, &mut told));
        assert_eq!(told.len(), 1);
    }

    #[test]
    fn memory_of_closed_orders_is_bounded_and_open_ones_are_limited() {
        let mut table = OrderTable::new(2);
        let capacity = table.orders.capacity();
        for id in 1..=20_000 {
            table.submit(&command(id), 0).unwrap();
            refuse(&mut table, id);
        }
        assert_eq!(table.orders.len(), UNSETTLED_KEPT);
        // What was removed may count against the capacity until the map rehashes in place.
        assert!(table.orders.capacity() <= capacity, "it never grows");
        assert_eq!(table.submit(&command(20_000), 0), Err(RejectReason::DuplicateId), "closed too");
        table.submit(&command(30_001), 0).unwrap();
        table.submit(&command(30_002), 0).unwrap();
        assert_eq!(table.submit(&command(30_003), 0), Err(RejectReason::MaxOpenOrders));
    }

    #[test]
    fn the_order_that_waits_longest_is_due_first_and_one_that_fails_starves_no_other() {
        let mut table = OrderTable::new(4);
        for id in 1..=3 {
            table.submit(&command(id), 0).unwrap();
            table.change(key(id), |order| order.look_ns = 10 * id);
        }
        assert_eq!((table.due(9), table.due_ns()), (None, 10));
        let mut asked = Vec::new();
        for now_ns in 40..46 {
            let due = table.due(now_ns).unwrap();
            asked.push(due.id.0);
            table.change(due, |order| order.look_ns = now_ns + 1);
        }
        assert_eq!(asked, [1, 2, 3, 1, 2, 3]);
    }
}
