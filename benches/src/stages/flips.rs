//! What a flip of one route takes on the dispatcher of a running engine: notices to the one
//! consumer whose route changes, and the swap, in a table of a thousand routes and more.

use pitlane_engine::config::{Config, ConsumerConfig, InstrumentConfig};
use pitlane_engine::consumer::Closure;
use pitlane_engine::event::Interest;
use pitlane_engine::{LaunchOptions, OwnVenue, Params, RouteChange, StrategyRegistry, launch_with};

use super::Bench;

const CONSUMERS: usize = 50;
const FLIPS: u64 = 1_000;

/// Prints percentiles over flips.
pub(crate) fn section(_bench: &Bench) {
    match flips() {
        Ok((routes, steps_ns)) => {
            let at = |percent: usize| steps_ns[(steps_ns.len() - 1) * percent / 100];
            println!("\nthe dispatcher's step at a flip, {routes} routes, {FLIPS} flips [ns]");
            println!(
                "  {:42} best {}, p50 {}, p90 {}",
                "one route on or off",
                at(0),
                at(50),
                at(90)
            );
        }
        Err(problem) => println!("\nflips: {problem}"),
    }
}

/// How many routes there are, and what each flip took, ns, the quickest first.
fn flips() -> Result<(usize, Vec<u64>), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut config = Config::default_run();
    config.engine.run_dir = dir.path().to_owned();
    config.engine.warm_up_ms = 0;
    config.telemetry.hlog = false;
    config.control.enabled = false;
    config.lanes.market = 64;
    config.lanes.spill = 64;
    config.simulated.events_per_s = 500;
    for name in ["ETH-USDT", "SOL-USDT"] {
        let symbol = name.to_owned();
        config.instruments.push(InstrumentConfig { symbol, ..InstrumentConfig::default() });
    }
    config.consumers.clear();
    let mut registry = StrategyRegistry::new();
    for number in 0..CONSUMERS {
        let name = format!("consumer-{number}");
        config.consumers.push(ConsumerConfig::of_strategy(&name));
        registry = registry
            .with(&name, |_: &Params| Ok(Closure::new(Interest::ALL, |_event, _ctx| Ok(()))));
    }
    let launch = LaunchOptions { own_venue: OwnVenue::Synthetic, ..LaunchOptions::default() };
    let engine = launch_with(config, &registry, launch).map_err(|error| error.to_string())?;
    let routes = engine.routes();
    let mut steps_ns = Vec::new();
    for flip in 0..FLIPS {
        let route = routes[(flip / 2) as usize % routes.len()];
        let change = RouteChange { route, is_on: flip % 2 == 1 };
        let outcome = engine.flip(flip + 1, &[change]).map_err(|error| error.to_string())?;
        steps_ns.push(outcome.step_ns);
    }
    let report = engine.stop().ok_or("the engine left no report")?;
    if !report.identity_holds {
        return Err("an account does not hold".to_owned());
    }
    steps_ns.sort_unstable();
    Ok((routes.len(), steps_ns))
}
