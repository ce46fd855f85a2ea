//! Fan-out timing: joining what each consumer saw of the same event (FR-004, FR-026).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

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
    /// When each member so far had handled it.
    handled_ns: Vec<u64>,
    round: u64,
}

impl Group {
    /// From the dispatch until this part of the members had handled it, by nearest rank.
    fn reached_ns(&self, percent: usize) -> u64 {
        let rank = (self.handled_ns.len() * percent).div_ceil(100).max(1);
        self.handled_ns[rank - 1].saturating_sub(self.dispatched_ns)
    }
}

/// The series of a fan-out: what each group was recorded as.
pub(super) const FANOUT_STAGES: [&str; 6] =
    ["fanout:first", "fanout:p50", "fanout:p95", "fanout:p99", "fanout:last", "fanout:spread"];

/// Spreads keys: traces are numbers of ours, so that nobody can choose them to collide.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Joins samples into groups, off the hot path.
pub(super) struct FanoutJoin {
    open: HashMap<(u64, u8), Group, BuildHasherDefault<KeyHasher>>,
    /// Lists of groups that are whole, for those to come.
    spare: Vec<Vec<u64>>,
    round: u64,
    /// In the order of [`FANOUT_STAGES`].
    pub(super) stages: [Histogram<u64>; FANOUT_STAGES.len()],
    /// Groups given up because a member never came: it was conflated, or its sample found no room.
    pub(super) incomplete: u64,
}

impl FanoutJoin {
    pub(super) fn new() -> FanoutJoin {
        FanoutJoin {
            open: HashMap::default(),
            spare: Vec::new(),
            round: 0,
            stages: FANOUT_STAGES.map(|_| new_histogram()),
            incomplete: 0,
        }
    }

    pub(super) fn add(&mut self, samples: &[FanoutSample]) {
        for sample in samples.iter().filter(|sample| sample.subscribers > 1) {
            let Self { open, spare, round, .. } = self;
            let group = open.entry(sample.key).or_insert_with(|| Group {
                missing: sample.subscribers,
                dispatched_ns: sample.dispatched_ns,
                handled_ns: spare.pop().unwrap_or_default(),
                round: *round,
            });
            group.missing -= 1;
            group.handled_ns.push(sample.handled_ns);
            if group.missing == 0 {
                group.handled_ns.sort_unstable();
                let [first, last] = [group.reached_ns(0), group.reached_ns(100)];
                let middle = [50, 95, 99].map(|percent| group.reached_ns(percent));
                let values = [first, middle[0], middle[1], middle[2], last, last - first];
                for (histogram, value) in self.stages.iter_mut().zip(values) {
                    histogram.saturating_record(value);
                }
                if let Some(Group { mut handled_ns, .. }) = self.open.remove(&sample.key) {
                    handled_ns.clear();
                    self.spare.push(handled_ns);
                }
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
        self.stages.iter_mut().for_each(Histogram::reset);
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
        assert_eq!(join.stages[0].len(), 0);
        join.add(&[sample(1, 2, 400), sample(9, 1, 500)]);
        let values = join.stages.each_ref().map(Histogram::max);
        assert_eq!(values, [50, 50, 300, 300, 300, 250], "two members: half of them is the first");
        assert_eq!(join.stages[0].len(), 1);
    }

    #[test]
    fn percentiles_are_those_of_each_group() {
        // FR-004
        let mut join = FanoutJoin::new();
        let members: Vec<_> = (1..=100).map(|number| sample(1, 100, 100 + number)).collect();
        join.add(&members);
        assert_eq!(join.stages.each_ref().map(Histogram::max), [1, 50, 95, 99, 100, 99]);
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
