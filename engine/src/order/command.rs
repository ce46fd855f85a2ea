//! An order command: the record that travels from a strategy's order lane to the venue's session.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

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
}

/// Order types that every supported venue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderType {
    /// Rests at its price.
    Limit = 1,
    /// Rests at its price, refused where it would match at once.
    LimitMaker = 2,
    /// Takes what there is.
    Market = 3,
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

/// What an order may have beside its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFlags {
    /// It may only reduce a position, never open or turn one.
    pub reduce_only: bool,
    /// The side of the position, on accounts in hedge mode.
    pub position_side: PositionSide,
}

impl Default for OrderFlags {
    /// Neither: what a spot account has.
    fn default() -> OrderFlags {
        OrderFlags { reduce_only: false, position_side: PositionSide::Net }
    }
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
    /// Limit price in the instrument's scale; 0 for a market order.
    pub price: i64,
    /// Quantity in the instrument's scale.
    pub qty: i64,
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
    /// Always 0.
    pub reserved: [u8; 66],
}

const _: () = assert!(size_of::<OrderCommand>() == 128);

impl OrderCommand {
    /// What is asked for; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn action(&self) -> Option<OrderAction> {
        Some(match self.action_code {
            1 => OrderAction::Submit,
            2 => OrderAction::Cancel,
            3 => OrderAction::Query,
            4 => OrderAction::Modify,
            _ => return None,
        })
    }

    /// The order type; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn order_type(&self) -> Option<OrderType> {
        Some(match self.order_type_code {
            1 => OrderType::Limit,
            2 => OrderType::LimitMaker,
            3 => OrderType::Market,
            _ => return None,
        })
    }

    /// The time in force; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub fn time_in_force(&self) -> Option<TimeInForce> {
        Some(match self.time_in_force_code {
            1 => TimeInForce::Gtc,
            2 => TimeInForce::Ioc,
            3 => TimeInForce::Fok,
            _ => return None,
        })
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
