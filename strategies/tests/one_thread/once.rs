//! Orders with names, each submitted twice and more, under the fault plan and over a kill: each is
//! at the venue at most once, and what the engine believes to own is what the venue's ledger says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::{Context, NewOrder, Once, Strategy, StrategyResult, View};
use pitlane_engine::event::{ClientOrderId, InstrumentId, Interest, Price, Qty, Quote, Side};
use pitlane_engine::order::{OrderFlags, OrderType, OwnId, Position, TimeInForce};
use pitlane_engine::runtime::HoldRates;
use pitlane_engine::simulation::draw;
use pitlane_engine::venue::simulated::{AMOUNT_SCALE, FaultName, Ledger, LedgerSide};
use pitlane_engine::world::{NetConditions, SplitMix64};
use pitlane_engine::{
    LaunchOptions, OneThreadEngine, OneThreadOptions, StrategyRegistry, launch_one_thread,
};

use crate::SECOND_NS;

/// Between two bursts of submits, and names that are new in each.
const BETWEEN_NS: u64 = 50_000_000;
const BURST: u64 = 4;
/// How far back names are repeated.
const BACK_MAX: u64 = 400;
/// Longest virtual time in which all is settled once the trouble is over.
const CALM_NS: u64 = 1_200 * SECOND_NS;

type Ids = BTreeMap<u64, BTreeSet<u64>>;

/// What the strategy has done and was told, over both lives.
#[derive(Clone, Debug, Default)]
struct Notes {
    /// By name, each number that an order of it was ever said to have.
    ids: Ids,
    /// The next name.
    next: u64,
    submits: u64,
    repeats: u64,
    refused: u64,
    position: Position,
    open: usize,
}

struct Repeater {
    notes: Arc<Mutex<Notes>>,
    random: SplitMix64,
    quote: Option<Quote>,
    /// Names at all.
    names: u64,
}

impl Repeater {
    /// Submits under a name, new or not.
    fn submit(&mut self, name: u64, ctx: &mut Context) {
        let (Some(quote), notes) = (self.quote, Arc::clone(&self.notes)) else { return };
        let is_buy = name.is_multiple_of(2);
        // Most are filled at once; some rest far from the market until they are cancelled.
        let rests = name.is_multiple_of(16);
        let order = NewOrder {
            venue: pitlane_engine::event::VenueId(0),
            instrument: InstrumentId(0),
            side: if is_buy { Side::Buy } else { Side::Sell },
            price: Price(match (is_buy, rests) {
                (true, false) => quote.ask_price + 100,
                (false, false) => quote.bid_price - 100,
                (true, true) => quote.bid_price / 2,
                (false, true) => quote.ask_price * 2,
            }),
            qty: Qty(100),
            order_type: OrderType::Limit,
            time_in_force: if rests { TimeInForce::Gtc } else { TimeInForce::Ioc },
        };
        let own_id = OwnId::of_number(u128::from(name) + 1).expect("not 0");
        let sent = ctx.submit_once(own_id, order, OrderFlags::default());
        let mut notes = notes.lock().unwrap();
        notes.submits += 1;
        match sent {
            Ok(Once::Sent(ClientOrderId(id))) => {
                notes.ids.entry(name).or_default().insert(id);
            }
            Ok(Once::Known(outcome)) => {
                notes.repeats += 1;
                notes.ids.entry(name).or_default().insert(outcome.id.0);
            }
            Err(_) => notes.refused += 1,
        }
    }

    fn note(&self, ctx: &Context) {
        let mut notes = self.notes.lock().unwrap();
        (notes.position, notes.open) = (ctx.position(InstrumentId(0)), ctx.open_orders().len());
    }
}

impl Strategy for Repeater {
    fn interest(&self) -> Interest {
        Interest::ALL
    }

