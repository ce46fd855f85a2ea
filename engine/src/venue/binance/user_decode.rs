//! Frames of the order connection: answers of the WebSocket API and the user data events that come
//! between them, in the present wrapper `{"subscriptionId":..,"event":{..}}`, in a stream's, or bare.
//!
//! Promises: every frame becomes exactly one message or one typed error; enum values are mapped
//! exhaustively, an unknown one is an error and never a default; numbers that contradict each other are
//! refused; no allocation per frame in steady state. Does not know our orders: whether a report is ours,
//! new or a repeat is the order table's part.

use simd_json::Node;

use super::error::DecodeError;
use super::fields::{Letters, elements, is_null, members, signed, text, unsigned};
use super::json::JsonBuffer;
use crate::event::{AssetAmount, ExecType, OrderStatus, Side, parse_scaled};
use crate::venue::{LetterReason, Symbol, SymbolMap};

mod execution;
mod reply;

pub use execution::Execution;
pub use reply::{OrderResult, Reply, ReplyError};

/// Bytes of a frame for which memory is there from the start.
const FRAME_BYTES_USUAL: usize = 16 * 1024;

/// Balances in one event.
const BALANCES_MAX: usize = 1_024;

/// An asset's name as the venue writes it, at most 16 bytes.
pub type AssetText = arrayvec::ArrayString<16>;

/// The balance of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceEntry {
    /// The asset's name.
    pub asset: AssetText,
    /// Free to use.
    pub free: AssetAmount,
    /// Locked in orders.
    pub locked: AssetAmount,
}

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
        entries: &'a [BalanceEntry],
    },
    /// Answer to a request on this connection.
    Reply(Reply<'a>),
    /// The server will close this connection soon.
    Shutdown,
    /// The user data subscription ended: subscribe again.
    StreamTerminated,
    /// An event that is known and of no use to the engine.
    Other(&'static str),
}

/// Decodes the frames of one order connection.
pub struct UserDecoder {
    json: JsonBuffer,
    symbols: SymbolMap,
    balances: Vec<BalanceEntry>,
}

impl UserDecoder {
    /// A decoder for these symbols that refuses frames above `frame_bytes_max`.
    #[must_use]
    pub fn new(symbols: SymbolMap, frame_bytes_max: usize) -> UserDecoder {
        UserDecoder {
            json: JsonBuffer::new(FRAME_BYTES_USUAL, frame_bytes_max),
            symbols,
            balances: Vec::with_capacity(BALANCES_MAX),
        }
    }

    /// Decodes one frame.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &[u8]) -> Result<UserMessage<'a>, DecodeError> {
        let UserDecoder { json, symbols, balances } = self;
        json.parse(frame, |nodes| read_frame(nodes, symbols, balances))
    }

    /// The symbols it knows.
    #[must_use]
    pub fn symbols(&self) -> &SymbolMap {
        &self.symbols
    }
}

fn read_frame<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    balances: &'a mut Vec<BalanceEntry>,
) -> Result<UserMessage<'a>, DecodeError> {
    if !matches!(nodes.first(), Some(Node::Object { .. })) {
        return Err(DecodeError::unknown("frame is not an object"));
    }
    let mut event = None;
    for (name, value) in members(nodes) {
        match name {
            "event" | "data" => {}
            "id" => return reply::read(nodes, symbols).map(UserMessage::Reply),
            _ => continue,
        }
        if event.replace(value).is_some() {
            return Err(DecodeError::malformed("a member of the frame twice"));
        }
    }
    read_event(event.unwrap_or(nodes), symbols, balances)
}

fn read_event<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    balances: &'a mut Vec<BalanceEntry>,
) -> Result<UserMessage<'a>, DecodeError> {
    let fields = Letters::read(nodes)?;
    if fields.get(b'e').is_none() {
        return Err(DecodeError::unknown("frame of no known kind"));
    }
    Ok(match fields.text(b'e')? {
        "executionReport" => UserMessage::Execution(execution::read(&fields, symbols)?),
        "outboundAccountPosition" => {
            read_balances(&fields, balances)?;
            UserMessage::Balances { venue_time_ns: fields.time_ns(b'E')?, entries: balances }
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

fn read_balances(
    fields: &Letters<'_, '_>,
    balances: &mut Vec<BalanceEntry>,
) -> Result<(), DecodeError> {
    balances.clear();
    let entries = fields
        .get(b'B')
        .and_then(elements)
        .ok_or(DecodeError::field("field B missing or no array"))?;
    if entries.len() > BALANCES_MAX {
        return Err(DecodeError::new(LetterReason::Oversize, "too many balances"));
    }
    for nodes in entries {
        let entry = Letters::read(nodes)?;
        let asset = AssetText::from(entry.text(b'a')?)
            .map_err(|_| DecodeError::nonsense("name of an asset above 16 bytes"))?;
        let free = entry.scaled(b'f', AssetAmount::SCALE)?;
        let locked = entry.scaled(b'l', AssetAmount::SCALE)?;
        if free < 0 || locked < 0 {
            return Err(DecodeError::nonsense("negative balance"));
        }
        balances.push(BalanceEntry { asset, free: AssetAmount(free), locked: AssetAmount(locked) });
    }
    Ok(())
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

/// `PENDING_CANCEL` is documented as unused and has no meaning here: it is unknown.
fn read_status(status: &str) -> Result<OrderStatus, DecodeError> {
    match status {
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
