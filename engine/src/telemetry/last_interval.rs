//! The figures of the interval that ended last, for whoever looks while the engine runs.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::telemetry::LatencyFigures;

/// Where housekeeping leaves them. No pinned thread touches it.
#[derive(Clone, Default)]
pub struct LastInterval(Arc<Mutex<IntervalFigures>>);

/// The figures of one interval.
#[derive(Clone, Debug, Default)]
pub struct IntervalFigures {
    /// Its length, ns; 0 before the first has ended.
    pub length_ns: u64,
    /// Stages that recorded anything, by tag; the series end to end has none.
    pub stages: Vec<(String, LatencyFigures)>,
}

impl LastInterval {
    /// Leaves the figures of the next interval.
    pub(super) fn put(&self, figures: IntervalFigures) {
        *self.0.lock() = figures;
    }

    /// A copy of the figures.
    #[must_use]
    pub fn read(&self) -> IntervalFigures {
        self.0.lock().clone()
    }
}
