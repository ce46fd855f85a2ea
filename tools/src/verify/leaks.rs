//! SC-005: panicking consumers leave no thread, file or slot behind.

use std::sync::Arc;

use pitlane_engine::consumer::{FaultCounts, FaultPlan, Faulty};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use super::witness::{Testimony, Witness};
use crate::table::count;

const PANIC_PPM: u32 = 100_000;

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let (events, events_per_s) = (setting.scale.leak_events, setting.scale.leak_events_per_s);
    let mut trial = Trial::new(setting, events, events_per_s);
    trial.config.telemetry.fanout_every = 100;
    if setting.has(Plant::LeakedSlot) {
        trial.faults.leak_slot = events / 2;
        // The consumer never gets to the end of its lane, so the stop takes its whole deadline.
        trial.config.engine.drain_deadline_ms = 500;
    }
    let injected = Arc::new(FaultCounts::default());
    let seen = Arc::new(Testimony::default());
    let plan = FaultPlan { seed: 5, panic_ppm: PANIC_PPM, ..FaultPlan::default() };
    let (counts, testimony) = (Arc::clone(&injected), Arc::clone(&seen));
    let trial = trial
        .consumer("panicking", move || Faulty::new(plan, Arc::clone(&counts)))
        .consumer("witness", move || Witness::new(Arc::clone(&testimony)));
    let ran = trial.run()?;
    let report = &ran.report;
    let contained = report.consumers.first().map_or(0, |consumer| consumer.failures);
    let witness = report.consumers.get(1).map(|consumer| consumer.terms).unwrap_or_default();
    let undelivered = events.saturating_sub(seen.market() + witness.conflated + witness.aggregated);
    let finding = Finding {
        done: format!(
            "{} events at {}/s, one consumer panics on 10 % of them",
            count(events),
            count(u64::from(events_per_s))
        ),
        measured: format!(
            "threads {} to {}, files {} to {}, slots owned {}, left behind {}; neighbour saw {} \
             events, in which {} more were conflated",
            ran.before.threads,
            ran.after.threads,
            ran.before.files,
            ran.after.files,
            report.slots_owned,
            report.threads_left_behind.len(),
            count(seen.market()),
            count(witness.conflated + witness.aggregated)
        ),
        bound: "as at the start; 0 slots; the neighbour misses nothing uncounted".to_owned(),
        verdict: Verdict::Skipped,
        attack: format!("{} panics, {} contained", count(injected.panics()), count(contained)),
    };
    Ok(finding.judged(&[
        ran.after.threads <= ran.before.threads && ran.after.files <= ran.before.files,
        ran.before.threads > 0 && ran.before.files > 0,
        report.slots_owned == 0 && report.threads_left_behind.is_empty(),
        report.identity_holds && report.critical_lost == 0,
        contained == injected.panics(),
        injected.panics() > events / 20,
        undelivered == 0,
    ]))
}
