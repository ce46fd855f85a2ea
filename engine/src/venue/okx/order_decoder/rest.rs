//! What REST answers of orders: lists of orders, open ones and others, of fills and of instruments.

use simd_json::Node;

use super::{ORDERS_MAX, fee_of, liquidity_of, quote_total, read_side, status_of};
use crate::event::{ExpiryReason, OrderStatus, VenueRef};
use crate::venue::codec::{
    DecodeError, elements, need_number, need_scaled, need_text, number_of, number_or_none, pick,
    text,
};
use crate::venue::orders::{VenueAnswer, VenueFill};
use crate::venue::protocol::{AccountLists, ListedOrder, ReplyBody};
use crate::venue::{Symbol, SymbolMap};

/// The order whose state an answer tells, and when it was created, ms since the Unix epoch.
pub(super) fn created_of(list: &[Node<'_>]) -> Option<(VenueRef, i64)> {
    let order = elements(list)?.next()?;
    let [order, created] = pick(order, ["ordId", "cTime"]).ok()?;
    let created_ms = i64::try_from(number_of(created)?).ok()?;
    Some((VenueRef::number(number_of(order)?), created_ms))
}

/// An order's state, its fills, or the instruments: the answer's own members say which.
pub(super) fn read_rest<'a>(
    list: &[Node<'a>],
    symbols: &SymbolMap,
    (fills, codes): (&mut Vec<VenueFill>, &mut [u64]),
) -> Result<ReplyBody<'a>, DecodeError> {
    fills.clear();
    let mut body = ReplyBody::default();
    for entry in elements(list).ok_or(DecodeError::field("data is no array"))? {
        let [state, trade, code, native, timer] =
            pick(entry, ["state", "billId", "instIdCode", "instId", "triggerTime"])?;
        // The timer that cancels all is set, and nothing else is told.
        if timer.is_some() {
            continue;
        }
        let native = need_text(native, "field instId missing or no text")?;
        let symbol = symbols.lookup(native.as_bytes());
        if code.is_some() {
            // One of all that are listed.
            if let (Some(symbol), Some(code)) = (symbol, number_of(code)) {
                codes[symbol.slot] = code;
            }
            continue;
        }
        let symbol = symbol.ok_or(DecodeError::symbol())?;
        let [order, name] = pick(entry, ["ordId", "clOrdId"])?;
        let order = need_number(order, "field ordId missing or no integer")?;
        let of_another =
            !body.venue_order_id.is_none() && body.venue_order_id != VenueRef::number(order);
        if of_another {
            return Err(DecodeError::nonsense("fills of several orders"));
        }
        body.venue_order_id = VenueRef::number(order);
        body.name = name.and_then(text).unwrap_or_default().as_bytes();
        if trade.is_some() {
            fills.push(read_fill(entry, symbol)?);
        } else {
            let [source] = pick(entry, ["cancelSource"])?;
            let stands = status_of(state, source)?;
            body.state = Some(read_state(entry, stands, symbol, body.venue_order_id)?);
        }
    }
    // The newest is told first.
    fills.sort_unstable_by_key(|fill| fill.trade.as_number());
    Ok(body)
}

/// A page of the open orders, the newest first: where the next page begins; empty where there is
/// none.
pub(super) fn read_pending(
    list: &[Node<'_>],
    symbols: &SymbolMap,
    lists: &mut AccountLists,
) -> Result<String, DecodeError> {
    let orders = elements(list).ok_or(DecodeError::field("data is no array"))?;
    let (mut count, mut oldest) = (0, None);
    for order in orders {
        let [number] = pick(order, ["ordId"])?;
        let number = need_number(number, "field ordId missing or no integer")?;
        oldest = Some(oldest.map_or(number, |oldest: u64| oldest.min(number)));
        lists.push(read_listed(order, number, symbols));
        count += 1;
    }
    Ok(oldest.filter(|_| count >= ORDERS_MAX).map_or(String::new(), |number| number.to_string()))
}

/// One of them: ours, or a stranger's in whatever instrument.
fn read_listed(
    order: &[Node<'_>],
    number: u64,
    symbols: &SymbolMap,
) -> Result<ListedOrder, DecodeError> {
    let [native, name, side, price, qty, filled, state, source] = pick(
        order,
        ["instId", "clOrdId", "side", "px", "sz", "accFillSz", "state", "cancelSource"],
    )?;
    let native = need_text(native, "field instId missing or no text")?;
    let venue_order_id = VenueRef::number(number);
    let symbol = symbols.lookup(native.as_bytes());
    let answer =
        symbol.map(|symbol| read_state(order, status_of(state, source)?, symbol, venue_order_id));
    let name = name.and_then(text).unwrap_or_default().as_bytes();
    let numbers = [price, qty, filled].map(|number| number.and_then(text));
    let terms = (native, read_side(side)?);
    Ok(ListedOrder::new((name, venue_order_id), terms, numbers, answer.transpose()?))
}

/// The number behind which the older fills are.
pub(super) fn oldest_bill_of(list: &[Node<'_>]) -> Option<u64> {
    let bill = |entry| pick(entry, ["billId"]).ok().and_then(|[bill]| number_of(bill));
    elements(list).into_iter().flatten().filter_map(bill).min()
}

fn read_fill(nodes: &[Node<'_>], symbol: Symbol) -> Result<VenueFill, DecodeError> {
    let [trade, price, qty, fee, asset, kind] =
        pick(nodes, ["tradeId", "fillPx", "fillSz", "fee", "feeCcy", "execType"])?;
    Ok(VenueFill {
        trade: VenueRef::number(need_number(trade, "field tradeId missing or no integer")?),
        price: need_scaled(price, symbol.scales.price, "field fillPx missing or no text")?,
        qty: need_scaled(qty, symbol.scales.qty, "field fillSz missing or no text")?,
        fee: fee_of(fee, asset),
        liquidity: liquidity_of(kind),
    })
}

/// How an order stands, whose status was read before.
pub(super) fn read_state(
    nodes: &[Node<'_>],
    (status, expiry): (OrderStatus, ExpiryReason),
    symbol: Symbol,
    venue_order_id: VenueRef,
) -> Result<VenueAnswer, DecodeError> {
    let [side, price, qty, filled, average] =
        pick(nodes, ["side", "px", "sz", "accFillSz", "avgPx"])?;
    let filled_qty = number_or_none(filled, symbol.scales.qty)?;
    Ok(VenueAnswer {
        status,
        venue_order_id,
        instrument: symbol.instrument,
        side: Some(read_side(side)?),
        price: Some(number_or_none(price, symbol.scales.price)?).filter(|price| *price > 0),
        trigger_price: None,
        qty: Some(need_scaled(qty, symbol.scales.qty, "field sz missing or no text")?),
        filled_qty,
        prevented_qty: None,
        quote_total: quote_total(average, filled_qty, symbol.scales),
        expiry,
    })
}
