//! `pitlane simulate --real`: the same plans, strategies and checkers for the shipped binary, as a
//! process of its own on real sockets, files and clocks, behind a proxy that spoils the network.
//!
//! Everything that is started here ends with the seed, also in a panic or when the command is
//! interrupted: the engine is killed when its owner is dropped, and by the system when this process
//! is gone.

mod engine;
mod proxy;
mod run;
mod text;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pitlane_engine::StrategyRegistry;
use pitlane_engine::simulation::Plan;

use crate::cli::SimulateArgs;
use crate::exit::Exit;
use crate::terminal::Terminal;
use text::Seed;

/// Runs seeds one after the other: an engine needs its cores.
pub(super) fn seeds(
    args: &SimulateArgs,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    plan: &dyn Fn(u64) -> Result<Plan, String>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let began = Instant::now();
    let (first, count) = args.seed.map_or((args.from, args.seeds), |seed| (seed, 1));
    let mut seeds: Vec<Seed> = Vec::new();
    for seed in first..first.saturating_add(count) {
        let is_late = args.within.is_some_and(|within| began.elapsed() >= within);
        let has_failed = args.first && seeds.iter().any(|seed| !seed.holds());
        if is_late || has_failed || stop.load(Ordering::Relaxed) {
            break;
        }
        let outcome =
            plan(seed).and_then(|plan| run::run(&plan, registry, args.keep.as_deref(), stop));
        let outcome = outcome.map_err(|problem| {
            terminal.complain(&problem);
            Exit::StartRefused
        })?;
        if outcome.is_cut_short {
            break;
        }
        let seed = Seed { seed, outcome };
        if !args.json {
            terminal.print(&text::seed(&seed, args))?;
        }
        seeds.push(seed);
    }
    let took = began.elapsed();
    let shown =
        if args.json { text::json(&seeds, args, took) } else { text::summary(&seeds, took) };
    terminal.print(&shown)?;
    let holds = !seeds.is_empty() && seeds.iter().all(Seed::holds);
    Ok(if holds { Exit::Ok } else { Exit::Failed })
}
