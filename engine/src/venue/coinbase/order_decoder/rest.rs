//! What REST answers: to a new order, to a cancel, and to questions.

use arrayvec::ArrayVec;
use simd_json::Node;

use super::super::refusals::failure_of;
use super::{LISTED_MAX, Terms, Value, name_of, read_side, read_status, state, symbol_of, text};
use crate::event::{AssetAmount, Liquidity, OrderStatus, VenueRef};
use crate::venue::codec::{
    DecodeError, boolean, elements, members, need_date_ns, need_scaled, need_text, need_word,
    number_or_none, parse_cut, pick,
};
use crate::venue::orders::{VenueAnswer, VenueFill};
use crate::venue::protocol::{AssetBalance, Failure, KeptReply, ListedOrder, ReplyBody, Several};
use crate::venue::{LetterReason, SymbolMap};

/// Cancels of one request. The venue names no limit.
pub(in super::super) const CANCELS_MAX: usize = 20;

type Told<'a> = Result<ReplyBody<'a>, Failure<'a>>;

/// Where lists go, and what is told of them.
pub(super) struct Lists<'l> {
    symbols: &'l SymbolMap,
    listed: &'l mut Vec<ListedOrder>,
    balances: &'l mut Vec<AssetBalance>,
    fills: &'l mut Vec<VenueFill>,
    /// The order whose fills are listed.
    pub(super) filled: Option<VenueRef>,
    /// The order that is to change.
    pub(super) amended: Option<VenueRef>,
    /// Where the next page begins; empty where there is none.
    pub(super) next: String,
    /// Why an entry is left out.
    pub(super) unreadable: Option<DecodeError>,
}

type Places<'l> = (&'l mut Vec<ListedOrder>, &'l mut Vec<AssetBalance>, &'l mut Vec<VenueFill>);

impl<'l> Lists<'l> {
    /// Empty ones.
    pub(super) fn new(symbols: &'l SymbolMap, (listed, balances, fills): Places<'l>) -> Lists<'l> {
        listed.clear();
        balances.clear();
        fills.clear();
        let (filled, amended, next, unreadable) = (None, None, String::new(), None);
        Lists { symbols, listed, balances, fills, filled, amended, next, unreadable }
    }
}

/// Reads an answer, whatever it answers: its members say that. `wanted` is the order that is looked
/// for in a list.
pub(super) fn read_answer<'a>(
    nodes: &[Node<'a>],
    status: u16,
    wanted: Option<&[u8]>,
    lists: &mut Lists<'_>,
) -> Result<Told<'a>, DecodeError> {
    if status != 200 {
        let (word, message) = words_of(nodes)?;
        return Ok(Err(failure_of(status, word, message)));
    }
    let [placed, results, order, orders, filled, accounts] =
        pick(nodes, ["success", "results", "order", "orders", "fills", "accounts"])?;
    if let Some(order) = lists.amended {
        return read_amended(nodes, status, order);
    }
    if placed.is_some() {
        return read_placed(nodes, status);
    }
    if let Some(results) = results {
        return read_cancel(results, status);
    }
    if let Some(order) = order {
        return read_found(order, lists.symbols).map(Ok);
    }
    let [has_next, cursor] = pick(nodes, ["has_next", "cursor"])?;
    let is_more = boolean(has_next).unwrap_or(true);
    if let Some(cursor) = cursor.and_then(text).filter(|_| is_more) {
        cursor.clone_into(&mut lists.next);
    }
    if let Some(orders) = orders {
        let (body, wrong) = read_list(orders, lists.symbols, wanted, lists.listed)?;
        lists.unreadable = wrong;
        return Ok(Ok(body));
    }
    if let Some(filled) = filled {
        let unknown = read_fills(filled, lists)?;
        return Ok(Ok(ReplyBody { unknown, ..ReplyBody::default() }));
    }
    let accounts = accounts.ok_or(DecodeError::field("answer of no form that is known"))?;
    lists.unreadable = read_accounts(accounts, lists.balances);
    Ok(Ok(ReplyBody::default()))
}

/// The word and the text of a refusal.
fn words_of<'a>(nodes: &[Node<'a>]) -> Result<(&'a str, &'a str), DecodeError> {
    let [error, message, errors] = pick(nodes, ["error", "message", "errors"])?;
    let told = |value: Value<'_, 'a>| value.and_then(text).unwrap_or_default();
    let Some(first) = errors.and_then(elements).and_then(|mut errors| errors.next()) else {
        return Ok((told(error), told(message)));
    };
    let [id, message] = pick(first, ["id", "message"])?;
    Ok((told(id), told(message)))
}

