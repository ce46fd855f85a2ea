//! Lanes, slots and the recycler: the queues of a thread-per-core engine.
//!
//! ```
//! use pitlane_ring::{LaneOptions, lane};
//!
//! let options = LaneOptions { name: "quotes".to_owned(), capacity: 1_024 };
//! let (mut publisher, mut consumer) = lane::<u64>(options);
//! publisher.try_publish(&7)?;
//! assert_eq!(consumer.poll(64, |record| assert_eq!(*record, 7)), 1);
//! # Ok::<(), pitlane_ring::Full>(())
//! ```
//!
//! Where to start:
//!
//! | To | Look at |
//! |---|---|
//! | pass records from one thread to another | [`lane`], [`Publisher`], [`Consumer`] |
//! | publish what may be replaced by something newer | [`MarketPublisher`], [`Conflate`] |
//! | publish what must arrive | [`CriticalPublisher`] |
//! | hold a value across events | [`Pool`] |
//! | hand an owned value to another thread | [`Exchange`] |
//! | let a thread idle or sleep | [`IdleStrategy`], [`Waker`] |
//! | write a file as memory | [`MappedFile`] |
//! | see what a lane does, from anywhere | [`LaneGauge`], [`PoolGauge`] |
//! | take the neighbours of a stalled agent away | [`lease`] |
//!
//! The guide of the crate, with a slot's whole life, is `ring/README.md`.
//!
//! # Promises
//!
//! What this crate promises, and no more:
//!
//! 1. A [`lane`] has one [`Publisher`], one [`Consumer`] (a [`Stage`] may stand before it) and one
//!    recycler; each side is an affine handle: `Send`, not `Sync`, not `Clone`.
//! 2. Publishing and polling never wait, lock, allocate or call the system; a full lane says
//!    [`Full`], an empty one handles nothing.
//! 3. Records arrive in the order of publication, each exactly once, as independent copies.
//! 4. A reference to a record ends with the callback that got it; the compiler sees to that.
//! 5. A slot is free again exactly when the recycler has let it go, past the one gate that also
//!    holds the publisher back. Only the recycler returns slots.
//! 6. A callback that panics consumes its own record, and no other; the panic goes on to the
//!    caller of `poll`.
//! 7. A second return of a slot is refused, counted and logged; a [`Checked`] lane panics instead,
//!    poisons what was returned and finds every write into it.
//! 8. A [`MarketPublisher`] conflates per key and a [`CriticalPublisher`] spills in order; both
//!    keep order per key and tell the caller of every record that will not be delivered by itself.
//! 9. A [`LaneGauge`] may be read from any thread at any time and costs the hot path nothing.
//! 10. A [`lease()`] gives each of its cells one owner at every moment, the thread that runs it or
//!     the one that took it, and costs a store and a compare-and-swap a batch.
//! 11. Nothing here knows trading: records, keys and merging are the caller's, by trait.
//!
//! What it does not promise: fairness between lanes, delivery after a publisher was leaked, or
//! recovery from a panic inside a `Drop` that runs during unwinding.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod alloc;
mod bits;
mod cell;
mod checks;
#[cfg(doctest)]
mod compile_fail;
mod consumer;
mod counters;
mod critical;
mod cursor;
mod exchange;
mod gauge;
mod idle;
mod lane;
mod lane_state;
mod lease;
mod look_ahead;
#[cfg(not(loom))]
mod mapped;
mod market;
mod pool;
mod prefetch;
mod publisher;
#[doc(hidden)]
pub mod raw;
mod reader;
mod record;
mod recycler;
mod storage;
mod sync;
mod wake;

pub use alloc::CountingAllocator;
pub use bits::Bits;
pub use cell::{
    Absorbed, CellGroupSpec, CellId, CellMemory, CellPolicy, CellSpec, Conflate, Displaced, Offered,
};
pub use checks::{Checked, Checks, DefaultChecks, Plain};
pub use consumer::{Consumer, Stage};
pub use counters::Counter;
pub use critical::{CriticalPublisher, SpillFull};
pub use crossbeam_utils::CachePadded;
pub use cursor::SharedCursors;
pub use exchange::Exchange;
pub use gauge::LaneGauge;
pub use idle::{DEFAULT_SPINS, IdleStrategy, Idler, UnknownIdleStrategy};
pub use lane::{
    LaneOptions, lane, lane_beside, lane_staged, lane_staged_beside, lane_staged_with, lane_with,
};
pub use lease::{Demoted, Home, LEASE_CELLS_MAX, Running, Standby, Watch, lease};
pub use look_ahead::LookAhead;
#[cfg(not(loom))]
pub use mapped::MappedFile;
pub use market::MarketPublisher;
pub use pool::Pool;
pub use prefetch::prefetch_line;
pub use publisher::{Full, Publisher, fan_out_groups};
pub use record::{LINE_BYTES, Record, Sequence};
pub use recycler::return_cursor::RefusedReturn;
pub use recycler::slab::{PoolGauge, PoolHandle};
pub use wake::{Sleeper, Waker};

/// The guide, so that its example is run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Guide;
