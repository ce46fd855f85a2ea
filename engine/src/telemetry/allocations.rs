//! What the pinned threads have allocated.

use pitlane_ring::alloc::{allocations_apart, counted_allocations};

/// Heap allocations of the pinned threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// All but those of TLS.
    pub ours: u64,
    /// Of the library for TLS, which keeps each record in a vector.
    pub of_tls: u64,
}

impl Allocations {
    /// Since the start of the process.
    #[must_use]
    pub fn so_far() -> Allocations {
        Allocations { ours: counted_allocations(), of_tls: allocations_apart() }
    }

    /// Those of them that came after `base`.
    #[must_use]
    pub fn since(self, base: Allocations) -> Allocations {
        Allocations { ours: self.ours - base.ours, of_tls: self.of_tls - base.of_tls }
    }
}
