//! A failing plan made smaller, as long as the same invariant breaks.
//!
//! Whole kinds of trouble go first, then lists by halves, quarters and so on down to single faults,
//! then single rates, and at last the time is cut. What a step needs is one run; the caller bounds
//! them.

use std::sync::atomic::AtomicBool;

use super::plan::{
    Cores, Disk, End, Load, MachineClock, Misbehaviour, Network, Operator, Plan, Venues,
};
use super::run::run;
use crate::consumer::StrategyRegistry;
use crate::launch::LaunchError;

/// The least trouble that a plan is cut to, ms.
const TROUBLE_MS_MIN: u64 = 500;

/// A plan that still breaks what the first one broke, and how many runs it took to find it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smaller plan.
    pub plan: Plan,
    /// Runs that were made.
    pub runs: u64,
    /// Nothing more can be taken from it: else the runs were used up, or it was stopped.
    pub is_whole: bool,
}

/// What a plan is made smaller with.
pub struct Shrinking<'a> {
    /// The invariant that has to break first.
    pub invariant: u8,
    /// Strategies.
    pub registry: &'a StrategyRegistry,
    /// Raised, it ends the run that is under way, and all.
    pub stop: &'a AtomicBool,
    /// Runs that are made at most.
    pub runs_max: u64,
    /// Hears of each plan that is smaller, and may end it with `false`.
    pub tell: &'a mut dyn FnMut(&Shrunk) -> bool,
}

/// Makes `plan` smaller as long as its invariant is still broken first.
///
/// # Errors
/// As [`run`].
pub fn shrink(plan: &Plan, shrinking: Shrinking<'_>) -> Result<Shrunk, LaunchError> {
    let Shrinking { invariant, registry, stop, runs_max, tell } = shrinking;
    let mut judge = |smaller: &Plan| {
        let outcome = run(smaller, registry, stop)?;
        let first = outcome.violations.first();
        Ok(match first.is_some_and(|first| first.invariant == invariant) {
            _ if outcome.is_cut_short => Verdict::CutShort,
            true => Verdict::Breaks,
            false => Verdict::Holds,
        })
    };
    search(plan, &mut judge, runs_max, tell)
}

/// What came of one run.
enum Verdict {
    Breaks,
    Holds,
    CutShort,
}

type Judge<'a> = &'a mut dyn FnMut(&Plan) -> Result<Verdict, LaunchError>;

fn search(
    plan: &Plan,
    judge: Judge<'_>,
    runs_max: u64,
    tell: &mut dyn FnMut(&Shrunk) -> bool,
) -> Result<Shrunk, LaunchError> {
    let shrunk = Shrunk { plan: plan.clone(), runs: 0, is_whole: false };
    let mut search = Search { judge, runs_max, tell, shrunk, is_over: false };
    loop {
        let before = search.shrunk.plan.clone();
        search.pass()?;
        if search.is_over {
            return Ok(search.shrunk);
        }
        if search.shrunk.plan == before {
            search.shrunk.is_whole = true;
            return Ok(search.shrunk);
        }
    }
}

struct Search<'a> {
    judge: Judge<'a>,
    runs_max: u64,
    tell: &'a mut dyn FnMut(&Shrunk) -> bool,
    shrunk: Shrunk,
    is_over: bool,
}

impl Search<'_> {
    /// Tries every step once, the greatest first.
    fn pass(&mut self) -> Result<(), LaunchError> {
        for change in WHOLE_KINDS {
            self.attempt(change)?;
        }
        self.thin_out(|plan| &mut plan.venue_fault)?;
        self.thin_out(|plan| &mut plan.outage)?;
        self.thin_out(|plan| &mut plan.crash)?;
        for change in SINGLE {
            self.attempt(change)?;
        }
        // As often as it goes: each half saves the time of all runs after it.
        while self.attempt(|plan| plan.trouble_ms = (plan.trouble_ms / 2).max(TROUBLE_MS_MIN))? {}
        while self.attempt(|plan| {
            plan.trouble_ms = (plan.trouble_ms - plan.trouble_ms / 8).max(TROUBLE_MS_MIN);
        })? {}
        Ok(())
    }

    /// Takes from a list what is not needed: by halves first, at last one by one.
    fn thin_out<T: Clone + PartialEq>(
        &mut self,
        list: impl Fn(&mut Plan) -> &mut Vec<T>,
    ) -> Result<(), LaunchError> {
        let mut part = list(&mut self.shrunk.plan).len().div_ceil(2);
        while part > 0 {
            let mut from = 0;
            while from < list(&mut self.shrunk.plan).len() && !self.is_over {
                let is_taken = self.attempt(|plan| {
                    let list = list(plan);
                    list.drain(from..(from + part).min(list.len()));
                })?;
                from += if is_taken { 0 } else { part };
            }
            part = if part == 1 { 0 } else { part.div_ceil(2) };
        }
        Ok(())
    }

    /// Runs the plan with a change, and keeps it when the same breaks.
    fn attempt(&mut self, change: impl FnOnce(&mut Plan)) -> Result<bool, LaunchError> {
        let mut smaller = self.shrunk.plan.clone();
        change(&mut smaller);
        if self.is_over || smaller == self.shrunk.plan {
            return Ok(false);
        }
        if self.shrunk.runs == self.runs_max {
            self.is_over = true;
            return Ok(false);
        }
        self.shrunk.runs += 1;
        let verdict = (self.judge)(&smaller)?;
        let breaks = matches!(verdict, Verdict::Breaks);
        if breaks {
            self.shrunk.plan = smaller;
        }
        self.is_over = matches!(verdict, Verdict::CutShort) || !(self.tell)(&self.shrunk);
        Ok(breaks)
    }
}

