//! The lane: one publisher, one consumer, a recycler behind it.
//!
//! Records go forward past cursors, from the publisher's to the consumer's (or the stage's, then
//! the consumer's), and their slots come back through the gate, a `disruptor` ring that the
//! recycler publishes into: see `cursor.rs` and `recycler/`.

use std::sync::Arc;

use crate::checks::{Checks, DefaultChecks};
use crate::consumer::{Consumer, Stage};
use crate::cursor::{Cursor, SharedCursors};
use crate::lane_state::LaneState;
use crate::publisher::Publisher;
use crate::reader::Reader;
use crate::record::Record;
use crate::recycler::gate::gate;
use crate::recycler::lane_recycler::Recycler;
use crate::storage::LaneSlots;

/// How a lane is built.
#[derive(Clone, Debug)]
pub struct LaneOptions {
    /// Appears in gauges, log lines and panics.
    pub name: String,
    /// Number of slots: a power of two, at least 2.
    pub capacity: usize,
}

/// Builds a lane with the checks of the build, see [`DefaultChecks`].
///
/// All slots are written by this call. Where memory has a place, call it on the consumer's core.
///
/// # Panics
/// When the capacity is not a power of two or is below 2.
///
/// ```
/// use pitlane_ring::{LaneOptions, lane};
///
/// let options = LaneOptions { name: "quotes".to_owned(), capacity: 1_024 };
/// let (mut publisher, mut consumer) = lane::<u64>(options);
/// let reader = std::thread::spawn(move || {
///     let mut sum = 0;
///     while !consumer.is_closed() {
///         consumer.poll(64, |record| sum += record);
///     }
///     sum
/// });
/// for record in 1..=100 {
///     publisher.try_publish(&record)?;
/// }
/// drop(publisher);
/// assert_eq!(reader.join().unwrap(), 5_050);
/// # Ok::<(), pitlane_ring::Full>(())
/// ```
pub fn lane<E: Record>(options: LaneOptions) -> (Publisher<E>, Consumer<E>) {
    lane_with::<E, DefaultChecks>(options)
}

/// Builds a lane with a stage before its consumer and the checks of the build.
///
/// # Panics
/// When the capacity is not a power of two or is below 2.
///
/// ```
/// # use pitlane_ring::{LaneOptions, lane_staged};
/// # let options = LaneOptions { name: "quotes".to_owned(), capacity: 4 };
/// # let (mut publisher, mut stage, mut consumer) = lane_staged::<u64>(options);
/// publisher.try_publish(&7)?;
/// assert!(!consumer.has_available(), "the stage comes first");
/// stage.poll(8, |record| assert_eq!(*record, 7));
/// assert!(consumer.has_available());
/// # Ok::<(), pitlane_ring::Full>(())
/// ```
pub fn lane_staged<E: Record>(options: LaneOptions) -> (Publisher<E>, Stage<E>, Consumer<E>) {
    lane_staged_with::<E, DefaultChecks>(options)
}

/// Builds a lane whose cursor shares a line with those of other lanes between the same two threads,
/// with the checks of the build.
///
/// # Panics
/// When the capacity is not a power of two or is below 2.
///
/// ```
/// use pitlane_ring::{LaneOptions, SharedCursors, lane_beside};
///
/// let mut cursors = SharedCursors::default();
/// let lanes: Vec<_> = (0..10)
///     .map(|number| {
///         let options = LaneOptions { name: format!("quotes-{number}"), capacity: 64 };
///         lane_beside::<u64>(options, &mut cursors)
///     })
///     .collect();
/// # assert_eq!(lanes.len(), 10);
/// ```
pub fn lane_beside<E: Record>(
    options: LaneOptions,
    cursors: &mut SharedCursors,
) -> (Publisher<E>, Consumer<E>) {
    build(options, cursors.cursor())
}

/// Builds a lane with the checks `C`; see [`lane`].
///
/// # Panics
/// When the capacity is not a power of two or is below 2.
///
/// ```
/// use pitlane_ring::{Checked, LaneOptions, lane_with};
///
/// let options = LaneOptions { name: "quotes".to_owned(), capacity: 64 };
/// let (mut publisher, consumer) = lane_with::<u64, Checked>(options);
/// publisher.try_publish(&1)?;
/// # drop(consumer);
/// # Ok::<(), pitlane_ring::Full>(())
/// ```
pub fn lane_with<E: Record, C: Checks>(options: LaneOptions) -> (Publisher<E, C>, Consumer<E, C>) {
    build(options, Cursor::alone())
}

