//! A protocol that tells its books in the stream, with checksums, counts all frames of a
//! connection, and keeps alive by a text: what the agents do for such a venue, by the smallest one
//! that can be.
//!
//! Its frames are texts of words:
//! ```text
//! pong                                        ok ID        no ID CODE
//! #FRAME book SYMBOL LAST CHECKSUM BIDS ASKS  #FRAME diff SYMBOL PREVIOUS LAST CHECKSUM BIDS ASKS
//! ```
//! Levels are `PRICE:QTY,PRICE:QTY`, `-` is none.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use pitlane_engine::event::{
    Book, BookState, BookStatus, BookStatusReason, EventKind, Level, Side, parse_scaled,
};
use pitlane_engine::venue::book::{BookRule, Diff, L2Book};
use pitlane_engine::venue::codec::DecodeError;
use pitlane_engine::venue::governor::{Counted, Limit};
use pitlane_engine::venue::market::RefreshPace;
use pitlane_engine::venue::protocol::{
    BookChecksum, KeepAlive, MarketMessage, MarketProtocol, MarketSink, SnapshotFrom, TimeRequest,
    VenueLimits, WholeBook,
};
use pitlane_engine::venue::{LetterReason, Scales, StreamOrder, StreamOrders, Symbol, SymbolMap};

use crate::feed::{Feed, FeedOptions};
use crate::harness::{MS, Patience, keep_log, logged};
use crate::raw::{Peer, RawServer, text};

const SCALES: Scales = Scales { price: 2, qty: 5 };
const COUNTED: &[Limit] =
    &[Limit { counts: Counted::Weight, amount: 1_000, window_ns: 60_000_000_000 }];

/// The protocol.
struct Plain {
    symbols: SymbolMap,
    bids: Vec<Level>,
    asks: Vec<Level>,
    /// Number of the last frame.
    frame: Option<u64>,
}

impl MarketProtocol for Plain {
    const ORDERS: StreamOrders = StreamOrders {
        quote: StreamOrder::Unsequenced,
        trade: StreamOrder::Unsequenced,
        book: StreamOrder::Unsequenced,
        bar: StreamOrder::Unsequenced,
    };
    const BOOK_RULE: BookRule = BookRule::Linked;
    const SNAPSHOT: SnapshotFrom = SnapshotFrom::InBand;
    const CHECKSUM: Option<BookChecksum> = Some(checksum);
    const KEEP_ALIVE: KeepAlive = KeepAlive::Text("ping");
    const EVENTS_MAX: usize = 2;
    const LIMITS: VenueLimits = VenueLimits {
        topics_per_connection: 100,
        topics_per_request: 10,
        messages_per_s: 5,
        subscribe_interval_ns: 1_000_000,
        counted: COUNTED,
    };
    const TIME: Option<TimeRequest> = None;

    fn new(symbols: SymbolMap, _frame_bytes_max: usize) -> Plain {
        Plain { symbols, bids: Vec::new(), asks: Vec::new(), frame: None }
    }

    fn on_open(&mut self) {
        self.frame = None;
    }

    fn topic(native: &str, kind: EventKind) -> Option<String> {
        (kind == EventKind::Book).then(|| format!("book.{native}"))
    }

    fn request(word: &str, topics: &[String], id: u64, out: &mut String) {
        out.push_str(&format!("{word} {id} {}", topics.join(" ")));
    }

    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        let text = std::str::from_utf8(frame).map_err(|_| DecodeError::malformed("no text"))?;
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["pong"] => sink.take(MarketMessage::KeptAlive),
            ["ok", id] => sink.take(MarketMessage::Reply { id: number(id)?, error: None }),
            ["no", id, code] => {
                let error = Some(number(code)? as i32);
                sink.take(MarketMessage::Reply { id: number(id)?, error });
            }
            [at, "book", native, last, sum, bids, asks] => {
                self.count(at, sink)?;
                let symbol = self.take_levels(native, bids, asks)?;
                let (last_update_id, checksum) = (number(last)?, Some(number(sum)? as u32));
                let (bids, asks) = (&self.bids[..], &self.asks[..]);
                let book = WholeBook { last_update_id, venue_time_ns: 0, bids, asks, checksum };
                sink.take(MarketMessage::Book { symbol, book });
            }
            [at, "diff", native, previous, last, sum, bids, asks] => {
                self.count(at, sink)?;
                let symbol = self.take_levels(native, bids, asks)?;
                let final_update_id = number(last)?;
                let diff = Diff {
                    first_update_id: final_update_id,
                    final_update_id,
                    previous_update_id: number(previous)?,
                    checksum: Some(number(sum)? as u32),
                    venue_time_ns: 0,
                    bids: &self.bids,
                    asks: &self.asks,
                };
                sink.take(MarketMessage::Depth { symbol, diff });
            }
            _ => return Err(DecodeError::malformed("no frame of this protocol")),
        }
        Ok(())
    }
}

