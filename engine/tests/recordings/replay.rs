//! Drives a `MarketFeed` with a recording, and keeps what came out.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use pitlane_engine::event::{
    Book, BookState, BookStatus, BookStatusReason, Event, EventPayload, InstrumentId, Side, VenueId,
};
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::runtime::{Clock, ManualTime};
use pitlane_engine::testing::skipped;
use pitlane_engine::venue::binance::SpotMarket;
use pitlane_engine::venue::book::{BookSyncCounters, L2Book};
use pitlane_engine::venue::market::{FrameOutcome, MarketFeed, MarketFeedOptions};
use pitlane_engine::venue::protocol::{MarketProtocol, Snapshot};
use pitlane_engine::venue::{
    EventOutlet, IntakeStats, LetterReason, Scales, SymbolMap, VenueCounters,
};
use serde_json::Value;

/// Every number in the recordings has eight places.
pub const SCALES: Scales = Scales { price: 8, qty: 8 };

/// The folder of the recordings; says so when there is none.
pub fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("PITLANE_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        skipped("PITLANE_RECORDINGS is not set");
    }
    folder
}

/// The independent results.
pub fn expected(folder: &Path) -> Value {
    json(&folder.join("EXPECTED.json"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Lines of a file of the recordings, packed or not.
pub fn lines(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut text = String::new();
    let read = match path.extension().is_some_and(|extension| extension == "gz") {
        true => GzDecoder::new(&bytes[..]).read_to_string(&mut text),
        false => (&bytes[..]).read_to_string(&mut text),
    };
    read.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(str::to_owned).collect()
}

/// What happened, in order.
#[derive(Clone)]
pub enum Step {
    /// A frame was read.
    Frame(String),
    /// A snapshot of this native symbol arrived.
    Snapshot(String, String),
}

/// A recorded session.
pub struct Recording {
    pub name: &'static str,
    pub natives: Vec<String>,
    pub steps: Vec<Step>,
    /// When each step was read, ns since the Unix epoch.
    pub times_ns: Vec<u64>,
}

/// The one-symbol session whose snapshot lies among its frames.
pub fn load_inline(folder: &Path, name: &'static str) -> Recording {
    let (mut steps, mut times_ns) = (Vec::new(), Vec::new());
    let part = |part| folder.join("binance").join(name).join(format!("part{part:02}.jsonl"));
    for path in (1..).map(part).take_while(|path| path.exists()) {
        let times = lines(&path.with_extension("recv_ns.txt"));
        times_ns.extend(times.iter().map(|time| time.parse::<u64>().unwrap()));
        steps.extend(lines(&path).into_iter().map(|line| {
            if line.starts_with(r#"{"lastUpdateId""#) {
                Step::Snapshot("BTCUSDT".into(), line)
            } else {
                Step::Frame(line)
            }
        }));
    }
    assert!(!steps.is_empty(), "{name} has parts");
    assert_eq!(steps.len(), times_ns.len());
    Recording { name, natives: vec!["BTCUSDT".into()], steps, times_ns }
}

/// A session of several symbols, whose snapshots have times of arrival.
pub fn load_indexed(folder: &Path, name: &'static str) -> Recording {
    let folder = folder.join("binance").join(name);
    let frames = lines(&folder.join("ws.jsonl"));
    let times = lines(&folder.join("ws.recv_s.txt"));
    let mut natives = Vec::new();
    let mut steps: Vec<(f64, Step)> = Vec::new();
    for (frame, time) in frames.into_iter().zip(times) {
        steps.push((time.parse().unwrap(), Step::Frame(frame)));
    }
    for line in lines(&folder.join("rest_index.jsonl")) {
        let entry: Value = serde_json::from_str(&line).unwrap();
        let native = entry["symbol"].as_str().unwrap().to_owned();
        let body = fs::read_to_string(folder.join(entry["file"].as_str().unwrap())).unwrap();
        natives.push(native.clone());
        steps.push((entry["recv_s"].as_f64().unwrap(), Step::Snapshot(native, body)));
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let times_ns = steps.iter().map(|(time_s, _)| (time_s * 1e9) as u64).collect();
    let steps = steps.into_iter().map(|(_, step)| step).collect();
    Recording { name, natives, steps, times_ns }
}

/// An outlet over vectors.
#[derive(Default)]
pub struct Collected {
    pub events: Vec<Event>,
    pub letters: Vec<(LetterReason, &'static str)>,
}

impl EventOutlet for Collected {
    fn room(&mut self) -> usize {
        usize::MAX
    }

    fn publish(&mut self, event: &Event) {
        self.events.push(*event);
    }

    fn dead_letter(&mut self, reason: LetterReason, detail: &'static str, _raw: &[u8]) {
        self.letters.push((reason, detail));
    }
}

impl Collected {
    /// Events of one kind, in order.
    pub fn of<'a, P: EventPayload + 'a>(&'a self) -> impl Iterator<Item = (&'a Event, &'a P)> {
        self.events.iter().filter_map(|event| Some((event, event.get::<P>()?)))
    }

    /// Every status of a book, in order.
    pub fn states(&self) -> Vec<(BookStatus, BookStatusReason)> {
        let states = self.of::<BookState>();
        states.map(|(_, state)| (state.status().unwrap(), state.reason().unwrap())).collect()
    }

    /// Whether each book's events lie only where its last status was live.
    pub fn books_only_while_live(&self) -> bool {
        let mut live = std::collections::HashMap::new();
        self.events.iter().all(|event| {
            if let Some(state) = event.get::<BookState>() {
                live.insert(event.instrument, state.status() == Some(BookStatus::Live));
            }
            event.get::<Book>().is_none() || live.get(&event.instrument) == Some(&true)
        })
    }
}

/// A feed on a clock moved by hand, one millisecond a frame.
pub struct Replay<P = SpotMarket> {
    pub feed: MarketFeed<P>,
    pub out: Collected,
    pub stats: Arc<crossbeam_utils::CachePadded<IntakeStats>>,
    pub clock: Clock,
    pub time: ManualTime,
    pub requested: Vec<InstrumentId>,
    frames: u64,
    /// In which the frames were taken.
    pub pieces: u64,
}

/// The native symbols, in this order, as instruments.
pub fn symbols(natives: &[String], scales: Scales) -> SymbolMap {
    let spec = |native: &String| InstrumentSpec {
        symbol: format!("{}-X", native.replace(|c: char| !c.is_ascii_alphanumeric(), "")),
        price_scale: scales.price,
        qty_scale: scales.qty,
        tick: 1,
        step: 1,
    };
    let instruments = Arc::new(Instruments::new(natives.iter().map(spec).collect()).unwrap());
    let ids = (0..).map(InstrumentId);
    let pairs: Vec<_> = natives.iter().cloned().zip(ids).collect();
    SymbolMap::new(&pairs, instruments).unwrap()
}

impl<P: MarketProtocol> Replay<P> {
    pub fn new(natives: &[String]) -> Replay<P> {
        Replay::of_scales(natives, SCALES)
    }

    /// Of instruments of other places than eight.
    pub fn of_scales(natives: &[String], scales: Scales) -> Replay<P> {
        let (clock, time) = Clock::manual(0);
        let stats = IntakeStats::new();
        let mut options = MarketFeedOptions::new(VenueId(3), symbols(natives, scales));
        // The recordings asked for every snapshot at the first diff.
        options.book_levels_max = P::BOOK_LEVELS_USUAL;
        options.frame_bytes_max = P::FRAME_BYTES_USUAL;
        options.snapshot_pace.burst = natives.len() as u32;
        // Longer than any of them.
        options.refresh_pace.every_ns = 3_600_000_000_000;
        let mut feed = MarketFeed::new(options, clock.clone(), stats.clone());
        feed.on_connected(clock.now_ns());
        let out = Collected::default();
        Replay { feed, out, stats, clock, time, requested: Vec::new(), frames: 0, pieces: 0 }
    }

    pub fn frame(&mut self, frame: &str) -> FrameOutcome {
        self.time.advance_ns(1_000_000);
        self.deliver(frame)
    }

    /// Takes a frame at the present moment.
    pub fn deliver(&mut self, frame: &str) -> FrameOutcome {
        self.frames += 1;
        let now_ns = self.clock.now_ns();
        let mut outcome = FrameOutcome::Unfinished;
        while outcome == FrameOutcome::Unfinished {
            outcome = self.feed.on_frame(frame.as_bytes(), now_ns, self.frames, &mut self.out);
            self.pieces += 1;
        }
        while let Some(instrument) = self.feed.next_snapshot_request(now_ns) {
            self.requested.push(instrument);
        }
        outcome
    }

    pub fn snapshot(&mut self, snapshot: &Snapshot) {
        let now_ns = self.clock.now_ns();
        self.feed.on_snapshot(snapshot, now_ns, &mut self.out);
    }

    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Frame(frame) => {
                self.frame(frame);
            }
            Step::Snapshot(native, body) => {
                let symbol = self.feed.symbols().lookup(native.as_bytes()).unwrap();
                let rest = P::SNAPSHOT.rest().unwrap();
                let parsed =
                    (rest.read)(symbol.instrument, body.as_bytes(), symbol.scales).unwrap();
                self.snapshot(&parsed);
            }
        }
    }

    pub fn run(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
    }

    pub fn book(&self, native: &str) -> (&L2Book, BookStatus) {
        let instrument = self.feed.symbols().lookup(native.as_bytes()).unwrap().instrument;
        let mut books = self.feed.books();
        books.find(|(id, ..)| *id == instrument).map(|(_, book, status)| (book, status)).unwrap()
    }

    pub fn counters(&self, native: &str) -> BookSyncCounters {
        let instrument = self.feed.symbols().lookup(native.as_bytes()).unwrap().instrument;
        self.feed.book_counters().find(|(id, _)| *id == instrument).unwrap().1
    }

    pub fn read(&self) -> VenueCounters {
        self.stats.read()
    }

    /// The first symbol's book as the venue would send it now.
    pub fn as_snapshot(&self) -> Snapshot {
        let (instrument, book, status) = self.feed.books().next().unwrap();
        assert_eq!(status, BookStatus::Live);
        let sequence = self.out.of::<Book>().last().unwrap().0.sequence;
        Snapshot {
            instrument,
            last_update_id: sequence,
            bids: book.best(Side::Buy).copied().collect(),
            asks: book.best(Side::Sell).copied().collect(),
        }
    }
}
