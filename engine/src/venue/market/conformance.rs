//! A recording held against a protocol: every frame through the decoder and the books that also
//! serve live sessions, without a socket and by the recorded times.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::feed::{MarketFeed, MarketFeedOptions};
use super::fit::symbol_map;
use super::intake::FrameOutcome;
use crate::config::RecordedSymbol;
use crate::event::{Event, Side, VenueId};
use crate::venue::book::BookSyncCounters;
use crate::venue::protocol::MarketProtocol;
use crate::venue::{BookSummary, EventOutlet, IntakeStats, LetterReason, VenueCounters};
use crate::world::Clock;

/// No silence counts: a recording may have pauses.
const NEVER_NS: u64 = u64::MAX / 4;

/// What a recording has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded<'r> {
    /// A frame.
    Frame(Cow<'r, [u8]>),
    /// A snapshot of this symbol, over REST.
    Snapshot {
        /// The venue's symbol.
        native: &'r str,
        /// The body.
        body: Cow<'r, [u8]>,
    },
}

/// How a recording fares with a protocol.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    /// Events, by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Frames that were refused, by reason and detail.
    pub refusals: BTreeMap<(&'static str, &'static str), u64>,
    /// Counters of frames, gaps and the rest.
    pub counters: VenueCounters,
    /// Snapshots that could not be read.
    pub bad_snapshots: u64,
    /// The books at the end, in the order of the symbols.
    pub books: Vec<BookConformance>,
}

/// One book at the end of a recording.
#[derive(Clone, Debug)]
pub struct BookConformance {
    /// The venue's symbol.
    pub native: String,
    /// As a run reports it.
    pub summary: BookSummary,
    /// What it has counted.
    pub counters: BookSyncCounters,
}

/// Counts what a feed gives.
#[derive(Default)]
struct Tally {
    events: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<(&'static str, &'static str), u64>,
}

impl EventOutlet for Tally {
    fn room(&mut self) -> usize {
        usize::MAX
    }

    fn publish(&mut self, event: &Event) {
        let kind = event.kind().map_or("none", |kind| kind.name());
        *self.events.entry(kind).or_default() += 1;
    }

    fn dead_letter(&mut self, reason: LetterReason, detail: &'static str, _raw: &[u8]) {
        *self.refusals.entry((reason.name(), detail)).or_default() += 1;
    }
}

