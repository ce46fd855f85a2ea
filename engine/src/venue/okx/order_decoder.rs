//! What OKX's private connection says: replies to requests, and the channels `orders` and
//! `account`.
//!
//! Source: "WS / Place order", "WS / Order channel", "WS / Account channel", and of REST
//! "Order details", "Transaction details" and "Get instruments" in the venue's reference.

mod past;
mod rest;

use simd_json::Node;

use self::past::{PastFills, RECENT};
use self::rest::{created_of, oldest_bill_of, read_pending, read_rest, read_state};
use super::market_decoder::CLOSES_SOON;
use crate::event::{
    AssetAmount, ExecType, ExpiryReason, Liquidity, OrderStatus, Side, VenueRef, asset_code,
};
use crate::venue::codec::{
    DecodeError, JsonBuffer, Value, elements, need_number, need_text, need_time_ns, need_word,
    number_after, number_of, number_or_none, parse_cut, pick, text, text_after,
};
use crate::venue::orders::{VenueFill, VenueReport};
use crate::venue::protocol::{
    AccountList, AccountLists, AssetBalance, Failure, FillPages, FillsFrom, KeptReply, KeptReport,
    OrderDecoder, OrderMessage, OrderRequest, Reach, ReadReport, Reply, ReplyBody, Several,
    UnreadFrame, UnreadReport, object, told_balances,
};
use crate::venue::{LetterReason, Scales, SymbolMap};

/// Bytes of a frame for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 16 * 1024;
/// The list of all instruments has less than 1 MB.
const REST_BYTES_MAX: usize = 16 * 1024 * 1024;
const BALANCES_MAX: usize = 1_024;
/// Open orders of one answer; "Order List" lists no more.
const ORDERS_MAX: usize = 100;
/// Fills of one answer; "Transaction details" lists no more.
const FILLS_MAX: usize = 100;
/// Decimal places of an average price that are read.
const AVERAGE_SCALE: u8 = 16;

/// What is read of the private connection.
pub struct OkxReports {
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
    /// The request that logs on: its reply has no number.
    pub(super) logon: Option<u64>,
    /// By the symbols' slots: what the venue calls the instrument in requests; 0 before it is
    /// known.
    codes: Box<[u64]>,
    past: PastFills,
}

impl OkxReports {
    /// The number by which requests name an instrument.
    pub(super) fn code(&self, native: &str) -> Option<u64> {
        let symbol = self.symbols.lookup(native.as_bytes())?;
        Some(self.codes[symbol.slot]).filter(|code| *code > 0)
    }

    /// The page of an order's fills that a request is to ask for: the name of the list, and behind
    /// a colon the bill before which the page begins.
    #[cold]
    pub(super) fn asks_fills(
        &mut self,
        from: FillsFrom,
        order: VenueRef,
        request: &OrderRequest<'_>,
    ) -> Option<String> {
        let page = match from {
            FillsFrom::Newest => {
                self.pages.ask_newest(request.id, order);
                RECENT.to_owned()
            }
            FillsFrom::Older => self.pages.ask_older(request.id, order)?,
            FillsFrom::First | FillsFrom::After(_) => return None,
        };
        self.past.asked(&page, request.time_ms);
        Some(page)
    }
}

impl OrderDecoder for OkxReports {
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> OkxReports {
        OkxReports {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            rest: JsonBuffer::new(FRAME_BYTES_USUAL, REST_BYTES_MAX),
            codes: vec![0; symbols.len()].into(),
            past: PastFills::default(),
            symbols,
            reports: Several::default(),
            balances: Vec::with_capacity(BALANCES_MAX),
            fills: Vec::with_capacity(FILLS_MAX),
            pages: FillPages::default(),
            lists: AccountLists::default(),
            logon: None,
        }
    }

