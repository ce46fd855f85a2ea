//! The record of the stress.

use pitlane_ring::{Absorbed, Conflate, Record};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Two lines, every word of which is the value.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Packet([u64; 16]);

impl Packet {
    pub fn new(value: u64) -> Self {
        Self([value; 16])
    }

    /// The value, after a look at all of it.
    pub fn verified(&self) -> u64 {
        assert!(self.0.iter().all(|word| *word == self.0[0]), "torn: {:?}", self.0);
        self.0[0]
    }
}

impl Record for Packet {
    fn used_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Conflate for Packet {
    fn absorb(&mut self, newer: &Self) -> Absorbed {
        *self = *newer;
        Absorbed::Replaced
    }
}
