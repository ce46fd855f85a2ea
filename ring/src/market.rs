//! The lossy half of a consumer's pair of lanes.
//!
//! What the lane can't take is conflated per cell, in memory private to the publisher. The consumer
//! sees only the lane, so nothing is shared and nothing can tear. Never waits, never allocates
//! after construction.

use crate::cell::{CellGroupSpec, CellId, CellMemory, Cells, Conflate, Displaced, Offered};
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
    /// When there are more than 2^32 groups, a group without members or with more than 64, or a
    /// queue of capacity 0.
    ///
    /// ```
    /// use pitlane_ring::{
    ///     CellGroupSpec, CellPolicy, CellSpec, LaneOptions, MarketPublisher, lane,
    /// };
    ///
    /// // One book: its state clears what waits of its quotes, and its bars queue.
    /// let group = CellGroupSpec {
    ///     members: vec![
    ///         CellSpec { policy: CellPolicy::Latest, clears: true },
    ///         CellSpec { policy: CellPolicy::Latest, clears: false },
    ///         CellSpec { policy: CellPolicy::Queue { capacity: 64 }, clears: false },
    ///     ],
    /// };
    /// let options = LaneOptions { name: "market".to_owned(), capacity: 1_024 };
    /// let (lane, _consumer) = lane::<u64>(options);
    /// let publisher = MarketPublisher::new(lane, &[group]);
    /// # assert_eq!(publisher.pending(), 0);
    /// ```
    pub fn new(lane: Publisher<E, C>, groups: &[CellGroupSpec]) -> Self {
        Self { lane, cells: Cells::new(groups) }
    }

    /// Publishes the record, or leaves it in its cell. `displaced` is told of each record that
    /// will not be delivered by itself: at most one, and what waits in the group's other cells and
    /// is outdated by it when the cell clears them.
    ///
    /// # Panics
    /// When there is no such cell. When `displaced` panics, the panic goes on; what was told is
    /// gone, all else waits as before, and `record` was taken only if it was merged.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// let mut replaced = Vec::new();
    /// let mut displaced = |record: &u64, why: Displaced| replaced.push((*record, why));
    /// for record in [1, 2, 3, 4] {
    ///     publisher.offer(&record, btc, &mut displaced);
    /// }
    /// // Two slots took 1 and 2; 3 waited in its cell until 4 replaced it.
    /// assert_eq!(replaced, [(3, Displaced::Conflated)]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn offer(
        &mut self,
        record: &E,
        cell: CellId,
        displaced: &mut impl FnMut(&E, Displaced),
    ) -> Offered {
        self.offer_with(record, || cell, displaced)
    }

    /// The same; `cell` is asked only when anything waits or the lane is full.
    ///
    /// # Panics
    /// As [`Self::offer`].
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// let offered = publisher.offer_with(&1, || unreachable!("there is room"), &mut |_, _| ());
    /// assert_eq!(offered, Offered::Published);
    /// ```
    #[inline]
    #[track_caller]
    pub fn offer_with(
        &mut self,
        record: &E,
        cell: impl FnOnce() -> CellId,
        displaced: &mut impl FnMut(&E, Displaced),
    ) -> Offered {
        let id = if self.cells.pending() == 0 {
            if self.lane.try_publish(record).is_ok() {
                return Offered::Published;
            }
            cell()
        } else {
            let id = cell();
            if !self.cells.is_waiting(id.group) && self.lane.try_publish(record).is_ok() {
                return Offered::Published;
            }
            id
        };
        self.cells.put(record, id, displaced);
        Offered::Held
    }

    /// Stages the record when nothing waits and the lane has room, see [`Publisher::stage`]. False
    /// when it is to be offered instead; nothing was counted then.
    ///
    /// # Panics
    /// As [`Publisher::stage`].
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// if !publisher.stage(&1) {
    ///     publisher.offer(&1, btc, &mut |_, _| ());
    /// }
    /// publisher.publish_staged();
    /// assert!(consumer.has_available());
    /// ```
    #[inline]
    #[track_caller]
    pub fn stage(&mut self, record: &E) -> bool {
        self.cells.pending() == 0 && self.lane.has_room() && self.lane.stage(record).is_ok()
    }

    /// Publishes the staged record; nothing when there is none.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// assert!(publisher.stage(&1));
    /// publisher.publish_staged();
    /// assert!(consumer.has_available());
    /// ```
    #[inline]
    pub fn publish_staged(&mut self) {
        self.lane.publish_staged();
    }

    /// See [`Publisher::prefetch`].
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// publisher.offer(&1, btc, &mut |_, _| ());
    /// publisher.prefetch();
    /// ```
    #[inline]
    pub fn prefetch(&self) {
        self.lane.prefetch();
    }

    /// Offers `count` records in order, as [`Self::offer_with`] would one by one, but makes those
    /// that go into the lane visible together, with one store of its cursor. Returns how many that
    /// were.
    ///
    /// # Panics
    /// When there is no such cell, and when there are fewer records than `count`.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// let run = [1, 2, 3];
    /// let published = publisher.offer_run(3, run.iter(), |_record| eth, &mut |_, _| ());
    /// assert_eq!((published, publisher.pending()), (2, 1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn offer_run<'r>(
        &mut self,
        count: usize,
        mut records: impl Iterator<Item = &'r E>,
        mut cell: impl FnMut(&E) -> CellId,
        displaced: &mut impl FnMut(&E, Displaced),
    ) -> usize {
        let Self { lane, cells } = self;
        let mut published = 0;
        if cells.pending() == 0 {
            published = lane.try_publish_batch(count, |slot| {
                slot.copy_used_from(records.next().expect("as many records as were counted"));
            });
        }
        for record in records {
            let offered = self.offer_with(record, || cell(record), displaced);
            published += usize::from(offered == Offered::Published);
        }
        published
    }

    /// Publishes what waits, as far as there is room: groups by how long they have waited, inside
    /// a group by member. Returns how many records.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// for record in [1, 2, 3] {
    ///     publisher.offer(&record, btc, &mut |_, _| ());
    /// }
    /// assert_eq!(publisher.flush(), 0, "the lane is full");
    /// consumer.poll(2, |_record| ());
    /// assert_eq!(publisher.flush(), 1);
    /// ```
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

    /// Exchanges the cells for `memory`, which has the same groups and more behind them. What waits
    /// goes over in its order; `memory` comes back with the old cells, empty, to be freed
    /// elsewhere.
    ///
    /// # Panics
    /// When the first groups of `memory` are not those that this publisher has.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// let mut memory = CellMemory::new(&[group.clone(), group.clone(), group]);
    /// publisher.extend_cells(&mut memory);
    /// publisher.offer(&1, CellId { group: 2, member: 0 }, &mut |_, _| ());
    /// ```
    pub fn extend_cells(&mut self, memory: &mut CellMemory<E>) {
        memory.0.take_over(&mut self.cells);
        std::mem::swap(&mut self.cells, &mut memory.0);
    }

    /// Removes what waits and is `unwanted`, and tells `dropped` of each record; what is in the
    /// lane already stays there. Looks at all that waits: for rare occasions.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// for record in [1, 2, 3] {
    ///     publisher.offer(&record, btc, &mut |_, _| ());
    /// }
    /// let mut dropped = Vec::new();
    /// publisher.discard_pending(|record| *record > 2, &mut |record| dropped.push(*record));
    /// assert_eq!((dropped, publisher.pending()), (vec![3], 0));
    /// ```
    pub fn discard_pending(&mut self, unwanted: impl Fn(&E) -> bool, dropped: &mut impl FnMut(&E)) {
        self.cells.discard(unwanted, dropped);
    }

    /// Records that wait.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// for record in [1, 2, 3] {
    ///     publisher.offer(&record, btc, &mut |_, _| ());
    /// }
    /// assert_eq!(publisher.pending(), 1);
    /// ```
    #[inline]
    pub fn pending(&self) -> usize {
        self.cells.pending()
    }

    /// Shows each record that waits, in the order in which they would be published now.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// for record in [1, 2, 3] {
    ///     publisher.offer(&record, btc, &mut |_, _| ());
    /// }
    /// publisher.for_each_pending(|record| assert_eq!(*record, 3));
    /// ```
    pub fn for_each_pending(&self, f: impl FnMut(&E)) {
        self.cells.for_each(f);
    }

    /// A view of the lane for other threads.
    ///
    /// ```
    /// # use pitlane_ring::{
    /// #     CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Displaced, LaneOptions,
    /// #     MarketPublisher, Offered, lane,
    /// # };
    /// # let (lane, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 2 });
    /// # let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
    /// # let group = CellGroupSpec { members: vec![latest] };
    /// # let mut publisher = MarketPublisher::new(lane, &[group.clone(), group.clone()]);
    /// # let (btc, eth) = (CellId { group: 0, member: 0 }, CellId { group: 1, member: 0 });
    /// publisher.offer(&1, btc, &mut |_, _| ());
    /// assert_eq!(publisher.gauge().published(), 1);
    /// ```
    pub fn gauge(&self) -> LaneGauge {
        self.lane.gauge()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{Absorbed, CellPolicy, CellSpec};
    use crate::consumer::Consumer;
    use crate::lane::{LaneOptions, lane};
    use crate::record::Record;
    use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

    #[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
    #[repr(C)]
    struct Keyed {
        key: u64,
        value: u64,
    }

    impl Record for Keyed {
        fn used_bytes(&self) -> usize {
            size_of::<Self>()
        }
    }

    impl Conflate for Keyed {
        fn absorb(&mut self, newer: &Self) -> Absorbed {
            *self = *newer;
            Absorbed::Replaced
        }
    }

    /// A lane of four slots with a cell for each of two keys.
    fn market() -> (MarketPublisher<Keyed>, Consumer<Keyed>) {
        let (publisher, consumer) = lane(LaneOptions { name: "test".to_owned(), capacity: 4 });
        let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
        let group = CellGroupSpec { members: vec![latest] };
        (MarketPublisher::new(publisher, &[group.clone(), group]), consumer)
    }

    fn run_of(values: std::ops::Range<u64>) -> Vec<Keyed> {
        values.map(|value| Keyed { key: value % 2, value }).collect()
    }

    fn offer(market: &mut MarketPublisher<Keyed>, run: &[Keyed]) -> (usize, Vec<u64>) {
        let mut displaced = Vec::new();
        let cell = |record: &Keyed| CellId { group: record.key as u32, member: 0 };
        let published = market.offer_run(run.len(), run.iter(), cell, &mut |record, _| {
            displaced.push(record.value);
        });
        (published, displaced)
    }

    fn values(consumer: &mut Consumer<Keyed>) -> Vec<u64> {
        let mut seen = Vec::new();
        consumer.poll(usize::MAX, |record| seen.push(record.value));
        seen
    }

    #[test]
    fn a_run_that_fits_goes_out_in_order() {
        let (mut market, mut consumer) = market();
        assert_eq!(offer(&mut market, &run_of(0..3)), (3, vec![]));
        assert_eq!(values(&mut consumer), [0, 1, 2]);
        assert_eq!(offer(&mut market, &[]), (0, vec![]));
    }

    #[test]
    fn more_cells_come_while_records_wait_and_keep_their_order() {
        let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
        let queue = CellSpec { policy: CellPolicy::Queue { capacity: 3 }, clears: false };
        let old = [
            CellGroupSpec { members: vec![latest.clone()] },
            CellGroupSpec { members: vec![queue] },
        ];
        let (publisher, mut consumer) = lane(LaneOptions { name: "test".to_owned(), capacity: 4 });
        let mut market = MarketPublisher::new(publisher, &old);
        let cell = |group| CellId { group, member: 0 };
        let put = |market: &mut MarketPublisher<Keyed>, value, group| {
            market.offer(&Keyed { key: 0, value }, cell(group), &mut |_, _| ());
        };
        (0..4).for_each(|value| put(&mut market, value, 0));
        (10..14).for_each(|value| put(&mut market, value, 1));
        put(&mut market, 4, 0);
        let mut grown = old.to_vec();
        grown.push(CellGroupSpec { members: vec![latest] });
        let mut memory = CellMemory::new(&grown);
        market.extend_cells(&mut memory);
        assert_eq!(memory.0.pending(), 0);
        put(&mut market, 20, 2);
        put(&mut market, 5, 0);
        assert_eq!(market.pending(), 5);
        assert_eq!(values(&mut consumer), [0, 1, 2, 3]);
        assert_eq!(market.flush(), 4);
        assert_eq!(values(&mut consumer), [11, 12, 13, 5]);
        assert_eq!(market.flush(), 1);
        assert_eq!(values(&mut consumer), [20]);
    }

    #[test]
    #[should_panic(expected = "not the old ones")]
    fn fewer_cells_are_refused() {
        let (mut market, _consumer) = market();
        let latest = CellSpec { policy: CellPolicy::Latest, clears: false };
        let one = CellGroupSpec { members: vec![latest] };
        market.extend_cells(&mut CellMemory::new(&[one]));
    }

    #[test]
    fn what_of_a_run_finds_no_room_is_conflated_by_key() {
        let (mut market, mut consumer) = market();
        assert_eq!(offer(&mut market, &run_of(0..9)), (4, vec![4, 5, 6]));
        assert_eq!(values(&mut consumer), [0, 1, 2, 3]);
        // Both keys wait, so a new run must not pass them, though the lane has room.
        assert_eq!(offer(&mut market, &run_of(9..11)), (0, vec![7, 8]));
        assert_eq!(market.flush(), 2);
        assert_eq!(values(&mut consumer), [10, 9]);
    }
}
