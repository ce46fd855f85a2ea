//! One test for each bug that was.

use pitlane_ring::{LaneOptions, Record, lane};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct Number([u64; 8]);

impl Record for Number {
    fn used_bytes(&self) -> usize {
        64
    }
}

/// Single publications carried the lane past the publisher's own note of what is free; the note then went
/// negative, read as "plenty", and a full lane said that it had room.
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
