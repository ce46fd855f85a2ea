//! What a consumer and a stage have in common: reading published slots in order.

use std::hint::black_box;
use std::mem::ManuallyDrop;

use crate::record::{Record, Sequence};
use crate::storage::LaneSlots;
use crate::upstream::Upstream;

/// Records whose lines are on their way while one is handled. Ten lanes of 4,096 records of 128
/// bytes, saturated, one core a side, in runs of 32: 124 M records/s without, 135 with 4, 143 with
/// 8, 138 with 16.
const AHEAD: Sequence = 8;

/// Reads each record once and remembers how far it came.
pub(crate) struct Reader<E> {
    /// The next record to be handled.
    next: Sequence,
    upstream: Upstream,
    pub(crate) slots: LaneSlots<E>,
}

impl<E: Record> Reader<E> {
    pub(crate) fn new(upstream: Upstream, slots: LaneSlots<E>) -> Self {
        Self { next: 0, upstream, slots }
    }

    /// Hands at most `limit` records to `handle`, until it says false, then the range that was handled to `passed`,
    /// which is called once if anything was handled, also when `handle` panics: the record it
    /// panicked on is in the range, those after it are not and come again.
    #[inline(always)]
    pub(crate) fn read(
        &mut self,
        limit: usize,
        mut handle: impl FnMut(&E) -> bool,
        passed: impl FnMut(&LaneSlots<E>, Sequence, Sequence),
    ) -> usize {
        if limit == 0 {
            return 0;
        }
        let mut batch = Batch { reader: self, handled: 0, is_whole: false, passed };
        let reader = &mut *batch.reader;
        let is_first = reader.upstream.is_publisher();
        let Some(taken) = reader.upstream.take() else { return 0 };
        // Not dropped by unwinding: that would pass over records that nobody has seen.
        let mut taken = ManuallyDrop::new(taken);
        let available = taken.len();
        let count = available.min(limit);
        let first = reader.next;
        if is_first {
            let used = (first as u64 + available as u64) - reader.slots.state.released.count();
            reader.slots.state.reader.high_water.raise(used);
        }
        let end = first + count as Sequence;
        (first + 1..end.min(first + AHEAD)).for_each(|ahead| reader.slots.prefetch_read(ahead));
        for sequence in first..end {
            if sequence + AHEAD < end {
                reader.slots.prefetch_read(sequence + AHEAD);
            }
            batch.handled += 1;
            // SAFETY: the slot was published (the upstream cursor, loaded with acquire, is past
            // it) and is not returned before `passed` runs, so nobody writes to it: the publisher
            // and the recycler keep to the cursors. The reference ends with the call.
            if !handle(unsafe { &*reader.slots.slot(sequence) }) {
                break;
            }
        }
        if batch.handled == available {
            drop(ManuallyDrop::into_inner(taken));
            batch.is_whole = true;
        }
        batch.handled
    }

    #[inline]
    pub(crate) fn has_available(&self) -> bool {
        self.upstream.has_available()
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.slots.state.is_exhausted(self.next)
    }

    /// The next record to be handled.
    /// Starts to fetch the upstream cursor and the next slot.
    #[inline]
    pub(crate) fn prefetch(&self) {
        self.slots.prefetch_read(self.next);
        // The ring does not say where its cursor is, so it is loaded; nothing waits for the result.
        black_box(self.upstream.has_available());
    }

    #[inline]
    pub(crate) fn next(&self) -> Sequence {
        self.next
    }
}

/// Moves the reader by what was handled, at the end of a poll and when a callback unwinds.
struct Batch<'r, E: Record, P: FnMut(&LaneSlots<E>, Sequence, Sequence)> {
    reader: &'r mut Reader<E>,
    handled: usize,
    /// The guard was dropped and has moved the cursor already.
    is_whole: bool,
    passed: P,
}

impl<E: Record, P: FnMut(&LaneSlots<E>, Sequence, Sequence)> Drop for Batch<'_, E, P> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.handled == 0 {
            return;
        }
        if !self.is_whole {
            self.reader.upstream.advance(self.handled);
        }
        let first = self.reader.next;
        self.reader.next = first + self.handled as Sequence;
        (self.passed)(&self.reader.slots, first, self.reader.next - 1);
    }
}
