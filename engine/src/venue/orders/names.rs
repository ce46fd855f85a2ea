//! The names under which our orders are known at a venue.

use crate::event::{ClientOrderId, ConsumerId};
use crate::order::recovery::EarlierRun;
use crate::order::{OrderKey, epoch_of_order};

/// The longest name that every supported venue takes, bytes.
const ORDER_NAME_BYTES_MAX: usize = 36;

/// The text under which an order is known at the venue: `p<run>-<consumer>-<client_order_id>`,
/// with another mark where a venue does not take dashes.
pub(super) type OrderName = arrayvec::ArrayVec<u8, ORDER_NAME_BYTES_MAX>;

/// Names orders so that another engine's can't be taken for ours. Each start has a run number of
/// its own; the orders of earlier ones that were taken up keep their names.
#[derive(Clone, Debug)]
pub(super) struct OrderNames {
    run: u32,
    /// What stands between their parts.
    mark: u8,
    earlier: Vec<EarlierRun>,
}

impl OrderNames {
    pub(super) fn new(run: u32, earlier: Vec<EarlierRun>, mark: u8) -> OrderNames {
        OrderNames { run, mark, earlier }
    }

    /// The run of the order with this number.
    #[inline]
    fn run_of(&self, id: ClientOrderId) -> u32 {
        if self.earlier.is_empty() {
            return self.run;
        }
        let epoch = epoch_of_order(id.0);
        let its = self.earlier.iter().find(|earlier| earlier.epoch == epoch);
        its.map_or(self.run, |earlier| earlier.run)
    }

    /// The name of an order.
    #[inline]
    pub(super) fn name(&self, key: OrderKey) -> OrderName {
        let mut name = OrderName::new();
        let mut digits = itoa::Buffer::new();
        name.push(b'p');
        for part in [u64::from(self.run_of(key.id)), u64::from(key.consumer.0), key.id.0] {
            if name.len() > 1 {
                name.push(self.mark);
            }
            // 1 + 10 + 1 + 5 + 1 bytes leave room for the eighteen digits of the last part: a
            // hundred million starts.
            let text = digits.format(part).as_bytes();
            let _more_orders_than_nine_years_hold = name.try_extend_from_slice(text);
        }
        name
    }

    /// The order that a name stands for; `None` when it is none of this run's, nor of an earlier
    /// one whose orders were taken up.
    #[inline]
    pub(super) fn parse(&self, name: &[u8]) -> Option<OrderKey> {
        let mut parts = name.strip_prefix(b"p")?.split(|byte| *byte == self.mark).map(number);
        let (run, consumer, id) = (parts.next()??, parts.next()??, parts.next()??);
        let id = ClientOrderId(id);
        if parts.next().is_some() || run != u64::from(self.run_of(id)) {
            return None;
        }
        let consumer = ConsumerId(u16::try_from(consumer).ok()?);
        Some(OrderKey { consumer, id })
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
    use crate::order::first_order_id;

    const KEY: OrderKey = OrderKey { consumer: ConsumerId(3), id: ClientOrderId(41) };

    #[test]
    fn names_are_read_back_and_strangers_are_not_ours() {
        let names = OrderNames::new(77, Vec::new(), b'-');
        assert_eq!(names.name(KEY).as_slice(), b"p77-3-41");
        assert_eq!(names.parse(b"p77-3-41"), Some(KEY));
        // EDGE-21: one name is a prefix of another.
        assert_eq!(names.parse(b"p77-3-4").map(|key| key.id), Some(ClientOrderId(4)));
        for name in ["p78-3-41", "77-3-41", "p77-3", "p77-3-41-1", "p77-3-", "p77--41", "", "x"] {
            assert_eq!(names.parse(name.as_bytes()), None, "{name}");
        }
        assert_eq!(names.parse(b"p77-99999-1"), None);
        let plain = OrderNames::new(77, Vec::new(), b'x');
        assert_eq!(plain.name(KEY).as_slice(), b"p77x3x41");
        assert_eq!((plain.parse(b"p77x3x41"), plain.parse(b"p77-3-41")), (Some(KEY), None));
        for name in ["p77-3-041", "p77-03-41", "p077-3-41"] {
            assert_eq!(names.parse(name.as_bytes()), None, "{name}: not as we write it");
        }
        let longest =
            OrderKey { consumer: ConsumerId(u16::MAX), id: ClientOrderId(10_u64.pow(17)) };
        let names = OrderNames::new(u32::MAX, Vec::new(), b'-');
        assert_eq!(names.parse(&names.name(longest)), Some(longest));
    }

    #[test]
    fn orders_of_earlier_starts_keep_their_names_and_no_two_starts_share_one() {
        let earlier = vec![EarlierRun { epoch: 2, run: 55 }];
        let names = OrderNames::new(77, earlier, b'-');
        let key = |epoch| OrderKey { id: ClientOrderId(first_order_id(epoch)), ..KEY };
        let (taken_up, own) = (names.name(key(2)), names.name(key(3)));
        assert_eq!(taken_up.as_slice(), b"p55-3-4294967297");
        assert_eq!(own.as_slice(), b"p77-3-8589934593");
        assert_eq!(names.parse(&taken_up), Some(key(2)));
        assert_eq!(names.parse(&own), Some(key(3)));
        assert_eq!(names.parse(b"p55-3-8589934593"), None, "that start gave out no such number");
        assert_eq!(names.parse(b"p77-3-4294967297"), None);
    }
}
