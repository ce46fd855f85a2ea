use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::*;
use crate::consumer::{Closure, NewOrder, Once, StrategyResult, SubmitError, View};
use crate::event::{ClientOrderId, Interest, RETOLD, RejectReason};
use crate::order::{
    Capabilities, Feature, Lack, OnceOutcome, OrderAction, OrderFlags, OrderType, OrderTypes,
    OwnId, TimeInForce,
};
use crate::risk::{InstrumentLimits, Refused};

struct Joiner;

impl Strategy for Joiner {
    fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
        if let (Some(price), true) = (quote.bid(), ctx.open_orders().is_empty()) {
            ctx.submit(NewOrder {
                venue: quote.venue(),
                instrument: quote.instrument(),
                side: Side::Buy,
                price,
                qty: Qty(100),
                order_type: OrderType::LimitMaker,
                time_in_force: TimeInForce::Gtc,
            })?;
        }
        Ok(())
    }
}

#[test]
fn a_strategy_is_driven_in_ten_lines() {
    let mut harness = Harness::new(Joiner);
    harness.quote(Price(6_000_000), Qty(10), Price(6_000_001), Qty(10));
    let orders = harness.orders();
    assert_eq!((orders.len(), orders[0].price), (1, 6_000_000));
    harness.acknowledge(&orders[0]);
    harness.fill(&orders[0], Qty(100), Qty(0));
    assert_eq!(harness.context().position(InstrumentId(0)).net, 100);
    assert!(harness.context().open_orders().is_empty());
}

#[test]
fn each_part_of_the_risk_check_refuses_what_it_is_there_for() {
    /// Submits one order for each quote: the quote's bid, and as quantity its size.
    struct Copier(Arc<Mutex<Vec<Result<(), RejectReason>>>>);
    impl Strategy for Copier {
        fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
            let submitted = ctx.submit(NewOrder {
                venue: quote.venue(),
                instrument: quote.instrument(),
                side: Side::Buy,
                price: Price(quote.bid_price),
                qty: Qty(quote.bid_qty),
                order_type: OrderType::LimitMaker,
                time_in_force: TimeInForce::Gtc,
            });
            self.0.lock().push(submitted.map(|_id| ()).map_err(|refused| refused.reason));
            Ok(())
        }
    }
    let limits = RiskLimits {
        instruments: [InstrumentLimits { max_order_qty: 100, ..Default::default() }].into(),
        max_open_orders: 3,
        max_orders_per_s: 4,
        ..RiskLimits::default()
    };
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let mut harness = Harness::on(changes::coarse(), limits, Copier(Arc::clone(&outcomes)));
    let mut submit = |price, qty| {
        harness.quote(Price(price), Qty(qty), Price(price + 10), Qty(5));
        outcomes.lock().pop().expect("the strategy was asked")
    };
    assert_eq!(submit(6_001, 5), Err(RejectReason::BadPrice), "off the tick");
    assert_eq!(submit(0, 5), Err(RejectReason::BadPrice));
    assert_eq!(submit(6_000, 7), Err(RejectReason::BadQty), "off the step");
    assert_eq!(submit(6_000, 0), Err(RejectReason::BadQty));
    assert_eq!(submit(6_000, 105), Err(RejectReason::MaxOrderQty));
    for _ in 0..3 {
        assert_eq!(submit(6_000, 100), Ok(()));
    }
    assert_eq!(submit(6_000, 100), Err(RejectReason::MaxOpenOrders));
    let orders = harness.orders();
    assert_eq!(orders.len(), 3, "what was refused was not sent");
    orders.iter().take(2).for_each(|order| harness.canceled(order));
    let mut submit = |price, qty| {
        harness.quote(Price(price), Qty(qty), Price(price + 10), Qty(5));
        outcomes.lock().pop().expect("the strategy was asked")
    };
    assert_eq!(submit(6_000, 100), Ok(()), "the fourth of this second");
    assert_eq!(submit(6_000, 100), Err(RejectReason::RateLimit));
}

