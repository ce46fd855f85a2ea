//! The recycler: the only type that returns slots.
//!
//! A slot carries no state. Its generation is its sequence, which is never reused, and its state
//! follows from one word, the [`ReturnCursor`]: what is at or below it was returned. A return is a
//! compare-and-swap of that word from the sequence before the slot to the slot, so of two threads
//! exactly one wins, a slot that was reused meanwhile can't be taken for the old one, and nothing
//! can be returned past a slot that is still out. Whoever wins, the recycler alone resets the slot
//! and lets the publisher pass.
//!
//! A consumer that handles its records in place returns them without the locked instruction. Another
//! thread could only win a return of a slot that a token was made for, and while such a slot is out
//! the consumer handles nothing; tokens of slots that were returned before find the word beyond
//! theirs, whoever moved it there. A lock would be more than the 7 ns it takes: nothing behind it
//! starts before it is done, so a thread that polls many lanes would not begin to fetch the next
//! one's lines.

use std::backtrace::Backtrace;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use crate::checks::Checks;
use crate::counters::Counter;
use crate::gate::Release;
use crate::gauge::LaneState;
use crate::pool::PoolHandle;
use crate::record::{Record, Sequence};
use crate::storage::{self, LaneSlots};
use crate::sync::{AtomicI64, Ordering};

/// A return that was not accepted; the lane is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedReturn {
    /// The slot had been returned before, whether or not it was reused since.
    #[error("the slot was returned before")]
    AlreadyReturned,
    /// A slot published earlier is still out; this one may be returned after it.
    #[error("an earlier slot is still out")]
    OutOfOrder,
}

/// The last sequence that was returned.
pub(crate) struct ReturnCursor(AtomicI64);

impl ReturnCursor {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(-1))
    }

    /// Returns `first` to `last` at once. Of several calls for one sequence exactly one succeeds.
    #[inline]
    pub(crate) fn try_return(&self, first: Sequence, last: Sequence) -> Result<(), RefusedReturn> {
        // Release: what the returning thread did with the slots comes before the return. Acquire:
        // the next in line comes after it.
        match self.0.compare_exchange(first - 1, last, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(found) if found < first => Err(RefusedReturn::OutOfOrder),
            Err(_) => Err(RefusedReturn::AlreadyReturned),
        }
    }

    /// Returns like [`Self::try_return`], on the thread that reads the lane, while no slot is out: then
    /// nobody else can return anything, so there is nothing to win.
    #[inline]
    pub(crate) fn return_in_place(
        &self,
        first: Sequence,
        last: Sequence,
    ) -> Result<(), RefusedReturn> {
        match self.last() {
            found if found == first - 1 => {
                // Release, as in `try_return`.
                self.0.store(last, Ordering::Release);
                Ok(())
            }
            found if found < first => Err(RefusedReturn::OutOfOrder),
            _ => Err(RefusedReturn::AlreadyReturned),
        }
    }

    /// Whether `sequence` was returned.
    #[inline]
    pub(crate) fn is_returned(&self, sequence: Sequence) -> bool {
        sequence <= self.last()
    }

    /// The last sequence that was returned, -1 before the first.
    #[inline]
    pub(crate) fn last(&self) -> Sequence {
        self.0.load(Ordering::Acquire)
    }

    /// Number of sequences returned.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        (self.last() + 1) as u64
    }
}

/// Returns the slots of one lane, driven by its consumer.
// In this order for the reason given at `Consumer`.
#[repr(C)]
pub(crate) struct Recycler<C> {
    /// Slots up to here are out in raw handles; at most `passed` when there are none.
    held_through: Sequence,
    /// The last sequence that the publisher may overwrite.
    passed: Sequence,
    /// Gates the publisher.
    gate: Release,
    /// Where those handles live, which is where they have to be settled.
    held_on: Option<ThreadId>,
    checks: PhantomData<C>,
}

impl<C: Checks> Recycler<C> {
    pub(crate) fn new(gate: Release) -> Self {
        Self { gate, passed: -1, held_through: -1, held_on: None, checks: PhantomData }
    }

