//! What an order costs on its way to its bytes, part by part, on one core with all at hand.

use pitlane_engine::journal::Durability;
use pitlane_engine::testing::RiskCheck;

use super::recorded::{Plain, Recorded, WholeWay};
use super::{Bench, instruments};
use crate::order_path::{Decision, PACE_NS, PRICE, Passing, Submitting, Writing};

/// Orders of a batch; the clock is read before and after it.
const BATCH: u64 = 64;
const BATCHES: usize = 1_000;
/// Syncs that are measured.
const SYNCS: u64 = 300;

/// Prints the time of one order, medians over batches.
pub(crate) fn section(bench: &Bench) {
    println!("\nan order's way, part by part, one core [ns each]");
    let mut decision = Decision::new();
    row(bench, "governor's decision", |_| decision.decide());
    let mut risk = RiskCheck::new(&instruments(), PRICE);
    row(bench, "risk check with every limit, and given back", |_| risk.check(PACE_NS));
    let mut gateway = Passing::new(bench.clock.clone());
    row(bench, "gateway, with a lane before and behind", |_| {
        gateway.offer();
        gateway.cycle() && gateway.take()
    });
    let mut order = Writing::new();
    row(bench, "text and frame of the request", |_| order.write());
    let orders = BATCHES as u64 * BATCH;
    let mut strategy = Submitting::new(orders as usize, bench.clock.clone());
    row(bench, "quote to order lane, callback and submit", |number| {
        strategy.offer(number);
        strategy.cycle() && strategy.take()
    });
    let mut recorded = Recorded::new(Durability::Os, &bench.clock);
    row(bench, "journal append, fused (limit 150)", |number| {
        if number.is_multiple_of(BATCH) {
            recorded.keep();
        }
        recorded.record(number)
    });
    let mut plain = Plain::new();
    row(bench, "plain: HashMap, serde_json, append", |number| plain.record(number));
    let mut whole = WholeWay::new(orders as usize, &bench.clock);
    row(bench, "submit to bytes, with journal (limit 3000)", |number| {
        if number.is_multiple_of(BATCH) {
            whole.keep();
        }
        whole.send(number)
    });
    let mut plain = Plain::new();
    row(bench, "plain: the same, and a request by serde_json", |number| plain.send(number));
    synced(bench);
}

/// Prints what an order waits for where records are synced before they are acted on.
fn synced(bench: &Bench) {
    let title = "behind a sync of the disk";
    for batch in [1, BATCH] {
        let mut recorded = Recorded::new(Durability::FsyncBatch, &bench.clock);
        waits(bench, &format!("{title}, {batch} at once"), |number| {
            (0..batch).all(|order| recorded.record(number * batch + order)) && recorded.sync()
        });
    }
    let mut plain = Plain::new();
    waits(bench, "plain: HashMap, serde_json, append, sync, 1", |number| {
        plain.record(number) && plain.sync()
    });
}

fn waits(bench: &Bench, name: &str, mut once: impl FnMut(u64) -> bool) {
    let mut ns: Vec<u64> = (0..SYNCS)
        .map(|number| {
            let from_ns = bench.clock.now_ns();
            assert!(once(number), "{name}: the disk takes it");
            bench.clock.now_ns() - from_ns
        })
        .collect();
    ns.sort_unstable();
    let at = |quantile: f64| ns[(SYNCS as f64 * quantile) as usize] as f64;
    println!("  {name:46} p50 {:9.0}, p90 {:9.0}", at(0.5), at(0.9));
}

fn row(bench: &Bench, name: &str, mut once: impl FnMut(u64) -> bool) {
    let mut batch_ns: Vec<u64> = (0..BATCHES as u64)
        .map(|batch| {
            let from_ns = bench.clock.now_ns();
            for number in batch * BATCH..(batch + 1) * BATCH {
                assert!(once(number), "{name}: nothing holds an order back here");
            }
            bench.clock.now_ns() - from_ns
        })
        .collect();
    batch_ns.sort_unstable();
    let at = |quantile: f64| batch_ns[(BATCHES as f64 * quantile) as usize] as f64 / BATCH as f64;
    println!("  {name:46} p50 {:6.1}, p90 {:6.1}", at(0.5), at(0.9));
}
