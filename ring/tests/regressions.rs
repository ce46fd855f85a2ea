//! One test for each bug that was.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pitlane_ring::raw::{deface, lane_of};
use pitlane_ring::{
    Absorbed, CellGroupSpec, CellId, CellPolicy, CellSpec, Checked, Conflate, CriticalPublisher,
    Displaced, LaneOptions, MarketPublisher, Record, lane, lane_with,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct Number([u64; 8]);

impl Record for Number {
    fn used_bytes(&self) -> usize {
        64
    }
}

/// Single publications carried the lane past the publisher's own note of what is free; the note
/// then went negative, read as "plenty", and a full lane said that it had room.
#[test]
fn a_full_lane_has_no_room_after_single_publications_passed_the_known_free_slots() {
    let (mut publisher, mut consumer) = lane(LaneOptions { name: "t".into(), capacity: 4 });
    let number = Number([1; 8]);
    for _ in 0..6 {
        publisher.try_publish(&number).unwrap();
        consumer.poll(1, |_| ());
    }
    while publisher.try_publish(&number).is_ok() {}
    assert_eq!((publisher.has_room(), publisher.room(4)), (false, 0));
    assert_eq!(publisher.try_publish_slice(&[number; 3]), 0);
    consumer.poll(2, |_| ());
    assert_eq!(publisher.room(4), 2);
    assert_eq!(publisher.try_publish_slice(&[number; 3]), 2);
}

/// A flush took what waited out of the cells before it had claimed all slots; when a claim panicked
/// (a checked lane that found a stray write), nothing was published and what was taken was lost.
#[test]
fn a_flush_that_panics_in_a_claim_loses_nothing() {
    let (lane, mut consumer) =
        lane_with::<Number, Checked>(LaneOptions { name: "t".into(), capacity: 2 });
    let mut critical = CriticalPublisher::new(lane, 4);
    for value in 0..4 {
        critical.offer(&Number([value; 8])).unwrap();
    }
    consumer.poll(2, |_| ());
    // In the second of the two slots, after the first was claimed.
    assert!(deface(lane_of(&mut critical), size_of::<Number>() + 5));
    let panicked = catch_unwind(AssertUnwindSafe(|| critical.flush())).is_err();
    assert!(panicked, "the stray write was not found");
    assert_eq!((critical.pending(), critical.gauge().in_flight()), (2, 0));
    assert_eq!(critical.flush(), 2);
    let mut seen = Vec::new();
    consumer.poll(9, |number| seen.push(number.0[0]));
    assert_eq!(seen, [2, 3]);
}

impl Conflate for Number {
    fn absorb(&mut self, newer: &Self) -> Absorbed {
        *self = *newer;
        Absorbed::Replaced
    }
}

/// When the sink of displaced records panicked in the midst of a clearing, or over an evicted
/// record, the cells were left with counts that no longer matched: a record that waited for ever,
/// and then an index out of bounds in a flush.
#[test]
fn a_sink_that_panics_leaves_the_cells_whole() {
    let latest = |clears| CellSpec { policy: CellPolicy::Latest, clears };
    let queue = |capacity| CellSpec { policy: CellPolicy::Queue { capacity }, clears: false };
    let group = CellGroupSpec { members: vec![latest(true), queue(2), queue(1)] };
    for panics_at in 0..4 {
        let (lane, mut consumer) =
            lane_with::<Number, Checked>(LaneOptions { name: "t".into(), capacity: 2 });
        let mut market = MarketPublisher::new(lane, std::slice::from_ref(&group));
        let (mut taken, mut told) = (0, Vec::new());
        let mut panics = 0;
        // Two fill the lane, four more wait or are evicted, the last clears them.
        for (value, member) in [(0, 1), (1, 1), (2, 1), (3, 2), (4, 1), (5, 2), (6, 1), (7, 0)] {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let id = CellId { group: 0, member };
                market.offer(&Number([value; 8]), id, &mut |number, _: Displaced| {
                    told.push(number.0[0]);
                    if told.len() == panics_at + 1 {
                        resume_unwind(Box::new(()));
                    }
                });
            }))
            .is_err();
            taken += usize::from(!panicked);
            panics += usize::from(panicked);
        }
        assert_eq!(panics, 1, "the sink panics once");
        let mut waiting = 0;
        market.for_each_pending(|_| waiting += 1);
        assert_eq!(waiting, market.pending());
        let mut delivered = Vec::new();
        while market.pending() > 0 || consumer.has_available() {
            market.flush();
            consumer.poll(9, |number| delivered.push(number.0[0]));
        }
        assert_eq!(delivered.len() + told.len(), taken, "{delivered:?} and {told:?}");
    }
}
