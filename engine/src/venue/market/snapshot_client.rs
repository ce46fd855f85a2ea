//! The market agent's end of the way to REST: requests and answers, over lanes.

use std::sync::Arc;

use pitlane_ring::{Exchange, LaneGauge, Publisher, Record};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::event::{Instrument, InstrumentId};
use crate::runtime::BesideWaker;
use crate::venue::protocol::Snapshot;

/// A request: whose snapshot, and how much of it.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct SnapshotRequest {
    pub(super) instrument: u32,
    /// 1: the best levels alone.
    pub(super) is_shallow: u32,
}

impl Record for SnapshotRequest {
    fn used_bytes(&self) -> usize {
        size_of::<SnapshotRequest>()
    }
}

/// What came of a request.
pub(super) struct Answer {
    pub(super) instrument: InstrumentId,
    /// It is of the best levels alone, for a book that is live.
    pub(super) is_shallow: bool,
    /// `None` when it failed; why is in the log.
    pub(super) snapshot: Option<Snapshot>,
    /// No answer to a request: what the venue says of the instrument.
    pub(super) data: Option<Instrument>,
}

/// The market agent's end: asks and takes answers, and never waits.
pub struct SnapshotClient {
    pub(super) requests: Publisher<SnapshotRequest>,
    pub(super) shared: Arc<Shared>,
    pub(super) waker: BesideWaker,
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) answers: Exchange<Answer>,
    /// Answers that were applied, to be freed by the snapshot agent.
    pub(super) spent: Exchange<Answer>,
}

impl SnapshotClient {
    /// Asks for a snapshot, or for its best levels alone. False when too many requests wait; ask
    /// again later.
    pub(super) fn ask(&mut self, instrument: InstrumentId, is_shallow: bool) -> bool {
        let request =
            SnapshotRequest { instrument: instrument.0, is_shallow: u32::from(is_shallow) };
        let is_taken = self.requests.try_publish(&request).is_ok();
        self.waker.wake();
        is_taken
    }

    /// The next answer, if there is one.
    #[inline]
    pub(super) fn take(&self) -> Option<Box<Answer>> {
        self.shared.answers.take()
    }

    /// Gives an answer back that was applied, so that the other side frees it.
    pub(super) fn give_back(&self, answer: Box<Answer>) {
        // Only when the one before is not yet freed, it is freed here.
        let _ = self.shared.spent.put(answer);
        self.waker.wake();
    }

    /// A view of the lane of requests.
    pub fn gauge(&self) -> LaneGauge {
        self.requests.gauge()
    }
}