/// `{"success":true,"success_response":{..}}`, or with `error_response`.
fn read_placed<'a>(nodes: &[Node<'a>], status: u16) -> Result<Told<'a>, DecodeError> {
    let [success, done, error, word] =
        pick(nodes, ["success", "success_response", "error_response", "failure_reason"])?;
    if boolean(success).ok_or(DecodeError::field("field success is neither true nor false"))? {
        let done = done.ok_or(DecodeError::field("field success_response missing"))?;
        let [order, name] = pick(done, ["order_id", "client_order_id"])?;
        let order = need_text(order, "field order_id missing or no text")?;
        let name = name.and_then(text).unwrap_or_default().as_bytes();
        let venue_order_id = name_of(order.as_bytes());
        return Ok(Ok(ReplyBody { name, venue_order_id, ..ReplyBody::default() }));
    }
    let [new, preview, other, message] = match error {
        Some(error) => {
            pick(error, ["new_order_failure_reason", "preview_failure_reason", "error", "message"])?
        }
        None => [None; 4],
    };
    // The first of them that says anything.
    let words = [new, preview, other, word].into_iter().filter_map(|word| word.and_then(text));
    let mut words = words.filter(|word| !word.is_empty() && !word.starts_with("UNKNOWN"));
    let word = words.next().unwrap_or("UNKNOWN_FAILURE_REASON");
    let message = message.and_then(text).filter(|message| !message.is_empty());
    Ok(Err(failure_of(status, word, message.unwrap_or(word))))
}

/// `{"success":true}`, or with `{"errors":[{"edit_failure_reason":..}]}`. That it is done, the
/// stream says.
fn read_amended<'a>(
    nodes: &[Node<'a>],
    status: u16,
    venue_order_id: VenueRef,
) -> Result<Told<'a>, DecodeError> {
    let [success, errors] = pick(nodes, ["success", "errors"])?;
    if boolean(success).ok_or(DecodeError::field("field success is neither true nor false"))? {
        return Ok(Ok(ReplyBody { venue_order_id, ..ReplyBody::default() }));
    }
    let [edit, preview] = match errors.and_then(elements).and_then(|mut errors| errors.next()) {
        Some(error) => pick(error, ["edit_failure_reason", "preview_failure_reason"])?,
        None => [None; 2],
    };
    let words = [edit, preview].into_iter().filter_map(|word| word.and_then(text));
    let mut words = words.filter(|word| !word.is_empty() && !word.starts_with("UNKNOWN"));
    let word = words.next().unwrap_or("UNKNOWN_EDIT_ORDER_FAILURE_REASON");
    Ok(Err(failure_of(status, word, word)))
}

/// The answers to cancels that went together, in the order of the requests, or why all of them
/// failed. One that is not told of has no outcome.
pub(super) fn read_batch<'a>(
    nodes: &[Node<'a>],
    status: u16,
    (first, orders): &(u64, ArrayVec<VenueRef, CANCELS_MAX>),
    replies: &mut Several,
) -> Result<Option<Failure<'a>>, DecodeError> {
    if status != 200 {
        let (word, message) = words_of(nodes)?;
        return Ok(Some(failure_of(status, word, message)));
    }
    let [results] = pick(nodes, ["results"])?;
    let results = results.and_then(elements);
    let results = results.ok_or(DecodeError::field("field results is no array"))?;
    const NOT_TOLD: DecodeError = DecodeError::field("no answer to one of several cancels");
    let mut told: ArrayVec<Option<KeptReply>, CANCELS_MAX> = orders.iter().map(|_| None).collect();
    for result in results {
        let [success, word, order] = pick(result, ["success", "failure_reason", "order_id"])?;
        let order = order.and_then(text).map_or(VenueRef::NONE, |order| name_of(order.as_bytes()));
        let Some(place) = orders.iter().position(|of| *of == order) else {
            return Err(DecodeError::nonsense("answer to a cancel of another order"));
        };
        let id = first + place as u64;
        let word = word.and_then(text).unwrap_or_default();
        told[place] = Some(match boolean(success) {
            Some(true) => KeptReply::new(id, ("", order), (0, "")),
            Some(false) => KeptReply::refused(id, &failure_of(status, word, word)),
            None => KeptReply::unread(id, DecodeError::field("field success is no boolean")),
        });
    }
    for (place, reply) in told.into_iter().enumerate() {
        let id = first + place as u64;
        replies.push_reply(reply.unwrap_or_else(|| KeptReply::unread(id, NOT_TOLD)));
    }
    Ok(None)
}

/// `[{"success":true,"failure_reason":..,"order_id":..}]`, of one cancel.
fn read_cancel<'a>(results: &[Node<'a>], status: u16) -> Result<Told<'a>, DecodeError> {
    let mut results = elements(results).ok_or(DecodeError::field("field results is no array"))?;
    let (Some(only), None) = (results.next(), results.next()) else {
        return Err(DecodeError::nonsense("not one answer to one cancel"));
    };
    let [success, word, order] = pick(only, ["success", "failure_reason", "order_id"])?;
    if boolean(success).ok_or(DecodeError::field("field success is neither true nor false"))? {
        let order = need_text(order, "field order_id missing or no text")?;
        let venue_order_id = name_of(order.as_bytes());
        return Ok(Ok(ReplyBody { venue_order_id, ..ReplyBody::default() }));
    }
    let word = word.and_then(text).unwrap_or_default();
    Ok(Err(failure_of(status, word, word)))
}

