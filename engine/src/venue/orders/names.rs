//! The names under which our orders are known at a venue.

use crate::event::{ClientOrderId, ConsumerId};
use crate::order::OrderKey;

/// The longest name that every supported venue takes, bytes.
const ORDER_NAME_BYTES_MAX: usize = 36;

/// The text under which an order is known at the venue: `p<run>-<consumer>-<client_order_id>`.
pub(super) type OrderName = arrayvec::ArrayVec<u8, ORDER_NAME_BYTES_MAX>;

/// Names orders so that another run's can't be taken for ours: numbers start anew with each run.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderNames {
    run: u32,
}

impl OrderNames {
    pub(super) fn new(run: u32) -> OrderNames {
        OrderNames { run }
    }

    /// The name of an order.
    #[inline]
    pub(super) fn name(self, key: OrderKey) -> OrderName {
        let mut name = OrderName::new();
        let mut digits = itoa::Buffer::new();
        name.push(b'p');
        for part in [u64::from(self.run), u64::from(key.consumer.0), key.id.0] {
            if name.len() > 1 {
                name.push(b'-');
            }
            // 1 + 10 + 1 + 5 + 1 bytes leave room for the eighteen digits of the last part, which
            // counts the orders of one run.
            let text = digits.format(part).as_bytes();
            let _more_orders_than_nine_years_hold = name.try_extend_from_slice(text);
        }
        name
    }

    /// The order that a name stands for; `None` when it is none of this run's.
    #[inline]
    pub(super) fn parse(self, name: &[u8]) -> Option<OrderKey> {
        let mut parts = name.strip_prefix(b"p")?.split(|byte| *byte == b'-').map(number);
        let (run, consumer, id) = (parts.next()??, parts.next()??, parts.next()??);
        if parts.next().is_some() || run != u64::from(self.run) {
            return None;
        }
        let consumer = ConsumerId(u16::try_from(consumer).ok()?);
        Some(OrderKey { consumer, id: ClientOrderId(id) })
    }
}

/// A number as [`OrderNames::name`] writes it. With leading zeros it is somebody else's name.
fn number(digits: &[u8]) -> Option<u64> {
    let has_leading_zero = digits.len() > 1 && digits[0] == b'0';
    if digits.is_empty() || has_leading_zero || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: OrderKey = OrderKey { consumer: ConsumerId(3), id: ClientOrderId(41) };

    #[test]
    fn names_are_read_back_and_strangers_are_not_ours() {
        let names = OrderNames::new(77);
        assert_eq!(names.name(KEY).as_slice(), b"p77-3-41");
        assert_eq!(names.parse(b"p77-3-41"), Some(KEY));
        // EDGE-21: one name is a prefix of another.
        assert_eq!(names.parse(b"p77-3-4").map(|key| key.id), Some(ClientOrderId(4)));
        for name in ["p78-3-41", "77-3-41", "p77-3", "p77-3-41-1", "p77-3-", "p77--41", "", "x"] {
            assert_eq!(names.parse(name.as_bytes()), None, "{name}");
        }
        assert_eq!(names.parse(b"p77-99999-1"), None);
        for name in ["p77-3-041", "p77-03-41", "p077-3-41"] {
            assert_eq!(names.parse(name.as_bytes()), None, "{name}: not as we write it");
        }
        let longest =
            OrderKey { consumer: ConsumerId(u16::MAX), id: ClientOrderId(10_u64.pow(17)) };
        let names = OrderNames::new(u32::MAX);
        assert_eq!(names.parse(&names.name(longest)), Some(longest));
    }
}
