//! SC-001: an event reaches all of its subscribers in microseconds.

use std::sync::Arc;

use pitlane_engine::consumer::{FaultPlan, Faulty};
use pitlane_engine::report::Report;
use pitlane_engine::telemetry::LatencyFigures;
use pitlane_ring::{Checks, DefaultChecks};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use super::witness::Witness;
use crate::table::{count, micros};

const P50_NS: u64 = 5_000;
const P90_NS: u64 = 20_000;
/// Where threads share cores, and where each has its own.
const P99_NS: [u64; 2] = [50_000, 5_000];
const EVENTS_PER_S: u32 = 1_000;
/// More than there are in the time that the report leaves out.
const WARM_UP_EVENTS: u64 = 500;

/// From the dispatcher's stamp to the last subscriber's callback returned.
pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let events = setting.scale.timed_events;
    let (mut measured, mut holds, mut timed, mut handled) = (Vec::new(), true, 0, 0);
    let mut p99_ns = P99_NS[0];
    for subscribers in setting.scale.subscribers {
        let mut trial = Trial::new(setting, events + WARM_UP_EVENTS, EVENTS_PER_S);
        let burn = std::time::Duration::from_micros(100);
        let slow = FaultPlan { burn_ppm: 1_000_000, burn, ..FaultPlan::default() };
        for number in 0..*subscribers {
            let name = format!("subscriber-{number}");
            trial = if number == 0 && setting.has(Plant::SlowConsumer) {
                trial.consumer(&name, move || Faulty::new(slow, Arc::default()))
            } else {
                trial.consumer(&name, Witness::default)
            };
        }
        let report = trial.run()?.report;
        p99_ns = P99_NS[usize::from(is_dedicated(&report))];
        let last = report.stages.get("fanout:last").copied().unwrap_or_default();
        let hiccups = &report.hiccups;
        let p99_holds = last.p99_ns <= p99_ns || last.p99_ns <= 2 * hiccups.p99_ns;
        let copies: u64 = report.consumers.iter().map(|consumer| consumer.terms.handled).sum();
        let all = copies == (events + WARM_UP_EVENTS) * u64::from(*subscribers);
        holds &= last.p50_ns <= P50_NS
            && last.p90_ns <= P90_NS
            && p99_holds
            && all
            && last.count >= events;
        measured.push(figures(*subscribers, &last, hiccups));
        timed += last.count;
        handled += copies;
    }
    let finding = Finding {
        done: format!(
            "{} events at 1,000/s to {:?} subscribers, each copy handled",
            count(events),
            setting.scale.subscribers
        ),
        measured: measured.join("; "),
        bound: format!(
            "last handled: p50 {} us, p90 {} us; p99 {} us or twice the hiccups' p99",
            P50_NS / 1_000,
            P90_NS / 1_000,
            p99_ns / 1_000
        ),
        verdict: Verdict::Skipped,
        attack: format!("{} copies handled, {} fan-outs timed whole", count(handled), count(timed)),
    };
    if DefaultChecks::CHECKED && !setting.has(Plant::SlowConsumer) {
        let measured =
            format!("lanes of this build are checked, times mean little: {}", finding.measured);
        return Ok(Finding { measured, ..finding });
    }
    Ok(finding.judged(&[holds]))
}

/// The hiccups stand beside each figure: on a machine that is busy with other things they are what
/// fails it.
fn figures(subscribers: u32, last: &LatencyFigures, hiccups: &LatencyFigures) -> String {
    let us = |of: &LatencyFigures| {
        format!("p50 {}, p90 {}, p99 {}", micros(of.p50_ns), micros(of.p90_ns), micros(of.p99_ns))
    };
    format!("{subscribers}: {} us (hiccups alone: {})", us(last), us(hiccups))
}

/// Whether every consumer has a core of its own.
fn is_dedicated(report: &Report) -> bool {
    let consumers = report.consumers.iter().map(|consumer| consumer.name.as_str());
    let alone = |name| report.threads.iter().any(|thread| thread.agents == [name]);
    consumers.into_iter().all(alone)
}
