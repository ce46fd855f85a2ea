//! Slots for what is held across events: partials of a merge, reorder buffers.
//!
//! A slab of values made once. A claim hands out the slot that was returned last, with its value as
//! it was left; a return goes through the recycler's accounting. When nothing is free, a claim says
//! so and is counted: it never waits and never allocates.

use std::panic::Location;

use crate::checks::{Checks, DefaultChecks};
use crate::recycler::return_cursor::RefusedReturn;
use crate::recycler::slab::{PoolGauge, PoolHandle, SlabRecycler};

/// A slab of `T` with one owner.
///
/// Handles of another pool are not told apart: keep them with their pool.
pub struct Pool<T, C: Checks = DefaultChecks> {
    values: Box<[T]>,
    recycler: SlabRecycler<C>,
}

impl<T> Pool<T, DefaultChecks> {
    /// `capacity` values, each made by `make`, with the checks of the build.
    ///
    /// # Panics
    /// When the capacity is 0 or does not fit 32 bits.
    ///
    /// ```
    /// use pitlane_ring::Pool;
    ///
    /// let pool = Pool::new("partials", 64, Vec::<u64>::new);
    /// assert_eq!((pool.capacity(), pool.free()), (64, 64));
    /// ```
    pub fn new(name: impl Into<String>, capacity: usize, make: impl FnMut() -> T) -> Self {
        Self::new_with(name, capacity, make)
    }
}

impl<T, C: Checks> Pool<T, C> {
    /// As [`Pool::new`], with the checks `C`.
    ///
    /// # Panics
    /// When the capacity is 0 or does not fit 32 bits.
    ///
    /// ```
    /// use pitlane_ring::{Plain, Pool};
    ///
    /// let pool = Pool::<u64, Plain>::new_with("partials", 64, || 0);
    /// assert_eq!(pool.free(), 64);
    /// ```
    pub fn new_with(name: impl Into<String>, capacity: usize, mut make: impl FnMut() -> T) -> Self {
        let values = (0..capacity).map(|_| make()).collect();
        Self { values, recycler: SlabRecycler::new(name.into(), capacity) }
    }

    /// Takes a free slot; its value is as its last holder left it. `None` when there is none;
    /// counted.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let first = pool.claim();
    /// let second = pool.claim();
    /// assert!(first.is_some() && second.is_some());
    /// assert_eq!(pool.claim(), None, "two slots");
    /// ```
    #[inline]
    pub fn claim(&mut self) -> Option<PoolHandle> {
        self.recycler.claim()
    }

    /// The value of a claimed slot; `None` when it was returned.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let handle = pool.claim().expect("the pool is new");
    /// assert_eq!(pool.get(handle), Some(&0));
    /// pool.give_back(handle)?;
    /// assert_eq!(pool.get(handle), None);
    /// # Ok::<(), RefusedReturn>(())
    /// ```
    #[inline]
    pub fn get(&self, handle: PoolHandle) -> Option<&T> {
        if !self.recycler.is_claimed(handle) {
            return None;
        }
        self.values.get(handle.index as usize)
    }

    /// The value of a claimed slot, to be changed; `None` when it was returned.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let handle = pool.claim().expect("the pool is new");
    /// if let Some(value) = pool.get_mut(handle) {
    ///     *value = 7;
    /// }
    /// assert_eq!(pool.get(handle), Some(&7));
    /// ```
    #[inline]
    pub fn get_mut(&mut self, handle: PoolHandle) -> Option<&mut T> {
        if !self.recycler.is_claimed(handle) {
            return None;
        }
        self.values.get_mut(handle.index as usize)
    }

    /// Returns a slot.
    ///
    /// # Errors
    /// [`RefusedReturn::AlreadyReturned`] when it was returned before, also when it was claimed
    /// again since; counted, and logged with a backtrace. The pool is as it was.
    ///
    /// # Panics
    /// With [`crate::Checked`], instead of an error.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let handle = pool.claim().expect("the pool is new");
    /// assert_eq!(pool.give_back(handle), Ok(()));
    /// assert_eq!(pool.give_back(handle), Err(RefusedReturn::AlreadyReturned));
    /// ```
    #[inline]
    #[track_caller]
    pub fn give_back(&mut self, handle: PoolHandle) -> Result<(), RefusedReturn> {
        self.recycler.give_back(handle, Location::caller())
    }

