//! The payload of merged events: one window over several venues, in the shape of the kind it was
//! merged from.
//!
//! A head says who contributed and how far apart; behind it stands what was merged: a [`Quote`], a
//! [`Trade`], a [`MergedBook`] or a [`Bar`], by [`Merged::source`]. A copy moves only what is
//! carried.

use std::fmt;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::{BOOK_DEPTH, Bar, EventKind, Level, PAYLOAD_BYTES, Quote, Trade};

const HEAD_BYTES: usize = 24;
const BODY_BYTES: usize = PAYLOAD_BYTES - HEAD_BYTES;

/// The result of a merge window (LM-05). In the header of its event, `venue` is the number of the
/// merge rule, `sequence` counts the rule's merged events, and times and trace are those of the
/// event that completed the window.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Merged {
    /// Bit n set: venue n contributed.
    pub providers: u64,
    /// Largest difference of the contributions' receive times, ns, saturating at 4.29 s.
    pub skew_ns: u32,
    /// Events that went into it, those that a later one of their venue replaced included.
    pub count: u32,
    /// Venue of the best bid, of a quote or book; 0 where there is no bid.
    pub bid_venue: u16,
    /// Venue of the best ask, of a quote or book; 0 where there is no ask.
    pub ask_venue: u16,
    /// Venue of the latest contribution.
    pub last_venue: u16,
    /// Code of the kind that was merged.
    pub source_code: u8,
    /// Always 0.
    pub reserved: u8,
    body: [u64; BODY_BYTES / 8],
}

const _: () = assert!(size_of::<Merged>() == PAYLOAD_BYTES);
const _: () = assert!(std::mem::offset_of!(Merged, body) == HEAD_BYTES);

/// A book consolidated over several venues: quantities of equal prices are summed.
///
/// So that ten levels a side fit beside the head, a price stands as its distance from the best one,
/// in 48 bits. A level farther away than that (2.8 million quote units at a price scale of 8) is
/// left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MergedBook {
    best_bid: i64,
    best_ask: i64,
    bid_qty: [i64; BOOK_DEPTH],
    ask_qty: [i64; BOOK_DEPTH],
    bid_away_low: [u32; BOOK_DEPTH],
    ask_away_low: [u32; BOOK_DEPTH],
    bid_away_high: [u16; BOOK_DEPTH],
    ask_away_high: [u16; BOOK_DEPTH],
}

/// What can be merged; sealed by the list in this file.
pub trait MergedPayload: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// The kind it was merged from.
    const SOURCE: EventKind;
}

impl MergedPayload for Quote {
    const SOURCE: EventKind = EventKind::Quote;
}
impl MergedPayload for Trade {
    const SOURCE: EventKind = EventKind::Trade;
}
impl MergedPayload for MergedBook {
    const SOURCE: EventKind = EventKind::Book;
}
impl MergedPayload for Bar {
    const SOURCE: EventKind = EventKind::Bar;
}

const _: () = assert!(size_of::<MergedBook>() <= BODY_BYTES && size_of::<Bar>() <= BODY_BYTES);
const _: () = assert!(size_of::<Quote>() <= BODY_BYTES && size_of::<Trade>() <= BODY_BYTES);

impl Merged {
    /// A merged event that carries `body`; everything else of the head is 0.
    #[inline]
    #[must_use]
    pub fn of<P: MergedPayload>(body: &P) -> Merged {
        let mut merged = Merged::new_zeroed();
        *merged.start::<P>() = *body;
        merged
    }

    /// The kind that was merged; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Option<EventKind> {
        EventKind::from_code(self.source_code)
    }

    /// The best bid and offer of all venues; `None` when no quotes were merged. They may cross,
    /// since they are of different venues.
    #[inline]
    #[must_use]
    pub fn quote(&self) -> Option<&Quote> {
        self.body()
    }

    /// The trades of all venues as one; `None` when no trades were merged.
    #[inline]
    #[must_use]
    pub fn trade(&self) -> Option<&Trade> {
        self.body()
    }

    /// The consolidated book; `None` when no books were merged.
    #[inline]
    #[must_use]
    pub fn book(&self) -> Option<&MergedBook> {
        self.body()
    }

    /// The combined bar; `None` when no bars were merged.
    #[inline]
    #[must_use]
    pub fn bar(&self) -> Option<&Bar> {
        self.body()
    }

    /// Number of venues that contributed.
    #[inline]
    #[must_use]
    pub fn provider_count(&self) -> u32 {
        self.providers.count_ones()
    }

    /// Makes it a carrier of `P`, whose present content is to be overwritten.
    #[inline]
    pub(crate) fn start<P: MergedPayload>(&mut self) -> &mut P {
        self.source_code = P::SOURCE.code();
        match P::mut_from_prefix(self.body.as_mut_bytes()) {
            Ok((body, _)) => body,
            Err(_) => unreachable!("a merged payload fits; sizes are asserted"),
        }
    }

    /// Bytes in use: the head and what it carries.
    #[inline]
    pub(super) fn used_bytes(&self) -> usize {
        let body = match self.source() {
            Some(EventKind::Quote) => size_of::<Quote>(),
            Some(EventKind::Trade) => size_of::<Trade>(),
            Some(EventKind::Bar) => size_of::<Bar>(),
            _ => BODY_BYTES,
        };
        HEAD_BYTES + body
    }

    /// This and `newer` as one, when both are of trades (LM-04).
    #[inline]
    pub(super) fn with_later_trades(&self, newer: &Merged) -> Option<Merged> {
        let mut trade = *self.trade()?;
        trade.absorb(newer.trade()?);
        let mut sum = Merged::of(&trade);
        sum.providers = self.providers | newer.providers;
        sum.skew_ns = self.skew_ns.max(newer.skew_ns);
        sum.count = self.count.saturating_add(newer.count);
        sum.last_venue = newer.last_venue;
        Some(sum)
    }

    #[inline]
    fn body<P: MergedPayload>(&self) -> Option<&P> {
        if self.source_code != P::SOURCE.code() {
            return None;
        }
        P::ref_from_prefix(self.body.as_bytes()).ok().map(|(body, _)| body)
    }
}

