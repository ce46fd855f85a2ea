//! Copies of each event for every consumer that has a route to it, into their lanes.

mod notices;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use pitlane_ring::{Record, fan_out_groups};
use zerocopy::FromZeros;

use super::RoutingTable;
use super::latest::LatestStates;
use super::link::ConsumerLink;
use super::routing::RouteRange;
use super::run::{RUN, Run};
use crate::event::{
    ConsumerId, ControlAck, ControlResult, Event, EventKind, ExecReport, Risk, TraceIds,
    TraceSource,
};
use crate::journal::JournalTap;
use crate::orchestrator::Stamped;
use crate::runtime::Clock;
use crate::safety::{HaltReason, Quarantine, QuarantineReason};
use crate::telemetry::{Letter, LetterSender, Probe};

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

/// What ties the fan-out to the engine.
pub(crate) struct FanoutParts {
    pub(crate) links: Vec<ConsumerLink>,
    pub(crate) table: RoutingTable,
    /// The version that the orchestrator stamps; owned by the fan-out.
    pub(crate) version: Arc<AtomicU32>,
    pub(crate) quarantine: Quarantine,
    pub(crate) clock: Clock,
    pub(crate) probe: Probe,
    pub(crate) letters: LetterSender,
    /// Reports and notices go to the journal too, where there is one.
    pub(crate) tap: Option<JournalTap>,
}

/// Everything of the dispatcher but its inputs, so that both can be borrowed at once. Owns the
/// publishing side of every consumer's lanes.
pub(crate) struct Fanout {
    pub(super) parts: FanoutParts,
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
    latest: LatestStates,
    /// Of what it tells by itself.
    traces: TraceIds,
    /// Changes of the board that the links know of.
    changes_seen: u32,
    /// Some consumer never takes anything again.
    has_cut_off: bool,
    /// Something is held back for a consumer, or was at the last flush.
    pub(super) has_pending: bool,
    pub(super) routed: u64,
    pub(super) unrouted: u64,
}

impl Fanout {
    /// One for so many venues and instruments.
    pub(crate) fn new(parts: FanoutParts, (venues, instruments): (usize, usize)) -> Fanout {
        Fanout {
            marks: vec![0; parts.links.len()].into_boxed_slice(),
            parts,
            staged: vec![Event::new_zeroed(); RUN].into_boxed_slice(),
            staged_routes: vec![RouteRange::default(); RUN].into_boxed_slice(),
            staged_count: 0,
            run: Run { kind: None, oldest_version: 0 },
            scratch: Box::new(Event::new_zeroed()),
            latest: LatestStates::new(venues, instruments),
            traces: TraceIds::of(TraceSource::Dispatcher),
            changes_seen: 0,
            has_cut_off: false,
            has_pending: false,
            routed: 0,
            unrouted: 0,
        }
    }

    /// The tags of its probe.
    pub(super) fn probe_names() -> Vec<String> {
        ["wire", "decode", "dispatch"].map(str::to_owned).to_vec()
    }

    /// As [`Fanout::stage`], for what comes late.
    #[cold]
    pub(super) fn stage_held(&mut self, stamped: Stamped<'_>) {
        self.stage(stamped);
    }

    /// Takes a private copy of the event, stamped; from here on it is the original (FR-008).
    // For each event: as a call, it saves and restores more registers than it has lines to copy.
    #[inline(always)]
    pub(super) fn stage(&mut self, stamped: Stamped<'_>) {
        if self.staged_count == RUN {
            // The links had more, or a filled gap has released what waited behind it.
            self.publish_staged();
        }
        let Stamped { event, version, now_ns } = stamped;
        let Some(kind) = event.kind() else { return };
        if LatestStates::is_state(event) {
            self.note_state(event);
        }
        let range = self.parts.table.range(event);
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

    /// Balances are recorded whoever is subscribed to them, and states kept for who will be.
    #[cold]
    fn note_state(&mut self, event: &Event) {
        match &mut self.parts.tap {
            Some(tap) if event.kind() == Some(EventKind::Balance) => tap.take(event),
            _ => self.latest.note(event),
        }
    }

    /// Publishes what is staged: a lone event at once, a run lane by lane.
    #[inline]
    pub(super) fn publish_staged(&mut self) {
        match self.staged_count {
            0 => return,
            1 => self.publish_lone(),
            count => self.publish_run(count),
        }
        let Self { parts, staged, staged_count, .. } = self;
        let FanoutParts { clock, probe, .. } = parts;
        // Nobody waits for these any more.
        staged[..*staged_count].iter().for_each(|event| record(event, clock, probe));
        *staged_count = 0;
    }

    /// Writes the event into some lanes, then moves their cursors, then the next: see
    /// [`pitlane_ring::Publisher::stage`].
    #[inline]
    fn publish_lone(&mut self) {
        let Self { parts, staged, staged_routes, run, has_pending, .. } = self;
        let FanoutParts { links, table, letters, clock, .. } = parts;
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
        let Self { parts, staged, staged_routes, run, marks, has_pending, .. } = self;
        let FanoutParts { links, table, letters, clock, .. } = parts;
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

    /// Copies a critical event to its owner.
    #[inline]
    pub(super) fn critical(&mut self, stamped: Stamped<'_>) {
        let Stamped { event, version, now_ns } = stamped;
        let Some(kind) = event.kind() else { return };
        let Self { parts, scratch, routed, unrouted, has_pending, .. } = self;
        let FanoutParts { links, clock, probe, tap, .. } = parts;
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
            let Self { parts, scratch, .. } = self;
            let FanoutParts { letters, clock, quarantine, .. } = parts;
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
        let Self { parts, scratch, has_cut_off, has_pending, .. } = self;
        let FanoutParts { links, clock, letters, quarantine, .. } = parts;
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

    /// Moves what waits for room: in the links, and of dead letters.
    #[inline]
    pub(super) fn flush(&mut self) -> usize {
        let changes = self.parts.quarantine.changes();
        if changes != self.changes_seen {
            self.changes_seen = changes;
            for link in &mut self.parts.links {
                self.has_cut_off |= link.look_at(&self.parts.quarantine);
            }
        }
        let sent =
            if self.parts.letters.has_waiting() { self.parts.letters.send_waiting() } else { 0 };
        if !self.has_pending {
            debug_assert!(
                self.parts.links.iter().all(|link| link.pending() == 0),
                "it is kept up to date"
            );
            return sent;
        }
        let flushed: usize = self.parts.links.iter_mut().map(ConsumerLink::flush).sum();
        let buried = if self.has_cut_off { self.bury() } else { 0 };
        self.has_pending = self.parts.links.iter().any(|link| link.pending() > 0);
        flushed + buried + sent
    }

    /// What is spilled for consumers that never take it goes to the dead-letter file, a part of it
    /// in each duty cycle, as far as there is room on the way there.
    #[cold]
    fn bury(&mut self) -> usize {
        let FanoutParts { links, clock, letters, quarantine, .. } = &mut self.parts;
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
        | EventKind::MarkPrice
        | EventKind::Merged
        | EventKind::BookState
        | EventKind::StreamState
        | EventKind::Instrument
        | EventKind::Balance => None,
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
