//! The prices that a venue takes of new orders, around its own average of the last trades.
//!
//! What the venue averages can't be known to the last digit; it lies between the lowest and the
//! highest price of the time it averages over. So a price is refused here only where the venue must
//! refuse it whatever its average is, and not before the whole time was heard.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use crate::event::{Instrument, Side};

/// A whole, in millionths.
const WHOLE_PPM: i128 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;
/// Prices are kept for at least so long, ns: an order arrives later than it is checked, and the
/// last price is another one by then.
const KEPT_MIN_NS: u64 = 60 * NS_PER_S;

/// What of one instrument's prices at one venue is known. Its market sessions write it; readings of
/// single words are enough, since each price counts by itself.
#[derive(Debug, Default)]
pub(super) struct PriceRange {
    /// Of buys, then of sells: the least and the largest part of the average, in millionths; 0 of
    /// the largest: the venue sets no range.
    parts: [[AtomicU32; 2]; 2],
    /// What the venue averages over, ns.
    window_ns: AtomicU64,
    /// Since when prices were heard without a pause, ns; 0: not yet.
    since_ns: AtomicU64,
    /// When the present half began, ns.
    begun_ns: AtomicU64,
    /// Lowest and highest price of the present half, and of the one before.
    halves: [[AtomicI64; 2]; 2],
}

impl PriceRange {
    /// Takes what the venue says of the instrument.
    #[cold]
    pub(super) fn learn(&self, word: &Instrument) {
        let parts = [word.buy_range_ppm, word.sell_range_ppm];
        for (cells, told) in self.parts.iter().zip(parts) {
            for (cell, part) in cells.iter().zip(told) {
                cell.store(part, Ordering::Relaxed);
            }
        }
        let window_ns = u64::from(word.range_window_s) * NS_PER_S;
        self.window_ns.store(window_ns, Ordering::Relaxed);
    }

    /// Whether the venue sets a range.
    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.parts.iter().any(|parts| parts[1].load(Ordering::Relaxed) != 0)
    }

    /// Prices were missed: what is known says nothing of the average.
    #[cold]
    pub(super) fn restart(&self) {
        self.since_ns.store(0, Ordering::Relaxed);
    }

    /// Takes the lower and the higher price of something that was read at `now_ns`; 0 is none.
    pub(super) fn take(&self, low: i64, high: i64, now_ns: u64) {
        let (low, high) = (if low > 0 { low } else { high }, if high > 0 { high } else { low });
        if high <= 0 {
            return;
        }
        let [present, before] = &self.halves;
        if self.since_ns.load(Ordering::Relaxed) == 0 {
            for half in [present, before] {
                half[0].store(low, Ordering::Relaxed);
                half[1].store(high, Ordering::Relaxed);
            }
            self.begun_ns.store(now_ns, Ordering::Relaxed);
            self.since_ns.store(now_ns.max(1), Ordering::Relaxed);
            return;
        }
        if now_ns.saturating_sub(self.begun_ns.load(Ordering::Relaxed)) >= self.kept_ns() {
            for (from, to) in present.iter().zip(before) {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            present[0].store(low, Ordering::Relaxed);
            present[1].store(high, Ordering::Relaxed);
            self.begun_ns.store(now_ns, Ordering::Relaxed);
        }
        // Sessions of one venue may be on several threads: the more extreme one stays.
        if low < present[0].load(Ordering::Relaxed) {
            present[0].fetch_min(low, Ordering::Relaxed);
        }
        if high > present[1].load(Ordering::Relaxed) {
            present[1].fetch_max(high, Ordering::Relaxed);
        }
    }

    /// How long a half is, ns: two of them always hold what the venue averages over.
    fn kept_ns(&self) -> u64 {
        self.window_ns.load(Ordering::Relaxed).max(KEPT_MIN_NS)
    }

    /// The lowest and the highest price at which the venue may take an order of this side; `None`
    /// while nothing sure can be said.
    pub(super) fn of(&self, side: Side, now_ns: u64) -> Option<(i64, i64)> {
        let parts = &self.parts[usize::from(side == Side::Sell)];
        let [least, most] = [0, 1].map(|part: usize| parts[part].load(Ordering::Relaxed));
        let since_ns = self.since_ns.load(Ordering::Relaxed);
        let heard_ns = now_ns.saturating_sub(since_ns);
        if most == 0 || since_ns == 0 || heard_ns < self.window_ns.load(Ordering::Relaxed) {
            return None;
        }
        let [present, before] = &self.halves;
        let of = |place: usize| {
            [present, before].map(|half| i128::from(half[place].load(Ordering::Relaxed)))
        };
        let (low, high) = (of(0).into_iter().min()?, of(1).into_iter().max()?);
        let lowest = low * i128::from(least) / WHOLE_PPM;
        let highest = (high * i128::from(most)).div_euclid(WHOLE_PPM) + 1;
        Some((i64::try_from(lowest).ok()?, i64::try_from(highest).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;

    const S: u64 = NS_PER_S;

    /// Buys between a half and twice the average of five minutes, sells up to three times it.
    fn range() -> PriceRange {
        let mut word = Instrument::new_zeroed();
        word.buy_range_ppm = [500_000, 2_000_000];
        word.sell_range_ppm = [500_000, 3_000_000];
        word.range_window_s = 300;
        let range = PriceRange::default();
        range.learn(&word);
        range
    }

    #[test]
    fn nothing_is_said_before_the_whole_time_was_heard_and_after_a_pause() {
        let range = range();
        assert!(range.is_set() && !PriceRange::default().is_set());
        assert_eq!(range.of(Side::Buy, 900 * S), None, "nothing was heard");
        range.take(1_000, 1_010, S);
        assert_eq!(range.of(Side::Buy, 300 * S), None);
        assert_eq!(range.of(Side::Buy, 301 * S), Some((500, 2_021)));
        assert_eq!(range.of(Side::Sell, 301 * S), Some((500, 3_031)));
        range.restart();
        assert_eq!(range.of(Side::Buy, 301 * S), None);
        range.take(0, 0, 302 * S);
        range.take(0, 1_000, 302 * S);
        assert_eq!(range.of(Side::Buy, 602 * S), Some((500, 2_001)), "an empty side is no price");
    }

    #[test]
    fn whatever_the_venue_averages_is_within_what_is_kept() {
        let range = range();
        let mut prices = Vec::new();
        for second in 1..4_000_u64 {
            let price = 1_000 + (second as i64 * 7_919) % 601 + second as i64 / 10;
            range.take(price, price, second * S);
            prices.push(price);
            let from = prices.len().saturating_sub(300);
            let average = prices[from..].iter().sum::<i64>() / (prices.len() - from) as i64;
            if let Some((lowest, highest)) = range.of(Side::Buy, second * S) {
                assert!(lowest <= average / 2 && highest >= average * 2, "{second}");
                assert!(highest <= 2 * (average + 1_300), "{second}: and not far beyond");
            } else {
                assert!(second <= 300, "{second}");
            }
        }
    }
}
