//! Recordings of venues that tell their books in the stream: every frame is taken, every checksum
//! holds, and each final book equals the independent result (LM-07).

use std::collections::BTreeMap;
use std::path::Path;

use pitlane_engine::event::{
    Bar, Book, BookStatus, BookStatusReason, MarkPrice, Quote, Side, Trade, parse_scaled,
};
use pitlane_engine::venue::Scales;
use pitlane_engine::venue::book::BookSyncCounters;
use pitlane_engine::venue::bybit::BybitMarket;
use pitlane_engine::venue::coinbase::CoinbaseMarket;
use pitlane_engine::venue::kraken::KrakenMarket;
use pitlane_engine::venue::okx::OkxMarket;
use pitlane_engine::venue::protocol::MarketProtocol;
use pitlane_engine::venue::registry::VenueKind;
use serde_json::Value;

use super::books::levels;
use super::replay::{Replay, SCALES, expected, lines, recordings};

const SYNCED: (BookStatus, BookStatusReason) = (BookStatus::Live, BookStatusReason::Synced);

/// Plays the frames of a file; no frame may be refused.
fn replay<P: MarketProtocol>(file: &Path, natives: &[&str], scales: Scales) -> Replay<P> {
    let natives: Vec<String> = natives.iter().map(|&native| native.to_owned()).collect();
    let frames = lines(file);
    let mut replay = Replay::<P>::of_scales(&natives, scales);
    frames.iter().for_each(|frame| {
        replay.frame(frame);
    });
    let read = replay.read();
    assert!(read.identity_holds());
    assert_eq!(replay.out.letters, [], "nothing is refused");
    assert_eq!((read.frames, read.refused, read.unknown), (frames.len() as u64, 0, 0));
    assert_eq!((read.gaps, read.snapshots), (0, 0), "no book was asked for again");
    assert_eq!(replay.out.states(), vec![SYNCED; natives.len()], "each book went live, once");
    assert!(replay.out.books_only_while_live());
    replay
}

/// The final book is that of the independent implementation.
fn book_conforms<P: MarketProtocol>(
    replay: &Replay<P>,
    native: &str,
    last: &Value,
    scales: Scales,
) -> BookSyncCounters {
    let (book, status) = replay.book(native);
    assert_eq!(status, BookStatus::Live, "{native}");
    assert!(!book.crossed(), "{native}");
    for (side, count, top) in
        [(Side::Buy, "bid_levels", "top5_bids"), (Side::Sell, "ask_levels", "top5_asks")]
    {
        assert_eq!(book.level_count(side) as u64, last[count].as_u64().unwrap(), "{native}");
        let best: Vec<_> = book.best(side).take(5).copied().collect();
        assert_eq!(best, levels(&last[top], scales), "{native}");
    }
    assert_eq!(Some(book.digest(scales).as_str()), last["book_sha256"].as_str(), "{native}");
    let counters = replay.counters(native);
    let orphans = last["orphan_deletes"].as_u64().unwrap();
    assert_eq!(counters.missing_removals, orphans, "{native}");
    counters
}

