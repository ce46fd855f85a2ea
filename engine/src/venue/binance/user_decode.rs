//! Frames of the order connection: answers of the WebSocket API and the user data events that come
//! between them, in the present wrapper `{"subscriptionId":..,"event":{..}}`, in a stream's, or
//! bare.
//!
//! Promises: every frame becomes exactly one message or one typed error; enum values are mapped
//! exhaustively, an unknown one is an error and never a default; numbers that contradict each other
//! are refused; no allocation per frame in steady state. Does not know our orders: whether a report
//! is ours, new or a repeat is the order table's part.

use simd_json::Node;

use crate::event::{
    AssetAmount, ExecType, ExpiryReason, OrderStatus, Side, parse_scaled, parse_wide,
};
use crate::venue::codec::DecodeError;
use crate::venue::codec::JsonBuffer;
use crate::venue::codec::{Letters, boolean, elements, is_null, members, signed, text, unsigned};
use crate::venue::governor::ToldLimits;
use crate::venue::orders::VenueFill;
use crate::venue::protocol::{AccountPosition, AssetBalance, ListedOrder};
use crate::venue::{LetterReason, Scales, Symbol, SymbolMap};

mod account;
mod contracts;
mod execution;
mod fills;
mod order_result;
mod reply;

pub(super) use account::answer;
pub use execution::Execution;
pub use order_result::OrderResult;
pub use reply::{Reply, ReplyError};

/// Bytes of a frame for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 16 * 1024;

/// Balances in one event.
const BALANCES_MAX: usize = 1_024;

/// Fills in one list.
const FILLS_MAX: usize = 1_000;

/// One decoded frame.
#[derive(Clone, Copy, Debug)]
pub enum UserMessage<'a> {
    /// The venue's word on an order.
    Execution(Execution<'a>),
    /// The balances that changed.
    Balances {
        /// Event time, ns since the Unix epoch.
        venue_time_ns: i64,
        /// One entry an asset.
        entries: &'a [AssetBalance],
        /// One entry an instrument of ours, where contracts are held.
        positions: &'a [AccountPosition],
        /// Why an asset or a position beside them has none: it could not be read.
        unreadable: Option<DecodeError>,
    },
    /// Answer to a request on this connection.
    Reply(Reply<'a>),
    /// The server will close this connection soon.
    Shutdown,
    /// A failure of no request: its status and error.
    Unsolicited(u16, ReplyError<'a>),
    /// The user data subscription ended: subscribe again.
    StreamTerminated,
    /// An event that is known and of no use to the engine.
    Other(&'static str),
}

/// What an account holds, and so the words of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// Assets.
    Assets,
    /// Margin, and positions in contracts.
    Contracts,
}

/// Decodes the frames of one order connection.
pub struct UserDecoder {
    json: JsonBuffer,
    symbols: SymbolMap,
    holds: Holds,
    /// The name of the account's stream that an answer told last.
    listen_key: Option<String>,
    balances: Vec<AssetBalance>,
    /// Of contracts; one of each symbol at most.
    positions: Vec<AccountPosition>,
    fills: Vec<VenueFill>,
    /// What a start asks for; empty before.
    listed: Vec<ListedOrder>,
    limits: ToldLimits,
}

impl UserDecoder {
    /// A decoder for these symbols that refuses frames above `frame_bytes_max`.
    #[must_use]
    pub fn new(symbols: SymbolMap, frame_bytes_max: usize) -> UserDecoder {
        UserDecoder {
            json: JsonBuffer::warmed(FRAME_BYTES_USUAL, frame_bytes_max),
            holds: Holds::Assets,
            listen_key: None,
            balances: Vec::with_capacity(BALANCES_MAX),
            positions: Vec::with_capacity(symbols.len()),
            symbols,
            fills: Vec::with_capacity(FILLS_MAX),
            listed: Vec::new(),
            limits: ToldLimits::default(),
        }
    }

    /// The same, of an account that holds contracts.
    #[must_use]
    pub fn of_contracts(symbols: SymbolMap, frame_bytes_max: usize) -> UserDecoder {
        UserDecoder { holds: Holds::Contracts, ..UserDecoder::new(symbols, frame_bytes_max) }
    }

    /// Decodes one frame.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &[u8]) -> Result<UserMessage<'a>, DecodeError> {
        let UserDecoder { json, symbols, holds, limits, listen_key, .. } = self;
        let UserDecoder { balances, positions, fills, listed, .. } = self;
        limits.clear();
        let lists = Lists { balances, positions, fills, listed, listen_key };
        json.parse(frame, |nodes| read_frame(nodes, (symbols, *holds), lists, limits))
    }

    /// Decodes the answer over REST to the request with this number.
    ///
    /// # Errors
    /// As those of [`UserDecoder::decode`].
    #[cold]
    pub fn decode_rest<'a>(
        &'a mut self,
        id: u64,
        status: u16,
        body: &[u8],
    ) -> Result<Reply<'a>, DecodeError> {
        let UserDecoder { json, symbols, limits, listen_key, .. } = self;
        let UserDecoder { balances, positions, fills, listed, .. } = self;
        limits.clear();
        let lists = Lists { balances, positions, fills, listed, listen_key };
        json.parse(body, |nodes| reply::read_rest((id, status), nodes, symbols, lists))
    }

    /// The name of the account's stream that an answer has told, once.
    pub fn take_listen_key(&mut self) -> Option<String> {
        self.listen_key.take()
    }

    /// What the last frame said of the venue's limits.
    #[inline]
    #[must_use]
    pub fn limits(&self) -> &ToldLimits {
        &self.limits
    }

    /// The symbols it knows.
    #[must_use]
    pub fn symbols(&self) -> &SymbolMap {
        &self.symbols
    }
}

