//! Orders whose outcome nobody knows at first, time stamps that come too late, stops, and sessions
//! that are lost or silent at the end, against the strict venue: what was told in the end is what
//! its ledger says (F30, F35, F37, F38).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::{Context, NewOrder, Strategy, StrategyResult, View};
use pitlane_engine::control::protocol::ControlRequest;
use pitlane_engine::event::{
    ExecReport, ExecType, InstrumentId, Interest, OrderStatus, Price, Qty, Quote, RejectReason,
    Side, VenueId,
};
use pitlane_engine::order::{OrderType, TimeInForce};
use pitlane_engine::report::FindingKind;
use pitlane_engine::testing::{ToldOrders, disagreements};
use pitlane_engine::venue::simulated::{
    Fault, FaultName, FaultPlan, FaultRule, SimulatedSymbol, Trigger,
};
use pitlane_engine::world::{NetConditions, SplitMix64};
use pitlane_engine::{
    LaunchOptions, OneThreadEngine, OneThreadOptions, Params, StrategyRegistry, launch_one_thread,
};

use crate::SECOND_NS;

/// Orders of a run, one each five seconds.
const ORDERS: u64 = 16;
const BETWEEN_NS: u64 = 5 * SECOND_NS;
/// What an order that never showed is told after: the venue's own waiting time and its window.
const GIVEN_UP_NS: u64 = 16 * SECOND_NS;
/// The real venue stops waiting for its engine after this time.
const ANSWERED_AFTER: Duration = Duration::from_secs(10);

/// What the strategy was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(u64, ExecReport)>>>);

impl Told {
    fn of(&self, id: u64) -> Vec<(u64, ExecReport)> {
        let told = self.0.lock().unwrap();
        told.iter().filter(|(_, report)| report.client_order_id == id).copied().collect()
    }

    fn orders(&self) -> ToldOrders {
        let mut orders = ToldOrders::default();
        self.0.lock().unwrap().iter().for_each(|(_, report)| orders.take(report));
        orders
    }
}

/// Submits orders that fill at once, and ones that rest, in turn; cancels what rests late. With
/// stops, what it buys is sold again once a trade is a little lower.
struct Prober {
    told: Told,
    has_stops: bool,
    best: Option<Quote>,
}

impl Strategy for Prober {
    fn interest(&self) -> Interest {
        Interest::ALL
    }

    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        ctx.set_timer(BETWEEN_NS, 1);
        Ok(())
    }

    fn on_quote(&mut self, quote: View<'_, Quote>, _ctx: &mut Context) -> StrategyResult {
        self.best = Some(*quote);
        Ok(())
    }

    fn on_timer(&mut self, number: u64, ctx: &mut Context) -> StrategyResult {
        let Some(quote) = self.best else { return Ok(()) };
        if number <= ORDERS && self.has_stops && number.is_multiple_of(2) {
            let order = NewOrder {
                venue: VenueId(0),
                instrument: InstrumentId(0),
                side: Side::Sell,
                price: Price(0),
                qty: Qty(100),
                order_type: OrderType::StopLoss,
                time_in_force: TimeInForce::Gtc,
            };
            ctx.submit_stop(order, Price(quote.bid_price - 1))?;
        } else if number <= ORDERS {
            let is_marketable = number % 2 == 1;
            // Far through the book, or so far below it that nothing comes there.
            let price = if is_marketable { quote.ask_price * 2 } else { quote.bid_price / 2 };
            // It may be refused.
            let _ = ctx.submit(NewOrder {
                venue: VenueId(0),
                instrument: InstrumentId(0),
                side: Side::Buy,
                price: Price(price),
                qty: Qty(100),
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::Gtc,
            });
        }
        if number == ORDERS + 20 {
            ctx.cancel_all()?;
        }
        ctx.set_timer(BETWEEN_NS, number + 1);
        Ok(())
    }

    fn on_exec_report(
        &mut self,
        report: View<'_, ExecReport>,
        ctx: &mut Context,
    ) -> StrategyResult {
        self.told.0.lock().unwrap().push((ctx.now_ns(), *report));
        Ok(())
    }
}

fn engine(told: &Told, seed: u64, rules: Vec<FaultRule>) -> OneThreadEngine {
    engine_of(told, seed, rules, false)
}

fn engine_of(told: &Told, seed: u64, rules: Vec<FaultRule>, has_stops: bool) -> OneThreadEngine {
    let mut config = Config::default_run();
    // Enough for the price to move, where something waits for that.
    config.simulated.events_per_s = if has_stops { 200 } else { 5 };
    config.telemetry.interval_ms = 600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("prober")];
    let told = told.clone();
    let registry = StrategyRegistry::new()
        .with("prober", move |_: &Params| Ok(Prober { told: told.clone(), has_stops, best: None }));
    let venue_faults = FaultPlan { rules };
    let launch = LaunchOptions { venue_faults, ..LaunchOptions::default() };
    let options = OneThreadOptions { seed, ..OneThreadOptions::default() };
    launch_one_thread(&config, &registry, &launch, options).unwrap()
}

