//! Around every strategy of a simulated run: it notes what the strategy is told, and fails in its
//! place where the plan says so.

use super::notes::SharedNotes;
use super::plan::Misbehaviour;
use super::trader::{Listener, RandomTrader};
use crate::consumer::{Context, Params, Strategy, StrategyRegistry, StrategyResult};
use crate::event::{Event, Interest};
use crate::world::{Entropy, SplitMix64};

/// Names of the strategies that every run has, beside those of its registry.
pub(super) const LISTENER: &str = "listener";
pub(super) const TRADER: &str = "random_trader";

/// A strategy whose every callback is noted.
struct Witness {
    strategy: Box<dyn Strategy>,
    name: String,
    notes: SharedNotes,
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
        self.notes.lock().start(&self.name, ctx);
        let outcome = self.strategy.on_start(ctx);
        self.notes.lock().after(ctx);
        outcome
    }

    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        self.notes.lock().event(event, ctx);
        self.notes.lock().after(ctx);
        self.misbehave()?;
        let outcome = self.strategy.on_event(event, ctx);
        self.notes.lock().after(ctx);
        outcome
    }

    fn on_timer(&mut self, id: u64, ctx: &mut Context) -> StrategyResult {
        self.notes.lock().timer(id, ctx);
        let outcome = self.strategy.on_timer(id, ctx);
        self.notes.lock().after(ctx);
        outcome
    }

    fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
        self.strategy.on_batch_end(ctx)
    }

    fn on_stop(&mut self, ctx: &mut Context) -> StrategyResult {
        let outcome = self.strategy.on_stop(ctx);
        self.notes.lock().after(ctx);
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
    let entropy = Entropy::seeded(seed);
    let trader_seed = entropy.seed(TRADER);
    let base = base
        .clone()
        .with(LISTENER, |_params: &Params| Ok(Listener))
        .with(TRADER, move |_params: &Params| Ok(RandomTrader::new(trader_seed)));
    let names: Vec<_> = base.names().map(str::to_owned).collect();
    names.into_iter().fold(StrategyRegistry::new(), |registry, name| {
        let (base, notes, plan) = (base.clone(), notes.clone(), plan.clone());
        let known = name.clone();
        registry.with(&name, move |params: &Params| {
            let missing = || Err(format!("there is no strategy {known}"));
            let strategy = base.construct(&known, params).unwrap_or_else(missing)?;
            let random = entropy.random(&format!("failures of {known}"));
            let (name, notes, plan) = (known.clone(), notes.clone(), plan.clone());
            Ok(Witness { strategy, name, notes, random, plan })
        })
    })
}
