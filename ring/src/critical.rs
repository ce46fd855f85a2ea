//! The lossless half of a consumer's pair of lanes.
//!
//! What the lane can't take waits in order in a bounded spill, private to the publisher. When that
//! is full too, the caller gets to know and still has the record. Never waits, never allocates
//! after construction.

use crate::cell::Offered;
use crate::checks::{Checks, DefaultChecks};
use crate::gauge::LaneGauge;
use crate::publisher::Publisher;
use crate::record::Record;

/// Neither the lane nor the spill has room; the record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spill full")]
pub struct SpillFull;

/// Publishes critical records into a lane, and spills in order while it is full.
pub struct CriticalPublisher<E: Record, C: Checks = DefaultChecks> {
    pub(crate) lane: Publisher<E, C>,
    spill: Spill<E>,
}

impl<E: Record, C: Checks> CriticalPublisher<E, C> {
    /// Takes all memory that a spill of `spill_capacity` records will need.
    ///
    /// ```
    /// use pitlane_ring::{CriticalPublisher, LaneOptions, lane};
    ///
    /// let options = LaneOptions { name: "reports".to_owned(), capacity: 256 };
    /// let (lane, _consumer) = lane::<u64>(options);
    /// let publisher = CriticalPublisher::new(lane, 4_096);
    /// # assert_eq!(publisher.pending(), 0);
    /// ```
    pub fn new(lane: Publisher<E, C>, spill_capacity: usize) -> Self {
        Self { lane, spill: Spill::new(spill_capacity) }
    }

