//! The accounting identity, under an overload that conflates, aggregates and spills.

use std::sync::Arc;
use std::time::Duration;

use pitlane_engine::consumer::{FaultCounts, FaultPlan, Faulty};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use super::witness::{Testimony, Witness};
use crate::table::count;

const WITNESSES: usize = 3;
const CRITICAL_PER_MILLE: u16 = 100;
const EVENTS_PER_S: u32 = 20_000;

/// Small lanes and a consumer that stalls for 20 ms now and then; three witnesses count for
/// themselves.
pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let events = setting.scale.account_events;
    let seen: [Arc<Testimony>; WITNESSES] = Default::default();
    let stalls = Arc::new(FaultCounts::default());
    let report = trial(setting, &seen, &stalls).run()?.report;
    let broken: usize = report
        .consumers
        .iter()
        .flat_map(|consumer| consumer.kinds.values())
        .filter(|terms| !terms.identity_holds())
        .count();
    let sent = events * u64::from(CRITICAL_PER_MILLE) / 1_000;
    let to_witnesses = sent * WITNESSES as u64 / (WITNESSES as u64 + 1);
    let reports: u64 = seen.iter().map(|testimony| testimony.reports()).sum();
    let disorder: u64 = seen.iter().map(|testimony| testimony.out_of_order()).sum();
    let sum = |term: fn(&pitlane_engine::report::TermCounts) -> u64| -> u64 {
        report.consumers.iter().map(|consumer| term(&consumer.terms)).sum()
    };
    let spills: u64 = report
        .lanes
        .iter()
        .filter(|lane| lane.name.ends_with(":critical") && !lane.name.starts_with("dispatch"))
        .map(|lane| lane.full)
        .sum();
    let finding = Finding {
        done: format!(
            "{} events at 20,000/s, 10 % critical, lanes of 64 and 8 slots, a consumer \
             that stalls 20 ms",
            count(events)
        ),
        measured: format!(
            "{broken} broken accounts; critical lost {} by the engine's count; witnesses got \
             {} of {} reports, {disorder} out of order",
            report.critical_lost,
            count(reports),
            count(to_witnesses)
        ),
        bound: "every account holds by consumer and kind, none in flight, critical lost 0"
            .to_owned(),
        verdict: Verdict::Skipped,
        attack: format!(
            "{} conflated, {} aggregated, {spills} times a critical lane was full, {} stalls",
            count(sum(|terms| terms.conflated)),
            count(sum(|terms| terms.aggregated)),
            stalls.stalls()
        ),
    };
    Ok(finding.judged(&[
        report.identity_holds && broken == 0,
        report.critical_lost == 0 && disorder == 0 && reports == to_witnesses,
        sum(|terms| terms.in_flight) == 0,
        sum(|terms| terms.conflated) > 0 && sum(|terms| terms.aggregated) > 0,
        spills > 0 && stalls.stalls() > 0,
    ]))
}

/// The run: three witnesses, and one that stalls.
fn trial<'s>(
    setting: &'s Setting<'s>,
    seen: &[Arc<Testimony>],
    stalls: &Arc<FaultCounts>,
) -> Trial<'s> {
    let mut trial = Trial::new(setting, setting.scale.account_events, EVENTS_PER_S);
    trial.load.critical_per_mille = CRITICAL_PER_MILLE;
    trial.config.lanes.market = 64;
    trial.config.lanes.critical = 8;
    let strike = if setting.plant == Plant::None { 0 } else { 500 };
    match setting.plant {
        Plant::LostMarketEvent => trial.faults.lose_market_event = strike,
        Plant::LostCriticalEvent => trial.faults.lose_critical_event = strike / 10,
        _ => {}
    }
    for (number, testimony) in seen.iter().enumerate() {
        let testimony = Arc::clone(testimony);
        let make = move || Witness::new(Arc::clone(&testimony));
        trial = trial.consumer(&format!("witness-{number}"), make);
    }
    let counts = Arc::clone(stalls);
    let stall = Duration::from_millis(20);
    let plan = FaultPlan { seed: 3, stall_ppm: 2_000, stall, ..FaultPlan::default() };
    trial.consumer("stalling", move || Faulty::new(plan, Arc::clone(&counts)))
}
