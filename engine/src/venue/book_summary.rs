//! What a report says of a book.

/// A book as it stood when its session ended, for comparison with another implementation.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BookSummary {
    /// SHA-256 of all its levels, see [`super::book::L2Book::digest`].
    pub sha256: String,
    /// Whether it could be trusted: `syncing`, `live` or `stale`.
    pub status: &'static str,
    /// Levels on the bid side.
    pub bid_levels: usize,
    /// Levels on the ask side.
    pub ask_levels: usize,
    /// Levels that were dropped since a side was full: the book lacks them (`book_levels_max`).
    pub levels_dropped: u64,
}