#[test]
fn bybit_linear_conforms() {
    const NAME: &str = "bybit/v5_linear_orderbook200_20260809";
    let Some(folder) = recordings() else { return };
    let natives = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"];
    let expected = &expected(&folder)[NAME];
    let replay = replay::<BybitMarket>(&folder.join(NAME).join("ws.jsonl"), &natives, SCALES);
    let count = |kind: &str| expected["frames_by_kind"][kind].as_u64().unwrap();
    for native in natives {
        let topic = &expected["topics"][format!("orderbook.200.{native}")];
        let counters = book_conforms(&replay, native, &topic["final"], SCALES);
        assert_eq!(Some(counters.applied), topic["deltas"].as_u64(), "{native}");
        let id = replay.feed.symbols().lookup(native.as_bytes()).unwrap().instrument;
        let books = replay.out.of::<Book>();
        let (last, _) = books.filter(|(event, _)| event.instrument_id() == id).last().unwrap();
        assert_eq!(Some(last.sequence), topic["last_u"].as_u64(), "{native}");
    }
    // One frame may hold the bar that ends and the one that begins.
    assert!(replay.out.of::<Bar>().count() as u64 >= count("kline/snapshot"));
    assert!(replay.out.of::<Trade>().count() as u64 >= count("publicTrade/snapshot"));
    let marks: Vec<_> = replay.out.of::<MarkPrice>().map(|(event, of)| (event, *of)).collect();
    let expected = marks_of(&lines(&folder.join(NAME).join("ws.jsonl")));
    assert_eq!((marks.len(), expected.len()), (140, 140));
    for ((event, mark), (native, ms, of)) in marks.into_iter().zip(expected) {
        let id = replay.feed.symbols().lookup(native.as_bytes()).unwrap().instrument;
        assert_eq!((event.instrument_id(), event.venue_time_ns), (id, ms * 1_000_000));
        assert_eq!(mark, of, "{native} at {ms}");
    }
}

/// Mark prices of a recording by maps of its texts: symbol, time and value of each ticker that
/// names a part of it.
fn marks_of(lines: &[String]) -> Vec<(String, i64, MarkPrice)> {
    let mut known: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut marks = Vec::new();
    for line in lines {
        let frame: Value = serde_json::from_str(line).unwrap();
        let Some(native) = frame["topic"].as_str().and_then(|of| of.strip_prefix("tickers."))
        else {
            continue;
        };
        let texts = known.entry(native.to_owned()).or_default();
        if frame["type"] == "snapshot" {
            texts.clear();
        }
        let parts = ["markPrice", "indexPrice", "fundingRate", "nextFundingTime"];
        let named = frame["data"].as_object().unwrap().iter();
        let mut is_named = false;
        for (name, value) in named.filter(|(name, _)| parts.contains(&name.as_str())) {
            texts.insert(name.clone(), value.as_str().unwrap().to_owned());
            is_named = true;
        }
        let number = |name: &str, scale| parse_scaled(texts[name].as_bytes(), scale).unwrap();
        if is_named {
            marks.push((
                native.to_owned(),
                frame["ts"].as_i64().unwrap(),
                MarkPrice {
                    mark_price_e10: number("markPrice", 10),
                    index_price_e10: number("indexPrice", 10),
                    funding_rate_e12: number("fundingRate", 12),
                    next_funding_ns: number("nextFundingTime", 0) * 1_000_000,
                },
            ));
        }
    }
    marks
}

#[test]
fn okx_conforms_with_every_checksum() {
    const NAME: &str = "okx/books_trades_tickers_20220513";
    let Some(folder) = recordings() else { return };
    let natives = ["BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527"];
    let expected = &expected(&folder)[NAME];
    let replay = replay::<OkxMarket>(&folder.join(NAME).join("ws.jsonl"), &natives, SCALES);
    let count = |kind: &str| expected["frames_by_kind"][kind].as_u64().unwrap();
    for native in natives {
        let instrument = &expected["instruments"][native];
        let counters = book_conforms(&replay, native, &instrument["final"], SCALES);
        assert_eq!(Some(counters.checksums), instrument["checksum_ok"].as_u64(), "{native}");
        assert_eq!(counters.mismatches, 0, "{native}");
    }
    assert_eq!(replay.out.of::<Quote>().count() as u64, count("tickers/data"));
    assert_eq!(replay.out.of::<Trade>().count() as u64, count("trades/data"));
}