    /// Returns the slots `first` to `last`, all of which the consumer has passed.
    #[inline]
    pub(crate) fn give_back<E: Record>(
        &mut self,
        slots: &LaneSlots<E>,
        first: Sequence,
        last: Sequence,
        site: &'static Location<'static>,
    ) {
        debug_assert!(!self.has_held(), "what is out is returned by its token");
        if let Err(refused) = slots.state.reader.released.return_in_place(first, last) {
            return refuse::<C>(&slots.state, refused, first, site);
        }
        if C::CHECKED {
            (first..=last).for_each(|sequence| slots.state.sites.note_return(sequence, site));
        }
        self.release(slots, last);
    }

    /// Whether slots are out in raw handles.
    #[inline]
    pub(crate) fn has_held(&self) -> bool {
        self.held_through > self.passed
    }

    /// See [`crate::Consumer::keep_warm`].
    #[inline]
    pub(crate) fn keep_warm<E: Record>(&mut self, slots: &LaneSlots<E>) {
        storage::prefetch_line(&raw const *slots.state.reader);
        // None: the cursor of the gate is stored once more as it is.
        self.gate.let_go(0);
    }

    /// Leaves `sequence`, which the consumer has just passed, to a raw handle.
    pub(crate) fn hold(&mut self, sequence: Sequence) {
        self.held_on = Some(thread::current().id());
        self.held_through = sequence;
    }

    /// Lets the publisher pass what the tokens have returned; number of slots still out.
    ///
    /// # Panics
    /// On another thread than the one the handles were made on: the handles read without a
    /// lock, so they and this must be ordered by being on one thread.
    #[cold]
    pub(crate) fn settle<E: Record>(&mut self, slots: &LaneSlots<E>) -> usize {
        self.assert_thread_of_handles();
        let returned = slots.state.reader.released.last();
        if returned > self.passed {
            self.release(slots, returned);
        }
        (self.held_through - self.passed).max(0) as usize
    }

    /// Resets the slots up to `last` and lets the publisher have them.
    #[inline]
    fn release<E: Record>(&mut self, slots: &LaneSlots<E>, last: Sequence) {
        if C::CHECKED {
            for sequence in self.passed + 1..=last {
                // SAFETY: the slot is returned, so no reader looks at it any more (consumers
                // return after their callbacks, raw handles ask the cursor first, on this
                // thread), and the publisher is gated until the line after the loop.
                storage::poison(unsafe { &mut *slots.slot(sequence) });
            }
        }
        self.gate.let_go((last - self.passed) as usize);
        self.passed = last;
    }

    /// # Panics
    /// When raw handles live on another thread.
    pub(crate) fn assert_thread_of_handles(&self) {
        assert!(
            !self.has_held() || self.held_on == Some(thread::current().id()),
            "raw handles are out on another thread than the one that drives the recycler"
        );
    }
}

