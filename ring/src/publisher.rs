//! The publishing end of a lane.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::Location;
use std::sync::atomic::Ordering;

use crate::checks::{Checks, DefaultChecks};
use crate::cursor::Cursor;
use crate::gauge::LaneGauge;
use crate::lane_state::LaneState;
use crate::record::{Record, Sequence};
use crate::recycler::gate::Admission;
use crate::storage::{self, LaneSlots};

/// Most lanes into which one record is staged before their cursors are moved: enough for lines to
/// cross together, few enough that nobody waits long for the lanes of others.
const STAGED_MAX: usize = 8;

/// Splits `count` lanes into the groups in which one record is best staged and published, see
/// [`Publisher::stage`]: the first alone, since its reader should not wait for any other, then
/// more.
///
/// ```
/// use pitlane_ring::fan_out_groups;
///
/// let groups: Vec<_> = fan_out_groups(10).collect();
/// assert_eq!(groups, [0..1, 1..3, 3..7, 7..10]);
/// ```
#[inline]
pub fn fan_out_groups(count: usize) -> impl Iterator<Item = Range<usize>> {
    let (mut from, mut size) = (0, 1);
    std::iter::from_fn(move || {
        let group = from..count.min(from + size);
        (from, size) = (group.end, STAGED_MAX.min(2 * size));
        (!group.is_empty()).then_some(group)
    })
}

/// The lane has no free slot; nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lane full")]
pub struct Full;

/// Publishes into one lane. It tries, and never waits. Dropping it closes the lane; what was
/// published stays to be consumed.
// Aligned so that what the publishing thread changes shares no line, nor the pair of lines that
// the hardware prefetches, with anything of another thread.
#[repr(align(128))]
pub struct Publisher<E: Record, C: Checks = DefaultChecks> {
    /// The sequence that the next record gets.
    next: Sequence,
    /// Slots below this sequence were seen free.
    clear: Sequence,
    /// The sequence of the record that was staged last, -1 before the first.
    staged: Sequence,
    /// Slots below this sequence were found intact, and may since have been half written by a
    /// `fill` that panicked. Checked lanes only.
    verified: Sequence,
    cursor: Cursor,
    admission: Admission,
    slots: LaneSlots<E>,
    /// `Cell` makes it `!Sync`: one thread at a time, by type.
    checks: PhantomData<(C, Cell<()>)>,
}