    #[inline]
    fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        if frame == b"pong" {
            return Ok(OrderMessage::Other("pong"));
        }
        let OkxReports { json, symbols, reports, balances, logon, .. } = self;
        reports.clear();
        let read = json
            .parse(frame, |nodes| read_frame(object(nodes)?, symbols, (reports, balances), logon));
        if let Some(message) = reports.end_frame(read, frame).map_err(|e| unread(e, frame))? {
            return Ok(message);
        }
        let nothing = DecodeError::nonsense("no order in a frame of orders");
        reports.take().unwrap_or(Err(unread(nothing, frame)))
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
        let OkxReports { rest, symbols, fills, codes, lists, balances, past, .. } = self;
        let list_asked = lists.answered(id);
        let (mut oldest_bill, mut next, mut half) = (None, String::new(), None);
        let read = rest.parse(body, |nodes| {
            let [code, message, data] = pick(object(nodes)?, ["code", "msg", "data"])?;
            let message = message.and_then(text).unwrap_or_default();
            let code = need_code(code)?;
            if code != 0 || status != 200 {
                return Ok(failed(id, status, code, message));
            }
            let list = data.ok_or(DecodeError::field("field data missing"))?;
            let body = match list_asked {
                Some(AccountList::OpenOrders) => {
                    next = read_pending(list, symbols, lists)?;
                    ReplyBody::default()
                }
                Some(AccountList::Balances) => {
                    half = read_accounts(list, balances)?.1;
                    ReplyBody::default()
                }
                None => read_rest(list, symbols, (fills, codes))?,
            };
            oldest_bill = oldest_bill_of(list);
            past.note(created_of(list));
            Ok(OrderMessage::Reply(Reply {
                id,
                outcome: Ok(body),
                time_ns: None,
                reach: Reach::All,
            }))
        });
        match read {
            Ok(OrderMessage::Reply(Reply { id, outcome: Ok(body), time_ns, reach })) => {
                let OkxReports { fills, pages, lists, balances, past, .. } = self;
                if let Some(list) = list_asked {
                    let outcome = Ok(match list {
                        AccountList::OpenOrders => lists.end_page(&next),
                        AccountList::Balances => told_balances(balances, half),
                    });
                    return Ok(OrderMessage::Reply(Reply { id, outcome, time_ns, reach }));
                }
                let order = pages.awaited(id);
                if pages.answered(id, fills) {
                    let is_full = fills.len() >= FILLS_MAX;
                    pages.goes_on_at(&past.next_page(order, oldest_bill, is_full));
                    let outcome = Ok(pages.told());
                    return Ok(OrderMessage::Reply(Reply { id, outcome, time_ns, reach }));
                }
                let body = ReplyBody { fills, ..body };
                Ok(OrderMessage::Reply(Reply { id, outcome: Ok(body), time_ns, reach }))
            }
            Ok(message) => Ok(message),
            // A proxy, or a server in trouble, which says so by its status alone.
            Err(_) if status != 200 => Ok(failed(id, status, 0, "")),
            Err(error) => Err(UnreadFrame { reply: Some(id), ..UnreadFrame::of(error) }),
        }
    }
}

fn failed<'a>(id: u64, status: u16, code: i32, message: &'a str) -> OrderMessage<'a> {
    let outcome = Err(Failure::of(status, code, message));
    OrderMessage::reply(id, outcome)
}

