//! What the order connection of Binance spot says, in the engine's words.

use super::user_decode::{Execution, Reply as UserReply, ReplyError, UserMessage};
use super::user_decode::{UserDecoder, answer};
use crate::event::{ExecType, VenueRef};
use crate::venue::codec::{number_after, text_after};
use crate::venue::governor::ToldLimits;
use crate::venue::orders::VenueReport;
use crate::venue::protocol::{
    Failure, OrderDecoder, OrderMessage, Reach, Reply, ReplyBody, UnreadFrame,
};
use crate::venue::{LetterReason, SymbolMap};

/// Status, and code, of a key that is not accepted (any more).
const UNAUTHORIZED: u16 = 401;
const BAD_KEY: i32 = -2015;

/// What is read of the order connection.
pub struct BinanceReports(UserDecoder);

impl BinanceReports {
    /// Of an account that holds contracts.
    pub(in crate::venue) fn of_contracts(
        symbols: SymbolMap,
        frame_bytes_max: usize,
    ) -> BinanceReports {
        BinanceReports(UserDecoder::of_contracts(symbols, frame_bytes_max))
    }

    /// The name of the account's stream that an answer has told, once.
    pub(in crate::venue) fn take_listen_key(&mut self) -> Option<String> {
        self.0.take_listen_key()
    }

    /// Reads an answer over REST.
    #[cold]
    pub(in crate::venue) fn read_rest<'a>(
        &'a mut self,
        id: u64,
        status: u16,
        body: &'a [u8],
    ) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        let error = match self.0.decode_rest(id, status, body) {
            Ok(answer) => return Ok(OrderMessage::Reply(reply(&answer))),
            Err(error) => error,
        };
        if status != 200 {
            // A proxy, or a server in trouble, which says so by its status alone.
            return Ok(OrderMessage::reply(id, Err(Failure::of(status, 0, ""))));
        }
        let is_unknown = error.reason == LetterReason::Unknown;
        let value = if is_unknown { unknown_word_in(body, error.detail) } else { None };
        Err(UnreadFrame { reply: Some(id), value, ..UnreadFrame::of(error) })
    }
}

impl OrderDecoder for BinanceReports {
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> BinanceReports {
        BinanceReports(UserDecoder::new(symbols, frame_bytes_max))
    }

    #[inline]
    fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        let message = match self.0.decode(frame) {
            Ok(message) => message,
            Err(error) => {
                let (name, reply) = (name_in(frame), reply_in(frame));
                let is_unknown = error.reason == LetterReason::Unknown;
                let value = if is_unknown { unknown_word_in(frame, error.detail) } else { None };
                let venue_order_id =
                    number_after(frame, br#""i":"#).map_or(VenueRef::NONE, VenueRef::number);
                let unread = UnreadFrame::of(error);
                return Err(UnreadFrame { name, reply, venue_order_id, value, ..unread });
            }
        };
        Ok(match message {
            UserMessage::Execution(execution) => report(&execution),
            UserMessage::Balances { venue_time_ns, entries, positions, unreadable } => {
                OrderMessage::Balances { venue_time_ns, entries, positions, unreadable }
            }
            UserMessage::Reply(answer) => OrderMessage::Reply(reply(&answer)),
            UserMessage::Shutdown => OrderMessage::EndingSoon,
            UserMessage::StreamTerminated => {
                OrderMessage::Closing("the account's stream was ended")
            }
            UserMessage::Unsolicited(status, error) => unasked(status, &error),
            UserMessage::Other(name) => OrderMessage::Other(name),
        })
    }

    #[inline]
    fn limits(&self) -> Option<&ToldLimits> {
        Some(self.0.limits())
    }
}

#[inline]
fn report<'a>(execution: &Execution<'a>) -> OrderMessage<'a> {
    // On a cancel `c` names the cancel and `C` the order; an amendment of ours keeps the name.
    let name = match (execution.exec_type, execution.orig_client_order_id) {
        (_, b"") => execution.client_order_id,
        (_, original) => original,
    };
    let is_fill = execution.exec_type == ExecType::Trade;
    let trade = execution.trade_id.filter(|_| is_fill).map(VenueRef::number);
    let report = VenueReport {
        exec_type: execution.exec_type,
        status: execution.status,
        venue_order_id: VenueRef::number(execution.order_id),
        execution_id: trade
            .or(execution.execution_id.map(VenueRef::number))
            .unwrap_or(VenueRef::NONE),
        instrument: execution.symbol.instrument,
        side: execution.side,
        price: execution.price,
        trigger_price: Some(execution.trigger_price).filter(|price| *price != 0),
        qty: execution.qty,
        last_price: execution.last_price,
        last_qty: execution.last_qty,
        filled_qty: execution.filled_qty,
        prevented_qty: execution.prevented_qty,
        quote_total: execution.quote_total,
        fee: execution.fee,
        liquidity: execution.liquidity.filter(|_| is_fill),
        expiry: execution.expiry,
    };
    let (venue_time_ns, unreadable) = (execution.event_time_ns, execution.fee_error);
    OrderMessage::Report { name, report, venue_time_ns, unreadable }
}

