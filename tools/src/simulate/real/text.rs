//! What `simulate --real` prints.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use pitlane_engine::simulation::real::NOT_JUDGED;
use serde_json::{Value, json};

use super::run::Outcome;
use crate::cli::SimulateArgs;
use crate::simulate::text::{name_of, violations};
use crate::table::count;

/// One seed that was run.
pub(super) struct Seed {
    pub(super) seed: u64,
    pub(super) outcome: Outcome,
}

impl Seed {
    /// Whether all that was judged holds.
    pub(super) fn holds(&self) -> bool {
        self.outcome.verdict.violations.is_empty()
    }
}

/// The command that runs a seed again.
pub(super) fn again(args: &SimulateArgs, seed: u64) -> String {
    let mut text =
        format!("pitlane simulate --real --seed {seed} --for {}ms", args.real_time.as_millis());
    if let Some(plan) = &args.plan {
        let _infallible = write!(text, " --plan {}", plan.display());
    }
    text
}

/// One seed.
pub(super) fn seed(of: &Seed, args: &SimulateArgs) -> String {
    let Seed { seed, outcome } = of;
    let Outcome { verdict, done, without, took, .. } = outcome;
    let mut text = String::new();
    let word = if of.holds() { "holds" } else { "FAIL" };
    let _infallible = writeln!(
        text,
        "seed {seed}: {word}: {} events, {} trades, {} orders taken up, {:.1} s; done: {}",
        count(verdict.events),
        count(verdict.trades),
        count(verdict.taken_up),
        took.as_secs_f64(),
        faults(done),
    );
    if !without.is_empty() {
        let _infallible = writeln!(text, "    left out of the plan: {}", without.join("; "));
    }
    if !of.holds() {
        text.push_str(&violations(*seed, &verdict.violations));
        let _infallible = writeln!(
            text,
            "    again: {} (time is real: the same plan, not the same bytes)",
            again(args, *seed)
        );
    }
    text
}

fn faults(done: &BTreeMap<String, u64>) -> String {
    if done.is_empty() {
        return "no fault at all".to_owned();
    }
    let shown: Vec<_> = done.iter().map(|(name, times)| format!("{name} {times}")).collect();
    shown.join(", ")
}

/// What came of all.
pub(super) fn summary(seeds: &[Seed], took: Duration) -> String {
    let held = seeds.iter().filter(|seed| seed.holds()).count();
    let is_good = held == seeds.len() && held > 0;
    let mut text = format!(
        "{}: {held} of {} seeds hold for real, in {:.1} s\n",
        if is_good { "pass" } else { "FAIL" },
        seeds.len(),
        took.as_secs_f64()
    );
    let idle = seeds.iter().filter(|seed| seed.outcome.done.is_empty()).count();
    if idle > 0 {
        let _infallible = writeln!(text, "{idle} of them without any fault done");
    }
    text.push_str("not judged here, or not whole:\n");
    for (number, why) in NOT_JUDGED {
        let _infallible = writeln!(text, "    {number} ({}): {why}", name_of(*number));
    }
    text
}

/// The same for a program.
pub(super) fn json(seeds: &[Seed], args: &SimulateArgs, took: Duration) -> String {
    let of = |seed: &Seed| -> Value {
        let Outcome { verdict, done, without, took, .. } = &seed.outcome;
        json!({
            "seed": seed.seed,
            "holds": seed.holds(),
            "violations": verdict.violations,
            "events": verdict.events,
            "trades": verdict.trades,
            "taken_up": verdict.taken_up,
            "done": done,
            "left_out": without,
            "took_s": took.as_secs_f64(),
            "again": again(args, seed.seed),
        })
    };
    let not_judged: Vec<_> = NOT_JUDGED
        .iter()
        .map(|(number, why)| json!({ "number": number, "name": name_of(*number), "why": why }))
        .collect();
    let whole = json!({
        "holds": !seeds.is_empty() && seeds.iter().all(Seed::holds),
        "is_repeatable": false,
        "seeds": seeds.iter().map(of).collect::<Vec<_>>(),
        "not_judged": not_judged,
        "wall_s": took.as_secs_f64(),
    });
    format!("{whole:#}\n")
}