impl Plain {
    /// Takes a frame's number: those of a connection follow each other.
    fn count(&mut self, word: &str, sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        let frame = number(word.trim_start_matches('#'))?;
        if self.frame.is_some_and(|last| frame != last + 1) {
            sink.take(MarketMessage::Gap);
        }
        self.frame = Some(frame);
        Ok(())
    }

    fn take_levels(&mut self, native: &str, bids: &str, asks: &str) -> Result<Symbol, DecodeError> {
        let symbol = self
            .symbols
            .lookup(native.as_bytes())
            .ok_or(DecodeError::malformed("no such symbol"))?;
        let in_book = |error| DecodeError { book: Some(symbol.instrument), ..error };
        read_levels(bids, &mut self.bids).map_err(in_book)?;
        read_levels(asks, &mut self.asks).map_err(in_book)?;
        Ok(symbol)
    }
}

fn number(word: &str) -> Result<u64, DecodeError> {
    word.parse().map_err(|_| DecodeError::malformed("no number"))
}

fn read_levels(word: &str, into: &mut Vec<Level>) -> Result<(), DecodeError> {
    into.clear();
    for level in word.split(',').filter(|_| word != "-") {
        let scaled = |text: &str, scale| parse_scaled(text.as_bytes(), scale).ok();
        let level = level.split_once(':').and_then(|(price, qty)| {
            Some(Level { price: scaled(price, SCALES.price)?, qty: scaled(qty, SCALES.qty)? })
        });
        into.push(level.ok_or(DecodeError::malformed("no level"))?);
    }
    Ok(())
}

fn checksum(book: &L2Book, _scales: Scales) -> u32 {
    let levels = book.best(Side::Buy).chain(book.best(Side::Sell));
    sum(levels.map(|level| (level.price, level.qty)))
}

fn sum(levels: impl Iterator<Item = (i64, i64)>) -> u32 {
    levels.fold(7, |sum, (price, qty)| {
        sum.wrapping_mul(31).wrapping_add((price ^ qty.rotate_left(7)) as u32)
    })
}

/// Bid 99.00 and ask 101.00, one lot each, and bid 100.00 with this many lots; 0 is none.
fn right_sum(lots: i64) -> u32 {
    const LOT: i64 = 100_000;
    let best = (lots > 0).then_some((10_000, lots * LOT));
    sum(best.into_iter().chain([(9_900, LOT), (10_100, LOT)]))
}

fn book(frame: u64, last: u64) -> String {
    format!("#{frame} book BTCUSDT {last} {} 99:1 101:1", right_sum(0))
}

/// Sets bid 100.00 to so many lots.
fn diff(frame: u64, (previous, last): (u64, u64), lots: i64) -> String {
    format!("#{frame} diff BTCUSDT {previous} {last} {} 100:{lots} -", right_sum(lots))
}

/// A server whose frames are sent one by one, and that answers what it is asked.
struct Venue {
    say: Sender<String>,
    heard: Arc<Mutex<Vec<String>>>,
    /// Dropped with the one above: then the server's frames are over.
    _answers: Arc<Mutex<Sender<String>>>,
    server: RawServer,
}

type Answer = fn(&str) -> Option<String>;

/// Confirms subscriptions and answers pings.
fn obliging(request: &str) -> Option<String> {
    match request.split(' ').collect::<Vec<_>>()[..] {
        ["ping"] => Some("pong".to_owned()),
        ["subscribe", id, ..] => Some(format!("ok {id}")),
        _ => None,
    }
}

