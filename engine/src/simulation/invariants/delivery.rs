//! What reaches a strategy, and what is given back.

use super::evidence::Evidence;
use crate::dispatcher::FLIP_END;
use crate::event::{Event, EventKind, Payload};
use crate::simulation::told::ConsumerNotes;

/// 6: each critical event has the next number of its consumer.
pub(super) fn critical_sequence(
    notes: &ConsumerNotes,
    event: &Event,
    _now_ns: u64,
) -> Option<String> {
    let is_critical = event.kind().is_some_and(EventKind::is_critical);
    let (is, before) = (event.critical_sequence, notes.critical_sequence);
    let is_next = (before + 1..=before + 1 + notes.marks).contains(&is);
    (is_critical && !is_next).then(|| format!("critical event {is} after {before}"))
}

/// 6: and none is missing at the end.
pub(super) fn nothing_critical_lost(of: &Evidence<'_>) -> Vec<String> {
    let lost = of.report.critical_lost;
    // Orders that are left at the venue are graver, and then both are named.
    let has_said_so = matches!(of.report.exit_code, 5 | 7);
    let mut found = Vec::new();
    if lost > 0 && !has_said_so {
        found.push(format!("{lost} lost, and the run ends with {}", of.report.exit_code));
    }
    // The disk of a plan without faults of the disk has room for what finds none elsewhere.
    let disk = &of.plan.disk;
    if lost > 0 && (disk.room_kib, disk.torn_ppm, disk.refused_ppm) == (0, 0, 0) {
        found.push(format!("{lost} lost, with a disk that works"));
    }
    found
}

/// 7: published = what became of it, per consumer and kind.
pub(super) fn accounts(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if !of.report.identity_holds {
        found.push("the accounts at the end do not hold".to_owned());
    }
    found
}

/// 10: no slot is returned twice.
pub(super) fn slots(of: &Evidence<'_>) -> Vec<String> {
    let lanes = of.report.lanes.iter().map(|lane| (&lane.name, lane.double_returns));
    let pools = of.report.pools.iter().map(|pool| (&pool.name, pool.double_returns));
    let twice = lanes.chain(pools).filter(|(_, twice)| *twice > 0);
    twice.map(|(name, twice)| format!("{name}: {twice} slots returned twice")).collect()
}

/// 11: nothing is held after the end.
pub(super) fn nothing_held(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if of.report.slots_owned > 0 {
        let lanes = of.report.lanes.iter().map(|lane| (lane.name.as_str(), lane.in_flight));
        let pools = of.report.pools.iter().map(|pool| (pool.name.as_str(), pool.in_use));
        let held: Vec<_> = lanes.chain(pools).filter(|(_, slots)| *slots > 0).collect();
        found.push(format!("{} slots were never returned: {held:?}", of.report.slots_owned));
    }
    if of.open_ends > 0 {
        found.push(format!("{} ends of connections are open", of.open_ends));
    }
    if of.open_handles > 0 {
        found.push(format!("{} files are open", of.open_handles));
    }
    found
}

/// 12: the versions of outcomes, and of the events of one stream, never go back.
pub(super) fn routing_version(
    notes: &ConsumerNotes,
    event: &Event,
    _now_ns: u64,
) -> Option<String> {
    let version = event.routing_version;
    let before = match event.payload() {
        Some(Payload::ControlResult(result)) if result.phase == FLIP_END => {
            let begun = notes.begun.unwrap_or(notes.version);
            let is_other = version > begun;
            return (!is_other).then(|| format!("a flip ends with version {version}, as it began"));
        }
        Some(Payload::ControlResult(_)) => notes.version,
        // What was conflated carries the lowest version in it.
        Some(Payload::Quote(_)) if event.conflated == 0 => {
            notes.stream(event, EventKind::Quote).version
        }
        Some(Payload::Trade(_)) if event.conflated == 0 => {
            notes.stream(event, EventKind::Trade).version
        }
        _ => return None,
    };
    (version < before).then(|| format!("version {version} after {before}"))
}
