//! A connection that the venue is about to end: the next one takes over, and the streams go on
//! without a gap and without a repeat (LM-03, LM-06).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::{Context, NewOrder, Strategy, StrategyResult, View};
use pitlane_engine::event::{
    Event, EventKind, ExecReport, InstrumentId, Interest, OrderStatus, Price, Qty, Quote, Side,
    VenueId,
};
use pitlane_engine::order::{OrderType, TimeInForce};
use pitlane_engine::testing::{ToldOrders, disagreements};
use pitlane_engine::venue::VenueCounters;
use pitlane_engine::venue::simulated::{Fault, FaultName, FaultPlan, SimulatedSymbol, Trigger};
use pitlane_engine::world::NetConditions;
use pitlane_engine::{
    LaunchOptions, OneThreadEngine, OneThreadOptions, Params, StrategyRegistry, launch_one_thread,
};

use crate::SECOND_NS;

/// The numbers and the venue's times of all that was told, by kind.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(EventKind, u64, i64)>>>);

impl Told {
    fn of(&self, wanted: EventKind) -> Vec<u64> {
        let told = self.0.lock().unwrap();
        told.iter().filter(|(kind, ..)| *kind == wanted).map(|(_, number, _)| *number).collect()
    }

    fn times_of(&self, wanted: EventKind) -> Vec<i64> {
        let told = self.0.lock().unwrap();
        told.iter().filter(|(kind, ..)| *kind == wanted).map(|(.., time_ns)| *time_ns).collect()
    }
}

struct Listener(Told);

impl Strategy for Listener {
    fn interest(&self) -> Interest {
        Interest::ALL
    }

    fn on_event(&mut self, event: &Event, _ctx: &mut Context) -> StrategyResult {
        if let Some(kind) = event.kind() {
            self.0.0.lock().unwrap().push((kind, event.sequence, event.venue_time_ns));
        }
        Ok(())
    }
}

fn engine(kind: &str, told: &Told, seed: u64, venue_faults: FaultPlan) -> OneThreadEngine {
    engine_of(Config::default_run(), kind, told, seed, venue_faults)
}

fn engine_of(
    mut config: Config,
    kind: &str,
    told: &Told,
    seed: u64,
    venue_faults: FaultPlan,
) -> OneThreadEngine {
    config.simulated.kind = kind.into();
    config.simulated.events_per_s = 200;
    config.telemetry.interval_ms = 3_600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("listener")];
    let told = told.clone();
    let registry =
        StrategyRegistry::new().with("listener", move |_: &Params| Ok(Listener(told.clone())));
    let launch = LaunchOptions { venue_faults, ..LaunchOptions::default() };
    // One connection is ahead of the other by up to a quarter of a second.
    let conditions = NetConditions {
        jitter_ns: 5_000_000,
        stall_ppm: 20_000,
        stall_ns: 250_000_000,
        split_ppm: 50_000,
        ..NetConditions::default()
    };
    let options = OneThreadOptions { seed, conditions, ..OneThreadOptions::default() };
    launch_one_thread(&config, &registry, &launch, options).unwrap()
}

fn session(engine: &OneThreadEngine, wanted: &str) -> VenueCounters {
    let sessions = engine.sessions();
    let of_role = sessions.iter().filter(|(_, role, _)| role.starts_with(wanted));
    of_role.fold(VenueCounters::default(), |mut sum, (.., counters)| {
        sum.merge(counters);
        sum
    })
}

