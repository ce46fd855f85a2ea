//! The limits in force and what is used of them: one board for all strategies of an engine.
//!
//! A limit is written by an operator's thread and read by the strategies', a word each. What one
//! strategy uses is written by its own thread alone. What strategies share is reserved by adding
//! first and looking then: who finds that it was too much takes its part back and is refused. So
//! two that race for the last room may both be refused, and never both pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::limits::{GroupLimits, NO_LIMIT, RiskLimits, SharedLimits};
use super::money::Money;
use super::refused::{Refused, RiskScope};
use super::self_cross::OwnBest;
use crate::event::{InstrumentId, RejectReason, Side};
use crate::instrument::Instruments;
use crate::order::OrderTypes;
use crate::order::trading::{Holding, Marks};
use crate::rate::Window;

/// Everything that risk knows of an engine.
pub(crate) struct RiskBook {
    pub(super) strategies: Box<[StrategyCells]>,
    pub(super) venues: Box<[GroupCells]>,
    pub(super) venue_names: Box<[String]>,
    pub(super) total: GroupCells,
    /// `None` when no strategy asked for it at the start.
    pub(super) own_best: Option<OwnBest>,
    pub(super) money: Box<[Money]>,
    pub(super) instruments: Arc<Instruments>,
    pub(super) marks: Arc<Marks>,
    /// Changes of limits and alarms: who finds it unchanged need not look.
    pub(super) changes: AtomicU64,
}

/// One strategy in one instrument: a line.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Place {
    pub(super) max_order_qty: AtomicI64,
    pub(super) max_order_notional: AtomicI64,
    pub(super) max_position: AtomicI64,
    pub(super) price_band_bps: AtomicI64,
    pub(super) trigger_band_bps: AtomicI64,
    pub(super) stale_ns: AtomicI64,
    /// The position if all that buys filled, and nothing that sells; and the other way round, with
    /// its sign turned. Written by the strategy.
    pub(super) worst: [AtomicI64; 2],
}

/// One strategy.
pub(super) struct StrategyCells {
    pub(super) name: String,
    pub(super) places: Box<[Place]>,
    /// Open orders that there is memory for.
    pub(super) room: usize,
    pub(super) limits: CachePadded<StrategyScalars>,
    pub(super) used: CachePadded<StrategyUse>,
}

/// Limits of a strategy as a whole.
pub(super) struct StrategyScalars {
    pub(super) max_open_orders: AtomicI64,
    pub(super) orders: RateCell,
    pub(super) cancels: RateCell,
    pub(super) max_open_notional: AtomicI64,
    pub(super) max_daily_loss: AtomicI64,
    pub(super) allowed_types: AtomicU8,
    pub(super) refuses_self_cross: AtomicBool,
    pub(super) breaker_events: AtomicI64,
    pub(super) breaker_loss: AtomicI64,
    pub(super) breaker_window_ns: AtomicU64,
    pub(super) breaker_cooldown_ns: AtomicU64,
}

/// What a strategy uses, written by its thread.
pub(super) struct StrategyUse {
    pub(super) open_orders: AtomicI64,
    /// By asset.
    pub(super) open_notional: Box<[AtomicI64]>,
    /// The day's loss in the asset in which it is largest; below 0 for a profit.
    pub(super) daily_loss: AtomicI64,
    /// By asset, what was lost on `lost_day` as of the last look; below 0 for a profit.
    pub(super) lost: Box<[AtomicI64]>,
    pub(super) lost_day: AtomicI64,
    pub(super) breaker: Alarm,
    pub(super) loss: Alarm,
}

/// Something that holds a strategy's orders for a time.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// Until then, ns of the engine's clock; 0 when it never rang.
    pub(super) until_ns: AtomicU64,
    pub(super) count: AtomicU64,
    pub(super) value: AtomicI64,
    pub(super) limit: AtomicI64,
}

