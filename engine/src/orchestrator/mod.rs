//! The orchestrator: gathers every venue's events and stamps them with the routing version (FR-014).

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pitlane_ring::{Consumer, Publisher, Record};

use crate::event::Event;
use crate::runtime::{Agent, Phase, StopSignal};

/// Events taken from one link in a duty cycle.
const BATCH: usize = 64;

/// Passes events through in order, critical kinds into one lane and all others into another. Both links
/// are lossless: a full lane ahead holds the lanes behind back, up to the sockets.
pub struct OrchestratorAgent {
    /// Links in order of precedence: order sessions and the gateway before market data.
    inputs: Vec<Consumer<Event>>,
    outputs: Option<Outputs>,
    version: Arc<AtomicU32>,
    stop: StopSignal,
    passed: u64,
}

/// The two lanes to the dispatcher.
pub(crate) struct Outputs {
    pub(crate) critical: Publisher<Event>,
    pub(crate) market: Publisher<Event>,
}

impl OrchestratorAgent {
    pub(crate) fn new(
        inputs: Vec<Consumer<Event>>,
        outputs: Outputs,
        version: Arc<AtomicU32>,
        stop: StopSignal,
    ) -> OrchestratorAgent {
        OrchestratorAgent { inputs, outputs: Some(outputs), version, stop, passed: 0 }
    }

    /// Takes the final counts: events passed on, and events left in the links.
    pub(crate) fn finish(mut self) -> (u64, u64) {
        let mut left = 0;
        for input in &mut self.inputs {
            left += input.poll(usize::MAX, |_event| ()) as u64;
        }
        (self.passed, left)
    }
}

impl Agent for OrchestratorAgent {
    fn name(&self) -> &str {
        "orchestrator"
    }

    fn duty_cycle(&mut self) -> usize {
        let Self { inputs, outputs, version, passed, .. } = self;
        let Some(lanes) = outputs else { return 0 };
        let mut work = 0;
        for input in inputs.iter_mut() {
            if !input.has_available() {
                continue;
            }
            let room = lanes.critical.room(BATCH).min(lanes.market.room(BATCH));
            work += input.poll(room, |event| {
                let is_critical = event.kind().is_some_and(|kind| kind.is_critical());
                let lane = if is_critical { &mut lanes.critical } else { &mut lanes.market };
                let version = version.load(Ordering::Acquire);
                let published = lane.try_publish_with(|slot| {
                    slot.copy_used_from(event);
                    slot.routing_version = version;
                });
                debug_assert!(published.is_ok(), "room was checked");
            });
        }
        *passed += work as u64;
        let drained = work == 0 && inputs.iter().all(Consumer::is_closed);
        if drained || self.stop.phase() == Phase::Halted {
            self.outputs = None;
        }
        work
    }

    fn is_done(&self) -> bool {
        self.outputs.is_none()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
