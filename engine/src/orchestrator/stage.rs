//! The orchestrator's stage: from the links of all venues to the dispatcher.

use std::sync::Arc;

use pitlane_ring::Consumer;

use super::merge::{MergePort, MergeTotals, Merger};
use crate::event::Event;
use crate::world::Clock;

/// Events taken from one link in a duty cycle.
const BATCH: usize = 64;

/// How long a window may be held open by what still lies in the links, ns.
const BACKLOG_NS: u64 = 10_000_000;

/// An event in the slot that its venue wrote, which nobody writes to any more, with what holds for
/// it from here on.
#[derive(Clone, Copy)]
pub(crate) struct Stamped<'e> {
    pub(crate) event: &'e Event,
    /// The routing version under which it was taken (FR-014).
    pub(crate) version: u32,
    /// When it was taken, ns of the engine's clock.
    pub(crate) now_ns: u64,
}

impl<'e> Stamped<'e> {
    /// One that was kept, with the version that it was kept with.
    #[inline]
    pub(crate) fn held(event: &'e Event, now_ns: u64) -> Stamped<'e> {
        Stamped { event, version: event.routing_version, now_ns }
    }
}

/// The stage ahead. It takes every event at once, whatever its consumers do.
pub(crate) trait Onward {
    /// Takes an event of a critical kind.
    fn critical(&mut self, stamped: Stamped<'_>);

    /// Takes any other.
    fn market(&mut self, stamped: Stamped<'_>);
}

/// Hands events on in order, and merged events behind those that complete them. It has no lane and
/// no duty cycle of its own: both stages always share a core, so the dispatcher drives it, and
/// gets each event where it lies.
pub(crate) struct Orchestrator {
    /// In order of precedence: order sessions and the gateway before market data.
    links: Vec<Consumer<Event>>,
    merger: Merger,
}

/// What the orchestrator leaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrchestratorTotals {
    /// Events left in the links.
    pub left: u64,
    /// What became of the windows.
    pub merge: MergeTotals,
}

impl Orchestrator {
    /// Merge rules come from `merge`, and without any it costs one branch an event; there are
    /// `merge_places` places for contributions to windows.
    pub(crate) fn new(
        links: Vec<Consumer<Event>>,
        merge: Arc<MergePort>,
        merge_places: usize,
    ) -> Orchestrator {
        Orchestrator { links, merger: Merger::new(merge, merge_places) }
    }

    /// A view of the pool of contributions for other threads.
    pub(crate) fn pool_gauge(&self) -> pitlane_ring::PoolGauge {
        self.merger.gauge()
    }

    /// Between two events: takes staged merge rules. Returns the work done.
    #[inline]
    pub(crate) fn change_if_staged(&mut self) -> usize {
        self.merger.change_if_staged()
    }

    /// Whether every link is closed and empty.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.links.iter().all(Consumer::is_closed)
    }

    /// Whether merge rules wait to be sent back.
    pub(crate) fn has_pending(&self) -> bool {
        self.merger.has_pending()
    }

    /// When a window ends, ns; `u64::MAX` when none is open.
    #[inline]
    pub(crate) fn next_timer_ns(&self) -> u64 {
        self.merger.next_timer_ns()
    }

    /// Hands on what lies in the links, at most 64 events of each, then closes the windows whose
    /// time is over. Where a timer is set, `now_ns` was read before, so that what was received
    /// until then comes before a window's end; else the clock is read once there is an event.
    /// Returns the work done.
    // One caller, which runs it for each event: a call of its own would cost more than its loop.
    #[inline(always)]
    pub(crate) fn poll(
        &mut self,
        version: u32,
        mut now_ns: Option<u64>,
        clock: &Clock,
        ahead: &mut impl Onward,
    ) -> usize {
        let Self { links, merger } = self;
        let (mut work, mut drained) = (0, true);
        for link in links {
            if !link.has_available() {
                continue;
            }
            // One reading for the whole run: all of it is taken within a microsecond or two.
            let now_ns = *now_ns.get_or_insert_with(|| clock.now_ns());
            let taken = link.poll(BATCH, |event| {
                let stamped = Stamped { event, version, now_ns };
                if event.kind().is_some_and(|kind| kind.is_critical()) {
                    ahead.critical(stamped);
                } else {
                    ahead.market(stamped);
                }
                merger.offer(event, version, &mut |merged| {
                    ahead.market(Stamped::held(merged, now_ns));
                });
            });
            drained &= taken < BATCH;
            work += taken;
        }
        let Some(now_ns) = now_ns else { return work };
        // What still lies in the links may belong to a window: it is given some time to come out.
        work + merger.expire(if drained { now_ns } else { now_ns.saturating_sub(BACKLOG_NS) })
    }