    fn remembers_ids(&self) -> usize {
        100_000
    }

    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        // What is sent before the session is ready is refused.
        ctx.set_timer(10 * SECOND_NS, 1);
        self.note(ctx);
        Ok(())
    }

    fn on_quote(&mut self, quote: View<'_, Quote>, _ctx: &mut Context) -> StrategyResult {
        if quote.bid().is_some() && quote.ask().is_some() {
            self.quote = Some(*quote);
        }
        Ok(())
    }

    fn on_timer(&mut self, _id: u64, ctx: &mut Context) -> StrategyResult {
        let next = self.notes.lock().unwrap().next;
        if self.quote.is_some() {
            for name in next..(next + BURST).min(self.names) {
                self.submit(name, ctx);
                let back = self.random.between(0, BACK_MAX);
                self.submit(name.saturating_sub(back), ctx);
                self.notes.lock().unwrap().next = name + 1;
            }
            if next.is_multiple_of(64) || next >= self.names {
                // In bad times more is open than the lane has room for: what is left comes next.
                let _ = ctx.cancel_all();
            }
        }
        ctx.set_timer(BETWEEN_NS, 1);
        Ok(())
    }

    fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
        self.note(ctx);
        Ok(())
    }
}

fn config() -> Config {
    let mut config = Config::default_run();
    config.simulated.events_per_s = 200;
    // A load that no real venue would take.
    (config.simulated.orders_per_10s, config.simulated.weight_per_min) = (0, 0);
    (config.risk.max_orders_per_s, config.risk.max_open_orders) = (1_000_000, 1_024);
    config.journal.dir = Some("/journal".into());
    config.telemetry.interval_ms = 600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("repeater")];
    config
}

/// What the venue's ledger says of the position, in the tracker's units.
fn of_ledger(ledger: &Ledger) -> Position {
    let mut position = Position::default();
    let fee_unit = 10_u128.pow(AMOUNT_SCALE - 8);
    for trade in &ledger.trades {
        let (qty, price) = (trade.qty as i64, trade.price as i64);
        let value = i128::from(qty) * i128::from(price);
        match trade.side {
            LedgerSide::Buy => {
                (position.bought, position.cash) = (position.bought + qty, position.cash - value)
            }
            LedgerSide::Sell => {
                (position.sold, position.cash) = (position.sold + qty, position.cash + value)
            }
        }
        let fee = i64::try_from(trade.fee.amount / fee_unit).unwrap();
        match &*trade.fee.asset {
            "BTC" => position.fee_base += fee,
            "USDT" => position.fee_quote += fee,
            other => panic!("a fee in {other}"),
        }
    }
    position
}

fn run_until(engine: &mut OneThreadEngine, ns: u64, is_there: impl Fn() -> bool) {
    let end_ns = engine.now_ns() + ns;
    while engine.now_ns() < end_ns && !is_there() {
        engine.run_ns(SECOND_NS);
    }
}

