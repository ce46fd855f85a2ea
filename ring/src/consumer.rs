//! The reading ends of a lane: the consumer, which drives the recycler, and a stage before it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic::Location;

use crate::checks::{Checks, DefaultChecks};
use crate::cursor::Cursor;
use crate::gauge::LaneGauge;
use crate::reader::Reader;
use crate::record::Record;
use crate::recycler::lane_recycler::Recycler;

/// Reads a lane and returns its slots.
///
/// Dropping it leaves what is unread in the lane (see [`LaneGauge::in_flight`]); the publisher then
/// finds the lane full.
// Aligned for the reason given at `Publisher`. What a poll that finds nothing reads is the first
// line, what it needs beyond that for a record the next ones: a thread of fifty consumers looks at
// a hundred lanes in each pass, and what does not fit into the first cache then waits for the
// second.
#[repr(C, align(128))]
pub struct Consumer<E: Record, C: Checks = DefaultChecks> {
    pub(crate) reader: Reader<E>,
    pub(crate) recycler: Recycler<C>,
    /// `Cell` makes it `!Sync`: one thread at a time, by type.
    one_thread: PhantomData<Cell<()>>,
}

impl<E: Record, C: Checks> Consumer<E, C> {
    /// Hands at most `limit` records to `handle`, in order, and returns their slots when it is
    /// done. Returns how many; 0 also for a lane that is closed and empty.
    ///
    /// When `handle` panics, the panic goes on to the caller; exactly the records handled so far,
    /// with the one it panicked on, are consumed and their slots returned.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish_slice(&[1, 2, 3]);
    /// let mut seen = Vec::new();
    /// assert_eq!(consumer.poll(2, |record| seen.push(*record)), 2);
    /// assert_eq!(consumer.poll(8, |record| seen.push(*record)), 1);
    /// assert_eq!(seen, [1, 2, 3]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn poll(&mut self, limit: usize, mut handle: impl FnMut(&E)) -> usize {
        self.poll_at(Location::caller(), limit, |record| {
            handle(record);
            true
        })
    }

    /// [`Self::poll`] that ends early when `handle` says false; the record it said so of counts.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish_slice(&[1, 2, 3]);
    /// let polled = consumer.poll_while(8, |record| *record < 2);
    /// assert_eq!(polled, 2, "the second ended it");
    /// ```
    #[inline]
    #[track_caller]
    pub fn poll_while(&mut self, limit: usize, handle: impl FnMut(&E) -> bool) -> usize {
        self.poll_at(Location::caller(), limit, handle)
    }

    #[inline]
    fn poll_at(
        &mut self,
        site: &'static Location<'static>,
        limit: usize,
        handle: impl FnMut(&E) -> bool,
    ) -> usize {
        if self.recycler.has_held() && self.settle() > 0 {
            // Slots are out in raw handles; returning any behind them would be out of order.
            return 0;
        }
        let Self { reader, recycler, .. } = self;
        reader.read(limit, handle, |slots, first, last| {
            recycler.give_back(slots, first, last, site);
        })
    }

    /// Starts to fetch the next record from the publisher's core. For a thread that reads many
    /// lanes, some lanes before this one's turn.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// consumer.prefetch();
    /// consumer.poll(8, |_record| ());
    /// ```
    #[inline]
    pub fn prefetch(&self) {
        self.reader.prefetch();
    }

    /// Keeps at hand what the return of the next slot will write to. For a thread that polls for
    /// long and finds nothing: what only a record needs would be in a far cache by the time one
    /// comes. The next slot itself is left where it is, since the publisher is about to write to
    /// it.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// if consumer.poll(8, |_record| ()) == 0 {
    ///     consumer.keep_warm();
    /// }
    /// ```
    #[inline]
    pub fn keep_warm(&mut self) {
        self.recycler.keep_warm(&self.reader.slots);
    }

    /// Whether a poll would find something.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// assert!(!consumer.has_available());
    /// publisher.try_publish(&7)?;
    /// assert!(consumer.has_available());
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    #[inline]
    pub fn has_available(&self) -> bool {
        self.reader.has_available()
    }

    /// Whether the publisher is gone and all it published was consumed.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish(&7)?;
    /// drop(publisher);
    /// assert!(!consumer.is_closed(), "a record is left");
    /// consumer.poll(8, |_record| ());
    /// assert!(consumer.is_closed());
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.reader.is_closed()
    }

    /// A view of this lane for other threads.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish(&7)?;
    /// assert_eq!(consumer.gauge().in_flight(), 1);
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    pub fn gauge(&self) -> LaneGauge {
        LaneGauge::new(&self.reader.slots.state)
    }

    pub(crate) fn new(reader: Reader<E>, recycler: Recycler<C>) -> Self {
        Self { reader, recycler, one_thread: PhantomData }
    }

    pub(crate) fn settle(&mut self) -> usize {
        self.recycler.settle(&self.reader.slots)
    }
}

