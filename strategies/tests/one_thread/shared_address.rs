//! Two venues of one configuration that have one address: what the address earns is obeyed by both.

use std::time::Duration;

use pitlane_engine::config::{Config, ConsumerConfig, VenueConfig};
use pitlane_engine::control::protocol::{Request, VenueAction};
use pitlane_engine::venue::simulated::{Fault, FaultName, FaultPlan, Trigger};
use pitlane_engine::{LaunchOptions, OneThreadOptions, launch_one_thread};

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
    // The embedded venue's own sessions share no governor: they leave.
    let remove = Request::Venue { action: VenueAction::Remove, name: "simulated".into() };
    engine.operate(remove).unwrap();
    let is_banned =
        |engine: &pitlane_engine::OneThreadEngine| engine.embedded()[0].faults(FaultName::Ban) == 1;
    assert!(!is_banned(&engine), "not by the sessions that leave");
    let mut began_s = 0;
    for second in 0..400 {
        engine.run_ns(SECOND_NS);
        if began_s == 0 && is_banned(&engine) {
            began_s = second;
        }
    }
    assert!(began_s > 0, "it was banned");
    // One request was answered so, and none followed it, of either venue, in four rounds.
    let penalties = engine.penalties();
    println!("banned after {began_s} s: {penalties:?}");
    assert_eq!(penalties.into_iter().collect::<Vec<_>>(), [("while_banned", 1)]);
    let imposed = |name: &str| {
        let allowances = engine.allowances();
        allowances.iter().find(|of| of.venue == name).map(|of| of.pauses_imposed)
    };
    assert_eq!(imposed("one").zip(imposed("two")).map(|(one, two)| one + two), Some(1));
    for (venue, role, counters) in engine.sessions() {
        if venue != "simulated" {
            assert!(counters.events > 100, "{venue}:{role} goes on: {counters:?}");
        }
    }
}
