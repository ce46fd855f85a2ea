//! A success criterion: what it is called, how it is checked, and what proves that the check can
//! fail.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use pitlane_ring::{Checks, DefaultChecks};

use super::finding::Finding;
use super::plant::Plant;
use super::scale::Scale;
use super::trial::TrialError;

/// One row of the table.
pub(crate) struct Criterion {
    /// Its number in REQUIREMENTS.
    pub(crate) id: &'static str,
    /// What it promises, in a few words.
    pub(crate) title: &'static str,
    /// What of it is judged by time, so that a busy machine may spoil it: such a check is tried
    /// twice.
    pub(crate) timing: Timing,
    /// Faults that the check must notice, each on its own.
    pub(crate) plants: &'static [Plant],
    /// Runs the check.
    pub(crate) check: fn(&Setting<'_>) -> Result<Finding, TrialError>,
}

/// How much of a check is judged by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// Nothing.
    None,
    /// A part, which the check leaves out where times are not judged.
    Partly,
    /// All of it: where times are not judged it is shown and not judged.
    Wholly,
}

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
