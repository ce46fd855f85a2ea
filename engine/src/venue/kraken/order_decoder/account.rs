//! What the account has: its open orders, with which `executions` begins, and its balances.

use simd_json::Node;

use super::super::known_orders::KnownOrders;
use super::{BALANCES_MAX, Element, Told, read_element, read_report, read_side};
use crate::event::AssetAmount;
use crate::venue::codec::{
    DecodeError, Value, elements, need_date_ns, need_text, parse_cut, pick, text,
};
use crate::venue::protocol::{AssetBalance, KeptReport, ListedOrder, Several};
use crate::venue::{LetterReason, SymbolMap};

/// One element of a snapshot: an order that is open, ours or a stranger's in whatever symbol.
/// `None`: it can't be read, which is told beside.
pub(super) fn read_listed(
    nodes: &[Node<'_>],
    symbols: &SymbolMap,
    (reports, known): (&mut Several, &mut KnownOrders),
) -> Option<ListedOrder> {
    let Element { told, order, name, terms } = read_element(nodes, symbols, known);
    let read = || {
        told?;
        let [native, side, price, qty, filled] =
            pick(nodes, ["symbol", "side", "limit_price", "order_qty", "cum_qty"])
                .map_err(|error| (error, None))?;
        let state = match terms {
            // In a symbol that is not traded here.
            Err(error) if error.reason == LetterReason::Symbol => Ok(None),
            terms => {
                terms.and_then(|terms| read_report(nodes, &terms, (Told::New, order))).map(Some)
            }
        };
        let state = state.map_err(|error| (error, None))?;
        let side = read_side(side).map_err(|error| (error, side.and_then(text)))?;
        let terms = (native.and_then(text).unwrap_or_default(), side);
        let numbers = [price, qty, filled].map(|number| number.and_then(text));
        let state = state.map(|read| read.report.answer());
        Ok(ListedOrder::new((name.as_bytes(), order), terms, numbers, state))
    };
    let listed = read().map_err(|error| reports.push(KeptReport::new(name, order, Err(error))));
    listed.ok()
}

/// What the account has of each asset in its main wallet, and when that was so. What orders hold is
/// not told: all is told as free.
pub(super) fn read_balances<'t, 'a: 't>(
    data: impl Iterator<Item = &'t [Node<'a>]>,
    balances: &mut Vec<AssetBalance>,
) -> Result<(i64, Option<DecodeError>), DecodeError> {
    balances.clear();
    let (mut venue_time_ns, mut unreadable) = (0, None);
    for entry in data {
        if balances.len() == BALANCES_MAX {
            return Err(DecodeError::new(LetterReason::Oversize, "too many balances"));
        }
        let [time] = pick(entry, ["timestamp"])?;
        if time.is_some() {
            venue_time_ns = need_date_ns(time, "field timestamp is no time")?;
        }
        match read_balance(entry) {
            Ok(balance) => balances.extend(balance),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    Ok((venue_time_ns, unreadable))
}

/// An asset of a snapshot, with its wallets, or a line of the ledger; `None` when that is of
/// another wallet.
fn read_balance(nodes: &[Node<'_>]) -> Result<Option<AssetBalance>, DecodeError> {
    let [asset, balance, wallets, kind, id] =
        pick(nodes, ["asset", "balance", "wallets", "wallet_type", "wallet_id"])?;
    let is_main = |kind: Value<'_, '_>, id: Value<'_, '_>| {
        (kind.and_then(text), id.and_then(text)) == (Some("spot"), Some("main"))
    };
    let mut amount = balance;
    if let Some(wallets) = wallets.and_then(elements) {
        amount = None;
        for wallet in wallets {
            let [kind, id, balance] = pick(wallet, ["type", "id", "balance"])?;
            if is_main(kind, id) {
                amount = balance;
            }
        }
    } else if kind.is_some() && !is_main(kind, id) {
        return Ok(None);
    }
    let asset = need_text(asset, "field asset missing or no text")?;
    let Some(amount) = amount.and_then(text) else { return Ok(None) };
    let amount = parse_cut(amount.as_bytes(), AssetAmount::SCALE)?;
    AssetBalance::named(asset, amount, 0).map(Some)
}
