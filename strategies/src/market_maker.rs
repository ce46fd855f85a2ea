//! A market maker: one bid and one ask a venue around its best quote, moved when the market moves
//! away.
//!
//! Its orders are told apart by venue: each venue's quote moves that venue's orders alone, and of
//! two on one side, such as after a revival, the second is cancelled. A side that is refused, by
//! the venue or by the risk check, is left alone there for a second, and twice as long after each
//! further refusal, up to a minute; the other side goes on. The position limit counts what is
//! filled and what is open, over all venues.

use pitlane_engine::Params;
use pitlane_engine::consumer::{Context, NewOrder, Strategy, StrategyResult, SubmitError, View};
use pitlane_engine::event::{
    EventKind, ExecReport, ExecType, InstrumentId, Interest, Price, Qty, Quote, RejectReason, Side,
    VenueId,
};
use pitlane_engine::order::{OpenOrder, OrderNeeds, OrderType, TimeInForce};

use crate::params::{only, whole};

/// Quotes both sides with a fixed size, and leans against its position.
#[derive(Clone, Debug)]
pub struct MarketMaker {
    /// Distance from the best price at which it quotes, in ticks.
    distance_ticks: i64,
    /// A quote is moved when it is this many ticks from where it should be.
    tolerance_ticks: i64,
    /// Quantity of a quote, in steps.
    size_steps: i64,
    /// Position, in quotes, beyond which no order of ours may bring it, if all that is open fills.
    position_max: i64,
    /// Sides that were refused.
    refused: Vec<Refused>,
}

/// The first and the longest pause of a side that was refused, ns.
const PAUSE_NS: (u64, u64) = (1_000_000_000, 60_000_000_000);

/// Sides that there is room for from the start, so that a first refusal allocates nothing.
const PLACES_USUAL: usize = 256;

/// A side that a venue refused, and until when it is left alone.
#[derive(Clone, Copy, Debug)]
struct Refused {
    venue: VenueId,
    instrument: InstrumentId,
    side: Side,
    pause_ns: u64,
    until_ns: u64,
}

impl MarketMaker {
    /// Parameters, all whole numbers: `distance_ticks` (0 to 10,000, default 1), `tolerance_ticks`
    /// (0 to 10,000, default 2), `size_steps` (1 to 1,000,000,000, default 100), `position_max` (1
    /// to 1,000,000 quotes, default 20).
    ///
    /// # Errors
    /// One line on what is wrong with the parameters.
    pub fn from_params(params: &Params) -> Result<MarketMaker, String> {
        only(params, &["distance_ticks", "tolerance_ticks", "size_steps", "position_max"])?;
        Ok(MarketMaker {
            distance_ticks: whole(params, "distance_ticks", 1, 0..=10_000)?,
            tolerance_ticks: whole(params, "tolerance_ticks", 2, 0..=10_000)?,
            size_steps: whole(params, "size_steps", 100, 1..=1_000_000_000)?,
            position_max: whole(params, "position_max", 20, 1..=1_000_000)?,
            refused: Vec::with_capacity(PLACES_USUAL),
        })
    }

    /// Whether a venue's refusal still holds this side back.
    fn is_held_back(&self, quote: &View<'_, Quote>, side: Side, now_ns: u64) -> bool {
        let is_it = |refused: &&Refused| {
            (refused.venue, refused.instrument, refused.side)
                == (quote.venue(), quote.instrument(), side)
        };
        self.refused.iter().find(is_it).is_some_and(|refused| now_ns < refused.until_ns)
    }

    /// Whether another order of `size` keeps the position within its limit, whatever fills.
    fn has_room(&self, instrument: InstrumentId, side: Side, size: i64, ctx: &Context) -> bool {
        let net = ctx.position(instrument).net;
        let signed = if side == Side::Buy { net } else { net.saturating_neg() };
        let same = |order: &&OpenOrder| order.side == side && order.instrument == instrument;
        let open = ctx.open_orders().iter().filter(same);
        let open = open.fold(0_i64, |sum, order| sum.saturating_add(order.qty.0 - order.filled.0));
        let most = self.position_max.saturating_mul(size);
        signed.saturating_add(open).saturating_add(size) <= most
    }

    fn quote_side(
        &mut self,
        quote: &View<'_, Quote>,
        side: Side,
        target: Price,
        ctx: &mut Context,
    ) {
        let (venue, instrument) = (quote.venue(), quote.instrument());
        let Some(spec) = ctx.instrument(instrument) else { return };
        let (tick, size) = (spec.tick, self.size_steps.saturating_mul(spec.step));
        let is_mine = |order: &&OpenOrder| {
            (order.venue, order.side) == (venue, side) && order.instrument == instrument
        };
        let mut mine = ctx.open_orders().iter().filter(is_mine);
        let (first, second) = (mine.next().copied(), mine.next().copied());
        if let Some(order) = second.filter(|order| !order.cancel_pending) {
            self.try_now(ctx.cancel(order.id), (venue, instrument, side), ctx);
        }
        if let Some(order) = first {
            let is_away = order.price.0.abs_diff(target.0).cast_signed()
                > self.tolerance_ticks.saturating_mul(tick);
            if is_away && !order.cancel_pending {
                self.try_now(ctx.cancel(order.id), (venue, instrument, side), ctx);
            }
            return;
        }
        let is_held_back = self.is_held_back(quote, side, ctx.now_ns());
        if is_held_back || !self.has_room(instrument, side, size, ctx) {
            return;
        }
        let sent = ctx.submit(NewOrder {
            venue,
            instrument,
            side,
            price: target,
            qty: Qty(size),
            order_type: OrderType::LimitMaker,
            time_in_force: TimeInForce::Gtc,
        });
        self.try_now(sent.map(drop), (venue, instrument, side), ctx);
    }

