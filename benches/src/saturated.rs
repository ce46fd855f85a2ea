//! The saturated race: as many copies as go through, every one delivered and in order.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use crate::contender::{Contender, Form, Receiver, receive_from_each};
use crate::load::Load;
use crate::partner::Partner;

/// Records that are prepared and sent again and again; small enough to stay in the first cache.
const PREPARED: usize = 64;

/// No total is known yet.
const UNKNOWN: u64 = u64::MAX;

/// What both sides share.
struct Shared {
    is_ready: CachePadded<AtomicBool>,
    /// Records sent to each consumer, once that is known.
    total: CachePadded<AtomicU64>,
}

/// How a saturated race is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SaturatedOptions {
    /// Consumers, all polled by the second core.
    pub(crate) consumers: usize,
    /// Records a queue can hold.
    pub(crate) capacity: usize,
    /// How the contender is driven.
    pub(crate) form: Form,
    /// How long it sends.
    pub(crate) duration: Duration,
}

/// Runs it; returns copies delivered a second, over all consumers, in millions.
pub(crate) fn run<E: Load, C: Contender<E>>(partner: &Partner, options: SaturatedOptions) -> f64
where
    C::Receiver: 'static,
{
    let SaturatedOptions { consumers, capacity, form, duration } = options;
    let (mut senders, receivers) = C::build(consumers, capacity, form);
    let shared = Arc::new(Shared {
        is_ready: CachePadded::new(AtomicBool::new(false)),
        total: CachePadded::new(AtomicU64::new(UNKNOWN)),
    });
    let theirs = Arc::clone(&shared);
    let received = partner.run(move || receive_all(receivers, &theirs));
    while !shared.is_ready.load(Ordering::Acquire) {
        spin_loop();
    }
    let records: Vec<E> = (0..PREPARED as u64).map(|number| E::new(number, 0)).collect();
    let run = form.run();
    let started = Instant::now();
    let mut sent = 0_usize;
    while !sent.is_multiple_of(PREPARED) || started.elapsed() < duration {
        let from = sent % PREPARED;
        let batch = &records[from..from + run];
        C::send_to_each(&mut senders, batch);
        sent += run;
    }
    shared.total.store(sent as u64, Ordering::Release);
    let delivered = received.wait();
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(delivered, (sent * consumers) as u64, "copies were lost");
    delivered as f64 / seconds / 1e6
}

/// Polls every consumer until each has all of its records; returns how many that were.
fn receive_all<E: Load>(mut receivers: Vec<impl Receiver<E>>, shared: &Shared) -> u64 {
    let mut counts = vec![0_u64; receivers.len()];
    let mut touched = 0;
    shared.is_ready.store(true, Ordering::Release);
    loop {
        let work = receive_from_each(&mut receivers, |place, receiver| {
            let count = &mut counts[place];
            receiver.receive(&mut |record: &E| {
                assert_eq!(record.number(), *count % PREPARED as u64, "out of order");
                touched ^= record.touch();
                *count += 1;
            })
        });
        if work == 0 {
            let total = shared.total.load(Ordering::Acquire);
            if total != UNKNOWN && counts.iter().all(|count| *count == total) {
                std::hint::black_box(touched);
                return counts.iter().sum();
            }
            spin_loop();
        }
    }
}
