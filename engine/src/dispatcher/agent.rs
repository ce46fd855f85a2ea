//! The dispatcher's agent: takes each event from the orchestrator, looks up its routes and copies
//! it into the consumers' lanes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pitlane_ring::{Consumer, Record, fan_out_groups};
use zerocopy::FromZeros;

use super::RoutingTable;
use super::cut::{CUT, LinkCut};
use super::flip::{COMMAND_DONE, FLIP_BEGIN, FLIP_END, Flip, FlipOutcome, FlipPort};
use super::latest::LatestWords;
use super::link::{ConsumerLink, LinkParts, LinkTotals};
use super::order::{Sequencer, StreamCounts};
use super::routing::{RouteKey, RouteRange};
use super::run::{RUN, Run};
use crate::event::{
    ConsumerId, ControlAck, ControlResult, Event, EventKind, ExecReport, Risk, TraceIds,
    TraceSource,
};
use crate::journal::WordTap;
use crate::orchestrator::{Onward, Orchestrator, OrchestratorTotals, Stamped};
use crate::runtime::{Agent, Clock, Closing, Phase, StopSignal};
use crate::safety::{HaltReason, Quarantine, QuarantineReason};
use crate::telemetry::{HistogramSet, Letter, LetterSender, Probe};

/// Dead letters of one consumer written at a time.
const BATCH: usize = 32;

/// Venue time to bytes read; only where both clocks are of the same age.
const WIRE: usize = 0;
/// Bytes read to decoded.
const DECODE: usize = 1;
/// Decoded to taken by the dispatcher.
const DISPATCH: usize = 2;

/// Wire latencies above this are of another clock (a replay), not of a network: one minute.
const WIRE_MAX_NS: i64 = 60_000_000_000;

/// Fans events out. Owns the publishing side of every consumer's lanes.
pub struct DispatcherAgent {
    inputs: DispatcherInputs,
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

/// Everything but the inputs, so that both can be borrowed at once.
struct Fanout {
    links: Vec<ConsumerLink>,
    table: RoutingTable,
    clock: Clock,
    probe: Probe,
    letters: LetterSender,
    /// The private copies that are stamped and that the consumers' copies are made from.
    staged: Box<[Event]>,
    /// By staged event, its routes.
    staged_routes: Box<[RouteRange]>,
    staged_count: usize,
    /// Of what is staged.
    run: Run,
    /// By consumer, which of the staged events it gets.
    marks: Box<[u64]>,
    /// The copy of a critical event.
    scratch: Box<Event>,
    /// The version that the orchestrator stamps; owned here.
    version: Arc<AtomicU32>,
    latest: LatestWords,
    /// Words on orders go to the journal too, where there is one.
    tap: Option<WordTap>,
    quarantine: Quarantine,
    /// Of what it tells by itself.
    traces: TraceIds,
    /// Changes of the board that the links know of.
    changes_seen: u32,
    /// Some consumer never takes anything again.
    has_cut_off: bool,
    /// Something is held back for a consumer, or was at the last flush.
    has_pending: bool,
    routed: u64,
    unrouted: u64,
}

/// The ends that tie the dispatcher to the engine.
pub(crate) struct DispatcherParts {
    pub(crate) inputs: DispatcherInputs,
    /// Puts the streams of market data in order.
    pub(crate) sequencer: Sequencer,
    pub(crate) links: Vec<LinkParts>,
    pub(crate) table: RoutingTable,
    pub(crate) version: Arc<AtomicU32>,
    pub(crate) quarantine: Quarantine,
    pub(crate) flips: Arc<FlipPort>,
    pub(crate) clock: Clock,
    pub(crate) probe: Probe,
    pub(crate) letters: LetterSender,
    pub(crate) tap: Option<WordTap>,
    pub(crate) stop: StopSignal,
    pub(crate) closing: Closing<DispatcherTotals>,
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
    pub(crate) fn new(parts: DispatcherParts) -> DispatcherAgent {
        let links: Vec<_> = parts.links.into_iter().map(ConsumerLink::new).collect();
        let (venues, instruments) = parts.sequencer.dimensions();
        let latest = LatestWords::new(venues, instruments);
        DispatcherAgent {
            clock: parts.clock.clone(),
            inputs: parts.inputs,
            sequencer: parts.sequencer,
            fanout: Fanout {
                marks: vec![0; links.len()].into_boxed_slice(),
                links,
                table: parts.table,
                clock: parts.clock,
                probe: parts.probe,
                letters: parts.letters,
                staged: vec![Event::new_zeroed(); RUN].into_boxed_slice(),
                staged_routes: vec![RouteRange::default(); RUN].into_boxed_slice(),
                staged_count: 0,
                run: Run { kind: None, oldest_version: 0 },
                scratch: Box::new(Event::new_zeroed()),
                version: parts.version,
                latest,
                tap: parts.tap,
                quarantine: parts.quarantine,
                traces: TraceIds::of(TraceSource::Dispatcher),
                changes_seen: 0,
                has_cut_off: false,
                has_pending: false,
                routed: 0,
                unrouted: 0,
            },
            flips: parts.flips,
            finished: None,
            stop: parts.stop,
            totals: None,
            closing: parts.closing,
        }
    }

