//! How a venue is asked for its time over REST, and when an order was sent by that time.

/// When an order was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentTime {
    /// By the venue's time, ms since the Unix epoch.
    pub at_ms: i64,
    /// Since this start of the engine, so that its steady clock has measured how long ago that is.
    /// Of an earlier start the machine's time of day has, which may have been set meanwhile.
    pub is_of_this_start: bool,
}

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
