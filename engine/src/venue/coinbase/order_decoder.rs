//! What the venue says of the account: the channel `user` of its stream, and the answers over REST.
//!
//! Source: "User Channel" and "Heartbeats Channel" of the WebSocket pages; "Create Order", "Cancel
//! Orders", "Get Order", "List Orders", "List Fills", "List Accounts" of the reference. A frame of
//! `user` has orders as they stand: those that are open behind a subscription, in several frames
//! where they are many, and later each that has changed. All frames of a connection are numbered.

mod rest;

use std::collections::VecDeque;

use arrayvec::ArrayVec;
use simd_json::Node;

pub(super) use self::rest::CANCELS_MAX;
use self::rest::{Lists, read_answer, read_batch};
use super::refusals::{NOT_FOUND, NOT_IN_TIME, NOT_LISTED, failure_of, meaning_of};
use crate::event::{ExpiryReason, OrderStatus, Side, VenueRef};
use crate::venue::codec::{
    DecodeError, JsonBuffer, Value, elements, need_date_ns, need_number, need_scaled, need_text,
    need_word, number_or_none, parse_cut, pick, text, text_after,
};
use crate::venue::orders::{VenueAnswer, VenueFill};
use crate::venue::protocol::{
    AssetBalance, Failure, FillPages, KeptReport, ListedOrder, OrderDecoder, OrderMessage, Outcome,
    ReplyBody, Several, UnreadFrame, object,
};
use crate::venue::{LetterReason, Symbol, SymbolMap};

/// Bytes of a frame, and of an answer, for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 16 * 1024;
const REST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Entries of the lists over REST, at most: those of one page.
const LISTED_MAX: usize = 1_000;
/// Questions that go through the list of orders, at a time, and the pages that one may have in a
/// row: then it makes a pause, and goes on where it was.
const QUESTIONS_MAX: usize = 64;
const PAGES_MAX: u32 = 20;
/// Decimals of an average price that count.
const AVERAGE_SCALE: u8 = 8;

/// What is read of the connection, and over REST.
pub struct CoinbaseReports {
    json: JsonBuffer,
    rest: JsonBuffer,
    symbols: SymbolMap,
    reports: Several,
    listed: Vec<ListedOrder>,
    balances: Vec<AssetBalance>,
    fills: Vec<VenueFill>,
    /// Questions for an order by our name of it, and where each goes on.
    questions: VecDeque<Question>,
    /// Questions by the venue's name of an order: that, and our name of it.
    named: VecDeque<(u64, VenueRef, Vec<u8>)>,
    /// Names of the venue's that were answered with another order than was asked for.
    distrusted: VecDeque<VenueRef>,
    /// Orders that are to change, and the requests for that.
    amended: VecDeque<(u64, VenueRef)>,
    /// Cancels that went together.
    batches: VecDeque<Batch>,
    /// The list of fills that is being read.
    pub(super) pages: FillPages,
    /// The step of the logon that is waited for, and its channel.
    pub(super) subscribing: Option<(u64, &'static str)>,
    /// The number of the next frame; `None` before the first one of a connection.
    next_number: Option<u64>,
}

/// Cancels that went together: the number of the first request, and the orders of all.
type Batch = (u64, ArrayVec<VenueRef, CANCELS_MAX>);

/// A question for an order that goes through the list of orders.
struct Question {
    /// The request that waits; `None` until the next page is asked for.
    id: Option<u64>,
    name: Vec<u8>,
    part: ListPart,
    /// Where the next page begins; empty for the first.
    cursor: String,
    pages: u32,
}

/// The part of the list of orders that an order has to be in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListPart {
    /// As it stands in a request. The same on all pages, so that one follows the other.
    pub(super) query: String,
    /// Nothing can come into it any more.
    pub(super) is_settled: bool,
}

impl CoinbaseReports {
    /// A new connection.
    pub(super) fn restart(&mut self) {
        (self.next_number, self.subscribing) = (None, None);
    }

    /// A request for a change of an order.
    #[inline]
    pub(super) fn amends(&mut self, id: u64, venue_order_id: VenueRef) {
        if self.amended.len() == QUESTIONS_MAX {
            self.amended.pop_front();
        }
        self.amended.push_back((id, venue_order_id));
    }

    /// A request for the cancels of these orders, of which each has a number, from `first` on.
    #[cold]
    pub(super) fn cancels(&mut self, first: u64, orders: impl Iterator<Item = VenueRef>) {
        if self.batches.len() == QUESTIONS_MAX {
            self.batches.pop_front();
        }
        self.batches.push_back((first, orders.take(CANCELS_MAX).collect()));
    }

