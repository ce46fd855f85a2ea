//! What REST answers of orders: lists of orders, open ones and others, and of fills.

use simd_json::Node;

use super::{end_of, fee_of, name_of, quote_total, read_side};
use crate::event::{ExpiryReason, Liquidity, OrderStatus, VenueRef};
use crate::venue::codec::{
    DecodeError, boolean, need_scaled, need_text, need_word, number_or_none, pick, text,
};
use crate::venue::orders::{VenueAnswer, VenueFill};
use crate::venue::protocol::{ListedOrder, ReplyBody};
use crate::venue::{Symbol, SymbolMap};

/// An order's state, or the fills of one order: the entries' own members say which.
pub(super) fn read_list<'t, 'a: 't>(
    list: impl Iterator<Item = &'t [Node<'a>]>,
    symbols: &SymbolMap,
    fills: &mut Vec<VenueFill>,
) -> Result<ReplyBody<'a>, DecodeError> {
    let mut body = ReplyBody::default();
    for entry in list {
        let [order, name, native, fill] =
            pick(entry, ["orderId", "orderLinkId", "symbol", "execId"])?;
        let order = name_of(need_text(order, "field orderId missing or no text")?.as_bytes());
        if !body.venue_order_id.is_none() && body.venue_order_id != order {
            return Err(DecodeError::nonsense("several orders in an answer about one"));
        }
        let native = need_text(native, "field symbol missing or no text")?;
        let symbol = symbols.lookup(native.as_bytes()).ok_or(DecodeError::symbol())?;
        body.venue_order_id = order;
        body.name = name.and_then(text).unwrap_or_default().as_bytes();
        match fill {
            Some(_) => fills.push(read_fill(entry, symbol)?),
            None => body.state = Some(read_state(entry, symbol, order)?),
        }
    }
    // The newest is told first.
    fills.reverse();
    Ok(body)
}

/// One order of the list of those that are open: ours, or a stranger's.
pub(super) fn read_open(
    order: &[Node<'_>],
    symbols: &SymbolMap,
) -> Result<ListedOrder, DecodeError> {
    let [number, name, native, side, price, qty, filled] =
        pick(order, ["orderId", "orderLinkId", "symbol", "side", "price", "qty", "cumExecQty"])?;
    let venue_order_id = name_of(need_text(number, "field orderId missing or no text")?.as_bytes());
    let native = need_text(native, "field symbol missing or no text")?;
    let symbol = symbols.lookup(native.as_bytes());
    let answer = symbol.map(|symbol| read_state(order, symbol, venue_order_id));
    let name = name.and_then(text).unwrap_or_default().as_bytes();
    let numbers = [price, qty, filled].map(|number| number.and_then(text));
    let terms = (native, read_side(side)?);
    Ok(ListedOrder::new((name, venue_order_id), terms, numbers, answer.transpose()?))
}

pub(super) fn read_fill(nodes: &[Node<'_>], symbol: Symbol) -> Result<VenueFill, DecodeError> {
    let [trade, price, qty, fee, asset, is_maker] =
        pick(nodes, ["execId", "execPrice", "execQty", "execFee", "feeCurrency", "isMaker"])?;
    Ok(VenueFill {
        trade: name_of(need_text(trade, "field execId missing or no text")?.as_bytes()),
        price: need_scaled(price, symbol.scales.price, "field execPrice missing or no text")?,
        qty: need_scaled(qty, symbol.scales.qty, "field execQty missing or no text")?,
        fee: fee_of(fee, asset),
        liquidity: boolean(is_maker)
            .map(|is_maker| if is_maker { Liquidity::Maker } else { Liquidity::Taker }),
    })
}

pub(super) fn read_state(
    nodes: &[Node<'_>],
    symbol: Symbol,
    venue_order_id: VenueRef,
) -> Result<VenueAnswer, DecodeError> {
    let [status, side, price, qty, filled, sum] =
        pick(nodes, ["orderStatus", "side", "price", "qty", "cumExecQty", "cumExecValue"])?;
    let [cancel, reject] = pick(nodes, ["cancelType", "rejectReason"])?;
    let scales = symbol.scales;
    let statuses = [
        ("New", OrderStatus::New),
        // A stop that waits: none of ours.
        ("Untriggered", OrderStatus::New),
        ("PartiallyFilled", OrderStatus::PartiallyFilled),
        ("Filled", OrderStatus::Filled),
        ("Cancelled", OrderStatus::Canceled),
        ("PartiallyFilledCanceled", OrderStatus::Canceled),
        ("Rejected", OrderStatus::Rejected),
    ];
    let status = need_word(
        status,
        "field orderStatus missing or no text",
        statuses,
        "order status not known",
    )?;
    let (status, expiry) = match status {
        OrderStatus::Canceled => end_of(cancel, reject),
        status => (status, ExpiryReason::None),
    };
    let qty = need_scaled(qty, scales.qty, "field qty missing or no text")?;
    let filled_qty = number_or_none(filled, scales.qty)?;
    if qty < 0 || filled_qty < 0 || filled_qty > qty {
        return Err(DecodeError::nonsense("filled above the order's quantity"));
    }
    Ok(VenueAnswer {
        status,
        venue_order_id,
        instrument: symbol.instrument,
        side: Some(read_side(side)?),
        price: Some(number_or_none(price, scales.price)?),
        trigger_price: None,
        qty: Some(qty),
        filled_qty,
        prevented_qty: None,
        quote_total: quote_total(sum, scales),
        expiry,
    })
}
