//! How often snapshots may be asked for: at most one a symbol and second, and a token bucket over
//! all symbols, so that a gap on every symbol at once doesn't get the address banned (F18, F19).
//!
//! Promises: who has waited longest is served first; a look costs nothing as long as nobody waits,
//! and the same however many symbols there are.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::rate::Bucket;

/// One request a symbol in this time, at most.
const PER_SYMBOL_NS: u64 = 1_000_000_000;

/// Failures after which the pause grows no more: 64 s.
const FAILURES_MAX: u8 = 7;

/// A request that was neither answered nor failed after this time is taken for lost.
const LOST_AFTER_NS: u64 = 15_000_000_000;

/// Limits over all symbols of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPace {
    /// Requests that may go at once after a pause, at least 1.
    pub burst: u32,
    /// Time in which one more request is allowed, ns, at least 1.
    pub interval_ns: u64,
}

impl Default for SnapshotPace {
    /// Forty at once, then two a second: 120 a minute of weight 50 is the venue's limit of 6,000.
    /// What the venue allows in a minute is the governor's to keep.
    fn default() -> SnapshotPace {
        SnapshotPace { burst: 40, interval_ns: 500_000_000 }
    }
}

/// The state of the pace, and of each symbol's last request.
#[derive(Clone, Debug)]
pub(super) struct SnapshotPacer {
    bucket: Bucket,
    slots: Vec<Slot>,
    /// Symbols that want one, each once, by when they may ask.
    queue: BinaryHeap<Reverse<(u64, u32)>>,
    /// Requests in their order, to find those that are lost.
    in_flight: VecDeque<(u64, u32)>,
    /// Symbols that were looked at.
    looks: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    requested_at_ns: Option<u64>,
    in_flight: bool,
    is_queued: bool,
    /// Answers in a row that were of no use.
    failures: u8,
}

impl SnapshotPacer {
    pub(super) fn new(pace: SnapshotPace, slots: usize) -> SnapshotPacer {
        SnapshotPacer {
            bucket: Bucket::every(pace.interval_ns, u64::from(pace.burst)),
            slots: vec![Slot::default(); slots],
            queue: BinaryHeap::with_capacity(slots),
            in_flight: VecDeque::with_capacity(slots.min(64)),
            looks: 0,
        }
    }

    /// The symbol in this slot wants a snapshot, as long as `next` hears so.
    #[inline]
    pub(super) fn want(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if !slot.in_flight && !std::mem::replace(&mut slot.is_queued, true) {
            self.queue.push(Reverse((slot.may_ask_ns(), index as u32)));
        }
    }

    /// Whether a symbol waits, or a request is under way.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// The next slot that may ask now, among those that `wants` says still want to.
    pub(super) fn next(&mut self, now_ns: u64, wants: impl Fn(usize) -> bool) -> Option<usize> {
        self.find_lost(now_ns);
        while self.bucket.has_one(now_ns)
            && self.queue.peek().is_some_and(|Reverse((due_ns, _))| *due_ns <= now_ns)
        {
            let Reverse((_, index)) = self.queue.pop()?;
            self.looks += 1;
            let slot = &mut self.slots[index as usize];
            slot.is_queued = false;
            if !wants(index as usize) {
                continue;
            }
            (slot.requested_at_ns, slot.in_flight) = (Some(now_ns), true);
            self.in_flight.push_back((now_ns, index));
            self.bucket.take(now_ns);
            return Some(index as usize);
        }
        None
    }

    fn find_lost(&mut self, now_ns: u64) {
        while let Some((asked_ns, index)) = self.in_flight.front().copied() {
            let slot = self.slots[index as usize];
            let is_under_way = slot.in_flight && slot.requested_at_ns == Some(asked_ns);
            if is_under_way && now_ns.saturating_sub(asked_ns) < LOST_AFTER_NS {
                return;
            }
            self.in_flight.pop_front();
            if is_under_way {
                self.slots[index as usize].in_flight = false;
                self.want(index as usize);
            }
        }
    }