impl Conformance {
    /// Holds a recording, its steps with their times in ns, against a protocol.
    #[must_use]
    pub fn of<P: MarketProtocol>(
        symbols: &[RecordedSymbol],
        steps: &mut dyn Iterator<Item = (i64, Recorded<'_>)>,
    ) -> Conformance {
        let mut found = Conformance::default();
        let Some(known) = symbol_map(symbols) else { return found };
        let (clock, time) = Clock::manual(0);
        let stats = IntakeStats::new();
        let mut options = MarketFeedOptions::new(VenueId(0), known);
        options.book_levels_max = P::BOOK_LEVELS_USUAL;
        options.frame_bytes_max = options.frame_bytes_max.max(P::FRAME_BYTES_USUAL);
        options.buffered_diffs_max = 65_536;
        options.buffered_levels_max = 1 << 21;
        options.refresh_pace.every_ns = NEVER_NS;
        options.has_any_bars = true;
        let mut feed = MarketFeed::<P>::new(options, clock.clone(), stats.clone());
        feed.on_connected(0);
        let mut tally = Tally::default();
        let mut last_ns = None;
        for (number, (time_ns, step)) in (1..).zip(steps) {
            let since_ns = (time_ns - last_ns.unwrap_or(time_ns)).max(0).unsigned_abs();
            last_ns = Some(time_ns);
            time.advance_ns(since_ns);
            let now_ns = clock.now_ns();
            match step {
                Recorded::Frame(data) => {
                    let mut take = || feed.on_frame(&data, now_ns, number, &mut tally);
                    while take() == FrameOutcome::Unfinished {}
                }
                Recorded::Snapshot { native, body } => {
                    let symbol = feed.symbols().lookup(native.as_bytes());
                    let read = P::SNAPSHOT.rest().zip(symbol).and_then(|(rest, symbol)| {
                        (rest.read)(symbol.instrument, &body, symbol.scales).ok()
                    });
                    match read {
                        Some(snapshot) => {
                            feed.on_snapshot(&snapshot, now_ns, &mut tally);
                        }
                        None => found.bad_snapshots += 1,
                    }
                }
            }
        }
        found.counters = stats.read();
        let books = feed.books().zip(feed.book_counters()).filter_map(|(book, counters)| {
            let (id, book, status) = book;
            let symbol = feed.symbols().symbol(id)?;
            Some(BookConformance {
                native: feed.symbols().native(id)?.to_owned(),
                summary: BookSummary {
                    sha256: book.digest(symbol.scales),
                    status: status.name(),
                    bid_levels: book.level_count(Side::Buy),
                    ask_levels: book.level_count(Side::Sell),
                    levels_dropped: book.overflows(),
                },
                counters: counters.1,
            })
        });
        found.books = books.collect();
        (found.events, found.refusals) = (tally.events, tally.refusals);
        found
    }

    /// Whether every frame was taken, nothing was missing, and each book that had any data is live.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let VenueCounters { refused, unknown, gaps, mismatches, implausible, .. } = self.counters;
        let is_live = |book: &BookConformance| {
            book.summary.status == "live" || book.counters == BookSyncCounters::default()
        };
        refused + unknown + gaps + mismatches + implausible + self.bad_snapshots == 0
            && self.books.iter().all(is_live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::binance::SpotMarket;

    fn diff(n: u64) -> String {
        format!(
            r#"{{"e":"depthUpdate","E":1700000000000,"s":"AB","U":{n},"u":{n},"b":[["5","1"]],"a":[]}}"#
        )
    }

    fn of(steps: &[(i64, Recorded<'_>)]) -> Conformance {
        let symbols = [RecordedSymbol::new("AB")];
        Conformance::of::<SpotMarket>(&symbols, &mut steps.iter().cloned())
    }

    const SNAPSHOT: Recorded<'_> = Recorded::Snapshot {
        native: "AB",
        body: Cow::Borrowed(br#"{"lastUpdateId":2,"bids":[["4","1"]],"asks":[["6","1"]]}"#),
    };

    #[test]
    fn a_whole_recording_conforms_and_its_book_is_that_of_a_run() {
        let (first, second, third) = (diff(1), diff(2), diff(3));
        fn frame(text: &str) -> Recorded<'_> {
            Recorded::Frame(Cow::Borrowed(text.as_bytes()))
        }
        let found =
            of(&[(5, frame(&first)), (6, frame(&second)), (7, SNAPSHOT), (8, frame(&third))]);
        assert!(found.is_good(), "{found:?}");
        assert_eq!((found.counters.frames, found.counters.decoded), (3, 3));
        let book = &found.books[0];
        assert_eq!((book.native.as_str(), book.summary.status), ("AB", "live"));
        assert_eq!((book.summary.bid_levels, book.summary.ask_levels), (2, 1));
    }

    #[test]
    fn a_hole_and_a_frame_that_can_not_be_read_are_told() {
        let (first, fourth) = (diff(2), diff(4));
        fn frame(text: &str) -> Recorded<'_> {
            Recorded::Frame(Cow::Borrowed(text.as_bytes()))
        }
        let found = of(&[(5, frame(&first)), (6, SNAPSHOT), (7, frame(&fourth)), (8, frame("{}"))]);
        assert!(!found.is_good());
        assert_eq!((found.counters.gaps, found.counters.refused), (1, 1), "{found:?}");
        assert_eq!(found.refusals.values().sum::<u64>(), 1);
    }
}
