//! One market data connection's worth of state: protocol, books, and what is published of both.
//!
//! Promises: every frame is counted once as decoded, control or refused, and a refused one is a
//! dead letter; nothing of a book is published while it isn't live, and the word that it isn't goes
//! out ahead of anything later of it; a status that finds no room is kept (the latest of each book)
//! and goes out with the next call. Does not own a socket, a thread or a clock's source; its agent
//! drives it and asks [`MarketFeed::next_snapshot_request`] each duty cycle.

use std::collections::VecDeque;
use std::sync::Arc;

use arrayvec::ArrayVec;
use crossbeam_utils::CachePadded;

use super::bars::Bars;
use super::books::{BookTelling, FeedBooks};
use super::doubt::Sign;
use super::intake::{BACK_MAX, FrameOutcome, Intake, state_of};
use super::next_feed::{Kept, NextFeed, NextFeedOptions};
use super::overlap::{Mark, Overlap};
use super::pacing::SnapshotPace;
use super::plausible::{Numbers, Times};
use super::refresh::RefreshPace;
use super::silence::{SilenceLimits, SilenceWatch};
use super::stamper::{Origin, Stamper};
use super::streams::{KINDS, Remedy, Silence, Streams};
use super::topics::Stream;
use crate::event::{
    BookStatus, BookStatusReason, EventKind, Instrument, InstrumentId, StreamStatus, VenueId,
};
use crate::runtime::Clock;
use crate::venue::book::{
    BookSyncCounters, BookSyncOptions, CheckOutcome, Difference, L2Book, SnapshotOutcome,
};
use crate::venue::codec::{DIFF_LEVELS_MAX, DecodeError};
use crate::venue::protocol::{MarketProtocol, Snapshot};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, SymbolMap, VenueClock};

/// How often the venue's time is bounded by the stamps that arrive, ns.
const BOUND_NS: u64 = 1_000_000_000;

/// What a [`MarketFeed`] is made with.
#[derive(Clone, Debug)]
pub struct MarketFeedOptions {
    /// The venue's number.
    pub venue: VenueId,
    /// The symbols subscribed to.
    pub symbols: SymbolMap,
    /// Whether diffs of books come on this connection: then every symbol has one.
    pub has_books: bool,
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
    /// How often live books are held against fresh snapshots.
    pub refresh_pace: RefreshPace,
    /// Silence after which data counts as dead.
    pub silence: SilenceLimits,
    /// Bars of whatever interval come on it: what is subscribed to is listed.
    pub has_any_bars: bool,
    /// The venue's time, which is bounded by the stamps that arrive.
    pub venue_clock: Option<VenueClock>,
}

impl MarketFeedOptions {
    /// The usual limits.
    #[must_use]
    pub fn new(venue: VenueId, symbols: SymbolMap) -> MarketFeedOptions {
        MarketFeedOptions {
            venue,
            symbols,
            has_books: true,
            book_levels_max: L2Book::LEVELS_MAX_DEFAULT,
            // The venue sends ten diffs a second: 50 s of waiting, 30 levels each.
            buffered_diffs_max: 512,
            buffered_levels_max: 16_384,
            publish_books: true,
            frame_bytes_max: 1024 * 1024,
            snapshot_pace: SnapshotPace::default(),
            refresh_pace: RefreshPace::default(),
            silence: SilenceLimits::default(),
            has_any_bars: false,
            venue_clock: None,
        }
    }
}

/// Protocol, books and publishing of one connection.
pub struct MarketFeed<P> {
    pub(super) protocol: P,
    pub(super) symbols: SymbolMap,
    pub(super) books: FeedBooks,
    pub(super) stamper: Stamper,
    watch: SilenceWatch,
    streams: Streams,
    /// By the places of the streams.
    pub(super) numbers: Box<[Numbers]>,
    /// By the slots of the symbols.
    bars: Box<[Bars]>,
    interval_s: Option<u32>,
    times: Times,
    venue_clock: Option<VenueClock>,
    next_bound_ns: u64,
    /// Streams that are heard again, to be said.
    back: ArrayVec<Stream, BACK_MAX>,
    wrong_quotes: Option<InstrumentId>,
    /// Which of two connections the frames come from.
    pub(super) overlap: Overlap,
    /// What the connection before had told of each stream; empty before the first of a take-over.
    pub(super) marks: Vec<Mark>,
    /// What waits of a connection that took over.
    pub(super) kept: VecDeque<Kept>,
    /// Where streams tell books whole: the feed of the next connection, once there has been one.
    pub(super) next: Option<Box<NextFeed<P>>>,
    pub(super) next_options: NextFeedOptions,
}

