//! One market data connection's worth of state: decoder, books, and what is published of both.
//!
//! Promises: every frame is counted once as decoded, control or refused, and a refused one is a dead
//! letter; nothing of a book is published while it isn't live, and the word that it isn't goes out ahead
//! of anything later of it; a status that finds no room is kept (the latest of each book) and goes out
//! with the next call. Does not own a socket, a thread or a clock's source; its agent drives it and asks
//! [`MarketFeed::next_snapshot_request`] each duty cycle.

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::error::DecodeError;
use super::market_decode::{DIFF_LEVELS_MAX, MarketDecoder, MarketMessage};
use super::silence::{SilenceLimits, SilenceWatch};
use super::snapshot::Snapshot;
use super::snapshot_pacer::{SnapshotPace, SnapshotPacer};
use crate::event::{
    BookState, BookStatus, BookStatusReason, Event, EventKind, EventPayload, InstrumentId, VenueId,
};
use crate::runtime::Clock;
use crate::venue::book::{
    BookSync, BookSyncCounters, BookSyncOptions, Diff, DiffOutcome, L2Book, SequenceRule,
    SnapshotOutcome,
};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, Symbol, SymbolMap};

/// Most events one frame gives: a book's status and the book.
pub const EVENTS_PER_FRAME_MAX: usize = 2;

/// What a [`MarketFeed`] is made with.
#[derive(Clone, Debug)]
pub struct MarketFeedOptions {
    /// The venue's number.
    pub venue: VenueId,
    /// The symbols subscribed to.
    pub symbols: SymbolMap,
    /// Levels a side of a book.
    pub book_levels_max: usize,
    /// Diffs kept a book while it waits for a snapshot.
    pub buffered_diffs_max: usize,
    /// Levels kept a book in those diffs.
    pub buffered_levels_max: usize,
    /// Whether books are published. They are assembled in any case.
    pub publish_books: bool,
    /// Largest frame, bytes.
    pub frame_bytes_max: usize,
    /// How often snapshots may be asked for.
    pub snapshot_pace: SnapshotPace,
    /// Silence after which data counts as dead.
    pub silence: SilenceLimits,
}

impl MarketFeedOptions {
    /// The usual limits.
    #[must_use]
    pub fn new(venue: VenueId, symbols: SymbolMap) -> MarketFeedOptions {
        MarketFeedOptions {
            venue,
            symbols,
            book_levels_max: L2Book::LEVELS_MAX_DEFAULT,
            // The venue sends ten diffs a second: 50 s of waiting, 30 levels each.
            buffered_diffs_max: 512,
            buffered_levels_max: 16_384,
            publish_books: true,
            frame_bytes_max: 1024 * 1024,
            snapshot_pace: SnapshotPace::default(),
            silence: SilenceLimits::default(),
        }
    }
}

/// What a frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameOutcome {
    /// Market data. It was published, or it went into a book that isn't live yet.
    Decoded,
    /// Answer to a request on this connection.
    Reply {
        /// The request's number.
        id: u64,
        /// The venue's error code; `None` = done.
        error: Option<i32>,
    },
    /// The server will close this connection soon: reconnect.
    Shutdown,
    /// Could not be decoded; kept as a dead letter.
    Refused,
}

/// Decoder, books and publishing of one connection.
pub struct MarketFeed {
    decoder: MarketDecoder,
    books: Books,
    watch: SilenceWatch,
}

/// All but the decoder, so that a message may borrow the decoder while it is published.
struct Books {
    publisher: Publisher,
    books: Vec<BookSlot>,
    pacer: SnapshotPacer,
    /// Books whose status waits for room.
    unannounced: usize,
    publish_books: bool,
}

struct BookSlot {
    instrument: InstrumentId,
    sync: BookSync,
    heard_ns: u64,
    is_unannounced: bool,
}

struct Publisher {
    venue: VenueId,
    clock: Clock,
    stats: Arc<CachePadded<IntakeStats>>,
}

/// Where an event comes from.
#[derive(Clone, Copy)]
struct Origin {
    instrument: InstrumentId,
    sequence: u64,
    venue_time_ns: i64,
    receive_ns: u64,
    trace_id: u64,
}

