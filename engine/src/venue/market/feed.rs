//! One market data connection's worth of state: protocol, books, and what is published of both.
//!
//! Promises: every frame is counted once as decoded, control or refused, and a refused one is a
//! dead letter; nothing of a book is published while it isn't live, and the word that it isn't goes
//! out ahead of anything later of it; a status that finds no room is kept (the latest of each book)
//! and goes out with the next call. Does not own a socket, a thread or a clock's source; its agent
//! drives it and asks [`MarketFeed::next_snapshot_request`] each duty cycle.

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::books::{BookTelling, FeedBooks};
use super::pacing::SnapshotPace;
use super::silence::{SilenceLimits, SilenceWatch};
use super::stamper::{Origin, Stamper};
use crate::event::{BookStatus, BookStatusReason, EventKind, InstrumentId, VenueId};
use crate::runtime::Clock;
use crate::venue::book::{BookSyncCounters, BookSyncOptions, L2Book, SnapshotOutcome};
use crate::venue::codec::{DIFF_LEVELS_MAX, DecodeError};
use crate::venue::protocol::{MarketMessage, MarketProtocol, MarketSink, Snapshot};
use crate::venue::{EventOutlet, IntakeStats, LetterReason, Symbol, SymbolMap};

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
            has_books: true,
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
    /// Nothing but a sign of life.
    KeptAlive,
    /// Could not be decoded; kept as a dead letter.
    Refused,
}

/// Protocol, books and publishing of one connection.
pub struct MarketFeed<P> {
    protocol: P,
    symbols: SymbolMap,
    books: FeedBooks,
    stamper: Stamper,
    watch: SilenceWatch,
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
            buffered_diffs_max: options.buffered_diffs_max.max(1),
            // At least one diff fits, whatever it holds.
            buffered_levels_max: options.buffered_levels_max.max(2 * DIFF_LEVELS_MAX),
        };
        MarketFeed {
            books: FeedBooks::new(
                &options.symbols,
                options.has_books.then(BookTelling::of::<P>),
                &limits,
                options.snapshot_pace,
                options.publish_books,
            ),
            protocol: P::new(options.symbols.clone(), options.frame_bytes_max),
            symbols: options.symbols,
            stamper: Stamper { venue: options.venue, clock, stats, trace_id: 0, epoch: 0 },
            watch: SilenceWatch::new(options.silence),
        }
    }

    /// The connection is open and subscribed: silence is measured from now on.
    pub fn on_connected(&mut self, now_ns: u64) {
        self.protocol.on_open();
        self.stamper.epoch = self.stamper.epoch.wrapping_add(1);
        self.watch.start(now_ns);
        self.books.start(now_ns);
    }

    /// The connection is gone: no book can be trusted until a new snapshot joins the new stream.
    pub fn on_disconnected(&mut self, outlet: &mut impl EventOutlet) {
        self.watch.stop();
        self.books.distrust_all(BookStatusReason::Disconnected);
        self.books.announce_all(&mut self.stamper, outlet);
    }

    /// Takes one whole frame that was read at `receive_ns` (the engine's clock). The caller made
    /// sure of room for [`MarketProtocol::EVENTS_MAX`] events.
    #[inline]
    pub fn on_frame(
        &mut self,
        raw: &[u8],
        receive_ns: u64,
        trace_id: u64,
        outlet: &mut impl EventOutlet,
    ) -> FrameOutcome {
        let MarketFeed { protocol, books, stamper, watch, .. } = self;
        stamper.stats.frames();
        stamper.trace_id = trace_id;
        let outcome = FrameOutcome::KeptAlive;
        let mut intake = Intake { books, stamper, watch, outlet, receive_ns, outcome };
        let decoded = protocol.decode(raw, &mut intake);
        let outcome = intake.outcome;
        match (decoded, outcome) {
            (Ok(()), FrameOutcome::Decoded) => self.stamper.stats.decoded(),
            (Ok(()), _) => self.stamper.stats.control(),
            (Err(error), _) => return self.refuse(error, raw, outlet),
        }
        outcome
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

    /// A request for a snapshot failed; it is asked for again by the pace.
    pub fn on_snapshot_failed(&mut self, instrument: InstrumentId, _now_ns: u64) {
        if let Some(symbol) = self.symbols.symbol(instrument) {
            self.books.settled(symbol.slot);
        }
    }

    /// The venue refused to tell the book in this slot again; it is asked again by the pace.
    pub(super) fn on_book_refused(&mut self, slot: usize) {
        if slot < self.symbols.len() {
            self.books.settled(slot);
        }
    }

    /// Looks for silence: a live book that heard nothing for too long becomes stale (published),
    /// and a kind of data that is dead as a whole is returned: then the connection is to be given
    /// up. Also publishes what found no room before. Cheap; call it each duty cycle.
    pub fn check_silence(
        &mut self,
        now_ns: u64,
        outlet: &mut impl EventOutlet,
    ) -> Option<EventKind> {
        if self.watch.is_due(now_ns) {
            self.books.check_silence(now_ns, &self.watch);
        }
        self.books.announce_all(&mut self.stamper, outlet);
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

/// Where the messages of one frame go.
struct Intake<'f, O> {
    books: &'f mut FeedBooks,
    stamper: &'f mut Stamper,
    watch: &'f mut SilenceWatch,
    outlet: &'f mut O,
    receive_ns: u64,
    outcome: FrameOutcome,
}

impl<O: EventOutlet> Intake<'_, O> {
    #[inline]
    fn origin(&self, symbol: Symbol, sequence: u64, venue_time_ns: i64) -> Origin {
        Origin {
            instrument: symbol.instrument,
            sequence,
            venue_time_ns,
            receive_ns: self.receive_ns,
            trace_id: self.stamper.trace_id,
        }
    }
}

