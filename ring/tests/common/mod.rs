//! A record whose every byte follows from its value, and panics that print nothing.

// Each test binary compiles this module and uses its own part of it.
#![allow(dead_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pitlane_ring::{LaneOptions, Record};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Three lines, of which the value says how many are in use.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Packet {
    words: [u64; 24],
}

impl Packet {
    pub fn new(value: u64) -> Self {
        let mut words = [0; 24];
        words[0] = value;
        for (index, word) in words.iter_mut().enumerate().take(Self::words_of(value)).skip(1) {
            *word = Self::word(value, index);
        }
        Self { words }
    }

    pub fn value(&self) -> u64 {
        self.words[0]
    }

    /// The value, after a look at every word in use: a torn, stale or poisoned record fails here.
    #[track_caller]
    pub fn verified(&self) -> u64 {
        let value = self.value();
        for index in 1..Self::words_of(value) {
            assert_eq!(self.words[index], Self::word(value, index), "word {index} of {value}");
        }
        value
    }

    fn words_of(value: u64) -> usize {
        8 * (1 + (value % 3) as usize)
    }

    fn word(value: u64, index: usize) -> u64 {
        value.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(index as u32)
    }
}

impl Record for Packet {
    fn used_bytes(&self) -> usize {
        8 * Self::words_of(self.value())
    }
}

pub fn options(name: &str, capacity: usize) -> LaneOptions {
    LaneOptions { name: name.to_owned(), capacity }
}

/// What a planted panic carries.
pub struct Planted;

/// Unwinds without the panic hook, so that thousands of them neither print nor take backtraces.
pub fn planted_panic() -> ! {
    resume_unwind(Box::new(Planted))
}

/// Whether `run` ended in a planted panic. Any other panic goes on: it is a failure of the test.
pub fn panics_as_planted(run: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => false,
        Err(payload) if payload.is::<Planted>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

/// The message of a panic.
pub fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("not a message")
}

/// A small generator (SplitMix64), so that a seed is all it takes to repeat a run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Ends the loops of all threads of a test when one of them fails, which would hang otherwise.
#[derive(Default)]
pub struct Failed(AtomicBool);

impl Failed {
    /// To be called wherever a thread found nothing to do.
    #[track_caller]
    pub fn yield_or_give_up(&self) {
        assert!(!self.0.load(Ordering::Relaxed), "another thread has failed");
        thread::yield_now();
    }

    /// What each thread keeps for as long as it runs.
    pub fn guard(&self) -> impl Drop + '_ {
        FailedGuard(self)
    }
}

struct FailedGuard<'f>(&'f Failed);

impl Drop for FailedGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.0.store(true, Ordering::Relaxed);
        }
    }
}
