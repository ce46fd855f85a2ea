//! A strategy's side of the order log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_ring::{Consumer, Publisher};

use super::note::{NoteKind, OrderNote};
use crate::event::{Event, RejectReason};
use crate::order::OrderCommand;
use crate::rate::Bucket;

/// Notes of one strategy that may wait for the file: 1,000 (5 ms at 200,000 a second).
pub(crate) const ORDER_LOG_SLOTS: usize = 1_024;

/// Refusals by a strategy's own check that are written in a second.
const REFUSALS_PER_S: u32 = 50;

/// What found no way into the file.
#[derive(Debug, Default)]
pub(super) struct SenderCounts {
    /// Notes that found no room.
    dropped: AtomicU64,
    /// Refusals that were counted only.
    thinned: AtomicU64,
}

impl SenderCounts {
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn thinned(&self) -> u64 {
        self.thinned.load(Ordering::Relaxed)
    }
}

/// Leaves notes; never waits. Without a lane it leaves none.
pub(crate) struct OrderLogSender {
    lane: Option<Publisher<OrderNote>>,
    counts: Arc<SenderCounts>,
    refusals: Bucket,
}

/// The other end.
pub(crate) struct OrderLogSource {
    pub(super) lane: Consumer<OrderNote>,
    pub(super) counts: Arc<SenderCounts>,
}

/// Both ends of a strategy's lane of notes.
pub(crate) fn order_log_lane(
    (publisher, lane): (Publisher<OrderNote>, Consumer<OrderNote>),
) -> (OrderLogSender, OrderLogSource) {
    let counts = Arc::<SenderCounts>::default();
    let sender = OrderLogSender {
        lane: Some(publisher),
        counts: Arc::clone(&counts),
        refusals: Bucket::per_s(REFUSALS_PER_S),
    };
    (sender, OrderLogSource { lane, counts })
}

impl OrderLogSender {
    /// For an engine without such files.
    pub(crate) fn none() -> OrderLogSender {
        let (counts, refusals) = (Arc::default(), Bucket::per_s(REFUSALS_PER_S));
        OrderLogSender { lane: None, counts, refusals }
    }

    /// A command has left.
    #[inline]
    pub(crate) fn sent(&mut self, command: &OrderCommand) {
        if self.lane.is_some() {
            self.send(&OrderNote::of_command(command, None));
        }
    }

    /// A command was refused before it left.
    #[cold]
    pub(crate) fn refused(&mut self, command: &OrderCommand, reason: RejectReason) {
        if self.lane.is_none() {
            return;
        }
        if self.refusals.take(command.submitted_ns) {
            self.send(&OrderNote::of_command(command, Some(reason)));
        } else {
            bump(&self.counts.thinned);
        }
    }

    /// A report was taken.
    pub(crate) fn reported(&mut self, event: &Event) {
        self.take(event, NoteKind::Report);
    }

    /// A report was told again, and changed nothing.
    #[cold]
    pub(crate) fn retold(&mut self, event: &Event) {
        self.take(event, NoteKind::Retold);
    }

    fn take(&mut self, event: &Event, kind: NoteKind) {
        if self.lane.is_some()
            && let Some(note) = OrderNote::of_event(event, kind)
        {
            self.send(&note);
        }
    }

    fn send(&mut self, note: &OrderNote) {
        let Some(lane) = &mut self.lane else { return };
        if lane.try_publish(note).is_err() {
            bump(&self.counts.dropped);
        }
    }
}

/// One writer: a load and a store, no locked instruction.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