fn at(number: u64, fault: Fault) -> FaultRule {
    FaultRule { fault, trigger: Trigger::At(number), only: None }
}

/// Runs all orders to their ends and stops; the faults of this name that happened.
fn run(told: &Told, seed: u64, rules: Vec<FaultRule>, name: FaultName) -> u64 {
    let mut engine = engine(told, seed, rules);
    engine.run_ns((ORDERS + 25) * BETWEEN_NS + 120 * SECOND_NS);
    let behind = engine.stop(60 * SECOND_NS);
    assert!(behind.is_empty(), "seed {seed}: {behind:?} did not end");
    let (ledgers, penalties) = (engine.ledgers(), engine.penalties());
    let wrong = disagreements(&told.orders(), &ledgers[0], &[SimulatedSymbol::default()]);
    assert_eq!(wrong, Vec::<String>::new(), "seed {seed}");
    assert!(penalties.is_empty(), "seed {seed}: {penalties:?}");
    let happened = engine.simulated_venues()[0].faults(name);
    let report = engine.finish();
    assert!(report.identity_holds && report.orders.left_at_venues.is_empty(), "seed {seed}");
    let filled = ledgers[0].trades.len();
    println!(
        "seed {seed}: {happened} faults, {filled} trades, told {}",
        told.0.lock().unwrap().len()
    );
    happened
}

#[test]
fn an_unknown_outcome_ends_as_the_venues_ledger_has_it() {
    let (mut revived, mut given_up) = (0, 0);
    for seed in 0..4 {
        let mut random = SplitMix64::new(seed ^ 0x756e_6b6e_6f77_6e00);
        let mut seconds = |low, high| Duration::from_secs(random.between(low, high));
        // Dead; live or filled before the answer, behind it, and after the engine gave it up.
        let outcomes = [
            None,
            Some(seconds(1, 9)),
            Some(seconds(1, 9)),
            Some(seconds(11, 15)),
            Some(seconds(20, 60)),
            Some(seconds(20, 60)),
        ];
        let rules = outcomes.into_iter().zip(2..).map(|(enters_after, number)| {
            at(number, Fault::UnknownOutcome { reply_after: ANSWERED_AFTER, enters_after })
        });
        let told = Told::default();
        let happened = run(&told, seed, rules.collect(), FaultName::UnknownOutcome);
        assert_eq!(happened, 6, "seed {seed}");
        for id in 1..=ORDERS {
            let reports = told.of(id);
            let rejected =
                reports.iter().position(|(_, r)| r.status() == Some(OrderStatus::Rejected));
            let is_revived = reports.iter().any(|(_, r)| r.exec_type() == Some(ExecType::Revived));
            revived += u32::from(is_revived);
            if let Some(place) = rejected {
                // No end is told before nothing can be on its way any more.
                let (at_ns, report) = reports[place];
                assert_eq!(report.reason(), Some(RejectReason::NeverArrived), "seed {seed}, {id}");
                let first_ns = BETWEEN_NS * id;
                assert!(
                    at_ns - first_ns >= GIVEN_UP_NS,
                    "seed {seed}: order {id} after {at_ns} ns"
                );
                given_up += 1;
            }
            let trades = reports.iter().filter(|(_, r)| r.exec_type() == Some(ExecType::Trade));
            let qty: i64 = trades.map(|(_, report)| report.last_qty).sum();
            assert!(qty == 0 || qty == 100, "seed {seed}: order {id} filled {qty}");
        }
    }
    println!("{revived} revived, {given_up} given up");
    assert!(revived > 0 && given_up > revived, "both ways happened");
}

#[test]
fn an_order_whose_time_stamp_is_too_old_by_then_is_refused_and_the_next_one_is_not() {
    for seed in 0..3 {
        let mut random = SplitMix64::new(seed ^ 0x7374_616d_7000);
        // Beyond the venue's window of five seconds when it is checked for the second time.
        let delays = [0; 3].map(|_| Duration::from_millis(random.between(5_500, 9_500)));
        let rules = delays.into_iter().zip([2, 5, 8]);
        let rules = rules.map(|(delay, number)| at(number, Fault::LateForward { delay }));
        let told = Told::default();
        let happened = run(&told, seed, rules.collect(), FaultName::LateForward);
        assert_eq!(happened, 3, "seed {seed}");
        let refused = |id: &u64| told.of(*id).iter().any(|(_, report)| report.venue_code == -1_021);
        let late: Vec<u64> = (1..=ORDERS).filter(refused).collect();
        assert_eq!(late.len(), 3, "seed {seed}: {late:?}");
        for id in late {
            let (_, end) = *told.of(id).last().expect("it was told");
            assert_eq!(end.status(), Some(OrderStatus::Rejected), "seed {seed}, order {id}");
            let next = told.of(id + 1);
            let is_taken = next.iter().any(|(_, report)| !report.venue_order_id.is_none());
            assert!(is_taken, "seed {seed}: the time is measured, and order {} is taken", id + 1);
        }
    }
}

