//! What is done to a run from outside, and when: it follows from the plan alone.

use super::operator;
use super::plan::{Crash, Plan};
use crate::control::protocol::ControlRequest;
use crate::world::Entropy;

const MS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// The longest time between two audits, ns.
const AUDIT_NS_MAX: u64 = 20 * SECOND_NS;

/// One thing that is done.
#[derive(Clone, Debug)]
pub enum Action {
    /// An operator's command; it may be refused.
    Command(ControlRequest),
    /// The accounts are compared at one cut.
    Audit,
    /// The venue can't be reached from now on.
    OutageBegins,
    /// It can be again.
    OutageEnds,
    /// An agent, by its number, gets no core for so many ns.
    Hold(usize, u64),
    /// The engine is killed, and started again.
    Crash(Crash),
    /// The clock of the engine's machine is set forward by so many ns, or back.
    SetClock(i64),
}

/// All actions within the trouble, in the order of their times (ns). Each kind has chance of its
/// own, so that one which is turned off leaves the others where they were.
pub fn schedule(plan: &Plan, consumers: &[String], venues: &[String]) -> Vec<(u64, Action)> {
    let entropy = Entropy::seeded(plan.seed);
    let end_ns = plan.trouble_ms * MS;
    let mut actions = Vec::new();
    let mut random = entropy.random("operator");
    let mut every = |max_ns: u64, make: &mut dyn FnMut(&mut crate::world::SplitMix64) -> Action| {
        let mut at_ns = if max_ns > 0 { random.between(MS, max_ns) } else { end_ns };
        while at_ns < end_ns {
            actions.push((at_ns, make(&mut random)));
            at_ns += random.between(MS, max_ns);
        }
    };
    every(plan.operator.every_ms * MS, &mut |random| {
        Action::Command(operator::command(random, consumers, venues))
    });
    let others = operator::adding(&venues[1..]).into_iter();
    actions.extend(others.map(|command| (SECOND_NS, Action::Command(command))));
    let mut random = entropy.random("audits");
    let mut at_ns = random.between(SECOND_NS, AUDIT_NS_MAX);
    while at_ns < end_ns {
        actions.push((at_ns, Action::Audit));
        at_ns += random.between(SECOND_NS, AUDIT_NS_MAX);
    }
    for outage in &plan.outage {
        let (from_ns, to_ns) = (outage.at_ms * MS, (outage.at_ms + outage.for_ms) * MS);
        if from_ns < end_ns {
            actions.push((from_ns, Action::OutageBegins));
            actions.push((to_ns.min(end_ns), Action::OutageEnds));
        }
    }
    let crashes = plan.crash.iter().filter(|crash| crash.at_ms * MS < end_ns);
    actions.extend(crashes.map(|crash| (crash.at_ms * MS, Action::Crash(crash.clone()))));
    let mut random = entropy.random("cores");
    for _ in 0..plan.cores.holds {
        let (at_ns, number) = (random.between(0, end_ns), random.between(0, 1_000));
        let for_ns = random.between(MS, (plan.cores.hold_ms * MS).max(MS));
        actions.push((at_ns, Action::Hold(number as usize, for_ns)));
    }
    let mut random = entropy.random("clock");
    for _ in 0..plan.clock.steps {
        let (at_ns, most) = (random.between(0, end_ns), 2 * plan.clock.step_ms * MS);
        let step_ns = random.between(0, most).cast_signed() - (most / 2).cast_signed();
        actions.push((at_ns, Action::SetClock(step_ns)));
    }
    if plan.clock.drift_ppm != 0 {
        let seconds = 1..=end_ns / SECOND_NS;
        actions
            .extend(seconds.map(|second| {
                (second * SECOND_NS, Action::SetClock(plan.clock.drift_ppm * 1_000))
            }));
    }
    actions.sort_by_key(|(at_ns, _)| *at_ns);
    actions
}
