//! The percentile distribution of the Java tools: `.hgrm` text, or the same as CSV.

use std::fmt::Write;

use super::distribution::{CurveRow, Distribution};
use super::java_format::fixed;

/// How a distribution is written.
#[derive(Clone, Copy, Debug)]
pub struct HgrmForm {
    /// Rows for each halving of what is left to 100 %; the Java tools' default is 5.
    pub ticks: u32,
    /// Values are divided by this.
    pub ratio: f64,
    /// Comma-separated values instead of columns.
    pub csv: bool,
}

/// The distribution as text, byte for byte as Java's `outputPercentileDistribution` writes it.
#[must_use]
pub fn hgrm(distribution: &impl Distribution, form: HgrmForm) -> String {
    let decimals = usize::from(distribution.layout().digits());
    let mut out = String::new();
    out.push_str(if form.csv {
        "\"Value\",\"Percentile\",\"TotalCount\",\"1/(1-Percentile)\"\n"
    } else {
        "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
    });
    for row in distribution.curve(form.ticks) {
        write_row(&mut out, &row, decimals, form);
    }
    if !form.csv {
        write_foot(&mut out, distribution, decimals, form.ratio);
    }
    out
}

fn write_row(out: &mut String, row: &CurveRow, decimals: usize, form: HgrmForm) {
    let quantile = row.percentile / 100.0;
    let last = row.percentile >= 100.0;
    let value = row.value as f64 / form.ratio;
    let separator = if form.csv { ',' } else { ' ' };
    let width = |width| if form.csv { 0 } else { width };
    fixed(out, value, decimals, width(12));
    out.push(separator);
    fixed(out, quantile, 12, width(2));
    let _infallible = write!(out, "{separator}{:>1$}", row.count_to, width(10));
    if !last {
        out.push(separator);
        fixed(out, 1.0 / (1.0 - quantile), 2, width(14));
    } else if form.csv {
        out.push_str(",Infinity");
    }
    out.push('\n');
}

fn write_foot(out: &mut String, values: &impl Distribution, decimals: usize, ratio: f64) {
    out.push_str("#[Mean    = ");
    fixed(out, values.mean() / ratio, decimals, 12);
    out.push_str(", StdDeviation   = ");
    fixed(out, values.deviation() / ratio, decimals, 12);
    out.push_str("]\n#[Max     = ");
    fixed(out, values.max() as f64 / ratio, decimals, 12);
    let layout = values.layout();
    let _infallible = write!(
        out,
        ", Total count    = {:>12}]\n#[Buckets = {:>12}, SubBuckets     = {:>12}]\n",
        values.total(),
        layout.buckets(),
        layout.sub_buckets()
    );
}
