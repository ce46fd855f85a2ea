//! The single checks.

use super::{Account, Ask, RELAXED};
use crate::event::{BookStatus, ConsumerId, RejectReason, Side, VenueId};
use crate::order::OrderTypes;
use crate::order::trading::LastPrices;
use crate::risk::book::{Claim, Place, index_of};
use crate::risk::limits::NO_LIMIT;
use crate::risk::refused::{Refused, RiskScope};

/// How far through the book an order without a price is thought to go where no band says it, in
/// hundredths of a percent.
const SLACK_BPS: i64 = 500;
/// One.
const WHOLE_BPS: i128 = 10_000;

fn by_strategy(reason: RejectReason, value: i64, limit: i64) -> Refused {
    Refused::by(RiskScope::Strategy, reason, value, limit)
}

/// `price` and so many hundredths of a percent of it, rounded away from it.
#[inline]
fn beyond(price: i64, bps: i64, side: Side) -> i64 {
    let part = i128::from(price) * i128::from(bps);
    let part = i64::try_from(part.div_euclid(WHOLE_BPS)).unwrap_or(i64::MAX);
    match side {
        Side::Buy => price.saturating_add(part),
        Side::Sell => price.saturating_sub(part),
    }
}

/// The price that an order of this side would meet; 0 when none is known.
#[inline]
fn opposite(prices: &LastPrices, side: Side) -> i64 {
    let best = if side == Side::Buy { prices.ask } else { prices.bid };
    if best > 0 { best } else { prices.last_trade }
}

