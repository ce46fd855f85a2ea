//! Agents: units of work with a duty cycle, placed on cores, as in Agrona and Aeron.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use mio::Registry;
use pitlane_ring::Exchange;

/// A stage of the pipeline. One thread at a time runs it; it never blocks.
pub trait Agent: Send {
    /// The agent's name in the plan, the log and the report.
    fn name(&self) -> &str;

    /// Called once on the agent's own thread, before the first duty cycle. `registry` is the
    /// core's: sockets registered there wake the core when it parks.
    fn on_start(&mut self, _registry: &Registry) {}

    /// Does a bounded amount of work and returns how much; 0 lets the core idle.
    fn duty_cycle(&mut self) -> usize;

    /// Starts to fetch what the next duty cycle will read of another core's. Called when agents
    /// before it on its core had work: what they were sent was probably sent to this one too.
    fn prefetch(&self) {}

    /// Whether something held back must be retried without any wake-up; such a core never parks.
    fn has_pending(&self) -> bool {
        false
    }

    /// Monotonic time of the next timer, ns; `u64::MAX` when there is none.
    fn next_timer_ns(&self) -> u64 {
        u64::MAX
    }

    /// Whether the agent has finished for good. An agent finishes when its inputs are closed and
    /// drained, or after the stop signal when it has none, and closes its outputs by dropping them.
    fn is_done(&self) -> bool;

    /// Called once, by its owner, when no agent runs any more and so nobody sends it anything. It
    /// leaves its totals in the [`Closing`] it was made with.
    fn on_close(self: Box<Self>) {}
}

/// Where an agent leaves its totals when it is closed, and where its owner finds them. Clones are
/// the same place.
pub struct Closing<T>(Arc<Exchange<T>>);

impl<T> Closing<T> {
    /// To be called once, by the agent.
    pub fn put(&self, totals: T) {
        let left = self.0.put(Box::new(totals));
        debug_assert!(left.is_ok(), "an agent is closed once");
    }

    /// What the agent has left; `None` when it was not closed, since its thread never came back.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.0.take().map(|totals| *totals)
    }
}

impl<T> Clone for Closing<T> {
    fn clone(&self) -> Closing<T> {
        Closing(Arc::clone(&self.0))
    }
}

impl<T> Default for Closing<T> {
    fn default() -> Closing<T> {
        Closing(Arc::new(Exchange::new()))
    }
}

/// How far the engine is on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Normal running.
    Running = 0,
    /// Venues stop taking market data, orders are wound down; everything in flight drains.
    Draining = 1,
    /// The deadline has passed: every loop ends at its next check.
    Halted = 2,
}

/// The stop signal that every wait loop sees (FR-022). Phases only ever go up.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
    phase: AtomicU8,
    is_killed: AtomicBool,
}

impl StopSignal {
    /// The current phase.
    #[inline]
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Halted,
        }
    }

    /// Raises the phase; a lower one than the current has no effect.
    pub fn raise(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// Has every open order cancelled, whatever the configuration says, and the engine's owner end
    /// the run. It can't be taken back.
    pub fn kill(&self) {
        self.0.is_killed.store(true, Ordering::Release);
    }

    /// Whether [`StopSignal::kill`] was called.
    #[inline]
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.0.is_killed.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_only_go_up() {
        let stop = StopSignal::default();
        assert_eq!(stop.phase(), Phase::Running);
        stop.raise(Phase::Halted);
        stop.raise(Phase::Draining);
        assert_eq!(stop.phase(), Phase::Halted);
    }

    #[test]
    fn a_kill_is_for_good_and_no_phase_by_itself() {
        let stop = StopSignal::default();
        let seen = stop.clone();
        assert!(!seen.is_killed());
        stop.kill();
        assert!(seen.is_killed());
        assert_eq!(seen.phase(), Phase::Running);
    }
}
