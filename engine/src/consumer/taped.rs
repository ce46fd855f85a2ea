//! A strategy whose every callback is kept, by its hash, on the tape of its thread.

use pitlane_ring::Record;
use zerocopy::IntoBytes;

use super::{Context, Strategy, StrategyResult};
use crate::event::{Event, Interest};
use crate::journal::{SavedState, StateBuffer};
use crate::order::OrderNeeds;
use crate::world::tape::{self, CallNote};

/// The strategy. Without a tape it is the strategy itself that runs: this is made for worlds that
/// have one.
pub(crate) struct TapedStrategy {
    strategy: Box<dyn Strategy>,
}

impl TapedStrategy {
    pub(crate) fn new(strategy: Box<dyn Strategy>) -> TapedStrategy {
        TapedStrategy { strategy }
    }

    /// A callback without an event.
    fn call(
        &mut self,
        name: &'static str,
        of: u64,
        ctx: &mut Context,
        run: impl FnOnce(&mut dyn Strategy, &mut Context) -> StrategyResult,
    ) -> StrategyResult {
        if !tape::is_on() {
            return run(&mut *self.strategy, ctx);
        }
        let hash = tape::hash_of(name.as_bytes());
        let hash = tape::mixed(tape::mixed(hash, of), ctx.now_ns());
        let (trace_id, sequence) = (0, 0);
        let note =
            CallNote { consumer: ctx.consumer().0, name, hash, trace_id, sequence, event: &[] };
        if !tape::call(&note) {
            return Ok(());
        }
        with_orders(trace_id, ctx, |ctx| run(&mut *self.strategy, ctx))
    }
}

/// Runs a callback, and tells who watches a replay which orders it has made.
#[inline]
fn with_orders(
    trace_id: u64,
    ctx: &mut Context,
    run: impl FnOnce(&mut Context) -> StrategyResult,
) -> StrategyResult {
    if !tape::wants_orders() {
        return run(ctx);
    }
    let ids = |ctx: &Context| ctx.open_orders().iter().map(|order| order.id.0).collect::<Vec<_>>();
    let before = ids(ctx);
    let outcome = run(ctx);
    let mut made = ids(ctx);
    made.retain(|id| !before.contains(id));
    if !made.is_empty() {
        tape::orders(ctx.consumer().0, trace_id, &made);
    }
    outcome
}

impl Strategy for TapedStrategy {
    fn interest(&self) -> Interest {
        self.strategy.interest()
    }

    fn needs(&self, venue: &str) -> OrderNeeds {
        self.strategy.needs(venue)
    }

    fn remembers_ids(&self) -> usize {
        self.strategy.remembers_ids()
    }

    fn saves_bytes(&self) -> usize {
        self.strategy.saves_bytes()
    }

    fn state_version(&self) -> u32 {
        self.strategy.state_version()
    }

    fn on_save(&mut self, state: &mut StateBuffer) -> StrategyResult {
        self.strategy.on_save(state)
    }

    fn on_restore(&mut self, saved: &SavedState, ctx: &mut Context) -> StrategyResult {
        self.call("on_restore", 0, ctx, |strategy, ctx| strategy.on_restore(saved, ctx))
    }

    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        self.call("on_start", 0, ctx, |strategy, ctx| strategy.on_start(ctx))
    }

    #[inline]
    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        if !tape::is_on() {
            return self.strategy.on_event(event, ctx);
        }
        // What lies behind the used bytes is whatever the slot held before.
        let bytes = &event.as_bytes()[..event.used_bytes().min(size_of::<Event>())];
        let note = CallNote {
            consumer: ctx.consumer().0,
            name: event.kind().map_or("event", |kind| kind.name()),
            hash: tape::mixed(tape::hash_of(bytes), ctx.now_ns()),
            trace_id: event.trace_id,
            sequence: event.sequence,
            event: bytes,
        };
        if !tape::call(&note) {
            return Ok(());
        }
        with_orders(event.trace_id, ctx, |ctx| self.strategy.on_event(event, ctx))
    }

    fn on_timer(&mut self, id: u64, ctx: &mut Context) -> StrategyResult {
        self.call("on_timer", id, ctx, |strategy, ctx| strategy.on_timer(id, ctx))
    }

    #[inline]
    fn on_batch_end(&mut self, ctx: &mut Context) -> StrategyResult {
        self.strategy.on_batch_end(ctx)
    }

    fn on_stop(&mut self, ctx: &mut Context) -> StrategyResult {
        self.call("on_stop", 0, ctx, |strategy, ctx| strategy.on_stop(ctx))
    }
}
