//! The dispatcher's end of one consumer's pair of lanes, with its side of the account.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use pitlane_ring::{
    Bits, CellId, CellMemory, CriticalPublisher, Displaced, LaneGauge, MarketPublisher, Offered,
};

use super::RoutingTable;
use super::cells::cell_of;
use super::cut::LinkCut;
use super::flip::AcceptFrom;
use super::run::{Run, marked_of};
use crate::event::{ConsumerId, Event, EventClass, EventKind, KindCounts};
use crate::safety::Quarantine;
use crate::telemetry::{Term, Terms};

/// Publishes into one consumer's lanes. It tries, and never waits (FR-003).
pub(crate) struct ConsumerLink {
    market: MarketPublisher<Event>,
    critical: CriticalPublisher<Event>,
    terms: Arc<CachePadded<Terms>>,
    critical_sequence: u32,
    gauge: LaneGauge,
    accept_from: AcceptFrom,
    /// Market data below this version is not published: 0 for a consumer that takes everything, the
    /// largest for one that takes nothing any more.
    skip_below: u32,
    skips: bool,
    consumer: ConsumerId,
    /// The consumer does not return from a callback, or was overrun: nothing is published to it any
    /// more.
    is_cut_off: bool,
    /// Numbered critical events that were taken out of the spill again.
    withdrawn: u32,
}

/// What is left of a link when its consumer's lanes are closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkTotals {
    /// Events in cells and spill, walked and counted.
    pub in_flight: KindCounts,
    /// Number of the last critical event that was taken by the link.
    pub critical_issued: u32,
}

impl ConsumerLink {
    /// `skips`: the consumer passes over what a flip has made stale.
    pub(crate) fn new(
        consumer: ConsumerId,
        market: MarketPublisher<Event>,
        critical: CriticalPublisher<Event>,
        terms: Arc<CachePadded<Terms>>,
        accept_from: AcceptFrom,
        skips: bool,
    ) -> ConsumerLink {
        ConsumerLink {
            gauge: market.gauge(),
            market,
            critical,
            terms,
            critical_sequence: 0,
            accept_from,
            skip_below: 0,
            skips,
            consumer,
            is_cut_off: false,
            withdrawn: 0,
        }
    }

    /// Publishes the events of a run that are `marked` for this consumer, in order; what finds no
    /// room waits in its cell. `evicted` gets what a full queue gives up, to be kept as a dead
    /// letter.
    #[inline]
    pub(super) fn offer_run(
        &mut self,
        staged: &[Event],
        run: Run,
        mut marked: u64,
        table: &RoutingTable,
        evicted: &mut impl FnMut(&Event),
    ) {
        if run.oldest_version < self.skip_below {
            marked = self.welcome(staged, marked);
        }
        if marked == 0 {
            return;
        }
        let Self { market, terms, consumer, .. } = self;
        let count = marked.count_ones() as usize;
        match run.kind {
            Some(kind) => terms.add(Term::Published, kind, count as u64),
            None => count_published(terms, marked_of(staged, marked).filter_map(Event::kind)),
        }
        let cell = |event: &Event| cell_of(table.cell(event, *consumer), event);
        market.offer_run(count, marked_of(staged, marked), cell, &mut |event, how| {
            count_displaced(terms, event, how);
            if how == Displaced::Evicted {
                evicted(event);
            }
        });
    }

    /// Takes the marks off those that are turned away.
    #[cold]
    fn welcome(&self, staged: &[Event], marked: u64) -> u64 {
        let is_welcome = |place: &u32| {
            let event = &staged[*place as usize];
            event.routing_version >= self.skip_below || !self.turns_away(event)
        };
        Bits(marked).filter(is_welcome).fold(0, |marked, place| marked | 1 << place)
    }

    /// Stages one market or reference event, to be published by [`Self::publish_staged`]; under
    /// load it waits in the cell of its route. `evicted` gets what a full queue gives up, to be
    /// kept as a dead letter. True when anything waits now.
    #[inline]
    pub(super) fn stage_market(
        &mut self,
        event: &Event,
        kind: EventKind,
        route: CellId,
        evicted: &mut impl FnMut(&Event),
    ) -> bool {
        if event.routing_version < self.skip_below && self.turns_away(event) {
            return false;
        }
        let Self { market, terms, .. } = self;
        terms.add(Term::Published, kind, 1);
        if market.stage(event) {
            return false;
        }
        let offered = market.offer_with(event, || cell_of(route, event), &mut |event, how| {
            count_displaced(terms, event, how);
            if how == Displaced::Evicted {
                evicted(event);
            }
        });
        offered == Offered::Held
    }