/// Builds a lane with the checks `C` whose records pass the stage, then the consumer, then the
/// recycler.
///
/// # Panics
/// When the capacity is not a power of two or is below 2.
///
/// ```
/// use pitlane_ring::{LaneOptions, Plain, lane_staged_with};
///
/// let options = LaneOptions { name: "quotes".to_owned(), capacity: 64 };
/// let (publisher, stage, consumer) = lane_staged_with::<u64, Plain>(options);
/// # drop((publisher, stage, consumer));
/// ```
pub fn lane_staged_with<E: Record, C: Checks>(
    options: LaneOptions,
) -> (Publisher<E, C>, Stage<E, C>, Consumer<E, C>) {
    build_staged(options, Cursor::alone())
}

/// Builds a lane with a stage before its consumer whose cursor shares a line with those of other
/// lanes between the same two threads, with the checks of the build; see [`lane_beside`].
///
/// # Panics
/// When the capacity is not a power of two or is below 2.
///
/// ```
/// use pitlane_ring::{LaneOptions, SharedCursors, lane_staged_beside};
///
/// let mut cursors = SharedCursors::default();
/// let options = LaneOptions { name: "orders".to_owned(), capacity: 64 };
/// let (publisher, stage, consumer) = lane_staged_beside::<u64>(options, &mut cursors);
/// # drop((publisher, stage, consumer));
/// ```
pub fn lane_staged_beside<E: Record>(
    options: LaneOptions,
    cursors: &mut SharedCursors,
) -> (Publisher<E>, Stage<E>, Consumer<E>) {
    build_staged(options, cursors.cursor())
}

fn build_staged<E: Record, C: Checks>(
    options: LaneOptions,
    published: Cursor,
) -> (Publisher<E, C>, Stage<E, C>, Consumer<E, C>) {
    let passed = Cursor::of_stage();
    let slots = slots::<E, C>(options, published.clone());
    let (release, admission) = gate(slots.state.capacity);
    let stage = Stage::new(Reader::new(published.clone(), slots.clone()), passed.clone());
    let consumer = Consumer::new(Reader::new(passed, slots.clone()), Recycler::new(release));
    (Publisher::new(published, admission, slots), stage, consumer)
}

fn build<E: Record, C: Checks>(
    options: LaneOptions,
    published: Cursor,
) -> (Publisher<E, C>, Consumer<E, C>) {
    let slots = slots::<E, C>(options, published.clone());
    let (release, admission) = gate(slots.state.capacity);
    let reader = Reader::new(published.clone(), slots.clone());
    let consumer = Consumer::new(reader, Recycler::new(release));
    (Publisher::new(published, admission, slots), consumer)
}

