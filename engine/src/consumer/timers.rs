//! A strategy's timers: a small binary heap, preallocated.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Timers that one strategy may have set at a time.
pub const TIMERS_MAX: usize = 256;

/// Timers of one strategy, earliest first.
#[derive(Debug)]
pub struct Timers {
    /// When the earliest is due: asked in each cycle, so it stands at hand.
    next_ns: u64,
    heap: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Timers {
    pub(super) fn new() -> Timers {
        Timers { next_ns: u64::MAX, heap: BinaryHeap::with_capacity(TIMERS_MAX) }
    }

    /// Sets a timer; false when [`TIMERS_MAX`] are set already.
    pub(super) fn set(&mut self, due_ns: u64, id: u64) -> bool {
        let has_room = self.heap.len() < TIMERS_MAX;
        if has_room {
            self.heap.push(Reverse((due_ns, id)));
            self.next_ns = self.next_ns.min(due_ns);
        }
        has_room
    }

    /// Takes the id of a timer that is due.
    #[inline]
    pub(super) fn pop_due(&mut self, now_ns: u64) -> Option<u64> {
        if self.next_ns > now_ns {
            return None;
        }
        let due = self.heap.pop().map(|Reverse((_, id))| id);
        self.next_ns = self.heap.peek().map_or(u64::MAX, |Reverse((due_ns, _))| *due_ns);
        due
    }

    /// When the next timer is due, ns; `u64::MAX` when none is set.
    #[inline]
    pub(super) fn next_ns(&self) -> u64 {
        self.next_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_are_bounded() {
        let mut timers = Timers::new();
        assert!(timers.set(30, 3) && timers.set(10, 1) && timers.set(20, 2));
        assert_eq!(timers.next_ns(), 10);
        assert_eq!(timers.pop_due(9), None);
        assert_eq!(
            (timers.pop_due(25), timers.pop_due(25), timers.pop_due(25)),
            (Some(1), Some(2), None)
        );
        for id in 1..TIMERS_MAX as u64 {
            assert!(timers.set(100, id));
        }
        assert!(!timers.set(100, 0));
    }
}
