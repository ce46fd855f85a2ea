//! Books of a venue whose stream tells them whole, held against the quotes (LM-07).

use super::tests::Outlet;
use super::*;
use crate::event::BookState;
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
