//! What can be asked of recorded values: percentiles, mean, deviation, and the rows of a percentile
//! curve.
//!
//! The arithmetic, its order included, is that of the Java library, so that printed figures agree
//! with its tools to the last digit.

use super::layout::Layout;

/// Counts by cell, of one interval or of many.
pub trait Distribution {
    /// What a cell means.
    fn layout(&self) -> &Layout;

    /// Number of values recorded.
    fn total(&self) -> u64;

    /// Cells that hold something, from the lowest, with their counts.
    fn recorded(&self) -> impl Iterator<Item = (usize, u64)>;

    /// The highest value recorded, as the upper end of its cell; 0 when nothing is.
    fn max(&self) -> u64 {
        self.recorded().last().map_or(0, |(cell, _)| self.layout().highest_of(cell))
    }

    /// The lowest value recorded, as the lower end of its cell; 0 when nothing is.
    fn min(&self) -> u64 {
        self.recorded().next().map_or(0, |(cell, _)| self.layout().lowest_of(cell))
    }

    /// The mean, each value taken as the middle of its cell; 0 when nothing is recorded.
    fn mean(&self) -> f64 {
        if self.total() == 0 {
            return 0.0;
        }
        let sum = self.recorded().fold(0.0, |sum, (cell, count)| {
            sum + self.layout().median_of(cell) as f64 * count as f64
        });
        sum / self.total() as f64
    }

    /// The standard deviation, of the same middles; 0 when nothing is recorded.
    fn deviation(&self) -> f64 {
        if self.total() == 0 {
            return 0.0;
        }
        let mean = self.mean();
        let squares = self.recorded().fold(0.0, |sum, (cell, count)| {
            let deviation = self.layout().median_of(cell) as f64 - mean;
            sum + deviation * deviation * count as f64
        });
        (squares / self.total() as f64).sqrt()
    }

    /// The values at these percentiles (0 to 100, ascending), in one pass; all 0 when nothing is
    /// recorded.
    fn percentiles<const N: usize>(&self, percentiles: [f64; N]) -> [u64; N] {
        debug_assert!(percentiles.is_sorted());
        let mut values = [0; N];
        let wanted = percentiles.map(|percentile| {
            let just_below = percentile.next_down().clamp(0.0, 100.0);
            ((just_below * self.total() as f64 / 100.0).ceil() as u64).max(1)
        });
        let (mut done, mut reached) = (0, 0_u64);
        for (cell, count) in self.recorded() {
            reached = reached.saturating_add(count);
            while done < N && reached >= wanted[done] {
                values[done] = if percentiles[done] == 0.0 {
                    self.layout().lowest_of(cell)
                } else {
                    self.layout().highest_of(cell)
                };
                done += 1;
            }
            if done == N {
                break;
            }
        }
        values
    }

    /// The value at one percentile, 0 to 100; 0 when nothing is recorded.
    fn percentile(&self, percentile: f64) -> u64 {
        self.percentiles([percentile])[0]
    }

    /// The rows of the percentile curve, with `ticks` steps for each halving of what is left to 100
    /// %.
    fn curve(&self, ticks: u32) -> Vec<CurveRow> {
        let mut rows = Vec::new();
        let mut level = 0.0_f64;
        let (mut reached, mut last) = (0_u64, None);
        for (cell, count) in self.recorded() {
            reached = reached.saturating_add(count);
            let here = 100.0 * reached as f64 / self.total() as f64;
            last = Some(cell);
            // The last cell has one row before the final one of 100 %, as in the Java tool.
            while here >= level {
                let value = self.layout().highest_of(cell);
                rows.push(CurveRow { value, percentile: level, count_to: reached });
                // With counts near 2^63 steps get smaller than what a number of this size can tell
                // apart.
                let next = level + step(level, ticks);
                level = if next > level { next } else { f64::INFINITY };
                if reached == self.total() {
                    break;
                }
            }
        }
        if let Some(cell) = last {
            let value = self.layout().highest_of(cell);
            rows.push(CurveRow { value, percentile: 100.0, count_to: reached });
        }
        rows
    }
}

/// One row of a percentile curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurveRow {
    /// The value, in the log's own unit.
    pub value: u64,
    /// Percentile, 0 to 100.
    pub percentile: f64,
    /// Values recorded at or below `value`.
    pub count_to: u64,
}

/// Distance to the next percentile that is reported after `level`.
fn step(level: f64, ticks: u32) -> f64 {
    let halvings = ((100.0 / (100.0 - level)).ln() / 2.0_f64.ln()) as i64;
    let in_all = f64::from(ticks) * 2.0_f64.powi(halvings as i32 + 1);
    100.0 / in_all
}
