//! What Bybit's connections say: replies of order entry (`/v5/trade`), and the topics `order`,
//! `execution` and `wallet` of the account's stream (`/v5/private`).
//!
//! Source: "Websocket Trade Guideline", "Order", "Execution", "Wallet", and of REST "Get Open &
//! Closed Orders", "Get Trade History" and "Get Wallet Balance" in the venue's reference of July
//! 2026.

mod account;
mod rest;

use simd_json::Node;

use self::account::read_wallet;
use self::rest::{read_fill, read_list, read_state};
use super::code::need_code;
use super::disconnect::DisconnectCancel;
use crate::event::{
    AssetAmount, ExecType, ExpiryReason, OrderStatus, Side, VenueRef, asset_code, parse_wide,
};
use crate::venue::codec::{
    DecodeError, JsonBuffer, Value, boolean, elements, need_scaled, need_text, need_time_ns,
    need_word, number_after, number_of, number_or_none, parse_cut, pick, text, text_after,
};
use crate::venue::orders::{VenueFill, VenueReport};
use crate::venue::protocol::{
    AccountLists, AssetBalance, Failure, FillPages, KeptReply, KeptReport, OrderDecoder,
    OrderMessage, Questions, ReadReport, ReplyBody, Several, UnreadFrame, UnreadReport, object,
};
use crate::venue::{LetterReason, Scales, Symbol, SymbolMap};

/// Bytes of a frame for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 16 * 1024;
const REST_BYTES_MAX: usize = 1024 * 1024;
const BALANCES_MAX: usize = 1_024;
/// Fills of one answer; "Get Trade History" lists no more.
const FILLS_MAX: usize = 100;
/// The longest cursor that is sent back, bytes.
const CURSOR_BYTES_MAX: usize = 512;

/// What is read of both connections.
pub struct BybitReports {
    json: JsonBuffer,
    rest: JsonBuffer,
    symbols: SymbolMap,
    reports: Several,
    balances: Vec<AssetBalance>,
    fills: Vec<VenueFill>,
    /// The list of fills that is being read.
    pub(super) pages: FillPages,
    /// What the account has that is being read.
    pub(super) lists: AccountLists,
    /// The request whose reply has no number, if one waits: a logon.
    pub(super) logon: Option<u64>,
    pub(super) questions: Questions,
    pub(super) disconnect: DisconnectCancel,
}

impl OrderDecoder for BybitReports {
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> BybitReports {
        BybitReports {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            rest: JsonBuffer::new(FRAME_BYTES_USUAL, REST_BYTES_MAX),
            symbols,
            reports: Several::default(),
            balances: Vec::with_capacity(BALANCES_MAX),
            fills: Vec::with_capacity(FILLS_MAX),
            pages: FillPages::default(),
            lists: AccountLists::default(),
            logon: None,
            questions: Questions::default(),
            disconnect: DisconnectCancel::default(),
        }
    }

