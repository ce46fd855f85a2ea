//! A list of an order's fills that is longer than one reply, page by page; and whether the venue
//! knows that request at all.

use super::requests_in_flight::Asked;
use super::words::VenueFill;
use crate::order::OrderKey;
use crate::venue::protocol::FillsFrom;

/// Pages of one list; what lies beyond stays as it was inferred.
const PAGES_MAX: u32 = 100;

/// What is known of a request that not every venue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    /// It was never answered.
    #[default]
    Untried,
    /// The venue answers it, be it with a refusal.
    Answered,
    /// The session ended when it was sent: it is sent no more in this run.
    EndsSession,
}

/// What is known of each of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownRequests {
    /// For an order's fills.
    pub(super) fills: Known,
    /// For the venue's time.
    pub(super) time: Known,
    /// Whether the account's stream stands.
    pub(super) stream: Known,
    /// For the account's open orders.
    pub(super) open_orders: Known,
    /// For the account's balances.
    pub(super) balances: Known,
}

impl KnownRequests {
    /// Before anything was asked. What is asked over REST ends no session.
    pub(super) fn of(asks_over_rest: bool) -> KnownRequests {
        let fills = if asks_over_rest { Known::Answered } else { Known::Untried };
        KnownRequests { fills, ..KnownRequests::default() }
    }

    /// A request was answered.
    #[inline]
    pub(super) fn answered(&mut self, asked: Asked) {
        match asked {
            Asked::Time => self.time = Known::Answered,
            Asked::Subscribe => self.stream = Known::Answered,
            Asked::OpenOrders => self.open_orders = Known::Answered,
            Asked::Balances => self.balances = Known::Answered,
            _ => {}
        }
    }
}

/// A list that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    pub(super) key: OrderKey,
    /// What is asked for next.
    pub(super) from: FillsFrom,
    /// The quantity of the pages before.
    pub(super) qty: i64,
    pages: u32,
}

impl Listing {
    /// What follows a reply with these fills of `key`; `None` when the list is whole. `before` is
    /// what the reply answered.
    pub(super) fn after(
        before: Option<Listing>,
        key: OrderKey,
        fills: &[VenueFill],
        page_max: usize,
    ) -> Option<Listing> {
        let last = fills.last().filter(|_| fills.len() >= page_max)?;
        let Some(Listing { qty, pages, .. }) = before else {
            // The newest of more than one page: all are asked for, from the first on.
            return Some(Listing { key, from: FillsFrom::First, qty: 0, pages: 0 });
        };
        let sum = fills.iter().fold(qty, |sum, fill| sum.saturating_add(fill.qty));
        let next = Listing { key, from: FillsFrom::After(last.trade), qty: sum, pages: pages + 1 };
        (next.pages < PAGES_MAX).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ClientOrderId, ConsumerId, VenueRef};

    #[test]
    fn a_full_page_is_followed_by_the_first_and_each_full_one_by_the_next() {
        let key = OrderKey { consumer: ConsumerId(0), id: ClientOrderId(1) };
        let page = |first: u64, count: u64| -> Vec<VenueFill> {
            let fill = |id| VenueFill {
                trade: VenueRef::number(id),
                price: 1,
                qty: 2,
                fee: None,
                liquidity: None,
            };
            (first..first + count).map(fill).collect()
        };
        let after = |before, fills: &[VenueFill]| Listing::after(before, key, fills, 3);
        assert!(after(None, &page(1, 2)).is_none() && after(None, &[]).is_none());
        let first = after(None, &page(6, 3)).expect("it is longer");
        assert_eq!((first.from, first.qty), (FillsFrom::First, 0));
        let second = after(Some(first), &page(1, 3)).expect("it is longer");
        assert_eq!((second.from, second.qty), (FillsFrom::After(VenueRef::number(3)), 6));
        assert!(after(Some(second), &page(4, 2)).is_none());
        let mut listing = Some(first);
        let mut pages = 0;
        while let Some(before) = listing {
            listing = after(Some(before), &page(1, 3));
            pages += 1;
        }
        assert_eq!(pages, PAGES_MAX, "it ends");
    }
}
