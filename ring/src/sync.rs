//! The atomics of the crate's own protocols: the standard ones, or loom's under `--cfg loom`, where
//! every interleaving of a small model is run.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicI64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, Ordering, fence};
