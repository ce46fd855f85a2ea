//! Routing flips: how a new routing table comes to the dispatcher, and how consumers learn of it.
//!
//! Whoever wants other routes builds the whole table off the hot path and stages it here. Between
//! two events the dispatcher, in one step, raises `accept_from` of the consumers whose routes
//! change, swaps the tables and stores the version that the orchestrator stamps from then on; the
//! old table travels back in the same box, to be freed where it came from. The step allocates
//! nothing and its length does not depend on the tables.
//!
//! Consumers whose routes change are told by two `ControlResult`s, phase 1 before and phase 2 after
//! the swap, in their critical lanes; whoever asked for the flip is told of its outcome right
//! behind it. One that skips gets no market event stamped below its `accept_from`: what waits in
//! its cells is dropped and what still comes is not published, by the dispatcher; what lies in its
//! lane is passed over by its wrapper. All are counted as skipped. Critical and reference kinds
//! ignore all of this.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pitlane_ring::{CellMemory, Exchange};

use super::RoutingTable;
use super::cut::LinkCut;
use super::routing::RouteKey;
use crate::event::{ConsumerId, Event};

/// Phase of a `ControlResult` that says what came of the consumer's own command.
pub const COMMAND_DONE: u64 = 0;
/// Phase of a `ControlResult` that says: a flip begins.
pub const FLIP_BEGIN: u64 = 1;
/// Phase of a `ControlResult` that says: the flip is done.
pub const FLIP_END: u64 = 2;

/// The lowest routing version of market data that a consumer still takes. Only ever rises.
// Those of an engine stand together: they are read with every event, and written at a flip.
#[derive(Clone, Debug)]
pub struct AcceptFrom {
    board: Arc<[AtomicU32]>,
    index: usize,
}

impl Default for AcceptFrom {
    /// One that stands alone.
    fn default() -> AcceptFrom {
        AcceptFrom { board: Arc::new([AtomicU32::new(0)]), index: 0 }
    }
}

impl AcceptFrom {
    /// One for each of `count` consumers.
    pub(crate) fn of_each(count: usize) -> impl Iterator<Item = AcceptFrom> {
        let board: Arc<[AtomicU32]> = (0..count).map(|_| AtomicU32::new(0)).collect();
        (0..count).map(move |index| AcceptFrom { board: Arc::clone(&board), index })
    }

    /// The version now.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u32 {
        // Acquire pairs with the raise: who sees the version sees the events published before it.
        self.board[self.index].load(Ordering::Acquire)
    }

    /// Raises it; a lower version than the present one has no effect.
    pub(crate) fn raise(&self, version: u32) {
        self.board[self.index].fetch_max(version, Ordering::AcqRel);
    }
}

/// A table on its way to the dispatcher, and the one it replaced on its way back.
pub(crate) struct Flip {
    /// On the way there the new table, on the way back the old one.
    pub(crate) table: RoutingTable,
    /// Cells for consumers that get routes they never had: the new ones there, the old ones back.
    pub(crate) cells: Vec<(ConsumerId, CellMemory<Event>)>,
    /// Consumers whose routes change.
    pub(crate) affected: Vec<ConsumerId>,
    /// Routes that were not there before: who gets them is told the present state.
    pub(crate) added: Vec<RouteKey>,
    /// Number of the flip, in the notices of its begin and end.
    pub(crate) command_id: u64,
    /// Consumers that asked for it, with the numbers of their commands.
    pub(crate) askers: Vec<(ConsumerId, u64)>,
    /// What came of it; filled in by the dispatcher.
    pub(crate) outcome: FlipOutcome,
    /// Nothing is to be changed: by consumer, what the dispatcher fills in at an audit cut.
    pub(crate) cut: Option<Vec<LinkCut>>,
}

/// What came of a flip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlipOutcome {
    /// The version from then on.
    pub version: u32,
    /// When the tables were swapped, ns of the engine's clock.
    pub swapped_ns: u64,
    /// How long the dispatcher's step took, ns.
    pub step_ns: u64,
    /// Market events that lay in the affected consumers' lanes and cells at the swap.
    pub stale_queued: u64,
}

/// The two ways between the owner of the routes and the dispatcher.
#[derive(Default)]
pub(crate) struct FlipPort {
    pub(crate) staged: Exchange<Flip>,
    pub(crate) done: Exchange<Flip>,
}
