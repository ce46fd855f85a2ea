//! Answers of the WebSocket API to our requests.

use super::account::{is_list_of_orders, read_account, read_open_orders};
use super::contracts::{
    is_list_of_positions, is_list_of_wallets, read_listed_positions, read_wallets,
};
use super::fills::read_fills;
use super::order_result::{OrderResult, read_order};
use super::{DecodeError, Lists, Node, SymbolMap, elements, members, signed, text, unsigned};
use crate::venue::binance::limits::{ban_end_ms, read_rate_limits};
use crate::venue::governor::ToldLimits;
use crate::venue::orders::VenueFill;
use crate::venue::protocol::{AccountPosition, AssetBalance, ListedOrder};

/// An answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Orders that are open, where the answer lists them.
    pub listed: &'a [ListedOrder],
    /// What the account has, where the answer says so.
    pub balances: &'a [AssetBalance],
    /// What it holds of contracts, where the answer lists that.
    pub positions: &'a [AccountPosition],
    /// Why an order or an asset beside them has no place there: it could not be read.
    pub unreadable: Option<DecodeError>,
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

/// Reads the answer that `nodes` is. It has an id: that is how it was told from an event.
/// What it says of the venue's limits goes to `limits`.
pub(super) fn read<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    lists: Lists<'a>,
    limits: &mut ToldLimits,
) -> Result<Reply<'a>, DecodeError> {
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
    read_result((id, status), error, result, symbols, lists)
}

/// Reads the answer over REST: what was asked for, or an error alone.
pub(super) fn read_rest<'a>(
    (id, status): (u64, u16),
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    lists: Lists<'a>,
) -> Result<Reply<'a>, DecodeError> {
    let error = if status == 200 { None } else { Some(read_error(nodes)?) };
    let result = error.is_none().then_some(nodes);
    read_result((id, status), error, result, symbols, lists)
}

fn read_result<'a>(
    (id, status): (u64, u16),
    error: Option<ReplyError<'a>>,
    result: Option<&[Node<'a>]>,
    symbols: &SymbolMap,
    lists: Lists<'a>,
) -> Result<Reply<'a>, DecodeError> {
    let Lists { balances, positions, fills, listed, listen_key } = lists;
    balances.clear();
    positions.clear();
    fills.clear();
    listed.clear();
    let order = result.map(|result| read_order(result, symbols)).transpose()?.flatten();
    if order.is_none() {
        note_listen_key(result.unwrap_or_default(), listen_key);
    }
    let mut unreadable = result.and_then(|result| read_account(result, balances));
    let fills_order_id = match (result.and_then(elements), &order) {
        (Some(list), _) if result.is_some_and(is_list_of_wallets) => {
            unreadable = read_wallets(list, balances);
            None
        }
        (Some(list), _) if result.is_some_and(is_list_of_positions) => {
            unreadable = read_listed_positions(list, symbols, positions);
            None
        }
        (Some(_), _) if result.is_some_and(is_list_of_orders) => {
            unreadable = read_open_orders(result.unwrap_or_default(), symbols, listed);
            None
        }
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
    let lists = Reply { id, status, error, order, fills, listed, balances, ..Reply::default() };
    Ok(Reply { positions, fills_order_id, unreadable, server_time_ms, ..lists })
}

/// The name under which the account's stream is connected to. Whoever has it hears all.
fn note_listen_key(result: &[Node<'_>], listen_key: &mut Option<String>) {
    let told = members(result).find(|(name, _)| *name == "listenKey");
    let Some(told) = told.and_then(|(_, value)| text(value)) else { return };
    crate::text::hide_passing(told);
    *listen_key = Some(told.to_owned());
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
