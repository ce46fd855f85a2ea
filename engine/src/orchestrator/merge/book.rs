//! Books of several venues, consolidated.

use arrayvec::ArrayVec;
use zerocopy::FromZeros;

use super::rule::MERGE_VENUES_MAX;
use super::window::Parts;
use crate::event::{BOOK_DEPTH, Book, Level, Merged, MergedBook};

/// What is left of one venue's side.
struct Side<'a> {
    levels: &'a [Level],
    venue: u16,
}

type Sides<'a> = ArrayVec<Side<'a>, MERGE_VENUES_MAX>;

/// The ten best levels a side; quantities of equal prices are summed. The venue of a best price is
/// the one with the largest quantity there, of equal ones the lowest. Returns the levels in use,
/// bids and asks.
///
/// A venue shows ten levels, so a sum at a price beyond the last level it shows may be too small.
#[inline]
pub(super) fn combine(parts: Parts<'_>, merged: &mut Merged) -> (u8, u8) {
    let (mut bids, mut asks) = (Sides::new(), Sides::new());
    for event in parts.iter() {
        let Some(book) = event.get::<Book>() else { continue };
        bids.push(Side { levels: in_use(&book.bids, event.bid_levels), venue: event.venue });
        asks.push(Side { levels: in_use(&book.asks, event.ask_levels), venue: event.venue });
    }
    let (bid_venue, ask_venue) = (
        best_venue(&bids, |price, best| price > best),
        best_venue(&asks, |price, best| price < best),
    );
    let book = merged.start::<MergedBook>();
    book.zero();
    let bid_levels = consolidate(
        &mut bids,
        |price, best| price > best,
        |index, level| book.put_bid(index, level),
    );
    let ask_levels = consolidate(
        &mut asks,
        |price, best| price < best,
        |index, level| book.put_ask(index, level),
    );
    (merged.bid_venue, merged.ask_venue) = (bid_venue, ask_venue);
    (bid_levels, ask_levels)
}

fn in_use(levels: &[Level; BOOK_DEPTH], count: u8) -> &[Level] {
    &levels[..usize::from(count).min(BOOK_DEPTH)]
}

/// The venue of the best price; 0 when no side has a level.
fn best_venue(sides: &Sides<'_>, is_better: impl Fn(i64, i64) -> bool) -> u16 {
    let mut best: Option<(Level, u16)> = None;
    for side in sides {
        let Some(&level) = side.levels.first() else { continue };
        let wins = best.is_none_or(|(best, _)| {
            is_better(level.price, best.price) || level.price == best.price && level.qty > best.qty
        });
        if wins {
            best = Some((level, side.venue));
        }
    }
    best.map_or(0, |(_, venue)| venue)
}

/// Takes the best price off all sides, ten times at most. Returns how many levels there were.
fn consolidate(
    sides: &mut Sides<'_>,
    is_better: impl Fn(i64, i64) -> bool,
    mut put: impl FnMut(usize, Level) -> bool,
) -> u8 {
    for index in 0..BOOK_DEPTH {
        let prices = sides.iter().filter_map(|side| side.levels.first()).map(|level| level.price);
        let best = prices.reduce(|best, price| if is_better(price, best) { price } else { best });
        let Some(price) = best else { return index as u8 };
        let mut qty = 0_i64;
        for side in sides.iter_mut() {
            if let [first, rest @ ..] = side.levels
                && first.price == price
            {
                qty = qty.saturating_add(first.qty);
                side.levels = rest;
            }
        }
        if !put(index, Level { price, qty }) {
            return index as u8;
        }
    }
    BOOK_DEPTH as u8
}
