//! What orchestrator and dispatcher add to one uncontended event: both duty cycles, on one core,
//! with nobody at the other ends.

use pitlane_engine::runtime::Agent;

use super::Bench;
use super::quotes::{assemble, consumer, quote};

const EVENTS: u64 = 20_000;

/// Prints medians over lone events.
pub(crate) fn section(bench: &Bench) {
    println!("\norchestrator + dispatcher, lone event, one core [ns]");
    for subscribers in [1, 10] {
        let strategies = (0..subscribers).map(|_| consumer(|_| ())).collect();
        let mut stages = assemble(strategies, &bench.clock);
        let mut added_ns = Vec::with_capacity(EVENTS as usize);
        for number in 0..EVENTS {
            let event = quote(number, bench.clock.now_ns());
            assert!(stages.link.try_publish(&event).is_ok(), "the link is drained each time");
            let from_ns = bench.clock.now_ns();
            stages.dispatcher.duty_cycle();
            added_ns.push(bench.clock.now_ns() - from_ns);
            for consumer in &mut stages.consumers {
                while consumer.duty_cycle() > 0 {}
            }
        }
        added_ns.sort_unstable();
        let at = |quantile: f64| added_ns[(EVENTS as f64 * quantile) as usize];
        println!(
            "  {subscribers:2} subscribers: p50 {}, p90 {}, p99 {}",
            at(0.5),
            at(0.9),
            at(0.99)
        );
    }
}
