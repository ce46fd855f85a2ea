//! The recycler of a lane: resets what was returned, and only then lets the publisher pass.

use std::backtrace::Backtrace;
use std::marker::PhantomData;
use std::panic::Location;
use std::thread::{self, ThreadId};

use super::gate::Release;
use super::return_cursor::RefusedReturn;
use crate::checks::Checks;
use crate::lane_state::LaneState;
use crate::prefetch::prefetch_line;
use crate::record::{Record, Sequence};
use crate::storage::{self, LaneSlots};
use crate::sync::Ordering;

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
        prefetch_line(&raw const *slots.state.reader);
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
