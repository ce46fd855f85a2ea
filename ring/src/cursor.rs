//! How far a lane was published, and the lines on which that stands.
//!
//! Source: the sequence of the LMAX Disruptor, which has a line of its own so that nobody else's
//! stores disturb its reader. Where one thread publishes into many lanes and one thread reads them
//! all, there is nobody else: then a line each is what costs. An event for ten consumers moved ten
//! lines for ten words, and a thread that found nothing looked at as many. So the cursors of such
//! lanes stand together, see [`SharedCursors`].

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::prefetch::prefetch_line;
use crate::record::{LINE_BYTES, Sequence};
use crate::sync::{AtomicI64, Ordering};

/// Cursors on one line.
const PER_LINE: usize = LINE_BYTES / size_of::<Sequence>();

type Line = CachePadded<[AtomicI64; PER_LINE]>;

fn new_line() -> Arc<Line> {
    Arc::new(CachePadded::new(std::array::from_fn(|_| AtomicI64::new(0))))
}

/// Lets lanes that have the same publishing thread and the same reading thread share the lines of
/// their cursors, eight on each; see [`crate::lane_beside`]. Lanes of other threads lose by it:
/// each store takes the line away from all who read it.
#[derive(Debug, Default)]
pub struct SharedCursors {
    line: Option<Arc<Line>>,
    used: usize,
}

impl SharedCursors {
    /// The next cursor, on a new line when the last one is full.
    pub(crate) fn cursor(&mut self) -> Cursor {
        if self.used == PER_LINE {
            *self = Self::default();
        }
        let line = Arc::clone(self.line.get_or_insert_with(new_line));
        self.used += 1;
        Cursor { line, index: (self.used - 1) as u8, is_of_publisher: true }
    }
}

/// How many records one side of a lane has let the next side have; clones are the same one.
#[derive(Clone)]
pub(crate) struct Cursor {
    line: Arc<Line>,
    /// Its place on the line.
    index: u8,
    is_of_publisher: bool,
}

impl Cursor {
    /// A publisher's that shares its line with no other.
    pub(crate) fn alone() -> Self {
        SharedCursors::default().cursor()
    }

    /// A stage's, on a line of its own.
    pub(crate) fn of_stage() -> Self {
        Self { is_of_publisher: false, ..Self::alone() }
    }

    /// Whether the side that moves it is the publisher.
    #[inline(always)]
    pub(crate) fn is_of_publisher(&self) -> bool {
        self.is_of_publisher
    }

    /// Lets the next side have everything below `end`. For the one side that this cursor is of.
    #[inline(always)]
    pub(crate) fn publish(&self, end: Sequence) {
        // Release: what was done with the slots comes before.
        self.word().store(end, Ordering::Release);
    }

    /// The sequence behind the last that may be read.
    #[inline(always)]
    pub(crate) fn end(&self) -> Sequence {
        // Acquire: what is done with the slots comes after.
        self.word().load(Ordering::Acquire)
    }

    /// Starts to fetch the line it is on.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch_line(self.word());
    }

    #[inline(always)]
    fn word(&self) -> &AtomicI64 {
        &self.line[usize::from(self.index) % PER_LINE]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn eight_cursors_share_a_line_and_none_shares_a_word() {
        let mut shared = SharedCursors::default();
        let cursors: Vec<Cursor> = (0..2 * PER_LINE + 1).map(|_| shared.cursor()).collect();
        for (number, cursor) in cursors.iter().enumerate() {
            cursor.publish(number as Sequence + 1);
        }
        let ends: Vec<Sequence> = cursors.iter().map(Cursor::end).collect();
        assert_eq!(ends, (1..=17).collect::<Vec<_>>());
        let share = |a: usize, b: usize| Arc::ptr_eq(&cursors[a].line, &cursors[b].line);
        assert!(share(0, 7) && share(8, 15) && !share(7, 8) && !share(15, 16));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::sync::{SharedCell, explore};

    /// What was written into the slots of two lanes is there for who sees their cursors, though
    /// these stand on one line.
    #[test]
    fn loom_cursor_the_slots_come_before_it() {
        explore(|| {
            let mut shared = SharedCursors::default();
            let lanes =
                [shared.cursor(), shared.cursor()].map(|cursor| (cursor, SharedCell::new(0)));
            let lanes = Arc::new(lanes);
            let publisher = {
                let lanes = Arc::clone(&lanes);
                thread::spawn(move || {
                    for (cursor, slot) in lanes.iter() {
                        // SAFETY: the slot is the publisher's until its cursor moves.
                        slot.with_mut(|slot| unsafe { *slot = 7 });
                        cursor.publish(1);
                    }
                })
            };
            for (cursor, slot) in lanes.iter() {
                if cursor.end() == 1 {
                    // SAFETY: it is published, and the publisher writes it once.
                    assert_eq!(slot.with_mut(|slot| unsafe { *slot }), 7);
                }
            }
            publisher.join().unwrap();
        });
    }

    /// The same through a stage: who sees the second cursor sees what was done before the first.
    #[test]
    fn loom_cursor_a_stage_hands_on_what_it_saw() {
        explore(|| {
            let ends = Arc::new((Cursor::alone(), Cursor::alone(), SharedCell::new(0)));
            let publisher = {
                let ends = Arc::clone(&ends);
                thread::spawn(move || {
                    // SAFETY: the slot is the publisher's until its cursor moves.
                    ends.2.with_mut(|slot| unsafe { *slot = 7 });
                    ends.0.publish(1);
                })
            };
            let stage = {
                let ends = Arc::clone(&ends);
                thread::spawn(move || ends.1.publish(ends.0.end()))
            };
            if ends.1.end() == 1 {
                // SAFETY: it is published, and the publisher writes it once.
                assert_eq!(ends.2.with_mut(|slot| unsafe { *slot }), 7);
            }
            publisher.join().unwrap();
            stage.join().unwrap();
        });
    }
}
