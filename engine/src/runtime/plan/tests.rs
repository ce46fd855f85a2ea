use super::*;
use crate::config::ConsumerConfig;

fn config(consumers: usize) -> Config {
    let consumer = |n: usize| ConsumerConfig::of_strategy(&format!("s{n}"));
    let consumers = (0..consumers).map(consumer).collect();
    Config { consumers, ..Config::default_run() }
}

fn plan(cores: usize, consumers: usize) -> CorePlan {
    CorePlan::make(&config(consumers), &HostCores::of(0..cores)).unwrap()
}

fn shape(plan: &CorePlan) -> Vec<(&str, Option<usize>, usize)> {
    plan.cores.iter().map(|c| (c.name.as_str(), c.core, c.agents.len())).collect()
}

#[test]
fn every_agent_has_one_place_and_threads_never_outnumber_cores() {
    for cores in [1, 2, 3, 4, 5, 8, 64] {
        for consumers in [0, 1, 3, 50] {
            let plan = plan(cores, consumers);
            let mut agents: Vec<_> = plan.cores.iter().flat_map(|c| c.agents.clone()).collect();
            // Market and order session of the one venue, orchestrator, dispatcher, gateway.
            assert_eq!(agents.len(), 5 + consumers, "{cores} cores, {consumers} consumers");
            agents.sort_by_key(|agent| format!("{agent:?}"));
            agents.dedup();
            assert_eq!(agents.len(), 5 + consumers, "an agent has two places");
            assert!(plan.cores.iter().all(|core| !core.agents.is_empty()));
            let used: BTreeSet<_> = plan.cores.iter().map(|core| core.core.unwrap()).collect();
            assert_eq!(used.len(), plan.cores.len(), "two threads on one core");
            assert!(plan.cores.len() <= cores);
            assert_eq!(cores >= 4, plan.housekeeping == Some(0), "{cores} cores: {plan:?}");
        }
    }
}

#[test]
fn one_core_runs_everything_and_yields() {
    let plan = plan(1, 3);
    assert_eq!(shape(&plan), [("dispatch", Some(0), 8)]);
    assert_eq!((plan.profile, plan.cores[0].idle), (Profile::Balanced, YIELD));
    assert!(plan.notes.iter().any(|note| note.contains("share the dispatcher's core")));
}

#[test]
fn two_cores_are_dispatch_and_consumers() {
    let three = plan(2, 3);
    assert_eq!(shape(&three), [("dispatch", Some(0), 5), ("consumers", Some(1), 3)]);
    assert_eq!(three.profile, Profile::Balanced);
    assert_eq!(shape(&plan(2, 1))[1], ("consumer-s0", Some(1), 1));
    assert_eq!(shape(&plan(2, 0)), [("dispatch", Some(0), 5)]);
}

#[test]
fn four_cores_keep_one_for_housekeeping() {
    let expected =
        [("dispatch", Some(1), 3), ("venue-simulated", Some(2), 2), ("consumers", Some(3), 3)];
    assert_eq!(shape(&plan(4, 3)), expected);
}

#[test]
fn eight_cores_give_every_agent_its_own_and_spin() {
    let plan = plan(8, 3);
    let expected = [
        ("dispatch", Some(1), 3),
        ("venue-simulated", Some(2), 2),
        ("consumer-s0", Some(3), 1),
        ("consumer-s1", Some(4), 1),
        ("consumer-s2", Some(5), 1),
    ];
    assert_eq!(shape(&plan), expected);
    assert_eq!((plan.profile, plan.cores[0].idle), (Profile::Latency, IdleStrategy::Spin));
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
}

#[test]
fn fifty_consumers_are_spread_evenly_or_get_a_core_each() {
    let eight = plan(8, 50);
    let sizes: Vec<_> = eight.cores[2..].iter().map(|core| core.agents.len()).collect();
    assert_eq!(sizes, [10; 5]);
    assert_eq!(eight.profile, Profile::Balanced);
    assert_eq!(plan(64, 50).cores.len(), 52);
}

#[test]
fn orders_go_first_and_then_the_events_way() {
    use AgentRole::{Dispatcher, Gateway, Orchestrator, VenueMarket, VenueOrders};
    let way = [Gateway, VenueOrders(0), VenueMarket(0), Orchestrator, Dispatcher];
    assert_eq!(plan(2, 3).cores[0].agents, way);
}

#[test]
fn many_venues_share_one_core_when_there_is_not_one_for_each() {
    let mut config = config(1);
    config.venues = (0..5).map(|_| crate::config::VenueConfig::default()).collect();
    config.simulated.enabled = false;
    let few = CorePlan::make(&config, &HostCores::of(0..4)).unwrap();
    assert_eq!(shape(&few)[1], ("venues", Some(2), 5));
    let many = CorePlan::make(&config, &HostCores::of(0..8)).unwrap();
    assert_eq!(many.cores.len(), 7);
}

