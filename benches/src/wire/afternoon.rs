//! The other side: what a competent engineer writes in an afternoon. `serde_json` into borrowed
//! structs, prices as integers, one `Arc` an event, a bounded crossbeam channel a strategy and one
//! for orders; no containment, no accounting, no conflation.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use pitlane_engine::runtime::Clock;
use pitlane_engine::venue::transport::Outbound;
use serde::Deserialize;

use super::order_text::{OrderText, write_order};
use super::ours::latencies;
use super::{CONSUMERS, Latencies, Run, arrived_ns, frames};

#[derive(Deserialize)]
struct Combined<'f> {
    #[serde(borrow)]
    data: Ticker<'f>,
}

#[derive(Deserialize)]
struct Ticker<'f> {
    u: u64,
    #[serde(borrow)]
    s: Cow<'f, str>,
    #[serde(borrow)]
    b: Cow<'f, str>,
    #[serde(borrow, rename = "B")]
    bid_qty: Cow<'f, str>,
    #[serde(borrow)]
    a: Cow<'f, str>,
    #[serde(borrow, rename = "A")]
    ask_qty: Cow<'f, str>,
}

/// One event, shared by all strategies.
struct Tick {
    index: usize,
    receive_ns: u64,
    instrument: usize,
    update_id: u64,
    bid: (i64, i64),
    ask: (i64, i64),
}

struct Order {
    id: u64,
    instrument: usize,
    price_e8: i64,
    receive_ns: u64,
}

/// Runs the frames.
pub(crate) fn run(run: &Run<'_>) -> Latencies {
    let natives = frames::symbols(run.frames);
    let ids: HashMap<String, usize> =
        natives.iter().enumerate().map(|(id, native)| (native.clone(), id)).collect();
    let seen: Vec<Arc<Vec<AtomicU64>>> = (0..CONSUMERS)
        .map(|_| Arc::new((0..run.count).map(|_| AtomicU64::new(0)).collect()))
        .collect();
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..CONSUMERS).map(|_| bounded::<Arc<Tick>>(1_024)).unzip();
    let (order_sender, orders) = bounded::<Order>(1_024);
    let stop = Arc::new(AtomicBool::new(false));
    let (theirs, noted, clock) = (Arc::clone(&stop), seen.clone(), run.clock.clone());
    let done =
        run.partner.run(move || strategies(&receivers, &noted, &order_sender, &clock, &theirs));
    let mut order_ns = Vec::with_capacity(run.count);
    let (mut text, mut outbound) = (String::with_capacity(512), Outbound::new(1));
    let start_ns = run.clock.now_ns() + 100_000;
    let mut next = 0;
    while order_ns.len() < run.count {
        if next < run.count && run.due_ns(start_ns, next) <= run.clock.now_ns() {
            let frame = &run.frames[next % run.frames.len()];
            publish(frame, next, run.clock.now_ns(), &ids, &senders);
            next += 1;
        }
        while let Ok(order) = orders.try_recv() {
            let symbol = &natives[order.instrument];
            let Order { id, price_e8, receive_ns, .. } = order;
            write_order(&mut text, &OrderText { symbol, id, price_e8, qty_e8: 100_000_000 });
            outbound.reset();
            let framed = outbound.text(text.as_bytes());
            assert!(framed.is_ok(), "an empty buffer takes an order");
            order_ns.push(run.clock.now_ns() - receive_ns);
        }
    }
    let is_missing = |of: &Arc<Vec<AtomicU64>>| of.iter().any(|ns| ns.load(Ordering::Acquire) == 0);
    while seen.iter().any(is_missing) {
        spin_loop();
    }
    stop.store(true, Ordering::Release);
    done.wait();
    latencies(&seen, order_ns)
}

fn publish(
    frame: &[u8],
    index: usize,
    receive_ns: u64,
    ids: &HashMap<String, usize>,
    senders: &[Sender<Arc<Tick>>],
) {
    let ticker = serde_json::from_slice::<Combined<'_>>(frame).expect("a bookTicker frame").data;
    let tick = Arc::new(Tick {
        index,
        receive_ns,
        instrument: ids[ticker.s.as_ref()],
        update_id: ticker.u,
        bid: (fixed_e8(&ticker.b), fixed_e8(&ticker.bid_qty)),
        ask: (fixed_e8(&ticker.a), fixed_e8(&ticker.ask_qty)),
    });
    for sender in senders {
        let sent = sender.send(Arc::clone(&tick));
        assert!(sent.is_ok(), "strategies outlive the venue");
    }
}

/// A decimal with at most eight places, in units of 10^-8.
fn fixed_e8(text: &str) -> i64 {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().expect("a decimal");
    let fraction: i64 = if places.is_empty() { 0 } else { places.parse().expect("a decimal") };
    whole * 100_000_000 + fraction * 10_i64.pow(8 - places.len() as u32)
}

fn strategies(
    receivers: &[Receiver<Arc<Tick>>],
    seen: &[Arc<Vec<AtomicU64>>],
    orders: &Sender<Order>,
    clock: &Clock,
    stop: &AtomicBool,
) {
    let mut next_id = 1;
    while !stop.load(Ordering::Acquire) {
        let mut work = 0;
        for (consumer, (receiver, seen_ns)) in receivers.iter().zip(seen).enumerate() {
            while let Ok(tick) = receiver.try_recv() {
                work += 1;
                std::hint::black_box((tick.update_id, tick.bid, tick.ask));
                let ns = arrived_ns(clock) - tick.receive_ns;
                seen_ns[tick.index].store(ns.max(1), Ordering::Release);
                if consumer == 0 {
                    let Tick { instrument, receive_ns, bid, .. } = *tick;
                    let order = Order { id: next_id, instrument, price_e8: bid.0, receive_ns };
                    next_id += 1;
                    assert!(orders.send(order).is_ok(), "the venue outlives its strategies");
                }
            }
        }
        if work == 0 {
            spin_loop();
        }
    }
}
