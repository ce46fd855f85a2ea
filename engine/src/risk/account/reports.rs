//! What becomes of what orders hold, by the words on them.

use std::sync::atomic::Ordering;

use super::{Account, RELAXED};
use crate::event::{
    Certainty, ClientOrderId, ExecReport, ExecType, InstrumentId, Price, RejectReason, Side,
    VenueId,
};
use crate::order::trading::{Holding, Ledger, RowProfit};
use crate::order::{OpenOrder, OrderTracker};
use crate::risk::book::{Claim, add_own};
use crate::risk::held::Held;
use crate::risk::limits::NO_LIMIT;
use crate::risk::loss::DailyLoss;
use crate::risk::self_cross::any_price;

impl Account {
    /// A report. What it has changed of the position is told before.
    pub(crate) fn reported(
        &mut self,
        at: (VenueId, InstrumentId),
        report: &ExecReport,
        now_ns: u64,
    ) {
        let Some(exec_type) = report.exec_type() else { return };
        if exec_type == ExecType::Rejected && is_trouble(report.reason()) {
            self.note_trouble(now_ns);
        }
        let id = ClientOrderId(report.client_order_id);
        match self.held.place(id) {
            Some(place) => self.follow(place, exec_type, report, now_ns),
            None if exec_type == ExecType::Revived => self.revive(at, report),
            None => {}
        }
    }

    /// The position of a row of the ledger: told before anything that was held for it is given
    /// back, so that no other strategy finds room that there is not.
    #[inline]
    pub(crate) fn holds(&mut self, row: usize, at: (VenueId, InstrumentId), holding: Holding) {
        let Some(counted) = self.holdings.get_mut(row) else { return };
        let before = std::mem::replace(counted, holding);
        let least = holding.least.saturating_sub(before.least);
        self.moved(at, Holding { least, most: holding.most.saturating_sub(before.most) });
    }

    /// A position has changed by so much.
    #[inline]
    pub(crate) fn moved(&self, (venue, instrument): (VenueId, InstrumentId), by: Holding) {
        if let Some(place) = self.cells().places.get(instrument.index()) {
            add_own(&place.worst[0], by.most);
            add_own(&place.worst[1], by.least.saturating_neg());
        }
        if let Some(group) = self.book.venues.get(venue.index()) {
            group.moved(instrument, by);
        }
        self.book.total.moved(instrument, by);
    }

    #[inline]
    fn follow(&mut self, place: usize, exec_type: ExecType, report: &ExecReport, now_ns: u64) {
        let reason = report.reason();
        let held = *self.held.get_mut(place);
        let mut next = held;
        let is_settled = match exec_type {
            // By inference: it may still come true. Or another one is under way.
            ExecType::ModifyRejected => {
                !matches!(reason, Some(RejectReason::NeverArrived | RejectReason::DuplicateId))
            }
            ExecType::Replaced => held.amended == (report.price, report.qty),
            _ => false,
        };
        if is_settled {
            (next.amended, next.qty) = ((0, 0), held.told_qty);
        }
        if let Some(status) = report.status() {
            if status.is_terminal() {
                let is_assumed =
                    exec_type != ExecType::Trade && report.certainty() == Some(Certainty::Assumed);
                if !is_assumed {
                    return self.release(place);
                }
                let until_ns = now_ns.saturating_add(self.assumed_ns).max(1);
                return self.held.assume(place, until_ns);
            }
            self.held.assume(place, 0);
            next.assumed_until_ns = 0;
            next.price = if report.price == 0 { any_price(held.side) } else { report.price };
            next.money_price = held.money_price.max(report.price);
            let of_amendment = next.amended.1.saturating_sub(report.filled_qty);
            next.told_qty = report.remaining_qty().max(0);
            next.qty = next.told_qty.max(of_amendment);
            if report.certainty() == Some(Certainty::Unknown) {
                next.qty = next.qty.max(held.qty.saturating_sub(report.last_qty));
            }
        }
        self.settle(place, &held, next);
    }

    /// An order holds something else from now on.
    fn settle(&mut self, place: usize, held: &Held, mut next: Held) {
        let money = self.book.money[held.instrument.index()];
        next.notional = money.notional(next.money_price, next.qty);
        *self.held.get_mut(place) = next;
        if (next.qty, next.notional) != (held.qty, held.notional) {
            let claim = Claim {
                qty: held.qty - next.qty,
                notional: held.notional - next.notional,
                ..self.claim(held, 0)
            };
            self.give_back_claim(held.venue, &claim);
        }
        if held.rests && (next.price, next.amended) != (held.price, held.amended) {
            self.show_best((held.venue, held.instrument), held.side);
        }
    }

    /// An order whose end was told before, and counts again.
    #[cold]
    fn revive(&mut self, at: (VenueId, InstrumentId), report: &ExecReport) {
        let Some(side) = report.side() else { return };
        let (price, id) = (Price(report.price), ClientOrderId(report.client_order_id));
        self.hold(id, at, side, (price.0, report.trigger_price), report.remaining_qty());
    }

    /// Takes up what was open and held before this account was made. What was earned before is no
    /// part of the day's loss.
    #[cold]
    pub(crate) fn begin(&mut self, tracker: &OrderTracker, ledger: &Ledger) {
        for row in 0..ledger.rows_used() {
            let Some(((venue, instrument), profit)) = ledger.profit(row) else { continue };
            let asset = self.book.money.get(instrument.index()).map_or(0, |money| money.asset);
            self.loss.begin(row, asset, profit.net(None));
            self.holds(row, (venue, instrument), ledger.holding(row));
        }
        tracker.open().iter().for_each(|order| self.adopt(order));
    }

