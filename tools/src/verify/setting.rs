//! What a check is run with.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use pitlane_ring::{Checks, DefaultChecks};

use super::plant::Plant;
use super::scale::Scale;

/// What a check is run with.
pub(crate) struct Setting<'a> {
    pub(crate) scale: Scale,
    /// The fault that is planted; [`Plant::None`] but for the canary.
    pub(crate) plant: Plant,
    /// Times are shown and not judged (`--exact`).
    pub(crate) is_exact: bool,
    /// Folder for files of the runs.
    pub(crate) folder: &'a Path,
    /// Raised when the person wants an end.
    pub(crate) stop: &'a AtomicBool,
}

impl Setting<'_> {
    /// Whether the person wants an end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Whether times are only shown: so it was asked for, or this build's lanes are checked.
    pub(crate) fn judges_no_times(&self) -> bool {
        self.is_exact || DefaultChecks::CHECKED
    }

    /// Whether this fault is planted.
    pub(crate) fn has(&self, plant: Plant) -> bool {
        self.plant == plant
    }
}
