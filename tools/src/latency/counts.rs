//! Sums of many intervals: counts by cell, in pages that are there where something was recorded.
//!
//! A histogram of five digits over all 63 bits has six million cells. A log of a few kilobytes may
//! hold a thousand such series with one value each, and their sums must not take gigabytes.

use hdrhistogram::Histogram;

use super::distribution::Distribution;
use super::error::LineProblem;
use super::interval::Interval;
use super::layout::Layout;

/// Cells of a page.
const PAGE_CELLS: usize = 512;

/// Most memory that the sums of a log may take together.
const SUMS_MIB_MAX: usize = 256;

type Page = Option<Box<[u64; PAGE_CELLS]>>;

/// The sum of intervals. Memory is 8 bytes a cell of each page that holds something.
#[derive(Clone, Debug)]
pub struct Counts {
    layout: Layout,
    pages: Vec<Page>,
    pages_held: usize,
    total: u64,
}

impl Counts {
    /// Nothing recorded, shaped like the first interval that will be added.
    #[must_use]
    pub fn shaped(layout: &Layout) -> Counts {
        Counts { layout: *layout, pages: Vec::new(), pages_held: 0, total: 0 }
    }

    /// Adds an interval. Where its precision differs, each value goes to the cell that holds it
    /// here.
    pub fn add(&mut self, interval: &Interval) {
        if interval.total() == 0 {
            return;
        }
        self.layout = self.layout.with_room_for(interval.max());
        let same = self.layout.same_cells(interval.layout());
        for (cell, count) in interval.recorded() {
            let cell = if same { cell } else { self.cell_like(interval, cell) };
            let held = self.cell(cell);
            *held = held.saturating_add(count);
        }
        self.total = self.total.saturating_add(interval.total());
    }

    /// Takes away an interval that was added before, as a moving window does.
    pub fn subtract(&mut self, interval: &Interval) {
        let same = self.layout.same_cells(interval.layout());
        for (cell, count) in interval.recorded() {
            let cell = if same { cell } else { self.cell_like(interval, cell) };
            if let Some(Some(page)) = self.pages.get_mut(cell / PAGE_CELLS) {
                let held = &mut page[cell % PAGE_CELLS];
                *held = held.saturating_sub(count);
            }
        }
        self.total = self.total.saturating_sub(interval.total());
    }

    /// The cell here for what lies in `cell` there.
    fn cell_like(&self, interval: &Interval, cell: usize) -> usize {
        self.layout.cell_of(interval.layout().lowest_of(cell))
    }

    fn cell(&mut self, cell: usize) -> &mut u64 {
        let page = cell / PAGE_CELLS;
        if page >= self.pages.len() {
            self.pages.resize(page + 1, None);
        }
        let pages_held = &mut self.pages_held;
        let page = self.pages[page].get_or_insert_with(|| {
            *pages_held += 1;
            Box::new([0; PAGE_CELLS])
        });
        &mut page[cell % PAGE_CELLS]
    }

    fn bytes(&self) -> usize {
        self.pages_held * size_of::<[u64; PAGE_CELLS]>() + self.pages.len() * size_of::<Page>()
    }
}

/// Refuses sums that take more memory than a log of latencies ever needs.
///
/// # Errors
/// [`LineProblem::TooMuch`].
pub fn check_memory<'a>(sums: impl Iterator<Item = &'a Counts>) -> Result<(), LineProblem> {
    match sums.map(Counts::bytes).sum::<usize>() >> 20 {
        mib if mib > SUMS_MIB_MAX => Err(LineProblem::TooMuch(SUMS_MIB_MAX)),
        _ => Ok(()),
    }
}

impl Distribution for Counts {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn total(&self) -> u64 {
        self.total
    }

    fn recorded(&self) -> impl Iterator<Item = (usize, u64)> {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(index, page)| Some((index * PAGE_CELLS, page.as_ref()?)));
        pages.flat_map(|(first, page)| {
            let cells = page.iter().enumerate().filter(|(_, count)| **count > 0);
            cells.map(move |(cell, count)| (first + cell, *count))
        })
    }

    fn max(&self) -> u64 {
        let last = self.pages.iter().enumerate().rev().find_map(|(index, page)| {
            let cell = page.as_ref()?.iter().rposition(|count| *count > 0)?;
            Some(index * PAGE_CELLS + cell)
        });
        last.map_or(0, |cell| self.layout.highest_of(cell))
    }
}

