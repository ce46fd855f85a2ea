//! Trades of several venues as one.

use super::window::Parts;
use crate::event::{Merged, Trade};

/// Sums of quantities and notional, highest and lowest price; first and last by receive stamp, of
/// equal stamps by venue.
#[inline]
pub(super) fn combine(parts: Parts<'_>, merged: &mut Merged) {
    let mut trades =
        parts.iter().filter_map(|event| Some((event.receive_ns, event.get::<Trade>()?)));
    let Some((stamp_ns, &first)) = trades.next() else { return };
    let mut sum = first;
    let (mut earliest, mut latest) = ((stamp_ns, first.first_price), (stamp_ns, first.last_price));
    for (stamp_ns, trade) in trades {
        sum.absorb(trade);
        if stamp_ns < earliest.0 {
            earliest = (stamp_ns, trade.first_price);
        }
        if stamp_ns >= latest.0 {
            latest = (stamp_ns, trade.last_price);
        }
    }
    (sum.first_price, sum.last_price) = (earliest.1, latest.1);
    *merged.start::<Trade>() = sum;
}
