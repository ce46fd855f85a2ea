//! What a synthetic venue writes beside its walk: how many events, and how many of them are
//! critical.

use zerocopy::FromZeros;

use crate::event::{ConsumerId, ExecReport, ExecType, OrderStatus, VenueRef};

/// The shape of a synthetic venue's load. The default is the walk alone, without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyntheticLoad {
    /// Events written on schedule, after which the venue falls silent; 0 = no end. What the venue
    /// says to orders comes on top.
    pub events_max: u64,
    /// Of 1,000 events on schedule, so many are exec reports, spread evenly and sent to the
    /// consumers in turn; 0 to 1,000.
    pub critical_per_mille: u16,
    /// For 1,000 other market events on schedule, so many pairs of bars, of which the later one
    /// comes first: it waits for the earlier one in the dispatcher. 0 to 1,000.
    pub swapped_per_mille: u16,
}

/// Counts out the load. The reports of a consumer are numbered from 1 in their `venue_order_id`, so
/// that a consumer can tell by itself that none is missing, none comes twice, and they come in
/// order.
#[derive(Debug)]
pub(super) struct LoadPlan {
    load: SyntheticLoad,
    /// Thousandths of a critical event that are owed.
    owed: u32,
    /// Thousandths of a pair that is swapped that are owed.
    owed_pairs: u32,
    /// The second of a pair is owed.
    is_in_pair: bool,
    /// Reports sent, by consumer.
    reports: Vec<u64>,
    turn: usize,
}

impl LoadPlan {
    pub(super) fn new(load: SyntheticLoad, consumers: usize) -> LoadPlan {
        let reports = vec![0; consumers];
        LoadPlan { load, owed: 0, owed_pairs: 0, is_in_pair: false, reports, turn: 0 }
    }

    /// Whether event number `written`, from 0, is still part of the load.
    #[inline]
    pub(super) fn has_more(&self, written: u64) -> bool {
        self.load.events_max == 0 || written < self.load.events_max
    }

    /// Which one of a swapped pair the next market event is: `Some(true)` the later one, which
    /// comes first.
    #[inline]
    pub(super) fn next_of_pair(&mut self) -> Option<bool> {
        if self.load.swapped_per_mille == 0 {
            return None;
        }
        if std::mem::take(&mut self.is_in_pair) {
            return Some(false);
        }
        self.owed_pairs += u32::from(self.load.swapped_per_mille);
        if self.owed_pairs < 1_000 {
            return None;
        }
        self.owed_pairs -= 1_000;
        self.is_in_pair = true;
        Some(true)
    }

    /// The report that comes next on the schedule; `None` when a market event does.
    #[inline]
    pub(super) fn next_report(&mut self) -> Option<ExecReport> {
        if self.load.critical_per_mille == 0 || self.reports.is_empty() {
            return None;
        }
        self.owed += u32::from(self.load.critical_per_mille);
        if self.owed < 1_000 {
            return None;
        }
        self.owed -= 1_000;
        let consumer = self.turn;
        self.turn = (self.turn + 1) % self.reports.len();
        self.reports[consumer] += 1;
        let mut report = ExecReport::new_zeroed();
        report.venue_order_id = VenueRef::number(self.reports[consumer]);
        report.consumer = ConsumerId(consumer as u16).0;
        report.status_code = OrderStatus::New.code();
        report.exec_type_code = ExecType::New.code();
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_in_turn_with_the_stated_share_and_numbers_without_holes() {
        let load = SyntheticLoad { critical_per_mille: 250, ..SyntheticLoad::default() };
        let mut plan = LoadPlan::new(load, 3);
        let mut numbers = vec![Vec::new(); 3];
        for _ in 0..1_200 {
            if let Some(report) = plan.next_report() {
                numbers[usize::from(report.consumer)].push(report.venue_order_number());
            }
        }
        let expected: Vec<u64> = (1..=100).collect();
        assert!(numbers.iter().all(|of| *of == expected), "{numbers:?}");
    }

    #[test]
    fn of_a_pair_the_later_one_comes_first_and_its_other_at_once() {
        let load = SyntheticLoad { swapped_per_mille: 400, ..SyntheticLoad::default() };
        let mut plan = LoadPlan::new(load, 0);
        let pairs: Vec<_> = (0..10).map(|_| plan.next_of_pair()).collect();
        let (later, other) = (Some(true), Some(false));
        let expected = [None, None, later, other, None, later, other, None, None, later];
        assert_eq!(pairs, expected);
        let mut plain = LoadPlan::new(SyntheticLoad::default(), 0);
        assert!((0..100).all(|_| plain.next_of_pair().is_none()));
    }

    #[test]
    fn a_load_without_critical_events_or_without_consumers_has_none() {
        assert!(LoadPlan::new(SyntheticLoad::default(), 3).next_report().is_none());
        let all =
            SyntheticLoad { critical_per_mille: 1_000, events_max: 5, ..SyntheticLoad::default() };
        assert!(LoadPlan::new(all, 0).next_report().is_none());
        let plan = LoadPlan::new(all, 1);
        assert!(plan.has_more(4) && !plan.has_more(5));
    }
}
