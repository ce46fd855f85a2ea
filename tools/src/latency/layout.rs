//! How a histogram maps values to cells: the arithmetic of HdrHistogram's buckets and sub-buckets.
//!
//! The same as in the Java and C libraries (a bucket is a power of two, a sub-bucket a linear part
//! of it), written down here because a log is summed cell by cell and `hdrhistogram` shows no
//! cells.

use thiserror::Error;

/// Bounds and precision of a histogram, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    lowest: u64,
    highest: u64,
    digits: u8,
    unit_magnitude: u32,
    /// Half of the sub-buckets of a bucket is `1 << half_magnitude`.
    half_magnitude: u32,
    buckets: u32,
}

/// Why bounds make no histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// More digits than the format knows.
    #[error("{0} significant digits, where at most 5 are possible")]
    Digits(u64),
    /// The lowest discernible value is 0, or too high for the rest.
    #[error("a lowest value of {0}, which no histogram has")]
    Lowest(u64),
    /// The highest trackable value is below twice the lowest one, or beyond 63 bits.
    #[error("a highest value of {0}, which no histogram has")]
    Highest(u64),
}

impl Layout {
    /// Values from `lowest` (at least 1) to at least `highest` with `digits` significant decimal
    /// digits.
    ///
    /// # Errors
    /// [`LayoutError`] for bounds that the format does not allow.
    pub fn new(lowest: u64, highest: u64, digits: u64) -> Result<Layout, LayoutError> {
        let small = u8::try_from(digits).ok().filter(|digits| *digits <= 5);
        let Some(digits) = small else { return Err(LayoutError::Digits(digits)) };
        if lowest == 0 || lowest > i64::MAX as u64 / 2 {
            return Err(LayoutError::Lowest(lowest));
        }
        if highest < 2 * lowest || highest > i64::MAX as u64 {
            return Err(LayoutError::Highest(highest));
        }
        let single_unit = 2 * 10_u64.pow(u32::from(digits));
        let unit_magnitude = lowest.ilog2();
        let half_magnitude = single_unit.next_power_of_two().ilog2() - 1;
        if unit_magnitude + half_magnitude + 1 > 62 {
            return Err(LayoutError::Lowest(lowest));
        }
        let mut layout =
            Layout { lowest, highest, digits, unit_magnitude, half_magnitude, buckets: 1 };
        layout.buckets = layout.buckets_for(highest);
        Ok(layout)
    }

    /// The same precision, with room for `value` (at most `i64::MAX`).
    #[must_use]
    pub fn with_room_for(mut self, value: u64) -> Layout {
        self.buckets = self.buckets.max(self.buckets_for(value));
        self.highest = self.highest.max(value);
        self
    }

    /// Lowest value that is told apart from 0.
    #[must_use]
    pub fn lowest(&self) -> u64 {
        self.lowest
    }

    /// Highest value that was asked for; cells may reach somewhat further.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Significant decimal digits, 0 to 5.
    #[must_use]
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// Buckets, each twice as wide as the one before.
    #[must_use]
    pub fn buckets(&self) -> u32 {
        self.buckets
    }

    /// Sub-buckets of a bucket.
    #[must_use]
    pub fn sub_buckets(&self) -> u32 {
        2 << self.half_magnitude
    }

    /// Number of cells, at most 6.2 million.
    #[must_use]
    pub fn cells(&self) -> usize {
        ((self.buckets + 1) as usize) << self.half_magnitude
    }

    /// Whether a cell means the same in both, as far as both have it.
    #[must_use]
    pub fn same_cells(&self, other: &Layout) -> bool {
        self.unit_magnitude == other.unit_magnitude && self.half_magnitude == other.half_magnitude
    }

