//! The exchange, waking and the lease.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use pitlane_ring::{
    Exchange, Home, LaneOptions, Plain, Waker, Watch, lane_with, lease as lease_of,
};

use crate::leak;
use crate::packet::Packet;

/// Boxed values there and back.
pub fn exchange(rounds: u64) -> String {
    let [there, back]: &'static [Exchange<Vec<u64>>; 2] = leak([Exchange::new(), Exchange::new()]);
    let other = thread::spawn(move || {
        for _ in 0..rounds {
            let mut values = take(there);
            values.push(values.len() as u64);
            put(back, values);
        }
    });
    let mut values = Box::new(Vec::new());
    for _ in 0..rounds {
        put(there, values);
        values = take(back);
    }
    other.join().unwrap();
    assert!(values.iter().copied().eq(0..rounds));
    format!("{} there and back", values.len())
}

fn put<T>(exchange: &Exchange<T>, mut value: Box<T>) {
    while let Err(refused) = exchange.put(value) {
        value = refused;
        thread::yield_now();
    }
}

fn take<T>(exchange: &Exchange<T>) -> Box<T> {
    loop {
        match exchange.take() {
            Some(value) => return value,
            None => thread::yield_now(),
        }
    }
}

/// A consumer that parks whenever its lane is empty. A lost wake-up shows as a nap to its limit.
pub fn wake(records: u64) -> String {
    const LIMIT: Duration = Duration::from_secs(20);
    let (mut publisher, consumer) =
        lane_with::<Packet, Plain>(LaneOptions { name: "wake".into(), capacity: 4 });
    let consumer = leak(consumer);
    let sleeping = thread::current();
    let (waker, sleeper) = Waker::new(Box::new(move || sleeping.unpark()));
    let (waker, sleeper) = (leak(waker), leak(sleeper));
    let publishing = thread::spawn(move || {
        let mut next = 0;
        while next < records {
            if publisher.try_publish(&Packet::new(next)).is_ok() {
                next += 1;
                waker.wake_if_sleeping();
            } else {
                thread::yield_now();
            }
        }
        drop(publisher);
        waker.wake_if_sleeping();
    });
    let (mut expected, mut parked) = (0, 0);
    while !consumer.is_closed() {
        let count = consumer.poll(4, |packet| {
            assert_eq!(packet.verified(), expected);
            expected += 1;
        });
        if count == 0 {
            let has_work = || consumer.has_available() || consumer.is_closed();
            parked += u64::from(sleeper.park(has_work, || thread::park_timeout(LIMIT)));
        }
    }
    publishing.join().unwrap();
    assert_eq!(expected, records);
    format!("{expected} records, parked {parked} times")
}

const CELLS: usize = 5;

/// Runs all cells until told to stop, or until demoted; each run adds to the cell's own count and,
/// to be compared with, to the shared one. What is left of the cells goes to `counted`.
fn run_home(mut home: Home<u64>, runs: &AtomicU64, counted: &AtomicU64, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Acquire) {
        for cell in home.cells() {
            let ran = home.run(cell, |count| {
                *count += 1;
                let all = runs.fetch_add(1, Ordering::Relaxed);
                if all.is_multiple_of(64) {
                    // The one that a watchdog finds slow.
                    thread::sleep(Duration::from_micros(200));
                }
            });
            if let Err(mut demoted) = ran {
                counted.fetch_add(*demoted.get_mut(), Ordering::Relaxed);
                leak(demoted);
                leak(home);
                return;
            }
        }
    }
    for cell in home.cells() {
        let ran = home.run(cell, |count| counted.fetch_add(*count, Ordering::Relaxed));
        ran.expect("the watch has stopped");
    }
    leak(home);
}

/// Takes from home after home until one cell is left; how many times.
fn take_all(watch: &mut Watch<u64>, mut stand_by: impl FnMut(Home<u64>)) -> u64 {
    let mut taken = 0;
    while watch.cells().count() > 1 {
        let first = watch.running();
        thread::yield_now();
        // Twice the same: slow by the measure of this program.
        let seen = watch.running().filter(|seen| Some(*seen) == first);
        if let Some(standby) = seen.and_then(|seen| watch.take(seen)) {
            taken += 1;
            stand_by(standby.into_home());
        }
    }
    taken
}

/// Leases whose homes stall, one after the other, down to the last cell.
pub fn lease(rounds: u64) -> String {
    let (mut all_runs, mut all_taken) = (0, 0);
    for _ in 0..rounds.clamp(1, 500) {
        let (home, watch) = lease_of(vec![0_u64; CELLS]);
        let watch = leak(watch);
        let runs: &'static AtomicU64 = leak(AtomicU64::new(0));
        let counted: &'static AtomicU64 = leak(AtomicU64::new(0));
        let is_over: &'static AtomicBool = leak(AtomicBool::new(false));
        let start = |home| thread::spawn(move || run_home(home, runs, counted, is_over));
        let mut threads = vec![start(home)];
        all_taken += take_all(watch, |home| threads.push(start(home)));
        is_over.store(true, Ordering::Release);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let (runs, counted) = (runs.load(Ordering::Relaxed), counted.load(Ordering::Relaxed));
        assert_eq!(runs, counted, "each run is in exactly one cell");
        all_runs += runs;
    }
    format!("{all_runs} batches, {all_taken} times taken")
}
