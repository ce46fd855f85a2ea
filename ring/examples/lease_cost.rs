//! What a lease costs: the time of an empty batch, alone and while a watchdog looks.
//!
//! `cargo run --release -p pitlane-ring --example lease_cost`

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pitlane_ring::{Home, lease};

const CELLS: usize = 10;
const SWEEPS: u32 = 2_000_000;

/// Nanoseconds a cell, the best of five runs: the others were disturbed.
fn best_of_five(mut sweep: impl FnMut()) -> f64 {
    let run = |_| {
        let started = Instant::now();
        (0..SWEEPS).for_each(|_| sweep());
        started.elapsed().as_secs_f64() * 1e9 / f64::from(SWEEPS) / CELLS as f64
    };
    (0..5).map(run).fold(f64::INFINITY, f64::min)
}

fn leased(home: &mut Home<u64>) -> f64 {
    best_of_five(|| {
        for cell in 0..CELLS {
            home.run(cell, |count| *black_box(count) += 1).expect("nobody takes anything");
        }
    })
}

fn main() {
    let mut bare = [0_u64; CELLS];
    let bare = best_of_five(|| bare.iter_mut().for_each(|count| *black_box(count) += 1));

    let locks: Vec<_> = (0..CELLS).map(|_| Mutex::new(0_u64)).collect();
    let locked = best_of_five(|| {
        for lock in &locks {
            *black_box(&mut *lock.try_lock().expect("nobody else locks")) += 1;
        }
    });

    let (mut home, watch) = lease(vec![0_u64; CELLS]);
    let alone = leased(&mut home);
    let is_done = AtomicBool::new(false);
    let watched = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                black_box(watch.running());
                thread::sleep(Duration::from_millis(1));
            }
        });
        let watched = leased(&mut home);
        is_done.store(true, Ordering::Relaxed);
        watched
    });

    println!("an empty batch on one of {CELLS} cells, best of five times {SWEEPS} sweeps:");
    println!("  without a lease            {bare:6.2} ns");
    println!("  a try_lock each            {locked:6.2} ns");
    println!("  leased                     {alone:6.2} ns");
    println!("  leased, a look every 1 ms  {watched:6.2} ns");
}
