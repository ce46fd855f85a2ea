//! A failing plan made smaller, as long as the same invariant breaks.

use std::sync::atomic::AtomicBool;

use super::plan::{Disk, MachineClock, Misbehaviour, Network, Operator, Plan};
use super::run::run;
use crate::consumer::StrategyRegistry;
use crate::launch::LaunchError;

/// A plan that still breaks what the first one broke, and how many runs it took to find it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smaller plan.
    pub plan: Plan,
    /// Runs that were made.
    pub runs: u64,
}

/// Turns faults off one by one, first whole kinds and then single ones, and shortens the trouble,
/// as long as `invariant` is still broken first.
///
/// # Errors
/// As [`run`].
pub fn shrink(
    plan: &Plan,
    invariant: u8,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
) -> Result<Shrunk, LaunchError> {
    let mut shrunk = Shrunk { plan: plan.clone(), runs: 0 };
    loop {
        let before = shrunk.plan.clone();
        let mut index = 0;
        // Whoever is taken makes the list of the next candidates another, and maybe shorter.
        while let Some(smaller) = candidates(&shrunk.plan).into_iter().nth(index) {
            index += 1;
            if smaller == shrunk.plan {
                continue;
            }
            shrunk.runs += 1;
            let outcome = run(&smaller, registry, stop)?;
            if outcome.is_cut_short {
                return Ok(shrunk);
            }
            if outcome.violations.first().is_some_and(|first| first.invariant == invariant) {
                shrunk.plan = smaller;
                index -= usize::from(index > 0);
            }
        }
        if shrunk.plan == before {
            return Ok(shrunk);
        }
    }
}

/// Plans with less in them, the greatest steps first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan)| {
        let mut smaller = plan.clone();
        change(&mut smaller);
        found.push(smaller);
    };
    with(&|plan| plan.venue_fault.clear());
    with(&|plan| plan.outage.clear());
    let line = |plan: &Plan| {
        let Network { latency_us, jitter_us, stall_ms, .. } = plan.network;
        Network { latency_us, jitter_us, stall_ms, ..Network::default() }
    };
    with(&|plan| plan.network = line(plan));
    with(&|plan| plan.disk = Disk::default());
    with(&|plan| plan.strategies = Misbehaviour::default());
    with(&|plan| plan.clock = MachineClock::default());
    with(&|plan| plan.operator = Operator::default());
    for index in 0..plan.venue_fault.len() {
        with(&|plan| {
            plan.venue_fault.remove(index);
        });
    }
    with(&|plan| plan.network.split_ppm = 0);
    with(&|plan| plan.network.stall_ppm = 0);
    with(&|plan| plan.network.cut_ppm = 0);
    with(&|plan| plan.network.silence_ppm = 0);
    with(&|plan| plan.network.refuse_ppm = 0);
    with(&|plan| plan.network.lost_name_ppm = 0);
    with(&|plan| plan.strategies.hold_ppm = 0);
    with(&|plan| plan.strategies.panic_ppm = 0);
    with(&|plan| plan.strategies.error_ppm = 0);
    with(&|plan| plan.trouble_ms /= 2);
    with(&|plan| plan.trouble_ms -= plan.trouble_ms / 8);
    found
}
