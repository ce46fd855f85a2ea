//! Trace ids: unique over all that makes events in a run, without anything shared (LM-08).

use super::ConsumerId;

/// Bits for the count; the source's number lies above them.
const COUNT_BITS: u32 = 48;

/// Numbers of sources from here on are not those of sessions.
const DISPATCHER: u64 = 0x7FFE;
const CONTROLLER: u64 = 0x7FFF;
const CONSUMERS: u64 = 0x8000;

/// What makes events, or callbacks without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceSource {
    /// A session with a venue, by its number in the engine; below 32,766.
    Session(u16),
    /// The dispatcher: begin and end of flips.
    Dispatcher,
    /// The controller: answers to commands, risk notices.
    Controller,
    /// A consumer: timers and other callbacks without an event.
    Consumer(ConsumerId),
}

/// Gives out trace ids: the source's number in the upper 16 bits, a count below.
#[derive(Debug)]
pub struct TraceIds {
    source: u64,
    count: u64,
}

impl TraceIds {
    /// Ids of the session with this number, from 0.
    #[must_use]
    pub fn new(session_number: u16) -> TraceIds {
        TraceIds::of(TraceSource::Session(session_number))
    }

    /// Ids of this source.
    #[must_use]
    pub fn of(source: TraceSource) -> TraceIds {
        let number = match source {
            TraceSource::Session(number) => u64::from(number) + 1,
            TraceSource::Dispatcher => DISPATCHER,
            TraceSource::Controller => CONTROLLER,
            TraceSource::Consumer(consumer) => CONSUMERS | u64::from(consumer.0),
        };
        TraceIds { source: number << COUNT_BITS, count: 0 }
    }

    /// The next id; never 0. The count lasts for nine years at a million events a second.
    #[inline]
    pub fn next_id(&mut self) -> u64 {
        self.count += 1;
        self.source | (self.count & ((1 << COUNT_BITS) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_sources_differ_and_none_is_zero() {
        let consumer = |number| TraceSource::Consumer(ConsumerId(number));
        let sources = [
            TraceSource::Session(0),
            TraceSource::Session(1),
            TraceSource::Dispatcher,
            TraceSource::Controller,
            consumer(0),
            consumer(255),
        ];
        let mut ids = std::collections::BTreeSet::new();
        for source in sources {
            let mut traces = TraceIds::of(source);
            assert!(ids.insert(traces.next_id()) && ids.insert(traces.next_id()), "{source:?}");
        }
        assert!(!ids.contains(&0));
    }
}