impl Venue {
    fn start(answer: Answer) -> Venue {
        let (say, frames): (Sender<String>, Receiver<String>) = channel();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (hears, answers) = (Arc::clone(&heard), Arc::new(Mutex::new(say.clone())));
        let weak = Arc::downgrade(&answers);
        let server = RawServer::start(move |_, peer| {
            peer.shake_hands()?;
            let mut reader = Peer::new(peer.stream.try_clone()?);
            let (hears, answers) = (Arc::clone(&hears), weak.clone());
            std::thread::spawn(move || {
                while let Ok(request) = reader.read_text() {
                    let reply = answer(&request);
                    hears.lock().unwrap().push(request);
                    if let (Some(reply), Some(say)) = (reply, answers.upgrade()) {
                        let _gone = say.lock().unwrap().send(reply);
                    }
                }
            });
            while let Ok(frame) = frames.recv() {
                peer.send(&text(&frame))?;
            }
            Ok(())
        });
        Venue { say, heard, _answers: answers, server }
    }

    fn say(&self, frame: &str) {
        self.say.send(frame.to_owned()).unwrap();
    }

    fn heard(&self, request: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|one| one.starts_with(request)).count()
    }

    fn feed(&self, options: &FeedOptions) -> Feed<Plain> {
        Feed::new(self.server.address, self.server.address, options)
    }

    /// A feed with a live book.
    fn live(&self) -> Feed<Plain> {
        let mut feed = self.feed(&FeedOptions::default());
        self.say(&book(1, 50));
        feed.drive_to_live_book(0);
        feed
    }

    /// Runs until the venue has heard a request so many times.
    fn drive_to(&self, feed: &mut Feed<Plain>, request: &str, times: usize) {
        let patience = Patience::new();
        while self.heard(request) < times {
            assert!(!patience.is_over(), "{request} did not come: {:?}", self.heard);
            feed.turn();
        }
    }
}

fn states(feed: &Feed<Plain>) -> Vec<(BookStatus, BookStatusReason)> {
    let states: Vec<BookState> = feed.seen().all();
    states.iter().map(|state| (state.status().unwrap(), state.reason().unwrap())).collect()
}

fn last_bid(feed: &Feed<Plain>) -> (i64, i64) {
    let bid = feed.seen().all::<Book>().last().unwrap().bids[0];
    (bid.price, bid.qty)
}

const SYNCED: (BookStatus, BookStatusReason) = (BookStatus::Live, BookStatusReason::Synced);
/// The request that has the book of slot 0 told again.
const AGAIN: &str = "subscribe 4294967296 book.BTCUSDT";

#[test]
fn a_book_in_the_stream_is_live_at_once_and_follows_its_diffs() {
    let venue = Venue::start(obliging);
    let mut feed = venue.live();
    venue.say(&diff(2, (50, 57), 3));
    // Numbers that start again are a chain all the same; one that changes nothing is a sign of
    // life.
    venue.say(&diff(3, (57, 2), 4));
    venue.say(&format!("#4 diff BTCUSDT 2 2 {} - -", right_sum(4)));
    venue.say(&diff(5, (2, 9), 5));
    feed.drive("the diffs", |seen, _| seen.events.last().is_some_and(|e| e.sequence == 9));
    assert_eq!((last_bid(&feed), states(&feed)), ((10_000, 500_000), vec![SYNCED]));
    // The venue starts over: a book that is live stays it.
    venue.say(&book(6, 200));
    feed.drive("the new book", |seen, _| seen.events.last().is_some_and(|e| e.sequence == 200));
    assert_eq!((last_bid(&feed), states(&feed)), ((9_900, 100_000), vec![SYNCED]));
    feed.assert_sound();
    assert_eq!((feed.counters().snapshots, venue.heard("unsubscribe")), (0, 0), "never asked for");
}

#[test]
fn a_text_keeps_the_connection_alive_and_its_answer_counts_as_no_data() {
    let venue = Venue::start(obliging);
    let mut options = FeedOptions::default();
    (options.limits.ping_interval_ns, options.limits.idle_ns) = (40 * MS, 400 * MS);
    let mut feed = venue.feed(&options);
    feed.drive("twenty answers", |_, counters| counters.control > 20);
    assert!(venue.heard("ping") >= 20);
    let counters = feed.counters();
    assert_eq!((counters.reconnects, counters.decoded, counters.refused), (0, 0, 0));
    feed.assert_sound();
}

#[test]
fn a_venue_that_answers_no_text_is_left() {
    fn mute(request: &str) -> Option<String> {
        obliging(request).filter(|reply| reply != "pong")
    }
    let venue = Venue::start(mute);
    let mut options = FeedOptions { name: "no-pong".to_owned(), ..FeedOptions::default() };
    (options.limits.ping_interval_ns, options.limits.idle_ns) = (40 * MS, 400 * MS);
    keep_log();
    let mut feed = venue.feed(&options);
    feed.drive("the end", |_, counters| counters.reconnects == 1);
    assert!(venue.heard("ping") >= 1 && logged(&["[no-pong]", "(code: idle)"]));
}

