//! How checkpoints of a run's journal get on, for people who ask.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What has become of checkpoints since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckpointFigures {
    /// Those that were written.
    pub written: u64,
    /// The segment from which a start reads on behind the newest; 0 where there is none.
    pub newest: u64,
    /// Segments that no start needed any more, and that were removed.
    pub removed: u64,
    /// Tries to write one, or to remove segments, that failed.
    pub failures: u64,
    /// Why the last try failed; `null` once one has worked.
    pub problem: Option<String>,
}

/// Written by who makes checkpoints, read by anyone. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CheckpointBoard(Arc<Mutex<CheckpointFigures>>);

impl CheckpointBoard {
    /// As it is now.
    #[must_use]
    pub fn read(&self) -> CheckpointFigures {
        self.0.lock().clone()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut CheckpointFigures)) {
        change(&mut self.0.lock());
    }
}