#[test]
fn stops_are_triggered_by_trades_and_told_as_the_ledger_has_them() {
    let (mut waited, mut worked) = (0, 0);
    for seed in 0..2 {
        let told = Told::default();
        let mut engine = engine_of(&told, seed, Vec::new(), true);
        engine.run_ns((ORDERS + 25) * BETWEEN_NS);
        let behind = engine.stop(60 * SECOND_NS);
        assert!(behind.is_empty(), "seed {seed}: {behind:?} did not end");
        let (ledger, penalties) = (engine.ledgers().remove(0), engine.penalties());
        let wrong = disagreements(&told.orders(), &ledger, &[SimulatedSymbol::default()]);
        assert_eq!(wrong, Vec::<String>::new(), "seed {seed}");
        assert!(penalties.is_empty(), "seed {seed}: {penalties:?}");
        assert!(engine.finish().orders.left_at_venues.is_empty(), "seed {seed}");
        let stops = ledger.orders.values().filter(|order| order.stop_price > 0);
        let done: Vec<bool> = stops.map(|order| order.executed == order.qty).collect();
        println!("seed {seed}: {} stops, filled {done:?}", done.len());
        waited += done.len();
        worked += done.iter().filter(|is_filled| **is_filled).count();
    }
    assert!(waited >= 8 && worked >= 4, "{waited} waited, {worked} were triggered");
}

/// A run whose network has failed in this way just before its stop.
fn stopped_after(conditions: NetConditions) -> (OneThreadEngine, Told) {
    let told = Told::default();
    let mut engine = engine(&told, 11, Vec::new());
    // Two orders that rest, and two that have filled.
    engine.run_ns(4 * BETWEEN_NS + SECOND_NS);
    assert!(told.0.lock().unwrap().iter().any(|(_, r)| r.status() == Some(OrderStatus::New)));
    engine.net().set_conditions(conditions);
    engine.run_ns(SECOND_NS);
    let behind = engine.stop(10 * SECOND_NS);
    assert!(behind.is_empty(), "{behind:?} did not end");
    (engine, told)
}

#[test]
fn orders_whose_session_is_lost_or_silent_at_the_stop_are_named_and_the_exit_code_says_so() {
    let silent = NetConditions { silence_ppm: 1_000_000, ..NetConditions::default() };
    let lost = NetConditions { cut_ppm: 1_000_000, refuse_ppm: 1_000_000, ..silent };
    for conditions in [silent, lost] {
        let (engine, _told) = stopped_after(conditions);
        let net = engine.net_totals();
        assert!(net.silences + net.cuts + net.refused > 0, "it happened: {net:?}");
        let open: Vec<String> = engine.ledgers()[0]
            .orders
            .values()
            .filter(|order| order.is_open())
            .map(|order| order.client_order_id.clone())
            .collect();
        let report = engine.finish();
        let named: Vec<String> =
            report.orders.left_at_venues.iter().map(|order| order.name.clone()).collect();
        assert_eq!(named.len(), 2, "{named:?}");
        assert!(open.iter().all(|name| named.contains(name)), "{open:?}, named {named:?}");
        let first = report.findings().into_iter().next().expect("something to say");
        assert_eq!(first.kind, FindingKind::OrdersLeft, "{first:?}");
        assert_eq!(first.kind.exit_code(), 7);
    }
}

#[test]
fn a_kill_while_nothing_is_answered_ends_the_run_at_once_and_nothing_new_leaves() {
    let told = Told::default();
    let mut engine = engine(&told, 12, Vec::new());
    // From the first write on, logons and subscriptions included.
    let silent = NetConditions { silence_ppm: 1_000_000, ..NetConditions::default() };
    engine.net().set_conditions(silent);
    engine.run_ns(2 * SECOND_NS);
    assert!(engine.net_totals().silences > 0, "nobody is answered");
    engine.operate(ControlRequest::Kill {}).expect("a kill is never refused");
    assert!(engine.is_killed());
    let asked_ns = engine.now_ns();
    let behind = engine.stop(100 * 1_000_000);
    assert!(behind.is_empty(), "{behind:?} did not end");
    assert!(engine.now_ns() - asked_ns < SECOND_NS, "{} ns", engine.now_ns() - asked_ns);
    assert_eq!(engine.simulated_venues()[0].orders_received, 0);
    assert!(engine.finish().orders.left_at_venues.is_empty());

    // With orders open and a session that has fallen silent: no order follows the kill.
    let told = Told::default();
    let mut engine = self::engine(&told, 13, Vec::new());
    engine.run_ns(4 * BETWEEN_NS + SECOND_NS);
    engine.net().set_conditions(silent);
    engine.operate(ControlRequest::Kill {}).expect("a kill is never refused");
    let received = engine.simulated_venues()[0].orders_received;
    engine.run_ns(6 * BETWEEN_NS);
    assert_eq!((received, engine.simulated_venues()[0].orders_received), (4, 4));
    let _ = engine.stop(10 * SECOND_NS);
    assert!(!engine.finish().orders.left_at_venues.is_empty());
}
