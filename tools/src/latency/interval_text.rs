//! Lines of the Java tools for each interval: its own percentiles beside those of all so far, or
//! those of a window that moves along.

use std::collections::VecDeque;
use std::fmt::Write;

use super::counts::Counts;
use super::distribution::Distribution;
use super::error::LineProblem;
use super::interval::Interval;
use super::java_format::{fixed, plain};
use super::layout::Layout;

/// Most memory that the intervals of all windows may take together.
const WINDOWS_MIB_MAX: usize = 256;

/// How lines are written.
#[derive(Clone, Copy, Debug)]
pub struct LineForm {
    /// Values are divided by this.
    pub ratio: f64,
    /// Comma-separated values instead of the form for people.
    pub csv: bool,
}

/// The legend of interval lines.
#[must_use]
pub fn interval_legend(csv: bool) -> &'static str {
    if csv {
        "\"Timestamp\",\"Int_Count\",\"Int_50%\",\"Int_90%\",\"Int_Max\",\"Total_Count\",\
         \"Total_50%\",\"Total_90%\",\"Total_99%\",\"Total_99.9%\",\"Total_99.99%\",\"Total_Max\"\n"
    } else {
        "Time: IntervalPercentiles:count ( 50% 90% Max ) \
         TotalPercentiles:count ( 50% 90% 99% 99.9% 99.99% Max )\n"
    }
}

/// Appends the line of an interval that ends `end_s` seconds after the log's start.
pub fn interval_line(
    out: &mut String,
    end_s: f64,
    interval: &Interval,
    total: &Counts,
    form: LineForm,
) {
    let [i50, i90] = interval.percentiles([50.0, 90.0]);
    let [t50, t90, t99, t999, t9999] = total.percentiles([50.0, 90.0, 99.0, 99.9, 99.99]);
    let of_interval = [i50, i90, interval.max()];
    let of_total = [t50, t90, t99, t999, t9999, total.max()];
    if form.csv {
        fixed(out, end_s, 3, 0);
        let _infallible = write!(out, ",{}", interval.total());
        values(out, &of_interval, form.ratio, ",", 0);
        let _infallible = write!(out, ",{}", total.total());
        values(out, &of_total, form.ratio, ",", 0);
        out.push('\n');
    } else {
        fixed(out, end_s, 3, 4);
        let _infallible = write!(out, ": I:{} (", interval.total());
        values(out, &of_interval, form.ratio, " ", 7);
        let _infallible = write!(out, " ) T:{} (", total.total());
        values(out, &of_total, form.ratio, " ", 7);
        out.push_str(" )\n");
    }
}

fn values(out: &mut String, values: &[u64], ratio: f64, before: &str, width: usize) {
    for value in values {
        out.push_str(before);
        fixed(out, *value as f64 / ratio, 3, width);
    }
}

/// Refuses windows that take more memory than a log of latencies ever needs.
///
/// # Errors
/// [`LineProblem::TooMuch`].
pub fn check_windows<'a>(windows: impl Iterator<Item = &'a Window>) -> Result<(), LineProblem> {
    match windows.map(|window| window.held_bytes).sum::<usize>() >> 20 {
        mib if mib > WINDOWS_MIB_MAX => Err(LineProblem::TooMuch(WINDOWS_MIB_MAX)),
        _ => Ok(()),
    }
}

/// A moving window over the last intervals.
pub struct Window {
    length_ms: i64,
    percentile: f64,
    sum: Counts,
    held: VecDeque<(i64, Interval)>,
    held_bytes: usize,
}

impl Window {
    /// Over the last `length_ms` milliseconds, reporting `percentile` (0 to 100).
    ///
    /// The sum has three digits, whatever the log has: as in the Java tool.
    #[must_use]
    pub fn new(length_ms: i64, percentile: f64) -> Window {
        let Ok(layout) = Layout::new(1, 2, 3) else { unreachable!("constants that are allowed") };
        let (sum, held) = (Counts::shaped(&layout), VecDeque::new());
        Window { length_ms, percentile, sum, held, held_bytes: 0 }
    }

    /// Takes the next interval, which ends at `end_ms`, and lets go of what is too old.
    pub fn add(&mut self, end_ms: i64, interval: &Interval) {
        self.sum.add(interval);
        let cut_off_ms = end_ms.saturating_sub(self.length_ms);
        while let Some((_, old)) = self.held.pop_front_if(|(old_ms, _)| *old_ms <= cut_off_ms) {
            self.sum.subtract(&old);
            self.held_bytes -= old.bytes();
        }
        self.held.push_back((end_ms, interval.clone()));
        self.held_bytes += interval.bytes();
    }

    /// All values of the window.
    #[must_use]
    pub fn sum(&self) -> &Counts {
        &self.sum
    }

    /// Number of values, value at the percentile, and maximum of the window.
    #[must_use]
    pub fn figures(&self) -> (u64, u64, u64) {
        (self.sum.total(), self.sum.percentile(self.percentile), self.sum.max())
    }

    /// The legend of the window's lines.
    #[must_use]
    pub fn legend(&self, csv: bool) -> String {
        let percentile = plain(self.percentile);
        if csv {
            format!("\"Timestamp\",\"Window_Count\",\"{percentile}%'ile\",\"Max\"\n")
        } else {
            format!("Time: WindoCount {percentile}%'ile Max\n") // the Java tool's own spelling
        }
    }

    /// Appends the line of the window that ends `end_s` seconds after the log's start.
    pub fn line(&self, out: &mut String, end_s: f64, form: LineForm) {
        let (count, at_percentile, max) = self.figures();
        let (at_percentile, max) = (at_percentile as f64 / form.ratio, max as f64 / form.ratio);
        if form.csv {
            fixed(out, end_s, 3, 0);
            let _infallible = write!(out, ",{count},");
            fixed(out, at_percentile, 3, 0);
            out.push(',');
            fixed(out, max, 3, 0);
        } else {
            fixed(out, end_s, 3, 4);
            let _infallible = write!(out, ": I:{count} P:");
            fixed(out, at_percentile, 3, 7);
            out.push_str(" M:");
            fixed(out, max, 3, 7);
        }
        out.push('\n');
    }
}
