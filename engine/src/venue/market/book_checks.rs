//! Live books held against quotes, trades and fresh snapshots (LM-07).

use super::books::{BookSlot, FeedBooks};
use super::doubt::Sign;
use super::plausible::is_near;
use super::stamper::{Origin, Stamper};
use crate::event::{BookStatus, BookStatusReason, InstrumentId, Quote};
use crate::venue::book::CheckOutcome;
use crate::venue::protocol::{Snapshot, WholeBook};
use crate::venue::{EventOutlet, Symbol};

impl BookSlot {
    /// The best prices of a live book, 0 for an empty side.
    #[inline]
    fn best(&self) -> Option<(i64, i64)> {
        (self.sync.status() == BookStatus::Live).then(|| self.sync.book().best_prices())
    }
}

impl FeedBooks {
    /// A quote of the instrument was read.
    #[inline]
    pub(super) fn quoted(&mut self, index: usize, quote: &Quote, now_ns: u64) {
        let Some(slot) = self.books.get_mut(index) else { return };
        slot.last_price = quote.bid_price.max(quote.ask_price);
        let best = (quote.bid_price, quote.ask_price);
        let Some(book) = slot.best() else { return slot.doubt.quoted_alone(best) };
        if let Some(sign) = slot.doubt.quoted(best, book, now_ns) {
            self.raise(index, sign);
        }
    }

    /// A trade of the instrument was read.
    #[inline]
    pub(super) fn traded(&mut self, index: usize, price: i64, now_ns: u64) {
        let Some(slot) = self.books.get_mut(index) else { return };
        slot.last_price = price;
        if slot.sync.status() == BookStatus::Live
            && let Some(sign) = slot.doubt.traded(now_ns)
        {
            self.raise(index, sign);
        }
    }

    /// A live book is doubted: it is asked for. Where the stream tells books whole, it is left
    /// until the stream has told it again.
    #[cold]
    fn raise(&mut self, index: usize, sign: Sign) {
        let slot = &mut self.books[index];
        if !self.is_in_band {
            if self.refresh.doubt(index) {
                self.doubted = Some((slot.instrument, sign));
            }
            return;
        }
        // A book that its venue's checksums confirm is not doubted for what quotes say.
        if self.refresh.is_off() || slot.sync.counters().checksums > 0 {
            return;
        }
        slot.doubted_at = Some((sign, slot.sync.book().best_prices()));
        self.doubted = Some((slot.instrument, sign));
        self.distrust(index, BookStatusReason::Differs);
    }

    /// Holds a live book against what the stream, which was asked for it, tells in its place.
    #[cold]
    pub(super) fn hold_against_whole(
        &mut self,
        stamper: &mut Stamper,
        index: usize,
        book: &WholeBook<'_>,
        origin: Origin,
        outlet: &mut impl EventOutlet,
    ) {
        self.refresh.settled();
        let slot = &mut self.books[index];
        let venues = (book.last_update_id, book.bids, book.asks);
        if let CheckOutcome::Differs(difference) = slot.sync.check_whole(&mut self.board, venues) {
            stamper.stats.differing();
            self.difference = Some((slot.instrument, difference));
            slot.sync.distrust(BookStatusReason::Differs);
            self.mark(index);
            self.announce(stamper, index, origin, outlet);
        }
    }

    /// The stream has told a book whole that was doubted. What it had then is in the past: with the
    /// prices of the quotes it was wrong, and is not any more; with those that it had it was right,
    /// and the quotes are not; with others nothing can be said.
    #[cold]
    pub(super) fn told_again(&mut self, index: usize, now_ns: u64) {
        let slot = &mut self.books[index];
        let Some((sign, had)) = slot.doubted_at.take() else { return };
        let has = slot.sync.book().best_prices();
        let is_venues = match sign {
            Sign::Trades => Some(has == had),
            Sign::Quotes if slot.doubt.quote() == Some(has) => Some(false),
            Sign::Quotes => (has == had).then_some(true),
        };
        if slot.doubt.answered(is_venues, now_ns) == Some(Sign::Quotes) {
            self.wrong_quotes = Some(slot.instrument);
        }
    }

    /// A book that is doubted, and why; told once.
    #[inline]
    pub(super) fn take_doubted(&mut self) -> Option<(InstrumentId, Sign)> {
        self.doubted.take()
    }

    /// The live book that is to be held against a fresh snapshot now, if any.
    #[inline]
    pub(super) fn next_refresh(&mut self, now_ns: u64) -> Option<(InstrumentId, bool)> {
        let books = &self.books;
        let is_live = |slot: usize| books[slot].sync.status() == BookStatus::Live;
        let index = self.refresh.next(now_ns, is_live)?;
        let slot = &mut self.books[index];
        if !self.is_in_band {
            slot.sync.begin_check();
        }
        let is_doubted = self.refresh.asked(index).is_some_and(|asked| asked.is_doubted);
        Some((slot.instrument, is_doubted))
    }

    /// Holds a live book against a snapshot that was asked for. `Ahead`: the snapshot is to be
    /// handed over again, in a later duty cycle. With the sign that turned out to be wrong.
    pub(super) fn on_refresh(
        &mut self,
        stamper: &mut Stamper,
        symbol: Symbol,
        snapshot: &Snapshot,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> (CheckOutcome, Option<Sign>) {
        let index = symbol.slot;
        if self.refresh.asked(index).is_none() {
            return (CheckOutcome::Unclear, None);
        }
        let slot = &mut self.books[index];
        let venues = (snapshot.last_update_id, &*snapshot.bids, &*snapshot.asks);
        let mut outcome = match is_near(snapshot, slot.last_price) {
            true => slot.sync.check(&mut self.board, venues, false),
            false => CheckOutcome::Unclear,
        };
        if outcome == CheckOutcome::Ahead {
            if !self.refresh.waits(now_ns) {
                return (outcome, None);
            }
            outcome = slot.sync.check(&mut self.board, venues, true);
        }
        let is_venues = match outcome {
            CheckOutcome::Agrees => Some(true),
            CheckOutcome::Differs(_) => Some(false),
            CheckOutcome::Ahead | CheckOutcome::Unclear => None,
        };
        let wrong = slot.doubt.answered(is_venues, now_ns);
        slot.sync.end_check();
        self.refresh.settled();
        if is_venues == Some(false) {
            stamper.stats.differing();
            self.distrust(index, BookStatusReason::Differs);
            self.announce(
                stamper,
                index,
                Origin::of_no_frame(symbol.instrument, now_ns, stamper),
                outlet,
            );
        }
        (outcome, wrong)
    }

    /// The snapshot that a live book was to be held against could not be had.
    pub(super) fn refresh_failed(&mut self, index: usize, now_ns: u64) {
        if self.refresh.asked(index).is_some() {
            self.refresh.settled();
            self.books[index].sync.end_check();
            self.books[index].doubt.answered(None, now_ns);
        }
    }

    /// A live book has changed.
    #[inline]
    pub(super) fn changed(&mut self, index: usize, now_ns: u64) {
        let slot = &mut self.books[index];
        if let Some(book) = slot.best()
            && let Some(sign) = slot.doubt.changed(book, now_ns)
        {
            self.raise(index, sign);
        }
    }
}
