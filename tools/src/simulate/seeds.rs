//! Many runs, on one thread or on several, and what came of them together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pitlane_engine::StrategyRegistry;
use pitlane_engine::simulation::{Outcome, Plan, Violation, marks, run};
use rustix::time::{ClockId, clock_gettime};

use crate::cli::SimulateArgs;

/// One seed, run.
pub(super) struct Seed {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) outcome: Outcome,
    /// Processor time of its runs.
    pub(super) cpu: Duration,
}

impl Seed {
    /// Itself, when something was violated.
    pub(super) fn failed(&self) -> Option<&Seed> {
        (!self.outcome.violations.is_empty()).then_some(self)
    }
}

/// What came of all seeds.
#[derive(Default)]
pub(super) struct Summary {
    /// Seeds that were judged.
    pub(super) seeds: u64,
    /// Those in which something was violated.
    pub(super) failed: Vec<Seed>,
    /// Events, trades and virtual time, of one run a seed.
    pub(super) events: u64,
    pub(super) trades: u64,
    pub(super) virtual_ns: u128,
    /// Real time, and processor time of all threads.
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// By mark, in how many seeds it was reached.
    pub(super) reached: BTreeMap<&'static str, u64>,
    /// All hashes, in the order of their seeds.
    pub(super) hash: u64,
}

impl Summary {
    /// Runs `seeds`; `tell` hears of each that is done, in the order of the seeds.
    ///
    /// # Errors
    /// What kept an engine from starting, or a plan from being taken.
    pub(super) fn run(
        &mut self,
        seeds: Range<u64>,
        args: &SimulateArgs,
        registry: &StrategyRegistry,
        stop: &AtomicBool,
        plan: &(dyn Fn(u64) -> Result<Plan, String> + Sync),
        tell: &mut dyn FnMut(&Seed),
    ) -> Result<(), String> {
        let started = Instant::now();
        let next = AtomicU64::new(seeds.start);
        let has_failed = AtomicBool::new(false);
        let is_late = || {
            let is_over = args.within.is_some_and(|within| started.elapsed() >= within);
            is_over || args.first && has_failed.load(Ordering::Relaxed)
        };
        let (sender, results) = mpsc::channel();
        let mut waiting = BTreeMap::new();
        let mut due = seeds.start;
        let outcome = std::thread::scope(|scope| {
            for _ in 0..args.jobs {
                let (sender, has_failed) = (sender.clone(), &has_failed);
                let (seeds, next, is_late) = (&seeds, &next, &is_late);
                scope.spawn(move || {
                    while !is_late() && !stop.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds.end {
                            return;
                        }
                        let result = one(seed, args, registry, stop, plan);
                        if result.as_ref().is_ok_and(|seed| seed.failed().is_some()) {
                            has_failed.store(true, Ordering::Relaxed);
                        }
                        if sender.send(result).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for result in results {
                let seed = result?;
                waiting.insert(seed.seed, seed);
                while let Some(seed) = waiting.remove(&due) {
                    due += 1;
                    tell(&seed);
                    self.add(seed);
                }
            }
            Ok(())
        });
        self.wall = started.elapsed();
        outcome
    }

    fn add(&mut self, seed: Seed) {
        self.cpu += seed.cpu;
        if seed.outcome.is_cut_short {
            return;
        }
        self.seeds += 1;
        self.events += seed.outcome.events;
        self.trades += seed.outcome.trades;
        self.virtual_ns += u128::from(seed.outcome.virtual_ns);
        self.hash = (self.hash ^ seed.outcome.hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for (mark, count) in &seed.outcome.reached {
            *self.reached.entry(mark).or_default() += u64::from(*count > 0);
        }
        if seed.failed().is_some() {
            self.failed.push(seed);
        }
    }

    /// Names of the marks that no seed has reached.
    pub(super) fn unreached(&self) -> impl Iterator<Item = &'static str> {
        let all = marks::ALL.iter().map(|(name, _)| *name);
        all.filter(|name| self.reached.get(name).is_none_or(|seeds| *seeds == 0))
    }

    /// Whether all that was asked for is so.
    pub(super) fn holds(&self, args: &SimulateArgs) -> bool {
        let marks_hold = !args.marks || self.unreached().next().is_none();
        self.failed.is_empty() && marks_hold && self.seeds > 0
    }
}

/// Runs one seed, and where that is asked for a second time.
fn one(
    seed: u64,
    args: &SimulateArgs,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    plan: &(dyn Fn(u64) -> Result<Plan, String> + Sync),
) -> Result<Seed, String> {
    let plan = plan(seed)?;
    let started = cpu_time();
    let mut outcome = run(&plan, registry, stop).map_err(|error| error.to_string())?;
    if args.twice && !outcome.is_cut_short {
        let second = run(&plan, registry, stop).map_err(|error| error.to_string())?;
        if second.hash != outcome.hash && !second.is_cut_short {
            let what = format!("the second run came to another hash, {:016x}", second.hash);
            let (at_ns, last) = (second.virtual_ns, Vec::new());
            outcome.violations.push(Violation { invariant: 19, at_ns, step: 0, what, last });
        }
    }
    Ok(Seed { seed, plan, outcome, cpu: cpu_time().saturating_sub(started) })
}

/// Processor time of this thread.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