/// Reads a lane before its consumer, and returns nothing: the consumer sees each record after the
/// stage has handled it.
// Aligned for the reason given at `Publisher`.
#[repr(align(128))]
pub struct Stage<E: Record, C: Checks = DefaultChecks> {
    reader: Reader<E>,
    /// What the consumer may have.
    cursor: Cursor,
    checks: PhantomData<(C, Cell<()>)>,
}

impl<E: Record, C: Checks> Stage<E, C> {
    /// Hands at most `limit` records to `handle`, in order, then lets the consumer have them.
    /// Returns how many; 0 also for a lane that is closed and empty.
    ///
    /// When `handle` panics, the panic goes on to the caller; exactly the records handled so far,
    /// with the one it panicked on, go to the consumer.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane_staged};
    /// # let options = LaneOptions { name: "quotes".to_owned(), capacity: 4 };
    /// # let (mut publisher, mut stage, mut consumer) = lane_staged::<u64>(options);
    /// publisher.try_publish_slice(&[1, 2]);
    /// let mut logged = Vec::new();
    /// stage.poll(8, |record| logged.push(*record));
    /// consumer.poll(8, |record| assert!(logged.contains(record)));
    /// ```
    #[inline]
    pub fn poll(&mut self, limit: usize, mut handle: impl FnMut(&E)) -> usize {
        let handle = |record: &E| {
            handle(record);
            true
        };
        let Self { reader, cursor, .. } = self;
        reader.read(limit, handle, |_, _, last| cursor.publish(last + 1))
    }

    /// Whether a poll would find something.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane_staged};
    /// # let options = LaneOptions { name: "quotes".to_owned(), capacity: 4 };
    /// # let (mut publisher, mut stage, mut consumer) = lane_staged::<u64>(options);
    /// publisher.try_publish(&7)?;
    /// assert!(stage.has_available());
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    #[inline]
    pub fn has_available(&self) -> bool {
        self.reader.has_available()
    }

    /// Whether the publisher is gone and this stage has handled all it published.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane_staged};
    /// # let options = LaneOptions { name: "quotes".to_owned(), capacity: 4 };
    /// # let (mut publisher, mut stage, mut consumer) = lane_staged::<u64>(options);
    /// drop(publisher);
    /// assert!(stage.is_closed());
    /// ```
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.reader.is_closed()
    }

    /// A view of this lane for other threads.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane_staged};
    /// # let options = LaneOptions { name: "quotes".to_owned(), capacity: 4 };
    /// # let (mut publisher, mut stage, mut consumer) = lane_staged::<u64>(options);
    /// publisher.try_publish(&7)?;
    /// stage.poll(8, |_record| ());
    /// assert_eq!(stage.gauge().in_flight(), 1, "a stage returns nothing");
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    pub fn gauge(&self) -> LaneGauge {
        LaneGauge::new(&self.reader.slots.state)
    }

    pub(crate) fn new(reader: Reader<E>, cursor: Cursor) -> Self {
        Self { reader, cursor, checks: PhantomData }
    }
}
