//! Strategies whose every callback is heard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::event::{Event, InstrumentId, Interest};
use pitlane_engine::order::Position;
use pitlane_engine::{Params, StrategyRegistry};
use pitlane_strategies::{MarketMaker, Momentum, Noop};
use zerocopy::IntoBytes;

/// What all strategies of a run were told, in the order in which they were.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Notes>>);

/// What was noted of a run.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// FNV-1a of all that was told.
    pub hash: u64,
    pub calls: u64,
    /// By consumer: what it holds of the first instrument, and its open orders.
    pub held: BTreeMap<u16, (Position, usize)>,
}

impl Heard {
    fn hear(&self, bytes: &[u8]) {
        let Notes { hash, .. } = &mut *self.0.lock().unwrap();
        for byte in bytes {
            *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Notes what the strategy has after a callback.
    fn holds(&self, ctx: &Context) {
        let Notes { calls, held, .. } = &mut *self.0.lock().unwrap();
        *calls += 1;
        let now = (ctx.position(InstrumentId(0)), ctx.open_orders().len());
        held.insert(ctx.consumer().0, now);
    }

    pub fn notes(&self) -> Notes {
        self.0.lock().unwrap().clone()
    }
}

/// A strategy whose every callback is heard.
pub struct Overheard<S> {
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
        let outcome = self.strategy.on_start(ctx);
        self.heard.holds(ctx);
        outcome
    }

    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        self.note(1, ctx, event.as_bytes());
        if self.reads_real_time {
            self.heard.hear(&Instant::now().elapsed().as_nanos().to_le_bytes());
        }
        let outcome = self.strategy.on_event(event, ctx);
        self.heard.holds(ctx);
        outcome
    }

    fn on_timer(&mut self, id: u64, ctx: &mut Context) -> StrategyResult {
        self.note(2, ctx, &id.to_le_bytes());
        let outcome = self.strategy.on_timer(id, ctx);
        self.heard.holds(ctx);
        outcome
    }

    fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
        self.strategy.on_batch_end(ctx)
    }

    fn on_stop(&mut self, ctx: &mut Context) -> StrategyResult {
        self.note(3, ctx, &[]);
        let outcome = self.strategy.on_stop(ctx);
        self.heard.holds(ctx);
        outcome
    }
}

/// The built-in strategies, overheard.
pub fn registry(heard: &Heard, reads_real_time: bool) -> StrategyRegistry {
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