impl<E: Record, C: Checks> Publisher<E, C> {
    /// Publishes a copy of the used lines of `record`.
    ///
    /// # Errors
    /// [`Full`] when there is no free slot; counted.
    ///
    /// # Panics
    /// On a checked lane, when the claimed slot was written to after its return.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// use pitlane_ring::Full;
    ///
    /// assert_eq!(publisher.try_publish(&7), Ok(0));
    /// assert_eq!(publisher.try_publish(&8), Ok(1));
    /// publisher.try_publish_slice(&[9, 10]);
    /// assert_eq!(publisher.try_publish(&11), Err(Full));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_publish(&mut self, record: &E) -> Result<Sequence, Full> {
        self.try_publish_with(|slot| slot.copy_used_from(record))
    }

    /// Publishes what `fill` writes into the slot, which holds an older record or poison: all
    /// that counts as used must be written. When `fill` panics, nothing is published and the
    /// slot is used again.
    ///
    /// # Errors
    /// [`Full`] when there is no free slot; counted, and `fill` is not called.
    ///
    /// # Panics
    /// On a checked lane, when the claimed slot was written to after its return.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish_with(|slot| *slot = 7)?;
    /// consumer.poll(1, |record| assert_eq!(*record, 7));
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_publish_with(&mut self, fill: impl FnOnce(&mut E)) -> Result<Sequence, Full> {
        fill(self.claim_next(Location::caller())?);
        let sequence = self.next;
        self.publish_below(sequence + 1);
        Ok(sequence)
    }

    /// Writes a copy of the used lines of `record` into the next slot and leaves it there, to be
    /// published by [`Self::publish_staged`] alone. For one record that goes into many lanes:
    /// written into all of them first, only the cursors are left to be won from the readers, and
    /// those stores follow each other so closely that the lines cross together.
    ///
    /// What is published otherwise before that takes the slot, and a second record replaces the
    /// first.
    ///
    /// # Errors
    /// [`Full`] when there is no free slot; counted.
    ///
    /// # Panics
    /// On a checked lane, when the claimed slot was written to after its return.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let mut lanes: Vec<_> = (0..3)
    /// #     .map(|_| lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 }))
    /// #     .collect();
    /// for (publisher, _) in &mut lanes {
    ///     publisher.stage(&7)?;
    /// }
    /// for (publisher, _) in &mut lanes {
    ///     publisher.publish_staged();
    /// }
    /// assert!(lanes.iter().all(|(_, consumer)| consumer.has_available()));
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn stage(&mut self, record: &E) -> Result<(), Full> {
        self.claim_next(Location::caller())?.copy_used_from(record);
        self.staged = self.next;
        Ok(())
    }

    /// Publishes the staged record; nothing when there is none.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.publish_staged();
    /// assert!(!consumer.has_available(), "nothing was staged");
    /// publisher.stage(&7)?;
    /// publisher.publish_staged();
    /// assert!(consumer.has_available());
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    #[inline]
    pub fn publish_staged(&mut self) {
        if self.staged == self.next {
            self.publish_below(self.next + 1);
        }
    }

    /// Starts to take the lines of the next slot from the core that read them a round ago. For a
    /// thread that has just published a lone record and has time now: the next one then finds them
    /// at hand. Under backlog there is nothing to gain, as the lines of a run come in a row.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish(&7)?;
    /// publisher.prefetch();
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    #[inline]
    pub fn prefetch(&self) {
        self.slots.prefetch_write(self.next);
    }

    /// Publishes copies of as many of `records` as there is room for, from the first, and makes
    /// them visible at once, with one store of the cursor. Returns how many.
    ///
    /// # Panics
    /// On a checked lane, when a claimed slot was written to after its return.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// assert_eq!(publisher.try_publish_slice(&[1, 2, 3]), 3);
    /// assert_eq!(publisher.try_publish_slice(&[4, 5]), 1, "four slots");
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_publish_slice(&mut self, records: &[E]) -> usize {
        let mut rest = records.iter();
        self.try_publish_batch(records.len(), |slot| {
            if let Some(record) = rest.next() {
                slot.copy_used_from(record);
            }
        })
    }

    /// Publishes at most `count` records at once, each written by a call of `fill`, which comes
    /// once for each slot, in order. Returns how many there was room for. When `fill` panics,
    /// none of them is published.
    ///
    /// # Panics
    /// On a checked lane, when a claimed slot was written to after its return.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// let mut next = 0;
    /// let published = publisher.try_publish_batch(9, |slot| {
    ///     next += 1;
    ///     *slot = next;
    /// });
    /// assert_eq!((published, next), (4, 4));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_publish_batch(&mut self, count: usize, mut fill: impl FnMut(&mut E)) -> usize {
        let fitting = count.min(self.free_slots(count));
        if fitting < count {
            self.slots.state.publisher.full.increment();
        }
        if fitting == 0 {
            return 0;
        }
        let first = self.next;
        let end = first + fitting as Sequence;
        let site = Location::caller();
        if C::CHECKED {
            // All of them first, so that a claim that panics finds `fill` with nothing taken.
            for sequence in first..end {
                self.claim(sequence, site);
            }
        }
        (first..end).for_each(|sequence| fill(self.claim(sequence, site)));
        self.publish_below(end);
        fitting
    }

    /// Whether the next publication will find room. Not counted as a refusal.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// assert!(publisher.has_room());
    /// publisher.try_publish_slice(&[1, 2, 3, 4]);
    /// assert!(!publisher.has_room());
    /// ```
    #[inline]
    pub fn has_room(&mut self) -> bool {
        self.free_slots(1) > 0
    }

    /// How many of the next `wanted` publications will find room. Not counted as a refusal.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// publisher.try_publish(&7)?;
    /// assert_eq!((publisher.room(2), publisher.room(9)), (2, 3));
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    #[inline]
    pub fn room(&mut self, wanted: usize) -> usize {
        self.free_slots(wanted).min(wanted)
    }

    /// Number of slots.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// assert_eq!(publisher.capacity(), 4);
    /// ```
    pub fn capacity(&self) -> usize {
        self.slots.state.capacity
    }

    /// A view of this lane for other threads.
    ///
    /// ```
    /// # use pitlane_ring::{LaneOptions, lane};
    /// # let (mut publisher, mut consumer) =
    /// #     lane::<u64>(LaneOptions { name: "quotes".to_owned(), capacity: 4 });
    /// let gauge = publisher.gauge();
    /// publisher.try_publish(&7)?;
    /// assert_eq!((gauge.published(), gauge.in_flight()), (1, 1));
    /// # Ok::<(), pitlane_ring::Full>(())
    /// ```
    pub fn gauge(&self) -> LaneGauge {
        LaneGauge::new(&self.slots.state)
    }

    pub(crate) fn new(cursor: Cursor, admission: Admission, slots: LaneSlots<E>) -> Self {
        let clear = slots.state.capacity as Sequence;
        Self {
            next: 0,
            clear,
            staged: -1,
            verified: 0,
            cursor,
            admission,
            slots,
            checks: PhantomData,
        }
    }

    /// See [`crate::raw::deface`].
    pub(crate) fn deface(&mut self, offset: usize) -> bool {
        let (ahead, offset) = (offset / size_of::<E>(), offset % size_of::<E>());
        if self.free_slots(ahead + 1) <= ahead {
            return false;
        }
        // SAFETY: there is room up to this slot, so it is the publisher's: the recycler has let it
        // go, and no reader sees it before the cursor moves.
        let slot = unsafe { &mut *self.slots.slot(self.next + ahead as Sequence) };
        let byte = &mut slot.as_mut_bytes()[offset];
        *byte = !*byte;
        true
    }

    /// Free slots: exact when fewer than `wanted`, otherwise a number that is at least that.
    #[inline]
    fn free_slots(&mut self, wanted: usize) -> usize {
        let known = (self.clear - self.next) as usize;
        if known >= wanted { known } else { self.refresh_free_slots() }
    }

    #[inline(never)]
    fn refresh_free_slots(&mut self) -> usize {
        self.clear += self.admission.take() as Sequence;
        (self.clear - self.next) as usize
    }

    /// The next slot; counted when there is none.
    #[inline(always)]
    fn claim_next(&mut self, site: &'static Location<'static>) -> Result<&mut E, Full> {
        if !self.has_room() {
            self.slots.state.publisher.full.increment();
            return Err(Full);
        }
        Ok(self.claim(self.next, site))
    }

    /// The slot of `sequence`, which is below `clear` and not published.
    #[inline(always)]
    fn claim(&mut self, sequence: Sequence, site: &'static Location<'static>) -> &mut E {
        debug_assert!((self.next..self.clear).contains(&sequence));
        // SAFETY: the slot is the publisher's (the caller sees to `sequence`): the recycler has let
        // it go, and no reader sees it before the cursor moves. The borrow of `self` keeps it
        // alone.
        let slot = unsafe { &mut *self.slots.slot(sequence) };
        verify_claim::<E, C>(&self.slots.state, slot, sequence, &mut self.verified, site);
        slot
    }

    /// Lets the readers have everything below `end`.
    #[inline(always)]
    fn publish_below(&mut self, end: Sequence) {
        self.next = end;
        self.cursor.publish(end);
    }
}