    /// The cell of `value`, which may lie beyond [`Layout::cells`].
    #[must_use]
    pub fn cell_of(&self, value: u64) -> usize {
        let mask = (u64::from(self.sub_buckets()) - 1) << self.unit_magnitude;
        let bucket =
            (64 - self.unit_magnitude - self.half_magnitude - 1) - (value | mask).leading_zeros();
        let sub_bucket = (value >> (bucket + self.unit_magnitude)) as usize;
        ((bucket as usize) << self.half_magnitude) + sub_bucket
    }

    /// The lowest value of a cell.
    #[must_use]
    pub fn lowest_of(&self, cell: usize) -> u64 {
        let half = 1 << self.half_magnitude;
        let (bucket, sub_bucket) = match cell >> self.half_magnitude {
            0 => (0, cell),
            row => (row - 1, (cell & (half - 1)) + half),
        };
        (sub_bucket as u64) << (bucket as u32 + self.unit_magnitude)
    }

    /// The highest value of a cell.
    #[must_use]
    pub fn highest_of(&self, cell: usize) -> u64 {
        self.lowest_of(cell) + (self.width_of(cell) - 1)
    }

    /// The value in the middle of a cell.
    #[must_use]
    pub fn median_of(&self, cell: usize) -> u64 {
        self.lowest_of(cell) + (self.width_of(cell) >> 1)
    }

    fn width_of(&self, cell: usize) -> u64 {
        let bucket = (cell >> self.half_magnitude).saturating_sub(1);
        1 << (bucket as u32 + self.unit_magnitude)
    }

    fn buckets_for(&self, value: u64) -> u32 {
        let mut beyond = u64::from(self.sub_buckets()) << self.unit_magnitude;
        let mut buckets = 1;
        while beyond <= value {
            buckets += 1;
            if beyond > i64::MAX as u64 / 2 {
                break;
            }
            beyond <<= 1;
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    #[test]
    fn cells_agree_with_the_histogram_crate() {
        for (lowest, digits) in [(1, 1), (1, 3), (1_000, 3), (7, 2), (1, 5), (1, 0)] {
            let highest = 3_600_000_000_000;
            let layout = Layout::new(lowest, highest, digits).unwrap();
            let histogram =
                Histogram::<u64>::new_with_bounds(lowest, highest, digits as u8).unwrap();
            assert_eq!(layout.cells(), histogram.distinct_values(), "{lowest} {digits}");
            assert_eq!(layout.buckets(), u32::from(histogram.buckets()));
            let mut value = 1_u64;
            while value < highest {
                for value in [value - 1, value, value + 1, value + value / 3] {
                    let cell = layout.cell_of(value);
                    assert_eq!(layout.lowest_of(cell), histogram.lowest_equivalent(value));
                    assert_eq!(layout.highest_of(cell), histogram.highest_equivalent(value));
                    assert_eq!(layout.median_of(cell), histogram.median_equivalent(value));
                }
                value = value * 2 + 1;
            }
        }
    }

    #[test]
    fn absurd_bounds_are_refused_before_anything_is_allocated() {
        let max = u64::MAX;
        assert_eq!(Layout::new(1, 100, 6), Err(LayoutError::Digits(6)));
        assert_eq!(Layout::new(1, 100, max), Err(LayoutError::Digits(max)));
        assert_eq!(Layout::new(0, 100, 3), Err(LayoutError::Lowest(0)));
        assert_eq!(Layout::new(max, max, 3), Err(LayoutError::Lowest(max)));
        assert_eq!(Layout::new(1 << 60, 1 << 62, 3), Err(LayoutError::Lowest(1 << 60)));
        assert_eq!(Layout::new(10, 19, 3), Err(LayoutError::Highest(19)));
        assert_eq!(Layout::new(1, max, 3), Err(LayoutError::Highest(max)));
        let widest = Layout::new(1, i64::MAX as u64, 5).unwrap();
        assert!(widest.cells() <= 6_200_000, "{}", widest.cells());
        assert!(widest.cell_of(i64::MAX as u64) < widest.cells());
    }
}
