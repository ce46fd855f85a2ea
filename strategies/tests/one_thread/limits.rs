//! Limits against the venue's own record: at no virtual time is more open, or more at risk, at the
//! venue than the configuration allows, over lost replies, lost sessions and unknown outcomes
//! (invariant 14).

use std::collections::BTreeMap;
use std::time::Duration;

use pitlane_engine::config::Config;
use pitlane_engine::control::protocol::{ControlRequest, Reply, RiskAction, RiskEdit};
use pitlane_engine::simulation::RandomTrader;
use pitlane_engine::venue::simulated::{
    Fault, FaultName, FaultPlan, FaultRule, Ledger, LedgerOrder, LedgerSide, Trigger,
};
use pitlane_engine::world::NetConditions;
use pitlane_engine::{
    LaunchOptions, OneThreadEngine, OneThreadOptions, Params, StrategyRegistry, launch_one_thread,
};

use crate::SECOND_NS;

const MS: u64 = 1_000_000;
/// Between two polls of the venue's record.
const POLL_NS: u64 = 50 * MS;

/// A quantity of five places in units of 10^-16, as fees are told.
const UNIT: i128 = 10_i128.pow(11);
/// The limits of the test: positions in units of 10^-16, money in seven places.
const MAX_POSITION: i128 = 500 * UNIT;
const VENUE_POSITION: i128 = 800 * UNIT;
const MAX_OPEN: usize = 4;
const VENUE_OPEN: usize = 6;
const OPEN_NOTIONAL: u128 = 450 * 10_000_000;
const ORDERS_PER_S: usize = 2;
const VENUE_ORDERS_PER_S: usize = 3;

const RISK: &str = "
[risk]
max_order_qty = '0.003'
max_position = '0.005'
max_open_orders = 4
max_orders_per_s = 2
max_open_notional = '450'
assumed_end_s = 120
[risk.venues.simulated]
max_position = '0.008'
max_open_orders = 6
max_orders_per_s = 3
[simulated]
events_per_s = 20
[telemetry]
interval_ms = 60_000
[[consumer]]
name = 'one'
strategy = 'trader'
params = { seed = 1 }
[[consumer]]
name = 'two'
strategy = 'trader'
params = { seed = 2 }
";

fn engine(seed: u64, rules: Vec<FaultRule>) -> OneThreadEngine {
    let config = Config::parse(RISK, "limits").unwrap();
    let registry = StrategyRegistry::new().with("trader", move |params: &Params| {
        let own = params.get("seed").and_then(|seed| seed.as_integer()).unwrap_or_default();
        Ok(RandomTrader::new(seed << 8 | own.unsigned_abs()))
    });
    let venue_faults = FaultPlan { rules };
    let launch = LaunchOptions { venue_faults, ..LaunchOptions::default() };
    let options = OneThreadOptions { seed, ..OneThreadOptions::default() };
    launch_one_thread(&config, &registry, &launch, options).unwrap()
}

/// What one owner, or all, may have at the venue.
#[derive(Clone, Copy, Debug, Default)]
struct AtVenue {
    position: i128,
    buys: i128,
    sells: i128,
    open: usize,
    notional: u128,
}

impl AtVenue {
    fn worst(&self) -> i128 {
        (self.position + self.buys).max(self.sells - self.position)
    }

    fn add(&mut self, order: &LedgerOrder) {
        let signed = i128::from(order.executed) * UNIT;
        self.position += if order.side == LedgerSide::Buy { signed } else { -signed };
        if !order.is_open() {
            return;
        }
        let rest = order.qty - order.executed - order.prevented;
        self.open += 1;
        self.notional += u128::from(rest) * u128::from(order.price);
        match order.side {
            LedgerSide::Buy => self.buys += i128::from(rest) * UNIT,
            LedgerSide::Sell => self.sells += i128::from(rest) * UNIT,
        }
    }
}

/// By consumer, and all of them.
fn at_venue(ledger: &Ledger) -> (BTreeMap<String, AtVenue>, AtVenue) {
    let (mut each, mut all) = (BTreeMap::<String, AtVenue>::new(), AtVenue::default());
    for order in ledger.orders.values() {
        let owner = order.client_order_id.split('-').nth(1).expect("our own name").to_owned();
        each.entry(owner).or_default().add(order);
        all.add(order);
    }
    // What was bought, less what was taken of it.
    for trade in ledger.trades.iter().filter(|trade| &*trade.fee.asset == "BTC") {
        let owner = trade.client_order_id.split('-').nth(1).expect("our own name");
        let fee = i128::try_from(trade.fee.amount).expect("less than all there is");
        each.get_mut(owner).expect("it has an order").position -= fee;
        all.position -= fee;
    }
    (each, all)
}

