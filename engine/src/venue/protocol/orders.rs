//! An order connection's protocol.

use serde_json::Value;

use super::{
    AccountQuestion, AccountWords, Failure, KeepAlive, OrderMessage, OwnStream, SentTime, Signer,
    UnreadFrame, Way,
};
use crate::event::{RejectReason, Side, VenueRef};
use crate::order::{Capabilities, OrderCommand, OrderType, OrderTypes, TimeInForce};
use crate::venue::codec::DecodeError;
use crate::venue::governor::{RequestClass, ToldLimits};
use crate::venue::{Scales, SymbolMap};

/// What every request about an order has.
#[derive(Clone, Copy, Debug)]
pub struct OrderRequest<'a> {
    /// The request's number, by which the reply is found.
    pub id: u64,
    /// The venue's own symbol.
    pub native: &'a str,
    /// Its scales.
    pub scales: Scales,
    /// Our name of the order.
    pub name: &'a [u8],
    /// The venue's name of the order, as far as it is known.
    pub venue_order_id: VenueRef,
    /// The venue's time, ms since the Unix epoch.
    pub time_ms: i64,
    /// When the order was sent; `None` where it is none that the engine knows.
    pub sent: Option<SentTime>,
}

/// Where a list of an order's fills is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillsFrom {
    /// So that the newest fills are in it; all, where one reply holds them.
    Newest,
    /// At the first fill.
    First,
    /// Behind this trade.
    After(VenueRef),
    /// With the older ones that the last answer left out.
    Older,
}

/// Side, type and time in force of an order; what the venue lacks was refused before by
/// [`OrderProtocol::CAPABILITIES`].
///
/// # Errors
/// `Unsupported` for an order that says none of these, or asks for what the venue lacks.
#[inline]
pub fn order_terms(
    command: &OrderCommand,
    can: Capabilities,
) -> Result<(Side, OrderType, TimeInForce), RejectReason> {
    let unsupported = RejectReason::Unsupported;
    let side = command.side().ok_or(unsupported)?;
    let order_type = command.order_type().ok_or(unsupported)?;
    let life = command.time_in_force().ok_or(unsupported)?;
    let flags = command.order_flags().ok_or(unsupported)?;
    match can.lacks_of_order(order_type, life, flags) {
        None => Ok((side, order_type, life)),
        Some(_) => Err(unsupported),
    }
}

/// What a failure means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The venue did not do it.
    Refused(RejectReason),
    /// Whether it was done is not known.
    Unknown,
    /// The venue knows no such order.
    NoSuchOrder,
    /// Half an answer: the list of the present orders does not have it, and the next question goes
    /// to those that are over.
    NotListed,
    /// There is no such open order to cancel or amend.
    NotOpen,
    /// It was not done, and nothing must be sent before the time the failure names.
    SlowDown,
    /// It was not done, and the address or the key is locked out for minutes.
    LockedOut,
    /// It was not done: the venue does not know the session any more, which begins anew.
    NoSession,
    /// The key does not open the account: asking again changes nothing until somebody sets it
    /// right.
    BadKey,
    /// It was not done, and no new order must be sent before the time the failure names; cancels
    /// and questions may.
    TooManyOrders,
    /// It was not done, since its time stamp is not the venue's time.
    WrongTime,
    /// The account's stream is subscribed to already.
    Subscribed,
}

/// What a guard asks over REST of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardRequest {
    /// Which orders are open.
    List,
    /// To cancel all that is open, at once or within 12 s.
    CancelAll,
}

/// Reads the frames of one order connection. It needs no keys: what was kept of a frame can be read
/// with it again.
pub trait OrderDecoder: Sized + Send + 'static {
    /// A decoder for these symbols that refuses frames above `frame_bytes_max`.
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> Self;

    /// Reads one frame.
    ///
    /// # Errors
    /// [`UnreadFrame`] says what was wrong with it.
    fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<OrderMessage<'a>, UnreadFrame<'a>>;

    /// The next message of the frame that was decoded last, where it has several, and that frame.
    /// Asked for until there is none, before another frame is decoded.
    #[inline]
    fn next_of_frame(&mut self) -> Option<(Result<OrderMessage<'_>, UnreadFrame<'_>>, &[u8])> {
        None
    }

    /// Reads the answer over REST to the request with this number.
    ///
    /// # Errors
    /// As those of [`OrderDecoder::decode`].
    fn decode_rest<'a>(
        &'a mut self,
        id: u64,
        _status: u16,
        _body: &'a [u8],
    ) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        let error = DecodeError::unknown("answer over REST of a venue that is not asked there");
        Err(UnreadFrame { reply: Some(id), ..UnreadFrame::of(error) })
    }

    /// What the frame that was decoded last said of the venue's limits.
    #[inline]
    fn limits(&self) -> Option<&ToldLimits> {
        None
    }
}

/// What our names of orders look like at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameForm {
    /// Three numbers, with this between them: neither a digit nor a `p`.
    Marked(u8),
    /// A UUID that holds the three numbers, for venues whose names have to be short otherwise.
    Uuid,
}

