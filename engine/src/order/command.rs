//! An order command: the record that travels from a strategy's order lane to the venue's session.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::trigger::TriggerBy;
use crate::event::{
    ClientOrderId, ConsumerId, InstrumentId, PositionSide, Price, Qty, REDUCE_ONLY, Side, VenueId,
};

/// What the command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderAction {
    /// A new order.
    Submit = 1,
    /// Cancel the order with this client_order_id.
    Cancel = 2,
    /// Ask the venue for the state of the order with this client_order_id.
    Query = 3,
    /// Amend the order with this client_order_id: `price` and `qty` are the new ones.
    Modify = 4,
    /// Cancel all that the account has open in the instrument, whoever sent it.
    CancelSymbol = 5,
}

impl OrderAction {
    /// The action with this code; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u8) -> Option<OrderAction> {
        Some(match code {
            1 => OrderAction::Submit,
            2 => OrderAction::Cancel,
            3 => OrderAction::Query,
            4 => OrderAction::Modify,
            5 => OrderAction::CancelSymbol,
            _ => return None,
        })
    }

    /// The name in files, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OrderAction::Submit => "submit",
            OrderAction::Cancel => "cancel",
            OrderAction::Query => "query",
            OrderAction::Modify => "modify",
            OrderAction::CancelSymbol => "cancel_symbol",
        }
    }
}

/// Order types. Every venue that takes orders has the first three; which others one has, its
/// protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderType {
    /// Rests at its price.
    Limit = 1,
    /// Rests at its price, refused where it would match at once.
    LimitMaker = 2,
    /// Takes what there is.
    Market = 3,
    /// A market order, once a trade has gone to the trigger price or beyond it: at or above of a
    /// buy, at or below of a sell.
    StopLoss = 4,
    /// A limit order, once a trade has gone there.
    StopLossLimit = 5,
    /// A market order, once a trade has come to the trigger price: at or below of a buy, at or
    /// above of a sell.
    TakeProfit = 6,
    /// A limit order, once a trade has come there.
    TakeProfitLimit = 7,
}

impl OrderType {
    /// All of them, in the order of their codes.
    pub const ALL: [OrderType; 7] = [
        OrderType::Limit,
        OrderType::LimitMaker,
        OrderType::Market,
        OrderType::StopLoss,
        OrderType::StopLossLimit,
        OrderType::TakeProfit,
        OrderType::TakeProfitLimit,
    ];

    /// The type of a code; `None` for one that was never given out.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u8) -> Option<OrderType> {
        Some(match code {
            1 => OrderType::Limit,
            2 => OrderType::LimitMaker,
            3 => OrderType::Market,
            4 => OrderType::StopLoss,
            5 => OrderType::StopLossLimit,
            6 => OrderType::TakeProfit,
            7 => OrderType::TakeProfitLimit,
            _ => return None,
        })
    }

    /// Its name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OrderType::Limit => "limit",
            OrderType::LimitMaker => "limit_maker",
            OrderType::Market => "market",
            OrderType::StopLoss => "stop_loss",
            OrderType::StopLossLimit => "stop_loss_limit",
            OrderType::TakeProfit => "take_profit",
            OrderType::TakeProfitLimit => "take_profit_limit",
        }
    }

    /// Whether it has a limit price.
    #[inline]
    #[must_use]
    pub const fn is_priced(self) -> bool {
        !matches!(self, OrderType::Market | OrderType::StopLoss | OrderType::TakeProfit)
    }

    /// Whether it waits for its trigger price before it works.
    #[inline]
    #[must_use]
    pub const fn is_stop(self) -> bool {
        !matches!(self, OrderType::Limit | OrderType::LimitMaker | OrderType::Market)
    }
}

/// A set of order types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTypes(u8);

impl OrderTypes {
    /// None.
    pub const NONE: OrderTypes = OrderTypes(0);
    /// Every one.
    pub const ALL: OrderTypes = OrderTypes::of(&OrderType::ALL);
    /// What every venue has that takes orders.
    pub const PLAIN: OrderTypes =
        OrderTypes::of(&[OrderType::Limit, OrderType::LimitMaker, OrderType::Market]);

    /// These.
    #[must_use]
    pub const fn of(types: &[OrderType]) -> OrderTypes {
        let (mut bits, mut at) = (0, 0);
        while at < types.len() {
            bits |= 1 << types[at] as u8;
            at += 1;
        }
        OrderTypes(bits)
    }

