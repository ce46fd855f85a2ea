//! What a strategy has lost today, by quote asset: realised, after fees, and what is open at its
//! mark.
//!
//! Each row is one instrument at one venue. A row is valued when it trades, when an order for it is
//! checked, and in turn with the others at each check: no check looks at more than two.

use std::sync::atomic::Ordering;

use super::book::{RiskBook, StrategyCells};
use super::limits::NO_LIMIT;
use crate::order::trading::RowProfit;

const DAY_NS: i64 = 86_400_000_000_000;

/// The rows of one strategy.
#[derive(Debug)]
pub(super) struct DailyLoss {
    /// What each row was worth at its last look, in units of 10^-8, with its asset.
    worth: Vec<(usize, i64)>,
    /// By asset, all rows.
    sums: Box<[i64]>,
    /// The same at the day's start.
    at_start: Box<[i64]>,
    /// The day, since 1970.
    day: i64,
    /// The row that is looked at next.
    next: usize,
}

impl DailyLoss {
    /// Room for so many rows.
    pub(super) fn new(rows: usize, assets: usize) -> DailyLoss {
        DailyLoss {
            worth: Vec::with_capacity(rows),
            sums: vec![0; assets].into_boxed_slice(),
            at_start: vec![0; assets].into_boxed_slice(),
            day: 0,
            next: 0,
        }
    }

    /// The row whose turn it is, of so many.
    #[inline]
    pub(super) fn turn(&mut self, rows: usize) -> usize {
        self.next = if self.next + 1 < rows { self.next + 1 } else { 0 };
        self.next
    }

    /// A row that was there before, and what it was worth.
    pub(super) fn begin(&mut self, row: usize, asset: usize, worth: i64) {
        while self.worth.len() <= row {
            self.worth.push((asset, 0));
        }
        let (Some(sum), Some(start)) = (self.sums.get_mut(asset), self.at_start.get_mut(asset))
        else {
            return;
        };
        self.worth[row] = (asset, worth);
        (*sum, *start) = (sum.saturating_add(worth), start.saturating_add(worth));
    }

    /// Values a row at a price; what its asset has lost today.
    pub(super) fn value(
        &mut self,
        row: usize,
        asset: usize,
        profit: &RowProfit,
        price: Option<i64>,
        wall_ns: i64,
    ) -> i64 {
        let day = DailyLoss::day(wall_ns);
        if day != self.day {
            let is_first = self.day == 0;
            self.day = day;
            if !is_first {
                self.at_start.copy_from_slice(&self.sums);
            }
        }
        while self.worth.len() <= row {
            self.worth.push((asset, 0));
        }
        let worth = profit.net(price);
        let Some(sum) = self.sums.get_mut(asset) else { return 0 };
        *sum = sum.saturating_add(worth.saturating_sub(self.worth[row].1));
        self.worth[row] = (asset, worth);
        self.at_start[asset].saturating_sub(*sum)
    }

    /// The day, since 1970.
    pub(super) fn day(wall_ns: i64) -> i64 {
        wall_ns.div_euclid(DAY_NS)
    }

    /// How long the day still is, ns.
    pub(super) fn rest_ns(wall_ns: i64) -> u64 {
        (DAY_NS - wall_ns.rem_euclid(DAY_NS)).unsigned_abs()
    }
}

impl RiskBook {
    /// A strategy has lost so much of an asset today; holds the orders of all when that is too much
    /// together with the others. Of each of them the last look of this day counts.
    pub(super) fn lost(
        &self,
        cells: &StrategyCells,
        asset: usize,
        lost: i64,
        (now_ns, wall_ns): (u64, i64),
    ) {
        let limit = self.total.max_daily_loss.load(Ordering::Relaxed);
        let Some(cell) = cells.used.lost.get(asset).filter(|_| limit != NO_LIMIT) else { return };
        let day = DailyLoss::day(wall_ns);
        if cells.used.lost_day.load(Ordering::Relaxed) != day {
            cells.used.lost.iter().for_each(|of| of.store(0, Ordering::Relaxed));
        }
        cell.store(lost, Ordering::Relaxed);
        cells.used.lost_day.store(day, Ordering::Release);
        let of_today = self.strategies.iter().map(|of| &of.used);
        let of_today = of_today.filter(|used| used.lost_day.load(Ordering::Acquire) == day);
        let sum = of_today.fold(0_i64, |sum, used| {
            sum.saturating_add(used.lost.get(asset).map_or(0, |of| of.load(Ordering::Relaxed)))
        });
        self.total.daily_loss.store(sum, Ordering::Relaxed);
        if sum >= limit && !self.total.loss.holds(now_ns) {
            let until_ns = now_ns.saturating_add(DailyLoss::rest_ns(wall_ns));
            self.total.loss.ring(until_ns, sum, limit);
            self.changed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A position bought for `cost`, in whole units of money.
    fn open(position: i128, cost: i128, closed: i128) -> RowProfit {
        RowProfit { position, cost, closed, step: 1, ..RowProfit::default() }
    }

    #[test]
    fn what_is_open_counts_at_its_mark_and_each_day_begins_anew() {
        let mut loss = DailyLoss::new(4, 2);
        let morning = 20_000 * DAY_NS + 5;
        assert_eq!(loss.value(0, 0, &open(10, 1_000, 0), Some(100), morning), 0);
        assert_eq!(loss.value(0, 0, &open(10, 1_000, 0), Some(97), morning), 30);
        assert_eq!(
            loss.value(1, 0, &open(0, 0, -7), None, morning),
            37,
            "rows of one asset add up"
        );
        assert_eq!(loss.value(2, 1, &open(0, 0, -5), None, morning), 5, "and of another do not");
        assert_eq!(loss.value(0, 0, &open(-10, -1_000, 0), Some(101), morning), 17);
        let next_day = morning + DAY_NS;
        assert_eq!(loss.value(1, 0, &open(0, 0, -7), None, next_day), 0);
        assert_eq!(loss.value(1, 0, &open(0, 0, -9), None, next_day), 2);
        let mut restarted = DailyLoss::new(4, 2);
        restarted.begin(0, 0, -500);
        let lost = restarted.value(0, 0, &open(0, 0, -503), None, morning);
        assert_eq!(lost, 3, "what an earlier run has lost is no part of it");
        assert_eq!(DailyLoss::rest_ns(morning), (DAY_NS - 5).unsigned_abs());
    }
}