    /// See [`crate::raw::forget_pool_return`].
    pub(crate) fn forget_return(&mut self, handle: PoolHandle) {
        self.recycler.forget_return(handle);
    }

    /// Number of slots.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// assert_eq!(pool.capacity(), 2);
    /// ```
    pub fn capacity(&self) -> usize {
        self.values.len()
    }

    /// Number of slots that are claimed.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let _handle = pool.claim();
    /// assert_eq!((pool.owned(), pool.free()), (1, 1));
    /// ```
    pub fn owned(&self) -> usize {
        self.values.len() - self.recycler.free()
    }

    /// Number of slots that can be claimed.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// assert_eq!(pool.free(), 2);
    /// ```
    pub fn free(&self) -> usize {
        self.recycler.free()
    }

    /// A view of this pool for other threads.
    ///
    /// ```
    /// # use pitlane_ring::{Pool, RefusedReturn, Plain};
    /// # let mut pool = Pool::<u64, Plain>::new_with("partials", 2, || 0);
    /// let gauge = pool.gauge();
    /// let _handle = pool.claim();
    /// assert_eq!((gauge.owned(), gauge.high_water()), (1, 1));
    /// ```
    pub fn gauge(&self) -> PoolGauge {
        self.recycler.gauge()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::checks::{Checked, Plain};

    #[test]
    fn claims_until_exhausted_and_claims_again_what_returns() {
        let mut pool = Pool::new("partials", 2, || 0_u32);
        let first = pool.claim().unwrap();
        let second = pool.claim().unwrap();
        assert_eq!((pool.claim(), pool.owned(), pool.free()), (None, 2, 0));
        *pool.get_mut(first).unwrap() = 7;
        assert_eq!((pool.get(first), pool.get(second)), (Some(&7), Some(&0)));
        pool.give_back(first).unwrap();
        assert_eq!((pool.get(first), pool.owned()), (None, 1));
        let third = pool.claim().unwrap();
        assert_eq!((pool.get(third), pool.get(first)), (Some(&7), None));
        let gauge = pool.gauge();
        assert_eq!((gauge.exhausted(), gauge.owned(), gauge.high_water()), (1, 2, 2));
        assert_eq!((gauge.name(), gauge.capacity()), ("partials", 2));
    }

    /// FR-009 for pools: refused at once, and after reuse (EDGE-5).
    #[test]
    fn a_second_return_is_refused_and_counted() {
        let mut pool = Pool::<_, Plain>::new_with("partials", 2, || 0_u32);
        let stale = pool.claim().unwrap();
        pool.give_back(stale).unwrap();
        assert_eq!(pool.give_back(stale), Err(RefusedReturn::AlreadyReturned));
        let current = pool.claim().unwrap();
        assert_eq!(current.index, stale.index, "the slot is in use again");
        assert_eq!(pool.give_back(stale), Err(RefusedReturn::AlreadyReturned));
        assert_eq!((pool.gauge().double_returns(), pool.owned()), (2, 1));
        assert!(pool.get(current).is_some() && pool.get_mut(stale).is_none());
        pool.give_back(current).unwrap();
        assert_eq!(pool.free(), 2);
    }

    #[test]
    fn a_second_return_panics_when_checked() {
        let mut pool = Pool::<_, Checked>::new_with("partials", 1, || ());
        let handle = pool.claim().unwrap();
        pool.give_back(handle).unwrap();
        let refused = catch_unwind(AssertUnwindSafe(|| pool.give_back(handle))).unwrap_err();
        let message = refused.downcast_ref::<String>().unwrap();
        assert!(message.starts_with("pool partials: return of slot 0 "), "{message}");
        assert_eq!((pool.gauge().double_returns(), pool.free()), (1, 1));
    }
}
