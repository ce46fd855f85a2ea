//! What `simulate` prints.

use std::fmt::Write;
use std::time::Duration;

use pitlane_engine::simulation::{Shrunk, Violation, invariants, marks};
use serde_json::json;

use super::seeds::{Seed, Summary};
use crate::cli::SimulateArgs;
use crate::table::count;

/// Violations of one seed that are printed.
const SHOWN_MAX: usize = 5;

/// What is checked, and what is not.
pub(super) fn list() -> String {
    let mut text = String::new();
    for invariant in &invariants::ALL {
        let state = match (invariant.is_checked(), invariant.gap) {
            (false, _) => "NOT CHECKED",
            (true, Some(_)) => "in part",
            (true, None) => "checked",
        };
        let (number, name, promise) = (invariant.number, invariant.name, invariant.promise);
        let _infallible = writeln!(text, "{number:>3} {name:<19} {state:<12} {promise}");
        if let Some(gap) = invariant.gap {
            let _infallible = writeln!(text, "{:37}{gap}", "");
        }
    }
    text.push_str("\nMarks, rare things that runs should reach:\n");
    for (name, what) in marks::ALL {
        let _infallible = writeln!(text, "    {name:<22} {what}");
    }
    text
}

/// The same for a program.
pub(super) fn list_json() -> String {
    let of = |it: &invariants::Invariant| {
        json!({
            "number": it.number, "name": it.name, "promise": it.promise,
            "is_checked": it.is_checked(), "gap": it.gap,
        })
    };
    let invariants: Vec<_> = invariants::ALL.iter().map(of).collect();
    let marks: Vec<_> =
        marks::ALL.iter().map(|(name, what)| json!({ "name": name, "what": what })).collect();
    format!("{:#}\n", json!({ "invariants": invariants, "marks": marks }))
}

/// The options that make a run of one seed the same again.
pub(super) fn again(args: &SimulateArgs) -> String {
    let mut text = match args.hours {
        Some(hours) => format!(" --hours {hours}"),
        None if args.minutes != 1 => format!(" --minutes {}", args.minutes),
        None => String::new(),
    };
    if let Some(plan) = &args.plan {
        let _infallible = write!(text, " --plan {}", plan.display());
    }
    text
}

pub(super) fn name_of(invariant: u8) -> &'static str {
    let of = invariants::ALL.iter().find(|it| it.number == invariant);
    of.map_or("?", |it| it.name)
}

/// A seed in which something was violated.
pub(super) fn failed(seed: &Seed, again: &str) -> String {
    let number = seed.plan.seed;
    let mut text = violations(number, &seed.outcome.violations);
    let _infallible = writeln!(text, "    again: pitlane simulate --seed {number}{again}");
    text
}

/// What was violated in a seed.
pub(super) fn violations(seed: u64, violations: &[Violation]) -> String {
    let mut text = String::new();
    for violation in violations.iter().take(SHOWN_MAX) {
        let _infallible = writeln!(
            text,
            "seed {seed}: FAIL at {:.6} s, step {}: invariant {} ({}): {}",
            violation.at_ns as f64 / 1e9,
            violation.step,
            violation.invariant,
            name_of(violation.invariant),
            violation.what
        );
    }
    if violations.len() > SHOWN_MAX {
        let more = violations.len() - SHOWN_MAX;
        let _infallible = writeln!(text, "    and {more} more");
    }
    if let Some(first) = violations.first().filter(|first| !first.last.is_empty()) {
        text.push_str("    last events:\n");
        first.last.iter().for_each(|line| {
            let _infallible = writeln!(text, "    {line}");
        });
    }
    text
}

/// What came of all.
pub(super) fn summary(summary: &Summary, args: &SimulateArgs) -> String {
    let (cpu, wall) = (summary.cpu.as_secs_f64(), summary.wall.as_secs_f64());
    let minutes = summary.virtual_ns as f64 / 60e9;
    let failed = summary.failed.len() as u64;
    let mut text = format!(
        "{}: {} of {} seeds hold{}; {} events and {} trades in {minutes:.1} virtual minutes; \
         {wall:.1} s, {cpu:.1} CPU s: {} events a CPU second, {:.0} virtual minutes a minute; \
         hash {:016x}\n",
        if summary.holds(args) { "pass" } else { "FAIL" },
        count(summary.seeds - failed),
        count(summary.seeds),
        if args.twice { ", each run twice" } else { "" },
        count(summary.events),
        count(summary.trades),
        count((summary.events as f64 / cpu.max(1e-9)) as u64),
        minutes * 60.0 / wall.max(1e-9),
        summary.hash,
    );
    let missing: Vec<_> = summary.unreached().collect();
    let _infallible = writeln!(
        text,
        "marks: {} of {} reached{}{}",
        marks::ALL.len() - missing.len(),
        marks::ALL.len(),
        if missing.is_empty() { "" } else { "; never: " },
        missing.join(", ")
    );
    text
}

/// The same for a program.
pub(super) fn json(summary: &Summary, args: &SimulateArgs) -> String {
    let of = |seed: &Seed| {
        json!({
            "seed": seed.plan.seed,
            "violations": seed.outcome.violations,
            "plan": seed.plan,
            "hash": format!("{:016x}", seed.outcome.hash),
        })
    };
    let failed: Vec<_> = summary.failed.iter().map(of).collect();
    let unreached: Vec<_> = summary.unreached().collect();
    let cpu_s = summary.cpu.as_secs_f64();
    let whole = json!({
        "holds": summary.holds(args),
        "seeds": summary.seeds,
        "failed": failed,
        "events": summary.events,
        "trades": summary.trades,
        "virtual_ns": summary.virtual_ns as u64,
        "wall_s": summary.wall.as_secs_f64(),
        "cpu_s": cpu_s,
        "events_per_cpu_s": summary.events as f64 / cpu_s.max(1e-9),
        "hash": format!("{:016x}", summary.hash),
        "marks": summary.reached,
        "marks_unreached": unreached,
    });
    format!("{whole:#}\n")
}

/// How far a plan has been made smaller.
pub(super) fn shrinking(shrunk: &Shrunk, took: Duration) -> String {
    let Shrunk { plan, runs, .. } = shrunk;
    format!(
        "[simulate] {runs} runs in {} s: {} ms of trouble, {} faults of the venue, {} outages left\n",
        took.as_secs(),
        plan.trouble_ms,
        plan.venue_fault.len(),
        plan.outage.len()
    )
}

/// A plan that was made smaller.
pub(super) fn shrunk(shrunk: &Shrunk, invariant: u8) -> String {
    let (runs, name) = (shrunk.runs, name_of(invariant));
    let state = if shrunk.is_whole { "as small as it gets" } else { "not to its end" };
    format!(
        "\n# Breaks invariant {invariant} ({name}); made smaller in {runs} runs, {state}. Keep it \
         as a file and run\n# pitlane simulate --plan FILE --seed {}\n{}",
        shrunk.plan.seed,
        shrunk.plan.text()
    )
}