impl<P: MarketProtocol> MarketFeed<P> {
    /// A feed that isn't connected yet. Everything is allocated here.
    #[must_use]
    pub fn new(
        options: MarketFeedOptions,
        clock: Clock,
        stats: Arc<CachePadded<IntakeStats>>,
    ) -> MarketFeed<P> {
        let limits = BookSyncOptions {
            levels_max: options.book_levels_max,
            depth: P::BOOK_DEPTH,
            buffered_diffs_max: options.buffered_diffs_max.max(1),
            // At least one diff fits, whatever it holds.
            buffered_levels_max: options.buffered_levels_max.max(2 * DIFF_LEVELS_MAX),
        };
        let symbols = options.symbols.len();
        let telling = options.has_books.then(BookTelling::of::<P>);
        let frame_bytes_max = options.frame_bytes_max;
        MarketFeed {
            books: FeedBooks::new(
                &options.symbols,
                telling,
                &limits,
                (options.snapshot_pace, options.refresh_pace),
                options.publish_books,
            ),
            protocol: P::new(options.symbols.clone(), options.frame_bytes_max),
            symbols: options.symbols,
            stamper: Stamper { venue: options.venue, clock, stats, trace_id: 0, epoch: 0 },
            watch: SilenceWatch::new(options.silence),
            streams: Streams::new(symbols, options.silence.stream_ns),
            numbers: vec![Numbers::default(); symbols * KINDS.len()].into(),
            bars: vec![Bars::default(); symbols].into(),
            interval_s: (!options.has_any_bars).then_some(P::BAR_INTERVAL_S),
            times: Times::default(),
            venue_clock: options.venue_clock,
            next_bound_ns: 0,
            back: ArrayVec::new(),
            wrong_quotes: None,
            overlap: Overlap::None,
            marks: Vec::new(),
            kept: VecDeque::new(),
            next: None,
            next_options: NextFeedOptions { telling, limits, frame_bytes_max },
        }
    }

    /// The connection is open and subscribed: silence is measured from now on.
    pub fn on_connected(&mut self, now_ns: u64) {
        self.protocol.on_open();
        self.stamper.epoch = self.stamper.epoch.wrapping_add(1);
        self.watch.start(now_ns);
        self.books.start(now_ns);
        self.streams.connected(now_ns);
        self.numbers.iter_mut().for_each(Numbers::restart);
    }

    /// The connection is gone: no book can be trusted until a new snapshot joins the new stream.
    pub fn on_disconnected(&mut self, outlet: &mut impl EventOutlet) {
        self.watch.stop();
        self.kept.clear();
        self.streams.disconnected();
        self.books.distrust_all(BookStatusReason::Disconnected);
        self.books.announce_all(&mut self.stamper, outlet);
    }