    /// The tags of the dispatcher's probe.
    pub(crate) fn probe_names() -> Vec<String> {
        ["wire", "decode", "dispatch"].map(str::to_owned).to_vec()
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
            histograms: self.fanout.probe.into_set(),
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
        let version = fanout.version.load(Ordering::Relaxed);
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
            self.fanout.letters.close();
            let links = self.fanout.links.drain(..);
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

impl Fanout {
    /// As [`Fanout::stage`], for what comes late.
    #[cold]
    fn stage_held(&mut self, stamped: Stamped<'_>) {
        self.stage(stamped);
    }

    /// Takes a private copy of the event, stamped; from here on it is the original (FR-008).
    // For each event: as a call, it saves and restores more registers than it has lines to copy.
    #[inline(always)]
    fn stage(&mut self, stamped: Stamped<'_>) {
        if self.staged_count == RUN {
            // The links had more, or a filled gap has released what waited behind it.
            self.publish_staged();
        }
        let Stamped { event, version, now_ns } = stamped;
        let Some(kind) = event.kind() else { return };
        self.latest.note(event);
        let range = self.table.range(event);
        if range.len() == 0 {
            self.unrouted += 1;
            return;
        }
        self.routed += 1;
        let place = self.staged_count;
        self.staged_count += 1;
        self.run = if place == 0 { Run::of(kind, version) } else { self.run.and(kind, version) };
        self.staged_routes[place] = range;
        let copy = &mut self.staged[place];
        copy.copy_used_from(event);
        copy.fanout = u8::try_from(range.len()).unwrap_or(u8::MAX);
        copy.routing_version = version;
        copy.stamp_dispatched(now_ns);
    }

    /// Publishes what is staged: a lone event at once, a run lane by lane.
    #[inline]
    fn publish_staged(&mut self) {
        match self.staged_count {
            0 => return,
            1 => self.publish_lone(),
            count => self.publish_run(count),
        }
        let Self { staged, staged_count, clock, probe, .. } = self;
        // Nobody waits for these any more.
        staged[..*staged_count].iter().for_each(|event| record(event, clock, probe));
        *staged_count = 0;
    }

    /// Writes the event into some lanes, then moves their cursors, then the next: see
    /// [`pitlane_ring::Publisher::stage`].
    #[inline]
    fn publish_lone(&mut self) {
        let Self { links, table, staged, staged_routes, run, letters, clock, has_pending, .. } =
            self;
        let event = &staged[0];
        let Some(kind) = run.kind else { return };
        let evicted = &mut |event: &Event| keep(letters, clock, event, "queue full");
        let routes = table.routes_at(staged_routes[0]);
        for group in fan_out_groups(routes.len()) {
            for route in &routes[group.clone()] {
                if let Some(link) = links.get_mut(route.consumer.index()) {
                    *has_pending |= link.stage_market(event, kind, route.cell, evicted);
                }
            }
            for route in &routes[group] {
                if let Some(link) = links.get_mut(route.consumer.index()) {
                    link.publish_staged();
                }
            }
        }
        for route in routes {
            if let Some(link) = links.get(route.consumer.index()) {
                link.prefetch();
            }
        }
    }

    fn publish_run(&mut self, count: usize) {
        let Self {
            links,
            table,
            staged,
            staged_routes,
            run,
            marks,
            letters,
            clock,
            has_pending,
            ..
        } = self;
        let marks: &mut [u64] = marks;
        for (place, range) in staged_routes[..count].iter().enumerate() {
            for route in table.routes_at(*range) {
                if let Some(marked) = marks.get_mut(route.consumer.index()) {
                    *marked |= 1 << place;
                }
            }
        }
        for (link, marked) in links.iter_mut().zip(marks) {
            let evicted = &mut |event: &Event| keep(letters, clock, event, "queue full");
            let marked = std::mem::take(marked);
            link.offer_run(&staged[..count], *run, marked, table, evicted);
            *has_pending |= link.pending() > 0;
        }
    }

    #[inline]
    fn critical(&mut self, stamped: Stamped<'_>) {
        let Stamped { event, version, now_ns } = stamped;
        let Some(kind) = event.kind() else { return };
        let Self { links, clock, probe, scratch, routed, unrouted, has_pending, tap, .. } = self;
        if let Some(tap) = tap
            && kind == EventKind::ExecReport
        {
            tap.take(event);
        }
        let link = owner(event).and_then(|owner| links.get_mut(owner.index()));
        scratch.copy_used_from(event);
        scratch.fanout = 1;
        scratch.routing_version = version;
        scratch.stamp_dispatched(now_ns);
        let Some(link) = link else {
            *unrouted += 1;
            record(scratch, clock, probe);
            let Self { letters, clock, scratch, quarantine, .. } = self;
            keep_critical(letters, clock, quarantine, scratch, "no owner");
            return;
        };
        *routed += 1;
        let (consumer, is_taken) = (link.consumer(), link.offer_critical(scratch, kind));
        *has_pending |= link.pending() > 0;
        record(scratch, clock, probe);
        if !is_taken {
            self.overflow(consumer, kind);
        }
    }

    /// The event in `scratch` found no room in its consumer's lane and spill. The consumer is cut
    /// off: what comes behind a hole must not be taken for the next (FR-016). It and what is older
    /// goes to the dead letters, in order; it waits in the spill for room there, and only where
    /// that is full as well it is lost.
    #[cold]
    fn overflow(&mut self, consumer: ConsumerId, kind: EventKind) {
        let Self { links, clock, letters, scratch, quarantine, has_cut_off, has_pending, .. } =
            self;
        let Some(link) = links.get_mut(consumer.index()) else { return };
        if !link.is_cut_off() {
            log::error!("[consumer {}] quarantined: critical lane and spill are full", consumer.0);
            quarantine.raise(consumer, QuarantineReason::Overrun);
            *has_cut_off |= link.look_at(quarantine);
        }
        let limit = letters.room(BATCH);
        link.withdraw(limit, |event| keep_critical(letters, clock, quarantine, event, "cut off"));
        let must_wait = link.has_spilled() || letters.room(1) == 0;
        if !must_wait || !link.spill(scratch) {
            link.dead_letter(kind);
            keep_critical(letters, clock, quarantine, scratch, "cut off");
        }
        *has_pending |= link.pending() > 0;
    }

    /// Swaps the tables; see [`super::flip`].
    #[cold]
    fn flip(&mut self, flip: &mut Flip) {
        if let Some(cuts) = &mut flip.cut {
            return self.cut(cuts);
        }
        let begun_ns = self.clock.now_ns();
        let version = self.version.load(Ordering::Relaxed) + 1;
        let mut stale_queued = 0;
        for (consumer, cells) in &mut flip.cells {
            if let Some(link) = self.links.get_mut(consumer.index()) {
                link.extend_cells(cells);
            }
        }
        for consumer in &flip.affected {
            self.tell(*consumer, flip.command_id, FLIP_BEGIN, version - 1);
            if let Some(link) = self.links.get_mut(consumer.index()) {
                stale_queued += link.accept_from(version);
            }
        }
        std::mem::swap(&mut self.table, &mut flip.table);
        // Release: who stamps with the new version also sees everything done under the old one.
        self.version.store(version, Ordering::Release);
        let swapped_ns = self.clock.now_ns();
        for key in &flip.added {
            self.tell_state(*key, version, swapped_ns);
        }
        for consumer in &flip.affected {
            self.tell(*consumer, flip.command_id, FLIP_END, version);
        }
        for (consumer, command_id) in &flip.askers {
            self.tell(*consumer, *command_id, COMMAND_DONE, version);
        }
        let step_ns = self.clock.now_ns() - begun_ns;
        flip.outcome = FlipOutcome { version, swapped_ns, step_ns, stale_queued };
    }

    /// Its side of every consumer's account; see [`super::cut`].
    #[cold]
    fn cut(&mut self, cuts: &mut [LinkCut]) {
        let version = self.version.load(Ordering::Relaxed);
        for (index, cut) in cuts.iter_mut().enumerate() {
            let Some(link) = self.links.get(index) else { return };
            let (consumer, is_cut_off) = (link.consumer(), link.is_cut_off());
            if !is_cut_off {
                self.tell(consumer, 0, CUT, version);
            }
            self.links[index].cut(cut);
            cut.is_cut_off |= is_cut_off;
        }
    }

    /// What a new subscriber has to know before the first event: the present state of the book or
    /// stream.
    fn tell_state(&mut self, key: RouteKey, version: u32, now_ns: u64) {
        let Some(mut event) = self.latest.word(key.venue, key.instrument, key.kind) else { return };
        let Some(kind) = event.kind() else { return };
        (event.routing_version, event.fanout) = (version, 1);
        event.stamp_dispatched(now_ns);
        let Self { links, table, letters, clock, has_pending, .. } = self;
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
        event.receive_ns = self.clock.now_ns();
        event.stamp_decoded(event.receive_ns);
        self.scratch.copy_used_from(&event);
        self.deliver_scratch(consumer, EventKind::ControlResult);
    }

    /// An answer of the controller's, on its way to the consumer that it is for.
    fn notice(&mut self, event: &Event) {
        let (Some(kind), Some(consumer)) = (event.kind(), owner(event)) else { return };
        self.scratch.copy_used_from(event);
        self.scratch.routing_version = self.version.load(Ordering::Relaxed);
        self.deliver_scratch(consumer, kind);
    }

    fn deliver_scratch(&mut self, consumer: ConsumerId, kind: EventKind) {
        let Self { links, clock, scratch, has_pending, .. } = self;
        scratch.fanout = 1;
        scratch.stamp_dispatched(clock.now_ns());
        let Some(link) = links.get_mut(consumer.index()) else { return };
        let is_taken = link.offer_critical(scratch, kind);
        *has_pending |= link.pending() > 0;
        if !is_taken {
            self.overflow(consumer, kind);
        }
    }

    #[inline]
    fn flush(&mut self) -> usize {
        let changes = self.quarantine.changes();
        if changes != self.changes_seen {
            self.changes_seen = changes;
            for link in &mut self.links {
                self.has_cut_off |= link.look_at(&self.quarantine);
            }
        }
        let sent = if self.letters.has_waiting() { self.letters.send_waiting() } else { 0 };
        if !self.has_pending {
            debug_assert!(
                self.links.iter().all(|link| link.pending() == 0),
                "it is kept up to date"
            );
            return sent;
        }
        let flushed: usize = self.links.iter_mut().map(ConsumerLink::flush).sum();
        let buried = if self.has_cut_off { self.bury() } else { 0 };
        self.has_pending = self.links.iter().any(|link| link.pending() > 0);
        flushed + buried + sent
    }

    /// What is spilled for consumers that never take it goes to the dead-letter file, a part of it
    /// in each duty cycle, as far as there is room on the way there.
    #[cold]
    fn bury(&mut self) -> usize {
        let Self { links, clock, letters, quarantine, .. } = self;
        let mut work = 0;
        for link in links.iter_mut().filter(|link| link.is_cut_off()) {
            let limit = letters.room(BATCH);
            work += link.withdraw(limit, |event| {
                keep_critical(letters, clock, quarantine, event, "cut off");
            });
        }
        work
    }
}

/// Keeps a market event that a full queue has given up.
#[cold]
fn keep(letters: &mut LetterSender, clock: &Clock, event: &Event, detail: &'static str) {
    letters.keep_market(event, clock.wall_ns(), detail);
}

/// A critical event that can't be delivered stays readable in the dead-letter file (FR-016).
#[cold]
fn keep_critical(
    letters: &mut LetterSender,
    clock: &Clock,
    quarantine: &Quarantine,
    event: &Event,
    detail: &'static str,
) {
    let owner = owner(event);
    if !letters.send(Letter::undelivered_critical(event, clock.wall_ns(), detail, owner)) {
        quarantine.last_resort().lose(owner, HaltReason::LettersFull);
    }
}

/// Records how long a stamped event was on its way.
// As `Fanout::stage`.
#[inline(always)]
fn record(event: &Event, clock: &Clock, probe: &mut Probe) {
    let now_ns = event.dispatched_ns();
    probe.record(DECODE, u64::from(event.decode_after_ns));
    let decoded_ns = event.receive_ns + u64::from(event.decode_after_ns);
    probe.record(DISPATCH, now_ns.saturating_sub(decoded_ns));
    if event.venue_time_ns > 0 {
        let wire_ns = clock.wall_at_ns(event.receive_ns) - event.venue_time_ns;
        if (0..WIRE_MAX_NS).contains(&wire_ns) {
            probe.record(WIRE, wire_ns as u64);
        }
    }
}

/// The consumer entitled to a critical event.
#[inline]
fn owner(event: &Event) -> Option<ConsumerId> {
    match event.kind()? {
        EventKind::ExecReport => event.get::<ExecReport>().map(ExecReport::owner),
        EventKind::ControlAck => {
            event.get::<ControlAck>().map(|ack| ConsumerId(ack.consumer as u16))
        }
        EventKind::ControlResult => {
            event.get::<ControlResult>().map(|result| ConsumerId(result.consumer as u16))
        }
        EventKind::Risk => event.get::<Risk>().map(|risk| ConsumerId(risk.consumer as u16)),
        EventKind::Quote
        | EventKind::Trade
        | EventKind::Book
        | EventKind::Bar
        | EventKind::Merged
        | EventKind::BookState
        | EventKind::StreamState
        | EventKind::Instrument
        | EventKind::Balance => None,
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
        self.fanout.probe.swap_if_asked();
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
        closing.leave(self.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Quote;
    use crate::telemetry::letter_lane;

    /// Room that market events leave in a lane of dead letters.
    const FOR_CRITICAL: usize = 64;

    #[test]
    fn letters_of_market_events_leave_just_as_much_room_to_critical_ones() {
        let (mut letters, _source) = letter_lane("dispatcher", 2 * FOR_CRITICAL);
        let (clock, _time) = Clock::manual(0);
        let event = Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 });
        for _ in 0..2 * FOR_CRITICAL {
            keep(&mut letters, &clock, &event, "queue full");
        }
        let counts = letters.counts();
        let half = FOR_CRITICAL as u64;
        assert_eq!((counts.sent(), counts.dropped()), (half, half));
        assert_eq!(letters.room(2 * FOR_CRITICAL), FOR_CRITICAL);
        // A critical one takes a place of those.
        let quarantine = Quarantine::default();
        keep_critical(&mut letters, &clock, &quarantine, &event, "cut off");
        assert_eq!((counts.sent(), letters.room(2 * FOR_CRITICAL)), (half + 1, FOR_CRITICAL - 1));
    }
}