/// The order that was asked for by the venue's name of it.
fn read_found<'a>(order: &[Node<'a>], symbols: &SymbolMap) -> Result<ReplyBody<'a>, DecodeError> {
    let [name] = pick(order, ["client_order_id"])?;
    let name = need_text(name, "field client_order_id missing or no text")?.as_bytes();
    let state = read_state(order, symbols)?;
    let venue_order_id = state.venue_order_id;
    Ok(ReplyBody { name, venue_order_id, state: Some(state), ..ReplyBody::default() })
}

/// The order of this name among those of a list, or without one all of them, and what of them could
/// not be read.
fn read_list<'a>(
    orders: &[Node<'a>],
    symbols: &SymbolMap,
    wanted: Option<&[u8]>,
    listed: &mut Vec<ListedOrder>,
) -> Result<(ReplyBody<'a>, Option<DecodeError>), DecodeError> {
    let orders = elements(orders).ok_or(DecodeError::field("field orders is no array"))?;
    let mut unreadable = None;
    for order in orders {
        let [name] = pick(order, ["client_order_id"])?;
        let name = name.and_then(text).unwrap_or_default().as_bytes();
        match wanted {
            Some(wanted) if wanted == name => return Ok((read_found(order, symbols)?, None)),
            Some(_) => {}
            None if listed.len() == LISTED_MAX => {
                let too_many = DecodeError::new(LetterReason::Oversize, "too many open orders");
                unreadable = unreadable.or(Some(too_many));
                break;
            }
            None => match read_listed(order, name, symbols) {
                Ok(order) => listed.push(order),
                Err(error) => unreadable = unreadable.or(Some(error)),
            },
        }
    }
    Ok((ReplyBody::default(), unreadable))
}

fn read_listed(
    order: &[Node<'_>],
    name: &[u8],
    symbols: &SymbolMap,
) -> Result<ListedOrder, DecodeError> {
    let [id, native, side, filled] =
        pick(order, ["order_id", "product_id", "side", "filled_size"])?;
    let native = need_text(native, "field product_id missing or no text")?;
    let is_ours = symbols.lookup(native.as_bytes()).is_some();
    let (size, price) = size_and_price(order)?;
    let state = if is_ours { Some(read_state(order, symbols)?) } else { None };
    let venue_order_id = name_of(id.and_then(text).unwrap_or_default().as_bytes());
    let numbers = [price, size, filled].map(|number| number.and_then(text));
    let terms = (native, read_side(side)?);
    Ok(ListedOrder::new((name, venue_order_id), terms, numbers, state))
}

/// Size and limit price of an order: they stand in the one member of its configuration, whose name
/// says what kind of order it is, and where it was changed in the last of its changes.
fn size_and_price<'t, 'a>(
    order: &'t [Node<'a>],
) -> Result<(Value<'t, 'a>, Value<'t, 'a>), DecodeError> {
    let [configuration, changes] = pick(order, ["order_configuration", "edit_history"])?;
    let mut last: Option<(i64, Value<'t, 'a>, Value<'t, 'a>)> = None;
    // In no order that is told.
    for change in changes.and_then(elements).into_iter().flatten() {
        let [time, size, price] = pick(change, ["replace_accept_timestamp", "size", "price"])?;
        let time_ns = need_date_ns(time, "time of a change missing or no time")?;
        if last.is_none_or(|(last_ns, ..)| time_ns >= last_ns) {
            last = Some((time_ns, size, price));
        }
    }
    if let Some((_, size, price)) = last {
        return Ok((size, price));
    }
    let terms = configuration.and_then(|of| members(of).next()).map(|(_, terms)| terms);
    let [size, price] = match terms {
        Some(terms) => pick(terms, ["base_size", "limit_price"])?,
        None => [None; 2],
    };
    Ok((size, price))
}

