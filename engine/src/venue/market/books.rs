//! The books of one connection, and the word on whether they can be trusted.
//!
//! Promises: nothing of a book is published while it isn't live, and its status goes out ahead of
//! it. A status that finds no room is kept; only the latest of each book, since it replaces the
//! earlier ones.

use std::collections::VecDeque;

use super::doubt::{Doubt, Sign};
use super::overlap::Overlap;
use super::pacing::{SnapshotPace, SnapshotPacer};
use super::plausible::is_near;
use super::refresh::{Refresh, RefreshPace};
use super::stamper::{Origin, Stamper};
use crate::event::{BookState, BookStatus, BookStatusReason, InstrumentId};
use crate::venue::book::{
    BookRule, BookSync, BookSyncCounters, BookSyncOptions, CheckBoard, Diff, DiffOutcome,
    Difference, L2Book, SnapshotOutcome,
};
use crate::venue::protocol::{BookChecksum, MarketProtocol, Snapshot, SnapshotFrom, WholeBook};
use crate::venue::{EventOutlet, Scales, Symbol, SymbolMap};

/// A book whose stream says nothing but what is in it already is where the stream never comes to: a
/// snapshot or a diff had an absurd number. A repeat, or what a snapshot overtook, is behind it by
/// less than this, ns.
const STUCK_NS: u64 = 2_000_000_000;

/// How a protocol tells its books.
#[derive(Clone, Copy)]
pub(super) struct BookTelling {
    rule: BookRule,
    is_in_band: bool,
    checksum: Option<BookChecksum>,
}

impl BookTelling {
    pub(super) fn of<P: MarketProtocol>() -> BookTelling {
        let is_in_band = matches!(P::SNAPSHOT, SnapshotFrom::InBand);
        BookTelling { rule: P::BOOK_RULE, is_in_band, checksum: P::CHECKSUM }
    }
}

/// The books of one connection, by the symbol's slot.
pub(super) struct FeedBooks {
    pub(super) books: Vec<BookSlot>,
    checksum: Option<BookChecksum>,
    pacer: SnapshotPacer,
    pub(super) refresh: Refresh,
    pub(super) board: CheckBoard,
    /// A book that is doubted, and why: nobody has been told yet.
    pub(super) doubted: Option<(InstrumentId, Sign)>,
    /// Books whose status may wait for room, each once.
    unannounced: VecDeque<usize>,
    /// The stream tells books whole, and again once it is asked to.
    pub(super) is_in_band: bool,
    /// A book that was not what the stream told in its place: nobody has been told yet.
    pub(super) difference: Option<(InstrumentId, Difference)>,
    /// An instrument whose quotes are not those of its book, which the stream has told again:
    /// nobody has been told yet.
    pub(super) wrong_quotes: Option<InstrumentId>,
    /// Books of a connection that took over which are further than what was told.
    pub(super) untold: VecDeque<usize>,
    publish_books: bool,
    /// A side of this book was full, and a level had to go: nobody has been told yet.
    overflowed: Option<InstrumentId>,
    is_overflow_told: bool,
}

pub(super) struct BookSlot {
    pub(super) instrument: InstrumentId,
    scales: Scales,
    pub(super) sync: BookSync,
    /// When a diff last brought the book, or what is kept of its stream, further.
    heard_ns: u64,
    /// The last price of the instrument on this connection; 0 before the first.
    pub(super) last_price: i64,
    pub(super) doubt: Doubt,
    /// Why it was doubted, and the best prices that it had then, until it is told again.
    pub(super) doubted_at: Option<(Sign, (i64, i64))>,
    /// The venue's time of the book as it was told whole last, ns.
    pub(super) whole_ns: i64,
    /// The connection before was further: nothing is published before this place; 0: all is.
    pub(super) held_until: i64,
    is_unannounced: bool,
    /// It is among those whose status may wait for room.
    is_listed: bool,
}