/// Submits what it is told to, as a stop at a trigger price.
struct Stopper(Arc<Mutex<Vec<(NewOrder, Price)>>>, Arc<Mutex<Vec<Result<(), RejectReason>>>>);

impl Strategy for Stopper {
    fn on_quote(&mut self, _quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
        for (order, trigger) in self.0.lock().drain(..) {
            let submitted = ctx.submit_stop(order, trigger);
            self.1.lock().push(submitted.map(|_id| ()).map_err(|refused| refused.reason));
        }
        Ok(())
    }
}

#[test]
fn a_stop_has_a_trigger_price_and_a_venue_that_takes_it_and_counts_as_open() {
    let takes = Capabilities::of(OrderTypes::of(&[OrderType::Limit, OrderType::StopLoss]));
    let limits = RiskLimits { venues: [takes].into(), max_open_orders: 2, ..RiskLimits::default() };
    let (orders, outcomes) = <(Arc<Mutex<_>>, Arc<Mutex<_>>)>::default();
    let strategy = Stopper(Arc::clone(&orders), Arc::clone(&outcomes));
    let mut harness = Harness::on(changes::coarse(), limits, strategy);
    let stop = |order_type, price, trigger| {
        let order = NewOrder {
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Sell,
            price: Price(price),
            qty: Qty(5),
            order_type,
            time_in_force: TimeInForce::Gtc,
        };
        (order, Price(trigger))
    };
    *orders.lock() = vec![
        stop(OrderType::StopLoss, 0, 0),
        stop(OrderType::StopLoss, 0, -10),
        stop(OrderType::StopLoss, 0, 6_001),
        stop(OrderType::StopLoss, 6_000, 6_000),
        stop(OrderType::Limit, 6_000, 6_000),
        stop(OrderType::TakeProfit, 0, 6_000),
        stop(OrderType::StopLossLimit, 6_000, 6_000),
        stop(OrderType::StopLoss, 0, 6_000),
        stop(OrderType::Limit, 6_000, 0),
        stop(OrderType::StopLoss, 0, 6_000),
    ];
    harness.quote(Price(6_000), Qty(5), Price(6_010), Qty(5));
    let (bad, no) = (Err(RejectReason::BadPrice), Err(RejectReason::Unsupported));
    let full = Err(RejectReason::MaxOpenOrders);
    assert_eq!(
        *outcomes.lock(),
        [bad, bad, bad, bad, bad, no, no, Ok(()), Ok(()), full],
        "a stop that waits is as open as any"
    );
    let lacks =
        Lack { venue: VenueId(0), kind: "a_kind", feature: Feature::Type(OrderType::TakeProfit) };
    let told = SubmitError::from(Refused::from(lacks));
    assert_eq!((told.reason, told.lack), (RejectReason::Unsupported, Some(lacks)));
    assert_eq!(
        told.to_string(),
        "[risk] order refused: unsupported: venue 0 of kind a_kind has no order type take_profit \
         (code: 13)"
    );
    let sent = harness.orders();
    assert_eq!((sent.len(), sent[0].trigger_price, sent[0].price), (2, 6_000, 0));
    let context = harness.context();
    assert_eq!(context.open_orders()[0].trigger_price, Price(6_000));
    assert_eq!(context.capabilities(VenueId(0)), takes);
    assert_eq!(context.capabilities(VenueId(7)), Capabilities::NONE);
}