/// So many in any second.
#[derive(Debug)]
pub(super) struct RateCell {
    per_s: AtomicI64,
    window: Window,
}

/// What strategies share: a venue, or the engine.
pub(super) struct GroupCells {
    pub(super) max_open_orders: AtomicI64,
    pub(super) orders: CachePadded<RateCell>,
    pub(super) cancels: CachePadded<RateCell>,
    pub(super) max_open_notional: AtomicI64,
    pub(super) max_daily_loss: AtomicI64,
    /// The day's loss of all together, in the asset in which it was looked at last.
    pub(super) daily_loss: AtomicI64,
    pub(super) loss: Alarm,
    pub(super) allowed_types: AtomicU8,
    pub(super) open_orders: CachePadded<AtomicI64>,
    /// By asset.
    pub(super) open_notional: Box<[CachePadded<AtomicI64>]>,
    pub(super) places: Box<[GroupPlace]>,
    scope: RiskScope,
}

/// What strategies share in one instrument: a line.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct GroupPlace {
    pub(super) max_position: AtomicI64,
    /// As [`Place::worst`], of all strategies.
    pub(super) worst: [AtomicI64; 2],
}

/// What an order, or the growth of one, takes of what strategies share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    /// Orders: 1 or 0.
    pub(super) orders: i64,
    pub(super) qty: i64,
    pub(super) notional: i64,
    pub(super) asset: usize,
}

