//! What is read of an order connection: replies, reports, lists.

use arrayvec::{ArrayString, ArrayVec};

use super::AccountList;
use crate::event::{AssetAmount, AssetName, InstrumentId, Side, VenueRef};
use crate::venue::codec::DecodeError;
use crate::venue::orders::{VenueAnswer, VenueFill, VenueReport};

/// The balance of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetBalance {
    /// The asset's name.
    pub asset: AssetName,
    /// Free to use.
    pub free: AssetAmount,
    /// Locked in orders.
    pub locked: AssetAmount,
}

impl AssetBalance {
    /// That of an asset by its name, in units of 10^-8.
    ///
    /// # Errors
    /// When the name is longer than a name of an asset can be, or an amount is negative.
    pub fn named(name: &str, free: i128, locked: i128) -> Result<AssetBalance, DecodeError> {
        let asset = AssetName::from(name)
            .map_err(|_| DecodeError::nonsense("name of an asset above 16 bytes"))?;
        if free < 0 || locked < 0 {
            return Err(DecodeError::nonsense("negative balance"));
        }
        Ok(AssetBalance { asset, free: AssetAmount(free), locked: AssetAmount(locked) })
    }
}

/// What an account holds of contracts in one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPosition {
    /// The instrument.
    pub instrument: InstrumentId,
    /// In the scale of its quantities; below 0 when short.
    pub qty: i64,
}

/// The longest name of an order that is read of a list, bytes; of a longer one the beginning.
const LISTED_NAME_BYTES_MAX: usize = 64;
/// The same of a symbol, and of a number.
const LISTED_TEXT_BYTES_MAX: usize = 40;

/// A symbol or a number of a list, as the venue writes it. Raw: it must be escaped before it is
/// shown.
pub type ListedText = ArrayString<LISTED_TEXT_BYTES_MAX>;

/// One order in the venue's list of what the account has open: ours, or a stranger's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOrder {
    /// Its name. Raw: it must be escaped before it is shown.
    pub name: ArrayVec<u8, LISTED_NAME_BYTES_MAX>,
    /// The venue's name of it; none where the list does not say.
    pub venue_order_id: VenueRef,
    /// The venue's own symbol.
    pub native: ListedText,
    /// Its side.
    pub side: Side,
    /// Its limit price; 0 for an order without one.
    pub price: ListedText,
    /// Its quantity.
    pub qty: ListedText,
    /// Filled so far.
    pub filled: ListedText,
    /// Its price and its state in the instrument's scales, where it is one of ours.
    pub state: Option<(i64, VenueAnswer)>,
}

impl ListedOrder {
    /// One in the venue's own words: its names, and price, quantity and what is filled, of which
    /// one that is left out, or empty, is 0. `state` where it is in a symbol of ours.
    #[must_use]
    pub fn new(
        (name, venue_order_id): (&[u8], VenueRef),
        (native, side): (&str, Side),
        numbers: [Option<&str>; 3],
        state: Option<VenueAnswer>,
    ) -> ListedOrder {
        let [price, qty, filled] = numbers
            .map(|number| listed_text(number.filter(|number| !number.is_empty()).unwrap_or("0")));
        ListedOrder {
            name: name.iter().copied().take(LISTED_NAME_BYTES_MAX).collect(),
            venue_order_id,
            native: listed_text(native),
            side,
            price,
            qty,
            filled,
            state: state.map(|state| (state.price.unwrap_or(0), state)),
        }
    }
}

/// As much of a text as there is room for.
#[must_use]
pub fn listed_text(text: &str) -> ListedText {
    let mut end = text.len().min(LISTED_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ListedText::from(&text[..end]).unwrap_or_default()
}

/// Why a request failed, in the venue's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Status like HTTP's; 0 where the venue has none.
    pub status: u16,
    /// The venue's code.
    pub code: i32,
    /// Its text. Raw: it must be escaped before it is shown.
    pub message: &'a str,
    /// Not before then, ms since the Unix epoch, where the venue says so.
    pub retry_after_ms: Option<i64>,
    /// The venue's own time at which it said so, ms since the Unix epoch, where it tells.
    pub server_time_ms: Option<i64>,
    /// The venue's word for it, where that is none that the protocol knows. Raw, as the text.
    pub unknown: Option<&'a str>,
}

impl<'a> Failure<'a> {
    /// One that names no time.
    #[must_use]
    pub const fn of(status: u16, code: i32, message: &'a str) -> Failure<'a> {
        Failure { status, code, message, retry_after_ms: None, server_time_ms: None, unknown: None }
    }
}

/// A reply to one of our requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request's number.
    pub id: u64,
    /// What was done, or why it failed.
    pub outcome: Result<ReplyBody<'a>, Failure<'a>>,
    /// The venue's time where the reply tells it, ns since the Unix epoch.
    pub time_ns: Option<i64>,
    /// How many requests it answers.
    pub reach: Reach,
}

/// How many of the requests that went out together
/// ([`OrderProtocol::cancel_several`](super::OrderProtocol::cancel_several)) are answered with one
/// of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// All: there is one answer, be it of a request that went alone.
    #[default]
    All,
    /// That one; the answer to the next one follows in the frame.
    One,
    /// That one, the last in the frame: what is behind it stays without an answer.
    Last,
}

