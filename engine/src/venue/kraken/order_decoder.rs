//! What Kraken's private connection says: replies, and the channels `executions` and `balances`;
//! and what REST answers of orders.
//!
//! Source: "Executions", "Balances", "Add Order", "Cancel Order", "Amend Order" of WebSocket v2,
//! and of REST "Get Websockets Token", "Get Open Orders", "Get Closed Orders", "Query Trades Info".
//! Captures of 2024 and 2026 show what those leave open: an order's terms come with `pending_new`
//! alone, what follows has its names and what has changed; fills are told by `trade`, and `filled`
//! follows the last one.

mod account;
mod cancels;
mod rest;

use std::collections::VecDeque;

use simd_json::Node;

use self::account::{read_balances, read_listed};
use self::cancels::CancelsTogether;
use self::rest::{any_of, count_of, read_orders, read_trades};
use super::known_orders::{KnownOrders, Terms};
use super::market_decoder::is_online;
use super::refusals::{INVALID_NONCE, NOT_OPEN_NOW, UNKNOWN_ORDER, code_of};
use crate::event::{
    AssetAmount, ExecType, ExpiryReason, Liquidity, OrderStatus, Side, VenueRef, asset_code,
};
use crate::order::OrderCommand;
use crate::venue::codec::{
    DecodeError, JsonBuffer, Value, boolean, elements, need_date_ns, need_number, need_scaled,
    need_text, need_word, number_after, number_of, number_or_none, parse_cut, pick, text,
    text_after,
};
use crate::venue::orders::{VenueFill, VenueReport};
use crate::venue::protocol::{
    AccountList, AssetBalance, Failure, FillPages, FillsFrom, KeptReport, ListedOrder,
    OrderDecoder, OrderMessage, OrderRequest, Questions, ReadReport, ReplyBody, Several,
    UnreadFrame, object, told_balances,
};
use crate::venue::{Scales, Symbol, SymbolMap};

/// Bytes of a frame for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 16 * 1024;
const REST_BYTES_MAX: usize = 1024 * 1024;
const BALANCES_MAX: usize = 1_024;
/// Trades that "Query Trades Info" takes at a time.
const FILLS_MAX: usize = 20;
/// Trades of an order whose names are kept: one more than are read.
const NAMES_MAX: usize = 2_001;
/// Orders whose trades are remembered until they are asked for.
const TRADES_KEPT: usize = 64;

/// What is read of the connection, and over REST.
pub struct KrakenReports {
    json: JsonBuffer,
    rest: JsonBuffer,
    symbols: SymbolMap,
    reports: Several,
    balances: Vec<AssetBalance>,
    listed: Vec<ListedOrder>,
    fills: Vec<VenueFill>,
    known: KnownOrders,
    questions: Questions,
    trades: VecDeque<NamedTrades>,
    /// The list of fills that is being read.
    pages: FillPages,
    /// Cancels that went in one request and are not all answered.
    pub(super) cancels: CancelsTogether,
    /// The request that asks whether anything is open at all.
    pub(super) asks_any: Option<u64>,
    /// The venue has refused the number of a request.
    pub(super) is_nonce_refused: bool,
    /// What stands for the key on this connection.
    pub(super) token: String,
}

/// The venue's names of an order and of its trades, these with commas between them.
struct NamedTrades {
    order: VenueRef,
    symbol: Symbol,
    trades: String,
}

impl KrakenReports {
    /// Notes an order that is sent.
    #[inline]
    pub(super) fn note_sent(
        &mut self,
        command: &OrderCommand,
        (side, is_ioc): (Side, bool),
        request: &OrderRequest<'_>,
    ) {
        if let Some(symbol) = self.symbols.lookup(request.native.as_bytes()) {
            let (price, qty) = (command.price, command.qty);
            self.known.note(request.name, Terms { symbol, side, price, qty, is_ioc });
        }
    }

