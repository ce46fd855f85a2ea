//! The recycler: the only type that returns slots.
//!
//! A slot carries no state. Its generation is its sequence, which is never reused, and its state
//! follows from one word, the [`ReturnCursor`]: what is at or below it was returned. A return is a
//! compare-and-swap of that word from the sequence before the slot to the slot, so of two threads
//! exactly one wins, a slot that was reused meanwhile can't be taken for the old one, and nothing
//! can be returned past a slot that is still out. Whoever wins, the recycler alone resets the slot
//! and lets the publisher pass.

use std::backtrace::Backtrace;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, ThreadId};

use crossbeam_utils::CachePadded;
use disruptor::{EventPoller, SingleConsumerBarrier};

use crate::checks::Checks;
use crate::gauge::LaneState;
use crate::record::{Record, Sequence};
use crate::storage::{self, LaneSlots};

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

/// The last sequence that was returned, alone on its line.
pub(crate) struct ReturnCursor(CachePadded<AtomicI64>);

impl ReturnCursor {
    pub(crate) fn new() -> Self {
        Self(CachePadded::new(AtomicI64::new(-1)))
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
pub(crate) struct Recycler<C> {
    /// Gates the publisher, and is gated by the consumer.
    gate: EventPoller<(), SingleConsumerBarrier>,
    /// The last sequence that the publisher may overwrite.
    passed: Sequence,
    /// Slots up to here are out in raw handles; at most `passed` when there are none.
    held_through: Sequence,
    /// Where those handles live, which is where they have to be settled.
    held_on: Option<ThreadId>,
    checks: PhantomData<C>,
}

impl<C: Checks> Recycler<C> {
    pub(crate) fn new(gate: EventPoller<(), SingleConsumerBarrier>) -> Self {
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
        if let Err(refused) = slots.state.released.try_return(first, last) {
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
        let returned = slots.state.released.last();
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
        let count = (last - self.passed) as u64;
        drop(self.gate.take(count));
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
