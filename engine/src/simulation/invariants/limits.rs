//! Limits: ours, as the venue saw them, and the venue's own.

use super::evidence::Evidence;
use crate::venue::simulated::FaultName;

const MS: u64 = 1_000_000;
/// Requests that a session may have on their way when a ban begins: their answers come too late.
const ON_THEIR_WAY_MAX: u64 = 30;
/// Times that messages may come in a bunch, since the network has held up the first of them.
const BUNCHED_MAX: u64 = 5;

/// The penalty of invariant 17.
const BEFORE_LOGON: &str = "before_logon";

/// 14: no consumer has more orders open at the venue than it may.
pub(super) fn open_orders(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for ledger in of.ledgers {
        for (consumer, notes) in of.consumers {
            let mut changes = Vec::new();
            for order in ledger.orders.values() {
                let Some((owner, id)) = Evidence::key_of(&order.client_order_id) else { continue };
                // What was taken back was over for its owner in between, and said to be so.
                let was_revived = notes.orders.get(&id).is_some_and(|order| order.was_revived);
                if owner != *consumer || was_revived {
                    continue;
                }
                changes.push((order.created_ms, 1));
                if !order.is_open() {
                    changes.push((order.updated_ms, -1));
                }
            }
            // Within one millisecond ends come first: what is counted is surely open at once.
            changes.sort_unstable();
            let (mut open, mut most, mut at_ms) = (0, 0, 0);
            for (ms, change) in changes {
                open += change;
                if open > most {
                    (most, at_ms) = (open, ms);
                }
            }
            if most > of.open_orders_max as i64 {
                let at_ms = at_ms - of.wall_start_ns / MS as i64;
                let max = of.open_orders_max;
                let name = &notes.name;
                found.push(format!("{name}: {most} orders open of {max} allowed, at {at_ms} ms"));
            }
        }
    }
    found
}

/// 15: what was created after the kill was on its way before.
pub(super) fn nothing_after_kill(of: &Evidence<'_>) -> Vec<String> {
    let Some(killed_ns) = of.killed_ns else { return Vec::new() };
    // The way to the venue in the trouble; what the venue itself holds back comes later still.
    let way_ms = if of.is_quiet() { 5 } else { 25 + of.plan.network.stall_ms + 9_500 };
    let way_ms = way_ms + of.slack_ms;
    let last_ms = (of.wall_start_ns as u64 + killed_ns) / MS + way_ms;
    let mut found = Vec::new();
    for order in of.ledgers.iter().flat_map(|ledger| ledger.orders.values()) {
        let name = &order.client_order_id;
        if order.created_ms > last_ms.cast_signed() {
            let late = order.created_ms - last_ms.cast_signed() + way_ms.cast_signed();
            found.push(format!("{name}: created {late} ms after the kill"));
        }
        let left = &of.report.orders.left_at_venues;
        if order.is_open()
            && Evidence::key_of(name).is_some()
            && !left.iter().any(|left| left.name == *name)
        {
            found.push(format!("{name}: open at the venue after the kill, and not named as left"));
        }
    }
    found
}

/// 16: but for what is on its way when a ban of the plan begins, nothing is punished.
pub(super) fn penalties(of: &Evidence<'_>) -> Vec<String> {
    let bans: u64 = of.simulated.iter().map(|venue| venue.faults(FaultName::Ban)).sum();
    let mut found = Vec::new();
    if of.plan.crash.iter().any(|crash| crash.loses_power) {
        // What the engine before had been told to wait for may be lost with the disk's last writes.
        return found;
    }
    for (limit, count) in of.penalties.iter().filter(|(limit, _)| **limit != BEFORE_LOGON) {
        let allowed = match *limit {
            // On a connection that has fallen silent nobody hears of a ban, nor does the venue hear
            // what is written on one on which it still tells things.
            "while_banned" if of.plan.network.silence_ppm > 0 && bans > 0 => u64::MAX,
            "no_pong" if of.plan.network.silence_ppm > 0 => u64::MAX,
            // Sessions that are not read any more, since nothing could be kept of them: that of
            // order entry, and that of the account where it is another one.
            "no_pong" if of.report.halted.is_some() => 2 * of.ledgers.len() as u64,
            "while_banned" => bans * ON_THEIR_WAY_MAX,
            "message_rate" if of.plan.network.stall_ppm > 0 => BUNCHED_MAX,
            _ => 0,
        };
        if *count > allowed {
            found.push(format!("{limit}: punished {count} times, after {bans} bans of the plan"));
        }
    }
    found
}

/// 17: no session asks for what needs a logon before it logged on.
pub(super) fn logon(of: &Evidence<'_>) -> Vec<String> {
    let early = of.penalties.get(BEFORE_LOGON).copied().unwrap_or(0);
    let told = || format!("{early} requests of sessions that had not logged on");
    (early > 0).then(told).into_iter().collect()
}