/// A failure with no request: a key that was revoked ends the session.
#[cold]
fn unasked<'a>(status: u16, error: &ReplyError<'a>) -> OrderMessage<'a> {
    if status == UNAUTHORIZED || error.code == BAD_KEY {
        return OrderMessage::Closing("the venue does not accept this session any more");
    }
    OrderMessage::Unasked(failure(status, error))
}

fn failure<'a>(status: u16, error: &ReplyError<'a>) -> Failure<'a> {
    let ReplyError { code, message, retry_after_ms, server_time_ms } = *error;
    Failure { retry_after_ms, server_time_ms, ..Failure::of(status, code, message) }
}

fn reply<'a>(reply: &UserReply<'a>) -> Reply<'a> {
    let outcome = match &reply.error {
        None => Ok(body(reply)),
        Some(error) => Err(failure(reply.status, error)),
    };
    let told_ms = reply.error.as_ref().and_then(|error| error.server_time_ms);
    let time_ms = reply.server_time_ms.or(told_ms);
    let time_ns = time_ms.and_then(|ms| ms.checked_mul(1_000_000));
    Reply { id: reply.id, outcome, time_ns, reach: Reach::All }
}

fn body<'a>(reply: &UserReply<'a>) -> ReplyBody<'a> {
    let UserReply { fills, listed, balances, positions, unreadable, .. } = *reply;
    let lists = ReplyBody { fills, listed, balances, positions, ..ReplyBody::default() };
    let lists = ReplyBody { unreadable, ..lists };
    let Some(order) = &reply.order else {
        let venue_order_id = reply.fills_order_id.map_or(VenueRef::NONE, VenueRef::number);
        return ReplyBody { venue_order_id, ..lists };
    };
    let name = match order.orig_client_order_id {
        b"" => order.client_order_id,
        original => original,
    };
    let venue_order_id = VenueRef::number(order.order_id);
    ReplyBody { name, venue_order_id, state: answer(order), ..lists }
}

