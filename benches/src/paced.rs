//! The paced race: records on a schedule, and how long after its due time the last consumer had
//! one.
//!
//! Load is open loop: a record is due by the clock, whether or not the one before has arrived, and
//! latency counts from the due time. What is due at once goes out as one batch.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use pitlane_engine::runtime::Clock;

use crate::contender::{Contender, Form, Receiver, receive_from_each};
use crate::load::Load;
use crate::partner::Partner;

/// Consumers still missing are counted by number in a table of this size; no queue is longer.
const OPEN_MAX: usize = 1 << 14;

/// Records at the start that are sent and not measured.
const WARM_UP: u64 = 64;

/// Distance from one empty round to the next above which the machine, not the work, was slow.
const HICCUP_NS: u64 = 2_000;

/// How a paced race is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacedOptions {
    /// Consumers, all polled by the second core.
    pub(crate) consumers: usize,
    /// Records a queue can hold.
    pub(crate) capacity: usize,
    /// How the contender is driven.
    pub(crate) form: Form,
    /// Records a second.
    pub(crate) rate_per_s: u64,
    /// How long it sends.
    pub(crate) duration: Duration,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct PacedFigures {
    /// Due to handled by the last consumer, ns, ascending.
    pub(crate) last_ns: Vec<u64>,
    /// Gaps between two empty rounds of the second core, ns, ascending: what the machine took away.
    pub(crate) hiccups_ns: Vec<u64>,
}

/// Both sides' view of the run.
struct Shared {
    is_ready: CachePadded<AtomicBool>,
    total: CachePadded<AtomicU64>,
}

/// Runs it.
pub(crate) fn run<E: Load, C: Contender<E>>(
    partner: &Partner,
    clock: &Clock,
    options: PacedOptions,
) -> PacedFigures
where
    C::Receiver: 'static,
{
    let PacedOptions { consumers, capacity, form, rate_per_s, duration } = options;
    let (mut senders, receivers) = C::build(consumers, capacity, form);
    let total = (rate_per_s as f64 * duration.as_secs_f64()) as u64 + WARM_UP;
    let shared = Arc::new(Shared {
        is_ready: CachePadded::new(AtomicBool::new(false)),
        total: CachePadded::new(AtomicU64::new(total)),
    });
    let (theirs, their_clock) = (Arc::clone(&shared), clock.clone());
    let received = partner.run(move || receive_all(receivers, &theirs, &their_clock));
    while !shared.is_ready.load(Ordering::Acquire) {
        spin_loop();
    }
    let interval_ns = 1e9 / rate_per_s as f64;
    let start_ns = clock.now_ns() + 20_000;
    let due_at = |number: u64| start_ns + (number as f64 * interval_ns) as u64;
    let mut batch: Vec<E> = Vec::with_capacity(form.run());
    let mut next = 0;
    while next < total {
        let now_ns = clock.now_ns();
        batch.clear();
        while next < total && batch.len() < form.run() && due_at(next) <= now_ns {
            batch.push(E::new(next, due_at(next)));
            next += 1;
        }
        if !batch.is_empty() {
            C::send_to_each(&mut senders, &batch);
        }
    }
    received.wait()
}

/// Polls every consumer until each has had every record.
fn receive_all<E: Load>(
    mut receivers: Vec<impl Receiver<E>>,
    shared: &Shared,
    clock: &Clock,
) -> PacedFigures {
    let consumers = receivers.len();
    let total = shared.total.load(Ordering::Acquire);
    let mut missing = vec![consumers; OPEN_MAX];
    let mut figures = PacedFigures {
        last_ns: Vec::with_capacity(total as usize),
        hiccups_ns: Vec::with_capacity(1 << 16),
    };
    let mut complete = 0;
    let mut touched = 0;
    let mut idle_since_ns = None;
    shared.is_ready.store(true, Ordering::Release);
    while complete < total {
        let work = receive_from_each(&mut receivers, |_, receiver| {
            receiver.receive(&mut |record: &E| {
                touched ^= record.touch();
                let place = &mut missing[record.number() as usize % OPEN_MAX];
                *place -= 1;
                if *place == 0 {
                    *place = consumers;
                    complete += 1;
                    if record.number() >= WARM_UP {
                        figures.last_ns.push(clock.now_ns().saturating_sub(record.due_ns()));
                    }
                }
            })
        });
        if work > 0 {
            idle_since_ns = None;
            continue;
        }
        let now_ns = clock.now_ns();
        let gap_ns = idle_since_ns.map_or(0, |since_ns| now_ns - since_ns);
        if gap_ns > HICCUP_NS && figures.hiccups_ns.len() < figures.hiccups_ns.capacity() {
            figures.hiccups_ns.push(gap_ns);
        }
        idle_since_ns = Some(now_ns);
    }
    std::hint::black_box(touched);
    figures.last_ns.sort_unstable();
    figures.hiccups_ns.sort_unstable();
    figures
}

/// The value at `quantile` of ascending figures; 0 when there are none.
pub(crate) fn quantile_ns(ascending: &[u64], quantile: f64) -> u64 {
    let index = (ascending.len() as f64 * quantile) as usize;
    ascending.get(index.min(ascending.len().saturating_sub(1))).copied().unwrap_or(0)
}