    /// Reads the answer to cancels that went together.
    #[cold]
    fn decode_batch<'a>(
        &'a mut self,
        batch: &Batch,
        status: u16,
        body: &'a [u8],
    ) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        let CoinbaseReports { rest, reports, .. } = self;
        let id = batch.0;
        reports.clear();
        let read = rest.parse(body, |nodes| read_batch(object(nodes)?, status, batch, reports));
        let failure = match read {
            Ok(Some(failure)) => failure,
            Err(_) if status != 200 => failure_of(status, "", ""),
            read => {
                let wrong = |error| UnreadFrame { reply: Some(id), ..UnreadFrame::of(error) };
                let none: Option<OrderMessage<'_>> = None;
                let read = reports.end_frame(read.map(|_| none), body).map_err(wrong);
                read?;
                reports.end_replies();
                const EMPTY: DecodeError = DecodeError::field("answer to several that tells none");
                return reports.take().unwrap_or(Err(wrong(EMPTY)));
            }
        };
        Ok(reply(id, Err(failure)))
    }

    /// Whether the venue's name of an order led to another one.
    pub(super) fn distrusts(&self, name: VenueRef) -> bool {
        self.distrusted.contains(&name)
    }

    /// A question by the venue's name of an order.
    #[cold]
    pub(super) fn asks_by_name(&mut self, id: u64, venue_order_id: VenueRef, name: &[u8]) {
        if self.named.len() == QUESTIONS_MAX {
            self.named.pop_front();
        }
        self.named.push_back((id, venue_order_id, name.to_vec()));
    }

    /// The answer to such a question tells of an order of this name.
    fn found(
        named: &mut VecDeque<(u64, VenueRef, Vec<u8>)>,
        id: u64,
        name: &[u8],
    ) -> Option<VenueRef> {
        let place = named.iter().position(|(of, ..)| *of == id)?;
        let (_, venue_order_id, wanted) = named.remove(place)?;
        (wanted != name).then_some(venue_order_id)
    }

    /// A question for the order of this name, which is in that part of the list: where it is to
    /// look, as it stands in a request.
    #[cold]
    pub(super) fn looks_for(
        &mut self,
        id: u64,
        name: &[u8],
        part: impl FnOnce() -> ListPart,
    ) -> String {
        let begun = self.questions.iter().position(|of| of.name == name);
        let begun = begun.and_then(|place| self.questions.remove(place));
        let question = match begun {
            Some(question) => Question { id: Some(id), ..question },
            None => {
                let (name, part) = (name.to_vec(), part());
                Question { id: Some(id), name, part, cursor: String::new(), pages: 0 }
            }
        };
        if self.questions.len() == QUESTIONS_MAX {
            self.questions.pop_front();
        }
        let mut place = question.part.query.clone();
        if !question.cursor.is_empty() {
            place.push_str(&at_cursor(&question.cursor));
        }
        self.questions.push_back(question);
        place
    }
}

impl OrderDecoder for CoinbaseReports {
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> CoinbaseReports {
        CoinbaseReports {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            rest: JsonBuffer::new(FRAME_BYTES_USUAL, REST_BYTES_MAX),
            symbols,
            reports: Several::default(),
            listed: Vec::new(),
            balances: Vec::new(),
            fills: Vec::new(),
            questions: VecDeque::with_capacity(QUESTIONS_MAX),
            named: VecDeque::with_capacity(QUESTIONS_MAX),
            distrusted: VecDeque::with_capacity(QUESTIONS_MAX),
            amended: VecDeque::with_capacity(QUESTIONS_MAX),
            batches: VecDeque::with_capacity(QUESTIONS_MAX),
            pages: FillPages::default(),
            subscribing: None,
            next_number: None,
        }
    }

