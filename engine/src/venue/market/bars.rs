//! Whether a bar makes sense and is new: bars have no numbers, their times and counts tell.
//!
//! Promises: the end of an interval is told once; a bar far from its own time, of another interval
//! than was subscribed to, or before the one before is left out, until the third in a row bears a
//! step back out.

use crate::event::Bar;

/// A bar may be off from its own time by this much, ns.
const OFF_NS: i64 = 3_600_000_000_000;
const NS_PER_S: i64 = 1_000_000_000;
/// Bars in a row that bear a step back out.
const BORNE_OUT: u8 = 3;

/// What a bar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BarIs {
    /// To be passed on.
    New,
    /// Told before, or older than what was told.
    Repeat,
    /// Left out; the text says why.
    Absurd(&'static str),
}

/// What is known of one stream of bars.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bars {
    interval_s: u32,
    open_time_ns: i64,
    trades: u32,
    is_closed: bool,
    /// Bars in a row from before the last one.
    rivals: u8,
}

impl Bars {
    /// Takes the next bar, which the venue sent at `venue_time_ns`; 0: not known. `interval_s` is
    /// what was subscribed to, where that is one.
    pub(super) fn take(&mut self, bar: &Bar, venue_time_ns: i64, interval_s: Option<u32>) -> BarIs {
        if interval_s.is_some_and(|interval_s| interval_s != bar.interval_s) {
            return BarIs::Absurd("bar of another interval than was subscribed to");
        }
        let length_ns = i64::from(bar.interval_s) * NS_PER_S;
        let since_open_ns = venue_time_ns.saturating_sub(bar.open_time_ns);
        if venue_time_ns != 0 && !(-OFF_NS..=length_ns + OFF_NS).contains(&since_open_ns) {
            return BarIs::Absurd("bar far from its own time");
        }
        if self.interval_s != 0 && self.interval_s != bar.interval_s {
            // Bars of several intervals were subscribed to: those of the first are watched.
            return BarIs::New;
        }
        if bar.open_time_ns < self.open_time_ns {
            self.rivals += 1;
            if self.rivals < BORNE_OUT {
                return BarIs::Absurd("bar from before the one before");
            }
        } else if bar.open_time_ns == self.open_time_ns
            && self.interval_s != 0
            && (self.is_closed || bar.trades < self.trades)
        {
            return BarIs::Repeat;
        }
        *self = Bars {
            interval_s: bar.interval_s,
            open_time_ns: bar.open_time_ns,
            trades: bar.trades,
            is_closed: bar.closed == 1,
            rivals: 0,
        };
        BarIs::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = NS_PER_S;
    const MINUTE: i64 = 60 * S;
    const START: i64 = 1_767_225_600 * S;

    fn bar(minute: i64, trades: u32, closed: u64) -> Bar {
        Bar {
            open: 1,
            high: 1,
            low: 1,
            close: 1,
            volume: 0,
            open_time_ns: START + minute * MINUTE,
            interval_s: 60,
            trades,
            closed,
        }
    }

    fn take(bars: &mut Bars, bar: &Bar) -> BarIs {
        bars.take(bar, bar.open_time_ns + 30 * S, Some(60))
    }

    #[test]
    fn the_end_of_an_interval_is_told_once_and_nothing_of_it_after() {
        let mut bars = Bars::default();
        for minute in 0..3 {
            assert_eq!(take(&mut bars, &bar(minute, 1, 0)), BarIs::New);
            assert_eq!(take(&mut bars, &bar(minute, 1, 0)), BarIs::New, "nothing was traded");
            assert_eq!(take(&mut bars, &bar(minute, 4, 0)), BarIs::New);
            assert_eq!(take(&mut bars, &bar(minute, 2, 0)), BarIs::Repeat, "older");
            assert_eq!(take(&mut bars, &bar(minute, 4, 1)), BarIs::New);
            assert_eq!(take(&mut bars, &bar(minute, 4, 1)), BarIs::Repeat);
            assert_eq!(take(&mut bars, &bar(minute, 5, 0)), BarIs::Repeat);
        }
    }

    #[test]
    fn a_bar_far_from_its_own_time_is_left_out_and_the_next_one_passes() {
        let mut bars = Bars::default();
        take(&mut bars, &bar(0, 1, 0));
        let year = 365 * 24 * 60;
        for minute in [year, -year, 90, -90] {
            let absurd = bar(minute, 1, 0);
            let taken = bars.take(&absurd, START + 45 * S, Some(60));
            assert_eq!(taken, BarIs::Absurd("bar far from its own time"), "{minute}");
            assert_eq!(take(&mut bars, &bar(0, 2, 0)), BarIs::New);
        }
        for open_time_ns in [i64::MAX, i64::MIN, 0] {
            let absurd = Bar { open_time_ns, ..bar(0, 1, 0) };
            let taken = bars.take(&absurd, START + 45 * S, Some(60));
            assert!(matches!(taken, BarIs::Absurd(_)), "{open_time_ns}");
        }
    }

    #[test]
    fn a_bar_of_another_interval_is_left_out_unless_several_were_asked_for() {
        let mut bars = Bars::default();
        let other = Bar { interval_s: 300, ..bar(0, 1, 0) };
        assert!(matches!(take(&mut bars, &other), BarIs::Absurd(_)));
        assert_eq!(bars.take(&bar(0, 1, 0), 0, None), BarIs::New);
        assert_eq!(bars.take(&other, 0, None), BarIs::New);
        assert_eq!(bars.take(&bar(0, 1, 1), 0, None), BarIs::New);
        assert_eq!(bars.take(&bar(0, 1, 1), 0, None), BarIs::Repeat);
    }

    #[test]
    fn one_step_back_is_left_out_and_a_venue_that_goes_on_from_there_is_followed() {
        let mut bars = Bars::default();
        take(&mut bars, &bar(9, 1, 0));
        assert!(matches!(take(&mut bars, &bar(8, 1, 1)), BarIs::Absurd(_)));
        assert_eq!(take(&mut bars, &bar(9, 2, 0)), BarIs::New);
        let back = [3, 3, 3, 4].map(|minute| take(&mut bars, &bar(minute, 7, 0)));
        assert!(matches!(back, [BarIs::Absurd(_), BarIs::Absurd(_), BarIs::New, BarIs::New]));
    }
}