/// What a reply says of the request's order. What it leaves out is none, or empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyBody<'a> {
    /// Our name of the order.
    pub name: &'a [u8],
    /// The venue's name of it.
    pub venue_order_id: VenueRef,
    /// Its state.
    pub state: Option<VenueAnswer>,
    /// Its fills, from the first on; in the reply to
    /// [`OrderProtocol::fills_since`](super::OrderProtocol::fills_since) those that were asked for.
    pub fills: &'a [VenueFill],
    /// The list of fills goes on with older ones ([`FillsFrom::Older`](super::FillsFrom::Older)),
    /// or that of the open orders with a page more, which
    /// [`OrderProtocol::open_orders`](super::OrderProtocol::open_orders) asks for; none is told
    /// before all are there.
    pub has_older: bool,
    /// In the reply to [`OrderProtocol::open_orders`](super::OrderProtocol::open_orders) the orders
    /// that are open.
    pub listed: &'a [ListedOrder],
    /// In the reply to [`OrderProtocol::balances`](super::OrderProtocol::balances) what the account
    /// has; what is missing is 0.
    pub balances: &'a [AssetBalance],
    /// In the reply to [`OrderProtocol::positions`](super::OrderProtocol::positions) what the
    /// account holds in our instruments; what is missing is 0, unless something is unreadable.
    pub positions: &'a [AccountPosition],
    /// Why an order, an asset, a position or a fill is not in these lists: it could not be read.
    pub unreadable: Option<DecodeError>,
    /// What of a fill in these lists is not known, and the venue's word for it: it counts without.
    pub unknown: Option<(&'static str, &'a str)>,
    /// In the reply to [`OrderProtocol::dead_man`](super::OrderProtocol::dead_man): it was taken,
    /// and is not known to be in effect.
    pub is_pending: bool,
}

/// One decoded frame.
#[derive(Clone, Copy, Debug)]
pub enum OrderMessage<'a> {
    /// The venue's word on an order.
    Report {
        /// Our name of the order, or a stranger's.
        name: &'a [u8],
        /// What it says.
        report: VenueReport,
        /// The venue's time, ns since the Unix epoch.
        venue_time_ns: i64,
        /// What of it could not be read and makes the rest no less true: the fill's fee.
        unreadable: Option<DecodeError>,
    },
    /// How an order stands: what the venue's stream tells where it names no single fill.
    State {
        /// Our name of the order, or a stranger's.
        name: &'a [u8],
        /// Where it stands.
        state: VenueAnswer,
        /// The venue's time, ns since the Unix epoch.
        venue_time_ns: i64,
    },
    /// The balances that changed, and the positions.
    Balances {
        /// The venue's time, ns since the Unix epoch; 0 where it tells none.
        venue_time_ns: i64,
        /// One entry an asset.
        entries: &'a [AssetBalance],
        /// One entry an instrument of ours whose position may have changed.
        positions: &'a [AccountPosition],
        /// Why an asset or a position beside them has none: it could not be read.
        unreadable: Option<DecodeError>,
    },
    /// A list with which the stream begins
    /// ([`OrderProtocol::STREAM_LISTS`](super::OrderProtocol::STREAM_LISTS)).
    Listed {
        /// What it is of.
        list: AccountList,
        /// The list.
        body: ReplyBody<'a>,
        /// Nothing is left out of it. What is follows in messages of its own.
        is_whole: bool,
    },
    /// A reply to a request.
    Reply(Reply<'a>),
    /// A failure of no request of ours, such as a pause that the venue wants.
    Unasked(Failure<'a>),
    /// The connection will end: the next one is to be made now.
    EndingSoon,
    /// The connection, or the account's stream on it, ends; why.
    Closing(&'static str),
    /// Known by this name, and of no use to the engine.
    Other(&'static str),
}

impl<'a> OrderMessage<'a> {
    /// The one answer to the request of this number.
    #[inline]
    #[must_use]
    pub const fn reply(id: u64, outcome: Result<ReplyBody<'a>, Failure<'a>>) -> OrderMessage<'a> {
        OrderMessage::Reply(Reply { id, outcome, time_ns: None, reach: Reach::All })
    }
}

/// A frame that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreadFrame<'a> {
    /// Why.
    pub error: DecodeError,
    /// The name of the order it speaks of, where that much could be read.
    pub name: Option<&'a [u8]>,
    /// The number of the request that it answers, where that much could be read.
    pub reply: Option<u64>,
    /// The venue's name of the order that it speaks of, where that much could be read.
    pub venue_order_id: VenueRef,
    /// The venue's word that is not known, where that is what was wrong.
    pub value: Option<&'a [u8]>,
    /// How many requests it answers.
    pub reach: Reach,
}

impl UnreadFrame<'_> {
    /// One of which no more is known than what was wrong with it.
    #[must_use]
    pub const fn of(error: DecodeError) -> UnreadFrame<'static> {
        UnreadFrame {
            error,
            name: None,
            reply: None,
            venue_order_id: VenueRef::NONE,
            value: None,
            reach: Reach::All,
        }
    }
}