    #[inline]
    fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        let BybitReports { json, symbols, reports, balances, logon, .. } = self;
        reports.clear();
        let read = json
            .parse(frame, |nodes| read_frame(object(nodes)?, symbols, (reports, balances), logon));
        if let Some(message) = reports.end_frame(read, frame).map_err(|e| unread(e, frame))? {
            return Ok(message);
        }
        // Without one: words on orders that their executions tell.
        reports.take().unwrap_or(Ok(OrderMessage::Other("order")))
    }

    fn next_of_frame(&mut self) -> Option<(Result<OrderMessage<'_>, UnreadFrame<'_>>, &[u8])> {
        self.reports.take_with_frame()
    }

    #[cold]
    fn decode_rest<'a>(
        &'a mut self,
        id: u64,
        status: u16,
        body: &'a [u8],
    ) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        if self.disconnect.is_asked(id) || self.lists.is_asked(id) {
            let outcome = self.read_of_account(id, status, body);
            let outcome =
                outcome.map_err(|e| UnreadFrame { reply: Some(id), ..UnreadFrame::of(e) })?;
            return Ok(OrderMessage::reply(id, outcome));
        }
        let BybitReports { rest, symbols, fills, pages, questions, .. } = self;
        let of_present = questions.answered(id).filter(|question| !question.is_last);
        fills.clear();
        let mut next = None;
        let read = rest.parse(body, |nodes| {
            let (list, cursor) = match read_result_of(nodes, status)? {
                Ok(read) => read,
                Err(failure) => return Ok(Err(failure)),
            };
            next = cursor.and_then(text).map(str::to_owned);
            let list = elements(list).ok_or(DecodeError::field("list is no array"))?;
            read_list(list, symbols, fills).map(Ok)
        });
        let outcome = match read {
            Ok(Ok(_)) if pages.answered(id, fills) => {
                let next = next.filter(|_| fills.len() >= FILLS_MAX).unwrap_or_default();
                if !is_cursor(&next) {
                    const ERROR: DecodeError = DecodeError::field("cursor can't be sent back");
                    return Err(UnreadFrame { reply: Some(id), ..UnreadFrame::of(ERROR) });
                }
                pages.goes_on_at(&next);
                Ok(pages.told())
            }
            // The answer to a question for an order that is not there has an empty list.
            Ok(Ok(body)) if body.venue_order_id.is_none() => match of_present {
                Some(question) => {
                    questions.ask_history_for(question.name);
                    Err(Failure::of(status, NOT_PRESENT, "not among the present orders"))
                }
                None => Err(Failure::of(status, NONE_LISTED, "")),
            },
            Ok(Ok(body)) => Ok(ReplyBody { fills, ..body }),
            // The same, where the venue has a code for it.
            Ok(Err(failure)) if [NONE_LISTED, NOT_OPEN].contains(&failure.code) => match of_present
            {
                Some(question) => {
                    questions.ask_history_for(question.name);
                    Err(Failure { code: NOT_PRESENT, ..failure })
                }
                None => Err(Failure { code: NONE_LISTED, ..failure }),
            },
            Ok(Err(failure)) => Err(failure),
            // A proxy, or a server in trouble, which says so by its status alone.
            Err(_) if status != 200 => Err(Failure::of(status, 0, "")),
            Err(error) => return Err(UnreadFrame { reply: Some(id), ..UnreadFrame::of(error) }),
        };
        Ok(OrderMessage::reply(id, outcome))
    }
}

/// The list of an answer, and where it goes on; or why it is none.
type ReadResult<'t, 'a> = Result<(&'t [Node<'a>], Value<'t, 'a>), Failure<'a>>;

/// `{"retCode":0,"retMsg":"OK","result":{"list":[..],"nextPageCursor":".."}}`.
fn read_result_of<'t, 'a>(
    nodes: &'t [Node<'a>],
    status: u16,
) -> Result<ReadResult<'t, 'a>, DecodeError> {
    let [code, message, result] = pick(object(nodes)?, ["retCode", "retMsg", "result"])?;
    let code = need_code(code)?;
    if code != 0 || status != 200 {
        let message = message.and_then(text).unwrap_or_default();
        return Ok(Err(Failure::of(status, code, message)));
    }
    let result = result.ok_or(DecodeError::field("field result missing"))?;
    let [list, cursor] = pick(result, ["list", "nextPageCursor"])?;
    Ok(Ok((list.ok_or(DecodeError::field("list is no array"))?, cursor)))
}

/// Whether a cursor, which the venue has written for use in a query, can stand there as it is.
fn is_cursor(cursor: &str) -> bool {
    let can_stand = |byte: u8| byte.is_ascii_graphic() && !b"&#?\"".contains(&byte);
    cursor.len() <= CURSOR_BYTES_MAX && cursor.bytes().all(can_stand)
}

/// The list of the present orders does not have it, which says nothing yet.
pub(super) const NOT_PRESENT: i32 = -3;
/// A list without the order that was asked for: as the venue says it of a cancel.
pub(super) const NONE_LISTED: i32 = 110_001;
/// The same of a cancel and of an amendment on spot.
pub(super) const NOT_OPEN: i32 = 170_213;