    #[inline]
    fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        let CoinbaseReports { json, symbols, reports, subscribing, next_number, .. } = self;
        reports.clear();
        let read = json.parse(frame, |nodes| {
            read_frame(object(nodes)?, symbols, (reports, subscribing, next_number))
        });
        if let Some(message) = reports.end_frame(read, frame).map_err(|e| unread(e, frame))? {
            return Ok(message);
        }
        // Without one: a snapshot of nothing, or orders that have only come in.
        reports.take().unwrap_or(Ok(OrderMessage::Other("user")))
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
        if let Some(place) = self.batches.iter().position(|(first, _)| *first == id)
            && let Some(batch) = self.batches.remove(place)
        {
            return self.decode_batch(&batch, status, body);
        }
        let amended = self.amended.iter().position(|(of, _)| *of == id);
        let amended = amended.and_then(|place| self.amended.remove(place));
        let CoinbaseReports { rest, symbols, listed, balances, fills, questions, named, .. } = self;
        let question = questions.iter_mut().find(|of| of.id == Some(id));
        let wanted = question.as_ref().map(|question| question.name.as_slice());
        let mut lists = Lists::new(symbols, (listed, balances, fills));
        lists.filled = self.pages.awaited(id);
        lists.amended = amended.map(|(_, order)| order);
        let read =
            rest.parse(body, |nodes| read_answer(object(nodes)?, status, wanted, &mut lists));
        let Lists { next, unreadable, .. } = lists;
        let (pages, distrusted) = (&mut self.pages, &mut self.distrusted);
        let refused = match read {
            // A proxy, or a server in trouble, which says so by its status alone.
            Err(_) if status != 200 => Ok(Err(failure_of(status, "", ""))),
            read => read,
        };
        let outcome = match refused {
            Ok(Err(failure)) => {
                if let Some(question) = question {
                    question.not_answered(&failure);
                }
                Err(failure)
            }
            Err(error) => return Err(UnreadFrame { reply: Some(id), ..UnreadFrame::of(error) }),
            Ok(Ok(body)) => {
                if let Some(wrong) = CoinbaseReports::found(named, id, body.name) {
                    distrusted.truncate(QUESTIONS_MAX - 1);
                    distrusted.push_front(wrong);
                }
                let is_empty = fills.is_empty();
                if pages.answered(id, fills) {
                    pages.goes_on_at(if is_empty { "" } else { &next });
                    Ok(ReplyBody { unknown: body.unknown, ..pages.told() })
                } else if let Some(question) = question
                    && body.state.is_none()
                {
                    Err(question.not_here(next))
                } else {
                    // What lies beyond the first page is not read.
                    let is_cut = !next.is_empty() && body.state.is_none();
                    const LONG: DecodeError =
                        DecodeError::new(LetterReason::Oversize, "list is longer than is read");
                    let unreadable = unreadable.or(is_cut.then_some(LONG));
                    Ok(ReplyBody { listed, balances, unreadable, ..body })
                }
            }
        };
        questions.retain(|of| of.id != Some(id));
        Ok(OrderMessage::reply(id, outcome))
    }
}

impl Question {
    /// The page that was asked for does not have it: the next one is asked for, as far as there is
    /// one.
    fn not_here(&mut self, next: String) -> Failure<'static> {
        self.pages += 1;
        if next.is_empty() {
            // What comes in while the list is read stands before the page that was read first.
            if self.pages > 1 && !self.part.is_settled {
                const GROWS: &str = "the list of orders may have grown while it was read";
                return Failure::of(200, NOT_IN_TIME, GROWS);
            }
            return Failure::of(200, NOT_FOUND, "not among the orders of its time");
        }
        (self.id, self.cursor) = (None, next);
        if self.pages.is_multiple_of(PAGES_MAX) {
            return Failure::of(200, NOT_IN_TIME, "the list of orders goes on, and is read later");
        }
        Failure::of(200, NOT_LISTED, "not on this page of the orders")
    }

    /// The venue did not show the page. Where that is no word on the page, it is asked for again;
    /// otherwise the list is read from its beginning.
    fn not_answered(&mut self, failure: &Failure<'_>) {
        if matches!(meaning_of(failure), Outcome::SlowDown | Outcome::Unknown) {
            self.id = None;
        }
    }
}

/// Where a list goes on, as it stands in a request: in the venue's own words, whatever they are.
#[cold]
pub(super) fn at_cursor(cursor: &str) -> String {
    parameter("cursor", cursor)
}

