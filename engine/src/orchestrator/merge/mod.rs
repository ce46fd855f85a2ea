//! Merge windows: the same kind of event of one instrument, from several venues, as one [`Merged`]
//! event.
//!
//! A [`MergeRule`] names an instrument, a kind and the venues. Its window opens with the first
//! event of any of them. It is complete, and is emitted at once, as soon as every venue has
//! contributed. It is suppressed when its time is over (by a timer, also when every venue is quiet)
//! or when it took its greatest number of events while a venue is missing; the missing ones are
//! counted.
//!
//! - **Time** is the receive stamp of the events. A window ends `window_ns` after the stamp of the
//!   event that opened it. An event stamped at its end or later closes it and opens the next; an
//!   event stamped before the end of the rule's *last* window (of a complete or full one: its
//!   latest stamp) is late: it is left out and counted. The timer looks once the links are drained,
//!   so that it does not overtake what lies in them; a window may be held open by a backlog for at
//!   most 10 ms.
//! - **The same venue twice**: the latest wins and the earlier one's place is used for it. Trades
//!   are summed instead, since a sum with holes would be none; then nothing is replaced.
//! - **Books**: when a book loses trust ([`crate::event::BookState`]), its contribution is
//!   withdrawn.
//! - **Bars** of one start and one interval are combined: the window's are those of the latest
//!   start. An earlier one is late, and those that a later one finds in the window are replaced.
//! - **Versions**: a merged event carries the lowest routing version of its contributions.
//! - **Raw events pass on unchanged**, before the merged event that they complete.
//! - **Places** of contributions come from a pool and go back the moment the merged event is
//!   emitted or the window suppressed (FR-007). When the pool is dry, the oldest other window is
//!   suppressed (FR-023).
//! - **Rules change** by a staged [`MergeTable`] between two events. Windows of rules that stay as
//!   they are go on, those of rules that went or changed are suppressed.
//! - **Nothing persists** (LM-09): a start begins without windows, a stop suppresses those that are
//!   open.
//!
//! The thread that merges never allocates, locks or waits.
//!
//! [`Merged`]: crate::event::Merged

mod bar;
mod book;
mod merger;
mod port;
mod quote;
mod rule;
mod stats;
#[cfg(test)]
mod tests;
mod trade;
mod window;

pub use merger::MergeTotals;
pub(crate) use merger::Merger;
pub use port::MergePort;
pub use rule::{
    MERGE_RULES_MAX, MERGE_VENUES_MAX, MergeProblem, MergeRule, MergeRuleError, MergeTable,
    WINDOW_NS_MAX,
};
pub use stats::{MergeCounts, MergeStats, MergeVenueCounts, Suppressed};
