//! The whole engine on one thread, in virtual time: one seed is one run, to the byte.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::event::{Event, Interest};
use pitlane_engine::world::{NetConditions, NetTotals};
use pitlane_engine::{
    LaunchOptions, OneThreadEngine, OneThreadOptions, Params, StrategyRegistry, launch_one_thread,
};
use pitlane_strategies::{MarketMaker, Momentum, Noop};
use zerocopy::IntoBytes;

const SECOND_NS: u64 = 1_000_000_000;

/// What all strategies of a run were told, in the order in which they were.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(u64, u64)>>);

impl Heard {
    /// FNV-1a.
    fn hear(&self, bytes: &[u8]) {
        let (hash, calls) = &mut *self.0.lock().unwrap();
        *calls += 1;
        for byte in bytes {
            *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// A strategy whose every callback is heard.
struct Overheard<S> {
    strategy: S,
    heard: Heard,
    /// A planted fault: it looks at a clock of its own.
    reads_real_time: bool,
}

impl<S: Strategy> Overheard<S> {
    fn note(&self, what: u8, ctx: &Context, bytes: &[u8]) {
        self.heard.hear(&[what]);
        self.heard.hear(&ctx.consumer().0.to_le_bytes());
        self.heard.hear(&ctx.now_ns().to_le_bytes());
        self.heard.hear(bytes);
    }
}

impl<S: Strategy> Strategy for Overheard<S> {
    fn interest(&self) -> Interest {
        self.strategy.interest()
    }

    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        self.note(0, ctx, &[]);
        self.strategy.on_start(ctx)
    }

    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        self.note(1, ctx, event.as_bytes());
        if self.reads_real_time {
            self.heard.hear(&Instant::now().elapsed().as_nanos().to_le_bytes());
        }
        self.strategy.on_event(event, ctx)
    }

    fn on_timer(&mut self, id: u64, ctx: &mut Context) -> StrategyResult {
        self.note(2, ctx, &id.to_le_bytes());
        self.strategy.on_timer(id, ctx)
    }

    fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
        self.strategy.on_batch_end(ctx)
    }

    fn on_stop(&mut self, ctx: &mut Context) -> StrategyResult {
        self.note(3, ctx, &[]);
        self.strategy.on_stop(ctx)
    }
}

fn registry(heard: &Heard, reads_real_time: bool) -> StrategyRegistry {
    fn overheard<S: Strategy>(
        heard: &Heard,
        reads_real_time: bool,
        construct: fn(&Params) -> Result<S, String>,
    ) -> impl Fn(&Params) -> Result<Overheard<S>, String> + Send + Sync + 'static {
        let heard = heard.clone();
        move |params| {
            let strategy = construct(params)?;
            Ok(Overheard { strategy, heard: heard.clone(), reads_real_time })
        }
    }
    StrategyRegistry::new()
        .with("noop", overheard(heard, reads_real_time, Noop::from_params))
        .with("momentum", overheard(heard, false, Momentum::from_params))
        .with("market_maker", overheard(heard, false, MarketMaker::from_params))
}

fn config() -> Config {
    let mut config = Config::default_run();
    config.simulated.events_per_s = 2_000;
    config.consumers = ["noop", "momentum", "market_maker"].map(ConsumerConfig::of_strategy).into();
    config
}

/// What is compared of two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outcome {
    heard: u64,
    calls: u64,
    net: NetTotals,
    cycles: u64,
}

fn engine(heard: &Heard, seed: u64, reads_real_time: bool) -> OneThreadEngine {
    let conditions = NetConditions { split_ppm: 20_000, ..NetConditions::default() };
    let options = OneThreadOptions { seed, conditions };
    let registry = registry(heard, reads_real_time);
    launch_one_thread(&config(), &registry, &LaunchOptions::default(), options).unwrap()
}

/// Ten seconds of trading and an orderly stop.
fn run(seed: u64, reads_real_time: bool) -> Outcome {
    let heard = Heard::default();
    let mut engine = engine(&heard, seed, reads_real_time);
    let started = Instant::now();
    engine.run_ns(10 * SECOND_NS);
    let took = started.elapsed();
    let unfinished = engine.stop(10 * SECOND_NS);
    assert!(unfinished.is_empty(), "seed {seed}: {unfinished:?} did not end");
    for (venue, role, counters) in engine.sessions() {
        assert!(counters.identity_holds(), "seed {seed}: {venue} {role}: {counters:?}");
        println!("seed {seed}: {venue} {role}: {counters:?}");
    }
    let (hash, calls) = *heard.0.lock().unwrap();
    let outcome = Outcome { heard: hash, calls, net: engine.net_totals(), cycles: engine.cycles() };
    println!("seed {seed}: 10 s in {took:?}: {outcome:?}");
    outcome
}

#[test]
fn a_seed_is_a_run_to_the_byte() {
    let first = run(1, false);
    assert!(first.calls > 20_000 && first.net.bytes > 1_000_000 && first.net.splits > 10);
    assert_eq!(first, run(1, false));
    let other = run(2, false);
    assert_ne!((first.heard, first.net.hash), (other.heard, other.net.hash));
}

#[test]
fn a_planted_look_at_real_time_is_noticed() {
    assert_ne!(run(3, true).heard, run(3, true).heard);
}