/// One more parameter of a request.
#[cold]
pub(super) fn parameter(name: &str, value: &str) -> String {
    let mut out = format!("&{name}=");
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// What can be told of a frame that can't be read. Of one with several orders none is named, so
/// that all are asked for. Cold, and without a parser: it may be no JSON.
#[cold]
fn unread(error: DecodeError, frame: &[u8]) -> UnreadFrame<'_> {
    let mark = br#""client_order_id":""#;
    let has_several = frame.windows(mark.len()).filter(|part| part == mark).nth(1).is_some();
    let frame = if has_several { b"" } else { frame };
    UnreadFrame {
        name: text_after(frame, br#""client_order_id":""#),
        venue_order_id: text_after(frame, br#""order_id":""#).map_or(VenueRef::NONE, name_of),
        ..UnreadFrame::of(error)
    }
}

/// The venue's name of an order or of a trade: UUIDs, as far as is on record.
fn name_of(text: &[u8]) -> VenueRef {
    VenueRef::uuid(text).or_else(|| VenueRef::text(text)).unwrap_or(VenueRef::NONE)
}

type Place<'p> = (&'p mut Several, &'p mut Option<(u64, &'static str)>, &'p mut Option<u64>);

/// `None`: orders were read.
fn read_frame<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    (reports, subscribing, next_number): Place<'_>,
) -> Result<Option<OrderMessage<'a>>, DecodeError> {
    let [channel, kind, message] = pick(nodes, ["channel", "type", "message"])?;
    let Some(channel) = channel else {
        let kind = need_text(kind, "frame with neither channel nor type")?;
        if kind != "error" {
            return Err(DecodeError::unknown("type of a frame not known"));
        }
        let message = message.and_then(text).unwrap_or_default();
        let failure = failure_of(0, message, message);
        return Ok(Some(match subscribing.take() {
            Some((id, _)) => reply(id, Err(failure)),
            None => OrderMessage::Unasked(failure),
        }));
    };
    let channel = text(channel).ok_or(DecodeError::field("field channel is no text"))?;
    let [number, time, events] = pick(nodes, ["sequence_num", "timestamp", "events"])?;
    let number = need_number(number, "field sequence_num missing or no integer")?;
    let next = number.checked_add(1).ok_or(DecodeError::nonsense("last number of all"))?;
    let is_gap = next_number.replace(next).is_some_and(|expected| number > expected);
    let events = events.and_then(elements).ok_or(DecodeError::field("events is no array"))?;
    match channel {
        "user" => {
            if is_gap {
                reports.push(lost());
            }
            let time_ns = need_date_ns(time, "field timestamp missing or no time")?;
            for event in events {
                let [orders] = pick(event, ["orders"])?;
                let orders = match orders {
                    Some(orders) => {
                        elements(orders).ok_or(DecodeError::field("field orders is no array"))?
                    }
                    None => continue,
                };
                for order in orders {
                    if let Some(report) = read_order(order, symbols, time_ns) {
                        reports.push(report);
                    }
                }
            }
            Ok(None)
        }
        "subscriptions" => {
            for event in events {
                let [channels] = pick(event, ["subscriptions"])?;
                let channels = channels.ok_or(DecodeError::field("field subscriptions missing"))?;
                if let Some((id, wanted)) = *subscribing
                    && pick(channels, [wanted])? != [None]
                {
                    *subscribing = None;
                    return Ok(Some(reply(id, Ok(ReplyBody::default()))));
                }
            }
            Ok(Some(OrderMessage::Other("subscriptions")))
        }
        // Whatever was lost may have been about an order.
        "heartbeats" if is_gap => {
            reports.push(lost());
            Ok(None)
        }
        "heartbeats" => Ok(Some(OrderMessage::Other("heartbeat"))),
        _ => Err(DecodeError::unknown("channel not known")),
    }
}

fn reply<'a>(id: u64, outcome: Result<ReplyBody<'a>, Failure<'a>>) -> OrderMessage<'a> {
    OrderMessage::reply(id, outcome)
}

/// Frames of the connection did not come.
#[cold]
fn lost() -> KeptReport {
    let error = DecodeError::new(LetterReason::Order, "numbers of frames are left out");
    KeptReport::new("", VenueRef::NONE, Err((error, None)))
}

