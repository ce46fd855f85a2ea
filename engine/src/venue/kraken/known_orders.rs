//! What the orders of the account are. The stream tells an order's terms once, and of what changes
//! later only that it has changed.

use std::collections::{HashMap, VecDeque};

use arrayvec::ArrayVec;

use crate::event::Side;
use crate::venue::Symbol;

/// Orders that are remembered, the newest: what is told of an older one is a question.
const KEPT: usize = 8_192;
/// The longest name of an order.
const NAME_BYTES_MAX: usize = 36;

/// An order's name: the client's, or the venue's where the client gave none.
type Name = ArrayVec<u8, NAME_BYTES_MAX>;

/// An order's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) symbol: Symbol,
    pub(super) side: Side,
    pub(super) price: i64,
    pub(super) qty: i64,
    /// What it does not take at once is cancelled.
    pub(super) is_ioc: bool,
}

/// The terms of orders by their names.
#[derive(Debug)]
pub(super) struct KnownOrders {
    terms: HashMap<Name, Terms>,
    oldest_first: VecDeque<Name>,
}

impl KnownOrders {
    pub(super) fn new() -> KnownOrders {
        // Twice as large as what it can hold, so that it only ever rehashes in place.
        let terms = HashMap::with_capacity(2 * KEPT);
        KnownOrders { terms, oldest_first: VecDeque::with_capacity(KEPT) }
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<Terms> {
        self.terms.get(name).copied()
    }

    /// Notes what an order is, or has become. One with a longer name is none of ours.
    #[inline]
    pub(super) fn note(&mut self, name: &[u8], terms: Terms) {
        let Ok(name) = Name::try_from(name) else { return };
        if self.terms.insert(name.clone(), terms).is_some() {
            return;
        }
        if self.oldest_first.len() == KEPT
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.terms.remove(&oldest);
        }
        self.oldest_first.push_back(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::InstrumentId;
    use crate::venue::Scales;

    #[test]
    fn the_newest_are_remembered_and_an_order_is_one_whatever_it_becomes() {
        let symbol =
            Symbol { instrument: InstrumentId(0), scales: Scales { price: 1, qty: 8 }, slot: 0 };
        let terms = |qty| Terms { symbol, side: Side::Buy, price: 1, qty, is_ioc: false };
        let mut known = KnownOrders::new();
        for number in 0..=KEPT {
            known.note(number.to_string().as_bytes(), terms(1));
            known.note(number.to_string().as_bytes(), terms(2));
        }
        known.note(&[b'a'; 99], terms(3));
        assert_eq!((known.terms.len(), known.oldest_first.len()), (KEPT, KEPT));
        assert_eq!(known.get(b"0"), None);
        assert_eq!(known.get(KEPT.to_string().as_bytes()), Some(terms(2)));
    }
}
