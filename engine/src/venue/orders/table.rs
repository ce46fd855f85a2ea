//! All orders of one venue, open and remembered, and whose turn it is to be asked for.
//!
//! Promises: an order is taken once for its (consumer, client_order_id); open orders stand in the
//! order of their submission, so no decision follows a hash map; each open order has its own time
//! of the next look, so that one whose queries fail holds back no other. Bounded: open orders by
//! the risk limits, and all that is remembered by multiples of these (`Bounds`): closed orders
//! whole, those whose end may have to be taken back for longer, and of the rest what a late report
//! needs. Nothing allocates after construction.

use std::collections::{HashMap, VecDeque};

use super::archive::{Archive, Past};
use super::order::{CancelWish, KnownOrder};
use crate::event::RejectReason;
use crate::order::{OrderCommand, OrderKey};

/// How many orders are remembered beside the open ones, to tell a late repeat from a stranger
/// (EDGE-15).
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Closed orders, whole.
    closed: usize,
    /// Closed orders beyond that, whole, since their end was inferred or their fills are unsettled.
    unsettled: usize,
    /// Orders in the archive.
    archived: usize,
    /// Presumed ends that are asked for once more after a lost session.
    doubted_again: usize,
}

impl Bounds {
    fn of(open_max: usize) -> Bounds {
        Bounds {
            closed: (2 * open_max).clamp(256, 2_048),
            unsettled: (4 * open_max).clamp(1_024, 4_096),
            archived: (256 * open_max).clamp(8_192, 65_536),
            doubted_again: open_max.clamp(4, 16),
        }
    }
}

/// Orders whose fills are asked for at a time; more wait among the unsettled.
const WANTS_FILLS_MAX: usize = 256;
/// Presumed ends that wait to be asked for once more.
const AGAIN_MAX: usize = 64;

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
    /// Some found no place there.
    more_want_fills: bool,
    /// Presumed ends that are to be asked for once more, and when, ns.
    again: VecDeque<(u64, OrderKey)>,
    archive: Archive,
    bounds: Bounds,
    open_max: usize,
    /// No open order is due before, ns of the engine's clock.
    due_ns: u64,
    /// No cancel that waits may be written before, ns of the engine's clock.
    cancel_due_ns: u64,
}

impl OrderTable {
    /// Room for `open_max` open orders.
    #[must_use]
    pub fn new(open_max: usize) -> OrderTable {
        let bounds = Bounds::of(open_max);
        let kept = open_max + bounds.closed + bounds.unsettled;
        OrderTable {
            // Twice as large as what it can hold, so that it only ever rehashes in place.
            orders: HashMap::with_capacity(2 * kept),
            // What is revived may come on top.
            open: Vec::with_capacity(2 * open_max),
            closed: VecDeque::with_capacity(bounds.closed + 1),
            unsettled: VecDeque::with_capacity(bounds.unsettled + 1),
            wants_fills: VecDeque::with_capacity(WANTS_FILLS_MAX),
            more_want_fills: false,
            again: VecDeque::with_capacity(AGAIN_MAX),
            archive: Archive::new(bounds.archived),
            bounds,
            open_max,
            due_ns: u64::MAX,
            cancel_due_ns: u64::MAX,
        }
    }

    /// Takes a new order.
    ///
    /// # Errors
    /// The reason why it is not to be sent.
    #[inline]
    pub fn submit(&mut self, command: &OrderCommand, now_ns: u64) -> Result<(), RejectReason> {
        let key = OrderKey::of(command);
        if self.orders.contains_key(&key) || self.archive.find(key).is_some() {
            return Err(RejectReason::DuplicateId);
        }
        if self.open.len() >= self.open_max {
            return Err(RejectReason::MaxOpenOrders);
        }
        self.orders.insert(key, KnownOrder::new(command, now_ns));
        self.open.push(key);
        Ok(())
    }

