//! Frames of the venue's pages, and what is wrong with others.

use super::*;
use crate::event::Side;

/// What a frame became, in words.
#[derive(Default)]
struct Words(Vec<String>);

impl MarketSink for Words {
    fn take(&mut self, message: MarketMessage<'_>) {
        self.0.push(match message {
            MarketMessage::Quote { quote, .. } => format!("quote {}", quote.bid_price),
            MarketMessage::Trade { trade_id, trade, .. } => {
                let side = if trade.buy_qty > 0 { Side::Buy } else { Side::Sell };
                format!("trade {trade_id} {side:?} {}", trade.buy_qty + trade.sell_qty)
            }
            MarketMessage::Bar { bar, .. } => format!("bar {}", bar.closed),
            MarketMessage::Book { book, .. } => {
                format!("book {} {}+{}", book.last_update_id, book.bids.len(), book.asks.len())
            }
            MarketMessage::Depth { diff, .. } => {
                format!("diff {}->{}", diff.previous_update_id, diff.final_update_id)
            }
            other => format!("{other:?}"),
        });
    }
}

fn decoder() -> MarketDecoder {
    MarketDecoder::new(SymbolMap::of_test(&["BTC-USD".to_owned()]), 16 << 20)
}

fn frame(channel: &str, number: u64, events: &str) -> String {
    format!(
        r#"{{"channel":"{channel}","client_id":"","timestamp":"2026-08-09T21:05:48.5Z","sequence_num":{number},"events":[{events}]}}"#
    )
}