fn read_state(order: &[Node<'_>], symbols: &SymbolMap) -> Result<VenueAnswer, DecodeError> {
    let [id, native, status, side, filled, average, sum] = pick(
        order,
        [
            "order_id",
            "product_id",
            "status",
            "side",
            "filled_size",
            "average_filled_price",
            "filled_value",
        ],
    )?;
    let venue_order_id = name_of(need_text(id, "field order_id missing or no text")?.as_bytes());
    let symbol = symbol_of(native, symbols)?;
    let (size, price) = size_and_price(order)?;
    let qty = match size.and_then(text) {
        None | Some("") => None,
        Some(_) => Some(need_scaled(size, symbol.scales.qty, "")?),
    };
    let filled_qty = number_or_none(filled, symbol.scales.qty)?;
    // One that the venue has only taken in is open.
    let status = read_status(status)?.unwrap_or(OrderStatus::New);
    state(symbol, (venue_order_id, status), (qty, filled_qty), Terms { side, price, average, sum })
}

/// What of a list is not known, and the venue's word for it.
type Unknown<'a> = Option<(&'static str, &'a str)>;

/// The fills of one page, oldest first; the venue tells the newest first. What of them is not
/// known.
fn read_fills<'a>(list: &[Node<'a>], lists: &mut Lists<'_>) -> Result<Unknown<'a>, DecodeError> {
    let list = elements(list).ok_or(DecodeError::field("field fills is no array"))?;
    let mut timed = Vec::with_capacity(list.len());
    let mut unknown = None;
    for fill in list {
        let [order] = pick(fill, ["order_id"])?;
        let order = name_of(need_text(order, "field order_id missing or no text")?.as_bytes());
        if lists.filled.is_some_and(|wanted| wanted != order) {
            return Err(DecodeError::nonsense("fill of another order than was asked for"));
        }
        let (time_ns, fill, word) = read_fill(fill, lists.symbols)?;
        unknown = unknown.or(word);
        timed.push((time_ns, fill));
    }
    timed.reverse();
    timed.sort_by_key(|(time_ns, _)| *time_ns);
    lists.fills.extend(timed.into_iter().map(|(_, fill)| fill));
    Ok(unknown.map(|word| ("liquidity indicator of a fill not known", word)))
}

/// When it was, the fill, and the word for its liquidity that is not known.
fn read_fill<'a>(
    fill: &[Node<'a>],
    symbols: &SymbolMap,
) -> Result<(i64, VenueFill, Option<&'a str>), DecodeError> {
    let [trade, native, price, size, fee, maker, kind] = pick(
        fill,
        [
            "trade_id",
            "product_id",
            "price",
            "size",
            "commission",
            "liquidity_indicator",
            "trade_type",
        ],
    )?;
    let [time, in_quote] = pick(fill, ["trade_time", "size_in_quote"])?;
    need_word(kind, "field trade_type missing", [("FILL", ())], "type of a fill not known")?;
    if boolean(in_quote) == Some(true) {
        return Err(DecodeError::nonsense("size of a fill in the quote currency"));
    }
    let symbol = symbol_of(native, symbols)?;
    let fee = fee.and_then(text).and_then(|fee| {
        let fee = parse_cut(fee.as_bytes(), AssetAmount::SCALE).ok()?;
        // Fees are of the quote currency.
        match i64::try_from(fee).ok()? {
            0 => Some((0, 0)),
            fee => Some((fee, symbols.quote_asset(symbol.instrument)?)),
        }
    });
    let (liquidity, unknown) = match maker.and_then(text).unwrap_or_default() {
        "MAKER" => (Some(Liquidity::Maker), None),
        "TAKER" => (Some(Liquidity::Taker), None),
        // The venue's own word for it.
        "UNKNOWN_LIQUIDITY_INDICATOR" => (None, None),
        word => (None, Some(word)),
    };
    let told = VenueFill {
        trade: name_of(need_text(trade, "field trade_id missing or no text")?.as_bytes()),
        price: need_scaled(price, symbol.scales.price, "field price missing or no text")?,
        qty: need_scaled(size, symbol.scales.qty, "field size missing or no text")?,
        fee,
        liquidity,
    };
    Ok((need_date_ns(time, "field trade_time missing or no time")?, told, unknown))
}

/// What the account has; what of it could not be read.
fn read_accounts(accounts: &[Node<'_>], balances: &mut Vec<AssetBalance>) -> Option<DecodeError> {
    let Some(accounts) = elements(accounts) else {
        return Some(DecodeError::field("field accounts is no array"));
    };
    let mut unreadable = None;
    for account in accounts.take(LISTED_MAX) {
        match read_account(account) {
            Ok(balance) => balances.push(balance),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    unreadable
}

fn read_account(account: &[Node<'_>]) -> Result<AssetBalance, DecodeError> {
    let [asset, free, hold] = pick(account, ["currency", "available_balance", "hold"])?;
    let amount = |value: Value<'_, '_>| -> Result<i128, DecodeError> {
        let Some(value) = value else { return Ok(0) };
        let [value] = pick(value, ["value"])?;
        let value = need_text(value, "amount of an account missing or no text")?;
        parse_cut(value.as_bytes(), AssetAmount::SCALE)
    };
    let asset = need_text(asset, "field currency missing or no text")?;
    AssetBalance::named(asset, amount(free)?, amount(hold)?)
}
