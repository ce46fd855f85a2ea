//! One strategy's side of the check: what it holds, and whether one more order may leave.
//!
//! Its strategy's thread owns it. [`Account::reserve`] asks for everything and takes it, or takes
//! nothing; whoever then can't send the order gives back what was reserved ([`Account::undo`]),
//! whoever sends it has it held ([`Account::opened`]) until a report ends it.

mod checks;
mod reports;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::book::{Claim, Place, RiskBook, StrategyCells, add_own, index_of};
use super::breaker::Breaker;
use super::held::{Held, HeldOrders};
use super::loss::DailyLoss;
use super::refused::{Refused, RiskScope};
use super::self_cross::{any_price, better, none};
use crate::event::{ClientOrderId, InstrumentId, RejectReason, Side, VenueId};
use crate::order::OrderType;
use crate::order::trading::Holding;
use crate::safety::Quarantine;

/// What an account is made of.
pub(crate) struct AccountParts {
    pub(crate) book: Arc<RiskBook>,
    /// Which of the book's strategies it is.
    pub(crate) strategy: usize,
    pub(crate) quarantine: Quarantine,
    /// How long an order whose end is only assumed counts, ns.
    pub(crate) assumed_ns: u64,
    /// Instruments at venues of which profit is known, at most.
    pub(crate) rows: usize,
}

/// The account of one strategy.
pub(crate) struct Account {
    book: Arc<RiskBook>,
    strategy: usize,
    quarantine: Quarantine,
    assumed_ns: u64,
    held: HeldOrders,
    breaker: Breaker,
    loss: DailyLoss,
    /// By row of the ledger, the position that is counted.
    holdings: Box<[Holding]>,
}

/// A new order that wants to leave. Prices and quantities in the instrument's scales; its terms fit
/// tick and step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) venue: VenueId,
    pub(crate) instrument: InstrumentId,
    pub(crate) side: Side,
    /// 0 for an order without one.
    pub(crate) price: i64,
    pub(crate) qty: i64,
    pub(crate) order_type: OrderType,
    /// 0 for an order that does not wait.
    pub(crate) trigger_price: i64,
}

/// What was reserved for an order that has not left yet.
#[must_use]
pub(crate) struct Reserved(Held);

impl Account {
    pub(crate) fn new(parts: AccountParts) -> Account {
        let AccountParts { book, strategy, quarantine, assumed_ns, rows } = parts;
        let assets = book.instruments.asset_count();
        let room = book.strategies.get(strategy).map_or(0, |cells| cells.room);
        Account {
            strategy,
            quarantine,
            assumed_ns,
            held: HeldOrders::new(room),
            breaker: Breaker::new(assets),
            loss: DailyLoss::new(rows, assets),
            holdings: vec![Holding::default(); rows].into(),
            book,
        }
    }

    #[inline]
    fn cells(&self) -> &StrategyCells {
        &self.book.strategies[self.strategy]
    }

    #[inline]
    fn place(&self, instrument: InstrumentId) -> Result<&Place, Refused> {
        let place = self.cells().places.get(instrument.index());
        place.ok_or_else(|| RejectReason::UnknownInstrument.into())
    }

    /// Asks whether an order may leave now, and reserves what it could come to.
    ///
    /// # Errors
    /// The first limit that it would break; nothing is reserved then.
    #[inline]
    pub(crate) fn reserve(&mut self, ask: &Ask, now_ns: u64) -> Result<Reserved, Refused> {
        self.give_up_assumed(now_ns);
        self.may_trade(ask.venue, now_ns)?;
        self.check_type(ask)?;
        let money_price = self.check_terms(ask, now_ns)?;
        let limits = &self.cells().limits;
        let (open, most) = (self.held.count() as i64, limits.max_open_orders.load(RELAXED));
        if open >= most {
            let reason = RejectReason::MaxOpenOrders;
            return Err(Refused::by(RiskScope::Strategy, reason, open + 1, most));
        }
        let money = self.book.money[ask.instrument.index()];
        let held = Held {
            id: ClientOrderId(0),
            venue: ask.venue,
            instrument: ask.instrument,
            side: ask.side,
            price: if ask.price == 0 { any_price(ask.side) } else { ask.price },
            money_price,
            qty: ask.qty,
            told_qty: ask.qty,
            notional: money.notional(money_price, ask.qty),
            amended: (0, 0),
            rests: !ask.order_type.is_stop(),
            assumed_until_ns: 0,
        };
        let claim = self.claim(&held, 1);
        self.check_own(&claim)?;
        self.reserve_shared(&held, &claim, now_ns)?;
        self.add_own(&claim);
        Ok(Reserved(held))
    }

