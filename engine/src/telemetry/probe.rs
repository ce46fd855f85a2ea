//! Recording on the hot path: histograms owned by the agent that records, swapped out as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_utils::CachePadded;
use hdrhistogram::Histogram;
use pitlane_ring::{Exchange, prefetch_line};

use super::fanout::FanoutSample;
use super::hlog::{coarse_histogram, new_histogram};
use crate::event::Event;

/// Fan-out samples that a consumer keeps between two swaps; further ones are counted, not kept.
const SAMPLES_MAX: usize = 16_384;

/// The histograms of one agent over one interval.
pub struct HistogramSet {
    /// Names of the probe it belongs to.
    names: Arc<[String]>,
    /// Values in ns, in the order of the names the probe was made with.
    pub histograms: Vec<Histogram<u64>>,
    /// Handled stamps to be joined over consumers.
    pub samples: Vec<FanoutSample>,
    /// Samples that found no room.
    pub samples_dropped: u64,
}

impl HistogramSet {
    fn new(names: Arc<[String]>, samples_max: usize) -> HistogramSet {
        HistogramSet::of(names, samples_max, new_histogram)
    }

    fn of(names: Arc<[String]>, samples_max: usize, make: fn() -> Histogram<u64>) -> HistogramSet {
        HistogramSet {
            histograms: (0..names.len()).map(|_| make()).collect(),
            names,
            samples: Vec::with_capacity(samples_max),
            samples_dropped: 0,
        }
    }

    /// Whether this set is of the probe at the other end of `link`.
    #[must_use]
    pub fn belongs_to(&self, link: &ProbeLink) -> bool {
        Arc::ptr_eq(&self.names, &link.names)
    }

    /// Takes the recorded values out and leaves an empty set of the same probe.
    pub(super) fn take(&mut self) -> HistogramSet {
        let empty = HistogramSet::new(Arc::clone(&self.names), 0);
        std::mem::replace(self, empty)
    }

    /// Empties the set and keeps its memory.
    pub fn reset(&mut self) {
        self.histograms.iter_mut().for_each(Histogram::reset);
        self.samples.clear();
        self.samples_dropped = 0;
    }
}

/// How often the probes that share this were asked for their sets, all together: a consumer looks
/// at one line that all of its thread look at, instead of at its own link. Clones are the same
/// count.
#[derive(Clone, Debug, Default)]
pub struct Asks(Arc<CachePadded<AtomicU32>>);

impl Asks {
    #[inline]
    fn count(&self) -> u32 {
        // Acquire: who sees that it was asked sees the set that was offered.
        self.0.load(Ordering::Acquire)
    }
}

/// The two ways between an agent's probe and the collector.
pub struct ProbeLink {
    pub(super) names: Arc<[String]>,
    asks: Asks,
    to_agent: Exchange<HistogramSet>,
    to_collector: Exchange<HistogramSet>,
}

impl ProbeLink {
    /// Offers an empty set; the agent answers with its full one at its next duty cycle.
    pub(super) fn ask(&self, empty: Box<HistogramSet>) -> Result<(), Box<HistogramSet>> {
        self.to_agent.put(empty)?;
        self.asks.0.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Takes the answer, if it is there.
    pub(super) fn answer(&self) -> Option<Box<HistogramSet>> {
        self.to_collector.take()
    }
}

/// An agent's side: the set it records into. Recording is a store into memory that only it touches.
pub struct Probe {
    set: Box<HistogramSet>,
    link: Arc<ProbeLink>,
}

impl Probe {
    /// A probe with a histogram for each of `names`, the tags in the interval log.
    #[must_use]
    pub fn new(names: Vec<String>) -> Probe {
        Probe::with_samples(names, 0, &Asks::default())
    }

    fn with_samples(names: Vec<String>, samples_max: usize, asks: &Asks) -> Probe {
        let names: Arc<[String]> = names.into();
        let set = Box::new(HistogramSet::new(Arc::clone(&names), samples_max));
        let link = ProbeLink {
            names,
            asks: asks.clone(),
            to_agent: Exchange::new(),
            to_collector: Exchange::new(),
        };
        Probe { set, link: Arc::new(link) }
    }

    /// One that records as another does, and takes next to no memory for it: for rehearsals.
    pub(crate) fn coarse(mut self) -> Probe {
        let names = Arc::clone(&self.link.names);
        *self.set = HistogramSet::of(names, 0, coarse_histogram);
        self
    }

    /// The collector's side, and a second set for it to swap with.
    #[must_use]
    pub fn link(&self) -> (Arc<ProbeLink>, Box<HistogramSet>) {
        let samples_max = self.set.samples.capacity();
        let spare = HistogramSet::new(Arc::clone(&self.link.names), samples_max);
        (Arc::clone(&self.link), Box::new(spare))
    }