/// Kinds of trouble as a whole.
const WHOLE_KINDS: [fn(&mut Plan); 12] = [
    |plan| plan.venue_fault.clear(),
    |plan| plan.crash.clear(),
    |plan| plan.outage.clear(),
    |plan| {
        let Network { latency_us, jitter_us, stall_ms, .. } = plan.network;
        plan.network = Network { latency_us, jitter_us, stall_ms, ..Network::default() };
    },
    |plan| plan.disk = Disk::default(),
    |plan| plan.strategies = Misbehaviour::default(),
    |plan| plan.clock = MachineClock::default(),
    |plan| plan.cores = Cores::default(),
    |plan| plan.operator = Operator::default(),
    |plan| plan.venues = Venues::default(),
    |plan| plan.load = Load { events_per_s: plan.load.events_per_s, ..Load::usual() },
    |plan| plan.end = if plan.end == End::Kill { End::Stop } else { plan.end },
];

/// Single rates.
const SINGLE: [fn(&mut Plan); 17] = [
    |plan| plan.network.split_ppm = 0,
    |plan| plan.network.stall_ppm = 0,
    |plan| plan.network.cut_ppm = 0,
    |plan| plan.network.silence_ppm = 0,
    |plan| plan.network.refuse_ppm = 0,
    |plan| plan.network.lost_name_ppm = 0,
    |plan| plan.network.jitter_us = 0,
    |plan| plan.network.latency_us = 100,
    |plan| plan.disk.torn_ppm = 0,
    |plan| plan.disk.sync_ppm = 0,
    |plan| plan.strategies.hold_ppm = 0,
    |plan| plan.strategies.panic_ppm = 0,
    |plan| plan.strategies.error_ppm = 0,
    |plan| plan.strategies.failures_max = 0,
    |plan| plan.clock.steps = 0,
    |plan| plan.clock.drift_ppm = 0,
    |plan| plan.load.events_per_s = plan.load.events_per_s.min(20),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::draw;
    use crate::simulation::plan::VenueFault;
    use crate::venue::simulated::Fault;

    /// Breaks while two venue faults and the cuts are there, and the trouble lasts for a while.
    fn needs_a_few(plan: &Plan) -> Result<Verdict, LaunchError> {
        let has = |at, fault| plan.venue_fault.contains(&VenueFault { at, fault });
        let breaks = has(71, Fault::Gap)
            && has(72, Fault::LostReply)
            && plan.network.cut_ppm > 0
            && plan.trouble_ms >= 7_000;
        Ok(if breaks { Verdict::Breaks } else { Verdict::Holds })
    }

    fn failing() -> Plan {
        let mut plan = draw(5, 60_000);
        let needless = (1..40).map(|at| VenueFault { at, fault: Fault::Duplicate });
        plan.venue_fault = needless.collect();
        plan.venue_fault.insert(9, VenueFault { at: 71, fault: Fault::Gap });
        plan.venue_fault.insert(30, VenueFault { at: 72, fault: Fault::LostReply });
        plan.network.cut_ppm = 700;
        plan
    }

    #[test]
    fn what_is_not_needed_goes_in_few_runs() {
        let shrunk = search(&failing(), &mut needs_a_few, 300, &mut |_| true).unwrap();
        let Shrunk { plan, runs, is_whole } = shrunk;
        assert!(is_whole && runs < 120, "{runs} runs");
        assert_eq!(plan.venue_fault.len(), 2, "{plan:?}");
        assert!((7_000..9_000).contains(&plan.trouble_ms), "{} ms", plan.trouble_ms);
        assert_eq!((plan.disk, plan.strategies), Default::default());
        assert_eq!(plan.network.split_ppm, 0);
    }

    #[test]
    fn it_ends_after_its_runs_and_when_it_is_told_to() {
        let shrunk = search(&failing(), &mut needs_a_few, 7, &mut |_| true).unwrap();
        assert_eq!((shrunk.runs, shrunk.is_whole), (7, false));
        let shrunk = search(&failing(), &mut needs_a_few, 300, &mut |it| it.runs < 4).unwrap();
        assert_eq!((shrunk.runs, shrunk.is_whole), (4, false));
    }
}
