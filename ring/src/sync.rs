//! What the crate's own protocols are made of: the standard atomics, or under `--cfg loom` those of
//! the `model`, where every interleaving of a small model is run.

#[cfg(loom)]
mod model;
#[cfg(not(loom))]
mod real;

#[cfg(loom)]
pub(crate) use model::{AtomicBool, AtomicI64, AtomicU64, Mutex, Ordering, SharedCell, fence};
#[cfg(all(test, loom))]
pub(crate) use model::{explore, is_planted};
#[cfg(not(loom))]
pub(crate) use real::{AtomicBool, AtomicI64, AtomicU64, Mutex, Ordering, SharedCell, fence};