/// How a venue's order connection is spoken to.
pub trait OrderProtocol: Sized + Send + 'static {
    /// What its requests are signed with.
    type Signer: Signer;

    /// What its frames are read with.
    type Decoder: OrderDecoder;

    /// The steps of the logon, by their names in messages; each waits for the reply to the one
    /// before.
    const LOGON: &'static [&'static str];

    /// The step of the logon that subscribes to the account's stream, where asking again does no
    /// harm: the venue says that the stream stands ([`Outcome::Subscribed`]), or subscribes anew.
    /// `None` where a venue has no such request.
    const SUBSCRIBE_STEP: Option<usize> = None;

    /// The account's stream, where it has a connection of its own: both are up, or neither is.
    const STREAM: Option<OwnStream> = None;

    /// How often [`OrderProtocol::upkeep`] is sent, ns; `None` where nothing has to be kept up.
    const UPKEEP_NS: Option<u64> = None;

    /// Whether what is asked of orders and of the account goes over REST.
    const ASKS_OVER_REST: bool = false;

    /// Whether orders, cancels and amendments go over REST, too: the session is the account's
    /// stream alone. They have lines of their own there, so that no question holds them up.
    const ORDERS_OVER_REST: bool = false;

    /// Whether the account's stream begins with all that the account has open and with what it has
    /// ([`OrderMessage::Listed`]): neither is asked for.
    const STREAM_LISTS: bool = false;

    /// Whether an order is cancelled by the venue's name of it: a cancel waits until that is known.
    const CANCELS_BY_VENUE_NAME: bool = false;

    /// Whether contracts are traded: the account holds positions, and what it has of an asset is
    /// margin, which a fill moves by its profit and its fee alone.
    const TRADES_CONTRACTS: bool = false;

    /// Codes for too many requests of one kind from the account, at a venue that counts new orders,
    /// amendments and cancels each by themselves: of a new order they stop no cancel.
    const TOO_MANY_OF_A_KIND: &'static [i32] = &[];

    /// Whether an amendment counts as a new order against the venue's limits.
    const AMENDS_COUNT_AS_ORDERS: bool = false;

    /// What our names of orders look like there.
    const NAMES: NameForm = NameForm::Marked(b'-');

    /// After this time the venue ends a connection, ns; `None` where it says nothing of it. The
    /// next one takes over before.
    const LIFE_NS: Option<u64> = None;

    /// The order types that it can have; any other is refused before it is written.
    const ORDER_TYPES: OrderTypes;

    /// What else it can do with orders: what it lacks is refused before it is written. Without a
    /// word more it has its types, each time in force, stops by the last trade, and no amendments.
    const CAPABILITIES: Capabilities = Capabilities::of(Self::ORDER_TYPES);

    /// How long after it was written an order may still turn up at the venue, ns. Until then "no
    /// such order" proves nothing.
    const IN_FLIGHT_MAX_NS: u64;

    /// What keeps a quiet connection open.
    const KEEP_ALIVE: KeepAlive;

    /// A protocol for one connection of one account.
    fn new(signer: Self::Signer, decoder: Self::Decoder) -> Self;

    /// What its frames are read with.
    fn decoder(&mut self) -> &mut Self::Decoder;

    /// What a request of this class weighs against the venue's budget: that of REST, unless a venue
    /// counts what goes over its sessions, too.
    fn weight(&self, class: RequestClass) -> u32 {
        u32::from(class == RequestClass::Query)
    }

    /// Writes a question for the venue's time, whose reply has it; false where REST alone tells it.
    fn time(&mut self, _id: u64, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Writes the request of a step of the logon, an index into [`OrderProtocol::LOGON`].
    fn logon(&mut self, step: usize, id: u64, time_ms: i64, out: &mut Vec<u8>);

    /// Where a step of the logon goes.
    fn logon_way(_step: usize) -> Way {
        Way::Session
    }

    /// The path of the account's stream ([`OwnStream::Told`]), once the answer to a step of the
    /// logon has told it. Given once.
    fn stream_path(&mut self) -> Option<String> {
        None
    }

    /// Writes the request without which the account's stream would end, over the session. A
    /// refusal that means [`Outcome::NoSession`] begins the session anew; any other is asked again.
    fn upkeep(&mut self, _id: u64, _time_ms: i64, _out: &mut Vec<u8>) {}

    /// Writes a new order.
    ///
    /// # Errors
    /// Why this venue can't have such an order.
    fn place(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason>;

    /// Writes an order's amendment to the command's price and quantity, which is one of those that
    /// [`Capabilities::amends`] allows: none, unless it says so.
    ///
    /// # Errors
    /// Why this venue can't amend an order so.
    fn amend(
        &mut self,
        _command: &OrderCommand,
        _request: &OrderRequest<'_>,
        _out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        Err(RejectReason::Unsupported)
    }

    /// Writes an order's cancel.
    fn cancel(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>);

    /// Writes the cancels of several orders as one request, of up to
    /// [`Capabilities::cancels_per_request`]. Their numbers follow one another, and each is
    /// answered under its own. False where the venue has no such request.
    fn cancel_several(&mut self, _requests: &[OrderRequest<'_>], _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Writes a cancel of all that the account has open in a symbol, by the venue's own name of it;
    /// false where the venue has no such request. It ends the orders of whoever else uses the
    /// account, too: for a guard, not for a strategy.
    fn cancel_all(&mut self, _native: &str, _id: u64, _time_ms: i64, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Whether a guard asks over REST ([`OrderProtocol::guard_request`]), and needs no session.
    const GUARDS_OVER_REST: bool = false;

    /// Whether its [`GuardRequest::CancelAll`] only sets a timer of up to 12 s.
    const GUARDS_BY_TIMER: bool = false;

    /// Writes a guard's request, signed; false where the venue has none. An answer without an order
    /// says that none is open.
    fn guard_request(
        &mut self,
        _what: GuardRequest,
        _native: &str,
        _id: u64,
        _time_ms: i64,
        _out: &mut Vec<u8>,
    ) -> bool {
        false
    }

    /// The way of [`OrderProtocol::dead_man`] with this time, ms.
    fn dead_man_way(_timeout_ms: u32) -> Way {
        Way::Session
    }

    /// Tells, before the first logon, that [`OrderProtocol::dead_man`] will be asked for: a venue
    /// that watches connections has to be told which.
    fn will_set_dead_man(&mut self) {}

    /// Writes a request that has the venue cancel all that the account has open in so many ms,
    /// unless it is told again before, or unless the connection lives; 0 takes it back. False where
    /// the venue has no such timer. [`Capabilities::dead_man`] says which times it takes. Where it
    /// takes several requests to be sure of it, the answers to all but the last say that it is
    /// [not in effect](super::ReplyBody::is_pending).
    fn dead_man(&mut self, _timeout_ms: u32, _id: u64, _time_ms: i64, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Whether the venue has one timer for each symbol: all are set by
    /// [`OrderProtocol::dead_man_of`], one behind the other.
    const DEAD_MAN_BY_SYMBOL: bool = false;

    /// As [`OrderProtocol::dead_man`], of what is open in one symbol, by the venue's own name of
    /// it; over REST.
    fn dead_man_of(
        &mut self,
        _native: &str,
        _timeout_ms: u32,
        _time_ms: i64,
        _out: &mut Vec<u8>,
    ) -> bool {
        false
    }

    /// What [`OrderProtocol::dead_man`] weighs against the venue's budget, each time.
    fn dead_man_weight(&self) -> u32 {
        1
    }

    /// Writes a query of an order's state.
    fn query(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>);

    /// The fills that the reply to [`OrderProtocol::fills_since`] has at most: with so many there
    /// may be more. `usize::MAX` where the reply says so itself
    /// ([`ReplyBody::has_older`](super::ReplyBody::has_older)).
    const FILLS_MAX: usize = usize::MAX;

    /// Writes a request for the list of an order's fills, in their order; false where the venue has
    /// no such request, or none from there.
    fn fills_since(
        &mut self,
        _order: VenueRef,
        _from: FillsFrom,
        _request: &OrderRequest<'_>,
        _out: &mut Vec<u8>,
    ) -> bool {
        false
    }

    /// What [`OrderProtocol::fills_since`] weighs against the venue's budget.
    fn fills_weight(&self) -> u32 {
        1
    }

    /// Writes a request for all orders that the account has open, whoever has placed them, or for
    /// the next page of that list ([`ReplyBody::has_older`](super::ReplyBody::has_older)); false
    /// where the venue has no such request.
    fn open_orders(&mut self, _id: u64, _time_ms: i64, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// What [`OrderProtocol::open_orders`] weighs against the venue's budget.
    fn open_orders_weight(&self) -> u32 {
        1
    }

    /// Writes a request for what the account has of each asset; false where the venue has no such
    /// request.
    fn balances(&mut self, _id: u64, _time_ms: i64, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// What [`OrderProtocol::balances`] weighs against the venue's budget.
    fn balances_weight(&self) -> u32 {
        1
    }

    /// Writes a request for the positions that the account holds; false where the venue has no such
    /// request.
    fn positions(&mut self, _id: u64, _time_ms: i64, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// What [`OrderProtocol::positions`] weighs against the venue's budget.
    fn positions_weight(&self) -> u32 {
        0
    }

    /// What is asked of the account and its key by who wants to know what they may do: questions
    /// that change nothing.
    const ACCOUNT_QUESTIONS: &'static [AccountQuestion] = &[];

    /// Writes the question at this place of [`OrderProtocol::ACCOUNT_QUESTIONS`]; what it wants to
    /// know of one symbol, it asks of this one.
    fn account_question(
        &mut self,
        _place: usize,
        _native: &str,
        _id: u64,
        _time_ms: i64,
        _out: &mut Vec<u8>,
    ) {
    }

    /// Reads the answer to the question at this place, whole.
    ///
    /// # Errors
    /// What can't be read of it, or why the venue refuses it.
    fn read_account_answer(
        _place: usize,
        _answer: &Value,
        _words: &mut AccountWords,
    ) -> Result<(), String> {
        Ok(())
    }

    /// What a failure means.
    fn outcome(failure: &Failure<'_>) -> Outcome;
}
