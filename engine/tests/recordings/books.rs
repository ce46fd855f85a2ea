//! Every recording, whole: counts, ids, top levels and digests equal the independent results
//! (LM-07).

use std::collections::HashMap;

use pitlane_engine::event::{
    Bar, Book, BookState, BookStatus, BookStatusReason, Level, Quote, Side, Trade, parse_scaled,
};
use pitlane_engine::venue::Scales;
use pitlane_engine::venue::binance::SpotMarket;
use pitlane_engine::venue::binance_futures::FuturesMarket;
use pitlane_engine::venue::protocol::MarketProtocol;
use serde_json::Value;

use super::replay::{
    Recording, Replay, SCALES, Step, expected, load_indexed, load_inline, recordings,
};

fn conforms<P: MarketProtocol>(recording: &Recording, expected: &Value) {
    let expected = &expected[format!("binance/{}", recording.name)];
    assert!(expected.is_object(), "{} has results", recording.name);
    let mut replay = Replay::<P>::new(&recording.natives);
    replay.run(&recording.steps);

    // Every frame is accounted for, by kind.
    let kinds = &expected["frames_by_kind"];
    let count = |kind: &str| kinds[kind].as_u64().unwrap_or(0);
    let frames: u64 =
        ["depthUpdate", "bookTicker", "trade", "aggTrade", "kline"].into_iter().map(count).sum();
    let read = replay.read();
    assert!(read.identity_holds());
    assert_eq!((read.frames, read.decoded), (frames, frames));
    assert_eq!((read.refused, read.control, read.gaps), (0, 0, 0));
    assert!(replay.out.letters.is_empty());
    assert_eq!(replay.out.of::<Quote>().count() as u64, count("bookTicker"));
    assert_eq!(replay.out.of::<Trade>().count() as u64, count("trade") + count("aggTrade"));
    assert_eq!(replay.out.of::<Bar>().count() as u64, count("kline"));
    assert_eq!(read.events, replay.out.events.len() as u64);

    // Each book went live once, by one snapshot that had been asked for.
    let synced = (BookStatus::Live, BookStatusReason::Synced);
    assert_eq!(replay.out.states(), vec![synced; recording.natives.len()]);
    assert_eq!(replay.out.of::<BookState>().count(), recording.natives.len());
    assert!(replay.out.books_only_while_live());
    assert_eq!(replay.requested.len(), recording.natives.len());
    assert_eq!(read.snapshots, recording.natives.len() as u64);

    let mut diffs = 0;
    for native in &recording.natives {
        let expected = &expected["symbols"][native];
        diffs += expected["diffs"].as_u64().unwrap();
        book_conforms(&replay, native, expected);
    }
    assert_eq!(diffs, count("depthUpdate"));
    quotes_agree_with_books(&replay, recording, expected);
    println!("{}: {frames} frames, {} events", recording.name, read.events);
}

fn book_conforms<P: MarketProtocol>(replay: &Replay<P>, native: &str, expected: &Value) {
    let number = |name: &str| expected[name].as_u64().unwrap_or_else(|| panic!("{name}"));
    let counters = replay.counters(native);
    assert_eq!(counters.applied, number("diffs_applied"), "{native}");
    assert_eq!(counters.old, number("diffs_dropped"), "{native}");
    assert_eq!(counters.applied + counters.old, number("diffs"), "{native}");
    assert_eq!(counters.gaps, number("gaps"), "{native}");
    assert_eq!(counters.crossings, number("crossed_after_update"), "{native}");
    assert_eq!(counters.buffer_overflows, 0, "{native}");
    let first = &expected["first_applied"];
    assert_eq!(Some(counters.first_applied.0), first[0].as_u64(), "{native}");
    assert_eq!(Some(counters.first_applied.1), first[1].as_u64(), "{native}");

    let (book, status) = replay.book(native);
    let last = &expected["final"];
    assert_eq!(status, BookStatus::Live, "{native}");
    assert!(!book.crossed(), "{native}");
    assert_eq!(counters.missing_removals, last["orphan_deletes"].as_u64().unwrap(), "{native}");
    for (side, count, top) in
        [(Side::Buy, "bid_levels", "top5_bids"), (Side::Sell, "ask_levels", "top5_asks")]
    {
        assert_eq!(book.level_count(side) as u64, last[count].as_u64().unwrap(), "{native}");
        let best: Vec<Level> = book.best(side).take(5).copied().collect();
        assert_eq!(best, levels(&last[top], SCALES), "{native}");
    }
    assert_eq!(Some(book.digest(SCALES).as_str()), last["book_sha256"].as_str(), "{native}");

    // The last book published is the book.
    let id = replay.feed.symbols().lookup(native.as_bytes()).unwrap().instrument;
    let (event, published) =
        replay.out.of::<Book>().filter(|(event, _)| event.instrument_id() == id).last().unwrap();
    assert_eq!(event.sequence, number("last_u"), "{native}");
    let (top, bid_levels, ask_levels) = book.top();
    assert_eq!(*published, top, "{native}");
    assert_eq!((event.bid_levels, event.ask_levels), (bid_levels, ask_levels), "{native}");
}

pub fn levels(texts: &Value, scales: Scales) -> Vec<Level> {
    let scaled = |text: &Value, scale| parse_scaled(text.as_str().unwrap().as_bytes(), scale);
    let level = |pair: &Value| Level {
        price: scaled(&pair[0], scales.price).unwrap(),
        qty: scaled(&pair[1], scales.qty).unwrap(),
    };
    texts.as_array().unwrap().iter().map(level).collect()
}

