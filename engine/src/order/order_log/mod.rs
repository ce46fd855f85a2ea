//! The run's own record of every order and fill, readable while it runs.
//!
//! A strategy's thread leaves a note of what it sends, of what its own check refuses and of every
//! report that it takes (`OrderLogSender`), in a lane of its own; housekeeping writes a line for
//! each (`OrderLog`): `fills.jsonl` has fills and their corrections, `orders.jsonl` all there is.
//! What each field means stands in the [guide of the report](../../../docs/report.md).
//!
//! Promises: the lines of one strategy are in the order in which things came about for it; a lane
//! or a disk that is full costs lines, which are counted, and nothing else; refusals by a
//! strategy's own check beyond 50 a second are counted and not written.

mod file;
mod line;
mod note;
mod open_orders;
mod sender;

pub(crate) use file::OrderLog;
pub use file::{OrderLogReport, RunFileReport};
pub(crate) use line::OrderLogNames;
pub(crate) use note::OrderNote;
pub use open_orders::OpenOrderRow;
pub(crate) use open_orders::OpenOrders;
pub(crate) use sender::{ORDER_LOG_SLOTS, OrderLogSender, OrderLogSource, order_log_lane};
