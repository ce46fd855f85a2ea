//! Recording on the hot path: histograms owned by the agent that records, swapped out as a whole.

use std::sync::Arc;

use hdrhistogram::Histogram;
use pitlane_ring::Exchange;

use super::fanout::FanoutSample;
use super::hlog::new_histogram;
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
        HistogramSet {
            histograms: (0..names.len()).map(|_| new_histogram()).collect(),
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

/// The two ways between an agent's probe and the collector.
pub struct ProbeLink {
    pub(super) names: Arc<[String]>,
    to_agent: Exchange<HistogramSet>,
    to_collector: Exchange<HistogramSet>,
}

impl ProbeLink {
    /// Offers an empty set; the agent answers with its full one at its next duty cycle.
    pub(super) fn ask(&self, empty: Box<HistogramSet>) -> Result<(), Box<HistogramSet>> {
        self.to_agent.put(empty)
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
        Probe::with_samples(names, 0)
    }

    fn with_samples(names: Vec<String>, samples_max: usize) -> Probe {
        let names: Arc<[String]> = names.into();
        let set = Box::new(HistogramSet::new(Arc::clone(&names), samples_max));
        let link = ProbeLink { names, to_agent: Exchange::new(), to_collector: Exchange::new() };
        Probe { set, link: Arc::new(link) }
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

    /// Once a duty cycle: hands the full set over when the collector has asked.
    #[inline]
    pub fn swap_if_asked(&mut self) {
        if let Some(empty) = self.link.to_agent.take() {
            let full = std::mem::replace(&mut self.set, empty);
            if let Err(full) = self.link.to_collector.put(full) {
                // The collector has not taken the last set yet: go on with the full one and give the
                // empty one back at the next request.
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

/// A consumer's probe: queue, handle and end-to-end latency, and samples of the fan-out.
pub struct ConsumerProbe {
    probe: Probe,
    sample_every: u64,
}

/// Publish to callback entered.
const QUEUE: usize = 0;
/// The callback.
const HANDLE: usize = 1;
/// Bytes read to callback returned.
const END_TO_END: usize = 2;

impl ConsumerProbe {
    /// A probe for the consumer `name` that samples the fan-out of every `sample_every`-th trace; 0 = none.
    #[must_use]
    pub fn new(name: &str, sample_every: u64) -> ConsumerProbe {
        let names = vec![format!("queue:{name}"), format!("handle:{name}"), String::new()];
        ConsumerProbe { probe: Probe::with_samples(names, SAMPLES_MAX), sample_every }
    }

    /// The collector's side.
    #[must_use]
    pub fn link(&self) -> (Arc<ProbeLink>, Box<HistogramSet>) {
        self.probe.link()
    }

    /// Records one callback.
    #[inline]
    pub fn handled(&mut self, event: &Event, entered_ns: u64, ended_ns: u64) {
        let dispatched_ns = event.dispatched_ns();
        self.probe.record(QUEUE, entered_ns.saturating_sub(dispatched_ns));
        self.probe.record(HANDLE, ended_ns.saturating_sub(entered_ns));
        self.probe.record(END_TO_END, ended_ns.saturating_sub(event.receive_ns));
        if self.sample_every != 0 && event.trace_id.is_multiple_of(self.sample_every) {
            self.sample(event, dispatched_ns, ended_ns);
        }
    }

    #[inline]
    fn sample(&mut self, event: &Event, dispatched_ns: u64, handled_ns: u64) {
        let set = &mut self.probe.set;
        if set.samples.len() < set.samples.capacity() {
            set.samples.push(FanoutSample::of(event, dispatched_ns, handled_ns));
        } else {
            set.samples_dropped += 1;
        }
    }

    /// Once a duty cycle: hands the full set over when the collector has asked.
    #[inline]
    pub fn swap_if_asked(&mut self) {
        self.probe.swap_if_asked();
    }

    /// Gives up the set that was not collected.
    #[must_use]
    pub fn into_set(self) -> Box<HistogramSet> {
        self.probe.into_set()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