/// What can be told of a frame that can't be read. Cold, and without a parser: it may be no JSON.
#[cold]
fn unread(error: DecodeError, frame: &[u8]) -> UnreadFrame<'_> {
    let venue_order_id = text_after(frame, br#""orderId":""#).map_or(VenueRef::NONE, name_of);
    UnreadFrame {
        name: text_after(frame, br#""orderLinkId":""#),
        reply: number_after(frame, br#""reqId":""#),
        venue_order_id,
        ..UnreadFrame::of(error)
    }
}

/// A venue's name: digits on spot, a UUID elsewhere.
fn name_of(text: &[u8]) -> VenueRef {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let named = number.map(VenueRef::number).or_else(|| VenueRef::uuid(text));
    named.or_else(|| VenueRef::text(text)).unwrap_or(VenueRef::NONE)
}

/// `None`: reports were read.
fn read_frame<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    (reports, balances): (&mut Several, &'a mut Vec<AssetBalance>),
    logon: &mut Option<u64>,
) -> Result<Option<OrderMessage<'a>>, DecodeError> {
    let [topic, op, data, time] = pick(nodes, ["topic", "op", "data", "creationTime"])?;
    let Some(topic) = topic else {
        return match op.and_then(text).is_some_and(|op| op.ends_with("-batch")) {
            true if read_replies(nodes, data, reports)? => Ok(None),
            _ => read_reply(nodes, op, data, logon).map(Some),
        };
    };
    let topic = text(topic).ok_or(DecodeError::field("field topic is no text"))?;
    if topic == super::disconnect::TOPIC {
        return Ok(Some(OrderMessage::Other("dcp")));
    }
    let data = data.and_then(elements).ok_or(DecodeError::field("data is no array"))?;
    match topic.split('.').next() {
        Some("order") => {
            data.filter(|order| tells_itself(order))
                .for_each(|order| reports.push(read_entry(order, symbols, read_order)));
            Ok(None)
        }
        Some("execution") => {
            data.for_each(|fill| reports.push(read_entry(fill, symbols, read_execution)));
            Ok(None)
        }
        Some("wallet") => {
            balances.clear();
            let venue_time_ns = need_time_ns(time, "field creationTime missing or no time")?;
            let mut unreadable = None;
            for account in data {
                unreadable = unreadable.or(read_wallet(account, balances)?);
            }
            let (entries, positions): (&[_], _) = (balances, &[]);
            Ok(Some(OrderMessage::Balances { venue_time_ns, entries, positions, unreadable }))
        }
        _ => Err(DecodeError::unknown("topic not known")),
    }
}

/// `{"reqId":"7","retCode":0,"op":"order.create","data":{..}}` of order entry, and
/// `{"req_id":"7","success":true,"op":"subscribe"}` of the account's stream. A logon's may have no
/// number.
fn read_reply<'a>(
    nodes: &[Node<'a>],
    op: Value<'_, 'a>,
    data: Value<'_, 'a>,
    logon: &mut Option<u64>,
) -> Result<OrderMessage<'a>, DecodeError> {
    let [code, message, id] = pick(nodes, ["retCode", "retMsg", "reqId"])?;
    let [success, other_message, other_id] = pick(nodes, ["success", "ret_msg", "req_id"])?;
    let op = need_text(op, "frame with neither topic nor op")?;
    if matches!(op, "pong" | "ping") {
        return Ok(OrderMessage::Other("pong"));
    }
    let message = message.or(other_message).and_then(text).unwrap_or_default();
    let code = match success {
        Some(_) if boolean(success) == Some(true) => 0,
        // The venue tells no code there.
        Some(_) if op == "auth" => NO_CODE,
        Some(_) => NOT_DONE,
        None => need_code(code)?,
    };
    // Behind the number stands when it was sent.
    let id = id.and_then(text).and_then(|id| id.split('.').next()?.parse().ok());
    let id = id.or(number_of(other_id));
    let id = id.or_else(|| logon.take_if(|_| op == "auth"));
    let outcome = match code {
        0 => {
            let [order, name] =
                data.map_or(Ok([None; 2]), |data| pick(data, ["orderId", "orderLinkId"]))?;
            let venue_order_id =
                order.and_then(text).map_or(VenueRef::NONE, |order| name_of(order.as_bytes()));
            let name = name.and_then(text).unwrap_or_default().as_bytes();
            Ok(ReplyBody { name, venue_order_id, ..ReplyBody::default() })
        }
        code => Err(Failure::of(0, code, message)),
    };
    match (id, outcome) {
        (Some(id), outcome) => Ok(OrderMessage::reply(id, outcome)),
        (None, Err(failure)) => Ok(OrderMessage::Unasked(failure)),
        (None, Ok(_)) => Ok(OrderMessage::Other("reply without a number")),
    }
}

