//! What strategies were told, against the simulated venue's own ledger.
//!
//! Promises: after a calm phase [`disagreements`] is empty exactly when each order exists once at
//! the venue, its fills were told once each at the venue's price and with the venue's fee, its end
//! was told and no other, and the account's balances are the sum of its trades.

use std::collections::BTreeMap;

use crate::event::{ExecReport, ExecType, FEE_UNKNOWN, asset_code};
use crate::venue::orders::parts_of_name;
use crate::venue::simulated::{
    AMOUNT_SCALE, Ledger, LedgerBalance, LedgerSide, LedgerTrade, SimulatedSymbol,
};

/// Units of the ledger's amounts in one of an [`ExecReport`]'s fees (10^-8).
const FEE_UNIT: u128 = 10_u128.pow(AMOUNT_SCALE - 8);

/// A consumer's number, and its number for the order.
type Key = (u16, u64);

/// What one order's owner was told.
#[derive(Clone, Debug, Default)]
struct Told {
    filled: i64,
    quote: i128,
    /// By asset.
    fees: BTreeMap<u128, i128>,
    /// Fills without a fee, less those that were corrected.
    without_fee: i64,
    is_over: bool,
}

/// What all strategies were told of their orders.
#[derive(Clone, Debug, Default)]
pub struct ToldOrders(BTreeMap<Key, Told>);

impl ToldOrders {
    /// Takes a report that a consumer received, in the order of receipt.
    pub fn take(&mut self, report: &ExecReport) {
        let told = self.0.entry((report.consumer, report.client_order_id)).or_default();
        match report.exec_type() {
            Some(ExecType::Trade) if report.last_qty > 0 => {
                told.filled += report.last_qty;
                told.quote += report.quote;
            }
            Some(ExecType::Corrected) => {
                told.quote += report.quote - report.replaced_quote;
                told.without_fee -= report.last_qty;
            }
            Some(ExecType::Revived) => told.is_over = false,
            // These tell nothing of the order.
            Some(ExecType::CancelRejected | ExecType::ModifyRejected) => return,
            _ => {}
        }
        if report.has(FEE_UNKNOWN) {
            told.without_fee += report.last_qty;
        }
        if report.fee != 0 {
            *told.fees.entry(report.fee_asset).or_default() += i128::from(report.fee);
        }
        told.is_over |= report.status().is_some_and(crate::event::OrderStatus::is_terminal);
    }

    /// Orders of which the fee of some fill is not known.
    #[must_use]
    pub fn without_fee(&self) -> usize {
        self.0.values().filter(|told| told.without_fee > 0).count()
    }
}

/// Everything in which what was told differs from the ledger; one line each. The orders are those
/// of one run of ours, by the names that it gives them.
#[must_use]
pub fn disagreements(
    told: &ToldOrders,
    ledger: &Ledger,
    symbols: &[SimulatedSymbol],
) -> Vec<String> {
    let mut found = Vec::new();
    if ledger.forgotten > 0 {
        found.push(format!("the ledger has forgotten {} records", ledger.forgotten));
    }
    let mut at_venue: BTreeMap<Key, u64> = BTreeMap::new();
    for order in ledger.orders.values() {
        let name = order.client_order_id.as_str();
        let Some(key) = key_of(name) else { continue };
        if let Some(other) = at_venue.insert(key, order.id) {
            found.push(format!("{name}: orders {other} and {} at the venue", order.id));
        }
        let trades = || ledger.trades.iter().filter(|trade| trade.order_id == order.id);
        let sum: u64 = trades().map(|trade| trade.qty).sum();
        if sum != order.executed {
            found.push(format!("{name}: executed {}, but trades of {sum}", order.executed));
        }
        match told.0.get(&key) {
            None => found.push(format!("{name}: at the venue, and nothing was told of it")),
            Some(told) => compare(name, told, order.is_open(), trades(), &mut found),
        }
    }
    for ((consumer, id), told) in &told.0 {
        let is_there = at_venue.contains_key(&(*consumer, *id));
        if !is_there && (told.filled != 0 || !told.is_over) {
            found.push(format!("order {id} of consumer {consumer}: told, and not at the venue"));
        }
    }
    balances(ledger, symbols, &mut found);
    found
}

