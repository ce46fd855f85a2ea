//! The windows of all rules, driven by the orchestrator; the rules of the game are in [`super`].

use std::sync::Arc;

use pitlane_ring::{Conflate, Pool, PoolGauge, Record};
use zerocopy::FromZeros;

use super::rule::{MERGE_RULES_MAX, MERGE_VENUES_MAX, MergeRule, bits};
use super::stats::Suppressed;
use super::window::{Window, bar_key};
use super::{MergeCounts, MergePort, MergeTable, bar, book, quote, trade};
use crate::event::{Bar, BookState, BookStatus, Event, EventKind, Merged, SCHEMA_VERSION};

/// Merges. Owned by the orchestrator's agent.
pub(crate) struct Merger {
    table: Box<MergeTable>,
    /// By rule.
    slots: Box<[Slot]>,
    pool: Pool<Event>,
    /// Bit n set: rule n has an open window.
    open: u64,
    /// No open window ends before it.
    deadline_ns: u64,
    /// Windows opened so far: their ages.
    ages: u64,
    port: Arc<MergePort>,
    /// A table on its way back whose place was just being looked at.
    finished: Option<Box<MergeTable>>,
    /// Where merged events are built.
    scratch: Box<Event>,
}

struct Slot {
    window: Window,
    /// What is stamped before it belongs to a window that is closed.
    closed_ns: u64,
    /// Number of the last merged event.
    sequence: u64,
}

/// What is left of the windows after the engine stopped.
#[derive(Clone, Copy, Debug, Default)]
pub struct MergeTotals {
    /// The counters, summed over all rules.
    pub counts: MergeCounts,
    /// Places of the pool that were never returned: 0.
    pub owned: u64,
}

impl Merger {
    /// A merger without rules and with `places` for contributions.
    ///
    /// # Panics
    /// When there are fewer places than one window may need.
    pub(crate) fn new(port: Arc<MergePort>, places: usize) -> Merger {
        assert!(places >= MERGE_VENUES_MAX, "a window needs {MERGE_VENUES_MAX} places");
        let slot = |_| Slot { window: Window::new(), closed_ns: 0, sequence: 0 };
        Merger {
            table: Box::default(),
            slots: (0..MERGE_RULES_MAX).map(slot).collect(),
            pool: Pool::new("merge", places, Event::new_zeroed),
            open: 0,
            deadline_ns: u64::MAX,
            ages: 0,
            port,
            finished: None,
            scratch: Box::new(Event::new_zeroed()),
        }
    }

    /// A view of the pool for other threads.
    pub(crate) fn gauge(&self) -> PoolGauge {
        self.pool.gauge()
    }

    /// When a window ends next; `u64::MAX` when none is open. May be early.
    #[inline]
    pub(crate) fn next_timer_ns(&self) -> u64 {
        self.deadline_ns
    }

    /// Whether a table on its way back has to be tried again.
    pub(crate) fn has_pending(&self) -> bool {
        self.finished.is_some()
    }

    /// Between two events: takes a staged table and sends the old one back. Returns the work done.
    #[inline]
    pub(crate) fn change_if_staged(&mut self) -> usize {
        if self.finished.is_none() && !self.port.staged.is_full() {
            return 0;
        }
        self.change()
    }

    /// Offers an event that was stamped with `version`. `emit` gets each merged event that it
    /// completes.
    #[inline]
    pub(crate) fn offer(&mut self, event: &Event, version: u32, emit: &mut impl FnMut(&Event)) {
        if self.table.is_empty() {
            return;
        }
        if event.kind_code == EventKind::BookState.code() {
            self.book_state(event);
            return;
        }
        for rule in bits(self.table.feeds(event)) {
            self.contribute(rule, event, version, emit);
        }
    }

    /// Suppresses the windows whose time is over at `now_ns`.
    pub(crate) fn expire(&mut self, now_ns: u64) -> usize {
        if now_ns < self.deadline_ns {
            return 0;
        }
        let mut count = 0;
        for rule in bits(self.open) {
            if self.end_ns(rule) <= now_ns {
                self.suppress(rule, Suppressed::Timeout);
                count += 1;
            }
        }
        self.find_deadline();
        count
    }

    /// Suppresses every open window: nothing of them outlives the engine (LM-09).
    pub(crate) fn stop(&mut self) {
        bits(self.open).for_each(|rule| self.suppress(rule, Suppressed::Stopped));
        self.deadline_ns = u64::MAX;
    }

    /// The account, after [`Merger::stop`].
    pub(crate) fn finish(&self) -> MergeTotals {
        MergeTotals { counts: self.port.stats.total(), owned: self.pool.owned() as u64 }
    }

