//! Slots beyond their callback, for tests of the recycler and for `verify`.
//!
//! The safe interface has no way to keep a slot, so that nothing can be done wrong with it. This
//! module has, in order that the guards behind it can be seen to work. No engine uses it.
//!
//! A [`RawHandle`] reads, and stays on the thread that drives the recycler: the question whether
//! the slot was returned and the read after it are then ordered against reuse without a lock. A
//! [`ReturnToken`] only returns, which is one compare-and-swap, and may go to any thread.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use crate::checks::Checks;
use crate::consumer::Consumer;
use crate::critical::CriticalPublisher;
use crate::lane_state::LaneState;
use crate::pool::Pool;
use crate::publisher::Publisher;
use crate::record::{Record, Sequence};
use crate::recycler::lane_recycler::refuse;
pub use crate::recycler::return_cursor::RefusedReturn;
use crate::recycler::slab::PoolHandle;
use crate::storage::LaneSlots;

/// Consumes the next record and leaves its slot out, in the hands of the caller. While slots are
/// out, [`Consumer::poll`] handles nothing.
///
/// # Panics
/// When slots are out on another thread.
#[track_caller]
pub fn hold<E: Record, C: Checks>(
    consumer: &mut Consumer<E, C>,
) -> Option<(RawHandle<E>, ReturnToken<C>)> {
    let sequence = consumer.reader.next();
    consumer.recycler.assert_thread_of_handles();
    let recycler = &mut consumer.recycler;
    let held = consumer.reader.read(1, |_| true, |_, _, last| recycler.hold(last));
    if held == 0 {
        return None;
    }
    let slots = consumer.reader.slots.clone();
    let token = ReturnToken { state: Arc::clone(&slots.state), sequence, checks: PhantomData };
    let handle =
        RawHandle { slots, sequence, held_at: Location::caller(), one_thread: PhantomData };
    Some((handle, token))
}

/// Lets the publisher have the slots that tokens have returned. Returns how many are still out.
///
/// # Panics
/// When slots are out on another thread.
pub fn settle<E: Record, C: Checks>(consumer: &mut Consumer<E, C>) -> usize {
    consumer.settle()
}

/// A token for a slot that was returned already, to return it once more.
///
/// # Panics
/// When the slot was not returned yet.
pub fn stale_token<E: Record, C: Checks>(
    consumer: &Consumer<E, C>,
    sequence: Sequence,
) -> ReturnToken<C> {
    let state = &consumer.reader.slots.state;
    assert!(state.reader.released.is_returned(sequence), "sequence {sequence} is not returned yet");
    ReturnToken { state: Arc::clone(state), sequence, checks: PhantomData }
}

/// Flips one byte of a free slot, as a stray write after its return would: `offset` counts from the
/// slot that is claimed next, over those that follow. Returns whether the slot is free.
pub fn deface<E: Record, C: Checks>(publisher: &mut Publisher<E, C>, offset: usize) -> bool {
    publisher.deface(offset)
}

/// Plants a fault into the lane and runs `with_fault`: while that runs, the slot of `sequence` and
/// all behind it count as not returned, though the publisher may have them. What guards reads and
/// second returns is then blind, so a check of these guards has to fail.
///
/// Both ends are borrowed, so that nothing is published or polled meanwhile.
///
/// # Panics
/// When the slot was not returned yet.
pub fn with_forgotten_return<E: Record, C: Checks, R>(
    _publisher: &mut Publisher<E, C>,
    consumer: &mut Consumer<E, C>,
    sequence: Sequence,
    with_fault: impl FnOnce() -> R,
) -> R {
    let state = Arc::clone(&consumer.reader.slots.state);
    assert!(state.reader.released.is_returned(sequence), "sequence {sequence} is not returned yet");
    let last = state.reader.released.forget(sequence);
    let _mended = Mend { state, last };
    with_fault()
}

