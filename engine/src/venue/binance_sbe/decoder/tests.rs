//! Frames by hand: bytes as the schema lays them out.

use proptest::prelude::*;

use super::*;
use crate::event::{InstrumentId, Trade};

const FRAME_BYTES_MAX: usize = 1 << 20;

/// Bytes in a row.
#[derive(Clone, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn header(block: u16, template: u16) -> Bytes {
        Bytes::default().u16(block).u16(template).u16(1).u16(0)
    }

    fn put(mut self, bytes: &[u8]) -> Bytes {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u8(self, number: u8) -> Bytes {
        self.put(&[number])
    }

    fn i8(self, number: i8) -> Bytes {
        self.put(&number.to_le_bytes())
    }

    fn u16(self, number: u16) -> Bytes {
        self.put(&number.to_le_bytes())
    }

    fn u32(self, number: u32) -> Bytes {
        self.put(&number.to_le_bytes())
    }

    fn i64(self, number: i64) -> Bytes {
        self.put(&number.to_le_bytes())
    }

    fn name(self, name: &str) -> Bytes {
        self.u8(name.len() as u8).put(name.as_bytes())
    }
}

/// Best bid 1.50 of 2, best ask 1.60 of 3, update 7, at 9 us.
fn best_frame() -> Bytes {
    let numbers = [150_000_000, 200_000_000, 160_000_000, 300_000_000];
    let start = Bytes::header(50, 10_001).i64(9).i64(7).i8(-8).i8(-8);
    numbers.into_iter().fold(start, Bytes::i64).name("BTCUSDT")
}

/// Trades of 2 at 1.50, numbered from 7.
fn trades_frame(count: u32, maker: u8) -> Bytes {
    let start = Bytes::header(18, 10_000).i64(9).i64(8).i8(-2).i8(0).u16(25).u32(count);
    let trade = |frame: Bytes, n: u32| frame.i64(7 + i64::from(n)).i64(150).i64(2).u8(maker);
    (0..count).fold(start, trade).name("BTCUSDT")
}

/// Updates 5 to 7: bids 1.50 of 2 and 1.40 gone, ask 1.60 of 3.
fn diff_frame() -> Bytes {
    let start = Bytes::header(26, 10_003).i64(9).i64(5).i64(7).i8(-2).i8(-5);
    let bids = start.u16(16).u16(2).i64(150).i64(200_000).i64(140).i64(0);
    bids.u16(16).u16(1).i64(160).i64(300_000).name("BTCUSDT")
}

fn snapshot_frame() -> Bytes {
    let start = Bytes::header(18, 10_002).i64(9).i64(7).i8(-2).i8(-5);
    let bids = start.u16(16).u16(1).i64(150).i64(200_000);
    bids.u16(16).u16(1).i64(160).i64(300_000).name("BTCUSDT")
}

fn frames() -> Vec<Vec<u8>> {
    [best_frame(), trades_frame(3, 0), diff_frame(), snapshot_frame()].map(|of| of.0).to_vec()
}

fn decoder() -> SbeDecoder {
    SbeDecoder::new(SymbolMap::of_test(&["BTCUSDT"]), FRAME_BYTES_MAX)
}

/// Trades, and all else in words.
#[derive(Default)]
struct Told {
    trades: Vec<(u64, i64, Trade)>,
    words: Vec<String>,
}

impl MarketSink for Told {
    fn take(&mut self, message: MarketMessage<'_>) {
        match message {
            MarketMessage::Trade { trade_id, venue_time_ns, trade, .. } => {
                self.trades.push((trade_id, venue_time_ns, trade));
            }
            other => self.words.push(format!("{other:?}")),
        }
    }
}

fn told(frame: &[u8]) -> Result<Told, DecodeError> {
    let mut told = Told::default();
    decoder().decode(frame, &mut told)?;
    Ok(told)
}

fn refused(frame: &[u8]) -> DecodeError {
    told(frame).err().unwrap()
}

fn reason(frame: &[u8]) -> LetterReason {
    refused(frame).reason
}

/// The frame with these bytes at this place.
fn with(frame: &Bytes, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = frame.0.clone();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    assert_ne!(changed, frame.0);
    changed
}

#[test]
fn each_template_is_read_in_the_instruments_scales() {
    let quote = &told(&best_frame().0).unwrap().words[0];
    assert!(quote.contains("update_id: 7, venue_time_ns: 9000, quote: Quote { bid_price: 150,"));
    assert!(quote.contains("bid_qty: 200000, ask_price: 160, ask_qty: 300000 }"), "{quote}");

    for (maker, is_buy) in [(0, true), (1, false)] {
        let [(id, time_ns, trade)] = told(&trades_frame(1, maker).0).unwrap().trades[..] else {
            panic!("a trade")
        };
        assert_eq!((id, time_ns, trade.last_price), (7, 9_000, 150));
        assert_eq!(trade.buy_qty, if is_buy { 200_000 } else { 0 });
    }

    let diff = &told(&diff_frame().0).unwrap().words[0];
    assert!(diff.contains("first_update_id: 5, final_update_id: 7, previous_update_id: 0"));
    let bids = "bids: [Level { price: 150, qty: 200000 }, Level { price: 140, qty: 0 }]";
    assert!(diff.contains(bids) && diff.contains("asks: [Level { price: 160, qty: 300000 }]"));

    let book = &told(&snapshot_frame().0).unwrap().words[0];
    assert!(book.starts_with("Book") && book.contains("last_update_id: 7, venue_time_ns: 9000"));
}