impl FeedBooks {
    pub(super) fn new(
        symbols: &SymbolMap,
        telling: Option<BookTelling>,
        limits: &BookSyncOptions,
        (pace, refresh): (SnapshotPace, RefreshPace),
        publish_books: bool,
    ) -> FeedBooks {
        let slot = |symbol: Symbol, telling: BookTelling| BookSlot {
            instrument: symbol.instrument,
            scales: symbol.scales,
            sync: match telling.is_in_band {
                true => BookSync::in_band(telling.rule, limits),
                false => BookSync::new(telling.rule, limits),
            },
            heard_ns: 0,
            last_price: 0,
            doubt: Doubt::default(),
            doubted_at: None,
            whole_ns: 0,
            held_until: 0,
            is_unannounced: false,
            is_listed: false,
        };
        let all = |telling| symbols.iter().map(|(_, symbol)| slot(symbol, telling)).collect();
        let books: Vec<_> = telling.map_or_else(Vec::new, all);
        let refresh = match telling {
            Some(telling) if telling.is_in_band => refresh.in_band(telling.checksum.is_some()),
            _ => refresh,
        };
        FeedBooks {
            pacer: SnapshotPacer::new(pace, books.len()),
            refresh: Refresh::new(refresh, books.len()),
            board: CheckBoard::default(),
            untold: VecDeque::new(),
            is_in_band: telling.is_some_and(|telling| telling.is_in_band),
            difference: None,
            wrong_quotes: None,
            doubted: None,
            books,
            checksum: telling.and_then(|telling| telling.checksum),
            unannounced: VecDeque::with_capacity(symbols.len()),
            publish_books,
            overflowed: None,
            is_overflow_told: false,
        }
    }

    /// Silence of each book is measured from now on.
    pub(super) fn start(&mut self, now_ns: u64) {
        self.refresh.start(now_ns);
        for slot in &mut self.books {
            slot.heard_ns = now_ns;
            slot.doubt.restart();
            slot.doubted_at = None;
        }
    }

    /// The instrument whose snapshot is to be requested now, if any.
    pub(super) fn next_snapshot_request(&mut self, now_ns: u64) -> Option<InstrumentId> {
        if self.pacer.is_idle() {
            return None;
        }
        let books = &self.books;
        let index = self.pacer.next(now_ns, |index| books[index].sync.wants_snapshot())?;
        Some(books[index].instrument)
    }

    #[cfg(test)]
    pub(super) fn looks_for_snapshots(&self) -> u64 {
        self.pacer.looks()
    }

    /// A book may want a snapshot now.
    #[inline]
    pub(super) fn look_whether_wanted(&mut self, index: usize) {
        if self.books[index].sync.wants_snapshot() {
            self.pacer.want(index);
        }
    }

    /// The snapshot requested for this slot failed.
    pub(super) fn failed(&mut self, slot: usize) {
        self.pacer.failed(slot);
        self.look_whether_wanted(slot);
    }

    /// The venue refused to tell this book again. Of a live one it may send nothing any more.
    pub(super) fn refused(&mut self, slot: usize) {
        if self.refresh.asked(slot).is_some() {
            self.refresh.settled();
            self.distrust(slot, BookStatusReason::Gap);
        }
        self.failed(slot);
    }

    /// The first book that had to drop a level since its sides are full; told once.
    pub(super) fn take_overflowed(&mut self) -> Option<InstrumentId> {
        self.overflowed.take()
    }

    /// The stream of a book is silent for too long: a live book is stale, and whoever waits for one
    /// is told that it still is not.
    pub(super) fn silent(&mut self, index: usize) {
        let Some(slot) = self.books.get_mut(index) else { return };
        if slot.sync.silent() || slot.sync.status() == BookStatus::Syncing {
            self.mark(index);
        }
    }