#[test]
fn cancel_all_cancels_each_open_order_once() {
    /// Submits twice, and then cancels all, twice.
    struct Quitter(Arc<Mutex<Vec<usize>>>, u32);
    impl Strategy for Quitter {
        fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
            self.1 += 1;
            if self.1 > 2 {
                self.0.lock().push(ctx.cancel_all()?);
                return Ok(());
            }
            ctx.submit(NewOrder {
                venue: quote.venue(),
                instrument: quote.instrument(),
                side: Side::Buy,
                price: Price(quote.bid_price),
                qty: Qty(5),
                order_type: OrderType::LimitMaker,
                time_in_force: TimeInForce::Gtc,
            })?;
            Ok(())
        }
    }
    let counts = Arc::new(Mutex::new(Vec::new()));
    let mut harness = Harness::new(Quitter(Arc::clone(&counts), 0));
    for _ in 0..4 {
        harness.quote(Price(10), Qty(10), Price(11), Qty(10));
    }
    assert_eq!(*counts.lock(), [2, 0], "a cancel on its way is not sent again");
    let actions: Vec<_> = harness.orders().iter().filter_map(OrderCommand::action).collect();
    use OrderAction::{Cancel, Submit};
    assert_eq!(actions, [Submit, Submit, Cancel, Cancel]);
}

/// Sells once, then stays.
struct Seller(bool);

impl Strategy for Seller {
    fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
        if !std::mem::replace(&mut self.0, true) {
            ctx.submit(NewOrder {
                venue: quote.venue(),
                instrument: quote.instrument(),
                side: Side::Sell,
                price: Price(quote.ask_price),
                qty: Qty(100),
                order_type: OrderType::LimitMaker,
                time_in_force: TimeInForce::Gtc,
            })?;
        }
        Ok(())
    }
}

fn sold() -> (Harness, OrderCommand) {
    let mut harness = Harness::new(Seller(false));
    harness.quote(Price(10), Qty(10), Price(11), Qty(10));
    let order = harness.orders()[0];
    harness.acknowledge(&order);
    (harness, order)
}

#[test]
fn a_sale_in_parts_moves_the_position_by_each_part() {
    let (mut harness, order) = sold();
    let seen = |harness: &Harness| {
        let position = harness.context().position(InstrumentId(0));
        let filled = harness.context().open_orders().first().map(|order| order.filled.0);
        (position.net, position.cash, filled)
    };
    harness.fill(&order, Qty(30), Qty(0));
    assert_eq!(seen(&harness), (-30, 330, Some(30)));
    harness.fill(&order, Qty(20), Qty(30));
    assert_eq!(seen(&harness), (-50, 550, Some(50)));
    harness.fill(&order, Qty(50), Qty(50));
    assert_eq!(seen(&harness), (-100, 1_100, None));
}

#[test]
fn a_report_that_is_told_again_counts_only_where_it_is_the_next_fill() {
    // LM-06: a dead letter that an operator has delivered must book nothing twice.
    let (mut harness, order) = sold();
    harness.fill(&order, Qty(30), Qty(0));
    let mut again = |last, filled| {
        let mut report = ExecReport::new_zeroed();
        (report.client_order_id, report.side_code) = (order.client_order_id, order.side_code);
        (report.price, report.last_price, report.qty) = (order.price, order.price, order.qty);
        (report.last_qty, report.filled_qty) = (last, filled);
        report.exec_type_code = ExecType::Trade.code();
        report.status_code = OrderStatus::PartiallyFilled.code();
        report.flags = RETOLD;
        harness.feed(&Event::new(&report));
        let open = harness.context().open_orders().first().map(|order| order.filled.0);
        (harness.context().position(InstrumentId(0)).net, open)
    };
    assert_eq!(again(30, 30), (-30, Some(30)), "it was counted before");
    assert_eq!(again(20, 80), (-30, Some(30)), "what lies between is not known");
    assert_eq!(again(20, 50), (-50, Some(50)), "the next fill");
    assert_eq!(again(20, 50), (-50, Some(50)), "and not twice");
}

#[test]
fn a_hole_in_the_critical_sequence_is_counted() {
    let (mut harness, order) = sold();
    harness.critical_sequence += 2;
    harness.fill(&order, Qty(30), Qty(0));
    harness.fill(&order, Qty(30), Qty(30));
    assert_eq!(harness.agent.finish().critical_lost, 2, "each once");
    let (whole, _) = sold();
    assert_eq!(whole.agent.finish().critical_lost, 0);
}