impl MarketFeed {
    /// A feed that isn't connected yet. Everything is allocated here.
    #[must_use]
    pub fn new(
        options: MarketFeedOptions,
        clock: Clock,
        stats: Arc<CachePadded<IntakeStats>>,
    ) -> MarketFeed {
        let limits = BookSyncOptions {
            levels_max: options.book_levels_max,
            buffered_diffs_max: options.buffered_diffs_max.max(1),
            // At least one diff fits, whatever it holds.
            buffered_levels_max: options.buffered_levels_max.max(2 * DIFF_LEVELS_MAX),
        };
        let slot = |(_, symbol): (&str, Symbol)| BookSlot {
            instrument: symbol.instrument,
            sync: BookSync::new(SequenceRule::BinanceSpot, &limits),
            heard_ns: 0,
            is_unannounced: false,
        };
        let books: Vec<_> = options.symbols.iter().map(slot).collect();
        MarketFeed {
            decoder: MarketDecoder::new(options.symbols, options.frame_bytes_max),
            watch: SilenceWatch::new(options.silence),
            books: Books {
                publisher: Publisher { venue: options.venue, clock, stats },
                pacer: SnapshotPacer::new(options.snapshot_pace, books.len()),
                books,
                unannounced: 0,
                publish_books: options.publish_books,
            },
        }
    }

    /// The connection is open and subscribed: silence is measured from now on.
    pub fn on_connected(&mut self, now_ns: u64) {
        self.watch.start(now_ns);
        for slot in &mut self.books.books {
            slot.heard_ns = now_ns;
        }
    }

    /// The connection is gone: no book can be trusted until a new snapshot joins the new stream.
    pub fn on_disconnected(&mut self, outlet: &mut impl EventOutlet) {
        self.watch.stop();
        for index in 0..self.books.books.len() {
            self.books.distrust(index, BookStatusReason::Disconnected);
        }
        self.books.announce_all(outlet);
    }

