//! The limit: the adapter, one lane a strategy, and nothing between or around.
//!
//! No orchestrator, no dispatcher, no containment, no accounts, no latencies recorded. What is left
//! is what every pipeline on these two cores pays: the frame is read once, and lines cross. How
//! much of ours is above that is the price of the engine.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pitlane_engine::event::{Event, Quote};
use pitlane_engine::venue::{EventOutlet, LetterReason};
use pitlane_ring::{
    Consumer, LaneOptions, LookAhead, Publisher, SharedCursors, fan_out_groups, lane_beside,
};

use super::ours::{feed, latencies};
use super::{CONSUMERS, Latencies, Run, arrived_ns};

/// Slots of each lane, as many as ours have.
const SLOTS: usize = 1_024;

/// A copy into each lane.
struct Lanes(Vec<Publisher<Event>>);

impl EventOutlet for Lanes {
    fn room(&mut self) -> usize {
        self.0.iter_mut().map(|lane| lane.room(2)).min().unwrap_or(0)
    }

    fn publish(&mut self, event: &Event) {
        for group in fan_out_groups(self.0.len()) {
            for lane in &mut self.0[group.clone()] {
                assert!(lane.stage(event).is_ok(), "lanes are drained at each frame");
            }
            self.0[group].iter_mut().for_each(Publisher::publish_staged);
        }
        self.0.iter().for_each(Publisher::prefetch);
    }

    fn dead_letter(&mut self, _reason: LetterReason, detail: &'static str, raw: &[u8]) {
        panic!("refused ({detail}): {}", String::from_utf8_lossy(raw));
    }
}

/// Runs the frames; sends no orders.
pub(crate) fn run(run: &Run<'_>) -> Latencies {
    let seen: Vec<Arc<Vec<AtomicU64>>> = (0..CONSUMERS)
        .map(|_| Arc::new((0..run.count).map(|_| AtomicU64::new(0)).collect()))
        .collect();
    let mut cursors = SharedCursors::default();
    let make = |index| {
        let options = LaneOptions { name: format!("strategy {index}"), capacity: SLOTS };
        lane_beside(options, &mut cursors)
    };
    let (publishers, mut consumers): (Vec<_>, Vec<Consumer<Event>>) =
        (0..CONSUMERS).map(make).unzip();
    let stop = Arc::new(AtomicBool::new(false));
    let (theirs, noted, clock) = (Arc::clone(&stop), seen.clone(), run.clock.clone());
    let done = run.partner.run(move || {
        while !theirs.load(Ordering::Acquire) {
            let mut look_ahead = LookAhead::default();
            let mut work = 0;
            for place in 0..consumers.len() {
                let done = consumers[place].poll(usize::MAX, |event| {
                    std::hint::black_box(event.get::<Quote>().map(|quote| quote.bid_price));
                    let ns = arrived_ns(&clock) - event.receive_ns;
                    noted[place][event.trace_id as usize].store(ns.max(1), Ordering::Release);
                });
                let behind = consumers.iter().skip(place + 1);
                look_ahead.after(done, behind).for_each(Consumer::prefetch);
                work += done;
            }
            if work == 0 {
                spin_loop();
            }
        }
    });
    let mut feed = feed(run);
    let mut lanes = Lanes(publishers);
    let start_ns = run.clock.now_ns() + 100_000;
    for next in 0..run.count {
        while run.due_ns(start_ns, next) > run.clock.now_ns() {}
        let frame = &run.frames[next % run.frames.len()];
        feed.on_frame(frame, run.clock.now_ns(), next as u64, &mut lanes);
    }
    let is_missing = |of: &Arc<Vec<AtomicU64>>| of.iter().any(|ns| ns.load(Ordering::Acquire) == 0);
    while seen.iter().any(is_missing) {
        spin_loop();
    }
    stop.store(true, Ordering::Release);
    done.wait();
    latencies(&seen, Vec::new())
}
