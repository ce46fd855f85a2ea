//! One instrument's order book: both sides as sorted vectors, best level at the end.
//!
//! Promises: no allocation after construction; the number of levels a side is bounded, and when the
//! bound is reached the farthest level gives way and is counted. Most changes are near the best
//! price, so with the best at the end an insertion or removal moves few levels. Does not know
//! sequences or whether it can be trusted: that is [`super::BookSync`]'s part.

use std::cmp::Ordering;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use crate::event::{BOOK_DEPTH, Book, Level, Side, format_scaled};
use crate::venue::Scales;

/// What a change did to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A new level.
    Inserted,
    /// The quantity of a level was replaced.
    Replaced,
    /// A level was removed.
    Removed,
    /// Removal of a level that isn't there: routine, since levels beyond a snapshot's depth are
    /// unknown.
    Missing,
    /// A new level was inserted, and the farthest level was dropped for it.
    Overflowed,
    /// A new level was beyond the farthest of a full side and was dropped.
    Beyond,
}

/// A level-2 order book.
#[derive(Clone, Debug)]
pub struct L2Book {
    /// Ascending: the best bid is the last.
    bids: Vec<Level>,
    /// Descending: the best ask is the last.
    asks: Vec<Level>,
    levels_max: usize,
    overflows: u64,
}

impl L2Book {
    /// Levels a side when nothing else is configured: far above the 5,000 of the deepest snapshot.
    pub const LEVELS_MAX_DEFAULT: usize = 20_000;

    /// An empty book for at most `levels_max` (at least 1) levels a side, preallocated.
    #[must_use]
    pub fn new(levels_max: usize) -> L2Book {
        let levels_max = levels_max.max(1);
        let side = || Vec::with_capacity(levels_max);
        L2Book { bids: side(), asks: side(), levels_max, overflows: 0 }
    }

    /// Sets the quantity at `price` to `qty`; 0 removes the level. Both in the instrument's scales,
    /// the quantity absolute and not negative.
    #[inline]
    pub fn apply(&mut self, side: Side, price: i64, qty: i64) -> Applied {
        debug_assert!(qty >= 0, "a decoder refuses negative quantities");
        let applied = match side {
            Side::Buy => apply(&mut self.bids, self.levels_max, price, qty, |p| p < price),
            Side::Sell => apply(&mut self.asks, self.levels_max, price, qty, |p| p > price),
        };
        if matches!(applied, Applied::Overflowed | Applied::Beyond) {
            self.overflows += 1;
        }
        applied
    }