#[test]
fn an_order_names_the_event_that_led_to_it() {
    let mut harness = Harness::new(Joiner);
    let quote = |harness: &mut Harness| {
        harness.quote(Price(10), Qty(10), Price(11), Qty(10));
        harness.orders()
    };
    let first = quote(&mut harness)[0];
    harness.canceled(&first);
    assert_eq!(harness.orders().len(), 0);
    let second = quote(&mut harness)[0];
    assert!(first.decision_id != 0 && second.decision_id > first.decision_id, "{second:?}");
    // Tick-to-trade begins where the event was read, not where the order was submitted.
    harness.canceled(&second);
    harness.advance_ns(1_000);
    let mut event = harness.event(&Quote { bid_price: 10, bid_qty: 1, ask_price: 11, ask_qty: 1 });
    event.receive_ns -= 700;
    assert!(harness.market.try_publish(&event).is_ok());
    harness.run();
    let third = harness.orders()[0];
    assert_eq!(third.tick_receive_ns, event.receive_ns);
    assert_eq!(third.submitted_ns - third.tick_receive_ns, 700);
}

#[test]
fn an_order_of_a_timer_names_a_decision_of_its_own() {
    struct ByTimer;
    impl Strategy for ByTimer {
        fn on_quote(&mut self, _: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
            ctx.set_timer(0, 1);
            ctx.set_timer(0, 2);
            Ok(())
        }
        fn on_timer(&mut self, _id: u64, ctx: &mut Context) -> StrategyResult {
            ctx.submit(NewOrder {
                venue: VenueId(0),
                instrument: InstrumentId(0),
                side: Side::Buy,
                price: Price(10),
                qty: Qty(100),
                order_type: OrderType::LimitMaker,
                time_in_force: TimeInForce::Gtc,
            })?;
            Ok(())
        }
    }
    let mut harness = Harness::new(ByTimer);
    harness.quote(Price(10), Qty(10), Price(11), Qty(10));
    harness.advance_ns(1);
    let orders = harness.orders();
    let [first, second] = &orders[..] else { panic!("two orders: {orders:?}") };
    let (first, second) = (first.decision_id, second.decision_id);
    assert!(first != 0 && second != 0 && first != second, "{first} and {second}");
}

#[test]
fn a_refused_order_ends_its_callback_and_is_no_failure() {
    struct Absurd;
    impl Strategy for Absurd {
        fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
            ctx.submit(NewOrder {
                venue: quote.venue(),
                instrument: quote.instrument(),
                side: Side::Buy,
                price: Price(6_000_000),
                qty: Qty(-1),
                order_type: OrderType::LimitMaker,
                time_in_force: TimeInForce::Gtc,
            })?;
            Ok(())
        }
    }
    let mut harness = Harness::new(Absurd);
    for _ in 0..2_000 {
        harness.quote(Price(6_000_000), Qty(10), Price(6_000_001), Qty(10));
    }
    assert_eq!(harness.context().order_counts().refused, 2_000);
    assert_eq!((harness.failures().total, harness.orders().len()), (0, 0));
}

#[test]
fn time_does_not_go_back_between_a_timer_and_the_end_of_its_batch() {
    struct Slow(Arc<OnceLock<ManualTime>>, Arc<Mutex<Vec<u64>>>);
    impl Strategy for Slow {
        fn on_quote(&mut self, _: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
            ctx.set_timer(0, 1);
            Ok(())
        }
        fn on_timer(&mut self, _id: u64, _ctx: &mut Context) -> StrategyResult {
            self.0.get().expect("it was set").advance_ns(5);
            Ok(())
        }
        fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
            self.1.lock().push(ctx.now_ns());
            Ok(())
        }
    }
    let (time, ends) = (Arc::new(OnceLock::new()), Arc::new(Mutex::new(Vec::new())));
    let mut harness = Harness::new(Slow(Arc::clone(&time), Arc::clone(&ends)));
    time.set(harness.time.clone()).expect("it was not set");
    harness.advance_ns(100);
    harness.quote(Price(1), Qty(1), Price(2), Qty(1));
    assert_eq!(*ends.lock(), [105]);
}