    /// Whether a question for an order goes to those that are over.
    #[cold]
    pub(super) fn asks_history(&mut self, request: &OrderRequest<'_>) -> bool {
        let symbol = self.symbols.lookup(request.native.as_bytes());
        self.questions.goes_to_history(request.id, request.name, symbol)
    }

    /// The names of an order's trades, as far as an answer told them.
    pub(super) fn trades_of(&self, order: VenueRef) -> Option<&str> {
        let found = self.trades.iter().rev().find(|named| named.order == order)?;
        Some(found.trades.as_str()).filter(|trades| !trades.is_empty())
    }

    /// The names of the trades that a request of this number is to ask for.
    #[cold]
    pub(super) fn asks_trades(
        &mut self,
        order: VenueRef,
        from: FillsFrom,
        id: u64,
    ) -> Option<String> {
        let names = match from {
            FillsFrom::Newest => {
                let names = self.trades_of(order)?.to_owned();
                self.pages.ask_newest(id, order);
                names
            }
            FillsFrom::Older => self.pages.ask_older(id, order)?,
            FillsFrom::First | FillsFrom::After(_) => return None,
        };
        let mut commas = names.match_indices(',').map(|(place, _)| place);
        let end = commas.nth(FILLS_MAX - 1).unwrap_or(names.len());
        self.pages.goes_on_at(names.get(end + 1..).unwrap_or_default());
        names.get(..end).map(str::to_owned)
    }
}

impl OrderDecoder for KrakenReports {
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> KrakenReports {
        KrakenReports {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            rest: JsonBuffer::new(FRAME_BYTES_USUAL, REST_BYTES_MAX),
            symbols,
            reports: Several::default(),
            balances: Vec::with_capacity(BALANCES_MAX),
            listed: Vec::new(),
            fills: Vec::with_capacity(FILLS_MAX),
            known: KnownOrders::new(),
            questions: Questions::default(),
            trades: VecDeque::with_capacity(TRADES_KEPT),
            pages: FillPages::default(),
            cancels: CancelsTogether::default(),
            asks_any: None,
            is_nonce_refused: false,
            token: String::new(),
        }
    }

    #[inline]
    fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        let KrakenReports { json, symbols, reports, balances, listed, known, cancels, .. } = self;
        reports.clear();
        let read = json.parse_numbers_as_texts(frame, |nodes| {
            read_frame(object(nodes)?, symbols, (reports, known), (balances, listed))
        });
        let read = read.map(|message| cancels.sort_out(message, reports));
        if let Some(message) = reports.end_frame(read, frame).map_err(|e| unread(e, frame))? {
            return Ok(message);
        }
        // Without one: terms of orders, and words on them that their trades tell.
        reports.take().unwrap_or(Ok(OrderMessage::Other("executions")))
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
        let KrakenReports { rest, symbols, fills, known, questions, trades, token, pages, .. } =
            self;
        let question = questions.answered(id);
        let symbol = question.as_ref().and_then(|question| question.symbol);
        let asks_any = self.asks_any.take_if(|asked| *asked == id).is_some();
        fills.clear();
        let read = rest.parse(body, |nodes| {
            let [errors, result] = pick(object(nodes)?, ["error", "result"])?;
            let mut errors = errors.and_then(elements).into_iter().flatten();
            if let Some(word) = errors.next().and_then(text) {
                return Ok(Err(Failure::of(status, code_of(word), word)));
            }
            let result = result.ok_or(DecodeError::field("field result missing"))?;
            let [told, open, closed, count] = pick(result, ["token", "open", "closed", "count"])?;
            if let Some(told) = told.and_then(text) {
                crate::text::hide_passing(told);
                told.clone_into(token);
                return Ok(Ok(ReplyBody::default()));
            }
            match (open.or(closed), count) {
                (Some(orders), _) if asks_any => Ok(Ok(any_of(orders))),
                (Some(orders), _) => read_orders(orders, symbol, (known, trades)).map(Ok),
                (None, Some(_)) => count_of(count).map(Ok),
                (None, None) => read_trades(result, symbols, trades, fills).map(Ok),
            }
        });
        let is_listed = match &read {
            Ok(Ok(body)) => body.state.is_some(),
            Ok(Err(failure)) => failure.code != UNKNOWN_ORDER,
            Err(_) => true,
        };
        let outcome = match read {
            Ok(Ok(_)) if pages.answered(id, fills) => {
                pages.sort_by_number();
                Ok(pages.told())
            }
            // Not among those of the list that was asked for.
            Ok(_) if !is_listed && question.is_some() => match question {
                Some(question) if !question.is_last => {
                    questions.ask_history_for(question.name);
                    Err(Failure::of(status, NOT_OPEN_NOW, "not among the open orders"))
                }
                _ => Err(Failure::of(status, UNKNOWN_ORDER, "not among the closed orders")),
            },
            Ok(Ok(body)) => Ok(ReplyBody { fills, ..body }),
            Ok(Err(failure)) => {
                self.is_nonce_refused |= failure.code == INVALID_NONCE;
                Err(failure)
            }
            // A proxy, or a server in trouble, which says so by its status alone.
            Err(_) if status != 200 => Err(Failure::of(status, 0, "")),
            Err(error) => return Err(UnreadFrame { reply: Some(id), ..UnreadFrame::of(error) }),
        };
        Ok(OrderMessage::reply(id, outcome))
    }
}

