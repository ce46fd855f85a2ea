//! What a connection's feed publishes, and what becomes of silence and nonsense.

use super::*;
use crate::event::{Book, BookState, Event, Level, Quote};
use crate::runtime::ManualTime;
use crate::venue::binance::SpotMarket;

const SECOND_NS: u64 = 1_000_000_000;

/// An outlet with a limited room.
pub(super) struct Outlet {
    pub(super) room: usize,
    pub(super) events: Vec<Event>,
    pub(super) letters: Vec<(LetterReason, Vec<u8>)>,
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
        let now_ns = self.clock.now_ns();
        while self.feed.next_silent(now_ns, &mut self.outlet).is_some() {}
        self.feed.check_silence(now_ns, &mut self.outlet)
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
    let limits = SilenceLimits { stream_ns: Some(3 * SECOND_NS), ..SilenceLimits::default() };
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
    let snapshot = Snapshot {
        instrument,
        last_update_id: far,
        bids: Vec::new(),
        asks: vec![Level { price: 200, qty: 1 }],
    };
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

/// A snapshot of symbol 0 with these levels: bid 1.00 of `bid_qty`, ask 2.00 of 1.
fn fresh(last_update_id: u64, bid_qty: i64) -> Snapshot {
    let bids = vec![Level { price: 100, qty: bid_qty }];
    let asks = vec![Level { price: 200, qty: 1 }];
    Snapshot { instrument: InstrumentId(0), last_update_id, bids, asks }
}

impl Bench {
    fn quote(&mut self, update_id: u64, bid: &str, ask: &str) {
        self.frame(&format!(
            r#"{{"u":{update_id},"s":"S0","b":"{bid}","B":"2","a":"{ask}","A":"3"}}"#
        ));
    }