/// The most orders that came within a second.
fn most_in_a_second(ledger: &Ledger, of: Option<&str>) -> usize {
    let is_its = |order: &&LedgerOrder| {
        of.is_none_or(|of| order.client_order_id.split('-').nth(1) == Some(of))
    };
    let mut times: Vec<i64> =
        ledger.orders.values().filter(is_its).map(|order| order.created_ms).collect();
    times.sort_unstable();
    let within = |at: &i64| times.iter().filter(|time| (0..1_000).contains(&(**time - at))).count();
    times.iter().map(within).max().unwrap_or_default()
}

/// The largest that was seen of what is limited.
#[derive(Debug, Default)]
struct Most {
    worst: i128,
    all_worst: i128,
    open: usize,
    all_open: usize,
    notional: u128,
}

fn look(engine: &OneThreadEngine, most: &mut Most, seed: u64) {
    let at_ns = engine.now_ns();
    let (each, all) = at_venue(&engine.ledgers()[0]);
    for (owner, has) in &each {
        let place = format!("seed {seed}, {at_ns} ns, consumer {owner}: {has:?}");
        assert!(has.worst() <= MAX_POSITION, "{place}");
        assert!(has.open <= MAX_OPEN && has.notional <= OPEN_NOTIONAL, "{place}");
        most.worst = most.worst.max(has.worst());
        most.open = most.open.max(has.open);
        most.notional = most.notional.max(has.notional);
    }
    assert!(all.worst() <= VENUE_POSITION, "seed {seed}, {at_ns} ns: {all:?}");
    assert!(all.open <= VENUE_OPEN, "seed {seed}, {at_ns} ns: {all:?}");
    most.all_worst = most.all_worst.max(all.worst());
    most.all_open = most.all_open.max(all.open);
}

fn every(number: u64, fault: Fault) -> FaultRule {
    FaultRule { fault, trigger: Trigger::Every(number), only: None }
}

/// Faults that leave the engine without the truth about its orders.
fn doubts() -> Vec<FaultRule> {
    let late = |seconds| Fault::UnknownOutcome {
        reply_after: Duration::from_secs(2),
        enters_after: Some(Duration::from_secs(seconds)),
    };
    vec![
        every(9, late(3)),
        every(13, late(25)),
        every(6, Fault::LostReply),
        every(4, Fault::LostReport),
        every(9, Fault::DuplicateExec),
    ]
}

#[test]
fn the_venue_never_has_more_of_us_than_the_limits_allow() {
    let mut most = Most::default();
    for seed in 0..33 {
        let mut engine = engine(seed, doubts());
        let run = |engine: &mut OneThreadEngine, most: &mut Most, seconds: u64| {
            for _ in 0..seconds * SECOND_NS / POLL_NS {
                engine.run_ns(POLL_NS);
                look(engine, most, seed);
            }
        };
        run(&mut engine, &mut most, 25);
        // Sessions are lost in the middle of it.
        let cuts = NetConditions { cut_ppm: 20_000, ..NetConditions::default() };
        engine.net().set_conditions(cuts);
        run(&mut engine, &mut most, 8);
        engine.net().set_conditions(NetConditions::default());
        run(&mut engine, &mut most, 40);
        engine.calm_venues();
        run(&mut engine, &mut most, 5);

        let (ledger, venue) = (engine.ledgers().remove(0), engine.simulated_venues().remove(0));
        let late = venue.faults(FaultName::UnknownOutcome) as usize;
        assert!(late > 0 && venue.faults(FaultName::LostReport) > 0, "seed {seed}: it happened");
        assert!(engine.net_totals().cuts > 0, "seed {seed}: {:?}", engine.net_totals());
        // So many at once and then so many a second; late ones come on top, when they come.
        for (owner, per_s) in [(Some("0"), ORDERS_PER_S), (None, VENUE_ORDERS_PER_S)] {
            let in_a_second = most_in_a_second(&ledger, owner);
            assert!(in_a_second <= 2 * per_s + late, "seed {seed}, {owner:?}: {in_a_second}");
        }
        println!("seed {seed}: {most:?}, {} orders, {late} of them late", ledger.orders.len());
        let behind = engine.stop(60 * SECOND_NS);
        assert!(behind.is_empty(), "seed {seed}: {behind:?} did not end");
        let report = engine.finish();
        let refused: BTreeMap<&str, u64> = (report.trading.iter())
            .flat_map(|one| one.positions.iter().flat_map(|row| &row.refusals))
            .filter(|refusal| refusal.by == "check")
            .map(|refusal| (refusal.reason.as_str(), refusal.count))
            .collect();
        for reason in ["max_position", "max_order_qty", "max_open_orders", "rate_limit"] {
            assert!(refused.contains_key(reason), "seed {seed}: {refused:?}");
        }
    }
    // They were near: without them there would have been more.
    assert!(most.worst > MAX_POSITION * 3 / 4 && most.open == MAX_OPEN, "{most:?}");
    assert!(most.all_worst > VENUE_POSITION / 2 && most.all_open >= 5, "{most:?}");
}