/// What can be told of a frame that can't be read. Cold, and without a parser: it may be no JSON.
#[cold]
fn unread(error: DecodeError, frame: &[u8]) -> UnreadFrame<'_> {
    let order = text_after(frame, br#""order_id":""#).and_then(VenueRef::text);
    UnreadFrame {
        name: text_after(frame, br#""cl_ord_id":""#),
        reply: number_after(frame, br#""req_id":"#),
        venue_order_id: order.unwrap_or(VenueRef::NONE),
        ..UnreadFrame::of(error)
    }
}

/// `None`: executions were read.
fn read_frame<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    (reports, known): (&mut Several, &mut KnownOrders),
    (balances, listed): (&'a mut Vec<AssetBalance>, &'a mut Vec<ListedOrder>),
) -> Result<Option<OrderMessage<'a>>, DecodeError> {
    let [channel, kind, data] = pick(nodes, ["channel", "type", "data"])?;
    let Some(channel) = channel else { return read_reply(nodes).map(Some) };
    let channel = text(channel).ok_or(DecodeError::field("field channel is no text"))?;
    match channel {
        "heartbeat" => return Ok(Some(OrderMessage::Other("heartbeat"))),
        "status" if is_online(data)? => return Ok(Some(OrderMessage::Other("status"))),
        "status" => return Err(DecodeError::unknown("the venue says that it is not online")),
        _ => {}
    }
    let kinds = [("snapshot", true), ("update", false)];
    let missing = "field type missing or no text";
    let is_whole = need_word(kind, missing, kinds, "type of a frame not known")?;
    let data = data.and_then(elements).ok_or(DecodeError::field("data is no array"))?;
    match channel {
        "executions" if is_whole => {
            listed.clear();
            let mut is_all = true;
            for entry in data {
                let order = read_listed(entry, symbols, (reports, known));
                is_all &= order.is_some();
                listed.extend(order);
            }
            let body = ReplyBody { listed, ..ReplyBody::default() };
            let list = AccountList::OpenOrders;
            Ok(Some(OrderMessage::Listed { list, body, is_whole: is_all }))
        }
        "executions" => {
            for entry in data {
                let report = read_execution(entry, symbols, known);
                report.into_iter().for_each(|report| reports.push(report));
            }
            Ok(None)
        }
        "balances" => {
            let (venue_time_ns, unreadable) = read_balances(data, balances)?;
            Ok(Some(match is_whole {
                true => OrderMessage::Listed {
                    list: AccountList::Balances,
                    body: told_balances(balances, unreadable),
                    is_whole: true,
                },
                false => {
                    let (entries, positions): (&[_], _) = (balances, &[]);
                    OrderMessage::Balances { venue_time_ns, entries, positions, unreadable }
                }
            }))
        }
        _ => Err(DecodeError::unknown("channel not known")),
    }
}

