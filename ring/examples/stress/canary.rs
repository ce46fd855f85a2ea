//! What the sanitizers must find: a clean report means something only if these are not clean.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::thread;

use pitlane_ring::{LaneOptions, Plain, lane_with};

use crate::leak;
use crate::packet::Packet;

struct Unguarded(UnsafeCell<u64>);

// SAFETY: none; this is the planted fault.
unsafe impl Sync for Unguarded {}

/// A consumer that reads what was published without a look at the lane.
pub fn race() {
    let beside = leak(Unguarded(UnsafeCell::new(0)));
    let beside: &'static Unguarded = beside;
    let (mut publisher, consumer) =
        lane_with::<Packet, Plain>(LaneOptions { name: "race".into(), capacity: 2 });
    leak(consumer);
    let publishing = thread::spawn(move || {
        for value in 0..1_000 {
            // SAFETY: none; this is the planted fault.
            unsafe { *beside.0.get() = value };
            let _ = publisher.try_publish(&Packet::new(value));
        }
    });
    for _ in 0..1_000 {
        // SAFETY: none; this is the planted fault.
        black_box(unsafe { *beside.0.get() });
    }
    publishing.join().unwrap();
    println!("planted a race");
}

/// A read behind the end of a lane's worth of records.
pub fn overrun() {
    let records = vec![Packet::new(1); black_box(4)].into_boxed_slice();
    // SAFETY: none; this is the planted fault.
    black_box(unsafe { *records.as_ptr().add(black_box(4)) });
    println!("planted an overrun");
}
