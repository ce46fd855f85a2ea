//! Bars of one interval, of several venues, as one.

use super::window::Parts;
use crate::event::{Bar, Merged};

/// Highest high, lowest low, sums of volume and trades; open and close of the venue with the
/// largest volume, which is where the price is made. Closed when every one of them is.
#[inline]
pub(super) fn combine(parts: Parts<'_>, merged: &mut Merged) {
    let mut bars = parts.iter().filter_map(|event| event.get::<Bar>());
    let Some(&first) = bars.next() else { return };
    let mut sum = first;
    let mut largest = first.volume;
    for bar in bars {
        if bar.volume > largest {
            (largest, sum.open, sum.close) = (bar.volume, bar.open, bar.close);
        }
        sum.high = sum.high.max(bar.high);
        sum.low = sum.low.min(bar.low);
        sum.volume = sum.volume.saturating_add(bar.volume);
        sum.trades = sum.trades.saturating_add(bar.trades);
        sum.closed = sum.closed.min(bar.closed);
    }
    *merged.start::<Bar>() = sum;
}