    /// Replaces the whole book. Levels come best first, as a snapshot has them; any other order is
    /// taken as well.
    pub fn load(&mut self, bids: &[Level], asks: &[Level]) {
        self.clear();
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            if self.load_in_order(side, levels) {
                continue;
            }
            // From the farthest, so that each insertion is at the end.
            for level in levels.iter().rev() {
                self.apply(side, level.price, level.qty);
            }
        }
    }

    /// Replaces a side that is empty by levels that come best first, as nearly all do: one copy,
    /// however many they are. False, and nothing is done, when they come in another order.
    fn load_in_order(&mut self, side: Side, levels: &[Level]) -> bool {
        let is_better = |pair: &[Level]| match side {
            Side::Buy => pair[0].price > pair[1].price,
            Side::Sell => pair[0].price < pair[1].price,
        };
        if !levels.windows(2).all(is_better) || levels.iter().any(|level| level.qty == 0) {
            return false;
        }
        let kept = levels.len().min(self.levels_max);
        let to = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        to.extend(levels[..kept].iter().rev());
        self.overflows += (levels.len() - kept) as u64;
        true
    }

    /// Removes all but the best `depth` levels a side.
    pub fn truncate(&mut self, depth: usize) {
        for side in [&mut self.bids, &mut self.asks] {
            // The farthest ones come first.
            side.drain(..side.len().saturating_sub(depth));
        }
    }

    /// Removes every level.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// The levels of a side, best first.
    pub fn best(&self, side: Side) -> impl ExactSizeIterator<Item = &Level> {
        match side {
            Side::Buy => self.bids.iter().rev(),
            Side::Sell => self.asks.iter().rev(),
        }
    }

    /// The best ten levels a side as an event's payload, and how many of them are in use.
    #[inline]
    #[must_use]
    pub fn top(&self) -> (Book, u8, u8) {
        const NONE: Level = Level { price: 0, qty: 0 };
        let mut book = Book { bids: [NONE; BOOK_DEPTH], asks: [NONE; BOOK_DEPTH] };
        let bid_levels = copy_best(&self.bids, &mut book.bids);
        let ask_levels = copy_best(&self.asks, &mut book.asks);
        (book, bid_levels, ask_levels)
    }

    /// The best bid and the best ask, 0 for an empty side.
    #[inline]
    #[must_use]
    pub fn best_prices(&self) -> (i64, i64) {
        let price = |level: Option<&Level>| level.map_or(0, |level| level.price);
        (price(self.bids.last()), price(self.asks.last()))
    }

    /// How many levels a side has.
    #[inline]
    #[must_use]
    pub fn level_count(&self, side: Side) -> usize {
        match side {
            Side::Buy => self.bids.len(),
            Side::Sell => self.asks.len(),
        }
    }

    /// Whether the best bid is at or above the best ask: such a book is wrong.
    #[inline]
    #[must_use]
    pub fn crossed(&self) -> bool {
        match (self.bids.last(), self.asks.last()) {
            (Some(bid), Some(ask)) => bid.price.cmp(&ask.price) != Ordering::Less,
            _ => false,
        }
    }

    /// Levels that were dropped because a side was full.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    /// SHA-256 of the whole book in hex, for comparison with another implementation: lines
    /// `b<price>:<qty>` from the highest bid down, then `a<price>:<qty>` from the lowest ask up,
    /// numbers in plain notation without trailing zeros. Cold: it formats every level.
    #[must_use]
    pub fn digest(&self, scales: Scales) -> String {
        let mut text = String::new();
        for (letter, side) in [('b', Side::Buy), ('a', Side::Sell)] {
            for level in self.best(side) {
                let price = format_scaled(level.price, scales.price).to_string();
                let qty = format_scaled(level.qty, scales.qty).to_string();
                let _infallible = writeln!(text, "{letter}{}:{}", plain(&price), plain(&qty));
            }
        }
        HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
    }
}

/// Changes one side; `is_worse` orders a level's price against the changed one.
#[inline]
fn apply(
    levels: &mut Vec<Level>,
    levels_max: usize,
    price: i64,
    qty: i64,
    is_worse: impl Fn(i64) -> bool,
) -> Applied {
    let at = levels.partition_point(|level| is_worse(level.price));
    if let Some(level) = levels.get_mut(at)
        && level.price == price
    {
        if qty == 0 {
            levels.remove(at);
            return Applied::Removed;
        }
        level.qty = qty;
        return Applied::Replaced;
    }
    if qty == 0 {
        return Applied::Missing;
    }
    if levels.len() < levels_max {
        levels.insert(at, Level { price, qty });
        return Applied::Inserted;
    }
    if at == 0 {
        return Applied::Beyond;
    }
    // Everything worse than the new level moves one down over the farthest.
    levels.copy_within(1..at, 0);
    levels[at - 1] = Level { price, qty };
    Applied::Overflowed
}

#[inline]
fn copy_best(levels: &[Level], out: &mut [Level; BOOK_DEPTH]) -> u8 {
    let mut used = 0;
    for (slot, level) in out.iter_mut().zip(levels.iter().rev()) {
        *slot = *level;
        used += 1;
    }
    used
}