/// `{"method":"add_order","req_id":7,"result":{"order_id":..},"success":true,..}`, or with `error`.
fn read_reply<'a>(nodes: &[Node<'a>]) -> Result<OrderMessage<'a>, DecodeError> {
    let [method, id, success, error, result] =
        pick(nodes, ["method", "req_id", "success", "error", "result"])?;
    if need_text(method, "frame with neither channel nor method")? == "pong" {
        return Ok(OrderMessage::Other("pong"));
    }
    let outcome = match boolean(success).ok_or(DecodeError::field("field success missing"))? {
        true => {
            let [order, name] =
                result.map_or(Ok([None; 2]), |r| pick(r, ["order_id", "cl_ord_id"]))?;
            let order = order.and_then(text).and_then(|order| VenueRef::text(order.as_bytes()));
            let name = name.and_then(text).unwrap_or_default().as_bytes();
            let venue_order_id = order.unwrap_or(VenueRef::NONE);
            Ok(ReplyBody { name, venue_order_id, ..ReplyBody::default() })
        }
        false => {
            let word = error.and_then(text).unwrap_or_default();
            Err(Failure::of(0, code_of(word), word))
        }
    };
    match (number_of(id), outcome) {
        (Some(id), outcome) => Ok(OrderMessage::reply(id, outcome)),
        (None, Err(failure)) => Ok(OrderMessage::Unasked(failure)),
        (None, Ok(_)) => Ok(OrderMessage::Other("reply without a number")),
    }
}

/// What an element of `executions` tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The order's terms, or what its trades tell.
    Nothing,
    New,
    Trade,
    Canceled,
    Expired,
    Changed,
}

const TOLD: [(&str, Told); 10] = [
    ("pending_new", Told::Nothing),
    ("new", Told::New),
    ("trade", Told::Trade),
    ("filled", Told::Nothing),
    ("canceled", Told::Canceled),
    ("expired", Told::Expired),
    ("amended", Told::Changed),
    ("restated", Told::Changed),
    ("status", Told::Nothing),
    ("iceberg_refill", Told::Nothing),
];

/// What every element of `executions` has: what it tells, or the word that is not known; the names
/// of the order, its client's being empty where it has none; and its terms, which are noted.
struct Element<'t> {
    told: Result<Told, (DecodeError, Option<&'t str>)>,
    order: VenueRef,
    name: &'t str,
    terms: Result<Terms, DecodeError>,
}

fn read_element<'t>(
    nodes: &'t [Node<'_>],
    symbols: &SymbolMap,
    known: &mut KnownOrders,
) -> Element<'t> {
    let [exec, order, name] =
        pick(nodes, ["exec_type", "order_id", "cl_ord_id"]).unwrap_or_default();
    let (order, name) = (order.and_then(text).unwrap_or_default(), name.and_then(text));
    let key = name.unwrap_or(order).as_bytes();
    let missing = "field exec_type missing or no text";
    let told = need_word(exec, missing, TOLD, "execution type not known")
        .map_err(|error| (error, exec.and_then(text)));
    let terms = read_terms(nodes, symbols, known.get(key));
    if let Ok(terms) = terms {
        known.note(key, terms);
    }
    let order = VenueRef::text(order.as_bytes()).unwrap_or(VenueRef::NONE);
    Element { told, order, name: name.unwrap_or_default(), terms }
}

