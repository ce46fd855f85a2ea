//! The order that an answer of the WebSocket API speaks of.

use super::contracts::{HEDGED, ONE_WAY};
use super::execution::NUMBER_MAX;
use super::{
    DecodeError, Node, OrderStatus, Side, Symbol, SymbolMap, expiry_of, find_symbol, is_null,
    members, parse_scaled, quote_amount, read_side, read_status, text, unsigned,
};
use crate::event::ExpiryReason;

/// The order in an answer. What the request's response type leaves out is `None` or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderResult<'a> {
    /// What it is about.
    pub symbol: Symbol,
    /// The venue's order number.
    pub order_id: u64,
    /// The client order id; in the answer to a cancel that of the cancel.
    pub client_order_id: &'a [u8],
    /// In the answer to a cancel the client order id of the order; else empty.
    pub orig_client_order_id: &'a [u8],
    /// State of the order.
    pub status: Option<OrderStatus>,
    /// Side of the order.
    pub side: Option<Side>,
    /// Limit price, in the instrument's scale.
    pub price: Option<i64>,
    /// The price that triggers it, in the instrument's scale; 0 for one that does not wait.
    pub trigger_price: Option<i64>,
    /// Quantity, in the instrument's scale.
    pub qty: Option<i64>,
    /// Quantity filled, in the instrument's scale.
    pub filled_qty: Option<i64>,
    /// Quantity that self-trade prevention took off.
    pub prevented_qty: Option<i64>,
    /// Quote amount of all fills; `None` where it is 0 or missing.
    pub quote_total: Option<i128>,
    /// Why it expired.
    pub expiry: ExpiryReason,
}

/// The texts of an order, as they stand in the answer.
#[derive(Default)]
struct OrderTexts<'a> {
    symbol: Option<&'a str>,
    order_id: Option<u64>,
    client_order_id: &'a str,
    orig_client_order_id: &'a str,
    status: Option<&'a str>,
    side: Option<&'a str>,
    price: Option<&'a str>,
    trigger_price: Option<&'a str>,
    qty: Option<&'a str>,
    filled_qty: Option<&'a str>,
    prevented_qty: Option<&'a str>,
    quote_total: Option<&'a str>,
    expiry: Option<&'a str>,
}

impl<'a> OrderTexts<'a> {
    /// Reads the members of an order. The answer to an amendment has words of its own for three of
    /// them.
    fn read(nodes: &[Node<'a>]) -> Result<OrderTexts<'a>, DecodeError> {
        let mut texts = OrderTexts::default();
        let not_text = DecodeError::field("a field of an order in a reply is no text");
        for (name, value) in members(nodes) {
            if is_null(value) {
                continue;
            }
            if name == "orderId" {
                let number = unsigned(value).filter(|number| (1..=NUMBER_MAX).contains(number));
                let number = number.ok_or(DecodeError::nonsense("number of no order"))?;
                texts.order_id = Some(number);
                continue;
            }
            let text = || text(value).ok_or(not_text);
            match name {
                "symbol" => texts.symbol = Some(text()?),
                "clientOrderId" => texts.client_order_id = text()?,
                "origClientOrderId" => texts.orig_client_order_id = text()?,
                "status" => texts.status = Some(text()?),
                "side" => texts.side = Some(text()?),
                "price" => texts.price = Some(text()?),
                "stopPrice" => texts.trigger_price = Some(text()?),
                "origQty" | "qty" => texts.qty = Some(text()?),
                "executedQty" => texts.filled_qty = Some(text()?),
                "preventedQuantity" | "preventedQty" => texts.prevented_qty = Some(text()?),
                "cummulativeQuoteQty" | "cumulativeQuoteQty" | "cumQuote" => {
                    texts.quote_total = Some(text()?)
                }
                "expiryReason" => texts.expiry = Some(text()?),
                // Of contracts alone.
                "positionSide" if text()? != ONE_WAY => return Err(HEDGED),
                _ => {}
            }
        }
        Ok(texts)
    }
}

/// The order in a result; `None` when the result is something else. What speaks of an order and
/// does not say of which is refused: it would pass for the one that was asked about.
pub(super) fn read_order<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
) -> Result<Option<OrderResult<'a>>, DecodeError> {
    let amended = members(nodes).find(|(name, _)| *name == "amendedOrder");
    let texts = OrderTexts::read(amended.map_or(nodes, |(_, order)| order))?;
    let Some(order_id) = texts.order_id else {
        return match texts.status {
            Some(_) => Err(DecodeError::field("order in a reply without its number")),
            None => Ok(None),
        };
    };
    let native = texts.symbol.ok_or(DecodeError::field("order in a reply without its symbol"))?;
    let symbol = find_symbol(native, symbols)?;
    if texts.client_order_id.is_empty() && texts.orig_client_order_id.is_empty() {
        return Err(DecodeError::field("order in a reply without a client order id"));
    }
    let number = |text: Option<&str>, scale| {
        text.map(|text| parse_scaled(text.as_bytes(), scale)).transpose().map_err(DecodeError::from)
    };
    let filled_qty = number(texts.filled_qty, symbol.scales.qty)?;
    let order = OrderResult {
        symbol,
        order_id,
        client_order_id: texts.client_order_id.as_bytes(),
        orig_client_order_id: texts.orig_client_order_id.as_bytes(),
        status: texts.status.map(|status| read_status(status, filled_qty > Some(0))).transpose()?,
        side: texts.side.map(read_side).transpose()?,
        price: number(texts.price, symbol.scales.price)?,
        trigger_price: number(texts.trigger_price, symbol.scales.price)?,
        qty: number(texts.qty, symbol.scales.qty)?,
        filled_qty,
        prevented_qty: number(texts.prevented_qty, symbol.scales.qty)?,
        quote_total: texts.quote_total.and_then(|sum| quote_amount(sum, symbol.scales)),
        expiry: expiry_of(texts.expiry, texts.status == Some("EXPIRED_IN_MATCH")),
    };
    let is_negative = |number: Option<i64>| number.is_some_and(|number| number < 0);
    if is_negative(order.price) || is_negative(order.qty) || is_negative(order.filled_qty) {
        return Err(DecodeError::nonsense("negative number in an order"));
    }
    if order.qty.is_some_and(|qty| qty > 0) && order.filled_qty > order.qty {
        return Err(DecodeError::nonsense("filled above the order's quantity"));
    }
    Ok(Some(order))
}
