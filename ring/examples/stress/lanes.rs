//! Lanes, pairs and returns.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use pitlane_ring::raw::{ReturnToken, hold, settle};
use pitlane_ring::{
    CellGroupSpec, CellId, CellPolicy, CellSpec, Checks, Consumer, CriticalPublisher, Exchange,
    LaneOptions, MarketPublisher, Plain, Publisher, lane_staged_with, lane_with,
};

use crate::leak;
use crate::packet::Packet;

fn options(name: &str, capacity: usize) -> LaneOptions {
    LaneOptions { name: name.to_owned(), capacity }
}

/// Runs `poll`, and contains the panic that was planted in its callback; whether there was one.
fn contains_planted(poll: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(()) => false,
        Err(payload) if payload.is::<Planted>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

struct Planted;

fn publish<C: Checks>(mut publisher: Publisher<Packet, C>, records: u64) {
    let mut next = 0;
    while next < records {
        let count = (1 + next % 5).min(records - next);
        let packets: Vec<_> = (next..next + count).map(Packet::new).collect();
        let published = if count == 1 {
            u64::from(publisher.try_publish(&packets[0]).is_ok())
        } else {
            publisher.try_publish_slice(&packets) as u64
        };
        next += published;
        if published == 0 {
            thread::yield_now();
        }
    }
}

/// Until the lane is closed; every 100th callback panics. Returns records and panics.
fn consume<C: Checks>(consumer: &mut Consumer<Packet, C>) -> (u64, u64) {
    let (mut expected, mut panics) = (0, 0);
    while !consumer.is_closed() {
        let before = expected;
        panics += u64::from(contains_planted(|| {
            consumer.poll(7, |packet| {
                assert_eq!(packet.verified(), expected);
                expected += 1;
                if expected % 100 == 0 {
                    resume_unwind(Box::new(Planted));
                }
            });
        }));
        if expected == before {
            thread::yield_now();
        }
    }
    (expected, panics)
}

pub fn through_a_lane<C: Checks>(records: u64) -> String {
    let (publisher, consumer) = lane_with::<Packet, C>(options("stress", 16));
    let consumer = leak(consumer);
    let gauge = leak(consumer.gauge());
    let publishing = thread::spawn(move || publish(publisher, records));
    let (seen, panics) = consume(consumer);
    publishing.join().unwrap();
    assert_eq!((seen, panics, gauge.in_flight()), (records, records / 100, 0));
    format!("{seen} records, {panics} panics, {} times full", gauge.full_count())
}

pub fn through_a_stage(records: u64) -> String {
    let (publisher, stage, consumer) = lane_staged_with::<Packet, Plain>(options("stress", 16));
    let (stage, consumer) = (leak(stage), leak(consumer));
    let gauge = leak(consumer.gauge());
    let staged: &'static AtomicU64 = leak(AtomicU64::new(0));
    let publishing = thread::spawn(move || publish(publisher, records));
    let staging = thread::spawn(move || {
        while !stage.is_closed() {
            let count = stage.poll(5, |packet| _ = packet.verified());
            staged.fetch_add(count as u64, Ordering::Relaxed);
            if count == 0 {
                thread::yield_now();
            }
        }
    });
    let (seen, panics) = consume(consumer);
    publishing.join().unwrap();
    staging.join().unwrap();
    let staged = staged.load(Ordering::Relaxed);
    assert_eq!((seen, staged, gauge.in_flight()), (records, records, 0));
    format!("{staged} staged, {seen} records, {panics} panics")
}

/// One thread offers to both halves of a pair and flushes, the other consumes both lanes.
pub fn through_a_pair(records: u64) -> String {
    let (market, market_consumer) = lane_with::<Packet, Plain>(options("market", 8));
    let (critical, critical_consumer) = lane_with::<Packet, Plain>(options("critical", 8));
    let consumers = leak((market_consumer, critical_consumer));
    let displaced: &'static AtomicU64 = leak(AtomicU64::new(0));
    let cell = CellSpec { policy: CellPolicy::Latest, clears: false };
    let groups = vec![CellGroupSpec { members: vec![cell; 2] }; 3];
    let publishing = thread::spawn(move || {
        let mut market = MarketPublisher::new(market, &groups);
        let mut critical = CriticalPublisher::new(critical, 64);
        let mut next = [0, 0];
        while next[0] < records
            || next[1] < records / 10
            || market.pending() + critical.pending() > 0
        {
            if next[0] < records {
                let id = CellId { group: (next[0] % 3) as u32, member: (next[0] % 2) as u8 };
                market.offer(&Packet::new(next[0]), id, &mut |_, _| {
                    displaced.fetch_add(1, Ordering::Relaxed);
                });
                next[0] += 1;
            }
            if next[1] < records / 10 && critical.offer(&Packet::new(next[1])).is_ok() {
                next[1] += 1;
            }
            let flushed = market.flush() + critical.flush();
            // Seldom, so that the lanes are full most of the time.
            if flushed == 0 && (next[0] % 64 == 0 || next[0] == records) {
                thread::yield_now();
            }
        }
    });
    let (market, critical) = consumers;
    let (mut delivered, mut expected) = (0, 0);
    while !(market.is_closed() && critical.is_closed()) {
        let mut count = critical.poll(4, |packet| {
            assert_eq!(packet.verified(), expected);
            expected += 1;
        });
        count += market.poll(4, |packet| {
            packet.verified();
            delivered += 1;
        });
        if count == 0 {
            thread::yield_now();
        }
    }
    publishing.join().unwrap();
    let displaced = displaced.load(Ordering::Relaxed);
    assert_eq!((delivered + displaced, expected), (records, records / 10));
    assert!(displaced > 0, "nothing was conflated");
    format!("{delivered} delivered, {displaced} conflated, {expected} critical")
}

/// Two threads return each slot; the publisher gets it back once.
pub fn competing_returns(rounds: u64) -> String {
    let (mut publisher, consumer) = lane_with::<Packet, Plain>(options("returns", 2));
    let consumer = leak(consumer);
    let offered: &'static Exchange<ReturnToken<Plain>> = leak(Exchange::new());
    let is_done: &'static AtomicBool = leak(AtomicBool::new(false));
    let wins: &'static AtomicU64 = leak(AtomicU64::new(0));
    let other = thread::spawn(move || {
        while !is_done.load(Ordering::Acquire) {
            match offered.take() {
                Some(token) => {
                    wins.fetch_add(u64::from(token.give_back().is_ok()), Ordering::Relaxed);
                    // Its lane is shared, see the head of this program.
                    Box::leak(token);
                }
                None => thread::yield_now(),
            }
        }
    });
    let mut mine = 0;
    for value in 0..rounds {
        publisher.try_publish(&Packet::new(value)).unwrap();
        let (handle, token) = hold(consumer).unwrap();
        assert_eq!(handle.read().verified(), value);
        let is_offered = offered.put(Box::new(token.clone())).is_ok();
        if is_offered && value % 2 == 0 {
            thread::yield_now();
        }
        mine += u64::from(token.give_back().is_ok());
        assert_eq!(settle(consumer), 0);
    }
    while offered.is_full() {
        thread::yield_now();
    }
    is_done.store(true, Ordering::Release);
    other.join().unwrap();
    let theirs = wins.load(Ordering::Relaxed);
    assert_eq!(mine + theirs, rounds);
    let refused = leak(consumer.gauge()).double_returns();
    assert!(refused > 0, "no return was refused");
    format!("{mine} + {theirs} returned, {refused} refused")
}