#[test]
fn a_strategy_or_a_venue_is_killed_alone_and_a_limit_changed_while_it_runs() {
    let mut engine = engine(5, Vec::new());
    engine.run_ns(10 * SECOND_NS);
    let kill = |strategy: &str, action| ControlRequest::RiskSwitch {
        action,
        strategy: Some(strategy.to_owned()),
        venue: None,
    };
    engine.operate(kill("one", RiskAction::Kill)).unwrap();
    let created = |engine: &OneThreadEngine, owner: &str| {
        let is_its = |order: &&LedgerOrder| order.client_order_id.split('-').nth(1) == Some(owner);
        engine.ledgers()[0].orders.values().filter(is_its).count()
    };
    // What was in the lanes already is refused there, and what is open goes.
    engine.run_ns(SECOND_NS);
    let (before, others_before) = (created(&engine, "0"), created(&engine, "1"));
    engine.run_ns(10 * SECOND_NS);
    assert_eq!(created(&engine, "0"), before, "none left since");
    assert!(created(&engine, "1") > others_before, "the other one goes on");
    assert_eq!(at_venue(&engine.ledgers()[0]).0["0"].open, 0, "what was open is cancelled");
    assert!(engine.status().risk.strategies[0].is_killed);
    engine.operate(kill("one", RiskAction::Resume)).unwrap();
    engine.run_ns(10 * SECOND_NS);
    assert!(created(&engine, "0") > before, "they leave again");

    let edit = |value: &str| {
        ControlRequest::RiskSet(RiskEdit {
            limit: "max_open_orders".to_owned(),
            value: value.to_owned(),
            venue: Some("simulated".to_owned()),
            ..RiskEdit::default()
        })
    };
    for absurd in ["0", "-1", "many", "1.5"] {
        let refused = engine.operate(edit(absurd)).unwrap_err();
        assert!(refused.to_string().contains("whole number"), "{refused}");
    }
    let Reply::Limits { changed } = engine.operate(edit("1")).unwrap() else { panic!() };
    assert_eq!(changed, ["max_open_orders of venue simulated: 1 (was 6)"]);
    let mut alone = 0;
    for _ in 0..15 {
        engine.run_ns(SECOND_NS);
        let open = at_venue(&engine.ledgers()[0]).1.open;
        alone = if open <= 1 { alone + 1 } else { 0 };
    }
    assert!(alone > 0, "what was open has ended, and no second one came");
    assert!(engine.stop(60 * SECOND_NS).is_empty());
    assert!(engine.finish().identity_holds);
}

#[test]
fn a_market_maker_asks_once_a_second_for_each_side_while_trading_is_off() {
    let (config, registry) = (Config::default_run(), pitlane_strategies::builtin());
    let (launch, options) = (LaunchOptions::default(), OneThreadOptions::default());
    let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
    engine.run_ns(5 * SECOND_NS);
    engine.operate(ControlRequest::Mode { trading: false }).unwrap();
    engine.run_ns(10 * SECOND_NS);
    assert!(engine.stop(10 * SECOND_NS).is_empty());
    let report = engine.finish();
    let rows = report.trading.iter().flat_map(|strategy| &strategy.positions);
    let refusals = rows.flat_map(|row| &row.refusals);
    let halted: u64 = refusals.filter(|of| of.reason == "trading_halted").map(|of| of.count).sum();
    assert!((10..=22).contains(&halted), "{halted} in ten seconds, of two sides");
}
