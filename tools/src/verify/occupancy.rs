//! SC-003: lanes have room to spare.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pitlane_engine::consumer::{FaultPlan, Faulty};
use pitlane_engine::report::{LaneReport, PoolReport, Report};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use super::witness::Witness;
use crate::table::count;

const PERCENT_MAX: u64 = 80;

/// Market slots of each consumer at 100,000 events/s: 2,000 (20 ms without the core) + 32 (a
/// batch of the dispatcher) + 16 (the batch being handled) = 2,048; x 3 = 6,144.
const FAST_MARKET_SLOTS: usize = 8_192;

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let [slow_events, fast_events] = setting.scale.occupancy_events;
    let mut measured = Vec::new();
    let (mut holds, mut published) = (true, 0);
    let mut pools = Vec::<PoolReport>::new();
    let slow =
        setting.scale.subscribers.iter().map(|subscribers| (*subscribers, 1_000, slow_events));
    for (subscribers, events_per_s, events) in slow.chain([(10, 100_000, fast_events)]) {
        let mut trial = Trial::new(setting, events, events_per_s);
        trial.load.critical_per_mille = 50;
        trial.config.telemetry.fanout_every = 100;
        if events_per_s > 1_000 {
            trial.config.lanes.market = FAST_MARKET_SLOTS;
        }
        let stall = Duration::from_millis(20);
        let stalling = FaultPlan { stall_ppm: 1_000, stall, ..FaultPlan::default() };
        for number in 0..subscribers {
            let name = format!("sub-{number}");
            trial = if number == 0 && setting.has(Plant::SmallLanes) {
                trial.config.lanes.market = 64;
                trial.consumer(&name, move || Faulty::new(stalling, Arc::default()))
            } else {
                trial.consumer(&name, Witness::default)
            };
        }
        let report = trial.run()?.report;
        published += report.consumers.iter().map(|consumer| consumer.terms.published).sum::<u64>();
        let Some(fullest) = fullest(&report) else { continue };
        let is_roomy = |pool: &PoolReport| {
            pool.exhausted == 0 && pool.high_water * 100 < pool.slots as u64 * PERCENT_MAX
        };
        holds &= fullest.high_water > 0
            && !report.pools.is_empty()
            && report.pools.iter().all(is_roomy)
            && percent(fullest) < PERCENT_MAX
            && report.lanes.iter().all(|lane| lane.full == 0);
        measured.push(format!(
            "{}/s x {subscribers}: {} {} % ({} of {})",
            count(u64::from(events_per_s)),
            fullest.name,
            percent(fullest),
            count(fullest.high_water),
            count(fullest.slots as u64)
        ));
        pools.extend(report.pools);
    }
    let finding = Finding {
        done: format!(
            "{} events at 1,000/s, {} at 100,000/s with market lanes of {FAST_MARKET_SLOTS}",
            count(slow_events),
            count(fast_events)
        ),
        measured: format!("fullest lane {}; pools: {}", measured.join("; "), fullest_pools(&pools)),
        bound: format!("below {PERCENT_MAX} %, no lane ever full, no pool ever exhausted"),
        verdict: Verdict::Skipped,
        attack: format!("{} copies published", count(published)),
    };
    Ok(finding.judged(&[holds, published > 0]))
}

/// By pool, the most slots that were in use at once in any of the runs.
fn fullest_pools(pools: &[PoolReport]) -> String {
    let names: BTreeSet<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
    let most = |name: &&str| {
        let of_name = pools.iter().filter(|pool| pool.name == **name);
        of_name.max_by_key(|pool| pool.high_water)
    };
    let text = |pool: &PoolReport| {
        format!("{} {} of {}", pool.name, count(pool.high_water), count(pool.slots as u64))
    };
    names.iter().filter_map(most).map(text).collect::<Vec<_>>().join(", ")
}

/// The fullest lane that an event passes.
fn fullest(report: &Report) -> Option<&LaneReport> {
    let lanes = report.lanes.iter().filter(|lane| !lane.name.starts_with("log:"));
    lanes.max_by_key(|lane| lane.high_water * 1_000_000 / lane.slots as u64)
}

fn percent(lane: &LaneReport) -> u64 {
    lane.high_water * 100 / lane.slots as u64
}