    /// The request of this slot was answered. False when there was none.
    pub(super) fn settled(&mut self, slot: usize) -> bool {
        self.slots[slot].failures = 0;
        std::mem::replace(&mut self.slots[slot].in_flight, false)
    }

    /// The request of this slot failed, or its answer is of no use: each in a row is followed by
    /// the next one after twice as long.
    pub(super) fn failed(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        (slot.in_flight, slot.failures) = (false, (slot.failures + 1).min(FAILURES_MAX));
    }

    /// Symbols that were looked at so far.
    #[cfg(test)]
    pub(super) fn looks(&self) -> u64 {
        self.looks
    }
}

impl Slot {
    /// When it may ask, ns.
    fn may_ask_ns(&self) -> u64 {
        let pause_ns = PER_SYMBOL_NS << self.failures.saturating_sub(1);
        self.requested_at_ns.map_or(0, |requested_at_ns| requested_at_ns + pause_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn one_symbol_asks_once_a_second_and_never_twice_at_once() {
        let mut pacer = SnapshotPacer::new(SnapshotPace { burst: 9, interval_ns: 1 }, 1);
        assert_eq!(pacer.next(0, |_| true), None, "it does not want one");
        pacer.want(0);
        assert_eq!(pacer.next(0, |_| true), Some(0));
        pacer.want(0);
        assert_eq!(pacer.next(5 * SECOND_NS, |_| true), None, "in flight");
        pacer.settled(0);
        pacer.want(0);
        assert_eq!(pacer.next(SECOND_NS - 1, |_| true), None);
        assert_eq!(pacer.next(SECOND_NS, |_| true), Some(0));
        assert_eq!(pacer.next(SECOND_NS + LOST_AFTER_NS, |_| true), Some(0), "lost");
    }

    #[test]
    fn answers_of_no_use_are_followed_ever_more_rarely() {
        let mut pacer = SnapshotPacer::new(SnapshotPace { burst: 9, interval_ns: 1 }, 1);
        let mut asked = Vec::new();
        for second in 0..200 {
            pacer.want(0);
            if pacer.next(second * SECOND_NS, |_| true).is_some() {
                asked.push(second);
                pacer.failed(0);
            }
        }
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 127, 191]);
    }

    #[test]
    fn two_hundred_gaps_at_once_are_served_in_turn_within_the_bucket() {
        // F19
        let pace = SnapshotPace { burst: 5, interval_ns: SECOND_NS / 2 };
        let mut pacer = SnapshotPacer::new(pace, 200);
        let mut served = vec![0; 200];
        (0..200).for_each(|slot| pacer.want(slot));
        let mut now_ns = 0;
        while served.contains(&0) {
            while let Some(slot) = pacer.next(now_ns, |slot| served[slot] == 0) {
                served[slot] += 1;
                pacer.settled(slot);
                let allowed = 5 + now_ns / pace.interval_ns;
                assert!(served.iter().sum::<u64>() <= allowed);
            }
            now_ns += SECOND_NS / 100;
        }
        assert!(served.iter().all(|count| *count == 1));
        assert!(now_ns >= 195 * pace.interval_ns, "{now_ns}");
    }

    #[test]
    fn a_look_costs_the_same_with_five_thousand_symbols_that_wait() {
        let mut pacer = SnapshotPacer::new(SnapshotPace::default(), 5_000);
        (0..5_000).for_each(|slot| pacer.want(slot));
        let mut served = 0;
        for cycle in 0..100_000_u64 {
            served += u64::from(pacer.next(cycle * SECOND_NS / 1_000, |_| true).is_some());
        }
        assert_eq!((served, pacer.looks()), (239, 239), "a hundred seconds");
        // Those that want none any more are looked at once.
        (0..5_000).for_each(|slot| pacer.want(slot));
        while pacer.next(200 * SECOND_NS, |_| false).is_some() {}
        let looks = pacer.looks();
        (0..1_000).for_each(|_| assert_eq!(pacer.next(201 * SECOND_NS, |_| true), None));
        assert!(looks <= 239 + 5_000 && pacer.looks() == looks, "{looks}");
    }
}