    /// Distrusts every book.
    pub(super) fn distrust_all(&mut self, reason: BookStatusReason) {
        if reason == BookStatusReason::Disconnected {
            self.refresh.stop();
            self.untold.clear();
            self.books.iter_mut().for_each(|slot| slot.held_until = 0);
        }
        for index in 0..self.books.len() {
            self.distrust(index, reason);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (InstrumentId, &L2Book, BookStatus)> {
        self.books.iter().map(|slot| (slot.instrument, slot.sync.book(), slot.sync.status()))
    }

    pub(super) fn counters(&self) -> impl Iterator<Item = (InstrumentId, BookSyncCounters)> {
        self.books.iter().map(|slot| (slot.instrument, slot.sync.counters()))
    }

    /// Takes a book that the stream tells whole.
    pub(super) fn on_whole(
        &mut self,
        stamper: &mut Stamper,
        index: usize,
        book: &WholeBook<'_>,
        origin: Origin,
        outlet: &mut impl EventOutlet,
    ) {
        if self.refresh.asked(index).is_some() {
            self.hold_against_whole(stamper, index, book, origin, outlet);
        }
        let Some(slot) = self.books.get_mut(index) else { return };
        let was = slot.sync.status();
        let mut outcome = slot.sync.on_whole(book.last_update_id, book.bids, book.asks);
        (slot.heard_ns, slot.whole_ns) = (origin.receive_ns, origin.venue_time_ns);
        if self.pacer.settled(index) {
            stamper.stats.snapshots_answered();
        }
        if let Some(told) = book.checksum
            && outcome == SnapshotOutcome::Joined
            && !self.agrees(index, told)
        {
            stamper.stats.mismatches();
            outcome = SnapshotOutcome::Mismatch;
        }
        if outcome == SnapshotOutcome::Joined && self.books[index].doubted_at.is_some() {
            self.told_again(index, origin.receive_ns);
        }
        self.look_whether_wanted(index);
        if outcome != SnapshotOutcome::Joined || was != BookStatus::Live {
            self.mark(index);
        }
        self.announce(stamper, index, origin, outlet);
        if outcome == SnapshotOutcome::Joined {
            self.publish_book(stamper, index, origin, outlet);
        }
        self.note_overflow(index);
    }

    /// Notes the first book that had to drop a level.
    #[inline]
    fn note_overflow(&mut self, index: usize) {
        let slot = &self.books[index];
        if !self.is_overflow_told && slot.sync.book().overflows() > 0 {
            (self.overflowed, self.is_overflow_told) = (Some(slot.instrument), true);
        }
    }

    /// Whether a book is the venue's, by the checksum that the venue told; one that is not is
    /// distrusted.
    #[inline]
    fn agrees(&mut self, index: usize, told: u32) -> bool {
        let Some(checksum) = self.checksum else { return true };
        let slot = &mut self.books[index];
        let agrees = checksum(slot.sync.book(), slot.scales) == told;
        slot.sync.checked(agrees);
        agrees
    }

    /// Takes a diff; whether it brought the book, or what is kept of its stream, further.
    #[inline]
    pub(super) fn on_diff(
        &mut self,
        stamper: &mut Stamper,
        index: usize,
        diff: &Diff<'_>,
        (origin, overlap): (Origin, Overlap),
        outlet: &mut impl EventOutlet,
    ) -> bool {
        let Some(slot) = self.books.get_mut(index) else { return false };
        let was = slot.sync.status();
        let mut outcome = match overlap.is_shared() {
            false => slot.sync.on_diff(diff),
            true => slot.sync.on_diff_beside(diff, overlap.waits()),
        };
        if outcome == DiffOutcome::Old && overlap.is_shared() {
            stamper.stats.repeats();
            return false;
        }
        if outcome != DiffOutcome::Old {
            slot.heard_ns = origin.receive_ns;
        } else if origin.receive_ns.saturating_sub(slot.heard_ns) > STUCK_NS {
            slot.heard_ns = origin.receive_ns;
            outcome = slot.sync.restart(diff);
        }
        if let (Some(told), DiffOutcome::Applied) = (diff.checksum, outcome)
            && !self.agrees(index, told)
        {
            outcome = DiffOutcome::Mismatch;
        }
        match outcome {
            DiffOutcome::Applied => {
                if was != BookStatus::Live {
                    self.mark(index);
                }
                self.announce(stamper, index, origin, outlet);
                self.publish_book(stamper, index, origin, outlet);
                self.changed(index, origin.receive_ns);
                self.note_overflow(index);
            }
            DiffOutcome::Buffered | DiffOutcome::Early => self.look_whether_wanted(index),
            DiffOutcome::Old => {}
            DiffOutcome::Gap | DiffOutcome::Crossed | DiffOutcome::Mismatch => {
                match self.books[index].sync.reason() {
                    BookStatusReason::Gap => stamper.stats.gaps(),
                    BookStatusReason::Checksum => stamper.stats.mismatches(),
                    _ => {}
                }
                self.look_whether_wanted(index);
                self.mark(index);
                self.announce(stamper, index, origin, outlet);
            }
        }
        outcome != DiffOutcome::Old
    }

    /// Takes a snapshot that a book waits for.
    pub(super) fn on_snapshot(
        &mut self,
        stamper: &mut Stamper,
        symbol: Symbol,
        snapshot: &Snapshot,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> SnapshotOutcome {
        let slot = &mut self.books[symbol.slot];
        let outcome = match is_near(snapshot, slot.last_price) {
            true => slot.sync.on_snapshot(snapshot.last_update_id, &snapshot.bids, &snapshot.asks),
            false => SnapshotOutcome::Implausible,
        };
        match outcome {
            SnapshotOutcome::Implausible | SnapshotOutcome::Crossed => {
                self.pacer.failed(symbol.slot);
            }
            _ => {
                self.pacer.settled(symbol.slot);
            }
        }
        self.look_whether_wanted(symbol.slot);
        let slot = &mut self.books[symbol.slot];
        let origin = Origin {
            instrument: symbol.instrument,
            sequence: slot.sync.last_update_id(),
            venue_time_ns: slot.sync.last_applied_ns(),
            receive_ns: now_ns,
            trace_id: stamper.trace_id,
            renumbered: 0,
        };
        match outcome {
            SnapshotOutcome::Joined => {
                slot.heard_ns = now_ns;
                self.mark(symbol.slot);
                self.announce(stamper, symbol.slot, origin, outlet);
                self.publish_book(stamper, symbol.slot, origin, outlet);
            }
            SnapshotOutcome::Crossed | SnapshotOutcome::Mismatch => {
                self.mark(symbol.slot);
                self.announce(stamper, symbol.slot, origin, outlet);
            }
            SnapshotOutcome::Ahead => slot.heard_ns = now_ns,
            SnapshotOutcome::Implausible => stamper.stats.implausible(),
            SnapshotOutcome::TooOld | SnapshotOutcome::NotNeeded => {}
        }
        outcome
    }

    /// Distrusts a book and notes that the word is to be published, unless it never was trusted.
    pub(super) fn distrust(&mut self, index: usize, reason: BookStatusReason) {
        let Some(slot) = self.books.get_mut(index) else { return };
        let was = slot.sync.status();
        slot.sync.distrust(reason);
        self.look_whether_wanted(index);
        if was != BookStatus::Syncing {
            self.mark(index);
        }
    }

    /// Distrusts the book of an instrument.
    pub(super) fn distrust_of(&mut self, instrument: InstrumentId, reason: BookStatusReason) {
        if let Some(index) = self.books.iter().position(|slot| slot.instrument == instrument) {
            self.distrust(index, reason);
        }
    }

    /// Notes that the status of a book is to be published.
    pub(super) fn mark(&mut self, index: usize) {
        let slot = &mut self.books[index];
        slot.is_unannounced = true;
        if !std::mem::replace(&mut slot.is_listed, true) {
            self.unannounced.push_back(index);
        }
    }

    /// Publishes a book's status if it is to be published.
    #[inline]
    pub(super) fn announce(
        &mut self,
        stamper: &mut Stamper,
        index: usize,
        origin: Origin,
        outlet: &mut impl EventOutlet,
    ) {
        let slot = &mut self.books[index];
        if !std::mem::replace(&mut slot.is_unannounced, false) {
            return;
        }
        let state = BookState {
            status_code: slot.sync.status().code(),
            reason_code: slot.sync.reason().code(),
            reserved: [0; 6],
        };
        stamper.publish(&state, origin, outlet);
    }

    /// Publishes every status that is to be published, as long as there is room.
    #[inline]
    pub(super) fn announce_all(&mut self, stamper: &mut Stamper, outlet: &mut impl EventOutlet) {
        while let Some(index) = self.unannounced.front().copied() {
            let slot = &mut self.books[index];
            if slot.is_unannounced {
                if outlet.room() == 0 {
                    return;
                }
                let now_ns = stamper.clock.now_ns();
                let origin = Origin::of_no_frame(slot.instrument, now_ns, stamper);
                self.announce(stamper, index, origin, outlet);
            }
            self.books[index].is_listed = false;
            self.unannounced.pop_front();
        }
    }

    #[inline]
    pub(super) fn publish_book(
        &mut self,
        stamper: &mut Stamper,
        index: usize,
        origin: Origin,
        outlet: &mut impl EventOutlet,
    ) {
        let slot = &mut self.books[index];
        if !self.publish_books || slot.held_until != 0 && slot.is_held(&origin) {
            return;
        }
        let (book, bid_levels, ask_levels) = slot.sync.book().top();
        stamper.publish_with(&book, origin, outlet, |event| {
            (event.bid_levels, event.ask_levels) = (bid_levels, ask_levels);
        });
    }
}