/// The index of a side in a pair of worst cases.
#[inline]
pub(super) const fn index_of(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl RiskBook {
    /// Memory of the limits of one strategy, or of what strategies share, in one instrument.
    pub(crate) const PLACE_BYTES: usize = size_of::<Place>();

    /// Of strategies by name, with their limits, and what they share.
    pub(crate) fn new(
        strategies: &[(&str, &RiskLimits)],
        shared: &SharedLimits,
        venues: &[String],
        instruments: &Arc<Instruments>,
        marks: &Arc<Marks>,
    ) -> RiskBook {
        let group = |limits: &GroupLimits, scope| GroupCells::new(limits, scope, instruments);
        let of_venue = |(index, _): (usize, &String)| {
            let limits = shared.venues.get(index).cloned().unwrap_or_default();
            group(&limits, RiskScope::Venue)
        };
        let crosses = strategies.iter().any(|(_, limits)| limits.refuses_self_cross);
        RiskBook {
            strategies: strategies
                .iter()
                .map(|(name, limits)| StrategyCells::new(name, limits, instruments))
                .collect(),
            venues: venues.iter().enumerate().map(of_venue).collect(),
            venue_names: venues.into(),
            total: group(&shared.total, RiskScope::Engine),
            own_best: crosses
                .then(|| OwnBest::new(venues.len(), instruments.len(), strategies.len())),
            money: instruments.iter().map(|(id, _)| Money::of(instruments, id)).collect(),
            instruments: Arc::clone(instruments),
            marks: Arc::clone(marks),
            changes: AtomicU64::new(0),
        }
    }

    /// How often a limit was changed, or an alarm rang.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }
}

impl StrategyCells {
    fn new(name: &str, limits: &RiskLimits, instruments: &Instruments) -> StrategyCells {
        let places = (0..instruments.len()).map(|index| Place::new(limits, index)).collect();
        let flag = AtomicI64::new;
        StrategyCells {
            name: name.to_owned(),
            places,
            room: limits.max_open_orders,
            limits: CachePadded::new(StrategyScalars {
                max_open_orders: flag(limits.max_open_orders as i64),
                orders: RateCell::new(i64::from(limits.max_orders_per_s.max(1))),
                cancels: RateCell::new(limits.max_cancels_per_s),
                max_open_notional: flag(limits.max_open_notional),
                max_daily_loss: flag(limits.max_daily_loss),
                allowed_types: AtomicU8::new(limits.allowed_types.bits()),
                refuses_self_cross: AtomicBool::new(limits.refuses_self_cross),
                breaker_events: flag(limits.breaker.events),
                breaker_loss: flag(limits.breaker.loss),
                breaker_window_ns: AtomicU64::new(limits.breaker.window_ns),
                breaker_cooldown_ns: AtomicU64::new(limits.breaker.cooldown_ns),
            }),
            used: CachePadded::new(StrategyUse {
                open_orders: AtomicI64::new(0),
                open_notional: (0..instruments.asset_count()).map(|_| AtomicI64::new(0)).collect(),
                daily_loss: AtomicI64::new(0),
                lost: (0..instruments.asset_count()).map(|_| AtomicI64::new(0)).collect(),
                lost_day: AtomicI64::new(0),
                breaker: Alarm::default(),
                loss: Alarm::default(),
            }),
        }
    }
}

impl Place {
    fn new(limits: &RiskLimits, instrument: usize) -> Place {
        let limits = limits.of(instrument);
        Place {
            max_order_qty: AtomicI64::new(limits.max_order_qty),
            max_order_notional: AtomicI64::new(limits.max_order_notional),
            max_position: AtomicI64::new(limits.max_position),
            price_band_bps: AtomicI64::new(limits.price_band_bps),
            trigger_band_bps: AtomicI64::new(limits.trigger_band_bps),
            stale_ns: AtomicI64::new(limits.stale_ns),
            worst: Default::default(),
        }
    }
}

impl Alarm {
    /// Rings until then, over what was found and the limit that it broke.
    #[cold]
    pub(super) fn ring(&self, until_ns: u64, value: i64, limit: i64) {
        self.value.store(value, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
        self.until_ns.store(until_ns, Ordering::Release);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Whether it holds.
    #[inline]
    pub(super) fn holds(&self, now_ns: u64) -> bool {
        now_ns < self.until_ns.load(Ordering::Acquire)
    }
}

impl RateCell {
    fn new(per_s: i64) -> RateCell {
        RateCell { per_s: AtomicI64::new(per_s), window: Window::default() }
    }

    /// From now on so many a second, at least 1; [`NO_LIMIT`] for no limit.
    pub(super) fn set(&self, per_s: i64) {
        self.per_s.store(per_s, Ordering::Relaxed);
    }

    pub(super) fn per_s(&self) -> i64 {
        self.per_s.load(Ordering::Relaxed)
    }

    /// Takes one, if there is one.
    #[inline]
    pub(super) fn take(&self, now_ns: u64) -> bool {
        match self.per_s() {
            NO_LIMIT => true,
            per_s => self.window.take(per_s.max(1).unsigned_abs(), now_ns),
        }
    }
}

impl GroupCells {
    fn new(limits: &GroupLimits, scope: RiskScope, instruments: &Instruments) -> GroupCells {
        let place = |index: usize| GroupPlace {
            max_position: AtomicI64::new(
                limits.max_position.get(index).copied().unwrap_or(NO_LIMIT),
            ),
            worst: Default::default(),
        };
        let zero = |_| CachePadded::new(AtomicI64::new(0));
        GroupCells {
            max_open_orders: AtomicI64::new(limits.max_open_orders),
            orders: CachePadded::new(RateCell::new(limits.max_orders_per_s)),
            cancels: CachePadded::new(RateCell::new(limits.max_cancels_per_s)),
            max_open_notional: AtomicI64::new(limits.max_open_notional),
            max_daily_loss: AtomicI64::new(limits.max_daily_loss),
            daily_loss: AtomicI64::new(0),
            loss: Alarm::default(),
            allowed_types: AtomicU8::new(limits.allowed_types.bits()),
            open_orders: CachePadded::default(),
            open_notional: (0..instruments.asset_count()).map(zero).collect(),
            places: (0..instruments.len()).map(place).collect(),
            scope,
        }
    }

    /// Whether orders of a type are allowed.
    #[inline]
    pub(super) fn allows(&self, order_type: crate::order::OrderType) -> bool {
        OrderTypes::from_bits(self.allowed_types.load(Ordering::Relaxed)).has(order_type)
    }

    /// Reserves all of a claim, or nothing.
    #[inline]
    pub(super) fn reserve(&self, claim: &Claim) -> Result<(), Refused> {
        let refused = |reason, value, limit| Err(Refused::by(self.scope, reason, value, limit));
        let open = add(&self.open_orders, claim.orders);
        let open_max = self.max_open_orders.load(Ordering::Relaxed);
        if claim.orders > 0 && open > open_max {
            add(&self.open_orders, -claim.orders);
            return refused(RejectReason::MaxOpenOrders, open, open_max);
        }
        if let Some(place) = self.places.get(claim.instrument.index()) {
            let worst = add(&place.worst[index_of(claim.side)], claim.qty);
            let limit = place.max_position.load(Ordering::Relaxed);
            if claim.qty > 0 && worst > limit {
                self.give_back(&Claim { notional: 0, ..*claim });
                return refused(RejectReason::MaxPosition, worst, limit);
            }
        }
        if let Some(cell) = self.open_notional.get(claim.asset) {
            let notional = add(cell, claim.notional);
            let limit = self.max_open_notional.load(Ordering::Relaxed);
            if claim.notional > 0 && notional > limit {
                self.give_back(claim);
                return refused(RejectReason::MaxNotional, notional, limit);
            }
        }
        Ok(())
    }

    /// Takes what has happened already, whatever the limits are.
    #[inline]
    pub(super) fn force(&self, claim: &Claim) {
        add(&self.open_orders, claim.orders);
        if let Some(place) = self.places.get(claim.instrument.index()) {
            add(&place.worst[index_of(claim.side)], claim.qty);
        }
        if let Some(cell) = self.open_notional.get(claim.asset) {
            add(cell, claim.notional);
        }
    }

    /// Gives a claim back.
    #[inline]
    pub(super) fn give_back(&self, claim: &Claim) {
        let Claim { orders, qty, notional, .. } = *claim;
        self.force(&Claim { orders: -orders, qty: -qty, notional: -notional, ..*claim });
    }

    /// The position in an instrument has changed by so much.
    #[inline]
    pub(super) fn moved(&self, instrument: InstrumentId, by: Holding) {
        if let Some(place) = self.places.get(instrument.index()) {
            add(&place.worst[0], by.most);
            add(&place.worst[1], by.least.saturating_neg());
        }
    }

    /// Takes an order out of the shared rate.
    #[inline]
    pub(super) fn may_order(&self, now_ns: u64) -> Result<(), Refused> {
        match self.orders.take(now_ns) {
            true => Ok(()),
            false => {
                let per_s = self.orders.per_s();
                Err(Refused::by(self.scope, RejectReason::RateLimit, per_s, per_s))
            }
        }
    }

    /// Takes a strategy's cancel out of the shared rate.
    #[inline]
    pub(super) fn may_cancel(&self, now_ns: u64) -> Result<(), Refused> {
        match self.cancels.take(now_ns) {
            true => Ok(()),
            false => {
                let per_s = self.cancels.per_s();
                Err(Refused::by(self.scope, RejectReason::CancelRate, per_s, per_s))
            }
        }
    }
}

/// Adds, and gives the sum.
#[inline]
fn add(cell: &AtomicI64, by: i64) -> i64 {
    if by == 0 {
        return cell.load(Ordering::Relaxed);
    }
    cell.fetch_add(by, Ordering::Relaxed).wrapping_add(by)
}

/// Adds to a cell that nobody else writes, and gives the sum.
#[inline]
pub(super) fn add_own(cell: &AtomicI64, by: i64) -> i64 {
    let sum = cell.load(Ordering::Relaxed).saturating_add(by);
    cell.store(sum, Ordering::Relaxed);
    sum
}