/// Two lives on one journal: half of the names in each, twice as many submits. How many there were,
/// and how many orders came of them.
fn exactly_once(seed: u64, names: u64) -> (u64, u64) {
    let notes = Arc::<Mutex<Notes>>::default();
    let its = Arc::clone(&notes);
    let registry = StrategyRegistry::new().with("repeater", move |_| {
        let (notes, random) = (Arc::clone(&its), SplitMix64::new(seed));
        Ok(Repeater { notes, random, quote: None, names })
    });
    let plan = draw(seed, 30_000);
    let launch = LaunchOptions { venue_faults: plan.fault_plan(), ..LaunchOptions::default() };
    let conditions = plan.net_conditions();
    let options = OneThreadOptions { seed, conditions, ..OneThreadOptions::default() };
    let config = config();
    let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
    let next = || notes.lock().unwrap().next;
    run_until(&mut engine, CALM_NS, || next() >= names / 2);
    let mut world = engine.crash();
    world.run_ns(SECOND_NS);
    let mut engine = world.launch(&config, &registry, &launch, HoldRates::default()).unwrap();
    run_until(&mut engine, CALM_NS, || next() >= names);
    let report = engine.simulated_venues().remove(0);
    let faults: u64 = FaultName::ALL.iter().map(|name| report.faults(*name)).sum();
    engine.calm_venues();
    engine.net().set_conditions(NetConditions::default());
    let is_settled = |engine: &OneThreadEngine| {
        let (own, ledger) = (notes.lock().unwrap().clone(), of_ledger(&engine.ledgers()[0]));
        own.open == 0 && Position { net: ledger.net, ..own.position } == ledger
    };
    let end_ns = engine.now_ns() + CALM_NS;
    while engine.now_ns() < end_ns && !is_settled(&engine) {
        engine.run_ns(10 * SECOND_NS);
    }
    let ledger = engine.ledgers().remove(0);
    let own = notes.lock().unwrap().clone();
    assert_eq!(own.open, 0, "seed {seed}: open orders after {CALM_NS} ns without trouble");
    assert!(engine.stop(60 * SECOND_NS).is_empty(), "seed {seed}");
    let report = engine.finish();
    assert!(report.identity_holds, "seed {seed}");
    let fee_unknown = &report.trading[0].positions[0].fee_unknown_qty;
    let is_known = !fee_unknown.contains(|digit: char| digit > '0');
    let expected = of_ledger(&ledger);
    let Position { fee_base, fee_quote, .. } = if is_known { own.position } else { expected };
    let position = Position { net: 0, fee_base, fee_quote, ..own.position };
    // Fees may be missing of fills of which the report says so: the venue's list could not be had.
    assert_eq!(position, expected, "seed {seed}");
    judge(seed, &own, &ledger);
    assert!(faults > 0, "seed {seed}: no fault struck");
    println!(
        "seed {seed}: {} submits, {} repeats, {} refused, {} at the venue, {} trades, {faults} \
         faults, {fee_unknown} without a fee",
        own.submits,
        own.repeats,
        own.refused,
        ledger.orders.len(),
        ledger.trades.len()
    );
    (own.submits, ledger.orders.len() as u64)
}

fn judge(seed: u64, own: &Notes, ledger: &Ledger) {
    assert_eq!(ledger.forgotten, 0, "seed {seed}");
    assert!(own.repeats * 5 > own.submits * 2, "seed {seed}: {own:?}");
    let twice: Vec<_> = own.ids.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(twice.is_empty(), "seed {seed}: names with more than one order: {twice:?}");
    let ids: BTreeSet<u64> = own.ids.values().flatten().copied().collect();
    assert_eq!(ids.len(), own.ids.len(), "seed {seed}: one order under two names");
    let number = |name: &str| name.rsplit('-').next().and_then(|text| text.parse().ok());
    let at_venue: Vec<u64> =
        ledger.orders.values().filter_map(|order| number(&order.client_order_id)).collect();
    let different: BTreeSet<u64> = at_venue.iter().copied().collect();
    assert_eq!(different.len(), ledger.orders.len(), "seed {seed}: an order is there twice");
    assert!(different.is_subset(&ids), "seed {seed}: an order that nobody has named");
}

#[test]
fn an_order_with_a_name_is_at_the_venue_once_over_faults_and_a_kill() {
    let (submits, orders) = exactly_once(5, 400);
    assert!(submits >= 800 && orders > 100, "{submits} submits, {orders} orders");
}

/// `ONCE_SEEDS` (100), from `ONCE_FIRST` (0) on, times `ONCE_NAMES` (5,000) names: a million
/// submits.
#[test]
#[ignore = "takes minutes"]
fn a_million_submits_half_of_them_repeats_are_at_the_venue_once() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let (seeds, names) = (number("ONCE_SEEDS", 100), number("ONCE_NAMES", 5_000));
    let first = number("ONCE_FIRST", 0);
    let each = (first..first + seeds).map(|seed| exactly_once(seed, names));
    let (submits, orders) = each.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    println!("{submits} submits and {orders} orders over {seeds} seeds");
    // In the worst of seeds the venue takes hardly any.
    assert!(orders > names * seeds / 4, "{orders}");
    assert!(submits >= 2 * names * seeds * 9 / 10, "{submits}");
}
