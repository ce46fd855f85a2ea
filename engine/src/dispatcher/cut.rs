//! The audit cut: both sides of each account at one point of its lanes, while the engine runs.
//!
//! Between two events the dispatcher copies its terms of each consumer, what waits in cells and
//! spill, and how much it has put into the market lane; and it puts a mark into the critical lane.
//! At the mark the consumer's wrapper copies its own terms, and how much it has taken out of the
//! market lane. The mark overtakes the market lane, so what was put into that and not taken is in
//! it: the sums can be compared to the event.

use crate::event::KindCounts;
use crate::telemetry::TermsCut;

/// The phase of a `ControlResult` that is the mark of a cut. No strategy sees it.
pub(crate) const CUT: u64 = 3;

/// The dispatcher's side of one consumer at the cut.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LinkCut {
    /// The dispatcher's terms, the mark among them.
    pub(crate) terms: TermsCut,
    /// Market data that waits in cells, by kind.
    pub(crate) held: KindCounts,
    /// Events put into the market lane so far.
    pub(crate) market_published: u64,
    /// No mark was put: the consumer takes nothing more.
    pub(crate) is_cut_off: bool,
}
