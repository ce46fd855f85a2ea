//! A book against streams that lose, repeat, renumber and lie.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const OPTIONS: BookSyncOptions = BookSyncOptions {
    levels_max: 100,
    depth: None,
    buffered_diffs_max: 8,
    buffered_levels_max: 64,
};

fn level(price: i64, qty: i64) -> Level {
    Level { price, qty }
}

/// A diff of the updates `ids` at a time of its own, that sets bid 10 to the last of them.
fn on_diff(sync: &mut BookSync, ids: (u64, u64), time: i64) -> DiffOutcome {
    sync.on_diff(&Diff {
        first_update_id: ids.0,
        final_update_id: ids.1,
        previous_update_id: 0,
        checksum: None,
        venue_time_ns: time,
        bids: &[level(10, qty_of(ids.1))],
        asks: &[],
    })
}

/// A quantity that tells which update set it.
fn qty_of(update_id: u64) -> i64 {
    (update_id % 1_000) as i64
}

fn on_snapshot(sync: &mut BookSync, last: u64) -> SnapshotOutcome {
    sync.on_snapshot(last, &[level(10, qty_of(last))], &[level(20, 1)])
}

fn best_bid_qty(sync: &BookSync) -> Option<i64> {
    sync.book().best(Side::Buy).next().map(|level| level.qty)
}

/// A live book whose last applied update is 100, at time 100.
fn live() -> BookSync {
    let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
    assert_eq!(on_diff(&mut sync, (100, 100), 100), DiffOutcome::Buffered);
    assert_eq!(on_snapshot(&mut sync, 99), SnapshotOutcome::Joined);
    assert_eq!((sync.status(), sync.last_update_id()), (BookStatus::Live, 100));
    sync
}

#[test]
fn beside_another_connection_a_repeat_with_a_newer_time_is_old_and_a_hole_waits_for_the_other() {
    let mut sync = live();
    let mut beside = |ids: (u64, u64), time, waits| {
        let diff = Diff {
            first_update_id: ids.0,
            final_update_id: ids.1,
            previous_update_id: 0,
            checksum: None,
            venue_time_ns: time,
            bids: &[level(10, qty_of(ids.1))],
            asks: &[],
        };
        (sync.on_diff_beside(&diff, waits), sync.last_update_id())
    };
    // The venue stamps each connection by itself.
    assert_eq!(beside((99, 100), 105, false), (DiffOutcome::Old, 100));
    assert_eq!(beside((102, 102), 102, true), (DiffOutcome::Old, 100));
    assert_eq!(beside((101, 101), 101, false), (DiffOutcome::Applied, 101));
    assert_eq!(beside((101, 103), 103, true), (DiffOutcome::Applied, 103));
    assert_eq!(beside((102, 102), 104, false), (DiffOutcome::Old, 103));
    assert_eq!(beside((105, 105), 105, false).0, DiffOutcome::Gap, "nobody brings the one between");
    assert_eq!(sync.status(), BookStatus::Syncing);
}

#[test]
fn wants_a_snapshot_only_once_a_diff_is_there() {
    // EDGE-16: diff before snapshot.
    let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
    assert!(!sync.wants_snapshot());
    assert_eq!(on_snapshot(&mut sync, 5), SnapshotOutcome::NotNeeded);
    assert_eq!(sync.status(), BookStatus::Syncing);
    on_diff(&mut sync, (6, 7), 1);
    assert!(sync.wants_snapshot());
    assert_eq!(on_snapshot(&mut sync, 5), SnapshotOutcome::Joined);
    assert!(!sync.wants_snapshot());
}

#[test]
fn the_first_diff_follows_the_snapshot_by_one() {
    // (ids of the diffs, the snapshot's id, what comes of it)
    let cases = [
        (vec![(6, 7)], 5, SnapshotOutcome::Joined, 7),
        (vec![(4, 7)], 5, SnapshotOutcome::Joined, 7), // overlaps
        (vec![(7, 8)], 5, SnapshotOutcome::TooOld, 0),
        (vec![(4, 5)], 5, SnapshotOutcome::Joined, 5), // all old
        (vec![(3, 4), (5, 5), (6, 9)], 5, SnapshotOutcome::Joined, 9),
        (vec![(3, 4)], 9, SnapshotOutcome::Ahead, 9), // newer than all
    ];
    for (diffs, snapshot, outcome, last) in cases {
        let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
        for (time, ids) in (0..).zip(&diffs) {
            assert_eq!(on_diff(&mut sync, *ids, time), DiffOutcome::Buffered);
        }
        assert_eq!(on_snapshot(&mut sync, snapshot), outcome, "{diffs:?} {snapshot}");
        if outcome == SnapshotOutcome::Joined {
            assert_eq!(sync.last_update_id(), last);
            assert_eq!(best_bid_qty(&sync), Some(qty_of(last)));
        } else {
            assert_eq!(sync.wants_snapshot(), outcome == SnapshotOutcome::TooOld);
            assert_eq!(sync.status(), BookStatus::Syncing);
        }
    }
}

