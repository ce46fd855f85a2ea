//! Numbers of orders, of which no later start with the same journal gives out one again.

/// Numbers of one start, as a power of two: more than nine years hold at ten orders a second.
const ORDERS_OF_START_BITS: u32 = 32;

/// The first order number of the engine's start of this number in its journal, from 1 on; without
/// a journal every start is the first.
#[must_use]
pub(crate) const fn first_order_id(epoch: u64) -> u64 {
    (epoch.saturating_sub(1) << ORDERS_OF_START_BITS) + 1
}

/// The number of the start that gave out this order number.
#[must_use]
pub const fn epoch_of_order(id: u64) -> u64 {
    (id >> ORDERS_OF_START_BITS) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_has_numbers_of_its_own_and_a_first_start_counts_from_one() {
        assert_eq!((first_order_id(0), first_order_id(1)), (1, 1));
        for epoch in [1, 2, 77, 100_000] {
            let first = first_order_id(epoch);
            assert_eq!(
                (epoch_of_order(first), epoch_of_order(first + 4_000_000_000)),
                (epoch, epoch)
            );
            assert_eq!(epoch_of_order(first_order_id(epoch + 1) - 2), epoch);
        }
    }
}