#[test]
fn coinbase_conforms_with_whole_books_in_pieces() {
    const NAME: &str = "coinbase/advanced_l2_20260809";
    let Some(folder) = recordings() else { return };
    let natives = ["BTC-USD", "ETH-USD"];
    let expected = &expected(&folder)[NAME];
    let file = folder.join(NAME).join("ws_full.jsonl.gz");
    let replay = replay::<CoinbaseMarket>(&file, &natives, SCALES);
    for native in natives {
        let counters = book_conforms(&replay, native, &expected["products"][native], SCALES);
        assert_eq!(counters.gaps, 0, "{native}");
    }
    let read = replay.read();
    let count = |kind: &str| expected["frames_by_channel"][kind].as_u64().unwrap();
    assert_eq!(replay.out.of::<Quote>().count() as u64, count("ticker"));
    assert_eq!(replay.out.of::<Book>().count() as u64, count("l2_data"));
    // Two frames of each tell what was before the subscription.
    assert_eq!(replay.out.of::<Bar>().count() as u64, count("candles") - 2);
    assert_eq!(read.control, count("subscriptions") + count("heartbeats") + 4);
    let trades: Vec<_> = replay.out.of::<Trade>().map(|(event, _)| event.sequence).collect();
    assert!(trades.len() as u64 > count("market_trades"));
    // 46,000 and 23,000 levels.
    assert!(replay.pieces >= read.frames + 11 + 5, "{} of {}", replay.pieces, read.frames);
}

#[test]
fn a_lost_frame_of_coinbase_leaves_no_book_trusted() {
    const NAME: &str = "coinbase/advanced_l2_20260809";
    let Some(folder) = recordings() else { return };
    let natives = ["BTC-USD", "ETH-USD"].map(str::to_owned);
    let frames = lines(&folder.join(NAME).join("ws_full.jsonl.gz"));
    // Whatever the lost frame held: here a sign of life.
    let heartbeat = frames.iter().position(|f| f.starts_with(r#"{"channel":"heartbeats""#));
    let mut replay = Replay::<CoinbaseMarket>::of_scales(&natives, SCALES);
    for (n, frame) in frames.iter().enumerate() {
        if Some(n) != heartbeat {
            replay.frame(frame);
        }
    }
    assert_eq!(replay.read().gaps, 1);
    for native in &natives {
        assert_eq!(replay.book(native).1, BookStatus::Syncing, "{native}");
    }
    assert!(replay.out.books_only_while_live());
    assert_eq!(replay.requested.len(), 2, "both are asked for again");
}

#[test]
fn kraken_conforms_with_every_checksum() {
    const NAME: &str = "kraken/v2_book25_btcusd_20260826";
    let Some(folder) = recordings() else { return };
    let scales = Scales { price: 1, qty: 8 };
    let expected = &expected(&folder)[NAME];
    let file = folder.join(format!("{NAME}.jsonl"));
    let replay = replay::<KrakenMarket>(&file, &["BTC/USD"], scales);
    let counters = book_conforms(&replay, "BTC/USD", &expected["final"], scales);
    let count = |kind: &str| expected["counts"][kind].as_u64().unwrap();
    assert_eq!((counters.checksums, counters.mismatches), (count("checksum_ok"), 0));
    assert_eq!(counters.applied, count("book/update"));
}

/// What `venue check` says: numbers of frames are right also where lines are left out.
#[test]
fn a_recording_is_checked_without_a_socket_and_ends_in_the_same_books() {
    let Some(folder) = recordings() else { return };
    for (kind, name, file) in [
        ("okx", "okx/books_trades_tickers_20220513", "ws.jsonl"),
        ("bybit", "bybit/v5_linear_orderbook200_20260809", "ws.jsonl"),
        ("coinbase", "coinbase/advanced_l2_20260809", "ws_full.jsonl.gz"),
    ] {
        let file = folder.join(name).join(file);
        let (kind, recording) = VenueKind::recording(&file, Some(kind)).unwrap();
        let found = kind.conformance(&recording);
        assert!(found.counters.identity_holds() && found.counters.gaps == 0, "{name}: {found:?}");
        assert_eq!(found.counters.refused, 0, "{name}: {:?}", found.refusals);
        let marks = if kind.name == "bybit" { Some(&140) } else { None };
        assert_eq!(found.events.get("mark_price"), marks, "{name}");
        let expected = expected(&folder)[name].to_string();
        for book in &found.books {
            assert!(expected.contains(&book.summary.sha256), "{name} {}", book.native);
        }
    }
}
