//! Every kind of stream against every way in which one fails, for each kind of venue (F34): it is
//! told within its bound, asked for again, and heals; one absurd number moves nothing.

use super::tests::Outlet;
use super::*;
use crate::event::{BookState, Event, Level, StreamState};
use crate::runtime::ManualTime;
use crate::venue::binance::SpotMarket;
use crate::venue::binance_futures::FuturesMarket;
use crate::venue::bybit::BybitMarket;

const MS: u64 = 1_000_000;
const BOUND_MS: u64 = 1_000;
const ID: InstrumentId = InstrumentId(0);
/// Minutes since the Unix epoch at the start, and the number that streams start with.
const START_MINUTE: u64 = 29_000_000;
const START: u64 = 5_000_000_000;

/// How a venue words its frames: by kind, number, and time in ms.
type Words = fn(EventKind, u64, u64) -> String;

fn spot(kind: EventKind, number: u64, ms: u64) -> String {
    match kind {
        EventKind::Quote => {
            format!(r#"{{"u":{number},"s":"S0","b":"1.00","B":"2","a":"2.00","A":"3"}}"#)
        }
        EventKind::Trade => format!(
            r#"{{"e":"trade","E":{ms},"s":"S0","t":{number},"p":"1.5","q":"2","T":8,"m":true,"M":true}}"#
        ),
        EventKind::Book => format!(
            r#"{{"e":"depthUpdate","E":{ms},"s":"S0","U":{number},"u":{number},"b":[["1.00","2"]],"a":[]}}"#
        ),
        _ => bar(number, ms),
    }
}

fn futures(kind: EventKind, number: u64, ms: u64) -> String {
    let before = number.wrapping_sub(1);
    match kind {
        EventKind::Quote => format!(
            r#"{{"e":"bookTicker","u":{number},"s":"S0","b":"1.00","B":"2","a":"2.00","A":"3","T":8,"E":{ms}}}"#
        ),
        EventKind::Trade => format!(
            r#"{{"e":"aggTrade","E":{ms},"s":"S0","a":{number},"p":"1.5","q":"2","f":1,"l":1,"T":8,"m":true}}"#
        ),
        EventKind::Book => format!(
            r#"{{"e":"depthUpdate","E":{ms},"T":8,"s":"S0","U":{number},"u":{number},"pu":{before},"b":[["1.00","2"]],"a":[]}}"#
        ),
        EventKind::MarkPrice => format!(
            r#"{{"e":"markPriceUpdate","E":{ms},"s":"S0","p":"1.5","i":"1.4","P":"1.4","r":"0.0001","T":{ms}}}"#
        ),
        _ => bar(number, ms),
    }
}

/// Mark prices alone; each frame is behind a subscription of its own.
fn bybit(_kind: EventKind, _number: u64, ms: u64) -> String {
    format!(
        r#"{{"topic":"tickers.S0","type":"snapshot","data":{{"symbol":"S0","markPrice":"1.5","indexPrice":"1.4","fundingRate":"0.0001","nextFundingTime":"{ms}"}},"cs":7,"ts":{ms}}}"#
    )
}

/// The number is the bar's minute behind the start.
fn bar(number: u64, ms: u64) -> String {
    let open_ms = (START_MINUTE.wrapping_add(number).wrapping_sub(START)).wrapping_mul(60_000);
    let close_ms = open_ms.wrapping_add(59_999);
    format!(
        r#"{{"e":"kline","E":{ms},"s":"S0","k":{{"t":{open_ms},"T":{close_ms},"s":"S0","i":"1m","f":1,"L":2,"o":"1.50","c":"1.60","h":"1.70","l":"1.40","v":"10","n":2,"x":false,"q":"1","V":"1","Q":"1","B":"0"}}}}"#
    )
}

struct Table<P> {
    feed: MarketFeed<P>,
    outlet: Outlet,
    clock: Clock,
    time: ManualTime,
    stats: Arc<CachePadded<IntakeStats>>,
    words: Words,
    kind: EventKind,
}

impl<P: MarketProtocol> Table<P> {
    fn new(words: Words, kind: EventKind) -> Table<P> {
        let mut options = MarketFeedOptions::new(VenueId(0), SymbolMap::of_test(&["S0"]));
        options.silence.stream_ns = Some(BOUND_MS * MS);
        let (clock, time) = Clock::manual(0);
        let stats = IntakeStats::new();
        let mut feed = MarketFeed::new(options, clock.clone(), stats.clone());
        feed.on_connected(0);
        feed.expect((ID, kind), 0);
        let outlet = Outlet { room: 10_000, events: Vec::new(), letters: Vec::new() };
        Table { feed, outlet, clock, time, stats, words, kind }
    }

    fn now_ms(&self) -> u64 {
        START_MINUTE * 60_000 + self.clock.now_ns() / MS
    }

    /// A message with this number, 50 ms after the one before. A book is given its snapshots.
    fn send(&mut self, number: u64) {
        self.time.advance_ns(50 * MS);
        let frame = (self.words)(self.kind, number, self.now_ms());
        let now_ns = self.clock.now_ns();
        self.feed.on_frame(frame.as_bytes(), now_ns, 1, &mut self.outlet);
        if self.feed.next_snapshot_request(now_ns).is_some() {
            let asks = vec![Level { price: 200, qty: 1 }];
            let (instrument, last_update_id) = (ID, number);
            let snapshot = Snapshot { instrument, last_update_id, bids: Vec::new(), asks };
            self.feed.on_snapshot(&snapshot, now_ns, &mut self.outlet);
        }
    }

    /// Events of the stream so far.
    fn events(&self) -> usize {
        let is_one = |event: &&Event| event.kind() == Some(self.kind);
        self.outlet.events.iter().filter(is_one).count()
    }

    /// The last word on the stream: whether it is good.
    fn is_told_live(&self) -> Option<bool> {
        let word = |event: &Event| match self.kind {
            EventKind::Book => event.get::<BookState>()?.status().map(|s| s == BookStatus::Live),
            _ => event.get::<StreamState>()?.status().map(|s| s == StreamStatus::Live),
        };
        self.outlet.events.iter().rev().find_map(word)
    }

    /// Looks until the stream is told as dead; after how many ms, and what is to be done then.
    fn wait_for_word(&mut self) -> (u64, Remedy) {
        let start_ns = self.clock.now_ns();
        loop {
            self.time.advance_ns(10 * MS);
            let now_ns = self.clock.now_ns();
            let waited_ms = (now_ns - start_ns) / MS;
            assert!(waited_ms < 10 * BOUND_MS, "{:?}: never told", self.kind);
            if let Some((_, _, remedy, true)) = self.feed.next_silent(now_ns, &mut self.outlet) {
                return (waited_ms, remedy);
            }
        }
    }

    fn dies_and_heals(&mut self, number: u64) {
        let (waited_ms, remedy) = self.wait_for_word();
        assert!(waited_ms <= BOUND_MS + 20, "{:?} after {waited_ms} ms", self.kind);
        assert_eq!(remedy, Remedy::Resubscribe, "{:?}", self.kind);
        assert_eq!((self.is_told_live(), self.stats.read().stale), (Some(false), 1));
        // The venue sends it again.
        let events = self.events();
        for number in number..number + 3 {
            self.send(number);
        }
        assert!(self.events() > events, "{:?} is heard", self.kind);
        assert_eq!(self.is_told_live(), Some(true), "{:?}", self.kind);
    }

    /// Numbers from `number` on are heard after at most so many are left out.
    fn goes_on_from(&mut self, number: u64, left_out: u64) {
        let events = self.events();
        for number in number..number + left_out + 3 {
            self.send(number);
        }
        assert!(self.events() >= events + 3, "{:?} goes on", self.kind);
        assert_ne!(self.is_told_live(), Some(false), "{:?}", self.kind);
    }

    fn noticed(&self) -> u64 {
        let read = self.stats.read();
        read.implausible + read.gaps + read.refused
    }
}

fn every_failure<P: MarketProtocol>(words: Words, kinds: &[EventKind]) {
    let has_topic = |kind: &EventKind| P::topic("S0", *kind).is_some();
    assert!(kinds.iter().any(has_topic), "there is something to fail");
    for kind in kinds.iter().copied().filter(has_topic) {
        // It never starts.
        Table::<P>::new(words, kind).dies_and_heals(START);
        // It stops.
        let mut table = Table::<P>::new(words, kind);
        (0..3).for_each(|n| table.send(START + n));
        table.dies_and_heals(START + 3);
        if kind == EventKind::MarkPrice {
            // It has no numbers.
            continue;
        }
        // Its numbers start anew, and jump; a bar's are its times.
        for next in [START - 3_000_000, START + 3_000_000_000_000] {
            let is_bar = kind == EventKind::Bar;
            if is_bar && next > START {
                continue;
            }
            let next = if is_bar { START - 30 } else { next - START % 7 };
            let mut table = Table::<P>::new(words, kind);
            table.goes_on_from(START, 0);
            table.goes_on_from(next, if kind == EventKind::Book { 60 } else { 2 });
            let is_small = !is_bar && kind != EventKind::Book && next < START;
            assert!(table.noticed() > 0 || is_small, "{kind:?} {next}");
        }
        // One is absurd.
        let year = 525_600;
        for absurd in [u64::MAX, u64::MAX / 2, START + year * 1_000_000, 1 << 53] {
            let mut table = Table::<P>::new(words, kind);
            table.goes_on_from(START, 0);
            table.send(absurd);
            assert!(table.noticed() > 0 || kind == EventKind::Book, "{kind:?} {absurd}");
            table.goes_on_from(START + 3, if kind == EventKind::Book { 60 } else { 0 });
            assert!(table.noticed() > 0, "{kind:?} {absurd}");
        }
    }
}

#[test]
fn every_stream_of_spot_is_told_asked_for_and_heals() {
    every_failure::<SpotMarket>(spot, &KINDS);
}

#[test]
fn every_stream_of_futures_is_told_asked_for_and_heals() {
    every_failure::<FuturesMarket>(futures, &KINDS);
}

#[test]
fn mark_prices_of_bybit_are_told_asked_for_and_heal() {
    every_failure::<BybitMarket>(bybit, &[EventKind::MarkPrice]);
}

#[test]
fn absurd_fields_of_each_frame_are_refused_and_the_next_frame_is_fine() {
    let fields = [
        (EventKind::Quote, r#""b":"1.00""#, r#""b":"0""#),
        (EventKind::Quote, r#""B":"2""#, r#""B":"-2""#),
        (EventKind::Quote, r#""b":"1.00""#, r#""b":"3.00""#),
        (EventKind::Quote, r#""a":"2.00""#, r#""a":"9e99""#),
        (EventKind::Quote, r#""u":"#, r#""u":-"#),
        (EventKind::Trade, r#""p":"1.5""#, r#""p":"0""#),
        (EventKind::Trade, r#""q":"2""#, r#""q":"0""#),
        (EventKind::Trade, r#""q":"2""#, r#""q":"99999999999999999999""#),
        (EventKind::Trade, r#""s":"S0""#, r#""s":"S9""#),
        (EventKind::Trade, r#""m":true"#, r#""m":1"#),
        (EventKind::Trade, r#""E":"#, r#""E":-"#),
        (EventKind::Bar, r#""i":"1m""#, r#""i":"5m""#),
        (EventKind::Bar, r#""i":"1m""#, r#""i":"7m""#),
        (EventKind::Bar, r#""h":"1.70""#, r#""h":"1.40""#),
        (EventKind::Bar, r#""v":"10""#, r#""v":"-1""#),
        (EventKind::Bar, r#""T":"#, r#""T":1"#),
        (EventKind::Bar, r#""t":"#, r#""t":1"#),
    ];
    let of_marks = [
        (r#""p":"1.5""#, r#""p":"0""#),
        (r#""p":"1.5""#, r#""p":"150000""#),
        (r#""i":"1.4""#, r#""i":"-1.4""#),
        (r#""r":"0.0001""#, r#""r":"1.0001""#),
        (r#""r":"0.0001""#, r#""r":"""#),
        (r#""T":"#, r#""T":-"#),
    ];
    let of_tickers = [
        (r#""markPrice":"1.5""#, r#""markPrice":"0""#),
        (r#""markPrice":"1.5""#, r#""markPrice":"150000""#),
        (r#""markPrice":"1.5""#, r#""markPrice":1.5"#),
        (r#""indexPrice":"1.4""#, r#""indexPrice":"-1.4""#),
        (r#""fundingRate":"0.0001""#, r#""fundingRate":"1.0001""#),
        (r#""fundingRate":"0.0001""#, r#""fundingRate":"""#),
        (r#""nextFundingTime":"#, r#""nextFundingTime":-"#),
        (r#""type":"snapshot""#, r#""type":"whole""#),
    ];
    fn absurd<P: MarketProtocol>(words: Words, (kind, from, to): (EventKind, &str, &str)) {
        let mut table = Table::<P>::new(words, kind);
        table.goes_on_from(START, 0);
        let frame = words(kind, START + 3, table.now_ms());
        let spoiled = frame.replacen(from, to, 1);
        assert_ne!(frame, spoiled, "{kind:?} has {from}");
        let events = table.events();
        let now_ns = table.clock.now_ns();
        table.feed.on_frame(spoiled.as_bytes(), now_ns, 1, &mut table.outlet);
        assert_eq!((table.events(), table.outlet.letters.len()), (events, 1), "{spoiled}");
        assert_eq!(table.stats.read().refused, 1, "{spoiled}");
        table.goes_on_from(START + 3, 0);
    }
    for field in fields {
        absurd::<SpotMarket>(spot, field);
        absurd::<FuturesMarket>(futures, field);
    }
    for (from, to) in of_marks {
        absurd::<FuturesMarket>(futures, (EventKind::MarkPrice, from, to));
    }
    for (from, to) in of_tickers {
        absurd::<BybitMarket>(bybit, (EventKind::MarkPrice, from, to));
    }
}