#[test]
fn market_data_goes_on_without_a_gap_or_a_repeat() {
    for kind in ["binance", "binance_futures"] {
        for seed in 0..2 {
            let told = Told::default();
            let notice = Duration::from_secs(10);
            let plan = FaultPlan::one(Fault::ServerShutdown { notice }, Trigger::At(50));
            let mut engine = engine(kind, &told, seed, plan);
            engine.run_ns(20 * SECOND_NS);
            let notices = engine.simulated_venues()[0].faults(FaultName::ServerShutdown);
            assert_eq!(notices, 1, "{kind}, seed {seed}");
            let market = session(&engine, "market");
            println!("{kind}, seed {seed}: {market:?}");
            assert!(market.handed_over > 0, "{kind}, seed {seed}");
            assert!(market.repeats > 10, "{kind}, seed {seed}: both were read");
            assert_eq!((market.reconnects, market.gaps), (0, 0), "{kind}, seed {seed}");
            assert_eq!(market.refused, 0, "{kind}, seed {seed}");
            let states = told.of(EventKind::BookState);
            assert_eq!(states.len(), 1, "{kind}, seed {seed}: live once, and for good");
            for of in [EventKind::Quote, EventKind::Trade, EventKind::Book] {
                let numbers = told.of(of);
                assert!(numbers.len() > 100, "{kind}, seed {seed}: {of:?}");
                let rises = numbers.is_sorted_by(|before, after| before < after);
                assert!(rises, "{kind}, seed {seed}: {of:?} told twice");
            }
            let marks = told.times_of(EventKind::MarkPrice);
            let expected = if kind == "binance" { 0..1 } else { 15..21 };
            assert!(expected.contains(&marks.len()), "{kind}, seed {seed}: {}", marks.len());
            assert!(marks.is_sorted_by(|before, after| before < after), "told twice");
            let trades = told.of(EventKind::Trade);
            if kind == "binance" {
                let follow = trades.windows(2).all(|two| two[1] == two[0] + 1);
                assert!(follow, "seed {seed}: a trade was lost");
            }
            assert!(engine.penalties().is_empty(), "{:?}", engine.penalties());
        }
    }
}

/// Kinds whose stream tells books whole, and whether the venue gives notice before it ends a
/// connection.
const IN_BAND: [(&str, bool); 4] =
    [("okx", true), ("bybit", false), ("kraken", false), ("coinbase", false)];

/// Holds what was told of a venue whose stream tells books whole against what must be: one word
/// that its book is live, each trade once, nothing older behind something newer.
fn check_in_band(told: &Told, market: &VenueCounters, what: &str) {
    println!("{what}: {market:?}");
    assert_eq!((market.reconnects, market.gaps, market.mismatches), (0, 0, 0), "{what}");
    assert_eq!((market.refused, market.implausible), (0, 0), "{what}");
    let states = told.of(EventKind::BookState);
    assert_eq!(states.len(), 1, "{what}: live once, and for good");
    let trades = told.of(EventKind::Trade);
    assert!(trades.len() > 100, "{what}: {}", trades.len());
    let follow = trades.windows(2).all(|two| two[1] == two[0] + 1);
    assert!(follow, "{what}: a trade was lost or told twice");
    for of in [EventKind::Quote, EventKind::Book] {
        let times = told.times_of(of);
        assert!(times.len() > 100, "{what}: {of:?}");
        assert!(times.is_sorted(), "{what}: an older {of:?} was told behind a newer one");
        let numbers = told.of(of);
        let is_twice = |two: &[u64]| two[0] != 0 && two[0] == two[1];
        assert!(!numbers.windows(2).any(is_twice), "{what}: {of:?} told twice");
    }
}

#[test]
fn venues_whose_stream_tells_books_whole_hand_over_without_a_gap_or_a_repeat_too() {
    for (kind, gives_notice) in IN_BAND {
        for seed in 0..2 {
            let told = Told::default();
            let notice = Duration::from_secs(20);
            let plan = FaultPlan::one(Fault::ServerShutdown { notice }, Trigger::At(50));
            let plan = if gives_notice { plan } else { FaultPlan::default() };
            let mut config = Config::default_run();
            config.session.hand_over_s = if gives_notice { 0 } else { 10 };
            let mut engine = engine_of(config, kind, &told, seed, plan);
            engine.run_ns(30 * SECOND_NS);
            let what = format!("{kind}, seed {seed}");
            let notices = engine.simulated_venues()[0].faults(FaultName::ServerShutdown);
            assert_eq!(notices, u64::from(gives_notice), "{what}");
            let market = session(&engine, "market");
            assert!(market.handed_over > 0, "{what}: {market:?}");
            check_in_band(&told, &market, &what);
            assert!(engine.penalties().is_empty(), "{what}: {:?}", engine.penalties());
        }
    }
}