    /// Publishes the record, or spills it. While anything is spilled, all goes there.
    ///
    /// # Errors
    /// [`SpillFull`] when there is no room anywhere; the record is still the caller's.
    ///
    /// ```
    /// # use pitlane_ring::{CriticalPublisher, LaneOptions, Offered, SpillFull, lane};
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "reports".to_owned(), capacity: 2 });
    /// # let mut publisher = CriticalPublisher::new(lane, 2);
    /// assert_eq!(publisher.offer(&1), Ok(Offered::Published));
    /// assert_eq!(publisher.offer(&2), Ok(Offered::Published));
    /// assert_eq!(publisher.offer(&3), Ok(Offered::Held), "two slots");
    /// assert_eq!(publisher.offer(&4), Ok(Offered::Held));
    /// assert_eq!(publisher.offer(&5), Err(SpillFull));
    /// ```
    #[inline]
    #[track_caller]
    pub fn offer(&mut self, record: &E) -> Result<Offered, SpillFull> {
        if self.spill.len == 0 && self.lane.try_publish(record).is_ok() {
            return Ok(Offered::Published);
        }
        self.spill.push(record)?;
        Ok(Offered::Held)
    }

    /// Spills the record, whether the lane has room or not.
    ///
    /// # Errors
    /// [`SpillFull`] when the spill has no room; the record is still the caller's.
    ///
    /// ```
    /// # use pitlane_ring::{CriticalPublisher, LaneOptions, Offered, SpillFull, lane};
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "reports".to_owned(), capacity: 2 });
    /// # let mut publisher = CriticalPublisher::new(lane, 2);
    /// publisher.spill(&1)?;
    /// assert!(!consumer.has_available());
    /// publisher.flush();
    /// assert!(consumer.has_available());
    /// # Ok::<(), SpillFull>(())
    /// ```
    pub fn spill(&mut self, record: &E) -> Result<(), SpillFull> {
        self.spill.push(record)
    }

    /// Publishes what is spilled, oldest first, as far as there is room. Returns how many records.
    ///
    /// ```
    /// # use pitlane_ring::{CriticalPublisher, LaneOptions, Offered, SpillFull, lane};
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "reports".to_owned(), capacity: 2 });
    /// # let mut publisher = CriticalPublisher::new(lane, 2);
    /// for record in [1, 2, 3, 4] {
    ///     publisher.offer(&record)?;
    /// }
    /// let mut seen = Vec::new();
    /// consumer.poll(2, |record| seen.push(*record));
    /// assert_eq!(publisher.flush(), 2);
    /// consumer.poll(2, |record| seen.push(*record));
    /// assert_eq!(seen, [1, 2, 3, 4]);
    /// # Ok::<(), SpillFull>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn flush(&mut self) -> usize {
        let Self { lane, spill } = self;
        if spill.len == 0 || !lane.has_room() {
            return 0;
        }
        lane.try_publish_batch(spill.len, |slot| slot.copy_used_from(spill.pop()))
    }

    /// Takes at most `limit` records out of the spill, oldest first, which then never reach the
    /// lane. Returns how many.
    ///
    /// ```
    /// # use pitlane_ring::{CriticalPublisher, LaneOptions, Offered, SpillFull, lane};
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "reports".to_owned(), capacity: 2 });
    /// # let mut publisher = CriticalPublisher::new(lane, 2);
    /// for record in [1, 2, 3, 4] {
    ///     publisher.offer(&record)?;
    /// }
    /// let mut kept = Vec::new();
    /// assert_eq!(publisher.take_pending(8, |record| kept.push(*record)), 2);
    /// assert_eq!(kept, [3, 4]);
    /// # Ok::<(), SpillFull>(())
    /// ```
    pub fn take_pending(&mut self, limit: usize, mut take: impl FnMut(&E)) -> usize {
        let count = limit.min(self.spill.len);
        (0..count).for_each(|_| take(self.spill.pop()));
        count
    }

    /// Records in the spill.
    ///
    /// ```
    /// # use pitlane_ring::{CriticalPublisher, LaneOptions, Offered, SpillFull, lane};
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "reports".to_owned(), capacity: 2 });
    /// # let mut publisher = CriticalPublisher::new(lane, 2);
    /// for record in [1, 2, 3] {
    ///     publisher.offer(&record)?;
    /// }
    /// assert_eq!(publisher.pending(), 1);
    /// # Ok::<(), SpillFull>(())
    /// ```
    #[inline]
    pub fn pending(&self) -> usize {
        self.spill.len
    }

    /// Shows each record in the spill, oldest first.
    ///
    /// ```
    /// # use pitlane_ring::{CriticalPublisher, LaneOptions, Offered, SpillFull, lane};
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "reports".to_owned(), capacity: 2 });
    /// # let mut publisher = CriticalPublisher::new(lane, 2);
    /// publisher.spill(&1)?;
    /// publisher.for_each_pending(|record| assert_eq!(*record, 1));
    /// # Ok::<(), SpillFull>(())
    /// ```
    pub fn for_each_pending(&self, mut f: impl FnMut(&E)) {
        (0..self.spill.len).for_each(|age| f(&self.spill.records[self.spill.place(age)]));
    }

    /// A view of the lane for other threads.
    ///
    /// ```
    /// # use pitlane_ring::{CriticalPublisher, LaneOptions, Offered, SpillFull, lane};
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "reports".to_owned(), capacity: 2 });
    /// # let mut publisher = CriticalPublisher::new(lane, 2);
    /// publisher.offer(&1)?;
    /// assert_eq!(publisher.gauge().published(), 1);
    /// # Ok::<(), SpillFull>(())
    /// ```
    pub fn gauge(&self) -> LaneGauge {
        self.lane.gauge()
    }
}

/// A queue over memory taken once.
struct Spill<E> {
    records: Box<[E]>,
    head: usize,
    len: usize,
}

impl<E: Record> Spill<E> {
    fn new(capacity: usize) -> Self {
        let records = vec![E::new_zeroed(); capacity].into_boxed_slice();
        Self { records, head: 0, len: 0 }
    }

    fn place(&self, age: usize) -> usize {
        let place = self.head + age;
        if place < self.records.len() { place } else { place - self.records.len() }
    }

    fn push(&mut self, record: &E) -> Result<(), SpillFull> {
        if self.len == self.records.len() {
            return Err(SpillFull);
        }
        let place = self.place(self.len);
        self.records[place].copy_used_from(record);
        self.len += 1;
        Ok(())
    }

    /// The oldest, which leaves; there must be one.
    fn pop(&mut self) -> &E {
        let oldest = self.head;
        self.head = self.place(1);
        self.len -= 1;
        &self.records[oldest]
    }
}
