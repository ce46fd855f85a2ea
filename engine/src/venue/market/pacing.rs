//! How often snapshots may be asked for: at most one a symbol and second, and a token bucket over
//! all symbols, so that a gap on every symbol at once doesn't get the address banned (F18, F19).

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
    /// Five at once, then two a second: 120 a minute of weight 50 is the venue's limit of 6,000.
    fn default() -> SnapshotPace {
        SnapshotPace { burst: 5, interval_ns: 500_000_000 }
    }
}

/// The state of the pace, and of each symbol's last request.
#[derive(Clone, Debug)]
pub(super) struct SnapshotPacer {
    pace: SnapshotPace,
    /// Saved up time; one request costs one interval.
    credit_ns: u64,
    credited_at_ns: u64,
    slots: Vec<Slot>,
    /// Where the next search starts, so that every symbol gets its turn.
    next_slot: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    requested_at_ns: Option<u64>,
    in_flight: bool,
    /// Answers in a row that were of no use.
    failures: u8,
}

impl SnapshotPacer {
    pub(super) fn new(pace: SnapshotPace, slots: usize) -> SnapshotPacer {
        let pace = SnapshotPace { burst: pace.burst.max(1), interval_ns: pace.interval_ns.max(1) };
        SnapshotPacer {
            pace,
            credit_ns: pace.interval_ns.saturating_mul(u64::from(pace.burst)),
            credited_at_ns: 0,
            slots: vec![Slot::default(); slots],
            next_slot: 0,
        }
    }

    /// The next slot that may ask now, among those that `wants` says want to.
    pub(super) fn next(&mut self, now_ns: u64, wants: impl Fn(usize) -> bool) -> Option<usize> {
        let full_ns = self.pace.interval_ns.saturating_mul(u64::from(self.pace.burst));
        let earned_ns = now_ns.saturating_sub(self.credited_at_ns);
        self.credited_at_ns = self.credited_at_ns.max(now_ns);
        self.credit_ns = self.credit_ns.saturating_add(earned_ns).min(full_ns);
        if self.credit_ns < self.pace.interval_ns {
            return None;
        }
        let count = self.slots.len();
        let slot = (0..count)
            .map(|step| (self.next_slot + step) % count)
            .find(|slot| wants(*slot) && self.slots[*slot].may_ask(now_ns))?;
        self.next_slot = slot + 1;
        self.credit_ns -= self.pace.interval_ns;
        let failures = self.slots[slot].failures;
        self.slots[slot] = Slot { requested_at_ns: Some(now_ns), in_flight: true, failures };
        Some(slot)
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
}

impl Slot {
    fn may_ask(&self, now_ns: u64) -> bool {
        let Some(requested_at_ns) = self.requested_at_ns else { return true };
        let waited_ns = now_ns.saturating_sub(requested_at_ns);
        let pause_ns = PER_SYMBOL_NS << self.failures.saturating_sub(1);
        waited_ns >= if self.in_flight { LOST_AFTER_NS } else { pause_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn one_symbol_asks_once_a_second_and_never_twice_at_once() {
        let mut pacer = SnapshotPacer::new(SnapshotPace { burst: 9, interval_ns: 1 }, 1);
        assert_eq!(pacer.next(0, |_| true), Some(0));
        assert_eq!(pacer.next(5 * SECOND_NS, |_| true), None, "in flight");
        pacer.settled(0);
        assert_eq!(pacer.next(SECOND_NS - 1, |_| true), None);
        assert_eq!(pacer.next(SECOND_NS, |_| true), Some(0));
        assert_eq!(pacer.next(SECOND_NS + LOST_AFTER_NS, |_| true), Some(0), "lost");
    }

    #[test]
    fn two_hundred_gaps_at_once_are_served_in_turn_within_the_bucket() {
        // F19
        let pace = SnapshotPace { burst: 5, interval_ns: SECOND_NS / 2 };
        let mut pacer = SnapshotPacer::new(pace, 200);
        let mut served = vec![0; 200];
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
}