    fn adopt(&mut self, order: &OpenOrder) {
        let remains = order.qty.0.saturating_sub(order.filled.0);
        let prices = (order.price.0, order.trigger_price.0);
        self.hold(order.id, (order.venue, order.instrument), order.side, prices, remains);
    }

    fn hold(
        &mut self,
        id: ClientOrderId,
        (venue, instrument): (VenueId, InstrumentId),
        side: Side,
        (price, trigger_price): (i64, i64),
        qty: i64,
    ) {
        let Some(money) = self.book.money.get(instrument.index()).copied() else { return };
        let money_price = price.max(trigger_price);
        let held = Held {
            id,
            venue,
            instrument,
            side,
            price: if price == 0 { any_price(side) } else { price },
            money_price,
            qty,
            told_qty: qty,
            notional: money.notional(money_price, qty),
            amended: (0, 0),
            rests: trigger_price == 0,
            assumed_until_ns: 0,
        };
        let claim = self.claim(&held, 1);
        self.add_own(&claim);
        if let Some(group) = self.book.venues.get(venue.index()) {
            group.force(&claim);
        }
        self.book.total.force(&claim);
        self.held.push(held);
        self.cells().used.open_orders.store(self.held.count() as i64, RELAXED);
        if held.rests {
            self.show_best((venue, instrument), side);
        }
    }

    /// Something was refused by the check.
    #[cold]
    pub(crate) fn note_refusal(&mut self, reason: RejectReason, now_ns: u64) {
        if is_trouble(Some(reason)) {
            self.note_trouble(now_ns);
        }
    }

    fn note_trouble(&mut self, now_ns: u64) {
        let limits = &self.book.strategies[self.strategy].limits;
        let limit = limits.breaker_events.load(RELAXED);
        let window_ns = limits.breaker_window_ns.load(RELAXED);
        if limit != NO_LIMIT && self.breaker.note(now_ns, limit, window_ns) {
            self.trip(limit, limit, now_ns);
        }
    }

    fn trip(&mut self, value: i64, limit: i64, now_ns: u64) {
        self.breaker.reset();
        let cells = self.cells();
        if cells.used.breaker.holds(now_ns) {
            return;
        }
        let cooldown_ns = cells.limits.breaker_cooldown_ns.load(RELAXED);
        cells.used.breaker.ring(now_ns.saturating_add(cooldown_ns), value, limit);
        self.book.changed();
    }

    /// Whether profits have to be told at all.
    #[inline]
    pub(crate) fn follows_profit(&self) -> bool {
        let limits = &self.cells().limits;
        limits.max_daily_loss.load(Ordering::Relaxed) != NO_LIMIT
            || self.book.total.max_daily_loss.load(Ordering::Relaxed) != NO_LIMIT
            || limits.breaker_loss.load(Ordering::Relaxed) != NO_LIMIT
    }

    /// A trade has realised so much more in an instrument, fees taken off, in units of 10^-8.
    pub(crate) fn earned(&mut self, instrument: InstrumentId, by: i64, now_ns: u64) {
        let limits = &self.book.strategies[self.strategy].limits;
        let limit = limits.breaker_loss.load(RELAXED);
        let Some(money) = self.book.money.get(instrument.index()) else { return };
        if limit == NO_LIMIT {
            return;
        }
        let window_ns = limits.breaker_window_ns.load(RELAXED);
        let lost = self.breaker.earned(money.asset, by, now_ns, window_ns);
        if lost >= limit {
            self.trip(lost, limit, now_ns);
        }
    }

    /// Values one instrument at one venue, and rings when the day has cost too much.
    pub(crate) fn value(
        &mut self,
        row: usize,
        (venue, instrument): (VenueId, InstrumentId),
        profit: &RowProfit,
        (now_ns, wall_ns): (u64, i64),
    ) {
        let Some(money) = self.book.money.get(instrument.index()) else { return };
        let prices = self.book.marks.read(venue, instrument);
        let best = if profit.position > 0 { prices.bid } else { prices.ask };
        let price = [best, prices.last_trade].into_iter().find(|price| *price > 0);
        let lost = self.loss.value(row, money.asset, profit, price, wall_ns);
        let cells = &self.book.strategies[self.strategy];
        cells.used.daily_loss.store(lost, RELAXED);
        self.book.lost(cells, money.asset, lost, (now_ns, wall_ns));
        let limit = cells.limits.max_daily_loss.load(RELAXED);
        if limit != NO_LIMIT && lost >= limit && !cells.used.loss.holds(now_ns) {
            let until_ns = now_ns.saturating_add(DailyLoss::rest_ns(wall_ns));
            cells.used.loss.ring(until_ns, lost, limit);
            self.book.changed();
        }
    }

    /// The row that is to be valued beside the order's own, of so many.
    #[inline]
    pub(crate) fn turn(&mut self, rows: usize) -> usize {
        self.loss.turn(rows)
    }
}

/// Whether a refusal counts for the breaker: not those that say that nothing may leave anyway.
fn is_trouble(reason: Option<RejectReason>) -> bool {
    !matches!(
        reason,
        Some(
            RejectReason::TradingHalted
                | RejectReason::CircuitBreaker
                | RejectReason::DailyLoss
                | RejectReason::NotConnected
                | RejectReason::OrderLaneFull
        )
    )
}