/// An order of `user`, as it stands; `None` while the venue has only taken it in.
fn read_order(nodes: &[Node<'_>], symbols: &SymbolMap, time_ns: i64) -> Option<KeptReport> {
    let [order, name, status] =
        pick(nodes, ["order_id", "client_order_id", "status"]).unwrap_or_default();
    let order = order.and_then(text).map_or(VenueRef::NONE, |order| name_of(order.as_bytes()));
    let name = name.and_then(text).unwrap_or_default();
    let word = status.and_then(text);
    let read = match read_status(status) {
        Ok(None) => return None,
        Ok(Some(status)) => read_state(nodes, symbols, (order, status)).map_err(|e| (e, None)),
        Err(error) => Err((error, word)),
    };
    Some(KeptReport::of_state(name, order, read.map(|state| (state, time_ns))))
}

fn read_state(
    nodes: &[Node<'_>],
    symbols: &SymbolMap,
    (venue_order_id, status): (VenueRef, OrderStatus),
) -> Result<VenueAnswer, DecodeError> {
    let [native, side, filled, left, average, sum, price] = pick(
        nodes,
        [
            "product_id",
            "order_side",
            "cumulative_quantity",
            "leaves_quantity",
            "avg_price",
            "filled_value",
            "limit_price",
        ],
    )?;
    let symbol = symbol_of(native, symbols)?;
    let scales = symbol.scales;
    let filled_qty = need_scaled(filled, scales.qty, "field cumulative_quantity missing")?;
    let left = number_or_none(left, scales.qty)?;
    // What an order that is over had left is not told.
    let qty = match status {
        OrderStatus::New => Some(filled_qty.saturating_add(left)),
        OrderStatus::Filled => Some(filled_qty),
        _ => None,
    };
    state(symbol, (venue_order_id, status), (qty, filled_qty), Terms { side, price, average, sum })
}

/// What of an order's state both the stream and REST tell.
struct Terms<'t, 'a> {
    side: Value<'t, 'a>,
    price: Value<'t, 'a>,
    average: Value<'t, 'a>,
    sum: Value<'t, 'a>,
}

fn state(
    symbol: Symbol,
    (venue_order_id, status): (VenueRef, OrderStatus),
    (qty, filled_qty): (Option<i64>, i64),
    terms: Terms<'_, '_>,
) -> Result<VenueAnswer, DecodeError> {
    let scales = symbol.scales;
    if filled_qty < 0 || qty.is_some_and(|qty| qty < filled_qty || qty == 0) {
        return Err(DecodeError::nonsense("filled above the order's quantity, or of nothing"));
    }
    let status = match status {
        OrderStatus::New if filled_qty > 0 => OrderStatus::PartiallyFilled,
        // It was not refused in whole.
        OrderStatus::Rejected if filled_qty > 0 => OrderStatus::Canceled,
        status => status,
    };
    let price = number_or_none(terms.price, scales.price)?;
    let sum = terms.sum.and_then(text).unwrap_or_default();
    let sum = parse_cut(sum.as_bytes(), scales.price + scales.qty).ok().filter(|sum| *sum > 0);
    let average = terms.average.and_then(text).unwrap_or_default();
    let of_average = || {
        let average = parse_cut(average.as_bytes(), scales.price + AVERAGE_SCALE).ok()?;
        Some(average.checked_mul(filled_qty.into())? / 10_i128.pow(AVERAGE_SCALE.into()))
    };
    let quote_total = sum.or_else(of_average).filter(|sum| *sum > 0 && filled_qty > 0);
    Ok(VenueAnswer {
        status,
        venue_order_id,
        instrument: symbol.instrument,
        side: Some(read_side(terms.side)?),
        price: Some(price).filter(|price| *price != 0),
        trigger_price: None,
        qty,
        filled_qty,
        prevented_qty: None,
        quote_total,
        expiry: match status {
            OrderStatus::Expired => ExpiryReason::Unlisted,
            _ => ExpiryReason::None,
        },
    })
}

/// The status of an order; `None` while the venue has only taken it in.
fn read_status(status: Value<'_, '_>) -> Result<Option<OrderStatus>, DecodeError> {
    let words = [
        ("PENDING", None),
        ("QUEUED", None),
        ("OPEN", Some(OrderStatus::New)),
        ("CANCEL_QUEUED", Some(OrderStatus::New)),
        ("EDIT_QUEUED", Some(OrderStatus::New)),
        ("FILLED", Some(OrderStatus::Filled)),
        ("CANCELLED", Some(OrderStatus::Canceled)),
        ("EXPIRED", Some(OrderStatus::Expired)),
        ("FAILED", Some(OrderStatus::Rejected)),
    ];
    need_word(status, "field status missing or no text", words, "order status not known")
}

fn read_side(side: Value<'_, '_>) -> Result<Side, DecodeError> {
    let sides = [("BUY", Side::Buy), ("SELL", Side::Sell)];
    need_word(side, "side of an order missing or no text", sides, "order side not known")
}

fn symbol_of(native: Value<'_, '_>, symbols: &SymbolMap) -> Result<Symbol, DecodeError> {
    let native = need_text(native, "field product_id missing or no text")?;
    symbols.lookup(native.as_bytes()).ok_or(DecodeError::symbol())
}

#[cfg(test)]
mod tests;
