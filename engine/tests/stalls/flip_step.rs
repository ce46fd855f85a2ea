//! What a swap of a large table takes on the dispatcher.

use pitlane_engine::RouteChange;
use pitlane_engine::config::InstrumentConfig;

use crate::rig::{Rig, assert_nothing_lost};

const CONSUMERS: usize = 50;
const ROUTES_MIN: usize = 1_000;
const FLIPS: u64 = 1_000;

/// Prints the dispatcher's whole step (notices to the one consumer whose route changes, and the
/// swap) for a table of at least 1,000 routes. Below 1 us on an idle machine:
/// `cargo test --release -p pitlane-engine --test stalls flip_step -- --ignored --nocapture`
#[test]
#[ignore = "prints a cost, and judges none"]
fn the_step_of_a_table_with_a_thousand_routes() {
    let mut rig = Rig::on_one_core();
    rig.config.simulated.events_per_s = 500;
    rig.config.lanes.spill = 64;
    for name in ["ETH-USDT", "SOL-USDT"] {
        let symbol = name.to_owned();
        rig.config.instruments.push(InstrumentConfig { symbol, ..InstrumentConfig::default() });
    }
    for number in 0..CONSUMERS {
        rig.witness(&format!("witness-{number}"));
    }
    let run = rig.start();
    let routes = run.engine.routes();
    assert!(routes.len() >= ROUTES_MIN, "{} routes", routes.len());
    let mut steps_ns = Vec::new();
    for flip in 0..FLIPS {
        let route = routes[(flip / 2) as usize % routes.len()];
        let change = RouteChange { route, is_on: flip % 2 == 1 };
        steps_ns.push(run.engine.flip(flip + 1, &[change]).expect("it completes").step_ns);
    }
    let (report, _dir) = run.stop();
    assert_nothing_lost(&report);
    steps_ns.sort_unstable();
    let at = |percent: usize| steps_ns[steps_ns.len() * percent / 100];
    println!(
        "{} routes, {FLIPS} flips: the dispatcher's step takes {} ns at best, p50 {} ns, p90 {} ns",
        routes.len(),
        at(0),
        at(50),
        at(90)
    );
}