    /// Suppresses the windows that are open: nothing more is handed on.
    pub(crate) fn stop(&mut self) {
        self.merger.stop();
    }

    /// The account, after [`Orchestrator::stop`].
    pub(crate) fn finish(&mut self) -> OrchestratorTotals {
        let links = self.links.iter_mut();
        let left = links.map(|link| link.poll(usize::MAX, |_event| ()) as u64).sum();
        OrchestratorTotals { left, merge: self.merger.finish() }
    }
}

#[cfg(test)]
mod tests {
    use pitlane_ring::{LaneOptions, lane};

    use super::super::merge::{MergeRule, MergeTable};
    use super::*;
    use crate::event::{EventKind, InstrumentId, Quote};

    const WINDOW_NS: u64 = 1_000;

    /// Counts what is handed on.
    #[derive(Default)]
    struct Count(usize);

    impl Onward for Count {
        fn critical(&mut self, _stamped: Stamped<'_>) {
            self.0 += 1;
        }

        fn market(&mut self, _stamped: Stamped<'_>) {
            self.0 += 1;
        }
    }

    fn quote(venue: u16, instrument: u32, receive_ns: u64) -> Event {
        let mut event = Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 });
        (event.venue, event.instrument, event.receive_ns) = (venue, instrument, receive_ns);
        event
    }

    #[test]
    fn a_window_waits_for_what_still_lies_in_the_links() {
        let (mut link, end) = lane(LaneOptions { name: "link".to_owned(), capacity: 1_024 });
        let merge = Arc::<MergePort>::default();
        let rule = MergeRule {
            id: 0,
            instrument: InstrumentId(2),
            kind: EventKind::Quote,
            providers: 0b11,
            window_ns: WINDOW_NS,
            max_events: 5,
        };
        assert!(merge.staged.put(Box::new(MergeTable::new(&[rule]).unwrap())).is_ok());
        let mut orchestrator = Orchestrator::new(vec![end], Arc::clone(&merge), 64);
        orchestrator.change_if_staged();
        // The second contribution came in time, but lies behind more than two batches.
        let others = (0..2 * BATCH).map(|_| quote(0, 3, 1));
        for event in [quote(0, 2, 0)].into_iter().chain(others).chain([quote(1, 2, 500)]) {
            link.try_publish(&event).expect("the lane has room");
        }
        let mut ahead = Count::default();
        let late_ns = WINDOW_NS + 500;
        let (clock, _time) = Clock::manual(0);
        let mut poll_at = |now_ns| orchestrator.poll(1, Some(now_ns), &clock, &mut ahead);
        assert!((0..3).all(|_| poll_at(late_ns) > 0));
        assert_eq!(poll_at(late_ns), 0, "all of it has come out");
        let counts = merge.stats.read(0).unwrap();
        assert_eq!((counts.complete, counts.suppressed_timeout), (1, 0), "{counts:?}");
        // With the links empty a window ends in time.
        link.try_publish(&quote(0, 2, late_ns)).expect("the lane has room");
        poll_at(late_ns);
        poll_at(late_ns + WINDOW_NS);
        assert_eq!(merge.stats.read(0).unwrap().suppressed_timeout, 1);
        assert_eq!(ahead.0, 2 * BATCH + 4, "with the merged one");
    }
}