/// Connections are cut at any moment of a change to the next one: then it goes on as after any lost
/// connection, and heals.
#[test]
fn a_cut_in_the_middle_of_a_hand_over_heals() {
    for (kind, _) in IN_BAND {
        // Not every seed cuts a connection while the next one is on its way.
        let lost =
            (7..20).map(|seed| hand_overs_lost_and_healed(kind, seed)).find(|lost| *lost > 0);
        assert!(lost.is_some(), "{kind}: no cut fell into a hand-over");
    }
}

/// How many hand-overs were lost to cuts of this seed, after which all went on.
fn hand_overs_lost_and_healed(kind: &str, seed: u64) -> u64 {
    let told = Told::default();
    let mut config = Config::default_run();
    (config.session.hand_over_s, config.session.backoff_max_ms) = (3, 1_000);
    let mut engine = engine_of(config, kind, &told, seed, FaultPlan::default());
    let calm = NetConditions { jitter_ns: 5_000_000, ..NetConditions::default() };
    engine.net().set_conditions(NetConditions { cut_ppm: 2_000, ..calm });
    engine.run_ns(25 * SECOND_NS);
    engine.net().set_conditions(calm);
    engine.run_ns(15 * SECOND_NS);
    let market = session(&engine, "market");
    let allowances = engine.allowances();
    println!("{kind}, seed {seed}: {market:?}, {:?}", allowances[0].sent);
    let cuts = engine.net_totals().cuts;
    assert!(cuts > 3 && market.reconnects > 0, "{kind}, seed {seed}: it happened, {cuts}");
    assert!(market.handed_over > 0, "{kind}, seed {seed}");
    let quotes = told.of(EventKind::Quote).len();
    let books = told.of(EventKind::Book).len();
    engine.run_ns(3 * SECOND_NS);
    assert!(told.of(EventKind::Quote).len() > quotes + 20, "{kind}, seed {seed}: quotes go on");
    assert!(told.of(EventKind::Book).len() > books + 20, "{kind}, seed {seed}: the book is live");
    assert!(engine.penalties().is_empty(), "{kind}, seed {seed}: {:?}", engine.penalties());
    market.hand_overs_lost
}

/// Orders eight times a second, half of which fill at once, while the order connection is handed
/// over: the venue's record is what was told, and no order was refused for want of a connection.
#[test]
fn orders_leave_and_are_told_all_the_time() {
    for seed in 0..2 {
        let told = ToldReports::default();
        let notice = Duration::from_secs(10);
        let plan = FaultPlan::one(Fault::ServerShutdown { notice }, Trigger::At(100));
        let mut engine = trading_engine("binance", 50, &told, seed, plan);
        engine.run_ns(60 * SECOND_NS);
        let notices = engine.simulated_venues()[0].faults(FaultName::ServerShutdown);
        assert_eq!(notices, 1, "seed {seed}");
        let orders = session(&engine, "orders");
        println!("seed {seed}: {orders:?}");
        assert_eq!((orders.handed_over, orders.reconnects), (1, 0), "seed {seed}");
        assert!(orders.duplicates > 0, "seed {seed}: both streams were read");
        assert_eq!(orders.contradictions, 0, "seed {seed}");
        let behind = engine.stop(20 * SECOND_NS);
        assert!(behind.is_empty(), "seed {seed}: {behind:?} did not end");
        let (ledger, penalties) = (engine.ledgers().remove(0), engine.penalties());
        let mut orders = ToldOrders::default();
        let reports = told.0.lock().unwrap().clone();
        reports.iter().for_each(|report| orders.take(report));
        let wrong = disagreements(&orders, &ledger, &[SimulatedSymbol::default()]);
        assert_eq!(wrong, Vec::<String>::new(), "seed {seed}");
        assert!(ledger.trades.len() > 100, "seed {seed}: {}", ledger.trades.len());
        let is_refused = |report: &&ExecReport| report.status() == Some(OrderStatus::Rejected);
        assert_eq!(reports.iter().find(is_refused), None, "seed {seed}");
        assert!(penalties.is_empty(), "seed {seed}: {penalties:?}");
        let report = engine.finish();
        assert!(report.identity_holds && report.orders.left_at_venues.is_empty(), "seed {seed}");
    }
}