    /// As a number, for [`OrderTypes::from_bits`].
    #[inline]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// The set with this number.
    #[inline]
    pub(crate) const fn from_bits(bits: u8) -> OrderTypes {
        OrderTypes(bits)
    }

    /// Whether this type is one of them.
    #[inline]
    #[must_use]
    pub const fn has(self, order_type: OrderType) -> bool {
        self.0 & 1 << order_type as u8 != 0
    }

    /// Whether any of them waits for a trigger price.
    #[must_use]
    pub(crate) const fn has_stops(self) -> bool {
        self.0 & !OrderTypes::PLAIN.0 != 0
    }

    /// Those that are in it, in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = OrderType> {
        OrderType::ALL.into_iter().filter(move |order_type| self.has(*order_type))
    }
}

/// How long an order works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc = 1,
    /// What matches at once, the rest is cancelled.
    Ioc = 2,
    /// All at once or nothing.
    Fok = 3,
}

impl TimeInForce {
    /// All of them, in the order of their codes.
    pub const ALL: [TimeInForce; 3] = [TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok];

    /// The time with this code; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u8) -> Option<TimeInForce> {
        Some(match code {
            1 => TimeInForce::Gtc,
            2 => TimeInForce::Ioc,
            3 => TimeInForce::Fok,
            _ => return None,
        })
    }

    /// The name in files, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            TimeInForce::Gtc => "gtc",
            TimeInForce::Ioc => "ioc",
            TimeInForce::Fok => "fok",
        }
    }
}

/// What an order may have beside its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFlags {
    /// It may only reduce a position, never open or turn one.
    pub reduce_only: bool,
    /// The side of the position, on accounts in hedge mode.
    pub position_side: PositionSide,
    /// The price that triggers a stop, a multiple of the tick; 0 for an order that does not wait.
    pub trigger_price: Price,
    /// Which price triggers a stop.
    pub trigger_by: TriggerBy,
}

impl Default for OrderFlags {
    /// None: what most orders of a spot account have.
    fn default() -> OrderFlags {
        OrderFlags {
            reduce_only: false,
            position_side: PositionSide::Net,
            trigger_price: Price(0),
            trigger_by: TriggerBy::Last,
        }
    }
}

/// What kind of order it is, beside price and quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// Its type.
    pub order_type: OrderType,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// What it has beside.
    pub flags: OrderFlags,
}

/// One command, two cache lines, plain old data.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct OrderCommand {
    /// The consumer's own order number.
    pub client_order_id: u64,
    /// Trace of the event that caused the decision (LM-08).
    pub decision_id: u64,
    /// When that event was read from its socket, ns of the engine's clock: start of tick-to-trade.
    pub tick_receive_ns: u64,
    /// When the strategy submitted it, ns of the engine's clock.
    pub submitted_ns: u64,
    /// Limit price in the instrument's scale; 0 for an order without one.
    pub price: i64,
    /// Quantity in the instrument's scale.
    pub qty: i64,
    /// The price that triggers a stop, in the instrument's scale; 0 for one that does not wait.
    pub trigger_price: i64,
    /// Instrument number.
    pub instrument: u32,
    /// Consumer number.
    pub consumer: u16,
    /// Venue number.
    pub venue: u16,
    /// Code of the [`OrderAction`].
    pub action_code: u8,
    /// Code of the [`Side`].
    pub side_code: u8,
    /// Code of the [`OrderType`].
    pub order_type_code: u8,
    /// Code of the [`TimeInForce`].
    pub time_in_force_code: u8,
    /// Code of the [`PositionSide`].
    pub position_side_code: u8,
    /// [`REDUCE_ONLY`](crate::event::REDUCE_ONLY) or 0.
    pub flags: u8,
    /// The strategy's own name of a new order; zeros are none.
    pub own_id: [u8; 16],
    /// Code of the [`TriggerBy`].
    pub trigger_by_code: u8,
    /// Always 0.
    pub reserved: [u8; 1],
    /// The order that ends before this new one is sent, by its client_order_id; 0 for none.
    pub replaces: u64,
    /// What that one had filled, as far as its strategy knew, in the instrument's scale.
    pub replaced_filled: i64,
    /// Always 0.
    pub reserved_too: [u8; 24],
}

