//! A success criterion: what it is called, how it is checked, and what proves that the check can
//! fail.

use super::finding::Finding;
use super::plant::Plant;
use super::setting::Setting;
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
