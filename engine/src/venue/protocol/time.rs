//! How a venue is asked for its time over REST.

/// The request, and how its answer is read.
#[derive(Clone, Copy, Debug)]
pub struct TimeRequest {
    /// Path and query.
    pub path: &'static str,
    /// What it weighs against the venue's budget.
    pub weight: u32,
    /// The venue's time in the body of the answer, ns since the Unix epoch; `None` when there is
    /// none.
    pub read: fn(&[u8]) -> Option<i64>,
}