#[test]
fn a_snapshot_ahead_of_the_stream_is_live_once_the_stream_is_there() {
    let ahead = || {
        let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
        on_diff(&mut sync, (3, 4), 1);
        assert_eq!(on_snapshot(&mut sync, 9), SnapshotOutcome::Ahead);
        assert_eq!(on_snapshot(&mut sync, 9), SnapshotOutcome::NotNeeded);
        assert_eq!(on_diff(&mut sync, (5, 6), 2), DiffOutcome::Old);
        assert_eq!((sync.status(), sync.wants_snapshot()), (BookStatus::Syncing, false));
        sync
    };
    for (diff, last) in [((7, 9), 9), ((7, 11), 11), ((10, 10), 10)] {
        let mut sync = ahead();
        assert_eq!(on_diff(&mut sync, diff, 3), DiffOutcome::Applied, "{diff:?}");
        assert_eq!((sync.status(), sync.last_update_id()), (BookStatus::Live, last));
        assert_eq!(best_bid_qty(&sync), Some(qty_of(last)));
    }
    let mut sync = ahead();
    assert_eq!(on_diff(&mut sync, (11, 12), 3), DiffOutcome::Gap);
    assert_eq!(on_snapshot(&mut sync, 12), SnapshotOutcome::Joined);
}

#[test]
fn a_gap_distrusts_within_one_event_and_keeps_the_diff() {
    // F18
    let mut sync = live();
    assert_eq!(on_diff(&mut sync, (102, 103), 101), DiffOutcome::Gap);
    assert_eq!((sync.status(), sync.reason()), (BookStatus::Syncing, BookStatusReason::Gap));
    assert_eq!(sync.book().level_count(Side::Buy), 0);
    assert!(sync.wants_snapshot());
    assert_eq!(on_snapshot(&mut sync, 100), SnapshotOutcome::TooOld);
    assert_eq!(on_snapshot(&mut sync, 102), SnapshotOutcome::Joined);
    assert_eq!((sync.last_update_id(), best_bid_qty(&sync)), (103, Some(103)));
    assert_eq!(sync.counters().gaps, 1);
}

#[test]
fn repeats_are_old_and_overlaps_follow() {
    let mut sync = live();
    assert_eq!(on_diff(&mut sync, (100, 100), 100), DiffOutcome::Old);
    assert_eq!(on_diff(&mut sync, (99, 102), 101), DiffOutcome::Applied);
    assert_eq!((sync.last_update_id(), best_bid_qty(&sync)), (102, Some(102)));
    assert_eq!(sync.counters().gaps, 0);
}

#[test]
fn an_id_reset_is_told_from_a_repeat_by_its_time() {
    // F18: ids start again. Taken for repeats, all later diffs would be ignored for ever.
    let mut sync = live();
    assert_eq!(on_diff(&mut sync, (1, 2), 101), DiffOutcome::Gap);
    assert_eq!(sync.status(), BookStatus::Syncing);
    assert_eq!(on_diff(&mut sync, (3, 3), 102), DiffOutcome::Buffered);
    assert_eq!(on_snapshot(&mut sync, 2), SnapshotOutcome::Joined);
    assert_eq!(sync.last_update_id(), 3);
}

#[test]
fn a_crossed_book_is_distrusted() {
    let mut sync = live();
    let crossing = Diff {
        first_update_id: 101,
        final_update_id: 101,
        previous_update_id: 0,
        checksum: None,
        venue_time_ns: 101,
        bids: &[level(20, 1)],
        asks: &[],
    };
    assert_eq!(sync.on_diff(&crossing), DiffOutcome::Crossed);
    assert_eq!((sync.status(), sync.reason()), (BookStatus::Syncing, BookStatusReason::Crossed));
    assert!(!sync.wants_snapshot(), "no diff is kept yet");
    assert_eq!(on_diff(&mut sync, (102, 102), 102), DiffOutcome::Buffered);
    assert_eq!(on_snapshot(&mut sync, 101), SnapshotOutcome::Joined);
    let crossed = [level(30, 1)];
    sync.distrust(BookStatusReason::Disconnected);
    on_diff(&mut sync, (103, 103), 103);
    assert_eq!(sync.on_snapshot(103, &crossed, &[level(20, 1)]), SnapshotOutcome::Crossed);
    assert_eq!(sync.status(), BookStatus::Syncing);
}