fn slots<E: Record, C: Checks>(options: LaneOptions, published: Cursor) -> LaneSlots<E> {
    let LaneOptions { name, capacity } = options;
    assert!(
        capacity >= 2 && capacity.is_power_of_two(),
        "lane {name}: capacity {capacity} is not a power of two of at least 2"
    );
    LaneSlots::new(Arc::new(LaneState::new(name, capacity, published, C::CHECKED)), C::CHECKED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{Checked, Plain};
    use crate::publisher::Full;

    fn options(capacity: usize) -> LaneOptions {
        LaneOptions { name: "test".to_owned(), capacity }
    }

    fn drain<C: Checks>(consumer: &mut Consumer<u64, C>, limit: usize) -> Vec<u64> {
        let mut seen = Vec::new();
        let count = consumer.poll(limit, |record| seen.push(*record));
        assert_eq!(count, seen.len());
        seen
    }

    fn fills_and_drains<C: Checks>() {
        let (mut publisher, mut consumer) = lane_with::<u64, C>(options(4));
        for lap in 0..5 {
            for index in 0..4 {
                assert!(publisher.has_room());
                assert_eq!(publisher.try_publish(&(lap * 4 + index)), Ok((lap * 4 + index) as i64));
            }
            assert!(!publisher.has_room());
            assert_eq!(publisher.try_publish(&99), Err(Full));
            assert_eq!(drain(&mut consumer, 3), [lap * 4, lap * 4 + 1, lap * 4 + 2]);
            assert_eq!(drain(&mut consumer, 3), [lap * 4 + 3]);
            assert_eq!(drain(&mut consumer, 3), [0; 0]);
        }
        let gauge = publisher.gauge();
        assert_eq!((gauge.published(), gauge.released(), gauge.in_flight()), (20, 20, 0));
        assert_eq!((gauge.full_count(), gauge.high_water()), (5, 4));
    }

    #[test]
    fn a_lane_fills_refuses_and_drains_in_order() {
        fills_and_drains::<Plain>();
        fills_and_drains::<Checked>();
    }

    #[test]
    fn a_slice_is_published_as_far_as_it_fits() {
        let (mut publisher, mut consumer) = lane::<u64>(options(4));
        assert_eq!(publisher.try_publish_slice(&[0, 1, 2]), 3);
        assert_eq!(publisher.try_publish_slice(&[3, 4, 5]), 1);
        assert_eq!(publisher.try_publish_slice(&[9]), 0);
        assert_eq!(publisher.try_publish_slice(&[]), 0);
        assert_eq!(drain(&mut consumer, 9), [0, 1, 2, 3]);
        assert_eq!(publisher.gauge().full_count(), 2);
    }

    fn stages_and_publishes<C: Checks>() {
        let (mut publisher, mut consumer) = lane_with::<u64, C>(options(2));
        publisher.publish_staged();
        assert_eq!(drain(&mut consumer, 9), [0; 0], "nothing was staged");
        assert_eq!(publisher.stage(&1), Ok(()));
        assert!(!consumer.has_available(), "it is not published yet");
        assert_eq!(publisher.stage(&2), Ok(()));
        publisher.publish_staged();
        publisher.publish_staged();
        assert_eq!(drain(&mut consumer, 9), [2], "the second one replaced the first");
        assert_eq!(publisher.stage(&3), Ok(()));
        assert_eq!(publisher.try_publish(&4), Ok(1));
        publisher.publish_staged();
        assert_eq!(drain(&mut consumer, 9), [4], "its slot was taken");
        assert_eq!(publisher.try_publish_slice(&[5, 6]), 2);
        assert_eq!(publisher.stage(&7), Err(Full));
        publisher.publish_staged();
        assert_eq!(drain(&mut consumer, 9), [5, 6]);
        let gauge = publisher.gauge();
        assert_eq!((gauge.published(), gauge.released(), gauge.full_count()), (4, 4, 1));
    }

    #[test]
    fn a_staged_record_is_seen_when_it_is_published_and_never_twice() {
        stages_and_publishes::<Plain>();
        stages_and_publishes::<Checked>();
    }

    #[test]
    fn a_lane_is_closed_when_its_publisher_is_gone_and_all_was_consumed() {
        let (mut publisher, mut consumer) = lane::<u64>(options(4));
        publisher.try_publish(&1).unwrap();
        drop(publisher);
        assert!(!consumer.is_closed() && consumer.has_available());
        assert_eq!(drain(&mut consumer, 9), [1]);
        assert!(consumer.is_closed() && !consumer.has_available());
        assert_eq!(drain(&mut consumer, 9), [0; 0]);
    }

    #[test]
    fn a_staged_lane_shows_the_consumer_what_the_stage_has_handled() {
        let (mut publisher, mut stage, mut consumer) = lane_staged::<u64>(options(4));
        assert_eq!(publisher.try_publish_slice(&[0, 1, 2, 3]), 4);
        assert_eq!(drain(&mut consumer, 9), [0; 0]);
        assert_eq!(stage.poll(3, |_| ()), 3);
        assert!(!publisher.has_room(), "a stage returns nothing");
        assert_eq!(drain(&mut consumer, 2), [0, 1]);
        assert!(publisher.has_room());
        drop(publisher);
        assert_eq!(stage.poll(9, |_| ()), 1);
        assert!(stage.is_closed() && !consumer.is_closed());
        assert_eq!(drain(&mut consumer, 9), [2, 3]);
        assert!(consumer.is_closed());
    }

    #[test]
    fn lanes_with_shared_cursors_are_apart() {
        let mut cursors = SharedCursors::default();
        let mut lanes: Vec<_> =
            (0..20).map(|_| lane_beside::<u64>(options(4), &mut cursors)).collect();
        for (number, (publisher, _)) in lanes.iter_mut().enumerate() {
            assert_eq!(publisher.try_publish_slice(&[number as u64; 4][..number % 5]), number % 5);
        }
        for (number, (publisher, mut consumer)) in lanes.into_iter().enumerate() {
            assert_eq!(consumer.gauge().published(), number as u64 % 5);
            assert_eq!(drain(&mut consumer, 9), vec![number as u64; number % 5]);
            drop(publisher);
            assert!(consumer.is_closed());
        }
    }

    #[test]
    fn high_water_is_what_the_first_reader_found() {
        let (mut publisher, mut consumer) = lane::<u64>(options(8));
        publisher.try_publish_slice(&[0; 5]);
        drain(&mut consumer, 1);
        publisher.try_publish_slice(&[0; 2]);
        drain(&mut consumer, 9);
        publisher.try_publish(&0).unwrap();
        drain(&mut consumer, 9);
        assert_eq!(consumer.gauge().high_water(), 6);
    }

    #[test]
    #[should_panic(expected = "lane test: capacity 6 is not a power of two of at least 2")]
    fn a_capacity_that_is_no_power_of_two_is_refused() {
        lane::<u64>(options(6));
    }

    #[test]
    #[should_panic(expected = "lane test: capacity 1 is not a power of two of at least 2")]
    fn a_capacity_of_one_is_refused() {
        lane::<u64>(options(1));
    }
}
