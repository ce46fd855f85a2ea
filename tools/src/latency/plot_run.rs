//! What a picture shows a curve of.

use super::series::Series;

/// A curve.
pub struct Run {
    /// Its name in the legend.
    pub label: String,
    /// Its values.
    pub series: Series,
    /// Its run header.
    pub header: Vec<String>,
    /// Highest value by time: seconds from the log's start, nanoseconds.
    pub maxima: Vec<(f64, u64)>,
}

/// The runs by run header, each header once: series of one log have it in common.
#[must_use]
pub fn by_header(runs: &[Run]) -> Vec<(&[String], Vec<usize>)> {
    let mut groups: Vec<(&[String], Vec<usize>)> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        match groups.iter_mut().find(|(header, _)| *header == run.header) {
            Some((_, members)) => members.push(index),
            None => groups.push((&run.header, vec![index])),
        }
    }
    groups
}
