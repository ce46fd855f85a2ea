//! Books of a venue whose stream tells them whole, held against the quotes (LM-07); and its mark
//! prices, which are told whole, too, and then by what has changed.

use super::tests::Outlet;
use super::*;
use crate::event::{BookState, EventKind, MarkPrice, StreamState, StreamStatus};
use crate::runtime::ManualTime;
use crate::venue::bybit::BybitMarket;

const MS: u64 = 1_000_000;
const START_MS: u64 = 1_700_000_000_000;

struct Bench {
    feed: MarketFeed<BybitMarket>,
    outlet: Outlet,
    clock: Clock,
    time: ManualTime,
}

impl Bench {
    fn new() -> Bench {
        let options = MarketFeedOptions::new(VenueId(0), SymbolMap::of_test(&["S0"]));
        let (clock, time) = Clock::manual(0);
        let mut feed = MarketFeed::new(options, clock.clone(), IntakeStats::new());
        feed.on_connected(0);
        let outlet = Outlet { room: 10_000, events: Vec::new(), letters: Vec::new() };
        Bench { feed, outlet, clock, time }
    }

    /// A book or a quote with this bid, a tenth of a second after the frame before.
    fn told(&mut self, depth: u32, kind: &str, update: u64, bid: &str) {
        self.time.advance_ns(100 * MS);
        let ms = START_MS + self.clock.now_ns() / MS;
        let frame = format!(
            r#"{{"topic":"orderbook.{depth}.S0","type":"{kind}","ts":{ms},"data":{{"s":"S0","b":[["{bid}","2"]],"a":[["9.00","1"]],"u":{update},"seq":{update}}},"cts":{ms}}}"#
        );
        let now_ns = self.clock.now_ns();
        let outcome = self.feed.on_frame(frame.as_bytes(), now_ns, 1, &mut self.outlet);
        assert_eq!(outcome, FrameOutcome::Decoded, "{frame}: {:?}", self.outlet.letters);
        self.feed.check_silence(now_ns, &mut self.outlet);
    }

    fn quotes(&mut self, bid: &str, from: u64) -> Option<Sign> {
        for update in from..from + 30 {
            self.told(1, "snapshot", update, bid);
            if let Some((_, sign)) = self.feed.take_doubted() {
                return Some(sign);
            }
        }
        None
    }

    fn status(&self) -> BookStatus {
        self.feed.books().next().unwrap().2
    }

    fn is_asked_for(&mut self) -> bool {
        self.feed.next_snapshot_request(self.clock.now_ns()).is_some()
    }
}

#[test]
fn a_book_that_quotes_contradict_is_left_until_the_stream_has_told_it_again() {
    let mut bench = Bench::new();
    bench.told(200, "snapshot", 10, "5.00");
    assert_eq!(bench.quotes("5.00", 100), None);
    assert_eq!(bench.quotes("6.00", 200), Some(Sign::Quotes));
    assert_eq!(bench.status(), BookStatus::Syncing);
    assert!(bench.is_asked_for(), "it is subscribed to anew");
    bench.told(200, "snapshot", 20, "6.00");
    assert_eq!(bench.status(), BookStatus::Live);
    assert_eq!(bench.feed.take_wrong_quotes(), None, "the book was wrong");
    assert_eq!(bench.quotes("6.00", 300), None);
    let told: Vec<_> =
        bench.outlet.events.iter().filter_map(|event| event.get::<BookState>()).collect();
    let words: Vec<_> = told.iter().map(|state| (state.status(), state.reason())).collect();
    let differs = Some(BookStatusReason::Differs);
    assert_eq!(words[1], (Some(BookStatus::Syncing), differs), "{words:?}");
    assert_eq!(words.len(), 3);
}

#[test]
fn a_book_that_is_told_the_same_again_was_right_and_the_quotes_are_not() {
    let mut bench = Bench::new();
    bench.told(200, "snapshot", 10, "5.00");
    assert_eq!(bench.quotes("6.00", 200), Some(Sign::Quotes));
    bench.told(200, "snapshot", 20, "5.00");
    assert_eq!(bench.feed.take_wrong_quotes(), Some(InstrumentId(0)));
    assert_eq!(bench.quotes("6.00", 300), None, "not again before a minute is over");
    assert_eq!(bench.status(), BookStatus::Live);
}

/// A ticker with these fields, as of now.
fn ticker(bench: &mut Bench, kind: &str, fields: &str) -> String {
    bench.time.advance_ns(100 * MS);
    let ms = START_MS + bench.clock.now_ns() / MS;
    format!(
        r#"{{"topic":"tickers.S0","type":"{kind}","data":{{"symbol":"S0"{fields}}},"cs":7,"ts":{ms}}}"#
    )
}

const ALL: &str = r#","markPrice":"5.00","indexPrice":"4.00","fundingRate":"0.01","nextFundingTime":"1700006400000""#;

impl Bench {
    fn ticks(&mut self, kind: &str, fields: &str) -> FrameOutcome {
        let (frame, now_ns) = (ticker(self, kind, fields), self.clock.now_ns());
        self.feed.on_frame(frame.as_bytes(), now_ns, 1, &mut self.outlet)
    }

    /// Of the connection that follows.
    fn ticks_next(&mut self, kind: &str, fields: &str) -> FrameOutcome {
        let (frame, now_ns) = (ticker(self, kind, fields), self.clock.now_ns());
        self.feed.on_next_frame(frame.as_bytes(), (now_ns, 1), &mut self.outlet)
    }