    #[cold]
    fn change(&mut self) -> usize {
        if let Some(finished) = self.finished.take() {
            self.finished = self.port.done.put(finished).err();
        }
        // One change at a time, so that the old table has a place to go to.
        if self.finished.is_some() || self.port.done.is_full() {
            return 0;
        }
        let Some(table) = self.port.staged.take() else { return 0 };
        for id in 0..MERGE_RULES_MAX {
            if self.table.rule(id) == table.rule(id) {
                continue;
            }
            if self.open & (1 << id) != 0 {
                self.suppress(id, Suppressed::RuleChanged);
            }
            self.slots[id].closed_ns = 0;
        }
        let old = std::mem::replace(&mut self.table, table);
        self.find_deadline();
        self.finished = self.port.done.put(old).err();
        1
    }

    fn contribute(
        &mut self,
        id: usize,
        event: &Event,
        version: u32,
        emit: &mut impl FnMut(&Event),
    ) {
        let Some(&rule) = self.table.rule(id) else { return };
        self.port.stats.rule(id).offered.increment();
        let at_ns = event.receive_ns;
        if self.open & (1 << id) != 0 && at_ns >= self.end_ns(id) {
            self.suppress(id, Suppressed::Timeout);
            self.find_deadline();
        }
        if at_ns < self.slots[id].closed_ns || !self.takes_bar(id, event) {
            self.port.stats.rule(id).late.increment();
            return;
        }
        if self.open & (1 << id) == 0 {
            self.open_window(id, &rule, event);
        }
        self.take(id, event, version);
        let window = &mut self.slots[id].window;
        window.events += 1;
        window.latest_ns = window.latest_ns.max(at_ns);
        if window.seen == rule.providers {
            self.complete(id, &rule, event, emit);
        } else if window.events >= rule.max_events {
            self.suppress(id, Suppressed::Count);
            self.find_deadline();
        }
    }

    /// Whether a bar belongs into the open window; makes room for one that begins later. Anything
    /// else than a bar belongs.
    fn takes_bar(&mut self, id: usize, event: &Event) -> bool {
        let Some(bar) = event.get::<Bar>() else { return true };
        let window = &mut self.slots[id].window;
        if self.open & (1 << id) == 0 || window.seen == 0 {
            window.bar = bar_key(bar);
            return true;
        }
        let (start_ns, interval_s) = window.bar;
        if bar.interval_s != interval_s || bar.open_time_ns < start_ns {
            return false;
        }
        if bar.open_time_ns > start_ns {
            window.bar = bar_key(bar);
            let count = window.clear(&mut self.pool);
            self.port.stats.rule(id).replaced.add(count);
        }
        true
    }

    fn open_window(&mut self, id: usize, rule: &MergeRule, event: &Event) {
        self.ages += 1;
        self.slots[id].window.open(event.receive_ns, self.ages);
        self.open |= 1 << id;
        self.deadline_ns = self.deadline_ns.min(event.receive_ns.saturating_add(rule.window_ns));
        self.port.stats.rule(id).opened.increment();
    }

    /// Takes the event as its venue's contribution.
    fn take(&mut self, id: usize, event: &Event, version: u32) {
        let venue = usize::from(event.venue);
        let stats = self.port.stats.rule(id);
        if let Some(handle) = self.slots[id].window.part(venue)
            && let Some(earlier) = self.pool.get_mut(handle)
        {
            if event.kind_code == EventKind::Trade.code() {
                let version = version.min(earlier.routing_version);
                let _how = earlier.absorb(event);
                earlier.routing_version = version;
                stats.aggregated.increment();
            } else {
                earlier.copy_used_from(event);
                earlier.routing_version = version;
                stats.replaced.increment();
            }
            return;
        }
        let handle = match self.pool.claim() {
            Some(handle) => Some(handle),
            None => {
                self.evict(id);
                self.pool.claim()
            }
        };
        let Some(handle) = handle else {
            debug_assert!(false, "the pool holds at least one window");
            return;
        };
        if let Some(place) = self.pool.get_mut(handle) {
            place.copy_used_from(event);
            place.routing_version = version;
        }
        self.slots[id].window.put(venue, handle);
    }

    /// Suppresses the oldest window but that of `id`, to make room for it.
    #[cold]
    fn evict(&mut self, id: usize) {
        let others = bits(self.open & !(1 << id)).filter(|of| self.slots[*of].window.seen != 0);
        if let Some(oldest) = others.min_by_key(|of| self.slots[*of].window.age) {
            self.suppress(oldest, Suppressed::Evicted);
            self.find_deadline();
        }
    }

