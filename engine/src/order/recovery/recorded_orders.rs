//! The orders that are open on record.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::recorded_order::RecordedOrder;
use crate::order::OrderKey;

/// Orders for which there is memory from the start.
const USUAL: usize = 256;

/// Of the numbers of orders, which nobody outside chooses: a multiplication spreads them.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// Orders by whose they are and their number. An order stays where it is while it is open, and its
/// place is used again: most of a journal's orders come and go.
pub(super) struct RecordedOrders {
    places: HashMap<OrderKey, u32, BuildHasherDefault<KeyHasher>>,
    orders: Vec<RecordedOrder>,
    free: Vec<u32>,
}

impl RecordedOrders {
    pub(super) fn new() -> RecordedOrders {
        RecordedOrders {
            places: HashMap::with_capacity_and_hasher(USUAL, BuildHasherDefault::default()),
            orders: Vec::with_capacity(USUAL),
            free: Vec::with_capacity(USUAL),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: OrderKey) -> Option<&mut RecordedOrder> {
        let place = *self.places.get(&key)?;
        self.orders.get_mut(place as usize)
    }

    /// Takes one up, in place of one with the same number.
    #[inline]
    pub(super) fn insert(&mut self, key: OrderKey, order: RecordedOrder) {
        if let Some(known) = self.get_mut(key) {
            *known = order;
            return;
        }
        let place = match self.free.pop() {
            Some(place) => {
                self.orders[place as usize] = order;
                place
            }
            None => {
                self.orders.push(order);
                (self.orders.len() - 1) as u32
            }
        };
        self.places.insert(key, place);
    }

    /// Takes one out, which can be looked at until the next is taken up.
    #[inline]
    pub(super) fn remove(&mut self, key: OrderKey) -> Option<&RecordedOrder> {
        let place = self.places.remove(&key)?;
        self.free.push(place);
        self.orders.get(place as usize)
    }

    /// All of them, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &RecordedOrder> {
        self.places.values().map(|place| &self.orders[*place as usize])
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::order::OrderCommand;

    #[test]
    fn places_are_used_again_and_nothing_of_who_had_them_is_left() {
        let mut open = RecordedOrders::new();
        let order = |id: u64| {
            let mut command = OrderCommand::new_zeroed();
            command.client_order_id = id;
            let mut order = RecordedOrder::new(&command, id as i64);
            order.amend(1, 2);
            order
        };
        let insert = |open: &mut RecordedOrders, id| open.insert(order(id).key(), order(id));
        (1..=3).for_each(|id| insert(&mut open, id));
        assert_eq!(open.remove(order(2).key()).map(|of| of.sent_wall_ns), Some(2));
        assert!(open.get_mut(order(2).key()).is_none() && open.remove(order(2).key()).is_none());
        for id in 4..1_000 {
            insert(&mut open, id);
            insert(&mut open, id);
            assert_eq!(open.values().count(), 3, "{id}");
            assert!(open.remove(order(id).key()).is_some_and(|of| of.amendments.len() == 1));
        }
        let mut left: Vec<u64> = open.values().map(|of| of.command.client_order_id).collect();
        left.sort_unstable();
        assert_eq!((left, open.orders.len()), (vec![1, 3], 3));
    }
}