impl MergedBook {
    /// Bids, highest first.
    pub fn bids(&self) -> impl Iterator<Item = Level> {
        (0..BOOK_DEPTH).map_while(|index| {
            let away = away(self.bid_away_low[index], self.bid_away_high[index]);
            level(self.best_bid.wrapping_sub(away), self.bid_qty[index])
        })
    }

    /// Asks, lowest first.
    pub fn asks(&self) -> impl Iterator<Item = Level> {
        (0..BOOK_DEPTH).map_while(|index| {
            let away = away(self.ask_away_low[index], self.ask_away_high[index]);
            level(self.best_ask.wrapping_add(away), self.ask_qty[index])
        })
    }

    /// Puts the bid at `index` (0 first, then one after the other). False when it is too far away.
    #[inline]
    pub(crate) fn put_bid(&mut self, index: usize, level: Level) -> bool {
        if index == 0 {
            self.best_bid = level.price;
        }
        let Some((low, high)) = parts(self.best_bid, level.price) else { return false };
        (self.bid_away_low[index], self.bid_away_high[index]) = (low, high);
        self.bid_qty[index] = level.qty;
        true
    }

    /// Puts the ask at `index` (0 first, then one after the other). False when it is too far away.
    #[inline]
    pub(crate) fn put_ask(&mut self, index: usize, level: Level) -> bool {
        if index == 0 {
            self.best_ask = level.price;
        }
        let Some((low, high)) = parts(level.price, self.best_ask) else { return false };
        (self.ask_away_low[index], self.ask_away_high[index]) = (low, high);
        self.ask_qty[index] = level.qty;
        true
    }
}

impl Default for MergedBook {
    /// A book without levels.
    fn default() -> MergedBook {
        MergedBook::new_zeroed()
    }
}

impl fmt::Debug for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Merged");
        text.field("providers", &self.providers)
            .field("skew_ns", &self.skew_ns)
            .field("count", &self.count)
            .field("venues", &(self.bid_venue, self.ask_venue, self.last_venue));
        match self.source() {
            Some(EventKind::Quote) => text.field("quote", &self.quote()),
            Some(EventKind::Trade) => text.field("trade", &self.trade()),
            Some(EventKind::Book) => text.field("book", &self.book()),
            Some(EventKind::Bar) => text.field("bar", &self.bar()),
            _ => text.field("source_code", &self.source_code),
        };
        text.finish()
    }
}

/// `higher - lower` in 48 bits.
#[inline]
fn parts(higher: i64, lower: i64) -> Option<(u32, u16)> {
    let away = u64::try_from(higher.checked_sub(lower)?).ok()?;
    Some((away as u32, u16::try_from(away >> 32).ok()?))
}

#[inline]
fn away(low: u32, high: u16) -> i64 {
    i64::from(high) << 32 | i64::from(low)
}

/// A level; `None` behind the last one.
#[inline]
fn level(price: i64, qty: i64) -> Option<Level> {
    (qty != 0).then_some(Level { price, qty })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn a_body_is_read_only_as_what_it_is() {
        let quote = Quote { bid_price: 1, bid_qty: 2, ask_price: 3, ask_qty: 4 };
        let event = Event::new(&Merged::of(&quote));
        let merged = event.get::<Merged>().unwrap();
        assert_eq!((merged.source(), merged.quote()), (Some(EventKind::Quote), Some(&quote)));
        assert!(merged.trade().is_none() && merged.book().is_none() && merged.bar().is_none());
    }

    #[test]
    fn levels_come_back_and_one_too_far_away_is_refused() {
        let mut book = MergedBook::default();
        assert_eq!(book.bids().count() + book.asks().count(), 0);
        let bids = [(5_000_000_000_000, 3), (4_999_999_999_999, 2), (1, 1)];
        for (index, (price, qty)) in bids.into_iter().enumerate() {
            assert!(book.put_bid(index, Level { price, qty }));
        }
        assert!(book.put_ask(0, Level { price: -5, qty: 1 }));
        assert!(book.put_ask(1, Level { price: (1 << 48) - 6, qty: 1 }));
        assert!(!book.put_ask(2, Level { price: (1 << 48) - 5, qty: 1 }));
        assert!(!book.put_ask(2, Level { price: i64::MAX, qty: 1 }));
        let read: Vec<_> = book.bids().map(|level| (level.price, level.qty)).collect();
        assert_eq!(read, bids);
        let read: Vec<_> = book.asks().map(|level| level.price).collect();
        assert_eq!(read, [-5, (1 << 48) - 6]);
    }
}
