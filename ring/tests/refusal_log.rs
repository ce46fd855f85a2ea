//! A plain lane and a plain pool log each refused return with a backtrace (FR-009, FR-024).
//!
//! A file of its own: a logger belongs to the whole process, and taking backtraces is slow.

mod common;

use std::sync::Mutex;

use common::{Packet, options};
use log::{Level, LevelFilter, Log, Metadata};
use pitlane_ring::raw::{RefusedReturn, hold, settle};
use pitlane_ring::{Plain, Pool, lane_with};

struct Kept(Mutex<Vec<(Level, String)>>);

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

#[test]
fn each_refused_return_is_logged_with_its_backtrace() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let (mut publisher, mut consumer) = lane_with::<Packet, Plain>(options("logged", 2));
    publisher.try_publish(&Packet::new(0)).unwrap();
    let (_, token) = hold(&mut consumer).unwrap();
    token.give_back().unwrap();
    assert_eq!(token.give_back(), Err(RefusedReturn::AlreadyReturned));
    settle(&mut consumer);
    let mut pool = Pool::<u8, Plain>::new_with("held", 1, || 0);
    let handle = pool.claim().unwrap();
    pool.give_back(handle).unwrap();
    assert_eq!(pool.give_back(handle), Err(RefusedReturn::AlreadyReturned));

    let kept = KEPT.0.lock().unwrap();
    let starts = ["lane logged: return of sequence 0 at ", "pool held: return of slot 0 "];
    assert_eq!(kept.len(), starts.len(), "{kept:?}");
    for ((level, text), start) in kept.iter().zip(starts) {
        assert_eq!(*level, Level::Warn);
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains("refused: the slot was returned before\n"), "{text}");
        assert!(text.contains("each_refused_return_is_logged"), "no backtrace in: {text}");
    }
}