/// Ends the fault, also when what ran with it panics.
struct Mend {
    state: Arc<LaneState>,
    last: Sequence,
}

impl Drop for Mend {
    fn drop(&mut self) {
        self.state.reader.released.remember(self.last);
    }
}

/// Plants a fault into the pool: the returned slot of `handle` counts as claimed by it again.
pub fn forget_pool_return<T, C: Checks>(pool: &mut Pool<T, C>, handle: PoolHandle) {
    pool.forget_return(handle);
}

/// The lane behind a publisher of critical records.
pub fn lane_of<E: Record, C: Checks>(
    publisher: &mut CriticalPublisher<E, C>,
) -> &mut Publisher<E, C> {
    &mut publisher.lane
}

/// Reads one slot, for as long as it is not returned.
pub struct RawHandle<E: Record> {
    slots: LaneSlots<E>,
    sequence: Sequence,
    held_at: &'static Location<'static>,
    /// A raw pointer makes it `!Send` and `!Sync`.
    one_thread: PhantomData<*const ()>,
}

impl<E: Record> RawHandle<E> {
    /// The sequence of the slot.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// A copy of the record.
    ///
    /// # Panics
    /// When the slot was returned, before anything of it is read; the message names the lane, the
    /// sequence and, on checked lanes, where the slot was claimed and returned last.
    #[track_caller]
    pub fn read(&self) -> E {
        let state = &self.slots.state;
        if state.reader.released.is_returned(self.sequence) {
            read_after_return(state, self.sequence, self.held_at, Location::caller());
        }
        // SAFETY: the slot is not returned as far as this thread knows, and this thread is the one
        // that would have to settle it before the publisher could write to it (`Recycler::settle`
        // and `Recycler::hold` check that). Where the return was forgotten on purpose, both ends
        // are borrowed for as long as that lasts, so nobody writes either. The copy is made before
        // anything else runs here.
        unsafe { *self.slots.slot(self.sequence) }
    }
}

impl<E: Record> fmt::Debug for RawHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawHandle")
            .field("lane", &self.slots.state.name)
            .field("sequence", &self.sequence)
            .finish()
    }
}

/// The right to return one slot, once; clones compete for it.
pub struct ReturnToken<C: Checks> {
    state: Arc<LaneState>,
    sequence: Sequence,
    checks: PhantomData<C>,
}

impl<C: Checks> ReturnToken<C> {
    /// Returns the slot. The publisher gets it when the consumer next polls or settles.
    ///
    /// # Errors
    /// When the slot was returned before or an earlier one is still out; counted, and logged with
    /// a backtrace.
    ///
    /// # Panics
    /// On a checked lane, instead of an error.
    #[track_caller]
    pub fn give_back(&self) -> Result<(), RefusedReturn> {
        let site = Location::caller();
        match self.state.reader.released.try_return(self.sequence, self.sequence) {
            Ok(()) => {
                self.state.sites.note_return(self.sequence, site);
                Ok(())
            }
            Err(refused) => {
                refuse::<C>(&self.state, refused, self.sequence, site);
                Err(refused)
            }
        }
    }

    /// The sequence of the slot.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }
}

impl<C: Checks> Clone for ReturnToken<C> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), sequence: self.sequence, checks: PhantomData }
    }
}

impl<C: Checks> fmt::Debug for ReturnToken<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReturnToken")
            .field("lane", &self.state.name)
            .field("sequence", &self.sequence)
            .finish()
    }
}

#[cold]
fn read_after_return(
    state: &LaneState,
    sequence: Sequence,
    held_at: &'static Location<'static>,
    site: &'static Location<'static>,
) -> ! {
    panic!(
        "lane {}: sequence {sequence}, held at {held_at}, was read at {site} after its return; its \
         slot was last claimed at {} and returned at {}",
        state.name,
        state.sites.claimed(sequence),
        state.sites.returned(sequence)
    );
}
