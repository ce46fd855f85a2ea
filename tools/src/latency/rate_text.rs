//! Rates as a person reads them.

use super::java_format;

/// A rate with as many decimals as are of interest.
#[must_use]
pub fn rate_text(rate_per_s: f64) -> String {
    let mut text = String::new();
    java_format::fixed(&mut text, rate_per_s, usize::from(rate_per_s < 100.0), 0);
    text
}
