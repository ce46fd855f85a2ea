//! Collects the agents' histograms, keeps the totals, and writes the interval log. Runs on
//! housekeeping.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::fanout::{FANOUT_STAGES, FanoutJoin};
use super::hlog::{HlogWriter, WARM_UP_LINE, gauge_histogram, new_histogram};
use super::last_interval::{IntervalFigures, LastInterval};
use super::probe::{HistogramSet, ProbeLink};
use crate::telemetry::LatencyFigures;

/// What a collector is made of.
pub struct CollectorOptions {
    /// The probes' links, each with the spare set to swap with.
    pub links: Vec<(Arc<ProbeLink>, Box<HistogramSet>)>,
    /// Tags of the gauges that are sampled into [`Collector::record_gauge`], and the most that each
    /// can show.
    pub gauges: Vec<(String, u64)>,
    /// The interval log; `None` when none is written.
    pub hlog: Option<HlogWriter>,
    /// Monotonic time at which the first interval starts, ns.
    pub started_ns: u64,
}

/// A stage's histogram over the whole run.
pub struct StageTotals {
    /// The tag; empty for the series end to end.
    pub name: String,
    /// Values in ns.
    pub histogram: Histogram<u64>,
}

struct ProbeSource {
    link: Arc<ProbeLink>,
    spare: Option<Box<HistogramSet>>,
    asked: bool,
    stages: Vec<usize>,
}

/// Owns the totals. One round asks every agent for its set; a later one takes the answers.
pub struct Collector {
    sources: Vec<ProbeSource>,
    totals: Vec<StageTotals>,
    interval: Vec<Histogram<u64>>,
    fanout: FanoutJoin,
    fanout_stages: [usize; FANOUT_STAGES.len()],
    /// Stages of the gauges, which are samples of events in a lane and no latencies.
    gauge_stages: Vec<usize>,
    flip_stage: usize,
    hlog: Option<HlogWriter>,
    interval_started_ns: u64,
    /// From when on the totals count.
    totals_from_ns: u64,
    samples_dropped: u64,
    last: LastInterval,
}

impl Collector {
    /// A collector of everything in `options`.
    #[must_use]
    pub fn new(options: CollectorOptions) -> Collector {
        let mut names: Vec<String> = Vec::new();
        let mut index_of = |name: &str| match names.iter().position(|known| known == name) {
            Some(index) => index,
            None => {
                names.push(name.to_owned());
                names.len() - 1
            }
        };
        index_of("");
        let sources = options
            .links
            .into_iter()
            .map(|(link, spare)| ProbeSource {
                stages: link.names.iter().map(|name| index_of(name)).collect(),
                link,
                spare: Some(spare),
                asked: false,
            })
            .collect();
        let fanout_stages = FANOUT_STAGES.map(&mut index_of);
        let flip_stage = index_of("flip");
        let gauge_stages: Vec<usize> =
            options.gauges.iter().map(|(name, _)| index_of(name)).collect();
        let empty = |stage: usize| match gauge_stages.iter().position(|gauge| *gauge == stage) {
            Some(gauge) => gauge_histogram(options.gauges[gauge].1),
            None => new_histogram(),
        };
        let interval = (0..names.len()).map(empty).collect();
        let totals = names
            .into_iter()
            .enumerate()
            .map(|(stage, name)| StageTotals { name, histogram: empty(stage) })
            .collect();
        Collector {
            sources,
            totals,
            interval,
            fanout: FanoutJoin::new(),
            fanout_stages,
            gauge_stages,
            flip_stage,
            hlog: options.hlog,
            interval_started_ns: options.started_ns,
            totals_from_ns: options.started_ns,
            samples_dropped: 0,
            last: LastInterval::default(),
        }
    }

    /// Asks every agent for what it recorded. An agent that has not answered yet is not asked
    /// again.
    pub fn ask(&mut self) {
        for source in &mut self.sources {
            if !source.asked
                && let Some(spare) = source.spare.take()
            {
                match source.link.ask(spare) {
                    Ok(()) => source.asked = true,
                    Err(spare) => source.spare = Some(spare),
                }
            }
        }
    }