    /// Takes one whole frame that was read at `receive_ns` (the engine's clock). The caller made
    /// sure of room for [`MarketProtocol::EVENTS_MAX`] events. `Unfinished`: the same frame is to
    /// be handed over again, in a later duty cycle and before any other.
    #[inline]
    pub fn on_frame(
        &mut self,
        raw: &[u8],
        receive_ns: u64,
        trace_id: u64,
        outlet: &mut impl EventOutlet,
    ) -> FrameOutcome {
        self.stamper.trace_id = trace_id;
        let decode = |protocol: &mut P, intake: &mut Intake<'_, _>| {
            let decoded = protocol.decode(raw, intake);
            (decoded, intake.outcome, intake.refused, intake.is_untimely)
        };
        let (decoded, outcome, refused, is_untimely) = self.with_intake(receive_ns, outlet, decode);
        if self.protocol.is_unfinished() {
            // What was left out of this part is not known any more at the frame's end.
            if let Some(error) = refused {
                self.stamper.stats.implausible();
                outlet.dead_letter(error.reason, error.detail, raw);
            }
            return FrameOutcome::Unfinished;
        }
        self.stamper.stats.frames();
        let decoded = decoded.and_then(|()| refused.map_or(Ok(()), Err));
        if refused.is_some() || is_untimely {
            self.stamper.stats.implausible();
        }
        if is_untimely {
            outlet.dead_letter(LetterReason::Nonsense, "time far from the one before", raw);
        }
        match (decoded, outcome) {
            (Ok(()), FrameOutcome::Decoded) => self.stamper.stats.decoded(),
            (Ok(()), _) => self.stamper.stats.control(),
            (Err(error), _) => return self.refuse(error, raw, outlet),
        }
        outcome
    }

    /// Has `run` take messages that were read at `receive_ns`.
    #[inline]
    pub(super) fn with_intake<O: EventOutlet, R>(
        &mut self,
        receive_ns: u64,
        outlet: &mut O,
        run: impl FnOnce(&mut P, &mut Intake<'_, O>) -> R,
    ) -> R {
        let MarketFeed { protocol, books, stamper, watch, streams, numbers, times, back, .. } =
            self;
        let (bars, interval_s) = (&mut self.bars, self.interval_s);
        let mut intake = Intake {
            books,
            stamper,
            watch,
            streams,
            numbers,
            bars,
            interval_s,
            times,
            back,
            outlet,
            receive_ns,
            outcome: FrameOutcome::KeptAlive,
            refused: None,
            is_untimely: false,
            overlap: self.overlap,
            marks: &self.marks,
        };
        run(protocol, &mut intake)
    }

    /// The instrument whose snapshot is to be requested now, if any. Call it until it gives `None`.
    pub fn next_snapshot_request(&mut self, now_ns: u64) -> Option<InstrumentId> {
        let instrument = self.books.next_snapshot_request(now_ns)?;
        self.stamper.stats.snapshots();
        Some(instrument)
    }

    /// Takes a snapshot that was requested. Gives at most [`MarketProtocol::EVENTS_MAX`] events.
    pub fn on_snapshot(
        &mut self,
        snapshot: &Snapshot,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> SnapshotOutcome {
        let Some(symbol) = self.symbols.symbol(snapshot.instrument) else {
            return SnapshotOutcome::NotNeeded;
        };
        self.books.on_snapshot(&mut self.stamper, symbol, snapshot, now_ns, outlet)
    }

    /// Publishes what the venue says of an instrument, under a trace of its own: it comes by no
    /// frame. The caller made sure of room for one event.
    pub(super) fn on_instrument(
        &mut self,
        (instrument, now_ns, trace_id): (InstrumentId, u64, u64),
        data: &Instrument,
        outlet: &mut impl EventOutlet,
    ) {
        let origin = Origin::of_no_frame(instrument, now_ns, &self.stamper);
        self.stamper.publish(data, Origin { trace_id, ..origin }, outlet);
    }

    /// The instrument whose live book is to be held against a fresh snapshot now, if any: it is to
    /// be handed to [`MarketFeed::on_refresh`].
    #[inline]
    pub fn next_refresh(&mut self, now_ns: u64) -> Option<InstrumentId> {
        let (instrument, is_doubted) = self.books.next_refresh(now_ns)?;
        self.stamper.stats.refreshes();
        if is_doubted {
            self.stamper.stats.doubted();
        }
        Some(instrument)
    }

    /// Holds a live book against a fresh snapshot. Gives at most one event. `Ahead`: hand it over
    /// again, in a later duty cycle.
    pub fn on_refresh(
        &mut self,
        snapshot: &Snapshot,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> CheckOutcome {
        let Some(symbol) = self.symbols.symbol(snapshot.instrument) else {
            return CheckOutcome::Unclear;
        };
        let (outcome, wrong) =
            self.books.on_refresh(&mut self.stamper, symbol, snapshot, now_ns, outlet);
        if wrong == Some(Sign::Quotes) {
            self.wrong_quotes = Some(snapshot.instrument);
        }
        outcome
    }

    /// A snapshot that a live book was to be held against could not be had.
    pub fn on_refresh_failed(&mut self, instrument: InstrumentId, now_ns: u64) {
        if let Some(symbol) = self.symbols.symbol(instrument) {
            self.books.refresh_failed(symbol.slot, now_ns);
        }
    }

    /// A live book that is doubted, and why; told once.
    #[inline]
    pub(super) fn take_doubted(&mut self) -> Option<(InstrumentId, Sign)> {
        self.books.take_doubted()
    }

    /// A book that was not what the stream told in its place; told once.
    #[inline]
    pub(super) fn take_difference(&mut self) -> Option<(InstrumentId, Difference)> {
        self.books.difference.take()
    }

    /// An instrument whose quotes are not those of its book, which is the venue's; told once.
    pub(super) fn take_wrong_quotes(&mut self) -> Option<InstrumentId> {
        self.wrong_quotes.take().or_else(|| self.books.wrong_quotes.take())
    }

    /// A request for a snapshot failed; it is asked for again by the pace.
    pub fn on_snapshot_failed(&mut self, instrument: InstrumentId, _now_ns: u64) {
        if let Some(symbol) = self.symbols.symbol(instrument) {
            self.books.failed(symbol.slot);
        }
    }

    /// The venue refused to tell the book in this slot again; it is asked again by the pace.
    pub(super) fn on_book_refused(&mut self, slot: usize) {
        if slot < self.symbols.len() {
            self.books.refused(slot);
        }
    }

    /// The stream is subscribed to: silence of it is measured from now on.
    pub(super) fn expect(&mut self, (instrument, kind): Stream, now_ns: u64) {
        let symbol = self.symbols.symbol(instrument);
        if let Some(place) = symbol.and_then(|symbol| Streams::place(symbol.slot, kind)) {
            self.streams.expect(place, now_ns);
        }
    }

    /// Nothing was read since the link was full: silence until now says nothing.
    pub(super) fn excuse(&mut self, now_ns: u64) {
        self.streams.excuse(now_ns);
    }

    /// When a stream is to be looked at next, ns.
    #[inline]
    pub(super) fn streams_due_ns(&self) -> u64 {
        self.streams.due_ns()
    }

    /// The next stream that is silent for too long; its subscribers are told, once. Call it until
    /// it gives none.
    pub(super) fn next_silent(
        &mut self,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> Option<(Stream, u64, Remedy, bool)> {
        let has_room = outlet.room() >= P::EVENTS_MAX;
        let Silence { slot, kind, silent_ns, is_new, remedy } =
            self.streams.next_silent(now_ns, has_room)?;
        let symbol = self.symbols.at(slot)?;
        if is_new && kind == EventKind::Book {
            self.books.silent(slot);
            self.books.announce_all(&mut self.stamper, outlet);
        } else if is_new {
            let state = state_of(kind, StreamStatus::Stale, silent_ns);
            let origin = Origin::of_no_frame(symbol.instrument, now_ns, &self.stamper);
            self.stamper.publish(&state, origin, outlet);
        }
        if is_new {
            self.stamper.stats.stale();
        }
        Some(((symbol.instrument, kind), silent_ns, remedy, is_new))
    }

    /// The first book that had to drop a level since its sides are full; told once.
    pub(super) fn take_overflowed(&mut self) -> Option<InstrumentId> {
        self.books.take_overflowed()
    }

    /// A stream that was told as stale and is heard again.
    #[inline]
    pub(super) fn next_back(&mut self) -> Option<Stream> {
        self.back.pop()
    }

    /// Looks for a kind of data that is dead as a whole: then the connection is to be given up.
    /// Also publishes what found no room before. Cheap; call it each duty cycle.
    pub fn check_silence(
        &mut self,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> Option<EventKind> {
        self.books.announce_all(&mut self.stamper, outlet);
        if now_ns >= self.next_bound_ns {
            self.next_bound_ns = now_ns + BOUND_NS;
            if let (Some(clock), Some((time_ns, read_ns))) = (&self.venue_clock, self.times.last())
            {
                clock.heard(read_ns, time_ns);
            }
        }
        self.watch.dead(now_ns)
    }

    /// Symbols that were looked at for whether they want a snapshot.
    #[cfg(test)]
    fn looks_for_snapshots(&self) -> u64 {
        self.books.looks_for_snapshots()
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
        &self.symbols
    }

    #[cold]
    fn refuse(
        &mut self,
        error: DecodeError,
        raw: &[u8],
        outlet: &mut impl EventOutlet,
    ) -> FrameOutcome {
        self.stamper.stats.refused();
        if error.reason == LetterReason::Unknown {
            self.stamper.stats.unknown();
        }
        outlet.dead_letter(error.reason, error.detail, raw);
        if let Some(symbol) = error.book.and_then(|book| self.symbols.symbol(book)) {
            self.books.distrust(symbol.slot, BookStatusReason::Corrupt);
            self.books.announce_all(&mut self.stamper, outlet);
        }
        FrameOutcome::Refused
    }
}

#[cfg(test)]
mod fault_table_tests;
#[cfg(test)]
mod in_band_tests;
#[cfg(test)]
mod tests;
