//! What it takes to make an event of a frame of Binance spot: Pitlane's decoder and that of
//! barter-data, on the same frames, in turn, on one thread.
//!
//! Files hold one frame a line, as the combined streams send them. barter-data subscribes on the
//! bare stream, so both get the bare frames. It keeps prices and quantities of trades as floats and
//! those of books as decimals; Pitlane keeps integers in the instrument's scale.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use barter_data::event::MarketIter;
use barter_data::exchange::binance::book::l1::BinanceOrderBookL1;
use barter_data::exchange::binance::spot::l2::BinanceSpotOrderBookL2Update;
use barter_data::exchange::binance::trade::BinanceTrade;
use barter_data::subscription::book::{OrderBookEvent, OrderBookL1};
use barter_data::subscription::trade::PublicTrade;
use barter_instrument::exchange::ExchangeId;
use pitlane_engine::event::InstrumentId;
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::venue::SymbolMap;
use pitlane_engine::venue::binance::MarketDecoder;
use serde_json::value::RawValue;

/// Rounds of both; the medians are shown.
const ROUNDS: usize = 21;
/// Frames of one round.
const FRAMES: usize = 100_000;
/// Frames of a kind, at most.
const FRAMES_MAX: usize = 512;
/// Levels of both sides of the diffs that are taken: about 20 and 20.
const LEVELS: std::ops::RangeInclusive<usize> = 36..=44;

/// A kind of frame: its name, which frames are of it, and barter-data's way with one.
type Kind = (&'static str, fn(&str) -> bool, fn(&str) -> bool);

const KINDS: [Kind; 3] = [
    ("bookTicker", |frame| frame.starts_with("{\"u\":"), quote),
    ("trade", |frame| frame.starts_with("{\"e\":\"trade\""), trade),
    ("depth of 20 and 20 levels", is_depth, depth),
];

fn is_depth(frame: &str) -> bool {
    let levels = frame.matches("\",\"").count();
    frame.starts_with("{\"e\":\"depthUpdate\"") && LEVELS.contains(&levels)
}

fn quote(frame: &str) -> bool {
    let Ok(quote) = serde_json::from_str::<BinanceOrderBookL1>(frame) else { return false };
    let events = MarketIter::<u64, OrderBookL1>::from((ExchangeId::BinanceSpot, 0, quote));
    black_box(&events).0.iter().all(Result::is_ok)
}

fn trade(frame: &str) -> bool {
    let Ok(trade) = serde_json::from_str::<BinanceTrade>(frame) else { return false };
    let events = MarketIter::<u64, PublicTrade>::from((ExchangeId::BinanceSpot, 0, trade));
    black_box(&events).0.iter().all(Result::is_ok)
}

fn depth(frame: &str) -> bool {
    let Ok(diff) = serde_json::from_str::<BinanceSpotOrderBookL2Update>(frame) else {
        return false;
    };
    let events = MarketIter::<u64, OrderBookEvent>::from((ExchangeId::BinanceSpot, 0, diff));
    black_box(&events).0.iter().all(Result::is_ok)
}

/// The bare frames of a kind in the lines of these files.
fn frames(files: &[String], is_of: fn(&str) -> bool) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        for line in text.lines() {
            let Ok(frame) = serde_json::from_str::<std::collections::BTreeMap<&str, &RawValue>>(line)
            else {
                continue;
            };
            let data = frame.get("data").map(|data| data.get()).filter(|data| is_of(data));
            found.extend(data.map(str::to_owned));
        }
    }
    found.truncate(FRAMES_MAX);
    Ok(found)
}

fn decoder() -> MarketDecoder {
    let spec = InstrumentSpec {
        symbol: "BTC-USDT".to_owned(),
        price_scale: 8,
        qty_scale: 8,
        tick: 1,
        step: 1,
    };
    let instruments = Instruments::new(vec![spec]).expect("one good instrument");
    let pairs = [("BTCUSDT".to_owned(), InstrumentId(0))];
    let symbols = SymbolMap::new(&pairs, Arc::new(instruments)).expect("one good symbol");
    MarketDecoder::new(symbols, 1 << 20)
}

/// Time of one frame over a round, ns.
fn round_ns(frames: &[String], mut decode: impl FnMut(&str) -> bool) -> f64 {
    let begun = Instant::now();
    for frame in frames.iter().cycle().take(FRAMES) {
        assert!(decode(black_box(frame)), "not decoded: {frame}");
    }
    begun.elapsed().as_nanos() as f64 / FRAMES as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Prints the time of one message of each kind in these files.
pub(crate) fn run(files: &[String]) -> ExitCode {
    if files.is_empty() {
        eprintln!("usage: peer decode FILE..: files of frames, one a line");
        return ExitCode::from(2);
    }
    for (name, is_of, theirs) in KINDS {
        let frames = match frames(&files, is_of) {
            Ok(frames) if frames.is_empty() => {
                println!("{name}: no frame of it in these files");
                continue;
            }
            Ok(frames) => frames,
            Err(error) => {
                eprintln!("reading frames failed: {error}");
                return ExitCode::FAILURE;
            }
        };
        let mut decoder = decoder();
        let mut ours = |frame: &str| decoder.decode(frame.as_bytes()).is_ok();
        let (mut our_ns, mut their_ns) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            our_ns.push(round_ns(&frames, &mut ours));
            their_ns.push(round_ns(&frames, theirs));
        }
        let (our_ns, their_ns) = (median(our_ns), median(their_ns));
        let ratio = their_ns / our_ns;
        println!(
            "{name}: pitlane {our_ns:.0} ns, barter-data {their_ns:.0} ns, {ratio:.1} times \
             ({} frames, median of {ROUNDS} rounds)",
            frames.len()
        );
    }
    ExitCode::SUCCESS
}