#[test]
fn many_trades_are_told_in_parts_and_each_once() {
    let frame = trades_frame(150, 0).0;
    let mut decoder = decoder();
    let mut told = Told::default();
    let mut parts = Vec::new();
    loop {
        decoder.decode(&frame, &mut told).unwrap();
        parts.push(told.trades.len());
        if !decoder.is_unfinished() {
            break;
        }
    }
    assert_eq!(parts, [64, 128, 150]);
    let ids: Vec<_> = told.trades.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, (7..157).collect::<Vec<_>>());
    decoder.decode(&trades_frame(64, 0).0, &mut told).unwrap();
    assert!(!decoder.is_unfinished());
}

#[test]
fn a_frame_that_was_begun_is_forgotten_with_its_connection() {
    let mut decoder = decoder();
    let mut told = Told::default();
    decoder.decode(&trades_frame(65, 0).0, &mut told).unwrap();
    assert!(decoder.is_unfinished());
    decoder.restart();
    decoder.decode(&trades_frame(2, 0).0, &mut told).unwrap();
    assert_eq!(told.trades.len(), 66);
}

#[test]
fn one_trade_that_is_refused_takes_all_of_its_frame_with_it() {
    let frame = trades_frame(3, 0);
    let last_price = 8 + 18 + 6 + 2 * 25 + 8;
    let mut told = Told::default();
    let error = decoder().decode(&with(&frame, last_price, &[0; 8]), &mut told).unwrap_err();
    assert_eq!((error.reason, told.trades.len()), (LetterReason::Nonsense, 0));
    assert_eq!(reason(&trades_frame(0, 0).0), LetterReason::Nonsense);
    assert_eq!(refused(&trades_frame(1, 255).0).detail, "truth value not known");
}

#[test]
fn longer_blocks_and_entries_are_passed_over() {
    let tail = [0xEE; 5];
    let longer = Bytes::default().u16(55).u16(10_001).u16(1).u16(1);
    let longer = longer.put(&best_frame().0[8..58]).put(&tail).name("BTCUSDT").put(&tail);
    let plain = told(&best_frame().0).unwrap().words;
    assert_eq!(told(&longer.0).unwrap().words, plain);

    let start = Bytes::header(26, 10_003).i64(9).i64(5).i64(7).i8(-2).i8(-5);
    let bids = start.u16(21).u16(2).i64(150).i64(200_000).put(&tail);
    let bids = bids.i64(140).i64(0).put(&tail);
    let diff = bids.u16(21).u16(1).i64(160).i64(300_000).put(&tail).name("BTCUSDT");
    assert_eq!(told(&diff.0).unwrap().words, told(&diff_frame().0).unwrap().words);
}

#[test]
fn what_is_shorter_than_its_fields_is_refused() {
    for (frame, short) in [(best_frame(), 49), (diff_frame(), 25), (trades_frame(1, 0), 17)] {
        assert_eq!(reason(&with(&frame, 0, &[short, 0])), LetterReason::Field);
    }
    assert_eq!(reason(&with(&diff_frame(), 8 + 26, &[15, 0])), LetterReason::Field);
    // A group without entries may say any length.
    let empty = Bytes::header(26, 10_003).i64(9).i64(5).i64(7).i8(-2).i8(-5);
    let empty = empty.u16(0).u16(0).u16(0).u16(0).name("BTCUSDT");
    assert!(told(&empty.0).is_ok());
}

#[test]
fn every_cut_is_malformed_and_so_is_what_stands_behind() {
    for frame in frames() {
        for end in 0..frame.len() {
            assert_eq!(reason(&frame[..end]), LetterReason::Malformed, "{end}");
        }
        assert_eq!(reason(&[&frame[..], &[0]].concat()), LetterReason::Malformed);
    }
    let many = with(&trades_frame(1, 0), 8 + 18 + 2, &u32::MAX.to_le_bytes());
    assert_eq!(reason(&many), LetterReason::Malformed);
    let oversize = [&best_frame().0[..], &vec![0; FRAME_BYTES_MAX]].concat();
    assert_eq!(reason(&oversize), LetterReason::Oversize);
    let start = Bytes::header(26, 10_003).i64(9).i64(5).i64(7).i8(-2).i8(-5);
    let levels = DIFF_LEVELS_MAX as u16 + 1;
    let long = (0..levels).fold(start.u16(16).u16(levels), |frame, _| frame.i64(150).i64(1));
    let long = long.u16(16).u16(0).name("BTCUSDT");
    assert_eq!(reason(&long.0), LetterReason::Oversize);
}

