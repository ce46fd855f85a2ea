//! Changes of open orders, and ends of many, as a strategy asks for them.

use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::consumer::{NewOrder, Replacement, StrategyResult, View};
use crate::event::RejectReason;
use crate::order::{
    Amends, Capabilities, Feature, OrderAction, OrderType, OrderTypes, TimeInForce,
};

/// An instrument whose tick and step are not 1.
pub(super) fn coarse() -> InstrumentSpec {
    InstrumentSpec { tick: 10, step: 5, ..InstrumentSpec::btc_usdt() }
}

/// Does to its orders what it is told to.
type Step = Box<dyn FnMut(&mut Context) + Send>;
struct Scripted(Arc<Mutex<Vec<Step>>>);

impl Strategy for Scripted {
    fn on_quote(&mut self, _quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
        let steps: Vec<Step> = self.0.lock().drain(..).collect();
        steps.into_iter().for_each(|mut step| step(ctx));
        Ok(())
    }
}

#[test]
fn an_order_is_amended_where_the_venue_can_and_else_cancelled_first_with_the_gap_told() {
    let can = Capabilities::of(OrderTypes::ALL).with_amends(Amends::Smaller);
    let limits = RiskLimits { venues: [can].into(), ..RiskLimits::default() };
    let steps = Arc::new(Mutex::new(Vec::<Step>::new()));
    let mut harness = Harness::on(coarse(), limits, Scripted(Arc::clone(&steps)));
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let run = |harness: &mut Harness, step: Step| {
        steps.lock().push(step);
        harness.quote(Price(6_000), Qty(5), Price(6_010), Qty(5));
    };
    let order = NewOrder {
        venue: VenueId(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        price: Price(5_000),
        qty: Qty(100),
        order_type: OrderType::LimitMaker,
        time_in_force: TimeInForce::Gtc,
    };
    run(&mut harness, Box::new(move |ctx| assert!(ctx.submit(order).is_ok())));
    let first = harness.orders()[0];
    harness.acknowledge(&first);
    harness.fill(&first, Qty(20), Qty(0));
    for (price, qty) in [(5_000, 90), (5_010, 90), (5_010, 15), (5_020, 95)] {
        let outcomes = Arc::clone(&outcomes);
        let step = move |ctx: &mut Context| {
            let id = ctx.open_orders()[0].id;
            let told = ctx.replace(id, Price(price), Qty(qty));
            outcomes.lock().push(told.map_err(|refused| refused.reason));
        };
        run(&mut harness, Box::new(step));
    }
    let outcomes = outcomes.lock().clone();
    assert_eq!(outcomes[0], Ok(Replacement::Amended));
    let Ok(Replacement::CancelFirst(new)) = outcomes[1] else { panic!("{outcomes:?}") };
    assert_eq!(outcomes[2..], [Err(RejectReason::UnknownOrder); 2], "its end is on its way");
    let sent = harness.orders();
    assert_eq!(sent.len(), 2, "nothing is cancelled beside");
    assert_eq!((sent[0].action(), sent[0].qty), (Some(OrderAction::Modify), 90));
    let command = sent[1];
    assert_eq!((command.id(), command.action()), (new, Some(OrderAction::Submit)));
    assert_eq!((command.price, command.qty), (5_010, 70), "what is filled is filled");
    assert_eq!((command.replaces, command.replaced_filled), (first.client_order_id, 20));
    assert_eq!(command.order_type(), Some(OrderType::LimitMaker), "of the same kind");
    let open = harness.context().open_orders();
    assert!(open[0].cancel_pending && open[1].status == OrderStatus::PendingNew);
    harness.canceled(&first);
    harness.acknowledge(&command);
    let open = harness.context().open_orders();
    assert_eq!((open.len(), open[0].id, open[0].status), (1, new, OrderStatus::New));
}

#[test]
fn an_order_that_takes_anothers_place_counts_as_a_cancel_too() {
    let venues = [Capabilities::of(OrderTypes::ALL)].into();
    let limits = RiskLimits { max_cancels_per_s: 1, venues, ..RiskLimits::default() };
    let steps = Arc::new(Mutex::new(Vec::<Step>::new()));
    let mut harness = Harness::on(coarse(), limits, Scripted(Arc::clone(&steps)));
    steps.lock().push(Box::new(|ctx| {
        let order = NewOrder {
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: Price(5_000),
            qty: Qty(100),
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
        };
        let ids = [0, 1].map(|_| ctx.submit(order).unwrap());
        assert!(ctx.replace(ids[0], Price(5_020), Qty(100)).is_ok());
        let refused = ctx.replace(ids[1], Price(5_030), Qty(100)).unwrap_err();
        assert_eq!(refused.reason, RejectReason::RateLimit);
        assert!(!ctx.open_orders()[1].cancel_pending, "nothing was asked for");
    }));
    harness.quote(Price(6_000), Qty(5), Price(6_010), Qty(5));
    assert_eq!(harness.orders().len(), 3);
}

#[test]
fn the_orders_of_one_instrument_end_together_and_those_of_strangers_only_when_asked_for() {
    let (some, every) =
        (Capabilities::of(OrderTypes::ALL), Capabilities::of(OrderTypes::ALL).with_symbol_cancel());
    let limits = RiskLimits { venues: [every, some].into(), ..RiskLimits::default() };
    let steps = Arc::new(Mutex::new(Vec::<Step>::new()));
    let mut harness = Harness::on(coarse(), limits, Scripted(Arc::clone(&steps)));
    steps.lock().push(Box::new(|ctx| {
        let order = |venue| NewOrder {
            venue: VenueId(venue),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: Price(5_000),
            qty: Qty(100),
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
        };
        for venue in [0, 1, 0] {
            assert!(ctx.submit(order(venue)).is_ok());
        }
        let btc = InstrumentId(0);
        assert_eq!(ctx.cancel_all_of(VenueId(0), btc), Ok(2));
        assert_eq!(ctx.cancel_all_of(VenueId(0), btc), Ok(0));
        assert_eq!(ctx.cancel_account(VenueId(0), btc), Ok(()));
        let lacks = ctx.cancel_account(VenueId(1), btc).unwrap_err();
        assert_eq!(lacks.lack.map(|lack| lack.feature), Some(Feature::SymbolCancel));
        assert_eq!(ctx.cancel_all(), Ok(1));
    }));
    harness.quote(Price(6_000), Qty(5), Price(6_010), Qty(5));
    let actions: Vec<_> = harness.orders().iter().filter_map(OrderCommand::action).collect();
    use OrderAction::{Cancel, CancelSymbol, Submit};
    assert_eq!(actions, [Submit, Submit, Submit, Cancel, Cancel, CancelSymbol, Cancel]);
}