/// The answers to several requests that went together, whose numbers follow one another; false
/// where there is one answer for all.
#[cold]
fn read_replies(
    nodes: &[Node<'_>],
    data: Value<'_, '_>,
    reports: &mut Several,
) -> Result<bool, DecodeError> {
    let [id, more] = pick(nodes, ["reqId", "retExtInfo"])?;
    let [orders] = data.map_or(Ok([None]), |data| pick(data, ["list"]))?;
    let [outcomes] = more.map_or(Ok([None]), |more| pick(more, ["list"]))?;
    let (Some(orders), Some(outcomes)) = (orders.and_then(elements), outcomes.and_then(elements))
    else {
        return Ok(false);
    };
    let id: Option<u64> = id.and_then(text).and_then(|id| id.split('.').next()?.parse().ok());
    let id = id.ok_or(DecodeError::field("reply without a number of ours"))?;
    let mut is_any = false;
    for (of_one, id) in orders.zip(outcomes).zip(id..) {
        let read = read_result(of_one, id);
        reports.push_reply(read.unwrap_or_else(|error| KeptReply::unread(id, error)));
        is_any = true;
    }
    reports.end_replies();
    Ok(is_any)
}

/// The answer to one of them: the order, and what became of its cancel.
fn read_result(
    (order, outcome): (&[Node<'_>], &[Node<'_>]),
    id: u64,
) -> Result<KeptReply, DecodeError> {
    let [number, name] = pick(order, ["orderId", "orderLinkId"])?;
    let number = number.and_then(text).filter(|number| !number.is_empty());
    let number = number.map_or(VenueRef::NONE, |number| name_of(number.as_bytes()));
    let [code, message] = pick(outcome, ["code", "msg"])?;
    let name = name.and_then(text).unwrap_or_default();
    let outcome = (need_code(code)?, message.and_then(text).unwrap_or_default());
    Ok(KeptReply::new(id, (name, number), outcome))
}

/// What stands for a logon that is refused without a code.
pub(super) const NO_CODE: i32 = -1;
/// The same of anything else, such as a subscription.
const NOT_DONE: i32 = -2;

/// Whether an element of `order` tells what no execution does. Stops are none of ours.
fn tells_itself(nodes: &[Node<'_>]) -> bool {
    let told = ["PartiallyFilled", "Filled", "Untriggered", "Triggered"];
    let status = pick(nodes, ["orderStatus"]).ok().and_then(|[status]| status.and_then(text));
    !status.is_some_and(|status| told.contains(&status))
}

type ReadEntry = for<'a> fn(&[Node<'a>], Symbol, VenueRef) -> Result<ReadReport, UnreadReport<'a>>;

fn read_entry(nodes: &[Node<'_>], symbols: &SymbolMap, read: ReadEntry) -> KeptReport {
    let [name, order, native] =
        pick(nodes, ["orderLinkId", "orderId", "symbol"]).unwrap_or_default();
    let name = name.and_then(text).unwrap_or_default();
    let order = order.and_then(text).map_or(VenueRef::NONE, |order| name_of(order.as_bytes()));
    let symbol = native.and_then(text).and_then(|native| symbols.lookup(native.as_bytes()));
    let read =
        symbol.map_or(Err((DecodeError::symbol(), None)), |symbol| read(nodes, symbol, order));
    KeptReport::new(name, order, read)
}

/// One element of the topic `order` that is no fill.
fn read_order<'a>(
    nodes: &[Node<'a>],
    symbol: Symbol,
    order: VenueRef,
) -> Result<ReadReport, UnreadReport<'a>> {
    let [status, time] = pick(nodes, ["orderStatus", "updatedTime"]).map_err(known)?;
    let read = || {
        let answer = read_state(nodes, symbol, order)?;
        let exec_type = match answer.status {
            OrderStatus::Canceled => ExecType::Canceled,
            OrderStatus::Expired => ExecType::Expired,
            OrderStatus::Rejected => ExecType::Rejected,
            _ => ExecType::New,
        };
        let side = answer.side.ok_or(DecodeError::field("field side missing"))?;
        Ok(ReadReport {
            // The venue names fills, and no other reports.
            report: VenueReport::of(exec_type, &answer, side, None),
            venue_time_ns: need_time_ns(time, "field updatedTime missing or no time")?,
            unreadable: None,
        })
    };
    read().map_err(|error: DecodeError| match error.reason {
        LetterReason::Unknown => (error, status.and_then(text)),
        _ => known(error),
    })
}

