//! What the orders of one strategy have reserved: each once, until the word that ends it.

use crate::event::{ClientOrderId, InstrumentId, Side, VenueId};

/// What one order holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) id: ClientOrderId,
    pub(super) venue: VenueId,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    /// Its price, as the venue has it or as it was sent; 0 for an order without one.
    pub(super) price: i64,
    /// The price that its money is counted at.
    pub(super) money_price: i64,
    /// Quantity that may still fill, by the worst case.
    pub(super) qty: i64,
    /// The same by the last word on it.
    pub(super) told_qty: i64,
    /// What that may trade for.
    pub(super) notional: i64,
    /// Price and whole quantity of an amendment that may still come true; 0 without one.
    pub(super) amended: (i64, i64),
    /// It takes part in the book, or may at any time without a trigger.
    pub(super) rests: bool,
    /// Its end is assumed; it is given up then, ns. 0: it has not ended.
    pub(super) assumed_until_ns: u64,
}

/// All of them.
#[derive(Debug)]
pub(super) struct HeldOrders {
    orders: Vec<Held>,
    /// How many of them have an end that is assumed.
    assumed: usize,
}

impl HeldOrders {
    pub(super) fn new(open_max: usize) -> HeldOrders {
        // What is revived comes on top.
        HeldOrders { orders: Vec::with_capacity(2 * open_max), assumed: 0 }
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        self.orders.len()
    }

    #[inline]
    pub(super) fn push(&mut self, held: Held) {
        self.orders.push(held);
    }

    #[inline]
    pub(super) fn place(&self, id: ClientOrderId) -> Option<usize> {
        self.orders.iter().position(|held| held.id == id)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> &mut Held {
        &mut self.orders[place]
    }

    /// Takes an order out: whoever has it gives back what it holds.
    #[inline]
    pub(super) fn remove(&mut self, place: usize) -> Held {
        let held = self.orders.swap_remove(place);
        self.assumed -= usize::from(held.assumed_until_ns > 0);
        held
    }

    /// An order's end is assumed until then, ns; 0: it is not.
    pub(super) fn assume(&mut self, place: usize, until_ns: u64) {
        let held = &mut self.orders[place];
        self.assumed -= usize::from(held.assumed_until_ns > 0);
        held.assumed_until_ns = until_ns;
        self.assumed += usize::from(until_ns > 0);
    }

    /// An order whose assumed end was not contradicted for long enough.
    #[inline]
    pub(super) fn given_up(&self, now_ns: u64) -> Option<usize> {
        if self.assumed == 0 {
            return None;
        }
        let is_over = |held: &Held| (1..=now_ns).contains(&held.assumed_until_ns);
        self.orders.iter().position(is_over)
    }

    /// The prices at which orders of a side may rest.
    pub(super) fn prices(
        &self,
        at: (VenueId, InstrumentId),
        side: Side,
    ) -> impl Iterator<Item = i64> {
        let here = move |held: &&Held| {
            held.rests && (held.venue, held.instrument) == at && held.side == side
        };
        self.orders.iter().filter(here).flat_map(|held| {
            let amended = (held.amended.1 > 0).then_some(held.amended.0);
            [Some(held.price), amended].into_iter().flatten()
        })
    }
}
