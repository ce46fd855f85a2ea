//! What the next connection of a venue tells whose stream tells books whole, until it takes over:
//! its books are kept up beside the present ones, its quotes, trades and bars wait.
//!
//! Numbers of such books may be those of the connection, so no change of one connection can go
//! into a book of the other. Nothing of it is published here.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::books::{BookTelling, FeedBooks};
use super::intake::FrameOutcome;
use super::overlap::Overlap;
use super::pacing::SnapshotPace;
use super::refresh::RefreshPace;
use super::stamper::{Origin, Stamper};
use crate::event::{BookStatus, BookStatusReason, Event, VenueId};
use crate::runtime::Clock;
use crate::venue::book::BookSyncOptions;
use crate::venue::codec::DecodeError;
use crate::venue::protocol::{MarketMessage, MarketProtocol, MarketSink};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, Symbol, SymbolMap};

/// Messages that wait. Of more the oldest goes; the present connection has told it, unless that
/// one is late by the seconds which so many take.
const KEPT_MAX: usize = 16_384;

/// A quote, a trade or a bar that waits.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) message: MarketMessage<'static>,
    pub(super) receive_ns: u64,
    pub(super) trace_id: u64,
}

/// What a [`NextFeed`] is made with.
#[derive(Clone, Copy)]
pub(super) struct NextFeedOptions {
    pub(super) telling: Option<BookTelling>,
    pub(super) limits: BookSyncOptions,
    pub(super) frame_bytes_max: usize,
}

/// Protocol and books of the next connection, and what waits.
pub(super) struct NextFeed<P> {
    pub(super) protocol: P,
    pub(super) books: FeedBooks,
    pub(super) kept: VecDeque<Kept>,
    /// Messages that went.
    pub(super) left_out: u64,
    stamper: Stamper,
}

impl<P: MarketProtocol> NextFeed<P> {
    /// Allocates what it needs, once: the next change of connections finds it.
    #[cold]
    pub(super) fn new(
        symbols: &SymbolMap,
        options: &NextFeedOptions,
        (venue, clock): (VenueId, Clock),
    ) -> NextFeed<P> {
        // What it counts is that of no connection yet.
        let stats: Arc<CachePadded<IntakeStats>> = IntakeStats::new();
        let never = RefreshPace { every_ns: 0, pause_ns: 0 };
        let paces = (SnapshotPace::default(), never);
        NextFeed {
            protocol: P::new(symbols.clone(), options.frame_bytes_max),
            books: FeedBooks::new(symbols, options.telling, &options.limits, paces, false),
            kept: VecDeque::with_capacity(KEPT_MAX),
            left_out: 0,
            stamper: Stamper { venue, clock, stats, trace_id: 0, epoch: 0 },
        }
    }

    /// A connection is open: nothing of an earlier one counts.
    #[cold]
    pub(super) fn open(&mut self, now_ns: u64) {
        self.protocol.on_open();
        self.books.distrust_all(BookStatusReason::Disconnected);
        self.books.announce_all(&mut self.stamper, &mut Nowhere);
        self.books.start(now_ns);
        self.kept.clear();
        self.left_out = 0;
    }

    /// Takes a frame. `Unfinished`: it is to be handed over again.
    ///
    /// # Errors
    /// What was wrong with it; a book that it was about is not live any more.
    pub(super) fn on_frame(
        &mut self,
        raw: &[u8],
        receive_ns: u64,
        trace_id: u64,
    ) -> Result<FrameOutcome, DecodeError> {
        let NextFeed { protocol, books, kept, left_out, stamper } = self;
        let outcome = FrameOutcome::KeptAlive;
        let mut intake =
            NextIntake { books, kept, left_out, stamper, receive_ns, trace_id, outcome };
        let decoded = protocol.decode(raw, &mut intake);
        let outcome = intake.outcome;
        if protocol.is_unfinished() {
            return Ok(FrameOutcome::Unfinished);
        }
        if let Err(DecodeError { book: Some(instrument), .. }) = decoded {
            books.distrust_of(instrument, BookStatusReason::Corrupt);
        }
        decoded.map(|()| outcome)
    }

    /// Whether every book that is of use in `present` is live here.
    pub(super) fn has_books_of(&self, present: &FeedBooks) -> bool {
        let mut pairs = present.iter().zip(self.books.iter());
        pairs.all(|((.., has), (.., next))| has == BookStatus::Syncing || next == BookStatus::Live)
    }
}

/// Takes one frame of the next connection.
struct NextIntake<'n> {
    books: &'n mut FeedBooks,
    kept: &'n mut VecDeque<Kept>,
    left_out: &'n mut u64,
    stamper: &'n mut Stamper,
    receive_ns: u64,
    trace_id: u64,
    outcome: FrameOutcome,
}

impl NextIntake<'_> {
    fn keep(&mut self, message: MarketMessage<'static>) {
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
            *self.left_out += 1;
        }
        let (receive_ns, trace_id) = (self.receive_ns, self.trace_id);
        self.kept.push_back(Kept { message, receive_ns, trace_id });
    }

    fn origin(&self, symbol: Symbol, sequence: u64, venue_time_ns: i64) -> Origin {
        let origin = Origin::of_no_frame(symbol.instrument, self.receive_ns, self.stamper);
        Origin { sequence, venue_time_ns, ..origin }
    }
}

impl MarketSink for NextIntake<'_> {
    fn take(&mut self, message: MarketMessage<'_>) {
        self.outcome = FrameOutcome::Decoded;
        match message {
            MarketMessage::Quote { symbol, update_id, venue_time_ns, quote } => {
                self.keep(MarketMessage::Quote { symbol, update_id, venue_time_ns, quote });
            }
            MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade } => {
                self.keep(MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade });
            }
            MarketMessage::Bar { symbol, venue_time_ns, bar } => {
                self.keep(MarketMessage::Bar { symbol, venue_time_ns, bar });
            }
            MarketMessage::Mark { symbol, venue_time_ns, mark } => {
                self.keep(MarketMessage::Mark { symbol, venue_time_ns, mark });
            }
            MarketMessage::Depth { symbol, diff } => {
                let origin = self.origin(symbol, diff.final_update_id, diff.venue_time_ns);
                let told = (origin, Overlap::None);
                self.books.on_diff(self.stamper, symbol.slot, &diff, told, &mut Nowhere);
            }
            MarketMessage::Book { symbol, book } => {
                let origin = self.origin(symbol, book.last_update_id, book.venue_time_ns);
                self.books.on_whole(self.stamper, symbol.slot, &book, origin, &mut Nowhere);
            }
            MarketMessage::Gap => self.books.distrust_all(BookStatusReason::Gap),
            MarketMessage::Unchanged { .. } | MarketMessage::KeptAlive => {
                self.outcome = FrameOutcome::KeptAlive;
            }
            MarketMessage::Reply { id, error } => self.outcome = FrameOutcome::Reply { id, error },
            MarketMessage::NextReply { error } => self.outcome = FrameOutcome::NextReply { error },
            MarketMessage::Shutdown => self.outcome = FrameOutcome::Shutdown,
        }
    }
}

/// Takes events that nobody hears.
struct Nowhere;

impl EventOutlet for Nowhere {
    fn room(&mut self) -> usize {
        usize::MAX
    }

    fn publish(&mut self, _event: &Event) {}

    fn publish_with(&mut self, _write: impl FnOnce(&mut Event)) {}

    fn dead_letter(&mut self, _reason: LetterReason, _detail: &'static str, _raw: &[u8]) {}
}