    /// Records `value_ns` into the histogram at `index`.
    #[inline]
    pub fn record(&mut self, index: usize, value_ns: u64) {
        self.set.histograms[index].saturating_record(value_ns);
    }

    #[inline]
    fn sample(&mut self, sample: FanoutSample) {
        let HistogramSet { samples, samples_dropped, .. } = &mut *self.set;
        if samples.len() < samples.capacity() {
            samples.push(sample);
        } else {
            *samples_dropped += 1;
        }
    }

    /// Whether the collector waits for the set.
    #[inline]
    fn is_asked(&self) -> bool {
        self.link.to_agent.is_full()
    }

    /// Once a duty cycle: hands the full set over when the collector has asked.
    #[inline]
    pub fn swap_if_asked(&mut self) {
        if let Some(empty) = self.link.to_agent.take() {
            let full = std::mem::replace(&mut self.set, empty);
            if let Err(full) = self.link.to_collector.put(full) {
                // The collector has not taken the last set yet: go on with the full one and give
                // the empty one back at the next request.
                let empty = std::mem::replace(&mut self.set, full);
                drop(self.link.to_agent.put(empty));
            }
        }
    }

    /// Gives up the set that was not collected.
    #[must_use]
    pub fn into_set(self) -> Box<HistogramSet> {
        self.set
    }
}

/// Callbacks noted before they have to be recorded: more than a batch has.
const NOTES_MAX: usize = 32;

/// Empty duty cycles in a row after which the notes are recorded. One is not enough: while an event
/// is being fanned out, a consumer that had it sees an empty cycle and another one still waits for
/// its turn.
const RESTS: u8 = 2;

/// A consumer's probe: queue, handle and end-to-end latency, and samples of the fan-out.
///
/// A callback only leaves a note, on lines that are always at hand. It is recorded when the
/// consumer has nothing to do: a histogram is hundreds of kilobytes that housekeeping has just
/// emptied on another core, so that each of the three counts of a callback is a line from far away,
/// and with many consumers on a core all those behind would wait for it.
// What each cycle and each callback touches comes first, and is one line.
#[repr(C)]
pub struct ConsumerProbe {
    notes: Vec<Note>,
    asks: Asks,
    /// Asks that were answered, or were for others.
    asks_seen: u32,
    rests: u8,
    sample_every: u64,
    probe: Probe,
}

/// What one callback leaves behind.
#[derive(Clone, Copy)]
struct Note {
    trace_id: u64,
    receive_ns: u64,
    dispatched_ns: u64,
    entered_ns: u64,
    ended_ns: u64,
    kind_code: u8,
    subscribers: u8,
}

/// Publish to callback entered.
const QUEUE: usize = 0;
/// The callback.
const HANDLE: usize = 1;
/// Bytes read to callback returned.
const END_TO_END: usize = 2;

impl ConsumerProbe {
    /// A probe for the consumer `name` that samples the fan-out of every `sample_every`-th trace; 0
    /// = none. Its link counts what it is asked in `asks`.
    #[must_use]
    pub fn new(name: &str, sample_every: u64, asks: &Asks) -> ConsumerProbe {
        let names = vec![format!("queue:{name}"), format!("handle:{name}"), String::new()];
        ConsumerProbe {
            notes: Vec::with_capacity(NOTES_MAX),
            asks: asks.clone(),
            asks_seen: 0,
            rests: 0,
            sample_every,
            probe: Probe::with_samples(
                names,
                if sample_every == 0 { 0 } else { SAMPLES_MAX },
                asks,
            ),
        }
    }

    /// See [`Probe::coarse`].
    pub(crate) fn coarse(mut self) -> ConsumerProbe {
        self.probe = self.probe.coarse();
        self
    }

    /// The collector's side.
    #[must_use]
    pub fn link(&self) -> (Arc<ProbeLink>, Box<HistogramSet>) {
        self.probe.link()
    }

    /// Notes one callback.
    #[inline]
    pub fn handled(&mut self, event: &Event, entered_ns: u64, ended_ns: u64) {
        if self.notes.len() == NOTES_MAX {
            self.settle();
        }
        self.rests = 0;
        self.notes.push(Note {
            trace_id: event.trace_id,
            receive_ns: event.receive_ns,
            dispatched_ns: event.dispatched_ns(),
            entered_ns,
            ended_ns,
            kind_code: event.kind_code,
            subscribers: event.fanout,
        });
    }

    /// To be called in a duty cycle without work: records what was noted, once it is quiet.
    #[inline]
    pub fn rest(&mut self) {
        if !self.notes.is_empty() {
            self.rests += 1;
            if self.rests == RESTS {
                self.settle();
            }
        }
    }

    /// Starts to fetch the place of the next note.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch_line(self.notes.as_ptr());
    }

    /// Once a duty cycle: hands the full set over when the collector has asked.
    #[inline]
    pub fn swap_if_asked(&mut self) {
        let asks = self.asks.count();
        if asks != self.asks_seen {
            self.answer(asks);
        }
    }

