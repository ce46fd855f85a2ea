//! What REST answers of orders: lists of orders and of trades.

use std::collections::VecDeque;

use simd_json::Node;

use super::super::known_orders::{KnownOrders, Terms};
use super::{NAMES_MAX, NamedTrades, TRADES_KEPT, end_of, fee_of, quote_total, read_side};
use crate::event::{ExpiryReason, Liquidity, OrderStatus, VenueRef};
use crate::venue::codec::{
    DecodeError, Value, boolean, elements, members, need_number, need_scaled, need_text, need_word,
    number_or_none, pick, text,
};
use crate::venue::orders::{VenueAnswer, VenueFill};
use crate::venue::protocol::ReplyBody;
use crate::venue::{Symbol, SymbolMap};

/// Whether there is any order, whatever it is: the first of them by its name.
pub(super) fn any_of<'a>(orders: &[Node<'a>]) -> ReplyBody<'a> {
    let first = members(orders).next().map(|(id, _)| id);
    let venue_order_id = first
        .map_or(VenueRef::NONE, |id| VenueRef::text(id.as_bytes()).unwrap_or(VenueRef::number(1)));
    ReplyBody { venue_order_id, ..ReplyBody::default() }
}

/// How many orders were cancelled: one of them stands for all, without a name.
pub(super) fn count_of<'a>(count: Value<'_, '_>) -> Result<ReplyBody<'a>, DecodeError> {
    let count = need_number(count, "field count is no integer")?;
    let venue_order_id = if count > 0 { VenueRef::number(count) } else { VenueRef::NONE };
    Ok(ReplyBody { venue_order_id, ..ReplyBody::default() })
}

/// The order among the open ones, or among those that are over; nothing when it is not there.
pub(super) fn read_orders<'a>(
    orders: &[Node<'a>],
    symbol: Option<Symbol>,
    (known, trades): (&mut KnownOrders, &mut VecDeque<NamedTrades>),
) -> Result<ReplyBody<'a>, DecodeError> {
    let mut all = members(orders);
    let Some((id, order)) = all.next() else { return Ok(ReplyBody::default()) };
    if all.next().is_some() {
        return Err(DecodeError::nonsense("several orders in an answer about one"));
    }
    let symbol = symbol.ok_or(DecodeError::field("answer to a question that was not asked"))?;
    let venue_order_id =
        VenueRef::text(id.as_bytes()).ok_or(DecodeError::field("name of an order is too long"))?;
    let [name, list] = pick(order, ["cl_ord_id", "trades"])?;
    let name = need_text(name, "field cl_ord_id missing or no text")?;
    let state = read_state(order, symbol, venue_order_id)?;
    if let (Some(side), Some(price), Some(qty)) = (state.side, state.price, state.qty) {
        let is_ioc = known.get(name.as_bytes()).is_some_and(|of| of.is_ioc);
        known.note(name.as_bytes(), Terms { symbol, side, price, qty, is_ioc });
    }
    let names = list.and_then(elements).into_iter().flatten().filter_map(text);
    let names: Vec<&str> = names.take(NAMES_MAX).collect();
    if trades.len() == TRADES_KEPT {
        trades.pop_front();
    }
    trades.push_back(NamedTrades { order: venue_order_id, symbol, trades: names.join(",") });
    Ok(ReplyBody {
        name: name.as_bytes(),
        venue_order_id,
        state: Some(state),
        ..ReplyBody::default()
    })
}

fn read_state(
    nodes: &[Node<'_>],
    symbol: Symbol,
    venue_order_id: VenueRef,
) -> Result<VenueAnswer, DecodeError> {
    let [status, qty, filled, sum, terms, reason] =
        pick(nodes, ["status", "vol", "vol_exec", "cost", "descr", "reason"])?;
    let [side, price] =
        pick(terms.ok_or(DecodeError::field("field descr missing"))?, ["type", "price"])?;
    let scales = symbol.scales;
    let qty = need_scaled(qty, scales.qty, "field vol missing or no text")?;
    let filled_qty = number_or_none(filled, scales.qty)?;
    if qty < 0 || !(0..=qty).contains(&filled_qty) {
        return Err(DecodeError::nonsense("filled above the order's quantity"));
    }
    let open = if filled_qty > 0 { OrderStatus::PartiallyFilled } else { OrderStatus::New };
    let filled = if filled_qty == qty { OrderStatus::Filled } else { OrderStatus::Canceled };
    let words = [
        ("pending", open),
        ("open", open),
        ("closed", filled),
        ("canceled", OrderStatus::Canceled),
        ("expired", OrderStatus::Expired),
    ];
    let missing = "field status missing or no text";
    let (status, expiry) = match need_word(status, missing, words, "order status not known")? {
        OrderStatus::Canceled => {
            let (_, status, expiry) = end_of(false, reason, false);
            (status, expiry)
        }
        OrderStatus::Expired => (OrderStatus::Expired, ExpiryReason::Unlisted),
        status => (status, ExpiryReason::None),
    };
    Ok(VenueAnswer {
        status,
        venue_order_id,
        instrument: symbol.instrument,
        side: Some(read_side(side)?),
        price: Some(need_scaled(price, scales.price, "field price missing or no text")?),
        trigger_price: None,
        qty: Some(qty),
        filled_qty,
        prevented_qty: None,
        quote_total: quote_total(sum, scales),
        expiry,
    })
}

/// Trades by their names, all of one order. Their fees are in the quote asset.
pub(super) fn read_trades<'a>(
    trades: &[Node<'a>],
    symbols: &SymbolMap,
    named: &VecDeque<NamedTrades>,
    fills: &mut Vec<VenueFill>,
) -> Result<ReplyBody<'a>, DecodeError> {
    let mut order = VenueRef::NONE;
    for (_, trade) in members(trades) {
        let [of, number, price, qty, fee, is_maker] =
            pick(trade, ["ordertxid", "trade_id", "price", "vol", "fee", "maker"])?;
        let of = need_text(of, "field ordertxid missing or no text")?;
        let of = VenueRef::text(of.as_bytes()).unwrap_or(VenueRef::NONE);
        if of.is_none() || !order.is_none() && order != of {
            return Err(DecodeError::nonsense("fills of several orders"));
        }
        order = of;
        const UNTOLD: DecodeError = DecodeError::field("trades of an order that was not told");
        let symbol = named.iter().find(|named| named.order == of).ok_or(UNTOLD)?.symbol;
        let makers = |is_maker| if is_maker { Liquidity::Maker } else { Liquidity::Taker };
        fills.push(VenueFill {
            trade: VenueRef::number(need_number(number, "field trade_id missing or no integer")?),
            price: need_scaled(price, symbol.scales.price, "field price missing or no text")?,
            qty: need_scaled(qty, symbol.scales.qty, "field vol missing or no text")?,
            fee: fee_of(fee, symbols.quote_asset(symbol.instrument)),
            liquidity: boolean(is_maker).map(makers),
        });
    }
    fills.sort_unstable_by_key(|fill| fill.trade.as_number());
    Ok(ReplyBody { venue_order_id: order, ..ReplyBody::default() })
}
