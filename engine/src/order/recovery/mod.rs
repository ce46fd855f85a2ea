//! What an earlier start has left: its open orders, positions and money, read from its journal.
//!
//! Promises: the books of each strategy are made by the same parts that keep them in a run, from
//! the same words; an order that is open on record is handed to its venue's session, which asks the
//! venue about it before it takes new ones; what the present configuration has no place for is
//! named, and the engine does not start on it.

mod asset_legs;
mod board;
mod books;
mod checkpoint;
mod fold;
mod gone;
mod names;
mod recorded_order;
mod recorded_orders;
mod recovered;
#[cfg(test)]
mod tests;

pub(crate) use asset_legs::AssetLegs;
pub use board::{
    FoundBalance, FoundOrder, OtherOrder, RecoveryBoard, VenueFound, VenueRecoveryFigures,
};
pub(crate) use books::{StrategyBooks, book};
pub(crate) use fold::JournalFold;
pub use recorded_order::{InferredFill, RecordedOrder, UnsettledFill};
pub(crate) use recovered::Recovered;
pub use recovered::{EarlierRun, RecordedBalance, RecordedPosition, VenueRecovery};
