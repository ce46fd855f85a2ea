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
use super::feed_books::FeedBooks;
use super::market_decode::{DIFF_LEVELS_MAX, MarketDecoder, MarketMessage};
use super::publisher::{Origin, Publisher};
use super::silence::{SilenceLimits, SilenceWatch};
use super::snapshot::Snapshot;
use super::snapshot_pacer::SnapshotPace;
use crate::event::{BookStatus, BookStatusReason, EventKind, InstrumentId, VenueId};
use crate::runtime::Clock;
use crate::venue::book::{BookSyncCounters, BookSyncOptions, L2Book, SnapshotOutcome};
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
    books: FeedBooks,
    publisher: Publisher,
    watch: SilenceWatch,
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
        MarketFeed {
            books: FeedBooks::new(
                &options.symbols,
                &limits,
                options.snapshot_pace,
                options.publish_books,
            ),
            decoder: MarketDecoder::new(options.symbols, options.frame_bytes_max),
            publisher: Publisher { venue: options.venue, clock, stats },
            watch: SilenceWatch::new(options.silence),
        }
    }

    /// The connection is open and subscribed: silence is measured from now on.
    pub fn on_connected(&mut self, now_ns: u64) {
        self.watch.start(now_ns);
        self.books.start(now_ns);
    }

    /// The connection is gone: no book can be trusted until a new snapshot joins the new stream.
    pub fn on_disconnected(&mut self, outlet: &mut impl EventOutlet) {
        self.watch.stop();
        self.books.distrust_all(BookStatusReason::Disconnected);
        self.books.announce_all(&mut self.publisher, outlet);
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
        let MarketFeed { decoder, books, publisher, watch } = self;
        publisher.stats.frames();
        let message = match decoder.decode(raw) {
            Ok(message) => message,
            Err(error) => return self.refuse(error, raw, outlet),
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
                publisher.publish(&quote, origin(symbol, update_id, venue_time_ns), outlet);
            }
            MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade } => {
                watch.heard(EventKind::Trade, receive_ns);
                publisher.publish(&trade, origin(symbol, trade_id, venue_time_ns), outlet);
            }
            MarketMessage::Bar { symbol, venue_time_ns, bar } => {
                watch.heard(EventKind::Bar, receive_ns);
                // Bars have no number of their own; 0 says so.
                publisher.publish(&bar, origin(symbol, 0, venue_time_ns), outlet);
            }
            MarketMessage::Depth { symbol, diff } => {
                watch.heard(EventKind::Book, receive_ns);
                let origin = origin(symbol, diff.final_update_id, diff.venue_time_ns);
                books.on_diff(publisher, symbol.slot, &diff, origin, outlet);
            }
            MarketMessage::Reply { id, error } => {
                publisher.stats.control();
                return FrameOutcome::Reply { id, error };
            }
            MarketMessage::Shutdown => {
                publisher.stats.control();
                return FrameOutcome::Shutdown;
            }
        }
        publisher.stats.decoded();
        FrameOutcome::Decoded
    }

    /// The instrument whose snapshot is to be requested now, if any. Call it until it gives `None`.
    pub fn next_snapshot_request(&mut self, now_ns: u64) -> Option<InstrumentId> {
        let instrument = self.books.next_snapshot_request(now_ns)?;
        self.publisher.stats.snapshots();
        Some(instrument)
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
        self.books.on_snapshot(&mut self.publisher, symbol, snapshot, now_ns, outlet)
    }

    /// A request for a snapshot failed; it is asked for again by the pace.
    pub fn on_snapshot_failed(&mut self, instrument: InstrumentId, _now_ns: u64) {
        if let Some(symbol) = self.decoder.symbols().symbol(instrument) {
            self.books.settled(symbol.slot);
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
            self.books.check_silence(now_ns, &self.watch);
        }
        self.books.announce_all(&mut self.publisher, outlet);
        self.watch.dead(now_ns)
    }

    /// Every book with its instrument and status, in the order of the configuration.
    pub fn books(&self) -> impl Iterator<Item = (InstrumentId, &L2Book, BookStatus)> {
        self.books.iter()
    }

    /// The counters of every book, in the order of the configuration.
    pub fn book_counters(&self) -> impl Iterator<Item = (InstrumentId, BookSyncCounters)> {
        self.books.counters()
    }

    /// The symbols subscribed to.
    #[must_use]
    pub fn symbols(&self) -> &SymbolMap {
        self.decoder.symbols()
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
        if let Some(symbol) = error.book.and_then(|book| self.decoder.symbols().symbol(book)) {
            self.books.distrust(symbol.slot, BookStatusReason::Corrupt);
            self.books.announce_all(&mut self.publisher, outlet);
        }
        FrameOutcome::Refused
    }
}
