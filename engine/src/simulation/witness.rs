//! Around every strategy of a simulated run: it notes what the strategy is told, and fails in its
//! place where the plan says so.

use std::io;
use std::path::Path;

use super::notes::SharedNotes;
use super::plan::{Misbehaviour, Plan};
use super::told_file::{Last, ToldFile};
use super::trader::{Listener, RandomTrader};
use crate::consumer::{Context, Params, Strategy, StrategyRegistry, StrategyResult};
use crate::event::{Event, Interest};
use crate::world::{Entropy, SplitMix64};

/// Names of the strategies that every run has, beside those of its registry.
pub(super) const LISTENER: &str = "listener";
pub(super) const TRADER: &str = "random_trader";

/// Where a witness notes what its strategy is told.
#[derive(Clone)]
enum Pad {
    /// In this process, where it is judged at once.
    Notes(SharedNotes),
    /// In a file, for another process; with what it says last of the strategy's standing.
    File(ToldFile, Last),
}

impl Pad {
    fn start(&self, name: &str, ctx: &Context) {
        match self {
            Pad::Notes(notes) => notes.lock().start(name, ctx),
            Pad::File(file, _) => file.start(name, ctx),
        }
    }

    /// Notes an event that the strategy is about to get, and what it has before that.
    fn event(&mut self, event: &Event, ctx: &Context) {
        match self {
            Pad::Notes(notes) => {
                let mut notes = notes.lock();
                notes.event(event, ctx);
                notes.after(ctx);
            }
            Pad::File(file, last) => {
                file.event(event, ctx);
                file.after(ctx, last);
            }
        }
    }

    fn timer(&self, id: u64, ctx: &Context) {
        match self {
            Pad::Notes(notes) => notes.lock().timer(id, ctx),
            Pad::File(file, _) => file.timer(id, ctx),
        }
    }

    fn after(&mut self, ctx: &Context) {
        match self {
            Pad::Notes(notes) => notes.lock().after(ctx),
            Pad::File(file, last) => file.after(ctx, last),
        }
    }
}

/// A strategy whose every callback is noted.
struct Witness {
    strategy: Box<dyn Strategy>,
    name: String,
    pad: Pad,
    /// Chance of its failures.
    random: SplitMix64,
    plan: Misbehaviour,
}

impl Witness {
    /// Fails as the plan says: the strategy does not see what it was called with.
    fn misbehave(&mut self) -> StrategyResult {
        if self.random.hits_ppm(self.plan.panic_ppm) {
            panic!("a panic that the plan of this run asked for");
        }
        if self.random.hits_ppm(self.plan.error_ppm) {
            return Err("an error that the plan of this run asked for".into());
        }
        Ok(())
    }
}

impl Strategy for Witness {
    fn interest(&self) -> Interest {
        self.strategy.interest()
    }

    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        self.pad.start(&self.name, ctx);
        let outcome = self.strategy.on_start(ctx);
        self.pad.after(ctx);
        outcome
    }

    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        self.pad.event(event, ctx);
        self.misbehave()?;
        let outcome = self.strategy.on_event(event, ctx);
        self.pad.after(ctx);
        outcome
    }

    fn on_timer(&mut self, id: u64, ctx: &mut Context) -> StrategyResult {
        self.pad.timer(id, ctx);
        let outcome = self.strategy.on_timer(id, ctx);
        self.pad.after(ctx);
        outcome
    }

    fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
        self.strategy.on_batch_end(ctx)
    }

    fn on_stop(&mut self, ctx: &mut Context) -> StrategyResult {
        let outcome = self.strategy.on_stop(ctx);
        self.pad.after(ctx);
        outcome
    }
}

/// The strategies of `base`, the listener and the random trader, each with a witness.
pub(super) fn witnessed(
    base: &StrategyRegistry,
    notes: &SharedNotes,
    plan: &Misbehaviour,
    seed: u64,
) -> StrategyRegistry {
    with_pad(base, &Pad::Notes(notes.clone()), plan, seed)
}

/// The same strategies in a process that is judged by another: what they are told goes to a new
/// file at `path`, before they are called.
///
/// # Errors
/// The system's.
pub fn witnessed_in_file(
    base: &StrategyRegistry,
    plan: &Plan,
    path: &Path,
) -> io::Result<StrategyRegistry> {
    let pad = Pad::File(ToldFile::create(path)?, None);
    Ok(with_pad(base, &pad, &plan.strategies, plan.seed))
}

fn with_pad(
    base: &StrategyRegistry,
    pad: &Pad,
    plan: &Misbehaviour,
    seed: u64,
) -> StrategyRegistry {
    let entropy = Entropy::seeded(seed);
    let trader_seed = entropy.seed(TRADER);
    let base = base
        .clone()
        .with(LISTENER, |_params: &Params| Ok(Listener))
        .with(TRADER, move |_params: &Params| Ok(RandomTrader::new(trader_seed)));
    let names: Vec<_> = base.names().map(str::to_owned).collect();
    names.into_iter().fold(StrategyRegistry::new(), |registry, name| {
        let (base, pad, plan) = (base.clone(), pad.clone(), plan.clone());
        let known = name.clone();
        registry.with(&name, move |params: &Params| {
            let missing = || Err(format!("there is no strategy {known}"));
            let strategy = base.construct(&known, params).unwrap_or_else(missing)?;
            let random = entropy.random(&format!("failures of {known}"));
            let (name, pad, plan) = (known.clone(), pad.clone(), plan.clone());
            Ok(Witness { strategy, name, pad, random, plan })
        })
    })
}