/// The order that an unreadable report speaks of. Cold, and without a parser: the frame may be no
/// JSON.
#[cold]
fn name_in(frame: &[u8]) -> Option<&[u8]> {
    text_after(frame, br#""C":""#).or_else(|| text_after(frame, br#""c":""#))
}

/// The word of the venue that is not known, by what was wrong.
#[cold]
fn unknown_word_in<'a>(frame: &'a [u8], detail: &str) -> Option<&'a [u8]> {
    let marks: [&[u8]; 2] = match detail {
        detail if detail.contains("status") => [br#""X":""#, br#""status":""#],
        detail if detail.contains("position side") => [br#""ps":""#, br#""positionSide":""#],
        detail if detail.contains("execution type") => [br#""x":""#; 2],
        detail if detail.contains("side") => [br#""S":""#, br#""side":""#],
        detail if detail.contains("event kind") => [br#""e":""#; 2],
        _ => return None,
    };
    marks.into_iter().find_map(|mark| text_after(frame, mark))
}

/// The request that an unreadable reply answers: its id comes first.
#[cold]
fn reply_in(frame: &[u8]) -> Option<u64> {
    number_after(frame, br#""id":"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Liquidity;
    use crate::venue::orders::VenueFill;

    fn decoder() -> BinanceReports {
        BinanceReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20)
    }

    #[test]
    fn a_list_of_fills_is_read_in_the_order_of_the_trades() {
        let mut decoder = decoder();
        let trade = |id: u64, order: u64, qty: &str| {
            format!(
                r#"{{"symbol":"BTCUSDT","id":{id},"orderId":{order},"price":"1.50","qty":"{qty}","quoteQty":"1","commission":"0.1","commissionAsset":"BNB","time":5,"isBuyer":true,"isMaker":true}}"#
            )
        };
        let (later, first) = (trade(9, 77, "0.5"), trade(8, 77, "0.25"));
        let frame = format!(r#"{{"id":4,"status":200,"result":[{later},{first}]}}"#);
        let Ok(OrderMessage::Reply(reply)) = decoder.decode(frame.as_bytes()) else { panic!() };
        let body = reply.outcome.unwrap();
        assert_eq!((reply.id, body.venue_order_id), (4, VenueRef::number(77)));
        let fee = Some((10_000_000, crate::event::asset_code("BNB").unwrap()));
        let liquidity = Some(Liquidity::Maker);
        let fill = |id: u64, qty: i64| {
            let trade = VenueRef::number(id);
            VenueFill { trade, price: 150, qty, fee, liquidity }
        };
        assert_eq!(body.fills, [fill(8, 25_000), fill(9, 50_000)]);
        let frame =
            format!(r#"{{"id":4,"status":200,"result":[{},{}]}}"#, first, trade(9, 78, "1"));
        let unread = decoder.decode(frame.as_bytes()).unwrap_err();
        assert_eq!((unread.error.reason, unread.reply), (LetterReason::Nonsense, Some(4)));
        let placed = r#"{"id":5,"status":200,"result":{"symbol":"BTCUSDT","orderId":77,"clientOrderId":"p1-3-41","origQty":"1","executedQty":"0.5","status":"PARTIALLY_FILLED","side":"BUY","fills":[{"price":"1.50","qty":"0.5","commission":"0","commissionAsset":"BNB","tradeId":8}]}}"#;
        let Ok(OrderMessage::Reply(reply)) = decoder.decode(placed.as_bytes()) else { panic!() };
        let body = reply.outcome.unwrap();
        assert_eq!((body.name, body.fills.len()), (&b"p1-3-41"[..], 1));
        assert_eq!(body.state.map(|state| state.filled_qty), Some(50_000));
    }

    #[test]
    fn a_failure_of_no_request_ends_the_session_only_when_the_key_is_what_failed() {
        let mut decoder = decoder();
        let mut is_closing = |status: u16, code: i32| {
            let frame =
                format!(r#"{{"id":null,"status":{status},"error":{{"code":{code},"msg":""}}}}"#);
            match decoder.decode(frame.as_bytes()) {
                Ok(OrderMessage::Closing(_)) => true,
                Ok(OrderMessage::Unasked(failure)) => {
                    assert_eq!((failure.status, failure.code), (status, code));
                    false
                }
                other => panic!("{other:?}"),
            }
        };
        assert!(is_closing(401, -2015) && is_closing(400, -2015) && is_closing(401, -1));
        assert!(!is_closing(429, -1003) && !is_closing(418, -1003) && !is_closing(400, -1135));
    }

    #[test]
    fn an_unreadable_reply_still_names_its_request() {
        assert_eq!(reply_in(br#"{"id":17,"status":200,"result":{"#), Some(17));
        assert_eq!(reply_in(br#"{"status":504,"id":9}"#), Some(9));
        for text in [&b"<html>"[..], br#"{"id":null}"#, br#"{"id":"x"}"#, b""] {
            assert_eq!(reply_in(text), None);
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_named() {
        let mut decoder = decoder();
        let report = r#"{"e":"executionReport","E":9,"s":"BTCUSDT","c":"mine","S":"SELL","x":"NEW","X":"NEW","C":""}"#;
        let cases = [
            (r#""X":"NEW""#, r#""X":"PENDING_MOON""#, "PENDING_MOON"),
            (r#""x":"NEW""#, r#""x":"EATEN""#, "EATEN"),
            ("executionReport", "brandNew", "brandNew"),
        ];
        for (from, to, word) in cases {
            let frame = report.replace(from, to);
            let unread = decoder.decode(frame.as_bytes()).unwrap_err();
            let told = (unread.error.reason, unread.value, unread.name);
            assert_eq!(told, (LetterReason::Unknown, Some(word.as_bytes()), Some(&b"mine"[..])));
        }
        let answer = r#"{"id":4,"status":200,"result":{"symbol":"BTCUSDT","orderId":77,"clientOrderId":"mine","status":"HALF"}}"#;
        let unread = decoder.decode(answer.as_bytes()).unwrap_err();
        assert_eq!((unread.value, unread.reply), (Some(&b"HALF"[..]), Some(4)));
    }

    #[test]
    fn an_unreadable_report_still_names_its_order() {
        assert_eq!(
            name_in(br#"{"e":"executionReport","c":"p1-0-7","C":"","q":1"#),
            Some(&b"p1-0-7"[..])
        );
        assert_eq!(name_in(br#"{"c":"cxl","C":"p1-0-7"}"#), Some(&b"p1-0-7"[..]));
        assert_eq!(name_in(b"no frame"), None);
        assert_eq!(name_in(br#""c":"cut off"#), None);
    }
}