/// Where no notice comes, age alone ends a connection: that of orders, and with it the account's
/// stream, is followed by another before its day is over.
#[test]
fn a_day_of_contracts_ends_no_session() {
    let told = ToldReports::default();
    let mut engine = trading_engine("binance_futures", 1, &told, 1, FaultPlan::default());
    let handed_over = |engine: &OneThreadEngine| {
        let orders = session(engine, "orders");
        assert_eq!((orders.reconnects, orders.contradictions), (0, 0), "{orders:?}");
        orders.handed_over
    };
    engine.run_ns(20 * 3_600 * SECOND_NS);
    assert_eq!(handed_over(&engine), 0);
    engine.run_ns(5 * 3_600 * SECOND_NS);
    assert_eq!(handed_over(&engine), 1);
    assert!(engine.penalties().is_empty(), "{:?}", engine.penalties());
    let behind = engine.stop(20 * SECOND_NS);
    assert!(behind.is_empty(), "{behind:?} did not end");
    let reports = told.0.lock().unwrap().len();
    assert!(reports > 400, "{reports} reports");
    let report = engine.finish();
    assert!(report.identity_holds && report.orders.left_at_venues.is_empty());
}

#[derive(Clone, Default)]
struct ToldReports(Arc<Mutex<Vec<ExecReport>>>);

struct Trader {
    told: ToldReports,
    best: Option<Quote>,
}

impl Strategy for Trader {
    fn interest(&self) -> Interest {
        Interest::ALL
    }

    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        ctx.set_timer(2 * SECOND_NS, 1);
        Ok(())
    }

    fn on_quote(&mut self, quote: View<'_, Quote>, _ctx: &mut Context) -> StrategyResult {
        self.best = Some(*quote);
        Ok(())
    }

    fn on_timer(&mut self, number: u64, ctx: &mut Context) -> StrategyResult {
        let Some(quote) = self.best else { return Ok(()) };
        let is_marketable = number.is_multiple_of(2);
        let price = if is_marketable { quote.ask_price * 2 } else { quote.bid_price / 2 };
        ctx.submit(NewOrder {
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: Price(price),
            qty: Qty(100),
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
        })?;
        if number.is_multiple_of(8) {
            ctx.cancel_all()?;
        }
        if number < 400 {
            ctx.set_timer(SECOND_NS / 8, number + 1);
        }
        Ok(())
    }

    fn on_exec_report(
        &mut self,
        report: View<'_, ExecReport>,
        _ctx: &mut Context,
    ) -> StrategyResult {
        self.told.0.lock().unwrap().push(*report);
        Ok(())
    }
}

fn trading_engine(
    kind: &str,
    events_per_s: u32,
    told: &ToldReports,
    seed: u64,
    venue_faults: FaultPlan,
) -> OneThreadEngine {
    let mut config = Config::default_run();
    config.simulated.kind = kind.into();
    config.simulated.events_per_s = events_per_s;
    config.telemetry.interval_ms = 3_600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("trader")];
    let told = told.clone();
    let registry = StrategyRegistry::new()
        .with("trader", move |_: &Params| Ok(Trader { told: told.clone(), best: None }));
    let launch = LaunchOptions { venue_faults, ..LaunchOptions::default() };
    let conditions = NetConditions { jitter_ns: 30_000_000, ..NetConditions::default() };
    let options = OneThreadOptions { seed, conditions, ..OneThreadOptions::default() };
    launch_one_thread(&config, &registry, &launch, options).unwrap()
}
