//! Orders and money, against the venue's ledger.

use std::collections::BTreeMap;

use super::evidence::Evidence;
use crate::event::{Event, ExecReport, ExecType, OrderStatus, Payload, RejectReason};
use crate::simulation::plan::Disk;
use crate::simulation::told::ConsumerNotes;
use crate::testing::disagreements;
use crate::venue::simulated::LedgerSide;

/// 1: no name twice at the venue, and every order ends.
pub(super) fn conservation(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for ledger in of.ledgers {
        let mut names = BTreeMap::new();
        for order in ledger.orders.values() {
            if let Some(other) = names.insert(order.client_order_id.as_str(), order.id) {
                let name = &order.client_order_id;
                found.push(format!("{name}: orders {other} and {} at the venue", order.id));
            }
        }
    }
    // After a halt no order session is read: what is open then is named as left at its venue.
    if !of.is_quiet() || of.report.halted.is_some() && of.plan.disk != Disk::default() {
        return found;
    }
    for (number, notes) in of.consumers {
        if of.is_quarantined(*number) {
            continue;
        }
        for (id, order) in &notes.orders {
            if !order.status.is_some_and(OrderStatus::is_terminal) {
                let state = order.status.map_or("never told of", OrderStatus::name);
                found.push(format!("{}: order {id} has no end: {state}", notes.name));
            }
        }
        if notes.open > 0 {
            found.push(format!("{}: {} orders open after the end", notes.name, notes.open));
        }
    }
    found
}

/// 2: who is told that an order was never accepted is told the truth.
pub(super) fn proof_of_end(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for order in of.ledgers.iter().flat_map(|ledger| ledger.orders.values()) {
        let name = &order.client_order_id;
        let Some((consumer, id)) = Evidence::key_of(name) else { continue };
        let notes = of.consumers.get(&consumer).filter(|_| !of.is_quarantined(consumer));
        let Some(told) = notes.and_then(|notes| notes.orders.get(&id)) else { continue };
        let is_refused = told.status == Some(OrderStatus::Rejected);
        // What was inferred may still be taken back where the run ends in trouble.
        if is_refused && (told.is_proved || of.is_quiet()) {
            found.push(format!("{name}: told as refused, and {:?} at the venue", order.status));
        }
        let is_over = told.status.is_some_and(OrderStatus::is_terminal);
        if is_over && told.is_proved && order.is_open() {
            found.push(format!("{name}: told as over by the venue's report, and open there"));
        }
    }
    found
}

/// 3: what was told of fills, values, fees and ends, and the account's balances.
pub(super) fn fills(of: &Evidence<'_>) -> Vec<String> {
    let mut found = executions(of);
    let is_told = of.consumers.keys().all(|number| !of.is_quarantined(*number));
    if !of.is_quiet() || !is_told {
        return found;
    }
    for (venue, (ledger, symbols)) in of.ledgers.iter().zip(of.symbols).enumerate() {
        let nothing = Default::default();
        let told = of.told.get(&(venue as u16)).unwrap_or(&nothing);
        found.extend(disagreements(told, ledger, symbols));
    }
    found
}

/// Each execution by its name: there, once, at the ledger's price and quantity.
fn executions(of: &Evidence<'_>) -> Vec<String> {
    let mut trades = BTreeMap::new();
    for trade in of.ledgers.iter().flat_map(|ledger| &ledger.trades) {
        let Some(key) = Evidence::key_of(&trade.client_order_id) else { continue };
        trades.insert((key, trade.trade_id), (trade.price.cast_signed(), trade.qty.cast_signed()));
    }
    let mut found = Vec::new();
    for (number, notes) in of.consumers {
        for (id, order) in &notes.orders {
            let who = format!("{}: order {id}", notes.name);
            if let Some(twice) = order.twice {
                found.push(format!("{who}: execution {twice} was told twice"));
            }
            for (execution, price, qty) in &order.fills {
                match trades.get(&((*number, *id), *execution)) {
                    None => found.push(format!("{who}: there is no execution {execution}")),
                    Some(truth) if *truth != (*price, *qty) => found.push(format!(
                        "{who}: execution {execution} told as {qty} at {price}, it is {} at {}",
                        truth.1, truth.0
                    )),
                    Some(_) => {}
                }
            }
        }
    }
    found
}

/// 4: the sums of one report, and what was told before.
pub(super) fn quantities(notes: &ConsumerNotes, event: &Event, _now_ns: u64) -> Option<String> {
    let Some(Payload::ExecReport(report)) = event.payload() else { return None };
    let kind = report.exec_type()?;
    // These refuse what was asked, and tell nothing of the order; so does the refusal of a query.
    let is_refusal = matches!(kind, ExecType::CancelRejected | ExecType::ModifyRejected)
        || (kind == ExecType::Unknown && report.reason() != Some(RejectReason::None));
    if is_refusal {
        return None;
    }
    let ExecReport { client_order_id: id, qty, filled_qty, prevented_qty, .. } = *report;
    let (filled, prevented) = (filled_qty, prevented_qty);
    let status = report.status()?;
    if filled < 0 || prevented < 0 || filled.saturating_add(prevented) > qty {
        return Some(format!("order {id}: {filled} filled and {prevented} prevented of {qty}"));
    }
    if status == OrderStatus::Filled && filled + prevented != qty {
        return Some(format!("order {id}: filled, with {filled} of {qty}"));
    }
    let before = notes.orders.get(&id)?;
    if filled < before.filled {
        return Some(format!("order {id}: {filled} filled after {}", before.filled));
    }
    let told = if kind == ExecType::Trade { report.last_qty } else { 0 };
    if before.status.is_some() && filled - before.filled != told {
        let before = before.filled;
        return Some(format!("order {id}: {filled} filled after {before} by a fill of {told}"));
    }
    let was_over = before.status.is_some_and(OrderStatus::is_terminal);
    let may_follow = matches!(kind, ExecType::Revived | ExecType::Corrected);
    if was_over && !may_follow {
        let before = before.status.map_or("?", OrderStatus::name);
        return Some(format!("order {id}: {} after its end ({before})", kind.name()));
    }
    let is_back = status == OrderStatus::PendingNew
        && matches!(before.status, Some(OrderStatus::New | OrderStatus::PartiallyFilled));
    is_back.then(|| format!("order {id}: pending again, after it was accepted"))
}

/// 5: positions are what fills make of them, and together they are the account's.
pub(super) fn positions(of: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut held = (0, 0);
    for notes in of.consumers.values() {
        let has = (notes.holds.net, notes.holds.cash);
        if has != notes.fills {
            found.push(format!("{}: holds {has:?}, its fills make {:?}", notes.name, notes.fills));
        }
        held = (held.0 + has.0, held.1 + has.1);
    }
    let is_told = of.consumers.keys().all(|number| !of.is_quarantined(*number));
    if of.is_quiet() && is_told {
        let trades = of.ledgers.iter().flat_map(|ledger| &ledger.trades);
        let truth = trades.filter(|trade| trade.market == 0).fold((0, 0), |sum, trade| {
            let sign = if trade.side == LedgerSide::Buy { 1 } else { -1 };
            let qty = sign * i128::from(trade.qty);
            (sum.0 + qty, sum.1 - qty * i128::from(trade.price))
        });
        if held != truth {
            found.push(format!("held {held:?}, at the venue {truth:?}"));
        }
    }
    found
}
