//! Order books, assembled on the venue's side: the levels, and the state machine that keeps them in
//! step.

mod buffer;
mod check;
mod l2;
mod sequence;
mod sync;

pub use check::{CheckBoard, CheckOutcome, Difference};
pub use l2::{Applied, L2Book};
pub use sequence::{BookRule, Diff};
pub use sync::{BookSync, BookSyncCounters, BookSyncOptions, DiffOutcome, SnapshotOutcome};
