//! Two venues of one configuration that have one address: what the address earns is obeyed by both.

use std::time::Duration;

use pitlane_engine::config::{Config, ConsumerConfig, VenueConfig};
use pitlane_engine::control::protocol::{ControlRequest, VenueAction};
use pitlane_engine::venue::simulated::{Fault, FaultName, FaultPlan, Trigger};
use pitlane_engine::{LaunchOptions, OneThreadEngine, OneThreadOptions, launch_one_thread};

use crate::SECOND_NS;
use crate::heard::{Heard, registry};

const PORT: u16 = 19_000;
const BAN: Duration = Duration::from_secs(120);

#[test]
fn a_ban_of_the_address_that_one_of_two_venues_earns_stops_the_other_too() {
    let mut config = Config::default_run();
    config.simulated.events_per_s = 20;
    config.simulated.bind.set_port(PORT);
    config.telemetry.interval_ms = 3_600_000;
    config.consumers = vec![ConsumerConfig::of_strategy("noop")];
    config.venues = ["one", "two"]
        .map(|name| VenueConfig {
            name: name.into(),
            stream_url: format!("ws://127.0.0.1:{PORT}/stream"),
            rest_url: format!("http://127.0.0.1:{PORT}"),
            ..VenueConfig::default()
        })
        .into();
    // Behind the requests of the start: the next ones ask for instruments, each half minute.
    let venue_faults = FaultPlan::one(Fault::Ban { duration: BAN }, Trigger::At(24));
    let launch = LaunchOptions { venue_faults, ..LaunchOptions::default() };
    let registry = registry(&Heard::default(), false);
    let options = OneThreadOptions::default();
    let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
    engine.run_ns(5 * SECOND_NS);
    let ask = |engine: &mut OneThreadEngine, action, name: &str| {
        engine.operate(ControlRequest::Venue { action, name: name.into() }).unwrap();
    };
    // The simulated venue's own sessions share no governor: they leave. Of the other two one stays.
    ask(&mut engine, VenueAction::Remove, "simulated");
    ask(&mut engine, VenueAction::Remove, "two");
    let is_banned =
        |engine: &OneThreadEngine| engine.simulated_venues()[0].faults(FaultName::Ban) == 1;
    assert!(!is_banned(&engine), "not by the sessions that leave");
    let began_s = (0..300).find(|_| {
        engine.run_ns(SECOND_NS);
        is_banned(&engine)
    });
    // What had left before its sender could know of the ban.
    engine.run_ns(SECOND_NS);
    let on_its_way = engine.penalties();
    println!("banned after {began_s:?} s: {on_its_way:?}");
    assert!(began_s.is_some(), "it was banned");
    // The other one comes back within the ban, and waits for its end like the one that earned it.
    ask(&mut engine, VenueAction::Add, "two");
    engine.run_ns(BAN.as_nanos() as u64 - 11 * SECOND_NS);
    assert_eq!(engine.penalties(), on_its_way, "nothing was sent into the ban");
    engine.run_ns(60 * SECOND_NS);
    assert_eq!(engine.penalties(), on_its_way);
    for name in ["one", "two"] {
        let before = events_of(&engine, name);
        engine.run_ns(10 * SECOND_NS);
        let after = events_of(&engine, name);
        assert!(after > before + 50, "{name} goes on: {before}, {after}");
    }
}

/// Events of a venue's market so far.
fn events_of(engine: &OneThreadEngine, name: &str) -> u64 {
    let sessions = engine.sessions();
    let of = sessions.iter().filter(|(venue, ..)| *venue == name);
    of.map(|(.., counters)| counters.events).sum()
}
