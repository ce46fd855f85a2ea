//! Whole feeds, with books: frames that were changed, snapshots at any update, and connections that
//! come and go. Nothing panics, every frame is counted once, and what is refused is a dead letter.

use pitlane_engine::event::{BookState, BookStatus, Event, EventKind, Level, VenueId};
use pitlane_engine::runtime::Clock;
use pitlane_engine::venue::binance::SpotMarket;
use pitlane_engine::venue::binance_futures::FuturesMarket;
use pitlane_engine::venue::bybit::BybitMarket;
use pitlane_engine::venue::coinbase::CoinbaseMarket;
use pitlane_engine::venue::kraken::KrakenMarket;
use pitlane_engine::venue::market::{FrameOutcome, MarketFeed, MarketFeedOptions};
use pitlane_engine::venue::okx::OkxMarket;
use pitlane_engine::venue::protocol::{MarketProtocol, Snapshot};
use pitlane_engine::venue::{EventOutlet, IntakeStats, LetterReason};

use crate::run::{Checked, fuzz};
use crate::{corpus, mutate};

/// Inputs of a target in the suite.
const USUAL: u64 = 10_000;
/// Frames of a connection.
const FRAMES: u64 = 500;

/// What came out of the frames so far.
#[derive(Default)]
struct Out {
    letters: u64,
    /// Books that were told while they can't be trusted.
    untrusted: u64,
    trusted: std::collections::BTreeSet<u32>,
}

impl EventOutlet for Out {
    fn room(&mut self) -> usize {
        usize::MAX
    }

    fn publish(&mut self, event: &Event) {
        if let Some(state) = event.get::<BookState>() {
            match state.status() {
                Some(BookStatus::Live) => drop(self.trusted.insert(event.instrument)),
                _ => drop(self.trusted.remove(&event.instrument)),
            }
        } else if event.kind() == Some(EventKind::Book) && !self.trusted.contains(&event.instrument)
        {
            self.untrusted += 1;
        }
    }

    fn dead_letter(&mut self, _: LetterReason, _: &'static str, _: &[u8]) {
        self.letters += 1;
    }
}

fn target<P: MarketProtocol>(name: &str, venue: &str) {
    let frames = corpus::frames(venue);
    let (clock, time) = Clock::manual(1_700_000_000_000_000_000);
    let stats = IntakeStats::new();
    let mut options = MarketFeedOptions::new(VenueId(0), corpus::symbols(&frames));
    options.frame_bytes_max = 1 << 20;
    let mut feed = MarketFeed::<P>::new(options, clock.clone(), stats.clone());
    let mut out = Out::default();
    feed.on_connected(clock.now_ns());
    let mut number = 0;
    let check = |frame: &[u8]| -> Checked {
        number += 1;
        // The last byte is as good as chance.
        let chance = u64::from(frame.last().copied().unwrap_or(0)) + number;
        time.advance_ns(1_000_000 * (chance % 50));
        let now_ns = clock.now_ns();
        while feed.on_frame(frame, now_ns, number, &mut out) == FrameOutcome::Unfinished {}
        while let Some(instrument) = feed.next_snapshot_request(now_ns) {
            let last_update_id = match chance % 5 {
                0 => u64::MAX - chance % 3,
                1 => chance % 3,
                _ => first_number(frame).saturating_sub(chance % 4),
            };
            let bids = vec![Level { price: 5, qty: 1 }];
            let asks = vec![Level { price: 5 + (chance % 3) as i64, qty: 1 }];
            let snapshot = Snapshot { instrument, last_update_id, bids, asks };
            feed.on_snapshot(&snapshot, now_ns, &mut out);
        }
        if number % FRAMES == 0 {
            feed.on_disconnected(&mut out);
            feed.on_connected(now_ns);
        }
        let counters = stats.read();
        if !counters.identity_holds() || counters.refused > out.letters {
            return Err(format!("{} letters, {counters:?}", out.letters));
        }
        match out.untrusted {
            0 => Ok(()),
            count => Err(format!("{count} books were told that can't be trusted")),
        }
    };
    fuzz(name, USUAL, |random, bytes| mutate::text(random, &frames, bytes), check);
}

/// The first whole number of some length in a frame.
fn first_number(frame: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(frame);
    let mut runs = text.split(|letter: char| !letter.is_ascii_digit());
    runs.find(|run| run.len() > 4).and_then(|run| run.parse().ok()).unwrap_or(7)
}

#[test]
fn binance_feed() {
    target::<SpotMarket>("binance feed", "binance");
}

#[test]
fn binance_futures_feed() {
    target::<FuturesMarket>("binance futures feed", "binance");
}

#[test]
fn bybit_feed() {
    target::<BybitMarket>("bybit feed", "bybit");
}

#[test]
fn coinbase_feed() {
    target::<CoinbaseMarket>("coinbase feed", "coinbase");
}

#[test]
fn kraken_feed() {
    target::<KrakenMarket>("kraken feed", "kraken");
}

#[test]
fn okx_feed() {
    target::<OkxMarket>("okx feed", "okx");
}