/// What can be told of a frame that can't be read. Cold, and without a parser: it may be no JSON.
#[cold]
fn unread(error: DecodeError, frame: &[u8]) -> UnreadFrame<'_> {
    UnreadFrame {
        name: text_after(frame, br#""clOrdId":""#),
        reply: number_after(frame, br#""id":""#),
        venue_order_id: number_after(frame, br#""ordId":""#)
            .map_or(VenueRef::NONE, VenueRef::number),
        ..UnreadFrame::of(error)
    }
}

/// A code, which the venue writes as text; 0 is none.
fn need_code(code: Value<'_, '_>) -> Result<i32, DecodeError> {
    let code = need_number(code, "field code missing or no integer")?;
    i32::try_from(code).map_err(|_| DecodeError::number("code out of range"))
}

/// `None`: reports were read.
fn read_frame<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    (reports, balances): (&mut Several, &'a mut Vec<AssetBalance>),
    logon: &mut Option<u64>,
) -> Result<Option<OrderMessage<'a>>, DecodeError> {
    let [event, op, arg, id, data] = pick(nodes, ["event", "op", "arg", "id", "data"])?;
    if event.is_some() {
        return read_event(nodes, event, id, logon).map(Some);
    }
    if op.and_then(text).is_some_and(|op| op.starts_with("batch-")) && is_answered(data) {
        return read_replies(id, data, reports).map(|()| None);
    }
    if op.is_some() {
        return read_reply(nodes, id, data).map(Some);
    }
    let arg = arg.ok_or(DecodeError::unknown("frame of no known kind"))?;
    let [channel] = pick(arg, ["channel"])?;
    let data = data.ok_or(DecodeError::field("data is no array"))?;
    match need_text(channel, "field channel missing or no text")? {
        "orders" => {
            let orders = elements(data).ok_or(DecodeError::field("data is no array"))?;
            orders.for_each(|order| reports.push(read_order(order, symbols)));
            Ok(None)
        }
        "account" => {
            let (venue_time_ns, unreadable) = read_accounts(data, balances)?;
            let (entries, positions): (&[_], _) = (balances, &[]);
            Ok(Some(OrderMessage::Balances { venue_time_ns, entries, positions, unreadable }))
        }
        _ => Err(DecodeError::unknown("channel not known")),
    }
}

/// `{"event":"subscribe","id":"3",..}`, and `{"event":"error","code":"60009","msg":..}`. What has
/// no number answers the logon, while that waits.
fn read_event<'a>(
    nodes: &[Node<'a>],
    event: Value<'_, 'a>,
    id: Value<'_, 'a>,
    logon: &mut Option<u64>,
) -> Result<OrderMessage<'a>, DecodeError> {
    let [code, message] = pick(nodes, ["code", "msg"])?;
    let message = message.and_then(text).unwrap_or_default();
    let id = number_of(id);
    match need_text(event, "field event is no text")? {
        "login" | "subscribe" | "unsubscribe" => {
            let id = id.or_else(|| logon.take()).unwrap_or(0);
            Ok(OrderMessage::reply(id, Ok(ReplyBody::default())))
        }
        "error" => {
            let code = need_code(code)?;
            match id.or_else(|| logon.take()) {
                Some(id) => Ok(failed(id, 0, code, message)),
                None => Ok(OrderMessage::Unasked(Failure::of(0, code, message))),
            }
        }
        "notice" if code.and_then(text) == Some(CLOSES_SOON) => Ok(OrderMessage::EndingSoon),
        "channel-conn-count" => Ok(OrderMessage::Other("channel-conn-count")),
        "channel-conn-count-error" => {
            Ok(OrderMessage::Closing("too many connections of this account listen to a channel"))
        }
        _ => Err(DecodeError::unknown("event not known")),
    }
}

/// `{"id":"7","op":"order","code":"0","data":[{"ordId":..,"clOrdId":..,"sCode":"0"}],..}`.
fn read_reply<'a>(
    nodes: &[Node<'a>],
    id: Value<'_, 'a>,
    data: Value<'_, 'a>,
) -> Result<OrderMessage<'a>, DecodeError> {
    let [code, message] = pick(nodes, ["code", "msg"])?;
    let id = need_number(id, "reply without a number of ours")?;
    let mut results = data.and_then(elements).into_iter().flatten();
    let Some(result) = results.next() else {
        let message = message.and_then(text).unwrap_or_default();
        return match need_code(code)? {
            0 => Err(DecodeError::field("reply without its result")),
            code => Ok(failed(id, 0, code, message)),
        };
    };
    let [order, name, code, message] = pick(result, ["ordId", "clOrdId", "sCode", "sMsg"])?;
    match need_code(code)? {
        0 => {
            let name = name.and_then(text).unwrap_or_default().as_bytes();
            let venue_order_id = number_of(order).map_or(VenueRef::NONE, VenueRef::number);
            let body = ReplyBody { name, venue_order_id, ..ReplyBody::default() };
            Ok(OrderMessage::reply(id, Ok(body)))
        }
        code => Ok(failed(id, 0, code, message.and_then(text).unwrap_or_default())),
    }
}

/// Whether a reply answers order by order, or has one answer for all.
fn is_answered(data: Value<'_, '_>) -> bool {
    data.and_then(elements).is_some_and(|mut results| results.next().is_some())
}

/// The same of several orders, whose requests' numbers follow one another.
#[cold]
fn read_replies(
    id: Value<'_, '_>,
    data: Value<'_, '_>,
    reports: &mut Several,
) -> Result<(), DecodeError> {
    let id = need_number(id, "reply without a number of ours")?;
    for (result, id) in data.and_then(elements).into_iter().flatten().zip(id..) {
        let read = read_result(result, id);
        reports.push_reply(read.unwrap_or_else(|error| KeptReply::unread(id, error)));
    }
    reports.end_replies();
    Ok(())
}

