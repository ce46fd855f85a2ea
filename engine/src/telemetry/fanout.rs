//! Fan-out timing: joining what each consumer saw of the same event (FR-004, FR-026).

use std::collections::HashMap;

use hdrhistogram::Histogram;

use super::hlog::new_histogram;

/// Groups waiting for their last member; older ones are given up, since a member was conflated.
const OPEN_GROUPS_MAX: usize = 65_536;

/// One consumer's word on one event.
#[derive(Clone, Copy, Debug)]
pub struct FanoutSample {
    /// Trace and kind tell one event of a frame from another.
    pub(super) key: (u64, u8),
    pub(super) subscribers: u8,
    pub(super) dispatched_ns: u64,
    pub(super) handled_ns: u64,
}

struct Group {
    missing: u8,
    dispatched_ns: u64,
    first_ns: u64,
    last_ns: u64,
    round: u64,
}

/// Joins samples into groups, off the hot path.
pub(super) struct FanoutJoin {
    open: HashMap<(u64, u8), Group>,
    round: u64,
    pub(super) first: Histogram<u64>,
    pub(super) last: Histogram<u64>,
    pub(super) spread: Histogram<u64>,
    /// Groups given up because a member never came: it was conflated, or its sample found no room.
    pub(super) incomplete: u64,
}

impl FanoutJoin {
    pub(super) fn new() -> FanoutJoin {
        FanoutJoin {
            open: HashMap::new(),
            round: 0,
            first: new_histogram(),
            last: new_histogram(),
            spread: new_histogram(),
            incomplete: 0,
        }
    }

    pub(super) fn add(&mut self, samples: &[FanoutSample]) {
        for sample in samples.iter().filter(|sample| sample.subscribers > 1) {
            let round = self.round;
            let group = self.open.entry(sample.key).or_insert_with(|| Group {
                missing: sample.subscribers,
                dispatched_ns: sample.dispatched_ns,
                first_ns: u64::MAX,
                last_ns: 0,
                round,
            });
            group.missing -= 1;
            group.first_ns = group.first_ns.min(sample.handled_ns);
            group.last_ns = group.last_ns.max(sample.handled_ns);
            if group.missing == 0 {
                self.first.saturating_record(group.first_ns.saturating_sub(group.dispatched_ns));
                self.last.saturating_record(group.last_ns.saturating_sub(group.dispatched_ns));
                self.spread.saturating_record(group.last_ns - group.first_ns);
                self.open.remove(&sample.key);
            }
        }
    }

    /// Ends a round of collection: groups older than two rounds are given up.
    pub(super) fn end_round(&mut self) {
        self.round += 1;
        let round = self.round;
        if self.open.len() > OPEN_GROUPS_MAX || self.open.values().any(|g| g.round + 2 < round) {
            let before = self.open.len();
            self.open.retain(|_, group| group.round + 2 >= round);
            self.incomplete += (before - self.open.len()) as u64;
        }
    }

    pub(super) fn reset_histograms(&mut self) {
        self.first.reset();
        self.last.reset();
        self.spread.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(trace: u64, subscribers: u8, handled_ns: u64) -> FanoutSample {
        FanoutSample { key: (trace, 1), subscribers, dispatched_ns: 100, handled_ns }
    }

    #[test]
    fn a_group_is_recorded_when_its_last_member_came() {
        let mut join = FanoutJoin::new();
        join.add(&[sample(1, 2, 150)]);
        assert_eq!(join.last.len(), 0);
        join.add(&[sample(1, 2, 400), sample(9, 1, 500)]);
        assert_eq!((join.first.max(), join.last.max(), join.spread.max()), (50, 300, 250));
        assert_eq!(join.last.len(), 1);
    }

    #[test]
    fn a_group_whose_member_was_conflated_is_given_up_and_counted() {
        let mut join = FanoutJoin::new();
        join.add(&[sample(1, 3, 150), sample(1, 3, 160)]);
        for _ in 0..3 {
            join.end_round();
        }
        assert_eq!((join.incomplete, join.open.len()), (1, 0));
    }
}