#[test]
fn what_is_not_known_is_an_error_and_never_a_default() {
    let frame = best_frame();
    assert_eq!(refused(&with(&frame, 2, &10_004u16.to_le_bytes())).detail, "template not known");
    assert_eq!(refused(&with(&frame, 4, &3u16.to_le_bytes())).detail, "schema not known");
    assert_eq!(reason(&with(&frame, 8 + 50 + 1, b"ETH")), LetterReason::Symbol);
    assert_eq!(reason(&with(&frame, 8 + 50 + 1, &[0x80])), LetterReason::Symbol);
}

#[test]
fn nothing_is_rounded_and_nonsense_is_refused() {
    // F17
    let frame = best_frame();
    let bid_price = 8 + 18;
    let exact = |number: i64| with(&frame, bid_price, &number.to_le_bytes());
    assert!(told(&exact(151_000_000)).is_ok());
    let error = refused(&exact(150_500_000));
    assert_eq!(error.detail, "more decimal places than the instrument's scale");
    assert_eq!(reason(&exact(-150_000_000)), LetterReason::Nonsense);
    assert_eq!(reason(&exact(0)), LetterReason::Nonsense);
    assert_eq!(reason(&exact(160_000_000)), LetterReason::Nonsense);
    assert_eq!(reason(&exact(i64::MIN)), LetterReason::Number);
    assert_eq!(reason(&with(&frame, 8 + 16, &[100])), LetterReason::Number);
    assert_eq!(reason(&with(&frame, 8 + 16, &[-100_i8 as u8])), LetterReason::Number);
    assert_eq!(reason(&with(&frame, 8, &[0xFF; 8])), LetterReason::Number);
    assert_eq!(reason(&with(&frame, 8, &i64::MAX.to_le_bytes())), LetterReason::Number);
    assert_eq!(reason(&with(&frame, 16, &[0xFF; 8])), LetterReason::Number);
    let diff = diff_frame();
    assert_eq!(reason(&with(&diff, 16, &[8])), LetterReason::Nonsense);
    let first_bid = 8 + 26 + 4;
    assert_eq!(reason(&with(&diff, first_bid, &[0; 8])), LetterReason::Nonsense);
    assert_eq!(reason(&with(&diff, first_bid + 8, &[0xFF; 8])), LetterReason::Nonsense);
}

#[test]
fn a_refused_diff_names_its_book_and_nothing_else_does() {
    let first_bid = 8 + 26 + 4;
    let refused_book = |frame: &[u8]| refused(frame).book;
    assert_eq!(refused_book(&with(&diff_frame(), first_bid, &[0; 8])), Some(InstrumentId(0)));
    assert_eq!(refused_book(&with(&diff_frame(), 16, &[8])), Some(InstrumentId(0)));
    assert_eq!(refused_book(&diff_frame().0[..60]), None);
    assert_eq!(refused_book(&with(&best_frame(), 8 + 18, &[0; 8])), None);
}

#[test]
fn answers_and_the_notice_of_an_end_come_as_text_and_nothing_else_does() {
    let reply = &told(br#"{"result":null,"id":1}"#).unwrap().words[0];
    assert_eq!(reply, "Reply { id: 1, error: None }");
    let error = &told(br#"{"error":{"code":2,"msg":"Invalid request"},"id":5}"#).unwrap().words[0];
    assert_eq!(error, "Reply { id: 5, error: Some(2) }");
    let notice = &told(br#"{"e":"serverShutdown","E":1770123456789}"#).unwrap().words[0];
    assert_eq!(notice, "Shutdown");
    let ticker = br#"{"u":7,"s":"BTCUSDT","b":"1.50","B":"2","a":"1.60","A":"3"}"#;
    assert_eq!(refused(ticker).detail, "market data in text");
    assert_eq!(reason(b"{}"), LetterReason::Unknown);
    // A block of this length begins like a text.
    let long = Bytes::default().u16(u16::from(b'{')).u16(10_001).u16(1).u16(1);
    let long = long.put(&best_frame().0[8..58]).put(&[0; 73]).name("BTCUSDT");
    assert_eq!(told(&long.0).unwrap().words, told(&best_frame().0).unwrap().words);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(frame in prop::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = told(&frame);
    }

    #[test]
    fn a_changed_frame_never_panics_and_leaves_the_decoder_whole(
        original in prop::sample::select(frames()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut frame = original.clone();
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        frame.truncate(cut.index(frame.len()) + 1);
        let mut decoder = decoder();
        let _outcome = decoder.decode(&frame, &mut Told::default());
        prop_assert!(decoder.decode(&original, &mut Told::default()).is_ok());
    }
}
