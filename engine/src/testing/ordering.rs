//! Merging and stream order alone, for benches.

use std::sync::Arc;

use crate::dispatcher::sequencing::{Sequencer, SequencerOptions};
use crate::event::{Event, EventKind, InstrumentId, Price, Qty, Quote, Side, Trade};
use crate::orchestrator::Stamped;
use crate::orchestrator::merge::{MergePort, MergeRule, MergeTable, Merger};
use crate::venue::{StreamOrder, StreamOrders};

/// The routing version of every event here.
const VERSION: u32 = 1;
/// Venues whose events a merger gets, in turn.
const VENUES: u64 = 3;

/// A merger to whose one instrument three venues contribute.
pub struct BareMerger {
    merger: Merger,
    events: [Event; VENUES as usize],
}

impl BareMerger {
    /// Quotes of three venues, merged by one rule or, without it, let past.
    ///
    /// # Panics
    /// Never: the rule is a good one.
    #[must_use]
    pub fn new(has_rule: bool) -> BareMerger {
        let port = Arc::<MergePort>::default();
        let mut merger = Merger::new(Arc::clone(&port), 64);
        if has_rule {
            let rule = MergeRule {
                id: 0,
                instrument: InstrumentId(0),
                kind: EventKind::Quote,
                providers: (1 << VENUES) - 1,
                window_ns: 1_000_000,
                max_events: 100,
            };
            let table = MergeTable::new(&[rule]).expect("a good rule");
            assert!(port.staged.put(Box::new(table)).is_ok(), "nothing else is staged");
            merger.change_if_staged();
        }
        let events = [0, 1, 2].map(|venue| {
            let mut event =
                Event::new(&Quote { bid_price: 50, bid_qty: 1, ask_price: 60, ask_qty: 1 });
            event.venue = venue;
            event
        });
        BareMerger { merger, events }
    }

    /// Offers the event of this number, from 0; how many merged ones came of it.
    #[inline]
    pub fn offer(&mut self, number: u64) -> u64 {
        let event = &mut self.events[(number % VENUES) as usize];
        event.receive_ns = number;
        let mut merged = 0;
        self.merger.offer(event, VERSION, &mut |event| {
            std::hint::black_box(event);
            merged += 1;
        });
        merged
    }
}

/// A sequencer and two streams of trades, each in order.
pub struct BareSequencer {
    sequencer: Sequencer,
    event: Event,
}

impl BareSequencer {
    /// Streams of no order at all, or whose numbers must follow each other.
    #[must_use]
    pub fn new(is_ordered: bool) -> BareSequencer {
        let order = if is_ordered { StreamOrder::Contiguous } else { StreamOrder::Unsequenced };
        let orders = StreamOrders { trade: order, ..StreamOrders::default() };
        let sequencer = Sequencer::new(&SequencerOptions {
            venues: vec![orders; 2],
            instruments: 1,
            lateness_ns: 1_000,
            max_buffered: 4,
            held_events: 8,
            flood_events_per_s: 0,
            flood_burst: 1,
        });
        let event = Event::new(&Trade::single(Price(1), Qty(1), Side::Buy));
        BareSequencer { sequencer, event }
    }

    /// Admits the event of this number, from 0; how many came out.
    #[inline]
    pub fn admit(&mut self, number: u64) -> u64 {
        self.event.venue = (number % 2) as u16;
        self.event.sequence = number / 2 + 1;
        let stamped = Stamped { event: &self.event, version: VERSION, now_ns: number };
        let mut passed = 0;
        self.sequencer.admit(stamped, &mut |stamped| {
            std::hint::black_box(stamped.event.sequence);
            passed += 1;
        });
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_what_is_meant() {
        let merged = |has_rule| {
            let mut merger = BareMerger::new(has_rule);
            (0..300).map(|number| merger.offer(number)).sum::<u64>()
        };
        assert_eq!((merged(false), merged(true)), (0, 100), "one of three venues each");
        for is_ordered in [false, true] {
            let mut sequencer = BareSequencer::new(is_ordered);
            let passed: u64 = (0..100).map(|number| sequencer.admit(number)).sum();
            assert_eq!(passed, 100, "all of it is in order");
        }
    }
}