    /// Publishes what is staged.
    #[inline]
    pub(super) fn publish_staged(&mut self) {
        self.market.publish_staged();
    }

    /// Starts to take the next slot from the consumer's core, see
    /// [`pitlane_ring::Publisher::prefetch`].
    #[inline]
    pub(super) fn prefetch(&self) {
        self.market.prefetch();
    }

    /// Whether an event below `skip_below` is not for this consumer: stale market data, or anything
    /// once the consumer is stuck. It is counted then.
    #[cold]
    fn turns_away(&self, event: &Event) -> bool {
        let Some(kind) = event.kind() else { return false };
        let term = match (self.is_cut_off, kind.class()) {
            (true, _) => Term::Discarded,
            (false, EventClass::Market) => Term::Skipped,
            (false, EventClass::Reference | EventClass::Critical) => return false,
        };
        self.terms.add(Term::Published, kind, 1);
        self.terms.add(term, kind, 1);
        true
    }

    /// Offers a critical event, and counts it as published; under load it spills, in order. False
    /// when even the spill is full, or the consumer never takes anything again: the event is the
    /// caller's to keep.
    #[inline]
    pub(super) fn offer_critical(&mut self, event: &mut Event, kind: EventKind) -> bool {
        self.terms.add(Term::Published, kind, 1);
        event.critical_sequence = self.critical_sequence.wrapping_add(1);
        let is_taken = !self.is_cut_off && self.critical.offer(event).is_ok();
        if is_taken {
            self.critical_sequence = event.critical_sequence;
        }
        is_taken
    }

    /// Whether critical events of a consumer that is cut off wait for room among the dead letters.
    pub(super) fn has_spilled(&self) -> bool {
        self.critical.pending() > 0
    }

    /// Lets an event that was not taken wait for that; false when the spill is full.
    #[cold]
    pub(super) fn spill(&mut self, event: &mut Event) -> bool {
        event.critical_sequence = self.critical_sequence.wrapping_add(1);
        let is_taken = self.critical.spill(event).is_ok();
        if is_taken {
            self.critical_sequence = event.critical_sequence;
        }
        is_taken
    }

    /// Counts a critical event that it did not take as a dead letter.
    #[cold]
    pub(super) fn dead_letter(&self, kind: EventKind) {
        self.terms.add(Term::DeadLettered, kind, 1);
    }

    /// Whose link it is.
    pub(super) fn consumer(&self) -> ConsumerId {
        self.consumer
    }

    /// Publishes what is held back as far as there is room; returns how much.
    #[inline]
    pub(super) fn flush(&mut self) -> usize {
        if self.pending() == 0 || self.is_cut_off {
            return 0;
        }
        self.critical.flush() + self.market.flush()
    }

    /// Whether the consumer never takes anything again.
    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// To be called when the board has changed: whether the consumer never takes anything again.
    /// Its market data is discarded from then on, and counted.
    #[cold]
    pub(super) fn look_at(&mut self, board: &Quarantine) -> bool {
        if !self.is_cut_off && board.is_cut_off(self.consumer) {
            self.is_cut_off = true;
            self.skip_below = u32::MAX;
            let Self { market, terms, .. } = self;
            market.discard_pending(|_| true, &mut |event| {
                if let Some(kind) = event.kind() {
                    terms.add(Term::Discarded, kind, 1);
                }
            });
        }
        self.is_cut_off
    }

    /// Takes at most `limit` critical events of a consumer that is cut off out of the spill, oldest
    /// first, to be kept as dead letters. Returns how many.
    #[cold]
    pub(super) fn withdraw(&mut self, limit: usize, mut keep: impl FnMut(&Event)) -> usize {
        let Self { critical, terms, withdrawn, .. } = self;
        critical.take_pending(limit, |event| {
            *withdrawn += 1;
            if let Some(kind) = event.kind() {
                terms.add(Term::DeadLettered, kind, 1);
            }
            keep(event);
        })
    }

