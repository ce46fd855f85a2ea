//! A strategy that does everything a strategy can do with orders, by seed, and nothing sensible.

use crate::consumer::{Context, NewOrder, Strategy, StrategyResult, VenueSet, View};
use crate::event::{ExecReport, InstrumentId, Interest, Price, Qty, Quote, Side, VenueId};
use crate::order::{OpenOrder, OrderFlags, OrderType, TimeInForce};
use crate::world::SplitMix64;

const MS: u64 = 1_000_000;
/// The longest time between two actions, ns.
const PAUSE_NS_MAX: u64 = 600 * MS;
/// Its one timer.
const TIMER: u64 = 1;
/// Steps in which it picks a quantity.
const STEPS_MAX: u64 = 400;
/// Ticks by which its prices lie away from the best, on either side.
const TICKS_MAX: u64 = 200;

/// The last quote of one venue.
#[derive(Clone, Copy, Debug)]
struct Seen {
    venue: VenueId,
    instrument: InstrumentId,
    bid: Price,
    ask: Price,
}

/// Submits orders of all types, cancels, amends, asks for states, and turns its streams off and on.
#[derive(Debug)]
pub struct RandomTrader {
    random: SplitMix64,
    seen: Vec<Seen>,
}

impl RandomTrader {
    /// A trader whose every choice follows from `seed` and from what it is told.
    #[must_use]
    pub fn new(seed: u64) -> RandomTrader {
        RandomTrader { random: SplitMix64::new(seed), seen: Vec::new() }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let last = (from.len() as u64).checked_sub(1)?;
        Some(from[self.random.between(0, last) as usize])
    }

    fn act(&mut self, ctx: &mut Context) {
        // What is refused is counted where it was; this strategy learns nothing from it.
        match self.random.between(0, 19) {
            0..=9 => self.submit(ctx),
            10..=12 => {
                if let Some(order) = self.pick(ctx.open_orders()) {
                    let _refused = ctx.cancel(order.id);
                }
            }
            13 => {
                let _refused = ctx.cancel_all();
            }
            14 | 15 => self.amend(ctx),
            16 => {
                if let Some(order) = self.pick(ctx.open_orders()) {
                    let _refused = ctx.query(order.id);
                }
            }
            17 => self.change_streams(ctx),
            _ => (0..self.random.between(2, 12)).for_each(|_| self.submit(ctx)),
        }
    }

    fn submit(&mut self, ctx: &mut Context) {
        let seen = std::mem::take(&mut self.seen);
        let chosen = self.pick(&seen);
        self.seen = seen;
        let Some(Seen { venue, instrument, bid, ask }) = chosen else { return };
        let Some(spec) = ctx.instrument(instrument) else { return };
        let (tick, step) = (spec.tick, spec.step);
        let is_buy = self.random.between(0, 1) == 0;
        let (side, best) = if is_buy { (Side::Buy, bid) } else { (Side::Sell, ask) };
        let away = self.random.between(0, 2 * TICKS_MAX).cast_signed() - TICKS_MAX.cast_signed();
        let price = Price((best.0 + away * tick).max(tick));
        let types = [OrderType::Limit, OrderType::LimitMaker, OrderType::Market];
        let order_type = types[[0, 0, 0, 1, 1, 2][self.random.between(0, 5) as usize]];
        let lives = [TimeInForce::Gtc, TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok];
        let time_in_force = match order_type {
            OrderType::Limit => lives[self.random.between(0, 3) as usize],
            _ => TimeInForce::Gtc,
        };
        let qty = Qty(step * self.random.between(20, STEPS_MAX).cast_signed());
        let price = if order_type == OrderType::Market { Price(0) } else { price };
        let order = NewOrder { venue, instrument, side, price, qty, order_type, time_in_force };
        let reduce_only = self.random.between(0, 63) == 0;
        let flags = OrderFlags { reduce_only, ..OrderFlags::default() };
        let _refused = ctx.submit_with(order, flags);
    }

    /// The same price and less: what every venue that amends can do; now and then more, which some
    /// can't, or another price at any venue.
    fn amend(&mut self, ctx: &mut Context) {
        let Some(order) = self.pick(ctx.open_orders()) else { return };
        let Some(step) = ctx.instrument(order.instrument).map(|spec| spec.step) else { return };
        let OpenOrder { id, price, qty, filled, .. } = order;
        if self.random.between(0, 3) == 0 {
            return self.move_price(order, ctx);
        }
        let most = (qty.0 - filled.0) / step;
        let steps = self.random.between(1, most.max(1).cast_unsigned()).cast_signed();
        let sign = if self.random.between(0, 7) == 0 { 1 } else { -1 };
        let _refused = ctx.modify(id, price, Qty((qty.0 + sign * steps * step).max(step)));
    }

    /// Another price: an amendment where the venue has one for it, else a cancel and a new order.
    fn move_price(&mut self, order: OpenOrder, ctx: &mut Context) {
        let Some(tick) = ctx.instrument(order.instrument).map(|spec| spec.tick) else { return };
        let ticks = self.random.between(1, TICKS_MAX).cast_signed();
        // Away from the other side: it rests at its new price, too.
        let by = if order.side == Side::Buy { -ticks } else { ticks };
        let price = if order.price.0 == 0 { 0 } else { (order.price.0 + by * tick).max(tick) };
        let _refused = ctx.replace(order.id, Price(price), order.qty);
    }

    fn change_streams(&mut self, ctx: &mut Context) {
        let seen = std::mem::take(&mut self.seen);
        let chosen = self.pick(&seen);
        self.seen = seen;
        let Some(Seen { venue, instrument, .. }) = chosen else { return };
        let venues = VenueSet::of(&[venue]);
        let kinds = Interest::NONE.and(crate::event::EventKind::Trade);
        let _refused = match self.random.between(0, 1) {
            0 => ctx.unsubscribe(venues, instrument, kinds),
            _ => ctx.subscribe(venues, instrument, kinds),
        };
    }
}

impl Strategy for RandomTrader {
    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        ctx.set_timer(PAUSE_NS_MAX, TIMER);
        Ok(())
    }

    fn on_quote(&mut self, quote: View<'_, Quote>, _ctx: &mut Context) -> StrategyResult {
        let (Some(bid), Some(ask)) = (quote.bid(), quote.ask()) else { return Ok(()) };
        let (venue, instrument) = (quote.venue(), quote.instrument());
        let now = Seen { venue, instrument, bid, ask };
        match self.seen.iter_mut().find(|it| (it.venue, it.instrument) == (venue, instrument)) {
            Some(seen) => *seen = now,
            None => self.seen.push(now),
        }
        Ok(())
    }

    fn on_exec_report(
        &mut self,
        _report: View<'_, ExecReport>,
        ctx: &mut Context,
    ) -> StrategyResult {
        // At once, while the venue may still be busy with the order.
        if self.random.between(0, 15) == 0 {
            self.act(ctx);
        }
        Ok(())
    }

    fn on_timer(&mut self, _id: u64, ctx: &mut Context) -> StrategyResult {
        self.act(ctx);
        ctx.set_timer(self.random.between(MS, PAUSE_NS_MAX), TIMER);
        Ok(())
    }
}

/// Takes everything and does nothing: what it is told is what there was to tell.
#[derive(Debug, Default)]
pub struct Listener;

impl Strategy for Listener {}
