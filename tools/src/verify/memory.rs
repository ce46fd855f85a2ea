//! SC-002: a steady stream of events allocates nothing and grows nothing.

use std::sync::Arc;

use pitlane_engine::consumer::{FaultPlan, Faulty};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use super::witness::Witness;
use crate::table::count;

/// Growth of resident memory that is still called flat (F06).
const GROWTH_KIB: u64 = 1_024;
const EVENTS_PER_S: u32 = 200_000;
const CONSUMERS: u32 = 3;

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let events = setting.scale.memory_events;
    let mut trial = Trial::new(setting, events, EVENTS_PER_S);
    trial.load.critical_per_mille = 50;
    // Joining the samples of every fan-out at this rate would measure the joining.
    trial.config.telemetry.fanout_every = 1_000;
    let allocating =
        FaultPlan { allocate_ppm: 10_000, allocate_bytes: 256, ..FaultPlan::default() };
    for number in 0..CONSUMERS {
        let name = format!("witness-{number}");
        trial = if number == 0 && setting.has(Plant::Allocation) {
            trial.consumer(&name, move || Faulty::new(allocating, Arc::default()))
        } else {
            trial.consumer(&name, Witness::default)
        };
    }
    let ran = trial.run()?;
    let (first_kib, most_kib) = ran.resident_kib;
    let grown_kib = most_kib - first_kib;
    let bound =
        format!("0 allocations of the pinned threads after warm-up; growth below {GROWTH_KIB} KiB");
    let Some(allocations) = ran.report.allocations_steady_state else {
        return Ok(Finding::skipped(&bound, "this build's allocator does not count"));
    };
    let handled: u64 = ran.report.consumers.iter().map(|consumer| consumer.terms.handled).sum();
    let finding = Finding {
        done: format!(
            "{} events at 200,000/s to {CONSUMERS} consumers, 5 % of them critical, from \
             the venue's lane on",
            count(events)
        ),
        measured: format!(
            "{} allocations; resident {} KiB at a fifth, at most {} KiB more after it",
            count(allocations),
            count(first_kib),
            count(grown_kib)
        ),
        bound,
        verdict: Verdict::Skipped,
        attack: format!(
            "{} events in, {} callbacks",
            count(ran.report.events_published),
            count(handled)
        ),
    };
    let happened = ran.report.events_published >= events && handled > 0 && first_kib > 0;
    Ok(finding.judged(&[allocations == 0, grown_kib < GROWTH_KIB, happened]))
}