/// One element of an update; `None` when it tells nothing by itself.
fn read_execution(
    nodes: &[Node<'_>],
    symbols: &SymbolMap,
    known: &mut KnownOrders,
) -> Option<KeptReport> {
    let Element { told, order, name, terms } = read_element(nodes, symbols, known);
    if told.is_ok_and(|told| told == Told::Nothing) {
        return None;
    }
    let read = told.and_then(|told| {
        let report = terms.and_then(|terms| read_report(nodes, &terms, (told, order)));
        report.map_err(|error| (error, None))
    });
    Some(KeptReport::new(name, order, read))
}

/// An order's terms: what this element has of them, and else what was told before.
fn read_terms(
    nodes: &[Node<'_>],
    symbols: &SymbolMap,
    before: Option<Terms>,
) -> Result<Terms, DecodeError> {
    let [native, side, price, qty, life] =
        pick(nodes, ["symbol", "side", "limit_price", "order_qty", "time_in_force"])?;
    const UNTOLD: DecodeError = DecodeError::field("terms of the order were not told");
    let symbol = match native.and_then(text) {
        Some(native) => symbols.lookup(native.as_bytes()).ok_or(DecodeError::symbol())?,
        None => before.ok_or(UNTOLD)?.symbol,
    };
    let number = |value: Value<'_, '_>, scale, before: Option<i64>| match value.and_then(text) {
        Some(_) => need_scaled(value, scale, "no number"),
        None => before.ok_or(UNTOLD),
    };
    Ok(Terms {
        symbol,
        side: match side {
            Some(_) => read_side(side)?,
            None => before.ok_or(UNTOLD)?.side,
        },
        // A market order has none.
        price: number(price, symbol.scales.price, Some(before.map_or(0, |of| of.price)))?,
        qty: number(qty, symbol.scales.qty, before.map(|of| of.qty))?,
        is_ioc: match life.and_then(text) {
            Some(life) => life.eq_ignore_ascii_case("ioc"),
            None => before.is_some_and(|of| of.is_ioc),
        },
    })
}

fn read_report(
    nodes: &[Node<'_>],
    terms: &Terms,
    (told, order): (Told, VenueRef),
) -> Result<ReadReport, DecodeError> {
    let [filled, sum, reason, time] = pick(nodes, ["cum_qty", "cum_cost", "reason", "timestamp"])?;
    let (scales, qty) = (terms.symbol.scales, terms.qty);
    let fill = if told == Told::Trade { Some(read_fill(nodes, terms.symbol)?) } else { None };
    let filled_qty = match fill {
        Some(_) => need_scaled(filled, scales.qty, "field cum_qty missing")?,
        None => number_or_none(filled, scales.qty)?,
    };
    let last_qty = fill.map_or(0, |fill| fill.qty);
    let is_sane = (0..=qty).contains(&filled_qty) && (0..=filled_qty).contains(&last_qty);
    if !is_sane || fill.is_some_and(|fill| fill.qty == 0) {
        return Err(DecodeError::nonsense("filled above the order's quantity, or nothing"));
    }
    let open = match filled_qty {
        0 => OrderStatus::New,
        filled if filled == qty => OrderStatus::Filled,
        _ => OrderStatus::PartiallyFilled,
    };
    let (exec_type, status, expiry) = match told {
        Told::Trade => (ExecType::Trade, open, ExpiryReason::None),
        Told::Changed => (ExecType::Replaced, open, ExpiryReason::None),
        Told::Nothing | Told::New => (ExecType::New, open, ExpiryReason::None),
        Told::Canceled | Told::Expired => end_of(told == Told::Expired, reason, terms.is_ioc),
    };
    let report = VenueReport {
        exec_type,
        status,
        venue_order_id: order,
        // The venue names fills, and no other reports.
        execution_id: fill.map_or(VenueRef::NONE, |fill| fill.trade),
        instrument: terms.symbol.instrument,
        side: terms.side,
        price: terms.price,
        trigger_price: None,
        qty,
        last_price: fill.map_or(0, |fill| fill.price),
        last_qty,
        filled_qty,
        prevented_qty: None,
        quote_total: quote_total(sum, scales),
        fee: fill.and_then(|fill| fill.fee),
        liquidity: fill.and_then(|fill| fill.liquidity),
        expiry,
    };
    let no_fee = fill.is_some_and(|fill| fill.fee.is_none());
    Ok(ReadReport {
        report,
        venue_time_ns: need_date_ns(time, "field timestamp missing or no time")?,
        unreadable: no_fee.then_some(DecodeError::field("fee of a fill can't be read")),
    })
}

/// A fill of `executions`. Its number is that of the public trade, which REST lists, too.
fn read_fill(nodes: &[Node<'_>], symbol: Symbol) -> Result<VenueFill, DecodeError> {
    let [trade, price, qty, fees, liquidity] =
        pick(nodes, ["trade_id", "last_price", "last_qty", "fees", "liquidity_ind"])?;
    let mut fees = fees.and_then(elements).into_iter().flatten();
    let fee = match (fees.next(), fees.next()) {
        (None, _) => Some((0, 0)),
        (Some(only), None) => pick(only, ["asset", "qty"])
            .ok()
            .and_then(|[asset, amount]| fee_of(amount, asset_code(asset.and_then(text)?))),
        // In two assets: no place for that.
        _ => None,
    };
    Ok(VenueFill {
        trade: VenueRef::number(need_number(trade, "field trade_id missing or no integer")?),
        price: need_scaled(price, symbol.scales.price, "field last_price missing")?,
        qty: need_scaled(qty, symbol.scales.qty, "field last_qty missing")?,
        fee,
        liquidity: match liquidity.and_then(text) {
            Some("m") => Some(Liquidity::Maker),
            Some("t") => Some(Liquidity::Taker),
            _ => None,
        },
    })
}

/// Why an order ended: by its client, or by a rule. The venue has texts for it and no list of them.
fn end_of(
    is_expired: bool,
    reason: Value<'_, '_>,
    is_ioc: bool,
) -> (ExecType, OrderStatus, ExpiryReason) {
    let (expired, canceled) =
        ((ExecType::Expired, OrderStatus::Expired), (ExecType::Canceled, OrderStatus::Canceled));
    let ((exec_type, status), expiry) = match reason.and_then(text).unwrap_or_default() {
        "User requested" => (canceled, ExpiryReason::None),
        // It was to rest, and would have taken.
        "Post only order" => (expired, ExpiryReason::Rejected),
        _ if is_ioc => (expired, ExpiryReason::UnfilledIoc),
        _ if is_expired => (expired, ExpiryReason::Unlisted),
        _ => (canceled, ExpiryReason::Unlisted),
    };
    (exec_type, status, expiry)
}

fn read_side(side: Value<'_, '_>) -> Result<Side, DecodeError> {
    let sides = [("buy", Side::Buy), ("sell", Side::Sell)];
    need_word(side, "field side missing or no text", sides, "order side not known")
}

/// A fee: what the venue takes is a positive number, with more decimals than are kept.
fn fee_of(amount: Value<'_, '_>, asset: Option<u128>) -> Option<(i64, u128)> {
    let fee = parse_cut(amount.and_then(text)?.as_bytes(), AssetAmount::SCALE).ok()?;
    match i64::try_from(fee).ok()? {
        0 => Some((0, 0)),
        fee => Some((fee, asset?)),
    }
}

/// The sum of all fills; the venue tells 0 where there is none, and may have rounded it.
fn quote_total(sum: Value<'_, '_>, scales: Scales) -> Option<i128> {
    let sum = parse_cut(sum.and_then(text)?.as_bytes(), scales.price + scales.qty).ok()?;
    Some(sum).filter(|sum| *sum > 0)
}

#[cfg(test)]
mod tests;
