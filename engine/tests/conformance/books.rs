//! Books against faults of the sequence: distrusted within one event, never published until the
//! snapshot, and equal to the venue's own in the end (F18).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pitlane_engine::event::{Book, BookState, BookStatus, BookStatusReason, EventKind};
use pitlane_engine::venue::Scales;
use pitlane_engine::venue::book::L2Book;
use pitlane_engine::venue::market::RefreshPace;
use pitlane_engine::venue::protocol::MarketProtocol;
use pitlane_engine::venue::simulated::{
    Fault, FaultName, FaultPlan, FaultRule, FrameKind, Trigger,
};

use crate::feed::{Feed, FeedOptions, Live};
use crate::harness::{BTC, MS, Patience};
use crate::raw::RawServer;
use crate::subject::Market;

const SCALES: Scales = Scales { price: 2, qty: 5 };
/// Frames a second that leave pauses in which the book is at rest.
const QUIET_RATE: u32 = 25;

/// The venue's own book over REST: its last update and its digest.
fn venues_book<V: Market>(address: SocketAddr) -> (u64, String) {
    let mut socket = TcpStream::connect(address).expect("the venue listens");
    let rest = V::Protocol::SNAPSHOT.rest().expect("it is had over REST");
    let path = (rest.path)("BTCUSDT");
    let request = format!("GET {path} HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("the request is written");
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).expect("the reply is read");
    let head = reply.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let snapshot = (rest.read)(BTC, &reply[head..], SCALES).expect("a snapshot");
    let mut book = L2Book::new(L2Book::LEVELS_MAX_DEFAULT);
    book.load(&snapshot.bids, &snapshot.asks);
    (snapshot.last_update_id, book.digest(SCALES))
}

/// Drives until both books are at the same update, and holds them against each other.
fn assert_equals_the_venues<V: Market>(live: &mut Live<V>) {
    let patience = Patience::new();
    loop {
        assert!(!patience.is_over(), "no update at which both books rest");
        let (venues, digest) = venues_book::<V>(live.venue.address());
        for _ in 0..100 {
            live.feed.turn();
            match live.feed.book() {
                Some((ours, our_digest)) if ours == venues => {
                    assert_eq!(our_digest, digest, "at update {ours}");
                    return;
                }
                Some((ours, _)) if ours > venues => break,
                _ => {}
            }
        }
    }
}

/// The words on the book's state from the fault on.
fn states_after<V: Market>(live: &Live<V>, start: usize) -> Vec<(BookStatus, BookStatusReason)> {
    let seen = live.feed.seen();
    let states = seen.events[start..].iter().filter_map(|event| event.get::<BookState>());
    states.map(|state| (state.status().unwrap(), state.reason().unwrap())).collect()
}

fn fault_of_the_sequence<V: Market>(fault: Fault, is_gap: bool) {
    let plan = FaultPlan::one(fault, Trigger::At(25));
    let mut live = Live::<V>::start(plan, QUIET_RATE, &FeedOptions::default());
    live.feed.drive_to_live_book(5);
    let start = live.feed.seen().events.len();
    assert_eq!(live.report().faults(fault.name()), 0, "the book is live before the fault");
    live.drive_to_fault(fault.name(), 1);
    if is_gap {
        live.feed.drive("the gap", |_, counters| counters.gaps >= 1);
        live.feed.drive_to_live_book(5);
        let gap = (BookStatus::Syncing, BookStatusReason::Gap);
        let synced = (BookStatus::Live, BookStatusReason::Synced);
        assert_eq!(states_after(&live, start), [gap, synced]);
        assert!(live.feed.counters().snapshots >= 2, "a new snapshot");
    } else {
        let books = live.feed.seen().count(EventKind::Book);
        live.feed.drive("more books", |seen, _| seen.count(EventKind::Book) >= books + 3);
        assert_eq!(states_after(&live, start), []);
        assert_eq!((live.feed.counters().gaps, live.feed.counters().snapshots), (0, 1));
    }
    assert_equals_the_venues(&mut live);
    live.feed.assert_sound();
    assert_eq!(live.feed.counters().reconnects, 0);
}

pub fn a_gap_is_healed_by_a_snapshot_and_the_book_is_the_venues<V: Market>() {
    fault_of_the_sequence::<V>(Fault::Gap, true);
}

pub fn a_repeated_diff_changes_nothing<V: Market>() {
    fault_of_the_sequence::<V>(Fault::Duplicate, false);
}

