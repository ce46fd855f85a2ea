//! `pitlane simulate`: bad days by seed, judged against the venue's own record.

mod real;
mod seeds;
mod text;

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use pitlane_engine::StrategyRegistry;
use pitlane_engine::simulation::{Plan, Shrinking, Shrunk, draw, shrink};

use crate::cli::SimulateArgs;
use crate::exit::Exit;
use crate::terminal::Terminal;
use seeds::Summary;

/// Runs between two words on how far a plan has been made smaller.
const PROGRESS_RUNS: u64 = 10;

/// Runs the seeds that are asked for, and judges them.
pub(crate) fn simulate(
    args: &SimulateArgs,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    if args.list {
        let list = if args.json { text::list_json() } else { text::list() };
        return terminal.print(&list).map(|()| Exit::Ok);
    }
    let file = plan_file(args, terminal)?;
    let (first, count) = args.seed.map_or((args.from, args.seeds), |seed| (seed, 1));
    let plan = |seed| plan(args, file.as_deref(), seed);
    let of_first = plan(first).map_err(|problem| {
        terminal.complain(&problem);
        Exit::Usage
    })?;
    if args.show {
        return terminal.print(&of_first.text()).map(|()| Exit::Ok);
    }
    if std::env::var_os("RUST_LOG").is_some() {
        pitlane_engine::telemetry::install_logger();
    }
    if args.real {
        return real::seeds(args, registry, stop, &plan, terminal);
    }
    let mut summary = Summary::default();
    let again = text::again(args);
    let mut tell = |line: &str| {
        if !args.json {
            let _ = terminal.print(line);
        }
    };
    summary
        .run(first..first.saturating_add(count), args, registry, stop, &plan, &mut |seed| {
            if let Some(failed) = seed.failed() {
                tell(&text::failed(failed, &again));
            }
        })
        .map_err(|problem| {
            terminal.complain(&problem);
            Exit::StartRefused
        })?;
    let shown = if args.json { text::json(&summary, args) } else { text::summary(&summary, args) };
    terminal.print(&shown)?;
    if args.shrink
        && let Some(failed) = summary.failed.first()
        && let Some(violation) = failed.outcome.violations.first()
    {
        let invariant = violation.invariant;
        let shrunk = smaller(&failed.plan, invariant, (args, registry, stop), terminal)?;
        terminal.print(&text::shrunk(&shrunk, invariant))?;
    }
    Ok(if summary.holds(args) { Exit::Ok } else { Exit::Failed })
}

/// Makes a failing plan smaller, within the time and the runs that are allowed.
fn smaller(
    plan: &Plan,
    invariant: u8,
    (args, registry, stop): (&SimulateArgs, &StrategyRegistry, &AtomicBool),
    terminal: &mut Terminal<'_>,
) -> Result<Shrunk, Exit> {
    let started = Instant::now();
    let mut shown_runs = 0;
    let shrinking = Shrinking {
        invariant,
        registry,
        stop,
        runs_max: args.shrink_runs,
        tell: &mut |shrunk| {
            if shrunk.runs >= shown_runs + PROGRESS_RUNS {
                shown_runs = shrunk.runs;
                terminal.say(&text::shrinking(shrunk, started.elapsed()));
            }
            args.within.is_none_or(|within| started.elapsed() < within)
        },
    };
    shrink(plan, shrinking).map_err(|error| {
        terminal.complain(&error.to_string());
        Exit::StartRefused
    })
}

/// The text of the plan file, if one is given.
fn plan_file(args: &SimulateArgs, terminal: &mut Terminal<'_>) -> Result<Option<String>, Exit> {
    let Some(path) = &args.plan else { return Ok(None) };
    let text = fs::read_to_string(path).map_err(|error| {
        terminal.complain(&format!("[simulate] reading {} failed: {error}", path.display()));
        Exit::Unreadable
    })?;
    Ok(Some(text))
}

/// The plan of a seed. A file that names a seed means that one.
fn plan(args: &SimulateArgs, file: Option<&str>, seed: u64) -> Result<Plan, String> {
    let minutes = args.hours.map_or(args.minutes, |hours| 60 * hours);
    let trouble_ms = match args.real {
        true => args.real_time.as_millis() as u64,
        false => minutes * 60_000,
    };
    let drawn = draw(seed, trouble_ms);
    match file {
        None => Ok(drawn),
        Some(text) => drawn.with_file(text).map_err(|error| error.to_string()),
    }
}
