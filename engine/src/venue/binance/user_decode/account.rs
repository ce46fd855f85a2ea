//! What the account has: the list of its open orders, and its balances.
//!
//! Source: `openOrders.status` and `account.status` of the WebSocket API.

use super::order_result::{OrderResult, read_order};
use super::{AssetAmount, LetterReason, parse_wide, read_side};
use super::{BALANCES_MAX, DecodeError, Node, SymbolMap, elements, is_null, members, text};
use crate::event::VenueRef;
use crate::venue::orders::VenueAnswer;
use crate::venue::protocol::{AssetBalance, ListedOrder};

/// Orders of one list that are read; the venue allows an account a few hundred in a symbol.
const LISTED_MAX: usize = 4_096;

/// Whether a list is one of orders.
pub(super) fn is_list_of_orders(result: &[Node<'_>]) -> bool {
    let first = elements(result).and_then(|mut list| list.next());
    first.is_some_and(|order| members(order).any(|(name, _)| name == "clientOrderId"))
}

/// Reads the orders of a list. One that can't be read leaves the others; what is wrong with the
/// first such one is given.
#[cold]
pub(super) fn read_open_orders(
    result: &[Node<'_>],
    symbols: &SymbolMap,
    listed: &mut Vec<ListedOrder>,
) -> Option<DecodeError> {
    let mut unreadable = None;
    for nodes in elements(result).into_iter().flatten() {
        if listed.len() == LISTED_MAX {
            let too_many = DecodeError::new(LetterReason::Oversize, "too many open orders");
            return unreadable.or(Some(too_many));
        }
        match read_listed(nodes, symbols) {
            Ok(order) => listed.push(order),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    unreadable
}

fn read_listed(nodes: &[Node<'_>], symbols: &SymbolMap) -> Result<ListedOrder, DecodeError> {
    let found = |wanted: &str| {
        let value = members(nodes).find(|(name, _)| *name == wanted);
        value.and_then(|(_, value)| text(value))
    };
    let wanted = |name, missing| found(name).ok_or(DecodeError::field(missing));
    let name = wanted("clientOrderId", "open order without a name")?;
    let price = wanted("price", "open order without a price")?;
    let native = wanted("symbol", "open order without a symbol")?;
    let is_ours = symbols.lookup(native.as_bytes()).is_some();
    let order = if is_ours { read_order(nodes, symbols)? } else { None };
    let side = read_side(wanted("side", "open order without a side")?)?;
    let qty = wanted("origQty", "open order without a quantity")?;
    let filled = wanted("executedQty", "open order without what is filled")?;
    let state = order.filter(|order| order.price.is_some()).and_then(|order| answer(&order));
    let numbers = [price, qty, filled].map(Some);
    Ok(ListedOrder::new((name.as_bytes(), VenueRef::NONE), (native, side), numbers, state))
}

/// The state of the order in a reply; `None` when the reply leaves it out.
pub(in crate::venue::binance) fn answer(order: &OrderResult<'_>) -> Option<VenueAnswer> {
    Some(VenueAnswer {
        status: order.status?,
        venue_order_id: VenueRef::number(order.order_id),
        instrument: order.symbol.instrument,
        side: order.side,
        price: order.price,
        trigger_price: order.trigger_price,
        qty: order.qty,
        filled_qty: order.filled_qty?,
        prevented_qty: order.prevented_qty,
        quote_total: order.quote_total,
        expiry: order.expiry,
    })
}

/// Reads what the account has, where a result says so; of assets that can't be read, what is wrong
/// with the first.
#[cold]
pub(super) fn read_account(
    result: &[Node<'_>],
    balances: &mut Vec<AssetBalance>,
) -> Option<DecodeError> {
    let (_, list) = members(result).find(|(name, _)| *name == "balances")?;
    let mut unreadable = None;
    for nodes in elements(list).into_iter().flatten() {
        if balances.len() == BALANCES_MAX {
            let too_many = DecodeError::new(LetterReason::Oversize, "too many balances");
            return unreadable.or(Some(too_many));
        }
        match read_asset(nodes) {
            Ok(balance) => balances.push(balance),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    unreadable
}

fn read_asset(nodes: &[Node<'_>]) -> Result<AssetBalance, DecodeError> {
    let (mut asset, mut free, mut locked) = (None, None, None);
    for (name, value) in members(nodes).filter(|(_, value)| !is_null(value)) {
        match name {
            "asset" => asset = text(value),
            "free" => free = text(value),
            "locked" => locked = text(value),
            _ => {}
        }
    }
    let amount = |text: Option<&str>| {
        let text = text.ok_or(DecodeError::field("balance without an amount"))?;
        Ok::<_, DecodeError>(parse_wide(text.as_bytes(), AssetAmount::SCALE)?)
    };
    let name = asset.ok_or(DecodeError::field("balance without an asset"))?;
    AssetBalance::named(name, amount(free)?, amount(locked)?)
}