#[test]
fn a_silent_book_is_stale_until_the_next_diff() {
    let mut sync = live();
    assert!(sync.silent());
    assert!(!sync.silent(), "once");
    assert_eq!((sync.status(), sync.reason()), (BookStatus::Stale, BookStatusReason::Silent));
    assert_eq!(on_diff(&mut sync, (101, 101), 101), DiffOutcome::Applied);
    assert_eq!(sync.status(), BookStatus::Live);
    assert!(sync.silent());
    assert_eq!(on_diff(&mut sync, (103, 103), 103), DiffOutcome::Gap);
}

#[test]
fn a_full_buffer_starts_again_and_only_a_newer_snapshot_joins() {
    let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
    for id in 1..=9 {
        assert_eq!(on_diff(&mut sync, (id, id), id as i64), DiffOutcome::Buffered);
    }
    assert_eq!(sync.counters().buffer_overflows, 1);
    assert_eq!(on_snapshot(&mut sync, 3), SnapshotOutcome::TooOld);
    assert_eq!(on_snapshot(&mut sync, 8), SnapshotOutcome::Joined);
    assert_eq!(sync.last_update_id(), 9);
}

#[test]
fn a_hole_in_the_buffer_is_a_gap_too() {
    let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
    on_diff(&mut sync, (1, 2), 1);
    assert_eq!(on_diff(&mut sync, (4, 4), 2), DiffOutcome::Gap);
    assert_eq!(on_snapshot(&mut sync, 1), SnapshotOutcome::TooOld);
    assert_eq!(on_snapshot(&mut sync, 3), SnapshotOutcome::Joined);
}

#[test]
fn ids_far_up_and_at_the_end_do_not_overflow() {
    // EDGE-10
    let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
    on_diff(&mut sync, (u64::MAX, u64::MAX), 1);
    assert_eq!(on_snapshot(&mut sync, u64::MAX - 1), SnapshotOutcome::Joined);
    assert_eq!(on_diff(&mut sync, (u64::MAX, u64::MAX), 1), DiffOutcome::Old);
}

/// What happens to the stream between the venue and the book.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Dropped,
    Repeated,
    Disconnected,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Arrives),
        1 => Just(Fate::Dropped),
        1 => Just(Fate::Repeated),
        1 => Just(Fate::Disconnected),
    ]
}

proptest! {
    /// F18: whatever is lost or repeated, a book that says it is live equals the venue's book.
    #[test]
    fn a_live_book_equals_the_venue(
        stream in prop::collection::vec((1_i64..8, 0_i64..3, 1_u64..4, fate()), 1..120),
        snapshot_lag in 0_usize..6,
    ) {
        let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
        let mut venue = BTreeMap::new();
        let mut history: Vec<(u64, Vec<Level>)> = vec![(0, Vec::new())];
        let mut update_id = 0;
        for (time, (price, qty, count, fate)) in (1..).zip(stream) {
            let first_update_id = update_id + 1;
            update_id += count;
            if qty == 0 { venue.remove(&price); } else { venue.insert(price, qty); }
            let bids: Vec<Level> = venue.iter().rev().map(|(p, q)| level(*p, *q)).collect();
            history.push((update_id, bids));
            let change = [level(price, qty)];
            let diff = Diff {
                first_update_id,
                final_update_id: update_id,
                previous_update_id: 0,
                checksum: None,
                venue_time_ns: time,
                bids: &change,
                asks: &[],
            };
            match fate {
                Fate::Dropped => continue,
                Fate::Arrives => { sync.on_diff(&diff); }
                Fate::Repeated => {
                    sync.on_diff(&diff);
                    prop_assert_eq!(sync.on_diff(&diff), DiffOutcome::Old);
                }
                Fate::Disconnected => {
                    sync.distrust(BookStatusReason::Disconnected);
                    sync.on_diff(&diff);
                }
            }
            if sync.wants_snapshot() {
                // The venue's answer is some updates old.
                let (last, bids) = &history[history.len().saturating_sub(1 + snapshot_lag)];
                sync.on_snapshot(*last, bids, &[]);
            }
            if sync.status() == BookStatus::Live {
                prop_assert_eq!(sync.last_update_id(), update_id);
                let (_, bids) = history.last().unwrap();
                prop_assert!(sync.book().best(Side::Buy).eq(bids.iter()));
            }
        }
    }
}

#[test]
fn an_empty_snapshot_makes_no_book() {
    // F32: it would be live, and empty for good.
    let mut sync = BookSync::new(BookRule::Contiguous, &OPTIONS);
    on_diff(&mut sync, (100, 100), 100);
    assert_eq!(sync.on_snapshot(99, &[], &[]), SnapshotOutcome::Implausible);
    assert_eq!(sync.status(), BookStatus::Syncing);
    assert!(sync.wants_snapshot(), "another one is asked for");
    assert_eq!(on_snapshot(&mut sync, 99), SnapshotOutcome::Joined);
}
