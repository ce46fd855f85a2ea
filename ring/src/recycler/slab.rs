//! The recycler of a pool: generations, a free list, and the counts that a gauge shows.

use std::backtrace::Backtrace;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use super::return_cursor::RefusedReturn;
use crate::checks::Checks;
use crate::counters::Counter;

/// A claimed slot of one pool. It can be copied, but only one copy can return it, and none reaches
/// the slot afterwards, even when it was claimed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolHandle {
    pub(crate) index: u32,
    /// Counts the returns of the slot.
    pub(crate) generation: u64,
}

/// Returns the slots of one pool.
pub(crate) struct SlabRecycler<C> {
    /// Returns of each slot so far: the generation of the handle that may return it next.
    generations: Box<[u64]>,
    free: Vec<u32>,
    counts: Arc<PoolCounts>,
    checks: PhantomData<C>,
}

struct PoolCounts {
    name: Box<str>,
    capacity: usize,
    owned: Counter,
    high_water: Counter,
    exhausted: Counter,
    double_returns: Counter,
}

impl<C: Checks> SlabRecycler<C> {
    pub(crate) fn new(name: String, capacity: usize) -> Self {
        let end = u32::try_from(capacity).expect("a pool has fewer than 2^32 slots");
        assert!(capacity > 0, "pool {name} has no slots");
        let counts = PoolCounts {
            name: name.into_boxed_str(),
            capacity,
            owned: Counter::new(),
            high_water: Counter::new(),
            exhausted: Counter::new(),
            double_returns: Counter::new(),
        };
        Self {
            generations: vec![0; capacity].into_boxed_slice(),
            free: (0..end).rev().collect(),
            counts: Arc::new(counts),
            checks: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn claim(&mut self) -> Option<PoolHandle> {
        let Some(index) = self.free.pop() else {
            self.counts.exhausted.increment();
            return None;
        };
        self.counts.owned.increment();
        self.counts.high_water.raise(self.counts.owned.get());
        Some(PoolHandle { index, generation: self.generations[index as usize] })
    }

    /// Whether the handle may still use its slot. A free slot has a generation that no handle has.
    #[inline]
    pub(crate) fn is_claimed(&self, handle: PoolHandle) -> bool {
        self.generations.get(handle.index as usize) == Some(&handle.generation)
    }

    #[inline]
    pub(crate) fn give_back(
        &mut self,
        handle: PoolHandle,
        site: &'static Location<'static>,
    ) -> Result<(), RefusedReturn> {
        if !self.is_claimed(handle) {
            self.refuse(handle, site);
            return Err(RefusedReturn::AlreadyReturned);
        }
        self.generations[handle.index as usize] += 1;
        self.free.push(handle.index);
        self.counts.owned.set(self.counts.owned.get() - 1);
        Ok(())
    }

    /// Plants a fault: the handle counts as claimed again.
    pub(crate) fn forget_return(&mut self, handle: PoolHandle) {
        self.generations[handle.index as usize] = handle.generation;
    }

    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn gauge(&self) -> PoolGauge {
        PoolGauge { counts: Arc::clone(&self.counts) }
    }

    #[cold]
    fn refuse(&self, handle: PoolHandle, site: &'static Location<'static>) {
        self.counts.double_returns.increment();
        let PoolHandle { index, generation } = handle;
        let name = &self.counts.name;
        let refused = RefusedReturn::AlreadyReturned;
        if C::CHECKED {
            panic!(
                "pool {name}: return of slot {index} (generation {generation}) at {site} refused: \
                 {refused}"
            );
        }
        log::warn!(
            "pool {name}: return of slot {index} (generation {generation}) at {site} refused: \
             {refused}\n{}",
            Backtrace::force_capture()
        );
    }
}

/// A view of one pool, readable from any thread.
#[derive(Clone)]
pub struct PoolGauge {
    counts: Arc<PoolCounts>,
}

impl PoolGauge {
    /// The name that the pool was built with.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// assert_eq!(pool.gauge().name(), "partials");
    /// ```
    pub fn name(&self) -> &str {
        &self.counts.name
    }

    /// Number of slots.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// assert_eq!(pool.gauge().capacity(), 2);
    /// ```
    pub fn capacity(&self) -> usize {
        self.counts.capacity
    }

    /// Slots that are claimed.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let _handle = pool.claim();
    /// assert_eq!(pool.gauge().owned(), 1);
    /// ```
    pub fn owned(&self) -> u64 {
        self.counts.owned.get()
    }

    /// The most slots that were ever claimed at once.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let handle = pool.claim().expect("the pool is new");
    /// pool.give_back(handle)?;
    /// assert_eq!((pool.gauge().owned(), pool.gauge().high_water()), (0, 1));
    /// # Ok::<(), RefusedReturn>(())
    /// ```
    pub fn high_water(&self) -> u64 {
        self.counts.high_water.get()
    }

    /// Claims that found nothing free.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// while pool.claim().is_some() {}
    /// assert_eq!(pool.gauge().exhausted(), 1);
    /// ```
    pub fn exhausted(&self) -> u64 {
        self.counts.exhausted.get()
    }

    /// Returns that were refused.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let handle = pool.claim().expect("the pool is new");
    /// pool.give_back(handle)?;
    /// assert!(pool.give_back(handle).is_err());
    /// assert_eq!(pool.gauge().double_returns(), 1);
    /// # Ok::<(), RefusedReturn>(())
    /// ```
    pub fn double_returns(&self) -> u64 {
        self.counts.double_returns.get()
    }
}
