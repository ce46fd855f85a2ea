//! How far a lane was published, and the lines on which that stands.
//!
//! Source: the sequence of the LMAX Disruptor, which has a line of its own so that nobody else's stores
//! disturb its reader. Where one thread publishes into many lanes and one thread reads them all, there is
//! nobody else: then a line each is what costs. An event for ten consumers moved ten lines for ten words,
//! and a thread that found nothing looked at as many. So the cursors of such lanes stand together, see
//! [`SharedCursors`].

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::record::{LINE_BYTES, Sequence};
use crate::sync::{AtomicI64, Ordering};

/// Cursors on one line.
const PER_LINE: usize = LINE_BYTES / size_of::<Sequence>();

type Line = CachePadded<[AtomicI64; PER_LINE]>;

fn new_line() -> Arc<Line> {
    Arc::new(CachePadded::new(std::array::from_fn(|_| AtomicI64::new(0))))
}

/// Lets lanes that have the same publishing thread and the same reading thread share the lines of their
/// cursors, eight on each; see [`crate::lane_beside`]. Lanes of other threads lose by it: each store takes
/// the line away from all who read it.
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
        Cursor { line, index: self.used - 1 }
    }
}

/// How many records one side of a lane has let the next side have; clones are the same one.
#[derive(Clone)]
pub(crate) struct Cursor {
    line: Arc<Line>,
    index: usize,
}

impl Cursor {
    /// One that shares its line with no other.
    pub(crate) fn alone() -> Self {
        SharedCursors::default().cursor()
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

    #[inline(always)]
    fn word(&self) -> &AtomicI64 {
        &self.line[self.index % PER_LINE]
    }
}
