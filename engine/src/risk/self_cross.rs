//! The best prices of our own open orders, by venue, instrument and strategy.
//!
//! Each strategy writes its own. It writes before it looks at the others', both in one order over
//! all cores: of two that cross, at least one sees the other.

use std::sync::atomic::{AtomicI64, Ordering, fence};

use crate::event::{InstrumentId, Side, VenueId};

/// No order buys.
pub(super) const NO_BUY: i64 = i64::MIN;
/// No order sells.
pub(super) const NO_SELL: i64 = i64::MAX;

/// The price of an order without one: it takes any.
#[inline]
pub(super) const fn any_price(side: Side) -> i64 {
    match side {
        Side::Buy => i64::MAX,
        Side::Sell => i64::MIN,
    }
}

/// Best buy and best sell of one strategy.
#[derive(Debug)]
struct Pair {
    buy: AtomicI64,
    sell: AtomicI64,
}

/// All of them; those of one instrument at one venue lie together.
#[derive(Debug)]
pub(super) struct OwnBest {
    pairs: Box<[Pair]>,
    instruments: usize,
    strategies: usize,
}

impl OwnBest {
    pub(super) fn new(venues: usize, instruments: usize, strategies: usize) -> OwnBest {
        let pair = |_| Pair { buy: AtomicI64::new(NO_BUY), sell: AtomicI64::new(NO_SELL) };
        let pairs = (0..venues * instruments * strategies).map(pair).collect();
        OwnBest { pairs, instruments, strategies }
    }

    #[inline]
    fn of(&self, venue: VenueId, instrument: InstrumentId) -> &[Pair] {
        let first = (venue.index() * self.instruments + instrument.index()) * self.strategies;
        self.pairs.get(first..first + self.strategies).unwrap_or_default()
    }

    /// A strategy's best price on a side is this one from now on.
    #[inline]
    pub(super) fn set(
        &self,
        (venue, instrument): (VenueId, InstrumentId),
        strategy: usize,
        side: Side,
        price: i64,
    ) {
        if let Some(pair) = self.of(venue, instrument).get(strategy) {
            let cell = if side == Side::Buy { &pair.buy } else { &pair.sell };
            cell.store(price, Ordering::SeqCst);
        }
    }

    /// A strategy's best price on a side.
    #[inline]
    pub(super) fn get(
        &self,
        (venue, instrument): (VenueId, InstrumentId),
        strategy: usize,
        side: Side,
    ) -> i64 {
        let Some(pair) = self.of(venue, instrument).get(strategy) else {
            return if side == Side::Buy { NO_BUY } else { NO_SELL };
        };
        let cell = if side == Side::Buy { &pair.buy } else { &pair.sell };
        cell.load(Ordering::Relaxed)
    }

    /// The own price that an order could trade with; its own strategy's price is set already.
    #[inline]
    pub(super) fn crossed(
        &self,
        venue: VenueId,
        instrument: InstrumentId,
        side: Side,
        price: i64,
    ) -> Option<i64> {
        fence(Ordering::SeqCst);
        self.of(venue, instrument).iter().find_map(|pair| match side {
            Side::Buy => {
                let sell = pair.sell.load(Ordering::SeqCst);
                (sell != NO_SELL && sell <= price).then_some(sell)
            }
            Side::Sell => {
                let buy = pair.buy.load(Ordering::SeqCst);
                (buy != NO_BUY && buy >= price).then_some(buy)
            }
        })
    }
}

/// The better of two prices on a side.
#[inline]
pub(super) fn better(side: Side, one: i64, other: i64) -> i64 {
    match side {
        Side::Buy => one.max(other),
        Side::Sell => one.min(other),
    }
}

/// The price of a side without an order.
#[inline]
pub(super) const fn none(side: Side) -> i64 {
    match side {
        Side::Buy => NO_BUY,
        Side::Sell => NO_SELL,
    }
}