    /// Events held back.
    #[inline]
    pub(super) fn pending(&self) -> usize {
        self.critical.pending() + self.market.pending()
    }

    /// Market data stamped below `version` is stale from now on. Returns how much of it is queued.
    pub(super) fn accept_from(&mut self, version: u32) -> u64 {
        let queued = self.gauge.in_flight() + self.market.pending() as u64;
        self.accept_from.raise(version);
        if self.skips {
            self.skip_below = self.skip_below.max(version);
            let Self { market, terms, skip_below, .. } = self;
            let is_stale = |event: &Event| {
                event.routing_version < *skip_below
                    && event.kind().is_some_and(|kind| kind.class() == EventClass::Market)
            };
            market.discard_pending(is_stale, &mut |event| {
                if let Some(kind) = event.kind() {
                    terms.add(Term::Skipped, kind, 1);
                }
            });
        }
        queued
    }

    /// Its side of the account as it is now, between two events; see [`super::cut`].
    #[cold]
    pub(super) fn cut(&self, cut: &mut LinkCut) {
        self.terms.copy_to(&mut cut.terms);
        cut.held = KindCounts::default();
        self.market.for_each_pending(|event| {
            if let Some(kind) = event.kind() {
                cut.held.add(kind, 1);
            }
        });
        cut.market_published = self.gauge.published();
        cut.is_cut_off = self.is_cut_off;
    }

    /// Takes more cells; `memory` comes back with the old ones.
    pub(super) fn extend_cells(&mut self, memory: &mut CellMemory<Event>) {
        self.market.extend_cells(memory);
    }

    /// Counts what is held back and closes the lanes.
    pub(super) fn close(self) -> LinkTotals {
        let mut in_flight = KindCounts::default();
        let mut count = |event: &Event| {
            if let Some(kind) = event.kind() {
                in_flight.add(kind, 1);
            }
        };
        self.critical.for_each_pending(&mut count);
        self.market.for_each_pending(&mut count);
        // What was withdrawn is the newest: nothing was published behind it.
        LinkTotals { in_flight, critical_issued: self.critical_sequence - self.withdrawn }
    }
}

/// Counts a run, with one addition for each row of events of the same kind.
#[inline]
fn count_published(terms: &Terms, mut kinds: impl Iterator<Item = EventKind>) {
    let Some(mut current) = kinds.next() else { return };
    let mut count = 1;
    for kind in kinds {
        if kind == current {
            count += 1;
            continue;
        }
        terms.add(Term::Published, current, count);
        (current, count) = (kind, 1);
    }
    terms.add(Term::Published, current, count);
}

#[inline]
fn count_displaced(terms: &Terms, event: &Event, how: Displaced) {
    let term = match how {
        Displaced::Conflated => Term::Conflated,
        Displaced::Aggregated => Term::Aggregated,
        Displaced::Evicted => Term::DeadLettered,
    };
    if let Some(kind) = event.kind() {
        terms.add(term, kind, 1);
    }
}

#[cfg(test)]
mod tests {
    use pitlane_ring::{CellGroupSpec, Consumer, LaneOptions, lane};

    use super::super::routing::{RouteBook, RouteKey};
    use super::*;
    use crate::event::{ControlResult, InstrumentId, Quote, VenueId};
    use crate::instrument::Instruments;
    use crate::safety::QuarantineReason;

    /// A link whose lanes have two slots each; nobody reads them.
    fn link() -> (ConsumerLink, [Consumer<Event>; 2]) {
        link_with(&[])
    }

    fn link_with(cells: &[CellGroupSpec]) -> (ConsumerLink, [Consumer<Event>; 2]) {
        let options = |name: &str| LaneOptions { name: name.to_owned(), capacity: 2 };
        let (market, market_end) = lane(options("market"));
        let (critical, critical_end) = lane(options("critical"));
        let market = MarketPublisher::new(market, cells);
        let critical = CriticalPublisher::new(critical, 8);
        let (terms, accept_from) = (Terms::new(), AcceptFrom::default());
        let link = ConsumerLink::new(ConsumerId(0), market, critical, terms, accept_from, false);
        (link, [market_end, critical_end])
    }

