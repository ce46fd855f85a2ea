//! The limit: how many copies one core can hand to the other at all.
//!
//! Plain stores into one buffer a consumer, half a buffer at a time, and one flag a half: no claim,
//! no check, no order but that of the flags. What the lines themselves cost, and nothing else.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use crate::partner::Partner;

/// Words of a line.
const LINE_WORDS: usize = 8;

/// A line, as words that two threads may touch.
#[repr(align(64))]
#[derive(Default)]
struct Line([AtomicU64; LINE_WORDS]);

struct Buffer {
    lines: Vec<Line>,
    /// Halves filled so far.
    filled: CachePadded<AtomicU64>,
    /// Halves read so far.
    read: CachePadded<AtomicU64>,
}

/// Lines of a copy, and copies that one flag announces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitShape {
    /// Buffers, one for each consumer of the race.
    pub(crate) buffers: usize,
    /// Lines a copy.
    pub(crate) lines: usize,
    /// Copies under one flag; a buffer holds twice as many.
    pub(crate) batch: usize,
}

/// Copies handed over a second, in millions.
pub(crate) fn measure(partner: &Partner, shape: LimitShape, duration: Duration) -> f64 {
    let half = shape.lines * shape.batch;
    let buffer = |_| Buffer {
        lines: (0..2 * half).map(|_| Line::default()).collect(),
        filled: CachePadded::default(),
        read: CachePadded::default(),
    };
    let buffers: Arc<Vec<Buffer>> = Arc::new((0..shape.buffers).map(buffer).collect());
    let stop = Arc::new(AtomicU64::new(u64::MAX));
    let (theirs, end) = (Arc::clone(&buffers), Arc::clone(&stop));
    let reader = partner.run(move || read_all(&theirs, half, &end));
    let started = Instant::now();
    let mut round = 0_u64;
    while started.elapsed() < duration {
        for buffer in buffers.iter() {
            while round - buffer.read.load(Ordering::Acquire) >= 2 {
                spin_loop();
            }
            let from = if round.is_multiple_of(2) { 0 } else { half };
            for line in &buffer.lines[from..from + half] {
                line.0.iter().for_each(|word| word.store(round, Ordering::Relaxed));
            }
            buffer.filled.store(round + 1, Ordering::Release);
        }
        round += 1;
    }
    stop.store(round, Ordering::Release);
    reader.wait();
    let copies = round as f64 * (shape.batch * shape.buffers) as f64;
    copies / started.elapsed().as_secs_f64() / 1e6
}

fn read_all(buffers: &[Buffer], half: usize, stop: &AtomicU64) {
    let mut round = 0_u64;
    let mut touched = 0;
    while round != stop.load(Ordering::Acquire) {
        for buffer in buffers {
            while buffer.filled.load(Ordering::Acquire) == round {
                if stop.load(Ordering::Acquire) == round {
                    std::hint::black_box(touched);
                    return;
                }
                spin_loop();
            }
            let from = if round.is_multiple_of(2) { 0 } else { half };
            for line in &buffer.lines[from..from + half] {
                touched ^= line.0[0].load(Ordering::Relaxed);
            }
            buffer.read.store(round + 1, Ordering::Release);
        }
        round += 1;
    }
    std::hint::black_box(touched);
}
