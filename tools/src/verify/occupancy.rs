//! SC-003: lanes and pools have room to spare.
//!
//! Two venues write the load, so that quotes of both are merged; some events come out of order. So
//! both pools are in use: that of merge windows, and that of what waits for its turn.

use std::sync::Arc;
use std::time::Duration;

use pitlane_engine::consumer::{FaultPlan, Faulty, MergeRequest, VenueSet};
use pitlane_engine::control::RoutingChange;
use pitlane_engine::event::{ConsumerId, EventKind, InstrumentId};
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

/// Venues that share the load.
const VENUES: u32 = 2;
/// Of the market events, so many come in the wrong order.
const SWAPPED_PER_MILLE: u16 = 50;

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let [slow_events, fast_events] = setting.scale.occupancy_events;
    let (mut measured, mut judged) = (Vec::new(), Vec::new());
    let mut published = 0;
    let slow =
        setting.scale.subscribers.iter().map(|subscribers| (*subscribers, 1_000, slow_events));
    for (subscribers, events_per_s, events) in slow.chain([(10, 100_000, fast_events)]) {
        let report = loaded(setting, subscribers, events_per_s, events)?;
        published += report.consumers.iter().map(|consumer| consumer.terms.published).sum::<u64>();
        let Some(fullest) = fullest(&report) else { continue };
        // A pool that nobody took a slot of proves nothing.
        let is_roomy = |pool: &PoolReport| {
            let most = pool.slots as u64 * PERCENT_MAX;
            pool.exhausted == 0 && pool.high_water > 0 && pool.high_water * 100 < most
        };
        judged.extend([
            fullest.high_water > 0 && percent(fullest) < PERCENT_MAX,
            report.lanes.iter().all(|lane| lane.full == 0),
            !report.pools.is_empty() && report.pools.iter().all(is_roomy),
        ]);
        measured.push(format!(
            "{}/s x {subscribers}: lane {}, {}",
            count(u64::from(events_per_s)),
            filled(&fullest.name, fullest.high_water, fullest.slots),
            pools(&report.pools)
        ));
    }
    let finding = Finding {
        done: format!(
            "{} events at 1,000/s, {} at 100,000/s with market lanes of {FAST_MARKET_SLOTS}",
            count(slow_events),
            count(fast_events)
        ),
        measured: format!("fullest {}", measured.join("; ")),
        bound: format!(
            "below {PERCENT_MAX} %, no lane ever full, no pool ever exhausted or unused"
        ),
        verdict: Verdict::Skipped,
        attack: format!(
            "{} copies published; quotes of {VENUES} venues merged, {} % out of order",
            count(published),
            SWAPPED_PER_MILLE / 10
        ),
    };
    judged.push(published > 0);
    Ok(finding.judged(&judged))
}

/// What an engine reports after so many events, of which a part is critical, a part out of order,
/// and the quotes are merged as well.
fn loaded(
    setting: &Setting<'_>,
    subscribers: u32,
    events_per_s: u32,
    events: u64,
) -> Result<Report, TrialError> {
    let mut trial = Trial::new(setting, events / u64::from(VENUES), events_per_s / VENUES);
    trial.config.simulated.standby = VENUES - 1;
    (trial.load.critical_per_mille, trial.load.swapped_per_mille) = (50, SWAPPED_PER_MILLE);
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
    if setting.has(Plant::SmallPool) {
        trial.config.streams.held_events = 1;
    }
    let wanted = trial.load.events_max * u64::from(VENUES);
    let mut is_merging = false;
    let ran = trial.run_while(|engine| {
        is_merging = is_merging || engine.change(1, &[merged_quotes()]).is_ok();
        engine.status().events_in >= wanted
    });
    ran.map(|ran| ran.report)
}

/// The last of the consumers gets the quotes of both venues as one stream, too.
fn merged_quotes() -> RoutingChange {
    let request = MergeRequest {
        instrument: InstrumentId(0),
        kind: EventKind::Quote,
        venues: VenueSet((1 << VENUES) - 1),
        window_ns: 5_000_000,
        events_max: VENUES,
    };
    RoutingChange::Merge { consumer: ConsumerId(1), request, is_on: true }
}

fn pools(pools: &[PoolReport]) -> String {
    let text = |pool: &PoolReport| filled(&pool.name, pool.high_water, pool.slots);
    format!("pool {}", pools.iter().map(text).collect::<Vec<_>>().join(", pool "))
}

/// How full something was at its fullest.
fn filled(name: &str, high_water: u64, slots: usize) -> String {
    let percent = high_water * 100 / slots as u64;
    format!("{name} {percent} % ({} of {})", count(high_water), count(slots as u64))
}

/// The fullest lane that an event passes.
fn fullest(report: &Report) -> Option<&LaneReport> {
    let lanes = report.lanes.iter().filter(|lane| !lane.name.starts_with("log:"));
    lanes.max_by_key(|lane| lane.high_water * 1_000_000 / lane.slots as u64)
}

fn percent(lane: &LaneReport) -> u64 {
    lane.high_water * 100 / lane.slots as u64
}