    #[test]
    fn what_waits_in_a_cell_and_is_made_stale_by_a_flip_is_skipped() {
        let mut book = RouteBook::new(1, 1, Instruments::of_test(1));
        let (venue, instrument) = (VenueId(0), InstrumentId(0));
        let key = RouteKey { venue, instrument, kind: EventKind::Quote, consumer: ConsumerId(0) };
        book.add(key);
        let table = book.table(&[key].into());
        let (mut link, _ends) = link_with(book.cells(ConsumerId(0)));
        link.skips = true;
        let quote = Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 };
        let event = Event::new(&quote);
        let cell = table.routes(&event)[0].cell;
        for _ in 0..3 {
            link.stage_market(&event, EventKind::Quote, cell, &mut |_event| ());
            link.publish_staged();
        }
        assert_eq!((link.gauge.in_flight(), link.pending()), (2, 1));
        assert_eq!(link.accept_from(1), 3, "what lies in the lane is the consumer's to skip");
        assert_eq!((link.pending(), link.terms.read(Term::Skipped).total()), (0, 1));
    }

    #[test]
    fn what_was_withdrawn_was_never_issued() {
        let (mut link, _ends) = link();
        let result = ControlResult { command_id: 1, consumer: 0, code: 0, phase: 0 };
        let mut event = Event::new(&result);
        for _ in 0..5 {
            assert!(link.offer_critical(&mut event, EventKind::ControlResult));
        }
        assert_eq!(link.withdraw(2, |_event| ()), 2);
        let totals = link.close();
        assert_eq!((totals.critical_issued, totals.in_flight.total()), (3, 1));
    }

    #[test]
    fn what_is_given_up_is_in_the_account_of_its_cause() {
        let quote = Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 };
        let (terms, event) = (Terms::new(), Event::new(&quote));
        for (how, term) in [
            (Displaced::Conflated, Term::Conflated),
            (Displaced::Aggregated, Term::Aggregated),
            (Displaced::Evicted, Term::DeadLettered),
        ] {
            let before = terms.read(term).total();
            count_displaced(&terms, &event, how);
            assert_eq!(terms.read(term).total(), before + 1, "{term:?}");
        }
    }

    #[test]
    fn a_consumer_that_is_cut_off_gets_nothing_more() {
        let (mut link, mut ends) = link();
        let result = ControlResult { command_id: 1, consumer: 0, code: 0, phase: 0 };
        let mut event = Event::new(&result);
        for _ in 0..5 {
            assert!(link.offer_critical(&mut event, EventKind::ControlResult));
        }
        let board = Quarantine::new(1, false);
        board.raise(ConsumerId(0), QuarantineReason::Overrun);
        assert!(link.look_at(&board));
        assert!(!link.offer_critical(&mut event, EventKind::ControlResult));
        ends[1].poll(2, |_event| ());
        assert_eq!((link.flush(), link.pending()), (0, 3), "its spill goes to the dead letters");
        let quote = Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 });
        assert_eq!(link.welcome(&[quote], 1), 0);
        let terms = &link.terms;
        assert_eq!(terms.read(Term::Discarded).get(EventKind::Quote), 1);
        assert_eq!(terms.read(Term::Skipped).total(), 0);
    }

    #[test]
    fn of_a_run_that_spans_a_flip_what_is_older_is_turned_away() {
        let (mut link, _ends) = link();
        link.skip_below = 3;
        let mut staged =
            [Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 }); 3];
        for (event, version) in staged.iter_mut().zip(2..) {
            event.routing_version = version;
        }
        assert_eq!(link.welcome(&staged, 0b111), 0b110);
        assert_eq!(link.terms.read(Term::Skipped).total(), 1);
    }

    #[test]
    fn a_run_of_several_kinds_is_counted_by_kind() {
        let terms = Terms::new();
        let (quote, trade) = (EventKind::Quote, EventKind::Trade);
        count_published(&terms, [quote, quote, trade, trade, quote].into_iter());
        let published = terms.read(Term::Published);
        assert_eq!((published.get(quote), published.get(trade)), (3, 2));
    }
}
