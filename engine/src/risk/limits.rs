//! Limits as they are given: plain numbers, before a run.

use std::sync::Arc;

use crate::order::{Capabilities, OrderTypes};

/// The value of a limit that is not set.
pub const NO_LIMIT: i64 = i64::MAX;

/// Limits of one strategy in one instrument; [`NO_LIMIT`] for one that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentLimits {
    /// Largest quantity of one order, in the instrument's scale.
    pub max_order_qty: i64,
    /// What one order may trade for, in units of 10^-8 of the quote asset.
    pub max_order_notional: i64,
    /// Largest position, long or short, over all venues, in the instrument's scale.
    pub max_position: i64,
    /// How far through the book a price may be, in hundredths of a percent.
    pub price_band_bps: i64,
    /// How far from the market a trigger price may be, in hundredths of a percent.
    pub trigger_band_bps: i64,
    /// Longest time since the book was heard, ns.
    pub stale_ns: i64,
}

impl Default for InstrumentLimits {
    /// None is set.
    fn default() -> InstrumentLimits {
        InstrumentLimits {
            max_order_qty: NO_LIMIT,
            max_order_notional: NO_LIMIT,
            max_position: NO_LIMIT,
            price_band_bps: NO_LIMIT,
            trigger_band_bps: NO_LIMIT,
            stale_ns: NO_LIMIT,
        }
    }
}

/// When the circuit breaker trips, and for how long it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Refusals and rejections in the window, 1 to 1,024; [`NO_LIMIT`]: they never trip it.
    pub events: i64,
    /// Realised loss in the window, in units of 10^-8 of a quote asset; [`NO_LIMIT`]: never.
    pub loss: i64,
    /// The window, ns.
    pub window_ns: u64,
    /// How long it holds, ns.
    pub cooldown_ns: u64,
}

impl Default for BreakerLimits {
    /// It never trips.
    fn default() -> BreakerLimits {
        BreakerLimits {
            events: NO_LIMIT,
            loss: NO_LIMIT,
            window_ns: 10_000_000_000,
            cooldown_ns: 60_000_000_000,
        }
    }
}

/// Limits of one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskLimits {
    /// By instrument; none is set for one that is not there.
    pub instruments: Arc<[InstrumentLimits]>,
    /// Open orders at a time, 1 to 1,024.
    pub max_open_orders: usize,
    /// By venue, what it can do with orders; everything for one that is not there.
    pub venues: Arc<[Capabilities]>,
    /// Those that the strategy may use.
    pub allowed_types: OrderTypes,
    /// New orders and amendments in any second; at least 1.
    pub max_orders_per_s: u32,
    /// Cancels in any second; [`NO_LIMIT`] for no limit.
    pub max_cancels_per_s: i64,
    /// What all open orders may trade for together, by quote asset, in units of 10^-8.
    pub max_open_notional: i64,
    /// Loss of a day by quote asset, after fees, in units of 10^-8; what is open is at its mark.
    pub max_daily_loss: i64,
    /// Refuse what could trade with an open order of any strategy of the engine.
    pub refuses_self_cross: bool,
    /// When too much has gone wrong.
    pub breaker: BreakerLimits,
    /// How long an order whose end is only assumed counts as open, ns.
    pub assumed_ns: u64,
}

impl Default for RiskLimits {
    /// Wide enough for a strategy in a harness; a run has those of its configuration.
    fn default() -> RiskLimits {
        RiskLimits {
            instruments: Arc::default(),
            max_open_orders: 64,
            venues: Arc::default(),
            allowed_types: OrderTypes::ALL,
            max_orders_per_s: 1_000,
            max_cancels_per_s: NO_LIMIT,
            max_open_notional: NO_LIMIT,
            max_daily_loss: NO_LIMIT,
            refuses_self_cross: false,
            breaker: BreakerLimits::default(),
            assumed_ns: 300_000_000_000,
        }
    }
}

impl RiskLimits {
    /// Those in an instrument.
    #[must_use]
    pub fn of(&self, instrument: usize) -> InstrumentLimits {
        self.instruments.get(instrument).copied().unwrap_or_default()
    }
}

/// Limits that strategies share: those of a venue, or of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLimits {
    /// Open orders at a time.
    pub max_open_orders: i64,
    /// New orders and amendments in any second.
    pub max_orders_per_s: i64,
    /// Cancels of strategies in any second.
    pub max_cancels_per_s: i64,
    /// What all open orders may trade for together, by quote asset, in units of 10^-8.
    pub max_open_notional: i64,
    /// Loss of a day, as in [`RiskLimits::max_daily_loss`]; of the engine alone.
    pub max_daily_loss: i64,
    /// Order types that are allowed.
    pub allowed_types: OrderTypes,
    /// By instrument, the largest position, long or short; none is set for one that is not there.
    pub max_position: Arc<[i64]>,
}

impl Default for GroupLimits {
    /// None is set.
    fn default() -> GroupLimits {
        GroupLimits {
            max_open_orders: NO_LIMIT,
            max_orders_per_s: NO_LIMIT,
            max_cancels_per_s: NO_LIMIT,
            max_open_notional: NO_LIMIT,
            max_daily_loss: NO_LIMIT,
            allowed_types: OrderTypes::ALL,
            max_position: Arc::default(),
        }
    }
}

/// All limits that strategies share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedLimits {
    /// By venue; none is set for one that is not there.
    pub venues: Vec<GroupLimits>,
    /// Of the engine.
    pub total: GroupLimits,
}
