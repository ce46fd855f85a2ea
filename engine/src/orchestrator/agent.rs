//! The orchestrator's agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pitlane_ring::{Consumer, Publisher, Record};

use super::merge::{MergePort, MergeTotals, Merger};
use crate::event::Event;
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};

/// Events taken from one link in a duty cycle.
const BATCH: usize = 64;

/// How long a window may be held open by what still lies in the links, ns.
const BACKLOG_NS: u64 = 10_000_000;

/// Passes events through in order, critical kinds into one lane and all others into another, and
/// puts merged events behind those that complete them. Both links are lossless: a full lane ahead
/// holds the lanes behind back, up to the sockets.
pub struct OrchestratorAgent {
    ends: OrchestratorEnds,
    merger: Merger,
    passed: u64,
}

/// The two lanes to the dispatcher.
pub(crate) struct Outputs {
    pub(crate) critical: Publisher<Event>,
    pub(crate) market: Publisher<Event>,
}

/// What ties an [`OrchestratorAgent`] to the engine.
pub(crate) struct OrchestratorEnds {
    /// Links in order of precedence: order sessions and the gateway before market data.
    pub(crate) inputs: Vec<Consumer<Event>>,
    /// `None` once it has ended.
    pub(crate) outputs: Option<Outputs>,
    pub(crate) version: Arc<AtomicU32>,
    pub(crate) clock: Clock,
    pub(crate) stop: StopSignal,
    pub(crate) closing: Closing<OrchestratorTotals>,
}

/// What an [`OrchestratorAgent`] leaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrchestratorTotals {
    /// Events passed on.
    pub passed: u64,
    /// Events left in the links.
    pub left: u64,
    /// Merged events put into the lane ahead.
    pub merged: u64,
    /// What became of the windows.
    pub merge: MergeTotals,
}

impl OrchestratorAgent {
    /// Merge rules come from `merge`, and without any it costs one branch an event; there are
    /// `merge_places` places for contributions to windows.
    pub(crate) fn new(
        ends: OrchestratorEnds,
        merge: Arc<MergePort>,
        merge_places: usize,
    ) -> OrchestratorAgent {
        OrchestratorAgent { ends, merger: Merger::new(merge, merge_places), passed: 0 }
    }

    /// A view of the pool of contributions for other threads.
    pub(crate) fn pool_gauge(&self) -> pitlane_ring::PoolGauge {
        self.merger.gauge()
    }

    fn finish(mut self) -> OrchestratorTotals {
        self.merger.stop();
        let mut left = 0;
        for input in &mut self.ends.inputs {
            left += input.poll(usize::MAX, |_event| ()) as u64;
        }
        let merge = self.merger.finish();
        let merged = merge.counts.complete - merge.counts.no_room;
        OrchestratorTotals { passed: self.passed, left, merged, merge }
    }

    /// Time, if a window is open: read before the links are polled, so that what was received until
    /// then comes before the timer.
    #[inline]
    fn now_ns(&self) -> Option<u64> {
        (self.merger.next_timer_ns() != u64::MAX).then(|| self.ends.clock.now_ns())
    }
}

impl Agent for OrchestratorAgent {
    fn name(&self) -> &str {
        "orchestrator"
    }

    fn duty_cycle(&mut self) -> usize {
        let mut work = self.merger.change_if_staged();
        let now_ns = self.now_ns();
        let Self { ends, merger, passed } = self;
        let OrchestratorEnds { inputs, outputs, version, .. } = ends;
        let Some(lanes) = outputs else { return 0 };
        let mut drained = true;
        for input in inputs.iter_mut() {
            if !input.has_available() {
                continue;
            }
            let room = lanes.critical.room(BATCH).min(lanes.market_room(merger.per_event_max()));
            let taken = input.poll(room, |event| {
                let version = version.load(Ordering::Acquire);
                lanes.pass(event, version);
                merger
                    .offer(event, version, &mut |merged| lanes.market.try_publish(merged).is_ok());
            });
            drained &= taken < room;
            *passed += taken as u64;
            work += taken;
        }
        let all_closed = work == 0 && inputs.iter().all(Consumer::is_closed);
        if let Some(now_ns) = now_ns {
            // What still lies in the links may belong to a window: it is given some time to come
            // out.
            work += merger.expire(if drained { now_ns } else { now_ns.saturating_sub(BACKLOG_NS) });
        }
        if all_closed || self.ends.stop.phase() == Phase::Halted {
            self.merger.stop();
            self.ends.outputs = None;
        }
        work
    }

    fn has_pending(&self) -> bool {
        self.merger.has_pending()
    }

    fn next_timer_ns(&self) -> u64 {
        self.merger.next_timer_ns()
    }

    fn is_done(&self) -> bool {
        self.ends.outputs.is_none()
    }

    fn on_close(self: Box<Self>) {
        let closing = self.ends.closing.clone();
        closing.leave(self.finish());
    }
}

impl Outputs {
    /// Events that can be taken, each with as many merged events as it may complete. In a lane too
    /// short for that, a merged event may find no room.
    #[inline]
    fn market_room(&mut self, merged_max: usize) -> usize {
        if merged_max == 0 || merged_max >= self.market.capacity() {
            return self.market.room(BATCH);
        }
        self.market.room(BATCH * (1 + merged_max)) / (1 + merged_max)
    }

    #[inline]
    fn pass(&mut self, event: &Event, version: u32) {
        let is_critical = event.kind().is_some_and(|kind| kind.is_critical());
        let lane = if is_critical { &mut self.critical } else { &mut self.market };
        let published = lane.try_publish_with(|slot| {
            slot.copy_used_from(event);
            slot.routing_version = version;
        });
        debug_assert!(published.is_ok(), "room was checked");
    }
}