/// What spoils a book, and what is said of it; the venue is asked to tell it again, and it heals.
fn heals_by_being_told_again(spoiling: &str, reason: BookStatusReason) -> Feed<Plain> {
    let venue = Venue::start(obliging);
    // As few messages as a venue may take: the second request has to wait for the first.
    let mut options = FeedOptions::default();
    options.limits.messages_per_s = Some(5);
    // Pings are as rare as they are in a run, and leave room.
    (options.limits.ping_interval_ns, options.limits.idle_ns) = (5_000 * MS, 20_000 * MS);
    let mut feed = venue.feed(&options);
    venue.say(&book(1, 50));
    feed.drive_to_live_book(0);
    venue.say(spoiling);
    venue.drive_to(&mut feed, AGAIN, 1);
    assert_eq!(venue.heard("unsubscribe 4294967296 book.BTCUSDT"), 1);
    assert_eq!(states(&feed), [SYNCED, (BookStatus::Syncing, reason)]);
    // What still comes of the old subscription is of no use.
    venue.say(&diff(3, (60, 61), 9));
    venue.say(&book(4, 70));
    venue.say(&diff(5, (70, 75), 2));
    feed.drive("the diff", |seen, _| seen.events.last().is_some_and(|e| e.sequence == 75));
    assert_eq!(states(&feed), [SYNCED, (BookStatus::Syncing, reason), SYNCED]);
    assert_eq!(last_bid(&feed), (10_000, 200_000));
    feed.assert_sound();
    assert_eq!(venue.heard(AGAIN), 1, "asked once");
    let counters = feed.counters();
    assert_eq!((counters.snapshots, counters.snapshots_answered, counters.reconnects), (1, 1, 0));
    feed
}

#[test]
fn a_hole_in_the_chain_has_the_book_told_again() {
    let feed = heals_by_being_told_again(&diff(2, (55, 60), 3), BookStatusReason::Gap);
    assert_eq!(feed.counters().gaps, 1);
}

#[test]
fn a_wrong_checksum_has_the_book_told_again() {
    let wrong = diff(2, (50, 55), 3).replace(&right_sum(3).to_string(), "12345");
    let feed = heals_by_being_told_again(&wrong, BookStatusReason::Checksum);
    assert_eq!((feed.counters().mismatches, feed.counters().gaps), (1, 0));
}

#[test]
fn a_frame_lost_on_the_connection_has_every_book_told_again() {
    let feed = heals_by_being_told_again("#3 diff BTCUSDT 50 60 0 - -", BookStatusReason::Gap);
    assert_eq!(feed.counters().gaps, 2, "the frame's number, and that of the one made up above");
}

#[test]
fn a_diff_that_can_not_be_read_has_the_book_told_again() {
    let garbled = diff(2, (50, 55), 3).replace("100:3", "100:x");
    let feed = heals_by_being_told_again(&garbled, BookStatusReason::Corrupt);
    assert_eq!(feed.seen().letters_of(LetterReason::Malformed).len(), 1);
}

#[test]
fn a_book_that_is_told_wrong_is_asked_for_again_until_it_is_right() {
    fn refusing(request: &str) -> Option<String> {
        match request.starts_with(AGAIN) {
            true => Some("no 4294967296 7".to_owned()),
            false => obliging(request),
        }
    }
    let venue = Venue::start(refusing);
    let options = FeedOptions { name: "told-wrong".to_owned(), ..FeedOptions::default() };
    keep_log();
    let mut feed = venue.feed(&options);
    venue.say("#1 book BTCUSDT 50 1 99:1 101:1");
    let asked_ns = feed.clock.now_ns();
    // Refused by the venue, it is asked for again; the pace leaves a second between.
    venue.drive_to(&mut feed, AGAIN, 2);
    assert!(feed.clock.now_ns() - asked_ns >= 900 * MS);
    assert!(logged(&["[told-wrong]", "book not told again: refused (code: 7)"]));
    assert!(feed.seen().all::<Book>().is_empty(), "never published");
    venue.say("#2 book BTCUSDT 51 0 103:1 101:1");
    venue.say(&book(3, 60));
    feed.drive_to_live_book(0);
    assert_eq!(feed.counters().mismatches, 1);
    feed.assert_sound();
    let reasons: Vec<_> = states(&feed).into_iter().map(|(_, reason)| reason).collect();
    use BookStatusReason::{Checksum, Crossed, Synced};
    assert_eq!(reasons, [Checksum, Crossed, Synced]);
}