    /// What can't leave at this moment is no failure of ours, and is tried again later.
    fn try_now(
        &mut self,
        sent: Result<(), SubmitError>,
        (venue, instrument, side): (VenueId, InstrumentId, Side),
        ctx: &Context,
    ) {
        use RejectReason::{MaxOpenOrders, OrderLaneFull, RateLimit, TradingHalted, UnknownOrder};
        match sent {
            Ok(()) => {}
            // It has ended in the meantime, or is about to be possible again.
            Err(SubmitError { reason: UnknownOrder | OrderLaneFull, .. }) => {}
            // The limit is a second's, and nobody turns trading on again much sooner: no use in
            // asking at each quote.
            Err(SubmitError { reason: RateLimit | TradingHalted | MaxOpenOrders, .. }) => {
                self.hold_back((venue, instrument, side), ctx.now_ns(), |_| PAUSE_NS.0);
            }
            Err(SubmitError { .. }) => self.on_refused((venue, instrument, side), ctx.now_ns()),
        }
    }

    fn on_refused(&mut self, refused: (VenueId, InstrumentId, Side), now_ns: u64) {
        self.hold_back(refused, now_ns, |before_ns| (2 * before_ns).clamp(PAUSE_NS.0, PAUSE_NS.1));
    }

    /// Leaves a side alone for as long as `pause_ns` makes of its last pause, 0 for none.
    fn hold_back(
        &mut self,
        (venue, instrument, side): (VenueId, InstrumentId, Side),
        now_ns: u64,
        pause_ns: impl FnOnce(u64) -> u64,
    ) {
        let is_it = |r: &Refused| (r.venue, r.instrument, r.side) == (venue, instrument, side);
        let found = self.refused.iter().position(is_it);
        let index = found.unwrap_or_else(|| {
            let (pause_ns, until_ns) = (0, 0);
            self.refused.push(Refused { venue, instrument, side, pause_ns, until_ns });
            self.refused.len() - 1
        });
        let refused = &mut self.refused[index];
        refused.pause_ns = pause_ns(refused.pause_ns);
        refused.until_ns = now_ns + refused.pause_ns;
    }
}

impl Strategy for MarketMaker {
    fn needs(&self, _venue: &str) -> OrderNeeds {
        OrderNeeds::of(&[OrderType::LimitMaker]).and_times(&[TimeInForce::Gtc])
    }

    fn interest(&self) -> Interest {
        Interest::NONE.and(EventKind::Quote)
    }

    fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
        let (Some(bid), Some(ask)) = (quote.bid(), quote.ask()) else { return Ok(()) };
        let Some(spec) = ctx.instrument(quote.instrument()) else { return Ok(()) };
        let away = self.distance_ticks * spec.tick;
        let bid_target = Price((bid.0 - away).max(spec.tick));
        self.quote_side(&quote, Side::Buy, bid_target, ctx);
        self.quote_side(&quote, Side::Sell, Price(ask.0.saturating_add(away)), ctx);
        Ok(())
    }

    fn on_exec_report(
        &mut self,
        report: View<'_, ExecReport>,
        ctx: &mut Context,
    ) -> StrategyResult {
        let Some(side) = report.side() else { return Ok(()) };
        let (venue, instrument) = (report.venue(), report.instrument());
        let is_it = |r: &Refused| (r.venue, r.instrument, r.side) == (venue, instrument, side);
        match report.exec_type() {
            Some(ExecType::Rejected) => self.on_refused((venue, instrument, side), ctx.now_ns()),
            // It is accepted again.
            Some(ExecType::New) => self.refused.retain(|refused| !is_it(refused)),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitlane_engine::order::OrderAction;
    use pitlane_engine::risk::{InstrumentLimits, RiskLimits};
    use pitlane_engine::testing::Harness;

    fn maker() -> MarketMaker {
        MarketMaker::from_params(&Params::new()).unwrap()
    }

    #[test]
    fn quotes_both_sides_and_moves_them_with_the_market() {
        let mut harness = Harness::new(maker());
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        let orders = harness.orders();
        let prices: Vec<_> = orders.iter().map(|order| order.price).collect();
        assert_eq!(prices, [9_999, 10_003]);
        orders.iter().for_each(|order| harness.acknowledge(order));
        harness.quote(Price(10_001), Qty(1), Price(10_003), Qty(1));
        assert!(harness.orders().is_empty(), "one tick is within the tolerance");
        harness.quote(Price(10_010), Qty(1), Price(10_012), Qty(1));
        let cancels = harness.orders();
        assert_eq!(cancels.len(), 2);
        assert!(cancels.iter().all(|order| order.action() == Some(OrderAction::Cancel)));
        assert_eq!(harness.failures().total, 0);
    }

    #[test]
    fn each_venues_quote_moves_that_venues_orders_alone() {
        let mut harness = Harness::new(maker());
        let mut at = |venue: u16, bid: i64| {
            let harness = harness.at_venue(VenueId(venue));
            harness.quote(Price(bid), Qty(1), Price(bid + 2), Qty(1));
            let orders = harness.orders();
            orders.iter().for_each(|order| harness.acknowledge(order));
            orders
        };
        assert_eq!((at(0, 10_000).len(), at(1, 10_100).len()), (2, 2));
        for _ in 0..100 {
            assert_eq!((at(0, 10_000).len(), at(1, 10_100).len()), (0, 0), "none is moved");
        }
        let moved = at(1, 10_200);
        assert!(moved.len() == 2 && moved.iter().all(|order| order.venue == 1), "{moved:?}");
    }

    #[test]
    fn a_side_that_is_refused_is_left_alone_longer_each_time_and_the_other_goes_on() {
        let mut harness = Harness::new(maker());
        let mut submits = 0;
        for _ in 0..60_000 {
            harness.advance_ns(1_000_000);
            harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
            for order in harness.orders() {
                let is_buy = order.side() == Some(Side::Buy);
                submits += u32::from(is_buy);
                if is_buy { harness.rejected(&order) } else { harness.acknowledge(&order) }
            }
        }
        assert_eq!(submits, 6, "after 0, 1, 3, 7, 15, 31 s of a minute");
        assert_eq!(harness.context().open_orders().len(), 1, "it still sells");
    }

    #[test]
    fn what_the_risk_check_refuses_is_not_tried_with_each_quote() {
        let small = InstrumentLimits { max_order_qty: 10, ..InstrumentLimits::default() };
        let limits = RiskLimits { instruments: [small].into(), ..RiskLimits::default() };
        let spec = Harness::new(maker()).context().instrument(InstrumentId(0)).unwrap().clone();
        let mut harness = Harness::on(spec, limits, maker());
        for _ in 0..1_000 {
            harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        }
        assert_eq!(harness.context().order_counts().refused, 2, "once a side");
        assert_eq!(harness.failures().total, 0);
    }

    /// A market maker with these limits that was given a quote each millisecond.
    fn quoted(limits: RiskLimits, times: u64) -> Harness {
        let spec = Harness::new(maker()).context().instrument(InstrumentId(0)).unwrap().clone();
        let mut harness = Harness::on(spec, limits, maker());
        for _ in 0..times {
            harness.advance_ns(1_000_000);
            harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        }
        harness
    }

    #[test]
    fn asks_once_a_second_for_what_is_not_to_be_had_at_the_moment() {
        let limits = RiskLimits { max_open_orders: 1, ..RiskLimits::default() };
        let mut harness = quoted(limits, 2_500);
        assert_eq!((harness.orders().len(), harness.context().order_counts().refused), (1, 3));
    }

    #[test]
    fn asks_for_no_more_orders_within_a_second_whose_limit_is_reached() {
        let limits = RiskLimits { max_orders_per_s: 1, ..RiskLimits::default() };
        let mut harness = quoted(limits, 900);
        assert_eq!((harness.orders().len(), harness.context().order_counts().refused), (1, 1));
        harness.advance_ns(1_000_000_000);
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        assert_eq!(harness.orders().len(), 1, "the other side follows");
    }

    #[test]
    fn of_two_orders_on_a_side_one_is_cancelled() {
        let mut harness = Harness::new(maker());
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        let bid = harness.orders()[0];
        harness.canceled(&bid);
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        let again = harness.orders()[0];
        harness.revived(&bid);
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        let cancels = harness.orders();
        assert_eq!(cancels.len(), 1, "{cancels:?}");
        assert_eq!(cancels[0].action(), Some(OrderAction::Cancel));
        assert!([again.client_order_id, bid.client_order_id].contains(&cancels[0].client_order_id));
    }

    #[test]
    fn stops_buying_at_its_position_limit() {
        let mut harness = Harness::new(MarketMaker { position_max: 1, ..maker() });
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        let bid = harness.orders()[0];
        harness.fill(&bid, Qty(bid.qty), Qty(0));
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        assert!(harness.orders().iter().all(|order| order.side() == Some(Side::Sell)));
    }

    #[test]
    fn counts_what_is_open_against_its_position_limit() {
        let mut harness = Harness::new(MarketMaker { position_max: 1, ..maker() });
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        let bid = harness.orders()[0];
        harness.fill(&bid, Qty(bid.qty / 2), Qty(0));
        // Half of it is filled and half still open: not one more.
        harness.quote(Price(10_000), Qty(1), Price(10_002), Qty(1));
        assert!(harness.orders().is_empty());
    }
}
