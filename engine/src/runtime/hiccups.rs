//! Hiccups: how long a pinned loop that had nothing to do was away all the same.
//!
//! The gap after an empty duty cycle, up to the start of the next cycle, is time in which the
//! thread was not on its core, or its core not on this machine: the scheduler, an interrupt, the
//! hypervisor. It is what an event that arrives in that gap waits for at least, whatever the engine
//! does, so latencies are shown beside it. It ends where the next cycle starts, not where the next
//! *empty* one ends: whoever was away for long finds work, and just those gaps must not be missed.
//! It is measured inside the loop itself, never by a rival thread that would be the disturbance.

use std::sync::Arc;

use crate::runtime::Clock;
use crate::telemetry::{HistogramSet, Probe, ProbeLink};

/// Ticks of the schedule on which idle time is sampled. A gap is recorded once for each tick in it,
/// each time by how late the loop was for that tick, so that a gap weighs what an event arriving at
/// any time would make of it (no coordinated omission). A gap of a tick or less is no hiccup but
/// still a sample.
const TICK_NS: u64 = 10_000;

/// Samples recorded of one gap, at most: the first second of it.
const SAMPLES_MAX: u64 = 100_000;

/// Measures one loop. Costs a clock reading per cycle that follows an empty one, and nothing on a
/// cycle that follows one with work.
pub struct HiccupMeter {
    probe: Probe,
    clock: Clock,
    /// When the last cycle was seen, if it was empty.
    emptied_ns: Option<u64>,
    /// When the present cycle started, if the one before it was empty.
    started_ns: Option<u64>,
    due_ns: u64,
    /// From the last cycle to the present one, where the last was empty.
    gap_ns: u64,
}

impl HiccupMeter {
    /// A meter of the thread `name`.
    #[must_use]
    pub fn new(name: &str, clock: Clock) -> HiccupMeter {
        let probe = Probe::new(vec![format!("hiccup:{name}")]);
        HiccupMeter { probe, clock, emptied_ns: None, started_ns: None, due_ns: 0, gap_ns: 0 }
    }

    /// The collector's side.
    #[must_use]
    pub fn link(&self) -> (Arc<ProbeLink>, Box<HistogramSet>) {
        self.probe.link()
    }

    /// To be called at the start of each duty cycle of the loop.
    #[inline]
    pub fn before_cycle(&mut self) {
        self.started_ns = None;
        if let Some(emptied_ns) = self.emptied_ns {
            let now_ns = self.clock.now_ns();
            self.started_ns = Some(now_ns);
            self.gap_ns = now_ns.saturating_sub(emptied_ns);
            if now_ns >= self.due_ns {
                self.record(now_ns);
            }
        }
    }

    /// To be called at the end of each duty cycle of the loop. Says about when that is, ns, after a
    /// cycle without work.
    #[inline]
    pub fn after_cycle(&mut self, work: usize) -> Option<u64> {
        self.probe.swap_if_asked();
        if work > 0 {
            self.emptied_ns = None;
            return None;
        }
        // An empty cycle is short: its start stands for its end, and saves a reading.
        let now_ns = self.started_ns.unwrap_or_else(|| self.clock.now_ns());
        if self.emptied_ns.replace(now_ns).is_none() {
            self.due_ns = now_ns + TICK_NS;
        }
        Some(now_ns)
    }

    /// When the present cycle started and how long the loop was away before it, ns; `None` where
    /// the cycle before had work.
    #[inline]
    pub(super) fn gap(&self) -> Option<(u64, u64)> {
        self.started_ns.map(|started_ns| (started_ns, self.gap_ns))
    }

    /// To be called before the loop sleeps by its own will: such a gap is no hiccup.
    #[inline]
    pub fn nap(&mut self) {
        self.probe.swap_if_asked();
        self.emptied_ns = None;
    }

    /// Gives up what was not collected.
    #[must_use]
    pub fn into_set(self) -> Box<HistogramSet> {
        self.probe.into_set()
    }

    fn record(&mut self, now_ns: u64) {
        let ticks = (now_ns - self.due_ns) / TICK_NS + 1;
        for tick in 0..ticks.min(SAMPLES_MAX) {
            self.probe.record(0, now_ns - (self.due_ns + tick * TICK_NS));
        }
        self.due_ns += ticks * TICK_NS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_sampled_once_a_tick_and_work_is_no_hiccup() {
        let (clock, time) = Clock::manual(0);
        let mut meter = HiccupMeter::new("t", clock);
        let cycle = |meter: &mut HiccupMeter, after_ns, work, work_ns| {
            time.advance_ns(after_ns);
            meter.before_cycle();
            time.advance_ns(work_ns);
            meter.after_cycle(work);
        };
        cycle(&mut meter, 0, 0, 0);
        cycle(&mut meter, TICK_NS + 5, 0, 0); // a hiccup of one tick
        cycle(&mut meter, 10, 3, 1_000_000); // work: not measured
        cycle(&mut meter, 1_000_000, 0, 0); // after work: neither
        cycle(&mut meter, 10 * TICK_NS, 2, 1_000_000); // a long hiccup, after which there is work
        cycle(&mut meter, 0, 0, 0);
        meter.nap();
        cycle(&mut meter, 1_000_000, 0, 0);
        let set = meter.into_set();
        let histogram = &set.histograms[0];
        assert_eq!((histogram.len(), histogram.min_nz()), (11, 5));
        let longest = 9 * TICK_NS;
        assert!(histogram.max() >= longest && histogram.max() < longest + longest / 100);
    }
}