impl<O: EventOutlet> MarketSink for Intake<'_, O> {
    #[inline]
    fn take(&mut self, message: MarketMessage<'_>) {
        self.outcome = FrameOutcome::Decoded;
        match message {
            MarketMessage::Quote { symbol, update_id, venue_time_ns, quote } => {
                self.watch.heard(EventKind::Quote, self.receive_ns);
                let origin = self.origin(symbol, update_id, venue_time_ns);
                self.stamper.publish(&quote, origin, self.outlet);
            }
            MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade } => {
                self.watch.heard(EventKind::Trade, self.receive_ns);
                let origin = self.origin(symbol, trade_id, venue_time_ns);
                self.stamper.publish(&trade, origin, self.outlet);
            }
            MarketMessage::Bar { symbol, venue_time_ns, bar } => {
                self.watch.heard(EventKind::Bar, self.receive_ns);
                // Bars have no number of their own; 0 says so.
                let origin = self.origin(symbol, 0, venue_time_ns);
                self.stamper.publish(&bar, origin, self.outlet);
            }
            MarketMessage::Depth { symbol, diff } => {
                self.watch.heard(EventKind::Book, self.receive_ns);
                let origin = self.origin(symbol, diff.final_update_id, diff.venue_time_ns);
                self.books.on_diff(self.stamper, symbol.slot, &diff, origin, self.outlet);
            }
            MarketMessage::Book { symbol, book } => {
                self.watch.heard(EventKind::Book, self.receive_ns);
                let origin = self.origin(symbol, book.last_update_id, book.venue_time_ns);
                self.books.on_whole(self.stamper, symbol.slot, &book, origin, self.outlet);
            }
            MarketMessage::Gap => {
                self.stamper.stats.gaps();
                self.books.distrust_all(BookStatusReason::Gap);
            }
            MarketMessage::KeptAlive => self.outcome = FrameOutcome::KeptAlive,
            MarketMessage::Reply { id, error } => self.outcome = FrameOutcome::Reply { id, error },
            MarketMessage::Shutdown => self.outcome = FrameOutcome::Shutdown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Book, BookState, Event, Level, Quote};
    use crate::runtime::ManualTime;
    use crate::venue::binance::SpotMarket;

    const SECOND_NS: u64 = 1_000_000_000;

    /// An outlet with a limited room.
    struct Outlet {
        room: usize,
        events: Vec<Event>,
        letters: Vec<(LetterReason, Vec<u8>)>,
    }

    impl EventOutlet for Outlet {
        fn room(&mut self) -> usize {
            self.room
        }

        fn publish(&mut self, event: &Event) {
            self.room = self.room.checked_sub(1).expect("published without room");
            self.events.push(*event);
        }

        fn dead_letter(&mut self, reason: LetterReason, _detail: &'static str, raw: &[u8]) {
            self.letters.push((reason, raw.to_vec()));
        }
    }

    struct Bench {
        feed: MarketFeed<SpotMarket>,
        outlet: Outlet,
        clock: Clock,
        time: ManualTime,
        stats: Arc<CachePadded<IntakeStats>>,
    }

    /// A connected feed of `count` symbols `S0`, `S1`, ..
    fn bench(count: u32, silence: SilenceLimits) -> Bench {
        let natives: Vec<_> = (0..count).map(|n| format!("S{n}")).collect();
        let symbols = SymbolMap::of_test(&natives);
        let mut options = MarketFeedOptions::new(VenueId(2), symbols);
        options.silence = silence;
        options.book_levels_max = 100;
        let (clock, time) = Clock::manual(0);
        let stats = IntakeStats::new();
        let mut feed = MarketFeed::new(options, clock.clone(), stats.clone());
        feed.on_connected(0);
        let outlet = Outlet { room: 1_000, events: Vec::new(), letters: Vec::new() };
        Bench { feed, outlet, clock, time, stats }
    }

    impl Bench {
        fn frame(&mut self, frame: &str) -> FrameOutcome {
            let now_ns = self.clock.now_ns();
            self.feed.on_frame(frame.as_bytes(), now_ns, 77, &mut self.outlet)
        }

        fn diff(&mut self, symbol: u32, update_id: u64) -> FrameOutcome {
            self.frame(&format!(
                r#"{{"e":"depthUpdate","E":{update_id},"s":"S{symbol}","U":{update_id},"u":{update_id},"b":[["1.00","2"]],"a":[]}}"#
            ))
        }

        /// Brings a book live at update 11.
        fn make_live(&mut self, symbol: u32) {
            self.diff(symbol, 11);
            let asks = vec![Level { price: 200, qty: 1 }];
            let instrument = InstrumentId(symbol);
            let snapshot = Snapshot { instrument, last_update_id: 10, bids: Vec::new(), asks };
            let now_ns = self.clock.now_ns();
            let outcome = self.feed.on_snapshot(&snapshot, now_ns, &mut self.outlet);
            assert_eq!(outcome, SnapshotOutcome::Joined);
        }

        fn check(&mut self) -> Option<EventKind> {
            self.feed.check_silence(self.clock.now_ns(), &mut self.outlet)
        }

        fn states(&self) -> Vec<(u32, BookStatus, BookStatusReason)> {
            let state = |event: &Event| {
                let state = event.get::<BookState>()?;
                Some((event.instrument, state.status()?, state.reason()?))
            };
            self.outlet.events.iter().filter_map(state).collect()
        }
    }

    #[test]
    fn events_carry_where_they_come_from() {
        let mut bench = bench(2, SilenceLimits::default());
        bench.time.advance_ns(5_000);
        let raw = r#"{"u":9,"s":"S1","b":"1.50","B":"2","a":"1.60","A":"3"}"#;
        let outcome = bench.feed.on_frame(raw.as_bytes(), 4_000, 42, &mut bench.outlet);
        assert_eq!(outcome, FrameOutcome::Decoded);
        let event = bench.outlet.events[0];
        assert_eq!((event.venue, event.instrument, event.sequence), (2, 1, 9));
        assert_eq!((event.receive_ns, event.decode_after_ns, event.trace_id), (4_000, 1_000, 42));
        assert_eq!(event.venue_time_ns, 0);
        assert_eq!(event.get::<Quote>().unwrap().bid_price, 150);
    }

    #[test]
    fn every_event_has_the_trace_of_a_frame() {
        // LM-08, also for what no frame of its own has caused.
        let mut bench = bench(1, SilenceLimits::default());
        bench.make_live(0);
        bench.feed.on_disconnected(&mut bench.outlet);
        assert_eq!(bench.outlet.events.len(), 3, "live, the book, lost");
        assert!(bench.outlet.events.iter().all(|event| event.trace_id == 77));
    }

    #[test]
    fn every_frame_is_counted_once() {
        let mut bench = bench(1, SilenceLimits::default());
        assert_eq!(
            bench.frame(r#"{"result":null,"id":4}"#),
            FrameOutcome::Reply { id: 4, error: None }
        );
        assert_eq!(bench.frame(r#"{"e":"serverShutdown","E":1}"#), FrameOutcome::Shutdown);
        assert_eq!(bench.diff(0, 11), FrameOutcome::Decoded);
        assert_eq!(bench.frame("x"), FrameOutcome::Refused);
        assert_eq!(bench.frame(r#"{"e":"new"}"#), FrameOutcome::Refused);
        let read = bench.stats.read();
        assert_eq!((read.frames, read.decoded, read.control, read.refused), (5, 1, 2, 2));
        assert_eq!((read.unknown, read.events), (1, 0));
        assert!(read.identity_holds());
        let letters = [
            (LetterReason::Malformed, b"x".to_vec()),
            (LetterReason::Unknown, br#"{"e":"new"}"#.to_vec()),
        ];
        assert_eq!(bench.outlet.letters, letters);
    }

    #[test]
    fn one_frame_gives_at_most_the_promised_events() {
        let mut bench = bench(1, SilenceLimits::default());
        bench.make_live(0);
        assert_eq!(bench.outlet.events.len(), SpotMarket::EVENTS_MAX);
        for update_id in [12, 14, 13] {
            bench.outlet.room = SpotMarket::EVENTS_MAX;
            bench.diff(0, update_id);
        }
        assert_eq!(bench.stats.read().gaps, 1);
    }

    #[test]
    fn a_word_without_room_is_kept_and_the_latest_goes_out() {
        let mut bench = bench(3, SilenceLimits::default());
        (0..3).for_each(|symbol| bench.make_live(symbol));
        bench.outlet.events.clear();
        bench.outlet.room = 1;
        bench.feed.on_disconnected(&mut bench.outlet);
        let gone = |n| (n, BookStatus::Syncing, BookStatusReason::Disconnected);
        assert_eq!(bench.states(), [gone(0)]);
        // One book is back before the word of its loss found room: only the latest word goes out.
        bench.feed.on_connected(0);
        bench.outlet.room = 3;
        bench.make_live(2);
        let live = (2, BookStatus::Live, BookStatusReason::Synced);
        assert_eq!(bench.states(), [gone(0), live]);
        bench.check();
        assert_eq!(bench.states(), [gone(0), live, gone(1)]);
        bench.check();
        assert_eq!(bench.states().len(), 3);
    }

    #[test]
    fn a_book_that_never_was_live_is_not_said_to_be_lost() {
        let mut bench = bench(2, SilenceLimits::default());
        bench.feed.on_disconnected(&mut bench.outlet);
        assert!(bench.outlet.events.is_empty());
    }

    #[test]
    fn a_silent_book_is_stale_and_comes_back_with_the_next_diff() {
        let limits = SilenceLimits { book_ns: Some(3 * SECOND_NS), ..SilenceLimits::default() };
        let mut bench = bench(2, limits);
        bench.make_live(0);
        bench.make_live(1);
        bench.time.advance_ns(2 * SECOND_NS);
        bench.diff(1, 12);
        bench.time.advance_ns(2 * SECOND_NS);
        bench.outlet.events.clear();
        assert_eq!(bench.check(), None);
        assert_eq!(bench.states(), [(0, BookStatus::Stale, BookStatusReason::Silent)]);
        bench.diff(0, 12);
        assert_eq!(bench.states()[1..], [(0, BookStatus::Live, BookStatusReason::Synced)]);
        assert!(bench.outlet.events[2].get::<Book>().is_some());
    }

    #[test]
    fn data_that_is_dead_while_heartbeats_live_is_told() {
        // F13
        let limits = SilenceLimits { quote_ns: Some(SECOND_NS), ..SilenceLimits::default() };
        let mut bench = bench(1, limits);
        bench.time.advance_ns(SECOND_NS);
        assert_eq!(bench.check(), None);
        bench.time.advance_ns(1);
        assert_eq!(bench.check(), Some(EventKind::Quote));
        bench.frame(r#"{"u":9,"s":"S0","b":"1.50","B":"2","a":"1.60","A":"3"}"#);
        assert_eq!(bench.check(), None);
        bench.time.advance_ns(2 * SECOND_NS);
        bench.feed.on_disconnected(&mut bench.outlet);
        assert_eq!(bench.check(), None, "nothing is expected of a closed connection");
    }

    #[test]
    fn an_absurd_number_of_a_snapshot_or_a_diff_heals_within_seconds() {
        // F34: the book would be live, or wait, for ever.
        let mut bench = bench(1, SilenceLimits::default());
        bench.diff(0, 11);
        let instrument = InstrumentId(0);
        let far = 3_000_011;
        let snapshot =
            Snapshot { instrument, last_update_id: far, bids: Vec::new(), asks: Vec::new() };
        let outcome = bench.feed.on_snapshot(&snapshot, 0, &mut bench.outlet);
        assert_eq!(outcome, SnapshotOutcome::Ahead);
        for update_id in 12..40 {
            bench.time.advance_ns(SECOND_NS / 10);
            bench.diff(0, update_id);
        }
        assert!(bench.states().iter().all(|state| state.1 != BookStatus::Live));
        let now_ns = bench.clock.now_ns();
        assert_eq!(bench.feed.next_snapshot_request(now_ns), Some(instrument));
        let asks = vec![Level { price: 200, qty: 1 }];
        let snapshot = Snapshot { instrument, last_update_id: 38, bids: Vec::new(), asks };
        let outcome = bench.feed.on_snapshot(&snapshot, now_ns, &mut bench.outlet);
        assert_eq!(outcome, SnapshotOutcome::Joined);
        // A diff that claims to reach to the end of all numbers, a year ahead.
        let far = u64::MAX;
        bench.frame(&format!(
            r#"{{"e":"depthUpdate","E":31536000000,"s":"S0","U":40,"u":{far},"b":[],"a":[]}}"#
        ));
        for update_id in 41..70 {
            bench.time.advance_ns(SECOND_NS / 10);
            bench.diff(0, update_id);
        }
        let last = bench.states().pop();
        assert_eq!(last, Some((0, BookStatus::Syncing, BookStatusReason::Gap)));
    }

    #[test]
    fn an_undecodable_diff_takes_the_trust_from_its_book_alone() {
        let mut bench = bench(2, SilenceLimits::default());
        (0..2).for_each(|symbol| bench.make_live(symbol));
        bench.outlet.events.clear();
        let refused = bench
            .frame(r#"{"e":"depthUpdate","E":1,"s":"S1","U":12,"u":12,"b":[["1.00","x"]],"a":[]}"#);
        assert_eq!(refused, FrameOutcome::Refused);
        assert_eq!(bench.states(), [(1, BookStatus::Syncing, BookStatusReason::Corrupt)]);
    }

    #[test]
    fn a_failed_snapshot_is_asked_for_again_after_a_second() {
        let mut bench = bench(1, SilenceLimits::default());
        assert_eq!(bench.feed.next_snapshot_request(0), None, "nothing is buffered");
        bench.diff(0, 11);
        assert_eq!(bench.feed.next_snapshot_request(0), Some(InstrumentId(0)));
        bench.feed.on_snapshot_failed(InstrumentId(0), 5);
        assert_eq!(bench.feed.next_snapshot_request(SECOND_NS - 1), None);
        assert_eq!(bench.feed.next_snapshot_request(SECOND_NS), Some(InstrumentId(0)));
        assert_eq!(bench.stats.read().snapshots, 2);
    }
}
