//! How rules come to the orchestrator: the two ways, and what can be read beside them.

use pitlane_ring::Exchange;

use super::{MergeStats, MergeTable};

/// Shared by the orchestrator and whoever owns the merge rules.
///
/// A change is a whole table: put it into `staged`, wake the orchestrator's core, and take the one
/// that it replaced from `done`. The orchestrator takes no further table before the old one was
/// taken.
#[derive(Debug, Default)]
pub struct MergePort {
    /// On its way to the orchestrator.
    pub staged: Exchange<MergeTable>,
    /// The table before, on its way back to be freed where it came from.
    pub done: Exchange<MergeTable>,
    /// What became of the windows, by rule; readable at any time.
    pub stats: MergeStats,
}
