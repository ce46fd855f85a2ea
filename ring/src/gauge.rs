//! What can be seen of a lane from outside.
//!
//! Each figure has one writer, on a line of its own side of the lane, and is stored relaxed by code
//! that stores there anyway. Reading never disturbs the protocol; figures of different sides are
//! not of one instant.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::lane_state::LaneState;

/// A view of one lane, readable from any thread, also after both ends are gone.
#[derive(Clone)]
pub struct LaneGauge {
    state: Arc<LaneState>,
}

impl LaneGauge {
    /// The name that the lane was built with.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// assert_eq!(publisher.gauge().name(), "quotes");
    /// ```
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Number of slots.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// assert_eq!(consumer.gauge().capacity(), 4);
    /// ```
    pub fn capacity(&self) -> usize {
        self.state.capacity
    }

    /// Records published so far.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish_slice(&[1, 2, 3]);
    /// assert_eq!(consumer.gauge().published(), 3);
    /// ```
    pub fn published(&self) -> u64 {
        self.state.published.end() as u64
    }

    /// Records whose slot was returned so far.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish_slice(&[1, 2, 3]);
    /// consumer.poll(2, |_record| ());
    /// assert_eq!(consumer.gauge().released(), 2);
    /// ```
    pub fn released(&self) -> u64 {
        self.state.reader.released.count()
    }

    /// Records published and not yet returned. While the lane is in use this is at least what it
    /// was at the moment of the call; at rest it is exact.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish_slice(&[1, 2, 3]);
    /// consumer.poll(2, |_record| ());
    /// assert_eq!(consumer.gauge().in_flight(), 1);
    /// ```
    pub fn in_flight(&self) -> u64 {
        // Released first: the recycler never passes the publisher, so the difference can't be
        // negative in this order.
        let released = self.released();
        self.published().saturating_sub(released)
    }

    /// The largest number of slots in use that was observed: by the first reader at the start of
    /// each poll that found something (published and not returned at that moment), and by the
    /// publisher when it was refused (then it is the capacity). What comes and goes between two
    /// polls without a refusal is not seen, and neither is a backlog that nobody polls: that one
    /// shows in [`Self::in_flight`].
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish_slice(&[1, 2, 3]);
    /// consumer.poll(8, |_record| ());
    /// assert_eq!(consumer.gauge().high_water(), 3);
    /// ```
    pub fn high_water(&self) -> u64 {
        if self.full_count() > 0 {
            return self.state.capacity as u64;
        }
        self.state.reader.high_water.get()
    }

    /// Publications that found no room: one for each refused record, and one for each slice or
    /// batch that did not fit whole.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish_slice(&[1, 2, 3, 4]);
    /// assert!(publisher.try_publish(&5).is_err());
    /// assert_eq!(publisher.gauge().full_count(), 1);
    /// ```
    pub fn full_count(&self) -> u64 {
        self.state.publisher.full.get()
    }

    /// Returns that were refused because the slot had been returned before.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// assert_eq!(publisher.gauge().double_returns(), 0);
    /// ```
    pub fn double_returns(&self) -> u64 {
        self.state.refused.double.load(Ordering::Relaxed)
    }

    /// Returns that were refused because an earlier slot was still out.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// assert_eq!(publisher.gauge().out_of_order_returns(), 0);
    /// ```
    pub fn out_of_order_returns(&self) -> u64 {
        self.state.refused.out_of_order.load(Ordering::Relaxed)
    }

    /// Whether the publisher is gone.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// let gauge = consumer.gauge();
    /// drop(publisher);
    /// assert!(gauge.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.state.publisher.closed.load(Ordering::Acquire)
    }

    pub(crate) fn new(state: &Arc<LaneState>) -> Self {
        Self { state: Arc::clone(state) }
    }
}

impl fmt::Debug for LaneGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneGauge")
            .field("name", &self.name())
            .field("capacity", &self.capacity())
            .field("published", &self.published())
            .field("released", &self.released())
            .field("high_water", &self.high_water())
            .field("full_count", &self.full_count())
            .field("double_returns", &self.double_returns())
            .finish()
    }
}
