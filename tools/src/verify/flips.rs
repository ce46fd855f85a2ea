//! SC-004 and SC-010: what happens to events while routes change.
//!
//! Both need a dispatcher that swaps its table in a run. This build's does not: they are not judged, and
//! said to be so.

use super::criterion::Setting;
use super::finding::Finding;
use super::trial::TrialError;

const WHY: &str = "this build can't change routes while it runs";

/// SC-004.
pub(crate) fn check_critical(_setting: &Setting<'_>) -> Result<Finding, TrialError> {
    Ok(Finding::skipped("1,000 flips: no critical event lost or out of order", WHY))
}

/// SC-010.
pub(crate) fn check_stale(_setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let bound = "stale events handled in the flip window: below 5 %, and 0 where a consumer skips";
    Ok(Finding::skipped(bound, WHY))
}
