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
}

/// Counts out the load. The reports of a consumer are numbered from 1 in their `venue_order_id`, so
/// that a consumer can tell by itself that none is missing, none comes twice, and they come in
/// order.
#[derive(Debug)]
pub(super) struct LoadPlan {
    load: SyntheticLoad,
    /// Thousandths of a critical event that are owed.
    owed: u32,
    /// Reports sent, by consumer.
    reports: Vec<u64>,
    turn: usize,
}

impl LoadPlan {
    pub(super) fn new(load: SyntheticLoad, consumers: usize) -> LoadPlan {
        LoadPlan { load, owed: 0, reports: vec![0; consumers], turn: 0 }
    }

    /// Whether event number `written`, from 0, is still part of the load.
    #[inline]
    pub(super) fn has_more(&self, written: u64) -> bool {
        self.load.events_max == 0 || written < self.load.events_max
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
    fn a_load_without_critical_events_or_without_consumers_has_none() {
        assert!(LoadPlan::new(SyntheticLoad::default(), 3).next_report().is_none());
        let all = SyntheticLoad { critical_per_mille: 1_000, events_max: 5 };
        assert!(LoadPlan::new(all, 0).next_report().is_none());
        let plan = LoadPlan::new(all, 1);
        assert!(plan.has_more(4) && !plan.has_more(5));
    }
}