/// One element of the topic `execution`.
fn read_execution<'a>(
    nodes: &[Node<'a>],
    symbol: Symbol,
    order: VenueRef,
) -> Result<ReadReport, UnreadReport<'a>> {
    let [kind, side, time] = pick(nodes, ["execType", "side", "execTime"]).map_err(known)?;
    let kinds = [("Trade", ())];
    need_word(kind, "field execType missing or no text", kinds, "execution type not known")
        .map_err(|error| (error, kind.and_then(text)))?;
    let read = || {
        let [price, qty, left] = pick(nodes, ["orderPrice", "orderQty", "leavesQty"])?;
        let fill = read_fill(nodes, symbol)?;
        let scales = symbol.scales;
        let qty = need_scaled(qty, scales.qty, "field orderQty missing or no text")?;
        let left = need_scaled(left, scales.qty, "field leavesQty missing or no text")?;
        if left < 0 || fill.qty <= 0 || qty.saturating_sub(left) < fill.qty {
            return Err(DecodeError::nonsense("fill above the order's quantity"));
        }
        let whole = if left == 0 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let report = VenueReport {
            exec_type: ExecType::Trade,
            status: whole,
            venue_order_id: order,
            execution_id: fill.trade,
            instrument: symbol.instrument,
            side: read_side(side)?,
            price: number_or_none(price, scales.price)?,
            trigger_price: None,
            qty,
            last_price: fill.price,
            last_qty: fill.qty,
            filled_qty: qty - left,
            prevented_qty: None,
            quote_total: None,
            fee: fill.fee,
            liquidity: fill.liquidity,
            expiry: ExpiryReason::None,
        };
        let no_fee = DecodeError::field("fee of a fill can't be read");
        Ok(ReadReport {
            report,
            venue_time_ns: need_time_ns(time, "field execTime missing or no time")?,
            unreadable: fill.fee.is_none().then_some(no_fee),
        })
    };
    read().map_err(known)
}

fn known<'a>(error: DecodeError) -> UnreadReport<'a> {
    (error, None)
}

/// Why an order was cancelled: by its client, or by a rule of its own.
fn end_of(cancel: Value<'_, '_>, reject: Value<'_, '_>) -> (OrderStatus, ExpiryReason) {
    let words = (cancel.and_then(text), reject.and_then(text));
    match (words.0.unwrap_or_default(), words.1.unwrap_or_default()) {
        (_, "EC_PostOnlyWillTakeLiquidity") => (OrderStatus::Expired, ExpiryReason::Rejected),
        (_, "EC_NoImmediateQtyToFill") => (OrderStatus::Expired, ExpiryReason::UnfilledIoc),
        (_, "EC_CancelForNoFullFill") => (OrderStatus::Expired, ExpiryReason::UnfilledFok),
        (_, "EC_NoEnoughQtyToFill") => (OrderStatus::Expired, ExpiryReason::InsufficientLiquidity),
        ("CancelBySmp", _) | (_, "EC_BySelfMatch") => {
            (OrderStatus::Expired, ExpiryReason::SelfTrade)
        }
        ("CancelByUser" | "CancelByDCP", _) | (_, "EC_PerCancelRequest") => {
            (OrderStatus::Canceled, ExpiryReason::None)
        }
        ("CancelByAdmin", _) => (OrderStatus::Canceled, ExpiryReason::ExchangeCanceled),
        _ => (OrderStatus::Canceled, ExpiryReason::Unlisted),
    }
}

fn read_side(side: Value<'_, '_>) -> Result<Side, DecodeError> {
    let sides = [("Buy", Side::Buy), ("Sell", Side::Sell)];
    need_word(side, "field side missing or no text", sides, "order side not known")
}

/// A fee: the venue tells what it takes as a positive number, with more decimals than are kept.
fn fee_of(fee: Value<'_, '_>, asset: Value<'_, '_>) -> Option<(i64, u128)> {
    let fee = parse_cut(fee.and_then(text)?.as_bytes(), AssetAmount::SCALE).ok()?;
    match i64::try_from(fee).ok()? {
        0 => Some((0, 0)),
        fee => Some((fee, asset_code(asset.and_then(text)?)?)),
    }
}

/// The sum of all fills; the venue tells 0 where there is none.
fn quote_total(sum: Value<'_, '_>, scales: Scales) -> Option<i128> {
    let sum = parse_wide(sum.and_then(text)?.as_bytes(), scales.price + scales.qty).ok()?;
    Some(sum).filter(|sum| *sum > 0)
}

#[cfg(test)]
mod tests;