/// The answer to one of them.
fn read_result(result: &[Node<'_>], id: u64) -> Result<KeptReply, DecodeError> {
    let [order, name, code, message] = pick(result, ["ordId", "clOrdId", "sCode", "sMsg"])?;
    let venue_order_id = number_of(order).map_or(VenueRef::NONE, VenueRef::number);
    let name = name.and_then(text).unwrap_or_default();
    let message = message.and_then(text).unwrap_or_default();
    Ok(KeptReply::new(id, (name, venue_order_id), (need_code(code)?, message)))
}

/// One element of the channel `orders`.
fn read_order(nodes: &[Node<'_>], symbols: &SymbolMap) -> KeptReport {
    let named = pick(nodes, ["clOrdId", "ordId"]).unwrap_or_default();
    let name = named[0].and_then(text).unwrap_or_default();
    let venue_order_id = number_of(named[1]).map_or(VenueRef::NONE, VenueRef::number);
    KeptReport::new(name, venue_order_id, read_report(nodes, venue_order_id, symbols))
}

fn read_report<'a>(
    nodes: &[Node<'a>],
    venue_order_id: VenueRef,
    symbols: &SymbolMap,
) -> Result<ReadReport, UnreadReport<'a>> {
    let [native, side, state, source] =
        pick(nodes, ["instId", "side", "state", "cancelSource"]).map_err(known)?;
    let [trade, last_price, last_qty, fee, asset, kind, time] =
        pick(nodes, ["tradeId", "fillPx", "fillSz", "fillFee", "fillFeeCcy", "execType", "uTime"])
            .map_err(known)?;
    let unknown = |error| (error, state.and_then(text));
    let stands = status_of(state, source).map_err(unknown)?;
    let read = || {
        let native = need_text(native, "field instId missing or no text")?;
        let symbol = symbols.lookup(native.as_bytes()).ok_or(DecodeError::symbol())?;
        let answer = read_state(nodes, stands, symbol, venue_order_id)?;
        let qty = number_or_none(last_qty, symbol.scales.qty)?;
        let ends = matches!(answer.status, OrderStatus::Canceled | OrderStatus::Expired);
        let fill = match number_of(trade).filter(|_| qty > 0 && !ends) {
            None => None,
            Some(trade) => Some(VenueFill {
                trade: VenueRef::number(trade),
                price: number_or_none(last_price, symbol.scales.price)?,
                qty,
                fee: fee_of(fee, asset),
                liquidity: liquidity_of(kind),
            }),
        };
        let exec_type = exec_type(answer.status, fill.is_some(), nodes)?;
        // The venue names fills, and no other reports.
        let report = VenueReport::of(exec_type, &answer, read_side(side)?, fill.as_ref());
        check(&report)?;
        let no_fee = fill.is_some_and(|fill| fill.fee.is_none());
        Ok(ReadReport {
            report,
            venue_time_ns: need_time_ns(time, "field uTime missing or no time")?,
            unreadable: no_fee.then_some(DecodeError::field("fee of a fill can't be read")),
        })
    };
    read().map_err(known)
}

fn known<'a>(error: DecodeError) -> UnreadReport<'a> {
    (error, None)
}

/// What can't be, whatever the order was (F17).
fn check(report: &VenueReport) -> Result<(), DecodeError> {
    let VenueReport { price, qty, last_price, last_qty, filled_qty, .. } = *report;
    if [price, qty, last_price, last_qty, filled_qty].iter().any(|number| *number < 0) {
        return Err(DecodeError::nonsense("negative number in an order"));
    }
    if filled_qty > qty || last_qty > filled_qty {
        return Err(DecodeError::nonsense("filled above the order's quantity"));
    }
    Ok(())
}

/// What an element tells: a fill, an end, an amendment (a failed one leaves the order as it was),
/// or that it is there.
fn exec_type(
    status: OrderStatus,
    is_fill: bool,
    nodes: &[Node<'_>],
) -> Result<ExecType, DecodeError> {
    let [amended] = pick(nodes, ["amendResult"])?;
    let is_amended = amended.and_then(text).is_some_and(|result| !result.is_empty());
    match status {
        OrderStatus::Canceled => Ok(ExecType::Canceled),
        OrderStatus::Expired => Ok(ExecType::Expired),
        _ if is_fill => Ok(ExecType::Trade),
        OrderStatus::Filled => Err(DecodeError::nonsense("filled without a fill")),
        OrderStatus::New if !is_amended => Ok(ExecType::New),
        _ => Ok(ExecType::Replaced),
    }
}

/// An order's state, and why it ended where it did so by a rule of its own.
fn status_of(
    state: Value<'_, '_>,
    source: Value<'_, '_>,
) -> Result<(OrderStatus, ExpiryReason), DecodeError> {
    let states = [
        ("live", OrderStatus::New),
        ("partially_filled", OrderStatus::PartiallyFilled),
        ("filled", OrderStatus::Filled),
        ("canceled", OrderStatus::Canceled),
        ("mmp_canceled", OrderStatus::Canceled),
    ];
    let status =
        need_word(state, "field state missing or no text", states, "order status not known")?;
    if status != OrderStatus::Canceled {
        return Ok((status, ExpiryReason::None));
    }
    Ok(match source.and_then(text).unwrap_or_default() {
        // By its client, or by the timer that its client set.
        "" | "1" | "20" => (status, ExpiryReason::None),
        "0" => (status, ExpiryReason::ExchangeCanceled),
        "13" => (OrderStatus::Expired, ExpiryReason::UnfilledFok),
        "14" => (OrderStatus::Expired, ExpiryReason::UnfilledIoc),
        // It was to rest, and would have taken.
        "31" => (OrderStatus::Expired, ExpiryReason::Rejected),
        "32" => (OrderStatus::Expired, ExpiryReason::SelfTrade),
        _ => (status, ExpiryReason::Unlisted),
    })
}

fn read_side(side: Value<'_, '_>) -> Result<Side, DecodeError> {
    let sides = [("buy", Side::Buy), ("sell", Side::Sell)];
    need_word(side, "field side missing or no text", sides, "order side not known")
}

fn liquidity_of(kind: Value<'_, '_>) -> Option<Liquidity> {
    match kind.and_then(text)? {
        "M" => Some(Liquidity::Maker),
        "T" => Some(Liquidity::Taker),
        _ => None,
    }
}

/// A fee: the venue tells what it takes as a negative number, with more decimals than are kept.
fn fee_of(fee: Value<'_, '_>, asset: Value<'_, '_>) -> Option<(i64, u128)> {
    let fee = parse_cut(fee.and_then(text)?.as_bytes(), AssetAmount::SCALE).ok()?;
    match i64::try_from(fee).ok()? {
        0 => Some((0, 0)),
        fee => Some((-fee, asset_code(asset.and_then(text)?)?)),
    }
}

/// The sum of all fills, from their average price: as exact as that is.
fn quote_total(average: Value<'_, '_>, filled_qty: i64, scales: Scales) -> Option<i128> {
    let average = parse_cut(average.and_then(text)?.as_bytes(), AVERAGE_SCALE).ok()?;
    let sum = average.checked_mul(i128::from(filled_qty))?;
    let unit = 10_i128.pow(u32::from(AVERAGE_SCALE.saturating_sub(scales.price)));
    Some((sum + unit / 2) / unit).filter(|sum| *sum > 0)
}

/// The balances of all accounts of a list, when the venue says that they were so, and what is wrong
/// with the first that can't be read.
fn read_accounts(
    list: &[Node<'_>],
    balances: &mut Vec<AssetBalance>,
) -> Result<(i64, Option<DecodeError>), DecodeError> {
    balances.clear();
    let (mut venue_time_ns, mut unreadable) = (0, None);
    for account in elements(list).ok_or(DecodeError::field("data is no array"))? {
        let (at_ns, error) = read_account(account, balances)?;
        (venue_time_ns, unreadable) = (at_ns, unreadable.or(error));
    }
    Ok((venue_time_ns, unreadable))
}

/// The balances of an account; of those that can't be read, what is wrong with the first.
fn read_account(
    nodes: &[Node<'_>],
    balances: &mut Vec<AssetBalance>,
) -> Result<(i64, Option<DecodeError>), DecodeError> {
    let [details, time] = pick(nodes, ["details", "uTime"])?;
    let mut unreadable = None;
    for entry in details.and_then(elements).ok_or(DecodeError::field("details is no array"))? {
        if balances.len() == BALANCES_MAX {
            return Err(DecodeError::new(LetterReason::Oversize, "too many balances"));
        }
        match read_balance(entry) {
            Ok(balance) => balances.push(balance),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    Ok((need_time_ns(time, "field uTime missing or no time")?, unreadable))
}

fn read_balance(nodes: &[Node<'_>]) -> Result<AssetBalance, DecodeError> {
    let [asset, free, locked] = pick(nodes, ["ccy", "availBal", "frozenBal"])?;
    let asset = need_text(asset, "field ccy missing or no text")?;
    let amount = |value| {
        let number = need_text(value, "balance missing or no text")?;
        parse_cut(number.as_bytes(), AssetAmount::SCALE)
    };
    AssetBalance::named(asset, amount(free)?, amount(locked)?)
}

#[cfg(test)]
mod tests;
