//! What the dispatcher tells by itself: flips and cuts of routes, states of books and streams to
//! who comes later, and the controller's answers.

use std::sync::atomic::Ordering;

use pitlane_ring::Record;

use super::{Fanout, FanoutParts, keep, owner};
use crate::dispatcher::cut::{CUT, LinkCut};
use crate::dispatcher::flip::{COMMAND_DONE, FLIP_BEGIN, FLIP_END, Flip, FlipOutcome};
use crate::dispatcher::routing::RouteKey;
use crate::event::{ConsumerId, ControlResult, Event, EventKind};

impl Fanout {
    /// Swaps the tables; see [`crate::dispatcher::flip`].
    #[cold]
    pub(in crate::dispatcher) fn flip(&mut self, flip: &mut Flip) {
        if let Some(cuts) = &mut flip.cut {
            return self.cut(flip.command_id, cuts);
        }
        let begun_ns = self.parts.clock.now_ns();
        let version = self.parts.version.load(Ordering::Relaxed) + 1;
        let mut stale_queued = 0;
        for (consumer, cells) in &mut flip.cells {
            if let Some(link) = self.parts.links.get_mut(consumer.index()) {
                link.extend_cells(cells);
            }
        }
        for consumer in &flip.affected {
            self.tell(*consumer, flip.command_id, FLIP_BEGIN, version - 1);
            if let Some(link) = self.parts.links.get_mut(consumer.index()) {
                stale_queued += link.accept_from(version);
            }
        }
        std::mem::swap(&mut self.parts.table, &mut flip.table);
        // Release: who stamps with the new version also sees everything done under the old one.
        self.parts.version.store(version, Ordering::Release);
        let swapped_ns = self.parts.clock.now_ns();
        for key in &flip.added {
            self.tell_state(*key, version, swapped_ns);
        }
        for consumer in &flip.affected {
            self.tell(*consumer, flip.command_id, FLIP_END, version);
        }
        for (consumer, command_id) in &flip.askers {
            self.tell(*consumer, *command_id, COMMAND_DONE, version);
        }
        let step_ns = self.parts.clock.now_ns() - begun_ns;
        flip.outcome = FlipOutcome { version, swapped_ns, step_ns, stale_queued };
    }

    /// Its side of every consumer's account; see [`crate::dispatcher::cut`].
    #[cold]
    fn cut(&mut self, audit: u64, cuts: &mut [LinkCut]) {
        let version = self.parts.version.load(Ordering::Relaxed);
        for (index, cut) in cuts.iter_mut().enumerate() {
            let Some(link) = self.parts.links.get(index) else { return };
            let (consumer, is_cut_off) = (link.consumer(), link.is_cut_off());
            if !is_cut_off {
                self.tell(consumer, audit, CUT, version);
            }
            self.parts.links[index].cut(cut);
            cut.is_cut_off |= is_cut_off;
        }
    }

    /// What a new subscriber has to know before the first event: the present state of the book or
    /// stream.
    fn tell_state(&mut self, key: RouteKey, version: u32, now_ns: u64) {
        let Some(mut event) = self.latest.state(key.venue, key.instrument, key.kind) else {
            return;
        };
        let Some(kind) = event.kind() else { return };
        (event.routing_version, event.fanout) = (version, 1);
        event.stamp_dispatched(now_ns);
        let Self { parts, has_pending, .. } = self;
        let FanoutParts { links, table, letters, clock, .. } = parts;
        let Some(link) = links.get_mut(key.consumer.index()) else { return };
        let cell = table.cell(&event, key.consumer);
        let evicted = &mut |event: &Event| keep(letters, clock, event, "queue full");
        *has_pending |= link.stage_market(&event, kind, cell, evicted);
        link.publish_staged();
    }

    /// A `ControlResult` of the dispatcher's own to one consumer.
    fn tell(&mut self, consumer: ConsumerId, command_id: u64, phase: u64, version: u32) {
        let result = ControlResult { command_id, consumer: u32::from(consumer.0), code: 0, phase };
        let mut event = Event::new(&result);
        event.routing_version = version;
        event.trace_id = self.traces.next_id();
        event.receive_ns = self.parts.clock.now_ns();
        event.stamp_decoded(event.receive_ns);
        self.scratch.copy_used_from(&event);
        self.deliver_scratch(consumer, EventKind::ControlResult);
    }

    /// An answer of the controller's, on its way to the consumer that it is for.
    pub(in crate::dispatcher) fn notice(&mut self, event: &Event) {
        let (Some(kind), Some(consumer)) = (event.kind(), owner(event)) else { return };
        if let Some(tap) = &mut self.parts.tap
            && kind == EventKind::Risk
        {
            tap.take(event);
        }
        self.scratch.copy_used_from(event);
        self.scratch.routing_version = self.parts.version.load(Ordering::Relaxed);
        self.deliver_scratch(consumer, kind);
    }

    fn deliver_scratch(&mut self, consumer: ConsumerId, kind: EventKind) {
        let Self { parts, scratch, has_pending, .. } = self;
        let FanoutParts { links, clock, .. } = parts;
        scratch.fanout = 1;
        scratch.stamp_dispatched(clock.now_ns());
        let Some(link) = links.get_mut(consumer.index()) else { return };
        let is_taken = link.offer_critical(scratch, kind);
        *has_pending |= link.pending() > 0;
        if !is_taken {
            self.overflow(consumer, kind);
        }
    }
}
