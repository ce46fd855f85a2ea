//! The last prices of every instrument at every venue, as its sessions heard them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use super::price_range::PriceRange;
use crate::event::{
    BookState, BookStatus, BookStatusReason, Event, EventKind, Instrument, InstrumentId, Payload,
    Side, StreamState, VenueId,
};

/// The last prices of one instrument at one venue.
#[derive(Debug, Default)]
struct MarkCell {
    /// Best bid; 0 when there is none.
    bid: AtomicI64,
    ask: AtomicI64,
    last_trade: AtomicI64,
    /// When the newest of them was read, ns of the engine's clock.
    at_ns: AtomicU64,
    /// Market kinds that were heard, a bit each: see [`bit`].
    heard: AtomicU8,
    /// Codes of the book's status and of the reason for it; 0 before it was told.
    book_status: AtomicU8,
    book_reason: AtomicU8,
    book_since_ns: AtomicU64,
    range: PriceRange,
}

/// The bit of a market kind; 0 of any other.
const fn bit(kind: EventKind) -> u8 {
    match kind {
        EventKind::Quote => 1,
        EventKind::Trade => 2,
        EventKind::Book => 4,
        EventKind::Bar => 8,
        EventKind::MarkPrice => 16,
        _ => 0,
    }
}

/// A reading of one instrument's last prices; a price of 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastPrices {
    pub(crate) bid: i64,
    pub(crate) ask: i64,
    pub(crate) last_trade: i64,
    pub(crate) at_ns: u64,
}

/// Last prices by venue and instrument. Each venue's market session writes its own.
#[derive(Debug, Default)]
pub struct Marks {
    cells: Box<[MarkCell]>,
    instruments: usize,
}

impl Marks {
    /// Room for the prices of so many instruments at so many venues.
    #[must_use]
    pub fn new(instruments: usize, venues: usize) -> Arc<Marks> {
        let cells = (0..instruments * venues).map(|_| MarkCell::default()).collect();
        Arc::new(Marks { cells, instruments })
    }

    /// Takes the prices of a market event; any other is passed over.
    #[inline]
    pub fn take(&self, event: &Event) {
        let bit = event.kind().map_or(0, bit);
        if bit != 0 {
            self.take_prices(event, bit);
        } else if let Some(state) = event.get::<BookState>() {
            self.take_state(event, state);
        } else {
            self.take_rest(event);
        }
    }

    /// What the venue says of the instrument, or of a stream of it.
    #[cold]
    fn take_rest(&self, event: &Event) {
        let Some(cell) = self.cell(event.venue_id(), event.instrument_id()) else { return };
        if let Some(word) = event.get::<Instrument>() {
            cell.range.learn(word);
        } else if event.get::<StreamState>().is_some() {
            cell.range.restart();
        }
    }

    /// The lowest and the highest price at which the venue may take an order of this side; `None`
    /// where it sets no range, or nothing sure is known of its average.
    #[inline]
    pub(crate) fn price_range(
        &self,
        (venue, instrument): (VenueId, InstrumentId),
        side: Side,
        now_ns: u64,
    ) -> Option<(i64, i64)> {
        let range = &self.cell(venue, instrument)?.range;
        if range.is_set() { range.of(side, now_ns) } else { None }
    }

    #[cold]
    fn take_state(&self, event: &Event, state: &BookState) {
        let Some(cell) = self.cell(event.venue_id(), event.instrument_id()) else { return };
        cell.book_reason.store(state.reason_code, Ordering::Relaxed);
        cell.book_since_ns.store(event.receive_ns, Ordering::Relaxed);
        cell.book_status.store(state.status_code, Ordering::Relaxed);
        if state.status_code != BookStatus::Live.code() {
            cell.range.restart();
        }
    }

    /// Whether the book can be trusted, why that changed last, and when; `None` before it was told.
    pub(crate) fn book(
        &self,
        venue: VenueId,
        instrument: InstrumentId,
    ) -> Option<(BookStatus, BookStatusReason, u64)> {
        let cell = self.cell(venue, instrument)?;
        let status = BookStatus::from_code(cell.book_status.load(Ordering::Relaxed))?;
        let reason = BookStatusReason::from_code(cell.book_reason.load(Ordering::Relaxed))?;
        Some((status, reason, cell.book_since_ns.load(Ordering::Relaxed)))
    }

