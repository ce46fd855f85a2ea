//! What the two sides of a lane share beside its slots.
//!
//! Each word has one writer and stands on a line of that writer's side.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::counters::Counter;
use crate::cursor::Cursor;
use crate::record::Sequence;
use crate::recycler::return_cursor::ReturnCursor;
use crate::recycler::sites::CallSites;

/// All that the two sides of a lane share beside the slots and the cursors of the ring.
pub(crate) struct LaneState {
    pub(crate) name: Box<str>,
    pub(crate) capacity: usize,
    pub(crate) sites: CallSites,
    /// The publisher's cursor.
    pub(crate) published: Cursor,
    pub(crate) publisher: CachePadded<PublisherSide>,
    pub(crate) reader: CachePadded<ReaderSide>,
    pub(crate) refused: CachePadded<RefusedReturns>,
}

/// Written by the publisher.
#[derive(Default)]
pub(crate) struct PublisherSide {
    pub(crate) full: Counter,
    pub(crate) closed: AtomicBool,
}

/// Written by those who read: the consumer each time that it returns something, and the reader that
/// stands next to the publisher whenever a backlog is the largest so far.
pub(crate) struct ReaderSide {
    pub(crate) released: ReturnCursor,
    pub(crate) high_water: Counter,
}

/// Written by whoever is refused, which may be any thread.
#[derive(Default)]
pub(crate) struct RefusedReturns {
    pub(crate) double: AtomicU64,
    pub(crate) out_of_order: AtomicU64,
}

impl LaneState {
    pub(crate) fn new(name: String, capacity: usize, published: Cursor, checked: bool) -> Self {
        Self {
            name: name.into_boxed_str(),
            capacity,
            sites: CallSites::new(if checked { capacity } else { 0 }),
            published,
            publisher: CachePadded::default(),
            reader: CachePadded::new(ReaderSide {
                released: ReturnCursor::new(),
                high_water: Counter::new(),
            }),
            refused: CachePadded::default(),
        }
    }

    /// Whether the publisher is gone and `next` is behind its last record.
    #[inline]
    pub(crate) fn is_exhausted(&self, next: Sequence) -> bool {
        // Acquire pairs with the release in the publisher's `Drop`, so the cursor is final.
        self.publisher.closed.load(Ordering::Acquire) && self.published.end() == next
    }
}