#[test]
fn consumers_beyond_what_a_lease_holds_share_cells_and_a_note_says_so() {
    assert!(plan(2, 63).notes.iter().all(|note| !note.contains("along")));
    let notes = plan(2, 64).notes;
    assert!(notes.iter().any(|note| note.contains("takes up to 1 others along")), "{notes:?}");
}

#[test]
fn threads_that_lose_their_core_get_those_that_nobody_is_pinned_to() {
    let host = HostCores::of(0..4);
    assert_eq!(plan(4, 3).loose_cores(&host), [0]);
    assert_eq!(plan(2, 3).loose_cores(&HostCores::of(0..2)), [0, 1], "there are no others");
    assert!(plan(4, 3).has_room(&host) && !plan(2, 3).has_room(&HostCores::of(0..2)));
    let mut config = config(3);
    config.cores.pin = false;
    assert!(CorePlan::make(&config, &host).unwrap().loose_cores(&host).is_empty());
}

#[test]
fn quiet_parks_one_thread_and_says_what_that_means() {
    let mut config = config(3);
    config.engine.profile = Profile::Quiet;
    let plan = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
    assert_eq!(shape(&plan), [("dispatch", Some(0), 8)]);
    assert_eq!(plan.cores[0].idle, IdleStrategy::Park);
    assert!(plan.notes.iter().any(|note| note.contains("a slow strategy delays delivery")));
    config.cores.consumers = Some(vec![1]);
    let plan = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
    assert_eq!(shape(&plan), [("dispatch", Some(0), 5), ("consumers", Some(1), 3)]);
}

#[test]
fn spinning_gives_way_where_it_would_starve_others() {
    let mut config = config(3);
    config.engine.profile = Profile::Latency;
    let one = CorePlan::make(&config, &HostCores::of([0])).unwrap();
    assert_eq!(one.cores[0].idle, YIELD);
    assert!(one.notes.iter().any(|note| note.contains("starve")), "{:?}", one.notes);
    let two = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
    assert_eq!(two.cores[0].idle, IdleStrategy::Spin);
    assert!(two.notes.iter().any(|note| note.contains("every core spins")));
    // The file asks for three threads, the quota grants two cores.
    config.cores.consumers = Some(vec![2, 3]);
    let granted = HostCores { quota_millicores: Some(2_000), ..HostCores::of(0..4) };
    let limited = CorePlan::make(&config, &granted).unwrap();
    assert_eq!((limited.cores.len(), limited.cores[0].idle), (3, YIELD));
    assert!(limited.notes.iter().any(|note| note.contains("grants 2 of 4")));
}

#[test]
fn cores_that_are_asked_for_are_given() {
    let mut config = config(3);
    config.cores.dispatch = Some(5);
    config.cores.consumers = Some(vec![7, 6]);
    let plan = CorePlan::make(&config, &HostCores::of(0..8)).unwrap();
    let expected = [
        ("dispatch", Some(5), 3),
        ("venue-simulated", Some(1), 2),
        ("consumers-7", Some(7), 2),
        ("consumer-s1", Some(6), 1),
    ];
    assert_eq!(shape(&plan), expected);
    config.cores = crate::config::CoresConfig { consumers: Some(vec![0]), ..Default::default() };
    let two = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
    assert_eq!(shape(&two), [("dispatch", Some(1), 5), ("consumers", Some(0), 3)]);
}

#[test]
fn a_core_that_is_not_there_is_an_error_with_what_is() {
    // F28
    let mut config = config(3);
    config.cores.dispatch = Some(9);
    let host = HostCores::of([0, 1, 2, 3, 8, 2_000]);
    let error = CorePlan::make(&config, &host).unwrap_err();
    let expected = "cores.dispatch: core 9 is not available; available: 0-3, 8";
    assert_eq!(error.to_string(), expected);
    config.cores.dispatch = Some(2_000);
    let error = CorePlan::make(&config, &host).unwrap_err();
    assert!(error.to_string().contains("ids end at 1023; available: 0-3, 8"), "{error}");
    config.cores.dispatch = None;
    config.cores.consumers = Some(vec![0, 4]);
    let error = CorePlan::make(&config, &host).unwrap_err();
    assert!(matches!(error, PlanError::MissingCore { key: "cores.consumers", core: 4, .. }));
    let none = CorePlan::make(&self::config(1), &HostCores::of([])).unwrap_err();
    assert_eq!(none, PlanError::NoCores);
}

#[test]
fn without_pinning_the_threads_are_the_same_and_a_note_says_so() {
    let mut config = config(3);
    config.cores.pin = false;
    let plan = CorePlan::make(&config, &HostCores::of(0..8)).unwrap();
    assert_eq!(plan.cores.len(), 5);
    assert!(plan.cores.iter().all(|core| core.core.is_none()));
    assert!(plan.notes.iter().any(|note| note.contains("pinning is off")));
}