/// Where a frame's lists are read to.
struct Lists<'a> {
    balances: &'a mut Vec<AssetBalance>,
    positions: &'a mut Vec<AccountPosition>,
    fills: &'a mut Vec<VenueFill>,
    listed: &'a mut Vec<ListedOrder>,
    listen_key: &'a mut Option<String>,
}

fn read_frame<'a>(
    nodes: &[Node<'a>],
    (symbols, holds): (&SymbolMap, Holds),
    lists: Lists<'a>,
    limits: &mut ToldLimits,
) -> Result<UserMessage<'a>, DecodeError> {
    if !matches!(nodes.first(), Some(Node::Object { .. })) {
        return Err(DecodeError::unknown("frame is not an object"));
    }
    let mut event = None;
    for (name, value) in members(nodes) {
        match name {
            "event" | "data" => {}
            "id" if is_null(value) => {
                let (status, error) = reply::read_unsolicited(nodes)?;
                return Ok(UserMessage::Unsolicited(status, error));
            }
            "id" => return reply::read(nodes, symbols, lists, limits).map(UserMessage::Reply),
            _ => continue,
        }
        if event.replace(value).is_some() {
            return Err(DecodeError::malformed("a member of the frame twice"));
        }
    }
    let event = event.unwrap_or(nodes);
    match holds {
        Holds::Assets => read_event(event, symbols, lists.balances),
        Holds::Contracts => contracts::read_event(event, symbols, lists),
    }
}

fn read_event<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    balances: &'a mut Vec<AssetBalance>,
) -> Result<UserMessage<'a>, DecodeError> {
    let fields = Letters::read(nodes)?;
    if fields.get(b'e').is_none() {
        return Err(DecodeError::unknown("frame of no known kind"));
    }
    Ok(match fields.text(b'e')? {
        "executionReport" => UserMessage::Execution(execution::read(nodes, &fields, symbols)?),
        "outboundAccountPosition" => {
            let unreadable = read_balances(&fields, balances)?;
            let venue_time_ns = fields.time_ns(b'E')?;
            let positions = &[];
            UserMessage::Balances { venue_time_ns, entries: balances, positions, unreadable }
        }
        "serverShutdown" => UserMessage::Shutdown,
        "eventStreamTerminated" => UserMessage::StreamTerminated,
        // Each is followed by a position, or speaks of order lists, which the engine doesn't place.
        "balanceUpdate" => UserMessage::Other("balanceUpdate"),
        "externalLockUpdate" => UserMessage::Other("externalLockUpdate"),
        "listStatus" => UserMessage::Other("listStatus"),
        _ => return Err(DecodeError::unknown("event kind not known")),
    })
}