    /// Asks for what is due, and is answered.
    fn refresh(&mut self, snapshot: &Snapshot) -> Option<CheckOutcome> {
        let now_ns = self.clock.now_ns();
        self.feed.next_refresh(now_ns)?;
        Some(self.feed.on_refresh(snapshot, now_ns, &mut self.outlet))
    }
}

/// Quantity of "2" in scale 5 or whatever symbols of tests have.
fn two(bench: &Bench) -> i64 {
    bench.feed.books().next().unwrap().1.best(crate::event::Side::Buy).next().unwrap().qty
}

#[test]
fn a_live_book_that_is_not_the_venues_is_told_counted_and_healed() {
    // LM-07
    let mut bench = bench(1, SilenceLimits::default());
    bench.make_live(0);
    let qty = two(&bench);
    assert_eq!(bench.refresh(&fresh(11, qty)), None, "it is not its turn");
    bench.time.advance_ns(300 * SECOND_NS);
    assert_eq!(bench.refresh(&fresh(11, qty)), Some(CheckOutcome::Agrees));
    bench.time.advance_ns(300 * SECOND_NS);
    bench.outlet.events.clear();
    let outcome = bench.refresh(&fresh(11, qty + 1));
    assert!(matches!(outcome, Some(CheckOutcome::Differs(_))), "{outcome:?}");
    assert_eq!(bench.states(), [(0, BookStatus::Syncing, BookStatusReason::Differs)]);
    let read = bench.stats.read();
    assert_eq!((read.refreshes, read.differing, read.doubted), (2, 1, 0));
    bench.diff(0, 12);
    let now_ns = bench.clock.now_ns();
    assert_eq!(bench.feed.next_snapshot_request(now_ns), Some(InstrumentId(0)));
    let outcome = bench.feed.on_snapshot(&fresh(11, qty + 1), now_ns, &mut bench.outlet);
    assert_eq!(outcome, SnapshotOutcome::Joined);
    assert_eq!(bench.states()[1..], [(0, BookStatus::Live, BookStatusReason::Synced)]);
}

#[test]
fn a_snapshot_that_is_older_ahead_or_far_off_takes_no_trust_from_a_live_book() {
    let mut bench = bench(1, SilenceLimits::default());
    bench.make_live(0);
    let qty = two(&bench);
    let turn = |bench: &mut Bench| bench.time.advance_ns(300 * SECOND_NS);
    turn(&mut bench);
    assert_eq!(bench.refresh(&fresh(10, 77)), Some(CheckOutcome::Unclear), "older");
    turn(&mut bench);
    bench.quote(12, "10.00", "20.00");
    assert_eq!(bench.refresh(&fresh(11, 77)), Some(CheckOutcome::Unclear), "another's prices");
    bench.quote(13, "1.00", "2.00");
    // Ahead of the stream: it waits for it, and is held against it then.
    turn(&mut bench);
    assert_eq!(bench.refresh(&fresh(13, qty)), Some(CheckOutcome::Ahead));
    bench.diff(0, 12);
    bench.time.advance_ns(SECOND_NS / 10);
    let now_ns = bench.clock.now_ns();
    let again = |bench: &mut Bench, id, now_ns| {
        bench.feed.on_refresh(&fresh(id, qty), now_ns, &mut bench.outlet)
    };
    assert_eq!(again(&mut bench, 13, now_ns), CheckOutcome::Ahead);
    bench.diff(0, 13);
    assert_eq!(again(&mut bench, 13, now_ns), CheckOutcome::Agrees);
    // An absurd number never comes: what is there is held against it.
    turn(&mut bench);
    assert_eq!(bench.refresh(&fresh(u64::MAX, qty)), Some(CheckOutcome::Ahead));
    let later_ns = bench.clock.now_ns() + 5 * SECOND_NS;
    assert_eq!(again(&mut bench, u64::MAX, later_ns), CheckOutcome::Agrees);
    assert_eq!(bench.states().last().unwrap().1, BookStatus::Live);
    assert_eq!(bench.stats.read().differing, 0);
}

#[test]
fn quotes_that_are_not_the_books_have_it_asked_for_and_are_doubted_themselves_if_it_is_right() {
    let mut bench = bench(1, SilenceLimits::default());
    bench.make_live(0);
    let qty = two(&bench);
    bench.time.advance_ns(SECOND_NS);
    for tenth in 0..25 {
        bench.quote(12 + tenth, "0.90", "2.00");
        bench.time.advance_ns(SECOND_NS / 10);
        let is_told = bench.feed.take_doubted().is_some();
        assert_eq!(is_told, tenth == 20, "{tenth}");
    }
    assert_eq!(bench.refresh(&fresh(11, qty)), Some(CheckOutcome::Agrees));
    assert_eq!(bench.feed.take_wrong_quotes(), Some(InstrumentId(0)));
    assert_eq!(bench.stats.read().doubted, 1);
    // A book that stands still beside trades.
    bench.time.advance_ns(100 * SECOND_NS);
    bench.quote(50, "1.00", "2.00");
    for trade in 0..10 {
        bench.time.advance_ns(SECOND_NS / 2);
        bench.frame(&format!(
            r#"{{"e":"trade","E":9,"s":"S0","t":{trade},"p":"1.50","q":"2","T":8,"m":true,"M":true}}"#
        ));
    }
    let outcome = bench.refresh(&fresh(11, qty + 1));
    assert!(matches!(outcome, Some(CheckOutcome::Differs(_))), "{outcome:?}");
    assert_eq!(bench.stats.read().doubted, 2);
}

#[test]
fn words_and_wishes_of_five_thousand_books_cost_a_cycle_nothing() {
    let mut bench = bench(5_000, SilenceLimits::default());
    bench.outlet.room = 20_000;
    for symbol in 0..5_000 {
        bench.diff(symbol, 11);
    }
    // All of them wait for a snapshot; forty at once and then one in half a second may ask.
    let mut asked = 0;
    for _ in 0..1_000 {
        bench.time.advance_ns(SECOND_NS / 100);
        let now_ns = bench.clock.now_ns();
        while bench.feed.next_snapshot_request(now_ns).is_some() {
            asked += 1;
        }
        bench.check();
    }
    assert_eq!((asked, bench.feed.looks_for_snapshots()), (59, 59));
}
