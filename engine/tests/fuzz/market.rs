//! Market data: no frame makes a decoder panic, and white space between its words changes nothing.
//! Where frames of the usual form are read by a scanner of their own, the general way reads the
//! same.

use pitlane_engine::venue::binance::{MarketDecoder, SpotMarket};
use pitlane_engine::venue::binance_futures::FuturesMarket;
use pitlane_engine::venue::bybit::BybitMarket;
use pitlane_engine::venue::codec::DecodeError;
use pitlane_engine::venue::coinbase::CoinbaseMarket;
use pitlane_engine::venue::kraken::KrakenMarket;
use pitlane_engine::venue::okx::OkxMarket;
use pitlane_engine::venue::protocol::{MarketMessage, MarketProtocol, MarketSink};
use serde::de::IgnoredAny;

use crate::run::{Checked, fuzz};
use crate::{corpus, mutate};

pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Inputs of a target in the suite.
const USUAL: u64 = 20_000;

/// What was told, in words.
#[derive(Default)]
pub struct Words(pub Vec<String>);

impl MarketSink for Words {
    fn take(&mut self, message: MarketMessage<'_>) {
        self.0.push(format!("{message:?}"));
    }
}

/// The frame with white space between its words; `None` when it is no JSON.
pub fn spaced(frame: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<IgnoredAny>(frame).ok()?;
    let mut spaced = Vec::with_capacity(2 * frame.len());
    let (mut is_in_text, mut is_escaped) = (false, false);
    for byte in frame {
        let is_mark = !is_in_text && b"{}[]:,".contains(byte);
        if is_mark {
            spaced.push(b' ');
        }
        spaced.push(*byte);
        if is_mark {
            spaced.push(b'\n');
        }
        is_in_text ^= *byte == b'"' && !is_escaped;
        is_escaped = is_in_text && *byte == b'\\' && !is_escaped;
    }
    Some(spaced)
}

/// What a protocol makes of a frame.
fn read<P: MarketProtocol>(
    protocol: &mut P,
    frame: &[u8],
) -> (Result<(), DecodeError>, Vec<String>) {
    let mut words = Words::default();
    let outcome = protocol.decode_whole(frame, &mut words);
    (outcome, words.0)
}

fn target<P: MarketProtocol>(name: &str, venue: &str) {
    target_of::<P>(name, corpus::frames(venue));
}

fn target_of<P: MarketProtocol>(name: &str, frames: Vec<Vec<u8>>) {
    let symbols = corpus::symbols(&frames);
    let mut plain = P::new(symbols.clone(), FRAME_BYTES_MAX);
    let mut other = P::new(symbols, FRAME_BYTES_MAX);
    let check = |frame: &[u8]| -> Checked {
        let (ours, others) = (
            read(&mut plain, frame),
            match spaced(frame) {
                Some(spaced) => read(&mut other, &spaced),
                None => read(&mut other, frame),
            },
        );
        let reason = |of: &Result<(), DecodeError>| of.map_err(|error| (error.reason, error.book));
        if (reason(&ours.0), &ours.1) != (reason(&others.0), &others.1) {
            return Err(format!("read as {ours:?}, and with white space as {others:?}"));
        }
        Ok(())
    };
    fuzz(name, USUAL, |random, out| mutate::text(random, &frames, out), check);
}

#[test]
fn binance_market() {
    target::<SpotMarket>("binance market", "binance");
}

#[test]
fn binance_futures_market() {
    target::<FuturesMarket>("binance futures market", "binance");
}

#[test]
fn bybit_market() {
    target::<BybitMarket>("bybit market", "bybit");
}

/// Tickers alone, of which each counts for those behind it.
#[test]
fn bybit_tickers() {
    let start = br#"{"topic":"tickers."#;
    let frames = corpus::frames("bybit").into_iter().filter(|frame| frame.starts_with(start));
    let frames: Vec<Vec<u8>> = frames.collect();
    assert!(frames.len() > 2, "{}", frames.len());
    target_of::<BybitMarket>("bybit tickers", frames);
}

#[test]
fn coinbase_market() {
    target::<CoinbaseMarket>("coinbase market", "coinbase");
}

#[test]
fn kraken_market() {
    target::<KrakenMarket>("kraken market", "kraken");
}

#[test]
fn okx_market() {
    target::<OkxMarket>("okx market", "okx");
}

/// Scanner and tape.
#[test]
fn binance_scanner() {
    let frames = corpus::frames("binance");
    let symbols = corpus::symbols(&frames);
    let mut scanning = MarketDecoder::new(symbols.clone(), FRAME_BYTES_MAX);
    let mut general = MarketDecoder::new(symbols, FRAME_BYTES_MAX);
    let check = |frame: &[u8]| -> Checked {
        let (one, two) = (scanning.decode(frame), general.decode_by_tape(frame));
        if one == two { Ok(()) } else { Err(format!("scanned {one:?}, by tape {two:?}")) }
    };
    fuzz("binance scanner", 2 * USUAL, |random, out| mutate::text(random, &frames, out), check);
}

/// Whole books, level by level in the order of their prices.
#[derive(Default)]
struct Sorted(Vec<String>);

impl MarketSink for Sorted {
    fn take(&mut self, message: MarketMessage<'_>) {
        let MarketMessage::Book { symbol, book } = message else {
            return self.0.push(format!("{message:?}"));
        };
        let [bids, asks] = [book.bids, book.asks].map(|side| {
            let mut levels: Vec<_> = side.iter().map(|of| (of.price, of.qty)).collect();
            levels.sort_unstable();
            levels
        });
        self.0.push(format!("{symbol:?} {} {bids:?} {asks:?}", book.last_update_id));
    }
}

/// Books so long that they are read in pieces, and sorted: white space has them read in one go.
#[test]
fn coinbase_long_snapshots() {
    let level = |n: usize| {
        let side = ["bid", "offer"][n % 2];
        format!(
            r#"{{"side":"{side}","event_time":"2026-08-09T00:00:00.000001Z","price_level":"{}.5","new_quantity":"0.{n}1"}}"#,
            1_000 + n
        )
    };
    let levels: Vec<String> = (0..700).map(level).collect();
    let frame = format!(
        r#"{{"channel":"l2_data","client_id":"","timestamp":"2026-08-09T00:00:00.000001Z","sequence_num":0,"events":[{{"type":"snapshot","product_id":"BTC-USD","updates":[{}]}}]}}"#,
        levels.join(",")
    );
    assert!(frame.len() > 64 * 1024, "{}", frame.len());
    let frames = [frame.into_bytes()];
    let symbols = corpus::symbols(&corpus::frames("coinbase"));
    let check = |frame: &[u8]| -> Checked {
        let read = |frame: &[u8]| {
            let mut protocol = CoinbaseMarket::new(symbols.clone(), FRAME_BYTES_MAX);
            let mut sorted = Sorted::default();
            (protocol.decode_whole(frame, &mut sorted).is_ok(), sorted.0)
        };
        match spaced(frame) {
            None if read(frame).0 => Err("what is no JSON was taken".to_owned()),
            Some(spaced) if read(frame) != read(&spaced) => {
                Err("read in pieces it is another book".to_owned())
            }
            _ => Ok(()),
        }
    };
    fuzz("coinbase long snapshots", 300, |random, out| mutate::text(random, &frames, out), check);
}