/// A live book, whose turn to be told again comes three times a second.
fn refreshed(venue: &Venue, name: &str) -> Feed<Plain> {
    let mut options = FeedOptions { name: name.to_owned(), ..FeedOptions::default() };
    options.refresh = RefreshPace { every_ns: 10 * MS, pause_ns: 10 * MS };
    let mut feed = venue.feed(&options);
    venue.say(&book(1, 50));
    feed.drive_to_live_book(0);
    venue.drive_to(&mut feed, AGAIN, 1);
    feed
}

#[test]
fn a_live_book_is_told_again_in_turn_and_a_word_goes_out_only_where_it_differs() {
    // LM-07
    keep_log();
    let venue = Venue::start(obliging);
    let mut feed = refreshed(&venue, "refreshed");
    assert_eq!(venue.heard("unsubscribe 4294967296 book.BTCUSDT"), 1);
    venue.say(&book(2, 50));
    venue.drive_to(&mut feed, AGAIN, 2);
    assert_eq!((states(&feed), feed.counters().differing), (vec![SYNCED], 0));
    // Of the same update, and a level that was never told.
    venue.say(&format!("#3 book BTCUSDT 50 {} 100:2,99:1 101:1", right_sum(2)));
    venue.drive_to(&mut feed, AGAIN, 3);
    let differs = (BookStatus::Syncing, BookStatusReason::Differs);
    assert_eq!(states(&feed), [SYNCED, differs, SYNCED]);
    assert_eq!((last_bid(&feed), feed.counters().differing), ((10_000, 200_000), 1));
    assert!(logged(&["[refreshed]", "BTCUSDT was not the venue's: 0.00000 at bid 100.00"]));
    // Of a later one: what changed in between was told to nobody.
    venue.say(&book(4, 60));
    venue.drive_to(&mut feed, AGAIN, 4);
    assert_eq!((last_bid(&feed), feed.counters().differing), ((9_900, 100_000), 1));
    const LOT: i64 = 100_000;
    let sum = sum([(5_000, LOT), (5_100, LOT)].into_iter());
    venue.say(&format!("#5 book BTCUSDT 70 {sum} 50:1 51:1"));
    venue.drive_to(&mut feed, AGAIN, 5);
    assert_eq!(states(&feed), [SYNCED, differs, SYNCED, differs, SYNCED]);
    feed.assert_sound();
    let counters = feed.counters();
    assert!(counters.differing == 2 && counters.refreshes >= 5);
    assert_eq!((counters.snapshots, counters.gaps, counters.reconnects), (0, 0, 0));
}

#[test]
fn a_live_book_that_the_venue_refuses_to_tell_again_is_distrusted_and_asked_for() {
    fn refusing(request: &str) -> Option<String> {
        match request.starts_with(AGAIN) {
            true => Some("no 4294967296 7".to_owned()),
            false => obliging(request),
        }
    }
    let venue = Venue::start(refusing);
    let mut feed = refreshed(&venue, "not-refreshed");
    venue.drive_to(&mut feed, AGAIN, 2);
    let lost = (BookStatus::Syncing, BookStatusReason::Gap);
    assert_eq!(states(&feed), [SYNCED, lost]);
    assert!(feed.counters().snapshots >= 1);
    venue.say(&book(2, 60));
    feed.drive("it heals", |seen, _| seen.events.last().is_some_and(|e| e.sequence == 60));
    assert_eq!(states(&feed), [SYNCED, lost, SYNCED]);
    feed.assert_sound();
}

#[test]
fn after_a_reconnect_the_new_connection_tells_the_book() {
    let venue = RawServer::start(|number, peer| {
        peer.subscribe("ok 1")?;
        peer.send(&text(&book(1, 50 + number as u64)))?;
        match number {
            0 => Ok(()),
            _ => peer.wait_for_end(),
        }
    });
    let mut feed = Feed::<Plain>::new(venue.address, venue.address, &FeedOptions::default());
    feed.drive("both books", |seen, _| seen.events.last().is_some_and(|e| e.sequence == 51));
    let lost = (BookStatus::Syncing, BookStatusReason::Disconnected);
    assert_eq!(states(&feed), [SYNCED, lost, SYNCED]);
    assert_eq!(feed.counters().snapshots, 0, "nothing is asked for");
    feed.assert_sound();
}