    fn complete(
        &mut self,
        id: usize,
        rule: &MergeRule,
        last: &Event,
        emit: &mut impl FnMut(&Event),
    ) {
        self.build(id, rule, last);
        let Slot { window, closed_ns, .. } = &mut self.slots[id];
        let count = window.clear(&mut self.pool);
        *closed_ns = window.latest_ns;
        self.open &= !(1 << id);
        if self.open == 0 {
            self.deadline_ns = u64::MAX;
        }
        let stats = self.port.stats.rule(id);
        stats.complete.increment();
        stats.merged.add(count);
        emit(&self.scratch);
    }

    /// Builds the merged event of a complete window.
    fn build(&mut self, id: usize, rule: &MergeRule, last: &Event) {
        let Self { slots, pool, scratch, port, .. } = self;
        let Slot { window, sequence, .. } = &mut slots[id];
        *sequence += 1;
        let parts = window.parts(pool);
        let latest_ns = parts.iter().map(|part| part.receive_ns).max().unwrap_or(0);
        let (mut skew_ns, mut version) = (0, u32::MAX);
        for part in parts.iter() {
            let behind_ns = latest_ns - part.receive_ns;
            skew_ns = behind_ns.max(skew_ns);
            version = part.routing_version.min(version);
            let stats = port.stats.venue(id, usize::from(part.venue));
            stats.skew_last_ns.set(behind_ns);
            stats.skew_max_ns.raise(behind_ns);
            stats.skew_sum_ns.add(behind_ns);
        }
        scratch.schema = SCHEMA_VERSION;
        scratch.kind_code = EventKind::Merged.code();
        scratch.venue = rule.id;
        scratch.instrument = rule.instrument.0;
        scratch.routing_version = version;
        scratch.trace_id = last.trace_id;
        scratch.sequence = *sequence;
        scratch.venue_time_ns = last.venue_time_ns;
        scratch.receive_ns = last.receive_ns;
        scratch.decode_after_ns = last.decode_after_ns;
        let mut levels = (0, 0);
        if let Some(merged) = scratch.get_mut::<Merged>() {
            merged.providers = window.seen;
            merged.skew_ns = u32::try_from(skew_ns).unwrap_or(u32::MAX);
            merged.count = window.events;
            merged.last_venue = last.venue;
            (merged.bid_venue, merged.ask_venue) = (0, 0);
            match rule.kind {
                EventKind::Quote => quote::combine(parts, merged),
                EventKind::Trade => trade::combine(parts, merged),
                EventKind::Bar => bar::combine(parts, merged),
                _ => levels = book::combine(parts, merged),
            }
        }
        (scratch.bid_levels, scratch.ask_levels) = levels;
    }

    fn suppress(&mut self, id: usize, reason: Suppressed) {
        let end_ns = if reason == Suppressed::Timeout {
            self.end_ns(id)
        } else {
            self.slots[id].window.latest_ns
        };
        let providers = self.table.rule(id).map_or(0, |rule| rule.providers);
        let Slot { window, closed_ns, .. } = &mut self.slots[id];
        for missing in bits(providers & !window.seen) {
            self.port.stats.venue(id, missing).missing.increment();
        }
        let count = window.clear(&mut self.pool);
        *closed_ns = end_ns;
        self.open &= !(1 << id);
        let stats = self.port.stats.rule(id);
        stats.suppressed_events.add(count);
        stats.suppressed(reason);
    }

    /// A book that is not live contributes nothing.
    #[cold]
    fn book_state(&mut self, event: &Event) {
        let is_live =
            event.get::<BookState>().is_some_and(|state| state.status() == Some(BookStatus::Live));
        if is_live {
            return;
        }
        let feeds = self.table.feeds_of(event.venue, event.instrument, EventKind::Book);
        for id in bits(feeds & self.open) {
            let window = &mut self.slots[id].window;
            if window.part(usize::from(event.venue)).is_some() {
                window.withdraw(usize::from(event.venue), &mut self.pool);
                self.port.stats.rule(id).withdrawn.increment();
            }
        }
    }

    /// When the open window of a rule ends.
    #[inline]
    fn end_ns(&self, id: usize) -> u64 {
        let length_ns = self.table.rule(id).map_or(0, |rule| rule.window_ns);
        self.slots[id].window.opened_ns.saturating_add(length_ns)
    }

    fn find_deadline(&mut self) {
        self.deadline_ns = bits(self.open).map(|id| self.end_ns(id)).min().unwrap_or(u64::MAX);
    }
}