    /// Hands the set over when it was this probe that was asked. What could not be handed over yet
    /// is tried again in the next cycle.
    #[cold]
    fn answer(&mut self, asks: u32) {
        if self.probe.is_asked() {
            self.settle();
            self.probe.swap_if_asked();
        }
        if !self.probe.is_asked() {
            self.asks_seen = asks;
        }
    }

    /// Gives up the set that was not collected.
    #[must_use]
    pub fn into_set(mut self) -> Box<HistogramSet> {
        self.settle();
        self.probe.into_set()
    }

    /// Records what was noted. A whole batch together: its misses then overlap.
    #[inline(never)]
    fn settle(&mut self) {
        let ConsumerProbe { probe, sample_every, notes, rests, .. } = self;
        for note in notes.drain(..) {
            probe.record(QUEUE, note.entered_ns.saturating_sub(note.dispatched_ns));
            probe.record(HANDLE, note.ended_ns.saturating_sub(note.entered_ns));
            probe.record(END_TO_END, note.ended_ns.saturating_sub(note.receive_ns));
            if *sample_every != 0 && note.trace_id.is_multiple_of(*sample_every) {
                probe.sample(FanoutSample {
                    key: (note.trace_id, note.kind_code),
                    subscribers: note.subscribers,
                    dispatched_ns: note.dispatched_ns,
                    handled_ns: note.ended_ns,
                });
            }
        }
        *rests = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Quote;

    #[test]
    fn a_set_is_swapped_only_when_asked_and_loses_nothing() {
        let mut probe = Probe::new(vec!["decode".into()]);
        let (link, spare) = probe.link();
        probe.record(0, 100);
        probe.swap_if_asked();
        assert!(link.answer().is_none());
        assert!(link.ask(spare).is_ok());
        probe.record(0, 200);
        probe.swap_if_asked();
        let full = link.answer().expect("the set was asked for");
        assert_eq!(full.histograms[0].len(), 2);
        probe.record(0, 300);
        assert_eq!(probe.into_set().histograms[0].len(), 1);
    }

    #[test]
    fn a_probe_answers_its_own_ask_among_those_of_others_also_when_the_last_answer_still_lies_there()
     {
        let asks = Asks::default();
        let [mut one, mut two] = ["one", "two"].map(|name| ConsumerProbe::new(name, 0, &asks));
        let [(to_one, spare), (to_two, other)] = [one.link(), two.link()];
        assert!(to_two.ask(other).is_ok());
        one.swap_if_asked();
        assert!(to_one.answer().is_none(), "the ask was for the other");
        assert!(to_one.ask(spare).is_ok());
        one.swap_if_asked();
        // Another ask before the answer was taken.
        assert!(to_one.ask(Probe::new(Vec::new()).into_set()).is_ok());
        one.swap_if_asked();
        assert!(to_one.answer().is_some());
        one.swap_if_asked();
        assert!(to_one.answer().is_some(), "tried again, though nobody asked once more");
        two.swap_if_asked();
        assert!(to_two.answer().is_some());
    }

    #[test]
    fn notes_are_recorded_when_it_is_quiet_when_they_are_many_and_when_asked() {
        let mut probe = ConsumerProbe::new("c", 1, &Asks::default());
        let (link, spare) = probe.link();
        let event = Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 });
        let recorded = |probe: &ConsumerProbe| probe.probe.set.histograms[HANDLE].len();
        probe.handled(&event, 10, 15);
        probe.rest();
        assert_eq!(recorded(&probe), 0, "others may wait for their turn with the same event");
        probe.handled(&event, 20, 25);
        (0..RESTS).for_each(|_| probe.rest());
        assert_eq!(recorded(&probe), 2);
        let capacity = probe.notes.capacity();
        (0..=NOTES_MAX).for_each(|_| probe.handled(&event, 30, 35));
        assert_eq!((recorded(&probe), probe.notes.capacity()), (2 + NOTES_MAX as u64, capacity));
        assert!(link.ask(spare).is_ok());
        probe.swap_if_asked();
        let full = link.answer().expect("the set was asked for");
        assert_eq!((full.histograms[HANDLE].len(), full.samples.len()), (35, 35));
        assert_eq!(full.samples_dropped, 0);
        probe.handled(&event, 40, 45);
        assert_eq!(probe.into_set().histograms[END_TO_END].len(), 1);
    }

    #[test]
    fn an_event_waits_from_its_dispatch_to_its_callback() {
        let mut probe = ConsumerProbe::new("c", 0, &Asks::default());
        let mut event = Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 });
        event.receive_ns = 100;
        event.stamp_dispatched(300);
        probe.handled(&event, 1_000, 1_005);
        let set = probe.into_set();
        let of = |stage: usize| set.histograms[stage].max();
        assert_eq!((of(QUEUE), of(HANDLE), of(END_TO_END)), (700, 5, 905));
    }
}
