//! The dispatcher's agent: drives the orchestrator, puts each stream in order, and has every event
//! fanned out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pitlane_ring::Consumer;

use super::fanout::Fanout;
use super::flip::{Flip, FlipPort};
use super::link::{ConsumerLink, LinkTotals};
use super::sequencing::{Sequencer, StreamCounts};
use crate::event::Event;
use crate::orchestrator::{Onward, Orchestrator, OrchestratorTotals, Stamped};
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::telemetry::HistogramSet;

/// Takes events in order and hands them to the fan-out, between two of which it flips routes.
pub struct DispatcherAgent {
    inputs: DispatcherInputs,
    /// Puts the streams of market data in order.
    sequencer: Sequencer,
    fanout: Fanout,
    flips: Arc<FlipPort>,
    /// A finished flip whose way back was just being looked at.
    finished: Option<Box<Flip>>,
    clock: Clock,
    stop: StopSignal,
    /// Of the links, once they are closed.
    totals: Option<Vec<LinkTotals>>,
    closing: Closing<DispatcherTotals>,
}

/// What comes to the dispatcher.
pub(crate) struct DispatcherInputs {
    /// Everything that venues and gateway say.
    pub(crate) orchestrator: Orchestrator,
    /// The controller's answers to commands: past the orchestrator, so that an answer and the flip
    /// that it speaks of reach a consumer in this order.
    pub(crate) notices: Consumer<Event>,
}

/// What a [`DispatcherAgent`] leaves.
pub struct DispatcherTotals {
    /// Events that had at least one subscriber.
    pub routed: u64,
    /// Events without a subscriber.
    pub unrouted: u64,
    /// What became of events that were out of order.
    pub order: StreamCounts,
    /// Events held for an earlier one.
    pub held: u64,
    /// Of the stage that it drives.
    pub orchestrator: OrchestratorTotals,
    /// By consumer.
    pub links: Vec<LinkTotals>,
    /// Histograms that were not collected yet.
    pub histograms: Box<HistogramSet>,
}

impl DispatcherAgent {
    pub(crate) fn new(
        inputs: DispatcherInputs,
        sequencer: Sequencer,
        fanout: Fanout,
        flips: Arc<FlipPort>,
        stop: StopSignal,
        closing: Closing<DispatcherTotals>,
    ) -> DispatcherAgent {
        DispatcherAgent {
            clock: fanout.parts.clock.clone(),
            inputs,
            sequencer,
            fanout,
            flips,
            finished: None,
            stop,
            totals: None,
            closing,
        }
    }

    /// The tags of the dispatcher's probe.
    pub(crate) fn probe_names() -> Vec<String> {
        Fanout::probe_names()
    }

    fn finish(mut self) -> DispatcherTotals {
        self.close();
        DispatcherTotals {
            routed: self.fanout.routed,
            unrouted: self.fanout.unrouted,
            order: self.sequencer.stats().read(),
            held: self.sequencer.held() as u64,
            orchestrator: self.inputs.orchestrator.finish(),
            links: self.totals.unwrap_or_default(),
            histograms: self.fanout.parts.probe.into_set(),
        }
    }

    /// Between two events: takes a staged table, swaps, and sends the old one back.
    #[inline]
    fn flip_if_staged(&mut self) -> usize {
        if let Some(finished) = self.finished.take() {
            self.finished = self.flips.done.put(finished).err();
        }
        if self.finished.is_some() || !self.flips.staged.is_full() {
            return 0;
        }
        let Some(mut flip) = self.flips.staged.take() else { return 0 };
        // What was answered before the flip was staged is told before it.
        let _told = self.tell_notices();
        self.fanout.flip(&mut flip);
        self.finished = self.flips.done.put(flip).err();
        1
    }

    /// Passes the controller's answers on.
    #[inline]
    fn tell_notices(&mut self) -> usize {
        let Self { inputs, fanout, .. } = self;
        if !inputs.notices.has_available() {
            return 0;
        }
        // All of them: a flip must not overtake one, and there are never more than its lane holds.
        inputs.notices.poll(usize::MAX, |event| fanout.notice(event))
    }

    /// Takes what came in, in order, and fans it out.
    #[inline]
    fn take_events(&mut self) -> usize {
        let Self { inputs, sequencer, fanout, clock, .. } = self;
        let orchestrator = &mut inputs.orchestrator;
        let holds = sequencer.next_timer_ns() != u64::MAX;
        let is_timed = holds || orchestrator.next_timer_ns() != u64::MAX;
        let now_ns = is_timed.then(|| clock.now_ns());
        let is_last = holds && orchestrator.is_closed();
        let mut work = 0;
        if let Some(now_ns) = now_ns {
            work += sequencer.expire(now_ns, &mut |stamped| fanout.stage_held(stamped));
        }
        let version = fanout.parts.version.load(Ordering::Relaxed);
        work += orchestrator.poll(version, now_ns, clock, &mut Ordered { sequencer, fanout });
        if let (true, Some(now_ns)) = (is_last, now_ns) {
            work += sequencer.release_all(now_ns, &mut |stamped| fanout.stage_held(stamped));
        }
        fanout.publish_staged();
        work
    }

    fn close(&mut self) {
        if self.totals.is_none() {
            self.inputs.orchestrator.stop();
            self.fanout.parts.letters.close();
            let links = self.fanout.parts.links.drain(..);
            self.totals = Some(links.map(ConsumerLink::close).collect());
        }
    }
}

/// The orchestrator's way into the fan-out: market data through its streams' order, critical events
/// past it.
struct Ordered<'d> {
    sequencer: &'d mut Sequencer,
    fanout: &'d mut Fanout,
}

impl Onward for Ordered<'_> {
    #[inline]
    fn critical(&mut self, stamped: Stamped<'_>) {
        self.fanout.critical(stamped);
    }

    #[inline]
    fn market(&mut self, stamped: Stamped<'_>) {
        let Self { sequencer, fanout } = self;
        sequencer.admit(stamped, &mut |stamped| fanout.stage(stamped));
    }
}

impl Agent for DispatcherAgent {
    fn name(&self) -> &str {
        "dispatcher"
    }

    fn duty_cycle(&mut self) -> usize {
        if self.totals.is_some() {
            return 0;
        }
        let mut work = self.flip_if_staged();
        work += self.tell_notices();
        self.fanout.parts.probe.swap_if_asked();
        work += self.fanout.flush();
        work += self.inputs.orchestrator.change_if_staged();
        work += self.take_events();
        let drained = work == 0 && self.inputs.orchestrator.is_closed() && !self.has_pending();
        if drained || self.stop.phase() == Phase::Halted {
            self.close();
        }
        work
    }

    fn has_pending(&self) -> bool {
        self.fanout.has_pending || self.inputs.orchestrator.has_pending()
    }

    fn next_timer_ns(&self) -> u64 {
        self.sequencer.next_timer_ns().min(self.inputs.orchestrator.next_timer_ns())
    }

    fn is_done(&self) -> bool {
        self.totals.is_some()
    }

    fn on_close(self: Box<Self>) {
        let closing = self.closing.clone();
        closing.put(self.finish());
    }
}