    /// What was reserved is held by an order that has left.
    #[inline]
    pub(crate) fn opened(&mut self, reserved: Reserved, id: ClientOrderId) {
        self.held.push(Held { id, ..reserved.0 });
        self.cells().used.open_orders.store(self.held.count() as i64, RELAXED);
    }

    /// What was reserved is not needed: the order could not leave.
    #[cold]
    pub(crate) fn undo(&mut self, reserved: Reserved) {
        self.give_back(&reserved.0, 1);
    }

    /// Asks whether an order may become another, and reserves the larger of both.
    ///
    /// # Errors
    /// The first limit that it would break, by what it would become; nothing is reserved then.
    pub(crate) fn reserve_amendment(
        &mut self,
        id: ClientOrderId,
        (price, qty): (i64, i64),
        filled: i64,
        now_ns: u64,
    ) -> Result<(), Refused> {
        let place = self.held.place(id).ok_or(RejectReason::UnknownOrder)?;
        let held = *self.held.get_mut(place);
        self.may_trade(held.venue, now_ns)?;
        let is_priced = price != 0;
        let becomes = Ask {
            venue: held.venue,
            instrument: held.instrument,
            side: held.side,
            price,
            qty,
            order_type: if is_priced { OrderType::Limit } else { OrderType::Market },
            trigger_price: 0,
        };
        let money_price = self.check_terms(&becomes, now_ns)?.max(held.money_price);
        let remains = qty.saturating_sub(filled).max(held.qty);
        let notional = self.book.money[held.instrument.index()].notional(money_price, remains);
        let notional = notional.max(held.notional);
        let (old_price, old_qty) = held.amended;
        let becomes_price = if is_priced { price } else { any_price(held.side) };
        let amended_price = match old_qty {
            0 => becomes_price,
            _ => better(held.side, old_price, becomes_price),
        };
        let grown = Held {
            qty: remains,
            notional,
            money_price,
            amended: (amended_price, qty.max(old_qty)),
            ..held
        };
        let claim = Claim {
            qty: remains - held.qty,
            notional: notional - held.notional,
            ..self.claim(&grown, 0)
        };
        self.check_own(&claim)?;
        self.reserve_shared(&Held { price: becomes_price, ..grown }, &claim, now_ns)?;
        self.add_own(&claim);
        *self.held.get_mut(place) = grown;
        Ok(())
    }

    /// Asks whether a cancel of the strategy may leave now.
    ///
    /// # Errors
    /// The rate that it would break.
    #[inline]
    pub(crate) fn may_cancel(&mut self, venue: VenueId, now_ns: u64) -> Result<(), Refused> {
        let Account { book, strategy, .. } = self;
        let cancels = &book.strategies[*strategy].limits.cancels;
        if !cancels.take(now_ns) {
            let (reason, per_s) = (RejectReason::CancelRate, cancels.per_s());
            return Err(Refused::by(RiskScope::Strategy, reason, per_s, per_s));
        }
        if let Some(group) = book.venues.get(venue.index()) {
            group.may_cancel(now_ns)?;
        }
        book.total.may_cancel(now_ns)
    }

    /// What of an order's is claimed of what strategies share.
    #[inline]
    fn claim(&self, held: &Held, orders: i64) -> Claim {
        Claim {
            instrument: held.instrument,
            side: held.side,
            orders,
            qty: held.qty,
            notional: held.notional,
            asset: self.book.money[held.instrument.index()].asset,
        }
    }

    /// Reserves at the venue and in the engine, after the own price is shown and before the rates
    /// are asked: what is refused takes nothing of a rate.
    #[inline]
    fn reserve_shared(&mut self, held: &Held, claim: &Claim, now_ns: u64) -> Result<(), Refused> {
        let shown = self.show_price(held)?;
        let outcome = self.reserve_groups(held.venue, claim, now_ns);
        if outcome.is_err() && shown {
            self.show_best((held.venue, held.instrument), held.side);
        }
        outcome
    }

