//! What is kept of orders that are over and no longer remembered whole: enough to take a late
//! report for what it is.
//!
//! Promises: each order has one place, by its number, which the order so many numbers later takes
//! over; nothing allocates after construction.

use zerocopy::FromZeros;

use super::order::KnownOrder;
use super::states::OrderState;
use crate::event::{OrderStatus, VenueRef};
use crate::order::{OrderCommand, OrderKey};

/// Consumers' numbers lie so far apart in the archive, so that they share no places early on.
const CONSUMER_STRIDE: u64 = 8_191;

/// An order that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    key: OrderKey,
    venue_order_id: VenueRef,
    decision_id: u64,
    price: i64,
    trigger_price: i64,
    qty: i64,
    filled_qty: i64,
    prevented_qty: i64,
    quote: i128,
    instrument: u32,
    venue: u16,
    side_code: u8,
    order_type_code: u8,
    flags: u8,
    position_side_code: u8,
    status: OrderStatus,
    /// Its end was inferred, and may have to be taken back.
    is_presumed: bool,
}

const _: () = assert!(size_of::<Past>() <= 160);

impl Past {
    fn of(key: OrderKey, order: &KnownOrder) -> Past {
        let command = &order.command;
        Past {
            key,
            venue_order_id: order.venue_order_id,
            decision_id: command.decision_id,
            price: order.price,
            trigger_price: command.trigger_price,
            qty: order.qty,
            filled_qty: order.fills.qty(),
            prevented_qty: order.prevented_qty,
            quote: order.fills.quote(),
            instrument: command.instrument,
            venue: command.venue,
            side_code: command.side_code,
            order_type_code: command.order_type_code,
            flags: command.flags,
            position_side_code: command.position_side_code,
            status: order.status,
            is_presumed: order.state == OrderState::Presumed,
        }
    }

    /// The order as it was, but for what only the recent past needs.
    pub(super) fn recalled(&self) -> KnownOrder {
        let mut command = OrderCommand::new_zeroed();
        command.client_order_id = self.key.id.0;
        command.consumer = self.key.consumer.0;
        command.decision_id = self.decision_id;
        (command.price, command.qty) = (self.price, self.qty);
        command.trigger_price = self.trigger_price;
        (command.instrument, command.venue) = (self.instrument, self.venue);
        (command.side_code, command.order_type_code) = (self.side_code, self.order_type_code);
        (command.flags, command.position_side_code) = (self.flags, self.position_side_code);
        let mut order = KnownOrder::new(&command, 0);
        order.venue_order_id = self.venue_order_id;
        order.prevented_qty = self.prevented_qty;
        order.fills.recall(self.filled_qty, self.quote);
        order.status = self.status;
        order.state = if self.is_presumed { OrderState::Presumed } else { OrderState::Ended };
        order.told_end = Some(self.status);
        order.told_new = self.status != OrderStatus::Rejected;
        order.is_seen = !self.is_presumed;
        order
    }
}

/// Orders that are over, by their numbers.
#[derive(Debug)]
pub(super) struct Archive {
    /// A power of two.
    places: Box<[Option<Past>]>,
}

impl Archive {
    /// Places for at least so many orders.
    pub(super) fn new(orders: usize) -> Archive {
        Archive { places: vec![None; orders.next_power_of_two()].into_boxed_slice() }
    }

    pub(super) fn keep(&mut self, key: OrderKey, order: &KnownOrder) {
        let place = self.place(key);
        self.places[place] = Some(Past::of(key, order));
    }

    #[inline]
    pub(super) fn find(&self, key: OrderKey) -> Option<&Past> {
        self.places[self.place(key)].as_ref().filter(|past| past.key == key)
    }

    #[inline]
    fn place(&self, key: OrderKey) -> usize {
        let number = key.id.0.wrapping_add(u64::from(key.consumer.0) * CONSUMER_STRIDE);
        number as usize & (self.places.len() - 1)
    }
}
