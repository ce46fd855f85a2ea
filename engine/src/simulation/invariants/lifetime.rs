//! Whether a run heals and ends.

use super::evidence::Evidence;
use crate::runtime::RETRY_NS;

/// Duty cycles of all agents in a second of a run, for each venue: more are made by an agent that
/// says it has work and has none.
const CYCLES_PER_S_MAX: u64 = 20_000;
/// The same for each event of the venue.
const CYCLES_PER_EVENT_MAX: u64 = 20;
/// Duty cycles of the dispatcher in a second in which a strategy does not return from its callback:
/// it looks again and again for room.
const CYCLES_PER_HELD_S: u64 = 1_000_000_000 / RETRY_NS;

/// 20: after the calm sessions are up, books live, nothing in doubt, nothing open; the stop ends.
pub(super) fn liveness(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for agent in of.behind {
        found.push(format!("{agent} did not end"));
    }
    let venues = of.ledgers.len() as u64;
    let per_s = CYCLES_PER_S_MAX + CYCLES_PER_EVENT_MAX * u64::from(of.plan.load.events_per_s);
    let is_held = of.plan.strategies.hold_ppm > 0;
    let per_s = venues * per_s + if is_held { CYCLES_PER_HELD_S } else { 0 };
    let length_ns = of.plan.length_ns().max(of.stopped_ns);
    let cycles_max = per_s * (length_ns / 1_000_000_000 + 1);
    if of.cycles > cycles_max {
        let (cycles, busiest) = (of.cycles, of.busiest);
        found.push(format!("{cycles} duty cycles of {cycles_max} expected: {busiest}"));
    }
    // After a halt by a disk that the plan took away no order session is read, as it should be.
    let is_disk_bad = of.plan.disk != Default::default();
    if !of.is_quiet() || of.report.halted.is_some() && is_disk_bad {
        return found;
    }
    for (session, state) in of.sessions {
        if state != "open" {
            found.push(format!("{session} is {state}"));
        }
    }
    if of.report.books.is_empty() {
        found.push("there is no book".to_owned());
    }
    for (symbol, book) in &of.report.books {
        if book.status != "live" {
            found.push(format!("the book of {symbol} is {}", book.status));
        }
    }
    for left in &of.report.orders.left_at_venues {
        found.push(format!("left at the venue: {} ({})", left.name, left.state));
    }
    for order in of.ledgers.iter().flat_map(|ledger| ledger.orders.values()) {
        if order.is_open() && Evidence::key_of(&order.client_order_id).is_some() {
            found.push(format!("{}: open at the venue", order.client_order_id));
        }
    }
    if let Some(reason) = &of.report.halted {
        found.push(format!("halted: {reason}"));
    }
    found
}
