//! A day at a venue that is as strict as the real one, in virtual time: with its disconnect after
//! 24 hours, a restart for maintenance and a ban. No limit is broken, and every order is accounted
//! for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::{Context, Strategy, StrategyResult, View};
use pitlane_engine::event::{ExecReport, ExecType, Interest, Quote};
use pitlane_engine::venue::VenueCounters;
use pitlane_engine::venue::simulated::{Fault, FaultName, FaultPlan, FaultRule, Trigger};
use pitlane_engine::{
    LaunchOptions, OneThreadEngine, OneThreadOptions, Params, StrategyRegistry, launch_one_thread,
};
use pitlane_strategies::MarketMaker;

const SECOND_NS: u64 = 1_000_000_000;
const HOUR_NS: u64 = 3_600 * SECOND_NS;
/// Length of the injected ban.
const BAN: Duration = Duration::from_secs(180);

/// By order, what was filled as its owner was told, and whether its end was.
type Orders = Arc<Mutex<HashMap<(u16, u64), (i64, bool)>>>;

/// A market maker whose orders are kept in a book of their own.
struct Kept {
    strategy: MarketMaker,
    orders: Orders,
}

impl Strategy for Kept {
    fn interest(&self) -> Interest {
        self.strategy.interest()
    }

    fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
        self.strategy.on_quote(quote, ctx)
    }

    fn on_exec_report(
        &mut self,
        report: View<'_, ExecReport>,
        ctx: &mut Context,
    ) -> StrategyResult {
        let key = (ctx.consumer().0, report.client_order_id);
        let is_end = report.status().is_some_and(|status| status.is_terminal());
        let is_taken_back = report.exec_type() == Some(ExecType::Revived);
        let mut orders = self.orders.lock().unwrap();
        let (filled, is_over) = orders.entry(key).or_default();
        *filled = (*filled).max(report.filled_qty);
        // A cancel that came too late is refused after the end.
        *is_over = is_end || (*is_over && !is_taken_back);
        drop(orders);
        self.strategy.on_exec_report(report, ctx)
    }
}

fn engine(orders: &Orders, seed: u64, faults: FaultPlan) -> OneThreadEngine {
    let mut config = Config::default_run();
    config.simulated.events_per_s = 1;
    // A line of histograms a second costs more than all else in such a day.
    config.telemetry.interval_ms = 3_600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("market_maker")];
    let orders = orders.clone();
    let registry = StrategyRegistry::new().with("market_maker", move |params: &Params| {
        let strategy = MarketMaker::from_params(params)?;
        Ok(Kept { strategy, orders: orders.clone() })
    });
    let launch = LaunchOptions { venue_faults: faults, ..LaunchOptions::default() };
    let options = OneThreadOptions { seed, ..OneThreadOptions::default() };
    launch_one_thread(&config, &registry, &launch, options).unwrap()
}

/// Runs for so long and stops in order; nothing but what is injected may go wrong.
fn run(seed: u64, hours: u64, restart_at_s: u64) -> OneThreadEngine {
    let rule = |fault, at| FaultRule { fault, trigger: Trigger::At(at), only: None };
    let notice = Duration::from_secs(20);
    let rules = vec![
        rule(Fault::ServerShutdown { notice }, 10 * restart_at_s),
        rule(Fault::Ban { duration: BAN }, 300),
    ];
    let orders = Orders::default();
    let mut engine = engine(&orders, seed, FaultPlan { rules });
    let started = Instant::now();
    engine.run_ns(hours * HOUR_NS);
    let unfinished = engine.stop(60 * SECOND_NS);
    println!("seed {seed}: {hours} h in {:?}, {} cycles", started.elapsed(), engine.cycles());
    assert!(unfinished.is_empty(), "seed {seed}: {unfinished:?} did not end");
    let (penalties, allowances) = (engine.penalties(), engine.allowances());
    println!("seed {seed}: {penalties:?} {allowances:?}");
    // Both faults happened. A ban punishes what was on its way when it began, and nothing after.
    let simulated = &engine.simulated_venues()[0];
    assert_eq!(simulated.faults(FaultName::Ban), 1, "seed {seed}");
    assert_eq!(simulated.faults(FaultName::ServerShutdown), 1, "seed {seed}");
    let while_banned = penalties.get("while_banned").copied().unwrap_or(0);
    assert!((1..=4).contains(&while_banned), "seed {seed}: {penalties:?}");
    assert_eq!(penalties.len(), 1, "seed {seed}: {penalties:?}");
    assert_eq!(allowances[0].pauses_imposed, while_banned, "seed {seed}");
    account(&engine, &orders.lock().unwrap(), seed);
    engine
}

/// What the owner was told is what the venue knows.
fn account(engine: &OneThreadEngine, orders: &HashMap<(u16, u64), (i64, bool)>, seed: u64) {
    let ledger = &engine.ledgers()[0];
    assert_eq!(ledger.forgotten, 0, "seed {seed}");
    let open: Vec<_> = orders.iter().filter(|(_, (_, is_over))| !is_over).collect();
    assert!(open.is_empty(), "seed {seed}: {open:?} have no end");
    assert!(ledger.orders.values().all(|order| !order.is_open()), "seed {seed}");
    let told: i64 = orders.values().map(|(filled, _)| filled).sum();
    let traded: u64 = ledger.trades.iter().map(|trade| trade.qty).sum();
    assert_eq!(told as u64, traded, "seed {seed}");
    println!("seed {seed}: {} orders told, {} at the venue", orders.len(), ledger.orders.len());
    assert!(ledger.orders.len() > 40 && traded > 0, "seed {seed}: it traded");
}

#[test]
fn two_hours_with_a_restart_and_a_ban() {
    run(1, 2, 3_000);
}

#[test]
#[ignore = "two hours of each seed take minutes"]
fn two_hours_of_more_seeds() {
    for seed in 3..11 {
        run(seed, 2, 2_000 + 200 * seed);
    }
}

#[test]
#[ignore = "a day takes minutes without optimisation"]
fn a_day_and_an_hour() {
    for seed in [2, 11, 12] {
        run_a_day(seed);
    }
}

fn run_a_day(seed: u64) {
    let engine = run(seed, 25, 1_800);
    let sum = |of: fn(&VenueCounters) -> u64| -> u64 {
        engine.sessions().iter().map(|(_, _, counts)| of(counts)).sum()
    };
    // Both sessions, at the notice and before they are 24 hours old.
    assert!(sum(|counts| counts.handed_over) >= 4);
    assert_eq!(sum(|counts| counts.reconnects), 0, "no connection was lost");
}
