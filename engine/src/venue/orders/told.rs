//! What a venue says of an order, in the instrument's scales.

use arrayvec::ArrayVec;

use crate::event::{
    ExecReport, ExecType, ExpiryReason, InstrumentId, Liquidity, OrderStatus, Side, VenueRef,
};

/// The venue's report on an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueReport {
    /// What it tells.
    pub exec_type: ExecType,
    /// The order's state after it.
    pub status: OrderStatus,
    /// The venue's name of the order.
    pub venue_order_id: VenueRef,
    /// The venue's name of the trade; of the report when it is no fill.
    pub execution_id: VenueRef,
    /// What it is for.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// Limit price; 0 for a market order.
    pub price: i64,
    /// The price that triggers it, where the report says.
    pub trigger_price: Option<i64>,
    /// Ordered quantity.
    pub qty: i64,
    /// Price of this fill.
    pub last_price: i64,
    /// Quantity of this fill.
    pub last_qty: i64,
    /// Filled so far.
    pub filled_qty: i64,
    /// Taken off by self-trade prevention so far; `None` where the report does not say.
    pub prevented_qty: Option<i64>,
    /// Quote amount of all fills, in units of 10^-(price scale + quantity scale); `None` where the
    /// report does not say, and where nothing is filled.
    pub quote_total: Option<i128>,
    /// Fee of this fill in units of 10^-8, and its asset; `None` when it is not known.
    pub fee: Option<(i64, u128)>,
    /// Whether this fill made or took liquidity; `None` where the report does not say.
    pub liquidity: Option<Liquidity>,
    /// Why it expired.
    pub expiry: ExpiryReason,
}

impl VenueReport {
    /// The report that tells this of an order that stands so, and of the fill that it is about. It
    /// has no name of its own, unless that of the fill.
    #[must_use]
    pub fn of(
        exec_type: ExecType,
        order: &VenueAnswer,
        side: Side,
        fill: Option<&VenueFill>,
    ) -> VenueReport {
        VenueReport {
            exec_type,
            status: order.status,
            venue_order_id: order.venue_order_id,
            execution_id: fill.map_or(VenueRef::NONE, |fill| fill.trade),
            instrument: order.instrument,
            side,
            price: order.price.unwrap_or(0),
            trigger_price: order.trigger_price,
            qty: order.qty.unwrap_or(0),
            last_price: fill.map_or(0, |fill| fill.price),
            last_qty: fill.map_or(0, |fill| fill.qty),
            filled_qty: order.filled_qty,
            prevented_qty: order.prevented_qty,
            quote_total: order.quote_total,
            fee: fill.and_then(|fill| fill.fee),
            liquidity: fill.and_then(|fill| fill.liquidity),
            expiry: order.expiry,
        }
    }

    /// How the order stands by it.
    pub(in crate::venue) fn answer(&self) -> VenueAnswer {
        VenueAnswer {
            status: self.status,
            venue_order_id: self.venue_order_id,
            instrument: self.instrument,
            side: Some(self.side),
            price: Some(self.price),
            trigger_price: self.trigger_price,
            qty: Some(self.qty),
            filled_qty: self.filled_qty,
            prevented_qty: self.prevented_qty,
            quote_total: self.quote_total,
            expiry: self.expiry,
        }
    }
}

/// The venue's answer to a query of an order, or the order's state in the reply to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueAnswer {
    /// Its state.
    pub status: OrderStatus,
    /// The venue's name of the order.
    pub venue_order_id: VenueRef,
    /// What it is for.
    pub instrument: InstrumentId,
    /// Its side, where the answer says.
    pub side: Option<Side>,
    /// Limit price, where the answer says; 0 for an order without one.
    pub price: Option<i64>,
    /// The price that triggers it, where the answer says; 0 for one that does not wait.
    pub trigger_price: Option<i64>,
    /// Ordered quantity, where the answer says.
    pub qty: Option<i64>,
    /// Filled so far.
    pub filled_qty: i64,
    /// Taken off by self-trade prevention, where the answer says.
    pub prevented_qty: Option<i64>,
    /// Quote amount of all fills, as in [`VenueReport::quote_total`].
    pub quote_total: Option<i128>,
    /// Why it expired.
    pub expiry: ExpiryReason,
}

/// One fill in the venue's list of an order's fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueFill {
    /// The venue's name of the trade.
    pub trade: VenueRef,
    /// Its price.
    pub price: i64,
    /// Its quantity.
    pub qty: i64,
    /// As [`VenueReport::fee`].
    pub fee: Option<(i64, u128)>,
    /// As [`VenueReport::liquidity`].
    pub liquidity: Option<Liquidity>,
}

/// What a message did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was taken; what is told stands in the list.
    Taken,
    /// It was known before.
    Duplicate,
    /// It contradicts what is known; why.
    Contradiction(&'static str),
}

/// What is told of one message: a revival, fills that were missed, an amendment, the report.
pub type Told = ArrayVec<ExecReport, 5>;