    #[inline]
    fn reserve_groups(
        &mut self,
        venue: VenueId,
        claim: &Claim,
        now_ns: u64,
    ) -> Result<(), Refused> {
        let Account { book, strategy, .. } = self;
        let group = book.venues.get(venue.index());
        if let Some(group) = group {
            group.reserve(claim)?;
        }
        let give_back_venue = || {
            if let Some(group) = group {
                group.give_back(claim);
            }
        };
        book.total.reserve(claim).inspect_err(|_| give_back_venue())?;
        let orders = &book.strategies[*strategy].limits.orders;
        let own = match orders.take(now_ns) {
            true => Ok(()),
            false => {
                let (reason, per_s) = (RejectReason::RateLimit, orders.per_s());
                Err(Refused::by(RiskScope::Strategy, reason, per_s, per_s))
            }
        };
        let of_venue = own.and_then(|()| group.map_or(Ok(()), |group| group.may_order(now_ns)));
        of_venue.and_then(|()| book.total.may_order(now_ns)).inspect_err(|_| {
            book.total.give_back(claim);
            give_back_venue();
        })
    }

    /// Shows the others that an order may rest at its price, and looks whether it could trade with
    /// one of ours. Whether anything is shown now that was not before.
    #[inline]
    fn show_price(&self, held: &Held) -> Result<bool, Refused> {
        let Some(own_best) = &self.book.own_best else { return Ok(false) };
        if !held.rests {
            return Ok(false);
        }
        let at = (held.venue, held.instrument);
        let best = own_best.get(at, self.strategy, held.side);
        own_best.set(at, self.strategy, held.side, better(held.side, best, held.price));
        if !self.cells().limits.refuses_self_cross.load(RELAXED) {
            return Ok(true);
        }
        match own_best.crossed(at.0, at.1, held.side, held.price) {
            None => Ok(true),
            Some(own) => {
                own_best.set(at, self.strategy, held.side, best);
                let reason = RejectReason::SelfCross;
                Err(Refused::by(RiskScope::Engine, reason, held.price, own))
            }
        }
    }

    /// Shows the best price of what is still held on a side.
    fn show_best(&self, at: (VenueId, InstrumentId), side: Side) {
        if let Some(own_best) = &self.book.own_best {
            let best = |one, other| better(side, one, other);
            let price = self.held.prices(at, side).fold(none(side), best);
            own_best.set(at, self.strategy, side, price);
        }
    }

    #[inline]
    fn add_own(&self, claim: &Claim) {
        let cells = self.cells();
        if let Some(place) = cells.places.get(claim.instrument.index()) {
            add_own(&place.worst[index_of(claim.side)], claim.qty);
        }
        if let Some(sum) = cells.used.open_notional.get(claim.asset) {
            add_own(sum, claim.notional);
        }
    }

    /// Gives back what an order held; it must have been taken out before.
    #[inline]
    fn give_back(&mut self, held: &Held, orders: i64) {
        let claim = self.claim(held, orders);
        self.give_back_claim(held.venue, &claim);
        if held.rests {
            self.show_best((held.venue, held.instrument), held.side);
        }
    }

    #[inline]
    fn give_back_claim(&self, venue: VenueId, claim: &Claim) {
        let Claim { qty, notional, .. } = *claim;
        self.add_own(&Claim { qty: -qty, notional: -notional, ..*claim });
        if let Some(group) = self.book.venues.get(venue.index()) {
            group.give_back(claim);
        }
        self.book.total.give_back(claim);
    }

    /// Orders whose assumed end nobody has contradicted for long enough count no longer.
    #[inline]
    fn give_up_assumed(&mut self, now_ns: u64) {
        while let Some(place) = self.held.given_up(now_ns) {
            self.release(place);
        }
    }

    /// Takes an order out, and gives back all that it held.
    #[inline]
    fn release(&mut self, place: usize) {
        let held = self.held.remove(place);
        self.give_back(&held, 1);
        self.cells().used.open_orders.store(self.held.count() as i64, RELAXED);
    }
}

const RELAXED: Ordering = Ordering::Relaxed;