/// Reads the balances; of those that can't be read, what is wrong with the first. One asset with an
/// odd name or number says nothing about the others, let alone about orders.
fn read_balances(
    fields: &Letters<'_, '_>,
    balances: &mut Vec<AssetBalance>,
) -> Result<Option<DecodeError>, DecodeError> {
    balances.clear();
    let entries = fields
        .get(b'B')
        .and_then(elements)
        .ok_or(DecodeError::field("field B missing or no array"))?;
    if entries.len() > BALANCES_MAX {
        return Err(DecodeError::new(LetterReason::Oversize, "too many balances"));
    }
    let mut unreadable = None;
    for nodes in entries {
        match read_balance(nodes) {
            Ok(balance) => balances.push(balance),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    Ok(unreadable)
}

fn read_balance(nodes: &[Node<'_>]) -> Result<AssetBalance, DecodeError> {
    let entry = Letters::read(nodes)?;
    let free = entry.wide(b'f', AssetAmount::SCALE)?;
    let locked = entry.wide(b'l', AssetAmount::SCALE)?;
    AssetBalance::named(entry.text(b'a')?, free, locked)
}

/// A sum in quote currency, in units of 10^-(price scale + quantity scale). The venue tells 0 where
/// it has none to tell: `None`.
fn quote_amount(sum: &str, scales: Scales) -> Option<i128> {
    let amount = parse_wide(sum.as_bytes(), scales.price + scales.qty).ok()?;
    (amount > 0).then_some(amount)
}

fn read_expiry(field: Option<(&str, &[Node<'_>])>, is_self_trade: bool) -> ExpiryReason {
    expiry_of(field.and_then(|(_, value)| text(value)), is_self_trade)
}

/// A reason that this engine does not know is told as such: the report counts all the same.
fn expiry_of(reason: Option<&str>, is_self_trade: bool) -> ExpiryReason {
    match reason {
        None if is_self_trade => ExpiryReason::SelfTrade,
        None => ExpiryReason::None,
        Some("REJECTED") => ExpiryReason::Rejected,
        Some("EXCHANGE_CANCELED") => ExpiryReason::ExchangeCanceled,
        Some("OCO_TRIGGER") => ExpiryReason::OcoTrigger,
        Some("OTO_PHASE_ONE_EXPIRED") => ExpiryReason::FirstPhaseExpired,
        Some("UNFILLED_IOC_QUANTITY_EXPIRED") => ExpiryReason::UnfilledIoc,
        Some("UNFILLED_FOK_ORDER_EXPIRED") => ExpiryReason::UnfilledFok,
        Some("INSUFFICIENT_LIQUIDITY") => ExpiryReason::InsufficientLiquidity,
        Some("EXECUTION_RULE_PRICE_RANGE_EXCEEDED") => ExpiryReason::PriceRange,
        Some(_) => ExpiryReason::Unlisted,
    }
}

fn find_symbol(native: &str, symbols: &SymbolMap) -> Result<Symbol, DecodeError> {
    symbols.lookup(native.as_bytes()).ok_or(DecodeError::symbol())
}

fn read_side(side: &str) -> Result<Side, DecodeError> {
    match side {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(DecodeError::unknown("order side not known")),
    }
}

/// An order whose cancel is under way (`PENDING_CANCEL`, which the venue documents and does not use
/// yet) is open like any other: until the cancel is told, it may fill.
fn read_status(status: &str, has_fill: bool) -> Result<OrderStatus, DecodeError> {
    match status {
        "PENDING_CANCEL" if has_fill => Ok(OrderStatus::PartiallyFilled),
        "PENDING_CANCEL" => Ok(OrderStatus::New),
        "PENDING_NEW" => Ok(OrderStatus::PendingNew),
        "NEW" => Ok(OrderStatus::New),
        "PARTIALLY_FILLED" => Ok(OrderStatus::PartiallyFilled),
        "FILLED" => Ok(OrderStatus::Filled),
        "CANCELED" => Ok(OrderStatus::Canceled),
        "REJECTED" => Ok(OrderStatus::Rejected),
        "EXPIRED" | "EXPIRED_IN_MATCH" => Ok(OrderStatus::Expired),
        _ => Err(DecodeError::unknown("order status not known")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{AssetName, InstrumentId, Liquidity};

    const REPORT: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":9,"s":"BTCUSDT","c":"mine","S":"SELL","o":"LIMIT","f":"GTC","q":"2.00000","p":"1.50","P":"0.00","F":"0.00","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":5,"l":"0.50000","z":"0.75000","L":"1.49","n":"0","N":null,"T":8,"t":4,"I":6,"w":true,"m":false,"M":false,"O":7,"Z":"1","Y":"1","Q":"0"}}"#;
    const POSITION: &str = r#"{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":9,"u":8,"B":[{"a":"BTC","f":"1.5","l":"0.5"},{"a":"USDT","f":"0","l":"0"}]}}"#;
    const PLACED: &str = r#"{"id":3,"status":200,"result":{"symbol":"BTCUSDT","orderId":5,"orderListId":-1,"clientOrderId":"mine","transactTime":8,"price":"1.50","origQty":"2","executedQty":"0","status":"NEW","side":"SELL"}}"#;

    fn decoder() -> UserDecoder {
        UserDecoder::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20)
    }

    fn reason(frame: &str) -> LetterReason {
        let mut decoder = decoder();
        match decoder.decode(frame.as_bytes()) {
            Err(error) => error.reason,
            Ok(message) => panic!("{frame} was decoded as {message:?}"),
        }
    }

    /// A report with one text replaced, and why it is refused.
    fn refused(from: &str, to: &str) -> LetterReason {
        let changed = REPORT.replace(from, to);
        assert_ne!(changed, REPORT);
        reason(&changed)
    }

    #[test]
    fn a_fill_is_read_in_the_instruments_scales() {
        let mut decoder = decoder();
        let message = decoder.decode(REPORT.as_bytes()).unwrap();
        let UserMessage::Execution(report) = message else { panic!("{message:?}") };
        let expected = Execution {
            symbol: report.symbol,
            client_order_id: b"mine",
            orig_client_order_id: b"",
            side: Side::Sell,
            exec_type: ExecType::Trade,
            status: OrderStatus::PartiallyFilled,
            order_id: 5,
            execution_id: Some(6),
            trade_id: Some(4),
            price: 150,
            trigger_price: 0,
            qty: 200_000,
            last_price: 149,
            last_qty: 50_000,
            filled_qty: 75_000,
            prevented_qty: None,
            quote_total: Some(10_000_000),
            fee: Some((0, 0)),
            fee_error: None,
            liquidity: Some(Liquidity::Taker),
            expiry: ExpiryReason::None,
            reject_reason: "",
            event_time_ns: 9_000_000,
            transaction_time_ns: 8_000_000,
        };
        assert_eq!(report, expected);
        assert_eq!(report.symbol.instrument, InstrumentId(0));
    }

    #[test]
    fn the_three_wrappers_hold_the_same_event() {
        let bare = REPORT.replace(r#"{"subscriptionId":0,"event":"#, "");
        let bare = bare.strip_suffix('}').unwrap().to_owned();
        let stream = format!(r#"{{"stream":"key","data":{bare}}}"#);
        let read = |frame: &str| {
            let mut decoder = decoder();
            match decoder.decode(frame.as_bytes()) {
                Ok(UserMessage::Execution(report)) => (report.execution_id, report.filled_qty),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(read(&bare), read(REPORT));
        assert_eq!(read(&stream), read(REPORT));
    }

    #[test]
    fn enum_values_map_exhaustively() {
        let statuses = [
            ("PENDING_NEW", OrderStatus::PendingNew),
            ("NEW", OrderStatus::New),
            ("PARTIALLY_FILLED", OrderStatus::PartiallyFilled),
            ("FILLED", OrderStatus::Filled),
            ("CANCELED", OrderStatus::Canceled),
            ("REJECTED", OrderStatus::Rejected),
            ("EXPIRED", OrderStatus::Expired),
            ("EXPIRED_IN_MATCH", OrderStatus::Expired),
        ];
        for (text, status) in statuses {
            assert_eq!(read_status(text, false), Ok(status));
        }
        let under_cancel = [true, false].map(|has_fill| read_status("PENDING_CANCEL", has_fill));
        assert_eq!(under_cancel, [Ok(OrderStatus::PartiallyFilled), Ok(OrderStatus::New)]);
        assert_eq!(refused(r#""X":"PARTIALLY_FILLED""#, r#""X":"filled""#), LetterReason::Unknown);
        assert_eq!(refused(r#""x":"TRADE""#, r#""x":"""#), LetterReason::Unknown);
        for (word, known) in
            [("REPLACED", ExecType::Replaced), ("TRADE_PREVENTION", ExecType::Prevented)]
        {
            let frame = REPORT.replace("TRADE", word);
            let mut decoder = decoder();
            let message = decoder.decode(frame.as_bytes()).unwrap();
            let UserMessage::Execution(report) = message else { panic!("{message:?}") };
            assert_eq!((report.exec_type, report.last_qty), (known, 0), "no fill");
        }
        assert_eq!(refused(r#""S":"SELL""#, r#""S":"BOTH""#), LetterReason::Unknown);
        assert_eq!(refused("executionReport", "somethingNew"), LetterReason::Unknown);
    }

    #[test]
    fn numbers_that_contradict_each_other_are_refused() {
        // EDGE-15, F17
        assert_eq!(refused(r#""z":"0.75000""#, r#""z":"2.00001""#), LetterReason::Nonsense);
        assert_eq!(refused(r#""l":"0.50000""#, r#""l":"0.80000""#), LetterReason::Nonsense);
        assert_eq!(refused(r#""l":"0.50000""#, r#""l":"0.00000""#), LetterReason::Nonsense);
        assert_eq!(refused(r#""L":"1.49""#, r#""L":"0.00""#), LetterReason::Nonsense);
        assert_eq!(refused(r#""t":4"#, r#""t":-1"#), LetterReason::Nonsense);
        assert_eq!(refused(r#""t":4"#, r#""t":-2"#), LetterReason::Nonsense);
        assert_eq!(refused(r#""q":"2.00000""#, r#""q":"-2.00000""#), LetterReason::Nonsense);
        assert_eq!(refused(r#""p":"1.50""#, r#""p":"NaN""#), LetterReason::Number);
        assert_eq!(refused(r#""i":5"#, r#""i":"5""#), LetterReason::Field);
        assert_eq!(refused(r#""I":6,"#, ""), LetterReason::Field);
        assert_eq!(refused(r#""I":6"#, r#""I":6,"I":7"#), LetterReason::Malformed);
        assert_eq!(refused("BTCUSDT", "ETHUSDT"), LetterReason::Symbol);
        for number in ["0", "9223372036854775808", "18446744073709551615"] {
            for (from, to) in [(r#""i":5"#, r#""i":"#), (r#""I":6"#, r#""I":"#)] {
                assert_eq!(refused(from, &format!("{to}{number}")), LetterReason::Nonsense);
            }
        }
        assert_eq!(refused(r#""T":8"#, r#""T":99999999999"#), LetterReason::Nonsense);
    }

    #[test]
    fn a_position_lists_its_balances() {
        let mut decoder = decoder();
        let Ok(UserMessage::Balances {
            venue_time_ns: 9_000_000, entries, unreadable: None, ..
        }) = decoder.decode(POSITION.as_bytes())
        else {
            panic!("a position");
        };
        let entry = |asset: &str, free, locked| AssetBalance {
            asset: AssetName::from(asset).unwrap(),
            free: AssetAmount(free),
            locked: AssetAmount(locked),
        };
        assert_eq!(entries, [entry("BTC", 150_000_000, 50_000_000), entry("USDT", 0, 0)]);
        assert_eq!(reason(&POSITION.replace(r#""B":["#, r#""D":["#)), LetterReason::Field);
    }

    /// What one asset's entry says badly concerns that asset alone.
    #[test]
    fn a_balance_that_cannot_be_read_leaves_the_others() {
        let mut decoder = decoder();
        let mut others = |text: String, reason: LetterReason| {
            let Ok(UserMessage::Balances { entries, unreadable: Some(error), .. }) =
                decoder.decode(text.as_bytes())
            else {
                panic!("{text}");
            };
            assert_eq!(error.reason, reason);
            entries.iter().map(|entry| entry.asset.to_string()).collect::<Vec<_>>()
        };
        let long = POSITION.replace("USDT", &"U".repeat(17));
        assert_eq!(others(long, LetterReason::Nonsense), ["BTC"]);
        assert_eq!(others(POSITION.replace("0.5", "-0.5"), LetterReason::Nonsense), ["USDT"]);
        assert_eq!(others(POSITION.replace("1.5", "1e5"), LetterReason::Number), ["USDT"]);
        let huge = POSITION.replace("1.5", "1000000000000.00000000").replace("BTC", "1MBABYDOGE");
        let Ok(UserMessage::Balances { entries, unreadable: None, .. }) =
            decoder.decode(huge.as_bytes())
        else {
            panic!("{huge}");
        };
        assert_eq!(entries[0].free, AssetAmount(100_000_000_000_000_000_000));
        assert_eq!(entries[0].asset.as_str(), "1MBABYDOGE");
    }

    #[test]
    fn replies_carry_status_error_and_order() {
        let mut decoder = decoder();
        let Ok(UserMessage::Reply(reply)) = decoder.decode(PLACED.as_bytes()) else {
            panic!("a reply");
        };
        assert_eq!((reply.id, reply.status, reply.error), (3, 200, None));
        let order = reply.order.unwrap();
        assert_eq!((order.order_id, order.client_order_id), (5, &b"mine"[..]));
        assert_eq!((order.status, order.side), (Some(OrderStatus::New), Some(Side::Sell)));
        assert_eq!((order.price, order.qty, order.filled_qty), (Some(150), Some(200_000), Some(0)));

        let failed = r#"{"id":4,"status":400,"error":{"code":-2010,"msg":"No funds."}}"#;
        let Ok(UserMessage::Reply(reply)) = decoder.decode(failed.as_bytes()) else {
            panic!("a reply");
        };
        assert_eq!((reply.id, reply.status, reply.order), (4, 400, None));
        assert_eq!(
            reply.error,
            Some(ReplyError {
                code: -2010,
                message: "No funds.",
                retry_after_ms: None,
                server_time_ms: None
            })
        );

        assert_eq!(reason(&PLACED.replace(":3,", r#":"a",""#)), LetterReason::Malformed);
        assert_eq!(reason(&PLACED.replace(":3,", r#":"a","#)), LetterReason::Unknown);
        assert_eq!(reason(&PLACED.replace(r#""NEW""#, r#""NEWER""#)), LetterReason::Unknown);
        assert_eq!(reason(&PLACED.replace(":200", ":400")), LetterReason::Field);
        assert_eq!(reason(r#"{"id":4,"result":{}}"#), LetterReason::Field);
        assert_eq!(reason(r#"{"code":-1121,"msg":"Invalid symbol."}"#), LetterReason::Unknown);
    }

    proptest! {
        #[test]
        fn arbitrary_and_changed_frames_never_panic(
            original in prop::sample::select(vec![REPORT, POSITION, PLACED]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            noise in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut frame = original.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            let mut decoder = decoder();
            let _outcome = decoder.decode(&frame);
            let _outcome = decoder.decode(&noise);
            prop_assert!(decoder.decode(original.as_bytes()).is_ok());
        }
    }
}
