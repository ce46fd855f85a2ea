//! Answers of the WebSocket API to our requests.

use super::execution::NUMBER_MAX;
use super::fills::read_fills;
use super::{
    DecodeError, Node, OrderStatus, Side, Symbol, SymbolMap, elements, expiry_of, find_symbol,
    is_null, members, parse_scaled, quote_amount, read_side, read_status, signed, text, unsigned,
};
use crate::event::ExpiryReason;
use crate::venue::binance::limits::{ban_end_ms, read_rate_limits};
use crate::venue::governor::LimitWords;
use crate::venue::orders::VenueFill;

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request's number.
    pub id: u64,
    /// Status like HTTP's: 200 = done.
    pub status: u16,
    /// The venue's error; `None` = done.
    pub error: Option<ReplyError<'a>>,
    /// The order, where the answer has one.
    pub order: Option<OrderResult<'a>>,
    /// Fills of one order, by their numbers: its list, or those that its request made at once.
    pub fills: &'a [VenueFill],
    /// The venue's number of the order that a list of fills is about.
    pub fills_order_id: Option<u64>,
    /// The venue's time, where the answer tells it, ms since the Unix epoch.
    pub server_time_ms: Option<i64>,
}

/// The venue's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyError<'a> {
    /// The venue's code, negative.
    pub code: i32,
    /// Its text.
    pub message: &'a str,
    /// Nothing may be sent before, ms since the Unix epoch, where the venue says so.
    pub retry_after_ms: Option<i64>,
    /// The venue's time at which it said so, ms since the Unix epoch, where it tells.
    pub server_time_ms: Option<i64>,
}

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

/// Reads the answer that `nodes` is. It has an id: that is how it was told from an event.
/// What it says of the venue's limits goes to `limits`.
pub(super) fn read<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    fills: &'a mut Vec<VenueFill>,
    limits: &mut LimitWords,
) -> Result<Reply<'a>, DecodeError> {
    fills.clear();
    let mut id = None;
    let mut status = None;
    let mut error = None;
    let mut result = None;
    for (name, value) in members(nodes) {
        let place = match name {
            "id" => &mut id,
            "status" => &mut status,
            "error" => &mut error,
            "result" => &mut result,
            "rateLimits" => {
                read_rate_limits(value, limits);
                continue;
            }
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(DecodeError::malformed("a member of the frame twice"));
        }
    }
    let id = id.and_then(unsigned).ok_or(DecodeError::unknown("reply without a numeric id"))?;
    let status = status
        .and_then(unsigned)
        .and_then(|status| u16::try_from(status).ok())
        .ok_or(DecodeError::field("status of the reply missing"))?;
    let error = error.map(read_error).transpose()?;
    if error.is_none() && status != 200 {
        return Err(DecodeError::field("failed reply without an error"));
    }
    let order = result.map(|result| read_order(result, symbols)).transpose()?.flatten();
    let fills_order_id = match (result.and_then(elements), &order) {
        (Some(list), _) => read_fills(list, None, symbols, fills)?,
        (None, Some(order)) => {
            let own = result.and_then(|result| members(result).find(|(name, _)| *name == "fills"));
            match own.and_then(|(_, value)| elements(value)) {
                Some(list) => read_fills(list, Some(order.symbol), symbols, fills)?,
                None => None,
            }
        }
        (None, None) => None,
    };
    let mut times = members(result.unwrap_or_default());
    let time = times.find(|(name, _)| *name == "serverTime");
    let server_time_ms = time.and_then(|(_, value)| signed(value));
    Ok(Reply { id, status, error, order, fills, fills_order_id, server_time_ms })
}

/// The error of an answer to nobody: a key that was revoked, or a session that ended.
pub(super) fn read_unsolicited<'a>(
    nodes: &[Node<'a>],
) -> Result<(u16, ReplyError<'a>), DecodeError> {
    let member = |name: &str| members(nodes).find(|(key, _)| *key == name).map(|(_, value)| value);
    let status = member("status").and_then(unsigned).unwrap_or_default();
    let error = member("error").ok_or(DecodeError::unknown("reply without an id"))?;
    Ok((u16::try_from(status).unwrap_or(u16::MAX), read_error(error)?))
}

fn read_error<'a>(nodes: &[Node<'a>]) -> Result<ReplyError<'a>, DecodeError> {
    let mut code = None;
    let mut message = "";
    let (mut retry_after_ms, mut server_time_ms) = (None, None);
    for (name, value) in members(nodes) {
        match name {
            "data" => {
                let time = |wanted| {
                    let found = members(value).find(|(name, _)| *name == wanted);
                    found.and_then(|(_, time)| signed(time))
                };
                (retry_after_ms, server_time_ms) = (time("retryAfter"), time("serverTime"));
            }
            "code" => code = signed(value).and_then(|code| i32::try_from(code).ok()),
            "msg" => message = text(value).unwrap_or_default(),
            _ => {}
        }
    }
    let code = code.ok_or(DecodeError::field("error code missing"))?;
    let retry_after_ms = retry_after_ms.or_else(|| ban_end_ms(message));
    Ok(ReplyError { code, message, retry_after_ms, server_time_ms })
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
                "cummulativeQuoteQty" | "cumulativeQuoteQty" => texts.quote_total = Some(text()?),
                "expiryReason" => texts.expiry = Some(text()?),
                _ => {}
            }
        }
        Ok(texts)
    }
}

/// The order in a result; `None` when the result is something else. What speaks of an order and
/// does not say of which is refused: it would pass for the one that was asked about.
fn read_order<'a>(
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
