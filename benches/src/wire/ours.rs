//! Our side: the real adapter, orchestrator, dispatcher, consumer wrappers, risk check and order
//! lanes.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pitlane_engine::consumer::{Context, NewOrder, Strategy, StrategyResult, View};
use pitlane_engine::event::{Event, InstrumentId, Qty, Quote, Side, VenueId};
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::order::{OrderCommand, OrderType, TimeInForce};
use pitlane_engine::runtime::{Agent, Phase};
use pitlane_engine::testing::{Size, StagesOptions, stages, sweep};
use pitlane_engine::venue::binance::SpotMarket;
use pitlane_engine::venue::market::{MarketFeed, MarketFeedOptions};
use pitlane_engine::venue::transport::Outbound;
use pitlane_engine::venue::{EventOutlet, IntakeStats, LetterReason, SymbolMap};
use pitlane_ring::{Publisher, Record};

use super::order_text::{OrderText, write_order};
use super::{CONSUMERS, Latencies, Run, arrived_ns, frames};

/// Places of a price and of a quantity in the recordings.
const SCALE: u8 = 8;

/// The link to the orchestrator; a refused frame would spoil the race.
struct Link<'l>(&'l mut Publisher<Event>);

impl EventOutlet for Link<'_> {
    fn room(&mut self) -> usize {
        self.0.room(2)
    }

    fn publish(&mut self, event: &Event) {
        self.publish_with(|slot| slot.copy_used_from(event));
    }

    fn publish_with(&mut self, write: impl FnOnce(&mut Event)) {
        assert!(self.0.try_publish_with(write).is_ok(), "the link is drained at each frame");
    }

    fn dead_letter(&mut self, _reason: LetterReason, detail: &'static str, raw: &[u8]) {
        panic!("refused ({detail}): {}", String::from_utf8_lossy(raw));
    }
}

/// Notes when it saw each quote; the last of them answers with an order.
struct Noting {
    seen_ns: Arc<Vec<AtomicU64>>,
    orders: bool,
    clock: pitlane_engine::runtime::Clock,
}

impl Strategy for Noting {
    fn on_quote(&mut self, quote: View<'_, Quote>, ctx: &mut Context) -> StrategyResult {
        std::hint::black_box(quote.bid());
        let seen_ns = arrived_ns(&self.clock) - quote.event().receive_ns;
        self.seen_ns[quote.trace().0 as usize].store(seen_ns.max(1), Ordering::Release);
        if let (true, Some(price)) = (self.orders, quote.bid()) {
            ctx.submit(NewOrder {
                venue: quote.venue(),
                instrument: quote.instrument(),
                side: Side::Buy,
                price,
                qty: Qty(100_000_000),
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::Gtc,
            })?;
        }
        Ok(())
    }
}

/// An instrument for each symbol.
fn instruments(count: usize) -> Arc<Instruments> {
    let spec = |index| InstrumentSpec {
        symbol: format!("S{index}-X"),
        price_scale: SCALE,
        qty_scale: SCALE,
        tick: 1,
        step: 1,
    };
    Arc::new(Instruments::new((0..count).map(spec).collect()).expect("constant instruments"))
}

/// The adapter of the frames' symbols, connected.
pub(crate) fn feed(run: &Run<'_>) -> MarketFeed<SpotMarket> {
    let natives = frames::symbols(run.frames);
    let instruments = instruments(natives.len());
    let named: Vec<(String, InstrumentId)> = natives
        .into_iter()
        .enumerate()
        .map(|(index, native)| (native, InstrumentId(index as u32)))
        .collect();
    let symbols = SymbolMap::new(&named, instruments).expect("distinct symbols");
    let options = MarketFeedOptions::new(VenueId(0), symbols);
    let mut feed = MarketFeed::new(options, run.clock.clone(), IntakeStats::new());
    feed.on_connected(run.clock.now_ns());
    feed
}

/// Runs the frames.
pub(crate) fn run(run: &Run<'_>) -> Latencies {
    let natives = frames::symbols(run.frames);
    let instruments = instruments(natives.len());
    let seen: Vec<Arc<Vec<AtomicU64>>> = (0..CONSUMERS)
        .map(|_| Arc::new((0..run.count).map(|_| AtomicU64::new(0)).collect()))
        .collect();
    let strategy = |(index, seen_ns): (usize, &Arc<Vec<AtomicU64>>)| -> Box<dyn Strategy> {
        Box::new(Noting {
            seen_ns: Arc::clone(seen_ns),
            orders: index == 0,
            clock: run.clock.clone(),
        })
    };
    let mut stages = stages(StagesOptions {
        fanout_every: 0,
        size: Size::Full,
        strategies: seen.iter().enumerate().map(strategy).collect(),
        instruments,
        clock: run.clock.clone(),
        link_slots: 4_096,
        market_slots: 1_024,
        batch: 16,
        open_orders_max: run.count,
    });
    let mut consumers = std::mem::take(&mut stages.consumers);
    let done = run.partner.run(move || {
        while !consumers.iter().all(|consumer| consumer.is_done()) {
            if sweep(&mut consumers) == 0 {
                spin_loop();
            }
        }
    });
    let mut feed = feed(run);
    let mut order_ns = Vec::with_capacity(run.count);
    let mut orders = stages.orders.swap_remove(0);
    let (mut text, mut outbound) = (String::with_capacity(512), Outbound::new(1));
    let start_ns = run.clock.now_ns() + 100_000;
    let mut next = 0;
    while order_ns.len() < run.count {
        if next < run.count && run.due_ns(start_ns, next) <= run.clock.now_ns() {
            let frame = &run.frames[next % run.frames.len()];
            let receive_ns = run.clock.now_ns();
            feed.on_frame(frame, receive_ns, next as u64, &mut Link(&mut stages.link));
            next += 1;
        }
        stages.dispatcher.duty_cycle();
        orders.poll(16, |command: &OrderCommand| {
            let order = OrderText {
                symbol: &natives[command.instrument as usize],
                id: command.client_order_id,
                price_e8: command.price,
                qty_e8: command.qty,
            };
            write_order(&mut text, &order);
            outbound.reset();
            let framed = outbound.text(text.as_bytes());
            assert!(framed.is_ok(), "an empty buffer takes an order");
            order_ns.push(run.clock.now_ns() - command.tick_receive_ns);
        });
    }
    let is_missing = |of: &Arc<Vec<AtomicU64>>| of.iter().any(|ns| ns.load(Ordering::Acquire) == 0);
    while seen.iter().any(is_missing) {
        spin_loop();
    }
    stages.stop.raise(Phase::Halted);
    done.wait();
    latencies(&seen, order_ns)
}

/// Joins what the consumers noted.
pub(crate) fn latencies(seen: &[Arc<Vec<AtomicU64>>], order_ns: Vec<u64>) -> Latencies {
    let count = seen[0].len();
    let of = |index: usize| seen.iter().map(move |ns| ns[index].load(Ordering::Acquire));
    let first_ns = (0..count).map(|index| of(index).min().unwrap_or(0)).collect();
    let last_ns = (0..count).map(|index| of(index).max().unwrap_or(0)).collect();
    Latencies::new(first_ns, last_ns, order_ns)
}