/// Counts and reports a refused return. Plain: logs it with a backtrace. Checked: panics.
#[cold]
pub(crate) fn refuse<C: Checks>(
    state: &LaneState,
    refused: RefusedReturn,
    sequence: Sequence,
    site: &'static Location<'static>,
) {
    let count = match refused {
        RefusedReturn::AlreadyReturned => &state.refused.double,
        RefusedReturn::OutOfOrder => &state.refused.out_of_order,
    };
    count.fetch_add(1, Ordering::Relaxed);
    let lane = &state.name;
    let claimed = state.sites.claimed(sequence);
    let returned = state.sites.returned(sequence);
    if C::CHECKED {
        panic!(
            "lane {lane}: return of sequence {sequence} at {site} refused: {refused}; its slot \
             was last claimed at {claimed} and returned at {returned}"
        );
    }
    log::warn!(
        "lane {lane}: return of sequence {sequence} at {site} refused: {refused}\n{}",
        Backtrace::force_capture()
    );
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
    pub fn name(&self) -> &str {
        &self.counts.name
    }

    /// Number of slots.
    pub fn capacity(&self) -> usize {
        self.counts.capacity
    }

    /// Slots that are claimed.
    pub fn owned(&self) -> u64 {
        self.counts.owned.get()
    }

    /// The most slots that were ever claimed at once.
    pub fn high_water(&self) -> u64 {
        self.counts.high_water.get()
    }

    /// Claims that found nothing free.
    pub fn exhausted(&self) -> u64 {
        self.counts.exhausted.get()
    }

    /// Returns that were refused.
    pub fn double_returns(&self) -> u64 {
        self.counts.double_returns.get()
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::sync::{SharedCell, explore};

    /// F07: of two returns of one slot exactly one wins, in every interleaving.
    #[test]
    fn loom_return_one_of_two_returns_wins() {
        explore(|| {
            let cursor = Arc::new(ReturnCursor::new());
            let other = {
                let cursor = Arc::clone(&cursor);
                thread::spawn(move || cursor.try_return(0, 0))
            };
            let mine = cursor.try_return(0, 0);
            let theirs = other.join().unwrap();
            assert!(mine.is_ok() ^ theirs.is_ok());
            assert_eq!(mine.and(theirs), Err(RefusedReturn::AlreadyReturned));
            assert_eq!(cursor.last(), 0);
        });
    }

    /// F07, EDGE-5: a stale return loses also while the slot is reused and returned again.
    #[test]
    fn loom_return_a_stale_return_never_wins_over_reuse() {
        explore(|| {
            let cursor = Arc::new(ReturnCursor::new());
            cursor.try_return(0, 1).unwrap();
            let other = {
                let cursor = Arc::clone(&cursor);
                thread::spawn(move || cursor.try_return(0, 0))
            };
            assert_eq!(cursor.try_return(2, 3), Ok(()), "the reuse of both slots");
            assert_eq!(other.join().unwrap(), Err(RefusedReturn::AlreadyReturned));
            assert_eq!(cursor.last(), 3);
        });
    }

    /// A return without the locked instruction takes nothing from a token, and a token nothing from it.
    #[test]
    fn loom_return_in_place_beside_stale_tokens() {
        explore(|| {
            let cursor = Arc::new(ReturnCursor::new());
            cursor.return_in_place(0, 1).unwrap();
            let tokens: Vec<_> = (0..2)
                .map(|sequence| {
                    let cursor = Arc::clone(&cursor);
                    thread::spawn(move || cursor.try_return(sequence, sequence))
                })
                .collect();
            assert_eq!(cursor.return_in_place(2, 3), Ok(()));
            assert_eq!(cursor.return_in_place(4, 5), Ok(()));
            for token in tokens {
                assert_eq!(token.join().unwrap(), Err(RefusedReturn::AlreadyReturned));
            }
            assert_eq!(cursor.last(), 5);
        });
    }

    /// Two threads that return neighbours: the later never goes first.
    #[test]
    fn loom_return_returns_stay_in_order() {
        explore(|| {
            let cursor = Arc::new(ReturnCursor::new());
            let other = {
                let cursor = Arc::clone(&cursor);
                thread::spawn(move || cursor.try_return(1, 1))
            };
            assert_eq!(cursor.try_return(0, 0), Ok(()));
            match other.join().unwrap() {
                Ok(()) => assert_eq!(cursor.last(), 1),
                Err(refused) => {
                    assert_eq!(refused, RefusedReturn::OutOfOrder);
                    assert_eq!(cursor.last(), 0);
                }
            }
        });
    }

    /// What returning threads did with their slots comes before the return as the recycler sees it:
    /// it may then write to all of them, also to those of which it only saw the successor.
    #[test]
    fn loom_return_hands_the_slots_over() {
        explore(|| {
            let shared = Arc::new((ReturnCursor::new(), [SharedCell::new(0), SharedCell::new(0)]));
            let returning: Vec<_> = (0..2)
                .map(|sequence| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        // SAFETY: the slot is this thread's until it returns it.
                        shared.1[sequence as usize].with_mut(|slot| unsafe { *slot += 1 });
                        shared.0.try_return(sequence, sequence)
                    })
                })
                .collect();
            for sequence in 0..=shared.0.last() {
                // SAFETY: it was returned, so it is the recycler's.
                let held = shared.1[sequence as usize].with_mut(|slot| unsafe { slot.replace(9) });
                assert_eq!(held, 1);
            }
            let mut refused = 0;
            for thread in returning {
                refused += i64::from(thread.join().unwrap() == Err(RefusedReturn::OutOfOrder));
            }
            assert_eq!(shared.0.last(), 1 - refused, "only the second may be refused");
        });
    }
}