/// A quote and a book of the same update id are the venue's two words on one state: they agree.
fn quotes_agree_with_books<P: MarketProtocol>(
    replay: &Replay<P>,
    recording: &Recording,
    expected: &Value,
) {
    let quotes: HashMap<_, Quote> = replay
        .out
        .of::<Quote>()
        .map(|(event, quote)| ((event.instrument, event.sequence), *quote))
        .collect();
    let mut agreed: HashMap<u32, u64> = HashMap::new();
    let events = &replay.out.events;
    let before = std::iter::once(None).chain(events.iter().map(Some));
    for (event, before) in events.iter().zip(before) {
        let Some(book) = event.get::<Book>() else { continue };
        // A book behind the word that it is live came by a snapshot; the independent count has
        // diffs only.
        if before.is_some_and(|before| before.get::<BookState>().is_some()) {
            continue;
        }
        let Some(quote) = quotes.get(&(event.instrument, event.sequence)) else { continue };
        assert_eq!((quote.bid_price, quote.bid_qty), (book.bids[0].price, book.bids[0].qty));
        assert_eq!((quote.ask_price, quote.ask_qty), (book.asks[0].price, book.asks[0].qty));
        *agreed.entry(event.instrument).or_default() += 1;
    }
    let ids = (0_u32..).zip(&recording.natives);
    for (id, native) in ids {
        let expected = expected["symbols"][native]["bookTicker_same_id_match"].as_u64().unwrap();
        let agreed = agreed.get(&id).copied().unwrap_or(0);
        assert_eq!(agreed, expected, "{native}");
    }
}

#[test]
fn spot_btcusdt_conforms() {
    let Some(folder) = recordings() else { return };
    conforms::<SpotMarket>(&load_inline(&folder, "spot_btcusdt_20240808"), &expected(&folder));
}

#[test]
fn spot_of_four_symbols_conforms() {
    let Some(folder) = recordings() else { return };
    conforms::<SpotMarket>(&load_indexed(&folder, "spot_multi4_20211012"), &expected(&folder));
}

#[test]
fn spot_of_ten_symbols_conforms() {
    let Some(folder) = recordings() else { return };
    conforms::<SpotMarket>(&load_indexed(&folder, "spot_multi10_20210417"), &expected(&folder));
}

#[test]
fn us_spot_conforms() {
    let Some(folder) = recordings() else { return };
    conforms::<SpotMarket>(&load_indexed(&folder, "us_spot_20211012"), &expected(&folder));
}

#[test]
fn futures_btcusdt_conforms() {
    let Some(folder) = recordings() else { return };
    conforms::<FuturesMarket>(&load_inline(&folder, "usdm_btcusdt_20240808"), &expected(&folder));
}

/// Plays a recording at its own times; when live books were doubted, in seconds. `plant` changes
/// frames.
fn doubts<P: MarketProtocol>(
    recording: &Recording,
    plant: impl Fn(f64, &str) -> Option<String>,
) -> Vec<f64> {
    let mut replay = Replay::<P>::new(&recording.natives);
    let (mut doubts, mut compared) = (Vec::new(), 0);
    let start_ns = recording.times_ns[0];
    for (step, time_ns) in recording.steps.iter().zip(&recording.times_ns) {
        let at_ns = time_ns.saturating_sub(start_ns);
        replay.time.advance_ns(at_ns.saturating_sub(replay.clock.now_ns()));
        let second = at_ns as f64 / 1e9;
        match step {
            Step::Frame(frame) => {
                compared += u64::from(frame.contains("bookTicker"));
                replay.deliver(plant(second, frame).as_deref().unwrap_or(frame));
            }
            snapshot => replay.step(snapshot),
        }
        if replay.feed.next_refresh(replay.clock.now_ns()).is_some() {
            doubts.push(second);
        }
    }
    assert!(compared > 10, "{} has quotes", recording.name);
    doubts
}

/// With books that are asked for in turn after an hour: only a doubt asks for one before.
fn never_doubted<P: MarketProtocol>(recording: &Recording) {
    let doubts = doubts::<P>(recording, |_, _| None);
    assert!(
        doubts.is_empty(),
        "{}: {doubts:?}: quotes and books are only not of one moment",
        recording.name
    );
}

#[test]
fn no_book_of_a_recorded_session_is_doubted() {
    let Some(folder) = recordings() else { return };
    never_doubted::<SpotMarket>(&load_inline(&folder, "spot_btcusdt_20240808"));
    never_doubted::<FuturesMarket>(&load_inline(&folder, "usdm_btcusdt_20240808"));
    for name in ["spot_multi4_20211012", "spot_multi10_20210417", "us_spot_20211012"] {
        never_doubted::<SpotMarket>(&load_indexed(&folder, name));
    }
}

#[test]
fn a_recorded_book_that_stops_changing_is_doubted_within_seconds() {
    let Some(folder) = recordings() else { return };
    let recording = load_inline(&folder, "spot_btcusdt_20240808");
    // From 100 s on the levels of its diffs are lost; their numbers are not.
    let plant = |second: f64, frame: &str| {
        let (at, end) = (frame.find(r#","b":["#)?, frame.rfind("}}")?);
        let is_lost = second > 100.0 && frame.contains("depthUpdate");
        is_lost.then(|| format!(r#"{},"b":[],"a":[]{}"#, &frame[..at], &frame[end..]))
    };
    let doubts = doubts::<SpotMarket>(&recording, plant);
    let first = doubts.first().copied().expect("it is doubted");
    assert!((102.0..130.0).contains(&first), "{doubts:?}");
}