    /// Takes the answers that have come; true when none is missing.
    pub fn take_answers(&mut self) -> bool {
        let mut complete = true;
        for index in 0..self.sources.len() {
            let source = &mut self.sources[index];
            if !source.asked {
                continue;
            }
            match source.link.answer() {
                Some(full) => {
                    source.asked = false;
                    self.merge(index, full);
                }
                None => complete = false,
            }
        }
        complete
    }

    /// Merges the set that an agent gave up when it ended.
    pub fn merge_last(&mut self, link: &Arc<ProbeLink>, set: &mut HistogramSet) {
        let index = self.sources.iter().position(|source| Arc::ptr_eq(&source.link, link));
        if let Some(index) = index {
            if let Some(answered) = self.sources[index].link.answer() {
                self.merge(index, answered);
            }
            self.merge(index, Box::new(set.take()));
        }
    }

    fn merge(&mut self, index: usize, mut set: Box<HistogramSet>) {
        let source = &mut self.sources[index];
        for (stage, histogram) in source.stages.iter().zip(&set.histograms) {
            // Same bounds everywhere: adding can't fail.
            let added = self.interval[*stage].add(histogram);
            debug_assert!(added.is_ok());
        }
        self.fanout.add(&set.samples);
        self.samples_dropped += set.samples_dropped;
        set.reset();
        source.spare = Some(set);
    }

    /// Records how many events lie in the lane of the gauge at `index`.
    pub fn record_gauge(&mut self, index: usize, events: u64) {
        self.interval[self.gauge_stages[index]].saturating_record(events);
    }

    /// Records how long a routing flip took, ns.
    pub fn record_flip(&mut self, ns: u64) {
        self.interval[self.flip_stage].saturating_record(ns);
    }

    /// Ends the interval at `now_ns`: writes its lines and adds it to the totals.
    pub fn end_interval(&mut self, now_ns: u64) {
        self.fanout.end_round();
        for (stage, histogram) in self.fanout_stages.iter().zip(&self.fanout.stages) {
            let added = self.interval[*stage].add(histogram);
            debug_assert!(added.is_ok());
        }
        self.fanout.reset_histograms();
        let start = Duration::from_nanos(self.interval_started_ns);
        let length = Duration::from_nanos(now_ns.saturating_sub(self.interval_started_ns));
        let mut figures =
            IntervalFigures { length_ns: length.as_nanos() as u64, stages: Vec::new() };
        for (stage, histogram) in self.interval.iter_mut().enumerate() {
            let total = &mut self.totals[stage];
            let is_end_to_end = total.name.is_empty();
            // A lane that was empty at every look has nothing to tell.
            let is_silent = histogram.is_empty()
                || (histogram.max() == 0 && self.gauge_stages.contains(&stage));
            if is_silent && !is_end_to_end {
                histogram.reset();
                continue;
            }
            if let Some(hlog) = &mut self.hlog
                && let Err(error) = hlog.append(&total.name, start, length, histogram)
                && hlog.failures() == 1
            {
                log::error!("{error}; the run goes on without it");
            }
            if !histogram.is_empty() && !self.gauge_stages.contains(&stage) {
                figures.stages.push((total.name.clone(), LatencyFigures::of(histogram)));
            }
            let added = total.histogram.add(&*histogram);
            debug_assert!(added.is_ok());
            histogram.reset();
        }
        self.interval_started_ns = now_ns;
        self.last.put(figures);
    }

    /// Where it leaves the figures of each interval.
    #[must_use]
    pub fn last(&self) -> LastInterval {
        self.last.clone()
    }

    /// Leaves what was collected so far out of the totals; the interval log keeps it, and says so.
    pub fn forget_totals(&mut self) {
        self.note(WARM_UP_LINE);
        self.totals.iter_mut().for_each(|total| total.histogram.reset());
        self.totals_from_ns = self.interval_started_ns;
    }