pub fn diffs_out_of_order_are_a_gap<V: Market>() {
    fault_of_the_sequence::<V>(Fault::Reorder, true);
}

pub fn a_lost_connection_makes_the_book_untrusted_until_the_next_snapshot<V: Market>() {
    // F12
    let cut = Fault::Disconnect { after_bytes: 9, reset: true };
    let rule = FaultRule { fault: cut, trigger: Trigger::At(25), only: Some(FrameKind::Depth) };
    let mut live =
        Live::<V>::start(FaultPlan { rules: vec![rule] }, QUIET_RATE, &FeedOptions::default());
    live.feed.drive_to_live_book(5);
    let start = live.feed.seen().events.len();
    live.drive_to_fault(FaultName::Disconnect, 1);
    live.feed.drive("the reconnect", |_, counters| counters.reconnects == 1);
    live.feed.drive_to_live_book(5);
    let lost = (BookStatus::Syncing, BookStatusReason::Disconnected);
    let synced = (BookStatus::Live, BookStatusReason::Synced);
    assert_eq!(states_after(&live, start), [lost, synced]);
    assert_equals_the_venues(&mut live);
    live.feed.assert_sound();
}

pub fn a_snapshot_that_is_refused_is_asked_for_again<V: Market>() {
    let refuse = Fault::RefuseRest { status: 503 };
    let mut live = Live::<V>::start(
        FaultPlan::one(refuse, Trigger::At(1)),
        QUIET_RATE,
        &FeedOptions::default(),
    );
    live.feed.drive_to_live_book(5);
    assert_eq!(live.report().faults(FaultName::RefuseRest), 1);
    assert_eq!((live.feed.counters().snapshots, live.feed.counters().snapshots_answered), (2, 2));
    assert_equals_the_venues(&mut live);
    live.feed.assert_sound();
}

pub fn retry_after_is_waited_for_and_no_request_is_made_twice<V: Market>() {
    // 429: the pace would allow a request a second, the venue says three.
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&asked);
    let rest = RawServer::start(move |number, peer| {
        peer.read_head()?;
        times.lock().unwrap().push(Instant::now());
        let body = V::snapshot(12);
        let head = match number {
            0 => "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 0".to_owned(),
            _ => format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len()),
        };
        let body = if number == 0 { "" } else { &body };
        peer.send(format!("{head}\r\nConnection: close\r\n\r\n{body}").as_bytes())
    });
    let stream = RawServer::start(|_, peer| {
        peer.subscribe(&V::confirmation())?;
        peer.send(&V::sent(&V::diff(10, 12, 1_000)))?;
        peer.send(&V::sent(&V::diff(13, 14, 1_100)))?;
        peer.wait_for_end()
    });
    let mut feed = Feed::<V::Protocol>::new(stream.address, rest.address, &FeedOptions::default());
    feed.drive_to_live_book(0);
    let books: Vec<Book> = feed.seen().all();
    assert_eq!((books.len(), books[0].bids[0].qty), (1, 1_400_000), "snapshot and diff joined");
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked[1] - asked[0] >= Duration::from_secs(3));
    feed.assert_sound();
}

/// A server whose frames are sent one by one.
fn stepped<V: Market>() -> (RawServer, std::sync::mpsc::Sender<String>) {
    let (sender, frames): (_, Receiver<String>) = channel();
    let server = RawServer::start(move |_, peer| {
        peer.subscribe(&V::confirmation())?;
        while let Ok(frame) = frames.recv() {
            peer.send(&V::sent(&frame))?;
        }
        Ok(())
    });
    (server, sender)
}