/// One order's fills, money, fees and end.
fn compare<'a>(
    name: &str,
    told: &Told,
    is_open: bool,
    trades: impl Iterator<Item = &'a LedgerTrade>,
    found: &mut Vec<String>,
) {
    let (mut filled, mut quote) = (0, 0);
    let mut fees: BTreeMap<u128, i128> = BTreeMap::new();
    for trade in trades {
        filled += trade.qty as i64;
        quote += i128::from(trade.price) * i128::from(trade.qty);
        let fee = (trade.fee.amount / FEE_UNIT) as i128;
        if fee != 0 {
            *fees.entry(asset_code(&trade.fee.asset).unwrap_or_default()).or_default() += fee;
        }
    }
    if told.filled != filled {
        found.push(format!("{name}: {} told as filled, {filled} are", told.filled));
    }
    if told.quote != quote {
        found.push(format!("{name}: {} told as its value, {quote} is", told.quote));
    }
    if told.without_fee == 0 && told.fees != fees {
        found.push(format!("{name}: fees {:?} told, {fees:?} were taken", told.fees));
    }
    if told.is_over == is_open {
        let (word, truth) = if is_open { ("over", "open") } else { ("open", "over") };
        found.push(format!("{name}: told as {word}, and {truth} at the venue"));
    }
}

/// The account: what it had, and its trades and fees, make what it has. Of contracts, what a
/// position has cost is not paid, and the position is what was traded.
fn balances(ledger: &Ledger, symbols: &[SimulatedSymbol], found: &mut Vec<String>) {
    let total = |balance: &LedgerBalance| {
        (balance.asset.to_string(), (balance.free + balance.locked) as i128)
    };
    let mut expected: BTreeMap<String, i128> = ledger.opening.iter().map(total).collect();
    let mut positions: Vec<i128> = ledger.positions.iter().map(|of| of.qty).collect();
    for (position, symbol) in ledger.positions.iter().zip(symbols) {
        let scale = AMOUNT_SCALE - symbol.price_scale - symbol.qty_scale;
        *expected.entry(symbol.quote_asset.clone()).or_default() +=
            position.cost * 10_i128.pow(scale);
    }
    for trade in &ledger.trades {
        let Some(symbol) = symbols.get(trade.market) else { continue };
        let scaled = |value: u128, scale: u32| (value * 10_u128.pow(AMOUNT_SCALE - scale)) as i128;
        let base = scaled(u128::from(trade.qty), symbol.qty_scale);
        let value = u128::from(trade.price) * u128::from(trade.qty);
        let quote = scaled(value, symbol.price_scale + symbol.qty_scale);
        let sign = if trade.side == LedgerSide::Buy { 1 } else { -1 };
        match positions.get_mut(trade.market) {
            Some(position) => *position -= sign * i128::from(trade.qty),
            None => *expected.entry(symbol.base_asset.clone()).or_default() += sign * base,
        }
        *expected.entry(symbol.quote_asset.clone()).or_default() -= sign * quote;
        *expected.entry(trade.fee.asset.to_string()).or_default() -= trade.fee.amount as i128;
    }
    for (position, symbol) in positions.into_iter().zip(symbols).filter(|(left, _)| *left != 0) {
        found.push(format!("{}: {position} of the position was never traded", symbol.name));
    }
    let now: BTreeMap<String, i128> = ledger.balances.iter().map(total).collect();
    for (asset, amount) in expected {
        let has = now.get(&asset).copied().unwrap_or_default();
        if has != amount {
            found.push(format!("{asset}: the account has {has}, its trades make {amount}"));
        }
    }
}

/// Consumer and number of an order of ours; `None` for a stranger's.
fn key_of(name: &str) -> Option<Key> {
    parts_of_name(name).map(|(_run, consumer, id)| (consumer, id))
}
