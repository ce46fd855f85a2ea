//! What a venue says of an instrument reaches the strategies that are subscribed to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::Closure;
use pitlane_engine::event::{Event, EventKind, Instrument, Interest};
use pitlane_engine::venue::simulated::{Fault, FaultName, FaultPlan, Trigger};
use pitlane_engine::{LaunchOptions, OneThreadOptions, StrategyRegistry, launch_one_thread};

use crate::SECOND_NS;

/// When, in seconds, about which instrument, and whether it trades.
type Told = Arc<Mutex<Vec<(u64, u32, bool)>>>;

#[test]
fn a_market_that_closes_and_opens_again_is_told_to_who_is_subscribed_to_it() {
    let mut config = Config::default_run();
    config.simulated.events_per_s = 20;
    config.session.instrument_refresh_s = 5;
    config.consumers = vec![ConsumerConfig::of_strategy("watcher")];
    let told = Told::default();
    let tell = Arc::clone(&told);
    let registry = StrategyRegistry::new().with("watcher", move |_| {
        let told = Arc::clone(&tell);
        let interest = Interest::NONE.and(EventKind::Instrument);
        Ok(Closure::new(interest, move |event: &Event, _ctx| {
            let data = event.get::<Instrument>().expect("it wants nothing else");
            assert!(event.trace_id > 0 && data.tick > 0 && data.step > 0, "{data:?}");
            let at_s = event.receive_ns / SECOND_NS;
            told.lock().unwrap().push((at_s, event.instrument, data.trading == 1));
            Ok(())
        }))
    });
    let launch = LaunchOptions {
        // The 150th tenth of a second.
        venue_faults: FaultPlan::one(
            Fault::MarketBreak { duration: Duration::from_secs(20) },
            Trigger::At(150),
        ),
        ..LaunchOptions::default()
    };
    let mut engine =
        launch_one_thread(&config, &registry, &launch, OneThreadOptions::default()).unwrap();
    engine.run_ns(60 * SECOND_NS);
    assert_eq!(engine.simulated_venues()[0].faults(FaultName::MarketBreak), 1);
    assert!(engine.penalties().is_empty(), "{:?}", engine.penalties());
    assert!(engine.stop(10 * SECOND_NS).is_empty());
    assert!(engine.finish().identity_holds);
    let told = told.lock().unwrap().clone();
    let first = told.iter().filter(|(at_s, ..)| *at_s < 5);
    assert_eq!(first.count(), config.instruments.len(), "the first word of each: {told:?}");
    let later: Vec<_> = told.iter().filter(|(at_s, ..)| *at_s >= 5).collect();
    let [(closed_s, 0, false), (opened_s, 0, true)] = later[..] else { panic!("{told:?}") };
    assert!((15..=21).contains(closed_s) && (35..=41).contains(opened_s), "{told:?}");
}

#[test]
fn forty_books_are_live_within_a_second_and_within_the_venue_s_budget() {
    let of = |number| format!("[[instrument]]\nsymbol = \"A{number}-USDT\"\n");
    let text: String = (0..40).map(of).collect();
    let mut config = Config::parse(&text, "forty.toml").unwrap();
    config.consumers = vec![ConsumerConfig::of_strategy("momentum")];
    let (launch, options) = (LaunchOptions::default(), OneThreadOptions::default());
    let mut engine =
        launch_one_thread(&config, &pitlane_strategies::builtin(), &launch, options).unwrap();
    engine.run_ns(SECOND_NS);
    let books = engine.status().books;
    let live = books.iter().filter(|book| book.status == "live").count();
    assert_eq!((live, books.len()), (40, 40), "{books:?}");
    assert!(engine.penalties().is_empty(), "{:?}", engine.penalties());
}
