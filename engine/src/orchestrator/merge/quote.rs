//! Best bid and offer over several venues.

use super::window::Parts;
use crate::event::{Merged, Quote};

/// The highest bid and the lowest ask, each with its venue. Of equal prices the larger quantity
/// counts, of equal ones the lower venue. A side without quantity is no offer. Both sides may
/// cross.
#[inline]
pub(super) fn combine(parts: Parts<'_>, merged: &mut Merged) {
    let mut best = Quote { bid_price: 0, bid_qty: 0, ask_price: 0, ask_qty: 0 };
    let (mut bid_venue, mut ask_venue) = (0, 0);
    for event in parts.iter() {
        let Some(quote) = event.get::<Quote>() else { continue };
        let bid = (quote.bid_price, quote.bid_qty);
        if quote.bid_qty > 0 && (best.bid_qty == 0 || bid > (best.bid_price, best.bid_qty)) {
            (best.bid_price, best.bid_qty) = bid;
            bid_venue = event.venue;
        }
        let is_better = quote.ask_price < best.ask_price
            || quote.ask_price == best.ask_price && quote.ask_qty > best.ask_qty;
        if quote.ask_qty > 0 && (best.ask_qty == 0 || is_better) {
            (best.ask_price, best.ask_qty) = (quote.ask_price, quote.ask_qty);
            ask_venue = event.venue;
        }
    }
    *merged.start::<Quote>() = best;
    (merged.bid_venue, merged.ask_venue) = (bid_venue, ask_venue);
}
