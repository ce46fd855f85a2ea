//! The threads and servers of venues that are on no core.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::runtime::BesideThread;
use crate::venue::recorder::RecorderTotals;
use crate::venue::simulated::{Penalty, RecordedSession, SimulatedVenue};
use crate::world::{Entropy, wait_until};

/// The threads and servers of venues that are no pinned cores. Stopped after the cores, in order.
#[derive(Default)]
pub(super) struct VenueThreads {
    pub(super) beside: Vec<BesideThread>,
    pub(super) simulated: Vec<SimulatedVenue>,
    /// Those that have outlived an engine, and are taken over by the next, in their order.
    pub(super) standing: VecDeque<SimulatedVenue>,
    /// Chance of their keys: that of the engine for which they were made.
    pub(super) keys: Option<Entropy>,
    recorded: Option<RecordedSession>,
    /// What is recorded, where anything is.
    pub(super) totals: Option<RecorderTotals>,
}

impl VenueThreads {
    /// Stops everything. Returns the names of threads that were left behind, and what went wrong.
    pub(super) fn stop(self, deadline: Duration) -> (Vec<String>, Vec<String>) {
        let (mut behind, mut notes) = (Vec::new(), Vec::new());
        self.beside.iter().for_each(BesideThread::ask_to_stop);
        let beside = self.beside;
        let _ = wait_until(deadline, || beside.iter().all(BesideThread::is_finished));
        for thread in beside {
            if thread.is_finished() {
                notes.extend(thread.join().err());
            } else {
                behind.push(thread.name().to_owned());
            }
        }
        for error in self.simulated.into_iter().filter_map(|venue| venue.stop().err()) {
            notes.push(format!("[simulated] stop failed: {error}"));
        }
        if let Some(Err(error)) = self.recorded.map(RecordedSession::stop) {
            notes.push(format!("[recording] stop failed: {error}"));
        }
        (behind, notes)
    }

    /// How often the engine broke a limit of a simulated venue, by the limit.
    pub(super) fn penalties(&self) -> BTreeMap<&'static str, u64> {
        let mut penalties = BTreeMap::new();
        for venue in &self.simulated {
            for penalty in Penalty::ALL {
                *penalties.entry(penalty.name()).or_default() += venue.penalties().count(*penalty);
            }
        }
        penalties.retain(|_, count| *count > 0);
        penalties
    }

    /// The recording that is played.
    pub(super) fn recorded(&self) -> Option<&RecordedSession> {
        self.recorded.as_ref()
    }

    /// Takes a recording's server over.
    pub(super) fn play(&mut self, recorded: RecordedSession) {
        self.recorded = Some(recorded);
    }
}