    /// Marks and indices that were told, in whole units.
    fn marks(&self) -> Vec<(i64, i64)> {
        let events = self.outlet.events.iter();
        let marks = events.filter_map(|event| event.get::<MarkPrice>());
        let unit = 10_i64.pow(MarkPrice::PRICE_SCALE.into());
        marks.map(|of| (of.mark_price_e10 / unit, of.index_price_e10 / unit)).collect()
    }
}

#[test]
fn the_mark_prices_of_the_next_connection_are_its_own() {
    let mut bench = Bench::new();
    assert_eq!(bench.ticks("snapshot", ALL), FrameOutcome::Decoded);
    bench.feed.open_next(bench.clock.now_ns());
    // What the present one has told is no snapshot of the next one, and the other way about.
    assert_eq!(bench.ticks_next("delta", r#","markPrice":"6""#), FrameOutcome::KeptAlive);
    assert_eq!(bench.ticks("delta", r#","markPrice":"5.50""#), FrameOutcome::Decoded);
    let whole = ALL.replace("4.00", "3.00");
    assert_eq!(bench.ticks_next("snapshot", &whole), FrameOutcome::Decoded);
    assert_eq!(bench.ticks_next("delta", r#","markPrice":"6""#), FrameOutcome::Decoded);
    assert_eq!(bench.ticks("delta", r#","markPrice":"7""#), FrameOutcome::Decoded);
    assert_eq!(bench.marks(), [(5, 4), (5, 4), (7, 4)], "what waits is not told yet");
    assert_eq!(bench.ticks_next("delta", r#","markPrice":"8""#), FrameOutcome::Decoded);
    let now_ns = bench.clock.now_ns();
    assert_eq!(bench.feed.take_over_next(now_ns), 0);
    while bench.feed.has_kept() {
        bench.feed.tell_kept(now_ns, &mut bench.outlet);
    }
    bench.feed.overlap = Overlap::None;
    assert_eq!(bench.marks()[3..], [(8, 3)], "what the other one had told is left out");
    assert_eq!(bench.ticks("delta", r#","markPrice":"9""#), FrameOutcome::Decoded);
    assert_eq!(bench.marks()[4..], [(9, 3)], "and it goes on from its own snapshot");
    // The connection after that one begins with nothing, though its memory was used before.
    bench.feed.open_next(bench.clock.now_ns());
    assert_eq!(bench.ticks_next("delta", r#","markPrice":"6""#), FrameOutcome::KeptAlive);
}

#[test]
fn a_contract_whose_ticker_was_refused_is_told_as_stale_asked_for_and_heals() {
    let mut bench = Bench::new();
    bench.feed.expect((InstrumentId(0), EventKind::MarkPrice), 0);
    for _ in 0..20 {
        assert_eq!(bench.ticks("snapshot", ALL), FrameOutcome::Decoded);
    }
    assert_eq!(bench.ticks("delta", r#","markPrice":"-5""#), FrameOutcome::Refused);
    let mut silence = None;
    for n in 0..1_000 {
        // The venue goes on, and nothing of it can be told.
        let mark = format!(r#","markPrice":"5.{n:03}""#);
        assert_eq!(bench.ticks("delta", &mark), FrameOutcome::KeptAlive);
        let now_ns = bench.clock.now_ns();
        silence = bench.feed.next_silent(now_ns, &mut bench.outlet);
        if silence.is_some() {
            break;
        }
    }
    let (stream, silent_ns, remedy, is_new) = silence.expect("it is found");
    assert_eq!((stream, remedy), ((InstrumentId(0), EventKind::MarkPrice), Remedy::Resubscribe));
    assert!(is_new && silent_ns / MS < 31_000, "{silent_ns}");
    assert_eq!(bench.marks().len(), 20);
    assert_eq!(bench.ticks("snapshot", ALL), FrameOutcome::Decoded);
    assert_eq!(bench.ticks("delta", r#","markPrice":"6""#), FrameOutcome::Decoded);
    assert_eq!(bench.marks()[20..], [(5, 4), (6, 4)]);
    let words = bench.outlet.events.iter().filter_map(|event| event.get::<StreamState>()?.status());
    assert_eq!(words.collect::<Vec<_>>(), [StreamStatus::Stale, StreamStatus::Live]);
}

#[test]
fn a_contract_whose_mark_price_stands_still_is_not_stale_while_its_ticker_comes() {
    let mut bench = Bench::new();
    bench.feed.expect((InstrumentId(0), EventKind::MarkPrice), 0);
    assert_eq!(bench.ticks("snapshot", ALL), FrameOutcome::Decoded);
    for _ in 0..2_000 {
        assert_eq!(bench.ticks("delta", r#","bid1Size":"7""#), FrameOutcome::KeptAlive);
        let now_ns = bench.clock.now_ns();
        assert_eq!(bench.feed.next_silent(now_ns, &mut bench.outlet), None);
    }
    assert_eq!(bench.marks(), [(5, 4)]);
    // The ticker ends, too.
    bench.time.advance_ns(31_000 * MS);
    let now_ns = bench.clock.now_ns();
    assert!(bench.feed.next_silent(now_ns, &mut bench.outlet).is_some());
    assert_eq!(bench.ticks("delta", r#","bid1Size":"7""#), FrameOutcome::KeptAlive);
    let words = bench.outlet.events.iter().filter_map(|event| event.get::<StreamState>()?.status());
    assert_eq!(words.collect::<Vec<_>>(), [StreamStatus::Stale, StreamStatus::Live]);
}