pub fn a_gap_is_told_with_the_very_frame_that_shows_it<V: Market>() {
    // F18, SC: within one event.
    let rest = RawServer::start(|number, peer| {
        peer.read_head()?;
        let body = V::snapshot(if number == 0 { 12 } else { 22 });
        let length = body.len();
        peer.send(
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .as_bytes(),
        )
    });
    let (stream, sender) = stepped::<V>();
    let mut feed = Feed::<V::Protocol>::new(stream.address, rest.address, &FeedOptions::default());
    let send = |first, last| sender.send(V::diff(first, last, 1_000 + last)).unwrap();
    send(10, 12);
    feed.drive_to_live_book(0);
    send(13, 13);
    feed.drive("the diff", |seen, _| seen.events.last().is_some_and(|e| e.sequence == 13));
    let start = feed.seen().events.len();
    send(15, 16);
    feed.drive("the word", |seen, _| seen.events.len() > start);
    {
        let seen = feed.seen();
        let state = seen.events[start].get::<BookState>().expect("a word on the state, no book");
        assert_eq!(state.reason(), Some(BookStatusReason::Gap));
    }
    send(17, 20);
    send(21, 22);
    feed.drive_to_live_book(0);
    send(23, 23);
    feed.drive("the next book", |seen, _| seen.events.last().is_some_and(|e| e.sequence == 23));
    let last: Book = *feed.seen().all::<Book>().last().unwrap();
    assert_eq!((last.bids[0].price, last.bids[0].qty), (10_000, 2_300_000));
    assert_eq!(last.bids[1].price, 9_900, "levels of the snapshot");
    feed.assert_sound();
    drop(sender);
}

pub fn levels_that_were_lost_without_a_gap_are_found_by_a_refresh_and_healed<V: Market>() {
    // LM-07: no number is missing, so no rule of the sequence can tell.
    let rule = |at| {
        let (fault, trigger) = (Fault::LostLevels, Trigger::At(at));
        FaultRule { fault, trigger, only: None }
    };
    let plan = FaultPlan { rules: (25..125).step_by(10).map(rule).collect() };
    let refresh = RefreshPace { every_ns: 100 * MS, pause_ns: 100 * MS };
    let options = FeedOptions { refresh, ..FeedOptions::default() };
    let mut live = Live::<V>::start(plan, QUIET_RATE, &options);
    live.feed.drive_to_live_book(5);
    let start = live.feed.seen().events.len();
    live.drive_to_fault(FaultName::LostLevels, 10);
    live.feed.drive("the difference", |_, counters| counters.differing >= 1);
    let told = states_after(&live, start);
    assert!(told.contains(&(BookStatus::Syncing, BookStatusReason::Differs)), "{told:?}");
    // Until all of them are found.
    let mut differing = 0;
    while differing != live.feed.counters().differing {
        differing = live.feed.counters().differing;
        live.feed.drive_to_live_book(5);
        let refreshes = live.feed.counters().refreshes;
        live.feed.drive("more refreshes", |_, counters| counters.refreshes >= refreshes + 3);
    }
    let synced = (BookStatus::Live, BookStatusReason::Synced);
    assert_eq!(states_after(&live, start).last(), Some(&synced));
    live.feed.assert_sound();
    assert_eq!((live.feed.counters().gaps, live.feed.counters().reconnects), (0, 0));
}

pub fn a_book_that_quotes_contradict_is_asked_for_at_once_and_healed<V: Market>() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let paths = Arc::clone(&asked);
    let rest = RawServer::start(move |number, peer| {
        paths.lock().unwrap().push(peer.read_head()?);
        // The level that quotes no longer show has gone.
        let body = V::snapshot(if number == 0 { 12 } else { 30 });
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close");
        peer.send(format!("{head}\r\n\r\n{body}").as_bytes())
    });
    let (stream, sender) = stepped::<V>();
    let mut feed = Feed::<V::Protocol>::new(stream.address, rest.address, &FeedOptions::default());
    sender.send(V::diff(10, 30, 1_000)).unwrap();
    feed.drive_to_live_book(0);
    let quote = |update| sender.send(V::quote_at(update, "99.00", "101.00")).unwrap();
    quote(31);
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1_500) {
        feed.turn();
    }
    assert_eq!(feed.counters().doubted, 0, "streams are not of one moment");
    let sent = std::cell::Cell::new((32, started));
    feed.drive("the doubt", |_, counters| {
        let (update, at) = sent.get();
        if at.elapsed() > Duration::from_millis(20) {
            quote(update);
            sent.set((update + 1, Instant::now()));
        }
        counters.doubted >= 1
    });
    feed.drive("the difference", |_, counters| counters.differing == 1);
    let differs = Some(BookStatusReason::Differs);
    assert_eq!(feed.seen().all::<BookState>().last().unwrap().reason(), differs);
    sender.send(V::diff(31, 32, 9_000)).unwrap();
    feed.drive_to_live_book(0);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3, "whole, its best levels, whole: {asked:?}");
    assert!(asked[1].contains("limit=100") && !asked[2].contains("limit=100 "), "{asked:?}");
    feed.assert_sound();
    drop(sender);
}
