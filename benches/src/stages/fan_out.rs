//! The dispatcher alone, saturated: quotes a second to so many subscribers, read raw on the other
//! core.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use pitlane_engine::event::{Event, EventKind};
use pitlane_engine::runtime::Agent;
use pitlane_engine::telemetry::Term;
use pitlane_engine::testing::bare_dispatcher;

use super::quotes::{LINK_SLOTS, MARKET_SLOTS, instruments, quote};
use super::{Bench, Job, print};
use crate::crossing::State;
use crate::pairing::median;

const SUBSCRIBERS: [usize; 5] = [1, 5, 10, 20, 50];
const SENDS: Duration = Duration::from_millis(40);
/// Quotes put into the dispatcher's lane at a time.
const BACKLOG: usize = 64;

/// Prints quotes a second, and what one subscriber more costs.
pub(crate) fn section(bench: &Bench) {
    let mut jobs: Vec<Job> = Vec::new();
    for subscribers in SUBSCRIBERS {
        let name = format!("dispatcher, {subscribers} subscribers");
        jobs.push((name, Box::new(move |bench| rate(bench, subscribers))));
    }
    let rows = bench.interleave(&mut jobs);
    print("dispatcher alone, quotes, saturated", "M quotes/s", &rows);
    for state in [State::Near, State::Far] {
        let quote_ns = |index: usize| median(&rows[index].samples, state).map(|rate| 1e3 / rate);
        if let (Some(ten), Some(twenty), Some(fifty)) = (quote_ns(2), quote_ns(3), quote_ns(4)) {
            println!(
                "  one subscriber more, cores {}: {:.1} ns (10 to 20), {:.1} ns (20 to 50)",
                state.name(),
                (twenty - ten) / 10.0,
                (fifty - twenty) / 30.0
            );
        }
    }
}

/// Millions of quotes a second that reached every subscriber; conflated ones are counted off.
fn rate(bench: &Bench, subscribers: usize) -> f64 {
    let clock = bench.clock.clone();
    let mut bare = bare_dispatcher(subscribers, &instruments(), clock, LINK_SLOTS, MARKET_SLOTS);
    let mut lanes = std::mem::take(&mut bare.market);
    let drained = bench.partner.run(move || {
        let mut touched = 0;
        let mut count = 0_u64;
        loop {
            let mut work = 0;
            for lane in &mut lanes {
                work += lane.poll(usize::MAX, |event: &Event| {
                    touched ^= event.sequence
                        ^ event
                            .get::<pitlane_engine::event::Quote>()
                            .map_or(0, |q| q.bid_price as u64);
                });
            }
            count += work as u64;
            if work == 0 {
                if lanes.iter().all(|lane| lane.is_closed()) {
                    std::hint::black_box(touched);
                    return count;
                }
                spin_loop();
            }
        }
    });
    let now_ns = bench.clock.now_ns();
    let quotes: Vec<Event> = (0..BACKLOG as u64).map(|number| quote(number, now_ns)).collect();
    let started = Instant::now();
    while started.elapsed() < SENDS {
        bare.link.try_publish_slice(&quotes);
        bare.dispatcher.duty_cycle();
    }
    while bare.dispatcher.duty_cycle() > 0 || bare.dispatcher.has_pending() {}
    let conflated: u64 =
        bare.terms.iter().map(|terms| terms.read(Term::Conflated).get(EventKind::Quote)).sum();
    let published: u64 = bare.terms.iter().map(|terms| terms.read(Term::Published).total()).sum();
    drop(bare);
    let delivered = drained.wait();
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(delivered + conflated, published, "the account does not hold");
    delivered as f64 / subscribers as f64 / seconds / 1e6
}