#[test]
fn a_panic_in_the_middle_of_a_batch_costs_one_event() {
    // F02, EDGE-2: events before and after the panicking one are handled.
    crate::consumer::install_panic_hook();
    let mut seen = 0;
    let strategy = Closure::new(Interest::ALL, move |event: &Event, _ctx: &mut Context| {
        seen += 1;
        assert!(event.get::<Trade>().is_none(), "planted at {seen}");
        Ok(())
    });
    let mut harness = Harness::new(strategy);
    let quote = |harness: &mut Harness| harness.quote(Price(1), Qty(1), Price(2), Qty(1));
    quote(&mut harness);
    harness.trade(Price(1), Qty(1), Side::Buy);
    quote(&mut harness);
    assert_eq!(harness.failures().total, 1);
    let first = &harness.failures().sites[0].first;
    assert_eq!((first.message.as_str(), first.trace_id), ("planted at 2", 2));
    assert!(first.backtrace.is_some() && first.site.contains(file!()));
}

#[test]
fn an_order_with_a_name_is_sent_once_and_a_repeat_gets_what_became_of_it() {
    /// Submits the same named order at each quote.
    struct Closer(Arc<Mutex<Vec<Result<Once, RejectReason>>>>, usize);
    impl Strategy for Closer {
        fn remembers_ids(&self) -> usize {
            self.1
        }

        fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
            let order = NewOrder {
                venue: quote.venue(),
                instrument: quote.instrument(),
                side: Side::Buy,
                price: Price(quote.bid_price),
                qty: Qty(quote.bid_qty),
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::Gtc,
            };
            let name = OwnId::new("close").expect("a short name");
            let sent = ctx.submit_once(name, order, OrderFlags::default());
            self.0.lock().push(sent.map_err(|refused| refused.reason));
            Ok(())
        }
    }
    let answers = Arc::<Mutex<Vec<_>>>::default();
    let mut harness = Harness::new(Closer(Arc::clone(&answers), 16));
    let quote = |harness: &mut Harness, bid: i64| {
        harness.quote(Price(bid), Qty(10), Price(6_000_001), Qty(10));
    };
    // One that the own check refuses was not sent.
    quote(&mut harness, -1);
    quote(&mut harness, 6_000_000);
    quote(&mut harness, 6_000_000);
    let orders = harness.orders();
    assert_eq!(orders.len(), 1, "the venue sees it once");
    assert_eq!(OwnId::from_bytes(orders[0].own_id), OwnId::new("close"));
    harness.acknowledge(&orders[0]);
    harness.fill(&orders[0], Qty(10), Qty(0));
    quote(&mut harness, 6_000_000);
    assert!(harness.orders().is_empty());
    let id = ClientOrderId(orders[0].client_order_id);
    let known = |status, filled| Ok(Once::Known(OnceOutcome { id, status, filled: Qty(filled) }));
    let expected = [
        Err(RejectReason::BadPrice),
        Ok(Once::Sent(id)),
        known(OrderStatus::PendingNew, 0),
        known(OrderStatus::Filled, 10),
    ];
    assert_eq!(*answers.lock(), expected);
    let forgetful = Arc::<Mutex<Vec<_>>>::default();
    let mut harness = Harness::new(Closer(Arc::clone(&forgetful), 0));
    quote(&mut harness, 6_000_000);
    assert_eq!(*forgetful.lock(), [Err(RejectReason::Unsupported)]);
}