const _: () = assert!(size_of::<OrderCommand>() == 128);

impl OrderCommand {
    /// What is asked for; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn action(&self) -> Option<OrderAction> {
        OrderAction::from_code(self.action_code)
    }

    /// The order type; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn order_type(&self) -> Option<OrderType> {
        OrderType::from_code(self.order_type_code)
    }

    /// The time in force; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn time_in_force(&self) -> Option<TimeInForce> {
        TimeInForce::from_code(self.time_in_force_code)
    }

    /// The side; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        Side::from_code(self.side_code)
    }

    /// The side of the position; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn position_side(&self) -> Option<PositionSide> {
        PositionSide::from_code(self.position_side_code)
    }

    /// Which price triggers a stop; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn trigger_by(&self) -> Option<TriggerBy> {
        TriggerBy::from_code(self.trigger_by_code)
    }

    /// What it has beside its terms; `None` when one of the codes was never given out.
    #[must_use]
    pub fn order_flags(&self) -> Option<OrderFlags> {
        Some(OrderFlags {
            reduce_only: self.is_reduce_only(),
            position_side: self.position_side()?,
            trigger_price: Price(self.trigger_price),
            trigger_by: self.trigger_by()?,
        })
    }

    /// What kind of order it opens; `None` when one of the codes was never given out.
    #[must_use]
    pub fn terms(&self) -> Option<OrderTerms> {
        let flags = self.order_flags()?;
        let (order_type, time_in_force) = (self.order_type()?, self.time_in_force()?);
        Some(OrderTerms { order_type, time_in_force, flags })
    }

    /// The order of the same strategy that ends before this new one is sent.
    #[inline]
    #[must_use]
    pub fn replaced(&self) -> Option<OrderKey> {
        let id = ClientOrderId(self.replaces);
        (self.replaces != 0).then_some(OrderKey { consumer: self.owner(), id })
    }

    /// Whether the order may only reduce a position.
    #[inline]
    #[must_use]
    pub fn is_reduce_only(&self) -> bool {
        self.flags & REDUCE_ONLY != 0
    }

    /// The consumer that owns the order.
    #[inline]
    #[must_use]
    pub fn owner(&self) -> ConsumerId {
        ConsumerId(self.consumer)
    }

    /// The consumer's own order number.
    #[inline]
    #[must_use]
    pub fn id(&self) -> ClientOrderId {
        ClientOrderId(self.client_order_id)
    }

    /// The venue it goes to.
    #[inline]
    #[must_use]
    pub fn venue_id(&self) -> VenueId {
        VenueId(self.venue)
    }

    /// The instrument it is for.
    #[inline]
    #[must_use]
    pub fn instrument_id(&self) -> InstrumentId {
        InstrumentId(self.instrument)
    }

    /// Limit price.
    #[inline]
    #[must_use]
    pub fn limit_price(&self) -> Price {
        Price(self.price)
    }

    /// Quantity.
    #[inline]
    #[must_use]
    pub fn quantity(&self) -> Qty {
        Qty(self.qty)
    }
}

/// Who ordered, and under which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderKey {
    /// The consumer.
    pub consumer: ConsumerId,
    /// Its own number for the order.
    pub id: ClientOrderId,
}

impl OrderKey {
    /// The key of the order that a command speaks of.
    #[inline]
    #[must_use]
    pub fn of(command: &OrderCommand) -> OrderKey {
        OrderKey { consumer: command.owner(), id: command.id() }
    }
}

impl pitlane_ring::Record for OrderCommand {
    fn used_bytes(&self) -> usize {
        size_of::<OrderCommand>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_names_and_sets_of_order_types_agree() {
        for order_type in OrderType::ALL {
            assert_eq!(OrderType::from_code(order_type as u8), Some(order_type));
            assert!(OrderTypes::ALL.has(order_type) && !OrderTypes::NONE.has(order_type));
            assert_eq!(OrderTypes::PLAIN.has(order_type), !order_type.is_stop());
            assert_eq!(order_type.is_stop(), order_type as u8 > 3, "{}", order_type.name());
        }
        assert_eq!((OrderType::from_code(0), OrderType::from_code(8)), (None, None));
        assert_eq!(OrderTypes::PLAIN.iter().count(), 3);
    }
}