fn book(number: u64, kind: &str, updates: &str) -> String {
    let event = format!(r#"{{"type":"{kind}","product_id":"BTC-USD","updates":[{updates}]}}"#);
    frame("l2_data", number, &event)
}

fn words(decoder: &mut MarketDecoder, frame: &str) -> Result<Vec<String>, DecodeError> {
    let mut words = Words::default();
    decoder.decode(frame.as_bytes(), &mut words)?;
    while decoder.is_unfinished() {
        decoder.decode(frame.as_bytes(), &mut words)?;
    }
    Ok(words.0)
}

const BID: &str =
    r#"{"side":"bid","event_time":"2026-08-09T21:05:48Z","price_level":"1.5","new_quantity":"2"}"#;

#[test]
fn the_last_number_of_all_is_refused() {
    // Found by fuzzing: the number behind it was an overflow.
    let refused = words(&mut decoder(), &book(u64::MAX, "snapshot", BID)).unwrap_err();
    assert_eq!(refused.reason, LetterReason::Nonsense);
    assert!(words(&mut decoder(), &book(u64::MAX - 1, "snapshot", BID)).is_ok());
}

#[test]
fn changes_of_a_book_are_linked_and_a_lost_frame_is_a_gap() {
    let mut decoder = decoder();
    let mut words = |frame: String| words(&mut decoder, &frame).unwrap();
    assert_eq!(words(book(0, "snapshot", BID)), ["book 1 1+0"]);
    assert_eq!(words(frame("heartbeats", 1, "{}")), ["KeptAlive"]);
    assert_eq!(words(book(2, "update", "")), ["diff 1->3"]);
    assert_eq!(words(book(4, "update", BID)), ["Gap", "diff 3->5"]);
    assert_eq!(words(frame("subscriptions", 5, "{}")), ["NextReply { error: None }"]);
}

#[test]
fn a_number_again_is_refused_until_the_next_connection() {
    let mut decoder = decoder();
    words(&mut decoder, &book(7, "snapshot", BID)).unwrap();
    let refused = words(&mut decoder, &book(7, "update", BID)).unwrap_err();
    assert_eq!(refused.reason, LetterReason::Nonsense);
    decoder.restart();
    assert_eq!(words(&mut decoder, &book(0, "snapshot", BID)).unwrap(), ["book 1 1+0"]);
}

#[test]
fn trades_are_told_oldest_first_with_the_side_of_the_taker() {
    let trade = |id: usize, side: &str| {
        format!(
            r#"{{"product_id":"BTC-USD","trade_id":"{id}","price":"1.5","size":"1","time":"2026-08-09T21:05:48Z","side":"{side}"}}"#
        )
    };
    let event = |kind: &str, trades: &[String]| {
        frame(
            "market_trades",
            0,
            &format!(r#"{{"type":"{kind}","trades":[{}]}}"#, trades.join(",")),
        )
    };
    let two = [trade(9, "BUY"), trade(8, "SELL")];
    let one = 10_i64.pow(u32::from(decoder().state.symbols.at(0).unwrap().scales.qty));
    let told = words(&mut decoder(), &event("update", &two)).unwrap();
    assert_eq!(told, [format!("trade 8 Buy {one}"), format!("trade 9 Sell {one}")]);
    assert_eq!(words(&mut decoder(), &event("snapshot", &two)).unwrap(), [""; 0]);
    let many: Vec<_> = (1..=70).rev().map(|id| trade(id, "BUY")).collect();
    let told = words(&mut decoder(), &event("update", &many)).unwrap();
    assert_eq!(told.len(), MarketDecoder::EVENTS_MAX);
    assert_eq!(told[63], format!("trade 70 Sell {}", 7 * one));
    assert!(words(&mut decoder(), &event("update", &[trade(1, "UNKNOWN")])).is_err());
}

#[test]
fn a_bar_is_closed_when_it_is_told_after_its_end() {
    let bar = |start: &str| {
        let candle = format!(
            r#"{{"start":"{start}","high":"2","low":"1","open":"1","close":"2","volume":"3","product_id":"BTC-USD"}}"#
        );
        let event = format!(r#"{{"type":"update","candles":[{candle}]}}"#);
        words(&mut decoder(), &frame("candles", 0, &event)).unwrap()
    };
    assert_eq!(
        (bar("1786309500"), bar("1786309200")),
        (vec!["bar 0".into()], vec!["bar 1".into()])
    );
}

#[test]
fn a_long_book_that_is_written_in_another_way_is_read_in_one_go() {
    let levels = |space: &str| {
        let level = |n: usize| {
            format!(
                r#"{{"side":"bid",{space}"event_time":"2026-08-09T21:05:48.170326Z","price_level":"{}.5","new_quantity":"2"}}"#,
                5_000 - n
            )
        };
        (0..4_200).map(level).collect::<Vec<_>>().join(",")
    };
    for (space, pieces) in [("", 2), (" ", 1)] {
        let mut decoder = decoder();
        let text = book(3, "snapshot", &levels(space));
        let mut told = Words::default();
        let mut calls = 0;
        while calls == 0 || decoder.is_unfinished() {
            decoder.decode(text.as_bytes(), &mut told).unwrap();
            calls += 1;
        }
        assert_eq!((calls, told.0), (pieces, vec!["book 4 4200+0".to_owned()]), "{space:?}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_reason_and_names_its_book() {
    let unknown = book(0, "update", &BID.replace("bid", "ask"));
    let negative = book(0, "update", &BID.replace("\"2\"", "\"-2\""));
    let no_time = book(0, "update", BID).replace("timestamp", "at");
    for (frame, reason, is_of_book) in [
        (unknown, LetterReason::Unknown, true),
        (negative, LetterReason::Nonsense, true),
        (no_time, LetterReason::Field, true),
        (book(0, "replay", BID), LetterReason::Unknown, true),
        (book(0, "update", BID).replace("BTC-USD", "DOGE-USD"), LetterReason::Symbol, false),
        (frame("ticker_batch", 0, "{}"), LetterReason::Unknown, false),
        (r#"{"hello":1}"#.to_owned(), LetterReason::Unknown, false),
        (book(0, "update", BID).replace(":0,", ":\"0\","), LetterReason::Field, false),
    ] {
        let error = words(&mut decoder(), &frame).unwrap_err();
        assert_eq!((error.reason, error.book.is_some()), (reason, is_of_book), "{error}: {frame}");
    }
    let error = words(&mut decoder(), r#"{"type":"error","message":"no"}"#).unwrap();
    assert_eq!(error, ["NextReply { error: Some(0) }"]);
}
