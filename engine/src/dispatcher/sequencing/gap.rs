//! What waits behind one stream's gap.

use std::collections::VecDeque;

use pitlane_ring::PoolHandle;

/// A held event.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) sequence: u64,
    pub(super) arrived_ns: u64,
    pub(super) handle: PoolHandle,
}

/// The held events of one stream, by sequence. Its memory is taken once.
pub(super) struct Gap {
    pub(super) stream: usize,
    events: VecDeque<Held>,
    /// When the first of them arrived.
    pub(super) oldest_ns: u64,
}

/// Where an event belongs among the held ones.
pub(super) enum Place {
    /// It is there already.
    Known,
    /// At this position.
    At(usize),
}

impl Gap {
    pub(super) fn new(capacity: usize) -> Gap {
        Gap { stream: 0, events: VecDeque::with_capacity(capacity), oldest_ns: u64::MAX }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn first_sequence(&self) -> Option<u64> {
        self.events.front().map(|held| held.sequence)
    }

    /// Looks at most at as many of them as their number has bits.
    pub(super) fn place(&self, sequence: u64) -> Place {
        match self.events.binary_search_by_key(&sequence, |held| held.sequence) {
            Ok(_) => Place::Known,
            Err(index) => Place::At(index),
        }
    }

    pub(super) fn insert(&mut self, index: usize, held: Held) {
        self.events.insert(index, held);
        self.oldest_ns = self.oldest_ns.min(held.arrived_ns);
    }

    pub(super) fn pop(&mut self) -> Option<Held> {
        self.events.pop_front()
    }

    /// After something was taken out.
    pub(super) fn find_oldest(&mut self) {
        self.oldest_ns = self.events.iter().map(|held| held.arrived_ns).min().unwrap_or(u64::MAX);
    }
}
