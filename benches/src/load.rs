//! What is sent in a race: plain records of one, two and six cache lines.

use pitlane_ring::Record;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A record with a number and a due time, padded to whole lines.
pub(crate) trait Load: Record {
    /// The record with this number, due at `due_ns` of the race's clock.
    fn new(number: u64, due_ns: u64) -> Self;

    /// Its number.
    fn number(&self) -> u64;

    /// When it was due.
    fn due_ns(&self) -> u64;

    /// One word of each line, so that a receiver has touched all of it.
    fn touch(&self) -> u64;
}

macro_rules! load {
    ($name:ident, $words:literal) => {
        #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C, align(64))]
        pub(crate) struct $name([u64; $words]);

        impl Record for $name {
            #[inline]
            fn used_bytes(&self) -> usize {
                size_of::<Self>()
            }
        }

        impl Load for $name {
            #[inline]
            fn new(number: u64, due_ns: u64) -> Self {
                let mut words = [number; $words];
                words[1] = due_ns;
                Self(words)
            }

            #[inline]
            fn number(&self) -> u64 {
                self.0[0]
            }

            #[inline]
            fn due_ns(&self) -> u64 {
                self.0[1]
            }

            #[inline]
            fn touch(&self) -> u64 {
                self.0.iter().step_by(8).fold(0, |sum, word| sum ^ word)
            }
        }
    };
}

load!(Load64, 8);
load!(Load128, 16);
load!(Load384, 48);