    #[inline]
    fn take_prices(&self, event: &Event, bit: u8) {
        let Some(cell) = self.cell(event.venue_id(), event.instrument_id()) else { return };
        let heard = cell.heard.load(Ordering::Relaxed);
        if heard & bit == 0 {
            // A venue's sessions may be on several threads.
            cell.heard.fetch_or(bit, Ordering::Relaxed);
        }
        let top = |bid: Option<i64>, ask: Option<i64>| {
            cell.bid.store(bid.unwrap_or_default(), Ordering::Relaxed);
            cell.ask.store(ask.unwrap_or_default(), Ordering::Relaxed);
        };
        match event.payload() {
            Some(Payload::Quote(quote)) => {
                top(quote.bid().map(|price| price.0), quote.ask().map(|price| price.0));
            }
            Some(Payload::Book(book)) => top(
                (event.bid_levels > 0).then(|| book.bids[0].price),
                (event.ask_levels > 0).then(|| book.asks[0].price),
            ),
            Some(Payload::Trade(trade)) => {
                cell.last_trade.store(trade.last_price, Ordering::Relaxed);
            }
            _ => return,
        }
        cell.at_ns.store(event.receive_ns, Ordering::Relaxed);
        if cell.range.is_set() {
            let (low, high) = match event.payload() {
                Some(Payload::Trade(trade)) => (trade.last_price, trade.last_price),
                _ => (cell.bid.load(Ordering::Relaxed), cell.ask.load(Ordering::Relaxed)),
            };
            cell.range.take(low, high, event.receive_ns);
        }
    }

    fn cell(&self, venue: VenueId, instrument: InstrumentId) -> Option<&MarkCell> {
        let is_known = instrument.index() < self.instruments;
        self.cells.get(venue.index() * self.instruments + instrument.index()).filter(|_| is_known)
    }

    /// Whether an event of this market kind was ever heard of the instrument from the venue.
    pub(crate) fn has_heard(
        &self,
        venue: VenueId,
        instrument: InstrumentId,
        kind: EventKind,
    ) -> bool {
        let cell = self.cell(venue, instrument);
        cell.is_some_and(|cell| cell.heard.load(Ordering::Relaxed) & bit(kind) != 0)
    }

    /// The last prices heard.
    #[inline]
    pub(crate) fn read(&self, venue: VenueId, instrument: InstrumentId) -> LastPrices {
        let Some(cell) = self.cell(venue, instrument) else { return LastPrices::default() };
        LastPrices {
            bid: cell.bid.load(Ordering::Relaxed),
            ask: cell.ask.load(Ordering::Relaxed),
            last_trade: cell.last_trade.load(Ordering::Relaxed),
            at_ns: cell.at_ns.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Price, Qty, Quote, Side, Trade};

    #[test]
    fn each_venue_has_its_own_prices_and_an_empty_side_is_none() {
        let marks = Marks::new(2, 2);
        let take = |mut event: Event, venue: u16, at_ns: u64| {
            (event.venue, event.instrument, event.receive_ns) = (venue, 1, at_ns);
            marks.take(&event);
        };
        let quote = Quote { bid_price: 7, bid_qty: 1, ask_price: 9, ask_qty: 0 };
        take(Event::new(&quote), 1, 5);
        take(Event::new(&Trade::single(Price(8), Qty(1), Side::Buy)), 1, 6);
        take(Event::new(&quote), 7, 5);
        let read = |venue| marks.read(VenueId(venue), InstrumentId(1));
        assert_eq!(read(1), LastPrices { bid: 7, ask: 0, last_trade: 8, at_ns: 6 });
        let heard = |kind| marks.has_heard(VenueId(1), InstrumentId(1), kind);
        assert!(heard(EventKind::Quote) && heard(EventKind::Trade) && !heard(EventKind::Book));
        assert_eq!((read(0), read(9)), (LastPrices::default(), LastPrices::default()));
    }
}