/// The same values as a histogram of the crate, for encoding.
#[must_use]
pub fn to_histogram(distribution: &impl Distribution) -> Histogram<u64> {
    let layout = distribution.layout();
    let highest = layout.highest().max(distribution.max());
    let built = Histogram::new_with_bounds(layout.lowest(), highest, layout.digits());
    let Ok(mut histogram) = built else {
        unreachable!("a layout is checked more strictly than the crate does")
    };
    for (cell, count) in distribution.recorded() {
        let recorded = histogram.record_n(layout.lowest_of(cell), count);
        debug_assert!(recorded.is_ok(), "the bounds cover every cell that holds something");
    }
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(values: &[(u64, u64)]) -> Interval {
        let mut interval = Interval::default();
        let layout = Layout::new(1, 3_600_000_000_000, 3).unwrap();
        interval.start(layout);
        for (value, count) in values {
            interval.push(layout.cell_of(*value), *count);
        }
        interval
    }

    /// Values that spread over the buckets, as (value, count) in ascending order.
    fn spread() -> Vec<(u64, u64)> {
        (0..400_u64).map(|k| (200 + k * k * k * 17, 1 + (k * 7919) % 91)).collect()
    }

    #[test]
    fn figures_agree_with_the_histogram_crate() {
        let mut counts = Counts::shaped(&Layout::new(1, 2, 3).unwrap());
        counts.add(&interval(&spread()));
        let histogram = to_histogram(&counts);
        assert_eq!(counts.total(), histogram.len());
        assert_eq!((counts.min(), counts.max()), (histogram.min(), histogram.max()));
        for percentile in [0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 100.0] {
            let expected = histogram.value_at_percentile(percentile);
            assert_eq!(counts.percentile(percentile), expected, "{percentile}");
        }
        assert!((counts.mean() - histogram.mean()).abs() < 1e-6 * histogram.mean());
        assert!((counts.deviation() - histogram.stdev()).abs() < 1e-6 * histogram.stdev());
        let rows: Vec<_> = histogram
            .iter_quantiles(5)
            .map(|row| (row.value_iterated_to(), row.quantile_iterated_to()))
            .collect();
        let curve = counts.curve(5);
        assert_eq!(curve.len(), rows.len());
        for (ours, (value, quantile)) in curve.iter().zip(rows) {
            assert_eq!(ours.value, value);
            assert!((ours.percentile / 100.0 - quantile).abs() < 1e-12, "{ours:?} {quantile}");
        }
    }

    #[test]
    fn a_curve_ends_also_where_steps_get_too_small_to_add() {
        // Found by mutating logs: rows without end, until memory ran out.
        let most = i64::MAX as u64;
        for counts in [[1, most], [most, 1], [most, most]] {
            let interval = interval(&[(10, counts[0]), (5_000, counts[1])]);
            assert!(interval.curve(5).len() < 1_000, "{counts:?}");
            assert!(interval.curve(1_000).len() < 200_000, "{counts:?}");
        }
    }

    #[test]
    fn what_was_added_can_be_taken_away_again() {
        let (first, second) = (interval(&spread()), interval(&[(5, 1), (70_000, 3)]));
        let mut counts = Counts::shaped(first.layout());
        counts.add(&second);
        let before: Vec<_> = counts.recorded().collect();
        counts.add(&first);
        assert_eq!(counts.total(), first.total() + 4);
        counts.subtract(&first);
        assert_eq!(counts.recorded().collect::<Vec<_>>(), before);
        assert_eq!(counts.total(), 4);
    }

    #[test]
    fn a_coarser_sum_keeps_every_value_within_its_precision() {
        let mut counts = Counts::shaped(&Layout::new(1, 1_000, 1).unwrap());
        counts.add(&interval(&[(123_456, 7)]));
        assert_eq!(counts.total(), 7);
        let max = counts.max();
        assert!((123_456..140_000).contains(&max), "{max}");
    }
}
