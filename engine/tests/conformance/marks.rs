//! Mark prices and funding of contracts, at each kind of venue that tells them: they come whole,
//! also behind another connection, and what is lost with a frame is asked for again.

use std::sync::Arc;

use pitlane_engine::event::{EventKind, MarkPrice, StreamState, StreamStatus};
use pitlane_engine::venue::LetterReason;
use pitlane_engine::venue::binance_futures::FuturesMarket;
use pitlane_engine::venue::bybit::BybitMarket;
use pitlane_engine::venue::market::SilenceLimits;
use pitlane_engine::venue::protocol::MarketProtocol;
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::{
    Fault, FaultName, FaultPlan, FaultRule, FrameKind, SimulatedVenue, SimulatedVenueOptions,
    Trigger,
};

use crate::feed::{Feed, FeedOptions};
use crate::harness::{MS, PACE, fast_clock, unhurried};

/// A venue of contracts: the name of its kind, and the path of its streams.
trait Contracts: MarketProtocol {
    const KIND: &'static str;
    const PATH: &'static str;
}

impl Contracts for FuturesMarket {
    const KIND: &'static str = "binance_futures";
    const PATH: &'static str = "/stream";
}

impl Contracts for BybitMarket {
    const KIND: &'static str = "bybit";
    const PATH: &'static str = "/v5/public/linear";
}

fn start<P: Contracts>(fault: Option<(Fault, u64)>) -> (Feed<P>, SimulatedVenue) {
    let rule = |(fault, at)| FaultRule {
        fault,
        trigger: Trigger::At(at),
        only: Some(FrameKind::OtherMarket),
    };
    let options = SimulatedVenueOptions {
        fault_plan: FaultPlan { rules: fault.map(rule).into_iter().collect() },
        ..SimulatedVenueOptions::default()
    };
    let dialect = VenueKind::find(P::KIND).and_then(|kind| kind.dialect).expect("a dialect");
    let venue = SimulatedVenue::start_at(dialect, options, fast_clock()).expect("it starts");
    let plain = FeedOptions::default();
    let silence = SilenceLimits { stream_ns: Some(5_000 * MS), ..SilenceLimits::default() };
    let mut limits = unhurried(plain.limits);
    // Pings are as rare as they are in a run.
    (limits.ping_interval_ns, limits.idle_ns) = (5_000 * MS, 20_000 * MS);
    let options = FeedOptions {
        limits,
        silence,
        has_books: false,
        path: P::PATH,
        subscribe_ms: plain.subscribe_ms * u64::from(PACE),
        carries: Some(EventKind::MarkPrice),
        ..plain
    };
    let feed = Feed::at(venue.address(), venue.address(), &options, fast_clock());
    (feed, venue)
}

/// Runs until so many mark prices have come, all of which make sense.
fn drive_to_marks<P: Contracts>(feed: &mut Feed<P>, count: usize) {
    feed.drive("mark prices", |seen, _| seen.count(EventKind::MarkPrice) >= count);
    for mark in feed.seen().all::<MarkPrice>() {
        let unit = 10_i64.pow(MarkPrice::PRICE_SCALE.into());
        for price in [mark.mark_price_e10, mark.index_price_e10] {
            assert!((50_000 * unit..70_000 * unit).contains(&price), "{mark:?}");
        }
        assert_eq!(mark.funding_rate_e12, 100_000_000, "a ten-thousandth");
        assert_eq!(mark.next_funding_ns % (8 * 3_600_000 * MS as i64), 0, "{mark:?}");
    }
}

fn come_and_come_again_on_the_next_connection<P: Contracts>() {
    let cut = Fault::Disconnect { after_bytes: 9, reset: true };
    let (mut feed, venue) = start::<P>(Some((cut, 3)));
    drive_to_marks(&mut feed, 2);
    feed.drive("the reconnect", |_, counters| counters.reconnects == 1);
    let told = feed.seen().count(EventKind::MarkPrice);
    drive_to_marks(&mut feed, told + 3);
    assert_eq!(venue.counters().report().faults(FaultName::Disconnect), 1);
    feed.assert_sound();
    let counters = feed.counters();
    assert_eq!((counters.refused, counters.unknown, counters.implausible), (0, 0, 0));
}

#[test]
fn of_binance_futures_come_and_come_again_on_the_next_connection() {
    come_and_come_again_on_the_next_connection::<FuturesMarket>();
}

#[test]
fn of_bybit_come_and_come_again_on_the_next_connection() {
    come_and_come_again_on_the_next_connection::<BybitMarket>();
}

/// What was lost may be of any contract: all are subscribed to anew.
#[test]
fn of_bybit_are_asked_for_again_once_a_frame_could_not_be_read() {
    let (mut feed, venue) = start::<BybitMarket>(Some((Fault::BadJson, 4)));
    drive_to_marks(&mut feed, 2);
    let counters = Arc::clone(venue.counters());
    feed.drive("the fault", |_, _| counters.report().faults(FaultName::BadJson) == 1);
    feed.drive("its letter", |_, counters| counters.refused == 1);
    let told = feed.seen().count(EventKind::MarkPrice);
    drive_to_marks(&mut feed, told + 3);
    let seen = feed.seen();
    assert_eq!(seen.letters_of(LetterReason::Malformed).len(), 1);
    let of_marks = |state: &StreamState| state.kind_code == EventKind::MarkPrice.code();
    let words = seen.all::<StreamState>().into_iter().filter(of_marks);
    let words: Vec<_> = words.filter_map(|state| state.status()).collect();
    assert_eq!(words, [StreamStatus::Stale, StreamStatus::Live]);
    drop(seen);
    assert_eq!(feed.counters().reconnects, 0, "the connection is kept");
    feed.assert_sound();
}