impl<E: Record, C: Checks> Drop for Publisher<E, C> {
    fn drop(&mut self) {
        // Release: who sees the lane closed sees the last publication.
        self.slots.state.publisher.closed.store(true, Ordering::Release);
    }
}

/// Checks that nobody wrote into the slot between its return and this claim.
#[inline(always)]
fn verify_claim<E: Record, C: Checks>(
    state: &LaneState,
    slot: &mut E,
    sequence: Sequence,
    verified: &mut Sequence,
    site: &'static Location<'static>,
) {
    if !C::CHECKED || sequence < *verified {
        return;
    }
    if let Some(offset) = storage::first_unpoisoned(slot) {
        // Whole again, so that the lane is usable if someone survives the panic.
        storage::poison(slot);
        overwritten(state, sequence, offset, site);
    }
    *verified = sequence + 1;
    state.sites.note_claim(sequence, site);
}

#[cold]
fn overwritten(
    state: &LaneState,
    sequence: Sequence,
    offset: usize,
    site: &'static Location<'static>,
) -> ! {
    panic!(
        "lane {}: the slot claimed for sequence {sequence} at {site} was written to after its \
         return (first at byte {offset}); it was last claimed at {} and returned at {}",
        state.name,
        state.sites.claimed(sequence),
        state.sites.returned(sequence)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_every_lane_once_and_start_with_one() {
        for count in 0..100 {
            let groups: Vec<_> = fan_out_groups(count).collect();
            assert!(groups.iter().cloned().flatten().eq(0..count), "{groups:?}");
            assert!(groups.iter().all(|group| group.len() <= STAGED_MAX), "{groups:?}");
            assert!(groups.first().is_none_or(|group| group.len() == 1), "{groups:?}");
        }
    }
}