impl Account {
    /// Whether anything that adds risk may leave at all.
    #[inline]
    pub(super) fn may_trade(&self, venue: VenueId, now_ns: u64) -> Result<(), Refused> {
        let cells = self.cells();
        if self.quarantine.kills().has(ConsumerId(self.strategy as u16), venue) {
            return Err(RejectReason::TradingHalted.into());
        }
        let (breaker, loss) = (&cells.used.breaker, &cells.used.loss);
        if breaker.holds(now_ns) {
            let (value, limit) = (breaker.value.load(RELAXED), breaker.limit.load(RELAXED));
            return Err(by_strategy(RejectReason::CircuitBreaker, value, limit));
        }
        let limit = cells.limits.max_daily_loss.load(RELAXED);
        if limit != NO_LIMIT && loss.holds(now_ns) {
            return Err(by_strategy(RejectReason::DailyLoss, loss.value.load(RELAXED), limit));
        }
        let total = &self.book.total;
        let limit = total.max_daily_loss.load(RELAXED);
        if limit != NO_LIMIT && total.loss.holds(now_ns) {
            let (reason, value) = (RejectReason::DailyLoss, total.loss.value.load(RELAXED));
            return Err(Refused::by(RiskScope::Engine, reason, value, limit));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check_type(&self, ask: &Ask) -> Result<(), Refused> {
        let refused = |scope| {
            Err(Refused::by(scope, RejectReason::OrderType, i64::from(ask.order_type as u8), 0))
        };
        let own = self.cells().limits.allowed_types.load(RELAXED);
        if !OrderTypes::from_bits(own).has(ask.order_type) {
            return refused(RiskScope::Strategy);
        }
        let group = self.book.venues.get(ask.venue.index());
        if group.is_some_and(|group| !group.allows(ask.order_type)) {
            return refused(RiskScope::Venue);
        }
        if !self.book.total.allows(ask.order_type) {
            return refused(RiskScope::Engine);
        }
        Ok(())
    }

    /// Quantity, age of the book, price and money of one order; the price that its money is counted
    /// at, 0 when none is known and nothing depends on it.
    #[inline]
    pub(super) fn check_terms(&self, ask: &Ask, now_ns: u64) -> Result<i64, Refused> {
        let place = self.place(ask.instrument)?;
        let qty_max = place.max_order_qty.load(RELAXED);
        if ask.qty > qty_max {
            return Err(by_strategy(RejectReason::MaxOrderQty, ask.qty, qty_max));
        }
        let stale_ns = place.stale_ns.load(RELAXED);
        let band_bps = place.price_band_bps.load(RELAXED);
        let trigger_bps = match ask.trigger_price {
            0 => NO_LIMIT,
            _ => place.trigger_band_bps.load(RELAXED),
        };
        let notional_max = place.max_order_notional.load(RELAXED);
        let is_money_limited = notional_max != NO_LIMIT || self.is_sum_limited(ask.venue);
        let is_free = ask.price > 0 && (!is_money_limited || ask.side == Side::Buy);
        let is_held = band_bps != NO_LIMIT || trigger_bps != NO_LIMIT;
        let looks = stale_ns != NO_LIMIT || is_held || !is_free;
        let prices = match looks {
            true => self.book.marks.read(ask.venue, ask.instrument),
            false => LastPrices::default(),
        };
        if stale_ns != NO_LIMIT {
            self.check_age(ask, &prices, stale_ns, now_ns)?;
        }
        if band_bps != NO_LIMIT && ask.price > 0 {
            check_band(ask, &prices, band_bps)?;
        }
        if ask.price > 0 && ask.trigger_price == 0 {
            self.check_range(ask, now_ns)?;
        }
        if trigger_bps != NO_LIMIT {
            check_trigger_band(ask, &prices, trigger_bps)?;
        }
        let money_price = self.money_price(ask, &prices, place);
        if is_money_limited {
            if money_price == 0 {
                return Err(RejectReason::NoReference.into());
            }
            let money = self.book.money[ask.instrument.index()];
            let notional = money.notional(money_price, ask.qty);
            if notional > notional_max {
                return Err(by_strategy(RejectReason::MaxNotional, notional, notional_max));
            }
        }
        Ok(money_price)
    }

    /// A price against the range that the venue sets, where it would refuse it for sure.
    #[inline]
    fn check_range(&self, ask: &Ask, now_ns: u64) -> Result<(), Refused> {
        let at = (ask.venue, ask.instrument);
        let Some((lowest, highest)) = self.book.marks.price_range(at, ask.side, now_ns) else {
            return Ok(());
        };
        let limit = ask.price.clamp(lowest, highest);
        match limit == ask.price {
            true => Ok(()),
            false => {
                let reason = RejectReason::PriceRange;
                Err(Refused::by(RiskScope::Venue, reason, ask.price, limit))
            }
        }
    }

    /// Whether anybody limits what all open orders trade for.
    #[inline]
    fn is_sum_limited(&self, venue: VenueId) -> bool {
        let group = self.book.venues.get(venue.index());
        self.cells().limits.max_open_notional.load(RELAXED) != NO_LIMIT
            || self.book.total.max_open_notional.load(RELAXED) != NO_LIMIT
            || group.is_some_and(|group| group.max_open_notional.load(RELAXED) != NO_LIMIT)
    }

    fn check_age(
        &self,
        ask: &Ask,
        prices: &LastPrices,
        stale_ns: i64,
        now_ns: u64,
    ) -> Result<(), Refused> {
        let book = self.book.marks.book(ask.venue, ask.instrument);
        let is_live = book.is_none_or(|(status, ..)| status == BookStatus::Live);
        let age_ns = now_ns.saturating_sub(prices.at_ns);
        let age_ns =
            if prices.at_ns == 0 { NO_LIMIT } else { age_ns.try_into().unwrap_or(NO_LIMIT) };
        match is_live && age_ns <= stale_ns {
            true => Ok(()),
            false => Err(by_strategy(RejectReason::StaleBook, age_ns, stale_ns)),
        }
    }

    /// The most, for a buy, that it may trade at; for a sell the best that it may meet.
    #[inline]
    fn money_price(&self, ask: &Ask, prices: &LastPrices, place: &Place) -> i64 {
        let band_bps = place.price_band_bps.load(RELAXED);
        let slack_bps = if band_bps == NO_LIMIT { SLACK_BPS } else { band_bps };
        let trigger_price = ask.trigger_price;
        match (ask.side, ask.price) {
            (Side::Buy, 0) => {
                let meets = opposite(prices, Side::Buy).max(trigger_price);
                beyond(meets, slack_bps, Side::Buy)
            }
            (Side::Buy, price) => price,
            (Side::Sell, price) => {
                let meets = if price == 0 { opposite(prices, Side::Sell) } else { prices.bid };
                price.max(meets).max(trigger_price)
            }
        }
    }

    /// Position and money of the strategy, if all that is open filled.
    #[inline]
    pub(super) fn check_own(&self, claim: &Claim) -> Result<(), Refused> {
        let place = self.place(claim.instrument)?;
        let worst = place.worst[index_of(claim.side)].load(RELAXED).saturating_add(claim.qty);
        let limit = place.max_position.load(RELAXED);
        if claim.qty > 0 && worst > limit {
            return Err(by_strategy(RejectReason::MaxPosition, worst, limit));
        }
        let cells = self.cells();
        let sum = cells.used.open_notional.get(claim.asset).map_or(0, |sum| sum.load(RELAXED));
        let (sum, limit) =
            (sum.saturating_add(claim.notional), cells.limits.max_open_notional.load(RELAXED));
        if claim.notional > 0 && sum > limit {
            return Err(by_strategy(RejectReason::MaxNotional, sum, limit));
        }
        Ok(())
    }
}

/// A price against the book: a buy above the ask and a sell below the bid by no more than the band.
/// A stop is held against its own trigger price, where it will be.
fn check_band(ask: &Ask, prices: &LastPrices, band_bps: i64) -> Result<(), Refused> {
    let reference = match ask.trigger_price {
        0 => opposite(prices, ask.side),
        trigger_price => trigger_price,
    };
    if reference <= 0 {
        return Err(RejectReason::NoReference.into());
    }
    let limit = beyond(reference, band_bps, ask.side);
    let is_within = match ask.side {
        Side::Buy => ask.price <= limit,
        Side::Sell => ask.price >= limit,
    };
    match is_within {
        true => Ok(()),
        false => Err(by_strategy(RejectReason::PriceBand, ask.price, limit)),
    }
}

/// A trigger price against the market, on either side of it.
#[cold]
fn check_trigger_band(ask: &Ask, prices: &LastPrices, band_bps: i64) -> Result<(), Refused> {
    let reference = opposite(prices, ask.side);
    if reference <= 0 {
        return Err(RejectReason::NoReference.into());
    }
    let (low, high) =
        (beyond(reference, band_bps, Side::Sell), beyond(reference, band_bps, Side::Buy));
    let trigger_price = ask.trigger_price;
    match (low..=high).contains(&trigger_price) {
        true => Ok(()),
        false => {
            let limit = if trigger_price < low { low } else { high };
            Err(by_strategy(RejectReason::PriceBand, trigger_price, limit))
        }
    }
}