fn plain(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn level(price: i64, qty: i64) -> Level {
        Level { price, qty }
    }

    #[test]
    fn keeps_each_side_best_first() {
        let mut book = L2Book::new(8);
        book.load(&[level(10, 1), level(9, 2)], &[level(12, 3), level(11, 4)]);
        assert_eq!(book.apply(Side::Buy, 8, 5), Applied::Inserted);
        assert_eq!(book.apply(Side::Buy, 9, 7), Applied::Replaced);
        assert_eq!(book.apply(Side::Buy, 10, 0), Applied::Removed);
        assert_eq!(book.apply(Side::Sell, 99, 0), Applied::Missing); // EDGE-16
        let bids: Vec<_> = book.best(Side::Buy).copied().collect();
        let asks: Vec<_> = book.best(Side::Sell).copied().collect();
        assert_eq!(bids, [level(9, 7), level(8, 5)]);
        assert_eq!(asks, [level(11, 4), level(12, 3)]);
        let (top, bid_levels, ask_levels) = book.top();
        assert_eq!((top.bids[0], top.asks[0]), (level(9, 7), level(11, 4)));
        assert_eq!((bid_levels, ask_levels), (2, 2));
        assert_eq!(top.bids[2], level(0, 0));
    }

    #[test]
    fn a_full_side_gives_up_its_farthest_level() {
        let mut book = L2Book::new(2);
        book.load(&[level(10, 1), level(9, 1)], &[]);
        assert_eq!(book.apply(Side::Buy, 8, 1), Applied::Beyond);
        assert_eq!(book.apply(Side::Buy, 11, 1), Applied::Overflowed);
        let prices: Vec<_> = book.best(Side::Buy).map(|l| l.price).collect();
        assert_eq!(prices, [11, 10]);
        assert_eq!(book.overflows(), 2);
    }

    #[test]
    fn a_book_that_is_told_whole_is_the_same_in_any_order_and_counts_what_it_drops() {
        let bids: Vec<_> = (1..=20).rev().map(|price| level(price, 7)).collect();
        let asks: Vec<_> = (21..=40).map(|price| level(price, 7)).collect();
        let mut in_order = L2Book::new(15);
        in_order.load(&bids, &asks);
        let reversed = |levels: &[Level]| levels.iter().rev().copied().collect::<Vec<_>>();
        let mut worst_first = L2Book::new(15);
        worst_first.load(&reversed(&bids), &reversed(&asks));
        for book in [&in_order, &worst_first] {
            assert!(book.best(Side::Buy).eq(&bids[..15]) && book.best(Side::Sell).eq(&asks[..15]));
            assert_eq!(book.overflows(), 10);
        }
    }

    #[test]
    fn equal_prices_cross_and_an_empty_side_does_not() {
        let mut book = L2Book::new(8);
        book.apply(Side::Buy, 10, 1);
        assert!(!book.crossed());
        book.apply(Side::Sell, 11, 1);
        assert!(!book.crossed());
        book.apply(Side::Buy, 11, 1);
        assert!(book.crossed());
    }

    #[test]
    fn the_digest_is_over_normalised_numbers() {
        let mut book = L2Book::new(8);
        book.load(&[level(150, 100_000)], &[level(10_000, 50_000)]);
        // What sha256sum says of "b1.5:1\na100:0.5\n".
        let expected = "8f69013954500429b9501d4480504684df9b3ac55e9ef8ffe6fa2fa0565bb449";
        assert_eq!(book.digest(Scales { price: 2, qty: 5 }), expected);
    }

    proptest! {
        #[test]
        fn equals_a_map_with_the_same_bound(
            changes in prop::collection::vec((any::<bool>(), 1_i64..40, 0_i64..4), 0..300),
            levels_max in 1_usize..20,
        ) {
            let mut book = L2Book::new(levels_max);
            let mut bids = BTreeMap::new();
            let mut asks = BTreeMap::new();
            for (buy, price, qty) in changes {
                let (side, map) = if buy { (Side::Buy, &mut bids) } else { (Side::Sell, &mut asks) };
                book.apply(side, price, qty);
                // The model: a sorted map whose key grows with the distance from the best.
                let key = if buy { -price } else { price };
                if qty == 0 { map.remove(&key); } else { map.insert(key, level(price, qty)); }
                if map.len() > levels_max { map.pop_last(); }
            }
            prop_assert!(book.best(Side::Buy).eq(bids.values()));
            prop_assert!(book.best(Side::Sell).eq(asks.values()));
        }
    }
}
