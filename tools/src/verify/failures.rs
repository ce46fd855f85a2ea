//! SC-006: every failure is reported, with all of its context.

use std::sync::Arc;

use pitlane_engine::consumer::{
    FailureKind, FailureLog, FailureRecord, FaultCounts, FaultPlan, Faulty,
};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use crate::table::count;

const CONSUMERS: usize = 3;
const EVENTS_PER_S: u32 = 25_000;

/// Three consumers fail at once (F29), each by panics and by errors.
pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let events = setting.scale.failure_events;
    let mut trial = Trial::new(setting, events, EVENTS_PER_S);
    trial.load.critical_per_mille = 50;
    trial.config.telemetry.fanout_every = 100;
    if setting.has(Plant::SwallowedFailure) {
        trial.faults.swallow_failure = 100;
    }
    let injected: [Arc<FaultCounts>; CONSUMERS] = Default::default();
    for (number, counts) in injected.iter().enumerate() {
        let plan = FaultPlan {
            seed: number as u64 + 1,
            panic_ppm: 30_000,
            error_ppm: 20_000,
            ..FaultPlan::default()
        };
        let counts = Arc::clone(counts);
        let make = move || Faulty::new(plan, Arc::clone(&counts));
        trial = trial.consumer(&format!("failing-{number}"), make);
    }
    let report = trial.run()?.report;
    let (mut panics, mut errors, mut records, mut bare) = (0, 0, 0, 0);
    let mut equal = true;
    for (consumer, counts) in report.consumers.iter().zip(&injected) {
        let log = &consumer.failure_log;
        let of = |kind| by_kind(log, kind);
        equal &= of(FailureKind::Panic) == counts.panics();
        equal &= of(FailureKind::Error) == counts.errors();
        equal &= log.total == counts.panics() + counts.errors();
        (panics, errors) = (panics + counts.panics(), errors + counts.errors());
        for record in log.sites.iter().map(|site| &site.first).chain(&log.last) {
            records += 1;
            bare += u64::from(!has_full_context(record, &consumer.name));
        }
    }
    let reported: u64 = report.consumers.iter().map(|consumer| consumer.failures).sum();
    let finding = Finding {
        done: format!("{} events, {CONSUMERS} consumers fail on 5 % of them", count(events)),
        measured: format!(
            "{} of {} reported; {records} records kept, {bare} without full context",
            count(reported),
            count(panics + errors)
        ),
        bound: "injected = reported, by consumer and kind; full context in each record".to_owned(),
        verdict: Verdict::Skipped,
        attack: format!("{} panics and {} errors injected", count(panics), count(errors)),
    };
    let happened = panics > events / 100 && errors > events / 100 && records > 0;
    Ok(finding.judged(&[equal, bare == 0, happened, report.identity_holds]))
}

fn by_kind(log: &FailureLog, kind: FailureKind) -> u64 {
    log.sites.iter().filter(|site| site.first.kind == kind).map(|site| site.count).sum()
}

fn has_full_context(record: &FailureRecord, consumer: &str) -> bool {
    record.consumer == consumer
        && record.trace_id > 0
        && record.routing_version > 0
        && (record.sequence > 0 || record.callback == "exec_report")
        && record.core < pitlane_engine::config::CORE_IDS
        && !record.thread.is_empty()
        && !record.callback.is_empty()
        && record.message.starts_with("planted")
        && record.site.contains("faulty.rs")
        && record.backtrace.is_some()
}
