//! The journal against the venue's ledger, and recovery against the journal.

use std::path::Path;

use super::evidence::Evidence;
use crate::config::OnStart;
use crate::simulation::on_record::OnRecord;
use crate::venue::orders::parts_of_name;
use crate::venue::simulated::LedgerSide;

/// 18: each order at the venue is on record, and what was told of fills.
pub(super) fn on_record(of: &Evidence<'_>) -> Vec<String> {
    let journal = &of.report.journal;
    let Some(folder) = journal.path.as_ref().filter(|_| journal.failure.is_none()) else {
        return Vec::new();
    };
    let on_record = OnRecord::read(of.files, Path::new(folder));
    let stop = on_record.stop.iter();
    let mut found: Vec<_> = stop.map(|stop| format!("the journal stops: {stop}")).collect();
    for order in of.ledgers.iter().flat_map(|ledger| ledger.orders.values()) {
        let name = &order.client_order_id;
        // What the names look like is the venue's.
        if parts_of_name(name).is_none_or(|parts| !on_record.sent.contains(&parts)) {
            found.push(format!("order {name} is at the venue and not on record"));
        }
    }
    if journal.missed > 0 {
        found.push(format!("{} words are not on record", journal.missed));
    }
    let trades = of.ledgers.iter().flat_map(|ledger| &ledger.trades);
    let sum = trades.fold((0, 0), |sum: (i128, i128), trade| {
        let sign = if trade.side == LedgerSide::Buy { 1 } else { -1 };
        let qty = sign * i128::from(trade.qty);
        (sum.0 + qty, sum.1 - qty * i128::from(trade.price))
    });
    if of.is_quiet() && on_record.traded != sum {
        found.push(format!("on record {:?}, at the venue {sum:?}", on_record.traded));
    }
    found.extend(cancelled_first(of));
    found
}

/// 18: with `on_start = "cancel"` what was open before is over before anything new is there. What
/// the venue has taken in only then, later than it takes anything by its own rules, was not.
fn cancelled_first(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if of.plan.restart.on_start != OnStart::Cancel {
        return found;
    }
    for ledger in of.ledgers {
        for (run, known) in of.taken_up {
            let of_run = |name: &str| Evidence::run_of(name) == Some(*run);
            let orders = ledger.orders.values();
            let new = orders.filter(|order| of_run(&order.client_order_id));
            let Some(first_ms) = new.map(|order| order.created_ms).min() else { continue };
            for order in ledger.orders.values() {
                let name = &order.client_order_id;
                let is_known = Evidence::key_of(name).is_some_and(|key| known.contains(&key));
                let is_old = is_known && order.created_ms <= first_ms;
                if is_old && (order.is_open() || order.updated_ms > first_ms) {
                    let late_ms = order.updated_ms - first_ms;
                    found.push(format!("{name} lived {late_ms} ms longer than run {run} waited"));
                }
            }
        }
    }
    found
}