    /// Takes one whole frame that was read at `receive_ns` (the engine's clock). The caller made sure of
    /// room for [`EVENTS_PER_FRAME_MAX`] events.
    #[inline]
    pub fn on_frame(
        &mut self,
        raw: &[u8],
        receive_ns: u64,
        trace_id: u64,
        outlet: &mut impl EventOutlet,
    ) -> FrameOutcome {
        let MarketFeed { decoder, books, watch } = self;
        books.publisher.stats.frames();
        let message = match decoder.decode(raw) {
            Ok(message) => message,
            Err(error) => return books.refuse(error, raw, outlet),
        };
        let origin = |symbol: Symbol, sequence, venue_time_ns| Origin {
            instrument: symbol.instrument,
            sequence,
            venue_time_ns,
            receive_ns,
            trace_id,
        };
        match message {
            MarketMessage::Quote { symbol, update_id, venue_time_ns, quote } => {
                watch.heard(EventKind::Quote, receive_ns);
                books.publisher.publish(&quote, origin(symbol, update_id, venue_time_ns), outlet);
            }
            MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade } => {
                watch.heard(EventKind::Trade, receive_ns);
                books.publisher.publish(&trade, origin(symbol, trade_id, venue_time_ns), outlet);
            }
            MarketMessage::Bar { symbol, venue_time_ns, bar } => {
                watch.heard(EventKind::Bar, receive_ns);
                // Bars have no number of their own; 0 says so.
                books.publisher.publish(&bar, origin(symbol, 0, venue_time_ns), outlet);
            }
            MarketMessage::Depth { symbol, diff } => {
                watch.heard(EventKind::Book, receive_ns);
                let origin = origin(symbol, diff.final_update_id, diff.venue_time_ns);
                books.on_diff(symbol.slot, &diff, origin, outlet);
            }
            MarketMessage::Reply { id, error } => {
                books.publisher.stats.control();
                return FrameOutcome::Reply { id, error };
            }
            MarketMessage::Shutdown => {
                books.publisher.stats.control();
                return FrameOutcome::Shutdown;
            }
        }
        books.publisher.stats.decoded();
        FrameOutcome::Decoded
    }

    /// The instrument whose snapshot is to be requested now, if any. Call it until it gives `None`.
    pub fn next_snapshot_request(&mut self, now_ns: u64) -> Option<InstrumentId> {
        let Books { books, pacer, publisher, .. } = &mut self.books;
        let wants = |slot: usize| books[slot].sync.wants_snapshot();
        let slot = pacer.next(now_ns, wants)?;
        publisher.stats.snapshots();
        Some(books[slot].instrument)
    }

    /// Takes a snapshot that was requested. Gives at most [`EVENTS_PER_FRAME_MAX`] events.
    pub fn on_snapshot(
        &mut self,
        snapshot: &Snapshot,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> SnapshotOutcome {
        let Some(symbol) = self.decoder.symbols().symbol(snapshot.instrument) else {
            return SnapshotOutcome::NotNeeded;
        };
        self.books.on_snapshot(symbol, snapshot, now_ns, outlet)
    }

    /// A request for a snapshot failed; it is asked for again by the pace.
    pub fn on_snapshot_failed(&mut self, instrument: InstrumentId, _now_ns: u64) {
        if let Some(symbol) = self.decoder.symbols().symbol(instrument) {
            self.books.pacer.settled(symbol.slot);
        }
    }

    /// Looks for silence: a live book that heard nothing for too long becomes stale (published), and a
    /// kind of data that is dead as a whole is returned: then the connection is to be given up. Also
    /// publishes what found no room before. Cheap; call it each duty cycle.
    pub fn check_silence(
        &mut self,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> Option<EventKind> {
        if self.watch.is_due(now_ns) {
            let limit_ns = self.watch.book_limit_ns();
            for index in 0..self.books.books.len() {
                let slot = &mut self.books.books[index];
                let silent_ns = now_ns.saturating_sub(slot.heard_ns);
                if limit_ns.is_some_and(|limit_ns| silent_ns > limit_ns) && slot.sync.silent() {
                    self.books.mark(index);
                }
            }
        }
        self.books.announce_all(outlet);
        self.watch.dead(now_ns)
    }

    /// Every book with its instrument and status, in the order of the configuration.
    pub fn books(&self) -> impl Iterator<Item = (InstrumentId, &L2Book, BookStatus)> {
        self.books.books.iter().map(|slot| (slot.instrument, slot.sync.book(), slot.sync.status()))
    }

    /// The counters of every book, in the order of the configuration.
    pub fn book_counters(&self) -> impl Iterator<Item = (InstrumentId, BookSyncCounters)> {
        self.books.books.iter().map(|slot| (slot.instrument, slot.sync.counters()))
    }

    /// The symbols subscribed to.
    #[must_use]
    pub fn symbols(&self) -> &SymbolMap {
        self.decoder.symbols()
    }
}

impl Books {
    #[inline]
    fn on_diff(
        &mut self,
        index: usize,
        diff: &Diff<'_>,
        origin: Origin,
        outlet: &mut impl EventOutlet,
    ) {
        let slot = &mut self.books[index];
        slot.heard_ns = origin.receive_ns;
        let was = slot.sync.status();
        match slot.sync.on_diff(diff) {
            DiffOutcome::Applied => {
                if was != BookStatus::Live {
                    self.mark(index);
                }
                self.announce(index, origin, outlet);
                self.publish_book(index, origin, outlet);
            }
            DiffOutcome::Buffered | DiffOutcome::Old => {}
            DiffOutcome::Gap | DiffOutcome::Crossed => {
                if self.books[index].sync.reason() == BookStatusReason::Gap {
                    self.publisher.stats.gaps();
                }
                self.mark(index);
                self.announce(index, origin, outlet);
            }
        }
    }

    fn on_snapshot(
        &mut self,
        symbol: Symbol,
        snapshot: &Snapshot,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> SnapshotOutcome {
        self.pacer.settled(symbol.slot);
        let slot = &mut self.books[symbol.slot];
        let outcome =
            slot.sync.on_snapshot(snapshot.last_update_id, &snapshot.bids, &snapshot.asks);
        let origin = Origin {
            instrument: symbol.instrument,
            sequence: slot.sync.last_update_id(),
            venue_time_ns: slot.sync.last_applied_ns(),
            receive_ns: now_ns,
            trace_id: 0,
        };
        match outcome {
            SnapshotOutcome::Joined => {
                slot.heard_ns = now_ns;
                self.mark(symbol.slot);
                self.announce(symbol.slot, origin, outlet);
                self.publish_book(symbol.slot, origin, outlet);
            }
            SnapshotOutcome::Crossed => {
                self.mark(symbol.slot);
                self.announce(symbol.slot, origin, outlet);
            }
            SnapshotOutcome::TooOld | SnapshotOutcome::NotNeeded => {}
        }
        outcome
    }

    #[cold]
    fn refuse(
        &mut self,
        error: DecodeError,
        raw: &[u8],
        outlet: &mut impl EventOutlet,
    ) -> FrameOutcome {
        self.publisher.stats.refused();
        if error.reason == LetterReason::Unknown {
            self.publisher.stats.unknown();
        }
        outlet.dead_letter(error.reason, error.detail, raw);
        if let Some(instrument) = error.book
            && let Some(index) = self.books.iter().position(|slot| slot.instrument == instrument)
        {
            self.distrust(index, BookStatusReason::Corrupt);
            self.announce_all(outlet);
        }
        FrameOutcome::Refused
    }

    /// Distrusts a book and notes that the word is to be published, unless it never was trusted.
    fn distrust(&mut self, index: usize, reason: BookStatusReason) {
        let slot = &mut self.books[index];
        let was = slot.sync.status();
        slot.sync.distrust(reason);
        if was != BookStatus::Syncing {
            self.mark(index);
        }
    }

    /// Notes that the status of a book is to be published.
    fn mark(&mut self, index: usize) {
        if !std::mem::replace(&mut self.books[index].is_unannounced, true) {
            self.unannounced += 1;
        }
    }

    /// Publishes a book's status if it is to be published.
    #[inline]
    fn announce(&mut self, index: usize, origin: Origin, outlet: &mut impl EventOutlet) {
        let slot = &mut self.books[index];
        if !std::mem::replace(&mut slot.is_unannounced, false) {
            return;
        }
        self.unannounced -= 1;
        let state = BookState {
            status_code: slot.sync.status().code(),
            reason_code: slot.sync.reason().code(),
            reserved: [0; 6],
        };
        self.publisher.publish(&state, origin, outlet);
    }

    /// Publishes every status that is to be published, as long as there is room.
    #[inline]
    fn announce_all(&mut self, outlet: &mut impl EventOutlet) {
        if self.unannounced == 0 {
            return;
        }
        for index in 0..self.books.len() {
            if self.books[index].is_unannounced && outlet.room() > 0 {
                let origin = Origin {
                    instrument: self.books[index].instrument,
                    sequence: 0,
                    venue_time_ns: 0,
                    receive_ns: self.publisher.clock.now_ns(),
                    trace_id: 0,
                };
                self.announce(index, origin, outlet);
            }
        }
    }

    #[inline]
    fn publish_book(&mut self, index: usize, origin: Origin, outlet: &mut impl EventOutlet) {
        if !self.publish_books {
            return;
        }
        let (book, bid_levels, ask_levels) = self.books[index].sync.book().top();
        let mut event = self.publisher.event(&book, origin);
        event.bid_levels = bid_levels;
        event.ask_levels = ask_levels;
        self.publisher.send(event, outlet);
    }
}

impl Publisher {
    #[inline]
    fn publish<P: EventPayload>(
        &mut self,
        payload: &P,
        origin: Origin,
        outlet: &mut impl EventOutlet,
    ) {
        let event = self.event(payload, origin);
        self.send(event, outlet);
    }

    #[inline]
    fn event<P: EventPayload>(&self, payload: &P, origin: Origin) -> Event {
        let mut event = Event::new(payload);
        event.venue = self.venue.0;
        event.instrument = origin.instrument.0;
        event.sequence = origin.sequence;
        event.venue_time_ns = origin.venue_time_ns;
        event.receive_ns = origin.receive_ns;
        event.trace_id = origin.trace_id;
        event
    }

    #[inline]
    fn send(&mut self, mut event: Event, outlet: &mut impl EventOutlet) {
        event.stamp_decoded(self.clock.now_ns());
        outlet.publish(&event);
        self.stats.events();
    }
}
