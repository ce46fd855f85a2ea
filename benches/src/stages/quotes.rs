//! What is sent through the stages, and to whom.

use std::sync::Arc;

use pitlane_engine::consumer::{Closure, Context, Strategy};
use pitlane_engine::event::{Event, EventKind, Interest, Quote};
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::runtime::Clock;
use pitlane_engine::testing::{Size, Stages, StagesOptions, stages};

/// Slots of the venue's link and of the dispatcher's lanes.
pub(crate) const LINK_SLOTS: usize = 4_096;
/// Slots of each market lane.
pub(crate) const MARKET_SLOTS: usize = 2_048;

/// One instrument.
pub(crate) fn instruments() -> Arc<Instruments> {
    let spec = InstrumentSpec::btc_usdt();
    Arc::new(Instruments::new(vec![spec]).expect("a constant instrument"))
}

/// The quote with this number, as a venue's adapter makes it.
pub(crate) fn quote(number: u64, receive_ns: u64) -> Event {
    let price = 6_000_000 + number as i64 % 100;
    let mut event =
        Event::new(&Quote { bid_price: price, bid_qty: 7, ask_price: price + 1, ask_qty: 9 });
    event.trace_id = number + 1;
    event.sequence = number;
    event.receive_ns = receive_ns;
    event
}

/// A consumer of quotes that calls `handle`.
pub(crate) fn consumer(mut handle: impl FnMut(&Event) + Send + 'static) -> Box<dyn Strategy> {
    let quotes = Interest::NONE.and(EventKind::Quote);
    Box::new(Closure::new(quotes, move |event: &Event, _ctx: &mut Context| {
        handle(event);
        Ok(())
    }))
}

/// The stages with these consumers.
pub(crate) fn assemble(strategies: Vec<Box<dyn Strategy>>, clock: &Clock) -> Stages {
    assemble_sampled(strategies, clock, 0)
}

/// The same; the fan-out of every `fanout_every`-th event is sampled, 0 = none.
pub(crate) fn assemble_sampled(
    strategies: Vec<Box<dyn Strategy>>,
    clock: &Clock,
    fanout_every: u64,
) -> Stages {
    stages(StagesOptions {
        fanout_every,
        size: Size::Full,
        strategies,
        instruments: instruments(),
        clock: clock.clone(),
        link_slots: LINK_SLOTS,
        market_slots: MARKET_SLOTS,
        batch: 16,
        open_orders_max: 64,
    })
}
