//! One interval's values, as a log line holds them: the cells that are not empty, in order.

use super::distribution::Distribution;
use super::layout::Layout;

/// The values of one log line. Reused from line to line, so that reading allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Interval {
    layout: Option<Layout>,
    cells: Vec<(u32, u64)>,
    total: u64,
}

impl Interval {
    /// Forgets all and takes values of this layout.
    pub fn start(&mut self, layout: Layout) {
        self.layout = Some(layout);
        self.cells.clear();
        self.total = 0;
    }

    /// Appends a cell. Cells come in ascending order and are smaller than 2^32 by the layout's
    /// limit.
    pub fn push(&mut self, cell: usize, count: u64) {
        debug_assert!(self.cells.last().is_none_or(|(last, _)| (*last as usize) < cell));
        if count > 0 {
            self.cells.push((cell as u32, count));
            self.total = self.total.saturating_add(count);
        }
    }

    /// The same values in a unit of which `factor` make one of these.
    #[must_use]
    pub fn scaled(&self, factor: u64) -> Interval {
        let beyond = i64::MAX as u64;
        let scale = |value: u64| value.saturating_mul(factor).min(beyond);
        let layout = self.layout().with_room_for(scale(self.layout().highest()));
        let mut scaled = Interval::default();
        scaled.start(layout);
        for &(cell, count) in &self.cells {
            let cell = layout.cell_of(scale(layout.highest_of(cell as usize))) as u32;
            // Where cells are wider in proportion, two become one.
            match scaled.cells.last_mut() {
                Some((last, sum)) if *last == cell => *sum = sum.saturating_add(count),
                _ => scaled.cells.push((cell, count)),
            }
            scaled.total = scaled.total.saturating_add(count);
        }
        scaled
    }

    /// Memory that a copy of it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Interval>() + self.cells.len() * size_of::<(u32, u64)>()
    }

    /// The same interval as it would have been without coordinated omission: behind each value
    /// above `expected` (the log's unit, at least 1) come those that a sender on schedule would
    /// have seen.
    ///
    /// The number of steps is bounded by the cells, not by value / `expected`.
    #[must_use]
    pub fn corrected(&self, expected: u64) -> Interval {
        let layout = self.layout();
        let mut cells: Vec<u64> =
            vec![0; self.cells.last().map_or(0, |(cell, _)| *cell as usize + 1)];
        for &(cell, count) in &self.cells {
            cells[cell as usize] = cells[cell as usize].saturating_add(count);
            add_missing(layout, layout.highest_of(cell as usize), count, expected, &mut cells);
        }
        let mut corrected = Interval::default();
        corrected.start(*layout);
        for (cell, count) in cells.into_iter().enumerate() {
            corrected.push(cell, count);
        }
        corrected
    }
}

impl Distribution for Interval {
    /// # Panics
    /// Before the first [`Interval::start`].
    fn layout(&self) -> &Layout {
        match &self.layout {
            Some(layout) => layout,
            None => panic!("an interval is asked before it was filled"),
        }
    }

    fn total(&self) -> u64 {
        self.total
    }

    fn recorded(&self) -> impl Iterator<Item = (usize, u64)> {
        self.cells.iter().map(|(cell, count)| (*cell as usize, *count))
    }

    fn max(&self) -> u64 {
        self.cells.last().map_or(0, |(cell, _)| self.layout().highest_of(*cell as usize))
    }
}

/// Adds `count` for each of `value - expected`, `value - 2 * expected`, ... down to `expected`.
fn add_missing(layout: &Layout, value: u64, count: u64, expected: u64, cells: &mut [u64]) {
    let Some(mut missing) = value.checked_sub(expected) else { return };
    while missing >= expected {
        let cell = layout.cell_of(missing);
        // All that fall into this cell at once: `missing` and those below it, down to the cell's
        // start.
        let floor = layout.lowest_of(cell).max(expected);
        let here = (missing - floor) / expected + 1;
        cells[cell] = cells[cell].saturating_add(count.saturating_mul(here));
        match missing.checked_sub(here.saturating_mul(expected)) {
            Some(next) => missing = next,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::super::counts::to_histogram;
    use super::*;

    fn single(value: u64, count: u64) -> Interval {
        let layout = Layout::new(1, 3_600_000_000_000, 3).unwrap();
        let mut interval = Interval::default();
        interval.start(layout);
        interval.push(layout.cell_of(value), count);
        interval
    }

    #[test]
    fn correction_fills_in_what_a_sender_on_schedule_would_have_seen() {
        for (value, expected) in [(1_000_000, 1_000), (987_654, 999), (50, 7), (1_000, 1_000)] {
            let corrected = single(value, 3).corrected(expected);
            let mut oracle = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
            // The crate starts from the value itself, as Java's recorder does; a log only knows its
            // cell.
            let known = corrected.max();
            oracle.record_n_correct(known, 3, expected).unwrap();
            assert_eq!(to_histogram(&corrected), oracle, "{value} by {expected}");
        }
    }

    #[test]
    fn scaled_values_keep_their_precision_and_their_number() {
        let microseconds = single(1_234, 3).scaled(1_000);
        assert_eq!((microseconds.total(), microseconds.max() / 1_000), (3, 1_234));
        let layout = Layout::new(1, 1_000_000, 2).unwrap();
        let mut many = Interval::default();
        many.start(layout);
        (0..layout.cells()).for_each(|cell| many.push(cell, 1));
        let scaled = many.scaled(1_000);
        assert_eq!(scaled.total(), many.total());
        let ratio = scaled.percentile(50.0) as f64 / many.percentile(50.0) as f64;
        assert!((990.0..1_010.0).contains(&ratio), "{ratio}");
        assert_eq!(single(u64::MAX >> 24, 1).scaled(u64::MAX).total(), 1);
    }

    #[test]
    fn an_hour_corrected_by_a_nanosecond_ends_at_once() {
        let corrected = single(3_600_000_000_000, 1).corrected(1);
        assert!(corrected.total() > 3_500_000_000_000);
    }
}
