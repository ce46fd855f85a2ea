//! The slots of a lane.
//!
//! Storage hands out raw access and nothing else; who may touch which slot is decided by the
//! cursors of the lane. The publisher owns the slots from its own sequence up to where the recycler
//! has been, readers share those that were published and not yet returned, and the recycler owns a
//! slot between the return and the moment it lets the publisher pass.

use std::cell::UnsafeCell;
use std::sync::Arc;

use crate::lane_state::LaneState;
use crate::prefetch::{prefetch_line, prefetch_line_exclusive};
use crate::record::{LINE_BYTES, Record, Sequence};

/// The byte that fills returned slots of checked lanes.
pub(crate) const POISON: u8 = 0xDE;

/// The slots of a lane and what is shared about them; a clone is another handle to the same.
pub(crate) struct LaneSlots<E> {
    // One allocation, and the length is at hand as the index mask: a slot is one addition away.
    slots: Arc<[Slot<E>]>,
    pub(crate) state: Arc<LaneState>,
}

struct Slot<E>(UnsafeCell<E>);

// SAFETY: a slot is a cell that threads share by the cursor protocol of the lane: writes happen
// only in `Publisher` between claim and publication and in `Recycler` between return and release,
// each ordered against all other accesses by the cursors' release stores and acquire loads. The
// records themselves are `Send + Sync` plain data.
unsafe impl<E: Record> Sync for Slot<E> {}

impl<E: Record> LaneSlots<E> {
    /// As many slots as the lane's capacity (a power of two), written here: their memory belongs
    /// to the NUMA node of the calling thread.
    pub(crate) fn new(state: Arc<LaneState>, poisoned: bool) -> Self {
        let capacity = state.capacity;
        assert!(capacity.is_power_of_two(), "slots are found by a mask");
        let mut blank = E::new_zeroed();
        if poisoned {
            blank.as_mut_bytes().fill(POISON);
        }
        let slots = (0..capacity).map(|_| Slot(UnsafeCell::new(blank))).collect();
        Self { slots, state }
    }

    /// The slot of `sequence`. Dereferencing it is the caller's claim to have the right to.
    #[inline(always)]
    pub(crate) fn slot(&self, sequence: Sequence) -> *mut E {
        let index = sequence as usize & (self.slots.len() - 1);
        // SAFETY: the length is a power of two (asserted in `new`), so the mask keeps the index
        // below it.
        unsafe { self.slots.get_unchecked(index) }.0.get()
    }

    /// Starts the fetch of the first lines of a slot that will be read soon.
    #[inline(always)]
    pub(crate) fn prefetch_read(&self, sequence: Sequence) {
        first_lines(self.slot(sequence)).for_each(prefetch_line);
    }

    /// Starts to take the first lines of a slot that will be written soon from the core that read
    /// them last.
    #[inline(always)]
    pub(crate) fn prefetch_write(&self, sequence: Sequence) {
        first_lines(self.slot(sequence)).for_each(prefetch_line_exclusive);
    }
}

/// Lines fetched ahead of a record: its header and the start of its payload.
const PREFETCHED_LINES: usize = 2;

/// The addresses of the lines fetched ahead of a slot's turn.
#[inline(always)]
fn first_lines<E>(slot: *const E) -> impl Iterator<Item = *const u8> {
    let lines = size_of::<E>().div_ceil(LINE_BYTES).min(PREFETCHED_LINES);
    (0..lines).map(move |line| slot.cast::<u8>().wrapping_add(line * LINE_BYTES))
}

impl<E> Clone for LaneSlots<E> {
    fn clone(&self) -> Self {
        Self { slots: Arc::clone(&self.slots), state: Arc::clone(&self.state) }
    }
}

/// Overwrites all of `record` with poison.
pub(crate) fn poison<E: Record>(record: &mut E) {
    record.as_mut_bytes().fill(POISON);
}

/// Offset of the first byte that is not poison.
pub(crate) fn first_unpoisoned<E: Record>(record: &E) -> Option<usize> {
    record.as_bytes().iter().position(|byte| *byte != POISON)
}
