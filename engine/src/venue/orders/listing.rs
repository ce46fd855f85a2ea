//! A list of an order's fills that is longer than one reply, page by page; and whether the venue
//! knows that request at all.

use super::requests_in_flight::Asked;
use crate::order::OrderKey;
use crate::venue::protocol::{FillsFrom, ReplyBody};

/// Pages of one list; what lies beyond stays as it was inferred.
const PAGES_MAX: u32 = 100;
const TOO_LONG: &str = "list of fills is longer than is read";

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
    /// For its positions.
    pub(super) positions: Known,
}

impl KnownRequests {
    /// Before anything was asked. What is asked over REST ends no session.
    pub(super) fn of(asks_over_rest: bool) -> KnownRequests {
        let known = if asks_over_rest { Known::Answered } else { Known::Untried };
        let (time, stream) = (Known::Untried, Known::Untried);
        let (open_orders, balances, positions) = (known, known, known);
        KnownRequests { fills: known, open_orders, balances, positions, time, stream }
    }

    /// A request was answered.
    #[inline]
    pub(super) fn answered(&mut self, asked: Asked) {
        match asked {
            Asked::Time => self.time = Known::Answered,
            Asked::Subscribe => self.stream = Known::Answered,
            Asked::OpenOrders => self.open_orders = Known::Answered,
            Asked::Balances => self.balances = Known::Answered,
            Asked::Positions => self.positions = Known::Answered,
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
    ///
    /// # Errors
    /// The list goes on, and is not read any further.
    pub(super) fn after(
        before: Option<Listing>,
        key: OrderKey,
        body: &ReplyBody<'_>,
        page_max: usize,
    ) -> Result<Option<Listing>, &'static str> {
        if body.has_older {
            // The protocol has counted the pages.
            return Ok(Some(Listing { key, from: FillsFrom::Older, qty: 0, pages: 0 }));
        }
        let fills = body.fills;
        let Some(last) = fills.last().filter(|_| fills.len() >= page_max) else { return Ok(None) };
        let Some(Listing { qty, pages, .. }) = before else {
            // The newest of more than one page: all are asked for, from the first on.
            return Ok(Some(Listing { key, from: FillsFrom::First, qty: 0, pages: 0 }));
        };
        let sum = fills.iter().fold(qty, |sum, fill| sum.saturating_add(fill.qty));
        let next = Listing { key, from: FillsFrom::After(last.trade), qty: sum, pages: pages + 1 };
        if next.pages < PAGES_MAX { Ok(Some(next)) } else { Err(TOO_LONG) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ClientOrderId, ConsumerId, VenueRef};
    use crate::venue::orders::VenueFill;

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
        let after = |before, fills: &[VenueFill]| {
            Listing::after(before, key, &ReplyBody { fills, ..ReplyBody::default() }, 3)
        };
        let next = |before, fills: &[VenueFill]| after(before, fills).expect("it is not too long");
        assert!(next(None, &page(1, 2)).is_none() && next(None, &[]).is_none());
        let first = next(None, &page(6, 3)).expect("it is longer");
        assert_eq!((first.from, first.qty), (FillsFrom::First, 0));
        let second = next(Some(first), &page(1, 3)).expect("it is longer");
        assert_eq!((second.from, second.qty), (FillsFrom::After(VenueRef::number(3)), 6));
        assert!(next(Some(second), &page(4, 2)).is_none());
        let (mut before, mut pages) = (first, 0);
        let end = loop {
            pages += 1;
            match after(Some(before), &page(1, 3)) {
                Ok(next) => before = next.expect("it is longer"),
                Err(why) => break why,
            }
        };
        assert_eq!((pages, end), (PAGES_MAX, TOO_LONG), "it ends, and not in silence");
        let older = ReplyBody { has_older: true, ..ReplyBody::default() };
        let next = Listing::after(Some(before), key, &older, usize::MAX).unwrap().unwrap();
        assert_eq!((next.from, next.qty), (FillsFrom::Older, 0), "the last page tells all");
    }
}