    /// Writes a comment into the interval log, where there is one.
    pub fn note(&mut self, text: &str) {
        if let Some(hlog) = &mut self.hlog
            && let Err(error) = hlog.comment(text)
            && hlog.failures() == 1
        {
            log::error!("{error}; the run goes on without it");
        }
    }

    /// Totals by stage so far, without the gauges, which are no latencies.
    pub fn totals(&self) -> impl Iterator<Item = &StageTotals> {
        let is_latency = |stage: &(usize, &StageTotals)| !self.gauge_stages.contains(&stage.0);
        self.totals.iter().enumerate().filter(is_latency).map(|(_, stage)| stage)
    }

    /// Length of the time that the totals cover, ns.
    #[must_use]
    pub fn covered_ns(&self) -> u64 {
        self.interval_started_ns.saturating_sub(self.totals_from_ns)
    }

    /// Fan-out groups that never became whole: a member was conflated or found no room.
    #[must_use]
    pub fn fanout_incomplete(&self) -> u64 {
        self.fanout.incomplete
    }

    /// Fan-out samples that found no room.
    #[must_use]
    pub fn samples_dropped(&self) -> u64 {
        self.samples_dropped
    }

    /// The interval log.
    #[must_use]
    pub fn hlog(&self) -> Option<&HlogWriter> {
        self.hlog.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Probe;

    #[test]
    fn totals_hold_what_agents_recorded_before_and_after_a_swap() {
        let mut probe = Probe::new(vec!["decode".into()]);
        let (link, spare) = probe.link();
        let links = vec![(Arc::clone(&link), spare)];
        let mut collector = Collector::new(CollectorOptions {
            links,
            gauges: vec![("lane:a".to_owned(), 64), ("lane:b".to_owned(), 4_096)],
            hlog: None,
            started_ns: 0,
        });
        probe.record(0, 10);
        collector.ask();
        assert!(!collector.take_answers());
        probe.swap_if_asked();
        assert!(collector.take_answers());
        collector.end_interval(1_000);
        probe.record(0, 20);
        collector.merge_last(&link, &mut probe.into_set());
        collector.end_interval(2_000);
        let decode = collector.totals().find(|stage| stage.name == "decode").unwrap();
        assert_eq!((decode.histogram.len(), decode.histogram.max()), (2, 20));
    }

    #[test]
    fn an_interval_starts_where_the_one_before_ended_and_the_warm_up_is_in_the_log_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latency.hlog");
        let started = std::time::SystemTime::UNIX_EPOCH;
        let hlog = HlogWriter::create(&crate::world::Files::Real, &path, started, &[]).unwrap();
        let mut probe = Probe::new(vec!["decode".into()]);
        let (link, spare) = probe.link();
        let mut collector = Collector::new(CollectorOptions {
            links: vec![(Arc::clone(&link), spare)],
            gauges: Vec::new(),
            hlog: Some(hlog),
            started_ns: 5_000_000_000,
        });
        probe.record(0, 10);
        collector.ask();
        probe.swap_if_asked();
        assert!(collector.take_answers());
        collector.end_interval(7_000_000_000);
        collector.forget_totals();
        probe.record(0, 20);
        collector.ask();
        probe.swap_if_asked();
        assert!(collector.take_answers());
        collector.end_interval(8_000_000_000);
        let decode = collector.totals().find(|stage| stage.name == "decode").unwrap();
        assert_eq!((decode.histogram.len(), decode.histogram.max()), (1, 20));
        let text = std::fs::read_to_string(&path).unwrap();
        let starts: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("Tag=decode,")).collect();
        assert!(starts[0].starts_with("5.000,2.000,"), "{text}");
        assert!(starts[1].starts_with("7.000,1.000,"), "{text}");
        assert!(text.contains(WARM_UP_LINE), "{text}");
    }
}