    /// Takes up an order of an earlier start; beyond the number that may be opened, too.
    pub(super) fn take_up(&mut self, order: KnownOrder, now_ns: u64) {
        let key = OrderKey::of(&order.command);
        let (is_open, is_presumed) = (order.is_open(), order.is_presumed_since(0));
        self.due_ns = self.due_ns.min(order.query_ns);
        if order.fills_ns != u64::MAX {
            self.more_want_fills |= !want_fills(&mut self.wants_fills, key);
        }
        if is_presumed {
            ask_again(&mut self.again, key, now_ns);
        }
        self.orders.insert(key, order);
        match is_open {
            true => self.open.push(key),
            false => self.remember(key, true),
        }
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

    /// Remembers an order whole again, if anything is known of it.
    #[cold]
    pub fn recall(&mut self, key: OrderKey) {
        if self.orders.contains_key(&key) {
            return;
        }
        let Some(order) = self.archive.find(key).map(Past::recalled) else { return };
        self.orders.insert(key, order);
        self.remember(key, true);
    }

    /// Lets `change` change an order, and puts it where it belongs after that.
    #[inline]
    pub fn change<R>(
        &mut self,
        key: OrderKey,
        change: impl FnOnce(&mut KnownOrder) -> R,
    ) -> Option<R> {
        let order = self.orders.get_mut(&key)?;
        let (was_open, was_cancelled) = (order.is_open(), order.cancel.is_written());
        let outcome = change(order);
        self.due_ns = self.due_ns.min(order.query_ns);
        if was_cancelled && order.cancel == CancelWish::Wanted {
            self.cancel_due_ns = self.cancel_due_ns.min(order.cancel_ns);
        }
        let (is_open, is_unsettled) = (order.is_open(), order.is_unsettled());
        if order.fills_ns != u64::MAX {
            self.more_want_fills |= !want_fills(&mut self.wants_fills, key);
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

    /// When the cancels that wait are to be looked for, ns of the engine's clock: one that was
    /// written and came to nothing is by itself.
    #[inline]
    #[must_use]
    pub fn cancel_due_ns(&self) -> u64 {
        self.cancel_due_ns
    }

    /// The cancels that wait are to be looked for at `at_ns`, or before.
    #[inline]
    pub fn look_for_cancels(&mut self, at_ns: u64) {
        self.cancel_due_ns = self.cancel_due_ns.min(at_ns);
    }

    /// Open orders whose cancel waits, in the order of their submission. They are not looked for
    /// again unless somebody says so.
    pub fn take_wanted_cancels(&mut self) -> Vec<OrderKey> {
        self.cancel_due_ns = u64::MAX;
        let wanted = self.open().filter(|(_, order)| order.cancel == CancelWish::Wanted);
        wanted.map(|(key, _)| key).collect()
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
            if first.is_none_or(|(query_ns, _)| order.query_ns < query_ns) {
                first = Some((order.query_ns, key));
            }
        }
        match first {
            Some((query_ns, key)) if query_ns <= now_ns => Some(key),
            other => {
                self.due_ns = other.map_or(u64::MAX, |(query_ns, _)| query_ns);
                None
            }
        }
    }

    /// An order whose fills are to be asked for now.
    pub fn wants_fills(&mut self, now_ns: u64) -> Option<OrderKey> {
        let Self { orders, wants_fills, unsettled, more_want_fills, .. } = self;
        let fills_ns = |key: &OrderKey| orders.get(key).map_or(u64::MAX, |order| order.fills_ns);
        wants_fills.retain(|key| fills_ns(key) != u64::MAX);
        if *more_want_fills && wants_fills.len() < WANTS_FILLS_MAX / 2 {
            let mut left = unsettled.iter().filter(|key| fills_ns(key) != u64::MAX);
            // One that finds no place finds the queue full.
            *more_want_fills = left.any(|key| !want_fills(wants_fills, *key));
        }
        wants_fills.iter().copied().find(|key| fills_ns(key) <= now_ns)
    }

    /// Whether [`OrderTable::wants_fills`] has any to give, now or later.
    #[inline]
    #[must_use]
    pub fn any_wants_fills(&self) -> bool {
        !self.wants_fills.is_empty() || self.more_want_fills
    }

    /// Presumed ends of this time and since, newest first, are to be asked for once more at
    /// `at_ns`: their reports may have been lost with the session.
    pub fn doubt_ends(&mut self, since_ns: u64, at_ns: u64) {
        let Self { orders, unsettled, again, bounds, .. } = self;
        let is_recent = |key: &&OrderKey| {
            orders.get(key).is_some_and(|order| order.is_presumed_since(since_ns))
        };
        for key in unsettled.iter().rev().filter(is_recent).take(bounds.doubted_again) {
            ask_again(again, *key, at_ns);
        }
    }

    /// A presumed end is to be asked for once more at `at_ns`.
    pub fn doubt_end(&mut self, key: OrderKey, at_ns: u64) {
        ask_again(&mut self.again, key, at_ns);
    }

    /// A presumed end that is to be asked for now.
    pub fn doubted_end(&mut self, now_ns: u64) -> Option<OrderKey> {
        let index = self.again.iter().position(|(at_ns, _)| *at_ns <= now_ns)?;
        self.again.remove(index).map(|(_, key)| key)
    }

    /// Whether [`OrderTable::doubted_end`] has any to give, now or later.
    #[inline]
    #[must_use]
    pub fn any_doubted_end(&self) -> bool {
        !self.again.is_empty()
    }

    fn close(&mut self, key: OrderKey, is_unsettled: bool) {
        self.open.retain(|open| *open != key);
        self.remember(key, is_unsettled);
    }

    /// Keeps a closed order whole; the oldest goes to the archive.
    fn remember(&mut self, key: OrderKey, is_unsettled: bool) {
        let (queue, kept) = if is_unsettled {
            (&mut self.unsettled, self.bounds.unsettled)
        } else {
            (&mut self.closed, self.bounds.closed)
        };
        if queue.len() == kept
            && let Some(oldest) = queue.pop_front()
            && let Some(order) = self.orders.remove(&oldest)
        {
            self.archive.keep(oldest, &order);
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
fn ask_again(queue: &mut VecDeque<(u64, OrderKey)>, key: OrderKey, at_ns: u64) {
    if queue.len() < AGAIN_MAX && !queue.contains(&(at_ns, key)) {
        queue.push_back((at_ns, key));
    }
}

/// Whether the order has a place in the queue.
#[cold]
fn want_fills(queue: &mut VecDeque<OrderKey>, key: OrderKey) -> bool {
    if queue.contains(&key) {
        return true;
    }
    let has_room = queue.len() < WANTS_FILLS_MAX;
    if has_room {
        queue.push_back(key);
    }
    has_room
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::{
        Certainty, ClientOrderId, ConsumerId, ExecReport, ExecType, ExpiryReason, InstrumentId,
        OrderStatus, Side, VenueRef,
    };
    use crate::order::OrderType;
    use crate::order::recovery::{InferredFill, RecordedOrder};
    use crate::venue::orders::told::{Applied, Told, VenueReport};

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
    fn of_more_orders_than_are_asked_for_at_a_time_each_has_its_turn() {
        const ORDERS: u64 = 3 * WANTS_FILLS_MAX as u64;
        let mut table = OrderTable::new(8);
        for id in 0..ORDERS {
            let mut ended = RecordedOrder::new(&command(id), 0);
            (ended.status, ended.certainty) = (OrderStatus::Filled, Certainty::Known);
            (ended.filled_qty, ended.quote) = (10, 1_000);
            ended.inferred.push(InferredFill { from: 0, to: 10, quote: 1_000 });
            table.take_up(KnownOrder::taken_up(&ended, 0, 0), 0);
        }
        let mut asked = std::collections::BTreeSet::new();
        while let Some(key) = table.wants_fills(0) {
            assert!(table.any_wants_fills() && asked.insert(key.id.0), "twice: {key:?}");
            table.change(key, |order| order.fills_ns = u64::MAX);
        }
        assert_eq!((asked.len() as u64, table.any_wants_fills()), (ORDERS, false));
    }

    #[test]
    fn memory_of_closed_orders_is_bounded_and_open_ones_are_limited() {
        let mut table = OrderTable::new(2);
        let capacity = table.orders.capacity();
        for id in 1..=20_000 {
            table.submit(&command(id), 0).unwrap();
            refuse(&mut table, id);
        }
        assert_eq!(table.orders.len(), table.bounds.unsettled);
        // What was removed may count against the capacity until the map rehashes in place.
        assert!(table.orders.capacity() <= capacity, "it never grows");
        for id in [20_000, 20_000 - table.bounds.unsettled as u64 - 1, 19_000] {
            assert_eq!(table.submit(&command(id), 0), Err(RejectReason::DuplicateId), "closed too");
        }
        table.submit(&command(30_001), 0).unwrap();
        table.submit(&command(30_002), 0).unwrap();
        assert_eq!(table.submit(&command(30_003), 0), Err(RejectReason::MaxOpenOrders));
    }

    #[test]
    fn a_late_report_on_an_order_long_over_is_taken_for_what_it_is() {
        let mut table = OrderTable::new(2);
        for id in 1..=5_000 {
            table.submit(&command(id), 0).unwrap();
            refuse(&mut table, id);
        }
        assert!(table.get(key(7)).is_none());
        table.recall(key(7));
        let mut told = Told::new();
        let report = |filled_qty: i64| VenueReport {
            exec_type: ExecType::Trade,
            status: OrderStatus::PartiallyFilled,
            venue_order_id: VenueRef::number(70),
            execution_id: VenueRef::number(filled_qty as u64),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: 100,
            trigger_price: None,
            qty: 10,
            last_price: 100,
            last_qty: filled_qty,
            filled_qty,
            prevented_qty: None,
            quote_total: None,
            fee: Some((0, 0)),
            liquidity: None,
            expiry: ExpiryReason::None,
        };
        let applied = table.change(key(7), |order| order.on_report(&report(4), 0, &mut told));
        assert_eq!(applied, Some(Applied::Taken));
        let types: Vec<_> = told.iter().filter_map(ExecReport::exec_type).collect();
        assert_eq!(types, [ExecType::Revived, ExecType::Trade]);
        assert_eq!(table.open_count(), 1, "it lives");
        // One that was never an order of ours stays unknown.
        table.recall(key(6_000));
        assert!(table.get(key(6_000)).is_none());
    }

    #[test]
    fn recent_presumed_ends_are_asked_for_once_more_after_a_lost_session() {
        let mut table = OrderTable::new(2);
        for id in 1..=20 {
            table.submit(&command(id), 0).unwrap();
            refuse(&mut table, id);
        }
        table.doubt_ends(0, 5);
        let mut asked = Vec::new();
        while let Some(key) = table.doubted_end(5) {
            asked.push(key.id.0);
        }
        assert_eq!(asked, [20, 19, 18, 17], "the newest, so many as may be open and some");
        table.doubt_ends(1, 5);
        assert!(!table.any_doubted_end(), "all of them ended before");
    }

    #[test]
    fn the_order_that_waits_longest_is_due_first_and_one_that_fails_starves_no_other() {
        let mut table = OrderTable::new(4);
        for id in 1..=3 {
            table.submit(&command(id), 0).unwrap();
            table.change(key(id), |order| order.query_ns = 10 * id);
        }
        assert_eq!((table.due(9), table.due_ns()), (None, 10));
        let mut asked = Vec::new();
        for now_ns in 40..46 {
            let due = table.due(now_ns).unwrap();
            asked.push(due.id.0);
            table.change(due, |order| order.query_ns = now_ns + 1);
        }
        assert_eq!(asked, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn an_order_is_asked_about_once_at_a_time() {
        let mut table = OrderTable::new(4);
        for id in 1..=2 {
            table.submit(&command(id), 0).unwrap();
            table.change(key(id), |order| order.query_ns = 10 * id);
        }
        table.change(key(1), |order| order.is_asked = true);
        assert_eq!(table.due(30), Some(key(2)), "the other one waits for its answer");
        table.change(key(2), |order| order.is_asked = true);
        assert_eq!((table.due(30), table.due_ns()), (None, u64::MAX));
    }
}
