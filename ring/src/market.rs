//! The lossy half of a consumer's pair of lanes.
//!
//! What the lane can't take is conflated per cell, in memory private to the publisher. The consumer
//! sees only the lane, so nothing is shared and nothing can tear. Never waits, never allocates
//! after construction.

use crate::cell::{CellGroupSpec, CellId, Cells, Conflate, Displaced, Offered};
use crate::checks::{Checks, DefaultChecks};
use crate::gauge::LaneGauge;
use crate::publisher::Publisher;

/// Publishes market data into a lane, and keeps the latest of each key while the lane is full.
///
/// Order is kept within a group of cells: while anything of a group waits, every record of it goes
/// to its cells. Between groups there is no order.
pub struct MarketPublisher<E: Conflate, C: Checks = DefaultChecks> {
    lane: Publisher<E, C>,
    cells: Cells<E>,
}

impl<E: Conflate, C: Checks> MarketPublisher<E, C> {
    /// Takes all memory that the cells will need.
    ///
    /// # Panics
    /// When there are more than 65,536 groups, a group without members or with more than 64, a
    /// queue of capacity 0, or a queue that clears.
    pub fn new(lane: Publisher<E, C>, groups: &[CellGroupSpec]) -> Self {
        Self { lane, cells: Cells::new(groups) }
    }

    /// Publishes the record, or leaves it in its cell. `displaced` is told of each record that
    /// will not be delivered by itself: at most one, or all that waits in the group when the
    /// cell clears it.
    ///
    /// # Panics
    /// When there is no such cell. When `displaced` panics, the panic goes on; what was told is
    /// gone, all else waits as before, and `record` was taken only if it was merged.
    #[inline]
    #[track_caller]
    pub fn offer(
        &mut self,
        record: &E,
        cell: CellId,
        displaced: &mut impl FnMut(&E, Displaced),
    ) -> Offered {
        if !self.cells.is_waiting(cell.group) && self.lane.try_publish(record).is_ok() {
            return Offered::Published;
        }
        self.cells.put(record, cell, displaced);
        Offered::Held
    }

    /// Publishes what waits, as far as there is room: groups by how long they have waited, inside
    /// a group by member. Returns how many records.
    #[inline]
    #[track_caller]
    pub fn flush(&mut self) -> usize {
        let Self { lane, cells } = self;
        if cells.pending() == 0 || !lane.has_room() {
            return 0;
        }
        lane.try_publish_batch(cells.pending(), |slot| {
            if let Some(record) = cells.take_next() {
                slot.copy_used_from(record);
            }
        })
    }

    /// Removes what waits and is `unwanted`, and tells `dropped` of each record; what is in the lane
    /// already stays there. Looks at all that waits: for rare occasions.
    pub fn discard_pending(&mut self, unwanted: impl Fn(&E) -> bool, dropped: &mut impl FnMut(&E)) {
        self.cells.discard(unwanted, dropped);
    }

    /// Records that wait.
    #[inline]
    pub fn pending(&self) -> usize {
        self.cells.pending()
    }

    /// Shows each record that waits, in the order in which they would be published now.
    pub fn for_each_pending(&self, f: impl FnMut(&E)) {
        self.cells.for_each(f);
    }

    /// A view of the lane for other threads.
    pub fn gauge(&self) -> LaneGauge {
        self.lane.gauge()
    }
}
